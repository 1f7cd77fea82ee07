/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The table of checks, the processes that they run in, and what is told.
 */
#include "operator/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/screen.h"
#include "wire/ask.h"

#define CHECK_MAX_MS 40000 /* a token may take 25 s, a probe as long */
#define RUNNING_MAX  16
#define LOG \
	"plugin-offered postfix-mechanisms postfix-security postfix-ca " \
	"postfix-cache postfix-allowed"
#define LIVE "account-server plugin-offered plugin-alone"

static const struct check checks[] = {
	{ "plugin-file", "", doctor_plugin_file, PER_MACHINE },
	{ "plugin-loads", "plugin-file", doctor_plugin_loads, PER_MACHINE },
	{ "config-file", "", doctor_config, PER_MACHINE },
	{ "plugin-offered", "plugin-loads config-file", doctor_plugin_offered,
	    PER_MACHINE },
	{ "plugin-alone", "plugin-loads", doctor_plugin_alone, PER_MACHINE },
	{ "postfix-sasl", "", doctor_postfix_sasl, PER_MACHINE },
	{ "postfix-relay", "postfix-sasl", doctor_postfix_relay, PER_MACHINE },
	{ "postfix-map", "postfix-relay", doctor_postfix_map, PER_MACHINE },
	{ "postfix-mechanisms", "postfix-sasl", doctor_postfix_mechanisms,
	    PER_MACHINE },
	{ "postfix-security", "postfix-sasl", doctor_postfix_security,
	    PER_MACHINE },
	{ "postfix-tls", "postfix-relay", doctor_postfix_tls, PER_MACHINE },
	{ "postfix-ca", "postfix-tls", doctor_postfix_ca, PER_MACHINE },
	{ "postfix-cache", "postfix-sasl", doctor_postfix_cache, PER_MACHINE },
	{ "helper-answers", "", doctor_helper, PER_MACHINE },
	{ "helper-current", "helper-answers", doctor_current, PER_MACHINE },
	{ "secret-ends", "helper-answers config-file", doctor_ends,
	    PER_MACHINE },
	{ "units", "", doctor_units, PER_MACHINE },
	{ "postfix-socket", "postfix-sasl helper-answers", doctor_socket,
	    PER_MACHINE },
	{ "postfix-allowed", "postfix-socket postfix-map config-file",
	    doctor_allowed, PER_MACHINE },
	{ "dns", "helper-answers config-file", doctor_probe, PER_PROVIDER },
	{ "connect", "helper-answers config-file", NULL, PER_PROVIDER },
	{ "tls", "helper-answers config-file", NULL, PER_PROVIDER },
	{ "clock", "helper-answers config-file", NULL, PER_PROVIDER },
	{ "client", "helper-answers config-file", NULL, PER_PROVIDER },
	{ "account", "helper-answers config-file", doctor_account,
	    PER_ACCOUNT },
	{ "account-state", "account dns connect tls clock client", doctor_state,
	    PER_ACCOUNT },
	{ "account-server", "account-state", doctor_token, PER_ACCOUNT },
	{ "token-audience", "account-state", NULL, PER_ACCOUNT },
	{ "token-user", "account-state", NULL, PER_ACCOUNT },
	{ "token-rights", "account-state", NULL, PER_ACCOUNT },
	{ "live-smtp", LIVE, doctor_live, PER_ACCOUNT },
	{ "live-imap", LIVE, NULL, PER_ACCOUNT },
	{ "live-pop", LIVE, NULL, PER_ACCOUNT },
	{ "mail-log", LOG, doctor_log, PER_MACHINE },
};

#define CHECKS	 (sizeof(checks) / sizeof(checks[0]))
#define RUNS_MAX (CHECKS * (1 + DOCTOR_ACCOUNTS_MAX))

/* How far a check of one subject has come. */
struct run {
	const struct check *check;
	struct span subject;
	enum {
		WAITS,
		RUNS,
		ENDED
	} phase;
	pid_t pid;
	int fd; /* closed at the other end when it is over */
	int64_t end_ms;
};

