# SPDX-License-Identifier: BSD-2-Clause
"""The device grant, as a person at another machine goes through it."""

import pytest

from test_refresh import assert_failed, curl_says

USER = "jo@x.example"


def shown(driver):
    """The event that shows the code."""
    return driver.wait("show-code")[0]


@pytest.fixture
def device(drive):
    """Start the grant and wait for its code."""
    def run(**options):
        driver = drive("device", **options)
        return driver, shown(driver)
    return run


def test_a_code_is_shown_and_approved(idp, device):
    driver, code = device()
    assert code["verification-uri"] == f"{idp.url}/activate"
    assert code["left"] == "900"
    assert code["interval"] == "1"
    idp.approve(code["user-code"], USER)
    event = driver.end()
    assert event["event"] == "tokens"
    assert event["identity"] == USER
    assert int(event["refresh-bytes"]) == idp.settings.refresh_length
    assert idp.refusals() == []


def test_scope_is_asked_for_and_nothing_else_is_sent(idp, device):
    _, _ = device(account=USER)
    request = idp.wait_request("device")[0]
    assert request.form == {
        "client_id": "mail-app",
        "scope": "https://outlook.office.com/SMTP.Send offline_access "
                 "openid email profile"}


def test_pending_is_waited_for_and_the_time_left_shrinks(idp, device):
    driver, code = device()
    waiting = driver.wait("waiting", 3)
    idp.approve(code["user-code"], USER)
    assert driver.end()["event"] == "tokens"
    left = [int(e["left"]) for e in waiting]
    assert 0 < left[2] < left[0] < 900
    assert set(idp.refusals()) == {"not yet approved"}


@pytest.mark.slow
def test_slow_down_is_obeyed_from_then_on(idp, device):
    driver, code = device()
    idp.device_answers(code["user-code"],
                       ["authorization_pending"] * 3 + ["slow_down"])
    driver.wait("waiting", 4)
    idp.approve(code["user-code"], USER)
    assert driver.end()["event"] == "tokens"
    assert "polled faster than interval" not in idp.refusals()
    polls = [r.at for r in idp.requests if r.endpoint == "token"]
    assert len(polls) == 5
    assert polls[4] - polls[3] >= 6


@pytest.mark.parametrize("generic", [False, True])
def test_both_words_for_a_no_end_it(idp, device, generic):
    options = {"preset": None, "token_endpoint": f"{idp.url}/token",
               "device_authorization_endpoint": f"{idp.url}/device"}
    driver, code = device(**(options if generic else {}))
    idp.deny(code["user-code"])
    assert_failed(driver.end(), **{"class": "login-needed"},
                  error="access_denied" if generic else
                  "authorization_declined",
                  text="refused in the browser")


def test_an_expired_code_ends_it(idp, device):
    driver, code = device()
    idp.expire(code["user-code"])
    assert_failed(driver.end(), **{"class": "login-needed"},
                  error="expired_token", text="the code has expired")


def test_the_codes_life_ends_it_too(idp, device):
    # The provider would take the code for long, so only we can tell.
    idp.fault("device", "changed", effect=True, expires_in=2)
    driver, _ = device()
    assert_failed(driver.end(), **{"class": "login-needed"},
                  error="expired_token",
                  text="expired before the sign-in was finished")


def test_a_code_that_is_not_known_ends_it(idp, device):
    idp.fault("token", "aadsts", number=70018)
    driver, _ = device()
    assert_failed(driver.end(), **{"class": "login-needed"}, code=70018,
                  error="bad_verification_code")


def test_a_policy_ends_it_with_the_other_way(idp, device):
    idp.fault("token", "aadsts", number=53003)
    driver, _ = device()
    assert_failed(driver.end(), **{"class": "login-needed"}, code=53003,
                  text="--flow browser")


def test_public_flows_switched_off_is_said(idp, drive):
    idp.fault("device", "aadsts", number=7000218)
    event = drive("device").end()
    assert_failed(event, **{"class": "config"}, code=7000218,
                  text="Allow public client flows")
    assert event["text"].startswith("the device authorization endpoint ")


def test_unknown_errors_end_it(idp, device):
    idp.fault("token", "http_error", status=400, error="brand_new")
    driver, _ = device()
    assert_failed(driver.end(), error="brand_new")


