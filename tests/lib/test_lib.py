# SPDX-License-Identifier: BSD-2-Clause
"""Tests of the test bed's identity provider: it is as strict, and as
broken on demand, as its documentation says."""

import base64
import hashlib
import http.client
import json
import socket
import ssl
import threading
import urllib.parse

import pytest

import bed
from idp import DEVICE_GRANT, Idp
from idp.store import PRINTABLE

USER = "jo@example.org"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return tmp_path_factory.mktemp("idp")


@pytest.fixture
def idp(directory):
    with Idp(directory) as server:
        yield server
    assert server.counts["crashed"] == 0


def connection(idp, timeout=bed.DEADLINE_S):
    """A connection to the provider that trusts its authority alone."""
    context = ssl.create_default_context(cafile=idp.ca_file)
    return http.client.HTTPSConnection("localhost", idp.port,
                                       context=context, timeout=timeout)


def call(idp, method, path, body=None, **headers):
    """One request; returns status, headers, body."""
    link = connection(idp)
    try:
        link.request(method, path, body, {
            k.replace("_", "-"): v for k, v in headers.items()})
        answer = link.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        link.close()


def post(idp, path, raw=None, headers=None, **form):
    """POST a form; returns status and the JSON object."""
    body = urllib.parse.urlencode(form) if raw is None else raw
    status, _, text = call(idp, "POST", path, body,
                           **{"Content_Type": FORM, **(headers or {})})
    return status, json.loads(text) if text else None


def refresh(idp, token, path="/token", **more):
    return post(idp, path, grant_type="refresh_token",
                client_id="mail-app", refresh_token=token, **more)


def start_device(idp, path="/device", **more):
    status, data = post(idp, path, client_id="mail-app",
                        scope="openid offline_access mail", **more)
    assert status == 200
    return data


def poll(idp, device, path="/token"):
    return post(idp, path, grant_type=DEVICE_GRANT, client_id="mail-app",
                device_code=device["device_code"])


# -- strictness -----------------------------------------------------------

@pytest.mark.parametrize("raw, why", [
    ("grant_type=refresh_token&client_id=mail-app",
     "missing parameter: refresh_token"),
    ("client_id=mail-app", "missing parameter: grant_type"),
    ("grant_type=refresh_token&client_id=mail-app&client_id=mail-app"
     "&refresh_token=x", "repeated parameter: client_id"),
    ("grant_type=refresh_token&client_id=mail-app&refresh_token=x"
     "&scope=https://a/b", "value not encoded: scope"),
    ("grant_type=refresh_token&client_id=mail-app&refresh_token=a b",
     "value not encoded: refresh_token"),
    ("grant_type=refresh_token&client_id=mail-app&refresh_token=a%2",
     "value not encoded: refresh_token"),
    ("grant_type=refresh_token&client_id=mail-app&client_secret="
     "&refresh_token=x", "empty parameter: client_secret"),
    ("grant_type=refresh_token&client_id=mail-app&client_secret=s"
     "&refresh_token=x", "client_secret sent by a public client"),
    ("grant_type=refresh_token&client_id=mail-app&refresh_token=x&",
     "parameter is not name=value"),
    ('{"grant_type":"refresh_token"}', "parameter is not name=value"),
    ("grant_type=refresh_token&client_id=mail-app&refresh_token=%ff",
     "parameter is not UTF-8"),
])
def test_sloppy_bodies_are_invalid_requests(idp, raw, why):
    status, data = post(idp, "/token", raw)
    assert (status, data["error"]) == (400, "invalid_request")
    assert idp.refusals() == [why]
    assert idp.requests[0].why == why
    assert idp.counts["refused"] == 1


def test_method_type_and_query_are_checked(idp):
    assert call(idp, "GET", "/token")[0] == 405
    assert post(idp, "/token", "a=b", headers={
        "Content_Type": "application/json"})[0] == 400
    assert post(idp, "/token?client_id=x", "a=b")[0] == 400
    assert idp.refusals() == ["method GET", "wrong Content-Type",
                              "parameters in the URL"]
    assert post(idp, "/nowhere", "a=b")[0] == 404


