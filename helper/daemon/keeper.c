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
#include "daemon/import.h"
#include "daemon/outcome.h"
#include "daemon/share.h"
#include "daemon/supervise.h"
#include "oauth/issuer.h"
#include "store/seal.h"

#define LOOK_MS	 1000
#define NAMES_MS 60000

/* So that with all notes they are fewer than the lines of a list. */
#define CHANGES_MAX 24

struct keeper {
	struct keeper_options options;
	struct engine engine;
	bool config_bad; /* the file, not the keyring */
	struct seal_key *key;
	struct config
	    *shared; /* in force for the fleet, whatever is reloaded */
	struct clock_watch *clock;
	struct slices_work reconsidering;
	struct accounts_place *place;
	struct config_files files;
	int64_t names_ms; /* boot time */
	enum fault fault; /* nothing works: as what it is told */

	/* Why nothing works, or why the old file stays in force; or "". */
	char trouble[WHY_MAX_BYTES];
};

/* What is wrong now, or "": logged once. */
static void tell(struct keeper *keeper, const char *text)
{
	char trouble[WHY_MAX_BYTES] = "";

	if (text[0] != '\0')
		(void)snprintf(trouble, sizeof(trouble), "%.460s%s", text,
		    keeper->engine.working ?
			"; the old configuration stays in force" :
			"");
	if (trouble[0] != '\0' && strcmp(keeper->trouble, trouble) != 0)
		log_event(LOG_LEVEL_ERROR, "config", "%s", trouble);
	memcpy(keeper->trouble, trouble, sizeof(trouble));
	supervise_status(trouble[0] != '\0' ? trouble : "working");
}

/* What a line of the log and an answer say alike. */
struct differences {
	struct attr_writer writer;
	struct log_line line;
	size_t n;
};

static void differs(void *ctx, const char *what, bool restart)
{
	struct differences *found = ctx;
	char plain[256];

	attr_plain(span_of(what), plain, sizeof(plain));
	if (restart || found->n++ < CHANGES_MAX)
		attr_put_str(&found->writer,
		    restart ? ATTR_NEEDS_RESTART : ATTR_CHANGED, plain);
	log_str(&found->line, restart ? "needs-restart" : "changed", plain);
}

/* old is NULL when there was none; out, when the log is enough. */
static void tell_changes(const struct config *old, const struct config *config,
    bool mended, struct buf *out)
{
	struct differences found = { .n = 0 };
	struct buf own = BUF_INIT(WIRE_LIST_MAX_BYTES);
	char more[32];
	size_t i;

	log_start(&found.line, LOG_LEVEL_NOTICE, "reload");
	attr_begin(&found.writer, out != NULL ? out : &own, WIRE_FIRST);
	attr_put_str(&found.writer, ATTR_RESULT, RESULT_OK);
	if (mended)
		differs(&found, "configuration and keyring are good now",
		    false);
	for (i = 0; i < config->n_notes; i++)
		answer_text(&found.writer, ATTR_WARNING, config->notes[i]);
	if (old != NULL)
		config_compare(old, config, differs, &found);
	if (found.n > CHANGES_MAX) {
		(void)snprintf(more, sizeof(more), "%zu more",
		    found.n - CHANGES_MAX);
		attr_put_str(&found.writer, ATTR_CHANGED, more);
	}
	answer_end(&found.writer);
	buf_drop(&own);
	log_end(&found.line);
}

static void take_config(struct keeper *keeper, struct config *config)
{
	enum log_level level = config->log_level;
	size_t i;

	config_release(keeper->engine.config);
	keeper->engine.config = config;
	if (keeper->options.log_level != NULL &&
	    log_level_from_word(keeper->options.log_level, &level) !=
		FAULT_NONE)
		level = config->log_level;
	log_level_set(level);
	for (i = 0; i < config->n_notes; i++)
		log_event(LOG_LEVEL_WARNING, "config", "%s", config->notes[i]);
	expiry_log(config);
}

/* A good file, or NULL when what is wrong with it was told. */
static struct config *read_again(struct keeper *keeper)
{
	struct why why = { .err = 0, .text = "" };
	struct config *config = NULL;
	enum fault fault;

