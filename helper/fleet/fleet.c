/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A lease, then a list of all that is shared, then a watch from there on; and
 * from the start again when one of them is lost.
 */
#include "fleet/fleet.h"

#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "fleet/fleet_impl.h"
#include "wire/attr.h"

#define BOOT_ID_BYTES 37 /* without its line feed */
#define COUNT_MS      1000

static void join(struct fleet *fleet);

void fleet_later(struct event *event, int64_t ms)
{
	struct timeval delay = { ms / 1000, ms % 1000 * 1000 };

	(void)evtimer_add(event, &delay);
}

void fleet_relay(struct span id, char out[FLEET_NAME_MAX_BYTES])
{
	while (id.n > 0 && id.p[id.n - 1] != '#')
		id.n--;
	if (id.n > 0)
		id.n--;
	attr_plain(id, out, FLEET_NAME_MAX_BYTES);
}

uint64_t fleet_turn_of(const struct fleet *fleet, struct span value)
{
	size_t n = strlen(fleet->id);
	char number[24];

	if (value.n <= n || memcmp(value.p, fleet->id, n) != 0 ||
	    value.p[n] != '.')
		return 0;
	(void)snprintf(number, sizeof(number), "%.*s", (int)(value.n - n - 1),
	    value.p + n + 1);
	return strtoull(number, NULL, 10);
}

struct span fleet_key(const struct fleet *fleet, const char *kind,
    const char *leaf, char out[FLEET_KEY_MAX_BYTES])
{
	(void)snprintf(out, FLEET_KEY_MAX_BYTES, "%s%s%s",
	    fleet->o.settings->prefix, kind, leaf);
	return span_of(out);
}

void fleet_keys(const struct fleet *fleet, const char *account,
    struct fleet_keys *out)
{
	char leaf[KEYRING_LEAF_MAX_BYTES + 1];

	(void)!keyring_leaf(span_of(account), leaf);
	out->record = fleet_key(fleet, "record/", leaf, out->bytes[0]);
	out->lock = fleet_key(fleet, "lock/", leaf, out->bytes[1]);
	out->sent = fleet_key(fleet, "sent/", leaf, out->bytes[2]);
}

void fleet_set_state(struct fleet *fleet, enum fleet_state state,
    const char *text)
{
	char said[400];
	bool news = state != fleet->state || strcmp(text, fleet->text) != 0;

	fleet->state = state;
	(void)snprintf(fleet->text, sizeof(fleet->text), "%s", text);
	if (!news || state == FLEET_CATCHING_UP)
		return;
	(void)snprintf(said, sizeof(said), "%s%s",
	    state == FLEET_AWAY ?
		"tokens that are here are served, nothing is renewed: " :
		"in step with the other relays, through ",
	    state == FLEET_AWAY ? text : fleet->url);
	fleet->o.calls->say(fleet->o.ctx, state == FLEET_AWAY, said);
}

void fleet_heard(struct fleet *fleet, const struct etcd_answer *answer)
{
	if (answer->url != NULL)
		(void)snprintf(fleet->url, sizeof(fleet->url), "%s",
		    answer->url);
	if (answer->ok && answer->revision > fleet->newest)
		fleet->newest = answer->revision;
}

int64_t fleet_lease_left_ms(const struct fleet *fleet)
{
	return fleet->lease == 0 ?
	    0 :
	    fleet->lease_ends_ms - fleet->o.calls->now_ms();
}

const char *fleet_away(const struct fleet *fleet)
{
	if (fleet->state == FLEET_IN_STEP)
		return NULL;
	return fleet->state == FLEET_AWAY ?
	    fleet->text :
	    "what the relays share is not read yet";
}

void fleet_is_away(struct fleet *fleet, const char *text)
{
	fleet_set_state(fleet, FLEET_AWAY, text);
	fleet_later(&fleet->retry, FLEET_RETRY_MS);
	fleet_turns_again(fleet, NULL);
}

/* What was made anew has another name, though it may call its cluster the
 * same. */

static void named(void *ctx, const struct etcd_answer *answer)
{
	struct fleet *fleet = ctx;

	fleet->call = NULL;
	fleet_heard(fleet, answer);
	if (!answer->ok) {
		fleet_is_away(fleet, answer->text);
		return;
	}
	if (answer->n_kvs > 0)
		(void)snprintf(fleet->store, sizeof(fleet->store), "%.*s",
		    (int)answer->kvs[0].value.n, answer->kvs[0].value.p);
	fleet->cluster = strtoull(fleet->store, NULL, 16);
	join(fleet);
}

