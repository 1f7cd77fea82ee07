# SPDX-License-Identifier: BSD-2-Clause
"""What the stand-in servers of the test bed share.

Owns: waiting for an event with a deadline, a list that can be waited
on, and the life of a stand-in that runs as a script (port file, SIGTERM,
parent gone).  Owns no protocol.
"""

import errno
import json
import os
import random
import re
import select
import shutil
import signal
import socket
import stat
import tempfile
import threading
import time
import weakref

# At most this long for what is not a matter of the test: only a fault, or a
# machine that stands still, ever takes it.  Tests that are to fail set less.
DEADLINE_S = float(os.environ.get("MAILTOKEN_DEADLINE_S", "60"))
# As long as a helper waits for a whole request.
REQUEST_S = 2.0


def wait_for(predicate, deadline=DEADLINE_S, what="the event", every=0.01):
    """Return the first true value of predicate(), or raise TimeoutError.

    every is in seconds how often it is asked, where that costs something."""
    end = time.monotonic() + deadline
    pause = threading.Event()
    while True:
        value = predicate()
        if value:
            return value
        left = end - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"{what}: nothing within {deadline} s")
        pause.wait(min(every, left))


def in_time(act):
    """act(), once more where it was itself too slow for a helper."""
    for _ in range(5):
        began = time.monotonic()
        try:
            return act()
        except (AssertionError, OSError):
            if time.monotonic() - began < REQUEST_S:
                raise
    return act()


def scratch(owner, prefix):
    """A new directory that goes away with its owner."""
    path = tempfile.mkdtemp(prefix=prefix)
    weakref.finalize(owner, shutil.rmtree, path, True)
    return path


_given = set()


def free_port():
    """A port of 127.0.0.1 for somebody else to listen on; each time another.

    The kernel gives it to nobody who does not name it, so it stays free,
    unless its own range leaves no room below."""
    with open("/proc/sys/net/ipv4/ip_local_port_range") as source:
        first = int(source.read().split()[0])
    while True:
        port = random.randrange(10000, first if first > 11000 else 32768)
        if port in _given:
            continue
        with socket.socket() as sock:
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port


def is_listening(port, host="127.0.0.1"):
    """Whether something takes connections there."""
    with socket.socket() as sock:
        sock.settimeout(DEADLINE_S)
        try:
            sock.connect((host, port))
            # A free port may be given to this very socket, which then finds
            # itself at the other end.
            return sock.getsockname() != sock.getpeername()
        except ConnectionRefusedError:
            return False
        except OSError as fault:
            # The listener closed while this was in its queue.
            if fault.errno in (errno.ECONNRESET, errno.ENOTCONN):
                return False
            raise


class Journal:
    """A list that threads append to and that tests can wait on.

    on_add, if set, is called with each new item."""

    def __init__(self):
        self.on_add = None
        self._items = []
        self._changed = threading.Condition()

    def add(self, item):
        """Append one item and wake who waits."""
        with self._changed:
            self._items.append(item)
            self._changed.notify_all()
        if self.on_add is not None:
            self.on_add(item)

    def touch(self):
        """Wake who waits: an item has changed."""
        with self._changed:
            self._changed.notify_all()

    def clear(self):
        """Forget all items."""
        with self._changed:
            self._items.clear()

    def matching(self, match=None):
        """The items for which match(item) holds, as a new list."""
        with self._changed:
            items = list(self._items)
        return [i for i in items if match is None or match(i)]

    def wait(self, n=1, deadline=DEADLINE_S, match=None):
        """Wait for n matching items and return all matching ones."""
        end = time.monotonic() + deadline
        with self._changed:
            while True:
                found = [i for i in self._items if match is None or match(i)]
                if len(found) >= n:
                    return found
                left = end - time.monotonic()
                if left <= 0:
                    raise TimeoutError(
                        f"{len(found)} of {n} items within {deadline} s")
                self._changed.wait(left)

    def __iter__(self):
        return iter(self.matching())

    def __len__(self):
        with self._changed:
            return len(self._items)

    def __getitem__(self, index):
        with self._changed:
            return self._items[index]


def write_file(path, text, mode=0o644):
    """Write a small file so that no reader sees it half written."""
    part = f"{path}.{os.getpid()}.part"
    fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(fd, "w") as out:
        out.write(text)
    os.replace(part, path)


def age_record(path):
    """Make the token in a file of a keyring an expired one."""
    with open(path) as source:
        text = source.read()
    for name, value in (("expires", 1600003600), ("refreshed", 1600000000)):
        text = re.sub(rf"(?m)^{name}=.*$", f"{name}={value}", text)
    with open(path, "w") as out:    # its owner and mode stay
        out.write(text)


def add_life_options(parser):
    """The options every stand-in script has."""
    parser.add_argument("--port-file", metavar="FILE",
                        help="write the port number here when listening")
    parser.add_argument("--info-file", metavar="FILE",
                        help="write all that a client needs here, as JSON")
    parser.add_argument("--parent", type=int, metavar="PID",
                        help="end when this process or a piped stdin is gone")


def announce(options, port, info):
    """Write the port and info files, then print info as name=value."""
    if options.info_file:
        write_file(options.info_file, json.dumps(info) + "\n", 0o600)
    if options.port_file:
        write_file(options.port_file, f"{port}\n")
    for name, value in info.items():
        if isinstance(value, (str, int)):
            print(f"{name}={value}", flush=True)


def block_ends():
    """Block SIGTERM and SIGINT; call before the first thread starts."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})


def wait_for_end(parent=None):
    """Return at SIGTERM or SIGINT, or when the parent is gone."""
    if parent is None:
        signal.sigwait({signal.SIGTERM, signal.SIGINT})
        return
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    signal.sigwait({signal.SIGTERM, signal.SIGINT})


def _end_with(parent):
    poll = select.poll()
    try:
        poll.register(os.pidfd_open(parent), select.POLLIN)
        if stat.S_ISFIFO(os.fstat(0).st_mode):
            poll.register(0, select.POLLHUP)
        poll.poll()
    except OSError:
        pass    # no such process any more, or no stdin
    os.kill(os.getpid(), signal.SIGTERM)
