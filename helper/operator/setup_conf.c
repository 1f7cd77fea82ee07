/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Lines of words, as mailtoken.conf(5) has them; what they mean is left to
 * mailtokend --check.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "operator/run.h"
#include "operator/setup_impl.h"

#define CONF_MAX_BYTES	1048576
#define CHECK_MAX_BYTES 65536

struct line {
	struct span first, rest; /* the keyword, and what is behind it */
	bool indented;
	size_t end; /* where the next one begins */
};

static struct line read_line(struct span text, size_t at)
{
	static const char blanks[] = " \t\r", ends[] = " \t\r#\n";
	const char *p = text.p + at, *last = p + strcspn(p, "#\n");
	struct line line = { .indented = strspn(p, blanks) > 0,
		.end = at + strcspn(p, "\n") };

	line.end += line.end < text.n;
	while (last > p && strchr(blanks, last[-1]) != NULL)
		last--;
	p += strspn(p, blanks);
	line.first = (struct span){ p, strcspn(p, ends) };
	p += line.first.n + strspn(p + line.first.n, blanks);
	if (p < last)
		line.rest = (struct span){ p, (size_t)(last - p) };
	return line;
}

struct place {
	struct span value; /* not empty: there it is */
	int number;	   /* of its line */
	int times;	   /* that it stands there */
	size_t end;	   /* of the block's last line that says something */
};

/* key NULL: the block itself. */
static struct place find(const struct conf *conf, const char *head,
    const char *key)
{
	size_t at, kind = head != NULL ? strcspn(head, " ") : 0;
	struct place place = { .number = 0 };
	struct span text = buf_span(&conf->text);
	bool inside = head == NULL;
	struct line line;
	int number = 1;

	for (at = 0; at < text.n; at = line.end, number++) {
		line = read_line(text, at);
		if (line.first.n == 0)
			continue;
		if (head != NULL && !line.indented)
			inside = line.first.n == kind &&
			    memcmp(line.first.p, head, kind) == 0 &&
			    span_is(line.rest, head + kind + 1);
		if (!inside)
			continue;
		place.end = line.end;
		if (key == NULL ? !line.indented :
				  line.indented == (head != NULL) &&
			    span_listed(line.first, key)) {
			place.value = line.rest;
			place.number = number;
			place.times++;
		}
	}
	return place;
}

struct span conf_get(const struct conf *conf, const char *head, const char *key)
{
	return find(conf, head, key).value;
}

struct span conf_only(const struct conf *conf, const char *kind)
{
	struct place place = find(conf, NULL, kind);

	return place.times == 1 ? place.value : span_of("");
}

static bool put(struct conf *conf, const char *head, const char *key,
    const char *value, const char *blanks)
{
	struct place place = find(conf, head, key);
	struct span old = buf_span(&conf->text);
	struct buf text = BUF_INIT(CONF_MAX_BYTES);
	bool begins = head != NULL && conf_get(conf, head, NULL).n == 0;
	/* General keys go first: behind a block they would seem its own. */
	size_t at = begins ? old.n : head == NULL ? 0 : place.end;
	bool odd;

	if (value == NULL || value[0] == '\0' || span_is(place.value, value))
		return true;
	odd = strpbrk(value, blanks) != NULL ||
	    (head != NULL && strpbrk(strchr(head, ' ') + 1, blanks) != NULL);
	if (place.value.n > 0)
		screen_say("%s:%d says %s %.*s, not %s: change that line, or "
			   "leave it out of the command",
		    conf->path, place.number, key, SPAN(place.value), value);
	else if (odd)
		screen_say("%s %s: blanks, quotes and # cannot be written by "
			   "setup",
		    key, value);
	if (place.value.n > 0 || odd)
		return false;
	buf_add(&text, (struct span){ old.p, at });
	if (at > 0 && old.p[at - 1] != '\n')
		buf_add_lit(&text, "\n");
	if (begins) {
		buf_add_str(&text, at > 0 ? "\n" : "");
		buf_add_str(&text, head);
		buf_add_lit(&text, "\n");
	}
	buf_add_str(&text, head != NULL ? "    " : "");
	buf_add_str(&text, key);
	buf_add_lit(&text, " ");
	buf_add_str(&text, value);
	buf_add_lit(&text, "\n");
	buf_add(&text, (struct span){ old.p + at, old.n - at });
	buf_drop(&conf->text);
	conf->text = text;
	conf->changed = true;
	(void)setup_step(conf->setup, "add to %s: %s%s%s %s", conf->path,
	    head != NULL ? head : "", head != NULL ? ": " : "", key, value);
	return true;
}