struct runs {
	size_t n, running;
	struct run at[RUNS_MAX];
	struct finding *findings; /* shared with their processes */
};

static void begin(struct doctor *doctor, struct runs *runs, size_t i)
{
	struct run *run = &runs->at[i];
	struct finding *finding = &runs->findings[i];
	int ends[2];

	run->phase = ENDED;
	if (pipe2(ends, O_CLOEXEC) != 0) {
		finding_wrong(finding, "cannot look: no pipe can be made");
		return;
	}
	run->pid = fork();
	if (run->pid == 0) {
		(void)signal(SIGPIPE, SIG_IGN);
		doctor->subject = run->subject;
		run->check->look(doctor, finding);
		_exit(0);
	}
	(void)close(ends[1]);
	run->fd = ends[0];
	run->end_ms = ask_now_ms() + CHECK_MAX_MS;
	if (run->pid < 0) {
		finding_wrong(finding, "cannot look: no process can be made");
		(void)close(ends[0]);
		return;
	}
	run->phase = RUNS;
	runs->running++;
}

/* One that hangs is killed; what it has not said by then is its fault. */
static void end(struct runs *runs, size_t i, bool in_time)
{
	struct run *run = &runs->at[i];
	struct finding *finding = &runs->findings[i];
	bool whole;
	int status;

	if (!in_time)
		(void)kill(run->pid, SIGKILL);
	(void)close(run->fd);
	(void)waitpid(run->pid, &status, 0);
	runs->running--;
	whole = in_time && status == 0 && finding->verdict != VERDICT_UNKNOWN;
	do {
		runs->at[i].phase = ENDED;
		finding = &runs->findings[i++];
		if (finding->verdict != VERDICT_UNKNOWN)
			continue;
		finding->verdict = VERDICT_NONE;
		if (whole)
			continue;
		*finding = (struct finding){ .verdict = VERDICT_UNKNOWN };
		finding_wrong(finding,
		    in_time ? "the check itself died; that is a fault of "
			      "mailtoken, or of what it loaded" :
			      "no answer within %d s",
		    CHECK_MAX_MS / 1000);
		whole = true; /* the rows behind it could not be looked at */
	} while (i < runs->n && runs->at[i].check->look == NULL);
}

/* Whether what one check saw bears on another: of the same subject, or of the
 * machine, or of the account's provider. */
static bool bears_on(const struct doctor *doctor, const struct run *need,
    const struct run *run)
{
	size_t i;

	if (!span_listed(span_of(need->check->name), run->check->needs))
		return false;
	if (need->check->per == PER_MACHINE ||
	    need->subject.p == run->subject.p)
		return true;
	for (i = 0; i < doctor->n_accounts; i++)
		if (run->subject.p == doctor->accounts[i].name)
			return span_is(need->subject,
			    doctor->accounts[i].provider);
	return false;
}

/* Whether all that a check needs is good, by now. */
static bool may_begin(const struct doctor *doctor, struct runs *runs, size_t i)
{
	bool may = runs->running < RUNNING_MAX;
	struct finding *finding = &runs->findings[i];
	size_t j;

	for (j = 0; j < i; j++) {
		if (!bears_on(doctor, &runs->at[j], &runs->at[i]))
			continue;
		may &= runs->at[j].phase == ENDED;
		/* Of a provider that cannot be tried nothing is known. */
		if (runs->at[j].phase != ENDED ||
		    runs->findings[j].verdict == VERDICT_GOOD ||
		    (runs->findings[j].verdict == VERDICT_NONE &&
			runs->at[j].check->per == PER_PROVIDER))
			continue;
		runs->at[i].phase = ENDED;
		finding->verdict = VERDICT_NONE;
		if (runs->findings[j].verdict != VERDICT_NONE) {
			finding->verdict = VERDICT_NOT_RUN;
			(void)snprintf(finding->text, sizeof(finding->text),
			    "needs %s", runs->at[j].check->name);
		}
		return false;
	}
	return may;
}

