# SPDX-License-Identifier: BSD-2-Clause
"""An SMTP server on loopback that takes every message and keeps it.

Owns: what a submission proxy needs of its relay.  Wants no login and
offers no TLS.
"""

import socketserver
import threading

from bed import Journal


class Sink:
    """The server, in this process; messages is a Journal of bytes."""

    def __init__(self):
        self.messages = Journal()
        self.port = 0
        self._server = None

    def start(self):
        """Listen.  Returns self."""
        sink = self

        class Session(socketserver.StreamRequestHandler):
            def handle(self):
                sink.serve(self.rfile, self.wfile)

        self._server = socketserver.ThreadingTCPServer(
            ("127.0.0.1", 0), Session)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,),
                         daemon=True).start()
        return self

    def stop(self):
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_exc):
        self.stop()

    def serve(self, source, out):
        """One session."""
        out.write(b"220 localhost ESMTP sink\r\n")
        for line in source:
            verb = line.split()[0].upper() if line.split() else b""
            if verb == b"EHLO":
                out.write(b"250-localhost\r\n250-PIPELINING\r\n"
                          b"250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n")
            elif verb == b"DATA":
                out.write(b"354 End with a dot\r\n")
                self.messages.add(self._message(source))
                out.write(b"250 2.0.0 Ok\r\n")
            elif verb == b"QUIT":
                out.write(b"221 2.0.0 Bye\r\n")
                return
            else:
                out.write(b"250 2.0.0 Ok\r\n")

    @staticmethod
    def _message(source):
        lines = []
        for line in source:
            if line == b".\r\n":
                break
            lines.append(line[1:] if line.startswith(b".") else line)
        return b"".join(lines)
