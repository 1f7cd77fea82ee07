/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * presets - what is known about providers, as data: presets.conf
 *
 * Knows no rule.  No client id is among it: whoever runs the helper registers
 * an application of his own, or the helper does where the provider lets
 * anybody (RFC 7591).
 */
#ifndef MAILTOKEN_OAUTH_PRESETS_H
#define MAILTOKEN_OAUTH_PRESETS_H

#include "wire/span.h"

/* A line of that file.  A preset is the one of its name and those behind. */
struct preset {
	const char *key; /* "provider", then NAME is the value */
	const char *value;
};

/* preset_find - the preset of that name, or NULL; of none when it is NULL. */
const struct preset *preset_find(const char *name);

/* preset_value - of a key; NULL without one, and of the preset NULL;
 * preset_is - whether it is that. */
const char *preset_value(const struct preset *preset, const char *key);
bool preset_is(const struct preset *preset, const char *key, const char *value);

/*
 * preset_known_by - the name of the preset for mail addresses of domain, or
 * whose mail exchangers have the name mx; either may be empty; NULL: of none
 */
const char *preset_known_by(struct span domain, struct span mx);

/*
 * preset_of_host - the name of the preset whose token endpoint is on that
 * host, as url_host() writes it, or NULL
 */
const char *preset_of_host(const char *host);

#endif
