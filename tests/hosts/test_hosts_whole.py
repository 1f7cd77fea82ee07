# SPDX-License-Identifier: BSD-2-Clause
"""The whole chain: Postfix, plugin, mailtokend, identity provider.

Nothing of ours is a stand-in here; the identity provider and the mail
server are strict ones.
"""

import os
import subprocess

import pytest

import paths
import sanitizers
from bed import DEADLINE_S
from bed_mailtokend import Mailtokend
from bed_postfix import JAIL_SOCKET, USER, Postfix
from helper_line import connect
from leaks import leaked
from smarthost import Smarthost

BEA = "bea@example.org"


@pytest.fixture(scope="module", autouse=True)
def built():
    for name in ("mailtokend", "mailtoken"):
        if not paths.program(name).exists():
            pytest.skip(f"{paths.program(name)} is not built")


@pytest.fixture(scope="module")
def chain(idp, sasl_path):
    """(Postfix, mailtokend, smarthost); alice and bea are signed in."""
    with Smarthost(idp.introspect, idp.authority.directory) as host:
        box = Postfix(
            ("localhost", host.port, host.ca_file), sasl_path=sasl_path,
            user=None, settings={
                "smtp_sender_dependent_authentication": "yes",
                "smtp_sasl_password_maps":
                    f"inline:{{ {{{USER}={USER}}}, {{{BEA}={BEA}}} }}"})
        helper = Mailtokend(idp, [box.in_jail()])
        with box, helper:
            for account in (USER, BEA):
                helper.login(account, lambda code, _uri, who=account:
                             idp.approve(code, who))
            yield box, helper, host
            helper.end()
            box.end()
            secrets = idp.secrets() | host.secrets()
            assert not leaked(box.log(), secrets)
            assert not leaked(helper.log(), secrets)


@pytest.fixture
def fresh(chain, idp):
    """The chain with nothing left from the test before."""
    box, helper, host = chain
    idp.clear_faults()
    idp.forget_requests()
    host.messages.clear()
    host.exchanges.clear()
    host.exchanges.on_add = None
    box.mark()
    yield chain
    host.exchanges.on_add = None
    idp.clear_faults()
    if not helper.alive():
        helper.start()
    box.wait_empty()


def restart_aged(helper, account=USER):
    """Restart the helper with an expired access token in the keyring."""
    helper.end()
    helper.age(account)
    helper.start()


def refreshes(idp):
    return [r for r in idp.requests if r.grant_type == "refresh_token"]


def test_a_signed_in_account_delivers(fresh, idp):
    box, _, host = fresh
    ident = box.send()
    box.wait_status("sent")
    message = host.wait_message()[0]
    assert message.user == USER and ident.encode() in message.data
    assert refreshes(idp) == []


def test_two_accounts_by_sender(fresh):
    box, _, host = fresh
    for n, sender in enumerate((USER, BEA), 1):
        box.send(sender)
        box.wait_status("sent", n)
    assert [(m.user, m.sender) for m in host.wait_message(2)] == [
        (USER, USER), (BEA, BEA)]


def test_the_keyring_has_the_new_refresh_token_before_it_is_used(fresh, idp):
    box, helper, host = fresh
    before = idp.current_refresh(USER)
    restart_aged(helper)
    seen = []
    host.exchanges.on_add = lambda _: seen.append(
        (helper.entry(USER)["refresh-token"], idp.current_refresh(USER)))
    box.send()
    box.wait_status("sent")
    in_file, at_provider = seen[0]
    assert in_file == at_provider != before
    assert len(refreshes(idp)) == 1


def test_mail_waits_for_the_helper_and_goes_out(fresh):
    box, helper, host = fresh
    helper.end()
    ident = box.send()
    line = box.wait_status("deferred")
    assert "dsn=4.7.0" in line
    said = box.wait_log(r"warning: SASL authentication failure: (.*)")[1]
    assert JAIL_SOCKET in said
    helper.start()
    box.wait_status("sent")
    assert ident.encode() in host.wait_message()[0].data


def test_mail_waits_for_the_provider_and_goes_out(fresh, idp):
    box, helper, host = fresh
    idp.fault("token", "http_error", times=None, status=503)
    restart_aged(helper)
    box.send()
    line = box.wait_status("deferred")
    idp.clear_faults()
    assert "remote authentication server unavailable" in line
    said = box.wait_log(r"warning: SASL authentication failure: (.*)")[1]
    assert said.startswith(f"mailtoken: no token for {USER}: ")
    box.wait_status("sent")
    host.wait_message()


