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

/* Escaped, and cut: for a person to look at. */
static void add_misnamed(struct buf *misnamed, const json_t *member)
{
	char text[REPLY_MISNAMED_MAX_BYTES];
	size_t n = json_dumpb(member, text, sizeof(text),
	    JSON_COMPACT | JSON_ENCODE_ANY | JSON_ENSURE_ASCII);

	if (misnamed->n == 0)
		buf_add(misnamed,
		    (struct span){ text, n < sizeof(text) ? n : sizeof(text) });
}

static void add_name(struct buf *names, struct buf *misnamed,
    const json_t *member)
{
	struct span name = { json_string_value(member),
		json_string_length(member) };

	if (member == NULL || json_is_null(member) ||
	    (name.p != NULL && name.n == 0))
		return;
	if (!attr_is_account(name) || memchr(name.p, ' ', name.n) != NULL) {
		add_misnamed(misnamed, member);
		return;
	}
	if (has_name(names, name))
		return;
	if (names->n > 0)
		buf_add_lit(names, " ");
	buf_add(names, name);
}

static enum fault collect(const json_t *claims, struct reply_token *token)
{
	static const char *const members[] = { "email", "preferred_username",
		"upn", "unique_name" };
	struct buf names = BUF_INIT(REPLY_IDENTITY_MAX_BYTES);
	struct buf misnamed = BUF_INIT(REPLY_MISNAMED_MAX_BYTES);
	char **out = &token->identity;
	struct buf *from = &names;
	enum fault fault;
	size_t i;

	for (i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		add_name(&names, &misnamed,
		    json_object_get(claims, members[i]));
	fault = buf_fault(&names);
	if (!fault && names.n == 0) {
		out = &token->misnamed;
		from = &misnamed;
		fault = buf_fault(&misnamed);
	}
	if (!fault && from->n > 0) {
		*out = strdup(from->p);
		if (*out == NULL)
			fault = FAULT_NOMEM;
	}
	buf_drop(&misnamed);
	buf_drop(&names);
	return fault;
}

enum fault reply_identity(const json_t *answer, const struct reply_asked *asked,
    struct reply_token *token)
{
	struct buf json = BUF_INIT(REPLY_BODY_MAX_BYTES);
	json_t *claims = NULL;
	struct span id_token, payload, subject;
	enum fault fault;

	if (reply_string(answer, "id_token", &id_token, NULL) != FAULT_NONE ||
	    !find_payload(id_token, &payload))
		return FAULT_NONE;
	fault = decode(payload, &json);
	if (fault)
		goto out;
	fault = reply_answer(buf_span(&json), asked, &claims, NULL);
	if (!fault)
		fault = reply_hush(claims, NULL, answer);
	if (fault)
		goto out;
	fault = collect(claims, token);
	if (!fault &&
	    reply_string(claims, "sub", &subject, NULL) == FAULT_NONE &&
	    subject.n > 0) {
		token->subject = strdup(subject.p);
		fault = token->subject != NULL ? FAULT_NONE : FAULT_NOMEM;
	}
out:
	json_decref(claims);
	buf_drop(&json);
	/* An id_token that cannot be read tells nobody's name. */
	return fault == FAULT_NOMEM ? FAULT_NOMEM : FAULT_NONE;
}

void reply_userinfo(struct span body, struct reply_token *token)
{
	const struct reply_asked asked = { { NULL, 0 }, token->access_token };
	struct reply_token found = { 0 };
	json_t *claims = NULL;
	struct span subject;
	char *name;

	if (reply_answer(body, &asked, &claims, NULL) == FAULT_NONE &&
	    reply_string(claims, "sub", &subject, NULL) == FAULT_NONE &&
	    (token->subject == NULL || span_is(subject, token->subject)) &&
	    collect(claims, &found) == FAULT_NONE) {
		name = found.identity;
		found.identity = token->identity;
		token->identity = name;
		if (name != NULL || found.misnamed != NULL) {
			name = found.misnamed;
			found.misnamed = token->misnamed;
			token->misnamed = name;
		}
	}
	json_decref(claims);
	reply_token_drop(&found);
}
