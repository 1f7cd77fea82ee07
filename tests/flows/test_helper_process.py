# SPDX-License-Identifier: BSD-2-Clause
"""Starting, stopping, and what a process gives away."""

import os
import pwd
import re
import select
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

import paths
from bed import DEADLINE_S, in_time, wait_for
from bed_helper import ROOT
from helper_line import all_answer, ask, takes_connections

JO = "jo@example.org"
ANN = "ann@example.org"


def test_sigterm_loses_no_token_that_is_on_its_way(helper, idp):
    helper.seed(age=4000)
    helper.start()
    with idp.holding("token"):
        waiters = [helper.connect().send("token", account=JO,
                                         server="localhost")
                   for _ in range(5)]
        idp.wait_request("token")
        assert helper.status()["state"] == "refreshing"  # all are accepted
        helper.signal()
        helper.wait_log("event=stop")
        helper.signal()     # a second one shortens nothing
        with pytest.raises(OSError):
            helper.connect()
    for waiter in waiters:
        answer = waiter.next()
        assert answer["result"] == "ok"
    assert helper.wait() == 0
    assert helper.record()["refresh-token"] == idp.current_refresh(JO)
    assert helper.record()["access-token"] == answer["token"]
    assert helper.refreshes() == 1
    helper.start()
    assert helper.token()["token"] == answer["token"]


def test_sigterm_answers_who_waits_for_a_turn(helper, idp):
    for i in range(40):
        helper.seed(f"a{i}@example.org", age=4000)
    helper.start()
    with idp.holding("token"):
        lines = [helper.connect().send("token", server="localhost",
                                       account=f"a{i}@example.org")
                 for i in range(40)]
        idp.wait_request("token", 32)
        assert helper.ask("version")["result"] == "ok"  # all are accepted
        helper.signal()
        helper.wait_log("event=stop")
    results = [line.next()["result"] for line in lines]
    assert sorted(results) == ["ok"] * 32 + ["try-later"] * 8
    assert helper.wait() == 0
    assert helper.refreshes() == 32


def test_sigterm_ends_an_idle_helper_and_its_watchers(helper):
    helper.start()
    watch = helper.connect().send("watch")
    watch.next()
    silent = helper.connect()
    helper.signal(signal.SIGINT)
    assert watch.rest()[-1]["result"] == "try-later"
    assert helper.wait() == 0
    silent.close()


@pytest.mark.parametrize("verb", ["sign-in", "watch"])
def test_nothing_endless_begins_in_a_helper_that_stops(helper, idp, verb):
    helper.seed(age=4000)

    def ask_slowly():
        helper.start()
        stops = helper.log().count("event=stop")
        asked = len(idp.requests)
        with idp.holding("token"):
            waiter = helper.connect().send("refresh", account=JO)
            idp.wait_request("token", asked + 1)
            with helper.connect() as line:
                line.raw(b"mailtoken=1\n")
                # Now it is accepted.
                assert helper.ask("version")["result"] == "ok"
                helper.signal()
                helper.wait_log("event=stop", stops + 1)
                line.raw(f"verb={verb}\naccount={ANN}\n\n".encode())
                answer = line.next()
        assert waiter.next()["result"] == "ok"
        assert helper.wait() == 0
        assert answer["result"] == "try-later"
        assert answer["retry-after"] == "1"

    in_time(ask_slowly)


def test_status_of_many_accounts_leaves_no_records_in_memory(helper):
    if paths.sanitized() or "MAILTOKEN_TEST_VALGRIND" in os.environ:
        pytest.skip("its memory says nothing in such a build")
    for i in range(2000):
        helper.seed(f"a{i}@example.org", age=86400)
    helper.start()

    def used():
        status = Path(f"/proc/{helper.process.pid}/status").read_text()
        return int(re.search(r"^RssAnon:\s+(\d+) kB", status, re.M)[1])

    before = used()
    with helper.connect() as line:
        assert len(line.send("status").rest()) == 2001
    assert used() - before < 3000
    assert helper.token("a77@example.org")["result"] == "ok"


