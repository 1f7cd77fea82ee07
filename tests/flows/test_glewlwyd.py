# SPDX-License-Identifier: BSD-2-Clause
"""Sign-in, refresh and revocation at a server that others wrote.

Debian's glewlwyd runs as a process of the tests, with a configuration,
a SQLite file, a port and a certificate of its own.
"""

import http.client
import json
import os
import secrets
import shutil
import signal
import sqlite3
import ssl
import subprocess
import urllib.parse
from pathlib import Path

import pytest

import paths
from bed import DEADLINE_S, age_record, free_port, wait_for, write_file
from bed_app import put_secret
from bed_helper import Bed
from browser import visit
from ca import Authority
from test_helper_signin import JO, begin, done

PROGRAM = shutil.which("glewlwyd")
SCHEMA = "/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3"
MODULES = "/usr/lib/glewlwyd"
CLIENT = "mail-app"
# What the schema's own administrator has.
ADMIN = {"username": "admin", "password": "password"}

CONFIG = """\
port = {port}
bind_address = "127.0.0.1"
external_url = "{url}"
login_url = "login.html"
api_prefix = "api"
log_mode = "console"
log_level = "WARNING"
cookie_domain = "localhost"
cookie_secure = 1
session_key = "SESSION"
session_expiration = 3600
admin_scope = "g_admin"
profile_scope = "g_profile"
user_module_path = "{modules}/user"
client_module_path = "{modules}/client"
user_auth_scheme_module_path = "{modules}/scheme"
plugin_module_path = "{modules}/plugin"
use_secure_connection = true
secure_connection_key_file = "{key}"
secure_connection_pem_file = "{cert}"
hash_algorithm = "SHA512"
database = {{ type = "sqlite3" path = "{database}" }};
"""

PLUGIN = {
    "jwt-type": "sha", "jwt-key-size": "256",
    "code-duration": 600, "refresh-token-duration": 86400,
    "access-token-duration": 3600, "allow-non-oidc": True,
    "auth-type-code-enabled": True, "auth-type-token-enabled": False,
    "auth-type-client-enabled": True, "auth-type-implicit-enabled": False,
    "auth-type-password-enabled": False, "auth-type-refresh-enabled": True,
    "auth-type-device-enabled": True, "device-authorization-interval": 1,
    "device-authorization-expiration": 600,
    "refresh-token-one-use": "always", "pkce-allowed": True,
    "introspection-revocation-allowed": True,
    "introspection-revocation-allow-target-client": True}


class Person:
    """A browser with a session, or an administrator's."""

    def __init__(self, server, **who):
        self._server = server
        self._cookies = {}
        self.call("POST", "/auth/", who)

    def call(self, method, path, data=None):
        """One call of the API; (status, where it leads, answer)."""
        return self._server.call(method, path, data, self._cookies)


