# SPDX-License-Identifier: BSD-2-Clause
"""mailtoken doctor against planted faults.

A row plants one fault into a machine that works.  Doctor must name one
check, that of the row, and nothing else; what it says to type is typed as it
stands, and no fault may be left.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from email.utils import formatdate
from typing import Callable

import pytest

from bed import wait_for
from bed_app import APP, Keys
from bed_dovecot import Dovecot
from bed_relay import (ALICE, CONFIG, JAIL, PLUGIN, SASL, SCOPE, SOCKET,
                       START_POSTFIX)
from idp.store import make_jwt
from smarthost import Session

MAIN_CF = "/etc/postfix/main.cf"
PASSWD = "/etc/postfix/sasl_passwd"


@dataclass
class Fault:
    """check: what has to be named; says: a part of its sentence; typed:
    whether it says what to type."""
    plant: Callable
    check: str
    says: str
    typed: bool = True
    options: str = ""


def setting(name, value):
    """Planted by a line in main.cf."""
    return lambda machine: machine.run(f"postconf -e '{name} = {value}'")


def typing(command):
    """Planted by a command."""
    return lambda machine: machine.run(command.format(
        conf=CONFIG, plugin=PLUGIN, sasl=SASL, jail=JAIL, socket=SOCKET))


def no_config(machine):
    os.unlink(machine.path(CONFIG))


def elsewhere(machine):
    os.makedirs(machine.path("/usr/local/lib/sasl2"), exist_ok=True)
    shutil.move(machine.path(PLUGIN), machine.path("/usr/lib/sasl2/"))


def second_plugin(machine):
    shutil.copy(machine.path(PLUGIN), machine.path(f"{SASL}/libkdexoauth2.so"))


def revoked(relay):
    relay.idp.revoke(ALICE)
    relay.run(f"mailtoken refresh {ALICE}")


def upgraded(relay):
    """Another program is where that of the helper was."""
    program = f"{relay.folder}/bin/mailtokend"
    real = os.path.realpath(program)
    for again in (True, False):
        os.unlink(program)
        shutil.copy(real, program)
        if again:
            relay.restart()


def secret_ends(days):
    """A client with a secret that ends."""
    def plant(relay):
        secret = relay.idp.client_secret
        relay.write("/etc/mailtoken/secret", secret + "\n", 0o640, 0, 990)
        ends = time.strftime("%Y-%m-%d",
                             time.gmtime(time.time() + days * 86400))
        relay.edit(CONFIG, "client_id mail-app", "client_id mail-web\n"
                   "    client_secret_file /etc/mailtoken/secret\n"
                   f"    client_secret_expires {ends}")
        relay.run("systemctl stop mailtokend.service")
        relay.seed(seeded=relay.idp.seed(ALICE, "mail-web", SCOPE),
                   client_id="mail-web")
        relay.restart()
    return plant


def clock_off(relay):
    """The provider says that it is an hour later."""
    relay.idp.fault("token", "empty", status=405, times=None)
    relay.idp.faults.take("token", None).headers["Date"] = formatdate(
        time.time() + 3600, usegmt=True)


def second_key_gone(relay):
    relay.write("/etc/mailtoken/new.key", "6e" * 32, 0o640, 0, 990)
    relay.run(f"sed -i '1i keyring_key /etc/mailtoken/new.key "
              f"/etc/mailtoken/old.key' {CONFIG}")
    relay.restart()


def wrong_tenant(relay):
    relay.idp.fault("device", "aadsts", number=90002, times=None)


def master(*settings):
    """Planted by -o in a service of its own that all mail goes through."""
    return typing(
        "postconf -M 'office/unix=office unix - - y - - smtp'; "
        + "; ".join(f"postconf -P 'office/unix/{one}'" for one in settings)
        + "; postconf -e default_transport=office")


def by_sender(relay):
    """Mail of one sender goes by a relay of its own, with his name."""
    relay.seed("bob@example.org")
    relay.run(
        "postconf -e 'sender_dependent_relayhost_maps = inline:"
        f"{{{{bob@example.org=[127.0.0.1]:{relay.smarthost.port}}}}}' "
        "smtp_sender_dependent_authentication=yes; "
        f"echo 'bob@example.org bob@example.org' >>{PASSWD}; "
        "sed -i 's/servers .*/servers localhost 127.0.0.1/' " + CONFIG)
    relay.restart()


def relays_in_turn(relay):
    """The same, with a row for the first of two relays."""
    by_sender(relay)
    first = f"[127.0.0.1]:{relay.smarthost.port}"
    relay.run("postconf -e smtp_sender_dependent_authentication=no "
              "'sender_dependent_relayhost_maps = "
              f"inline:{{{{bob@example.org={first}, [127.0.0.2]:587}}}}'; "
              f"sed -i 's/^bob@[^ ]*/{first}/' {PASSWD}")


def also(plant, *more):
    """One after the other."""
    def all_of_them(relay):
        for one in (plant, *more):
            one(relay)
    return all_of_them


def certificate_ended(relay):
    """An application's, which nobody has replaced."""
    cert, key = Keys(relay.path("/etc/mailtoken")).certificate(days=0)
    relay.idp.add_client(APP, certificate=cert)
    os.chown(key, 0, 990)
    os.chmod(key, 0o640)
    relay.edit(CONFIG, "client_id mail-app", f"client_id {APP}\n"
               "    certificate /etc/mailtoken/app.crt\n"
               "    certificate_key /etc/mailtoken/app.key")
    relay.edit(CONFIG, "flow device", "flow client-credentials")
    relay.edit(CONFIG, SCOPE, "https://mail.example/.default")
    relay.edit(CONFIG, "provider test", "account *@example.org\n"
               "    provider test\nprovider test")
    relay.run(f"mailtoken logout --no-revoke {ALICE}")
    relay.restart()


