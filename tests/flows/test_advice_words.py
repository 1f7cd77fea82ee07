# SPDX-License-Identifier: BSD-2-Clause
"""Advice stands beside the provider's own words, never in their place."""

import pytest

from bed_app import configure, put_secret
from idp import Fault
from test_refresh import assert_failed

JO = "jo@example.org"
PAGE = b"""<!DOCTYPE html>
<HTML><head><title lang=en>
  Blocked by
  FortiGate &amp; friends</title></head><p>no</html>"""


def page(status):
    """What a web filter puts in place of the provider's answer."""
    return Fault(status=status, body=PAGE, content_type="text/html")


def by_hand(idp, refresh, **options):
    """A refresh at Microsoft's endpoints without its preset."""
    return refresh(preset=None, token_endpoint=idp.tenant_url() + "/token",
                   **options)


def assert_all_say(helper, account, *words):
    """Answer, status and log have the words."""
    answer = helper.token(account)
    status = helper.status(account)
    for word in words:
        assert word in answer["text"]
        assert word in status["text"]
        helper.wait_log(word.replace('"', '\\"'))


def test_70_number_and_words_stay_beside_the_advice(helper, idp):
    helper.seed(age=4000)
    helper.start()
    idp.fault("token", "aadsts", number=90023, error="invalid_request",
              text="No applicable permissions for 'Office 365'. Ask Contoso.")
    assert_all_say(helper, JO, "look for odd characters in client_id",
                   "AADSTS90023: No applicable permissions for 'Office 365'. "
                   "Ask Contoso.")
    # Its other lines are for the log's trace alone.
    assert "Timestamp" not in helper.status()["text"]
    assert "\\x0d" not in helper.log()


def test_70_a_number_without_words_stays_too(refresh, idp):
    idp.fault("token", "http_error", status=400, error="invalid_grant",
              error_codes=[50076])
    assert_failed(refresh(), text="second factor is asked for: sign in again "
                  "with 'mailtoken login' (invalid_grant, number 50076)")


@pytest.mark.parametrize("number, text", [
    (700082, "not used for too long"), (530036, "--flow browser"),
    (53003, "--flow browser"), (123456, "error?code=123456"),
    (7000218, "must contain the following parameter: ")])
def test_70_every_number_comes_with_its_words(refresh, idp, number, text):
    idp.fault("token", "aadsts", number=number)
    event = refresh()
    assert_failed(event, code=number, text=text)
    assert f'("AADSTS{number}: ' in event["text"]
    assert event["text"].endswith('")')


def test_70_a_policy_is_no_persons_no(refresh, idp):
    idp.fault("token", "aadsts", number=530036, error="access_denied")
    assert_failed(refresh(), text="--flow browser")


@pytest.mark.parametrize("said, shown", [
    ("first line\r\nsecond\tline", 'invalid_grant: "first line second line"'),
    ("grün ist die Hoffnung", 'invalid_grant: "gr\\xc3\\xbcn ist'),
    ("x. " * 200, 'invalid_grant: "x. x. x.'),
    ("", "(invalid_grant)"), ("\r\n", "(invalid_grant)"),
    ("token 0123456789abcdefgh is no good",
     'invalid_grant: "token ... is no good"')])
def test_70_line_ends_are_blanks_and_drop_nothing(idp, refresh, said, shown):
    idp.fault("token", "http_error", status=400, error="invalid_grant",
              error_description=said)
    event = refresh(preset=None, token_endpoint=f"{idp.url}/token")
    assert_failed(event, text=shown)
    assert len(event["text"]) < 480


def test_70_an_application_keeps_the_words_too(helper, idp):
    helper.secrets_kept = []
    secret = put_secret(helper, "secret", idp.client_secret)
    configure(helper, client_secret_file=secret)
    helper.start()
    idp.fault("token", "http_error", status=400, error="invalid_grant",
              error_description="Nobody knows this application")
    words = 'invalid_grant: "Nobody knows this application"'
    answer = helper.token("relay@example.org")
    assert "check its secret or" in answer["text"]
    assert words in answer["text"]
    helper.wait_log(words.replace('"', '\\"'))


@pytest.mark.parametrize("number, text", [
    (700016, "check client_id, tenant and cloud"),
    (7000222, "the client secret has expired"),
    (9999999, "error?code=9999999")])
def test_71_microsofts_endpoints_by_hand_get_its_advice(idp, refresh, number,
                                                        text):
    idp.fault("token", "aadsts", number=number)
    assert_failed(by_hand(idp, refresh), code=number, text=text)


def test_71_the_host_decides_how_a_browser_comes_back(drive):
    base = "https://login.microsoftonline.com/contoso.example/oauth2/v2.0"
    driver = drive("browser", preset=None, token_endpoint=f"{base}/token",
                   authorization_endpoint=f"{base}/authorize",
                   device_authorization_endpoint=None)
    event, = driver.wait("show-url")
    assert event["redirect-uri"].startswith("http://localhost:")
    assert event["redirect-uri"].endswith("/")


@pytest.mark.parametrize("status", [403, 407, 503, 404, 400])
def test_72_a_page_of_a_web_filter_is_called_that(helper, idp, status):
    helper.seed(age=4000)
    helper.start()
    idp.fault("token", page(status), times=None)
    assert helper.token()["result"] == "try-later"
    text = helper.status()["text"]
    assert f"answered with status {status} and an HTML page" in text
    assert "as of a proxy or filter" in text
    assert '"Blocked by FortiGate &amp; friends"' in text
    assert "client_id" not in text
    helper.wait_log("and an HTML page (\\")


def test_72_a_page_with_status_200_has_its_title(refresh, idp):
    idp.fault("token", page(200))
    assert_failed(refresh(), status=200,
                  text='an HTML page ("Blocked by FortiGate')


def test_72_a_page_without_a_title_is_one_all_the_same(refresh, idp):
    idp.fault("token", Fault(status=403, body=b"\n<html><title>never ends"))
    assert_failed(refresh(), status=403, text="status 403 and an HTML page, "
                  "as of a proxy or filter")


def test_72_a_page_for_a_day_is_a_matter_of_the_configuration(clocked, idp):
    clocked.seed(age=4000)
    clocked.start()
    idp.fault("token", page(403), times=None)
    answer = clocked.token()
    assert answer["result"] == "try-later"
    since = clocked.status()["text"].split("(since ")[1]
    assert since.startswith("20")
    clocked.clock.both(24 * 3600)
    clocked.token()
    status = clocked.wait_state("config-error")
    assert "HTML page" in status["text"]
    assert status["text"].endswith("(since " + since)
    assert clocked.token()["result"] == "config-error"
    idp.clear_faults()
    clocked.clock.both(3600)
    assert clocked.wait_state("active")
