/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * config_impl - a configuration while it is read; for config_*.c only
 *
 *	file  = *line
 *	line  = [blanks] keyword *(blanks word) [blanks] ["#" comment] LF
 *	word  = 1*(any byte but blank, quote) / DQUOTE *(any / "\" any) DQUOTE
 *
 * A line at the margin is a general key or begins a block (provider NAME,
 * account NAME); an indented one belongs to the block above it.
 *
 * config_lines.c makes lines of the file and what it includes, refuses
 * keywords that there are not and what stands twice.  Each keyword's row says
 * what then fills in its value: config_read.c has those of the top level,
 * config_fleet.c some of these, config_provider.c and config_account.c those of
 * blocks.  config_part.c is what they share: complaints with file and line, the
 * files that are named.
 */
#ifndef MAILTOKEN_DAEMON_CONFIG_IMPL_H
#define MAILTOKEN_DAEMON_CONFIG_IMPL_H

#include "daemon/config.h"
#include "wire/buf.h"

#define CONFIG_FILE_MAX_BYTES 1048576
#define CONFIG_FILES_MAX      16
#define CONFIG_FLEET_PREFIX   "/mailtoken/"

enum config_kind {
	CONFIG_TOP,
	CONFIG_PROVIDER,
	CONFIG_ACCOUNT
};
#define CONFIG_KINDS 3

enum config_shape {
	CONFIG_ONE,   /* one value */
	CONFIG_SOME,  /* one or more */
	CONFIG_ANY,   /* none: nobody */
	CONFIG_LOGIN, /* [service] name; once a service */
	CONFIG_BLOCK, /* begins one */
	CONFIG_INCLUDE
};

struct config_reading;
struct config_line;
typedef enum fault config_fill_fn(struct config_reading *reading,
    const struct config_line *line);

struct config_key {
	const char *word; /* NULL: the last row */
	enum config_shape shape;
	config_fill_fn *fill; /* NULL: somebody else looks at it */
};

struct config_line {
	const struct config_key *key;
	enum config_kind kind; /* of its block */
	size_t head;	       /* index of the line that began its block */
	unsigned file;
	int line;      /* 0: of none; lines[0], head of the general keys */
	char **values; /* behind the keyword; a block's title */
	size_t n;
	char *trouble; /* of a block: what is wrong with a line in it */
};

struct config_reading {
	const struct config_source *source;
	const struct config_key *keys[CONFIG_KINDS];
	struct config *config; /* being made */
	struct why *why;
	struct {
		char *path;
		struct config_line named; /* where it is included */
		struct buf text;	  /* with a NUL behind each word */
		char **words;
	} files[CONFIG_FILES_MAX];
	unsigned n_files;
	struct config_line *lines; /* of all files */
	size_t n_lines;
	size_t n_blocks[CONFIG_KINDS];

	/* The block that is understood, and what it becomes. */
	const struct config_line *head;
	struct provider *provider;
	struct config_account *account;
	uint64_t hash;
};

/*
 * config_lines - fill lines from source's path and what it includes, noted in
 * source's files; what was understood before a fault is there
 *
 * FAULT_NOT_FOUND when path itself is not there; FAULT_CONFIG_ERROR;
 * FAULT_NOMEM.
 */
enum fault config_lines(struct config_reading *reading) MUST_CHECK;
void config_lines_drop(struct config_reading *reading);

/* config_next - the line behind line in the block, behind its head the first;
 * or NULL.  config_find - that of a keyword, or NULL. */
const struct config_line *config_next(const struct config_reading *reading,
    const struct config_line *line);
const struct config_line *config_find(const struct config_reading *reading,
    const char *word);

/* config_fill - all lines of the block, by their rows; into its hash, too. */
enum fault config_fill(struct config_reading *reading) MUST_CHECK;
void config_hash(struct config_reading *reading, struct span bytes);

/* config_bad - FAULT_CONFIG_ERROR, with "FILE:LINE: " and the text in why. */
enum fault config_bad(const struct config_reading *reading,
    const struct config_line *line, const char *format, ...)
    PRINTF_LIKE(3, 4) MUST_CHECK;

/* config_pass - the same of a fault that who knows no lines has told; no
 * fault and FAULT_NOMEM stay what they are. */
enum fault config_pass(const struct config_reading *reading,
    const struct config_line *line, enum fault fault,
    const struct why *why) MUST_CHECK;

/* config_note - a warning that stands at a line. */
enum fault config_note(const struct config_reading *reading,
    const struct config_line *line, const char *format, ...)
    PRINTF_LIKE(3, 4) MUST_CHECK;

/* config_set_aside - a block is bad with what stands in why: note that and go
 * on, where the source allows it; *text_out is a copy of it. */
enum fault config_set_aside(const struct config_reading *reading,
    enum fault fault, char **text_out) MUST_CHECK;

/* config_join - the values of a line, with blanks between them. */
enum fault config_join(const struct config_line *line, char **out) MUST_CHECK;

/* config_names - the users and groups of a list; unknown ones are noted. */
enum fault config_names(const struct config_reading *reading,
    const struct config_line *line, struct access_list *list) MUST_CHECK;

bool config_is_path(const char *path);

/* config_name_file - path, a file or folder, is about to be read: it is
 * watched, and the sandbox has to leave its folder open. */
enum fault config_name_file(const struct config_reading *reading,
    const struct config_line *line, const char *path) MUST_CHECK;

/* config_place - the file that a line names: a path, or "credential:NAME" of
 * systemd.exec(5) as the path it has here; named. */
enum fault config_place(const struct config_reading *reading,
    const struct config_line *line, char **path_out) MUST_CHECK;

/*
 * config_load - a file whole; out is empty and of limit CONFIG_FILE_MAX_BYTES
 *
 * owner  in: whose it may be, beside root's
 *
 * FAULT_NOT_FOUND; FAULT_CONFIG_ERROR for what is no plain file, is too
 * large, is another's, can be written by group or others or cannot be read;
 * FAULT_NOMEM.
 */
enum fault config_load(const char *path, uid_t owner, struct buf *out,
    struct why *why) MUST_CHECK;

/* config_set_fleet - what a row of fleet or fleet_... fills in.
 * config_check_fleet - when all have: what they need of each other. */
config_fill_fn config_set_fleet;
enum fault config_check_fleet(struct config_reading *reading) MUST_CHECK;

/* The rows of a block, and the block that begins at head: into the config, or
 * set aside. */
extern const struct config_key config_provider_keys[];
extern const struct config_key config_account_keys[];
enum fault config_add_provider(struct config_reading *reading) MUST_CHECK;
enum fault config_add_account(struct config_reading *reading) MUST_CHECK;

/* config_check_accounts - sort them; check what they refer to. */
enum fault config_check_accounts(struct config_reading *reading) MUST_CHECK;

#endif
