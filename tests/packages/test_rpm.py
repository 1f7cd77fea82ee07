# SPDX-License-Identifier: BSD-2-Clause
"""The RPM packages, built and looked at with Debian's tools."""

import os
import re
import shutil
import subprocess

import pytest

from conftest import HERE, TOP, installed

SPEC = TOP / "packaging" / "rpm" / "mailtoken.spec"
PLUGIN = "cyrus-sasl-mailtoken"
SELINUX = "mailtoken-selinux"
BUILD_MAX_S = 600
# Folders of filesystem, of systemd and of what the policy belongs to.
OTHERS = {"/etc", "/usr/bin", "/usr/sbin", "/usr/lib/systemd/system",
          "/usr/lib/systemd/user", "/usr/lib/sysusers.d",
          "/usr/lib/tmpfiles.d", "/usr/lib64", "/usr/libexec",
          "/usr/share/doc", "/usr/share/licenses", "/usr/share/man/man1",
          "/usr/share/man/man5", "/usr/share/man/man7", "/usr/share/man/man8",
          "/usr/share/selinux/devel/include",
          "/usr/share/selinux/packages/targeted",
          "/var/lib/selinux/targeted/active/modules/200"}
# Debian's rpm knows none of its own packages: no database is asked.
RPM = ["--load", HERE / "macros.rpm"]
# system, what says so in its macros
SYSTEMS = {"fedora": "fedora 42", "epel9": "rhel 9", "epel10": "rhel 10",
           "suse16": "suse_version 1600", "leap15": "suse_version 1500"}


class Rpms:
    """What rpmbuild made: files by the package's name."""

    def __init__(self, folder):
        self._database = folder / "db"
        self.files = {path.name.split("-0")[0]: path
                      for path in folder.glob("RPMS/*/*.rpm")}

    def ask(self, package, *what):
        """The lines that rpm says about a package."""
        said = subprocess.run(
            ["rpm", "--dbpath", self._database, "-qp", *what,
             self.files[package]], capture_output=True, text=True,
            check=True).stdout
        return said.splitlines()

    def contents(self, package):
        """(mode, owner, group, path) of each file."""
        form = "[%{FILEMODES:perms} %{FILEUSERNAME} %{FILEGROUPNAME} " \
               "%{FILENAMES}\\n]"
        return [tuple(line.split(" ", 3))
                for line in self.ask(package, "--queryformat", form)]

    def paths(self, package):
        """The files, without directories."""
        return {path for mode, _, _, path in self.contents(package)
                if not mode.startswith("d")}


@pytest.fixture(scope="module")
def rpms(debs, tmp_path_factory):
    """The packages of this tree, from the tarball of the Debian ones."""
    for tool in ("rpmbuild", "checkmodule", "bzip2"):
        if shutil.which(tool) is None:
            pytest.skip(f"there is no {tool}")
    folder = tmp_path_factory.mktemp("rpms")
    tarball, = debs.folder.glob("*.orig.tar.xz")
    version = tarball.name.split("_")[1].split(".orig")[0]
    (folder / f"mailtoken-{version}.tar.xz").symlink_to(tarball)
    made = subprocess.run(
        ["rpmbuild", "-bb", "--nodeps", "--nocheck", *RPM,
         "--define", f"_topdir {folder}", "--define", f"_sourcedir {folder}",
         "--define", f"_dbpath {folder}/db",
         "--define", f"_tmppath {folder}", "--define", "_smp_mflags -j2",
         SPEC], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, timeout=BUILD_MAX_S,
        env={**os.environ, "CFLAGS": "-O0", "LDFLAGS": "-Wl,-s"})
    assert made.returncode == 0, made.stdout[-4000:]
    return Rpms(folder)


def test_rpmlint_has_nothing_to_say(rpms):
    if shutil.which("rpmlint") is None:
        pytest.skip("there is no rpmlint")
    said = subprocess.run(
        ["rpmlint", "-c", HERE / "rpmlint.toml",
         "-r", SPEC.with_suffix(".rpmlintrc"), *rpms.files.values(), SPEC],
        capture_output=True, text=True, timeout=300)
    found = re.findall(r"^\S+: [EWI]: .*", said.stdout, re.M)
    assert (said.returncode, found) == (0, []), said.stdout + said.stderr


