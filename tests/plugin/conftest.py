# SPDX-License-Identifier: BSD-2-Clause
"""What the tests of the plugin share: a module directory, a helper."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

import paths                                            # noqa: E402
from sasl_host import Host                              # noqa: E402
from scripted_helper import ScriptedHelper              # noqa: E402
from sentences import open_the_way                      # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes more than ten seconds")
    # Other users are let into it here, and pytest shuts them out of its usual
    # place whenever another run of root's begins.
    if not config.option.basetemp:
        place = tempfile.mkdtemp(prefix="plugin-")
        config.option.basetemp = place
        config.add_cleanup(lambda: shutil.rmtree(place, ignore_errors=True))


@pytest.fixture
def plugins(tmp_path):
    """A directory that holds the plugin and nothing else."""
    for needed in (paths.module(), paths.host()):
        if not needed.exists():
            pytest.skip(f"{needed} is not built")
    tmp_path.chmod(0o755)
    directory = tmp_path / "sasl2"
    directory.mkdir()
    shutil.copy(paths.module(), directory / "libmailtoken.so")
    return directory


@pytest.fixture
def socket_path(tmp_path):
    """Where a helper may listen; its directory is safe."""
    directory = tmp_path / "run"
    directory.mkdir(mode=0o755)
    return directory / "socket"


@pytest.fixture
def helper(socket_path):
    """A helper that answers well until told otherwise."""
    with ScriptedHelper(socket_path, token="tok123") as scripted:
        yield scripted


@pytest.fixture
def host(plugins, socket_path):
    """The host program, pointed at the socket by MAILTOKEN_SOCKET."""
    return Host(plugins, {"MAILTOKEN_SOCKET": str(socket_path)})


@pytest.fixture
def root():
    """For tests that change identity or root directory."""
    if os.geteuid() != 0:
        pytest.skip("needs root")


class PrivateSystem:
    """The system's places, empty, in a mount namespace a program.

    socket_outside and config_outside are where a test puts things that the
    program then finds at the paths given to configure."""

    def __init__(self, directory):
        self._mounts = []
        self.socket_outside = self._place(directory, "system_socket")
        self.config_outside = self._place(directory, "system_config")

    def _place(self, directory, name):
        path = Path(paths.configured(name))
        parent = directory / name
        top = path.parent
        while not top.exists():
            top = top.parent
        inner = parent / path.parent.relative_to(top)
        inner.mkdir(parents=True)
        if top == Path("/"):
            pytest.skip(f"no place for {path} without changing /")
        if top != path.parent:
            # The overlay adds the missing name to what is there already.
            self._mounts.append("mount -t overlay overlay -o "
                                f"'lowerdir={parent}:{top}' '{top}'")
            top /= path.parent.relative_to(top).parts[0]
            parent /= top.name
        self._mounts.append(f"mount --bind '{parent}' '{top}'")
        return inner / path.name

    def as_user(self, uid, groups=()):
        """A wrapper that runs a program there as uid."""
        more = ",".join(map(str, groups))
        script = " && ".join(self._mounts) + ' && exec "$@"'
        return ["unshare", "-m", "sh", "-c", script, "sh", "setpriv",
                f"--reuid={uid}", f"--regid={uid}",
                f"--groups={more}" if more else "--clear-groups"]


@pytest.fixture
def private_system(root, tmp_path):
    """Where the system's socket and configuration would be: nothing."""
    directory = tmp_path / "system"
    directory.mkdir(mode=0o755)
    open_the_way(directory)
    return PrivateSystem(directory)
