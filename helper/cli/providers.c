/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * mailtoken providers: what is built in, to be read or to be pasted into
 * mailtoken.conf and changed.
 */
#include "cli/command.h"
#include "cli/json.h"
#include "cli/screen.h"
#include "wire/near.h"

#define OUT_MAX_BYTES 65536
#define NAME_COLUMNS  20

static const struct builtin {
	const char *name, *title;
	const char *keywords; /* the lines below "provider NAME" */
} builtins[] = {
#include "cli/presets_text.inc"
};

#define BUILTINS (sizeof(builtins) / sizeof(builtins[0]))

static void add_json(struct buf *out, const struct builtin *builtin)
{
	buf_add_lit(out, "{\"name\": ");
	json_string(out, span_of(builtin->name));
	buf_add_lit(out, ", \"title\": ");
	json_string(out, span_of(builtin->title));
	buf_add_lit(out, "}");
}

static void list_all(struct buf *out, bool json)
{
	size_t i;

	buf_add_str(out, json ? "[" : "");
	for (i = 0; i < BUILTINS; i++) {
		if (json) {
			buf_add_str(out, i > 0 ? ",\n " : "");
			add_json(out, &builtins[i]);
			continue;
		}
		screen_cut(out, span_of(builtins[i].name), NAME_COLUMNS);
		screen_line(out, "%s", builtins[i].title);
	}
	buf_add_str(out, json ? "]\n" : "");
}

static void show_one(struct buf *out, const struct builtin *builtin, bool json)
{
	if (json) {
		add_json(out, builtin);
		buf_add_lit(out, "\n");
		return;
	}
	screen_line(out, "# %s", builtin->title);
	screen_line(out, "provider %s", builtin->name);
	screen_line(out, "    preset %s", builtin->name);
	screen_line(out,
	    "    #client_id ID   (of the application that you registered)");
	buf_add_str(out, builtin->keywords);
}

static enum outcome refuse(const char *name)
{
	struct buf names = BUF_INIT(OUT_MAX_BYTES);
	struct span near;
	size_t i;

	for (i = 0; i < BUILTINS; i++) {
		buf_add_str(&names, builtins[i].name);
		buf_add_lit(&names, " ");
	}
	near = near_word(span_of(name), names.p != NULL ? names.p : "");
	if (near.n > 0)
		screen_say("there is no built-in provider %s; did you mean "
			   "\"mailtoken providers %.*s\"?",
		    name, SPAN(near));
	else
		screen_say("there is no built-in provider %s; \"mailtoken "
			   "providers\" lists them, and any other is set up "
			   "by its issuer or endpoints (mailtoken.conf(5))",
		    name);
	buf_drop(&names);
	return OUTCOME_NO;
}

enum outcome providers_run(struct command *command)
{
	struct buf out = BUF_INIT(OUT_MAX_BYTES);
	struct why why;
	size_t i;

	if (command->n_words == 0) {
		list_all(&out, command->json);
	} else {
		for (i = 0; i < BUILTINS; i++)
			if (strcmp(builtins[i].name, command->words[0]) == 0)
				break;
		if (i == BUILTINS)
			return refuse(command->words[0]);
		show_one(&out, &builtins[i], command->json);
	}
	if (screen_answer(&out, &why) == FAULT_NONE)
		return OUTCOME_DONE;
	screen_say("%s", why.text);
	return OUTCOME_NO;
}
