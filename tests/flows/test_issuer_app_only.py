# SPDX-License-Identifier: BSD-2-Clause
"""Applications that sign in for themselves, and clients of other programs,
at a provider of which the configuration has the issuer and no endpoint."""

import secrets
import subprocess

import pytest

import paths
from bed import wait_for
from bed_app import put_secret
from test_app_only import (ANN, JO, bed, exchanges, is_clean,  # noqa: F401
                           keys, moved, with_assertion, with_certificate,
                           with_secret, with_service_account)
from test_discovery import asked
from test_import import FOREIGN, sasl_xoauth2, token_file

STRANGER = 4900


@pytest.fixture(params=["secret", "certificate", "assertion", "service"])
def kind(request):
    """What the application signs in with."""
    return request.param


def by_issuer(bed, keys, kind="secret", **more):            # noqa: F811
    """A bed whose application knows its provider's issuer alone."""
    bed.provider.update(token_endpoint=None, issuer=bed.idp.url)
    if kind == "certificate":
        return with_certificate(bed, keys, **more)
    if kind == "assertion":
        return with_assertion(bed)
    if kind == "service":
        return with_service_account(bed, keys)
    return with_secret(bed, **more)


def test_every_kind_of_application_gets_its_token(bed, keys, kind):  # noqa
    by_issuer(bed, keys, kind).start()
    answer = bed.token()
    assert answer["result"] == "ok", (answer, bed.log())
    assert [r.path for r in exchanges(bed)] == ["/token"]
    assert asked(bed.idp) == ["/.well-known/openid-configuration"]
    assert is_clean(bed)


def test_the_flow_need_not_be_written(bed, keys):           # noqa: F811
    by_issuer(bed, keys, "certificate", flow=None).start()
    assert bed.token()["result"] == "ok", bed.log()


def test_a_second_token_needs_no_second_discovery(bed, keys):    # noqa: F811
    by_issuer(bed, keys).start()
    assert bed.token()["result"] == "ok"
    assert bed.ask("refresh", account=ANN)["result"] == "ok"
    assert len(exchanges(bed)) == 2 and len(asked(bed.idp)) == 1


