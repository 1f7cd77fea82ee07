# SPDX-License-Identifier: BSD-2-Clause
"""A proxy that knows CONNECT (RFC 9110 section 9.3.6) and nothing else.

Owns: a loopback port.  targets says what was asked for, in order.  With
status other than 200 it refuses everything.
"""

import selectors
import socket
import socketserver
import threading

from bed import Journal


class _Handler(socketserver.StreamRequestHandler):
    def handle(self):
        proxy = self.server.proxy
        method, target, _ = self.rfile.readline().decode().split()
        while self.rfile.readline() not in (b"\r\n", b""):
            pass
        proxy.targets.add((method, target))
        if proxy.status != 200:
            self.wfile.write(b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n"
                             % proxy.status)
            return
        host, _, port = target.rpartition(":")
        with socket.create_connection((host, int(port))) as far:
            self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
            self._carry(self.connection, far)

    @staticmethod
    def _carry(near, far):
        # Not select(2): a long run has files past its 1,024.
        with selectors.DefaultSelector() as waiting:
            waiting.register(near, selectors.EVENT_READ, far)
            waiting.register(far, selectors.EVENT_READ, near)
            while True:
                for key, _ in waiting.select():
                    data = key.fileobj.recv(65536)
                    if not data:
                        return
                    key.data.sendall(data)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request, client_address):
        pass    # a client that hangs up is no error here


class Proxy:
    """with Proxy() as proxy: proxy.url, proxy.targets"""

    def __init__(self, status=200):
        self.status = status
        self.targets = Journal()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.proxy = self
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, args=(0.02,),
                         daemon=True).start()
        return self

    def __exit__(self, *_exc):
        self._server.shutdown()
        self._server.server_close()
