# SPDX-License-Identifier: BSD-2-Clause
"""Whether a provider can be reached and knows its client, step by step."""

import secrets
import shutil
from pathlib import Path

import pytest

from bed import wait_for
from bed_app import APP, Keys, configure, openssl, put_secret
from proxy import Proxy

CHECKS = ["dns", "connect", "tls", "clock", "client"]


def probe(bed, **attributes):
    """The checks by name, in order, each with outcome and text."""
    with bed.connect() as line:
        *checks, end = line.send("probe", **attributes).rest()
    assert end["result"] == "ok", end
    assert [c["check"] for c in checks] == CHECKS
    return {c["check"]: (c["outcome"], c["text"]) for c in checks}


def is_only(checks, name, outcome):
    """The text of the one that failed: those before are well, those after
    are not run."""
    at = CHECKS.index(name)
    assert [o for o, _text in checks.values()] == (
        ["ok"] * at + [outcome] + ["not-run"] * (len(CHECKS) - at - 1)), checks
    for later in CHECKS[at + 1:]:
        assert checks[later][1] == f"not run: needs {name}"
    return checks[name][1]


def is_refused(bed, number, **attributes):
    """The client is what is wrong; with which words."""
    text = is_only(probe(bed, **attributes), "client", "config-error")
    assert str(number) in text
    return text


def at_microsoft(bed, **more):
    """The bed's provider in Microsoft's shape."""
    base = bed.idp.tenant_url("contoso")
    bed.configure(preset="microsoft", tenant="contoso",
                  token_endpoint=f"{base}/token",
                  device_authorization_endpoint=f"{base}/devicecode", **more)
    return bed


def test_all_is_well_and_nothing_is_left(helper, idp):
    helper.start()
    checks = probe(helper, provider="test")
    assert [o for o, _text in checks.values()] == ["ok"] * 5
    assert "127.0.0.1" in checks["dns"][1] or "::1" in checks["dns"][1]
    assert " seconds off " in checks["clock"][1]
    # One question that says nothing, one for a code that nobody polls for.
    assert [(r.endpoint, r.method) for r in idp.requests] == [
        ("token", "GET"), ("device", "POST")]
    assert helper.ask("status")["result"] == "ok"


def test_each_check_says_where(helper, idp):
    with helper.start().connect() as line:
        *checks, _end = line.send("probe", provider="test").rest()
    assert {c["server"] for c in checks} == {f"localhost:{idp.port}"}


def test_the_only_provider_needs_no_name(helper):
    assert probe(helper.start())["client"][0] == "ok"


def test_unknown_client_is_refused(helper):
    helper.configure(client_id="nobody-knows")
    text = is_refused(helper.start(), "invalid_client")
    assert "check client_id" in text


@pytest.mark.parametrize("number, words", [
    (700016, "client_id is not known in this tenant"),
    (90002, "the tenant does not exist")])
def test_microsofts_numbers_are_told(helper, idp, number, words):
    at_microsoft(helper).start()
    idp.fault("device", "aadsts", number=number)
    assert words in is_refused(helper, number)


def test_another_client_is_tried_before_it_is_written(helper):
    helper.start()
    text = is_refused(helper, "invalid_client", provider="test",
                      client_id="nobody-knows", issuer=helper.idp.url)
    assert "check client_id" in text
    assert probe(helper, provider="test", client_id="mail-app",
                 issuer=helper.idp.url)["client"][0] == "ok"


def test_what_else_the_block_says_counts(helper, idp):
    place = Path(helper.path("authorities"))
    place.mkdir(mode=0o755)
    shutil.copy(idp.ca_file, place / "ca.pem")
    (place / "ca.pem").chmod(0o644)
    openssl("rehash", place)
    helper.configure(ca_file=None, ca_path=place)
    helper.start()
    assert probe(helper, provider="test", client_id="mail-app")[
        "client"][0] == "ok"
    is_refused(helper, "invalid_client", provider="test", client_id="nobody")
    at_microsoft(helper, ca_file=None, ca_path=place)
    assert helper.ask("reload")["result"] == "ok"
    for more in ({}, {"client_id": "mail-app"}):
        assert probe(helper, provider="test", tenant="contoso", **more)[
            "client"][0] == "ok"


def test_a_blocks_cloud_counts(helper):
    with Proxy(status=407) as proxy:
        helper.configure(preset="microsoft", cloud="china", tenant="contoso",
                         token_endpoint=None, proxy=proxy.url,
                         device_authorization_endpoint=None)
        helper.start()
        for more in ({"client_id": "x"}, {"tenant": "fabrikam"}):
            is_only(probe(helper, provider="test", **more), "connect",
                    "try-later")
        assert {target for _, target in proxy.targets} == {
            "login.partner.microsoftonline.cn:443"}


