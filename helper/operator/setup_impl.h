/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * setup_impl - what the parts of "mailtoken setup ADDRESS" know of each other
 *
 * A bool that is false means that it cannot go on, which was told.
 */
#ifndef MAILTOKEN_OPERATOR_SETUP_IMPL_H
#define MAILTOKEN_OPERATOR_SETUP_IMPL_H

#include "cli/talk.h"
#include "oauth/presets.h"
#include "operator/setup.h"

#define CONF_WORD_MAX_BYTES 4096

/* mailtoken.conf as it is completed: what a human wrote stays. */
struct conf {
	struct setup *setup;
	char path[ADDRESS_FILE_MAX_BYTES];
	struct buf text;
	bool changed; /* by conf_put() */
};

/* conf_load - that of MAILTOKEN_CONFIG, else the system's or this user's; one
 * that is not there is empty. */
bool conf_load(struct setup *setup, struct conf *conf_out);

/*
 * conf_get - what stands behind a key, or the empty span
 *
 * head  in: the line that its block begins with, as "provider microsoft"; NULL
 *       for a general key
 * key   in: or several with blanks between, of which the last that stands
 *       there counts; NULL: not empty if there is such a block
 *
 * conf_only - the name of the only block of a kind, or empty
 * conf_put - say that, and have it stand there: at the end of its block, which
 * is made at the end of the file if need be; false when something else does.
 * Nothing to do for a value that is NULL or empty.
 */
struct span conf_get(const struct conf *conf, const char *head,
    const char *key);
struct span conf_only(const struct conf *conf, const char *kind);
bool conf_put(struct conf *conf, const char *head, const char *key,
    const char *value);

/* conf_put_words - the same of a general key with several words.
 * conf_cut - say that, and take the lines of these general keys away. */
bool conf_put_words(struct conf *conf, const char *key, const char *values);
void conf_cut(struct conf *conf, const char *keys);

/* conf_allow_postfix - have smtp(8) be let in, where root sets up and there
 * is a Postfix. */
bool conf_allow_postfix(struct setup *setup, struct conf *conf);

/* conf_folder - have the folder that it stands in.
 * conf_save - check it as the helper does, and write it if it was changed. */
bool conf_folder(struct setup *setup, const struct conf *conf);
bool conf_save(struct setup *setup, const struct conf *conf);

/* What has to be known of an account's provider. */
struct wanted {
	struct setup *setup;
	struct conf conf;
	/* Empty: not needed, or the file says it already. */
	struct buf provider, client_id, tenant, secret;
	char block[ACCOUNT_MAX_BYTES + 16]; /* "account ADDRESS" */
	char head[ACCOUNT_MAX_BYTES + 16];  /* "provider NAME" */
	const struct preset *preset;	    /* of the provider, or NULL */
	bool app_only;			    /* nobody signs in */
	bool make_certificate;
	bool to_upload; /* and it is not yet */
};

/*
 * account_ask - from the command line, the file, the mail exchangers, or who
 * sits there; in that order.  Changes nothing.
 * account_write - the folder, secrets, certificate, and mailtoken.conf
 */
bool account_ask(struct wanted *wanted);
bool account_write(struct wanted *wanted);

/*
 * cert_make - have a key, RSA of 3,072 bits, and its certificate, good for two
 * years, and print that, to be uploaded; a pair that is there is kept
 *
 * certificate, key  in: paths; the key is for its owner alone to read
 */
bool cert_make(struct setup *setup, const char *certificate, const char *key,
    uid_t owner);

/* units_owner - whose the files are that the helper alone may read. */
uid_t units_owner(const struct setup *setup);

/*
 * units_ask - a question to the helper and the one list that answers it,
 * untold; false when none did, and talk->why says why.  talk_close() is the
 * caller's.
 * units_start - have the helper's user, and the helper running, now and after
 * the next boot
 * units_restart - the same once more, after something was changed; jailed: with
 * the socket in Postfix's chroot
 * units_are - whether a unit "is-active" or "is-enabled"
 * units_left - note that the helper is to be started by hand, and how; inside:
 * its socket in Postfix's chroot, or NULL
 */
#define UNITS_SERVICE "mailtokend.service"
#define UNITS_SOCKET  "mailtoken.socket"
#define UNITS_JAIL    "mailtoken-postfix.socket"
bool units_ask(const struct setup *setup, struct talk *talk, const char *verb,
    const char *account);
bool units_start(struct setup *setup);
bool units_restart(const struct setup *setup, bool jailed);
bool units_are(const struct setup *setup, const char *what, const char *unit);
void units_left(struct setup *setup, const char *what, const char *inside);

/*
 * setup_is_program - whether there is something to be said of a mail program
 * setup_program - print what it needs, for setup->account or an example
 */
bool setup_is_program(const char *name);
enum outcome setup_program(struct setup *setup, const char *name);

/* setup_fleet - join the relays that share one keyring, or leave them */
enum outcome setup_fleet(struct setup *setup);

/* mail_test - have Postfix try what waits, and send a test message, if that is
 * agreed to; false when it did not get through, which was told and explained */
bool mail_test(struct setup *setup);

#endif
