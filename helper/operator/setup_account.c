/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What is asked, and where to click for it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/command.h"
#include "oauth/provider.h"
#include "operator/run.h"
#include "operator/setup_impl.h"

#define MX_MAX_BYTES 1000

/* Lines of texts, by family: clicks.conf. */
static const struct {
	const char *of, *line;
} clicks[] = {
#include "operator/clicks.inc"
};

static bool is_family(const struct wanted *wanted, const char *name)
{
	return preset_is(wanted->preset, "family", name);
}

static void say_clicks(const struct wanted *wanted)
{
	const char *family = preset_value(wanted->preset, "family");
	char of[64];
	size_t i;

	(void)snprintf(of, sizeof(of), "%s%s",
	    family != NULL ? family : "other",
	    family != NULL && wanted->app_only ? " app" : "");
	for (i = 0; i < sizeof(clicks) / sizeof(clicks[0]); i++)
		if (strcmp(clicks[i].of, of) == 0)
			screen_print("%s\n", clicks[i].line);
	screen_flush();
}

/* Whose preset the mail exchangers of the domain are; asked, as DNS may lie. */
static bool ask_mx(struct wanted *wanted, const char *domain)
{
	struct buf names = BUF_INIT(MX_MAX_BYTES);
	struct span none = { NULL, 0 };
	const char *list, *name = NULL;
	struct span one;
	enum answer answer = ANSWER_NO;

	mx_find(domain, &names);
	for (list = names.p; name == NULL && (one = span_next(&list)).n > 0;)
		name = preset_known_by(none, one);
	if (name != NULL)
		answer = setup_ask(wanted->setup, true,
		    "Mail for %s goes to %s.  Is that the provider?", domain,
		    preset_value(preset_find(name), "title"));
	if (answer == ANSWER_YES)
		buf_add_str(&wanted->provider, name);
	buf_drop(&names);
	return answer != ANSWER_NONE;
}

static bool choose_provider(struct wanted *wanted)
{
	struct setup *setup = wanted->setup;
	const char *domain = strrchr(setup->account, '@') + 1;
	struct span named = span_of(setup->command->provider);

	if (named.n == 0)
		named = conf_get(&wanted->conf, wanted->block, "provider");
	if (named.n == 0)
		named = span_of(preset_known_by(span_of(domain), span_of("")));
	buf_add(&wanted->provider, named);
	if (named.n == 0 && !ask_mx(wanted, domain))
		return false;
	if (wanted->provider.n == 0)
		buf_add(&wanted->provider,
		    conf_only(&wanted->conf, "provider"));
	return wanted->provider.n > 0 ||
	    setup_input(setup, &wanted->provider,
		"provider, such as microsoft or google (\"mailtoken "
		"providers\" lists them)",
		"--provider", NULL);
}

static bool know_provider(struct wanted *wanted)
{
	struct command *command = wanted->setup->command;
	char name[ACCOUNT_MAX_BYTES];
	struct span preset;

	if (!attr_is_of(buf_span(&wanted->provider), ATTR_ALNUM "_-",
		CONF_WORD_MAX_BYTES)) {
		screen_say("a provider's name has letters, digits, _ and -");
		return false;
	}
	(void)snprintf(wanted->head, sizeof(wanted->head), "provider %s",
	    wanted->provider.p);
	preset = conf_get(&wanted->conf, wanted->head, "preset");
	if (preset.n == 0)
		preset = buf_span(&wanted->provider);
	(void)snprintf(name, sizeof(name), "%.*s", SPAN(preset));
	wanted->preset = preset_find(name);
	if (conf_get(&wanted->conf, wanted->head, NULL).n > 0 ||
	    command->issuer != NULL)
		return true;
	if (wanted->preset == NULL)
		screen_say("there is no provider %s: \"mailtoken providers\" "
			   "lists those that are built in; one of your own "
			   "needs --issuer URL",
		    name);
	else if (preset_value(wanted->preset, "flow") == NULL)
		screen_say("%s registers no applications for mail any more, "
			   "as far as is known: if you have one, begin with "
			   "\"mailtoken providers %s\"",
		    preset_value(wanted->preset, "title"), name);
	else
		return true;
	return false;
}

