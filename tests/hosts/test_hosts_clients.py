# SPDX-License-Identifier: BSD-2-Clause
"""Programs that a user runs log in with tokens, without any password.

mbsync, the Cyrus tools, Perl and a mutt built with Cyrus SASL talk to
Dovecot; the helper is a scripted one at the place of a user's helper.
"""

import os
import re
import subprocess

import pytest

from bed_postfix import USER
from clients import CYRUS_TOOLS, Person
from leaks import leaked
from scripted_helper import ScriptedHelper

HERE = os.path.dirname(os.path.abspath(__file__))
MECHANISMS = ("XOAUTH2", "OAUTHBEARER")


@pytest.fixture(scope="module")
def person(sasl_path):
    user = Person(sasl_path)
    yield user
    user.remove()


@pytest.fixture
def helper(person, idp):
    token = idp.seed(USER).access_token
    with ScriptedHelper(person.socket, token=token) as scripted:
        os.chown(person.socket, person.owner.pw_uid, person.owner.pw_gid)
        yield scripted


@pytest.fixture
def short(helper, idp):
    """A token so short that Dovecot takes it in the AUTH command of SMTP."""
    idp.set(access_length=200)
    helper.token = idp.seed(USER).access_token
    idp.set(access_length=1500)
    return helper


def mbsync(person, dovecot, mechanism="*", tls="IMAPS"):
    port = dovecot.imaps if tls == "IMAPS" else dovecot.imap
    config = person.write(".mbsyncrc", f"""\
IMAPStore far
Host localhost
Port {port}
User {USER}
SSLType {tls}
CertificateFile {dovecot.ca_file}
AuthMechs {mechanism}

MaildirStore near
Path {person.home}/Mail/
Inbox {person.home}/Inbox

Channel mail
Far :far:
Near :near:
Create Near
""")
    return person.run("mbsync", "-c", config, "-l", "mail")


@pytest.mark.parametrize("mechanism", [*MECHANISMS, "*"])
def test_mbsync_needs_no_password(person, dovecot, helper, idp, mechanism):
    done = mbsync(person, dovecot, mechanism)
    assert done.returncode == 0, done.stderr
    assert "INBOX" in done.stdout
    asked, = helper.wait_request()
    assert asked.get("service") == "imap"
    assert asked.uid == person.owner.pw_uid
    # With two to choose from, the one that every provider has.
    wanted = "XOAUTH2" if mechanism == "*" else mechanism
    assert asked.get("mechanism") == wanted
    assert "wants more steps" not in done.stderr
    assert not leaked(done.stdout + done.stderr, idp.secrets())


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_mbsync_shows_the_words_of_the_server(person, dovecot, helper, idp,
                                              mechanism):
    idp.expire_access(token=helper.token)
    done = mbsync(person, dovecot, mechanism)
    # It prints its own command with the token, as it does for passwords.
    assert done.returncode == 1
    assert "[AUTHENTICATIONFAILED]" in done.stderr
    assert helper.wait_request(verb="rejected")


def test_mbsync_shows_what_to_type(person, dovecot, helper):
    helper.add("fault", word="login-needed", text="It was revoked.")
    done = mbsync(person, dovecot, "XOAUTH2")
    assert done.returncode == 1
    assert f'run "mailtoken login {USER}" (It was revoked.)' in done.stderr


def test_mbsync_says_that_no_helper_runs(person, dovecot):
    done = mbsync(person, dovecot, "XOAUTH2")
    assert done.returncode == 1
    assert person.socket in done.stderr
    # The second where the system has one that this user may not ask.
    assert re.search("No such file or directory|none runs at", done.stderr)


def cyrus(person, name, port, mechanism, *tls, commands=""):
    return person.run(f"{CYRUS_TOOLS}/{name}", *tls, "-m", mechanism, "-a",
                      USER, "-p", str(port), "localhost", stdin=commands)


TOOLS = {"imtest": ("imaps", ("-s",), "a logout\n"),
         "pop3test": ("pop3s", ("-s",), "QUIT\r\n"),
         "smtptest": ("submission", ("-t", ""), "QUIT\r\n")}


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("tool", TOOLS)
def test_the_cyrus_tools_log_in(person, dovecot, helper, tool, mechanism):
    service, tls, commands = TOOLS[tool]
    done = cyrus(person, tool, getattr(dovecot, service), mechanism, *tls,
                 commands=commands)
    assert "Authenticated." in done.stdout, done.stdout + done.stderr
    wanted = {"imaps": "imap", "pop3s": "pop", "submission": "smtp"}
    assert helper.wait_request()[0].get("service") == wanted[service]


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("tool", TOOLS)
def test_the_cyrus_tools_end_when_refused(person, dovecot, helper, idp, tool,
                                          mechanism):
    idp.expire_access(token=helper.token)
    service, tls, commands = TOOLS[tool]
    done = cyrus(person, tool, getattr(dovecot, service), mechanism, *tls,
                 commands=commands)
    assert "Authenticated." not in done.stdout
    assert "Authentication failed" in done.stdout
    assert helper.wait_request(verb="rejected")


