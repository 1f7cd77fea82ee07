/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Assertions, taken apart and verified by openssl(1) and the shell, never by
 * the code that made them.
 */
#include "oauth/assertion.h"

#include <stdio.h>
#include <stdlib.h>

#include "failing_malloc.h"
#include "oauth/reply.h"
#include "scratch.h"
#include "test.h"

#define FILE_MAX 65536
#define NOW	 INT64_C(1890000000) /* 2029-11-21 */

static char dir[SCRATCH_BYTES];

/* A shell command in the folder of the test; whether it succeeded. */
static bool shell(const char *command)
{
	char line[4096];
	int n = snprintf(line, sizeof(line),
	    "cd '%s' && { %s; } "
	    "</dev/null >>log 2>&1",
	    dir, command);

	assert_true(n > 0 && (size_t)n < sizeof(line));
	return system(line) == 0;
}

static void put(const char *leaf, struct span bytes)
{
	char path[SCRATCH_BYTES];

	scratch_path(dir, leaf, path);
	scratch_write(path, bytes.p, bytes.n, 0600);
}

static void get(const char *leaf, struct buf *out)
{
	char path[SCRATCH_BYTES], bytes[4096];
	FILE *file;
	size_t n;

	buf_init(out, FILE_MAX);
	scratch_path(dir, leaf, path);
	file = fopen(path, "r");
	assert_non_null(file);
	while ((n = fread(bytes, 1, sizeof(bytes), file)) > 0)
		buf_add(out, (struct span){ bytes, n });
	assert_int_equal(fclose(file), 0);
}

static int setup(void **state)
{
	(void)state;
	reply_setup();
	scratch_new(dir);
	return shell(
		   "openssl req -x509 -newkey rsa:2048 -nodes -keyout a.key "
		   "-out a.crt -days 20000 -subj /CN=a && "
		   "openssl req -x509 -newkey rsa:2048 -nodes -keyout b.key "
		   "-out b.crt -days 20000 -subj /CN=b && "
		   "openssl req -x509 -newkey rsa:1024 -nodes -keyout small.key "
		   "-out small.crt -days 20000 -subj /CN=s && "
		   "openssl req -x509 -newkey ec -pkeyopt "
		   "ec_paramgen_curve:P-256 -nodes -keyout ec.key -out ec.crt "
		   "-days 20000 -subj /CN=e && "
		   "openssl pkcs8 -topk8 -in a.key -out enc.key -passout pass:pass && "
		   "openssl rsa -aes128 -in a.key -out old.key -passout pass:pass "
		   "-traditional && "
		   "openssl x509 -in a.crt -noout -pubkey >a.pub && "
		   "openssl x509 -in a.crt -outform DER | openssl dgst -sha256 "
		   "-binary | openssl base64 -A | tr '+/' '-_' | tr -d = >a.x5t") ?
	    0 :
	    -1;
}

static int teardown(void **state)
{
	(void)state;
	scratch_drop(dir);
	return 0;
}

static enum fault make(const char *certificate, const char *key,
    const char *passphrase, struct assertion_key **key_out, struct why *why)
{
	struct buf cert_bytes, key_bytes;
	struct assertion_source source = { .algorithm = ASSERTION_PS256 };
	struct secret *secret = NULL;
	enum fault fault;

	get(certificate, &cert_bytes);
	get(key, &key_bytes);
	if (passphrase != NULL)
		assert_int_equal(secret_new(span_of(passphrase), &secret),
		    FAULT_NONE);
	source.certificate = buf_span(&cert_bytes);
	source.key = buf_span(&key_bytes);
	source.passphrase = secret;
	fault = assertion_key_new(&source, key_out, why);
	secret_free(secret);
	buf_drop(&cert_bytes);
	buf_drop(&key_bytes);
	return fault;
}

static const struct assertion_claims claims = {
	.issuer = "my \"client\"",
	.subject = "my \"client\"",
	.audience = "https://login.example/t/token",
	.now_s = NOW,
	.life_s = 300,
};

/* header, claims, signed and signature as files, by the shell alone */
#define TAKE_APART \
	"un() { t=$(tr '_-' '/+'); while [ $((${#t} % 4)) -ne 0 ]; do " \
	"t=$t=; done; printf %s \"$t\" | openssl base64 -d -A; }; " \
	"cut -d. -f1 jwt | tr -d '\\n' | un >header && " \
	"cut -d. -f2 jwt | tr -d '\\n' | un >claims && " \
	"cut -d. -f3 jwt | tr -d '\\n' | un >signature && " \
	"cut -d. -f1,2 jwt | tr -d '\\n' >signed"

