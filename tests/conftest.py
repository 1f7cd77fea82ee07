# SPDX-License-Identifier: BSD-2-Clause
"""What all whole-system tests share: tests/lib on the path, one mark."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "lib"))


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes more than ten seconds")
