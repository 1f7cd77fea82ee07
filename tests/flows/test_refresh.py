# SPDX-License-Identifier: BSD-2-Clause
"""Refreshing, from the form to the sentence, against a strict provider."""

import contextlib
import ctypes
import os
import socket
import ssl
import threading
import time
from email.utils import formatdate
from pathlib import Path

import pytest

import ca
from bed import write_file
from idp import Idp
from proxy import Proxy

SCOPE = "https://outlook.office.com/SMTP.Send offline_access"


def curl_says(number):
    """libcurl's words, which are others in newer ones."""
    library = ctypes.CDLL("libcurl.so.4")
    library.curl_easy_strerror.restype = ctypes.c_char_p
    return library.curl_easy_strerror(number).decode()


def assert_failed(event, **wanted):
    """A failure with these members; text may be a part of it."""
    text = wanted.pop("text", "")
    assert event["event"] == "failed"
    got = {k: event[k.replace("_", "-")] for k in wanted}
    assert got == {k: str(v) for k, v in wanted.items()}
    assert text in event["text"]


@contextlib.contextmanager
def raw_server(directory, answer):
    """A TLS server that also knows HTTP/2; answer(sock) talks to one client.

    Gives its URL."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*Idp(directory).authority.server())
    context.set_alpn_protocols(["h2", "http/1.1"])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def serve():
            with listener.accept()[0] as plain, \
                    context.wrap_socket(plain, server_side=True) as sock:
                sock.recv(65536)
                answer(sock)
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"https://localhost:{listener.getsockname()[1]}/token"
        thread.join(30)


def test_a_refresh_token_gives_an_access_token(idp, refresh):
    event = refresh()
    assert event["event"] == "tokens"
    assert int(event["access-bytes"]) == idp.settings.access_length
    assert event["expires-in"] == "3600"
    assert idp.refusals() == []


def test_rotation_is_followed(idp, drive):
    seeded = idp.seed("jo@x.example", tenant="common")
    driver = drive("refresh", {"refresh_token": seeded.refresh_token},
                   ask=SCOPE, times=4)
    driver.end()
    assert len(driver.wait("tokens", 4)) == 4
    assert idp.counts["refresh_reuse"] == 0
    assert idp.refusals() == []


def test_what_may_not_be_sent_any_more_stays_here(idp, drive):
    """The first may; the second is held back with its connection open."""
    seeded = idp.seed("jo@x.example", tenant="common")
    driver = drive("refresh", {"refresh_token": seeded.refresh_token},
                   ask=SCOPE, times=2, may_send=2)
    last = driver.end()
    assert [e["event"] for e in driver.events] == [
        "may-send", "tokens", "may-send", "failed"]
    assert_failed(last, **{"class": "transient", "trouble": "local"},
                  text="was held back")
    assert idp.counts["refresh_token"] == 1
    assert idp.counts["refresh_reuse"] == 0


def test_no_refresh_token_in_the_answer_keeps_the_old_one(idp, drive):
    idp.set(rotation=False)
    seeded = idp.seed("jo@x.example", tenant="common")
    driver = drive("refresh", {"refresh_token": seeded.refresh_token},
                   ask=SCOPE, times=2)
    assert driver.end()["event"] == "tokens"
    assert [e["refresh-bytes"] for e in driver.events] == ["0", "0"]
    assert idp.refusals() == []


def test_each_refresh_has_a_connection_of_its_own(idp, drive):
    seeded = idp.seed("jo@x.example", tenant="common")
    with Proxy() as proxy:
        driver = drive("refresh", {"refresh_token": seeded.refresh_token},
                       ask=SCOPE, times=3, proxy=proxy.url)
        assert driver.end()["event"] == "tokens"
        assert idp.counts["refresh_token"] == len(proxy.targets) == 3


def test_refreshes_at_once_all_end(idp, drive):
    idp.set(rotation=False)
    seeded = idp.seed("jo@x.example", tenant="common")
    driver = drive("refresh", {"refresh_token": seeded.refresh_token},
                   ask=SCOPE, together=20, times=2)
    driver.end()
    assert len(driver.wait("tokens", 40)) == 40


def test_flows_are_cancelled_and_started_from_inside_an_event(idp, drive):
    idp.set(rotation=False)
    seeded = idp.seed("jo@x.example", tenant="common")
    driver = drive("refresh", {"refresh_token": seeded.refresh_token},
                   ask=SCOPE, together=8, times=10, race=1)
    driver.end()
    assert [e["event"] for e in driver.events] == ["tokens"] * 10


def test_http_2_is_not_spoken(authority_directory, refresh):
    spoken = []
    with raw_server(authority_directory, lambda sock: spoken.append(
            sock.selected_alpn_protocol())) as url:
        refresh(token_endpoint=url)
    assert spoken == ["http/1.1"]


def test_the_request_is_plain_and_names_us(idp, refresh):
    refresh()
    request, = idp.requests
    assert request.headers["user-agent"].startswith("mailtoken/")
    assert request.headers["accept"] == "application/json"
    for unwanted in ("expect", "cookie", "authorization", "referer"):
        assert unwanted not in request.headers
    assert request.form["scope"] == SCOPE
    assert set(request.form) == {"grant_type", "refresh_token", "scope",
                                 "client_id"}


def test_consumers_gets_a_scope_even_when_none_was_recorded(idp, drive):
    base = idp.tenant_url("consumers")
    seeded = idp.seed("jo@x.example", tenant="consumers", scope=SCOPE +
                      " openid email profile")
    driver = drive("refresh", {"refresh_token": seeded.refresh_token},
                   token_endpoint=f"{base}/token")
    assert driver.end()["event"] == "tokens"


def test_others_get_no_scope_that_nobody_recorded(idp, drive):
    seeded = idp.seed("jo@x.example")
    driver = drive("refresh", {"refresh_token": seeded.refresh_token},
                   preset=None, token_endpoint=f"{idp.url}/token")
    assert driver.end()["event"] == "tokens"
    assert "scope" not in idp.requests[0].form


def test_a_client_secret_is_sent_and_encoded(idp, drive):
    secret = "a+b c&d=e%f\"g'h"
    idp.add_client("odd-web", secret)
    seeded = idp.seed("jo@x.example", "odd-web", tenant="common")
    driver = drive("refresh", {"refresh_token": seeded.refresh_token,
                               "client_secret": secret},
                   client_id="odd-web", ask=SCOPE)
    assert driver.end()["event"] == "tokens"


def test_an_empty_secret_is_not_sent(idp, drive):
    seeded = idp.seed("jo@x.example", tenant="common")
    driver = drive("refresh", {"refresh_token": seeded.refresh_token,
                               "client_secret": ""}, ask=SCOPE)
    assert driver.end()["event"] == "tokens"
    assert "client_secret" not in idp.requests[0].form


def test_extra_fields_are_sent(idp, refresh):
    assert refresh(extra="audience:mail server")["event"] == "tokens"
    assert idp.requests[0].form["audience"] == "mail server"


def test_an_id_token_tells_who_it_is(idp, drive):
    scope = SCOPE + " openid email"
    seeded = idp.seed("jo@x.example", tenant="common", scope=scope)
    driver = drive("refresh", {"refresh_token": seeded.refresh_token},
                   ask=scope)
    assert driver.end()["identity"] == "jo@x.example"


@pytest.mark.parametrize("number, kind, text", [
    (700082, "login-needed", "not used for too long or was revoked"),
    (50173, "login-needed", "revoked"),
    (50076, "login-needed", "second factor"),
    (53003, "login-needed", "--flow browser"),
    (7000222, "config", "client secret has expired"),
    (7000218, "config", "Allow public client flows"),
    (700016, "config", "check client_id, tenant and cloud"),
    (90002, "config", "tenant does not exist"),
    (90033, "transient", "passing fault"),
    (123456, "login-needed", "error?code=123456"),
])
def test_numbers_get_their_advice(idp, refresh, number, kind, text):
    idp.fault("token", "aadsts", number=number)
    event = refresh()
    assert_failed(event, **{"class": kind}, code=number, text=text)
    host = f"localhost:{idp.port}"
    assert event["text"].startswith(f"the token endpoint {host} refused: ")
    assert event["trace"].startswith("correlation-id ")


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_trouble_of_the_provider_is_transient(idp, refresh, status):
    idp.fault("token", "http_error", status=status, retry_after=17)
    event = refresh()
    assert_failed(event, **{"class": "transient"}, status=status,
                  retry_after=17, trouble="answered")


def test_retry_after_may_be_a_date(idp, refresh):
    idp.fault("token", "http_error", status=503,
              retry_after="Fri, 31 Dec 1999 23:59:59 GMT")
    assert refresh()["retry-after"] == "-1"
    idp.fault("token", "http_error", status=503,
              retry_after=formatdate(time.time() + 5 * 3600, usegmt=True))
    # More than six hours newer libcurls do not tell.
    assert 4 * 3600 < int(refresh()["retry-after"]) <= 5 * 3600
    idp.fault("token", "http_error", status=503, retry_after="soon")
    assert refresh()["retry-after"] == "-1"


@pytest.mark.parametrize("status, error, kind", [
    (400, "invalid_client", "config"),
    (401, "invalid_client", "config"),
    (400, "invalid_grant", "login-needed"),
    (400, "temporarily_unavailable", "transient"),
    (400, "brand_new", "transient"),
    (200, "invalid_grant", "login-needed"),
    (400, None, "transient"),
    (401, None, "transient"),
    (403, None, "transient"),
    (404, None, "transient"),
])
def test_words_decide_and_without_one_it_is_transient(idp, refresh, status,
                                                      error, kind):
    idp.fault("token", "http_error", status=status, error=error)
    assert_failed(refresh(), **{"class": kind}, status=status,
                  error=error or "")


def test_a_description_that_quotes_the_token_is_not_repeated(idp, drive):
    seeded = idp.seed("jo@x.example")
    idp.fault("token", "http_error", status=400, error="invalid_grant",
              error_description=f"unknown token {seeded.refresh_token}")
    driver = drive("refresh", {"refresh_token": seeded.refresh_token},
                   preset=None, token_endpoint=f"{idp.url}/token")
    event = driver.end()
    assert_failed(event, **{"class": "login-needed"})
    assert seeded.refresh_token[:20] not in driver.printed


@pytest.mark.parametrize("kind, details, text", [
    ("html", {}, "an HTML page (\"Gateway\"), as of a proxy or filter"),
    ("html", {"status": 502}, "status 502"),
    ("empty", {}, "empty"),
    ("malformed", {}, "no access_token"),
    ("not_object", {}, "no JSON object"),
    ("changed", {"token_type": "mac"}, "token_type is not bearer"),
    ("changed", {"access_token": 7}, "access_token is no string"),
    ("without", {"names": ["access_token"]}, "no access_token"),
    ("bad_token", {}, "has a byte that cannot be there"),
])
def test_an_answer_that_is_none_is_transient(idp, refresh, kind, details,
                                             text):
    idp.fault("token", kind, **details)
    assert_failed(refresh(), **{"class": "transient"}, text=text,
                  trouble="answered")


def test_scope_may_be_absent_or_other(idp, refresh):
    idp.set(scope_answer="")
    assert refresh()["scope"] == ""
    idp.set(scope_answer="less")
    assert refresh()["scope"] == "less"


def test_life_may_be_absent_or_a_string(idp, refresh):
    idp.fault("token", "without", names=["expires_in"])
    assert refresh()["expires-in"] == "3600"
    idp.fault("token", "changed", expires_in="1234")
    assert refresh()["expires-in"] == "1234"


def test_an_endless_body_is_cut_off(idp, refresh):
    idp.fault("token", "huge")
    assert_failed(refresh(), **{"class": "transient"}, trouble="too-big",
                  text="longer than 262144 bytes")


@pytest.mark.parametrize("kind", ["lost_answer", "close_before",
                                  "reset_half"])
def test_a_lost_answer_is_transient_and_not_asked_for_twice(idp, refresh,
                                                            kind):
    idp.fault("token", kind)
    assert_failed(refresh(), **{"class": "transient"}, trouble="lost",
                  text="failed: ")
    assert idp.counts["token"] == 1


def test_a_slow_answer_is_waited_for(idp, refresh):
    idp.fault("token", "delay", seconds=2)
    assert refresh()["event"] == "tokens"


@pytest.mark.slow
def test_silence_ends_after_a_minute(idp, refresh):
    idp.fault("token", "silent")
    assert_failed(refresh(), **{"class": "transient"}, trouble="lost",
                  text="did not answer within 60 seconds")


@pytest.mark.slow
def test_a_mute_server_ends_after_ten_seconds(authority_directory, refresh):
    with Idp(authority_directory).start("mute") as mute:
        event = refresh(token_endpoint=f"https://localhost:{mute.port}/token")
    assert_failed(event, trouble="lost",
                  text="failed: Timeout was reached")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_named_and_never_followed(authority_directory, idp,
                                                refresh, status):
    with Idp(authority_directory) as other:
        idp.fault("token", "redirect", status=status,
                  url=f"https://127.0.0.1:{other.port}/token?secret=x")
        event = refresh()
        assert len(other.requests) == 0
    assert_failed(event, **{"class": "transient"}, status=status,
                  text="a redirect to 127.0.0.1, which is not followed")
    assert "secret=x" not in event["text"]


@pytest.mark.parametrize("url", ["https://a b/", "//[", "\\x1b[2J"])
def test_odd_redirects_are_not_repeated(idp, refresh, url):
    idp.fault("token", "redirect", url=url)
    assert_failed(refresh(), status=302, trouble="answered")


@pytest.mark.parametrize("tls, text", [
    ("expired", "(certificate has expired)"),
    ("wrong-name", "(it is for another name)"),
    ("untrusted", "(unable to get local issuer certificate)"),
])
def test_bad_certificates_are_refused_with_the_reason(
        authority_directory, refresh, tls, text):
    with Idp(authority_directory).start(tls) as bad:
        event = refresh(token_endpoint=f"{bad.url}/token")
        assert len(bad.requests) == 0
    assert_failed(event, **{"class": "transient"}, trouble="lost",
                  text=text)
    assert "check ca_file, a TLS-inspecting proxy, and the clock of this " \
        "machine" in event["text"]


LAX = """openssl_conf = all
[all]
ssl_conf = ssl
[ssl]
system_default = lax
[lax]
MinProtocol = TLSv1
CipherString = ALL:@SECLEVEL=0
"""


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_tls_older_than_1_2_is_refused_whatever_the_system_says(
        authority_directory, idp, drive, tmp_path):
    write_file(tmp_path / "openssl.cnf", LAX)
    lax = {"OPENSSL_CONF": str(tmp_path / "openssl.cnf")}
    token = {"refresh_token": idp.seed("jo@x.example",
                                       tenant="common").refresh_token}
    with Idp(authority_directory).start("old") as old:
        event = drive("refresh", token, lax, ask=SCOPE,
                      token_endpoint=f"{old.url}/token").end()
        assert len(old.requests) == 0
    assert_failed(event, trouble="lost", text="failed: SSL connect error")
    assert drive("refresh", token, lax, ask=SCOPE).end()["event"] == "tokens"


def test_the_systems_authorities_do_not_vouch_for_ours(idp, refresh):
    assert_failed(refresh(ca_file=None), trouble="lost",
                  text="check the package ca-certificates")


def test_a_ca_file_that_was_mended_is_taken_at_once(helper, tmp_path):
    path = helper.path("ca.pem")
    good = Path(path).read_text()
    other = ca.Authority(tmp_path, "another CA")
    write_file(path, Path(other.ca_file).read_text())
    helper.seed("jo@x.example", age=4000)
    helper.start()
    answer = helper.ask("refresh", account="jo@x.example")
    assert "check ca_file" in answer["text"]
    write_file(path, good)
    assert helper.ask("refresh", account="jo@x.example")["result"] == "ok"


def test_a_ca_file_that_is_not_there_is_said(tmp_path, refresh):
    assert_failed(refresh(ca_file=str(tmp_path / "none.pem")),
                  trouble="local", text="ca_file or ca_path")


def test_what_is_no_http_is_not_blamed_on_this_machine(authority_directory,
                                                       refresh):
    with raw_server(authority_directory,
                    lambda sock: sock.sendall(b"220 mail ESMTP\r\n")) as url:
        event = refresh(token_endpoint=url)
    assert_failed(event, **{"class": "transient"}, trouble="lost",
                  text="failed: ")


def test_plain_http_behind_https_is_a_tls_fault(authority_directory,
                                                refresh):
    with Idp(authority_directory).start("plain") as plain:
        event = refresh(
            token_endpoint=f"https://localhost:{plain.port}/token")
    assert_failed(event, trouble="lost", text="failed: SSL connect error")


def test_a_name_that_does_not_exist_is_said(refresh):
    assert_failed(refresh(token_endpoint="https://no-such-host.invalid/t"),
                  **{"class": "transient"}, trouble="lost",
                  text="asking no-such-host.invalid failed: " +
                  curl_says(6))


def test_a_refused_connection_is_said(refresh):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        event = refresh(token_endpoint=f"https://127.0.0.1:{port}/token")
    assert_failed(event, **{"class": "transient"}, trouble="lost",
                  text=f"asking 127.0.0.1:{port} failed: {curl_says(7)}"
                  ": Connection refused")


def test_a_configured_proxy_is_used(idp, refresh):
    with Proxy() as proxy:
        event = refresh(proxy=proxy.url)
        assert event["event"] == "tokens", str(event)
        assert list(proxy.targets) == [("CONNECT", f"localhost:{idp.port}")]


def test_the_environments_proxy_is_used(idp, drive):
    seeded = idp.seed("jo@x.example", tenant="common")
    with Proxy() as proxy:
        driver = drive("refresh", {"refresh_token": seeded.refresh_token},
                       environment={"https_proxy": proxy.url}, ask=SCOPE)
        event = driver.end()
        assert event["event"] == "tokens", str(event)
        assert len(proxy.targets) == 1


def test_an_empty_proxy_means_none(idp, drive):
    seeded = idp.seed("jo@x.example", tenant="common")
    with Proxy() as proxy:
        driver = drive("refresh", {"refresh_token": seeded.refresh_token},
                       environment={"https_proxy": proxy.url}, ask=SCOPE,
                       proxy="")
        assert driver.end()["event"] == "tokens"
        assert len(proxy.targets) == 0


def test_a_proxy_that_refuses_is_said(idp, refresh):
    with Proxy(status=407) as proxy:
        event = refresh(proxy=proxy.url)
    assert_failed(event, **{"class": "transient"}, trouble="lost",
                  text="the proxy refused to connect to localhost:")
    assert '(status 407): it wants a name and a password, in "proxy"' in \
        event["text"]


def test_a_socks_proxy_that_refuses_is_said(drive):
    def refuse(listener):
        with listener.accept()[0] as sock:
            sock.recv(64)
            sock.sendall(b"\5\0")
            sock.recv(64)
            sock.sendall(b"\5\5\0\1" + bytes(6))
            sock.recv(64)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=refuse, args=(listener,),
                         daemon=True).start()
        port = listener.getsockname()[1]
        event = drive("refresh", {"refresh_token": "a-refresh-token"},
                      environment={
                          "all_proxy": f"socks5://127.0.0.1:{port}"}).end()
    assert_failed(event, **{"class": "transient"}, trouble="lost",
                  text="failed: proxy handshake error")


@pytest.mark.parametrize("where", ["proxy", "https_proxy"])
def test_a_proxy_that_is_not_there_is_said(drive, where):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        event = drive("refresh", {"refresh_token": "a-refresh-token"},
                      environment={"https_proxy": url},
                      proxy=url if where == "proxy" else None).end()
    assert_failed(event, trouble="lost",
                  text=f"failed: {curl_says(7)}: Connection refused")


def test_no_proxy_of_that_name_is_said(refresh):
    event = refresh(proxy="http://no-such-proxy.invalid:3128")
    assert_failed(event, trouble="lost",
                  text="failed: " + curl_says(5))


def test_a_netrc_is_not_read(idp, drive, tmp_path):
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine localhost login jo password netrc-word\n")
    os.chmod(netrc, 0o600)
    seeded = idp.seed("jo@x.example", tenant="common")
    driver = drive("refresh", {"refresh_token": seeded.refresh_token},
                   environment={"HOME": str(tmp_path)}, ask=SCOPE)
    assert driver.end()["event"] == "tokens"
    assert "authorization" not in idp.requests[0].headers
