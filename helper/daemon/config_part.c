/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What all blocks share: their lines, complaints, and the files that are
 * named.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/config_impl.h"
#include "store/safefile.h"
#include "wire/address.h"
#include "wire/attr.h"
#include "wire/ids.h"
#include "wire/words.h"

#define CREDENTIAL "credential:"

const struct config_line *config_next(const struct config_reading *reading,
    const struct config_line *line)
{
	const struct config_line *end = reading->lines + reading->n_lines;
	size_t head = reading->head->head;

	/* Those of a block stand together. */
	for (line++; line < end && line->head != head; line++)
		if (head > 0)
			return NULL;
	return line < end ? line : NULL;
}

const struct config_line *config_find(const struct config_reading *reading,
    const char *word)
{
	const struct config_line *line = reading->head;

	do
		line = config_next(reading, line);
	while (line != NULL && strcmp(line->key->word, word) != 0);
	return line;
}

/* FNV-1a */
void config_hash(struct config_reading *reading, struct span bytes)
{
	size_t i;

	for (i = 0; i < bytes.n; i++)
		reading->hash = (reading->hash ^ (unsigned char)bytes.p[i]) *
		    UINT64_C(0x100000001b3);
}

/* Of a block, or of a general key. */
static enum fault add_mark(struct config_reading *reading, const char *kind,
    const char *title)
{
	struct config *config = reading->config;
	struct config_mark *mark;
	char name[ACCOUNT_MAX_BYTES + 32];

	(void)snprintf(name, sizeof(name), "%s%s%s", kind,
	    title[0] != '\0' ? " " : "", title);
	mark = &config->marks[config->n_marks];
	mark->hash = reading->hash;
	reading->hash = 0;
	if (string_set(&mark->name, span_of(name)))
		return FAULT_NOMEM;
	config->n_marks++;
	return FAULT_NONE;
}

enum fault config_fill(struct config_reading *reading)
{
	const struct config_line *line = reading->head;
	bool is_top = line->line == 0;
	enum fault fault = FAULT_NONE;
	size_t i;

	if (line->trouble != NULL) {
		why_set(reading->why, 0, "%s", line->trouble);
		return FAULT_CONFIG_ERROR;
	}
	while (!fault && (line = config_next(reading, line)) != NULL) {
		config_hash(reading, span_of(line->key->word));
		for (i = 0; i < line->n; i++)
			config_hash(reading,
			    (struct span){ line->values[i],
				strlen(line->values[i]) + 1 });
		if (line->key->fill != NULL)
			fault = line->key->fill(reading, line);
		if (fault == FAULT_NONE && is_top)
			fault = add_mark(reading, line->key->word, "");
	}
	if (fault == FAULT_NONE && !is_top)
		fault = add_mark(reading, reading->head->key->word,
		    reading->head->values[0]);
	return fault;
}

static void say(const struct config_reading *reading,
    const struct config_line *line, const char *format, va_list args,
    struct why *why) PRINTF_LIKE(3, 0);

static void say(const struct config_reading *reading,
    const struct config_line *line, const char *format, va_list args,
    struct why *why)
{
	char text[WHY_MAX_BYTES];

	(void)vsnprintf(text, sizeof(text), format, args);
	if (line->line > 0)
		why_set(why, 0, "%s:%d: %s", reading->files[line->file].path,
		    line->line, text);
	else
		why_set(why, 0, "%s: %s", reading->source->path, text);
}

enum fault config_bad(const struct config_reading *reading,
    const struct config_line *line, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(reading, line, format, args, reading->why);
	va_end(args);
	return FAULT_CONFIG_ERROR;
}

enum fault config_pass(const struct config_reading *reading,
    const struct config_line *line, enum fault fault, const struct why *why)
{
	if (fault == FAULT_NONE || fault == FAULT_NOMEM)
		return fault;
	return config_bad(reading, line, "%s", why->text);
}

