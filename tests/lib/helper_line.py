# SPDX-License-Identifier: BSD-2-Clause
"""Connections to a helper, as any uid.

Owns: one connection and its lists, how a thread becomes another user, one
request and its answer.  Trusts the helper; contract_wire does not.
"""

import ctypes
import os
import socket
import threading

from bed import DEADLINE_S

SYS_SETRESUID, SYS_SETRESGID, SYS_SETGROUPS = {
    "x86_64": (117, 119, 116)}.get(os.uname().machine, (147, 149, 159))
# What a helper says to one who has sent no whole request in time.
TOO_LATE = "no whole request came within 2 seconds"


def takes_connections(path):
    """Whether somebody listens, without a connection to it."""
    with open("/proc/net/unix", encoding="utf-8") as rows:
        return any(row.endswith(f" {path}\n") and
                   row.split()[3] == "00010000" for row in rows)


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
        return self.raw(pack(pairs))

    def raw(self, data):
        """Send these bytes."""
        try:
            self.sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass    # it has answered already
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


def as_other(uid, gid, groups, act):
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
            as_other(uid, uid if gid is None else gid, groups,
                     lambda: sock.connect(path))
    except OSError:
        sock.close()
        raise
    return Line(sock)


def ask(path, verb, uid=None, groups=(), **attributes):
    """One request; the last list of the answer.

    What was sent at once and came too late all the same met a machine that
    stood still, and is sent again."""
    for _ in range(5):
        with connect(path, uid=uid, groups=groups) as line:
            answers = line.send(verb, **attributes).rest()
        assert answers, "the helper hung up without an answer"
        if answers[-1].get("text") != TOO_LATE:
            break
    return answers[-1]


def all_answer(paths):
    """Whether a helper answers at each of these sockets."""
    try:
        return all(ask(path, "version")["result"] == "ok" for path in paths)
    except (OSError, AssertionError):
        return False
