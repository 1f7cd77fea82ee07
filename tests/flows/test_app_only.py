# SPDX-License-Identifier: BSD-2-Clause
"""Applications that sign in for themselves: secrets, certificates,
assertions of others, service accounts."""

import os
import secrets
import shutil
import time
from pathlib import Path

import pytest

from bed import wait_for, write_file
from bed_app import APP, PASSPHRASE, Keys, configure, put_secret
from bed_helper import ROOT
from idp import assertion

JO, ANN = "jo@example.org", "ann@example.org"
BLOCKS = (f"account {JO}\n    provider test\n"
          "account *@example.org\n    provider test")


@pytest.fixture(scope="session")
def keys(tmp_path_factory):
    """Keys of the session."""
    return Keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def bed(helper):
    """A bed that looks for what was put into its files as well."""
    helper.secrets_kept = []
    yield helper
    log = helper.log()
    for text in helper.secrets_kept:
        for line in text.split("\n"):
            assert len(line) < 20 or line.startswith("-----") or \
                line not in log, "a secret stands in the log"


@pytest.fixture
def moved(clocked):
    """The same with a clock that can be moved."""
    clocked.secrets_kept = []
    return clocked


def with_secret(bed, more=BLOCKS, **keys):
    """Client credentials with a secret."""
    secret = secrets.token_urlsafe(30)
    bed.idp.add_client(APP, secret)
    configure(bed, more, client_secret_file=put_secret(
        bed, "secret", secret + "\n"), **keys)
    return bed


def with_certificate(bed, keys, more=BLOCKS, **config):
    """Client credentials with a certificate and its key."""
    cert, key = keys.certificate()
    bed.idp.add_client(APP, certificate=cert)
    shutil.copy(cert, bed.path("app.crt"))
    configure(bed, more, **{
        "certificate": bed.path("app.crt"), "certificate_key": put_secret(
            bed, "app.key", Path(key).read_text()), **config})
    return bed


def with_assertion(bed, text="eyJhIjoxfQ.eyJiIjoyfQ.c2lnbmF0dXJl"):
    """Client credentials with an assertion of somebody else's."""
    bed.idp.add_client(APP, trusted=text)
    configure(bed, BLOCKS, assertion_file=put_secret(
        bed, "assertion", text + "\n"))
    return bed


def with_service_account(bed, keys, more=BLOCKS, users=(JO, ANN)):
    """A service account for two users."""
    text, public = keys.service_account()
    bed.idp.store.service_accounts["relay@mail.iam.example"] = {
        "kid": "key-1", "public": public, "users": users,
        "scopes": ["https://mail.example/"]}
    configure(bed, more, flow="service-account", client_id=None,
              scope=["https://mail.example/"],
              service_account_file=put_secret(bed, "service.json", text))
    return bed


def exchanges(bed):
    return [r for r in bed.idp.requests if r.endpoint == "token"]


def is_clean(bed):
    """No file, and no record of any name."""
    return [n for n in os.listdir(bed.keyring) if n != ".lock"] == []


def test_secret_gets_a_token_without_a_sign_in(bed):
    with_secret(bed).start()
    answer = bed.token()
    assert (answer["result"], answer["login"]) == ("ok", JO)
    form, = [r.form for r in exchanges(bed)]
    assert form["grant_type"] == "client_credentials"
    assert form["scope"] == "https://mail.example/.default"
    assert is_clean(bed)


def test_one_token_a_provider_is_shared_by_all_its_mailboxes(bed):
    with_secret(bed).start()
    tokens = {bed.token(a)["token"] for a in (JO, ANN, "x@example.org")}
    assert len(tokens) == 1
    assert len(exchanges(bed)) == 1


def test_fifty_requests_make_one_exchange(bed):
    with_secret(bed).start()
    names = [f"u{i}@example.org" for i in range(50)]
    with bed.idp.holding("token"):
        lines = [bed.connect().send("token", account=name,
                                    server="localhost") for name in names]
        bed.idp.wait_request("token")
    assert {line.next()["result"] for line in lines} == {"ok"}
    assert len(exchanges(bed)) == 1


def test_token_goes_to_the_servers_of_the_mailbox_only(bed):
    with_secret(bed, servers=None).start()
    assert bed.token(JO, server="smtp.example.org")["result"] == "ok"
    assert bed.token(JO, server="smtp.example.com")["result"] == \
        "wrong-server"


