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

#define UNITS	    "/etc/systemd/system"
#define SOCKET	    "mailtoken.socket"
#define JAIL_SOCKET "mailtoken-postfix.socket"
#define JAIL_QUEUE  "/var/spool/postfix"
#define TEXT_BYTES  (3 * PATH_MAX)

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

/* What the unit needs beside what is installed. */
static bool write_drop_in(struct smarthost *smarthost, const char *unit,
    const char *text)
{
	const char *slash = strrchr(smarthost->dir, '/');
	struct buf content = BUF_INIT(TEXT_BYTES);
	char path[PATH_MAX];
	bool good;

	(void)snprintf(path, sizeof(path), UNITS "/%s.d", unit);
	if (!smarthost->setup->dry_run)
		(void)mkdir(path, 0755);
	(void)snprintf(path, sizeof(path), UNITS "/%s.d/%s.conf", unit,
	    slash + 1);
	buf_add_str(&content, text);
	good = text[0] == '\0' ||
	    setup_write(smarthost->setup,
		&(struct setup_file){ path, buf_span(&content), 0644, 0, 0 });
	buf_drop(&content);
	return good;
}

/* The helper takes one more socket only when it starts. */
static bool restart(struct setup *setup, const char *unit)
{
	const char *const asked[] = { "systemctl", "is-active", "--quiet", unit,
		NULL };
	const char *const stop[] = { "systemctl", "stop", "mailtokend.service",
		SOCKET, JAIL_SOCKET, NULL };
	const char *const read[] = { "systemctl", "daemon-reload", NULL };
	const char *const start[] = { "systemctl", "enable", "--now", unit,
		SOCKET, "mailtokend.service", NULL };
	struct why why;

	if ((!setup->changed && run_done(asked, NULL, &why)) ||
	    !setup_step(setup, "start the helper again, with %s", unit) ||
	    (run_done(stop, NULL, &why) && run_done(read, NULL, &why) &&
		run_done(start, NULL, &why)))
		return true;
	screen_say("the helper's socket for Postfix does not start: %s",
	    why.text);
	return false;
}

bool smarthost_socket(struct smarthost *smarthost)
{
	struct span queue = postfix_value(&smarthost->now, "queue_directory");
	bool chrooted = smarthost->new_files ||
	    postfix_chrooted(&smarthost->now, "smtp");
	const char *unit = chrooted ? JAIL_SOCKET : SOCKET;
	struct setup *setup = smarthost->setup;
	char text[TEXT_BYTES] = "", path[PATH_MAX];
	bool changed = setup->changed, good;

	(void)snprintf(path, sizeof(path), "%.*s" MAILTOKEN_SYSTEM_SOCKET,
	    chrooted ? (int)queue.n : 0, queue.p);
	if (access("/run/systemd/system", F_OK) != 0) {
		if (access(path, F_OK) != 0)
			setup_left(setup,
			    "have the helper listen where smtp(8) looks: "
			    "mailtokend --listen " MAILTOKEN_SYSTEM_SOCKET
			    "%s%s",
			    chrooted ? " --listen " : "", chrooted ? path : "");
		return true;
	}
	if (!chrooted)
		(void)snprintf(text, sizeof(text), "[Socket]\nSocketGroup=%s\n",
		    group_of(smarthost));
	else if (!span_is(queue, JAIL_QUEUE) && queue.n > 0)
		(void)snprintf(text, sizeof(text),
		    "[Unit]\nConditionPathIsDirectory=\n"
		    "RequiresMountsFor=%.*s\n[Socket]\nListenStream=%s\n",
		    SPAN(queue), path);
	setup->changed = false;
	good = write_drop_in(smarthost, unit, text) && restart(setup, unit);
	setup->changed |= changed;
	return good;
}