def sender_refused(relay):
    relay.smarthost.own_sender = True
    relay.run(START_POSTFIX)
    relay.run("echo hello | sendmail -f bob@example.org carol@example.net")
    wait_for(lambda: "status=" in relay.read("/var/log/mail.log"))


def refusing(reply):
    """The mail server says this once."""
    def plant(relay):
        relay.smarthost.style = "office"
        relay.smarthost.refusals.append(reply)
    return plant


def jwt(relay, **changes):
    """The account's token is a JWT as Microsoft's are."""
    claims = {"aud": "https://outlook.office.com", "upn": ALICE,
              "tid": "11111111-2222-3333-4444-555555555555",
              "scp": "SMTP.Send", **changes}
    seeded = relay.idp.seed(ALICE, scope=SCOPE)
    seeded.access_token = make_jwt(
        {k: v for k, v in claims.items() if v is not None}) + "c2ln"
    relay.run("systemctl stop mailtokend.service")
    relay.seed(seeded=seeded)
    relay.restart()


FAULTS = {
    "no plugin": Fault(typing("rm {plugin}"), "plugin-file",
                       "is not there", typed=False),
    "plugin cut short": Fault(typing("echo x >{plugin}"), "plugin-loads",
                              "file too short", typed=False),
    "plugin that users cannot read": Fault(
        typing("chmod 600 {plugin}"), "plugin-loads", "mode 600"),
    "second plugin": Fault(second_plugin, "plugin-alone",
                           "libkdexoauth2.so offers"),
    "no config": Fault(no_config, "config-file", "there is no " + CONFIG,
                       typed=False),
    "no SASL in Postfix": Fault(
        setting("smtp_sasl_auth_enable", "no"), "postfix-sasl",
        "smtp_sasl_auth_enable"),
    "not Cyrus SASL": Fault(setting("smtp_sasl_type", "dovecot"),
                            "postfix-sasl", "smtp_sasl_type"),
    "mechanism filter": Fault(
        setting("smtp_sasl_mechanism_filter", "plain, login"),
        "postfix-mechanisms", "plain, login"),
    "mechanism filter that excludes": Fault(
        setting("smtp_sasl_mechanism_filter", "!xoauth2, static:rest"),
        "postfix-mechanisms", "!xoauth2"),
    "noplaintext": Fault(
        setting("smtp_sasl_tls_security_options",
                "noplaintext, noanonymous"), "postfix-security",
        "No worthy mechs found"),
    "noplaintext by default": Fault(
        typing("postconf -X smtp_sasl_tls_security_options"),
        "postfix-security", "No worthy mechs found"),
    "noplaintext where TLS is verified": Fault(
        setting("smtp_sasl_tls_verified_security_options", "noplaintext"),
        "postfix-security", "verified_security_options"),
    "TLS not verified": Fault(
        setting("smtp_tls_security_level", "may"), "postfix-tls",
        "not verified"),
    "TLS policy": Fault(
        setting("smtp_tls_policy_maps", "static:encrypt"), "postfix-tls",
        "level 'encrypt'"),
    "no CA file": Fault(setting("smtp_tls_CAfile", ""), "postfix-ca",
                        "trusts no"),
    "CA file missing": Fault(
        setting("smtp_tls_CAfile", "/etc/ssl/nothing.pem"), "postfix-ca",
        "/etc/ssl/nothing.pem"),
    "cache of refusals": Fault(
        setting("smtp_sasl_auth_cache_name",
                "proxy:btree:/var/lib/postfix/cache"), "postfix-cache",
        "smtp_sasl_auth_cache_name"),
    "no relay": Fault(setting("relayhost", ""), "postfix-relay",
                      "relayhost is empty", typed=False),
    "relay that is an MX": Fault(
        setting("relayhost", "[x.mail.protection.outlook.com]"),
        "postfix-relay", "lets nobody log in", typed=False),
    "no map": Fault(setting("smtp_sasl_password_maps", ""), "postfix-map",
                    "nothing in smtp_sasl_password_maps"),
    "map without the port": Fault(
        typing(f"sed -i 's/:[0-9]*//;s/localhost/other/' {PASSWD}"),
        "postfix-map", "nothing in"),
    "map not built": Fault(
        setting("smtp_sasl_password_maps", f"hash:{PASSWD}"), "postfix-map",
        "cannot be read"),
    "trailing colon": Fault(typing(f"sed -i 's/$/:/' {PASSWD}"),
                            "postfix-map", "colon"),
    "off in master.cf": Fault(
        typing("postconf -P smtp/unix/smtp_sasl_auth_enable=no"),
        "postfix-sasl", "by -o in master.cf, service smtp"),
    "noplaintext in a transport": Fault(
        master("smtp_sasl_tls_security_options=noplaintext"),
        "postfix-security", "by -o in master.cf, service office"),
    "filter and map in a transport": Fault(
        master("smtp_sasl_mechanism_filter=plain"),
        "postfix-mechanisms", "plain"),
    "no TLS in a transport": Fault(
        master("smtp_tls_security_level=may"), "postfix-tls", "'may'"),
    "no map in a transport": Fault(
        master("smtp_sasl_password_maps="), "postfix-map", "nothing in"),
    "transport by a map": Fault(
        typing("postconf -M 'office/unix=office unix - - y - - smtp'; "
               "postconf -P office/unix/smtp_sasl_auth_enable=no; "
               "postconf -e 'transport_maps = inline:{{{{*=office:}}}}'"),
        "postfix-sasl", "service office"),
    "sender's relay without a row": Fault(
        also(by_sender, typing(f"sed -i /^bob/d {PASSWD}")),
        "postfix-map", "nothing in"),
    "sender's row has a colon": Fault(
        also(by_sender, typing(f"sed -i '/^bob/s/$/:/' {PASSWD}")),
        "postfix-map", "colon"),
    "sender is not signed in": Fault(
        also(by_sender, typing("mailtoken logout --no-revoke "
                               "bob@example.org")),
        "account", "nobody has signed it in", typed=False),
    "sender's transport": Fault(
        also(by_sender, master("smtp_tls_CAfile=/nothing"), typing(
            "postconf -X default_transport; postconf -e "
            "'sender_dependent_default_transport_maps = "
            "inline:{{{{bob@example.org=office:}}}}'")),
        "postfix-ca", "/nothing"),
    "old password": Fault(typing(f"sed -i 's/$/:Sesame/' {PASSWD}"),
                          "postfix-map", "edit the row", typed=False),
    "helper down": Fault(typing("systemctl stop mailtokend.service"),
                         "helper-answers", "no helper answers"),
    "helper killed": Fault(typing("kill -9 $(pidof mailtokend)"),
                           "helper-answers", "no helper answers"),
    "units not enabled": Fault(
        typing("systemctl disable mailtokend.service"), "units",
        "mailtokend.service is not enabled"),
    "no socket in the chroot": Fault(
        typing("systemctl disable mailtoken-postfix.socket; "
               "systemctl restart mailtokend.service; "
               "systemctl enable mailtoken-postfix.socket"),
        "postfix-socket", "shut into its queue directory"),
    "wrong group": Fault(typing("chgrp mailtoken {jail}{socket}"),
                         "postfix-socket", "may not use"),
    "folder shut": Fault(typing("chmod 750 {jail}/run/mailtoken"),
                         "postfix-socket", "may not enter"),
    "postfix not allowed": Fault(
        typing("sed -i 's/^allow .*/allow daemon/' {conf}"),
        "postfix-allowed", "may not ask"),
    "postfix in a comment alone": Fault(
        typing("sed -i 's/^allow .*/allow\\tdaemon # no postfix/' {conf}"),
        "postfix-allowed", "may not ask"),
    "nobody allowed": Fault(typing("sed -i '/^allow /d' {conf}"),
                            "postfix-allowed", "may not ask"),
    "nobody signed in": Fault(
        typing(f"mailtoken logout --no-revoke {ALICE}"), "account",
        "nobody has signed it in"),
    "DNS": Fault(typing("sed -i 's|_endpoint https://localhost|"
                        "_endpoint https://login.invalid|' {conf}"),
                 "dns", "login.invalid", typed=False),
    "clock off": Fault(clock_off, "clock", "timedatectl set-ntp true",
                       typed=False),
    "wrong tenant": Fault(wrong_tenant, "client", "tenant", typed=False),
    "certificate has ended": Fault(
        certificate_ended, "secret-valid", "certificate", typed=False),
    "unreadable secret": Fault(
        also(secret_ends(300), typing("chmod 600 /etc/mailtoken/secret")),
        "config-file", "/etc/mailtoken/secret", typed=False),
    "provider down": Fault(lambda relay: relay.idp.stop(), "connect",
                           "refused", typed=False),
    "CA of the provider missing": Fault(
        lambda relay: (relay.idp.stop(), relay.idp.start(
            "untrusted", port=relay.idp.port)),
        "tls", "certificate", typed=False),
    "unknown client": Fault(
        typing("sed -i 's/client_id .*/client_id mail-appp/' {conf}"),
        "client", "client", typed=False),
    "grant revoked": Fault(revoked, "account-state", "login-needed"),
    "wrong server": Fault(
        typing("sed -i 's/servers .*/servers mail.example.com/' {conf}"),
        "account-server", "is not a server of", typed=False),
    "token for Graph": Fault(
        lambda relay: jwt(relay, aud="https://graph.microsoft.com"),
        "token-audience", "Microsoft Graph", typed=False),
    "right to send missing": Fault(
        lambda relay: jwt(relay, scp="IMAP.AccessAsUser.All"),
        "token-rights", "may not send mail", typed=False),
    "application without a role": Fault(
        lambda relay: jwt(relay, roles=["IMAP.AccessAsApp"], scp=None),
        "token-rights", "SMTP.SendAsApp", typed=False),
    "helper of before the upgrade": Fault(
        upgraded, "helper-current", "older than its program"),
    "client secret ends soon": Fault(
        secret_ends(3), "secret-ends", "the client secret of", typed=False),
    "not allowed to send as": Fault(
        sender_refused, "mail-log", "SendAsDenied", typed=False),
    "SMTP AUTH disabled": Fault(
        refusing("535 5.7.139 Authentication unsuccessful, "
                 "SmtpClientAuthentication is disabled for the Tenant."),
        "live-smtp", "Who must act: Exchange admin", typed=False,
        options="--live"),
    "token refused": Fault(
        refusing("535 5.7.3 Authentication unsuccessful"), "live-smtp",
        "refuses the token: 535 5.7.3", options="--live"),
    "HVE wants more life": Fault(
        refusing("501 5.5.127 Invalid XOAUTH2 auth data - Token will expire "
                 "soon"), "live-smtp", "501 5.5.127", options="--live"),
    "server is another": Fault(
        typing("cp /etc/ssl/certs/ca-certificates.crt "
               "/etc/ssl/test-authority.pem.new; postconf -e "
               "smtp_tls_CAfile=/etc/ssl/test-authority.pem.new"),
        "live-smtp", "certificate that is not trusted", typed=False,
        options="--live"),
    "server offers no tokens": Fault(
        lambda relay: setattr(relay.smarthost, "mechanisms", ("PLAIN",)),
        "live-smtp", "offers neither", typed=False, options="--live"),
    "typing error in mailtoken.conf": Fault(
        typing("sed -i 's/client_id/clientid/' {conf}"), "config-file",
        "clientid", typed=False),
    "second key of the keyring gone": Fault(
        second_key_gone, "config-file", "/etc/mailtoken/old.key: No such file",
        typed=False),
}


