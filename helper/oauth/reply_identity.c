/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Who an id_token is about.  Its signature is not checked: it came straight
 * from the token endpoint over TLS (OpenID Connect Core 1.0, section
 * 3.1.3.7), and it is only compared with the account's name.
 */
#include "oauth/reply_impl.h"

#include <strings.h>

#include "wire/base64.h"

/* base64url without padding (RFC 7515 section 2), by way of the other one */
static enum fault decode(struct span text, struct buf *out)
{
	struct buf standard = BUF_INIT(REPLY_BODY_MAX_BYTES);
	enum fault fault;
	size_t i;

	while (text.n > 0 && text.p[text.n - 1] == '=')
		text.n--;
	for (i = 0; i < text.n; i++) {
		const char *c = text.p + i;

		c = *c == '-' ? "+" : *c == '_' ? "/" : c;
		buf_add(&standard, (struct span){ c, 1 });
	}
	buf_add(&standard, (struct span){ "===", (4 - text.n % 4) % 4 });
	fault = buf_fault(&standard);
	if (fault == FAULT_NONE)
		fault = base64_decode(buf_span(&standard), out);
	buf_drop(&standard);
	return fault;
}

/* JWT = header "." payload "." signature (RFC 7519 section 3) */
static bool find_payload(struct span token, struct span *payload_out)
{
	const char *first, *second;

	first = token.n > 0 ? memchr(token.p, '.', token.n) : NULL;
	if (first == NULL)
		return false;
	first++;
	second = memchr(first, '.', token.n - (size_t)(first - token.p));
	if (second == NULL)
		return false;
	*payload_out = (struct span){ first, (size_t)(second - first) };
	return true;
}

static bool has_name(const struct buf *names, struct span name)
{
	const char *p = names->p;
	size_t n;

	for (; names->n > 0 && *p != '\0'; p += n) {
		p += strspn(p, " ");
		n = strcspn(p, " ");
		if (n == name.n && strncasecmp(p, name.p, n) == 0)
			return true;
	}
	return false;
}

static void add_name(struct buf *names, const json_t *claims, const char *claim)
{
	const json_t *member = json_object_get(claims, claim);
	struct span name;

	if (!json_is_string(member))
		return;
	name.p = json_string_value(member);
	name.n = json_string_length(member);
	if (!attr_is_account(name) || memchr(name.p, ' ', name.n) != NULL ||
	    has_name(names, name))
		return;
	if (names->n > 0)
		buf_add_lit(names, " ");
	buf_add(names, name);
}

static enum fault collect(const json_t *claims, char **identity_out)
{
	struct buf names = BUF_INIT(REPLY_IDENTITY_MAX_BYTES);
	enum fault fault;

	add_name(&names, claims, "email");
	add_name(&names, claims, "preferred_username");
	add_name(&names, claims, "upn");
	add_name(&names, claims, "unique_name");
	fault = buf_fault(&names);
	if (!fault && names.n > 0) {
		*identity_out = strdup(names.p);
		if (*identity_out == NULL)
			fault = FAULT_NOMEM;
	}
	buf_drop(&names);
	return fault;
}

enum fault reply_identity(struct span id_token, char **identity_out)
{
	struct buf json = BUF_INIT(REPLY_BODY_MAX_BYTES);
	json_t *claims = NULL;
	struct span payload;
	enum fault fault;

	*identity_out = NULL;
	if (!find_payload(id_token, &payload))
		return FAULT_NONE;
	fault = decode(payload, &json);
	if (fault)
		goto out;
	fault = reply_answer(buf_span(&json), &claims, NULL);
	if (fault)
		goto out;
	fault = collect(claims, identity_out);
out:
	json_decref(claims);
	buf_drop(&json);
	/* An id_token that cannot be read tells nobody's name. */
	return fault == FAULT_NOMEM ? FAULT_NOMEM : FAULT_NONE;
}
