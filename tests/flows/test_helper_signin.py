# SPDX-License-Identifier: BSD-2-Clause
"""Signing in, out, and what a watcher is told."""

import os

import pytest

from bed import wait_for
from bed_helper import block
from helper_line import pack

JO = "jo@example.org"
ANN = "ann@example.org"


def begin(bed, account=JO, **options):
    """A sign-in up to its code: the connection and the code."""
    line = bed.connect().send("sign-in", account=account, **options)
    shown = line.next()
    assert shown["event"] == "show-code", shown
    return line, shown["user-code"]


def done(line):
    return line.until(lambda a: a.get("event") == "done")


def sign_in(bed, account=JO, user=None, **options):
    line, code = begin(bed, account, **options)
    bed.idp.approve(code, user or account)
    with line:
        return done(line)


def asked(bed, user=ANN):
    """A sign-in where somebody else came: the connection at its question."""
    line, code = begin(bed)
    bed.idp.approve(code, user)
    return line, line.until(lambda a: a.get("event") == "ask")


def test_sign_in_shows_the_code_and_stores_the_grant(helper, idp):
    helper.start()
    line, code = begin(helper)
    waiting = line.until(lambda a: a["event"] == "waiting")
    assert 0 < int(waiting["expires-in"]) <= 900
    idp.approve(code, JO)
    answer = done(line)
    assert answer["result"] == "ok"
    assert (answer["account"], answer["provider"]) == (JO, "test")
    assert answer["identity"] == JO
    assert answer["servers"] == "localhost"
    assert line.rest() == []
    record = helper.record()
    assert record["refresh-token"] == idp.current_refresh(JO)
    assert record["token-host"] == f"localhost:{idp.port}"
    assert helper.token()["token"] == record["access-token"]
    assert helper.status()["state"] == "active"


def test_sign_in_adds_servers(helper):
    helper.start()
    answer = sign_in(helper, servers="mail.example.org *.relay.example.org")
    assert answer["servers"] == \
        "localhost mail.example.org *.relay.example.org"
    for server in ("mail.example.org", "a.relay.example.org"):
        assert helper.token(server=server)["result"] == "ok"
    assert helper.token(server="relay.example.org")["result"] == \
        "wrong-server"


def test_old_token_is_served_beside_a_sign_in(helper):
    old = helper.seed(age=10)
    helper.start()
    line, _code = begin(helper)
    assert helper.token()["token"] == old.access_token
    line.close()
    assert helper.token()["token"] == old.access_token


def test_sign_in_ends_login_needed_and_answers_with_the_new_token(helper,
                                                                  idp):
    helper.seed(age=4000)
    idp.revoke(JO)
    helper.start()
    assert helper.token()["result"] == "login-needed"
    assert sign_in(helper)["result"] == "ok"
    assert helper.token()["result"] == "ok"
    assert helper.status()["state"] == "active"


def test_late_answer_of_a_refresh_does_not_replace_a_sign_in(helper, idp):
    helper.seed(age=4000)
    helper.start()
    with idp.holding("token", "refresh_token"):
        waiter = helper.later(helper.token)
        idp.wait_request("token")
        assert sign_in(helper)["result"] == "ok"
        record = helper.record()
        assert waiter()["token"] == record["access-token"]
    idp.wait_answered()
    assert helper.record() == record
    assert helper.ask("refresh", account=JO)["result"] == "ok"
    # By now the late answer has been read, and it has changed nothing.
    assert helper.record()["signed-in"] == record["signed-in"]


def test_sign_in_elsewhere_gives_a_waiter_no_token_for_its_server(helper,
                                                                  idp):
    other = {**helper.provider, "servers": ["mail.other.example"]}
    helper.configure(more=block("provider", "other", other))
    helper.seed(age=4000)
    helper.start()
    idp.fault("token", "silent", grant_type="refresh_token")
    waiter = helper.later(helper.token)
    idp.wait_request("token")
    assert sign_in(helper, provider="other")["result"] == "ok"
    answer = waiter()
    assert answer["result"] == "wrong-server"
    assert "token" not in answer


