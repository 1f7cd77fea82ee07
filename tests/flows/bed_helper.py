# SPDX-License-Identifier: BSD-2-Clause
"""A helper of one's own: mailtokend with a keyring, a socket, a provider.

Owns: the folders, configuration and records below a temporary folder, the
process, and connections to it as any uid.  Started by root the helper gives
up root as on a real system; otherwise it is the user's own.
"""

import ctypes
import os
import pwd
import re
import resource
import secrets
import signal
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import paths
from bed import DEADLINE_S, scratch, wait_for, write_file
from testclock import TestClock

SCOPE = "mail offline_access openid email"
ROOT = os.geteuid() == 0
# A command that runs the helper: "valgrind -q --vgdb=no --leak-check=full".
VALGRIND = os.environ.get("MAILTOKEN_TEST_VALGRIND", "").split()
SYS_SETRESUID, SYS_SETRESGID, SYS_SETGROUPS = {
    "x86_64": (117, 119, 116)}.get(os.uname().machine, (147, 149, 159))


class Answer(dict):
    """One list: the attributes by name; pairs has the repeated ones too."""

    def __init__(self, pairs):
        super().__init__(pairs)
        self.pairs = pairs

    def all(self, name):
        """Every value of a name that is a list."""
        return [value for key, value in self.pairs if key == name]


def pack(pairs):
    """An attribute list."""
    return b"mailtoken=1\n" + b"".join(
        f"{name}={value}\n".encode() for name, value in pairs) + b"\n"


class Line:
    """One connection to a helper."""

    def __init__(self, sock):
        self.sock = sock
        self._bytes = b""

    def send(self, verb=None, **attributes):
        """Send one list; as_delegate="yes" is as-delegate=yes."""
        pairs = [("verb", verb)] if verb else []
        pairs += [(name.replace("_", "-"), value)
                  for name, value in attributes.items()]
        self.sock.sendall(pack(pairs))
        return self

    def next(self):
        """The next list of the answer; None at its end."""
        while b"\n\n" not in self._bytes:
            try:
                more = self.sock.recv(65536)
            except ConnectionResetError:
                more = b""      # it did not read all that was sent
            if not more:
                assert not self._bytes, "an answer that ends in the middle"
                return None
            self._bytes += more
        text, _, self._bytes = self._bytes.partition(b"\n\n")
        first, *lines = text.decode().split("\n")
        assert first == "mailtoken=1"
        return Answer([tuple(line.split("=", 1)) for line in lines])

    def until(self, match):
        """The first list for which match(list) holds."""
        while True:
            answer = self.next()
            assert answer is not None, "the helper hung up"
            if match(answer):
                return answer

    def rest(self):
        """All further lists."""
        return list(iter(self.next, None))

    def close(self):
        """Hang up."""
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self.close()


def _become(uid, gid, groups):
    """This thread only; the C library would change all of them."""
    call = ctypes.CDLL(None, use_errno=True).syscall
    numbers = (ctypes.c_uint32 * max(1, len(groups)))(*groups)
    for what in ((SYS_SETGROUPS, len(groups), numbers),
                 (SYS_SETRESGID, gid, gid, gid),
                 (SYS_SETRESUID, uid, uid, uid)):
        if call(*what) != 0:
            raise OSError(ctypes.get_errno(), "becoming another user")


def _as_other(uid, gid, groups, act):
    """act() in a thread that is another user."""
    failed = []

    def run():
        try:
            if uid != os.geteuid():
                _become(uid, gid, groups)
            act()
        except OSError as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]


