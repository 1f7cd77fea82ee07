/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * mailtoken providers: what is built in, to be read or to be pasted into
 * mailtoken.conf and changed.
 */
#include "cli/command.h"
#include "cli/screen.h"
#include "wire/near.h"

#define NAMES_MAX_BYTES 4096
#define NAME_COLUMNS	20

static const struct builtin {
	const char *name, *title;
	const char *keywords; /* the lines below "provider NAME" */
} builtins[] = {
#include "cli/presets_text.inc"
};

#define BUILTINS (sizeof(builtins) / sizeof(builtins[0]))

static void add_json(const struct builtin *builtin)
{
	screen_add("{\"name\": ");
	json_string(span_of(builtin->name));
	screen_add(", \"title\": ");
	json_string(span_of(builtin->title));
	screen_add("}");
}

static void list_all(bool json)
{
	size_t i;

	for (i = 0; i < BUILTINS; i++) {
		if (json) {
			screen_add(i > 0 ? ",\n " : "[");
			add_json(&builtins[i]);
			continue;
		}
		screen_cut(span_of(builtins[i].name), NAME_COLUMNS);
		screen_print("%s\n", builtins[i].title);
	}
	screen_add(json ? "]\n" : "");
}

static void show_one(const struct builtin *builtin, bool json)
{
	if (json) {
		add_json(builtin);
		screen_add("\n");
		return;
	}
	screen_print("# %s\n", builtin->title);
	screen_print("provider %s\n", builtin->name);
	screen_print("    preset %s\n", builtin->name);
	screen_add(
	    "    #client_id ID   (of the application that you registered)\n");
	screen_add(builtin->keywords);
}

static enum outcome refuse(const char *name)
{
	struct buf names = BUF_INIT(NAMES_MAX_BYTES);
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
	const char *name = command->words[0];
	size_t i;

	if (name == NULL) {
		list_all(command->json != NULL);
		return OUTCOME_DONE;
	}
	for (i = 0; i < BUILTINS; i++)
		if (strcmp(builtins[i].name, name) == 0) {
			show_one(&builtins[i], command->json != NULL);
			return OUTCOME_DONE;
		}
	return refuse(name);
}
