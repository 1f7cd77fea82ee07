/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A token that a mail server refused is not served to that server's service
 * again; to others it is, because one mailbox without a permission must not
 * stop the rest.  No flood of reports makes more than one refresh a minute.
 */
#include "daemon/account_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

#define REFUSALS_MAX 8
#define TAKEN_MS     300000 /* a newer token without a complaint: it is over */

struct refusal {
	struct refusal *next;
	char *server; /* "": it was not said, so any */
	char *service;
	char serial[SERIAL_MAX_BYTES + 1];
	int64_t since_s;
	int64_t served_ms; /* boot time at which it got a newer one; 0 */
	unsigned n;
};

static void refusal_free(struct refusal *refusal)
{
	free(refusal->server);
	free(refusal->service);
	free(refusal);
}

void refusals_free(struct account *account)
{
	struct refusal *refusal;

	while ((refusal = account->refusals) != NULL) {
		account->refusals = refusal->next;
		refusal_free(refusal);
	}
}

static bool is_word(const char *word, struct span text)
{
	return strlen(word) == text.n &&
	    (text.n == 0 || strncasecmp(word, text.p, text.n) == 0);
}

/* Out of the list; NULL when it never refused anything. */
static struct refusal *take(struct account *account, struct span server,
    struct span service)
{
	struct refusal **at, *refusal;

	for (at = &account->refusals; (refusal = *at) != NULL;
	     at = &refusal->next) {
		if (!is_word(refusal->server, server) ||
		    !is_word(refusal->service, service))
			continue;
		*at = refusal->next;
		return refusal;
	}
	return NULL;
}

static struct refusal *make(struct span server, struct span service)
{
	struct refusal *refusal = calloc(1, sizeof(*refusal));

	if (refusal == NULL)
		return NULL;
	refusal->server = strndup(server.n > 0 ? server.p : "", server.n);
	refusal->service = strndup(service.n > 0 ? service.p : "", service.n);
	if (refusal->server == NULL || refusal->service == NULL) {
		refusal_free(refusal);
		return NULL;
	}
	refusal->since_s = clock_wall_s();
	return refusal;
}

/* The oldest gives way. */
static void put_first(struct account *account, struct refusal *refusal)
{
	struct refusal **at;
	unsigned n = 0;

	refusal->next = account->refusals;
	account->refusals = refusal;
	for (at = &account->refusals; *at != NULL && n < REFUSALS_MAX; n++)
		at = &(*at)->next;
	if (*at != NULL) {
		refusal_free(*at);
		*at = NULL;
	}
}

static void set_serial(struct refusal *refusal, const char *serial)
{
	(void)snprintf(refusal->serial, sizeof(refusal->serial), "%s", serial);
	refusal->served_ms = 0;
}

void refusals_resume(struct account *account)
{
	const struct entry *entry = account->entry;
	struct refusal *refusal;

	if (account->refusals != NULL || entry->rejected_serial == NULL)
		return;
	refusal = make(span_of(entry->rejected_server),
	    span_of(entry->rejected_service));
	if (refusal == NULL)
		return;
	refusal->n = 1;
	if (entry->rejected_s > 0)
		refusal->since_s = entry->rejected_s;
	set_serial(refusal, entry->rejected_serial);
	put_first(account, refusal);
}

/* What is not kept for want of memory is not known after a restart. */
void refusals_note(struct account *account)
{
	const struct refusal *last = account->refusals;
	struct entry *entry = account->entry;

	if (last == NULL)
		return;
	(void)!entry_set(&entry->rejected_serial, span_of(last->serial));
	(void)!entry_set(&entry->rejected_server, span_of(last->server));
	(void)!entry_set(&entry->rejected_service, span_of(last->service));
	entry->rejected_s = last->since_s;
}

/* One mailbox's complaint is not the others', who share the token. */
static bool is_shared(const struct account *account)
{
	return account->is_app && account->subject == NULL;
}

