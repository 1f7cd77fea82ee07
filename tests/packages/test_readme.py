# SPDX-License-Identifier: BSD-2-Clause
"""packaging/README says what is there, and all of it."""

import re
import subprocess

from conftest import TOP, installed

# What autoconf, automake and libtool bring.
COMMON = {"option-checking", "silent-rules", "dependency-tracking", "static",
          "shared", "fast-install", "libtool-lock", "largefile", "pic",
          "aix-soname", "gnu-ld", "sysroot", "FEATURE", "PACKAGE"}
PACKAGING = TOP / "packaging"


def section(title):
    """The lines of one section that are indented."""
    text = (PACKAGING / "README").read_text()
    body = re.search(rf"^{title}\n-+\n(.*?)(?=^\S[^\n]*\n-+$|\Z)", text,
                     re.M | re.S)[1]
    return [line.strip() for line in body.splitlines()
            if line.startswith("    ")]


def options(text):
    """The names of configure's options."""
    return set(re.findall(
        r"^ *--(?:enable|disable|with|without)-([\w-]+)", text, re.M))


def unit_files():
    """Units of the system and of users, by name."""
    return [path for folder in ("systemd", "systemd/user")
            for path in (PACKAGING / folder).glob("*.in")]


def test_all_options_of_configure_are_there():
    said = subprocess.run([TOP / "configure", "--help"], check=True,
                          capture_output=True, text=True).stdout
    assert options("\n".join(section("Options of configure"))) == \
        options(said) - COMMON


def test_all_libraries_and_their_versions_are_there():
    asked = re.findall(r"PKG_CHECK_MODULES\(\[\w+\], \[(\S+) >= ([\d.]+)\]",
                       (TOP / "configure.ac").read_text())
    there = re.findall(r"(\w+) (\d[\d.]*\d)",
                       "\n".join(section("Needed to build")))
    assert sorted(there) == sorted(set(asked))


def test_all_files_that_are_installed_are_there(tmp_path):
    listed = [line.split()[0] for line in section("Packages")]
    assert len(listed) == len(set(listed))
    assert set(listed) == installed(tmp_path)


def test_all_units_are_there():
    named = set(re.findall(r"mailtoken\S*\.(?:service|socket|timer)",
                           "\n".join(section("Units"))))
    assert named == {path.name.removesuffix(".in") for path in unit_files()}


def test_all_users_and_groups_are_there():
    asked = set()
    for path in unit_files():
        asked |= set(re.findall(r"^(?:Socket)?(?:User|Group)=(\S+)",
                                path.read_text(), re.M))
    named = {line.split()[0] for line in section("Users and groups")}
    assert {name.replace("@helper_user@", "mailtoken")
            for name in asked} <= named


def test_all_sockets_are_there():
    made = {line.split()[0] for line in section("Made at run time")}
    for path in unit_files():
        for socket in re.findall(r"^ListenStream=(\S+)", path.read_text(),
                                 re.M):
            assert socket.replace("@system_socket@", "/run/mailtoken/socket") \
                .replace("%t", "$XDG_RUNTIME_DIR") in made


def test_all_folders_are_there():
    table = (PACKAGING / "README").read_text().split("Needed to build")[0]
    named = set(re.findall(r"([\w.]+)/(?= |$)", table, re.M))
    there = {path.name for path in PACKAGING.iterdir() if path.is_dir()}
    assert there <= named
