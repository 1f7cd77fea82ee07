# SPDX-License-Identifier: BSD-2-Clause
"""The authorization code grant, as a person with a browser goes through it."""

import re
import socket
import threading
import urllib.parse

import pytest

from bed import DEADLINE_S, free_port, is_listening, wait_for
from browser import changed, parameters, speak, visit
from test_refresh import assert_failed

USER = "jo@x.example"
ANN = "ann@x.example"


@pytest.fixture
def browse(idp, drive):
    """Start the grant and wait for its link: driver, link, port."""
    def run(secrets=None, **options):
        usual = {"preset": None, "token_endpoint": f"{idp.url}/token",
                 "authorization_endpoint": f"{idp.url}/authorize",
                 "device_authorization_endpoint": None,
                 "account": USER}
        usual.update(options)
        driver = drive("browser", secrets, **usual)
        shown = driver.wait("show-url")[0]
        port = urllib.parse.urlsplit(shown["redirect-uri"]).port
        return driver, shown["url"], port
    return run


def assert_plain_page(page):
    """What every page of the listener promises."""
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["connection"] == "close"
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert int(page.headers["content-length"]) == len(page.body)
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'")
    assert "<script" not in page.text and " style=" not in page.text


def test_a_link_is_shown_and_the_browser_comes_back(idp, browse):
    driver, url, port = browse()
    back = idp.browse(url)
    assert back.startswith(f"http://127.0.0.1:{port}/callback?")
    page = visit(back)
    assert page.status == 200
    assert_plain_page(page)
    assert "<h1>Signed in</h1>" in page.text
    assert "close this page and go back to the terminal" in page.text
    event = driver.end()
    assert event["event"] == "tokens"
    assert event["identity"] == USER
    assert int(event["refresh-bytes"]) == idp.settings.refresh_length
    assert idp.refusals() == []
    assert not is_listening(port)


def test_the_link_asks_for_what_it_must(browse):
    _, url, port = browse(ask="openid mail offline_access")
    asked = parameters(url)
    assert len(asked.pop("state")) == 43
    assert re.fullmatch("[A-Za-z0-9_-]{43}", asked.pop("code_challenge"))
    assert asked == {
        "response_type": "code", "client_id": "mail-app",
        "redirect_uri": f"http://127.0.0.1:{port}/callback",
        "scope": "openid mail offline_access",
        "code_challenge_method": "S256", "login_hint": USER}


def test_the_token_request_says_who_asked(idp, browse):
    driver, url, port = browse()
    visit(idp.browse(url))
    driver.end()
    form = idp.wait_request("token")[0].form
    assert re.fullmatch("[A-Za-z0-9_-]{43}", form.pop("code_verifier"))
    assert len(form.pop("code")) == 600
    assert form == {"grant_type": "authorization_code",
                    "client_id": "mail-app",
                    "redirect_uri": f"http://127.0.0.1:{port}/callback"}


def test_no_two_sign_ins_share_state_or_challenge(browse):
    first, second = (parameters(browse()[1]) for _ in range(2))
    assert first["state"] != second["state"]
    assert first["code_challenge"] != second["code_challenge"]


def test_a_client_secret_is_sent_where_there_is_one(idp, browse):
    driver, url, _ = browse({"client_secret": idp.client_secret},
                            client_id="mail-web")
    visit(idp.browse(url))
    assert driver.end()["event"] == "tokens"
    assert idp.refusals() == []


def test_microsoft_comes_back_to_localhost(idp, browse):
    base = idp.tenant_url("common")
    driver, url, port = browse(
        preset="microsoft", token_endpoint=f"{base}/token",
        authorization_endpoint=f"{base}/authorize", flow="browser")
    assert parameters(url)["redirect_uri"] == f"http://localhost:{port}/"
    visit(idp.browse(url))
    assert driver.end()["event"] == "tokens"
    assert idp.refusals() == []


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_both_loopback_addresses_listen_and_no_other(idp, browse, host):
    if host == "::1" and not has_ipv6():
        pytest.skip("no IPv6 here")
    driver, url, port = browse()
    assert not is_listening(port, other_address())
    assert visit(idp.browse(url), host=host).status == 200
    assert driver.end()["event"] == "tokens"


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