class Doctor:
    """What one run of it said."""

    def __init__(self, machine, *options):
        self.done = machine.run(" ".join(["mailtoken --json doctor",
                                          *options]))
        assert self.done.stderr == "", self.done
        self.rows = json.loads(self.done.stdout)
        self.faults = [row for row in self.rows if row["outcome"] == "fault"]

    def __str__(self):
        return "\n".join(f"{r['outcome']:8} {r['check']} {r['subject']}: "
                         f"{r['text']} {r['type']!r}" for r in self.rows)


@pytest.fixture
def working(relay):
    """A machine through which mail would go."""
    relay.seed()
    return relay.start(postfix=False)


def test_of_a_machine_that_works_it_says_what_was_looked_at(working):
    found = Doctor(working)
    assert not found.faults and found.done.returncode == 0, str(found)
    assert {row["outcome"] for row in found.rows} <= {"ok", "none"}
    said = working.run("mailtoken doctor --live")
    assert said.returncode == 0
    assert "ok    plugin-file: " in said.stdout
    assert "live-smtp alice@example.org: localhost takes" in said.stdout
    assert not working.smarthost.messages
    assert "MAIL" not in list(working.smarthost.commands)
    assert "No fault found" in said.stdout.splitlines()[-1]


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS,
                         ids=lambda name: name.replace(" ", "-"))
