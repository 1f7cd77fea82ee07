/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The verbs there are, what each needs, who may use it and what does it; and
 * a request understood, in one pass, with a table of what each attribute is.
 */
#include "daemon/verbs.h"

#include <stddef.h>
#include <stdlib.h>

#include "daemon/keeper.h"
#include "daemon/signin.h"

#define MIN_VALIDITY_MAX_S 86400
#define ANY_BYTES	   WIRE_LINE_MAX_BYTES

enum kind {
	BYTES,	   /* a span of at most max_bytes */
	HOST,	   /* ... which is the name of one */
	HOSTS,	   /* ... or of many, or *.suffix, with single blanks between */
	FLAG,	   /* yes or no */
	SECONDS,   /* 0..MIN_VALIDITY_MAX_S */
	FLOW,	   /* a word of oauth's */
	PROTOCOLS, /* "smtp,imap"; the words themselves are provider.c's */
};

#define AT(member) offsetof(struct request, member)

/* What any verb may bring; most are of use to a few. */
static const struct field {
	const char *name;
	enum kind kind;
	size_t at;	  /* in the request */
	size_t max_bytes; /* of a span */
} fields[] = {
	{ ATTR_ACCOUNT, BYTES, AT(account), ANY_BYTES },
	{ ATTR_SERVER, HOST, AT(server), SERVER_MAX_BYTES },
	{ ATTR_SERVICE, BYTES, AT(service), SERVICE_MAX_BYTES },
	{ ATTR_MECHANISM, BYTES, AT(mechanism), MECHANISM_MAX_BYTES },
	{ ATTR_MIN_VALIDITY, SECONDS, AT(min_validity_s), ANY_BYTES },
	{ ATTR_SERIAL, BYTES, AT(serial), SERIAL_MAX_BYTES },
	{ ATTR_CHALLENGE, BYTES, AT(challenge), CHALLENGE_MAX_BYTES },
	{ ATTR_PROVIDER, BYTES, AT(provider), SERVER_MAX_BYTES },
	{ ATTR_FLOW, FLOW, AT(flow), ANY_BYTES },
	{ ATTR_ISSUER, BYTES, AT(issuer), 512 },
	{ ATTR_CLIENT_ID, BYTES, AT(client_id), SERVER_MAX_BYTES },
	{ ATTR_TENANT, BYTES, AT(tenant), SERVER_MAX_BYTES },
	{ ATTR_PROTOCOLS, PROTOCOLS, AT(protocols), ANY_BYTES },
	{ ATTR_MX, BYTES, AT(mx), 1024 },
	{ ATTR_SERVERS, HOSTS, AT(servers), 4096 },
	{ ATTR_AS_DELEGATE, FLAG, AT(as_delegate), ANY_BYTES },
	{ ATTR_REVOKE, FLAG, AT(revoke), ANY_BYTES },
	{ ATTR_KEEP_LOCAL, FLAG, AT(keep_local), ANY_BYTES },
	{ ATTR_DUE, FLAG, AT(due), ANY_BYTES },
	{ ATTR_REPLACE, FLAG, AT(replace), ANY_BYTES },
	{ ATTR_ACCOUNTS, FLAG, AT(accounts), ANY_BYTES },
	{ NULL, BYTES, 0, 0 },
};

/* A server list becomes part of a record, so each name is checked here. */
static bool are_hosts(struct span servers)
{
	const char *end = servers.p + servers.n;
	struct span host = { servers.p, 0 };

	for (; host.p <= end; host.p += host.n + 1) {
		host.n = 0;
		while (host.p + host.n < end && host.p[host.n] != ' ')
			host.n++;
		if (!attr_is_server(host))
			return false;
	}
	return true;
}

static enum fault bad(struct why *why, const char *text)
{
	why_set(why, 0, "%s", text);
	return FAULT_BAD_REQUEST;
}

static enum fault read_protocols(struct span value, char *to, struct why *why)
{
	size_t i;

	if (value.n >= REQUEST_PROTOCOLS_BYTES)
		return bad(why, "protocols is one or more of smtp, imap, pop");
	for (i = 0; i < value.n; i++)
		to[i] = value.p[i] == ',' ? ' ' : value.p[i];
	return FAULT_NONE;
}

