/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Checks of Postfix's settings, and what others need to know of them.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/screen.h"
#include "operator/doctor.h"
#include "operator/run.h"

#define VALUE_BYTES    2000
#define MAPS	       "smtp_sasl_password_maps"
#define POLICY	       "smtp_tls_policy_maps"
#define RELAYS	       "sender_dependent_relayhost_maps"
#define TRANSPORTS     "sender_dependent_default_transport_maps"
#define SENDER_LOGS_IN "smtp_sender_dependent_authentication"
#define LIST_MAX_BYTES ((size_t)1 << 20)
#define RELOAD	       " && postfix reload"

/* As the route's service has it. */
static struct span value_of(const struct doctor *doctor, const char *name)
{
	struct span value = postfix_override(&doctor->postfix,
	    doctor->route->service, name);

	return value.p != NULL ? value : postfix_value(&doctor->postfix, name);
}

static bool has(struct span list, const char *word)
{
	struct span one;

	while ((one = postfix_next(&list)).n > 0)
		if (one.n == strlen(word) &&
		    strncasecmp(one.p, word, one.n) == 0)
			return true;
	return false;
}

/* What stands in the tables of a parameter. */
struct row {
	char key[DOCTOR_NAME_BYTES];
	char table[VALUE_BYTES]; /* the one that has it, or cannot be asked */
	char value[VALUE_BYTES]; /* empty: there is none */
	struct why why;		 /* why it cannot */
};

/* Of postmap -q: nothing is found; a warning may be about anything. */
static bool is_nothing(const struct why *why)
{
	return strstr(why->text, "ended with status 1") != NULL ||
	    strstr(why->text, ": warning: ") != NULL;
}

static bool look_up(const struct doctor *doctor, const char *parameter,
    const char *key, struct row *row)
{
	struct span maps = value_of(doctor, parameter), map;
	struct buf out = BUF_INIT(VALUE_BYTES - 1);

	*row = (struct row){ .why = { .err = 0 } };
	(void)snprintf(row->key, sizeof(row->key), "%s", key);
	while (row->value[0] == '\0' && (map = postfix_next(&maps)).n > 0) {
		(void)snprintf(row->table, VALUE_BYTES, "%.*s", SPAN(map));
		if (run(&out, &row->why, "postmap", "-q", key, row->table,
			NULL) &&
		    out.n > 0)
			(void)snprintf(row->value, VALUE_BYTES, "%.*s",
			    (int)strcspn(out.p, "\n"), out.p);
		else if (!is_nothing(&row->why))
			break;
		row->why.text[0] = '\0';
		buf_drop(&out);
	}
	buf_drop(&out);
	return row->value[0] != '\0';
}

const char *doctor_hop(const char *hop, char host[DOCTOR_NAME_BYTES])
{
	static const char ipv6[] = "ipv6:";
	const char *end, *in = hop + (*hop == '[');

	if (strncasecmp(in, ipv6, sizeof(ipv6) - 1) == 0)
		in += sizeof(ipv6) - 1;
	end = in + strcspn(in, *hop == '[' ? "]" : ":");
	(void)snprintf(host, DOCTOR_NAME_BYTES, "%.*s", (int)(end - in), in);
	end = strchr(end, ':');
	return end != NULL ? end + 1 : NULL;
}

/* As smtp(8) does: the sender, the host's name, then the next hop. */
static bool look_up_user(const struct doctor *doctor, struct row *row)
{
	const struct route *route = doctor->route;
	char host[DOCTOR_NAME_BYTES];
	const char *keys[] = { route->sender, strchr(route->sender, '@'), host,
		route->relay };
	size_t i = has(value_of(doctor, SENDER_LOGS_IN), "yes") &&
		keys[1] != NULL ?
	    0 :
	    2;

	(void)doctor_hop(route->relay, host);
	while (!look_up(doctor, MAPS, keys[i], row) &&
	    row->why.text[0] == '\0' && ++i < 4)
		continue;
	return row->value[0] != '\0';
}

