# SPDX-License-Identifier: BSD-2-Clause
"""Answers are read for what is good in them, and a request is sent once."""

import gzip
import json

import pytest

from bed_app import APP, configure, put_secret
from browser import visit
from idp.about import Answer
from test_helper_signin import done

JO = "jo@example.org"


def cut(name):
    """Take a member's value out: `"name": }`, which is no JSON."""
    def act(body):
        head, _, rest = body.partition(b'"%s": ' % name)
        return head + b'"%s": ' % name + rest[rest.index(b","):]
    return act


def put(name, raw):
    """Put a member of these bytes in front, whatever they are."""
    return lambda body: b'{"%s": %s, ' % (name, raw) + body[1:]


NUMBERS = [0, "", "3600.0", -5, 1e18, 10 ** 30, 367 * 86400, 59.5, True,
           "soon", [], {}, None, "NaN"]
TEXTS = [["mail"], "mail\x01offline_access", "m" * 9000, 7, {}, "", None,
         "mail\x00"]
ODD = [("scope", v) for v in TEXTS]
ODD += [("expires_in", v) for v in NUMBERS]
ODD += [(name, v) for name in ("refresh_in", "refresh_expires_in",
                               "refresh_token_expires_in",
                               "ext_expires_in") for v in (-1, "", [], 1e300)]
ODD += [("id_token", v) for v in (7, [], "", "a.b", "a.!.c", None, {"a": 1})]
ODD += [("error", v) for v in ("invalid_grant", "", 7, None)]
ODD += [("token_type", v) for v in ("BEARER", None)]
ODD += [("never_heard_of", v) for v in ("x" * 9000, [[[[]]]], None)]

def again(name, raw):
    """Put it there once more, behind, with these bytes."""
    return lambda body: body[:-1] + b', "%s": %s}' % (name, raw)


RAW = {
    "byte order mark": lambda body: b"\xef\xbb\xbf" + body,
    "blanks in front": lambda body: b"\r\n\t " + body,
    "line behind": lambda body: body + b"\r\n<!-- served by x -->",
    "nul behind": lambda body: body + b"\0",
    "scope twice": lambda body: body[:-1] + b', "scope": "mail"}',
    "refresh token twice": lambda body: body[:-1] + b", " +
    body[body.index(b'"refresh_token"'):].partition(b",")[0].rstrip(b"}") +
    b"}",
    "raw control byte": put(b"scope", b'"a\x01b"'),
    "raw line end": put(b"scope", b'"a\nb"'),
    "no UTF-8": put(b"error_description", b'"\xff\xfe"'),
    "half a surrogate": put(b"scope", b'"\\ud800"'),
    "escaped nul": put(b"scope", b'"\\u0000"'),
    "Infinity": put(b"refresh_in", b"Infinity"),
    "NaN": put(b"refresh_in", b"NaN"),
    "1e999": put(b"refresh_in", b"1e999"),
    "too deep": put(b"x", b"[" * 5000 + b"]" * 5000),
    "no value": put(b"x", b""),
    "no closing bracket": lambda body: body[:-1] + b" ",
}

RAW |= {f"{name} twice, then {raw}": again(name.encode(), raw)
        for name in ("refresh_token", "access_token", "token_type")
        for raw in (b'""', b"null", b"7", b"[]", b'"a b"')}

USELESS = [{"access_token": v} for v in
           (None, "", 7, [], "a b", "a\x01b", "x" * 70000)]
USELESS += [{"token_type": v} for v in ("mac", 7, [])]
USELESS += [{"access_token": None, "error": "temporarily_unavailable"}]


def name_of(i):
    """An account of its own for each case."""
    return f"case{i}@example.org"


def run_all(helper, idp, cases, act):
    """Refresh an account a case, all through one helper."""
    for i in range(len(cases)):
        helper.seed(name_of(i), age=4000)
    helper.start()
    wrong = []
    for i, (label, fault) in enumerate(cases):
        idp.fault("token", fault[0], **fault[1])
        wrong += [f"{label}: {x}" for x in act(name_of(i))]
    assert wrong == []


def served(helper, idp):
    """What is wrong with an account that should have been refreshed."""
    def look(account):
        answer = helper.token(account)
        record = helper.record(account)
        if answer["result"] != "ok":
            yield str(answer)
        elif not idp.introspect(answer["token"])["active"]:
            yield "another token was served"
        if record["refresh-token"] != idp.current_refresh(account):
            yield "the new refresh token is not on disk"
        elif not 0 < int(record["granted"]) <= 366 * 86400:
            yield "a life of " + record["granted"]
    return look