static void sign(struct assertion_key *key)
{
	struct buf jwt = BUF_INIT(ASSERTION_MAX_BYTES);
	struct why why;

	assert_int_equal(assertion_sign(key, &claims, &jwt, &why), FAULT_NONE);
	buf_add_lit(&jwt, "\n");
	put("jwt", buf_span(&jwt));
	buf_drop(&jwt);
	assert_true(shell(TAKE_APART));
}

static void ps256_is_what_openssl_verifies(void **state)
{
	struct assertion_key *key = NULL;
	struct buf text, x5t;
	struct why why;
	char want[256];

	(void)state;
	assert_int_equal(make("a.crt", "a.key", NULL, &key, &why), FAULT_NONE);
	sign(key);
	assert_true(shell(
	    "openssl dgst -sha256 -sigopt rsa_padding_mode:pss "
	    "-sigopt rsa_pss_saltlen:32 -verify a.pub -signature signature "
	    "signed"));
	get("header", &text);
	get("a.x5t", &x5t);
	(void)snprintf(want, sizeof(want),
	    "{\"alg\":\"PS256\",\"typ\":"
	    "\"JWT\",\"x5t#S256\":\"%s\"}",
	    x5t.p);
	assert_string_equal(text.p, want);
	buf_drop(&text);
	buf_drop(&x5t);
	get("claims", &text);
	assert_non_null(strstr(text.p,
	    "\"iss\":\"my \\\"client\\\"\","
	    "\"sub\":\"my \\\"client\\\"\","
	    "\"aud\":\"https://login.example/t/token\",\"jti\":\""));
	assert_non_null(strstr(text.p,
	    "\"nbf\":1890000000,"
	    "\"iat\":1890000000,\"exp\":1890000300}"));
	buf_drop(&text);
	assertion_key_release(key);
}

static void two_assertions_have_two_jti(void **state)
{
	struct assertion_key *key = NULL;
	struct why why;

	(void)state;
	assert_int_equal(make("a.crt", "a.key", NULL, &key, &why), FAULT_NONE);
	sign(key);
	assert_true(shell("cp claims claims1"));
	sign(key);
	assert_false(shell("cmp claims claims1"));
	assertion_key_release(key);
}

static void both_forms_of_an_encrypted_key_are_opened(void **state)
{
	static const char *const files[] = { "enc.key", "old.key" };
	struct assertion_key *key = NULL;
	struct why why;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(files); i++) {
		assert_int_equal(make("a.crt", files[i], "pass", &key, &why),
		    FAULT_NONE);
		assertion_key_release(key);
		assert_int_equal(make("a.crt", files[i], "wrong", &key, &why),
		    FAULT_CONFIG_ERROR);
		assert_non_null(strstr(why.text, "passphrase does not open"));
		assert_int_equal(make("a.crt", files[i], NULL, &key, &why),
		    FAULT_CONFIG_ERROR);
		assert_non_null(
		    strstr(why.text, "certificate_key_passphrase_file"));
	}
}

static void what_does_not_fit_is_refused_in_words(void **state)
{
	static const struct {
		const char *certificate, *key, *says;
	} bad[] = {
		{ "a.crt", "b.key", "another private key" },
		{ "small.crt", "small.key", "2048 bits" },
		{ "ec.crt", "ec.key", "not RSA" },
		{ "a.key", "a.key", "BEGIN CERTIFICATE" },
		{ "a.crt", "a.crt", "BEGIN PRIVATE KEY" },
		{ "a.crt", "/dev/null", "empty" },
		{ "/dev/null", "a.key", "empty" },
	};
	struct assertion_key *key = NULL;
	struct why why;
	size_t i;

	(void)state;
	put("empty", BYTES(""));
	for (i = 0; i < COUNT(bad); i++) {
		assert_int_equal(
		    make(bad[i].certificate[0] == '/' ? "empty" :
							bad[i].certificate,
			bad[i].key[0] == '/' ? "empty" : bad[i].key, NULL, &key,
			&why),
		    FAULT_CONFIG_ERROR);
		assert_non_null(strstr(why.text, bad[i].says));
		assert_null(key);
	}
}

static void a_certificate_counts_between_its_dates_only(void **state)
{
	struct assertion_claims then = claims;
	struct assertion_key *key = NULL;
	struct buf jwt = BUF_INIT(ASSERTION_MAX_BYTES);
	struct why why;

	(void)state;
	assert_int_equal(make("a.crt", "a.key", NULL, &key, &why), FAULT_NONE);
	then.now_s = assertion_key_ends_s(key);
	assert_int_equal(assertion_sign(key, &then, &jwt, &why),
	    FAULT_CONFIG_ERROR);
	assert_non_null(strstr(why.text, "has expired on 20"));
	then.now_s = 1000;
	assert_int_equal(assertion_sign(key, &then, &jwt, &why),
	    FAULT_CONFIG_ERROR);
	assert_non_null(strstr(why.text, "set the clock"));
	assert_int_equal(jwt.n, 0);
	buf_drop(&jwt);
	assertion_key_release(key);
}

