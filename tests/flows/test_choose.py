# SPDX-License-Identifier: BSD-2-Clause
"""Which provider and flow a sign-in is with, and how that is told."""

import fcntl
import os
import random
import re
import select
import socket
import struct
import subprocess
import termios
import threading
import time

import paths
import pytest

from bed import DEADLINE_S, write_file
from bed_helper import ROOT
from helper_line import pack
from test_helper_signin import JO, begin, done

MX = "contoso-com.mail.protection.outlook.com"


def providers(bed, *blocks, more=""):
    """Several provider blocks: (name, keys) over the bed's own."""
    text = ""
    for name, keys in blocks:
        bed.configure(provider_name=name, **keys)
        with open(bed.config, encoding="ascii") as file:
            text += file.read()
    write_file(bed.config, text + more)


def microsoft(idp):
    """Keys of a block on Microsoft's preset, at the test's provider."""
    return {"preset": "microsoft", "scope": None, "servers": None,
            "token_endpoint": idp.tenant_url() + "/token",
            "device_authorization_endpoint": idp.tenant_url() + "/devicecode"}


@pytest.fixture
def two(helper, idp):
    """A helper with two providers."""
    providers(helper, ("office", microsoft(idp)), ("own", {}))
    return helper


def refused(bed, account=JO, **options):
    """The sentence of a sign-in that cannot begin."""
    answer = bed.ask("sign-in", account=account, **options)
    assert answer["result"] == "config-error", answer
    return answer["text"]


def shown(bed, account=JO, **options):
    """The list that shows a code."""
    with bed.connect() as line:
        answer = line.send("sign-in", account=account, **options).next()
    assert answer["event"] == "show-code", answer
    return answer


def test_choice_and_its_reason_are_told(helper):
    helper.start()
    answer = shown(helper)
    assert (answer["provider"], answer["flow"]) == ("test", "device")
    assert "the only one configured" in answer["text"]
    assert "'device'" in answer["text"]


def test_named_provider_wins(two):
    two.start()
    answer = shown(two, provider="office", mx="aspmx.l.google.com")
    assert answer["provider"] == "office"
    assert "named for this sign-in" in answer["text"]


def test_block_of_the_account_is_next(two):
    with open(two.config, "a", encoding="ascii") as file:
        file.write("account *@example.org\n    provider own\n")
    two.start()
    assert shown(two)["provider"] == "own"


def test_earlier_sign_in_is_next(two, idp):
    two.start()
    line, code = begin(two, provider="own")
    idp.approve(code, JO)
    with line:
        assert done(line)["result"] == "ok"
    answer = shown(two)
    assert answer["provider"] == "own"
    assert "earlier sign-in" in answer["text"]


def test_domain_of_a_preset_is_next(two):
    two.start()
    answer = shown(two, "jo@outlook.com")
    assert answer["provider"] == "office"
    assert "outlook.com is a domain of" in answer["text"]


def test_domain_without_its_provider_says_what_to_write(two):
    two.start()
    text = refused(two, "jo@gmail.com")
    assert "Gmail" in text and "provider 'google'" in text


def test_exchangers_only_propose(two, idp):
    two.start()
    with two.connect() as line:
        line.send("sign-in", account=JO, mx=MX).next()
        line.send(answer="no")
        answer = line.next()
        assert answer["result"] == "config-error"
        assert "--provider" in answer["text"]
    with two.connect() as line:
        asked = line.send("sign-in", account=JO, mx=f"mx.foo {MX}").next()
        assert (asked["event"], asked["question"]) == ("ask", "provider")
        assert "office" in asked["text"]
        line.send(answer="yes")
        answer = line.next()
        assert answer["event"] == "show-code"
        assert answer["provider"] == "office"
    assert idp.counts["device"] == 1


def test_answer_before_its_question_is_none(two, idp):
    two.start()
    with two.connect() as line:
        line.sock.sendall(
            pack([("verb", "sign-in"), ("account", JO), ("mx", MX)])
            + pack([("answer", "yes")]))
        assert line.next()["question"] == "provider"
        line.send(answer="yes")
        assert line.next()["event"] == "show-code"
        assert line.next()["event"] == "waiting"
    assert idp.counts["device"] == 1


