/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * mailtoken setup postfix: where its files are, and the order of what is done
 * to them: first all questions, then what is kept for --undo, maps, master.cf,
 * main.cf in one step, the helper's socket, and Postfix last.
 */
#include "operator/smarthost.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/talk.h"
#include "operator/run.h"

#define WORDS_MAX      60
#define FILE_MAX_BYTES 262144
#define MASTER_DIST    "/usr/share/postfix/master.cf.dist"
#define MAP_HEAD       "# Of mailtoken setup postfix; later runs add to it.\n"
/* A Postfix that has never been configured. */
#define MAIN_CF \
	"# Written by mailtoken setup postfix: this host only sends.\n" \
	"compatibility_level = 2\n" \
	"mydestination = $myhostname, localhost.$mydomain, localhost\n" \
	"inet_interfaces = loopback-only\n" \
	"smtp_tls_security_level = may\n"

static bool failed(const char *what, const struct why *why)
{
	screen_say("%s: %s", what, why->text);
	return false;
}

/* The instance that --config-dir, MAIL_CONFIG or Postfix itself names. */
static bool find_folder(struct smarthost *smarthost)
{
	const char *dir = smarthost->setup->command->config_dir;
	struct buf usual = BUF_INIT(sizeof(smarthost->dir));
	struct why why;
	bool found = run(&usual, &why, "postconf", "-d", "-h",
	    "config_directory", NULL);
	size_t n;

	if (dir == NULL)
		dir = getenv("MAIL_CONFIG");
	if (dir == NULL)
		dir = usual.p;
	n = dir != NULL ? strcspn(dir, "\n") : 0;
	while (n > 1 && dir[n - 1] == '/')
		n--;
	if (!found) {
		(void)failed("there is no Postfix here", &why);
	} else if (n == 0 || dir[0] != '/' ||
	    n >= sizeof(smarthost->dir) - 16) {
		screen_say("--config-dir takes the folder of a main.cf");
		found = false;
	} else {
		(void)snprintf(smarthost->dir, sizeof(smarthost->dir), "%.*s",
		    (int)n, dir);
		(void)snprintf(smarthost->ours, sizeof(smarthost->ours),
		    "%s/mailtoken", smarthost->dir);
	}
	buf_drop(&usual);
	return found;
}

/* --undo has what was there. */
static bool write_file(struct smarthost *smarthost, const char *path,
    const struct buf *content)
{
	const struct setup_file file = { path, buf_span(content), 0644, 0, 0,
		true, NULL };

	return buf_fault(content) == FAULT_NONE &&
	    setup_write(smarthost->setup, &file);
}

/* The files that Postfix does not start without. */
static bool make_files(struct smarthost *smarthost)
{
	static const char *const names[] = { "main.cf", "master.cf" };
	char path[PATH_MAX], proto[PATH_MAX];
	bool good = true;
	size_t i;

	for (i = 0; i < 2 && good; i++) {
		struct buf content = BUF_INIT(FILE_MAX_BYTES);

		(void)snprintf(path, sizeof(path), "%s/%s", smarthost->dir,
		    names[i]);
		(void)snprintf(proto, sizeof(proto), "%s.proto", path);
		if (access(path, F_OK) == 0)
			continue;
		if (i == 0)
			buf_add_lit(&content, MAIN_CF);
		else if (run_read(proto, &content, NULL) != FAULT_NONE)
			(void)!run_read(MASTER_DIST, &content, NULL);
		good = content.n > 0 && undo_before(smarthost) &&
		    write_file(smarthost, path, &content);
		if (content.n == 0)
			screen_say("there is no %s: install Postfix again",
			    path);
		smarthost->new_files |= smarthost->setup->dry_run;
		buf_drop(&content);
	}
	return good;
}

static bool read_postfix(struct smarthost *smarthost)
{
	struct why why;

	if (smarthost->new_files ||
	    (postfix_read(smarthost->dir, &smarthost->now, &why) ==
		    FAULT_NONE &&
		run(&smarthost->raw.parameters, &why, "postconf", "-c",
		    smarthost->dir, NULL)))
		return true;
	return failed("Postfix cannot tell its settings", &why);
}

