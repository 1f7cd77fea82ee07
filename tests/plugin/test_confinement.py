# SPDX-License-Identifier: BSD-2-Clause
"""Chroot as in smtp(8): loaded as root outside, used as a user inside."""

import os
import shutil

import pytest

import paths
import sasl_host as sasl
from sasl_host import Host
from scripted_helper import ScriptedHelper

ALICE = "alice@example.com"
FIRST = b"user=" + ALICE.encode() + b"\1auth=Bearer tok123\1\1"
NOBODY = 65534


@pytest.fixture
def jail(root, tmp_path):
    """A queue directory with the socket's directory in it, and no more."""
    directory = tmp_path / "queue"
    inside = directory / str(paths.configured("system_socket")).lstrip("/")
    inside.parent.mkdir(parents=True)
    return directory, ScriptedHelper(inside, token="tok123")


@pytest.fixture
def confined(plugins, private_system, jail):
    """A host as root sees the system, with the configuration in place."""
    private_system.config_outside.touch()
    wrapper = private_system.as_user(0)
    # The leak checker of a build with sanitizers wants /proc at the end.
    return Host(plugins, {"ASAN_OPTIONS": "detect_leaks=0"},
                wrapper[:wrapper.index("setpriv")])


def test_the_helper_is_reached_from_an_empty_chroot(jail, confined):
    """Case 25: no /etc, no /dev/log, no /proc, no resolv.conf (27)."""
    directory, helper = jail
    assert sorted(p.name for p in directory.iterdir()) == [
        paths.configured("system_socket").split("/")[1]]
    with helper:
        run = confined.run(chroot=directory, uid=NOBODY, user=ALICE,
                           challenges=[b'{"status":"400"}'])
        asked = helper.wait_request(2)
    assert run.outs == [FIRST, b""]
    assert {r.uid for r in asked} == {NOBODY}
    assert [r.verb for r in asked] == ["token", "rejected"]


def test_certificates_that_vanish_from_the_chroot_do_not_matter(
        jail, confined):
    """Case 26: the second of two deliveries finds them gone."""
    directory, helper = jail
    certs = directory / "etc" / "ssl"
    certs.mkdir(parents=True)
    with helper:
        helper.requests.on_add = lambda _: shutil.rmtree(
            directory / "etc", ignore_errors=True)
        run = confined.run(chroot=directory, uid=NOBODY, user=ALICE,
                           repeat=2)
    assert not certs.exists()
    assert run.outs == [FIRST, FIRST]


def test_a_socket_outside_of_the_chroot_is_told_as_such(jail, confined,
                                                        private_system):
    directory, _ = jail
    with ScriptedHelper(private_system.socket_outside) as outside:
        run = confined.run(chroot=directory, uid=NOBODY, user=ALICE)
        assert len(outside.requests) == 0
    assert run.start == sasl.UNAVAIL
    assert "no helper's socket in this chroot" in run.detail
    assert ('run "systemctl stop mailtokend.service '
            "mailtoken-postfix.socket mailtoken.socket; "
            "systemctl enable --now mailtoken-postfix.socket "
            'mailtoken.socket mailtokend.service"') in run.detail


def test_no_descriptor_leads_out_of_the_chroot(jail, confined):
    """What was opened as root must not be there for the user."""
    directory, helper = jail
    seen = []

    def look(asked):
        try:
            for fd in os.listdir(f"/proc/{asked.pid}/fd"):
                seen.append(os.readlink(f"/proc/{asked.pid}/fd/{fd}"))
        except OSError:
            seen.append("gone")

    with helper:
        helper.requests.on_add = look
        confined.run(chroot=directory, uid=NOBODY, user=ALICE)
    assert seen and "gone" not in seen
    assert [name for name in seen if name.startswith("/")
            and name != "/dev/null"] == []
