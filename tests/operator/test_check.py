# SPDX-License-Identifier: BSD-2-Clause
"""mailtoken check: the guidelines of monitoring-plugins, with real helpers."""

import re
import subprocess
import time

import pytest

from bed import wait_for
from bed_cli import Command, Conversation

JO = "jo@example.org"
DAY_S = 86400
WORDS = ["OK", "WARNING", "CRITICAL", "UNKNOWN"]
# 'label'=value[UOM];[warn];[crit];[min];[max]
FIGURE = r"[a-z_]+=-?\d+s?(;\d*:?){0,4}"


@pytest.fixture
def check(program, helper):
    """mailtoken check; its status and line."""
    def run(*args):
        got = Command(program, helper.socket)("check", *args)
        assert got.stderr == "" and got.stdout.count("\n") == 1, got
        line = got.stdout.rstrip("\n")
        assert line.startswith(f"MAILTOKEN {WORDS[got.returncode]} - ")
        text, bar, figures = line.partition(" | ")
        assert "|" not in text + figures
        if bar:
            for figure in figures.split():
                assert re.fullmatch(FIGURE, figure), figure
        return got.returncode, line
    return run


def test_all_is_well(helper, check):
    helper.seed()
    helper.seed("bo@example.org")
    helper.start()
    status, line = check()
    assert status == 0
    assert line.startswith("MAILTOKEN OK - 2 accounts are active | "
                           "accounts=2;;;0 failing=0;;;0 unsaved=0;;;0")
    assert check(JO)[1].startswith("MAILTOKEN OK - 1 account is active | ")


def test_who_must_sign_in_is_critical(helper, check):
    helper.seed()
    helper.seed("bo@example.org", state="login-needed",
                text="sign in again | soon")
    helper.seed("cy@example.org", state="config-error", text="no client")
    helper.start()
    status, line = check()
    assert status == 2 and "failing=2;" in line and "(and 1 more)" in line
    assert check("bo@example.org")[0] == 2
    assert "bo@example.org: login-needed: sign in again / soon" in \
        check("bo@example.org")[1]
    assert check(JO)[0] == 0


def test_a_failure_for_now_is_critical_without_a_token(idp, helper, check):
    helper.seed()
    helper.seed("bo@example.org", age=3600)
    helper.start()
    idp.fault("token", "http_error", times=None, status=503)
    assert helper.ask("refresh", account=JO)["result"] == "try-later"
    status, line = check(JO)
    assert status == 1 and f"{JO}: backoff: " in line
    assert helper.ask("refresh", account="bo@example.org")["result"] == \
        "try-later"
    status, line = check()
    assert status == 2 and "bo@example.org: backoff: " in line
    assert "failing=2;" in line


