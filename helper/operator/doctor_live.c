/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * doctor --live: log in at the mail server as a mail program does, through
 * libsasl2 and our plugin, and leave before a message (RFC 4954, RFC 3501
 * section 6.2.2, RFC 5034).
 */
#include <netdb.h>
#include <openssl/ssl.h>
#include <sasl/sasl.h>
#include <sasl/saslutil.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "operator/doctor.h"
#include "operator/explain.h"
#include "wire/echo.h"

#define LIVE_MAX_S	20
#define LINE_MAX_BYTES	100000
#define SHOWN_BYTES	400
#define LOG_LOOK_BYTES	262144
#define CHALLENGE_BYTES 8192
#define STATUS		"status="

/* How a protocol says things; each line that ends an answer begins so. */
static const struct way {
	const char *service, *port;
	const char *hello, *secure; /* secure NULL: TLS from the start */
	const char *list, *auth, *quit;
	const char *more, *good, *bad, *worse;
} ways[] = {
	{ "smtp", "587", "220 ", "STARTTLS\r\n", "EHLO localhost\r\n", "AUTH ",
	    "QUIT\r\n", "334", "2", "5", "4" },
	{ "imap", "993", "* OK", NULL, "a CAPABILITY\r\n", "a AUTHENTICATE ",
	    "b LOGOUT\r\n", "+", "a OK", "a NO", "a BAD" },
	{ "pop", "995", "+OK", NULL, "CAPA\r\n", "AUTH ", "QUIT\r\n", "+ ",
	    "+OK", "-ERR", "-ERR" },
};

struct live {
	const struct way *way;
	bool tls; /* from the start */
	char host[DOCTOR_NAME_BYTES], port[16];
	const char *account;
	const char *ca_file;
	int fd;
	SSL_CTX *ctx;
	SSL *ssl;
	char line[LINE_MAX_BYTES]; /* the last one, without its end */
	char token[LINE_MAX_BYTES];
	char why[SHOWN_BYTES]; /* of libsasl2 and the plugin */
};

static struct live live;

static bool put(const char *text)
{
	size_t n = strlen(text);

	return live.ssl != NULL ?
	    SSL_write(live.ssl, text, (int)n) > 0 :
	    send(live.fd, text, n, MSG_NOSIGNAL) == (ssize_t)n;
}

static bool get(void)
{
	size_t n = 0;
	char c;

	while (n + 1 < sizeof(live.line) &&
	    (live.ssl != NULL ? SSL_read(live.ssl, &c, 1) :
				(int)recv(live.fd, &c, 1, 0)) == 1 &&
	    c != '\n')
		if (c != '\r')
			live.line[n++] = c;
	live.line[n] = '\0';
	return n > 0;
}

static bool begins(const char *word)
{
	return strncmp(live.line, word, strlen(word)) == 0;
}

/* A greeting may have several lines (RFC 5321 section 4.2). */
static bool is_greeted(void)
{
	const char *hello = live.way->hello;

	while (
	    get() && strncmp(live.line, hello, 3) == 0 && live.line[3] == '-')
		continue;
	return begins(hello);
}

/* What answers a command: IMAP tells other things before it. */
static bool get_answer(void)
{
	bool got;

	do
		got = get();
	while (got && begins("* "));
	return got;
}

static bool secure(void)
{
	live.ctx = SSL_CTX_new(TLS_client_method());
	if (live.ctx == NULL || SSL_CTX_set_default_verify_paths(live.ctx) != 1)
		return false;
	if (live.ca_file[0] != '\0')
		(void)SSL_CTX_load_verify_locations(live.ctx, live.ca_file,
		    NULL);
	SSL_CTX_set_verify(live.ctx, SSL_VERIFY_PEER, NULL);
	live.ssl = SSL_new(live.ctx);
	return live.ssl != NULL && SSL_set_fd(live.ssl, live.fd) == 1 &&
	    SSL_set1_host(live.ssl, live.host) == 1 &&
	    SSL_set_tlsext_host_name(live.ssl, live.host) == 1 &&
	    SSL_connect(live.ssl) == 1;
}

/* The first of ours that the server offers; "": none; NULL: it does not say. */
static const char *list(void)
{
	static const char *const ours[] = { "XOAUTH2", "OAUTHBEARER" };
	const char *offered = "";
	bool last = false;
	size_t i;

	if (!put(live.way->list))
		return NULL;
	while (!last && get()) {
		for (i = 0; i < 2 && offered[0] == '\0'; i++)
			if (strstr(live.line, ours[i]) != NULL)
				offered = ours[i];
		last = begins("250 ") || begins("a ") || begins(".") ||
		    begins("-ERR") || begins("5");
	}
	return last ? offered : NULL;
}

