# SPDX-License-Identifier: BSD-2-Clause
"""Signing in with a browser, through the helper and the command."""

import os
import socket
import subprocess
import urllib.parse

import pytest

import paths
from bed import DEADLINE_S, free_port, is_listening, wait_for
from helper_line import pack
from browser import changed, visit

JO = "jo@example.org"
ANN = "ann@example.org"


@pytest.fixture
def browser_helper(helper, idp):
    """A helper whose provider signs in with a browser; it runs."""
    def start(**provider):
        helper.configure(authorization_endpoint=f"{idp.url}/authorize",
                         flow="browser", **provider)
        return helper.start()
    return start


def begin(bed, **options):
    """A sign-in up to its first question: connection, link, port."""
    line = bed.connect().send("sign-in", account=JO, **options)
    shown = line.next()
    assert shown["event"] == "show-url", shown
    question = line.next()
    assert (question["event"], question["question"]) == ("ask", "paste-url")
    assert 0 < int(shown["expires-in"]) <= 900
    return line, shown["url"], urllib.parse.urlsplit(
        shown["redirect-uri"]).port


def done(line):
    return line.until(lambda a: a.get("event") == "done")


def test_the_browser_comes_back_and_the_grant_is_stored(browser_helper, idp):
    bed = browser_helper()
    line, url, port = begin(bed)
    assert visit(idp.browse(url)).status == 200
    answer = done(line)
    assert (answer["result"], answer["identity"]) == ("ok", JO)
    assert line.rest() == []
    record = bed.record()
    assert record["flow"] == "browser"
    assert record["refresh-token"] == idp.current_refresh(JO)
    assert bed.token()["token"] == record["access-token"]
    assert not is_listening(port)
    assert idp.refusals() == []


@pytest.mark.parametrize("preset", ("microsoft", None))
def test_extra_goes_out_twice_and_the_scope_where_it_must(browser_helper, idp,
                                                          preset):
    bed = browser_helper(preset=preset, extra="audience=mail server")
    line, url, _ = begin(bed)
    link = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))
    assert link["audience"] == "mail server"
    assert visit(idp.browse(url)).status == 200
    assert done(line)["result"] == "ok"
    form = idp.wait_request("token")[0].form
    assert form["audience"] == "mail server"
    assert form.get("scope") == (link["scope"] if preset else None)


def test_an_address_or_a_code_may_be_the_answer(browser_helper, idp):
    bed = browser_helper()
    line, url, _ = begin(bed)
    assert done(line.send(answer=idp.browse(url)))["result"] == "ok"
    line, url, _ = begin(bed)
    code = urllib.parse.parse_qs(
        urllib.parse.urlsplit(idp.browse(url)).query)["code"][0]
    assert done(line.send(answer=code))["result"] == "ok"


def test_a_wrong_address_is_asked_about_again_and_both_ways_stay_open(
        browser_helper, idp):
    bed = browser_helper()
    line, url, _ = begin(bed)
    back = idp.browse(url)
    for wrong, text in ((changed(back, state="x"), "another sign-in"),
                        (url, 'no "code"'), ("yes", "neither")):
        asked = line.send(answer=wrong).next()
        assert asked["question"] == "paste-url"
        assert text in asked["text"]
    line.send(answer="no")
    assert visit(back).status == 200
    assert done(line)["result"] == "ok"


def test_answers_that_come_with_other_lists_are_looked_at(browser_helper):
    bed = browser_helper()
    wrong, again = (pack([("answer", text)]) for text in ("yes", "well"))
    with bed.connect() as line:
        line.sock.sendall(pack([("verb", "sign-in"), ("account", JO)])
                          + wrong[:9])
        assert line.next()["event"] == "show-url"
        assert line.next()["event"] == "ask"
        line.sock.sendall(wrong[9:] + again + wrong)
        for _ in range(3):
            assert line.next()["question"] == "paste-url"


def test_somebody_else_is_asked_about(browser_helper, idp):
    idp.set(browser_user=ANN)
    bed = browser_helper()
    line, url, _ = begin(bed)
    visit(idp.browse(url))
    asked = line.next()
    assert (asked["question"], asked["identity"]) == ("other-user", ANN)
    assert done(line.send(answer="no"))["result"] == "denied"
    assert bed.token()["result"] == "unknown-account"
    line, url, _ = begin(bed)
    visit(idp.browse(url))
    line.next()
    assert done(line.send(answer="yes"))["result"] == "ok"


def test_a_no_in_the_browser_is_login_needed_and_stores_nothing(
        browser_helper, idp):
    idp.set(browser_error="access_denied")
    bed = browser_helper()
    line, url, _ = begin(bed)
    assert "Not signed in" in visit(idp.browse(url)).text
    answer = done(line)
    assert answer["result"] == "login-needed"
    assert "refused in the browser" in answer["text"]
    assert bed.status()["result"] == "unknown-account"


def test_hanging_up_closes_the_listener(browser_helper):
    bed = browser_helper()
    line, _, port = begin(bed)
    line.close()
    wait_for(lambda: not is_listening(port))


def test_stopping_the_helper_closes_the_listener(browser_helper):
    bed = browser_helper()
    line, _, port = begin(bed)
    bed.signal()
    assert line.rest()[-1]["result"] == "try-later"
    assert bed.wait() == 0
    assert not is_listening(port)


def test_a_fixed_port_is_used_and_busy_is_said(browser_helper, idp):
    number = free_port()
    with socket.create_server(("127.0.0.1", number)):
        bed = browser_helper(redirect_port=number)
        answer = bed.ask("sign-in", account=JO)
        assert answer["result"] == "busy"
        assert f"port {number}" in answer["text"]
    line, url, port = begin(bed)
    assert port == number
    assert bed.ask("sign-in", account=ANN)["result"] == "busy"
    visit(idp.browse(url))
    assert done(line)["result"] == "ok"


