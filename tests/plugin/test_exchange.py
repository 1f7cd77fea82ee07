# SPDX-License-Identifier: BSD-2-Clause
"""The state machine: what is sent, and what each server's last word does."""

import os
import socket
import threading

import pytest

import sasl_host as sasl
from bed import DEADLINE_S, in_time
from scripted_helper import ScriptedHelper

ALICE = "alice@example.com"
FIRST = b"user=" + ALICE.encode() + b"\1auth=Bearer tok123\1\1"
BEARER = b"n,a=" + ALICE.encode() + b",\1auth=Bearer tok123\1\1"
GMAIL = (b'{"status":"400","schemes":"Bearer",'
         b'"scope":"https://mail.google.com/"}')


def test_the_question_has_all_that_the_helper_needs(helper, host):
    run = host.run(user=ALICE, service="smtp", fqdn="SMTP.Example.COM")
    assert run.start == sasl.CONTINUE
    asked, = helper.wait_request()
    assert asked.bad == ""
    assert asked.attributes == [
        ("mailtoken", "1"), ("verb", "token"), ("account", ALICE),
        ("server", "smtp.example.com"), ("service", "smtp"),
        ("mechanism", "XOAUTH2")]


def test_xoauth2_goes_out_as_its_page_says(helper, host):
    run = host.run(user=ALICE)
    assert (run.start, run.outs) == (sasl.CONTINUE, [FIRST])


def test_oauthbearer_goes_out_as_rfc_7628_says(helper, host):
    run = host.run(user=ALICE, mechs="OAUTHBEARER")
    assert (run.start, run.outs) == (sasl.CONTINUE, [BEARER])
    assert helper.wait_request()[0].get("mechanism") == "OAUTHBEARER"


def test_xoauth2_is_preferred_of_the_two(helper, host):
    run = host.run(user=ALICE, mechs="OAUTHBEARER XOAUTH2")
    assert run.all("start") == [f"{sasl.CONTINUE} XOAUTH2"]


def test_the_last_step_of_mbsync_after_a_success_is_ok(helper, host):
    """Case 5."""
    run = host.run(style="isync", user=ALICE, service="imap",
                   challenges=[None])
    assert run.steps == [sasl.OK]
    assert run.outs[-1] == b""
    assert run.all("log") == []


@pytest.mark.parametrize("mech", ["XOAUTH2", "OAUTHBEARER"])
def test_an_empty_challenge_is_answered_with_nothing(helper, host, mech):
    """Case 6."""
    run = host.run(user=ALICE, mechs=mech, challenges=[b""])
    assert run.steps == [sasl.OK]
    assert run.outs[-1] == b""
    assert len(helper.wait_request()) == 1


def test_a_refused_token_is_answered_so_that_the_server_says_why(
        helper, host):
    """Case 7."""
    challenge = b'{"status":"401","schemes":"bearer mac","scope":"mail"}'
    run = host.run(user=ALICE, challenges=[challenge])
    assert run.steps == [sasl.OK]
    assert run.outs[-1] == b""
    assert "401" in run.detail
    assert "smtp.example.com rejected the token of " + ALICE in run.detail
    assert "tok123" not in run.detail


def test_oauthbearer_answers_an_error_with_one_byte(helper, host):
    """Case 8."""
    run = host.run(user=ALICE, mechs="OAUTHBEARER", challenges=[
        b'{"status":"invalid_token","scope":"mail"}'])
    assert run.steps == [sasl.OK]
    assert run.outs[-1] == b"\x01"


def test_a_refused_token_is_reported_with_its_serial(helper, host):
    helper.add("ok", changes={"serial": "77"})
    host.run(user=ALICE, challenges=[b" \r\n" + GMAIL])
    report, = helper.wait_request(verb="rejected")
    assert report.bad == ""
    assert report.attributes[2:] == [
        ("account", ALICE), ("serial", "77"),
        ("server", "smtp.example.com"), ("service", "smtp"),
        ("challenge", " \\x0d\\x0a" + GMAIL.decode())]


@pytest.mark.parametrize("challenge", [
    b"AUTHENTICATE XOAUTH2 ", b"x{", b" ", b"\r\n", b"\0{", b"[{", b"%n",
    b"\1"])
