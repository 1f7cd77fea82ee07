# SPDX-License-Identifier: BSD-2-Clause
"""How mailtoken doctor tells what it saw: order, exit status, JSON."""

import json
import os
import shlex
import shutil
import subprocess

import pytest


@pytest.fixture
def doctor(program, tmp_path):
    """mailtoken doctor, with a Postfix configuration of its own."""
    if shutil.which("postconf") is None:
        pytest.skip("there is no Postfix")
    (tmp_path / "main.cf").write_text(
        "compatibility_level = 3.6\nmail_owner = postfix\n"
        "relayhost = [localhost]:587\n")
    (tmp_path / "master.cf").write_text(
        "smtp unix - - y - - smtp\n")
    environment = {**os.environ, "MAIL_CONFIG": str(tmp_path)}

    def run(*options):
        return subprocess.run([program, *options[:-1], "doctor"] +
                              list(options[-1]), capture_output=True,
                              text=True, timeout=60, env=environment)

    run.environment = environment
    return run


def test_a_fault_is_named_and_what_it_says_to_type_mends_it(helper, doctor):
    helper.start()
    options = ("--socket", helper.socket)
    found = doctor(*options, [])
    assert found.returncode == 1
    lines = found.stdout.splitlines()
    at = [line.startswith("FAULT postfix-sasl:") for line in lines].index(True)
    subprocess.run(shlex.split(lines[at + 1].split("&&", 1)[0]), check=True,
                   env=doctor.environment)
    mended = doctor(*options, [])
    assert "ok    postfix-sasl: " in mended.stdout


def test_who_does_not_answer_is_a_fault_with_json_too(doctor, place):
    found = doctor("--socket", place, "--json", [])
    assert found.returncode == 1
    checks = {row["check"]: row for row in json.loads(found.stdout)}
    assert checks["helper-answers"]["outcome"] == "fault"
    assert place in checks["helper-answers"]["text"]
