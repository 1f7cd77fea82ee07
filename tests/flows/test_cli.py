# SPDX-License-Identifier: BSD-2-Clause
"""The command mailtoken against a stand-in for the helper.

Every verb's request, byte for byte; what is printed where; exit statuses;
a terminal; helpers that misbehave.
"""

import json
import os
import re
import resource
import signal
import struct
import subprocess
import threading
import time
from pathlib import Path

import pytest

import paths
from bed import DEADLINE_S
from bed_cli import DONE, Conversation, environment, lists
from scripted_helper import FAULT_WORDS, ScriptedHelper

TOKEN = "eyJ0eXAi.the-secret-token.AAAA"
STATUS = {"login-needed": 1, "unknown-account": 1, "wrong-server": 1,
          "config-error": 1, "bad-request": 2, "try-later": 75, "busy": 75,
          "timeout": 75, "internal": 75, "denied": 77}
SHOW_CODE = {"event": "show-code", "user-code": "A1B2C3D4E",
             "verification-uri": "https://microsoft.com/devicelogin",
             "expires-in": "900"}
ASK = {"event": "ask", "question": "other-user",
       "identity": "bob@contoso.com",
       "text": "bob@contoso.com signed in, not alice@contoso.com; "
               "keep this?"}


@pytest.fixture
def helper(place):
    """A helper that answers well until told otherwise."""
    with ScriptedHelper(place, token=TOKEN) as scripted:
        yield scripted


REQUESTS = [
    (["login", "alice@contoso.com"],
     "verb=sign-in\naccount=alice@contoso.com\n"),
    (["login", "alice@contoso.com", "--provider", "microsoft", "--flow",
      "device", "--server", "smtp.contoso.com", "--server=*.contoso.com",
      "--as-delegate"],
     "verb=sign-in\naccount=alice@contoso.com\nprovider=microsoft\n"
     "flow=device\nservers=smtp.contoso.com *.contoso.com\n"
     "as-delegate=yes\n"),
    (["logout", "a@b"], "verb=forget\naccount=a@b\n"),
    (["logout", "--no-revoke", "a@b"],
     "verb=forget\naccount=a@b\nrevoke=no\n"),
    (["status"], "verb=status\n"),
    (["status", "a@b"], "verb=status\naccount=a@b\n"),
    (["token", "a@b"], "verb=token\naccount=a@b\n"),
    (["token", "a@b", "--server", "smtp.b", "--min-validity", "600"],
     "verb=token\naccount=a@b\nserver=smtp.b\nmin-validity=600\n"),
    (["refresh", "a@b"], "verb=refresh\naccount=a@b\n"),
    (["refresh", "--due"], "verb=refresh\ndue=yes\n"),
    (["watch"], "verb=watch\n"),
    (["reload"], "verb=reload\n"),
    (["version"], "verb=version\n"),
]
VERBS = [args for args, _ in REQUESTS]


@pytest.mark.parametrize("args,wanted", REQUESTS)
def test_each_verb_sends_these_bytes(mailtoken, helper, args, wanted):
    helper.add("fault", word="denied")
    mailtoken(*args)
    asked = helper.wait_request()[0]
    assert asked.raw == b"mailtoken=1\n" + wanted.encode() + b"\n"


@pytest.mark.parametrize("word", FAULT_WORDS)
@pytest.mark.parametrize("args", VERBS, ids=" ".join)
def test_each_fault_has_its_exit_status_and_sentence(mailtoken, helper,
                                                     word, args):
    helper.add("fault", word=word, text="Do this and that.", retry_after="7")
    run = mailtoken(*args)
    assert run.returncode == STATUS[word]
    assert "mailtoken: Do this and that.\n" in run.stderr
    assert "mailtoken: try again in 7 s\n" in run.stderr
    if args[0] not in ("login", "version"):
        assert run.stdout == ""


def test_a_fault_without_a_text_gets_one(mailtoken, helper):
    helper.add("answer", attributes=[("mailtoken", "1"),
                                     ("result", "login-needed")])
    run = mailtoken("token", "a@b")
    assert run.returncode == 1
    assert run.stderr == "mailtoken: the account must sign in again\n"


@pytest.mark.parametrize("kind,status,args", [
    (kind, status, args) for args in VERBS for kind, status in (
        ("close", 75), ("half", 1), ("garbage", 1), ("oversize", 1),
        ("wrong-first", 1))])
def test_a_helper_that_misbehaves_is_told_as_such(mailtoken, helper, kind,
                                                  status, args):
    helper.add(kind, times=None)
    run = mailtoken(*args)
    assert run.returncode == status
    assert re.search(r"^mailtoken: .*helper", run.stderr, re.M)
    assert TOKEN not in run.stderr
    if args[0] != "version":
        assert run.stdout == ""