def test_certificate_signs_what_openssl_verifies(bed, keys):
    with_certificate(bed, keys).start()
    assert bed.token()["result"] == "ok", bed.log()
    form, = [r.form for r in exchanges(bed)]
    assert "client_secret" not in form and form["client_id"] == APP


def test_certificate_and_key_in_one_file(bed, keys):
    cert, key = keys.certificate()
    bed.idp.add_client(APP, certificate=cert)
    both = Path(key).read_text() + Path(cert).read_text()
    configure(bed, BLOCKS, certificate=put_secret(bed, "both.pem", both))
    bed.start()
    assert bed.token()["result"] == "ok"


def test_rs256_where_it_is_asked_for(bed, keys):
    with_certificate(bed, keys, certificate_algorithm="RS256")
    bed.idp.store.clients[APP].algorithms = ("RS256",)
    bed.start()
    assert bed.token()["result"] == "ok"


def test_key_under_a_passphrase(bed, keys):
    with_certificate(bed, keys, certificate_key=put_secret(
        bed, "enc.key", Path(keys.encrypted()).read_text()),
        certificate_key_passphrase_file=put_secret(
            bed, "phrase", PASSPHRASE + "\n"))
    bed.start()
    assert bed.token()["result"] == "ok"


def test_each_assertion_is_a_new_one(bed, keys):
    with_certificate(bed, keys).start()
    for _ in range(3):
        assert bed.ask("refresh", account=JO)["result"] == "ok"
    assert len(bed.idp.store.assertions) == 3


def test_assertion_of_another_is_read_each_time(bed):
    with_assertion(bed).start()
    assert bed.token()["result"] == "ok"
    newer = "eyJhIjoxfQ.eyJiIjozfQ.bmV3ZXI"
    bed.idp.store.clients[APP].trusted = newer
    put_secret(bed, "assertion", newer)
    assert bed.ask("refresh", account=JO)["result"] == "ok"


def test_service_account_gets_a_token_for_each_mailbox(bed, keys):
    with_service_account(bed, keys).start()
    jo, ann = bed.token(JO), bed.token(ANN)
    assert jo["result"] == ann["result"] == "ok", bed.log()
    assert jo["token"] != ann["token"]
    assert bed.idp.introspect(jo["token"])["username"] == JO
    assert bed.token(JO)["token"] == jo["token"]
    assert len(exchanges(bed)) == 2
    assert is_clean(bed)


def test_login_override_and_token_of(bed, keys):
    with_service_account(bed, keys, more=(
        f"account {JO}\n    provider test\n    login jo\n"
        f"account shared@example.org\n    token_of {JO}")).start()
    answer = bed.token(JO)
    assert answer["login"] == "jo"
    other = bed.token("shared@example.org")
    assert (other["login"], other["token"]) == (
        "shared@example.org", answer["token"])


def test_mailbox_without_a_block_is_unknown(bed):
    with_secret(bed, f"account {JO}\n    provider test").start()
    assert bed.token(ANN)["result"] == "unknown-account"


def test_pattern_names_leave_no_trace(bed):
    with_secret(bed).start()
    for i in range(5):
        assert bed.token(f"u{i}@example.org")["result"] == "ok"
    with bed.connect() as line:
        shown = [a.get("account") for a in line.send("status").rest()]
    assert shown == [JO, None]
    assert is_clean(bed)


def test_status_shows_mailboxes_with_a_block_of_their_own(bed):
    with_secret(bed).start()
    assert bed.status()["state"] == "active"
    assert "expires" not in bed.status()
    bed.token()
    assert int(bed.status()["expires"]) > 0
    assert bed.status()["provider"] == "test"


def test_sign_in_says_that_none_is_needed_and_tries(bed):
    with_secret(bed).start()
    answer = bed.ask("sign-in", account=JO)
    assert (answer["event"], answer["result"]) == ("done", "ok")
    assert "needs no sign-in" in answer["text"]
    assert len(exchanges(bed)) == 1
    bed.idp.add_client(APP, "another secret by now")
    answer = bed.ask("sign-in", account=JO)
    assert answer["result"] == "config-error"
    assert "secret" in answer["text"]


def test_forget_says_that_there_is_nothing(bed):
    with_secret(bed).start()
    answer = bed.ask("forget", account=JO)
    assert answer["result"] == "unknown-account"
    assert "block" in answer["text"]


