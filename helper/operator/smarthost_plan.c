/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What Postfix needs for a relay that takes tokens, as differences from what it
 * has.  Maps of the reader's own stay, behind ours, which are texthash: that
 * needs no postmap, and is read before smtp(8) is chrooted.
 */
#include "operator/smarthost.h"

#include <glob.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "oauth/url.h"

#define VALUE_BYTES  8192
#define MECHANISMS   "xoauth2, oauthbearer"
#define KEPT_SERVICE "smtp-password"
#define SERVERS_OF_EXCHANGE \
	"*.office365.com *.outlook.com *.office365.us *.outlook.cn"

static bool has(struct span text, const char *word)
{
	return text.n > 0 && memmem(text.p, text.n, word, strlen(word)) != NULL;
}

/* In main.cf as it stands; empty where it is not set. */
static struct span raw(const struct smarthost *smarthost, const char *name)
{
	return postfix_value(&smarthost->raw, name);
}

/* A value of a parameter, if it has another one. */
static PRINTF_LIKE(3, 4) void want(struct smarthost *smarthost,
    const char *name, const char *format, ...)
{
	char value[VALUE_BYTES];
	va_list args;

	va_start(args, format);
	if (vsnprintf(value, sizeof(value), format, args) >= (int)sizeof(value))
		smarthost->edits.fault = FAULT_TOO_BIG;
	va_end(args);
	if (span_is(raw(smarthost, name), value))
		return;
	buf_add_str(&smarthost->edits, name);
	buf_add_lit(&smarthost->edits, " = ");
	buf_add_str(&smarthost->edits, value);
	buf_add(&smarthost->edits, (struct span){ "", 1 });
}

bool smarthost_has_key(const struct buf *lines, const char *line)
{
	static const char ends[] = " \t\n";
	size_t n = strcspn(line, ends);
	const char *at = lines->p;

	for (; at != NULL && *at != '\0'; at += strcspn(at, "\n") + 1)
		if (strcspn(at, ends) == n && strncasecmp(at, line, n) == 0)
			return true;
	return false;
}

/* A map of ours first in a list, before those that are there. */
static void want_map(struct smarthost *smarthost, const char *name,
    enum map map)
{
	struct span old = raw(smarthost, name);

	if (!has(old, smarthost->ours))
		want(smarthost, name, "texthash:%s/%s%s%.*s", smarthost->ours,
		    smarthost_maps[map], old.n > 0 ? ", " : "", SPAN(old));
}

/* "key value" for a map of ours; false when the key has a line already. */
static PRINTF_LIKE(3, 4) bool add_line(struct smarthost *smarthost,
    enum map map, const char *format, ...)
{
	struct buf *lines = &smarthost->maps[map];
	char line[VALUE_BYTES];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (smarthost_has_key(lines, line))
		return false;
	buf_add_str(lines, line);
	buf_add_lit(lines, "\n");
	if (buf_fault(lines) != FAULT_NONE)
		smarthost->edits.fault = FAULT_TOO_BIG;
	return true;
}

/* Whether a parameter names more than what is ours. */
static bool has_more(const struct smarthost *smarthost, const char *name)
{
	struct span list = raw(smarthost, name), word;

	while ((word = postfix_next(&list)).n > 0)
		if (!has(word, smarthost->ours))
			return true;
	return false;
}

/*
 * Where others take passwords and nothing is filtered it stays so: our
 * mechanisms go before PLAIN and LOGIN.  Else a password is never tried in
 * place of a token.
 */
static void plan_filter(struct smarthost *smarthost, struct span relayhost)
{
	struct span old = raw(smarthost, "smtp_sasl_mechanism_filter");
	bool others = postfix_is(&smarthost->now, "smtp_sasl_auth_enable") &&
	    (has_more(smarthost, "transport_maps") ||
		has_more(smarthost, "sender_dependent_relayhost_maps") ||
		has_more(smarthost,
		    "sender_dependent_default_transport_maps") ||
		(smarthost->setup->command->per_sender != NULL &&
		    relayhost.n > 0 && !span_is(relayhost, smarthost->relay)));

	if ((has(old, "xoauth2") && !has(old, "!xoauth2")) ||
	    (others && old.n == 0))
		return;
	want(smarthost, "smtp_sasl_mechanism_filter", MECHANISMS "%s%.*s",
	    others ? ", " : "", others ? (int)old.n : 0, old.p);
}

