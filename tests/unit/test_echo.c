/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Texts that repeat a secret, whole or in part, and texts that do not.
 */
#include "wire/echo.h"

#include <stdint.h>
#include <stdlib.h>

#include "test.h"

static const char secret[] = "EwB4A8l6BAAUkj1NuJYtTVha-Mogk.HEiPbQo04AAZ8~x";

/* A copy without an end, so that tools see a read beyond. */
static bool holds_of(const char *text, size_t n, const char *of)
{
	struct span of_span = span_of(of);
	char *copy = malloc(n + of_span.n + 1);
	bool holds;

	assert_non_null(copy);
	memcpy(copy, of, of_span.n);
	memcpy(copy + of_span.n, text, n);
	copy = realloc(copy, of_span.n + n > 0 ? of_span.n + n : 1);
	assert_non_null(copy);
	holds = echo_holds((struct span){ copy + of_span.n, n },
	    (struct span){ copy, of_span.n });
	free(copy);
	return holds;
}

static bool holds(const char *text)
{
	return holds_of(text, strlen(text), secret);
}

static void copies_are_found(void **state)
{
	static const char *const texts[] = {
		"EwB4A8l6BAAUkj1NuJYtTVha-Mogk.HEiPbQo04AAZ8~x",
		"the token 'EwB4A8l6BAAUkj1NuJYtTVha-Mogk.HEiPbQo04AAZ8~x'",
		/* the first and the last 16, signs among them */
		"EwB4A8l6BAAUkj1N",
		"TTVha-Mogk.HEiPb",
		".HEiPbQo04AAZ8~x",
		/* less a byte at an end, a byte changed */
		"wB4A8l6BAAUkj1NuJYtTVha-Mogk.HEiPbQo04AAZ8~x",
		"EwB4A8l6BAAUkj1NuJYtTVha-Mogk.HEiPbQo04AAZ8~",
		"EwB4A8l6BAAUkj1NuJYtTVXa-Mogk.HEiPbQo04AAZ8~x",
		/* in another case, in pieces */
		"EWB4A8L6BAAUKJ1NUJYTTVHA",
		"EwB4 A8l6 BAAU kj1N uJYt TVha",
		"E.w.B.4.A.8.l.6.B.A.A.U.k.j.1.N",
		"E\\w\\B\\4\\A\\8\\l\\6\\B\\A\\A\\U\\k\\j\\1\\N",
		"E%w%B%4%A%8%l%6%B%A%A%U%k%j%1%N",
		"EwB4A8l6\r\n\tBAAUkj1N",
		"EwB4A8l6\\r\\n\\tBAAUkj1N",
		/* escaped */
		"%45%77%42%34%41%38%6c%36%42%41%41%55%6B%6A%31%4E",
		"EwB4A8l6%0D%0ABAAUkj1N",
		"\\u0045\\u0077B4A8l6BAAUkj1N",
		"\\x45wB4A8l6BAAUkj1N",
		/* base64, of it alone and with 1, 2, 3 bytes before */
		"RXdCNEE4bDZCQUFVa2oxTnVK",
		"PUV3QjRBOGw2QkFBVWtqMU51Sll0",
		"ID1Fd0I0QThsNkJBQVVrajFOdUpZdA",
		"LnA9RXdCNEE4bDZCQUFVa2oxTnVKWXQ",
		"RXdC NEE4 bDZC QUFV a2ox TnVK",
		"RXdCNEE4bDZC%51UFVa2oxTnVK",
		/* hexadecimal */
		"45774234413 86c3642414155",
		"457742344138 6C3642414155",
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(texts); i++)
		if (!holds(texts[i]))
			fail_msg("not found: %s", texts[i]);
}

static void other_texts_are_shown(void **state)
{
	static const char *const texts[] = {
		"",
		"E",
		"EwB4A8l6BAA",
		("AADSTS70008: The provided authorization code or refresh "
		 "token has expired due to inactivity. Send a new one."),
		"{\"status\":\"401\",\"schemes\":\"bearer\",\"scope\":\"mail\"}",
		"%",
		"%4",
		"\\",
		"\\u004",
		"\\x4",
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(texts); i++)
		if (holds(texts[i]))
			fail_msg("found: %s", texts[i]);
}

static void short_secrets_are_found_whole(void **state)
{
	(void)state;
	assert_true(holds_of("code Ab3-xY9-kL", 15, "Ab3-xY9-kL"));
	assert_true(holds_of("code ab3xy9kl", 13, "Ab3-xY9-kL"));
	assert_false(holds_of("code Ab3-xY9-k", 14, "Ab3-xY9-kL"));
	assert_true(holds_of("tok123", 6, "tok123"));
	assert_false(holds_of("TOK123", 6, "tok123"));
	assert_true(holds_of("x?!&=;:,./", 10, "?!&=;:,./"));
	assert_false(holds_of("an error", 8, "an"));
	assert_false(holds_of("an error", 8, ""));
	assert_false(
	    echo_holds((struct span){ NULL, 0 }, (struct span){ NULL, 0 }));
}

/* Texts and secrets longer than what is looked at at once. */
static void no_place_is_too_far(void **state)
{
	static char text[10000], other[70000];
	size_t at, i;

	(void)state;
	for (at = 0; at + 16 < sizeof(text); at += 13) {
		memset(text, 'z', sizeof(text));
		memcpy(text + at, secret, 16);
		assert_true(echo_holds((struct span){ text, sizeof(text) },
		    span_of(secret)));
	}
	for (i = 0; i < sizeof(other); i++)
		other[i] = "abcdefghijklmnop"[(i * i + i / 7) % 16];
	assert_false(
	    echo_holds((struct span){ other, sizeof(other) }, span_of(secret)));
	memset(text, 'z', sizeof(text));
	memcpy(text + 5000, other + sizeof(other) - 16, 16);
	assert_true(echo_holds((struct span){ text, sizeof(text) },
	    (struct span){ other, sizeof(other) }));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies_are_found),
		cmocka_unit_test(other_texts_are_shown),
		cmocka_unit_test(short_secrets_are_found_whole),
		cmocka_unit_test(no_place_is_too_far),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
