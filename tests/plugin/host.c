/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * host - a program that authenticates through the real libsasl2
 *
 * Behaves as one of the known host programs (--style): which callbacks it
 * has, how it answers prompts, whether it sends an initial response, what it
 * does after the server's last word.  Prints what happens as one line each:
 * a word, a code, bytes in hex.  Plays no server: --challenge gives what the
 * next steps are fed.
 */
#include "host.h"

#include <dlfcn.h>
#include <getopt.h>
#include <grp.h>
#include <pthread.h>
#include <sasl/saslplug.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define THREADS_MAX    64
#define LINE_MAX_BYTES 4096

struct host_options host = { .style = "postfix",
	.mechs = "XOAUTH2",
	.service = "smtp",
	.fqdn = "smtp.example.com",
	.repeat = 1,
	.max_version = 4,
	.library = "libsasl2",
	.go_ahead = "" };

static _Thread_local int thread_no = -1;

void host_say(const char *format, ...)
{
	char line[LINE_MAX_BYTES];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (thread_no >= 0)
		printf("t%d %s\n", thread_no, line);
	else
		printf("%s\n", line);
	fflush(stdout);
}

static void say_out(const char *out, unsigned n)
{
	char *hex;
	unsigned i;

	if (out == NULL) {
		host_say("out null");
		return;
	}
	hex = malloc(2 * (size_t)n + 1);
	if (hex == NULL)
		abort();
	for (i = 0; i < n; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", (unsigned char)out[i]);
	hex[2 * n] = '\0';
	/* Written in one piece so that lines of threads do not mix. */
	flockfile(stdout);
	if (thread_no >= 0)
		printf("t%d ", thread_no);
	printf("out %s\n", hex);
	fflush(stdout);
	funlockfile(stdout);
	free(hex);
}

static int step(sasl_conn_t *conn, const char *challenge);

static int start(sasl_conn_t *conn)
{
	sasl_interact_t *prompts = NULL;
	sasl_interact_t **need = host.no_prompts || style_is("postfix") ?
	    NULL :
	    &prompts;
	const char *out = NULL, *mech = "-";
	unsigned n = 0;
	bool ir = !host.no_ir && !style_is("cyrus");
	int code;

	code = sasl_client_start(conn, host.mechs, need, ir ? &out : NULL,
	    ir ? &n : NULL, &mech);
	while (code == SASL_INTERACT) {
		host_say("start %d %s", code, mech);
		if (prompts == NULL)
			break;
		style_answer(prompts);
		if (style_is("isync"))
			code = sasl_client_step(conn, NULL, 0, need, &out, &n);
		else
			code = sasl_client_start(conn, host.mechs, need,
			    ir ? &out : NULL, ir ? &n : NULL, &mech);
	}
	if (prompts != NULL)
		host_say("prompts left");
	host_say("start %d %s", code, mech != NULL ? mech : "-");
	if (code == SASL_OK || code == SASL_CONTINUE)
		say_out(out, n);
	/* What a server says when there is no initial response. */
	if (code == SASL_CONTINUE && out == NULL)
		return step(conn, host.go_ahead);
	return code;
}

/* "null", or bytes in hex.  The copy has no terminator for tools to see. */
static char *decode(const char *challenge, unsigned *n_out)
{
	size_t n = strlen(challenge) / 2, i;
	unsigned byte;
	char *bytes;

	*n_out = 0;
	if (strcmp(challenge, "null") == 0)
		return NULL;
	bytes = malloc(n > 0 ? n : 1);
	if (bytes == NULL)
		abort();
	for (i = 0; i < n; i++) {
		char digits[3] = { challenge[2 * i], challenge[2 * i + 1], 0 };

		byte = (unsigned)strtoul(digits, NULL, 16);
		bytes[i] = (char)byte;
	}
	*n_out = (unsigned)n;
	return bytes;
}

static int step(sasl_conn_t *conn, const char *challenge)
{
	sasl_interact_t *prompts = NULL;
	sasl_interact_t **need = host.no_prompts || style_is("postfix") ?
	    NULL :
	    &prompts;
	const char *out = NULL;
	unsigned n = 0, in_n;
	char *in = decode(challenge, &in_n);
	int code;

	code = sasl_client_step(conn, in, in_n, need, &out, &n);
	while (code == SASL_INTERACT && prompts != NULL) {
		host_say("step %d", code);
		style_answer(prompts);
		code = sasl_client_step(conn, in, in_n, need, &out, &n);
	}
	free(in);
	host_say("step %d", code);
	if (code == SASL_OK || code == SASL_CONTINUE)
		say_out(out, n);
	return code;
}

static void demand(sasl_conn_t *conn)
{
	sasl_security_properties_t props = { .min_ssf = host.min_ssf,
		.max_ssf = host.min_ssf,
		.maxbufsize = host.min_ssf > 0 ? 4096 : 0,
		.security_flags = host.flags };
	sasl_ssf_t ssf = host.ext_ssf;

	sasl_setprop(conn, SASL_SEC_PROPS, &props);
	if (ssf > 0)
		sasl_setprop(conn, SASL_SSF_EXTERNAL, &ssf);
}

static void run_exchange(sasl_conn_t *conn)
{
	int code, i;

	code = start(conn);
	for (i = 0; i < host.n_challenges; i++) {
		if (code != SASL_OK && code != SASL_CONTINUE)
			break;
		code = step(conn, host.challenges[i]);
	}
	host_say("detail %s", sasl_errdetail(conn));
}

static void connection(void)
{
	sasl_callback_t callbacks[5];
	sasl_conn_t *conn = NULL;
	const char *list = NULL;
	int code;

	style_callbacks(callbacks);
	code = sasl_client_new(host.service, host.fqdn, NULL, NULL,
	    style_prompts() ? NULL : callbacks, 0, &conn);
	host_say("new %d", code);
	if (code != SASL_OK)
		return;
	demand(conn);
	if (host.list_only) {
		code = sasl_listmech(conn, NULL, "", " ", "", &list, NULL,
		    NULL);
		host_say("mechs %s", code == SASL_OK ? list : "");
	} else {
		run_exchange(conn);
	}
	sasl_dispose(&conn);
}

static void *run_thread(void *arg)
{
	thread_no = (int)(intptr_t)arg;
	connection();
	return NULL;
}

static void run_threads(void)
{
	pthread_t threads[THREADS_MAX];
	unsigned i;

	for (i = 0; i < host.threads; i++)
		if (pthread_create(&threads[i], NULL, run_thread,
			(void *)(intptr_t)i) != 0)
			abort();
	for (i = 0; i < host.threads; i++)
		(void)pthread_join(threads[i], NULL);
}

static void *mutex_new(void)
{
	pthread_mutex_t *mutex = malloc(sizeof(*mutex));

	if (mutex != NULL)
		(void)pthread_mutex_init(mutex, NULL);
	return mutex;
}

static int mutex_lock(void *mutex)
{
	return pthread_mutex_lock(mutex) == 0 ? SASL_OK : SASL_FAIL;
}

static int mutex_unlock(void *mutex)
{
	return pthread_mutex_unlock(mutex) == 0 ? SASL_OK : SASL_FAIL;
}

static void mutex_free(void *mutex)
{
	(void)pthread_mutex_destroy(mutex);
	free(mutex);
}

/*
 * Calls the module's entry as a library would that has this where sasl_utils_t
 * has seterror; the shorter layout of newer ones has prop_dispose there.
 */
static int load_by_hand(void)
{
	sasl_client_plug_init_t *plug_init = NULL;
	sasl_client_plug_t *list = NULL;
	sasl_utils_t utils;
	int version = 0, count = -1, code;
	const char *name = "sasl_seterror";
	void *module, *function;

	memset(&utils, 0, sizeof(utils));
	if (strcmp(host.library, "shorter") == 0)
		name = "prop_dispose";
	else if (strcmp(host.library, "libc") == 0)
		name = "getenv";
	function = dlsym(RTLD_DEFAULT, name);
	if (strcmp(host.library, "self") == 0)
		function = (void *)(uintptr_t)load_by_hand;
	memcpy(&utils.seterror, &function, sizeof(function));
	module = dlopen(host.plug, RTLD_NOW);
	if (module == NULL) {
		host_say("dlopen %s", dlerror());
		return 1;
	}
	plug_init = (sasl_client_plug_init_t *)(uintptr_t)dlsym(module,
	    "sasl_client_plug_init");
	if (plug_init == NULL)
		return 1;
	code = plug_init(&utils, (int)host.max_version, &version, &list,
	    &count);
	host_say("plug %d version %d count %d", code, version, count);
	for (int i = 0; code == SASL_OK && i < count; i++)
		host_say("offer %s ssf %u security 0x%x features 0x%x",
		    list[i].mech_name, list[i].max_ssf, list[i].security_flags,
		    list[i].features);
	(void)dlclose(module);
	return 0;
}

/* As smtp(8): the root and the user change after the plugin is loaded. */
static void confine(void)
{
	if (host.chroot_dir != NULL && chroot(host.chroot_dir) != 0) {
		perror("chroot");
		exit(2);
	}
	if (host.chroot_dir != NULL && chdir("/") != 0)
		exit(2);
	if (host.uid != 0 &&
	    (setgroups(0, NULL) != 0 || setgid(host.uid) != 0 ||
		setuid(host.uid) != 0)) {
		perror("setuid");
		exit(2);
	}
}

/* An option has a text, a number, or nothing and is a flag. */
static const struct row {
	const char *name;
	const char **text;
	unsigned *number;
	bool *flag;
} rows[] = {
	{ "style", .text = &host.style },
	{ "mechs", .text = &host.mechs },
	{ "service", .text = &host.service },
	{ "fqdn", .text = &host.fqdn },
	{ "user", .text = &host.user },
	{ "authzid", .text = &host.authzid },
	{ "password", .text = &host.password },
	{ "go-ahead", .text = &host.go_ahead },
	{ "chroot", .text = &host.chroot_dir },
	{ "plug", .text = &host.plug },
	{ "library", .text = &host.library },
	{ "ext-ssf", .number = &host.ext_ssf },
	{ "min-ssf", .number = &host.min_ssf },
	{ "flags", .number = &host.flags },
	{ "repeat", .number = &host.repeat },
	{ "threads", .number = &host.threads },
	{ "max-version", .number = &host.max_version },
	{ "uid", .number = &host.uid },
	{ "no-fqdn", .flag = &host.no_fqdn },
	{ "no-ir", .flag = &host.no_ir },
	{ "no-prompts", .flag = &host.no_prompts },
	{ "no-pass", .flag = &host.no_pass },
	{ "list", .flag = &host.list_only },
	{ "callback-interacts", .flag = &host.callback_interacts },
	{ "challenge", .text = NULL },
};

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

static void take_option(const struct row *row)
{
	if (row->text != NULL)
		*row->text = optarg;
	else if (row->number != NULL)
		*row->number = (unsigned)strtoul(optarg, NULL, 0);
	else if (row->flag != NULL)
		*row->flag = true;
	else if (host.n_challenges < CHALLENGES_MAX)
		host.challenges[host.n_challenges++] = optarg;
	else
		exit(2);
}

static void take_options(int argc, char **argv)
{
	struct option options[N_ROWS + 1] = { { NULL, 0, NULL, 0 } };
	int c, i;

	for (i = 0; i < (int)N_ROWS; i++)
		options[i] = (struct option){ rows[i].name,
			rows[i].flag == NULL, NULL, i };
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c < 0 || c >= (int)N_ROWS)
			exit(2);
		take_option(&rows[c]);
	}
	if (host.no_fqdn)
		host.fqdn = NULL;
}

int main(int argc, char **argv)
{
	unsigned i;
	int code;

	take_options(argc, argv);
	if (host.threads > THREADS_MAX)
		return 2;
	if (host.plug != NULL)
		return load_by_hand();

	if (host.chroot_dir != NULL && chdir(host.chroot_dir) != 0)
		return 2;
	sasl_set_mutex(mutex_new, mutex_lock, mutex_unlock, mutex_free);
	code = sasl_client_init(
	    style_prompts() ? style_prompting : style_log_only);
	host_say("init %d", code);
	if (code != SASL_OK)
		return 1;
	confine();
	if (host.threads > 0)
		run_threads();
	else
		for (i = 0; i < host.repeat; i++)
			connection();
	sasl_client_done();
	host_say("done");
	return 0;
}