def test_rejected_shared_token_is_renewed_and_served_meanwhile(bed):
    with_secret(bed).start()
    first = bed.token()
    with bed.idp.holding("token"):
        bed.ask("rejected", account=JO, serial=first["serial"],
                challenge="{}")
        assert bed.token(ANN)["token"] == first["token"]
    wait_for(lambda: bed.token(ANN)["token"] != first["token"])
    second = bed.token()
    bed.ask("rejected", account=JO, serial=second["serial"], challenge="{}")
    assert bed.token(ANN)["token"] == second["token"]
    assert len(exchanges(bed)) == 2


def test_token_in_use_is_renewed_in_the_background(moved):
    with_secret(moved).start()
    first = moved.token()
    moved.clock.both(1900)
    wait_for(lambda: len(exchanges(moved)) == 2)
    wait_for(lambda: moved.token()["token"] != first["token"])


def test_failure_keeps_serving_and_backs_off(moved):
    with_secret(moved).start()
    first = moved.token()
    moved.idp.fault("token", "http_error", times=None, status=503)
    moved.clock.both(1900)
    assert moved.token()["token"] == first["token"]
    # Or the renewal in flight would have begun 2000 seconds ago.
    moved.wait_log("outcome=try-later")
    moved.clock.both(2000)
    answer = moved.token()
    assert answer["result"] == "try-later"
    assert int(answer["retry-after"]) >= 1


def test_reload_with_another_client_drops_the_token(bed):
    with_secret(bed).start()
    first = bed.token()
    bed.idp.add_client("other-app", "another secret, and a long one")
    configure(bed, BLOCKS, client_id="other-app",
              client_secret_file=put_secret(
                  bed, "secret2", "another secret, and a long one"))
    assert bed.ask("reload")["result"] == "ok"
    second = bed.token()
    assert second["token"] != first["token"]
    assert exchanges(bed)[-1].client_id == "other-app"


def test_reload_during_an_exchange_drops_what_it_brings(bed):
    with_secret(bed).start()
    bed.idp.add_client("other-app", "another secret, and a long one")
    bed.idp.fault("token", "delay", seconds=1)
    waiting = bed.later(bed.token)
    bed.idp.wait_request("token")
    configure(bed, BLOCKS, client_id="other-app",
              client_secret_file=put_secret(
                  bed, "secret2", "another secret, and a long one"))
    assert bed.ask("reload")["result"] == "ok"
    first = waiting()
    assert first["result"] == "ok"
    second = bed.token()
    assert second["token"] != first["token"]
    assert exchanges(bed)[-1].client_id == "other-app"
    # What came then is good: nothing of the old profile is left.
    assert bed.ask("reload")["result"] == "ok"
    assert bed.token() == second


def test_reload_that_takes_the_block_away_ends_it(bed):
    with_secret(bed).start()
    assert bed.token()["result"] == "ok"
    configure(bed, "", client_secret_file=bed.path("secret"))
    assert bed.ask("reload")["result"] == "ok"
    assert bed.token()["result"] == "unknown-account"


def test_wrong_secret_is_a_config_error(bed):
    with_secret(bed)
    bed.idp.add_client(APP, "this is not what the file has")
    bed.start()
    answer = bed.token()
    assert answer["result"] == "config-error"
    assert "client secret" in answer["text"]
    assert bed.status()["state"] == "config-error"
    # In the form and by HTTP Basic: nothing tells which it should be.
    assert len(exchanges(bed)) == 2
    assert bed.token(ANN)["result"] == "config-error"
    assert len(exchanges(bed)) == 2


def test_certificate_of_another_application_is_a_config_error(bed, keys):
    with_certificate(bed, keys)
    bed.idp.store.clients[APP].certificate = keys.certificate("other")[0]
    bed.start()
    answer = bed.token()
    assert answer["result"] == "config-error"
    assert "certificate is not accepted" in answer["text"]


def test_a_new_certificate_is_used_without_a_reload(bed, keys):
    with_certificate(bed, keys).start()
    assert bed.token()["result"] == "ok"
    cert, key = keys.certificate("new")
    bed.idp.store.clients[APP].certificate = cert
    assert bed.ask("refresh", account=JO)["result"] != "ok"
    for name, path in (("app.key", key), ("app.crt", cert)):
        put_secret(bed, f"{name}.new", Path(path).read_text())
        os.rename(bed.path(f"{name}.new"), bed.path(name))
    wait_for(lambda: bed.ask("refresh", account=JO)["result"] == "ok")


