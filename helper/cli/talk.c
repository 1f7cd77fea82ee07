/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The conversation with the helper, and the sentences for when there is none.
 */
#include "cli/talk.h"

#include <errno.h>
#include <unistd.h>

#include "cli/screen.h"
#include "wire/ask.h"
#include "wire/ids.h"

#define UNIT  "mailtoken.socket"
#define TIMER "mailtoken-renew.timer" /* a user's helper ends when idle */

void talk_begin(struct talk *talk, struct command *command, const char *verb,
    const char *account)
{
	*talk = (struct talk){
		.command = command,
		.account = account,
		.fd = -1,
		.request = BUF_INIT(WIRE_LIST_MAX_BYTES),
		.in = BUF_INIT(WIRE_LIST_MAX_BYTES),
		.wait_ms = STEP_MAX_MS,
	};
	attr_begin(&talk->writer, &talk->request, WIRE_FIRST);
	talk_put(talk, ATTR_VERB, verb);
	talk_put(talk, ATTR_ACCOUNT, account);
}

void talk_put(struct talk *talk, const char *name, const char *value)
{
	if (value != NULL)
		attr_put_str(&talk->writer, name, value);
}

void talk_put_servers(struct talk *talk)
{
	const char *const *server = talk->command->servers;
	struct buf line = BUF_INIT(WIRE_LINE_MAX_BYTES);

	for (; *server != NULL; server++) {
		buf_add_str(&line, line.n > 0 ? " " : "");
		buf_add_str(&line, *server);
	}
	talk_put(talk, ATTR_SERVERS, line.p);
	buf_drop(&line);
}

static enum fault end_request(struct talk *talk)
{
	enum fault fault = attr_end(&talk->writer);

	if (fault != FAULT_GRAMMAR && fault != FAULT_TOO_BIG)
		return fault;
	if (talk->subject != NULL)
		why_set(&talk->why, 0,
		    "%s is not %s: a value in it is too long or has bytes that "
		    "cannot be kept",
		    talk->subject, talk->done);
	else
		why_set(&talk->why, 0,
		    "a word of the command line is too long or has bytes that "
		    "cannot be sent");
	return fault;
}

static enum fault send_request(struct talk *talk)
{
	enum fault fault = ask_send(talk->fd, buf_span(&talk->request),
	    ask_now_ms() + STEP_MAX_MS, &talk->why);

	buf_drop(&talk->request);
	/* A helper that refuses at once may have answered before it closed. */
	return fault == FAULT_NO_HELPER ? FAULT_NONE : fault;
}

enum fault talk_open(struct talk *talk)
{
	enum fault fault = end_request(talk);

	/* Once: a helper that restarts must not become another one. */
	if (fault == FAULT_NONE && talk->command->address.path[0] == '\0') {
		fault = start_choose(talk->command, &talk->why);
		if (fault != FAULT_NONE) /* nor may the next be the system's */
			talk->command->address.path[0] = '\0';
	}
	if (fault == FAULT_NONE)
		fault = start_dial(talk->command, talk->as_it_is, &talk->fd,
		    &talk->why);
	return fault != FAULT_NONE ? fault : send_request(talk);
}

enum fault talk_answer(struct talk *talk, struct span answer)
{
	enum fault fault;

	attr_begin(&talk->writer, &talk->request, WIRE_FIRST);
	attr_put(&talk->writer, ATTR_ANSWER, answer);
	fault = end_request(talk);
	return fault != FAULT_NONE ? fault : send_request(talk);
}

enum fault talk_next(struct talk *talk, int64_t deadline_ms)
{
	return ask_receive(talk->fd, &talk->in, deadline_ms, &talk->list,
	    &talk->why);
}

void talk_close(struct talk *talk)
{
	if (talk->fd >= 0)
		(void)close(talk->fd);
	talk->fd = -1;
	buf_drop(&talk->request);
	buf_drop(&talk->in);
}

