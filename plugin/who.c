/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What callbacks give belongs to the host and is copied before the next one.
 */
#include "who.h"

#include <stddef.h>

#include "wire/attr.h"

/* One entry of the callback table, in the types that its ids have. */
union callback {
	sasl_callback_ft any;
	sasl_getsimple_t *simple;
	sasl_getsecret_t *secret;
};

/* The two names, in the order in which they are asked for. */
static const struct id {
	sasl_interact_t prompt;
	size_t at, bytes; /* in struct who */
} ids[] = {
	{ .prompt = { .id = SASL_CB_USER,
	      .challenge = "Authorization Name",
	      .prompt = "Please enter your authorization name" },
	    .at = offsetof(struct who, mailbox),
	    .bytes = sizeof(((struct who *)0)->mailbox) },
	{ .prompt = { .id = SASL_CB_AUTHNAME,
	      .challenge = "Authentication Name",
	      .prompt = "Please enter your authentication name" },
	    .at = offsetof(struct who, account),
	    .bytes = sizeof(((struct who *)0)->account) },
};

#define IDS (sizeof(ids) / sizeof(ids[0]))

static enum fault keep_name(struct who *who, const struct id *id,
    struct span name, struct why *why)
{
	char *out = (char *)who + id->at;

	if (name.n >= id->bytes) {
		why_set(why, 0,
		    "mailtoken: the user name is longer than %zu bytes",
		    id->bytes - 1);
		return FAULT_TOO_BIG;
	}
	if (name.n > 0)
		memcpy(out, name.p, name.n);
	out[name.n] = '\0';
	return FAULT_NONE;
}

static enum fault keep_password(struct who *who, struct span password)
{
	secret_free(who->password);
	who->password = NULL;
	/* What is longer is no token, and nothing else is asked for. */
	if (password.n > ACCESS_TOKEN_MAX_BYTES)
		return FAULT_NONE;
	return secret_new(password, &who->password);
}

/* Some hosts count the terminator, some leave result NULL. */
static enum fault take_answer(struct who *who, const sasl_interact_t *prompt,
    struct why *why)
{
	struct span answer = { prompt->result, 0 };
	size_t i;

	if (prompt->result != NULL)
		answer.n = strnlen(prompt->result, prompt->len);
	if (answer.n == 0)
		return FAULT_NONE;
	for (i = 0; i < IDS; i++)
		if (prompt->id == ids[i].prompt.id)
			return keep_name(who, &ids[i], answer, why);
	/* Only when it is ours: others' prompts are not our secrets. */
	return prompt->id == SASL_CB_PASS && who->asked_password ?
	    keep_password(who, answer) :
	    FAULT_NONE;
}

enum fault who_answers(struct who *who, const sasl_client_params_t *params,
    sasl_interact_t **prompt_need, struct why *why)
{
	enum fault fault = FAULT_NONE;
	const sasl_interact_t *prompt;

	if (prompt_need == NULL || *prompt_need == NULL)
		return FAULT_NONE;
	for (prompt = *prompt_need; prompt->id != SASL_CB_LIST_END; prompt++) {
		fault = take_answer(who, prompt, why);
		if (fault != FAULT_NONE)
			break;
	}
	params->utils->free(*prompt_need);
	*prompt_need = NULL;
	return fault;
}

/* SASL_OK also when the host has no such name: it stays empty then. */
static int find_name(struct who *who, const sasl_client_params_t *params,
    const struct id *id, struct why *why)
{
	union callback callback = { NULL };
	const char *name = NULL;
	void *context = NULL;
	int code;

	if (((char *)who + id->at)[0] != '\0')
		return SASL_OK;
	code = params->utils->getcallback(params->utils->conn, id->prompt.id,
	    &callback.any, &context);
	if (code == SASL_OK && callback.any != NULL)
		code = callback.simple(context, (int)id->prompt.id, &name,
		    NULL);
	if (code == SASL_INTERACT || code == SASL_NOMEM)
		return code;
	if (code == SASL_OK &&
	    keep_name(who, id, span_of(name), why) != FAULT_NONE)
		return SASL_BUFOVER;
	return SASL_OK;
}

static int make_prompts(const sasl_client_params_t *params,
    const sasl_interact_t *wanted, size_t n, sasl_interact_t **prompt_need)
{
	sasl_interact_t *prompts;

	prompts = params->utils->malloc((n + 1) * sizeof(*prompts));
	if (prompts == NULL)
		return SASL_NOMEM;
	memset(prompts, 0, (n + 1) * sizeof(*prompts));
	memcpy(prompts, wanted, n * sizeof(*prompts));
	prompts[n].id = SASL_CB_LIST_END;
	*prompt_need = prompts;
	return SASL_INTERACT;
}

