/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Members by name, from one JSON object or from two of which the first goes
 * before the second.
 */
#include "oauth/foreign.h"

#include <stdlib.h>

#include "oauth/provider.h"
#include "oauth/reply_impl.h"

/* What sasl-xoauth2 and mutt_oauth2.py use where nothing else is said. */
#define GOOGLE_TOKEN "https://accounts.google.com/o/oauth2/token"
#define MICROSOFT_TOKEN \
	"https://login.microsoftonline.com/common/oauth2/v2.0/token"
#define MICROSOFT_SCOPE \
	"offline_access " \
	"https://outlook.office.com/IMAP.AccessAsUser.All " \
	"https://outlook.office.com/POP.AccessAsUser.All " \
	"https://outlook.office.com/SMTP.Send"

struct sources {
	json_t *at[2]; /* [1] may be NULL */
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

static enum fault bad(struct why *why, const char *text)
{
	why_set(why, 0, "%s", text);
	return FAULT_GARBLED;
}

/* Who says it first; an empty string is said, too: a client without secret. */
static const json_t *source_of(const struct sources *sources, const char *name)
{
	const json_t *member = json_object_get(sources->at[0], name);

	return sources->at[1] == NULL ||
		(member != NULL && !json_is_null(member)) ?
	    sources->at[0] :
	    sources->at[1];
}

static enum fault find(const struct sources *sources, const char *name,
    struct span *text_out)
{
	return reply_string(source_of(sources, name), name, text_out,
	    sources->why);
}

static enum fault find_own(const struct sources *sources, const char *name,
    struct span *text_out)
{
	enum fault fault = find(sources, name, text_out);

	if (fault != FAULT_NONE || !provider_is_placeholder(*text_out))
		return fault;
	why_set(sources->why, 0,
	    "its %s is still the placeholder of a sample: write the real one "
	    "there, or sign the account in with mailtoken login",
	    name);
	return FAULT_GARBLED;
}

static enum fault take(const struct sources *sources, const char *name,
    char **out)
{
	struct span text;
	enum fault fault;

	fault = find_own(sources, name, &text);
	if (fault != FAULT_NONE || text.n == 0)
		return fault;
	*out = strdup(text.p);
	return *out != NULL ? FAULT_NONE : FAULT_NOMEM;
}

static enum fault take_secret(const struct sources *sources, const char *name,
    struct secret **secret_out)
{
	struct span text;
	enum fault fault;

	fault = find_own(sources, name, &text);
	if (fault != FAULT_NONE || text.n == 0)
		return fault;
	return secret_new(text, secret_out);
}

/* A JSON boolean, or its word, as sasl-xoauth2 reads them. */
static bool is_true(const struct sources *sources, const char *name)
{
	const json_t *value = json_object_get(source_of(sources, name), name);
	const char *word = json_string_value(value);

	return json_is_true(value) ||
	    (word != NULL &&
		(strcmp(word, "yes") == 0 || strcmp(word, "true") == 0));
}

static enum fault take_client(const struct sources *sources,
    struct foreign *foreign, const char *no_client)
{
	const struct {
		const char *name;
		char **slot;
	} members[] = {
		{ "client_id", &foreign->client_id },
		{ "token_endpoint", &foreign->token_endpoint },
		{ "scope", &foreign->scope },
		{ "proxy", &foreign->proxy },
		{ "ca_bundle_file", &foreign->ca_file },
		{ "ca_certs_dir", &foreign->ca_path },
	};
	enum fault fault;
	size_t i;

