# SPDX-License-Identifier: BSD-2-Clause
"""A relay of its own for tests of the operator.

Owns: namespaces of mounts and processes in which /etc, /var, /run and
libsasl2's folder are copies, a Postfix as Debian ships it, the helper with
its system paths, and a stand-in for systemctl.  Nothing of the machine that
runs the tests is changed.  Network and /tmp are shared: provider and
smarthost run outside.
"""

import os
import re
import secrets
import shutil
import signal
import subprocess
import threading
import time

import pytest

import paths
from bed import DEADLINE_S, scratch, wait_for
from helper_line import ask
from smarthost import Smarthost

ALICE = "alice@example.org"
SCOPE = "mail offline_access openid email"
SOCKET = paths.configured("system_socket")
CONFIG = paths.configured("system_config")
KEYRING = paths.configured("system_keyring")
SASL = paths.configured("sasl_plugindir")
PLUGIN = f"{SASL}/libmailtoken.so"
JAIL = "/var/spool/postfix"
AUTHORITY = "/etc/ssl/test-authority.pem"
# Since 3.9 Postfix fills the jail by itself.
START_POSTFIX = """\
test -e /usr/lib/postfix/syncfiles.pl ||
    sh -e /usr/lib/postfix/configure-instance.sh - && postfix start"""

# Copies of folders: an overlay each, kept in memory.
MOUNTS = """\
set -e
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs /mnt
for folder in /etc /var /usr/bin {sasl}; do
    name=$(echo $folder | tr / _)
    mkdir /mnt/up$name /mnt/work$name
    mount -t overlay -o lowerdir=$folder,upperdir=/mnt/up$name,workdir=\
/mnt/work$name overlay $folder
done
mount -t tmpfs -o mode=755 tmpfs /run
mount -t proc proc /proc
touch /run/ready
exec sleep infinity
"""

MAIN_CF = """\
compatibility_level = 3.6
myhostname = relay.test
mydestination =
alias_maps =
alias_database =
inet_interfaces = loopback-only
inet_protocols = ipv4
smtp_host_lookup = native
smtp_dns_support_level = disabled
maillog_file = /var/log/mail.log
relayhost = [localhost]:{port}
smtp_sasl_auth_enable = yes
smtp_sasl_password_maps = texthash:/etc/postfix/sasl_passwd
smtp_sasl_tls_security_options = noanonymous
smtp_sasl_mechanism_filter = xoauth2
smtp_tls_security_level = secure
smtp_tls_CAfile = {ca}
"""

CONF = """\
allow postfix
provider test
    token_endpoint {url}/token
    device_authorization_endpoint {url}/device
    client_id mail-app
    scope {scope}
    servers localhost
    ca_file {ca}
    flow device
"""

# What our units do, without systemd: starts and stops the helper, and keeps
# in a folder what is enabled.
SYSTEMCTL = """\
#!/bin/sh
umask 022
on=/var/lib/systemctl
mkdir -p $on
case " $* " in *" --user "*) exit 1 ;; esac
now=no
start() {{
    stop
    test -e $on/mailtoken-postfix.socket && jail={jail}{socket} || jail=
    setsid mailtokend --background --user mailtoken --log-level debug \\
        --keyring {keyring} --config {config} --listen {socket} \\
        ${{jail:+--listen $jail}} </dev/null >>/var/log/mailtokend 2>&1
    test -z "$jail" || {{ chgrp postfix $jail; chmod 660 $jail; }}
}}
stop() {{
    for process in /proc/[0-9]*; do
        case $(readlink $process/exe) in
        */mailtokend|*/mailtokend" (deleted)")
            kill ${{process#/proc/}}
            while test -e $process/exe; do sleep 0.02; done ;;
        esac
    done
    rm -f {socket} {jail}{socket}
}}
verb=
for word; do
    case $word in
    --now) now=yes ;;
    -*) ;;
    *) if test -z "$verb"; then verb=$word; continue; fi
       case $verb in
       enable) touch $on/$word; test $now = no || again=yes ;;
       disable) rm -f $on/$word; test $now = no || stop ;;
       start|restart|try-restart|reload-or-restart) again=yes ;;
       stop) stop ;;
       is-enabled) if test -e $on/$word; then echo enabled; else
                       echo disabled; exit 1; fi ;;
       is-active) test -S {socket} || exit 3 ;;
       esac ;;
    esac
done
test -z "$again" || start
exit 0
"""

