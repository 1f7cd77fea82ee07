/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Loading, resting, saving, and saving again.
 */
#include "daemon/record.h"

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define SAVE_MIN_MS 1000
#define SAVE_MAX_MS 60000

static bool is_shared(const struct record *record)
{
	return record->engine->fleet != NULL && !record->in_memory;
}

/* Which shared record it comes from; memory knows better than the disk. */
static void read_base(struct record *record)
{
	const struct entry *entry = record->entry;

	record->base.known = true;
	record->base.revision = entry->fleet_revision;
	record->base.unput = entry->fleet_unput != 0;
	record->base.anew = entry->fleet_unput > 1;
	if (entry->fleet_cluster != NULL)
		record->base.cluster = strtoull(entry->fleet_cluster, NULL, 16);
}

static void write_base(const struct record *record)
{
	struct entry *entry = record->entry;
	char cluster[17];

	(void)snprintf(cluster, sizeof(cluster), "%" PRIx64,
	    record->base.cluster);
	(void)!string_set(&entry->fleet_cluster, span_of(cluster));
	entry->fleet_revision = record->base.revision;
	entry->fleet_unput = record->base.unput + record->base.anew;
}

void record_changed(struct record *record, bool anew)
{
	record->base.known = true;
	if (is_shared(record))
		fleet_put(record->engine->fleet, record->name, anew);
}

enum fault record_wake(struct record *record, struct why *why)
{
	enum fault fault;

	if (record->entry != NULL)
		return FAULT_NONE;
	fault = keyring_load(record->engine->keyring, span_of(record->name),
	    &record->entry, why);
	record->exists = fault != FAULT_NOT_FOUND;
	record->unread = record->exists && fault != FAULT_NONE;
	if (fault == FAULT_NONE && !record->base.known)
		read_base(record);
	return fault;
}

bool record_room(struct record *record, bool despite_read_only, struct why *why)
{
	const char *path = keyring_path(record->engine->keyring);
	enum fault fault;
	char text[320];

	if (record->in_memory)
		return true;
	fault = keyring_stage_new(record->engine->keyring,
	    span_of(record->name), &record->room, why);
	/* Somebody may have made it read-only on purpose. */
	if (fault == FAULT_READ_ONLY && despite_read_only)
		return true;
	if (fault == FAULT_NONE)
		return true;
	if (why->err == ENOSPC || why->err == EDQUOT)
		(void)snprintf(text, sizeof(text),
		    "the keyring's file system is full, so the token is not "
		    "renewed: make room (df -h %s; df -i %s)",
		    path, path);
	else
		(void)snprintf(text, sizeof(text),
		    "a new record could not be stored, so the token is not "
		    "renewed: %s",
		    why->text);
	why_set(why, 0, "%s", text);
	return false;
}

void record_no_room(struct record *record)
{
	keyring_stage_free(record->room);
	record->room = NULL;
}

/* For what an exchange has brought, or that it has brought nothing. */
static struct keyring_stage *take_room(struct record *record)
{
	struct keyring_stage *room = record->room;

	record->room = NULL;
	return room;
}

static void try_again(evutil_socket_t fd, short events, void *ctx)
{
	struct record *record = ctx;

	(void)fd;
	(void)events;
	record_save(record);
	record->stored(record->ctx);
}

/* A token that was rotated away must not be lost to a full disk. */
static void save_later(struct record *record)
{
	struct timeval delay;

	record->delay_ms = record->delay_ms == 0 ? SAVE_MIN_MS :
						   record->delay_ms * 2;
	if (record->delay_ms > SAVE_MAX_MS)
		record->delay_ms = SAVE_MAX_MS;
	if (record->engine->stopping)
		record->delay_ms = SAVE_MIN_MS;
	delay = clock_span(record->delay_ms);
	if (record->timer == NULL)
		record->timer = evtimer_new(record->engine->base, try_again,
		    record);
	if (record->timer != NULL)
		(void)evtimer_add(record->timer, &delay);
}

