/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The helper's user, its units, and whether it answers: by systemctl where
 * systemd is, else by mailtokend itself.
 */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "operator/run.h"
#include "operator/setup_impl.h"
#include "wire/ask.h"

#define QUEUE_FOLDER "/var/spool/postfix"
#define HOME_FOLDER  "/var/lib/mailtoken"

struct units_path units_program(const char *name)
{
	struct units_path path;
	ssize_t n = readlink("/proc/self/exe", path.text,
	    sizeof(path.text) - strlen(name) - 1);

	while (n > 0 && path.text[n - 1] != '/')
		n--;
	memcpy(path.text + (n > 0 ? n : 0), name, strlen(name) + 1);
	if (n <= 0 || access(path.text, X_OK) != 0)
		(void)snprintf(path.text, sizeof(path.text), "%s",
		    strcmp(name, "mailtoken") == 0 ? MAILTOKEN_MAILTOKEN :
						     MAILTOKEN_MAILTOKEND);
	return path;
}

uid_t units_owner(const struct setup *setup)
{
	const struct passwd *user = setup->root ?
	    getpwnam(MAILTOKEN_HELPER_USER) :
	    NULL;

	return user != NULL ? user->pw_uid : geteuid();
}

bool units_ask(const struct setup *setup, struct talk *talk, const char *verb,
    const char *account)
{
	enum fault fault;

	talk_begin(talk, setup->command, verb, account);
	talk->as_it_is = setup->dry_run; /* else a user's is started */
	fault = talk_open(talk);
	if (fault == FAULT_NONE)
		fault = talk_next(talk, ask_now_ms() + STEP_MAX_MS);
	if (fault != FAULT_NONE && talk->why.text[0] == '\0')
		why_set(&talk->why, 0, "%s", fault_text(fault));
	return fault == FAULT_NONE;
}

static bool answers(const struct setup *setup, struct why *why)
{
	struct talk talk;
	bool is = units_ask(setup, &talk, VERB_VERSION, NULL);

	*why = talk.why;
	talk_close(&talk);
	return is;
}

static bool make_user(struct setup *setup)
{
	struct why why = { 0, "" };

	if (getpwnam(MAILTOKEN_HELPER_USER) != NULL ||
	    !setup_step(setup, "make the user %s, who runs the helper",
		MAILTOKEN_HELPER_USER))
		return true;
	if ((run(NULL, NULL, "systemd-sysusers", "mailtoken.conf", NULL) &&
		getpwnam(MAILTOKEN_HELPER_USER) != NULL) ||
	    run(NULL, &why, "useradd", "--system", "--user-group",
		"--no-create-home", "--home-dir", HOME_FOLDER, "--shell",
		"/usr/sbin/nologin", MAILTOKEN_HELPER_USER, NULL))
		return true;
	screen_say("%s: make the user %s, then run this again", why.text,
	    MAILTOKEN_HELPER_USER);
	return false;
}

static bool is_up(const char *manager, const char *unit)
{
	return run(NULL, NULL, "systemctl", manager, "is-enabled", "--quiet",
		   unit, NULL) &&
	    run(NULL, NULL, "systemctl", manager, "is-active", "--quiet", unit,
		NULL);
}

/* Whether Postfix may ask from inside of its chroot. */
static bool is_chrooted(const struct setup *setup)
{
	return setup->root && setup->command->no_postfix == NULL &&
	    access(QUEUE_FOLDER, F_OK) == 0;
}

/* A helper that runs cannot be given one more socket: mailtokend(8). */
static bool start_units(struct setup *setup)
{
	const char *manager = setup->root ? "--system" : "--user";
	const char *socket = "mailtoken.socket";
	const char *more = setup->root ? "mailtokend.service" :
					 "mailtoken-renew.timer";
	const char *jail = is_chrooted(setup) ? "mailtoken-postfix.socket" :
						NULL;
	struct why why;

	if ((is_up(manager, socket) && is_up(manager, more) &&
		(jail == NULL || is_up(manager, jail))) ||
	    !setup_step(setup, "systemctl %senable --now %s %s%s%s",
		setup->root ? "" : "--user ", socket, more,
		jail != NULL ? " " : "", jail != NULL ? jail : ""))
		return true;
	if (run(NULL, &why, "systemctl", manager, "daemon-reload", NULL) &&
	    (!setup->root ||
		run(NULL, &why, "systemctl", manager, "stop", socket, more,
		    jail, NULL)) &&
	    run(NULL, &why, "systemctl", manager, "enable", "--now", socket,
		more, jail, NULL))
		return true;
	screen_say("%s; \"journalctl -xe\" has more", why.text);
	return false;
}

/* Only where systemd is not, and somebody agrees. */
static bool start_alone(struct setup *setup)
{
	const struct units_path program = units_program("mailtokend");
	const bool chrooted = is_chrooted(setup);
	char inside[sizeof(QUEUE_FOLDER) + ADDRESS_SOCKET_MAX_BYTES];
	struct address address;
	const struct passwd *user = getpwnam(MAILTOKEN_HELPER_USER);
	struct why why;

	address_system_socket(&address);
	(void)snprintf(inside, sizeof(inside), QUEUE_FOLDER "%s", address.path);
	setup_left(setup,
	    "have this run at each boot: mailtokend --listen %s"
	    "%s%s",
	    address.path, chrooted ? " --listen " : "", chrooted ? inside : "");
	if (setup_ask(setup, true,
		"No systemd is here to start the helper.  Start it now?") !=
	    ANSWER_YES)
		return false;
	if (!setup_step(setup, "start the helper"))
		return true;
	if (mkdir(HOME_FOLDER, 0700) == 0 && user != NULL)
		(void)!chown(HOME_FOLDER, user->pw_uid, user->pw_gid);
	if (run(NULL, &why, program.text, "--background", "--listen",
		address.path, chrooted ? "--listen" : NULL, inside, NULL))
		return true;
	screen_say("%s", why.text);
	return false;
}

bool units_start(struct setup *setup)
{
	const char *runtime = setup->root ? "/run" : getenv("XDG_RUNTIME_DIR");
	bool named = setup->command->socket != NULL ||
	    getenv(ADDRESS_SOCKET_ENV) != NULL;
	char systemd[ADDRESS_FILE_MAX_BYTES];
	struct why why;

	(void)snprintf(systemd, sizeof(systemd), "%s/systemd/%s",
	    runtime != NULL ? runtime : "", setup->root ? "system" : "private");
	if (!named && setup->root && !make_user(setup))
		return false;
	if (!named && access(systemd, F_OK) == 0) {
		if (!start_units(setup))
			return false;
	} else if (!named && setup->root && !answers(setup, &why) &&
	    !start_alone(setup)) {
		return false;
	}
	if (setup->dry_run || answers(setup, &why))
		return true;
	screen_say("the helper does not answer (%s): start it as mailtokend(8) "
		   "says, then run this again",
	    why.text);
	return false;
}
