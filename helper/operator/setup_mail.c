/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A test message, and what the mail log says becomes of it.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "operator/postfix.h"
#include "operator/run.h"
#include "operator/setup_impl.h"
#include "wire/ask.h"

#define FATE_MAX_MS    60000
#define PAUSE_MS       500
#define RUN_MAX_MS     20000
#define LOG_MAX_BYTES  1048576 /* from the message on */
#define LINE_MAX_BYTES 1000

struct log {
	char path[ADDRESS_FILE_MAX_BYTES]; /* empty: the journal */
	long long from;			   /* byte, or second */
};

static void find_log(const struct postfix *postfix, struct log *log)
{
	static const char *const usual[] = { "/var/log/mail.log",
		"/var/log/maillog" };
	struct stat st = { .st_size = 0 };
	size_t i;

	*log = (struct log){ .from = screen_now_s() };
	(void)snprintf(log->path, sizeof(log->path), "%.*s",
	    SPAN(postfix_value(postfix, "maillog_file")));
	for (i = 0; log->path[0] == '\0' && i < 2; i++)
		if (access(usual[i], R_OK) == 0)
			(void)snprintf(log->path, sizeof(log->path), "%s",
			    usual[i]);
	if (log->path[0] != '\0' && stat(log->path, &st) == 0)
		log->from = st.st_size;
}

static void read_log(const struct log *log, struct buf *out)
{
	char since[40];
	const char *const argv[] = { "journalctl", "--quiet", "--no-pager",
		"--output=cat", since, "SYSLOG_FACILITY=2", NULL };
	struct span none = { NULL, 0 };
	struct why why;
	size_t room;
	ssize_t n;
	char *p;
	int fd;

	(void)snprintf(since, sizeof(since), "--since=@%lld", log->from);
	if (log->path[0] == '\0') {
		(void)!run_program(argv, none, RUN_MAX_MS, out, &why);
		return;
	}
	fd = open(log->path, O_RDONLY | O_CLOEXEC);
	p = buf_space(out, LOG_MAX_BYTES - 1, &room);
	n = fd >= 0 && p != NULL ? pread(fd, p, room, log->from) : 0;
	if (n > 0)
		buf_used(out, (size_t)n);
	if (fd >= 0)
		(void)close(fd);
}

/* The line that says it: "ID: to=<...>, ... status=sent (250 ...)". */
static struct span fate_of(struct span log, const char *message)
{
	struct span none = { NULL, 0 };
	const char *at = log.n > 0 ? strstr(log.p, message) : NULL, *begin;
	char to[64];

	while (at != NULL && at > log.p && *at != ' ')
		at--; /* before message-id= */
	for (begin = at; begin != NULL && begin > log.p && begin[-1] != ' ' &&
	     begin[-1] != '\n';)
		begin--;
	if (at == NULL || at - begin > 40)
		return none;
	(void)snprintf(to, sizeof(to), "%.*s to=<", (int)(at - begin), begin);
	at = strstr(at, to);
	if (at == NULL || at[strcspn(at, "\n")] == '\0' ||
	    memmem(at, strcspn(at, "\n"), " status=", 8) == NULL)
		return none;
	return (struct span){ at, strcspn(at, "\n") };
}

static bool send_it(const struct setup *setup, const char *id)
{
	const char *dir = setup->command->config_dir;
	const char *argv[] = { "sendmail", "-f", setup->account, "-t",
		dir != NULL ? "-C" : NULL, dir, NULL };
	struct buf text = BUF_INIT(LINE_MAX_BYTES * 2);
	struct why why;
	enum fault fault;

	buf_add_lit(&text, "From: ");
	buf_add_str(&text, setup->account);
	buf_add_lit(&text, "\nTo: ");
	buf_add_str(&text, setup->account);
	buf_add_lit(&text, "\nSubject: mailtoken works\nMessage-ID: ");
	buf_add_str(&text, id);
	buf_add_lit(&text, "\n\nSent by \"mailtoken setup\", with a token.\n");
	fault = run_program(argv, buf_span(&text), RUN_MAX_MS, NULL, &why);
	buf_drop(&text);
	if (fault != FAULT_NONE)
		screen_say("%s", why_text(&why, fault));
	return fault == FAULT_NONE;
}

/* What mailtoken explain makes of it. */
static void explain(const char *line)
{
	const struct units_path program = units_program("mailtoken");
	const char *const argv[] = { program.text, "explain", line, NULL };
	struct buf out = BUF_INIT(LOG_MAX_BYTES);
	struct why why;

	(void)!run_program(argv, (struct span){ NULL, 0 }, RUN_MAX_MS, &out,
	    &why);
	buf_add(&screen_out, buf_span(&out)); /* made harmless already */
	buf_drop(&out);
}

static bool wait_for_it(struct setup *setup, const struct log *log,
    const char *id)
{
	int64_t end_ms = ask_now_ms() + FATE_MAX_MS;
	struct buf text = BUF_INIT(LOG_MAX_BYTES);
	char line[LINE_MAX_BYTES] = "";
	struct span fate;
	bool sent;

	while (line[0] == '\0' && ask_now_ms() < end_ms) {
		ask_pause(PAUSE_MS, end_ms);
		read_log(log, &text);
		fate = fate_of(buf_span(&text), id);
		(void)snprintf(line, sizeof(line), "%.*s", SPAN(fate));
		buf_drop(&text);
	}
	sent = strstr(line, "status=sent") != NULL;
	if (line[0] == '\0')
		setup_left(setup,
		    "see what became of the test message: "
		    "mailtoken doctor, postqueue -p, mail log");
	else
		screen_print("  %s\n", strstr(line, "status="));
	if (line[0] != '\0' && !sent)
		explain(line);
	screen_flush();
	return sent || line[0] == '\0';
}

/* What waits for a token is tried at once. */
static void flush(struct setup *setup)
{
	const char *dir = setup->command->config_dir;
	const char *argv[] = { "postqueue", "-p", dir != NULL ? "-c" : NULL,
		dir, NULL };
	struct span none = { NULL, 0 };
	struct buf waits = BUF_INIT(LOG_MAX_BYTES);
	struct why why;

	if (run_program(argv, none, RUN_MAX_MS, &waits, &why) == FAULT_NONE &&
	    strstr(waits.p, "queue is empty") == NULL &&
	    setup_step(setup, "postqueue -f: what waits is tried again")) {
		argv[1] = "-f";
		(void)!run_program(argv, none, RUN_MAX_MS, NULL, &why);
	}
	buf_drop(&waits);
}

bool mail_test(struct setup *setup)
{
	struct postfix postfix;
	struct log log;
	struct why why;
	char id[128];

	if (setup->changed && !setup->dry_run)
		flush(setup);
	switch (setup_ask(setup, setup->changed,
	    "Send a test message to %s, from itself?", setup->account)) {
	case ANSWER_NONE: return false;
	case ANSWER_NO: return true;
	case ANSWER_YES: break;
	}
	if (!setup_step(setup, "send a test message to %s", setup->account) ||
	    postfix_read(setup->command->config_dir, &postfix, &why))
		return true;
	find_log(&postfix, &log);
	postfix_drop(&postfix);
	(void)snprintf(id, sizeof(id), "<setup.%lld.%ld@mailtoken.invalid>",
	    (long long)screen_now_s(), (long)getpid());
	return send_it(setup, id) && wait_for_it(setup, &log, id);
}
