# SPDX-License-Identifier: BSD-2-Clause
"""The Debian packages, as their reviewers look at them."""

import re
import shutil
import subprocess

import pytest

import paths
from conftest import TOP

PLUGIN = "libsasl2-modules-mailtoken"


def test_lintian_has_nothing_to_say(debs):
    if shutil.which("lintian") is None:
        pytest.skip("there is no lintian")
    said = subprocess.run(
        ["lintian", "--pedantic", "--profile", "debian", "--allow-root",
         "--fail-on", "error,warning,info,pedantic", debs.changes],
        capture_output=True, text=True, timeout=300)
    assert (said.returncode, said.stdout) == (0, ""), said.stdout


def test_the_plugin_brings_nothing_but_libc_and_libsasl(debs):
    depends = debs.control(PLUGIN, "Depends")
    assert re.fullmatch(r"libsasl2-2, libc6 \([^)]*\)", depends), depends
    assert debs.control(PLUGIN, "Multi-Arch") == "same"


def test_nothing_is_setuid_and_all_is_roots(debs):
    for package in (PLUGIN, "mailtoken"):
        for mode, owner, path in debs.contents(package):
            assert owner == "root/root", path
            assert "s" not in mode and mode[8] != "w", path


def test_no_configuration_comes_with_the_package(debs):
    """With one the plugin would offer its mechanisms to strangers."""
    paths = [path for _, _, path in debs.contents("mailtoken")]
    assert "/etc/mailtoken/" in paths
    assert "/etc/mailtoken/mailtoken.conf" not in paths
    assert "/usr/share/doc/mailtoken/examples/mailtoken.conf" in paths


def test_the_folder_of_the_keyring_is_made_where_no_systemd_is(debs):
    """Not of systemd: a system without it has another program for that."""
    depends = debs.control("mailtoken", "Depends")
    assert "systemd | systemd-standalone-tmpfiles | systemd-tmpfiles, " in \
        depends
    assert "systemd-tmpfiles" in debs.script("mailtoken", "postinst")


def test_an_upgrade_leaves_the_sockets_to_systemd(debs):
    script = debs.script("mailtoken", "prerm")
    stopped = re.findall(r"deb-systemd-invoke stop ([^\n]*)", script)
    assert stopped
    for line in re.findall(r'if [^\n]*\n[^\n]*deb-systemd-invoke stop '
                           r"[^\n]*\.socket", script):
        assert '"$1" = remove' in line
    restarted = re.findall(r"deb-systemd-invoke \$_dh_action ([^\n]*)",
                           debs.script("mailtoken", "postinst"))
    assert any("mailtokend.service" in line for line in restarted)


def profile(*options):
    """What apparmor_parser makes of the helper's profile."""
    parser = shutil.which("apparmor_parser")
    if parser is None:
        pytest.skip("there is no apparmor_parser")
    said = subprocess.run(
        [parser, *options, TOP / "packaging/apparmor/usr.sbin.mailtokend"],
        capture_output=True, text=True, timeout=60)
    assert said.returncode == 0, said.stderr
    return said.stdout


def test_the_profile_of_apparmor_is_loaded_before_its_unit_starts(debs):
    assert profile("--skip-kernel-load", "--skip-cache") == ""
    script = debs.script("mailtoken", "postinst")
    assert script.index("apparmor_parser -r") < \
        script.index("deb-systemd-invoke $_dh_action")


def test_no_path_attaches_the_profile_of_apparmor():
    """A user's own helper has other files than the system's."""
    assert profile("--names").split() == ["mailtokend"]
    assert re.search(r"^profile mailtokend flags=\S+ \{$",
                     profile("--preprocess"), re.M)
    unit = paths.BUILD / "packaging/systemd/mailtokend.service"
    assert "\nAppArmorProfile=-mailtokend\n" in unit.read_text()


def test_the_profile_of_apparmor_lets_proc_be_read():
    """Not by "owner": nobody may dump the helper, so they are root's."""
    rules = []
    for line in profile("--preprocess").splitlines():
        found = re.match(r"\s+(?:@{PROC}|/proc)(/\S+) r,", line)
        if found:
            rule = re.escape(found[1].replace("@{pid}", "self"))
            rule = re.sub(r"\\{(.*?)\\}", lambda words: "(?:%s)" %
                          words[1].replace(",", "|"), rule)
            rules.append("/proc" + rule)
    asked = set()
    for source in (TOP / "helper").glob("[dosw]*/*.c"):
        asked.update(re.findall(r'(?:open|opendir|maps_all|read_overflow)\('
                                r'"(/proc/[^"]*)"', source.read_text()))
    # A terminal or a pipe, which a unit has not.
    asked.remove("/proc/self/fd/2")
    assert len(asked) > 4
    for path in asked:
        assert any(re.fullmatch(rule, path) or re.fullmatch(rule, path + "/")
                   for rule in rules), path


def test_the_profile_of_apparmor_lets_folders_of_sockets_be_locked():
    for folder in ("@{run}/mailtoken/", "/var/spool/postfix/run/mailtoken/"):
        assert f"  {folder} rwk,\n" in profile("--preprocess")
