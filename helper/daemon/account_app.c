/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What is different where the application signs in for itself: there is no
 * record on disk and no refresh token, each exchange shows the application's
 * own credentials, and the configuration alone says what the token is for.
 */
#include "daemon/account_impl.h"

#include "daemon/grant.h"
#include "oauth/assertion.h"
#include "store/safefile.h"

enum fault account_new_app(struct engine *engine, const char *name,
    const struct provider *provider, const char *subject,
    struct account **account_out)
{
	struct account *account = NULL;
	enum fault fault;

	fault = account_new(engine, name, &account);
	if (fault != FAULT_NONE)
		return fault;
	fault = grant_app(name, provider, &account->entry);
	if (fault == FAULT_NONE && subject != NULL) {
		account->subject = strdup(subject);
		if (account->subject == NULL)
			fault = FAULT_NOMEM;
	}
	if (fault != FAULT_NONE) {
		account_free(account);
		return fault;
	}
	account->is_app = true;
	account->exists = true;
	account->may_renew = true;
	account->told_state = ACCOUNT_ACTIVE;
	if (account->entry->token_host != NULL ||
	    account->entry->issuer != NULL)
		account->wish.share = slots_share(engine->slots,
		    account->entry->token_host != NULL ?
			account->entry->token_host :
			account->entry->issuer);
	*account_out = account;
	return FAULT_NONE;
}

bool account_is_app(const struct account *account)
{
	return account->is_app;
}

bool account_is_idle(const struct account *account, int64_t *asked_s_out)
{
	*asked_s_out = account->asked_s;
	return account->waiters == NULL && account->wish.place == SLOT_IDLE;
}

bool account_backs_off(const struct account *account)
{
	struct account_answer unused;
	struct now now = engine_now();

	return !asking_may_try(account, &now, &unused);
}

enum fault account_app_provider(const struct account *account,
    struct provider **provider_out, struct why *why)
{
	const struct config *config = account->engine->config;
	const char *name = account->entry->provider;
	struct provider *provider = config_provider(config, name);

	if (provider == NULL || !provider_is_app_only(provider)) {
		if (config_bad_provider(config, name) != NULL)
			why_set(why, 0, "%s",
			    config_bad_provider(config, name));
		else
			why_set(why, 0,
			    "%s has no app-only provider '%s' any more",
			    config->path, name);
		return FAULT_CONFIG_ERROR;
	}
	*provider_out = provider_share(provider);
	return FAULT_NONE;
}

void account_app_changed(struct account *account)
{
	struct provider *provider = NULL;
	struct entry *entry = NULL;
	struct why why;
	enum fault fault;

	fault = account_provider(account, &provider, &why);
	account->may_renew = fault == FAULT_NONE;
	if (fault == FAULT_NONE && !grant_is_of(account->entry, provider))
		fault = grant_app(account->name, provider, &entry);
	if (entry != NULL || !account->may_renew)
		account_drop_token(account);
	if (entry != NULL) {
		entry_free(account->entry);
		account->entry = entry;
	}
	provider_release(provider);
}

static enum fault read_assertion(const struct provider *provider,
    struct secret **assertion_out, struct why *why)
{
	struct buf bytes = BUF_INIT(ASSERTION_MAX_BYTES);
	struct why reason = { .err = 0, .text = "" };
	enum fault fault;

	fault = safefile_read_secret(provider->assertion_file,
	    ASSERTION_MAX_BYTES, &bytes, &reason);
	if (fault == FAULT_NONE && bytes.n == 0) {
		why_set(why, 0,
		    "provider '%s': assertion_file %s is empty: whatever "
		    "writes it must put an assertion there",
		    provider->name, provider->assertion_file);
		fault = FAULT_CONFIG_ERROR;
	} else if (fault == FAULT_NONE &&
	    !attr_is_token(buf_span(&bytes), ASSERTION_MAX_BYTES)) {
		why_set(why, 0,
		    "provider '%s': what stands in assertion_file %s is no "
		    "assertion",
		    provider->name, provider->assertion_file);
		fault = FAULT_CONFIG_ERROR;
	} else if (fault != FAULT_NONE && fault != FAULT_NOMEM) {
		why_set(why, 0, "provider '%s': assertion_file: %s",
		    provider->name, reason.text);
		fault = FAULT_CONFIG_ERROR;
	}
	if (fault == FAULT_NONE)
		fault = secret_new(buf_span(&bytes), assertion_out);
	buf_drop(&bytes);
	return fault;
}

enum fault account_app_start(struct account *account,
    const struct flow_target *target, struct why *why)
{
	struct flow_app_wish wish = {
		.subject = account->subject,
		.now_s = clock_wall_s(),
	};
	struct secret *assertion = NULL;
	enum fault fault = FAULT_NONE;

	if (target->provider->assertion_file != NULL)
		fault = read_assertion(target->provider, &assertion, why);
	wish.assertion = assertion;
	if (fault == FAULT_NONE)
		fault = flow_app_start(target, &wish, &account->flow, why);
	secret_free(assertion);
	return fault;
}
