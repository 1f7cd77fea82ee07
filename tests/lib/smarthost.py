# SPDX-License-Identifier: BSD-2-Clause
"""A strict SMTP submission server for tests, class Smarthost.

Owns: EHLO, STARTTLS, AUTH (XOAUTH2 as Google describes it, OAUTHBEARER
of RFC 7628, framing of RFC 4954), MAIL, RCPT, DATA.  Relays nothing:
messages stay in memory or in a maildir.  Nothing is taken before TLS
and a good AUTH.  The messages of both mechanisms are read in
smarthost_auth.py.  As a script: python3 -m smarthost --help.
"""

import argparse
import os
import socket
import socketserver
import ssl
import sys
import threading
from dataclasses import dataclass

import bed
import ca
from bed import Journal
from smarthost_auth import Introspection, Verifier

COMMAND_MAX = 512
DATA_LINE_MAX = 1 << 20
SKIP_MAX = 16 << 20


@dataclass
class Message:
    """One message that was taken."""
    user: str
    sender: str
    recipients: list
    data: bytes


class Smarthost:
    """The server, in this process.

    check(token) returns an introspection answer (a dict with "active",
    "username", "exp"), or raises OSError when it cannot tell.  Public
    attributes may be changed while it runs:
    mechanisms  what EHLO offers
    style       "google" (challenge first) or "office" (straight 535)
    challenge   bytes of the challenge, None for the usual one
    refusals    replies for the next good tokens, as in "535 5.7.139 no"
    refuse_all  True: every token is bad
    min_life_s  a token with less left is refused, as HVE does
    own_sender  True: the sender has to be the user
    auth_line_max  bytes of a line in AUTH, CRLF included
    hosts       names a client may say it dialled
    passwords   by user, for PLAIN where mechanisms has it"""

    def __init__(self, check, directory=None, names=(), maildir=None,
                 style="google",
                 mechanisms=("XOAUTH2", "OAUTHBEARER")):
        if directory is None:
            directory = bed.scratch(self, "smtp-")
        self.authority = ca.Authority(directory)
        self.ca_file = self.authority.ca_file
        self.names = tuple(names)
        self.hosts = {"localhost", "127.0.0.1", "::1", *names}
        self.check = check
        self.maildir = maildir
        self.mechanisms = tuple(mechanisms)
        self.style = style
        self.challenge = None
        self.refusals = []
        self.refuse_all = False
        self.passwords = {}
        self.min_life_s = 0
        self.own_sender = False
        self.auth_line_max = 12288
        self.exchanges = Journal()
        self.messages = Journal()
        self.commands = Journal()
        self.context = None
        self.implicit = False
        self.port = 0
        self._listener = None
        self._stored = 0
        self._lock = threading.Lock()

    def start(self, port=0, implicit=False, address="127.0.0.1"):
        """Listen; implicit: TLS from the first byte.  Returns self."""
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*self.authority.server(self.names))
        self.implicit = implicit
        self._listener = _Listener(self, address, port)
        self.port = self._listener.server_address[1]
        threading.Thread(target=self._listener.serve_forever, args=(0.02,),
                         daemon=True).start()
        return self

    def stop(self):
        """Stop listening and end all sessions."""
        if self._listener is None:
            return
        self._listener.shutdown()
        self._listener.server_close()
        self._listener.close_all()
        self._listener = None

    def __enter__(self):
        return self if self._listener else self.start()

    def __exit__(self, *_exc):
        self.stop()

    def take(self, message):
        """Keep one message."""
        if self.maildir:
            self._deliver(message)
        self.messages.add(message)

    def _deliver(self, message):
        with self._lock:
            self._stored += 1
            name = f"{os.getpid()}.{self._stored}.smarthost"
        for part in ("tmp", "new", "cur"):
            os.makedirs(os.path.join(self.maildir, part), exist_ok=True)
        half = os.path.join(self.maildir, "tmp", name)
        head = (f"X-Login: {message.user}\r\nX-Sender: {message.sender}\r\n"
                + "".join(f"X-Recipient: {r}\r\n"
                          for r in message.recipients))
        with open(half, "wb") as out:
            out.write(head.encode() + message.data)
        os.rename(half, os.path.join(self.maildir, "new", name))

    def secrets(self):
        """Every token a client ever showed."""
        return {e.token for e in self.exchanges if e.token}

    def wait_message(self, n=1, deadline=bed.DEADLINE_S):
        """Wait for n messages and return all."""
        return self.messages.wait(n, deadline)

    def wait_exchange(self, n=1, deadline=bed.DEADLINE_S):
        """Wait for n finished AUTH exchanges and return all."""
        return self.exchanges.wait(n, deadline)