def test_no_helper_is_try_later_and_says_what_to_start(mailtoken):
    run = mailtoken("token", "a@b")
    assert run.returncode == 75
    assert "start mailtokend" in run.stderr
    assert run.stdout == ""


def test_without_a_helper_of_ones_own_the_units_are_named(program, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("others' helpers may be started")
    run = subprocess.run(
        [program, "--user", "status"], capture_output=True, text=True,
        env=environment(HOME=str(tmp_path), XDG_RUNTIME_DIR=str(tmp_path)),
        timeout=DEADLINE_S, check=False)
    assert run.returncode == 75
    assert ('"systemctl --user enable --now mailtoken.socket '
            'mailtoken-renew.timer"') in run.stderr
    units = Path(__file__).resolve().parents[2] / "packaging/systemd/user"
    for name in ("mailtoken.socket", "mailtoken-renew.timer"):
        assert (units / (name + ".in")).exists()


def test_a_directory_that_others_may_write_is_not_asked(mailtoken, helper,
                                                        place):
    os.chmod(os.path.dirname(place), 0o770)
    run = mailtoken("token", "a@b")
    assert run.returncode == 1
    assert "chmod go-w" in run.stderr and "nothing was sent" in run.stderr
    assert len(helper.requests) == 0


def test_a_shared_directory_is_not_to_be_changed(mailtoken, helper, place):
    """Such as /tmp."""
    os.chmod(os.path.dirname(place), 0o1777)
    run = mailtoken("token", "a@b")
    assert run.returncode == 1 and "chmod" not in run.stderr
    assert "name a socket in a folder that only its owner may write to; " \
        "nothing was sent" in run.stderr
    assert len(helper.requests) == 0


@pytest.mark.parametrize("args", [
    [], ["nonsense"], ["status", "--nonsense"], ["login"],
    ["login", "a", "b"], ["login", "a\nb"], ["login", "a", "--server", "x y"],
    ["import", "mutt_oauth2", "--server", "x y"], ["import", "mutt"],
    ["import", "mutt_oauth2", "--server", ""], ["import", "sasl-xoauth2"],
    ["import", "mailtoken", "--account", "a"], ["import", "mailtoken", "x"],
    ["import", "mutt_oauth2", "--config", "x"],
    ["import", "sasl-xoauth2", "x", "y", "--account", "a"],
    ["token"], ["token", "a", "--min-validity", "86401"],
    ["token", "a", "--min-validity", "1h"], ["refresh"],
    ["refresh", "--due", "a"], ["status", "--user"], ["--json"],
    ["token", "a" * 255]])
def test_a_wrong_command_line_is_told_and_nothing_asked(mailtoken, helper,
                                                        args):
    run = mailtoken(*args)
    assert run.returncode == 2
    assert run.stderr.startswith("mailtoken: ") and run.stdout == ""
    assert len(helper.requests) == 0


def test_help_and_version_need_no_helper(mailtoken):
    run = mailtoken("--help")
    assert run.returncode == 0 and run.stderr == ""
    for args in VERBS:
        assert f"\n  {args[0]} " in run.stdout or \
            f"\n  {args[0]}\n" in run.stdout
        one = mailtoken(args[0], "--help")
        assert one.returncode == 0 and args[0] in one.stdout
    assert re.fullmatch(r"mailtoken \S+\n", mailtoken("--version").stdout)


def test_token_prints_the_bare_token(mailtoken, helper):
    run = mailtoken("token", "a@b")
    assert (run.returncode, run.stdout, run.stderr) == (0, TOKEN + "\n", "")


def test_token_carries_the_longest_token(mailtoken, helper):
    helper.token = "x" * 65000
    assert mailtoken("token", "a@b").stdout == "x" * 65000 + "\n"


@pytest.mark.parametrize("token", ["", "two words", "caf\u00e9", "a\tb"])
def test_a_token_that_cannot_be_one_is_not_printed(mailtoken, helper, token):
    helper.add("token", token=token)
    run = mailtoken("token", "a@b")
    assert run.returncode == 1 and run.stdout == ""
    assert "no usable token" in run.stderr


def test_an_answer_that_cannot_be_written_is_no_success(mailtoken, helper,
                                                        place):
    with open("/dev/full", "w") as full:
        run = subprocess.run(mailtoken.argv("token", "a@b"), stdout=full,
                             stderr=subprocess.PIPE, text=True,
                             timeout=DEADLINE_S, check=False)
    assert run.returncode == 1
    assert "cannot write the answer" in run.stderr
    assert TOKEN not in run.stderr


@pytest.mark.parametrize("step", [
    {"kind": "token", "token": TOKEN + " " + TOKEN}, {"kind": "half"},
    {"kind": "repeated", "name": "token"}, {"kind": "oversize"},
    {"kind": "wrong-first"},
    {"kind": "answer", "attributes": [
        ["mailtoken", "1"], ["result", "nonsense"], ["token", TOKEN]]}])
def test_secrets_never_reach_stderr(mailtoken, helper, step):
    helper.add(**step)
    run = mailtoken("token", "a@b")
    assert run.returncode == 1
    assert "secret" not in run.stderr and run.stdout == ""


def test_texts_of_the_helper_cannot_drive_the_terminal(mailtoken, helper):
    helper.add("fault", word="denied", text="a\033[2Jb\u009bc\u202ed")
    assert mailtoken("token", "a@b").stderr == "mailtoken: a?[2Jb?c?d\n"


def test_import_of_nothing_says_so(mailtoken, helper):
    run = mailtoken("import", "mailtoken")
    assert (run.returncode, run.stdout) == (0, "")
    assert run.stderr == (
        "mailtoken: standard input has no record: nothing to import\n")
    assert not helper.requests


def test_import_takes_as_many_files_as_there_are(mailtoken, helper, tmp_path):
    files = [tmp_path / f"a{i}@b" for i in range(70)]
    for path in files:
        path.write_text(json.dumps({"refresh_token": path.name,
                                    "client_id": "c"}))
    answer(helper, {"account": "a@b", "provider": "p"}, {"result": "ok"},
           times=None)
    run = mailtoken("import", "sasl-xoauth2", "--config", "/dev/null",
                    *map(str, files))
    assert run.returncode == 0
    assert [dict(asked.attributes)["account"] for asked in helper.requests] \
        == [path.name for path in files]


@pytest.mark.parametrize("words", [
    ["mutt_oauth2"], ["sasl-xoauth2", "/dev/stdin"], ["mailtoken"]])
def test_import_of_what_is_too_large_says_so(mailtoken, helper, words):
    run = subprocess.run(
        mailtoken.argv("import", *words), input="x" * 200000, text=True,
        capture_output=True, timeout=DEADLINE_S, check=False)
    assert run.returncode == 1
    assert ("too large to be a token file" in run.stderr
            or "not what mailtoken export writes" in run.stderr)
    assert len(helper.requests) == 0


@pytest.mark.parametrize("words", [
    ["token", "a@b"], ["export", "a@b"], ["import", "mutt_oauth2"]])
def test_what_holds_tokens_leaves_no_core(mailtoken, place, words):
    limits = []

    def turn(talk):
        pid = struct.unpack("3i", talk.credentials())[0]
        limits.append(Path(f"/proc/{pid}/limits").read_text())
        talk.send({"result": "denied"})

    helper = Conversation(place, turn)
    grant = json.dumps({"registration": "google", "email": "a@b",
                        "refresh_token": "r", "client_id": "c"})
    run = subprocess.run(mailtoken.argv(*words), input=grant, text=True,
                         capture_output=True, timeout=DEADLINE_S, check=False,
                         preexec_fn=lambda: resource.setrlimit(
                             resource.RLIMIT_CORE,
                             (resource.RLIM_INFINITY,) * 2))
    helper.end()
    assert run.returncode == 77
    assert re.search(r"^Max core file size +0 +0 ", limits[0], re.M)


# Half a day more than what is printed: however long the tests take.
IN_TEN_DAYS = int(time.time()) + 10 * 86400 + 43200
ACCOUNTS = [
    {"account": "alice@contoso.com", "provider": "microsoft",
     "state": "active", "servers": "smtp.office365.com",
     "expires": str(IN_TEN_DAYS), "unsaved": "no"},
    {"account": "bob@contoso.com", "provider": "microsoft",
     "state": "login-needed", "expires": "1", "unsaved": "yes",
     "text": "the refresh token was not used for too long (AADSTS700082): "
             "sign in again with \"mailtoken login bob@contoso.com\""},
    {"account": "nobody@contoso.com", "state": "empty", "unsaved": "no"},
]


def answer(helper, *records, times=1):
    """The next answer is these lists."""
    helper.add("garbage", bytes=lists(*records).hex(), times=times)


def test_status_is_a_table(mailtoken, helper):
    answer(helper, *ACCOUNTS, {"result": "ok"})
    run = mailtoken("status")
    lines = run.stdout.splitlines()
    assert run.returncode == 0 and run.stderr == ""
    assert re.split("  +", lines[0]) == [
        "ACCOUNT", "PROVIDER", "STATE", "TOKEN LEFT", "RENEWED"]
    assert re.fullmatch(r"alice@contoso\.com +microsoft +active +10 days +-",
                        lines[1])
    assert re.fullmatch(r"bob@contoso\.com +(microsoft)? +login-needed, "
                        r"unsaved +expired +-", lines[2])
    assert lines[3].startswith("    the refresh token was not used")
    assert re.fullmatch(r"nobody@contoso\.com +empty +- +-", lines[-1])


def test_status_in_json_is_an_array(mailtoken, helper):
    answer(helper, *ACCOUNTS, {"result": "ok"})
    run = mailtoken("status", "--json")
    got = json.loads(run.stdout)
    assert [r["account"] for r in got] == [r["account"] for r in ACCOUNTS]
    assert got[0]["servers"] == ["smtp.office365.com"]
    assert got[0]["expires"] == IN_TEN_DAYS and got[1]["unsaved"] is True
    answer(helper, {"result": "ok"})
    assert json.loads(mailtoken("--json", "status").stdout) == []


@pytest.mark.parametrize("records,wanted", [
    ({"account": "a", "expires": "0017", "unsaved": "yes", "deleted": "no"},
     '{"account": "a", "expires": 17, "unsaved": true, "deleted": false}'),
    ({"started": "12", "signed-in": "34", "stale": "no"},
     '{"started": 12, "signed-in": 34, "stale": false}'),
    ({"expires": "soon", "unsaved": "maybe", "pid": ""},
     '{"expires": "soon", "unsaved": "maybe", "pid": ""}'),
    ({"expires": "99999999999999999999"},
     '{"expires": "99999999999999999999"}'),
    ({"servers": " a.example  b.example "},
     '{"servers": ["a.example", "b.example"]}'),
    ({"servers": ""}, '{"servers": []}'), ({}, "{}"),
    ({"text": 'a"b\\c\t\177 \u0085 \u00e9 \u20ac'},
     '{"text": "a\\"b\\\\c\\u0009\\u007f \\u0085 \u00e9 \u20ac"}')])
def test_values_have_their_types_in_json(mailtoken, helper, records, wanted):
    answer(helper, records, {"result": "ok"})
    assert mailtoken("status", "--json").stdout == f"[{wanted}]\n"


def test_what_is_no_utf8_is_json_all_the_same(mailtoken, helper):
    helper.add("garbage", bytes=(
        b"mailtoken=1\nresult=ok\nchanged=\xff\nneeds-restart=l\n"
        b"changed=\xc3\n\n").hex())
    assert json.loads(mailtoken("reload", "--json").stdout) == {
        "result": "ok", "changed": ["\ufffd", "\ufffd"],
        "needs-restart": ["l"]}


def test_a_status_that_breaks_off_prints_nothing(mailtoken, helper):
    helper.add("garbage", bytes=lists(*ACCOUNTS)[:-20].hex())
    run = mailtoken("status", "--json")
    assert run.returncode == 1 and run.stdout == ""


def test_logout_says_what_was_done(mailtoken, helper):
    answer(helper, {"result": "ok", "deleted": "yes",
                    "revoked": "unsupported", "text": "end it there"})
    run = mailtoken("logout", "a@b")
    assert run.returncode == 0
    assert run.stdout == ("a@b is signed out: what was kept for it is "
                          "deleted.\nend it there\n")


def test_refresh_says_that_the_new_grant_is_unsaved(mailtoken, helper):
    answer(helper, {"result": "ok", "account": "a@b", "unsaved": "yes",
                    "expires": str(IN_TEN_DAYS)})
    run = mailtoken("refresh", "a@b")
    assert run.returncode == 0
    assert "unsaved" in run.stdout and "in memory only" in run.stdout


def test_refresh_says_how_long_the_token_lives(mailtoken, helper):
    answer(helper, {"result": "ok", "account": "a@b",
                    "expires": str(IN_TEN_DAYS)})
    run = mailtoken("refresh", "a@b")
    assert run.returncode == 0
    assert run.stdout.startswith("a@b: renewed; the token is good for 10 "
                                 "days")


@pytest.mark.parametrize("outcomes,status", [
    (["ok", "ok"], 0), (["ok", "try-later"], 75), (["login-needed"], 1),
    (["try-later", "login-needed", "ok"], 1), ([], 0)])
def test_refresh_due_tells_each_account(mailtoken, helper, outcomes, status):
    answer(helper, *({"account": f"{i}@b", "outcome": word,
                      "text": "because"}
                     for i, word in enumerate(outcomes)), {"result": "ok"})
    run = mailtoken("refresh", "--due")
    assert run.returncode == status
    assert run.stdout.splitlines() == [
        f"{i}@b: " + ("renewed" if word == "ok" else "because")
        for i, word in enumerate(outcomes)]


def test_reload_says_what_changed(mailtoken, helper):
    answer(helper, {"result": "ok", "changed": "provider microsoft",
                    "needs-restart": "listen"})
    assert mailtoken("reload").stdout == (
        "changed: provider microsoft\nneeds a restart: listen\n")
    answer(helper, {"result": "ok"})
    assert mailtoken("reload").stdout == "nothing changed\n"


def test_version_names_both_and_its_own_without_a_helper(mailtoken, helper):
    answer(helper, {"result": "ok", "version": "9.8", "protocol": "1",
                    "keyring": "/k", "pid": "12"})
    run = mailtoken("version")
    assert re.fullmatch(r"mailtoken \S+\nmailtokend 9\.8, protocol 1, "
                        r"pid 12, keyring /k\n", run.stdout)
    helper.stop()
    run = mailtoken("version")
    assert run.returncode == 75
    assert re.fullmatch(r"mailtoken \S+\n", run.stdout) and run.stderr


def test_login_prints_each_event_at_once(mailtoken, place):
    go_on = threading.Event()

    def turn(talk):
        talk.send(SHOW_CODE)
        assert go_on.wait(DEADLINE_S)
        talk.send({"event": "waiting", "expires-in": "895"}, DONE)

    helper = Conversation(place, turn)
    with mailtoken.start("login", "alice@contoso.com") as run:
        got = [run.stdout.readline() for _ in range(4)]
        assert got == ["event=show-code\n", "user-code=A1B2C3D4E\n",
                       "verification-uri=https://microsoft.com/devicelogin\n",
                       "expires-in=900\n"]
        go_on.set()
        rest, errors = run.communicate(timeout=DEADLINE_S)
    helper.end()
    assert rest.splitlines()[:4] == ["event=waiting", "expires-in=895",
                                     "event=done", "result=ok"]
    assert run.returncode == 0 and errors == ""


def test_login_in_json_is_an_object_a_line(mailtoken, helper):
    answer(helper, SHOW_CODE, DONE)
    run = mailtoken("login", "alice@contoso.com", "--json")
    got = [json.loads(line) for line in run.stdout.splitlines()]
    assert [g["event"] for g in got] == ["show-code", "done"]
    assert got[0]["expires-in"] == 900


def test_warnings_of_a_sign_in_are_told(mailtoken, helper):
    answer(helper, {**DONE, "warning": "nobody knows who signed in"})
    run = mailtoken("login", "alice@contoso.com")
    assert run.returncode == 0
    assert "mailtoken: nobody knows who signed in\n" in run.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupting_a_sign_in_hangs_up_and_says_so(mailtoken, place,
                                                     number):
    def turn(talk):
        talk.send(SHOW_CODE)
        talk.wait_close()

    helper = Conversation(place, turn)
    with mailtoken.start("login", "alice@contoso.com") as run:
        assert run.stdout.readline() == "event=show-code\n"
        run.send_signal(number)
        _, errors = run.communicate(timeout=DEADLINE_S)
    assert helper.closed.wait(DEADLINE_S)
    helper.end()
    assert run.returncode == 1
    assert errors == "mailtoken: the sign-in was cancelled\n"


def refuses(talk):
    """Asks who, expects a no."""
    talk.send(SHOW_CODE, ASK)
    assert talk.read() == b"mailtoken=1\nanswer=no\n\n"
    talk.send({"event": "done", "result": "denied",
               "text": "another user signed in; nothing was stored"})


def accepts(talk):
    """Asks who, expects a yes."""
    talk.send(SHOW_CODE, ASK)
    assert talk.read() == b"mailtoken=1\nanswer=yes\n\n"
    talk.send({**DONE, "identity": "bob@contoso.com"})


def test_another_user_is_refused_where_nobody_can_be_asked(mailtoken, place):
    helper = Conversation(place, refuses)
    run = mailtoken("login", "alice@contoso.com")
    helper.end()
    assert run.returncode == 1
    assert "--as-delegate" in run.stderr
    assert "question=other-user\n" in run.stdout
    assert "nothing was kept" in run.stderr


def test_an_unknown_question_is_answered_no(mailtoken, place):
    def turn(talk):
        talk.send({"event": "ask", "question": "colour", "text": "blue?"})
        assert talk.read() == b"mailtoken=1\nanswer=no\n\n"

    helper = Conversation(place, turn)
    run = mailtoken("login", "alice@contoso.com")
    helper.end()
    assert run.returncode == 1


@pytest.mark.parametrize("typed,turn,status", [
    (b"y\n", accepts, 0), (b"\n", refuses, 1), (b"no\n", refuses, 1)])
def test_another_user_is_asked_about_on_a_terminal(mailtoken, place, typed,
                                                   turn, status):
    helper = Conversation(place, turn)
    got, shown = mailtoken.on_terminal("login", "alice@contoso.com",
                                       typed=typed, until=b"[y/N] ")
    helper.end()
    assert got == status
    assert "keep this?" in shown
    if status == 0:
        assert "bob@contoso.com who signed in for it." in shown
    else:
        assert "nothing was kept" in shown


def test_a_long_reply_answers_one_question(mailtoken, place):
    def turn(talk):
        talk.send(SHOW_CODE, ASK)
        assert talk.read() == b"mailtoken=1\nanswer=yes\n\n"
        refuses(talk)

    helper = Conversation(place, turn)
    got, _ = mailtoken.on_terminal("login", "alice@contoso.com",
                                   typed=b"y" * 100 + b"\nno\n",
                                   until=b"[y/N] ")
    helper.end()
    assert got == 1


def test_what_a_watch_tells_is_not_kept(mailtoken, place):
    """Nor what a command was given, however many there were."""
    if paths.sanitized():
        pytest.skip("its memory says nothing in such a build")

    def turn(talk):
        talk.watching(*[{"account": "a@b",
                         "state": "backoff" if i % 2 else "login-needed",
                         "text": f"{i:03}" + "x" * 60000} for i in range(99)])

    helper = Conversation(place, turn)
    with mailtoken.start("watch", "--exec",
                         "grep VmData /proc/$PPID/status") as watch:
        sizes = []
        while len(sizes) < 99:
            line = watch.stdout.readline()
            assert line != ""
            if line.startswith("VmData"):
                sizes.append(int(line.split()[1]))
        watch.kill()
    assert sizes[-1] < sizes[0] + 2000
    helper.end()


def test_no_reply_at_all_leaves_the_question_its_line(mailtoken, helper):
    """^D."""
    helper.add("garbage", bytes=lists(*ACCOUNTS, {"result": "ok"}).hex())
    status, shown = mailtoken.on_terminal("logout", "--all", typed=b"\x04",
                                          until=b"[y/N] ")
    assert status == 1
    assert "[y/N] \r\nmailtoken: nothing was signed out\r\n" in shown


def test_an_unknown_event_is_passed_over(mailtoken, helper):
    answer(helper, {"event": "sings", "text": "la"}, DONE)
    status, shown = mailtoken.on_terminal("login", "alice@contoso.com")
    assert status == 0 and "la\r\n" not in shown


def test_a_dumb_terminal_gets_plain_lines(mailtoken, helper):
    answer(helper, SHOW_CODE, {"event": "waiting", "expires-in": "895"},
           {"event": "waiting", "expires-in": "830"},
           {**DONE, "warning": "word " * 60})
    status, shown = mailtoken.on_terminal("login", "alice@contoso.com")
    assert status == 0
    assert "https://microsoft.com/devicelogin" in shown
    assert "A1B2C3D4E" in shown
    assert shown.count("Waiting for you") == 2
    assert "alice@contoso.com is signed in (provider microsoft)." in shown
    assert "kept fresh from now on." in shown
    answer(helper, *ACCOUNTS, {"result": "ok"})
    table = mailtoken.on_terminal("status")[1]
    helper.add("fault", word="config-error", text="why " * 100)
    shown += mailtoken.on_terminal("token", "a@b")[1]
    usage = mailtoken.on_terminal("--help")[1].split("\r\n")
    assert len(usage) <= 24
    for line in (shown + table).split("\r\n") + usage:
        assert line.isprintable()
    # Sentences the terminal breaks itself; what has columns fits.
    for line in table.split("\r\n") + usage:
        assert len(line) <= 80 or line.startswith("    ")


def test_a_terminal_shows_the_time_in_place(mailtoken, helper):
    answer(helper, SHOW_CODE, {"event": "waiting", "expires-in": "890"},
           DONE, times=2)
    _, shown = mailtoken.on_terminal("login", "alice@contoso.com",
                                     TERM="xterm")
    assert "\rWaiting for you; 15:00 left" in shown
    assert "\rWaiting for you; 14:50 left" in shown
    assert "\033[1mA1B2C3D4E" in shown
    _, shown = mailtoken.on_terminal("login", "alice@contoso.com",
                                     TERM="xterm", NO_COLOR="1")
    assert "\033[1m" not in shown and "\033[40m" not in shown


def test_a_picture_is_drawn_only_where_it_fits(mailtoken, helper):
    answer(helper, SHOW_CODE, DONE, times=None)
    wide = mailtoken.on_terminal("login", "alice@contoso.com", TERM="xterm",
                                 LANG="C.UTF-8")[1]
    if "\u2588" not in wide:
        pytest.skip("built without libqrencode")
    for variables in ({"LANG": "C"}, {"TERM": "dumb"}):
        shown = mailtoken.on_terminal(
            "login", "alice@contoso.com",
            **{"TERM": "xterm", "LANG": "C.UTF-8", **variables})[1]
        assert "\u2588" not in shown
    answer_long = {**SHOW_CODE, "verification-uri": "https://x/" + "y" * 300}
    helper.clear()
    answer(helper, answer_long, DONE)
    shown = mailtoken.on_terminal("login", "alice@contoso.com", columns=40,
                                  TERM="xterm", LANG="C.UTF-8")[1]
    assert "\u2588" not in shown


@pytest.mark.parametrize("event,wanted,rows", [
    (SHOW_CODE, ["A1B2C3D4E", "https://microsoft.com/devicelogin"], 24),
    ({"event": "show-url", "expires-in": "900",
      "url": "https://x.example/authorize?" + "y" * 300},
     ["https://x.example/authorize?" + "y" * 300], 50)],
    ids=["code", "link"])
def test_a_picture_pushes_nothing_off_the_screen(mailtoken, helper, event,
                                                 wanted, rows):
    answer(helper, event, DONE, times=None)

    def show(rows):
        return mailtoken.on_terminal(
            "login", "alice@contoso.com", rows=rows, TERM="xterm",
            LANG="C.UTF-8", NO_COLOR="1")[1].partition("is signed in")[0]

    shown = show(rows)
    if "\u2588" not in shown:
        pytest.skip("built without libqrencode")
    screen = shown[:shown.index("Waiting")].splitlines()[-(rows - 1):]
    for text in wanted:
        assert text in "\n".join(screen)
        assert shown.index("\u2588") < shown.index(text)
    assert sum("\u2588" in line for line in screen) == \
        sum("\u2588" in line for line in shown.splitlines())
    assert "\u2588" not in show(rows - 8)


CHANGE = {"account": "alice@contoso.com", "provider": "microsoft",
          "state": "login-needed", "unsaved": "no",
          "text": 'sign in "again"'}


def test_watch_prints_a_line_a_change(mailtoken, place):
    helper = Conversation(
        place, lambda talk: (talk.watching(), talk.send(CHANGE),
                             talk.wait_close()))
    with mailtoken.start("watch") as run:
        assert run.stdout.readline() == (
            "account=alice@contoso.com state=login-needed "
            'text="sign in \\"again\\""\n')
        run.send_signal(signal.SIGTERM)
        run.communicate(timeout=DEADLINE_S)
    helper.end()


def test_watch_runs_a_command_for_each_change(mailtoken, place, tmp_path):
    out = tmp_path / "out"
    helper = Conversation(
        place, lambda talk: (talk.watching(),
                             talk.send(CHANGE, {**CHANGE, "state": "active",
                                                "text": ""}),
                             talk.wait_close()))
    command = (f'printf "%s|" "$MAILTOKEN_ACCOUNT" "$MAILTOKEN_STATE" '
               f'"$MAILTOKEN_TEXT" "$MAILTOKEN_PROVIDER" >>{out}; '
               'echo done; exit 3')
    with mailtoken.start("watch", "--exec", command) as run:
        lines = [run.stdout.readline() for _ in range(4)]
        run.send_signal(signal.SIGTERM)
        _, errors = run.communicate(timeout=DEADLINE_S)
    helper.end()
    # Each command is waited for before the next line.
    assert [line.split()[0] for line in lines] == [
        "account=alice@contoso.com", "done"] * 2
    assert out.read_text() == (
        'alice@contoso.com|login-needed|sign in "again"|microsoft|'
        "alice@contoso.com|active||microsoft|")
    assert "the command ended with status 3" in errors


@pytest.mark.parametrize("last", [
    [], [{"result": "try-later", "text": "the helper is stopping"}]],
    ids=["hangs-up", "says-so"])
def test_watch_tells_all_states_when_the_helper_restarted(
        mailtoken, place, last):
    def state(account, word, **more):
        return {"account": account, "provider": "p", "state": word,
                "unsaved": "no", **more}

    helper = Conversation(
        place,
        lambda talk: (talk.watching(state("same@b", "backoff"),
                                    state("told@b", "active"),
                                    state("missed@b", "active"),
                                    state("busy@b", "active"),
                                    state("gone@b", "active")),
                      talk.send(state("told@b", "backoff"), *last)),
        # One that is too busy at first.
        lambda talk: talk.send({"result": "busy"}),
        lambda talk: (talk.watching(
                          state("same@b", "backoff"),
                          state("told@b", "backoff"),
                          state("busy@b", "refreshing"),
                          state("never@b", "empty"),
                          state("missed@b", "login-needed", text="do it"),
                          state("new@b", "active")),
                      # As it came between the two.
                      talk.send(state("new@b", "active"),
                                state("busy@b", "config-error")),
                      talk.wait_close()))
    with mailtoken.start("watch") as run:
        lines = [run.stdout.readline() for _ in range(14)]
        run.send_signal(signal.SIGTERM)
        more, errors = run.communicate(timeout=DEADLINE_S)
    helper.end()
    # All there are at each beginning, and each change.
    assert [(line.split()[0][8:], line.split()[1][6:]) for line in lines] == [
        ("same@b", "backoff"), ("told@b", "active"), ("missed@b", "active"),
        ("busy@b", "active"), ("gone@b", "active"),
        ("told@b", "backoff"),
        ("same@b", "backoff"), ("told@b", "backoff"),
        ("busy@b", "refreshing"), ("never@b", "empty"),
        ("missed@b", "login-needed"), ("new@b", "active"),
        ("new@b", "active"), ("busy@b", "config-error")]
    assert lines[10] == 'account=missed@b state=login-needed text="do it"\n'
    assert more == ""
    assert errors.splitlines() == [
        "mailtoken: the helper went away; waiting for it",
        "mailtoken: the helper is back"]


@pytest.mark.parametrize("look", [True, False])
def test_watch_goes_on_after_an_answer_that_was_cut(mailtoken, place, look):
    helper = Conversation(
        place, lambda talk: talk.cut(look),
        lambda talk: (talk.watching(), talk.send(CHANGE), talk.wait_close()))
    with mailtoken.start("watch") as run:
        assert "state=login-needed" in run.stdout.readline()
        run.send_signal(signal.SIGTERM)
        errors = run.communicate(timeout=DEADLINE_S)[1]
    helper.end()
    assert errors.splitlines() == [
        "mailtoken: the helper went away; waiting for it",
        "mailtoken: the helper is back"]


def test_watch_tells_what_there_is_before_what_changes(mailtoken, place):
    helper = Conversation(
        place, lambda talk: (talk.watching({**CHANGE, "state": "active"}),
                             talk.send(CHANGE), talk.wait_close()))
    with mailtoken.start("watch") as run:
        assert "state=active" in run.stdout.readline()
        assert "state=login-needed" in run.stdout.readline()
        run.send_signal(signal.SIGTERM)
        run.communicate(timeout=DEADLINE_S)
    helper.end()


@pytest.mark.parametrize("args,said", [
    (["lgoin", "a@example.org"], 'did you mean "mailtoken login"?'),
    (["stat"], 'did you mean "mailtoken status"?'),
    (["help", "tokne"], 'did you mean "mailtoken token"?'),
    (["xyzzy"], 'there is no verb xyzzy: "mailtoken help" lists them all'),
    (["login"], "the account is missing, such as alice@example.com"),
    (["token"], "the account is missing, such as alice@example.com"),
    (["import"], "the kind of data is missing: sasl-xoauth2, mutt_oauth2"),
])
def test_what_is_wrong_or_missing_is_named(mailtoken, helper, args, said):
    run = mailtoken(*args)
    assert run.returncode == 2 and run.stdout == ""
    assert said in run.stderr
    assert len(helper.requests) == 0


@pytest.mark.parametrize("args,verbs", [
    (["help"], ["login", "status", "help"]), (["-h"], ["login", "help"]),
    (["help", "token"], ["token"]), (["token", "-h"], ["token"])])
def test_help_is_found_however_it_is_asked_for(mailtoken, helper, args,
                                               verbs):
    run = mailtoken(*args)
    assert run.returncode == 0 and run.stderr == ""
    for verb in verbs:
        assert f"\n  {verb} " in run.stdout \
            or run.stdout.startswith(f"mailtoken {verb} ")
    assert ("export" in run.stdout) == (len(verbs) > 1)


@pytest.mark.parametrize("name", ["alice", "alice @example.org", "@", "a@",
                                  "alice@example.org,"])
def test_an_account_that_is_no_address_is_asked_about(mailtoken, helper,
                                                      name):
    run = mailtoken("login", name)
    assert run.returncode == 2
    assert f"{name} is no mail address" in run.stderr
    assert "--any-name" in run.stderr
    assert len(helper.requests) == 0
    mailtoken("login", name, "--any-name")
    assert helper.wait_request()[0].get("account") == name


def test_an_odd_account_can_be_declined_on_a_terminal(mailtoken, helper):
    status, shown = mailtoken.on_terminal("login", "alice", typed=b"n\n")
    assert status == 2
    assert "alice is no mail address" in " ".join(shown.split())
    assert len(helper.requests) == 0


def test_status_without_accounts_says_what_to_type(mailtoken, helper):
    helper.add("answer", attributes=[["mailtoken", "1"], ["result", "ok"]])
    run = mailtoken("status")
    assert run.returncode == 0
    assert 'run "mailtoken login ACCOUNT"' in run.stderr
