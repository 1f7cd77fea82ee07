/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Checks of the helper: whether it answers root and smtp(8), and what it says
 * of its configuration and of accounts.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "operator/doctor.h"
#include "operator/explain.h"
#include "operator/run.h"
#include "wire/ids.h"

#define SYSTEMCTL_MAX_MS 10000
#define SOON_S		 (14 * 86400)
#define SERVICE		 "mailtokend.service"
#define SOCKETS		 "mailtoken-postfix.socket mailtoken.socket"

void doctor_begin(struct talk *talk, struct doctor *doctor, const char *verb,
    const char *account)
{
	talk_begin(talk, doctor->command, verb, account);
	talk->as_it_is = true;
}

bool doctor_ask(struct talk *talk)
{
	enum fault fault = talk->fd < 0 ? talk_open(talk) : FAULT_NONE;
	struct span text;

	if (fault == FAULT_NONE)
		fault = talk_next(talk, ask_now_ms() + talk->wait_ms);
	if (fault) {
		if (talk->why.text[0] == '\0')
			why_set(&talk->why, 0, "%s", fault_text(fault));
		return false;
	}
	if (!attr_has(&talk->list, ATTR_RESULT))
		return true;
	fault = ask_result(&talk->list);
	text = attr_get(&talk->list, ATTR_TEXT);
	talk->why = (struct why){ .err = 0 };
	if (fault && text.n > 0)
		why_set(&talk->why, 0, "%.*s", SPAN(text));
	else if (fault)
		why_set(&talk->why, 0, "%s", fault_text(fault));
	return false;
}

/* A command of explain's, for that account. */
static void type_for(struct finding *finding, struct span line,
    const char *account)
{
	const size_t n = sizeof(EXPLAIN_ACCOUNT) - 1;
	const char *at = memmem(line.p, line.n, EXPLAIN_ACCOUNT, n);
	const char *end = line.p + line.n;

	if (at == NULL)
		finding_type(finding, "%.*s", SPAN(line));
	else
		finding_type(finding, "%.*s%s%.*s", (int)(at - line.p), line.p,
		    finding_name(account), (int)(end - at - (ptrdiff_t)n),
		    at + n);
}

/* One command of ours; what else stands there may be a stranger's. */
static bool type_ours(struct finding *finding, const char *at)
{
	static const char plain[] = " /=._+@-" ATTR_ALNUM;
	size_t n = strspn(at, plain);

	if ((strncmp(at, "mailtoken ", 10) != 0 &&
		strncmp(at, "systemctl ", 10) != 0) ||
	    strchr("\",;", at[n]) == NULL)
		return false;
	finding_type(finding, "%.*s", (int)n, at);
	return true;
}

void doctor_type(struct finding *finding, const char *account)
{
	const char *at = strstr(finding->text, "run \""), *next;

	if (at != NULL && type_ours(finding, at + 5))
		return;
	/* Ours is the last one. */
	at = NULL;
	for (next = finding->text; (next = strstr(next, "run: ")) != NULL;)
		at = next += 5;
	if (at == NULL || !type_ours(finding, at))
		doctor_type_known(finding, account);
}

void doctor_type_known(struct finding *finding, const char *account)
{
	static const char doctor[] = "mailtoken doctor";
	struct explained explained;
	const char *at, *end;
	struct span line;

	if (account == NULL ||
	    !explain_find(span_of(finding->text), &explained))
		return;
	at = explained.type.p;
	for (end = at + explained.type.n; at < end; at = line.p + line.n + 1) {
		line.p = at;
		line.n = (size_t)(end - at);
		if (memchr(at, '\n', line.n) != NULL)
			line.n = strcspn(at, "\n");
		if (memmem(line.p, line.n, doctor, sizeof(doctor) - 1) == NULL)
			type_for(finding, line, account);
	}
}

static bool has_systemd(void)
{
	return access("/run/systemd/system", F_OK) == 0;
}

static bool is_jailed(const struct doctor *doctor)
{
	return doctor->has_postfix &&
	    postfix_chrooted(&doctor->postfix, "smtp");
}