def test_another_issuer_is_tried(helper):
    helper.start()
    text = is_only(probe(helper, provider="test",
                         issuer="https://no-such-host.invalid"),
                   "dns", "try-later")
    assert "no-such-host.invalid" in text


def test_a_secret_is_looked_at(helper, idp):
    helper.secrets_kept = []
    helper.configure(client_id="mail-web", client_secret_file=put_secret(
        helper, "secret", idp.client_secret))
    assert probe(helper.start())["client"][0] == "ok"
    assert [r.endpoint for r in idp.requests] == ["token", "device", "token"]


@pytest.mark.parametrize("device", [True, False])
def test_a_wrong_secret_is_found(helper, device):
    helper.secrets_kept = []
    more = {} if device else {
        "device_authorization_endpoint": None,
        "authorization_endpoint": f"{helper.idp.url}/authorize"}
    helper.configure(client_id="mail-web", client_secret_file=put_secret(
        helper, "secret", secrets.token_urlsafe(20)), **more)
    assert "check client_id and the client secret" in is_refused(
        helper.start(), "invalid_client")


@pytest.mark.parametrize("number", [7000215, 7000222])
def test_microsofts_secrets_are_found(helper, idp, number):
    helper.secrets_kept = []
    at_microsoft(helper, client_secret_file=put_secret(
        helper, "secret", idp.client_secret)).start()
    idp.fault("token", "aadsts", number=number, grant_type="refresh_token",
              times=None)
    assert "secret" in is_refused(helper, number)


def test_a_client_without_device_code_is_asked_by_a_made_up_grant(helper,
                                                                   idp):
    helper.configure(device_authorization_endpoint=None,
                     authorization_endpoint=f"{idp.url}/authorize")
    assert probe(helper.start())["client"][0] == "ok"
    assert idp.refusals()[-1] == "unknown refresh token"
    helper.configure(device_authorization_endpoint=None, client_id="nobody",
                     authorization_endpoint=f"{idp.url}/authorize")
    assert helper.ask("reload")["result"] == "ok"
    is_refused(helper, "invalid_client")


def test_an_application_is_tried_for_real(helper, idp, tmp_path):
    helper.secrets_kept = []
    secret = secrets.token_urlsafe(30)
    idp.add_client(APP, secret)
    configure(helper, client_secret_file=put_secret(helper, "secret", secret))
    text = probe(helper.start())["client"]
    assert text == ("ok", f"localhost:{idp.port} gave the application a "
                    "token")
    idp.add_client(APP, secrets.token_urlsafe(30))
    is_refused(helper, "invalid_client")


def test_a_service_account_is_tried_for_a_mailbox(helper, idp, tmp_path):
    helper.secrets_kept = []
    text, public = Keys(tmp_path).service_account()
    idp.store.service_accounts["relay@mail.iam.example"] = {
        "kid": "key-1", "public": public, "users": ["jo@example.org"],
        "scopes": ["https://mail.example/"]}
    configure(helper, flow="service-account", client_id=None,
              scope=["https://mail.example/"],
              service_account_file=put_secret(helper, "service.json", text))
    helper.start()
    assert probe(helper, account="jo@example.org")["client"][0] == "ok"
    is_refused(helper, "Invalid email or User ID", account="x@example.org")
    is_refused(helper, "Invalid email or User ID")  # for itself


def test_a_proxy_is_the_way(helper):
    with Proxy() as proxy:
        helper.configure(proxy=proxy.url)
        assert probe(helper.start())["client"][0] == "ok"
        assert len(proxy.targets) == 2
    with Proxy(status=407) as proxy:
        helper.configure(proxy=proxy.url)
        assert helper.ask("reload")["result"] == "ok"
        text = is_only(probe(helper), "connect", "try-later")
        assert "the proxy refused" in text
        assert text.endswith('a name and a password, in "proxy"')


def test_name_that_is_not_known(helper):
    helper.configure(token_endpoint="https://no-such-host.invalid/token")
    text = is_only(probe(helper.start()), "dns", "try-later")
    assert "getent ahosts no-such-host.invalid" in text


def test_connection_refused(helper, idp):
    helper.start()
    idp.stop()
    text = is_only(probe(helper), "connect", "try-later")
    assert "Connection refused" in text and "proxy" in text


@pytest.mark.parametrize("way, words", [
    ("untrusted", "check ca_file"), ("expired", "expired"),
    ("wrong-name", "another name")])
def test_certificate_that_is_not_accepted(helper, idp, way, words):
    helper.start()
    idp.stop()
    idp.start(tls=way, port=idp.port)
    assert words in is_only(probe(helper), "tls", "config-error")


def test_clock_of_this_machine_is_wrong(clocked, tmp_path):
    bed = clocked.start()
    for seconds, words in ((-3600, " seconds behind "),
                           (7200, " seconds ahead of ")):
        bed.clock.wall(seconds)
        checks = probe(bed)
        assert checks["clock"][0] == "config-error"
        assert words in checks["clock"][1]
        assert "timedatectl set-ntp true" in checks["clock"][1]
        assert checks["client"][0] == "ok"