def other_address():
    """An address of this machine that is not 127.0.0.1."""
    return "127.0.0.2"


# -- what must not end the wait ---------------------------------------------


@pytest.mark.parametrize("target,method,status", [
    ("/favicon.ico", "GET", 404), ("/", "GET", 404),
    ("/callback", "GET", 404), ("/callback/?code=a&state=b", "GET", 404),
    ("/CALLBACK?code=a&state=b", "GET", 404),
    ("/callback?code=a&state=b", "POST", 405),
    ("/callback?code=a&state=b", "HEAD", 405),
    ("/callback?code=a&state=b", "OPTIONS", 405),
    ("/callback?", "GET", 400), ("/callback?code=abcdefgh", "GET", 400),
    ("/callback?code=abcdefgh&state=", "GET", 400),
    ("/callback?code=abcdefgh&state=%zz", "GET", 400),
    ("/callback?error=access_denied", "GET", 400),
    ("/callback?error=access_denied&state=wrong", "GET", 400),
])
def test_other_requests_are_answered_and_change_nothing(
        idp, browse, target, method, status):
    driver, url, port = browse()
    page = visit(f"http://127.0.0.1:{port}{target}", method)
    assert page.status == status
    if method == "HEAD":
        assert page.body == b""
    else:
        assert_plain_page(page)
        assert "Not the page you want" in page.text
    if status == 405:
        assert page.headers["allow"] == "GET"
    assert visit(idp.browse(url)).status == 200
    assert driver.end()["event"] == "tokens"


def test_a_wrong_state_is_named_and_changes_nothing(idp, browse):
    driver, url, _ = browse()
    back = idp.browse(url)
    page = visit(changed(back, state="x" * 43))
    assert page.status == 400
    assert "from another sign-in" in page.text
    page = visit(changed(back, state=None))
    assert "no &quot;state&quot;" in page.text
    page = visit(back + "&state=again")
    assert page.status == 400
    assert idp.counts["token"] == 0
    assert visit(back).status == 200
    assert driver.end()["event"] == "tokens"


def test_the_right_state_without_a_code_changes_nothing(idp, browse):
    driver, url, _ = browse()
    back = idp.browse(url)
    assert "no &quot;code&quot;" in visit(changed(back, code=None)).text
    assert visit(back).status == 200
    assert driver.end()["event"] == "tokens"


@pytest.mark.parametrize("raw", [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\r\n\r\n",
    b"GET\r\n\r\n", b"GET /callback\r\n\r\n",
    b"GET /callback?a=b HTTP/2.0\r\n\r\n",
    b"GET http://127.0.0.1/callback?a=b HTTP/1.1\r\n\r\n",
    b"get /callback?a=b HTTP/1.1\r\n\r\n",
    b"GET /callback?a=\x80 HTTP/1.1\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
])
def test_garbage_is_answered_and_changes_nothing(idp, browse, raw):
    driver, url, port = browse()
    assert speak(port, raw).startswith(b"HTTP/1.1 400 ")
    assert visit(idp.browse(url)).status == 200
    assert driver.end()["event"] == "tokens"


@pytest.mark.parametrize("raw", [
    b"GET /callback?" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n",
    b"G" * 20000,
    b"GET / HTTP/1.1\r\n" + b"Cookie: a=b\r\n" * 2000 + b"\r\n",
])
def test_what_is_too_long_is_answered_and_changes_nothing(idp, browse, raw):
    driver, url, port = browse()
    assert speak(port, raw).startswith(b"HTTP/1.1 431 ")
    assert visit(idp.browse(url)).status == 200
    assert driver.end()["event"] == "tokens"


def test_visitors_who_say_nothing_do_not_keep_the_browser_out(idp, browse):
    driver, url, port = browse()
    silent = [socket.create_connection(("127.0.0.1", port))
              for _ in range(40)]
    silent[-1].sendall(b"GET /callback?code=")
    assert visit(idp.browse(url)).status == 200
    assert driver.end()["event"] == "tokens"
    for sock in silent:
        sock.close()


