/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The table of checks, the processes that they run in, and what is told.
 */
#include "operator/doctor.h"

#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/screen.h"
#include "wire/ask.h"

#define CHECK_MAX_MS 40000 /* a token may take 25 s, a probe as long */
#define PAUSE_MS     5
#define RUNNING_MAX  16
#define LOG \
	"plugin-offered postfix-mechanisms postfix-security postfix-ca " \
	"postfix-cache postfix-allowed"
#define HELPER "helper-answers config-file"
#define CLIENT HELPER " secret-valid"
#define LIVE   "account-server plugin-offered plugin-alone"

static const struct check checks[] = {
	{ "plugin-file", "", doctor_plugin_file, PER_MACHINE },
	{ "plugin-loads", "plugin-file", doctor_plugin_loads, PER_MACHINE },
	{ "config-file", "", doctor_config, PER_MACHINE },
	{ "plugin-offered", "plugin-loads config-file", doctor_plugin_offered,
	    PER_MACHINE },
	{ "plugin-alone", "plugin-loads", doctor_plugin_alone, PER_MACHINE },
	{ "postfix-sasl", "", doctor_postfix_sasl, PER_ROUTE },
	{ "postfix-relay", "postfix-sasl", doctor_postfix_relay, PER_ROUTE },
	{ "postfix-map", "postfix-relay", doctor_postfix_map, PER_ROUTE },
	{ "postfix-mechanisms", "postfix-sasl", doctor_postfix_mechanisms,
	    PER_ROUTE },
	{ "postfix-security", "postfix-sasl", doctor_postfix_security,
	    PER_ROUTE },
	{ "postfix-tls", "postfix-relay", doctor_postfix_tls, PER_ROUTE },
	{ "postfix-ca", "postfix-tls", doctor_postfix_ca, PER_ROUTE },
	{ "postfix-cache", "postfix-sasl", doctor_postfix_cache, PER_ROUTE },
	{ "helper-answers", "", doctor_helper, PER_MACHINE },
	{ "helper-current", "helper-answers", doctor_current, PER_MACHINE },
	{ "fleet", HELPER, doctor_fleet, PER_MACHINE },
	{ "secret-valid", HELPER, doctor_ends, PER_MACHINE },
	{ "secret-ends", HELPER, NULL, PER_MACHINE },
	{ "units", "", doctor_units, PER_MACHINE },
	{ "postfix-socket", "postfix-sasl helper-answers", doctor_socket,
	    PER_MACHINE },
	{ "postfix-allowed", "postfix-socket postfix-map config-file",
	    doctor_allowed, PER_ROUTE },
	{ "dns", CLIENT, doctor_probe, PER_PROVIDER },
	{ "connect", CLIENT, NULL, PER_PROVIDER },
	{ "tls", CLIENT, NULL, PER_PROVIDER },
	{ "clock", CLIENT, NULL, PER_PROVIDER },
	{ "client", CLIENT, NULL, PER_PROVIDER },
	{ "account", HELPER, doctor_account, PER_ACCOUNT },
	{ "account-state",
	    "account fleet secret-valid dns connect tls clock client",
	    doctor_state, PER_ACCOUNT },
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
	struct route *route;
	enum {
		WAITS,
		RUNS,
		ENDED
	} phase;
	pid_t pid;
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

	run->pid = fork();
	if (run->pid == 0) {
		(void)signal(SIGPIPE, SIG_IGN);
		doctor->subject = run->subject;
		doctor->route = run->route;
		run->check->look(doctor, &runs->findings[i]);
		_exit(0);
	}
	run->end_ms = ask_now_ms() + CHECK_MAX_MS;
	run->phase = run->pid > 0 ? RUNS : ENDED;
	runs->running += run->pid > 0;
	if (run->pid < 0)
		finding_wrong(&runs->findings[i], "no process can be made");
}