def test_export_of_many_accounts_leaves_no_records_in_memory(helper):
    if paths.sanitized() or "MAILTOKEN_TEST_VALGRIND" in os.environ:
        pytest.skip("its memory says nothing in such a build")
    for i in range(200):
        helper.seed(f"a{i}@example.org", age=86400,
                    access_token="x" * 50000)
    helper.start()

    def used():
        status = Path(f"/proc/{helper.process.pid}/status").read_text()
        return int(re.search(r"^RssAnon:\s+(\d+) kB", status, re.M)[1])

    before = used()
    for i in range(200):
        assert helper.ask("export",
                          account=f"a{i}@example.org")["result"] == "ok"
    assert used() - before < 5000


@pytest.mark.slow
def test_sigterm_waits_at_most_20_seconds(helper, idp):
    helper.seed(age=4000)
    helper.start()
    idp.fault("token", "silent")
    waiter = helper.later(helper.token)
    idp.wait_request("token")
    helper.signal()
    assert helper.wait() == 0
    assert waiter()["result"] in ("timeout", "try-later")


def test_dead_socket_is_replaced(helper):
    helper.start()
    helper.signal(signal.SIGKILL)
    helper.wait()
    assert os.path.exists(helper.socket)
    helper.start()
    assert helper.ask("version")["result"] == "ok"


def test_helper_that_waits_for_the_keyring_says_so_and_stays(helper, beds):
    old = helper.seed(age=10)
    helper.start()
    other = beds()
    other.keyring = helper.keyring
    other.launch()
    other.wait_log("waiting for it to end")
    other.signal(signal.SIGHUP)
    helper.stop()
    assert other.token()["token"] == old.access_token


def test_several_sockets_are_one_helper(beds):
    bed = beds(sockets=3)
    old = bed.seed(age=10)
    bed.start()
    for path in bed.sockets:
        answer = ask(path, "token", account=JO, server="localhost")
        assert answer["token"] == old.access_token
    assert bed.stop() == 0


def test_a_folder_that_only_root_can_make_is_told_with_its_command(root,
                                                                   helper):
    os.rmdir(helper.path("run"))
    helper.launch()
    assert helper.wait() == 1
    typed = re.search(r"as root: (mkdir .*); or", helper.log())[1]
    subprocess.run(typed, shell=True, check=True, umask=0o022)
    helper.start()
    assert os.stat(helper.path("run")).st_uid == helper.user.pw_uid
    assert helper.ask("version", uid=4711)["result"] == "ok"


def test_helper_of_root_gives_up_root_for_good(root, helper):
    helper.start()
    status = Path(f"/proc/{helper.process.pid}/status").read_text()
    uid = str(helper.user.pw_uid)
    assert re.search(r"^Uid:\s+(.*)$", status, re.M)[1].split() == [uid] * 4
    assert re.search(r"^CapEff:\s+0+$", status, re.M)
    assert re.search(r"^CapPrm:\s+0+$", status, re.M)
    assert re.search(r"^NoNewPrivs:\s+1$", status, re.M)


def test_working_as_root_is_refused(root, helper):
    helper.user = pwd.getpwnam("root")
    helper.launch()
    assert helper.wait() not in (0, None)
    helper.wait_log("--user")
    assert not os.path.exists(helper.socket)


def test_missing_user_is_told(root, helper):
    helper.options = ["--user", "no-such-user-here"]
    helper.launch()
    assert helper.wait() != 0
    helper.wait_log("no-such-user-here")


def test_memory_can_not_be_dumped(helper):
    helper.start()
    process = Path(f"/proc/{helper.process.pid}")
    limits = (process / "limits").read_text()
    assert re.search(r"^Max core file size +0 +0 ", limits, re.M)
    # The kernel gives the files of such a process to root.
    assert (process / "environ").stat().st_uid == 0


