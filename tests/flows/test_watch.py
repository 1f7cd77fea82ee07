# SPDX-License-Identifier: BSD-2-Clause
"""mailtoken watch with a real helper."""

import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

import paths
from bed import DEADLINE_S, wait_for
from bed_cli import Conversation, Running

JO = "jo@example.org"
# No line of its own may come of it.
END = r"end\nBcc:eve@example.org"


def test_watch_lives_through_a_restart_and_misses_nothing(helper):
    helper.seed()
    helper.start()
    with Running(
            [str(paths.program("mailtoken")), "--socket", helper.socket,
             "watch"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True) as watch:
        assert watch.stdout.readline() == (
            f'account={JO} state=active text=""\n')
        assert helper.stop() == 0
        assert watch.stderr.readline() == (
            "mailtoken: the helper went away; waiting for it\n")
        helper.seed(state="login-needed", text="sign in again")
        helper.start()
        assert watch.stdout.readline() == (
            f'account={JO} state=login-needed text="sign in again"\n')
        assert helper.ask("forget", account=JO)["result"] == "ok"
        assert watch.stdout.readline() == (
            f'account={JO} state=empty text=""\n')
        watch.send_signal(signal.SIGTERM)
        assert watch.communicate()[0] == ""


# -- --exec ---------------------------------------------------------------

def state(word, account=JO, **more):
    return {"account": account, "provider": "p", "state": word,
            "unsaved": "no", **more}


def told(mailtoken, place, *turns, command="", lines=1):
    """What the command said, and what was said of it."""
    helper = Conversation(place, *turns)
    with mailtoken.start("watch", "--exec", command) as run:
        said = []
        while len(said) < lines:
            line = run.stdout.readline()
            assert line, "it ended"
            if not line.startswith("account="):
                said.append(line.rstrip("\n"))
        run.send_signal(signal.SIGTERM)
        errors = run.communicate()[1]
    helper.end()
    return said, errors


def test_a_command_is_told_a_state_once(mailtoken, place):
    """Whatever a restart makes the helper say again."""
    said, _ = told(
        mailtoken, place,
        lambda talk: (talk.watching(state("active"),
                                    state("backoff", "bo@example.org")),
                      talk.send(state("active"), state("login-needed"))),
        lambda talk: (talk.watching(state("login-needed"),
                                    state("refreshing", "bo@example.org")),
                      talk.send(state("login-needed", unsaved="yes"),
                                state("active"),
                                state("active", "bo@example.org")),
                      talk.wait_close()),
        command="echo $MAILTOKEN_ACCOUNT: $MAILTOKEN_PREVIOUS_STATE, "
                "$MAILTOKEN_STATE", lines=6)
    assert said == [
        f"{JO}: , active", "bo@example.org: , backoff",
        f"{JO}: active, login-needed", f"{JO}: login-needed, login-needed",
        f"{JO}: login-needed, active", "bo@example.org: backoff, active"]


def test_a_command_that_hangs_is_ended_with_what_it_started(
        mailtoken, place):
    began = time.monotonic()
    said, errors = told(
        mailtoken, place,
        lambda talk: (talk.watching(state("active"), state("backoff")),
                      talk.wait_close()),
        command="case $MAILTOKEN_STATE in active) sleep 60 >/dev/null 2>&1 & "
                "echo $!; wait;; *) echo next;; esac", lines=2)
    assert said[1] == "next"
    assert 9.5 < time.monotonic() - began < DEADLINE_S
    assert "the command took longer than 10 s and was ended" in errors
    wait_for(lambda: not Path("/proc", said[0]).exists() or
             ") Z" in Path("/proc", said[0], "stat").read_text(), 10)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM,
                                    signal.SIGHUP])
def test_what_ends_watch_ends_the_command(mailtoken, place, number):
    helper = Conversation(place, lambda talk: (
        talk.watching(state("active")), talk.wait_close()))
    with mailtoken.start("watch", "--exec",
                         "echo $$; sleep 60 >/dev/null 2>&1; :") as run:
        assert run.stdout.readline().startswith("account=")
        pid = run.stdout.readline().rstrip("\n")
        run.send_signal(number)
        assert run.wait(DEADLINE_S) == -number
    wait_for(lambda: not Path("/proc", pid).exists() or
             ") Z" in Path("/proc", pid, "stat").read_text(), 20)
    helper.end()


def test_a_command_gets_nothing_but_its_variables(mailtoken, place):
    """No connection of ours, and no signal blocked."""
    said, _ = told(
        mailtoken, place,
        lambda talk: (talk.watching(state("active")), talk.wait_close()),
        command="ls /proc/self/fd | tr '\\n' ' '; "
                "grep SigBlk /proc/self/status", lines=1)
    assert said == ["0 1 2 3 SigBlk:\t0000000000000000"]


@pytest.mark.parametrize("unit,sends,wanted", [
    ("mailtoken-notify.service", "/usr/sbin/sendmail", [
        f"To: root|Subject: mailtoken: {JO}: login-needed||do it|",
        f"To: root|Subject: mailtoken: {JO}: active||It is well again.|",
        rf"To: root|Subject: mailtoken: {END}: login-needed||end|"]),
    ("user/mailtoken-notify.service", "notify-send", [
        f"-u critical -a mailtoken -- {JO}: login-needed do it"])])
def test_the_units_that_notify_do(mailtoken, place, tmp_path, unit, sends,
                                  wanted):
    """What they have watch run, with a program that keeps what it gets."""
    text = (paths.BUILD / "packaging" / "systemd" / unit).read_text()
    text = re.sub(r"\\\n", " ", text)
    command = re.search(r"^ExecStart=\S+ --(?:system|user) watch --exec "
                        r"'(.*)'$", text, re.M)[1]
    # As systemd takes them out of its quotes, systemd.service(5).
    command = command.replace("$$", "$").replace("%%", "%") \
        .replace("\\\\", "\\")
    assert sends in command
    fake = tmp_path / "fake"
    fake.write_text("#!/bin/sh\n" + (
        "tr '\\n' '|'; echo\n" if "sendmail" in sends else
        'echo "$@"\n'))
    fake.chmod(0o755)
    said, errors = told(
        mailtoken, place,
        lambda talk: (talk.watching(state("active")),
                      talk.send(state("backoff", text="no answer"),
                                state("login-needed", text="do it"),
                                state("active"),
                                state("login-needed", END, text="end")),
                      talk.wait_close()),
        command=command.replace(sends, str(fake)), lines=len(wanted))
    assert said == wanted and errors == ""
