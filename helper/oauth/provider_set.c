/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The values of a profile: what each may be, and where it comes from.
 */
#include <stdlib.h>
#include <strings.h>

#include "oauth/form.h"
#include "oauth/provider.h"
#include "oauth/url.h"
#include "wire/attr.h"

#define MIN_VALIDITY_MAX_S 86400

/* Printable ASCII and blanks. */
static bool is_text(const char *value)
{
	size_t i;

	for (i = 0; value[i] != '\0'; i++)
		if (value[i] < 0x20 || value[i] > 0x7e)
			return false;
	return i <= PROVIDER_VALUE_MAX_BYTES;
}

static bool is_protocol(struct span word)
{
	return span_is(word, "smtp") || span_is(word, "imap") ||
	    span_is(word, "pop");
}

/* RFC 6749 section 3.1.2; also "urn:ietf:wg:oauth:2.0:oob" */
static bool is_uri(const char *value)
{
	size_t scheme = strcspn(value, ":");

	return attr_is_token(span_of(value), URL_MAX_BYTES) && scheme > 0 &&
	    value[scheme] == ':' && value[scheme + 1] != '\0' &&
	    strchr(value, '#') == NULL;
}

/* Names as in RFC 6749 section 8.2; none of the grants' own may come twice. */
static bool is_field(const char *value)
{
	static const char own[] =
	    "grant_type client_id client_secret scope refresh_token "
	    "device_code code code_verifier redirect_uri client_assertion "
	    "client_assertion_type token token_type_hint assertion login_hint "
	    "state response_type code_challenge code_challenge_method";
	struct span name = { value, strspn(value, ATTR_ALNUM "-._") };

	return name.n > 0 && name.n <= 64 && value[name.n] == '=' &&
	    value[name.n + 1] != '\0' && !span_listed(name, own) &&
	    is_text(value);
}

static bool is_id(const char *value)
{
	return value[0] != '\0' && is_text(value);
}

static bool is_path(const char *value)
{
	return value[0] == '/' && strlen(value) <= PROVIDER_VALUE_MAX_BYTES;
}

/* RFC 8414 section 2 */
static bool is_issuer(const char *value)
{
	return strchr(value, '?') == NULL && url_is_endpoint(value);
}

static bool is_tenant(const char *value)
{
	return attr_is_of(span_of(value), ATTR_ALNUM ".-", 255);
}

/* What a value must be, and what is said of another behind the key's name. */
struct form {
	bool (*is)(const char *value);
	const char *must;
	bool (*each)(struct span word); /* of one or more; or NULL */
};

static const struct form
    text = { is_text, "is too long or has a byte that cannot be there", NULL },
    field = { is_field,
	    "needs name=value with a name that is no field of OAuth itself",
	    NULL },
    id = { is_id,
	    "is empty, too long or has a byte that cannot be there: write the id "
	    "of the application you registered",
	    NULL },
    path = { is_path, "must be a whole path that begins with '/'", NULL },
    url = { url_is_endpoint,
	    "must be 'https://', a host and a path, without user name and "
	    "fragment",
	    NULL },
    issuer = { is_issuer,
	    "must be 'https://', a host and a path, without user name, '?' and "
	    "fragment",
	    NULL },
    tenant = { is_tenant,
	    "must be a domain, a GUID, or common, organizations or consumers",
	    NULL },
    protocols = { is_text, "must be one or more of smtp, imap and pop",
	    is_protocol },
    servers = { is_text,
	    "has a name that is neither a host name nor '*.' and a domain, or is "
	    "too long",
	    attr_is_server },
    uri = { is_uri,
	    "must be the whole address that the application is registered with, "
	    "such as 'https://example.com/callback', without '#'",
	    NULL };

#define AT(member) #member, offsetof(struct provider, member)

/* All strings that a profile owns. */
static const struct {
	const char *key;
	size_t offset;
	const struct form *form; /* NULL: it follows from others */
	bool is_found;		 /* in the metadata of an issuer */
} strings[] = {
	{ AT(name), NULL, false },
	{ AT(issuer), &issuer, false },
	{ AT(authorization_endpoint), &url, true },
	{ AT(token_endpoint), &url, true },
	{ AT(token_host), NULL, false },
	{ AT(device_authorization_endpoint), &url, true },
	{ AT(revocation_endpoint), &url, true },
	{ AT(registration_endpoint), &url, true },
	{ AT(userinfo_endpoint), &url, true },
	{ AT(scopes_supported), &text, true },
	{ AT(client_id), &id, false },
	{ AT(tenant), &tenant, false },
	{ AT(cloud), &text, false },
	{ AT(redirect_uri), &uri, false },
	{ AT(scope), &text, false },
	{ AT(protocols), &protocols, false },
	{ AT(covers), NULL, false },
	{ AT(servers), &servers, false },
	{ AT(extra), NULL, false },
	{ AT(assertion_file), &path, false },
	{ AT(ca_file), &path, false },
	{ AT(ca_path), &path, false },
	{ AT(proxy), &text, false },
};

#define N_STRINGS (sizeof(strings) / sizeof(strings[0]))

char **provider_slot(struct provider *provider, size_t i)
{
	return i < N_STRINGS ?
	    (char **)(void *)((char *)provider + strings[i].offset) :
	    NULL;
}

