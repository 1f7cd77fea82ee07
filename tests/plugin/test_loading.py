# SPDX-License-Identifier: BSD-2-Clause
"""Whether libsasl2 takes the module, and when it offers mechanisms."""

import os
import re
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

import paths
import sasl_host as sasl
from sasl_host import Host
from scripted_helper import ScriptedHelper

ALICE = "alice@example.com"
FIRST = b"user=" + ALICE.encode() + b"\1auth=Bearer tok123\1\1"
NOBODY = 65534
BOTH = ["EXTERNAL", "OAUTHBEARER", "XOAUTH2"]


def offered(host, **options):
    """The mechanisms libsasl2 offers, ours and its own, sorted."""
    run = host.run(list=True, **options)
    assert run.all("log") == []
    return sorted(run.one("mechs").split())


def system_plugins():
    """The directory of the distribution's plugins, with PLAIN in it."""
    found = sorted(Path("/usr/lib").glob("*/sasl2/libplain.so"))
    if not found:
        pytest.skip("no libplain.so of libsasl2 here")
    return found[0].parent


def with_password_plugins(plugins, *names):
    for name in names:
        source = system_plugins() / name
        if not source.exists():
            pytest.skip(f"no {name} here")
        shutil.copy(source, plugins / name)
    return plugins


@pytest.mark.parametrize("uid", [0, NOBODY])
def test_without_configuration_nothing_is_offered(plugins, private_system,
                                                  uid):
    """Case 17."""
    host = Host(plugins, {"HOME": "/nonexistent"},
                private_system.as_user(uid))
    assert offered(host) == ["EXTERNAL"]


@pytest.mark.parametrize("uid", [0, NOBODY])
def test_a_named_socket_is_enough(plugins, private_system, uid):
    host = Host(plugins, {"MAILTOKEN_SOCKET": "/nonexistent"},
                private_system.as_user(uid))
    assert offered(host) == BOTH


def test_root_is_offered_them_where_the_system_is_configured(
        plugins, private_system):
    private_system.config_outside.touch()
    host = Host(plugins, {}, private_system.as_user(0))
    assert offered(host) == BOTH


def test_others_need_the_systems_socket_as_well(plugins, private_system):
    private_system.config_outside.touch()
    host = Host(plugins, {}, private_system.as_user(NOBODY))
    assert offered(host) == ["EXTERNAL"]


@pytest.mark.parametrize("mode,configured,expected", [
    (0o666, True, BOTH), (0o660, True, ["EXTERNAL"]),
    (0o666, False, ["EXTERNAL"])])
def test_a_user_needs_both_and_the_right_to_write(
        plugins, private_system, mode, configured, expected):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(private_system.socket_outside))
        private_system.socket_outside.chmod(mode)
        if configured:
            private_system.config_outside.touch()
        host = Host(plugins, {}, private_system.as_user(NOBODY))
        assert offered(host) == expected


MAIL_GROUP = 12345


@pytest.mark.parametrize("groups,begins", [
    ([], b"\0" + ALICE.encode() + b"\0secret"), ([MAIL_GROUP], FIRST)])
def test_who_is_not_in_the_sockets_group_goes_on_with_his_password(
        plugins, private_system, groups, begins):
    """The socket as mailtoken.socket makes it; libsasl2 falls back never."""
    with_password_plugins(plugins, "libplain.so")
    private_system.config_outside.touch()
    with ScriptedHelper(private_system.socket_outside, token="tok123"):
        os.chown(private_system.socket_outside, 0, MAIL_GROUP)
        private_system.socket_outside.chmod(0o660)
        run = Host(plugins, {}, private_system.as_user(
            NOBODY, groups)).run(user=ALICE, password="secret",
                                 mechs="PLAIN XOAUTH2 OAUTHBEARER")
    assert run.outs == [begins]


@pytest.mark.parametrize("uid,expected", [(NOBODY, BOTH),
                                          (0, ["EXTERNAL"])])
