/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * config_read - what the files that understand a configuration share
 *
 * From config_tree.h's tree config_top.c makes the top level of a struct
 * config, config_provider.c and config_app.c the providers, config_account.c
 * the accounts; config_part.c is what they have in common, config_place.c the
 * files that are named.  Included by config*.c only.
 */
#ifndef MAILTOKEN_DAEMON_CONFIG_READ_H
#define MAILTOKEN_DAEMON_CONFIG_READ_H

#include "daemon/config.h"
#include "daemon/config_tree.h"

struct config_reading {
	const struct config_source *source;
	struct config_tree tree;
	struct config *config; /* being made */
	struct why *why;
};

/* One block while it is understood. */
struct config_part {
	struct config_reading *reading;
	const struct config_block *block;
};

/* config_text - the value of a key, or NULL.  config_list - all of them. */
const char *config_text(const struct config_part *part, const char *key);
const struct config_key *config_list(const struct config_part *part,
    const char *key);

/* config_bad - FAULT_CONFIG_ERROR, with "FILE:LINE: " and the text in why;
 * without key the line is the block's. */
enum fault config_bad(const struct config_part *part, const char *key,
    const char *format, ...) PRINTF_LIKE(3, 4) MUST_CHECK;

/* config_whole - the same where a line of the block is bad. */
enum fault config_whole(const struct config_part *part) MUST_CHECK;

/* config_pass - the same of a fault that a file without lines has told; no
 * fault and FAULT_NOMEM stay what they are. */
enum fault config_pass(const struct config_part *part, const char *key,
    enum fault fault, const struct why *why) MUST_CHECK;

/* config_note - a warning that stands at a key. */
enum fault config_note(const struct config_part *part, const char *key,
    const char *format, ...) PRINTF_LIKE(3, 4) MUST_CHECK;

/* config_set_aside - a block is bad with what stands in why: note that and go
 * on, where the source allows it; *text_out is a copy of it. */
enum fault config_set_aside(const struct config_part *part, enum fault fault,
    char **text_out) MUST_CHECK;

/* config_put - a copy of text in place of *slot; NULL: leave it. */
enum fault config_put(char **slot, const char *text) MUST_CHECK;

/* config_join - the values of a list, with blanks between them. */
enum fault config_join(const struct config_part *part, const char *key,
    char **out) MUST_CHECK;

/* config_names - the users and groups of a list; unknown ones are noted. */
enum fault config_names(const struct config_part *part, const char *key,
    struct access_list *list) MUST_CHECK;

bool config_is_path(const char *path);

/* config_note_file - path is read: its folder, or itself, belongs to the
 * folders of the configuration. */
enum fault config_note_file(const struct config_part *part, const char *key,
    const char *path, bool is_folder) MUST_CHECK;

/*
 * config_place - the file that a key names, or NULL without that key: a path,
 * or "credential:NAME" of systemd.exec(5) as the path it has here; noted
 */
enum fault config_place(const struct config_part *part, const char *key,
    char **path_out) MUST_CHECK;

/* config_secret - the whole of the secret file that a key names; nothing
 * without that key.  config_secret_line - the same of a file of one line. */
enum fault config_secret(const struct config_part *part, const char *key,
    struct buf *out) MUST_CHECK;
enum fault config_secret_line(const struct config_part *part, const char *key,
    struct buf *out) MUST_CHECK;

/* config_app - the credentials of an application that signs in for itself,
 * before the provider is finished. */
enum fault config_app(const struct config_part *part,
    struct provider *provider) MUST_CHECK;

/* config_start - whom to become and where to listen; defaults take the place
 * of what is wrong, but it is told. */
enum fault config_start(const struct config_part *top) MUST_CHECK;
enum fault config_top(const struct config_part *top) MUST_CHECK;
enum fault config_providers(struct config_reading *reading) MUST_CHECK;
enum fault config_accounts(struct config_reading *reading) MUST_CHECK;

#endif
