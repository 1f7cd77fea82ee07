# SPDX-License-Identifier: BSD-2-Clause
"""A relay that signs in as an application sends from its first boot on.

Configuration, certificate and key are put there while the machine is
off; nothing but the boot happens to it, and nobody signs in.
"""

import os
import shutil
import subprocess

import pytest

from bed_units import POSTFIX_SOCKET, SERVICE, SOCKET, USER
from test_units_postfix import (need_plugin, relay, send,   # noqa: F401
                                smarthost, wait_sent)

APP = "relay-app"
PROVIDER = """\
provider test
    token_endpoint {url}/token
    client_id %s
    flow client-credentials
    certificate /etc/mailtoken/app.crt
    certificate_key /etc/mailtoken/app.key
    scope https://mail.example/.default
    servers localhost
    ca_file {ca}
    {more}
""" % APP
ACCOUNT = f"account {USER}\n    provider test\n"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Certificate and key files of the application."""
    folder = tmp_path_factory.mktemp("app")
    cert, key = str(folder / "app.crt"), str(folder / "app.key")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes",
         "-keyout", key, "-out", cert, "-days", "30", "-subj",
         "/CN=relay"], check=True, capture_output=True)
    return cert, key


def provision(system, certificate):
    """What a tool that sets machines up writes; the machine is off."""
    cert, key = certificate
    folder = os.path.dirname(system.config)
    system.configure(top=ACCOUNT, provider=PROVIDER)
    with open(cert) as source:
        system.write(f"{folder}/app.crt", source.read())
    with open(key) as source:
        system.write(f"{folder}/app.key", source.read(), 0o640)
    with open(system.file("/etc/group")) as source:
        groups = dict(line.split(":")[0::2][:2] for line in source)
    os.chown(system.file(f"{folder}/app.key"), 0, int(groups["mailtoken"]))
    assert not os.path.exists(system.file(system.keyring))


@pytest.fixture
def off(relay, idp, certificate):       # noqa: F811
    """The relay, set up and shut down; booted again afterwards."""
    need_plugin()
    box = relay.container
    idp.add_client(APP, certificate=certificate[0])
    idp.forget_requests()
    box.systemctl("enable", "--quiet", SOCKET, POSTFIX_SOCKET,
                  "postfix.service")
    box.halt()
    shutil.rmtree(relay.file(relay.keyring), ignore_errors=True)
    provision(relay, certificate)
    yield relay
    if box.leader is None:
        box.boot()
    box.systemctl("disable", "--quiet", "postfix.service")
    for name in ("app.crt", "app.key"):
        os.unlink(relay.file(f"{os.path.dirname(relay.config)}/{name}"))


def test_a_machine_that_just_booted_sends_and_nobody_signs_in(
        off, idp, smarthost, certificate):      # noqa: F811
    box = off.container.boot()
    assert off.pid() == 0
    since = send(off)
    assert "localhost" in wait_sent(off, since)
    message = smarthost.wait_message()[0]
    assert (message.user, message.sender) == (USER, USER)
    uid = box.run("id", "-u", "postfix").stdout.strip()
    box.wait_journal(rf"verb=token uid={uid} .*outcome=ok", after=since)
    request, = idp.requests
    assert (request.endpoint, request.client_id) == ("token", APP)
    assert request.form["grant_type"] == "client_credentials"
    with open(certificate[1]) as source:
        key = [line for line in source.read().split("\n")
               if len(line) > 20 and not line.startswith("-----")]
    said = "\n".join(str(e.get("MESSAGE")) for e in box.journal())
    assert key and not any(line in said for line in key)
    verbs = {e["MESSAGE"].partition("verb=")[2].split(" ")[0]
             for e in box.journal("-u", SERVICE) if "verb=" in e["MESSAGE"]}
    assert "sign-in" not in verbs
