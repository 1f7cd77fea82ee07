# SPDX-License-Identifier: BSD-2-Clause
"""Several relays with one keyring: what one knows all know, and what one
does none does again."""

import secrets
import time

import pytest

from bed import wait_for
from bed_etcd import Etcd
from bed_fleet import JO

ANN = "ann@example.org"


def one_token(relays, account=JO):
    """What all of them give, soon."""
    def look():
        answers = [relay.token(account) for relay in relays]
        tokens = {answer.get("token") for answer in answers}
        return tokens if len(tokens) == 1 and None not in tokens else None
    return wait_for(look, what=f"one token for {account}").pop()


@pytest.mark.parametrize("options", [
    {}, {"members": 3, "client_certificates": True}],
    ids=["plain", "tls-and-passwords"])
def test_a_sign_in_anywhere_serves_everywhere(fleets, idp, options):
    fleet = fleets(relays=3, **options)
    if options:
        fleet.etcd.start().authenticate("/mailtoken/")
        for relay in fleet.relays:
            relay.configure()
    fleet.start()
    fleet.relays[1].sign_in()
    token = one_token(fleet.relays)
    assert idp.introspect(token)["active"]
    assert idp.counts["refresh_token"] == 0
    fleet.relays[2].sign_in(ANN)
    one_token(fleet.relays, ANN)
    fleet.nothing_in_the_clear()
    if options:     # in the file, and nothing is started again
        fleet.etcd.change_password()
        for relay in fleet.relays:
            relay.fleet_keys()
        assert fleet.relays[0].refresh()["result"] == "ok"
        one_token(fleet.relays)


def test_a_renewal_is_done_by_one_and_adopted_by_all(fleets, idp):
    fleet = fleets(relays=3).seeded(JO, age=4000)
    with idp.holding("token"):
        answers = [relay.later(relay.token) for relay in fleet.relays]
        idp.wait_request("token")
        assert fleet.sent() == fleet.locks()
        assert len(fleet.locks()) == 1
    tokens = {answer()["token"] for answer in answers}
    assert tokens == {one_token(fleet.relays)}
    assert idp.counts["refresh_token"] == 1
    wait_for(lambda: not fleet.locks() and not fleet.sent())
    fleet.nothing_in_the_clear()


def test_who_renews_is_shown_by_all(fleets, idp):
    fleet = fleets(relays=2).seeded(JO, age=4000)
    a, b = fleet.relays
    with idp.holding("token"):
        answer = a.later(a.token)
        idp.wait_request("token")
        for relay in fleet.relays:
            wait_for(lambda: relay.lock_of() == "relay0")
        assert a.version()["fleet-locks"] == "1"
        assert b.version()["fleet-locks"] == "0"
    assert answer()["result"] == "ok"
    for relay in fleet.relays:
        wait_for(lambda: relay.lock_of() is None)
    assert a.version()["fleet-name"] == "relay0"


def test_who_renewed_renews_again(fleets, idp):
    """The others come later, each at a time of its own: or all would ask at
    the same moment whose turn it is."""
    names = [f"u{n}@example.org" for n in range(20)]
    fleet = fleets(relays=2, clock=True).seeded(*names, age=10)
    a, b = fleet.relays
    for name in names:
        assert b.token(name)["result"] == "ok"      # it is in use there
        assert a.refresh(name)["result"] == "ok"
        b.wait_token(a.token(name)["token"], name)
    assert idp.counts["refresh_token"] == 20
    # Half of their life is over.
    b.clock.both(1810)
    a.clock.both(1810)
    idp.wait_request("token", 40)
    wait_for(lambda: not fleet.locks() and not fleet.sent())
    assert fleet.asked_by(b) == 0
    # Where a is away the other one does it; and a, whose clock is behind now,
    # does not take what comes for something of another day.
    b.clock.both(3000)
    idp.wait_request("token", 60)
    wait_for(lambda: not fleet.locks() and not fleet.sent())
    for name in names:
        a.wait_token(b.token(name)["token"], name)
    assert idp.counts["refresh_token"] == 60


