#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""A session of mailtokend with every verb, under what the arguments say.

valgrind_session.py valgrind --error-exitcode=99 ...

Ends with 0 when every answer was as it must be and the helper, told to
end, ended with 0.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

HERE = Path(__file__).resolve().parent
for directory in (HERE.parent / "lib", HERE.parent / "contract"):
    sys.path.insert(0, str(directory))

import paths                                            # noqa: E402
from contract_wire import Answer, Line                  # noqa: E402
from idp import Idp                                     # noqa: E402

HELPER_UID = 1
WAIT_S = 60.0
CONFIG = """\
keyring_key {folder}/key
provider test
    token_endpoint {url}/token
    device_authorization_endpoint {url}/device
    client_id mail-app
    scope "mail offline_access openid email"
    servers localhost
    ca_file {folder}/ca.pem
"""


class Session:
    """A helper in a folder of its own, and its provider."""

    def __init__(self, folder, idp, wrapper):
        self.folder, self.idp = folder, idp
        self.socket = folder / "run" / "socket"
        self.config = CONFIG.format(url=idp.url, folder=folder)
        self._prepare()
        argv = [*wrapper, str(paths.program("mailtokend")),
                "--config", str(folder / "mailtoken.conf"),
                "--keyring", str(folder / "state" / "keyring"),
                "--listen", str(self.socket)]
        who = {}
        if os.geteuid() == 0:
            who = {"user": HELPER_UID, "group": HELPER_UID,
                   "extra_groups": []}
        with open(folder / "log", "wb") as log:
            self.child = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                cwd="/", env={"PATH": "/usr/bin:/bin"}, **who)
        self._wait()

    def _prepare(self):
        shutil.copy(self.idp.ca_file, self.folder / "ca.pem")
        (self.folder / "ca.pem").chmod(0o644)
        (self.folder / "mailtoken.conf").write_text(self.config)
        key = self.folder / "key"
        key.write_bytes(bytes(range(32)))
        key.chmod(0o600)
        owned = [key]
        for name in ("run", "state"):
            (self.folder / name).mkdir()
            owned.append(self.folder / name)
        if os.geteuid() == 0:
            for path in owned:
                os.chown(path, HELPER_UID, HELPER_UID)

    def _wait(self):
        pause = threading.Event()
        for _ in range(6000):
            try:
                Line(self.socket, WAIT_S).sock.close()
                return
            except (FileNotFoundError, ConnectionRefusedError):
                assert self.child.poll() is None, self.log()
            pause.wait(0.01)
        raise AssertionError("mailtokend does not listen: " + self.log())

    def log(self):
        return (self.folder / "log").read_text("utf-8", "replace")

    def ask(self, *lines):
        """One request; the answer keeps the protocol's promises."""
        with Line(self.socket, WAIT_S) as line:
            line.send("\n".join(["mailtoken=1", *lines, "", ""]).encode())
            return Answer(line.all())

    def expect(self, result, *lines):
        answer = self.ask(*lines)
        assert answer.result == result, (lines, answer.last)
        return answer

    def sign_in(self, account, deny=False):
        with Line(self.socket, WAIT_S) as line:
            line.send(f"mailtoken=1\nverb=sign-in\naccount={account}\n"
                      "provider=test\nflow=device\n\n".encode())
            code = dict(line.next())["user-code"].decode()
            if deny:
                self.idp.deny(code)
            else:
                self.idp.approve(code, account)
            return Answer(line.rest + line.all()).result

    def token(self, account, result="ok"):
        return self.expect(result, "verb=token", f"account={account}",
                           "server=localhost", "service=imap",
                           "mechanism=XOAUTH2")

    def reload(self, text):
        (self.folder / "mailtoken.conf").write_text(text)
        return self.ask("verb=reload").result


def accounts(session):
    """Signing in, tokens, and what ends them."""
    for account in ("alice@example.org", "bob@example.org"):
        assert session.sign_in(account) == "ok"
    assert session.sign_in("carol@example.org", deny=True) != "ok"
    session.token("Alice@Example.ORG")
    session.token("nobody@example.org", "unknown-account")
    session.expect("wrong-server", "verb=token",
                   "account=alice@example.org", "server=elsewhere.example")
    serial = session.token("alice@example.org").get("serial")
    session.expect("ok", "verb=rejected", "account=alice@example.org",
                   f"serial={serial}", 'challenge={"status":"401"}')
    session.token("alice@example.org")
    session.expect("ok", "verb=refresh", "account=alice@example.org")
    session.expect("ok", "verb=refresh", "due=yes")
    session.idp.fault("token", "aadsts", number=700082)
    answer = session.ask("verb=refresh", "account=bob@example.org")
    assert answer.result != "ok", answer.last


def the_rest(session):
    """What is asked about all, and nonsense."""
    assert len(session.expect("ok", "verb=status").records) >= 2
    session.expect("ok", "verb=version")
    session.expect("bad-request", "verb=dance")
    session.expect("bad-request", "verb=token", "verb=token")
    with Line(session.socket, WAIT_S) as watch:
        watch.send(b"mailtoken=1\nverb=watch\n\n")
        first = dict(watch.next())
        assert first, first
        session.expect("ok", "verb=forget", "account=bob@example.org")
    assert session.reload(session.config + "log_level debug\n"
                          "account dan@example.org\n    provider test\n"
                          ) == "ok"
    assert session.reload(session.config + "colour red\n") != "ok"
    assert session.reload(session.config) == "ok"
    session.token("alice@example.org")
    # A connection that is open at the end, and half a request.
    left = Line(session.socket, WAIT_S)
    left.send(b"mailtoken=1\nverb=sta")
    return left


def main(wrapper):
    folder = Path(tempfile.mkdtemp(prefix="mailtoken-session-"))
    folder.chmod(0o755)
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder)
        idp = stack.enter_context(Idp(interval=1))
        session = Session(folder, idp, wrapper)
        try:
            accounts(session)
            left = the_rest(session)
            session.child.terminate()
            status = session.child.wait(WAIT_S)
            left.sock.close()
            for secret in idp.secrets():
                assert secret not in session.log()
        except BaseException:
            print(session.log())
            raise
        finally:
            if session.child.poll() is None:
                session.child.kill()
                session.child.wait()
        print(session.log())
        print(f"every verb, then SIGTERM: ended with {status}")
        return 0 if status == 0 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
