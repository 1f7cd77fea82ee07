# SPDX-License-Identifier: BSD-2-Clause
"""What any helper must keep: mailtoken-protocol(7), typed byte by byte.

Without more it starts the mailtokend of this build.  To try a helper of
your own:

    MAILTOKEN_CONTRACT_SOCKET=/path/of/its/socket \\
    MAILTOKEN_CONTRACT_ACCOUNT=alice@example.org \\
    MAILTOKEN_CONTRACT_SERVER=imap.example.org \\
    python3 -m pytest tests/contract/test_contract.py

The account must be signed in, you must be root or have the helper's uid,
and one of its tokens is rejected and renewed.  Optional:
MAILTOKEN_CONTRACT_OTHER, a second account with a token of its own;
MAILTOKEN_CONTRACT_WAIT_S, the patience in seconds (35).  As root, uid 2
must be a stranger to it.
"""

import threading
import time

import pytest

from bed import in_time
from contract_wire import (Answer, Broken, STATES, WORDS, check_token,
                           number, split)

VERSION = b"mailtoken=1\nverb=version\n\n"


def plain(raw, why):
    return pytest.param(raw, id=why)


# -- the grammar ----------------------------------------------------------

BAD = [
    plain(b"\n", "empty-list"),
    plain(b"verb=version\n\n", "no-first-attribute"),
    plain(b"verb=version\nmailtoken=1\n\n", "first-attribute-second"),
    plain(b"mailtoken=2\nverb=version\n\n", "another-version"),
    plain(b"mailtoken=\nverb=version\n\n", "empty-version"),
    plain(b"mailtoken=01\nverb=version\n\n", "version-with-zero"),
    plain(b"mailtoken-entry=1\nverb=version\n\n", "first-of-another-format"),
    plain(b"mailtoken=1\nverb\n\n", "no-equals-sign"),
    plain(b"mailtoken=1\nverb=version\n=x\n\n", "empty-name"),
    plain(b"mailtoken=1\nverb=version\nX-Y=x\n\n", "upper-case-name"),
    plain(b"mailtoken=1\nverb=version\na_b=x\n\n", "underscore-in-name"),
    plain(b"mailtoken=1\nverb=version\na b=x\n\n", "blank-in-name"),
    plain(b"mailtoken=1\nverb=version\n\xc3\xa9=x\n\n", "utf-8-in-name"),
    plain(b"mailtoken=1\nverb=version\n" + b"n" * 33 + b"=x\n\n",
          "name-of-33"),
    plain(b"mailtoken=1\nverb=version\nx=a\0b\n\n", "nul-in-value"),
    plain(b"mailtoken=1\nverb=version\nx=a\rb\n\n", "cr-in-value"),
    plain(b"mailtoken=1\r\nverb=version\r\n\n", "crlf"),
    plain(b"mailtoken=1\nverb=version\nverb=version\n\n", "verb-twice"),
    plain(b"mailtoken=1\nverb=version\nx=1\nx=1\n\n", "unknown-name-twice"),
    plain(b"mailtoken=1\nmailtoken=1\nverb=version\n\n", "first-twice"),
    plain(b"mailtoken=1\nverb=version\n" + b"".join(
        b"a%d=x\n" % i for i in range(63)) + b"\n", "65-attributes"),
    plain(b"mailtoken=1\nverb=version\na=" + b"x" * 65535 + b"\n\n",
          "line-of-65537"),
    plain(b"mailtoken=1\nverb=version\na=" + b"x" * 65500 + b"\nb="
          + b"x" * 65500 + b"\nc=" + b"x" * 38 + b"\n\n", "list-of-131073"),
    plain(b"mailtoken=1\n\n", "no-verb"),
    plain(b"mailtoken=1\nverb=\n\n", "empty-verb"),
    plain(b"mailtoken=1\nverb=no-such-verb\n\n", "unknown-verb"),
    plain(b"mailtoken=1\nverb=VERSION\n\n", "upper-case-verb"),
]