def connect(path, uid=None, gid=None, groups=()):
    """A Line to a socket, seen by the kernel as this uid."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(DEADLINE_S)
    try:
        if uid is None:
            sock.connect(path)
        else:
            _as_other(uid, uid if gid is None else gid, groups,
                      lambda: sock.connect(path))
    except OSError:
        sock.close()
        raise
    return Line(sock)


class Bed:
    """One helper and all it needs."""

    def __init__(self, idp, clock=False, sockets=1):
        self.idp = idp
        self.folder = scratch(self, "mailtokend-")
        os.chmod(self.folder, 0o755)
        self.user = pwd.getpwnam("nobody" if ROOT else
                                 pwd.getpwuid(os.geteuid()).pw_name)
        self.sockets = [self.path("run", "socket")]
        self.sockets += [self.path("run", f"socket{i}")
                         for i in range(1, sockets)]
        self.socket = self.sockets[0]
        self.keyring = self.path("state", "keyring")
        self.config = self.path("mailtoken.conf")
        self.log_file = self.path("log")
        self.clock = TestClock() if clock else None
        self.process = None
        self._logger = None
        self.options = []
        for name in ("run", "state"):
            os.mkdir(self.path(name), 0o755)
            self._give(self.path(name))
        os.mkdir(self.keyring, 0o700)
        self._give(self.keyring)
        ca_file = self.path("ca.pem")
        write_file(ca_file, Path(idp.ca_file).read_text())
        self.provider = {
            "token_endpoint": f"{idp.url}/token",
            "device_authorization_endpoint": f"{idp.url}/device",
            "client_id": "mail-app", "scope": SCOPE.split(),
            "servers": ["localhost"], "ca_file": ca_file}
        self.configure()

    def path(self, *parts):
        """A path below the bed."""
        return os.path.join(self.folder, *parts)

    def _give(self, path):
        if ROOT:
            os.chown(path, self.user.pw_uid, self.user.pw_gid)

    # -- configuration ----------------------------------------------------

    def configure(self, more="", provider_name="test", **provider):
        """Write the configuration; keys given change the provider's."""
        keys = {**self.provider, **provider}
        lines = [f"    {name} = {_value(value)}"
                 for name, value in keys.items() if value is not None]
        write_file(self.config, "\n".join(
            [f"provider '{provider_name}' {{", *lines, "}", more, ""]))

    # -- records ----------------------------------------------------------

    def seed(self, account="jo@example.org", age=0, granted=3600, seeded=None,
             **more):
        """A record of a sign-in; its token is age seconds old."""
        now = int(time.time())
        seeded = seeded or self.idp.seed(account, scope=SCOPE)
        record = {
            "account": account, "provider": "test", "flow": "device",
            "token-host": f"localhost:{self.idp.port}",
            "client-id": self.provider["client_id"],
            "token-endpoint": self.provider["token_endpoint"],
            "scope": SCOPE, "serial": secrets.token_hex(8),
            "refresh-token": seeded.refresh_token,
            "access-token": seeded.access_token,
            "expires": now - age + granted, "granted": granted,
            "refreshed": now - age, "signed-in": now - age,
            "state": "active"}
        record.update({k.replace("_", "-"): v for k, v in more.items()})
        self.write_record(account, "mailtoken-entry=1\n" + "".join(
            f"{name}={value}\n" for name, value in record.items()) + "\n")
        return seeded

    def write_record(self, account, text, mode=0o600):
        """A file of the keyring, as it stands."""
        path = os.path.join(self.keyring, account)
        write_file(path, text, mode)
        self._give(path)
        return path

    def record(self, account="jo@example.org"):
        """The record on disk."""
        text = Path(self.keyring, account).read_text()
        assert text.endswith("\n\n"), "a record that is not whole"
        return dict(line.split("=", 1) for line in text.split("\n") if line)

    # -- life -------------------------------------------------------------

    def argv(self):
        """The command line."""
        name = "tests/mailtokend-clock" if self.clock else "mailtokend"
        words = [str(paths.program(name)), "--config", self.config,
                 "--keyring", self.keyring, "--log-level", "debug"]
        for path in self.sockets:
            words += ["--listen", path]
        if ROOT:
            words += ["--user", self.user.pw_name]
        return words + self.options

    def environment(self, stderr):
        """Nothing of the tests' own environment goes in."""
        about = os.fstat(stderr)
        env = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
               # So that it logs there even where there is a syslog.
               "JOURNAL_STREAM": f"{about.st_dev}:{about.st_ino}",
               # It is not dumpable, so no leak can be looked for.
               "ASAN_OPTIONS": "detect_leaks=0"}
        if self.clock:
            env.update(self.clock.environment())
        return env

    def launch(self, before=(), umask=0o022):
        """Start it and do not wait."""
        if self.clock:
            self.clock.restarted()
        read, write = os.pipe()
        self.process = subprocess.Popen(
            [*before, *VALGRIND, *self.argv()], env=self.environment(write),
            stdin=subprocess.DEVNULL, stdout=write, stderr=write,
            umask=umask)
        os.close(write)
        self._logger = threading.Thread(target=self._keep_log,
                                        args=(read,), daemon=True)
        self._logger.start()
        return self.process

    def _keep_log(self, read):
        # Not written by the helper itself, whose files may be limited.
        with os.fdopen(read, "rb", 0) as source, \
                open(self.log_file, "ab", 0) as out:
            while more := source.read(65536):
                out.write(more)

    def start(self, **options):
        """Start it and wait until it answers.  Returns self."""
        self.launch(**options)
        wait_for(lambda: self.process.poll() is not None or self._answers(),
                 what="the helper's first answer")
        assert self.process.poll() is None, self.log()
        return self

    def _answers(self):
        try:
            for path in self.sockets:
                with connect(path) as line:
                    line.send("version")
                    if not line.rest():
                        return False
        except OSError:
            return False
        return True

    def signal(self, number=signal.SIGTERM):
        """Send it a signal."""
        self.process.send_signal(number)

    def wait(self):
        """Until it has ended and all it said is kept; its exit status."""
        status = self.process.wait(DEADLINE_S)
        self._logger.join(DEADLINE_S)
        return status

    def stop(self):
        """End it as a supervisor does; its exit status."""
        self.signal()
        return self.wait()

    def restart(self, **options):
        """End it and start it again."""
        assert self.stop() == 0, self.log()
        return self.start(**options)

    def end(self):
        """Leave nothing running; nothing secret may be in the log."""
        if self.process is not None and self.process.poll() is None:
            # Only an end of its own shows what was left in memory.
            self.signal(signal.SIGTERM if VALGRIND else signal.SIGKILL)
            self.wait()
        if self._logger is not None:
            self._logger.join(DEADLINE_S)
        if self.clock:
            self.clock.close()
        log = self.log()
        for secret in self.idp.secrets():
            assert secret not in log, "a secret stands in the log"
        for word in ("Sanitizer", "runtime error:", "Assertion"):
            assert word not in log, log[-6000:]
        assert not re.search(r"^==\d+== (?!Warning)", log, re.M), log[-6000:]

    def log(self):
        """All it has said."""
        try:
            return Path(self.log_file).read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def wait_log(self, text, n=1):
        """Until it has said something (n times)."""
        wait_for(lambda: self.log().count(text) >= n,
                 what=f"{text!r} in the log")

    def limit_files(self, size):
        """No file may grow over size bytes; None: any size."""
        size = resource.RLIM_INFINITY if size is None else size
        _as_other(self.user.pw_uid, self.user.pw_gid, (), lambda:
                  resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE,
                                   (size, resource.RLIM_INFINITY)))

    # -- requests ---------------------------------------------------------

    def connect(self, path=None, **who):
        """A connection; who: uid, gid, groups."""
        return connect(path or self.socket, **who)

    def ask(self, verb, uid=None, groups=(), **attributes):
        """One request; the last list of the answer."""
        with self.connect(uid=uid, groups=groups) as line:
            answers = line.send(verb, **attributes).rest()
        assert answers, "the helper hung up without an answer"
        return answers[-1]

    def token(self, account="jo@example.org", server="localhost", **more):
        """Ask for a token as a mail program does."""
        return self.ask("token", account=account, server=server,
                        service="smtp", mechanism="XOAUTH2", **more)

    def status(self, account="jo@example.org", **who):
        """The state of one account."""
        with self.connect(**who) as line:
            return line.send("status", account=account).next()

    def refreshes(self):
        """How many refreshes the provider has seen."""
        return self.idp.counts["refresh_token"]

    def wait_state(self, state, account="jo@example.org"):
        """Until status says so; what it says then."""
        def look():
            found = self.status(account)
            return found if found.get("state") == state else None
        return wait_for(look, what=f"the state {state}")

    def many(self, n, act):
        """The results of act() from n threads that start together."""
        barrier = threading.Barrier(n, timeout=DEADLINE_S)

        def run(_):
            barrier.wait()
            return act()

        with ThreadPoolExecutor(n) as pool:
            return list(pool.map(run, range(n)))

    def later(self, act):
        """act() in a thread; call what is returned for its result."""
        with_one = ThreadPoolExecutor(1)
        future = with_one.submit(act)
        with_one.shutdown(wait=False)
        return future.result


def _value(value):
    if isinstance(value, (list, tuple)):
        return "{ " + ", ".join(f"'{v}'" for v in value) + " }"
    return f"'{value}'" if isinstance(value, str) else str(value)


@pytest.fixture
def beds(idp):
    """Make helpers; all of them are ended and looked at afterwards."""
    made = []

    def make(**options):
        name = "tests/mailtokend-clock" if options.get("clock") else \
            "mailtokend"
        if not paths.program(name).exists():
            pytest.skip(f"{name} is not built")
        made.append(Bed(idp, **options))
        return made[-1]

    yield make
    for bed in made:
        bed.end()


@pytest.fixture
def helper(beds):
    """A helper that is configured and not started."""
    return beds()


@pytest.fixture
def clocked(beds):
    """The same with clocks that can be moved."""
    return beds(clock=True)


@pytest.fixture
def root():
    """For tests that are other users."""
    if not ROOT:
        pytest.skip("needs root")
