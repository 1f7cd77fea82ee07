# SPDX-License-Identifier: BSD-2-Clause
"""Relays of one keyring: real helpers, each a machine of its own as far as
it can tell.

Owns: a relay's keyring, name (UTS) and network, the lines from there to
etcd and to the provider, and a gate at the provider for each relay.

    fleet = fleets(relays=3, members=3)
    a, b, c = fleet.start().relays
    a.away_from_etcd(); a.back()
    fleet.kill(a)       # while none of its requests is at the provider
"""

import os
import secrets
import threading
from contextlib import contextmanager

import pytest

import paths
from bed import DEADLINE_S, wait_for, write_file
from bed_etcd import PROGRAM, Etcd
from bed_helper import ROOT, Bed
from helper_line import all_answer
from idp.server import Gone
from lines import Loop, Network
from test_helper_signin import sign_in

PREFIX = "/mailtoken/"
JO = "jo@example.org"


class Relay(Bed):
    """One helper with its network and its name."""

    def __init__(self, fleet, number, clock=False):
        self.fleet = fleet
        self.number = number
        self.name = f"relay{number}"
        self.keys = {}
        super().__init__(fleet.idp, clock=clock)
        self.provider["revocation_endpoint"] = f"{fleet.idp.url}/revoke"
        ports = [fleet.idp.port] + [m.port for m in fleet.etcd.members]
        self.network = Network(fleet.loop, ports)
        self.provider_line = self.network.lines[fleet.idp.port]
        self.etcd_lines = [self.network.lines[m.port]
                           for m in fleet.etcd.members]
        self.seal_with(fleet.key)

    # -- configuration ----------------------------------------------------

    def private(self, name, text):
        """A file that only the helper can read."""
        path = self.path(name)
        write_file(path, text, 0o600)
        self._give(path)
        return path

    def seal_with(self, key):
        """The keyring's key, 64 hex digits; configures."""
        self.private("key", key + "\n")
        self.configure()

    def fleet_keys(self):
        """The keys of a fleet as lines of the configuration."""
        etcd = self.fleet.etcd
        keys = {"fleet": "etcd " + " ".join(etcd.urls),
                "fleet_prefix": PREFIX, "fleet_ca_file": etcd.ca_file}
        if etcd.certificate:
            with open(etcd.key) as source:
                keys["fleet_certificate"] = etcd.certificate
                keys["fleet_certificate_key"] = self.private(
                    "etcd.key", source.read())
        if etcd.user:
            with open(etcd.password_file) as source:
                keys["fleet_user"] = etcd.user
                keys["fleet_password_file"] = self.private(
                    "password", source.read())
        keys.update(self.keys)
        return "".join(f"{name} {value}\n" for name, value in keys.items()
                       if value is not None)

    def configure(self, more="", provider_name="test", **provider):
        """As every helper, and of this fleet; self.keys change its keys."""
        if not hasattr(self, "network"):
            return super().configure(more, provider_name, **provider)
        # General keys stand before all blocks.
        super().configure("", provider_name, **provider)
        with open(self.config) as source:
            blocks = source.read()
        write_file(self.config, f"keyring_key {self.path('key')}\n"
                   f"{self.fleet_keys()}{more}\n{blocks}")

    # -- life -------------------------------------------------------------

    def launch(self, before=(), umask=0o022):
        """Start it in its own network, under its own name."""
        return super().launch(
            [*self.network.before(), "unshare", "--uts", "sh", "-c",
             "hostname \"$0\" && exec \"$@\"", self.name, *before], umask)

    def start(self, in_step=True, **options):
        """Start it, and wait until it is in step with the others."""
        super().start(**options)
        return self.wait_in_step() if in_step else self

    def wait_in_step(self):
        """Until it says so.  Returns self."""
        self.wait_fleet("in-step")
        return self

    def wait_fleet(self, state):
        """Until its health is this; what it says then."""
        def look():
            said = self.version()
            return said if said.get("fleet") == state else None
        return wait_for(look, what=f"{self.name}: {state}")

    def version(self):
        """What it says of itself."""
        return self.ask("version")

    def end(self):
        """Leave nothing running; nothing of the fleet's is in the log."""
        try:
            if self.process is not None and self.process.poll() is None:
                self.process.kill()
            super().end()
            for word in self.fleet.etcd.passwords:
                assert word not in self.log(), "a password in the log"
        finally:
            self.network.close()

    def killed(self):
        """End it as a machine that loses its power."""
        self.process.kill()
        self.wait()
        for path in self.sockets:
            if os.path.exists(path):
                os.unlink(path)

    def stands(self, account):
        """Which file has the record: another after each saving."""
        try:
            found = os.stat(os.path.join(self.keyring, account))
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns

    def running(self):
        """Whether it is there."""
        return self.process is not None and self.process.poll() is None

    # -- what it is cut off from ------------------------------------------

    def away_from_etcd(self, silent=False):
        """It cannot reach etcd any more."""
        for line in self.etcd_lines:
            if silent:
                line.silence()
            else:
                line.cut()

    def back(self):
        """Everything reaches it again."""
        for line in self.network.lines.values():
            line.mend()

    # -- accounts ---------------------------------------------------------

    def sign_in(self, account=JO, **options):
        """A person signs in here."""
        answer = sign_in(self, account, **options)
        assert answer["result"] == "ok", answer
        return answer

    def wait_token(self, token=None, account=JO):
        """Until it gives a (this) token; the answer."""
        def look():
            answer = self.token(account)
            if answer["result"] == "ok" and token in (None,
                                                      answer["token"]):
                return answer
            return None
        return wait_for(look, what=f"{self.name}: a token for {account}")

    def knows(self, account=JO):
        """Whether it has a record of it."""
        return os.path.exists(os.path.join(self.keyring, account))

    def wait_known(self, account=JO):
        """Until it has."""
        wait_for(lambda: self.knows(account),
                 what=f"{self.name} to know {account}")

    def refresh(self, account=JO):
        """Ask for a renewal, token or not."""
        return self.ask("refresh", account=account)

    def wait_refresh(self, account=JO, deadline=DEADLINE_S):
        """Until it has renewed it."""
        said = {}

        def look():
            said.update(self.refresh(account))
            return said["result"] == "ok"
        try:
            wait_for(look, deadline)
        except TimeoutError as late:
            raise TimeoutError(f"{self.name}, {account}: {said}") from late

    def lock_of(self, account=JO):
        """Who holds the lock, as it is told; or None."""
        return self.status(account).get("fleet-lock")


