# SPDX-License-Identifier: BSD-2-Clause
"""A helper that keeps the contract, or breaks it in one planted way.

Owns: two accounts that are signed in, every verb but the sign-in itself,
and FAULTS.  Bases on the scripted helper for its connections only.
As a script: python3 contract_standin.py --socket PATH [--fault NAME];
it prints a line when it listens and ends with its stdin.
"""

import argparse
import base64
import os
import re
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))

from scripted_helper import ScriptedHelper              # noqa: E402

# What each planted fault does wrong.
FAULTS = {
    "wrong-first": "answers with another version as its first attribute",
    "no-first": "answers without the first attribute",
    "repeated": "says an attribute of the answer twice",
    "late": "answers tokens after all patience",
    "silence": "answers tokens never",
    "hang-up": "closes in place of refusing",
    "half": "closes after half of the answer",
    "no-end": "leaves out the empty line",
    "cr": "has a CR in a value",
    "nul": "has a NUL in a value",
    "upper-name": "answers with an upper-case name",
    "no-result": "leaves out result",
    "unknown-word": "has a result that is in no page",
    "no-text": "refuses without text",
    "stays-open": "does not close after the answer",
    "long-line": "answers with a line that is too long",
    "oversize": "answers with a list that is too long",
    "many-lines": "answers with too many attributes",
    "after-end": "sends more after the list with result",
    "foreign-token": "gives the other account's token",
    "blank-in-token": "gives a token with a blank",
    "empty-token": "gives an empty token",
    "expired": "gives a token that has expired",
    "no-serial": "gives a token without serial",
    "restless-serial": "names the same token differently each time",
    "any-server": "gives tokens for every server",
    "case": "takes the case of an account for part of its name",
    "served-again": "serves a rejected token again",
    "any-serial": "takes every serial for the current one",
    "token-in-text": "shows a token where it refuses",
    "token-in-status": "shows a token in status",
    "status-no-end": "ends status without a result",
    "status-result": "has a result in every list of status",
    "state-word": "has a state that is in no page",
    "watch-ends": "closes a watch at once",
    "two-requests": "answers two requests on a connection",
    "repeats-allowed": "takes a request with a repeated name",
    "lists-refused": "refuses repeated names that are lists",
    "any-version": "takes a request of another version",
    "any-first": "takes a request whose first attribute is another",
    "any-name": "takes names in upper case",
    "cr-allowed": "takes a CR in a value",
    "unknown-refused": "refuses names that it does not know",
    "line-short": "refuses a line of 65,536 bytes",
    "line-longer": "takes a line of 65,537 bytes",
    "list-short": "refuses a list of 131,072 bytes",
    "list-longer": "takes a list of 131,073 bytes",
    "one-read": "takes what the first read brings for all",
    "needs-end": "answers only when the client says no more",
    "no-half-close": "hangs up on a client that says no more",
    "patient": "waits for a slow client for ever",
    "one-by-one": "serves no other client while one is silent",
    "any-account": "takes bytes that are no UTF-8 for an account",
    "short-account": "refuses an account of 254 bytes",
    "any-number": "takes every min-validity",
    "bare-record": "exports a record that names no account",
    "foreign-record": "exports the other account's record",
    "any-record": "takes every import for good",
    "replaces": "imports over what is there, unasked",
    "exports-all": "exports for strangers",
    "stranger": "serves strangers",
    "tells-apart": "tells strangers which accounts exist",
    "shows-pid": "shows its pid to strangers",
    "names-counted": "names accounts among its metrics, for strangers",
    "fewer-checks": "leaves the first check of a probe out",
    "bare-sample": "has a sample that is none of its family's",
}

LISTS = ("sealed", "changed", "needs-restart", "warning", "sample")
KNOWN = ("mailtoken", "verb", "account", "server", "service", "mechanism",
         "min-validity", "serial", "challenge", "provider", "flow",
         "servers", "as-delegate", "revoke", "due", "answer", "replace",
         "accounts")
NAME = b"abcdefghijklmnopqrstuvwxyz0123456789-"
ACCOUNTS = ("alice@example.org", "bob@example.org")
SERVER = "localhost"


class Refused(Exception):
    """The request is answered with this word and text."""

    def __init__(self, word, text):
        super().__init__(text)
        self.word = word


def bad(text):
    """What breaks the page."""
    return Refused("bad-request", text)


