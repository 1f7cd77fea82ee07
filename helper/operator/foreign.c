/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Members by name, from one JSON object or from two of which the first goes
 * before the second.
 */
#include "operator/foreign.h"

#include <stdlib.h>

#include "oauth/provider.h"
#include "oauth/reply_impl.h"
#include "wire/attr.h"

/* What sasl-xoauth2 and mutt_oauth2.py use where nothing else is said. */
#define GOOGLE_TOKEN "https://accounts.google.com/o/oauth2/token"
#define MICROSOFT_TOKEN \
	"https://login.microsoftonline.com/common/oauth2/v2.0/token"
#define MICROSOFT_SCOPE \
	"offline_access " \
	"https://outlook.office.com/IMAP.AccessAsUser.All " \
	"https://outlook.office.com/POP.AccessAsUser.All " \
	"https://outlook.office.com/SMTP.Send"

/* Of the two objects the first goes before the second, which may be NULL. */
struct reading {
	json_t *at[2];
	struct foreign foreign;
	struct why *why;
};

void foreign_drop(struct foreign *foreign)
{
	secret_free(foreign->refresh_token);
	secret_free(foreign->client_secret);
	free(foreign->client_id);
	free(foreign->token_endpoint);
	free(foreign->user);
	free(foreign->scope);
	free(foreign->proxy);
	free(foreign->ca_file);
	free(foreign->ca_path);
	memset(foreign, 0, sizeof(*foreign));
}

static enum fault bad(const struct reading *reading, const char *text)
{
	why_set(reading->why, 0, "%s", text);
	return FAULT_GARBLED;
}

/* Who says it first; an empty string is said, too: a client without secret. */
static const json_t *source_of(const struct reading *reading, const char *name)
{
	const json_t *member = json_object_get(reading->at[0], name);

	return reading->at[1] == NULL ||
		(member != NULL && !json_is_null(member)) ?
	    reading->at[0] :
	    reading->at[1];
}

static enum fault find(const struct reading *reading, const char *name,
    struct span *text_out)
{
	enum fault fault = reply_string(source_of(reading, name), name,
	    text_out, reading->why);

	if (fault != FAULT_NONE || !provider_is_placeholder(*text_out))
		return fault;
	why_set(reading->why, 0,
	    "its %s is still the placeholder of a sample: write the real one "
	    "there, or sign the account in with mailtoken login",
	    name);
	return FAULT_GARBLED;
}

/* A JSON boolean, or its word, as sasl-xoauth2 reads them. */
static bool is_true(const struct reading *reading, const char *name)
{
	const json_t *value = json_object_get(source_of(reading, name), name);
	struct span word = span_of(json_string_value(value));

	return json_is_true(value) || span_is(word, "yes") ||
	    span_is(word, "true");
}

static enum fault set_default(char **slot, const char *text)
{
	if (*slot != NULL)
		return FAULT_NONE;
	*slot = strdup(text);
	return *slot != NULL ? FAULT_NONE : FAULT_NOMEM;
}

static enum fault take_all(struct reading *reading, const char *user,
    const char *no_client)
{
	struct foreign *foreign = &reading->foreign;
	const struct {
		const char *name;
		char **slot;
		struct secret **secret;
	} members[] = {
		{ "refresh_token", NULL, &foreign->refresh_token },
		{ "client_secret", NULL, &foreign->client_secret },
		{ "client_id", &foreign->client_id, NULL },
		{ "token_endpoint", &foreign->token_endpoint, NULL },
		{ "scope", &foreign->scope, NULL },
		{ "proxy", &foreign->proxy, NULL },
		{ "ca_bundle_file", &foreign->ca_file, NULL },
		{ "ca_certs_dir", &foreign->ca_path, NULL },
		{ user, &foreign->user, NULL },
	};
	struct span text;
	enum fault fault;
	size_t i;

	for (i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		fault = find(reading, members[i].name, &text);
		if (fault == FAULT_NONE && text.n > 0)
			fault = members[i].secret != NULL ?
			    secret_new(text, members[i].secret) :
			    set_default(members[i].slot, text.p);
		if (fault != FAULT_NONE)
			return fault;
	}
	if (foreign->refresh_token == NULL)
		return bad(reading,
		    "it has no refresh_token: sign the account in with "
		    "mailtoken login");
	return foreign->client_id != NULL ? FAULT_NONE :
					    bad(reading, no_client);
}

