/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * One table says what a record holds; reading, writing, copying and freeing
 * walk it, so none of them can forget a field.  Its order is the order in
 * the file.
 */
#include "store/entry.h"

#include <stdio.h>
#include <stdlib.h>

#define NUMBER_MAX   INT64_C(253402300799) /* the year 9999 */
#define NUMBER_BYTES 24

enum kind {
	KIND_STRING,
	KIND_SECRET,
	KIND_NUMBER,
	KIND_STATE
};

static const char *const state_words[] = {
	[ENTRY_ACTIVE] = "active",
	[ENTRY_LOGIN_NEEDED] = "login-needed",
	[ENTRY_CONFIG_ERROR] = "config-error",
};

struct field {
	const char *name;
	enum kind kind;
	size_t at;
	bool (*is_legal)(struct span text); /* NULL: what a list can carry */
};

static bool is_some(struct span text)
{
	return text.n > 0;
}

static bool is_serial(struct span text)
{
	return attr_is_of(text, "0123456789abcdef", SERIAL_MAX_BYTES);
}

static bool is_cluster(struct span text)
{
	return attr_is_of(text, "0123456789abcdef", 16);
}

static bool is_refresh_token(struct span text)
{
	return attr_is_token(text, REFRESH_TOKEN_MAX_BYTES);
}

static bool is_access_token(struct span text)
{
	return attr_is_token(text, ACCESS_TOKEN_MAX_BYTES);
}

static bool is_number(struct span text)
{
	int64_t number;

	return attr_number(text, 0, NUMBER_MAX, &number) == FAULT_NONE;
}

#define STRING(name, member, is_legal) \
	{ \
		name, KIND_STRING, offsetof(struct entry, member), is_legal \
	}
#define SECRET(name, member, is_legal) \
	{ \
		name, KIND_SECRET, offsetof(struct entry, member), is_legal \
	}
#define NUMBER(name, member) \
	{ \
		name, KIND_NUMBER, offsetof(struct entry, member), is_number \
	}

static const struct field fields[] = {
	STRING(ATTR_ACCOUNT, account, attr_is_account),
	STRING(ATTR_LOGIN, login, attr_is_login),
	STRING(ATTR_PROVIDER, provider, is_some),
	STRING(ATTR_FLOW, flow, NULL),
	STRING("issuer", issuer, NULL),
	STRING(ATTR_TOKEN_HOST, token_host, NULL),
	STRING(ATTR_TENANT, tenant, NULL),
	STRING(ATTR_CLIENT_ID, client_id, NULL),
	STRING(ATTR_SERVERS, servers, NULL),
	STRING(ATTR_TOKEN_ENDPOINT, token_endpoint, NULL),
	STRING("device-authorization-endpoint", device_authorization_endpoint,
	    NULL),
	STRING("authorization-endpoint", authorization_endpoint, NULL),
	STRING("revocation-endpoint", revocation_endpoint, NULL),
	STRING(ATTR_PROTOCOLS, protocols, NULL),
	STRING("chosen-protocols", chosen_protocols, NULL),
	STRING(ATTR_SCOPE, scope, NULL),
	STRING("granted-scope", granted_scope, NULL),
	STRING(ATTR_IDENTITY, identity, NULL),
	STRING(ATTR_SERIAL, serial, is_serial),
	STRING("rejected-serial", rejected_serial, is_serial),
	STRING("rejected-server", rejected_server, NULL),
	STRING("rejected-service", rejected_service, NULL),
	STRING(ATTR_TEXT, text, NULL),
	STRING("failing", failing, NULL),
	STRING(ATTR_PROXY, proxy, NULL),
	STRING(ATTR_CA_FILE, ca_file, NULL),
	STRING(ATTR_CA_PATH, ca_path, NULL),
	STRING("fleet-cluster", fleet_cluster, is_cluster),
	SECRET(ATTR_REFRESH_TOKEN, refresh_token, is_refresh_token),
	SECRET("access-token", access_token, is_access_token),
	SECRET(ATTR_CLIENT_SECRET, client_secret, attr_is_client_secret),
	NUMBER(ATTR_EXPIRES, expires_s),
	NUMBER("granted", granted_s),
	NUMBER("refresh-in", refresh_in_s),
	NUMBER(ATTR_REFRESHED, refreshed_s),
	NUMBER(ATTR_GRANT_EXPIRES, grant_expires_s),
	NUMBER("signed-in", signed_in_s),
	NUMBER("asked", asked_s),
	NUMBER(ATTR_MARGIN, margin_s),
	NUMBER("rejected-since", rejected_s),
	NUMBER("registered", registered_s),
	NUMBER("failing-since", failing_s),
	NUMBER("not-before", not_before_s),
	NUMBER("client-secret-expires", client_secret_expires_s),
	NUMBER("client-secret-basic", secret_by_basic),
	NUMBER("fleet-revision", fleet_revision),
	NUMBER("fleet-unput", fleet_unput),
	NUMBER("fleet-put", fleet_put_s),
	{ ATTR_STATE, KIND_STATE, offsetof(struct entry, state), NULL },
};

#define FIELDS (sizeof(fields) / sizeof(fields[0]))

static void *slot(struct entry *entry, const struct field *field)
{
	return (char *)entry + field->at;
}

static const void *look(const struct entry *entry, const struct field *field)
{
	return (const char *)entry + field->at;
}

enum fault entry_new(struct entry **entry_out)
{
	struct entry *entry = calloc(1, sizeof(*entry));