def test_check_says_good(bed, keys, kind):                  # noqa: F811
    by_issuer(bed, keys, kind)
    run = subprocess.run(
        [str(paths.program("mailtokend")), "--config", bed.config,
         "--keyring", bed.keyring, "--user", bed.user.pw_name, "--check"],
        capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("fault, words", [
    ({"kind": "http_error", "status": 503}, "cannot be learned"),
    ({"kind": "html"}, "HTML page")])
def test_discovery_that_fails_is_for_later_and_says_why(
        bed, keys, kind, fault, words):                     # noqa: F811
    by_issuer(bed, keys, kind)
    bed.idp.fault("discovery", times=None, **fault)
    bed.start()
    answer = bed.token()
    assert answer["result"] == "try-later", answer
    assert words in answer["text"] and bed.idp.url in answer["text"]
    assert bed.status()["state"] == "backoff"
    assert words in bed.status()["text"]
    assert exchanges(bed) == []


def test_discovery_that_heals_is_noticed(moved, keys):      # noqa: F811
    by_issuer(moved, keys)
    moved.idp.fault("discovery", "http_error", times=None, status=503)
    moved.start()
    assert moved.token()["result"] == "try-later"
    moved.idp.clear_faults()
    moved.clock.both(3600)
    wait_for(lambda: moved.token()["result"] == "ok")


def test_last_good_copy_serves_while_the_issuer_is_down(moved, keys):  # noqa
    by_issuer(moved, keys).start()
    assert moved.token()["result"] == "ok"
    moved.idp.fault("discovery", "http_error", times=None, status=503)
    moved.clock.both(25 * 3600)
    moved.idp.advance(25 * 3600)
    assert moved.token()["result"] == "ok"
    assert len(exchanges(moved)) >= 2


def test_what_another_issuer_says_is_not_used(bed, keys, kind):  # noqa: F811
    by_issuer(bed, keys, kind)
    bed.idp.set(discovery={"issuer": "https://elsewhere.example"})
    bed.start()
    answer = bed.token()
    assert answer["result"] == "try-later"
    assert "another issuer" in answer["text"]
    assert exchanges(bed) == []


def test_a_reload_keeps_the_token(bed, keys, kind):         # noqa: F811
    by_issuer(bed, keys, kind).start()
    first = bed.token()
    assert first["result"] == "ok"
    assert bed.ask("reload")["result"] == "ok"
    assert bed.token()["token"] == first["token"]
    assert len(exchanges(bed)) == 1


def test_a_reload_with_another_issuer_drops_it(bed, keys):  # noqa: F811
    by_issuer(bed, keys).start()
    first = bed.token()
    bed.idp.set(discovery={"issuer": bed.idp.url + "/b"})
    with_secret(bed, issuer=bed.idp.url + "/b")
    assert bed.ask("reload")["result"] == "ok"
    again = bed.token()
    assert again.get("token") != first["token"], again


def test_a_refused_secret_is_a_config_error(bed, keys):     # noqa: F811
    by_issuer(bed, keys)
    bed.idp.add_client("relay-app", "this is not what the file has")
    bed.start()
    answer = bed.token()
    assert answer["result"] == "config-error"
    assert "client secret" in answer["text"]


def test_who_may_ask_is_the_same_as_with_endpoints(root, bed, keys):  # noqa
    by_issuer(bed, keys, more=(
        f"account {JO}\n    provider test\n    allow 4800"))
    bed.start()
    assert bed.token(uid=4800)["result"] == "ok"
    assert bed.token(uid=STRANGER)["result"] == "unknown-account"
    assert bed.token(ANN)["result"] == "unknown-account"


def test_sign_in_says_that_none_is_needed(bed, keys, kind):  # noqa: F811
    by_issuer(bed, keys, kind).start()
    answer = bed.ask("sign-in", account=JO)
    assert (answer["event"], answer["result"]) == ("done", "ok"), answer


@pytest.mark.parametrize("missing, words", [
    ("client_id", "client_id is missing"),
    ("client_secret_file", "client_secret_file is missing")])
def test_what_is_missing_is_said_before_anybody_asks(
        bed, keys, missing, words):                         # noqa: F811
    by_issuer(bed, keys)
    if missing == "client_id":
        with_secret(bed, client_id=None)
    else:
        bed.configure(flow="client-credentials", client_id="relay-app",
                      device_authorization_endpoint=None,
                      more=f"account {JO}\n    provider test")
    bed.start()
    answer = bed.token()
    assert answer["result"] == "config-error"
    assert words in answer["text"]
    assert asked(bed.idp) == []


@pytest.mark.parametrize("block_first", [True, False])
def test_block_with_an_issuer_takes_an_imported_client_over(
        helper, idp, block_first):
    old, new = (secrets.token_urlsafe(30) for _ in range(2))
    idp.add_client(FOREIGN, old)
    helper.secret = old
    path = token_file(helper)

    def use(secret):
        put_secret(helper, "secret", secret)
        helper.provider.update(
            token_endpoint=None, issuer=idp.url,
            device_authorization_endpoint=None, client_id=FOREIGN,
            client_secret_file=helper.path("secret"))
        helper.secrets_kept = []
        helper.configure(provider_name="work")

    helper.secrets_kept = []
    if block_first:
        use(old)
    helper.start()
    sasl_xoauth2(helper, "--server", "localhost", path)
    assert helper.ask("refresh", account=JO)["result"] == "ok"
    idp.add_client(FOREIGN, new)
    use(new)
    assert helper.ask("reload")["result"] == "ok"
    assert helper.ask("refresh", account=JO)["result"] == "ok", helper.log()
    with helper.connect() as line:
        shown = [a.get("account") for a in line.send("status").rest()]
    assert shown == [JO, None]


def test_imported_grant_does_not_follow_an_issuer_elsewhere(helper, idp):
    helper.secret = secrets.token_urlsafe(30)
    idp.add_client(FOREIGN, helper.secret)
    path = token_file(helper)
    helper.start()
    sasl_xoauth2(helper, "--server", "localhost", path)
    assert helper.ask("refresh", account=JO)["result"] == "ok"
    before = len(exchanges(helper))
    idp.set(discovery={"token_endpoint": "https://other.example/token"})
    helper.secrets_kept = []
    helper.configure(provider_name="work", token_endpoint=None,
                     issuer=idp.url, client_id=FOREIGN,
                     client_secret_file=put_secret(helper, "secret",
                                                   helper.secret),
                     device_authorization_endpoint=None)
    assert helper.ask("reload")["result"] == "ok"
    answer = helper.ask("refresh", account=JO)
    assert answer["result"] == "config-error"
    assert "other.example" in answer["text"]
    assert len(exchanges(helper)) == before
