/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The same differences in a list and in a line.
 */
#include "daemon/reload.h"

#include "daemon/answer.h"
#include "daemon/config.h"

struct differences {
	struct attr_writer writer;
	struct log_line line;
};

static void differs(void *ctx, const char *what, bool restart)
{
	struct differences *found = ctx;
	char plain[256];

	attr_plain(span_of(what), plain, sizeof(plain));
	attr_put_str(&found->writer,
	    restart ? ATTR_NEEDS_RESTART : ATTR_CHANGED, plain);
	log_str(&found->line, restart ? "needs-restart" : "changed", plain);
}

void reload_tell(const struct config *old, const struct config *config,
    const char *mended, struct buf *out)
{
	struct differences found;
	char plain[WHY_MAX_BYTES];
	size_t i;

	log_start(&found.line, LOG_LEVEL_NOTICE, "reload");
	attr_begin(&found.writer, out, WIRE_FIRST);
	attr_put_str(&found.writer, ATTR_RESULT, RESULT_OK);
	if (mended[0] != '\0')
		differs(&found, "configuration and keyring are good now",
		    false);
	for (i = 0; i < config->n_notes; i++) {
		attr_plain(span_of(config->notes[i]), plain, sizeof(plain));
		attr_put_str(&found.writer, ATTR_WARNING, plain);
	}
	if (old != NULL)
		config_compare(old, config, differs, &found);
	if (attr_end(&found.writer) != FAULT_NONE) {
		out->fault = FAULT_NONE;
		answer_ok(out);
	}
	log_end(&found.line);
}
