# SPDX-License-Identifier: BSD-2-Clause
"""The contract suite itself: it passes what keeps the contract, and fails
every helper that breaks it in one planted way.

Each runs test_contract.py in a process of its own, as a stranger would.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import contract_standin

HERE = Path(__file__).resolve().parent
AS_ROOT = ("stranger", "tells-apart", "shows-pid", "exports-all",
           "names-counted")


@pytest.fixture
def place():
    """A directory that strangers can reach as well."""
    path = Path(tempfile.mkdtemp(prefix="mailtoken-planted-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def run_suite(place, fault=None):
    """The suite against a stand-in; its exit status and last words."""
    path = place / "socket"
    more = ["--fault", fault] if fault else []
    standin = subprocess.Popen(
        [sys.executable, str(HERE / "contract_standin.py"), "--socket",
         str(path), *more], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert standin.stdout.readline() == b"ready\n"
        run = subprocess.run(
            [sys.executable, "-m", "pytest", "-x", "-q", "--tb=line", "-p",
             "no:cacheprovider", str(HERE / "test_contract.py")],
            capture_output=True, text=True, timeout=300, cwd=place,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1",
                 "MAILTOKEN_CONTRACT_SOCKET": str(path),
                 "MAILTOKEN_CONTRACT_ACCOUNT": contract_standin.ACCOUNTS[0],
                 "MAILTOKEN_CONTRACT_OTHER": contract_standin.ACCOUNTS[1],
                 "MAILTOKEN_CONTRACT_SERVER": contract_standin.SERVER,
                 # A fault may show by this patience alone.
                 "MAILTOKEN_CONTRACT_WAIT_S": "5" if fault else "60"},
            check=False)
        return run.returncode, run.stdout + run.stderr
    finally:
        standin.stdin.close()
        standin.wait(30)
        standin.stdout.close()


def test_a_helper_that_keeps_the_contract_passes(place):
    status, said = run_suite(place)
    assert status == 0, said


@pytest.mark.parametrize("fault", sorted(contract_standin.FAULTS))
def test_a_planted_fault_is_found(place, fault):
    if fault in AS_ROOT and os.geteuid() != 0:
        pytest.skip("only root can be a stranger")
    status, said = run_suite(place, fault)
    assert status == 1, said
    assert re.search(r"\b1 failed\b", said), said