def test_unknown_client_and_wrong_secret_are_told_apart(idp):
    seeded = idp.seed(USER, "mail-web")
    form = {"grant_type": "refresh_token",
            "refresh_token": seeded.refresh_token}
    assert post(idp, "/token", client_id="who", **form)[0] == 401
    status, data = post(idp, "/common/oauth2/v2.0/token", client_id="who",
                        **form)
    assert (status, data["error_codes"]) == (400, [700016])
    assert "\r\n" in data["error_description"]
    assert post(idp, "/token", client_id="mail-web", client_secret="no",
                **form)[1]["error"] == "invalid_client"
    assert post(idp, "/token", client_id="mail-web", **form)[0] == 401
    assert post(idp, "/token", client_id="mail-web",
                client_secret=idp.client_secret, **form)[0] == 200


def test_basic_is_taken_and_two_authentications_are_not(idp):
    seeded = idp.seed(USER, "mail-web")
    pair = f"mail-web:{idp.client_secret}".encode()
    basic = {"Authorization": "Basic " + base64.b64encode(pair).decode()}
    form = {"grant_type": "refresh_token",
            "refresh_token": seeded.refresh_token}
    assert post(idp, "/token", headers=basic, client_secret="x",
                **form)[0] == 400
    assert post(idp, "/token", headers=basic, **form)[0] == 200


# -- refresh --------------------------------------------------------------

def test_refresh_rotates_and_reuse_kills_the_family(idp):
    seeded = idp.seed(USER)
    status, first = refresh(idp, seeded.refresh_token)
    assert status == 200 and len(first["access_token"]) == 1500
    assert idp.current_refresh(USER) == first["refresh_token"]
    assert idp.introspect(first["access_token"])["username"] == USER
    status, data = refresh(idp, seeded.refresh_token)
    assert (status, data["error"]) == (400, "invalid_grant")
    assert refresh(idp, first["refresh_token"])[0] == 400
    assert idp.introspect(first["access_token"]) == {"active": False}
    assert idp.counts["refresh_reuse"] == 1
    assert idp.counts["refresh_token"] == 3


def test_rotation_and_reuse_detection_can_be_switched_off(idp):
    seeded = idp.seed(USER)
    idp.set(reuse_detection=False)
    assert refresh(idp, seeded.refresh_token)[0] == 200
    assert refresh(idp, seeded.refresh_token)[0] == 200
    idp.set(rotation=False)
    assert "refresh_token" not in refresh(idp, seeded.refresh_token)[1]
    idp.set(repeat_refresh=True)
    assert refresh(idp, seeded.refresh_token)[1]["refresh_token"] == (
        seeded.refresh_token)


def test_scope_may_narrow_and_not_widen(idp):
    seeded = idp.seed(USER, scope="mail openid")
    status, data = refresh(idp, seeded.refresh_token, scope="mail files")
    assert (status, data["error"]) == (400, "invalid_scope")
    status, data = refresh(idp, seeded.refresh_token, scope="mail")
    assert (status, data["scope"]) == (200, "mail")
    idp.set(scope_answer="")
    assert "scope" not in refresh(idp, data["refresh_token"])[1]


def test_consumers_must_send_scope_at_refresh(idp):
    seeded = idp.seed(USER)
    path = "/consumers/oauth2/v2.0/token"
    assert refresh(idp, seeded.refresh_token, path)[0] == 400
    assert refresh(idp, seeded.refresh_token, path,
                   scope="offline_access")[0] == 200


@pytest.mark.parametrize("length", [1, 70000])
def test_tokens_have_the_length_asked_for(idp, length):
    idp.set(access_length=length, alphabet=PRINTABLE)
    data = refresh(idp, idp.seed(USER).refresh_token)[1]
    assert len(data["access_token"]) == length
    assert set(data["access_token"]) <= set(PRINTABLE)


def test_lives_end_and_grants_are_revoked(idp):
    seeded = idp.seed(USER, access_life=100)
    assert idp.introspect(seeded.access_token)["active"]
    idp.advance(101)
    assert not idp.introspect(seeded.access_token)["active"]
    data = refresh(idp, seeded.refresh_token)[1]
    idp.expire_access(USER)
    assert not idp.introspect(data["access_token"])["active"]
    idp.revoke(USER)
    assert refresh(idp, data["refresh_token"])[1]["error"] == "invalid_grant"
    late = idp.seed("al@example.org").refresh_token
    idp.advance(91 * 86400)
    assert refresh(idp, late)[0] == 400


