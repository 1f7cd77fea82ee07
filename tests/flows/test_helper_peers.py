# SPDX-License-Identifier: BSD-2-Clause
"""Who may ask what, and what peers that misbehave cannot do."""

import grp
import pwd
import select
import socket
from types import SimpleNamespace

import pytest

from bed import in_time, wait_for
from helper_line import pack

JO = "jo@example.org"
ANN = "ann@example.org"
FRIEND = 1          # allowed by name
BOSS = 2            # an admin
GROUP = 8           # allowed by group
STRANGER = 4711

FRIEND_NAME = pwd.getpwuid(FRIEND).pw_name
BOSS_NAME = pwd.getpwuid(BOSS).pw_name
GROUP_NAME = grp.getgrgid(GROUP).gr_name
LISTS = (f"allow {FRIEND_NAME}\nadmin {BOSS_NAME}\n"
         f"account {ANN}\n    allow @{GROUP_NAME}\n")


@pytest.fixture
def town(root, helper):
    """A helper with two accounts, one for a user, one for a group."""
    helper.configure(LISTS)
    helper.seed(JO, age=10)
    helper.seed(ANN, age=10)
    return helper.start()


def test_allow_lists_name_users_and_groups(town):
    def may(account, **who):
        return town.token(account, **who)["result"]

    assert may(JO) == may(ANN) == "ok"
    assert may(JO, uid=town.user.pw_uid) == "ok"
    assert may(JO, uid=FRIEND) == "ok"
    assert may(ANN, uid=FRIEND) == "unknown-account"
    assert may(ANN, uid=STRANGER, groups=(7, GROUP)) == "ok"
    assert may(ANN, uid=STRANGER, groups=(*range(9000, 9300), GROUP)) == "ok"
    assert may(JO, uid=STRANGER, groups=(7, GROUP)) == "unknown-account"
    assert may(JO, uid=STRANGER) == "unknown-account"
    # An admin signs in and out; that gives no token.
    assert may(JO, uid=BOSS) == "unknown-account"


def raw(bed, uid, pairs):
    with bed.connect(uid=uid) as line:
        line.raw(pack(pairs))
        answer = b""
        while more := line.sock.recv(65536):
            answer += more
        return answer


@pytest.mark.parametrize("verb", ["token", "rejected", "status"])
@pytest.mark.parametrize("server", ["localhost", "elsewhere.example"])
@pytest.mark.parametrize("passwords", ["no", "yes"])
def test_not_yours_and_does_not_exist_are_the_same_bytes(
        root, helper, verb, server, passwords):
    helper.configure(LISTS + f"password_as_token {passwords}\n")
    helper.seed(JO, age=10)
    helper.start()
    answers = {raw(helper, STRANGER, [
        ("verb", verb), ("account", account), ("server", server),
        ("service", "smtp"), ("mechanism", "XOAUTH2"),
        ("serial", "0123456789abcdef")])
        for account in (JO, "nobody@example.org")}
    assert len(answers) == 1
    helper.wait_log('note="not allowed"')
    helper.wait_log('note="no record, and not allowed"')
    assert f"account={JO}" in said(helper, 'note="not allowed"')


def said(bed, text):
    """The one line of the log with that in it."""
    lines = [line for line in bed.log().split("\n") if text in line]
    assert len(lines) == 1, lines
    return lines[0]


def test_log_says_what_was_asked_and_why_it_was_not_given(helper):
    helper.start()
    assert helper.token()["result"] == "unknown-account"
    helper.wait_log('note="no record"')
    line = said(helper, "verb=token")
    for part in (f"account={JO}", "server=localhost", "service=smtp",
                 "mechanism=XOAUTH2", "outcome=unknown-account"):
        assert f" {part} " in line


def test_strangers_do_not_fill_the_log(root, clocked):
    clocked.start()
    clocked.clock.hold()    # lines are counted for ten seconds
    for _ in range(150):
        assert clocked.ask("forget", uid=STRANGER, account=JO)["result"] == \
            "denied"
    assert 0 < clocked.log().count("verb=forget") <= 100


def test_password_as_token_is_offered_for_known_servers_only(helper):
    helper.configure("password_as_token yes")
    helper.start()
    assert helper.token()["password-as-token"] == "yes"
    assert "password-as-token" not in helper.token(server="mail.example")


def test_status_shows_a_peer_its_own_accounts_only(town):
    def seen(**who):
        with town.connect(**who) as line:
            lists = line.send("status").rest()
        assert lists[-1] == {"result": "ok"}
        return {a["account"] for a in lists[:-1]}

    assert seen() == seen(uid=BOSS) == {JO, ANN}
    assert seen(uid=FRIEND) == {JO}
    assert seen(uid=STRANGER, groups=(GROUP,)) == {ANN}
    assert seen(uid=STRANGER) == set()


