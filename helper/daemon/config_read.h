/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * config_read - what the files that read a configuration share
 *
 * config_file.c gives the files to libConfuse; config_values.c turns the top
 * level into a struct config, config_provider.c the providers,
 * config_account.c the accounts.  Included by config*.c only.
 */
#ifndef MAILTOKEN_DAEMON_CONFIG_READ_H
#define MAILTOKEN_DAEMON_CONFIG_READ_H

#include <confuse.h>

#include "daemon/config.h"
#include "daemon/config_scan.h"

struct config_reading {
	const struct config_source *source;
	struct config_scan scan;
	cfg_t *cfg;
	struct config *config; /* being made */
	struct why *why;
};

/* One block while it is read: its values, and where they stand. */
struct config_part {
	struct config_reading *reading;
	cfg_t *values;
	const struct config_block *block;
};

/*
 * config_parse - read source.path and what it includes into scan and cfg
 *
 * FAULT_NOT_FOUND when the file itself is not there; FAULT_CONFIG_ERROR;
 * FAULT_NOMEM.
 */
enum fault config_parse(struct config_reading *reading) MUST_CHECK;

/* config_bad - FAULT_CONFIG_ERROR, with "FILE:LINE: " and the text in why;
 * key may be NULL: then the line is the block's. */
enum fault config_bad(const struct config_part *part, const char *key,
    const char *format, ...) PRINTF_LIKE(3, 4) MUST_CHECK;

/* config_note - a warning that stands at a key. */
enum fault config_note(const struct config_part *part, const char *key,
    const char *format, ...) PRINTF_LIKE(3, 4) MUST_CHECK;

/* config_put - a copy of text (NULL: nothing) in place of *slot. */
enum fault config_put(char **slot, const char *text) MUST_CHECK;

/* config_join - the values of a list, with blanks between them. */
enum fault config_join(const struct config_part *part, const char *key,
    char **out) MUST_CHECK;

/* config_names - the users and groups of a list; unknown ones are noted. */
enum fault config_names(const struct config_part *part, const char *key,
    struct access_list *list) MUST_CHECK;

/*
 * config_resolve - a path, or "credential:NAME" of systemd.exec(5) as the
 * path it has here
 */
enum fault config_resolve(const struct config_part *part, const char *key,
    const char *value, char **path_out) MUST_CHECK;

/* config_note_file - path is read: its folder, or itself, belongs to the
 * folders of the configuration. */
enum fault config_note_file(const struct config_part *part, const char *key,
    const char *path, bool is_folder) MUST_CHECK;

/* config_app - the credentials of an application that signs in for itself,
 * before the provider is finished. */
enum fault config_app(const struct config_part *part,
    struct provider *provider) MUST_CHECK;

enum fault config_top(struct config_reading *reading) MUST_CHECK;
enum fault config_providers(struct config_reading *reading) MUST_CHECK;
enum fault config_accounts(struct config_reading *reading) MUST_CHECK;

#endif
