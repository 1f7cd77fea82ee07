# SPDX-License-Identifier: BSD-2-Clause
"""A server of the test bed that runs as a process group of its own.

Owns: a private directory that other users may enter, starting one
program in its own session, stopping it and all that it started, reading
its log.  Knows no mail server.  Invariant: after stop() no process of
the group is left and the directory is gone.
"""

import os
import re
import shutil
import signal
import subprocess
import tempfile

from bed import DEADLINE_S, wait_for


def group_members(pgid):
    """The live (not zombie) processes of a process group."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat") as stat:
                fields = stat.read().rpartition(")")[2].split()
        except OSError:
            continue    # ended meanwhile
        if fields[0] not in "ZX" and int(fields[2]) == pgid:
            found.append(int(name))
    return found


class ServerProcess:
    """Directory, process group and log of one server.

    A subclass sets log_file and calls launch() from start()."""

    def __init__(self, prefix):
        # Not pytest's tmp_path: other users cannot enter that one.
        self.directory = tempfile.mkdtemp(prefix=prefix)
        os.chmod(self.directory, 0o755)
        self.log_file = self.path("log")
        self.child = None
        self._mark = 0

    def path(self, *names):
        """A path in the directory."""
        return os.path.join(self.directory, *names)

    def write(self, name, text, mode=0o644):
        """Write a file in the directory; returns its path."""
        target = self.path(name)
        with open(target, "w") as out:
            out.write(text)
        os.chmod(target, mode)
        return target

    def launch(self, *argv, env=None):
        """Run a program as the leader of a new session."""
        with open(self.path("output"), "ab") as output:
            self.child = subprocess.Popen(
                argv, env=env, stdin=subprocess.DEVNULL, stdout=output,
                stderr=output, cwd="/", start_new_session=True)

    def alive(self):
        """Whether the program that was launched still runs."""
        return self.child is not None and self.child.poll() is None

    def main_pid(self):
        """Whom SIGTERM stops."""
        return self.child.pid

    def end(self):
        """Stop the server and everything it started; keep the files."""
        if self.child is None:
            return
        group = self.child.pid
        try:
            os.kill(self.main_pid(), signal.SIGTERM)
            self.child.wait(DEADLINE_S)
            wait_for(lambda: not group_members(group))
        except (ProcessLookupError, OSError, subprocess.TimeoutExpired):
            pass    # what is left is ended below
        for pid in group_members(group):
            os.kill(pid, signal.SIGKILL)
        self.child.wait(DEADLINE_S)
        wait_for(lambda: not group_members(group),
                 what="end of the process group")
        self.child = None

    def stop(self):
        """end(), and remove the directory."""
        try:
            self.end()
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)

    def start(self):
        """Start the server; returns self."""
        raise NotImplementedError

    def __enter__(self):
        try:
            return self if self.child else self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_exc):
        self.stop()

    # -- log --------------------------------------------------------------

    def log(self):
        """The whole log."""
        if not os.path.exists(self.log_file):
            return ""
        with open(self.log_file, errors="replace") as source:
            return source.read()

    def output(self):
        """What the program printed."""
        with open(self.path("output"), errors="replace") as source:
            return source.read()

    def mark(self):
        """From here on wait_log() looks at new lines only."""
        self._mark = len(self.log())

    def new_log(self):
        """The log since mark()."""
        return self.log()[self._mark:]

    def wait_log(self, pattern, n=1):
        """Wait for the n-th match of a regular expression since mark().

        Returns the match; a log without one fails the test."""
        regex = re.compile(pattern, re.MULTILINE)
        try:
            return wait_for(
                lambda: list(regex.finditer(self.new_log()))[n - 1:n])[0]
        except TimeoutError:
            text = self.output() + self.log()
            tail = "\n".join(text.splitlines()[-25:])
            raise AssertionError(
                f"no {n}. match of {pattern!r} in the log; it ends:\n{tail}")
