# SPDX-License-Identifier: BSD-2-Clause
"""What a browser does with a loopback redirect, by hand."""

import socket
import urllib.parse

from bed import DEADLINE_S



class Page:
    """An answer of the listener."""

    def __init__(self, raw):
        head, _, self.body = raw.partition(b"\r\n\r\n")
        lines = head.decode("ascii").split("\r\n")
        self.status = int(lines[0].split()[1])
        self.headers = {k.lower(): v for k, _, v in
                        (line.partition(": ") for line in lines[1:])}
        self.text = self.body.decode()


def _read(sock):
    raw = b""
    while more := sock.recv(65536):
        raw += more
    return raw


def speak(port, raw, host="127.0.0.1"):
    """Send bytes to the listener; its whole answer as bytes."""
    with socket.create_connection((host, port), DEADLINE_S) as sock:
        sock.sendall(raw)
        return _read(sock)


def visit(url, method="GET", host=None):
    """Go where a redirect leads; the page there."""
    parts = urllib.parse.urlsplit(url)
    target = url.partition(parts.netloc)[2]
    return Page(speak(parts.port, (
        f"{method} {target} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        "User-Agent: test\r\nAccept: text/html\r\n\r\n").encode(),
        host or "127.0.0.1"))


def changed(url, **changes):
    """The URL with other parameters; None takes one away."""
    parts = urllib.parse.urlsplit(url)
    query = dict(urllib.parse.parse_qsl(parts.query))
    query.update(changes)
    query = {k: v for k, v in query.items() if v is not None}
    return urllib.parse.urlunsplit(
        parts._replace(query=urllib.parse.urlencode(query)))


def parameters(url):
    """The query as a dictionary."""
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query,
                                       strict_parsing=True))