static void name_store(struct fleet *fleet)
{
	char key[FLEET_KEY_MAX_BYTES], name[24];
	const struct etcd_compare compare = {
		fleet_key(fleet, "store", "", key), 0
	};
	struct etcd_op ops[] = {
		{ .kind = ETCD_PUT, .key = compare.key },
		{ .kind = ETCD_GET, .key = compare.key },
	};
	const struct etcd_txn txn = { &compare, 1, ops, 2, &ops[1], 1 };
	uint64_t random = 0;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random)) {
		fleet_later(&fleet->retry, FLEET_RETRY_MS);
		return;
	}
	(void)snprintf(name, sizeof(name), "%llx",
	    (unsigned long long)random | 1);
	ops[0].value = span_of(name);
	if (etcd_txn(fleet->etcd, &txn, named, fleet, &fleet->call) !=
	    FAULT_NONE)
		fleet_later(&fleet->retry, FLEET_RETRY_MS);
}

/* The lease. */

static void leased(void *ctx, const struct etcd_answer *answer)
{
	struct fleet *fleet = ctx;

	fleet->call = NULL;
	fleet_heard(fleet, answer);
	if (!answer->ok) {
		fleet_later(&fleet->keep, FLEET_RETRY_MS);
		if (fleet->watch == NULL || fleet_lease_left_ms(fleet) <= 0)
			fleet_is_away(fleet, answer->text);
		return;
	}
	if (answer->ttl_s <= 0) {
		/* What it held is not held any more. */
		fleet->lease = 0;
		join(fleet);
		return;
	}
	fleet->lease = answer->lease;
	fleet->lease_ends_ms = fleet->asked_ms + answer->ttl_s * 1000;
	/* It may have been asked before a suspend. */
	fleet_later(&fleet->keep,
	    fleet_lease_left_ms(fleet) > FLEET_EXCHANGE_MS ? FLEET_KEEP_MS :
							     FLEET_RETRY_MS);
	fleet_turns_again(fleet, NULL);
	if (fleet->live_from != 0)
		fleet_in_step(fleet);
	else if (fleet->watch == NULL)
		join(fleet);
}

static void ask_lease(struct fleet *fleet)
{
	const struct etcd_lease keep = { ETCD_KEEP, fleet->lease };
	const struct etcd_lease grant = { ETCD_GRANT, FLEET_LEASE_S };

	fleet->asked_ms = fleet->o.calls->now_ms();
	if (etcd_lease(fleet->etcd, fleet->lease != 0 ? &keep : &grant, leased,
		fleet, &fleet->call) != FAULT_NONE)
		fleet_later(&fleet->retry, FLEET_RETRY_MS);
}

/* The next that is missing. */
static void join(struct fleet *fleet)
{
	if (fleet->call != NULL || fleet->leaving)
		return;
	if (fleet_lease_left_ms(fleet) <= 0) {
		ask_lease(fleet);
	} else if (fleet->watch == NULL && fleet->store[0] == '\0') {
		name_store(fleet);
	} else if (fleet->watch == NULL) {
		if (fleet->state != FLEET_CATCHING_UP)
			fleet_set_state(fleet, FLEET_CATCHING_UP, "");
		fleet_list(fleet);
	}
}

static void try_again(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	join(ctx);
}

static void keep(evutil_socket_t fd, short what, void *ctx)
{
	struct fleet *fleet = ctx;

	(void)fd;
	(void)what;
	if (fleet->call != NULL)
		fleet_later(&fleet->keep, FLEET_RETRY_MS);
	else if (!fleet->leaving)
		ask_lease(fleet);
}

void fleet_clock_jumped(struct fleet *fleet)
{
	if (fleet != NULL && fleet->lease != 0)
		fleet_later(&fleet->keep, 0);
}

void fleet_look_at_lease(struct fleet *fleet)
{
	if (fleet->call == NULL && fleet->lease != 0 && !fleet->leaving &&
	    fleet->o.calls->now_ms() - fleet->asked_ms >= FLEET_RETRY_MS)
		ask_lease(fleet);
}

/* Copies of a machine have one name, and inodes of their keyrings that are the
 * same; not the time since which they run. */
static void name_relay(struct fleet *fleet)
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	char boot[BOOT_ID_BYTES] = "";
	struct utsname host;

	if (fd >= 0) {
		(void)!read(fd, boot, sizeof(boot) - 1);
		(void)close(fd);
	}

	if (uname(&host) != 0)
		(void)snprintf(host.nodename, sizeof(host.nodename), "a relay");
	attr_plain(span_of(host.nodename), fleet->name, sizeof(fleet->name));
	(void)snprintf(fleet->id, sizeof(fleet->id), "%s#%llx-%s", fleet->name,
	    (unsigned long long)keyring_id(fleet->o.keyring), boot);
}

