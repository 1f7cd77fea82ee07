# SPDX-License-Identifier: BSD-2-Clause
"""A watcher that does not read is let go, however much there is to tell it."""

import select
import time

import pytest

FILLING = 1500      # changes, more than a socket holds
GOING_ON = 100      # more of them, ten seconds long
STEP_S = 0.1


@pytest.fixture
def changing(helper):
    """A helper, and a function that makes the next change of a state."""
    one = helper.seed()
    names = [f"u{i}@example.org" for i in range(FILLING + GOING_ON)]
    for name in names:
        helper.seed(name, age=3600, seeded=one, refresh_token="gone")
    helper.start()

    def change():
        assert helper.token(names.pop())["result"] == "login-needed"
    return helper, change


def let_go(line):
    """Whether the helper has hung up; nothing is read for that."""
    poll = select.poll()
    poll.register(line.sock, select.POLLHUP)
    return poll.poll(0) != []


def watched(changing, look):
    """Whether a watcher that does look(its line) is let go while changes go
    on."""
    helper, change = changing
    with helper.connect() as line:
        line.send("watch")
        assert line.next()["event"] == "watching"
        for _ in range(FILLING // 25):
            helper.many(25, change)
            look(line)
        for _ in range(GOING_ON):
            if let_go(line):
                return True
            change()
            look(line)
            time.sleep(STEP_S)
        return let_go(line)


def test_a_watcher_that_does_not_read_is_let_go(changing):
    assert watched(changing, lambda line: None)


def test_a_watcher_that_reads_a_trickle_is_let_go(changing):
    assert watched(changing, lambda line: line.sock.recv(64))


def test_a_watcher_that_reads_stays(changing):
    assert not watched(changing, lambda line: line.sock.recv(1 << 20))