USERS = {"passwd": "mailtoken:x:990:990::/nonexistent:/usr/sbin/nologin\n",
         "group": "mailtoken:x:990:\n"}


class Relay:
    """One machine; its files are below the path root."""

    def __init__(self, idp, smarthost):
        self.idp = idp
        self.smarthost = smarthost
        self.folder = scratch(self, "machine-")
        os.chmod(self.folder, 0o755)
        for name in ("mailtoken", "mailtokend"):
            os.makedirs(f"{self.folder}/bin", exist_ok=True)
            os.symlink(paths.program(name), f"{self.folder}/bin/{name}")
        self._holder = subprocess.Popen(
            ["unshare", "-m", "-p", "-f", "--kill-child", "sh", "-c",
             MOUNTS.format(sasl=SASL)], stdin=subprocess.DEVNULL)
        self._inner = self._find_inner()
        self.root = f"/proc/{self._inner}/root"
        wait_for(lambda: os.path.exists(self.path("/run/ready")),
                 what="the machine")
        self._furnish()

    def _find_inner(self):
        pid = self._holder.pid
        children = f"/proc/{pid}/task/{pid}/children"

        def look():
            assert self._holder.poll() is None, "no namespaces"
            with open(children) as source:
                return source.read().split()
        return int(wait_for(look, what="the machine's first process")[0])

    # -- files ------------------------------------------------------------

    def path(self, name):
        """A file of the machine, as seen from here."""
        return self.root + name

    def write(self, name, text, mode=0o644, owner=0, group=0):
        """A file; its folder is made."""
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as out:
            out.write(text)
        os.chown(path, owner, group)
        os.chmod(path, mode)

    def read(self, name):
        """What stands in it."""
        with open(self.path(name)) as source:
            return source.read()

    def edit(self, name, old, new):
        """Put new for old, which stands there once."""
        text = self.read(name)
        assert text.count(old) == 1, (name, old, text)
        about = os.stat(self.path(name))
        self.write(name, text.replace(old, new), about.st_mode & 0o7777,
                   about.st_uid, about.st_gid)

    def _furnish(self):
        shutil.copy(paths.module(), self.path(PLUGIN))
        self.run("sed -i 's/^hosts:.*/hosts: files/' /etc/nsswitch.conf")
        for name, line in USERS.items():
            text = self.read(f"/etc/{name}")
            if "\nmailtoken:" not in text:
                self.write(f"/etc/{name}", text + line)
        keyring = os.path.dirname(KEYRING)
        self.run(f"""
            rm -rf {JAIL}/run /etc/mailtoken /run/systemd
            mkdir -p {KEYRING} {os.path.dirname(SOCKET)} \
                {JAIL}{os.path.dirname(SOCKET)} /run/systemd/system
            chmod 700 {KEYRING}
            chown -R mailtoken:mailtoken {keyring} \
                {os.path.dirname(SOCKET)} {JAIL}{os.path.dirname(SOCKET)}
            ls -A /etc/postfix/sasl >/dev/null 2>&1 || true
            """)
        with open("/usr/share/postfix/master.cf.dist") as source:
            master = source.read()
        self.write("/etc/postfix/master.cf",
                   re.sub(r"(?m)^smtp +inet .*\n", "", master))
        self.write("/etc/postfix/main.cf", MAIN_CF.format(
            port=self.smarthost.port, ca=AUTHORITY))
        with open(self.idp.ca_file) as source:
            self.write(AUTHORITY, source.read())
        self.write("/etc/postfix/sasl_passwd",
                   f"[localhost]:{self.smarthost.port} {ALICE}\n")
        self.write(CONFIG, CONF.format(url=self.idp.url, scope=SCOPE,
                                       ca=AUTHORITY))
        self.write("/usr/bin/systemctl", SYSTEMCTL.format(
            jail=JAIL, socket=SOCKET, keyring=KEYRING, config=CONFIG), 0o755)

    # -- records ----------------------------------------------------------

    def seed(self, account=ALICE, seeded=None, **more):
        """A record of a sign-in; give a value of None to leave one out."""
        now = int(time.time())
        seeded = seeded or self.idp.seed(account, scope=SCOPE)
        record = {
            "account": account, "provider": "test", "flow": "device",
            "token-host": f"localhost:{self.idp.port}",
            "client-id": "mail-app",
            "token-endpoint": f"{self.idp.url}/token",
            "scope": SCOPE, "serial": secrets.token_hex(8),
            "refresh-token": seeded.refresh_token,
            "access-token": seeded.access_token,
            "expires": now + 3600, "granted": 3600, "refreshed": now,
            "signed-in": now, "state": "active"}
        record.update({k.replace("_", "-"): v for k, v in more.items()})
        self.write(f"{KEYRING}/{account}", "mailtoken-entry=1\n" + "".join(
            f"{name}={value}\n" for name, value in record.items()
            if value is not None) + "\n", 0o600, 990, 990)
        return seeded

    # -- life -------------------------------------------------------------

    def argv(self, *words):
        """words, to be run in the machine."""
        return ["nsenter", "-t", str(self._inner), "-m", "-p", "env", "-i",
                f"PATH={self.folder}/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "LC_ALL=C.UTF-8", "TERM=dumb",
                *(f"{k}={v}" for k, v in os.environ.items()
                  if k.startswith(("ASAN_", "UBSAN_", "LSAN_"))), *words]

    def run(self, command, **options):
        """A line for the shell, as root; what came of it."""
        return subprocess.run(self.argv("sh", "-c", command), text=True,
                              stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=DEADLINE_S,
                              check=False, **options)

    def type(self, command):
        """What a human types; who is asked to sign in does so as ALICE."""
        child = subprocess.Popen(self.argv("sh", "-c", command), text=True,
                                 stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT)
        guard = threading.Timer(DEADLINE_S, child.send_signal,
                                (signal.SIGTERM,))
        guard.start()
        said = ""
        with child:
            for line in child.stdout:
                said += line
                if line.startswith("user-code="):
                    self.idp.approve(line.strip().split("=", 1)[1], ALICE)
        guard.cancel()
        return child.returncode, said

    def start(self, postfix=True):
        """The helper and Postfix; returns self."""
        done = self.run("systemctl enable --now mailtoken-postfix.socket "
                        "mailtoken.socket mailtokend.service")
        assert os.path.exists(self.path(SOCKET)), (done, self.helper_log())
        if postfix:
            done = self.run(START_POSTFIX)
            assert done.returncode == 0, done
        return self

    def restart(self):
        """The helper, after an edit it would not see by itself."""
        self.run("systemctl restart mailtokend.service")

    def ask(self, verb, **attributes):
        """One request to the helper as root."""
        return ask(self.path(SOCKET), verb, **attributes)

    def helper_log(self):
        try:
            return self.read("/var/log/mailtokend")
        except FileNotFoundError:
            return ""

    def end(self):
        """Leave nothing running."""
        self._holder.kill()
        self._holder.wait()


@pytest.fixture
def smarthost(idp):
    """A submission server that takes the tokens of idp."""
    with Smarthost(idp.introspect, idp.authority.directory) as server:
        server.auth_line_max = 70000
        yield server


@pytest.fixture
def relays(idp, smarthost):
    """Make machines; all of them are ended afterwards."""
    if os.geteuid() != 0 or subprocess.run(
            ["unshare", "-m", "-p", "-f", "true"], check=False).returncode:
        pytest.skip("needs root and namespaces")
    if not paths.module().exists():
        pytest.skip(f"{paths.module()} is not built")
    made = []

    def make():
        made.append(Relay(idp, smarthost))
        return made[-1]

    yield make
    for one in made:
        one.end()


@pytest.fixture
def relay(relays):
    """A machine whose helper and Postfix have not been started."""
    return relays()
