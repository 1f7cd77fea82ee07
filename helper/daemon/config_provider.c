/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Provider blocks: preset, values over it, the client secret from its file.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/config_read.h"
#include "store/safefile.h"

#define CLIENT_SECRET_MAX_BYTES 4096
#define PROVIDERS_MAX		256
#define NAME_MAX_BYTES		64

static bool is_name(const char *name)
{
	static const char legal[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	size_t n = strlen(name);

	return n >= 1 && n <= NAME_MAX_BYTES && strspn(name, legal) == n;
}

static enum fault make(const struct config_part *part,
    struct provider **provider_out)
{
	const char *title = part->block->title;
	const char *preset = config_text(part, "preset");
	enum fault fault;

	if (!is_name(title))
		return config_bad(part, NULL,
		    "a provider's name has 1 to %d letters, digits, '.', '_' "
		    "and '-'; write provider microsoft",
		    NAME_MAX_BYTES);
	if (config_provider(part->reading->config, title) != NULL)
		return config_bad(part, NULL,
		    "a second block for provider '%s'; keep one of the two",
		    title);
	if (preset == NULL && preset_find(title) != NULL)
		preset = title;
	fault = provider_new(title, preset, provider_out);
	if (fault != FAULT_NOT_FOUND)
		return fault;
	return config_bad(part, "preset",
	    "provider '%s': there is no preset '%.60s'; mailtoken.conf(5) "
	    "lists them, or take the line away and give the endpoints",
	    title, preset);
}

/* Lists among them are kept as words with blanks between them. */
static enum fault set_values(const struct config_part *part,
    struct provider *provider)
{
	static const char *const keys[] = {
		"issuer",
		"authorization_endpoint",
		"token_endpoint",
		"device_authorization_endpoint",
		"revocation_endpoint",
		"registration_endpoint",
		"client_id",
		"tenant",
		"cloud",
		"flow",
		"min_validity",
		"redirect_port",
		"redirect_uri",
		"ca_file",
		"ca_path",
		"proxy",
		"scope",
		"protocols",
		"servers",
	};
	enum fault fault = FAULT_NONE;
	char *value = NULL;
	struct why why;
	size_t i;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]) && fault == FAULT_NONE;
	     i++) {
		if (config_list(part, keys[i])->line == 0)
			continue;
		fault = config_join(part, keys[i], &value);
		if (fault == FAULT_NONE)
			fault = config_pass(part, keys[i],
			    provider_set(provider, keys[i], value, &why), &why);
	}
	free(value);
	return fault;
}

static enum fault add_extra(const struct config_part *part,
    struct provider *provider)
{
	const struct config_key *extra = config_list(part, "extra");
	enum fault fault = FAULT_NONE;
	struct why why;
	size_t i;

	for (i = 0; i < extra->n && fault == FAULT_NONE; i++)
		fault = config_pass(part, "extra",
		    provider_set(provider, "extra", extra->values[i], &why),
		    &why);
	return fault;
}

static enum fault set_secret(const struct config_part *part,
    struct provider *provider)
{
	struct buf bytes = BUF_INIT(CLIENT_SECRET_MAX_BYTES);
	struct secret *secret = NULL;
	enum fault fault;

	fault = config_secret_line(part, "client_secret_file", &bytes);
	if (fault == FAULT_NONE && bytes.n > 0)
		fault = secret_new(buf_span(&bytes), &secret);
	if (fault == FAULT_NONE && secret != NULL)
		fault = provider_set_secret(provider, secret);
	secret_free(secret);
	buf_drop(&bytes);
	return fault;
}

/* 0 or an errno. */
static int check_ca(const char *path, bool is_folder)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return errno;
	if (is_folder != S_ISDIR(st.st_mode))
		return is_folder ? ENOTDIR : EISDIR;
	return access(path, is_folder ? R_OK | X_OK : R_OK) == 0 ? 0 : errno;
}

static enum fault note_ca(const struct config_part *part, const char *key,
    const char *path, bool is_folder)
{
	enum fault fault;
	struct why why;
	int err;

	if (path == NULL)
		return FAULT_NONE;
	fault = config_files_add(part->reading->source->files, path);
	if (fault == FAULT_NONE)
		fault = config_note_file(part, key, path, is_folder);
	if (fault != FAULT_NONE)
		return fault;
	err = check_ca(path, is_folder);
	if (err == 0)
		return FAULT_NONE;
	safefile_say_shut(path, err, &why);
	return config_bad(part, key, "provider '%s': %s: %s",
	    part->block->title, key, why.text);
}

static enum fault build(const struct config_part *part,
    struct provider *provider)
{
	enum fault fault;
	struct why why;

	fault = set_values(part, provider);
	if (fault == FAULT_NONE)
		fault = add_extra(part, provider);
	if (fault == FAULT_NONE)
		fault = set_secret(part, provider);
	if (fault == FAULT_NONE)
		fault = config_app(part, provider);
	if (fault == FAULT_NONE)
		fault = note_ca(part, "ca_file", provider->ca_file, false);
	if (fault == FAULT_NONE)
		fault = note_ca(part, "ca_path", provider->ca_path, true);
	if (fault != FAULT_NONE)
		return fault;
	/* A relay needs no right to read mail. */
	fault = provider_finish(provider,
	    part->reading->config->user_helper ? NULL : "smtp", &why);
	return config_pass(part, NULL, fault, &why);
}

static enum fault add(const struct config_part *part)
{
	struct config *config = part->reading->config;
	struct provider *provider = NULL;
	enum fault fault;

	fault = config_whole(part);
	if (fault == FAULT_NONE)
		fault = make(part, &provider);
	if (fault == FAULT_NONE)
		fault = build(part, provider);
	if (fault == FAULT_NONE) {
		config->providers[config->n_providers++] = provider;
		provider = NULL;
	}
	provider_release(provider);
	return fault;
}

static enum fault set_aside(const struct config_part *part, enum fault fault)
{
	struct config *config = part->reading->config;
	struct config_bad *bad;

	bad = reallocarray(config->bad, config->n_bad + 1, sizeof(*bad));
	if (bad == NULL)
		return FAULT_NOMEM;
	config->bad = bad;
	bad += config->n_bad++;
	bad->name = bad->text = NULL;
	if (config_put(&bad->name, part->block->title))
		return FAULT_NOMEM;
	return config_set_aside(part, fault, &bad->text);
}

enum fault config_providers(struct config_reading *reading)
{
	struct config_part part = { .reading = reading };
	struct config *config = reading->config;
	enum fault fault = FAULT_NONE;
	size_t i;

	config->providers = calloc(PROVIDERS_MAX, sizeof(struct provider *));
	if (config->providers == NULL)
		return FAULT_NOMEM;
	for (i = 1; i < reading->tree.n_blocks && fault == FAULT_NONE; i++) {
		part.block = &reading->tree.blocks[i];
		if (part.block->kind != CONFIG_PROVIDER)
			continue;
		if (config->n_providers == PROVIDERS_MAX)
			return config_bad(&part, NULL,
			    "more than %d providers; take some away",
			    PROVIDERS_MAX);
		fault = add(&part);
		if (fault == FAULT_CONFIG_ERROR)
			fault = set_aside(&part, fault);
	}
	return fault;
}
