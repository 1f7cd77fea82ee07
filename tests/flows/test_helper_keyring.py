# SPDX-License-Identifier: BSD-2-Clause
"""What a disk can do to a grant, and what it cannot."""

import os
import random
import re
import signal
import threading

import pytest

from bed import DEADLINE_S, wait_for
from helper_line import all_answer
from test_helper_signin import sign_in

JO = "jo@example.org"


def test_a_disk_that_fails_after_all_serves_from_memory(helper, idp):
    old = helper.seed(age=4000)
    helper.start()
    first = helper.token_unsaved()
    assert first["result"] == "ok"
    # The old file is whole, the new record is in memory.
    assert helper.record()["refresh-token"] == old.refresh_token
    status = helper.status()
    assert (status["state"], status["unsaved"]) == ("active", "yes")
    assert helper.token() == first
    helper.wait_log("event=unsaved", 3)     # said at every try
    helper.limit_files(None)
    wait_for(lambda: helper.status()["unsaved"] == "no")
    assert helper.record()["refresh-token"] == idp.current_refresh(JO)
    helper.wait_log("event=saved")


def test_unsaved_record_is_stored_at_exit(clocked, idp):
    clocked.seed(age=4000)
    clocked.start()
    assert clocked.token_unsaved()["result"] == "ok"
    clocked.limit_files(None)
    clocked.stop()
    assert clocked.record()["refresh-token"] == idp.current_refresh(JO)


def test_more_signals_do_not_end_the_last_save(clocked, idp):
    clocked.seed(age=4000)
    clocked.start()
    assert clocked.token_unsaved()["result"] == "ok"
    clocked.limit_files(None)
    while clocked.process.poll() is None:
        clocked.signal()
    assert clocked.wait() == 0
    assert clocked.record()["refresh-token"] == idp.current_refresh(JO)


def test_record_saved_by_another_refresh_is_not_saved_again(helper):
    """Nobody has asked for either, so they do not stay in memory."""
    for account in (JO, "ann@example.org"):
        helper.seed(account, age=4000)
    helper.start()
    for account in (JO, "ann@example.org"):
        answer = helper.token_unsaved("refresh", account)
        assert (answer["result"], answer["unsaved"]) == ("ok", "yes")
        helper.limit_files(None)
    assert helper.ask("refresh", account=JO)["result"] == "ok"
    # Its own timer was set earlier than this one.
    helper.wait_log("ann@example.org: the record is on disk now")
    assert helper.status()["unsaved"] == "no"


def test_record_that_is_lost_at_exit_is_told(helper):
    helper.seed(age=4000)
    helper.start()
    assert helper.token_unsaved()["result"] == "ok"
    assert helper.stop() == 0               # after the time it has for that
    assert re.search(f"event=lost .*{JO}", helper.log())


def test_renewal_waits_for_room_before_it_spends_the_old_token(clocked):
    old = clocked.seed(age=10)
    clocked.start()
    assert clocked.token()["token"] == old.access_token
    clocked.limit_files(100)
    clocked.clock.both(1900)
    clocked.wait_log("event=no-room")
    assert clocked.token()["token"] == old.access_token
    assert clocked.refreshes() == 0
    clocked.clock.both(61)
    assert clocked.token()["token"] == old.access_token
    assert clocked.refreshes() == 0
    clocked.limit_files(None)
    clocked.clock.both(61)
    wait_for(lambda: clocked.refreshes() == 1)
    wait_for(lambda: clocked.record()["refresh-token"] != old.refresh_token)


def test_a_sign_in_on_a_read_only_file_system_can_be_forgotten(root, helper):
    script = (f"mount -t tmpfs -o mode=700,uid={helper.user.pw_uid},"
              f"gid={helper.user.pw_gid} tmpfs '{helper.keyring}' && "
              f"mount -o remount,ro '{helper.keyring}' && exec \"$@\"")
    helper.start(before=["unshare", "-m", "sh", "-c", script, "sh"])
    with helper.connect() as line:
        shown = line.send("sign-in", account=JO).next()
        helper.idp.approve(shown["user-code"], JO)
        assert line.rest()[-1]["result"] == "ok"
    assert helper.status()["unsaved"] == "yes"
    answer = helper.ask("forget", account=JO)
    assert (answer["result"], answer["deleted"]) == ("ok", "yes")
    assert helper.token()["result"] == "unknown-account"


def test_keyring_that_becomes_read_only_is_unsaved(root, helper, idp):
    helper.seed(age=4000)
    helper.start()
    os.chmod(helper.keyring, 0o500)
    assert helper.token()["result"] == "ok"
    assert helper.status()["unsaved"] == "yes"
    os.chmod(helper.keyring, 0o700)
    wait_for(lambda: helper.status()["unsaved"] == "no")
    assert helper.record()["refresh-token"] == idp.current_refresh(JO)


