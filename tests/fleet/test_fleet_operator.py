# SPDX-License-Identifier: BSD-2-Clause
"""What an operator is told of a fleet: status, version, check, metrics and
doctor."""

import json
import os
import re
import subprocess

import pytest

import paths
from bed import wait_for
from bed_fleet import JO


@pytest.fixture
def run():
    """The command, at a relay."""
    def ask(relay, *words):
        return subprocess.run(
            [str(paths.program("mailtoken")), "--socket", relay.socket,
             *words], capture_output=True, text=True, timeout=60,
            check=False, env={"PATH": os.environ["PATH"], "HOME": "/",
                              "MAILTOKEN_CONFIG": relay.config})
    return ask


def samples(text):
    """Of the fleet's families."""
    return {name: int(value) for name, value in re.findall(
        r"^mailtoken_fleet_(\w+) (\d+)$", text, re.M)}


def test_a_relay_in_step_says_so(fleets, run):
    fleet = fleets(relays=2).seeded(JO, age=10)
    a, b = fleet.relays
    assert a.refresh()["result"] == "ok"
    wait_for(lambda: samples(run(b, "metrics").stdout)["records_adopted_total"])
    # The other one may know of it before who has put it is told that it has.
    wait_for(lambda: samples(run(a, "metrics").stdout)["unput_records"] == 0)
    line = f"fleet: in-step at {fleet.etcd.urls[0]} as relay0"
    for verb in ("status", "version"):
        assert run(a, verb).stdout.splitlines()[-1].startswith(line)
    *_, last = json.loads(run(a, "status", "--json").stdout)
    assert last["fleet"] == "in-step" and last["fleet-revision"] > 1
    put = samples(run(a, "metrics").stdout)
    assert put == {"up": 1, "behind_revisions": 0, "locks": 0,
                   "unput_records": 0, "records_adopted_total": 0,
                   "records_put_total": put["records_put_total"],
                   "conflicts_total": 0, "turns_waited_total": 0}
    assert put["records_put_total"] >= 1
    report = run(a, "doctor", JO).stdout
    assert re.search(rf"fleet.*in step with the fleet at "
                     rf"{re.escape(fleet.etcd.urls[0])}, as relay0", report)


def test_a_relay_cut_off_says_so(fleets, run):
    fleet = fleets(relays=1).seeded(JO, age=10)
    relay, = fleet.relays
    fleet.etcd.kill(0)
    relay.wait_fleet("away")
    assert run(relay, "status").stdout.splitlines()[-1].startswith(
        "fleet: away ")
    check = run(relay, "check")
    assert check.returncode == 1 and "the fleet is away: " in check.stdout
    assert samples(run(relay, "metrics").stdout)["up"] == 0
    report = run(relay, "doctor", JO, "--json")
    assert report.returncode == 1
    row, = (row for row in json.loads(report.stdout)
            if row["check"] == "fleet")
    assert "nothing is renewed: " in row["text"], row
    assert "etcdctl endpoint health --cluster" in row["type"], row


def test_setup_of_a_fleet_ends_with_how_it_stands(fleets, run):
    fleet = fleets(relays=1)
    fleet.start()
    relay, = fleet.relays
    done = run(relay, "setup", "fleet", *fleet.etcd.urls, "--yes")
    assert done.returncode == 0, done
    assert done.stdout.splitlines() == [
        f"fleet: in-step at {fleet.etcd.urls[0]} as relay0",
        "It is set up already: nothing was changed."]
