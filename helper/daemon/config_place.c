/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The files that a configuration names: where they are, what the sandbox has
 * to leave open for them.  Folders are noted and not files, because an edited
 * file is another one; of a link the folder that it leads to as well.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/config_read.h"
#include "store/safefile.h"
#include "wire/address.h"

#define CREDENTIAL "credential:"

bool config_is_path(const char *path)
{
	const char *p = path;

	while ((unsigned char)*p >= 0x20 && *p != 0x7f)
		p++;
	return path[0] == '/' && *p == '\0' &&
	    p - path < ADDRESS_FILE_MAX_BYTES;
}

static enum fault add_folder(struct config *config, const char *folder)
{
	size_t i;

	for (i = 0; i < config->n_folders; i++)
		if (strcmp(config->folders[i], folder) == 0)
			return FAULT_NONE;
	if (config->n_folders == CONFIG_FOLDERS_MAX)
		return FAULT_TOO_BIG;
	if (config_put(&config->folders[config->n_folders], folder))
		return FAULT_NOMEM;
	config->n_folders++;
	return FAULT_NONE;
}

static enum fault add_folder_of(struct config *config, const char *file)
{
	const char *slash = strrchr(file, '/');
	enum fault fault;
	char *folder;

	folder = slash == NULL ? strdup(".") :
	    slash == file      ? strdup("/") :
				 strndup(file, (size_t)(slash - file));
	if (folder == NULL)
		return FAULT_NOMEM;
	fault = add_folder(config, folder);
	free(folder);
	return fault;
}

static enum fault add_folders(struct config *config, const char *path,
    bool is_folder)
{
	enum fault fault;
	char *leads_to;

	if (is_folder)
		return add_folder(config, path);
	fault = add_folder_of(config, path);
	if (fault != FAULT_NONE)
		return fault;
	leads_to = realpath(path, NULL);
	if (leads_to == NULL)
		return errno == ENOMEM ? FAULT_NOMEM : FAULT_NONE;
	fault = add_folder_of(config, leads_to);
	free(leads_to);
	return fault;
}

enum fault config_note_file(const struct config_part *part, const char *key,
    const char *path, bool is_folder)
{
	enum fault fault;

	fault = add_folders(part->reading->config, path, is_folder);
	if (fault == FAULT_TOO_BIG)
		return config_bad(part, key,
		    "files in more than %d folders are named; put them "
		    "together",
		    CONFIG_FOLDERS_MAX);
	if (fault == FAULT_NONE && config_is_shut_out(path))
		return config_bad(part, key,
		    "%s is in a folder that was not named when the helper was "
		    "started; restart it",
		    path);
	return fault;
}

static enum fault resolve(const struct config_part *part, const char *key,
    const char *value, char **path_out)
{
	static const char legal[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	char path[ADDRESS_FILE_MAX_BYTES];
	const char *folder, *name;
	int n;

	if (strncmp(value, CREDENTIAL, strlen(CREDENTIAL)) != 0) {
		if (config_is_path(value))
			return config_put(path_out, value);
		return config_bad(part, key,
		    "%s must be a whole path that begins with /, or "
		    "credential:NAME",
		    key);
	}
	name = value + strlen(CREDENTIAL);
	if (name[0] == '\0' || name[0] == '.' ||
	    strspn(name, legal) != strlen(name))
		return config_bad(part, key,
		    "%s: a credential has a name of letters, digits, '.', '_' "
		    "and '-'; write credential:NAME",
		    key);
	folder = secure_getenv("CREDENTIALS_DIRECTORY");
	if (folder == NULL || folder[0] != '/')
		return config_bad(part, key,
		    "%s: no credentials were handed over; add "
		    "LoadCredential=%s:FILE to the unit and restart",
		    key, name);
	n = snprintf(path, sizeof(path), "%s/%s", folder, name);
	if (n < 0 || (size_t)n >= sizeof(path))
		return config_bad(part, key, "%s: the path is too long", key);
	return config_put(path_out, path);
}

enum fault config_place(const struct config_part *part, const char *key,
    char **path_out)
{
	const char *value = config_text(part, key);
	enum fault fault;

	if (value == NULL)
		return FAULT_NONE;
	fault = resolve(part, key, value, path_out);
	if (fault == FAULT_NONE)
		fault = config_files_add(part->reading->source->files,
		    *path_out);
	if (fault == FAULT_NONE)
		fault = config_note_file(part, key, *path_out, false);
	return fault;
}

enum fault config_secret(const struct config_part *part, const char *key,
    struct buf *out)
{
	struct why why = { 0, "" };
	char *path = NULL;
	enum fault fault;

	fault = config_place(part, key, &path);
	if (fault == FAULT_NONE && path != NULL) {
		fault = safefile_read_secret(path, out->max_bytes, out, &why);
		if (fault == FAULT_NONE && out->n == 0) {
			why_set(&why, 0,
			    "%s is empty: write the secret into it, or take "
			    "%s away",
			    path, key);
			fault = FAULT_CONFIG_ERROR;
		}
		if (fault != FAULT_NONE && fault != FAULT_NOMEM)
			fault = config_bad(part, key, "provider '%s': %s: %s",
			    part->block->title, key, why.text);
	}
	free(path);
	return fault;
}

/* What an editor may have put there is said, and no part of the secret. */
enum fault config_secret_line(const struct config_part *part, const char *key,
    struct buf *out)
{
	enum fault fault = config_secret(part, key, out);
	const char *file = config_text(part, key);
	size_t i;

	if (fault != FAULT_NONE || file == NULL)
		return fault;
	if (out->n >= 3 && memcmp(out->p, "\xef\xbb\xbf", 3) == 0)
		return config_bad(part, key,
		    "provider '%s': %s: %s begins with a byte order mark; take "
		    "it away: sed -i '1s/^\\xef\\xbb\\xbf//' %s",
		    part->block->title, key, file, file);
	for (i = 0; i < out->n; i++)
		if (((unsigned char)out->p[i] < 0x20 && out->p[i] != '\n') ||
		    out->p[i] == 0x7f)
			return config_bad(part, key,
			    "provider '%s': %s: %s has a control byte, as text "
			    "in UTF-16 has: save it as UTF-8 without a byte "
			    "order mark",
			    part->block->title, key, file);
	if (memchr(out->p, '\n', out->n) != NULL)
		return config_bad(part, key,
		    "provider '%s': %s: %s has more than one line; keep the "
		    "secret alone: a line end after it and nothing else",
		    part->block->title, key, file);
	if (provider_is_placeholder(buf_span(out)))
		return config_bad(part, key,
		    "provider '%s': %s: %s still has the placeholder of a "
		    "sample: write the real secret into it",
		    part->block->title, key, file);
	return FAULT_NONE;
}
