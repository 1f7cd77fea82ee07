/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Each file is looked at before it is read: what is written in between is
 * found the next time.
 */
#include "daemon/config.h"

#include <stdlib.h>
#include <sys/stat.h>

struct config_file {
	char *path;
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec changed;
};

/* One that is not there, or cannot be seen, is all zero. */
static void look(struct config_file *file)
{
	struct stat st;

	memset(&st, 0, sizeof(st));
	if (stat(file->path, &st) != 0)
		memset(&st, 0, sizeof(st));
	file->dev = st.st_dev;
	file->ino = st.st_ino;
	file->size = st.st_size;
	file->changed = st.st_ctim;
}

static bool has_changed(const struct config_file *file)
{
	struct config_file now = { .path = file->path };

	look(&now);
	return now.dev != file->dev || now.ino != file->ino ||
	    now.size != file->size ||
	    now.changed.tv_sec != file->changed.tv_sec ||
	    now.changed.tv_nsec != file->changed.tv_nsec;
}

enum fault config_files_add(struct config_files *files, const char *path)
{
	struct config_file *more;
	size_t i;

	if (files == NULL)
		return FAULT_NONE;
	for (i = 0; i < files->n; i++)
		if (strcmp(files->at[i].path, path) == 0)
			return FAULT_NONE;
	more = reallocarray(files->at, files->n + 1, sizeof(*more));
	if (more == NULL)
		return FAULT_NOMEM;
	files->at = more;
	more += files->n;
	more->path = strdup(path);
	if (more->path == NULL)
		return FAULT_NOMEM;
	look(more);
	files->n++;
	return FAULT_NONE;
}

bool config_files_changed(const struct config_files *files)
{
	size_t i;

	for (i = 0; i < files->n; i++)
		if (has_changed(&files->at[i]))
			return true;
	return false;
}

void config_files_drop(struct config_files *files)
{
	size_t i;

	if (files == NULL)
		return;
	for (i = 0; i < files->n; i++)
		free(files->at[i].path);
	free(files->at);
	files->at = NULL;
	files->n = 0;
}