/* The rest of a key file behind before: the key itself. */
static void google_file(const char *before, struct buf *out)
{
	struct buf pem;
	size_t i;

	get("a.key", &pem);
	buf_init(out, FILE_MAX);
	buf_add_str(out, before);
	for (i = 0; i < pem.n; i++) {
		if (pem.p[i] == '\n')
			buf_add_lit(out, "\\n");
		else
			buf_add(out, (struct span){ pem.p + i, 1 });
	}
	buf_add_lit(out, "\"}");
	buf_drop(&pem);
}

static void a_service_account_signs_rs256_with_its_kid(void **state)
{
	struct assertion_key *key = NULL;
	struct buf text, json;
	struct why why;

	(void)state;
	google_file("{\"type\":\"service_account\","
		    "\"client_email\":\"a@b\",\"private_key_id\":\"k1\","
		    "\"private_key\":\"",
	    &json);
	assert_int_equal(assertion_key_from_google(buf_span(&json), &key, &why),
	    FAULT_NONE);
	buf_drop(&json);
	assert_string_equal(assertion_key_issuer(key), "a@b");
	sign(key);
	assert_true(shell("openssl dgst -sha256 -verify a.pub -signature "
			  "signature signed"));
	get("header", &text);
	assert_string_equal(text.p,
	    "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":\"k1\"}");
	buf_drop(&text);
	assertion_key_release(key);
}

static void damaged_service_accounts_are_refused_in_words(void **state)
{
	static const struct {
		const char *json, *says;
	} bad[] = {
		{ "", "no" },
		{ "{", "JSON" },
		{ "[]", "JSON" },
		{ "{\"type\":\"authorized_user\"}", "service account" },
		{ "{\"type\":7}", "service account" },
		{ "{\"type\":\"service_account\"}", "client_email" },
		{ "{\"type\":\"service_account\",\"client_email\":7}",
		    "client_email" },
		{ "{\"type\":\"service_account\",\"client_email\":\"a\"}",
		    "no private_key" },
		{ "{\"type\":\"service_account\",\"client_email\":\"a\","
		  "\"private_key\":7}",
		    "private_key" },
		{ "{\"type\":\"service_account\",\"client_email\":\"a\","
		  "\"private_key\":\"nothing\"}",
		    "BEGIN PRIVATE KEY" },
	};
	struct assertion_key *key = NULL;
	struct why why;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(bad); i++) {
		assert_int_equal(
		    assertion_key_from_google(span_of(bad[i].json), &key, &why),
		    FAULT_CONFIG_ERROR);
		assert_non_null(strstr(why.text, bad[i].says));
		assert_null(key);
	}
}

static enum fault google_once(void *ctx)
{
	struct assertion_key *key = NULL;
	struct why why;
	enum fault fault;

	fault = assertion_key_from_google(buf_span(ctx), &key, &why);
	assertion_key_release(key);
	return fault;
}

static enum fault sign_once(void *ctx)
{
	struct buf jwt = BUF_INIT(ASSERTION_MAX_BYTES);
	struct why why;
	enum fault fault;

	fault = assertion_sign(ctx, &claims, &jwt, &why);
	buf_drop(&jwt);
	return fault;
}

static void each_lack_of_memory_is_told(void **state)
{
	struct assertion_key *key = NULL;
	struct buf json;
	struct why why;

	(void)state;
	assert_int_equal(make("a.crt", "a.key", NULL, &key, &why), FAULT_NONE);
	assert_true(failing_malloc_each(sign_once, key) > 5);
	assertion_key_release(key);
	google_file("{\"type\":\"service_account\",\"client_email\":"
		    "\"a@b\",\"private_key\":\"",
	    &json);
	assert_true(failing_malloc_each(google_once, &json) > 5);
	buf_drop(&json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ps256_is_what_openssl_verifies),
		cmocka_unit_test(two_assertions_have_two_jti),
		cmocka_unit_test(both_forms_of_an_encrypted_key_are_opened),
		cmocka_unit_test(what_does_not_fit_is_refused_in_words),
		cmocka_unit_test(a_certificate_counts_between_its_dates_only),
		cmocka_unit_test(a_service_account_signs_rs256_with_its_kid),
		cmocka_unit_test(damaged_service_accounts_are_refused_in_words),
		cmocka_unit_test(each_lack_of_memory_is_told),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
