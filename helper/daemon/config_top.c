/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The top level: its defaults, and text to checked values.
 */
#include <stdlib.h>

#include "daemon/config_read.h"
#include "store/keydir.h"
#include "wire/address.h"
#include "wire/attr.h"

#define DAY_S		 86400
#define RENEW_IDLE_S	 (7 * DAY_S)
#define RENEW_IDLE_MIN_S 3600
#define RENEW_IDLE_MAX_S (80 * DAY_S)

static enum fault set_listen(const struct config_part *part)
{
	const struct config_key *listen = config_list(part, "listen");
	struct config *config = part->reading->config;
	struct address address;
	size_t i;

	if (listen->n > CONFIG_LISTEN_MAX)
		return config_bad(part, "listen",
		    "listen has more than %d sockets; take some away",
		    CONFIG_LISTEN_MAX);
	for (i = 0; i < listen->n; i++) {
		const char *path = listen->values[i];

		if (!config_is_path(path) || path[strlen(path) - 1] == '/' ||
		    address_set(path, &address) != FAULT_NONE)
			return config_bad(part, "listen",
			    "listen must be a whole path of at most %d bytes "
			    "to a socket; write /run/mailtoken/socket",
			    ADDRESS_SOCKET_MAX_BYTES - 1);
		if (config_put(&config->listen[i], path))
			return FAULT_NOMEM;
		config->n_listen++;
	}
	return FAULT_NONE;
}

static enum fault default_listen(const struct config_part *part)
{
	struct config *config = part->reading->config;
	struct address address;

	if (!config->user_helper)
		address_system_socket(&address);
	else if (address_user_socket(&address) != FAULT_NONE)
		return config_bad(part, NULL,
		    "listen is not set, and neither are XDG_RUNTIME_DIR and "
		    "HOME; write listen /PATH");
	if (config_put(&config->listen[0], address.path))
		return FAULT_NOMEM;
	config->n_listen = 1;
	return FAULT_NONE;
}

static enum fault set_user(const struct config_part *part)
{
	struct config *config = part->reading->config;
	const char *user = config_text(part, "user");
	bool empty = user != NULL && user[0] == '\0';

	if (user == NULL || empty)
		user = config->user_helper ? NULL : MAILTOKEN_HELPER_USER;
	if (config_put(&config->user, user))
		return FAULT_NOMEM;
	return empty ? config_bad(part, "user", "user is empty; write user %s",
			   MAILTOKEN_HELPER_USER) :
		       FAULT_NONE;
}

static enum fault set_keyring(const struct config_part *part)
{
	struct config *config = part->reading->config;
	const char *keyring = config_text(part, "keyring");
	char of_user[ADDRESS_FILE_MAX_BYTES];
	struct why why;

	if (keyring != NULL && !config_is_path(keyring))
		return config_bad(part, "keyring",
		    "keyring must be a whole path that begins with /; write "
		    "%s",
		    address_system_keyring());
	if (keyring == NULL && !config->user_helper)
		keyring = address_system_keyring();
	if (keyring == NULL) {
		if (address_user_keyring(of_user) != FAULT_NONE)
			return config_bad(part, NULL,
			    "keyring is not set, and neither is HOME; write "
			    "keyring /PATH");
		keyring = of_user;
	}
	if (part->reading->source->keyring != NULL)
		keyring = part->reading->source->keyring;
	if (config_put(&config->keyring, keyring))
		return FAULT_NOMEM;
	if (keydir_exposed(keyring, &why) &&
	    config_note(part, "keyring", "%s", why.text) != FAULT_NONE)
		return FAULT_NOMEM;
	return config_place(part, "keyring_key", &config->keyring_key);
}

static int64_t unit_s(char unit)
{
	switch (unit) {
	case 'm': return 60;
	case 'h': return 3600;
	case 'd': return DAY_S;
	default: return 1;
	}
}

static enum fault set_renew_idle(const struct config_part *part)
{
	const char *text = config_text(part, "renew_idle");
	struct span number = span_of(text != NULL ? text : "");
	int64_t value_s, unit = 1;

	part->reading->config->renew_idle_s = RENEW_IDLE_S;
	if (text == NULL)
		return FAULT_NONE;
	if (number.n > 1 && strchr("smhd", number.p[number.n - 1]) != NULL)
		unit = unit_s(number.p[--number.n]);
	if (attr_number(number, 0, RENEW_IDLE_MAX_S, &value_s) != FAULT_NONE ||
	    (value_s != 0 &&
		(value_s * unit < RENEW_IDLE_MIN_S ||
		    value_s * unit > RENEW_IDLE_MAX_S)))
		return config_bad(part, "renew_idle",
		    "renew_idle must be from 1h to 80d, or 0 for never; write "
		    "7d");
	part->reading->config->renew_idle_s = value_s * unit;
	return FAULT_NONE;
}

static enum fault set_words(const struct config_part *part)
{
	struct config *config = part->reading->config;
	const char *level = config_text(part, "log_level");
	const char *as_token = config_text(part, "password_as_token");

	config->log_level = LOG_LEVEL_INFO;
	if (level != NULL && log_level_from_word(level, &config->log_level))
		return config_bad(part, "log_level",
		    "log_level must be one of 'error', 'warning', 'notice', "
		    "'info' and 'debug'");
	config->password_as_token = as_token != NULL ?
	    strcmp(as_token, "yes") == 0 :
	    config->user_helper;
	if (as_token != NULL && !config->password_as_token &&
	    strcmp(as_token, "no") != 0)
		return config_bad(part, "password_as_token",
		    "password_as_token must be yes or no");
	return FAULT_NONE;
}

enum fault config_start(const struct config_part *top)
{
	struct config *config = top->reading->config;
	enum fault fault, of_listen;

	config->user_helper = top->reading->source->user_helper;
	fault = set_user(top);
	of_listen = set_listen(top);
	if (fault == FAULT_NONE)
		fault = of_listen;
	if (config->n_listen > 0 || fault == FAULT_NOMEM)
		return fault;
	of_listen = default_listen(top);
	return of_listen != FAULT_NONE ? of_listen : fault;
}

enum fault config_top(const struct config_part *top)
{
	struct config *config = top->reading->config;
	const struct config_tree *tree = &top->reading->tree;
	enum fault fault;
	unsigned i;

	fault = config_start(top);
	if (fault == FAULT_NONE)
		fault = set_keyring(top);
	if (fault == FAULT_NONE)
		fault = set_renew_idle(top);
	if (fault == FAULT_NONE)
		fault = set_words(top);
	if (fault == FAULT_NONE)
		fault = config_names(top, "allow", &config->allow);
	if (fault == FAULT_NONE)
		fault = config_names(top, "admin", &config->admin);
	for (i = 0; fault == FAULT_NONE && i < tree->n_files; i++)
		fault = config_note_file(top, NULL, tree->files[i], false);
	return fault;
}