static void plan_login(struct smarthost *smarthost, const char *key)
{
	static const char *const cas[] = { "/etc/ssl/certs/ca-certificates.crt",
		"/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
		"/etc/ssl/cert.pem" };
	size_t i;

	want(smarthost, "smtp_sasl_auth_enable", "yes");
	want(smarthost, "smtp_sasl_tls_security_options", "noanonymous");
	want_map(smarthost, "smtp_sasl_password_maps", MAP_PASSWD);
	(void)add_line(smarthost, MAP_PASSWD, "%s %s", key, smarthost->account);
	want_map(smarthost, "smtp_tls_policy_maps", MAP_TLS);
	(void)add_line(smarthost, MAP_TLS, "%s secure", smarthost->relay);
	/* CApath is of no use in a chroot. */
	for (i = 0; raw(smarthost, "smtp_tls_CAfile").n == 0 && i < 4; i++)
		if (access(cas[i], R_OK) == 0) {
			want(smarthost, "smtp_tls_CAfile", "%s", cas[i]);
			break;
		}
	/* It takes three connections a mailbox. */
	if (url_is_listed(span_of(smarthost->host), SERVERS_OF_EXCHANGE))
		want(smarthost, "smtp_destination_concurrency_limit", "2");
}

/* All mail, or that of one sender. */
static bool plan_route(struct smarthost *smarthost, struct span relayhost)
{
	struct span transport = raw(smarthost, "default_transport");

	if (smarthost->setup->command->per_sender != NULL) {
		want_map(smarthost, "sender_dependent_relayhost_maps",
		    MAP_SENDERS);
		(void)add_line(smarthost, MAP_SENDERS, "%s %s",
		    smarthost->account, smarthost->relay);
		want(smarthost, "smtp_sender_dependent_authentication", "yes");
		return true;
	}
	if (relayhost.n > 0 && !span_is(relayhost, smarthost->relay) &&
	    setup_ask(smarthost->setup, true,
		"All mail goes through %.*s now.  Send it through %s instead "
		"(no: see --per-sender)?",
		SPAN(relayhost), smarthost->relay) != ANSWER_YES)
		return false;
	want(smarthost, "relayhost", "%s", smarthost->relay);
	/* With a next hop of its own it goes before relayhost. */
	if (transport.n > 0 && !span_is(transport, "smtp"))
		want(smarthost, "default_transport", "smtp");
	return true;
}

/*
 * smtp_generic_maps changes recipients too, so that only domains may stand
 * there to which no mail leaves, and not the one of other mailboxes.
 */
static void add_domain(struct smarthost *smarthost, struct span domain,
    struct buf *names)
{
	const char *own = strrchr(smarthost->account, '@') + 1;

	if (domain.n == 0 || domain.p[0] == '/' || has(domain, ":") ||
	    (domain.n == strlen(own) &&
		strncasecmp(domain.p, own, domain.n) == 0))
		return;
	if (!add_line(smarthost, MAP_GENERIC, "@%.*s %s", SPAN(domain),
		smarthost->account))
		return;
	buf_add_str(names, names->n > 0 ? ", @" : "@");
	buf_add(names, domain);
}

static bool plan_senders(struct smarthost *smarthost)
{
	struct span list = postfix_value(&smarthost->now, "mydestination");
	struct span name = postfix_value(&smarthost->now, "myhostname"), word;
	struct buf names = BUF_INIT(VALUE_BYTES);
	enum answer answer = ANSWER_YES;

	if (smarthost->setup->command->per_sender != NULL)
		return true;
	if (list.n == 0) /* no mail is delivered here */
		list = name;
	while ((word = postfix_next(&list)).n > 0)
		add_domain(smarthost, word, &names);
	if (names.n > 0 &&
	    !has(raw(smarthost, "smtp_generic_maps"), smarthost->ours))
		answer = setup_ask(smarthost->setup, true,
		    "The relay may refuse senders of this host (%.*s).  Send "
		    "their mail as %s?",
		    SPAN(buf_span(&names)), smarthost->account);
	if (answer != ANSWER_YES)
		buf_drop(&smarthost->maps[MAP_GENERIC]);
	else if (names.n > 0)
		want_map(smarthost, "smtp_generic_maps", MAP_GENERIC);
	buf_drop(&names);
	return answer != ANSWER_NONE;
}

