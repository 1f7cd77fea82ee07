# SPDX-License-Identifier: BSD-2-Clause
"""When a token is renewed, what the clocks do to it, grants kept alive."""

import re
import time

import pytest

from bed import wait_for

JO = "jo@example.org"
DAY = 86400


def test_token_with_most_of_its_life_left_comes_from_memory(helper):
    old = helper.seed(age=1200)
    helper.start()
    for _ in range(3):
        assert helper.token()["token"] == old.access_token
    assert helper.status()["state"] == "active"
    assert helper.refreshes() == 0


def test_token_past_half_its_life_is_served_and_renewed_behind(helper, idp):
    old = helper.seed(age=2400)
    helper.start()
    with idp.holding("token"):
        assert helper.token()["token"] == old.access_token
    wait_for(lambda: helper.record()["access-token"] != old.access_token)
    assert helper.token()["token"] != old.access_token
    assert helper.refreshes() == 1


def test_refresh_in_moves_the_renewal(helper):
    early = helper.seed("early@example.org", age=700, refresh_in=600)
    late = helper.seed("late@example.org", age=2400, refresh_in=3000)
    helper.start()
    for account, seeded in (("early", early), ("late", late)):
        assert helper.token(f"{account}@example.org")["token"] == \
            seeded.access_token
    wait_for(lambda: helper.record("early@example.org")["access-token"] !=
             early.access_token)
    assert helper.status("late@example.org")["state"] == "active"
    assert helper.refreshes() == 1


def test_account_in_use_is_renewed_before_it_expires(clocked):
    old = clocked.seed(age=10)
    clocked.start()
    assert clocked.token()["token"] == old.access_token
    clocked.clock.both(1900)
    wait_for(lambda: clocked.record()["access-token"] != old.access_token)
    assert clocked.token()["token"] != old.access_token
    assert clocked.refreshes() == 1


def test_no_asker_makes_more_than_two_refreshes_in_a_life(clocked):
    clocked.seed(age=4000)
    clocked.start()
    assert clocked.token(min_validity=DAY)["result"] == "ok"
    assert clocked.refreshes() == 1
    for _ in range(11):
        clocked.clock.both(300)
        for validity in (0, 60, 3000, DAY):
            answer = clocked.token(min_validity=validity)
            assert answer["result"] == "ok"
        wait_for(lambda: clocked.status()["state"] == "active")
    assert clocked.refreshes() <= 3


def test_min_validity_is_capped_at_half_the_life(helper):
    half = helper.seed(age=1500)
    helper.start()
    assert helper.token(min_validity=DAY)["token"] == half.access_token
    assert helper.refreshes() == 0


def test_min_validity_within_the_cap_is_kept(helper):
    old = helper.seed(age=3600 - 900)
    helper.start()
    answer = helper.token(min_validity=1000)
    assert answer["token"] != old.access_token


def test_server_rule_on_least_life_is_not_capped(helper):
    """Nine minutes left where eleven are needed: renewed first."""
    helper.configure(min_validity=660)
    old = helper.seed(age=3600 - 540)
    enough = helper.seed("ann@example.org", age=3600 - 1200)
    helper.start()
    assert helper.token()["token"] != old.access_token
    assert helper.token("ann@example.org")["token"] == enough.access_token


def test_server_rule_above_the_granted_life_serves_what_there_is(helper,
                                                                 idp):
    idp.set(access_life=300)
    helper.configure(min_validity=660)
    helper.seed(age=4000)
    helper.start()
    tokens = {helper.token()["token"] for _ in range(5)}
    assert len(tokens) == 1
    assert helper.refreshes() == 1


def test_short_lived_token_is_served_when_it_has_just_come(helper, idp):
    idp.set(access_life=2)
    helper.seed(age=4000)
    helper.start()
    assert helper.token()["result"] == "ok"


def expect_renewal(bed, old):
    answer = bed.token()
    assert answer["result"] == "ok"
    assert answer["token"] != old.access_token


def test_clock_set_forward_ends_a_token(clocked):
    old = clocked.seed(age=10)
    clocked.start()
    assert clocked.token()["token"] == old.access_token
    clocked.clock.wall(2 * 3600)
    expect_renewal(clocked, old)


def test_suspend_ends_a_token(clocked):
    old = clocked.seed(age=10)
    clocked.start()
    assert clocked.token()["token"] == old.access_token
    clocked.clock.both(2 * 3600)
    expect_renewal(clocked, old)


def test_reload_during_a_refresh_counts_at_its_end(helper, idp):
    """The refresh ends as it began; the account is of another client now."""
    helper.seed(age=4000)
    helper.start()
    idp.fault("token", "delay", seconds=1)
    waiting = helper.later(helper.token)
    idp.wait_request("token")
    helper.configure(client_id="another")
    assert helper.ask("reload")["result"] == "ok"
    assert waiting()["result"] == "ok"
    status = helper.wait_state("config-error")
    assert "client_id" in status["text"]