def test_client_credentials_need_a_secret_and_default_scope(idp):
    path = "/contoso/oauth2/v2.0/token"
    form = {"grant_type": "client_credentials", "client_id": "mail-web",
            "client_secret": idp.client_secret}
    scope = "https://outlook.office365.com/.default"
    assert post(idp, path, scope="mail", **form)[0] == 400
    status, data = post(idp, path, scope=scope, **form)
    assert status == 200 and "refresh_token" not in data
    assert idp.introspect(data["access_token"])["app_only"]
    assert post(idp, path, grant_type="client_credentials",
                client_id="mail-app", scope=scope)[0] == 400


# -- sign-in --------------------------------------------------------------

def test_device_flow_slow_down_adds_five_seconds(directory):
    now = [1000.0]
    with Idp(directory, clock=lambda: now[0]) as idp:
        device = start_device(idp)
        steps = [(5, "authorization_pending"), (1, "slow_down"),
                 (6, "slow_down"), (15, "authorization_pending")]
        for wait, error in steps:
            now[0] += wait
            assert poll(idp, device)[1]["error"] == error
        idp.approve(device["user_code"].lower(), USER)
        now[0] += 15
        status, data = poll(idp, device)
        assert status == 200 and data["refresh_token"]
        claims = data["id_token"].split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(claims + "=="))
        assert claims["email"] == claims["preferred_username"] == USER
        now[0] += 15
        assert poll(idp, device)[1]["error"] == "invalid_grant"
        assert idp.refusals()[-1] == "device code reuse"


def test_device_codes_are_denied_expire_and_answer_as_told(idp):
    path = "/contoso/oauth2/v2.0/devicecode"
    token = "/contoso/oauth2/v2.0/token"
    idp.set(interval=0)
    device = start_device(idp, path)
    assert device["user_code"] in device["message"]
    idp.device_answers(device["user_code"], ["authorization_pending"])
    idp.deny(device["user_code"])
    assert poll(idp, device)[0] == 400      # not this tenant
    assert poll(idp, device, token)[1]["error_codes"] == [70016]
    assert poll(idp, device, token)[1]["error"] == "authorization_declined"
    device = start_device(idp)
    idp.expire(device["user_code"])
    assert poll(idp, device)[1]["error"] == "expired_token"
    device = start_device(idp)
    idp.advance(901)
    assert poll(idp, device)[1]["error"] == "expired_token"


def test_device_answers_have_variants(idp):
    idp.set(device_variants=("no-interval", "verification_url",
                             "no-message", "complete", "string-numbers"))
    device = start_device(idp, "/common/oauth2/v2.0/devicecode")
    assert set(device) == {"device_code", "user_code", "verification_url",
                           "verification_uri_complete", "expires_in"}
    assert device["expires_in"] == "900"


def test_a_person_can_approve_on_the_page(idp):
    idp.set(interval=0)
    device = start_device(idp)
    assert b"<form" in call(idp, "GET", "/activate")[2]
    body = urllib.parse.urlencode({"user_code": device["user_code"],
                                   "user": USER, "verdict": "approved"})
    for status in (200, 400):
        assert call(idp, "POST", "/activate", body,
                    Content_Type=FORM)[0] == status
    assert poll(idp, device)[0] == 200


def test_code_flow_wants_s256_and_the_same_redirect(idp):
    verifier = "v" * 43
    digest = hashlib.sha256(verifier.encode()).digest()
    ask = {"response_type": "code", "client_id": "mail-app", "state": "st",
           "scope": "openid mail", "redirect_uri": "http://127.0.0.1:1234/",
           "code_challenge_method": "S256", "login_hint": USER,
           "code_challenge":
               base64.urlsafe_b64encode(digest).decode().rstrip("=")}

    def go(**changes):
        path = "/authorize?" + urllib.parse.urlencode({**ask, **changes})
        place = call(idp, "GET", path)[1].get("Location")
        return place and dict(urllib.parse.parse_qsl(
            place.partition("?")[2]))

    def redeem(code, **changes):
        form = {"grant_type": "authorization_code", "client_id": "mail-app",
                "code": code, "redirect_uri": ask["redirect_uri"],
                "code_verifier": verifier, **changes}
        return post(idp, "/token", **form)

    assert go(redirect_uri="http://evil.example/") is None
    assert go(code_challenge_method="plain")["error"] == "invalid_request"
    assert redeem(go()["code"], code_verifier="w" * 43)[0] == 400
    assert redeem(go()["code"],
                  redirect_uri="http://127.0.0.1:1235/")[0] == 400
    back = go()
    assert back["state"] == "st"
    status, data = redeem(back["code"])
    assert status == 200
    assert redeem(back["code"])[0] == 400
    assert refresh(idp, data["refresh_token"])[0] == 400    # code reuse
    idp.set(browser_error="access_denied")
    assert go()["error"] == "access_denied"
    assert idp.browse(idp.url + "/authorize?" + urllib.parse.urlencode(
        ask)).startswith("http://127.0.0.1:1234/?state=st&error=")