/* What a host that keeps its password may be called as a next hop, and behind
 * which transports. */
static void add_kept(struct smarthost *smarthost, const char *host)
{
	static const struct {
		const char *before, *after;
	} forms[] = { { "", "" }, { "[", "]" }, { "[", "]:25" },
		{ "[", "]:smtp" }, { "[", "]:587" }, { "[", "]:submission" },
		{ "", ":587" }, { "", ":submission" } };
	static const char *const transports[] = { "", ":", "smtp:", "relay:" };
	size_t n = strpbrk(host, "[:") == NULL ? 8 : 1, i, k;

	for (i = 0; i < n; i++)
		for (k = 0; k < 4; k++)
			(void)add_line(smarthost, MAP_KEPT,
			    "%s%s%s%s " KEPT_SERVICE ":%s%s%s", transports[k],
			    forms[i].before, host, forms[i].after,
			    forms[i].before, host, forms[i].after);
}

/* smtp(8) once more, with what main.cf had before this: passwords alone. */
static void plan_service(struct smarthost *smarthost)
{
	static const char *const names[] = { "smtp_sasl_mechanism_filter",
		"smtp_sasl_password_maps", "smtp_sasl_tls_security_options",
		"smtp_sender_dependent_authentication" };
	struct span smtp = postfix_service(&smarthost->now, "smtp"), list, word;
	struct buf *service = &smarthost->service;
	size_t i;

	if (postfix_service(&smarthost->now, KEPT_SERVICE).n > 0)
		return;
	(void)postfix_next(&smtp); /* its name */
	buf_add_lit(service, KEPT_SERVICE "/unix=" KEPT_SERVICE);
	buf_add(service, smtp);
	for (i = 0; i < 4; i++) {
		list = raw(smarthost, names[i]);
		if (i == 0 && (list.n == 0 || has(list, "xoauth2")))
			list = span_of("!xoauth2,!oauthbearer,static:all");
		buf_add_lit(service, " -o { ");
		buf_add_str(service, names[i]);
		buf_add_lit(service, " =");
		while ((word = postfix_next(&list)).n > 0)
			if (!has(word, smarthost->ours)) {
				buf_add_lit(service, " ");
				buf_add(service, word);
			}
		buf_add_lit(service, " }");
	}
}

/*
 * What the reader's maps in from say goes through our map of names, before
 * what there is in to; first goes before that, if it is not NULL.  False when
 * there are no such maps.
 */
static bool want_pipes(struct smarthost *smarthost, const char *from,
    const char *to, const char *first)
{
	struct span list = raw(smarthost, from), old = raw(smarthost, to), word;
	char value[VALUE_BYTES] = "", pipe[VALUE_BYTES / 2];
	size_t n = 0;

	(void)snprintf(pipe, sizeof(pipe), "texthash:%s/%s", smarthost->ours,
	    first != NULL ? first : "");
	if (first != NULL && !has(old, pipe))
		n = (size_t)snprintf(value, sizeof(value), "%s, ", pipe);
	while ((word = postfix_next(&list)).n > 0 && n < sizeof(value)) {
		(void)snprintf(pipe, sizeof(pipe),
		    "pipemap:{%.*s,texthash:%s/kept}", SPAN(word),
		    smarthost->ours);
		if (!has(word, smarthost->ours) && !has(old, pipe))
			n += (size_t)snprintf(value + n, sizeof(value) - n,
			    "%s, ", pipe);
	}
	if (n > 0)
		want(smarthost, to, "%.*s%.*s", (int)n - (old.n == 0 ? 2 : 0),
		    value, SPAN(old));
	return strstr(value, "/kept}") != NULL || has(old, "/kept}");
}

/* Whether a next hop is that host, or just that. */
static bool is_hop_of(struct span hop, const char *host)
{
	size_t n = strlen(host);

	if (hop.n > 0 && hop.p[0] == '[' && host[0] != '[')
		hop = (struct span){ hop.p + 1, hop.n - 1 };
	return hop.n >= n && strncasecmp(hop.p, host, n) == 0 &&
	    (hop.n == n || strchr("]:", hop.p[n]) != NULL);
}

