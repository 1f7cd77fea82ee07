# SPDX-License-Identifier: BSD-2-Clause
"""The user's own socket: whom it must belong to, where else the helper may
be found, and that it is not hidden behind the system's."""

import fcntl
import os
import socket
import struct
import threading
import time
from pathlib import Path

import pytest

import sasl_host as sasl
from bed import DEADLINE_S, wait_for
from sasl_host import Host
from scripted_helper import ScriptedHelper
from sentences import failed, open_the_way
from test_two_helpers import ALICE, FIRST, two      # noqa: F401

NOBODY, STRANGER = 65534, 4242


def hold(folder, *sockets, uid=NOBODY):
    """A keyring that somebody holds: its lock, and what stands in it."""
    keyring = Path(folder) / ".local" / "state" / "mailtoken" / "keyring"
    keyring.mkdir(parents=True)
    path = keyring / ".lock"
    path.write_text("".join(f"{s}\n" for s in sockets))
    path.chmod(0o644)
    os.chown(path, uid, uid)
    os.chown(keyring, uid, uid)
    open_the_way(path)
    held = os.open(path, os.O_RDWR)
    fcntl.fcntl(held, fcntl.F_OFD_SETLK,
                struct.pack("hhqqi", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
    return held


@pytest.fixture
def elsewhere(root, tmp_path):
    """The user's helper, at a place that this environment does not name."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    os.chown(folder, NOBODY, NOBODY)
    with ScriptedHelper(folder / "socket", token="tok123") as scripted:
        open_the_way(Path(scripted.path))
        yield scripted


@pytest.mark.parametrize("owner,mode", [(STRANGER, 0o755), (STRANGER, 0o700)])
def test_a_foreign_runtime_folder_gets_no_question(two, owner, mode):
    """As after su, or with XDG_RUNTIME_DIR set by somebody who listens."""
    own, _, host = two
    own.start()
    os.chown(Path(own.path).parent, owner, owner)
    Path(own.path).parent.chmod(mode)
    text = failed(host, sasl.UNAVAIL)
    assert len(own.requests) == 0
    if mode == 0o755:
        assert f"belongs to uid {owner}, not to you" in text
        assert "unset XDG_RUNTIME_DIR" in text


def test_a_foreign_runtime_folder_is_named_beside_the_systems_answer(two):
    own, system, host = two
    own.start()
    system.start()
    os.chown(Path(own.path).parent, STRANGER, STRANGER)
    system.add("fault", word="unknown-account")
    text = failed(host, sasl.UNAVAIL)
    assert f"belongs to uid {STRANGER}" in text
    assert "the system's helper does not know" in text
    assert (len(own.requests), len(system.requests)) == (0, 1)


def test_roots_runtime_folder_is_as_good_as_ones_own(two):
    """Containers mount one."""
    own, _, host = two
    own.start()
    os.chown(Path(own.path).parent, 0, 0)
    assert host.run(user=ALICE).outs == [FIRST]


def test_a_dead_socket_of_the_user_is_not_hidden_by_the_system(two):
    own, system, host = two
    system.start()
    system.add("fault", word="unknown-account", times=None)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(own.path))
        os.chmod(own.path, 0o666)
    text = failed(host, sasl.UNAVAIL)
    assert f"{own.path}: Connection refused" in text
    assert "the system's helper does not know" in text
    assert "not signed in" not in text


def test_a_dead_socket_of_the_user_is_asked_again(two):
    """His helper starts while the program asks; there is no system's."""
    own, _, host = two
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(own.path))
        os.chmod(own.path, 0o666)
    runs = []
    asking = threading.Thread(
        target=lambda: runs.append(host.run(user=ALICE)))
    asking.start()
    # It has connected in vain once it is asleep between two tries.
    wait_for(lambda: pausing(host), what="the program to pause")
    os.unlink(own.path)
    own.start()
    asking.join(DEADLINE_S)
    assert [r.outs for r in runs] == [[FIRST]]


def pausing(host):
    """Whether a program of that name sleeps in poll(2)."""
    name = os.path.basename(host.command()[-1])
    for proc in Path("/proc").glob("[0-9]*"):
        try:
            if name in (proc / "cmdline").read_text() and \
               "poll" in (proc / "wchan").read_text() and \
               f"SASL_PATH={host.environment['SASL_PATH']}" in \
               (proc / "environ").read_text():
                return True
        except OSError:
            continue
    return False


def test_with_no_helper_at_all_a_user_is_told_at_once(two):
    """Nothing is waited for: no helper of his restarts without a socket.
    One that is there may come to life for five seconds."""
    own, _, host = two
    began = time.monotonic()
    text = failed(host, sasl.UNAVAIL)
    absent = time.monotonic() - began
    assert f"nor at {own.path}" in text
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(own.path))
        os.chmod(own.path, 0o666)
        began = time.monotonic()
        failed(host, sasl.UNAVAIL)
    assert time.monotonic() - began > absent + 2.5


@pytest.mark.parametrize("mine", ["absent", "dead", "foreign"])
def test_the_holder_of_the_keyring_is_found(two, elsewhere, mine):
    """Started from cron or SSH, without the XDG_RUNTIME_DIR of a session."""
    own, _, host = two
    folder = host.environment["HOME"]
    if mine == "dead":
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(own.path))
    if mine == "foreign":
        os.chown(Path(own.path).parent, STRANGER, STRANGER)
    held = hold(folder, elsewhere.path)
    try:
        assert host.run(user=ALICE).outs == [FIRST]
    finally:
        os.close(held)
    assert len(elsewhere.requests) == 1


def test_a_socket_without_an_answer_gives_way_to_the_holder(two, elsewhere):
    """As one of systemd's whose helper waits for the keyring."""
    own, _, host = two
    held = hold(host.environment["HOME"], elsewhere.path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(own.path))
        os.chmod(own.path, 0o666)
        listener.listen(5)
        try:
            assert host.run(user=ALICE).outs == [FIRST]
        finally:
            os.close(held)


@pytest.mark.parametrize("wrong", ["not locked", "of another", "folder"])
def test_what_the_lock_file_says_is_checked(two, elsewhere, wrong):
    own, _, host = two
    held = hold(host.environment["HOME"], elsewhere.path,
                uid=STRANGER if wrong == "of another" else NOBODY)
    if wrong == "not locked":
        os.close(held)
    if wrong == "folder":
        os.chown(Path(elsewhere.path).parent, STRANGER, STRANGER)
    failed(host, sasl.UNAVAIL)
    assert len(elsewhere.requests) == 0
    if wrong != "not locked":
        os.close(held)
