# SPDX-License-Identifier: BSD-2-Clause
"""Containers without an engine: a read-only tree in namespaces of its own.

Owns: what an engine does before it starts the first process (maps, mounts,
credentials, capabilities), commands in there, what was said, the end.  The
network is that of container.Network, so servers of the tests are on its
loopback.
"""

import os
import signal
import subprocess
import threading

from bed import DEADLINE_S, wait_for

SHIFT = 100000      # of the uids of a mapped container
MAPPED = 65536

# $1 tree, $2 "source:target[:ro]" of each volume in a line, then a command.
MOUNTS = r"""
set -e
root=$1 volumes=$2; shift 2
mount --make-rprivate /
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for name in null zero full random urandom; do
	: > "$root/dev/$name"
	mount --bind "/dev/$name" "$root/dev/$name"
done
ln -s /proc/self/fd "$root/dev/fd"
ln -s fd/1 "$root/dev/stdout"
ln -s fd/2 "$root/dev/stderr"
printf '%s\n' "$volumes" | while IFS=: read -r from to how; do
	[ -n "$from" ] || continue
	mount --bind "$from" "$root$to"
	[ -z "$how" ] || mount -o "remount,bind,$how" "$root$to"
done
exec chroot "$root" "$@"
"""

# It must not begin before its ids are mapped, nor with an id that is not.
MAP = ["setpriv", f"--reuid={SHIFT}", f"--regid={SHIFT}", "--clear-groups",
       "unshare", "--user", "sh", "-c", 'read -r go && exec "$@"', "sh"]


class Pod:
    """One container."""

    def __init__(self, network, tree, *, volumes=(), environment=None,
                 mapped=False):
        self._network = network
        self._tree = str(tree)
        self._volumes = "\n".join(volumes)
        self._mapped = mapped
        self._environment = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:"
            "/sbin:/bin", **(environment or {})}
        self._process = None
        self._said = []
        self._reader = None

    def start(self, *command, rights=()):
        """Run it; rights: options of setpriv, as which the command runs."""
        read, write = os.pipe()
        if self._mapped:
            os.fchown(write, SHIFT, SHIFT)      # as engines do
        self._process = subprocess.Popen(
            ["nsenter", f"--net={self._network.path}",
             *(MAP if self._mapped else ()),
             "unshare", "--mount", "--pid", "--fork", "--kill-child",
             "sh", "-c", MOUNTS, "sh", self._tree, self._volumes,
             "setpriv", "--no-new-privs", *rights, *command],
            env=self._environment, stdin=subprocess.PIPE, stdout=write,
            stderr=write)
        os.close(write)
        self._reader = threading.Thread(target=self._read, args=(read,),
                                        daemon=True)
        self._reader.start()
        if self._mapped:
            self._map()
        self._process.stdin.close()
        return self

    def _map(self):
        pid = self._process.pid
        own = os.readlink("/proc/self/ns/user")
        wait_for(lambda: os.readlink(f"/proc/{pid}/ns/user") != own,
                 what="a user namespace")
        for name in ("uid_map", "gid_map"):
            with open(f"/proc/{pid}/{name}", "w") as out:
                out.write(f"0 {SHIFT} {MAPPED}")
        self._process.stdin.write(b"go\n")

    def _read(self, fd):
        with os.fdopen(fd, "rb") as source:
            for line in source:
                self._said.append(line.decode(errors="replace"))

    def log(self):
        """All that it has said."""
        return "".join(self._said)

    def wait_log(self, text):
        """Wait until it has said that."""
        wait_for(lambda: text in self.log() or self._process.poll() is not
                 None, what=f"{text!r} of a container")
        assert text in self.log(), self.log()

    def first(self):
        """The pid of its first process, as seen from here."""
        pid = self._process.pid
        while True:
            with open(f"/proc/{pid}/status") as source:
                pids = next(line.split()[1:] for line in source
                            if line.startswith("NSpid:"))
            if len(pids) > 1:
                return int(pids[0])
            with open(f"/proc/{pid}/task/{pid}/children") as source:
                pid = int(source.read().split()[0])

    def run(self, *command, rights=()):
        """A command inside, as a probe is run; its result."""
        return subprocess.run(
            ["nsenter", "-t", str(self.first()), "-a", "-r", "-w",
             "setpriv", *rights, *command], env=self._environment,
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=DEADLINE_S, check=False)

    def wait(self):
        """Until it has ended; its exit status."""
        status = self._process.wait(DEADLINE_S)
        self._reader.join(DEADLINE_S)
        return status

    def stop(self):
        """End it as an engine does, if it runs; its exit status."""
        if self._process.poll() is None:
            os.kill(self.first(), signal.SIGTERM)
        return self.wait()

    def kill(self):
        """End all of it at once."""
        if self._process is not None and self._process.poll() is None:
            os.kill(self.first(), signal.SIGKILL)
            self.wait()
