/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The general keys, and the whole: those first, then providers, then accounts.
 */
#include <stdlib.h>

#include "daemon/config_impl.h"
#include "store/keyring.h"
#include "wire/address.h"
#include "wire/attr.h"

#define DAY_S		 86400
#define RENEW_IDLE_S	 (7 * DAY_S)
#define RENEW_IDLE_MIN_S 3600
#define RENEW_IDLE_MAX_S (80 * DAY_S)

static enum fault set_listen(struct config_reading *reading,
    const struct config_line *line)
{
	struct config *config = reading->config;
	struct address address;
	size_t i;

	if (line->n > CONFIG_LISTEN_MAX)
		return config_bad(reading, line,
		    "listen has more than %d sockets; take some away",
		    CONFIG_LISTEN_MAX);
	for (i = 0; i < line->n; i++) {
		const char *path = line->values[i];

		if (!config_is_path(path) || path[strlen(path) - 1] == '/' ||
		    address_set(path, &address) != FAULT_NONE)
			return config_bad(reading, line,
			    "listen must be a whole path of at most %d bytes "
			    "to a socket; write /run/mailtoken/socket",
			    ADDRESS_SOCKET_MAX_BYTES - 1);
		if (string_set(&config->listen[i], span_of(path)))
			return FAULT_NOMEM;
		config->n_listen++;
	}
	return FAULT_NONE;
}

static enum fault set_user(struct config_reading *reading,
    const struct config_line *line)
{
	if (line->values[0][0] == '\0')
		return config_bad(reading, line, "user is empty; write user %s",
		    MAILTOKEN_HELPER_USER);
	return string_set(&reading->config->user, span_of(line->values[0]));
}

static enum fault set_keyring(struct config_reading *reading,
    const struct config_line *line)
{
	if (!config_is_path(line->values[0]))
		return config_bad(reading, line,
		    "keyring must be a whole path that begins with /; write "
		    "%s",
		    address_system_keyring());
	return string_set(&reading->config->keyring, span_of(line->values[0]));
}

static enum fault set_keyring_key(struct config_reading *reading,
    const struct config_line *line)
{
	struct config *config = reading->config;
	struct config_line second = *line;
	enum fault fault;

	if (line->n > 2)
		return config_bad(reading, line,
		    "keyring_key has one file, or two: the new key's and the "
		    "old one's");
	fault = config_place(reading, line, &config->keyring_key);
	second.values++;
	return fault == FAULT_NONE && line->n == 2 ?
	    config_place(reading, &second, &config->keyring_old_key) :
	    fault;
}

static enum fault set_renew_idle(struct config_reading *reading,
    const struct config_line *line)
{
	static const char units[] = "smhd";
	static const int64_t units_s[] = { 1, 60, 3600, DAY_S };
	struct span number = span_of(line->values[0]);
	int64_t value_s, unit_s = 1;
	const char *unit = NULL;

	if (number.n > 1)
		unit = strchr(units, number.p[number.n - 1]);
	if (unit != NULL) {
		unit_s = units_s[unit - units];
		number.n--;
	}
	if (attr_number(number, 0, RENEW_IDLE_MAX_S, &value_s) != FAULT_NONE ||
	    (value_s != 0 &&
		(value_s * unit_s < RENEW_IDLE_MIN_S ||
		    value_s * unit_s > RENEW_IDLE_MAX_S)))
		return config_bad(reading, line,
		    "renew_idle must be from 1h to 80d, or 0 for never; write "
		    "7d");
	reading->config->renew_idle_s = value_s * unit_s;
	return FAULT_NONE;
}

static enum fault set_password_as_token(struct config_reading *reading,
    const struct config_line *line)
{
	bool yes = strcmp(line->values[0], "yes") == 0;

	reading->config->password_as_token = yes;
	return yes || strcmp(line->values[0], "no") == 0 ?
	    FAULT_NONE :
	    config_bad(reading, line, "password_as_token must be yes or no");
}

