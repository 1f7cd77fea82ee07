# SPDX-License-Identifier: BSD-2-Clause
"""A fleet for a day: many relays and accounts whose clocks run ahead, an etcd
that is real, a provider that ends a sign-in when a refresh token comes twice.
Relays are killed, cut off and brought back at random.

    make fleet-sim
    MAILTOKEN_SIM="relays=10 accounts=1000 hours=24 mails=8 seed=1" \\
        make fleet-sim

accounts that are asked for `mails` times a day each, at any relay; two of
three are, the others lie idle.  trouble is how likely something happens to a
relay or a member of etcd in a step of five minutes.  At the end so many as
`checked` are renewed once more.  All data is in memory
(/dev/shm): ten relays here would share one disk.  Time passes in steps, at
whose ends no request is at the provider, so what falls due within five minutes
falls due at once.  On two CPUs 10 relays and 1,000 accounts take 10 minutes for
a day; with 100,000 it is 8 minutes until all relays have them, and 8 more for
an hour.

A relay is killed as in the storm (Fleet.kill): what is not promised is not
provoked here.  It ends with status 1 if a grant was lost or a family killed.
"""

import collections
import os
import random
import re
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

for place in ("flows", "lib"):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / place))

from bed import wait_for                                # noqa: E402
from bed_fleet import Fleet                             # noqa: E402
from idp import Idp                                     # noqa: E402

DEFAULTS = {"relays": 10, "accounts": 1000, "hours": 24, "mails": 8,
            "members": 3, "seed": 0, "trouble": 20, "checked": 1000}
STEP_S = 300
ASKERS = 6
QUIET_S = 0.15
LONGEST_S = 3600
OLD_LEASE_S = 180       # after a kill its locks may stay for two minutes
PORT = re.compile(r"(?<=127\.0\.0\.1):\d+")      # each member has another
ETCD = ["--quota-backend-bytes", str(8 << 30)]


def memory(process, kind):
    """KiB of Rss or Pss."""
    text = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
    return int(text.split(f"\n{kind}:")[1].split()[0])


def seldom(predicate, what):
    """Wait for what costs something to look at."""
    wait_for(predicate, LONGEST_S, what, every=0.5)


