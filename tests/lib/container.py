# SPDX-License-Identifier: BSD-2-Clause
"""A Debian with its own systemd as pid 1, in a container.

Owns: a network namespace with nothing but a loopback, in which servers of
this process may listen (Network); booting a tree with systemd-nspawn,
running commands in it, its journal, and its end (Container).  A container
lives in control groups of its own, so that ending it ends everything in
it and nothing else.
"""

import ctypes
import concurrent.futures
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile

from bed import DEADLINE_S, wait_for

CLONE_NEWNET = 0x40000000
LANDLOCK = ("landlock_create_ruleset landlock_add_rule "
            "landlock_restrict_self")
COMMAND_S = int(DEADLINE_S)


class CannotBoot(Exception):
    """No container can run on this machine; the text says why."""


def need_privileges():
    """Raise CannotBoot where something that every container needs is not."""
    if os.geteuid() != 0:
        raise CannotBoot("only root can boot a container")
    for tool in ("systemd-nspawn", "nsenter", "setpriv", "ip"):
        if not shutil.which(tool):
            raise CannotBoot(f"{tool} is not installed")
    if not any(kind == "cgroup2" for kind, _ in _cgroup_mounts()):
        raise CannotBoot("no control groups (version 2) are mounted")


def _cgroup_mounts():
    """(kind, mount point) of the hierarchies that a systemd uses."""
    found = []
    with open("/proc/self/mountinfo") as source:
        for line in source:
            before, _, after = line.partition(" - ")
            kind, _, options = after.split(" ", 2)
            if kind == "cgroup2" or (kind == "cgroup" and re.search(
                    r"\bname=systemd\b", options)):
                found.append((kind, before.split()[4]))
    return found


class Network:
    """A network namespace; lives in a thread, and as long as that.

    It outlives containers, so servers in it go on over a reboot."""

    def __init__(self):
        self._thread = concurrent.futures.ThreadPoolExecutor(1)
        try:
            tid = self._thread.submit(self._enter).result()
        except OSError as error:
            self.stop()
            raise CannotBoot(f"no network namespace: {error.strerror}")
        self.path = f"/proc/{os.getpid()}/task/{tid}/ns/net"

    @staticmethod
    def _enter():
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(CLONE_NEWNET) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return int(os.readlink("/proc/thread-self").rpartition("/")[2])

    def call(self, function, *args):
        """Call a function inside: sockets it makes are there."""
        return self._thread.submit(function, *args).result()

    def stop(self):
        """Let go of the namespace."""
        self._thread.shutdown()


