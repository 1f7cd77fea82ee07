/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * An array, the newest first.
 */
#include "daemon/refused.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

#define REFUSED_MAX 8
#define TAKEN_MS    300000

struct refused {
	char server[SERVER_MAX_BYTES + 1]; /* "": it was not said */
	char service[SERVICE_MAX_BYTES + 1];
	char serial[SERIAL_MAX_BYTES + 1];
	unsigned n; /* 0: the rest is unused */
	int64_t since_s;
	int64_t served_ms; /* boot time at which it got a newer one; 0 */
};

static bool is_word(const char *word, struct span text)
{
	return strlen(word) == text.n &&
	    (text.n == 0 || strncasecmp(word, text.p, text.n) == 0);
}

/* Of that service, made if need be and put first; the oldest gives way. */
static struct refused *first_of(struct refused **list, struct span server,
    struct span service)
{
	struct refused one = { .n = 0 };
	size_t i;

	if (*list == NULL)
		*list = calloc(REFUSED_MAX, sizeof(**list));
	if (*list == NULL)
		return NULL;
	for (i = 0; i < REFUSED_MAX - 1 && (*list)[i].n > 0; i++)
		if (is_word((*list)[i].server, server) &&
		    is_word((*list)[i].service, service))
			break;
	if (is_word((*list)[i].server, server) &&
	    is_word((*list)[i].service, service))
		one = (*list)[i];
	(void)snprintf(one.server, sizeof(one.server), "%.*s", (int)server.n,
	    server.n > 0 ? server.p : "");
	(void)snprintf(one.service, sizeof(one.service), "%.*s", (int)service.n,
	    service.n > 0 ? service.p : "");
	memmove(*list + 1, *list, i * sizeof(one));
	**list = one;
	return *list;
}

void refused_resume(struct refused **list, const struct entry *entry,
    int64_t now_s)
{
	struct refused *refused;

	if (*list != NULL || entry->rejected_serial == NULL)
		return;
	refused = first_of(list, span_of(entry->rejected_server),
	    span_of(entry->rejected_service));
	if (refused == NULL)
		return;
	refused->n = 1;
	refused->since_s = entry->rejected_s > 0 ? entry->rejected_s : now_s;
	(void)snprintf(refused->serial, sizeof(refused->serial), "%s",
	    entry->rejected_serial);
}

static bool is_over(const struct refused *refused, int64_t boot_ms)
{
	return refused->served_ms > 0 &&
	    boot_ms - refused->served_ms >= TAKEN_MS;
}

static bool is_current(const struct entry *entry, const struct refused *refused)
{
	return entry->serial != NULL &&
	    strcmp(entry->serial, refused->serial) == 0;
}

bool refused_add(struct refused **list, struct entry *entry,
    const struct refused_by *by)
{
	struct refused *refused = first_of(list, by->server, by->service);

	if (refused == NULL || (is_current(entry, refused) && !by->again))
		return false;
	if (is_over(refused, by->now.boot_ms))
		refused->n = 0;
	if (refused->n++ == 0)
		refused->since_s = by->now.wall_s;
	(void)snprintf(refused->serial, sizeof(refused->serial), "%s",
	    entry->serial);
	refused->served_ms = 0;
	/* What is not kept for want of memory is not known after a restart. */
	(void)!string_set(&entry->rejected_serial, span_of(refused->serial));
	(void)!string_set(&entry->rejected_server, span_of(refused->server));
	(void)!string_set(&entry->rejected_service, span_of(refused->service));
	entry->rejected_s = refused->since_s;
	return true;
}

/* Of the list, whose end is known by n; NULL is an empty one. */
static size_t count(const struct refused *list)
{
	size_t n = 0;

	while (list != NULL && n < REFUSED_MAX && list[n].n > 0)
		n++;
	return n;
}

bool refused_forbids(const struct refused *list, const struct entry *entry,
    struct span server, struct span service)
{
	size_t i, n = count(list);

	for (i = 0; i < n; i++)
		if (is_current(entry, &list[i]) &&
		    is_word(list[i].server, server) &&
		    is_word(list[i].service, service))
			return true;
	return false;
}

void refused_served(struct refused *list, const struct entry *entry,
    struct span server, struct span service, int64_t boot_ms)
{
	size_t i, n = count(list);

	for (i = 0; i < n; i++)
		if (is_word(list[i].server, server) &&
		    is_word(list[i].service, service) &&
		    !is_current(entry, &list[i]) && list[i].served_ms == 0)
			list[i].served_ms = boot_ms;
}

void refused_say(struct refused *list, const char *account, int64_t boot_ms,
    char *out, size_t out_bytes)
{
	char since[40], name[ACCOUNT_MAX_BYTES + 1];
	const struct refused *last = NULL;
	size_t i, n = count(list), others = 0;

	for (i = 0; i < n; i++) {
		if (is_over(&list[i], boot_ms))
			continue;
		others += last != NULL;
		last = last != NULL ? last : &list[i];
	}
	out[0] = '\0';
	if (last == NULL)
		return;
	refused_date(last->since_s, since);
	attr_plain(span_of(account), name, sizeof(name));
	(void)snprintf(out, out_bytes,
	    "%s%s%s%s refused the token %u times since %s%s: is the mailbox "
	    "%s that of who signed in, and is the permission for it granted? "
	    "If it was another's, run: mailtoken login %s",
	    last->server[0] != '\0' ? last->server : "a mail server",
	    last->service[0] != '\0' ? " (" : "", last->service,
	    last->service[0] != '\0' ? ")" : "", last->n, since,
	    others > 0 ? ", and others did" : "", name, name);
}

void refused_date(int64_t when_s, char out[40])
{
	time_t at = (time_t)when_s;
	struct tm utc;

	if (gmtime_r(&at, &utc) == NULL ||
	    strftime(out, 40, "%Y-%m-%d %H:%M UTC", &utc) == 0)
		(void)snprintf(out, 40, "a time unknown");
}