void doctor_helper(struct doctor *doctor, struct finding *finding)
{
	const char *path = doctor->command->address.path;
	struct talk talk;

	doctor_begin(&talk, doctor, VERB_VERSION, NULL);
	(void)doctor_ask(&talk);
	if (talk.why.text[0] == '\0') {
		finding_good(finding, "mailtokend %.*s answers at %s",
		    SPAN(attr_get(&talk.list, ATTR_VERSION)), path);
	} else {
		finding_wrong(finding, "no helper answers: %s", talk.why.text);
		if (talk.why.err == EACCES)
			finding_more(finding,
			    "; root may ask it, and the group of the socket");
		else if (doctor->command->helper == COMMAND_OWN)
			finding_type(finding,
			    has_systemd() ?
				"systemctl --user restart mailtoken.socket" :
				"mailtokend --background");
		else if (doctor->command->helper == COMMAND_SYSTEM &&
		    has_systemd())
			finding_type(finding,
			    talk.why.err == ENOENT ?
				"systemctl enable --now mailtoken.socket " SERVICE :
				"systemctl restart " SERVICE);
		else if (doctor->command->helper == COMMAND_SYSTEM)
			finding_type(finding,
			    "mailtokend --user mailtoken --background");
	}
	talk_close(&talk);
}

void doctor_config(struct doctor *doctor, struct finding *finding)
{
	char path[ADDRESS_FILE_MAX_BYTES];
	bool more = false;
	struct talk talk;
	size_t i, first = 0;

	if (doctor->command->helper != COMMAND_OWN)
		(void)snprintf(path, sizeof(path), "%s",
		    address_system_config());
	else if (address_user_config(path) != FAULT_NONE)
		path[0] = '\0';
	if (doctor->command->helper == COMMAND_OWN && access(path, F_OK) != 0) {
		finding_good(finding,
		    "there is no %s, and a helper of one's own needs none",
		    path);
		return;
	}
	if (doctor->command->helper == COMMAND_SYSTEM &&
	    access(path, F_OK) != 0) {
		finding_wrong(finding,
		    "there is no %s, and without one nothing is offered to "
		    "mail programs (\"No worthy mechs found\")",
		    path);
		finding_type(finding, "mailtoken setup");
		return;
	}
	doctor_begin(&talk, doctor, VERB_VERSION, NULL);
	(void)doctor_ask(&talk);
	/* That the helper is old is the last one, and another check's. */
	for (i = 0; talk.why.text[0] == '\0' && i < talk.list.n; i++)
		if (span_is(talk.list.at[i].name, ATTR_WARNING) && first == 0)
			first = i;
		else if (span_is(talk.list.at[i].name, ATTR_WARNING))
			more = true;
	if (first > 0 && (more || !attr_is(&talk.list, ATTR_STALE, "yes"))) {
		finding_wrong(finding, "%.*s", SPAN(talk.list.at[first].value));
		doctor_type(finding, NULL);
	} else if (talk.why.text[0] != '\0') {
		finding_good(finding, "the helper does not say what it takes");
	} else {
		finding_good(finding, "the helper takes %.*s",
		    SPAN(attr_get(&talk.list, ATTR_CONFIG)));
	}
	talk_close(&talk);
}

/* After an upgrade, say. */
void doctor_current(struct doctor *doctor, struct finding *finding)
{
	struct talk talk;

	doctor_begin(&talk, doctor, VERB_VERSION, NULL);
	(void)doctor_ask(&talk);
	if (attr_is(&talk.list, ATTR_STALE, "yes")) {
		finding_wrong(finding,
		    "the helper that runs is older than its program");
		finding_type(finding, "systemctl %srestart " SERVICE,
		    doctor->command->helper == COMMAND_OWN ? "--user " : "");
	} else {
		finding_good(finding, "it is the one on disk; sandbox: %.*s",
		    SPAN(attr_get(&talk.list, ATTR_SANDBOX)));
	}
	talk_close(&talk);
}

/* name{provider="NAME"} SECONDS */
static void judge_end(struct span sample, const char *what,
    struct finding *finding)
{
	const char *at = memchr(sample.p, '}', sample.n);
	struct span provider;
	int64_t ends_s, left_s;

	if (at == NULL ||
	    attr_number(
		(struct span){ at + 2, (size_t)(sample.p + sample.n - at) - 2 },
		1, INT64_MAX, &ends_s) != FAULT_NONE)
		return;
	left_s = ends_s - screen_now_s();
	provider = (struct span){ memchr(sample.p, '"', sample.n), 0 };
	if (left_s > SOON_S || provider.p == NULL ||
	    finding->verdict == VERDICT_WRONG)
		return;
	finding_wrong(finding,
	    left_s > 0 ? "%s of %.*s ends in %s" : "%s of %.*s has ended%.0s",
	    what, (int)(at - provider.p), provider.p, screen_left(left_s).text);
	finding_more(finding,
	    ": make a new one at the provider, and put it in "
	    "the place of the old one");
}

