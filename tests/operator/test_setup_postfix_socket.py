# SPDX-License-Identifier: BSD-2-Clause
"""Where mailtoken setup postfix has the helper listen: units and drop-ins.

systemctl is a script that notes what it is asked; units themselves are tested
in a container that is booted, tests/units.
"""

import os
import shutil

import pytest

import paths
from bed_machine import machine                         # noqa: F401

ALICE = "alice@contoso.com"
SYSTEMCTL = """#!/bin/sh
[ "$1" != --system ] || shift
echo "$@" >>/run/asked
case $1 in
is-active) test -e /run/started ;;
enable) touch /run/started ;;
esac
"""
UNITS = "/etc/systemd/system"
DROP_IN = "[Socket]\nSocketGroup=postfix\n"


@pytest.fixture
def systemd(machine):
    """A machine whose systemctl does nothing but remember."""
    if shutil.which("systemctl") is None or shutil.which("postconf") is None:
        pytest.skip("no systemctl, or no Postfix")
    machine.write("/run/systemctl", SYSTEMCTL)
    for words in (("chmod", "755", "/run/systemctl"),
                  ("mkdir", "-p", "/run/systemd/system"),
                  ("mount", "--bind", "/run/systemctl",
                   os.path.realpath(shutil.which("systemctl")))):
        assert machine.run(*words).returncode == 0
    return machine


@pytest.fixture
def setup(systemd, tmp_path):
    """Set Postfix up with this master.cf and main.cf; what systemctl was
    asked since the last time."""
    shutil.copy("/usr/share/postfix/master.cf.dist", tmp_path / "master.cf")
    (tmp_path / "main.cf").write_text("compatibility_level = 3.6\n")

    setup_folder = f"{tmp_path}/"       # as it is often typed

    def run(*lines, chroot="y", status=0):
        for edit in (("-F", f"smtp/unix/chroot={chroot}"), ("-e", *lines)):
            if len(edit) > 1:
                systemd.run("postconf", "-c", str(tmp_path), *edit)
        systemd.run("rm", "-f", "/run/asked")
        done = systemd.setup(
            "postfix", ALICE, "--relay", "smtp.office365.com", "--yes",
            "--config-dir", setup_folder)
        assert done.returncode == status, done.stdout + done.stderr
        return (systemd.read("/run/asked") or "").splitlines()

    run.leaf = f"{tmp_path.name}.conf"
    run.folder = setup_folder
    return run


@pytest.mark.parametrize("systemd_is", [False, True])
def test_a_postfix_that_does_not_run_is_started_and_not_by_undo(
        systemd, systemd_is):
    """The machine's own, whose postfix(1) is a script here, too."""
    systemd.write("/run/postfix", "#!/bin/sh\necho \"postfix $@\" "
                  ">>/run/asked\ntest \"$*\" = start\n")
    systemd.run("chmod", "755", "/run/postfix")
    systemd.run("mount", "--bind", "/run/postfix",
                os.path.realpath(shutil.which("postfix")))
    if not systemd_is:
        systemd.run("rm", "-r", "/run/systemd")
    assert systemd.setup("postfix", ALICE, "--relay", "smtp.office365.com",
                         "--yes").returncode == 0
    wanted = "start postfix" if systemd_is else "postfix start"
    assert systemd.read("/run/asked").splitlines()[-1] == wanted
    systemd.run("rm", "/run/asked")
    undone = systemd.setup("postfix", "--undo")
    assert undone.returncode == 0, undone.stderr
    assert systemd.read("/run/asked") == "postfix -c /etc/postfix status\n"


UNITS_OF = "mailtoken.socket mailtokend.service"


def test_a_chrooted_smtp_gets_the_second_socket(setup):
    assert setup() == [
        "is-active --quiet mailtoken-postfix.socket", "daemon-reload",
        f"stop {UNITS_OF} mailtoken-postfix.socket",
        f"enable --now {UNITS_OF} mailtoken-postfix.socket"]
    assert setup() == ["is-active --quiet mailtoken-postfix.socket"]


def test_without_a_chroot_the_first_socket_gets_postfixs_group(systemd,
                                                               setup):
    asked = setup(chroot="n")
    assert asked == ["is-active --quiet mailtoken-postfix.socket",
                     "daemon-reload", f"stop {UNITS_OF}",
                     f"enable --now {UNITS_OF}"]
    place = f"{UNITS}/mailtoken.socket.d/{setup.leaf}"
    assert systemd.read(place) == DROP_IN
    assert setup(chroot="n") == ["is-active --quiet mailtoken.socket"]


def test_the_second_socket_is_started_again_where_it_was(systemd, setup):
    systemd.run("touch", "/run/started")
    assert setup(chroot="n")[-1].endswith(
        "mailtokend.service mailtoken-postfix.socket")


def test_undo_takes_our_drop_in_away_and_no_other(systemd, setup):
    place = f"{UNITS}/mailtoken.socket.d/{setup.leaf}"
    systemd.write(place, "# mine\n")
    setup(chroot="n")
    assert systemd.read(f"{place}.before-mailtoken-1") == "# mine\n"
    systemd.run("rm", f"{place}.before-mailtoken-1", "/run/asked")
    undone = systemd.setup("postfix", "--undo", "--config-dir", setup.folder)
    assert undone.returncode == 0, undone
    assert systemd.read("/run/asked") == "daemon-reload\n"
    assert systemd.run("ls", os.path.dirname(place)).returncode == 2
    setup(chroot="n")
    systemd.write(place, DROP_IN + "# and mine\n")
    undone = systemd.setup("postfix", "--undo", "--config-dir", setup.folder)
    assert undone.returncode == 1
    assert f"{place} is not as setup wrote it" in undone.stderr
    assert systemd.read(place) == DROP_IN + "# and mine\n"


def test_another_queue_directory_gets_a_socket_too(systemd, setup):
    setup("queue_directory = /srv/queue")
    place = f"{UNITS}/mailtoken-postfix.socket.d/{setup.leaf}"
    assert systemd.read(place) == (
        "[Unit]\nConditionPathIsDirectory=\nRequiresMountsFor=/srv/queue\n"
        "[Socket]\nListenStream=/srv/queue/run/mailtoken/socket\n")


def test_without_systemd_it_is_said_where_to_listen(systemd, tmp_path):
    (tmp_path / "main.cf").write_text("compatibility_level = 3.6\n"
                                      "queue_directory = /var/queue\n")
    shutil.copy("/usr/share/postfix/master.cf.dist", tmp_path / "master.cf")
    systemd.run("rm", "-r", "/run/systemd")
    done = systemd.setup("postfix", ALICE, "--relay", "smtp.office365.com",
                         "--yes", "--config-dir", str(tmp_path))
    typed = done.stdout.split("where smtp(8) looks: ")[1].split("\n")[0]
    assert typed == ("install -d -o mailtoken /run/mailtoken "
                     "/var/queue/run/mailtoken; mailtokend --listen "
                     "/run/mailtoken/socket --listen "
                     "/var/queue/run/mailtoken/socket")
    systemd.run("useradd", "--system", "mailtoken")
    systemd.run("install", "-d", "-o", "mailtoken", "/var/lib/mailtoken")
    ran = systemd.run("sh", "-c", typed.replace(
        "mailtokend ", f"{paths.program('mailtokend')} --background "))
    assert ran.returncode == 0, ran.stderr
    for top in ("", "/var/queue"):
        assert systemd.run("test", "-S", f"{top}/run/mailtoken/socket"
                           ).returncode == 0
