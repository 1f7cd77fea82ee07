/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Ends are told in time.  The clock is the test's; the log leads into a file.
 */
#include "daemon/expiry.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/clock.h"
#include "test.h"

#define DAY_S  INT64_C(86400)
#define ENDS_S INT64_C(1801440000) /* 2027-02-01 */

static const char text[] =
    "provider x\n"
    "  token_endpoint https://id.example/token\n"
    "  device_authorization_endpoint https://id.example/device\n"
    "  client_id me\n"
    "  client_secret_expires 2027-02-01\n";

static int64_t now_s;
static int log_fd = -1;

int64_t clock_wall_s(void)
{
	return now_s;
}

int64_t clock_boot_ms(void)
{
	return now_s * 1000;
}

static int make_file(const char *bytes)
{
	char name[] = "/tmp/mailtoken-expiry-XXXXXX";
	int fd = mkstemp(name);

	assert_true(fd >= 0);
	assert_int_equal(unlink(name), 0);
	assert_int_equal(write(fd, bytes, strlen(bytes)),
	    (ssize_t)strlen(bytes));
	return fd;
}

static struct config *read_config(void)
{
	char path[64];
	struct config_source source = { .path = path, .owner = geteuid() };
	struct config *config = NULL;
	int fd = make_file(text);
	struct why why;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (config_read(&source, &config, &why) != FAULT_NONE)
		fail_msg("%s", why.text);
	(void)close(fd);
	return config;
}

/* What was logged since the last call. */
static const char *logged(void)
{
	static char got[4096];
	ssize_t n = pread(log_fd, got, sizeof(got) - 1, 0);

	assert_true(n >= 0);
	got[n] = '\0';
	assert_int_equal(ftruncate(log_fd, 0), 0);
	assert_true(lseek(log_fd, 0, SEEK_SET) == 0);
	return got;
}

static void ends_are_told_in_time(void **state)
{
	struct config *config = read_config();
	int saved = dup(STDERR_FILENO);
	char stream[64];
	struct stat st;

	(void)state;
	log_fd = make_file("");
	assert_int_equal(fstat(log_fd, &st), 0);
	(void)snprintf(stream, sizeof(stream), "%llu:%llu",
	    (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
	assert_int_equal(setenv("JOURNAL_STREAM", stream, 1), 0);
	(void)dup2(log_fd, STDERR_FILENO);
	log_open();
	now_s = ENDS_S - 40 * DAY_S;
	expiry_log(config);
	assert_string_equal(logged(), "");
	now_s = ENDS_S - 30 * DAY_S;
	expiry_log(config);
	assert_string_equal(logged(),
	    "<4>event=expiry text=\"provider 'x': client_secret_expires: it "
	    "expires on 2027-02-01; make a new one at the provider\"\n");
	now_s = ENDS_S - 1;
	expiry_log(config);
	assert_non_null(strstr(logged(), "expires on 2027-02-01"));
	now_s = ENDS_S;
	expiry_log(config);
	assert_non_null(strstr(logged(), "it has expired"));
	(void)dup2(saved, STDERR_FILENO);
	(void)close(saved);
	(void)close(log_fd);
	config_release(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ends_are_told_in_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
