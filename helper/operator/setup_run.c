/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * mailtoken setup: which part, and the order of the whole: all that has to be
 * known is asked for before anything is written.
 */
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "operator/run.h"
#include "operator/setup_impl.h"
#include "operator/smarthost.h"
#include "operator/verbs.h"

#define POSTCONF_MAX_MS 10000
#define LEFT_MAX_BYTES	4096

/* Whether the account has what it needs, by that provider. */
static bool is_signed_in(const struct wanted *wanted)
{
	struct talk talk;
	bool is = units_ask(wanted->setup, &talk, VERB_STATUS,
		      wanted->setup->account) &&
	    attr_is(&talk.list, ATTR_STATE, "active") &&
	    attr_is(&talk.list, ATTR_PROVIDER, wanted->provider.p);

	talk_close(&talk);
	return is;
}

/* Now: by itself the helper looks once a second. */
static bool reload(struct setup *setup, const struct wanted *wanted)
{
	struct talk talk;
	bool good;

	if (!wanted->conf.changed || setup->dry_run)
		return true;
	good = units_ask(setup, &talk, VERB_RELOAD, NULL);
	talk_warn(&talk, "");
	talk_close(&talk);
	if (!good)
		screen_say("the helper does not take %s (%s)",
		    wanted->conf.path, talk.why.text);
	return good;
}

static enum fault show_check(struct talk *talk)
{
	bool *good = talk->ctx;

	if (attr_is(&talk->list, ATTR_OUTCOME, RESULT_OK) ||
	    attr_is(&talk->list, ATTR_OUTCOME, OUTCOME_NOT_RUN))
		return FAULT_NONE;
	*good = false;
	screen_say("%.*s", SPAN(attr_get(&talk->list, ATTR_TEXT)));
	return FAULT_NONE;
}

/* Has the helper ask the provider about the client: as it is to be written, or
 * with its secret when all is. */
static bool probe(const struct wanted *wanted, bool written)
{
	struct setup *setup = wanted->setup;
	struct talk talk;
	bool good = true;

	screen_print("%s ask %s whether it knows the client\n",
	    setup->dry_run ? "would" : "-", wanted->provider.p);
	screen_flush();
	if (setup->dry_run)
		return true;
	talk_begin(&talk, setup->command, VERB_PROBE,
	    written ? setup->account : NULL);
	if (written || wanted->preset != NULL)
		talk_put(&talk, ATTR_PROVIDER, wanted->provider.p);
	if (!written) {
		talk_put(&talk, ATTR_CLIENT_ID, wanted->client_id.p);
		talk_put(&talk, ATTR_TENANT, wanted->tenant.p);
		talk_put(&talk, ATTR_ISSUER, setup->command->issuer);
	}
	talk.ctx = &good;
	if (talk_run(&talk, show_check, NULL) == OUTCOME_DONE && good)
		return true;
	screen_say(written ?
		"mend that, then run \"mailtoken setup %s\" again" :
		"nothing was written; \"mailtoken setup %s\" "
		"begins again",
	    setup->account);
	return false;
}

/* There is one way to sign in, and this is its screen meanwhile. */
static bool run_login(struct setup *setup, const struct wanted *wanted)
{
	struct command *command = setup->command;
	const char *argv[] = { "mailtoken", "login", setup->account,
		"--provider", wanted->provider.p,
		setup->root ? "--system" : "--user", NULL, NULL, NULL };
	size_t n = 6;
	int status = 0;
	pid_t pid;

	if (command->helper == COMMAND_NAMED) {
		argv[5] = "--socket";
		argv[n++] = command->address.path;
	}
	argv[n] = command->browser != NULL ? "--browser" : NULL;
	(void)signal(SIGINT, SIG_IGN); /* it says that it was cancelled */
	if (posix_spawnp(&pid, argv[0], NULL, NULL, (char *const *)(void *)argv,
		environ) == 0)
		(void)waitpid(pid, &status, 0);
	else
		status = -1;
	(void)signal(SIGINT, SIG_DFL);
	return status == 0;
}

static bool sign_in(struct setup *setup, const struct wanted *wanted)
{
	if (wanted->app_only ||
	    !setup_step(setup, "sign in: mailtoken login %s --provider %s",
		setup->account, wanted->provider.p))
		return true;
	if (run_login(setup, wanted))
		return true;
	screen_say("%s is not signed in: run \"mailtoken setup %s\" again to "
		   "go on from here",
	    setup->account, setup->account);
	return false;
}

static void say_end(const struct setup *setup, const struct wanted *wanted)
{
	if (setup->dry_run && setup->changed)
		screen_print("Nothing was changed.\n");
	else if (!setup->changed)
		screen_print("%s is set up already: nothing was changed.\n",
		    setup->account);
	else
		screen_print("%s is set up with %s.\n", setup->account,
		    wanted->provider.p);
	setup_say_left(setup);
	screen_print("How it stands: mailtoken status %s\n", setup->account);
	screen_print("The whole way, link by link: mailtoken doctor %s\n",
	    setup->account);
}

