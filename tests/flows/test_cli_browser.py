# SPDX-License-Identifier: BSD-2-Clause
"""mailtoken login with a browser, against a stand-in for the helper."""

import subprocess

import pytest

from bed import DEADLINE_S, wait_for
from bed_cli import DONE, Command, Conversation, environment

ALICE = "alice@contoso.com"
URL = "https://login.example.com/authorize?state=abc&code_challenge=def"
SHOW_URL = {"event": "show-url", "url": URL,
            "redirect-uri": "http://127.0.0.1:49152/callback",
            "expires-in": "900"}
ASK = {"event": "ask", "question": "paste-url",
       "text": "where the browser is not on this computer, paste the "
               "address that it ended at"}
BACK = "http://127.0.0.1:49152/callback?code=4%2F0Ab&state=abc"
PROMPT = b"Paste the address you ended at: "


def taking(*answers, again=()):
    """A turn that takes these answers, asking anew before each but one."""
    def turn(talk):
        talk.send(SHOW_URL, ASK)
        for i, answer in enumerate(answers):
            assert talk.read() == b"mailtoken=1\nanswer=%s\n\n" % answer
            if i + 1 < len(answers):
                talk.send({**ASK, "text": again[i]})
        talk.send(DONE)
    return turn


@pytest.fixture
def piped(mailtoken):
    """Run with something on standard input, which stays open if told."""
    def run(stdin, *args, held=None, **variables):
        with subprocess.Popen(
                mailtoken.argv("login", ALICE, *args),
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, text=True,
                env=environment(**variables)) as process:
            if held:
                process.stdin.write(stdin)
                process.stdin.flush()
                held.end()
                stdin = None
            out, errors = process.communicate(stdin, timeout=DEADLINE_S)
            return process.returncode, out, errors
    return run


def test_the_link_is_printed_as_lines(mailtoken, place):
    helper = Conversation(place, taking())
    run = mailtoken("login", ALICE)
    helper.end()
    assert run.returncode == 0
    assert run.stdout.startswith(
        f"event=show-url\nurl={URL}\n"
        "redirect-uri=http://127.0.0.1:49152/callback\nexpires-in=900\n"
        "event=ask\nquestion=paste-url\n")
    assert run.stdout.count("event=done\n") == 1


@pytest.mark.parametrize("typed", [
    BACK, BACK + "\n", BACK + "\n\n", BACK[:40] + "\n" + BACK[40:] + "\n",
    "  " + BACK[:20] + "\r\n  " + BACK[20:] + " \n\n",
])
def test_a_piped_address_is_sent_whole(piped, place, typed):
    helper = Conversation(place, taking(BACK.encode()))
    status, _, errors = piped(typed)
    helper.end()
    assert (status, errors) == (0, "")


def test_an_address_counts_before_the_end_of_the_input(piped, place):
    helper = Conversation(place, taking(BACK.encode()))
    assert piped(BACK + "\n", held=helper)[0] == 0


def test_a_second_address_is_taken_when_the_first_is_wrong(mailtoken, place):
    helper = Conversation(place, taking(b"wrong-one", BACK.encode(),
                                        again=["not that"]))
    with subprocess.Popen(
            mailtoken.argv("login", ALICE), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True,
            env=environment()) as process:
        process.stdin.write("wrong-one\n")
        process.stdin.flush()
        for line in process.stdout:
            if line == "text=not that\n":
                break
        process.communicate(BACK + "\n", timeout=DEADLINE_S)
    helper.end()
    assert process.returncode == 0


def test_the_end_of_the_input_does_not_end_the_wait(mailtoken, place):
    helper = Conversation(place, taking())
    assert mailtoken("login", ALICE).returncode == 0
    helper.end()


def test_a_terminal_shows_the_link_and_a_prompt(mailtoken, place):
    helper = Conversation(place, taking(BACK.encode()))
    status, shown = mailtoken.on_terminal(
        "login", ALICE, typed=BACK.encode() + b"\n", until=PROMPT)
    helper.end()
    assert status == 0
    assert f"    {URL}\r\n" in shown
    assert "Where the browser is not on this computer, paste" in shown
    assert "is signed in" in shown


def test_the_browser_may_come_back_while_the_prompt_is_there(mailtoken, place):
    helper = Conversation(place, taking())
    status, shown = mailtoken.on_terminal("login", ALICE)
    helper.end()
    assert status == 0
    assert PROMPT.decode() in shown
    assert "is signed in" in shown


