# SPDX-License-Identifier: BSD-2-Clause
"""What a real Postfix writes into its log, mailtoken explain knows."""

import json
import subprocess

import pytest

import paths
from bed_postfix import USER, Postfix
from test_hosts_postfix import FAULTS

ROWS = {"denied": "not-allowed-admin", "bad-request": "try-later",
        "config-error": "try-later", "timeout": "try-later",
        "busy": "try-later", "internal": "try-later"}

# Replies to a good token, and what they are about.
REPLIES = {
    "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is "
    "disabled for the Tenant. Visit https://aka.ms/smtp_auth_disabled":
        "5.7.139-tenant",
    "535 5.7.3 Authentication unsuccessful": "535-5.7.3",
    "501 5.5.127 Invalid XOAUTH2 auth data - Token will expire soon":
        "501-5.5.127",
    "454 4.7.0 Temporary authentication failure": "454",
    "432 4.3.2 Concurrent connections limit exceeded.": "4.3.2-connections",
}


def explained(log):
    """{name: row} of all that is known of a log."""
    done = subprocess.run([paths.program("mailtoken"), "--json", "explain",
                           "-"], input=log, capture_output=True, text=True,
                          timeout=60)
    return {row["name"]: row for row in json.loads(done.stdout)}


@pytest.mark.parametrize("word", FAULTS)
def test_each_fault_is_one_cause_with_its_account(postfix, helper, word):
    helper.add("fault", times=None, word=word, text="Told by the script.")
    postfix.send()
    postfix.wait_status("deferred")
    name, = rows = explained(postfix.new_log())
    assert name == ROWS.get(word, word)
    if word == "login-needed":
        assert rows[name]["type"].startswith(f"mailtoken login {USER}")
    helper.clear()
    postfix.discard()


@pytest.mark.parametrize("reply", REPLIES)
def test_each_reply_to_a_token_is_one_cause(postfix, smarthost, helper,
                                            reply):
    smarthost.refusals.append(reply)
    postfix.send()
    postfix.wait_status("deferred")
    assert list(explained(postfix.new_log())) == [REPLIES[reply]]
    smarthost.refusals.clear()
    postfix.discard()


def test_a_missing_socket_is_one_cause(postfix, helper):
    helper.stop()
    postfix.send()
    postfix.wait_status("deferred")
    name, = explained(postfix.new_log())
    assert name in ("no-helper-in-chroot", "no-helper")
    helper.start()
    postfix.discard()


@pytest.mark.parametrize("name, settings", {
    "no-worthy-mechs": {"smtp_sasl_tls_security_options": None},
    "tls-untrusted": {
        "smtp_tls_CAfile": "/etc/ssl/certs/ca-certificates.crt"},
    "tls-engine": {"smtp_tls_CAfile": "/etc/hostname"},
    "connect": {"relayhost": "[127.0.0.1]:1"},
    "dns": {"relayhost": "[nowhere.invalid]:587"},
    "no-auth-offered": {"smtp_sasl_mechanism_filter": "gssapi"},
}.items())
def test_what_is_wrong_with_postfix_is_told(sasl_path, smarthost, name,
                                            settings):
    with Postfix(("localhost", smarthost.port, smarthost.ca_file),
                 sasl_path=sasl_path, settings=settings) as box:
        box.send()
        box.wait_status("deferred")
        assert name in explained(box.log())
        box.discard()
        box.end()


def test_a_mail_that_goes_out_is_no_trouble(postfix, helper):
    postfix.send()
    postfix.wait_status("sent")
    assert explained(postfix.new_log()) == {}
