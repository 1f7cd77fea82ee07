# SPDX-License-Identifier: BSD-2-Clause
"""mailtoken as its units run it in a container.

Owns: configuration files, drop-ins, the command in the container, the
sign-in of an account, entries of the keyring.  Boots nothing.
"""

import os
import shutil
import subprocess

import paths
from bed import age_record, wait_for

SERVICE = "mailtokend.service"
SOCKET = "mailtoken.socket"
POSTFIX_SOCKET = "mailtoken-postfix.socket"
JAIL = "/var/spool/postfix"
USER = "alice@example.org"

PROVIDER = """\
provider test
    token_endpoint {url}/token
    device_authorization_endpoint {url}/device
    client_id mail-app
    servers localhost
    ca_file {ca}
    {more}
"""


def read_lists(text):
    """name=value lines as a dict; the last of a name counts."""
    return dict(line.split("=", 1) for line in text.splitlines()
                if "=" in line)


class Commands:
    """mailtoken(1) in a container, as one of its users."""

    def __init__(self, container, idp, options=(), user=None, **environment):
        self.container = container
        self.idp = idp
        self._options = list(options)
        self._user = user
        self._environment = environment

    def run(self, *words, check=False):
        """Run the command; the result as of subprocess.run()."""
        return self.container.run("mailtoken", *self._options, *words,
                                  check=check, user=self._user,
                                  **self._environment)

    def start(self, *words, stdin=subprocess.DEVNULL):
        """The command as a process that is under way."""
        return subprocess.Popen(
            self.container.argv("mailtoken", *self._options, *words,
                                user=self._user),
            env=self.container.environment(**self._environment),
            stdin=stdin, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True)

    def token(self, account=USER):
        """A token for the mail server; the test fails without one."""
        return self.run("token", account, "--server", "localhost",
                        check=True).stdout.strip()

    def login(self, account=USER, provider="test"):
        """Sign in by device code; the person agrees at once."""
        child = self.start("login", account, "--provider", provider,
                           "--flow", "device")
        said = ""
        with child:
            for line in child.stdout:
                said += line
                name, _, value = line.rstrip("\n").partition("=")
                if name == "user-code":
                    self.idp.approve(value, account)
        assert child.returncode == 0, said
        return said


class System(Commands):
    """The system's helper under its units."""

    def __init__(self, container, idp):
        super().__init__(container, idp)
        self.socket = paths.configured("system_socket")
        self.jail_socket = JAIL + self.socket
        self.keyring = paths.configured("system_keyring")
        self.config = paths.configured("system_config")

    def at(self, path):
        """The command that asks at another socket."""
        return Commands(self.container, self.idp, ["--socket", path])

    def by(self, user, path=None):
        """The command as another user, "name:group" in one more group."""
        return Commands(self.container, self.idp,
                        ["--socket", path or self.socket], user)

    # -- files ------------------------------------------------------------

    def file(self, path):
        """A file below /etc or /var, as seen from here."""
        return self.container.tree + path

    def write(self, path, text, mode=0o644):
        """Write a file of the container."""
        where = self.file(path)
        os.makedirs(os.path.dirname(where), exist_ok=True)
        with open(where + ".new", "w") as out:
            out.write(text)
        os.chmod(where + ".new", mode)
        os.rename(where + ".new", where)

    def configure(self, more="", top="", provider=PROVIDER):
        """Write a good configuration; more: lines of the provider."""
        folder = os.path.dirname(self.config)
        with open(self.idp.ca_file) as source:
            self.write(folder + "/ca.pem", source.read())
        self.write(self.config, "allow postfix\n" + top +
                   provider.format(url=self.idp.url, more=more,
                                   ca=folder + "/ca.pem"))

    def drop_in(self, text):
        """Change the service; reset() takes it away."""
        self.write(f"/etc/systemd/system/{SERVICE}.d/test.conf",
                   f"[Service]\n{text}\n")
        self.container.systemctl("daemon-reload")

    def entry(self, account=USER):
        """The keyring's file of an account as a dict."""
        with open(f"{self.file(self.keyring)}/{account}") as source:
            return read_lists(source.read())

    def age(self, account=USER):
        """Make the saved token an expired one; not while it runs."""
        age_record(f"{self.file(self.keyring)}/{account}")

    # -- life -------------------------------------------------------------

    def reset(self):
        """As after the installation: nothing enabled, no keyring."""
        units = (SOCKET, POSTFIX_SOCKET, SERVICE, "mailtoken-renew.timer")
        self.container.systemctl("disable", "--now", "--quiet", *units)
        shutil.rmtree(self.file(f"/etc/systemd/system/{SERVICE}.d"),
                      ignore_errors=True)
        self.container.systemctl("daemon-reload")
        # Else many tests in a few seconds look like a crash loop.
        self.container.systemctl("reset-failed", check=False)
        shutil.rmtree(self.file(self.keyring), ignore_errors=True)
        self.idp.clear_faults()
        self.idp.set(access_life=3600)
        self.configure()

    def enable(self, *units):
        """Enable and start units."""
        self.container.systemctl("enable", "--now", "--quiet", *units)

    def add_postfix_socket(self):
        """What mailtokend(8) says to type where a helper may run."""
        self.container.systemctl("stop", SERVICE, SOCKET)
        self.enable(POSTFIX_SOCKET, SOCKET, SERVICE)

    def pid(self):
        """The helper's pid in the container; 0 when it does not run."""
        return int(self.container.show(SERVICE, "MainPID"))

    def refreshes(self):
        """How many refreshes the provider has seen."""
        return self.idp.counts["refresh_token"]

    def wait_refresh(self, n):
        """Wait until the provider has seen n refreshes."""
        wait_for(lambda: self.refreshes() >= n, what=f"{n} refreshes")