@pytest.mark.slow
def test_a_slow_visitor_is_let_go(idp, browse):
    driver, url, port = browse()
    with socket.create_connection(("127.0.0.1", port)) as slow:
        slow.settimeout(DEADLINE_S)
        slow.sendall(b"GET /call")
        assert slow.recv(1) == b""
    assert visit(idp.browse(url)).status == 200
    assert driver.end()["event"] == "tokens"


def test_a_second_tab_is_told_that_the_first_is_at_work(idp, browse):
    driver, url, _ = browse()
    first, second = idp.browse(url), idp.browse(url)
    pages = []
    tab = threading.Thread(target=lambda: pages.append(visit(first)))
    with idp.holding("token"):
        tab.start()
        idp.wait_request("token")
        page = visit(second)
    assert page.status == 400
    assert "being finished already" in page.text
    tab.join()
    assert "<h1>Signed in</h1>" in pages[0].text
    assert driver.end()["event"] == "tokens"
    assert idp.counts["token"] == 1


def test_the_same_answer_twice_is_used_once(idp, browse):
    driver, url, _ = browse()
    back = idp.browse(url)
    tab = threading.Thread(target=lambda: visit(back))
    with idp.holding("token"):
        tab.start()
        idp.wait_request("token")
        assert visit(back).status == 400
    tab.join()
    assert driver.end()["event"] == "tokens"
    assert "code reuse" not in idp.refusals()


# -- what ends it -----------------------------------------------------------


def test_a_no_in_the_browser_ends_it_and_is_said_in_both_places(idp, browse):
    idp.set(browser_error="access_denied")
    driver, url, port = browse()
    page = visit(idp.browse(url))
    assert page.status == 400
    assert_plain_page(page)
    assert "<h1>Not signed in</h1>" in page.text
    assert "refused in the browser" in page.text
    assert_failed(driver.end(), **{"class": "login-needed"},
                  error="access_denied", text="refused in the browser")
    assert idp.counts["token"] == 0
    assert not is_listening(port)


@pytest.mark.parametrize("error,kind,text", [
    ("server_error", "transient", ""),
    ("temporarily_unavailable", "transient", ""),
    ("invalid_scope", "config", "scope"),
    ("unauthorized_client", "config", ""),
    ("consent_required", "login-needed", ""),
    ("brand_new", "transient", "brand_new"),
])
def test_errors_of_the_provider_end_it_with_advice(idp, browse, error, kind,
                                                   text):
    idp.set(browser_error=error)
    driver, url, _ = browse()
    visit(idp.browse(url))
    event = driver.end()
    assert_failed(event, **{"class": kind}, error=error, text=text)
    assert event["text"].startswith("the authorization endpoint localhost:")


def test_a_number_of_microsoft_chooses_the_sentence(idp, browse):
    idp.set(browser_error="invalid_client",
            browser_text="AADSTS650052: The app needs access to a service")
    base = idp.tenant_url("common")
    driver, url, _ = browse(
        preset="microsoft", token_endpoint=f"{base}/token",
        authorization_endpoint=f"{base}/authorize", flow="browser")
    visit(idp.browse(url))
    assert_failed(driver.end(), code=650052)


def test_a_reason_cannot_write_into_the_page(idp, browse):
    idp.set(browser_error="<b>oops</b>", browser_text="<script>x</script>")
    driver, url, _ = browse()
    page = visit(idp.browse(url))
    assert "<b>" not in page.text and "<script" not in page.text
    assert "&lt;b&gt;oops" in page.text
    driver.end()


def test_a_code_that_the_provider_does_not_know_ends_it(idp, browse):
    driver, url, _ = browse()
    page = visit(changed(idp.browse(url), code="y" * 100))
    assert "<h1>Not signed in</h1>" in page.text
    assert_failed(driver.end(), error="invalid_grant")


def test_a_code_of_another_sign_in_is_no_use(idp, browse):
    _, other, _ = browse()
    driver, url, _ = browse()
    stolen = parameters(idp.browse(other))["code"]
    visit(changed(idp.browse(url), code=stolen))
    assert_failed(driver.end(), error="invalid_grant")
    assert "another redirect_uri" in idp.refusals()


