# SPDX-License-Identifier: BSD-2-Clause
"""What the service may do, what it writes, and what it logs."""

import ctypes
import os
import re

import pytest

from bed_units import SERVICE, USER

SYS_LANDLOCK_CREATE_RULESET = 444
LANDLOCK_CREATE_RULESET_VERSION = 1
NOTICE, INFO, ERROR = "5", "6", "3"
MAIL = "2"      # the facility's number in syslog(3)


def landlock_abi():
    """What the kernel offers; below 1: nothing."""
    libc = ctypes.CDLL(None, use_errno=True)
    return libc.syscall(SYS_LANDLOCK_CREATE_RULESET, None,
                        ctypes.c_size_t(0), LANDLOCK_CREATE_RULESET_VERSION)


def use_everything(system):
    """All that a helper does in its life, but for the end."""
    system.login()
    assert system.run("refresh", USER).returncode == 0
    assert system.at(system.jail_socket).token()
    assert system.run("status").returncode == 0
    assert system.run("refresh", "--due").returncode == 0
    system.configure(top="log_level debug\n")
    assert system.run("reload").returncode == 0
    assert system.token()


def proc_status(system):
    """The kernel's view of the helper."""
    path = system.container.path(f"/proc/{system.pid()}/status")
    with open(path) as source:
        return dict(re.split(r":\s*", line.strip(), maxsplit=1)
                    for line in source)


def test_the_helper_has_no_rights_left(system):
    assert system.run("version").returncode == 0
    status = proc_status(system)
    uid = system.container.run("id", "-u", "mailtoken").stdout.strip()
    assert status["Uid"].split() == [uid] * 4
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[name], 16) == 0, name
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"
    assert status["Groups"].split() in ([], [status["Gid"].split()[0]])


def test_landlock_is_applied_under_the_unit(system):
    if landlock_abi() < 1:
        pytest.skip("the kernel has no Landlock")
    since = system.container.cursor()
    system.login()
    said = system.container.wait_journal("event=sandbox", after=since)
    assert f"landlock-abi-{landlock_abi()}" in said["MESSAGE"]


def test_nothing_needs_a_call_that_the_filter_refuses(system):
    # With the unit's error number a refused call could go unnoticed.
    system.drop_in("SystemCallErrorNumber=kill")
    use_everything(system)
    first = system.pid()
    assert first > 0
    assert system.container.show(SERVICE, "NRestarts") == "0"
    system.container.systemctl("stop", SERVICE)
    assert system.container.show(SERVICE, "Result") == "success"


def test_a_broken_configuration_needs_no_refused_call_either(system):
    system.drop_in("SystemCallErrorNumber=kill")
    system.write(system.config, "allow = {\n")
    assert system.run("status").returncode == 1
    system.container.systemctl("stop", SERVICE)
    assert system.container.show(SERVICE, "Result") == "success"


def test_no_core_is_left_and_none_could_be(system):
    assert system.run("version").returncode == 0
    path = system.container.path(f"/proc/{system.pid()}/limits")
    with open(path) as source:
        limits = source.read()
    assert re.search(r"^Max core file size +0 +0 ", limits, re.M)
    assert re.search(r"^Max open files +8192 +8192 ", limits, re.M)


def test_files_appear_in_the_keyring_only(system):
    use_everything(system)
    system.container.systemctl("start", "mailtoken-renew.service")
    found = system.container.run(
        "find", "/", "-xdev", "-user", "mailtoken", "-printf", "%p\n")
    state = os.path.dirname(system.keyring)
    for path in found.stdout.splitlines():
        assert path == state or path.startswith(state + "/"), path
    entry = system.container.run("stat", "-c", "%U %a", system.keyring,
                                 f"{system.keyring}/{USER}").stdout
    assert entry == "mailtoken 700\nmailtoken 600\n"


def test_the_service_sees_no_place_to_write_but_its_own(system):
    assert system.run("version").returncode == 0
    done = system.container.run(
        "nsenter", "-t", str(system.pid()), "-m", "-r", "--", "runuser", "-u",
        "mailtoken", "--", "find", "/", "-not", "(", "-path", "/proc/*",
        "-prune", ")", "-type", "d", "-writable", check=False)
    state = os.path.dirname(system.keyring)
    found = set(done.stdout.splitlines())
    assert state in found
    # The temporary directories are the service's own.
    assert found <= {state, system.keyring, "/tmp", "/var/tmp"}
    assert system.container.show(SERVICE, "PrivateTmp") == "yes"


def test_a_line_reaches_the_journal_once_with_facility_and_level(system):
    since = system.container.cursor()
    system.login()
    system.token()
    system.container.wait_journal("verb=token .*outcome=ok", after=since)
    lines = [e for e in system.container.journal(after=since)
             if str(e.get("MESSAGE")).startswith("event=")]
    assert len({e["MESSAGE"] for e in lines if "verb=token" in e["MESSAGE"]
                }) == sum("verb=token" in e["MESSAGE"] for e in lines) == 1
    for entry in lines:
        assert entry["SYSLOG_FACILITY"] == MAIL
        assert entry["_SYSTEMD_UNIT"] == SERVICE
    levels = {e["MESSAGE"].split()[0]: e["PRIORITY"] for e in lines}
    assert levels["event=start"] == NOTICE
    assert levels["event=request"] == INFO


def test_a_broken_configuration_is_an_error_in_the_journal(system):
    system.write(system.config, "allow = {\n")
    since = system.container.cursor()
    assert system.run("status").returncode == 1
    entry = system.container.wait_journal("event=config", after=since)
    assert entry["PRIORITY"] == ERROR
    found = [e for e in system.container.journal(after=since)
             if "event=config" in str(e.get("MESSAGE"))]
    assert len(found) == 1