bool provider_is_placeholder(struct span text)
{
	static const char *const begin[] = { "your_", "your-", "your " };
	static const char *const within[] = { "goes here", "goes_here",
		"goes-here", "00000000-1111-2222-3333-444444444444",
		"55555555-6666-7777-8888-999999999999",
		"00000000-0000-0000-0000-000000000000" };
	size_t i;

	for (i = 0; text.n > 0 && i < sizeof(begin) / sizeof(begin[0]); i++)
		if (strncasecmp(text.p, begin[i], strlen(begin[i])) == 0)
			return true;
	for (i = 0; text.n > 0 && i < sizeof(within) / sizeof(within[0]); i++)
		if (strcasestr(text.p, within[i]) != NULL)
			return true;
	return span_is(text, "...") ||
	    (text.n > 1 && text.p[0] == '<' && text.p[text.n - 1] == '>');
}

static enum fault bad(const struct provider *provider, const char *key,
    const char *text, struct why *why)
{
	why_set(why, 0, "provider '%s': %s %s", provider->name, key, text);
	return FAULT_GRAMMAR;
}

static enum fault put(struct provider *provider, size_t i, const char *value)
{
	char **slot = provider_slot(provider, i), *host = NULL;
	enum fault fault = FAULT_NONE;

	if (slot == &provider->token_endpoint)
		fault = url_host(value, &host);
	if (!fault)
		fault = string_set(slot, span_of(value));
	if (host != NULL) {
		free(provider->token_host);
		provider->token_host = host;
	}
	return fault;
}

/* value: one or more of the words that each takes. */
static bool is_of_form(const struct form *form, const char *value)
{
	const char *list = value;
	struct span word;
	size_t n = 0;

	for (; form->each != NULL && (word = span_next(&list)).n > 0; n++)
		if (!form->each(word))
			return false;
	return form->is(value) && (form->each == NULL || n > 0);
}

/* The name needs no encoding. */
static enum fault add_extra(struct provider *provider, const char *value,
    struct why *why)
{
	struct span name = { value, strcspn(value, "=") };
	struct buf form = BUF_INIT(PROVIDER_VALUE_MAX_BYTES);
	enum fault fault;

	if (!field.is(value))
		return bad(provider, "extra", field.must, why);
	if (form_has(provider->extra, name))
		return bad(provider, "extra", "has a name twice", why);
	form_add_form(&form, provider->extra);
	buf_add_str(&form, form.n > 0 ? "&" : "");
	buf_add(&form, (struct span){ value, name.n + 1 });
	form_encode(&form, span_of(value + name.n + 1));
	fault = buf_fault(&form);
	if (!fault)
		fault = string_set(&provider->extra, span_of(form.p));
	else if (fault == FAULT_TOO_BIG)
		fault = bad(provider, "extra", "is too long", why);
	buf_drop(&form);
	return fault;
}

enum fault provider_set(struct provider *provider, const char *key,
    const char *value, struct why *why)
{
	struct span number = span_of(value);
	const struct form *form;
	int64_t port;
	size_t i;

	if (strcmp(key, "extra") == 0)
		return add_extra(provider, value, why);
	if (strcmp(key, "flow") == 0)
		return flow_kind_from_word(number, &provider->flow) ?
		    bad(provider, key,
			"must be 'device', 'browser', 'client-credentials' or "
			"'service-account'",
			why) :
		    FAULT_NONE;
	if (strcmp(key, "min_validity") == 0)
		return attr_number(number, 0, MIN_VALIDITY_MAX_S,
			   &provider->min_validity_s) ?
		    bad(provider, key,
			"must be a number of seconds from 0 to 86400", why) :
		    FAULT_NONE;
	if (strcmp(key, "redirect_port") == 0) {
		if (attr_number(number, 0, UINT16_MAX, &port))
			return bad(provider, key,
			    "must be a port from 1 to 65535, or 0 for any that "
			    "is free",
			    why);
		provider->redirect_port = (uint16_t)port;
		return FAULT_NONE;
	}
	for (i = 0; i < N_STRINGS; i++)
		if (strings[i].form != NULL && strcmp(strings[i].key, key) == 0)
			break;
	if (i == N_STRINGS) {
		why_set(why, 0, "provider '%s': unknown key", provider->name);
		return FAULT_NOT_FOUND;
	}
	/* Of it alone: a tenant may well be your-server.example. */
	form = strings[i].form;
	if (form == &id && provider_is_placeholder(number))
		return bad(provider, key,
		    "is still the placeholder of a sample: write the real one",
		    why);
	return is_of_form(form, value) ? put(provider, i, value) :
					 bad(provider, key, form->must, why);
}

static enum fault expand_tenant(struct provider *provider, size_t i,
    struct why *why)
{
	static const char mark[] = "{tenant}";
	const char *p = *provider_slot(provider, i), *at;
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
	if (!fault)
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

	for (i = 0; !fault && i < N_STRINGS; i++) {
		if (*provider_slot(provider, i) != NULL)
			continue;
		value = preset_value(provider->row, strings[i].key);
		if (value == NULL && found != NULL && strings[i].is_found)
			value = *provider_slot(
			    (struct provider *)(uintptr_t)found, i);
		if (value != NULL)
			fault = put(provider, i, value);
	}
	for (i = 0; !fault && i < N_STRINGS; i++)
		if (strings[i].form == &url || strings[i].form == &issuer)
			fault = expand_tenant(provider, i, why);
	return fault;
}
