/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What is refused, and that a file is the old one or the new one.
 */
#include "store/safefile.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "failing_malloc.h"
#include "scratch.h"
#include "test.h"

#define SIZE 96000

struct bed {
	char dir[SCRATCH_BYTES];
	char path[SCRATCH_BYTES];
	int dirfd;
	struct buf out;
	struct why why;
};

static int setup(void **state)
{
	struct bed *bed = calloc(1, sizeof(*bed));

	if (bed == NULL)
		return -1;
	scratch_new(bed->dir);
	scratch_path(bed->dir, "file", bed->path);
	buf_init(&bed->out, 100);
	bed->dirfd = open(bed->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = bed;
	return bed->dirfd >= 0 ? 0 : -1;
}

static int teardown(void **state)
{
	struct bed *bed = *state;

	buf_drop(&bed->out);
	(void)close(bed->dirfd);
	scratch_drop(bed->dir);
	free(bed);
	return 0;
}

static void write_file(const struct bed *bed, struct span bytes, mode_t mode)
{
	scratch_write(bed->path, bytes.p, bytes.n, mode);
}

static enum fault read_file(struct bed *bed)
{
	buf_drop(&bed->out);
	return safefile_read(bed->dirfd, bed->dir, "file", &bed->out,
	    &bed->why);
}

/* Refused, and the cure named is "command DIR/file". */
static void unsafe(struct bed *bed, const char *command)
{
	char *at;

	assert_int_equal(read_file(bed), FAULT_UNSAFE);
	assert_int_equal(bed->out.n, 0);
	at = strstr(bed->why.text, command);
	assert_non_null(at);
	assert_string_equal(at + strlen(command), bed->path);
}

static void private_files_are_read(void **state)
{
	struct bed *bed = *state;

	write_file(bed, BYTES("a\0b\n"), 0600);
	assert_int_equal(read_file(bed), FAULT_NONE);
	assert_span(buf_span(&bed->out), "a\0b\n");
	write_file(bed, BYTES(""), 0400);
	assert_int_equal(read_file(bed), FAULT_NONE);
	assert_int_equal(bed->out.n, 0);
	assert_int_equal(unlink(bed->path), 0);
	assert_int_equal(read_file(bed), FAULT_NOT_FOUND);
}

static void modes_beyond_0600_are_refused(void **state)
{
	static const mode_t modes[] = {
		0644,
		0640,
		0604,
		0660,
		0601,
		0610,
		0700,
		04600,
		02600,
	};
	struct bed *bed = *state;
	size_t i;

	for (i = 0; i < COUNT(modes); i++) {
		write_file(bed, BYTES("x"), modes[i]);
		unsafe(bed, ": chmod 600 ");
	}
}

static void other_owners_are_refused(void **state)
{
	struct bed *bed = *state;

	if (getuid() != 0) {
		print_message("skipped: needs root\n");
		skip();
	}
	write_file(bed, BYTES("x"), 0600);
	assert_int_equal(chown(bed->path, 1, 1), 0);
	unsafe(bed, ": chown root ");
}

static void links_are_refused(void **state)
{
	char other[SCRATCH_BYTES];
	struct bed *bed = *state;

	scratch_path(bed->dir, "other", other);
	scratch_write(other, "x", 1, 0600);
	assert_int_equal(symlink("other", bed->path), 0);
	unsafe(bed, "not a plain file: rm ");
	assert_int_equal(unlink(bed->path), 0);
	assert_int_equal(link(other, bed->path), 0);
	unsafe(bed, "find / -xdev -samefile ");
	assert_int_equal(unlink(other), 0);
	assert_int_equal(read_file(bed), FAULT_NONE);
}

static void what_is_no_file_is_refused_without_waiting(void **state)
{
	struct bed *bed = *state;

	assert_int_equal(mkdir(bed->path, 0700), 0);
	unsafe(bed, ": rmdir ");
	assert_int_equal(rmdir(bed->path), 0);
	assert_int_equal(mkfifo(bed->path, 0600), 0);
	unsafe(bed, ": rm ");
}

static void too_large_a_file_is_refused(void **state)
{
	char bytes[101];
	struct bed *bed = *state;

	memset(bytes, 'x', sizeof(bytes));
	write_file(bed, (struct span){ bytes, 100 }, 0600);
	assert_int_equal(read_file(bed), FAULT_NONE);
	assert_int_equal(bed->out.n, 100);
	write_file(bed, (struct span){ bytes, 101 }, 0600);
	unsafe(bed, ": rm ");
}

static int read_unreadable(void *ctx)
{
	struct bed *bed = ctx;

	return read_file(bed) == FAULT_UNSAFE &&
		strstr(bed->why.text, ": chmod 600 ") != NULL ?
	    0 :
	    1;
}

static int in_child(uid_t uid, int (*step)(void *ctx), void *ctx)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		if (uid != getuid() && (setgid(uid) != 0 || setuid(uid) != 0))
			_exit(99);
		_exit(step(ctx));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void a_file_its_owner_cannot_read_names_the_cure(void **state)
{
	struct bed *bed = *state;
	uid_t uid = getuid() == 0 ? 1 : getuid();

	write_file(bed, BYTES("x"), 0);
	if (getuid() == 0) {
		assert_int_equal(chown(bed->path, 1, 1), 0);
		assert_int_equal(chmod(bed->dir, 0755), 0);
	}
	assert_int_equal(in_child(uid, read_unreadable, bed), 0);
}

static void shown_names_are_printable_and_fit(void **state)
{
	char out[SAFEFILE_SHOWN_BYTES], leaf[256], dir[1024];

	(void)state;
	safefile_shown("/a", "b\n\033", out);
	assert_string_equal(out, "/a/b\\x0a\\x1b");
	safefile_shown("/", "b", out);
	assert_string_equal(out, "/b");
	memset(leaf, '\377', 255);
	leaf[255] = '\0';
	memset(dir, 'd', 1023);
	dir[1023] = '\0';
	safefile_shown(dir, leaf, out);
	assert_true(strlen(out) < sizeof(out));
	assert_non_null(strstr(out, ".../"));
}

static void a_secret_outside_loses_one_line_end(void **state)
{
	static const struct {
		struct span file, want;
	} rows[] = {
#define L(s) { s, sizeof(s) - 1 }
		{ L("abc"), L("abc") },
		{ L("abc\n"), L("abc") },
		{ L("abc\r\n"), L("abc") },
		{ L("abc\n\n"), L("abc\n") },
		{ L("abc\r"), L("abc\r") },
		{ L(""), L("") },
		{ L("\n"), L("") },
		{ L("\r\n"), L("") },
		{ L("12345678\r\n"), L("12345678") },
	};
	struct bed *bed = *state;
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		write_file(bed, rows[i].file, 0600);
		buf_drop(&bed->out);
		assert_int_equal(
		    safefile_read_secret(bed->path, 8, &bed->out, &bed->why),
		    FAULT_NONE);
		assert_int_equal(bed->out.n, rows[i].want.n);
		if (bed->out.n > 0)
			assert_memory_equal(bed->out.p, rows[i].want.p,
			    bed->out.n);
	}
}

