# SPDX-License-Identifier: BSD-2-Clause
"""What becomes of etcd: tokens that live are served throughout, what waits
says why, and nothing is lost."""

import re

import pytest

from bed import wait_for
from bed_fleet import JO

LIVE = "live@example.org"


class Down:
    """All members end, and start again."""
    options = {}
    word = "127.0.0.1"      # of the reason that is given
    forgets = False         # a record can be taken away all the same

    @staticmethod
    def strike(fleet):
        for member in fleet.etcd.members:
            member.kill()

    @staticmethod
    def mend(fleet):
        for member in fleet.etcd.members:
            fleet.etcd.restart(member.number, wait=False)
        fleet.etcd.wait_serving()


class Silent(Down):
    """It takes connections and says nothing."""

    @staticmethod
    def strike(fleet):
        fleet.etcd.pause(0)

    @staticmethod
    def mend(fleet):
        fleet.etcd.resume(0)


class NoSpace(Down):
    """Its quota is used up: it is read, and takes nothing."""
    word = "quota"
    forgets = True

    @staticmethod
    def strike(fleet):
        fleet.etcd.alarm(True)

    @staticmethod
    def mend(fleet):
        fleet.etcd.alarm(False)


class SwitchedOn(Down):
    """Authentication is switched on."""
    word = "fleet_user"

    @staticmethod
    def strike(fleet):
        fleet.etcd.authenticate("/mailtoken/")

    @staticmethod
    def mend(fleet):
        for relay in fleet.relays:
            relay.configure()
            assert relay.stop() == 0
            relay.start(in_step=False)


class Expired(Down):
    """Its certificate is too old."""
    options = {"tls": True}
    word = "certificate"

    @staticmethod
    def strike(fleet):
        # Started again, since a TLS session that is resumed shows none.
        fleet.etcd.replace_certificate(expired=True)
        fleet.etcd.restart(0, wait=False)

    @staticmethod
    def mend(fleet):
        fleet.etcd.replace_certificate(expired=False)


class NoMajority(Down):
    """Two of three are gone."""
    options = {"members": 3}

    @staticmethod
    def strike(fleet):
        for number in (0, 1):
            fleet.etcd.kill(number)

    @staticmethod
    def mend(fleet):
        for number in (0, 1):
            fleet.etcd.restart(number, wait=False)
        fleet.etcd.wait_serving()


@pytest.mark.parametrize("fault", [Down, Silent, NoSpace, SwitchedOn,
                                   Expired, NoMajority],
                         ids=lambda fault: fault.__name__.lower())
def test_etcd_is_away(fleets, idp, fault):
    fleet = fleets(relays=2, **fault.options)
    fleet.relays[0].seed(LIVE, age=10)
    fleet.seeded(JO, age=4000)
    a, b = fleet.relays
    for relay in fleet.relays:
        relay.wait_known(LIVE)
    token = a.wait_token(account=LIVE)["token"]
    fault.strike(fleet)
    for relay in fleet.relays:
        assert relay.token(LIVE)["token"] == token
    answers = [relay.later(relay.token) for relay in fleet.relays]
    for relay in fleet.relays:
        assert relay.token(LIVE)["token"] == token
    for answer in (answer() for answer in answers):
        assert answer["result"] == "try-later", answer
        assert answer["text"]
    for relay in fleet.relays:
        wait_for(lambda: fault.word in relay.token()["text"],
                 what=f"what mends it: {fault.word}")
    assert idp.counts["token"] == 0
    # To forget is to be sure that all forget.
    if not fault.forgets:
        b.wait_fleet("away")
        answer = b.ask("forget", account=LIVE)
        assert answer["result"] == "try-later" and answer["text"], answer
        assert b.token(LIVE)["token"] == token
        assert fleet.revoked() == 0
    fault.mend(fleet)
    for relay in fleet.relays:
        relay.wait_in_step()
    b.wait_token(a.wait_token()["token"])
    assert idp.counts["refresh_token"] == 1
    for relay in fleet.relays:
        assert relay.token(LIVE)["token"] == token
        relay.wait_refresh()
    wait_for(lambda: b.ask("forget", account=LIVE)["result"] == "ok")
    wait_for(lambda: a.token(LIVE)["result"] == "unknown-account")
    assert fleet.killed_families() == 0


