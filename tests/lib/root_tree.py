# SPDX-License-Identifier: BSD-2-Clause
"""A small Debian to boot: the same release as this machine, and mailtoken.

Owns: making the tree with mmdebstrap from the package source that this
machine uses, keeping it, copying it, installing the build into the copy.
Boots nothing.  MAILTOKEN_CACHE names a directory where the tree is kept,
MAILTOKEN_DEBIAN another release.
"""

import glob
import hashlib
import os
import shutil
import subprocess
import tempfile
import uuid

import paths

PACKAGES = (
    "systemd", "systemd-sysv", "dbus", "libpam-systemd", "passwd", "mount",
    "libcurl4", "libevent-core-2.1-7", "libevent-extra-2.1-7", "libjansson4",
    "libssl3", "libqrencode4", "ca-certificates", "apt",
    "postfix", "libsasl2-2", "libsasl2-modules", "tini")

OTHER_RELEASE = os.environ.get("MAILTOKEN_DEBIAN")

LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*",
            "/usr/share/info/*")

# As an installed machine has them; the services of Debian start at will.
FILES = {
    "etc/hosts": "127.0.0.1 localhost\n::1 localhost\n",
    "etc/hostname": "relay\n",
    "etc/resolv.conf": "",
    # "enable *" is Debian's default: units would be on before a test asks.
    "etc/systemd/system-preset/00-test.preset": "disable *\n",
    "etc/systemd/user-preset/00-test.preset": "disable *\n",
}


class CannotMake(Exception):
    """This machine cannot make the tree; the text says why."""


def _apt_sources():
    """What tells apt where packages are: files, or the mirror."""
    if OTHER_RELEASE:
        return subprocess.run(
            ["apt-get", "indextargets", "--format", "$(REPO_URI)",
             "Created-By: Packages", "Label: Debian"], capture_output=True,
            text=True, check=True).stdout.split()[:1]
    found = ["/etc/apt/sources.list"]
    for pattern in ("*.list", "*.sources"):
        found += sorted(glob.glob("/etc/apt/sources.list.d/" + pattern))
    return [path for path in found
            if os.path.exists(path) and os.path.getsize(path)]


def _apt_options():
    """How apt fetches here: proxies, checks of dates and the like."""
    done = subprocess.run(["apt-config", "dump"], capture_output=True,
                          text=True, check=True)
    return "".join(line + "\n" for line in done.stdout.splitlines()
                   if line.startswith("Acquire::"))


def _release():
    if OTHER_RELEASE:
        return OTHER_RELEASE
    with open("/etc/os-release") as source:
        pairs = dict(line.rstrip().split("=", 1) for line in source
                     if "=" in line)
    if pairs.get("ID") != "debian":
        raise CannotMake("this machine is not Debian")
    return pairs["VERSION_CODENAME"]


def _make(tree, release):
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as options:
        options.write(_apt_options())
        options.flush()
        done = subprocess.run(
            ["mmdebstrap", "--quiet", "--mode=root", "--variant=essential",
             f"--aptopt={options.name}", f"--include={','.join(PACKAGES)}",
             *(f"--dpkgopt=path-exclude={p}" for p in LEFT_OUT),
             release, tree, *_apt_sources()],
            stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-5:])
        raise CannotMake(f"mmdebstrap cannot make a Debian: {tail}")


def base_tree(scratch):
    """The tree without mailtoken, from the cache or made in scratch."""
    if not shutil.which("mmdebstrap"):
        raise CannotMake("mmdebstrap is not installed")
    release = _release()
    word = hashlib.sha256(" ".join((release, *PACKAGES)).encode())
    name = f"units-{release}-{word.hexdigest()[:12]}"
    cache = os.environ.get("MAILTOKEN_CACHE") or str(scratch)
    tree = os.path.join(cache, name)
    if os.path.isdir(tree):
        return tree
    os.makedirs(cache, exist_ok=True)
    half = f"{tree}.{os.getpid()}"
    try:
        _make(half, release)
        try:
            os.rename(half, tree)
        except OSError:
            pass    # another run was faster
    finally:
        remove(half)
    return tree


def remove(tree):
    """Remove a tree, nothing of which may be mounted."""
    if os.path.isdir(tree):
        subprocess.run(["rm", "-rf", "--one-file-system", tree], check=True)


def copy(base, tree):
    """A tree of one's own, with a machine id so that no boot is a first."""
    subprocess.run(["cp", "-a", "--reflink=auto", base, tree], check=True)
    for name, text in {**FILES, "etc/machine-id": uuid.uuid4().hex +
                       "\n"}.items():
        path = os.path.join(tree, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as out:
            out.write(text)


def install(tree):
    """What the Makefile installs, put into the tree."""
    done = subprocess.run(["make", "-s", "-C", str(paths.BUILD), "install",
                           f"DESTDIR={tree}"], capture_output=True,
                          text=True)
    if done.returncode:
        raise AssertionError(f"make install: {done.stdout}{done.stderr}")
