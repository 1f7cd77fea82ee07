# SPDX-License-Identifier: BSD-2-Clause
"""A chrooted Postfix relays with tokens, and says in its log what fails.

The helper is a scripted one: what the plugin does to the mail is what is
looked at here.
"""

import os
import pwd
import re
import shutil

import pytest

from bed import in_time
from bed_postfix import JAIL_SOCKET, USER, Postfix
from leaks import leaked
from scripted_helper import ScriptedHelper

# What the postmaster reads: the word of the SASL code, and our sentence.
FAULTS = {
    "login-needed": (
        "passphrase expired, has to be reset",
        f'mailtoken: {USER} must sign in again: run "mailtoken login '
        f'{USER}" (Told by the script.)'),
    "unknown-account": (
        "user not found",
        f'mailtoken: no account "{USER}": run "mailtoken login {USER}" '
        '(Told by the script.)'),
    "wrong-server": (
        "error when parsing configuration file",
        f"mailtoken: no token of {USER} for localhost: Told by the script."),
    "try-later": (
        "remote authentication server unavailable",
        f"mailtoken: no token for {USER}: Told by the script. "
        "(next try in 7 s)"),
    "config-error": (
        "error when parsing configuration file",
        f"mailtoken: no token for {USER}: Told by the script."),
    "denied": (
        "account disabled",
        "mailtoken: the helper at /run/mailtoken/socket refuses: "
        "Told by the script."),
    "bad-request": (
        "invalid parameter supplied",
        f"mailtoken: no token for {USER}: Told by the script."),
    "busy": (
        "remote authentication server unavailable",
        f"mailtoken: no token for {USER}: Told by the script."),
    "timeout": (
        "remote authentication server unavailable",
        f"mailtoken: no token for {USER}: Told by the script."),
    "internal": (
        "remote authentication server unavailable",
        f"mailtoken: no token for {USER}: Told by the script."),
}

BROKEN = {
    "close": "hung up without an answer",
    "half": "the helper at /run/mailtoken/socket",
    "garbage": "bad answer from the helper at /run/mailtoken/socket",
    "oversize": "bad answer from the helper at /run/mailtoken/socket",
    "wrong-first": "bad answer from the helper at /run/mailtoken/socket",
    "repeated": "bad answer from the helper at /run/mailtoken/socket",
}


def delivered(postfix, smarthost, ident):
    """The message is with the smarthost, and Postfix knows it."""
    postfix.wait_status("sent")
    found = [m for m in smarthost.wait_message()
             if f"<{ident}>".encode() in m.data]
    assert len(found) == 1
    return found[0]


def test_a_chrooted_postfix_relays_with_a_token(postfix, smarthost, helper):
    message = delivered(postfix, smarthost, postfix.send())
    assert (message.user, message.sender) == (USER, USER)
    exchange, = smarthost.exchanges
    assert (exchange.mechanism, exchange.ok) == ("XOAUTH2", True)
    asked, = helper.wait_request()
    assert dict(asked.attributes) == {
        "mailtoken": "1", "verb": "token", "account": USER,
        "server": "localhost", "service": "smtp", "mechanism": "XOAUTH2"}
    assert "warning" not in postfix.new_log()


def test_the_helper_sees_the_uid_of_postfix(postfix, smarthost, helper):
    delivered(postfix, smarthost, postfix.send())
    asked, = helper.wait_request()
    assert asked.uid == pwd.getpwnam("postfix").pw_uid


@pytest.mark.parametrize("length", [1500, 4000, 10000])
def test_long_tokens_arrive_unchanged(postfix, smarthost, helper, idp,
                                      length):
    idp.set(access_length=length)
    helper.token = idp.seed(USER).access_token
    idp.set(access_length=1500)
    assert len(helper.token) == length
    delivered(postfix, smarthost, postfix.send())
    exchange, = smarthost.exchanges
    assert exchange.token == helper.token
    # Over 512 bytes Postfix keeps the message back until it is asked.
    assert not exchange.initial


def test_a_short_token_goes_with_the_auth_command(postfix, smarthost, helper,
                                                  idp):
    idp.set(access_length=200)
    helper.token = idp.seed(USER).access_token
    idp.set(access_length=1500)
    delivered(postfix, smarthost, postfix.send())
    assert smarthost.exchanges[0].initial


