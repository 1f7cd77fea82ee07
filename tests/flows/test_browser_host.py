# SPDX-License-Identifier: BSD-2-Clause
"""The loopback listener answers under this computer's own names only.

A page whose name was made to lead to 127.0.0.1 (DNS rebinding) can read what
the listener says and bring it a code; its requests come with that name.
"""

import pytest

from browser import Page, speak, visit
from test_helper_browser import JO, begin, browser_helper, done   # noqa: F401


def come(port, back, *headers):
    """The page for a browser that comes back with these lines."""
    target = back.split(str(port), 1)[1]
    lines = "".join(f"{line.format(port=port)}\r\n" for line in headers)
    return Page(speak(
        port, f"GET {target} HTTP/1.1\r\n{lines}\r\n".encode()))


@pytest.mark.parametrize("headers", [
    ["Host: rebound.example:{port}"], ["Host: rebound.example"], [],
    ["Host: 127.0.0.1"], ["Host: 127.0.0.1:1{port}"],
    ["Host: 127.0.0.2:{port}"],
    ["Host: localhost.rebound.example:{port}"], ["Host: localhost:{port}x"],
    ["Host: jo@localhost:{port}"], ["Host:"],
    ["Host: localhost:{port}", "Host: rebound.example"],
    ["Host: rebound.example", "Host: localhost:{port}"],
    ["X-Host: localhost:{port}"],
])
def test_a_request_under_another_name_spends_nothing(browser_helper, idp,
                                                     headers):
    bed = browser_helper()
    line, url, port = begin(bed)
    back = idp.browse(url)
    page = come(port, back, *headers)
    assert page.status == 421
    assert "code" not in page.text and JO not in page.text
    assert idp.counts["token"] == 0
    # The state is not spent: the browser itself is still let in.
    assert visit(back).status == 200
    assert done(line)["result"] == "ok"


@pytest.mark.parametrize("host", [
    "Host: 127.0.0.1:{port}", "host:localhost:{port}",
    "HOST: LocalHost:{port} ",
    "Host: [::1]:{port}"])
def test_the_names_of_this_computer_are_let_in(browser_helper, idp, host):
    line, url, port = begin(browser_helper())
    assert come(port, idp.browse(url), "Accept: text/html", host).status == 200
    assert done(line)["result"] == "ok"


def test_no_other_page_is_shown_under_another_name(browser_helper):
    _line, _url, port = begin(browser_helper())
    for request in ("GET / ", "GET /favicon.ico ", "POST /callback?a "):
        answer = speak(port, f"{request}HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert answer.startswith(b"HTTP/1.1 421 ")
        assert b"waiting" not in answer
