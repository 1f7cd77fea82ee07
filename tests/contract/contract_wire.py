# SPDX-License-Identifier: BSD-2-Clause
"""A client of the helper's socket that trusts nothing it is sent.

Owns: one connection, byte by byte; the grammar of mailtoken-protocol(7)
as typed here, from the page and not from any other code; what every
answer must keep.  Knows no account and no test.
"""

import select
import socket
import subprocess
import sys
import time

NAME_BYTES = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789-")
LISTS = frozenset(("sealed", "changed", "needs-restart", "warning",
                   "sample"))
WORDS = frozenset(("ok", "login-needed", "unknown-account", "wrong-server",
                   "try-later", "config-error", "denied", "bad-request",
                   "busy", "timeout", "internal"))
STATES = frozenset(("empty", "active", "refreshing", "backoff",
                    "login-needed", "config-error"))
LINE_MAX = 65536
LIST_MAX = 131072
LINES_MAX = 64


class Broken(AssertionError):
    """The helper broke the protocol."""


class Line:
    """One connection; wait_s is the patience for all of it."""

    def __init__(self, path, wait_s):
        self.end = time.monotonic() + wait_s
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(wait_s)
        self.sock.connect(str(path))
        self.rest = b""

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self.sock.close()

    def send(self, raw):
        """Send; False when the helper has closed meanwhile."""
        try:
            self.sock.sendall(raw)
            return True
        except (BrokenPipeError, ConnectionResetError):
            return False

    def shut(self):
        """Say that nothing more will come."""
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass    # the helper was faster

    def _more(self):
        left = self.end - time.monotonic()
        if left <= 0:
            raise Broken(f"no end of the answer in time: {self.rest!r:.200}")
        self.sock.settimeout(left)
        try:
            return self.sock.recv(65536)
        except TimeoutError:
            raise Broken("no end of the answer in time; so far: "
                         f"{self.rest!r:.200}") from None
        except ConnectionResetError:
            return b""

    def all(self):
        """All bytes until the helper closes."""
        while True:
            more = self._more()
            if not more:
                return self.rest
            self.rest += more
            if len(self.rest) > 64 * LIST_MAX:
                raise Broken("an answer without end")

    def is_open(self):
        """Whether the helper has said nothing, and not closed, so far."""
        return not select.select([self.sock], [], [], 0)[0]

    def next(self):
        """The next list, as pairs; the connection stays open."""
        while b"\n\n" not in self.rest:
            more = self._more()
            if not more:
                raise Broken(f"closed inside a list: {self.rest!r:.200}")
            self.rest += more
            if len(self.rest) > 2 * LIST_MAX:
                raise Broken("a list without end")
        end = self.rest.index(b"\n\n") + 2
        raw, self.rest = self.rest[:end], self.rest[end:]
        return parse(raw)


def parse(raw):
    """One list, with its empty line, as [(name, value bytes)]."""
    if len(raw) > LIST_MAX:
        raise Broken(f"a list of {len(raw)} bytes")
    if not raw.endswith(b"\n\n"):
        raise Broken(f"no empty line at the end: {raw[-60:]!r}")
    pairs = []
    for line in raw[:-2].split(b"\n"):
        if len(line) > LINE_MAX:
            raise Broken(f"a line of {len(line)} bytes")
        name, sign, value = line.partition(b"=")
        if sign != b"=":
            raise Broken(f"a line without '=': {line!r:.80}")
        if not 1 <= len(name) <= 32 or not NAME_BYTES.issuperset(name):
            raise Broken(f"not a name: {name!r:.80}")
        if b"\0" in value or b"\r" in value:
            raise Broken(f"NUL or CR in the value of {name!r}")
        pairs.append((name.decode("ascii"), value))
    if len(pairs) > LINES_MAX:
        raise Broken(f"a list of {len(pairs)} attributes")
    if pairs[0] != ("mailtoken", b"1"):
        raise Broken(f"the first attribute is {pairs[0]!r}")
    seen = set()
    for name, _ in pairs:
        if name in seen and name not in LISTS:
            raise Broken(f"{name} stands twice")
        seen.add(name)
    return pairs


def split(raw):
    """All lists of an answer."""
    lists = []
    while raw:
        end = raw.find(b"\n\n")
        if end < 0:
            raise Broken(f"half a list: {raw!r:.200}")
        lists.append(parse(raw[:end + 2]))
        raw = raw[end + 2:]
    return lists


class Answer:
    """A whole answer that keeps the page's general promises."""

    def __init__(self, raw):
        self.raw = raw
        lists = split(raw)
        if not lists:
            raise Broken("closed without an answer")
        *self.records, last = [dict(pairs) for pairs in lists]
        for record in self.records:
            if "result" in record:
                raise Broken("something follows the list with result")
        if "result" not in last:
            raise Broken(f"the last list has no result: {last!r:.200}")
        self.last = last
        self.result = last["result"].decode("utf-8", "replace")
        if self.result not in WORDS:
            raise Broken(f"no such result: {self.result!r}")
        if self.result != "ok":
            self._check_text(last.get("text", b""))
        if "retry-after" in last and number(last["retry-after"]) < 0:
            raise Broken("retry-after lies in the past")

    @staticmethod
    def _check_text(text):
        if not text.strip() or any(b < 0x20 or b == 0x7f for b in text):
            raise Broken(f"text is no sentence: {text!r:.80}")

    def get(self, name):
        """A value of the last list as str, or None."""
        value = self.last.get(name)
        return None if value is None else value.decode("utf-8")


def number(value):
    """A decimal number of the page."""
    digits = value[1:] if value.startswith(b"-") else value
    if not digits or not set(digits) <= set(b"0123456789"):
        raise Broken(f"not a number: {value!r:.40}")
    return int(value)


def check_token(token):
    """1 to 65,000 bytes of printable ASCII without blanks."""
    if not 1 <= len(token) <= 65000:
        raise Broken(f"a token of {len(token)} bytes")
    if any(b < 0x21 or b > 0x7e for b in token):
        raise Broken("a token with a byte that is not printable")


# What a process of another user runs; reads the request from stdin.
_OTHER = """
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
s.settimeout(float(sys.argv[2]))
s.connect(sys.argv[1])
s.sendall(sys.stdin.buffer.read())
while True:
    more = s.recv(65536)
    if not more:
        break
    sys.stdout.buffer.write(more)
"""


def ask_as(uid, path, raw, wait_s):
    """The answer's bytes to a request by another uid; needs root."""
    child = subprocess.run(
        [sys.executable, "-c", _OTHER, str(path), str(wait_s)], input=raw,
        capture_output=True, user=uid, group=uid, extra_groups=[], cwd="/",
        timeout=wait_s + 30, check=False)
    if child.returncode != 0:
        raise Broken("as another user: " + child.stderr.decode()[-200:])
    return child.stdout
