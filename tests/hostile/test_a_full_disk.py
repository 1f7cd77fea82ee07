# SPDX-License-Identifier: BSD-2-Clause
"""A full disk must not end a grant: no refresh token is spent without room
for the next one."""

import os
import signal
import subprocess

import pytest

from bed import wait_for

JO = "jo@example.org"
SCRIPT = ("mount -t tmpfs -o mode=700,uid={uid},gid={gid},{options} tmpfs "
          "'{keyring}' && cp -p '{stage}/'* '{keyring}/' && echo made && "
          "exec sleep 1000")


class Disk:
    """A file system of its own below a helper's keyring, which outlives the
    helper: a process keeps its mount namespace."""

    def __init__(self, helper, options):
        stage = helper.path("stage")
        os.rename(helper.keyring, stage)
        os.mkdir(helper.keyring)
        script = SCRIPT.format(uid=helper.user.pw_uid,
                               gid=helper.user.pw_gid, options=options,
                               keyring=helper.keyring, stage=stage)
        self.keeper = subprocess.Popen(["unshare", "-m", "sh", "-c", script],
                                       stdout=subprocess.PIPE,
                                       stderr=subprocess.DEVNULL)
        if self.keeper.stdout.readline() != b"made\n":
            self.end()
            pytest.skip("no mount namespaces here")
        self.enter = ["nsenter", "-t", str(self.keeper.pid), "-m", "--"]
        helper.keyring = f"/proc/{self.keeper.pid}/root{helper.keyring}"
        self.keyring = helper.keyring
        self.fillers = []

    def end(self):
        self.keeper.kill()
        self.keeper.wait()
        self.keeper.stdout.close()

    def fill(self, left=0):
        """No block and no inode stays free; but for left bytes."""
        for n in range(10000):
            path = os.path.join(self.keyring, f".tmp-filler{n}")
            try:
                with open(path, "wb", 0) as out:
                    self.fillers.append(path)
                    while out.write(b"x" * 4096):
                        pass
            except OSError:
                if self.fillers and self.fillers[-1] != path:
                    break
        if left:
            size = os.path.getsize(self.fillers[0])
            os.truncate(self.fillers[0], size - left)

    def make_room(self):
        for path in self.fillers:
            os.unlink(path)
        self.fillers = []


@pytest.fixture
def disk(root, helper):
    """Give the helper's keyring a small disk."""
    made = []
    keyring = helper.keyring

    def make(options):
        made.append(Disk(helper, options))
        helper.argv = lambda of=type(helper).argv: [
            keyring if word == helper.keyring else word
            for word in of(helper)]
        return made[-1]

    yield make
    for one in made:
        one.end()
    helper.keyring = keyring


SMALL = {"blocks": "size=256k", "inodes": "size=8m,nr_inodes=16"}


@pytest.mark.parametrize("end", ["goes on", "is killed", "is stopped"])
@pytest.mark.parametrize("kind", SMALL)
def test_a_full_disk_spends_no_grant(disk, helper, idp, kind, end):
    old = helper.seed(age=4000)
    full = disk(SMALL[kind])
    helper.start(before=full.enter)
    full.fill()
    for _ in range(2):
        answer = helper.token()
        assert answer["result"] == "try-later"
        assert "file system is full" in answer["text"]
        assert int(answer["retry-after"]) <= 5
    status = helper.status()
    assert (status["state"], status["unsaved"]) == ("backoff", "no")
    assert "file system is full" in status["text"]
    assert idp.counts["token"] == 0
    assert helper.record()["refresh-token"] == old.refresh_token
    if end == "is killed":
        helper.signal(signal.SIGKILL)
        helper.wait()
    elif end == "is stopped":
        assert helper.stop() == 0
    full.make_room()
    if end != "goes on":
        helper.start(before=full.enter)
        assert helper.token()["result"] == "ok"
    # Nobody need ask again: the renewal was wanted.
    wait_for(lambda: helper.status()["state"] == "active")
    assert helper.token()["result"] == "ok"
    assert helper.refreshes() == 1
    assert helper.record()["refresh-token"] == idp.current_refresh(JO)
    assert idp.counts["refresh_reuse"] == 0


def test_a_little_room_is_enough_for_a_small_record(disk, helper, idp):
    helper.seed(age=4000)
    small = disk("size=512k")
    small.fill(left=80 << 10)
    helper.start(before=small.enter)
    assert helper.token()["result"] == "ok"
    assert helper.status()["unsaved"] == "no"
    assert helper.record()["refresh-token"] == idp.current_refresh(JO)


def test_a_stop_waits_for_the_disk(helper, idp):
    """Room was there when the exchange began, and is gone at its end."""
    helper.seed(age=4000)
    helper.start()
    answer = helper.token_unsaved()
    assert answer["result"] == "ok"
    helper.signal()
    helper.wait_log("event=stop")
    said = helper.log().count("event=unsaved")
    helper.wait_log("event=unsaved", said + 2)
    helper.limit_files(None)
    assert helper.wait() == 0
    assert "event=lost" not in helper.log()
    assert helper.record()["refresh-token"] == idp.current_refresh(JO)


def test_room_stays_for_the_answer_that_it_was_made_for(disk, helper, idp):
    """What else is stored meanwhile does not use it up."""
    helper.seed(age=4000)
    small = disk(SMALL["blocks"])
    helper.start(before=small.enter)
    with idp.holding("token"):
        asked = helper.connect().send("token", account=JO, server="localhost")
        idp.wait_request("token")
        old = helper.record()
        helper.ask("rejected", account=JO, serial=old["serial"],
                   server="localhost", service="smtp")
        assert helper.record()["rejected-serial"] == old["serial"]
        small.fill()
    assert asked.next()["result"] == "ok"
    assert helper.status()["unsaved"] == "no"
    assert helper.record()["refresh-token"] == idp.current_refresh(JO)
