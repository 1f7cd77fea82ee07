# SPDX-License-Identifier: BSD-2-Clause
"""A provider that is known by its issuer alone."""

import pytest

from test_helper_signin import JO, begin, done, sign_in

SCOPES = ["openid", "email", "offline_access"]


def known_by_issuer(bed, **more):
    """Configure the bed's provider by its issuer."""
    bed.provider.update(token_endpoint=None, issuer=bed.idp.url,
                        device_authorization_endpoint=None)
    bed.configure(**more)
    return bed


@pytest.fixture
def issuer(helper):
    """A helper whose only provider is an issuer."""
    return known_by_issuer(helper)


def asked(idp):
    """The places the metadata was asked for at."""
    return [r.path for r in idp.requests if r.endpoint == "discovery"]


def old_record(bed, account=JO):
    """A record that needs a refresh, of that issuer."""
    return bed.seed(account, age=4000, issuer=bed.idp.url,
                    token_endpoint=f"{bed.idp.url}/token",
                    device_authorization_endpoint=f"{bed.idp.url}/device")


def fails(bed, result="try-later"):
    """A sign-in that cannot begin; what is said."""
    answer = bed.ask("sign-in", account=JO)
    assert answer["result"] == result, answer
    return answer["text"]


def test_sign_in_and_refresh_need_no_endpoint(issuer, idp):
    issuer.start()
    assert sign_in(issuer)["result"] == "ok"
    record = issuer.record()
    assert record["token-endpoint"] == f"{idp.url}/token"
    assert record["revocation-endpoint"] == f"{idp.url}/revoke"
    assert issuer.ask("refresh", account=JO)["result"] == "ok"
    assert asked(idp) == ["/.well-known/openid-configuration"]


def test_openid_is_asked_first_and_rfc_8414_second(issuer, idp):
    idp.fault("discovery", "http_error", status=404)
    issuer.start()
    assert sign_in(issuer)["result"] == "ok"
    assert asked(idp) == ["/.well-known/openid-configuration",
                          "/.well-known/oauth-authorization-server"]


def test_refresh_after_a_start_waits_for_discovery(issuer, idp):
    old_record(issuer)
    issuer.start()
    assert issuer.token()["result"] == "ok"
    assert len(asked(idp)) == 1


def test_one_search_serves_all_accounts(issuer, idp):
    names = [f"a{i}@example.org" for i in range(12)]
    for name in names:
        old_record(issuer, name)
    issuer.start()
    with idp.holding("discovery"):
        waiting = [issuer.connect().send("token", account=name,
                                         server="localhost")
                   for name in names]
        idp.wait_request("discovery")
        assert issuer.ask("version")["result"] == "ok"  # all are accepted
    assert [w.next()["result"] for w in waiting] == ["ok"] * len(names)
    assert len(asked(idp)) == 1


def test_what_is_kept_is_asked_for_again_after_a_day(beds, idp):
    bed = known_by_issuer(beds(clock=True))
    old_record(bed)
    bed.start()
    assert bed.token()["result"] == "ok"
    bed.clock.both(23 * 3600)
    idp.advance(23 * 3600)
    assert bed.token()["result"] == "ok"
    assert len(asked(idp)) == 1
    bed.clock.both(2 * 3600)
    idp.advance(2 * 3600)
    assert bed.token()["result"] == "ok"
    assert len(asked(idp)) == 2


def test_last_good_copy_is_used_when_the_issuer_is_down(beds, idp):
    bed = known_by_issuer(beds(clock=True))
    old_record(bed)
    bed.start()
    assert bed.token()["result"] == "ok"
    idp.fault("discovery", "http_error", times=None, status=503)
    bed.clock.both(25 * 3600)
    idp.advance(25 * 3600)
    assert bed.token()["result"] == "ok"
    # Both places were asked, maybe more than once.
    assert len(asked(idp)) >= 3


def test_record_keeps_the_last_good_copy_over_a_start(issuer, idp):
    old_record(issuer)
    idp.fault("discovery", "http_error", times=None, status=503)
    issuer.start()
    assert issuer.token()["result"] == "ok"