def test_what_is_no_error_object_is_not_reported(helper, host, challenge):
    run = host.run(user=ALICE, challenges=[challenge])
    assert run.steps == [sasl.OK]
    assert run.all("log") == []
    assert [r.verb for r in helper.wait_request()] == ["token"]


@pytest.mark.parametrize("challenge,reported", [
    (b"{\0\x1b\n\x7f\xff\\%n}", "{\\x00\\x1b\\x0a\\x7f\\xff\\x5c%n}"),
    (b"{" + b"x" * 999, "{" + "x" * 999),
    (b"{" + b"x" * 1000, "{" + "x" * 996 + "..."),
    (b"{" + b"\1" * 65000, "{" + "\\x01" * 249 + "...")], ids=range(4))
def test_a_challenge_is_reported_escaped_and_cut(helper, host, challenge,
                                                 reported):
    host.run(user=ALICE, challenges=[challenge])
    report, = helper.wait_request(verb="rejected")
    assert report.get("challenge") == reported


def test_a_helper_that_is_gone_for_the_report_costs_nothing(
        helper, host):
    helper.add("close", verb="rejected", times=None)
    run = host.run(user=ALICE, challenges=[GMAIL])
    assert run.steps == [sasl.OK]
    assert "rejected the token" in run.detail


@pytest.mark.parametrize("challenge", [
    b"not json", b'{"status":"4', b"{" + b"x" * 65000, b'{"a\0b":"%n%s%n"}',
    b"%n%n%n%s", b"\0", b"{\x1b]0;gone\x07\xff\xfe", b"{" + b"\\" * 3000,
    bytes(range(256)), b"{" + bytes(range(256)) * 8,
], ids=range(10))
@pytest.mark.parametrize("mech", ["XOAUTH2", "OAUTHBEARER"])
def test_no_challenge_can_hurt(helper, host, mech, challenge):
    """Case 9."""
    run = host.run(user=ALICE, mechs=mech, challenges=[challenge])
    assert run.steps == [sasl.OK]
    assert run.outs[-1] == (b"\x01" if mech == "OAUTHBEARER" else b"")
    for line in run.all("log") + [run.detail]:
        assert all(0x20 <= ord(c) < 0x7f for c in line)
        assert len(line) <= 330


def test_a_server_that_repeats_the_token_gets_it_into_no_log(helper, host):
    run = host.run(user=ALICE, challenges=[b'{"status":"tok123"}'])
    assert run.steps == [sasl.OK]
    assert "tok123" not in run.detail + "".join(run.all("log"))
    report, = helper.wait_request(verb="rejected")
    assert "tok123" not in report.get("challenge")


@pytest.mark.parametrize("style", ["postfix", "isync", "mutt", "cyrus"])
def test_without_an_initial_response_the_token_is_sent_once(
        helper, host, style):
    """Case 10."""
    run = host.run(style=style, user=ALICE, no_ir=True,
                   challenges=[GMAIL])
    assert [out for out in run.outs if out] == [FIRST]
    assert run.steps[-1] == sasl.OK
    assert len([r for r in helper.wait_request() if r.verb == "token"]) == 1


def test_text_before_anything_was_sent_is_ignored(helper, host):
    run = host.run(style="cyrus", user=ALICE,
                   go_ahead=b"Token, please".hex(), challenges=[GMAIL])
    assert run.outs[-2:] == [FIRST, b""]


@pytest.mark.parametrize("size", [1, 1023, 1024, 4096, 8192, 16384, 65000])
def test_a_token_of_any_size_is_sent_unchanged(helper, host, size):
    """Case 11."""
    token = ("0123456789abcdef" * 4100)[:size]
    helper.token = token
    run = host.run(user=ALICE)
    assert run.outs == [b"user=" + ALICE.encode() + b"\1auth=Bearer " +
                        token.encode() + b"\1\1"]


def test_pop_ends_at_the_first_step(helper, host):
    run = host.run(style="mutt", user=ALICE, service="pop", no_ir=False)
    assert (run.start, run.outs) == (sasl.OK, [FIRST])


def test_a_pop_host_may_still_answer_a_challenge(helper, host):
    run = host.run(style="mutt", user=ALICE, service="pop",
                   challenges=[GMAIL])
    assert run.steps == [sasl.OK]


