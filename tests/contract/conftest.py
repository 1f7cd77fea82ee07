# SPDX-License-Identifier: BSD-2-Clause
"""The helper that the contract is held against.

MAILTOKEN_CONTRACT_SOCKET: somebody's helper, which is neither started nor
ended here.  Otherwise the mailtokend of this build with a provider of the
test bed and two accounts, signed in over the protocol itself.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
for directory in (HERE.parent / "lib", HERE):
    if str(directory) not in sys.path:
        sys.path.insert(0, str(directory))

import paths                                            # noqa: E402
from bed import DEADLINE_S, wait_for                    # noqa: E402
from contract_wire import Answer, Line, ask_as          # noqa: E402

STRANGER = 2
HELPER_UID = 1
CONFIG = """\
provider test
    token_endpoint {url}/token
    device_authorization_endpoint {url}/device
    client_id mail-app
    scope "mail offline_access openid email"
    servers localhost
    ca_file {ca}
"""


class Helper:
    """Where the helper is, and what may be asked of it."""

    def __init__(self, path, account, server, other=None, wait_s=35.0):
        self.path = path
        self.account = account
        self.server = server
        self.other = other
        self.wait_s = wait_s
        self.idp = None

    def line(self):
        """A new connection."""
        return Line(self.path, self.wait_s)

    def ask(self, raw):
        """One request, one whole answer."""
        with self.line() as line:
            line.send(raw)
            return Answer(line.all())

    def token_request(self, account=None, server=None, more=b""):
        """The bytes of a request for a token."""
        return (b"mailtoken=1\nverb=token\naccount=%s\nserver=%s\n"
                b"service=imap\nmechanism=XOAUTH2\n%s\n"
                % ((account or self.account).encode(),
                   (server or self.server).encode(), more))

    def token(self, account=None, server=None):
        """Ask for a token."""
        return self.ask(self.token_request(account, server))

    def owner(self, token):
        """Whose token it is; None where that cannot be known."""
        if self.idp is None:
            return None
        return self.idp.introspect(token).get("username")

    def as_stranger(self, raw):
        """The bytes of the answer to another user."""
        if os.geteuid() != 0:
            pytest.skip("only root can be somebody else")
        return ask_as(STRANGER, self.path, raw, self.wait_s)

    def sign_in(self, account, user=None, answer=None, more=b""):
        """The whole dialogue; returns its lists as dicts."""
        said = []
        with self.line() as line:
            line.send(b"mailtoken=1\nverb=sign-in\naccount=%s\n"
                      b"provider=test\nflow=device\n%s\n"
                      % (account.encode(), more))
            while not said or "result" not in said[-1]:
                said.append(dict(line.next()))
                event = said[-1].get("event")
                if event == b"show-code":
                    self.idp.approve(said[-1]["user-code"].decode(),
                                     user or account)
                elif event == b"ask":
                    line.send(b"mailtoken=1\nanswer=%s\n\n" % answer)
            assert line.all() == b""
        return said


def _start(directory, idp):
    shutil.copy(idp.ca_file, directory / "ca.pem")
    (directory / "ca.pem").chmod(0o644)
    (directory / "mailtoken.conf").write_text(
        CONFIG.format(url=idp.url, ca=directory / "ca.pem"))
    argv = [str(paths.program("mailtokend")), "--config",
            str(directory / "mailtoken.conf"), "--keyring",
            str(directory / "state" / "keyring"), "--listen",
            str(directory / "run" / "socket")]
    for name in ("run", "state"):
        (directory / name).mkdir()
    who = {}
    if os.geteuid() == 0:
        for name in ("run", "state"):
            os.chown(directory / name, HELPER_UID, HELPER_UID)
        who = {"user": HELPER_UID, "group": HELPER_UID, "extra_groups": []}
    log = open(directory / "log", "wb")
    return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log,
                            stderr=log, cwd="/", env={
                                "PATH": "/usr/bin:/bin",
                                "JOURNAL_STREAM": "0:0",
                                # Nobody may trace it, the leak check too.
                                "ASAN_OPTIONS": "detect_leaks=0"}, **who)


def _wait(directory, child):
    path = directory / "run" / "socket"

    def listens():
        assert child.poll() is None, (directory / "log").read_text()
        # There it is at bind(2); it answers from listen(2) on.
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
                probe.connect(str(path))
        except OSError:
            return None
        return str(path)

    return wait_for(listens, what="mailtokend")


@pytest.fixture(scope="session")
def helper():
    """The helper under test, with an account that is signed in."""
    wait_s = float(os.environ.get("MAILTOKEN_CONTRACT_WAIT_S", "35"))
    path = os.environ.get("MAILTOKEN_CONTRACT_SOCKET")
    if path:
        yield Helper(
            path,
            os.environ.get("MAILTOKEN_CONTRACT_ACCOUNT", "alice@example.org"),
            os.environ.get("MAILTOKEN_CONTRACT_SERVER", "localhost"),
            os.environ.get("MAILTOKEN_CONTRACT_OTHER"), wait_s)
        return
    if not paths.program("mailtokend").exists():
        pytest.skip("mailtokend is not built")
    from idp import Idp
    directory = Path(tempfile.mkdtemp(prefix="mailtoken-contract-"))
    directory.chmod(0o755)
    child = None
    try:
        with Idp(interval=1) as provider:
            child = _start(directory, provider)
            own = Helper(_wait(directory, child), "alice@example.org",
                         "localhost", "bob@example.org", wait_s)
            own.idp = provider
            for account in (own.account, own.other):
                assert own.sign_in(account)[-1]["result"] == b"ok"
            yield own
            child.terminate()
            assert child.wait(DEADLINE_S) == 0
            log = (directory / "log").read_text()
            for secret in provider.secrets():
                assert secret not in log
    finally:
        if child is not None and child.poll() is None:
            child.kill()
            child.wait()
        shutil.rmtree(directory)
