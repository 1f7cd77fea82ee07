/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Provider blocks: preset, values over it, the client secret from its file.
 */
#include "daemon/config_read.h"

#include <stdlib.h>
#include <unistd.h>

#include "store/safefile.h"
#include "wire/attr.h"

#define CLIENT_SECRET_MAX_BYTES 4096
#define PROVIDERS_MAX		256
#define NAME_MAX_BYTES		64

/* Said of a value by provider.c, which knows no lines. */
static enum fault pass_on(const struct config_part *part, const char *key,
    enum fault fault, const struct why *why)
{
	if (fault == FAULT_NONE || fault == FAULT_NOMEM)
		return fault;
	return config_bad(part, key, "%s", why->text);
}

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
	const char *title = cfg_title(part->values);
	const char *preset = cfg_getstr(part->values, "preset");
	enum fault fault;
	char shown[64];

	if (!is_name(title))
		return config_bad(part, NULL,
		    "a provider's name has 1 to %d letters, digits, '.', '_' "
		    "and '-'; write provider 'microsoft' { ... }",
		    NAME_MAX_BYTES);
	if (preset == NULL && provider_known(title))
		preset = title;
	fault = provider_new(title, preset, provider_out);
	if (fault != FAULT_NOT_FOUND)
		return fault;
	attr_plain(span_of(preset), shown, sizeof(shown));
	return config_bad(part, "preset",
	    "provider '%s': there is no preset '%s'; mailtoken-providers(7) "
	    "lists them, or take the line away and give the endpoints",
	    title, shown);
}

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
		"ca_file",
		"ca_path",
		"proxy",
	};
	enum fault fault = FAULT_NONE;
	struct why why;
	size_t i;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const char *value = cfg_getstr(part->values, keys[i]);

		if (value == NULL)
			continue;
		fault = pass_on(part, keys[i],
		    provider_set(provider, keys[i], value, &why), &why);
		if (fault != FAULT_NONE)
			break;
	}
	return fault;
}

/* Lists that a provider keeps as words with blanks between them. */
static enum fault set_lists(const struct config_part *part,
    struct provider *provider)
{
	static const char *const keys[] = { "scope", "protocols" };
	enum fault fault = FAULT_NONE;
	char *words = NULL;
	struct why why;
	size_t i;

	for (i = 0; i < 2 && fault == FAULT_NONE; i++) {
		if (config_scan_key(part->block, keys[i]) == NULL)
			continue;
		fault = config_join(part, keys[i], &words);
		if (fault == FAULT_NONE)
			fault = pass_on(part, keys[i],
			    provider_set(provider, keys[i], words, &why), &why);
	}
	free(words);
	return fault;
}

static enum fault add_extra(const struct config_part *part,
    struct provider *provider, const char *field)
{
	const char *eq = strchr(field, '=');
	enum fault fault;
	struct why why;
	char *name;

	if (eq == NULL || eq == field)
		return config_bad(part, "extra",
		    "provider '%s': extra needs a form field; write { "
		    "'name=value' }",
		    provider->name);
	name = strndup(field, (size_t)(eq - field));
	if (name == NULL)
		return FAULT_NOMEM;
	fault = provider_add_extra(provider, name, eq + 1, &why);
	free(name);
	return pass_on(part, "extra", fault, &why);
}

static enum fault add_lists(const struct config_part *part,
    struct provider *provider)
{
	unsigned i, n = cfg_size(part->values, "servers");
	enum fault fault = FAULT_NONE;
	struct why why;

	for (i = 0; i < n && fault == FAULT_NONE; i++)
		fault = pass_on(part, "servers",
		    provider_add_server(provider,
			cfg_getnstr(part->values, "servers", i), &why),
		    &why);
	n = cfg_size(part->values, "extra");
	for (i = 0; i < n && fault == FAULT_NONE; i++)
		fault = add_extra(part, provider,
		    cfg_getnstr(part->values, "extra", i));
	return fault;
}

static enum fault read_secret(const struct config_part *part, const char *path,
    struct provider *provider)
{
	struct buf bytes = BUF_INIT(CLIENT_SECRET_MAX_BYTES);
	struct secret *secret = NULL;
	struct why why = { 0, "" };
	enum fault fault;

	fault = safefile_read_secret(path, CLIENT_SECRET_MAX_BYTES, &bytes,
	    &why);
	if (fault != FAULT_NONE && fault != FAULT_NOMEM) {
		fault = config_bad(part, "client_secret_file",
		    "provider '%s': client_secret_file: %s", provider->name,
		    why.text);
		goto out;
	}
	if (fault == FAULT_NONE)
		fault = secret_new(buf_span(&bytes), &secret);
	if (fault == FAULT_NONE)
		fault = provider_set_secret(provider, secret);
out:
	secret_free(secret);
	buf_drop(&bytes);
	return fault;
}

static enum fault set_secret(const struct config_part *part,
    struct provider *provider)
{
	const char *value = cfg_getstr(part->values, "client_secret_file");
	enum fault fault;
	char *path = NULL;

	if (value == NULL)
		return FAULT_NONE;
	fault = config_resolve(part, "client_secret_file", value, &path);
	if (fault == FAULT_NONE)
		fault = config_note_file(part, "client_secret_file", path,
		    false);
	if (fault == FAULT_NONE)
		fault = read_secret(part, path, provider);
	free(path);
	return fault;
}

static enum fault note_ca(const struct config_part *part, const char *key,
    const char *path, bool is_folder)
{
	if (path == NULL)
		return FAULT_NONE;
	if (access(path, is_folder ? R_OK | X_OK : R_OK) != 0)
		return config_bad(part, key,
		    "%s is not there or cannot be read by uid %lu; name the CA "
		    "certificates in PEM form",
		    key, (unsigned long)geteuid());
	return config_note_file(part, key, path, is_folder);
}

static enum fault build(const struct config_part *part,
    struct provider *provider)
{
	enum fault fault;
	struct why why;

	fault = set_values(part, provider);
	if (fault == FAULT_NONE)
		fault = set_lists(part, provider);
	if (fault == FAULT_NONE)
		fault = add_lists(part, provider);
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
	return pass_on(part, NULL, fault, &why);
}

static enum fault add(const struct config_part *part)
{
	struct config *config = part->reading->config;
	struct provider *provider = NULL;
	enum fault fault;

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

enum fault config_providers(struct config_reading *reading)
{
	unsigned at = 0, n = cfg_size(reading->cfg, "provider");
	struct config_part part = { .reading = reading };
	enum fault fault = FAULT_NONE;
	size_t i;

	if (n == 0)
		return FAULT_NONE;
	reading->config->providers = calloc(n, sizeof(struct provider *));
	if (reading->config->providers == NULL)
		return FAULT_NOMEM;
	/* Blocks of a kind stand in the same order in both tables. */
	for (i = 1; i < reading->scan.n_blocks && fault == FAULT_NONE; i++) {
		part.block = &reading->scan.blocks[i];
		if (strcmp(part.block->kind, "provider") != 0)
			continue;
		if (at == PROVIDERS_MAX)
			return config_bad(&part, NULL,
			    "more than %d providers; take some away",
			    PROVIDERS_MAX);
		part.values = cfg_getnsec(reading->cfg, "provider", at++);
		fault = add(&part);
	}
	return fault;
}
