/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What an application signs in for itself with: certificate and key, the key
 * of a service account, the file of an assertion.  Keys are read with the
 * configuration; an assertion is read anew each time, so only its place is
 * checked here.
 */
#include <stdlib.h>
#include <time.h>

#include "daemon/config_read.h"
#include "oauth/assertion.h"
#include "wire/attr.h"

/* Said of the key's value by a file that knows no lines. */
static enum fault refuse(const struct config_part *part, const char *key,
    enum fault fault, const struct why *why)
{
	if (fault == FAULT_NONE || fault == FAULT_NOMEM)
		return fault;
	return config_bad(part, key, "provider '%s': %s: %s",
	    part->block->title, key, why->text);
}

/* A certificate without its key in the same file is no secret. */
static enum fault read_public(const struct config_part *part, const char *key,
    struct buf *out)
{
	struct why why = { 0, "" };
	char *path = NULL;
	enum fault fault;

	fault = config_place(part, key, &path);
	if (fault == FAULT_NONE)
		fault = refuse(part, key,
		    config_load(path, part->reading->source->owner, out, &why),
		    &why);
	free(path);
	return fault;
}

static enum fault read_algorithm(const struct config_part *part,
    enum assertion_algorithm *algorithm)
{
	const char *word = config_text(part, "certificate_algorithm");

	*algorithm = ASSERTION_PS256;
	if (word == NULL || strcmp(word, "PS256") == 0)
		return FAULT_NONE;
	*algorithm = ASSERTION_RS256;
	if (strcmp(word, "RS256") == 0)
		return FAULT_NONE;
	return config_bad(part, "certificate_algorithm",
	    "certificate_algorithm must be 'PS256' or 'RS256'");
}

static enum fault make_key(const struct config_part *part,
    const struct assertion_source *source, struct provider *provider)
{
	struct assertion_key *key = NULL;
	struct why why = { 0, "" };
	enum fault fault;

	fault = assertion_key_new(source, &key, &why);
	fault = refuse(part,
	    config_text(part, "certificate_key") != NULL ? "certificate_key" :
							   "certificate",
	    fault, &why);
	if (fault == FAULT_NONE)
		provider_set_key(provider, key);
	assertion_key_release(key);
	return fault;
}

static enum fault set_certificate(const struct config_part *part,
    struct provider *provider)
{
	struct buf certificate = BUF_INIT(CONFIG_FILE_MAX_BYTES);
	struct buf key = BUF_INIT(ASSERTION_KEY_FILE_MAX_BYTES);
	struct buf phrase = BUF_INIT(ASSERTION_PASSPHRASE_MAX_BYTES);
	struct assertion_source source = { .passphrase = NULL };
	bool apart = config_text(part, "certificate_key") != NULL;
	struct secret *passphrase = NULL;
	enum fault fault;

	fault = read_algorithm(part, &source.algorithm);
	if (fault == FAULT_NONE)
		fault = apart ?
		    read_public(part, "certificate", &certificate) :
		    config_secret(part, "certificate", &certificate);
	if (fault == FAULT_NONE)
		fault = config_secret(part, "certificate_key", &key);
	if (fault == FAULT_NONE)
		fault = config_secret_line(part,
		    "certificate_key_passphrase_file", &phrase);
	if (fault == FAULT_NONE && phrase.n > 0)
		fault = secret_new(buf_span(&phrase), &passphrase);
	if (fault == FAULT_NONE) {
		source.certificate = buf_span(&certificate);
		source.key = buf_span(apart ? &key : &certificate);
		source.passphrase = passphrase;
		fault = make_key(part, &source, provider);
	}
	secret_free(passphrase);
	buf_drop(&phrase);
	buf_drop(&key);
	buf_drop(&certificate);
	return fault;
}

static enum fault set_service_account(const struct config_part *part,
    struct provider *provider)
{
	struct buf json = BUF_INIT(ASSERTION_KEY_FILE_MAX_BYTES);
	struct assertion_key *key = NULL;
	struct why why = { 0, "" };
	enum fault fault;

	fault = config_secret(part, "service_account_file", &json);
	if (fault == FAULT_NONE)
		fault = refuse(part, "service_account_file",
		    assertion_key_from_google(buf_span(&json), &key, &why),
		    &why);
	if (fault == FAULT_NONE)
		provider_set_key(provider, key);
	assertion_key_release(key);
	buf_drop(&json);
	return fault;
}

static enum fault set_assertion(const struct config_part *part,
    struct provider *provider)
{
	struct why why = { 0, "" };
	char *path = NULL;
	enum fault fault;

	fault = config_place(part, "assertion_file", &path);
	if (fault == FAULT_NONE)
		fault = refuse(part, "assertion_file",
		    provider_set(provider, "assertion_file", path, &why), &why);
	free(path);
	return fault;
}

/* "2027-01-31"; true when it is a day. */
static bool read_day(const char *text, int64_t *time_out)
{
	struct tm tm = { .tm_hour = 0 };
	int64_t year, month, day;
	time_t time;

	if (strlen(text) != 10 || text[4] != '-' || text[7] != '-' ||
	    attr_number((struct span){ text, 4 }, 1970, 9999, &year) ||
	    attr_number((struct span){ text + 5, 2 }, 1, 12, &month) ||
	    attr_number((struct span){ text + 8, 2 }, 1, 31, &day))
		return false;
	tm.tm_year = (int)year - 1900;
	tm.tm_mon = (int)month - 1;
	tm.tm_mday = (int)day;
	time = timegm(&tm);
	/* The 31st of a shorter month has become another day. */
	if (tm.tm_mday != (int)day)
		return false;
	*time_out = (int64_t)time;
	return true;
}

static enum fault set_expires(const struct config_part *part,
    struct provider *provider)
{
	const char *text = config_text(part, "client_secret_expires");

	if (!read_day(text, &provider->client_secret_expires_s))
		return config_bad(part, "client_secret_expires",
		    "client_secret_expires must be a day; write 2027-01-31");
	return FAULT_NONE;
}

static enum fault check_together(const struct config_part *part)
{
	static const char *const with[] = {
		"certificate_key",
		"certificate_key_passphrase_file",
		"certificate_algorithm",
	};
	bool has = config_text(part, "certificate") != NULL;
	size_t i;

	for (i = 0; !has && i < sizeof(with) / sizeof(with[0]); i++)
		if (config_text(part, with[i]) != NULL)
			return config_bad(part, with[i],
			    "%s goes with certificate; write certificate "
			    "/...",
			    with[i]);
	if (has && config_text(part, "service_account_file") != NULL)
		return config_bad(part, "service_account_file",
		    "service_account_file and certificate exclude each other; "
		    "keep one");
	return FAULT_NONE;
}

enum fault config_app(const struct config_part *part, struct provider *provider)
{
	static const struct {
		const char *key;
		enum fault (*set)(const struct config_part *part,
		    struct provider *provider);
	} steps[] = {
		{ "client_secret_expires", set_expires },
		{ "certificate", set_certificate },
		{ "service_account_file", set_service_account },
		{ "assertion_file", set_assertion },
	};
	enum fault fault = check_together(part);
	size_t i;

	for (i = 0; fault == FAULT_NONE && i < sizeof(steps) / sizeof(steps[0]);
	     i++)
		if (config_text(part, steps[i].key) != NULL)
			fault = steps[i].set(part, provider);
	return fault;
}
