# SPDX-License-Identifier: BSD-2-Clause
"""Tests of the identity provider and the authority as scripts."""

import json
import os
import subprocess
import sys

import bed
from test_lib import USER, call, poll, refresh, start_device

HERE = os.path.dirname(os.path.abspath(__file__))


def test_script_is_controlled_and_ends_with_its_parent(tmp_path):
    # It ends with this process at the latest.
    parent = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    info_file = tmp_path / "info"
    script = subprocess.Popen(
        [sys.executable, "-m", "idp", "--info-file", str(info_file),
         "--port-file", str(tmp_path / "port"), "--set", "interval=0",
         "--parent", str(parent.pid)], cwd=HERE, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        bed.wait_for((tmp_path / "port").exists)
        info = json.loads(info_file.read_text())
        assert info_file.stat().st_mode & 0o777 == 0o600
        there = type("There", (), {
            "ca_file": info["ca"],
            "port": int((tmp_path / "port").read_text())})
        bearer = {"Authorization": "Bearer " + info["control-secret"]}

        def control(name, **arguments):
            _, _, text = call(there, "POST", "/control/" + name,
                              json.dumps(arguments), **bearer)
            return json.loads(text)

        assert call(there, "GET", "/control/counts")[0] == 403
        assert not control("stop")["ok"]
        device = start_device(there)
        assert control("approve", user_code=device["user_code"],
                       user=USER)["ok"]
        assert poll(there, device)[0] == 200
        seeded = control("seed", user=USER)["value"]
        control("fault", endpoint="token", kind="aadsts", number=700082)
        assert refresh(there, seeded["refresh_token"])[1][
            "error_codes"] == [700082]
        text = call(there, "GET", "/control/secrets", **bearer)[2]
        assert seeded["refresh_token"] in json.loads(text)["value"]
        text = call(there, "GET", "/control/counts", **bearer)[2]
        assert json.loads(text)["value"]["token"] == 2
        assert control("wait_request", endpoint="token", n=2)["ok"]
        parent.kill()
        parent.wait()
        assert script.wait(bed.DEADLINE_S) == 0
        assert script.stdout.readline().startswith("url=https://localhost:")
    finally:
        parent.kill()
        parent.wait()
        parent.stdin.close()
        script.kill()
        script.wait()
        script.stdout.close()


def test_ca_script_prints_what_it_made(tmp_path):
    done = subprocess.run([sys.executable, "-m", "ca", str(tmp_path),
                           "--bad", "--name", "relay.example"], cwd=HERE,
                          capture_output=True, text=True, check=True)
    files = [line.partition("=")[2] for line in done.stdout.splitlines()]
    assert len(files) == 7 and all(map(os.path.exists, files))
