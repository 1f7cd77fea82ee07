# SPDX-License-Identifier: BSD-2-Clause
"""From Debian's Postfix as it comes to a delivered message: two commands
of mailtoken setup, and what is still so after a reboot."""

import os
import re
import subprocess

import pytest

import paths
from bed_units import USER
from smarthost import Smarthost

RELAY = "smtp.example.org"
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
APP_PROVIDER = """\
provider test
    token_endpoint {url}/token
    ca_file {ca}
    {more}
"""
POSTFIX = ("postfix.service", "postfix@-.service")


@pytest.fixture
def smarthost(network, idp):
    """A submission server whose name is one of the account's domain."""
    host = Smarthost(idp.introspect, idp.authority.directory, names=(RELAY,))
    network.call(host.start)
    yield host
    host.stop()


@pytest.fixture
def fresh(bare, idp, smarthost):
    """As after make install: nothing is configured; the machine trusts the
    authority of the stand-ins, as it trusts those of the real ones."""
    if not paths.module().exists():
        pytest.skip("the plugin is not built")
    box = bare.container
    saved = {path: open(bare.file(path), "rb").read()
             for path in (BUNDLE, "/etc/hosts")
             if os.path.exists(bare.file(path))}
    with open(idp.ca_file) as source:
        bare.write(BUNDLE, saved.get(BUNDLE, b"").decode() + source.read())
    bare.write("/etc/hosts", saved.get("/etc/hosts", b"").decode()
               + f"\n127.0.0.1 {RELAY}\n")
    box.run("cp", "-a", "/etc/postfix", "/root/postfix.saved")
    box.run("postconf", "-e", "smtp_host_lookup = native",
            "smtp_dns_support_level = disabled")
    box.run("rm", "-rf", os.path.dirname(bare.config))
    # Its start copies /etc/hosts into the chroot.
    box.systemctl("restart", "postfix.service")
    yield bare
    box.systemctl("stop", *POSTFIX)
    box.run("postsuper", "-d", "ALL", check=False)
    box.run("rm", "-rf", "/etc/postfix")
    box.run("mv", "/root/postfix.saved", "/etc/postfix")
    box.run("rm", "-rf", "/etc/systemd/system/mailtoken.socket.d",
            os.path.dirname(bare.config))
    box.systemctl("daemon-reload")
    for path, data in saved.items():
        bare.write(path, data.decode())
    os.makedirs(bare.file(os.path.dirname(bare.config)), exist_ok=True)


def commands(system, smarthost, *words):
    """The two commands that somebody types."""
    return (("setup", USER, "--provider", "test", *words, "--no-postfix",
             "--yes"),
            ("setup", "postfix", USER, "--relay",
             f"{RELAY}:{smarthost.port}", "--yes"))


def signs_in(system, flow):
    """Options for a server that says where all is."""
    return ("--issuer", system.idp.url, "--client-id", "mail-app", "--flow",
            flow)


def follow(system, child):
    """Be the person: agree to the code, or to what the browser shows, and
    paste where it ended."""
    said = ""
    for line in child.stdout:
        said += line
        name, _, value = line.rstrip("\n").partition("=")
        if name == "user-code":
            system.idp.approve(value, USER)
        elif name == "url":
            child.stdin.write(system.idp.browse(value) + "\n")
            child.stdin.close()
    return said


def set_up(system, smarthost, *words):
    """Type both."""
    for line in commands(system, smarthost,
                         *(words or signs_in(system, "device"))):
        with system.start(*line, stdin=subprocess.PIPE) as child:
            said = follow(system, child)
        assert child.returncode == 0, said
    return said


def deliver(system, smarthost, n=1):
    """One message of somebody at this machine arrives from the mailbox."""
    since = system.container.cursor()
    system.container.run("/usr/sbin/sendmail", "-i", "bob@example.net",
                         text="Subject: hello\n\nGood day.\n")
    status = system.container.wait_journal(
        r"to=<bob@example\.net>.* status=", after=since)["MESSAGE"]
    assert "status=sent" in status, status
    message = smarthost.wait_message(n)[n - 1]
    assert (message.user, message.sender) == (USER, USER)


@pytest.mark.parametrize("chrooted", ("y", "n"))
def test_two_commands_set_all_up(fresh, smarthost, chrooted):
    fresh.container.run("postconf", "-F", f"smtp/unix/chroot = {chrooted}")
    fresh.container.systemctl("restart", "postfix.service")
    set_up(fresh, smarthost)
    deliver(fresh, smarthost, len(smarthost.messages) + 1)
    for words in commands(fresh, smarthost, *signs_in(fresh, "device")):
        again = fresh.run(*words)
        assert again.returncode == 0, again.stdout + again.stderr
        assert "\n- " not in "\n" + again.stdout, again.stdout


def test_a_browser_on_another_machine_does_as_well(fresh, smarthost):
    fresh.idp.set(browser_user=USER)
    set_up(fresh, smarthost, *signs_in(fresh, "browser"))
    deliver(fresh, smarthost, len(smarthost.messages) + 1)


def test_an_application_with_a_certificate_needs_nobody(fresh, smarthost,
                                                        tmp_path):
    fresh.configure(more="scope https://mail.example/.default",
                    provider=APP_PROVIDER)
    words = ("--client-id", "relay-app", "--app-only", "--make-certificate")
    first = commands(fresh, smarthost, *words)[0]
    said = fresh.run(*first, check=True).stdout
    shown = tmp_path / "app.crt"
    shown.write_text(re.search(
        "-----BEGIN CERT.*-----END CERTIFICATE-----\n", said, re.S).group())
    fresh.idp.add_client("relay-app", certificate=str(shown))
    set_up(fresh, smarthost, *words)
    deliver(fresh, smarthost, len(smarthost.messages) + 1)


def test_all_of_it_is_there_after_a_reboot(fresh, smarthost):
    fresh.container.systemctl("enable", "--now", "postfix.service")
    set_up(fresh, smarthost)
    fresh.container.reboot()
    assert fresh.pid() > 0
    deliver(fresh, smarthost, len(smarthost.messages) + 1)


def test_doctor_finds_nothing_wrong_then(fresh, smarthost):
    fresh.container.systemctl("enable", "--now", "postfix.service")
    set_up(fresh, smarthost)
    found = fresh.run("doctor", USER)
    assert found.returncode == 0, found.stdout + found.stderr
