# SPDX-License-Identifier: BSD-2-Clause
"""A mail server that refuses a token takes it from nobody else, and status
says who refuses."""

import os

import pytest

from bed import wait_for

JO = "jo@example.org"
CHALLENGE = '{"status":"401","schemes":"bearer"}'


def token(bed, service):
    return bed.ask("token", account=JO, server="localhost", service=service,
                   mechanism="XOAUTH2")


def refuse(bed, serial, service="imap", server="localhost"):
    assert bed.ask("rejected", account=JO, serial=serial, server=server,
                   service=service,
                   challenge=CHALLENGE) == {"result": "ok"}


def test_a_refused_token_is_taken_from_its_service_alone(helper):
    old = helper.seed(age=10)
    helper.start()
    served = []
    for _ in range(30):                 # a program that polls
        answer = token(helper, "imap")
        if answer["result"] == "ok":
            served.append(answer["token"])
            refuse(helper, answer["serial"])
        other = token(helper, "smtp")
        assert other["result"] == "ok"
    # One renewal a minute, and its token was tried.
    wait_for(lambda: helper.refreshes() == 1)
    assert helper.refreshes() == 1
    assert served[0] == old.access_token and len(served) == 2
    assert token(helper, "imap")["result"] == "try-later"
    assert token(helper, "smtp")["token"] == served[1]


def test_status_says_who_refuses_and_since_when(clocked):
    clocked.seed(age=10)
    clocked.start()
    assert "text" not in clocked.status()
    for times in (1, 2):
        refuse(clocked, token(clocked, "imap")["serial"])
        status = clocked.status()
        assert status["state"] in ("active", "refreshing")
        assert f"localhost (imap) refused the token {times} times since 20" \
            in status["text"]
        assert f"is the mailbox {JO} that of who signed in" in status["text"]
        assert "is the permission for it granted?" in status["text"]
        assert f"mailtoken login {JO}" in status["text"]
        wait_for(lambda: clocked.refreshes() == times)
        clocked.wait_state("active")
        clocked.clock.both(61)
    # The next one pleases it.
    assert token(clocked, "imap")["result"] == "ok"
    clocked.clock.both(301)
    assert "text" not in clocked.status()


def test_a_refusal_outlives_a_restart(helper, idp):
    old = helper.seed(age=10)
    helper.start()
    idp.fault("token", "http_error", times=None, status=500)
    refuse(helper, token(helper, "imap")["serial"])
    helper.wait_state("backoff")
    helper.restart()
    assert token(helper, "imap")["result"] == "try-later"
    assert token(helper, "smtp")["token"] == old.access_token
    assert helper.record()["rejected-service"] == "imap"


@pytest.mark.parametrize("named", [{}, {"server": "localhost"},
                                   {"service": "smtp"}])
def test_a_refusal_counts_for_what_it_names_alone(helper, idp, named):
    """Who names nothing takes the token from nobody who does."""
    old = helper.seed(age=10)
    helper.start()
    idp.fault("token", "http_error", times=None, status=500)
    answer = helper.ask("rejected", account=JO, challenge=CHALLENGE,
                        serial=token(helper, "smtp")["serial"], **named)
    assert answer == {"result": "ok"}
    helper.wait_state("backoff")
    for service in ("smtp", "imap"):
        assert token(helper, service)["token"] == old.access_token
    assert helper.ask("token", account=JO, **named)["result"] == "try-later"


def test_refusals_of_one_token_are_written_once(helper, idp):
    helper.seed(age=10)
    helper.start()
    idp.fault("token", "http_error", times=None, status=500)
    serial = token(helper, "imap")["serial"]
    written = set()
    for i in range(20):
        refuse(helper, serial, f"service{i}")
        written.add(os.stat(helper.path("state", "keyring", JO)).st_mtime_ns)
    assert len(written) == 1
    assert helper.record()["rejected-serial"] == serial


def test_a_grant_without_a_mail_scope_says_so(helper, idp):
    helper.seed(age=4000)
    idp.set(scope_answer="offline_access openid")
    helper.start()
    assert helper.token()["result"] == "ok"
    text = helper.status()["text"]
    assert "did not grant mail" in text
    assert f"mailtoken login {JO}" in text


def test_a_scope_that_changed_in_the_configuration_says_so(helper):
    helper.seed(age=10)
    helper.configure(scope=["mail.send", "offline_access"])
    helper.start()
    assert helper.token()["result"] == "ok"
    text = helper.status()["text"]
    assert "others now" in text and f"mailtoken login {JO}" in text


def test_temporary_without_end_is_shown_as_what_it_is(clocked, idp):
    clocked.seed(age=4000)
    clocked.start()
    idp.fault("token", "http_error", times=None, status=200,
              error="invalid_code")
    assert token(clocked, "smtp")["result"] == "try-later"
    assert "(since 20" in clocked.status()["text"]
    since = clocked.status()["text"].split("(since ")[1]
    watch = clocked.connect().send("watch")
    assert watch.next()["event"] == "watching"
    clocked.clock.both(24 * 3600)
    token(clocked, "smtp")
    told = watch.until(lambda a: a.get("state") == "config-error")
    watch.close()
    assert told["text"].endswith("(since " + since)
    assert "(since " + since == "(since " + clocked.wait_state(
        "config-error")["text"].split("(since ")[1]
    tries = idp.counts["token"]
    clocked.clock.both(901)                 # it is tried all the same
    wait_for(lambda: idp.counts["token"] > tries)
    idp.clear_faults()
    clocked.clock.both(901)
    assert clocked.wait_state("active")


def test_temporary_without_end_outlives_nightly_restarts(clocked, idp):
    clocked.seed(age=4000)
    clocked.start()
    idp.fault("token", "http_error", times=None, status=200,
              error="invalid_code")
    assert token(clocked, "smtp")["result"] == "try-later"
    assert "failing" not in clocked.record()    # not yet
    written = os.stat(clocked.path("state", "keyring", JO)).st_mtime_ns
    clocked.clock.both(3601)
    assert token(clocked, "smtp")["result"] == "try-later"
    since = clocked.record()["failing-since"]
    assert os.stat(clocked.path("state", "keyring", JO)).st_mtime_ns > written
    written = os.stat(clocked.path("state", "keyring", JO)).st_mtime_ns
    shown = clocked.status()["text"].split("(since ")[1]
    for hours in (1, 12, 24):
        clocked.restart()       # at the real time
        clocked.clock.both(hours * 3600)
        assert token(clocked, "smtp")["result"] == \
            ("config-error" if hours == 24 else "try-later")
        assert clocked.status()["text"].split("(since ")[1] == shown
    # Once for all of it.
    assert os.stat(clocked.path("state", "keyring", JO)).st_mtime_ns == written
    assert clocked.record()["failing-since"] == since
    idp.clear_faults()
    clocked.clock.both(901)
    assert clocked.wait_state("active")
    assert "failing" not in clocked.record()


def test_another_answer_begins_another_day(clocked, idp):
    clocked.seed(age=4000)
    clocked.start()
    for error in ("invalid_code", "temporarily_unavailable"):
        idp.clear_faults()
        idp.fault("token", "http_error", times=None, status=200, error=error)
        assert token(clocked, "smtp")["result"] == "try-later"
        clocked.clock.both(3601)
        assert token(clocked, "smtp")["result"] == "try-later"
        clocked.clock.both(20 * 3600)
    clocked.restart()
    clocked.clock.both(43 * 3600)
    assert token(clocked, "smtp")["result"] == "try-later"
