# SPDX-License-Identifier: BSD-2-Clause
"""The command mailtoken, and helpers for it that follow a script.

Owns: running the command in an environment of its own, on a terminal, too;
one helper whose connections are conversations.
"""

import fcntl
import os
import select
import shutil
import socket
import struct
import subprocess
import tempfile
import termios
import threading

import pytest

import paths
from bed import DEADLINE_S
from scripted_helper import join_list

DONE = {"event": "done", "result": "ok", "account": "alice@contoso.com",
        "provider": "microsoft",
        "servers": "smtp.office365.com outlook.office365.com",
        "identity": "alice@contoso.com"}


class Running(subprocess.Popen):
    """A program that may never end by itself, for a with statement: a test
    that fails, or waits for what never comes, ends it."""

    def __enter__(self):
        self._timer = threading.Timer(2 * DEADLINE_S, self.kill)
        self._timer.start()
        return super().__enter__()

    def __exit__(self, kind, *rest):
        if kind is not None:
            self.kill()
        try:
            return super().__exit__(kind, *rest)
        finally:
            self._timer.cancel()


def lists(*records):
    """The bytes of attribute lists."""
    return b"".join(join_list([("mailtoken", "1"), *r.items()])
                    for r in records)


@pytest.fixture(scope="session")
def program():
    """The command under test."""
    path = paths.program("mailtoken")
    if not path.exists():
        pytest.skip(f"{path} is not built")
    return str(path)


@pytest.fixture
def place():
    """A short path for a socket, in a directory that may be trusted."""
    directory = tempfile.mkdtemp(prefix="cli-")
    yield directory + "/socket"
    shutil.rmtree(directory)


class Conversation:
    """A helper whose connections follow functions, one each, in order."""

    def __init__(self, path, *turns):
        self.lists = []
        self.closed = threading.Event()
        self.errors = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen(8)
        self._listener.settimeout(DEADLINE_S)
        self._thread = threading.Thread(target=self._run, args=turns,
                                        daemon=True)
        self._thread.start()

    def _run(self, *turns):
        try:
            for turn in turns:
                self._sock, _ = self._listener.accept()
                self._sock.settimeout(DEADLINE_S)
                with self._sock:
                    self.read()
                    turn(self)
        except (OSError, AssertionError) as error:
            self.errors.append(error)

    def read(self):
        """One list from the client."""
        raw = b""
        while not raw.endswith(b"\n\n"):
            more = self._sock.recv(1)
            if not more:
                self.closed.set()
                return raw
            raw += more
        self.lists.append(raw)
        return raw

    def send(self, *records):
        """Lists to the client."""
        self._sock.sendall(lists(*records))

    def credentials(self):
        """Of the client, as the kernel has them."""
        return self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED,
                                     12)

    def watching(self, *records):
        """Let a watch begin; the client asks for all states, and gets
        these."""
        self.send({"event": "watching"})
        self._look(lists(*records, {"result": "ok"}))

    def cut(self, look):
        """End inside of a list: the answer to the look, or a change."""
        if look:
            self.send({"event": "watching"})
            self._look(b"mailtoken=1\naccount=al")
        else:
            self.watching()
            self._sock.sendall(b"mailtoken=1\naccount=al")

    def _look(self, answer):
        watch = self._sock
        self._sock, _ = self._listener.accept()
        with self._sock:
            assert self.read() == b"mailtoken=1\nverb=status\n\n"
            self._sock.sendall(answer)
        self._sock = watch

    def wait_close(self):
        """Until the client hangs up."""
        while self._sock.recv(4096):
            continue
        self.closed.set()

    def end(self):
        """Wait for the last turn."""
        self._thread.join(DEADLINE_S)
        self._listener.close()
        assert not self.errors and not self._thread.is_alive()


def environment(**changes):
    """Ours, with nothing that changes what is printed."""
    kept = {k: v for k, v in os.environ.items()
            if k not in ("NO_COLOR", "MAILTOKEN_SOCKET", "LANG", "LC_ALL",
                         "LC_CTYPE")}
    return {**kept, "TERM": "dumb", **changes}


class Command:
    """Runs the command against one socket."""

    def __init__(self, program, place):
        self.program = program
        self.place = place

    def argv(self, *args):
        return [self.program, "--socket", self.place, *args]

    def __call__(self, *args, **more):
        return subprocess.run(self.argv(*args), capture_output=True,
                              text=True, timeout=DEADLINE_S, check=False,
                              stdin=subprocess.DEVNULL,
                              env=environment(), **more)

    def start(self, *args, **more):
        return Running(
            self.argv(*args), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=environment(), **more)

    def on_terminal(self, *args, typed=b"", columns=80, rows=24,
                    until=None, **variables):
        """Run on a terminal; exit status and all that it showed.

        typed goes in when until has been shown."""
        master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ,
                    struct.pack("HHHH", rows, columns, 0, 0))
        run = subprocess.Popen(self.argv(*args), stdin=slave, stdout=slave,
                               stderr=slave, env=environment(**variables),
                               start_new_session=True)
        os.close(slave)
        shown = b""
        try:
            while select.select([master], [], [], DEADLINE_S)[0]:
                try:
                    more = os.read(master, 4096)
                except OSError:
                    break       # the other side is closed
                if not more:
                    break
                shown += more
                if typed and (until is None or until in shown):
                    os.write(master, typed)
                    typed = b""
            return run.wait(DEADLINE_S), shown.decode()
        finally:
            run.kill()
            run.wait()
            os.close(master)


@pytest.fixture
def mailtoken(program, place):
    return Command(program, place)