def perl(person, dovecot, mechanism):
    # Debian 12 is the last to have it.
    if subprocess.run(["perl", "-MAuthen::SASL::Cyrus", "-e1"],
                      capture_output=True).returncode:
        pytest.skip("no Authen::SASL::Cyrus")
    return person.run("perl", os.path.join(HERE, "mail.pl"), "localhost",
                      str(dovecot.submission), dovecot.ca_file, USER,
                      mechanism)


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_perl_sends_mail(person, dovecot, short, sink, mechanism):
    before = len(sink.messages)
    done = perl(person, dovecot, mechanism)
    assert "accepted" in done.stdout, done.stdout + done.stderr
    assert b"Hello from Perl" in sink.messages.wait(before + 1)[-1]


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_perl_gets_the_words_of_the_server(person, dovecot, short, idp,
                                           mechanism):
    idp.expire_access(token=short.token)
    done = perl(person, dovecot, mechanism)
    assert "refused: 535" in done.stdout, done.stdout + done.stderr


@pytest.fixture(scope="session")
def mutt():
    """A mutt with Cyrus SASL; MAILTOKEN_CACHE is where to build it."""
    cache = os.environ.get("MAILTOKEN_CACHE")
    if not cache:
        pytest.skip("MAILTOKEN_CACHE is not set: no mutt with Cyrus SASL")
    program = os.path.join(cache, "mutt", "mutt")
    if not os.path.exists(program):
        subprocess.run([os.path.join(HERE, "build-mutt"), cache], check=True)
    return program


def muttrc(person, dovecot, more=""):
    return person.write(".muttrc", f"""\
set ssl_force_tls=yes
set certificate_file="{dovecot.ca_file}"
set folder="~/Mail"
set tmpdir="~"
set record=""
set imap_user="{USER}"
set pop_user="{USER}"
set pop_pass="not a password"
set smtp_url="smtp://{USER}@localhost:{dovecot.submission}/"
set from="{USER}"
{more}
""")


def mutt_sends(person, mutt, dovecot):
    return person.run(mutt, "-F", muttrc(person, dovecot), "-s", "by mutt",
                      "bob@example.net", stdin="Hello from mutt\n")


def mutt_opens(person, mutt, dovecot, folder):
    """Open a folder on a terminal of script(1), and quit."""
    rc = muttrc(person, dovecot, 'push "<exit>"')
    # Newer ncurses want to be told a size.
    return person.run("script", "-qec", "stty rows 24 columns 80; "
                      f"{mutt} -F {rc} -f {folder}",
                      "/dev/null", TERM="xterm", SHELL="/bin/sh")


def test_mutt_sends_mail(person, mutt, dovecot, short, sink):
    before = len(sink.messages)
    done = mutt_sends(person, mutt, dovecot)
    assert done.returncode == 0, done.stdout + done.stderr
    assert b"Hello from mutt" in sink.messages.wait(before + 1)[-1]
    assert short.wait_request()[0].get("service") == "smtp"


def test_mutt_that_is_refused_says_so(person, mutt, dovecot, short, idp):
    idp.expire_access(token=short.token)
    done = mutt_sends(person, mutt, dovecot)
    assert done.returncode == 1
    assert "SASL authentication failed" in done.stdout + done.stderr
    assert short.wait_request(verb="rejected")


def test_mutt_reads_an_imap_folder(person, mutt, dovecot, helper):
    dovecot.mark()
    mutt_opens(person, mutt, dovecot, f"imaps://localhost:{dovecot.imaps}/")
    assert helper.wait_request()[0].get("service") == "imap"
    dovecot.wait_log(rf"imap-login: Info: Log(in|ged in): user=<{USER}>")


def test_mutt_reads_a_pop_mailbox(person, mutt, dovecot, helper):
    dovecot.mark()
    mutt_opens(person, mutt, dovecot, f"pops://localhost:{dovecot.pop3s}/")
    assert helper.wait_request()[0].get("service") == "pop"
    dovecot.wait_log(rf"pop3-login: Info: Log(in|ged in): user=<{USER}>")
    # It took the login for what it is: no second attempt.
    assert len(helper.requests) == 1
