# SPDX-License-Identifier: BSD-2-Clause
"""Where the things under test are.

MAILTOKEN_BUILD names the top build directory; without it the top source
directory is taken, as after a build inside the tree.  With
MAILTOKEN_INSTALLED the programs and the plugin are those of this machine's
packages.  Decides nothing about what is done with a thing that is missing:
callers skip or fail.
"""

import glob
import os
import re
import shutil
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("MAILTOKEN_BUILD") or SOURCE).resolve()
INSTALLED = bool(os.environ.get("MAILTOKEN_INSTALLED"))

# What configure takes when it is told nothing, by name in the Makefile.
DEFAULTS = {
    "system_socket": "/run/mailtoken/socket",
    "system_keyring": "/var/lib/mailtoken/keyring",
    "system_config": "/etc/mailtoken/mailtoken.conf",
    "SANITIZE_CFLAGS": "",
    "sasl_plugindir": "/usr/lib/sasl2",
    "libdir": "/usr/lib",
    "pkglibexecdir": "/usr/libexec/mailtoken",
    "exec_prefix": "/usr",
    "prefix": "/usr",
    "CC": "cc",
}


def program(relative):
    """A built program; for one that libtool wraps, the real one."""
    if INSTALLED and shutil.which(relative):
        return Path(shutil.which(relative))
    path = BUILD / relative
    real = path.parent / ".libs" / path.name
    return real if real.exists() else path


def module():
    """The plugin as it is installed."""
    for path in glob.glob("/usr/lib/*/sasl2/libmailtoken.so"):
        if INSTALLED:
            return Path(path)
    return BUILD / "plugin" / ".libs" / "libmailtoken.so"


def host():
    """The test program that drives libsasl2."""
    return program("tests/plugin/host")


def configured(name):
    """A variable of the Makefile that configure wrote."""
    makefile = BUILD / "Makefile"
    if makefile.exists():
        found = re.search(rf"^{name} = ?(.*)$", makefile.read_text(), re.M)
        if found:
            return _expand(found.group(1).strip())
    return DEFAULTS[name]


def _expand(value):
    return re.sub(r"\$\{(\w+)\}|\$\((\w+)\)",
                  lambda m: configured(m.group(1) or m.group(2)), value)


def sanitized():
    """Whether the build is one with sanitizers."""
    return configured("SANITIZE_CFLAGS") != ""
