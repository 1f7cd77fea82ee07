# SPDX-License-Identifier: BSD-2-Clause
"""Relays that are killed, stopped or cut off around a request, and whose
clocks are wrong: what is promised, and what no lock can promise."""

import signal

import pytest

from bed import wait_for
from bed_fleet import JO


def asked(fleet, relay, verb="refresh"):
    """A request of this relay that waits at the provider: its answer."""
    fleet.gate(relay).close()
    seen = len(fleet.idp.requests)
    answer = relay.later(relay.refresh if verb == "refresh" else relay.token)
    wait_for(lambda: len(fleet.idp.requests) > seen,
             what="a request at the provider")
    return answer


def test_killed_between_saving_and_putting(fleets, idp):
    """It comes back with what it alone has, and shares it."""
    fleet = fleets(relays=2).seeded(JO, age=4000)
    a, b = fleet.relays
    answer = asked(fleet, a, "token")
    a.away_from_etcd()
    fleet.gate(a).open()
    token = answer()["token"]       # it is saved, and nobody else has it
    before = fleet.record().revision
    a.killed()
    assert fleet.record().revision == before
    assert fleet.sent()
    a.back()
    a.start()
    b.wait_token(token)
    assert fleet.record().revision > before
    wait_for(lambda: not fleet.sent() and not fleet.locks())
    assert idp.counts["refresh_token"] == 1
    for relay in (b, a):
        assert relay.refresh()["result"] == "ok"
    assert fleet.killed_families() == 0


def test_killed_with_a_request_under_way(fleets, idp):
    """The others wait for it while the token that all have lives."""
    fleet = fleets(relays=2).seeded(JO, age=10)
    a, b = fleet.relays
    token = b.wait_token()["token"]
    asked(fleet, a)
    a.killed()
    fleet.gate(a).shut()
    assert fleet.end_lease(a) == 1
    wait_for(lambda: not fleet.locks())
    assert fleet.sent()[JO].startswith("relay0#")
    assert b.token()["token"] == token
    answer = b.refresh()
    assert answer["result"] == "try-later"
    assert "relay0" in answer["text"]
    assert b.status()["state"] == "active"      # nothing is wrong yet
    assert idp.counts["refresh_token"] == 1
    # It is its own mark.
    fleet.open_anew(a)
    a.start()
    a.wait_refresh()
    wait_for(lambda: not fleet.sent() and not fleet.locks())
    assert b.refresh()["result"] == "ok"
    assert fleet.killed_families() == 0


@pytest.mark.parametrize("forgives", [True, False])
def test_what_is_not_promised(fleets, idp, forgives):
    """A request has left, the provider has renewed, and the answer is lost
    with the relay.  The others have the spent refresh token.  They wait for
    the relay while the token lives; then they use it, and a provider that
    detects a reuse ends the sign-in; one that forgives gives a token."""
    idp.set(reuse_detection=not forgives)
    fleet = fleets(relays=2).seeded(JO, age=4000)
    a, b = fleet.relays
    asked(fleet, a, "token")
    a.provider_line.silence()
    fleet.gate(a).open()
    fleet.gate(a).drain()
    a.killed()
    fleet.end_lease(a)
    wait_for(lambda: not fleet.locks())
    if forgives:
        token = b.wait_token()["token"]
        assert idp.introspect(token)["active"]
        fleet.open_anew(a)
        a.back()
        a.start()
        a.wait_token(token)
    else:
        wait_for(lambda: b.token()["result"] == "login-needed")
        assert fleet.killed_families() == 1
        # One sign-in mends it for all.
        b.sign_in()
        fleet.open_anew(a)
        a.back()
        a.start()
        a.wait_token(b.wait_token()["token"])
    wait_for(lambda: not fleet.sent() and not fleet.locks())


def test_the_lease_ends_with_a_request_under_way(fleets, idp):
    """The token lives: its relay has all the time that it needs."""
    fleet = fleets(relays=2).seeded(JO, age=10)
    a, b = fleet.relays
    answer = asked(fleet, a)
    assert fleet.end_lease(a) == 1
    wait_for(lambda: not fleet.locks())
    said = b.refresh()
    assert said["result"] == "try-later" and "relay0" in said["text"]
    fleet.gate(a).open()
    assert answer()["result"] == "ok"
    b.wait_token(a.wait_token()["token"])
    assert idp.counts["refresh_token"] == 1
    wait_for(lambda: not fleet.sent() and not fleet.locks())
    assert b.refresh()["result"] == "ok"
    assert fleet.killed_families() == 0


