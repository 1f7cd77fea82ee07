# SPDX-License-Identifier: BSD-2-Clause
"""A user with mail programs: home, runtime directory, programs run as him.

Owns: a directory that looks as a login session's (HOME, XDG_RUNTIME_DIR,
a configuration of mailtoken, so that the plugin is willing) and running
programs with nothing else in the environment.
"""

import os
import pwd
import shutil
import subprocess
import tempfile

import sanitizers
from bed import DEADLINE_S

CYRUS_TOOLS = "/usr/lib/cyrus/bin"


class Person:
    """One user; directory belongs to the account `name`."""

    def __init__(self, sasl_path, name="nobody"):
        self.owner = pwd.getpwnam(name)
        self.directory = tempfile.mkdtemp(prefix="person-")
        self.home = os.path.join(self.directory, "home")
        self.runtime = os.path.join(self.directory, "runtime")
        self.socket = os.path.join(self.runtime, "mailtoken", "socket")
        self.environment = {
            "HOME": self.home, "XDG_RUNTIME_DIR": self.runtime,
            "USER": name, "LOGNAME": name, "LANG": "C.UTF-8",
            "PATH": "/usr/bin:/bin", "TERM": "dumb",
            "SASL_PATH": sasl_path, "SASL_PLUGINDIR": sasl_path}
        for path, mode in ((self.directory, 0o755), (self.home, 0o755),
                           (self.runtime, 0o700),
                           (os.path.dirname(self.socket), 0o700),
                           (os.path.join(self.home, "Mail"), 0o700)):
            os.makedirs(path, exist_ok=True)
            os.chmod(path, mode)
            os.chown(path, self.owner.pw_uid, self.owner.pw_gid)
        self.write(".config/mailtoken/mailtoken.conf", "")

    def remove(self):
        """Remove all of it."""
        shutil.rmtree(self.directory, ignore_errors=True)

    def write(self, name, text):
        """Write a file of the user's below HOME; returns its path."""
        path = os.path.join(self.home, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as out:
            out.write(text)
        os.chmod(path, 0o600)
        at = path
        while at != self.home:
            os.chown(at, self.owner.pw_uid, self.owner.pw_gid)
            at = os.path.dirname(at)
        return path

    def run(self, *argv, stdin="", **environment):
        """Run a program as the user; returns a CompletedProcess."""
        done = subprocess.run(
            argv, input=stdin, capture_output=True, text=True,
            errors="replace", timeout=DEADLINE_S, cwd=self.home,
            env={**self.environment, **sanitizers.environment(),
                 **environment}, user=self.owner.pw_uid,
            group=self.owner.pw_gid, extra_groups=[])
        assert not sanitizers.reports(done.stdout + done.stderr), done.stderr
        return done
