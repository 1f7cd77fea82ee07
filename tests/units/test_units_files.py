# SPDX-License-Identifier: BSD-2-Clause
"""What the installation puts in place, and how strict the units are."""

import re
import shutil
import subprocess

import pytest

import paths
import root_tree
from bed_units import SERVICE

UNITS = ("mailtokend.service", "mailtoken.socket", "mailtoken-postfix.socket",
         "mailtoken-renew.service", "mailtoken-renew.timer",
         "mailtoken-notify.service")
USER_UNITS = ("mailtokend.service", "mailtoken.socket",
              "mailtoken-renew.service", "mailtoken-renew.timer",
              "mailtoken-notify.service")
EXPOSURE_MAX = 1.3
# A user's manager can drop no capability and hide nothing.
USER_EXPOSURE_MAX = 6.3


def built(name):
    """A unit as this build installs it."""
    return paths.BUILD / "packaging" / "systemd" / name


def settings(name):
    """(keyword, value) of every line of a unit."""
    whole = re.sub(r"\s*\\\n\s*", " ", built(name).read_text())
    return [tuple(line.split("=", 1)) for line in whole.splitlines()
            if "=" in line and not line.startswith("#")]


@pytest.mark.parametrize("name, most", [
    ("mailtokend.service", EXPOSURE_MAX),
    ("mailtoken-renew.service", EXPOSURE_MAX),
    ("user/mailtokend.service", USER_EXPOSURE_MAX),
    ("user/mailtoken-renew.service", USER_EXPOSURE_MAX)])
def test_a_unit_is_exposed_to_little(name, most):
    if not shutil.which("systemd-analyze"):
        pytest.skip("no systemd-analyze here")
    said = subprocess.run(
        ["systemd-analyze", "--no-pager", "--offline=yes", "security",
         str(built(name))], capture_output=True, text=True)
    level = re.search(r"Overall exposure level for \S+: ([0-9.]+)",
                      said.stdout)
    assert level, said.stderr
    assert float(level[1]) <= most


def test_the_filter_is_that_of_a_service_and_landlock():
    allowed = [value for key, value in settings(SERVICE)
               if key == "SystemCallFilter" and value[0] != "~"]
    assert allowed == ["@system-service landlock_create_ruleset "
                       "landlock_add_rule landlock_restrict_self"]


def test_the_sockets_are_for_the_group_that_needs_them():
    for name, group in (("mailtoken.socket", "mailtoken"),
                        ("mailtoken-postfix.socket", "postfix")):
        found = dict(settings(name))
        assert (found["SocketMode"], found["SocketGroup"]) == ("0660", group)


def test_no_unit_runs_anything_but_our_programs():
    programs = {str(paths.configured("sbindir")) + "/mailtokend",
                str(paths.configured("bindir")) + "/mailtoken"}
    folder = built("user").parent
    for path in [*folder.glob("*.service"), *folder.glob("user/*.service")]:
        name = str(path.relative_to(folder))
        run = [v for k, v in settings(name) if k.startswith("Exec")]
        assert {value.split()[0] for value in run} <= programs, name


def test_sysusers_makes_a_user_without_a_shell_at_boot(machine):
    fields = machine.run("getent", "passwd", "mailtoken").stdout.split(":")
    assert 0 < int(fields[2]) < 1000
    assert fields[5] == "/var/lib/mailtoken"
    assert fields[6].strip().endswith("nologin")
    assert machine.run("id", "-Gn", "mailtoken").stdout == "mailtoken\n"


def test_tmpfiles_makes_a_state_directory_that_only_the_helper_enters(
        machine):
    shown = machine.run("stat", "-c", "%U:%G %a", "/var/lib/mailtoken")
    assert shown.stdout == "mailtoken:mailtoken 700\n"


def test_the_units_are_all_known_to_systemd(machine):
    states = machine.systemctl("list-unit-files", "--no-legend",
                               "mailtoken*").splitlines()
    assert {line.split()[0] for line in states} == set(UNITS)


def test_installing_switches_nothing_on(tmp_path):
    root_tree.install(tmp_path)
    for path in tmp_path.rglob("*"):
        # The folder of the configuration, and nothing in it that counts.
        name = str(path.relative_to(tmp_path))
        assert name == "etc/mailtoken" or not name.startswith("etc/")
        assert not path.parent.name.endswith((".wants", ".requires"))


def test_the_folder_of_the_configuration_is_open_whatever_the_umask(
        tmp_path):
    subprocess.run(["make", "-s", "-C", str(paths.BUILD), "install-data",
                    f"DESTDIR={tmp_path}"], check=True, umask=0o077,
                   stdout=subprocess.DEVNULL)
    folder = tmp_path / "etc" / "mailtoken"
    assert folder.stat().st_mode & 0o7777 == 0o755
    assert not list(folder.iterdir())
    sample = paths.configured("docdir") + "/examples/mailtoken.conf"
    assert (tmp_path / sample.lstrip("/")).exists()


@pytest.mark.parametrize("unit", UNITS)
def test_systemd_finds_no_fault_with_the_system_unit(machine, unit):
    done = machine.run("systemd-analyze", "verify", "--man=no", unit,
                       check=False)
    assert done.stdout + done.stderr == ""
    assert done.returncode == 0


@pytest.mark.parametrize("unit", USER_UNITS)
def test_systemd_finds_no_fault_with_the_user_unit(machine, unit):
    done = machine.run("systemd-analyze", "--user", "verify", "--man=no",
                       unit, check=False, XDG_RUNTIME_DIR="/run")
    assert done.stdout + done.stderr == ""
    assert done.returncode == 0


@pytest.mark.parametrize("unit", (SERVICE, "mailtoken-renew.service"))
def test_the_service_is_exposed_to_little(machine, unit):
    said = machine.run("systemd-analyze", "--no-pager", "security",
                       unit).stdout
    level = re.search(r"Overall exposure level for \S+: ([0-9.]+)", said)
    assert float(level[1]) <= EXPOSURE_MAX


def test_the_service_says_when_it_is_ready_and_has_time_to_stop(machine):
    assert machine.show(SERVICE, "Type") == "notify"
    assert machine.show(SERVICE, "TimeoutStopUSec") == "30s"
    assert machine.show(SERVICE, "RuntimeDirectory") == ""
    assert machine.show(SERVICE, "StateDirectory") == "mailtoken"
