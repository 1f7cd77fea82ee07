/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What comes to the loopback listener, and what a person pastes: a query is
 * part of the request, a code is a token, and every page says how long it is.
 */
#include "oauth/redirect.h"

#include <stdlib.h>

#include "fuzz.h"
#include "oauth/form.h"
#include "oauth/code.h"
#include "wire/attr.h"

const char fuzz_name[] = "redirect";

static void look_up(struct span query)
{
	static const char *const names[] = { "code", "state", "error", "iss" };
	size_t i, j;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct buf out = BUF_INIT(4096);

		if (form_get(query, names[i], &out) == FAULT_NONE)
			for (j = 0; j < out.n; j++)
				FUZZ_CHECK((unsigned char)out.p[j] >= 0x20);
		FUZZ_CHECK(out.n <= query.n);
		buf_drop(&out);
	}
}

static void show(const char *text)
{
	struct buf out = BUF_INIT(REDIRECT_PAGE_MAX_BYTES + 1024);
	const char *body, *said;

	redirect_page_write(&out, REDIRECT_PAGE_FAILED, text);
	if (buf_fault(&out) == FAULT_NONE) {
		said = strstr(out.p, "Content-Length: ");
		body = strstr(out.p, "\r\n\r\n");
		FUZZ_CHECK(said != NULL && body != NULL && said < body);
		FUZZ_CHECK(strtoul(said + 16, NULL, 10) == strlen(body + 4));
		FUZZ_CHECK(strstr(body, "<script") == NULL);
	}
	buf_drop(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct span text = fuzz_span(bytes, n), query;
	struct buf request = BUF_INIT(SIZE_MAX / 2);
	struct buf pasted = BUF_INIT(CODE_PASTED_MAX_BYTES);
	enum code_pasted kind;
	struct why why;
	char plain[512];

	buf_add(&request, text);
	if (n > 0 &&
	    redirect_request_read(buf_span(&request), "/callback", 1, &query) ==
		REDIRECT_PAGE_QUERY) {
		FUZZ_CHECK(query.p > request.p);
		FUZZ_CHECK(query.p + query.n < request.p + request.n);
		FUZZ_CHECK(query.n <= REDIRECT_LINE_MAX_BYTES);
		look_up(query);
	}
	buf_drop(&request);
	look_up(text);
	if (code_read_pasted(text, &kind, &pasted, &why) == FAULT_NONE) {
		FUZZ_CHECK(pasted.n <= text.n);
		FUZZ_CHECK(kind == CODE_ADDRESS ||
		    attr_is_token(buf_span(&pasted), CODE_MAX_BYTES));
	}
	buf_drop(&pasted);
	if (memchr(bytes, '\0', n) == NULL && n < sizeof(plain)) {
		memcpy(plain, bytes, n);
		plain[n] = '\0';
		show(plain);
	}
	return 0;
}
