# SPDX-License-Identifier: BSD-2-Clause
"""What mailtoken(1) says about a host program, read by that program."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from bed import DEADLINE_S, free_port

PAGE = "helper/man/mailtoken.1"


def mbsync_block():
    page = (Path(__file__).resolve().parents[2] / PAGE).read_text()
    return re.search(r"(IMAPAccount work\n.*?)\.Ed", page, re.S)[1]


def errors(tmp_path, block):
    """What mbsync says to it, with a store and a channel."""
    port = free_port()
    block = re.sub("Host .*", f"Host 127.0.0.1\\nPort {port}", block)
    (tmp_path / "mail").mkdir(exist_ok=True)
    config = tmp_path / "mbsyncrc"
    config.write_text(
        block + "\nIMAPStore there\nAccount work\n\nMaildirStore here\n"
        f"Path {tmp_path}/mail/\nInbox {tmp_path}/mail/inbox\n\n"
        "Channel all\nFar :there:\nNear :here:\n")
    run = subprocess.run(["mbsync", "-c", config, "all"], text=True,
                         capture_output=True, timeout=DEADLINE_S, check=False)
    return run.stderr


def test_the_lines_for_mbsync_are_ones_that_it_knows(tmp_path):
    if shutil.which("mbsync") is None:
        pytest.skip("no mbsync")
    said = errors(tmp_path, mbsync_block())
    assert "not recog" not in said and "127.0.0.1" in said, said
