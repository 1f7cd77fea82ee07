# SPDX-License-Identifier: BSD-2-Clause
"""mailtoken setup: from nothing to an account that is signed in."""

import re

import pytest

import paths
from bed_machine import CONFIG, machine                 # noqa: F401

JO = "jo@example.org"
ASKED = ("setup", JO, "--provider", "test", "--no-postfix")


def code_on(shown):
    """The code that stands on the screen."""
    return re.search(r"enter this code:\s+(\S+)", shown).group(1)


def approve(machine):
    """Sign in with it."""
    return ("Waiting for you",
            lambda shown: machine.idp.approve(code_on(shown), JO))


@pytest.fixture
def ready(machine):
    """What a human wrote is there, and lacks the client."""
    machine.write(CONFIG, "# ours\n" + machine.provider() + "# end\n")
    return machine


@pytest.fixture
def done(ready):
    """An account that is set up."""
    status, shown = ready.terminal(
        *ASKED, turns=[("client id: ", "mail-app"),
                       ("Start it now? [Y/n]", ""), approve(ready)])
    assert status == 0, shown
    ready.shown = shown
    return ready


def lines_are_kept(before, after):
    """Whether all lines are there still, in their order."""
    lines = iter(after.split("\n"))
    return all(line in lines for line in before.split("\n"))


def test_an_account_is_set_up_and_a_second_run_changes_nothing(done):
    assert f"{JO} is set up with test." in done.shown
    text = done.read(CONFIG)
    assert lines_are_kept("# ours\n" + done.provider() + "# end", text)
    assert done.mode("/etc/mailtoken") == "root:root 755"
    assert done.mode(CONFIG) == "root:root 644"
    before = done.tree()
    again = done.setup(JO, "--yes", "--no-postfix")
    assert again.returncode == 0, again.stderr
    assert again.stdout.startswith(f"{JO} is set up already")
    assert done.tree() == before


def test_what_was_there_is_kept_beside_it(done):
    assert done.read(CONFIG + ".before-mailtoken-1") == \
        "# ours\n" + done.provider() + "# end\n"


def test_a_client_that_the_provider_does_not_know_is_not_written(machine):
    machine.run("sh", "-c", f"cat {machine.ca_file} >>"
                "/etc/ssl/certs/ca-certificates.crt")
    words = (JO, "--yes", "--no-postfix", "--provider", "own", "--issuer",
             machine.idp.url, "--client-id")
    ran = machine.setup(*words, "no-such-app")
    assert ran.returncode == 1 and "nothing was written" in ran.stderr, ran
    assert "no-such-app" in ran.stderr or "client" in ran.stderr
    assert machine.read(CONFIG) is None
    with machine.start("setup", *words, "mail-app") as ran:
        shown = ""
        for line in ran.stdout:
            shown += line
            if line.startswith("user-code="):
                machine.idp.approve(line.split("=")[1].strip(), JO)
    assert ran.returncode == 0, shown
    assert "is set up with own" in shown
    assert "issuer " + machine.idp.url in machine.read(CONFIG)


def test_the_end_says_what_is_left_in_twelve_lines(done):
    end = done.shown[done.shown.index("is set up with"):].strip().split("\n")
    assert len(end) <= 12
    assert any("at each boot: install -d " in line for line in end)


def test_who_starts_the_helper_himself_is_told_how(ready):
    """Also in the queue directory, which the helper may not write to."""
    ready.run("mkdir", "-p", "/var/spool/postfix")
    status, shown = ready.terminal(
        "setup", JO, turns=[("client id: ", "mail-app"),
                            ("Start it now? [Y/n]", "n")])
    assert status == 1
    typed = shown.split("at each boot: ")[1].split("\r\n")[0]
    ran = ready.run("sh", "-c", typed.replace(
        "mailtokend ", f"{paths.program('mailtokend')} --background "))
    assert ran.returncode == 0, ran.stderr
    for top in ("", "/var/spool/postfix"):
        assert ready.run("test", "-S", f"{top}/run/mailtoken/socket"
                         ).returncode == 0
    assert ready.mode("/var/lib/mailtoken") == "mailtoken:mailtoken 700"


def test_a_dry_run_says_all_and_writes_nothing(ready):
    before = ready.tree()
    ran = ready.setup(JO, "--client-id", "mail-app", "--dry-run")
    assert ran.returncode == 0, ran.stderr
    for line in ("would make the user mailtoken", "would start the helper",
                 "provider test: client_id mail-app",
                 f"would change {CONFIG}", "would sign in: ",
                 "add to " + CONFIG + ": allow postfix",
                 f"would set Postfix up: mailtoken setup postfix {JO}"):
        assert line in ran.stdout
    assert ready.tree() == before