def test_a_number_that_is_not_known_leads_to_microsofts_page(bed, keys):
    with_certificate(bed, keys).start()
    bed.idp.fault("token", "aadsts", number=7999999, error="invalid_client")
    text = bed.token()["text"]
    assert "certificate is not accepted" in text
    assert "login.microsoftonline.com/error?code=7999999" in text


def test_expired_certificate_says_so_and_asks_nobody(bed, keys):
    cert, key = keys.certificate("old", days=0)
    bed.idp.add_client(APP, certificate=cert)
    shutil.copy(cert, bed.path("old.crt"))
    configure(bed, BLOCKS, certificate=bed.path("old.crt"),
              certificate_key=put_secret(bed, "old.key",
                                         Path(key).read_text()))
    bed.start()
    answer = bed.token()
    assert answer["result"] == "config-error"
    assert "expired on 2021-01-01" in answer["text"]
    assert exchanges(bed) == []
    bed.wait_log("it has expired")


@pytest.mark.parametrize("away", (-600, 600))
def test_clock_ten_minutes_off_is_named(moved, keys, away):
    with_certificate(moved, keys).start()
    moved.clock.wall(away)
    answer = moved.token()
    assert answer["result"] == "config-error"
    assert "clock" in answer["text"]


def test_clock_ten_minutes_off_is_named_for_service_accounts(moved, keys):
    with_service_account(moved, keys).start()
    moved.clock.wall(-600)
    answer = moved.token()
    assert answer["result"] == "config-error"
    assert "clock" in answer["text"]


def test_service_account_for_a_stranger_is_a_config_error(bed, keys):
    with_service_account(bed, keys, users=(ANN,)).start()
    answer = bed.token(JO)
    assert answer["result"] == "config-error"
    assert "not a user of the organisation" in answer["text"]
    assert bed.token(ANN)["result"] == "ok"


def test_service_account_without_delegation_is_named(bed, keys):
    with_service_account(bed, keys)
    bed.idp.store.service_accounts["relay@mail.iam.example"]["scopes"] = []
    bed.start()
    answer = bed.token(JO)
    assert answer["result"] == "config-error"
    assert "delegation" in answer["text"]


@pytest.mark.parametrize("text, says", (
    ("", "is empty"), ("two words", "is no assertion"),
    ('"e30.e30.AA"', "is no assertion")))
def test_assertion_file_with_no_assertion(bed, text, says):
    with_assertion(bed)
    put_secret(bed, "assertion", text)
    bed.start()
    answer = bed.token()
    assert answer["result"] == "config-error"
    assert says in answer["text"]
    assert exchanges(bed) == []


def test_assertion_file_that_is_missing(bed):
    with_assertion(bed)
    os.unlink(bed.path("assertion"))
    bed.start()
    answer = bed.token()
    assert answer["result"] == "config-error"
    assert "assertion_file" in answer["text"]


def test_mended_assertion_file_is_taken_within_a_minute(moved):
    with_assertion(moved)
    put_secret(moved, "assertion", "")
    moved.start()
    assert moved.token()["result"] == "config-error"
    put_secret(moved, "assertion", "eyJhIjoxfQ.eyJiIjoyfQ.c2lnbmF0dXJl")
    moved.clock.both(61)
    wait_for(lambda: moved.token()["result"] == "ok")


def refused(bed):
    """The sentence of a helper that cannot use its configuration."""
    bed.start()
    answer = bed.token()
    assert answer["result"] == "config-error"
    assert f"{bed.config}:" in answer["text"]
    return answer["text"]


def test_key_of_another_certificate(bed, keys):
    with_certificate(bed, keys, certificate_key=put_secret(
        bed, "other.key", Path(keys.certificate("other")[1]).read_text()))
    assert "another private key" in refused(bed)


def test_wrong_passphrase(bed, keys):
    with_certificate(bed, keys, certificate_key=put_secret(
        bed, "enc.key", Path(keys.encrypted()).read_text()),
        certificate_key_passphrase_file=put_secret(
            bed, "phrase", "certainly not this one"))
    assert "passphrase does not open" in refused(bed)


def test_missing_passphrase(bed, keys):
    with_certificate(bed, keys, certificate_key=put_secret(
        bed, "enc.key", Path(keys.encrypted()).read_text()))
    assert "certificate_key_passphrase_file" in refused(bed)


