/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The verbs that are a request and a few lines: token, refresh, logout,
 * export, rekey, reload, version.
 *
 * Every buffer that held a token is wiped; there is no core file to find it
 * in.
 */
#include "cli/screen.h"
#include "cli/talk.h"

#define MIN_VALIDITY_MAX_S 86400
#define REFRESH_MAX_MS	   600000 /* thousands may stand in the queue */
#define NAMES_MAX_BYTES	   (64 * 1024 * 1024)

static const char unsaved[] =
    "; unsaved: the new grant is in memory only, because the keyring could "
    "not be written: make that possible, and do not stop the helper before\n";

static enum fault show_token(struct talk *talk)
{
	struct span token = attr_get(&talk->list, ATTR_TOKEN);

	if (!attr_is_token(token, ACCESS_TOKEN_MAX_BYTES)) {
		why_set(&talk->why, 0,
		    "the helper's answer has no usable token");
		return FAULT_GARBLED;
	}
	if (talk_json(talk))
		return FAULT_NONE;
	buf_add(&screen_out, token);
	screen_add("\n");
	return FAULT_NONE;
}

enum outcome token_run(struct command *command)
{
	const char *const *servers = command->servers;
	struct talk talk;
	int64_t number;

	if (servers[0] != NULL &&
	    (servers[1] != NULL || !attr_is_host(span_of(servers[0])))) {
		screen_say("--server takes the name of one mail server, such "
			   "as smtp.example.com");
		return OUTCOME_USAGE;
	}
	if (command->min_validity != NULL &&
	    attr_number(span_of(command->min_validity), 0, MIN_VALIDITY_MAX_S,
		&number) != FAULT_NONE) {
		screen_say("--min-validity takes seconds, 0 to %d",
		    MIN_VALIDITY_MAX_S);
		return OUTCOME_USAGE;
	}
	command_no_core();
	talk_begin(&talk, command, VERB_TOKEN, command->words[0]);
	talk_put(&talk, ATTR_SERVER, servers[0]);
	talk_put(&talk, ATTR_MIN_VALIDITY, command->min_validity);
	return talk_run(&talk, NULL, show_token);
}

/* "ACCOUNT: renewed; ..." or "ACCOUNT: why not"; one account's answer is the
 * list that ends it. */
static enum fault show_renewed(struct talk *talk)
{
	const struct attrs *list = &talk->list;
	struct span account = attr_get(list, ATTR_ACCOUNT);
	struct span text = attr_get(list, ATTR_TEXT);
	enum fault renewed = FAULT_NONE;
	enum outcome *worst = talk->ctx;
	int64_t expires_s;

	if (talk->account != NULL)
		account = span_of(talk->account);
	else
		renewed = fault_from_word(attr_get(list, ATTR_OUTCOME));
	*worst = outcome_worse(*worst, outcome_of(renewed));
	if (text.n == 0)
		text = span_of(fault_text(renewed));
	if (talk_json(talk))
		return FAULT_NONE;
	screen_print("%.*s: ", SPAN(account));
	if (renewed != FAULT_NONE) {
		screen_print("%.*s\n", SPAN(text));
		return FAULT_NONE;
	}
	screen_add("renewed");
	if (attr_number(attr_get(list, ATTR_EXPIRES), 1, INT64_MAX,
		&expires_s) == FAULT_NONE)
		screen_print("; the token is good for %s",
		    screen_left(expires_s - screen_now_s()).text);
	screen_add(attr_is(list, ATTR_UNSAVED, "yes") ? unsaved : "\n");
	return FAULT_NONE;
}

enum outcome refresh_run(struct command *command)
{
	enum outcome outcome, worst = OUTCOME_DONE;
	struct talk talk;

	if ((command->due != NULL) == (command->n_words == 1))
		return command_usage(command,
		    "refresh takes an account, or --due for all");
	talk_begin(&talk, command, VERB_REFRESH, command->words[0]);
	talk_put(&talk, ATTR_DUE, command->due);
	talk.ctx = &worst;
	talk.at_once = true;
	talk.wait_ms = REFRESH_MAX_MS;
	outcome = talk_run(&talk, show_renewed,
	    command->due != NULL ? NULL : show_renewed);
	return outcome != OUTCOME_DONE ? outcome : worst;
}

