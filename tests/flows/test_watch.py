# SPDX-License-Identifier: BSD-2-Clause
"""mailtoken watch with a real helper."""

import signal
import subprocess

import paths
from bed_cli import Running

JO = "jo@example.org"


def test_watch_lives_through_a_restart_and_misses_nothing(helper):
    helper.seed()
    helper.start()
    with Running(
            [str(paths.program("mailtoken")), "--socket", helper.socket,
             "watch"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True) as watch:
        assert watch.stdout.readline() == (
            f'account={JO} state=active text=""\n')
        assert helper.stop() == 0
        assert watch.stderr.readline() == (
            "mailtoken: the helper went away; waiting for it\n")
        helper.seed(state="login-needed", text="sign in again")
        helper.start()
        assert watch.stdout.readline() == (
            f'account={JO} state=login-needed text="sign in again"\n')
        assert helper.ask("forget", account=JO)["result"] == "ok"
        assert watch.stdout.readline() == (
            f'account={JO} state=empty text=""\n')
        watch.send_signal(signal.SIGTERM)
        assert watch.communicate()[0] == ""