	if (entry == NULL)
		return FAULT_NOMEM;
	*entry_out = entry;
	return FAULT_NONE;
}

void entry_free(struct entry *entry)
{
	size_t i;

	if (entry == NULL)
		return;
	for (i = 0; i < FIELDS; i++) {
		if (fields[i].kind == KIND_STRING) {
			char **string = slot(entry, &fields[i]);

			free(*string);
		} else if (fields[i].kind == KIND_SECRET) {
			struct secret **secret = slot(entry, &fields[i]);

			secret_free(*secret);
		}
	}
	secret_wipe(entry, sizeof(*entry));
	free(entry);
}

enum fault entry_copy(const struct entry *entry, struct entry **entry_out)
{
	struct entry *copy = NULL;
	enum fault fault;
	size_t i;

	fault = entry_new(&copy);
	for (i = 0; i < FIELDS && fault == FAULT_NONE; i++) {
		const void *value = look(entry, &fields[i]);
		struct secret *const *secret = value;
		void *to = slot(copy, &fields[i]);

		if (fields[i].kind == KIND_STRING)
			fault = string_set(to, span_of(*(char *const *)value));
		else if (fields[i].kind == KIND_NUMBER)
			memcpy(to, value, sizeof(int64_t));
		else if (fields[i].kind == KIND_SECRET && *secret != NULL)
			fault = secret_copy(*secret, to);
	}
	if (fault != FAULT_NONE) {
		entry_free(copy);
		return fault;
	}
	copy->state = entry->state;
	*entry_out = copy;
	return FAULT_NONE;
}

/* What it is in a list; p is NULL for what is left out. */
static struct span text_of(const struct entry *entry, const struct field *field,
    char digits[NUMBER_BYTES])
{
	const void *value = look(entry, field);
	struct secret *const *secret = value;
	const int64_t *number = value;

	switch (field->kind) {
	case KIND_STRING: return span_of(*(char *const *)value);
	case KIND_SECRET:
		if (*secret == NULL)
			break;
		return secret_reveal(*secret, "kept in the keyring");
	case KIND_NUMBER:
		if (*number == 0)
			break;
		(void)snprintf(digits, NUMBER_BYTES, "%lld",
		    (long long)*number);
		return span_of(digits);
	case KIND_STATE: return span_of(state_words[entry->state]);
	}
	return span_of(NULL);
}

void entry_put(const struct entry *entry, struct attr_writer *writer)
{
	char digits[NUMBER_BYTES];
	struct span text;
	size_t i;

	for (i = 0; i < FIELDS; i++) {
		text = text_of(entry, &fields[i], digits);
		if (text.p == NULL)
			continue;
		if (fields[i].is_legal != NULL && !fields[i].is_legal(text) &&
		    writer->buf->fault == FAULT_NONE)
			writer->buf->fault = FAULT_GRAMMAR;
		attr_put(writer, fields[i].name, text);
	}
}

enum fault entry_encode(const struct entry *entry, struct buf *buf)
{
	struct attr_writer writer;
	enum fault fault;

	if (entry->account == NULL || entry->provider == NULL)
		return FAULT_GRAMMAR;
	attr_begin(&writer, buf, WIRE_FIRST_ENTRY);
	entry_put(entry, &writer);
	fault = attr_end(&writer);
	if (fault == FAULT_NONE && buf->n - writer.start > ENTRY_MAX_BYTES) {
		secret_wipe(buf->p + writer.start, buf->n - writer.start);
		buf->n = writer.start;
		buf->fault = fault = FAULT_TOO_BIG;
	}
	return fault;
}

static enum fault take_field(const struct attrs *attrs,
    const struct field *field, struct entry *entry)
{
	struct span text = attr_get(attrs, field->name);
	unsigned state = ENTRY_ACTIVE;

	if (!attr_has(attrs, field->name))
		return FAULT_NONE;
	if (field->is_legal != NULL && !field->is_legal(text))
		return FAULT_GRAMMAR;
	switch (field->kind) {
	case KIND_STRING: return string_set(slot(entry, field), text);
	case KIND_SECRET: return secret_new(text, slot(entry, field));
	case KIND_NUMBER:
		return attr_number(text, 0, NUMBER_MAX, slot(entry, field));
	case KIND_STATE:
		while (!span_is(text, state_words[state]))
			if (++state > ENTRY_CONFIG_ERROR)
				return FAULT_GRAMMAR;
		entry->state = (enum entry_state)state;
	}
	return FAULT_NONE;
}

enum fault entry_take(const struct attrs *attrs, struct entry **entry_out)
{
	struct entry *entry = NULL;
	enum fault fault;
	size_t i;

	fault = entry_new(&entry);
	for (i = 0; i < FIELDS && fault == FAULT_NONE; i++)
		fault = take_field(attrs, &fields[i], entry);
	if (fault == FAULT_NONE &&
	    (entry->account == NULL || entry->provider == NULL))
		fault = FAULT_GRAMMAR;
	if (fault != FAULT_NONE) {
		entry_free(entry);
		return fault;
	}
	*entry_out = entry;
	return FAULT_NONE;
}

enum fault entry_decode(struct span list, struct entry **entry_out)
{
	struct attrs attrs;
	enum fault fault;

	if (list.n > ENTRY_MAX_BYTES)
		return FAULT_TOO_BIG;
	fault = attr_parse(list, WIRE_FIRST_ENTRY, &attrs);
	return fault != FAULT_NONE ? fault : entry_take(&attrs, entry_out);
}
