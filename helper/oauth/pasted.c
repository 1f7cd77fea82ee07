/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * An address, a part of one, or a bare code.
 */
#include "oauth/pasted.h"

#include "oauth/form.h"
#include "wire/attr.h"

#define CODE_MIN_BYTES 6 /* "no" and "yes" are none */

/* Of a typesetter's quote at the start of text: U+2018..201F, 2039, 203A, and
 * the angled ones of Latin 1; 0 for anything else. */
static size_t quote_bytes(struct span text)
{
	const unsigned char *p = (const unsigned char *)text.p;

	if (text.n >= 2 && p[0] == 0xc2 && (p[1] == 0xab || p[1] == 0xbb))
		return 2;
	if (text.n >= 3 && p[0] == 0xe2 && p[1] == 0x80 &&
	    ((p[2] >= 0x98 && p[2] <= 0x9f) || p[2] == 0xb9 || p[2] == 0xba))
		return 3;
	return 0;
}

/*
 * None of what is left out stands in an address or a code: quotes, those of
 * typesetters, too, and the end of a sentence.
 */
static void add_clean(struct buf *out, struct span text)
{
	size_t i, n;

	for (i = 0; i<text.n; i += n> 0 ? n : 1) {
		n = quote_bytes((struct span){ text.p + i, text.n - i });
		if (n == 0 && (unsigned char)text.p[i] > 0x20 &&
		    text.p[i] != 0x7f && strchr("\"'<>`", text.p[i]) == NULL)
			buf_add(out, (struct span){ text.p + i, 1 });
	}
	while (out->n > 0 && strchr(".,;", out->p[out->n - 1]) != NULL)
		out->n--;
	buf_add_lit(out, "");
}

static bool is_address(const char *text)
{
	return strstr(text, "://") != NULL || strchr(text, '?') != NULL ||
	    strstr(text, "code=") != NULL || strstr(text, "error=") != NULL ||
	    strstr(text, "state=") != NULL;
}

static struct span query_of(struct span text)
{
	const char *mark = memchr(text.p, '?', text.n);
	const char *end;

	if (mark != NULL) {
		text.n -= (size_t)(mark + 1 - text.p);
		text.p = mark + 1;
	}
	end = text.n > 0 ? memchr(text.p, '#', text.n) : NULL;
	if (end != NULL)
		text.n = (size_t)(end - text.p);
	return text;
}

/* From an address bar a code comes encoded, from a page it does not. */
static enum fault add_code(struct span text, struct buf *out)
{
	struct buf field = BUF_INIT(PASTED_MAX_BYTES + sizeof("code="));
	struct buf plain = BUF_INIT(PASTED_CODE_MAX_BYTES);
	enum fault fault;

	buf_add_lit(&field, "code=");
	buf_add(&field, text);
	fault = buf_fault(&field);
	if (fault == FAULT_NONE && memchr(text.p, '+', text.n) == NULL) {
		fault = form_get(buf_span(&field), "code", &plain);
		if (fault == FAULT_NONE)
			text = buf_span(&plain);
	}
	/* What cannot be decoded is taken as it is. */
	if (fault != FAULT_NOMEM) {
		fault = FAULT_GRAMMAR;
		if (text.n >= CODE_MIN_BYTES &&
		    attr_is_token(text, PASTED_CODE_MAX_BYTES)) {
			buf_add(out, text);
			fault = buf_fault(out);
		}
	}
	buf_drop(&plain);
	buf_drop(&field);
	return fault;
}

enum fault pasted_read(struct span text, enum pasted *pasted_out,
    struct buf *out, struct why *why)
{
	struct buf clean = BUF_INIT(PASTED_MAX_BYTES);
	enum fault fault;

	add_clean(&clean, text);
	fault = buf_fault(&clean);
	if (fault == FAULT_TOO_BIG) {
		why_set(why, 0, "that is too long for an address");
		fault = FAULT_GRAMMAR;
	} else if (fault == FAULT_NONE && clean.n == 0) {
		why_set(why, 0, "that was empty");
		fault = FAULT_GRAMMAR;
	} else if (fault == FAULT_NONE && is_address(clean.p)) {
		*pasted_out = PASTED_ADDRESS;
		buf_add(out, query_of(buf_span(&clean)));
		fault = buf_fault(out);
	} else if (fault == FAULT_NONE) {
		*pasted_out = PASTED_CODE;
		fault = add_code(buf_span(&clean), out);
		if (fault == FAULT_GRAMMAR)
			why_set(why, 0,
			    "that is neither an address nor a code");
	}
	if (fault == FAULT_NOMEM)
		why_set(why, 0, "%s", fault_text(fault));
	buf_drop(&clean);
	return fault;
}
