/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What is said, asked and written.
 */
#include "operator/setup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "operator/run.h"

#define INTERRUPT      '\003'
#define LINE_BYTES     1024
#define BACKUPS_MAX    1000
#define LEFT_MAX_LINES 7 /* so that all of the end is at most 12 */

/* The format and its arguments as one line, made harmless by who shows it. */
#define FORMAT(text, format) \
	do { \
		va_list args; \
		va_start(args, format); \
		(void)vsnprintf(text, sizeof(text), format, args); \
		va_end(args); \
	} while (0)

bool setup_step(struct setup *setup, const char *format, ...)
{
	char text[LINE_BYTES];

	FORMAT(text, format);
	setup->changed = true;
	screen_print("%s%s\n", setup->dry_run ? "would " : "- ", text);
	screen_flush();
	return !setup->dry_run;
}

void setup_left(struct setup *setup, const char *format, ...)
{
	char text[LINE_BYTES];

	FORMAT(text, format);
	if (setup->n_left++ >= LEFT_MAX_LINES)
		return;
	buf_add_str(&setup->left, "  ");
	screen_plain(&setup->left, span_of(text));
	buf_add_lit(&setup->left, "\n");
}

void setup_say_left(const struct setup *setup)
{
	if (setup->left.n > 0)
		screen_add("What is left to do:\n");
	buf_add(&screen_out, buf_span(&setup->left));
}

/* One line of standard input, to its end; false when there is none. */
static bool read_line(struct buf *out)
{
	bool any = false;
	char c = ' ';

	/* Not by stdio, which would keep a secret for ever. */
	while (c != '\n' && read(STDIN_FILENO, &c, 1) == 1) {
		any = c != INTERRUPT; /* as in echo(): no signal */
		if (!any)
			break;
		if (c != '\n' && (out->n > 0 || (c != ' ' && c != '\t')))
			buf_add(out, (struct span){ &c, 1 });
	}
	while (out->n > 0 && strchr(" \t\r", out->p[out->n - 1]) != NULL)
		out->p[--out->n] = '\0';
	if (!any)
		screen_add("\n");
	screen_flush();
	return any;
}

enum answer setup_ask(struct setup *setup, bool by_default, const char *format,
    ...)
{
	struct buf line = BUF_INIT(LINE_BYTES);
	enum answer answer = by_default ? ANSWER_YES : ANSWER_NO;
	char text[LINE_BYTES];

	FORMAT(text, format);
	if (setup->yes || setup->dry_run)
		return answer;
	if (!screen.keyboard) {
		screen_say("%s: nobody can be asked here: add --yes, which "
			   "means %s, or run this on a terminal",
		    text, by_default ? "yes" : "no");
		return ANSWER_NONE;
	}
	screen_print("%s [%s] ", text, by_default ? "Y/n" : "y/N");
	screen_flush();
	if (!read_line(&line))
		answer = ANSWER_NO; /* who went away has agreed to nothing */
	else if (line.n > 0)
		answer = line.p[0] == 'y' || line.p[0] == 'Y' ? ANSWER_YES :
								ANSWER_NO;
	buf_drop(&line);
	return answer;
}

const char setup_hidden[] = "";

/* Whether what is typed shows; before the question, which may be answered as
 * soon as it is seen.  A byte that ends lines takes turns with *end. */
static void echo(bool on, cc_t *end)
{
	struct termios terminal;
	cc_t was;

	if (tcgetattr(STDIN_FILENO, &terminal) != 0)
		return;
	if (on)
		terminal.c_lflag |= ECHO | ISIG;
	else
		terminal.c_lflag &= ~(tcflag_t)(ECHO | ISIG);
	was = terminal.c_cc[VEOL];
	terminal.c_cc[VEOL] = *end;
	*end = was;
	(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &terminal);
}