static void a_secret_outside_has_a_limit(void **state)
{
	static const struct span files[] = {
		L("123456789"),
		L("123456789\n"),
		L("12345678\n\n"),
		L("1234567890\n"),
		L("1234567890abc"),
#undef L
	};
	struct bed *bed = *state;
	size_t i;

	for (i = 0; i < COUNT(files); i++) {
		write_file(bed, files[i], 0600);
		assert_int_equal(
		    safefile_read_secret(bed->path, 8, &bed->out, &bed->why),
		    FAULT_TOO_BIG);
		assert_int_equal(bed->out.n, 0);
	}
}

static enum fault read_secret(struct bed *bed)
{
	buf_drop(&bed->out);
	return safefile_read_secret(bed->path, 8, &bed->out, &bed->why);
}

static void a_secret_outside_is_the_owners_and_groups(void **state)
{
	static const struct {
		mode_t mode;
		enum fault want;
	} rows[] = {
		{ 0600, FAULT_NONE },
		{ 0400, FAULT_NONE },
		{ 0640, FAULT_NONE },
		{ 0440, FAULT_NONE },
		{ 0604, FAULT_UNSAFE },
		{ 0660, FAULT_UNSAFE },
		{ 0602, FAULT_UNSAFE },
		{ 0601, FAULT_UNSAFE },
	};
	char link[SCRATCH_BYTES];
	struct bed *bed = *state;
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		write_file(bed, BYTES("x"), rows[i].mode);
		assert_int_equal(read_secret(bed), rows[i].want);
	}
	assert_non_null(strstr(bed->why.text, ": chmod g-w,o= "));
	write_file(bed, BYTES("x"), 0600);
	if (getuid() == 0) {
		assert_int_equal(chown(bed->path, 1, 1), 0);
		assert_int_equal(read_secret(bed), FAULT_UNSAFE);
		assert_non_null(strstr(bed->why.text, ": chown root "));
		assert_int_equal(chown(bed->path, 0, 0), 0);
	}
	/* Through a link it is the file that is judged. */
	scratch_path(bed->dir, "link", link);
	assert_int_equal(symlink("file", link), 0);
	buf_drop(&bed->out);
	assert_int_equal(safefile_read_secret(link, 8, &bed->out, &bed->why),
	    FAULT_NONE);
	assert_int_equal(unlink(bed->path), 0);
	assert_int_equal(read_secret(bed), FAULT_NOT_FOUND);
	assert_int_equal(mkfifo(bed->path, 0600), 0);
	assert_int_equal(read_secret(bed), FAULT_UNSAFE);
}

