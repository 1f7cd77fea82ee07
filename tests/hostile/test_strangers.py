# SPDX-License-Identifier: BSD-2-Clause
"""Users that stand in no list: all of them together get a small part of the
helper, however many they are, and nobody who is let in waits for them.

The helper's time stands still, so that nobody is let go for being slow."""

import resource
from pathlib import Path

import pytest

from helper_line import ask, connect

JO = "jo@example.org"
FRIEND = 4800
STRANGERS = range(5000, 5020)
FRIENDS = (4801, 4802, 4803)    # one allow lets all of them in
NEWCOMER = 4999
TOTAL = 64
FIRST = b"mailtoken=1\n"
HALF = FIRST + b"".join(b"x%d=%s\n" % (i, b"y" * 6000) for i in range(20))


@pytest.fixture
def small_helper(root, clocked):
    """A helper that lets one user in and has a good token, to be started
    with less room."""
    clocked.configure(f"allow {FRIEND} {' '.join(map(str, FRIENDS))}")
    clocked.seed(JO)

    def start(**options):
        clocked.start(**options).clock.hold()
        return clocked
    return start


@pytest.fixture
def open_helper(small_helper):
    """One with all the room that there is."""
    return small_helper()


def is_open(line):
    """Whether the helper has not hung up."""
    line.sock.setblocking(False)
    try:
        while line.sock.recv(65536):
            pass    # it may have said why
        return False
    except BlockingIOError:
        return True
    except ConnectionResetError:
        return False


def crowd(helper, each, data=b""):
    """Connections of many users, which say data and no more."""
    lines = []
    for uid in STRANGERS:
        for _ in range(each):
            lines.append(connect(helper.socket, uid=uid).raw(data))
    return lines


def friend_is_served(helper, uid=FRIEND, **more):
    """Whether the one who is let in gets his token."""
    return ask(helper.socket, "token", uid, account=JO,
               server="localhost", **more)["result"] == "ok"


def memory(helper):
    """What the helper holds for itself, in kilobytes."""
    rows = Path(f"/proc/{helper.process.pid}/status").read_text()
    return int(rows.split("RssAnon:")[1].split()[0])


def test_all_strangers_have_one_ceiling(open_helper):
    lines = crowd(open_helper, 8, FIRST)
    try:
        assert friend_is_served(open_helper)
        assert sum(is_open(line) for line in lines) <= TOTAL
        # One who is quick is answered all the same.
        assert ask(open_helper.socket, "version", 5050)["result"] == "ok"
        log = open_helper.log()
        assert log.count("event=strangers") == 1, log[-3000:]
        open_helper.clock.boot(61000)   # a line a minute
        lines += crowd(open_helper, 8, FIRST)
        assert friend_is_served(open_helper)
        log = open_helper.log()
        assert log.count("event=strangers") == 2, log[-3000:]
        # The first of many that go is no count of them.
        assert "1 of their connections" not in log
    finally:
        for line in lines:
            line.close()


def test_the_oldest_stranger_goes_first(open_helper):
    lines = crowd(open_helper, 4, FIRST)
    try:
        assert friend_is_served(open_helper)
        gone, still = lines[:-TOTAL], lines[-TOTAL:]
        # Each of them is told why, and to try again.
        assert [line.next()["result"] for line in gone] == \
            ["busy"] * len(gone)
        assert all(line.next() is None for line in gone)
        assert is_open(still[-1])
    finally:
        for line in lines:
            line.close()


def test_unfinished_requests_of_strangers_have_one_ceiling(open_helper):
    before = memory(open_helper)
    lines = crowd(open_helper, 3, HALF)
    try:
        assert friend_is_served(open_helper)
        assert memory(open_helper) - before < 4096
        # About as many as have room together: some are not read yet.
        n = sum(is_open(line) for line in lines)
        assert 1 <= n <= 2 * 1024 * 1024 // len(HALF)
    finally:
        for line in lines:
            line.close()


