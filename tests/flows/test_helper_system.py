# SPDX-License-Identifier: BSD-2-Clause
"""Systems that keep things elsewhere, or do not have them."""

import os
import subprocess

import paths
import pytest

from bed import write_file
from bed_helper import ROOT
from test_choose import names           # noqa: F401

JO = "jo@example.org"
HOST = "login.mailtoken.example"
LINK = ("mount -t tmpfs -o mode=755 tmpfs /mnt && mkdir -m 755 /mnt/etc && "
        'ln -s "$0" /mnt/etc/resolv.conf && '
        "mount -t overlay overlay -o lowerdir=/mnt/etc:/etc /etc && ")


@pytest.fixture
def elsewhere(helper):
    """Start the helper where a command has changed the file systems."""
    if not ROOT or subprocess.run(["unshare", "-m", "true"],
                                  check=False).returncode:
        pytest.skip("needs root and a mount namespace")

    def start(script, *words):
        helper.start(before=["unshare", "-m", "sh", "-c",
                             script + 'exec "$@"', *words])
        return helper
    return start


def ask_names(helper):
    """Have it look up a host that none but a name server knows."""
    answer = helper.ask("sign-in", account=JO)
    assert answer["result"] == "try-later", answer
    return answer["text"]


@pytest.fixture
def far(helper):
    """The provider has a name that must be looked up."""
    helper.configure(token_endpoint=f"https://{HOST}/token",
                     device_authorization_endpoint=f"https://{HOST}/device")


def test_names_resolve_where_resolv_conf_is_a_link_out_of_etc(
        elsewhere, far, names):             # noqa: F811
    """Case 64."""
    helper = elsewhere(
        f"{LINK} mkdir -m 755 /mnt/net && echo 'nameserver {names.address}'"
        " >/mnt/net/resolv.conf && ", "/mnt/net/resolv.conf")
    ask_names(helper)
    assert any(b"mailtoken" in name for name in names.asked)


def test_names_resolve_where_the_folder_appears_below_run_later(
        elsewhere, far, names):             # noqa: F811
    """Case 64."""
    helper = elsewhere(f"{LINK} mount -t tmpfs -o mode=755 tmpfs /run && ",
                       "/run/netconfig/resolv.conf")
    subprocess.run(
        ["nsenter", "-m", "-t", str(helper.process.pid), "sh", "-c",
         "mkdir -m 755 /run/netconfig && "
         f"echo 'nameserver {names.address}' >/run/netconfig/resolv.conf"],
        check=True)
    ask_names(helper)
    assert any(b"mailtoken" in name for name in names.asked)


def test_a_system_without_authorities_is_told_what_to_install(elsewhere,
                                                              helper):
    helper.configure(ca_file=None)
    elsewhere("mount -t tmpfs tmpfs /etc/ssl/certs && ", "sh")
    answer = helper.ask("sign-in", account=JO)
    assert "install the package ca-certificates" in answer["text"]
    assert "ca_file" not in answer["text"]


CONTAINER_UID, VOLUME_GROUP = 1000680000, 2000


def in_container(helper, keyring, socket):
    """As a container of no user's runs it: volumes of root and a group."""
    for name in ("data", "sockets"):
        os.makedirs(helper.path(name), exist_ok=True)
        os.chown(helper.path(name), 0, VOLUME_GROUP)
        os.chmod(helper.path(name), 0o2775)
    helper.keyring, helper.socket, helper.sockets = keyring, socket, [socket]
    helper.argv = lambda: [
        "setpriv", f"--reuid={CONTAINER_UID}", "--regid=0",
        f"--groups={VOLUME_GROUP}", str(paths.program("mailtokend")),
        "--config", helper.config, "--keyring", keyring, "--listen", socket]