bool setup_input(struct setup *setup, struct buf *out, const char *what,
    const char *option, const char *usual)
{
	bool hidden = usual == setup_hidden, any = true;
	cc_t end = INTERRUPT; /* at once */

	if (usual != NULL && !hidden && (setup->yes || setup->dry_run)) {
		buf_add_str(out, usual);
		return true;
	}
	if (!screen.keyboard) {
		screen_say("nobody can be asked for %s here: give it with %s, "
			   "or run this on a terminal",
		    what, option);
		return false;
	}
	if (hidden)
		echo(false, &end);
	while (any && out->n == 0) {
		screen_print("%s%s%s%s: ", what, usual != NULL ? " [" : "",
		    hidden	      ? "not shown" :
			usual != NULL ? usual :
					"",
		    usual != NULL ? "]" : "");
		screen_flush();
		any = read_line(out);
		if (any && out->n == 0 && usual != NULL)
			buf_add_str(out, usual);
	}
	if (hidden) {
		echo(true, &end);
		screen_add("\n");
		screen_flush();
	}
	return any && buf_fault(out) == FAULT_NONE;
}

/* Whether a file has that content, mode and owner. */
static bool is_so(const struct setup_file *file, const struct stat *st)
{
	struct buf there = BUF_INIT(file->content.n + 1);
	bool same = run_read(file->path, &there, NULL) == FAULT_NONE &&
	    there.n == file->content.n && st->st_uid == file->uid &&
	    st->st_gid == file->gid && (st->st_mode & 07777) == file->mode &&
	    (there.n == 0 || memcmp(there.p, file->content.p, there.n) == 0);

	buf_drop(&there);
	return same;
}

/* A second name for what is there, of which the first is taken away. */
static bool keep(const char *path)
{
	char name[PATH_MAX];
	int i;

	for (i = 1; i < BACKUPS_MAX; i++) {
		if (snprintf(name, sizeof(name), "%s.before-mailtoken-%d", path,
			i) >= (int)sizeof(name))
			return false;
		if (link(path, name) == 0) {
			screen_print("  (what was there: %s)\n", name);
			return true;
		}
		if (errno != EEXIST)
			return false;
	}
	return false;
}

/* On the disk, and whole, beside the file that it is to be. */
static bool write_beside(const struct setup_file *file, char path[PATH_MAX])
{
	bool good;
	int fd;

	(void)snprintf(path, PATH_MAX, "%s.XXXXXX", file->path);
	fd = mkostemp(path, O_CLOEXEC); /* 0600 */
	if (fd < 0)
		return false;
	errno = ENOSPC; /* what a short write does not say */
	good = write(fd, file->content.p, file->content.n) ==
		(ssize_t)file->content.n &&
	    fchown(fd, file->uid, file->gid) == 0 &&
	    fchmod(fd, file->mode) == 0 && fsync(fd) == 0;
	(void)close(fd);
	if (!good)
		(void)unlink(path);
	return good;
}

bool setup_write(struct setup *setup, const struct setup_file *given)
{
	struct setup_file file = *given;
	char real[PATH_MAX], fresh[PATH_MAX], folder[PATH_MAX];
	struct why why;
	struct stat st;
	bool is_there;

	/* Where a link leads, so that the link stays one. */
	if (realpath(given->path, real) != NULL)
		file.path = real;
	(void)snprintf(folder, sizeof(folder), "%.*s",
	    (int)(strrchr(file.path, '/') - file.path), file.path);
	is_there = stat(file.path, &st) == 0;
	if (is_there && is_so(&file, &st))
		return true;
	if (setup->dry_run || write_beside(&file, fresh)) {
		if (!setup->dry_run && file.check != NULL &&
		    !file.check(fresh, given->path)) {
			(void)unlink(fresh);
			return false;
		}
		if (!setup_step(setup, "%s %s", is_there ? "change" : "write",
			file.path))
			return true;
		if ((!is_there || file.overwrite || keep(file.path)) &&
		    rename(fresh, file.path) == 0) {
			/* At worst a crash brings the old one back. */
			(void)run(NULL, NULL, "sync", folder, NULL);
			return true;
		}
		(void)unlink(fresh);
	}
	why_set(&why, errno, "cannot write %s", file.path);
	screen_say("%s", why.text);
	return false;
}
