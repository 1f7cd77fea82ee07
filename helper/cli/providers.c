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

static const struct builtin {
	const char *name, *title;
	const char *keywords; /* the lines below "provider NAME" */
} builtins[] = {
#include "cli/presets_text.inc"
};

#define BUILTINS (sizeof(builtins) / sizeof(builtins[0]))

static void show(const struct builtin *builtin, bool json)
{
	if (json) {
		screen_add("{\"name\": ");
		screen_json_string(span_of(builtin->name));
		screen_add(", \"title\": ");
		screen_json_string(span_of(builtin->title));
		screen_add("}");
		return;
	}
	screen_print("# %s\n", builtin->title);
	screen_print("provider %s\n", builtin->name);
	screen_print("    preset %s\n", builtin->name);
	screen_add("    #client_id ID   (of the application that you "
		   "registered)\n");
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
	bool json = command->json != NULL;
	size_t i, shown = 0;

	for (i = 0; i < BUILTINS; i++) {
		if (name != NULL && strcmp(builtins[i].name, name) != 0)
			continue;
		if (json && name == NULL)
			screen_add(shown > 0 ? ",\n " : "[");
		if (json || name != NULL)
			show(&builtins[i], json);
		else
			screen_print("%-20s%s\n", builtins[i].name,
			    builtins[i].title);
		shown++;
	}
	if (shown == 0)
		return refuse(name);
	if (json)
		screen_add(name != NULL ? "\n" : "]\n");
	return OUTCOME_DONE;
}
