# SPDX-License-Identifier: BSD-2-Clause
"""What the tests of grants share: a provider, and the driver."""

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))
sys.path.insert(0, str(HERE))

import paths                                            # noqa: E402
from bed_cli import mailtoken, place, program           # noqa: E402,F401
from bed_helper import (authority_directory, beds,      # noqa: E402,F401
                        clocked, helper, idp, root)
from driver import Driver                               # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes more than ten seconds")


@pytest.fixture
def drive(idp):
    """Start the driver against idp; options over the usual ones.

    Afterwards nothing it printed may hold a secret."""
    if not paths.program("tests/flows/flow_driver").exists():
        pytest.skip("tests/flows/flow_driver is not built")
    running = []

    def start(what, secrets=None, environment=None, **options):
        base = idp.tenant_url("common")
        usual = {"preset": "microsoft", "client_id": "mail-app",
                 "token_endpoint": f"{base}/token",
                 "device_authorization_endpoint": f"{base}/devicecode",
                 "ca_file": idp.ca_file}
        usual.update(options)
        usual = {k: v for k, v in usual.items() if v is not None}
        running.append(Driver(what, usual, secrets, environment))
        return running[-1]

    yield start
    for driver in running:
        driver.kill()
        for secret in idp.secrets():
            assert secret not in driver.printed


@pytest.fixture
def refresh(idp, drive):
    """Refresh a seeded account once; returns the last event."""
    def run(token=None, **options):
        options.setdefault("ask", "https://outlook.office.com/SMTP.Send "
                                  "offline_access")
        token = token or idp.seed("jo@x.example",
                                  tenant="common").refresh_token
        return drive("refresh", {"refresh_token": token}, **options).end()
    return run
