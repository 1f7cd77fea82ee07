# SPDX-License-Identifier: BSD-2-Clause
"""From Debian's Postfix as it comes to a delivered message: two commands
of mailtoken setup, and what is still so after a reboot."""

import os
import re

import pytest

import paths
from bed_setup import commands, deliver, set_up, signs_in, trusting
from bed_units import USER

APP_PROVIDER = """\
provider test
    token_endpoint {url}/token
    ca_file {ca}
    {more}
"""


@pytest.fixture
def fresh(bare):
    """As after make install: nothing is configured."""
    if not paths.module().exists():
        pytest.skip("the plugin is not built")
    box = bare.container
    folder = os.path.dirname(bare.config)
    box.run("rm", "-rf", folder)
    with trusting(bare):
        yield bare
    box.run("rm", "-rf", "/etc/systemd/system/mailtoken.socket.d", folder)
    box.systemctl("daemon-reload")
    os.makedirs(bare.file(folder), exist_ok=True)


@pytest.mark.parametrize("chrooted", ("y", "n"))
def test_two_commands_set_all_up(fresh, smarthost, chrooted):
    fresh.container.run("postconf", "-F", f"smtp/unix/chroot = {chrooted}")
    fresh.container.systemctl("restart", "postfix.service")
    set_up(fresh, smarthost)
    deliver(fresh, smarthost)
    for words in commands(smarthost, *signs_in(fresh, "device")):
        again = fresh.run(*words)
        assert again.returncode == 0, again.stdout + again.stderr
        assert "\n- " not in "\n" + again.stdout, again.stdout


def test_a_browser_on_another_machine_does_as_well(fresh, smarthost):
    fresh.idp.set(browser_user=USER)
    set_up(fresh, smarthost, *signs_in(fresh, "browser"))
    deliver(fresh, smarthost)


def test_an_application_with_a_certificate_needs_nobody(fresh, smarthost,
                                                        tmp_path):
    fresh.configure(more="scope https://mail.example/.default",
                    provider=APP_PROVIDER)
    words = ("--client-id", "relay-app", "--app-only", "--make-certificate")
    first = commands(smarthost, *words)[0]
    said = fresh.run(*first, check=True).stdout
    shown = tmp_path / "app.crt"
    shown.write_text(re.search(
        "-----BEGIN CERT.*-----END CERTIFICATE-----\n", said, re.S).group())
    fresh.idp.add_client("relay-app", certificate=str(shown))
    set_up(fresh, smarthost, *words)
    deliver(fresh, smarthost)


def test_all_of_it_is_there_after_a_reboot(fresh, smarthost):
    fresh.container.systemctl("enable", "--now", "postfix.service")
    set_up(fresh, smarthost)
    fresh.container.reboot()
    assert fresh.pid() > 0
    deliver(fresh, smarthost)


def test_doctor_finds_nothing_wrong_then(fresh, smarthost):
    fresh.container.systemctl("enable", "--now", "postfix.service")
    set_up(fresh, smarthost)
    found = fresh.run("doctor", USER)
    assert found.returncode == 0, found.stdout + found.stderr
