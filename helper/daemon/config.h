/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * config - mailtoken.conf(5): file to providers, accounts, access
 *
 * Read whole before anything changes; immutable and shared by counting
 * afterwards.  Unknown keys, duplicate keys and titles, wrong types are
 * errors with file, line and cure.
 */
#ifndef MAILTOKEN_DAEMON_CONFIG_H
#define MAILTOKEN_DAEMON_CONFIG_H

#include <sys/stat.h>

#include "daemon/log.h"
#include "daemon/peer.h"
#include "fleet/fleet.h"
#include "oauth/provider.h"

#define CONFIG_LISTEN_MAX 8
#define CONFIG_NOTES_MAX  32

/* SASL services that may have a login of their own: smtp, imap, pop. */
#define CONFIG_SERVICES 3

/* A block that cannot be used stops what depends on it, not the rest. */
struct config_bad {
	char *name;
	char *text; /* "FILE:LINE: what; cure" */
};

/* What may differ from one reading to the next: "allow", "provider x". */
struct config_mark {
	char *name;
	uint64_t hash; /* of what is written in it and in its files */
};

struct config_account {
	char *name;    /* folded; or "*@domain", or "*" */
	char *trouble; /* NULL: the block is good */
	char *provider;
	struct provider *app; /* ... which signs in for itself, or NULL */
	char *login;
	char *logins[CONFIG_SERVICES]; /* in place of login, or NULL */
	char *token_of;		       /* folded */
	char *servers;		       /* separated by blanks */
	bool has_allow;		       /* then allow replaces the general one */
	size_t head;		       /* of its lines, while it is read */
	struct access_list allow;
};

struct config {
	unsigned users;
	char *path;
	bool user_helper;
	char *listen[CONFIG_LISTEN_MAX];
	size_t n_listen;
	char *keyring;
	char *keyring_key;	     /* NULL: entries are plain */
	char *keyring_old_key;	     /* opens entries, too; NULL: none */
	struct fleet_settings fleet; /* no URLs: none */
	char *user;
	struct access_list allow;
	struct access_list admin;
	struct access_list known; /* all who stand in any list */
	int64_t renew_idle_s;
	bool password_as_token;
	enum log_level log_level;
	struct provider **providers; /* finished */
	size_t n_providers;
	struct config_bad *bad; /* providers that cannot be used */
	size_t n_bad;
	struct config_account *accounts; /* by name */
	size_t n_accounts;
	char *notes[CONFIG_NOTES_MAX]; /* warnings: names that do not exist */
	size_t n_notes;
	size_t n_missing;  /* names that do not exist */
	size_t n_troubles; /* blocks that cannot be used; notes say why */
	struct config_mark *marks; /* by name */
	size_t n_marks;
};

/* The files that were read, also by a reading that failed, and whether one of
 * them is another one now. */
struct config_files {
	char **paths;
	struct stat *seen; /* zero: it was not there, or could not be seen */
	size_t n;
};
/* config_files_add - path is about to be read: what is written in between is
 * found the next time.  FAULT_NOMEM. */
enum fault config_files_add(struct config_files *files,
    const char *path) MUST_CHECK;
bool config_files_changed(const struct config_files *files);
void config_files_drop(struct config_files *files);

struct config_source {
	const char *path;
	bool user_helper;	    /* defaults of a user's own helper */
	bool may_be_missing;	    /* a user helper works without a file */
	struct config_files *files; /* in/out: made anew; NULL: not noted */
	bool whole;		    /* one bad block makes all bad */
	uid_t owner;		    /* beside root: of the files */
	const char *keyring;	    /* in place of the file's, or NULL */
	bool start; /* user and listen alone, for who may not read what the
		       rest names; as far as the file can be understood, else
		       the defaults */
};

/*
 * config_read - FAULT_NONE; FAULT_CONFIG_ERROR with "FILE:LINE: what; cure"
 * in why (also for a file that is not there or cannot be read; with start only
 * when a user's helper has no default for listen); FAULT_NOMEM
 */
enum fault config_read(const struct config_source *source,
    struct config **config_out, struct why *why) MUST_CHECK;

struct config *config_share(struct config *config);
void config_release(struct config *config);

/* config_provider - by name, or NULL. */
struct provider *config_provider(const struct config *config, const char *name);

/* config_bad_provider, config_bad_account - why the provider of that name, or
 * what the account depends on, cannot be used; NULL when nothing is known. */
const char *config_bad_provider(const struct config *config, const char *name);
const char *config_bad_account(const struct config *config,
    const char *account);

/* config_account - the block for a folded account: exact, *@domain, *; or
 * NULL. */
const struct config_account *config_account(const struct config *config,
    const char *account);

/* config_service - the index of a SASL service in logins, or
 * CONFIG_SERVICES. */
size_t config_service(struct span service);

/* config_login - what block has for user= with that SASL service, or NULL. */
const char *config_login(const struct config_account *block,
    struct span service);

enum right {
	RIGHT_ANYBODY,
	RIGHT_ACCOUNT, /* whom its block lets in, else the general list */
	RIGHT_ADMIN,
	RIGHT_ROOT /* and the helper's own uid */
};

/* config_allows - the one decision (mailtoken.conf(5), ACCESS); account counts
 * with RIGHT_ACCOUNT.  config_is_known - whether peer stands in any list. */
bool config_allows(const struct config *config, enum right right,
    const char *account, struct peer *peer);
bool config_is_known(const struct config *config, struct peer *peer);

/*
 * config_compare - say for each thing that differs its name ("provider
 * microsoft", "allow", "listen") and whether only a restart changes it
 */
typedef void config_differs_fn(void *ctx, const char *what, bool restart);
void config_compare(const struct config *old, const struct config *new,
    config_differs_fn *differs, void *ctx);

#endif
