# SPDX-License-Identifier: BSD-2-Clause
"""A machine without systemd and without Postfix: busybox and OpenRC.

Owns: a root of what Debian's OpenRC and busybox need, an Alpine package put
into it, and commands run in it, in namespaces of their own.  Installs nothing
on this machine: the packages are fetched and unpacked.
"""

import os
import shutil
import subprocess
from pathlib import Path

OPENRC = ("openrc", "librc1", "libeinfo1")
# Debian's OpenRC asks both for what Alpine's does not.
FILES = {
    "etc/insserv.conf": "",
    "etc/pam.d/supervise-daemon": "".join(
        f"{kind} required pam_permit.so\n"
        for kind in ("auth", "account", "session")),
    "etc/passwd": "root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
    "etc/init.d/localmount": "#!/sbin/openrc-run\nstart()\n{\n\t:\n}\n",
    # As busybox of Alpine has them, as far as the recipe uses them.
    "usr/sbin/addgroup": "#!/bin/sh\necho \"$2:x:990:\" >> /etc/group\n",
    "usr/sbin/adduser": "#!/bin/sh\nfor user; do :; done\n"
    "echo \"$user:x:990:990::/var/lib/$user:/sbin/nologin\""
    " >> /etc/passwd\n",
}
FOLDERS = ("bin", "dev", "etc/conf.d", "etc/insserv.conf.d",
           "etc/insserv/overrides", "proc", "run/openrc", "tmp", "usr/bin",
           "var/lib")
PROGRAMS = ("/usr/bin/busybox",)
# Process 1 takes in what a supervisor leaves.
FIRST = "openrc default; echo up; while :; do sleep 1 & wait; done"


def _command(*words, **more):
    return subprocess.run(words, check=True, capture_output=True, text=True,
                          timeout=120, **more).stdout


class Machine:
    """The root, running."""

    def __init__(self, root, package, pre_install):
        """package is the tree that a recipe left."""
        self.root = Path(root)
        for folder in FOLDERS:
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        self._unpack_openrc()
        _command("cp", "-a", f"{package}/.", root)
        for name, text in FILES.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            path.chmod(0o755 if text.startswith("#!") else 0o644)
        self._install_programs()
        os.mknod(self.root / "dev/null", 0o666 | 0o020000,
                 os.makedev(1, 3))
        (self.root / "dev/null").chmod(0o666)
        shutil.copy(pre_install, self.root / "tmp/pre-install")
        self._first = self._start()

    def _unpack_openrc(self):
        debs = self.root / "tmp/debs"
        debs.mkdir()
        _command("apt-get", "-o", "APT::Sandbox::User=root", "download",
                 *OPENRC, cwd=debs)
        for deb in debs.glob("*.deb"):
            # Not dpkg-deb -x: it would take /bin and /lib for links.
            _command("sh", "-c", 'dpkg-deb --fsys-tarfile "$1" | '
                     'tar -x -C "$2"', "sh", deb, self.root)
        shutil.rmtree(debs)

    def _install_programs(self):
        """busybox in place of all, and the libraries of all."""
        shutil.copy("/usr/bin/busybox", self.root / "bin/busybox")
        for name in _command("busybox", "--list").split():
            if not (self.root / "bin" / name).is_symlink():
                (self.root / "bin" / name).symlink_to("busybox")
        libraries = next(self.root.glob("lib/*/librc.so.1")).parent
        programs = [path for folder in ("bin", "sbin", "usr/bin", "usr/sbin",
                                        "lib/rc/bin")
                    for path in (self.root / folder).iterdir()
                    if path.is_file() and not path.is_symlink()]
        listed = subprocess.run(
            ["ldd", *programs], capture_output=True, text=True, check=False,
            env={"LD_LIBRARY_PATH": str(libraries)}).stdout
        wanted = {word for line in listed.splitlines()
                  for word in line.split() if word.startswith("/")}
        module = f"/{libraries.relative_to(self.root)}/security/pam_permit.so"
        for name in wanted | {module}:
            name = name.rstrip(":")
            if name.startswith(str(self.root)):
                continue
            to = self.root / name[1:]
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(name, to)

    def _start(self):
        first = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--net", "--fork",
             "--kill-child", f"--mount-proc={self.root}/proc", "chroot",
             self.root, "/bin/sh", "-c", FIRST], stdout=subprocess.PIPE,
            stdin=subprocess.DEVNULL, text=True)
        for line in first.stdout:
            if line == "up\n":
                break
        self._pid = int(_command("pgrep", "-P", str(first.pid)))
        return first

    def run(self, command):
        """A shell command in it: (status, what it said)."""
        done = subprocess.run(
            ["nsenter", "-t", str(self._pid), "-m", "-p", "-n", "chroot",
             self.root, "/bin/sh", "-c", command], capture_output=True,
            text=True, timeout=60, env={"PATH": "/usr/sbin:/usr/bin:/sbin:"
                                        "/bin"}, check=False)
        return done.returncode, done.stdout + done.stderr

    def say(self, command):
        """What a command says that must not fail."""
        status, said = self.run(command)
        assert status == 0, said
        return said.strip()

    def close(self):
        """End all of it."""
        self._first.kill()
        self._first.wait()
        self._first.stdout.close()
