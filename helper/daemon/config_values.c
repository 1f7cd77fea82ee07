/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The top level, and what all parts share: text to checked values, each
 * complaint with its line and what to write instead.
 */
#include "daemon/config_read.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "wire/address.h"
#include "wire/attr.h"

#define CREDENTIAL "credential:"

#define DAY_S		 86400
#define RENEW_IDLE_S	 (7 * DAY_S)
#define RENEW_IDLE_MIN_S 3600
#define RENEW_IDLE_MAX_S (80 * DAY_S)

static void position(const struct config_part *part, const char *key, char *out,
    size_t out_bytes)
{
	const struct config_scan *scan = &part->reading->scan;
	const struct config_key *at = NULL;

	if (key != NULL)
		at = config_scan_key(part->block, key);
	if (at != NULL)
		(void)snprintf(out, out_bytes, "%s:%d", scan->files[at->file],
		    at->line);
	else if (part->block->line > 0)
		(void)snprintf(out, out_bytes, "%s:%d",
		    scan->files[part->block->file], part->block->line);
	else
		(void)snprintf(out, out_bytes, "%s",
		    part->reading->source->path);
}

enum fault config_bad(const struct config_part *part, const char *key,
    const char *format, ...)
{
	char text[WHY_MAX_BYTES], at[ADDRESS_FILE_MAX_BYTES];
	va_list args;

	position(part, key, at, sizeof(at));
	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	why_set(part->reading->why, 0, "%s: %s", at, text);
	return FAULT_CONFIG_ERROR;
}

enum fault config_note(const struct config_part *part, const char *key,
    const char *format, ...)
{
	struct config *config = part->reading->config;
	char text[WHY_MAX_BYTES], at[ADDRESS_FILE_MAX_BYTES];
	struct why line;
	va_list args;

	if (config->n_notes == CONFIG_NOTES_MAX)
		return FAULT_NONE;
	position(part, key, at, sizeof(at));
	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	why_set(&line, 0, "%s: %s", at, text);
	if (config_put(&config->notes[config->n_notes], line.text))
		return FAULT_NOMEM;
	config->n_notes++;
	return FAULT_NONE;
}

enum fault config_put(char **slot, const char *text)
{
	char *copy = NULL;

	if (text != NULL) {
		copy = strdup(text);
		if (copy == NULL)
			return FAULT_NOMEM;
	}
	free(*slot);
	*slot = copy;
	return FAULT_NONE;
}

enum fault config_join(const struct config_part *part, const char *key,
    char **out)
{
	struct buf text = BUF_INIT(CONFIG_FILE_MAX_BYTES);
	unsigned i, n = cfg_size(part->values, key);
	enum fault fault;

	for (i = 0; i < n; i++) {
		if (i > 0)
			buf_add_lit(&text, " ");
		buf_add_str(&text, cfg_getnstr(part->values, key, i));
	}
	fault = buf_fault(&text);
	if (fault == FAULT_NONE)
		fault = config_put(out, text.p != NULL ? text.p : "");
	buf_drop(&text);
	return fault;
}

enum fault config_names(const struct config_part *part, const char *key,
    struct access_list *list)
{
	unsigned i, n = cfg_size(part->values, key);
	enum fault fault;
	char shown[64];

	for (i = 0; i < n; i++) {
		const char *name = cfg_getnstr(part->values, key, i);

		attr_plain(span_of(name), shown, sizeof(shown));
		if (name[0] == '\0' || strcmp(name, "@") == 0)
			return config_bad(part, key,
			    "%s has an empty name; write 'user' or '@group'",
			    key);
		fault = access_list_add(list, name);
		if (fault == FAULT_NOT_FOUND)
			fault = config_note(part, key,
			    "%s names %s '%s', which does not exist; make it "
			    "and reload, or take it away",
			    key, name[0] == '@' ? "the group" : "the user",
			    shown);
		if (fault != FAULT_NONE)
			return fault;
	}
	return FAULT_NONE;
}

static enum fault add_folder(struct config *config, const char *folder)
{
	size_t i;

	for (i = 0; i < config->n_folders; i++)
		if (strcmp(config->folders[i], folder) == 0)
			return FAULT_NONE;
	if (config->n_folders == CONFIG_FOLDERS_MAX)
		return FAULT_TOO_BIG;
	if (config_put(&config->folders[config->n_folders], folder))
		return FAULT_NOMEM;
	config->n_folders++;
	return FAULT_NONE;
}