def test_a_planted_fault_is_named_alone_and_what_it_says_mends_it(
        working, name):
    fault = FAULTS[name]
    fault.plant(working)
    found = Doctor(working, fault.options)
    assert [row["check"] for row in found.faults] == [fault.check], str(found)
    assert found.done.returncode == 1
    row = found.faults[0]
    assert fault.says in row["text"], row
    if not fault.typed:
        return
    assert row["type"], row
    status, said = working.type(row["type"])
    # Not at once: the helper looks for edited files once a second.
    tried = []

    def is_mended():
        tried.append(Doctor(working, fault.options))
        return not tried[-1].faults and tried[-1].done.returncode == 0

    try:
        wait_for(is_mended, 10)
    except TimeoutError:
        pytest.fail(f"{status} {said} {tried[-1]}")


def named(machine, name):
    """The checks that name this fault."""
    FAULTS[name].plant(machine)
    return [row["check"] for row in Doctor(machine).faults]


def test_what_master_cf_says_goes_before_main_cf(working):
    assert named(working, "off in master.cf") == ["postfix-sasl"]


def test_a_sender_with_a_relay_is_looked_at(working):
    assert named(working, "sender's row has a colon") == ["postfix-map"]


def test_what_has_ended_is_more_than_what_ends_soon(working):
    assert named(working, "certificate has ended") == ["secret-valid"]


