# SPDX-License-Identifier: BSD-2-Clause
"""Many exchanges at once share the helper's turns with who only wants what
is there.

strace(1) counts; without it these tests are skipped.
"""

import os
import re
import shutil
from pathlib import Path

import pytest

from bed import DEADLINE_S

DAY = 86400
DUE = 96


@pytest.fixture
def renewed(root, helper, idp, tmp_path):
    """What the helper calls while it renews many accounts at once."""
    if shutil.which("strace") is None:
        pytest.skip("no strace here")
    for i in range(DUE):
        helper.seed(f"a{i}@example.org", age=8 * DAY)
    trace = tmp_path / "trace"
    helper.start(before=("strace", "-qq", "-e", "trace=connect,openat,"
                         "epoll_wait,epoll_pwait", "-o", str(trace)))
    with idp.holding("token"):
        due = helper.connect().send("refresh", due="yes")
        idp.wait_request("token", 32)
    answers = due.rest()
    assert [a["outcome"] for a in answers[:-1]] == ["ok"] * DUE
    tracer = helper.process
    child = Path(f"/proc/{tracer.pid}/task/{tracer.pid}/children")
    os.kill(int(child.read_text().split()[0]), 15)
    tracer.wait(DEADLINE_S)
    return trace.read_text()


def test_authorities_are_not_read_for_each_exchange(renewed, helper):
    file = re.escape(helper.path("ca.pem"))
    assert 1 <= len(re.findall(f'openat\\(.*"{file}"', renewed)) < DUE / 4


def test_no_turn_begins_all_exchanges_that_may_run(renewed):
    turns = re.split(r"^epoll_p?wait\(", renewed, flags=re.M)
    most = max(turn.count("connect(") for turn in turns)
    # A slice of the walk makes twenty; all of them at once were too many.
    assert 1 <= most <= 24
