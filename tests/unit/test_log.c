/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Bytes of log lines.  The sink here is stderr, led into a pipe, because
 * JOURNAL_STREAM names it; the clock is the test's.
 */
#include "daemon/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/clock.h"
#include "test.h"

static int64_t now_ms = 1000000;
static char got[400000];

int64_t clock_boot_ms(void)
{
	return now_ms;
}

int64_t clock_wall_s(void)
{
	return 0;
}

/* What the calls between start() and written() wrote. */
static int saved_stderr = -1, file_fd = -1;

static void start(void)
{
	char stream[64], name[] = "/tmp/mailtoken-log-XXXXXX";
	struct stat st;

	saved_stderr = dup(STDERR_FILENO);
	file_fd = mkstemp(name);
	assert_true(file_fd >= 0);
	assert_int_equal(unlink(name), 0);
	assert_int_equal(fstat(file_fd, &st), 0);
	assert_int_equal(dup2(file_fd, STDERR_FILENO), STDERR_FILENO);
	(void)snprintf(stream, sizeof(stream), "%llu:%llu",
	    (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
	assert_int_equal(setenv("JOURNAL_STREAM", stream, 1), 0);
	log_open();
	log_level_set(LOG_LEVEL_INFO);
	now_ms += 20000;
}

static const char *written(void)
{
	ssize_t n;

	assert_int_equal(dup2(saved_stderr, STDERR_FILENO), STDERR_FILENO);
	(void)close(saved_stderr);
	n = pread(file_fd, got, sizeof(got) - 1, 0);
	assert_true(n >= 0);
	got[n] = '\0';
	(void)close(file_fd);
	return got;
}

static void a_line_is_logfmt_with_its_priority(void **state)
{
	struct log_line line;

	(void)state;
	start();
	log_start(&line, LOG_LEVEL_NOTICE, "token");
	log_str(&line, "account", "alice@example.com");
	log_str(&line, "empty", "");
	log_str(&line, "none", NULL);
	log_str(&line, "text", "two words");
	log_int(&line, "ms", -12);
	log_end(&line);
	assert_string_equal(written(),
	    "<5>event=token account=alice@example.com "
	    "text=\"two words\" ms=-12\n");
}

static void foreign_bytes_are_escaped(void **state)
{
	struct log_line line;

	(void)state;
	start();
	log_start(&line, LOG_LEVEL_ERROR, "x");
	log_span(&line, "a", BYTES("\n<0>event=fake\r\033[2J"));
	log_span(&line, "b", BYTES("q\"q\\q\0\177\303\244"));
	log_str(&line, "c", "k=v");
	log_str(&line, "d", "%s%n");
	log_end(&line);
	assert_string_equal(written(),
	    "<3>event=x a=\"\\x0a<0>event=fake\\x0d\\x1b[2J\" "
	    "b=\"q\\\"q\\x5cq\\x00\\x7f\\xc3\\xa4\" c=\"k=v\" d=%s%n\n");
}

static void what_is_plain_is_not_escaped_again(void **state)
{
	struct log_line line;

	(void)state;
	start();
	log_start(&line, LOG_LEVEL_ERROR, "x");
	log_plain(&line, "trace", "a\\x0ab");
	log_plain(&line, "text", "say \"x\" \n");
	log_end(&line);
	log_event(LOG_LEVEL_ERROR, "y", "a\\x1bb");
	assert_string_equal(written(),
	    "<3>event=x trace=\"a\\x0ab\" text=\"say \\\"x\\\" "
	    "\\x0a\"\n<3>event=y text=\"a\\x1bb\"\n");
}

static void long_lines_are_cut(void **state)
{
	char value[5000];
	struct log_line line;
	const char *text;

	(void)state;
	memset(value, '\n', sizeof(value));
	start();
	log_start(&line, LOG_LEVEL_ERROR, "x");
	log_span(&line, "a", (struct span){ value, sizeof(value) });
	log_str(&line, "after", "cut");
	log_end(&line);
	memset(value, 'y', sizeof(value));
	log_start(&line, LOG_LEVEL_ERROR, "x");
	log_span(&line, "a", (struct span){ value, sizeof(value) });
	log_end(&line);
	text = written();
	assert_true(strlen(text) <= 2 * (2000 + 4));
	assert_non_null(strstr(text, "\\x0a...\"\n<3>event=x a=yyy"));
	assert_string_equal(text + strlen(text) - 6, "yy...\n");
	assert_null(strstr(text, "after"));
}

/* Wherever the cut falls, the line keeps its limit. */
static void every_length_fits(void **state)
{
	char value[2100];
	struct log_line line;
	size_t n;

	(void)state;
	memset(value, 'y', sizeof(value));
	start();
	log_level_set(LOG_LEVEL_ERROR);
	for (n = 1900; n < sizeof(value); n++) {
		value[0] = n % 2 == 0 ? ' ' : 'y';
		log_start(&line, LOG_LEVEL_ERROR, "x");
		log_span(&line, "a", (struct span){ value, n });
		log_str(&line, "b", "c d");
		now_ms += 20000; /* no limit here */
		log_int(&line, "e", 5);
		assert_true(line.n <= 2000);
	}
	(void)written();
}

static void lines_above_the_level_are_dropped(void **state)
{
	(void)state;
	start();
	log_level_set(LOG_LEVEL_WARNING);
	log_event(LOG_LEVEL_NOTICE, "no", "%s", "x");
	log_event(LOG_LEVEL_WARNING, "yes", "%d %s", 1, "x");
	log_event(LOG_LEVEL_ERROR, "bare", "%s", "");
	assert_string_equal(written(),
	    "<4>event=yes text=\"1 x\"\n<3>event=bare\n");
}

static size_t count(const char *text, const char *what)
{
	size_t n = 0;

	while ((text = strstr(text, what)) != NULL) {
		text++;
		n++;
	}
	return n;
}

static void a_flood_is_counted_and_warnings_pass(void **state)
{
	const char *text;
	int i;

	(void)state;
	start();
	for (i = 0; i < 150; i++)
		log_event(LOG_LEVEL_INFO, "flood", "x");
	log_event(LOG_LEVEL_WARNING, "passes", "x");
	now_ms += 9999;
	log_event(LOG_LEVEL_INFO, "flood", "x");
	now_ms += 1;
	log_event(LOG_LEVEL_INFO, "later", "x");
	text = written();
	assert_int_equal(count(text, "event=flood"), 100);
	assert_int_equal(count(text, "event=passes"), 1);
	assert_non_null(strstr(text,
	    "<4>event=log-dropped lines=51\n<6>event=later text=x\n"));
}

/* Whoever may be refused can ask again. */
static void requests_of_a_uid_have_one_limit_at_any_level(void **state)
{
	static const int64_t uids[] = { LOG_STRANGERS, 0, 106, 1000, 65534 };
	struct log_line line;
	const char *text;
	size_t k;
	int i;

	(void)state;
	start();
	for (i = 0; i < 150; i++) {
		for (k = 0; k < sizeof(uids) / sizeof(uids[0]); k++) {
			log_request_start(&line,
			    i % 2 ? LOG_LEVEL_NOTICE : LOG_LEVEL_INFO, uids[k]);
			log_int(&line, "uid", uids[k]);
			log_end(&line);
		}
		log_event(LOG_LEVEL_WARNING, "rejected", "x");
	}
	log_event(LOG_LEVEL_NOTICE, "stop", "x");
	text = written();
	assert_int_equal(count(text, "event=request"), 500);
	assert_int_equal(count(text, "uid=106\n"), 100);
	assert_int_equal(count(text, "event=rejected"), 100);
	assert_int_equal(count(text, "event=stop"), 1);
}

static void level_words_are_the_five(void **state)
{
	enum log_level level = LOG_LEVEL_ERROR;

	(void)state;
	assert_int_equal(log_level_from_word("debug", &level), FAULT_NONE);
	assert_int_equal(level, LOG_LEVEL_DEBUG);
	assert_int_equal(log_level_from_word("warn", &level), FAULT_GRAMMAR);
	assert_int_equal(log_level_from_word("", &level), FAULT_GRAMMAR);
	assert_int_equal(level, LOG_LEVEL_DEBUG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_logfmt_with_its_priority),
		cmocka_unit_test(foreign_bytes_are_escaped),
		cmocka_unit_test(what_is_plain_is_not_escaped_again),
		cmocka_unit_test(long_lines_are_cut),
		cmocka_unit_test(every_length_fits),
		cmocka_unit_test(lines_above_the_level_are_dropped),
		cmocka_unit_test(a_flood_is_counted_and_warnings_pass),
		cmocka_unit_test(requests_of_a_uid_have_one_limit_at_any_level),
		cmocka_unit_test(level_words_are_the_five),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
