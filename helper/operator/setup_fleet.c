/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * mailtoken setup fleet: the keys of mailtoken.conf that make one keyring of
 * many relays', the key that all of them have, and the way back.
 */
#include <openssl/rand.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "operator/setup_impl.h"

#define KEY_BYTES    32
#define TRIES	     40
#define TRY_PAUSE_MS 500
#define KEYS \
	"fleet fleet_prefix fleet_user fleet_password_file fleet_ca_file " \
	"fleet_certificate fleet_certificate_key fleet_alone"

/* A file beside mailtoken.conf that the helper alone may read. */
static bool write_secret(struct setup *setup, const struct conf *conf,
    const char *leaf, struct span content, char path[ADDRESS_FILE_MAX_BYTES])
{
	const struct setup_file file = { path, content, 0600,
		units_owner(setup), getegid(), false, NULL };

	(void)snprintf(path, ADDRESS_FILE_MAX_BYTES, "%.*s/%s",
	    (int)(strrchr(conf->path, '/') - conf->path), conf->path, leaf);
	return content.n == 0 || setup_write(setup, &file);
}

/* The first relay makes it; one that is there came from there. */
static bool have_key(struct setup *setup, struct conf *conf)
{
	struct buf hex = BUF_INIT(2 * KEY_BYTES + 2);
	unsigned char key[KEY_BYTES];
	char path[ADDRESS_FILE_MAX_BYTES], pair[3];
	bool good = false;
	size_t i;

	if (conf_get(conf, NULL, "keyring_key").n > 0)
		return true;
	(void)write_secret(setup, conf, "keyring.key", span_of(""), path);
	if (access(path, F_OK) == 0)
		return conf_put(conf, NULL, "keyring_key", path);
	switch (setup_ask(setup, true,
	    "All relays need one key.  Is this the first one, and shall it be "
	    "made here?")) {
	case ANSWER_NONE: return false;
	case ANSWER_YES: break;
	case ANSWER_NO:
		screen_say("copy %s from the first relay, owned by %s, mode "
			   "600, then run this again",
		    path, MAILTOKEN_HELPER_USER);
		return false;
	}
	if (RAND_bytes(key, sizeof(key)) != 1) {
		screen_say("OpenSSL has no random bytes");
		return false;
	}
	for (i = 0; i < sizeof(key); i++) {
		(void)snprintf(pair, sizeof(pair), "%02x", key[i]);
		buf_add_str(&hex, pair);
	}
	buf_add_lit(&hex, "\n");
	explicit_bzero(key, sizeof(key));
	explicit_bzero(pair, sizeof(pair));
	good = buf_fault(&hex) == FAULT_NONE &&
	    write_secret(setup, conf, "keyring.key", buf_span(&hex), path) &&
	    conf_put(conf, NULL, "keyring_key", path);
	buf_drop(&hex);
	if (good)
		setup_left(setup,
		    "copy %s to the same place on each other relay, then run "
		    "this there; keep a copy where no backup of the keyring is",
		    path);
	return good;
}

static bool put_user(struct setup *setup, struct conf *conf)
{
	const struct command *command = setup->command;
	const char *file = command->password_file;
	struct buf password = BUF_INIT(CONF_WORD_MAX_BYTES);
	char path[ADDRESS_FILE_MAX_BYTES];
	bool good = true;

	if (command->fleet_user != NULL && file == NULL &&
	    conf_get(conf, NULL, "fleet_password_file").n == 0) {
		good = setup->dry_run ||
		    setup_input(setup, &password, "etcd's password",
			"--password-file", setup_hidden);
		good = good &&
		    write_secret(setup, conf, "etcd.password",
			buf_span(&password), path);
		file = path;
	}
	buf_drop(&password);
	return good &&
	    conf_put(conf, NULL, "fleet_user", command->fleet_user) &&
	    conf_put(conf, NULL, "fleet_password_file", file);
}