def test_second_sign_in_of_an_account_is_busy(helper):
    helper.start()
    line, _code = begin(helper)
    answer = helper.ask("sign-in", account="JO@example.org")
    assert answer["result"] == "busy"
    line.close()
    wait_for(lambda: _begins(helper))


def _begins(bed):
    with bed.connect() as line:
        return line.send("sign-in", account=JO).next().get("event")


def test_ninth_sign_in_is_busy(helper):
    helper.start()
    lines = [begin(helper, f"a{i}@example.org")[0] for i in range(8)]
    assert helper.ask("sign-in", account=JO)["result"] == "busy"
    lines.pop().close()
    wait_for(lambda: _begins(helper))
    for line in lines:
        line.close()


def test_hanging_up_cancels_a_sign_in(helper, idp):
    helper.start()
    line, code = begin(helper)
    line.close()
    helper.wait_log("the peer hung up")
    device = idp.store.device_of(code)
    polls = len(device.polls)
    idp.approve(code, JO)
    # Another one lives long enough to be polled for.
    line, _code = begin(helper)
    line.until(lambda a: a["event"] == "waiting")
    line.close()
    helper.wait_log("outcome=cancelled", 2)
    assert helper.token()["result"] == "unknown-account"
    # One may have been on its way.
    assert len(device.polls) <= polls + 1


def test_reload_leaves_a_sign_in_as_it_began(helper, idp):
    helper.start()
    line, code = begin(helper)
    helper.configure(provider_name="another")
    assert helper.ask("reload")["result"] == "ok"
    idp.approve(code, JO)
    answer = done(line)
    assert (answer["result"], answer["provider"]) == ("ok", "test")
    assert helper.token()["result"] == "config-error"
    helper.configure()
    assert helper.ask("reload")["result"] == "ok"
    assert helper.token()["result"] == "ok"


def test_hanging_up_before_anything_was_shown_cancels(helper, idp):
    helper.start()
    idp.fault("device", "delay", seconds=3)
    helper.connect().send("sign-in", account=JO).close()
    helper.wait_log("outcome=cancelled")
    line, _code = begin(helper)
    line.close()


def test_other_user_is_asked_about_and_no_stores_nothing(helper):
    helper.start()
    line, question = asked(helper)
    assert question["question"] == "other-user"
    assert question["identity"] == ANN
    assert JO in question["text"] and ANN in question["text"]
    answer = done(line.send(answer="no"))
    assert answer["result"] == "denied"
    assert helper.token()["result"] == "unknown-account"
    assert helper.status()["result"] == "unknown-account"


@pytest.mark.parametrize("claims, shown", [
    ({"email": "jo@example.org\n"}, r'"jo@example.org\n"'),
    ({"email": "Jo Example"}, '"Jo Example"'),
    ({"email": [JO], "upn": "x" * 255}, f'["{JO}"]'),
    ({"email": None, "preferred_username": True}, "true"),
    ({"email": "Jo " + "x" * 150}, '"Jo ' + "x" * 96),
    ({"email": "x" * 300}, '"' + "x" * 99),
])
def test_a_name_that_cannot_be_compared_is_asked_about(helper, claims, shown):
    helper.start()
    no_name = {"email": None, "preferred_username": None}
    for answer, result in (("no", "denied"), ("yes", "ok")):
        line, code = begin(helper)
        helper.idp.approve(code, JO, {**no_name, **claims})
        question = line.until(lambda a: a.get("event") == "ask")
        assert question["question"] == "other-user"
        assert question["identity"] == shown
        assert JO in question["text"]
        assert done(line.send(answer=answer))["result"] == result
    assert "identity" not in helper.record()


@pytest.mark.parametrize("claims", [{}, {"email": ""}])
def test_no_name_at_all_is_warned_about(helper, claims):
    helper.start()
    line, code = begin(helper)
    helper.idp.approve(code, JO, {"email": None, "preferred_username": None,
                                  **claims})
    answer = done(line)
    assert answer["result"] == "ok"
    assert "does not say who" in answer["warning"]