def test_renewals_go_round(fleets, idp):
    """Each relay's is the base of the next one's."""
    fleet = fleets(relays=3).seeded(JO, age=10)
    for relay in fleet.relays * 3:
        assert relay.refresh()["result"] == "ok"
        one_token(fleet.relays)
    assert idp.counts["refresh_token"] == 9
    assert fleet.killed_families() == 0


def test_a_start_fetches_and_uploads_nothing_older(fleets, idp):
    fleet = fleets(relays=2).seeded(JO, "gone@example.org", age=10)
    a, b = fleet.relays
    assert b.stop() == 0
    assert a.refresh()["result"] == "ok"
    a.sign_in(ANN)
    assert a.ask("forget", account="gone@example.org")["result"] == "ok"
    wait_for(lambda: fleet.record(ANN))
    before = {key: kv.revision for key, kv
              in fleet.etcd.list("/mailtoken/record/").items()}
    b.start()
    one_token(fleet.relays)
    one_token(fleet.relays, ANN)
    wait_for(lambda: not b.knows("gone@example.org"))
    assert before == {key: kv.revision for key, kv
                      in fleet.etcd.list("/mailtoken/record/").items()}
    assert b.refresh()["result"] == "ok"
    assert fleet.killed_families() == 0
    assert fleet.revoked() == 1


def test_a_keyring_is_brought_in(fleets, idp):
    """What a relay had before it had others."""
    fleet = fleets(relays=2)
    names = [f"u{n}@example.org" for n in range(250)]   # several pages
    for name in names:
        fleet.relays[0].seed(name, age=10)
    fleet.relays[1].seed(JO, age=10)
    fleet.start()
    for relay in fleet.relays:
        for name in [*names, JO]:
            relay.wait_known(name)
    one_token(fleet.relays, names[-1])
    one_token(fleet.relays)
    assert len(fleet.etcd.list("/mailtoken/record/")) == 251
    assert idp.counts["token"] == 0
    fleet.nothing_in_the_clear()


def test_a_logout_is_one_everywhere(fleets, idp):
    fleet = fleets(relays=3).seeded(JO, ANN, age=10)
    assert fleet.relays[1].ask("forget", account=JO)["result"] == "ok"
    for relay in fleet.relays:
        wait_for(lambda: relay.token()["result"] == "unknown-account")
        assert not relay.knows()
        assert relay.token(ANN)["result"] == "ok"
    assert fleet.revoked() == 1
    assert fleet.record() is None
    # Nobody brings it back.
    fleet.relays[0].restart()
    assert fleet.relays[0].token()["result"] == "unknown-account"
    assert fleet.record() is None
    # It can be signed in anew.
    fleet.relays[2].sign_in()
    one_token(fleet.relays)


def test_a_record_of_another_key_is_named_and_stays(fleets, idp):
    fleet = fleets(relays=2)
    a, b = fleet.relays
    b.seal_with(secrets.token_hex(32))
    a.seed(JO, age=10)
    fleet.start()
    wait_for(lambda: fleet.record())
    revision = fleet.record().revision
    wait_for(lambda: JO in b.log() and "key" in b.log())
    assert b.token()["result"] != "ok"
    b.restart()
    assert a.refresh()["result"] == "ok"
    wait_for(lambda: fleet.record().revision > revision)
    assert b.token()["result"] != "ok"
    assert a.wait_token()
    # With the right key it is there at once.
    b.seal_with(fleet.key)
    b.restart()
    one_token(fleet.relays)
    assert fleet.killed_families() == 0
    assert idp.counts["revoke"] == 0