GOOD = [
    plain(VERSION, "plain"),
    plain(b"mailtoken=1\nx=1\nverb=version\n\n", "any-order-after-first"),
    plain(b"mailtoken=1\nverb=version\nno-such-name=1\n\n", "unknown-name"),
    plain(b"mailtoken=1\nverb=version\nx=\n\n", "empty-value"),
    plain(b"mailtoken=1\nverb=version\nx=a=b==\n\n", "equals-in-value"),
    plain(b"mailtoken=1\nverb=version\nx=\x01\x09\x0b\x0c\x7f\xff\n\n",
          "any-byte-in-value"),
    plain(b"mailtoken=1\nverb=version\n" + b"n" * 32 + b"=x\n\n",
          "name-of-32"),
    plain(b"mailtoken=1\nverb=version\n" + b"".join(
        b"a%d=x\n" % i for i in range(62)) + b"\n", "64-attributes"),
    plain(b"mailtoken=1\nverb=version\na=" + b"x" * 65534 + b"\n\n",
          "line-of-65536"),
    plain(b"mailtoken=1\nverb=version\na=" + b"x" * 65500 + b"\nb="
          + b"x" * 65500 + b"\nc=" + b"x" * 37 + b"\n\n", "list-of-131072"),
    plain(b"mailtoken=1\nverb=version\nwarning=b\n"
          b"warning=c\nsealed=1\nsealed=2\n"
          b"changed=1\nchanged=1\nneeds-restart=1\nneeds-restart=1\n\n",
          "names-that-are-lists"),
]


def test_the_long_requests_have_the_length_they_claim():
    sizes = {p.id: len(p.values[0]) for p in BAD + GOOD}
    assert sizes["list-of-131072"] == 131072
    assert sizes["list-of-131073"] == 131073


@pytest.mark.parametrize("raw", BAD)
def test_what_breaks_the_grammar_is_answered_bad_request(helper, raw):
    assert helper.ask(raw).result == "bad-request"


@pytest.mark.parametrize("raw", GOOD)
def test_what_the_grammar_allows_is_answered(helper, raw):
    assert helper.ask(raw).result == "ok"


# -- connections ----------------------------------------------------------

def test_a_connection_carries_one_request(helper):
    with helper.line() as line:
        line.send(VERSION + VERSION)
        assert len(split(line.all())) == 1


def test_a_second_request_after_the_answer_gets_nothing(helper):
    with helper.line() as line:
        line.send(VERSION)
        line.next()
        line.send(VERSION)
        assert line.all() == b""


def test_a_request_byte_by_byte_is_answered(helper):
    def ask():
        with helper.line() as line:
            for i in range(len(VERSION)):
                line.send(VERSION[i:i + 1])
            assert Answer(line.all()).result == "ok"

    in_time(ask)


def test_a_client_that_will_say_no_more_gets_its_answer(helper):
    with helper.line() as line:
        line.send(VERSION)
        line.shut()
        assert Answer(line.all()).result == "ok"
    with helper.line() as line:
        line.send(helper.token_request())
        line.shut()
        assert Answer(line.all()).result == "ok"


def test_half_a_request_is_answered_bad_request(helper):
    def ask():
        with helper.line() as line:
            line.send(b"mailtoken=1\nverb=version\n")
            line.shut()
            assert Answer(line.all()).result == "bad-request"

    in_time(ask)


def test_a_client_that_says_nothing_at_all_is_let_go(helper):
    with helper.line() as line:
        line.shut()
        raw = line.all()
    assert raw == b"" or Answer(raw).result == "bad-request"


def test_more_than_a_list_can_hold_is_not_read_for_ever(helper):
    with helper.line() as line:
        line.send(b"mailtoken=1\n")
        sent = 0
        while sent < 64 * 1024 * 1024 and line.send(b"x" * 65536):
            sent += 65536
        assert sent < 64 * 1024 * 1024