static enum fault add_note(struct config *config, const struct why *why)
{
	bool last = config->n_notes == CONFIG_NOTES_MAX - 1;

	if (config->n_notes == CONFIG_NOTES_MAX)
		return FAULT_NONE;
	if (string_set(&config->notes[config->n_notes],
		span_of(last ? "there is more; mend these first" : why->text)))
		return FAULT_NOMEM;
	config->n_notes++;
	return FAULT_NONE;
}

enum fault config_note(const struct config_reading *reading,
    const struct config_line *line, const char *format, ...)
{
	struct why why;
	va_list args;

	va_start(args, format);
	say(reading, line, format, args, &why);
	va_end(args);
	return add_note(reading->config, &why);
}

enum fault config_set_aside(const struct config_reading *reading,
    enum fault fault, char **text_out)
{
	if (fault != FAULT_CONFIG_ERROR || reading->source->whole)
		return fault;
	if (string_set(text_out, span_of(reading->why->text)) ||
	    add_note(reading->config, reading->why))
		return FAULT_NOMEM;
	reading->config->n_troubles++;
	why_set(reading->why, 0, "%s", "");
	return FAULT_NONE;
}

enum fault config_join(const struct config_line *line, char **out)
{
	struct buf text = BUF_INIT(CONFIG_FILE_MAX_BYTES);
	enum fault fault;
	size_t i;

	buf_add_lit(&text, "");
	for (i = 0; i < line->n; i++) {
		if (i > 0)
			buf_add_lit(&text, " ");
		buf_add_str(&text, line->values[i]);
	}
	fault = buf_fault(&text);
	if (fault == FAULT_NONE)
		fault = string_set(out, span_of(text.p));
	buf_drop(&text);
	return fault;
}

enum fault config_names(const struct config_reading *reading,
    const struct config_line *line, struct access_list *list)
{
	const char *key = line->key->word;
	struct config *config = reading->config;
	enum fault fault = FAULT_NONE;
	size_t i;

	for (i = 0; fault == FAULT_NONE && i < line->n; i++) {
		const char *name = line->values[i];

		if (name[0] == '\0' || strcmp(name, "@") == 0) {
			fault = config_bad(reading, line,
			    "%s has an empty name; write user or @group", key);
			break;
		}
		fault = access_list_add(list, name);
		if (fault != FAULT_NOT_FOUND)
			continue;
		config->n_missing++;
		fault = config_note(reading, line,
		    "%s names %s '%.60s', which does not exist; make it, or "
		    "take it away",
		    key, name[0] == '@' ? "the group" : "the user", name);
	}
	access_list_sort(list);
	return access_list_join(&config->known, list) ? FAULT_NOMEM : fault;
}

bool config_is_path(const char *path)
{
	const char *p = path;

	while ((unsigned char)*p >= 0x20 && *p != 0x7f)
		p++;
	return path[0] == '/' && *p == '\0' &&
	    p - path < ADDRESS_FILE_MAX_BYTES;
}

/* Whether it is the sandbox, which was closed before the file was named, that
 * does not let it be opened. */
static bool is_shut_out(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	bool refused = fd < 0 && errno == EACCES;

	if (fd >= 0)
		(void)close(fd);
	/* access(2) asks modes and no sandbox. */
	return refused && access(path, R_OK) == 0;
}

enum fault config_name_file(const struct config_reading *reading,
    const struct config_line *line, const char *path)
{
	struct config_files *files = reading->source->files;

	if (files != NULL && config_files_add(files, path) != FAULT_NONE)
		return FAULT_NOMEM;
	if (!is_shut_out(path))
		return FAULT_NONE;
	return config_bad(reading, line,
	    "%s is in a folder that was not named when the helper was started; "
	    "restart it",
	    path);
}

