# SPDX-License-Identifier: BSD-2-Clause
"""What all whole-system tests share: tests/lib on the path, one mark, and
signals as a shell leaves them to what it starts in front."""

import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "lib"))


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes more than ten seconds")
    # Behind "&" of a script the first is ignored, under nohup the second,
    # and so they would be in all that tests start.
    for number, usual in ((signal.SIGINT, signal.default_int_handler),
                          (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, usual)
