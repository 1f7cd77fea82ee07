# SPDX-License-Identifier: BSD-2-Clause
"""The identity provider as an HTTPS server on a loopback port.

Owns: sockets, TLS, routing, the log of requests, and the carrying out
of faults.  Binds 127.0.0.1 only, on a port the kernel chooses.
"""

import base64
import contextlib
import http.server
import json
import re
import select
import socket
import ssl
import struct
import threading
import time
from dataclasses import dataclass, field

from . import strict
from .about import Answer

BODY_MAX = 2 << 20
TENANT = re.compile(r"/([^/]+)/oauth2/v2\.0/(devicecode|token|authorize)")
DISCOVERY = re.compile(r"(?:/([^/]+)/v2\.0)?/\.well-known/"
                       r"(?:openid-configuration|oauth-authorization-server)")
PLAIN = {"/device": "device", "/token": "token", "/authorize": "authorize",
         "/introspect": "introspect", "/revoke": "revoke",
         "/register": "register",
         "/userinfo": "userinfo", "/activate": "activate", "/jwks": "jwks"}


@dataclass
class Request:
    """One request as it arrived, and what became of it."""
    endpoint: str
    method: str
    path: str
    query: str
    tenant: str | None
    headers: dict
    body: bytes
    at: float = field(default_factory=time.monotonic)
    form: dict = field(default_factory=dict)
    grant_type: str | None = None
    client_id: str | None = None
    status: int | None = None   # None while unanswered
    error: str | None = None
    why: str | None = None      # of a refusal
    reuse: bool = False         # a spent refresh token was shown
    peer: int = 0               # the client's port


def route(path):
    """The endpoint and tenant that a path means."""
    match = TENANT.fullmatch(path)
    if match:
        word = match[2]
        return ("device" if word == "devicecode" else word), match[1]
    match = DISCOVERY.fullmatch(path)
    if match:
        return "discovery", match[1]
    return PLAIN.get(path, "unknown"), None


