# SPDX-License-Identifier: BSD-2-Clause
"""A reader of the log that stops reading stops nobody else.

The helper's stderr is a pipe, a stream or /dev/log that the test does not
drain; requests go on, and once it is drained the helper says how much is
missing.
"""

import os
import re
import select
import shutil
import signal
import socket
import subprocess
import time

import pytest

from bed import DEADLINE_S, wait_for
from bed_helper import ROOT

MANY = 1500


def start_with(bed, stderr, before=(), journal=True):
    """The helper with a stderr of the test's own."""
    env = bed.environment(stderr)
    if not journal:
        del env["JOURNAL_STREAM"]
    bed.process = subprocess.Popen([*before, *bed.argv()], env=env,
                                   stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=stderr)
    wait_for(lambda: bed.process.poll() is not None or answers(bed),
             what="the helper's first answer")
    assert bed.process.poll() is None


def answers(bed):
    """Whether it takes connections."""
    try:
        return bed.ask("version")["result"] == "ok"
    except OSError:
        return False


def ask_often(bed, n=MANY):
    """So many requests that each makes a line; every one is answered."""
    for i in range(n):
        answer = bed.ask("status", account=f"none{i}@example.org")
        assert answer is not None, i


def drain(fd):
    """What is there now."""
    said = b""
    while select.select([fd], [], [], 0.2)[0]:
        more = os.read(fd, 65536)
        if not more:
            break
        said += more
    return said.decode()


def count_after(bed, fd, said=""):
    """Drain, let it say something more; the lines it says it lacks.  said is
    what was drained before."""
    said += drain(fd)
    end = time.monotonic() + DEADLINE_S
    while "event=log-dropped" not in said and time.monotonic() < end:
        bed.ask("version")
        said += drain(fd)
    found = re.findall(r"event=log-dropped lines=(\d+)", said)
    assert found, said[-3000:]
    for line in said.replace("x" * 4095 + "\n", "").splitlines():
        assert re.match(r"<\d+>(event=|\w{3} )", line), line
    return sum(map(int, found))


def quit_well(bed, fd):
    """SIGTERM ends it though nobody reads."""
    bed.signal()
    assert bed.process.wait(DEADLINE_S) == 0
    drain(fd)


def fill(write):
    """Until nothing more goes into it."""
    os.set_blocking(write, False)
    try:
        while True:
            os.write(write, b"x" * 4095 + b"\n")
    except BlockingIOError:
        pass
    os.set_blocking(write, True)


def test_an_unread_pipe_stops_nobody(helper):
    read, write = os.pipe()
    try:
        start_with(helper, write)
        assert os.get_blocking(write)   # it is also ours
        fill(write)
        ask_often(helper, 200)
        assert helper.process.poll() is None
        # A full pipe may have room for a short line.
        assert count_after(helper, read, drain(read)) >= 100
        fill(write)
        quit_well(helper, read)
    finally:
        os.close(read)
        os.close(write)


def test_a_pipe_that_fills_slowly_stops_nobody(helper):
    read, write = os.pipe()
    try:
        start_with(helper, write)
        ask_often(helper)
        assert count_after(helper, read) > 0
        quit_well(helper, read)
    finally:
        os.close(read)
        os.close(write)


def test_a_stalled_stream_stops_nobody(helper):
    read, write = socket.socketpair()
    with read, write:
        start_with(helper, write.fileno())
        assert write.getblocking()
        fill(write.fileno())
        ask_often(helper, 200)
        # A full stream may have room for a short line.
        assert count_after(helper, read.fileno(),
                           drain(read.fileno())) >= 100
        fill(write.fileno())
        quit_well(helper, read.fileno())


def test_a_pipe_of_another_user_stops_nobody(helper, root):
    """It cannot be opened again by one who has no right to it."""
    assert root is None
    read, write = os.pipe()
    try:
        start_with(helper, write, before=(
            "setpriv", "--reuid", str(helper.user.pw_uid), "--regid",
            str(helper.user.pw_gid), "--clear-groups"))
        fill(write)
        ask_often(helper, 200)
        quit_well(helper, read)
    finally:
        os.close(read)
        os.close(write)


