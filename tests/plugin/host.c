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
#include <dlfcn.h>
#include <getopt.h>
#include <grp.h>
#include <pthread.h>
#include <sasl/sasl.h>
#include <sasl/saslplug.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHALLENGES_MAX 16
#define THREADS_MAX    64
#define LINE_MAX_BYTES 4096

static struct {
	const char *style, *mechs, *service, *fqdn;
	const char *user, *authzid, *password;
	const char *go_ahead, *challenges[CHALLENGES_MAX];
	int n_challenges;
	unsigned ext_ssf, min_ssf, flags, uid;
	unsigned repeat, threads, max_version;
	const char *chroot_dir, *plug, *library;
	bool no_fqdn, no_ir, no_prompts, no_pass, list_only, callback_interacts;
} opt = { .style = "postfix",
	.mechs = "XOAUTH2",
	.service = "smtp",
	.fqdn = "smtp.example.com",
	.repeat = 1,
	.max_version = 4,
	.library = "libsasl2",
	.go_ahead = "" };

static _Thread_local int thread_no = -1;

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *format, ...)
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
		say("out null");
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

static int log_proc(void *context, int level, const char *text)
{
	(void)context;
	say("log %d %s", level, text);
	return SASL_OK;
}

static int simple_proc(void *context, int id, const char **result,
    unsigned *len)
{
	(void)context;
	say("callback %s", id == SASL_CB_USER ? "user" : "authname");
	if (opt.callback_interacts)
		return SASL_INTERACT;
	*result = id == SASL_CB_USER ? opt.authzid : opt.user;
	if (len != NULL)
		*len = *result != NULL ? (unsigned)strlen(*result) : 0;
	return SASL_OK;
}

static int secret_proc(sasl_conn_t *conn, void *context, int id,
    sasl_secret_t **secret)
{
	static _Thread_local sasl_secret_t *kept;
	const char *password = opt.password != NULL ? opt.password : "";
	size_t n = strlen(password);

	(void)context;
	if (conn == NULL || id != SASL_CB_PASS)
		return SASL_BADPARAM;
	say("callback pass");
	free(kept);
	kept = malloc(sizeof(*kept) + n + 1);
	if (kept == NULL)
		return SASL_NOMEM;
	kept->len = n;
	memcpy(kept->data, password, n + 1);
	*secret = kept;
	return SASL_OK;
}

typedef int any_proc(void);
#define PROC(f) ((any_proc *)(uintptr_t)(f))

static const sasl_callback_t log_only[] = {
	{ SASL_CB_LOG, PROC(log_proc), NULL }, { SASL_CB_LIST_END, NULL, NULL }
};

static const sasl_callback_t prompting[] = { { SASL_CB_LOG, PROC(log_proc),
						 NULL },
	{ SASL_CB_USER, NULL, NULL }, { SASL_CB_AUTHNAME, NULL, NULL },
	{ SASL_CB_PASS, NULL, NULL }, { SASL_CB_LIST_END, NULL, NULL } };

static bool style_is(const char *style)
{
	return strcmp(opt.style, style) == 0;
}

static bool prompts_by_style(void)
{
	return style_is("isync") || style_is("cyrus");
}

/* Callbacks of one connection; room for 5. */
static void fill_callbacks(sasl_callback_t *at)
{
	*at++ = (sasl_callback_t){ SASL_CB_AUTHNAME, PROC(simple_proc), NULL };
	if (!opt.no_pass)
		*at++ = (sasl_callback_t){ SASL_CB_PASS, PROC(secret_proc),
			NULL };
	if (style_is("mutt") || opt.authzid != NULL)
		*at++ = (sasl_callback_t){ SASL_CB_USER, PROC(simple_proc),
			NULL };
	if (style_is("mutt"))
		*at++ = (sasl_callback_t){ SASL_CB_GETREALM, NULL, NULL };
	*at = (sasl_callback_t){ SASL_CB_LIST_END, NULL, NULL };
}

