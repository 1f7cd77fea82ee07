# SPDX-License-Identifier: BSD-2-Clause
"""A stand-in for mailtokend on a unix socket, that does as scripted.

Owns: reading one request a connection in the attribute-list protocol of
mailtoken-protocol(7), strictly; answering it well, or in one of many bad
ways (STEPS); recording requests and who asked.  Asks no provider.
As a script: python3 -m scripted_helper --socket PATH [--script JSON].
"""

import argparse
import fcntl
import json
import os
import re
import socket
import struct
import sys
import termios
import threading
import time
from dataclasses import dataclass, field

import bed
from bed import Journal

LINE_MAX = 65536
LIST_MAX = 131072
LINES_MAX = 64
NAME = re.compile(rb"[a-z0-9-]{1,32}")
LISTS = ("warning",)
FAULT_WORDS = ("login-needed", "unknown-account", "wrong-server",
               "try-later", "config-error", "denied", "bad-request", "busy",
               "timeout", "internal")

STEPS = {
    "ok": "answer well; 'changes' to attributes, null drops",
    "answer": "these 'attributes', [name, value] pairs, as they are",
    "fault": "result 'word' with 'text', and 'retry-after'",
    "delay": "wait 'seconds', then answer well",
    "silent": "never answer; ends when the client closes",
    "close": "close without an answer",
    "half": "half of a good answer, then close",
    "garbage": "'bytes' (hex) in place of an answer",
    "oversize": "an answer of 'size' bytes, 200000 if not said",
    "wrong-first": "a good answer whose first attribute is another",
    "repeated": "a good answer with the attribute 'name' twice",
    "dribble": "a good answer byte by byte",
    "token": "a good answer with this 'token', grammar or not",
}


@dataclass
class Asked:
    """One connection: what it asked and who it was."""
    raw: bytes
    attributes: list = field(default_factory=list)
    bad: str = ""               # what broke the grammar
    pid: int = 0
    uid: int = 0
    gid: int = 0
    answer: bytes = b""         # bytes sent
    client_closed: bool = False  # before it was answered
    done: bool = False
    at: float = field(default_factory=time.monotonic)

    def get(self, name):
        """The value of an attribute, or None."""
        return dict(self.attributes).get(name)

    @property
    def verb(self):
        """The verb, or None."""
        return self.get("verb")


def parse_list(raw):
    """Split one attribute list to pairs; ValueError says what is wrong."""
    if len(raw) > LIST_MAX:
        raise ValueError("list too long")
    if not raw.endswith(b"\n\n"):
        raise ValueError("no empty line at the end")
    lines = raw[:-2].split(b"\n")
    if len(lines) > LINES_MAX:
        raise ValueError("too many lines")
    pairs = []
    for line in lines:
        name, sign, value = line.partition(b"=")
        if len(line) > LINE_MAX or not sign or not NAME.fullmatch(name):
            raise ValueError("line is not name=value")
        if b"\0" in value or b"\r" in value:
            raise ValueError("NUL or CR in a value")
        pairs.append((name.decode(), value.decode("utf-8", "replace")))
    if pairs[0] != ("mailtoken", "1"):
        raise ValueError("first attribute is not mailtoken=1")
    if len(pairs) < 2 or pairs[1][0] != "verb":
        raise ValueError("no verb")
    once = [name for name, _ in pairs if name not in LISTS]
    if len(set(once)) != len(once):
        raise ValueError("repeated name")
    return pairs


def join_list(pairs):
    """The bytes of an attribute list; checks nothing."""
    return "".join(f"{n}={v}\n" for n, v in pairs).encode(
        "utf-8", "surrogateescape") + b"\n"


def _unread(sock):
    """How many bytes the peer has still to read."""
    raw = fcntl.ioctl(sock, termios.TIOCOUTQ, struct.pack("i", 0))
    return struct.unpack("i", raw)[0]


