/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The verb metrics: first the accounts are counted, a slice a time, then all
 * families are written in one go.  No file is read for it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "daemon/accounts.h"
#include "daemon/verbs.h"
#include "oauth/assertion.h"

#define STATES	   (ACCOUNT_REFRESHING + 1)
#define SHOWN_MAX  1000 /* by name */
#define PROVIDER   "provider"
#define NAME_BYTES 512

struct metrics_walk {
	size_t states[STATES], unsaved, without_token;
	int64_t failing_s, grant_s; /* the earliest; 0: none */
	bool named;
	bool known; /* who asks; others learn of no provider */
	size_t n_shown, n_left_out;
	struct account *shown[SHOWN_MAX];
	bool app_counted[]; /* by provider */
};

struct family {
	struct conn *conn;
	const char *name;
	struct attr_writer writer;
	struct buf labels;
};

static void begin(struct family *family, const char *name, const char *type,
    const char *help)
{
	const char *unit = strstr(name, "_seconds");

	family->name = name;
	answer_begin(&family->writer, &family->conn->out, ATTR_METRIC, name);
	attr_put_str(&family->writer, ATTR_TYPE, type);
	if (unit != NULL)
		attr_put_str(&family->writer, ATTR_UNIT, unit + 1);
	attr_put_str(&family->writer, ATTR_HELP, help);
}

/* label-name "=" DQUOTE escaped-string DQUOTE */
static void label(struct family *family, const char *name, const char *value)
{
	struct buf *labels = &family->labels;

	buf_add_str(labels, labels->n == 0 ? "{" : ",");
	buf_add_str(labels, name);
	buf_add_lit(labels, "=\"");
	for (; *value != '\0'; value++) {
		if (*value == '"' || *value == '\\')
			buf_add_lit(labels, "\\");
		buf_add(labels, (struct span){ value, 1 });
	}
	buf_add_lit(labels, "\"");
}

/* A name of the configuration may have any bytes. */
static void label_provider(struct family *family, const char *name)
{
	char plain[NAME_BYTES];

	attr_plain(span_of(name), plain, sizeof(plain));
	label(family, PROVIDER, plain);
}

/* With the labels that there are.  What has no room goes on in one more list
 * of the family. */
static void sample_text(struct family *family, const char *suffix,
    const char *value)
{
	struct buf line = BUF_INIT(WIRE_LINE_MAX_BYTES);

	if (family->writer.lines == WIRE_LINES_MAX) {
		answer_end(&family->writer);
		answer_begin(&family->writer, &family->conn->out, ATTR_METRIC,
		    family->name);
	}
	buf_add_str(&line, family->name);
	buf_add_str(&line, suffix);
	if (family->labels.n > 0) {
		buf_add(&line, buf_span(&family->labels));
		buf_add_lit(&line, "}");
	}
	buf_add_lit(&line, " ");
	buf_add_str(&line, value);
	attr_put(&family->writer, ATTR_SAMPLE, buf_span(&line));
	buf_drop(&line);
	buf_drop(&family->labels);
}

static void sample(struct family *family, const char *suffix, uint64_t value)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	sample_text(family, suffix, text);
}

static void tell_one(struct family *family, const char *name, const char *help,
    int64_t value)
{
	begin(family, name, "gauge", help);
	sample(family, "", (uint64_t)value);
	answer_end(&family->writer);
}

static void tell_accounts(struct family *family,
    const struct metrics_walk *walk)
{
	unsigned state;

	begin(family, "mailtoken_accounts", "gauge",
	    "Accounts by state; an application that signs in for itself is "
	    "one.");
	for (state = ACCOUNT_ACTIVE; state < STATES; state++) {
		label(family, ATTR_STATE, account_state_word(state));
		sample(family, "", walk->states[state]);
	}
	answer_end(&family->writer);
	tell_one(family, "mailtoken_accounts_without_token",
	    "Accounts that fail and have no token that is still good.",
	    (int64_t)walk->without_token);
	tell_one(family, "mailtoken_unsaved_accounts",
	    "Accounts whose newest record is in memory only.",
	    (int64_t)walk->unsaved);
	if (walk->failing_s > 0)
		tell_one(family,
		    "mailtoken_oldest_failing_account_timestamp_seconds",
		    "Since when the account has failed that has failed for "
		    "longest.",
		    walk->failing_s);
}

