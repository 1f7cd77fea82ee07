# SPDX-License-Identifier: BSD-2-Clause
"""Who signed in, where only the provider's userinfo endpoint says it."""

import json
import os
import subprocess

import pytest

import paths
from bed import DEADLINE_S
from browser import visit
from test_helper_browser import begin as begin_browser
from test_discovery import issuer, known_by_issuer   # noqa: F401
from test_helper_signin import ANN, JO, begin, done, sign_in

NO_NAME = {"email": None, "preferred_username": None}
UNKNOWN = "does not say who"


@pytest.fixture
def nameless(issuer, idp):     # noqa: F811
    """A helper whose provider tells names at userinfo alone; it runs."""
    idp.set(id_token=False)
    return issuer.start()


def came(bed, user=JO, claims=None):
    """What the helper says when user signs in for jo."""
    line, code = begin(bed)
    bed.idp.approve(code, user, claims)
    with line:
        return line.until(lambda a: a.get("event") in ("done", "ask"))


def asked(idp):
    """The requests at the userinfo endpoint."""
    return [r for r in idp.requests if r.endpoint == "userinfo"]


def test_the_endpoint_is_asked_once_with_the_token(nameless, idp):
    answer = came(nameless)
    assert (answer["result"], answer["identity"]) == ("ok", JO)
    assert "warning" not in answer
    request, = asked(idp)
    assert request.method == "GET"
    record = nameless.record()
    assert request.headers["authorization"] == \
        f"Bearer {record['access-token']}"
    assert record["identity"] == JO
    # Nobody signs in at a refresh.
    assert nameless.ask("refresh", account=JO)["result"] == "ok"
    assert len(asked(idp)) == 1


def test_a_wrong_person_is_known_and_asked_about(nameless):
    question = came(nameless, ANN)
    assert (question["event"], question["identity"]) == ("ask", ANN)


def test_a_wrong_person_without_a_terminal_is_refused(nameless, idp):
    process = subprocess.Popen(
        [paths.program("mailtoken"), "--socket", nameless.socket, "login", JO,
         "--flow", "device"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True)
    for line in process.stdout:
        if line.startswith("user-code="):
            idp.approve(line.strip().partition("=")[2], ANN)
            break
    _, err = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 1, err
    assert "somebody else signed in" in err
    assert os.listdir(nameless.keyring) == [".lock"]


def test_a_browser_waits_for_that_too(issuer, idp):     # noqa: F811
    idp.set(id_token=False, browser_user=ANN)
    known_by_issuer(issuer, flow="browser").start()
    line, url, _ = begin_browser(issuer)
    assert visit(idp.browse(url)).status == 200
    question = line.next()
    assert (question["question"], question["identity"]) == ("other-user", ANN)


def test_an_id_token_with_a_name_is_enough(issuer, idp):     # noqa: F811
    issuer.start()
    assert came(issuer)["identity"] == JO
    assert asked(idp) == []


def test_an_id_token_without_a_name_needs_its_own_subject(
        issuer, idp):     # noqa: F811
    issuer.start()
    idp.set(userinfo={"email": ANN})
    assert came(issuer, claims=NO_NAME)["identity"] == ANN
    for sub in ("another", None, 7):
        idp.set(userinfo={"email": ANN, "sub": sub})
        answer = came(issuer, claims=NO_NAME)
        assert answer["result"] == "ok"
        assert UNKNOWN in answer["warning"], sub


@pytest.mark.parametrize("kind, more", [
    ("http_error", {"status": 403, "error": "insufficient_scope"}),
    ("http_error", {"status": 500}), ("lost_answer", {}),
    ("html", {}), ("huge", {}), ("reset_half", {}), ("malformed", {}),
    ("redirect", {"url": "https://localhost:1/"}),
])
def test_a_failure_is_as_if_nobody_could_be_asked(nameless, idp, kind, more):
    idp.fault("userinfo", kind, times=9, **more)
    answer = came(nameless)
    assert answer["result"] == "ok"
    assert UNKNOWN in answer["warning"]
    assert len(asked(idp)) == 1
    assert "identity" not in nameless.record()
    assert nameless.token()["result"] == "ok"


def test_the_token_in_place_of_a_name_is_not_shown(nameless, idp):
    idp.set(access_length=200)
    line, code = begin(nameless)
    with idp.holding("userinfo"):
        idp.approve(code, JO)
        request, = idp.wait_request("userinfo")
        token = request.headers["authorization"].partition(" ")[2]
        idp.set(userinfo={**NO_NAME, "email": token})
    with line:
        answer = line.until(lambda a: a.get("event") in ("done", "ask"))
    assert UNKNOWN in answer["warning"]
    assert token not in json.dumps(answer)


def test_hanging_up_meanwhile_stores_nothing(nameless, idp):
    line, code = begin(nameless)
    with idp.holding("userinfo"):
        idp.approve(code, JO)
        idp.wait_request("userinfo")
        line.close()
        assert nameless.token()["result"] == "unknown-account"
    assert sign_in(nameless)["result"] == "ok"
