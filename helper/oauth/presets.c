/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The rows.  One resource a token: the scopes of a Microsoft row name one
 * Outlook host, and nothing of Microsoft Graph may stand beside them.
 * mailtoken.conf(5) says which rows are sure and which are hearsay; every
 * value can be replaced there.
 */
#include "oauth/presets.h"

/* The URL shapes are the same in all clouds of Microsoft. */
#define MICROSOFT_AT(login) \
	.family = PROVIDER_MICROSOFT, \
	.issuer = "https://" login "/{tenant}/v2.0", \
	.authorization_endpoint = "https://" login \
				  "/{tenant}/oauth2/v2.0/authorize", \
	.token_endpoint = "https://" login "/{tenant}/oauth2/v2.0/token", \
	.device_authorization_endpoint = "https://" login \
					 "/{tenant}/oauth2/v2.0/devicecode"

/* id_tokens tell who signed in; offline_access gives a refresh token. */
#define OUTLOOK_SCOPES(host) \
	.scope_smtp = "https://" host "/SMTP.Send", \
	.scope_imap = "https://" host "/IMAP.AccessAsUser.All", \
	.scope_pop = "https://" host "/POP.AccessAsUser.All", \
	.scope_more = "offline_access openid email profile"

#define SCOPE_FOR_ALL(scope) \
	.scope_smtp = scope, .scope_imap = scope, .scope_pop = scope

