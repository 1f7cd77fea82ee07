/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The lines of presets.conf, made into C when this is built.
 */
#include "oauth/presets.h"

#include "oauth/url.h"

#define BLOCK "provider"

static const struct preset lines[] = {
#include "oauth/presets_lines.inc"
	{ NULL, NULL },
};

/* The next preset behind one; behind NULL the first. */
static const struct preset *next(const struct preset *preset)
{
	preset = preset == NULL ? lines : preset + 1;
	while (preset->key != NULL && strcmp(preset->key, BLOCK) != 0)
		preset++;
	return preset->key != NULL ? preset : NULL;
}

const char *preset_value(const struct preset *preset, const char *key)
{
	if (preset == NULL)
		return NULL;
	for (preset++; preset->key != NULL; preset++) {
		if (strcmp(preset->key, BLOCK) == 0)
			break;
		if (strcmp(preset->key, key) == 0)
			return preset->value;
	}
	return NULL;
}

bool preset_is(const struct preset *preset, const char *key, const char *value)
{
	return span_is(span_of(preset_value(preset, key)), value);
}

const struct preset *preset_find(const char *name)
{
	const struct preset *preset = NULL;

	while (name != NULL && (preset = next(preset)) != NULL)
		if (strcmp(preset->value, name) == 0)
			break;
	return preset;
}

const char *preset_known_by(struct span domain, struct span mx)
{
	const struct preset *preset = NULL;

	while ((preset = next(preset)) != NULL)
		if (url_is_listed(domain, preset_value(preset, "domains")) ||
		    url_is_listed(mx, preset_value(preset, "mx")))
			return preset->value;
	return NULL;
}

const char *preset_of_host(const char *host)
{
	const struct preset *preset = NULL;
	size_t n = strlen(host);
	const char *url;

	while ((preset = next(preset)) != NULL) {
		if (preset_is(preset, "old_token_host", host))
			return preset->value;
		url = preset_value(preset, "token_endpoint") +
		    strlen("https://");
		if (strncmp(url, host, n) == 0 && url[n] == '/')
			return preset->value;
	}
	return NULL;
}