/* Of the command line, of the file, or typed. */
static bool ask_value(struct wanted *wanted, struct buf *out, const char *key,
    const char *given, const char *usual)
{
	bool client = span_is(span_of(key), "client_id");
	const char *what = client ? "client id" : key;

	if (given != NULL)
		buf_add_str(out, given);
	else
		buf_add(out, conf_get(&wanted->conf, wanted->head, key));
	if (out->n == 0 &&
	    !setup_input(wanted->setup, out, what,
		client ? "--client-id" : "--tenant", usual))
		return false;
	if (attr_is_token(buf_span(out), CONF_WORD_MAX_BYTES) &&
	    !provider_is_placeholder(buf_span(out)))
		return true;
	screen_say("%s is no %s: take the one that the provider shows for "
		   "your application",
	    out->p, what);
	return false;
}

static bool ask_client(struct wanted *wanted)
{
	struct command *command = wanted->setup->command;
	bool needed = preset_value(wanted->preset, "registration_endpoint") ==
		NULL &&
	    command->issuer == NULL &&
	    conf_get(&wanted->conf, wanted->head,
		"client_id issuer registration_endpoint")
		    .n == 0;

	if (needed && command->client_id == NULL && screen.keyboard)
		say_clicks(wanted);
	if ((needed || command->client_id != NULL) &&
	    !ask_value(wanted, &wanted->client_id, "client_id",
		command->client_id, NULL))
		return false;
	needed = is_family(wanted, "microsoft") &&
	    !preset_is(wanted->preset, "tenant", "consumers");
	return (!needed && command->tenant == NULL) ||
	    ask_value(wanted, &wanted->tenant, "tenant", command->tenant,
		strrchr(wanted->setup->account, '@') + 1);
}

/* The file's content without the line's end, as the helper wants it. */
static bool read_secret(struct buf *out, const char *path)
{
	struct why why = { 0, "" };
	enum fault fault = run_read(path, out, &why);

	while (out->n > 0 && strchr("\r\n", out->p[out->n - 1]) != NULL)
		out->p[--out->n] = '\0';
	if (fault == FAULT_NONE &&
	    !attr_is_token(buf_span(out), CLIENT_SECRET_MAX_BYTES)) {
		why_set(&why, 0, "%s has no client secret, which is one word",
		    path);
		fault = FAULT_GARBLED;
	}
	if (fault != FAULT_NONE)
		screen_say("%s", why_text(&why, fault));
	return fault == FAULT_NONE;
}

static bool ask_secret(struct wanted *wanted)
{
	struct setup *setup = wanted->setup;
	struct command *command = setup->command;
	const char *file = command->client_secret_file;

	if (file != NULL)
		return read_secret(&wanted->secret, file);
	wanted->make_certificate = command->make_certificate != NULL;
	if (wanted->make_certificate || command->certificate != NULL ||
	    conf_get(&wanted->conf, wanted->head,
		"client_secret_file certificate assertion_file "
		"service_account_file")
		    .n > 0)
		return true;
	if (wanted->app_only)
		switch (setup_ask(setup, true,
		    "Sign in with a certificate that is made here?  (No: with "
		    "a client secret.)")) {
		case ANSWER_NONE: return false;
		case ANSWER_YES: return wanted->make_certificate = true;
		case ANSWER_NO: break;
		}
	else if (!is_family(wanted, "google"))
		return true;
	if (setup->dry_run)
		return true;
	return setup_input(setup, &wanted->secret, "client secret",
	    "--client-secret-file", setup_hidden);
}

