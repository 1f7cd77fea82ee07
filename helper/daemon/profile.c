/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Three steps, each of which may be none: discover, change, register.
 */
#include "daemon/profile.h"

#include <stdlib.h>

#include "daemon/issuers.h"
#include "oauth/registration.h"

struct profile {
	struct engine *engine;
	struct provider *provider;
	char *protocols;
	char *client_id; /* of an earlier sign-in, or NULL */
	char *client_issuer;
	struct secret *client_secret;
	bool by_basic;
	int64_t registered_s;
	int64_t secret_expires_s;
	const char *anew; /* why the earlier client is of no use, or NULL */
	bool reused;
	struct issuers_waiter *waiter;
	struct registration_request *request;
	profile_fn *fn;
	void *ctx;
	bool starting; /* profile_start() is on the stack */
	bool ended;
};

static void profile_end(struct profile *profile, enum fault fault,
    const char *text)
{
	struct profile_end end = { .fault = fault, .text = text };

	profile->ended = true;
	if (fault == FAULT_NONE) {
		end.provider = profile->provider;
		profile->provider = NULL;
		end.registered_s = profile->registered_s;
		end.secret_expires_s = profile->secret_expires_s;
		end.reused = profile->reused;
		end.anew = profile->registered_s > 0 ? profile->anew : NULL;
	}
	profile->fn(profile->ctx, &end);
}

static void end_why(struct profile *profile, enum fault fault,
    const struct why *why)
{
	if (fault == FAULT_CONFIG_ERROR || fault == FAULT_GRAMMAR)
		profile_end(profile,
		    fault == FAULT_GRAMMAR ? FAULT_BAD_REQUEST : fault,
		    why->text);
	else
		profile_end(profile, FAULT_INTERNAL, fault_text(fault));
}

static enum fault change(struct profile *profile,
    const struct provider_change *wanted, struct why *why)
{
	struct provider *changed;
	enum fault fault;

	fault = provider_change(profile->provider, wanted, &changed, why);
	if (fault != FAULT_NONE)
		return fault;
	provider_release(profile->provider);
	profile->provider = changed;
	return FAULT_NONE;
}

static void use_client(struct profile *profile, const char *client_id,
    const struct secret *client_secret, enum secret_way way)
{
	const struct provider_change client = {
		.client_id = client_id,
		.client_secret = client_secret,
		.secret_way = way,
	};
	struct why why = { .err = 0, .text = "" };
	enum fault fault;

	fault = change(profile, &client, &why);
	if (fault == FAULT_NONE)
		profile_end(profile, FAULT_NONE, NULL);
	else
		end_why(profile, fault, &why);
}

static void registered(void *ctx, const struct registration_end *end)
{
	struct profile *profile = ctx;

	if (end->made == NULL) {
		profile_end(profile,
		    end->is_final ? FAULT_CONFIG_ERROR : FAULT_TRY_LATER,
		    end->text);
		return;
	}
	profile->registered_s = clock_wall_s();
	profile->secret_expires_s = end->made->secret_expires_s;
	use_client(profile, end->made->client_id, end->made->client_secret,
	    end->made->secret_way);
}

static bool is_old_client_good(const struct profile *profile)
{
	const char *issuer = profile->provider->issuer;

	return profile->client_id != NULL && issuer != NULL &&
	    profile->client_issuer != NULL &&
	    strcmp(issuer, profile->client_issuer) == 0;
}

static void get_client(struct profile *profile)
{
	enum fault fault;

	if (!profile->provider->registers) {
		profile->registered_s = 0;
		profile_end(profile, FAULT_NONE, NULL);
		return;
	}
	if (is_old_client_good(profile)) {
		profile->reused = true;
		use_client(profile, profile->client_id, profile->client_secret,
		    profile->by_basic ? SECRET_WAY_BASIC : SECRET_WAY_UNKNOWN);
		return;
	}
	fault = registration_start(profile->engine->http, profile->provider,
	    registered, profile, &profile->request);
	if (fault != FAULT_NONE)
		profile_end(profile, FAULT_INTERNAL, fault_text(fault));
}

