# SPDX-License-Identifier: BSD-2-Clause
"""An etcd cluster of one's own, on loopback, and a client for tests.

Owns: the members' processes and folders, their certificates, and what is
asked of them by their JSON gateway.  Nothing is left running.

    with Etcd(3, tls=True) as etcd:
        user, password_file = etcd.authenticate("/mailtoken/")
        etcd.urls, etcd.ca_file, etcd.certificate, etcd.key
        etcd.kill(etcd.leader())
        etcd.list("/mailtoken/")        # {key: Kv}, values as bytes
"""

import base64
import json
import os
import secrets
import shutil
import signal
import ssl
import subprocess
import time
import urllib.error
import urllib.request
import weakref
from pathlib import Path
from typing import NamedTuple

from bed import DEADLINE_S, free_port, scratch, wait_for, write_file
from ca import Authority

UNAVAILABLE = 14
PROGRAM = shutil.which("etcd")


class Kv(NamedTuple):
    """A value and what etcd knows of it."""
    value: bytes
    revision: int
    lease: int
    puts: int       # since it was made


class Refused(Exception):
    """The gateway says no: its code (google.rpc.Code) and its text."""

    def __init__(self, code, text):
        super().__init__(f"{text} ({code})")
        self.code = code


def _b64(value):
    raw = value.encode() if isinstance(value, str) else value
    return base64.b64encode(raw).decode()


def _end_of(prefix):
    raw = prefix.encode()
    return raw[:-1] + bytes([raw[-1] + 1])


class Member:
    """One etcd; its data stays over restarts."""

    def __init__(self, etcd, number):
        self.etcd = etcd
        self.number = number
        self.name = f"m{number}"
        self.port = free_port()
        self.peer = f"http://127.0.0.1:{free_port()}"
        self.metrics = f"http://127.0.0.1:{free_port()}"
        self.url = f"{'https' if etcd.tls else 'http'}://127.0.0.1:{self.port}"
        self.folder = os.path.join(etcd.folder, self.name)
        self.log_file = self.folder + ".log"
        self.process = None
        self.paused = False

    def launch(self, state):
        """Start it and do not wait."""
        etcd = self.etcd
        words = [PROGRAM, "--name", self.name, "--data-dir", self.folder,
                 "--listen-client-urls", self.url,
                 "--advertise-client-urls", self.url,
                 "--listen-peer-urls", self.peer,
                 "--initial-advertise-peer-urls", self.peer,
                 "--listen-metrics-urls", self.metrics,
                 "--initial-cluster", ",".join(
                     f"{m.name}={m.peer}" for m in etcd.members),
                 "--initial-cluster-state", state,
                 "--logger", "zap", "--log-outputs", "stderr",
                 *etcd.options]
        if etcd.tls:
            words += ["--cert-file", etcd.server_certificate,
                      "--key-file", etcd.server_key]
        if etcd.client_certificates:
            words += ["--client-cert-auth", "--trusted-ca-file",
                      etcd.ca_file]
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={"PATH": "/usr/bin:/bin", "GOMAXPROCS": "1",
                     # A 3.4 of another architecture would not start.
                     "ETCD_UNSUPPORTED_ARCH": os.uname().machine})
        self.paused = False
        weakref.finalize(self, _kill, self.process)

    def running(self):
        """Whether it is there (it may be stopped)."""
        return self.process is not None and self.process.poll() is None

    def leads_or_follows(self):
        """Whether it answers and knows a leader."""
        if not self.running() or self.paused:
            return False
        try:
            with urllib.request.urlopen(self.metrics + "/metrics",
                                        timeout=5) as answer:
                return b"\netcd_server_has_leader 1" in answer.read()
        except OSError:
            return False

    def serves(self):
        """Whether it reads what all have agreed on."""
        if not self.running():
            raise AssertionError(f"{self.name} has ended: {self.log()[-2000:]}")
        try:
            return self.leads_or_follows() and self.etcd.call(
                "kv/range", self, timeout=5, key="AA==") is not None
        except (OSError, Refused):
            return False

    def signal(self, number):
        """Send it a signal."""
        self.process.send_signal(number)
        self.paused = number == signal.SIGSTOP

    def kill(self):
        """As a machine that loses its power."""
        if self.process is not None:
            _kill(self.process)

    def log(self):
        """All it has said."""
        return Path(self.log_file).read_text(errors="replace")


def _kill(process):
    if process.poll() is None:
        process.kill()
        process.wait()


