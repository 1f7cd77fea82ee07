# SPDX-License-Identifier: BSD-2-Clause
"""Tests of the test bed's smarthost: both mechanisms, good and bad."""

import base64
import json
import os
import smtplib
import ssl
import subprocess
import sys

import pytest

import bed
from idp import Idp
from smarthost import Smarthost
from smarthost_auth import (Introspection, Malformed, read_oauthbearer,
                            read_xoauth2)

HERE = os.path.dirname(os.path.abspath(__file__))
USER = "jo@example.org"


def b64(raw):
    return base64.b64encode(raw).decode()


def xoauth2(user, token):
    return f"user={user}\001auth=Bearer {token}\001\001".encode()


def oauthbearer(user, token):
    return f"n,a={user},\001auth=Bearer {token}\001\001".encode()


FORMS = {"XOAUTH2": xoauth2, "OAUTHBEARER": oauthbearer}


@pytest.fixture(scope="module")
def idp():
    with Idp() as server:
        yield server


@pytest.fixture
def host(idp):
    with Smarthost(idp.introspect, idp.authority.directory) as server:
        yield server


def connect(host, tls=True):
    link = smtplib.SMTP("localhost", host.port, timeout=bed.DEADLINE_S)
    link.ehlo()
    if tls:
        context = ssl.create_default_context(cafile=host.ca_file)
        link.starttls(context=context)
        link.ehlo()
    return link


def auth(link, mechanism, message):
    return link.docmd("AUTH", f"{mechanism} {b64(message)}")


@pytest.mark.parametrize("mechanism", FORMS)
def test_a_good_token_sends_mail(idp, host, mechanism, tmp_path):
    host.maildir = str(tmp_path / "mail")
    token = idp.seed(USER).access_token
    with connect(host) as link:
        assert auth(link, mechanism, FORMS[mechanism](USER, token))[0] == 235
        link.sendmail(USER, ["al@example.org"], "Subject: x\n\n.dot\n")
    message, = host.wait_message()
    assert (message.user, message.sender) == (USER, USER)
    assert message.data == b"Subject: x\r\n\r\n.dot\r\n"
    kept, = (tmp_path / "mail" / "new").iterdir()
    assert kept.read_bytes().endswith(message.data)
    exchange, = host.exchanges
    assert exchange.ok and exchange.initial and exchange.token == token
    assert host.secrets() == {token}


@pytest.mark.parametrize("mechanism, answer", [
    ("XOAUTH2", ""), ("OAUTHBEARER", "AQ==")])
def test_a_challenge_wants_the_right_answer(idp, host, mechanism, answer):
    for text, code in ((answer, 535), ("AA==", 501), ("*", 501)):
        with connect(host) as link:
            got, blob = auth(link, mechanism, FORMS[mechanism](USER, "bad"))
            assert got == 334
            assert json.loads(base64.b64decode(blob))["status"] in (
                "400", "invalid_token")
            assert link.docmd(text)[0] == code
            assert link.mail(USER)[0] == 530
    exchange = host.exchanges[0]
    assert exchange.challenge and not exchange.ok
    assert (exchange.answer, exchange.why) == (answer.encode(),
                                               "token not active")


def test_office_style_refuses_at_once(host):
    host.style = "office"
    with connect(host) as link:
        code, text = auth(link, "XOAUTH2", xoauth2(USER, "bad"))
    assert code == 535 and text.startswith(b"5.7.3")


def test_a_token_of_another_user_is_refused(idp, host):
    token = idp.seed("al@example.org").access_token
    with connect(host) as link:
        assert auth(link, "XOAUTH2", xoauth2(USER, token))[0] == 334
        link.docmd("")
    assert host.exchanges[0].why == "token of another user"


def test_app_only_tokens_open_any_mailbox(host):
    host.check = lambda token: {"active": True, "app_only": True}
    with connect(host) as link:
        assert auth(link, "XOAUTH2", xoauth2(USER, "app"))[0] == 235


def test_replies_as_told_and_tokens_of_little_life(idp, host):
    token = idp.seed(USER).access_token
    host.refusals = ["535 5.7.139 SmtpClientAuthentication is disabled"]
    host.min_life_s = 7200
    with connect(host) as link:
        assert b"disabled" in auth(link, "XOAUTH2", xoauth2(USER, token))[1]
        assert b"expire soon" in auth(link, "XOAUTH2",
                                      xoauth2(USER, token))[1]
        host.refuse_all = True
        assert auth(link, "XOAUTH2", xoauth2(USER, token))[0] == 334
        link.docmd("")


def test_unknown_validity_is_temporary(host):
    def fail(_token):
        raise OSError
    host.check = fail
    with connect(host) as link:
        assert auth(link, "XOAUTH2", xoauth2(USER, "x"))[0] == 454


def test_nothing_without_tls_and_auth(idp, host):
    with connect(host, tls=False) as link:
        assert not link.has_extn("auth") and link.has_extn("starttls")
        assert link.docmd("AUTH", "XOAUTH2")[0] == 530
        assert link.mail(USER)[0] == 530
    with connect(host) as link:
        assert link.esmtp_features["auth"].strip() == "XOAUTH2 OAUTHBEARER"
        assert link.docmd("AUTH", "PLAIN AA==")[0] == 504
        assert link.mail(USER)[0] == 530
        token = idp.seed(USER).access_token
        assert auth(link, "XOAUTH2", xoauth2(USER, token))[0] == 235
        assert auth(link, "XOAUTH2", xoauth2(USER, token))[0] == 503
        assert link.rcpt("x@y")[0] == 503
        host.own_sender = True
        with pytest.raises(smtplib.SMTPDataError):
            link.sendmail("al@example.org", ["x@y"], "x")


