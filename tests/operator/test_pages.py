# SPDX-License-Identifier: BSD-2-Clause
"""What the pages say to write or to type, taken at their word."""

import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

import paths

MAN = paths.SOURCE / "helper" / "man"
GUID = "7d1b1f0e-52a4-4c52-9a3d-0d6a51b2c{:03d}"


def blocks(page, begin):
    """The literal blocks of a page that begin with one of these words."""
    text = (MAN / page).read_text()
    return [re.sub(r"\\e", r"\\", block) for block in re.findall(
        r"^\.Bd -literal.*\n((?:.*\n)*?)\.Ed", text, re.M)
        if re.match(begin, block)]


@pytest.fixture
def checked():
    """Whether the helper takes a configuration; what it says."""
    if os.geteuid() != 0:
        pytest.skip("the helper becomes another user")
    folder = Path(tempfile.mkdtemp(prefix="pages-"))
    folder.chmod(0o755)
    (folder / "secret").write_text("a-secret\n")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes",
         "-days", "90",
         "-subj", "/CN=x", "-keyout", folder / "key",
         "-out", folder / "crt"],
        check=True, capture_output=True)
    (folder / "service.json").write_text(json.dumps({
        "type": "service_account", "client_email": "a@b.example",
        "private_key": (folder / "key").read_text()}))
    both = (folder / "crt").read_text() + (folder / "key").read_text()
    (folder / "both").write_text(both)
    for path in folder.iterdir():
        path.chmod(0o600)
        shutil.chown(path, "nobody")
    names = {"client_secret_file": "secret", "certificate": "both",
             "certificate_key": "key", "service_account_file": "service.json",
             "ca_file": "crt"}

    def check(text):
        """Names of files become ours, placeholders become ids."""
        text = re.sub(r"^( +(\w+) +)\S+$", lambda found: found.group(1) + (
            str(folder / names[found[2]])) if found[2] in names
            else found[0], text, flags=re.M)
        count = iter(range(100))
        text = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}",
                      lambda _: GUID.format(next(count)), text)
        text = text.replace("@adm", "root")
        config = folder / "mailtoken.conf"
        config.write_text(text)
        done = subprocess.run(
            [paths.program("mailtokend"), "--config", config, "--check",
             "--user", "nobody"], capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    yield check
    shutil.rmtree(folder)


@pytest.mark.parametrize("page", ["mailtoken-providers.7",
                                  "mailtoken.conf.5"])
def test_each_block_of_a_page_is_one_that_the_helper_takes(checked, page):
    found = blocks(page, r"(?:allow|provider) (?!name)")
    assert len(found) > 3
    for block in found:
        status, said = checked(block)
        assert status == 0 and "provider" not in said, block + said