class Sim:
    """One run; said gets each line of what is found."""

    def __init__(self, idp, said=print, **settings):
        self.set = {**DEFAULTS, **settings}
        self.seed = self.set["seed"] or \
            random.SystemRandom().randrange(1, 1 << 32)
        self.chance = random.Random(self.seed)
        self.said = said
        self.names = [f"u{n}@example.org"
                      for n in range(self.set["accounts"])]
        self.active = self.names[:len(self.names) * 2 // 3 or 1]
        self.elapsed = 0        # simulated seconds
        self.answers = collections.Counter()
        self.texts = collections.Counter()
        self.happened = collections.Counter()
        self.refusals = collections.Counter()
        self._back = []         # (when, what brings it back)
        self.idp = idp
        self.fleet = Fleet(idp, relays=self.set["relays"],
                           members=self.set["members"], clock=True,
                           options=ETCD)
        for relay in self.fleet.relays:
            relay.options += ["--log-level", "warning"]

    # -- joining ----------------------------------------------------------

    def join(self):
        """The first relay brings all in, then the others fetch it; one comes
        when all the others are there."""
        first, *others, late = self.fleet.relays
        for name in self.names:
            first.seed(name, age=self.chance.randrange(3000))
        self.fleet.etcd.start()
        began = time.monotonic()
        first.start()
        seldom(lambda: self.fleet.etcd.count("/mailtoken/record/") ==
               len(self.names) and first.version()["fleet-unput"] == "0",
               "the first joining")
        self.said(f"first joining: {time.monotonic() - began:.1f} s")
        began = time.monotonic()
        for relay in others:
            relay.start(in_step=False)
        for relay in others:
            self.has_all(relay)
            relay.wait_in_step()
        self.said(f"others, side by side ({len(others)}): "
                  f"{time.monotonic() - began:.1f} s")
        began = time.monotonic()
        late.start(in_step=False)
        self.has_all(late)
        late.wait_in_step()
        self.said(f"one more, alone: {time.monotonic() - began:.1f} s")

    def has_all(self, relay):
        """Until it has."""
        seldom(lambda: len(os.listdir(relay.keyring)) >= len(self.names),
               f"all accounts at {relay.name}")

    # -- a step -----------------------------------------------------------

    def running(self):
        """Relays that are there."""
        return [relay for relay in self.fleet.relays if relay.running()]

    def ask(self, relay, name):
        """A mail of an account."""
        answer = relay.token(name)
        self.answers[answer["result"]] += 1
        if answer["result"] != "ok":
            self.texts[PORT.sub("", answer["text"])] += 1

    def quiet(self):
        """Nothing is under way, as far as can be seen."""
        seen = [None]

        def settled():
            for relay in self.running():
                self.fleet.gate(relay).drain()
            seen.append(self.fleet.etcd.revision())
            return seen[-1] == seen[-2]
        wait_for(settled, LONGEST_S, "the end of a step", every=QUIET_S)

    def step(self, pool):
        """Five minutes."""
        for relay in self.running():
            relay.clock.both(STEP_S)
        self.elapsed += STEP_S
        self.idp.advance(STEP_S)
        mails = len(self.active) * self.set["mails"] * STEP_S / 86400
        n = int(mails) + (self.chance.random() < mails % 1)
        # Chosen here: a seed says who is asked for whom.
        list(pool.map(self.ask, self.chance.choices(self.running(), k=n),
                      self.chance.choices(self.active, k=n)))
        if self.chance.random() * 100 < self.set["trouble"]:
            self.chance.choice((self.kill_relay, self.cut_off,
                                self.kill_member))()
        self.bring_back()
        self.quiet()
        self.refusals.update(self.idp.refusals())
        self.idp.requests.clear()

    def day(self):
        """All steps; etcd is compacted each hour, as the page says."""
        begin, began = self.fleet.etcd.revision(), time.monotonic()
        largest = 0
        with ThreadPoolExecutor(ASKERS) as pool:
            while self.elapsed < self.set["hours"] * 3600:
                self.step(pool)
                if self.elapsed % 3600 == 0:
                    largest = max(largest, self.size())
                    self.fleet.etcd.compact()
        self.bring_back(everything=True)
        for relay in self.fleet.relays:
            seldom(lambda: relay.version()["fleet"] == "in-step",
                   f"{relay.name} in step")
        took = time.monotonic() - began
        writes = self.fleet.etcd.revision() - begin
        asked = self.idp.counts["refresh_token"]
        self.said(f"{self.set['hours']} simulated hours: {took:.0f} s")
        self.said(f"befell them: {dict(self.happened)}")
        self.said(f"answers: {dict(self.answers)}")
        for text, n in self.texts.most_common(8):
            self.said(f"    {n} times: {text}")
        days = self.elapsed / 86400
        self.said(f"requests to the provider: {asked}, "
                  f"{asked / len(self.active) / days:.1f} a day and account "
                  "in use")
        self.said(f"revisions of etcd: {writes}, {writes / took:.0f} a "
                  f"second, {writes / days / 24:.0f} a simulated hour, "
                  f"{writes / max(asked, 1):.2f} a renewal; "
                  f"{largest / (1 << 20):.0f} MiB in use before a compaction")
        for kind in ("Rss", "Pss"):
            sizes = [memory(r.process, kind) for r in self.fleet.relays]
            self.said(f"{kind} of a relay: {max(sizes) / 1024:.1f} MiB, "
                      f"{max(sizes) / len(self.names):.2f} KiB an account")

    def size(self):
        """Bytes in use at a member."""
        return max(int(self.fleet.etcd.status(m.number)["dbSizeInUse"])
                   for m in self.fleet.etcd.members if m.running())

    # -- trouble ----------------------------------------------------------

    def bring_back(self, everything=False):
        """What has been away for long enough."""
        for item in list(self._back):
            if everything or item[0] <= self.elapsed:
                self._back.remove(item)
                item[1]()

    def later(self, steps, act):
        """After some steps."""
        self._back.append((self.elapsed + STEP_S *
                           self.chance.randint(1, steps), act))

    def kill_relay(self):
        """One always stays."""
        relay = self.chance.choice(self.fleet.relays)
        if relay.running() and len(self.running()) > 1:
            self.fleet.kill(relay)
            self.happened["relays killed"] += 1
            self.later(12, lambda: self.start(relay))

    def start(self, relay):
        """At the time that it is by now."""
        relay.clock.ahead = self.elapsed
        relay.start(in_step=False)

    def cut_off(self):
        """A relay from etcd."""
        relay = self.chance.choice(self.fleet.relays)
        relay.away_from_etcd(silent=self.chance.random() < 0.5)
        self.happened["relays cut off"] += 1
        self.later(12, relay.back)

    def kill_member(self):
        """One of three."""
        etcd = self.fleet.etcd
        member = self.chance.choice(etcd.members)
        if len(etcd.members) > 2 and all(m.running() for m in etcd.members):
            etcd.kill(member.number)
            self.happened["members killed"] += 1
            self.later(3, lambda: etcd.restart(member.number))

    # -- the end ----------------------------------------------------------

    def lost(self):
        """Accounts that a relay cannot renew any more, of `checked`."""
        names = self.chance.sample(self.names, min(self.set["checked"],
                                                   len(self.names)))
        relays = {name: self.chance.choice(self.fleet.relays)
                  for name in names}

        def renewed(name):
            try:
                relays[name].wait_refresh(name, OLD_LEASE_S)
                return True
            except TimeoutError as late:
                self.said(str(late))
                return False
        with ThreadPoolExecutor(ASKERS) as pool:
            return [name for name, good in
                    zip(names, pool.map(renewed, names)) if not good]

    def effects(self):
        """What the provider was asked, and what is left of it."""
        asked = self.idp.counts["refresh_token"]
        renewed = sum(len(grant.used) for grant in self.idp.store.grants)
        stored = sum(kv.puts - 1 for kv in self.fleet.etcd.list(
            "/mailtoken/record/", keys_only=True).values())
        self.said(f"with those of the end: {asked} requests, "
                  f"{asked - renewed} of them without an effect; "
                  f"{renewed} renewals, {stored} of them stored")

    def run(self):
        """(grants lost, families killed)."""
        self.said(" ".join(f"{name}={value}" for name, value in
                           {**self.set, "seed": self.seed}.items()))
        try:
            self.join()
            self.day()
            lost, killed = len(self.lost()), self.fleet.killed_families()
            self.effects()
            self.said(f"grants lost: {lost}; refresh tokens used twice: "
                      f"{killed}; refused: {dict(self.refusals)}")
            return lost, killed
        finally:
            self.fleet.end()


def main():
    """As MAILTOKEN_SIM says."""
    tempfile.tempdir = "/dev/shm"
    settings = dict(word.split("=") for word in
                    os.environ.get("MAILTOKEN_SIM", "").split())
    unknown = set(settings) - set(DEFAULTS)
    if unknown or int(settings.get("relays", 2)) < 2:
        sys.exit(f"MAILTOKEN_SIM has {' '.join(DEFAULTS)}, two relays at "
                 f"least; not {' '.join(unknown) or 'one relay'}")
    with Idp() as idp:
        found = Sim(idp, lambda line: print(line, flush=True),
                    **{name: int(value) for name, value in settings.items()}
                    ).run()
    sys.exit(found != (0, 0))


if __name__ == "__main__":
    main()