def test_mutts_garbage_after_a_success_does_not_fail(helper, host):
    run = host.run(style="mutt", user=ALICE, service="imap",
                   challenges=[b"AUTHENTICATE XOAUTH2 "])
    assert run.steps == [sasl.OK]


def test_a_step_after_the_end_fails_without_a_crash(helper, host):
    run = host.run(user=ALICE, challenges=[GMAIL, b""])
    assert run.steps == [sasl.OK, sasl.FAIL]


def test_a_failed_connection_leaves_nothing_to_the_next_ones(helper, host):
    """Case 15."""
    helper.add("fault", word="login-needed", text="The grant is gone.")
    run = host.run(user=ALICE, repeat=8)
    assert run.all("start") == (
        [f"{sasl.EXPIRED} XOAUTH2"] + [f"{sasl.CONTINUE} XOAUTH2"] * 7)
    assert run.outs == [FIRST] * 7


def test_connections_of_many_threads_do_not_meet(helper, host):
    run = host.run(user=ALICE, threads=20, challenges=[GMAIL])
    for n in range(20):
        mine = [rest.strip() for first, rest in run.lines
                if first == f"t{n}"]
        assert f"out {FIRST.hex()}" in mine
        assert f"step {sasl.OK}" in mine
    assert len([r for r in helper.wait_request(40)
                if r.verb == "token"]) == 20


def test_no_descriptor_stays_open(helper, host):
    """The third question is asked with as many open as the first."""
    counts = []

    def look(asked):
        # The one who reports does not wait for us.
        if asked.verb == "token":
            counts.append(len(os.listdir(f"/proc/{asked.pid}/fd")))

    helper.requests.on_add = look
    host.run(user=ALICE, repeat=3, challenges=[GMAIL])
    helper.wait_request(6)
    assert len(counts) == 3 and len(set(counts)) == 1


def test_no_signal_is_raised_by_a_helper_that_hangs_up(host, socket_path):
    """SIGPIPE is not ignored by mbsync."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(socket_path))
        listener.listen(5)

        def slam():
            for _ in range(2):
                listener.accept()[0].close()

        thread = threading.Thread(target=slam)
        thread.start()
        run = host.run(user=ALICE)
        thread.join(DEADLINE_S)
    assert run.start == sasl.UNAVAIL
    assert "hung up without an answer" in run.detail


def test_the_login_of_the_answer_goes_out(helper, host):
    helper.login = "shared@example.com"
    run = host.run(user=ALICE)
    assert run.outs[0].startswith(b"user=shared@example.com\1")


def test_an_authorization_id_goes_out_and_the_account_is_asked(
        helper, host):
    helper.login = "other@example.com"
    run = host.run(style="mutt", user=ALICE, authzid="shared@example.com")
    assert run.outs[0].startswith(b"user=shared@example.com\1")
    assert helper.wait_request()[0].get("account") == ALICE


def test_an_authorization_id_like_the_name_leaves_the_login(helper, host):
    helper.login = "other@example.com"
    run = host.run(style="mutt", user=ALICE, authzid=ALICE)
    assert run.outs[0].startswith(b"user=other@example.com\1")


def test_a_helper_that_comes_up_late_is_found(host, socket_path):
    def come_up():
        late = ScriptedHelper(socket_path, token="tok123")
        timer = threading.Timer(1.0, late.start)
        timer.start()
        try:
            run = host.run(user=ALICE)
        finally:
            timer.join()
            late.stop()
        assert run.outs == [FIRST]

    # The plugin tries for 5 s; a timer may ring later than that.
    in_time(come_up)


def test_a_restarted_helper_that_dropped_us_is_asked_again(helper, host):
    helper.add("close")
    run = host.run(user=ALICE)
    assert run.outs == [FIRST]


def test_stdio_of_the_host_is_left_alone(helper, host):
    run = host.run(user=ALICE, challenges=[GMAIL])
    assert run.errors == ""


def test_every_byte_of_an_answer_may_come_alone(helper, host):
    helper.add("dribble")
    run = host.run(user=ALICE)
    assert run.outs == [FIRST]


def test_the_peer_is_asked_once_a_login(helper, host):
    host.run(user=ALICE, challenges=[b""])
    asked = helper.wait_request()
    assert len(asked) == 1
    assert asked[0].uid == os.geteuid()