static enum fault show_forgotten(struct talk *talk)
{
	const struct attrs *list = &talk->list;
	const char *done = " is signed out: what was kept for it is deleted.";
	bool *revoked = talk->ctx;

	*revoked = attr_is(list, ATTR_REVOKED, "yes");
	if (talk_json(talk))
		return FAULT_NONE;
	if (attr_is(list, ATTR_DELETED, "no"))
		done = talk->command->keep_local != NULL ?
		    " is kept here." :
		    " had nothing to delete.";
	screen_print("%s%s\n", talk->account, done);
	if (*revoked)
		screen_print("The provider has ended the grant.\n");
	if (attr_has(list, ATTR_TEXT))
		screen_print("%.*s\n", SPAN(attr_get(list, ATTR_TEXT)));
	if (talk->command->all == NULL)
		talk_whose(talk);
	return FAULT_NONE;
}

static enum outcome forget(struct command *command, const char *account)
{
	enum outcome outcome;
	bool revoked = false;
	struct talk talk;

	talk_begin(&talk, command, VERB_FORGET, account);
	talk_put(&talk, ATTR_REVOKE, command->no_revoke != NULL ? "no" : NULL);
	talk_put(&talk, ATTR_KEEP_LOCAL, command->keep_local);
	talk.ctx = &revoked;
	outcome = talk_run(&talk, NULL, show_forgotten);
	/* With nothing deleted, only the provider's word counts. */
	return outcome == OUTCOME_DONE && command->keep_local != NULL &&
		!revoked ?
	    OUTCOME_NO :
	    outcome;
}

static enum outcome forget_all(struct command *command)
{
	struct buf names = BUF_INIT(NAMES_MAX_BYTES);
	enum outcome outcome;
	struct talk talk;
	size_t i, n = 0;

	talk_begin(&talk, command, VERB_STATUS, NULL);
	outcome = talk_names(&talk, &names);
	for (i = 0; i < names.n; i++)
		n += names.p[i] == '\0';
	if (outcome == OUTCOME_DONE && n == 0)
		screen_say("no account is signed in, or none that this user "
			   "may see");
	if (outcome == OUTCOME_DONE && n > 0 && command->yes == NULL &&
	    !screen_confirm(n == 1 ? "Sign out %zu account?" :
				     "Sign out %zu accounts, all there are?",
		n)) {
		screen_say("nothing was signed out");
		outcome = OUTCOME_NO;
	}
	if (outcome == OUTCOME_DONE)
		for (i = 0; i < names.n; i += strlen(names.p + i) + 1)
			outcome = outcome_worse(outcome,
			    forget(command, names.p + i));
	buf_drop(&names);
	return outcome;
}

enum outcome logout_run(struct command *command)
{
	const char *wrong = NULL;

	if ((command->all != NULL) == (command->n_words > 0))
		wrong = "either an account or --all is needed";
	else if (command->yes != NULL && command->all == NULL)
		wrong = "--yes is for --all";
	else if (command->no_revoke != NULL && command->keep_local != NULL)
		wrong = "--no-revoke and --keep-local leave nothing to do";
	else if (command->all != NULL && command->yes == NULL &&
	    !(screen.keyboard && screen.terminal))
		wrong = "--all asks on a terminal; elsewhere it needs --yes";
	if (wrong != NULL)
		return command_usage(command, wrong);
	return command->all != NULL ? forget_all(command) :
				      forget(command, command->words[0]);
}

