/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Lists for programs, one write each.
 */
#include "cli/record.h"

#include "cli/json.h"
#include "cli/print.h"
#include "cli/text.h"

/* Room for escapes: a byte becomes at most six. */
#define RECORD_MAX_BYTES (8 * WIRE_LIST_MAX_BYTES)

void record_lines(struct buf *out, const struct attrs *attrs)
{
	size_t i;

	if (!attr_has(attrs, ATTR_EVENT))
		buf_add_lit(out, ATTR_EVENT "=" EVENT_DONE "\n");
	for (i = 1; i < attrs->n; i++) {
		buf_add(out, attrs->at[i].name);
		buf_add_lit(out, "=");
		text_plain(out, attrs->at[i].value);
		buf_add_lit(out, "\n");
	}
}

enum fault record_show(const struct command *command, const struct attrs *attrs,
    struct why *why)
{
	struct buf out = BUF_INIT(RECORD_MAX_BYTES);

	if (command->json) {
		json_object(&out, attrs);
		buf_add_lit(&out, "\n");
	} else {
		record_lines(&out, attrs);
	}
	return print_answer(&out, why);
}
