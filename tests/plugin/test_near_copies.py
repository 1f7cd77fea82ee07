# SPDX-License-Identifier: BSD-2-Clause
"""A mail server that repeats the token, or nearly, gets it into no log."""

import base64
import json
import secrets

import pytest

from copies import copies, shown_of

ALICE = "alice@example.com"
HIDDEN = "(hidden: it repeats a secret)"
TOKEN = secrets.token_urlsafe(60)
SENT = f"user={ALICE}\1auth=Bearer {TOKEN}\1\1"
NEAR = {**copies(TOKEN),
        "what was sent": base64.b64encode(SENT.encode()).decode(),
        "in characters": "".join(f"\\u{ord(c):04x}" for c in TOKEN)}


@pytest.fixture
def token_helper(helper):
    """It gives out a token that is worth to be hidden."""
    for _ in range(2):
        helper.add("token", token=TOKEN)
    return helper


@pytest.mark.parametrize("mech", ["XOAUTH2", "OAUTHBEARER"])
@pytest.mark.parametrize("kind", NEAR)
def test_a_challenge_that_nearly_repeats_the_token_is_not_shown(
        token_helper, host, kind, mech):
    challenge = '{"status":"401","mrk":"%s"}' % NEAR[kind]
    run = host.run(user=ALICE, mechs=mech, challenges=[challenge.encode()])
    report, = token_helper.wait_request(verb="rejected")
    assert report.get("challenge") == HIDDEN
    assert HIDDEN in run.detail
    said = run.detail + json.dumps(report.attributes) + \
        "\n".join(run.all("log"))
    assert "mrk" not in said and not shown_of([TOKEN], said)


def test_a_challenge_that_does_not_is_shown(token_helper, host):
    challenge = '{"status":"401","mrk":"%s"}' % TOKEN[:10]
    run = host.run(user=ALICE, challenges=[challenge.encode()])
    report, = token_helper.wait_request(verb="rejected")
    assert report.get("challenge") == challenge
    assert "mrk" in run.detail
