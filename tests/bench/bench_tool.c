/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What `make bench` measures with: the least that servers can do, clients
 * that do nothing else, and libsasl2 as a mail process uses it.  A request is
 * read from stdin; prints name=value lines.
 *
 *	bench_tool echo SOCKET BYTES	answers one after the other
 *	bench_tool epoll SOCKET BYTES	answers many at once
 *	bench_tool ask SOCKET CLIENTS COUNT RATE
 *		until all are answered, or SIGTERM; at most so many a second
 *	bench_tool auth ECHO EPOLL BLOCKS EACH ACCOUNT SERVER
 *	bench_tool life MECHANISM COUNT ACCOUNT SERVER
 */
#include <errno.h>
#include <sasl/sasl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define BYTES_MAX   131072
#define CLIENTS_MAX 2000
#define COUNT_MAX   1000000

static char request[4096], bytes[BYTES_MAX];
static size_t n_request;
static const char *account, *server;

static void die(const char *what)
{
	(void)fprintf(stderr, "bench_tool: %s: errno %d\n", what, errno);
	exit(1);
}

static size_t number(const char *text, size_t max)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text == '\0' || *end != '\0' || n > max)
		die(text);
	return n;
}

static double now_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void read_request(void)
{
	n_request = fread(request, 1, sizeof(request), stdin);
}

static int open_socket(const char *path, struct sockaddr_un *sun)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	sun->sun_family = AF_UNIX;
	(void)snprintf(sun->sun_path, sizeof(sun->sun_path), "%s", path);
	if (fd < 0)
		die("socket");
	return fd;
}

/* -- the least that servers can do */

static int listen_at(const char *path)
{
	struct sockaddr_un sun;
	int fd = open_socket(path, &sun);

	if (bind(fd, (struct sockaddr *)&sun, sizeof(sun)) != 0 ||
	    listen(fd, 4096) != 0)
		die("listen");
	return fd;
}

static bool answer(int fd, size_t n, int flags)
{
	char in[4096];

	if (recv(fd, in, sizeof(in), flags) < 0)
		return false;
	if (send(fd, bytes, n, MSG_NOSIGNAL) != (ssize_t)n)
		die("send");
	(void)close(fd);
	return true;
}

static void echo(const char *path, size_t n)
{
	int listener = listen_at(path);

	for (;;)
		(void)answer(accept4(listener, NULL, NULL, SOCK_CLOEXEC), n, 0);
}

static void watch(int epoll, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0)
		die("epoll_ctl");
}

static void echo_many(const char *path, size_t n)
{
	int listener = listen_at(path), epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event ready[64];
	int i, got, fd;

	watch(epoll, listener);
	for (;;) {
		got = epoll_wait(epoll, ready, 64, -1);
		for (i = 0; i < got; i++) {
			fd = ready[i].data.fd;
			if (fd == listener)
				fd = accept4(fd, NULL, NULL,
				    SOCK_CLOEXEC | SOCK_NONBLOCK);
			/* What is here already needs no turn of its own. */
			if (!answer(fd, n, MSG_DONTWAIT))
				watch(epoll, fd);
		}
	}
}

/* -- clients */

static int begin(const char *path)
{
	struct sockaddr_un sun;
	int fd = open_socket(path, &sun);

	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) != 0)
		die("connect");
	/* A stranger may have been let go already: that is an answer. */
	(void)send(fd, request, n_request, MSG_NOSIGNAL);
	return fd;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

struct asking {
	double *took; /* us */
	size_t n;
	size_t ok; /* answers that say result=ok */
	double began[CLIENTS_MAX];
	bool said_ok[CLIENTS_MAX];
};

/* True when all of its answer is here. */
static bool got_all(struct asking *asking, int fd)
{
	ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN)
		return false;
	if (n > 0 && memmem(bytes, (size_t)n, "result=ok", 9) != NULL)
		asking->said_ok[fd] = true;
	if (n > 0)
		return false;
	asking->took[asking->n++] = now_us() - asking->began[fd];
	asking->ok += asking->said_ok[fd];
	(void)close(fd);
	return true;
}

static volatile sig_atomic_t enough;

static void stop(int number)
{
	(void)number;
	enough = 1;
}

static void begin_due(struct asking *asking, const char *path, int epoll,
    double due)
{
	struct timespec pause = { 0, 0 };
	double ahead = due - now_us(), began;
	int fd;

	if (ahead > 0) {
		pause.tv_sec = (time_t)(ahead / 1e6);
		pause.tv_nsec = (long)(ahead - (double)pause.tv_sec * 1e6) *
		    1000;
		(void)nanosleep(&pause, NULL);
	}
	began = now_us();
	fd = begin(path);
	if (fd >= CLIENTS_MAX)
		die("clients");
	asking->began[fd] = began;
	asking->said_ok[fd] = false;
	watch(epoll, fd);
}