/* As it stands while another try runs. */
static enum account_state state_of(const struct account *account)
{
	const struct standing *standing = &account->standing;

	return standing->state > ACCOUNT_ACTIVE && !standing->for_a_day ?
	    standing->state :
	    standing->for_a_day ? ACCOUNT_CONFIG_ERROR :
				  account_shown(account);
}

static void tell_names(struct family *family, const struct metrics_walk *walk)
{
	size_t i;

	begin(family, "mailtoken_account_state", "gauge",
	    "The state of each account, 1.");
	for (i = 0; i < walk->n_shown; i++) {
		label(family, ATTR_ACCOUNT, walk->shown[i]->name);
		label(family, ATTR_STATE,
		    account_state_word(state_of(walk->shown[i])));
		sample(family, "", 1);
	}
	answer_end(&family->writer);
	tell_one(family, "mailtoken_unnamed_accounts",
	    "Accounts that are not named because they are too many.",
	    (int64_t)walk->n_left_out);
}

/* Those who are not named have the earliest together. */
static void tell_grants(struct family *family, const struct metrics_walk *walk)
{
	size_t i;

	if (walk->grant_s == 0)
		return;
	begin(family, "mailtoken_grant_expiration_timestamp_seconds", "gauge",
	    "When an account must sign in again.");
	if (!walk->named || walk->n_left_out > 0)
		sample(family, "", (uint64_t)walk->grant_s);
	for (i = 0; i < walk->n_shown; i++) {
		if (walk->shown[i]->grant_expires_s == 0)
			continue;
		label(family, ATTR_ACCOUNT, walk->shown[i]->name);
		sample(family, "", (uint64_t)walk->shown[i]->grant_expires_s);
	}
	answer_end(&family->writer);
}

/* By the words of the wire, which machine faults have no own of. */
static void tell_results(struct family *family, const char *provider,
    const uint64_t counts[METRICS_FAULTS])
{
	uint64_t n, internal = 0;
	unsigned fault;

	for (fault = FAULT_INTERNAL + 1; fault < METRICS_FAULTS; fault++)
		internal += counts[fault];
	for (fault = FAULT_NONE; fault <= FAULT_INTERNAL; fault++) {
		n = counts[fault] + (fault == FAULT_INTERNAL ? internal : 0);
		if (n == 0 && provider != NULL && fault != FAULT_NONE)
			continue; /* no provider ends in all these ways */
		if (provider != NULL)
			label_provider(family, provider);
		label(family, ATTR_RESULT, fault_word((enum fault)fault));
		sample(family, "_total", n);
	}
}

static void tell_durations(struct family *family, const struct metrics *metrics)
{
	uint64_t n = 0;
	char text[32];
	size_t i;

	begin(family, "mailtoken_refresh_duration_seconds", "histogram",
	    "How long exchanges for a new token took.");
	for (i = 0; i <= METRICS_BUCKETS; i++) {
		n += metrics->took[i];
		(void)snprintf(text, sizeof(text), "%g",
		    (double)metrics_bounds_ms[i % METRICS_BUCKETS] / 1000);
		label(family, "le", i < METRICS_BUCKETS ? text : "+Inf");
		sample(family, "_bucket", n);
	}
	(void)snprintf(text, sizeof(text), "%lld.%03lld",
	    (long long)(metrics->took_ms / 1000),
	    (long long)(metrics->took_ms % 1000));
	sample_text(family, "_sum", text);
	sample(family, "_count", n);
	answer_end(&family->writer);
}

