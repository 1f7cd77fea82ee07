/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What another program kept, as a record: whose it is, and the client that it
 * brings with it, so that mail goes on without a sign-in.
 */
#include "operator/verbs.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/talk.h"
#include "oauth/presets.h"
#include "oauth/url.h"
#include "operator/foreign.h"
#include "operator/run.h"

#define FILE_MAX_BYTES	  65536
#define SASL_XOAUTH2	  "sasl-xoauth2"
#define SASL_XOAUTH2_CONF "/etc/sasl-xoauth2.conf"

struct import {
	struct command *command;
	bool files;	     /* of sasl-xoauth2; else mutt_oauth2's */
	struct buf defaults; /* sasl-xoauth2's own configuration */
	bool any;	     /* is imported */
};

/* path is NULL for standard input. */
static enum fault read_file(const char *path, struct buf *out, struct why *why)
{
	enum fault fault = run_read(path, out, why);

	if (fault != FAULT_NONE || out->n < out->max_bytes)
		return fault;
	why_set(why, 0, "%s is too large to be a token file",
	    path != NULL ? path : IMPORT_STDIN);
	return FAULT_TOO_BIG;
}

/*
 * The account that programs ask for.  A token file is named by sasl_passwd and
 * mostly called like its user.
 */
static const char *account_of(const struct command *command, const char *path,
    const struct foreign *foreign)
{
	const char *slash = path != NULL ? strrchr(path, '/') : NULL;
	const char *name = slash != NULL ? slash + 1 : path;

	if (command->account != NULL)
		return command->account;
	return name != NULL && strchr(name, '@') != NULL &&
		attr_is_account(span_of(name)) ?
	    name :
	    foreign->texts[FOREIGN_USER];
}

/* "https://host/TENANT/oauth2/v2.0/token", or nothing. */
static struct span tenant_of(const char *endpoint)
{
	const char *host = endpoint + strlen("https://");
	const char *slash = strchr(host, '/');
	struct span tenant = { NULL, 0 };

	if (slash != NULL && strchr(slash + 1, '/') != NULL &&
	    strcmp(strchr(slash + 1, '/'), "/oauth2/v2.0/token") == 0) {
		tenant.p = slash + 1;
		tenant.n = strcspn(tenant.p, "/");
	}
	return tenant;
}

/* The record; host is that of the endpoint.  mailtokend(8), KEYRING. */
static void put_record(struct talk *talk, const struct foreign *foreign,
    const char *host)
{
	const char *preset = preset_of_host(host);
	struct span tenant = tenant_of(foreign->texts[FOREIGN_TOKEN_ENDPOINT]);
	const char *user = foreign->texts[FOREIGN_USER];
	char provider[512];
	size_t i;

	(void)snprintf(provider, sizeof(provider), IMPORT_PREFIX "%s",
	    preset != NULL ? preset : host);
	talk_put(talk, ATTR_PROVIDER, provider);
	talk_put(talk, ATTR_FLOW, IMPORT_FLOW);
	talk_put(talk, ATTR_TOKEN_HOST, host);
	if (tenant.n > 0)
		attr_put(&talk->writer, ATTR_TENANT, tenant);
	talk_put_servers(talk);
	for (i = 0; i < FOREIGN_TEXTS; i++)
		/* What servers were told goes on being sent to them. */
		if (i != FOREIGN_USER || user == NULL ||
		    strcasecmp(user, talk->account) != 0)
			talk_put(talk, foreign_attrs[i], foreign->texts[i]);
	attr_put_int(&talk->writer, ATTR_MARGIN, foreign->margin_s);
}

static enum outcome send_grant(struct import *import, const char *where,
    const char *account, const struct foreign *foreign)
{
	enum outcome outcome;
	char *host = NULL;
	struct talk talk;

	if (account == NULL || !attr_is_account(span_of(account)))
		return import_refuse(where,
		    "the file does not say whose it is: name the account with "
		    "--account");
	switch (url_host(foreign->texts[FOREIGN_TOKEN_ENDPOINT], &host)) {
	case FAULT_NONE: break;
	case FAULT_NOMEM: return OUTCOME_LATER;
	default:
		return import_refuse(where,
		    "its token_endpoint is no https URL");
	}
	import_begin(&talk, import->command, account);
	put_record(&talk, foreign, host);
	free(host);
	outcome = import_send(&talk, where);
	if (outcome == OUTCOME_DONE && foreign->assumed)
		screen_say("%s: nothing says the provider (there is no "
			   "token_endpoint), so Google was assumed, as "
			   "sasl-xoauth2 does: if it is another's, write its "
			   "token_endpoint into the token file and import it "
			   "again with --replace",
		    account);
	return outcome;
}

