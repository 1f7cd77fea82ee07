/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Members by name, from one JSON object or from two of which the first goes
 * before the second.
 */
#include "operator/foreign.h"

#include "oauth/provider.h"
#include "oauth/reply_impl.h"
#include "wire/words.h"

/* What sasl-xoauth2 and mutt_oauth2.py use where nothing else is said. */
#define GOOGLE_TOKEN "https://accounts.google.com/o/oauth2/token"
#define MICROSOFT_TOKEN \
	"https://login.microsoftonline.com/common/oauth2/v2.0/token"
#define MICROSOFT_SCOPE \
	"offline_access " \
	"https://outlook.office.com/IMAP.AccessAsUser.All " \
	"https://outlook.office.com/POP.AccessAsUser.All " \
	"https://outlook.office.com/SMTP.Send"

const char *const foreign_attrs[FOREIGN_TEXTS] = {
	ATTR_LOGIN,
	ATTR_REFRESH_TOKEN,
	ATTR_CLIENT_ID,
	ATTR_CLIENT_SECRET,
	ATTR_TOKEN_ENDPOINT,
	ATTR_SCOPE,
	ATTR_PROXY,
	ATTR_CA_FILE,
	ATTR_CA_PATH,
};

/* And in the files; the user's name differs. */
static const char *const members[FOREIGN_TEXTS] = { NULL, "refresh_token",
	"client_id", "client_secret", "token_endpoint", "scope", "proxy",
	"ca_bundle_file", "ca_certs_dir" };

void foreign_drop(struct foreign *foreign)
{
	json_decref(foreign->objects[0]);
	json_decref(foreign->objects[1]);
	*foreign = (struct foreign){ .margin_s = 0 };
}

static enum fault bad(struct why *why, const char *text)
{
	why_set(why, 0, "%s", text);
	return FAULT_GARBLED;
}

/* Who says it first; an empty string is said, too: a client without secret. */
static const json_t *source_of(const struct foreign *foreign, const char *name)
{
	const json_t *member = json_object_get(foreign->objects[0], name);

	return foreign->objects[1] == NULL ||
		(member != NULL && !json_is_null(member)) ?
	    foreign->objects[0] :
	    foreign->objects[1];
}

/* NULL for an empty one. */
static enum fault find(const struct foreign *foreign, const char *name,
    const char **text_out, struct why *why)
{
	struct span text;
	enum fault fault = reply_string(source_of(foreign, name), name, &text,
	    why);

	if (fault == FAULT_NONE && provider_is_placeholder(text)) {
		why_set(why, 0,
		    "its %s is still the placeholder of a sample: write the "
		    "real one there, or sign the account in with mailtoken "
		    "login",
		    name);
		return FAULT_GARBLED;
	}
	if (fault == FAULT_NONE)
		*text_out = text.n > 0 ? text.p : NULL;
	return fault;
}

/* A JSON boolean, or its word, as sasl-xoauth2 reads them. */
static bool is_true(const struct foreign *foreign, const char *name)
{
	const json_t *value = json_object_get(source_of(foreign, name), name);
	struct span word = span_of(json_string_value(value));

	return json_is_true(value) || span_is(word, "yes") ||
	    span_is(word, "true");
}

static enum fault take_texts(struct foreign *foreign, const char *user,
    const char *no_client, struct why *why)
{
	enum fault fault = FAULT_NONE;
	size_t i;

	for (i = 0; i < FOREIGN_TEXTS && fault == FAULT_NONE; i++)
		fault = find(foreign, i == FOREIGN_USER ? user : members[i],
		    &foreign->texts[i], why);
	if (fault != FAULT_NONE)
		return fault;
	if (foreign->texts[FOREIGN_REFRESH_TOKEN] == NULL)
		return bad(why,
		    "it has no refresh_token: sign the account in with "
		    "mailtoken login");
	return foreign->texts[FOREIGN_CLIENT_ID] != NULL ? FAULT_NONE :
							   bad(why, no_client);
}

