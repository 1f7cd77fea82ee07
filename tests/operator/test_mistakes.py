# SPDX-License-Identifier: BSD-2-Clause
"""What goes wrong for a new user after installing and editing two files.

Of each mistake either the mail log of a real, chrooted Postfix has a line
that says the cause and what to type, or doctor names it before all else.
"""

import os
import subprocess
from dataclasses import dataclass
from typing import Callable

import pytest

import paths
from bed import wait_for
from bed_relay import (ALICE, CONFIG, JAIL, KEYRING, PLUGIN, SASL, SCOPE,
                       SOCKET, Relay)
from idp import Idp
from idp.store import make_jwt
from smarthost import Smarthost
from test_doctor import PASSWD, Doctor

LOG = "/var/log/mail.log"
COPY = "/var/lib/as-it-was"
THINGS = f"/etc/postfix /etc/mailtoken {PLUGIN}"


@dataclass
class Mistake:
    """log: what has to stand in one line of the mail log; doctor: the check
    that it names first, and a part of its sentence."""
    plant: Callable
    log: tuple = ()
    doctor: tuple = ()


class Box:
    """One relay for all of them, which is put right again in between."""

    def __init__(self, relay):
        self.relay = relay
        self.idp, self.smarthost = relay.idp, relay.smarthost
        self.run, self.edit = relay.run, relay.edit
        relay.seed()
        relay.start()
        self.run(f"mkdir {COPY}; cp -a --parents {THINGS} {COPY}")

    def mend(self):
        """As before the first mistake."""
        self.idp.clear_faults()
        self.smarthost.refusals.clear()
        self.smarthost.own_sender = False
        self.smarthost.style = "google"
        done = self.run(f"""
            set -e
            rm -rf /etc/mailtoken {KEYRING}/* /usr/local/lib/sasl2
            rm -f {PLUGIN} {SASL}/libkdexoauth2.so
            cp -a {COPY}/* /
            postconf -e relayhost='[localhost]:{self.smarthost.port}'
            postsuper -d ALL
            : >{LOG}
            """)
        assert done.returncode == 0, done
        self.seed()

    def seed(self, *account, **more):
        """The record of a sign-in, which the helper reads at its start."""
        self.relay.seed(*account, **more)
        self.run("systemctl enable mailtoken-postfix.socket; "
                 "systemctl restart mailtokend.service; postfix reload")

    def token(self, **claims):
        """Sign in with a token as Microsoft's are."""
        seeded = self.idp.seed(ALICE, scope=SCOPE)
        seeded.access_token = make_jwt({
            "aud": "https://outlook.office.com", "upn": ALICE,
            "scp": "SMTP.Send", **claims}) + "c2ln"
        self.seed(seeded=seeded)

    def reload(self):
        """After an edit: both read what stands there now."""
        self.run("systemctl restart mailtokend.service; postfix reload")

    def send(self):
        """One message, to its first status; the log."""
        self.run(f"echo hello | sendmail -f {ALICE} carol@example.net")
        wait_for(lambda: "status=" in self.relay.read(LOG), what="a status")
        return self.relay.read(LOG)


def typed(command):
    """Made by a command; all read what stands there then."""
    def plant(box):
        done = box.run(command.format(conf=CONFIG, plugin=PLUGIN, sasl=SASL,
                                      jail=JAIL, socket=SOCKET))
        assert done.returncode == 0, done
        box.reload()
    return plant


def setting(name, value):
    """A line in main.cf."""
    return typed(f"postconf -e '{name} = {value}'")


def new_user(plant):
    """Nobody has signed in yet."""
    def both(box):
        box.run(f"rm {KEYRING}/*")
        plant(box)
    return both


def refusing(reply):
    """The mail server says this to the token."""
    def plant(box):
        box.smarthost.style = "office"
        box.smarthost.refusals += [reply] * 4
        box.send()
    return plant


def sender_refused(box):
    box.smarthost.own_sender = True
    box.run("echo hello | sendmail -f bob@example.org carol@example.net")
    wait_for(lambda: "status=" in box.relay.read(LOG), what="a status")


def wrong_tenant(box):
    box.idp.fault("device", "aadsts", number=90002, times=None)
    new_user(typed("true"))(box)


def signed_in_as_another(box):
    box.run(f"rm {KEYRING}/*")
    box.seed("bob@example.org")


