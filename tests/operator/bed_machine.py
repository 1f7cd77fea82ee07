# SPDX-License-Identifier: BSD-2-Clause
"""A machine of one's own: namespaces with an /etc, a /run and a /var that
nothing outside sees, without systemd, and a user mailtoken.

Owns: the processes that run in it, which end with it.
"""

import fcntl
import os
import select
import shutil
import struct
import subprocess
import termios

import pytest

import paths
from bed import DEADLINE_S, scratch, write_file
from bed_cli import Running, environment
from bed_helper import ROOT, block

CONFIG = "/etc/mailtoken/mailtoken.conf"
MAKE = r"""
set -e
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$0"
for name in $1; do
	mkdir -p "$0/$name" "$0/work/$name"
	mount -t overlay overlay "/$name" \
	    -o "lowerdir=/$name,upperdir=$0/$name,workdir=$0/work/$name"
done
mount -t tmpfs -o mode=755 tmpfs /run
rm -rf /etc/mailtoken /var/lib/mailtoken
grep -v '^mailtoken:' /etc/passwd >/etc/passwd.new
grep -v '^mailtoken:' /etc/group >/etc/group.new
mv /etc/passwd.new /etc/passwd
mv /etc/group.new /etc/group
mount -t proc proc /proc
echo ready
exec sleep infinity
"""


class Machine:
    """Runs commands in it; root is the folder that its writes are in."""

    folders = "etc var usr/local"

    def __init__(self, idp):
        self.idp = idp
        self.folder = scratch(self, "machine-")
        os.chmod(self.folder, 0o755)
        self.inside = os.path.join(self.folder, "inside")
        os.mkdir(self.inside)
        self.ca_file = os.path.join(self.folder, "ca.pem")
        shutil.copy(idp.ca_file, self.ca_file)
        os.chmod(self.ca_file, 0o644)
        self.printed = ""
        self.keeper = subprocess.Popen(
            ["unshare", "-m", "-p", "-f", "--kill-child", "sh", "-c", MAKE,
             self.inside, self.folders], stdout=subprocess.PIPE, text=True)
        assert self.keeper.stdout.readline() == "ready\n"
        children = f"/proc/{self.keeper.pid}/task/{self.keeper.pid}/children"
        with open(children) as source:
            self.pid = int(source.read().split()[0])

    def end(self):
        """No process outlives it; nothing secret was shown."""
        self.keeper.kill()
        self.keeper.wait()
        self.keeper.stdout.close()
        for secret in self.idp.secrets():
            assert secret not in self.printed

    def argv(self, *words):
        """The command line that runs this inside."""
        return ["nsenter", "-m", "-p", f"--target={self.pid}", *words]

    def run(self, *words, **more):
        """Any command, to its end."""
        return subprocess.run(
            self.argv(*words), capture_output=True, text=True, check=False,
            timeout=2 * DEADLINE_S, stdin=subprocess.DEVNULL,
            env=environment(), **more)

    def mailtoken(self, *words):
        """The command, without a terminal."""
        return self.run(str(paths.program("mailtoken")), *words)

    def start(self, *words):
        """The same, still running: for a with statement."""
        return Running(self.argv(str(paths.program("mailtoken")), *words),
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True,
                       env=environment())

    def setup(self, *words):
        """mailtoken setup with these words; what it says is kept."""
        done = self.mailtoken("setup", *words)
        self.printed += done.stdout + done.stderr
        return done

    def read(self, path):
        """A file of it; None: it is not there."""
        done = self.run("cat", path)
        return done.stdout if done.returncode == 0 else None

    def mode(self, path):
        """Owner, group and mode."""
        return self.run("stat", "-c", "%U:%G %a", path).stdout.strip()

    def write(self, path, text, mode=0o644):
        """A file in it."""
        self.run("mkdir", "-p", os.path.dirname(path))
        copy = os.path.join(self.folder, "copy")
        write_file(copy, text, mode)
        assert self.run("cp", copy, path).returncode == 0

    def tree(self):
        """All that was written, name by name, with its time and size."""
        return self.run("find", f"{self.inside}/etc", f"{self.inside}/var",
                        "/run", "-printf", "%p %s %T@ %m %U\n").stdout

    def provider(self, name="test", **keys):
        """A block for the strict provider; without a client id."""
        usual = {"token_endpoint": f"{self.idp.url}/token",
                 "device_authorization_endpoint": f"{self.idp.url}/device",
                 "scope": ["mail", "offline_access", "openid", "email"],
                 "servers": ["localhost"], "ca_file": self.ca_file}
        return block("provider", name, {**usual, **keys})

    def user(self, home="/var/home/ann"):
        """What goes before a command that a user of uid 4711 runs."""
        self.run("install", "-d", "-o", "4711", "-g", "4711", home)
        return ("env", f"HOME={home}", "setpriv", "--reuid=4711",
                "--regid=4711", "--clear-groups")

    def terminal(self, *words, turns=(), before=(), **variables):
        """Run on a terminal of 80x24; for each of turns: when a text has
        come up, type that line; call that with all that was shown for
        what to type; or None: nothing."""
        master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ,
                    struct.pack("HHHH", 24, 80, 0, 0))
        run = subprocess.Popen(
            self.argv(*before, str(paths.program("mailtoken")), *words),
            stdin=slave, stdout=slave, stderr=slave,
            env=environment(**variables), start_new_session=True,
            # So that ^C is one.
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(slave)
        shown, seen, turns = "", 0, list(turns)
        try:
            while select.select([master], [], [], DEADLINE_S)[0]:
                try:
                    more = os.read(master, 4096)
                except OSError:
                    break
                if not more:
                    break
                shown += more.decode()
                while turns and turns[0][0] in shown[seen:]:
                    text, act = turns.pop(0)
                    seen = shown.index(text, seen) + len(text)
                    typed = act(shown) if callable(act) else \
                        None if act is None else act + "\n"
                    if typed:
                        os.write(master, typed.encode())
            status = run.wait(DEADLINE_S)
            assert termios.tcgetattr(master)[3] & termios.ECHO
        finally:
            run.kill()
            run.wait()
            os.close(master)
            self.printed += shown
        assert not turns, (turns, shown)
        return status, shown


@pytest.fixture
def machine(idp):
    """One without any configuration."""
    if not ROOT or subprocess.run(["unshare", "-m", "true"],
                                  check=False).returncode:
        pytest.skip("needs root and namespaces")
    made = Machine(idp)
    yield made
    made.end()