enum fault config_place(const struct config_reading *reading,
    const struct config_line *line, char **path_out)
{
	const char *key = line->key->word, *value = line->values[0];
	const char *name = value + strlen(CREDENTIAL);
	const char *folder = secure_getenv("CREDENTIALS_DIRECTORY");
	char path[ADDRESS_FILE_MAX_BYTES];

	if (strncmp(value, CREDENTIAL, strlen(CREDENTIAL)) != 0) {
		if (!config_is_path(value))
			return config_bad(reading, line,
			    "%s must be a whole path that begins with /, or "
			    "credential:NAME",
			    key);
		(void)snprintf(path, sizeof(path), "%s", value);
	} else if (name[0] == '.' ||
	    !attr_is_of(span_of(name), ATTR_ALNUM "._-", sizeof(path))) {
		return config_bad(reading, line,
		    "%s: a credential has a name of letters, digits, '.', '_' "
		    "and '-'; write credential:NAME",
		    key);
	} else if (folder == NULL || folder[0] != '/') {
		return config_bad(reading, line,
		    "%s: no credentials were handed over; add "
		    "LoadCredential=%s:FILE to the unit and restart",
		    key, name);
	} else if ((size_t)snprintf(path, sizeof(path), "%s/%s", folder,
		       name) >= sizeof(path)) {
		return config_bad(reading, line, "%s: the path is too long",
		    key);
	}
	if (string_set(path_out, span_of(path)))
		return FAULT_NOMEM;
	return config_name_file(reading, line, path);
}

static bool is_others(const struct stat *st, uid_t owner)
{
	return (st->st_uid != 0 && st->st_uid != owner) ||
	    (st->st_mode & (S_IWGRP | S_IWOTH)) != 0;
}

/* Who may write it decides who gets tokens, and which files root looks at. */
static enum fault check_file(int fd, const char *path, uid_t owner,
    struct why *why)
{
	struct stat st;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		why_set(why, 0, "%s: is no plain file; name one that is", path);
	else if (is_others(&st, owner) && safefile_is_modeless(fd))
		safefile_say_modeless(path, why);
	else if (st.st_uid != 0 && st.st_uid != owner)
		why_set(why, 0, "%s: belongs to %s: chown root %s", path,
		    ids_user(st.st_uid).text, path);
	else if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		why_set(why, 0,
		    "%s: group or others may write to it: chmod go-w %s", path,
		    path);
	else
		return FAULT_NONE;
	return FAULT_CONFIG_ERROR;
}

enum fault config_load(const char *path, uid_t owner, struct buf *out,
    struct why *why)
{
	enum fault fault;
	ssize_t n = 1;
	size_t room;
	char *p;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 && errno == ENOENT) {
		why_set(why, 0,
		    "%s: there is no such file; make it as mailtoken.conf(5) "
		    "says",
		    path);
		return FAULT_NOT_FOUND;
	}
	if (fd < 0) {
		safefile_say_shut(path, errno, why);
		return FAULT_CONFIG_ERROR;
	}
	fault = check_file(fd, path, owner, why);
	while (fault == FAULT_NONE && n > 0 && out->n < out->max_bytes) {
		p = buf_space(out, 4096, &room);
		n = p != NULL ? read(fd, p, room) : 0;
		if (n > 0)
			buf_used(out, (size_t)n);
		fault = buf_fault(out);
	}
	if (fault == FAULT_NONE && n != 0) {
		if (n < 0)
			why_set(why, errno, "%s: cannot be read", path);
		else
			why_set(why, 0,
			    "%s: is larger than %d bytes; a configuration is "
			    "split with include FILE",
			    path, CONFIG_FILE_MAX_BYTES - 1);
		fault = FAULT_CONFIG_ERROR;
	}
	if (fault == FAULT_NONE && memchr(out->p, '\0', out->n) != NULL) {
		why_set(why, 0,
		    "%s: has a NUL byte; write it as text in UTF-8, a "
		    "certificate in PEM",
		    path);
		fault = FAULT_CONFIG_ERROR;
	}
	(void)close(fd);
	return fault;
}
