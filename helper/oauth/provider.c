/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A profile while it is being written: making, setting, sharing, freeing.
 * provider_finish.c completes and checks it, provider_host.c reads hosts.
 */
#include "oauth/provider.h"

#include <stdlib.h>

#include "oauth/assertion.h"
#include "oauth/presets.h"
#include "oauth/provider_impl.h"
#include "wire/attr.h"

/* All keys whose value is one string; form says which bytes it may have. */
enum value_form {
	VALUE_TEXT, /* printable ASCII and blanks */
	VALUE_WORD, /* printable ASCII */
	VALUE_PATH, /* any bytes, absolute */
	VALUE_URL
};

static const struct {
	const char *key;
	size_t offset;
	enum value_form form;
} keys[] = {
	{ "issuer", offsetof(struct provider, issuer), VALUE_URL },
	{ "authorization_endpoint",
	    offsetof(struct provider, authorization_endpoint), VALUE_URL },
	{ "token_endpoint", offsetof(struct provider, token_endpoint),
	    VALUE_URL },
	{ "device_authorization_endpoint",
	    offsetof(struct provider, device_authorization_endpoint),
	    VALUE_URL },
	{ "revocation_endpoint", offsetof(struct provider, revocation_endpoint),
	    VALUE_URL },
	{ "registration_endpoint",
	    offsetof(struct provider, registration_endpoint), VALUE_URL },
	{ "client_id", offsetof(struct provider, client_id), VALUE_TEXT },
	{ "tenant", offsetof(struct provider, tenant), VALUE_WORD },
	{ "cloud", offsetof(struct provider, raw[PROVIDER_RAW_CLOUD]),
	    VALUE_WORD },
	{ "scope", offsetof(struct provider, scope), VALUE_TEXT },
	{ "protocols", offsetof(struct provider, protocols), VALUE_TEXT },
	{ "assertion_file", offsetof(struct provider, assertion_file),
	    VALUE_PATH },
	{ "ca_file", offsetof(struct provider, ca_file), VALUE_PATH },
	{ "ca_path", offsetof(struct provider, ca_path), VALUE_PATH },
	{ "proxy", offsetof(struct provider, proxy), VALUE_TEXT },
};

#define N_KEYS (sizeof(keys) / sizeof(keys[0]))

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
	return (char **)(void *)((char *)provider + keys[i].offset);
}

char **provider_key_slot(struct provider *provider, const char *key)
{
	size_t i;

	for (i = 0; i < N_KEYS; i++)
		if (strcmp(keys[i].key, key) == 0)
			return slot_at(provider, i);
	return NULL;
}

enum fault provider_copy_keys(const struct provider *from, struct provider *to)
{
	size_t i;

	for (i = 0; i < N_KEYS; i++) {
		const char *const *slot = (const void *)((const char *)from +
		    keys[i].offset);

		if (provider_put(slot_at(to, i), *slot))
			return FAULT_NOMEM;
	}
	return FAULT_NONE;
}

bool provider_known(const char *preset)
{
	return preset_find(preset) != NULL;
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
	provider->family = row != NULL ? row->family : PROVIDER_STANDARD;
	if (provider_put(&provider->name, name) != FAULT_NONE ||
	    provider_put(&provider->preset, preset) != FAULT_NONE ||
	    provider_put(&provider->title, row != NULL ? row->title : name) !=
		FAULT_NONE) {
		provider_release(provider);
		return FAULT_NOMEM;
	}
	*provider_out = provider;
	return FAULT_NONE;
}

static bool is_text(const char *value)
{
	size_t i;

	for (i = 0; value[i] != '\0'; i++)
		if (value[i] < 0x20 || value[i] > 0x7e)
			return false;
	return i <= PROVIDER_VALUE_MAX_BYTES;
}