static void answer_prompts(sasl_interact_t *prompt)
{
	for (; prompt->id != SASL_CB_LIST_END; prompt++) {
		const char *answer = NULL;

		if (prompt->id == SASL_CB_AUTHNAME)
			answer = opt.user;
		else if (prompt->id == SASL_CB_USER)
			answer = style_is("isync") ? opt.user : opt.authzid;
		else if (prompt->id == SASL_CB_PASS)
			answer = opt.password;
		else if (style_is("isync")) {
			say("fatal unknown prompt %lu", prompt->id);
			exit(3);
		}
		say("prompt 0x%lx", prompt->id);
		prompt->result = answer;
		/* mutt counts the terminator. */
		prompt->len = answer == NULL ?
		    0 :
		    (unsigned)strlen(answer) + (style_is("mutt") ? 1 : 0);
	}
}

static int step(sasl_conn_t *conn, const char *challenge);

static int start(sasl_conn_t *conn)
{
	sasl_interact_t *prompts = NULL;
	sasl_interact_t **need = opt.no_prompts || style_is("postfix") ?
	    NULL :
	    &prompts;
	const char *out = NULL, *mech = "-";
	unsigned n = 0;
	bool ir = !opt.no_ir && !style_is("cyrus");
	int code;

	code = sasl_client_start(conn, opt.mechs, need, ir ? &out : NULL,
	    ir ? &n : NULL, &mech);
	while (code == SASL_INTERACT) {
		say("start %d %s", code, mech);
		if (prompts == NULL)
			break;
		answer_prompts(prompts);
		if (style_is("isync"))
			code = sasl_client_step(conn, NULL, 0, need, &out, &n);
		else
			code = sasl_client_start(conn, opt.mechs, need,
			    ir ? &out : NULL, ir ? &n : NULL, &mech);
	}
	if (prompts != NULL)
		say("prompts left");
	say("start %d %s", code, mech != NULL ? mech : "-");
	if (code == SASL_OK || code == SASL_CONTINUE)
		say_out(out, n);
	/* What a server says when there is no initial response. */
	if (code == SASL_CONTINUE && out == NULL)
		return step(conn, opt.go_ahead);
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
	sasl_interact_t **need = opt.no_prompts || style_is("postfix") ?
	    NULL :
	    &prompts;
	const char *out = NULL;
	unsigned n = 0, in_n;
	char *in = decode(challenge, &in_n);
	int code;

	code = sasl_client_step(conn, in, in_n, need, &out, &n);
	while (code == SASL_INTERACT && prompts != NULL) {
		say("step %d", code);
		answer_prompts(prompts);
		code = sasl_client_step(conn, in, in_n, need, &out, &n);
	}
	free(in);
	say("step %d", code);
	if (code == SASL_OK || code == SASL_CONTINUE)
		say_out(out, n);
	return code;
}

static void demand(sasl_conn_t *conn)
{
	sasl_security_properties_t props = { .min_ssf = opt.min_ssf,
		.max_ssf = opt.min_ssf,
		.maxbufsize = opt.min_ssf > 0 ? 4096 : 0,
		.security_flags = opt.flags };
	sasl_ssf_t ssf = opt.ext_ssf;

	sasl_setprop(conn, SASL_SEC_PROPS, &props);
	if (ssf > 0)
		sasl_setprop(conn, SASL_SSF_EXTERNAL, &ssf);
}

static void run_exchange(sasl_conn_t *conn)
{
	int code, i;

	code = start(conn);
	for (i = 0; i < opt.n_challenges; i++) {
		if (code != SASL_OK && code != SASL_CONTINUE)
			break;
		code = step(conn, opt.challenges[i]);
	}
	say("detail %s", sasl_errdetail(conn));
}