# -- about tokens ---------------------------------------------------------

def test_introspection_revocation_and_userinfo(idp):
    seeded = idp.seed(USER)
    server = {"client_id": "mail-server",
              "client_secret": idp.introspect_secret}
    status, data = post(idp, "/introspect", token=seeded.access_token,
                        **server)
    assert status == 200 and data["active"] and data["username"] == USER
    assert post(idp, "/introspect", token="x", **server)[1] == {
        "active": False}
    assert post(idp, "/introspect", token="x", client_id="mail-app")[0] == 403
    bearer = {"Authorization": "Bearer " + seeded.access_token}
    status, _, text = call(idp, "GET", "/userinfo", **bearer)
    assert json.loads(text)["email"] == USER
    assert post(idp, "/revoke", token=seeded.refresh_token)[0] == 400
    assert post(idp, "/revoke", token="unknown",
                client_id="mail-app")[0] == 200
    assert post(idp, "/revoke", token=seeded.refresh_token,
                client_id="mail-app") == (200, None)
    assert call(idp, "GET", "/userinfo", **bearer)[0] == 401


def test_discovery_names_the_endpoints_of_its_shape(idp):
    for path, issuer, token in (
            ("", idp.url, idp.url + "/token"),
            ("/contoso/v2.0", idp.url + "/contoso/v2.0",
             idp.tenant_url("contoso") + "/token")):
        text = call(idp, "GET", path + "/.well-known/openid-configuration")[2]
        data = json.loads(text)
        assert (data["issuer"], data["token_endpoint"]) == (issuer, token)


def test_all_secrets_are_known(idp):
    seeded = idp.seed(USER)
    data = refresh(idp, seeded.refresh_token)[1]
    refresh(idp, "a-token-from+elsewhere")
    device = start_device(idp)
    assert {seeded.refresh_token, seeded.access_token, data["access_token"],
            data["refresh_token"], "a-token-from+elsewhere",
            device["device_code"], idp.client_secret} <= idp.secrets()
    assert device["user_code"] not in idp.secrets()


# -- TLS and waiting ------------------------------------------------------

@pytest.mark.parametrize("tls", ["expired", "wrong-name", "untrusted",
                                 "plain"])
def test_bad_tls_is_bad(directory, tls):
    idp = Idp(directory).start(tls)
    with pytest.raises(ssl.SSLError):
        call(idp, "GET", "/jwks")
    idp.stop()
    with pytest.raises(ConnectionRefusedError):
        call(idp, "GET", "/jwks")
    idp.start(port=idp.port)
    assert call(idp, "GET", "/jwks")[0] == 200
    idp.stop()


def test_mute_never_shakes_hands(directory):
    with Idp(directory).start("mute") as idp:
        with pytest.raises(TimeoutError):
            connection(idp, timeout=0.1).connect()


@pytest.mark.parametrize("look", [lambda sock: sock.recv(1),
                                  lambda sock: None])
def test_a_listener_that_closes_meanwhile_does_not_listen(monkeypatch, look):
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    assert bed.is_listening(port)

    class Late(socket.socket):
        def connect(self, address):
            super().connect(address)
            listener.close()
            look(self)

    monkeypatch.setattr(socket, "socket", Late)
    assert not bed.is_listening(port)


def test_waiting_ends_with_the_event_or_the_deadline(idp):
    thread = threading.Thread(target=refresh, args=(idp, "x"))
    thread.start()
    assert idp.wait_request("token")[0].grant_type == "refresh_token"
    thread.join()
    with pytest.raises(TimeoutError):
        idp.wait_request("token", 2, deadline=0.05)
    with pytest.raises(TimeoutError):
        bed.wait_for(lambda: False, 0.05)
