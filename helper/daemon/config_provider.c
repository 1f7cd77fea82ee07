/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Provider blocks: preset, values over it, the client secret and what an
 * application signs in for itself with: certificate and key, the key of a
 * service account.  Those are read with the configuration; an assertion is
 * read anew each time, so only its place is checked here.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "daemon/config_impl.h"
#include "oauth/assertion.h"
#include "store/safefile.h"
#include "wire/attr.h"

#define NAME_MAX_BYTES 64

/* What a file that knows no lines has told of a key's value. */
static enum fault refuse(const struct config_reading *reading,
    const struct config_line *line, enum fault fault, const struct why *why)
{
	if (fault == FAULT_NONE || fault == FAULT_NOMEM)
		return fault;
	return config_bad(reading, line, "provider '%s': %s: %s",
	    reading->head->values[0], line->key->word, why->text);
}

static enum fault set_text(struct config_reading *reading,
    const struct config_line *line, const char *text)
{
	struct why why = { 0, "" };

	return config_pass(reading, line,
	    provider_set(reading->provider, line->key->word, text, &why), &why);
}

/* Lists among them are kept as words with blanks between them. */
static enum fault set_value(struct config_reading *reading,
    const struct config_line *line)
{
	char *value = NULL;
	enum fault fault;

	fault = config_join(line, &value);
	if (fault == FAULT_NONE)
		fault = set_text(reading, line, value);
	free(value);
	return fault;
}

/* 0 or an errno. */
static int check_ca(const char *path, bool is_folder)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return errno;
	if (is_folder != S_ISDIR(st.st_mode))
		return is_folder ? ENOTDIR : EISDIR;
	return access(path, is_folder ? R_OK | X_OK : R_OK) == 0 ? 0 : errno;
}

static enum fault set_ca(struct config_reading *reading,
    const struct config_line *line)
{
	const char *path = line->values[0];
	enum fault fault = set_value(reading, line);
	struct why why;
	int err;

	if (fault == FAULT_NONE)
		fault = config_name_file(reading, line, path);
	if (fault != FAULT_NONE)
		return fault;
	err = check_ca(path, strcmp(line->key->word, "ca_path") == 0);
	if (err == 0)
		return FAULT_NONE;
	safefile_say_shut(path, err, &why);
	return refuse(reading, line, FAULT_CONFIG_ERROR, &why);
}

static enum fault add_extra(struct config_reading *reading,
    const struct config_line *line)
{
	enum fault fault = FAULT_NONE;
	size_t i;

	for (i = 0; i < line->n && fault == FAULT_NONE; i++)
		fault = set_text(reading, line, line->values[i]);
	return fault;
}

/* The whole of the file that a line names.  A certificate without its key in
 * the same file is no secret. */
static enum fault read_file(struct config_reading *reading,
    const struct config_line *line, bool is_secret, struct buf *out)
{
	struct why why = { 0, "" };
	char *path = NULL;
	enum fault fault;

	fault = config_place(reading, line, &path);
	if (fault != FAULT_NONE)
		goto out;
	fault = is_secret ?
	    safefile_read_secret(path, out->max_bytes, out, &why) :
	    config_load(path, reading->source->owner, out, &why);
	if (fault == FAULT_NONE && is_secret && out->n == 0) {
		why_set(&why, 0,
		    "%s is empty: write the secret into it, or take %s away",
		    path, line->key->word);
		fault = FAULT_CONFIG_ERROR;
	}
	fault = refuse(reading, line, fault, &why);
	config_hash(reading, buf_span(out));
out:
	free(path);
	return fault;
}

static bool has_control(struct span bytes)
{
	size_t i;

	for (i = 0; i < bytes.n; i++)
		if (((unsigned char)bytes.p[i] < 0x20 && bytes.p[i] != '\n') ||
		    bytes.p[i] == 0x7f)
			return true;
	return false;
}