static const char *open_socket(void)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	const struct timeval limit = { LIVE_MAX_S, 0 };
	struct addrinfo *at, *all = NULL;

	if (getaddrinfo(live.host, live.port, &hints, &all) != 0)
		return "cannot be found";
	for (at = all; at != NULL; at = at->ai_next) {
		live.fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		(void)setsockopt(live.fd, SOL_SOCKET, SO_RCVTIMEO, &limit,
		    sizeof(limit));
		(void)setsockopt(live.fd, SOL_SOCKET, SO_SNDTIMEO, &limit,
		    sizeof(limit));
		if (connect(live.fd, at->ai_addr, at->ai_addrlen) == 0)
			return NULL;
		(void)close(live.fd);
	}
	return "cannot be reached";
}

/* From the socket to where AUTH may be said, and what is offered there; why
 * not, or NULL. */
static const char *arrive(const char **mechs)
{
	static const char strange[] = "does not speak its protocol";
	const struct way *way = live.way;
	const char *why = open_socket();

	if (why != NULL)
		return why;
	live.ssl = NULL;
	if (!live.tls &&
	    !(is_greeted() && list() != NULL && put(way->secure) &&
		is_greeted()))
		return strange;
	if (!secure())
		return live.ssl != NULL &&
			SSL_get_verify_result(live.ssl) != X509_V_OK ?
		    "has a certificate that is not trusted" :
		    "does not begin TLS";
	if (live.tls && !is_greeted())
		return strange;
	*mechs = list();
	return *mechs != NULL ? NULL : strange;
}

static int on_name(void *ctx, int id, const char **result, unsigned *length)
{
	(void)ctx;
	(void)id;
	*result = live.account;
	if (length != NULL)
		*length = (unsigned)strlen(live.account);
	return SASL_OK;
}

static int on_log(void *ctx, int level, const char *message)
{
	(void)ctx;
	if (level <= SASL_LOG_FAIL)
		(void)snprintf(live.why, sizeof(live.why), "%s", message);
	return SASL_OK;
}

static bool say(const char *bytes, unsigned n)
{
	static char text[2 * LINE_MAX_BYTES];
	unsigned at = 0;

	if (n > 0 &&
	    sasl_encode64(bytes, n, text, sizeof(text) - 3, &at) != SASL_OK)
		return false;
	memcpy(text + at, "\r\n", sizeof("\r\n"));
	return put(text);
}

/* The token in what the mechanism sends first, as an echo would repeat it. */
static void keep_token(const char *out, unsigned n)
{
	static const char bearer[] = "auth=Bearer ";
	const char *at = n > 0 ? memmem(out, n, bearer, sizeof(bearer) - 1) :
				 NULL;
	size_t left;

	if (at == NULL)
		return;
	at += sizeof(bearer) - 1;
	left = (size_t)(out + n - at);
	if (left < sizeof(live.token))
		memcpy(live.token, at, left);
	live.token[strcspn(live.token, "\1")] = '\0';
}

/* The exchange; whatever the server says last is in live.line. */
static bool authenticate(const char *mechs)
{
	static const sasl_callback_t callbacks[] = {
		{ SASL_CB_USER, (int (*)(void))(void (*)(void))on_name, NULL },
		{ SASL_CB_AUTHNAME, (int (*)(void))(void (*)(void))on_name,
		    NULL },
		{ SASL_CB_LOG, (int (*)(void))(void (*)(void))on_log, NULL },
		{ SASL_CB_LIST_END, NULL, NULL },
	};
	char challenge[CHALLENGE_BYTES], command[64];
	const char *out = NULL, *mech = NULL;
	const char *more = live.way->more;
	unsigned n = 0, got;
	sasl_conn_t *conn;

	if (sasl_client_init(callbacks) != SASL_OK ||
	    sasl_client_new(live.way->service, live.host, NULL, NULL, NULL, 0,
		&conn) != SASL_OK)
		return false;
	if (sasl_client_start(conn, mechs, NULL, &out, &n, &mech) < 0)
		return false;
	keep_token(out, n);
	(void)snprintf(command, sizeof(command), "%s%s\r\n", live.way->auth,
	    mech);
	if (!put(command) || !get_answer() || !begins(more) || !say(out, n))
		return true;
	while (get_answer() && begins(more) && !begins(live.way->good)) {
		out = live.line + strcspn(live.line, " ");
		out += strspn(out, " ");
		n = 0;
		if (sasl_decode64(out, (unsigned)strlen(out), challenge,
			sizeof(challenge), &got) != SASL_OK ||
		    sasl_client_step(conn, challenge, got, NULL, &out, &n) < 0)
			return false;
		if (!say(out, n))
			return true;
	}
	return true;
}

