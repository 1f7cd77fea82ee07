# SPDX-License-Identifier: BSD-2-Clause
"""Systems that keep things elsewhere, or do not have them."""

import subprocess

import pytest

from bed_helper import ROOT
from test_choose import names           # noqa: F401

JO = "jo@example.org"
HOST = "login.mailtoken.example"
LINK = ("mount -t tmpfs -o mode=755 tmpfs /mnt && mkdir -m 755 /mnt/etc && "
        'ln -s "$0" /mnt/etc/resolv.conf && '
        "mount -t overlay overlay -o lowerdir=/mnt/etc:/etc /etc && ")


@pytest.fixture
def elsewhere(helper):
    """Start the helper where a command has changed the file systems."""
    if not ROOT or subprocess.run(["unshare", "-m", "true"],
                                  check=False).returncode:
        pytest.skip("needs root and a mount namespace")

    def start(script, *words):
        helper.start(before=["unshare", "-m", "sh", "-c",
                             script + 'exec "$@"', *words])
        return helper
    return start


def ask_names(helper):
    """Have it look up a host that none but a name server knows."""
    answer = helper.ask("sign-in", account=JO)
    assert answer["result"] == "try-later", answer
    return answer["text"]


@pytest.fixture
def far(helper):
    """The provider has a name that must be looked up."""
    helper.configure(token_endpoint=f"https://{HOST}/token",
                     device_authorization_endpoint=f"https://{HOST}/device")


def test_names_resolve_where_resolv_conf_is_a_link_out_of_etc(
        elsewhere, far, names):             # noqa: F811
    """Case 64."""
    helper = elsewhere(
        f"{LINK} mkdir -m 755 /mnt/net && echo 'nameserver {names.address}'"
        " >/mnt/net/resolv.conf && ", "/mnt/net/resolv.conf")
    ask_names(helper)
    assert any(b"mailtoken" in name for name in names.asked)


def test_names_resolve_where_the_folder_appears_below_run_later(
        elsewhere, far, names):             # noqa: F811
    """Case 64."""
    helper = elsewhere(f"{LINK} mount -t tmpfs -o mode=755 tmpfs /run && ",
                       "/run/netconfig/resolv.conf")
    subprocess.run(
        ["nsenter", "-m", "-t", str(helper.process.pid), "sh", "-c",
         "mkdir -m 755 /run/netconfig && "
         f"echo 'nameserver {names.address}' >/run/netconfig/resolv.conf"],
        check=True)
    ask_names(helper)
    assert any(b"mailtoken" in name for name in names.asked)


def test_a_system_without_authorities_is_told_what_to_install(elsewhere,
                                                              helper):
    helper.configure(ca_file=None)
    elsewhere("mount -t tmpfs tmpfs /etc/ssl/certs && ", "sh")
    answer = helper.ask("sign-in", account=JO)
    assert "install the package ca-certificates" in answer["text"]
    assert "ca_file" not in answer["text"]