/* What is more than some bytes. */
static enum fault read_word(const struct field *field, struct span value,
    void *to, struct why *why)
{
	switch (field->kind) {
	case BYTES: break;
	case HOST: return bad(why, "server is not a host name");
	case HOSTS:
		if (value.n > 0 && !are_hosts(value))
			return bad(why,
			    "servers is a list of host names, or *.suffix, "
			    "separated by one blank");
		*(struct span *)to = value;
		return FAULT_NONE;
	case FLAG:
		*(bool *)to = span_is(value, "yes");
		if (*(bool *)to || span_is(value, "no"))
			return FAULT_NONE;
		why_set(why, 0, "%s is yes or no", field->name);
		return FAULT_BAD_REQUEST;
	case SECONDS:
		if (attr_number(value, 0, MIN_VALIDITY_MAX_S, to) == FAULT_NONE)
			return FAULT_NONE;
		why_set(why, 0,
		    "min-validity is a number of seconds from 0 to %d",
		    MIN_VALIDITY_MAX_S);
		return FAULT_BAD_REQUEST;
	case FLOW:
		return flow_kind_from_word(value, to) == FAULT_NONE ?
		    FAULT_NONE :
		    bad(why,
			"there is no such flow: there are device, browser, "
			"client-credentials and service-account, and with the "
			"first two somebody signs in");
	case PROTOCOLS: return read_protocols(value, to, why);
	}
	return FAULT_NONE;
}

enum fault request_read(const struct attrs *attrs, enum request_needs needs,
    struct request *request_out, struct why *why)
{
	const struct field *field;
	enum fault fault = FAULT_NONE;
	struct span value, *account = &request_out->account;
	void *to;
	size_t i;

	*request_out = (struct request){ .revoke = true, .flow = FLOW_NONE };
	for (i = 0; i < attrs->n && fault == FAULT_NONE; i++) {
		for (field = fields; field->name != NULL; field++)
			if (span_is(attrs->at[i].name, field->name))
				break;
		value = attrs->at[i].value;
		to = (char *)request_out + field->at;
		if (field->name == NULL ||
		    (needs == NEEDS_RECORD && field->at != AT(account) &&
			field->at != AT(replace)))
			continue;
		if (value.n > field->max_bytes) {
			why_set(why, 0, "%s is longer than %zu bytes",
			    field->name, field->max_bytes);
			fault = FAULT_BAD_REQUEST;
		} else if (field->kind == BYTES ||
		    (field->kind == HOST &&
			(value.n == 0 || attr_is_host(value)))) {
			*(struct span *)to = value;
		} else {
			fault = read_word(field, value, to, why);
		}
	}
	if (fault != FAULT_NONE)
		return fault;
	if (needs == NEEDS_NOTHING)
		account->n = 0;
	else if (account->p == NULL &&
	    (needs == NEEDS_ACCOUNT || needs == NEEDS_SERIAL ||
		needs == NEEDS_RECORD))
		return bad(why, "the request names no account");
	else if (account->p != NULL &&
	    keyring_fold(*account, request_out->folded) != FAULT_NONE) {
		why_set(why, 0,
		    "an account is 1 to %d bytes of UTF-8 without control "
		    "characters",
		    ACCOUNT_MAX_BYTES);
		return FAULT_BAD_REQUEST;
	}
	if (needs == NEEDS_SERIAL &&
	    !attr_is_of(request_out->serial, "0123456789abcdef", ANY_BYTES))
		return bad(why, "serial is missing or not a serial");
	if (needs == ACCOUNT_OR_DUE && request_out->due == (account->n > 0))
		return bad(why, "refresh takes an account, or due=yes");
	return FAULT_NONE;
}

static void reload(struct conn *conn)
{
	conn_close_after(conn,
	    keeper_try(conn->engine->keeper, true, &conn->out));
}

static const struct verb {
	const char *word;
	enum request_needs needs;
	enum right right;
	bool block; /* what the configuration says of the account counts */
	void (*act)(struct conn *conn);
} verbs[] = {
	{ VERB_TOKEN, NEEDS_ACCOUNT, RIGHT_ACCOUNT, true, verbs_token },
	{ VERB_REJECTED, NEEDS_SERIAL, RIGHT_ACCOUNT, false, verbs_rejected },
	{ VERB_SIGN_IN, NEEDS_ACCOUNT, RIGHT_ADMIN, true, verbs_sign_in },
	{ VERB_FORGET, NEEDS_ACCOUNT, RIGHT_ADMIN, false, verbs_forget },
	{ VERB_STATUS, MAY_HAVE_ACCOUNT, RIGHT_ANYBODY, false, verbs_status },
	{ VERB_WATCH, MAY_HAVE_ACCOUNT, RIGHT_ANYBODY, false, verbs_watch },
	{ VERB_REFRESH, ACCOUNT_OR_DUE, RIGHT_ADMIN, true, verbs_refresh },
	{ VERB_IMPORT, NEEDS_RECORD, RIGHT_ADMIN, false, verbs_import },
	{ VERB_EXPORT, MAY_HAVE_ACCOUNT, RIGHT_ROOT, false, verbs_export },
	{ VERB_REKEY, NEEDS_ACCOUNT, RIGHT_ROOT, false, verbs_rekey },
	{ VERB_PROBE, MAY_HAVE_ACCOUNT, RIGHT_ADMIN, false, verbs_probe },
	{ VERB_RELOAD, NEEDS_NOTHING, RIGHT_ADMIN, false, reload },
	{ VERB_METRICS, NEEDS_NOTHING, RIGHT_ANYBODY, false, verbs_metrics },
	{ VERB_VERSION, NEEDS_NOTHING, RIGHT_ANYBODY, false, verbs_version },
};

