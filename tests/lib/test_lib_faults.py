# SPDX-License-Identifier: BSD-2-Clause
"""Tests of the identity provider's faults, one by one."""

import http.client
import json
import ssl
import threading

import pytest

import bed
from idp import Fault, Idp
from test_lib import (USER, call, connection, directory, idp, post, refresh,
                      start_device)

__all__ = ["directory", "idp"]   # fixtures


def raw(idp):
    """A refresh with an unknown token; returns status, headers, body."""
    return call(idp, "POST", "/token",
                "grant_type=refresh_token&client_id=mail-app"
                "&refresh_token=none-such",
                Content_Type="application/x-www-form-urlencoded")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 429, 500, 503])
def test_statuses_carry_the_error_given(idp, status):
    idp.fault("token", "http_error", status=status, error="some_error",
              error_description="text", error_codes=[1], retry_after=7)
    got, headers, body = raw(idp)
    assert (got, headers["Retry-After"]) == (status, "7")
    assert json.loads(body) == {"error": "some_error", "error_codes": [1],
                                "error_description": "text"}


@pytest.mark.parametrize("number, status, error", [
    (700082, 400, "invalid_grant"), (7000222, 401, "invalid_client"),
    (90033, 503, "temporarily_unavailable"), (123456, 400, "invalid_grant")])
def test_aadsts_looks_like_microsoft(idp, number, status, error):
    idp.fault("token", "aadsts", number=number)
    got, _, body = raw(idp)
    data = json.loads(body)
    assert (got, data["error"], data["error_codes"]) == (
        status, error, [number])
    assert data["error_description"].startswith(f"AADSTS{number}: ")
    assert data["correlation_id"] in data["error_description"]


def test_bodies_that_are_no_answer(idp):
    for status in (200, 502):
        idp.fault("token", "html", status=status)
        got, headers, body = raw(idp)
        assert (got, headers["Content-Type"]) == (status, "text/html")
    idp.fault("token", "empty")
    assert raw(idp)[2] == b""
    idp.fault("token", "huge")
    assert len(raw(idp)[2]) > 5 << 20
    idp.fault("token", "malformed")
    with pytest.raises(ValueError):
        json.loads(raw(idp)[2])
    idp.fault("token", "not_object")
    assert isinstance(json.loads(raw(idp)[2]), list)
    idp.fault("token", "duplicate_members")
    pairs = json.loads(raw(idp)[2], object_pairs_hook=list)
    assert [n for n, _ in pairs].count("access_token") == 2


@pytest.mark.parametrize("members", [
    {"expires_in": "3600"}, {"expires_in": -1}, {"expires_in": 10 ** 30},
    {"expires_in": None}, {"access_token": 5}, {"access_token": ""},
    {"access_token": "abcdefgh\n"}, {"token_type": "mac"}])
def test_changed_answers_leave_the_grant_alone(idp, members):
    seeded = idp.seed(USER)
    idp.fault("token", "changed", **members)
    status, data = refresh(idp, seeded.refresh_token)
    assert status == 200 and "refresh_token" not in data
    assert members.items() <= data.items()
    assert refresh(idp, seeded.refresh_token)[0] == 200
    assert idp.counts["refresh_reuse"] == 0


def test_bad_tokens_count_as_secrets(idp):
    idp.fault("token", "bad_token")
    token = refresh(idp, "x")[1]["access_token"]
    assert "\x01" in token and token in idp.secrets()


def test_members_can_be_missing(idp):
    seeded = idp.seed(USER)
    idp.fault("token", "without", names=["expires_in"], effect=True)
    data = refresh(idp, seeded.refresh_token)[1]
    assert "expires_in" not in data and "refresh_token" in data
    idp.fault("device", "without", names=["user_code"])
    assert "user_code" not in start_device(idp)


def test_redirects_point_where_told(idp):
    for status in (302, 307):
        idp.fault("token", "redirect", url="https://127.0.0.1:9/x",
                  status=status)
        got, headers, _ = raw(idp)
        assert (got, headers["Location"]) == (status,
                                              "https://127.0.0.1:9/x")


