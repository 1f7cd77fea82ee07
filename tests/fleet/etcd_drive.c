/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * etcd_drive - asks etcd what stdin says and prints what it answers
 *
 *	etcd_drive [user=... password_file=... ca_file=... certificate=...
 *	    certificate_key=...] URL...
 *
 * A line is a name and a request, keys and values in hexadecimal:
 *
 *	N range KEY END REVISION LIMIT         N grant TTL
 *	N txn COMPARE... ? OP... ! OP...       N keep LEASE
 *	N watch PREFIX FROM                    N revoke LEASE
 *	N cancel                               N stop
 *
 * COMPARE is c:KEY:REVISION or m:KEY:REVISION, OP is g:KEY, d:KEY or
 * p:KEY:VALUE:LEASE; "-" is the empty string.  Every answer and event is a line
 * of JSON with that name.
 */
#include <event2/event.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fleet/etcd.h"
#include "oauth/reply.h"

#define WORDS_MAX 64
#define OPS_MAX	  16

struct job {
	struct job *next;
	char *name;
	struct etcd_call *call;
	struct etcd_watch *watch;
};

static struct etcd *etcd;
static struct event_base *base;
static struct buf input = BUF_INIT(1 << 24);
static struct job *jobs;

static void die(const char *text)
{
	(void)fprintf(stderr, "etcd_drive: %s\n", text);
	exit(2);
}

static json_t *hex_of(struct span bytes)
{
	char *text = malloc(2 * bytes.n + 1);
	json_t *string;
	size_t i;

	if (text == NULL)
		die("no memory");
	text[0] = '\0';
	for (i = 0; i < bytes.n; i++)
		(void)snprintf(text + 2 * i, 3, "%02x",
		    (unsigned char)bytes.p[i]);
	string = json_string(text);
	free(text);
	return string;
}

/* In place. */
static struct span bytes_of(char *text)
{
	size_t i, n = strlen(text) / 2;
	char two[3] = "", *end;

	if (strcmp(text, "-") == 0)
		return (struct span){ "", 0 };
	for (i = 0; i < n; i++) {
		memcpy(two, text + 2 * i, 2);
		text[i] = (char)strtol(two, &end, 16);
		if (*end != '\0')
			die("no hexadecimal number");
	}
	return (struct span){ text, n };
}

static json_t *kv_of(const struct etcd_kv *kv)
{
	return json_pack("{s:o, s:o, s:I, s:I}", "key", hex_of(kv->key),
	    "value", hex_of(kv->value), "revision",
	    (json_int_t)kv->mod_revision, "lease", (json_int_t)kv->lease);
}

static void print(json_t *object)
{
	if (object == NULL ||
	    json_dumpf(object, stdout, JSON_COMPACT | JSON_ENSURE_ASCII) != 0)
		die("cannot print");
	(void)putchar('\n');
	(void)fflush(stdout);
	json_decref(object);
}

static void done(void *ctx, const struct etcd_answer *answer)
{
	json_t *kvs = json_array();
	struct job *job = ctx;
	char cluster[24];
	size_t i;

	job->call = NULL;
	for (i = 0; i < answer->n_kvs; i++)
		json_array_append_new(kvs, kv_of(&answer->kvs[i]));
	(void)snprintf(cluster, sizeof(cluster), "%llu",
	    (unsigned long long)answer->cluster);
	print(json_pack("{s:s, s:b, s:b, s:s, s:s, s:s, s:I, s:b, s:b, s:I,"
			"s:I, s:o}",
	    "name", job->name, "ok", answer->ok, "maybe", answer->maybe, "text",
	    answer->text, "url", answer->url != NULL ? answer->url : "",
	    "cluster", cluster, "revision", (json_int_t)answer->revision,
	    "succeeded", answer->succeeded, "more", answer->more, "lease",
	    (json_int_t)answer->lease, "ttl", (json_int_t)answer->ttl_s, "kvs",
	    kvs));
}

static void watched(void *ctx, const struct etcd_watch_event *event)
{
	static const char *const kinds[] = { "on", "put", "gone", "seen",
		"lost", "over" };
	struct job *job = ctx;

	if (event->kind == ETCD_WATCH_OVER)
		job->watch = NULL;
	print(json_pack("{s:s, s:s, s:I, s:s, s:o}", "name", job->name, "event",
	    kinds[event->kind], "revision", (json_int_t)event->revision, "text",
	    event->text, "kv",
	    event->kv != NULL ? kv_of(event->kv) : json_null()));
}

static struct etcd_op op_of(char *word)
{
	struct etcd_op op = { .kind = ETCD_GET };
	char *rest = word + 2, *part = strsep(&rest, ":");

	op.key = bytes_of(part);
	if (word[0] == 'd')
		op.kind = ETCD_DELETE;
	if (word[0] != 'p')
		return op;
	op.kind = ETCD_PUT;
	op.value = bytes_of(strsep(&rest, ":"));
	op.lease = strtoll(rest, NULL, 10);
	return op;
}

static enum fault start_txn(char **words, struct job *job)
{
	struct etcd_compare compares[OPS_MAX];
	struct etcd_op then[OPS_MAX], otherwise[OPS_MAX];
	struct etcd_txn txn = { compares, 0, then, 0, otherwise, 0 };
	struct etcd_compare *compare;
	char *rest;

