/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A connection's context where the real libsasl2 cannot be made to fail:
 * memory that runs out, and what is left in memory that was given back.
 */
#include "mech.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "failing_malloc.h"
#include "scratch.h"
#include "test.h"

#define TOKEN	 "tok-0123456789abcdef-secret"
#define PASSWORD "pass-0123456789abcdef-0123456789abcdef-0123456789abcdef-end."
#define GOOD	 "mailtoken=1\nresult=ok\nlogin=me@x\ntoken=" TOKEN "\nserial=1\n\n"
#define UNKNOWN \
	"mailtoken=1\nresult=unknown-account\n" \
	"password-as-token=yes\n\n"

struct bed {
	char dir[SCRATCH_BYTES];
	int listener;
	pid_t pid;
	sasl_utils_t utils;
	sasl_client_params_t params;
	sasl_out_params_t oparams;
	char text[512];
	unsigned long interacts; /* the id that is prompted for */
};

static struct bed *the_bed;

static int give_name(void *context, int id, const char **result, unsigned *len)
{
	(void)context;
	(void)len;
	*result = id == SASL_CB_AUTHNAME ? "me@x" : "";
	return SASL_OK;
}

static int give_secret(sasl_conn_t *conn, void *context, int id,
    sasl_secret_t **secret)
{
	static union {
		sasl_secret_t secret;
		char room[sizeof(sasl_secret_t) + sizeof(PASSWORD "0123")];
	} kept;

	(void)conn;
	(void)context;
	(void)id;
	kept.secret.len = strlen(PASSWORD "0123");
	memcpy(kept.secret.data, PASSWORD "0123", kept.secret.len + 1);
	*secret = &kept.secret;
	return SASL_OK;
}

static int get_callback(sasl_conn_t *conn, unsigned long id,
    sasl_callback_ft *proc_out, void **context_out)
{
	(void)conn;
	*context_out = NULL;
	if (id == the_bed->interacts)
		return SASL_INTERACT;
	*proc_out = id == SASL_CB_PASS ?
	    (sasl_callback_ft)(uintptr_t)give_secret :
	    (sasl_callback_ft)(uintptr_t)give_name;
	return SASL_OK;
}

static void set_error(sasl_conn_t *conn, unsigned flags, const char *format,
    ...)
{
	va_list args;

	(void)conn;
	(void)flags;
	va_start(args, format);
	assert_string_equal(format, "%s");
	(void)snprintf(the_bed->text, sizeof(the_bed->text), "%s",
	    va_arg(args, const char *));
	va_end(args);
}

static int canon_user(sasl_conn_t *conn, const char *name, unsigned n,
    unsigned flags, sasl_out_params_t *oparams)
{
	(void)conn;
	(void)n;
	if ((flags & SASL_CU_AUTHID) != 0)
		oparams->authid = name;
	if ((flags & SASL_CU_AUTHZID) != 0)
		oparams->user = name;
	return SASL_OK;
}

static int setup(void **state)
{
	struct bed *bed = calloc(1, sizeof(*bed));
	char path[SCRATCH_BYTES];

	if (bed == NULL)
		return -1;
	scratch_new(bed->dir);
	scratch_path(bed->dir, "socket", path);
	bed->listener = -1;
	bed->utils.malloc = malloc;
	bed->utils.free = free;
	bed->utils.getcallback = get_callback;
	bed->utils.seterror = set_error;
	bed->params.utils = &bed->utils;
	bed->params.service = "smtp";
	bed->params.serverFQDN = "smtp.example.com";
	bed->params.canon_user = canon_user;
	bed->interacts = SASL_CB_LIST_END;
	the_bed = bed;
	*state = bed;
	return setenv("MAILTOKEN_SOCKET", path, 1);
}

static int teardown(void **state)
{
	struct bed *bed = *state;

	if (bed->pid > 0) {
		(void)kill(bed->pid, SIGKILL);
		(void)waitpid(bed->pid, NULL, 0);
	}
	if (bed->listener >= 0)
		(void)close(bed->listener);
	scratch_drop(bed->dir);
	free(bed);
	return 0;
}

static void answer_for_ever(int listener, struct span answer)
{
	char request[4096];
	int fd;

	for (;;) {
		fd = accept(listener, NULL, NULL);
		if (fd < 0)
			_exit(1);
		if (read(fd, request, sizeof(request)) > 0 &&
		    send(fd, answer.p, answer.n, MSG_NOSIGNAL) < 0)
			(void)close(fd);
		(void)close(fd);
	}
}

