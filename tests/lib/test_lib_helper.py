# SPDX-License-Identifier: BSD-2-Clause
"""Tests of the test bed's scripted helper."""

import json
import os
import socket
import subprocess
import sys

import pytest

import bed
from scripted_helper import (FAULT_WORDS, ScriptedHelper, join_list,
                             parse_list)

HERE = os.path.dirname(os.path.abspath(__file__))
ASK = (b"mailtoken=1\nverb=token\naccount=jo@example.org\n"
       b"server=smtp.example.org\nservice=smtp\nmechanism=XOAUTH2\n"
       b"min-validity=60\n\n")
REJECTED = (b"mailtoken=1\nverb=rejected\naccount=jo@example.org\n"
            b"serial=1\nchallenge={}\n\n")


@pytest.fixture
def helper(tmp_path):
    with ScriptedHelper(tmp_path / "socket") as stand_in:
        yield stand_in


def ask(path, request=ASK, timeout=bed.DEADLINE_S):
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(timeout)
        link.connect(str(path))
        link.sendall(request)
        raw = b""
        while True:
            more = link.recv(65536)
            if not more:
                return raw
            raw += more


def pairs(raw):
    assert raw.endswith(b"\n\n")
    return dict(line.split("=", 1) for line in
                raw.decode().split("\n")[:-2])


def test_a_good_answer_and_who_asked(helper):
    answer = ask(helper.path)
    assert answer.startswith(b"mailtoken=1\nresult=ok\n")
    got = pairs(answer)
    assert got["login"] == "jo@example.org" and got["token"] == "test-token"
    assert got["serial"] == "1" and int(got["expires"]) > 0
    asked, = helper.wait_request(verb="token")
    assert asked.get("min-validity") == "60" and not asked.bad
    assert (asked.pid, asked.uid, asked.gid) == (os.getpid(), os.getuid(),
                                                 os.getgid())
    assert pairs(ask(helper.path))["serial"] == "2"
    assert ask(helper.path, REJECTED) == b"mailtoken=1\nresult=ok\n\n"


@pytest.mark.parametrize("word", FAULT_WORDS)
def test_every_fault_word(helper, word):
    helper.add("fault", word=word, text="A sentence.", retry_after=5)
    assert pairs(ask(helper.path)) == {
        "mailtoken": "1", "result": word, "text": "A sentence.",
        "retry-after": "5"}
    assert pairs(ask(helper.path))["result"] == "ok"


def test_bad_answers(helper):
    helper.add("close")
    assert ask(helper.path) == b""
    helper.add("half")
    assert 0 < len(ask(helper.path)) < 60
    helper.add("garbage", bytes="00ff")
    assert ask(helper.path) == b"\x00\xff"
    helper.add("oversize")
    assert abs(len(ask(helper.path)) - 200000) < 10
    helper.add("wrong-first")
    assert ask(helper.path).startswith(b"mailtoken=2\n")
    helper.add("repeated", name="token")
    assert ask(helper.path).count(b"\ntoken=") == 2
    helper.add("token", token="a\001b")
    assert b"\ntoken=a\001b\n" in ask(helper.path)
    helper.add("answer", attributes=[["x", "y"], ["x", "z"]])
    assert ask(helper.path) == b"x=y\nx=z\n\n"
    helper.add("ok", changes={"expires": None, "login": "al", "more": "1"})
    got = pairs(ask(helper.path))
    assert "expires" not in got and (got["login"], got["more"]) == ("al", "1")


def test_dribble_is_a_byte_at_a_time(helper):
    helper.add("dribble")
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(bed.DEADLINE_S)
        link.connect(helper.path)
        link.sendall(ASK)
        parts = []
        while not parts or parts[-1]:
            parts.append(link.recv(65536))
    assert set(map(len, parts[:-1])) == {1}
    assert pairs(b"".join(parts))["result"] == "ok"


def test_silence_sees_the_client_go_and_delay_answers(helper):
    helper.add("silent")
    with pytest.raises(TimeoutError):
        ask(helper.path, timeout=0.05)
    asked, = helper.wait_request()
    assert asked.client_closed
    helper.add("delay", seconds=0.05)
    assert pairs(ask(helper.path))["result"] == "ok"


def test_steps_choose_their_verb_and_stay_if_told(helper):
    helper.add("fault", word="busy", times=None, verb="token")
    assert pairs(ask(helper.path, REJECTED))["result"] == "ok"
    for _ in range(3):
        assert pairs(ask(helper.path))["result"] == "busy"
    helper.clear()
    assert pairs(ask(helper.path))["result"] == "ok"
    with pytest.raises(ValueError):
        helper.add("fault", word="no-such-word")


@pytest.mark.parametrize("request_", [
    b"verb=token\nmailtoken=1\n\n",
    b"mailtoken=1\n\n",
    b"mailtoken=1\nverb=token\naccount\n\n",
    b"mailtoken=1\nverb=token\nAccount=x\n\n",
    b"mailtoken=1\nverb=token\naccount=x\naccount=y\n\n",
    b"mailtoken=1\nverb=token\naccount=x\r\n\n",
    b"mailtoken=1\nverb=token\n\nmore",
    b"mailtoken=1\nverb=token\n" + b"a=\n" * 63 + b"\n",
    b"mailtoken=1\nverb=" + b"x" * 65536 + b"\n\n"])
def test_bad_requests_are_noticed(helper, request_):
    assert pairs(ask(helper.path, request_))["result"] == "bad-request"
    assert helper.wait_request()[0].bad


def test_lists_go_round():
    attributes = [("mailtoken", "1"), ("verb", "status"), ("text", "a=b")]
    assert parse_list(join_list(attributes)) == attributes


def test_script_answers_as_scripted_and_ends_with_stdin(tmp_path):
    path, ready = tmp_path / "socket", tmp_path / "ready"
    steps = [{"kind": "fault", "word": "try-later", "retry-after": 9}]
    script = subprocess.Popen(
        [sys.executable, "-m", "scripted_helper", "--socket", str(path),
         "--script", json.dumps(steps), "--ready-file", str(ready),
         "--parent", str(os.getpid())], cwd=HERE, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True)
    try:
        bed.wait_for(ready.exists)
        assert pairs(ask(path))["retry-after"] == "9"
        assert pairs(ask(path))["result"] == "ok"
        script.stdin.close()
        assert script.wait(bed.DEADLINE_S) == 0
        first = json.loads(script.stdout.readline())
        assert first["uid"] == os.getuid() and not first["bad"]
        assert not path.exists()
    finally:
        script.kill()
        script.wait()
        script.stdout.close()
