# SPDX-License-Identifier: BSD-2-Clause
"""Without random bytes nothing is spent, nothing is lost, nobody aborts.

strace(1) lets getrandom(2) fail from its n-th call on; without it these
tests are skipped.
"""

import os
import signal
from pathlib import Path

import pytest

from bed import write_file
from test_cut_off_anywhere import Tracer, is_alive

STEPS_MAX = 20


def failing_from(bed, account, first):
    """What is answered while getrandom fails from its n-th call on."""
    old = bed.seed(account, age=4000).refresh_token
    if "keyring_key" in Path(bed.config).read_text():
        assert bed.ask("rekey", account=account)["result"] == "ok"
    with Tracer(bed, f"getrandom:error=EIO:when={first}+"):
        answer = bed.token(account)
        assert is_alive(bed), bed.log()
    assert answer["result"] in ("ok", "try-later"), answer
    if answer["result"] == "try-later":
        assert bed.idp.current_refresh(account) == old, "spent for nobody"
        assert "random" in answer["text"]
    return answer["result"] == "ok"


def seal(bed):
    """Records are sealed from the next start on."""
    key = bed.path("key")
    write_file(key, "5" * 64, 0o600)
    os.chown(key, bed.user.pw_uid, -1)
    bed.configure(f"keyring_key {key}")


@pytest.mark.parametrize("sealed", [False, True])
def test_a_renewal_outlives_the_end_of_randomness(root, helper, idp, sealed):
    if sealed:
        seal(helper)
    helper.start()
    for first in range(1, STEPS_MAX):
        account = f"at{first}@example.org"
        served = failing_from(helper, account, first)
        # What the disk has is the newest, and good.
        helper.signal(signal.SIGKILL)
        helper.wait()
        helper.start()
        assert helper.ask("refresh", account=account)["result"] == "ok"
        if served:
            break
    else:
        raise AssertionError("no end of getrandom")
    assert first > 2, "the name of the file and that of the token"
    assert idp.counts["refresh_reuse"] == 0


def test_no_nonce_is_used_twice(root, helper, idp):
    seal(helper)
    helper.start()
    nonces = set()
    for n in range(2):
        account = f"{n}@example.org"
        helper.seed(account, age=4000)
        # Without room that was made before.
        assert helper.ask("rekey", account=account)["result"] == "ok"
        nonces.add(helper.record(account)["nonce"])
        assert helper.token(account)["result"] == "ok"
        nonces.add(helper.record(account)["nonce"])
        idp.revoke(account)
        assert helper.ask("refresh", account=account)["result"] == \
            "login-needed"
        nonces.add(helper.record(account)["nonce"])
    assert len(nonces) == 6
