# SPDX-License-Identifier: BSD-2-Clause
"""The sentence of a failure, checked for what holds for all of them."""

import os

TEXT_MAX = 500


def sentence(run):
    """The text we set, after checking what holds for all of them."""
    prefix, mark, text = run.detail.partition("mailtoken: ")
    assert mark, run.detail
    text = mark + text
    assert len(text) <= TEXT_MAX
    assert text.isascii() and text.isprintable()
    assert "Unable to find a callback" not in run.detail
    assert "tok123" not in run.text
    # What the log got is what the caller can read, once.
    assert run.all("log") == [f"2 {text}"]
    assert all(not out for out in run.outs)
    return text


def failed(host, code, user="alice@example.com", **options):
    run = host.run(user=user, **options)
    assert run.start == code, run.text
    return sentence(run)


def open_the_way(path):
    """Let other users reach what pytest keeps below a private directory."""
    for parent in path.parents:
        if parent.stat().st_uid == os.geteuid() and len(parent.parts) > 2:
            parent.chmod(parent.stat().st_mode | 0o111)
