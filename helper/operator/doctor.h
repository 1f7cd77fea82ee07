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

/* What the checks share; all is there before the first one starts. */
struct doctor {
	struct command *command;
	struct span subject; /* of the check that runs: a provider, an account;
			      * empty: neither */

	bool has_postfix;
	struct postfix postfix;
	struct why broken;		     /* why not, where there is one */
	char relay[DOCTOR_NAME_BYTES];	     /* Postfix's next hop */
	char user[DOCTOR_NAME_BYTES];	     /* as whom it logs in there */
	char config[ADDRESS_FILE_MAX_BYTES]; /* of the helper */

	/* As the helper tells; nothing where it does not answer. */
	size_t n_accounts, n_providers;
	struct doctor_account {
		char name[DOCTOR_NAME_BYTES], provider[DOCTOR_NAME_BYTES];
	} accounts[DOCTOR_ACCOUNTS_MAX];
	char providers[DOCTOR_PROVIDERS_MAX][DOCTOR_NAME_BYTES];
};

/* check_fn - look, and fill the finding by one of these. */
typedef void check_fn(struct doctor *doctor, struct finding *finding);

void finding_good(struct finding *finding, const char *format, ...)
    PRINTF_LIKE(2, 3);
void finding_none(struct finding *finding, const char *format, ...)
    PRINTF_LIKE(2, 3);
void finding_wrong(struct finding *finding, const char *format, ...)
    PRINTF_LIKE(2, 3);
/* finding_more - add to the text. */
void finding_more(struct finding *finding, const char *format, ...)
    PRINTF_LIKE(2, 3);
/* finding_type - one more line to type, after finding_wrong(). */
void finding_type(struct finding *finding, const char *format, ...)
    PRINTF_LIKE(2, 3);

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
check_fn doctor_helper, doctor_config, doctor_current, doctor_ends,
    doctor_units, doctor_socket, doctor_allowed, doctor_log;
check_fn doctor_probe; /* fills DOCTOR_PROBES */
check_fn doctor_account, doctor_state;
check_fn doctor_token; /* fills four */
check_fn doctor_live;  /* fills three */

/*
 * doctor_ask - one request, and its next list; false at the end, when why has
 * what was wrong, or nothing.  doctor_begin() comes first, and talk_put() in
 * between; talk_close() last.
 */
void doctor_begin(struct talk *talk, struct doctor *doctor, const char *verb,
    const char *account);
bool doctor_ask(struct talk *talk);

/*
 * doctor_type - the command that stands in the finding's text, which is a
 * sentence of ours; else as doctor_type_known()
 */
void doctor_type(struct finding *finding, const char *account);

/* doctor_type_known - what explain knows of the finding's text, which may be
 * anybody's, for an account (NULL: nothing) */
void doctor_type_known(struct finding *finding, const char *account);

/* doctor_postfix_facts - relay and user. */
void doctor_postfix_facts(struct doctor *doctor);

/* doctor_import - take on the environment that Postfix gives to smtp(8). */
void doctor_import(const struct doctor *doctor);

verb_fn doctor_run;

#endif