@pytest.mark.parametrize("left_s,args,wanted", [
    (8 * DAY_S, (), 0), (6 * DAY_S, (), 1), (DAY_S // 2, (), 2),
    (8 * DAY_S, ("--warning", str(9 * DAY_S)), 1),
    (6 * DAY_S, ("--critical", str(7 * DAY_S), "--warning",
                 str(8 * DAY_S)), 2),
    (DAY_S // 2, ("--critical", "0", "--warning", "0"), 0)])
def test_a_grants_end_comes_in_time(helper, check, left_s, args, wanted):
    helper.seed(grant_expires=int(time.time()) + left_s)
    helper.start()
    status, line = check(*args)
    assert status == wanted
    left, warning, critical = re.search(
        r" grant_left=(-?\d+)s;(\d+):;(\d+):", line).groups()
    assert left_s - 60 < int(left) <= left_s
    assert warning == (args[args.index("--warning") + 1]
                       if "--warning" in args else str(7 * DAY_S))
    if wanted:
        assert f"{JO} must sign in again within " in line
        assert "run mailtoken login" in line


def test_what_a_server_refuses_is_a_warning(helper, check):
    helper.seed()
    helper.start()
    helper.ask("rejected", account=JO, server="localhost", service="smtp",
               serial=helper.token()["serial"])
    status, line = check()
    assert status == 1 and "localhost (smtp) refused the token" in line


def test_no_helper_is_critical_and_no_account_unknown(helper, check):
    status, line = check()
    assert status == 2 and "start mailtokend" in line and " | " not in line
    assert check("--alive")[0] == 2
    helper.start()
    assert check()[0] == 3
    status, line = check("nobody@example.org")
    assert status == 2 and "not signed in" in line


def test_who_may_see_no_account_sees_how_many_there_are(root, helper,
                                                        program):
    """A monitor needs no line in the configuration."""
    helper.seed(grant_expires=int(time.time()) + DAY_S // 2)
    helper.start()

    def check(*args):
        got = subprocess.run(
            ["setpriv", "--reuid=5", "--regid=5", "--clear-groups", program,
             "--socket", helper.socket, "check", *args], text=True,
            capture_output=True, check=False)
        assert got.stdout.startswith(f"MAILTOKEN {WORDS[got.returncode]} - ")
        assert got.stderr == "" and "@" not in got.stdout
        return got.returncode, got.stdout

    status, line = check()
    assert status == 2 and "accounts=1;;;0 failing=0" in line
    assert "an account must sign in again within 1" in line
    status, line = check("--warning", "0", "--critical", "0")
    assert status == 0 and " - 1 account is active | accounts=1;" in line
    for i in range(2):
        helper.seed(f"u{i}@example.org", state="login-needed", text="again")
    helper.restart()
    status, line = check("--critical", "0")
    assert status == 2 and "accounts=3;;;0 failing=2;" in line
    assert "accounts that must sign in again: 2 (" in line or \
        line.partition(" | ")[0].endswith("sign in again: 2")


@pytest.fixture
def monitor(root, helper, program):
    """mailtoken check of a user who is in no list."""
    def run(*args):
        got = subprocess.run(
            ["setpriv", "--reuid=5", "--regid=5", "--clear-groups", program,
             "--socket", helper.socket, "check", *args], text=True,
            capture_output=True, check=False)
        return got.returncode, got.stdout
    return run


def test_a_failure_is_one_while_another_try_runs(idp, helper, check,
                                                 monitor):
    helper.seed()
    helper.seed("bo@example.org", age=3600)
    helper.start()
    idp.fault("token", "http_error", times=None, status=503)
    for name in (JO, "bo@example.org"):
        assert helper.ask("refresh", account=name)["result"] == "try-later"
    assert "have no token any more: 1" in monitor()[1]
    assert monitor()[0] == 2
    idp.clear_faults()
    with idp.holding("token"):
        lines = [helper.connect().send("refresh", account=name)
                 for name in (JO, "bo@example.org")]
        for name in (JO, "bo@example.org"):
            with helper.connect() as line:
                wait_for(lambda: "refreshing" in check(name)[1])
                line.close()
        assert check(JO)[0] == 1
        status, line = check()
        assert status == 2 and "bo@example.org: refreshing: " in line
        assert "failing=2;" in line
        status, line = monitor()
        assert status == 2 and "failing=2;" in line
    for line in lines:
        assert line.next()["result"] == "ok"
    wait_for(lambda: check()[0] == 0)
    assert monitor()[0] == 0


def test_who_may_not_see_the_account_does_not_know(helper, check, monitor):
    helper.seed()
    helper.start()
    assert check(JO)[0] == 0
    for name in (JO, "nobody@example.org"):
        status, line = monitor(name)
        assert status == 3 and "or not allowed" in line


def test_an_account_without_any_token_is_critical(mailtoken, place):
    helper = Conversation(place, lambda talk: talk.send(
        {"account": JO, "state": "backoff", "unsaved": "no",
         "text": "cannot be read"}, {"result": "ok"}))
    got = mailtoken("check")
    helper.end()
    assert got.returncode == 2 and "cannot be read" in got.stdout


def test_alive_whatever_the_accounts_are(helper, check):
    helper.seed(state="login-needed", text="sign in again")
    helper.start()
    status, line = check("--alive")
    assert status == 0
    assert re.fullmatch(r"MAILTOKEN OK - the helper answers \(version "
                        r"[\w.~+-]+\)", line)


@pytest.mark.parametrize("args", [
    ["check", "--warning", "soon"], ["check", "--critical", "-1"],
    ["check", "--nonsense"], ["check", "a", "b"], ["--nonsense", "check"],
    ["--warning=1", "--warning=2", "check"], ["check", "--warning"]])
def test_a_wrong_command_line_is_unknown(program, helper, args):
    got = Command(program, helper.socket)(*args)
    assert got.returncode == 3 and got.stdout == ""
    assert "mailtoken: " in got.stderr
