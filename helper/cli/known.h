/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * known - the last state of every account that watch has heard of
 *
 * Decides what is news: a change that came, and what a look at all accounts
 * shows after changes may have been missed.
 */
#ifndef MAILTOKEN_CLI_KNOWN_H
#define MAILTOKEN_CLI_KNOWN_H

#include "wire/attr.h"

struct known;

enum fault known_new(struct known **known_out) MUST_CHECK;
void known_free(struct known *known);

/*
 * known_change - a change that the helper told
 *
 * list      in: with an account and a state
 * news_out  out: false for one that a look has shown already
 *
 * FAULT_NOMEM; the same from the two below.
 */
enum fault known_change(struct known *known, const struct attrs *list,
    bool *news_out) MUST_CHECK;

/* known_look - begin to look at all accounts. */
void known_look(struct known *known);

/*
 * known_seen - one account of the look.  The first look is no news, nor is a
 * renewal that is under way: its end will be told.
 */
enum fault known_seen(struct known *known, const struct attrs *list,
    bool *news_out) MUST_CHECK;

/*
 * known_gone - the look is over: an account that was not in it and is news
 * for that, empty from now on; NULL when there is none or no more.  It must
 * be called until then.
 */
const char *known_gone(struct known *known);

#endif
