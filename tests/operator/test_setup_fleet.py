# SPDX-License-Identifier: BSD-2-Clause
"""mailtoken setup fleet: what it writes, and back."""

from bed_machine import CONFIG, machine                 # noqa: F401

KEY = "/etc/mailtoken/keyring.key"
URLS = ("https://a.test:2379", "https://b.test:2379")


def ready(machine):
    """A configuration, and a helper's user."""
    text = "# ours\n" + machine.provider(client_id="mail-app")
    machine.write(CONFIG, text)
    machine.run("useradd", "--system", "mailtoken")
    return text


def test_the_keys_are_written_once_and_taken_away_again(machine):
    before = ready(machine)
    machine.write("/etc/mailtoken/password", "secret\n", 0o600)
    machine.run("chown", "mailtoken", "/etc/mailtoken/password")
    words = ("fleet", *URLS, "--fleet-user", "relay", "--password-file",
             "/etc/mailtoken/password", "--yes")
    dry = machine.setup(*words, "--dry-run")
    assert dry.returncode == 0 and "Nothing was changed." in dry.stdout
    assert machine.read(CONFIG) == before and machine.read(KEY) is None
    done = machine.setup(*words)
    assert done.returncode == 0, done
    assert machine.read(CONFIG) == (
        f"fleet etcd {URLS[0]} {URLS[1]}\n"
        "fleet_password_file /etc/mailtoken/password\nfleet_user relay\n"
        f"keyring_key {KEY}\n" + before)
    assert machine.mode(KEY).endswith(" 600")
    assert len(machine.read(KEY)) == 65
    assert f"copy {KEY} to the same place" in done.stdout
    assert machine.read(KEY).strip() not in done.stdout + done.stderr
    key, text = machine.read(KEY), machine.read(CONFIG)
    again = machine.setup(*words)
    assert "add to" not in again.stdout
    assert (machine.read(KEY), machine.read(CONFIG)) == (key, text)
    back = machine.setup("fleet", "--undo", "--yes")
    assert back.returncode == 0, back
    assert machine.read(CONFIG) == f"keyring_key {KEY}\n" + before
    assert "nothing was changed" in machine.setup(
        "fleet", "--undo", "--yes").stdout


def test_a_key_that_was_brought_is_taken(machine):
    ready(machine)
    machine.write(KEY, "ab" * 32 + "\n", 0o600)
    assert "may not read" in machine.setup("fleet", URLS[0], "--yes").stderr
    machine.run("chown", "mailtoken", KEY)
    done = machine.setup("fleet", URLS[0], "--yes")
    assert done.returncode == 0 and "copy" not in done.stdout, done
    assert machine.read(KEY) == "ab" * 32 + "\n"


def test_what_cannot_be_is_not_written(machine):
    before = ready(machine)
    for words, says in ((("http://a.test:2379",), "in the clear"),
                        ((URLS[0] + "/v3",), "write https://HOST:2379"),
                        (("--yes",), "setup fleet takes the addresses"),
                        ((URLS[0], "--fleet-user", "u"), "--password-file"),
                        ((URLS[0], "--certificate", "/c"),
                         "fleet_certificate_key as well")):
        ran = machine.setup("fleet", *words, "--yes")
        assert ran.returncode in (1, 2) and says in ran.stderr, ran
        assert machine.read(CONFIG) == before
