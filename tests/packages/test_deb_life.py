# SPDX-License-Identifier: BSD-2-Clause
"""The packages from their installation to their purge, in a Debian that has
booted: by apt from the files, as somebody types it."""

import os
import re
import shutil
import subprocess

import pytest

import paths
import root_tree
from bed import wait_for
from bed_container import booted
from bed_package import (DEBS, PACKAGES, Package, as_debian_has_it, fetch,
                         files, put)
from bed_setup import deliver, set_up, trusting
from bed_units import POSTFIX_SOCKET, SERVICE, SOCKET, USER

CLIENTS = 64
# smtp(8) with max_use = 1: the plugin is loaded anew for each delivery.
LOAD = """
for i in $(seq %d); do
    while [ ! -e /run/stop ]; do
        /var/tmp/host --style postfix --user %s --fqdn localhost
        sleep 0.5
    done &
done
wait
"""
# Each of them starts the helper, when it is not there, by its first socket.
ASK = """
while [ ! -e /run/stop ]; do
    mailtoken --socket /run/mailtoken/socket version || :
done >/dev/null 2>&1
"""


@pytest.fixture(scope="session")
def machine(network, debs, tmp_path_factory):
    """A Debian that has booted, and the packages as files."""
    def fill(tree):
        as_debian_has_it(tree)
        put(tree, debs)
        fetch(tree, "postfix", "libsasl2-modules-kdexoauth2")
        shutil.copy(paths.host(), tree + "/var/tmp/host")
    with booted(network, tmp_path_factory.mktemp("machine"), fill) as box:
        box.pristine = files(box.tree)
        yield box


@pytest.fixture
def fresh(machine, idp):
    """A machine on which nothing of ours is."""
    system = Package(machine, idp)
    idp.clear_faults()
    idp.set(access_life=3600)
    yield system
    # apt knows no package that is gone.
    machine.run("dpkg", "--purge", *PACKAGES)


@pytest.fixture
def relay(fresh):
    """The same, and a Postfix that delivers."""
    with trusting(fresh):
        yield fresh


@pytest.fixture
def installed(fresh):
    """The packages, and the account signed in."""
    fresh.install()
    fresh.configure()
    fresh.login()
    return fresh


def plugins(system, user):
    """What libsasl2 has to offer to a user."""
    return system.container.run("/var/tmp/host", "--list", user=user).stdout


def test_a_purge_leaves_no_file_and_says_what_goes_on(fresh):
    before = fresh.container.pristine
    fresh.install()
    fresh.configure()
    fresh.login()
    said = fresh.apt("purge", *PACKAGES)
    assert "not revoked" in said
    after = files(fresh.container.tree)
    assert {name for name in after if after[name] != before.get(name)} == \
        set(), said
    assert set(before) == set(after)
    for path in (fresh.socket, fresh.jail_socket):
        assert not fresh.is_there(os.path.dirname(path))


def test_a_purge_takes_what_setup_gave_the_socket(relay, smarthost):
    """Else the next install's is another group's."""
    box = relay.container
    relay.install()
    box.run("postconf", "-F", "smtp/unix/chroot=n")
    set_up(relay, smarthost)
    folder = "/etc/systemd/system/mailtoken.socket.d"
    assert relay.is_there(folder)
    deliver(relay, smarthost)
    relay.apt("purge", *PACKAGES)
    assert not relay.is_there(folder)


def test_an_install_listens_and_offers_nothing(fresh):
    fresh.install()
    assert fresh.active(SOCKET, POSTFIX_SOCKET) == ["active", "active"]
    assert fresh.is_there(fresh.socket) and fresh.is_there(fresh.jail_socket)
    assert fresh.run("version").returncode == 0
    for user in ("root", "postfix"):
        assert "XOAUTH2" not in plugins(fresh, user)
    fresh.configure()
    assert "XOAUTH2" in plugins(fresh, "root")


def test_setup_then_delivers(relay, smarthost):
    relay.install()
    set_up(relay, smarthost)
    deliver(relay, smarthost)
    found = relay.run("doctor", USER)
    assert found.returncode == 0, found.stdout + found.stderr