class Gone(Exception):
    """The connection shall end without an answer."""


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection."""
    protocol_version = "HTTP/1.1"
    server_version = "idp"
    sys_version = ""

    def _serve(self):
        idp = self.server.idp
        path, _, query = self.path.partition("?")
        body = self._read_body()
        if body is None:
            return
        if path.startswith("/control/"):
            self._send(idp.control.answer(
                self.command, path[len("/control/"):], body,
                self.headers.get("Authorization", "")))
            return
        endpoint, tenant = route(path)
        request = Request(endpoint, self.command, path, query, tenant,
                          {k.lower(): v for k, v in self.headers.items()},
                          body, peer=self.client_address[1])
        idp.arrived(request)
        around = idp.around_token if endpoint == "token" else None
        try:
            with around(request) if around else contextlib.nullcontext():
                self._answer(idp, request)
        except (Gone, OSError):
            self.close_connection = True
        idp.requests.touch()

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = _serve

    def _read_body(self):
        length = self.headers.get("Content-Length")
        if length is None and self.headers.get("Transfer-Encoding"):
            self.close_connection = True
            self._send(Answer({"error": "invalid_request"}, 411))
            return None
        length = length or "0"
        size = int(length) if length.isdigit() else BODY_MAX + 1
        if size > BODY_MAX:
            self.close_connection = True
            self._send(Answer({"error": "invalid_request"}, 413))
            return None
        body = self.rfile.read(size)
        if len(body) < size:    # who began it has thought better of it
            self.close_connection = True
            return None
        return body

    def _answer(self, idp, request):
        fault = idp.faults.take(request.endpoint, request.grant_type)
        if fault is None:
            self._finish(request, idp.answer(request))
            return
        if fault.delay and idp.stopping.wait(fault.delay):
            raise Gone
        if fault.gate:
            self._hold(idp, fault.gate)
        if fault.silent:
            self._be_silent(idp)
        if fault.close == "before":
            raise Gone
        if fault.status is not None:
            answer = Answer(status=fault.status, body=fault.body,
                            headers=fault.headers,
                            content_type=fault.content_type)
            request.error = "fault"
            self._finish(request, answer)
            return
        if fault.changes is not None:
            self._changed(idp, request, fault)
            return
        answer = idp.answer(request)
        if fault.close == "after":
            raise Gone
        if fault.close in ("half", "cut"):
            self._half(answer, fault.close == "half")
        if fault.close == "behind":
            body = self._render(answer)
            self.wfile.write(self._head(answer, len(body) + 1) + body)
            raise Gone
        self._finish(request, answer)

    def _changed(self, idp, request, fault):
        canned = request.endpoint == "token" and not fault.effect
        answer = idp.oauth.canned_token() if canned else idp.answer(request)
        data = {**(answer.data or {}), **fault.changes}
        for name in fault.drop:
            data.pop(name, None)
        for value in data.values():
            if isinstance(value, str):
                idp.note_secret(value, fault)
        text = json.dumps(data)
        if fault.duplicate:
            again = json.dumps({fault.duplicate: data.get(fault.duplicate)})
            text = text[:-1] + ", " + again[1:]
        request.error = "fault"
        body = text.encode()
        self._finish(request, Answer(status=answer.status,
                                     body=fault.mangle(body) if fault.mangle
                                     else body,
                                     headers=answer.headers))

    def _finish(self, request, answer):
        request.status = answer.status
        self._send(answer)

    def _send(self, answer):
        body = self._render(answer)
        self.wfile.write(self._head(answer, len(body)))
        if self.command != "HEAD":
            self.wfile.write(body)

    @staticmethod
    def _render(answer):
        if answer.data is None:
            return answer.body
        return json.dumps(answer.data).encode()

    def _head(self, answer, length):
        try:
            reason = http.HTTPStatus(answer.status).phrase
        except ValueError:
            reason = "Unknown"
        lines = [f"HTTP/1.1 {answer.status} {reason}",
                 "Date: "
                 + answer.headers.get("Date", self.date_time_string()),
                 "Cache-Control: no-store", "Pragma: no-cache",
                 f"Content-Length: {length}"]
        if length:
            lines.append(f"Content-Type: {answer.content_type}")
        lines += [f"{k}: {v}" for k, v in answer.headers.items()
                  if k != "Date"]
        if self.close_connection:
            lines.append("Connection: close")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def _half(self, answer, reset):
        body = self._render(answer)
        self.wfile.write(self._head(answer, len(body)))
        self.wfile.write(body[:len(body) // 2])
        if reset:   # the client may then see less than was sent
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                       struct.pack("ii", 1, 0))
        raise Gone

    @staticmethod
    def _hold(idp, gate):
        while not gate.wait(0.05):
            if idp.stopping.is_set():
                raise Gone

    def _be_silent(self, idp):
        poll = select.poll()
        poll.register(self.connection, select.POLLIN)
        poll.register(idp.stopping_end, select.POLLIN)
        poll.poll()     # until the client gives up or the server stops
        raise Gone

    def log_message(self, *_args):
        pass    # the test asks requests; stdout is for people


class Listener(http.server.ThreadingHTTPServer):
    """The listening socket; a thread a connection."""
    daemon_threads = True
    request_queue_size = 256
    allow_reuse_address = True

    def __init__(self, idp, port, context, mute=False):
        self.idp = idp
        self._context = context
        self._mute = mute
        self._lock = threading.Lock()
        self._open = set()
        super().__init__(("127.0.0.1", port), Handler)

    def server_bind(self):
        # HTTPServer would ask the resolver for its own name.
        http.server.socketserver.TCPServer.server_bind(self)
        self.server_name = "localhost"
        self.server_port = self.server_address[1]

    def finish_request(self, request, client_address):
        sock = request
        try:
            request.settimeout(60)
            if self._mute:
                self.idp.stopping.wait()
                return
            if self._context is not None:
                sock = self._context.wrap_socket(request, server_side=True)
            with self._lock:
                self._open.add(sock)
            Handler(sock, client_address, self)
        except ssl.SSLError:
            self.idp.count("tls_failed")
        except OSError:
            pass    # the client went away, as clients may
        finally:
            with self._lock:
                self._open.discard(sock)
            sock.close()

    def shutdown_request(self, request):
        request.close()     # no shutdown(2): it would undo a reset

    def handle_error(self, request, client_address):
        self.idp.count("crashed")
        super().handle_error(request, client_address)

    def close_all(self):
        """Wake every thread that waits for a client."""
        with self._lock:
            left = list(self._open)
        for sock in left:
            try:
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
            except OSError:
                pass    # closed meanwhile


def note_received(idp, request):
    """Remember the secrets a request carries, however badly formed."""
    for pair in request.body.split(b"&"):
        name, sign, raw = pair.partition(b"=")
        if sign and name.decode("latin-1") in strict.SECRET_PARAMETERS:
            idp.store.keep_secret(raw.decode("latin-1"))
            try:
                idp.store.keep_secret(strict.parse_pairs(
                    b"v=" + raw, strict.LENIENT)["v"])
            except strict.Refusal:
                pass    # kept as it came
        if name == b"grant_type":
            try:
                request.grant_type = strict.parse_pairs(
                    pair, strict.LENIENT)["grant_type"]
            except strict.Refusal:
                pass    # the endpoint will say so
    blob = request.headers.get("authorization", "").partition(" ")[2]
    if blob:
        idp.store.keep_secret(blob)
        try:
            pair = base64.b64decode(blob, validate=True).decode("utf-8")
        except ValueError:
            return  # no Basic
        idp.store.keep_secret(pair.partition(":")[2])
