# SPDX-License-Identifier: BSD-2-Clause
"""Runs flow_driver, and reads its events.

Owns: the process and its environment, which has no proxy of the host's.
Secrets go to its stdin; whatever it prints or complains of is kept, so
that a test may look for secrets in it.
"""

import os
import subprocess
import threading

import paths
from bed import DEADLINE_S, Journal

ENVIRONMENT = ("PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS")


class Driver:
    """One run; events is a Journal of dictionaries."""

    def __init__(self, what, options, secrets=None, environment=None):
        env = {k: os.environ[k] for k in ENVIRONMENT if k in os.environ}
        env.update(environment or {})
        words = [f"{k}={v}" for k, v in options.items()]
        self.events = Journal()
        self.printed = ""
        self._process = subprocess.Popen(
            [paths.program("tests/flows/flow_driver"), what, *words],
            env=env, text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for name, value in (secrets or {}).items():
            self._process.stdin.write(f"{name}={value}\n")
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        if what != "browser":
            self._process.stdin.close()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        event = {}
        for line in self._process.stdout:
            self.printed += line
            name, sign, value = line.rstrip("\n").partition("=")
            if sign:
                event[name] = value
            elif event:
                self.events.add(event)
                event = {}

    def wait(self, kind, n=1, deadline=DEADLINE_S):
        """The first n events of a kind, when they have come."""
        return self.events.wait(n, deadline,
                                lambda e: e["event"] == kind)[:n]

    def paste(self, text):
        """Paste one line."""
        self._process.stdin.write(text + "\n")
        self._process.stdin.flush()

    def end(self, deadline=2 * DEADLINE_S):
        """Wait for the end, an exchange's minute included; the last event."""
        self._process.wait(deadline)
        self._reader.join(deadline)
        errors = self._process.stderr.read()
        self.printed += errors
        assert self._process.returncode == 0, errors
        return self.events[-1]

    def kill(self):
        """End it if it has not ended."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.stderr.close()
