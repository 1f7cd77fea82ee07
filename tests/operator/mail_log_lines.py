# SPDX-License-Identifier: BSD-2-Clause
"""Lines as mail logs and terminals have them, and the row of explain.conf or
advice.conf that each is about.

The replies of servers are theirs; names, addresses and numbers are made up.
"""

AT = "Nov 30 03:12:07 relay postfix/smtp[4711]: "
O365 = "smtp.office365.com[203.0.113.7]"
GMAIL = "smtp.gmail.com[203.0.113.9]"


def failed(reply, server=O365):
    """What Postfix makes of a reply to AUTH."""
    return (f"{AT}6E3A01F: to=<bob@example.net>, relay={server}:587, "
            "delay=1.9, delays=0.1/0.01/1.8/0, dsn=4.7.0, status=deferred "
            f"(SASL authentication failed; server {server} said: {reply})")


def cannot(text, server=O365):
    """What Postfix makes of what a plugin says."""
    return (f"{AT}6E3A01F: SASL authentication failed; cannot authenticate "
            f"to server {server}: {text}")


def said(reply, command="end of DATA", server=O365):
    """What Postfix makes of a refusal after AUTH."""
    return (f"{AT}6E3A01F: to=<bob@example.net>, relay={server}:587, "
            "delay=3.1, delays=0.1/0/2.2/0.8, dsn=5.0.0, status=bounced (host "
            f"{server} said: {reply} (in reply to {command} command))")


HOST = "[AM0PR01CA0001.eurprd01.prod.exchangelabs.com " \
    "2026-11-30T03:12:07.814Z 08DE2F5A1B2C3D4E]"