def test_time_passes_though_the_wall_clock_does_not(clocked):
    old = clocked.seed(age=10)
    clocked.start()
    clocked.clock.boot(2 * 3600 * 1000)
    expect_renewal(clocked, old)


def test_clock_set_back_makes_no_old_token_young(clocked):
    old = clocked.seed(age=10)
    clocked.start()
    clocked.clock.wall(-DAY)
    assert clocked.token()["token"] == old.access_token
    clocked.clock.both(3700)
    expect_renewal(clocked, old)


def test_clock_that_jumps_to_and_fro_breaks_nothing(clocked):
    clocked.seed(age=10)
    clocked.start()
    for jump in (DAY, -2 * DAY, 400 * DAY, -399 * DAY, 60):
        clocked.clock.wall(jump)
        assert clocked.token()["result"] == "ok"
    clocked.clock.both(61)
    assert clocked.token()["result"] == "ok"
    assert clocked.refreshes() <= 5


def test_receipt_in_the_future_means_expired(helper):
    old = helper.seed(age=-600)
    helper.start()
    expect_renewal(helper, old)


def test_more_life_than_was_granted_means_expired(helper):
    old = helper.seed(age=10, expires=int(time.time()) + 9000)
    helper.start()
    expect_renewal(helper, old)


def test_restart_needs_no_interaction(helper):
    old = helper.seed(age=10)
    helper.start()
    helper.restart()
    assert helper.token()["token"] == old.access_token
    assert helper.ask("refresh", account=JO)["result"] == "ok"
    new = helper.token()["token"]
    helper.restart()
    assert helper.token()["token"] == new
    assert helper.refreshes() == 1


def test_idle_grant_is_renewed_after_seven_days(clocked):
    old = clocked.seed(age=7 * DAY - 3600)
    clocked.start()
    assert clocked.refreshes() == 0
    clocked.clock.both(2 * 3600)
    wait_for(lambda: clocked.record()["refresh-token"] != old.refresh_token)
    for _ in range(6):
        clocked.clock.both(DAY)
    assert clocked.status()["state"] == "active"
    assert clocked.refreshes() == 1
    clocked.clock.both(2 * DAY)
    wait_for(lambda: clocked.refreshes() == 2)


def test_grant_last_renewed_in_the_future_does_not_lapse(clocked):
    """A clock that was wrong at the last renewal must not stop the next."""
    clocked.seed(age=-400 * DAY)
    clocked.start()
    clocked.clock.both(2 * 3600)
    wait_for(lambda: clocked.refreshes() == 1)


def test_asked_for_in_the_future_is_not_in_use(clocked):
    """A clock that was wrong must not have it renewed for ever after."""
    now = int(time.time())
    clocked.seed("ann@example.org", age=10, asked=now + 400 * DAY)
    clocked.seed(age=10, asked=now - 10)
    clocked.start()
    clocked.clock.both(3590)
    wait_for(lambda: clocked.record()["refreshed"] > str(now + 3000))
    clocked.clock.both(3590)
    wait_for(lambda: clocked.record()["refreshed"] > str(now + 7000))
    assert clocked.refreshes() == 2


def test_renewal_of_idle_grants_can_be_switched_off(clocked):
    clocked.configure("renew_idle 0")
    clocked.seed(age=30 * DAY)
    clocked.start()
    clocked.clock.both(10 * DAY)
    assert clocked.status()["state"] == "active"
    assert clocked.refreshes() == 0


def test_refresh_due_renews_what_is_idle_and_nothing_else(clocked):
    clocked.seed("idle@example.org", age=8 * DAY)
    clocked.seed("fresh@example.org", age=DAY)
    clocked.start()
    with clocked.connect() as line:
        first, end = line.send("refresh", due="yes").rest()
    assert (first["account"], first["outcome"]) == ("idle@example.org", "ok")
    assert end == {"result": "ok"}
    with clocked.connect() as line:
        assert line.send("refresh", due="yes").rest() == [{"result": "ok"}]
    assert clocked.refreshes() == 1


def test_refresh_due_tells_each_failure(helper, idp):
    for name in "abc":
        helper.seed(f"{name}@example.org", age=8 * DAY)
    idp.revoke("b@example.org")
    helper.start()
    with helper.connect() as line:
        answers = line.send("refresh", due="yes").rest()
    assert {a["account"]: a["outcome"] for a in answers[:-1]} == {
        "a@example.org": "ok", "b@example.org": "login-needed",
        "c@example.org": "ok"}
    assert answers[-1]["result"] == "ok"


