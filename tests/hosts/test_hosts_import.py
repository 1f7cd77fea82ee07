# SPDX-License-Identifier: BSD-2-Clause
"""A relay that comes from sasl-xoauth2 keeps its grants.

Its token files and configuration are imported, what mailtoken prints is
done to Postfix's files, and the mail that waits goes out.
"""

import json
import re
import secrets
import subprocess

import pytest

import paths
from bed import wait_for
from bed_mailtokend import Mailtokend
from bed_postfix import USER, Postfix
from leaks import leaked
from smarthost import Smarthost

BEA = "bea@example.org"
ACCOUNTS = (USER, BEA)
FOREIGN = "relay-registration"
# Below the accounts' own domain, so no server has to be named.
SMARTHOST = "smtp.example.org"
SETTING = re.compile(r"\b(smtp_\w+) = (\w+)")


@pytest.fixture(scope="module", autouse=True)
def built():
    for name in ("mailtokend", "mailtoken"):
        if not paths.program(name).exists():
            pytest.skip(f"{paths.program(name)} is not built")


class OldRelay:
    """What a machine with sasl-xoauth2 has: tokens, maps, main.cf."""

    def __init__(self, idp, folder, host, sasl_path):
        self.idp = idp
        self.tokens = folder / "tokens"
        self.conf = folder / "sasl-xoauth2.conf"
        self.passwd = folder / "sasl_passwd"
        self.secret = secrets.token_urlsafe(30)
        idp.add_client(FOREIGN, self.secret)
        self._write_tokens()
        self.relay = f"[{SMARTHOST}]:{host.port}"
        self.passwd.write_text("".join(
            f"{who} {who}:/etc/tokens/{who}\n" for who in ACCOUNTS) +
            f"{self.relay} {USER}:/etc/tokens/{USER}\n")
        self.postfix = Postfix(
            (SMARTHOST, host.port, host.ca_file), sasl_path=sasl_path,
            settings={
                "smtp_sasl_password_maps": f"hash:{self.passwd}",
                "smtp_sender_dependent_authentication": "yes",
                # Postfix's defaults let no such mechanism through, so what
                # is printed has to be done.
                "smtp_sasl_mechanism_filter": None,
                "smtp_sasl_tls_security_options": None,
                "smtp_sasl_auth_cache_name":
                    "proxy:btree:$data_directory/sasl_auth_cache",
                "smtp_sasl_auth_cache_time": "90d"})
        self.postmap()

    def _write_tokens(self):
        self.tokens.mkdir(mode=0o700)
        for who in ACCOUNTS:
            seeded = self.idp.seed(who, client_id=FOREIGN)
            (self.tokens / who).write_text(json.dumps({
                "access_token": seeded.access_token, "expiry": "1",
                "refresh_token": seeded.refresh_token}))
        self.conf.write_text(json.dumps({
            "client_id": FOREIGN, "client_secret": self.secret,
            "token_endpoint": f"{self.idp.url}/token",
            "ca_bundle_file": self.idp.ca_file,
            "log_to_syslog_on_failure": "yes",
            "log_full_trace_on_failure": "no"}))

    def files(self):
        """The token files, as a shell's */* gives them."""
        return sorted(str(path) for path in self.tokens.iterdir())

    def postmap(self):
        """Make the map that Postfix reads."""
        subprocess.run(["/usr/sbin/postmap", "-c", self.postfix.config,
                        f"hash:{self.passwd}"], check=True)

    def resolve(self):
        """Let smtp(8), and nobody else, find the smarthost by its name."""
        with open(self.postfix.in_jail("/etc/hosts"), "a") as hosts:
            hosts.write(f"127.0.0.1 {SMARTHOST}\n")


def do_what_is_printed(old, said):
    """The password map's line and main.cf's line, as a person reads them."""
    text = " ".join(line.removeprefix("mailtoken:").strip()
                    for line in said.splitlines())
    assert "take away the colon and the path of the token file" in text
    old.passwd.write_text(re.sub(r"(?m):/\S+$", "",
                                 old.passwd.read_text()))
    old.postmap()
    settings = dict(SETTING.findall(text))
    assert set(settings) == {"smtp_sasl_auth_enable",
                             "smtp_sasl_mechanism_filter",
                             "smtp_sasl_tls_security_options"}
    assert "take away smtp_sasl_auth_cache_name" in text
    old.postfix.reload(smtp_sasl_auth_cache_name=None,
                       smtp_sasl_auth_cache_time=None, **settings)


@pytest.fixture(scope="module")
def machine(idp, sasl_path, tmp_path_factory):
    """(old relay, helper, smarthost); ended with a look for secrets."""
    folder = tmp_path_factory.mktemp("old")
    with Smarthost(idp.introspect, idp.authority.directory,
                   [SMARTHOST]) as host:
        old = OldRelay(idp, folder, host, sasl_path)
        helper = Mailtokend(idp, [old.postfix.in_jail()])
        with old.postfix, helper:
            old.resolve()
            yield old, helper, host
            helper.end()
            old.postfix.end()
            known = idp.secrets() | host.secrets() | {old.secret}
            for text in (old.postfix.log(), old.postfix.output(),
                         helper.log()):
                assert not leaked(text, known)


@pytest.fixture(scope="module")
def imported(machine):
    """The relay after the import; one message waited for it."""
    old, helper, _ = machine
    old.postfix.send(text="This one waited.\n")
    old.postfix.wait_status("deferred")
    done = helper.run("import", "sasl-xoauth2", "--config", str(old.conf),
                      *old.files())
    assert done.returncode == 0, (done.stdout, done.stderr, helper.log())
    for who in ACCOUNTS:
        assert f"{who} is imported" in done.stdout
    assert not leaked(done.stdout + done.stderr,
                      old.idp.secrets() | {old.secret})
    old.postfix.mark()
    old.postfix.hold()
    do_what_is_printed(old, done.stderr)
    old.postfix.release()
    return machine


def test_mail_that_waits_goes_out_after_the_import(imported):
    old, _, host = imported
    old.postfix.wait_status("sent")
    message = host.wait_message()[0]
    assert message.user == USER and b"This one waited." in message.data


def test_each_imported_account_sends_as_itself(imported):
    old, _, host = imported
    old.postfix.wait_empty()
    host.messages.clear()
    old.postfix.mark()
    for n, who in enumerate((USER, BEA), 1):
        old.postfix.send(who)
        old.postfix.wait_status("sent", n)
    assert [(m.user, m.sender) for m in host.wait_message(2)] == [
        (USER, USER), (BEA, BEA)]


def test_sending_goes_on_after_a_restart_with_an_expired_token(imported):
    old, helper, host = imported
    before = old.idp.current_refresh(BEA)
    helper.end()
    helper.age(BEA)
    helper.start()
    host.messages.clear()
    old.postfix.mark()
    old.postfix.send(BEA)
    old.postfix.wait_status("sent")
    assert host.wait_message()[0].user == BEA
    wait_for(lambda: helper.entry(BEA)["refresh-token"] ==
             old.idp.current_refresh(BEA))
    assert old.idp.current_refresh(BEA) != before


def test_nobody_signed_in(imported):
    """Stands at the end: all of the above were refreshes of one client."""
    old, helper, _ = imported
    requests = list(old.idp.requests)
    assert {r.endpoint for r in requests} == {"token"}
    assert {r.grant_type for r in requests} == {"refresh_token"}
    assert {r.client_id for r in requests} == {FOREIGN}
    assert old.idp.counts["refresh_reuse"] == 0
    assert old.postfix.crashes() == [] and helper.alive()