def test_strangers_take_no_descriptor_from_those_who_are_let_in(open_helper):
    lines = crowd(open_helper, 8, FIRST)
    mine = [connect(open_helper.socket, uid=FRIEND) for _ in range(200)]
    try:
        for line in mine:
            line.send("token", account=JO, server="localhost")
        assert all(line.next()["result"] == "ok" for line in mine)
    finally:
        for line in lines + mine:
            line.close()


def test_strangers_make_room_for_those_who_are_let_in(small_helper):
    helper = small_helper(before=["prlimit", "--nofile=400:400"])
    lines = crowd(helper, 3, FIRST)
    mine = [connect(helper.socket, uid=FRIEND).send("watch")
            for _ in range(100)]
    try:
        assert all(line.next()["event"] == "watching" for line in mine)
        assert 1 <= sum(is_open(line) for line in lines) < TOTAL
    finally:
        for line in lines + mine:
            line.close()


def test_unfinished_requests_of_those_let_in_have_one_ceiling(open_helper):
    before = memory(open_helper)
    lines = []
    try:
        for uid in FRIENDS:
            # The next one has room for what is long, too.
            assert friend_is_served(open_helper, uid, x="y" * 60000)
            lines += [connect(open_helper.socket, uid=uid).raw(HALF)
                      for _ in range(150)]
        assert friend_is_served(open_helper, x="y" * 60000)
        assert open_helper.token(server="localhost",
                                 x="y" * 60000)["result"] == "ok"
        assert memory(open_helper) - before < 20 * 1024
        assert any(is_open(line) for line in lines[-150:])
        assert "unfinished requests" in lines[149].next()["text"]
    finally:
        for line in lines:
            line.close()


def test_nobody_who_is_let_in_has_all_connections(small_helper):
    helper = small_helper(before=["prlimit", "--nofile=400:400"])
    lines = []
    try:
        for uid in FRIENDS:
            lines += [connect(helper.socket, uid=uid).send("watch")
                      for _ in range(150)]
        assert friend_is_served(helper)
        told = [line.next() for line in lines]
        for i in range(len(FRIENDS)):
            assert "event" in told[150 * i]
            assert told[150 * i + 149]["result"] == "busy"
    finally:
        for line in lines:
            line.close()


def test_who_was_let_in_a_moment_ago_is_no_stranger(open_helper, idp):
    open_helper.configure(f"admin {NEWCOMER}")
    open_helper.clock.both(2)   # so that the next request looks at the file
    line = connect(open_helper.socket, uid=NEWCOMER)
    line.send("sign-in", account=JO)
    code = line.next()["user-code"]
    lines = crowd(open_helper, 4, FIRST)
    idp.approve(code, JO)
    try:
        assert line.until(lambda a: a["event"] == "done")["result"] == "ok"
    finally:
        for line in [line, *lines]:
            line.close()


def test_root_has_connections_of_its_own(clocked, small_helper):
    uids = [FRIEND + i for i in range(100)]
    clocked.configure(f"allow {' '.join(map(str, uids))}")
    helper = small_helper(before=["prlimit", "--nofile=300:300"])
    # Watches stay; those over what is for others are refused.
    lines = [connect(helper.socket, uid=uid).send("watch")
             for uid in uids + uids[:80]]
    try:
        assert lines[-1].next()["result"] == "busy"
        lines += [connect(helper.socket).send("watch") for _ in range(4)]
        for line in lines[-4:]:
            assert line.next()["event"] == "watching"
        assert helper.ask("version")["result"] == "ok"
        assert ask(helper.socket, "version",
                   helper.user.pw_uid)["result"] == "ok"
    finally:
        for line in lines:
            line.close()


def test_a_request_without_memory_for_it_is_not_called_too_long(open_helper):
    long = b"".join(b"%c=%s\n" % (name, 60000 * b"x") for name in b"xy")

    def answer():
        with connect(open_helper.socket, uid=FRIEND) as line:
            return line.raw(FIRST + long + b"verb=version\n\n").next()
    assert answer()["result"] == "ok"
    open_helper.limit(resource.RLIMIT_AS, 1)
    refused = answer()
    assert refused["result"] == "busy"
    assert "no memory" in refused["text"] and "try again" in refused["text"]
    open_helper.limit(resource.RLIMIT_AS, None)
    assert answer()["result"] == "ok"
