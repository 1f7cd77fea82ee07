# SPDX-License-Identifier: BSD-2-Clause
"""The AUTH command of the test smarthost.

Owns: reading XOAUTH2 and OAUTHBEARER messages to the letter, asking
whose the token is, the challenge and the answer it wants.  Sources:
Google's XOAUTH2 page, RFC 7628 3.1 and 3.2, RFC 4954 4.
"""

import base64
import binascii
import json
import re
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass

from bed import DEADLINE_S

XOAUTH2 = re.compile(rb"user=([^\001]+)\001auth=Bearer ([\x21-\x7e]+)"
                     rb"\001\001", re.DOTALL)
BEARER = re.compile(rb"Bearer ([\x21-\x7e]+)")
AUTHZID = re.compile(r"(?:[^,=\0]|=2C|=3D)+")


@dataclass
class Exchange:
    """One AUTH command, as it went."""
    mechanism: str
    initial: bool = False       # the message came on the AUTH line
    message: bytes = b""        # decoded
    user: str | None = None
    token: str | None = None
    challenge: bytes | None = None
    answer: bytes | None = None  # to the challenge, as it came
    reply: str = ""             # the last line sent
    why: str = ""               # of a refusal
    ok: bool = False


class Introspection:
    """check for Smarthost: asks an RFC 7662 endpoint."""

    def __init__(self, url, client_id, client_secret, ca_file):
        self._url = url
        pair = ":".join(urllib.parse.quote(x, safe="")
                        for x in (client_id, client_secret))
        self._basic = base64.b64encode(pair.encode()).decode()
        self._context = ssl.create_default_context(cafile=ca_file)

    def __call__(self, token):
        body = urllib.parse.urlencode({"token": token}).encode()
        request = urllib.request.Request(self._url, body, {
            "Authorization": "Basic " + self._basic,
            "Content-Type": "application/x-www-form-urlencoded"})
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPSHandler(context=self._context))
        try:
            with opener.open(request, timeout=DEADLINE_S) as answer:
                return json.load(answer)
        except ValueError as error:
            raise OSError("introspection answered no JSON") from error


class Malformed(Exception):
    """The client's message breaks the grammar."""


class TooLong(Exception):
    """The client's line is no line that a server has to take."""


def read_xoauth2(message):
    """User and token of an XOAUTH2 message."""
    match = XOAUTH2.fullmatch(message)
    if not match:
        raise Malformed("not user=U^Aauth=Bearer T^A^A")
    return _utf8(match[1]), match[2].decode("ascii")


def read_oauthbearer(message, hosts, port):
    """User and token of an OAUTHBEARER message (RFC 7628 3.1)."""
    header, mark, rest = message.partition(b"\001")
    parts = _utf8(header).split(",")
    if not mark or len(parts) != 3 or parts[0] != "n" or parts[2]:
        raise Malformed("GS2 header is not n,[a=authzid],")
    user = None
    if parts[1]:
        name = parts[1][2:]
        if parts[1][:2] != "a=" or not AUTHZID.fullmatch(name):
            raise Malformed("bad authzid")
        user = name.replace("=2C", ",").replace("=3D", "=")
    if not rest.endswith(b"\001\001"):
        raise Malformed("no ^A^A at the end")
    pairs = {}
    for pair in rest[:-2].split(b"\001"):
        name, sign, value = pair.partition(b"=")
        if not sign or not re.fullmatch(rb"[A-Za-z]+", name):
            raise Malformed("not key=value")
        if name in pairs:
            raise Malformed("a key twice")
        pairs[name] = value
    if b"host" in pairs and _utf8(pairs[b"host"]) not in hosts:
        raise Malformed("host is not the one dialled")
    if b"port" in pairs and pairs[b"port"] != str(port).encode():
        raise Malformed("port is not the one dialled")
    match = BEARER.fullmatch(pairs.get(b"auth", b""))
    if not match:
        raise Malformed("no auth=Bearer T")
    return user, match[1].decode("ascii")


def _utf8(raw):
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed("not UTF-8")


def _unbase64(line):
    """Decode one line, canonical base64 only."""
    try:
        raw = base64.b64decode(line, validate=True)
    except binascii.Error:
        raise Malformed("not base64")
    if base64.b64encode(raw) != line:
        raise Malformed("not canonical base64")
    return raw