/* What a map of ours has, and the lines for it. */
static bool write_map(struct smarthost *smarthost, enum map map)
{
	struct span more = buf_span(&smarthost->maps[map]), line;
	struct buf there = BUF_INIT(FILE_MAX_BYTES);
	struct buf content = BUF_INIT(FILE_MAX_BYTES);
	char path[PATH_MAX];
	const char *at;
	bool good;

	if (more.n == 0)
		return true;
	(void)snprintf(path, sizeof(path), "%s/%s", smarthost->ours,
	    smarthost_maps[map]);
	if (run_read(path, &there, NULL) != FAULT_NONE)
		buf_add_lit(&there, MAP_HEAD);
	else if (there.n > 0 && there.p[there.n - 1] != '\n')
		buf_add_lit(&there, "\n");
	for (at = there.p; at != NULL && *at != '\0'; at += line.n) {
		line = (struct span){ at, strcspn(at, "\n") + 1 };
		if (!smarthost_has_key(&smarthost->maps[map], at))
			buf_add(&content, line);
	}
	buf_add(&content, more);
	good = write_file(smarthost, path, &content);
	buf_drop(&there);
	buf_drop(&content);
	return good;
}

static bool write_maps(struct smarthost *smarthost)
{
	enum map map;

	for (map = 0; map < MAPS; map++)
		if (!write_map(smarthost, map))
			return false;
	return true;
}

static bool change_master(struct smarthost *smarthost)
{
	struct why why;

	return smarthost->service.n == 0 ||
	    !setup_step(smarthost->setup, "set in master.cf: %s",
		strchr(smarthost->service.p, '=') + 1) ||
	    run(NULL, &why, "postconf", "-c", smarthost->dir, "-M",
		smarthost->service.p, NULL) ||
	    failed("master.cf is as it was", &why);
}

/* All that is to be different in main.cf, at once. */
static bool change_main(struct smarthost *smarthost)
{
	const char *argv[WORDS_MAX + 5] = { "postconf", "-c", smarthost->dir,
		"-e" };
	const struct buf *edits = &smarthost->edits;
	size_t at, n = 4;
	bool go = false;
	struct why why;

	for (at = 0; at < edits->n && n < WORDS_MAX;
	     at += strlen(argv[n++]) + 1) {
		argv[n] = edits->p + at;
		go = setup_step(smarthost->setup, "set in main.cf: %s",
		    argv[n]);
	}
	return !go ||
	    run_program(argv, span_of(""), RUN_MAX_MS, NULL, &why) ==
	    FAULT_NONE ||
	    failed("main.cf is as it was", &why);
}

/* Have Postfix take what was changed, or start it. */
static bool tell_postfix(struct smarthost *smarthost)
{
	struct setup *setup = smarthost->setup;
	const char *dir = smarthost->dir;
	struct why why;

	if (!smarthost->new_files &&
	    run(NULL, NULL, "postfix", "-c", dir, "status", NULL))
		return !setup->changed ||
		    !setup_step(setup, "postfix reload") ||
		    run(NULL, &why, "postfix", "-c", dir, "reload", NULL) ||
		    failed("Postfix does not take it", &why);
	if (setup->command->undo != NULL)
		return true;
	if (setup->command->config_dir == NULL)
		return !setup_step(setup, "start Postfix") ||
		    (access("/run/systemd/system", F_OK) == 0 ?
			    run(NULL, &why, "systemctl", "start", "postfix",
				NULL) :
			    run(NULL, &why, "postfix", "start", NULL)) ||
		    failed("Postfix does not start", &why);
	setup_left(setup, "postfix -c %s start", smarthost->dir);
	return true;
}

/* smtp.example.com:587, also as [smtp.example.com]:587 or without a port. */
static bool parse_relay(struct smarthost *smarthost, const char *relay)
{
	const char *host = relay + (relay[0] == '[');
	size_t n = strcspn(host, "]:");
	const char *rest = host + n + (host[n] == ']');
	int64_t port = 587;

	if (!attr_is_host((struct span){ host, n }) ||
	    (*rest != '\0' &&
		(*rest != ':' ||
		    attr_number(span_of(rest + 1), 1, 65535, &port) !=
			FAULT_NONE))) {
		screen_say("--relay takes a mail server and its port, as in "
			   "smtp.example.com:587");
		return false;
	}
	if (port == 465) {
		screen_say("port 465 has no STARTTLS, which Postfix speaks: "
			   "such servers have port 587 as well");
		return false;
	}
	(void)snprintf(smarthost->host, sizeof(smarthost->host), "%.*s", (int)n,
	    host);
	(void)snprintf(smarthost->relay, sizeof(smarthost->relay), "[%.*s]:%d",
	    (int)n, host, (int)port);
	return true;
}

/* Of the servers that the helper knows for the account, one for sending. */
static enum fault take_server(struct talk *talk)
{
	struct span list = attr_get(&talk->list, ATTR_SERVERS), word;
	struct smarthost *smarthost = talk->ctx;
	char name[SERVER_MAX_BYTES + 1];