/* What one that died has not said by then is its fault. */
static void end(struct runs *runs, size_t i, int status)
{
	struct finding *finding = &runs->findings[i];
	bool whole = status == 0 && finding->verdict != VERDICT_UNKNOWN;

	runs->running--;
	do {
		finding = &runs->findings[i];
		runs->at[i].phase = ENDED;
		if (finding->verdict != VERDICT_UNKNOWN)
			continue;
		*finding = (struct finding){ .verdict = VERDICT_NONE };
		if (!whole)
			finding_wrong(finding,
			    WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ?
				"no answer within %d s" :
				"the check itself died; that is a fault of "
				"mailtoken, or of what it loaded",
			    CHECK_MAX_MS / 1000);
		whole = true; /* the rows behind it could not be looked at */
	} while (++i < runs->n && runs->at[i].check->look == NULL);
}

/* Whether what one check saw bears on another: of the same subject, or of the
 * machine, or of the account's provider. */
static bool bears_on(struct doctor *doctor, const struct run *need,
    const struct run *run)
{
	if (!span_listed(span_of(need->check->name), run->check->needs))
		return false;
	return need->check->per == PER_MACHINE ||
	    need->subject.p == run->subject.p ||
	    (need->subject.n == 0 && run->check->per == PER_MACHINE) ||
	    (need->check->per == PER_PROVIDER &&
		run->check->per == PER_ACCOUNT &&
		span_is(need->subject,
		    doctor_account_of(doctor, run->subject.p)->provider));
}

/* Whether all that a check needs is good, by now. */
static bool may_begin(struct doctor *doctor, struct runs *runs, size_t i)
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
	int64_t now_ms;
	int status;
	size_t i;
	pid_t pid;

	for (begin_all(doctor, runs); runs->running > 0;
	     begin_all(doctor, runs)) {
		pid = waitpid(-1, &status, WNOHANG);
		now_ms = ask_now_ms();
		for (i = 0; i < runs->n; i++)
			if (runs->at[i].phase == RUNS && runs->at[i].pid == pid)
				end(runs, i, status);
			else if (runs->at[i].phase == RUNS &&
			    runs->at[i].end_ms < now_ms)
				(void)kill(runs->at[i].pid, SIGKILL);
		if (pid == 0)
			ask_pause(PAUSE_MS, now_ms + PAUSE_MS);
	}
}

/* All checks of a subject stand together. */
static void add_all(struct doctor *doctor, struct runs *runs)
{
	const struct {
		const char *name;
		size_t bytes, n; /* to the next one */
	} subjects[] = {
		[PER_MACHINE] = { "", 0, 1 },
		[PER_ROUTE] = { doctor->routes->sender, sizeof(struct route),
		    doctor->n_routes },
		[PER_PROVIDER] = { *doctor->providers, DOCTOR_NAME_BYTES,
		    doctor->n_providers },
		[PER_ACCOUNT] = { doctor->accounts->name,
		    sizeof(struct doctor_account), doctor->n_accounts },
	};
	size_t first, end, i, j;

	for (first = 0; first < CHECKS; first = end) {
		enum per per = checks[first].per;

		for (end = first; end < CHECKS && checks[end].per == per;)
			end++;
		for (i = 0; i < subjects[per].n; i++)
			for (j = first; j < end; j++)
				runs->at[runs->n++] = (struct run){
					.check = &checks[j],
					.subject = span_of(subjects[per].name +
					    i * subjects[per].bytes),
					.route = doctor->routes +
					    (per == PER_ROUTE ? i : 0),
				};
	}
}

/* Of several routes only what differs is told. */
static bool is_told(const struct runs *runs, size_t i)
{
	size_t j;

	for (j = 0; j < i; j++)
		if (runs->at[j].check == runs->at[i].check &&
		    runs->at[i].check->per == PER_ROUTE &&
		    strcmp(runs->findings[j].text, runs->findings[i].text) == 0)
			return true;
	return false;
}

static const char *const words[][2] = {
	[VERDICT_GOOD] = { "ok   ", "ok" },
	[VERDICT_WRONG] = { "FAULT", "fault" },
	[VERDICT_NONE] = { "-    ", "none" },
	[VERDICT_NOT_RUN] = { "-    ", "not-run" },
};