def test_a_replayed_code_is_refused_by_the_provider(idp, browse):
    driver, url, _ = browse()
    back = idp.browse(url)
    visit(back)
    assert driver.end()["event"] == "tokens"
    driver, url, _ = browse()
    used = parameters(back)["code"]
    visit(changed(idp.browse(url), code=used))
    assert_failed(driver.end(), error="invalid_grant")
    assert "code reuse" in idp.refusals()


def test_trouble_at_the_token_endpoint_is_said_in_both_places(idp, browse):
    idp.fault("token", "http_error", status=503)
    driver, url, _ = browse()
    assert "<h1>Not signed in</h1>" in visit(idp.browse(url)).text
    assert_failed(driver.end(), **{"class": "transient"}, status=503)


# -- the issuer -------------------------------------------------------------


def test_the_issuer_is_checked_where_it_is_announced(idp, browse):
    idp.set(iss_in_redirect=True)
    driver, url, _ = browse(issuer=idp.url, returns_iss=1)
    assert visit(idp.browse(url)).status == 200
    assert driver.end()["event"] == "tokens"


@pytest.mark.parametrize("settings,announced,text", [
    ({"iss_in_redirect": True, "browser_iss": "https://evil.example"}, 1,
     "'https://evil.example', not from the issuer"),
    ({"iss_in_redirect": True, "browser_iss": "https://evil.example"}, None,
     "'https://evil.example', not from the issuer"),
    ({"iss_in_redirect": False}, 1, "nobody that says who it is"),
])
def test_another_issuer_ends_it_before_the_code_is_used(
        idp, browse, settings, announced, text):
    idp.set(**settings)
    driver, url, _ = browse(issuer=idp.url, returns_iss=announced)
    assert "<h1>Not signed in</h1>" in visit(idp.browse(url)).text
    assert_failed(driver.end(), **{"class": "config"}, text=text)
    assert idp.counts["token"] == 0


def test_microsofts_issuer_is_not_compared(idp, browse):
    # It has a tenant's number where our configuration may have its name.
    idp.set(iss_in_redirect=True, browser_iss="https://login.example/8ab/v2.0")
    base = idp.tenant_url("common")
    driver, url, _ = browse(
        preset="microsoft", token_endpoint=f"{base}/token",
        authorization_endpoint=f"{base}/authorize", flow="browser")
    assert visit(idp.browse(url)).status == 200
    assert driver.end()["event"] == "tokens"


def test_an_issuer_that_is_not_announced_is_not_asked_for(idp, browse):
    driver, url, _ = browse(issuer=idp.url)
    assert visit(idp.browse(url)).status == 200
    assert driver.end()["event"] == "tokens"


# -- pasting ----------------------------------------------------------------


def test_the_address_may_be_pasted(idp, browse):
    driver, url, _ = browse()
    driver.paste(idp.browse(url))
    assert driver.end()["event"] == "tokens"


@pytest.mark.parametrize("change", [
    lambda u: f'  "{u}"  ', lambda u: f"<{u}>", lambda u: f"'{u}'",
    lambda u: u[:60] + " \t " + u[60:200] + "\r " + u[200:],
    lambda u: u.removeprefix("http://"), lambda u: u.partition("?")[2],
    lambda u: u + "#", lambda u: u + "#fragment",
    lambda u: urllib.parse.unquote(parameters(u)["code"]),
    lambda u: "  " + parameters(u)["code"][:300] + " \t" +
    parameters(u)["code"][300:],
])
def test_what_copying_does_to_an_address_is_forgiven(idp, browse, change):
    driver, url, _ = browse()
    driver.paste(change(idp.browse(url)))
    assert driver.end()["event"] == "tokens"
    assert idp.refusals() == []


