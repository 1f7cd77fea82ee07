# SPDX-License-Identifier: BSD-2-Clause
"""What the tests of a fleet share: etcd, relays, a provider."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
for place in (HERE.parent / "flows", HERE.parent / "lib", HERE):
    sys.path.insert(0, str(place))

from bed_fleet import fleets                            # noqa: E402,F401
from bed_helper import authority_directory, idp         # noqa: E402,F401