def test_keyring_read_only_at_the_start_is_no_refusal(root, helper, idp):
    helper.seed(age=4000)
    os.chmod(helper.keyring, 0o500)
    helper.start()
    assert helper.token()["result"] == "ok"
    assert helper.status()["unsaved"] == "yes"
    os.chmod(helper.keyring, 0o700)
    wait_for(lambda: helper.status()["unsaved"] == "no")
    assert helper.record()["refresh-token"] == idp.current_refresh(JO)


def spoil_mode(path):
    os.chmod(path, 0o644)


def spoil_owner(path):
    os.chown(path, 1, 1)


def spoil_link(path):
    os.link(path, path + ".other")


def mend_link(path):
    os.unlink(path + ".other")


def spoil_symlink(path):
    os.rename(path, path + ".other")
    os.symlink(path + ".other", path)


def mend_symlink(path):
    os.rename(path + ".other", path)


SPOILT = [
    (spoil_mode, "chmod 600", lambda path: os.chmod(path, 0o600)),
    (spoil_owner, "chown", lambda path: os.chown(path, 65534, 65534)),
    (spoil_link, JO, mend_link),
    (spoil_symlink, JO, mend_symlink),
]


@pytest.mark.parametrize("when", ["before-the-start", "later"])
@pytest.mark.parametrize("spoil,command,mend", SPOILT,
                         ids=lambda v: getattr(v, "__name__", ""))
def test_unsafe_file_is_refused_with_the_command_that_mends_it(
        root, helper, when, spoil, command, mend):
    if when == "later":
        helper.start()
    old = helper.seed(age=10)
    path = os.path.join(helper.keyring, JO)
    spoil(path)
    if when != "later":
        helper.start()
    for _ in range(2):
        answer = helper.token()
        assert answer["result"] == "config-error"
        assert command in answer["text"]
    assert helper.status()["state"] == "config-error"
    mend(path)
    assert helper.token()["token"] == old.access_token
    assert helper.status()["state"] == "active"
    assert helper.refreshes() == 0


@pytest.mark.parametrize("when", ["before-the-start", "later"])
def test_damaged_file_is_a_config_error_and_is_kept(helper, when):
    if when == "later":
        helper.start()
    old = helper.seed(age=10)
    path = os.path.join(helper.keyring, JO)
    whole = open(path).read()
    helper.write_record(JO, whole[:200])
    if when != "later":
        helper.start()
    answer = helper.token()
    assert answer["result"] == "config-error"
    assert path in answer["text"]
    assert open(path).read() == whole[:200]
    helper.write_record(JO, whole)
    assert helper.token()["token"] == old.access_token


@pytest.mark.parametrize("why", ("damaged, or another account's",
                                 "sealed with a key that is not here"))
def test_what_cannot_be_opened_is_mended_by_what_is_told(helper, why):
    helper.seed(age=10)
    if why.startswith("sealed"):
        helper.write_record(JO, f"mailtoken-entry=1\naccount={JO}\n"
                            f"key-id={'0' * 16}\nnonce={'0' * 24}\n"
                            f"sealed={'0' * 64}\n\n")
    else:
        helper.write_record(JO, "x")
    helper.start()
    answer = helper.token()
    assert answer["result"] == "config-error"
    assert answer["text"].startswith(f"{why}: {helper.keyring}/{JO}: ")
    assert answer["text"].endswith(f"or run: mailtoken login {JO}")
    assert sign_in(helper)["result"] == "ok"
    assert helper.token()["result"] == "ok"


def test_state_in_a_mended_file_counts(helper, idp):
    helper.seed(age=4000, state="login-needed", text="sign in again")
    path = os.path.join(helper.keyring, JO)
    os.chmod(path, 0o644)
    helper.start()
    assert helper.token()["result"] == "config-error"
    os.chmod(path, 0o600)
    status = helper.status()
    assert (status["state"], status["text"]) == ("login-needed",
                                                 "sign in again")


def test_a_record_that_is_replaced_at_rest_counts_as_it_is(helper, idp):
    helper.seed(age=4000)
    helper.start()
    new = helper.seed(age=10)
    assert helper.token()["token"] == new.access_token
    assert helper.status()["state"] == "active"
    assert helper.refreshes() == 0


def test_a_record_that_loses_its_refresh_token_at_rest_is_no_end(helper):
    helper.seed(age=4000)
    helper.start()
    path = os.path.join(helper.keyring, JO)
    with open(path, encoding="ascii") as file:
        kept = [line for line in file if not line.startswith("refresh-tok")]
    helper.write_record(JO, "".join(kept))
    answer = helper.token()
    assert answer["result"] == "login-needed"
    assert "mailtoken login" in answer["text"]
    assert helper.ask("refresh", account=JO)["result"] == "login-needed"
    assert helper.stop() == 0


def test_unusable_file_is_told_at_the_start(helper):
    path = helper.write_record(JO, "mailtoken-entry=1\n")
    helper.start()
    helper.wait_log(f"{path}")
    helper.wait_log("to=config-error")


