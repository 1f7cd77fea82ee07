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

#define RENEW_TIMER  "mailtoken-renew.timer"
#define QUEUE_FOLDER "/var/spool/postfix"
#define HOME_FOLDER  "/var/lib/mailtoken"

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

bool units_are(const struct setup *setup, const char *what, const char *unit)
{
	return run(NULL, NULL, "systemctl", setup->root ? "--system" : "--user",
	    what, "--quiet", unit, NULL);
}

static bool is_up(const struct setup *setup, const char *unit)
{
	return units_are(setup, "is-enabled", unit) &&
	    units_are(setup, "is-active", unit);
}

/* A helper that runs cannot be given one more socket: mailtokend(8). */
bool units_restart(const struct setup *setup, bool jailed)
{
	const char *manager = setup->root ? "--system" : "--user";
	const char *more = setup->root ? UNITS_SERVICE : RENEW_TIMER;
	const char *jail = NULL;
	struct why why;

	/* Another instance may be served there. */
	if (jailed ||
	    (setup->root && units_are(setup, "is-active", UNITS_JAIL)))
		jail = UNITS_JAIL;
	if (run(NULL, &why, "systemctl", manager, "daemon-reload", NULL) &&
	    (!setup->root ||
		run(NULL, &why, "systemctl", manager, "stop", UNITS_SOCKET,
		    more, jail, NULL)) &&
	    run(NULL, &why, "systemctl", manager, "enable", "--now",
		UNITS_SOCKET, more, jail, NULL))
		return true;
	screen_say("the helper does not start: %s; \"journalctl -xe\" has more",
	    why.text);
	return false;
}

/* Whether Postfix may ask from inside of its chroot. */
static bool is_chrooted(const struct setup *setup)
{
	return setup->root && setup->command->no_postfix == NULL &&
	    access(QUEUE_FOLDER, F_OK) == 0;
}

static bool start_units(struct setup *setup)
{
	const char *more = setup->root ? UNITS_SERVICE : RENEW_TIMER;
	bool jailed = is_chrooted(setup);

	return (is_up(setup, UNITS_SOCKET) && is_up(setup, more) &&
		   (!jailed || is_up(setup, UNITS_JAIL))) ||
	    !setup_step(setup, "systemctl %senable --now %s %s%s",
		setup->root ? "" : "--user ", UNITS_SOCKET, more,
		jailed ? " " UNITS_JAIL : "") ||
	    units_restart(setup, jailed);
}

/* Below which the helper, which is no root any more, makes its socket. */
static bool make_folder_of(const char *socket, struct why *why)
{
	char folder[ADDRESS_FILE_MAX_BYTES];

	(void)snprintf(folder, sizeof(folder), "%.*s",
	    (int)(strrchr(socket, '/') - socket), socket);
	return run(NULL, why, "install", "-d", "-o", MAILTOKEN_HELPER_USER,
	    "-g", MAILTOKEN_HELPER_USER, folder, NULL);
}

void units_left(struct setup *setup, const char *what, const char *inside)
{
	static const char outside[] = MAILTOKEN_SYSTEM_SOCKET;
	const char *more = inside != NULL ? inside : "";

	setup_left(setup,
	    "%s: install -d -o " MAILTOKEN_HELPER_USER
	    " %.*s%s%.*s; mailtokend --listen %s%s%s",
	    what, (int)(strrchr(outside, '/') - outside), outside,
	    inside != NULL ? " " : "",
	    inside != NULL ? (int)(strrchr(inside, '/') - inside) : 0, more,
	    outside, inside != NULL ? " --listen " : "", more);
}

/* Only where systemd is not, and somebody agrees. */
static bool start_alone(struct setup *setup)
{
	const char *inside = is_chrooted(setup) ?
	    QUEUE_FOLDER MAILTOKEN_SYSTEM_SOCKET :
	    NULL;
	const struct passwd *user = getpwnam(MAILTOKEN_HELPER_USER);
	struct why why;

	units_left(setup, "have this run at each boot", inside);
	if (!setup->dry_run && mkdir(HOME_FOLDER, 0700) == 0 && user != NULL)
		(void)!chown(HOME_FOLDER, user->pw_uid, user->pw_gid);
	if (setup_ask(setup, true,
		"No systemd is here to start the helper.  Start it now?") !=
	    ANSWER_YES)
		return false;
	if (!setup_step(setup, "start the helper"))
		return true;
	if (make_folder_of(MAILTOKEN_SYSTEM_SOCKET, &why) &&
	    (inside == NULL || make_folder_of(inside, &why)) &&
	    run(NULL, &why, "mailtokend", "--background", "--listen",
		MAILTOKEN_SYSTEM_SOCKET, inside != NULL ? "--listen" : NULL,
		inside, NULL))
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
