/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A profile while it is being written: making, setting, copying, sharing,
 * freeing.  provider_finish.c completes it.
 */
#include "oauth/provider.h"

#include <stdlib.h>
#include <strings.h>

#include "oauth/assertion.h"
#include "oauth/provider_impl.h"
#include "wire/attr.h"

enum value_form {
	VALUE_TEXT, /* printable ASCII and blanks */
	VALUE_NAME, /* the same, but not empty */
	VALUE_WORD, /* printable ASCII */
	VALUE_PATH, /* any bytes, absolute */
	VALUE_URL,
	VALUE_ISSUER,
	VALUE_TENANT,
	VALUE_PROTOCOLS,
	VALUE_URI
};

/* All strings that a profile owns; those without a key follow from others. */
static const struct {
	const char *key;
	size_t offset;
	enum value_form form;
} strings[] = {
#define AT(member) offsetof(struct provider, member)
	{ "issuer", AT(issuer), VALUE_ISSUER },
	{ "authorization_endpoint", AT(authorization_endpoint), VALUE_URL },
	{ "token_endpoint", AT(token_endpoint), VALUE_URL },
	{ "device_authorization_endpoint", AT(device_authorization_endpoint),
	    VALUE_URL },
	{ "revocation_endpoint", AT(revocation_endpoint), VALUE_URL },
	{ "registration_endpoint", AT(registration_endpoint), VALUE_URL },
	{ "client_id", AT(client_id), VALUE_NAME },
	{ "tenant", AT(tenant), VALUE_TENANT },
	{ "cloud", AT(cloud), VALUE_WORD },
	{ "redirect_uri", AT(redirect_uri), VALUE_URI },
	{ "scope", AT(scope), VALUE_TEXT },
	{ "protocols", AT(protocols), VALUE_PROTOCOLS },
	{ "assertion_file", AT(assertion_file), VALUE_PATH },
	{ "ca_file", AT(ca_file), VALUE_PATH },
	{ "ca_path", AT(ca_path), VALUE_PATH },
	{ "proxy", AT(proxy), VALUE_TEXT },
	{ NULL, AT(name), VALUE_TEXT },
	{ NULL, AT(scopes_supported), VALUE_TEXT },
	{ NULL, AT(userinfo_endpoint), VALUE_URL },
	{ NULL, AT(covers), VALUE_TEXT },
#undef AT
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

bool provider_known(const char *preset)
{
	return preset_find(preset) != NULL;
}

const char *provider_title(const char *preset)
{
	const struct preset *row = preset_find(preset);

	return row != NULL ? row->title : preset;
}

bool provider_registers_itself(const char *preset)
{
	const struct preset *row = preset_find(preset);

	return row != NULL && row->registration_endpoint != NULL;
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
	if (row != NULL) {
		provider->preset = row->name;
		provider->family = row->family;
	}
	if (provider_put(&provider->name, name) != FAULT_NONE) {
		provider_release(provider);
		return FAULT_NOMEM;
	}
	*provider_out = provider;
	return FAULT_NONE;
}

/* A string of its own in place of another's. */
static bool own(char **slot)
{
	if (*slot == NULL)
		return true;
	*slot = strdup(*slot);
	return *slot != NULL;
}

enum fault provider_copy(const struct provider *from,
    struct provider **copy_out)
{
	struct provider *copy = malloc(sizeof(*copy));
	bool good = true;
	size_t i;

	if (copy == NULL)
		return FAULT_NOMEM;
	*copy = *from;
	copy->users = 1;
	copy->key = assertion_key_share(from->key);
	for (i = 0; i < N_STRINGS; i++)
		good = own(slot_at(copy, i)) && good;
	for (i = 0; i < copy->n_servers; i++)
		good = own(&copy->servers[i]) && good;
	for (i = 0; i < copy->n_extra; i++) {
		good = own(&copy->extra[i].name) && good;
		good = own(&copy->extra[i].value) && good;
	}
	copy->client_secret = NULL;
	if (!good ||
	    provider_set_secret(copy, from->client_secret) != FAULT_NONE) {
		provider_release(copy);
		return FAULT_NOMEM;
	}
	*copy_out = copy;
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

/* One or more of the three words. */
static bool is_protocols(const char *value)
{
	const char *p = value + strspn(value, " ");

	if (*p == '\0')
		return false;
	while (*p != '\0') {
		struct span word = { p, strcspn(p, " ") };

		if (!span_is(word, "smtp") && !span_is(word, "imap") &&
		    !span_is(word, "pop"))
			return false;
		p += word.n;
		p += strspn(p, " ");
	}
	return true;
}

/* RFC 6749 section 3.1.2; also "urn:ietf:wg:oauth:2.0:oob" */
static bool is_uri(const char *value)
{
	size_t scheme = strcspn(value, ":");

	return attr_is_token(span_of(value), PROVIDER_URL_MAX_BYTES) &&
	    scheme > 0 && value[scheme] == ':' && value[scheme + 1] != '\0' &&
	    strchr(value, '#') == NULL;
}

bool provider_is_placeholder(struct span text)
{
	static const char *const begin[] = { "your_", "your-", "your " };
	static const char *const within[] = { "goes here", "goes_here",
		"goes-here", "00000000-1111-2222-3333-444444444444",
		"55555555-6666-7777-8888-999999999999",
		"00000000-0000-0000-0000-000000000000" };
	size_t i, at, n;

	for (i = 0; i < sizeof(begin) / sizeof(begin[0]); i++) {
		n = strlen(begin[i]);
		if (text.n >= n && strncasecmp(text.p, begin[i], n) == 0)
			return true;
	}
	for (i = 0; i < sizeof(within) / sizeof(within[0]); i++) {
		n = strlen(within[i]);
		for (at = 0; at + n <= text.n; at++)
			if (strncasecmp(text.p + at, within[i], n) == 0)
				return true;
	}
	return span_is(text, "...") ||
	    (text.n > 1 && text.p[0] == '<' && text.p[text.n - 1] == '>');
}

/* What is wrong with a value, in words behind the key's name; or NULL. */
static const char *complaint(enum value_form form, const char *value)
{
	switch (form) {
	case VALUE_URL:
	case VALUE_ISSUER:
		if (!provider_is_url(value))
			return "must be 'https://', a host and a path, "
			       "without user name and fragment";
		/* RFC 8414 section 2 */
		return form == VALUE_ISSUER && strchr(value, '?') != NULL ?
		    "must be 'https://', a host and a path, without '?'" :
		    NULL;
	case VALUE_PATH:
		return value[0] == '/' &&
			strlen(value) <= PROVIDER_VALUE_MAX_BYTES ?
		    NULL :
		    "must be a whole path that begins with '/'";
	case VALUE_TENANT:
		return is_tenant(value) ?
		    NULL :
		    "must be a domain, a GUID, or common, organizations or "
		    "consumers";
	case VALUE_PROTOCOLS:
		return is_protocols(value) ?
		    NULL :
		    "must be one or more of smtp, imap and pop";
	case VALUE_NAME:
		if (value[0] == '\0')
			return "is empty: write the id of the application you "
			       "registered";
		/* Of it alone: a tenant may well be your-server.example. */
		if (provider_is_placeholder(span_of(value)))
			return "is still the placeholder of a sample: write "
			       "the real one";
		break;
	case VALUE_URI:
		return is_uri(value) ?
		    NULL :
		    "must be the whole address that the application is "
		    "registered with, such as 'https://example.com/callback', "
		    "without '#'";
	case VALUE_WORD:
	case VALUE_TEXT: break;
	}
	if (is_text(value) &&
	    (form != VALUE_WORD || strchr(value, ' ') == NULL))
		return NULL;
	return "is too long or has a byte that cannot be there";
}

enum fault provider_bad(const struct provider *provider, const char *key,
    const char *text, struct why *why)
{
	why_set(why, 0, "provider '%s': %s %s", provider->name, key, text);
	return FAULT_GRAMMAR;
}

static enum fault set_string(struct provider *provider, const char *key,
    const char *value, struct why *why)
{
	const char *text;
	size_t i;

	for (i = 0; i < N_STRINGS; i++)
		if (strings[i].key != NULL && strcmp(strings[i].key, key) == 0)
			break;
	if (i == N_STRINGS) {
		why_set(why, 0, "provider '%s': unknown key", provider->name);
		return FAULT_NOT_FOUND;
	}
	text = complaint(strings[i].form, value);
	return text != NULL ? provider_bad(provider, key, text, why) :
			      provider_put(slot_at(provider, i), value);
}

enum fault provider_set(struct provider *provider, const char *key,
    const char *value, struct why *why)
{
	struct span text = span_of(value);
	int64_t port;

	if (strcmp(key, "flow") == 0)
		return flow_kind_from_word(text, &provider->flow) ?
		    provider_bad(provider, key,
			"must be 'device', 'browser', 'client-credentials' or "
			"'service-account'",
			why) :
		    FAULT_NONE;
	if (strcmp(key, "min_validity") == 0)
		return attr_number(text, 0, PROVIDER_MIN_VALIDITY_MAX_S,
			   &provider->min_validity_s) ?
		    provider_bad(provider, key,
			"must be a number of seconds from 0 to 86400", why) :
		    FAULT_NONE;
	if (strcmp(key, "redirect_port") != 0)
		return set_string(provider, key, value, why);
	if (attr_number(text, 0, UINT16_MAX, &port))
		return provider_bad(provider, key,
		    "must be a port from 1 to 65535, or 0 for any that is "
		    "free",
		    why);
	provider->redirect_port = (uint16_t)port;
	return FAULT_NONE;
}

/* The fields of the grants themselves must not stand in a form twice. */
static bool is_own_field(const char *name)
{
	static const char *const own[] = { "grant_type", "client_id",
		"client_secret", "scope", "refresh_token", "device_code",
		"code", "code_verifier", "redirect_uri", "client_assertion",
		"client_assertion_type", "token", "token_type_hint",
		"assertion", "login_hint", "state", "response_type",
		"code_challenge", "code_challenge_method" };
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
	    value[0] == '\0' || !is_text(value))
		return provider_bad(provider, "extra",
		    "needs name=value with a name that is no field of OAuth "
		    "itself",
		    why);
	for (i = 0; i < provider->n_extra; i++)
		if (strcmp(provider->extra[i].name, name) == 0)
			return provider_bad(provider, "extra",
			    "has a name twice", why);
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
	for (i = 0; i < provider->n_servers; i++)
		free(provider->servers[i]);
	for (i = 0; i < provider->n_extra; i++) {
		free(provider->extra[i].name);
		free(provider->extra[i].value);
	}
	secret_free(provider->client_secret);
	assertion_key_release(provider->key);
	free(provider);
}