def test_idle_record_that_could_not_be_read_is_tried_again(clocked):
    """Nobody asks for it, so only the clock can bring it back."""
    clocked.seed(age=7 * 86400 - 3600)
    path = os.path.join(clocked.keyring, JO)
    clocked.start()
    os.chmod(path, 0o644)
    clocked.clock.both(2 * 3600)
    clocked.wait_log("to=config-error")
    os.chmod(path, 0o600)
    clocked.clock.both(3601)
    wait_for(lambda: clocked.refreshes() == 1)
    clocked.wait_log("to=active")


def test_record_of_another_account_is_not_taken(helper):
    helper.seed("ann@example.org", age=10)
    os.rename(os.path.join(helper.keyring, "ann@example.org"),
              os.path.join(helper.keyring, JO))
    helper.start()
    assert helper.token()["result"] == "config-error"


def test_foreign_files_in_the_keyring_are_left_alone(helper):
    for name in ("README", ".hidden", "a b", "%41"):
        helper.write_record(name, "not ours", 0o644)
    helper.seed(age=10)
    helper.start()
    assert helper.token()["result"] == "ok"
    assert helper.stop() == 0
    for name in ("README", ".hidden", "a b", "%41"):
        assert open(os.path.join(helper.keyring, name)).read() == "not ours"


@pytest.mark.parametrize("spoil,command", [
    (lambda path: os.chmod(path, 0o755), "chmod"),
    (lambda path: os.chown(path, 1, 1), "chown"),
], ids=["mode", "owner"])
def test_unsafe_keyring_is_told_and_recovers_at_the_next_request(
        root, helper, spoil, command):
    helper.seed(age=10)
    spoil(helper.keyring)
    helper.start()
    answer = helper.token()
    assert answer["result"] == "config-error"
    assert command in answer["text"] and helper.keyring in answer["text"]
    os.chown(helper.keyring, helper.user.pw_uid, helper.user.pw_gid)
    os.chmod(helper.keyring, 0o700)
    assert helper.token()["result"] == "ok"


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
def test_files_are_private_whatever_the_umask(helper, umask):
    os.rmdir(helper.keyring)
    helper.start(umask=umask)
    with helper.connect() as line:
        shown = line.send("sign-in", account=JO).next()
        helper.idp.approve(shown["user-code"], JO)
        assert line.rest()[-1]["result"] == "ok"
    assert os.stat(helper.keyring).st_mode & 0o777 == 0o700
    for name in os.listdir(helper.keyring):
        path = os.path.join(helper.keyring, name)
        assert os.stat(path).st_mode & 0o777 == 0o600, name
    assert os.stat(helper.socket).st_mode & 0o777 == 0o666


def test_kill_at_any_point_leaves_the_old_record_or_the_new(clocked, idp):
    helper = clocked
    idp.set(reuse_detection=False)
    helper.seed(age=4000)
    pause = threading.Event()
    luck = random.Random(7)
    for _ in range(25):
        idp.forget_requests()
        before = helper.record()["refresh-token"]
        helper.start()
        helper.clock.both(6)    # the last answer may have been lost
        with helper.connect() as line:
            line.send("refresh", account=JO)
            idp.wait_request("token")
            pause.wait(luck.uniform(0, 0.02))
            helper.signal(signal.SIGKILL)
            helper.wait()
        idp.wait_answered()
        found = helper.record()["refresh-token"]
        assert found in (before, idp.current_refresh(JO))
        assert helper.record()["account"] == JO
    helper.start()
    helper.clock.both(6)
    assert helper.token()["result"] == "ok"
    # What the killed ones left lying about is gone.
    assert sorted(os.listdir(helper.keyring)) == [".lock", JO]


def test_record_that_comes_while_it_runs_is_found(helper):
    helper.start()
    assert helper.token()["result"] == "unknown-account"
    old = helper.seed(age=10)
    assert helper.token()["token"] == old.access_token


def test_second_helper_on_the_same_socket_ends_at_once(helper, beds):
    helper.start()
    second = beds()
    second.sockets = helper.sockets
    second.launch()
    assert second.wait() != 0
    assert "another helper" in second.log()
    assert helper.ask("version")["result"] == "ok"


@pytest.mark.slow
def test_second_helper_on_one_keyring_ends_and_names_the_first(helper, beds):
    helper.start()
    second = beds()
    second.keyring = helper.keyring
    second.launch()
    assert second.wait() == 75
    assert f"(socket {helper.socket})" in second.log()


def test_second_helper_takes_over_when_the_first_ends(helper, idp):
    helper.seed(age=4000)
    helper.start()
    idp.fault("token", "delay", seconds=1)
    waiter = helper.later(helper.token)
    idp.wait_request("token")
    first = helper.process
    first.terminate()
    wait_for(lambda: not all_answer(helper.sockets))
    helper.start()
    assert first.wait(DEADLINE_S) == 0
    answer = waiter()
    assert answer["result"] == "ok"
    assert helper.token()["token"] == answer["token"]
    assert helper.refreshes() == 1
