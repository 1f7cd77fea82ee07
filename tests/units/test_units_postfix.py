# SPDX-License-Identifier: BSD-2-Clause
"""Debian's own chrooted Postfix relays through the units."""

import re

import pytest

import paths
from bed_units import POSTFIX_SOCKET, SERVICE, SOCKET, USER
from smarthost import Smarthost


@pytest.fixture
def smarthost(network, idp, tmp_path):
    """A submission server that believes the provider."""
    host = Smarthost(idp.introspect, tmp_path)
    network.call(host.start)
    yield host
    host.stop()


@pytest.fixture
def relay(bare, smarthost):
    """Postfix of the container, told to relay; started by its unit."""
    with open(smarthost.ca_file) as source:
        bare.write("/etc/postfix/smarthost.pem", source.read())
    bare.container.run("cp", "/etc/postfix/main.cf", "/root/main.cf.saved")
    bare.container.run(
        "postconf", "-e", "inet_interfaces = loopback-only",
        "smtp_host_lookup = native", "smtp_dns_support_level = disabled",
        f"relayhost = [localhost]:{smarthost.port}",
        "smtp_sasl_auth_enable = yes",
        f"smtp_sasl_password_maps = static:{USER}",
        "smtp_sasl_mechanism_filter = xoauth2",
        "smtp_sasl_tls_security_options = noanonymous",
        "smtp_tls_security_level = secure",
        "smtp_tls_CAfile = /etc/postfix/smarthost.pem",
        "minimal_backoff_time = 1s", "queue_run_delay = 1s")
    yield bare
    bare.container.run("postsuper", "-d", "ALL", check=False)
    bare.container.systemctl("stop", "postfix.service", "postfix@-.service")
    bare.container.run("mv", "/root/main.cf.saved", "/etc/postfix/main.cf")


def send(system):
    """Queue one message; returns the journal's place before it."""
    since = system.container.cursor()
    system.container.run(
        "/usr/sbin/sendmail", "-i", "-f", USER, "bob@example.net",
        text="Subject: hello\n\nGood day.\n")
    return since


def wait_sent(system, since):
    """The log line of the delivery that went well."""
    return system.container.wait_journal(
        r"to=<bob@example\.net>.* status=sent ", after=since)["MESSAGE"]


def need_plugin():
    """The plugin has to be among what was installed."""
    if not paths.module().exists():
        pytest.skip("the plugin is not built")


def test_a_chrooted_postfix_relays_with_the_two_sockets_enabled(
        relay, smarthost):
    need_plugin()
    relay.enable(SOCKET, POSTFIX_SOCKET)
    relay.login()
    relay.container.systemctl("restart", "postfix.service")
    chrooted = relay.container.run("postconf", "-F",
                                   "smtp/unix/chroot").stdout
    assert re.search(r"= y$", chrooted.strip()), chrooted
    since = send(relay)
    assert "localhost" in wait_sent(relay, since)
    uid = relay.container.run("id", "-u", "postfix").stdout.strip()
    relay.container.wait_journal(
        rf"verb=token uid={uid} .*outcome=ok", after=since)
    message = smarthost.wait_message()[0]
    assert (message.user, message.sender) == (USER, USER)


def test_the_relay_goes_on_while_the_helper_is_restarted_and_killed(
        relay, smarthost):
    need_plugin()
    relay.drop_in("RestartSec=100ms")
    relay.enable(SOCKET, POSTFIX_SOCKET)
    relay.login()
    relay.container.systemctl("restart", "postfix.service")
    wait_sent(relay, send(relay))
    for act in (("stop", SERVICE), ("restart", SERVICE),
                ("kill", "--signal=KILL", SERVICE)):
        relay.container.systemctl(*act)
        wait_sent(relay, send(relay))
    assert len(smarthost.messages) == 4


def test_postfix_is_served_by_a_helper_started_at_boot(relay):
    need_plugin()
    relay.enable(SOCKET, POSTFIX_SOCKET, SERVICE)
    relay.login()
    relay.container.reboot()
    since = relay.container.cursor()
    relay.container.systemctl("start", "postfix.service")
    assert relay.pid() > 0
    send(relay)
    wait_sent(relay, since)