	for (; *words != NULL && strcmp(*words, "?") != 0; words++) {
		compare = &compares[txn.n_compares++];
		rest = *words + 2;
		compare->key = bytes_of(strsep(&rest, ":"));
		compare->revision = strtoll(rest, NULL, 10);
	}
	for (words++; *words != NULL && strcmp(*words, "!") != 0; words++)
		then[txn.n_then++] = op_of(*words);
	if (*words != NULL)
		for (words++; *words != NULL; words++)
			otherwise[txn.n_otherwise++] = op_of(*words);
	return etcd_txn(etcd, &txn, done, job, &job->call);
}

static struct job *job_of(const char *name)
{
	struct job *job = jobs;

	while (job != NULL && strcmp(job->name, name) != 0)
		job = job->next;
	if (job == NULL) {
		job = calloc(1, sizeof(*job));
		if (job == NULL)
			die("no memory");
		job->name = strdup(name);
		job->next = jobs;
		jobs = job;
	}
	return job;
}

static enum fault start(char **words, size_t n)
{
	struct job *job = job_of(words[0]);
	struct etcd_lease lease = { ETCD_GRANT,
		n > 2 ? strtoll(words[2], NULL, 10) : 0 };
	const char *verb = words[1];

	if (strcmp(verb, "range") == 0 && n == 6) {
		struct etcd_range range = { bytes_of(words[2]),
			bytes_of(words[3]), strtoll(words[4], NULL, 10),
			strtoll(words[5], NULL, 10) };

		return etcd_range(etcd, &range, done, job, &job->call);
	}
	if (strcmp(verb, "txn") == 0 && n > 3)
		return start_txn(words + 2, job);
	if (strcmp(verb, "keep") == 0)
		lease.verb = ETCD_KEEP;
	if (strcmp(verb, "revoke") == 0)
		lease.verb = ETCD_REVOKE;
	if (strcmp(verb, "grant") == 0 || lease.verb != ETCD_GRANT)
		return etcd_lease(etcd, &lease, done, job, &job->call);
	if (strcmp(verb, "watch") == 0 && n == 4) {
		struct etcd_watch_options options = { bytes_of(words[2]),
			strtoll(words[3], NULL, 10), watched, job };

		return etcd_watch_start(etcd, &options, &job->watch);
	}
	if (strcmp(verb, "cancel") == 0)
		etcd_cancel(job->call);
	else if (strcmp(verb, "stop") == 0)
		etcd_watch_stop(job->watch);
	else
		die("no such request");
	job->call = NULL;
	job->watch = NULL;
	print(json_pack("{s:s, s:b}", "name", job->name, "stopped", 1));
	return FAULT_NONE;
}

static void line_read(char *line)
{
	char *words[WORDS_MAX + 1], *word;
	size_t n = 0;

	while (n < WORDS_MAX && (word = strsep(&line, " ")) != NULL)
		words[n++] = word;
	words[n] = NULL;
	if (n < 2 || start(words, n) != FAULT_NONE)
		die("cannot begin");
}

static void input_ready(evutil_socket_t fd, short what, void *ctx)
{
	size_t room;
	char *at = buf_space(&input, 65536, &room), *lf;
	ssize_t n = at != NULL ? read(fd, at, room) : -1;

	(void)what;
	(void)ctx;
	if (n <= 0) {
		(void)event_base_loopbreak(base);
		return;
	}
	buf_used(&input, (size_t)n);
	while ((lf = memchr(input.p, '\n', input.n)) != NULL) {
		*lf = '\0';
		n = lf - input.p + 1;
		line_read(input.p);
		buf_consume(&input, (size_t)n);
	}
}

static const char *option(const char *word, const char *name)
{
	size_t n = strlen(name);

	return strncmp(word, name, n) == 0 && word[n] == '=' ? word + n + 1 :
							       NULL;
}

int main(int argc, char **argv)
{
	struct etcd_options options = { .urls = NULL };
	const char *urls[ETCD_URLS_MAX], *value;
	struct event *in;
	struct job *job;
	int i;

	reply_setup();
	base = event_base_new();
	if (base == NULL || http_new(base, &options.http) != FAULT_NONE)
		die("no event loop");
	options.base = base;
	options.urls = urls;
	for (i = 1; i < argc; i++) {
		if ((value = option(argv[i], "user")) != NULL)
			options.user = value;
		else if ((value = option(argv[i], "password_file")) != NULL)
			options.password_file = value;
		else if ((value = option(argv[i], "ca_file")) != NULL)
			options.ca_file = value;
		else if ((value = option(argv[i], "certificate")) != NULL)
			options.certificate = value;
		else if ((value = option(argv[i], "certificate_key")) != NULL)
			options.certificate_key = value;
		else if (options.n_urls < ETCD_URLS_MAX)
			urls[options.n_urls++] = argv[i];
	}
	if (etcd_new(&options, &etcd) != FAULT_NONE)
		die("no memory");
	in = event_new(base, STDIN_FILENO, EV_READ | EV_PERSIST, input_ready,
	    NULL);
	if (in == NULL || event_add(in, NULL) != 0)
		die("no memory");
	(void)event_base_dispatch(base);
	event_free(in);
	etcd_free(etcd);
	http_free(options.http);
	event_base_free(base);
	buf_drop(&input);
	while ((job = jobs) != NULL) {
		jobs = job->next;
		free(job->name);
		free(job);
	}
	return 0;
}