static int learn(struct who *who, const sasl_client_params_t *params,
    sasl_interact_t **prompt_need, struct why *why)
{
	sasl_interact_t wanted[IDS];
	size_t i, n = 0;
	int code = SASL_OK;

	for (i = 0; i < IDS; i++) {
		code = find_name(who, params, &ids[i], why);
		if (code == SASL_INTERACT)
			wanted[n++] = ids[i].prompt;
		else if (code != SASL_OK)
			return code;
	}
	if (n > 0 && prompt_need != NULL && !who->asked_names) {
		who->asked_names = true;
		return make_prompts(params, wanted, n, prompt_need);
	}
	if (code == SASL_OK)
		return SASL_OK; /* the mailbox is optional */
	why_set(why, 0,
	    who->asked_names ?
		"mailtoken: the program answered no user name: configure one" :
		"mailtoken: the program has no user name and cannot be asked: "
		"configure one");
	return SASL_BADPARAM;
}

static int canonical(struct who *who, sasl_client_params_t *params,
    sasl_out_params_t *oparams, struct why *why)
{
	const char *mailbox = who->mailbox[0] != '\0' ? who->mailbox :
							who->account;
	int code;

	code = params->canon_user(params->utils->conn, who->account, 0,
	    SASL_CU_AUTHID, oparams);
	if (code == SASL_OK)
		code = params->canon_user(params->utils->conn, mailbox, 0,
		    SASL_CU_AUTHZID, oparams);
	if (code == SASL_NOMEM)
		return code;
	if (code != SASL_OK) {
		why_set(why, 0,
		    "mailtoken: the program's user name cannot be used: "
		    "configure another");
		return code == SASL_BUFOVER ? code : SASL_BADPARAM;
	}
	if (keep_name(who, &ids[0], span_of(oparams->user), why) !=
		FAULT_NONE ||
	    keep_name(who, &ids[1], span_of(oparams->authid), why) !=
		FAULT_NONE)
		return SASL_BUFOVER;
	return SASL_OK;
}

int who_names(struct who *who, sasl_client_params_t *params,
    sasl_interact_t **prompt_need, sasl_out_params_t *oparams, struct why *why)
{
	int code;

	code = learn(who, params, prompt_need, why);
	if (code != SASL_OK)
		return code;
	if (who->account[0] == '\0') {
		why_set(why, 0,
		    "mailtoken: the program supplied no user name: configure "
		    "one");
		return SASL_BADPARAM;
	}
	code = canonical(who, params, oparams, why);
	if (code != SASL_OK)
		return code;
	if (!attr_is_account(span_of(who->account)) ||
	    !attr_is_login(span_of(who->mailbox))) {
		why_set(why, 0,
		    "mailtoken: the program's user name has control bytes or "
		    "is not UTF-8: configure another");
		return SASL_BADPARAM;
	}
	return SASL_OK;
}

static int call_secret(struct who *who, const sasl_client_params_t *params)
{
	union callback callback = { NULL };
	sasl_secret_t *secret = NULL;
	void *context = NULL;
	struct span password;
	int code;

	code = params->utils->getcallback(params->utils->conn, SASL_CB_PASS,
	    &callback.any, &context);
	if (code == SASL_OK && callback.any != NULL)
		code = callback.secret(params->utils->conn, context,
		    SASL_CB_PASS, &secret);
	if (code == SASL_INTERACT)
		return code;
	if (code != SASL_OK || secret == NULL || secret->len == 0)
		return SASL_FAIL;
	password.p = (const char *)secret->data;
	password.n = secret->len;
	if (keep_password(who, password) != FAULT_NONE)
		return SASL_NOMEM;
	return who->password != NULL ? SASL_OK : SASL_FAIL;
}

int who_password(struct who *who, const sasl_client_params_t *params,
    sasl_interact_t **prompt_need)
{
	static const sasl_interact_t password = { .id = SASL_CB_PASS,
		.challenge = "Password",
		.prompt = "Please enter your password" };
	int code;

	if (who->password != NULL)
		return SASL_OK;
	if (who->asked_password)
		return SASL_FAIL;
	code = call_secret(who, params);
	if (code != SASL_INTERACT)
		return code;
	if (prompt_need == NULL)
		return SASL_FAIL;
	who->asked_password = true;
	return make_prompts(params, &password, 1, prompt_need);
}

void who_drop(struct who *who)
{
	secret_free(who->password);
	secret_wipe(who, sizeof(*who));
}
