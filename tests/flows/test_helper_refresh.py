# SPDX-License-Identifier: BSD-2-Clause
"""One refresh, the newest refresh token on disk, answers that say why."""

import os

import pytest

from bed import wait_for
from bed_helper import SCOPE
from test_helper_signin import sign_in

JO = "jo@example.org"
EVER = None


def ask_and_look(bed):
    """A token, and the record as it is when the token comes."""
    answer = bed.token()
    return answer, bed.record()


@pytest.mark.parametrize("askers", [50, 200])
def test_one_refresh_answers_all_who_wait(helper, idp, askers):
    helper.seed(age=4000)
    helper.start()
    with idp.holding("token"):
        lines = [helper.connect().send("token", account=JO,
                                       server="localhost")
                 for _ in range(askers)]
        idp.wait_request("token")
        assert helper.ask("version")["result"] == "ok"  # all are accepted
    answers = [line.next() for line in lines]
    assert {answer["result"] for answer in answers} == {"ok"}
    tokens = {answer["token"] for answer in answers}
    assert len(tokens) == 1
    assert idp.introspect(tokens.pop())["active"]
    assert helper.refreshes() == 1
    assert idp.counts["refresh_reuse"] == 0
    # The account is alive.
    assert helper.ask("refresh", account=JO)["result"] == "ok"


def test_new_refresh_token_is_on_disk_before_the_answer(helper, idp):
    old = helper.seed(age=4000)
    helper.start()
    idp.fault("token", "delay", seconds=0.2)
    for answer, record in helper.many(20, lambda: ask_and_look(helper)):
        assert record["refresh-token"] == idp.current_refresh(JO)
        assert record["refresh-token"] != old.refresh_token
        assert record["access-token"] == answer["token"]


def test_answer_without_refresh_token_keeps_the_old_one(helper, idp):
    idp.set(rotation=False)
    old = helper.seed(age=4000)
    helper.start()
    answer = helper.token()
    assert answer["result"] == "ok"
    assert answer["token"] != old.access_token
    assert helper.record()["refresh-token"] == old.refresh_token


def test_token_says_login_expiry_and_serial(helper):
    seeded = helper.seed("Jo@Example.org", age=100)
    helper.write_record(JO, open(helper.keyring + "/Jo@Example.org").read())
    helper.start()
    answer = helper.token("JO@example.ORG")
    assert answer["token"] == seeded.access_token
    assert answer["login"] == "JO@example.ORG"
    assert answer["expires"] == helper.record()["expires"]
    assert answer["serial"] == helper.record()["serial"]
    assert helper.refreshes() == 0


TRANSIENT = [
    ("http_error", {"status": 500}),
    ("http_error", {"status": 503, "error": "temporarily_unavailable"}),
    ("http_error", {"status": 429, "error": "temporarily_unavailable"}),
    ("http_error", {"status": 408}),
    ("http_error", {"status": 425}),
    ("http_error", {"status": 401}),
    ("http_error", {"status": 403}),
    ("http_error", {"status": 504}),
    ("http_error", {"status": 400, "error": "never_heard_of"}),
    ("html", {"status": 200}),
    ("html", {"status": 502}),
    ("empty", {}),
    ("malformed", {}),
    ("huge", {}),
    ("not_object", {}),
    ("bad_token", {}),
    ("without", {"names": ["access_token"]}),
    ("close_before", {}),
    ("reset_half", {}),
]


@pytest.mark.parametrize("kind,details", TRANSIENT,
                         ids=lambda v: v if isinstance(v, str) else
                         "-".join(map(str, v.values())))
def test_transient_failure_keeps_all_and_backs_off(clocked, idp, kind,
                                                   details):
    idp.set(reuse_detection=False)
    old = clocked.seed(age=4000)
    clocked.start().clock.hold()
    idp.fault("token", kind, times=EVER, **details)
    answer = clocked.token()
    assert answer["result"] == "try-later"
    assert 1 <= int(answer["retry-after"]) <= 5
    assert answer["text"]
    assert clocked.token()["result"] == "try-later"
    assert idp.counts["token"] == 1
    assert clocked.status()["state"] == "backoff"
    assert clocked.record()["refresh-token"] == old.refresh_token
    clocked.clock.boot(6000)
    wait_for(lambda: idp.counts["token"] >= 2 and
             clocked.status()["state"] == "backoff")
    assert int(clocked.token()["retry-after"]) > 5
    idp.clear_faults()
    clocked.clock.boot(11000)
    assert clocked.token()["result"] == "ok"
    assert clocked.status()["state"] == "active"


