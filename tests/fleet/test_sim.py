# SPDX-License-Identifier: BSD-2-Clause
"""The simulation, small: make fleet-sim is the large one."""

from sim import Sim


def test_some_hours_of_a_small_fleet(fleets, idp):
    del fleets      # skips where there is nothing to make one of
    said = []
    sim = Sim(idp, said.append, relays=3, accounts=45, hours=3, members=3,
              trouble=60)
    assert sim.run() == (0, 0), said
    # Who was asked for is renewed at half of its token's life, by one relay;
    # and all of them at the end.
    assert 45 < idp.counts["refresh_token"] <= 45 + 30 * (6 + 2), said
    assert sim.answers["ok"] > 0
