# SPDX-License-Identifier: BSD-2-Clause
"""A booted Debian for a session's tests, and a provider in its network.

The provider and the smarthost run in this process and listen in the
container's network, so tests look at them directly.  The fixtures are for
a conftest.py to import.
"""

import contextlib
from pathlib import Path

import pytest

import container
import root_tree
from idp import Idp


@pytest.fixture(scope="session")
def network():
    """The container's network, with a loopback only."""
    try:
        container.need_privileges()
        made = container.Network()
    except container.CannotBoot as reason:
        pytest.skip(str(reason))
    yield made
    made.stop()


@contextlib.contextmanager
def booted(network, scratch, fill):
    """A Debian of the caller's own that runs; fill(tree) before it boots."""
    tree = scratch / "root"
    box = container.Container(tree, network)
    try:
        base = root_tree.base_tree(scratch)
        root_tree.copy(base, str(tree))
        fill(str(tree))
        box.boot()
    except (root_tree.CannotMake, container.CannotBoot) as reason:
        pytest.skip(str(reason))
    try:
        yield box
    finally:
        box.halt()
        # Pytest keeps the scratch directories of some runs.
        root_tree.remove(str(tree))
        if Path(base).parent == scratch:
            root_tree.remove(base)


@pytest.fixture(scope="session")
def idp(network, tmp_path_factory):
    """A provider that the container reaches as localhost."""
    provider = Idp(tmp_path_factory.mktemp("authority"), interval=1)
    network.call(provider.start)
    yield provider
    provider.stop()
