# SPDX-License-Identifier: BSD-2-Clause
"""An address without TLS is refused wherever it stands, and nothing is sent
there."""


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
    answer = helper.ask("import", account=JO, provider="import:x",
                        flow="import", **{
                            "refresh-token": "x" * 40, "client-id": "x",
                            "token-host": f"localhost:{plain.port}",
                            "token-endpoint": f"{plain.url}/token"})
    assert answer["result"] == "config-error"
    assert "token_endpoint must be 'https://'" in answer["text"]
    assert helper.token()["result"] == "unknown-account"
    assert len(plain.requests) == 0
