# SPDX-License-Identifier: BSD-2-Clause
"""Which helper the command asks, and the one that it starts."""

import grp
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import paths
from bed import DEADLINE_S
from bed_cli import environment
from scripted_helper import ScriptedHelper

TOKEN = "eyJ0eXAi.the-secret-token.AAAA"


@pytest.fixture
def home(program):
    """Of uid 65534, in whose reach the command is: a copy beside it."""
    if os.geteuid() != 0:
        pytest.skip("needs root to become another user")
    top = Path(tempfile.mkdtemp(prefix="cli-"))
    top.chmod(0o755)
    shutil.copy(program, top / "mailtoken")
    (top / "home").mkdir()
    os.chown(top / "home", 65534, 65534)
    yield top / "home"
    end_what_was_started(top / "home")
    shutil.rmtree(top)


def end_what_was_started(home):
    """A helper is nobody's child, and a test that fails does not end it:
    whatever runs with this folder as its home."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            handle = os.pidfd_open(int(process.name))
        except ProcessLookupError:
            continue
        try:
            if f"HOME={home}".encode() in \
                    (process / "environ").read_bytes().split(b"\0"):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
                assert select.select([handle], [], [], DEADLINE_S)[0]
        except OSError:
            pass                # it has ended meanwhile, or is not ours
        finally:
            os.close(handle)


def at_home(home, argv, **more):
    """Run argv with the environment of that user."""
    return subprocess.run(
        argv, env=environment(**{"HOME": str(home),
                                 "XDG_RUNTIME_DIR": str(home), **more}),
        capture_output=True, text=True, timeout=2 * DEADLINE_S, check=False)


def test_a_helper_of_ones_own_is_asked_if_it_is_there(home):
    (home / "mailtoken").mkdir()
    os.chown(home / "mailtoken", 65534, 65534)
    with ScriptedHelper(home / "mailtoken/socket", token=TOKEN) as own:
        run = at_home(home, ["setpriv", "--reuid=65534", "--regid=65534",
                             "--clear-groups", str(home.parent / "mailtoken"),
                             "token", "a@b"])
        assert run.stdout == TOKEN + "\n"
        assert own.wait_request()[0].uid == 65534


def test_who_may_not_write_to_the_socket_is_told_the_group_to_be_in(home):
    path = home.parent / "socket"
    with ScriptedHelper(path, token=TOKEN):
        os.chown(path, 0, grp.getgrnam("mail").gr_gid)
        path.chmod(0o660)
        run = at_home(home, ["setpriv", "--reuid=65534", "--regid=65534",
                             "--clear-groups", str(home.parent / "mailtoken"),
                             "--socket", str(path), "token", "a@b"])
    assert run.returncode == 77
    assert (f"no permission for user nobody to reach the helper at {path}: "
            'Permission denied: run "usermod -aG mail nobody" and start the '
            "program anew, from a new login") in run.stderr


def installed_helper():
    """Where the command looks for mailtokend, or None."""
    path = paths.configured("sbindir") if \
        (paths.BUILD / "Makefile").exists() else ""
    for name in ("exec_prefix", "prefix"):
        if "${" + name + "}" in path:
            path = path.replace("${" + name + "}", paths.configured(name))
    return path + "/mailtokend" if path.startswith("/") else None


def as_nobody(home, script, helper=None, **environment):
    """Run a script of sh as another user, the built helper installed, or a
    script in place of it; its $0 is the command."""
    path = installed_helper()
    built = paths.program("mailtokend")
    if path is None or not built.exists() or \
            not os.path.isdir(os.path.dirname(path)):
        pytest.skip("needs a built mailtokend and its directory")
    shutil.copy(built, home.parent)
    if helper is not None:
        (home.parent / "mailtokend").write_text(f"#!/bin/sh\n{helper}\n")
    outer = ('mount -t tmpfs -o mode=755 tmpfs "$1" && '
             'cp "$2/mailtokend" "$1" && '
             'exec setpriv --reuid=65534 --regid=65534 --clear-groups '
             f"sh -c '{script}' \"$2/mailtoken\"")
    run = at_home(home, ["unshare", "-m", "sh", "-c", outer, "sh",
                         os.path.dirname(path), str(home.parent)],
                  **environment)
    if "mount:" in run.stderr:
        pytest.skip("cannot mount here")
    return run


def end(version):
    """The helper that has told its version, and whether it does as told."""
    helper = os.pidfd_open(version["helper"]["pid"])
    signal.pidfd_send_signal(helper, signal.SIGTERM)
    assert select.select([helper], [], [], DEADLINE_S)[0]
    os.close(helper)


def test_a_helper_is_started_where_no_user_manager_runs(home):
    run = as_nobody(home, '"$0" refresh --due; echo "$?"; '
                    'exec "$0" version --json')
    status, answer = run.stdout.splitlines()
    end(json.loads(answer))
    assert status == "0"
    assert (home / ".local/state/mailtoken/keyring").is_dir()


@pytest.mark.parametrize("option", ["", "--user"])
def test_status_starts_nothing_and_makes_no_folder(home, option):
    before = sorted(home.rglob("*"))
    run = as_nobody(home, f'"$0" {option} status')
    assert run.returncode != 0 and run.stdout == ""
    assert "no account of yours is signed in" in run.stderr
    assert "mailtoken login ACCOUNT" in run.stderr
    assert sorted(home.rglob("*")) == before


def test_a_runtime_folder_that_is_gone_is_named(home):
    """As after the session ended that set it."""
    run = as_nobody(home, '"$0" --user refresh --due',
                    XDG_RUNTIME_DIR="/run/user/none")
    assert run.returncode != 0
    assert "XDG_RUNTIME_DIR names /run/user/none, which is not there" in \
        " ".join(run.stderr.split())
    assert "unset XDG_RUNTIME_DIR" in run.stderr


@pytest.mark.parametrize("session_first", [False, True])
def test_one_helper_serves_both_places_of_a_user(home, session_first):
    """Case 63: started from cron, which has no XDG_RUNTIME_DIR, asked from a
    session, or the other way round; and what starts a second one there is
    told where the first is."""
    session = home.parent / "session"
    session.mkdir()
    os.chown(session, 65534, 65534)
    places = [f"XDG_RUNTIME_DIR={session}", "env -u XDG_RUNTIME_DIR"]
    there, here = places if session_first else reversed(places)
    run = as_nobody(home, f'{there} "$0" --user refresh --due; '
                    f'{here} "$0" --user version --json; ' * 2)
    first, second = [json.loads(line) for line in run.stdout.splitlines()]
    end(first)
    assert first == second
    assert any(session.iterdir()) == session_first


@pytest.mark.parametrize("folder, start", [
    ("/run/nothing", "mailtokend --background"),
    ("/run/systemd/system", "systemctl enable --now mailtoken.socket")])
def test_a_system_helper_that_is_down_is_not_replaced_by_ones_own(
        home, folder, start):
    path = paths.configured("system_socket")
    if not path.startswith("/run/"):
        pytest.skip("needs a socket below /run")
    listen = ("import os, socket, sys; os.makedirs(os.path.dirname("
              "sys.argv[1])); socket.socket(socket.AF_UNIX).bind("
              "sys.argv[1]); os.chmod(sys.argv[1], 0o666)")
    script = ('mount -t tmpfs -o mode=755 tmpfs /run && '
              'mkdir -p "$5" && "$1" -c "$2" "$3" && '
              'exec setpriv --reuid=65534 --regid=65534 --clear-groups '
              '"$4/mailtoken" status')
    run = at_home(home, ["unshare", "-m", "sh", "-c", script, "sh",
                         sys.executable, listen, path, str(home.parent),
                         folder])
    if "mount:" in run.stderr:
        pytest.skip("cannot mount here")
    assert run.returncode == 75
    assert "the system's helper does not answer" in run.stderr
    assert f'start it with "{start}"' in run.stderr
    assert "--user" in run.stderr
    assert not list(home.iterdir())


@pytest.mark.parametrize("helper,said", [
    ("exit 3", 'mailtokend did not start (status 3): run "mailtokend" to see '
     "why"),
    ("kill -9 $$", "mailtokend did not start (status 137)"),
    ("echo mailtokend: too early >&2; echo mailtokend: no disk >&2; exit 1",
     "mailtokend did not start: no disk")])
def test_a_start_that_fails_is_told(home, helper, said):
    run = as_nobody(home, '"$0" --user refresh --due', helper)
    assert run.returncode == 75 and run.stdout == ""
    assert run.stderr.startswith(f"mailtoken: {said}")


def test_a_helper_that_is_not_installed_is_told(home):
    path = installed_helper()
    if path is None or os.path.exists(path):
        pytest.skip("needs a configured build that is not installed")
    run = at_home(home, ["setpriv", "--reuid=65534", "--regid=65534",
                         "--clear-groups", str(home.parent / "mailtoken"),
                         "--user", "refresh", "--due"])
    assert run.returncode == 75
    assert f"cannot run {path}: No such file or directory" in run.stderr


def test_a_helper_that_is_started_keeps_nothing_of_its_starter(home):
    """Not the connections of a mail program that asks for a token."""
    helper = (f"cd {home}; echo \"$@\" >args; for n in 0 3 4 5 6 7 8 9; do "
              "[ -e /proc/$$/fd/$n ] && readlink /proc/$$/fd/$n >>fds; done; "
              "grep SigIgn /proc/self/status >signals; "
              "ps -o sid= $$ >session; echo $$ >pid; exit 3")
    as_nobody(home, 'trap "" PIPE HUP; exec "$0" --user refresh --due '
              "7</etc/passwd 9</etc/group", helper)
    assert (home / "args").read_text() == "--background\n"
    fds = (home / "fds").read_text()
    assert fds.startswith("/dev/null\n") and "/etc/" not in fds
    assert int((home / "signals").read_text().split()[1], 16) & 0x1fff == 0
    assert (home / "session").read_text().strip() == \
        (home / "pid").read_text().strip()


def test_a_start_that_hangs_is_not_waited_for_without_end(home):
    run = as_nobody(home, '"$0" --user refresh --due', "exec sleep 600")
    assert run.returncode == 75
    assert "mailtokend takes long to start" in run.stderr


@pytest.mark.parametrize("args,env,asked", [
    (["--socket", "/of/option"], "/of/env", "/of/option"),
    ([], "/of/env", "/of/env"), (["--system"], "/of/env", None)])
def test_an_option_decides_and_then_the_environment(program, args, env,
                                                    asked):
    if asked is None:
        asked = paths.configured("system_socket")
        if os.path.exists(asked):
            pytest.skip("a system helper is here")
    run = subprocess.run(
        [program, *args, "status"], env=environment(MAILTOKEN_SOCKET=env),
        capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert run.returncode == 75
    assert f"({asked}: No such file or directory)" in run.stderr


@pytest.mark.parametrize("path,said", [
    ("relative", "a socket is named by its whole path, beginning with /"),
    ("/" + "a" * 200, "longer than the system allows (107 bytes)")])
def test_a_path_that_is_none_is_told(program, path, said):
    run = subprocess.run(
        [program, "--socket", path, "status"], env=environment(),
        capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert run.returncode == 2 and said in run.stderr


@pytest.mark.parametrize("args,env", [
    (["--socket", "relative"], {}), (["--user"], {}),
    ([], {"MAILTOKEN_SOCKET": "relative"})])
def test_what_cannot_be_asked_is_not_asked_of_the_system(program, tmp_path,
                                                         args, env):
    """Not for the second of several, either."""
    for name in ("a@b", "c@d"):
        (tmp_path / name).write_text("{}")
    run = subprocess.run(
        ["env", "-u", "HOME", "-u", "XDG_RUNTIME_DIR", "-u", "XDG_STATE_HOME",
         "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
         program, *args, "rekey", "a@b", "c@d"], env=environment(**env),
        capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    first, second = run.stderr.splitlines()
    assert first == second
    assert paths.configured("system_socket") not in first