def test_a_uid_without_a_name_works_in_volumes_of_root(root, helper):
    """Case 69: the example of mailtokend(8)."""
    keyring = helper.path("data", "keyring")
    socket = helper.path("sockets", "mailtoken", "socket")
    in_container(helper, keyring, socket)
    helper.start()
    with helper.connect() as line:
        shown = line.send("sign-in", account=JO).next()
        helper.idp.approve(shown["user-code"], JO)
        assert line.rest()[-1]["result"] == "ok"
    assert helper.record()["account"] == JO
    for path, mode in ((keyring, 0o700), (os.path.dirname(socket), 0o755)):
        found = os.stat(path)
        assert found.st_uid == CONTAINER_UID
        assert found.st_mode & 0o777 == mode


def test_a_uid_without_a_name_is_told_what_it_can_do(root, helper):
    """Case 69: it cannot chown."""
    data, sockets = helper.path("data"), helper.path("sockets")
    in_container(helper, data, f"{sockets}/mailtoken/socket")
    helper.start()
    text = helper.ask("token", account=JO, server="localhost")["text"]
    assert f"{data}/keyring instead" in text and "chown" not in text
    helper.stop()
    in_container(helper, f"{data}/keyring", f"{sockets}/socket")
    helper.launch()
    assert helper.wait() == 1
    helper.wait_log(f"listen on {sockets}/mailtoken/socket")


MODELESS = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/stat.h>

int fstat(int fd, struct stat *st)
{
	int (*real)(int, struct stat *) = dlsym(RTLD_NEXT, "fstat");
	int status = real(fd, st);

	if (status == 0 && (S_ISDIR(st->st_mode) ? getenv("DIR_MODE") != NULL :
		S_ISREG(st->st_mode) && getenv("AS_IT_IS") == NULL))
		st->st_mode |= 0055;
	return status;
}

#include <sys/vfs.h>

int fstatfs(int fd, struct statfs *fs)
{
	int (*real)(int, struct statfs *) = dlsym(RTLD_NEXT, "fstatfs");
	int status = real(fd, fs);

	if (status == 0)
		fs->f_type = 0xff534d42;
	return status;
}
"""


def cifs(helper):
    """Makes what the helper reads look as on CIFS: chmod succeeds and changes
    nothing."""
    if paths.sanitized():
        pytest.skip("a sanitizer's runtime must be loaded first")
    library = helper.path("modeless.so")
    build = subprocess.run(["cc", "-shared", "-fPIC", "-xc", "-", "-ldl",
                            "-o", library], input=MODELESS, text=True,
                           check=False)
    if build.returncode:
        pytest.skip("no compiler here")
    return ["env", f"LD_PRELOAD={library}"]


@pytest.mark.parametrize("folders", [True, False])
def test_a_file_system_without_modes_is_named_with_its_options(
        root, helper, folders):
    more = ["DIR_MODE=1"] if folders else []
    helper.start(before=[*cifs(helper), *more])
    text = helper.ask("token", account=JO, server="localhost")["text"]
    assert f"the file system of {helper.keyring} keeps no modes" in text
    assert "dir_mode=0700,file_mode=0600 (cifs)" in text
    assert "chmod 700" not in text
    assert [n for n in os.listdir(helper.keyring) if n != ".lock"] == []


@pytest.mark.parametrize("what", ["secret", "configuration"])
def test_a_file_of_a_file_system_without_modes_gets_no_chmod(
        root, helper, what):
    secret = helper.path("secret")
    write_file(secret, "x" * 40, 0o644 if what == "secret" else 0o600)
    os.chown(secret, helper.user.pw_uid, helper.user.pw_gid)
    helper.configure(f"account {JO}\n    provider test",
                     client_secret_file=secret)
    named = secret
    if what == "configuration":
        named = helper.config
        os.chmod(named, 0o666)
    helper.start(before=[*cifs(helper), "AS_IT_IS=1"])
    text = helper.ask("token", account=JO, server="localhost")["text"]
    assert f"the file system of {named} keeps no modes" in text
    assert "file_mode=0600 (cifs)" in text and "chmod " not in \
        text.replace("chmod changes nothing", "")
