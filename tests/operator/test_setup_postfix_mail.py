# SPDX-License-Identifier: BSD-2-Clause
"""A real, chrooted Postfix that mailtoken setup postfix configured."""

import glob
import os
import shutil
import subprocess

import pytest

import paths
from bed_mailtokend import Mailtokend
from bed_postfix import USER, Postfix
from idp import Idp
from smarthost import Smarthost

PAT, PASSWORD = "pat@old.test", "the old way"
BARE = {name: None for name in (
    "relayhost", "smtp_sasl_auth_enable", "smtp_sasl_tls_security_options",
    "smtp_sasl_mechanism_filter", "smtp_sasl_password_maps")}


@pytest.fixture(scope="module", autouse=True)
def as_root():
    if os.getuid() != 0 or shutil.which("postfix") is None:
        pytest.skip("needs root and Postfix")
    for path in (paths.program("mailtokend"), paths.module()):
        if not path.exists():
            pytest.skip(f"{path} is not built")
    os.umask(0o022)


@pytest.fixture(scope="module")
def idp():
    with Idp(interval=1) as server:
        os.chmod(server.authority.directory, 0o755)
        yield server


@pytest.fixture(scope="module")
def office(idp):
    """Where tokens are wanted."""
    with Smarthost(idp.introspect, idp.authority.directory) as host:
        yield host


@pytest.fixture(scope="module")
def old(idp):
    """Where a password is to stay in use, though it offers XOAUTH2."""
    with Smarthost(idp.introspect, idp.authority.directory,
                   mechanisms=("PLAIN", "XOAUTH2")) as host:
        host.passwords[PAT] = PASSWORD
        yield host


@pytest.fixture
def relay(idp, office, old, tmp_path):
    """Makes a Postfix with these settings, and sets it up; the helper is
    where its smtp(8) looks."""
    plugins = tmp_path / "sasl"
    plugins.mkdir()
    shutil.copy(paths.module(), plugins / "libmailtoken.so")
    for path in (tmp_path, *tmp_path.parents):
        if path.stat().st_mode & 0o005 != 0o005 and path != path.parent:
            path.chmod(path.stat().st_mode | 0o055)
    path = ":".join([str(plugins), *(
        os.path.dirname(name)
        for name in glob.glob("/usr/lib/*/sasl2/libplain.so"))])
    office.messages.clear()
    old.messages.clear()
    started = []

    def make(*words, whole=False, **settings):
        box = Postfix(("localhost", office.port, office.ca_file),
                      sasl_path=path, settings={**BARE, **settings})
        helper = Mailtokend(idp, [box.in_jail()]).start()
        started.append(helper)
        helper.login(USER, lambda code, _: idp.approve(code, USER))
        if whole:
            started.append(box.start())
        box.done = subprocess.run(
            [helper.command, "--socket", helper.socket, "setup",
             *(() if whole else ("postfix",)), USER, "--relay",
             f"localhost:{office.port}", "--yes", "--config-dir",
             box.config, *words], text=True, capture_output=True,
            stdin=subprocess.DEVNULL, check=False,
            env={**os.environ, "MAILTOKEN_CONFIG": helper.config})
        if not whole:
            assert box.done.returncode == 0, box.done
            started.append(box.start())
        return box

    yield make
    for one in reversed(started):
        one.end()


def test_a_chrooted_postfix_relays(relay, office):
    box = relay(smtp_tls_security_level="may")
    box.send()
    box.wait_status("sent")
    message = office.wait_message()[0]
    assert (message.user, message.sender) == (USER, USER)
    # What cron sends comes from the mailbox, or the relay would refuse it.
    box.send(f"root@{box.settings['myhostname']}")
    box.wait_status("sent", 2)
    assert office.wait_message(2)[1].sender == USER


def test_a_password_stays_in_use_where_a_token_could_be(relay, office, old,
                                                        tmp_path):
    hop = f"[localhost]:{old.port}"
    for name, text in (("by_sender", f"{PAT} {hop}\n"),
                       ("passwd", f"{hop} {PAT}:{PASSWORD}\n"),
                       ("transport", f"partner.test smtp:{hop}\n")):
        (tmp_path / name).write_text(text)
    subprocess.run(["postmap", tmp_path / "passwd"], check=True)
    box = relay(
        "--keep-password-for", hop, smtp_sasl_auth_enable="yes",
        smtp_sasl_tls_security_options="noanonymous",
        sender_dependent_relayhost_maps=f"texthash:{tmp_path}/by_sender",
        smtp_sasl_password_maps=f"hash:{tmp_path}/passwd",
        transport_maps=f"texthash:{tmp_path}/transport")
    for n, (sender, to) in enumerate((
            (PAT, "bob@example.net"), (USER, "bob@example.net"),
            (USER, "carol@partner.test")), 1):
        box.send(sender, to)
        box.wait_status("sent", n)
    assert {e.mechanism for e in old.exchanges} == {"PLAIN"}
    assert [m.user for m in old.wait_message(2)] == [PAT, PAT]
    assert [m.user for m in office.wait_message()] == [USER]


@pytest.mark.parametrize("same", [False, True])
def test_one_sender_is_switched_beside_the_password(relay, office, old,
                                                    tmp_path, same):
    """From a relay of its own, or from the one that takes both."""
    host = office if same else old
    offered = office.mechanisms
    hop = f"[localhost]:{host.port}"
    (tmp_path / "passwd").write_text(f"{hop} {PAT}:{PASSWORD}\n")
    words = () if same else ("--keep-password-for", hop)
    office.passwords[PAT] = PASSWORD
    office.mechanisms = ("PLAIN", *offered)
    box = relay(
        "--per-sender", *words, relayhost=hop, smtp_sasl_auth_enable="yes",
        smtp_sasl_tls_security_options="noanonymous",
        smtp_sasl_password_maps=f"texthash:{tmp_path}/passwd")
    for n, sender in enumerate((PAT, USER, "x@old.test"), 1):
        box.send(sender)
        box.wait_status("sent", n)
    office.mechanisms = offered
    taken = [*office.messages, *(() if same else old.messages)]
    assert sorted((m.sender, m.user) for m in taken) == [
        (USER, USER), (PAT, PAT), ("x@old.test", PAT)]


def test_setup_ends_with_a_test_message_that_is_delivered(relay, office):
    office.messages.clear()
    box = relay("--provider", "test", whole=True)
    assert box.done.returncode == 0, box.done
    assert "status=sent (250" in box.done.stdout
    message, = office.wait_message()
    assert message.sender == USER and message.recipients == [USER]
    assert b"mailtoken works" in message.data


def test_a_test_message_that_is_refused_is_explained(relay, office):
    office.refusals = ["535 5.7.139 Authentication unsuccessful, SmtpClient"
                       "Authentication is disabled for the Tenant."] * 4
    box = relay("--provider", "test", whole=True)
    office.refusals = []
    assert box.done.returncode == 1, box.done
    assert "status=deferred" in box.done.stdout
    assert "Set-TransportConfig" in box.done.stdout, box.done