class Verifier:
    """One AUTH exchange of a session; user is set when it went well."""

    def __init__(self, host, session):
        self._host = host
        self._session = session
        self._seen = None
        self.user = None

    def run(self, rest):
        """Do the exchange; rest is what followed AUTH."""
        mechanism, _, blob = rest.partition(" ")
        mechanism = mechanism.upper()
        self._seen = Exchange(mechanism, initial=bool(blob))
        try:
            self._talk(mechanism, blob)
        except Malformed as error:
            self._end("501 5.5.2 Malformed: " + str(error), str(error))
        except TooLong:
            self._end("500 5.5.6 Line too long or without CRLF",
                      "line too long or without CRLF")
        finally:
            self._host.exchanges.add(self._seen)

    def _end(self, reply, why=""):
        self._seen.reply, self._seen.why = reply.splitlines()[-1], why
        self._session.reply(*reply.splitlines())

    def _read(self):
        line = self._session.read_line(self._host.auth_line_max)
        if line is None:
            raise TooLong
        return line

    def _talk(self, mechanism, blob):
        if mechanism not in self._host.mechanisms:
            self._end("504 5.7.4 Unrecognized authentication type",
                      "mechanism not offered")
            return
        line = blob.encode("ascii", "replace")
        if not blob:
            self._session.reply("334 ")
            line = self._read()
        if line == b"*":
            self._end("501 5.7.0 Authentication cancelled", "cancelled")
            return
        message = b"" if line == b"=" else _unbase64(line)
        self._seen.message = message
        if mechanism == "PLAIN":
            self._judge_password(message)
            return
        if mechanism == "XOAUTH2":
            user, token = read_xoauth2(message)
        else:
            user, token = read_oauthbearer(message, self._host.hosts,
                                           self._host.port)
        self._seen.user, self._seen.token = user, token
        self._judge(mechanism, user, token)

    def _judge_password(self, message):
        """PLAIN (RFC 4616); empty where another one is named."""
        parts = _utf8(message).split("\0")
        if len(parts) != 3 or parts[0]:
            raise Malformed("not NUL user NUL password")
        self._seen.user = parts[1]
        if self._host.passwords.get(parts[1]) == parts[2]:
            self.user, self._seen.ok = parts[1], True
            self._end("235 2.7.0 Authentication successful")
        else:
            self._end("535 5.7.8 Wrong password", "wrong password")

    def _judge(self, mechanism, user, token):
        try:
            about = self._host.check(token) or {}
        except OSError:
            self._end("454 4.7.0 Temporary authentication failure",
                      "cannot ask about tokens")
            return
        why = self._fault_of(user, about)
        if why:
            self._refuse(mechanism, why)
        elif self._host.refusals:
            self._end(self._host.refusals.pop(0), "as told to")
        elif about.get("exp", time.time() + 1e9) - time.time() < (
                self._host.min_life_s):
            self._end("501 5.5.127 Invalid XOAUTH2 auth data - Token will "
                      "expire soon", "too little life left")
        else:
            self.user = user or about.get("username") or ""
            self._seen.ok = True
            self._end("235 2.7.0 Authentication successful")

    def _fault_of(self, user, about):
        if self._host.refuse_all:
            return "as told to"
        if about.get("active") is not True:
            return "token not active"
        if about.get("app_only"):
            return "" if user else "no user named"
        owner = about.get("username") or ""
        if user is not None and user.lower() != owner.lower():
            return "token of another user"
        return ""

    def _refuse(self, mechanism, why):
        if self._host.style == "office":
            self._end("535 5.7.3 Authentication unsuccessful [localhost]",
                      why)
            return
        challenge = self._host.challenge
        if challenge is None:
            challenge = self._usual_challenge(mechanism)
        self._seen.challenge = challenge
        self._session.reply("334 " + base64.b64encode(challenge).decode())
        answer = self._seen.answer = self._read()
        wanted = b"" if mechanism == "XOAUTH2" else b"AQ=="
        if answer == b"*":
            self._end("501 5.7.0 Authentication cancelled", why)
        elif answer != wanted:
            self._end("501 5.5.2 Wrong answer to the challenge",
                      "wrong answer to the challenge")
        else:
            self._end("535-5.7.8 Username and Password not accepted.\n"
                      "535 5.7.8 https://localhost/BadCredentials", why)

    @staticmethod
    def _usual_challenge(mechanism):
        if mechanism == "XOAUTH2":
            data = {"status": "400", "schemes": "Bearer",
                    "scope": "https://mail.google.com/"}
        else:
            data = {"status": "invalid_token",
                    "scope": "https://mail.google.com/"}
        return json.dumps(data, separators=(",", ":")).encode()