def test_watch_tells_a_peer_of_its_own_accounts_only(town):
    mine, boss = (town.connect(uid=uid).send("watch")
                  for uid in (FRIEND, BOSS))
    assert mine.next() == boss.next() == {"event": "watching"}
    for account in (ANN, JO):
        assert town.ask("forget", account=account)["result"] == "ok"
    assert [boss.next()["account"] for _ in "ab"] == [ANN, JO]
    assert mine.next()["account"] == JO


ADMIN = [("sign-in", {"account": JO}), ("forget", {"account": JO}),
         ("refresh", {"account": JO}), ("refresh", {"due": "yes"}),
         ("reload", {})]


@pytest.mark.parametrize("verb,attributes", ADMIN)
def test_admin_verbs_are_denied_to_others(town, verb, attributes):
    for uid in (FRIEND, STRANGER):
        answer = town.ask(verb, uid=uid, **attributes)
        assert answer["result"] == "denied"
        assert answer["text"]
    assert town.token()["result"] == "ok"


def test_admins_may_sign_out_and_renew(town):
    assert town.ask("refresh", uid=BOSS, account=JO)["result"] == "ok"
    assert town.ask("reload", uid=BOSS)["result"] == "ok"
    assert town.ask("forget", uid=BOSS, account=JO)["result"] == "ok"


def test_version_tells_paths_to_admins_only(town):
    assert "keyring" not in town.ask("version", uid=STRANGER)
    assert "pid" not in town.ask("version", uid=STRANGER)
    answer = town.ask("version", uid=BOSS)
    assert answer["keyring"] == town.keyring
    assert answer["pid"] == str(town.process.pid)


def test_wrong_server_gets_no_token(helper):
    helper.seed(age=10)
    helper.start()
    for server in ("evil.example", "localhost.evil.example", "xlocalhost"):
        answer = helper.token(server=server)
        assert answer["result"] == "wrong-server"
        assert server in answer["text"]
        assert "token" not in answer
    for server in ("LocalHost", "localhost."):
        assert helper.token(server=server)["result"] == "ok"
    assert helper.ask("token", account=JO)["result"] == "ok"


# -- caps and bad manners ---------------------------------------------------


def test_33rd_connection_of_a_stranger_is_busy(town):
    # Who watches may do so for ever.
    lines = [town.connect(uid=STRANGER).send("watch") for _ in range(32)]
    with town.connect(uid=STRANGER) as line:
        assert line.next()["result"] == "busy"
    # Nobody else notices.
    assert town.token(uid=FRIEND)["result"] == "ok"
    for line in lines:
        line.close()
    wait_for(lambda: town.token(uid=STRANGER)["result"] == "unknown-account")


def test_allowed_peer_may_have_more_connections(town):
    lines = [town.connect(uid=FRIEND).send("watch") for _ in range(100)]
    assert {line.next()["event"] for line in lines} == {"watching"}
    assert town.token(uid=FRIEND)["result"] == "ok"
    for line in lines:
        line.close()


def test_silent_clients_stop_nobody_and_are_told(town):
    silent = [town.connect(uid=STRANGER) for _ in range(31)]
    silent += [town.connect(uid=FRIEND) for _ in range(200)]
    answers = town.many(20, town.token)
    assert {a["result"] for a in answers} == {"ok"}
    for line in silent:
        assert line.next()["result"] == "timeout"
        assert line.next() is None


def test_slow_drip_of_bytes_buys_no_time(town):
    with town.connect(uid=STRANGER) as line:
        line.sock.sendall(b"mailtoken=1\nx=")
        for _ in range(30000):
            if select.select([line.sock], [], [], 0.0003)[0]:
                break
            line.raw(b"x")
        assert line.next()["result"] == "timeout"


def test_request_that_came_while_the_helper_stood_still_is_answered(
        helper, beds):
    clock = beds().start()
    helper.start()
    with helper.connect() as line:
        assert helper.ask("version")["result"] == "ok"
        with helper.standing_still():
            line.send("version")
            # The other one tells that 2 seconds have passed.
            with clock.connect() as silent:
                assert silent.next()["result"] == "timeout"
        assert line.next()["result"] == "ok"