/* Of a relay that is logged in to with a password beside those of tokens. */
static bool keeps_password(const struct doctor *doctor, const struct row *row)
{
	static const char service[] = "smtp-password ";
	const char *colon = strchr(row->value, ':');

	return colon != NULL && colon[1] != '\0' &&
	    (doctor->n_routes > 1 ||
		memmem(doctor->postfix.services.p, doctor->postfix.services.n,
		    service, sizeof(service) - 1) != NULL);
}

static void keep(char to[DOCTOR_NAME_BYTES], struct span text)
{
	(void)snprintf(to, DOCTOR_NAME_BYTES, "%.*s", SPAN(text));
}

/* Of relays that are tried in turn. */
static void keep_first(char to[DOCTOR_NAME_BYTES], struct span list)
{
	keep(to, postfix_next(&list));
}

/* transport:nexthop, of which either may be missing. */
static void take_transport(struct route *route, struct span text)
{
	const char *colon = memchr(text.p, ':', text.n);
	size_t n = colon != NULL ? (size_t)(colon - text.p) : text.n;

	if (n > 0)
		keep(route->service, (struct span){ text.p, n });
	if (n + 1 < text.n)
		keep_first(route->relay,
		    (struct span){ colon + 1, text.n - n - 1 });
}

/* What a sender's rows change in how all mail goes. */
static void find_route(struct doctor *doctor, struct route *route)
{
	struct row row;

	doctor->route = route;
	if (route->sender[0] != '\0') {
		if (look_up(doctor, RELAYS, route->sender, &row) &&
		    strcasecmp(row.value, "DUNNO") != 0)
			keep_first(route->relay, span_of(row.value));
		if (look_up(doctor, TRANSPORTS, route->sender, &row) &&
		    strcasecmp(row.value, "DUNNO") != 0)
			take_transport(route, span_of(row.value));
	}
	if (look_up(doctor, "transport_maps", "*", &row))
		take_transport(route, span_of(row.value));
	route->user[0] = '\0';
	if (route->relay[0] != '\0' && look_up_user(doctor, &row) &&
	    !keeps_password(doctor, &row))
		keep(route->user,
		    (struct span){ row.value, strcspn(row.value, ":") });
}

/* A sender that has a row. */
static void add_route(struct doctor *doctor, struct span sender)
{
	struct route *route = &doctor->routes[doctor->n_routes];
	size_t i;

	for (i = 1; i < doctor->n_routes; i++)
		if (span_is(sender, doctor->routes[i].sender))
			return;
	if (i == DOCTOR_ROUTES_MAX)
		return;
	*route = doctor->routes[0];
	keep(route->sender, sender);
	doctor->n_routes++;
	find_route(doctor, route);
}

/* As far as the tables can be listed. */
static void add_routes(struct doctor *doctor, const char *parameter)
{
	struct span maps = value_of(doctor, parameter), map;
	char table[VALUE_BYTES];
	struct buf out = BUF_INIT(LIST_MAX_BYTES);
	struct span line;
	const char *at;

	while ((map = postfix_next(&maps)).n > 0) {
		(void)snprintf(table, sizeof(table), "%.*s", SPAN(map));
		(void)run(&out, NULL, "postmap", "-s", table, NULL);
	}
	at = out.n > 0 ? out.p : "";
	while ((line = finding_line(&at)).n > 0)
		add_route(doctor,
		    (struct span){ line.p, strcspn(line.p, "\t\n") });
	buf_drop(&out);
}

void doctor_routes(struct doctor *doctor)
{
	doctor->n_routes = 1;
	doctor->route = doctor->routes;
	keep_first(doctor->route->relay, value_of(doctor, "relayhost"));
	take_transport(doctor->route, value_of(doctor, "default_transport"));
	find_route(doctor, doctor->route);
	add_routes(doctor, RELAYS);
	add_routes(doctor, TRANSPORTS);
	doctor->route = doctor->routes;
}