/* By Postfix, where there is one; with --dry-run its part needs an account. */
static bool send_mail(struct setup *setup, const struct wanted *wanted)
{
	const char *const argv[] = { "postconf", "-d", "mail_version", NULL };

	if (!setup->root || setup->command->no_postfix != NULL ||
	    run_program(argv, span_of(""), POSTCONF_MAX_MS, NULL, NULL) ==
		FAULT_NOT_FOUND ||
	    (setup->dry_run && setup->changed &&
		!setup_step(setup, "set Postfix up: mailtoken setup postfix %s",
		    setup->account)))
		return true;
	return setup_postfix(setup) == OUTCOME_DONE &&
	    (wanted->to_upload || mail_test(setup));
}

static enum outcome set_up(struct setup *setup)
{
	struct wanted wanted = {
		.setup = setup,
		.provider = BUF_INIT(CONF_WORD_MAX_BYTES),
		.client_id = BUF_INIT(CONF_WORD_MAX_BYTES),
		.tenant = BUF_INIT(CONF_WORD_MAX_BYTES),
		.secret = BUF_INIT(CONF_WORD_MAX_BYTES + 2),
	};
	bool good = account_ask(&wanted) && units_start(setup);
	bool done = good && !wanted.app_only && is_signed_in(&wanted);
	/* With a secret that the helper has to read first, or by a block that
	 * it has to understand first. */
	bool late = wanted.app_only || wanted.secret.n > 0 ||
	    (wanted.preset == NULL && setup->command->issuer == NULL);

	good = good && (done || late || probe(&wanted, false)) &&
	    account_write(&wanted) && reload(setup, &wanted) &&
	    (done || !late || wanted.to_upload || probe(&wanted, true)) &&
	    (done || sign_in(setup, &wanted)) && send_mail(setup, &wanted);
	if (good)
		say_end(setup, &wanted);
	else
		setup_say_left(setup);
	buf_drop(&wanted.conf.text);
	buf_drop(&wanted.provider);
	buf_drop(&wanted.client_id);
	buf_drop(&wanted.tenant);
	buf_drop(&wanted.secret);
	return good ? OUTCOME_DONE : OUTCOME_NO;
}

/* Without mailtoken.conf there is no account yet that it could ask for. */
static bool let_postfix_in(struct setup *setup)
{
	struct conf conf;
	bool good;

	if (setup->command->undo != NULL || setup->command->inventory != NULL)
		return true;
	good = conf_load(setup, &conf) &&
	    (conf.text.n == 0 ||
		(conf_allow_postfix(setup, &conf) && conf_save(setup, &conf)));
	buf_drop(&conf.text);
	return good;
}

/* mailtoken setup postfix, and other programs */
static enum outcome set_up_program(struct setup *setup, const char *name)
{
	enum outcome outcome;

	setup->account = setup->command->words[1];
	if (strcmp(name, "postfix") != 0)
		outcome = setup_program(setup, name);
	else
		outcome = let_postfix_in(setup) ? setup_postfix(setup) :
						  OUTCOME_NO;
	setup_say_left(setup);
	buf_drop(&setup->left);
	return outcome;
}

enum outcome setup_run(struct command *command)
{
	struct setup setup = {
		.command = command,
		.account = command->words[0],
		.dry_run = command->dry_run != NULL,
		.yes = command->yes != NULL,
		.root = geteuid() == 0 && command->user == NULL,
		.left = BUF_INIT(LEFT_MAX_BYTES),
	};
	struct buf typed = BUF_INIT(ACCOUNT_MAX_BYTES);
	enum outcome outcome = OUTCOME_USAGE;

	if (command->system != NULL && !setup.root)
		return command_usage(command,
		    "only root can set up the system's helper; without "
		    "--system one of your own is set up");
	if (command->n_words > 0 && strcmp(command->words[0], "fleet") == 0)
		return setup_fleet(&setup);
	if (command->n_words > 2)
		return command_usage(command, "there is a word too many");
	if (command->n_words > 0 &&
	    (strcmp(command->words[0], "postfix") == 0 ||
		setup_is_program(command->words[0])))
		return set_up_program(&setup, command->words[0]);
	if (command->issuer != NULL && command->provider == NULL)
		return command_usage(command,
		    "--issuer needs --provider, a name for it");
	if (!setup.root && command->socket == NULL)
		command->user = "yes";
	if (setup.account == NULL &&
	    setup_input(&setup, &typed, "mail address",
		"mailtoken setup "
		"ADDRESS",
		NULL))
		setup.account = typed.p;
	if (setup.account != NULL && strchr(setup.account, '@') == NULL)
		screen_say("%s is no mail address, such as alice@example.com, "
			   "and no program of those in mailtoken(1), setup",
		    setup.account);
	else if (setup.account != NULL && command_account(setup.account))
		outcome = set_up(&setup);
	buf_drop(&typed);
	buf_drop(&setup.left);
	return outcome;
}