def test_silent_clients_do_not_stop_others(helper):
    silent = [helper.line() for _ in range(8)]
    try:
        assert helper.ask(VERSION).result == "ok"
    finally:
        for line in silent:
            line.sock.close()


def test_garbage_does_not_hurt_the_next_client(helper):
    with helper.line() as line:
        line.send(bytes(range(256)) * 64)
        line.shut()
        raw = line.all()
    assert raw == b"" or Answer(raw).result == "bad-request"
    assert helper.ask(VERSION).result == "ok"


# -- version --------------------------------------------------------------

def test_version_says_what_answers(helper):
    answer = helper.ask(VERSION)
    assert answer.get("version")
    assert answer.get("protocol") == "1"


# -- token ----------------------------------------------------------------

def test_a_token_answer_has_all_it_needs(helper):
    answer = helper.token()
    assert answer.result == "ok"
    assert answer.get("login")
    check_token(answer.last["token"])
    assert number(answer.last["expires"]) > time.time()
    assert answer.get("serial")
    assert helper.owner(answer.get("token")) in (None, helper.account)


def test_the_same_token_has_the_same_serial(helper):
    first, second = helper.token(), helper.token()
    for name in ("login", "token", "expires", "serial"):
        assert first.get(name) == second.get(name)


def test_only_the_account_and_the_server_are_needed(helper):
    answer = helper.ask(b"mailtoken=1\nverb=token\naccount=%s\nserver=%s\n\n"
                        % (helper.account.encode(), helper.server.encode()))
    assert answer.result == "ok"
    assert answer.get("token") == helper.token().get("token")


def test_the_case_of_an_account_does_not_matter(helper):
    answer = helper.token(account=helper.account.upper())
    assert answer.result == "ok"
    assert answer.get("serial") == helper.token().get("serial")


def test_two_accounts_never_share_a_token(helper):
    if not helper.other:
        pytest.skip("MAILTOKEN_CONTRACT_OTHER names no second account")
    mine, other = helper.token(), helper.token(account=helper.other)
    assert other.result == "ok"
    assert other.get("token") != mine.get("token")
    assert other.get("serial") != mine.get("serial")
    assert helper.owner(other.get("token")) in (None, helper.other)


def test_an_unknown_account_is_unknown(helper):
    answer = helper.token(account="no.such.account@invalid")
    assert answer.result == "unknown-account"
    assert "token" not in answer.last


def test_a_token_goes_to_no_other_server(helper):
    for server in ("mail.invalid", helper.server + ".invalid",
                   "x" + helper.server, "x." + helper.server + ".invalid"):
        answer = helper.token(server=server)
        assert answer.result == "wrong-server", server
        assert "token" not in answer.last


