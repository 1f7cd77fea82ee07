# SPDX-License-Identifier: BSD-2-Clause
"""Who can put a file somewhere gets nothing served from it: records in a
sealed keyring, folders above the keyring, files of a configuration."""

import os
import pwd
import stat
import subprocess

import pytest

import paths
from bed import write_file
from test_a_full_disk import disk    # noqa: F401

JO = "jo@example.org"
EVE = "eve@example.org"
HOLDER = "holder@example.org"


def mark(helper):
    """The file that says whether the keyring is sealed."""
    return os.path.join(helper.keyring, ".sealed")


def is_sealed(helper, account=JO):
    """Whether the file shows nothing of the grant."""
    record = helper.record(account)
    return "sealed" in record and "refresh-token" not in record


def with_key(helper, more=""):
    """Configure the key of the keyring."""
    key = helper.path("key")
    write_file(key, "6b" * 32, 0o600)
    os.chown(key, helper.user.pw_uid, helper.user.pw_gid)
    helper.configure(f"keyring_key {key}\n{more}")


@pytest.fixture
def sealed(helper):
    """A helper whose keyring was sealed at an earlier start."""
    helper.seed()
    with_key(helper)
    helper.start()
    assert is_sealed(helper)
    return helper


def cli(helper, *words):
    """The command, as root."""
    return subprocess.run(
        [str(paths.program("mailtoken")), "--socket", helper.socket, *words],
        capture_output=True, text=True, timeout=60)


def check(helper):
    """mailtokend --check."""
    words = [w for w in helper.argv() if w != "debug"]
    words.remove("--log-level")
    return subprocess.run([*words, "--check"], capture_output=True,
                          text=True, timeout=60)


def test_plain_records_are_sealed_at_the_first_start_with_a_key(helper):
    helper.seed()
    helper.seed(HOLDER)
    helper.start()
    assert helper.token()["result"] == "ok"
    with_key(helper)
    helper.restart()
    assert is_sealed(helper) and is_sealed(helper, HOLDER)
    assert stat.S_IMODE(os.stat(mark(helper)).st_mode) == 0o600
    assert helper.token()["result"] == "ok"
    assert helper.token(HOLDER)["result"] == "ok"
    helper.wait_log("event=sealed")


def refused(helper, account):
    """A plain record: named with what mends it, and not served."""
    answer = helper.token(account)
    assert answer["result"] == "config-error", answer
    assert os.path.join(helper.keyring, account) in answer["text"]
    assert f"mailtoken rekey {account}" in answer["text"]
    assert helper.status(account)["state"] == "config-error"


@pytest.mark.parametrize("when", ["while it runs", "before a start"])
def test_a_planted_record_is_never_served(sealed, when):
    sealed.restart()        # nothing of it is in memory
    if when == "before a start":
        sealed.stop()
    sealed.seed(EVE)
    sealed.seed()           # in the place of a sealed one
    if when == "before a start":
        sealed.start()
    refused(sealed, EVE)
    refused(sealed, JO)
    sealed.restart()
    refused(sealed, EVE)
    refused(sealed, JO)


@pytest.mark.parametrize("how", ["removed", "emptied", "plain", "another's"])
def test_the_mark_cannot_be_forged(sealed, how):
    sealed.seed(HOLDER)
    assert cli(sealed, "rekey", HOLDER).returncode == 0
    sealed.stop()
    if how == "removed":
        os.unlink(mark(sealed))
    else:
        text = {"emptied": "",
                "plain": "mailtoken-entry=1\naccount=.sealed\nmark=begun\n\n",
                "another's": open(os.path.join(sealed.keyring, HOLDER),
                                  encoding="ascii").read().replace(
                                      HOLDER, ".sealed")}[how]
        sealed.write_record(".sealed", text)
    sealed.seed(EVE)
    sealed.start()
    refused(sealed, EVE)
    assert sealed.token(HOLDER)["result"] == "ok"


def test_a_take_over_that_was_cut_off_goes_on(root, helper):
    for n in range(40):
        helper.seed(f"u{n}@example.org")
    with_key(helper)
    # It writes the mark, then a record a rename.
    helper.launch(before=("strace", "-f", "-qq", "-o", "/dev/null", "-e",
                          "trace=renameat", "-e",
                          "inject=renameat:signal=KILL:when=20"))
    helper.wait()
    done = [n for n in range(40) if is_sealed(helper, f"u{n}@example.org")]
    assert 0 < len(done) < 40
    helper.start()
    for n in range(40):
        assert is_sealed(helper, f"u{n}@example.org")
    helper.seed(EVE)
    refused(helper, EVE)


def test_a_full_disk_puts_the_take_over_off(disk, helper):
    helper.seed()
    with_key(helper)
    full = disk("size=256k")
    full.fill()
    helper.start(before=full.enter)
    assert helper.token()["result"] == "ok"
    helper.wait_log("are not sealed yet")
    full.make_room()
    helper.restart(before=full.enter)
    assert is_sealed(helper)


