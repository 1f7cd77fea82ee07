# SPDX-License-Identifier: BSD-2-Clause
"""A helper of one's own: mailtokend with a keyring, a socket, a provider.

Owns: the folders, configuration and records below a temporary folder, and
the process.  Started by root the helper gives
up root as on a real system; otherwise it is the user's own.
"""

import os
import pwd
import re
import resource
import secrets
import select
import signal
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

import paths
from bed import DEADLINE_S, scratch, wait_for, write_file
from helper_line import all_answer, as_other, ask, connect
from idp import Idp
from testclock import TestClock

SCOPE = "mail offline_access openid email"
ROOT = os.geteuid() == 0
# A command that runs the helper: "valgrind -q --vgdb=no --leak-check=full".
VALGRIND = os.environ.get("MAILTOKEN_TEST_VALGRIND", "").split()


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
        self._logger = self._said = None
        self._keeping = threading.Lock()
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
        write_file(self.config,
                   block("provider", provider_name, keys) + more + "\n")

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
        os.set_blocking(read, False)
        self._said = os.fdopen(read, "rb", 0)
        self._logger = threading.Thread(target=self._keep_log,
                                        args=(self._said,), daemon=True)
        self._logger.start()
        return self.process

    def _keep_log(self, said):
        while self._keep(said) is None:
            select.select([said], [], [])
        with self._keeping:
            said.close()

    def _keep(self, said):
        """What it has said until now is in the log; None: more may come."""
        # Not written by the helper itself, whose files may be limited.
        with self._keeping, open(self.log_file, "ab", 0) as out:
            while not said.closed and (more := said.read(65536)):
                out.write(more)
            return b"" if said.closed else more

    def start(self, **options):
        """Start it and wait until it answers.  Returns self."""
        self.launch(**options)
        wait_for(lambda: self.process.poll() is not None or
                 all_answer(self.sockets), what="the helper's first answer")
        assert self.process.poll() is None, self.log()
        return self

    def signal(self, number=signal.SIGTERM):
        """Send it a signal."""
        self.process.send_signal(number)

    @contextmanager
    def standing_still(self):
        """It does nothing meanwhile."""
        stat = Path(f"/proc/{self.process.pid}/stat")
        self.signal(signal.SIGSTOP)
        wait_for(lambda: stat.read_text().split(") ")[1][0] == "T")
        yield
        self.signal(signal.SIGCONT)

    def wait(self):
        """Until it has ended and all it said is kept; its exit status."""
        status = self.process.wait(DEADLINE_S)
        if self._logger is not None:
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

    def _below(self):
        """What strace(1) or the like has started: it would outlive it."""
        task = Path(f"/proc/{self.process.pid}/task/{self.process.pid}")
        return [int(pid) for pid in (task / "children").read_text().split()]

    def end(self):
        """Leave nothing running; nothing secret may be in the log."""
        if self.process is not None and self.process.poll() is None:
            # Who traces it would leave it running.
            pid = self.process.pid
            for child in Path(f"/proc/{pid}/task/{pid}/children"
                              ).read_text().split():
                os.kill(int(child), signal.SIGKILL)
            # Only an end of its own shows what was left in memory.
            number = signal.SIGTERM if VALGRIND else signal.SIGKILL
            for below in self._below():
                os.kill(below, number)
            self.signal(number)
            self.wait()
        if self._logger is not None:
            self._logger.join(DEADLINE_S)
            assert not self._logger.is_alive(), "something is left running"
        if self.clock:
            self.clock.close()
        log = self.log()
        for secret in self.idp.secrets():
            assert secret not in log, "a secret stands in the log"
        for word in ("Sanitizer", "runtime error:", "Assertion"):
            assert word not in log, log[-6000:]
        assert not re.search(r"^==\d+== (?!Warning)", log, re.M), log[-6000:]

    def log(self):
        """All it has said until now."""
        if self._said is None:
            return ""
        self._keep(self._said)
        return Path(self.log_file).read_text(errors="replace")

    def wait_log(self, text, n=1):
        """Until it has said something (n times)."""
        wait_for(lambda: self.log().count(text) >= n,
                 what=f"{text!r} in the log")

    def limit(self, what, size):
        """No more than size of what (resource.RLIMIT_...); None: any."""
        size = resource.RLIM_INFINITY if size is None else size
        as_other(self.user.pw_uid, self.user.pw_gid, (), lambda:
                  resource.prlimit(self.process.pid, what,
                                   (size, resource.RLIM_INFINITY)))

    def limit_files(self, size):
        """No file may grow over size bytes; None: any size."""
        self.limit(resource.RLIMIT_FSIZE, size)

    # -- requests ---------------------------------------------------------

    def connect(self, path=None, **who):
        """A connection; who: uid, gid, groups."""
        return connect(path or self.socket, **who)

    def ask(self, verb, uid=None, groups=(), **attributes):
        """One request; the last list of the answer."""
        return ask(self.socket, verb, uid, groups, **attributes)

    def token(self, account="jo@example.org", server="localhost", **more):
        """Ask for a token as a mail program does."""
        return self.ask("token", account=account, server=server,
                        service="smtp", mechanism="XOAUTH2", **more)

    def token_unsaved(self, verb="token", account="jo@example.org"):
        """The answer to a request for which there is room on the disk at
        first, and none any more when the provider answers."""
        here = {"server": "localhost"} if verb == "token" else {}
        seen = len(self.idp.requests)
        with self.idp.holding("token"):
            answer = self.later(lambda: self.ask(verb, account=account,
                                                 **here))
            wait_for(lambda: len(self.idp.requests) > seen)
            self.limit_files(100)
        return answer()

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


def _word(value):
    text = str(value)
    if text and not set(text) & set(' \t#"\\'):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def block(kind, name, keys):
    """A block of mailtoken.conf; keys that are None are left out."""
    lines = [f"{kind} {_word(name)}"]
    for key, value in keys.items():
        if value is not None:
            values = value if isinstance(value, (list, tuple)) else [value]
            lines.append(" ".join([f"    {key}", *map(_word, values)]))
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="session")
def authority_directory(tmp_path_factory):
    """One authority for all providers: keys take time to make."""
    return tmp_path_factory.mktemp("authority")


@pytest.fixture
def idp(authority_directory):
    """A provider of our own that answers well until told otherwise."""
    with Idp(authority_directory, interval=1) as provider:
        yield provider


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
