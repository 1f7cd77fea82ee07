# SPDX-License-Identifier: BSD-2-Clause
"""The browser sign-in with a real browser.

Screenshots stay in $TESTS_OUTPUT, or in the test's own folder.
"""

import os
from pathlib import Path

import pytest

import webdriver
from test_browser import browse     # noqa: F401
from test_refresh import assert_failed

USER = "jo@x.example"
GREEN = {"light": "rgba(26, 127, 75, 1)", "dark": "rgba(92, 198, 140, 1)"}

pytestmark = pytest.mark.skipif(webdriver.missing() is not None,
                                reason=webdriver.missing() or "")


@pytest.fixture
def picture(tmp_path):
    """Where a screenshot of that name goes."""
    folder = Path(os.environ.get("TESTS_OUTPUT", tmp_path))

    def path(name):
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"chromium-{name}.png"
    return path


def allow(page, url, user, verdict="yes"):
    """Sign in at the provider's page."""
    page.go(url)
    page.type("input[name=user]", user)
    page.click(f"button[value={verdict}]")


def test_chromium_signs_in_and_sees_our_page(idp, browse,   # noqa: F811
                                             picture):
    idp.set(browser_page=True)
    driver, url, port = browse(account=None)
    with webdriver.Browser() as page:
        allow(page, url, USER)
        page.wait_title("Signed in - mailtoken")
        assert page.url().startswith(f"http://127.0.0.1:{port}/callback?")
        assert "go back to the terminal" in page.text("main")
        # The hash of the style is right: it is in force.
        assert page.style("main", "border-top-color") in GREEN.values()
        page.screenshot(picture("signed-in"))
    event = driver.end()
    assert event["event"] == "tokens"
    assert event["identity"] == USER
    assert [r for r in idp.refusals() if r != "unknown path"] == []


def test_chromium_sees_why_it_did_not_work(idp, browse,     # noqa: F811
                                           picture):
    idp.set(browser_page=True)
    driver, url, _ = browse(account=None)
    with webdriver.Browser() as page:
        allow(page, url, USER, "no")
        page.wait_title("Not signed in - mailtoken")
        assert "refused in the browser" in page.text("main")
        page.screenshot(picture("not-signed-in"))
    assert_failed(driver.end(), error="access_denied")


def test_chromium_finds_nothing_else_there(idp, browse,     # noqa: F811
                                           picture):
    driver, url, port = browse()
    with webdriver.Browser("--blink-settings=preferredColorScheme=0") as page:
        page.go(f"http://localhost:{port}/")
        page.wait_title("Not the page you want - mailtoken")
        page.screenshot(picture("other-page"))
        page.go(f"http://127.0.0.1:{port}/callback?code=a&state=wrong")
        assert "from another sign-in" in page.text("main")
        page.screenshot(picture("other-sign-in"))
        page.go(url)
        page.wait_title("Signed in - mailtoken")
        page.screenshot(picture("signed-in-dark"))
    assert driver.end()["event"] == "tokens"