@pytest.mark.parametrize("fault", [
    {"kind": "http_error", "status": 503},
    {"kind": "http_error", "status": 429, "retry_after": 2},
    {"kind": "html", "status": 502},
    {"kind": "http_error", "status": 400,
     "error": "temporarily_unavailable"},
    {"kind": "html", "status": 200},
    {"kind": "html", "status": 403},
    {"kind": "html", "status": 407},
    {"kind": "close_before"},
    {"kind": "reset_half"},
])
def test_trouble_in_between_is_survived(idp, device, fault):
    idp.fault("token", **fault)
    driver, code = device()
    driver.wait("waiting")
    idp.approve(code["user-code"], USER)
    assert driver.end()["event"] == "tokens"


@pytest.mark.parametrize("status, error", [
    (400, "authorization_pending"), (503, "server_error")])
def test_polls_rest_though_no_clock_can_reach_the_wait(idp, device, status,
                                                       error):
    """Added to now it would be long ago.  Of an older libcurl we get the number
    and take none for it; Debian 13's says six hours, past the code's end."""
    idp.fault("device", "changed", effect=True, expires_in=4)
    idp.fault("token", "http_error", status=status, error=error,
              retry_after=2 ** 63 - 1, times=None)
    driver, _ = device()
    assert_failed(driver.end(), error="expired_token")
    polls = [r.at for r in idp.requests if r.endpoint == "token"]
    assert 1 <= len(polls) <= 4


def test_a_page_is_named_when_the_code_ends_meanwhile(idp, device):
    idp.fault("device", "changed", effect=True, expires_in=4)
    idp.fault("token", "html", status=200, times=None)
    driver, _ = device()
    assert_failed(driver.end(), error="expired_token",
                  text="an HTML page (\"Gateway\")")


@pytest.mark.slow
def test_after_trouble_polls_are_as_frequent_as_before(idp, device):
    idp.set(device_life=14)
    idp.fault("token", "close_before", times=2)
    driver, code = device()
    idp.device_answers(code["user-code"], ["authorization_pending"] * 4)
    idp.approve(code["user-code"], USER)
    # After 1 and 3 seconds in vain, 7 to 11; not 7, 11 and 15.
    assert driver.end()["event"] == "tokens"


def test_a_redirect_in_between_ends_it(idp, device):
    idp.fault("token", "redirect", url="https://elsewhere.example/token")
    driver, _ = device()
    assert_failed(driver.end(), status=302, text="elsewhere.example")


def test_an_answer_without_a_usable_token_ends_it(idp, device):
    idp.fault("token", "malformed")
    driver, _ = device()
    assert_failed(driver.end(), text="it has no access_token")


@pytest.mark.parametrize("variants", [
    ["verification_url", "no-message"], ["string-numbers"], ["complete"],
])
def test_other_ways_to_write_the_answer_will_do(idp, device, variants):
    idp.set(device_variants=variants)
    driver, code = device()
    assert code["verification-uri"] == f"{idp.url}/activate"
    if variants == ["complete"]:
        assert code["verification-uri-complete"].endswith(
            "?user_code=" + code["user-code"])
    idp.approve(code["user-code"], USER)
    assert driver.end()["event"] == "tokens"


def test_no_interval_means_five_seconds(idp, device):
    idp.set(device_variants=["no-interval"])
    _, code = device()
    assert code["interval"] == "5"


@pytest.mark.parametrize("uri", [
    "http://x.example/", "https://x.example@evil.test/",
    "https:///x.example@evil.test/", "https://?@evil.test",
    "https://%2f@evil.test", "https://x.example\\@evil.test"])
def test_a_link_that_misleads_is_not_shown(idp, drive, uri):
    idp.fault("device", "changed", verification_uri=uri)
    assert_failed(drive("device").end(), text="no verification_uri with "
                  "https")


def test_a_confidential_client_of_a_standard_provider_says_its_secret(
        idp, drive):
    driver = drive("device", {"client_secret": idp.client_secret},
                   preset=None, client_id="mail-web",
                   token_endpoint=f"{idp.url}/token",
                   device_authorization_endpoint=f"{idp.url}/device",
                   account=USER)
    idp.approve(shown(driver)["user-code"], USER)
    assert driver.end()["event"] == "tokens"
    request = idp.wait_request("device")[0]
    assert request.form["login_hint"] == USER
    assert idp.refusals() == []


def test_a_provider_that_cannot_be_reached_is_said(drive):
    event = drive("device", device_authorization_endpoint="https://"
                  "no-such-host.invalid/device").end()
    assert_failed(event, **{"class": "transient"}, trouble="lost",
                  text="the device authorization endpoint cannot be used: "
                  f"asking no-such-host.invalid failed: {curl_says(6)}")
