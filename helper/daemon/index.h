/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * index - names to pointers
 *
 * tsearch(3) behind a door of its own: <search.h> has a struct entry too.
 */
#ifndef MAILTOKEN_DAEMON_INDEX_H
#define MAILTOKEN_DAEMON_INDEX_H

#include "wire/fault.h"

/* Held by value in what is indexed; name stays the owner's. */
struct index_node {
	const char *name;
	void *value;
};

/* index_find - NULL when there is none.  root is NULL for an empty index. */
void *index_find(void *const *root, const char *name);

/* index_add - node is not copied.  FAULT_NOMEM. */
enum fault index_add(void **root, struct index_node *node) MUST_CHECK;

void index_remove(void **root, const struct index_node *node);

#endif
