/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What a value of a profile may be.
 */
#include <stdio.h>
#include <strings.h>

#include "oauth/provider_impl.h"
#include "oauth/url.h"
#include "wire/attr.h"

#define ALNUM "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

static const char *const musts[] = {
	[FORM_OWN] = "is no key",
	[FORM_TEXT] = "is too long or has a byte that cannot be there",
	[FORM_WORD] = "is too long or has a byte that cannot be there",
	[FORM_FIELD] = "needs name=value with a name that is no field of OAuth "
		       "itself",
	[FORM_ID] = "is empty, too long or has a byte that cannot be there: "
		    "write the id of the application you registered",
	[FORM_PATH] = "must be a whole path that begins with '/'",
	[FORM_URL] = "must be 'https://', a host and a path, without user name "
		     "and fragment",
	[FORM_ISSUER] = "must be 'https://', a host and a path, without user "
			"name, '?' and fragment",
	[FORM_TENANT] = "must be a domain, a GUID, or common, organizations or "
			"consumers",
	[FORM_PROTOCOLS] = "must be one or more of smtp, imap and pop",
	[FORM_SERVERS] = "has a name that is neither a host name nor '*.' and "
			 "a domain, or is too long",
	[FORM_URI] = "must be the whole address that the application is "
		     "registered with, such as 'https://example.com/callback', "
		     "without '#'",
};

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

/* A host name, or "*." and one. */
static bool is_server(struct span word)
{
	if (word.n > 2 && memcmp(word.p, "*.", 2) == 0) {
		word.p += 2;
		word.n -= 2;
	}
	return attr_is_host(word) && word.p[0] != '.';
}

/* One or more words. */
static bool are_all(const char *list, bool (*is)(struct span word))
{
	struct span word = { list + strspn(list, " "), 0 };
	bool good = *word.p != '\0' && is_text(list);

	while (good && *word.p != '\0') {
		word.n = strcspn(word.p, " ");
		good = is(word);
		word.p += word.n;
		word.p += strspn(word.p, " ");
	}
	return good;
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
	    " grant_type client_id client_secret scope refresh_token "
	    "device_code code code_verifier redirect_uri client_assertion "
	    "client_assertion_type token token_type_hint assertion login_hint "
	    "state response_type code_challenge code_challenge_method ";
	size_t n = strspn(value, ALNUM "-._");
	char name[68];

	if (n == 0 || n > 64 || value[n] != '=' || value[n + 1] == '\0')
		return false;
	(void)snprintf(name, sizeof(name), " %.*s ", (int)n, value);
	return strstr(own, name) == NULL && is_text(value);
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

static bool is_good(enum provider_form form, const char *value)
{
	size_t n = strlen(value);

	switch (form) {
	case FORM_OWN: return false;
	case FORM_TEXT: return is_text(value);
	case FORM_WORD: return is_text(value) && strchr(value, ' ') == NULL;
	case FORM_FIELD: return is_field(value);
	case FORM_ID: return n > 0 && is_text(value);
	case FORM_PATH: return value[0] == '/' && n <= PROVIDER_VALUE_MAX_BYTES;
	case FORM_URL: return url_is_endpoint(value);
	case FORM_ISSUER: /* RFC 8414 section 2 */
		return strchr(value, '?') == NULL && url_is_endpoint(value);
	case FORM_TENANT:
		return n > 0 && n <= 255 && strspn(value, ALNUM ".-") == n;
	case FORM_PROTOCOLS: return are_all(value, is_protocol);
	case FORM_SERVERS: return are_all(value, is_server);
	case FORM_URI: break;
	}
	return is_uri(value);
}

const char *provider_complaint(enum provider_form form, const char *value)
{
	/* Of it alone: a tenant may well be your-server.example. */
	if (form == FORM_ID && provider_is_placeholder(span_of(value)))
		return "is still the placeholder of a sample: write the real "
		       "one";
	return is_good(form, value) ? NULL : musts[form];
}
