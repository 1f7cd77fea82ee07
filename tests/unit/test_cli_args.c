/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Options and words in any order; what is not understood is told by name.
 */
#include "cli/args.h"

#include "test.h"

struct found {
	bool json, due;
	const char *provider;
	struct args_list servers;
};

static enum fault parse(struct found *found, struct args *args, struct why *why,
    char **argv)
{
	const struct args_option verb[] = {
		{ .name = "due", .flag = &found->due },
		{ .name = "provider", .value = &found->provider },
		{ .name = "server", .list = &found->servers },
	};
	const struct args_option global[] = {
		{ .name = "json", .flag = &found->json },
	};

	*found = (struct found){ .json = false };
	args->argc = 0;
	while (argv[args->argc] != NULL)
		args->argc++;
	args->argv = argv;
	args->tables[0] = (struct args_table){ verb, COUNT(verb) };
	args->tables[1] = (struct args_table){ global, COUNT(global) };
	return args_parse(args, why);
}

static char a[] = "alice", json[] = "--json", due[] = "--due",
	    provider[] = "--provider", provider_is[] = "--provider=microsoft",
	    server[] = "--server", server_is[] = "--server=s", ends[] = "--",
	    x[] = "x", y[] = "y", typo[] = "--jsno", value[] = "--json=1",
	    dash[] = "-j", stdio[] = "-";

static void options_and_words_stand_in_any_order(void **state)
{
	char *argv[] = { json, a, provider_is, server, x, server, y, ends, due,
		stdio, NULL };
	struct args args = { .argc = 0 };
	struct found found;
	struct why why;

	(void)state;
	assert_int_equal(parse(&found, &args, &why, argv), FAULT_NONE);
	assert_true(found.json);
	assert_false(found.due);
	assert_string_equal(found.provider, "microsoft");
	assert_int_equal(found.servers.n, 2);
	assert_string_equal(found.servers.at[1], "y");
	assert_int_equal(args.words.n, 3);
	assert_string_equal(args.words.at[0], "alice");
	assert_string_equal(args.words.at[1], "--due");
	assert_string_equal(args.words.at[2], "-");
}

static void the_verb_ends_the_first_part(void **state)
{
	char *argv[] = { json, x, due, NULL };
	struct args args = { .first_word_ends = true };
	struct found found;
	struct why why;

	(void)state;
	assert_int_equal(parse(&found, &args, &why, argv), FAULT_NONE);
	assert_int_equal(args.used, 2);
	assert_false(found.due);
}

static void what_is_wrong_is_named(void **state)
{
	struct {
		char *argv[5];
		const char *text;
	} rows[] = {
		{ { typo, NULL }, "there is no option --jsno" },
		{ { dash, NULL }, "there is no option -j" },
		{ { value, NULL }, "--json takes no value" },
		{ { x, provider, NULL }, "--provider needs a value" },
		{ { provider, x, provider_is, NULL },
		    "--provider stands twice" },
	};
	struct args args = { .argc = 0 };
	struct found found;
	struct why why;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		assert_int_equal(parse(&found, &args, &why, rows[i].argv),
		    FAULT_GRAMMAR);
		assert_string_equal(why.text, rows[i].text);
	}
}

static void words_have_no_limit_and_lists_do(void **state)
{
	char *argv[4 * ARGS_LIST_MAX + 1];
	struct args args = { .argc = 0 };
	struct found found;
	struct why why;
	size_t i;

	(void)state;
	for (i = 0; i < 4 * ARGS_LIST_MAX; i++)
		argv[i] = x;
	argv[i] = NULL;
	assert_int_equal(parse(&found, &args, &why, argv), FAULT_NONE);
	assert_int_equal(args.words.n, 4 * ARGS_LIST_MAX);

	for (i = 0; i <= ARGS_LIST_MAX; i++)
		argv[i] = server_is;
	argv[i] = NULL;
	assert_int_equal(parse(&found, &args, &why, argv), FAULT_GRAMMAR);
	assert_string_equal(why.text, "--server stands more than 32 times");
	argv[ARGS_LIST_MAX] = NULL;
	assert_int_equal(parse(&found, &args, &why, argv), FAULT_NONE);
	assert_int_equal(found.servers.n, ARGS_LIST_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_and_words_stand_in_any_order),
		cmocka_unit_test(the_verb_ends_the_first_part),
		cmocka_unit_test(what_is_wrong_is_named),
		cmocka_unit_test(words_have_no_limit_and_lists_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