@pytest.mark.parametrize("mx", ["", "localhost", "a b c", ". .",
                                "google.com.evil.example", "x" * 1000])
def test_exchangers_that_lie_change_nothing(two, idp, mx):
    two.start()
    assert "several providers" in refused(two, mx=mx)
    assert idp.counts["discovery"] == 0


def test_exchangers_never_add_a_provider(two):
    two.start()
    text = refused(two, mx="aspmx.l.google.com")
    assert "provider 'google'" in text


def test_google_is_not_offered_the_device_flow(helper, idp):
    providers(helper, ("google", {"preset": "google", "scope": None,
                                  "device_authorization_endpoint": None}))
    helper.start()
    text = refused(helper, "jo@gmail.com", flow="device")
    assert "Google lets nobody" in text and "browser" in text
    assert idp.counts["device"] == 0


def test_data_only_preset_says_so(helper):
    providers(helper, ("yahoo", {"preset": "yahoo", "scope": None,
                                 "device_authorization_endpoint": None}))
    helper.start()
    text = refused(helper, "jo@yahoo.com")
    assert "nobody has tried it" in text and "--flow browser" in text


def test_yandex_is_polled_in_its_own_words(helper, idp):
    providers(helper, ("yandex", {"preset": "yandex", "scope": None}))
    helper.start()
    with helper.connect() as line:
        line.send("sign-in", account="jo@ya.ru").next()
        request = idp.wait_request("token")[0]
        assert b"grant_type=device_code&code=" in request.body
        assert b"device_code=" not in request.body.replace(
            b"grant_type=device_code", b"")
    device, = [r for r in idp.requests if r.endpoint == "device"]
    assert device.form["scope"] == "mail:smtp"


def test_protocols_decide_the_scope_and_are_kept(helper, idp):
    providers(helper, ("office", microsoft(idp)))
    helper.start()
    line, code = begin(helper, protocols="smtp,imap")
    idp.approve(code, JO)
    with line:
        assert done(line)["result"] == "ok"
    record = helper.record()
    assert record["protocols"] == "smtp imap"
    assert "IMAP.AccessAsUser.All" in record["scope"]
    assert "POP." not in record["scope"]


def test_service_outside_the_sign_in_says_the_command(helper, idp):
    providers(helper, ("office", microsoft(idp)))
    helper.start()
    line, code = begin(helper)
    idp.approve(code, JO)
    with line:
        assert done(line)["result"] == "ok"
    assert helper.record()["protocols"] == "smtp"
    server = "smtp.office365.com"
    assert helper.token(server=server)["result"] == "ok"
    answer = helper.ask("token", account=JO, server="outlook.office365.com",
                        service="imap", mechanism="XOAUTH2")
    assert answer["result"] == "login-needed"
    assert f"mailtoken login {JO} --protocols smtp,imap" in answer["text"]
    assert helper.ask("token", account=JO, server=server, service="sieve",
                      mechanism="XOAUTH2")["result"] == "ok"


def test_protocols_are_checked(helper):
    helper.start()
    answer = helper.ask("sign-in", account=JO, protocols="ftp")
    assert answer["result"] == "bad-request"
    assert "smtp, imap and pop" in answer["text"]


