# SPDX-License-Identifier: BSD-2-Clause
"""A network of a relay's own, and the lines that lead out of it.

Owns: a network namespace with nothing but a loopback, and listeners in it
that pass on what comes to the same port outside.  A line is cut, made
silent or slow, and knows which connections of the server it has made.
"""

import asyncio
import ctypes
import fcntl
import os
import socket
import struct
import threading

CLONE_NEWNET = 0x40000000
SIOCSIFFLAGS, IFF_UP = 0x8914, 1


class Loop:
    """One thread that serves all lines."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever,
                                        daemon=True)
        self._thread.start()

    def run(self, coroutine):
        """Its result, from another thread."""
        return asyncio.run_coroutine_threadsafe(coroutine,
                                                self.loop).result(60)

    def end(self):
        """No line passes anything any more."""
        self.run(self._cancel())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    @staticmethod
    async def _cancel():
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Line:
    """From a port of a namespace to the same port outside."""

    def __init__(self, loop, listener):
        self.port = listener.getsockname()[1]
        self.made = 0           # connections
        self.on_connect = None  # told of its own port, as the server sees it
        self._loop = loop
        self._delay = 0
        self._cut = False
        self._ends = set()
        self._passing = asyncio.Event()
        self._passing.set()
        self._server = loop.run(asyncio.start_server(
            self._serve, sock=listener, backlog=256))

    def cut(self):
        """All connections end, and new ones at once."""
        self._cut = True
        self._loop.run(self._abort())

    def silence(self):
        """Connections stay, and new ones are taken; nothing passes."""
        self._loop.loop.call_soon_threadsafe(self._passing.clear)

    def slow(self, seconds):
        """Everything passes so much later."""
        self._delay = seconds

    def mend(self):
        """As at first."""
        self._cut, self._delay = False, 0
        self._loop.loop.call_soon_threadsafe(self._passing.set)

    def close(self):
        """Give the listener back."""
        self._loop.loop.call_soon_threadsafe(self._server.close)

    async def _abort(self):
        for writer in list(self._ends):
            writer.transport.abort()

    async def _serve(self, reader, writer):
        try:
            if self._cut:
                writer.transport.abort()
                return
            out = socket.socket()
            out.setblocking(False)
            out.bind(("127.0.0.1", 0))
            self.made += 1
            if self.on_connect is not None:
                self.on_connect(out.getsockname()[1])
            try:
                await asyncio.get_running_loop().sock_connect(
                    out, ("127.0.0.1", self.port))
            except OSError:
                out.close()
                writer.transport.abort()
                return
            far_reader, far_writer = await asyncio.open_connection(sock=out)
            ends = {writer, far_writer}
            self._ends |= ends
            try:
                await asyncio.gather(self._pump(reader, far_writer),
                                     self._pump(far_reader, writer))
            finally:
                self._ends -= ends
                for end in ends:
                    end.close()
        except OSError:
            pass    # one of them has hung up

    async def _pump(self, reader, writer):
        try:
            while data := await reader.read(65536):
                if self._delay:
                    await asyncio.sleep(self._delay)
                await self._passing.wait()
                writer.write(data)
                await writer.drain()
        finally:
            writer.close()


class Network:
    """A namespace whose ports lead to those of this machine."""

    def __init__(self, loop, ports):
        self.namespace = None
        self._listeners = []
        failed = []

        def make():
            try:
                self._make(ports)
            except OSError as error:
                failed.append(error)

        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
        if failed:
            raise failed[0]
        self.lines = {listener.getsockname()[1]: Line(loop, listener)
                      for listener in self._listeners}

    def _make(self, ports):
        # This thread only: whoever makes a socket in it makes it there.
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "a network namespace")
        self.namespace = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        with socket.socket() as sock:
            fcntl.ioctl(sock, SIOCSIFFLAGS,
                        struct.pack("16sh14x", b"lo", IFF_UP))
        for port in ports:
            listener = socket.socket()
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", port))
            self._listeners.append(listener)

    def before(self):
        """What a command is to be preceded by to be in there."""
        return ["nsenter",
                f"--net=/proc/{os.getpid()}/fd/{self.namespace}", "--"]

    def close(self):
        """Give all back."""
        for line in self.lines.values():
            line.close()
        if self.namespace is not None:
            os.close(self.namespace)
            self.namespace = None