def test_one_command_joins_a_fleet_and_one_leaves_it(installed):
    box = installed.container
    shutil.copy(shutil.which("etcd"), box.path("/var/tmp/etcd"))
    box.run("systemd-run", "--unit=etcd", "/var/tmp/etcd", "--data-dir",
            "/run/etcd", ETCD_UNSUPPORTED_ARCH=os.uname().machine)
    try:
        first = installed.pid()
        joined = installed.run("setup", "fleet", "http://127.0.0.1:2379",
                               "--yes")
        assert joined.returncode == 0, joined.stdout + joined.stderr
        second = installed.pid()
        assert second not in (0, first)
        assert "fleet: in-step at http://127.0.0.1:2379 as " in \
            installed.run("status").stdout
        assert "sealed" in installed.entry()
        left = installed.run("setup", "fleet", "--undo", "--yes")
        assert left.returncode == 0, left.stdout + left.stderr
        assert installed.pid() not in (0, second)
        assert "fleet:" not in installed.run("status").stdout
        assert installed.token()
    finally:
        box.systemctl("stop", "etcd.service")


def under_way(system, account):
    """A sign-in that waits for its person."""
    child = system.start("login", account, "--provider", "test", "--flow",
                         "device")
    for line in child.stdout:
        if line.startswith("user-code="):
            return child
    raise AssertionError("no code was shown")


def test_an_upgrade_fails_nobody(installed, tmp_path):
    box = installed.container
    box.run("rm", "-f", "/run/stop")
    said = tmp_path / "said"
    with open(said, "w") as out, subprocess.Popen(
            box.argv("sh", "-c", LOAD % (CLIENTS, USER),
                     user="postfix:mailtoken"),
            env=box.environment(), stdout=out, stderr=out) as load:
        wait_for(lambda: said.read_text().count("start ") > CLIENTS)
        first = installed.pid()
        child = under_way(installed, "bob@example.org")
        installed.install("2")
        told = child.communicate()[0]
        before = said.read_text().count("start ")
        wait_for(lambda: said.read_text().count("start ") >
                 before + CLIENTS)
        box.run("touch", "/run/stop")
        assert load.wait() == 0
    codes = re.findall("^start (.*)", said.read_text(), re.M)
    assert set(codes) == {"1 XOAUTH2"}, set(codes)
    assert installed.pid() not in (0, first)
    # Who was signing in is told, and nothing else is lost.
    assert child.returncode == 75, told
    assert "mailtoken: the helper is stopping" in told
    assert installed.entry()["refresh-token"] == \
        installed.idp.current_refresh(USER)


def test_what_notifies_is_restarted_and_removed_with_the_rest(installed):
    notify, box = "mailtoken-notify.service", installed.container

    def pid():
        return int(box.systemctl("show", "-P", "MainPID", notify))

    assert installed.active(notify) == ["inactive"]
    box.systemctl("enable", "--now", notify)
    first = pid()
    assert first
    installed.install("2")
    assert pid() not in (0, first)
    installed.apt("remove", *PACKAGES)
    assert pid() == 0
    installed.apt("purge", *PACKAGES)
    assert box.run("find", "/etc/systemd", "-name", notify).stdout == ""


def test_what_is_removed_is_silent_and_comes_back(installed):
    token = installed.token()
    installed.apt("remove", *PACKAGES)
    assert "active" not in installed.active(SOCKET, POSTFIX_SOCKET, SERVICE)
    for path in (installed.socket, installed.jail_socket):
        assert not installed.is_there(path)
    assert "XOAUTH2" not in plugins(installed, "root")
    installed.install()
    assert installed.token() == token


def test_a_purge_loses_no_mail(relay, smarthost):
    relay.install()
    set_up(relay, smarthost)
    box = relay.container
    box.run("postconf", "-e", "defer_transports = smtp")
    box.systemctl("reload", "postfix.service")
    box.run("/usr/sbin/sendmail", "-i", "bob@example.net",
            text="Subject: hello\n\nGood day.\n")
    box.run("postconf", "-X", "defer_transports")
    said = relay.apt("purge", *PACKAGES)
    assert "mailtoken setup postfix --undo" in said
    box.systemctl("restart", "postfix.service")
    box.run("postqueue", "-f")
    assert "bob@example.net" in box.run("postqueue", "-p").stdout
    relay.install()
    undone = relay.run("setup", "postfix", "--undo", "--yes")
    assert undone.returncode == 0, undone.stdout + undone.stderr
    assert "mailtoken" not in box.run("postconf", "-n").stdout
    set_up(relay, smarthost)
    n = len(smarthost.messages)
    box.run("postqueue", "-f")
    smarthost.wait_message(n + 1)


