/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * config_scan - a configuration file before libConfuse reads it
 *
 *	file  = *(assign / block / call)
 *	block = name title "{" *assign "}"
 *	assign = name "=" (value / "{" [value *("," value) [","]] "}")
 *	call  = name "(" value ")"
 *
 * Remembers where every key stands, so that a repeated one and a wrong value
 * are reported with their line, and blanks the comments out: libConfuse takes
 * them for values inside a list, reads the last assignment of several and
 * drops bytes it does not know.  Values are read by libConfuse alone.
 * Included by config_*.c only.
 */
#ifndef MAILTOKEN_DAEMON_CONFIG_SCAN_H
#define MAILTOKEN_DAEMON_CONFIG_SCAN_H

#include "wire/buf.h"

#define CONFIG_FILE_MAX_BYTES 1048576
#define CONFIG_FILES_MAX      16
#define CONFIG_BLOCKS_MAX     10000
#define CONFIG_KEYS_MAX	      32 /* of a block */
#define CONFIG_KEY_MAX_BYTES  48 /* with the NUL */

struct config_key {
	char name[CONFIG_KEY_MAX_BYTES];
	unsigned file; /* index into files */
	int line;
};

struct config_block {
	char kind[CONFIG_KEY_MAX_BYTES]; /* "" at top level */
	unsigned file;
	int line;
	size_t n_keys;
	struct config_key *keys;
};

struct config_scan {
	char *files[CONFIG_FILES_MAX];
	unsigned n_files;
	struct config_block *blocks; /* [0] is the top level of all files */
	size_t n_blocks;
};

/* config_scan_init - FAULT_NOMEM. */
enum fault config_scan_init(struct config_scan *scan) MUST_CHECK;
void config_scan_drop(struct config_scan *scan);

/*
 * config_scan_load - read a file whole; out is empty and of limit
 * CONFIG_FILE_MAX_BYTES
 *
 * FAULT_NOT_FOUND when there is none; FAULT_CONFIG_ERROR for what is no
 * plain file, is too large, can be written by everybody or cannot be read;
 * FAULT_NOMEM.
 */
enum fault config_scan_load(const char *path, struct buf *out,
    struct why *why) MUST_CHECK;

/*
 * config_scan_text - check the text of files[file] and note its keys;
 * comments in it become blanks
 *
 * FAULT_CONFIG_ERROR with "FILE:LINE: what; cure"; FAULT_NOMEM.
 */
enum fault config_scan_text(struct config_scan *scan, unsigned file,
    struct buf *text, struct why *why) MUST_CHECK;

/* config_scan_key - where a key of a block stands, or NULL. */
const struct config_key *config_scan_key(const struct config_block *block,
    const char *name);

#endif
