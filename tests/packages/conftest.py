# SPDX-License-Identifier: BSD-2-Clause
"""The Debian packages, built once for all tests."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
TOP = HERE.parents[1]
sys.path.insert(0, str(HERE.parent / "lib"))

import paths                                            # noqa: E402
sys.path.insert(0, str(HERE))

from bed_container import idp, network      # noqa: E402,F401
from bed_setup import smarthost             # noqa: E402,F401

BUILD_MAX_S = 900


class Debs:
    """What packaging/build-deb made: files by the package's name."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.files = {path.name.split("_")[0]: path
                      for path in self.folder.glob("*.deb")}
        self.changes = next(self.folder.glob("*.changes"))

    def control(self, package, field):
        """A field of a package, "" without it."""
        return subprocess.run(
            ["dpkg-deb", "-f", self.files[package], field],
            capture_output=True, text=True, check=True).stdout.strip()

    def contents(self, package):
        """(mode, owner, path) of each file."""
        listed = subprocess.run(
            ["dpkg-deb", "-c", self.files[package]], capture_output=True,
            text=True, check=True).stdout
        return [(words[0], words[1], words[5][1:])
                for words in map(str.split, listed.splitlines())]

    def script(self, package, name):
        """The text of a maintainer's script."""
        return subprocess.run(
            ["dpkg-deb", "-I", self.files[package], name],
            capture_output=True, text=True, check=True).stdout


def build(folder, **environment):
    """Build without the tests, which the other stages run."""
    made = subprocess.run(
        [TOP / "packaging" / "build-deb", folder], capture_output=True,
        text=True, timeout=BUILD_MAX_S,
        env={**os.environ, "DEB_BUILD_OPTIONS": "nocheck", **environment})
    assert made.returncode == 0, made.stdout + made.stderr
    return Debs(folder)


def installed(folder):
    """What "make install" puts there, named as with --prefix=/usr and
    PLUGINDIR, whatever this build's directories are."""
    subprocess.run(["make", "-C", paths.BUILD, "-s", "install",
                    f"DESTDIR={folder}"], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    places = {r"^/usr/local/": "/usr/", r"^/lib/systemd/": "/usr/lib/systemd/",
              r"^/usr/lib.*/sasl2/": "PLUGINDIR/"}
    found = set()
    for path in folder.rglob("*"):
        if path.is_file():
            name = f"/{path.relative_to(folder)}"
            for pattern, place in places.items():
                name = re.sub(pattern, place, name)
            found.add(name)
    return found


@pytest.fixture(scope="session")
def debs(tmp_path_factory):
    """The packages of this tree, or those in MAILTOKEN_DEBS."""
    if "MAILTOKEN_DEBS" in os.environ:
        return Debs(os.environ["MAILTOKEN_DEBS"])
    for tool in ("dpkg-buildpackage", "dh", "dh_apparmor"):
        if shutil.which(tool) is None:
            pytest.skip(f"there is no {tool}")
    return build(tmp_path_factory.mktemp("debs"))
