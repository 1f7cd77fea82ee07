/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * doctor - the way that a mail takes, link by link
 *
 * A check is a function of its own that looks at one link; it runs in a
 * process of its own, so that it may hang, give up rights or load what is
 * broken, side by side with those that do not need it.
 */
#ifndef MAILTOKEN_OPERATOR_DOCTOR_H
#define MAILTOKEN_OPERATOR_DOCTOR_H

#include "cli/talk.h"
#include "operator/postfix.h"

#define DOCTOR_ACCOUNTS_MAX  20
#define DOCTOR_PROVIDERS_MAX 8
#define DOCTOR_NAME_BYTES    256
#define DOCTOR_PROBES	     5
#define DOCTOR_ROUTES_MAX    12

enum verdict {
	VERDICT_UNKNOWN, /* the check has not said anything */
	VERDICT_GOOD,
	VERDICT_WRONG,
	VERDICT_NONE,	/* does not concern this machine */
	VERDICT_NOT_RUN /* text names the check that it would have needed */
};

struct finding {
	enum verdict verdict;
	char text[1500]; /* what was seen, one sentence */
	char type[1500]; /* what mends it, line by line; or empty */
};

/* How Postfix sends all mail, the first one, or that of one sender. */
struct route {
	char sender[DOCTOR_NAME_BYTES];	 /* or @domain; the first: empty */
	char service[DOCTOR_NAME_BYTES]; /* in master.cf */
	char relay[DOCTOR_NAME_BYTES];	 /* next hop; empty: the recipient's */
	char user[DOCTOR_NAME_BYTES];	 /* as whom it logs in there */
};

/* What the checks share; all is there before the first one starts. */
struct doctor {
	struct command *command;
	struct span subject; /* of the check that runs; ends with a NUL */

	bool has_postfix;
	struct postfix postfix;
	struct why broken; /* why not, where there is one */
	size_t n_routes;
	struct route routes[DOCTOR_ROUTES_MAX], *route; /* of the check */

	struct talk hello; /* what the helper says of itself, or why not */

	/* As the helper tells; provider is empty where it knows nothing. */
	size_t n_accounts, n_providers;
	struct doctor_account {
		char name[DOCTOR_NAME_BYTES], provider[DOCTOR_NAME_BYTES];
	} accounts[DOCTOR_ACCOUNTS_MAX];
	char providers[DOCTOR_PROVIDERS_MAX][DOCTOR_NAME_BYTES];
};

/* check_fn - look, and fill the finding by one of these. */
typedef void check_fn(struct doctor *doctor, struct finding *finding);

/* finding_say - what was seen; more of it, when something was said before. */
void finding_say(struct finding *finding, enum verdict verdict,
    const char *format, ...) PRINTF_LIKE(3, 4);
#define finding_good(finding, ...) \
	finding_say((finding), VERDICT_GOOD, __VA_ARGS__)
#define finding_none(finding, ...) \
	finding_say((finding), VERDICT_NONE, __VA_ARGS__)
#define finding_wrong(finding, ...) \
	finding_say((finding), VERDICT_WRONG, __VA_ARGS__)
/* finding_type - one more line to type, after finding_wrong(). */
void finding_type(struct finding *finding, const char *format, ...)
    PRINTF_LIKE(2, 3);

/* finding_line - the next line with something in it; empty behind the last. */
struct span finding_line(const char **text);

/* finding_name - an account as a shell takes it; ACCOUNT for other names */
const char *finding_name(const char *account);

/* finding_mask - a text without names of people, tenants and applications,
 * to be shown to others */
void finding_mask(char *text, size_t bytes);

/*
 * A row.  needs names the checks (words) without which this one is not run.
 * One without a function is filled by the one before: finding[1] and so on.
 */
struct check {
	const char *name, *needs;
	check_fn *look;
	enum per {
		PER_MACHINE,
		PER_ROUTE,
		PER_PROVIDER,
		PER_ACCOUNT
	} per;
};

/* The checks, in the order of a mail's way. */
check_fn doctor_plugin_file, doctor_plugin_loads, doctor_plugin_offered,
    doctor_plugin_alone;
check_fn doctor_postfix_sasl, doctor_postfix_relay, doctor_postfix_map,
    doctor_postfix_mechanisms, doctor_postfix_security, doctor_postfix_tls,
    doctor_postfix_ca, doctor_postfix_cache;
check_fn doctor_helper, doctor_config, doctor_current, doctor_fleet,
    doctor_units, doctor_socket, doctor_allowed, doctor_log;
check_fn doctor_ends;  /* fills two */
check_fn doctor_probe; /* fills DOCTOR_PROBES */
check_fn doctor_account, doctor_state;
check_fn doctor_token; /* fills four */
check_fn doctor_live;  /* fills three */

/*
 * doctor_ask - one request, and its next list; false at the end, when why has
 * what was wrong, or nothing.  doctor_begin() comes first, and talk_put() in
 * between; what was received is a check's until its process ends.
 */
void doctor_begin(struct talk *talk, struct doctor *doctor, const char *verb,
    const char *account);
bool doctor_ask(struct talk *talk);

/* doctor_type - what explain knows of the finding, whose text may be anybody's,
 * for an account */
void doctor_type(struct finding *finding, const char *account);

/* doctor_account_of - by name, whatever its letters' case; or NULL */
struct doctor_account *doctor_account_of(struct doctor *doctor,
    const char *name);

/* doctor_routes - find them all. */
void doctor_routes(struct doctor *doctor);

/* doctor_route_of - the one that logs in as an account, or NULL */
struct route *doctor_route_of(struct doctor *doctor, const char *account);

/* doctor_hop - host of "host", "[host]" or either with a port, which is
 * returned; NULL: there is none */
const char *doctor_hop(const char *hop, char host[DOCTOR_NAME_BYTES]);

/* doctor_import - take on the environment that Postfix gives to smtp(8). */
void doctor_import(const struct doctor *doctor);

verb_fn doctor_run;

#endif