/* found is NULL where nothing had to be. */
static void proceed(struct profile *profile, const struct discovery *found)
{
	const struct provider_change wanted = {
		.found = found,
		.protocols = profile->protocols,
	};
	struct why why = { .err = 0, .text = "" };
	enum fault fault = FAULT_NONE;

	if (found != NULL || profile->protocols != NULL)
		fault = change(profile, &wanted, &why);
	if (fault == FAULT_NONE)
		get_client(profile);
	else
		end_why(profile, fault, &why);
}

static void discovered(void *ctx, const struct discovery *found,
    const char *text)
{
	struct profile *profile = ctx;

	profile->waiter = NULL;
	if (found == NULL)
		profile_end(profile, FAULT_TRY_LATER, text);
	else
		proceed(profile, found);
}

static void begin(struct profile *profile)
{
	enum fault fault;

	if (!profile->provider->incomplete) {
		proceed(profile, NULL);
		return;
	}
	fault = issuers_find(profile->engine->issuers, profile->provider,
	    discovered, profile, &profile->waiter);
	if (fault != FAULT_NONE)
		profile_end(profile, fault, fault_text(fault));
}

/* What went wrong with a client may be that its server forgot it. */
static const char *why_anew(const struct entry *entry)
{
	if (entry->client_secret_expires_s > 0 &&
	    entry->client_secret_expires_s <= clock_wall_s())
		return "the earlier registration has expired";
	return entry->state == ENTRY_CONFIG_ERROR ?
	    "the earlier registration may be what was refused" :
	    NULL;
}

static enum fault keep_client(struct profile *profile,
    const struct entry *entry)
{
	if (entry == NULL || entry->registered_s == 0 ||
	    entry->client_id == NULL || entry->issuer == NULL)
		return FAULT_NONE;
	if (profile->anew == NULL)
		profile->anew = why_anew(entry);
	if (profile->anew != NULL)
		return FAULT_NONE;
	profile->registered_s = entry->registered_s;
	profile->secret_expires_s = entry->client_secret_expires_s;
	profile->by_basic = entry->secret_by_basic != 0;
	profile->client_id = strdup(entry->client_id);
	profile->client_issuer = strdup(entry->issuer);
	if (profile->client_id == NULL || profile->client_issuer == NULL)
		return FAULT_NOMEM;
	return entry->client_secret == NULL ?
	    FAULT_NONE :
	    secret_copy(entry->client_secret, &profile->client_secret);
}

enum fault profile_start(const struct profile_wish *wish, profile_fn *fn,
    void *ctx, struct profile **profile_out)
{
	struct profile *profile = calloc(1, sizeof(*profile));
	enum fault fault;

	*profile_out = NULL;
	if (profile == NULL)
		return FAULT_NOMEM;
	profile->engine = wish->engine;
	profile->provider = provider_share(wish->provider);
	profile->fn = fn;
	profile->ctx = ctx;
	profile->anew = wish->anew;
	fault = keep_client(profile, wish->entry);
	if (fault == FAULT_NONE && wish->protocols != NULL) {
		profile->protocols = strdup(wish->protocols);
		if (profile->protocols == NULL)
			fault = FAULT_NOMEM;
	}
	if (fault != FAULT_NONE) {
		profile_free(profile);
		return fault;
	}
	profile->starting = true;
	begin(profile);
	profile->starting = false;
	if (profile->ended)
		profile_free(profile);
	else
		*profile_out = profile;
	return FAULT_NONE;
}

void profile_free(struct profile *profile)
{
	if (profile == NULL || profile->starting)
		return;
	issuers_unwait(profile->waiter);
	registration_free(profile->request);
	provider_release(profile->provider);
	secret_free(profile->client_secret);
	free(profile->client_issuer);
	free(profile->client_id);
	free(profile->protocols);
	free(profile);
}