/* Of the accounts that are named, or of all. */
static enum outcome do_each(struct command *command, const char *verb,
    const char *done, talk_fn *each)
{
	struct buf names = BUF_INIT(NAMES_MAX_BYTES);
	enum outcome all = OUTCOME_DONE, one = OUTCOME_DONE;
	bool named = command->n_words > 0;
	struct talk talk;
	size_t at;

	for (at = 0; at < command->n_words; at++) {
		buf_add_str(&names, command->words[at]);
		buf_add(&names, (struct span){ "", 1 });
	}
	if (!named) {
		talk_begin(&talk, command, VERB_EXPORT, NULL);
		one = all = talk_names(&talk, &names);
		if (all == OUTCOME_DONE && names.n == 0)
			screen_say("the keyring has no records");
	}
	for (at = 0; at < names.n && (named || one != OUTCOME_LATER);
	     at += strlen(names.p + at) + 1) {
		talk_begin(&talk, command, verb, names.p + at);
		talk.subject = names.p + at;
		talk.done = done;
		one = talk_run(&talk, each, NULL);
		all = outcome_worse(all, one);
	}
	buf_drop(&names);
	return all;
}

enum outcome rekey_run(struct command *command)
{
	return do_each(command, VERB_REKEY, "sealed", NULL);
}

/* As the keyring has it. */
static enum fault add_record(struct talk *talk)
{
	struct attr_writer writer;

	attr_begin(&writer, &screen_out, WIRE_FIRST_ENTRY);
	attr_put_rest(&writer, &talk->list);
	return attr_end(&writer);
}

/* Records hold refresh tokens: never to a terminal. */
enum outcome export_run(struct command *command)
{
	if (screen.terminal) {
		screen_say("this would show refresh tokens: give standard "
			   "output to a file or, better, to a program that "
			   "encrypts, as mailtoken(1) shows");
		return OUTCOME_USAGE;
	}
	command_no_core();
	return do_each(command, VERB_EXPORT, "exported", add_record);
}

static enum fault show_reloaded(struct talk *talk)
{
	static const char *const shown[][2] = {
		{ ATTR_CHANGED, "changed: " },
		{ ATTR_NEEDS_RESTART, "needs a restart: " },
		{ ATTR_WARNING, "warning: " },
	};
	size_t i, j;

	if (talk_json(talk))
		return FAULT_NONE;
	for (i = 0; i < talk->list.n; i++)
		for (j = 0; j < sizeof(shown) / sizeof(shown[0]); j++)
			if (span_is(talk->list.at[i].name, shown[j][0]))
				screen_print("%s%.*s\n", shown[j][1],
				    SPAN(talk->list.at[i].value));
	if (screen_out.n == 0)
		screen_add("nothing changed\n");
	return FAULT_NONE;
}

enum outcome reload_run(struct command *command)
{
	struct talk talk;

	talk_begin(&talk, command, VERB_RELOAD, NULL);
	talk.as_it_is = true;
	return talk_run(&talk, NULL, show_reloaded);
}

static enum fault show_helper(struct talk *talk)
{
	static const char *const parts[] = { ATTR_PROTOCOL, ATTR_PID,
		ATTR_KEYRING, ATTR_CONFIG, ATTR_SANDBOX };
	const struct attrs *list = &talk->list;
	size_t i;

	if (talk->command->json != NULL) {
		screen_add(", \"helper\": ");
		screen_json(list);
		return FAULT_NONE;
	}
	screen_print("mailtokend %.*s", SPAN(attr_get(list, ATTR_VERSION)));
	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (attr_has(list, parts[i]))
			screen_print(", %s %.*s", parts[i],
			    SPAN(attr_get(list, parts[i])));
	screen_add("\n");
	talk_fleet(talk);
	return FAULT_NONE;
}

enum outcome version_run(struct command *command)
{
	bool json = command->json != NULL;
	enum outcome outcome;
	struct talk talk;

	screen_add(json ? "{\"version\": \"" MAILTOKEN_VERSION "\"" :
			  "mailtoken " MAILTOKEN_VERSION "\n");
	screen_flush(); /* whether a helper answers or not */
	talk_begin(&talk, command, VERB_VERSION, NULL);
	talk.as_it_is = true;
	outcome = talk_run(&talk, NULL, show_helper);
	screen_add(json ? "}\n" : "");
	return outcome;
}
