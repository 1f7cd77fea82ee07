/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A balanced tree in glibc and musl.
 */
#include "daemon/index.h"

#include <search.h>

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct index_node *)a)->name,
	    ((const struct index_node *)b)->name);
}

void *index_find(void *const *root, const char *name)
{
	struct index_node key = { .name = name };
	struct index_node *const *found = tfind(&key, root, compare);

	return found != NULL ? (*found)->value : NULL;
}

enum fault index_add(void **root, struct index_node *node)
{
	return tsearch(node, root, compare) != NULL ? FAULT_NONE : FAULT_NOMEM;
}

void index_remove(void **root, const struct index_node *node)
{
	(void)tdelete(node, root, compare);
}