def test_silence_is_counted_and_ends_with_the_client(idp):
    idp.fault("token", "silent")
    link = connection(idp)
    link.request("POST", "/token", "grant_type=refresh_token")
    assert idp.wait_request("token")[0].status is None
    link.sock.settimeout(0.1)
    with pytest.raises(TimeoutError):
        link.getresponse()
    link.close()
    assert raw(idp)[0] == 400


def test_delay_then_a_good_answer(idp):
    idp.fault("token", "delay", seconds=0.05)
    assert refresh(idp, idp.seed(USER).refresh_token)[0] == 200
    idp.fault("token", "http_error", status=503, after=0.05)
    assert raw(idp)[0] == 503


def test_answers_are_held_until_the_test_lets_go(idp):
    seeds = [idp.seed(USER).refresh_token for _ in range(2)]
    results = []
    with idp.holding("token", "refresh_token"):
        threads = [threading.Thread(
            target=lambda t=t: results.append(refresh(idp, t)[0]))
            for t in seeds]
        for thread in threads:
            thread.start()
        idp.wait_request("token", 2)
        assert call(idp, "GET", "/jwks")[0] == 200
        assert [r.status for r in idp.requests] == [None, None, 200]
    for thread in threads:
        thread.join(bed.DEADLINE_S)
    assert results == [200, 200]
    assert refresh(idp, "none-such")[0] == 400


def test_close_before_takes_no_effect(idp):
    seeded = idp.seed(USER)
    idp.fault("token", "close_before")
    with pytest.raises((http.client.RemoteDisconnected, ssl.SSLError)):
        refresh(idp, seeded.refresh_token)
    assert idp.current_refresh(USER) == seeded.refresh_token


def test_lost_answer_and_reset_take_effect(idp):
    for kind in ("lost_answer", "reset_half", "cut_half"):
        before = idp.seed(USER).refresh_token
        idp.fault("token", kind)
        with pytest.raises((OSError, http.client.HTTPException)):
            refresh(idp, before)
        after = idp.current_refresh(USER)
        assert after != before
        assert refresh(idp, after)[0] == 200


def test_reset_half_resets_and_cut_half_sends_half(idp):
    seeded = idp.seed(USER)
    idp.fault("token", "reset_half")
    with pytest.raises((ConnectionResetError, http.client.IncompleteRead)):
        refresh(idp, seeded.refresh_token)
    idp.fault("token", "cut_half")
    with pytest.raises((http.client.IncompleteRead, ssl.SSLError)) as seen:
        refresh(idp, idp.current_refresh(USER))
    if isinstance(seen.value, http.client.IncompleteRead):
        assert len(seen.value.partial) > 1000


def test_faults_are_queued_last_and_choose_their_grant(idp):
    idp.fault("token", "empty", times=2, grant_type="refresh_token")
    idp.fault("token", Fault(status=503), times=None)
    assert post(idp, "/token", grant_type="password",
                client_id="mail-app") == (503, None)
    assert [raw(idp)[0] for _ in range(4)] == [200, 200, 503, 503]
    idp.clear_faults("token")
    assert raw(idp)[0] == 400


def test_stop_ends_silent_connections(directory):
    idp = Idp(directory).start()
    idp.fault("token", "silent")
    ended = []

    def ask():
        try:
            raw(idp)
        except (OSError, http.client.HTTPException) as error:
            ended.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    idp.wait_request("token")
    idp.stop()
    thread.join(bed.DEADLINE_S)
    assert len(ended) == 1


def test_fifty_at_once_are_served(idp):
    results = []
    seeds = [idp.seed(f"u{i}@example.org").refresh_token for i in range(50)]
    threads = [threading.Thread(
        target=lambda t=t: results.append(refresh(idp, t)[0]))
        for t in seeds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [200] * 50