static void tell(const struct run *run, const struct finding *finding)
{
	const char *at = finding->type;
	struct span line;

	if (finding->text[0] == '\0')
		return;
	screen_print("%s %s%s%.*s: %s%s\n", words[finding->verdict][0],
	    run->check->name, run->subject.n > 0 ? " " : "", SPAN(run->subject),
	    finding->verdict == VERDICT_NOT_RUN ? "not run: " : "",
	    finding->text);
	while ((line = finding_line(&at)).n > 0)
		screen_print("          %.*s\n", SPAN(line));
}

static void tell_json(const struct run *run, const struct finding *finding,
    bool first)
{
	screen_add(first ? "[" : ",\n ");
	screen_add("{\"check\": ");
	screen_json_string(span_of(run->check->name));
	screen_add(", \"subject\": ");
	screen_json_string(run->subject);
	screen_print(", \"outcome\": \"%s\", \"text\": ",
	    words[finding->verdict][1]);
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
		if (is_told(runs, i))
			continue;
		if (command->report != NULL) {
			finding_mask(runs->findings[i].text,
			    sizeof(runs->findings[i].text));
			finding_mask(runs->findings[i].type,
			    sizeof(runs->findings[i].type));
			if (runs->at[i].check->per != PER_PROVIDER &&
			    runs->at[i].subject.n > 0)
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

static void add_account(struct doctor *doctor, struct span name,
    struct span provider)
{
	struct doctor_account *account = &doctor->accounts[doctor->n_accounts];
	size_t i;

	if (name.n == 0 || doctor->n_accounts == DOCTOR_ACCOUNTS_MAX)
		return;
	doctor->n_accounts++;
	(void)snprintf(account->name, DOCTOR_NAME_BYTES, "%.*s", SPAN(name));
	(void)snprintf(account->provider, DOCTOR_NAME_BYTES, "%.*s",
	    SPAN(provider));
	for (i = 0; i < doctor->n_providers; i++)
		if (span_is(provider, doctor->providers[i]))
			return;
	if (i < DOCTOR_PROVIDERS_MAX && provider.n > 0)
		memcpy(doctor->providers[doctor->n_providers++],
		    account->provider, DOCTOR_NAME_BYTES);
}

/* All that the helper knows, or one, whether it knows it or not. */
static void add_accounts(struct doctor *doctor, const char *one)
{
	struct talk talk;

	doctor_begin(&talk, doctor, VERB_STATUS, one);
	while (doctor_ask(&talk))
		add_account(doctor, attr_get(&talk.list, ATTR_ACCOUNT),
		    attr_get(&talk.list, ATTR_PROVIDER));
	talk_close(&talk);
	if (one != NULL && doctor_account_of(doctor, one) == NULL)
		add_account(doctor, span_of(one), (struct span){ "", 0 });
}

static void list_accounts(struct doctor *doctor)
{
	const char *one = doctor->command->words[0];
	size_t i;

	add_accounts(doctor, one);
	for (i = 0; one == NULL && i < doctor->n_routes; i++)
		if (doctor->routes[i].user[0] != '\0' &&
		    doctor_account_of(doctor, doctor->routes[i].user) == NULL)
			add_accounts(doctor, doctor->routes[i].user);
	/* Nobody has signed in: the only one, whatever its name. */
	doctor->n_providers += doctor->n_providers == 0;
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
	doctor_routes(&doctor);
	doctor_begin(&doctor.hello, &doctor, VERB_VERSION, NULL);
	(void)doctor_ask(&doctor.hello);
	list_accounts(&doctor);
	runs.findings = mmap(NULL, RUNS_MAX * sizeof(*runs.findings),
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (runs.findings == MAP_FAILED) {
		screen_say("%s", fault_text(FAULT_NOMEM));
		return OUTCOME_LATER;
	}
	add_all(&doctor, &runs);
	run_all(&doctor, &runs);
	talk_close(&doctor.hello);
	outcome = tell_all(&doctor, &runs);
	postfix_drop(&doctor.postfix);
	return outcome;
}
