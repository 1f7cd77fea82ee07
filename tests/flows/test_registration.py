# SPDX-License-Identifier: BSD-2-Clause
"""Signing in where the server registers anybody (RFC 7591)."""

import json
import os
import subprocess
import time

import paths
import pytest

from bed import DEADLINE_S, write_file
from bed_helper import ROOT
from browser import parameters, visit
from test_discovery import known_by_issuer
from test_helper_browser import begin as begin_browser
from test_helper_signin import JO, begin, done, sign_in

CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


def registered(idp):
    """What was asked for, each time."""
    return [json.loads(r.body) for r in idp.requests
            if r.endpoint == "register"]


@pytest.fixture
def issuer(helper):
    """A helper with an issuer and no client id."""
    helper.provider["client_id"] = None
    helper.provider["scope"] = None
    return known_by_issuer(helper)


@pytest.fixture
def bare(helper, idp):
    """A user's helper that is told nothing at all."""
    if not ROOT or not os.path.exists(CERTIFICATES):
        pytest.skip("needs root and the system's certificates")
    probe = subprocess.run(["unshare", "-m", "true"], check=False)
    if probe.returncode:
        pytest.skip("no mount namespace here")
    write_file(helper.config, "")
    helper.start(before=["unshare", "-m", "sh", "-c",
                         f'mount --bind "$0" {CERTIFICATES} && exec "$@"',
                         idp.ca_file])
    return helper


def test_client_is_registered_and_kept(issuer, idp):
    issuer.start()
    assert sign_in(issuer)["result"] == "ok"
    asked, = registered(idp)
    assert asked["client_name"] == "mailtoken"
    assert asked["token_endpoint_auth_method"] == "none"
    assert set(asked["grant_types"]) >= {"authorization_code",
                                         "refresh_token"}
    assert asked["scope"].split()[-1] == "offline_access"
    record = issuer.record()
    assert record["client-id"].startswith("dyn-")
    assert int(record["registered"]) > 0
    assert issuer.ask("refresh", account=JO)["result"] == "ok"
    issuer.restart()
    assert issuer.ask("refresh", account=JO)["result"] == "ok"
    assert len(registered(idp)) == 1


def test_block_of_a_registered_client_that_went_away_is_named(issuer):
    issuer.start()
    assert sign_in(issuer)["result"] == "ok"
    with open(issuer.config) as source:
        text = source.read()
    assert "provider test\n" in text
    write_file(issuer.config, text.replace("provider test",
                                           "provider renamed"))
    assert issuer.ask("reload")["result"] == "ok"
    assert issuer.status()["state"] == "config-error"
    answer = issuer.token()
    assert answer["result"] == "config-error"
    assert "has no provider 'test' any more: put it back" in answer["text"]
    write_file(issuer.config, text)
    assert issuer.ask("reload")["result"] == "ok"
    assert issuer.token()["result"] == "ok"


def test_registered_client_signs_in_with_a_browser(issuer, idp):
    issuer.start()
    line, url, port = begin_browser(issuer, flow="browser")
    asked, = registered(idp)
    sent = parameters(url)
    assert sent["redirect_uri"] == f"http://127.0.0.1:{port}/callback"
    assert sent["redirect_uri"].replace(f":{port}", "") in \
        asked["redirect_uris"]
    assert asked["response_types"] == ["code"]
    assert sent["scope"] == asked["scope"]
    assert visit(idp.browse(url)).status == 200
    with line:
        assert done(line)["result"] == "ok"
    record = issuer.record()
    assert record["flow"] == "browser"
    assert record["client-id"] == sent["client_id"]
    assert issuer.ask("refresh", account=JO)["result"] == "ok"
    line, url, _ = begin_browser(issuer, flow="browser")
    assert parameters(url)["client_id"] == record["client-id"]
    line.close()
    assert len(registered(idp)) == 1
    assert idp.refusals() == []


def test_registered_client_asks_for_what_was_granted(issuer, idp):
    """The provider grants less, and knows it again at each refresh."""
    idp.set(withheld=("email",))
    issuer.start()
    line, url, _ = begin_browser(issuer, flow="browser")
    asked = parameters(url)["scope"].split()
    assert "email" in asked and visit(idp.browse(url)).status == 200
    with line:
        assert done(line)["result"] == "ok"
    for _ in range(2):
        assert issuer.ask("refresh", account=JO)["result"] == "ok"
        issuer.restart()
    granted = [word for word in asked if word != "email"]
    assert [r.form["scope"].split() for r in idp.requests
            if r.form.get("grant_type") == "refresh_token"] == [granted] * 2
    assert idp.refusals() == []


