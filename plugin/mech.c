/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The first step can fail and says why; once the token is out, whatever the
 * server says is for the host program to judge.
 */
#include "mech.h"

#include "fetch.h"
#include "response.h"
#include "who.h"
#include "wire/attr.h"
#include "wire/echo.h"

#define SAID_MAX_BYTES 500 /* one line of a log, a command whole */

struct mech_kind {
	const char *name;
	enum fault (
	    *encode)(struct span user, struct span token, struct buf *out);
	const char *error_reply;
};

enum state {
	NOTHING_SENT,
	TOKEN_SENT,
	DONE
};

struct mech {
	const struct mech_kind *kind;
	enum state state;
	struct who who;
	struct fetched fetched;
	struct buf out;	    /* what clientout points to */
	size_t token_bytes; /* of it, before the two that end it */
};

/* What libsasl2 gives for one step. */
struct step {
	sasl_client_params_t *params;
	sasl_interact_t **prompt_need;
	sasl_out_params_t *oparams;
	struct why why;
};

/*
 * Sets the text of the connection; must be the last thing before the return,
 * since callbacks overwrite it.  libsasl2's formatter knows few
 * conversions: the text goes through "%s".  Only a lack of memory comes
 * without a reason.
 */
static int tell(const sasl_client_params_t *params, int code, const char *text)
{
	char said[SAID_MAX_BYTES + 1];
	size_t i;

	if (text[0] == '\0')
		text = "mailtoken: the program is out of memory";
	for (i = 0; text[i] != '\0' && i < SAID_MAX_BYTES; i++)
		said[i] = text[i] >= 0x20 && text[i] < 0x7f ? text[i] : '?';
	if (text[i] != '\0')
		memcpy(said + i - 3, "...", 3);
	said[i] = '\0';
	params->utils->seterror(params->utils->conn, 0, "%s", said);
	return code;
}

static int mech_new(void *glob_context, sasl_client_params_t *params,
    void **conn_context)
{
	struct mech *mech;

	mech = params->utils->malloc(sizeof(*mech));
	if (mech == NULL)
		return tell(params, SASL_NOMEM, "");
	memset(mech, 0, sizeof(*mech));
	mech->kind = glob_context;
	buf_init(&mech->out, RESPONSE_MAX_BYTES);
	*conn_context = mech;
	return SASL_OK;
}

static void mech_dispose(void *conn_context, const sasl_utils_t *utils)
{
	struct mech *mech = conn_context;

	if (mech == NULL)
		return;
	who_drop(&mech->who);
	fetch_drop(&mech->fetched);
	buf_drop(&mech->out);
	secret_wipe(mech, sizeof(*mech));
	utils->free(mech);
}

static int send_token(struct mech *mech, const struct step *step,
    const struct secret *token)
{
	sasl_out_params_t *oparams = step->oparams;
	const char *user = mech->who.mailbox;
	enum fault fault;

	/* An authorization id of the host's comes before the helper's login. */
	if (mech->fetched.login[0] != '\0' &&
	    strcmp(mech->who.mailbox, mech->who.account) == 0)
		user = mech->fetched.login;
	buf_drop(&mech->out);
	fault = mech->kind->encode(span_of(user),
	    secret_reveal(token, "the client response"), &mech->out);
	if (fault != FAULT_NONE)
		return tell(step->params, fetch_code(fault), "");
	mech->token_bytes = secret_bytes(token);

	oparams->doneflag = 0;
	oparams->mech_ssf = 0;
	oparams->maxoutbuf = 0;
	oparams->encode_context = NULL;
	oparams->encode = NULL;
	oparams->decode_context = NULL;
	oparams->decode = NULL;
	oparams->param_version = 0;
	mech->state = TOKEN_SENT;

	/*
	 * Others need the second step to answer an error challenge; mutt's
	 * POP takes one more step after a success for a failure.
	 */
	if (step->params->service != NULL &&
	    strcmp(step->params->service, "pop") == 0)
		return SASL_OK;
	return SASL_CONTINUE;
}

/*
 * Host programs that bring a token of their own hand it over as the
 * password.  A password that may have been chosen by a human stays here.
 */
static int try_password(struct mech *mech, const struct step *step)
{
	int code;

	code = who_password(&mech->who, step->params, step->prompt_need);
	if (code == SASL_INTERACT)
		return code;
	if (code == SASL_NOMEM)
		return tell(step->params, code, "");
	if (code == SASL_OK &&
	    response_is_bearer(
		secret_reveal(mech->who.password, "whether it is a token")))
		return send_token(mech, step, mech->who.password);
	return tell(step->params, fetch_code(FAULT_UNKNOWN_ACCOUNT),
	    step->why.text);
}

