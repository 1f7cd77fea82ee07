/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What all blocks share: values by their key, complaints with their line.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/config_read.h"
#include "wire/address.h"
#include "wire/attr.h"

const struct config_key *config_list(const struct config_part *part,
    const char *key)
{
	return config_tree_key(part->block, key);
}

const char *config_text(const struct config_part *part, const char *key)
{
	const struct config_key *found = config_list(part, key);

	return found->n > 0 ? found->values[0] : NULL;
}

/* "FILE:LINE: " and the text. */
static void describe(const struct config_part *part, const char *key,
    const char *text, struct why *why)
{
	const struct config_tree *tree = &part->reading->tree;
	unsigned file = part->block->file;
	int line = part->block->line;

	if (key != NULL && config_list(part, key)->line > 0) {
		file = config_list(part, key)->file;
		line = config_list(part, key)->line;
	}
	if (line > 0)
		why_set(why, 0, "%s:%d: %s", tree->files[file], line, text);
	else
		why_set(why, 0, "%s: %s", part->reading->source->path, text);
}

enum fault config_bad(const struct config_part *part, const char *key,
    const char *format, ...)
{
	char text[WHY_MAX_BYTES];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	describe(part, key, text, part->reading->why);
	return FAULT_CONFIG_ERROR;
}

enum fault config_whole(const struct config_part *part)
{
	if (part->block->trouble == NULL)
		return FAULT_NONE;
	why_set(part->reading->why, 0, "%s", part->block->trouble);
	return FAULT_CONFIG_ERROR;
}

enum fault config_pass(const struct config_part *part, const char *key,
    enum fault fault, const struct why *why)
{
	if (fault == FAULT_NONE || fault == FAULT_NOMEM)
		return fault;
	return config_bad(part, key, "%s", why->text);
}

enum fault config_note(const struct config_part *part, const char *key,
    const char *format, ...)
{
	struct config *config = part->reading->config;
	char text[WHY_MAX_BYTES];
	struct why why;
	va_list args;

	if (config->n_notes == CONFIG_NOTES_MAX)
		return FAULT_NONE;
	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	describe(part, key, text, &why);
	if (config_put(&config->notes[config->n_notes], why.text))
		return FAULT_NOMEM;
	config->n_notes++;
	return FAULT_NONE;
}

enum fault config_set_aside(const struct config_part *part, enum fault fault,
    char **text_out)
{
	struct config *config = part->reading->config;
	struct why *why = part->reading->why;

	if (fault != FAULT_CONFIG_ERROR || part->reading->source->whole)
		return fault;
	if (config_put(text_out, why->text))
		return FAULT_NOMEM;
	config->n_troubles++;
	if (config->n_notes < CONFIG_NOTES_MAX) {
		if (config_put(&config->notes[config->n_notes], why->text))
			return FAULT_NOMEM;
		config->n_notes++;
	}
	why_set(why, 0, "%s", "");
	return FAULT_NONE;
}

enum fault config_put(char **slot, const char *text)
{
	char *copy;

	if (text == NULL)
		return FAULT_NONE;
	copy = strdup(text);
	if (copy == NULL)
		return FAULT_NOMEM;
	free(*slot);
	*slot = copy;
	return FAULT_NONE;
}

enum fault config_join(const struct config_part *part, const char *key,
    char **out)
{
	const struct config_key *list = config_list(part, key);
	struct buf text = BUF_INIT(CONFIG_FILE_MAX_BYTES);
	enum fault fault;
	size_t i;

	buf_add_lit(&text, "");
	for (i = 0; i < list->n; i++) {
		if (i > 0)
			buf_add_lit(&text, " ");
		buf_add_str(&text, list->values[i]);
	}
	fault = buf_fault(&text);
	if (fault == FAULT_NONE)
		fault = config_put(out, text.p);
	buf_drop(&text);
	return fault;
}

enum fault config_names(const struct config_part *part, const char *key,
    struct access_list *list)
{
	const struct config_key *names = config_list(part, key);
	enum fault fault;
	size_t i;

	for (i = 0; i < names->n; i++) {
		const char *name = names->values[i];

		if (name[0] == '\0' || strcmp(name, "@") == 0)
			return config_bad(part, key,
			    "%s has an empty name; write user or @group", key);
		fault = access_list_add(list, name);
		if (fault == FAULT_NOT_FOUND)
			part->reading->config->n_missing++;
		if (fault == FAULT_NOT_FOUND)
			fault = config_note(part, key,
			    "%s names %s '%.60s', which does not exist; make "
			    "it, or take it away",
			    key, name[0] == '@' ? "the group" : "the user",
			    name);
		if (fault != FAULT_NONE)
			return fault;
	}
	access_list_sort(list);
	return FAULT_NONE;
}
