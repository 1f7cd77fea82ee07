# SPDX-License-Identifier: BSD-2-Clause
"""The units of a user's manager, for a user who lingers."""

import os
import shutil
import stat

import pytest

from bed import wait_for
from bed_units import PROVIDER, SERVICE, SOCKET, Commands

NAME = "jo"
ACCOUNT = "jo@example.org"


class Desk(Commands):
    """A user of the container with a manager of their own."""

    def __init__(self, container, idp):
        uid = container.run("id", "-u", NAME).stdout.strip()
        self.home = f"/home/{NAME}"
        self.runtime = f"/run/user/{uid}"
        super().__init__(container, idp, user=NAME, HOME=self.home,
                         XDG_RUNTIME_DIR=self.runtime)

    def systemctl(self, *words):
        """Talk to the user's manager."""
        return self.container.run(
            "systemctl", "--user", "--no-pager", *words, user=NAME,
            HOME=self.home, XDG_RUNTIME_DIR=self.runtime).stdout.strip()

    def file(self, *names):
        """A file in the home, as seen from here."""
        return os.path.join(self.container.tree + self.home, *names)

    def configure(self):
        """Write the user's configuration, as the user."""
        folder = f"{self.home}/.config/mailtoken"
        with open(self.idp.ca_file) as source:
            self._write(f"{folder}/ca.pem", source.read())
        self._write(f"{folder}/mailtoken.conf", PROVIDER.format(
            url=self.idp.url, ca=f"{folder}/ca.pem", more=""))

    def _write(self, path, text):
        self.container.run("sh", "-c", 'mkdir -p "${1%/*}" && cat >"$1"',
                           "sh", path, user=NAME, text=text)


@pytest.fixture(scope="module")
def lingering(machine):
    """The user, with a manager that lives without a session."""
    machine.run("useradd", "--create-home", NAME)
    machine.run("loginctl", "enable-linger", NAME)
    uid = machine.run("id", "-u", NAME).stdout.strip()
    machine.wait_show(f"user@{uid}.service", "ActiveState", "active")
    yield
    machine.run("loginctl", "disable-linger", NAME)
    machine.systemctl("stop", f"user@{uid}.service")
    machine.run("userdel", "--remove", NAME, check=False)


@pytest.fixture
def desk(machine, idp, lingering):
    """The user's units, the socket enabled, nobody signed in."""
    user = Desk(machine, idp)
    user.systemctl("disable", "--now", "--quiet", SOCKET, SERVICE,
                   "mailtoken-renew.timer")
    shutil.rmtree(user.file(".local"), ignore_errors=True)
    idp.clear_faults()
    idp.set(access_life=3600)
    user.configure()
    user.systemctl("enable", "--now", "--quiet", SOCKET)
    return user


def pid(desk):
    """The user's helper; 0 when it does not run."""
    return int(desk.systemctl("show", SERVICE, "-pMainPID", "--value"))


def test_a_user_signs_in_to_a_helper_of_their_own(desk):
    desk.login(ACCOUNT)
    assert desk.idp.introspect(desk.token(ACCOUNT))["username"] == ACCOUNT
    owner = os.stat(desk.container.path(f"/proc/{pid(desk)}")).st_uid
    uid = desk.container.run("id", "-u", NAME).stdout.strip()
    assert owner in (0, int(uid))   # 0: not dumpable
    entry = os.stat(desk.file(".local/state/mailtoken/keyring", ACCOUNT))
    assert entry.st_uid == int(uid)
    assert stat.S_IMODE(entry.st_mode) == 0o600


def test_the_user_socket_is_the_users_alone(desk):
    shown = desk.container.run("stat", "-c", "%U %a",
                               f"{desk.runtime}/mailtoken",
                               f"{desk.runtime}/mailtoken/socket").stdout
    assert shown == f"{NAME} 700\n{NAME} 600\n"


def test_the_user_helper_is_started_by_a_request_and_told_to_be_ready(desk):
    assert pid(desk) == 0
    assert desk.run("version").returncode == 0
    assert pid(desk) > 0
    for name, value in (("ActiveState", "active"),
                        ("StatusText", "working")):
        assert desk.systemctl("show", SERVICE, f"-p{name}",
                              "--value") == value


def test_stopping_the_user_helper_leaves_its_socket(desk):
    assert desk.run("version").returncode == 0
    desk.systemctl("stop", SERVICE)
    assert pid(desk) == 0
    assert desk.run("version").returncode == 0
    assert pid(desk) > 0


def test_a_user_helper_that_is_killed_comes_back_with_the_grant(desk):
    desk.login(ACCOUNT)
    token, first = desk.token(ACCOUNT), pid(desk)
    desk.systemctl("kill", "--signal=KILL", SERVICE)
    assert desk.token(ACCOUNT) == token
    assert pid(desk) not in (0, first)


def test_reload_of_a_user_helper_reads_the_file_again(desk):
    assert desk.run("version").returncode == 0
    first = pid(desk)
    desk.configure()
    desk.systemctl("reload", SERVICE)
    assert pid(desk) == first


def test_the_daily_renewal_of_a_user_is_listed_and_runs(desk):
    desk.login(ACCOUNT)
    desk.systemctl("enable", "--now", "--quiet", "mailtoken-renew.timer")
    assert "mailtoken-renew.service" in desk.systemctl("list-timers",
                                                       "--all")
    desk.systemctl("start", "mailtoken-renew.service")
    assert desk.systemctl("show", "mailtoken-renew.service", "-pResult",
                          "--value") == "success"


def test_the_grant_is_there_after_a_reboot_without_a_session(desk):
    desk.login(ACCOUNT)
    desk.container.reboot()
    uid = desk.container.run("id", "-u", NAME).stdout.strip()
    desk.container.wait_show(f"user@{uid}.service", "ActiveState", "active")
    wait_for(lambda: os.path.exists(desk.container.path(
        f"{desk.runtime}/mailtoken/socket")), what="the user's socket")
    assert desk.token(ACCOUNT)
