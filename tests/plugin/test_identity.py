# SPDX-License-Identifier: BSD-2-Clause
"""Names and passwords: which are asked for, taken, refused, never sent."""

import pytest

import sasl_host as sasl

ALICE = "alice@example.com"
FIRST = b"user=" + ALICE.encode() + b"\1auth=Bearer tok123\1\1"
AUTHNAME, USER, PASS = "0x4002", "0x4001", "0x4004"
OWN_TOKEN = "ya29." + "Abc0-_~+/" * 12 + "=="


def unknown(helper, password="yes", **more):
    helper.add("answer", attributes=[
        ["mailtoken", "1"], ["result", "unknown-account"],
        ["text", "Not signed in."], ["password-as-token", password]], **more)


@pytest.mark.parametrize("style", ["postfix", "isync", "mutt", "cyrus"])
def test_no_password_is_asked_for(helper, host, style):
    """The callback is there and idle."""
    run = host.run(style=style, user=ALICE, password="secret")
    assert FIRST in run.outs
    assert "pass" not in run.all("callback")
    assert PASS not in run.all("prompt")


def test_a_host_without_a_password_callback_works(helper, host):
    """Case 12."""
    run = host.run(user=ALICE, no_pass=True)
    assert run.outs == [FIRST]


def test_prompts_are_for_both_names_at_once_and_no_others(helper, host):
    run = host.run(style="isync", user=ALICE)
    assert sorted(run.all("prompt")) == [USER, AUTHNAME]
    assert run.outs[-1] == FIRST
    assert run.all("prompts") == []


def test_a_callback_that_wants_interaction_gets_prompts(helper, host):
    """Case 12."""
    run = host.run(style="mutt", user=ALICE, callback_interacts=True)
    assert sorted(run.all("prompt")) == [USER, AUTHNAME]
    assert run.outs[-1] == FIRST


@pytest.mark.parametrize("options", [
    {"style": "postfix"}, {"style": "postfix", "user": ""},
    {"style": "mutt"}, {"style": "mutt", "user": ""},
    {"style": "isync"}, {"style": "isync", "user": ""}, {"style": "cyrus"},
    {"style": "postfix", "user": ALICE, "callback_interacts": True},
    {"style": "mutt", "user": ALICE, "callback_interacts": True,
     "no_prompts": True},
    {"style": "postfix", "user": "   "},
])
def test_no_usable_name_is_a_bad_parameter(helper, host, options):
    """Case 12: no crash, no endless asking."""
    run = host.run(**options)
    last = run.steps[-1] if run.steps else run.start
    assert last == sasl.BADPARAM
    assert "mailtoken: the program" in run.detail
    assert "Unable to find a callback" not in run.detail
    assert len(helper.requests) == 0


@pytest.mark.parametrize("user", [
    "a\1b@example.com", "a\nb@example.com", "a\x7fb", "a\tb", "a\rb",
    b"a\xffb@example.com",
])
def test_a_name_cannot_add_a_field(helper, host, user):
    """Case 14."""
    if isinstance(user, bytes):
        user = user.decode("utf-8", "surrogateescape")
    run = host.run(user=user)
    assert run.start == sasl.BADPARAM
    assert len(helper.requests) == 0


@pytest.mark.parametrize("authzid", ["a\1auth=x", b"caf\xe9@example.com"],
                         ids=["separator", "latin1"])
def test_an_authorization_id_cannot_add_a_field(helper, host, authzid):
    if isinstance(authzid, bytes):
        authzid = authzid.decode("utf-8", "surrogateescape")
    run = host.run(style="mutt", user=ALICE, authzid=authzid)
    assert run.start == sasl.BADPARAM


@pytest.mark.parametrize("login", ["a\1b", "", "x" * 1025],
                         ids=["separator", "empty", "long"])
def test_a_login_of_the_helper_cannot_add_a_field(helper, host, login):
    helper.add("ok", changes={"login": login})
    run = host.run(user=ALICE)
    if login == "":
        assert run.outs == [FIRST]
    else:
        assert run.start == sasl.UNAVAIL
        assert run.outs == []