void doctor_ends(struct doctor *doctor, struct finding *finding)
{
	static const struct {
		const char *metric, *what;
	} ends[] = {
		{ "mailtoken_client_secret_expiration_timestamp_seconds",
		    "the client secret" },
		{ "mailtoken_certificate_expiration_timestamp_seconds",
		    "the certificate" },
	};
	struct talk talk;
	size_t i, j;

	doctor_begin(&talk, doctor, VERB_METRICS, NULL);
	while (doctor_ask(&talk))
		for (i = 0; i < 2; i++)
			for (j = 0; j < talk.list.n; j++)
				if (attr_is(&talk.list, ATTR_METRIC,
					ends[i].metric) &&
				    span_is(talk.list.at[j].name, ATTR_SAMPLE))
					judge_end(talk.list.at[j].value,
					    ends[i].what, finding);
	if (finding->verdict != VERDICT_WRONG)
		finding_good(finding,
		    "no client secret or certificate ends soon");
	talk_close(&talk);
}

static bool is_enabled(const char *unit)
{
	const char *argv[] = { "systemctl", "is-enabled", unit, NULL };
	struct why why;

	return run_program(argv, (struct span){ "", 0 }, SYSTEMCTL_MAX_MS, NULL,
		   &why) == FAULT_NONE;
}

/* A user's helper ends with his last session, unless he lingers. */
static void find_linger(struct finding *finding)
{
	const struct passwd *user = getpwuid(getuid());
	char path[DOCTOR_NAME_BYTES];

	(void)snprintf(path, sizeof(path), "/var/lib/systemd/linger/%s",
	    user != NULL ? user->pw_name : "");
	if (user == NULL || access(path, F_OK) == 0) {
		finding_good(finding, "your services outlive your sessions");
		return;
	}
	finding_wrong(finding,
	    "your helper ends with your last session, and with it the renewal "
	    "of your grants: lingering is off");
	finding_type(finding, "loginctl enable-linger %s", user->pw_name);
}

void doctor_units(struct doctor *doctor, struct finding *finding)
{
	static const char *const units[] = { "mailtoken-postfix.socket",
		"mailtoken.socket", SERVICE };
	size_t i;

	if (!has_systemd() || doctor->command->helper == COMMAND_NAMED) {
		finding_none(finding, "no systemd starts the helper");
		return;
	}
	if (doctor->command->helper == COMMAND_OWN) {
		find_linger(finding);
		return;
	}
	for (i = is_jailed(doctor) ? 0 : 1; i < 3; i++)
		if (!is_enabled(units[i]))
			break;
	if (i == 3) {
		finding_good(finding, "the helper is there after a boot");
		return;
	}
	finding_wrong(finding,
	    "%s is not enabled: it will not be there after "
	    "a boot",
	    units[i]);
	finding_type(finding, "systemctl enable %s %s",
	    is_jailed(doctor) ? SOCKETS : units[1], SERVICE);
}

/* Be what smtp(8) is: its user, its groups, its root; and ask its socket.
 * False where that cannot be. */
static bool become_smtp(struct doctor *doctor, struct finding *finding)
{
	struct address *address = &doctor->command->address;
	const struct passwd *user;
	char text[ADDRESS_FILE_MAX_BYTES];
	const char *named;

	(void)snprintf(text, sizeof(text), "%.*s",
	    SPAN(postfix_value(&doctor->postfix, "mail_owner")));
	user = getpwnam(text);
	if (geteuid() != 0 || user == NULL) {
		finding_none(finding,
		    "only root can look with the eyes of smtp(8)");
		return false;
	}
	doctor_import(doctor);
	named = getenv(ADDRESS_SOCKET_ENV);
	address_system_socket(address);
	if (named != NULL)
		(void)!address_set(named, address);
	doctor->command->helper = COMMAND_NAMED;
	(void)snprintf(text, sizeof(text), "%.*s",
	    SPAN(postfix_value(&doctor->postfix, "queue_directory")));
	if (setgid(user->pw_gid) == 0 &&
	    initgroups(user->pw_name, user->pw_gid) == 0 &&
	    (!is_jailed(doctor) || (chroot(text) == 0 && chdir("/") == 0)) &&
	    setuid(user->pw_uid) == 0)
		return true;
	finding_wrong(finding, "cannot become what smtp(8) is");
	return false;
}

/* Which folder on the way, or whether the socket itself, keeps smtp(8) out. */
static void find_shut(const struct doctor *doctor, const char *jail,
    struct finding *finding)
{
	const char *path = doctor->command->address.path, *at = path;
	const char *unit = jail[0] != '\0' ? "mailtoken-postfix.socket" :
					     "mailtoken.socket";
	char part[ADDRESS_FILE_MAX_BYTES];
	struct stat about = { .st_mode = 0 };

