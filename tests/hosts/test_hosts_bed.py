# SPDX-License-Identifier: BSD-2-Clause
"""The servers of this suite judge tokens as real ones do.

curl is the client here, so that nothing of ours stands on both sides.
"""

import base64
import subprocess

import pytest

from bed_postfix import USER, Postfix
from bed_process import group_members
from leaks import disguises, leaked
from smarthost import Smarthost

LOGIN_DENIED = 67    # curl's exit status


def curl(dovecot, scheme, port, token, *more):
    # The token goes to curl by its standard input, not as an argument.
    return subprocess.run(
        ["curl", "--silent", "--show-error", "--ssl-reqd", "--cacert",
         dovecot.ca_file, "--max-time", "20", "--config", "-", *more,
         f"{scheme}://localhost:{port}/"],
        input=f'user = "{USER}:"\noauth2-bearer = "{token}"\n',
        capture_output=True, text=True)


def dial(dovecot, service, token, mail):
    if service == "imaps":
        return curl(dovecot, "imaps", dovecot.imaps, token)
    if service == "pop3s":
        return curl(dovecot, "pop3s", dovecot.pop3s, token)
    return curl(dovecot, "smtp", dovecot.submission, token, "--mail-from",
                USER, "--mail-rcpt", "bob@example.net", "--upload-file",
                str(mail))


@pytest.fixture
def mail(tmp_path):
    file = tmp_path / "mail"
    file.write_text("From: alice\r\nTo: bob\r\n\r\nHello\r\n")
    return file


@pytest.mark.parametrize("service", ["imaps", "pop3s", "submission"])
def test_dovecot_takes_a_live_token(dovecot, idp, service, mail):
    done = dial(dovecot, service, idp.seed(USER).access_token, mail)
    assert done.returncode == 0, done.stderr + dovecot.log()


@pytest.mark.parametrize("service", ["imaps", "pop3s", "submission"])
def test_dovecot_refuses_an_expired_token(dovecot, idp, service, mail):
    token = idp.seed(USER).access_token
    idp.expire_access(token=token)
    done = dial(dovecot, service, token, mail)
    assert done.returncode == LOGIN_DENIED, done.stderr


def test_dovecot_refuses_a_token_of_another_user(dovecot, idp, mail):
    token = idp.seed("mallory@example.org").access_token
    assert dial(dovecot, "imaps", token, mail).returncode == LOGIN_DENIED


def test_submission_hands_the_mail_on(dovecot, idp, sink, mail):
    before = len(sink.messages)
    done = dial(dovecot, "submission", idp.seed(USER).access_token, mail)
    assert done.returncode == 0, done.stderr
    assert b"Hello" in sink.messages.wait(before + 1)[-1]


def test_postfix_starts_delivers_nothing_and_leaves_nothing(idp):
    with Smarthost(idp.introspect, idp.authority.directory) as host:
        with Postfix(("localhost", host.port, host.ca_file),
                     settings={"smtp_sasl_mechanism_filter": "plain"}) as box:
            group = box.child.pid
            box.send()
            line = box.wait_status("deferred")
            assert "dsn=4.7.0" in line
            assert box.queue()[0]["queue_name"] in ("deferred", "active",
                                                    "incoming")
            assert group_members(group)
    assert not group_members(group)


@pytest.mark.parametrize("before", [b"", b"1", b"12", b"123"])
def test_a_secret_in_base64_is_found(before):
    secret = "correct-horse-battery-staple"
    text = base64.b64encode(before + secret.encode() + b"\001\001").decode()
    assert leaked("AUTH XOAUTH2 " + text, {secret})
    assert leaked(f"token={secret}.", {secret})
    assert not leaked("AUTH XOAUTH2", {secret})
    assert len(set(disguises(secret))) == 4
