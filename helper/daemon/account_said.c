/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What status and watch say of an account: why it is not well, or what its
 * mail servers and its configuration will make of a grant that is.
 */
#include "daemon/account_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "daemon/grant.h"

#define SAID_BYTES 1200

void account_date(int64_t when_s, char out[40])
{
	time_t at = (time_t)when_s;
	struct tm utc;

	if (gmtime_r(&at, &utc) == NULL ||
	    strftime(out, 40, "%Y-%m-%d %H:%M UTC", &utc) == 0)
		(void)snprintf(out, 40, "a time unknown");
}

const char *account_said(struct account *account)
{
	char text[SAID_BYTES] = "", since[40];

	if (account->trouble == TROUBLE_TRANSIENT && account->text != NULL) {
		account_date(account->since_s, since);
		(void)snprintf(text, sizeof(text), "%s (since %s)",
		    account->text, since);
	} else if (account->text != NULL) {
		return account->text;
	}
	if (text[0] == '\0')
		refusals_say(account, text, sizeof(text));
	if (text[0] == '\0' && account->trouble == TROUBLE_NONE &&
	    account->entry != NULL && !account->is_app)
		grant_say_scope(account->entry, account->engine->config, text,
		    sizeof(text));
	free(account->said);
	account->said = text[0] != '\0' ? strdup(text) : NULL;
	return account->said;
}