class _Listener(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, host, address, port):
        self.host = host
        self.address_family = socket.AF_INET6 if ":" in address else \
            socket.AF_INET
        self._lock = threading.Lock()
        self._sessions = set()
        super().__init__((address, port), None)

    def finish_request(self, request, client_address):
        request.settimeout(60)
        session = Session(self.host, request)
        with self._lock:
            self._sessions.add(session)
        try:
            session.run()
        except (OSError, EOFError):
            pass    # the client went away
        finally:
            with self._lock:
                self._sessions.discard(session)
            session.sock.close()

    def close_all(self):
        with self._lock:
            left = list(self._sessions)
        for session in left:
            try:
                socket.socket.shutdown(session.sock, socket.SHUT_RDWR)
            except OSError:
                pass    # closed meanwhile


class Session:
    """One connection."""

    def __init__(self, host, sock):
        self._host = host
        self.sock = sock
        self._buffer = b""
        self._tls = False
        self._greeted = False
        self.user = None
        self._sender = None
        self._recipients = []
        self._verbs = {
            "EHLO": self._ehlo, "HELO": self._helo, "NOOP": self._noop,
            "RSET": self._rset, "STARTTLS": self._starttls,
            "AUTH": self._auth, "MAIL": self._mail, "RCPT": self._rcpt,
            "DATA": self._data}

    def run(self):
        """Serve until QUIT or the client goes away."""
        if self._host.implicit:
            self.sock = self._host.context.wrap_socket(
                self.sock, server_side=True)
            self._tls = True
        self.reply("220 localhost ESMTP test smarthost")
        while True:
            line = self.read_line(self._host.auth_line_max)
            if line is None:
                self.reply("500 5.5.6 Line too long or without CRLF")
                continue
            text = line.decode("ascii", "replace")
            verb, _, rest = text.partition(" ")
            verb = verb.upper()
            self._host.commands.add(verb)
            if verb == "QUIT":
                self.reply("221 2.0.0 Bye")
                return
            if verb != "AUTH" and len(line) + 2 > COMMAND_MAX:
                self.reply("500 5.5.6 Line too long")
                continue
            act = self._verbs.get(verb)
            if act is None:
                self.reply("502 5.5.1 Unknown command")
            else:
                act(rest)

    def reply(self, *lines):
        """Send one reply; all but the last line have a dash already."""
        self.sock.sendall(("\r\n".join(lines) + "\r\n").encode())

    def read_line(self, limit):
        """One line without its CRLF; None if too long or a bare LF."""
        skipped = 0
        while b"\n" not in self._buffer:
            if len(self._buffer) >= limit:
                skipped += len(self._buffer)
                self._buffer = b""
            more = self.sock.recv(65536)
            if not more or skipped > SKIP_MAX:
                raise EOFError
            self._buffer += more
        line, _, self._buffer = self._buffer.partition(b"\n")
        if skipped or len(line) + 1 > limit or not line.endswith(b"\r"):
            return None
        return line[:-1]

    def _ehlo(self, name):
        if not name:
            self.reply("501 5.5.4 EHLO needs a name")
            return
        self._greeted = True
        self._forget_mail()
        lines = ["localhost", "PIPELINING", "SIZE 10485760", "8BITMIME",
                 "ENHANCEDSTATUSCODES"]
        if not self._tls:
            lines.append("STARTTLS")
        elif self._host.mechanisms:
            lines.append("AUTH " + " ".join(self._host.mechanisms))
        self.reply(*[f"250-{x}" for x in lines[:-1]], f"250 {lines[-1]}")

    def _helo(self, _name):
        self.reply("502 5.5.1 EHLO, please")

    def _noop(self, _rest):
        self.reply("250 2.0.0 Ok")

    def _rset(self, _rest):
        self._forget_mail()
        self.reply("250 2.0.0 Ok")

    def _forget_mail(self):
        self._sender, self._recipients = None, []

    def _starttls(self, rest):
        if self._tls or not self._greeted or rest:
            self.reply("503 5.5.1 Not now")
            return
        if self._buffer:
            self.reply("554 5.7.0 Bytes after STARTTLS")
            raise EOFError
        self.reply("220 2.0.0 Go ahead")
        self.sock = self._host.context.wrap_socket(self.sock,
                                                   server_side=True)
        self._tls, self._greeted = True, False

    def _auth(self, rest):
        if not self._tls:
            self.reply("530 5.7.0 Must issue a STARTTLS command first")
        elif not self._greeted or self.user is not None or self._sender:
            self.reply("503 5.5.1 Not now")
        else:
            verifier = Verifier(self._host, self)
            verifier.run(rest)
            self.user = verifier.user

    def _mail(self, rest):
        address = self._address(rest, "FROM:")
        if self.user is None:
            self.reply("530 5.7.0 Authentication Required")
        elif address is None or self._sender is not None:
            self.reply("501 5.5.4 Bad MAIL")
        else:
            self._sender = address
            self.reply("250 2.1.0 Ok")

    def _rcpt(self, rest):
        address = self._address(rest, "TO:")
        if self._sender is None:
            self.reply("503 5.5.1 MAIL first")
        elif not address:
            self.reply("501 5.5.4 Bad RCPT")
        else:
            self._recipients.append(address)
            self.reply("250 2.1.5 Ok")

    @staticmethod
    def _address(rest, word):
        if rest[:len(word)].upper() != word:
            return None
        path = rest[len(word):].split(" ")[0]
        if not (path.startswith("<") and path.endswith(">")):
            return None
        return path[1:-1]

    def _data(self, rest):
        if not self._recipients or rest:
            self.reply("503 5.5.1 RCPT first")
            return
        self.reply("354 End with a dot")
        lines = []
        while True:
            line = self.read_line(DATA_LINE_MAX)
            if line is None:
                self.reply("554 5.6.0 Line too long or without CR")
                raise EOFError
            if line == b".":
                break
            lines.append(line[1:] if line.startswith(b".") else line)
        message = Message(self.user, self._sender, self._recipients,
                          b"".join(x + b"\r\n" for x in lines))
        self._forget_mail()
        if self._host.own_sender and message.sender != message.user:
            self.reply(f"554 5.2.252 SendAsDenied; {message.user} not "
                       f"allowed to send as {message.sender}")
            return
        self._host.take(message)
        self.reply("250 2.0.0 Ok: kept")


