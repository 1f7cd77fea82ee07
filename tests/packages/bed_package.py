# SPDX-License-Identifier: BSD-2-Clause
"""The packages in a container, and what apt and dpkg do with them."""

import hashlib
import os
import subprocess

from bed_units import System

PLUGIN = "libsasl2-modules-mailtoken"
PACKAGES = (PLUGIN, "mailtoken")
DEBS = "/root/debs"
# What apt, dpkg, systemd and Postfix keep of whatever happened.
NOT_OURS = ("dev", "proc", "run", "sys", "tmp", "root", "var/cache",
            "var/lib/apt", "var/lib/dpkg", "var/lib/systemd/random-seed",
            "var/log", "var/tmp")
# Policy leaves it to the package whether its user goes; systemd-sysusers
# takes none away.
USERS = ("etc/group", "etc/group-", "etc/gshadow", "etc/gshadow-",
         "etc/passwd", "etc/passwd-", "etc/shadow", "etc/shadow-",
         "etc/.pwd.lock", "etc/.updated", "var/.updated")


def files(tree):
    """Every file of a tree, and for those of /etc what is in it."""
    found = {}
    for folder, folders, names in os.walk(tree):
        here = os.path.relpath(folder, tree)
        folders[:] = [name for name in folders
                      if os.path.normpath(f"{here}/{name}") not in NOT_OURS]
        for name in (*folders, *names):
            path = os.path.normpath(f"{here}/{name}")
            real = os.path.join(tree, path)
            if path in (*USERS, *NOT_OURS):
                continue
            found[path] = "" if not path.startswith("etc/") or \
                not os.path.isfile(real) or os.path.islink(real) else \
                hashlib.sha256(open(real, "rb").read()).hexdigest()
    return found


def as_debian_has_it(tree):
    """Take away what root_tree changes for tests of the bare units."""
    for name in ("etc/systemd/system-preset", "etc/systemd/user-preset",
                 "etc/dpkg/dpkg.cfg.d/99mmdebstrap"):
        subprocess.run(["rm", "-rf", os.path.join(tree, name)], check=True)


def put(tree, debs):
    """The packages as files, and the same once more as the next version."""
    for number, more in (("1", ""), ("2", "+next")):
        folder = f"{tree}{DEBS}/{number}"
        os.makedirs(folder)
        for name in PACKAGES:
            unpacked = f"{folder}/{name}"
            target = f"{folder}/{name}.deb"
            subprocess.run(["dpkg-deb", "-R", debs.files[name], unpacked],
                           check=True)
            control = f"{unpacked}/DEBIAN/control"
            with open(control) as source:
                lines = [line + more if line.startswith("Version: ") else
                         line for line in source.read().splitlines()]
            with open(control, "w") as out:
                out.write("\n".join(lines) + "\n")
            subprocess.run(["dpkg-deb", "-Znone", "--root-owner-group", "-b",
                            unpacked, target], check=True,
                           stdout=subprocess.DEVNULL)
            subprocess.run(["rm", "-rf", unpacked], check=True)


def fetch(tree, *names):
    """Packages of Debian as files beside them; nothing is installed."""
    subprocess.run(["apt-get", "-q", "download", *names], check=True,
                   cwd=tree + DEBS, capture_output=True)


class Package(System):
    """The system's helper as the packages bring it."""

    def apt(self, *words, check=True):
        """Run apt-get; what it printed."""
        done = self.container.run("apt-get", "-q", "-y", *words,
                                  check=check,
                                  DEBIAN_FRONTEND="noninteractive")
        self.status = done.returncode
        return done.stdout + done.stderr

    def install(self, version="1", check=True):
        """Both packages from their files."""
        return self.apt("--no-install-recommends", "install",
                        *(f"{DEBS}/{version}/{name}.deb"
                          for name in PACKAGES), check=check)

    def is_there(self, path):
        """Whether a path of the container exists."""
        return self.container.run("test", "-e", path,
                                  check=False).returncode == 0

    def active(self, *units):
        """The states of units, a list."""
        return self.container.systemctl("is-active", *units,
                                        check=False).split()