@pytest.mark.parametrize("own", [
    ".config/mailtoken/mailtoken.conf", ".local/state/mailtoken/keyring",
    "xdg-config/mailtoken/mailtoken.conf", "xdg-state/mailtoken/keyring"])
def test_a_users_own_files_are_enough_for_him_but_not_for_root(
        plugins, private_system, tmp_path, uid, expected, own):
    home = tmp_path / "home"
    (home / own).parent.mkdir(parents=True)
    (home / own).touch()
    environment = {"HOME": str(home)}
    if own.startswith("xdg-config"):
        environment["XDG_CONFIG_HOME"] = str(home / "xdg-config")
    if own.startswith("xdg-state"):
        environment["XDG_STATE_HOME"] = str(home / "xdg-state")
    host = Host(plugins, environment, private_system.as_user(uid))
    assert offered(host) == expected


def test_plain_works_as_before_without_configuration(plugins,
                                                     private_system):
    """Case 17."""
    with_password_plugins(plugins, "libplain.so")
    host = Host(plugins, {"HOME": "/nonexistent"},
                private_system.as_user(NOBODY))
    run = host.run(user=ALICE, password="secret",
                   mechs="LOGIN PLAIN XOAUTH2")
    assert run.outs == [b"\0" + ALICE.encode() + b"\0secret"]


def test_plain_works_with_a_broken_configuration(plugins, helper, host):
    """Case 18: the configuration is not the plugin's to read."""
    with_password_plugins(plugins, "libplain.so")
    helper.add("fault", word="config-error", text="mailtoken.conf:3: what?")
    run = host.run(user=ALICE, password="secret", mechs="PLAIN")
    assert run.outs == [b"\0" + ALICE.encode() + b"\0secret"]


def test_xoauth2_comes_before_plain_and_login(plugins, helper, host):
    """Case 20."""
    with_password_plugins(plugins, "libplain.so", "liblogin.so")
    run = host.run(user=ALICE, password="secret",
                   mechs="LOGIN PLAIN XOAUTH2")
    assert run.outs == [FIRST]


def test_scram_comes_before_xoauth2(plugins, helper, host):
    """Case 21: mailtoken(1) tells how a host program is made to choose."""
    with_password_plugins(plugins, "libscram.so")
    run = host.run(user=ALICE, password="secret",
                   mechs="XOAUTH2 SCRAM-SHA-256")
    assert run.all("start")[-1].endswith("SCRAM-SHA-256")


def test_postfix_defaults_need_noanonymous_alone(helper, host):
    """Case 22: a token is as exposed as a password without TLS."""
    run = host.run(user=ALICE, flags=sasl.NOPLAINTEXT | sasl.NOANONYMOUS)
    assert run.start == sasl.NOMECH
    run = host.run(user=ALICE, flags=sasl.NOANONYMOUS)
    assert run.outs == [FIRST]
    run = host.run(user=ALICE, flags=sasl.NOPLAINTEXT, ext_ssf=128)
    assert run.outs == [FIRST]


def test_the_static_description_is_as_decided(plugins):
    host = Host(plugins, {"MAILTOKEN_SOCKET": "/nonexistent"})
    run = host.run(plug=plugins / "libmailtoken.so")
    assert run.one("plug") == "0 version 4 count 2"
    # NOANONYMOUS|PASS_CREDENTIALS; WANT_CLIENT_FIRST|ALLOWS_PROXY.
    assert run.all("offer") == [
        "XOAUTH2 ssf 1 security 0x30 features 0x22",
        "OAUTHBEARER ssf 1 security 0x30 features 0x22"]


@pytest.mark.parametrize("library", ["libc", "self", "shorter"])
def test_a_library_of_another_layout_is_refused_politely(plugins, library):
    host = Host(plugins, {"MAILTOKEN_SOCKET": "/nonexistent"})
    run = host.run(plug=plugins / "libmailtoken.so", library=library)
    assert run.one("plug").startswith(f"{sasl.BADVERS} ")


def test_an_old_library_is_refused_politely(plugins):
    host = Host(plugins, {"MAILTOKEN_SOCKET": "/nonexistent"})
    run = host.run(plug=plugins / "libmailtoken.so", max_version=3)
    assert run.one("plug").startswith(f"{sasl.BADVERS} ")