bool account_ask(struct wanted *wanted)
{
	struct command *command = wanted->setup->command;
	const char *flow = command->flow;
	bool app = flow != NULL && strcmp(flow, "client-credentials") == 0;

	(void)snprintf(wanted->block, sizeof(wanted->block), "account %s",
	    wanted->setup->account);
	if (!conf_load(wanted->setup, &wanted->conf) ||
	    !choose_provider(wanted) || !know_provider(wanted))
		return false;
	wanted->app_only = command->app_only != NULL || app ||
	    command->certificate != NULL || command->make_certificate != NULL ||
	    preset_is(wanted->preset, "flow", "client-credentials") ||
	    span_is(conf_get(&wanted->conf, wanted->head, "flow"),
		"client-credentials");
	if (flow != NULL && !app && wanted->app_only) {
		screen_say("--flow %s is for users; an application that signs "
			   "in for itself has none",
		    flow);
		return false;
	}
	return ask_client(wanted) && ask_secret(wanted);
}

/* A file beside mailtoken.conf that is named like the provider. */
static void path_of(const struct wanted *wanted, const char *end,
    char path[ADDRESS_FILE_MAX_BYTES])
{
	(void)snprintf(path, ADDRESS_FILE_MAX_BYTES, "%.*s/%s%s",
	    (int)(strrchr(wanted->conf.path, '/') - wanted->conf.path),
	    wanted->conf.path, wanted->provider.p, end);
}

static bool make_certificate(struct wanted *wanted, const char *certificate,
    const char *key)
{
	struct setup *setup = wanted->setup;
	bool is_new = access(certificate, F_OK) != 0;

	if (!cert_make(setup, certificate, key, units_owner(setup)))
		return false;
	if (is_new && !setup->yes && !setup->dry_run)
		is_new = setup_ask(setup, true,
			     "Upload it at the provider now.  Is it there?") !=
		    ANSWER_YES;
	wanted->to_upload = is_new;
	if (is_new)
		setup_left(setup,
		    "upload %s, then run \"mailtoken setup %s\" "
		    "again, which tries it",
		    certificate, setup->account);
	return true;
}

/* What the block says of the secret or the certificate, and those files. */
static bool write_secret(struct wanted *wanted)
{
	struct command *command = wanted->setup->command;
	char path[ADDRESS_FILE_MAX_BYTES], key[ADDRESS_FILE_MAX_BYTES];
	const char *certificate = command->certificate;
	const char *named = command->certificate_key;
	const struct setup_file file = { path, buf_span(&wanted->secret), 0600,
		units_owner(wanted->setup), getegid(), false, NULL };

	if (wanted->secret.n > 0) {
		path_of(wanted, ".secret", path);
		return conf_put(&wanted->conf, wanted->head,
			   "client_secret_file", path) &&
		    setup_write(wanted->setup, &file);
	}
	if (wanted->make_certificate) {
		path_of(wanted, ".crt", path);
		path_of(wanted, ".key", key);
		certificate = path;
		named = key;
	}
	if (certificate == NULL)
		return true;
	return conf_put(&wanted->conf, wanted->head, "certificate",
		   certificate) &&
	    conf_put(&wanted->conf, wanted->head, "certificate_key", named) &&
	    (!wanted->make_certificate ||
		make_certificate(wanted, certificate, named));
}

bool account_write(struct wanted *wanted)
{
	const struct command *command = wanted->setup->command;
	const char *flow = wanted->app_only ? "client-credentials" :
					      command->flow;
	struct conf *conf = &wanted->conf;

	return conf_folder(wanted->setup, conf) &&
	    conf_allow_postfix(wanted->setup, conf) &&
	    conf_put(conf, wanted->head, "issuer", command->issuer) &&
	    conf_put(conf, wanted->head, "client_id", wanted->client_id.p) &&
	    conf_put(conf, wanted->head, "tenant", wanted->tenant.p) &&
	    conf_put(conf, wanted->head, "flow", flow) &&
	    write_secret(wanted) &&
	    (!wanted->app_only ||
		conf_put(conf, wanted->block, "provider",
		    wanted->provider.p)) &&
	    conf_save(wanted->setup, conf);
}