struct route *doctor_route_of(struct doctor *doctor, const char *account)
{
	size_t i;

	for (i = 0; i < doctor->n_routes; i++)
		if (strcasecmp(doctor->routes[i].user, account) == 0)
			return &doctor->routes[i];
	return NULL;
}

/* Where it is made: in main.cf, or for the service in master.cf. */
static PRINTF_LIKE(4, 5) void type_setting(const struct doctor *doctor,
    struct finding *finding, const char *name, const char *format, ...)
{
	const char *service = doctor->route->service;
	char value[VALUE_BYTES];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(value, sizeof(value), format, args);
	va_end(args);
	if (postfix_override(&doctor->postfix, service, name).p == NULL) {
		finding_type(finding, "postconf -e '%s = %s'" RELOAD, name,
		    value);
		return;
	}
	finding_wrong(finding, " (by -o in master.cf, service %s)", service);
	finding_type(finding, "postconf -P '%s/unix/%s=%s'" RELOAD, service,
	    name, value);
}

void doctor_postfix_sasl(struct doctor *doctor, struct finding *finding)
{
	if (doctor->broken.text[0] != '\0' && doctor->broken.err != ENOENT)
		finding_wrong(finding, "Postfix cannot be asked: %s",
		    doctor->broken.text);
	else if (!doctor->has_postfix)
		finding_none(finding, "there is no Postfix here");
	else if (doctor->route->relay[0] == '\0' &&
	    (value_of(doctor, MAPS).n == 0 || doctor->n_routes > 1))
		finding_none(finding, "this Postfix logs in nowhere");
	else if (!has(value_of(doctor, "smtp_sasl_auth_enable"), "yes")) {
		finding_wrong(finding,
		    "Postfix does not log in at other servers: "
		    "smtp_sasl_auth_enable is not yes");
		type_setting(doctor, finding, "smtp_sasl_auth_enable", "yes");
	} else if (!has(value_of(doctor, "smtp_sasl_type"), "cyrus")) {
		finding_wrong(finding,
		    "Postfix asks something else than libsasl2: smtp_sasl_type "
		    "is not cyrus");
		type_setting(doctor, finding, "smtp_sasl_type", "cyrus");
	} else {
		finding_good(finding,
		    "Postfix logs in at other servers, by libsasl2");
	}
}

void doctor_postfix_relay(struct doctor *doctor, struct finding *finding)
{
	if (doctor->route->relay[0] != '\0' &&
	    strstr(doctor->route->relay, "protection.outlook.com") != NULL) {
		finding_wrong(finding,
		    "relayhost is %s, which takes mail for its own domain "
		    "and lets nobody log in",
		    doctor->route->relay);
		type_setting(doctor, finding, "relayhost",
		    "[smtp.office365.com]:587");
	} else if (doctor->route->relay[0] != '\0') {
		finding_good(finding, "mail goes to %s", doctor->route->relay);
	} else if (doctor->n_routes > 1 || value_of(doctor, RELAYS).n > 0) {
		finding_none(finding, "mail goes where its sender's row says");
	} else {
		finding_wrong(finding,
		    "relayhost is empty: mail goes to each recipient's own "
		    "server, which lets nobody log in");
		finding_type(finding, "mailtoken setup postfix");
	}
}

/* In front of the tables that there are, which may be anything. */
static void type_table(const struct doctor *doctor, struct finding *finding,
    const char *parameter, const char *value)
{
	struct span old = value_of(doctor, parameter);

	type_setting(doctor, finding, parameter, "inline:{{%s=%s}}%s%.*s",
	    doctor->route->relay, value, old.n > 0 ? "," : "", SPAN(old));
}

