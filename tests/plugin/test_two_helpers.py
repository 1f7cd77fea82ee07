# SPDX-License-Identifier: BSD-2-Clause
"""Two helpers, the user's and the system's: who is asked, what is told."""

import os
import socket
from pathlib import Path

import pytest

import sasl_host as sasl
from sasl_host import Host
from scripted_helper import ScriptedHelper
from sentences import failed, open_the_way

ALICE = "alice@example.com"
FIRST = b"user=" + ALICE.encode() + b"\1auth=Bearer tok123\1\1"


@pytest.fixture
def two(root, plugins, tmp_path, private_system):
    """(user's helper, system's helper, host), none of them started."""
    runtime = tmp_path / "runtime"
    (runtime / "mailtoken").mkdir(parents=True)
    os.chown(runtime / "mailtoken", 65534, 65534)
    own = ScriptedHelper(runtime / "mailtoken" / "socket", token="tok123")
    open_the_way(Path(own.path))
    open_the_way(plugins)
    host = Host(plugins, {"XDG_RUNTIME_DIR": str(runtime),
                          "XDG_CONFIG_HOME": str(tmp_path / "config"),
                          "HOME": str(tmp_path)},
                private_system.as_user(65534))
    (tmp_path / "config" / "mailtoken").mkdir(parents=True)
    (tmp_path / "config" / "mailtoken" / "mailtoken.conf").touch()
    system = ScriptedHelper(private_system.socket_outside, token="tok123")
    yield own, system, host
    own.stop()
    system.stop()


def test_the_users_helper_is_asked_first(two):
    own, system, host = two
    own.start()
    system.start()
    assert host.run(user=ALICE).outs == [FIRST]
    assert (len(own.requests), len(system.requests)) == (1, 0)


def test_without_the_users_helper_the_systems_is_asked_at_once(two):
    own, system, host = two
    system.start()
    assert host.run(user=ALICE).outs == [FIRST]
    assert len(system.requests) == 1


def test_a_user_helper_that_does_not_know_hides_nothing(two):
    own, system, host = two
    own.start()
    system.start()
    own.add("fault", word="unknown-account")
    assert host.run(user=ALICE).outs == [FIRST]
    assert (len(own.requests), len(system.requests)) == (1, 1)


def test_a_rejection_goes_to_the_helper_that_gave_the_token(two):
    own, system, host = two
    own.start()
    system.start()
    own.add("fault", word="unknown-account")
    host.run(user=ALICE, challenges=[b'{"status":"401"}'])
    assert [r.verb for r in own.requests] == ["token"]
    assert [r.verb for r in system.wait_request(2)] == ["token", "rejected"]


def test_an_answer_of_the_users_helper_is_final(two):
    own, system, host = two
    own.start()
    system.start()
    own.add("fault", word="login-needed", text="Gone.")
    assert failed(host, sasl.EXPIRED)
    assert len(system.requests) == 0


def test_unknown_to_the_only_helper_that_runs_is_unknown(two):
    own, _, host = two
    own.start()
    own.add("fault", word="unknown-account")
    assert "no account" in failed(host, sasl.NOUSER)
    assert len(own.requests) == 1


def test_unknown_to_both_is_unknown(two):
    own, system, host = two
    own.start()
    system.start()
    own.add("fault", word="unknown-account")
    system.add("fault", word="unknown-account")
    assert "no account" in failed(host, sasl.NOUSER)


def test_a_password_may_be_allowed_by_the_users_helper(two):
    own, _, host = two
    own.start()
    own.add("answer", attributes=[
        ["mailtoken", "1"], ["result", "unknown-account"],
        ["password-as-token", "yes"]])
    run = host.run(user=ALICE, password="A1" * 40)
    assert b"auth=Bearer " + b"A1" * 40 in run.outs[0]


@pytest.mark.parametrize("closed", ["socket", "directory"])
def test_a_system_socket_closed_to_the_user_leaves_his_answer(two, closed):
    """A relay's socket has a group; its users have their own helpers."""
    own, system, host = two
    own.start()
    system.start()
    path = Path(system.path)
    (path if closed == "socket" else path.parent).chmod(0o600)
    own.add("answer", times=None, attributes=[
        ["mailtoken", "1"], ["result", "unknown-account"],
        ["password-as-token", "yes"]])
    assert "no account" in failed(host, sasl.NOUSER)
    run = host.run(user=ALICE, password="A1" * 40)
    assert b"auth=Bearer " + b"A1" * 40 in run.outs[0]


def test_a_closed_system_socket_is_not_all_that_is_told(two):
    own, system, host = two
    system.start()
    Path(system.path).chmod(0o600)
    text = failed(host, sasl.UNAVAIL)
    assert "no permission for user nobody" in text
    assert f"none runs at {own.path}" in text


def test_no_helper_at_all_names_both_places(two):
    own, system, host = two
    text = failed(host, sasl.UNAVAIL)
    assert f"nor at {own.path}" in text


def test_the_users_dead_socket_is_what_is_told(two):
    own, _, host = two
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(own.path))
        os.chmod(own.path, 0o666)
    text = failed(host, sasl.UNAVAIL)
    assert f"{own.path}: Connection refused" in text


def test_a_socket_of_another_user_hides_nothing(two):
    """As after su, which keeps XDG_RUNTIME_DIR."""
    own, system, host = two
    own.start()
    os.chown(Path(own.path).parent, 0, 0)
    Path(own.path).parent.chmod(0o700)
    system.start()
    assert host.run(user=ALICE).outs == [FIRST]
    assert len(own.requests) == 0
