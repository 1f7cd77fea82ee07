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
from bed_helper import Bed                              # noqa: E402
from helper_line import connect                         # noqa: E402
from idp import Idp                                     # noqa: E402

JO = "jo@example.org"
QUESTION = {"account": JO, "server": "localhost"}


@pytest.fixture
def due():
    """A helper whose record has to be renewed."""
    if not paths.program("mailtokend").exists():
        pytest.skip("mailtokend is not built")
    with Idp(interval=1) as idp:
        bed = Bed(idp)
        bed.seed(JO, age=4000)
        yield bed.start()
        bed.end()


def test_one_who_says_no_more_still_gets_what_he_waits_for(due):
    with connect(due.socket) as line:
        with due.idp.holding("token"):
            line.send("token", **QUESTION)
            line.sock.shutdown(socket.SHUT_WR)
            due.idp.wait_request("token")
        answer = line.next()
        assert answer is not None and answer["result"] == "ok"
        assert line.next() is None


def test_those_who_leave_take_nothing_from_those_who_stay(due):
    with due.idp.holding("token"):
        gone = [connect(due.socket).send("token", **QUESTION)
                for _ in range(10)]
        due.idp.wait_request("token")
        stays = connect(due.socket).send("token", **QUESTION)
        for line in gone:
            line.close()
        assert due.ask("version")["result"] == "ok"     # all is seen
    with stays:
        assert stays.next()["result"] == "ok"
    assert due.refreshes() == 1


def test_when_all_leave_the_renewal_is_kept(due):
    with due.idp.holding("token"):
        with connect(due.socket) as line:
            line.send("token", **QUESTION)
            due.idp.wait_request("token")
    assert due.token()["result"] == "ok"
    assert due.refreshes() == 1
