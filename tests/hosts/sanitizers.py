# SPDX-License-Identifier: BSD-2-Clause
"""Running foreign programs with a plugin that has sanitizers in it.

AddressSanitizer must be the first library of a process.  Leaks are not
looked for: those of the hosts would be found, and /proc is not there in
a chroot.
"""

import os
import re
import shlex
import subprocess

import paths

REPORT = re.compile(r"AddressSanitizer|runtime error:")


def environment(log_path=None):
    """What a host program needs; {} for a build without sanitizers."""
    if not paths.sanitized():
        return {}
    compiler = shlex.split(paths.configured("CC"))
    library = subprocess.run(
        [*compiler, "-print-file-name=libasan.so"], check=True,
        capture_output=True, text=True).stdout.strip()
    options = "detect_leaks=0"
    if log_path:
        options += f":log_path={log_path}"
    return {"LD_PRELOAD": os.path.realpath(library),
            "ASAN_OPTIONS": options}


def reports(text):
    """The lines of text that begin a report."""
    return [line for line in text.splitlines() if REPORT.search(line)]