def test_redirect_is_not_followed(helper, idp):
    helper.seed(age=4000)
    helper.start()
    idp.fault("token", "redirect", times=EVER,
              url=f"{idp.url}/elsewhere", status=307)
    answer = helper.token()
    assert answer["result"] == "try-later"
    assert idp.counts["unknown"] == 0


def test_backoff_doubles_to_a_quarter_of_an_hour(clocked, idp):
    clocked.seed(age=4000)
    clocked.start().clock.hold()
    idp.fault("token", "http_error", times=EVER, status=500)
    waits = []
    for tries in range(1, 12):
        waits.append(int(clocked.token()["retry-after"]))
        assert idp.counts["token"] == tries
        clocked.clock.boot(waits[-1] * 1000)
        wait_for(lambda: idp.counts["token"] > tries and
                 clocked.status()["state"] == "backoff")
    for n, wait in enumerate(waits):
        whole = min(900, 5 * 2 ** n)
        assert whole * 0.8 - 1 <= wait <= whole


@pytest.mark.parametrize("said,obeyed", [(200, 200), (7200, 3600), (1, 5)])
def test_retry_after_is_obeyed_up_to_an_hour(clocked, idp, said, obeyed):
    clocked.seed(age=4000)
    clocked.start().clock.hold()
    idp.fault("token", "http_error", status=429, retry_after=said)
    wait = int(clocked.token()["retry-after"])
    assert obeyed * 0.8 - 1 <= wait <= obeyed
    assert clocked.token()["result"] == "try-later"
    assert idp.counts["token"] == 1


def test_reload_ends_a_back_off_but_not_what_the_provider_said(helper, idp):
    helper.seed(age=4000)
    helper.start()
    helper.configure(proxy="http://127.0.0.1:1")
    assert helper.ask("reload")["result"] == "ok"
    assert helper.token()["result"] == "try-later"
    helper.configure()
    idp.fault("token", "http_error", status=503, retry_after=99)
    assert helper.ask("reload")["result"] == "ok"
    assert int(helper.token()["retry-after"]) > 90
    assert helper.ask("reload")["result"] == "ok"
    assert helper.token()["result"] == "try-later"
    assert idp.counts["token"] == 1


def test_usable_token_is_served_while_the_provider_is_down(helper, idp):
    old = helper.seed(age=2000)
    helper.start()
    idp.stop()
    for _ in range(3):
        answer = helper.token()
        assert (answer["result"], answer["token"]) == ("ok",
                                                       old.access_token)
    helper.wait_log("event=refresh")
    assert helper.token()["result"] == "ok"


def test_texts_tell_failures_of_the_network_apart(helper, idp):
    ways = ("expired", "wrong-name", "untrusted", "none")
    for way in ways:
        helper.seed(f"{way}@example.org", age=4000)
    helper.start()
    texts = set()
    for way in ways:
        idp.stop()
        if way != "none":
            idp.start(way, idp.port)
        answer = helper.token(f"{way}@example.org")
        assert answer["result"] == "try-later"
        texts.add(answer["text"].replace(way, ""))
    assert len(texts) == len(ways)


LOGIN = [("aadsts", {"number": 700082}), ("aadsts", {"number": 50173}),
         ("http_error", {"status": 400, "error": "interaction_required"}),
         ("http_error", {"status": 400, "error": "consent_required"}),
         ("http_error", {"status": 400, "error": "login_required"})]


@pytest.mark.parametrize("kind,details", LOGIN,
                         ids=lambda v: str(list(v.values())[-1])
                         if isinstance(v, dict) else v)