def test_an_assertion_hangs_on_the_clock(clocked, tmp_path):
    bed = clocked
    bed.secrets_kept = []
    cert, key = Keys(tmp_path).certificate()
    bed.idp.add_client(APP, certificate=cert)
    shutil.copy(cert, bed.path("app.crt"))
    configure(bed, certificate=bed.path("app.crt"), certificate_key=put_secret(
        bed, "app.key", Path(key).read_text()))
    assert probe(bed.start())["client"][0] == "ok"
    bed.clock.wall(-3600)
    is_only(probe(bed), "clock", "config-error")


def test_an_issuer_is_asked_for_its_endpoints(helper, idp):
    helper.configure(token_endpoint=None, issuer=idp.url,
                     device_authorization_endpoint=None)
    assert probe(helper.start())["client"][0] == "ok"
    assert [r.endpoint for r in idp.requests] == [
        "unknown", "discovery", "device"]
    assert probe(helper)["client"][0] == "ok"     # what is known is kept


def test_an_issuer_without_metadata_is_told(helper, idp):
    helper.configure(token_endpoint=None, issuer=idp.url,
                     device_authorization_endpoint=None)
    idp.fault("discovery", "http_error", status=404, times=None)
    text = is_only(probe(helper.start()), "client", "try-later")
    assert "the endpoints of the issuer" in text


def test_who_registers_at_the_sign_in_has_no_client_yet(helper, idp):
    helper.configure(token_endpoint=None, issuer=idp.url, client_id=None,
                     device_authorization_endpoint=None)
    assert probe(helper.start())["client"] == (
        "not-run", "not run: the provider gives a client id at the sign-in")
    assert idp.counts["register"] == 0


def test_unknown_names_are_refused(helper):
    helper.start()
    assert helper.ask("probe", provider="nobody")["result"] == "config-error"
    answer = helper.ask("probe", provider="nobody", client_id="x")
    assert answer["result"] == "config-error"
    assert "no preset 'nobody'" in answer["text"]
    assert helper.ask("probe", client_id="x")["result"] == "bad-request"
    answer = helper.ask("probe", provider="microsoft", client_id="...")
    assert answer["result"] == "bad-request"
    assert "client_id" in answer["text"]


def test_who_is_no_admin_is_refused(helper, root):
    assert helper.start().ask("probe", uid=2)["result"] == "denied"


def test_a_helper_without_configuration_tries_what_is_to_be_written(
        helper, idp, root):
    helper.configure(more="this is no line of it")
    helper.start()
    assert helper.token()["result"] == "config-error"
    answer = helper.ask("probe", provider="test")
    assert answer["result"] == "config-error"
    with helper.connect() as line:
        dns, *_rest = line.send("probe", issuer="https://a.invalid",
                                client_id="x").rest()
    assert (dns["check"], dns["outcome"]) == ("dns", "try-later")


def test_hanging_up_ends_it(helper, idp):
    helper.start()
    with idp.holding("device"):
        line = helper.connect().send("probe", provider="test")
        assert line.until(lambda a: a["check"] == "clock")
        line.close()
        helper.wait_log("outcome=cancelled")
    assert helper.process.poll() is None


def test_many_run_side_by_side_and_the_ninth_is_busy(helper, idp):
    helper.start()
    with idp.holding("device"):
        lines = [helper.connect().send("probe") for _ in range(8)]
        for line in lines:
            line.until(lambda a: a["check"] == "clock")
        assert helper.ask("probe")["result"] == "busy"
        # It is in nobody's way.
        helper.seed()
        assert helper.token()["result"] == "ok"
    for line in lines:
        assert line.next()["outcome"] == "ok"
    wait_for(lambda: helper.ask("probe")["result"] == "ok")


def test_stopping_ends_it(helper, idp):
    helper.start()
    with idp.holding("device"):
        line = helper.connect().send("probe")
        line.until(lambda a: a["check"] == "clock")
        helper.signal()
        assert line.next()["result"] == "try-later"
        assert helper.wait() == 0


def test_provider_that_says_nothing_is_waited_for_ten_seconds(helper, idp):
    helper.start()
    idp.fault("token", "silent")
    text = is_only(probe(helper), "clock", "try-later")
    assert "did not answer within 10 seconds" in text


@pytest.mark.slow
def test_it_ends_after_25_seconds(helper, idp):
    helper.configure(device_authorization_endpoint=None,
                     authorization_endpoint=f"{idp.url}/authorize")
    helper.start()
    idp.fault("token", "silent", grant_type="refresh_token")
    text = is_only(probe(helper), "client", "timeout")
    assert "did not answer within 25 seconds" in text
