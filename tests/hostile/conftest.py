# SPDX-License-Identifier: BSD-2-Clause
"""What these tests share with those of whole grants: helper and provider."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))
sys.path.insert(0, str(HERE.parent / "flows"))

from bed_helper import (authority_directory, beds,      # noqa: E402,F401
                        clocked, helper, idp, root)
