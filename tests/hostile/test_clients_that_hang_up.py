# SPDX-License-Identifier: BSD-2-Clause
"""Clients that close half of their connection, or all of it, while the
provider is still being asked."""

import socket

import pytest

from helper_line import connect

JO = "jo@example.org"
QUESTION = {"account": JO, "server": "localhost"}


@pytest.fixture
def due(helper):
    """A helper whose record has to be renewed."""
    helper.seed(JO, age=4000)
    return helper.start()


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


def test_who_hung_up_and_begins_again_waits_for_nobody(helper):
    helper.start()
    with connect(helper.socket) as again:
        gone = connect(helper.socket).send("sign-in", account=JO)
        assert gone.next()["event"] == "show-code"
        # The helper finds both at once, the new request before the end.
        with helper.standing_still():
            again.send("sign-in", account=JO)
            gone.close()
        assert again.next()["event"] == "show-code"
