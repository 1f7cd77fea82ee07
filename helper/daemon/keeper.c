/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Making an engine, replacing its configuration, taking it down.
 */
#include "daemon/keeper.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/accounts.h"
#include "daemon/answer.h"
#include "daemon/expiry.h"
#include "daemon/harden.h"
#include "daemon/outcome.h"
#include "daemon/reload.h"
#include "daemon/slices.h"
#include "daemon/supervise.h"
#include "oauth/issuer.h"
#include "store/seal.h"

#define LOOK_MS	 1000
#define NAMES_MS 60000

struct keeper {
	struct keeper_options options;
	struct config *config; /* NULL: never had a good one */
	struct engine engine;
	bool working;
	bool config_bad; /* the file, not the keyring */
	bool sandboxed;
	struct seal_key *key;
	struct clock_watch *clock;
	struct event *daily;
	struct slices_work reconsidering;
	struct accounts_place *place;
	struct config_files files;
	int64_t looked_ms; /* boot time */
	int64_t names_ms;
	enum fault fault;	     /* nothing works: as what it is told */
	char trouble[WHY_MAX_BYTES]; /* ... and why */
	char edited[WHY_MAX_BYTES];  /* why the old file stays in force */
};

static void set_trouble(struct keeper *keeper, const char *text)
{
	if (strcmp(keeper->trouble, text) != 0 && text[0] != '\0')
		log_event(LOG_LEVEL_ERROR, "config", "%s", text);
	(void)snprintf(keeper->trouble, sizeof(keeper->trouble), "%s", text);
	supervise_status(keeper->trouble);
}

static void take_config(struct keeper *keeper, struct config *config)
{
	enum log_level level = config->log_level;
	size_t i;

	config_release(keeper->config);
	keeper->config = config;
	keeper->engine.config = config;
	keeper->edited[0] = '\0';
	if (keeper->options.log_level != NULL &&
	    log_level_from_word(keeper->options.log_level, &level) !=
		FAULT_NONE)
		level = config->log_level;
	log_level_set(level);
	for (i = 0; i < config->n_notes; i++)
		log_event(LOG_LEVEL_WARNING, "config", "%s", config->notes[i]);
	expiry_log(config);
}

static bool reconsider_next(void *ctx)
{
	struct keeper *keeper = ctx;
	struct account *account = accounts_next(&keeper->place);

	if (account != NULL)
		account_reconsider(account);
	return account != NULL;
}

enum fault keeper_new(const struct keeper_options *options,
    struct config *config, const char *why_text, struct keeper **keeper_out)
{
	struct keeper *keeper = calloc(1, sizeof(*keeper));
	enum fault fault;

	if (keeper == NULL)
		return FAULT_NOMEM;
	keeper->options = *options;
	keeper->engine.base = options->base;
	keeper->engine.config_path = options->source.path;
	keeper->engine.config_trouble = keeper->edited;
	/* From now on they are this one's. */
	if (options->source.files != NULL)
		keeper->files = *options->source.files;
	keeper->options.source.files = &keeper->files;
	keeper->looked_ms = keeper->names_ms = clock_boot_ms();
	keeper->config_bad = config == NULL;
	keeper->reconsidering = (struct slices_work){ .uid = SLICES_NOBODY,
		.step = reconsider_next,
		.ctx = keeper };
	keeper->daily = expiry_timer(options->base, EXPIRY_LOOK_MS,
	    &keeper->config);
	fault = keeper->daily != NULL ? FAULT_NONE : FAULT_NOMEM;
	if (fault == FAULT_NONE)
		fault = http_new(options->base, &keeper->engine.http);
	if (fault == FAULT_NONE)
		fault = slices_new(options->base, &keeper->engine.slices);
	if (fault == FAULT_NONE)
		fault = refreshes_new(&keeper->engine,
		    &keeper->engine.refreshes);
	if (fault == FAULT_NONE)
		fault = issuers_new(keeper->engine.http,
		    &keeper->engine.issuers);
	if (fault != FAULT_NONE) {
		keeper_free(keeper);
		return fault;
	}
	if (config != NULL)
		take_config(keeper, config_share(config));
	else
		set_trouble(keeper, why_text);
	*keeper_out = keeper;
	return FAULT_NONE;
}

/* Of none, while nothing works. */
static struct accounts_place *first_of(const struct keeper *keeper)
{
	return keeper->working ? accounts_first(keeper->engine.accounts) : NULL;
}

