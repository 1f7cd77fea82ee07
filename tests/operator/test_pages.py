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
from bed import wait_for
from bed_app import put_secret
from test_helper_signin import ANN, JO, sign_in

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


@pytest.fixture
def emergency(helper, idp, mailtoken, tmp_path):
    """A helper whose grants are in wrong hands; types what the page says."""
    helper.secrets_kept = []
    helper.provider.update(
        client_id="mail-web", revocation_endpoint=f"{idp.url}/revoke",
        client_secret_file=put_secret(helper, "secret", idp.client_secret))
    helper.configure("allow nobody\n")
    helper.start()
    for account in (JO, ANN):
        assert sign_in(helper, account)["result"] == "ok"
    mailtoken.place = helper.socket
    (tmp_path / "bin").mkdir()
    journal = tmp_path / "bin" / "journalctl"
    journal.write_text(f"#!/bin/sh\ncat {helper.log_file}\n")
    journal.chmod(0o755)
    commands = [re.sub(r"^# ", "", line) for block in blocks(
        "mailtoken.1", "# (?:install|journalctl|grep 'event)")
        for line in re.sub(r"\\\n +", "", block).splitlines()
        if line.startswith("# ")]

    def type_in(begin):
        """The one command that begins so; what it prints."""
        (line,) = [line for line in commands if line.startswith(begin)]
        line = line.replace("-o mailtoken", "-o nobody").replace(
            "/etc/mailtoken/app.secret", helper.provider[
                "client_secret_file"])
        done = subprocess.run(
            line, shell=True, cwd=tmp_path, capture_output=True, text=True,
            env={**os.environ, "PATH": f"{tmp_path}/bin:/usr/bin:/bin"})
        assert done.stderr == "", line
        return done.stdout

    helper.type_in = type_in
    return helper


def test_in_an_emergency_every_grant_is_ended(emergency, idp, mailtoken):
    assert "# mailtoken --system logout --all\n" in blocks(
        "mailtoken.1", "# mailtoken --system logout")
    kept = [emergency.record(account)["refresh-token"]
            for account in (JO, ANN)]
    status, said = mailtoken.on_terminal(
        "logout", "--all", typed=b"y\n", until=b"[y/N]")
    assert status == 0
    assert said.count("The provider has ended the grant") == 2
    assert not any(idp.current_refresh(account) in kept
                   for account in (JO, ANN))
    assert emergency.token()["result"] == "unknown-account"


def test_in_an_emergency_the_secret_is_replaced_without_a_restart(
        emergency, idp, tmp_path):
    (tmp_path / "new.secret").write_text("quite-another-one\n")
    idp.add_client("mail-web", "quite-another-one")
    assert emergency.ask("refresh", account=JO)["result"] == "config-error"
    emergency.type_in("install ")
    emergency.type_in("shred ")
    assert not (tmp_path / "new.secret").exists()
    # It looks at files once a second.
    wait_for(lambda: emergency.ask("refresh", account=JO)["result"] == "ok")


def test_in_an_emergency_the_log_says_who_asked(emergency):
    nobody, other = 65534, 12345
    for uid in (nobody, nobody, other):
        emergency.ask("token", uid=uid, account=JO, server="localhost",
                      service="smtp", mechanism="XOAUTH2")
    emergency.ask("export", account=ANN)
    emergency.wait_log("verb=export")
    emergency.type_in("journalctl ")
    counted = emergency.type_in("sed ").splitlines()
    assert re.search(rf"^ +2 uid={nobody} .*account={JO} .*server=localhost "
                     ".*outcome=ok$", "\n".join(counted), re.M), counted
    assert re.search(rf"^ +1 uid={other} .*account={JO}",
                     "\n".join(counted), re.M), counted
    assert emergency.type_in("grep 'verb=token ").count("\n") == 1
    assert f"uid={other}" in emergency.type_in("grep 'event=request'")
    assert "verb=export" in emergency.type_in("grep -E")
    emergency.type_in("grep 'event=log-dropped'")
