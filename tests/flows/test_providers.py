# SPDX-License-Identifier: BSD-2-Clause
"""The built-in providers, as mailtoken(1) shows them."""

import json
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

import paths
from bed import DEADLINE_S


def ask(*words):
    return subprocess.run(
        [str(paths.program("mailtoken")), "providers", *words],
        capture_output=True, text=True, timeout=DEADLINE_S, check=False)


def names():
    return [line.split()[0] for line in ask().stdout.splitlines()]


def test_they_are_listed_with_what_they_are():
    run = ask()
    assert run.returncode == 0 and run.stderr == ""
    assert "google              Gmail and Google Workspace\n" in run.stdout
    assert [row["name"] for row in json.loads(ask("--json").stdout)] \
        == names()


@pytest.fixture
def folder():
    """Where the helper's user can read."""
    path = Path(tempfile.mkdtemp(prefix="providers-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become a user")
@pytest.mark.parametrize("name", names())
def test_a_block_can_be_pasted(folder, name):
    run = ask(name)
    assert run.returncode == 0
    assert f"\nprovider {name}\n    preset {name}\n" in run.stdout
    # Under a name of its own, so that nothing but the block counts.
    block = run.stdout.replace(f"provider {name}", "provider mine")
    block = block.replace("#client_id ID ", "client_id app #")
    secret = folder / "secret"
    secret.write_text("s")
    secret.chmod(0o600)
    os.chown(secret, pwd.getpwnam("nobody").pw_uid, -1)
    if "\n    flow " not in block:
        block += "    flow browser\n"
    if "flow client-credentials" in block:
        block += f"    tenant contoso.com\n    client_secret_file {secret}\n"
    path = folder / "mailtoken.conf"
    path.write_text(block)
    checked = subprocess.run(
        [str(paths.program("mailtokend")), "--user", "nobody", "--check",
         "--config", str(path)], capture_output=True, text=True,
        timeout=DEADLINE_S, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_a_name_that_is_none_gets_the_nearest():
    run = ask("gogle")
    assert run.returncode == 1 and run.stdout == ""
    assert '"mailtoken providers google"' in run.stderr
    assert "mailtoken.conf(5)" in ask("example").stderr