LINES = [
    # Exchange Online, AUTH
    ("535-5.7.3", failed(f"535 5.7.3 Authentication unsuccessful {HOST}")),
    ("5.7.139-tenant", failed(
        "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication "
        "is disabled for the Tenant. Visit https://aka.ms/smtp_auth_disabled "
        f"for more information. {HOST}")),
    ("5.7.139-mailbox", failed(
        "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication "
        "is disabled for the Mailbox. Visit https://aka.ms/"
        f"smtp_auth_disabled for more information. {HOST}")),
    ("5.7.139-security-defaults", failed(
        "535 5.7.139 Authentication unsuccessful, user is locked by your "
        "organization's security defaults policy. Contact your administrator."
        f" {HOST}")),
    ("5.7.139-policy", failed(
        "535 5.7.139 Authentication unsuccessful, the request did not meet "
        "the criteria to be authenticated successfully. Contact your "
        f"administrator. {HOST}")),
    ("5.7.139-basic", failed("535 5.7.139 Authentication unsuccessful, basic "
                             f"authentication is disabled. {HOST}")),
    ("5.7.139-credentials", failed(
        "535 5.7.139 Authentication unsuccessful, the user credentials were "
        f"incorrect. {HOST}")),
    ("5.7.139-hve", failed(
        "535 5.7.139 Authentication unsuccessful, the organization "
        "configuration doesn't allow this authentication request. "
        f"{HOST}")),
    ("501-5.5.127", failed(
        "501 5.5.127 Invalid XOAUTH2 auth data - Token will expire soon",
        "smtp.hve.mx.microsoft[203.0.113.8]")),
    ("501-5.5.124", failed("501 5.5.124 Invalid XOAUTH2 auth data",
                           "smtp.hve.mx.microsoft[203.0.113.8]")),
    ("504-5.7.4", failed(f"504 5.7.4 Unrecognized authentication type {HOST}",
                         "contoso-com.mail.protection.outlook.com[192.0.2.3]"
                         )),
    ("454", failed("454 4.7.0 Temporary authentication failure")),
    ("451-4.7.0", failed(
        "451 4.7.0 Temporary server error. Please try again later. PRX2")),
    ("421", f"{AT}host {O365} refused to talk to me: 421 4.3.2 Service not "
     "active"),
    ("imap-not-connected",
     "IMAP command 'SELECT INBOX' returned an error: BAD User is "
     "authenticated but not connected."),
    ("imap-refused", "C: 2 NO AUTHENTICATE failed."),
    ("pop-refused", "-ERR Authentication failure: unknown user name or bad "
     "password."),
    # Exchange Online, after AUTH
    ("5.7.57", said(
        "530 5.7.57 Client not authenticated to send mail. " + HOST,
        "MAIL FROM")),
    ("5.7.57", said(
        "530 5.7.57 SMTP; Client was not authenticated to send anonymous mail "
        "during MAIL FROM " + HOST, "MAIL FROM")),
    ("4.3.2-connections", said(
        "432 4.3.2 Concurrent connections limit exceeded. Visit "
        "https://aka.ms/concurrent_sending for more information. " + HOST)),
    ("4.3.2-connections", said(
        "432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded")),
    ("4.2.0-logon", said(
        "430 4.2.0 STOREDRV; mailbox logon failure; failed to process "
        "message; [BeginDiagnosticData] MapiExceptionLogonFailed: Unable to "
        "make connection to the server. [EndDiagnosticData]")),
    ("send-as-denied", said(
        "554 5.2.252 SendAsDenied; alice@contoso.com not allowed to send as "
        "root@relay.contoso.com; STOREDRV.Submission.Exception:"
        "SendAsDeniedException.MapiExceptionSendAsDenied")),
    ("send-as-denied", said(
        "550 5.7.60 SMTP; Client does not have permissions to send as this "
        "sender", "MAIL FROM")),
    ("5.7.139-basic", said(
        "550 5.7.30 Basic authentication is not supported for Client "
        "Submission.", "MAIL FROM")),
    ("5.1.8", said("550 5.1.8 Access denied, bad outbound sender AS(42004)")),
    ("5.2.2", said("554 5.2.2 mailbox full; STOREDRV.Deliver.Exception")),
    ("5.5.105", said("550 5.5.105 Cannot send to recipients outside the "
                     "organization", "RCPT TO",
                     "smtp.hve.mx.microsoft[203.0.113.8]")),
    ("5.7.64", said("550 5.7.64 TenantAttribution; Relay Access Denied "
                    "[ValidationStatus of '' is EmptyCertificate]",
                    "RCPT TO")),
    # Gmail
    ("535-5.7.8", failed(
        "535-5.7.8 Username and Password not accepted. For more information, "
        "go to 535 5.7.8  https://support.google.com/mail/?p=BadCredentials "
        "4fb4d7f45d1cf-5b2f63 - gsmtp", GMAIL)),
    ("534-5.7.9", failed(
        "534-5.7.9 Application-specific password required. For more "
        "information, go to 534 5.7.9 https://support.google.com/mail/"
        "?p=InvalidSecondFactor x3 - gsmtp", GMAIL)),
    ("454-throttled", failed(
        "454 4.7.0 Too many login attempts, please try again later. x3 - "
        "gsmtp", GMAIL)),
    ("530-starttls", said("530-5.7.0 Must issue a STARTTLS command first. x3 "
                          "- gsmtp", "MAIL FROM", GMAIL)),
    ("530-5.7.0", said("530-5.7.0 Authentication Required. For more "
                       "information, go to 530 5.7.0  https://support.google."
                       "com/mail/?p=WantAuthError x3 - gsmtp", "MAIL FROM",
                       GMAIL)),
    ("send-limit", said(
        "550-5.4.5 Daily user sending limit exceeded. For more information "
        "on Gmail 550-5.4.5 sending limits go to 550 5.4.5  https://support."
        "google.com/a/answer/166852 x3 - gsmtp", "DATA", GMAIL)),
    ("421", said("421-4.7.0 Try again later, closing connection. x3 - gsmtp",
                 "EHLO", GMAIL)),
    ("gmail-imap-credentials",
     "Error: 2 NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)"),
    ("gmail-connections",
     "* NO [ALERT] Too many simultaneous connections. (Failure)"),
    # others
    ("challenge", AT + "< mail.example.org[192.0.2.9]:587: 334 "
     "eyJzdGF0dXMiOiI0MDAiLCJzY2hlbWVzIjoiQmVhcmVyIn0="),
    ("535", failed("535 Incorrect authentication data",
                   "mail.example.org[192.0.2.9]")),
    ("relay-denied", said("554 5.7.1 <bob@example.net>: Relay access denied",
                          "RCPT TO", "mail.example.org[192.0.2.9]")),
    # Postfix
    ("no-worthy-mechs", f"{AT}warning: SASL authentication failure: No worthy "
     "mechs found"),
    ("no-worthy-mechs", cannot("no mechanism available")),
    ("no-auth-offered", f"{AT}warning: {O365} offered no supported AUTH "
     "mechanisms: 'LOGIN XOAUTH2'"),
    ("cached-refusal", AT + "6E3A01F: SASL [CACHED] authentication failed; "
     f"server {O365} said: 535 5.7.1 refused"),
    ("password-map", "Nov 30 03:12:07 relay postfix/smtp[4711]: error: open "
     "database /etc/postfix/sasl_passwd.db: No such file or directory"),
    ("password-map", "Nov 30 03:12:07 relay postfix/smtp[4711]: warning: "
     "hash:/etc/postfix/sasl_passwd is unavailable. unsupported dictionary "
     "type: hash"),
    ("tls-untrusted", f"{AT}certificate verification failed for {O365}:587: "
     "untrusted issuer /C=US/O=DigiCert Inc/CN=DigiCert Global Root G2"),
    ("tls-untrusted", AT + "6E3A01F: to=<bob@example.net>, dsn=4.7.5, "
     "status=deferred (Server certificate not trusted)"),
    ("tls-required", AT + "6E3A01F: to=<bob@example.net>, dsn=4.7.4, "
     "status=deferred (TLS is required, but was not offered by host "
     "mail.example.org[192.0.2.9])"),
    ("dns", AT + "6E3A01F: to=<bob@example.net>, relay=none, dsn=4.4.3, "
     "status=deferred (Host or domain name not found. Name service error for "
     "name=smtp.office365.com type=AAAA: Host not found, try again)"),
    ("connect", f"{AT}connect to {O365}:25: Connection timed out"),
    ("connect", f"{AT}connect to smtp.office365.com[2001:db8::7]:587: Network "
     "is unreachable"),
    ("lost-connection", AT + f"6E3A01F: lost connection with {O365} while "
     "sending end of data -- message may be sent more than once"),
    ("smtp-crash", "Nov 30 03:12:07 relay postfix/master[99]: warning: "
     "process /usr/lib/postfix/sbin/smtp pid 4711 killed by signal 11"),
    ("second-plugin", cannot("invalid parameter supplied")),
    ("loops", AT + "6E3A01F: to=<bob@example.net>, dsn=5.4.6, status=bounced "
     "(mail for contoso.com loops back to myself)"),
    ("sasl-fail", cannot("generic failure")),
    ("sasl-unavail", cannot("remote authentication server unavailable")),
    ("sasl-tryagain", cannot("transient failure (e.g., weak key)")),
    # mailtoken
    ("login-needed", cannot(
        'mailtoken: alice@contoso.com must sign in again: run "mailtoken '
        'login alice@contoso.com"')),
    ("AADSTS700082", cannot(
        'mailtoken: alice@contoso.com must sign in again: run "mailtoken '
        'login alice@contoso.com" (the sign-in was not used for too long or '
        "was revoked: sign in again with 'mailtoken login' (\"AADSTS700082: "
        'The refresh token has expired due to inactivity."))')),
    ("google-grant", cannot(
        'mailtoken: joe@gmail.com must sign in again: run "mailtoken login '
        'joe@gmail.com" (the sign-in has ended or was revoked: sign in again '
        "with 'mailtoken login' (a new password ends it, and so do 7 days "
        "while the consent screen has status 'Testing'))", GMAIL)),
    ("unknown-account", cannot(
        'mailtoken: no account "alice@contoso.com:": run "mailtoken login '
        'alice@contoso.com:"')),
    ("not-allowed-user", cannot(
        'mailtoken: no account "alice@contoso.com": run "mailtoken login '
        'alice@contoso.com" (not signed in, or not allowed for postfix, whom '
        'an admin lets in with the line "allow postfix" in '
        "/etc/mailtoken/mailtoken.conf)")),
    ("no-helper-in-chroot", cannot(
        "mailtoken: no helper's socket in this chroot: run \"systemctl stop "
        "mailtokend.service mailtoken-postfix.socket mailtoken.socket; "
        "systemctl enable --now "
        "mailtoken-postfix.socket mailtoken.socket mailtokend.service\" "
        "(/run/mailtoken/socket: No such file or directory)")),
    ("no-helper", cannot(
        "mailtoken: cannot reach the helper at /run/mailtoken/socket: "
        'Connection refused: run "systemctl restart mailtoken.socket", or '
        "start mailtokend")),
    ("no-permission", cannot(
        "mailtoken: no permission for postfix to reach the helper at "
        "/run/mailtoken/socket")),
    ("wrong-server", cannot(
        "mailtoken: no token of alice@contoso.com for mail.contoso.com: "
        "mail.contoso.com is not a server of provider 'microsoft': if it "
        "should be, write servers mail.contoso.com below account "
        "alice@contoso.com in /etc/mailtoken/mailtoken.conf")),
    ("AADSTS7000222", "Nov 30 03:12:07 relay mailtokend[812]: event=refresh "
     "account=alice@contoso.com result=config-error text=\"the client secret "
     "has expired: make a new one and put it into client_secret_file "
     "(\\\"AADSTS7000222: The provided client secret keys for app are "
     "expired.\\\")\""),
]

# The account that the command of such a line has.
ACCOUNTS = [
    ("alice@contoso.com", cannot(
        'mailtoken: alice@contoso.com must sign in again: run "mailtoken '
        'login alice@contoso.com"')),
    ("alice@contoso.com", said(
        "554 5.2.252 SendAsDenied; alice@contoso.com not allowed to send as "
        "root@relay.contoso.com")),
    ("joe.o-x+y@gmail.com",
     "event=token account=joe.o-x+y@gmail.com result=login-needed"),
    ("ACCOUNT", failed("535 5.7.3 Authentication unsuccessful")),
    ("ACCOUNT", "message-id=<5.1@relay> said: 535 5.7.3"),
    ("alice@contoso.com",
     "user=<alice@contoso.com> said: 535 5.7.3 no, from=<x@y.org>"),
    ("ACCOUNT", "535 5.7.3 for @contoso.com and bob@ and -x@y.org"),
]