def test_the_time_left_is_shown_where_nothing_can_be_typed(program, place,
                                                           tmp_path):
    script = tmp_path / "mailtoken"
    script.write_text(f'#!/bin/sh\nexec {program} "$@" </dev/null\n')
    script.chmod(0o755)

    def turn(talk):
        talk.send(SHOW_URL, ASK, {"event": "waiting", "expires-in": "600"},
                  DONE)

    helper = Conversation(place, turn)
    status, shown = Command(str(script), place).on_terminal(
        "login", ALICE, TERM="xterm")
    helper.end()
    assert status == 0 and PROMPT.decode() not in shown
    assert "10:00 left" in shown


def test_what_is_wrong_with_an_address_is_shown_with_a_new_prompt(
        mailtoken, place):
    def turn(talk):
        talk.send(SHOW_URL, ASK)
        talk.read()
        talk.send({**ASK, "text": "that is neither an address nor a code"},
                  DONE)

    helper = Conversation(place, turn)
    _, shown = mailtoken.on_terminal("login", ALICE, typed=b"12\n",
                                     until=PROMPT)
    helper.end()
    assert "That is neither an address nor a code." in shown
    assert shown.count(PROMPT.decode()) == 2


def test_a_question_about_the_user_may_follow_the_prompt(mailtoken, place):
    def turn(talk):
        talk.send(SHOW_URL, ASK, {
            "event": "ask", "question": "other-user",
            "identity": "bob@contoso.com", "text": "bob came; keep this?"})
        assert talk.read() == b"mailtoken=1\nanswer=yes\n\n"
        talk.send(DONE)

    helper = Conversation(place, turn)
    status, _ = mailtoken.on_terminal("login", ALICE, typed=b"y\n",
                                      until=b"[y/N] ")
    helper.end()
    assert status == 0


@pytest.mark.parametrize("variable", ["{0}", "{0}:other", "/bin/sh {0}"])
def test_browser_opens_the_link_with_what_the_user_named(
        mailtoken, place, tmp_path, variable):
    script = tmp_path / "my-browser"
    script.write_text(f'#!/bin/sh\necho "$#:$1" > {tmp_path}/opened.new\n'
                      f"mv {tmp_path}/opened.new {tmp_path}/opened\n")
    script.chmod(0o755)
    opened = tmp_path / "opened"

    def turn(talk):
        talk.send(SHOW_URL, ASK)
        wait_for(opened.exists, what="the browser")
        talk.send(DONE)

    helper = Conversation(place, turn)
    run = subprocess.run(
        mailtoken.argv("login", ALICE, "--browser"), check=False,
        capture_output=True, text=True, timeout=DEADLINE_S,
        stdin=subprocess.DEVNULL,
        env=environment(BROWSER=variable.format(script)))
    helper.end()
    assert run.returncode == 0
    assert opened.read_text() == f"1:{URL}\n"


def test_a_browser_that_is_not_there_is_told(mailtoken, place, tmp_path):
    helper = Conversation(place, taking())
    run = subprocess.run(
        mailtoken.argv("login", ALICE, "--browser"), check=False,
        capture_output=True, text=True, timeout=DEADLINE_S,
        stdin=subprocess.DEVNULL,
        env=environment(BROWSER="", PATH=str(tmp_path)))
    helper.end()
    assert run.returncode == 0
    assert run.stderr == (
        "mailtoken: open the link yourself, or let BROWSER name a program: "
        "xdg-open: No such file or directory\n")


def test_browser_opens_nothing_that_is_no_https_link(
        mailtoken, place, tmp_path):
    script = tmp_path / "my-browser"
    script.write_text(f"#!/bin/sh\ntouch {tmp_path}/opened\n")
    script.chmod(0o755)

    def turn(talk):
        talk.send({**SHOW_URL, "url": "file:///etc/passwd"}, ASK, DONE)

    helper = Conversation(place, turn)
    subprocess.run(mailtoken.argv("login", ALICE, "--browser"), check=False,
                   capture_output=True, timeout=DEADLINE_S,
                   stdin=subprocess.DEVNULL,
                   env=environment(BROWSER=str(script)))
    helper.end()
    assert not (tmp_path / "opened").exists()
