/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Figures of the plugin: cached authentications against a raw unix-socket
 * echo of the same number of bytes, and the memory of a process that
 * authenticated.  Prints name=value lines.
 *
 *	bench_auth time SOCKET ACCOUNT SERVER BLOCKS PER-BLOCK
 *	bench_auth memory MECHANISM ACCOUNT SERVER
 */
#include <errno.h>
#include <sasl/sasl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BLOCKS_MAX 1000

static const char *account;
static const char *server;

static int give_name(void *ctx, int id, const char **result, unsigned *len)
{
	(void)ctx;
	(void)id;
	*result = account;
	if (len != NULL)
		*len = (unsigned)strlen(account);
	return SASL_OK;
}

static int give_password(sasl_conn_t *conn, void *ctx, int id,
    sasl_secret_t **secret)
{
	static struct {
		unsigned long len;
		unsigned char data[8];
	} password = { 6, "secret" };

	(void)conn;
	(void)ctx;
	(void)id;
	*secret = (sasl_secret_t *)&password;
	return SASL_OK;
}

static const sasl_callback_t callbacks[] = {
	{ SASL_CB_USER, (int (*)(void))give_name, NULL },
	{ SASL_CB_AUTHNAME, (int (*)(void))give_name, NULL },
	{ SASL_CB_PASS, (int (*)(void))give_password, NULL },
	{ SASL_CB_LIST_END, NULL, NULL },
};

static void die(const char *what)
{
	(void)fprintf(stderr, "bench_auth: %s: errno %d\n", what, errno);
	exit(1);
}

static sasl_conn_t *new_conn(void)
{
	sasl_conn_t *conn = NULL;

	if (sasl_client_new("smtp", server, NULL, NULL, callbacks, 0, &conn) !=
	    SASL_OK)
		die("sasl_client_new");
	return conn;
}

/* Takes the connection; how long the response was. */
static size_t authenticate(sasl_conn_t *conn, const char *mechanism)
{
	const char *out = NULL, *chosen = NULL;
	unsigned n = 0;
	int rc;

	rc = sasl_client_start(conn, mechanism, NULL, &out, &n, &chosen);
	if (rc != SASL_OK && rc != SASL_CONTINUE) {
		(void)fprintf(stderr, "bench_auth: %s\n", sasl_errdetail(conn));
		exit(1);
	}
	sasl_dispose(&conn);
	return n;
}

static void connect_to(int fd, const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	(void)snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) != 0)
		die("connect");
}

/* The least a server can do: accept, read, write, close. */
static pid_t start_echo(const char *path, size_t answer_bytes)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	char *answer = calloc(1, answer_bytes), request[4096];
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pid_t pid;

	(void)snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	if (answer == NULL || listener < 0 ||
	    bind(listener, (struct sockaddr *)&sun, sizeof(sun)) != 0 ||
	    listen(listener, 128) != 0)
		die("echo server");
	pid = fork();
	if (pid != 0) {
		(void)close(listener);
		free(answer);
		return pid;
	}
	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fd < 0 || read(fd, request, sizeof(request)) <= 0 ||
		    write(fd, answer, answer_bytes) < 0)
			_exit(1);
		(void)close(fd);
	}
}

static void echo_once(const char *path, const char *request, size_t n,
    size_t n_answer)
{
	static char answer[131072];
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ssize_t got;

	if (fd < 0)
		die("socket");
	connect_to(fd, path);
	if (send(fd, request, n, MSG_NOSIGNAL) != (ssize_t)n)
		die("send");
	do
		got = recv(fd, answer, sizeof(answer), 0);
	while (got > 0 && (n_answer -= (size_t)got) > 0);
	if (got <= 0)
		die("recv");
	(void)close(fd);
}

static double now_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, size_t n)
{
	qsort(values, n, sizeof(*values), by_size);
	return values[n / 2];
}

static int time_it(const char *echo_path, size_t blocks, size_t per_block)
{
	static double ratios[BLOCKS_MAX], raw[BLOCKS_MAX], full[BLOCKS_MAX];
	char request[1024];
	size_t answer_bytes, block, i;
	sasl_conn_t *conn;
	double start;
	pid_t echo;
	int n;

	n = snprintf(request, sizeof(request),
	    "mailtoken=1\nverb=token\n"
	    "account=%s\nserver=%s\nservice=smtp\nmechanism=XOAUTH2\n\n",
	    account, server);
	/* As the answer: the token is in both, its names are 60 bytes more. */
	answer_bytes = authenticate(new_conn(), "XOAUTH2") + 60;
	echo = start_echo(echo_path, answer_bytes);
	for (block = 0; block < blocks; block++) {
		start = now_us();
		for (i = 0; i < per_block; i++)
			echo_once(echo_path, request, (size_t)n, answer_bytes);
		raw[block] = (now_us() - start) / (double)per_block;
		full[block] = 0;
		for (i = 0; i < per_block; i++) {
			/* libsasl2 looks the machine's name up in here. */
			conn = new_conn();
			start = now_us();
			(void)authenticate(conn, "XOAUTH2");
			full[block] += now_us() - start;
		}
		full[block] /= (double)per_block;
		ratios[block] = full[block] / raw[block];
	}
	(void)kill(echo, SIGTERM);
	(void)waitpid(echo, NULL, 0);
	(void)printf("echo-us=%.1f\nauthentication-us=%.1f\nratio=%.2f\n",
	    median(raw, blocks), median(full, blocks), median(ratios, blocks));
	return 0;
}

static long rollup(const char *name)
{
	char line[256];
	FILE *file = fopen("/proc/self/smaps_rollup", "re");
	long kib = -1;

	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, name, strlen(name)) == 0)
			kib = strtol(line + strlen(name), NULL, 10);
	if (file != NULL)
		(void)fclose(file);
	return kib;
}

int main(int argc, char **argv)
{
	size_t blocks, per_block;

	if (argc < 5)
		return 2;
	account = argv[3];
	server = argv[4];
	if (sasl_client_init(callbacks) != SASL_OK)
		die("sasl_client_init");
	if (strcmp(argv[1], "memory") == 0) {
		(void)authenticate(new_conn(), argv[2]);
		(void)printf("pss-kib=%ld\nprivate-dirty-kib=%ld\n",
		    rollup("Pss:"), rollup("Private_Dirty:"));
		return 0;
	}
	if (argc != 7)
		return 2;
	blocks = (size_t)strtoul(argv[5], NULL, 10);
	per_block = (size_t)strtoul(argv[6], NULL, 10);
	if (blocks < 1 || blocks > BLOCKS_MAX || per_block < 1)
		return 2;
	return time_it(argv[2], blocks, per_block);
}