def test_all_that_is_installed_is_in_one_package(rpms, tmp_path):
    kept = [path for package in ("mailtoken", PLUGIN)
            for path in rpms.paths(package)
            if "/usr/share/licenses/" not in path]
    assert len(kept) == len(set(kept))
    expected = {re.sub(r"^(/usr/share/man/.*)", r"\1.gz", path)
                for path in installed(tmp_path)}
    assert {path.replace("/usr/lib64/sasl2", "PLUGINDIR") for path in kept} \
        == expected - {"/usr/share/doc/mailtoken/COPYING"}


def test_what_is_removed_leaves_no_folder(rpms, tmp_path):
    """Whose folders nobody else owns."""
    rpm = ["rpm", "--root", tmp_path, "--dbpath", "/db"]
    subprocess.run([*rpm, "-i", "--nodeps", "--noscripts",
                    *rpms.files.values()], check=True)
    assert (tmp_path / "usr/sbin/mailtokend").exists()
    subprocess.run([*rpm, "-V", "--nodeps", *rpms.files], check=True)
    subprocess.run([*rpm, "-e", "--nodeps", "--noscripts", *rpms.files],
                   check=True)
    left = {f"/{path.relative_to(tmp_path)}" for path in tmp_path.rglob("*")
            if not path.is_relative_to(tmp_path / "db") and
            (not path.is_dir() or not any(path.iterdir()))}
    assert left <= OTHERS, left - OTHERS


def test_no_file_is_the_helpers_nor_privileged(rpms):
    """The user may be made after the files are there."""
    for package in rpms.files:
        for mode, owner, group, path in rpms.contents(package):
            assert (owner, group) == ("root", "root"), path
            assert "s" not in mode and mode[8] != "w", path


def test_no_configuration_comes_with_the_package(rpms):
    """With one the plugin would offer its mechanisms to strangers."""
    listed = [path for _, _, _, path in rpms.contents("mailtoken")]
    assert "/etc/mailtoken" in listed
    assert "/etc/mailtoken/mailtoken.conf" not in listed


def test_the_plugin_brings_nothing_but_libc_and_libsasl(rpms):
    needed = {re.sub(r"[ (].*", "", line)
              for line in rpms.ask(PLUGIN, "--requires")}
    assert needed == {"cyrus-sasl-lib", "libc.so.6", "rtld", "rpmlib"}


def test_the_policy_comes_where_there_is_one(rpms):
    assert f"({SELINUX} if selinux-policy-targeted)" in rpms.ask(
        "mailtoken", "--requires")
    assert rpms.ask(SELINUX, "--queryformat", "%{ARCH}") == ["noarch"]
    scripts = "\n".join(rpms.ask(SELINUX, "--scripts"))
    module, = [path for path in rpms.paths(SELINUX)
               if path.endswith(".pp.bz2")]
    assert f": selinux_modules_install targeted {module}" in scripts
    assert ": selinux_modules_uninstall targeted mailtoken" in scripts


def test_an_upgrade_restarts_the_helper_and_no_socket(rpms):
    scripts = rpms.ask("mailtoken", "--scripts")
    said = {words[1]: words[2:] for words in map(str.split, scripts)
            if words and words[0] == ":"}
    assert said["systemd_postun_with_restart"] == [
        "mailtokend.service", "mailtoken-notify.service"]
    units = {path.rsplit("/", 1)[1] for path in rpms.paths("mailtoken")
             if "/systemd/system/" in path} - {"mailtoken-notify.service",
                                               "mailtoken-renew.service"}
    assert set(said["systemd_post"]) == units
    assert set(said["systemd_preun"]) == {*units, "mailtoken-notify.service"}


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_spec_file_is_read_for(system):
    if shutil.which("rpmspec") is None:
        pytest.skip("there is no rpmspec")
    read = subprocess.run(
        ["rpmspec", "-P", *RPM, "--define", SYSTEMS[system], SPEC],
        capture_output=True, text=True)
    assert (read.returncode, read.stderr) == (0, "")
    suse = "suse" in SYSTEMS[system]
    assert ("Requires:       libsasl2-3" in read.stdout) == suse
    assert (": systemd_pre mailtokend.service" in read.stdout) == suse
    assert ("selinux" not in read.stdout) == (system == "leap15")