MISTAKES = {
    "no configuration": Mistake(
        typed("rm {conf}"), doctor=("config-file", "mail programs")),
    "configuration that the helper may not read": Mistake(
        typed("chmod 600 {conf}"), doctor=("config-file", CONFIG)),
    "typing error in the configuration": Mistake(
        typed("sed -i s/client_id/clientid/ {conf}"),
        log=(f"{CONFIG}:5", "did you mean 'client_id'?")),
    "placeholder for the client": Mistake(
        new_user(typed("sed -i 's/client_id .*/client_id CLIENT-ID/' "
                       "{conf}")), doctor=("client", "client")),
    "wrong tenant": Mistake(wrong_tenant, doctor=("client", "tenant")),
    "not signed in": Mistake(
        new_user(typed("true")),
        log=(f'no account "{ALICE}"', f"mailtoken login {ALICE}")),
    "signed in by another name": Mistake(
        signed_in_as_another,
        log=(f'no account "{ALICE}"', f"mailtoken login {ALICE}")),
    "name and password in the map": Mistake(
        typed(f"sed -i 's/$/:Sesame/' {PASSWD}"),
        doctor=("postfix-map", "password")),
    "colon in the map": Mistake(
        typed(f"sed -i 's/$/:/' {PASSWD}"), doctor=("postfix-map", "colon")),
    "map not built": Mistake(
        setting("smtp_sasl_password_maps", f"hash:{PASSWD}"),
        doctor=("postfix-map", "cannot be read")),
    "map for another port": Mistake(
        typed(f"sed -i 's/:[0-9]* /:587 /;s/localhost/other/' {PASSWD}"),
        doctor=("postfix-map", "nothing in")),
    "allow forgotten": Mistake(
        typed("sed -i /^allow/d {conf}"),
        log=("not allowed", f'the line "allow postfix" in {CONFIG}')),
    "no socket in the chroot": Mistake(
        typed("systemctl disable mailtoken-postfix.socket"),
        log=("no helper's socket in this chroot",
             "systemctl enable --now mailtoken-postfix.socket")),
    "socket of another group": Mistake(
        lambda box: box.run(f"chgrp daemon {JAIL}{SOCKET}"),
        doctor=("postfix-socket", "may not use")),
    "helper not started": Mistake(
        lambda box: box.run("systemctl stop mailtokend.service"),
        log=("no helper's socket in this chroot", "mailtokend.service")),
    "filter of mechanisms": Mistake(
        setting("smtp_sasl_mechanism_filter", "plain, login"),
        doctor=("postfix-mechanisms", "plain, login")),
    "noplaintext left on": Mistake(
        typed("postconf -X smtp_sasl_tls_security_options"),
        doctor=("postfix-security", "noplaintext")),
    "SASL not enabled": Mistake(
        setting("smtp_sasl_auth_enable", "no"),
        doctor=("postfix-sasl", "smtp_sasl_auth_enable")),
    "no relayhost": Mistake(
        setting("relayhost", ""), doctor=("postfix-relay", "relayhost")),
    "TLS off": Mistake(
        setting("smtp_tls_security_level", "none"),
        doctor=("postfix-tls", "not verified")),
    "plugin in another folder": Mistake(
        typed("mkdir -p /usr/local/lib/sasl2; mv {plugin} "
              "/usr/local/lib/sasl2"), doctor=("plugin-file", SASL)),
    "two plugins": Mistake(
        typed("cp {plugin} {sasl}/libkdexoauth2.so"),
        doctor=("plugin-alone", "libkdexoauth2.so")),
    "server of another provider": Mistake(
        typed("sed -i 's/servers .*/servers smtp.gmail.com/' {conf}"),
        log=("localhost is not a server of", "write servers localhost")),
    "SMTP AUTH disabled": Mistake(
        refusing("535 5.7.139 Authentication unsuccessful, "
                 "SmtpClientAuthentication is disabled for the Tenant."),
        doctor=("mail-log", "Exchange admin")),
    "not allowed to send as": Mistake(
        sender_refused, doctor=("mail-log", "SendAs")),
    "token for Graph": Mistake(
        lambda box: box.token(aud="https://graph.microsoft.com"),
        doctor=("token-audience", "Graph")),
    "right to send missing": Mistake(
        lambda box: box.token(scp="IMAP.AccessAsUser.All"),
        doctor=("token-rights", "SMTP.Send")),
}

# What looks like one, and is none.
NO_MISTAKES = {
    "capital letters": typed(f"sed -i s/alice@/Alice@/ {PASSWD}"),
    "blank at the end": typed(f"sed -i 's/$/ /' {PASSWD}"),
    "map for the host alone": typed(
        f"sed -i 's/^.*\\]:[0-9]*/localhost/' {PASSWD}"),
    "where libsasl2's settings are": typed(
        "mkdir -p /etc/postfix/sasl; echo 'mech_list: PLAIN' "
        ">/etc/postfix/sasl/smtp.conf; "
        "postconf -e cyrus_sasl_config_path=/etc/postfix/sasl"),
}


@pytest.fixture(scope="module")
def box():
    """A relay through which mail goes."""
    if os.geteuid() != 0 or subprocess.run(
            ["unshare", "-m", "-p", "-f", "true"], check=False).returncode:
        pytest.skip("needs root and namespaces")
    if not paths.module().exists():
        pytest.skip(f"{paths.module()} is not built")
    with Idp(interval=1) as idp, Smarthost(
            idp.introspect, idp.authority.directory) as smarthost:
        smarthost.auth_line_max = 70000
        relay = Relay(idp, smarthost)
        yield Box(relay)
        relay.end()


@pytest.mark.slow
@pytest.mark.parametrize("name", MISTAKES,
                         ids=lambda name: name.replace(" ", "-"))
def test_a_mistake_is_told_by_the_log_or_by_doctor(box, name):
    mistake = MISTAKES[name]
    box.mend()
    mistake.plant(box)
    if mistake.log:
        log = box.send()
        assert [line for line in log.splitlines()
                if all(part in line for part in mistake.log)], log
        return
    check, says = mistake.doctor
    found = Doctor(box)
    assert found.faults and found.faults[0]["check"] == check, str(found)
    assert says in found.faults[0]["text"] + found.faults[0]["type"]


@pytest.mark.slow
@pytest.mark.parametrize("name", NO_MISTAKES,
                         ids=lambda name: name.replace(" ", "-"))
def test_what_is_no_mistake_does_not_stop_the_mail(box, name):
    box.mend()
    NO_MISTAKES[name](box)
    assert "status=sent" in box.send()