class ScriptedHelper:
    """The stand-in.

    token, login (None: the account) and life_s are what a good answer
    has.  add() queues steps; without one it answers well."""

    def __init__(self, path, token="test-token", login=None, life_s=3600):
        self.path = str(path)
        self.token = token
        self.login = login
        self.life_s = life_s
        self.requests = Journal()
        self._steps = []
        self._lock = threading.Lock()
        self._serial = 0
        self._stopping = threading.Event()
        self._sock = None
        self._open = set()

    def start(self):
        """Bind and listen; any uid may connect.  Returns self."""
        self._stopping.clear()
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        if os.path.exists(self.path):
            os.unlink(self.path)
        self._sock.bind(self.path)
        os.chmod(self.path, 0o666)
        self._sock.listen(128)
        threading.Thread(target=self._accept, args=(self._sock,),
                         daemon=True).start()
        return self

    def stop(self):
        """Close everything and remove the socket."""
        if self._sock is None:
            return
        self._stopping.set()
        with self._lock:
            left = [self._sock, *self._open]
        for sock in left:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass    # closed meanwhile
        self._sock.close()
        self._sock = None
        if os.path.exists(self.path):
            os.unlink(self.path)

    def __enter__(self):
        return self if self._sock else self.start()

    def __exit__(self, *_exc):
        self.stop()

    def add(self, kind, times=1, verb=None, **details):
        """Queue a step (see STEPS) for the next `times` requests.

        times=None keeps it; verb limits it to requests with this verb.
        Names with a dash are written with an underscore here."""
        details = {k.replace("_", "-"): v for k, v in details.items()}
        if kind not in STEPS:
            raise ValueError(f"no step {kind}")
        if kind == "fault" and details.get("word") not in FAULT_WORDS:
            raise ValueError("no such fault word")
        with self._lock:
            self._steps.append({"kind": kind, "times": times, "verb": verb,
                                **details})

    def clear(self):
        """Forget queued steps."""
        with self._lock:
            self._steps.clear()

    def wait_request(self, n=1, deadline=bed.DEADLINE_S, verb=None):
        """Wait until the first n requests (with this verb) are finished;
        returns all that are, in the order in which they came."""
        def finished():
            found = self.requests.matching(
                lambda r: verb is None or r.verb == verb)
            return len(found) >= n and all(r.done for r in found[:n]) and [
                r for r in found if r.done]
        return bed.wait_for(finished, deadline, f"{n} finished requests")

    def _accept(self, listener):
        while not self._stopping.is_set():
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,),
                             daemon=True).start()

    def _serve(self, sock):
        with self._lock:
            self._open.add(sock)
        asked = None
        try:
            sock.settimeout(60)
            creds = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED,
                                    struct.calcsize("3i"))
            asked = Asked(self._read(sock))
            asked.pid, asked.uid, asked.gid = struct.unpack("3i", creds)
            self._understand(asked)
            self.requests.add(asked)
            self._act(sock, asked)
        except OSError:
            if asked is not None:
                asked.client_closed = True
        finally:
            with self._lock:
                self._open.discard(sock)
            sock.close()
            if asked is not None:
                asked.done = True
                self.requests.touch()

    @staticmethod
    def _read(sock):
        raw = b""
        while b"\n\n" not in raw and len(raw) <= LIST_MAX:
            more = sock.recv(65536)
            if not more:
                break
            raw += more
        return raw

    @staticmethod
    def _understand(asked):
        try:
            end = asked.raw.find(b"\n\n") + 2
            if 2 <= end < len(asked.raw):
                raise ValueError("bytes after the empty line")
            asked.attributes = parse_list(asked.raw)
        except ValueError as error:
            asked.bad = str(error)

    def _step(self, verb):
        with self._lock:
            for step in self._steps:
                if step["verb"] not in (None, verb):
                    continue
                if step["times"] is not None:
                    step["times"] -= 1
                    if step["times"] <= 0:
                        self._steps.remove(step)
                return step
        return {"kind": "ok"}

    def _good(self, asked):
        """A good answer to the request, as pairs."""
        pairs = [("mailtoken", "1"), ("result", "ok")]
        if asked.verb == "token":
            with self._lock:
                self._serial += 1
                serial = self._serial
            pairs += [("login", self.login or asked.get("account") or ""),
                      ("token", self.token),
                      ("expires", str(int(time.time()) + self.life_s)),
                      ("serial", str(serial))]
        return pairs

    def _act(self, sock, asked):
        if asked.bad and asked.raw == b"":
            asked.client_closed = True
            return
        step = self._step(asked.verb)
        kind = step["kind"]
        if kind == "silent":
            asked.client_closed = self._watch(sock, None)
        elif kind == "delay" and self._watch(sock, step["seconds"]):
            asked.client_closed = True
        elif kind == "dribble":
            self._dribble(sock, asked, join_list(self._good(asked)))
        elif kind != "close":
            asked.answer = self._reply(step, asked)
            sock.sendall(asked.answer)

    def _watch(self, sock, seconds):
        """Wait; True if the client closed or the stand-in stops."""
        sock.settimeout(seconds)
        try:
            while sock.recv(4096):
                continue    # nobody has a reason to say more
            return True
        except TimeoutError:
            return False
        finally:
            sock.settimeout(60)

    @staticmethod
    def _dribble(sock, asked, raw):
        pause = threading.Event()
        for i in range(len(raw)):
            sock.send(raw[i:i + 1])
            asked.answer += raw[i:i + 1]
            # Until the client has read it, or else it would see more.
            for _ in range(100000):
                if not _unread(sock):
                    break
                pause.wait(0.0002)

    def _reply(self, step, asked):
        """The bytes a step sends."""
        kind = step["kind"]
        if asked.bad and kind == "ok":
            return join_list([("mailtoken", "1"), ("result", "bad-request"),
                              ("text", "Bad request: " + asked.bad)])
        if kind == "answer":
            return join_list(step["attributes"])
        if kind == "garbage":
            return bytes.fromhex(step.get("bytes", "00ff0a80fe0a0a"))
        if kind == "fault":
            return self._fault(step)
        pairs = self._good(asked)
        if kind == "ok":
            changes = step.get("changes", {})
            pairs = [(n, changes.get(n, v)) for n, v in pairs]
            pairs += [(n, v) for n, v in changes.items()
                      if n not in dict(pairs)]
            pairs = [(n, v) for n, v in pairs if v is not None]
        elif kind == "token":
            pairs = [(n, step["token"] if n == "token" else v)
                     for n, v in pairs]
        elif kind == "wrong-first":
            pairs[0] = ("mailtoken", "2")
        elif kind == "repeated":
            name = step.get("name", "login")
            pairs += [(n, v) for n, v in pairs if n == name]
        elif kind == "oversize":
            size = step.get("size", 200000)
            pairs.append(("padding", "x" * max(0, size - 9 - len(
                join_list(pairs)))))
        raw = join_list(pairs)
        return raw[:len(raw) // 2] if kind == "half" else raw

    @staticmethod
    def _fault(step):
        pairs = [("mailtoken", "1"), ("result", step["word"]),
                 ("text", step.get("text", "As the script wants."))]
        if "retry-after" in step:
            pairs.append(("retry-after", step["retry-after"]))
        return join_list(pairs)


def main(argv=None):
    """Run until SIGTERM; prints one JSON line for each request."""
    parser = argparse.ArgumentParser(
        prog="scripted_helper", description="a stand-in for mailtokend",
        epilog="steps: " + "; ".join(f"{k}: {v}" for k, v in STEPS.items()))
    parser.add_argument("--socket", metavar="PATH", required=True)
    parser.add_argument("--script", metavar="JSON", default="[]",
                        help='steps, as in \'[{"kind":"fault",'
                        '"word":"busy"}]\', or @FILE')
    parser.add_argument("--token", default="test-token")
    parser.add_argument("--login")
    parser.add_argument("--ready-file", metavar="FILE",
                        help="made when the socket listens")
    parser.add_argument("--parent", type=int, metavar="PID",
                        help="end when this process or a piped stdin is gone")
    options = parser.parse_args(argv)
    text = options.script
    if text.startswith("@"):
        with open(text[1:]) as source:
            text = source.read()
    bed.block_ends()
    helper = ScriptedHelper(options.socket, options.token, options.login)
    for step in json.loads(text):
        helper.add(**{k.replace("-", "_"): v for k, v in step.items()})
    helper.requests.on_add = lambda r: print(json.dumps(
        {"attributes": r.attributes, "bad": r.bad, "pid": r.pid,
         "uid": r.uid, "gid": r.gid}), flush=True)
    helper.start()
    if options.ready_file:
        bed.write_file(options.ready_file, "ready\n")
    bed.wait_for_end(options.parent)
    helper.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
