/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What a sign-in asks; its end: who signed in, and the record that comes of
 * it.
 */
#include "daemon/signin.h"

#include <stdio.h>

#include "daemon/accounts.h"
#include "daemon/outcome.h"

#define SAID_BYTES 800

void signin_end(struct signin *signin, enum fault fault, const char *text)
{
	struct attr_writer writer;

	answer_begin(&writer, &signin->conn->out, ATTR_EVENT, EVENT_DONE);
	attr_put_str(&writer, ATTR_RESULT, fault_word(fault));
	answer_text(&writer, ATTR_TEXT,
	    text != NULL ? text : fault_text(fault));
	answer_end(&writer);
	conn_close_after(signin->conn, fault);
}

void signin_ask(struct signin *signin, const struct signin_question *question)
{
	struct attr_writer writer;

	signin->answered = question->answered;
	answer_begin(&writer, &signin->conn->out, ATTR_EVENT, EVENT_ASK);
	attr_put_str(&writer, ATTR_QUESTION, question->word);
	answer_text(&writer, ATTR_IDENTITY, question->identity);
	answer_text(&writer, ATTR_TEXT, question->text);
	answer_end(&writer);
	conn_send_later(signin->conn);
}

/* The record is kept: with what, and what is not as it should be. */
static void tell(struct signin *signin, const struct entry *entry,
    const char *const warnings[], size_t n)
{
	struct attr_writer writer;
	size_t i;

	answer_begin(&writer, &signin->conn->out, ATTR_EVENT, EVENT_DONE);
	attr_put_str(&writer, ATTR_RESULT, RESULT_OK);
	attr_put_str(&writer, ATTR_ACCOUNT, entry->account);
	attr_put_str(&writer, ATTR_PROVIDER, signin->provider->name);
	answer_servers(&writer, signin->provider, entry->account,
	    entry->servers);
	answer_text(&writer, ATTR_IDENTITY, entry->identity);
	for (i = 0; i < n; i++)
		answer_text(&writer, ATTR_WARNING, warnings[i]);
	answer_end(&writer);
	conn_close_after(signin->conn, FAULT_NONE);
}

static void commit(struct signin *signin)
{
	struct entry *entry = signin->entry;
	struct account *account;
	struct why why = { .err = 0, .text = "" };
	const struct config *config = signin->engine->config;
	char scope[SAID_BYTES], choice[SAID_BYTES] = "";
	const char *warnings[4];
	size_t n = 0;

	if (accounts_make(signin->engine->accounts, signin->folded, &account) !=
	    FAULT_NONE) {
		signin_end(signin, FAULT_NOMEM, NULL);
		return;
	}
	signin->entry = NULL;
	grant_say_scope(entry, config, scope, sizeof(scope));
	/* What was named just now needs no reminder. */
	if (signin->protocols[0] != '\0' &&
	    (signin->chosen_before || entry->chosen_protocols == NULL))
		grant_say_choice(entry, config, signin->protocols, choice,
		    sizeof(choice));
	if (account_adopt(account, entry, &why) != FAULT_NONE)
		warnings[n++] = why.text;
	if (scope[0] != '\0')
		warnings[n++] = scope;
	if (choice[0] != '\0')
		warnings[n++] = choice;
	if (entry->identity == NULL)
		warnings[n++] = "the provider does not say who signed in: "
				"make sure that it was the right user";
	tell(signin, entry, warnings, n);
}

static void other_user_answered(struct signin *signin, struct span answer)
{
	signin->answered = NULL;
	if (span_is(answer, "yes"))
		commit(signin);
	else
		signin_end(signin, FAULT_DENIED,
		    "another user signed in; nothing was stored");
}

/* misnamed: no name that could be compared; NULL: somebody else's. */
static void ask_whether(struct signin *signin, const char *misnamed)
{
	char who[256], text[768];
	const struct signin_question question = { .word = QUESTION_OTHER_USER,
		.identity = who,
		.text = text,
		.answered = other_user_answered };

	attr_plain_rest(misnamed != NULL ? misnamed : signin->entry->identity,
	    who, sizeof(who));
	(void)snprintf(text, sizeof(text),
	    misnamed != NULL ?
		"the provider calls who signed in %s, so nobody can tell "
		"whether it was %s; keep this?" :
		"%s signed in, not %s; keep this?",
	    who, signin->account);
	signin_ask(signin, &question);
}

/* What the configuration does not know. */
static enum fault keep_client(struct signin *signin)
{
	const struct provider *provider = signin->provider;
	struct entry *entry = signin->entry;

	if (signin->protocols[0] != '\0' &&
	    grant_choose(entry, provider, signin->protocols) != FAULT_NONE)
		return FAULT_NOMEM;
	entry->registered_s = signin->registered_s;
	if (signin->registered_s == 0 || provider->client_secret == NULL)
		return FAULT_NONE;
	entry->client_secret_expires_s = signin->secret_expires_s;
	return secret_copy(provider->client_secret, &entry->client_secret);
}

void signin_keep(struct signin *signin, struct reply_token *token)
{
	const struct grant_signin signed_in = {
		.account = span_of(signin->account),
		.provider = signin->provider,
		.flow = signin->kind,
		.servers = span_of(signin->servers),
		.serial = signin->serial,
	};
	struct now now = clock_now();

	if (token->refresh_token == NULL) {
		signin_end(signin, FAULT_CONFIG_ERROR,
		    "the provider gave no refresh token: add offline_access "
		    "(or what it calls that) to scope, and sign in again");
		return;
	}
	if (grant_new(&signed_in, token, &now, &signin->entry) != FAULT_NONE ||
	    keep_client(signin) != FAULT_NONE) {
		signin_end(signin, FAULT_NOMEM, NULL);
		return;
	}
	if (signin->as_delegate ||
	    (signin->entry->identity != NULL ?
		    span_listed(span_of(signin->account),
			signin->entry->identity) :
		    token->misnamed == NULL))
		commit(signin);
	else
		ask_whether(signin, token->misnamed);
}
