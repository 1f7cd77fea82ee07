# SPDX-License-Identifier: BSD-2-Clause
"""Signing out: what the provider is told, and what is left."""

import os
import subprocess
import time

import paths
import pytest

from bed import DEADLINE_S, wait_for
from bed_helper import ROOT
from test_discovery import known_by_issuer
from test_helper_signin import ANN, JO, sign_in


@pytest.fixture
def bed(helper, idp):
    """A helper whose provider can be told, with one account."""
    helper.configure(revocation_endpoint=f"{idp.url}/revoke")
    helper.start()
    assert sign_in(helper)["result"] == "ok"
    return helper


def told(idp):
    """The forms that the revocation endpoint got."""
    return [r.form for r in idp.requests if r.endpoint == "revoke"]


def is_gone(bed, account=JO):
    """Whether nothing is left of an account."""
    return account not in os.listdir(bed.keyring) and \
        bed.token(account)["result"] == "unknown-account"


def logout(bed, *words):
    """Run the command; its status, answer and complaint."""
    done = subprocess.run(
        [str(paths.program("mailtoken")), "--socket", bed.socket, "logout",
         *words], capture_output=True, text=True, timeout=DEADLINE_S,
        check=False)
    return done.returncode, done.stdout, done.stderr


def test_refresh_token_is_revoked_first(bed, idp):
    record = bed.record()
    answer = bed.ask("forget", account=JO)
    assert answer["result"] == "ok"
    assert (answer["deleted"], answer["revoked"]) == ("yes", "yes")
    first, second = told(idp)
    assert first["token"] == record["refresh-token"]
    assert first["token_type_hint"] == "refresh_token"
    assert second["token"] == record["access-token"]
    assert second["token_type_hint"] == "access_token"
    assert idp.current_refresh(JO) is None
    assert is_gone(bed)


def test_no_revoke_tells_nobody(bed, idp):
    answer = bed.ask("forget", account=JO, revoke="no")
    assert (answer["deleted"], answer["revoked"]) == ("yes", "no")
    assert not told(idp)
    assert idp.current_refresh(JO) is not None
    assert is_gone(bed)


def test_provider_that_cannot_be_told_is_said(helper):
    helper.start()
    sign_in(helper)
    answer = helper.ask("forget", account=JO)
    assert (answer["deleted"], answer["revoked"]) == ("yes", "unsupported")
    assert "go to" in answer["text"]
    assert is_gone(helper)


@pytest.mark.parametrize("kind, details", [
    ("http_error", {"status": 503}),
    ("http_error", {"status": 400, "error": "unsupported_token_type"}),
    ("redirect", {"url": "https://localhost:1/x"}),
    ("close_before", {}),
])
def test_revocation_that_fails_is_said_and_deletes(bed, idp, kind, details):
    # A connection that was kept is tried once more by itself.
    idp.fault("revoke", kind, times=None, **details)
    answer = bed.ask("forget", account=JO)
    assert (answer["result"], answer["revoked"]) == ("ok", "no")
    assert answer["deleted"] == "yes"
    assert "has not ended the grant" in answer["text"]
    assert is_gone(bed)


def test_grant_that_was_ended_already_counts(bed, idp):
    idp.fault("revoke", "http_error", status=400, error="invalid_token")
    answer = bed.ask("forget", account=JO)
    assert (answer["deleted"], answer["revoked"]) == ("yes", "yes")


def test_keep_local_ends_the_grant_and_keeps_the_record(bed, idp):
    answer = bed.ask("forget", account=JO, keep_local="yes")
    assert (answer["deleted"], answer["revoked"]) == ("no", "yes")
    assert bed.status()["state"] == "login-needed"
    assert bed.token()["result"] == "login-needed"
    bed.restart()
    assert bed.token()["result"] == "login-needed"
    assert sign_in(bed)["result"] == "ok"
    assert bed.token()["result"] == "ok"
    assert idp.current_refresh(JO) == bed.record()["refresh-token"]


def test_keep_local_answers_who_waits_for_a_refresh(bed, idp):
    idp.forget_requests()
    idp.fault("token", "silent")
    waiter = bed.later(lambda: bed.ask("refresh", account=JO))
    idp.wait_request("token")
    assert bed.ask("forget", account=JO, keep_local="yes")["result"] == "ok"
    assert waiter()["result"] == "login-needed"


