/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * How the known host programs answer callbacks and prompts.
 */
#include "host.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static int log_proc(void *context, int level, const char *text)
{
	(void)context;
	host_say("log %d %s", level, text);
	return SASL_OK;
}

static int simple_proc(void *context, int id, const char **result,
    unsigned *len)
{
	(void)context;
	host_say("callback %s", id == SASL_CB_USER ? "user" : "authname");
	if (host.callback_interacts)
		return SASL_INTERACT;
	*result = id == SASL_CB_USER ? host.authzid : host.user;
	if (len != NULL)
		*len = *result != NULL ? (unsigned)strlen(*result) : 0;
	return SASL_OK;
}

static int secret_proc(sasl_conn_t *conn, void *context, int id,
    sasl_secret_t **secret)
{
	static _Thread_local sasl_secret_t *kept;
	const char *password = host.password != NULL ? host.password : "";
	size_t n = strlen(password);

	(void)context;
	if (conn == NULL || id != SASL_CB_PASS)
		return SASL_BADPARAM;
	host_say("callback pass");
	free(kept);
	kept = malloc(sizeof(*kept) + n + 1);
	if (kept == NULL)
		return SASL_NOMEM;
	kept->len = n;
	memcpy(kept->data, password, n + 1);
	*secret = kept;
	return SASL_OK;
}

typedef int any_proc(void);
#define PROC(f) ((any_proc *)(uintptr_t)(f))

const sasl_callback_t style_log_only[] = {
	{ SASL_CB_LOG, PROC(log_proc), NULL }, { SASL_CB_LIST_END, NULL, NULL }
};

const sasl_callback_t style_prompting[] = { { SASL_CB_LOG, PROC(log_proc),
						NULL },
	{ SASL_CB_USER, NULL, NULL }, { SASL_CB_AUTHNAME, NULL, NULL },
	{ SASL_CB_PASS, NULL, NULL }, { SASL_CB_LIST_END, NULL, NULL } };

bool style_is(const char *style)
{
	return strcmp(host.style, style) == 0;
}

bool style_prompts(void)
{
	return style_is("isync") || style_is("cyrus");
}

void style_callbacks(sasl_callback_t *at)
{
	*at++ = (sasl_callback_t){ SASL_CB_AUTHNAME, PROC(simple_proc), NULL };
	if (!host.no_pass)
		*at++ = (sasl_callback_t){ SASL_CB_PASS, PROC(secret_proc),
			NULL };
	if (style_is("mutt") || host.authzid != NULL)
		*at++ = (sasl_callback_t){ SASL_CB_USER, PROC(simple_proc),
			NULL };
	if (style_is("mutt"))
		*at++ = (sasl_callback_t){ SASL_CB_GETREALM, NULL, NULL };
	*at = (sasl_callback_t){ SASL_CB_LIST_END, NULL, NULL };
}

void style_answer(sasl_interact_t *prompt)
{
	for (; prompt->id != SASL_CB_LIST_END; prompt++) {
		const char *answer = NULL;

		if (prompt->id == SASL_CB_AUTHNAME)
			answer = host.user;
		else if (prompt->id == SASL_CB_USER)
			answer = style_is("isync") ? host.user : host.authzid;
		else if (prompt->id == SASL_CB_PASS)
			answer = host.password;
		else if (style_is("isync")) {
			host_say("fatal unknown prompt %lu", prompt->id);
			exit(3);
		}
		host_say("prompt 0x%lx", prompt->id);
		prompt->result = answer;
		/* mutt counts the terminator. */
		prompt->len = answer == NULL ?
		    0 :
		    (unsigned)strlen(answer) + (style_is("mutt") ? 1 : 0);
	}
}
