# SPDX-License-Identifier: BSD-2-Clause
"""Nobody who is not let in learns from the helper's work whether a name has
a record: it does the same for both, to the system call, and takes as long.

strace(1) counts; without it those tests are skipped.
"""

import os
import random
import re
import shutil
import socket
from collections import Counter
from pathlib import Path

import pytest

from bed import DEADLINE_S, wait_for
from helper_line import Line, as_other

STRANGER = 4900
JO = "jo@example.org"
NOBODY = "no@example.org"
# How often the loop turns and looks at its listener is the machine's doing.
OF_THE_LOOP = {"epoll_wait", "epoll_pwait", "accept", "accept4",
               "restart_syscall"}


class Trace:
    """A helper below strace."""

    def __init__(self, bed, path):
        if shutil.which("strace") is None:
            pytest.skip("no strace here")
        self.path = path
        self.bed = bed
        bed.seed(JO)
        bed.start(before=("strace", "-f", "-qq", "-s", "256",
                          "-o", str(path)))

    def stop(self):
        """The tracer is ours; what it traces ends by its own signal."""
        tracer = self.bed.process
        child = Path(f"/proc/{tracer.pid}/task/{tracer.pid}/children")
        os.kill(int(child.read_text().split()[0]), 15)
        tracer.wait(DEADLINE_S)

    def calls(self, verb, account):
        """What a stranger's request makes the helper call, from its first
        byte to the next connection."""
        mark = f"verb={verb}\\naccount={account}\\n"
        seen = self.path.read_text().count(mark)
        more = {} if verb == "status" else {"server": "localhost"}
        if verb == "rejected":
            more.update(serial="0123456789abcdef")
        answer = self.bed.ask(verb, STRANGER, account=account, **more)
        assert answer["result"] == "unknown-account", answer
        # The log's line comes after the answer: a second request waits.
        assert self.bed.ask("version", STRANGER)["result"] == "ok"
        text = wait_for(lambda: self.whole(mark, seen), what="the trace")
        return Counter(re.findall(r"^\d+ +(\w+)\(", text, re.M))

    def whole(self, mark, seen):
        """That request's part of the trace, once the next has begun."""
        parts = self.path.read_text().split(mark)
        if len(parts) != seen + 2:
            return None
        part, found, _ = parts[-1].partition("verb=version\\n")
        if not found:
            return None
        lines = part.splitlines()[1:]
        first = next((i for i, line in enumerate(lines)
                      if re.search(r"accept4?\(.* = \d+$", line)), None)
        return None if first is None else "\n".join(
            line for line in lines[:first]
            if line.split("(")[0].split()[-1] not in OF_THE_LOOP)


@pytest.fixture
def traced(root, helper, tmp_path):
    """A helper that has one record, at rest."""
    trace = Trace(helper, tmp_path / "trace")
    yield trace
    trace.stop()


@pytest.mark.parametrize("verb", ["token", "status", "rejected"])
@pytest.mark.parametrize("loaded", [False, True], ids=["at-rest", "loaded"])
def test_a_name_without_a_record_costs_the_same(traced, verb, loaded):
    if loaded:
        assert traced.bed.token(JO)["result"] == "ok"
    traced.calls(verb, "warm@example.org")
    there, nowhere = traced.calls(verb, JO), traced.calls(verb, NOBODY)
    assert there["sendto"] or there["sendmsg"], there
    assert there == nowhere


PROBES = 24         # and one behind them: a stranger may have 32
PAIRS = 300
MARGIN = 45         # a coin strays so far once in five million runs


def work_for(bed, account):
    """What a stranger's questions for it cost the helper, in ns on a CPU."""
    spent = Path(f"/proc/{bed.process.pid}/schedstat")
    lines = [Line(socket.socket(socket.AF_UNIX)) for _ in range(PROBES + 1)]
    as_other(STRANGER, STRANGER, (), lambda: [
        line.sock.connect(bed.socket) for line in lines])
    with bed.standing_still():
        before = int(spent.read_text().split()[0])
        for line in lines[:-1]:
            line.send("token", account=account, server="localhost")
        lines[-1].send("version")
    assert lines[-1].next()["result"] == "ok"
    with bed.standing_still():      # and what comes after the answers
        took = int(spent.read_text().split()[0]) - before
    for line in lines:
        line.close()
    return took


@pytest.mark.slow
def test_a_name_without_a_record_takes_as_long(root, helper):
    """Each pair is asked one after the other, in either order, so that what
    else the machine does makes both slower.  With a look at the disk for a
    name without a record seven of ten such take longer."""
    helper.seed(JO)
    helper.start()
    longer = 0
    for _ in range(PAIRS):
        names = random.sample([JO, NOBODY], 2)
        took = {name: work_for(helper, name) for name in names}
        longer += took[NOBODY] > took[JO]
    assert abs(longer - PAIRS // 2) <= MARGIN, longer