def test_an_odd_optional_member_costs_neither_token_nor_grant(helper, idp):
    cases = [(f"{name}={str(value)[:20]!r}",
              ("changed", {"effect": True, name: value}))
             for name, value in ODD]
    run_all(helper, idp, cases, served(helper, idp))
    assert idp.counts["refresh_reuse"] == 0


def test_odd_bytes_around_good_members_cost_neither(helper, idp):
    cases = [(label, ("mangled", {"act": act})) for label, act in RAW.items()]
    run_all(helper, idp, cases, served(helper, idp))


def test_a_whole_answer_counts_however_its_connection_ends(helper, idp):
    run_all(helper, idp, [("cut behind", ("cut_behind", {}))],
            served(helper, idp))


def test_an_answer_may_be_compressed(helper, idp):
    plain = idp.answer
    idp.answer = lambda request: Answer(
        body=gzip.compress(json.dumps(plain(request).data).encode()),
        headers={"Content-Encoding": "gzip"})
    run_all(helper, idp, [("gzip", ("delay", {"seconds": 0}))],
            served(helper, idp))
    request, = idp.requests
    assert request.headers["accept-encoding"] == "identity"


def test_a_new_refresh_token_outlives_an_answer_that_is_not_whole(clocked,
                                                                  idp):
    """Cut off behind it, or longer than anybody reads."""
    plain = idp.answer

    def padded(request):
        data = plain(request).data
        return Answer(data={"refresh_token": data["refresh_token"], **data,
                            "x": "x" * padding})

    idp.answer = padded
    clocked.seed(age=4000)
    clocked.start()
    for padding, fault in ((5000, "cut_half"), (300000, None)):
        before = idp.current_refresh(JO)
        if fault is not None:
            idp.fault("token", fault)
        assert clocked.token()["result"] == "try-later"
        assert idp.current_refresh(JO) != before
        assert clocked.record()["refresh-token"] == idp.current_refresh(JO)
        clocked.clock.boot(60000)
    padding = 0
    assert clocked.token()["result"] == "ok"
    assert idp.counts["refresh_reuse"] == 0


def test_a_new_refresh_token_outlives_an_answer_without_a_token(clocked, idp):
    def look(account):
        answer = clocked.token(account)
        if answer["result"] != "try-later":
            yield str(answer)
        if clocked.record(account)["refresh-token"] != \
                idp.current_refresh(account):
            yield "the new refresh token is not on disk"

    cases = [(str(change)[:40], ("changed", {"effect": True, **change}))
             for change in USELESS]
    run_all(clocked, idp, cases, look)
    clocked.clock.boot(6000)
    for i in range(len(cases)):
        assert clocked.token(name_of(i))["result"] == "ok"
    assert idp.counts["refresh_reuse"] == 0


def test_a_refresh_token_is_on_the_wire_once(helper, idp):
    helper.seed("ann@example.org", age=4000)
    helper.seed(age=4000)
    helper.start()
    assert helper.token("ann@example.org")["result"] == "ok"
    # What is kept open now would be closed when the request has been read.
    idp.fault("token", "close_before", times=2)
    assert helper.token()["result"] == "try-later"
    sent = [r.form.get("refresh_token") or r.body for r in idp.requests
            if r.endpoint == "token"]
    assert len(sent) == len(set(sent)) == 2
    assert helper.stop() == 0
    assert idp.counts["token"] == 2


def redeem(helper, idp):
    """Codes of a browser."""
    def act(account):
        with helper.connect().send("sign-in", account=account) as line:
            visit(idp.browse(line.next()["url"]))
            return done(line)

    helper.configure(authorization_endpoint=f"{idp.url}/authorize",
                     flow="browser")
    return act


def revoke(helper, idp):
    """Refresh tokens that are to end."""
    helper.configure(revocation_endpoint=f"{idp.url}/revoke")
    for account in ("ann@example.org", JO):
        helper.seed(account, age=10)
    return lambda account: helper.ask("forget", account=account)


def vouch(helper, idp):
    """Assertions of an application."""
    helper.secrets_kept = []
    idp.add_client(APP, trusted="t" * 40)
    configure(helper, f"account {JO}\n    provider test",
              assertion_file=put_secret(helper, "assertion", "t" * 40))
    return lambda account: helper.ask("refresh", account=JO)


@pytest.mark.parametrize("way, endpoint", [
    (redeem, "token"), (revoke, "revoke"), (vouch, "token")])
def test_nothing_else_is_on_the_wire_twice(helper, idp, way, endpoint):
    act = way(helper, idp)
    helper.start()
    assert act("ann@example.org")["result"] == "ok"
    before = idp.counts[endpoint]
    idp.fault(endpoint, "close_before", times=2)
    act(JO)
    assert helper.stop() == 0
    assert idp.counts[endpoint] == before + 1
