/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A test message, and what the mail log says becomes of it.
 */
#include <stdio.h>
#include <unistd.h>

#include "operator/explain.h"
#include "operator/run.h"
#include "operator/setup_impl.h"
#include "wire/ask.h"

#define FATE_MAX_MS    60000
#define PAUSE_MS       500
#define LOG_MAX_BYTES  1048576
#define LINE_MAX_BYTES 1000

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
	struct why why = { 0, "" };
	char text[LINE_MAX_BYTES * 2];

	(void)snprintf(text, sizeof(text),
	    "From: %s\nTo: %s\nSubject: mailtoken works\nMessage-ID: %s\n\n"
	    "Sent by \"mailtoken setup\", with a token.\n",
	    setup->account, setup->account, id);
	if (run_program(argv, span_of(text), RUN_MAX_MS, NULL, &why) ==
	    FAULT_NONE)
		return true;
	screen_say("%s", why.text);
	return false;
}

/* What mailtoken explain makes of it. */
static void explain(const char *line)
{
	struct buf out = BUF_INIT(LOG_MAX_BYTES);

	(void)run(&out, NULL, "mailtoken", "explain", line, NULL);
	buf_add(&screen_out, buf_span(&out)); /* made harmless already */
	buf_drop(&out);
}

static bool wait_for_it(struct setup *setup, const char *id)
{
	int64_t end_ms = ask_now_ms() + FATE_MAX_MS;
	struct buf log;
	char line[LINE_MAX_BYTES] = "";
	bool sent;

	while (line[0] == '\0' && ask_now_ms() < end_ms) {
		ask_pause(PAUSE_MS, end_ms);
		if (explain_log(setup->command->config_dir, LOG_MAX_BYTES, &log,
			NULL))
			(void)snprintf(line, sizeof(line), "%.*s",
			    SPAN(fate_of(buf_span(&log), id)));
		buf_drop(&log);
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
	const char *option = dir != NULL ? "-c" : NULL;
	struct buf waits = BUF_INIT(LOG_MAX_BYTES);

	if (run(&waits, NULL, "postqueue", "-p", option, dir, NULL) &&
	    strstr(waits.p, "queue is empty") == NULL &&
	    setup_step(setup, "postqueue -f: what waits is tried again"))
		(void)run(NULL, NULL, "postqueue", "-f", option, dir, NULL);
	buf_drop(&waits);
}

bool mail_test(struct setup *setup)
{
	char id[128];

	if (setup->changed && !setup->dry_run)
		flush(setup);
	switch (setup_ask(setup, setup->changed,
	    "Send a test message to %s, from itself?", setup->account)) {
	case ANSWER_NONE: return false;
	case ANSWER_NO: return true;
	case ANSWER_YES: break;
	}
	if (!setup_step(setup, "send a test message to %s", setup->account))
		return true;
	(void)snprintf(id, sizeof(id), "<setup.%lld.%ld@mailtoken.invalid>",
	    (long long)screen_now_s(), (long)getpid());
	return send_it(setup, id) && wait_for_it(setup, id);
}
