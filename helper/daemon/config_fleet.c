/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The keys of a fleet.  Its files are read when they are needed, by
 * fleet/etcd: one that cannot be read now stops no token, and is warned about.
 */
#include "daemon/config_impl.h"
#include "oauth/url.h"
#include "store/safefile.h"
#include "wire/attr.h"

#define PREFIX_MAX_BYTES   128
#define PASSWORD_MAX_BYTES 4096

static enum fault set_urls(struct config_reading *reading,
    const struct config_line *line)
{
	struct fleet_settings *fleet = &reading->config->fleet;
	enum fault fault = FAULT_NONE;
	const char *url;
	size_t i;

	if (strcmp(line->values[0], "etcd") != 0)
		return config_bad(reading, line,
		    "fleet has no store '%.60s'; write fleet etcd "
		    "https://HOST:2379",
		    line->values[0]);
	if (line->n < 2 || line->n > FLEET_URLS_MAX + 1)
		return config_bad(reading, line,
		    "fleet etcd has %zu URLs, and needs 1 to %d; write fleet "
		    "etcd https://HOST:2379",
		    line->n - 1, FLEET_URLS_MAX);
	for (i = 1; fault == FAULT_NONE && i < line->n; i++) {
		url = line->values[i];
		fault = url_server(url);
		if (fault == FAULT_GRAMMAR)
			return config_bad(reading, line,
			    "fleet: '%.200s' is no address of etcd; write "
			    "https://HOST:2379, and nothing behind the port",
			    url);
		if (fault == FAULT_UNSAFE)
			return config_bad(reading, line,
			    "fleet: %.200s is another machine, and http takes "
			    "the right to delete the records there in the "
			    "clear; write https://",
			    url);
		if (fault == FAULT_NONE)
			fault = string_set(&fleet->urls[fleet->n_urls++],
			    span_of(url));
	}
	return fault;
}

static enum fault set_prefix(struct config_reading *reading,
    const struct config_line *line)
{
	struct span prefix = span_of(line->values[0]);

	if (!attr_is_token(prefix, PREFIX_MAX_BYTES) || prefix.p[0] != '/' ||
	    prefix.p[prefix.n - 1] != '/')
		return config_bad(reading, line,
		    "fleet_prefix must begin and end with / and have at most "
		    "%d printable bytes; write %s",
		    PREFIX_MAX_BYTES, CONFIG_FLEET_PREFIX);
	return string_set(&reading->config->fleet.prefix, prefix);
}

static enum fault set_alone(struct config_reading *reading,
    const struct config_line *line)
{
	bool yes = strcmp(line->values[0], "yes") == 0;

	reading->config->fleet.alone = yes;
	return yes || strcmp(line->values[0], "no") == 0 ?
	    FAULT_NONE :
	    config_bad(reading, line, "fleet_alone must be yes or no");
}

static enum fault set_user(struct config_reading *reading,
    const struct config_line *line)
{
	if (!attr_is_login(span_of(line->values[0])))
		return config_bad(reading, line,
		    "fleet_user must be the name of a user of etcd; "
		    "'etcdctl user list' shows them");
	return string_set(&reading->config->fleet.user,
	    span_of(line->values[0]));
}

static enum fault set_file(struct config_reading *reading,
    const struct config_line *line, bool is_secret, char **slot)
{
	struct buf bytes = BUF_INIT(CONFIG_FILE_MAX_BYTES);
	enum fault fault = config_place(reading, line, slot);
	struct why why = { 0, "" };

	if (fault == FAULT_NONE) {
		fault = is_secret ?
		    safefile_read_secret(*slot, PASSWORD_MAX_BYTES, &bytes,
			&why) :
		    config_load(*slot, reading->source->owner, &bytes, &why);
		if (fault != FAULT_NONE && fault != FAULT_NOMEM)
			fault = config_note(reading, line, "%s: %s",
			    line->key->word, why.text);
	}
	buf_drop(&bytes);
	return fault;
}

enum fault config_set_fleet(struct config_reading *reading,
    const struct config_line *line)
{
	struct fleet_settings *fleet = &reading->config->fleet;
	const char *key = line->key->word + strlen("fleet");

	if (key[0] == '\0')
		return set_urls(reading, line);
	if (strcmp(key, "_prefix") == 0)
		return set_prefix(reading, line);
	if (strcmp(key, "_alone") == 0)
		return set_alone(reading, line);
	if (strcmp(key, "_user") == 0)
		return set_user(reading, line);
	if (strcmp(key, "_password_file") == 0)
		return set_file(reading, line, true, &fleet->password_file);
	if (strcmp(key, "_ca_file") == 0)
		return set_file(reading, line, false, &fleet->ca_file);
	if (strcmp(key, "_certificate") == 0)
		return set_file(reading, line, false, &fleet->certificate);
	return set_file(reading, line, true, &fleet->certificate_key);
}

/* One of two keys that need each other. */
static enum fault check_pair(const struct config_reading *reading,
    const char *one, const char *two)
{
	const struct config_line *has_one = config_find(reading, one);
	const struct config_line *has_two = config_find(reading, two);

	if ((has_one != NULL) == (has_two != NULL))
		return FAULT_NONE;
	return config_bad(reading, has_one != NULL ? has_one : has_two,
	    "%s and %s need each other; write %s as well", one, two,
	    has_one != NULL ? two : one);
}

enum fault config_check_fleet(struct config_reading *reading)
{
	const struct config_line *line = config_find(reading, "fleet");
	struct config *config = reading->config;
	enum fault fault;

	if (line == NULL) {
		for (line = reading->head;
		     (line = config_next(reading, line)) != NULL;)
			if (line->key->fill == config_set_fleet)
				return config_bad(reading, line,
				    "%s is of no use without a fleet; write "
				    "fleet etcd https://HOST:2379",
				    line->key->word);
		return FAULT_NONE;
	}
	if (config->keyring_key == NULL)
		return config_bad(reading, line,
		    "fleet needs a key that all relays have, so that etcd sees "
		    "no token; write keyring_key FILE");
	fault = check_pair(reading, "fleet_user", "fleet_password_file");
	if (fault == FAULT_NONE)
		fault = check_pair(reading, "fleet_certificate",
		    "fleet_certificate_key");
	if (fault == FAULT_NONE && config->fleet.prefix == NULL)
		fault = string_set(&config->fleet.prefix,
		    span_of(CONFIG_FLEET_PREFIX));
	return fault;
}