static bool is_tenant(const char *value)
{
	static const char legal[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-";
	size_t n = strlen(value);

	return n >= 1 && n <= 255 && strspn(value, legal) == n;
}

enum fault provider_protocols_check(const struct provider *provider,
    const char *value, struct why *why)
{
	static const char *const known[] = { "smtp", "imap", "pop" };
	const char *p = value;
	size_t n, i, words = 0;

	for (;; words++) {
		p += strspn(p, " ");
		n = strcspn(p, " ");
		if (n == 0)
			break;
		for (i = 0; i < 3; i++)
			if (span_is((struct span){ p, n }, known[i]))
				break;
		if (i == 3) {
			why_set(why, 0,
			    "provider '%s': protocols has a word that is none "
			    "of smtp, imap and pop",
			    provider->name);
			return FAULT_GRAMMAR;
		}
		p += n;
	}
	if (words > 0)
		return FAULT_NONE;
	why_set(why, 0,
	    "provider '%s': protocols is empty: name one or more of smtp, imap "
	    "and pop",
	    provider->name);
	return FAULT_GRAMMAR;
}

static enum fault check_form(const struct provider *provider, const char *key,
    enum value_form form, const char *value, struct why *why)
{
	switch (form) {
	case VALUE_URL: return provider_url_check(provider, key, value, why);
	case VALUE_PATH:
		if (value[0] == '/' &&
		    strlen(value) <= PROVIDER_VALUE_MAX_BYTES)
			return FAULT_NONE;
		why_set(why, 0,
		    "provider '%s': %s must be a whole path that begins with "
		    "'/'",
		    provider->name, key);
		return FAULT_GRAMMAR;
	case VALUE_WORD:
	case VALUE_TEXT: break;
	}
	if (is_text(value) &&
	    (form != VALUE_WORD || strchr(value, ' ') == NULL))
		return FAULT_NONE;
	why_set(why, 0,
	    "provider '%s': %s is too long or has a byte that cannot be there",
	    provider->name, key);
	return FAULT_GRAMMAR;
}

static enum fault check_value(const struct provider *provider, const char *key,
    const char *value, struct why *why)
{
	if (strcmp(key, "tenant") == 0 && !is_tenant(value)) {
		why_set(why, 0,
		    "provider '%s': tenant must be a domain, a GUID, or "
		    "common, organizations or consumers",
		    provider->name);
		return FAULT_GRAMMAR;
	}
	/* RFC 8414 section 2 */
	if (strcmp(key, "issuer") == 0 && strchr(value, '?') != NULL) {
		why_set(why, 0,
		    "provider '%s': issuer must be 'https://', a host and a "
		    "path, without '?'",
		    provider->name);
		return FAULT_GRAMMAR;
	}
	if (strcmp(key, "client_id") == 0 && value[0] == '\0') {
		why_set(why, 0,
		    "provider '%s': client_id is empty: write the id of the "
		    "application you registered",
		    provider->name);
		return FAULT_GRAMMAR;
	}
	if (strcmp(key, "protocols") == 0)
		return provider_protocols_check(provider, value, why);
	return FAULT_NONE;
}

static enum fault set_flow(struct provider *provider, const char *value,
    struct why *why)
{
	if (flow_kind_from_word(span_of(value), &provider->flow) == FAULT_NONE)
		return FAULT_NONE;
	why_set(why, 0,
	    "provider '%s': flow must be 'device', 'browser', "
	    "'client-credentials' or 'service-account'",
	    provider->name);
	return FAULT_GRAMMAR;
}

static enum fault set_min_validity(struct provider *provider, const char *value,
    struct why *why)
{
	if (attr_number(span_of(value), 0, PROVIDER_MIN_VALIDITY_MAX_S,
		&provider->min_validity_s) == FAULT_NONE)
		return FAULT_NONE;
	why_set(why, 0,
	    "provider '%s': min_validity must be a number of seconds from 0 to "
	    "%d",
	    provider->name, PROVIDER_MIN_VALIDITY_MAX_S);
	return FAULT_GRAMMAR;
}

static enum fault set_redirect_port(struct provider *provider,
    const char *value, struct why *why)
{
	int64_t port;

	if (attr_number(span_of(value), 0, UINT16_MAX, &port) == FAULT_NONE) {
		provider->redirect_port = (uint16_t)port;
		return FAULT_NONE;
	}
	why_set(why, 0,
	    "provider '%s': redirect_port must be a port from 1 to 65535, or 0 "
	    "for any that is free",
	    provider->name);
	return FAULT_GRAMMAR;
}

enum fault provider_set(struct provider *provider, const char *key,
    const char *value, struct why *why)
{
	enum fault fault;
	size_t i;

	if (strcmp(key, "flow") == 0)
		return set_flow(provider, value, why);
	if (strcmp(key, "min_validity") == 0)
		return set_min_validity(provider, value, why);
	if (strcmp(key, "redirect_port") == 0)
		return set_redirect_port(provider, value, why);
	for (i = 0; i < N_KEYS; i++)
		if (strcmp(keys[i].key, key) == 0)
			break;
	if (i == N_KEYS) {
		why_set(why, 0, "provider '%s': unknown key", provider->name);
		return FAULT_NOT_FOUND;
	}
	fault = check_form(provider, key, keys[i].form, value, why);
	if (fault)
		return fault;
	fault = check_value(provider, key, value, why);
	if (fault)
		return fault;
	return provider_put(slot_at(provider, i), value);
}

enum fault provider_add_server(struct provider *provider, const char *server,
    struct why *why)
{
	const char *name = strncmp(server, "*.", 2) == 0 ? server + 2 : server;

	if (!attr_is_host(span_of(name)) || name[0] == '.') {
		why_set(why, 0,
		    "provider '%s': servers has a name that is neither a host "
		    "name nor '*.' and a domain",
		    provider->name);
		return FAULT_GRAMMAR;
	}
	if (provider->n_servers == PROVIDER_SERVERS_MAX) {
		why_set(why, 0, "provider '%s': servers has more than %d names",
		    provider->name, PROVIDER_SERVERS_MAX);
		return FAULT_TOO_BIG;
	}
	if (provider_put(&provider->servers[provider->n_servers], server))
		return FAULT_NOMEM;
	provider->n_servers++;
	return FAULT_NONE;
}

/* The fields of the grants themselves must not stand in a form twice. */
static bool is_own_field(const char *name)
{
	static const char *const own[] = {
		"grant_type",
		"client_id",
		"client_secret",
		"scope",
		"refresh_token",
		"device_code",
		"code",
		"code_verifier",
		"redirect_uri",
		"client_assertion",
		"client_assertion_type",
		"token",
		"token_type_hint",
		"assertion",
		"login_hint",
		"state",
		"response_type",
		"code_challenge",
		"code_challenge_method",
	};
	size_t i;

	for (i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (strcmp(own[i], name) == 0)
			return true;
	return false;
}

enum fault provider_add_extra(struct provider *provider, const char *name,
    const char *value, struct why *why)
{
	struct provider_pair pair = { NULL, NULL };
	size_t i;

	if (!attr_is_token(span_of(name), 64) || is_own_field(name) ||
	    value[0] == '\0' || !is_text(value)) {
		why_set(why, 0,
		    "provider '%s': extra needs name=value with a name that is "
		    "no field of OAuth itself",
		    provider->name);
		return FAULT_GRAMMAR;
	}
	for (i = 0; i < provider->n_extra; i++) {
		if (strcmp(provider->extra[i].name, name) != 0)
			continue;
		why_set(why, 0, "provider '%s': extra has a name twice",
		    provider->name);
		return FAULT_GRAMMAR;
	}
	if (provider->n_extra == PROVIDER_EXTRA_MAX) {
		why_set(why, 0, "provider '%s': extra has more than %d fields",
		    provider->name, PROVIDER_EXTRA_MAX);
		return FAULT_TOO_BIG;
	}
	if (provider_put(&pair.name, name) ||
	    provider_put(&pair.value, value)) {
		free(pair.name);
		return FAULT_NOMEM;
	}
	provider->extra[provider->n_extra++] = pair;
	return FAULT_NONE;
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
	for (i = 0; i < N_KEYS; i++)
		free(*slot_at(provider, i));
	for (i = 0; i < provider->n_servers; i++)
		free(provider->servers[i]);
	for (i = 0; i < provider->n_extra; i++) {
		free(provider->extra[i].name);
		free(provider->extra[i].value);
	}
	secret_free(provider->client_secret);
	assertion_key_release(provider->key);
	free(provider->covers);
	free(provider->scopes_supported);
	free(provider->authorize_extra);
	free(provider->no_device);
	free(provider->sign_out_page);
	free(provider->title);
	free(provider->preset);
	free(provider->name);
	free(provider);
}
