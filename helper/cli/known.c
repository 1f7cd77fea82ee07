/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A tree by name for finding, a chain of the same for walking.
 */
#include "cli/known.h"

#include <search.h>
#include <stdlib.h>

#define STATE_BYTES 32

static const char empty[] = "empty", refreshing[] = "refreshing";

struct one {
	struct one *next;
	unsigned look; /* the last that saw it */
	bool ahead;    /* a look told what the helper may still tell */
	bool unsaved;
	char state[STATE_BYTES];
	char account[ACCOUNT_MAX_BYTES + 1];
};

struct known {
	void *tree;
	struct one *first;
	unsigned look;
	bool looked; /* once, to the end */
};

enum fault known_new(struct known **known_out)
{
	struct known *known = calloc(1, sizeof(*known));

	if (known == NULL)
		return FAULT_NOMEM;
	*known_out = known;
	return FAULT_NONE;
}

static int by_account(const void *a, const void *b)
{
	const struct one *left = a, *right = b;

	return strcmp(left->account, right->account);
}

void known_free(struct known *known)
{
	struct one *one;

	if (known == NULL)
		return;
	while ((one = known->first) != NULL) {
		known->first = one->next;
		(void)tdelete(one, &known->tree, by_account);
		free(one);
	}
	free(known);
}

static void copy(char *out, size_t out_bytes, struct span text)
{
	size_t n = text.n < out_bytes ? text.n : out_bytes - 1;

	if (n > 0)
		memcpy(out, text.p, n);
	out[n] = '\0';
}

static struct one *find(struct known *known, struct span account)
{
	struct one *one = calloc(1, sizeof(*one));
	struct one **found;

	if (one == NULL)
		return NULL;
	copy(one->account, sizeof(one->account), account);
	copy(one->state, sizeof(one->state), span_of(empty));
	found = tsearch(one, &known->tree, by_account);
	if (found == NULL || *found != one) {
		free(one);
		return found != NULL ? *found : NULL;
	}
	one->next = known->first;
	known->first = one;
	return one;
}

/* Whether that was new. */
static bool update(struct one *one, const struct attrs *list)
{
	bool unsaved = attr_is(list, ATTR_UNSAVED, "yes");
	char state[STATE_BYTES];

	copy(state, sizeof(state), attr_get(list, ATTR_STATE));
	if (one->unsaved == unsaved && strcmp(one->state, state) == 0)
		return false;
	one->unsaved = unsaved;
	memcpy(one->state, state, sizeof(one->state));
	return true;
}

enum fault known_change(struct known *known, const struct attrs *list,
    bool *news_out)
{
	struct one *one = find(known, attr_get(list, ATTR_ACCOUNT));

	if (one == NULL)
		return FAULT_NOMEM;
	*news_out = update(one, list) || !one->ahead;
	one->ahead = false;
	return FAULT_NONE;
}

void known_look(struct known *known)
{
	known->look++;
}

enum fault known_seen(struct known *known, const struct attrs *list,
    bool *news_out)
{
	struct one *one = find(known, attr_get(list, ATTR_ACCOUNT));

	if (one == NULL)
		return FAULT_NOMEM;
	one->look = known->look;
	*news_out = !attr_is(list, ATTR_STATE, refreshing) &&
	    update(one, list) && known->looked;
	one->ahead = *news_out;
	return FAULT_NONE;
}

const char *known_gone(struct known *known)
{
	struct one *one;

	known->looked = true;
	for (one = known->first; one != NULL; one = one->next) {
		if (one->look == known->look || strcmp(one->state, empty) == 0)
			continue;
		copy(one->state, sizeof(one->state), span_of(empty));
		one->unsaved = false;
		one->ahead = true;
		return one->account;
	}
	return NULL;
}