def test_registered_secret_redeems_the_code(issuer, idp):
    idp.set(register_secret=True)
    issuer.start()
    line, url, _ = begin_browser(issuer, flow="browser")
    assert visit(idp.browse(url)).status == 200
    with line:
        assert done(line)["result"] == "ok"
    assert "client-secret" in issuer.record()
    assert idp.wait_request("token")[0].form["client_secret"]


def test_secret_that_came_all_the_same_is_used(issuer, idp):
    idp.set(register_secret=True)
    issuer.start()
    assert sign_in(issuer)["result"] == "ok"
    assert "client-secret" in issuer.record()
    issuer.restart()
    assert issuer.ask("refresh", account=JO)["result"] == "ok"


def test_second_sign_in_uses_the_same_client(issuer, idp):
    issuer.start()
    assert sign_in(issuer)["result"] == "ok"
    client = issuer.record()["client-id"]
    assert sign_in(issuer)["result"] == "ok"
    assert issuer.record()["client-id"] == client
    assert len(registered(idp)) == 1


def test_closed_registration_says_what_to_do(issuer, idp):
    idp.set(register_closed=True)
    issuer.start()
    answer = issuer.ask("sign-in", account=JO)
    assert answer["result"] == "config-error"
    assert "client_id" in answer["text"] and idp.url in answer["text"]


def test_server_without_registration_says_what_to_do(issuer, idp):
    idp.set(discovery={"registration_endpoint": None})
    issuer.start()
    answer = issuer.ask("sign-in", account=JO)
    assert answer["result"] == "config-error"
    assert "client_id" in answer["text"]


@pytest.mark.parametrize("status", [401, 403, 404])
def test_refusal_without_a_reason_says_what_to_do(issuer, idp, status):
    idp.fault("register", "html", times=None, status=status)
    issuer.start()
    answer = issuer.ask("sign-in", account=JO)
    assert answer["result"] == "config-error"
    assert str(status) in answer["text"]
    assert "write a provider block with its client_id" in answer["text"]


@pytest.mark.parametrize("kind, details, result", [
    ("http_error", {"status": 503}, "try-later"),
    ("malformed", {}, "try-later"),
    ("without", {"names": ["client_id"]}, "try-later"),
    ("http_error", {"status": 400, "error": "invalid_client_metadata",
                    "error_description": "no\nthanks"}, "config-error"),
    ("redirect", {"url": "https://localhost:1/x"}, "try-later"),
])
def test_registration_that_fails_stores_nothing(issuer, idp, kind, details,
                                                result):
    idp.fault("register", kind, times=None, **details)
    issuer.start()
    answer = issuer.ask("sign-in", account=JO)
    assert answer["result"] == result, answer
    assert os.listdir(issuer.keyring) == [".lock"]


def test_issuer_needs_no_configuration(bare, idp):
    line, code = begin(bare, issuer=idp.url)
    idp.approve(code, JO)
    with line:
        answer = done(line)
    assert answer["result"] == "ok"
    assert answer["provider"] == idp.url
    assert answer["servers"] == "example.org *.example.org"
    assert bare.token(server="mail.example.org")["result"] == "ok"
    assert bare.ask("refresh", account=JO)["result"] == "ok"
    assert bare.status()["provider"] == idp.url
    # The record alone tells it all, and names the provider again.
    line, code = begin(bare)
    idp.approve(code, JO)
    with line:
        assert done(line)["result"] == "ok"
    assert len(registered(idp)) == 1


def test_issuer_means_the_block_that_has_it(issuer, idp):
    issuer.start()
    answer = sign_in(issuer, issuer=idp.url)
    assert (answer["result"], answer["provider"]) == ("ok", "test")


@pytest.mark.parametrize("url", ["http://localhost/", "https://a@b/",
                                 "localhost", "https://a/#x",
                                 "https://a/?x"])
def test_issuer_that_is_none_is_refused(helper, url):
    helper.start()
    answer = helper.ask("sign-in", account=JO, issuer=url)
    assert answer["result"] == "bad-request"
    assert "https" in answer["text"]


