/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The gateway's JSON (api.md of etcd, rpc.proto): 64-bit numbers are strings,
 * bytes are base64, what is zero is left out.
 */
#include "fleet/etcd_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "wire/attr.h"

#define NUMBER_BYTES 24
#define CANCELLED    "\143anceled" /* as etcd spells it */

static int64_t number_of(const json_t *object, const char *name)
{
	const json_t *member = json_object_get(object, name);
	const char *text = json_string_value(member);

	return text != NULL ? strtoll(text, NULL, 10) :
			      json_integer_value(member);
}

static const char *decimal(int64_t number, char *out)
{
	(void)snprintf(out, NUMBER_BYTES, "%" PRId64, number);
	return out;
}

/* Bytes as a string in base64; NULL: no memory. */
static json_t *coded(struct span bytes)
{
	unsigned char *text = malloc(4 * ((bytes.n + 2) / 3) + 1);
	json_t *string = NULL;
	int n;

	if (text == NULL)
		return NULL;
	n = EVP_EncodeBlock(text, (const unsigned char *)bytes.p, (int)bytes.n);
	string = json_stringn_nocheck((const char *)text, (size_t)n);
	free(text);
	return string;
}

/* To *at, which is moved behind it; there is room. */
static bool decode(const json_t *object, const char *name, char **at,
    struct span *out)
{
	const json_t *member = json_object_get(object, name);
	const char *text = json_string_value(member);
	size_t n = json_string_length(member), pads = 0;
	int got;

	*out = (struct span){ *at, 0 };
	if (n == 0)
		return member == NULL || text != NULL;
	while (pads < 2 && pads < n && text[n - 1 - pads] == '=')
		pads++;
	got = EVP_DecodeBlock((unsigned char *)*at, (const unsigned char *)text,
	    (int)n);
	if (got < (int)pads)
		return false;
	out->n = (size_t)got - pads;
	*at += got;
	return true;
}

static bool read_kv(const json_t *object, char **at, struct etcd_kv *kv)
{
	kv->mod_revision = number_of(object, "mod_revision");
	kv->lease = number_of(object, "lease");
	return kv->mod_revision > 0 && decode(object, "key", at, &kv->key) &&
	    decode(object, "value", at, &kv->value);
}

/* Those of one array; there is room for all. */
static bool read_kvs(const json_t *array, struct etcd_reply *reply, char **at)
{
	const json_t *one, *kv;
	const char *type;
	size_t i;

	json_array_foreach(array, i, one)
	{
		kv = json_object_get(one, "kv"); /* of a watch's event */
		type = json_string_value(json_object_get(one, "type"));
		if (!read_kv(kv != NULL ? kv : one, at,
			&reply->kvs[reply->answer.n_kvs]))
			return false;
		reply->kvs[reply->answer.n_kvs++].gone = type != NULL &&
		    strcmp(type, "DELETE") == 0;
	}
	return true;
}

static enum fault read_arrays(const json_t *object, size_t body_n,
    struct etcd_reply *reply)
{
	const json_t *kvs = json_object_get(object, "kvs"), *one;
	const json_t *events = json_object_get(object, "events");
	const json_t *responses = json_object_get(object, "responses");
	size_t n = json_array_size(kvs) + json_array_size(events), i;
	char *at;
	bool good;

	json_array_foreach(responses, i, one) n += json_array_size(
	    json_object_get(json_object_get(one, "response_range"), "kvs"));
	if (n == 0)
		return FAULT_NONE;
	/* What is decoded is shorter than what it was read from. */
	reply->kvs = calloc(n, sizeof(*reply->kvs));
	reply->bytes = malloc(body_n);
	if (reply->kvs == NULL || reply->bytes == NULL)
		return FAULT_NOMEM;
	reply->answer.kvs = reply->kvs;
	at = reply->bytes;
	good = read_kvs(kvs, reply, &at) && read_kvs(events, reply, &at);
	json_array_foreach(responses, i, one) good = good &&
	    read_kvs(
		json_object_get(json_object_get(one, "response_range"), "kvs"),
		reply, &at);
	return good ? FAULT_NONE : FAULT_GARBLED;
}

/* {"error": text, "code", "message"}, in 3.6 without "error"; of a stream
 * {"error": {"grpc_code", "message"}} or {"error": {"code", "message"}}. */
static bool read_error(const json_t *object, struct etcd_reply *reply)
{
	const json_t *error = json_object_get(object, "error");

	if (json_is_object(error))
		object = error;
	reply->code = number_of(object, "grpc_code");
	if (reply->code == 0)
		reply->code = number_of(object, "code");
	attr_plain(reply_text(object, "message"), reply->message,
	    sizeof(reply->message));
	return reply->code != 0;
}

static enum fault read_object(const json_t *object, size_t body_n,
    struct etcd_reply *reply)
{
	const json_t *result = json_object_get(object, "result"), *header;
	struct etcd_answer *answer = &reply->answer;
	const char *text;