class Names:
    """A DNS server on loopback that knows one mail exchanger.

    Its address is its own: another run may stand beside this one."""

    def __init__(self, answer=MX):
        self.answer = answer
        self.asked = set()
        self.address = f"127.{random.randrange(2, 255)}." \
            f"{random.randrange(256)}.{random.randrange(1, 255)}"
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((self.address, 53))
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self):
        while True:
            query, peer = self.sock.recvfrom(4096)
            if not query:
                return
            end = query.index(b"\0", 12) + 5
            self.asked.add(query[12:end])
            if self.answer is None:
                self.sock.sendto(b"\xff" * 40, peer)
                continue
            name = b"".join(bytes([len(p)]) + p.encode()
                            for p in self.answer.split(".")) + b"\0"
            head = query[:2] + b"\x81\x80" + struct.pack(">4H", 1, 1, 0, 0)
            record = b"\xc0\x0c" + struct.pack(
                ">HHIHH", 15, 1, 60, len(name) + 2, 10) + name
            self.sock.sendto(head + query[12:end] + record, peer)

    def close(self):
        """Give the port back."""
        self.sock.sendto(b"", (self.address, 53))
        self._thread.join()
        self.sock.close()


class Person:
    """Somebody at a terminal, in a network of his own names."""

    def __init__(self, bed, names, *words):
        self.conf = bed.path("resolv.conf")
        write_file(self.conf, f"nameserver {names.address}\n")
        self.fd, other = os.openpty()
        # Wide: no sentence is cut in two.
        fcntl.ioctl(other, termios.TIOCSWINSZ,
                    struct.pack("HHHH", 24, 400, 0, 0))
        self.process = subprocess.Popen(
            ["unshare", "-m", "sh", "-c",
             'mount --bind "$0" /etc/resolv.conf && exec "$@"', self.conf,
             str(paths.program("mailtoken")), "--socket", bed.socket,
             "login", *words], stdin=other, stdout=other, stderr=other,
            env={"PATH": os.environ["PATH"], "TERM": "dumb"})
        os.close(other)
        self.text = ""

    def wait(self, pattern):
        """Until the screen shows this."""
        end = time.monotonic() + DEADLINE_S
        while not re.search(pattern, self.text):
            left = end - time.monotonic()
            ready, _, _ = select.select([self.fd], [], [], max(left, 0))
            assert ready, self.text
            try:
                self.text += os.read(self.fd, 65536).decode()
            except OSError:
                break
        found = re.search(pattern, self.text)
        assert found, self.text
        return found

    def type(self, text):
        """Keys."""
        os.write(self.fd, text.encode())

    def end(self):
        """Hang up; the exit status."""
        if self.process.poll() is None:
            self.process.terminate()
        status = self.process.wait(DEADLINE_S)
        os.close(self.fd)
        return status


@pytest.fixture
def names():
    """The DNS server, where one may have port 53."""
    if not ROOT or subprocess.run(["unshare", "-m", "true"],
                                  check=False).returncode:
        pytest.skip("needs root and a mount namespace")
    try:
        server = Names()
    except OSError as fault:
        pytest.skip(f"port 53 of loopback is not to be had: {fault}")
    yield server
    server.close()


def test_person_is_asked_what_the_exchangers_propose(two, idp, names):
    two.start()
    person = Person(two, names, JO)
    person.wait(r"\[y/N\]")
    assert "mail exchangers" in person.text and "office" in person.text
    person.type("y\n")
    code = person.wait(r"\b([A-Z]{4}-[A-Z]{4})\b")[1]
    assert "Signing in with provider 'office'" in person.text
    idp.approve(code, JO)
    person.wait("is signed in")
    assert person.process.wait(DEADLINE_S) == 0
    person.end()
    assert len(names.asked) == 1


def test_named_provider_asks_no_names(two, names):
    two.start()
    person = Person(two, names, JO, "--provider", "own")
    person.wait("Signing in with provider 'own'")
    person.end()
    assert not names.asked


def test_names_that_are_garbage_do_no_harm(two, names):
    names.answer = None
    two.start()
    person = Person(two, names, JO)
    person.wait("several providers")
    assert person.process.wait(DEADLINE_S) == 1
    person.end()


def test_without_a_terminal_no_name_is_asked_for(two, names):
    two.start()
    run = subprocess.run([str(paths.program("mailtoken")), "--socket",
                          two.socket, "login", JO], capture_output=True,
                         text=True, check=False, timeout=DEADLINE_S)
    assert run.returncode == 1 and "several providers" in run.stderr
    assert not names.asked