/* Of all providers together for who is not known. */
static void tell_refreshes(struct family *family,
    const struct metrics_provider *provider, bool known)
{
	uint64_t sums[METRICS_FAULTS] = { 0 };
	size_t i;

	if (provider == NULL)
		return;
	begin(family, "mailtoken_refreshes", "counter",
	    "Refreshes by their result.");
	for (; provider != NULL; provider = provider->next) {
		if (known)
			tell_results(family, provider->name,
			    provider->refreshes);
		for (i = 0; i < METRICS_FAULTS; i++)
			sums[i] += provider->refreshes[i];
	}
	if (!known)
		tell_results(family, NULL, sums);
	answer_end(&family->writer);
}

static void tell_counters(struct family *family, const struct metrics *metrics,
    bool known)
{
	begin(family, "mailtoken_token_requests", "counter",
	    "Requests for a token by their result.");
	tell_results(family, NULL, metrics->token_requests);
	answer_end(&family->writer);
	tell_refreshes(family, metrics->providers, known);
	tell_durations(family, metrics);
	begin(family, "mailtoken_log_dropped", "counter",
	    "Lines of the log that could not be written or were too many.");
	sample(family, "_total", log_dropped());
	answer_end(&family->writer);
}

static void tell_fleet(struct family *family, struct fleet *fleet)
{
	struct fleet_health health;
	size_t i;

	if (fleet == NULL)
		return;
	fleet_health(fleet, &health);
	const struct {
		const char *name, *help;
		uint64_t n;
		bool counts;
	} rows[] = {
		{ "mailtoken_fleet_up",
		    "Whether this relay is in step with the fleet.",
		    health.state == FLEET_IN_STEP, false },
		{ "mailtoken_fleet_behind_revisions",
		    "Changes of the store that it was not told of yet.",
		    (uint64_t)health.behind, false },
		{ "mailtoken_fleet_locks", "Accounts that it renews now.",
		    health.locks, false },
		{ "mailtoken_fleet_unput_records",
		    "Records that the other relays do not have yet.",
		    health.unput, false },
		{ "mailtoken_fleet_records_adopted",
		    "Records of other relays that it has taken.",
		    health.adopted, true },
		{ "mailtoken_fleet_records_put", "Records that it has shared.",
		    health.put, true },
		{ "mailtoken_fleet_conflicts",
		    "Records that it could not share because another's was "
		    "kept.",
		    health.conflicts, true },
		{ "mailtoken_fleet_turns_waited",
		    "Renewals that waited for another relay.", health.waited,
		    true },
	};

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin(family, rows[i].name,
		    rows[i].counts ? "counter" : "gauge", rows[i].help);
		sample(family, rows[i].counts ? "_total" : "", rows[i].n);
		answer_end(&family->writer);
	}
}

static int64_t secret_ends_s(const struct provider *provider)
{
	return provider->client_secret_expires_s;
}

static int64_t certificate_ends_s(const struct provider *provider)
{
	return provider->key != NULL ? assertion_key_ends_s(provider->key) : 0;
}

/* Where none of them is known there is no family. */
static void tell_ends(struct family *family, const char *name, const char *help,
    int64_t (*ends_s)(const struct provider *provider))
{
	const struct config *config = family->conn->engine->config;
	bool any = false;
	size_t i;

	for (i = 0; i < config->n_providers; i++) {
		int64_t when_s = ends_s(config->providers[i]);

		if (when_s <= 0)
			continue;
		if (!any)
			begin(family, name, "gauge", help);
		any = true;
		label_provider(family, config->providers[i]->name);
		sample(family, "", (uint64_t)when_s);
	}
	if (any)
		answer_end(&family->writer);
}