/* Seconds, as a number or its digits. */
static enum fault take_margin(struct reading *reading)
{
	static const char name[] = "refresh_window";
	const json_t *member = json_object_get(source_of(reading, name), name);
	struct span digits = span_of(json_string_value(member));
	double real = json_number_value(member);
	int64_t *margin_s = &reading->foreign.margin_s;

	if (member == NULL || json_is_null(member))
		return FAULT_NONE;
	if (digits.p != NULL ? attr_number(digits, 0, FOREIGN_MARGIN_MAX_S,
				   margin_s) != FAULT_NONE :
			       !json_is_number(member) || real < 0 ||
		    real > FOREIGN_MARGIN_MAX_S)
		return bad(reading,
		    "its refresh_window is no number or out of range");
	if (digits.p == NULL)
		*margin_s = (int64_t)real;
	return FAULT_NONE;
}

static enum fault read_sasl_xoauth2(struct reading *reading)
{
	struct foreign *foreign = &reading->foreign;
	enum fault fault;

	if (is_true(reading, "use_client_credentials"))
		return bad(reading,
		    "it uses client credentials, so there is no grant: write a "
		    "provider block with flow client-credentials");
	if (is_true(reading, "manage_token_externally"))
		return bad(reading,
		    "another program renews its token, so there is no grant in "
		    "it: sign the account in with mailtoken login");
	fault = take_all(reading, "user",
	    "nothing says the client_id: name the file that has it with "
	    "--config");
	if (fault == FAULT_NONE)
		fault = take_margin(reading);
	foreign->assumed = foreign->token_endpoint == NULL;
	return fault != FAULT_NONE ?
	    fault :
	    set_default(&foreign->token_endpoint, GOOGLE_TOKEN);
}

static enum fault read_mutt_oauth2(struct reading *reading)
{
	struct foreign *foreign = &reading->foreign;
	struct span registration = { NULL, 0 };
	enum fault fault;

	fault = take_all(reading, "email",
	    "it has no client_id, because an older script keeps it to itself: "
	    "sign the account in with mailtoken login");
	if (fault == FAULT_NONE)
		fault = find(reading, "registration", &registration);
	if (fault != FAULT_NONE)
		return fault;
	if (span_is(registration, "google"))
		return set_default(&foreign->token_endpoint, GOOGLE_TOKEN);
	if (span_is(registration, "microsoft")) {
		fault = set_default(&foreign->token_endpoint, MICROSOFT_TOKEN);
		return fault != FAULT_NONE ?
		    fault :
		    set_default(&foreign->scope, MICROSOFT_SCOPE);
	}
	return foreign->token_endpoint != NULL ?
	    FAULT_NONE :
	    bad(reading,
		"its registration is neither google nor microsoft, and nothing "
		"says the token_endpoint");
}

/* The files, then what understand makes of them. */
static enum fault read_files(struct span token, struct span defaults,
    enum fault (*understand)(struct reading *reading),
    struct foreign *foreign_out, struct why *why)
{
	struct reading reading = { .why = why };
	struct why of_defaults = { 0, "" };
	enum fault fault;

	fault = reply_object(token, &reading.at[0], why);
	if (fault == FAULT_NONE && defaults.n > 0) {
		fault = reply_object(defaults, &reading.at[1], &of_defaults);
		if (fault == FAULT_GARBLED)
			why_set(why, 0, "the file of --config: %s",
			    of_defaults.text);
	}
	if (fault == FAULT_NONE)
		fault = understand(&reading);
	json_decref(reading.at[0]);
	json_decref(reading.at[1]);
	if (fault != FAULT_NONE)
		foreign_drop(&reading.foreign);
	else
		*foreign_out = reading.foreign;
	return fault;
}

enum fault foreign_sasl_xoauth2(struct span token, struct span defaults,
    struct foreign *foreign_out, struct why *why)
{
	return read_files(token, defaults, read_sasl_xoauth2, foreign_out, why);
}

enum fault foreign_mutt_oauth2(struct span token, struct foreign *foreign_out,
    struct why *why)
{
	return read_files(token, (struct span){ NULL, 0 }, read_mutt_oauth2,
	    foreign_out, why);
}
