# SPDX-License-Identifier: BSD-2-Clause
"""The real mailtokend of its own for tests, started by root.

Owns: configuration, keyring and sockets below a temporary directory, the
sign-in of an account through mailtoken(1), reading entries of the
keyring.  It runs as another user and never uses /etc/mailtoken.
"""

import os
import pwd
import signal
import subprocess
import threading

import paths
from bed import DEADLINE_S, age_record, wait_for
from bed_process import ServerProcess
from helper_line import all_answer, ask

CONFIG = """\
allow postfix
provider test
    token_endpoint {url}/token
    device_authorization_endpoint {url}/device
    revocation_endpoint {url}/revoke
    client_id mail-app
    servers localhost
    ca_file {ca}
    flow device
{more}
"""


class Mailtokend(ServerProcess):
    """One helper; sockets: paths besides its own where it listens."""

    def __init__(self, idp, sockets=(), user="nobody", more="",
                 daemon=None, command=None):
        super().__init__("mailtokend-")
        self.user = pwd.getpwnam(user)
        self.daemon = str(daemon or paths.program("mailtokend"))
        self.command = str(command or paths.program("mailtoken"))
        self.socket = self.path("run", "socket")
        self.sockets = [self.socket, *map(str, sockets)]
        self.keyring = self.path("keyring")
        self.log_file = self.path("output")
        self._idp = idp
        os.mkdir(self.keyring, 0o700)
        os.chown(self.keyring, self.user.pw_uid, self.user.pw_gid)
        self.configure(more)

    def configure(self, more=""):
        """Write the configuration, with more text at its end."""
        self.config = self.write("mailtoken.conf", CONFIG.format(
            url=self._idp.url, ca=self._idp.ca_file, more=more))

    def start(self):
        """Start and wait until it answers.  Returns self."""
        open(self.log_file, "ab").close()
        about = os.stat(self.log_file)
        argv = [self.daemon, "--config", self.config, "--keyring",
                self.keyring, "--user", self.user.pw_name, "--log-level",
                "debug"]
        for path in self.sockets:
            # Root's to make: it is no root any more when it listens.
            os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
            os.chown(os.path.dirname(path), self.user.pw_uid,
                     self.user.pw_gid)
            argv += ["--listen", path]
        # So that it logs to the file even where there is a syslog.
        self.launch(*argv, env={
            "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
            # A process that may not be traced cannot look for leaks.
            "ASAN_OPTIONS": "detect_leaks=0",
            "JOURNAL_STREAM": f"{about.st_dev}:{about.st_ino}"})
        wait_for(lambda: not self.alive() or all_answer(self.sockets))
        if not self.alive():
            self.end()
            raise AssertionError("mailtokend ended: " + self.log())
        return self

    def run(self, *words):
        """Run mailtoken(1) as root against this helper."""
        return subprocess.run([self.command, "--socket", self.socket, *words],
                              capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=DEADLINE_S)

    def token(self, account, path=None, server="localhost"):
        """Ask for a token as root; the answer as a dict."""
        return ask(path or self.socket, "token", account=account,
                   server=server, service="smtp", mechanism="XOAUTH2")

    def login(self, account, approve, *words):
        """Sign in by device code; approve(user code, uri) is the person.

        Returns all that mailtoken printed."""
        child = subprocess.Popen(
            [self.command, "--socket", self.socket, "login", account,
             "--provider", "test", "--flow", "device", *words],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True)
        guard = threading.Timer(DEADLINE_S, child.send_signal,
                                (signal.SIGTERM,))
        guard.start()
        said, shown = "", {}
        with child:
            for line in child.stdout:
                said += line
                name, _, value = line.rstrip("\n").partition("=")
                shown.setdefault(name, value)
                if "user-code" in shown and "verification-uri" in shown:
                    approve(shown.pop("user-code"),
                            shown.pop("verification-uri"))
        guard.cancel()
        if child.returncode != 0:
            raise AssertionError(f"mailtoken login: {said}\n{self.log()}")
        return said

    def entry(self, account):
        """The keyring's file of an account as a dict."""
        with open(os.path.join(self.keyring, account)) as source:
            return dict(line.split("=", 1)
                        for line in source.read().splitlines() if line)

    def age(self, account):
        """Make the saved access token an expired one; not while it runs."""
        age_record(os.path.join(self.keyring, account))