class Gate:
    """At the provider: the requests of one relay for tokens, in one life.

    Closed, those that come wait; those that were let in end.  Shut, those
    that come and those that wait end without an effect."""

    def __init__(self, relay):
        self.relay = relay
        self._changed = threading.Condition()
        self._closed = self._shut = False
        self._inside = 0
        self._renewed = []      # (account, the record's file before that)

    @contextmanager
    def let_in(self, grant):
        """A request, before it has any effect, until it is answered."""
        with self._changed:
            self._changed.wait_for(lambda: self._shut or not self._closed)
            if self._shut:
                raise Gone
            self._inside += 1
        before = grant and (grant.user, self.relay.stands(grant.user))
        rotations = grant and len(grant.used)
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                if grant and len(grant.used) > rotations:
                    self._renewed.append(before)
                self._changed.notify_all()

    def unstored(self):
        """Accounts that were renewed, and whose record is as before."""
        with self._changed:
            self._renewed = [(account, file) for account, file in
                             self._renewed
                             if self.relay.stands(account) == file]
            return [account for account, _ in self._renewed]

    def close(self):
        """From now on they wait."""
        with self._changed:
            self._closed = True

    def open(self):
        """They go on."""
        with self._changed:
            self._closed = False
            self._changed.notify_all()

    def shut(self):
        """All end, for good."""
        with self._changed:
            self._shut = True
            self._changed.notify_all()

    def drain(self):
        """Until nothing is inside."""
        with self._changed:
            assert self._changed.wait_for(lambda: not self._inside,
                                          DEADLINE_S)