static enum fault set_log_level(struct config_reading *reading,
    const struct config_line *line)
{
	return log_level_from_word(line->values[0],
		   &reading->config->log_level) == FAULT_NONE ?
	    FAULT_NONE :
	    config_bad(reading, line,
		"log_level must be one of 'error', 'warning', 'notice', "
		"'info' and 'debug'");
}

static enum fault set_names(struct config_reading *reading,
    const struct config_line *line)
{
	return config_names(reading, line,
	    strcmp(line->key->word, "allow") == 0 ? &reading->config->allow :
						    &reading->config->admin);
}

static const struct config_key top_keys[] = {
	{ "keyring", CONFIG_ONE, set_keyring },
	{ "keyring_key", CONFIG_SOME, set_keyring_key },
	{ "user", CONFIG_ONE, set_user },
	{ "fleet", CONFIG_SOME, config_set_fleet },
	{ "fleet_prefix", CONFIG_ONE, config_set_fleet },
	{ "fleet_user", CONFIG_ONE, config_set_fleet },
	{ "fleet_password_file", CONFIG_ONE, config_set_fleet },
	{ "fleet_ca_file", CONFIG_ONE, config_set_fleet },
	{ "fleet_certificate", CONFIG_ONE, config_set_fleet },
	{ "fleet_certificate_key", CONFIG_ONE, config_set_fleet },
	{ "fleet_alone", CONFIG_ONE, config_set_fleet },
	{ "renew_idle", CONFIG_ONE, set_renew_idle },
	{ "password_as_token", CONFIG_ONE, set_password_as_token },
	{ "log_level", CONFIG_ONE, set_log_level },
	{ "listen", CONFIG_SOME, set_listen },
	{ "allow", CONFIG_ANY, set_names },
	{ "admin", CONFIG_SOME, set_names },
	{ "include", CONFIG_INCLUDE, NULL },
	{ "provider", CONFIG_BLOCK, NULL },
	{ "account", CONFIG_BLOCK, NULL },
	{ NULL, CONFIG_ONE, NULL },
};

static enum fault default_start(const struct config_reading *reading)
{
	struct config *config = reading->config;
	struct address address;

	if (config->user == NULL && !config->user_helper &&
	    string_set(&config->user, span_of(MAILTOKEN_HELPER_USER)))
		return FAULT_NOMEM;
	if (config->n_listen > 0)
		return FAULT_NONE;
	if (!config->user_helper)
		address_system_socket(&address);
	else if (address_user_socket(&address) != FAULT_NONE)
		return config_bad(reading, reading->head,
		    "listen is not set, and neither are XDG_RUNTIME_DIR and "
		    "HOME; write listen /PATH");
	if (string_set(&config->listen[0], span_of(address.path)))
		return FAULT_NOMEM;
	config->n_listen = 1;
	return FAULT_NONE;
}

/* Defaults take the place of what is wrong. */
static enum fault fill_start(struct config_reading *reading)
{
	const struct config_line *line = reading->head;

	while ((line = config_next(reading, line)) != NULL)
		if ((line->key->fill == set_user ||
			line->key->fill == set_listen) &&
		    line->key->fill(reading, line) == FAULT_NOMEM)
			return FAULT_NOMEM;
	return default_start(reading);
}

static enum fault fill_top(struct config_reading *reading)
{
	struct config *config = reading->config;
	const struct config_line *line = config_find(reading, "keyring");
	const char *keyring = reading->source->keyring;
	char of_user[ADDRESS_FILE_MAX_BYTES];
	struct why why;
	enum fault fault;