static enum fault add_folder_of(struct config *config, const char *file)
{
	char folder[ADDRESS_FILE_MAX_BYTES];
	const char *slash = strrchr(file, '/');
	size_t n;

	if (slash == NULL)
		return add_folder(config, ".");
	n = slash > file ? (size_t)(slash - file) : 1;
	if (n >= sizeof(folder))
		return FAULT_TOO_BIG;
	memcpy(folder, file, n);
	folder[n] = '\0';
	return add_folder(config, folder);
}

static bool is_path(const char *path)
{
	size_t i, n = strlen(path);

	for (i = 0; i < n; i++)
		if ((unsigned char)path[i] < 0x20 || path[i] == 0x7f)
			return false;
	return path[0] == '/' && n < ADDRESS_FILE_MAX_BYTES;
}

enum fault config_note_file(const struct config_part *part, const char *key,
    const char *path, bool is_folder)
{
	struct config *config = part->reading->config;
	enum fault fault;

	fault = is_folder ? add_folder(config, path) :
			    add_folder_of(config, path);
	if (fault == FAULT_TOO_BIG)
		return config_bad(part, key,
		    "files in more than %d folders are named; put them "
		    "together",
		    CONFIG_FOLDERS_MAX);
	return fault;
}

enum fault config_resolve(const struct config_part *part, const char *key,
    const char *value, char **path_out)
{
	static const char legal[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	char path[ADDRESS_FILE_MAX_BYTES];
	const char *folder, *name;
	int n;

	if (strncmp(value, CREDENTIAL, strlen(CREDENTIAL)) != 0) {
		if (!is_path(value))
			return config_bad(part, key,
			    "%s must be a whole path that begins with '/', or "
			    "'credential:NAME'",
			    key);
		return config_put(path_out, value);
	}
	name = value + strlen(CREDENTIAL);
	if (name[0] == '\0' || name[0] == '.' ||
	    strspn(name, legal) != strlen(name))
		return config_bad(part, key,
		    "%s: a credential has a name of letters, digits, '.', '_' "
		    "and '-'; write 'credential:NAME'",
		    key);
	folder = secure_getenv("CREDENTIALS_DIRECTORY");
	if (folder == NULL || folder[0] != '/')
		return config_bad(part, key,
		    "%s: no credentials were handed over; add "
		    "LoadCredential=%s:FILE to the unit and restart",
		    key, name);
	n = snprintf(path, sizeof(path), "%s/%s", folder, name);
	if (n < 0 || (size_t)n >= sizeof(path))
		return config_bad(part, key, "%s: the path is too long", key);
	return config_put(path_out, path);
}

static enum fault set_listen(const struct config_part *part)
{
	struct config *config = part->reading->config;
	unsigned i, n = cfg_size(part->values, "listen");
	struct address address;

	for (i = 0; i < n; i++) {
		const char *path = cfg_getnstr(part->values, "listen", i);

		if (i == CONFIG_LISTEN_MAX)
			return config_bad(part, "listen",
			    "listen has more than %d sockets; take some away",
			    CONFIG_LISTEN_MAX);
		if (!is_path(path) || path[strlen(path) - 1] == '/' ||
		    address_set(ADDRESS_NAMED, path, &address) != FAULT_NONE)
			return config_bad(part, "listen",
			    "listen must be a whole path of at most %d bytes "
			    "to a socket; write '/run/mailtoken/socket'",
			    ADDRESS_SOCKET_MAX_BYTES - 1);
		if (config_put(&config->listen[config->n_listen], path))
			return FAULT_NOMEM;
		config->n_listen++;
	}
	return FAULT_NONE;
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
	const char *text = cfg_getstr(part->values, "renew_idle");
	struct span number = span_of(text);
	int64_t value_s, unit = 1;

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
		    "'7d'");
	part->reading->config->renew_idle_s = value_s * unit;
	return FAULT_NONE;
}

static enum fault set_words(const struct config_part *part)
{
	struct config *config = part->reading->config;
	const char *level = cfg_getstr(part->values, "log_level");
	const char *as_token = cfg_getstr(part->values, "password_as_token");
	int truth;

