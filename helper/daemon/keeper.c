/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Making an engine, replacing its configuration, taking it down.
 */
#include "daemon/keeper.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "daemon/accounts.h"
#include "daemon/answer.h"
#include "daemon/apps.h"
#include "daemon/expiry.h"
#include "daemon/harden.h"
#include "daemon/issuers.h"
#include "daemon/slots.h"
#include "daemon/supervise.h"
#include "daemon/watch.h"
#include "store/seal.h"

#define READ_AGAIN_MS 1000

struct keeper {
	struct keeper_options options;
	struct config *config; /* NULL: never had a good one */
	struct engine engine;
	bool working;
	bool config_bad; /* the file, not the keyring */
	bool sandboxed;
	struct seal_key *key;
	struct clock_watch *clock;
	struct expiry *expiry;
	struct timespec file_changed;
	int64_t read_ms; /* boot time */
	char trouble[WHY_MAX_BYTES];
};

static void set_trouble(struct keeper *keeper, const char *text)
{
	if (strcmp(keeper->trouble, text) != 0 && text[0] != '\0')
		log_event(LOG_LEVEL_ERROR, "config", "%s", text);
	(void)snprintf(keeper->trouble, sizeof(keeper->trouble), "%s", text);
	supervise_status(keeper->trouble);
}

static struct timespec file_time(const struct keeper *keeper)
{
	struct timespec never = { 0, 0 };
	struct stat st;

	if (stat(keeper->options.source.path, &st) != 0)
		return never;
	return st.st_ctim;
}

static void log_notes(const struct config *config)
{
	size_t i;

	for (i = 0; i < config->n_notes; i++)
		log_event(LOG_LEVEL_WARNING, "config", "%s", config->notes[i]);
}

static void take_config(struct keeper *keeper, struct config *config)
{
	enum log_level level = config->log_level;

	config_release(keeper->config);
	keeper->config = config;
	keeper->engine.config = config;
	if (keeper->options.log_level != NULL &&
	    log_level_from_word(keeper->options.log_level, &level) !=
		FAULT_NONE)
		level = config->log_level;
	log_level_set(level);
	log_notes(config);
	expiry_watch(keeper->expiry, config);
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
	keeper->file_changed = file_time(keeper);
	fault = expiry_new(options->base, EXPIRY_LOOK_MS, &keeper->expiry);
	if (fault != FAULT_NONE) {
		keeper_free(keeper);
		return fault;
	}
	if (config != NULL)
		take_config(keeper, config_share(config));
	else
		set_trouble(keeper, why_text);
	keeper->config_bad = config == NULL;
	fault = http_new(options->base, &keeper->engine.http);
	if (fault == FAULT_NONE)
		fault = slots_new(&keeper->engine.slots);
	if (fault == FAULT_NONE)
		fault = issuers_new(keeper->engine.http,
		    &keeper->engine.issuers);
	if (fault == FAULT_NONE)
		fault = watch_new(&keeper->engine.watchers);
	if (fault != FAULT_NONE) {
		keeper_free(keeper);
		return fault;
	}
	*keeper_out = keeper;
	return FAULT_NONE;
}

static void jump_account(void *ctx, struct account *account)
{
	(void)ctx;
	account_reconsider(account, false);
}

static void visit_all(struct keeper *keeper, accounts_visit_fn *visit,
    void *ctx)
{
	accounts_each(keeper->engine.accounts, visit, ctx);
	apps_each(keeper->engine.apps, visit, ctx);
}

static void jumped(void *ctx)
{
	struct keeper *keeper = ctx;

	log_event(LOG_LEVEL_NOTICE, "clock", "the system clock was set");
	expiry_look(keeper->expiry);
	if (keeper->options.jumped != NULL)
		event_active(keeper->options.jumped, EV_TIMEOUT, 0);
	if (keeper->working)
		visit_all(keeper, jump_account, NULL);
}