static void reconsider(struct keeper *keeper)
{
	if (!keeper->working)
		return;
	keeper->place = accounts_first(keeper->engine.accounts);
	slices_begin(keeper->engine.slices, &keeper->reconsidering);
}

static void jumped(void *ctx)
{
	struct keeper *keeper = ctx;

	log_event(LOG_LEVEL_NOTICE, "clock", "the system clock was set");
	expiry_log(keeper->config);
	if (keeper->options.jumped != NULL)
		event_active(keeper->options.jumped, EV_TIMEOUT, 0);
	reconsider(keeper);
}

/* Where clients of this user find us who see another XDG_RUNTIME_DIR. */
static void name_sockets(const struct keeper *keeper)
{
	const struct listeners *listeners = keeper->options.listeners;
	const char *paths[LISTEN_MAX];
	size_t i;

	for (i = 0; listeners != NULL && i < listeners->n; i++)
		paths[i] = listeners->at[i].path;
	keyring_listens(keeper->engine.keyring, paths, i);
}

/* What cannot be done now is no reason to let mail stand still. */
static void take_over(struct keyring *keyring)
{
	struct why why = { .err = 0, .text = "" };
	enum fault fault;
	size_t n;

	fault = keyring_take_over(keyring, &n, &why);
	if (n > 0)
		log_event(LOG_LEVEL_NOTICE, "sealed",
		    "%zu plain records of the keyring are sealed now", n);
	if (fault != FAULT_NONE)
		log_event(LOG_LEVEL_ERROR, "sealed",
		    "the plain records of the keyring are not sealed yet, "
		    "because %s; mend that and restart the helper",
		    why_text(&why, fault));
}

/* Only what is wrong with the directory; the lock is separate. */
static enum fault open_keyring(struct keeper *keeper, struct why *why)
{
	const char *path = keeper->config->keyring;
	enum fault fault;

	if (keeper->engine.keyring != NULL &&
	    strcmp(keyring_path(keeper->engine.keyring), path) != 0) {
		keyring_close(keeper->engine.keyring);
		keeper->engine.keyring = NULL;
		seal_key_free(keeper->key);
		keeper->key = NULL;
	}
	if (keeper->engine.keyring == NULL) {
		fault = keyring_open(path, &keeper->engine.keyring, why);
		if (fault != FAULT_NONE)
			return fault;
		fault = keyring_lock(keeper->engine.keyring, why);
		if (fault != FAULT_NONE) {
			keyring_close(keeper->engine.keyring);
			keeper->engine.keyring = NULL;
			return fault;
		}
		name_sockets(keeper);
		keyring_sweep(keeper->engine.keyring);
	}
	if (keeper->config->keyring_key != NULL && keeper->key == NULL) {
		fault = seal_key_read(keeper->config->keyring_key, &keeper->key,
		    why);
		if (fault != FAULT_NONE)
			return fault;
		keyring_seal_with(keeper->engine.keyring, keeper->key);
		take_over(keeper->engine.keyring);
	}
	return FAULT_NONE;
}

static enum fault sandbox(struct keeper *keeper, struct why *why)
{
	struct harden_paths paths = {
		.keyring = keyring_path(keeper->engine.keyring),
		.folders = (const char *const *)keeper->config->folders,
		.n_folders = keeper->config->n_folders,
	};
	char depth[64];
	enum fault fault;

	if (!keeper->options.sandbox || keeper->sandboxed)
		return FAULT_NONE;
	fault = harden_sandbox(&paths, depth, sizeof(depth), why);
	if (fault != FAULT_NONE)
		return fault;
	keeper->sandboxed = true;
	log_event(LOG_LEVEL_INFO, "sandbox", "%s", depth);
	return FAULT_NONE;
}

static enum fault start_engine(struct keeper *keeper, struct why *why)
{
	enum fault fault;

	fault = open_keyring(keeper, why);
	/* Before the sandbox: a clock of tests binds a socket. */
	if (fault == FAULT_NONE && keeper->clock == NULL)
		fault = clock_watch_new(keeper->options.base, jumped, keeper,
		    &keeper->clock, why);
	if (fault == FAULT_NONE)
		fault = sandbox(keeper, why);
	if (fault == FAULT_NONE)
		fault = accounts_new(&keeper->engine, &keeper->engine.accounts,
		    why);
	if (fault != FAULT_NONE)
		return fault;
	keeper->working = true;
	keeper->trouble[0] = '\0';
	supervise_status("working");
	return FAULT_NONE;
}