	config->renew_idle_s = RENEW_IDLE_S;
	config->log_level = LOG_LEVEL_INFO;
	config->password_as_token = config->user_helper;
	fault = config_fill(reading);
	if (fault == FAULT_NONE)
		fault = config_check_fleet(reading);
	if (fault == FAULT_NONE)
		fault = default_start(reading);
	if (fault != FAULT_NONE)
		return fault;
	if (keyring == NULL && line == NULL && !config->user_helper)
		keyring = address_system_keyring();
	if (keyring == NULL && line == NULL) {
		if (address_user_keyring(of_user) != FAULT_NONE)
			return config_bad(reading, reading->head,
			    "keyring is not set, and neither is HOME; write "
			    "keyring /PATH");
		keyring = of_user;
	}
	if (keyring != NULL && string_set(&config->keyring, span_of(keyring)))
		return FAULT_NOMEM;
	if (keyring_exposed(config->keyring, &why))
		return config_note(reading, line != NULL ? line : reading->head,
		    "%s", why.text);
	return FAULT_NONE;
}

static int by_name(const void *a, const void *b)
{
	const struct config_mark *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static enum fault add_blocks(struct config_reading *reading,
    enum config_kind kind)
{
	enum fault fault = FAULT_NONE;
	size_t i;

	for (i = 1; fault == FAULT_NONE && i < reading->n_lines; i++) {
		reading->head = &reading->lines[i];
		reading->hash = 0;
		if (reading->head->head != i || reading->head->kind != kind)
			continue;
		fault = kind == CONFIG_PROVIDER ? config_add_provider(reading) :
						  config_add_account(reading);
	}
	return fault;
}

static enum fault fill_all(struct config_reading *reading)
{
	struct config *config = reading->config;
	size_t n_providers = reading->n_blocks[CONFIG_PROVIDER];
	size_t n_accounts = reading->n_blocks[CONFIG_ACCOUNT];
	enum fault fault;

	config->marks = calloc(sizeof(top_keys) / sizeof(top_keys[0]) +
		n_providers + n_accounts,
	    sizeof(*config->marks));
	config->providers = calloc(n_providers + 1, sizeof(struct provider *));
	config->bad = calloc(n_providers + 1, sizeof(*config->bad));
	config->accounts = calloc(n_accounts + 1, sizeof(*config->accounts));
	if (config->marks == NULL || config->providers == NULL ||
	    config->bad == NULL || config->accounts == NULL)
		return FAULT_NOMEM;
	fault = fill_top(reading);
	/* Accounts refer to providers, and to each other. */
	if (fault == FAULT_NONE)
		fault = add_blocks(reading, CONFIG_PROVIDER);
	if (fault == FAULT_NONE)
		fault = add_blocks(reading, CONFIG_ACCOUNT);
	if (fault == FAULT_NONE)
		fault = config_check_accounts(reading);
	qsort(config->marks, config->n_marks, sizeof(*config->marks), by_name);
	access_list_sort(&config->known);
	return fault;
}

enum fault config_read(const struct config_source *source,
    struct config **config_out, struct why *why)
{
	struct config_reading reading = {
		.source = source,
		.keys = { top_keys, config_provider_keys, config_account_keys },
		.config = calloc(1, sizeof(*reading.config)),
		.why = why,
	};
	enum fault fault = FAULT_NOMEM;

	if (reading.config == NULL)
		return FAULT_NOMEM;
	reading.config->users = 1;
	reading.config->user_helper = source->user_helper;
	config_files_drop(source->files);
	if (string_set(&reading.config->path, span_of(source->path)))
		goto out;
	fault = config_lines(&reading);
	reading.head = reading.lines;
	if (fault == FAULT_NOT_FOUND)
		fault = source->may_be_missing ? FAULT_NONE :
						 FAULT_CONFIG_ERROR;
	if (source->start && fault != FAULT_NOMEM)
		fault = fill_start(&reading);
	else if (fault == FAULT_NONE)
		fault = fill_all(&reading);
	if (fault == FAULT_NONE) {
		*config_out = reading.config;
		reading.config = NULL;
	}
out:
	config_lines_drop(&reading);
	config_release(reading.config);
	return fault;
}