/* Seconds, as a number or its digits. */
static enum fault take_margin(struct foreign *foreign, struct why *why)
{
	static const struct reply_range range = { 0, FOREIGN_MARGIN_MAX_S + 1,
		-1 };
	static const char name[] = "refresh_window";
	const json_t *object = source_of(foreign, name);
	const json_t *member = json_object_get(object, name);

	if (member == NULL || json_is_null(member))
		return FAULT_NONE;
	foreign->margin_s = reply_seconds(object, name, range);
	return foreign->margin_s >= 0 &&
		foreign->margin_s <= FOREIGN_MARGIN_MAX_S ?
	    FAULT_NONE :
	    bad(why, "its refresh_window is no number or out of range");
}

static void set_default(struct foreign *foreign, enum foreign_text which,
    const char *text)
{
	if (foreign->texts[which] == NULL)
		foreign->texts[which] = text;
}

static enum fault read_objects(struct foreign *foreign, struct span token,
    struct span defaults, struct why *why)
{
	struct why of_defaults = { 0, "" };
	enum fault fault;

	*foreign = (struct foreign){ .margin_s = 0 };
	fault = reply_object(token, &foreign->objects[0], why);
	if (fault == FAULT_NONE && defaults.n > 0) {
		fault = reply_object(defaults, &foreign->objects[1],
		    &of_defaults);
		if (fault == FAULT_GARBLED)
			why_set(why, 0, "the file of --config: %s",
			    of_defaults.text);
	}
	return fault;
}

enum fault foreign_sasl_xoauth2(struct span token, struct span defaults,
    struct foreign *foreign, struct why *why)
{
	enum fault fault = read_objects(foreign, token, defaults, why);

	if (fault != FAULT_NONE)
		return fault;
	if (is_true(foreign, "use_client_credentials"))
		return bad(why,
		    "it uses client credentials, so there is no grant: write a "
		    "provider block with flow client-credentials");
	if (is_true(foreign, "manage_token_externally"))
		return bad(why,
		    "another program renews its token, so there is no grant in "
		    "it: sign the account in with mailtoken login");
	fault = take_texts(foreign, "user",
	    "nothing says the client_id: name the file that has it with "
	    "--config",
	    why);
	if (fault == FAULT_NONE)
		fault = take_margin(foreign, why);
	foreign->assumed = foreign->texts[FOREIGN_TOKEN_ENDPOINT] == NULL;
	set_default(foreign, FOREIGN_TOKEN_ENDPOINT, GOOGLE_TOKEN);
	return fault;
}

enum fault foreign_mutt_oauth2(struct span token, struct foreign *foreign,
    struct why *why)
{
	const char *registration = NULL;
	enum fault fault = read_objects(foreign, token,
	    (struct span){ NULL, 0 }, why);

	if (fault == FAULT_NONE)
		fault = take_texts(foreign, "email",
		    "it has no client_id, because an older script keeps it to "
		    "itself: sign the account in with mailtoken login",
		    why);
	if (fault == FAULT_NONE)
		fault = find(foreign, "registration", &registration, why);
	if (fault != FAULT_NONE)
		return fault;
	if (span_is(span_of(registration), "google")) {
		set_default(foreign, FOREIGN_TOKEN_ENDPOINT, GOOGLE_TOKEN);
	} else if (span_is(span_of(registration), "microsoft")) {
		set_default(foreign, FOREIGN_TOKEN_ENDPOINT, MICROSOFT_TOKEN);
		set_default(foreign, FOREIGN_SCOPE, MICROSOFT_SCOPE);
	}
	return foreign->texts[FOREIGN_TOKEN_ENDPOINT] != NULL ?
	    FAULT_NONE :
	    bad(why,
		"its registration is neither google nor microsoft, and nothing "
		"says the token_endpoint");
}
