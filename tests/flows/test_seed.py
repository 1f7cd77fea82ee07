# SPDX-License-Identifier: BSD-2-Clause
"""What a container brings: options in the environment, and a seed, records
that are imported once and never go before a newer grant."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

import paths
from bed import write_file
from helper_line import ask

JO, ANN = "jo@example.org", "ann@example.org"


@pytest.fixture
def seeded(helper):
    """A helper with an empty keyring and its environment."""
    helper.more = {"MAILTOKEN_SEED": helper.path("seed")}
    plain = helper.environment
    helper.environment = lambda err: {**plain(err), **helper.more}
    return helper


def give(helper, *accounts, mode=0o440, into="seed", group=None):
    """A seed as "mailtoken export" writes it; the texts."""
    texts = []
    for account in accounts:
        helper.seed(account)
        path = Path(helper.keyring, account)
        texts.append(path.read_text())
        path.unlink()
    write_file(helper.path(into), "".join(texts), mode)
    if os.geteuid() == 0:
        os.chown(helper.path(into), 0, helper.user.pw_gid if group is None
                 else group)
    return texts


def token_of(text):
    """The refresh token of a record."""
    return dict(line.split("=", 1) for line in text.split("\n")
                if line)["refresh-token"]


def test_a_seed_is_in_the_keyring_before_the_first_question(seeded):
    texts = give(seeded, JO, ANN)
    seeded.start()
    for account, text in zip((JO, ANN), texts):
        assert seeded.token(account)["result"] == "ok"
        assert seeded.record(account)["refresh-token"] == token_of(text)
        assert f"{account} is imported from" in seeded.log()
        assert token_of(text) not in seeded.log()


def test_a_seed_never_takes_the_place_of_a_newer_grant(seeded):
    """The provider rotates, and takes an old one for a theft."""
    text, = give(seeded, JO)
    seeded.start()
    assert ask(seeded.socket, "refresh", account=JO)["result"] == "ok"
    newer = seeded.record(JO)["refresh-token"]
    assert newer != token_of(text)
    seeded.signal(9)
    seeded.wait()
    seeded.start()
    assert seeded.record(JO)["refresh-token"] == newer
    assert ask(seeded.socket, "refresh", account=JO)["result"] == "ok"
    assert "its seed is not used" in seeded.log()


def test_a_record_that_cannot_be_used_is_no_missing_one(seeded):
    """As where the modes of a volume were changed behind our back."""
    text, = give(seeded, JO)
    seeded.write_record(JO, text.replace(token_of(text), "newer"), 0o660)
    seeded.start()
    assert "chmod 600" in seeded.token(JO)["text"]
    assert seeded.record(JO)["refresh-token"] == "newer"


def test_a_mounted_secret_is_a_folder_of_links(seeded):
    """..data leads to what counts; neither is a record."""
    os.makedirs(seeded.path("seed", "..2026"))
    give(seeded, JO, into="seed/..2026/jo")
    give(seeded, ANN, into="seed/..2026/ann")
    os.symlink("..2026", seeded.path("seed", "..data"))
    for name in ("jo", "ann"):
        os.symlink(f"..data/{name}", seeded.path("seed", name))
    os.mkdir(seeded.path("seed", "lost+found"))
    seeded.start()
    assert seeded.token(JO)["result"] == "ok"
    assert seeded.token(ANN)["result"] == "ok"
    assert seeded.log().count("is imported from") == 2
    assert "cannot be used" not in seeded.log()


def test_a_seed_that_others_may_read_is_refused_with_the_cure(seeded):
    give(seeded, JO, mode=0o444)
    seeded.start()
    assert seeded.token(JO)["result"] == "unknown-account"
    line = next(x for x in seeded.log().split("\n") if "event=seed" in x)
    assert "has mode 0444" in line and "chmod 640" in line


def test_a_mounted_secret_is_mended_where_it_is_made(root, seeded):
    """Nobody can chmod in there."""
    os.mkdir(seeded.path("secret"))
    seeded.more["MAILTOKEN_SEED"] = seeded.path("secret")
    give(seeded, JO, mode=0o444, into="secret/jo")
    script = ('mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && '
              'exec "$@"')
    seeded.start(before=["unshare", "-m", "sh", "-c", script,
                         seeded.path("secret")])
    line = next(x for x in seeded.log().split("\n") if "event=seed" in x)
    assert "has mode 0444" in line and "defaultMode" in line
    assert "chmod" not in line


@pytest.mark.parametrize("text, says", [
    ("mailtoken-entry=1\naccount=jo@example.org\n\n", "no whole record"),
    ("mailtoken-entry=1\naccount=jo@example.org\n", "mailtoken export"),
    ("hello\n", "mailtoken export"),
    ("mailtoken-entry=2\naccount=jo@example.org\n\n", "no whole record"),
    ("x" * 200000, "mailtoken export"),
    ("x" * (1 << 20) + "x", "larger than")])
def test_what_is_no_seed_stops_nothing(seeded, text, says):
    give(seeded, ANN, into="good")
    os.mkdir(seeded.path("seed"))
    shutil.move(seeded.path("good"), seeded.path("seed", "good"))
    write_file(seeded.path("seed", "bad"), text, 0o400)
    if os.geteuid() == 0:
        os.chown(seeded.path("seed", "bad"), seeded.user.pw_uid, -1)
    seeded.start()
    assert seeded.token(ANN)["result"] == "ok"
    errors = [x for x in seeded.log().split("\n")
              if "event=seed" in x and "bad" in x]
    assert len(errors) == 1 and says in errors[0]


def test_a_seed_that_is_not_there_is_named(seeded):
    seeded.start()
    assert f"{seeded.path('seed')} cannot be used" in seeded.log()


def test_a_bad_configuration_costs_no_seed(seeded):
    """It is used as soon as the helper works."""
    give(seeded, JO)
    good = Path(seeded.config).read_text()
    write_file(seeded.config, "nonsense\n")
    seeded.start()
    assert seeded.token(JO)["result"] == "config-error"
    write_file(seeded.config, good)
    assert ask(seeded.socket, "reload")["result"] == "ok"
    assert seeded.token(JO)["result"] == "ok"


def test_a_grant_that_was_forgotten_is_a_missing_one(seeded):
    give(seeded, JO)
    seeded.start()
    assert ask(seeded.socket, "forget", account=JO)["result"] == "ok"
    assert not Path(seeded.keyring, JO).exists()
    seeded.stop()
    seeded.start()
    assert Path(seeded.keyring, JO).exists()


def test_options_come_from_the_environment(seeded):
    seeded.more = {"MAILTOKEN_CONFIG": seeded.config,
                   "MAILTOKEN_KEYRING": seeded.path("state", "other"),
                   "MAILTOKEN_LISTEN": seeded.path("run", "other"),
                   "MAILTOKEN_LOG_LEVEL": "info", "MAILTOKEN_SEED": ""}
    seeded.argv = lambda: [str(paths.program("mailtokend")), "--user",
                           seeded.user.pw_name]
    seeded.sockets = [seeded.path("run", "other")]
    seeded.start()
    assert ask(seeded.sockets[0], "version")["result"] == "ok"
    assert Path(seeded.path("state", "other", ".lock")).exists()
    seeded.wait_log("event=request verb=version")   # level info
    assert "event=seed" not in seeded.log()


def test_the_command_line_goes_before_the_environment(seeded):
    seeded.more = {f"MAILTOKEN_{name}": "/nowhere/at/all" for name in (
        "CONFIG", "KEYRING", "LISTEN")} | {"MAILTOKEN_LOG_LEVEL": "error"}
    seeded.seed(JO)
    seeded.start()
    assert seeded.token(JO)["result"] == "ok"
    assert "nowhere" not in seeded.log()


def test_a_wrong_level_of_the_environment_is_named():
    said = subprocess.run(
        [str(paths.program("mailtokend"))], capture_output=True, text=True,
        env={"MAILTOKEN_LOG_LEVEL": "loud"}, check=False)
    assert said.returncode == 2 and "MAILTOKEN_LOG_LEVEL" in said.stderr