def test_no_secret_is_shown_by_the_kernel(root, helper, idp):
    helper.seed(age=4000)
    helper.start()
    assert helper.token()["result"] == "ok"
    process = Path(f"/proc/{helper.process.pid}")
    for name in ("cmdline", "environ", "comm"):
        shown = (process / name).read_bytes().decode()
        assert shown
        for secret in idp.secrets():
            assert secret not in shown


def test_whole_life_leaves_no_secret_in_the_log(helper, idp):
    """The rest of the suite looks as well: see Bed.end()."""
    helper.start()
    with helper.connect() as line:
        shown = line.send("sign-in", account=JO).next()
        idp.approve(shown["user-code"], JO)
        assert line.rest()[-1]["result"] == "ok"
    helper.ask("refresh", account=JO)
    token = helper.token()
    helper.ask("rejected", account=JO, serial=token["serial"],
               challenge="{" + token["token"][:40] + "}")
    for kind, details in (("html", {}), ("malformed", {}),
                          ("http_error", {"status": 500})):
        idp.fault("token", kind, **details)
        helper.ask("refresh", account=JO)
    helper.ask("status")
    helper.ask("forget", account=JO)
    assert helper.stop() == 0
    log = helper.log()
    assert "event=request" in log
    for secret in idp.secrets():
        assert secret not in log


def activated(bed, *listen):
    """Start bed by a supervisor that hands sockets over."""
    tool = shutil.which("systemd-socket-activate")
    if tool is None:
        pytest.skip("no socket activation here")
    words = [tool]
    for path in listen:
        words += ["--listen", path]
    # It passes on no environment but what it is told to.
    words += [f"--setenv={name}" for name in
              ("JOURNAL_STREAM", "PATH", "ASAN_OPTIONS")]
    if bed.clock:
        words += ["--setenv=MAILTOKEN_TEST_CLOCK"]
    return words


def test_handed_over_sockets_are_served(helper):
    old = helper.seed(age=10)
    handed = helper.socket
    words = activated(helper, handed)
    helper.sockets = []
    helper.launch(before=words)
    wait_for(lambda: takes_connections(handed))
    os.chmod(handed, 0o666)
    assert helper.token()["token"] == old.access_token
    assert helper.ask("version", uid=4711 if os.geteuid() == 0 else None)[
        "result"] == "ok"
    assert helper.stop() == 0
    assert os.path.exists(handed)       # it is the supervisor's


def start_as_own(bed):
    """Start bed as a user's own helper, by that user's systemd."""
    words = activated(bed, bed.socket)
    if ROOT:
        words = ["setpriv", f"--reuid={bed.user.pw_uid}",
                 f"--regid={bed.user.pw_gid}", "--clear-groups", *words]
    bed.config = bed.path("config", "mailtoken", "mailtoken.conf")
    os.makedirs(os.path.dirname(bed.config))
    bed.configure()
    # Where this user may go, whoever owns the build.
    program = shutil.copy(bed.argv()[0], bed.path("mailtokend"))
    bed.argv = lambda: [program]
    bed.launch(before=[*words, f"--setenv=HOME={bed.folder}",
                       f"--setenv=XDG_STATE_HOME={bed.path('state')}",
                       f"--setenv=XDG_CONFIG_HOME={bed.path('config')}"])
    wait_for(lambda: takes_connections(bed.socket))


def test_users_helper_ends_after_ten_idle_minutes(clocked):
    start_as_own(clocked)
    for _ in range(3):
        assert clocked.ask("version")["result"] == "ok"
        clocked.clock.boot(9 * 60 * 1000)
    with clocked.connect() as line:
        line.send("watch").next()
        clocked.clock.boot(11 * 60 * 1000)      # somebody is there
        assert clocked.ask("version")["result"] == "ok"
    # The timer may be early; what is left must not become ten minutes.
    clocked.clock.boot(10 * 60 * 1000 - 500)
    assert clocked.wait() == 0
    assert os.path.exists(clocked.socket)       # the next one is asked there