/* What is no fault of the configuration, and may be over at any moment. */
static bool may_pass(enum fault fault, int err)
{
	static const int passing[] = { EIO, ENOSPC, EDQUOT, EMFILE, ENFILE,
		ENOMEM, ESTALE };
	size_t i;

	for (i = 0; i < sizeof(passing) / sizeof(passing[0]); i++)
		if (fault == FAULT_IO && err == passing[i])
			return true;
	return fault == FAULT_NOMEM;
}

enum fault keeper_start(struct keeper *keeper, struct why *why)
{
	enum fault fault;

	if (keeper->working || keeper->config == NULL)
		return FAULT_NONE;
	fault = start_engine(keeper, why);
	if (fault == FAULT_LOCKED)
		return fault;
	keeper->fault = may_pass(fault, why->err) ? FAULT_TRY_LATER :
						    FAULT_CONFIG_ERROR;
	if (fault != FAULT_NONE)
		set_trouble(keeper, why_text(why, fault));
	return FAULT_NONE;
}

/* A held lock is no end any more, only a reason. */
static void start_again(struct keeper *keeper)
{
	struct why why = { .err = 0, .text = "" };

	if (keeper_start(keeper, &why) != FAULT_NONE)
		set_trouble(keeper, why.text);
}

static enum fault read_again(struct keeper *keeper, struct config **config_out,
    struct why *why)
{
	enum fault fault;

	/* A typo in one block is no reason to lose the good one. */
	keeper->options.source.whole = keeper->working &&
	    keeper->config->n_troubles == 0;
	fault = config_read(&keeper->options.source, config_out, why);
	keeper->config_bad = fault != FAULT_NONE;
	if (keeper->config_bad && why->text[0] == '\0')
		why_set(why, 0, "%s", fault_text(fault));
	return fault;
}

static void stay(struct keeper *keeper, const char *text)
{
	char edited[WHY_MAX_BYTES];

	(void)snprintf(edited, sizeof(edited),
	    "%.460s; the old configuration stays in force", text);
	if (strcmp(keeper->edited, edited) != 0)
		log_event(LOG_LEVEL_ERROR, "config", "%s", edited);
	(void)snprintf(keeper->edited, sizeof(keeper->edited), "%s", edited);
}

/* Where the fault is the keyring's, at every request: a mended mode is no
 * change of a file that could be watched. */
static void try_again(struct keeper *keeper)
{
	struct config *config = NULL;
	struct why why = { .err = 0, .text = "" };

	if (config_files_changed(&keeper->files)) {
		if (read_again(keeper, &config, &why) != FAULT_NONE) {
			set_trouble(keeper, why.text);
			return;
		}
		take_config(keeper, config);
	}
	if (keeper->config_bad)
		return;
	start_again(keeper);
	if (keeper->working)
		log_event(LOG_LEVEL_NOTICE, "config",
		    "configuration and keyring are good now");
}

/* An edited file, or one that it names, is taken when it is good. */
static void look_again(struct keeper *keeper)
{
	struct config *config = NULL, *old;
	struct why why = { .err = 0, .text = "" };
	struct buf out = BUF_INIT(WIRE_LIST_MAX_BYTES);

	keeper->looked_ms = clock_boot_ms();
	if (!config_files_changed(&keeper->files))
		return;
	if (read_again(keeper, &config, &why) != FAULT_NONE) {
		stay(keeper, why.text);
		return;
	}
	old = config_share(keeper->config);
	take_config(keeper, config);
	reload_tell(old, config, "", &out); /* for the log */
	config_release(old);
	buf_drop(&out);
	keeper->engine.edition++;
	reconsider(keeper);
}

static enum fault host_engine(void *ctx, bool look, struct engine **engine_out,
    struct why *why)
{
	struct keeper *keeper = ctx;

	if (keeper->engine.stopping || !look)
		;
	else if (!keeper->working)
		try_again(keeper);
	else if (clock_boot_ms() - keeper->looked_ms >= LOOK_MS)
		look_again(keeper);
	if (keeper->working) {
		*engine_out = &keeper->engine;
		return FAULT_NONE;
	}
	why_set(why, 0, "%s", keeper->trouble);
	return keeper->config_bad ? FAULT_CONFIG_ERROR : keeper->fault;
}