/* The file of a table that is made from one; NULL for others. */
static const char *file_of(const char *map)
{
	static const char types[] = "texthash hash lmdb btree cdb dbm";
	size_t n = strcspn(map, ":");

	return span_listed((struct span){ map, n }, types) ? map + n + 1 : NULL;
}

static void type_postmap(struct finding *finding, const char *map)
{
	if (strncmp(map, "texthash:", 9) != 0)
		finding_type(finding, "postmap %s", map);
	finding_type(finding, "postfix reload");
}

/* A password goes only by the hands of its owner. */
static void find_password(struct row *row, const char *user,
    struct finding *finding)
{
	static const char plain[] = "[]:._+@-" ATTR_ALNUM;
	const char *file = file_of(row->table);
	char *at;

	if (strchr(row->value, ':')[1] != '\0' || file == NULL ||
	    row->key[strspn(row->key, plain)] != '\0' ||
	    strcmp(finding_name(user), user) != 0) {
		finding_wrong(finding,
		    "%s has more behind %s than the name, a colon and what may "
		    "be a password: for a token the name alone has to stand in "
		    "that row; keep the password elsewhere if it is still "
		    "needed, edit the row, and run postmap on a table that is "
		    "made from a file",
		    row->table, user);
		return;
	}
	finding_wrong(finding,
	    "%s has a colon behind %s, as for a password: the name alone has "
	    "to stand there",
	    row->table, user);
	/* A dot stands for any character, and so for itself. */
	for (at = row->key; *(at += strcspn(at, "[]")) != '\0';)
		*at = '.';
	finding_type(finding,
	    "sed -i 's/^\\(%s[[:blank:]]*%s\\):[[:blank:]]*$/\\1/' %s",
	    row->key, user, file);
	type_postmap(finding, row->table);
}

void doctor_postfix_map(struct doctor *doctor, struct finding *finding)
{
	struct row row;

	if (look_up_user(doctor, &row)) {
		if (keeps_password(doctor, &row))
			finding_none(finding,
			    "at %s Postfix logs in with a password",
			    doctor->route->relay);
		else if (strchr(row.value, ':') != NULL)
			find_password(&row, doctor->route->user, finding);
		else
			finding_good(finding, "Postfix logs in as %s, by %s",
			    doctor->route->user, row.table);
	} else if (row.why.text[0] != '\0') {
		finding_wrong(finding, "%s cannot be read: %s", row.table,
		    row.why.text);
		if (file_of(row.table) != NULL &&
		    access(file_of(row.table), R_OK) == 0)
			type_postmap(finding, row.table);
	} else if (doctor->route->sender[0] != '\0' &&
	    doctor_account_of(doctor, doctor->route->sender) == NULL) {
		finding_none(finding, "at %s Postfix does not log in",
		    doctor->route->relay);
	} else {
		finding_wrong(finding,
		    "nothing in " MAPS " is for %s, so Postfix does not log in",
		    doctor->route->relay);
		if (doctor->n_accounts > 0)
			type_table(doctor, finding, MAPS,
			    finding_name(doctor->accounts[0].name));
		else
			finding_type(finding, "mailtoken setup postfix");
	}
}

/* A word, !word, static:rest, or a table, of which nothing is known. */
void doctor_postfix_mechanisms(struct doctor *doctor, struct finding *finding)
{
	struct span filter = value_of(doctor, "smtp_sasl_mechanism_filter");
	struct span list = filter, one;
	bool takes = filter.n == 0, any = false;

	while ((one = postfix_next(&list)).n > 0) {
		any |= memchr(one.p, ':', one.n) != NULL || one.p[0] == '/';
		takes |= has(one, "xoauth2") || has(one, "oauthbearer");
		if (has(one, "!xoauth2"))
			break;
	}
	if (takes || (any && one.n == 0)) {
		finding_good(finding,
		    "of the server's mechanisms Postfix takes: %s",
		    filter.n > 0 ? filter.p : "all");
		return;
	}
	finding_wrong(finding,
	    "smtp_sasl_mechanism_filter lets only these through: %.*s",
	    SPAN(filter));
	type_setting(doctor, finding, "smtp_sasl_mechanism_filter", "xoauth2");
}

