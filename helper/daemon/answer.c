/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The lists that every verb may end with, and parts of others.
 */
#include "daemon/answer.h"

#include <stdio.h>

#define SERVERS_BYTES 4096

void answer_begin(struct attr_writer *writer, struct buf *out, const char *name,
    const char *value)
{
	attr_begin(writer, out, WIRE_FIRST);
	attr_put_str(writer, name, value);
}

void answer_text(struct attr_writer *writer, const char *name, const char *text)
{
	char plain[TEXT_MAX_BYTES];

	if (text == NULL || text[0] == '\0')
		return;
	attr_plain_rest(text, plain, sizeof(plain));
	attr_put_str(writer, name, plain);
}

/* One more name, if there is room for all of it. */
static void add_name(char list[SERVERS_BYTES], const char *before,
    const char *name)
{
	size_t n = strlen(list);
	int added = snprintf(list + n, SERVERS_BYTES - n, "%s%s%s",
	    n > 0 ? " " : "", before, name);

	if (added < 0 || (size_t)added >= SERVERS_BYTES - n)
		list[n] = '\0';
}

void answer_servers(struct attr_writer *writer, const struct provider *provider,
    const char *account, const char *more)
{
	const char *at = strrchr(account, '@');
	char list[SERVERS_BYTES] = "";

	if (provider->servers != NULL)
		add_name(list, "", provider->servers);
	else if (at != NULL) {
		add_name(list, "", at + 1);
		add_name(list, "*.", at + 1);
	}
	if (more != NULL && more[0] != '\0')
		add_name(list, "", more);
	if (list[0] != '\0')
		attr_put_str(writer, ATTR_SERVERS, list);
}

void answer_failed(struct buf *out)
{
	if (out->fault == FAULT_NOMEM)
		return;
	out->fault = FAULT_NONE;
	answer_fault(out, FAULT_INTERNAL, NULL, -1);
}

void answer_end(struct attr_writer *writer)
{
	if (attr_end(writer) != FAULT_NONE)
		answer_failed(writer->buf);
}

void answer_fault(struct buf *out, enum fault fault, const char *text,
    int64_t retry_after_s)
{
	struct attr_writer writer;

	answer_begin(&writer, out, ATTR_RESULT, fault_word(fault));
	answer_text(&writer, ATTR_TEXT,
	    text != NULL && text[0] != '\0' ? text : fault_text(fault));
	if (fault == FAULT_TRY_LATER && retry_after_s >= 0)
		attr_put_int(&writer, ATTR_RETRY_AFTER, retry_after_s);
	if (attr_end(&writer) != FAULT_NONE)
		return; /* sticks to out: the connection is closed */
}