def tool(*command):
    return subprocess.run(command, capture_output=True, text=True,
                          check=True).stdout


def plain_build():
    if paths.sanitized():
        pytest.skip("a build with sanitizers links and calls more")


def test_only_the_entry_is_exported(plugins):
    plain_build()
    lines = tool("nm", "-D", "--defined-only",
                 str(plugins / "libmailtoken.so")).splitlines()
    names = [line.split()[-1] for line in lines]
    assert names == ["sasl_client_plug_init"]


def test_only_libc_is_needed(plugins):
    plain_build()
    needed = re.findall(r"NEEDED.*\[(.*)\]", tool(
        "readelf", "-d", str(plugins / "libmailtoken.so")))
    assert "libc.so.6" in needed or any("musl" in n for n in needed)
    for name in needed:
        assert re.match(r"libc\.|ld-linux|libc\.musl|libdl\.", name), needed


def test_nothing_is_called_that_a_guest_may_not_call(plugins):
    """undefined.allow lists every function, with what is odd about it."""
    plain_build()
    allow = {line.split()[0] for line in
             (Path(__file__).parent / "undefined.allow").read_text()
             .splitlines() if line and not line.startswith("#")}
    lines = tool("nm", "-D", "--undefined-only",
                 str(plugins / "libmailtoken.so")).splitlines()
    used = {line.split()[-1].split("@")[0] for line in lines}
    plain = {re.sub(r"^__(\w+)_chk$", r"\1", name) for name in used}
    assert plain - allow == set()


def test_nothing_that_changes_is_kept_between_calls(plugins):
    """No mutable statics: everything writable is relocated, then closed."""
    plain_build()
    lines = tool("nm", "-S", str(paths.module())).splitlines()
    writable = {line.split()[-1] for line in lines
                if re.search(r" [bBdD] ", line)}
    runtime = {"completed.0", "__dso_handle", "_DYNAMIC", "__TMC_END__",
               "_GLOBAL_OFFSET_TABLE_"}
    ours = {name for name in writable - runtime
            if not name.startswith("__")}
    sections = tool("readelf", "-sW", str(paths.module()))
    relro = tool("readelf", "-SW", str(paths.module()))
    index = re.search(r"\[ *(\d+)\] \.data\.rel\.ro", relro)
    for name in ours:
        row = re.search(rf"^.* (\d+) {re.escape(name)}$", sections, re.M)
        assert index and row and row.group(1) == index.group(1), name


def make(target, destination):
    if not (paths.BUILD / "Makefile").exists():
        pytest.skip(f"no Makefile in {paths.BUILD}")
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith(("MAKE", "MFLAGS"))}
    subprocess.run(["make", "-C", str(paths.BUILD), *target,
                    f"DESTDIR={destination}"], check=True,
                   env=environment, capture_output=True)


def test_install_puts_one_file_where_libsasl2_looks(plugins, tmp_path):
    """Case 24; libsasl2 would load a .la file as well."""
    destination = tmp_path / "destination"
    directory = Path(f"{destination}{paths.configured('sasl_plugindir')}")
    make(["install-sasl_pluginLTLIBRARIES", "install-data-hook"],
         destination)
    assert [p.name for p in directory.iterdir()] == ["libmailtoken.so"]
    assert (directory / "libmailtoken.so").stat().st_mode & 0o022 == 0
    make(["uninstall-sasl_pluginLTLIBRARIES", "uninstall-hook"],
         destination)
    assert list(directory.iterdir()) == []


def test_install_makes_the_folder_of_the_configuration(plugins, tmp_path):
    """Empty: a mailtoken.conf in it would be the wish to be used."""
    destination = tmp_path / "destination"
    folder = Path(f"{destination}{paths.configured('system_config')}").parent
    make(["install-data-hook"], destination)
    assert list(folder.iterdir()) == []
    assert folder.stat().st_mode & 0o777 == 0o755
    make(["uninstall-hook"], destination)
    assert not folder.exists()