bool conf_put(struct conf *conf, const char *head, const char *key,
    const char *value)
{
	return put(conf, head, key, value, " \t\r\n\"#");
}

bool conf_put_words(struct conf *conf, const char *key, const char *values)
{
	return put(conf, NULL, key, values, "\t\r\n\"#");
}

void conf_cut(struct conf *conf, const char *keys)
{
	struct span old = buf_span(&conf->text);
	struct buf text = BUF_INIT(CONF_MAX_BYTES);
	struct line line;
	size_t at;

	for (at = 0; at < old.n; at = line.end) {
		line = read_line(old, at);
		if (line.indented || !span_listed(line.first, keys)) {
			buf_add(&text,
			    (struct span){ old.p + at, line.end - at });
			continue;
		}
		conf->changed = true;
		(void)setup_step(conf->setup, "take from %s: %.*s %.*s",
		    conf->path, SPAN(line.first), SPAN(line.rest));
	}
	buf_drop(&conf->text);
	conf->text = text;
}

bool conf_allow_postfix(struct setup *setup, struct conf *conf)
{
	struct span allow = conf_get(conf, NULL, "allow");
	char list[CONF_WORD_MAX_BYTES];

	if (!setup->root || setup->command->no_postfix != NULL ||
	    getpwnam("postfix") == NULL)
		return true;
	if (allow.n == 0)
		return conf_put(conf, NULL, "allow", "postfix");
	(void)snprintf(list, sizeof(list), "%.*s", SPAN(allow));
	if (!span_listed(span_of("postfix"), list))
		setup_left(setup, "add postfix to the line \"allow\" of %s",
		    conf->path);
	return true;
}

bool conf_load(struct setup *setup, struct conf *conf)
{
	const char *named = getenv("MAILTOKEN_CONFIG");
	enum fault fault = FAULT_NONE;
	struct why why = { 0, "" };

	*conf = (struct conf){ .setup = setup,
		.text = BUF_INIT(CONF_MAX_BYTES) };
	if (named == NULL && setup->root)
		named = address_system_config();
	if (named == NULL)
		fault = address_user_config(conf->path);
	else
		(void)snprintf(conf->path, sizeof(conf->path), "%s", named);
	if (fault != FAULT_NONE || conf->path[0] != '/') {
		screen_say("HOME is not set, or MAILTOKEN_CONFIG is no whole "
			   "path");
		return false;
	}
	fault = run_read(conf->path, &conf->text, &why);
	if (fault == FAULT_NONE || fault == FAULT_NOT_FOUND)
		return true;
	screen_say("%s", why_text(&why, fault));
	return false;
}

/* Whether the helper likes it; what it says of the file at path is said of the
 * one that it is to be. */
static bool check(const char *path, const char *name)
{
	struct buf out = BUF_INIT(CHECK_MAX_BYTES);
	struct why why;
	const char *at;
	bool good = run(&out, &why, "mailtokend", "--check", "--config", path,
	    NULL);

	if (!good) {
		/* Blocks that are wrong are warned about, the rest is not. */
		at = out.n > 0 ? strstr(out.p, path) : NULL;
		at = at != NULL ? at : strstr(why.text, path);
		if (at != NULL)
			screen_say("%s%.*s", name,
			    (int)(strcspn(at, "\n") - strlen(path)),
			    at + strlen(path));
		else
			screen_say("%s", why.text);
		screen_say("mend that first, then run this again; %s was not "
			   "changed",
		    name);
	}
	buf_drop(&out);
	return good;
}

bool conf_folder(struct setup *setup, const struct conf *conf)
{
	char folder[ADDRESS_FILE_MAX_BYTES];
	struct why why;

	memcpy(folder, conf->path, sizeof(folder));
	*strrchr(folder, '/') = '\0';
	if (access(folder, F_OK) == 0 ||
	    !setup_step(setup, "make the folder %s", folder) ||
	    run(NULL, &why, "mkdir", "-p", folder, NULL))
		return true;
	screen_say("%s", why.text);
	return false;
}

bool conf_save(struct setup *setup, const struct conf *conf)
{
	struct setup_file file = { conf->path, buf_span(&conf->text), 0644,
		geteuid(), getegid(), false, check };
	struct stat st;

	if (!conf->changed)
		return true;
	if (stat(conf->path, &st) == 0) {
		file.mode = st.st_mode & 07777;
		file.uid = st.st_uid;
		file.gid = st.st_gid;
	}
	return setup_write(setup, &file);
}
