/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What a browser's address bar, a terminal and a mail make of an address is
 * taken off again.
 */
#include "oauth/code.h"

#include "oauth/form.h"
#include "wire/attr.h"

#define CODE_MIN_BYTES 6 /* "no" and "yes" are none */

/*
 * None of what is left out stands in an address or a code: quotes, those of
 * typesetters, too (U+00AB, 00BB, 2018..201F, 2039, 203A), and the end of a
 * sentence.
 */
static void add_clean(struct buf *out, struct span text)
{
	unsigned code;
	size_t i, n;

	for (i = 0; i < text.n; i += n) {
		n = attr_utf8(text.p + i, text.n - i, &code);
		if (n == 0) {
			code = 0xfffd;
			n = 1;
		}
		if (code > 0x20 && code != 0x7f && code != 0xab &&
		    code != 0xbb && !(code >= 0x2018 && code <= 0x201f) &&
		    code != 0x2039 && code != 0x203a &&
		    strchr("\"'<>`", text.p[i]) == NULL)
			buf_add(out, (struct span){ text.p + i, n });
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

/* From an address bar a code comes encoded, from a page it does not: what
 * cannot be decoded is taken as it is. */
static enum fault add_code(struct span text, struct buf *out)
{
	if (memchr(text.p, '+', text.n) != NULL ||
	    form_decode(out, text) == FAULT_GRAMMAR) {
		buf_drop(out);
		buf_add(out, text);
	}
	if (buf_fault(out))
		return buf_fault(out);
	return out->n >= CODE_MIN_BYTES &&
		attr_is_token(buf_span(out), CODE_MAX_BYTES) ?
	    FAULT_NONE :
	    FAULT_GRAMMAR;
}

enum fault code_read_pasted(struct span text, enum code_pasted *pasted_out,
    struct buf *out, struct why *why)
{
	struct buf clean = BUF_INIT(CODE_PASTED_MAX_BYTES);
	const char *what = "that is neither an address nor a code", *query;
	enum fault fault;

	add_clean(&clean, text);
	fault = buf_fault(&clean);
	if (fault == FAULT_TOO_BIG) {
		what = "that is too long for an address";
		fault = FAULT_GRAMMAR;
	} else if (!fault && clean.n == 0) {
		what = "that was empty";
		fault = FAULT_GRAMMAR;
	} else if (!fault && !is_address(clean.p)) {
		*pasted_out = CODE_ALONE;
		fault = add_code(buf_span(&clean), out);
	} else if (!fault) {
		*pasted_out = CODE_ADDRESS;
		query = strchr(clean.p, '?');
		query = query != NULL ? query + 1 : clean.p;
		buf_add(out, (struct span){ query, strcspn(query, "#") });
		fault = buf_fault(out);
	}
	if (fault)
		why_set(why, 0, "%s",
		    fault == FAULT_GRAMMAR ? what : fault_text(fault));
	buf_drop(&clean);
	return fault;
}