/* Only what is wrong with the directory; the lock is separate. */
static enum fault open_keyring(struct keeper *keeper, struct why *why)
{
	const char *path = keeper->options.keyring != NULL ?
	    keeper->options.keyring :
	    keeper->config->keyring;
	enum fault fault;

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
		keyring_sweep(keeper->engine.keyring);
	}
	if (keeper->config->keyring_key != NULL && keeper->key == NULL) {
		fault = seal_key_read(keeper->config->keyring_key, &keeper->key,
		    why);
		if (fault != FAULT_NONE)
			return fault;
		keyring_seal_with(keeper->engine.keyring, keeper->key);
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
	if (fault == FAULT_NONE && keeper->engine.apps == NULL)
		fault = apps_new(&keeper->engine, &keeper->engine.apps);
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

enum fault keeper_start(struct keeper *keeper, struct why *why)
{
	enum fault fault;

	if (keeper->working || keeper->config == NULL)
		return FAULT_NONE;
	fault = start_engine(keeper, why);
	if (fault == FAULT_LOCKED)
		return fault;
	if (fault != FAULT_NONE)
		set_trouble(keeper,
		    why->text[0] != '\0' ? why->text : fault_text(fault));
	return FAULT_NONE;
}

static enum fault read_again(struct keeper *keeper, struct config **config_out,
    struct why *why)
{
	enum fault fault;

	keeper->file_changed = file_time(keeper);
	keeper->read_ms = clock_boot_ms();
	fault = config_read(&keeper->options.source, config_out, why);
	keeper->config_bad = fault != FAULT_NONE;
	return fault;
}

/* Its own file is looked at each time; those that it names, or their modes,
 * may have been mended as well. */
static bool may_be_mended(const struct keeper *keeper)
{
	struct timespec now = file_time(keeper);

	if (now.tv_sec != keeper->file_changed.tv_sec ||
	    now.tv_nsec != keeper->file_changed.tv_nsec)
		return true;
	return keeper->config_bad &&
	    clock_boot_ms() - keeper->read_ms >= READ_AGAIN_MS;
}

/*
 * A helper that cannot work tries again when its file has changed, or, where
 * the fault is the keyring's, at every request: that is cheap, and a mended
 * mode is no change of a file that could be watched.
 */
static void try_again(struct keeper *keeper)
{
	struct config *config = NULL;
	struct why why = { .err = 0, .text = "" };

	if (may_be_mended(keeper)) {
		if (read_again(keeper, &config, &why) != FAULT_NONE) {
			set_trouble(keeper, why.text);
			return;
		}
		take_config(keeper, config);
	}
	if (keeper->config_bad || keeper->config == NULL)
		return;
	if (keeper_start(keeper, &why) != FAULT_NONE)
		set_trouble(keeper, why.text);
	if (keeper->working)
		log_event(LOG_LEVEL_NOTICE, "config",
		    "configuration and keyring are good now");
}

static struct engine *host_engine(void *ctx, struct why *why)
{
	struct keeper *keeper = ctx;

	if (!keeper->working && !keeper->engine.stopping)
		try_again(keeper);
	if (keeper->working)
		return &keeper->engine;
	why_set(why, 0, "%s", keeper->trouble);
	return NULL;
}

struct differences {
	struct attr_writer *writer;
	struct log_line *line;
};

static void differs(void *ctx, const char *what, bool restart)
{
	struct differences *found = ctx;
	char plain[256];

	attr_plain(span_of(what), plain, sizeof(plain));
	attr_put_str(found->writer, restart ? ATTR_NEEDS_RESTART : ATTR_CHANGED,
	    plain);
	log_str(found->line, restart ? "needs-restart" : "changed", plain);
}

static void reconsider(void *ctx, struct account *account)
{
	(void)ctx;
	account_reconsider(account, true);
}

static enum fault refuse_reload(struct keeper *keeper, struct buf *out,
    const char *text)
{
	struct answer_refusal refusal = { .fault = FAULT_CONFIG_ERROR,
		.text = text,
		.retry_after_s = -1 };

	if (keeper->working)
		log_event(LOG_LEVEL_ERROR, "reload",
		    "%s; the old configuration stays in force", text);
	answer_fault(out, &refusal);
	return FAULT_CONFIG_ERROR;
}

static enum fault reload_into(void *ctx, struct buf *out)
{
	struct keeper *keeper = ctx;
	struct config *config = NULL, *old;
	struct attr_writer writer;
	struct log_line line;
	struct differences found = { &writer, &line };
	struct why why = { .err = 0, .text = "" };

	if (read_again(keeper, &config, &why) != FAULT_NONE) {
		if (!keeper->working)
			set_trouble(keeper, why.text);
		return refuse_reload(keeper, out, why.text);
	}
	old = keeper->config != NULL ? config_share(keeper->config) : NULL;
	take_config(keeper, config);
	if (!keeper->working) {
		if (keeper_start(keeper, &why) != FAULT_NONE)
			set_trouble(keeper, why.text);
		if (!keeper->working) {
			config_release(old);
			return refuse_reload(keeper, out, keeper->trouble);
		}
	}
	log_start(&line, LOG_LEVEL_NOTICE, "reload");
	attr_begin(&writer, out, WIRE_FIRST);
	attr_put_str(&writer, ATTR_RESULT, RESULT_OK);
	if (old != NULL)
		config_compare(old, keeper->config, differs, &found);
	if (attr_end(&writer) != FAULT_NONE) {
		out->fault = FAULT_NONE;
		answer_ok(out);
	}
	config_release(old);
	log_end(&line);
	visit_all(keeper, reconsider, NULL);
	return FAULT_NONE;
}

void keeper_reload(struct keeper *keeper)
{
	struct buf out = BUF_INIT(WIRE_LIST_MAX_BYTES);

	(void)reload_into(keeper, &out); /* it has logged how it went */
	buf_drop(&out);
}

struct serve_host keeper_host(struct keeper *keeper)
{
	struct serve_host host = { keeper, host_engine, reload_into };

	return host;
}

static void give_up(void *ctx, struct account *account)
{
	(void)ctx;
	account_give_up(account);
}

void keeper_stop(struct keeper *keeper)
{
	keeper->engine.stopping = true;
	if (keeper->working)
		visit_all(keeper, give_up, NULL);
}

static void count_busy(void *ctx, struct account *account)
{
	size_t *busy = ctx;

	if (account_busy(account))
		(*busy)++;
}

bool keeper_is_done(const struct keeper *keeper)
{
	size_t busy = 0;

	if (keeper->working) {
		accounts_each(keeper->engine.accounts, count_busy, &busy);
		apps_each(keeper->engine.apps, count_busy, &busy);
	}
	return busy == 0;
}

static void count_unsaved(void *ctx, struct account *account)
{
	size_t *unsaved = ctx;

	if (account_is_unsaved(account))
		(*unsaved)++;
}

bool keeper_is_saved(const struct keeper *keeper)
{
	size_t unsaved = 0;

	if (keeper->working)
		accounts_each(keeper->engine.accounts, count_unsaved, &unsaved);
	return unsaved == 0;
}

static void save_once_more(void *ctx, struct account *account)
{
	(void)ctx;
	account_save_last(account);
}

void keeper_free(struct keeper *keeper)
{
	if (keeper == NULL)
		return;
	if (keeper->engine.accounts != NULL)
		accounts_each(keeper->engine.accounts, save_once_more, NULL);
	accounts_free(keeper->engine.accounts);
	apps_free(keeper->engine.apps);
	if (keeper->clock != NULL)
		clock_watch_free(keeper->clock);
	expiry_free(keeper->expiry);
	issuers_free(keeper->engine.issuers);
	http_free(keeper->engine.http);
	slots_free(keeper->engine.slots);
	watch_free(keeper->engine.watchers);
	keyring_close(keeper->engine.keyring);
	seal_key_free(keeper->key);
	config_release(keeper->config);
	free(keeper);
}