static void connection(void)
{
	sasl_callback_t callbacks[5];
	sasl_conn_t *conn = NULL;
	const char *list = NULL;
	int code;

	fill_callbacks(callbacks);
	code = sasl_client_new(opt.service, opt.fqdn, NULL, NULL,
	    prompts_by_style() ? NULL : callbacks, 0, &conn);
	say("new %d", code);
	if (code != SASL_OK)
		return;
	demand(conn);
	if (opt.list_only) {
		code = sasl_listmech(conn, NULL, "", " ", "", &list, NULL,
		    NULL);
		say("mechs %s", code == SASL_OK ? list : "");
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

	for (i = 0; i < opt.threads; i++)
		if (pthread_create(&threads[i], NULL, run_thread,
			(void *)(intptr_t)i) != 0)
			abort();
	for (i = 0; i < opt.threads; i++)
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

/* Calls the module's entry as a library with this getopt would. */
static int load_by_hand(void)
{
	sasl_client_plug_init_t *plug_init = NULL;
	sasl_client_plug_t *list = NULL;
	sasl_utils_t utils;
	int version = 0, count = -1, code;
	void *module, *getopt_at;

	memset(&utils, 0, sizeof(utils));
	if (strcmp(opt.library, "self") == 0)
		getopt_at = (void *)(uintptr_t)load_by_hand;
	else if (strcmp(opt.library, "libc") == 0)
		getopt_at = dlsym(RTLD_DEFAULT, "getenv");
	else
		getopt_at = dlsym(RTLD_DEFAULT, "sasl_client_init");
	utils.getopt = (sasl_getopt_t *)(uintptr_t)getopt_at;
	module = dlopen(opt.plug, RTLD_NOW);
	if (module == NULL) {
		say("dlopen %s", dlerror());
		return 1;
	}
	plug_init = (sasl_client_plug_init_t *)(uintptr_t)dlsym(module,
	    "sasl_client_plug_init");
	if (plug_init == NULL)
		return 1;
	code = plug_init(&utils, (int)opt.max_version, &version, &list, &count);
	say("plug %d version %d count %d", code, version, count);
	for (int i = 0; code == SASL_OK && i < count; i++)
		say("offer %s ssf %u security 0x%x features 0x%x",
		    list[i].mech_name, list[i].max_ssf, list[i].security_flags,
		    list[i].features);
	(void)dlclose(module);
	return 0;
}

/* As smtp(8): the root and the user change after the plugin is loaded. */
static void confine(void)
{
	if (opt.chroot_dir != NULL && chroot(opt.chroot_dir) != 0) {
		perror("chroot");
		exit(2);
	}
	if (opt.chroot_dir != NULL && chdir("/") != 0)
		exit(2);
	if (opt.uid != 0 &&
	    (setgroups(0, NULL) != 0 || setgid(opt.uid) != 0 ||
		setuid(opt.uid) != 0)) {
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
	{ "style", .text = &opt.style },
	{ "mechs", .text = &opt.mechs },
	{ "service", .text = &opt.service },
	{ "fqdn", .text = &opt.fqdn },
	{ "user", .text = &opt.user },
	{ "authzid", .text = &opt.authzid },
	{ "password", .text = &opt.password },
	{ "go-ahead", .text = &opt.go_ahead },
	{ "chroot", .text = &opt.chroot_dir },
	{ "plug", .text = &opt.plug },
	{ "library", .text = &opt.library },
	{ "ext-ssf", .number = &opt.ext_ssf },
	{ "min-ssf", .number = &opt.min_ssf },
	{ "flags", .number = &opt.flags },
	{ "repeat", .number = &opt.repeat },
	{ "threads", .number = &opt.threads },
	{ "max-version", .number = &opt.max_version },
	{ "uid", .number = &opt.uid },
	{ "no-fqdn", .flag = &opt.no_fqdn },
	{ "no-ir", .flag = &opt.no_ir },
	{ "no-prompts", .flag = &opt.no_prompts },
	{ "no-pass", .flag = &opt.no_pass },
	{ "list", .flag = &opt.list_only },
	{ "callback-interacts", .flag = &opt.callback_interacts },
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
	else if (opt.n_challenges < CHALLENGES_MAX)
		opt.challenges[opt.n_challenges++] = optarg;
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
	if (opt.no_fqdn)
		opt.fqdn = NULL;
}

int main(int argc, char **argv)
{
	unsigned i;
	int code;

	take_options(argc, argv);
	if (opt.threads > THREADS_MAX)
		return 2;
	if (opt.plug != NULL)
		return load_by_hand();

	if (opt.chroot_dir != NULL && chdir(opt.chroot_dir) != 0)
		return 2;
	sasl_set_mutex(mutex_new, mutex_lock, mutex_unlock, mutex_free);
	code = sasl_client_init(prompts_by_style() ? prompting : log_only);
	say("init %d", code);
	if (code != SASL_OK)
		return 1;
	confine();
	if (opt.threads > 0)
		run_threads();
	else
		for (i = 0; i < opt.repeat; i++)
			connection();
	sasl_client_done();
	say("done");
	return 0;
}