	while (
	    smarthost->relay[0] == '\0' && (word = postfix_next(&list)).n > 0)
		if (word.n > 4 && strncasecmp(word.p, "smtp", 4) == 0) {
			(void)snprintf(name, sizeof(name), "%.*s", SPAN(word));
			(void)parse_relay(smarthost, name);
		}
	return FAULT_NONE;
}

static bool find_relay(struct smarthost *smarthost)
{
	struct command *command = smarthost->setup->command;
	const char *relay = command->relay, *account = smarthost->account;
	struct buf *names = &smarthost->names;
	struct talk talk;

	if (account == NULL) {
		talk_begin(&talk, command, VERB_STATUS, NULL);
		if (talk_names(&talk, names) == OUTCOME_DONE && names->n > 0 &&
		    strlen(names->p) + 1 == names->n)
			account = smarthost->account = names->p;
	}
	if (account == NULL || strchr(account, '@') == NULL ||
	    !attr_is_account(span_of(account)) ||
	    strpbrk(account, " :,#{}$\"") != NULL) {
		screen_say("name the mailbox that sends: mailtoken setup "
			   "postfix alice@example.com");
		return false;
	}
	if (relay != NULL)
		return parse_relay(smarthost, relay);
	talk_begin(&talk, command, VERB_STATUS, account);
	talk.ctx = smarthost;
	if (talk_run(&talk, take_server, NULL) == OUTCOME_DONE &&
	    smarthost->relay[0] == '\0')
		screen_say("no server that sends is known for %s: name it "
			   "with --relay HOST:PORT",
		    account);
	return smarthost->relay[0] != '\0';
}

/* In this order, until something cannot be. */
static bool configure(struct smarthost *smarthost)
{
	struct setup *setup = smarthost->setup;
	bool good;

	if (!make_files(smarthost) || !read_postfix(smarthost) ||
	    !smarthost_plan(smarthost) || !undo_before(smarthost))
		return false;
	good = write_maps(smarthost) && change_master(smarthost) &&
	    change_main(smarthost);
	/* What was changed before that failed can be undone, too. */
	if (!undo_after(smarthost) || !good || !smarthost_socket(smarthost) ||
	    !tell_postfix(smarthost))
		return false;
	screen_print("Postfix %s for %s through %s%s.\n",
	    setup->dry_run ? "would send" : "sends", smarthost->account,
	    smarthost->relay, setup->changed ? "" : " already");
	return true;
}

/* Postfix goes on with the socket as long as it has our settings. */
static bool undo(struct smarthost *smarthost)
{
	bool good = read_postfix(smarthost);

	good &= undo_run(smarthost) && socket_undo(smarthost);
	return tell_postfix(smarthost) && good;
}

static enum outcome set_up(struct smarthost *smarthost)
{
	struct setup *setup = smarthost->setup;
	const struct command *command = setup->command;
	bool good;

	if (geteuid() != 0 && !setup->dry_run && command->inventory == NULL) {
		screen_say("Postfix's files are root's: run this as root, or "
			   "with --dry-run to see what it would do");
		return OUTCOME_DENIED;
	}
	if (command->inventory != NULL)
		good = read_postfix(smarthost) &&
		    smarthost_inventory(smarthost);
	else if (command->undo != NULL)
		good = undo(smarthost);
	else if (!find_relay(smarthost))
		return OUTCOME_USAGE;
	else
		good = configure(smarthost);
	return good ? OUTCOME_DONE : OUTCOME_NO;
}

enum outcome setup_postfix(struct setup *setup)
{
	struct smarthost smarthost = {
		.setup = setup,
		.account = setup->account,
		.now = { BUF_INIT(0), BUF_INIT(0) },
		.raw = { BUF_INIT(FILE_MAX_BYTES), BUF_INIT(0) },
		.names = BUF_INIT(FILE_MAX_BYTES),
		.edits = BUF_INIT(FILE_MAX_BYTES),
		.service = BUF_INIT(FILE_MAX_BYTES),
	};
	enum outcome outcome = OUTCOME_NO;
	enum map map;

	for (map = 0; map < MAPS; map++)
		buf_init(&smarthost.maps[map], FILE_MAX_BYTES);
	if (find_folder(&smarthost))
		outcome = set_up(&smarthost);
	postfix_drop(&smarthost.now);
	postfix_drop(&smarthost.raw);
	buf_drop(&smarthost.names);
	buf_drop(&smarthost.edits);
	for (map = 0; map < MAPS; map++)
		buf_drop(&smarthost.maps[map]);
	buf_drop(&smarthost.service);
	return outcome;
}