	/* A typo in one block is no reason to lose the good one. */
	keeper->options.source.whole = keeper->engine.working &&
	    keeper->engine.config->n_troubles == 0;
	fault = config_read(&keeper->options.source, &config, &why);
	keeper->config_bad = fault != FAULT_NONE;
	if (keeper->config_bad)
		tell(keeper, why_text(&why, fault));
	return config;
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
    struct keeper **keeper_out)
{
	struct keeper *keeper = calloc(1, sizeof(*keeper));
	struct config *config;
	enum fault fault;

	if (keeper == NULL)
		return FAULT_NOMEM;
	keeper->options = *options;
	keeper->engine.base = options->base;
	slices_init(&keeper->engine.slices, options->base);
	keeper->engine.config_path = options->source.path;
	keeper->engine.config_trouble = keeper->trouble;
	keeper->options.source.files = &keeper->files;
	keeper->names_ms = clock_boot_ms();
	keeper->engine.look_ms = keeper->names_ms + LOOK_MS;
	keeper->engine.keeper = keeper;
	keeper->engine.edition = 1;
	keeper->engine.started_s = clock_wall_s();
	keeper->reconsidering = (struct slices_work){ .uid = SLICES_NOBODY,
		.step = reconsider_next,
		.ctx = keeper };
	fault = http_new(options->base, &keeper->engine.http);
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
	config = read_again(keeper);
	if (config != NULL)
		take_config(keeper, config);
	*keeper_out = keeper;
	return FAULT_NONE;
}

/* Of none, while nothing works. */
static struct accounts_place *first_of(const struct keeper *keeper)
{
	return keeper->engine.working ?
	    accounts_first(keeper->engine.accounts) :
	    NULL;
}

static void reconsider(struct keeper *keeper)
{
	if (!keeper->engine.working)
		return;
	keeper->place = accounts_first(keeper->engine.accounts);
	slices_begin(&keeper->engine.slices, &keeper->reconsidering);
}

static void jumped(void *ctx)
{
	struct keeper *keeper = ctx;

	log_event(LOG_LEVEL_NOTICE, "clock", "the system clock was set");
	expiry_log(keeper->engine.config);
	fleet_clock_jumped(keeper->engine.fleet);
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

	for (i = 0; i < listeners->n; i++)
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
	const char *path = keeper->engine.config->keyring;
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
	}
	if (keeper->engine.config->keyring_key != NULL && keeper->key == NULL) {
		fault = seal_key_read(keeper->engine.config->keyring_key,
		    keeper->engine.config->keyring_old_key, &keeper->key, why);
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
		.files = keeper->files.paths,
		.n_files = keeper->files.n,
		.seed = keeper->options.seed,
	};
	char *depth = keeper->engine.sandbox;
	enum fault fault;

	if (depth[0] != '\0')
		return FAULT_NONE;
	fault = harden_sandbox(&paths, depth, sizeof(keeper->engine.sandbox),
	    why);
	if (fault == FAULT_NONE)
		log_event(LOG_LEVEL_INFO, "sandbox", "%s", depth);
	return fault;
}

static void was_waiting(void *ctx, const char *name)
{
	const struct keeper *keeper = ctx;
	struct account *account = accounts_find(keeper->engine.accounts, name);

	if (account != NULL)
		account_was_killed(account);
}

static enum fault start_fleet(struct keeper *keeper, struct why *why)
{
	if (keeper->engine.config->fleet.n_urls == 0 ||
	    keeper->engine.fleet != NULL)
		return FAULT_NONE;
	config_release(keeper->shared);
	keeper->shared = config_share(keeper->engine.config);
	return share_start(&keeper->engine, why);
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
	keyring_sweep(keeper->engine.keyring, was_waiting, keeper);
	fault = start_fleet(keeper, why);
	if (fault != FAULT_NONE)
		return fault;
	keeper->engine.working = true;
	tell(keeper, "");
	if (keeper->engine.fleet != NULL)
		keeper->engine.seed = keeper->options.seed;
	else if (keeper->options.seed != NULL)
		import_seed(&keeper->engine, keeper->options.seed);
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

static enum fault fault_of(const struct keeper *keeper)
{
	return keeper->config_bad ? FAULT_CONFIG_ERROR : keeper->fault;
}

enum fault keeper_start(struct keeper *keeper, struct why *why)
{
	enum fault fault;