static bool is_current(const struct account *account,
    const struct refusal *refusal)
{
	const struct entry *entry = account->entry;

	return entry != NULL && entry->serial != NULL &&
	    strcmp(entry->serial, refusal->serial) == 0;
}

bool refusals_forbid(const struct account *account, struct span server,
    struct span service)
{
	const struct refusal *refusal;

	if (is_shared(account))
		return false;
	for (refusal = account->refusals; refusal != NULL;
	     refusal = refusal->next)
		if (is_current(account, refusal) &&
		    (refusal->server[0] == '\0' ||
			is_word(refusal->server, server)) &&
		    (refusal->service[0] == '\0' ||
			is_word(refusal->service, service)))
			return true;
	return false;
}

void refusals_served(struct account *account, struct span server,
    struct span service)
{
	struct refusal *refusal;

	for (refusal = account->refusals; refusal != NULL;
	     refusal = refusal->next)
		if (is_word(refusal->server, server) &&
		    is_word(refusal->service, service) &&
		    !is_current(account, refusal) && refusal->served_ms == 0)
			refusal->served_ms = clock_boot_ms();
}

void refusals_say(struct account *account, char *out, size_t out_bytes)
{
	struct refusal **at = &account->refusals, *refusal;
	char since[40], name[ACCOUNT_MAX_BYTES + 1];

	while ((refusal = *at) != NULL) {
		if (refusal->served_ms == 0 ||
		    clock_boot_ms() - refusal->served_ms < TAKEN_MS) {
			at = &refusal->next;
			continue;
		}
		*at = refusal->next;
		refusal_free(refusal);
	}
	refusal = account->refusals;
	out[0] = '\0';
	if (refusal == NULL)
		return;
	account_date(refusal->since_s, since);
	attr_plain(span_of(account->name), name, sizeof(name));
	(void)snprintf(out, out_bytes,
	    "%s%s%s%s refused the token %u times since %s%s: is the mailbox "
	    "%s that of who signed in, and is the permission for it granted? "
	    "If it was another's, run: mailtoken login %s",
	    refusal->server[0] != '\0' ? refusal->server : "a mail server",
	    refusal->service[0] != '\0' ? " (" : "", refusal->service,
	    refusal->service[0] != '\0' ? ")" : "", refusal->n, since,
	    refusal->next != NULL ? ", and others did" : "", name, name);
}

static void renew(struct account *account)
{
	struct now now = engine_now();
	struct account_answer unused;

	if (now.boot_ms - account->forced_ms < LIFE_RENEWALS_APART_S * 1000 ||
	    !account->may_renew || !asking_may_try(account, &now, &unused))
		return;
	account->forced_ms = now.boot_ms;
	exchange_want(account, false);
}

void account_rejected(struct account *account, struct span serial,
    struct span server, struct span service)
{
	struct refusal *refusal;
	char where[300];
	struct why why;
	bool stored;

	if (account_wake(account, &why) != FAULT_NONE ||
	    account->entry->serial == NULL ||
	    !span_is(serial, account->entry->serial))
		return;
	stored = account->entry->rejected_serial != NULL &&
	    span_is(serial, account->entry->rejected_serial);
	refusal = take(account, server, service);
	if (refusal == NULL)
		refusal = make(server, service);
	if (refusal == NULL)
		return;
	if (is_current(account, refusal) && !is_shared(account)) {
		put_first(account, refusal);
		return; /* known: the same token, from the same service */
	}
	refusal->n++;
	set_serial(refusal, account->entry->serial);
	put_first(account, refusal);
	attr_plain(server, where, sizeof(where));
	log_event(LOG_LEVEL_WARNING, "rejected",
	    "%s: %s%s%s refused the token %s; it is renewed", account->name,
	    server.n > 0 ? where : "a mail server",
	    refusal->service[0] != '\0' ? " " : "", refusal->service,
	    refusal->serial);
	refusals_note(account);
	if (!stored) /* once a token, whoever else refuses it */
		account_save(account, NULL);
	renew(account);
	account_tell(account);
}