@pytest.mark.parametrize("change,text", [
    (lambda u, _: changed(u, state="x" * 43), "from another sign-in"),
    (lambda u, _: changed(u, state=None), 'no "state"'),
    (lambda _, link: link, 'no "code"'),
    (lambda *_: "no", "neither an address nor a code"),
    (lambda *_: "", "empty"),
    (lambda *_: "x" * 20000, "too long"),
    (lambda *_: "c\u00f6de-of-mine", "neither an address nor a code"),
])
def test_what_is_pasted_wrong_is_named_and_changes_nothing(
        idp, browse, change, text):
    driver, url, _ = browse()
    back = idp.browse(url)
    driver.paste(change(back, url))
    assert text in driver.wait("refused")[0]["text"]
    assert idp.counts["token"] == 0
    driver.paste(back)
    assert driver.end()["event"] == "tokens"


def test_a_no_that_is_pasted_ends_it(idp, browse):
    idp.set(browser_error="access_denied")
    driver, url, _ = browse()
    driver.paste(idp.browse(url))
    assert_failed(driver.end(), **{"class": "login-needed"},
                  error="access_denied")


# -- beginnings that cannot be ----------------------------------------------


def test_a_port_in_use_is_busy_and_named(drive, idp):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        driver = drive("browser", preset=None, redirect_port=port,
                       token_endpoint=f"{idp.url}/token",
                       device_authorization_endpoint=None,
                       authorization_endpoint=f"{idp.url}/authorize")
        event = driver.wait("not-started")[0]
    assert event["fault"] == "busy"
    assert f"port {port} of this computer is in use" in event["text"]
    assert "redirect_port" in event["text"]


def test_a_port_that_only_the_other_family_has_taken_is_busy(drive, idp):
    if not has_ipv6():
        pytest.skip("no IPv6 here")
    with socket.socket(socket.AF_INET6) as taken:
        taken.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        taken.bind(("::1", 0))
        taken.listen()
        driver = drive("browser", preset=None,
                       redirect_port=taken.getsockname()[1],
                       token_endpoint=f"{idp.url}/token",
                       device_authorization_endpoint=None,
                       authorization_endpoint=f"{idp.url}/authorize")
        assert driver.wait("not-started")[0]["fault"] == "busy"


def test_a_fixed_port_can_be_used_again_at_once(idp, browse):
    port = free_port()
    for _ in range(2):
        driver, url, used = browse(redirect_port=port)
        assert used == port
        visit(idp.browse(url))
        assert driver.end()["event"] == "tokens"
    wait_for(lambda: not is_listening(port))


def test_an_endpoint_without_tls_is_refused(idp, drive):
    driver = drive("browser", preset=None, token_endpoint=f"{idp.url}/token",
                   device_authorization_endpoint=None,
                   authorization_endpoint="http://localhost/authorize")
    with pytest.raises(AssertionError, match="must be 'https://'"):
        driver.end()


def test_extra_fields_go_through_the_browser_too(idp, browse):
    driver, url, _ = browse(extra="audience:mail server")
    assert parameters(url)["audience"] == "mail server"
    visit(idp.browse(url))
    assert driver.end()["event"] == "tokens"
    assert idp.wait_request("token")[0].form["audience"] == "mail server"


def test_an_extra_field_takes_the_place_of_the_presets(idp, browse):
    _, url, _ = browse(preset="google", extra="prompt:none")
    assert url.count("prompt=") == 1
    assert parameters(url)["prompt"] == "none"
    assert parameters(url)["access_type"] == "offline"


def test_microsoft_is_told_the_scope_with_the_code_again(idp, browse):
    base = idp.tenant_url("common")
    driver, url, _ = browse(
        preset="microsoft", token_endpoint=f"{base}/token",
        authorization_endpoint=f"{base}/authorize", flow="browser",
        scope="https://outlook.office.com/SMTP.Send offline_access",
        ask="https://outlook.office.com/SMTP.Send offline_access")
    visit(idp.browse(url))
    assert driver.end()["event"] == "tokens"
    assert idp.wait_request("token")[0].form["scope"] == \
        parameters(url)["scope"]


def test_others_are_told_no_scope_with_the_code(idp, browse):
    driver, url, _ = browse(scope="mail", ask="mail")
    visit(idp.browse(url))
    assert driver.end()["event"] == "tokens"
    assert "scope" not in idp.wait_request("token")[0].form
