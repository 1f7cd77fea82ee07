# SPDX-License-Identifier: BSD-2-Clause
"""mailtoken setup PROGRAM: what is to be pasted, and that it works."""

import os
import re
import shutil
import subprocess

import pytest

import paths
import sanitizers
from bed import DEADLINE_S
from bed_cli import environment
from bed_dovecot import Dovecot
from bed_mailtokend import Mailtokend
from idp import Idp

JO = "jo@hotmail.com"
PROGRAMS = ("mbsync isync mutt neomutt msmtp aerc getmail fetchmail sendmail "
            "exim opensmtpd dovecot git-send-email").split()


@pytest.fixture
def block(program, tmp_path, place):
    """What is printed where only these programs are installed, each saying
    that of itself; nobody answers at the socket."""
    def run(*words, **installed):
        for name, says in installed.items():
            path = tmp_path / name
            path.write_text(f"#!/bin/sh\necho '{says}'\n")
            path.chmod(0o755)
        if os.geteuid() == 0:
            # root's PATH is the system's
            argv = [shutil.which("setpriv"), "--reuid=nobody", "--clear-groups"]
            tmp_path.chmod(0o755)
            for parent in tmp_path.parents:
                if parent.name.startswith("pytest-"):
                    parent.chmod(0o755)
        else:
            argv = []
        done = subprocess.run(
            [*argv, program, "--socket", place, "setup", *words], text=True,
            capture_output=True, stdin=subprocess.DEVNULL, check=False,
            timeout=DEADLINE_S, env=environment(PATH=str(tmp_path)))
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        return done.stdout

    if shutil.which("setpriv") is None:
        pytest.skip("no setpriv")
    return run


def deliver(dovecot, user, text):
    """One new message for a user of it."""
    home = dovecot.path("home", user)
    for name in ("mail/new", "mail/cur", "mail/tmp"):
        os.makedirs(os.path.join(home, name))
    with open(os.path.join(home, "mail/new/1.1.test"), "w") as out:
        out.write(text)
    subprocess.run(["chown", "-R", "nobody", home], check=True)


@pytest.mark.parametrize("name", PROGRAMS)
def test_each_program_has_a_block_for_the_address(block, name):
    text = block(name, JO)
    assert not re.search(r"\{[A-Z]", text)
    assert JO in text or "jo%40hotmail.com" in text
    assert not re.search("^#.{80}", text, re.M)


@pytest.mark.parametrize("installed, has, has_not", [
    ({"mbsync": "isync 1.4.4"}, "SSLType IMAPS", "TLSType IMAPS"),
    ({"mbsync": "isync 1.5.0"}, "TLSType IMAPS", "SSLType IMAPS"),
    ({"mutt": "Mutt 2.2.12\n+USE_SASL"}, "has Cyrus SASL", "refresh_command"),
    ({"mutt": "Mutt 2.2.12\n-USE_SASL"}, '"xoauth2"', "oauthbearer"),
    ({"mutt": "Mutt 2.2.12\n+USE_SASL_GNU"}, '"xoauth2"', "Cyrus SASL"),
    ({"mutt": "Mutt 1.14.6"}, '"oauthbearer"', '"xoauth2"'),
    ({"neomutt": "NeoMutt 20201127"}, '"oauthbearer"', '"xoauth2"'),
    ({"msmtp": "msmtp version 1.8.10"}, "auth oauthbearer", "auth xoauth2"),
    ({"msmtp": "msmtp version 1.8.23"}, "auth xoauth2", "oauthbearer"),
    ({"git": "git version 2.39.5"}, "msmtp", "XOAUTH2\n"),
    ({"git": "git version 2.50.1"}, "smtpAuth = XOAUTH2", "msmtp"),
    ({"fetchmail": "This is fetchmail release 6.4.37"}, "passwords alone",
     "poll"),
    ({"mbsync": "isync 1.4.4"}, "Host outlook.office365.com", "example")])
def test_the_block_is_for_the_installed_version(block, installed, has,
                                                has_not):
    name = next(iter(installed))
    text = block({"git": "git-send-email"}.get(name, name), JO, **installed)
    assert has in text and has_not not in text
    assert "not installed" not in text


def test_what_is_not_installed_is_told(block):
    assert "# msmtp is not installed here" in block("msmtp", JO)


def test_another_program_is_told_to_be_none(program, place):
    done = subprocess.run(
        [program, "--socket", place, "setup", "mbsnc"], text=True, check=False,
        capture_output=True, stdin=subprocess.DEVNULL, env=environment())
    assert done.returncode == 2
    assert "mbsnc is no mail address" in done.stderr
    assert "no program of those in mailtoken(1)" in done.stderr


def test_the_block_for_mbsync_fetches_mail(program, tmp_path):
    """A real isync and Dovecot, a real helper and plugin."""
    if os.geteuid() != 0:
        pytest.skip("needs root: Dovecot changes its uid")
    for what in ("mbsync", "dovecot"):
        if shutil.which(what) is None:
            pytest.skip(f"no {what}")
    if not paths.module().exists():
        pytest.skip("the plugin is not built")
    os.umask(0o022)
    with Idp(interval=1) as idp:
        os.chmod(idp.authority.directory, 0o755)
        with Dovecot(idp, 1) as dovecot, Mailtokend(idp) as helper:
            helper.login("alice@example.org", lambda code, _:
                         idp.approve(code, "alice@example.org"))
            deliver(dovecot, "alice@example.org", "Subject: hi\n\nHi.\n")
            done = subprocess.run(
                [program, "--socket", helper.socket, "setup", "mbsync",
                 "alice@example.org"], capture_output=True, text=True,
                check=True, env=environment())
            (tmp_path / "Mail").mkdir()
            config = tmp_path / "mbsyncrc"
            config.write_text(done.stdout.replace(
                "Host imap.example.com", f"Host localhost\nPort "
                f"{dovecot.imaps}\nCertificateFile {idp.ca_file}"))
            (tmp_path / "Mail" / "alice@example.org").mkdir()
            plugins = tmp_path / "sasl"
            plugins.mkdir()
            shutil.copy(paths.module(), plugins / "libmailtoken.so")
            subprocess.run(
                ["mbsync", "-c", config, "alice@example.org"], check=True,
                timeout=DEADLINE_S, env=environment(
                    HOME=str(tmp_path), SASL_PATH=str(plugins),
                    SASL_PLUGINDIR=str(plugins),
                    MAILTOKEN_SOCKET=helper.socket,
                    **sanitizers.environment()))
            inbox = tmp_path / "Mail" / "alice@example.org" / "INBOX"
            assert len(list((inbox / "new").iterdir())) == 1