def test_command_line_names_the_issuer(bare, idp):
    process = subprocess.Popen(
        [str(paths.program("mailtoken")), "--socket", bare.socket, "login",
         JO, "--issuer", idp.url], stdout=subprocess.PIPE, text=True)
    lines = {}
    for line in process.stdout:
        name, _, value = line.rstrip("\n").partition("=")
        lines[name] = value
        if name == "user-code":
            idp.approve(value, JO)
    assert process.wait(DEADLINE_S) == 0, lines
    assert lines["provider"] == idp.url


@pytest.mark.slow
def test_issuers_that_were_looked_at_once_give_way(bare, idp):
    """257 of them: the table has room for 256."""
    line, code = begin(bare, issuer=idp.url)
    line.close()
    bare.wait_log("outcome=cancelled")
    for n in range(257):
        answer = bare.ask("sign-in", account=JO, issuer=f"{idp.url}/none{n}")
        assert answer["result"] not in ("ok", "busy"), (n, answer)
    line, code = begin(bare, issuer=idp.url)
    idp.approve(code, JO)
    with line:
        assert done(line)["result"] == "ok"


def told(line):
    """The code that a sign-in shows, and its whole text."""
    event = line.until(lambda a: a.get("event") == "show-code")
    return event["user-code"], event["text"]


def sign_in_told(bed):
    """Sign in; what was said about it."""
    with bed.connect() as line:
        line.send("sign-in", account=JO)
        code, text = told(line)
        bed.idp.approve(code, JO)
        assert done(line)["result"] == "ok"
    return text


def test_91_an_expired_registration_is_made_anew(clocked, idp):
    idp.set(register_secret=True, register_life=30 * 86400)
    clocked.provider.update(client_id=None, scope=None)
    known_by_issuer(clocked)
    clocked.start()
    assert "registered anew" not in sign_in_told(clocked)
    first = clocked.record()
    assert abs(int(first["client-secret-expires"]) - time.time()
               - 30 * 86400) < 60
    assert "registered anew" not in sign_in_told(clocked)
    assert clocked.record()["client-id"] == first["client-id"]
    idp.advance(31 * 86400)
    clocked.clock.both(31 * 86400)
    answer = clocked.ask("refresh", account=JO)
    assert answer["result"] == "config-error"
    assert "'mailtoken login', which registers a new one" in answer["text"]
    assert "client_secret expired" in answer["text"]
    text = sign_in_told(clocked)
    assert "registered anew: the earlier registration has expired" in text
    assert clocked.record()["client-id"] != first["client-id"]
    assert clocked.ask("refresh", account=JO)["result"] == "ok"
    assert len(registered(idp)) == 2


def test_91_a_client_that_the_server_deleted_is_registered_anew(issuer, idp):
    issuer.start()
    assert sign_in(issuer)["result"] == "ok"
    first = issuer.record()["client-id"]
    del idp.store.clients[first]
    # Nobody has asked since: the sign-in itself finds it out.
    text = sign_in_told(issuer)
    assert "registered anew: the server does not accept the earlier" in text
    assert issuer.record()["client-id"] != first
    assert issuer.ask("refresh", account=JO)["result"] == "ok"
    assert len(registered(idp)) == 2


def test_91_a_refused_client_is_registered_anew_once_a_sign_in(issuer, idp):
    issuer.start()
    assert sign_in(issuer)["result"] == "ok"
    idp.fault("device", "http_error", times=None, status=401,
              error="invalid_client")
    assert issuer.ask("sign-in", account=JO)["result"] == "config-error"
    assert len(registered(idp)) == 2


def test_what_is_pasted_while_a_client_is_registered_anew_harms_nobody(
        issuer, idp):
    issuer.start()
    line, url, _ = begin_browser(issuer, flow="browser")
    assert visit(idp.browse(url)).status == 200
    with line:
        assert done(line)["result"] == "ok"
    idp.fault("token", "http_error", status=401, error="invalid_client")
    idp.fault("register", "delay", seconds=2)
    line, url, _ = begin_browser(issuer, flow="browser")
    with line:
        line.send(answer=idp.browse(url))
        idp.wait_request("register", 2)
        line.send(answer="a code that comes too late")
        shown = line.until(lambda a: a.get("event") == "show-url")
        assert "registered anew" in shown["text"]
        assert visit(idp.browse(shown["url"])).status == 200
        assert done(line)["result"] == "ok"
