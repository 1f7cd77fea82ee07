# SPDX-License-Identifier: BSD-2-Clause
"""mailtoken setup, typed in a container, and a message that it delivers.

Owns: the smarthost, what the machine must know of the stand-ins, the two
commands and the person who answers them.
"""

import contextlib
import os
import subprocess

import pytest

from bed_units import USER
from smarthost import Smarthost

RELAY = "smtp.example.org"
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
POSTFIX = ("postfix.service", "postfix@-.service")


@pytest.fixture
def smarthost(network, idp):
    """A submission server whose name is one of the account's domain."""
    host = Smarthost(idp.introspect, idp.authority.directory, names=(RELAY,))
    network.call(host.start)
    yield host
    host.stop()


@contextlib.contextmanager
def trusting(system):
    """The machine trusts the authority of the stand-ins, as it trusts those
    of the real ones, and knows where they are; its Postfix runs."""
    box = system.container
    saved = {path: open(system.file(path), "rb").read()
             for path in (BUNDLE, "/etc/hosts")
             if os.path.exists(system.file(path))}
    with open(system.idp.ca_file) as source:
        system.write(BUNDLE, saved.get(BUNDLE, b"").decode() + source.read())
    system.write("/etc/hosts", saved.get("/etc/hosts", b"").decode()
                 + f"\n127.0.0.1 {RELAY}\n")
    box.run("cp", "-a", "/etc/postfix", "/root/postfix.saved")
    box.run("postconf", "-e", "smtp_host_lookup = native",
            "smtp_dns_support_level = disabled")
    # Its start copies /etc/hosts into the chroot.
    box.systemctl("restart", "postfix.service")
    try:
        yield
    finally:
        box.systemctl("stop", *POSTFIX)
        box.run("postsuper", "-d", "ALL", check=False)
        box.run("rm", "-rf", "/etc/postfix")
        box.run("mv", "/root/postfix.saved", "/etc/postfix")
        for path, data in saved.items():
            system.write(path, data.decode())


def commands(host, *words):
    """The two commands that somebody types."""
    return (("setup", USER, "--provider", "test", *words, "--no-postfix",
             "--yes"),
            ("setup", "postfix", USER, "--relay",
             f"{RELAY}:{host.port}", "--yes"))


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


def set_up(system, host, *words):
    """Type both."""
    for line in commands(host, *(words or signs_in(system, "device"))):
        with system.start(*line, stdin=subprocess.PIPE) as child:
            said = follow(system, child)
        assert child.returncode == 0, said
    return said


def deliver(system, host):
    """One message of somebody at this machine arrives from the mailbox."""
    n = len(host.messages) + 1
    since = system.container.cursor()
    system.container.run("/usr/sbin/sendmail", "-i", "bob@example.net",
                         text="Subject: hello\n\nGood day.\n")
    status = system.container.wait_journal(
        r"to=<bob@example\.net>.* status=", after=since)["MESSAGE"]
    assert "status=sent" in status, status
    message = host.wait_message(n)[n - 1]
    assert (message.user, message.sender) == (USER, USER)