def test_other_user_is_kept_when_told_yes(helper):
    helper.start()
    line, _question = asked(helper)
    answer = done(line.send(answer="yes"))
    assert (answer["result"], answer["identity"]) == ("ok", ANN)
    assert helper.token()["login"] == JO


def test_hanging_up_on_the_question_stores_nothing(helper):
    helper.start()
    line, _question = asked(helper)
    line.close()
    helper.wait_log("the peer hung up")
    assert helper.status()["result"] == "unknown-account"


def test_answer_in_pieces_is_one_answer(helper):
    helper.start()
    line, _question = asked(helper)
    for byte in pack([("answer", "yes")]):
        line.sock.sendall(bytes([byte]))
    assert done(line)["result"] == "ok"


def test_dialogue_that_is_cut_anywhere_stores_nothing(helper):
    helper.start()
    answer = pack([("answer", "yes")])
    for n in range(len(answer)):
        line, _question = asked(helper)
        line.sock.sendall(answer[:n])
        line.close()
        helper.wait_log("outcome=cancelled", n + 1)
        assert helper.status()["result"] == "unknown-account"


def test_other_user_as_delegate_is_not_asked_about(helper):
    helper.start()
    answer = sign_in(helper, user=ANN, as_delegate="yes")
    assert (answer["result"], answer["identity"]) == ("ok", ANN)


def test_name_differing_in_case_only_is_the_same_user(helper):
    helper.start()
    assert sign_in(helper, user="JO@Example.ORG")["result"] == "ok"


def test_sign_in_that_tells_nobody_is_warned_about(helper, idp):
    idp.set(id_token=False)
    helper.start()
    answer = sign_in(helper)
    assert answer["result"] == "ok"
    assert "who signed" in answer["warning"]


def test_sign_in_without_refresh_token_says_what_is_missing(helper, idp):
    idp.set(need_offline_access=True)
    helper.configure(scope=["mail", "openid"])
    helper.start()
    answer = sign_in(helper)
    assert answer["result"] == "config-error"
    assert "offline_access" in answer["text"]
    assert helper.status()["result"] == "unknown-account"


def test_sign_in_refused_by_the_user_ends(helper, idp):
    helper.start()
    line, code = begin(helper)
    idp.deny(code)
    answer = done(line)
    assert answer["result"] == "login-needed"
    assert line.rest() == []


def test_sign_in_while_the_provider_is_down_says_so(helper, idp):
    helper.start()
    idp.stop()
    with helper.connect() as line:
        answer = done(line.send("sign-in", account=JO))
    assert answer["result"] == "try-later"


def test_name_that_no_file_can_have_is_refused_before_anybody_signs_in(
        helper, idp):
    helper.start()
    answer = helper.ask("sign-in", account="\u00e9" * 100 + "@example.org")
    assert answer["result"] == "bad-request"
    assert "too long" in answer["text"]
    assert idp.counts["device"] == 0


@pytest.mark.parametrize("options,word", [
    ({"provider": "nobody"}, "nobody"),
    ({"flow": "browser"}, "device"),
])
def test_sign_in_that_cannot_work_says_what_to_write(helper, options, word):
    helper.start()
    answer = helper.ask("sign-in", account=JO, **options)
    assert answer["result"] == "config-error"
    assert word in answer["text"]


def test_a_flow_that_there_is_not_is_told_which_there_are(helper):
    helper.start()
    answer = helper.ask("sign-in", account=JO, flow="brower")
    assert answer["result"] == "bad-request"
    assert "device, browser, client-credentials" in answer["text"]


def test_waiting_question_ends_when_the_helper_stops(helper):
    helper.start()
    line, _code = begin(helper)
    helper.signal()
    rest = line.rest()
    assert rest[-1]["result"] == "try-later"
    assert helper.wait() == 0


def test_sign_in_works_while_the_keyring_is_full_and_warns(helper):
    helper.start()
    helper.limit_files(100)
    answer = sign_in(helper)
    assert answer["result"] == "ok"
    assert "memory" in answer["warning"]
    assert helper.status()["unsaved"] == "yes"
    assert helper.token()["result"] == "ok"
    helper.limit_files(None)
    wait_for(lambda: helper.status()["unsaved"] == "no")
    assert helper.record()["account"] == JO