def test_200_requests_with_an_expired_token_make_one_refresh(fresh, idp):
    _, helper, _ = fresh
    with idp.holding("token"):
        restart_aged(helper)
        lines = [connect(helper.socket).send("token", account=USER,
                                             server="localhost")
                 for _ in range(200)]
        idp.wait_request("token")
    answers = [line.next() for line in lines]
    assert {a["result"] for a in answers} == {"ok"}
    assert len({a["token"] for a in answers}) == 1
    assert len(refreshes(idp)) == 1
    assert idp.introspect(answers[0]["token"])["active"]


def test_50_mail_programs_with_an_expired_token_make_one_refresh(
        fresh, idp, sasl_path):
    if not paths.host().exists():
        pytest.skip(f"{paths.host()} is not built")
    _, helper, _ = fresh
    environment = {**os.environ, "SASL_PATH": sasl_path,
                   "SASL_PLUGINDIR": sasl_path,
                   "MAILTOKEN_SOCKET": helper.socket,
                   **sanitizers.environment()}
    argv = [str(paths.host()), "--user", USER, "--fqdn", "localhost"]
    with idp.holding("token"):
        restart_aged(helper)
        children = [subprocess.Popen(argv, env=environment, text=True,
                                     stdout=subprocess.PIPE,
                                     stderr=subprocess.STDOUT)
                    for _ in range(50)]
        idp.wait_request("token")
    outputs = [child.communicate(timeout=2 * DEADLINE_S)[0]
               for child in children]
    sent = {line for output in outputs for line in output.splitlines()
            if line.startswith("out ")}
    assert [child.returncode for child in children] == [0] * 50
    assert len(sent) == 1, "\n".join(outputs[:2])
    assert len(refreshes(idp)) == 1


def test_a_refused_token_is_renewed_and_the_mail_goes_out(fresh, idp):
    box, helper, host = fresh
    idp.expire_access(user=USER)
    box.send()
    line = box.wait_status("deferred")
    assert "dsn=4.7.8" in line and "said: 535-5.7.8" in line
    box.wait_status("sent")
    host.wait_message()
    assert len(refreshes(idp)) == 1


def test_an_ended_grant_tells_the_command_and_a_sign_in_mends_it(fresh, idp):
    box, helper, host = fresh
    idp.revoke(USER)
    restart_aged(helper)
    ident = box.send()
    line = box.wait_status("deferred")
    assert "passphrase expired, has to be reset" in line
    said = box.wait_log(r"warning: SASL authentication failure: (.*)")[1]
    assert f'run "mailtoken login {USER}"' in said
    assert "refresh-token" in helper.entry(USER)
    helper.login(USER, lambda code, _uri: idp.approve(code, USER))
    box.wait_status("sent")
    assert ident.encode() in host.wait_message()[0].data


@pytest.fixture
def changed(fresh):
    """Changes main.cf for one test; its messages are thrown away."""
    box, _, _ = fresh
    before = dict(box.settings)

    def change(**settings):
        box.reload(**settings)
        return box

    yield change
    box.discard()
    box.reload(**before)


@pytest.mark.parametrize("user", ["carl@example.org",
                                  "c" * 60 + "@" + "d" * 27 + ".example.org"])
def test_an_account_that_is_not_signed_in_is_told(changed, user):
    box = changed(smtp_sasl_password_maps=f"static:{user}")
    box.send("carl@example.org")
    assert "user not found" in box.wait_status("deferred")
    said = box.wait_log(r"warning: SASL authentication failure: (.*)")[1]
    assert 'no account "c' in said     # what is no command may be cut
    assert 'not allowed for user postfix, ' in said
    assert f'mailtoken login {user}"' in said


def test_no_token_goes_to_a_server_of_somebody_else(changed, fresh):
    _, _, host = fresh
    box = changed(relayhost=f"[127.0.0.1]:{host.port}",
                  smtp_tls_security_level="encrypt")
    box.send()
    assert "error when parsing configuration file" in box.wait_status(
        "deferred")
    said = box.wait_log(r"warning: SASL authentication failure: (.*)")[1]
    assert said.startswith(f"mailtoken: no token of {USER} for 127.0.0.1: ")
    assert not len(host.exchanges)


def test_no_process_died(fresh):
    """Stands at the end: none of the failures above was a crash."""
    box, helper, _ = fresh
    assert box.crashes() == []
    assert helper.alive()
    assert sanitizers.reports(helper.log()) == []