def test_login_needed_is_said_once_and_not_hammered(clocked, idp, kind,
                                                    details):
    old = clocked.seed(age=4000)
    clocked.start()
    idp.fault("token", kind, times=EVER, **details)
    first = clocked.token()
    assert first["result"] == "login-needed"
    for _ in range(5):
        assert clocked.token() == first
    assert idp.counts["token"] == 1
    assert clocked.record()["refresh-token"] == old.refresh_token
    clocked.clock.both(1800)
    assert clocked.token()["result"] == "login-needed"
    assert idp.counts["token"] == 1
    clocked.clock.both(1900)
    # While programs ask, one try an hour.
    assert clocked.status()["state"] == "login-needed"
    assert idp.counts["token"] == 1
    assert clocked.token()["result"] == "login-needed"
    assert clocked.token()["result"] == "login-needed"
    assert idp.counts["token"] == 2
    clocked.wait_log("to=login-needed")
    assert clocked.log().count("to=login-needed") == 1
    # The provider's side heals: no sign-in is needed.
    idp.clear_faults()
    assert clocked.ask("refresh", account=JO)["result"] == "ok"
    assert clocked.token()["result"] == "ok"


def test_login_needed_is_remembered_over_a_restart(helper, idp):
    helper.seed(age=4000)
    helper.start()
    idp.fault("token", "aadsts", number=700082)
    text = helper.token()["text"]
    helper.restart()
    status = helper.status()
    assert (status["state"], status["text"]) == ("login-needed", text)
    assert idp.counts["token"] == 1


def test_wrong_client_secret_recovers_without_a_sign_in(helper, idp):
    secret = helper.path("secret")
    with open(secret, "w") as out:
        out.write("wrong")
    helper._give(secret)
    os.chmod(secret, 0o600)
    helper.provider["client_id"] = "mail-web"
    helper.configure(client_secret_file=secret)
    seeded = idp.seed(JO, client_id="mail-web", scope=SCOPE)
    helper.seed(age=4000, seeded=seeded)
    helper.start()
    answer = helper.token()
    assert answer["result"] == "config-error"
    assert "secret" in answer["text"]
    assert helper.token() == answer
    # In the form and by HTTP Basic: nothing tells which it should be.
    assert idp.counts["token"] == 2
    assert helper.record()["refresh-token"] == seeded.refresh_token
    with open(secret, "w") as out:
        out.write(idp.client_secret)
    assert helper.ask("reload")["result"] == "ok"
    assert helper.token()["result"] == "ok"


@pytest.mark.parametrize("error", [
    "invalid_client", "unauthorized_client", "invalid_scope",
    "unsupported_grant_type", "invalid_request", "org_internal",
    "disabled_client", "deleted_client", "admin_policy_enforced"])
def test_configuration_error_keeps_all_and_is_retried_hourly(clocked, idp,
                                                             error):
    old = clocked.seed(age=4000)
    clocked.start()
    idp.fault("token", "http_error", status=400, error=error)
    assert clocked.token()["result"] == "config-error"
    assert clocked.token()["result"] == "config-error"
    assert idp.counts["token"] == 1
    assert clocked.record()["refresh-token"] == old.refresh_token
    clocked.clock.both(3601)
    assert clocked.wait_state("active")
    assert idp.counts["token"] == 2


def test_words_of_the_provider_are_escaped_once(helper, idp):
    helper.seed(age=4000)
    helper.start()
    idp.fault("token", "http_error", status=400, error="out_of_luck",
              error_description="line one\nof a\\b")
    text = r'line one of a\x5cb'
    assert text in helper.token()["text"]
    assert text in helper.status()["text"]
    helper.wait_log(text)
    assert "x5cx" not in helper.log()


def test_status_without_reason_for_a_day_is_shown_as_configuration(clocked,
                                                                   idp):
    clocked.seed(age=4000)
    clocked.start()
    idp.fault("token", "http_error", times=EVER, status=404)
    assert clocked.token()["result"] == "try-later"
    clocked.clock.both(24 * 3600)
    clocked.token()
    assert clocked.wait_state("config-error")
    assert clocked.token()["result"] == "config-error"


def test_fewer_scopes_than_asked_are_a_warning(helper, idp):
    helper.seed(age=4000)
    idp.set(scope_answer="offline_access openid")
    helper.start()
    assert helper.token()["result"] == "ok"
    helper.wait_log("event=scope")
    line, = [x for x in helper.log().split("\n") if "event=scope" in x]
    assert "mail" in line.replace("mailtoken", "")