def test_system_helper_never_ends_for_idleness(clocked):
    words = activated(clocked, clocked.socket)
    clocked.launch(before=words)
    wait_for(lambda: takes_connections(clocked.socket))
    assert clocked.ask("version")["result"] == "ok"
    clocked.clock.boot(24 * 3600 * 1000)
    assert clocked.ask("version")["result"] == "ok"
    assert clocked.stop() == 0


def test_path_that_was_not_handed_over_is_a_warning(helper):
    handed = helper.socket
    words = activated(helper, handed)
    helper.sockets = [handed, helper.path("run", "other")]
    helper.launch(before=words)
    wait_for(lambda: takes_connections(handed))
    assert helper.ask("version")["result"] == "ok"
    helper.wait_log("was not handed over")
    assert not os.path.exists(helper.path("run", "other"))


def test_background_returns_when_it_can_be_asked(helper):
    helper.seed(age=10)
    helper.options = ["--background"]
    helper.launch()
    assert helper.wait() == 0
    answer = helper.ask("version")
    pid = int(answer["pid"])
    try:
        assert helper.token()["result"] == "ok"
    finally:
        background = os.pidfd_open(pid)
        signal.pidfd_send_signal(background, signal.SIGTERM)
        # Who reaps it, and when, is not ours to know.
        assert select.select([background], [], [], DEADLINE_S)[0]
        os.close(background)


@pytest.mark.parametrize("option", [["--no-such-option"], ["word"],
                                    ["--log-level", "loud"]])
def test_bad_usage_ends_the_start(helper, option):
    helper.options = option
    helper.launch()
    assert helper.wait() == 2


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_is_printed_and_no_error(option):
    run = subprocess.run([str(paths.program("mailtokend")), option],
                         capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.startswith("usage: mailtokend ")


def test_two_that_start_at_once_leave_one_that_can_be_reached(helper):
    """One is held up where it is about to remove a dead socket."""
    if shutil.which("strace") is None:
        pytest.skip("no strace here")
    helper.seed(age=10)
    helper.start()
    helper.signal(signal.SIGKILL)
    helper.wait()
    assert os.path.exists(helper.socket)
    slow = helper.launch(before=(
        "strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e",
        "trace=unlinkat", "-e", "inject=unlinkat:delay_enter=1500000"))
    time.sleep(0.7)
    fast = helper.launch()
    try:
        ended = wait_for(lambda: next(
            (one for one in (slow, fast) if one.poll() is not None), None),
            what="the end of one of the two")
        assert ended.returncode != 0
        wait_for(lambda: all_answer([helper.socket]))
        assert helper.token()["result"] == "ok"
        helper.wait_log("another helper listens")
    finally:
        for one in (slow, fast):
            if one.poll() is None:
                one.send_signal(signal.SIGTERM)
                one.wait(DEADLINE_S)


def test_version_tells_admins_how_the_helper_stands(helper):
    began = int(time.time())
    said = helper.start().ask("version")
    assert began - 1 <= int(said["started"]) <= time.time() + 1
    helper.wait_log(said["sandbox"])
    assert "landlock" in said["sandbox"]
    assert (said["config"], said["stale"]) == (helper.config, "no")
    assert "warning" not in said
    helper.configure(more="this is no line of it")
    helper.restart()
    said = helper.ask("version")
    assert "mailtoken.conf:" in said["warning"] and "keyring" not in said


def test_a_helper_that_is_older_than_its_program_says_so(helper):
    program = helper.path("mailtokend")
    shutil.copy(paths.program("mailtokend"), program)
    os.chmod(program, 0o755)
    _first, *rest = helper.argv()
    helper.argv = lambda: [program, *rest]
    helper.start()
    assert helper.ask("status").all("warning") == []
    os.unlink(program)
    shutil.copy(paths.program("mailtokend"), program)
    assert helper.ask("version")["stale"] == "yes"
    warning, = helper.ask("status").all("warning")
    assert "older than its program" in warning
    assert "systemctl restart mailtokend.service" in warning
    os.chmod(program, 0o755)
    helper.restart()
    assert helper.ask("version")["stale"] == "no"
