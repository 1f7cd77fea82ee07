# SPDX-License-Identifier: BSD-2-Clause
"""mailtoken setup postfix: what it makes of a configuration, and back."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

import paths
from bed import DEADLINE_S
from bed_cli import environment
from bed_machine import machine                         # noqa: F401

ALICE, BOB = "alice@contoso.com", "bob@contoso.com"
OFFICE = "[smtp.office365.com]:587"
RELAY = ("--relay", "smtp.office365.com:587")
CUSTOM = """\
# by hand
compatibility_level = 3.6
myhostname = mx.firm.test
mydestination = $myhostname, localhost,
    hash:{0}/domains
relayhost = [mail.isp.test]:587

smtp_sasl_auth_enable = yes
smtp_sasl_password_maps = hash:{0}/sasl_passwd
smtp_tls_policy_maps = texthash:{0}/policy
sender_dependent_relayhost_maps = hash:{0}/by_sender,
    inline:{{ {{ a@b.c = x }} }}
transport_maps = texthash:{0}/transport
smtp_generic_maps = hash:{0}/generic
smtp_sasl_auth_cache_name = proxy:btree:{0}/cache
multi_instance_directories = /etc/postfix-out
"""


class Folder:
    """A configuration of Postfix that no Postfix runs with."""

    def __init__(self, path):
        self.path = path

    def setup(self, *words, status=0):
        done = subprocess.run(
            [str(paths.program("mailtoken")), "setup", "postfix", *words,
             "--config-dir", str(self.path)], stdin=subprocess.DEVNULL,
            capture_output=True, text=True, env=environment(),
            timeout=DEADLINE_S, check=False)
        assert done.returncode == status, (done.stdout, done.stderr)
        return done.stdout + done.stderr

    def set(self, *edits):
        subprocess.run(["postconf", "-c", self.path, "-e", *edits], check=True)

    def map(self, name):
        """One of ours."""
        return self.path / "mailtoken" / name

    def value(self, name):
        return subprocess.run(
            ["postconf", "-c", self.path, "-h", name], text=True, check=True,
            capture_output=True).stdout.strip()

    def find(self, name, key):
        """What the maps of a parameter say of a key, as smtp(8) asks."""
        for one in self.value(name).split(", "):
            found = subprocess.run(
                ["postmap", "-c", self.path, "-q", key, one], text=True,
                capture_output=True, check=False).stdout.strip()
            if found:
                return found
        return None

    def tree(self):
        """Names, bytes and modes."""
        return {str(p.relative_to(self.path)):
                (p.stat().st_mode, p.is_file() and p.read_bytes())
                for p in self.path.rglob("*")}


@pytest.fixture
def folder(tmp_path):
    if os.geteuid() != 0 or shutil.which("postconf") is None:
        pytest.skip("needs root and Postfix")
    return Folder(tmp_path)


@pytest.fixture
def pristine(folder):
    """As Debian installs it."""
    shutil.copy("/usr/share/postfix/master.cf.dist",
                folder.path / "master.cf")
    (folder.path / "main.cf").write_text(
        "# See /usr/share/postfix/main.cf.dist\n"
        "compatibility_level = 3.6\nmyhostname = box.firm.test\n"
        "smtp_tls_CApath=/etc/ssl/certs\nsmtp_tls_security_level=may\n"
        "mydestination = $myhostname, box, localhost, Localhost\n"
        "relayhost = \n")
    return folder


@pytest.fixture
def custom(pristine):
    """As somebody made it who knows Postfix."""
    at = pristine.path
    (at / "main.cf").write_text(CUSTOM.format(at))
    (at / "by_sender").write_text("pat@firm.test [mail.old.test]:587\n")
    (at / "sasl_passwd").write_text(
        "[mail.isp.test]:587 firm:secret\n[mail.old.test]:587 pat:secret\n")
    for name in ("domains", "generic"):
        (at / name).write_text("x@y.z x@firm.test\n")
    (at / "policy").write_text("[mail.isp.test]:587 encrypt\n")
    (at / "transport").write_text("partner.test smtp:[mail.old.test]:587\n")
    for name in ("by_sender", "sasl_passwd", "domains", "generic"):
        subprocess.run(["postmap", "-c", at, at / name], check=True)
    return pristine


def test_a_dry_run_says_all_and_changes_nothing(pristine):
    before = pristine.tree()
    said = pristine.setup(ALICE, *RELAY, "--dry-run")
    assert f"would set in main.cf: relayhost = {OFFICE}\n" in said
    assert pristine.tree() == before


def test_a_pristine_postfix_gets_all_that_the_relay_needs(pristine):
    before = pristine.tree()
    pristine.setup(ALICE, *RELAY, "--yes")
    for name, value in (
            ("relayhost", OFFICE), ("smtp_sasl_auth_enable", "yes"),
            ("smtp_sasl_tls_security_options", "noanonymous"),
            ("smtp_sasl_mechanism_filter", "xoauth2, oauthbearer"),
            ("smtp_tls_CAfile", "/etc/ssl/certs/ca-certificates.crt"),
            ("smtp_destination_concurrency_limit", "2")):
        assert pristine.value(name) == value
    assert pristine.find("smtp_sasl_password_maps", OFFICE) == ALICE
    assert pristine.find("smtp_tls_policy_maps", OFFICE) == "secure"
    assert pristine.find("smtp_generic_maps", "@box.firm.test") == ALICE
    once = pristine.tree()
    assert "already" in pristine.setup(ALICE, *RELAY, "--yes")
    assert pristine.tree() == once
    pristine.setup("--undo")
    assert pristine.tree() == before
    pristine.setup("--undo", status=1)


def test_statuses_count_where_a_parent_ignores_sigchld(pristine):
    pristine.setup(ALICE, *RELAY, "--yes")
    main = pristine.path / "main.cf"
    main.write_text(edited := main.read_text() + "biff = no\n")
    was = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        run = subprocess.Popen(
            [str(paths.program("mailtoken")), "setup", "postfix", "--undo",
             "--config-dir", str(pristine.path)], stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL, text=True, env=environment())
    finally:
        signal.signal(signal.SIGCHLD, was)
    said = run.communicate(timeout=DEADLINE_S)[1]
    assert run.returncode == 1 and "was changed after setup" in said
    assert main.read_text() == edited
    assert (pristine.map("undo") / "main.cf.before").exists()


def test_a_list_may_go_on_in_lines_that_begin_with_a_tab(pristine):
    with open(pristine.path / "main.cf", "a") as out:
        out.write("mydestination = $myhostname,\n\tbox,\n\tlocalhost\n"
                  "\tLocalhost\n")
    pristine.setup(ALICE, *RELAY, "--yes")
    assert pristine.map("generic").read_text().splitlines()[1:] == [
        f"@{name} {ALICE}" for name in ("box.firm.test", "box", "localhost")]


@pytest.mark.parametrize("hop", ["smtp.office365.com:587",
                                 "[smtp.office365.com]"])
def test_the_password_stays_however_relayhost_is_spelled(custom, hop):
    custom.set(f"relayhost = {hop}")
    (custom.path / "transport").write_text(f"partner.test smtp:{hop}\n")
    custom.setup(ALICE, *RELAY, "--per-sender", "--yes")
    assert custom.value("default_transport") == "smtp-password"
    assert custom.find("transport_maps", "partner.test") == (
        f"smtp-password:{hop}")


def test_a_first_run_that_failed_can_be_undone(machine, pristine):
    real = os.path.realpath(shutil.which("postconf"))
    machine.run("cp", real, "/run/postconf.real")
    machine.write("/run/postconf", "#!/bin/sh\ncase $3 in\n-e) exit 1;;\n"
                  "esac\nexec /run/postconf.real \"$@\"\n", 0o755)
    machine.run("chmod", "755", "/run/postconf")
    machine.run("mount", "--bind", "/run/postconf", real)
    before = pristine.tree()
    place = ("--config-dir", str(pristine.path))
    failed = machine.setup("postfix", ALICE, *RELAY, "--yes", *place)
    assert failed.returncode == 1 and "main.cf is as it was" in failed.stderr
    assert pristine.map("generic").exists()
    undone = machine.setup("postfix", "--undo", *place)
    assert undone.returncode == 0, undone
    assert pristine.tree() == before


def test_a_map_that_was_edited_keeps_its_lines(pristine):
    pristine.setup(ALICE, *RELAY, "--yes")
    generic = pristine.map("generic")
    text = generic.read_text().replace("@box ", "@box\t ")
    generic.write_text(text + "x@box.firm.test y@contoso.com")
    pristine.setup(BOB, *RELAY, "--yes")
    lines = generic.read_bytes().decode().splitlines()
    assert "x@box.firm.test y@contoso.com" in lines
    assert [n for n in lines if n.startswith("@box ")] == [f"@box {BOB}"]
    assert "\0" not in "".join(lines) and "\t" not in "".join(lines)


def test_only_what_is_delivered_here_is_rewritten(pristine):
    """smtp_generic_maps changes recipients, too."""
    pristine.set("myhostname = firm.test", "mydestination = localhost")
    pristine.setup(ALICE, *RELAY, "--yes")
    assert pristine.find("smtp_generic_maps", "@firm.test") is None
    assert pristine.find("smtp_generic_maps", "@localhost") == ALICE


def test_undo_writes_through_no_link_that_lies_there(pristine):
    before = (pristine.path / "main.cf").read_bytes()
    pristine.setup(ALICE, *RELAY, "--yes")
    other = pristine.path / "other"
    other.write_text("theirs")
    for end in ("new", "mailtoken-undo"):
        (pristine.path / f"main.cf.{end}").symlink_to(other)
    pristine.setup("--undo")
    assert other.read_text() == "theirs"
    assert (pristine.path / "main.cf.new").is_symlink()
    assert not (pristine.path / "main.cf").is_symlink()
    assert (pristine.path / "main.cf").read_bytes() == before


def test_where_there_is_no_configuration_one_is_made(folder):
    folder.setup(ALICE, *RELAY, "--yes")
    assert folder.value("relayhost") == OFFICE
    assert folder.value("inet_interfaces") == "loopback-only"
    assert (folder.path / "master.cf").exists()
    subprocess.run(["postconf", "-c", folder.path, "-n"], check=True)
    folder.setup("--undo")
    assert folder.tree() == {}


def test_maps_of_ones_own_stay_behind_ours(custom):
    before = custom.tree()
    said = custom.setup(ALICE, *RELAY, "--per-sender", "--yes")
    assert custom.value("relayhost") == "[mail.isp.test]:587"
    find = custom.find
    assert find("sender_dependent_relayhost_maps", ALICE) == OFFICE
    assert find("smtp_sasl_password_maps", ALICE) == ALICE
    assert find("smtp_sasl_password_maps", "[mail.isp.test]:587") == (
        "firm:secret")
    assert find("sender_dependent_relayhost_maps", "pat@firm.test") == (
        "[mail.old.test]:587")
    assert find("smtp_tls_policy_maps", "[mail.isp.test]:587") == "encrypt"
    assert find("smtp_tls_policy_maps", OFFICE) == "secure"
    # Passwords are in use there, so that nothing may be filtered.
    assert custom.value("smtp_sasl_mechanism_filter") == ""
    assert f"postconf -c {custom.path} -X smtp_sasl_auth_cache_name" in said
    assert "/etc/postfix-out" not in said       # it is another that is meant
    custom.setup(BOB, *RELAY, "--per-sender", "--yes")
    assert find("smtp_sasl_password_maps", BOB) == BOB
    assert find("smtp_sasl_password_maps", ALICE) == ALICE
    twice = custom.tree()
    custom.setup(BOB, *RELAY, "--per-sender", "--yes")
    assert custom.tree() == twice
    custom.setup("--undo")
    assert custom.tree() == before


def test_what_was_changed_since_is_told_and_left(pristine):
    pristine.setup(ALICE, *RELAY, "--yes")
    main = pristine.path / "main.cf"
    edited = main.read_text() + "biff = no\n"
    main.write_text(edited)
    said = pristine.setup("--undo", status=1)
    assert f"{main} was changed after setup" in said
    assert main.read_text() == edited
    assert pristine.find("smtp_sasl_password_maps", OFFICE) == ALICE
    # Nor after a further run of setup, which knows only what it changed.
    pristine.setup(BOB, *RELAY, "--yes")
    assert "biff = no\n" in main.read_text()
    assert "was changed after setup" in pristine.setup("--undo", status=1)
    assert "biff = no\n" in main.read_text()


def test_what_somebody_gave_back_already_needs_no_undo(pristine):
    before = pristine.tree()
    main = pristine.path / "main.cf"
    text = main.read_text()
    pristine.setup(ALICE, *RELAY, "--yes")
    main.write_text(text)
    assert "changed" not in pristine.setup("--undo")
    assert pristine.tree() == before


def test_no_leaves_senders_as_they_are(machine, pristine):
    status, shown = machine.terminal(
        "setup", "postfix", ALICE, *RELAY, "--config-dir",
        str(pristine.path), turns=[("(@box.firm.test, @box, @localhost)", "n")])
    assert status == 0, shown
    assert pristine.value("relayhost") == OFFICE
    assert pristine.value("smtp_generic_maps") == ""


def test_what_setup_does_not_change_is_told(custom):
    with open(custom.path / "main.cf", "a") as out:
        out.write("cyrus_sasl_config_path = /etc/postfix/sasl\n")
    done = subprocess.run(
        [str(paths.program("mailtoken")), "setup", "postfix", ALICE, *RELAY,
         "--dry-run"], capture_output=True, text=True, check=True,
        stdin=subprocess.DEVNULL,
        env=environment(MAIL_CONFIG=str(custom.path)))
    assert ("cyrus_sasl_config_path is /etc/postfix/sasl: libsasl2 reads "
            "files there for servers only; ") in " ".join(done.stdout.split())
    assert "(/etc/postfix-out): --config-dir names one" in done.stdout


def test_a_map_that_was_changed_since_stays(pristine):
    before = (pristine.path / "main.cf").read_bytes()
    pristine.setup(ALICE, *RELAY, "--yes")
    with open(pristine.path / "mailtoken" / "generic", "a") as out:
        out.write("cron@box.firm.test bob@contoso.com\n")
    assert "mailtoken/generic was changed" in pristine.setup("--undo",
                                                             status=1)
    assert (pristine.path / "main.cf").read_bytes() == before
    assert not (pristine.path / "mailtoken" / "tls_policy").exists()


def test_no_other_relay_is_replaced_unasked(custom):
    said = custom.setup(ALICE, *RELAY, status=1)
    assert "All mail goes through [mail.isp.test]:587 now" in said
    assert custom.value("relayhost") == "[mail.isp.test]:587"


def test_the_mailboxes_own_domain_is_not_rewritten(pristine):
    with open(pristine.path / "main.cf", "a") as out:
        out.write("mydestination = $myhostname, contoso.com\n"
                  "myorigin = contoso.com\n")
    pristine.setup(ALICE, *RELAY, "--yes")
    assert pristine.find("smtp_generic_maps", "@box.firm.test") == ALICE
    assert pristine.find("smtp_generic_maps", "@contoso.com") is None


def test_no_map_is_named_that_is_not_there(pristine):
    """smtp(8) does not start with one."""
    with open(pristine.path / "main.cf", "a") as out:
        out.write("mydestination =\nmyhostname = contoso.com\n")
    pristine.setup(ALICE, *RELAY, "--yes")
    assert pristine.value("smtp_generic_maps") == ""


@pytest.mark.parametrize("words, what", [
    ((), "name the mailbox"),
    (("alice",), "name the mailbox"),
    (("a@b.test\nx@y.test",), "name the mailbox"),
    ((ALICE, "--relay", "smtp.x.test:99999"), "--relay takes"),
    ((ALICE, "--relay", "smtp.x.test:465"), "port 587")])
def test_what_cannot_be_is_told_before_anything_is_changed(pristine, words,
                                                           what):
    before = pristine.tree()
    assert what in pristine.setup(*words, "--yes", status=2)
    assert pristine.tree() == before


def test_a_password_host_gets_a_transport_of_its_own(custom):
    before = custom.tree()
    words = (ALICE, *RELAY, "--keep-password-for", "mail.old.test", "--yes")
    custom.setup(*words)
    find = custom.find
    hop = "smtp-password:[mail.old.test]:587"
    assert find("sender_dependent_default_transport_maps",
                "pat@firm.test") == hop
    assert find("transport_maps", "partner.test") == hop
    service = subprocess.run(
        ["postconf", "-c", custom.path, "-P"], check=True, text=True,
        capture_output=True).stdout
    assert ("smtp-password/unix/smtp_sasl_mechanism_filter = "
            "!xoauth2 !oauthbearer static:all") in service
    assert (f"smtp-password/unix/smtp_sasl_password_maps = hash:{custom.path}"
            "/sasl_passwd\n") in service
    once = custom.tree()
    custom.setup(*words)
    assert custom.tree() == once
    custom.setup("--undo")
    assert custom.tree() == before


def test_the_inventory_has_relays_senders_and_logins(custom):
    log = custom.path / "mail.log"
    log.write_text(
        "Nov 30 10:00:00 mx postfix/qmgr[7]: 4AB1: from=<pat@firm.test>, "
        "size=9, nrcpt=1 (queue active)\n"
        "Nov 30 10:00:01 mx postfix/smtp[8]: 4AB1: to=<x@y.test>, relay="
        "mail.old.test[192.0.2.1]:587, delay=1, dsn=2.0.0, status=sent (ok)\n"
        "Nov 30 10:00:02 mx postfix/qmgr[7]: 4AB2: from=<>, size=9\n"
        "Nov 30 10:00:03 mx postfix/smtp[8]: 4AB2: to=<x@y.test>, relay="
        "mail.old.test[192.0.2.2]:587, dsn=2.0.0, status=sent (ok)\n"
        "Nov 30 10:00:04 mx postfix/local[8]: 4AB2: to=<x@y.test>, relay="
        "local, dsn=2.0.0, status=sent (ok)\n"
        "Nov 30 10:00:05 mx postfix/submission/smtpd[9]: 4AB3: client=pc"
        "[192.0.2.9], sasl_method=PLAIN, sasl_username=kim\n")
    with open(custom.path / "main.cf", "a") as out:
        out.write(f"maillog_file = {log}\nmaillog_file_prefixes = /\n")
    before = custom.tree()
    said = custom.setup("--inventory")
    assert said == ("logins here, PLAIN\n"
                    "       1  kim\n"
                    "relay mail.old.test, port 587\n"
                    "  logs in as pat with a password\n"
                    "       1  <>\n"
                    "       1  pat@firm.test\n")
    assert custom.tree() == before


def test_a_second_plugin_is_told(machine, pristine):
    place = paths.configured("sasl_plugindir")
    if not os.path.isdir(place):
        pytest.skip(f"there is no {place}")
    (pristine.path / "plugins").mkdir()
    (pristine.path / "plugins" / "libxoauth2.so").touch()
    mounted = machine.run("mount", "--bind", pristine.path / "plugins", place)
    assert mounted.returncode == 0, mounted.stderr
    done = machine.setup("postfix", ALICE, *RELAY, "--yes", "--config-dir",
                         str(pristine.path))
    assert done.returncode == 0, done.stderr
    assert f"remove {place}/libxoauth2.so" in done.stdout


def test_the_only_account_and_its_server_are_the_helpers(helper, pristine):
    helper.provider["servers"] = ["imap.contoso.com", "smtp.contoso.com"]
    helper.configure()
    helper.seed(ALICE)
    helper.start()
    done = subprocess.run(
        [str(paths.program("mailtoken")), "--socket", helper.socket, "setup",
         "postfix", "--yes", "--config-dir", str(pristine.path)],
        capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    assert done.returncode == 0, done.stderr
    hop = "[smtp.contoso.com]:587"
    assert pristine.value("relayhost") == hop
    assert pristine.find("smtp_sasl_password_maps", hop) == ALICE