def test_that_etcd_is_silent_is_told_once(fleets):
    """Each try has a little less time than a whole second: that is no news."""
    fleet = fleets(relays=1)
    fleet.etcd.start()
    [relay] = fleet.relays
    relay.away_from_etcd(silent=True)
    relay.start(in_step=False)
    said = relay.wait_fleet("away")["fleet-text"]
    assert re.search(r"did not answer within [2-9] seconds$", said), said
    [line] = relay.etcd_lines
    tries = line.made + 6
    wait_for(lambda: line.made >= tries)
    assert relay.log().count("tokens that are here are served") == 1
    assert relay.version()["fleet-text"] == said


def test_waiters_are_answered_as_soon_as_etcd_is_back(fleets, idp):
    """A back-off is not waited for."""
    fleet = fleets(relays=1).seeded(JO, age=4000)
    a, = fleet.relays
    a.away_from_etcd()
    a.wait_fleet("away")
    assert a.token()["result"] == "try-later"
    a.back()
    a.wait_in_step()
    assert a.wait_token()
    assert idp.counts["refresh_token"] == 1


def test_a_slow_etcd(fleets, idp):
    fleet = fleets(relays=2).seeded(JO, age=4000)
    for relay in fleet.relays:
        for line in relay.etcd_lines:
            line.slow(0.7)
    answers = [relay.later(relay.token) for relay in fleet.relays]
    for answer in answers:
        assert answer()["result"] in ("ok", "try-later")
    token = fleet.relays[0].wait_token()["token"]
    fleet.relays[1].wait_token(token)
    assert idp.counts["refresh_token"] == 1


def test_etcd_is_restarted_and_compacted_meanwhile(fleets, idp):
    """A watch that cannot go on reads everything anew."""
    fleet = fleets(relays=2).seeded(JO, LIVE, "gone@example.org", age=10)
    a, b = fleet.relays
    b.away_from_etcd()
    for _ in range(3):
        assert a.refresh()["result"] == "ok"
    a.sign_in("new@example.org")
    assert a.ask("forget", account="gone@example.org")["result"] == "ok"
    wait_for(lambda: fleet.record("new@example.org"))
    fleet.etcd.compact()
    fleet.etcd.restart(0)
    b.back()
    token = a.wait_token()["token"]
    b.wait_token(token)
    b.wait_token(account="new@example.org")
    wait_for(lambda: not b.knows("gone@example.org"))
    a.wait_in_step()
    for relay in (b, a):
        relay.wait_refresh()
    assert fleet.killed_families() == 0
    assert fleet.revoked() == 1


def test_one_member_of_three_is_lost(fleets, idp):
    fleet = fleets(relays=2, members=3).seeded(JO, age=4000)
    a, b = fleet.relays
    for lost in (0, 1, 2):
        fleet.etcd.kill(lost)
        for relay in fleet.relays:
            relay.wait_refresh()
        a.wait_token(b.wait_token()["token"])
        fleet.etcd.restart(lost)
    assert fleet.killed_families() == 0
    assert idp.counts["refused"] == 0


def test_leaders_change_under_load(fleets, idp):
    names = [f"u{n}@example.org" for n in range(60)]
    fleet = fleets(relays=2, members=3).seeded(*names, age=4000)
    a, b = fleet.relays

    def renew(name):
        relay = fleet.relays[len(name) % 2]
        return wait_for(lambda: relay.token(name)["result"] == "ok")

    left = iter(names)
    done = [a.later(lambda n=name: renew(n)) for name in left]
    for _ in range(3):
        fleet.etcd.move_leader((fleet.etcd.leader() + 1) % 3)
    fleet.etcd.kill(fleet.etcd.leader())
    assert all(result() for result in done)
    for name in names:
        b.wait_token(a.wait_token(account=name)["token"], name)
    assert idp.counts["refresh_token"] == len(names)
    assert fleet.killed_families() == 0