/* By blanks or quotes, those of typesetters, too: who pasted it. */
static bool is_wrapped(struct span text)
{
	char first = text.p[0], last = text.p[text.n - 1];

	return first == ' ' || last == ' ' ||
	    (first == last && (first == '"' || first == '\'')) ||
	    (text.n > 2 &&
		(memcmp(text.p, "\xe2\x80", 2) == 0 ||
		    memcmp(text.p, "\xc2\xa0", 2) == 0));
}

/* The same of a file of one line.  What an editor may have put there is said,
 * and no part of the secret. */
static enum fault read_line(struct config_reading *reading,
    const struct config_line *line, size_t max_bytes,
    struct secret **secret_out)
{
	struct buf bytes = BUF_INIT(max_bytes);
	const char *file = line->values[0];
	enum fault fault = read_file(reading, line, true, &bytes);
	struct why why = { 0, "" };

	if (fault != FAULT_NONE)
		goto out;
	if (bytes.n >= 3 && memcmp(bytes.p, "\xef\xbb\xbf", 3) == 0)
		why_set(&why, 0,
		    "%s begins with a byte order mark; take it away: sed -i "
		    "'1s/^\\xef\\xbb\\xbf//' %s",
		    file, file);
	else if (has_control(buf_span(&bytes)))
		why_set(&why, 0,
		    "%s has a control byte, as text in UTF-16 has: save it as "
		    "UTF-8 without a byte order mark",
		    file);
	else if (memchr(bytes.p, '\n', bytes.n) != NULL)
		why_set(&why, 0,
		    "%s has more than one line; keep the secret alone: a line "
		    "end after it and nothing else",
		    file);
	else if (is_wrapped(buf_span(&bytes)))
		why_set(&why, 0,
		    "%s has blanks or quotes around the secret; take them "
		    "away: LC_ALL=C sed -i "
		    "'s/^[^!#-&(-~]*//;s/[^!#-&(-~]*$//' %s",
		    file, file);
	else if (provider_is_placeholder(buf_span(&bytes)))
		why_set(&why, 0,
		    "%s still has the placeholder of a sample: write the real "
		    "secret into it",
		    file);
	fault = why.text[0] != '\0' ?
	    refuse(reading, line, FAULT_CONFIG_ERROR, &why) :
	    secret_new(buf_span(&bytes), secret_out);
out:
	buf_drop(&bytes);
	return fault;
}

static enum fault set_secret(struct config_reading *reading,
    const struct config_line *line)
{
	struct secret *secret = NULL;
	enum fault fault;

	fault = read_line(reading, line, CLIENT_SECRET_MAX_BYTES, &secret);
	if (fault == FAULT_NONE)
		fault = provider_set_secret(reading->provider, secret);
	secret_free(secret);
	return fault;
}

/* "2027-01-31" */
static enum fault set_expires(struct config_reading *reading,
    const struct config_line *line)
{
	const char *text = line->values[0];
	struct tm tm = { .tm_hour = 0 };
	int64_t year, month, day;

	if (strlen(text) != 10 || text[4] != '-' || text[7] != '-' ||
	    attr_number((struct span){ text, 4 }, 1970, 9999, &year) ||
	    attr_number((struct span){ text + 5, 2 }, 1, 12, &month) ||
	    attr_number((struct span){ text + 8, 2 }, 1, 31, &day))
		goto bad;
	tm.tm_year = (int)year - 1900;
	tm.tm_mon = (int)month - 1;
	tm.tm_mday = (int)day;
	reading->provider->client_secret_expires_s = (int64_t)timegm(&tm);
	/* The 31st of a shorter month has become another day. */
	if (tm.tm_mday == (int)day)
		return FAULT_NONE;
bad:
	return config_bad(reading, line,
	    "client_secret_expires must be a day; write 2027-01-31");
}

static enum fault set_key(struct config_reading *reading,
    const struct config_line *line, enum fault fault, struct assertion_key *key,
    const struct why *why)
{
	fault = refuse(reading, line, fault, why);
	if (fault == FAULT_NONE)
		provider_set_key(reading->provider, key);
	assertion_key_release(key);
	return fault;
}