def test_without_any_copy_the_failure_is_transient(issuer, idp):
    old_record(issuer)
    text = issuer.record()
    del text["token-endpoint"]
    issuer.write_record(JO, "".join(f"{k}={v}\n" for k, v in text.items())
                        + "\n")
    idp.fault("discovery", "http_error", times=None, status=503)
    issuer.start()
    answer = issuer.token()
    assert answer["result"] == "try-later"
    assert "cannot be learned" in answer["text"]
    assert issuer.status()["state"] == "backoff"


@pytest.mark.parametrize("changes, words", [
    ({"issuer": "https://elsewhere.example"}, "another issuer"),
    ({"issuer": None}, "names no issuer"),
    ({"token_endpoint": "http://localhost/token"}, "token_endpoint"),
    ({"token_endpoint": "https://a@localhost/r"}, "token_endpoint"),
    ({"token_endpoint": "https://localhost/#t"}, "token_endpoint"),
    ({"token_endpoint": None}, "no token_endpoint"),
    ({"issuer": 7}, "issuer is no string"),
])
def test_document_that_must_not_be_used_is_said(issuer, idp, changes, words):
    idp.set(discovery=changes)
    issuer.start()
    text = fails(issuer)
    assert words in text and idp.url in text
    assert idp.counts["device"] == 0


def test_a_document_says_more_than_a_place_without_one(issuer, idp):
    idp.fault("discovery", "http_error", status=404)
    idp.set(discovery={"issuer": "https://elsewhere.example"})
    issuer.start()
    assert "another issuer, https://elsewhere.example" in fails(issuer)


def test_template_of_tenants_is_for_microsoft_alone(issuer, idp):
    idp.set(discovery={"issuer": f"{idp.url}/{{tenantid}}/v2.0"})
    issuer.start()
    assert "another issuer" in fails(issuer)


@pytest.mark.parametrize("kind, details, words", [
    ("huge", {}, "longer than"),
    ("redirect", {"url": "https://localhost:1/x"}, "redirect"),
    ("html", {}, "an HTML page"),
    ("malformed", {}, "cannot be used"),
    ("http_error", {"status": 404}, "404"),
])
def test_answer_that_is_no_document_is_said(issuer, idp, kind, details,
                                            words):
    idp.fault("discovery", kind, times=None, **details)
    issuer.start()
    assert words in fails(issuer)


def test_written_endpoints_win(issuer, idp):
    issuer.configure(token_endpoint=f"{idp.url}/token")
    idp.set(discovery={"token_endpoint": f"{idp.url}/wrong"})
    issuer.start()
    assert sign_in(issuer)["result"] == "ok"


def test_grant_stays_with_the_host_that_issued_it(issuer, idp):
    old_record(issuer)
    idp.set(discovery={"token_endpoint": "https://other.example/token"})
    issuer.start()
    answer = issuer.token()
    assert answer["result"] == "config-error"
    assert "other.example" in answer["text"]
    assert "localhost" in answer["text"]
    assert idp.counts["token"] == 0


def test_scope_follows_what_the_issuer_supports(issuer, idp):
    mail = "urn:ietf:params:oauth:scope:mail"
    issuer.configure(scope=None)
    idp.set(discovery={"scopes_supported": [mail, "offline_access",
                                            "calendars"]})
    issuer.start()
    assert sign_in(issuer)["result"] == "ok"
    assert issuer.record()["scope"] == f"{mail} offline_access"


def test_sign_in_that_is_hung_up_leaves_nothing(issuer, idp):
    issuer.start()
    with idp.holding("discovery"):
        line = issuer.connect().send("sign-in", account=JO)
        idp.wait_request("discovery")
        line.close()
    line, code = begin(issuer)
    idp.approve(code, JO)
    with line:
        assert done(line)["result"] == "ok"


def test_stop_during_a_search_is_clean(issuer, idp):
    old_record(issuer)
    issuer.start()
    with idp.holding("discovery"):
        waiting = issuer.later(issuer.token)
        idp.wait_request("discovery")
        issuer.signal()
        issuer.wait_log("event=stop")
    assert issuer.wait() == 0
    assert waiting()["result"] in ("ok", "try-later", "internal")
