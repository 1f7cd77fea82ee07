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
    helper.start(before=("strace", "-qq", "-o", str(trace)))
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


def turns(trace):
    """What stands between two looks at what is ready."""
    return re.split(r"^epoll_p?wait\(.*\n", trace, flags=re.M)[1:]


def test_authorities_are_not_read_for_each_exchange(renewed, helper):
    file = re.escape(helper.path("ca.pem"))
    assert 1 <= len(re.findall(f'openat\\(.*"{file}"', renewed)) < DUE / 4


def test_renewals_begin_one_after_the_other(renewed):
    # Room for its next record is made when an exchange begins.
    begun = [len(re.findall(r'^openat\(\d+, "\.tmp-', turn, re.M))
             for turn in turns(renewed)]
    assert sum(begun) >= DUE
    assert max(begun) == 1


def test_answers_that_come_at_once_are_saved_in_a_turn_each(renewed):
    saved = [turn.count("renameat(") for turn in turns(renewed)]
    assert sum(saved) >= DUE
    assert max(saved) == 1


def test_no_turn_is_for_nothing(renewed):
    idle = [turn for turn in turns(renewed) if not turn.strip()]
    # Now and then a timer of no concern, or a wake-up too early.
    assert len(idle) <= DUE