/* As root; the service is packaging/openrc's. */
static const char *way_to_start(void)
{
	if (access("/run/systemd/system", F_OK) == 0)
		return "systemctl enable --now " UNIT;
	if (access("/etc/init.d/mailtokend", X_OK) == 0)
		return "rc-service mailtokend start";
	return "mailtokend --background";
}

static void say_no_helper(const struct command *command, const struct why *why)
{
	char keyring[ADDRESS_FILE_MAX_BYTES];
	struct why shut;

	if (why->err == 0) {
		screen_say("%s", why->text);
		return;
	}
	if (why->err == EACCES) {
		ids_say_shut(command->address.path, why->text, &shut);
		screen_say("%s", shut.text);
		return;
	}
	switch (command->helper) {
	case COMMAND_OWN:
		/* A user who has no keyring yet needs no helper to be told. */
		if (start_may(command) && why->err == ENOENT &&
		    address_user_keyring(keyring) == FAULT_NONE &&
		    access(keyring, F_OK) != 0) {
			screen_say("no account of yours is signed in, and no "
				   "helper of yours runs (%s): run \"mailtoken "
				   "login ACCOUNT\", which starts one",
			    why->text);
			break;
		}
		screen_say("no helper of yours answers (%s): start it with "
			   "\"systemctl --user enable --now " UNIT " " TIMER
			   "\", or with \"mailtokend --background\"",
		    why->text);
		break;
	case COMMAND_SYSTEM:
		screen_say("the system's helper does not answer (%s): start "
			   "it with \"%s\"%s",
		    why->text, way_to_start(),
		    command->by_default && getuid() != 0 ?
			", or take a helper of your own with --user" :
			"");
		break;
	case COMMAND_NAMED:
		screen_say("no helper answers (%s): start mailtokend",
		    why->text);
		break;
	}
}

static enum outcome tell_refusal(const struct talk *talk, enum fault fault)
{
	const struct command *command = talk->command;
	struct span text = attr_get(&talk->list, ATTR_TEXT);
	bool own = command->helper == COMMAND_OWN;
	int64_t later_s;

	if (talk->subject != NULL)
		screen_say("%s is not %s:", talk->subject, talk->done);
	if (text.n == 0)
		text = span_of(fault_text(fault));
	screen_say("%.*s", SPAN(text));
	if (attr_number(attr_get(&talk->list, ATTR_RETRY_AFTER), 1, INT32_MAX,
		&later_s) == FAULT_NONE)
		screen_say("try again in %lld s", (long long)later_s);
	if (fault != FAULT_UNKNOWN_ACCOUNT && fault != FAULT_DENIED)
		return outcome_of(fault);
	if (command->both)
		screen_say(own ? "your own helper was asked; --system asks "
				 "the system's" :
				 "the system's helper was asked; --user asks "
				 "your own");
	else if (command->by_default && !own && fault == FAULT_DENIED)
		screen_say("the system's helper was asked; --user takes a "
			   "helper and a keyring of your own");
	else if (fault == FAULT_UNKNOWN_ACCOUNT)
		screen_say("\"mailtoken status\" lists the accounts this user "
			   "may see; \"mailtoken login %s\" signs one in",
		    command->n_words > 0 ? command->words[0] : "ACCOUNT");
	return outcome_of(fault);
}

enum outcome talk_end(struct talk *talk, enum fault fault)
{
	enum outcome outcome = outcome_of(fault);
	const struct why *why = &talk->why;

	switch (fault) {
	case FAULT_NONE:
		if (ask_result(&talk->list) != FAULT_NONE)
			outcome = tell_refusal(talk, ask_result(&talk->list));
		break;
	case FAULT_NO_HELPER:
		say_no_helper(talk->command, why);
		if (why->err == EACCES)
			outcome = OUTCOME_DENIED;
		break;
	case FAULT_TIMEOUT:
		screen_say("the helper did not answer in time: its log says "
			   "why; try again later");
		break;
	case FAULT_GARBLED:
		screen_say("%s: compare the versions with \"mailtoken "
			   "version\"",
		    why->text);
		break;
	case FAULT_UNTRUSTED:
		screen_say("%s; nothing was sent", why->text);
		break;
	default: screen_say("%s", why_text(why, fault)); break;
	}
	talk_close(talk);
	return outcome;
}

