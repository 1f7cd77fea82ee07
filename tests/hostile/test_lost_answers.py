# SPDX-License-Identifier: BSD-2-Clause
"""A refresh token whose answer was lost may be spent: it is not sent again
before the back-off, whoever asks."""

import os
import signal
import time

import pytest

from bed import wait_for, write_file

JO = "jo@example.org"


def edit(helper):
    """Another configuration file, which is in force by then."""
    helper.configure("renew_idle 6d")
    wait_for(lambda: helper.ask("version")["result"] == "ok" and
             "changed=renew_idle" in helper.log(), what="the edited file")


def elsewhere_and_back(helper):
    """A grant that belongs to another client for a moment."""
    helper.configure(client_id="other-app")
    helper.ask("reload")
    helper.configure()
    helper.ask("reload")


def unreadable(helper):
    """A record that cannot be used for a moment."""
    path = os.path.join(helper.keyring, JO)
    helper.stop()
    os.chmod(path, 0o644)
    helper.start()
    assert helper.token()["result"] == "config-error"
    os.chmod(path, 0o600)


def killed(helper):
    """No orderly end."""
    helper.signal(signal.SIGKILL)
    helper.wait()
    helper.start()


WAYS = {
    "reload": lambda helper: helper.ask("reload"),
    "SIGHUP": lambda helper: helper.signal(signal.SIGHUP),
    "an edited file": edit,
    "another client": elsewhere_and_back,
    "refresh": lambda helper: None,
    "a record that was unreadable": unreadable,
    "a restart": lambda helper: helper.restart(),
    "a kill": killed,
}


def ask_both(helper):
    """A mail program and an admin: both are told to come later."""
    for ask in (helper.token,
                lambda: helper.ask("refresh", account=JO)):
        answer = ask()
        assert answer["result"] == "try-later", answer
        # A record keeps whole seconds, rounded up.
        assert 1 <= int(answer["retry-after"]) <= 6
        assert "not sent again before" in answer["text"]
    status = helper.status()
    assert status["state"] == "backoff"
    assert int(status["next-try"]) >= time.time() - 1


@pytest.mark.parametrize("way", WAYS)
def test_a_token_whose_answer_was_lost_is_not_sent_at_once(helper, idp, way):
    helper.seed(age=4000)
    helper.start()
    idp.fault("token", "close_before")
    began = time.monotonic()
    assert helper.token()["result"] == "try-later"
    WAYS[way](helper)
    if time.monotonic() - began < 3:
        ask_both(helper)
        assert helper.refreshes() == 1
    # The back-off is 4 to 5 seconds.
    wait_for(lambda: helper.token()["result"] == "ok")
    assert time.monotonic() - began > 3
    assert helper.refreshes() == 2
    assert "not-before" not in helper.record()


@pytest.mark.parametrize("kind, more", [
    ("reset_half", {}), ("cut_half", {}), ("lost_answer", {}), ("html", {}),
    ("http_error", {"status": 504}), ("http_error", {"status": 502})])
def test_what_answers_are_lost(helper, idp, kind, more):
    helper.seed(age=4000)
    helper.start()
    idp.fault("token", kind, **more)
    assert helper.token()["result"] == "try-later"
    helper.ask("reload")
    ask_both(helper)
    assert helper.refreshes() == 1


@pytest.mark.parametrize("kind, more", [
    ("http_error", {"status": 503}), ("http_error", {"status": 429}),
    ("http_error", {"status": 500, "error": "server_error"})])
def test_a_reload_still_ends_other_waits(helper, idp, kind, more):
    helper.seed(age=4000)
    helper.start()
    idp.fault("token", kind, **more)
    assert helper.token()["result"] == "try-later"
    assert helper.ask("refresh", account=JO)["result"] == "ok"


@pytest.mark.parametrize("way", ["none", "untrusted"])
def test_a_provider_that_was_not_reached_may_be_asked_at_once(helper, idp,
                                                              way):
    helper.seed(age=4000)
    helper.start()
    idp.stop()
    if way != "none":
        idp.start(way, idp.port)
    assert helper.token()["result"] == "try-later"
    idp.stop()
    idp.start("good", idp.port)
    answer = helper.ask("refresh", account=JO)
    assert answer["result"] == "ok", answer


def test_an_answer_that_the_stop_did_not_wait_for_is_lost(helper, idp):
    helper.seed(age=4000)
    helper.start()
    with idp.holding("token"):
        helper.later(helper.token)
        wait_for(lambda: helper.refreshes() == 1)
        assert helper.stop() == 0
        helper.start()
        ask_both(helper)
        assert helper.refreshes() == 1


@pytest.mark.parametrize("sealed", [False, True])
def test_an_answer_that_a_kill_did_not_wait_for_is_lost(helper, idp, sealed):
    if sealed:
        key = helper.path("key")
        write_file(key, "0f" * 32, 0o600)
        os.chown(key, helper.user.pw_uid, -1)
        helper.configure(f"keyring_key {key}")
    idp.set(reuse_detection=False)      # nor could it be held against it
    helper.seed(age=4000)
    helper.start()
    with idp.holding("token"):
        helper.later(helper.token)
        wait_for(lambda: helper.refreshes() == 1)
        killed(helper)
        ask_both(helper)
        assert "was killed before" in helper.status()["text"]
        assert helper.refreshes() == 1
    wait_for(lambda: helper.token()["result"] == "ok")
    assert helper.refreshes() == 2
    assert not [name for name in os.listdir(helper.keyring)
                if name.startswith(".tmp-")]
    killed(helper)          # nothing is awaited
    assert helper.token()["result"] == "ok"
    assert helper.status()["state"] == "active"


def test_a_new_sign_in_waits_for_nothing(helper, idp):
    helper.seed(age=4000)
    helper.start()
    idp.fault("token", "close_before")
    assert helper.token()["result"] == "try-later"
    with helper.connect() as line:
        line.send("sign-in", account=JO, provider="test", flow="device")
        code = line.until(lambda a: "user-code" in a)["user-code"]
        idp.approve(code, JO)
        line.until(lambda a: a.get("event") == "done")
    assert helper.token()["result"] == "ok"
    assert helper.ask("refresh", account=JO)["result"] == "ok"