static bool put_all(struct setup *setup, struct conf *conf)
{
	const struct command *command = setup->command;
	struct buf urls = BUF_INIT(CONF_WORD_MAX_BYTES);
	bool good;
	size_t i;

	buf_add_lit(&urls, "etcd");
	for (i = 1; i < command->n_words; i++) {
		buf_add_lit(&urls, " ");
		buf_add_str(&urls, command->words[i]);
	}
	good = buf_fault(&urls) == FAULT_NONE && have_key(setup, conf) &&
	    conf_put(conf, NULL, "fleet_certificate_key",
		command->certificate_key) &&
	    conf_put(conf, NULL, "fleet_certificate", command->certificate) &&
	    conf_put(conf, NULL, "fleet_ca_file", command->ca_file) &&
	    put_user(setup, conf) && conf_put_words(conf, "fleet", urls.p);
	buf_drop(&urls);
	return good;
}

/* What it says of the fleet, once it is in step, or after a while. */
static bool is_in_step(struct setup *setup)
{
	bool answers = true, is = false;
	struct talk talk;
	int i;

	for (i = 0; i < TRIES && answers && !is; i++) {
		(void)poll(NULL, 0, i > 0 ? TRY_PAUSE_MS : 0);
		answers = units_ask(setup, &talk, VERB_VERSION, NULL);
		is = attr_is(&talk.list, ATTR_FLEET, "in-step");
		if (is || i == TRIES - 1)
			talk_fleet(&talk);
		talk_close(&talk);
	}
	if (!answers)
		screen_say("the helper does not answer (%s): start it, then "
			   "run this again",
		    talk.why.text);
	else if (!is)
		screen_say("this relay is not in step with the others: "
			   "\"mailtoken doctor\" says why");
	return is;
}

/* by_hand  out: it is left to who reads this */
static bool restart(struct setup *setup, const struct conf *conf, bool *by_hand)
{
	*by_hand = false;
	if (!conf->changed)
		return true;
	if (units_are(setup, "is-active", UNITS_SOCKET))
		return !setup_step(setup, "restart the helper") ||
		    units_restart(setup, false);
	setup_left(setup, "restart the helper; then see: mailtoken status");
	*by_hand = true;
	return true;
}

static bool leave(struct setup *setup, struct conf *conf)
{
	bool by_hand;

	if (conf_get(conf, NULL, "fleet").n == 0) {
		screen_print("%s has no fleet: nothing was changed.\n",
		    conf->path);
		return true;
	}
	switch (setup_ask(setup, true,
	    "A grant that two keyrings have dies.  Is this the last relay, "
	    "which keeps the grants?")) {
	case ANSWER_NONE: return false;
	case ANSWER_YES: break;
	case ANSWER_NO:
		screen_say("stop the helper and move its keyring away (see "
			   "\"mailtoken version\"), then run this again");
		return false;
	}
	conf_cut(conf, KEYS);
	return conf_save(setup, conf) && restart(setup, conf, &by_hand);
}

enum outcome setup_fleet(struct setup *setup)
{
	bool undo = setup->command->undo != NULL;
	struct conf conf;
	bool good, by_hand;

	if ((setup->command->n_words < 2) != undo)
		return command_usage(setup->command,
		    "setup fleet takes the addresses of etcd, such as "
		    "https://etcd1.example.com:2379, or --undo");
	if (!setup->root && setup->command->socket == NULL)
		setup->command->user = "yes";
	good = conf_load(setup, &conf);
	if (good && undo)
		good = leave(setup, &conf);
	else if (good)
		good = put_all(setup, &conf) && conf_folder(setup, &conf) &&
		    conf_save(setup, &conf) &&
		    restart(setup, &conf, &by_hand) &&
		    (setup->dry_run || by_hand || is_in_step(setup));
	if (setup->dry_run && setup->changed)
		screen_print("Nothing was changed.\n");
	else if (good && !setup->changed && !undo)
		screen_print("It is set up already: nothing was changed.\n");
	setup_say_left(setup);
	buf_drop(&conf.text);
	buf_drop(&setup->left);
	return good ? OUTCOME_DONE : OUTCOME_NO;
}