def test_a_refused_token_shows_the_words_of_the_server(
        postfix, smarthost, helper, idp):
    idp.expire_access(token=helper.token)
    postfix.send()
    line = postfix.wait_status("deferred")
    assert "dsn=4.7.8" in line
    assert "said: 535-5.7.8 Username and Password not accepted" in line
    exchange = smarthost.wait_exchange()[0]
    assert exchange.answer == b""
    report = helper.wait_request(verb="rejected")[0]
    assert report.get("account") == USER
    assert report.get("serial")
    assert '"status":"400"' in report.get("challenge")


def test_a_refusal_without_a_challenge_shows_the_words_of_the_server(
        postfix, smarthost, helper):
    smarthost.style = "office"
    smarthost.refuse_all = True
    postfix.send()
    line = postfix.wait_status("deferred")
    assert "dsn=4.7.3" in line or "dsn=4.7.8" in line
    assert "said: 535 5.7.3 Authentication unsuccessful" in line


def test_mail_goes_out_once_the_token_is_good_again(
        postfix, smarthost, helper, idp):
    idp.expire_access(token=helper.token)
    ident = postfix.send()
    postfix.wait_status("deferred")
    helper.token = idp.seed(USER).access_token
    delivered(postfix, smarthost, ident)


def test_without_the_helper_mail_waits_and_goes_out_later(
        postfix, smarthost, helper):
    helper.stop()
    ident = postfix.send()
    line = postfix.wait_status("deferred")
    assert "dsn=4.7.0" in line
    assert "remote authentication server unavailable" in line
    said = postfix.wait_log(r"warning: SASL authentication failure: (.*)")[1]
    assert JAIL_SOCKET in said
    assert "No such file or directory" in said
    helper.start()
    delivered(postfix, smarthost, ident)


def test_a_helper_that_restarts_defers_nothing(postfix, smarthost, helper):
    def restart():
        postfix.wait_empty()
        postfix.mark()
        smarthost.commands.clear()
        smarthost.messages.clear()
        helper.stop()
        ident = postfix.send()
        smarthost.commands.wait(2, match=lambda verb: verb == "EHLO")
        helper.start()
        delivered(postfix, smarthost, ident)
        assert "status=deferred" not in postfix.new_log()

    # The plugin waits for 5 s: an attempt that took longer shows nothing.
    in_time(restart)


@pytest.mark.parametrize("word", FAULTS)
def test_each_answer_has_its_sentence_and_loses_nothing(
        postfix, smarthost, helper, word):
    code, sentence = FAULTS[word]
    helper.add("fault", times=None, word=word, text="Told by the script.",
               **({"retry_after": "7"} if word == "try-later" else {}))
    ident = postfix.send()
    line = postfix.wait_status("deferred")
    assert "dsn=4.7.0" in line and code in line
    said = postfix.wait_log(r"warning: SASL authentication failure: (.*)")[1]
    assert sentence in said
    helper.clear()
    delivered(postfix, smarthost, ident)


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_answer_defers_and_loses_nothing(
        postfix, smarthost, helper, kind):
    helper.add(kind, times=None)
    ident = postfix.send()
    assert "dsn=4.7.0" in postfix.wait_status("deferred")
    said = postfix.wait_log(r"warning: SASL authentication failure: (.*)")[1]
    assert said.startswith("mailtoken: ")
    assert BROKEN[kind] in said
    assert not [e for e in smarthost.exchanges if e.token]
    helper.clear()
    delivered(postfix, smarthost, ident)


def test_no_process_of_postfix_died(postfix, smarthost, helper):
    """Stands behind the bad answers above: none of them was a crash."""
    delivered(postfix, smarthost, postfix.send())
    assert postfix.crashes() == []


def test_the_jail_may_lose_its_files_between_two_deliveries(
        postfix, smarthost, helper):
    delivered(postfix, smarthost, postfix.send())
    for name in ("etc/ssl", "etc/resolv.conf", "usr", "dev"):
        target = os.path.join(postfix.jail, name)
        if os.path.isdir(target):
            shutil.rmtree(target)
        elif os.path.exists(target):
            os.unlink(target)
    smarthost.messages.clear()
    postfix.mark()
    delivered(postfix, smarthost, postfix.send())


def relay_of(server):
    return "localhost", server.port, server.ca_file


@pytest.fixture
def own_postfix(sasl_path):
    """Makes instances; stops them and their helpers."""
    made = []

    def make(relay, token, **more):
        box = Postfix(relay, sasl_path=sasl_path, **more)
        made.append(box)
        helper = ScriptedHelper(box.in_jail(), token=token).start()
        made.append(helper)
        return box, helper

    yield make
    for thing in reversed(made):
        thing.stop()


