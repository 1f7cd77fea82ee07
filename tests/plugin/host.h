/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * host - what the files of the plugin's host program share: its options, its
 * output, and what makes it behave as one of the known programs (--style)
 */
#ifndef MAILTOKEN_TESTS_PLUGIN_HOST_H
#define MAILTOKEN_TESTS_PLUGIN_HOST_H

#include <sasl/sasl.h>
#include <stdbool.h>

#define CHALLENGES_MAX 16

struct host_options {
	const char *style, *mechs, *service, *fqdn;
	const char *user, *authzid, *password;
	const char *go_ahead, *challenges[CHALLENGES_MAX];
	int n_challenges;
	unsigned ext_ssf, min_ssf, flags, uid;
	unsigned repeat, threads, max_version;
	const char *chroot_dir, *plug, *library;
	bool no_fqdn, no_ir, no_prompts, no_pass, list_only, callback_interacts;
};

extern struct host_options host;

/* A line of what happened. */
void host_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The callbacks given to sasl_client_init(). */
extern const sasl_callback_t style_log_only[], style_prompting[];

bool style_is(const char *style);

/* Whether it has no callbacks that answer, only prompts. */
bool style_prompts(void);

/* Callbacks of one connection; room for 5. */
void style_callbacks(sasl_callback_t *at);

void style_answer(sasl_interact_t *prompt);

#endif