def test_the_only_provider_is_tried_before_anybody_signs_in(working):
    working.run(f"mailtoken logout --no-revoke {ALICE}")
    assert named(working, "unknown client") == ["client", "account"]


def test_a_report_names_nobody(working):
    jwt(working, upn="bob@example.org")
    said = working.run("mailtoken doctor --report")
    assert "token-user ACCOUNT: user@example.com signed in for" in said.stdout
    assert "example.org" not in said.stdout
    assert "mailtoken 0" in said.stdout and "Postfix 3" in said.stdout
    json.loads(working.run("mailtoken --json doctor --report").stdout)


def test_who_does_not_linger_is_told(working):
    said = working.run(
        "mkdir -p /run/user/65534/mailtoken; chown -R nobody /run/user; "
        "exec setpriv --reuid nobody --clear-groups "
        "env HOME=/nonexistent mailtoken --user doctor")
    assert "ok    config-file: there is no /" in said.stdout
    at = said.stdout.index("FAULT units: ")
    assert said.stdout[at:].split("\n")[1].strip() == \
        "loginctl enable-linger nobody"
    assert "lingering is off" in said.stdout


def test_what_hangs_on_a_fault_is_not_run(working):
    os.unlink(working.path(PLUGIN))
    found = Doctor(working)
    assert len(found.faults) == 1
    rows = {row["check"]: row for row in found.rows}
    for name, need in (("plugin-loads", "plugin-file"),
                       ("plugin-offered", "plugin-loads")):
        assert rows[name]["outcome"] == "not-run"
        assert rows[name]["text"] == f"needs {need}"
    assert rows["postfix-sasl"]["outcome"] == "ok"