/* What is known of the error that the text ends with. */
static void explain(struct finding *finding, const char *account)
{
	struct explained is;

	doctor_type(finding, account);
	if (explain_find(span_of(finding->text), &is))
		finding_wrong(finding, ": %.*s. Who must act: %.*s. %.*s",
		    SPAN(is.meaning), SPAN(is.who), SPAN(is.click));
}

static void log_in(struct finding *finding)
{
	const char *mechs = NULL, *why = arrive(&mechs);
	char shown[SHOWN_BYTES];
	struct span line;

	memset(live.token, 0, sizeof(live.token));
	live.why[0] = '\0';
	if (why != NULL) {
		finding_wrong(finding, "%s port %s %s", live.host, live.port,
		    why);
		return;
	}
	if (mechs[0] == '\0') {
		finding_wrong(finding,
		    "%s offers neither XOAUTH2 nor OAUTHBEARER", live.host);
		return;
	}
	if (!authenticate(mechs)) {
		finding_wrong(finding, "%s",
		    live.why[0] != '\0' ?
			live.why :
			"libsasl2 cannot begin or go on, and says not why");
		doctor_type(finding, live.account);
		return;
	}
	line = span_of(live.line);
	attr_plain(
	    echo_holds(line, span_of(live.token)) ? span_of(ECHO_HIDDEN) : line,
	    shown, sizeof(shown));
	if (begins(live.way->good)) {
		finding_good(finding, "%s takes the token: %s", live.host,
		    shown);
	} else {
		finding_wrong(finding, "%s refuses the token: %s", live.host,
		    shown);
		explain(finding, live.account);
	}
	(void)put(live.way->quit);
}

/* Where to: host, [host] or either with a port, else this one. */
static bool choose(const struct way *way, const char *at, const char *port)
{
	const char *other;

	live.way = way;
	if (at == NULL || *at == '\0')
		return false;
	other = doctor_hop(at, live.host);
	(void)snprintf(live.port, sizeof(live.port), "%s",
	    other != NULL ? other : port);
	live.tls = way->secure == NULL ||
	    span_listed(span_of(live.port), "465 smtps submissions");
	return true;
}

/* --server SERVICE://HOST[:PORT], else Postfix's next hop. */
static bool choose_server(struct doctor *doctor, const struct way *way)
{
	const char *const *server = doctor->command->servers;
	const struct route *route = doctor_route_of(doctor, live.account);
	size_t n = strlen(way->service);

	for (; *server != NULL; server++)
		if (strncmp(*server, way->service, n) == 0 &&
		    strncmp(*server + n, "://", 3) == 0)
			return choose(way, *server + n + 3, way->port);
	return way == ways && route != NULL && choose(way, route->relay, "25");
}

void doctor_live(struct doctor *doctor, struct finding *finding)
{
	size_t i;

	live.account = doctor->subject.p;
	live.ca_file = postfix_value(&doctor->postfix, "smtp_tls_CAfile").p;
	doctor_import(doctor);
	for (i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (doctor->command->live != NULL &&
		    choose_server(doctor, &ways[i]))
			log_in(finding + i);
		else
			finding[i].verdict = VERDICT_NONE;
}

static const char *find(struct span line, const char *word)
{
	return memmem(line.p, line.n, word, strlen(word));
}

/* What came of the last message, where nothing else is wrong: rights on a
 * mailbox and limits show only there. */
void doctor_log(struct doctor *doctor, struct finding *finding)
{
	struct buf log, from = BUF_INIT(EXPLAIN_MAX_BYTES);
	char relay[DOCTOR_NAME_BYTES + 8], shown[SHOWN_BYTES] = "";
	struct span line;
	const char *at, *status;

	finding->verdict = VERDICT_NONE;
	if (!choose(&ways[0], doctor->route->relay, "25") ||
	    !explain_log(NULL, LOG_LOOK_BYTES, &log, &from) || log.n == 0)
		return;
	(void)snprintf(relay, sizeof(relay), "relay=%s[", live.host);
	for (at = log.p; (line = finding_line(&at)).n > 0;)
		if (find(line, "/smtp[") != NULL && find(line, relay) != NULL &&
		    (status = find(line, STATUS)) != NULL)
			attr_plain((struct span){ status,
				       line.n - (size_t)(status - line.p) },
			    shown, sizeof(shown));
	if (strncmp(shown, STATUS "sent", sizeof(STATUS "sent") - 1) == 0) {
		finding_good(finding, "%s took the last message", live.host);
	} else if (shown[0] != '\0') {
		finding_wrong(finding,
		    "the last message was not taken by %s: %s", live.host,
		    shown);
		explain(finding, doctor->route->user);
		finding_type(finding, "postqueue -f");
	}
}
