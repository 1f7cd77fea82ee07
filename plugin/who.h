/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * who - whom the host program authenticates as
 *
 * Owns the names and, in the one case that needs it, the password of a
 * connection.  They come from answered prompts, then from callbacks, then
 * from a new prompt; no prompt is made twice.  Only AUTHNAME, USER and PASS
 * are ever asked for: some hosts end when they see another one.
 * Does not set the error text of the connection; the reason is in why.
 */
#ifndef MAILTOKEN_PLUGIN_WHO_H
#define MAILTOKEN_PLUGIN_WHO_H

#include <sasl/sasl.h>
#include <sasl/saslplug.h>

#include "wire/buf.h"
#include "wire/words.h"

struct who {
	char account[ACCOUNT_MAX_BYTES + 1]; /* authentication name */
	char mailbox[LOGIN_MAX_BYTES + 1];   /* authorization id, or "" */
	struct secret *password;	     /* NULL unless asked for */
	bool asked_names;
	bool asked_password;
};

/*
 * who_answers - take what the host filled in, then free the prompts and set
 * *prompt_need to NULL.  prompt_need may be NULL or point to NULL.
 *
 * FAULT_NONE; FAULT_TOO_BIG for a name beyond the limits; FAULT_NOMEM.
 */
enum fault who_answers(struct who *who, const sasl_client_params_t *params,
    sasl_interact_t **prompt_need, struct why *why) MUST_CHECK;

/*
 * who_names - make account and mailbox complete and canonical
 *
 * SASL_OK; SASL_INTERACT with prompts in *prompt_need, once a connection;
 * SASL_BADPARAM without a usable name; SASL_BUFOVER; SASL_NOMEM.
 */
int who_names(struct who *who, sasl_client_params_t *params,
    sasl_interact_t **prompt_need, sasl_out_params_t *oparams,
    struct why *why) MUST_CHECK;

/*
 * who_password - get the password that the host has
 *
 * SASL_OK: who->password is set; SASL_INTERACT as above; SASL_FAIL when the
 * host has none; SASL_NOMEM.
 */
int who_password(struct who *who, const sasl_client_params_t *params,
    sasl_interact_t **prompt_need) MUST_CHECK;

/* who_drop - wipe. */
void who_drop(struct who *who);

#endif