def test_gs2_names_are_quoted(helper, host):
    """Case 14."""
    run = host.run(user="o,x=y@example.com", mechs="OAUTHBEARER")
    assert run.outs == [
        b"n,a=o=2Cx=3Dy@example.com,\1auth=Bearer tok123\1\1"]
    run = host.run(user="o,x=y@example.com")
    assert run.outs == [b"user=o,x=y@example.com\1auth=Bearer tok123\1\1"]


def test_utf8_names_are_sent_as_they_are(helper, host):
    run = host.run(user="zoë@exämple.com")
    assert run.outs == [
        "user=zoë@exämple.com\1auth=Bearer tok123\1\1".encode()]


@pytest.mark.parametrize("name", ["user", "authzid"])
def test_a_name_that_is_too_long_is_refused(helper, host, name):
    names = {"user": ALICE, name: "x" * 2000}
    run = host.run(style="mutt", **names)
    assert run.start == sasl.BUFOVER
    assert len(helper.requests) == 0


@pytest.mark.parametrize("style", ["postfix", "isync", "mutt", "cyrus"])
@pytest.mark.parametrize("password", [
    "hunter2", "abcd efgh ijkl mnop", "x" * 63, "correct horse " * 8,
    OWN_TOKEN + "!", "=" * 80, "x" * 65001, "",
])
@pytest.mark.parametrize("mechs", ["XOAUTH2", "OAUTHBEARER"])
def test_an_ordinary_password_is_never_sent_as_a_token(
        helper, host, style, password, mechs):
    """Case 19."""
    unknown(helper, times=None)
    run = host.run(style=style, user=ALICE, password=password,
                   mechs=f"LOGIN PLAIN {mechs}")
    code = run.steps[-1] if run.steps else run.start
    assert code == sasl.NOUSER
    assert all(not out for out in run.outs)
    if password:
        assert password not in run.detail


@pytest.mark.parametrize("style", ["postfix", "isync", "mutt", "cyrus"])
def test_a_password_that_is_a_token_is_used_where_allowed(
        helper, host, style):
    """Case 13, for the callback as Postfix declares it."""
    unknown(helper, times=None)
    run = host.run(style=style, user=ALICE, password=OWN_TOKEN)
    assert run.outs[-1] == (b"user=" + ALICE.encode() + b"\1auth=Bearer " +
                            OWN_TOKEN.encode() + b"\1\1")
    for ids in (AUTHNAME, USER, PASS):
        assert run.all("prompt").count(ids) <= 1


def test_a_password_that_is_a_token_keeps_the_authorization_id(
        helper, host):
    unknown(helper, times=None)
    run = host.run(style="mutt", user=ALICE, password=OWN_TOKEN,
                   authzid="shared@example.com", mechs="OAUTHBEARER")
    assert run.outs[-1].startswith(b"n,a=shared@example.com,\1")


@pytest.mark.parametrize("answer", ["no", "", "YES", None])
def test_a_password_is_left_alone_where_the_helper_does_not_allow_it(
        helper, host, answer):
    if answer is None:
        helper.add("fault", word="unknown-account", times=None)
    else:
        unknown(helper, answer, times=None)
    run = host.run(user=ALICE, password=OWN_TOKEN)
    assert run.start == sasl.NOUSER
    assert "pass" not in run.all("callback")


@pytest.mark.parametrize("word", ["login-needed", "try-later",
                                  "config-error", "wrong-server", "denied"])
def test_a_password_is_left_alone_at_other_answers(helper, host, word):
    helper.add("answer", times=None, attributes=[
        ["mailtoken", "1"], ["result", word],
        ["password-as-token", "yes"]])
    run = host.run(user=ALICE, password=OWN_TOKEN)
    assert run.start < 0
    assert "pass" not in run.all("callback")


def test_a_refused_token_of_the_hosts_own_is_not_reported(helper, host):
    unknown(helper, times=None)
    run = host.run(user=ALICE, password=OWN_TOKEN,
                   challenges=[b'{"status":"401"}'])
    assert run.steps == [sasl.OK]
    assert [r.verb for r in helper.wait_request()] == ["token"]


def test_no_password_callback_fails_as_an_unknown_account(helper, host):
    unknown(helper, times=None)
    run = host.run(user=ALICE, no_pass=True)
    assert run.start == sasl.NOUSER
    assert f'no account "{ALICE}": run "mailtoken login {ALICE}"' in run.detail
