# SPDX-License-Identifier: BSD-2-Clause
"""Three relays, three members of etcd, a thousand accounts whose tokens
expire at once, and again; members and relays are killed at random.

    MAILTOKEN_FLEET_STORM_S=300 python3 -m pytest -s tests/fleet -k storm

is the long one (seconds; 40 without it); MAILTOKEN_FLEET_SEED repeats what
was done.  MAILTOKEN_FLEET_ACCOUNTS is their number.

A relay is killed while none of its requests is at the provider and all that
came back from there is stored (Fleet.kill): what was asked and not stored
is lost with who asked, and nothing can promise otherwise.
"""

import collections
import os
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from bed import wait_for
from bed_fleet import PREFIX

SECONDS = float(os.environ.get("MAILTOKEN_FLEET_STORM_S", "40"))
SEED = int(os.environ.get("MAILTOKEN_FLEET_SEED", "0")) or \
    random.SystemRandom().randrange(1, 1 << 32)
ACCOUNTS = int(os.environ.get("MAILTOKEN_FLEET_ACCOUNTS", "1000"))
ASKERS = 6


class Mail:
    """Programs that ask for tokens all the time, of any relay."""

    def __init__(self, fleet, names):
        self.fleet = fleet
        self.names = names
        self.answers = collections.Counter()
        self.texts = collections.Counter()      # of refusals
        self.wrong = []
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(n,))
                         for n in range(ASKERS)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_exc):
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _run(self, number):
        chance = random.Random(SEED + number)
        names = list(self.names)
        while not self._over.is_set():
            chance.shuffle(names)
            for name in names:
                if self._over.is_set():
                    break
                self._ask(chance.choice(self.fleet.relays), name)

    def _ask(self, relay, name):
        try:
            answer = relay.token(name)
        except (OSError, AssertionError):
            self.answers["nobody there"] += 1
            self._over.wait(0.05)
            return
        self.answers[answer["result"]] += 1
        if answer["result"] == "try-later" and answer.get("text"):
            self.texts[answer["text"]] += 1
        elif answer["result"] != "ok" or \
                answer["token"] not in self.fleet.idp.store.access:
            self.wrong.append((relay.name, name, dict(answer)))


class Trouble:
    """What befalls machines."""

    def __init__(self, fleet):
        self.fleet = fleet
        self.done = collections.Counter()
        self._chance = random.Random(SEED)
        self._back = []         # (when, what brings it back)

    def goes_on(self, seconds):
        """For so long, then all is brought back."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._bring_back()
            self._chance.choice((self.kill_relay, self.kill_member,
                                 self.move_leader, self.cut_off))()
            threading.Event().wait(self._chance.uniform(0.1, 1.0))
        self._bring_back(everything=True)

    def _bring_back(self, everything=False):
        now = time.monotonic()
        for item in list(self._back):
            if everything or item[0] <= now:
                self._back.remove(item)
                item[1]()

    def _later(self, longest, act):
        self._back.append((time.monotonic() +
                           self._chance.uniform(0, longest), act))

    def kill_relay(self):
        """Two of three at most are gone at once."""
        relay = self._chance.choice(self.fleet.relays)
        if sum(r.running() for r in self.fleet.relays) > 1 and \
                relay.running():
            self.fleet.kill(relay)
            self.done["relays killed"] += 1
            self._later(2, lambda: relay.start(in_step=False))

    def kill_member(self):
        """One of three at most is gone at once."""
        etcd = self.fleet.etcd
        member = self._chance.choice(etcd.members)
        if all(m.running() for m in etcd.members):
            etcd.kill(member.number)
            self.done["members killed"] += 1
            self._later(4, lambda: etcd.restart(member.number))

    def move_leader(self):
        """Another member leads."""
        etcd = self.fleet.etcd
        if all(m.running() for m in etcd.members):
            etcd.move_leader((etcd.leader() + 1) % 3)
            self.done["leaders moved"] += 1

    def cut_off(self):
        """A relay cannot reach etcd."""
        relay = self._chance.choice(self.fleet.relays)
        relay.away_from_etcd(silent=self._chance.random() < 0.5)
        self.done["relays cut off"] += 1
        self._later(3, relay.back)


def each(names, act):
    """act(name) of all, several at once."""
    with ThreadPoolExecutor(ASKERS) as pool:
        return list(pool.map(act, names))


@pytest.mark.slow
def test_storm(fleets, idp):
    print(f"MAILTOKEN_FLEET_SEED={SEED}: {ACCOUNTS} accounts, {SECONDS} s")
    idp.set(access_life=int(max(60, SECONDS / 3)))
    names = [f"u{n}@example.org" for n in range(ACCOUNTS)]
    fleet = fleets(relays=3, members=3).seeded(*names, age=4000)
    assert idp.counts["token"] == 0
    trouble = Trouble(fleet)
    with Mail(fleet, names) as mail:
        trouble.goes_on(SECONDS)
    for relay in fleet.relays:
        relay.wait_in_step()
    print(dict(trouble.done), dict(mail.answers),
          f"{idp.counts['refresh_token']} refreshes", *mail.texts, sep="\n")
    assert not mail.wrong, mail.wrong[:5]
    fleet.end_old_leases()
    # No grant is lost: with what is stored each can be renewed, by any; for
    # long now, so that this is the end of it.
    idp.set(access_life=3600)
    chance = random.Random(SEED)
    who = {name: chance.choice(fleet.relays) for name in names}
    assert fleet.killed_families() == 0
    each(names, lambda name: who[name].wait_refresh(name))
    assert fleet.killed_families() == 0
    assert idp.counts["refused"] == 0
    wait_for(lambda: not fleet.sent() and not fleet.locks(),
             what="the end of all turns")
    # One stored rotation a revision, and all have the newest.
    records = fleet.etcd.list(f"{PREFIX}record/")
    grants = {grant.user: grant for grant in idp.store.grants}
    puts = {name: records[f"{PREFIX}record/{name}"].puts for name in names}
    assert puts == {name: 1 + len(grants[name].used) for name in names}
    for relay in fleet.relays:
        each(names, lambda name: relay.wait_token(grants[name].newest, name))
    fleet.nothing_in_the_clear()
