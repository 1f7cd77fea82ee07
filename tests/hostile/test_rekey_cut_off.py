# SPDX-License-Identifier: BSD-2-Clause
"""Killed or failed at any system call while records are sealed, each is
plain or sealed, and to go on is enough."""

import os
import shutil

import pytest

from test_cut_off_anywhere import (RENEWAL, SAVE, failing_steps,
                                   killed_steps)
from test_planted_files import with_key


@pytest.fixture
def keyed(root, helper):
    """A helper whose keyring has a key, and into which plain records come."""
    with_key(helper)
    return helper.start()


def is_plain(bed, account, old):
    """Whether the record is as it was; else it must be sealed whole."""
    record = bed.record(account)
    if "sealed" in record:
        assert "refresh-token" not in record
        return False
    assert record["refresh-token"] == old.refresh_token
    return True


def rekeyed(bed, account, old):
    """Run again it ends, and the grant is what it was."""
    assert bed.ask("rekey", account=account)["result"] == "ok", account
    assert not is_plain(bed, account, old)
    assert bed.token(account)["token"] == old.access_token
    assert bed.ask("refresh", account=account)["result"] == "ok"


def test_rekey_that_is_cut_off_anywhere_ends_when_run_again(keyed):
    old, plain, sealed = {}, 0, 0

    def prepare(account):
        old[account] = keyed.seed(account)

    for call, account, answer in killed_steps(
            keyed, RENEWAL, prepare, lambda a: keyed.ask("rekey", account=a)):
        if is_plain(keyed, account, old[account]):
            plain += 1
            assert answer is None, (call, account)
        else:
            sealed += 1
        rekeyed(keyed, account, old[account])
    assert plain and sealed


# Two records are saved, and before and behind them what says so.
@pytest.mark.parametrize("call,times", [("pwrite64", 4), ("renameat", 4),
                                        ("fsync", 8)])
def test_sealing_at_a_start_that_is_cut_off_goes_on(root, helper, call,
                                                    times):
    if shutil.which("strace") is None:
        pytest.skip("no strace here")
    accounts = ("jo@example.org", "ann@example.org")
    with_key(helper)
    for n in range(1, times + 1):
        for name in os.listdir(helper.keyring):
            os.unlink(os.path.join(helper.keyring, name))
        old = {account: helper.seed(account) for account in accounts}
        helper.launch(before=(
            "strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}",
            "-e", f"inject={call}:signal=KILL:when={n}"))
        assert helper.wait() != 0
        for account in accounts:
            is_plain(helper, account, old[account])
        helper.start()
        for account in accounts:
            assert not is_plain(helper, account, old[account]), n
            assert helper.token(account)["token"] == \
                old[account].access_token
        helper.stop()


@pytest.mark.parametrize("error", ["ENOSPC", "EIO", "EROFS"])
def test_rekey_that_cannot_write_says_so_and_ends_when_run_again(keyed,
                                                                 error):
    old, failed = {}, 0

    def prepare(account):
        old[account] = keyed.seed(account)

    for call, account, answer in failing_steps(
            keyed, SAVE, error, prepare,
            lambda a: keyed.ask("rekey", account=a)):
        if answer["result"] != "ok":
            failed += 1
            assert answer["text"], (call, account)
        else:
            assert not is_plain(keyed, account, old[account])
        rekeyed(keyed, account, old[account])
    assert failed >= 6