def test_the_newer_of_two_sign_ins_stays(fleets):
    """Both made while neither could know of the other."""
    fleet = fleets(relays=2).start()
    a, b = fleet.relays
    for relay in fleet.relays:
        relay.away_from_etcd()
        relay.wait_fleet("away")
    a.sign_in()
    wait_for(lambda: int(a.version()["fleet-unput"]) == 1)
    first = a.token()["token"]
    now = time.time()       # it counts whole seconds
    wait_for(lambda: time.time() >= now + 1)
    b.sign_in()
    newer = b.token()["token"]
    assert newer != first
    a.back()
    a.wait_in_step()
    wait_for(lambda: fleet.record())
    b.back()
    b.wait_in_step()
    for relay in fleet.relays:
        relay.wait_token(newer)
        assert relay.refresh()["result"] == "ok"
    wait_for(lambda: all(r.version()["fleet-unput"] == "0"
                         for r in fleet.relays))
    assert fleet.killed_families() == 0


COPY = """
mount -t tmpfs -o mode=700,uid=$(stat -c %u "$1"),gid=$(stat -c %g "$1") \\
    keyring "$1" && mkdir "$3" && echo "$2" > "$3/boot_id" &&
    mount --bind "$3" /proc/sys/kernel/random && shift 3 && exec "$@"
"""


def test_copies_of_a_machine_are_two_relays(fleets, idp):
    """One host name, and keyrings whose inodes are the same: neither takes
    the other's lock for its own."""
    fleet = fleets(relays=2).start()
    for number, relay in enumerate(fleet.relays):
        assert relay.stop() == 0
        relay.name = "relay"
        relay.start(before=["unshare", "--mount", "sh", "-c", COPY, "sh",
                            relay.keyring, f"{number}" * 36,
                            relay.path("boot")])
    a, b = fleet.relays
    a.sign_in()
    b.wait_token()
    idp.forget_requests()
    with idp.holding("token"):
        answer = a.later(a.refresh)
        idp.wait_request("token")
        other = b.later(b.refresh)
        wait_for(lambda: b.version()["fleet-locks"] == "0" and
                 b.lock_of() == "relay")
    assert answer()["result"] == "ok"
    assert other()["result"] in ("ok", "try-later")
    one_token(fleet.relays)
    assert fleet.killed_families() == 0


def test_an_etcd_that_lost_everything_is_filled_again(fleets, idp):
    fleet = fleets(relays=2).seeded(JO, ANN, age=10)
    assert fleet.relays[1].refresh()["result"] == "ok"
    one_token(fleet.relays)
    old = fleet.etcd
    old.kill(0)
    # The same address, another cluster.
    new = Etcd()
    new.members[0].port = old.members[0].port
    new.members[0].url = old.members[0].url
    fleet.etcd = new.start()
    for relay in fleet.relays:
        relay.wait_fleet("in-step")
    for account in (JO, ANN):
        wait_for(lambda: fleet.record(account))
        one_token(fleet.relays, account)
        for relay in fleet.relays:
            assert relay.refresh(account)["result"] == "ok"
    assert fleet.killed_families() == 0
    assert idp.counts["revoke"] == 0


def test_a_stop_leaves_nothing_held(fleets, idp):
    fleet = fleets(relays=2).seeded(JO, age=4000)
    a, b = fleet.relays
    assert a.wait_token()
    assert a.stop() == 0
    wait_for(lambda: not fleet.locks() and not fleet.sent())
    assert not fleet.etcd.call("lease/leases").get("leases", [])[1:]
    assert b.refresh()["result"] == "ok"
    assert idp.counts["refresh_token"] == 2
    wait_for(lambda: b.ask("version")["fleet-locks"] == "0")


def test_a_keyring_without_a_fleet_is_as_ever(fleets, idp):
    fleet = fleets(relays=1)
    alone, = fleet.relays
    alone.keys = {key: None for key in (
        "fleet", "fleet_prefix", "fleet_ca_file")}
    alone.configure()
    alone.seed(JO, age=4000)
    alone.start(in_step=False)
    assert not [name for name in alone.version() if "fleet" in name]
    assert alone.token()["result"] == "ok"
    assert "fleet" not in alone.log()
    assert not [name for name in alone.status() if "fleet" in name]