@pytest.mark.parametrize("account", [
    b"", b"x" * 255, b"a\x01b", b"a\x7fb", b"a\xc2\x80b", b"\xff", b"\xc3",
    b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"], ids=ascii)
def test_what_can_be_no_account_is_a_bad_request(helper, account):
    raw = b"mailtoken=1\nverb=token\naccount=%s\nserver=%s\n\n" % (
        account, helper.server.encode())
    assert helper.ask(raw).result == "bad-request"


@pytest.mark.parametrize("account", [
    b"x" * 254, "é".encode() * 127, "\U0001f600".encode(), b"a/../b",
    b"a b"], ids=ascii)
def test_what_can_be_an_account_is_unknown(helper, account):
    raw = b"mailtoken=1\nverb=token\naccount=%s\nserver=%s\n\n" % (
        account, helper.server.encode())
    assert helper.ask(raw).result == "unknown-account"


def test_a_token_needs_an_account(helper):
    raw = b"mailtoken=1\nverb=token\nserver=%s\n\n" % helper.server.encode()
    assert helper.ask(raw).result == "bad-request"


@pytest.mark.parametrize("seconds", [b"0", b"1", b"60"])
def test_min_validity_is_a_span(helper, seconds):
    raw = helper.token_request(more=b"min-validity=%s\n" % seconds)
    assert helper.ask(raw).result == "ok"


@pytest.mark.parametrize("seconds", [
    b"", b"-1", b"86401", b"1s", b"+1", b" 1", b"0x10",
    b"99999999999999999999999"])
def test_min_validity_is_nothing_else(helper, seconds):
    raw = helper.token_request(more=b"min-validity=%s\n" % seconds)
    assert helper.ask(raw).result == "bad-request"


def test_many_at_once_get_the_same_token(helper):
    got, faults = [], []

    def one():
        try:
            got.append(helper.token().get("token"))
        except (Broken, OSError) as fault:
            faults.append(fault)

    crowd = [threading.Thread(target=one) for _ in range(20)]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()
    assert faults == []
    assert len(got) == 20 and len(set(got)) == 1 and got[0]


def test_a_client_that_leaves_early_hurts_nobody(helper):
    for _ in range(10):
        with helper.line() as line:
            line.send(helper.token_request())
    assert helper.token().result == "ok"


# -- status and watch -----------------------------------------------------

def check_record(record):
    assert record["account"]
    assert record["state"].decode() in STATES
    assert record["unsaved"] in (b"yes", b"no")
    for name in ("expires", "refreshed", "grant-expires", "next-try"):
        if name in record:
            number(record[name])


def test_status_is_a_list_an_account_and_an_end(helper):
    answer = helper.ask(b"mailtoken=1\nverb=status\n\n")
    assert answer.result == "ok"
    for record in answer.records:
        check_record(record)
    names = [r["account"].decode().lower() for r in answer.records]
    assert names.count(helper.account.lower()) == 1
    assert helper.token().last["token"] not in answer.raw


def test_status_of_one_account_is_that_account(helper):
    answer = helper.ask(b"mailtoken=1\nverb=status\naccount=%s\n\n"
                        % helper.account.encode())
    assert answer.result == "ok"
    (record,) = answer.records
    check_record(record)
    assert record["account"].decode().lower() == helper.account.lower()
    assert record["state"] == b"active"


def test_status_of_an_unknown_account_says_so(helper):
    answer = helper.ask(
        b"mailtoken=1\nverb=status\naccount=no.such.account@invalid\n\n")
    assert answer.result == "unknown-account"
    assert answer.records == []


def test_watch_begins_with_watching_and_goes_on(helper):
    with helper.line() as line:
        line.send(b"mailtoken=1\nverb=watch\n\n")
        first = dict(line.next())
        assert first["event"] == b"watching"
        assert "result" not in first
        assert helper.ask(VERSION).result == "ok"
        assert line.is_open()


# -- the other verbs ------------------------------------------------------

@pytest.mark.parametrize("more", [
    b"", b"account=%(account)s\ndue=yes\n", b"account=%(account)s\ndue=1\n"],
    ids=["neither", "both", "not-yes-or-no"])
def test_refresh_takes_an_account_or_due(helper, more):
    raw = b"mailtoken=1\nverb=refresh\n" + more % {
        b"account": helper.account.encode()} + b"\n"
    assert helper.ask(raw).result == "bad-request"


def test_refresh_of_what_is_due_is_a_list_an_account(helper):
    answer = helper.ask(b"mailtoken=1\nverb=refresh\ndue=yes\n\n")
    assert answer.result == "ok"
    for record in answer.records:
        assert record["account"] and record["outcome"]


@pytest.mark.parametrize("verb", [
    b"refresh", b"forget", b"rejected", b"export", b"rekey"])
def test_verbs_on_an_unknown_account_say_so(helper, verb):
    raw = (b"mailtoken=1\nverb=%s\naccount=no.such.account@invalid\n"
           b"serial=0123\n\n" % verb)
    assert helper.ask(raw).result == "unknown-account"


@pytest.mark.parametrize("verb", [b"forget", b"sign-in", b"rejected",
                                  b"rekey"])
def test_verbs_that_need_an_account_say_so(helper, verb):
    raw = b"mailtoken=1\nverb=%s\nserial=0123\n\n" % verb
    assert helper.ask(raw).result == "bad-request"


def test_forget_refuses_what_is_not_yes_or_no(helper):
    raw = b"mailtoken=1\nverb=forget\naccount=%s\nrevoke=maybe\n\n" % (
        helper.account.encode())
    assert helper.ask(raw).result == "bad-request"
    assert helper.token().result == "ok"


def test_export_without_an_account_names_all(helper):
    answer = helper.ask(b"mailtoken=1\nverb=export\n\n")
    assert answer.result == "ok"
    assert all(set(r) == {"mailtoken", "account"} for r in answer.records)
    names = [r["account"].decode().lower() for r in answer.records]
    assert names.count(helper.account.lower()) == 1


def test_export_of_an_account_is_its_record(helper):
    answer = helper.ask(b"mailtoken=1\nverb=export\naccount=%s\n\n"
                        % helper.account.encode())
    assert answer.result == "ok"
    (record,) = answer.records
    assert record["account"].decode().lower() == helper.account.lower()
    assert record["provider"]


@pytest.mark.parametrize("more", [
    b"", b"account=new@example.org\n", b"provider=test\n",
    b"account=\nprovider=test\n",
    b"account=new@example.org\nprovider=test\nreplace=maybe\n"])
def test_import_refuses_what_is_no_record(helper, more):
    raw = b"mailtoken=1\nverb=import\n" + more + b"\n"
    assert helper.ask(raw).result == "bad-request"


def test_import_refuses_to_replace_unasked(helper):
    record, _ = split(helper.ask(
        b"mailtoken=1\nverb=export\naccount=%s\n\n"
        % helper.account.encode()).raw)
    before = helper.token()
    raw = b"mailtoken=1\nverb=import\n%s\n" % b"".join(
        b"%s=%s\n" % (name.encode(), value) for name, value in record[1:])
    assert helper.ask(raw).result == "bad-request"
    assert helper.token().get("serial") == before.get("serial")


def test_metrics_is_a_list_a_family_and_an_end(helper):
    answer = helper.ask(b"mailtoken=1\nverb=metrics\n\n")
    assert answer.result == "ok" and answer.records
    seen = set()
    for pairs in split(answer.raw)[:-1]:
        family = dict(pairs)
        name = family["metric"]
        samples = [value for key, value in pairs if key == "sample"]
        assert samples and all(sample.startswith(name) for sample in samples)
        assert b"@" not in b"".join(samples)
        # What goes on says no more than its name.
        assert ("type" in family) == ("help" in family) == (name not in seen)
        seen.add(name)


def test_probe_is_a_list_a_check_and_an_end(helper):
    answer = helper.ask(b"mailtoken=1\nverb=probe\n\n")
    if answer.result == "config-error":
        return      # of several providers it wants one named
    assert answer.result == "ok"
    assert [r["check"] for r in answer.records] == [
        b"dns", b"connect", b"tls", b"clock", b"client"]
    for check in answer.records:
        assert check["outcome"].decode() in WORDS | {"not-run"}
        assert check["server"] and check["text"]


def test_reload_is_answered(helper):
    assert helper.ask(b"mailtoken=1\nverb=reload\n\n").result == "ok"


def rejected(helper, serial):
    return helper.ask(
        b"mailtoken=1\nverb=rejected\naccount=%s\nserial=%s\n"
        b"server=%s\nservice=imap\nchallenge={\"status\":\"401\"}\n\n"
        % (helper.account.encode(), serial.encode(),
           helper.server.encode()))


def test_rejected_needs_a_serial(helper):
    raw = b"mailtoken=1\nverb=rejected\naccount=%s\n\n" % (
        helper.account.encode())
    assert helper.ask(raw).result == "bad-request"


def test_another_serial_changes_nothing(helper):
    before = helper.token()
    assert rejected(helper, "00000000").result == "ok"
    assert helper.token().get("token") == before.get("token")


def test_a_rejected_token_is_never_served_again(helper):
    before = helper.token()
    assert rejected(helper, before.get("serial")).result == "ok"
    after = helper.token()
    assert after.result in ("ok", "try-later")
    assert after.get("token") != before.get("token")
    assert after.get("serial") != before.get("serial")


# -- strangers ------------------------------------------------------------

def test_not_yours_and_not_there_are_the_same_bytes(helper):
    raw = helper.as_stranger(helper.token_request())
    assert Answer(raw).result == "unknown-account"
    nobody = helper.token_request(account="no.such.account@invalid")
    assert raw == helper.as_stranger(nobody)
    for verb in (b"rejected", b"status"):
        asked = b"mailtoken=1\nverb=%s\naccount=%s\nserial=0123\n\n"
        raw = helper.as_stranger(asked % (verb, helper.account.encode()))
        assert Answer(raw).result == "unknown-account"
        assert raw == helper.as_stranger(
            asked % (verb, b"no.such.account@invalid"))


def test_a_stranger_sees_no_accounts(helper):
    raw = helper.as_stranger(b"mailtoken=1\nverb=status\n\n")
    assert helper.account.encode() not in raw
    assert Answer(raw).records == []


@pytest.mark.parametrize("verb", [
    b"refresh", b"forget", b"sign-in", b"import", b"export", b"rekey",
    b"probe"])
def test_a_stranger_may_use_no_admins_verb(helper, verb):
    asked = b"mailtoken=1\nverb=%s\naccount=%s\n\n"
    raw = helper.as_stranger(asked % (verb, helper.account.encode()))
    assert Answer(raw).result == "denied"
    assert raw == helper.as_stranger(
        asked % (verb, b"no.such.account@invalid"))


def test_a_stranger_is_told_no_names_of_metrics(helper):
    raw = b"mailtoken=1\nverb=metrics\naccounts=%s\n\n"
    assert Answer(helper.as_stranger(raw % b"no")).result == "ok"
    assert Answer(helper.as_stranger(raw % b"yes")).result == "denied"


def test_a_stranger_may_ask_what_answers(helper):
    answer = Answer(helper.as_stranger(VERSION))
    assert answer.result == "ok"
    assert set(answer.last) == {"mailtoken", "result", "version", "protocol"}


# -- secrets --------------------------------------------------------------

def test_only_the_answer_to_token_has_a_token(helper):
    token = helper.token().last["token"]
    name = helper.account.encode()
    for raw in (VERSION, b"mailtoken=1\nverb=status\n\n",
                b"mailtoken=1\nverb=refresh\naccount=%s\n\n" % name,
                b"mailtoken=1\nverb=token\naccount=%s\nserver=x.invalid\n\n"
                % name,
                b"mailtoken=1\nverb=token\naccount=%s\nserver=?\n\n" % name):
        answer = helper.ask(raw)
        assert "token" not in answer.last
        assert token not in answer.raw


# -- slow clients; last, for they take their time --------------------------

@pytest.mark.parametrize("start", [b"", b"mail", b"mailtoken=1\nverb=ver"])
def test_a_request_that_does_not_end_is_ended(helper, start):
    """Within 2 seconds; here it is only demanded that it happens."""
    with helper.line() as line:
        line.send(start)
        assert Answer(line.all()).result in ("timeout", "bad-request")


def test_a_dribbling_client_is_ended_as_well(helper):
    pause = threading.Event()
    with helper.line() as line:
        line.send(b"mailtoken=1\nx=")
        while line.send(b"y") and time.monotonic() < line.end:
            pause.wait(0.05)
        assert time.monotonic() < line.end, "it never ended"
        raw = line.all()
    # A reset may have taken the answer with it.
    assert raw == b"" or Answer(raw).result in ("timeout", "bad-request")
