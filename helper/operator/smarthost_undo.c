/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What setup postfix changed, and back: in DIR/mailtoken/undo stand for each
 * file NAME.before, if it was there, and NAME.after, which goes on being
 * written only as long as nobody else changes the file.
 */
#include "operator/smarthost.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "operator/run.h"

/* The maps come last, because main.cf names them. */
#define FIRST_MAP 2
#define FILES	  (FIRST_MAP + MAPS)

const char *const smarthost_maps[MAPS] = { "sasl_passwd", "tls_policy",
	"senders", "generic", "routes", "kept" };

struct paths {
	char now[PATH_MAX], before[PATH_MAX], after[PATH_MAX];
};

static struct paths paths_of(const struct smarthost *smarthost, size_t i)
{
	const char *leaf = i == 0 ? "main.cf" :
	    i == 1		  ? "master.cf" :
				    smarthost_maps[i - FIRST_MAP];
	struct paths paths;

	(void)snprintf(paths.now, sizeof(paths.now), "%s/%s",
	    i < FIRST_MAP ? smarthost->dir : smarthost->ours, leaf);
	(void)snprintf(paths.before, sizeof(paths.before), "%s/undo/%s.before",
	    smarthost->ours, leaf);
	(void)snprintf(paths.after, sizeof(paths.after), "%s/undo/%s.after",
	    smarthost->ours, leaf);
	return paths;
}

static bool is_there(const char *path)
{
	return access(path, F_OK) == 0;
}

/* What is not there equals an empty file: that is its .after. */
static bool same(const char *path, const char *after)
{
	struct stat st;

	return is_there(path) ?
	    run(NULL, NULL, "cmp", "-s", path, after, NULL) :
	    stat(after, &st) == 0 && st.st_size == 0;
}

/* With owner, mode and time. */
static bool copy(const char *from, const char *to)
{
	struct why why;

	if (run(NULL, &why, "cp", "-p", is_there(from) ? from : "/dev/null", to,
		NULL))
		return true;
	screen_say("cannot keep a copy of %s: %s", from, why.text);
	return false;
}

bool undo_before(struct smarthost *smarthost)
{
	char folder[PATH_MAX];
	size_t i;

	if (smarthost->setup->dry_run || smarthost->kept)
		return true;
	smarthost->kept = true;
	(void)snprintf(folder, sizeof(folder), "%s/undo", smarthost->ours);
	(void)mkdir(smarthost->ours, 0755);
	(void)mkdir(folder, 0700);
	for (i = 0; i < FILES; i++) {
		struct paths paths = paths_of(smarthost, i);

		if (is_there(paths.after)) {
			if (!same(paths.now, paths.after))
				smarthost->theirs |= 1U << i;
		} else if ((is_there(paths.now) &&
			       !copy(paths.now, paths.before)) ||
		    !copy(paths.now, paths.after)) {
			return false;
		}
	}
	return true;
}

bool undo_after(struct smarthost *smarthost)
{
	size_t i;

	for (i = 0; i < FILES && !smarthost->setup->dry_run; i++) {
		struct paths paths = paths_of(smarthost, i);

		if ((smarthost->theirs & (1U << i)) == 0 &&
		    !copy(paths.now, paths.after))
			return false;
	}
	return true;
}

static bool is_as_before(const struct paths *paths)
{
	return is_there(paths->before) ? same(paths->now, paths->before) :
					 !is_there(paths->now);
}

/* In one step, and so that it can be done again. */
static bool give_back(struct smarthost *smarthost, const struct paths *paths)
{
	bool was_there = is_there(paths->before), good;
	char target[PATH_MAX], fresh[PATH_MAX + 16];
	struct why why;

	if (!setup_step(smarthost->setup, "%s %s",
		was_there ? "give back" : "remove", paths->now))
		return true;
	/* Where a link leads, so that the link stays one. */
	if (realpath(paths->now, target) == NULL)
		(void)snprintf(target, sizeof(target), "%s", paths->now);
	(void)snprintf(fresh, sizeof(fresh), "%s.mailtoken-undo", target);
	(void)unlink(fresh); /* cp would follow a link */
	good = was_there ? copy(paths->before, fresh) &&
		run(NULL, NULL, "sync", fresh, NULL) &&
		rename(fresh, target) == 0 :
			   unlink(paths->now) == 0;
	if (good)
		return true;
	why_set(&why, errno, "cannot give back %s", paths->now);
	screen_say("%s", why.text);
	return false;
}

bool undo_run(struct smarthost *smarthost)
{
	char folder[PATH_MAX];
	size_t left = FILES, i;
	struct paths paths;

	(void)snprintf(folder, sizeof(folder), "%s/undo", smarthost->ours);
	if (!is_there(folder)) {
		screen_say("nothing in %s is of mailtoken setup postfix",
		    smarthost->dir);
		return false;
	}
	for (i = 0; i < FILES; i++) {
		paths = paths_of(smarthost, i);
		if (left < FIRST_MAP && i >= FIRST_MAP)
			return false; /* they are in use */
		if (is_as_before(&paths))
			continue;
		if (!same(paths.now, paths.after)) {
			screen_say("%s was changed after setup, so it stays "
				   "as it is; before setup it was %s",
			    paths.now, paths.before);
			left = left < i ? left : i;
		} else if (!give_back(smarthost, &paths)) {
			return false;
		}
	}
	if (left == FILES && !smarthost->setup->dry_run &&
	    run(NULL, NULL, "rm", "-r", "-f", folder, NULL))
		(void)rmdir(smarthost->ours);
	return left == FILES;
}