def test_rekey_takes_over_what_is_named(sealed):
    sealed.seed(EVE)
    sealed.seed(HOLDER)
    refused(sealed, EVE)
    run = cli(sealed, "rekey", EVE)
    assert (run.returncode, run.stderr) == (0, "")
    assert is_sealed(sealed, EVE)
    assert sealed.token(EVE)["result"] == "ok"
    refused(sealed, HOLDER)
    assert cli(sealed, "rekey").returncode == 0
    assert is_sealed(sealed, HOLDER)
    assert sealed.token(HOLDER)["result"] == "ok"


def test_rekey_is_for_root_and_needs_a_key(root, sealed):
    sealed.configure("admin daemon")
    denied = sealed.ask("rekey", uid=1, account=JO)
    assert denied["result"] == "denied"
    assert sealed.ask("rekey", account="who@example.org"
                      )["result"] == "unknown-account"
    sealed.restart()
    answer = sealed.ask("rekey", account=JO)
    assert answer["result"] == "config-error"
    assert "keyring_key" in answer["text"]


# -- folders above the keyring --------------------------------------------

WAYS = {"others": (0o777, 0, "chmod go-w"),
        "a group": (0o775, 12, "chmod go-w"),
        "its owner": (0o1755, 1, "chown root")}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("level", ["parent", "above", "behind a link"])
def test_a_folder_that_others_may_change_is_warned_about(root, helper, way,
                                                         level):
    mode, owner, cure = WAYS[way]
    folder = helper.path("state")
    if level != "parent":
        os.rename(folder, helper.path("deep"))
        os.mkdir(helper.path("wide"))
        os.rename(helper.path("deep"), helper.path("wide", "state"))
        folder = helper.path("wide")
        if level == "behind a link":
            os.symlink(helper.path("wide", "state"), helper.path("state"))
        else:
            helper.keyring = helper.path("wide", "state", "keyring")
    os.chmod(folder, 0o755)
    run = check(helper)
    assert (run.returncode, "warning" in run.stdout) == (0, False), run.stdout
    os.chown(folder, owner if way == "its owner" else 0,
             owner if way == "a group" else 0)
    os.chmod(folder, mode)
    run = check(helper)
    warning = f"{cure} {os.path.realpath(folder)}"
    assert run.returncode == 0
    assert warning in run.stdout, run.stdout
    helper.seed()
    helper.start()
    helper.wait_log(warning)
    with helper.connect() as line:
        line.send("status")
        lists = list(iter(line.next, None))
    assert any(warning in str(one.get("warning")) for one in lists), lists
    assert helper.token()["result"] == "ok"


def test_a_folder_with_the_sticky_bit_is_no_reason_to_warn(root, helper):
    os.chown(helper.path("state"), 0, 0)
    os.chmod(helper.path("state"), 0o1777)
    assert "warning" not in check(helper).stdout


# -- files of the configuration -------------------------------------------

@pytest.mark.parametrize("which", ["the file", "an include"])
@pytest.mark.parametrize("what", ["owner", "group", "others"])
def test_a_config_file_that_others_may_write_is_refused(root, helper, which,
                                                        what):
    path = helper.config
    if which == "an include":
        path = helper.path("more.conf")
        write_file(path, "renew_idle 6d\n")
        helper.configure(f"include {path}")
    helper.seed()
    helper.start()
    assert helper.token()["result"] == "ok"
    helper.stop()
    os.chmod(path, {"owner": 0o644, "group": 0o664, "others": 0o646}[what])
    os.chown(path, 1 if what == "owner" else 0, -1)
    name = pwd.getpwuid(1).pw_name
    cure = f"{path}: " + {
        "owner": f"belongs to user {name}: chown root {path}"}.get(
            what, f"group or others may write to it: chmod go-w {path}")
    run = check(helper)
    assert run.returncode == 1
    assert cure in run.stderr
    helper.start()
    answer = helper.token()
    assert answer["result"] == "config-error"
    assert cure in answer["text"]
    os.chmod(path, 0o644)
    os.chown(path, 0, -1)
    assert helper.token()["result"] == "ok"


def test_a_foreign_config_file_names_no_socket(root, helper):
    there = helper.path("run", "there")
    helper.configure(f"listen {there}")
    os.chown(helper.config, 1, -1)
    helper.sockets, sockets = [], helper.sockets
    # Where it listens instead is a /run of its own.
    helper.launch(before=(
        "unshare", "-m", "sh", "-c", "mount -t tmpfs tmpfs /run && "
        'exec timeout --preserve-status 3 "$@"', "sh"))
    helper.wait()
    helper.sockets = sockets
    assert not os.path.exists(there)


def test_a_config_file_may_belong_to_the_helpers_user(root, helper):
    helper.seed()
    os.chown(helper.config, helper.user.pw_uid, -1)
    helper.start()
    assert helper.token()["result"] == "ok"