	while ((at = strchr(at + 1, '/')) != NULL) {
		(void)snprintf(part, sizeof(part), "%.*s", (int)(at - path),
		    path);
		if (stat(part, &about) != 0 || (about.st_mode & S_IXOTH) != 0)
			continue;
		finding_wrong(finding, "smtp(8) may not enter %s%s", jail,
		    part);
		finding_type(finding, "chmod 755 %s%s", jail, part);
		return;
	}
	(void)stat(path, &about);
	finding_wrong(finding,
	    "smtp(8) may not use %s%s, which has mode %o and group %lu; its "
	    "own is %lu",
	    jail, path, (unsigned)about.st_mode & 07777,
	    (unsigned long)about.st_gid, (unsigned long)getgid());
	finding_type(finding, "mkdir -p /etc/systemd/system/%s.d", unit);
	finding_type(finding,
	    "printf '[Socket]\\nSocketMode=0660\\nSocketGroup=%lu\\n' "
	    ">/etc/systemd/system/%s.d/postfix.conf",
	    (unsigned long)getgid(), unit);
	finding_type(finding, "systemctl daemon-reload");
	finding_type(finding, "systemctl stop " SERVICE " " SOCKETS);
	finding_type(finding, "systemctl start %s " SERVICE,
	    jail[0] != '\0' ? SOCKETS : unit);
}

void doctor_socket(struct doctor *doctor, struct finding *finding)
{
	char jail[ADDRESS_FILE_MAX_BYTES] = "";
	const char *path = doctor->command->address.path;
	struct talk talk;

	if (is_jailed(doctor))
		(void)snprintf(jail, sizeof(jail), "%.*s",
		    SPAN(postfix_value(&doctor->postfix, "queue_directory")));
	if (!become_smtp(doctor, finding))
		return;
	doctor_begin(&talk, doctor, VERB_VERSION, NULL);
	(void)doctor_ask(&talk);
	if (talk.why.text[0] == '\0') {
		finding_good(finding, "smtp(8) reaches the helper at %s%s",
		    jail, path);
	} else if (talk.why.err == EACCES) {
		find_shut(doctor, jail, finding);
	} else {
		finding_wrong(finding,
		    "the helper answers, but not smtp(8), which %s: %s%s",
		    jail[0] != '\0' ? "is shut into its queue directory" :
				      "has another socket",
		    jail, talk.why.text);
		finding_type(finding,
		    "systemctl stop " SERVICE " mailtoken.socket");
		finding_type(finding, "systemctl enable --now %s " SERVICE,
		    jail[0] != '\0' ? SOCKETS : "mailtoken.socket");
	}
	talk_close(&talk);
}

/* Whether a configuration has the general line "allow"; only the beginning of
 * a line is looked at, so that it may come in pieces. */
static bool has_allow(const char *path)
{
	static const char keyword[] = "allow";
	size_t n = sizeof(keyword) - 1;
	FILE *file = fopen(path, "re");
	char line[4096];
	bool has = false;

	while (file != NULL && !has && fgets(line, sizeof(line), file) != NULL)
		has = strncmp(line, keyword, n) == 0 &&
		    (line[n] == ' ' || line[n] == '\t');
	if (file != NULL)
		(void)fclose(file);
	return has;
}

void doctor_allowed(struct doctor *doctor, struct finding *finding)
{
	const char *config = address_system_config();
	bool has = has_allow(config); /* before rights are given up */
	struct span owner = postfix_value(&doctor->postfix, "mail_owner");
	bool known = false;
	struct talk talk;
	size_t i;

	for (i = 0; i < doctor->n_accounts; i++)
		known |= doctor->accounts[i].provider[0] != '\0' &&
		    strcasecmp(doctor->accounts[i].name, doctor->user) == 0;
	if (!known) {
		finding_none(finding, "%s", "");
		return;
	}
	if (!become_smtp(doctor, finding))
		return;
	doctor_begin(&talk, doctor, VERB_STATUS, doctor->user);
	if (doctor_ask(&talk)) {
		finding_good(finding, "%.*s may ask for %s", SPAN(owner),
		    doctor->user);
	} else {
		finding_wrong(finding,
		    "%.*s may not ask for tokens of %s: no line 'allow' in %s "
		    "names it",
		    SPAN(owner), doctor->user, config);
		/* At the front: behind the last name may be a comment. */
		if (has)
			finding_type(finding,
			    "sed -i 's/^allow[[:blank:]]/&%.*s /' %s",
			    SPAN(owner), config);
		else
			finding_type(finding, "echo 'allow %.*s' >>%s",
			    SPAN(owner), config);
	}
	talk_close(&talk);
}