static void answer_with(struct bed *bed, struct span answer)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	const char *path = getenv("MAILTOKEN_SOCKET");

	assert_true(strlen(path) < sizeof(sun.sun_path));
	memcpy(sun.sun_path, path, strlen(path));
	bed->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_return_code(
	    bind(bed->listener, (struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_return_code(listen(bed->listener, 64), 0);
	bed->pid = fork();
	assert_true(bed->pid >= 0);
	if (bed->pid == 0)
		answer_for_ever(bed->listener, answer);
}

/* The first step, prompts answered; what it wants sent must be a response. */
static int first_step(struct bed *bed, void *context,
    const sasl_client_plug_t *plug)
{
	sasl_interact_t *prompts = NULL, *prompt;
	const char *out = NULL;
	unsigned n = 0;
	int code;

	code = plug->mech_step(context, &bed->params, NULL, 0, &prompts, &out,
	    &n, &bed->oparams);
	if (code == SASL_INTERACT) {
		assert_non_null(prompts);
		for (prompt = prompts; prompt->id != SASL_CB_LIST_END;
		     prompt++) {
			prompt->result = prompt->id == SASL_CB_PASS ? PASSWORD
			    "0123" :
								      "me@x";
			prompt->len = (unsigned)strlen(prompt->result);
		}
		code = plug->mech_step(context, &bed->params, NULL, 0, &prompts,
		    &out, &n, &bed->oparams);
	}
	assert_null(prompts);
	if (code == SASL_CONTINUE) {
		assert_true(n > 0);
		assert_int_equal(out[n], '\0');
	} else {
		assert_null(out);
		assert_int_equal(n, 0);
	}
	return code;
}

/* Returns what failing_malloc_each() wants. */
static enum fault connection(struct bed *bed, const sasl_client_plug_t *plug)
{
	void *context = NULL;
	int code;

	bed->text[0] = '\0';
	code = plug->mech_new(plug->glob_context, &bed->params, &context);
	if (code == SASL_OK)
		code = first_step(bed, context, plug);
	plug->mech_dispose(context, &bed->utils);
	if (code == SASL_CONTINUE)
		return FAULT_NONE;
	if (code != SASL_NOMEM)
		return FAULT_INTERNAL;
	assert_non_null(strstr(bed->text, "mailtoken: "));
	assert_non_null(strstr(bed->text, "out of memory"));
	return FAULT_NOMEM;
}

static enum fault xoauth2(void *ctx)
{
	return connection(ctx, &mech_list[0]);
}

static enum fault oauthbearer(void *ctx)
{
	return connection(ctx, &mech_list[1]);
}

static void memory_may_run_out_at_any_time(void **state)
{
	struct bed *bed = *state;

	answer_with(bed, BYTES(GOOD));
	assert_true(failing_malloc_each(xoauth2, bed) > 3);
	assert_true(failing_malloc_each(oauthbearer, bed) > 3);
	bed->interacts = SASL_CB_AUTHNAME;
	assert_true(failing_malloc_each(xoauth2, bed) > 4);
}

static void memory_may_run_out_where_a_password_is_used(void **state)
{
	struct bed *bed = *state;

	answer_with(bed, BYTES(UNKNOWN));
	assert_true(failing_malloc_each(xoauth2, bed) > 3);
	bed->interacts = SASL_CB_PASS;
	assert_true(failing_malloc_each(xoauth2, bed) > 4);
}

static void a_token_is_wiped_before_it_is_freed(void **state)
{
	struct bed *bed = *state;

	answer_with(bed, BYTES(GOOD));
	failing_malloc_watch(TOKEN);
	assert_int_equal(xoauth2(bed), FAULT_NONE);
	assert_int_equal(oauthbearer(bed), FAULT_NONE);
	assert_false(failing_malloc_saw());
}

static void a_password_is_wiped_before_it_is_freed(void **state)
{
	struct bed *bed = *state;

	answer_with(bed, BYTES(UNKNOWN));
	failing_malloc_watch(PASSWORD);
	assert_int_equal(xoauth2(bed), FAULT_NONE);
	bed->interacts = SASL_CB_PASS;
	assert_int_equal(oauthbearer(bed), FAULT_NONE);
	assert_false(failing_malloc_saw());
}

static void nothing_may_be_disposed_of(void **state)
{
	struct bed *bed = *state;

	mech_list[0].mech_dispose(NULL, &bed->utils);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(memory_may_run_out_at_any_time),
		CASE(memory_may_run_out_where_a_password_is_used),
		CASE(a_token_is_wiped_before_it_is_freed),
		CASE(a_password_is_wiped_before_it_is_freed),
		CASE(nothing_may_be_disposed_of),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