	if (read_error(object, reply))
		return FAULT_NONE;
	if (result != NULL) /* of a stream */
		object = result;
	header = json_object_get(object, "header");
	text = json_string_value(json_object_get(header, "cluster_id"));
	if (text == NULL)
		return FAULT_GARBLED;
	answer->cluster = strtoull(text, NULL, 10);
	answer->revision = number_of(header, "revision");
	answer->succeeded = json_is_true(json_object_get(object, "succeeded"));
	answer->more = json_is_true(json_object_get(object, "more"));
	answer->lease = number_of(object, "ID");
	answer->ttl_s = number_of(object, "TTL");
	reply->created = json_is_true(json_object_get(object, "created"));
	reply->fragment = json_is_true(json_object_get(object, "fragment"));
	reply->compact_revision = number_of(object, "compact_revision");
	if (json_is_true(json_object_get(object, CANCELLED)) &&
	    reply->compact_revision == 0) {
		attr_plain(reply_text(object, "cancel_reason"), reply->message,
		    sizeof(reply->message));
		reply->code = strstr(reply->message, "permission") != NULL ?
		    ETCD_DENIED :
		    ETCD_UNAVAILABLE;
		return FAULT_NONE;
	}
	text = json_string_value(json_object_get(object, "token"));
	if (text != NULL && !attr_is_token(span_of(text), SIZE_MAX))
		return FAULT_GARBLED;
	if (text != NULL && string_set(&reply->token, span_of(text)))
		return FAULT_NOMEM;
	return read_arrays(object, body_n, reply);
}

enum fault etcd_reply_parse(struct span body, struct etcd_reply *reply_out)
{
	struct etcd_reply reply = { .code = ETCD_OK };
	json_t *object = NULL;
	enum fault fault;

	fault = reply_object(body, &object, NULL);
	if (!fault)
		fault = read_object(object, body.n, &reply);
	json_decref(object);
	if (fault)
		etcd_reply_drop(&reply);
	else
		*reply_out = reply;
	return fault;
}

void etcd_reply_drop(struct etcd_reply *reply)
{
	if (reply->token != NULL)
		secret_wipe(reply->token, strlen(reply->token));
	free(reply->token);
	free(reply->kvs);
	free(reply->bytes);
	memset(reply, 0, sizeof(*reply));
}

json_t *etcd_json_range(const struct etcd_range *range)
{
	char revision[NUMBER_BYTES], limit[NUMBER_BYTES];

	return json_pack("{s:o, s:o, s:s, s:s}", "key", coded(range->key),
	    "range_end", coded(range->end), "revision",
	    decimal(range->revision, revision), "limit",
	    decimal(range->limit, limit));
}

static json_t *op_object(const struct etcd_op *op)
{
	char lease[NUMBER_BYTES];

	switch (op->kind) {
	case ETCD_GET:
		return json_pack("{s:{s:o}}", "request_range", "key",
		    coded(op->key));
	case ETCD_PUT:
		return json_pack("{s:{s:o, s:o, s:s}}", "request_put", "key",
		    coded(op->key), "value", coded(op->value), "lease",
		    decimal(op->lease, lease));
	case ETCD_DELETE: break;
	}
	return json_pack("{s:{s:o}}", "request_delete_range", "key",
	    coded(op->key));
}

/* NULL: no memory. */
static json_t *ops_array(const struct etcd_op *ops, size_t n)
{
	json_t *array = json_array();
	size_t i;

	for (i = 0; i < n; i++)
		if (json_array_append_new(array, op_object(&ops[i])) != 0) {
			json_decref(array);
			return NULL;
		}
	return array;
}

static json_t *compares_array(const struct etcd_compare *compares, size_t n)
{
	json_t *array = json_array();
	char revision[NUMBER_BYTES];
	size_t i;

	for (i = 0; i < n; i++)
		if (json_array_append_new(array,
			json_pack("{s:o, s:s, s:s, s:s}", "key",
			    coded(compares[i].key), "result", "EQUAL", "target",
			    "MOD", "mod_revision",
			    decimal(compares[i].revision, revision))) != 0) {
			json_decref(array);
			return NULL;
		}
	return array;
}

json_t *etcd_json_txn(const struct etcd_txn *txn)
{
	return json_pack("{s:o, s:o, s:o}", "compare",
	    compares_array(txn->compares, txn->n_compares), "success",
	    ops_array(txn->then, txn->n_then), "failure",
	    ops_array(txn->otherwise, txn->n_otherwise));
}

json_t *etcd_json_lease(const struct etcd_lease *lease)
{
	char number[NUMBER_BYTES];

	return json_pack("{s:s}", lease->verb == ETCD_GRANT ? "TTL" : "ID",
	    decimal(lease->number, number));
}

json_t *etcd_json_login(const char *user, const char *password)
{
	return json_pack("{s:s, s:s}", "name", user, "password", password);
}

json_t *etcd_json_watch(struct span prefix, int64_t from)
{
	struct buf end = BUF_INIT(ETCD_ANSWER_MAX_BYTES);
	char revision[NUMBER_BYTES];
	json_t *object = NULL;

	buf_add(&end, prefix);
	if (buf_fault(&end) == FAULT_NONE) {
		end.p[end.n - 1]++;
		object = json_pack("{s:{s:o, s:o, s:s, s:b, s:b}}",
		    "create_request", "key", coded(prefix), "range_end",
		    coded(buf_span(&end)), "start_revision",
		    decimal(from, revision), "progress_notify", 1, "fragment",
		    1);
	}
	buf_drop(&end);
	return object;
}