def test_a_lock_that_came_too_late_is_given_back(fleets, idp):
    """etcd carries a transaction out behind the end of the turn that asked for
    it, which may happen when a leader is lost.  It is not taken for the lock
    of another turn of that relay, and does not stay."""
    fleet = fleets(relays=2).seeded(JO, age=4000)
    a, b = fleet.relays
    answer = asked(fleet, a, "token")
    lock, = fleet.etcd.list("/mailtoken/lock/").values()
    fleet.gate(a).open()
    assert answer()["result"] == "ok"
    wait_for(lambda: not fleet.locks() and not fleet.sent())
    for kind, lease in ("sent", 0), ("lock", lock.lease):
        fleet.etcd.put(f"/mailtoken/{kind}/{JO}", lock.value, lease)
    wait_for(lambda: not fleet.locks() and not fleet.sent())
    b.wait_token(a.token()["token"])
    assert b.refresh()["result"] == "ok"
    assert fleet.killed_families() == 0


def test_no_request_leaves_behind_the_end_of_the_lease(fleets, idp):
    """A relay has the lock, and is held up before its request leaves for
    longer than its lease lives."""
    fleet = fleets(relays=2, clock=(0,)).seeded(JO, age=4000)
    a, b = fleet.relays
    a.provider_line.silence()       # no further than the TLS handshake
    answer = a.later(a.token)
    wait_for(lambda: fleet.locks().get(JO, "").startswith("relay0#"))
    wait_for(lambda: a.provider_line.made)
    a.away_from_etcd()
    a.clock.boot(61000)
    fleet.end_lease(a)
    token = b.wait_token()["token"]
    a.back()
    assert answer()["result"] in ("ok", "try-later")
    a.wait_in_step()
    a.wait_token(token)
    assert idp.counts["refresh_token"] == 1
    assert fleet.killed_families() == 0


def test_stopped_past_its_lease_and_continued(fleets, idp):
    fleet = fleets(relays=2).seeded(JO, "ann@example.org", age=4000)
    a, b = fleet.relays
    assert a.wait_token()
    wait_for(lambda: a.version()["fleet-unput"] == "0")
    with a.standing_still():
        leases = fleet.etcd.call("lease/leases")["leases"]
        for lease in leases:
            fleet.etcd.call("lease/revoke", ID=lease["ID"])
        assert b.wait_token()
        b.wait_refresh()
        token = b.token()["token"]
    a.wait_token(token)
    a.wait_refresh()
    assert a.wait_token(account="ann@example.org")
    assert fleet.killed_families() == 0
    assert idp.counts["refresh_token"] == 4


@pytest.mark.parametrize("off", [86400, -86400])
def test_a_clock_that_is_a_day_off(fleets, idp, off):
    fleet = fleets(relays=2, clock=(0,)).seeded(JO, age=4000)
    a, b = fleet.relays
    a.clock.wall(off)
    for _ in range(5):
        for relay in (a, b):
            assert relay.wait_token()
    # Each may think the other's has expired, once.
    assert idp.counts["refresh_token"] <= 4
    for relay in (a, b, a):
        relay.wait_refresh()
    assert fleet.killed_families() == 0
    assert idp.counts["refused"] == 0


@pytest.mark.parametrize("alone", [True, False])
def test_alone_or_not(fleets, idp, alone):
    """etcd is away and the token has ended."""
    fleet = fleets(relays=2)
    a, b = fleet.relays
    a.keys = {"fleet_alone": "yes" if alone else "no"}
    a.configure()
    fleet.seeded(JO, age=4000)
    a.away_from_etcd()
    a.wait_fleet("away")
    answer = a.token()
    if not alone:
        assert answer["result"] == "try-later" and answer["text"]
        assert idp.counts["refresh_token"] == 0
        a.back()
    else:
        assert answer["result"] == "ok"
        assert a.version()["fleet-unput"] == "1"
        # One that lives is not renewed alone.
        assert a.refresh()["result"] == "try-later"
        a.restart(in_step=False)        # nor is it forgotten over a start
        assert a.version()["fleet-unput"] == "1"
        a.back()
    # Had the other one been asked before that, it would have renewed, too:
    # who says yes relies on a provider that forgives it.
    a.wait_in_step()
    token = a.wait_token()["token"]
    wait_for(lambda: a.version()["fleet-unput"] == "0")
    b.wait_token(token)
    wait_for(lambda: a.version()["fleet-unput"] == "0")
    assert idp.counts["refresh_token"] == 1
    assert b.refresh()["result"] == "ok"
    assert fleet.killed_families() == 0


def test_a_relay_that_is_alone_in_the_dark_for_long(fleets, idp):
    """Cut off, silent, back: it serves what it had, and then what is new."""
    fleet = fleets(relays=2).seeded(JO, age=10)
    a, b = fleet.relays
    token = a.wait_token()["token"]
    a.away_from_etcd(silent=True)
    assert b.refresh()["result"] == "ok"
    newer = b.token()["token"]
    for _ in range(5):
        assert a.token()["token"] == token
    a.back()
    a.wait_token(newer)
    assert a.signal(signal.SIGHUP) is None
    assert a.refresh()["result"] == "ok"
    assert fleet.killed_families() == 0
