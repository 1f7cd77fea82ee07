# SPDX-License-Identifier: BSD-2-Clause
"""A grant survives a power cut, and goes to nobody but its issuer.

strace(1) shows the order in which a renewal reaches the disk and the one
who asked; without it that test is skipped.
"""

import os
import re
import shutil
from pathlib import Path

import pytest

from bed import DEADLINE_S


def trace_of(bed, tmp_path):
    """The system calls of one renewal that a client waits for."""
    if shutil.which("strace") is None:
        pytest.skip("no strace here")
    path = tmp_path / "trace"
    bed.seed(age=3600)
    bed.start(before=(
        "strace", "-f", "-qq", "-s", "64", "-o", str(path), "-e",
        "trace=fsync,renameat,renameat2,rename,sendto,sendmsg,ftruncate"))
    tracer = bed.process
    answer = bed.token()
    assert answer["result"] == "ok"
    # The tracer is ours; what it traces ends by its own signal.
    child = int(Path(f"/proc/{tracer.pid}/task/{tracer.pid}/children"
                     ).read_text().split()[0])
    os.kill(child, 15)
    tracer.wait(DEADLINE_S)
    return [line for line in path.read_text().splitlines()]


def test_a_new_grant_is_on_the_disk_before_anybody_has_the_token(helper,
                                                                 tmp_path):
    lines = trace_of(helper, tmp_path)
    at = {}
    for i, line in enumerate(lines):
        if re.search(r'renameat2?\(.*"\.tmp-', line):
            at.setdefault("rename", i)
        if re.search(r'send(to|msg)\(.*result=ok\\nlogin=', line):
            at.setdefault("answer", i)
    assert "rename" in at and "answer" in at, lines
    before = [s for s in lines[:at["rename"]] if "fsync(" in s]
    between = [s for s in lines[at["rename"]:at["answer"]] if "fsync(" in s]
    assert at["rename"] < at["answer"], "the answer came first"
    assert before, "the file was renamed before it was written"
    assert between, "the directory was not written before the answer"


@pytest.mark.parametrize("field", ["token_host", "client_id", "tenant",
                                   "issuer"])
def test_a_grant_is_sent_to_nobody_but_its_issuer(helper, field):
    old = {"token_host": "login.invalid:443", "client_id": "another-app",
           "tenant": "another", "issuer": "https://login.invalid"}
    helper.seed(age=3600, **{field: old[field]})
    helper.start()
    assert helper.token()["result"] == "config-error"
    assert helper.refreshes() == 0


def test_a_token_with_less_than_a_minute_left_is_renewed_first(helper):
    old = helper.seed(age=3560)
    helper.start()
    answer = helper.token()
    assert answer["result"] == "ok"
    assert answer["token"] != old.access_token
    assert helper.refreshes() == 1
