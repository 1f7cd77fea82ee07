# SPDX-License-Identifier: BSD-2-Clause
"""A helper in a user namespace: ids that it does not map all look the same,
also the same as its own, and none of them may get anything."""

import os

import pytest

from helper_line import ask

JO = "jo@example.org"
OWN, OTHER = 65534, 4712        # uids of the host


def boxed(helper, *mapping):
    """The helper inside a user namespace, as the uid nobody of the host."""
    helper.configure("allow 65534 @65534")
    os.chown(helper.config, OWN, OWN)   # root shows as nobody in there
    helper.seed(JO)
    helper.options += ["--log-level", "info"]
    plain = helper.argv
    helper.argv = lambda: [
        "setpriv", f"--reuid={OWN}", f"--regid={OWN}", "--clear-groups",
        "unshare", "--user", *mapping, "--",
        *(word for i, word in enumerate(plain())
          if "--user" not in plain()[max(0, i - 1):i + 1])]
    try:
        return helper.start()
    except AssertionError:
        if "unshare failed" in helper.log():
            pytest.skip("this kernel lets no user make a user namespace")
        raise


@pytest.mark.parametrize("verb", ["export", "token", "forget"])
def test_unmapped_users_get_nothing(root, helper, verb):
    boxed(helper)
    for uid in (OTHER, OWN):
        answer = ask(helper.socket, verb, uid, account=JO,
                     server="localhost")
        assert answer["result"] in ("denied", "unknown-account"), answer
        assert "token" not in answer and "refresh-token" not in answer
    helper.wait_log("does not map all users")
    assert helper.record(JO)["refresh-token"]


def test_a_mapped_user_is_served_and_others_are_not(root, helper):
    boxed(helper, "--map-user=1000", "--map-group=1000")
    assert ask(helper.socket, "token", OWN, account=JO,
               server="localhost")["result"] == "ok"
    assert ask(helper.socket, "export", OWN, account=JO)["result"] == "ok"
    for verb in ("export", "token"):
        answer = ask(helper.socket, verb, OTHER, account=JO,
                     server="localhost")
        assert answer["result"] in ("denied", "unknown-account"), answer


def test_what_cannot_be_known_of_a_map_lets_nobody_in(root, helper):
    """Without /proc any namespace looks alike."""
    helper.configure("allow 65534 4712")
    helper.seed(JO)
    helper.start(before=("unshare", "-m", "sh", "-c",
                         "mount -t tmpfs none /proc; exec \"$@\"", "sh"))
    assert helper.user.pw_uid == OWN
    for verb in ("export", "token"):
        answer = ask(helper.socket, verb, OWN, account=JO,
                     server="localhost")
        assert answer["result"] in ("denied", "unknown-account"), answer
    assert helper.token(uid=OTHER)["result"] == "ok"
    helper.wait_log("does not map all users")