def test_another_plugin_is_found(installed):
    box = installed.container
    box.run("sh", "-c", f"dpkg --force-depends -i {DEBS}/*kdexoauth2*.deb")
    try:
        found = installed.run("doctor", USER).stdout
    finally:
        box.run("dpkg", "--purge", "libsasl2-modules-kdexoauth2")
    assert re.search(r"^FAULT plugin-alone: .*/libkdexoauth2\.so offers the "
                     r"mechanisms, too, and .*/libmailtoken\.so is taken: ",
                     found, re.M), found


def test_a_full_disk_stops_an_upgrade_and_nothing_else(installed):
    box = installed.container
    folder = "/usr/libexec/mailtoken"
    token, first = installed.token(), installed.pid()
    size = box.run("stat", "-c", "%s", f"{folder}/mailtoken-operator").stdout
    box.run("cp", "-a", folder, "/root/kept")
    box.run("mount", "-t", "tmpfs", "-o",
            f"size={int(size) * 3 // 2}", "tmpfs", folder)
    try:
        box.run("cp", "-a", "/root/kept/.", folder)
        said = installed.install("2", check=False)
        assert installed.status != 0 and "No space left" in said, said
        assert installed.token() == token
        assert installed.run("doctor", "--help").returncode == 0
    finally:
        box.run("umount", folder)
        box.run("rm", "-rf", "/root/kept")
    installed.install("2")
    assert installed.token() == token and installed.pid() != first


def test_a_postfix_that_comes_later_gets_its_socket(fresh):
    fresh.apt("purge", "postfix")
    try:
        fresh.install()
        assert fresh.active(SOCKET, POSTFIX_SOCKET) == ["active", "inactive"]
        assert fresh.run("version").returncode == 0
    finally:
        fresh.container.run("sh", "-c", f"dpkg -i {DEBS}/postfix_*.deb",
                            DEBIAN_FRONTEND="noninteractive")
    assert fresh.active(SOCKET, POSTFIX_SOCKET) == ["active", "active"]
    assert fresh.at(fresh.jail_socket).run("version").returncode == 0


def test_a_postfix_that_comes_anew_gets_its_socket_again(fresh):
    """Its purge takes the file of a socket that systemd still holds."""
    box = fresh.container
    fresh.install()
    box.run("rm", "-f", "/run/stop")
    with subprocess.Popen(box.argv("sh", "-c", ASK),
                          env=box.environment()) as load:
        try:
            fresh.apt("purge", "postfix")
            assert not fresh.is_there(fresh.jail_socket)
        finally:
            box.run("sh", "-c", f"dpkg -i {DEBS}/postfix_*.deb",
                    DEBIAN_FRONTEND="noninteractive")
            box.run("touch", "/run/stop")
        assert load.wait() == 0
    assert fresh.active(SOCKET, POSTFIX_SOCKET, SERVICE) == ["active"] * 3
    for path in (fresh.jail_socket, fresh.socket):
        assert fresh.at(path).run("version").returncode == 0


def test_an_install_where_no_systemd_runs(debs, tmp_path):
    """In a chroot, and without Postfix."""
    tree = str(tmp_path / "root")
    root_tree.copy(root_tree.base_tree(tmp_path), tree)
    as_debian_has_it(tree)
    put(tree, debs)

    def inside(command):
        done = subprocess.run(
            ["unshare", "--mount", "--net", "--pid", "--fork", "chroot",
             tree, "sh", "-ec", f"mount -t proc proc /proc; {command}"],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                 "DEBIAN_FRONTEND": "noninteractive"},
            capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    inside("apt-get -q -y purge postfix")
    before = files(tree)
    inside(f"apt-get -q -y --no-install-recommends install {DEBS}/1/*.deb")
    inside("install -d -o mailtoken /run/mailtoken; mailtokend --background; "
           "mailtoken version; cp /usr/share/doc/mailtoken/examples/"
           "mailtoken.conf /etc/mailtoken; mailtoken status; "
           "test -d /var/lib/mailtoken/keyring")
    inside(f"apt-get -q -y purge {' '.join(PACKAGES)}")
    assert files(tree) == before
    root_tree.remove(tree)