def test_nothing_but_the_socket_is_needed_in_the_jail(
        own_postfix, idp, smarthost):
    # By address: a name cannot be looked up without /etc/hosts.
    box, helper = own_postfix(
        ("127.0.0.1", smarthost.port, smarthost.ca_file),
        idp.seed(USER).access_token,
        settings={"smtp_tls_security_level": "encrypt"})
    box.start(filled=False)
    box.empty_jail()
    smarthost.messages.clear()
    ident = box.send()
    delivered(box, smarthost, ident)
    assert not {"etc", "lib", "usr", "dev", "proc"} & box.jail_has()
    assert helper.wait_request()[0].get("server") == "127.0.0.1"


def test_oauthbearer_relays_and_answers_a_refusal(own_postfix, idp,
                                                  smarthost):
    box, helper = own_postfix(
        relay_of(smarthost), idp.seed(USER).access_token,
        settings={"smtp_sasl_mechanism_filter": "oauthbearer"})
    box.start()
    smarthost.messages.clear()
    smarthost.exchanges.clear()
    delivered(box, smarthost, box.send())
    assert smarthost.exchanges[0].mechanism == "OAUTHBEARER"
    idp.expire_access(token=helper.token)
    box.send()
    line = box.wait_status("deferred")
    assert "dsn=4.7.8" in line and "said: 535-5.7.8" in line
    assert smarthost.wait_exchange(2)[1].answer == b"AQ=="
    report = helper.wait_request(verb="rejected")[0]
    assert '"invalid_token"' in report.get("challenge")


@pytest.mark.parametrize("mechanism", ["xoauth2", "oauthbearer"])
def test_dovecot_submission_takes_and_refuses(own_postfix, idp, dovecot,
                                              sink, mechanism):
    box, helper = own_postfix(
        ("localhost", dovecot.submission, dovecot.ca_file),
        idp.seed(USER).access_token,
        settings={"smtp_sasl_mechanism_filter": mechanism})
    box.start()
    before = len(sink.messages)
    ident = box.send()
    box.wait_status("sent")
    assert ident.encode() in sink.messages.wait(before + 1)[-1]
    idp.expire_access(token=helper.token)
    box.send()
    line = box.wait_status("deferred")
    assert "dsn=4.7.8" in line and "said: 535 5.7.8" in line
    assert helper.wait_request(verb="rejected")


def test_the_default_security_options_are_told_in_the_log(
        own_postfix, idp, smarthost):
    """smtp_sasl_tls_security_options = noanonymous has to be set."""
    box, _ = own_postfix(
        relay_of(smarthost), idp.seed(USER).access_token,
        settings={"smtp_sasl_tls_security_options": None})
    box.start()
    box.send()
    assert "no mechanism available" in box.wait_status("deferred")
    assert "No worthy mechs found" in box.log()


def test_the_plugin_may_be_loaded_anew_for_each_delivery(
        own_postfix, idp, smarthost):
    box, _ = own_postfix(
        relay_of(smarthost), idp.seed(USER).access_token,
        settings={"max_use": "1"})
    box.start()
    smarthost.messages.clear()
    for n in range(1, 6):
        box.send()
        box.wait_status("sent", n)
    pids = re.findall(r"postfix/smtp\[(\d+)\].* status=sent", box.log())
    assert len(set(pids)) == 5


def test_one_process_goes_on_after_a_failure(own_postfix, idp, smarthost):
    # With more than one allowed, another may be free sooner.
    box, helper = own_postfix(relay_of(smarthost),
                              idp.seed(USER).access_token,
                              settings={"default_process_limit": "1"})
    helper.add("fault", word="busy", text="Told by the script.")
    box.start()
    box.send()
    box.wait_status("sent")
    seen = re.findall(r"postfix/smtp\[(\d+)\].* status=(\w+)", box.log())
    assert [status for _, status in seen] == ["deferred", "sent"]
    assert len({pid for pid, _ in seen}) == 1


def test_postfix_itself_prints_the_token_when_it_is_debugged(
        own_postfix, idp, smarthost):
    """debug_peer_list and smtp -v do; it also shows what a search finds."""
    box, helper = own_postfix(
        relay_of(smarthost), idp.seed(USER).access_token,
        settings={"debug_peer_list": "127.0.0.1", "debug_peer_level": "3"})
    box.start()
    box.send()
    box.wait_status("sent")
    assert leaked(box.log(), {helper.token})