@pytest.mark.parametrize("scope", ["", "openid email offline_access mail"])
def test_scope_that_is_absent_or_in_another_order_is_no_warning(helper, idp,
                                                                scope):
    helper.seed(age=4000)
    idp.set(scope_answer=scope)
    helper.start()
    assert helper.token()["result"] == "ok"
    assert helper.stop() == 0
    assert "event=scope" not in helper.log()


def scopes_sent(idp):
    """The scope of each refresh that was asked for."""
    return [r.form.get("scope") for r in idp.requests
            if r.grant_type == "refresh_token"]


def test_a_refresh_asks_for_what_was_granted_and_no_more(helper, idp):
    helper.start()
    idp.set(withheld=("email",))
    assert sign_in(helper)["result"] == "ok"
    assert helper.ask("refresh", account=JO)["result"] == "ok"
    helper.restart()
    assert helper.ask("refresh", account=JO)["result"] == "ok"
    wanted = " ".join(w for w in SCOPE.split() if w != "email")
    assert scopes_sent(idp) == [wanted, wanted]


def test_a_refresh_names_no_scope_where_the_answer_named_none(helper, idp):
    helper.start()
    idp.set(withheld=("email",), scope_answer="")
    assert sign_in(helper)["result"] == "ok"
    assert helper.ask("refresh", account=JO)["result"] == "ok"
    assert scopes_sent(idp) == [None]


def test_a_scope_called_invalid_is_left_out_once(helper, idp):
    seeded = helper.seed(age=4000, granted_scope="mail.as.we.call.it")
    helper.seed("ann@example.org", age=4000)
    helper.start()
    assert helper.token()["result"] == "ok"
    assert scopes_sent(idp) == ["mail.as.we.call.it", None]
    sent = [r.form["refresh_token"] for r in idp.requests]
    assert sent == [seeded.refresh_token] * 2
    assert idp.counts["refresh_reuse"] == 0
    # One that was sent without is not sent again.
    idp.fault("token", "http_error", status=400, error="invalid_scope")
    assert helper.token("ann@example.org")["result"] == "config-error"
    assert len(scopes_sent(idp)) == 3


@pytest.mark.slow
def test_an_answer_that_comes_late_is_not_lost(helper, idp):
    old = helper.seed(age=4000)
    helper.start()
    idp.fault("token", "delay", seconds=27)
    answer = helper.token()
    assert answer["result"] == "timeout"
    wait_for(lambda: helper.record()["refresh-token"] != old.refresh_token,
             what="the late answer on disk")
    assert helper.record()["refresh-token"] == idp.current_refresh(JO)
    assert helper.token()["result"] == "ok"
    assert helper.refreshes() == 1


def test_accounts_of_one_grant_share_its_refresh(helper, idp):
    helper.configure(f"account shared@example.org\n    token_of {JO}")
    helper.seed(age=4000)
    helper.start()
    with idp.holding("token"):
        lines = [helper.connect().send("token", server="localhost",
                                       account="shared@example.org")
                 for _ in range(10)]
        idp.wait_request("token")
    answers = [line.next() for line in lines]
    assert {a["result"] for a in answers} == {"ok"}
    assert {a["login"] for a in answers} == {"shared@example.org"}
    assert helper.refreshes() == 1


def test_one_account_that_hangs_does_not_hold_others_up(helper, idp):
    helper.seed(age=4000)
    ann = helper.seed("ann@example.org", age=10)
    helper.start()
    idp.fault("token", "silent")
    waiting = helper.connect().send("token", account=JO, server="localhost")
    idp.wait_request("token")
    answers = helper.many(50, lambda: helper.token("ann@example.org"))
    assert {a["token"] for a in answers} == {ann.access_token}
    waiting.close()


@pytest.mark.slow
def test_provider_that_hangs_is_given_up_within_25_seconds(clocked, idp):
    clocked.seed(age=4000)
    clocked.start().clock.hold()
    idp.fault("token", "silent")
    answers = clocked.many(3, clocked.token)
    assert {a["result"] for a in answers} <= {"timeout", "try-later"}
    assert idp.counts["token"] == 1
