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

#define SOON_S		 (14 * 86400)
#define CONFIG_MAX_BYTES ((size_t)1 << 20)
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
	if (text.n == 0)
		text = span_of(fault_text(fault));
	if (fault)
		why_set(&talk->why, 0, "%.*s", SPAN(text));
	return false;
}

void doctor_type(struct finding *finding, const char *account)
{
	static const char doctor[] = "mailtoken doctor";
	struct buf text = BUF_INIT(EXPLAIN_MAX_BYTES);
	struct explained is;
	const char *at;
	struct span line;

	if (!explain_find(span_of(finding->text), &is))
		return;
	explain_fill(&text, is.type, span_of(finding_name(account)));
	at = text.n > 0 ? text.p : "";
	while ((line = finding_line(&at)).n > 0)
		if (memmem(line.p, line.n, doctor, sizeof(doctor) - 1) == NULL)
			finding_type(finding, "%.*s", SPAN(line));
	buf_drop(&text);
}

static bool has_systemd(void)
{
	return access("/run/systemd/system", F_OK) == 0;
}

static const char *setting(const struct doctor *doctor, const char *name)
{
	return postfix_value(&doctor->postfix, name).p;
}

static bool is_jailed(const struct doctor *doctor)
{
	return postfix_chrooted(&doctor->postfix, doctor->route->service);
}

/* What starts the helper. */
static const char *start_of(const struct doctor *doctor)
{
	if (doctor->command->helper == COMMAND_OWN)
		return has_systemd() ?
		    "systemctl --user restart mailtoken.socket" :
		    "mailtokend --background";
	if (!has_systemd())
		return "mailtokend --user mailtoken --background";
	return doctor->hello.why.err == ENOENT ?
	    "systemctl enable --now mailtoken.socket " SERVICE :
	    "systemctl restart " SERVICE;
}

void doctor_helper(struct doctor *doctor, struct finding *finding)
{
	const char *path = doctor->command->address.path;
	const struct talk *hello = &doctor->hello;

	if (hello->why.text[0] == '\0') {
		finding_good(finding, "mailtokend %.*s answers at %s",
		    SPAN(attr_get(&hello->list, ATTR_VERSION)), path);
	} else {
		finding_wrong(finding, "no helper answers: %s",
		    hello->why.text);
		if (hello->why.err == EACCES)
			finding_wrong(finding,
			    "; root may ask it, and the group of the socket");
		else if (doctor->command->helper != COMMAND_NAMED)
			finding_type(finding, "%s", start_of(doctor));
	}
}

void doctor_config(struct doctor *doctor, struct finding *finding)
{
	bool own = doctor->command->helper == COMMAND_OWN, more = false;
	const struct talk *hello = &doctor->hello;
	char path[ADDRESS_FILE_MAX_BYTES] = "";
	size_t i, first = 0;

	if (own)
		(void)!address_user_config(path);
	else
		(void)snprintf(path, sizeof(path), "%s",
		    address_system_config());
	if (doctor->command->helper != COMMAND_NAMED &&
	    access(path, F_OK) != 0) {
		finding_say(finding, own ? VERDICT_GOOD : VERDICT_WRONG,
		    own ?
			"there is no %s, and a helper of one's own needs none" :
			"there is no %s, and without one nothing is offered "
			"to mail programs (\"No worthy mechs found\")",
		    path);
		if (!own)
			finding_type(finding, "mailtoken setup");
		return;
	}
	/* That the helper is old is the last one, and another check's. */
	for (i = 0; hello->why.text[0] == '\0' && i < hello->list.n; i++)
		if (span_is(hello->list.at[i].name, ATTR_WARNING) && first == 0)
			first = i;
		else if (span_is(hello->list.at[i].name, ATTR_WARNING))
			more = true;
	if (first > 0 && (more || !attr_is(&hello->list, ATTR_STALE, "yes"))) {
		finding_wrong(finding, "%.*s",
		    SPAN(hello->list.at[first].value));
	} else if (hello->why.text[0] != '\0') {
		finding_good(finding, "the helper does not say what it takes");
	} else {
		finding_good(finding, "the helper takes %.*s",
		    SPAN(attr_get(&hello->list, ATTR_CONFIG)));
	}
}

/* After an upgrade, say. */
void doctor_current(struct doctor *doctor, struct finding *finding)
{
	if (attr_is(&doctor->hello.list, ATTR_STALE, "yes")) {
		finding_wrong(finding,
		    "the helper that runs is older than its program");
		finding_type(finding, "systemctl %srestart " SERVICE,
		    doctor->command->helper == COMMAND_OWN ? "--user " : "");
	} else {
		finding_good(finding, "it is the one on disk; sandbox: %.*s",
		    SPAN(attr_get(&doctor->hello.list, ATTR_SANDBOX)));
	}
}