/* Names that were not there when the file was read may be there by now. */
static void host_stranger(void *ctx, const struct peer *peer)
{
	struct keeper *keeper = ctx;
	struct config *config = NULL;
	struct why why = { .err = 0, .text = "" };

	if (keeper->config->n_missing == 0 || keeper->engine.stopping ||
	    clock_boot_ms() - keeper->names_ms < NAMES_MS ||
	    config_is_known(keeper->config, peer))
		return;
	keeper->names_ms = clock_boot_ms();
	if (config_files_changed(&keeper->files))
		return; /* the next look takes it */
	if (read_again(keeper, &config, &why) != FAULT_NONE)
		stay(keeper, why.text);
	else if (config->n_missing < keeper->config->n_missing)
		take_config(keeper, config);
	else
		config_release(config);
}

static enum fault refuse_reload(struct keeper *keeper, struct buf *out,
    const char *text)
{
	struct answer_refusal refusal = { .fault = FAULT_CONFIG_ERROR,
		.text = text,
		.retry_after_s = -1 };

	keeper->edited[0] = '\0'; /* who asks is told again */
	if (keeper->working)
		stay(keeper, text);
	answer_fault(out, &refusal);
	return FAULT_CONFIG_ERROR;
}

static enum fault reload_into(void *ctx, struct buf *out)
{
	struct keeper *keeper = ctx;
	struct config *config = NULL, *old;
	struct why why = { .err = 0, .text = "" };
	char mended[WHY_MAX_BYTES];

	(void)snprintf(mended, sizeof(mended), "%s",
	    keeper->working ? keeper->edited : keeper->trouble);
	/* Who asks is told again what is still wrong. */
	if (!keeper->working)
		keeper->trouble[0] = '\0';
	if (read_again(keeper, &config, &why) != FAULT_NONE) {
		if (!keeper->working)
			set_trouble(keeper, why.text);
		return refuse_reload(keeper, out, why.text);
	}
	old = keeper->config != NULL ? config_share(keeper->config) : NULL;
	take_config(keeper, config);
	if (!keeper->working)
		start_again(keeper);
	if (keeper->working)
		reload_tell(old, config, mended, out);
	config_release(old);
	if (!keeper->working)
		return refuse_reload(keeper, out, keeper->trouble);
	keeper->engine.edition++;
	reconsider(keeper);
	return FAULT_NONE;
}

const char *keeper_trouble(const struct keeper *keeper)
{
	return keeper->working ? NULL : keeper->trouble;
}

void keeper_reload(struct keeper *keeper)
{
	struct buf out = BUF_INIT(WIRE_LIST_MAX_BYTES);

	(void)reload_into(keeper, &out); /* it has logged how it went */
	buf_drop(&out);
}

struct serve_host keeper_host(struct keeper *keeper)
{
	return (struct serve_host){ keeper, host_engine, host_stranger,
		reload_into };
}

void keeper_stop(struct keeper *keeper)
{
	struct accounts_place *place = first_of(keeper);
	struct account *account;

	keeper->engine.stopping = true;
	while ((account = accounts_next(&place)) != NULL)
		account_give_up(account);
}

bool keeper_is_done(const struct keeper *keeper)
{
	return refreshes_running(keeper->engine.refreshes) == 0;
}

bool keeper_is_saved(const struct keeper *keeper)
{
	struct accounts_place *place = first_of(keeper);
	const struct account *account;

	while ((account = accounts_next(&place)) != NULL)
		if (account->record.unsaved)
			return false;
	return true;
}

void keeper_free(struct keeper *keeper)
{
	struct accounts_place *place;
	struct account *account;

	if (keeper == NULL)
		return;
	place = first_of(keeper);
	while ((account = accounts_next(&place)) != NULL)
		account_save_last(account);
	accounts_free(keeper->engine.accounts);
	clock_watch_free(keeper->clock);
	if (keeper->daily != NULL)
		event_free(keeper->daily);
	issuers_free(keeper->engine.issuers);
	http_free(keeper->engine.http);
	slices_free(keeper->engine.slices);
	free(keeper->engine.refreshes);
	keyring_close(keeper->engine.keyring);
	seal_key_free(keeper->key);
	config_files_drop(&keeper->files);
	config_release(keeper->config);
	free(keeper);
}
