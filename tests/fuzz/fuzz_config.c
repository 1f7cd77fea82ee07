/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Configuration files: a helper starts with a whole configuration, or its
 * administrator reads which line is wrong.
 */
#include "daemon/config.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"

const char fuzz_name[] = "config";

static char path[] = "/tmp/mailtoken-fuzz-XXXXXX";
static int file = -1;

static void remove_file(void)
{
	(void)unlink(path);
}

static void write_file(struct span text)
{
	if (file < 0) {
		file = mkstemp(path);
		FUZZ_CHECK(file >= 0 && atexit(remove_file) == 0);
	}
	FUZZ_CHECK(ftruncate(file, 0) == 0);
	FUZZ_CHECK(
	    text.n == 0 || pwrite(file, text.p, text.n, 0) == (ssize_t)text.n);
}

static void check_config(struct config *config)
{
	struct peer nobody = { .uid = 65534, .pid = 1 };
	size_t i;

	FUZZ_CHECK(config->n_listen >= 1);
	FUZZ_CHECK(config->n_listen <= CONFIG_LISTEN_MAX);
	FUZZ_CHECK(config->keyring != NULL && config->renew_idle_s >= 0);
	FUZZ_CHECK(config->n_notes <= CONFIG_NOTES_MAX);
	for (i = 0; i < config->n_providers; i++)
		FUZZ_CHECK(config->providers[i]->token_endpoint != NULL);
	for (i = 0; i < config->n_accounts; i++)
		FUZZ_CHECK(
		    config_account(config, config->accounts[i].name) != NULL);
	for (i = 0; i < config->n_notes; i++)
		FUZZ_CHECK(fuzz_is_plain(config->notes[i]));
	(void)config_allows(config, RIGHT_ACCOUNT, "alice@example.org",
	    &nobody);
	peer_drop(&nobody);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct config_source source = { .path = path, .owner = geteuid() };
	struct config *config = NULL;
	struct why why = { 0, "" };
	enum fault fault;

	write_file(fuzz_span(bytes, n));
	fault = config_read(&source, &config, &why);
	if (fault == FAULT_NONE) {
		check_config(config);
		config_release(config);
		return 0;
	}
	FUZZ_CHECK(fault == FAULT_CONFIG_ERROR && config == NULL);
	FUZZ_CHECK(strncmp(why.text, path, strlen(path)) == 0);
	FUZZ_CHECK(fuzz_is_plain(why.text));
	return 0;
}