class Container:
    """One tree, booted as often as a test likes."""

    def __init__(self, tree, network):
        self.tree = str(tree)
        self._network = network
        self._name = f"mailtoken-{os.getpid()}-{id(self):x}"
        self._groups = []
        self._nspawn = None
        self.leader = None
        self._console = tempfile.TemporaryFile()

    # -- life -------------------------------------------------------------

    def boot(self):
        """Start systemd and wait until it is done.  Returns self."""
        for _, mount in _cgroup_mounts():
            group = os.path.join(mount, self._name)
            try:
                os.mkdir(group)
            except OSError as error:
                raise CannotBoot(f"{group}: {error.strerror}")
            self._groups.append(group)
        try:
            self._start()
            self.run("systemctl", "is-system-running", "--wait", check=False)
        except BaseException:
            self.halt()
            raise
        return self

    def _start(self):
        join = " ".join(f"echo $$ > {g}/cgroup.procs &&"
                        for g in self._groups)
        self._nspawn = subprocess.Popen(
            ["setpriv", "--pdeathsig=TERM",     # when a run is killed
             "sh", "-c", f'{join} exec "$@"', "sh", "systemd-nspawn",
             "--quiet", "--register=no", "--keep-unit", "--boot",
             f"--machine={self._name}", f"--directory={self.tree}",
             f"--network-namespace-path={self._network.path}",
             "--link-journal=no", "--resolv-conf=off", "--timezone=off",
             "--console=pipe", f"--system-call-filter={LANDLOCK}"],
            env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
            stdin=subprocess.DEVNULL, stdout=self._console,
            stderr=self._console, start_new_session=True)
        self.leader = wait_for(lambda: self._find_leader() or
                               self._ended(), DEADLINE_S, "pid 1")
        if not self._alive():
            raise CannotBoot(f"systemd-nspawn: {self.console()}")
        wait_for(lambda: self._ended() or os.path.exists(
            self.path("/run/systemd/private")), DEADLINE_S, "systemd")

    def _alive(self):
        return self._nspawn is not None and self._nspawn.poll() is None

    def _ended(self):
        return not self._alive()

    def _find_leader(self):
        """The process of ours that is pid 1 in a namespace of its own."""
        for group in self._groups:
            for folder, _, _ in os.walk(group):
                for pid in _members(folder):
                    if _inner_pid(pid) == 1:
                        return pid
        return None

    def halt(self):
        """Shut down; what does not end in time is ended."""
        try:
            if self._alive():
                self._nspawn.send_signal(signal.SIGTERM)
                self._nspawn.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            pass    # the groups are emptied below
        finally:
            for group in self._groups:
                _end_group(group)
            if self._nspawn is not None:
                self._nspawn.wait(DEADLINE_S)
            self._groups, self._nspawn, self.leader = [], None, None

    def reboot(self):
        """Shut down in an orderly way and boot again."""
        self.halt()
        return self.boot()

    def console(self):
        """What systemd-nspawn and the console said."""
        self._console.seek(0)
        return self._console.read().decode(errors="replace")[-4000:]

    # -- in it ------------------------------------------------------------

    def path(self, inside):
        """A path in the running container, as seen from here."""
        return f"/proc/{self.leader}/root{inside}"

    def argv(self, *argv, user=None):
        """The command line that runs a command in it, maybe as a user.

        "name:group" is the user in one more group.
        It ends in time by itself: a signal would end nsenter only."""
        enter = ["nsenter", "-t", str(self.leader), "-a", "-r", "-w", "--",
                 "timeout", "--kill-after=5", str(COMMAND_S)]
        if user is not None:
            name, _, group = user.partition(":")
            more = ["-G", group] if group else []
            enter += ["runuser", "-u", name, *more, "--"]
        return [*enter, *argv]

    def environment(self, **more):
        """What a command in it gets."""
        return {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:"
                "/sbin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/root", **more}

    def run(self, *argv, check=True, user=None, text="", **environment):
        """Run a command in it; the result as of subprocess.run()."""
        done = subprocess.run(
            self.argv(*argv, user=user), input=text, capture_output=True,
            text=True, env=self.environment(**environment))
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(argv)}: {done.returncode}\n"
                                 f"{done.stdout}{done.stderr}")
        return done

    def systemctl(self, *words, check=True):
        """Run systemctl; returns what it printed."""
        return self.run("systemctl", "--no-pager", *words,
                        check=check).stdout.strip()

    def show(self, unit, *names):
        """Properties of a unit: a value, or a list of them."""
        text = self.systemctl("show", unit, *(f"-p{n}" for n in names))
        found = dict(line.split("=", 1) for line in text.splitlines())
        values = [found[n] for n in names]
        return values[0] if len(values) == 1 else values

    def wait_show(self, unit, name, value):
        """Wait until a property of a unit has a value."""
        wait_for(lambda: self.show(unit, name) == value,
                 what=f"{name}={value} of {unit}")

    def cursor(self):
        """The end of the journal, for journal(after=...)."""
        text = self.run("journalctl", "-q", "-n1", "--show-cursor",
                        "-ocat").stdout
        return text.rpartition("-- cursor: ")[2].strip()

    def journal(self, *match, after=None):
        """Entries of the journal, oldest first, each a dict."""
        since = [f"--after-cursor={after}"] if after else []
        text = self.run("journalctl", "-q", "--no-pager", "-ojson", *since,
                        *match).stdout
        return [json.loads(line) for line in text.splitlines()]

    def wait_journal(self, pattern, *match, after=None):
        """Wait for an entry whose message has a match; returns it."""
        def look():
            return [e for e in self.journal(*match, after=after)
                    if re.search(pattern, str(e.get("MESSAGE")))]
        return wait_for(look, what=f"{pattern!r} in the journal")[0]


def _members(group):
    try:
        with open(os.path.join(group, "cgroup.procs")) as source:
            return [int(line) for line in source]
    except OSError:
        return []   # the group went away meanwhile


def _inner_pid(pid):
    """The pid a process has in the innermost namespace it is in, if any."""
    try:
        with open(f"/proc/{pid}/status") as source:
            numbers = re.search(r"^NSpid:(.*)$", source.read(), re.M)
    except OSError:
        return None
    numbers = numbers[1].split()
    return int(numbers[-1]) if len(numbers) > 1 else None


def _end_group(group):
    """End all members of a control group of ours, and remove it."""
    folders = [f for f, _, _ in os.walk(group, topdown=False)]
    for folder in folders:
        for pid in _members(folder):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass    # it was quicker
    wait_for(lambda: not any(_members(f) for f in folders), DEADLINE_S,
             "end of the container")
    for folder in folders:
        os.rmdir(folder)
