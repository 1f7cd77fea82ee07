/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The rows.  One resource a token: the scopes of a row name one Outlook
 * host, and nothing of Microsoft Graph may stand beside them.
 */
#include "oauth/presets.h"

/* The URL shapes are the same in all clouds of Microsoft. */
#define MICROSOFT_AT(login) \
	.family = PROVIDER_MICROSOFT, \
	.flow = FLOW_DEVICE, \
	.issuer = "https://" login "/{tenant}/v2.0", \
	.authorization_endpoint = \
	    "https://" login "/{tenant}/oauth2/v2.0/authorize", \
	.token_endpoint = "https://" login "/{tenant}/oauth2/v2.0/token", \
	.device_authorization_endpoint = \
	    "https://" login "/{tenant}/oauth2/v2.0/devicecode"

/* id_tokens tell who signed in; offline_access gives a refresh token. */
#define OUTLOOK_SCOPES(host) \
	.scope_smtp = "https://" host "/SMTP.Send", \
	.scope_imap = "https://" host "/IMAP.AccessAsUser.All", \
	.scope_pop = "https://" host "/POP.AccessAsUser.All", \
	.scope_more = "offline_access openid email profile"

static const struct preset presets[] = {
	{
		.name = "microsoft",
		.title = "Microsoft 365",
		MICROSOFT_AT("login.microsoftonline.com"),
		.tenant = "common",
		OUTLOOK_SCOPES("outlook.office.com"),
		.scope_app = "https://outlook.office365.com/.default",
		.servers = { "smtp.office365.com", "outlook.office365.com",
		    "smtp-mail.outlook.com", "imap-mail.outlook.com",
		    "pop-mail.outlook.com" },
		.sign_out_page = "https://myapps.microsoft.com/",
	},
	{
		.name = "microsoft-consumer",
		.title = "Outlook.com, Hotmail and Live (personal accounts)",
		MICROSOFT_AT("login.microsoftonline.com"),
		.tenant = "consumers",
		OUTLOOK_SCOPES("outlook.office.com"),
		.servers = { "smtp-mail.outlook.com", "outlook.office365.com",
		    "imap-mail.outlook.com", "pop-mail.outlook.com" },
		.sign_out_page = "https://account.live.com/consent/Manage",
	},
	{
		.name = "microsoft-gcc-high",
		.cloud_of = "microsoft",
		.cloud = "gcc-high",
		.title = "Microsoft 365 GCC High (US Government)",
		MICROSOFT_AT("login.microsoftonline.us"),
		.tenant = "organizations",
		OUTLOOK_SCOPES("outlook.office365.us"),
		.scope_app = "https://outlook.office365.us/.default",
		.servers = { "outlook.office365.us", "smtp.office365.us" },
		.sign_out_page = "https://myapps.microsoft.us/",
	},
	{
		.name = "microsoft-dod",
		.cloud_of = "microsoft",
		.cloud = "dod",
		.title = "Microsoft 365 DoD (US Government)",
		MICROSOFT_AT("login.microsoftonline.us"),
		.tenant = "organizations",
		OUTLOOK_SCOPES("outlook.office365.us"),
		.scope_app = "https://outlook.office365.us/.default",
		.servers = { "outlook-dod.office365.us" },
		.sign_out_page = "https://myapps.microsoft.us/",
	},
	{
		.name = "microsoft-china",
		.cloud_of = "microsoft",
		.cloud = "china",
		.title = "Microsoft 365 operated by 21Vianet (China)",
		MICROSOFT_AT("login.partner.microsoftonline.cn"),
		.tenant = "organizations",
		OUTLOOK_SCOPES("partner.outlook.cn"),
		.scope_app = "https://partner.outlook.cn/.default",
		.servers = { "partner.outlook.cn",
		    "smtp.partner.outlook.cn" },
	},
};

#define N_PRESETS (sizeof(presets) / sizeof(presets[0]))

const struct preset *preset_find(const char *name)
{
	size_t i;

	for (i = 0; i < N_PRESETS; i++)
		if (strcmp(presets[i].name, name) == 0)
			return &presets[i];
	return NULL;
}

const struct preset *preset_in_cloud(const struct preset *preset,
    const char *cloud)
{
	size_t i;

	if (strcmp(cloud, "public") == 0)
		return preset->cloud_of == NULL ? preset : NULL;
	for (i = 0; i < N_PRESETS; i++)
		if (presets[i].cloud_of != NULL &&
		    strcmp(presets[i].cloud_of, preset->name) == 0 &&
		    strcmp(presets[i].cloud, cloud) == 0)
			return &presets[i];
	return NULL;
}