class Glewlwyd:
    """The server; looks to a Bed as our own provider does."""

    def __init__(self, folder):
        self.folder = folder
        authority = Authority(folder / "authority")
        self.ca_file = authority.ca_file
        self._tls = ssl.create_default_context(cafile=self.ca_file)
        self._cert, self._key = authority.server()
        self.secret = secrets.token_urlsafe(30)
        self._password = secrets.token_urlsafe(20)
        self.issued = {self.secret, self._password}
        self._process = None

    def start(self):
        """Start it on a free port and set it up.  Returns self."""
        database = str(self.folder / "glewlwyd.db")
        with sqlite3.connect(database) as made:
            made.executescript(Path(SCHEMA).read_text())
        made.close()
        self.port, self.redirect_port = free_port(), free_port()
        self.url = f"https://localhost:{self.port}"
        self.issuer = f"{self.url}/api/oidc"
        config = str(self.folder / "glewlwyd.conf")
        write_file(config, CONFIG.format(
            port=self.port, url=self.url, modules=MODULES, cert=self._cert,
            key=self._key, database=database))
        with open(self.folder / "log", "ab") as log:
            self._process = subprocess.Popen(
                [PROGRAM, f"--config-file={config}"], cwd=self.folder,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"})
        wait_for(lambda: self._process.poll() is not None or
                 self._answers(), what="glewlwyd")
        assert self._process.poll() is None, self.log()
        self._set_up()
        return self

    def _answers(self):
        try:
            return self._exchange("GET", "/config", None,
                                  {})[0].status == 200
        except OSError:
            return False

    def _set_up(self):
        admin = Person(self, **ADMIN)
        admin.call("POST", "/scope/", {
            "name": "mail", "display_name": "mail",
            "password_required": True, "scheme": {}})
        admin.call("POST", "/user/", {
            "username": JO, "name": "Jo", "email": JO, "enabled": True,
            "password": self._password, "scope": ["mail", "g_profile"]})
        admin.call("POST", "/client/", {
            "client_id": CLIENT, "name": "mail", "enabled": True,
            "confidential": True, "client_secret": self.secret,
            "token_endpoint_auth_method": ["client_secret_post"],
            # It takes this very one only, with its port.
            "redirect_uri": [f"http://127.0.0.1:{self.redirect_port}"
                             "/callback"], "scope": ["mail"],
            "authorization_type": ["code", "refresh_token",
                                   "device_authorization",
                                   "client_credentials"]})
        admin.call("POST", "/mod/plugin/", {
            "module": "oidc", "name": "oidc", "display_name": "oidc",
            "enabled": True, "parameters": {
                **PLUGIN, "iss": self.issuer,
                "key": secrets.token_urlsafe(30)}})

    def stop(self):
        """End it."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(DEADLINE_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def log(self):
        """What it said."""
        return (self.folder / "log").read_text(errors="replace")

    # -- its API ----------------------------------------------------------

    def _exchange(self, method, path, body, headers):
        line = http.client.HTTPSConnection("localhost", self.port,
                                           timeout=DEADLINE_S,
                                           context=self._tls)
        try:
            line.request(method, path, body, headers)
            answer = line.getresponse()
            return answer, answer.read()
        finally:
            line.close()

    def call(self, method, path, data=None, cookies=None):
        """(status, Location, JSON); a refusal fails the test."""
        headers = {"Content-Type": "application/json"}
        if cookies:
            headers["Cookie"] = "; ".join(
                f"{name}={value}" for name, value in cookies.items())
        answer, body = self._exchange(
            method, "/api" + path,
            None if data is None else json.dumps(data), headers)
        for line in answer.headers.get_all("Set-Cookie", ()):
            name, _, value = line.partition(";")[0].partition("=")
            if cookies is not None:
                cookies[name] = value
        assert answer.status < 400, (method, path, answer.status, body,
                                     self.log())
        return (answer.status, answer.headers.get("Location"),
                json.loads(body) if body[:1] in (b"{", b"[") else None)

    def _as_client(self, endpoint, token):
        answer, body = self._exchange(
            "POST", f"/api/oidc/{endpoint}", urllib.parse.urlencode({
                "token": token, "client_id": CLIENT,
                "client_secret": self.secret}),
            {"Content-Type": "application/x-www-form-urlencoded"})
        assert answer.status == 200, (answer.status, body, self.log())
        return body

    def introspect(self, token):
        """What the client itself is told of a token of its own."""
        return json.loads(self._as_client("introspect", token))

    def revoke(self, token):
        """End a grant without the helper's knowledge."""
        self._as_client("revoke", token)

    # -- what a person does -----------------------------------------------

    def person(self):
        """A browser where the user has signed in and agreed."""
        who = Person(self, username=JO, password=self._password)
        who.call("PUT", f"/auth/grant/{CLIENT}", {"scope": "mail"})
        return who

    def approve(self, user_code, _user=JO):
        """Type the code into the device page."""
        where = self.person().call("GET", "/oidc/device?" +
                                   urllib.parse.urlencode({
                                       "code": user_code,
                                       "g_continue": ""}))[1]
        assert "prompt=deviceComplete" in where, where

    def browse(self, url):
        """Open the link of a sign-in; where it leads."""
        parts = urllib.parse.urlsplit(url)
        assert parts.path.startswith("/api/")
        return self.person().call("GET", f"{parts.path[4:]}?{parts.query}"
                                  "&g_continue")[1]

    def secrets(self):
        """What may stand in no log."""
        return self.issued


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A glewlwyd with one user and one client."""
    if PROGRAM is None or not os.path.exists(SCHEMA):
        pytest.skip("the package glewlwyd is not installed")
    made = Glewlwyd(tmp_path_factory.mktemp("glewlwyd"))
    try:
        yield made.start()
    finally:
        made.stop()


@pytest.fixture
def bed(server):
    """A helper that knows it by its endpoints, not started."""
    if not paths.program("mailtokend").exists():
        pytest.skip("mailtokend is not built")
    made = Bed(server)
    made.secrets_kept = []
    made.provider.update(
        token_endpoint=f"{server.issuer}/token",
        device_authorization_endpoint=f"{server.issuer}"
                                      "/device_authorization",
        revocation_endpoint=f"{server.issuer}/revoke", scope=["mail"],
        client_secret_file=put_secret(made, "secret", server.secret))
    made.configure()
    yield made
    if os.path.exists(os.path.join(made.keyring, JO)):
        keep(made)
    made.end()


def keep(bed):
    """Remember the secrets of the record; what it says."""
    record = bed.record()
    bed.idp.issued |= {record[name] for name in
                       ("refresh-token", "access-token") if name in record}
    return record


def sign_in(bed, **options):
    """By device code; the record."""
    line, code = begin(bed, **options)
    bed.idp.approve(code)
    with line:
        answer = done(line)
    assert answer["result"] == "ok", (answer, bed.log(), bed.idp.log())
    return keep(bed)


def test_device_code_is_approved_and_the_token_is_good(bed, server):
    bed.start()
    record = sign_in(bed)
    answer = bed.token()
    assert (answer["result"], answer["login"]) == ("ok", JO)
    assert answer["token"] == record["access-token"]
    told = server.introspect(answer["token"])
    assert told["active"] and told["client_id"] == CLIENT
    assert told["username"] == JO and told["scope"] == "mail"


def test_device_code_waits_until_it_is_approved(bed):
    bed.start()
    line, code = begin(bed)
    with line:
        for _ in range(2):
            line.until(lambda a: a.get("event") == "waiting")
        bed.idp.approve(code)
        assert done(line)["result"] == "ok"
    assert bed.token()["result"] == "ok"


def test_refresh_tokens_that_are_good_once_are_followed(bed, server):
    bed.start()
    seen = [sign_in(bed)["refresh-token"]]
    for _ in range(3):
        assert bed.ask("refresh", account=JO)["result"] == "ok", bed.log()
        seen.append(keep(bed)["refresh-token"])
    assert len(set(seen)) == len(seen)
    assert server.introspect(bed.token()["token"])["active"]
    assert not server.introspect(seen[0])["active"]


def test_grant_outlives_a_restart_with_an_expired_token(bed, server):
    bed.start()
    old = sign_in(bed)
    assert bed.stop() == 0
    age_record(os.path.join(bed.keyring, JO))
    bed.start()
    answer = bed.token()
    assert answer["result"] == "ok" and \
        answer["token"] != old["access-token"]
    assert server.introspect(answer["token"])["active"]


def test_signing_out_ends_the_grant_at_the_server(bed, server):
    bed.start()
    record = sign_in(bed)
    answer = bed.ask("forget", account=JO)
    assert (answer["deleted"], answer["revoked"]) == ("yes", "yes"), answer
    for name in ("refresh-token", "access-token"):
        assert not server.introspect(record[name])["active"]
    assert bed.token()["result"] == "unknown-account"


def test_refusal_without_a_word_loses_no_grant(bed, server):
    """Of a refresh token that was ended it says 400 and nothing more."""
    bed.start()
    record = sign_in(bed)
    server.revoke(record["refresh-token"])
    answer = bed.ask("refresh", account=JO)
    assert answer["result"] == "try-later", answer
    assert "400" in answer["text"] or "403" in answer["text"], answer
    assert bed.record()["refresh-token"] == record["refresh-token"]
    assert bed.token()["result"] == "ok"
    sign_in(bed)
    assert bed.ask("refresh", account=JO)["result"] == "ok"


def test_browser_comes_back_with_a_code(bed, server):
    bed.configure(authorization_endpoint=f"{server.issuer}/auth",
                  flow="browser", redirect_port=server.redirect_port)
    bed.start()
    line = bed.connect().send("sign-in", account=JO)
    shown = line.next()
    assert shown["event"] == "show-url", shown
    assert visit(server.browse(shown["url"])).status == 200
    with line:
        answer = done(line)
    assert answer["result"] == "ok", (answer, server.log())
    assert keep(bed)["flow"] == "browser"
    assert server.introspect(bed.token()["token"])["active"]


def test_issuer_tells_where_everything_is(bed, server):
    bed.configure(issuer=server.issuer, token_endpoint=None,
                  device_authorization_endpoint=None,
                  revocation_endpoint=None)
    bed.start()
    sign_in(bed)
    assert bed.ask("refresh", account=JO)["result"] == "ok"
    keep(bed)
    assert bed.ask("forget", account=JO)["revoked"] == "yes"
