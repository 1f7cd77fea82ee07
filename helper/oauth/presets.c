/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The rows of presets.conf, made into C when this is built.
 */
#include "oauth/presets.h"

static const struct preset presets[] = {
#include "oauth/presets_rows.inc"
};

#define N_PRESETS (sizeof(presets) / sizeof(presets[0]))

const struct preset *preset_at(size_t i)
{
	return i < N_PRESETS ? &presets[i] : NULL;
}

const struct preset *preset_find(const char *name)
{
	size_t i;

	for (i = 0; i < N_PRESETS; i++)
		if (strcmp(presets[i].name, name) == 0)
			return &presets[i];
	return NULL;
}

const struct preset *preset_in_cloud(const struct preset *preset,
    const char *cloud)
{
	size_t i;

	if (strcmp(cloud, "public") == 0)
		return preset->cloud_of == NULL ? preset : NULL;
	for (i = 0; i < N_PRESETS; i++)
		if (presets[i].cloud_of != NULL &&
		    strcmp(presets[i].cloud_of, preset->name) == 0 &&
		    strcmp(presets[i].cloud, cloud) == 0)
			return &presets[i];
	return NULL;
}
