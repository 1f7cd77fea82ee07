# SPDX-License-Identifier: BSD-2-Clause
"""90: the client's secret goes as the server wants it (RFC 6749, 2.3.1)."""

import pytest

from bed_app import configure, put_secret
from idp import Fault
from test_discovery import known_by_issuer
from test_helper_signin import JO, sign_in

# A colon, a blank and what looks encoded: both parts are form-encoded.
CLIENT = "mail:app 1"
SECRET = "s%41:e c+r&e=t"


@pytest.fixture
def basic(helper, idp):
    """A helper whose client must use HTTP Basic, with endpoints by hand."""
    helper.secrets_kept = []
    idp.add_client(CLIENT, SECRET, ways=("basic",))
    helper.provider.update(
        client_id=CLIENT, revocation_endpoint=f"{idp.url}/revoke",
        client_secret_file=put_secret(helper, "secret", SECRET))
    helper.configure()
    return helper


def sent(idp, *endpoints):
    """How the secret went, each time: "post", "basic"."""
    return ["post" if "client_secret" in r.form else
            r.headers.get("authorization", "none").partition(" ")[0].lower()
            for r in idp.requests if r.endpoint in endpoints]


def test_90_metadata_tells_the_way(basic, idp):
    idp.set(discovery={"token_endpoint_auth_methods_supported":
                       ["private_key_jwt", "client_secret_basic"]})
    known_by_issuer(basic)
    basic.start()
    assert sign_in(basic)["result"] == "ok"
    assert basic.ask("refresh", account=JO)["result"] == "ok"
    assert idp.refusals() == []
    assert set(sent(idp, "device", "token")) == {"basic"}
    assert not any("client_id" in r.form for r in idp.requests
                   if r.endpoint == "token")


def test_90_metadata_with_both_means_the_form(helper, idp):
    helper.secrets_kept = []
    helper.provider.update(client_id="mail-web", client_secret_file=put_secret(
        helper, "secret", idp.client_secret))
    known_by_issuer(helper)
    helper.start()
    assert sign_in(helper)["result"] == "ok"
    assert set(sent(idp, "device", "token")) == {"post"}
    # It said that the form will do: a refusal is one.
    idp.fault("token", "http_error", status=401, error="invalid_client")
    assert helper.ask("refresh", account=JO)["result"] == "config-error"
    assert [b"client_secret=" in r.body for r in idp.requests][-1]
    assert "authorization" not in list(idp.requests)[-1].headers
    assert idp.counts["refresh_token"] == 1


def test_90_a_server_that_tells_nothing_is_asked_both_ways_once(basic, idp):
    basic.start()
    assert sign_in(basic)["result"] == "ok"
    assert idp.refusals() == ["client_secret sent the other way"]
    assert basic.record()["client-secret-basic"] == "1"
    basic.restart()
    assert basic.ask("refresh", account=JO)["result"] == "ok"
    assert len(idp.refusals()) == 1
    assert basic.ask("forget", account=JO, revoke="yes")["revoked"] == "yes"
    assert len(idp.refusals()) == 1
    assert set(sent(idp, "revoke")) == {"basic"}


def test_90_a_refresh_token_is_rotated_once(basic, idp):
    seeded = idp.seed(JO, client_id=CLIENT, scope="mail offline_access")
    basic.seed(age=4000, seeded=seeded, client_id=CLIENT)
    basic.start()
    assert basic.token()["result"] == "ok"
    assert sent(idp, "token") == ["post", "basic"]
    assert idp.counts["refresh_reuse"] == 0
    assert basic.record()["refresh-token"] == idp.current_refresh(JO)
    assert basic.ask("refresh", account=JO)["result"] == "ok"
    assert sent(idp, "token") == ["post", "basic", "basic"]


@pytest.mark.parametrize("fault, times", [
    (Fault(status=401, headers={"WWW-Authenticate": 'basic realm="x"'}), 2),
    (Fault(status=401, body=b'{"error":"invalid_client"}'), 2),
    (Fault(status=401, body=b'{"error":"invalid_grant"}'), 1),
    (Fault(status=401), 1),
    (Fault(status=400, body=b'{"error":"invalid_client"}'), 1),
    (Fault(status=503, headers={"WWW-Authenticate": "Basic"}), 1),
    (Fault(close="before"), 1), (Fault(close="after"), 1),
    (Fault(close="half"), 1)])
def test_90_only_a_refused_client_sends_again(basic, idp, fault, times):
    seeded = idp.seed(JO, client_id=CLIENT, scope="mail offline_access")
    basic.seed(age=4000, seeded=seeded, client_id=CLIENT)
    basic.start()
    idp.fault("token", fault)
    basic.token()
    assert idp.counts["token"] == times


def test_90_a_wrong_secret_is_tried_both_ways_and_then_rests(basic, idp):
    idp.add_client(CLIENT, "another", ways=("basic",))
    seeded = idp.seed(JO, client_id=CLIENT, scope="mail offline_access")
    basic.seed(age=4000, seeded=seeded, client_id=CLIENT)
    basic.start()
    for _ in range(3):
        assert basic.token()["result"] == "config-error"
    assert idp.refusals() == ["client_secret sent the other way",
                              "client_secret wrong"]


def test_90_a_server_that_no_longer_takes_basic_gets_the_form(basic, idp):
    basic.start()
    assert sign_in(basic)["result"] == "ok"
    idp.store.clients[CLIENT].ways = ("post",)
    assert basic.ask("refresh", account=JO)["result"] == "ok"
    assert "client-secret-basic" not in basic.record()


def test_90_a_registration_tells_the_way(helper, idp):
    idp.set(register_secret=True, register_way="basic",
            discovery={"token_endpoint_auth_methods_supported": None})
    helper.provider.update(client_id=None, scope=None)
    known_by_issuer(helper)
    helper.start()
    assert sign_in(helper)["result"] == "ok"
    helper.restart()
    assert helper.ask("refresh", account=JO)["result"] == "ok"
    assert sign_in(helper)["result"] == "ok"
    assert idp.refusals() == []


def test_90_an_application_for_itself_does_it_too(basic, idp):
    idp.add_client("relay-app", SECRET, ways=("basic",))
    configure(basic, revocation_endpoint=None)
    basic.start()
    for _ in range(2):
        assert basic.ask("refresh",
                         account="relay@example.org")["result"] == "ok"
    assert sent(idp, "token") == ["post", "basic", "basic"]
