# SPDX-License-Identifier: BSD-2-Clause
"""mailtoken status as people see it: on a terminal of 80 columns."""

import json
import re
import time

import pytest

from bed_cli import Command, lists
from scripted_helper import ScriptedHelper

JO = "jo@example.org"
NOW = int(time.time())
ROWS = [
    {"account": "alice@contoso.com", "provider": "microsoft",
     "state": "active", "expires": str(NOW + 2530), "unsaved": "no",
     "refreshed": str(NOW - 730)},
    {"account": "a.very.long.name.of.somebody@a.long.domain.example.com",
     "provider": "a-provider-with-a-long-name", "state": "login-needed",
     "expires": "17", "unsaved": "yes", "refreshed": str(NOW - 9 * 86400),
     "text": "the refresh token was not used for too long (AADSTS700082): "
             "sign in again with \"mailtoken login a.very.long.name.of."
             "somebody@a.long.domain.example.com\""},
    {"account": "bob@contoso.com", "provider": "microsoft",
     "state": "backoff", "expires": str(NOW + 40000), "unsaved": "no",
     "refreshed": str(NOW - 40000), "next-try": str(NOW + 70),
     "text": "the provider does not answer (since 2026-11-30 12:00 UTC)"}]
COLOUR = re.compile(r"\033\[\d*m")


@pytest.fixture
def helper(place):
    """A helper that follows a script."""
    with ScriptedHelper(place, token="eyJ0eXAi.the-secret-token") as scripted:
        yield scripted


@pytest.fixture
def told(mailtoken, helper):
    """What a terminal shows of ROWS, line by line."""
    def show(**options):
        helper.add("garbage", bytes=lists(*ROWS, {"result": "ok"}).hex())
        status, shown = mailtoken.on_terminal("status", **options)
        assert status == 0
        return shown.split("\r\n")
    return show


def test_the_table_fits_into_80_columns(told):
    lines = told(TERM="xterm", NO_COLOR="1")
    assert all(len(line) <= 80 or " " not in line.strip()
               for line in lines), lines
    assert lines[0].split("  ")[0] == "ACCOUNT"
    assert re.split("  +", lines[0]) == [
        "ACCOUNT", "PROVIDER", "STATE", "TOKEN LEFT", "RENEWED"]
    bob = next(line for line in lines if line.startswith("bob"))
    state, left, renewed = re.split("  +", bob)[2:]
    assert state == "backoff"
    # NOW may be some minutes ago, and a whole hour has no minutes.
    assert all(re.fullmatch(r"1[01] h(?: \d+ min)?", span)
               for span in (left, renewed)), bob
    # Words, which are to be typed, stay whole, and lines are indented.
    note = [line for line in lines[:lines.index(bob)]
            if line.startswith("    ")]
    assert len(note) > 1
    assert " ".join(line.strip() for line in note) == ROWS[1]["text"]
    assert lines[lines.index(bob) + 1].startswith("    the provider does")