def _parse(argv):
    parser = argparse.ArgumentParser(
        prog="smarthost", description="an SMTP submission server for tests, "
        "on 127.0.0.1; keeps what it gets and relays nothing")
    parser.add_argument("--ca", metavar="DIR", required=True,
                        help="directory of the test authority; made there "
                        "if missing")
    parser.add_argument("--introspect", metavar="URL", required=True)
    parser.add_argument("--client-id", required=True)
    secret = parser.add_mutually_exclusive_group(required=True)
    secret.add_argument("--client-secret")
    secret.add_argument("--client-secret-file", metavar="FILE")
    parser.add_argument("--port", type=int, default=0,
                        help="default: the kernel chooses")
    parser.add_argument("--name", action="append", default=[],
                        help="another DNS name for the certificate")
    parser.add_argument("--maildir", metavar="DIR",
                        help="write messages here, too")
    parser.add_argument("--mechanisms", default="XOAUTH2,OAUTHBEARER")
    parser.add_argument("--style", choices=("google", "office"),
                        default="google")
    parser.add_argument("--implicit-tls", action="store_true")
    bed.add_life_options(parser)
    return parser.parse_args(argv)


def main(argv=None):
    """Run until SIGTERM; one line for each AUTH and each message."""
    options = _parse(argv)
    bed.block_ends()
    secret = options.client_secret
    if secret is None:
        with open(options.client_secret_file) as source:
            secret = source.read().strip()
    authority = ca.Authority(options.ca)
    host = Smarthost(
        Introspection(options.introspect, options.client_id, secret,
                      authority.ca_file),
        options.ca, options.name, options.maildir, options.style,
        options.mechanisms.split(","))
    host.exchanges.on_add = lambda e: print(
        f"auth mechanism={e.mechanism} user={e.user} reply={e.reply}",
        flush=True)
    host.messages.on_add = lambda m: print(
        f"message user={m.user} sender={m.sender} bytes={len(m.data)}",
        flush=True)
    host.start(options.port, options.implicit_tls)
    bed.announce(options, host.port, {"host": "localhost",
                                      "port": host.port,
                                      "ca": host.ca_file})
    bed.wait_for_end(options.parent)
    host.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