static enum fault set_certificate(struct config_reading *reading,
    const struct config_line *line)
{
	const struct config_line *apart, *phrase, *algorithm;
	struct buf certificate = BUF_INIT(CONFIG_FILE_MAX_BYTES);
	struct buf key = BUF_INIT(ASSERTION_KEY_FILE_MAX_BYTES);
	struct assertion_source source = { .algorithm = ASSERTION_PS256 };
	struct assertion_key *made = NULL;
	struct secret *passphrase = NULL;
	struct why why = { 0, "" };
	enum fault fault = FAULT_NONE;

	apart = config_find(reading, "certificate_key");
	phrase = config_find(reading, "certificate_key_passphrase_file");
	algorithm = config_find(reading, "certificate_algorithm");
	if (algorithm != NULL && strcmp(algorithm->values[0], "RS256") == 0)
		source.algorithm = ASSERTION_RS256;
	else if (algorithm != NULL &&
	    strcmp(algorithm->values[0], "PS256") != 0)
		return config_bad(reading, algorithm,
		    "certificate_algorithm must be 'PS256' or 'RS256'");
	if (apart != NULL)
		fault = read_file(reading, line, false, &certificate);
	if (fault == FAULT_NONE)
		fault = read_file(reading, apart != NULL ? apart : line, true,
		    &key);
	if (fault == FAULT_NONE && phrase != NULL)
		fault = read_line(reading, phrase,
		    ASSERTION_PASSPHRASE_MAX_BYTES, &passphrase);
	if (fault == FAULT_NONE) {
		source.certificate = buf_span(apart ? &certificate : &key);
		source.key = buf_span(&key);
		source.passphrase = passphrase;
		fault = assertion_key_new(&source, &made, &why);
		fault = set_key(reading, apart != NULL ? apart : line, fault,
		    made, &why);
	}
	secret_free(passphrase);
	buf_drop(&key);
	buf_drop(&certificate);
	return fault;
}

static enum fault goes_with_certificate(struct config_reading *reading,
    const struct config_line *line)
{
	if (config_find(reading, "certificate") != NULL)
		return FAULT_NONE;
	return config_bad(reading, line,
	    "%s goes with certificate; write certificate /...",
	    line->key->word);
}

static enum fault set_service_account(struct config_reading *reading,
    const struct config_line *line)
{
	struct buf json = BUF_INIT(ASSERTION_KEY_FILE_MAX_BYTES);
	struct assertion_key *key = NULL;
	struct why why = { 0, "" };
	enum fault fault;

	if (config_find(reading, "certificate") != NULL)
		return config_bad(reading, line,
		    "service_account_file and certificate exclude each other; "
		    "keep one");
	fault = read_file(reading, line, true, &json);
	if (fault == FAULT_NONE) {
		fault = assertion_key_from_google(buf_span(&json), &key, &why);
		fault = set_key(reading, line, fault, key, &why);
	}
	buf_drop(&json);
	return fault;
}

static enum fault set_assertion(struct config_reading *reading,
    const struct config_line *line)
{
	char *path = NULL;
	enum fault fault;

	fault = config_place(reading, line, &path);
	if (fault == FAULT_NONE)
		fault = set_text(reading, line, path);
	free(path);
	return fault;
}