def test_keep_local_with_a_deaf_provider_changes_nothing(bed, idp):
    idp.fault("revoke", "http_error", status=503)
    answer = bed.ask("forget", account=JO, keep_local="yes")
    assert (answer["deleted"], answer["revoked"]) == ("no", "no")
    assert bed.token()["result"] == "ok"


def test_forget_that_is_hung_up_deletes_nothing(bed, idp):
    with idp.holding("revoke"):
        line = bed.connect().send("forget", account=JO)
        idp.wait_request("revoke")
        line.close()
        bed.wait_log("verb=forget")
        bed.wait_log("outcome=cancelled")
    assert bed.token()["result"] == "ok"


def test_record_that_cannot_be_read_is_deleted_and_that_is_said(bed):
    bed.write_record("ann@example.org", "mailtoken-entry=1\nno record\n\n")
    answer = bed.ask("forget", account="ann@example.org")
    assert (answer["deleted"], answer["revoked"]) == ("yes", "no")
    assert "cannot be read" in answer["text"] and "go to" in answer["text"]


@pytest.mark.skipif(not ROOT, reason="the folder is the helper's own")
def test_record_that_cannot_be_deleted_is_known_to_be_of_no_use(bed):
    os.chown(bed.keyring, 0, -1)
    os.chmod(bed.keyring, 0o755)
    answer = bed.ask("forget", account=JO)
    assert answer["result"] == "internal"
    assert "has ended the grant, but" in answer["text"]
    assert bed.status()["state"] == "login-needed"


@pytest.mark.slow
def test_slow_provider_is_not_waited_for_longer_than_clients_wait(bed, idp):
    idp.fault("revoke", "delay", seconds=16)
    idp.fault("revoke", "silent", times=None)
    with bed.connect() as line:
        line.sock.settimeout(35)
        answer = line.send("forget", account=JO).next()
    # The first request has ended the grant, the second hangs.
    assert (answer["deleted"], answer["revoked"]) == ("yes", "yes")
    assert "text" not in answer


def test_sign_in_meanwhile_is_not_deleted(bed, idp):
    before = int(bed.record()["signed-in"])
    wait_for(lambda: time.time() >= before + 1)
    with idp.holding("revoke"):
        waiting = bed.later(lambda: bed.ask("forget", account=JO))
        idp.wait_request("revoke")
        assert sign_in(bed)["result"] == "ok"
    answer = waiting()
    assert answer["deleted"] == "no"
    assert "meanwhile" in answer["text"]
    assert bed.token()["result"] == "ok"


def test_issuer_that_was_discovered_is_told(helper, idp):
    known_by_issuer(helper)
    helper.start()
    assert sign_in(helper)["result"] == "ok"
    helper.restart()
    idp.fault("discovery", "http_error", times=None, status=503)
    assert helper.ask("forget", account=JO)["revoked"] == "yes"


def test_logout_says_what_happened(bed):
    status, out, _ = logout(bed, JO)
    assert status == 0
    assert f"{JO} is signed out" in out
    assert "The provider has ended the grant." in out


def test_logout_all_needs_yes_without_a_terminal(bed):
    status, out, complaint = logout(bed, "--all")
    assert (status, out) == (2, "")
    assert "--yes" in complaint
    assert bed.token()["result"] == "ok"


def test_logout_all_signs_out_everybody(bed, idp):
    assert sign_in(bed, ANN)["result"] == "ok"
    idp.fault("revoke", "http_error", status=503)
    status, out, _ = logout(bed, "--all", "--yes")
    assert status == 0
    assert JO in out and ANN in out
    assert "has not ended the grant" in out
    assert is_gone(bed) and is_gone(bed, ANN)


def test_logout_keep_local_tells_success_by_its_status(bed, idp):
    idp.fault("revoke", "http_error", status=503)
    assert logout(bed, JO, "--keep-local")[0] == 1
    status, out, _ = logout(bed, JO, "--keep-local")
    assert status == 0 and f"{JO} is kept here." in out


@pytest.mark.parametrize("words", [
    (), (JO, "--all"), (JO, "--yes"),
    (JO, "--no-revoke", "--keep-local")])
def test_logout_refuses_what_makes_no_sense(bed, words):
    assert logout(bed, *words)[0] == 2
    assert bed.token()["result"] == "ok"