enum fault fleet_new(const struct fleet_options *options,
    struct fleet **fleet_out, struct why *why)
{
	const struct fleet_settings *settings = options->settings;
	const struct etcd_options to = {
		.base = options->base,
		.http = options->http,
		.urls = (const char *const *)settings->urls,
		.n_urls = settings->n_urls,
		.user = settings->user,
		.password_file = settings->password_file,
		.ca_file = settings->ca_file,
		.certificate = settings->certificate,
		.certificate_key = settings->certificate_key,
	};
	struct fleet *fleet = calloc(1, sizeof(*fleet));

	if (fleet == NULL || etcd_new(&to, &fleet->etcd) != FAULT_NONE) {
		free(fleet);
		why_set(why, 0, "%s", fault_text(FAULT_NOMEM));
		return FAULT_NOMEM;
	}
	fleet->o = *options;
	name_relay(fleet);
	(void)evtimer_assign(&fleet->retry, options->base, try_again, fleet);
	(void)evtimer_assign(&fleet->keep, options->base, keep, fleet);
	(void)evtimer_assign(&fleet->grace, options->base,
	    fleet_watch_lost_for_long, fleet);
	(void)!getrandom(&fleet->n_before, sizeof(uint32_t), 0);
	fleet->n_turns = fleet->n_before;
	fleet->state = FLEET_CATCHING_UP;
	fleet->last = &fleet->ready;
	fleet_later(&fleet->retry, 0);
	*fleet_out = fleet;
	return FAULT_NONE;
}

static void left(void *ctx, const struct etcd_answer *answer)
{
	struct fleet *fleet = ctx;

	(void)answer;
	fleet->call = NULL;
	fleet->left = true;
}

bool fleet_leave(struct fleet *fleet)
{
	const struct etcd_lease revoke = { ETCD_REVOKE, fleet->lease };

	if (!fleet->leaving) {
		etcd_cancel(fleet->call);
		fleet->call = NULL;
	}
	fleet->leaving = true;
	if (fleet->left || fleet->state != FLEET_IN_STEP)
		return true;
	if (fleet->jobs != NULL || fleet->turns != NULL || fleet->call != NULL)
		return false;
	fleet->left = fleet->lease == 0 ||
	    etcd_lease(fleet->etcd, &revoke, left, fleet, &fleet->call) !=
		FAULT_NONE;
	return fleet->left;
}

void fleet_stop(struct fleet *fleet)
{
	if (fleet == NULL)
		return;
	fleet_jobs_drop(fleet);
	fleet->over = true;
}

void fleet_free(struct fleet *fleet)
{
	if (fleet == NULL)
		return;
	fleet_turns_drop(fleet);
	etcd_watch_stop(fleet->watch);
	etcd_cancel(fleet->call);
	etcd_free(fleet->etcd);
	(void)evtimer_del(&fleet->retry);
	(void)evtimer_del(&fleet->keep);
	(void)evtimer_del(&fleet->grace);
	fleet_locks_drop(fleet);
	free(fleet);
}

static void count_unput(struct fleet *fleet, const char *account,
    struct fleet_base *base)
{
	(void)account;
	fleet->counts.unput += base->unput;
}

void fleet_health(struct fleet *fleet, struct fleet_health *health_out)
{
	const struct fleet_lock *lock;
	int64_t now_ms = fleet->o.calls->now_ms();

	/* Anybody may ask, as often as he likes. */
	if (now_ms - fleet->counted_ms >= COUNT_MS) {
		fleet->counts.unput = 0;
		fleet->o.calls->each(fleet->o.ctx, count_unput, fleet);
		fleet->counted_ms = now_ms;
	}
	*health_out = fleet->counts;
	health_out->state = fleet->state;
	health_out->text = fleet->state == FLEET_AWAY ? fleet->text :
							fleet->unput;
	health_out->url = fleet->url[0] != '\0' ? fleet->url : NULL;
	health_out->name = fleet->name;
	health_out->revision = fleet->told;
	health_out->behind = fleet->newest - fleet->told;
	for (lock = fleet->locks; lock != NULL; lock = lock->next)
		health_out->locks += lock->turn != 0;
}

const char *fleet_state_word(enum fleet_state state)
{
	static const char *const words[] = {
		[FLEET_AWAY] = "away",
		[FLEET_CATCHING_UP] = "catching-up",
		[FLEET_IN_STEP] = "in-step",
	};

	return words[state];
}