def test_it_looks_with_the_eyes_of_smtp(working):
    working.run(f"chmod 600 {JAIL}{SOCKET}")
    rows = {row["check"]: row for row in Doctor(working).rows}
    assert rows["helper-answers"]["outcome"] == "ok"
    assert rows["postfix-socket"]["outcome"] == "fault"
    assert "smtp(8) may not use" in rows["postfix-socket"]["text"]


def test_a_token_for_graph_is_seen(working):
    jwt(working, aud="00000003-0000-0000-c000-000000000000")
    found = Doctor(working)
    assert [row["check"] for row in found.faults] == ["token-audience"]


def test_it_logs_in_at_imap_and_pop_too(working):
    idp = working.idp
    idp.ca_file = shutil.copy(idp.ca_file, f"{working.folder}/ca.pem")
    os.chmod(idp.ca_file, 0o644)
    with Dovecot(idp, 1) as dovecot:
        said = working.run(
            f"mailtoken doctor {ALICE} --live "
            f"--server imap://localhost:{dovecot.imaps} "
            f"--server pop://localhost:{dovecot.pop3s}").stdout
        assert f"ok    live-imap {ALICE}: localhost takes" in said, said
        assert f"ok    live-pop {ALICE}: localhost takes" in said, said
        idp.revoke(ALICE)
        said = working.run(
            f"mailtoken doctor {ALICE} --live "
            f"--server imap://localhost:{dovecot.imaps}").stdout
        assert f"FAULT live-imap {ALICE}: localhost refuses" in said, said


def kept_password(machine):
    machine.run(f"sed -i 's/$/:Sesame/' {PASSWD}; postconf -e "
                "sender_dependent_relayhost_maps=inline:{{x=y}}")


def warning(machine):
    """All programs of Postfix say that there are two of a setting."""
    machine.run("postconf -e smtp_tls_policy_maps=inline:{{x=y}}; "
                "echo 'myhostname = relay.test' >>/etc/postfix/main.cf")


def imported(relay):
    relay.run("systemctl stop mailtokend.service")
    relay.seed(flow="import", refreshed=0)
    relay.restart()


NO_FAULTS = {
    "password beside tokens": (
        kept_password, "postfix-map", "Postfix logs in with a password"),
    "warning of postmap": (warning, "postfix-tls", "is verified"),
    "log that is a folder": (setting("maillog_file", "/var/log"),
                             "postfix-map", ALICE),
    "log that is a terminal": (setting("maillog_file", "/dev/stdout"),
                               "postfix-map", ALICE),
    "by sender": (by_sender, "postfix-allowed", "postfix may ask for"),
    "relays in turn": (relays_in_turn, "postfix-map",
                       "logs in as bob@example.org"),
    "sender's relay that needs no login": (
        setting("sender_dependent_relayhost_maps",
                "inline:{{x@example.org=[10.9.8.7]}}"),
        "postfix-map", "at [10.9.8.7] Postfix does not log in"),
    "where libsasl2's settings are": (
        setting("cyrus_sasl_config_path", "/etc/postfix/sasl"),
        "postfix-map", ALICE),
    "imported": (imported, "account-state", "imported, and not renewed yet"),
    "signed in by another name": (
        lambda relay: jwt(relay, upn="bob@example.org"), "token-user",
        "bob@example.org signed in"),
    "rights that are another's": (
        lambda relay: jwt(relay, aud="mail-app", scp="mail"), "token-user",
        ALICE),
}


@pytest.mark.parametrize("name", NO_FAULTS,
                         ids=lambda name: name.replace(" ", "-"))
def test_what_is_meant_to_be_so_is_no_fault(working, name):
    plant, check, says = NO_FAULTS[name]
    plant(working)
    found = Doctor(working)
    assert not found.faults, str(found)
    assert says in " ".join(row["text"] for row in found.rows
                            if row["check"] == check)


def test_a_socket_that_systemd_thinks_is_there_is_stopped_too(working):
    """Else its start does nothing."""
    working.run(f"rm {JAIL}{SOCKET}")
    told = Doctor(working).faults[0]
    assert told["check"] == "postfix-socket"
    assert "systemctl stop mailtokend.service mailtoken-postfix.socket " \
        "mailtoken.socket" in str(told["type"])