/* What mends it is the business of etcd's admin, and explain has it. */
void doctor_fleet(struct doctor *doctor, struct finding *finding)
{
	const struct attrs *list = &doctor->hello.list;
	struct span state = attr_get(list, ATTR_FLEET);
	struct span text = attr_get(list, ATTR_FLEET_TEXT);
	struct span unput = attr_get(list, ATTR_FLEET_UNPUT);

	if (state.n == 0) {
		finding_good(finding, "the keyring is this machine's alone");
	} else if (span_is(state, FLEET_WORD_AWAY)) {
		finding_wrong(finding,
		    "tokens that are here are served, and nothing is renewed: "
		    "%.*s",
		    SPAN(text));
		doctor_type(finding, "");
	} else if (span_is(state, FLEET_WORD_CATCHING_UP)) {
		finding_wrong(finding,
		    "what the fleet shares is still being read; look again in "
		    "a minute%s%.*s",
		    text.n > 0 ? ": " : "", SPAN(text));
		finding_type(finding, "mailtoken status");
	} else if (text.n > 0 || (unput.n > 0 && !span_is(unput, "0"))) {
		finding_wrong(finding, "%.*s records are not shared yet%s%.*s",
		    SPAN(unput), text.n > 0 ? ": " : "", SPAN(text));
		doctor_type(finding, "");
	} else {
		finding_good(finding, "in step with the fleet at %.*s, as %.*s",
		    SPAN(attr_get(list, ATTR_FLEET_URL)),
		    SPAN(attr_get(list, ATTR_FLEET_NAME)));
	}
}

/* name{provider="NAME"} SECONDS; what was ended goes before what ends soon. */
static void judge_end(struct span sample, const char *what,
    struct finding *finding)
{
	const char *quote = memchr(sample.p, '"', sample.n);
	const char *at = memchr(sample.p, '}', sample.n);
	int64_t left_s;

	if (quote == NULL || at == NULL ||
	    attr_number(
		(struct span){ at + 2, (size_t)(sample.p + sample.n - at) - 2 },
		1, INT64_MAX, &left_s) != FAULT_NONE)
		return;
	left_s -= screen_now_s();
	finding += left_s > 0;
	if (left_s > SOON_S || finding->verdict == VERDICT_WRONG)
		return;
	finding_wrong(finding, "the %s of %.*s ", what, (int)(at - quote),
	    quote);
	finding_wrong(finding, left_s > 0 ? "ends in %s" : "has ended%.0s",
	    screen_left(left_s).text);
	finding_wrong(finding,
	    ": make a new one at the provider, and put it in the place of the "
	    "old one");
}

void doctor_ends(struct doctor *doctor, struct finding *finding)
{
	static const char *const ends[][2] = {
		{ "mailtoken_client_secret_expiration_timestamp_seconds",
		    "client secret" },
		{ "mailtoken_certificate_expiration_timestamp_seconds",
		    "certificate" },
	};
	struct talk talk;
	size_t i, j;

	doctor_begin(&talk, doctor, VERB_METRICS, NULL);
	while (doctor_ask(&talk))
		for (i = 0; i < 2; i++)
			for (j = 0; j < talk.list.n &&
			     attr_is(&talk.list, ATTR_METRIC, ends[i][0]);)
				judge_end(talk.list.at[j++].value, ends[i][1],
				    finding);
	for (i = 0; i < 2; i++)
		if (finding[i].verdict != VERDICT_WRONG)
			finding_good(finding + i,
			    "no client secret or certificate %s",
			    i == 0 ? "has ended" : "ends soon");
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
		if (!run(NULL, NULL, "systemctl", "is-enabled", units[i], NULL))
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
	const struct passwd *user = getpwnam(setting(doctor, "mail_owner"));
	const char *queue = setting(doctor, "queue_directory"), *named;

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
	if (setgid(user->pw_gid) == 0 &&
	    initgroups(user->pw_name, user->pw_gid) == 0 &&
	    (!is_jailed(doctor) || (chroot(queue) == 0 && chdir("/") == 0)) &&
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
	const char *jail = is_jailed(doctor) ?
	    setting(doctor, "queue_directory") :
	    "";
	const char *units = jail[0] != '\0' ? SOCKETS : "mailtoken.socket";
	const char *path = doctor->command->address.path;
	struct talk talk;

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
		finding_type(finding, "systemctl stop " SERVICE " %s", units);
		finding_type(finding, "systemctl enable --now %s " SERVICE,
		    units);
	}
}

/* Whether a configuration has the general line "allow". */
static bool has_allow(const char *path)
{
	struct buf text = BUF_INIT(CONFIG_MAX_BYTES);

	buf_add_lit(&text, "\n");
	(void)!run_read(path, &text, NULL);
	return strstr(text.p, "\nallow ") != NULL ||
	    strstr(text.p, "\nallow\t") != NULL;
}

void doctor_allowed(struct doctor *doctor, struct finding *finding)
{
	const char *config = address_system_config();
	const char *user = doctor->route->user;
	bool has = has_allow(config); /* before rights are given up */
	const char *owner = setting(doctor, "mail_owner");
	const struct doctor_account *account = doctor_account_of(doctor, user);
	struct talk talk;

	finding->verdict = VERDICT_NONE;
	if (account == NULL || account->provider[0] == '\0' ||
	    !become_smtp(doctor, finding))
		return;
	doctor_begin(&talk, doctor, VERB_STATUS, user);
	if (doctor_ask(&talk)) {
		finding_good(finding, "%s may ask for %s", owner, user);
	} else {
		finding_wrong(finding,
		    "%s may not ask for tokens of %s: no line 'allow' in %s "
		    "names it",
		    owner, user, config);
		/* At the front: behind the last name may be a comment. */
		finding_type(finding,
		    has ? "sed -i 's/^allow[[:blank:]]/&%s /' %s" :
			  "echo 'allow %s' >>%s",
		    owner, config);
	}
}