void doctor_postfix_security(struct doctor *doctor, struct finding *finding)
{
	static const char *const options[][2] = {
		{ "smtp_sasl_tls_security_options", "noanonymous" },
		{ "smtp_sasl_tls_verified_security_options",
		    "$smtp_sasl_tls_security_options" },
	};
	size_t i;

	for (i = 0; i < 2; i++) {
		if (!has(value_of(doctor, options[i][0]), "noplaintext"))
			continue;
		finding_wrong(finding,
		    "%s has noplaintext, which forbids tokens, too (\"No "
		    "worthy mechs found\")",
		    options[i][0]);
		/* The second follows the first unless somebody set it. */
		for (; i < 2; i++)
			type_setting(doctor, finding, options[i][0], "%s",
			    options[i][1]);
		return;
	}
	finding_good(finding, "its security options let tokens through");
}

void doctor_postfix_tls(struct doctor *doctor, struct finding *finding)
{
	static const char sure[] = "verify secure fingerprint dane-only";
	struct span level = value_of(doctor, "smtp_tls_security_level");
	struct row row;

	if (look_up(doctor, POLICY, doctor->route->relay, &row))
		level = (struct span){ row.value, strcspn(row.value, " \t") };
	if (row.why.text[0] != '\0') {
		finding_wrong(finding, "%s cannot be read: %s", row.table,
		    row.why.text);
	} else if (span_listed(level, sure)) {
		finding_good(finding, "TLS to %s is verified: %.*s",
		    doctor->route->relay, SPAN(level));
	} else {
		finding_wrong(finding,
		    "TLS to %s is not verified (level '%.*s'): whoever sits "
		    "between could take the token",
		    doctor->route->relay, SPAN(level));
		type_table(doctor, finding, POLICY, "secure");
	}
}

void doctor_postfix_ca(struct doctor *doctor, struct finding *finding)
{
	static const char *const bundles[] = {
		"/etc/ssl/certs/ca-certificates.crt",
		"/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
		"/etc/ssl/cert.pem"
	};
	const char *path = value_of(doctor, "smtp_tls_CAfile").p;
	const char *folder = value_of(doctor, "smtp_tls_CApath").p;
	struct stat about;
	size_t i = 0;

	if (path[0] != '\0' ? stat(path, &about) == 0 && about.st_size > 0 :
			      folder[0] != '\0' ||
		    has(value_of(doctor, "tls_append_default_CA"), "yes")) {
		finding_good(finding, "it trusts the authorities in %s%s", path,
		    path[0] != '\0'	  ? "" :
			folder[0] != '\0' ? folder :
					    "OpenSSL's own folder");
		return;
	}
	finding_wrong(finding,
	    path[0] != '\0' ?
		"smtp_tls_CAfile is %s, which is not there or empty" :
		"smtp_tls_CAfile is empty%s, so Postfix trusts no "
		"server's certificate",
	    path);
	while (i < 4 && access(bundles[i], R_OK) != 0)
		i++;
	if (i < 4)
		type_setting(doctor, finding, "smtp_tls_CAfile", "%s",
		    bundles[i]);
}

void doctor_postfix_cache(struct doctor *doctor, struct finding *finding)
{
	struct span name = value_of(doctor, "smtp_sasl_auth_cache_name");

	if (name.n == 0) {
		finding_good(finding, "it keeps no refusals in a cache");
		return;
	}
	finding_wrong(finding,
	    "smtp_sasl_auth_cache_name is set: one refused token keeps the "
	    "account out for days, whatever comes after it");
	type_setting(doctor, finding, "smtp_sasl_auth_cache_name", "%s", "");
}