class Etcd:
    """A cluster; members are named by their index.

    options are more words of the command line: ["--max-txn-ops", "16"];
    quota is --quota-backend-bytes."""

    def __init__(self, members=1, tls=False, client_certificates=False,
                 quota=None, options=()):
        self.folder = scratch(self, "etcd-")
        os.chmod(self.folder, 0o755)
        self.tls = tls or client_certificates
        self.client_certificates = client_certificates
        self.options = [*options]
        if quota:
            self.options += ["--quota-backend-bytes", str(quota)]
        self.user = self.password_file = None
        self.root_password = None
        self.passwords = []
        self._token = None
        self.ca_file = self.certificate = self.key = None
        self._context = None
        if self.tls:
            self.authority = Authority(os.path.join(self.folder, "ca"),
                                       "etcd test CA")
            self.ca_file = self.authority.ca_file
            self.server_certificate, self.server_key = \
                self.authority.server(stem="etcd")
            self._context = ssl.create_default_context(cafile=self.ca_file)
        if self.client_certificates:
            self.certificate, self.key = self.authority.client()
            os.chmod(self.key, 0o644)
            self._context.load_cert_chain(self.certificate, self.key)
        self.members = []
        self.members += [Member(self, n) for n in range(members)]

    # -- life -------------------------------------------------------------

    def start(self):
        """Start all and wait until they serve.  Returns self."""
        for member in self.members:
            member.launch("new")
        self.wait_serving()
        return self

    def wait_serving(self, *numbers):
        """Until those members (or all) serve."""
        for member in [self.members[n] for n in numbers] or self.members:
            wait_for(member.serves, what=f"etcd's {member.name}")

    def end(self):
        """Leave nothing running."""
        for member in self.members:
            member.kill()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_exc):
        self.end()

    def kill(self, number):
        """End a member at once; all that it had said is kept."""
        self.members[number].kill()

    def restart(self, number, wait=True):
        """Start it again with its data."""
        self.members[number].kill()
        self.members[number].launch("existing")
        if wait:
            self.wait_serving(number)

    def pause(self, number):
        """It takes connections and says nothing."""
        member = self.members[number]
        member.signal(signal.SIGSTOP)
        stat = Path(f"/proc/{member.process.pid}/stat")
        wait_for(lambda: stat.read_text().split(") ")[1][0] == "T")

    def resume(self, number):
        """It goes on."""
        self.members[number].signal(signal.SIGCONT)

    def replace_certificate(self, expired):
        """Another certificate, which it takes for the next connection."""
        cert, key = self.authority.expired() if expired else \
            self.authority.server(stem="etcd-renewed")
        for source, to in ((key, self.server_key),
                           (cert, self.server_certificate)):
            write_file(to, Path(source).read_text())

    @property
    def urls(self):
        """What a client is told."""
        return [member.url for member in self.members]

    # -- requests ---------------------------------------------------------

    def call(self, what, member=None, anonymous=False, timeout=20, **body):
        """POST to the gateway: etcd.call("kv/range", key=...) as root.

        That member, once; or one that serves, until there is one.
        Refused."""
        if member is not None:
            return self._once(what, member, anonymous, timeout, body)
        end = time.monotonic() + DEADLINE_S
        while True:
            try:
                return self._once(what, self._one(), anonymous, timeout, body)
            except Refused as refused:
                if refused.code != UNAVAILABLE or time.monotonic() > end:
                    raise
            except OSError:
                if time.monotonic() > end:
                    raise

    def _once(self, what, member, anonymous, timeout, body):
        headers = {"Content-Type": "application/json"}
        if self.root_password and not anonymous:
            self._token = self._token or self._authenticate()
            headers["Authorization"] = self._token
        ask = urllib.request.Request(
            f"{member.url}/v3/{what}",
            json.dumps(body).encode(), headers)
        try:
            with urllib.request.urlopen(ask, timeout=timeout,
                                        context=self._context) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            text = error.read().decode(errors="replace")
            try:
                said = json.loads(text)
            except ValueError:
                raise Refused(error.code, text)
            # Newer ones have a message only.
            why = said.get("error") or said.get("message", text)
            if said.get("code") == 16 and "token" in why:
                self._token = None      # as after a restart
                if not anonymous:
                    return self._once(what, member, False, timeout, body)
            raise Refused(said.get("code"), why)

    def _one(self):
        """A member that serves."""
        return wait_for(
            lambda: next((m for m in self.members if m.leads_or_follows()),
                         None), what="a member of etcd that serves")

    def _authenticate(self):
        return self.call("auth/authenticate", anonymous=True, name="root",
                         password=self.root_password)["token"]

    def put(self, key, value, lease=0):
        """The revision of what was put."""
        done = self.call("kv/put", key=_b64(key), value=_b64(value),
                         lease=lease)
        return int(done["header"]["revision"])

    def get(self, key):
        """The Kv, or None."""
        return self._kvs(key=_b64(key)).get(key)

    def list(self, prefix="", **how):
        """All below a prefix, as {key: Kv}."""
        return self._kvs(key=_b64(prefix or "\0"), **how,
                         range_end=_b64(_end_of(prefix) if prefix else "\0"))

    def count(self, prefix):
        """How many are below it."""
        return int(self.call("kv/range", key=_b64(prefix),
                             range_end=_b64(_end_of(prefix)),
                             count_only=True).get("count", 0))

    def delete(self, key, prefix=False):
        """How many are gone."""
        end = {"range_end": _b64(_end_of(key))} if prefix else {}
        done = self.call("kv/deleterange", key=_b64(key), **end)
        return int(done.get("deleted", 0))

    def _kvs(self, **which):
        found = {}
        for kv in self.call("kv/range", **which).get("kvs", []):
            key = base64.b64decode(kv["key"]).decode()
            found[key] = Kv(base64.b64decode(kv.get("value", "")),
                            int(kv["mod_revision"]), int(kv.get("lease", 0)),
                            int(kv["version"]))
        return found

    def revision(self):
        """The store's."""
        return int(self.call("kv/range", key=_b64("x"))
                   ["header"]["revision"])

    def history(self, key, upto=None):
        """All values that a key had since the last compaction, oldest
        first, as Kv."""
        upto = upto or self.revision()
        found = []
        while upto > 0:
            try:
                kvs = self._kvs(key=_b64(key), revision=upto)
            except Refused:     # compacted
                break
            if key not in kvs:
                break
            found.append(kvs[key])
            upto = kvs[key].revision - 1
        return found[::-1]

    def compact(self, revision=None):
        """Forget what was before (now)."""
        self.call("kv/compaction", revision=revision or self.revision(),
                  physical=True)

    def status(self, number):
        """What a member says of itself."""
        return self.call("maintenance/status", self.members[number])

    def leader(self):
        """The index of the leading member."""
        def look():
            said = [(m.number, self.status(m.number)) for m in self.members
                    if m.leads_or_follows()]
            led = [s.get("leader") for _, s in said]
            return [n for n, s in said if len(set(led)) == 1 and
                    s["header"]["member_id"] == led[0]]
        return wait_for(look, what="a leader")[0]

    def move_leader(self, to):
        """Another member leads, without a failure."""
        target = self.status(to)["header"]["member_id"]
        self.call("maintenance/transfer-leadership",
                  self.members[self.leader()], targetID=target)

    def alarm(self, on):
        """Every member is out of room (NOSPACE), or has room again."""
        for number, member in enumerate(self.members):
            if member.running():
                self.call("maintenance/alarm", action=int(on) or 2,
                          memberID=self.status(number)["header"]
                          ["member_id"], alarm="NOSPACE")

    def fill(self):
        """Put until the quota is used up and etcd says so."""
        for n in range(1000):
            try:
                self.put(f"fill/{n}", secrets.token_bytes(1 << 20))
            except Refused:
                return
        raise AssertionError("this cluster has no quota")

    def make_room(self):
        """What an operator does then: compact, defragment, disarm."""
        self.delete("fill/", prefix=True)
        self.compact()
        for member in self.members:
            self.call("maintenance/defragment", member)
        self.alarm(False)

    # -- authentication ---------------------------------------------------

    def authenticate(self, prefix, user="mailtoken"):
        """Switch authentication on: root, and a user who has the prefix.

        Returns that user and the file with its password."""
        root, password = secrets.token_hex(16), secrets.token_hex(16)
        self.passwords += [root, password]
        path = os.path.join(self.folder, "password")
        write_file(path, password + "\n")
        for name, word in (("root", root), (user, password)):
            self.call("auth/user/add", name=name, password=word)
        self.call("auth/role/add", name="root")
        self.call("auth/role/add", name=user)
        self.call("auth/role/grant", name=user, perm={
            "permType": "READWRITE", "key": _b64(prefix),
            "range_end": _b64(_end_of(prefix))})
        for name in ("root", user):
            self.call("auth/user/grant", user=name, role=name)
        self.call("auth/enable")
        self.root_password = root
        self.user, self.password_file = user, path
        return user, path

    def change_password(self):
        """Another one, in etcd and in the file; the tokens end."""
        password = secrets.token_hex(16)
        self.passwords.append(password)
        self.call("auth/user/changepw", name=self.user, password=password)
        write_file(self.password_file, password + "\n")
