/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The values of a profile: one table says what each may be, what is copied,
 * filled in and freed.  provider_finish.c knows what follows from them.
 */
#include "oauth/provider.h"

#include <stdlib.h>

#include "oauth/assertion.h"
#include "oauth/form.h"
#include "oauth/provider_impl.h"
#include "oauth/url.h"
#include "wire/attr.h"

#define MIN_VALIDITY_MAX_S 86400

#define AT(member) #member, offsetof(struct provider, member)

/* All strings that a profile owns. */
static const struct {
	const char *key;
	size_t offset;
	enum provider_form form;
	bool is_found; /* in the metadata of an issuer */
} strings[] = {
	{ AT(name), FORM_OWN, false },
	{ AT(issuer), FORM_ISSUER, false },
	{ AT(authorization_endpoint), FORM_URL, true },
	{ AT(token_endpoint), FORM_URL, true },
	{ AT(token_host), FORM_OWN, false },
	{ AT(device_authorization_endpoint), FORM_URL, true },
	{ AT(revocation_endpoint), FORM_URL, true },
	{ AT(registration_endpoint), FORM_URL, true },
	{ AT(userinfo_endpoint), FORM_URL, true },
	{ AT(scopes_supported), FORM_TEXT, true },
	{ AT(client_id), FORM_ID, false },
	{ AT(tenant), FORM_TENANT, false },
	{ AT(cloud), FORM_WORD, false },
	{ AT(redirect_uri), FORM_URI, false },
	{ AT(scope), FORM_TEXT, false },
	{ AT(protocols), FORM_PROTOCOLS, false },
	{ AT(covers), FORM_OWN, false },
	{ AT(servers), FORM_SERVERS, false },
	{ AT(extra), FORM_OWN, false },
	{ AT(assertion_file), FORM_PATH, false },
	{ AT(ca_file), FORM_PATH, false },
	{ AT(ca_path), FORM_PATH, false },
	{ AT(proxy), FORM_TEXT, false },
};

#define N_STRINGS (sizeof(strings) / sizeof(strings[0]))

enum fault provider_put(char **slot, const char *text)
{
	char *copy = NULL;

	if (text != NULL) {
		copy = strdup(text);
		if (copy == NULL)
			return FAULT_NOMEM;
	}
	free(*slot);
	*slot = copy;
	return FAULT_NONE;
}

static char **slot_at(struct provider *provider, size_t i)
{
	return (char **)(void *)((char *)provider + strings[i].offset);
}

enum fault provider_new(const char *name, const char *preset,
    struct provider **provider_out)
{
	const struct preset *row = NULL;
	struct provider *provider;

	if (preset != NULL) {
		row = preset_find(preset);
		if (row == NULL)
			return FAULT_NOT_FOUND;
	}
	provider = calloc(1, sizeof(*provider));
	if (provider == NULL)
		return FAULT_NOMEM;
	provider->users = 1;
	provider->row = row;
	provider->preset = row != NULL ? row->value : NULL;
	if (provider_put(&provider->name, name) != FAULT_NONE) {
		provider_release(provider);
		return FAULT_NOMEM;
	}
	*provider_out = provider;
	return FAULT_NONE;
}

enum fault provider_copy(const struct provider *from,
    struct provider **copy_out)
{
	struct provider *copy = malloc(sizeof(*copy));
	enum fault fault;
	char **slot;
	size_t i;

	if (copy == NULL)
		return FAULT_NOMEM;
	*copy = *from;
	copy->users = 1;
	copy->key = assertion_key_share(from->key);
	copy->client_secret = NULL;
	fault = provider_set_secret(copy, from->client_secret);
	for (i = 0; i < N_STRINGS; i++) {
		slot = slot_at(copy, i);
		if (*slot == NULL)
			continue;
		*slot = strdup(*slot);
		if (*slot == NULL)
			fault = FAULT_NOMEM;
	}
	if (fault != FAULT_NONE) {
		provider_release(copy);
		return fault;
	}
	*copy_out = copy;
	return FAULT_NONE;
}

static enum fault bad(const struct provider *provider, const char *key,
    const char *text, struct why *why)
{
	why_set(why, 0, "provider '%s': %s %s", provider->name, key, text);
	return FAULT_GRAMMAR;
}

static enum fault put(struct provider *provider, size_t i, const char *value)
{
	char **slot = slot_at(provider, i), *host = NULL;
	enum fault fault = FAULT_NONE;

	if (slot == &provider->token_endpoint)
		fault = url_host(value, &host);
	if (fault == FAULT_NONE)
		fault = provider_put(slot, value);
	if (host != NULL) {
		free(provider->token_host);
		provider->token_host = host;
	}
	return fault;
}

static enum fault set_string(struct provider *provider, const char *key,
    const char *value, struct why *why)
{
	const char *text;
	size_t i;

	for (i = 0; i < N_STRINGS; i++)
		if (strings[i].form != FORM_OWN &&
		    strcmp(strings[i].key, key) == 0)
			break;
	if (i == N_STRINGS) {
		why_set(why, 0, "provider '%s': unknown key", provider->name);
		return FAULT_NOT_FOUND;
	}
	text = provider_complaint(strings[i].form, value);
	return text != NULL ? bad(provider, key, text, why) :
			      put(provider, i, value);
}

/* The name needs no encoding. */
static enum fault add_extra(struct provider *provider, const char *field,
    struct why *why)
{
	const char *text = provider_complaint(FORM_FIELD, field);
	struct span name = { field, strcspn(field, "=") };
	struct buf form = BUF_INIT(PROVIDER_VALUE_MAX_BYTES);
	enum fault fault;