def test_many_accounts_are_renewed_at_most_32_at_once(helper, idp):
    for i in range(60):
        helper.seed(f"a{i}@example.org", age=8 * DAY)
    helper.start()
    with idp.holding("token"):
        due = helper.connect().send("refresh", due="yes")
        idp.wait_request("token", 32)
        assert helper.status("a0@example.org")["account"]
        assert len(idp.requests) == 32
    answers = due.rest()
    assert len(answers) == 61
    assert {a["outcome"] for a in answers[:-1]} == {"ok"}


# -- rejected ---------------------------------------------------------------

CHALLENGE = '{"status":"401","schemes":"bearer"}'


def reject(bed, serial, where=None):
    if where is None:
        where = {"server": "localhost", "service": "smtp"}
    return bed.ask("rejected", account=JO, serial=serial,
                   challenge=CHALLENGE, **where)


def test_rejected_token_is_never_served_again(helper):
    old = helper.seed(age=10)
    helper.start()
    answer = helper.token()
    assert reject(helper, answer["serial"]) == {"result": "ok"}
    again = helper.token()
    assert again["result"] == "ok"
    assert again["token"] != old.access_token
    assert again["serial"] != answer["serial"]
    assert helper.refreshes() == 1


def test_rejections_force_at_most_one_refresh_a_minute(clocked):
    clocked.seed(age=10)
    clocked.start()
    for _ in range(4):
        answer = clocked.token()
        if answer["result"] == "ok":
            reject(clocked, answer["serial"])
    assert clocked.refreshes() == 1
    answer = clocked.token()
    assert answer["result"] == "try-later"
    assert 1 <= int(answer["retry-after"]) <= 60
    clocked.clock.both(61)
    assert clocked.token()["result"] == "ok"
    assert clocked.refreshes() == 2


def test_rejection_of_another_serial_changes_nothing(helper):
    old = helper.seed(age=10)
    helper.start()
    assert reject(helper, "0123456789abcdef") == {"result": "ok"}
    assert helper.token()["token"] == old.access_token
    assert helper.refreshes() == 0


def test_rejection_is_remembered_over_a_restart(helper, idp):
    old = helper.seed(age=10)
    helper.start()
    idp.fault("token", "http_error", times=None, status=500)
    reject(helper, helper.token()["serial"])
    assert helper.token()["result"] == "try-later"
    helper.restart()
    assert helper.token()["result"] == "try-later"
    idp.clear_faults()
    helper.restart()
    answer = helper.token()
    assert answer["result"] == "ok"
    assert answer["token"] != old.access_token


def test_rejection_during_a_refresh_is_not_lost(helper, idp):
    """The provider gives the same token once more."""
    old = helper.seed(age=10)
    helper.start()
    serial = helper.token()["serial"]
    idp.fault("token", "changed", access_token=old.access_token, after=1)
    waiting = helper.later(lambda: helper.ask("refresh", account=JO))
    idp.wait_request("token")
    for where in (None, {}):    # as a program asks, and as refresh does
        assert reject(helper, serial, where) == {"result": "ok"}
    assert waiting()["result"] == "try-later"
    assert helper.record()["rejected-serial"] == serial
    assert helper.token().get("token") != old.access_token


@pytest.mark.parametrize("serial", ["", "XYZ", "0" * 33])
def test_rejection_without_a_serial_is_a_bad_request(helper, serial):
    helper.seed(age=10)
    helper.start()
    assert reject(helper, serial)["result"] == "bad-request"


def test_the_log_says_of_every_request_why_it_was_refused(helper, idp):
    for account in ("ann@example.org", "bob@example.org"):
        helper.seed(account, age=4000)
    helper.seed()
    helper.start()
    idp.revoke("ann@example.org")

    def line_of(asked):
        """The log's line of what is asked now, beside those of the start,
        which may come late."""
        lines = "event=request verb=token.*"
        seen = len(re.findall(lines, helper.log()))
        asked()
        wait_for(lambda: len(re.findall(lines, helper.log())) > seen)
        return re.findall(lines, helper.log())[-1]

    assert " outcome=ok ms=" in line_of(helper.token)
    assert "outcome=wrong-server note=" in line_of(
        lambda: helper.token(server="elsewhere.example.org"))
    for _ in range(2):      # the second is asked of nobody
        assert re.search("outcome=login-needed note=.* revoked", line_of(
            lambda: helper.token("ann@example.org")))
    idp.fault("token", "http_error", status=503, times=None)
    for _ in range(2):
        assert re.search("outcome=try-later note=.* status 503", line_of(
            lambda: helper.token("bob@example.org")))
    assert 'outcome=unknown-account note="no record"' in line_of(
        lambda: helper.token("nobody@example.org"))
    for to in ("login-needed", "backoff"):
        assert re.search(f"event=state account=.* from=active to={to} text=",
                         helper.log())
    assert re.search("event=refresh .* outcome=login-needed .* error="
                     "invalid_grant", helper.log())
