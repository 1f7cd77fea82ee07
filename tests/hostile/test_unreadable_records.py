# SPDX-License-Identifier: BSD-2-Clause
"""A disk that cannot be read says nothing about an account: come later."""

import os

import pytest

from bed import wait_for
from test_a_full_disk import disk    # noqa: F401
from test_cut_off_anywhere import Tracer

JO = "jo@example.org"


def later(answer):
    """Come back, and why; the account may well be there."""
    assert answer["result"] == "try-later", answer
    assert int(answer["retry-after"]) >= 1
    assert "cannot be read" in answer["text"]
    assert JO in answer["text"]


@pytest.mark.parametrize("call, error", [
    ("openat", "EIO"), ("openat", "EMFILE"), ("openat", "ENOMEM"),
    ("fstat,newfstatat", "EIO"), ("read", "EIO"), ("openat", "ESTALE")])
@pytest.mark.parametrize("known", ["known", "new"])
def test_a_record_that_cannot_be_read_is_no_unknown_account(
        root, helper, idp, call, error, known):
    if known == "known":
        helper.seed()
    helper.start()
    helper.seed()
    # As it is opened, and as the descriptor has it.
    paths = (JO, os.path.join(helper.keyring, JO))
    with Tracer(helper, f"{call}:error={error}", paths):
        later(helper.token())
        later(helper.ask("refresh", account=JO))
        later(helper.ask("export", account=JO))
        later(helper.ask("forget", account=JO, revoke="yes"))
        status = helper.status()
        assert status["state"] == "backoff"
        assert "cannot be read" in status["text"]
    assert helper.token()["result"] == "ok"
    assert helper.status()["state"] == "active"
    assert helper.record()["account"] == JO


def test_what_cannot_be_read_at_the_start_comes_later(root, helper):
    helper.seed(age=4000)
    helper.start(before=(
        "strace", "-f", "-qq", "-o", "/dev/null", "-P",
        os.path.join(helper.keyring, JO), "-e", "trace=read", "-e",
        "inject=read:error=EIO:when=1"))
    # It was read again when the tests asked.
    assert helper.token()["result"] == "ok"
    assert helper.record()["refresh-token"] == \
        helper.idp.current_refresh(JO)


def test_no_room_for_a_lock_is_no_broken_configuration(disk, helper):
    helper.seed()
    full = disk("size=8m,nr_inodes=16")
    full.fill()
    helper.start(before=full.enter)
    for verb in ("token", "status", "refresh"):
        answer = helper.ask(verb, account=JO, server="localhost")
        assert answer["result"] == "try-later", answer
        assert "No space left on device" in answer["text"]
        assert int(answer["retry-after"]) >= 1
    assert helper.process.poll() is None
    full.make_room()
    wait_for(lambda: helper.token()["result"] == "ok")
    assert helper.status()["state"] == "active"
    assert os.path.exists(os.path.join(helper.keyring, ".lock"))


def test_a_newer_record_is_refused_by_name_and_kept(helper):
    """As after a downgrade: nothing is lost, and others are served."""
    ann = helper.seed("ann@example.org", age=10)
    helper.seed(age=10)
    path = os.path.join(helper.keyring, JO)
    with open(path, encoding="utf-8") as file:
        newer = "mailtoken-entry=2\nkind=new\n" + file.read().partition(
            "\n")[2]
    helper.write_record(JO, newer)
    helper.start()
    for verb in ("token", "refresh", "export"):
        answer = helper.ask(verb, account=JO, server="localhost")
        assert answer["result"] == "config-error", answer
        assert answer["text"].startswith(
            f"written by a newer mailtoken: {path}: upgrade "), answer
    status = helper.status()
    assert (status["state"], status["account"]) == ("config-error", JO)
    assert helper.token("ann@example.org")["token"] == ann.access_token
    assert helper.stop() == 0
    with open(path, encoding="utf-8") as file:
        assert file.read() == newer