static int first_step(struct mech *mech, struct step *step)
{
	sasl_client_params_t *params = step->params;
	const struct question question = { .account = mech->who.account,
		.server = params->serverFQDN,
		.service = params->service,
		.mechanism = mech->kind->name };
	struct why *why = &step->why;
	enum fault fault;
	int code;

	fault = who_answers(&mech->who, params, step->prompt_need, why);
	if (fault != FAULT_NONE)
		return tell(params, fetch_code(fault), why->text);
	if (params->props.min_ssf > params->external_ssf) {
		why_set(why, 0,
		    "mailtoken: the program asks for a security layer, which "
		    "%s does not have: use TLS",
		    mech->kind->name);
		return tell(params, SASL_TOOWEAK, why->text);
	}
	code = who_names(&mech->who, params, step->prompt_need, step->oparams,
	    why);
	if (code == SASL_INTERACT)
		return code;
	if (code != SASL_OK)
		return tell(params, code, why->text);

	fetch_drop(&mech->fetched);
	fault = fetch_token(&question, &mech->fetched, why);
	if (fault == FAULT_UNKNOWN_ACCOUNT && mech->fetched.password_allowed)
		return try_password(mech, step);
	if (fault != FAULT_NONE)
		return tell(params, fetch_code(fault), why->text);
	code = send_token(mech, step, mech->fetched.token);
	secret_free(mech->fetched.token);
	mech->fetched.token = NULL;
	return code;
}

/*
 * A challenge is the server's and may be anything: it has a length and no
 * end, and is not parsed.  An object after blanks is how Gmail and Dovecot
 * reject (RFC 7628 section 3.2.3); some programs hand us the remains of
 * another line after a login that succeeded.
 */
static bool is_rejection(struct span challenge)
{
	while (challenge.n > 0 && challenge.p[0] != '\0' &&
	    strchr(" \t\r\n", challenge.p[0]) != NULL) {
		challenge.p++;
		challenge.n--;
	}
	return challenge.n > 0 && challenge.p[0] == '{';
}

/* What is shown of it: escaped and cut, and without the token. */
static void plain_challenge(const struct mech *mech, struct span challenge,
    char out[CHALLENGE_MAX_BYTES + 1])
{
	struct span token = { mech->out.p + mech->out.n - 2 - mech->token_bytes,
		mech->token_bytes };

	if (echo_holds(challenge, token))
		challenge = span_of(ECHO_HIDDEN);
	attr_plain(challenge, out, CHALLENGE_MAX_BYTES + 1);
}

static int second_step(struct mech *mech, struct step *step,
    struct span challenge, const char **clientout, unsigned *clientoutlen)
{
	const struct question question = { .account = mech->who.account,
		.server = step->params->serverFQDN,
		.service = step->params->service };
	char server[64], account[64], said[CHALLENGE_MAX_BYTES + 1];

	/* The reply depends on whether there is one, never on what it says. */
	*clientout = challenge.n > 0 ? mech->kind->error_reply : "";
	*clientoutlen = (unsigned)strlen(*clientout);
	step->oparams->doneflag = 1;
	mech->state = DONE;
	if (!is_rejection(challenge))
		return SASL_OK;

	plain_challenge(mech, challenge, said);
	if (mech->fetched.serial[0] != '\0')
		fetch_rejected(&mech->fetched, &question, said);
	attr_plain(span_of(step->params->serverFQDN), server, sizeof(server));
	attr_plain(span_of(mech->who.account), account, sizeof(account));
	why_set(&step->why, 0, "mailtoken: %s rejected the token of %s: %.150s",
	    server, account, said);
	return tell(step->params, SASL_OK, step->why.text);
}

static int mech_step(void *conn_context, sasl_client_params_t *params,
    const char *serverin, unsigned serverinlen, sasl_interact_t **prompt_need,
    const char **clientout, unsigned *clientoutlen, sasl_out_params_t *oparams)
{
	struct step step = { params, prompt_need, oparams, { 0, "" } };
	struct span challenge = { serverin,
		serverin != NULL ? serverinlen : 0 };
	struct mech *mech = conn_context;
	int code;

	*clientout = NULL;
	*clientoutlen = 0;
	switch (mech->state) {
	case NOTHING_SENT:
		code = first_step(mech, &step);
		if (mech->state == TOKEN_SENT) {
			*clientout = mech->out.p;
			*clientoutlen = (unsigned)mech->out.n;
		}
		return code;
	case TOKEN_SENT:
		return second_step(mech, &step, challenge, clientout,
		    clientoutlen);
	case DONE: break;
	}
	return tell(params, SASL_FAIL, "mailtoken: the exchange is over");
}

static const struct mech_kind xoauth2 = { .name = "XOAUTH2",
	.encode = response_xoauth2,
	.error_reply = "" };

static const struct mech_kind oauthbearer = { .name = "OAUTHBEARER",
	.encode = response_oauthbearer,
	.error_reply = "\001" };

static const unsigned long required_prompts[] = { SASL_CB_AUTHNAME,
	SASL_CB_LIST_END };

/*
 * max_ssf: no layer exists, but 1 ranks us above PLAIN and below SCRAM on
 * every system, where 0 leaves it to the order of a directory.  Not
 * NOPLAINTEXT: without TLS a token can be overheard like a password.
 */
#define MECH_COMMON(mech) \
	.mech_name = #mech, .max_ssf = 1, \
	.security_flags = SASL_SEC_NOANONYMOUS | SASL_SEC_PASS_CREDENTIALS, \
	.features = SASL_FEAT_WANT_CLIENT_FIRST | SASL_FEAT_ALLOWS_PROXY, \
	.required_prompts = required_prompts, .mech_new = mech_new, \
	.mech_step = mech_step, .mech_dispose = mech_dispose

const sasl_client_plug_t mech_list[MECH_COUNT] = {
	{ MECH_COMMON(XOAUTH2), .glob_context = (void *)&xoauth2 },
	{ MECH_COMMON(OAUTHBEARER), .glob_context = (void *)&oauthbearer },
};
