# SPDX-License-Identifier: BSD-2-Clause
"""One container for all tests of the units, and a provider in it."""

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))
sys.path.insert(0, str(HERE))

import paths                                            # noqa: E402
import root_tree                                        # noqa: E402
from bed_container import booted, idp, network          # noqa: E402,F401
from bed_setup import smarthost                         # noqa: E402,F401
from bed_units import POSTFIX_SOCKET, SOCKET, System    # noqa: E402


@pytest.fixture(scope="session")
def machine(network, tmp_path_factory):                 # noqa: F811
    """A booted Debian with mailtoken installed, nothing enabled."""
    if not paths.program("mailtokend").exists():
        pytest.skip("mailtokend is not built")
    with booted(network, tmp_path_factory.mktemp("machine"),
                root_tree.install) as box:
        yield box


@pytest.fixture
def bare(machine, idp):                                 # noqa: F811
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