def test_colours_are_for_terminals_that_want_them(told, mailtoken, helper):
    lines = told(TERM="xterm")
    plain = told(TERM="xterm", NO_COLOR="1")
    assert [COLOUR.sub("", line) for line in lines] == plain
    assert "\033[32mactive" in "\n".join(lines)
    assert "\033[33mbackoff" in "\n".join(lines)
    assert "\033[31mlogin-needed" in "\n".join(lines)
    for options in ({"TERM": "xterm", "NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert "\033" not in "".join(told(**options))
    helper.add("garbage", bytes=lists(*ROWS, {"result": "ok"}).hex())
    piped = mailtoken("status").stdout
    assert "\033" not in piped
    # Nothing is broken for a program.
    assert "    " + ROWS[1]["text"] + "\n" in piped


def test_of_one_account_all_is_shown(beds, program):
    helper = beds()
    ends = int(time.time()) + 89 * 86400
    helper.seed(identity="Jo <jo@example.org>", grant_expires=ends)
    helper.start()
    helper.token()
    mailtoken = Command(program, helper.socket)
    shown = mailtoken("status", JO).stdout
    found = dict(re.split("  +", line, maxsplit=1)
                 for line in shown.splitlines())
    assert found["account"] == JO and found["state"] == "active"
    assert found["signed in as"] == "Jo <jo@example.org>"
    assert found["signed in"].endswith(" s ago")
    assert found["scope"] == "mail offline_access openid email"
    assert found["servers"] == "localhost"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC, in 8\d days",
                        found["grant ends"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC, \d+ s ago",
                        found["last asked for"])
    assert "failing since" not in found
    assert not any(secret in shown for secret in helper.idp.secrets())


def test_since_when_it_fails_is_shown(beds, program, idp):
    helper = beds()
    helper.seed(age=3600)
    helper.start()
    idp.revoke(JO)
    assert helper.token()["result"] == "login-needed"
    shown = Command(program, helper.socket)("status", JO).stdout
    assert re.search(r"^failing since  +.* UTC, \d+ s ago$", shown, re.M)
    assert re.search(r"^note  +.*mailtoken login", shown, re.M)
    assert "failing-since" in helper.status()


FLEET = {"fleet": "in-step", "fleet-url": "https://a.example:2379",
         "fleet-name": "relay1", "fleet-revision": "4711",
         "fleet-behind": "0", "fleet-locks": "1", "fleet-unput": "0"}
AWAY = {"fleet": "away", "fleet-name": "relay1", "fleet-unput": "2",
        "fleet-text": "etcd at https://a.example:2379 is full"}


@pytest.mark.parametrize("verb, above", [
    ("status", "no account"), ("version", "mailtokend")])
def test_how_the_fleet_stands_is_one_line(mailtoken, helper, verb, above):
    helper.add("garbage", bytes=lists({"result": "ok", **FLEET}).hex())
    run = mailtoken(verb)
    assert run.stdout.splitlines()[-1] == \
        "fleet: in-step at https://a.example:2379 as relay1, 1 locks held"
    assert above in run.stderr + run.stdout
    helper.add("garbage", bytes=lists({"result": "ok", **AWAY}).hex())
    assert mailtoken(verb).stdout.splitlines()[-1] == \
        "fleet: away as relay1, 2 records to be shared yet: " \
        "etcd at https://a.example:2379 is full"
    helper.add("garbage", bytes=lists({"result": "ok"}).hex())
    assert "fleet" not in mailtoken(verb).stdout


def test_who_renews_an_account_stands_below_it(mailtoken, helper):
    rows = [{**ROWS[0], "fleet-lock": "relay2"},
            {**ROWS[2], "fleet-lock": "relay3"}]
    helper.add("garbage", bytes=lists(*rows, {"result": "ok"}).hex())
    out = mailtoken("status").stdout
    assert "\n    (renewed now by relay2)\n" in out
    assert "(next try in 1 min) (renewed now by relay3)\n" in out or \
        "s) (renewed now by relay3)\n" in out
    helper.add("garbage", bytes=lists(rows[0], {"result": "ok"}).hex())
    assert re.search(r"^renewed now by +relay2$",
                     mailtoken("status", ROWS[0]["account"]).stdout, re.M)


def test_the_fleet_is_the_last_object_of_json(mailtoken, helper):
    helper.add("garbage", bytes=lists(ROWS[0], {"result": "ok", **FLEET}
                                      ).hex())
    first, last = json.loads(mailtoken("status", "--json").stdout)
    assert first["account"] == ROWS[0]["account"]
    assert last["fleet"] == "in-step" and last["fleet-revision"] == 4711
    assert last["fleet-unput"] == 0 and "account" not in last


def test_a_fleet_that_is_away_is_a_warning_of_check(mailtoken, helper):
    helper.add("garbage", bytes=lists(ROWS[0], {"result": "ok", **AWAY}
                                      ).hex())
    run = mailtoken("check")
    assert run.returncode == 1
    assert run.stdout.startswith("MAILTOKEN WARNING - the fleet is away: "
                                 "etcd at https://a.example:2379 is full | ")