BAD = {
    "garbage": b"\x00\xff\x13GET / HTTP/1.1\r\n\r\n\n\n",
    "no-version": b"verb=version\n\n",
    "other-version": b"mailtoken=2\nverb=version\n\n",
    "empty-list": b"\n",
    "nul": b"mailtoken=1\nverb=token\naccount=a\0b\n\n",
    "cr": b"mailtoken=1\r\nverb=version\r\n\r\n\n",
    "repeated": b"mailtoken=1\nverb=version\nverb=token\n\n",
    "no-sign": b"mailtoken=1\nverb\n\n",
    "upper-case": b"mailtoken=1\nVerb=version\n\n",
    "long-name": b"mailtoken=1\n" + b"x" * 33 + b"=1\n\n",
    "no-verb": b"mailtoken=1\n\n",
    "other-verb": b"mailtoken=1\nverb=destroy\n\n",
    "no-account": b"mailtoken=1\nverb=token\n\n",
    "bad-utf8": b"mailtoken=1\nverb=token\naccount=\xff\n\n",
    "long-account": b"mailtoken=1\nverb=token\naccount=" + b"x" * 255
    + b"\n\n",
    "bad-number": b"mailtoken=1\nverb=token\naccount=a\nmin-validity=x\n\n",
    "big-number": b"mailtoken=1\nverb=token\naccount=a\n"
                  b"min-validity=86401\n\n",
    "bad-server": b"mailtoken=1\nverb=token\naccount=a\nserver=a b\n\n",
    "refresh-of-nothing": b"mailtoken=1\nverb=refresh\n\n",
    "long-line": b"mailtoken=1\nx=" + b"x" * 65536 + b"\n\n",
    "many-lines": b"mailtoken=1\n" + b"".join(
        b"x%d=1\n" % i for i in range(64)) + b"\n",
    "long-list": b"mailtoken=1\n" + b"".join(
        b"x%d=%s\n" % (i, b"x" * 60000) for i in range(3)) + b"\n",
    "half": b"mailtoken=1\nverb=ver",
    "without-end": b"mailtoken=1\nverb=version\n",
}


@pytest.mark.parametrize("name", BAD)
def test_request_that_breaks_the_grammar_is_answered(helper, name):
    helper.start()

    def ask_badly():
        with helper.connect() as line:
            line.raw(BAD[name])
            try:
                line.sock.shutdown(socket.SHUT_WR)
            except OSError:
                pass    # it has answered already
            answer = line.next()
            assert answer["result"] == "bad-request"
            assert answer["text"]
            assert line.next() is None

    in_time(ask_badly)
    assert helper.ask("version")["result"] == "ok"


def test_request_in_pieces_is_one_request(helper):
    helper.start()

    def ask_slowly():
        with helper.connect() as line:
            for byte in pack([("verb", "version")]):
                line.raw(bytes([byte]))
            assert line.next()["result"] == "ok"

    in_time(ask_slowly)


def test_half_closed_socket_is_answered(helper, idp):
    helper.seed(age=4000)
    helper.start()
    with helper.connect() as line:
        with idp.holding("token"):
            line.send("token", account=JO, server="localhost")
            line.sock.shutdown(socket.SHUT_WR)
            idp.wait_request("token")
        assert line.next()["result"] == "ok"
        assert line.next() is None


def test_askers_that_went_away_harm_nobody(helper, idp):
    helper.seed(age=4000)
    helper.start()
    with idp.holding("token"):
        lines = [helper.connect().send("token", account=JO,
                                       server="localhost")
                 for _ in range(20)]
        idp.wait_request("token")
        for line in lines[::2]:
            line.close()
        assert helper.ask("version")["result"] == "ok"
    assert {line.next()["result"] for line in lines[1::2]} == {"ok"}
    assert helper.refreshes() == 1


@pytest.fixture
def small_buffer():
    """What is not read has to fill what the kernel keeps for the helper."""
    with open("/proc/sys/net/core/wmem_default") as source:
        if int(source.read()) > 212992:
            pytest.skip("net.core.wmem_default is more than is sent here")


def test_peer_that_does_not_read_is_let_go(helper, small_buffer):
    for i in range(400):
        helper.write_record(f"a{i}@example.org", "mailtoken-entry=1\n"
                            f"account=a{i}@example.org\nprovider=test\n"
                            f"text={'x' * 900}\nstate=login-needed\n\n")
    helper.start()
    with helper.connect() as line:
        line.send("status")
        helper.wait_log("verb=status")      # gave up sending
        assert helper.ask("version")["result"] == "ok"


def test_watcher_that_does_not_read_is_let_go(helper, small_buffer):
    for i in range(1000):
        helper.seed(f"a{i}@example.org", age=10, seeded=SimpleNamespace(
            refresh_token="r" * 20, access_token=f"a{i}" * 9))
    helper.start()
    with helper.connect() as line:
        assert line.send("watch").next()["event"] == "watching"
        helper.configure(client_id="another")
        assert helper.ask("reload")["result"] == "ok"
        helper.wait_log("did not take its answer")
        assert "verb=watch" in said(helper, "did not take its answer")