static const struct preset presets[] = {
	{
	    .name = "microsoft",
	    .title = "Microsoft 365",
	    .flow = FLOW_DEVICE,
	    MICROSOFT_AT("login.microsoftonline.com"),
	    .tenant = "common",
	    OUTLOOK_SCOPES("outlook.office.com"),
	    .scope_app = "https://outlook.office365.com/.default",
	    .servers = { "smtp.office365.com", "outlook.office365.com",
		"smtp-mail.outlook.com", "imap-mail.outlook.com",
		"pop-mail.outlook.com" },
	    .mx = { "mail.protection.outlook.com", "mx.microsoft" },
	    .sign_out_page = "https://myapps.microsoft.com/",
	},
	{
	    .name = "microsoft-consumer",
	    .title = "Outlook.com, Hotmail and Live (personal accounts)",
	    .flow = FLOW_DEVICE,
	    MICROSOFT_AT("login.microsoftonline.com"),
	    .tenant = "consumers",
	    OUTLOOK_SCOPES("outlook.office.com"),
	    .servers = { "smtp-mail.outlook.com", "outlook.office365.com",
		"imap-mail.outlook.com", "pop-mail.outlook.com" },
	    .domains = { "outlook.com", "hotmail.com", "live.com", "msn.com" },
	    .sign_out_page = "https://account.live.com/consent/Manage",
	},
	{
	    .name = "microsoft-gcc-high",
	    .cloud_of = "microsoft",
	    .cloud = "gcc-high",
	    .title = "Microsoft 365 GCC High (US Government)",
	    .flow = FLOW_DEVICE,
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
	    .flow = FLOW_DEVICE,
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
	    .flow = FLOW_DEVICE,
	    MICROSOFT_AT("login.partner.microsoftonline.cn"),
	    .old_token_host = "login.chinacloudapi.cn",
	    .tenant = "organizations",
	    OUTLOOK_SCOPES("partner.outlook.cn"),
	    .scope_app = "https://partner.outlook.cn/.default",
	    .servers = { "partner.outlook.cn", "smtp.partner.outlook.cn" },
	},
	{
	    /* It refuses a token that ends within ten minutes. */
	    .name = "microsoft-hve",
	    .title = "Microsoft 365 High Volume Email",
	    .flow = FLOW_CLIENT_CREDENTIALS,
	    MICROSOFT_AT("login.microsoftonline.com"),
	    .scope_smtp = "https://outlook.office365.com/.default",
	    .scope_app = "https://outlook.office365.com/.default",
	    .servers = { "smtp.hve.mx.microsoft", "smtp-hve.office365.com" },
	    .min_validity_s = 660,
	},
	{
	    .name = "google",
	    .title = "Gmail and Google Workspace",
	    .family = PROVIDER_GOOGLE,
	    .flow = FLOW_BROWSER,
	    .issuer = "https://accounts.google.com",
	    .authorization_endpoint =
		"https://accounts.google.com/o/oauth2/v2/auth",
	    .token_endpoint = "https://oauth2.googleapis.com/token",
	    .old_token_host = "accounts.google.com",
	    .revocation_endpoint = "https://oauth2.googleapis.com/revoke",
	    .no_device =
		"Google lets nobody read or send mail by a device code: use "
		"flow 'browser', or 'service-account' in a Workspace",
	    /* Without these two there is no refresh token. */
	    .authorize_extra = "access_type=offline&prompt=consent",
	    SCOPE_FOR_ALL("https://mail.google.com/"),
	    .scope_more = "openid email",
	    .scope_app = "https://mail.google.com/",
	    .servers = { "smtp.gmail.com", "imap.gmail.com", "pop.gmail.com",
		"smtp.googlemail.com", "imap.googlemail.com",
		"pop.googlemail.com" },
	    .domains = { "gmail.com", "googlemail.com" },
	    .mx = { "google.com", "googlemail.com" },
	    .sign_out_page = "https://myaccount.google.com/connections",
	},
	{
	    .name = "fastmail",
	    .title = "Fastmail",
	    .flow = FLOW_BROWSER,
	    .issuer = "https://api.fastmail.com",
	    .authorization_endpoint =
		"https://api.fastmail.com/oauth/authorize",
	    /* Its name for exchanging codes as well. */
	    .token_endpoint = "https://api.fastmail.com/oauth/refresh",
	    .revocation_endpoint = "https://api.fastmail.com/oauth/revoke",
	    .registration_endpoint = "https://api.fastmail.com/oauth/register",
	    .returns_iss = true,
	    SCOPE_FOR_ALL("urn:ietf:params:oauth:scope:mail"),
	    .scope_more = "offline_access",
	    .servers = { "smtp.fastmail.com", "imap.fastmail.com",
		"pop.fastmail.com" },
	    .domains = { "fastmail.com", "fastmail.fm" },
	    .mx = { "messagingengine.com" },
	},
	{
	    .name = "yandex",
	    .title = "Yandex Mail",
	    .flow = FLOW_DEVICE,
	    .authorization_endpoint = "https://oauth.yandex.com/authorize",
	    .token_endpoint = "https://oauth.yandex.com/token",
	    .device_authorization_endpoint =
		"https://oauth.yandex.com/device/code",
	    .short_device_grant = true,
	    .scope_smtp = "mail:smtp",
	    .scope_imap = "mail:imap_full",
	    .scope_pop = "mail:imap_full",
	    .servers = { "smtp.yandex.com", "imap.yandex.com", "pop.yandex.com",
		"smtp.yandex.ru", "imap.yandex.ru", "pop.yandex.ru" },
	    .domains = { "yandex.com", "yandex.ru", "ya.ru" },
	    .mx = { "mx.yandex.net", "mx.yandex.ru" },
	},
	{
	    .name = "yahoo",
	    .title = "Yahoo Mail",
	    .authorization_endpoint =
		"https://api.login.yahoo.com/oauth2/request_auth",
	    .token_endpoint = "https://api.login.yahoo.com/oauth2/get_token",
	    SCOPE_FOR_ALL("mail-w"),
	    .servers = { "smtp.mail.yahoo.com", "imap.mail.yahoo.com",
		"pop.mail.yahoo.com", "export.imap.mail.yahoo.com",
		"smtp.mail.att.net", "imap.mail.att.net", "outbound.att.net",
		"inbound.att.net" },
	    .domains = { "yahoo.com", "ymail.com", "rocketmail.com",
		"att.net" },
	    .mx = { "yahoodns.net" },
	},
	{
	    .name = "aol",
	    .title = "AOL Mail",
	    .authorization_endpoint =
		"https://api.login.aol.com/oauth2/request_auth",
	    .token_endpoint = "https://api.login.aol.com/oauth2/get_token",
	    SCOPE_FOR_ALL("mail-w"),
	    .servers = { "smtp.aol.com", "imap.aol.com", "pop.aol.com" },
	    .domains = { "aol.com" },
	},
	{
	    .name = "comcast",
	    .title = "Comcast, Xfinity",
	    .authorization_endpoint =
		"https://oauth.xfinity.com/oauth/authorize",
	    .token_endpoint = "https://oauth.xfinity.com/oauth/token",
	    SCOPE_FOR_ALL("https://email.comcast.net/"),
	    .scope_more = "profile openid",
	    .servers = { "smtp.comcast.net", "imap.comcast.net",
		"pop.comcast.net", "mail.comcast.net" },
	    .domains = { "comcast.net" },
	    .mx = { "mxge.comcast.net" },
	},
	{
	    .name = "mailru",
	    .title = "Mail.ru",
	    .authorization_endpoint = "https://o2.mail.ru/login",
	    .token_endpoint = "https://o2.mail.ru/token",
	    SCOPE_FOR_ALL("mail.imap"),
	    .servers = { "smtp.mail.ru", "imap.mail.ru", "pop.mail.ru" },
	    .domains = { "mail.ru", "inbox.ru", "list.ru", "bk.ru" },
	    .mx = { "mxs.mail.ru" },
	},
};

#define N_PRESETS (sizeof(presets) / sizeof(presets[0]))

const struct preset *preset_at(size_t i)
{
	return i < N_PRESETS ? &presets[i] : NULL;
}

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