#define N_VERBS (sizeof(verbs) / sizeof(verbs[0]))

/* What the configuration says of the account, or of the one that lends its
 * token, cannot be understood. */
static const char *bad_account(const struct conn *conn)
{
	const struct config *config = conn->engine->config;
	const char *text = NULL;

	if (conn->request.account.n > 0)
		text = config_bad_account(config, conn->request.folded);
	if (text == NULL && conn->request.account.n > 0)
		text = config_bad_account(config, access_mailbox(conn));
	return text;
}

static void begin(struct conn *conn, const struct verb *verb)
{
	struct engine *engine = conn->engine;
	const char *text = NULL;
	enum fault fault = FAULT_NONE;

	/* Says itself what it finds, also where nothing works. */
	bool reloads = verb->act == reload &&
	    (conn->peer.root ||
		(engine->working &&
		    config_allows(engine->config, RIGHT_ADMIN, NULL,
			&conn->peer)));
	/* What is to be written is tried before. */
	bool anyhow = reloads ||
	    (verb->act == verbs_probe && conn->peer.root && !engine->working);

	if (!reloads &&
	    (!engine->working || clock_now().boot_ms >= engine->look_ms))
		fault = keeper_try(engine->keeper, false, NULL);
	if (engine->working && conn->stranger) {
		keeper_stranger(engine->keeper, &conn->peer);
		/* Who was let in just now does not make room for strangers. */
		conn->stranger = !config_is_known(engine->config, &conn->peer);
	}
	if (verb->act == verbs_version) {
		verbs_version(conn);
		return;
	}
	if (conn->peer.overflow) {
		access_refuse(conn, verb->right);
		return;
	}
	if (!engine->working && !anyhow) {
		conn_refuse(conn, fault, engine->config_trouble);
		return;
	}
	conn->trusted = anyhow ||
	    config_allows(engine->config, verb->right, conn->request.folded,
		&conn->peer);
	if (!conn->trusted) {
		access_refuse(conn, verb->right);
		return;
	}
	conn->trusted = verb->right != RIGHT_ANYBODY;
	if (verb->block && engine->config->n_troubles > 0)
		text = bad_account(conn);
	if (text != NULL)
		conn_refuse(conn, FAULT_CONFIG_ERROR, text);
	/* What has no end of its own is not begun by a helper that stops. */
	else if (engine->stopping &&
	    (verb->act == verbs_sign_in || verb->act == verbs_watch ||
		verb->act == verbs_probe))
		conn_refuse(conn, FAULT_TRY_LATER, "the helper is stopping");
	else
		verb->act(conn);
}

static void on_request(struct conn *conn, const struct attrs *attrs)
{
	const struct verb *verb = verbs, *end = verbs + N_VERBS;
	struct span word = attr_get(attrs, ATTR_VERB);
	struct why why = { .err = 0, .text = "" };
	enum fault fault = FAULT_BAD_REQUEST;

	if (conn->phase == CONN_DIALOGUE) {
		if (conn->signin != NULL && attr_has(attrs, ATTR_ANSWER))
			signin_answer(conn->signin,
			    attr_get(attrs, ATTR_ANSWER));
		return;
	}
	while (verb < end && !span_is(word, verb->word))
		verb++;
	if (verb == end)
		why_set(&why, 0,
		    "this helper (version %s) does not know that verb",
		    MAILTOKEN_VERSION);
	else
		fault = request_read(attrs, verb->needs, &conn->request, &why);
	conn->request.verb = verb == end ? NULL : verb->word;
	if (fault != FAULT_NONE) {
		conn_refuse(conn, fault, why.text);
		return;
	}
	begin(conn, verb);
}

static void on_drop(struct conn *conn)
{
	const char *verb = conn->request.verb;
	struct conn **at;

	if (verb != NULL && strcmp(verb, VERB_TOKEN) == 0)
		conn->engine->metrics.token_requests[conn->outcome]++;
	slices_drop(&conn->work);
	free(conn->metrics);
	config_release(conn->blocks);
	verbs_unwait(conn);
	signin_free(conn->signin);
	forget_free(conn->forget);
	probe_free(conn->probe);
	for (at = &conn->engine->watchers; *at != NULL;
	     at = &(*at)->next_watcher) {
		if (*at == conn) {
			*at = conn->next_watcher;
			return;
		}
	}
}

const struct conn_calls verbs_calls = { on_request, on_drop, access_note };