/*
 * --keep-password-for: a server that offers XOAUTH2 too would be sent a token,
 * since that goes before PLAIN, so what goes there takes a transport of its
 * own.  How it comes there is in maps of any kind, which are asked as they are.
 */
static bool plan_kept(struct smarthost *smarthost, struct span relayhost)
{
	const struct command *command = smarthost->setup->command;
	const char *host = command->keep_password_for;
	bool per_sender = command->per_sender != NULL, named, all, any;
	bool kept = span_is(raw(smarthost, "default_transport"), KEPT_SERVICE);

	/* The rest goes on with its password to the same server. */
	if (host == NULL && per_sender &&
	    is_hop_of(relayhost, smarthost->host) &&
	    postfix_is(&smarthost->now, "smtp_sasl_auth_enable") &&
	    !has(raw(smarthost, "smtp_sasl_password_maps"), smarthost->ours))
		host = span_is(relayhost, smarthost->relay) ? smarthost->relay :
							      smarthost->host;
	if (host == NULL && !(per_sender && kept))
		return true;
	named = host != NULL && is_hop_of(relayhost, host);
	all = per_sender && (kept || named);
	if (named && !per_sender) {
		screen_say("all mail goes to %s, by relayhost: to have one "
			   "sender's go elsewhere add --per-sender",
		    host);
		return false;
	}
	any = want_pipes(smarthost, "sender_dependent_relayhost_maps",
	    "sender_dependent_default_transport_maps",
	    per_sender ? "routes" : NULL);
	any |= want_pipes(smarthost, "transport_maps", "transport_maps", NULL);
	if (per_sender)
		(void)add_line(smarthost, MAP_ROUTES, "%s smtp:%s",
		    smarthost->account, smarthost->relay);
	if (all)
		want(smarthost, "default_transport", KEPT_SERVICE);
	if (!any && !all)
		screen_say("no mail goes to %s: neither relayhost nor "
			   "sender_dependent_relayhost_maps nor "
			   "transport_maps can name it",
		    host);
	if (host != NULL)
		add_kept(smarthost, host);
	plan_service(smarthost);
	return any || all;
}

static void warn(struct smarthost *smarthost)
{
	static const char pattern[] = MAILTOKEN_SASL_PLUGINDIR "/*xoauth2*.so";
	struct setup *setup = smarthost->setup;
	struct span path = raw(smarthost, "cyrus_sasl_config_path");
	struct span others = postfix_value(&smarthost->now,
	    "multi_instance_directories");
	glob_t found;

	if (glob(pattern, 0, NULL, &found) == 0) {
		setup_left(setup,
		    "another plugin takes XOAUTH2 from ours: remove %s",
		    found.gl_pathv[0]);
		globfree(&found);
	}
	if (raw(smarthost, "smtp_sasl_auth_cache_name").n > 0)
		setup_left(setup,
		    "an expired token is remembered as a wrong password: "
		    "postconf -c %s -X smtp_sasl_auth_cache_name",
		    smarthost->dir);
	if (path.n > 0)
		setup_left(setup,
		    "cyrus_sasl_config_path is %.*s: libsasl2 reads files "
		    "there for servers only; what smtp(8) may use stands in "
		    "smtp_sasl_mechanism_filter",
		    SPAN(path));
	if (others.n > 0 && setup->command->config_dir == NULL)
		setup_left(setup,
		    "there are more instances of Postfix (%.*s): --config-dir "
		    "names one",
		    SPAN(others));
}

bool smarthost_plan(struct smarthost *smarthost)
{
	struct span relayhost = postfix_value(&smarthost->now, "relayhost");
	bool per_sender = smarthost->setup->command->per_sender != NULL;

	if (!plan_route(smarthost, relayhost) || !plan_senders(smarthost) ||
	    !plan_kept(smarthost, relayhost))
		return false;
	plan_login(smarthost,
	    per_sender ? smarthost->account : smarthost->relay);
	plan_filter(smarthost, relayhost);
	warn(smarthost);
	if (buf_fault(&smarthost->edits) == FAULT_NONE &&
	    buf_fault(&smarthost->service) == FAULT_NONE)
		return true;
	screen_say("the settings of Postfix are too long for this");
	return false;
}
