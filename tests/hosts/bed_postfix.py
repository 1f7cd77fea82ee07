# SPDX-License-Identifier: BSD-2-Clause
"""A Postfix of its own for tests, with a chrooted smtp(8).

Owns: configuration, queue and data directory below a temporary
directory, master.cf as Debian distributes it but without network
listeners and with a jail, mail log, sending and the queue.  Touches neither
/etc/postfix nor a Postfix that runs.
"""

import json
import os
import pwd
import re
import shutil
import subprocess

import sanitizers
from bed import wait_for
from bed_process import ServerProcess

MASTER_CF = "/usr/share/postfix/master.cf.dist"
FILLER = "/usr/lib/postfix/configure-instance.sh"
JAIL_SOCKET = "/run/mailtoken/socket"    # as smtp(8) sees it
REPORTS = "/reports/asan"                # of sanitizers, in the jail

DIED = re.compile(r"killed by signal|bad command startup|malformed")

USER = "alice@example.org"

SETTINGS = {
    "compatibility_level": "3.6",
    "myhostname": "relay.test",
    "mydestination": "",
    "alias_maps": "",
    "alias_database": "",
    "inet_interfaces": "loopback-only",
    "inet_protocols": "ipv4",
    "smtp_host_lookup": "native",
    "smtp_dns_support_level": "disabled",
    # With "::1 localhost" in /etc/hosts that name has 127.0.0.1 twice; the
    # second would be tried at once and hide that the first failed.
    "smtp_mx_address_limit": "1",
    "smtp_tls_security_level": "secure",
    "smtp_sasl_auth_enable": "yes",
    "smtp_sasl_tls_security_options": "noanonymous",
    "smtp_sasl_mechanism_filter": "xoauth2",
    # A relay that failed is tried again soon.  With 1 s the queue manager
    # may meet a message whose delivery agent has not let go of it, and then
    # ("skipped, still being delivered") it stays where it is.
    "queue_run_delay": "1s",
    "minimal_backoff_time": "2s",
    "maximal_backoff_time": "3s",
}


