/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The socket that smtp(8) asks at: below its queue directory where it is
 * chrooted, else the system's, with Postfix's group.  mailtokend(8), Sockets.
 */
#include "operator/smarthost.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "operator/run.h"
#include "operator/setup_impl.h"

#define UNITS	   "/etc/systemd/system"
#define JAIL_QUEUE "/var/spool/postfix"
#define TEXT_BYTES (3 * PATH_MAX)

/* smtp(8) keeps the primary group of its user only. */
static const char *group_of(const struct smarthost *smarthost)
{
	struct span owner = postfix_value(&smarthost->now, "mail_owner");
	const struct passwd *user;
	const struct group *group = NULL;
	char name[64];

	(void)snprintf(name, sizeof(name), "%.*s", SPAN(owner));
	user = getpwnam(name);
	if (user != NULL)
		group = getgrgid(user->pw_gid);
	return group != NULL ? group->gr_name : "postfix";
}

struct drop_in {
	const char *unit;
	char socket[PATH_MAX]; /* where smtp(8) looks */
	char text[TEXT_BYTES]; /* empty: the unit is right as installed */
	char folder[PATH_MAX], path[PATH_MAX];
};

/* What the unit needs beside what is installed. */
static void plan_drop_in(const struct smarthost *smarthost, struct drop_in *in)
{
	struct span queue = postfix_value(&smarthost->now, "queue_directory");
	bool chrooted = smarthost->new_files ||
	    postfix_chrooted(&smarthost->now, "smtp");

	in->unit = chrooted ? UNITS_JAIL : UNITS_SOCKET;
	(void)snprintf(in->socket, PATH_MAX, "%.*s" MAILTOKEN_SYSTEM_SOCKET,
	    chrooted ? (int)queue.n : 0, queue.p);
	(void)snprintf(in->folder, PATH_MAX, UNITS "/%s.d", in->unit);
	(void)snprintf(in->path, PATH_MAX, UNITS "/%s.d/%s.conf", in->unit,
	    strrchr(smarthost->dir, '/') + 1);
	in->text[0] = '\0';
	if (!chrooted)
		(void)snprintf(in->text, TEXT_BYTES,
		    "[Socket]\nSocketGroup=%s\n", group_of(smarthost));
	else if (!span_is(queue, JAIL_QUEUE) && queue.n > 0)
		(void)snprintf(in->text, TEXT_BYTES,
		    "[Unit]\nConditionPathIsDirectory=\n"
		    "RequiresMountsFor=%.*s\n[Socket]\nListenStream=%s\n",
		    SPAN(queue), in->socket);
}

/* Beside one of the same name that somebody else wrote. */
static bool write_drop_in(struct setup *setup, const struct drop_in *in)
{
	const struct setup_file file = { in->path, span_of(in->text), 0644, 0,
		0, false, NULL };

	if (in->text[0] == '\0')
		return true;
	if (!setup->dry_run)
		(void)mkdir(in->folder, 0755);
	return setup_write(setup, &file);
}

bool smarthost_socket(struct smarthost *smarthost)
{
	struct setup *setup = smarthost->setup;
	bool changed = setup->changed, good, jailed;
	struct drop_in in;

	plan_drop_in(smarthost, &in);
	jailed = strcmp(in.unit, UNITS_JAIL) == 0;
	if (access("/run/systemd/system", F_OK) != 0) {
		if (access(in.socket, F_OK) != 0)
			units_left(setup,
			    "have the helper listen where smtp(8) looks",
			    jailed ? in.socket : NULL);
		return true;
	}
	setup->changed = false;
	good = write_drop_in(setup, &in);
	/* The helper takes one more socket only when it starts. */
	if (good && (setup->changed || !units_are(setup, "is-active", in.unit)))
		good = !setup_step(setup, "start the helper again, with %s",
			   in.unit) ||
		    units_restart(setup, jailed);
	setup->changed |= changed;
	return good;
}

bool socket_undo(struct smarthost *smarthost)
{
	struct setup *setup = smarthost->setup;
	struct buf there = BUF_INIT(TEXT_BYTES);
	struct drop_in in;
	bool good = true;

	plan_drop_in(smarthost, &in);
	if (in.text[0] != '\0' &&
	    run_read(in.path, &there, NULL) == FAULT_NONE &&
	    !span_is(buf_span(&there), in.text)) {
		screen_say("%s is not as setup wrote it, so it stays", in.path);
		good = false;
	} else if (there.n > 0 && setup_step(setup, "remove %s", in.path)) {
		good = unlink(in.path) == 0 &&
		    run(NULL, NULL, "systemctl", "daemon-reload", NULL);
		(void)rmdir(in.folder);
		if (!good)
			screen_say("cannot take %s away", in.path);
	}
	buf_drop(&there);
	return good;
}