static enum fault replace(struct bed *bed, struct span bytes, off_t size)
{
	struct safefile_tmp tmp = { .fd = -1 };
	enum fault fault;

	fault = safefile_make(bed->dirfd, size, &tmp, &bed->why);
	if (fault != FAULT_NONE) {
		assert_int_equal(tmp.fd, -1);
		return fault;
	}
	fault = safefile_put(bed->dirfd, &tmp, "file", bytes, &bed->why);
	assert_int_equal(tmp.fd, -1);
	return fault;
}

static void umask_does_not_matter(void **state)
{
	static const mode_t masks[] = { 000, 022, 077, 0177, 0777 };
	struct bed *bed = *state;
	struct stat st;
	mode_t old;
	size_t i;

	for (i = 0; i < COUNT(masks); i++) {
		old = umask(masks[i]);
		assert_int_equal(replace(bed, BYTES("x"), SIZE), FAULT_NONE);
		(void)umask(old);
		assert_int_equal(stat(bed->path, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
		assert_int_equal(st.st_size, 1);
	}
	assert_int_equal(scratch_count(bed->dir, ".tmp-"), 0);
}

static void space_is_reserved_before_and_given_back_after(void **state)
{
	struct safefile_tmp tmp = { .fd = -1 };
	struct bed *bed = *state;
	struct stat st;

	assert_int_equal(safefile_make(bed->dirfd, SIZE, &tmp, &bed->why),
	    FAULT_NONE);
	assert_int_equal(scratch_count(bed->dir, ".tmp-"), 1);
	assert_int_equal(fstat(tmp.fd, &st), 0);
	assert_int_equal(st.st_size, SIZE);
	assert_true(st.st_blocks * 512 >= SIZE);
	assert_true((fcntl(tmp.fd, F_GETFD) & FD_CLOEXEC) != 0);
	safefile_abandon(bed->dirfd, &tmp);
	safefile_abandon(bed->dirfd, &tmp);
	assert_int_equal(scratch_count(bed->dir, ".tmp-"), 0);
}

static void a_failed_rename_leaves_nothing_behind(void **state)
{
	struct bed *bed = *state;

	assert_int_equal(mkdir(bed->path, 0700), 0);
	assert_int_equal(replace(bed, BYTES("x"), SIZE), FAULT_IO);
	assert_int_equal(bed->why.err, EISDIR);
	assert_int_equal(scratch_count(bed->dir, ".tmp-"), 0);
}

static int make_in_read_only(void *ctx)
{
	struct bed *bed = ctx;

	return replace(bed, BYTES("x"), SIZE) == FAULT_READ_ONLY ? 0 : 1;
}

static void a_directory_without_write_is_read_only(void **state)
{
	struct bed *bed = *state;
	uid_t uid = getuid() == 0 ? 1 : getuid();

	if (getuid() == 0)
		assert_int_equal(chown(bed->dir, 1, 1), 0);
	assert_int_equal(chmod(bed->dir, 0500), 0);
	assert_int_equal(in_child(uid, make_in_read_only, bed), 0);
}

/* Steps for a child that may not write more than this. */
static int save_under_limit(void *ctx)
{
	struct rlimit limit = { 4096, 4096 };
	struct bed *bed = ctx;
	struct safefile_tmp tmp = { .fd = -1 };
	char bytes[8192];

	(void)signal(SIGXFSZ, SIG_IGN);
	memset(bytes, 'x', sizeof(bytes));
	if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
		return 2;
	/* Known when the space is reserved ... */
	if (replace(bed, BYTES("x"), SIZE) != FAULT_IO || bed->why.err != EFBIG)
		return 3;
	/* ... and when only the write runs into it. */
	if (safefile_make(bed->dirfd, 0, &tmp, &bed->why) != FAULT_NONE)
		return 4;
	if (safefile_put(bed->dirfd, &tmp, "file",
		(struct span){ bytes, sizeof(bytes) }, &bed->why) != FAULT_IO ||
	    bed->why.err != EFBIG)
		return 5;
	return 0;
}

static void a_file_size_limit_leaves_the_old_file(void **state)
{
	struct bed *bed = *state;

	write_file(bed, BYTES("old"), 0600);
	assert_int_equal(in_child(getuid(), save_under_limit, bed), 0);
	assert_int_equal(read_file(bed), FAULT_NONE);
	assert_span(buf_span(&bed->out), "old");
	assert_int_equal(scratch_count(bed->dir, ".tmp-"), 0);
}

/* 77 where no file system can be mounted. */
static int save_on_full_disk(void *ctx)
{
	struct bed *bed = ctx;

	if (unshare(CLONE_NEWNS) != 0 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("tmpfs", bed->dir, "tmpfs", 0, "size=64k") != 0)
		return 77;
	bed->dirfd = open(bed->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (bed->dirfd < 0 || replace(bed, BYTES("old"), 4096) != FAULT_NONE)
		return 1;
	if (replace(bed, BYTES("new"), SIZE) != FAULT_IO ||
	    bed->why.err != ENOSPC)
		return 2;
	if (scratch_count(bed->dir, ".tmp-") != 0)
		return 3;
	if (read_file(bed) != FAULT_NONE ||
	    !span_is(buf_span(&bed->out), "old"))
		return 4;
	return 0;
}

static void a_full_disk_leaves_the_old_file(void **state)
{
	int status = in_child(getuid(), save_on_full_disk, *state);

	if (status == 77) {
		print_message("skipped: no mount namespace here\n");
		skip();
	}
	assert_int_equal(status, 0);
}

static void removing_says_what_was_there(void **state)
{
	struct bed *bed = *state;

	write_file(bed, BYTES("x"), 0600);
	assert_int_equal(safefile_remove(bed->dirfd, "file", &bed->why),
	    FAULT_NONE);
	assert_int_equal(access(bed->path, F_OK), -1);
	assert_int_equal(safefile_remove(bed->dirfd, "file", &bed->why),
	    FAULT_NOT_FOUND);
}

static enum fault read_step(void *ctx)
{
	struct bed *bed = ctx;
	enum fault fault = read_file(bed);

	return fault == FAULT_NONE ? read_secret(bed) : fault;
}

static void no_memory_is_a_fault_at_every_step(void **state)
{
	struct bed *bed = *state;

	write_file(bed, BYTES("x"), 0600);
	assert_int_equal(failing_malloc_each(read_step, bed), 3);
}

#define BED_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BED_TEST(private_files_are_read),
		BED_TEST(modes_beyond_0600_are_refused),
		BED_TEST(other_owners_are_refused),
		BED_TEST(links_are_refused),
		BED_TEST(what_is_no_file_is_refused_without_waiting),
		BED_TEST(too_large_a_file_is_refused),
		BED_TEST(a_file_its_owner_cannot_read_names_the_cure),
		BED_TEST(shown_names_are_printable_and_fit),
		BED_TEST(a_secret_outside_loses_one_line_end),
		BED_TEST(a_secret_outside_has_a_limit),
		BED_TEST(a_secret_outside_is_the_owners_and_groups),
		BED_TEST(umask_does_not_matter),
		BED_TEST(space_is_reserved_before_and_given_back_after),
		BED_TEST(a_failed_rename_leaves_nothing_behind),
		BED_TEST(a_directory_without_write_is_read_only),
		BED_TEST(a_file_size_limit_leaves_the_old_file),
		BED_TEST(a_full_disk_leaves_the_old_file),
		BED_TEST(removing_says_what_was_there),
		BED_TEST(no_memory_is_a_fault_at_every_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