class Standin(ScriptedHelper):
    """The stand-in; fault: one of FAULTS, or None."""

    def __init__(self, path, fault=None):
        super().__init__(path)
        self.fault = fault
        self.turn = {name: 1 for name in ACCOUNTS}
        self.served = 0
        self.life_end = int(time.time()) + 3600

    def has(self, fault):
        """Whether this fault is planted."""
        return self.fault == fault

    # -- the request ------------------------------------------------------

    def _read(self, sock):
        raw, end = b"", time.monotonic() + 2
        while b"\n\n" not in raw and raw != b"\n":
            left = end - time.monotonic()
            if self.has("patient"):
                left = 3600
            if left <= 0 or len(raw) > 131073:
                break
            sock.settimeout(left)
            try:
                more = sock.recv(65536)
            except TimeoutError:
                break
            if not more:
                break
            raw += more
            if self.has("one-read"):
                break
        if self.has("needs-end"):
            while sock.recv(65536):
                continue
        if self.has("no-half-close"):
            sock.settimeout(0.05)
            try:
                if sock.recv(1) == b"":
                    raise OSError
            except TimeoutError:
                pass
        sock.settimeout(60)
        return raw

    def _understand(self, asked):
        try:
            asked.attributes = self._parse(asked.raw)
        except Refused as refusal:
            asked.bad = str(refusal)

    def _check_line(self, line):
        name, sign, value = line.partition(b"=")
        limit = 65536 + self.has("line-longer") - self.has("line-short")
        alphabet = NAME + (NAME.upper() if self.has("any-name") else b"")
        if len(line) > limit or sign != b"=":
            raise bad("a line is too long or without '='")
        if not 1 <= len(name) <= 32 or not set(name) <= set(alphabet):
            raise bad("a name is not one")
        if b"\0" in value or (b"\r" in value and not self.has("cr-allowed")):
            raise bad("NUL or CR in a value")
        return name.decode(), value

    def _parse(self, raw):
        end = raw.find(b"\n\n")
        limit = 131072 + self.has("list-longer") - self.has("list-short")
        if end < 0 or end + 2 > limit:
            raise bad("it does not end, or too late")
        lines = raw[:end].split(b"\n")
        if len(lines) > 64:
            raise bad("too many attributes")
        pairs = [self._check_line(line) for line in lines]
        name, version = pairs[0]
        if name != "mailtoken" and not self.has("any-first"):
            raise bad("the first attribute is another")
        if name == "mailtoken" and version != b"1" and not self.has(
                "any-version"):
            raise bad("another version")
        lists = () if self.has("lists-refused") else LISTS
        once = [n for n, _ in pairs if n not in lists]
        if len(set(once)) != len(once) and not self.has("repeats-allowed"):
            raise bad("a name stands twice")
        if self.has("unknown-refused") and not set(once) <= set(KNOWN):
            raise bad("an unknown name")
        return pairs

    # -- the answer -------------------------------------------------------

    def _act(self, sock, asked):
        if asked.raw == b"" and self.has("one-by-one"):
            return
        attributes = dict(asked.attributes)
        verb = attributes.get("verb", b"").decode("ascii", "replace")
        if verb in self._slow():
            self._watch(sock, None)
            return
        refused = None
        try:
            if asked.bad:
                raise bad(asked.bad)
            records, last = self._answer(verb, attributes, asked)
        except Refused as refusal:
            refused = refusal
            if self.has("hang-up"):
                return
            text = str(refusal)
            if self.has("token-in-text"):
                text += " " + self._token(ACCOUNTS[0])
            records, last = [], [("result", refusal.word), ("text", text)]
            if self.has("no-text"):
                last = last[:1]
        if last is None:
            sock.sendall(self._join([("event", "watching")]))
            if not self.has("watch-ends"):
                self._watch(sock, None)
            return
        self._send(sock, records, last, refused)
        if self.has("stays-open"):
            self._watch(sock, None)
        elif self.has("two-requests") and not asked.bad:
            rest = asked.raw[asked.raw.index(b"\n\n") + 2:]
            again = type(asked)(rest or self._read(sock))
            if again.raw:
                self._understand(again)
                self._act(sock, again)

    def _slow(self):
        return ("token",) if self.has("silence") or self.has("late") else ()

    def _join(self, pairs):
        first = ("mailtoken", "2" if self.has("wrong-first") else "1")
        pairs = pairs if self.has("no-first") else [first, *pairs]
        return "".join(f"{n}={v}\n" for n, v in pairs).encode() + b"\n"

    def _send(self, sock, records, last, refused):
        if refused is None:
            last = last + {
                "repeated": [last[0]],
                "cr": [("note", "a\rb")],
                "nul": [("note", "a\0b")],
                "upper-name": [("Note", "x")],
                "long-line": [("note", "x" * 65532)],
                "oversize": [("note", "x" * 65530), ("note2", "x" * 65530)],
                "many-lines": [(f"n{i}", "x") for i in range(64)],
            }.get(self.fault, [])
        if self.has("no-result"):
            last = [p for p in last if p[0] != "result"]
        if self.has("unknown-word"):
            last = [(n, "fine" if n == "result" else v) for n, v in last]
        raw = b"".join(map(self._join, records)) + self._join(last)
        if self.has("status-no-end") and records:
            raw = b"".join(map(self._join, records))
        if self.has("half"):
            raw = raw[:len(raw) // 2]
        if self.has("no-end"):
            raw = raw[:-1]
        if self.has("after-end"):
            raw += self._join([("note", "x")])
        sock.sendall(raw)

    def _token(self, name):
        return f"token-{name}-{self.turn[name]}"

    def _account(self, attributes):
        if "account" not in attributes:
            raise bad("no account")
        raw = attributes["account"]
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            if self.has("any-account"):
                return "?"
            raise bad("the account is no UTF-8") from None
        limit = 253 if self.has("short-account") else 254
        if not 1 <= len(raw) <= limit or any(
                ord(c) < 32 or 127 <= ord(c) < 160 for c in text):
            raise bad("an account is 1 to 254 bytes")
        return text if self.has("case") else text.lower()

    def _answer(self, verb, attributes, asked):
        """Records and the last list, None for an open end; or Refused."""
        own = asked.uid in (0, os.geteuid()) or self.has("stranger")
        if verb == "version":
            more = [("pid", str(os.getpid()))] if own or self.has(
                "shows-pid") else []
            return [], [("result", "ok"), ("version", "1"),
                        ("protocol", "1"), *more]
        if verb == "metrics":
            return self._count(attributes, own)
        if verb in ("watch", "status"):
            return self._see(verb, attributes, own)
        if verb in ("token", "rejected"):
            return self._use(verb, attributes, own)
        if verb in ("refresh", "forget", "sign-in", "reload", "import",
                    "export", "rekey", "probe"):
            if not own and not (verb == "export" and self.has(
                    "exports-all")):
                raise Refused("denied", "Admins only.")
            return self._manage(verb, attributes)
        raise bad("no such verb")

    def _count(self, attributes, own):
        named = attributes.get("accounts") == b"yes"
        if named and not own and not self.has("names-counted"):
            raise Refused("denied", "Admins only.")
        family = "other" if self.has("bare-sample") else "mailtoken_accounts"
        label = f'{{account="{ACCOUNTS[0]}"}}' if named else ""
        return [[("metric", "mailtoken_accounts"), ("type", "gauge"),
                 ("help", "Accounts."), ("sample", f"{family}{label} 2")]], [
                     ("result", "ok")]

    def _unknown(self, name, own=True):
        text = "No such account."
        if not own and name in ACCOUNTS and self.has("tells-apart"):
            text = "Not yours."
        return Refused("unknown-account", text)

    def _see(self, verb, attributes, own):
        names = ACCOUNTS if own else ()
        if "account" in attributes:
            name = self._account(attributes)
            if name not in names:
                raise self._unknown(name, own)
            names = (name,)
        if verb == "watch":
            return [], None
        records = []
        for name in names:
            record = [("account", name), ("provider", "test"),
                      ("state", "fine" if self.has("state-word")
                       else "active"), ("unsaved", "no")]
            if self.has("token-in-status"):
                record.append(("text", self._token(name)))
            if self.has("status-result"):
                record.append(("result", "ok"))
            records.append(record)
        return records, [("result", "ok")]

    def _use(self, verb, attributes, own):
        name = self._account(attributes)
        serial = attributes.get("serial", b"").decode()
        if verb == "rejected" and not serial:
            raise bad("no serial")
        span = attributes.get("min-validity", b"0").decode()
        if not self.has("any-number") and (
                not span.isdecimal() or not span.isascii()
                or int(span) > 86400):
            raise bad("min-validity is no span")
        if name not in ACCOUNTS or not own:
            raise self._unknown(name, own)
        if verb == "rejected":
            if serial == self._serial_of(name) or self.has("any-serial"):
                self.turn[name] += not self.has("served-again")
            return [], [("result", "ok")]
        server = attributes.get("server", SERVER.encode()).decode()
        if server != SERVER and not self.has("any-server"):
            raise Refused("wrong-server", "Not a server of the provider.")
        return [], self._good_token(name)

    def _serial_of(self, name):
        number = 16 * self.turn[name] + ACCOUNTS.index(name)
        if self.has("restless-serial"):
            self.served += 1
            number += 256 * self.served
        return f"{number:08x}"

    def _good_token(self, name):
        token = self._token(ACCOUNTS[1] if self.has("foreign-token")
                            else name)
        if self.has("blank-in-token"):
            token += " x"
        if self.has("empty-token"):
            token = ""
        expires = self.life_end - 7200 * self.has("expired")
        pairs = [("result", "ok"), ("login", name), ("token", token),
                 ("expires", str(expires))]
        if not self.has("no-serial"):
            pairs.append(("serial", self._serial_of(name)))
        return pairs

    def _manage(self, verb, attributes):
        if verb == "reload":
            return [], [("result", "ok")]
        if verb == "probe":
            checks = ["dns", "connect", "tls", "clock", "client"]
            return [[("check", check), ("outcome", "ok"),
                     ("server", "login.example.org"), ("text", "Well.")]
                    for check in checks[self.has("fewer-checks"):]], [
                        ("result", "ok")]
        if verb == "refresh":
            due = attributes.get("due", b"no")
            if due not in (b"yes", b"no") or (
                    due == b"yes") == ("account" in attributes):
                raise bad("an account, or due=yes")
            if due == b"yes":
                return [[("account", ACCOUNTS[0]), ("outcome", "ok")]], [
                    ("result", "ok")]
        if verb == "export" and "account" not in attributes:
            return [[("account", name)] for name in ACCOUNTS], [
                ("result", "ok")]
        if verb == "import":
            return self._import(attributes)
        if attributes.get("revoke", b"no") not in (b"yes", b"no"):
            raise bad("revoke is yes or no")
        name = self._account(attributes)
        if name not in ACCOUNTS:
            raise self._unknown(name)
        if verb == "export":
            return [self._record(name)], [("result", "ok")]
        return [], [("result", "ok"), ("account", name),
                    ("expires", str(self.life_end))]

    def _record(self, name):
        if self.has("bare-record"):
            return [("provider", "test")]
        other = ACCOUNTS[name == ACCOUNTS[0]]
        whose = other if self.has("foreign-record") else name
        return [("account", whose), ("provider", "test")]

    def _import(self, attributes):
        if self.has("any-record"):
            return [], [("result", "ok")]
        if "account" not in attributes or "provider" not in attributes:
            raise bad("that is no record")
        if attributes.get("replace", b"no") not in (b"yes", b"no"):
            raise bad("replace is yes or no")
        name = self._account(attributes)
        if attributes.get("replace") != b"yes" and not self.has("replaces"):
            raise bad("it is there already")
        self.turn[name] += 1
        return [[("account", name), ("provider", "test")]], [
            ("result", "ok")]

    def _accept(self, listener):
        if not self.has("one-by-one"):
            super()._accept(listener)
            return
        while not self._stopping.is_set():
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            self._serve(sock)


class OneByOne(Standin):
    """For the fault of that name: a silent client stops the others."""

    def _read(self, sock):
        sock.settimeout(3600)
        raw = b""
        while b"\n\n" not in raw and raw != b"\n" and len(raw) <= 131073:
            more = sock.recv(65536)
            if not more:
                break
            raw += more
        return raw


def main():
    """Serve until stdin ends."""
    parser = argparse.ArgumentParser(prog="contract_standin")
    parser.add_argument("--socket", metavar="PATH", required=True)
    parser.add_argument("--fault", choices=FAULTS, metavar="NAME")
    options = parser.parse_args()
    kind = OneByOne if options.fault == "one-by-one" else Standin
    with kind(options.socket, options.fault):
        print("ready", flush=True)
        sys.stdin.read()
    return 0


if __name__ == "__main__":
    sys.exit(main())
