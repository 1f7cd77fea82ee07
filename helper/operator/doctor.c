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
#include <sys/wait.h>
#include <unistd.h>

#include "cli/screen.h"
#include "wire/ask.h"

#define CHECK_MAX_MS 40000 /* a token may take 25 s, a probe as long */

static const struct check checks[] = {
	{ "postfix-sasl", "", doctor_postfix },
	{ "helper-answers", "", doctor_helper },
};

#define CHECKS (sizeof(checks) / sizeof(checks[0]))

/* How far a check has come. */
struct run {
	enum {
		WAITS,
		RUNS,
		ENDED,
		NOT_RUN
	} phase;
	const char *lacks; /* the check it would have needed */
	pid_t pid;
	int fd;
	struct finding finding;
};

/* Never returns. */
static void look(struct doctor *doctor, const struct check *check, int fd)
{
	struct finding finding = { .verdict = VERDICT_NONE };

	(void)signal(SIGPIPE, SIG_IGN);
	check->look(doctor, &finding);
	(void)!write(fd, &finding, sizeof(finding));
	_exit(0);
}

static void begin(struct doctor *doctor, const struct check *check,
    struct run *run)
{
	int ends[2];

	run->phase = ENDED;
	finding_wrong(&run->finding, "cannot make a process for it");
	if (pipe2(ends, O_CLOEXEC) != 0)
		return;
	run->pid = fork();
	if (run->pid == 0)
		look(doctor, check, ends[1]);
	(void)close(ends[1]);
	run->fd = ends[0];
	if (run->pid < 0)
		(void)close(ends[0]);
	else
		run->phase = RUNS;
}

/* A process that dies tells nothing; one that hangs is killed. */
static void end(struct run *run, bool in_time)
{
	struct finding finding;
	int status;

	if (!in_time)
		(void)kill(run->pid, SIGKILL);
	run->finding = (struct finding){ .verdict = VERDICT_WRONG };
	if (in_time &&
	    read(run->fd, &finding, sizeof(finding)) == sizeof(finding))
		run->finding = finding;
	else
		finding_wrong(&run->finding,
		    in_time ? "the check itself died; that is a fault of "
			      "mailtoken, or of what it loaded" :
			      "no answer within %d s",
		    CHECK_MAX_MS / 1000);
	(void)close(run->fd);
	(void)waitpid(run->pid, &status, 0);
	run->phase = ENDED;
}

/* Whether all that a check needs is good; what is not is lacking. */
static bool may_run(const struct check *check, struct run *runs)
{
	struct run *run = &runs[check - checks];
	bool may = true;
	size_t i;

	for (i = 0; i < CHECKS; i++) {
		if (!span_listed(span_of(checks[i].name), check->needs))
			continue;
		if (runs[i].phase == NOT_RUN ||
		    (runs[i].phase == ENDED &&
			runs[i].finding.verdict != VERDICT_GOOD)) {
			run->phase = NOT_RUN;
			run->lacks = checks[i].name;
			return false;
		}
		may &= runs[i].phase == ENDED;
	}
	return may;
}

/* Begin what may begin; false when nothing runs any more. */
static bool begin_all(struct doctor *doctor, struct run *runs)
{
	bool any = false;
	size_t i;

	for (i = 0; i < CHECKS; i++) {
		if (runs[i].phase == WAITS && may_run(&checks[i], runs))
			begin(doctor, &checks[i], &runs[i]);
		any |= runs[i].phase == RUNS;
	}
	return any;
}

static void run_all(struct doctor *doctor, struct run *runs)
{
	int64_t end_ms = ask_now_ms() + CHECK_MAX_MS;
	struct pollfd polls[CHECKS];
	size_t i;
	int n;

	while (begin_all(doctor, runs)) {
		for (i = 0; i < CHECKS; i++) {
			polls[i].fd = runs[i].phase == RUNS ? runs[i].fd : -1;
			polls[i].events = POLLIN;
			polls[i].revents = 0;
		}
		n = poll(polls, CHECKS, (int)(end_ms - ask_now_ms()));
		if (n < 0 && errno == EINTR)
			continue;
		for (i = 0; i < CHECKS; i++)
			if (runs[i].phase == RUNS &&
			    (n <= 0 || polls[i].revents != 0))
				end(&runs[i], n > 0);
		if (n <= 0)
			end_ms = ask_now_ms() + CHECK_MAX_MS;
	}
}

static void tell(const struct check *check, const struct run *run)
{
	static const char *const words[] = { "ok   ", "FAULT", "-    " };
	const char *line = run->finding.type;
	size_t n;

	if (run->phase == NOT_RUN) {
		screen_print("-     %s: not run: needs %s\n", check->name,
		    run->lacks);
		return;
	}
	screen_print("%s %s: %s\n", words[run->finding.verdict], check->name,
	    run->finding.text);
	for (; *line != '\0'; line += n + (line[n] != '\0')) {
		n = strcspn(line, "\n");
		screen_print("          %.*s\n", (int)n, line);
	}
}

static void tell_json(const struct check *check, const struct run *run,
    const char *before)
{
	static const char *const words[] = { "ok", "fault", "none" };
	const char *outcome = words[run->finding.verdict];
	char text[sizeof(run->finding.text)];

	(void)snprintf(text, sizeof(text), "%s", run->finding.text);
	if (run->phase == NOT_RUN) {
		outcome = "not-run";
		(void)snprintf(text, sizeof(text), "needs %s", run->lacks);
	}
	screen_add(before);
	screen_add("{\"check\": ");
	screen_json_string(span_of(check->name));
	screen_print(", \"outcome\": \"%s\", \"text\": ", outcome);
	screen_json_string(span_of(text));
	screen_add(", \"type\": ");
	screen_json_string(span_of(run->finding.type));
	screen_add("}");
}

enum outcome doctor_run(struct command *command)
{
	struct doctor doctor = {
		.command = command,
		.account = command->words[0],
	};
	struct run runs[CHECKS] = { { .phase = WAITS } };
	bool good = true;
	struct why why;
	size_t i;

	doctor.has_postfix = postfix_read(NULL, &doctor.postfix, &why) ==
	    FAULT_NONE;
	run_all(&doctor, runs);
	for (i = 0; i < CHECKS; i++) {
		if (command->json != NULL)
			tell_json(&checks[i], &runs[i], i == 0 ? "[" : ",\n ");
		else
			tell(&checks[i], &runs[i]);
		good &= runs[i].finding.verdict != VERDICT_WRONG;
	}
	screen_add(command->json != NULL ? "]\n" : "");
	if (doctor.has_postfix)
		postfix_drop(&doctor.postfix);
	return good ? OUTCOME_DONE : OUTCOME_NO;
}