static void tell_all(void *ctx)
{
	struct conn *conn = ctx;
	const struct engine *engine = conn->engine;
	const struct metrics_walk *walk = conn->metrics;
	struct family family = { .conn = conn,
		.labels = BUF_INIT(WIRE_LINE_MAX_BYTES) };

	begin(&family, "mailtoken_build", "info", "The helper's version.");
	label(&family, ATTR_VERSION, MAILTOKEN_VERSION);
	sample(&family, "_info", 1);
	answer_end(&family.writer);
	tell_one(&family, "mailtoken_config_faults",
	    "Whether the configuration file cannot be used as it stands, and "
	    "how many of its blocks cannot.",
	    (engine->config_trouble[0] != '\0') +
		(int64_t)engine->config->n_troubles);
	tell_accounts(&family, walk);
	if (walk->n_shown > 0)
		tell_names(&family, walk);
	tell_grants(&family, walk);
	tell_counters(&family, &engine->metrics, walk->known);
	tell_fleet(&family, engine->fleet);
	if (walk->known) {
		tell_ends(&family,
		    "mailtoken_client_secret_expiration_timestamp_seconds",
		    "When a client secret ends.", secret_ends_s);
		tell_ends(&family,
		    "mailtoken_certificate_expiration_timestamp_seconds",
		    "When a certificate ends.", certificate_ends_s);
	}
	conn_answer_ok(conn);
}

static void note_earliest(int64_t *earliest_s, int64_t time_s)
{
	if (time_s > 0 && (*earliest_s == 0 || time_s < *earliest_s))
		*earliest_s = time_s;
}

/* An application that nobody has asked for is well, as status has it. */
static bool count_block(struct conn *conn)
{
	const struct config *config = conn->blocks;
	const struct config_account *block;
	size_t i = 0;

	if (conn->n_blocks == config->n_accounts)
		return false;
	block = &config->accounts[conn->n_blocks++];
	if (block->app == NULL || block->name[0] == '*' ||
	    accounts_app_of(conn->engine->accounts, block->name) != NULL)
		return true;
	while (i < config->n_providers && config->providers[i] != block->app)
		i++;
	conn->metrics->states[ACCOUNT_ACTIVE] += !conn->metrics->app_counted[i];
	conn->metrics->app_counted[i] = block->app->flow !=
	    FLOW_SERVICE_ACCOUNT;
	return true;
}

static bool count_next(void *ctx)
{
	struct conn *conn = ctx;
	struct metrics_walk *walk = conn->metrics;
	struct account *account = accounts_next(&conn->place);
	struct now now = clock_now();
	enum account_state state;

	if (account == NULL)
		return count_block(conn);
	if (!account->record.exists ||
	    (!account->record.in_memory &&
		accounts_app(conn->engine->config, account->name) != NULL))
		return true;
	if (account->edition != account->engine->edition)
		account_reconsider(account);
	state = state_of(account);
	walk->states[state]++;
	walk->unsaved += account->record.unsaved;
	if (state != ACCOUNT_ACTIVE && state != ACCOUNT_REFRESHING) {
		note_earliest(&walk->failing_s, account->standing.since_s);
		walk->without_token += life_left_s(&account->standing.life,
					   &now) <= 0;
	}
	note_earliest(&walk->grant_s, account->grant_expires_s);
	/* An application's account has no address, and may be freed. */
	if (walk->named && !account->record.in_memory) {
		if (walk->n_shown < SHOWN_MAX)
			walk->shown[walk->n_shown++] = account;
		else
			walk->n_left_out++;
	}
	return true;
}

void verbs_metrics(struct conn *conn)
{
	if (conn->request.accounts &&
	    !config_allows(conn->engine->config, RIGHT_ADMIN, NULL,
		&conn->peer)) {
		access_refuse(conn, RIGHT_ADMIN);
		return;
	}
	conn->blocks = config_share(conn->engine->config);
	conn->metrics = calloc(1,
	    sizeof(*conn->metrics) +
		(conn->blocks->n_providers + 1) * sizeof(bool));
	if (conn->metrics == NULL) {
		conn_refuse(conn, FAULT_NOMEM, NULL);
		return;
	}
	conn->metrics->named = conn->request.accounts;
	conn->metrics->known = config_is_known(conn->engine->config,
	    &conn->peer);
	conn->place = accounts_first(conn->engine->accounts);
	conn_walk(conn, count_next, tell_all);
}