def test_sign_in_of_a_name_that_fits_no_file_is_refused(helper):
    helper.start()
    with helper.connect() as line:
        answer = line.send("sign-in", account="\u00fc" * 80 +
                           "@example.org").next()
    assert answer["result"] == "bad-request"
    assert "too long" in answer["text"]


# -- forget -----------------------------------------------------------------


def test_forgotten_account_is_gone_from_disk_and_memory(helper):
    helper.seed(age=10)
    helper.start()
    answer = helper.ask("forget", account="Jo@example.org")
    assert (answer["result"], answer["deleted"]) == ("ok", "yes")
    assert answer["revoked"] == "unsupported"
    assert helper.token()["result"] == "unknown-account"
    assert helper.ask("forget", account=JO)["result"] == "unknown-account"
    helper.restart()
    assert helper.token()["result"] == "unknown-account"


def test_forgetting_answers_who_waits_for_a_refresh(helper, idp):
    helper.seed(age=4000)
    helper.start()
    idp.fault("token", "silent")
    waiter = helper.later(helper.token)
    idp.wait_request("token")
    assert helper.ask("forget", account=JO)["result"] == "ok"
    assert waiter()["result"] == "unknown-account"


def test_forget_of_what_was_never_saved_works(helper):
    helper.start()
    helper.limit_files(100)
    assert sign_in(helper)["result"] == "ok"
    assert helper.ask("forget", account=JO)["result"] == "ok"
    assert helper.token()["result"] == "unknown-account"
    helper.limit_files(None)
    assert sign_in(helper)["result"] == "ok"


def test_forget_ends_what_somebody_deleted_by_hand(helper):
    helper.seed(age=10)
    helper.start()
    assert helper.token()["result"] == "ok"
    os.unlink(os.path.join(helper.keyring, JO))
    answer = helper.ask("forget", account=JO)
    assert (answer["result"], answer["deleted"]) == ("ok", "yes")
    assert helper.token()["result"] == "unknown-account"


def test_forget_of_a_resting_account_somebody_deleted_by_hand(helper):
    helper.seed(age=10)
    helper.start()
    os.unlink(os.path.join(helper.keyring, JO))
    answer = helper.ask("forget", account=JO)
    assert answer["result"] == "unknown-account"
    assert "cannot be read" not in answer["text"]


# -- watch ------------------------------------------------------------------


def test_watcher_hears_of_login_needed_once_and_of_recovery(helper, idp):
    helper.seed(age=4000)
    helper.start()
    watch = helper.connect().send("watch")
    assert watch.next() == {"event": "watching"}
    idp.fault("token", "aadsts", number=700082)
    for _ in range(3):
        assert helper.token()["result"] == "login-needed"
    told = watch.next()
    assert (told["account"], told["state"]) == (JO, "login-needed")
    assert told["text"]
    assert sign_in(helper)["result"] == "ok"
    told = watch.next()
    assert (told["account"], told["state"]) == (JO, "active")
    assert helper.ask("forget", account=JO)["result"] == "ok"
    assert watch.next()["state"] == "empty"
    watch.close()
    helper.wait_log("verb=watch")


def test_watcher_of_one_account_hears_of_no_other(helper, idp):
    helper.seed(age=4000)
    helper.seed(ANN, age=4000)
    helper.start()
    watch = helper.connect().send("watch", account=JO)
    watch.next()
    idp.revoke(ANN)
    idp.revoke(JO)
    assert helper.token(ANN)["result"] == "login-needed"
    assert helper.token()["result"] == "login-needed"
    assert watch.next()["account"] == JO
    watch.close()


def test_watchers_that_go_away_harm_nobody(helper, idp):
    helper.seed(age=4000)
    helper.start()
    watches = [helper.connect().send("watch") for _ in range(8)]
    for watch in watches:
        assert watch.next()["event"] == "watching"
    for watch in watches[::2]:
        watch.close()
    idp.revoke(JO)
    assert helper.token()["result"] == "login-needed"
    for watch in watches[1::2]:
        assert watch.next()["state"] == "login-needed"
        watch.close()
