# SPDX-License-Identifier: BSD-2-Clause
"""Killed or failed at any system call of a save, a record is old or new.

strace(1) ends the helper at the n-th call of a name, or lets that call
fail; without it these tests are skipped.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from bed import DEADLINE_S, wait_for
from bed_helper import SCOPE

RENEWAL = ("openat", "fchmod", "fallocate", "pwrite64", "ftruncate", "fsync",
           "renameat", "unlinkat", "write", "sendto", "sendmsg")
STEPS_MAX = 60
LOST = "was killed before the provider answered"


def is_traced(pid):
    """Whether every thread of it is."""
    try:
        return all("TracerPid:\t0\n" not in Path(task, "status").read_text()
                   for task in Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return False    # it ended meanwhile, and so does strace


def is_alive(bed):
    """Whether the helper answers."""
    return ask_or_none(lambda: bed.ask("version")) is not None


class Tracer:
    """strace at a helper that runs."""

    def __init__(self, bed, inject, paths=()):
        if shutil.which("strace") is None:
            pytest.skip("no strace here")
        pid = bed.process.pid
        self.seen = bed.path("strace")
        self.process = subprocess.Popen(
            ["strace", "-f", "-qq", "-o", self.seen, "-e",
             f"trace={inject.split(':')[0]}", "-e", f"inject={inject}",
             "-p", str(pid), *(w for path in paths for w in ("-P", path))],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        wait_for(lambda: self.process.poll() is not None or is_traced(pid),
                 what="strace at the helper")
        # What the helper was still doing may have been its end already.
        if self.process.poll() is not None and is_alive(bed):
            pytest.skip("strace: " + self.process.stderr.read())

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self.process.terminate()
        self.process.wait(DEADLINE_S)
        self.process.stderr.close()

    def has_hit(self):
        """Whether a call was let fail; when it is over."""
        return "(INJECTED)" in Path(self.seen).read_text()


def ask_or_none(act):
    """The answer; None where the helper ended before it."""
    try:
        return act()
    except (AssertionError, OSError):
        return None


def killed_steps(bed, calls, prepare, act):
    """Kill at each call of act(account); yields (call, account, answer)."""
    for call in calls:
        for n in range(1, STEPS_MAX):
            account = f"{call}{n}@example.org"
            prepare(account)
            with Tracer(bed, f"{call}:signal=KILL:when={n}"):
                answer = ask_or_none(lambda a=account: act(a))
                dead = answer is None
                if dead:
                    bed.wait()
            if not dead and not is_alive(bed):
                dead = True
                bed.wait()
            if not dead:
                break
            left = {name for name in os.listdir(bed.keyring)
                    if name.startswith(".tmp-")}
            bed.start()
            # A renewal that the start began may have one of its own.
            assert not left & set(os.listdir(bed.keyring))
            yield call, account, answer
        else:
            raise AssertionError(f"no end of {call}")


def failing_steps(bed, calls, error, prepare, act):
    """Let each call of act(account) fail; yields (call, account, answer)."""
    for call in calls:
        for n in range(1, STEPS_MAX):
            account = f"{call}{n}@example.org"
            prepare(account)
            with Tracer(bed, f"{call}:error={error}:when={n}") as tracer:
                answer = act(account)
            if not tracer.has_hit():
                break
            yield call, account, answer
        else:
            raise AssertionError(f"no end of {call}")


def test_a_renewal_may_be_cut_off_anywhere(root, helper, idp):
    old, lost, steps = {}, set(), 0

    def prepare(account):
        old[account] = helper.seed(account, age=4000).refresh_token

    helper.start()
    for call, account, answer in killed_steps(helper, RENEWAL, prepare,
                                              helper.token):
        steps += 1
        record = helper.record(account)
        newest = idp.current_refresh(account)
        assert record["refresh-token"] in (old[account], newest)
        if answer is not None:
            assert record["access-token"] == answer["token"]
        told = helper.token(account)
        expected = "ok"
        if record["refresh-token"] != newest:
            lost.add(call)
            expected = "login-needed"
        assert LOST in told.get("text", "") or \
            told["result"] == expected, (call, account)
    assert steps >= 10
    # After the provider's answer and before the rename, nowhere else.
    assert {"pwrite64", "ftruncate", "renameat"} <= lost
    assert not lost & {"openat", "fchmod", "fallocate"}


def record_or_none(bed, account):
    """What the disk has: a whole record or none."""
    try:
        return bed.record(account)
    except FileNotFoundError:
        return None


def test_a_forgotten_account_is_there_or_gone(root, helper):
    helper.start()
    kept, gone = 0, 0
    for call, account, answer in killed_steps(
            helper, RENEWAL, helper.seed,
            lambda a: helper.ask("forget", account=a)):
        record = record_or_none(helper, account)
        result = helper.token(account)["result"]
        if record is None:
            gone += 1
            assert result == "unknown-account", (call, account)
        else:
            kept += 1
            assert answer is None
            assert result == "ok", (call, account)
    assert kept and gone


class Import:
    """A grant of another helper takes the place of what is there."""

    def __init__(self, bed):
        self.bed = bed
        self.brought = {}

    def prepare(self, account):
        """Before the helper is traced."""
        path = Path(self.bed.keyring, account)
        old = path.read_bytes() if path.exists() else None
        self.bed.seed(account)
        self.brought[account] = dict(
            line.split("=", 1) for line in path.read_text().splitlines()[1:-1])
        if old is None:
            path.unlink()
        else:
            path.write_bytes(old)

    def act(self, account):
        """What is traced; what the answer says."""
        with self.bed.connect() as line:
            said = line.send(
                "import", replace="yes",
                **self.brought[account]).rest()
        assert said
        return {**said[0], **said[-1]}


class DeviceSignIn:
    """A whole sign-in with a code."""

    def __init__(self, bed):
        self.bed = bed

    def prepare(self, account):
        """There is nothing to prepare."""

    def act(self, account):
        """What is traced; what the answer says."""
        with self.bed.connect() as line:
            shown = line.send("sign-in", account=account).next()
            if shown and "user-code" in shown:
                self.bed.idp.approve(shown["user-code"], account)
                shown = line.until(lambda a: a.get("event") == "done")
            assert shown is not None
            return shown


class BrowserSignIn:
    """A sign-in whose code is there and has to be redeemed."""

    def __init__(self, bed):
        self.bed = bed
        self.line = self.back = None
        bed.configure(
            authorization_endpoint=f"{bed.idp.url}/authorize",
            flow="browser")

    def prepare(self, account):
        """Up to the address where the browser ends."""
        if self.line is not None:
            self.line.close()
        self.line = self.bed.connect().send("sign-in", account=account,
                                             flow="browser")
        self.bed.idp.set(browser_user=account)
        self.back = self.bed.idp.browse(self.line.next()["url"])
        assert self.line.next()["question"] == "paste-url"

    def act(self, _account):
        """What is traced; what the answer says."""
        self.line.send(answer=self.back)
        return self.line.until(lambda a: a.get("event") == "done")


def test_an_imported_account_is_there_or_not(root, helper):
    way, there, absent = Import(helper), 0, 0
    helper.start()
    for call, account, answer in killed_steps(helper, RENEWAL, way.prepare,
                                              way.act):
        record = record_or_none(helper, account)
        if record is None:
            absent += 1
            assert answer is None
        else:
            there += 1
            assert record["refresh-token"] in \
                way.brought[account].values(), call
            assert helper.token(account)["result"] == "ok", (call, account)
    assert there and absent


def is_old(bed, account, old):
    """Whether the record is the old one; else it must be the new one."""
    record = bed.record(account)
    if record["refresh-token"] == old.refresh_token:
        assert record["access-token"] == old.access_token
        return True
    assert record["refresh-token"] == bed.idp.current_refresh(account)
    assert record.get("access-token") != old.access_token
    return False


@pytest.mark.parametrize("kind,calls", [
    (Import, RENEWAL), (BrowserSignIn, RENEWAL),
    # A second each: it polls.
    (DeviceSignIn, ("openat", "pwrite64", "fsync", "renameat", "sendto"))])
def test_a_new_grant_or_the_old_one_survives_any_end(root, helper, kind,
                                                     calls):
    way, old, kept, new = kind(helper), {}, 0, 0

    def prepare(account):
        old[account] = helper.seed(account)
        way.prepare(account)

    helper.start()
    for call, account, answer in killed_steps(helper, calls, prepare,
                                              way.act):
        if is_old(helper, account, old[account]):
            kept += 1
            assert answer is None, (call, account)
        else:
            new += 1
        assert helper.ask("refresh", account=account)["result"] == "ok", \
            (call, account)
    assert kept and new
    assert helper.idp.counts["refresh_reuse"] == 0


SAVE = ("openat", "newfstatat", "fchmod", "fallocate", "pwrite64",
        "ftruncate", "fsync", "renameat")


@pytest.mark.parametrize("error", ["ENOSPC", "EIO", "EROFS"])
@pytest.mark.parametrize("kind", [Import, BrowserSignIn])
def test_a_new_grant_that_cannot_be_stored_is_told(root, helper, kind, error):
    way, old, taken = kind(helper), {}, []

    def prepare(account):
        old[account] = helper.seed(account)
        way.prepare(account)

    helper.start()
    for call, account, answer in failing_steps(helper, SAVE, error, prepare,
                                               way.act):
        stayed = is_old(helper, account, old[account])
        if answer["result"] != "ok":
            assert stayed and answer["text"], (call, account)
            continue
        taken.append(account)
        assert not stayed or "memory" in answer["warning"], (call, account)
    assert len(taken) >= 8
    for account in taken:
        wait_for(lambda a=account: helper.status(a)["unsaved"] == "no",
                 what=f"{account} on disk")
        assert not is_old(helper, account, old[account])
        assert helper.ask("refresh", account=account)["result"] == "ok"


@pytest.mark.parametrize("error", ["ENOSPC", "EIO", "EROFS"])
def test_a_renewal_outlives_any_call_that_fails(root, helper, idp, error):
    helper.start()
    for call, first in (("openat", 4), ("fallocate", 1), ("pwrite64", 1),
                        ("ftruncate", 1), ("fsync", 1), ("renameat", 1)):
        account = f"{call}@example.org"
        old = helper.seed(account, age=4000).refresh_token
        with Tracer(helper, f"{call}:error={error}:when={first}+"):
            answer = helper.token(account)
            assert answer["result"] in ("ok", "try-later"), (call, answer)
            if call == "fallocate":
                assert answer["result"] == "try-later", "no room was kept"
            if answer["result"] == "try-later":
                assert idp.current_refresh(account) == old, "spent for nobody"
            assert helper.record(account)["refresh-token"] in (
                old, idp.current_refresh(account))
        wait_for(lambda a=account: helper.token(a)["result"] == "ok" and
                 helper.record(a)["refresh-token"] == idp.current_refresh(a),
                 what=f"the newest token on disk after {call}")
    assert idp.counts["refresh_reuse"] == 0


@pytest.mark.parametrize("error", ["ENOSPC", "EIO", "EROFS"])
def test_a_renewal_outlives_each_call_that_fails(root, helper, idp, error):
    """Once, and not until it is mended as above."""
    old, spent = {}, 0

    def prepare(account):
        old[account] = helper.seed(account, age=4000).refresh_token

    helper.start()
    for call, account, answer in failing_steps(helper, SAVE, error, prepare,
                                               helper.token):
        newest = idp.current_refresh(account)
        assert helper.record(account)["refresh-token"] in (
            old[account], newest), (call, account)
        if answer["result"] == "ok":
            spent += 1
            assert newest != old[account], (call, account)
        else:
            assert answer["result"] == "try-later", (call, account, answer)
            assert newest == old[account], "spent for nobody"
            wait_for(lambda a=account: helper.ask(
                "refresh", account=a)["result"] == "ok")
        wait_for(lambda a=account: helper.status(a)["unsaved"] == "no",
                 what=f"{account} on disk after {call}")
        assert helper.record(account)["refresh-token"] == \
            idp.current_refresh(account)
    assert spent >= 5
    assert idp.counts["refresh_reuse"] == 0