def test_small_key(bed, keys):
    cert, key = keys.certificate("small", bits=1024)
    shutil.copy(cert, bed.path("small.crt"))
    configure(bed, BLOCKS, certificate=bed.path("small.crt"),
              certificate_key=put_secret(bed, "small.key",
                                         Path(key).read_text()))
    assert "2048 bits" in refused(bed)


def test_certificate_that_is_none(bed, keys):
    with_certificate(bed, keys)
    write_file(bed.path("app.crt"), "no certificate\n")
    assert "BEGIN CERTIFICATE" in refused(bed)


@pytest.mark.parametrize("name", ("app.key", "both.pem"))
@pytest.mark.skipif(not ROOT, reason="needs root")
def test_key_that_others_can_read(bed, keys, name):
    with_certificate(bed, keys)
    if name == "both.pem":
        cert, key = keys.certificate()
        configure(bed, BLOCKS, certificate=put_secret(
            bed, name, Path(key).read_text() + Path(cert).read_text()))
    os.chmod(bed.path(name), 0o644)
    text = refused(bed)
    assert name in text and "chmod" in text


def test_service_account_file_that_is_none(bed, keys):
    with_service_account(bed, keys)
    put_secret(bed, "service.json", '{"type": "authorized_user"}')
    assert "service account" in refused(bed)


def test_two_credentials_exclude_each_other(bed, keys):
    with_certificate(bed, keys, client_secret_file=put_secret(
        bed, "secret", "some secret of twenty letters"))
    assert "exclude each other" in refused(bed)


def test_certificate_does_not_fit_a_sign_in(bed, keys):
    with_certificate(bed, keys, flow="device",
                     device_authorization_endpoint=f"{bed.idp.url}/device")
    assert "sign in for themselves" in refused(bed)


def test_shared_tenants_cannot_be_used(bed):
    with_secret(bed, preset="microsoft", tenant="common")
    assert "tenant 'common'" in refused(bed)


def test_secret_that_expires_soon_is_warned_about(bed):
    with_secret(bed, client_secret_expires="2020-02-29").start()
    bed.wait_log("client_secret_expires: it has expired")
    assert bed.token()["result"] == "ok"


def test_secret_that_comes_to_expire_is_warned_about(moved):
    day = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 40 * 86400))
    with_secret(moved, client_secret_expires=day).start()
    assert "event=expiry" not in moved.log()
    moved.clock.both(20 * 86400)
    moved.wait_log(f"client_secret_expires: it expires on {day}")


@pytest.mark.parametrize("day", ("2027-02-29", "soon", "27-01-01"))
def test_day_that_is_none(bed, day):
    with_secret(bed, client_secret_expires=day)
    assert "client_secret_expires must be a day" in refused(bed)


def test_allow_counts_for_pattern_names(bed, root):
    with_secret(bed, "account *@example.org\n    provider test\n"
                "    allow daemon").start()
    assert bed.token(JO, uid=1)["result"] == "ok"
    assert bed.token(JO, uid=2)["result"] == "unknown-account"
    assert bed.token("jo@elsewhere.example", uid=1)["result"] == \
        "unknown-account"


@pytest.mark.slow
def test_service_account_keeps_at_most_1024_tokens(bed, keys, monkeypatch):
    monkeypatch.setattr(assertion, "is_signed", lambda *_: True)
    names = [f"u{i}@example.org" for i in range(1025)]
    with_service_account(bed, keys, users=names).start()
    left = iter(names)
    results = bed.many(25, lambda: [bed.token(n)["result"] for n in left])
    assert [r for part in results for r in part] == ["ok"] * 1025
    assert len(exchanges(bed)) == 1025
    for name in names:      # one of them has given way
        assert bed.token(name)["result"] == "ok", name
        if len(exchanges(bed)) > 1025:
            break
    assert len(exchanges(bed)) == 1026


@pytest.mark.slow
def test_a_failing_mailbox_keeps_its_back_off_when_others_give_way(
        bed, keys, monkeypatch):
    monkeypatch.setattr(assertion, "is_signed", lambda *_: True)
    names = [f"u{i}@example.org" for i in range(1030)]
    with_service_account(bed, keys, users=names).start()
    refused_by = bed.token("nobody@example.org")["result"]
    assert refused_by != "ok"
    left = iter(names)
    results = bed.many(25, lambda: [bed.token(n)["result"] for n in left])
    assert [r for part in results for r in part] == ["ok"] * 1030
    before = len(exchanges(bed))
    assert bed.token("nobody@example.org")["result"] == refused_by
    assert len(exchanges(bed)) == before
