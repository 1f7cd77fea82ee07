# SPDX-License-Identifier: BSD-2-Clause
"""Clients that close half of their connection, or all of it, while the
provider is still being asked."""

import socket
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))
sys.path.insert(0, str(HERE.parent / "flows"))

import paths                                            # noqa: E402
from bed_helper import Bed, connect                     # noqa: E402
from idp import Idp                                     # noqa: E402

JO = "jo@example.org"
QUESTION = {"account": JO, "server": "localhost"}


@pytest.fixture
def slow():
    """A helper whose record has to be renewed, by a slow provider."""
    if not paths.program("mailtokend").exists():
        pytest.skip("mailtokend is not built")
    with Idp(interval=1) as idp:
        bed = Bed(idp)
        bed.seed(JO, age=4000)
        bed.start()
        idp.fault("token", "delay", seconds=1)
        yield bed
        bed.end()


def test_one_who_says_no_more_still_gets_what_he_waits_for(slow):
    with connect(slow.socket) as line:
        line.send("token", **QUESTION)
        line.sock.shutdown(socket.SHUT_WR)
        answer = line.next()
        assert answer is not None and answer["result"] == "ok"
        assert line.next() is None


def test_those_who_leave_take_nothing_from_those_who_stay(slow):
    gone = [connect(slow.socket) for _ in range(10)]
    for line in gone:
        line.send("token", **QUESTION)
    slow.idp.wait_request("token")
    with connect(slow.socket) as line:
        line.send("token", **QUESTION)
        for other in gone:
            other.close()
        assert line.next()["result"] == "ok"
    assert slow.refreshes() == 1


def test_when_all_leave_the_renewal_is_kept(slow):
    with connect(slow.socket) as line:
        line.send("token", **QUESTION)
        slow.idp.wait_request("token")
    assert slow.token()["result"] == "ok"
    assert slow.refreshes() == 1