enum outcome talk_run(struct talk *talk, talk_fn *each, talk_fn *last)
{
	enum fault fault = talk_open(talk);

	while (fault == FAULT_NONE) {
		fault = talk_next(talk, ask_now_ms() + talk->wait_ms);
		if (fault != FAULT_NONE || attr_has(&talk->list, ATTR_RESULT) ||
		    each == NULL)
			break;
		fault = each(talk);
		if (fault == FAULT_NONE && talk->at_once)
			screen_flush();
	}
	if (fault == FAULT_NONE && ask_result(&talk->list) == FAULT_GARBLED) {
		why_set(&talk->why, 0,
		    "the helper's answer has no known result");
		fault = FAULT_GARBLED;
	}
	if (fault == FAULT_NONE && ask_result(&talk->list) == FAULT_NONE) {
		if (last != NULL)
			fault = last(talk);
		if (fault == FAULT_NONE)
			screen_flush();
	}
	buf_drop(&screen_out);
	return talk_end(talk, fault);
}

bool talk_json(const struct talk *talk)
{
	if (talk->command->json == NULL)
		return false;
	screen_json(&talk->list);
	screen_add("\n");
	return true;
}

static enum fault add_name(struct talk *talk)
{
	struct buf *names = talk->ctx;

	buf_add(names, attr_get(&talk->list, ATTR_ACCOUNT));
	buf_add(names, (struct span){ "", 1 });
	return buf_fault(names);
}

enum outcome talk_names(struct talk *talk, struct buf *names)
{
	talk->ctx = names;
	return talk_run(talk, add_name, NULL);
}

void talk_warn(const struct talk *talk, const char *before)
{
	size_t i;

	for (i = 0; i < talk->list.n; i++)
		if (span_is(talk->list.at[i].name, ATTR_WARNING))
			screen_say("%s%.*s", before,
			    SPAN(talk->list.at[i].value));
}

void talk_fleet(const struct talk *talk)
{
	static const char *const counts[][2] = {
		{ ATTR_FLEET_BEHIND, "revisions behind" },
		{ ATTR_FLEET_LOCKS, "locks held" },
		{ ATTR_FLEET_UNPUT, "records to be shared yet" },
	};
	const struct attrs *list = &talk->list;
	struct span text = attr_get(list, ATTR_FLEET_TEXT);
	struct span url = attr_get(list, ATTR_FLEET_URL), n;
	size_t i;

	if (!attr_has(list, ATTR_FLEET))
		return;
	screen_print("fleet: %.*s", SPAN(attr_get(list, ATTR_FLEET)));
	if (url.n > 0)
		screen_print(" at %.*s", SPAN(url));
	screen_print(" as %.*s", SPAN(attr_get(list, ATTR_FLEET_NAME)));
	for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		n = attr_get(list, counts[i][0]);
		if (n.n > 0 && !span_is(n, "0"))
			screen_print(", %.*s %s", SPAN(n), counts[i][1]);
	}
	screen_print("%s%.*s\n", text.n > 0 ? ": " : "", SPAN(text));
}

void talk_whose(const struct talk *talk)
{
	char keyring[ADDRESS_FILE_MAX_BYTES];

	if (!talk->command->both || !screen.terminal)
		return;
	if (talk->command->helper == COMMAND_OWN &&
	    address_user_keyring(keyring) == FAULT_NONE)
		screen_print(
		    "(Your own keyring, %s; --system asks the system's "
		    "helper.)\n",
		    keyring);
	else
		screen_print(
		    "(The system's keyring, %s; --user asks your own helper.)\n",
		    address_system_keyring());
}
