# SPDX-License-Identifier: BSD-2-Clause
"""What the tests of the operator share: a provider, helpers, the command."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
for folder in (HERE.parent / "lib", HERE.parent / "flows",
               HERE.parent / "hosts", HERE):
    sys.path.insert(0, str(folder))

from bed_cli import mailtoken, place, program           # noqa: E402,F401
from bed_helper import (authority_directory, beds,      # noqa: E402,F401
                        clocked, helper, idp, root)
from bed_relay import relay, relays, smarthost          # noqa: E402,F401


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes more than ten seconds")