def test_who_cannot_be_asked_is_told_the_option(ready):
    ran = ready.setup(JO, "--yes")
    assert ran.returncode == 1 and "--client-id" in ran.stderr


@pytest.mark.parametrize("words, said", [
    (("--client-id", "CLIENT_ID_GOES_HERE"), "is no client id"),
    (("--client-id", "00000000-1111-2222-3333-444444444444"),
     "is no client id"),
    (("--provider", "nobody"), "mailtoken providers"),
    (("--provider", "../nobody"), "letters, digits"),
    (("--provider", "yahoo", "--client-id", "x"), "mailtoken providers yahoo"),
])
def test_what_cannot_be_is_refused_before_anything_is_done(ready, words, said):
    before = ready.tree()
    ran = ready.setup(JO, "--yes", *words)
    assert ran.returncode == 1 and said in ran.stderr, ran
    assert ready.tree() == before


def test_what_a_human_wrote_is_not_contradicted(done):
    before = done.tree()
    ran = done.setup(JO, "--yes", "--client-id", "another")
    assert ran.returncode == 1
    assert re.search(CONFIG + r":\d+ says client_id mail-app", ran.stderr)
    assert done.tree() == before


@pytest.mark.parametrize("provider, words, said", [
    ("microsoft", (), "entra.microsoft.com"),
    ("microsoft", ("--app-only",), "SMTP.SendAsApp"),
    ("google", (), "console.cloud.google.com"),
])
def test_where_to_click_for_a_client_id_is_said(machine, provider, words,
                                                said):
    _, shown = machine.terminal(
        "setup", JO, "--provider", provider, *words,
        turns=[(said, None), ("client id: ", lambda _: "\003")])
    assert max(map(len, shown.split("\r\n"))) < 80


def test_a_file_that_the_helper_would_refuse_is_not_written(ready):
    text = ready.provider() + "colour blue\n"
    ready.write(CONFIG, text)
    ran = ready.setup(JO, "--client-id", "mail-app", "--yes")
    assert ran.returncode == 1
    assert f"{CONFIG}:" in ran.stderr and "colour" in ran.stderr
    assert "mend that first" in ran.stderr
    assert ready.read(CONFIG) == text
    assert ready.run("ls", "/etc/mailtoken").stdout == "mailtoken.conf\n"


def test_a_made_certificate_signs_an_application_in(machine):
    machine.write(CONFIG, machine.provider(
        device_authorization_endpoint=None,
        scope=["https://mail.example/.default"]))
    words = (JO, "--yes", "--no-postfix", "--provider", "test",
             "--client-id", "relay-app", "--make-certificate")
    ran = machine.setup(*words)
    assert ran.returncode == 0, ran
    assert "upload /etc/mailtoken/test.crt" in ran.stdout
    refused = machine.setup(*words)
    assert refused.returncode == 1 and "again" in refused.stderr, refused
    key = machine.read("/etc/mailtoken/test.key")
    assert machine.mode("/etc/mailtoken/test.key") == "mailtoken:root 600"
    assert key.split("\n")[1] not in machine.printed
    path = f"{machine.folder}/app.crt"
    with open(path, "w") as out:
        out.write(re.search("-----BEGIN CERT.*-----END CERTIFICATE-----\n",
                            ran.stdout, re.S).group())
    machine.idp.add_client("relay-app", certificate=path)
    token = machine.mailtoken("token", JO, "--server", "localhost")
    assert token.returncode == 0, token.stderr
    assert "already" in machine.setup(*words).stdout
    assert machine.read("/etc/mailtoken/test.key") == key


def test_a_secret_is_typed_unseen_and_kept_for_the_helper(machine):
    secret = machine.idp.client_secret
    machine.write(CONFIG, machine.provider(
        device_authorization_endpoint=None, scope=["mail"]))
    status, shown = machine.terminal(
        *ASKED, "--client-id", "mail-web", "--app-only",
        turns=[("made here?", "n"), ("[not shown]: ", secret),
               ("Start it now? [Y/n]", "")])
    assert status == 0, shown
    assert machine.read("/etc/mailtoken/test.secret") == secret
    assert machine.mode("/etc/mailtoken/test.secret") == "mailtoken:root 600"
    assert secret not in shown