def test_a_supervisor_that_does_not_read_stops_nobody(helper):
    place = helper.path("notify")
    plain = helper.environment
    helper.environment = lambda stderr: {**plain(stderr),
                                         "NOTIFY_SOCKET": place}
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor, \
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        supervisor.bind(place)
        os.chmod(place, 0o666)
        other.connect(place)
        other.setblocking(False)
        try:
            while True:
                other.send(b"X=1")
        except BlockingIOError:
            pass
        helper.start()
        helper.signal(signal.SIGHUP)
        helper.wait_log("event=reload")
        assert helper.ask("version")["result"] == "ok"
        assert helper.stop() == 0


def test_one_who_may_not_stay_ends_though_nobody_reads(helper, beds):
    helper.start()
    second = beds()
    second.sockets = helper.sockets
    read, write = os.pipe()
    fill(write)
    try:
        second.process = subprocess.Popen(
            second.argv(), env=second.environment(write),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=write)
        assert second.process.wait(DEADLINE_S) != 0
    finally:
        os.close(read)
        os.close(write)


def test_failing_requests_fill_no_log(helper):
    helper.start()
    for i in range(300):
        assert helper.token(f"none{i}@example.org")["result"] != "ok"
    helper.ask("reload")
    helper.wait_log("event=reload")     # it has room of its own
    # As many for ten seconds, of which two may have begun.
    assert 100 <= helper.log().count("event=request") <= 200


def test_what_a_flood_cost_is_told_though_nothing_else_is(helper):
    helper.start()
    for i in range(150):
        assert helper.token(f"none{i}@example.org")["result"] != "ok"
    helper.wait_log("event=log-dropped")
    helper.signal()
    assert helper.wait() == 0
    assert len(re.findall("event=log-dropped", helper.log())) == 1


def test_what_is_dropped_is_told_at_the_end(helper):
    helper.start()
    for i in range(150):
        assert helper.token(f"none{i}@example.org")["result"] != "ok"
    assert helper.stop() == 0
    found = re.findall(r"event=log-dropped lines=(\d+)", helper.log())
    asked = helper.log().count("event=request")
    assert asked + sum(map(int, found)) >= 150


def test_a_syslog_that_does_not_read_stops_nobody(helper, root, tmp_path):
    """/dev/log is ours in a mount namespace of the helper's own."""
    assert root is None and ROOT
    if shutil.which("unshare") is None:
        pytest.skip("no unshare here")
    os.chmod(tmp_path, 0o755)
    place = str(tmp_path / "log")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind(place)
        os.chmod(place, 0o666)
        inside = ("mount -t tmpfs none /dev/shm 2>/dev/null; "
                  "mkdir -p /dev/shm/d && cp -a /dev/null /dev/urandom "
                  "/dev/random /dev/shm/d/ && touch /dev/shm/d/log && "
                  f"mount --bind {place} /dev/shm/d/log && "
                  "mount --rbind /dev/shm/d /dev && exec \"$@\"")
        probe = subprocess.run(["unshare", "-m", "sh", "-c", inside, "sh",
                                "test", "-S", "/dev/log"], check=False)
        if probe.returncode != 0:
            pytest.skip("no mount namespace here")
        null = os.open("/dev/null", os.O_WRONLY)
        try:
            start_with(helper, null, journal=False,
                       before=("unshare", "-m", "sh", "-c", inside, "sh"))
            ask_often(helper, 200)
            said = ""
            end = time.monotonic() + DEADLINE_S
            while "event=log-dropped" not in said and \
                    time.monotonic() < end:
                while select.select([log], [], [], 0.1)[0]:
                    said += log.recv(65536).decode() + "\n"
                helper.ask("version")
            assert re.search(r"^<\d+>\w{3} [ \d]\d [\d:]{8} "
                             r"mailtokend\[\d+\]: event=log-dropped "
                             r"lines=\d+$", said, re.M), said[-3000:]
            helper.signal()
            assert helper.process.wait(DEADLINE_S) == 0
        finally:
            os.close(null)


def test_a_flood_of_one_user_hides_no_request_of_another(helper, root):
    helper.configure(more="allow bin")
    helper.seed()
    helper.start()
    asked = {"account": "jo@example.org", "server": "localhost"}
    for uid in (2, 3):      # who may ask, and who may not
        for _ in range(150):
            helper.ask("token", uid=uid, **asked)
    assert helper.ask("token", uid=2, **asked)["result"] == "ok"
    assert helper.token()["result"] == "ok"
    helper.wait_log("verb=token uid=0 ")
    assert helper.log().count(" uid=2 ") in range(100, 201)
    assert helper.log().count(" uid=3 ") in range(100, 201)