class Fleet:
    """Relays, etcd and a provider that tells the relays apart."""

    def __init__(self, idp, relays=2, members=1, clock=(), etcd=None,
                 **options):
        self.idp = idp
        self.loop = Loop()
        self.key = secrets.token_hex(32)
        self.etcd = etcd or Etcd(members, **options)
        self.relays = []
        self._gates = {}        # relay: Gate of its present life
        self._by_port = {}      # Gate of each connection to the provider
        idp.around_token = self._around_token
        for number in range(relays):
            self.add(clock=clock is True or number in clock)

    def add(self, clock=False):
        """One more relay, not started."""
        relay = Relay(self, len(self.relays), clock)
        self.relays.append(relay)
        self.open_anew(relay)
        return relay

    def start(self, *relays):
        """Start etcd, and the relays (or some) until they are in step."""
        if not self.etcd.members[0].running():
            self.etcd.start()
        for relay in relays or self.relays:
            relay.start(in_step=False)
        for relay in relays or self.relays:
            relay.wait_in_step()
        return self

    def seeded(self, *accounts, **options):
        """Start with records that the first relay brings in, known to all;
        options as of Bed.seed().  Returns self."""
        for account in accounts:
            self.relays[0].seed(account, **options)
        self.start()
        for relay in self.relays:
            for account in accounts:
                relay.wait_known(account)
        return self

    def end(self):
        """Leave nothing running."""
        self.idp.around_token = None
        for gate in self._gates.values():
            gate.shut()
        try:
            faults = []
            for relay in self.relays:
                try:
                    relay.end()
                except AssertionError as fault:
                    faults.append(fault)
        finally:
            self.etcd.end()
            self.loop.end()
        if faults:
            raise faults[0]

    # -- at the provider --------------------------------------------------

    @contextmanager
    def _around_token(self, request):
        """Around the effect of a request and its answer."""
        gate = self._by_port.get(request.peer)
        if gate is None:        # not from a relay
            yield
            return
        sent = dict(pair.partition("=")[::2] for pair in
                    request.body.decode("latin-1").split("&"))
        with gate.let_in(self.idp.store.refresh.get(
                sent.get("refresh_token"))):
            yield

    def gate(self, relay):
        """Of its present life."""
        return self._gates[relay]

    def asked_by(self, relay):
        """How many requests for tokens are of its present life."""
        return sum(request.endpoint == "token" and
                   self._by_port.get(request.peer) is self._gates[relay]
                   for request in self.idp.requests)

    def kill(self, relay):
        """End a relay while none of its requests is at the provider.

        What was asked there and not stored is lost with a relay: no lock
        and no store can help that, so no promise says it.  New requests
        wait; those inside are answered, and the relay has stored what they
        brought; those that wait have no effect."""
        gate = self._gates[relay]
        gate.close()
        gate.drain()
        wait_for(lambda: not gate.unstored(),
                 what=f"{relay.name} to store what it was given")
        relay.killed()
        gate.shut()
        self.open_anew(relay)

    def open_anew(self, relay):
        """A gate for the next life of a relay."""
        gate = self._gates[relay] = Gate(relay)

        def connected(port):
            self._by_port[port] = gate

        relay.provider_line.on_connect = connected

    # -- what is in etcd --------------------------------------------------

    def record(self, account=JO):
        """The shared record, as Kv, or None."""
        return self.etcd.get(f"{PREFIX}record/{account}")

    def locks(self):
        """{account: relay's id}."""
        return self._values("lock")

    def sent(self):
        """{account: relay's id}: a request with its grant may have left."""
        return self._values("sent")

    def _values(self, kind):
        start = f"{PREFIX}{kind}/"
        return {key[len(start):]: kv.value.decode()
                for key, kv in self.etcd.list(start).items()}

    def end_lease(self, relay):
        """As when its time is over: all locks of the relay are gone."""
        leases = {kv.lease for kv in self.etcd.list(f"{PREFIX}lock/").values()
                  if kv.value.decode().startswith(relay.name + "#")}
        for lease in leases:
            self.etcd.call("lease/revoke", ID=lease)
        return len(leases)

    def end_old_leases(self):
        """Until each relay has one: those that nobody has prolonged for 45
        seconds are ended, which saves the rest of their time."""
        def look():
            leases = [lease["ID"] for lease in
                      self.etcd.call("lease/leases").get("leases", [])]
            for lease in leases:
                left = self.etcd.call("lease/timetolive", ID=lease)
                if int(left.get("TTL", 0)) < 75:
                    self.etcd.call("lease/revoke", ID=lease)
            return len(leases) <= len(self.relays)
        wait_for(look, DEADLINE_S + 45, "the end of old leases")

    def killed_families(self):
        """How often a spent refresh token was shown."""
        return self.idp.counts["refresh_reuse"]

    def revoked(self):
        """How many refresh tokens were shown to be revoked."""
        return sum(r.form.get("token") in self.idp.store.refresh
                   for r in self.idp.requests if r.endpoint == "revoke")

    def nothing_in_the_clear(self):
        """No value in etcd has a secret of the provider's in it."""
        everything = b"\n".join(kv.value for kv in self.etcd.list().values())
        for secret in self.idp.secrets():
            assert secret.encode() not in everything, "a secret in etcd"


@pytest.fixture
def fleets(idp):
    """Make fleets; all is ended and looked at afterwards."""
    if not ROOT:
        pytest.skip("needs root")
    if PROGRAM is None:
        pytest.skip("no etcd here")
    if not paths.program("mailtokend").exists():
        pytest.skip("mailtokend is not built")
    made = []

    def make(**options):
        made.append(Fleet(idp, **options))
        return made[-1]

    yield make
    for fleet in made:
        fleet.end()