static void ask(const char *path, size_t clients, size_t count, double rate)
{
	static struct asking asking;
	int i, got, epoll = epoll_create1(EPOLL_CLOEXEC);
	const struct sigaction end = { .sa_handler = stop };
	struct epoll_event ready[64];
	size_t running = 0, begun = 0;
	double start;

	(void)sigaction(SIGTERM, &end, NULL);
	asking.took = calloc(count + 1, sizeof(*asking.took));
	read_request();
	start = now_us();
	while (asking.n < count && !enough) {
		for (; running < clients && begun < count; running++, begun++)
			begin_due(&asking, path, epoll,
			    rate > 0 ? start + (double)begun * 1e6 / rate : 0);
		got = epoll_wait(epoll, ready, 64, -1);
		for (i = 0; i < got; i++)
			running -= got_all(&asking, ready[i].data.fd);
	}
	(void)printf("total-us=%.0f\nanswers=%zu\nok=%zu\n", now_us() - start,
	    asking.n, asking.ok);
	qsort(asking.took, asking.n, sizeof(*asking.took), by_size);
	(void)printf("median-us=%.1f\nlate-us=%.1f\n",
	    asking.took[asking.n / 2], asking.took[asking.n * 99 / 100]);
}

/* -- libsasl2 */

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

#define CALLBACK(fn) (int (*)(void))(void (*)(void))(fn)

static const sasl_callback_t callbacks[] = {
	{ SASL_CB_USER, CALLBACK(give_name), NULL },
	{ SASL_CB_AUTHNAME, CALLBACK(give_name), NULL },
	{ SASL_CB_PASS, CALLBACK(give_password), NULL },
	{ SASL_CB_LIST_END, NULL, NULL },
};

/* Microseconds from the question for a response to having let go of it. */
static double authenticate(const char *mechanism)
{
	const char *out = NULL, *chosen = NULL;
	sasl_conn_t *conn = NULL;
	unsigned n = 0;
	double start;
	int rc;

	/* libsasl2 looks the machine's name up in here. */
	if (sasl_client_new("smtp", server, NULL, NULL, callbacks, 0, &conn) !=
	    SASL_OK)
		die("sasl_client_new");
	start = now_us();
	rc = sasl_client_start(conn, mechanism, NULL, &out, &n, &chosen);
	if (rc != SASL_OK && rc != SASL_CONTINUE) {
		(void)fprintf(stderr, "bench_tool: %s\n", sasl_errdetail(conn));
		exit(1);
	}
	sasl_dispose(&conn);
	return now_us() - start;
}

static double echo_once(const char *path)
{
	double start = now_us();
	int fd = begin(path);

	while (recv(fd, bytes, sizeof(bytes), 0) > 0)
		;
	(void)close(fd);
	return now_us() - start;
}

/* A line a block: means of the four, one after the other. */
static void compare(const char *path, const char *epoll_path, size_t blocks,
    size_t each)
{
	double raw, epoll, ours, plain;
	size_t i;

	read_request();
	if (sasl_client_init(callbacks) != SASL_OK)
		die("sasl_client_init");
	while (blocks-- > 0) {
		raw = epoll = ours = plain = 0;
		for (i = 0; i < each; i++)
			raw += echo_once(path);
		for (i = 0; i < each; i++)
			epoll += echo_once(epoll_path);
		for (i = 0; i < each; i++)
			ours += authenticate("XOAUTH2");
		for (i = 0; i < each; i++)
			plain += authenticate("PLAIN");
		(void)printf("echo=%.2f epoll=%.2f ours=%.2f plain=%.2f\n",
		    raw / (double)each, epoll / (double)each,
		    ours / (double)each, plain / (double)each);
	}
}

/* It stays until its stdin ends. */
static void live(const char *mechanism, size_t count)
{
	double start = now_us();
	size_t i;

	if (sasl_client_init(callbacks) != SASL_OK)
		die("sasl_client_init");
	(void)printf("init-us=%.1f\n", now_us() - start);
	for (i = 0; i < count; i++)
		(void)authenticate(mechanism);
	(void)printf("done=%zu\n", count);
	(void)fflush(stdout);
	read_request();
	sasl_done();
}

int main(int argc, char **argv)
{
	const char *what = argc > 3 ? argv[1] : "";

	if (strcmp(what, "echo") == 0 && argc == 4) {
		echo(argv[2], number(argv[3], BYTES_MAX));
	} else if (strcmp(what, "epoll") == 0 && argc == 4) {
		echo_many(argv[2], number(argv[3], BYTES_MAX));
	} else if (strcmp(what, "ask") == 0 && argc == 6) {
		ask(argv[2], number(argv[3], CLIENTS_MAX - 100),
		    number(argv[4], COUNT_MAX),
		    (double)number(argv[5], COUNT_MAX));
	} else if (strcmp(what, "auth") == 0 && argc == 8) {
		account = argv[6];
		server = argv[7];
		compare(argv[2], argv[3], number(argv[4], COUNT_MAX),
		    number(argv[5], COUNT_MAX));
	} else if (strcmp(what, "life") == 0 && argc == 6) {
		account = argv[4];
		server = argv[5];
		live(argv[2], number(argv[3], COUNT_MAX));
	} else {
		return 2;
	}
	return 0;
}