static enum outcome import_one(struct import *import, const char *path)
{
	const char *where = path != NULL ? path : IMPORT_STDIN;
	struct buf data = BUF_INIT(FILE_MAX_BYTES);
	struct foreign foreign = { .margin_s = 0 };
	struct why why = { 0, "" };
	enum fault fault = read_file(path, &data, &why);
	enum outcome outcome;

	if (fault == FAULT_NONE)
		fault = import->files ?
		    foreign_sasl_xoauth2(buf_span(&data),
			buf_span(&import->defaults), &foreign, &why) :
		    foreign_mutt_oauth2(buf_span(&data), &foreign, &why);
	buf_drop(&data);
	if (fault == FAULT_NONE) {
		outcome = send_grant(import, where,
		    account_of(import->command, path, &foreign), &foreign);
		import->any |= outcome == OUTCOME_DONE;
	} else {
		outcome = import_refuse(where, why_text(&why, fault));
		if (fault == FAULT_NOMEM)
			outcome = OUTCOME_LATER;
	}
	foreign_drop(&foreign);
	return outcome;
}

/* The file that is named, or the usual one, which may be missing: token files
 * can say all. */
static bool read_defaults(struct import *import)
{
	const char *named = import->command->config;
	struct why why = { 0, "" };
	enum fault fault = read_file(named != NULL ? named : SASL_XOAUTH2_CONF,
	    &import->defaults, &why);

	if (fault == FAULT_NONE || (named == NULL && fault == FAULT_NOT_FOUND))
		return true;
	buf_drop(&import->defaults);
	screen_say("%s", why_text(&why, fault));
	return false;
}

static void say_postfix(void)
{
	screen_say(
	    "what is left to do for Postfix: in the password map of "
	    "smtp_sasl_password_maps (mostly /etc/postfix/sasl_passwd) take "
	    "away the colon and the path of the token file, so that a line "
	    "reads \"[smtp.example.com]:587 user@example.com\", and run "
	    "postmap on it");
	screen_say("in main.cf keep smtp_sasl_auth_enable = yes, "
		   "smtp_sasl_mechanism_filter = xoauth2 and "
		   "smtp_sasl_tls_security_options = noanonymous; take away "
		   "smtp_sasl_auth_cache_name");
	screen_say("then run postfix reload, and mailtoken refresh ACCOUNT for "
		   "each account: only that shows that the grant works; until "
		   "it has, keep the token files, and to go back give Postfix "
		   "its old settings again");
	screen_say("when it has, remove sasl-xoauth2, which offers the same "
		   "mechanism and would renew the same grant");
}

static const char *find_wrong(const struct command *command, bool files)
{
	if (files != (command->n_words > 1))
		return files ? "the token files are missing" :
			       "the data comes on standard input";
	if (command->config != NULL && !files)
		return "--config goes with " SASL_XOAUTH2;
	if (command->account != NULL && command->n_words > 2)
		return "--account goes with one file";
	return NULL;
}

enum outcome import_foreign(struct command *command)
{
	struct import import = {
		.command = command,
		.files = span_is(span_of(command->words[0]), SASL_XOAUTH2),
		.defaults = BUF_INIT(FILE_MAX_BYTES),
	};
	enum outcome outcome = OUTCOME_DONE;
	const char *wrong = find_wrong(command, import.files);
	size_t i = 1;

	if (wrong != NULL)
		return command_usage(command, wrong);
	if (!command_servers(command) ||
	    (command->account != NULL && !command_account(command->account)) ||
	    (!import.files && !import_may_read()))
		return OUTCOME_USAGE;
	command_no_core();
	if (import.files && !read_defaults(&import))
		return OUTCOME_NO;
	do
		outcome = outcome_worse(outcome,
		    import_one(&import, command->words[i]));
	while (++i < command->n_words);
	buf_drop(&import.defaults);
	if (import.files && import.any && command->json == NULL)
		say_postfix();
	return outcome;
}