def test_offered_mechanisms_are_a_list(host):
    host.mechanisms = ("XOAUTH2",)
    with connect(host) as link:
        assert link.esmtp_features["auth"].strip() == "XOAUTH2"
        assert auth(link, "OAUTHBEARER", oauthbearer(USER, "x"))[0] == 504


def test_auth_lines_of_12288_bytes_are_taken_and_no_longer_ones(host):
    host.check = lambda token: {"active": True, "username": USER}
    for length, two_steps, code in (
            (9144, True, 235), (9300, True, 500),
            (9144, False, 235), (9300, False, 500)):
        with connect(host) as link:
            token = "t" * (length - len(xoauth2(USER, "")))
            blob = b64(xoauth2(USER, token))
            if two_steps:
                assert link.docmd("AUTH", "XOAUTH2") == (334, b"")
                got = link.docmd(blob)[0]
            else:
                got = link.docmd("AUTH", "XOAUTH2 " + blob)[0]
            assert got == code, (length, two_steps)
            assert link.noop()[0] == 250


def test_base64_is_canonical(host):
    with connect(host) as link:
        for blob in ("dXNlcj1", "dXNlcj0", "dXNl cj0=", "!!!!", "dXNlcj1="):
            assert link.docmd("AUTH", "XOAUTH2 " + blob)[0] == 501
        assert link.docmd("AUTH", "XOAUTH2 =")[0] == 501
    assert all(not e.ok for e in host.exchanges)


@pytest.mark.parametrize("message", [
    b"user=jo\001auth=Bearer x\001",
    b"user=jo\001auth=Bearer  x\001\001",
    b"user=jo\001auth=bearer x\001\001",
    b"user=jo\001auth=Bearer x\001\001\001",
    b"user=\001auth=Bearer x\001\001",
    b"auth=Bearer x\001user=jo\001\001",
    b"user=jo\001auth=Bearer x\n\001\001",
    b"user=\xff\001auth=Bearer x\001\001"])
def test_xoauth2_is_read_to_the_letter(message):
    with pytest.raises(Malformed):
        read_xoauth2(message)


@pytest.mark.parametrize("message", [
    b"n,user=jo,\001auth=Bearer x\001\001",
    b"n,a=j=o,\001auth=Bearer x\001\001",
    b"y,,\001auth=Bearer x\001\001",
    b"n,,auth=Bearer x\001\001",
    b"n,,\001auth=Bearer x\001",
    b"n,,\001host=other\001auth=Bearer x\001\001",
    b"n,,\001port=1\001auth=Bearer x\001\001",
    b"n,,\001auth=Bearer x\001auth=Bearer x\001\001",
    b"n,,\001host=localhost\001\001"])
def test_oauthbearer_is_read_to_the_letter(message):
    with pytest.raises(Malformed):
        read_oauthbearer(message, {"localhost"}, 587)


def test_oauthbearer_of_the_rfc_is_understood():
    assert read_oauthbearer(
        b"n,a=j=2Co=3D@x,\001host=localhost\001port=587\001"
        b"auth=Bearer vF9dft4qmT\001\001", {"localhost"}, 587) == (
            "j,o=@x", "vF9dft4qmT")
    assert read_oauthbearer(b"n,,\001auth=Bearer x\001\001", set(), 1) == (
        None, "x")


def test_implicit_tls(idp):
    host = Smarthost(idp.introspect, idp.authority.directory)
    host.start(implicit=True)
    context = ssl.create_default_context(cafile=host.ca_file)
    with smtplib.SMTP_SSL("localhost", host.port, context=context,
                          timeout=bed.DEADLINE_S) as link:
        token = idp.seed(USER).access_token
        link.ehlo()
        assert auth(link, "XOAUTH2", xoauth2(USER, token))[0] == 235
    host.stop()


def test_introspection_asks_over_https(idp):
    check = Introspection(idp.url + "/introspect", "mail-server",
                          idp.introspect_secret, idp.ca_file)
    assert check(idp.seed(USER).access_token)["username"] == USER
    idp.fault("introspect", "html", status=502)
    with pytest.raises(OSError):
        check("x")
    idp.fault("introspect", "html")
    with pytest.raises(OSError):
        check("x")


def test_script_serves_and_ends_on_sigterm(idp, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text(idp.introspect_secret + "\n")
    port = tmp_path / "port"
    script = subprocess.Popen(
        [sys.executable, "-m", "smarthost", "--ca", idp.authority.directory,
         "--introspect", idp.url + "/introspect", "--client-id",
         "mail-server", "--client-secret-file", str(secret),
         "--port-file", str(port), "--style", "office"], cwd=HERE,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        bed.wait_for(port.exists)
        there = type("There", (), {"port": int(port.read_text()),
                                   "ca_file": idp.ca_file})
        with connect(there) as link:
            token = idp.seed(USER).access_token
            assert auth(link, "XOAUTH2", xoauth2(USER, "no"))[0] == 535
            assert auth(link, "XOAUTH2", xoauth2(USER, token))[0] == 235
            link.sendmail(USER, ["x@y"], "x")
        script.terminate()
        out, _ = script.communicate(timeout=bed.DEADLINE_S)
        assert script.returncode == 0
        assert out.splitlines()[-1] == (
            f"message user={USER} sender={USER} bytes=3")
        assert token not in out
    finally:
        script.kill()
        script.wait()
