# SPDX-License-Identifier: BSD-2-Clause
"""A keyring whose key changes: of two keys the first seals, both open, and
at every moment of the change each record can be opened."""

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import paths
from bed import wait_for, write_file
from test_cut_off_anywhere import killed_steps
from test_planted_files import check, cli

JO = "jo@example.org"
ANN = "ann@example.org"
EVE = "eve@example.org"
KEYS = {"old": b"o" * 32, "new": b"n" * 32}
# With them each save of a record ends at one of these.
CALLS = ("pwrite64", "fsync", "renameat", "write", "sendto", "sendmsg")


def key_file(helper, name):
    """Its path; it is made when it is asked for first."""
    path = helper.path(name)
    if not os.path.exists(path):
        write_file(path, KEYS[name].hex(), 0o600)
        helper._give(path)
    return path


def with_keys(helper, *names):
    """Configure them; a start comes later."""
    files = " ".join(key_file(helper, name) for name in names)
    helper.configure(f"keyring_key {files}\n")


def key_of(helper, account=JO):
    """Which key a record is sealed with."""
    record = helper.record(account)
    assert "sealed" in record and "refresh-token" not in record
    (name,) = [name for name in KEYS if record["key-id"] == hashlib.sha256(
        bytes.fromhex(Path(helper.path(name)).read_text())).hexdigest()[:16]]
    return name


def all_served(helper, old):
    """Every account has the token it had."""
    for account, tokens in old.items():
        answer = helper.token(account)
        assert answer.get("token") == tokens.access_token, (account, answer)


def sealed_with_old(helper, *accounts):
    """Records of the old key, and both keys, the new one first."""
    helper.old = {account: helper.seed(account) for account in accounts}
    with_keys(helper, "old")
    helper.start()
    with_keys(helper, "new", "old")
    helper.restart()
    return helper


@pytest.fixture
def sealed(helper):
    """Two of them."""
    return sealed_with_old(helper, JO, ANN)


def test_the_first_key_seals_and_both_open(sealed):
    all_served(sealed, sealed.old)
    assert key_of(sealed, JO) == key_of(sealed, ANN) == "old"
    # Whatever is saved is sealed with the first.
    assert sealed.ask("refresh", account=JO)["result"] == "ok"
    # Half and half, in whichever order the keys stand.
    for keys in (("new", "old"), ("old", "new")):
        assert (key_of(sealed, JO), key_of(sealed, ANN)) == ("new", "old")
        with_keys(sealed, *keys)
        sealed.restart()
        for account in (JO, ANN):
            assert sealed.token(account)["result"] == "ok"


def test_a_change_of_the_key_step_by_step(sealed):
    """As mailtoken(1) has it."""
    page = (paths.SOURCE / "helper" / "man" / "mailtoken.1").read_text()
    commands = re.findall(r"^# (.* ?/etc/mailtoken/new\.key\)?)$", page, re.M)
    assert len(commands) == 2
    os.unlink(sealed.path("new"))
    for command in commands:
        subprocess.run(command.replace(
            "mailtoken ", f"{sealed.user.pw_name} ").replace(
                "/etc/mailtoken/new.key", sealed.path("new")),
                       shell=True, check=True)
    with_keys(sealed, "old", "new")
    sealed.restart()
    all_served(sealed, sealed.old)
    with_keys(sealed, "new", "old")
    sealed.restart()
    assert key_of(sealed, JO) == key_of(sealed, ANN) == "old"
    run = cli(sealed, "rekey")
    assert (run.returncode, run.stderr) == (0, "")
    assert key_of(sealed, JO) == key_of(sealed, ANN) == "new"
    with_keys(sealed, "new")
    os.unlink(sealed.path("old"))
    sealed.restart()
    all_served(sealed, sealed.old)
    # The mark is the old key's, and a plain record is refused as before.
    sealed.seed(EVE)
    assert sealed.token(EVE)["result"] == "config-error"


def test_a_key_taken_away_too_early_is_named_and_put_back(sealed):
    assert cli(sealed, "rekey", JO).returncode == 0
    with_keys(sealed, "new")
    sealed.restart()
    assert sealed.token(JO)["result"] == "ok"
    answer = sealed.token(ANN)
    assert answer["result"] == "config-error"
    assert f"{sealed.keyring}/{ANN}: " in answer["text"]
    assert "as the second file" in answer["text"]
    run = cli(sealed, "rekey")
    assert run.returncode != 0 and ANN in run.stderr
    with_keys(sealed, "new", "old")
    sealed.restart()
    all_served(sealed, sealed.old)


def test_rekey_killed_anywhere_leaves_each_record_to_one_of_the_keys(helper):
    accounts = [f"{call}{n}@example.org" for call in CALLS
                for n in range(1, 10)]
    sealed_with_old(helper, *accounts)
    found = set()
    for call, account, answer in killed_steps(
            helper, CALLS, lambda account: key_of(helper, account),
            lambda a: helper.ask("rekey", account=a)):
        found.add(key_of(helper, account))
        assert answer is None or key_of(helper, account) == "new", call
        assert helper.token(account)["token"] == \
            helper.old[account].access_token
        assert helper.ask("rekey", account=account)["result"] == "ok", call
        assert key_of(helper, account) == "new"
    assert found == {"old", "new"}
    all_served(helper, helper.old)


def test_a_take_over_cut_off_goes_on_though_the_key_changes(helper):
    """The mark of the work that was begun is the old key's."""
    if shutil.which("strace") is None:
        pytest.skip("no strace here")
    helper.old = {f"u{n}@example.org": helper.seed(f"u{n}@example.org")
                  for n in range(6)}
    with_keys(helper, "old")
    helper.launch(before=("strace", "-f", "-qq", "-o", "/dev/null", "-e",
                          "trace=renameat", "-e",
                          "inject=renameat:signal=KILL:when=4"))
    assert helper.wait() != 0
    with_keys(helper, "new", "old")
    helper.start()
    assert {key_of(helper, account) for account in helper.old} == \
        {"old", "new"}
    all_served(helper, helper.old)
    helper.seed(EVE)
    assert helper.token(EVE)["result"] == "config-error"


SPOILT = {
    "missing": (os.unlink, "No such file"),
    "short": (lambda path: os.truncate(path, 2), "32 bytes"),
    "open to all": (lambda path: os.chmod(path, 0o644), "chmod"),
}


@pytest.mark.parametrize("what", SPOILT)
def test_a_second_key_that_cannot_be_read_is_named(sealed, what):
    spoil, says = SPOILT[what]
    path = sealed.path("old")
    spoil(path)
    said = check(sealed)
    assert said.returncode == 1
    assert path in said.stderr and says in said.stderr, said
    sealed.restart()
    answer = sealed.token()
    assert answer["result"] == "config-error"
    assert path in answer["text"] and says in answer["text"], answer
    # It is looked at again when it was mended, as the first is.
    if what != "missing":
        os.unlink(path)
    key_file(sealed, "old")
    wait_for(lambda: sealed.token()["result"] == "ok")
    all_served(sealed, sealed.old)


def test_a_change_of_the_second_needs_a_restart(sealed):
    with_keys(sealed, "new")
    answer = sealed.ask("reload")
    assert "keyring_key" in answer["needs-restart"], answer
    all_served(sealed, sealed.old)


def test_a_third_is_refused(sealed):
    with_keys(sealed, "new", "old", "new")
    said = check(sealed)
    assert said.returncode == 1
    assert "keyring_key has one file, or two" in said.stderr, said