def test_a_provider_without_the_endpoint_says_what_to_write(helper):
    helper.start()
    answer = helper.ask("sign-in", account=JO, flow="browser")
    assert answer["result"] == "config-error"
    assert "authorization_endpoint" in answer["text"]


def test_the_whole_way_with_the_command_and_a_browser(browser_helper):
    bed = browser_helper()
    run = subprocess.run(
        [str(paths.program("mailtoken")), "--socket", bed.socket, "login",
         JO, "--browser"], capture_output=True, text=True, timeout=DEADLINE_S,
        stdin=subprocess.DEVNULL, check=False,
        env={"PATH": os.environ["PATH"],
             "BROWSER": "curl --silent --insecure --location"})
    assert run.returncode == 0, run.stderr
    assert "event=done\nresult=ok\n" in run.stdout
    assert bed.token()["result"] == "ok"


@pytest.mark.parametrize("pasted", (
    '"{0}\n  {1}"\n', "\u201c{0}{1}\u201d.\n", "\u00ab {0}{1} \u00bb\n",
    "\u2018{0}{1}\u2019,\n", "\u201e{0}{1}\u201c.\n", "<{0}\n{1}>.\n\n"))
def test_the_whole_way_with_the_command_on_another_machine(browser_helper,
                                                           idp, pasted):
    bed = browser_helper()
    with subprocess.Popen(
            [str(paths.program("mailtoken")), "--socket", bed.socket,
             "login", JO], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, env={"PATH": os.environ["PATH"]}) as run:
        for text in run.stdout:
            if text.startswith("url="):
                break
        back = idp.browse(text[len("url="):].strip())
        out, _ = run.communicate(pasted.format(back[:70], back[70:]),
                                 timeout=DEADLINE_S)
    assert run.returncode == 0
    assert "event=done\nresult=ok\n" in out


def test_an_application_of_another_address_is_pasted(browser_helper, idp):
    """Nothing listens where the browser cannot come back to."""
    elsewhere = "https://app.example.com/signed-in?from=mail"
    idp.add_client("far-app", redirects=(elsewhere,))
    bed = browser_helper(client_id="far-app", redirect_uri=elsewhere)
    line = bed.connect().send("sign-in", account=JO)
    shown = line.next()
    assert (shown["event"], shown["redirect-uri"]) == ("show-url", elsewhere)
    assert "paste" in line.next()["text"]
    back = idp.browse(shown["url"])
    assert back.startswith(elsewhere)
    assert done(line.send(answer=back))["result"] == "ok"
    assert bed.token()["result"] == "ok"
    assert idp.refusals() == []


@pytest.mark.parametrize("address", ("example.com", "https://a/#b", "a b:c",
                                     ""))
def test_an_address_that_is_none_is_refused(helper, address):
    helper.seed()
    helper.configure(redirect_uri=address)
    helper.start()
    answer = helper.token()
    assert answer["result"] == "config-error"
    assert "redirect_uri" in answer["text"]


@pytest.mark.parametrize("endpoint, number, word", (
    ("token", 53003, "access_denied"), ("token", 530036, "access_denied"),
    ("token", 53003, "invalid_grant"), ("device", 53003, "invalid_grant")))
def test_a_flow_that_policy_blocks_goes_on_with_the_browser(
        helper, idp, endpoint, number, word):
    helper.configure(authorization_endpoint=f"{idp.url}/authorize")
    helper.start()
    idp.fault(endpoint, "http_error", status=400, error=word,
              error_codes=[number], error_description=f"AADSTS{number}: no.")
    line = helper.connect().send("sign-in", account=JO)
    shown = line.until(lambda a: a["event"] == "show-url")
    assert f"number {number}" in shown["text"]
    assert line.next()["question"] == "paste-url"
    assert visit(idp.browse(shown["url"])).status == 200
    assert done(line)["result"] == "ok"
    assert helper.record()["flow"] == "browser"


def test_a_flow_that_policy_blocks_is_the_end_without_another(helper, idp):
    helper.start()
    idp.fault("device", "http_error", status=400, error="invalid_grant",
              error_codes=[53003], error_description="AADSTS53003: no.")
    with helper.connect().send("sign-in", account=JO) as line:
        assert "53003" in done(line)["text"]


def test_a_person_who_says_no_is_asked_no_more(helper, idp):
    helper.configure(authorization_endpoint=f"{idp.url}/authorize")
    helper.start()
    line = helper.connect().send("sign-in", account=JO)
    idp.deny(line.next()["user-code"])
    assert done(line)["result"] == "login-needed"


def test_the_flow_of_the_earlier_sign_in_is_taken_again(helper, idp):
    """Also where the provider's own would be another."""
    helper.configure(authorization_endpoint=f"{idp.url}/authorize",
                     flow="browser")
    helper.seed()
    helper.start()
    with helper.connect().send("sign-in", account=JO) as line:
        shown = line.next()
    assert shown["event"] == "show-code"
    assert "that of the earlier sign-in" in shown["text"]
    wait_for(lambda: helper.connect().send(
        "sign-in", account=JO, flow="browser").next().get("event") ==
        "show-url")


def test_a_flow_that_is_gone_is_not_taken_again(helper, idp):
    helper.configure(authorization_endpoint=f"{idp.url}/authorize",
                     device_authorization_endpoint=None)
    helper.seed()
    helper.start()
    with helper.connect().send("sign-in", account=JO) as line:
        assert line.next()["event"] == "show-url"
