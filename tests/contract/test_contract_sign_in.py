# SPDX-License-Identifier: BSD-2-Clause
"""The one dialogue of mailtoken-protocol(7), and its undoing.

Held against the mailtokend of this build only: somebody has to play the
person who signs in.
"""

import pytest

from contract_wire import number

CAROL = "carol@example.org"


@pytest.fixture
def ours(helper):
    """The helper, where there is a provider to sign in at."""
    if helper.idp is None:
        pytest.skip("a helper of somebody else: nobody here can sign in")
    return helper


def forget(helper, account):
    return helper.ask(b"mailtoken=1\nverb=forget\naccount=%s\n\n"
                      % account.encode())


def test_a_code_is_shown_and_the_end_says_for_whom(ours):
    first, *_, last = ours.sign_in(CAROL)
    assert first["event"] == b"show-code"
    assert first["user-code"]
    assert first["verification-uri"].startswith(b"https://")
    assert number(first["expires-in"]) > 0
    assert last["event"] == b"done" and last["result"] == b"ok"
    assert last["account"] == CAROL.encode()
    assert last["provider"] == b"test"
    assert last["servers"] == b"localhost"
    assert ours.token(account=CAROL).result == "ok"


def test_another_user_is_asked_about(ours):
    said = ours.sign_in("shared@example.org", user=CAROL, answer=b"no")
    asked = [s for s in said if s.get("event") == b"ask"]
    assert len(asked) == 1
    assert asked[0]["question"] == b"other-user"
    assert CAROL.encode() in asked[0]["identity"]
    assert asked[0]["text"]
    assert said[-1]["result"] != b"ok"
    answer = ours.token(account="shared@example.org")
    assert answer.result == "unknown-account"


def test_yes_keeps_what_another_user_signed_in(ours):
    said = ours.sign_in("shared2@example.org", user=CAROL, answer=b"yes")
    assert said[-1]["result"] == b"ok"
    answer = ours.token(account="shared2@example.org")
    assert ours.owner(answer.get("token")) == CAROL


def test_a_delegate_is_not_asked_about(ours):
    said = ours.sign_in("shared3@example.org", user=CAROL,
                        more=b"as-delegate=yes\n")
    assert b"ask" not in [s.get("event") for s in said]
    assert said[-1]["result"] == b"ok"


def test_closing_cancels(ours):
    with ours.line() as line:
        line.send(b"mailtoken=1\nverb=sign-in\naccount=dan@example.org\n"
                  b"provider=test\nflow=device\n\n")
        code = dict(line.next())["user-code"].decode()
        # One sign-in an account: the second is told to wait.
        busy = ours.ask(b"mailtoken=1\nverb=sign-in\n"
                        b"account=dan@example.org\nprovider=test\n"
                        b"flow=device\n\n")
        assert busy.result == "busy"
    ours.idp.deny(code)
    assert ours.token(account="dan@example.org").result == "unknown-account"
    assert ours.sign_in("dan@example.org")[-1]["result"] == b"ok"


def test_a_provider_that_is_not_there_is_named(ours):
    answer = ours.ask(b"mailtoken=1\nverb=sign-in\n"
                      b"account=eve@example.org\nprovider=nobody\n\n")
    assert answer.result == "config-error"
    assert "nobody" in answer.get("text")


def test_a_forgotten_account_is_unknown(ours):
    ours.sign_in("frank@example.org")
    answer = forget(ours, "frank@example.org")
    assert answer.result == "ok"
    assert answer.get("deleted") == "yes"
    assert answer.get("revoked") in ("yes", "no", "unsupported")
    assert ours.token(account="frank@example.org").result == \
        "unknown-account"
    assert forget(ours, "frank@example.org").result == "unknown-account"


def test_a_watcher_is_told_of_what_comes_and_goes(ours):
    with ours.line() as line:
        line.send(b"mailtoken=1\nverb=watch\n\n")
        line.next()
        ours.sign_in("grace@example.org")
        came = dict(line.next())
        assert came["account"] == b"grace@example.org"
        assert came["state"] == b"active"
        forget(ours, "grace@example.org")
        gone = dict(line.next())
        assert gone["account"] == b"grace@example.org"
        assert gone["state"] == b"empty"