	if (level != NULL && log_level_from_word(level, &config->log_level))
		return config_bad(part, "log_level",
		    "log_level must be one of 'error', 'warning', 'notice', "
		    "'info' and 'debug'");
	if (as_token != NULL) {
		truth = cfg_parse_boolean(as_token);
		if (truth < 0)
			return config_bad(part, "password_as_token",
			    "password_as_token must be yes or no");
		config->password_as_token = truth != 0;
	}
	return FAULT_NONE;
}

static enum fault set_places(const struct config_part *part)
{
	struct config *config = part->reading->config;
	const char *keyring = cfg_getstr(part->values, "keyring");
	const char *key = cfg_getstr(part->values, "keyring_key");
	const char *user = cfg_getstr(part->values, "user");
	enum fault fault;

	if (keyring != NULL && !is_path(keyring))
		return config_bad(part, "keyring",
		    "keyring must be a whole path that begins with '/'; write "
		    "'%s'",
		    address_system_keyring());
	if (user != NULL && user[0] == '\0')
		return config_bad(part, "user", "user is empty; write '%s'",
		    MAILTOKEN_HELPER_USER);
	if ((keyring != NULL && config_put(&config->keyring, keyring)) ||
	    (user != NULL && config_put(&config->user, user)))
		return FAULT_NOMEM;
	if (key == NULL)
		return FAULT_NONE;
	fault = config_resolve(part, "keyring_key", key, &config->keyring_key);
	if (fault != FAULT_NONE)
		return fault;
	return config_note_file(part, "keyring_key", config->keyring_key,
	    false);
}

static enum fault set_defaults(struct config_reading *reading)
{
	struct config *config = reading->config;
	char keyring[ADDRESS_FILE_MAX_BYTES];

	config->renew_idle_s = RENEW_IDLE_S;
	config->log_level = LOG_LEVEL_INFO;
	config->user_helper = reading->source->user_helper;
	config->password_as_token = config->user_helper;
	if (!config->user_helper)
		return config_put(&config->keyring, address_system_keyring()) ?
		    FAULT_NOMEM :
		    config_put(&config->user, MAILTOKEN_HELPER_USER);
	if (cfg_size(reading->cfg, "keyring") == 0) {
		if (address_user_keyring(keyring) != FAULT_NONE) {
			why_set(reading->why, 0,
			    "%s: keyring is not set, and neither is HOME; "
			    "write keyring = '/PATH'",
			    reading->source->path);
			return FAULT_CONFIG_ERROR;
		}
		if (config_put(&config->keyring, keyring))
			return FAULT_NOMEM;
	}
	return FAULT_NONE;
}

static enum fault default_listen(struct config_reading *reading)
{
	struct config *config = reading->config;
	struct address address;

	if (config->n_listen > 0)
		return FAULT_NONE;
	if (!config->user_helper) {
		address_system_socket(&address);
	} else if (address_user_socket(&address) != FAULT_NONE) {
		why_set(reading->why, 0,
		    "%s: listen is not set, and neither are XDG_RUNTIME_DIR "
		    "and HOME; write listen = '/PATH'",
		    reading->source->path);
		return FAULT_CONFIG_ERROR;
	}
	if (config_put(&config->listen[0], address.path))
		return FAULT_NOMEM;
	config->n_listen = 1;
	return FAULT_NONE;
}

enum fault config_top(struct config_reading *reading)
{
	struct config *config = reading->config;
	struct config_part part = { reading, reading->cfg,
		&reading->scan.blocks[0] };
	enum fault fault;
	unsigned i;

	fault = set_defaults(reading);
	if (fault == FAULT_NONE)
		fault = set_listen(&part);
	if (fault == FAULT_NONE)
		fault = default_listen(reading);
	if (fault == FAULT_NONE)
		fault = set_places(&part);
	if (fault == FAULT_NONE)
		fault = set_renew_idle(&part);
	if (fault == FAULT_NONE)
		fault = set_words(&part);
	if (fault == FAULT_NONE)
		fault = config_names(&part, "allow", &config->allow);
	if (fault == FAULT_NONE)
		fault = config_names(&part, "admin", &config->admin);
	for (i = 0; fault == FAULT_NONE && i < reading->scan.n_files; i++)
		fault = config_note_file(&part, NULL, reading->scan.files[i],
		    false);
	return fault;
}
