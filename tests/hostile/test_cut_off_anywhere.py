# SPDX-License-Identifier: BSD-2-Clause
"""Killed or failed at any system call of a save, a record is old or new.

strace(1) ends the helper at the n-th call of a name, or lets that call
fail; without it these tests are skipped.
"""

import base64
import json
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

    def __init__(self, bed, inject):
        if shutil.which("strace") is None:
            pytest.skip("no strace here")
        pid = bed.process.pid
        self.process = subprocess.Popen(
            ["strace", "-f", "-qq", "-o", "/dev/null", "-e",
             f"trace={inject.split(':')[0]}", "-e", f"inject={inject}",
             "-p", str(pid)],
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
        if record["refresh-token"] == newest:
            assert helper.token(account)["result"] == "ok", (call, account)
        else:
            lost.add(call)
            assert helper.token(account)["result"] == "login-needed"
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


def test_an_imported_account_is_there_or_not(root, helper, idp):
    seeded, there, absent = {}, 0, 0

    def prepare(account):
        seeded[account] = idp.seed(account, scope=SCOPE).refresh_token

    def bring_in(account):
        text = json.dumps({"refresh_token": seeded[account],
                           "client_id": "mail-app",
                           "token_endpoint": f"{idp.url}/token"})
        return helper.ask("import", account=account, format="sasl-xoauth2",
                          data=base64.b64encode(text.encode()).decode())

    helper.start()
    for call, account, answer in killed_steps(helper, RENEWAL, prepare,
                                              bring_in):
        record = record_or_none(helper, account)
        if record is None:
            absent += 1
            assert answer is None
        else:
            there += 1
            assert record["refresh-token"] == seeded[account], call
            assert helper.token(account)["result"] == "ok", (call, account)
    assert there and absent


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