	fault = take_secret(sources, "refresh_token", &foreign->refresh_token);
	if (fault == FAULT_NONE)
		fault = take_secret(sources, "client_secret",
		    &foreign->client_secret);
	for (i = 0;
	     fault == FAULT_NONE && i < sizeof(members) / sizeof(members[0]);
	     i++)
		fault = take(sources, members[i].name, members[i].slot);
	if (fault != FAULT_NONE)
		return fault;
	if (foreign->refresh_token == NULL)
		return bad(sources->why,
		    "it has no refresh_token: sign the account in with "
		    "mailtoken login");
	return foreign->client_id != NULL ? FAULT_NONE :
					    bad(sources->why, no_client);
}

static enum fault set_default(char **slot, const char *text)
{
	if (*slot != NULL)
		return FAULT_NONE;
	*slot = strdup(text);
	return *slot != NULL ? FAULT_NONE : FAULT_NOMEM;
}

static enum fault read_sasl_xoauth2(const struct sources *sources,
    struct foreign *foreign)
{
	const struct reply_range margin = { 0, FOREIGN_MARGIN_MAX_S, 0 };
	enum fault fault;

	if (is_true(sources, "use_client_credentials"))
		return bad(sources->why,
		    "it uses client credentials, so there is no grant: write a "
		    "provider block with flow client-credentials");
	if (is_true(sources, "manage_token_externally"))
		return bad(sources->why,
		    "another program renews its token, so there is no grant in "
		    "it: sign the account in with mailtoken login");
	fault = take_client(sources, foreign,
	    "nothing says the client_id: name the file that has it with "
	    "--config");
	if (fault == FAULT_NONE)
		fault = take(sources, "user", &foreign->user);
	if (fault == FAULT_NONE)
		fault = reply_number(source_of(sources, "refresh_window"),
		    "refresh_window", margin, &foreign->margin_s, sources->why);
	foreign->assumed = foreign->token_endpoint == NULL;
	if (fault == FAULT_NONE)
		fault = set_default(&foreign->token_endpoint, GOOGLE_TOKEN);
	return fault;
}

static enum fault read_mutt_oauth2(const struct sources *sources,
    struct foreign *foreign)
{
	struct span registration;
	enum fault fault;

	fault = take_client(sources, foreign,
	    "it has no client_id, because an older script keeps it to itself: "
	    "sign the account in with mailtoken login");
	if (fault == FAULT_NONE)
		fault = take(sources, "email", &foreign->user);
	if (fault == FAULT_NONE)
		fault = find(sources, "registration", &registration);
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
	if (foreign->token_endpoint != NULL)
		return FAULT_NONE;
	return bad(sources->why,
	    "its registration is neither google nor microsoft, and nothing "
	    "says the token_endpoint");
}

static enum fault read_all(struct span token, struct span defaults,
    struct sources *sources)
{
	struct why why;
	enum fault fault;

	fault = reply_object(token, &sources->at[0], &why);
	if (fault == FAULT_GARBLED)
		return bad(sources->why, why.text);
	if (fault != FAULT_NONE || defaults.n == 0)
		return fault;
	fault = reply_object(defaults, &sources->at[1], &why);
	if (fault == FAULT_GARBLED)
		why_set(sources->why, 0, "the file of --config: %s", why.text);
	return fault;
}

static enum fault finish(struct sources *sources, struct foreign *found,
    enum fault fault, struct foreign *foreign_out)
{
	json_decref(sources->at[0]);
	json_decref(sources->at[1]);
	if (fault != FAULT_NONE)
		foreign_drop(found);
	else
		*foreign_out = *found;
	return fault;
}

enum fault foreign_sasl_xoauth2(struct span token, struct span defaults,
    struct foreign *foreign_out, struct why *why)
{
	struct foreign found = { .refresh_token = NULL };
	struct sources sources = { { NULL, NULL }, why };
	enum fault fault;

	fault = read_all(token, defaults, &sources);
	if (fault == FAULT_NONE)
		fault = read_sasl_xoauth2(&sources, &found);
	return finish(&sources, &found, fault, foreign_out);
}

enum fault foreign_mutt_oauth2(struct span token, struct foreign *foreign_out,
    struct why *why)
{
	struct span nothing = { NULL, 0 };
	struct foreign found = { .refresh_token = NULL };
	struct sources sources = { { NULL, NULL }, why };
	enum fault fault;

	fault = read_all(token, nothing, &sources);
	if (fault == FAULT_NONE)
		fault = read_mutt_oauth2(&sources, &found);
	return finish(&sources, &found, fault, foreign_out);
}