/* A check that is filled by another one waits with it. */
static void begin_all(struct doctor *doctor, struct runs *runs)
{
	size_t i;

	for (i = 0; i < runs->n; i++) {
		if (runs->at[i].phase != WAITS ||
		    (runs->at[i].check->look == NULL &&
			runs->at[i - 1].phase != ENDED))
			continue;
		if (may_begin(doctor, runs, i))
			begin(doctor, runs, i);
	}
}

static void run_all(struct doctor *doctor, struct runs *runs)
{
	struct pollfd polls[RUNS_MAX];
	int64_t now_ms, wait_ms;
	size_t i;
	int n;

	for (begin_all(doctor, runs); runs->running > 0;
	     begin_all(doctor, runs)) {
		now_ms = ask_now_ms();
		wait_ms = CHECK_MAX_MS;
		for (i = 0; i < runs->n; i++) {
			polls[i] = (struct pollfd){ .fd = -1 };
			if (runs->at[i].phase != RUNS)
				continue;
			polls[i].fd = runs->at[i].fd;
			if (runs->at[i].end_ms - now_ms < wait_ms)
				wait_ms = runs->at[i].end_ms - now_ms;
		}
		n = poll(polls, runs->n, wait_ms > 0 ? (int)wait_ms : 0);
		now_ms = ask_now_ms();
		for (i = 0; i < runs->n; i++)
			if (runs->at[i].phase == RUNS &&
			    ((n > 0 && polls[i].revents != 0) ||
				runs->at[i].end_ms <= now_ms))
				end(runs, i, n > 0 && polls[i].revents != 0);
	}
}

static void add(struct runs *runs, const struct check *check,
    const char *subject)
{
	runs->at[runs->n++] = (struct run){ .check = check,
		.subject = span_of(subject) };
}

/* All checks of a subject stand together. */
static void add_all(const struct doctor *doctor, struct runs *runs)
{
	size_t first, end, subjects, i, j;

	for (first = 0; first < CHECKS; first = end) {
		enum per per = checks[first].per;

		for (end = first; end < CHECKS && checks[end].per == per;)
			end++;
		subjects = per == PER_MACHINE ? 1 :
		    per == PER_PROVIDER	      ? doctor->n_providers :
						doctor->n_accounts;
		for (i = 0; i < subjects; i++)
			for (j = first; j < end; j++)
				add(runs, &checks[j],
				    per == PER_MACHINE ?
					NULL :
					per == PER_PROVIDER ?
					doctor->providers[i] :
					doctor->accounts[i].name);
	}
}

static void tell(const struct run *run, const struct finding *finding)
{
	static const char *const words[] = { "-    ", "ok   ", "FAULT", "-    ",
		"-    " };
	const char *line = finding->type;
	size_t n;

	if (finding->text[0] == '\0')
		return;
	screen_print("%s %s%s%.*s: %s%s\n", words[finding->verdict],
	    run->check->name, run->subject.n > 0 ? " " : "", SPAN(run->subject),
	    finding->verdict == VERDICT_NOT_RUN ? "not run: " : "",
	    finding->text);
	for (; *line != '\0'; line += n + (line[n] != '\0')) {
		n = strcspn(line, "\n");
		screen_print("          %.*s\n", (int)n, line);
	}
}

static void tell_json(const struct run *run, const struct finding *finding,
    bool first)
{
	static const char *const words[] = { "none", "ok", "fault", "none",
		"not-run" };

	screen_add(first ? "[" : ",\n ");
	screen_add("{\"check\": ");
	screen_json_string(span_of(run->check->name));
	screen_add(", \"subject\": ");
	screen_json_string(run->subject);
	screen_print(", \"outcome\": \"%s\", \"text\": ",
	    words[finding->verdict]);
	screen_json_string(span_of(finding->text));
	screen_add(", \"type\": ");
	screen_json_string(span_of(finding->type));
	screen_add("}");
}

static enum outcome tell_all(const struct doctor *doctor, struct runs *runs)
{
	const struct command *command = doctor->command;
	size_t i, good = 0, wrong = 0;
	struct utsname system;

	if (command->report != NULL && command->json == NULL &&
	    uname(&system) == 0)
		screen_print("mailtoken %s, Postfix %.*s, Linux %s\n",
		    MAILTOKEN_VERSION,
		    SPAN(postfix_value(&doctor->postfix, "mail_version")),
		    system.release);