/* room: used up in any case. */
static void save(struct record *record, struct keyring_stage *room)
{
	struct why why = { .err = 0, .text = "" };

	if (record->in_memory)
		return;
	record->entry->asked_s = record->asked_s;
	if (is_shared(record))
		write_base(record);
	if (keyring_save(record->engine->keyring, record->entry, room, &why) !=
	    FAULT_NONE) {
		/* At every try: it must not be overlooked. */
		log_event(LOG_LEVEL_ERROR, "unsaved",
		    "%s: the newest record is in memory only, because %s; make "
		    "room or make the keyring writable, and do not stop the "
		    "helper before",
		    record->name, why.text);
		record->unsaved = true;
		save_later(record);
		return;
	}
	if (record->unsaved)
		log_event(LOG_LEVEL_NOTICE, "saved",
		    "%s: the record is on disk now", record->name);
	record->unsaved = false;
	record->delay_ms = 0;
	if (record->timer != NULL)
		(void)evtimer_del(record->timer);
}

void record_save(struct record *record)
{
	save(record, NULL);
}

void record_note(struct record *record, const char *text)
{
	struct why why = { .err = 0, .text = "" };

	if (record->in_memory)
		return;
	if (is_shared(record))
		write_base(record);
	if (string_set(&record->entry->text, span_of(text)) != FAULT_NONE ||
	    keyring_save(record->engine->keyring, record->entry,
		take_room(record), &why) != FAULT_NONE)
		log_event(LOG_LEVEL_WARNING, "unsaved",
		    "%s: its state could not be stored, because %s",
		    record->name, why.text);
}

static void swap(char **a, char **b)
{
	char *was = *a;

	*a = *b;
	*b = was;
}

void record_take(struct record *record, struct entry *next)
{
	struct entry *old = record->entry;

	/* A mail server may have refused the old token meanwhile. */
	swap(&next->rejected_serial, &old->rejected_serial);
	swap(&next->rejected_server, &old->rejected_server);
	swap(&next->rejected_service, &old->rejected_service);
	next->rejected_s = old->rejected_s;
	next->not_before_s = 0;
	record->entry = next;
	entry_free(old);
	record_changed(record, false);
	save(record, take_room(record));
}

enum fault record_rekey(struct record *record, struct why *why)
{
	enum fault fault = FAULT_NONE;

	/* What is in memory is newer, and was not put there by anybody. */
	if (record->entry == NULL)
		fault = keyring_rekey(record->engine->keyring,
		    span_of(record->name), why);
	if (fault != FAULT_NONE)
		return fault;
	record_changed(record, false); /* it is sealed there, too */
	if (record->entry == NULL)
		return FAULT_NONE;
	record_save(record);
	if (!record->unsaved)
		return FAULT_NONE;
	why_set(why, 0, "the keyring could not be written: see the log");
	return FAULT_IO;
}

enum fault record_erase(struct record *record, struct why *why)
{
	enum fault fault;

	fault = keyring_erase(record->engine->keyring, span_of(record->name),
	    why);
	/* It never reached the disk, or somebody deleted it there. */
	if (fault == FAULT_NOT_FOUND && record->exists)
		fault = FAULT_NONE;
	if (fault != FAULT_NONE)
		return fault;
	record->exists = record->unread = record->unsaved = false;
	record->base = (struct fleet_base){ .changes = record->base.changes + 1,
		.put = record->base.put };
	record->delay_ms = 0;
	record_free(record);
	return FAULT_NONE;
}

void record_rest(struct record *record)
{
	if (record->in_memory || record->unsaved)
		return;
	entry_free(record->entry);
	record->entry = NULL;
}

void record_free(struct record *record)
{
	record_no_room(record);
	entry_free(record->entry);
	record->entry = NULL;
	if (record->timer != NULL)
		event_free(record->timer);
	record->timer = NULL;
}