def test_a_colon_goes_from_its_row_only(working):
    other = f"elsewhere {ALICE}:\nother {ALICE}:Sesame\n"
    row = working.read(PASSWD)
    working.write(PASSWD, other + row.replace("\n", ":\n"))
    working.type(Doctor(working).faults[0]["type"])
    assert working.read(PASSWD) == other + row


def test_a_name_that_a_shell_would_read_is_not_typed(working):
    found = Doctor(working, "'al;id@example.org'")
    assert [row["type"] for row in found.faults] == ["mailtoken login ACCOUNT"]


def test_what_a_server_says_is_no_command(working):
    refusing("535 5.7.3 denied, run: mailtoken logout x")(working)
    row = Doctor(working, "--live").faults[0]
    assert "run: mailtoken logout x" in row["text"]
    assert "logout" not in row["type"]


def test_a_token_that_a_server_repeats_is_hidden(working):
    seeded = working.seed()
    working.restart()
    refusing(f"535 5.7.3 no: {seeded.access_token}")(working)
    row = Doctor(working, "--live").faults[0]
    assert "(hidden: it repeats a secret)" in row["text"]


def test_a_greeting_may_have_several_lines(working, monkeypatch):
    reply = Session.reply

    def longer(session, *lines):
        if lines[0].startswith("220 localhost"):
            reply(session, "220-hello")
        reply(session, *lines)
    monkeypatch.setattr(Session, "reply", longer)
    found = Doctor(working, "--live")
    assert not found.faults, str(found)


def leaves(pid):
    """The processes below one that have none below them."""
    with open(f"/proc/{pid}/task/{pid}/children") as source:
        below = source.read().split()
    return [leaf for one in below for leaf in leaves(one)] or [int(pid)]


def test_what_dies_in_its_second_row_is_told_of_that(working):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with subprocess.Popen(
                working.argv("mailtoken", "doctor", ALICE, "--json", "--live",
                             "--server", f"imap://localhost:{port}"),
                stdout=subprocess.PIPE, text=True) as doctor:
            server.settimeout(20)
            with server.accept()[0]:
                for pid in leaves(doctor.pid):
                    os.kill(pid, signal.SIGSEGV)
                rows = json.loads(doctor.communicate(timeout=30)[0])
    found = {row["check"]: row for row in rows if row["outcome"] == "fault"}
    assert list(found) == ["live-imap"]
    assert "the check itself died" in found["live-imap"]["text"]


def test_a_log_that_is_no_file_is_not_waited_for(working):
    working.run("postconf -e maillog_file=/var/log; rm -f /var/log/mail*")
    assert working.run("timeout 20 mailtoken explain").returncode != 124


def test_settings_that_were_left_behind_are_no_postfix(working):
    working.run("mount -t tmpfs tmpfs /usr/sbin")
    rows = {row["check"]: row for row in Doctor(working).rows}
    assert rows["postfix-sasl"]["text"] == "there is no Postfix here"


def test_port_465_is_tls_at_once(working):
    working.smarthost.stop()
    try:
        working.smarthost.start(465, implicit=True)
    except OSError:
        pytest.skip("the port is in use")
    working.run("postconf -e 'relayhost = [localhost]:465'; "
                f"sed -i 's/:[0-9]*/:465/' {PASSWD}")
    found = Doctor(working, "--live")
    assert not found.faults, str(found)


def test_a_next_hop_may_be_an_address_of_ipv6(working):
    working.smarthost.stop()
    working.smarthost.start(address="::1")
    working.run(
        f"postconf -e 'relayhost = [ipv6:::1]:{working.smarthost.port}'; "
        f"sed -i 's/.*:[0-9]*/::1/' {PASSWD}; "
        f"sed -i 's/servers .*/servers ::1/' {CONFIG}")
    working.restart()
    found = Doctor(working, "--live")
    assert not found.faults, str(found)
    assert "::1 takes the token" in str(found)


def test_who_may_not_ask_is_told_who_may(working):
    working.run(f"chmod 600 {SOCKET}")
    said = working.run(
        "exec setpriv --reuid nobody --clear-groups "
        f"env HOME=/nonexistent mailtoken --socket {SOCKET} doctor").stdout
    assert "; root may ask it, and the group of the socket" in said
    assert "systemctl restart" not in said
