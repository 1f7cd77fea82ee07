# SPDX-License-Identifier: BSD-2-Clause
"""The blocks of mailtoken setup PROGRAM in the programs themselves.

They are pasted as they are printed; only the servers are those of the
tests, on ports of their own, with an authority of their own.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

import paths
from bed import DEADLINE_S
from bed_dovecot import Dovecot
from bed_mailtokend import Mailtokend
from clients import Person
from idp import Idp
from smarthost import Smarthost

# Not with sanitizers: their runtime would be in all these programs.
pytestmark = pytest.mark.slow

ALICE = "alice@example.org"
MAIL = f"From: {ALICE}\nTo: bob@example.net\nSubject: hi\n\nHello.\n"


class Desk(Person):
    """A user with programs, and the servers that they talk to."""

    def __init__(self, idp, dovecot, smarthost, helper):
        super().__init__("/nowhere", helper.user.pw_name)
        self.dovecot, self.smarthost = dovecot, smarthost
        self.ca_file = idp.ca_file
        os.symlink(paths.program("mailtoken"),
                   os.path.join(self.directory, "mailtoken"))
        self.environment |= {
            "MAILTOKEN_SOCKET": helper.socket,
            "PATH": f"{self.directory}:/usr/bin:/bin:/usr/sbin:/sbin"}

    def block(self, name):
        """What is printed for a program, with the servers of the tests."""
        done = self.run("mailtoken", "setup", name, ALICE)
        assert done.returncode == 0, done.stderr
        assert "not installed" not in done.stdout
        text = done.stdout
        text = text.replace("imap.example.com/", "imap.example.com:"
                            f"{self.dovecot.imaps}/")
        text = text.replace(":587", f":{self.smarthost.port}")
        text = text.replace("port 587", f"port {self.smarthost.port}")
        for name in ("imap", "smtp"):
            text = text.replace(f"{name}.example.com", "localhost")
        return text

    def sent(self, before):
        """What the smarthost has got beyond that many."""
        message = self.smarthost.messages.wait(before + 1)[-1]
        assert message.user == ALICE
        return message.data


@pytest.fixture(scope="module")
def desk():
    if os.geteuid() != 0:
        pytest.skip("needs root: Dovecot changes its uid")
    os.umask(0o022)
    with Idp(interval=1) as idp:
        # What comes in two TLS records Dovecot may leave unread for ever.
        idp.set(access_length=400)
        os.chmod(idp.authority.directory, 0o755)
        with Dovecot(idp, 1) as dovecot, Mailtokend(idp) as helper, \
                Smarthost(idp.introspect,
                          idp.authority.directory) as smarthost:
            smarthost.auth_line_max = 70000
            helper.login(ALICE, lambda code, _: idp.approve(code, ALICE))
            desk = Desk(idp, dovecot, smarthost, helper)
            yield desk
            desk.remove()


def needed(program):
    """Skip without it."""
    if shutil.which(program) is None:
        pytest.skip(f"no {program}")


@pytest.mark.parametrize("program", ["mutt", "neomutt"])
def test_mutt_sends_and_reads(desk, program):
    needed(program)
    before = len(desk.smarthost.messages)
    rc = desk.write("muttrc", desk.block(program) +
                    "set tmpdir=~\nset record=\"\"\n"
                    f"set certificate_file=\"{desk.ca_file}\"\n"
                    f"set ssl_ca_certificates_file=\"{desk.ca_file}\"\n")
    done = desk.run(program, "-F", rc, "-s", "hi", "bob@example.net",
                    stdin="Hello from it\n")
    assert done.returncode == 0, done.stdout + done.stderr
    assert b"Hello from it" in desk.sent(before)
    desk.dovecot.mark()
    desk.run("script", "-qec", f"{program} -F {rc} -e 'push <exit>'",
             "/dev/null", TERM="xterm", SHELL="/bin/sh")
    desk.dovecot.wait_log(rf"imap-login: Info: Log(in|ged in): user=<{ALICE}>")


def test_msmtp_sends(desk):
    needed("msmtp")
    before = len(desk.smarthost.messages)
    desk.write(".msmtprc", desk.block("msmtp") +
               f"tls_trust_file {desk.ca_file}\n")
    done = desk.run("msmtp", "-a", ALICE, "bob@example.net", stdin=MAIL)
    assert done.returncode == 0, done.stdout + done.stderr
    assert b"Hello." in desk.sent(before)


def test_git_sends_a_patch_through_msmtp(desk):
    for program in ("git", "msmtp"):
        needed(program)
    if not os.path.exists("/usr/lib/git-core/git-send-email"):
        pytest.skip("no git send-email")
    before = len(desk.smarthost.messages)
    desk.write(".msmtprc", desk.block("msmtp") +
               f"tls_trust_file {desk.ca_file}\n")
    desk.write(".gitconfig", desk.block("git-send-email") +
               f"[user]\n    name = Alice\n    email = {ALICE}\n")
    patch = desk.write("0001-it.patch", MAIL.replace("hi", "[PATCH] it"))
    done = desk.run("git", "send-email", "--to=bob@example.net",
                    "--confirm=never", patch)
    assert done.returncode == 0, done.stdout + done.stderr
    assert b"[PATCH] it" in desk.sent(before)


def test_getmail_fetches(desk):
    needed("getmail")
    home = Path(desk.dovecot.path("home", ALICE))
    for name in ("new", "cur", "tmp"):
        (home / "mail" / name).mkdir(parents=True, exist_ok=True)
    (home / "mail/new/1.1.test").write_text(MAIL)
    subprocess.run(["chown", "-R", "nobody", home], check=True)
    rc = desk.block("getmail").replace(
        "server = localhost",
        f"server = localhost\nport = {desk.dovecot.imaps}\n"
        f"ca_certs = {desk.ca_file}")
    desk.write(".config/getmail/getmailrc", rc)
    for name in ("new", "cur", "tmp"):
        desk.write(f"Mail/{ALICE}/{name}/.keep", "")
    done = desk.run("getmail")
    assert done.returncode == 0, done.stdout + done.stderr
    got, = Path(desk.home, "Mail", ALICE, "new").glob("[!.]*")
    assert "Hello." in got.read_text()


def test_aerc_logs_in(desk):
    needed("aerc")
    desk.write(".config/aerc/accounts.conf", desk.block("aerc").replace(
        "@localhost\n", f"@localhost:{desk.dovecot.imaps}\n"))
    desk.dovecot.mark()
    aerc = subprocess.Popen(
        ["script", "-qec", "aerc", "/dev/null"], stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=desk.home,
        env={**desk.environment, "TERM": "xterm", "SHELL": "/bin/sh",
             "SSL_CERT_FILE": desk.ca_file}, start_new_session=True,
        user=desk.owner.pw_uid, group=desk.owner.pw_gid, extra_groups=[])
    try:
        desk.dovecot.wait_log("imap-login: Info: Log(in|ged in): user="
                              f"<{ALICE}>")
    finally:
        aerc.terminate()
        aerc.communicate(timeout=DEADLINE_S)