	if (keeper->engine.working || keeper->engine.config == NULL)
		return FAULT_NONE;
	fault = start_engine(keeper, why);
	keeper->fault = fault;
	if (fault == FAULT_NONE)
		return FAULT_NONE;
	keeper->fault = may_pass(fault, why->err) ? FAULT_TRY_LATER :
						    FAULT_CONFIG_ERROR;
	if (fault == FAULT_LOCKED)
		return fault;
	tell(keeper, why_text(why, fault));
	return FAULT_NONE;
}

/* While nothing works the keyring is tried each time, too: a mended mode is no
 * change of a file that could be watched. */
enum fault keeper_try(struct keeper *keeper, bool anyway, struct buf *out)
{
	struct engine *engine = &keeper->engine;
	bool changed = anyway || config_files_changed(&keeper->files);
	bool mended = !engine->working ||
	    (anyway && keeper->trouble[0] != '\0');
	struct config *config = NULL, *old = NULL;
	struct why why = { .err = 0, .text = "" };

	engine->look_ms = clock_boot_ms() + LOOK_MS;
	if (anyway)
		keeper->trouble[0] = '\0'; /* who asks is told again */
	else if (engine->stopping)
		return fault_of(keeper);
	if (changed)
		config = read_again(keeper);
	if (config != NULL) {
		if (engine->config != NULL)
			old = config_share(engine->config);
		take_config(keeper, config);
		if (engine->working)
			tell(keeper, "");
	}
	/* A held lock is no end any more, only a reason. */
	if (!keeper->config_bad && keeper_start(keeper, &why) != FAULT_NONE)
		tell(keeper, why.text);
	if (engine->working && (changed ? config != NULL : mended)) {
		tell_changes(old, engine->config, mended, out);
		engine->edition++;
		reconsider(keeper);
	}
	config_release(old);
	if (out != NULL && fault_of(keeper) != FAULT_NONE)
		answer_fault(out, fault_of(keeper), keeper->trouble, -1);
	return fault_of(keeper);
}

struct engine *keeper_engine(struct keeper *keeper)
{
	return &keeper->engine;
}

/* Names that were not there when the file was read may be there by now. */
void keeper_stranger(struct keeper *keeper, struct peer *peer)
{
	struct config *config;

	if (keeper->engine.config->n_missing == 0 || keeper->engine.stopping ||
	    clock_boot_ms() - keeper->names_ms < NAMES_MS ||
	    config_is_known(keeper->engine.config, peer))
		return;
	keeper->names_ms = clock_boot_ms();
	if (config_files_changed(&keeper->files))
		return; /* the next look takes it */
	config = read_again(keeper);
	if (config != NULL &&
	    config->n_missing < keeper->engine.config->n_missing)
		take_config(keeper, config);
	else
		config_release(config);
}

void keeper_stop(struct keeper *keeper)
{
	struct accounts_place *place = first_of(keeper);
	struct account *account;

	keeper->engine.stopping = true;
	while ((account = accounts_next(&place)) != NULL)
		account_give_up(account);
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
	fleet_stop(keeper->engine.fleet);
	accounts_free(keeper->engine.accounts);
	fleet_free(keeper->engine.fleet);
	config_release(keeper->shared);
	clock_watch_free(keeper->clock);
	issuers_free(keeper->engine.issuers);
	http_free(keeper->engine.http);
	slices_end(&keeper->engine.slices);
	refreshes_free(keeper->engine.refreshes);
	metrics_drop(&keeper->engine.metrics);
	keyring_close(keeper->engine.keyring);
	seal_key_free(keeper->key);
	config_files_drop(&keeper->files);
	config_release(keeper->engine.config);
	free(keeper);
}