const struct config_key config_provider_keys[] = {
	{ "preset", CONFIG_ONE, NULL },
	{ "issuer", CONFIG_ONE, set_value },
	{ "authorization_endpoint", CONFIG_ONE, set_value },
	{ "token_endpoint", CONFIG_ONE, set_value },
	{ "device_authorization_endpoint", CONFIG_ONE, set_value },
	{ "revocation_endpoint", CONFIG_ONE, set_value },
	{ "registration_endpoint", CONFIG_ONE, set_value },
	{ "client_id", CONFIG_ONE, set_value },
	{ "client_secret_file", CONFIG_ONE, set_secret },
	{ "client_secret_expires", CONFIG_ONE, set_expires },
	{ "certificate", CONFIG_ONE, set_certificate },
	{ "certificate_key", CONFIG_ONE, goes_with_certificate },
	{ "certificate_key_passphrase_file", CONFIG_ONE,
	    goes_with_certificate },
	{ "certificate_algorithm", CONFIG_ONE, goes_with_certificate },
	{ "assertion_file", CONFIG_ONE, set_assertion },
	{ "service_account_file", CONFIG_ONE, set_service_account },
	{ "tenant", CONFIG_ONE, set_value },
	{ "cloud", CONFIG_ONE, set_value },
	{ "flow", CONFIG_ONE, set_value },
	{ "min_validity", CONFIG_ONE, set_value },
	{ "redirect_port", CONFIG_ONE, set_value },
	{ "redirect_uri", CONFIG_ONE, set_value },
	{ "ca_file", CONFIG_ONE, set_ca },
	{ "ca_path", CONFIG_ONE, set_ca },
	{ "proxy", CONFIG_ONE, set_value },
	{ "scope", CONFIG_SOME, set_value },
	{ "protocols", CONFIG_SOME, set_value },
	{ "servers", CONFIG_SOME, set_value },
	{ "extra", CONFIG_SOME, add_extra },
	{ NULL, CONFIG_ONE, NULL },
};

/* Which of two counts nobody knows: whether there was a good one, that is none
 * any more. */
static bool take_back(struct config *config, const char *name)
{
	struct provider *provider = config_provider(config, name);
	size_t i = 0;

	if (provider == NULL)
		return false;
	while (config->providers[i] != provider)
		i++;
	config->n_providers--;
	memmove(&config->providers[i], &config->providers[i + 1],
	    (config->n_providers - i) * sizeof(struct provider *));
	provider_release(provider);
	return true;
}

static enum fault make(struct config_reading *reading)
{
	const struct config_line *line = config_find(reading, "preset");
	const char *title = reading->head->values[0], *preset = NULL;
	enum fault fault;

	if (!attr_is_of(span_of(title), ATTR_ALNUM "._-", NAME_MAX_BYTES))
		return config_bad(reading, reading->head,
		    "a provider's name has 1 to %d letters, digits, '.', '_' "
		    "and '-'; write provider microsoft",
		    NAME_MAX_BYTES);
	if (take_back(reading->config, title) ||
	    config_bad_provider(reading->config, title) != NULL)
		return config_bad(reading, reading->head,
		    "a second block for provider '%s'; keep one of the two",
		    title);
	if (line != NULL)
		preset = line->values[0];
	else if (preset_find(title) != NULL)
		preset = title;
	fault = provider_new(title, preset, &reading->provider);
	if (fault != FAULT_NOT_FOUND)
		return fault;
	return config_bad(reading, line,
	    "provider '%s': there is no preset '%.60s'; mailtoken.conf(5) "
	    "lists them, or take the line away and give the endpoints",
	    title, preset);
}

enum fault config_add_provider(struct config_reading *reading)
{
	struct config *config = reading->config;
	struct config_bad *bad = &config->bad[config->n_bad];
	struct why why = { 0, "" };
	enum fault fault;

	reading->provider = NULL;
	fault = make(reading);
	if (fault == FAULT_NONE)
		fault = config_fill(reading);
	/* A relay needs no right to read mail. */
	if (fault == FAULT_NONE)
		fault = config_pass(reading, reading->head,
		    provider_finish(reading->provider,
			config->user_helper ? NULL : "smtp", &why),
		    &why);
	if (fault == FAULT_NONE) {
		config->providers[config->n_providers++] = reading->provider;
		return FAULT_NONE;
	}
	provider_release(reading->provider);
	config->n_bad++;
	return string_set(&bad->name, span_of(reading->head->values[0])) ?
	    FAULT_NOMEM :
	    config_set_aside(reading, fault, &bad->text);
}
