# SPDX-License-Identifier: BSD-2-Clause
"""One container for all tests of the units, and a provider in it.

The provider and the smarthost run in this process and listen in the
container's network, so tests look at them directly.
"""

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))
sys.path.insert(0, str(HERE))

import container                                        # noqa: E402
import paths                                            # noqa: E402
import root_tree                                        # noqa: E402
from bed_units import POSTFIX_SOCKET, SOCKET, System    # noqa: E402
from idp import Idp                                     # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes more than ten seconds")


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


@pytest.fixture(scope="session")
def machine(network, tmp_path_factory):
    """A booted Debian with mailtoken installed, nothing enabled."""
    if not paths.program("mailtokend").exists():
        pytest.skip("mailtokend is not built")
    scratch = tmp_path_factory.mktemp("machine")
    tree = scratch / "root"
    booted = container.Container(tree, network)
    try:
        base = root_tree.base_tree(scratch)
        root_tree.copy(base, str(tree))
        root_tree.install(str(tree))
        booted.boot()
    except (root_tree.CannotMake, container.CannotBoot) as reason:
        pytest.skip(str(reason))
    yield booted
    booted.halt()
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


@pytest.fixture
def bare(machine, idp):
    """The units as installed: configured, nothing enabled."""
    system = System(machine, idp)
    system.reset()
    since = machine.cursor()
    yield system
    text = "\n".join(str(e.get("MESSAGE"))
                     for e in machine.journal(after=since))
    for secret in idp.secrets():
        assert secret not in text


@pytest.fixture
def system(bare):
    """The units as a relay has them: both sockets."""
    bare.enable(SOCKET, POSTFIX_SOCKET)
    return bare