class Postfix(ServerProcess):
    """One instance.

    relay   (host, port, CA file) of the smarthost
    user    right side of smtp_sasl_password_maps for every sender
    sasl_path  directories with SASL plugins; None: the system's
    socket  MAILTOKEN_SOCKET as seen in the jail; None: not set
    settings  more of main.cf; None drops one"""

    def __init__(self, relay, user=USER, sasl_path=None,
                 socket=JAIL_SOCKET, settings=None):
        super().__init__("postfix-")
        self.config = self.path("etc")
        self.jail = self.path("queue")
        self.log_file = self.path("mail.log")
        self._sent = 0
        self._awaited = []      # whose end the log must tell
        host, port, ca_file = relay
        self.settings = {
            **SETTINGS,
            "queue_directory": self.jail,
            "data_directory": self.path("data"),
            "maillog_file": self.log_file,
            "maillog_file_prefixes": self.directory,
            "relayhost": f"[{host}]:{port}",
            "smtp_tls_CAfile": ca_file,
            "smtp_sasl_password_maps": f"static:{user}",
            "import_environment": self._environment(sasl_path, socket),
            **(settings or {})}
        self._make()

    @staticmethod
    def _environment(sasl_path, socket):
        words = ["MAIL_CONFIG", "MAIL_LOGTAG", "TZ", "LANG=C"]
        if sasl_path:
            words += [f"{name}={sasl_path}"
                      for name in ("SASL_PATH", "SASL_PLUGINDIR")]
            words += [f"{name}={value}" for name, value in
                      sanitizers.environment(REPORTS).items()]
        if socket:
            words.append(f"MAILTOKEN_SOCKET={socket}")
        return " ".join(words)

    def _make(self):
        for name in ("etc", "queue", "data"):
            os.mkdir(self.path(name), 0o755)
        owner = pwd.getpwnam("postfix")
        os.chown(self.path("data"), owner.pw_uid, -1)
        with open(MASTER_CF) as source:
            master = source.read()
        master = re.sub(r"(?m)^smtp +inet .*\n", "", master)
        # Debian's Postfix is in no jail any more since 3.11.
        self.write("etc/master.cf", re.sub(
            r"(?m)^((?:smtp|relay) +unix +- +- +)n", r"\1y", master))
        os.makedirs(os.path.dirname(self.jail + REPORTS))
        os.chmod(os.path.dirname(self.jail + REPORTS), 0o777)
        self.configure()

    def configure(self, **changes):
        """Write main.cf, with changes; reload() tells Postfix, too."""
        self.settings.update(changes)
        self.write("etc/main.cf", "".join(
            f"{name} = {value}\n" for name, value in self.settings.items()
            if value is not None))

    def in_jail(self, path=JAIL_SOCKET):
        """The path outside of the jail; makes its directory."""
        outside = self.jail + path
        os.makedirs(os.path.dirname(outside), exist_ok=True)
        return outside

    def fill_jail(self):
        """Copy into the jail what Debian's start script copies.

        Since 3.9 Postfix does that by itself, and has this script."""
        if os.path.exists(os.path.dirname(FILLER) + "/syncfiles.pl"):
            return
        subprocess.run(["sh", "-e", FILLER, "-"], check=True,
                       env={**os.environ, "MAIL_CONFIG": self.config},
                       stdout=subprocess.DEVNULL)

    def empty_jail(self):
        """Remove everything that is not Postfix's queue or our socket."""
        for name in ("etc", "lib", "usr", "dev"):
            shutil.rmtree(os.path.join(self.jail, name), ignore_errors=True)

    def jail_has(self):
        """The names at the top of the jail."""
        return set(os.listdir(self.jail))

    def crashes(self):
        """What the log and the sanitizers say of processes that died."""
        found = [line for line in self.log().splitlines()
                 if DIED.search(line)]
        folder = os.path.dirname(self.jail + REPORTS)
        for name in os.listdir(folder):
            with open(os.path.join(folder, name)) as report:
                found.append(report.read())
        return found + sanitizers.reports(self.output())

    # -- life -------------------------------------------------------------

    def start(self, filled=True):
        """Start; filled: with Debian's files in the jail.  Returns self."""
        if filled:
            self.fill_jail()
        self.launch("/usr/sbin/postfix", "-c", self.config, "start-fg")
        try:
            self.wait_log(r"daemon started -- version")
            wait_for(lambda: os.path.exists(self.jail + "/public/pickup"))
        except BaseException:
            self.end()
            raise
        return self

    def reload(self, **changes):
        """Change main.cf and have Postfix read it."""
        count = self.log().count("reload -- version")
        self.configure(**changes)
        subprocess.run(["/usr/sbin/postfix", "-c", self.config, "reload"],
                       check=True, capture_output=True)
        wait_for(lambda: self.log().count("reload -- version") > count,
                 what="the reload")

    def main_pid(self):
        with open(self.jail + "/pid/master.pid") as source:
            return int(source.read())

    # -- mail -------------------------------------------------------------

    def send(self, sender=USER,
             recipient="bob@example.net", text="Good day.\n"):
        """Queue one message; returns its Message-ID without brackets."""
        self._sent += 1
        ident = f"{os.getpid()}.{self._sent}@relay.test"
        self._awaited.append(ident)
        message = (f"From: {sender}\nTo: {recipient}\n"
                   f"Subject: test {self._sent}\n"
                   f"Message-ID: <{ident}>\n\n{text}")
        subprocess.run(["/usr/sbin/sendmail", "-C", self.config, "-i", "-f",
                        sender, recipient], input=message.encode(),
                       check=True)
        return ident

    def queue(self):
        """What postqueue -j tells: a list of messages."""
        done = subprocess.run(["/usr/sbin/postqueue", "-c", self.config,
                               "-j"], capture_output=True, text=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def wait_status(self, status, n=1):
        """Wait for the n-th delivery with this status.

        Returns its log line."""
        return self.wait_log(rf"^.* status={status} .*$", n)[0]

    def discard(self):
        """Throw away what is in the queue."""
        subprocess.run(["/usr/sbin/postsuper", "-c", self.config, "-d",
                        "ALL"], check=True, capture_output=True)
        self._awaited.clear()

    def hold(self):
        """Keep what is in the queue from being tried until release(): a
        reload in the middle of a delivery leaves the message behind."""
        subprocess.run(["/usr/sbin/postsuper", "-c", self.config, "-h",
                        "ALL"], check=True, capture_output=True)
        wait_for(lambda: all(one["queue_name"] == "hold"
                             for one in self.queue()), what="the hold")

    def release(self):
        """The end of hold()."""
        subprocess.run(["/usr/sbin/postsuper", "-c", self.config, "-H",
                        "ALL"], check=True, capture_output=True)

    def _is_done(self):
        """Whether nothing is left, and the log says so: another process
        writes it, and nothing of these messages comes after that."""
        if self.queue():
            return False
        log = self.log()
        return all(re.search(rf" ([0-9A-F]+): message-id=<{ident}>\n"
                             r"(?s:.*) \1: removed", log)
                   for ident in self._awaited)

    def wait_empty(self):
        """Wait until the queue is empty, or make it so and complain."""
        try:
            wait_for(self._is_done, what="an empty queue")
        except TimeoutError:
            self.discard()
            raise