def test_who_interrupts_a_hidden_question_gets_the_terminal_back(machine):
    status, shown = machine.terminal(
        "setup", JO, "--provider", "google", "--client-id", "x.example",
        turns=[("[not shown]: ", lambda _: "half\003")])
    assert status == 1 and "half" not in shown
    assert machine.read(CONFIG) is None


def test_the_helper_enters_the_folder_whatever_the_umask(machine):
    ran = machine.run("sh", "-c", 'umask 077; exec "$@"', "sh",
                      str(paths.program("mailtoken")), "setup", JO, "--yes",
                      "--no-postfix", "--app-only", "--make-certificate",
                      "--provider", "microsoft", "--client-id", "mail-app")
    assert machine.mode("/etc/mailtoken") == "root:root 755", ran


def test_a_sign_in_that_failed_goes_on_later(ready):
    status, shown = ready.terminal(
        *ASKED, turns=[("client id: ", "mail-app"), ("Start it now?", ""),
                       ("Waiting for you",
                        lambda shown: ready.idp.deny(code_on(shown)))])
    assert status == 1
    assert f'run "mailtoken setup {JO}" again' in shown.replace("\r\n", " ")
    status, shown = ready.terminal("setup", JO, "--no-postfix",
                                   turns=[approve(ready)])
    assert status == 0, shown


SYSTEMCTL = f"""#!/bin/sh
echo "$*" >>/run/calls
case "$*" in
*is-enabled*|*is-active*) test -e /run/enabled ;;
*daemon-reload) ;;
*stop*) ;;
*enable*) chown mailtoken /run/mailtoken &&
    {paths.program("mailtokend")} --background && touch /run/enabled ;;
esac
"""


@pytest.fixture
def systemd(ready):
    """A machine that looks as if systemd ran it."""
    ready.write("/usr/local/sbin/systemctl", SYSTEMCTL, 0o755)
    ready.run("mkdir", "-p", "/run/systemd/system", "/var/spool/postfix")
    ready.run("install", "-d", "-m", "777", "/var/lib/mailtoken")
    ready.run("install", "-d", "-o", "nobody", "/run/mailtoken")
    ready.write("/usr/local/sbin/postconf", "#!/bin/sh\nexit 1\n", 0o755)
    return ready


def calls(systemd):
    """What systemctl was run for, but for questions."""
    return [call for call in systemd.read("/run/calls").splitlines()
            if "--quiet" not in call]


def test_units_are_enabled_in_their_order_and_once(systemd):
    words = (JO, "--yes", "--app-only", "--client-id", "mail-app",
             "--make-certificate")
    # It goes on to a Postfix that is none.
    ran = systemd.setup(*words)
    units = "mailtoken.socket mailtokend.service mailtoken-postfix.socket"
    assert calls(systemd) == [
        "--system daemon-reload", f"--system stop {units}",
        f"--system enable --now {units}"]
    assert f"- systemctl enable --now {units}\n" in ran.stdout
    systemd.setup(*words)
    assert systemd.read("/run/calls").count("enable --now") == 1


def test_without_postfix_its_socket_is_left_alone(systemd):
    ran = systemd.setup(JO, "--yes", "--app-only", "--client-id", "mail-app",
                        "--make-certificate", "--no-postfix")
    assert ran.returncode == 0, ran
    assert not any("postfix" in call for call in calls(systemd))
    assert "postfix" not in systemd.read(CONFIG)


def test_a_user_sets_up_a_helper_of_his_own(machine):
    user = machine.user()
    home = "/var/home/ann"
    config = f"{home}/.config/mailtoken/mailtoken.conf"
    machine.run("cp", str(paths.program("mailtokend")),
                "/usr/local/sbin/mailtokend")
    machine.write(config, machine.provider())
    machine.run("chown", "-R", "4711:4711", f"{home}/.config")
    status, shown = machine.terminal(
        *ASKED, before=user,
        turns=[("client id: ", "mail-app"), approve(machine)])
    assert status == 0, shown
    assert machine.mode(config) == "UNKNOWN:UNKNOWN 644"
    assert "allow" not in machine.read(config)
    assert machine.read(CONFIG) is None
    again = machine.run(*user, str(paths.program("mailtoken")), "setup", JO)
    assert again.stdout.startswith(f"{JO} is set up already"), again
    denied = machine.run(*user, str(paths.program("mailtoken")), "setup", JO,
                         "--system")
    assert denied.returncode == 2 and "only root" in denied.stderr
