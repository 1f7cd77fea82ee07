# SPDX-License-Identifier: BSD-2-Clause
"""The other end of clock_moved.c: moves the clocks of a helper under test.

Owns the control socket and the helper's connection to it.  Start the helper
with environment(); wall(), boot(), both() wait for it and return when it has
taken the new time.  A helper that is started again begins at the real time,
or where `ahead` says.
"""

import os
import socket

from bed import DEADLINE_S, scratch


class TestClock:
    """Clocks of one helper (tests/mailtokend-clock)."""

    __test__ = False  # not a class of tests

    def __init__(self):
        self._folder = scratch(self, "mailtoken-clock-")
        # A helper that has given up root must be able to connect.
        os.chmod(self._folder, 0o755)
        self.path = os.path.join(self._folder, "clock")
        self.ahead = 0          # seconds, of a helper that is started
        self._helper = None
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.settimeout(DEADLINE_S)
        self._listener.bind(self.path)
        os.chmod(self.path, 0o666)
        self._listener.listen(8)

    def environment(self):
        """What the helper needs in its environment."""
        return {"MAILTOKEN_TEST_CLOCK": self.path,
                "MAILTOKEN_TEST_CLOCK_AHEAD": str(self.ahead)}

    def wait(self):
        """Until the helper has connected; TimeoutError."""
        if self._helper is None:
            self._helper, _ = self._listener.accept()
            self._helper.settimeout(DEADLINE_S)

    def hold(self):
        """From now on time stands still, but for what is told below."""
        self._send("hold")

    def wall(self, seconds):
        """Set the wall clock forward, or back if negative."""
        self._send(f"wall {int(seconds)}")

    def boot(self, milliseconds):
        """Let time pass on CLOCK_BOOTTIME only."""
        self._send(f"boot {int(milliseconds)}")

    def both(self, seconds):
        """Let time pass, as a suspend does."""
        self.boot(seconds * 1000)
        self.wall(seconds)

    def restarted(self):
        """Call before the helper is started again: it connects anew."""
        if self._helper is not None:
            self._helper.close()
            self._helper = None

    def close(self):
        """Give the sockets back."""
        self.restarted()
        self._listener.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def _send(self, message):
        self.wait()
        self._helper.send(message.encode())
        answer = self._helper.recv(64)
        if answer != b"ok":
            raise ValueError(f"{message}: the helper says {answer!r}")
