# SPDX-License-Identifier: BSD-2-Clause
"""An address without TLS is refused wherever it stands, and nothing is sent
there."""

import base64
import json

import pytest

from idp import Idp

JO = "jo@example.org"
KEYS = ("issuer", "token_endpoint", "device_authorization_endpoint",
        "authorization_endpoint", "revocation_endpoint",
        "registration_endpoint")


@pytest.fixture
def plain(authority_directory):
    """A provider that speaks HTTP only."""
    with Idp(authority_directory).start("plain") as provider:
        yield provider


@pytest.mark.parametrize("key", KEYS)
def test_a_configured_address_without_tls_is_refused(helper, idp, plain, key):
    helper.configure(**{key: f"{plain.url}/token"})
    helper.seed(age=4000)
    helper.start()
    for verb in ("token", "sign-in", "refresh"):
        with helper.connect() as line:
            answer = line.send(verb, account=JO, server="localhost").next()
        assert answer["result"] == "config-error", answer
        assert f"{key} must be 'https://'" in answer["text"]
    assert len(plain.requests) == len(idp.requests) == 0


def test_an_imported_address_without_tls_is_refused(helper, plain):
    helper.start()
    data = json.dumps({"refresh_token": "x" * 40, "user": JO,
                       "client_id": "mail-app", "client_secret": "",
                       "token_endpoint": f"{plain.url}/token"}).encode()
    answer = helper.ask("import", account=JO, format="sasl-xoauth2",
                        data=base64.b64encode(data).decode())
    assert answer["text"] == "its token_endpoint is no https URL"
    assert helper.token()["result"] == "unknown-account"
    assert len(plain.requests) == 0