	if (text == NULL && form_has(provider->extra, name))
		text = "has a name twice";
	if (text != NULL)
		return bad(provider, "extra", text, why);
	if (provider->extra != NULL) {
		buf_add_str(&form, provider->extra);
		buf_add_lit(&form, "&");
	}
	buf_add(&form, name);
	buf_add_lit(&form, "=");
	form_encode(&form, span_of(field + name.n + 1));
	fault = buf_fault(&form);
	if (fault == FAULT_NONE)
		fault = provider_put(&provider->extra, form.p);
	else if (fault == FAULT_TOO_BIG)
		fault = bad(provider, "extra", "is too long", why);
	buf_drop(&form);
	return fault;
}

enum fault provider_set(struct provider *provider, const char *key,
    const char *value, struct why *why)
{
	struct span text = span_of(value);
	int64_t port;

	if (strcmp(key, "extra") == 0)
		return add_extra(provider, value, why);
	if (strcmp(key, "flow") == 0)
		return flow_kind_from_word(text, &provider->flow) ?
		    bad(provider, key,
			"must be 'device', 'browser', 'client-credentials' or "
			"'service-account'",
			why) :
		    FAULT_NONE;
	if (strcmp(key, "min_validity") == 0)
		return attr_number(text, 0, MIN_VALIDITY_MAX_S,
			   &provider->min_validity_s) ?
		    bad(provider, key,
			"must be a number of seconds from 0 to 86400", why) :
		    FAULT_NONE;
	if (strcmp(key, "redirect_port") != 0)
		return set_string(provider, key, value, why);
	if (attr_number(text, 0, UINT16_MAX, &port))
		return bad(provider, key,
		    "must be a port from 1 to 65535, or 0 for any that is "
		    "free",
		    why);
	provider->redirect_port = (uint16_t)port;
	return FAULT_NONE;
}

static enum fault expand_tenant(struct provider *provider, size_t i,
    struct why *why)
{
	static const char mark[] = "{tenant}";
	const char *p = *slot_at(provider, i), *at;
	struct buf out = BUF_INIT(URL_MAX_BYTES);
	enum fault fault;

	if (p == NULL || strstr(p, mark) == NULL)
		return FAULT_NONE;
	if (provider->tenant == NULL) {
		why_set(why, 0,
		    "provider '%s': %s has {tenant} but there is no tenant: "
		    "write tenant ...",
		    provider->name, strings[i].key);
		return FAULT_CONFIG_ERROR;
	}
	while ((at = strstr(p, mark)) != NULL) {
		buf_add(&out, (struct span){ p, (size_t)(at - p) });
		buf_add_str(&out, provider->tenant);
		p = at + sizeof(mark) - 1;
	}
	buf_add_str(&out, p);
	fault = buf_fault(&out);
	if (fault == FAULT_NONE)
		fault = put(provider, i, out.p);
	buf_drop(&out);
	if (fault != FAULT_TOO_BIG)
		return fault;
	why_set(why, 0, "provider '%s': %s is too long", provider->name,
	    strings[i].key);
	return FAULT_CONFIG_ERROR;
}

enum fault provider_fill(struct provider *provider,
    const struct provider *found, struct why *why)
{
	enum fault fault = FAULT_NONE;
	const char *value;
	size_t i;

	for (i = 0; i < N_STRINGS && fault == FAULT_NONE; i++) {
		if (*slot_at(provider, i) != NULL)
			continue;
		value = preset_value(provider->row, strings[i].key);
		if (value == NULL && found != NULL && strings[i].is_found)
			value = *slot_at((struct provider *)(uintptr_t)found,
			    i);
		if (value != NULL)
			fault = put(provider, i, value);
	}
	for (i = 0; i < N_STRINGS && fault == FAULT_NONE; i++)
		if (strings[i].form == FORM_URL ||
		    strings[i].form == FORM_ISSUER)
			fault = expand_tenant(provider, i, why);
	return fault;
}

bool provider_serves(const struct provider *provider, struct span account,
    const char *extra_servers, struct span server)
{
	const char *at = account.n > 0 ? memrchr(account.p, '@', account.n) :
					 NULL;

	if (!attr_is_host(server))
		return false;
	if (url_is_listed(server, provider->servers) ||
	    url_is_listed(server, extra_servers))
		return true;
	return provider->servers == NULL && at != NULL &&
	    url_is_in(server,
		(struct span){ at + 1,
		    account.n - (size_t)(at + 1 - account.p) });
}

enum fault provider_token_host(const struct provider *provider, char **host_out)
{
	if (provider->token_host == NULL)
		return FAULT_NOT_FOUND;
	*host_out = NULL;
	return provider_put(host_out, provider->token_host);
}

enum fault provider_set_secret(struct provider *provider,
    const struct secret *secret)
{
	struct secret *copy = NULL;
	enum fault fault;

	if (secret_bytes(secret) > 0) {
		fault = secret_copy(secret, &copy);
		if (fault)
			return fault;
	}
	secret_free(provider->client_secret);
	provider->client_secret = copy;
	return FAULT_NONE;
}

void provider_set_key(struct provider *provider, struct assertion_key *key)
{
	assertion_key_release(provider->key);
	provider->key = assertion_key_share(key);
}

struct provider *provider_share(struct provider *provider)
{
	provider->users++;
	return provider;
}

void provider_release(struct provider *provider)
{
	size_t i;

	if (provider == NULL || --provider->users > 0)
		return;
	for (i = 0; i < N_STRINGS; i++)
		free(*slot_at(provider, i));
	secret_free(provider->client_secret);
	assertion_key_release(provider->key);
	free(provider);
}
