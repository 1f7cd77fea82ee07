/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Checks of Postfix's settings, and what others need to know of them.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/screen.h"
#include "operator/doctor.h"
#include "operator/run.h"

#define POSTMAP_MAX_MS 10000
#define VALUE_BYTES    2000
#define MAPS	       "smtp_sasl_password_maps"
#define POLICY	       "smtp_tls_policy_maps"
#define RELOAD	       " && postfix reload"

static struct span value_of(const struct doctor *doctor, const char *name)
{
	return postfix_value(&doctor->postfix, name);
}

/* The next of what stands between blanks and commas, but those in braces. */
static struct span next_of(struct span *list)
{
	struct span one;
	int depth = 0;

	while (list->n > 0 && strchr(" ,\t", list->p[0]) != NULL) {
		list->p++;
		list->n--;
	}
	for (one = (struct span){ list->p, 0 }; one.n < list->n; one.n++) {
		depth += (one.p[one.n] == '{') - (one.p[one.n] == '}');
		if (depth == 0 && strchr(" ,\t", one.p[one.n]) != NULL)
			break;
	}
	list->p += one.n;
	list->n -= one.n;
	return one;
}

static bool has(struct span list, const char *word)
{
	struct span one;

	while ((one = next_of(&list)).n > 0)
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
	const char *argv[] = { "postmap", "-q", key, row->table, NULL };
	struct buf out = BUF_INIT(VALUE_BYTES - 1);
	enum fault fault;

	*row = (struct row){ .why = { .err = 0 } };
	(void)snprintf(row->key, sizeof(row->key), "%s", key);
	while (row->value[0] == '\0' && (map = next_of(&maps)).n > 0) {
		(void)snprintf(row->table, VALUE_BYTES, "%.*s", SPAN(map));
		fault = run_program(argv, (struct span){ "", 0 },
		    POSTMAP_MAX_MS, &out, &row->why);
		if (fault == FAULT_NONE && out.n > 0)
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

/* As smtp(8) does: the host's name, then the next hop. */
static bool look_up_user(const struct doctor *doctor, struct row *row)
{
	char host[DOCTOR_NAME_BYTES];

	(void)snprintf(host, sizeof(host), "%s",
	    doctor->relay + (doctor->relay[0] == '['));
	host[strcspn(host, "]:")] = '\0';
	return look_up(doctor, MAPS, host, row) ||
	    (row->why.text[0] == '\0' &&
		look_up(doctor, MAPS, doctor->relay, row));
}

/* Of a relay that is logged in to with a password beside those of tokens. */
static bool keeps_password(const struct doctor *doctor, const struct row *row)
{
	static const char service[] = "smtp-password ";
	const char *colon = strchr(row->value, ':');

	return colon != NULL && colon[1] != '\0' &&
	    (value_of(doctor, "sender_dependent_relayhost_maps").n > 0 ||
		memmem(doctor->postfix.services.p, doctor->postfix.services.n,
		    service, sizeof(service) - 1) != NULL);
}

void doctor_postfix_facts(struct doctor *doctor)
{
	struct span list, relay;
	struct row row;

	if (!doctor->has_postfix)
		return;
	list = value_of(doctor, "relayhost");
	relay = next_of(&list);
	(void)snprintf(doctor->relay, sizeof(doctor->relay), "%.*s",
	    SPAN(relay));
	if (relay.n > 0 && look_up_user(doctor, &row) &&
	    !keeps_password(doctor, &row))
		(void)snprintf(doctor->user, sizeof(doctor->user), "%.*s",
		    (int)strcspn(row.value, ":"), row.value);
}

static void type_setting(struct finding *finding, const char *setting)
{
	finding_type(finding, "postconf -e '%s'" RELOAD, setting);
}

void doctor_postfix_sasl(struct doctor *doctor, struct finding *finding)
{
	if (doctor->broken.text[0] != '\0' && doctor->broken.err != ENOENT)
		finding_wrong(finding, "Postfix cannot be asked: %s",
		    doctor->broken.text);
	else if (!doctor->has_postfix)
		finding_none(finding, "there is no Postfix here");
	else if (value_of(doctor, MAPS).n == 0 && doctor->relay[0] == '\0')
		finding_none(finding, "this Postfix logs in nowhere");
	else if (!postfix_is(&doctor->postfix, "smtp_sasl_auth_enable")) {
		finding_wrong(finding,
		    "Postfix does not log in at other servers: "
		    "smtp_sasl_auth_enable is not yes");
		type_setting(finding, "smtp_sasl_auth_enable = yes");
	} else if (!has(value_of(doctor, "smtp_sasl_type"), "cyrus")) {
		finding_wrong(finding,
		    "Postfix asks something else than libsasl2: smtp_sasl_type "
		    "is not cyrus");
		type_setting(finding, "smtp_sasl_type = cyrus");
	} else {
		finding_good(finding,
		    "Postfix logs in at other servers, by libsasl2");
	}
}

void doctor_postfix_relay(struct doctor *doctor, struct finding *finding)
{
	if (doctor->relay[0] != '\0' &&
	    strstr(doctor->relay, "protection.outlook.com") != NULL) {
		finding_wrong(finding,
		    "relayhost is %s, which takes mail for its own domain "
		    "and lets nobody log in",
		    doctor->relay);
		type_setting(finding, "relayhost = [smtp.office365.com]:587");
	} else if (doctor->relay[0] != '\0') {
		finding_good(finding, "mail goes to %s", doctor->relay);
	} else if (value_of(doctor, "sender_dependent_relayhost_maps").n > 0) {
		finding_none(finding,
		    "mail goes where sender_dependent_relayhost_maps says");
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

	finding_type(finding,
	    "postconf -e '%s = inline:{ { %s = %s } }%s%.*s'" RELOAD, parameter,
	    doctor->relay, value, old.n > 0 ? ", " : "", SPAN(old));
}

/* The file of a table that is made from one; NULL for others. */
static const char *file_of(const char *map)
{
	static const char *const types[] = { "texthash:", "hash:", "lmdb:",
		"btree:", "cdb:", "dbm:" };
	size_t i;

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strncmp(map, types[i], strlen(types[i])) == 0)
			return map + strlen(types[i]);
	return NULL;
}

static void type_postmap(struct finding *finding, const char *map)
{
	if (strncmp(map, "texthash:", 9) != 0)
		finding_type(finding, "postmap %s", map);
	finding_type(finding, "postfix reload");
}

/* What sed takes for itself, but not in brackets or behind a backslash. */
static void escape(const char *text, char *to)
{
	for (; *text != '\0'; *to++ = *text++)
		if (strchr("[].", *text) != NULL)
			*to++ = '\\';
	*to = '\0';
}

/* A password goes only by the hands of its owner. */
static void find_password(const struct row *row, const char *user,
    struct finding *finding)
{
	static const char plain[] = "[]:._+@-" ATTR_ALNUM;
	char key[2 * DOCTOR_NAME_BYTES], name[2 * DOCTOR_NAME_BYTES];
	const char *file = file_of(row->table);

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
	escape(row->key, key);
	escape(user, name);
	finding_type(finding,
	    "sed -i 's/^\\(%s[[:blank:]]*%s\\):[[:blank:]]*$/\\1/' %s", key,
	    name, file);
	type_postmap(finding, row->table);
}

void doctor_postfix_map(struct doctor *doctor, struct finding *finding)
{
	struct row row;

	if (look_up_user(doctor, &row)) {
		if (keeps_password(doctor, &row))
			finding_none(finding,
			    "at %s Postfix logs in with a password",
			    doctor->relay);
		else if (strchr(row.value, ':') != NULL)
			find_password(&row, doctor->user, finding);
		else
			finding_good(finding, "Postfix logs in as %s, by %s",
			    doctor->user, row.table);
	} else if (row.why.text[0] != '\0') {
		finding_wrong(finding, "%s cannot be read: %s", row.table,
		    row.why.text);
		if (file_of(row.table) != NULL &&
		    access(file_of(row.table), R_OK) == 0)
			type_postmap(finding, row.table);
	} else {
		finding_wrong(finding,
		    "nothing in " MAPS " is for %s, so Postfix does not log in",
		    doctor->relay);
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

	while ((one = next_of(&list)).n > 0) {
		any |= memchr(one.p, ':', one.n) != NULL || one.p[0] == '/';
		takes |= has(one, "xoauth2") || has(one, "oauthbearer");
		if (has(one, "!xoauth2"))
			break;
	}
	if (takes || (any && one.n == 0)) {
		finding_good(finding,
		    filter.n > 0 ? "of the server's mechanisms Postfix takes: "
				   "%.*s" :
				   "Postfix takes what mechanism the server "
				   "has%.*s",
		    SPAN(filter));
		return;
	}
	finding_wrong(finding,
	    "smtp_sasl_mechanism_filter lets only these through: %.*s",
	    SPAN(filter));
	type_setting(finding, "smtp_sasl_mechanism_filter = xoauth2");
}

void doctor_postfix_security(struct doctor *doctor, struct finding *finding)
{
	static const char *const names[] = { "smtp_sasl_tls_security_options",
		"smtp_sasl_tls_verified_security_options" };
	static const char *const cures[] = {
		"smtp_sasl_tls_security_options = noanonymous",
		"smtp_sasl_tls_verified_security_options = "
		"$smtp_sasl_tls_security_options"
	};
	size_t i;

	for (i = 0; i < 2; i++) {
		if (!has(value_of(doctor, names[i]), "noplaintext"))
			continue;
		finding_wrong(finding,
		    "%s has noplaintext, which forbids tokens, too (\"No "
		    "worthy mechs found\")",
		    names[i]);
		if (i == 0)
			type_setting(finding, cures[0]);
		/* It follows the first one unless somebody set it. */
		type_setting(finding, cures[1]);
		return;
	}
	finding_good(finding, "its security options let tokens through");
}

void doctor_postfix_tls(struct doctor *doctor, struct finding *finding)
{
	static const char sure[] = "verify secure fingerprint dane-only";
	struct span level = value_of(doctor, "smtp_tls_security_level");
	struct row row;

	if (look_up(doctor, POLICY, doctor->relay, &row))
		level = (struct span){ row.value, strcspn(row.value, " \t") };
	if (row.why.text[0] != '\0') {
		finding_wrong(finding, "%s cannot be read: %s", row.table,
		    row.why.text);
	} else if (span_listed(level, sure)) {
		finding_good(finding, "TLS to %s is verified: %.*s",
		    doctor->relay, SPAN(level));
	} else {
		finding_wrong(finding,
		    "TLS to %s is not verified (level '%.*s'): whoever sits "
		    "between could take the token",
		    doctor->relay, SPAN(level));
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
	struct span file = value_of(doctor, "smtp_tls_CAfile");
	struct span folder = value_of(doctor, "smtp_tls_CApath");
	char path[VALUE_BYTES];
	struct stat about;
	size_t i;

	(void)snprintf(path, sizeof(path), "%.*s", SPAN(file));
	if (file.n > 0 && stat(path, &about) == 0 && about.st_size > 0) {
		finding_good(finding, "it trusts the authorities in %s", path);
		return;
	}
	if (file.n == 0 &&
	    (folder.n > 0 ||
		postfix_is(&doctor->postfix, "tls_append_default_CA"))) {
		finding_good(finding,
		    "it trusts the authorities in the folder %.*s",
		    SPAN(folder));
		return;
	}
	finding_wrong(finding,
	    file.n > 0 ? "smtp_tls_CAfile is %s, which is not there or empty" :
			 "smtp_tls_CAfile is empty%s, so Postfix trusts no "
			 "server's certificate",
	    path);
	for (i = 0; i < sizeof(bundles) / sizeof(bundles[0]); i++) {
		if (access(bundles[i], R_OK) != 0)
			continue;
		finding_type(finding,
		    "postconf -e 'smtp_tls_CAfile = %s'" RELOAD, bundles[i]);
		return;
	}
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
	finding_type(finding, "postconf -# smtp_sasl_auth_cache_name" RELOAD);
}