	for (i = 0; i < runs->n; i++) {
		if (command->report != NULL) {
			finding_mask(runs->findings[i].text,
			    sizeof(runs->findings[i].text));
			finding_mask(runs->findings[i].type,
			    sizeof(runs->findings[i].type));
			if (runs->at[i].check->per == PER_ACCOUNT)
				runs->at[i].subject = span_of("ACCOUNT");
		}
		if (command->json != NULL)
			tell_json(&runs->at[i], &runs->findings[i], i == 0);
		else
			tell(&runs->at[i], &runs->findings[i]);
		good += runs->findings[i].verdict == VERDICT_GOOD;
		wrong += runs->findings[i].verdict == VERDICT_WRONG;
	}
	if (command->json != NULL)
		screen_add("]\n");
	else if (wrong == 0)
		screen_print("No fault found: %zu links are good.\n", good);
	else
		screen_print("%zu fault%s, %zu links are good; mend what "
			     "is first and run this again.\n",
		    wrong, wrong == 1 ? "" : "s", good);
	return wrong == 0 ? OUTCOME_DONE : OUTCOME_NO;
}

/* Each account and its provider, or the one that is asked for. */
static void list_accounts(struct doctor *doctor)
{
	struct doctor_account *account = doctor->accounts;
	const char *one = doctor->command->words[0];
	struct talk talk;
	size_t i;

	doctor_begin(&talk, doctor, VERB_STATUS, one);
	while (doctor_ask(&talk)) {
		if (!attr_has(&talk.list, ATTR_ACCOUNT) ||
		    doctor->n_accounts == DOCTOR_ACCOUNTS_MAX)
			continue;
		account = &doctor->accounts[doctor->n_accounts++];
		(void)snprintf(account->name, sizeof(account->name), "%.*s",
		    SPAN(attr_get(&talk.list, ATTR_ACCOUNT)));
		(void)snprintf(account->provider, sizeof(account->provider),
		    "%.*s", SPAN(attr_get(&talk.list, ATTR_PROVIDER)));
		for (i = 0; i < doctor->n_providers; i++)
			if (strcmp(doctor->providers[i], account->provider) ==
			    0)
				break;
		if (i == doctor->n_providers && i < DOCTOR_PROVIDERS_MAX &&
		    account->provider[0] != '\0')
			memcpy(doctor->providers[doctor->n_providers++],
			    account->provider, sizeof(account->provider));
	}
	talk_close(&talk);
	/* Whom nobody knows is a finding. */
	if (one == NULL && doctor->user[0] != '\0')
		one = doctor->user;
	for (i = 0; one != NULL && i < doctor->n_accounts; i++)
		if (strcasecmp(doctor->accounts[i].name, one) == 0)
			one = NULL;
	if (one != NULL && doctor->n_accounts < DOCTOR_ACCOUNTS_MAX)
		(void)snprintf(doctor->accounts[doctor->n_accounts++].name,
		    DOCTOR_NAME_BYTES, "%s", one);
}

enum outcome doctor_run(struct command *command)
{
	static struct doctor doctor;
	static struct runs runs;
	enum outcome outcome;
	struct why why;

	command_no_core();
	doctor.command = command;
	if (start_choose(command, &why) != FAULT_NONE)
		return command_usage(command, why.text);
	doctor.has_postfix = command->helper != COMMAND_OWN &&
	    postfix_read(NULL, &doctor.postfix, &doctor.broken) == FAULT_NONE;
	doctor_postfix_facts(&doctor);
	list_accounts(&doctor);
	runs.findings = mmap(NULL, RUNS_MAX * sizeof(*runs.findings),
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (runs.findings == MAP_FAILED) {
		screen_say("%s", fault_text(FAULT_NOMEM));
		return OUTCOME_LATER;
	}
	add_all(&doctor, &runs);
	run_all(&doctor, &runs);
	outcome = tell_all(&doctor, &runs);
	if (doctor.has_postfix)
		postfix_drop(&doctor.postfix);
	return outcome;
}
