# SPDX-License-Identifier: BSD-2-Clause
"""Who waits for mail is not kept from it by renewals, nor by the provider of
somebody else."""

import pytest

from bed import wait_for
from idp import Idp

JO = "jo@example.org"
DAY = 86400


def asked_for(idp, seeded):
    """Which of the provider's requests, from 0, was for this grant."""
    for n, request in enumerate(list(idp.requests)):
        if seeded.refresh_token.encode() in request.body:
            return n
    return None


def test_a_mail_goes_before_the_renewals_that_are_due(helper, idp):
    for i in range(200):
        helper.seed(f"a{i}@example.org", age=8 * DAY)
    jo = helper.seed(age=4000)
    helper.start()
    with idp.holding("token"):
        due = helper.connect().send("refresh", due="yes")
        idp.wait_request("token", 32)
        mail = helper.connect().send("token", account=JO, server="localhost")
        assert helper.ask("version")["result"] == "ok"  # it is accepted
    assert mail.next()["result"] == "ok"
    # The first turn after those that had begun; each has a connection of its
    # own, so that of those that begin together any may arrive first.
    assert asked_for(idp, jo) < 2 * 32
    answers = due.rest()
    assert {a["outcome"] for a in answers[:-1]} == {"ok"}
    assert len(answers) == 201


def test_nobody_is_told_of_a_provider_that_was_never_asked(clocked, idp):
    grants = {f"a{i}@example.org": clocked.seed(f"a{i}@example.org",
                                                age=8 * DAY)
              for i in range(40)}
    clocked.start()
    with idp.holding("token"):
        due = clocked.connect().send("refresh", due="yes")
        idp.wait_request("token", 32)
        clocked.clock.boot(26000)
        first = [due.next() for _ in range(32)]
        asked = {name for name, grant in grants.items()
                 if asked_for(idp, grant) is not None}
        assert {a["account"] for a in first} <= asked
        assert "ok" not in {a["outcome"] for a in first}
    # The others have their turn when there is room, and their answer.
    rest = due.rest()[:-1]
    assert {a["outcome"] for a in rest} == {"ok"}
    assert len(rest) == 8


def test_who_waits_for_a_turn_is_told_so(clocked, idp):
    for i in range(100):
        clocked.seed(f"a{i}@example.org", age=4000)
    clocked.start()
    with idp.holding("token"):
        lines = [clocked.connect().send("token", server="localhost",
                                        account=f"a{i}@example.org")
                 for i in range(100)]
        idp.wait_request("token", 32)
        assert clocked.ask("version")["result"] == "ok"     # all are accepted
        clocked.clock.boot(29000)
        clocked.clock.boot(2000)
        answer = lines[-1].next()
        assert answer["result"] == "try-later"
        assert "turn" in answer["text"] and "provider" not in answer["text"]
        assert int(answer["retry-after"]) > 0
    for line in lines:
        line.close()


@pytest.fixture
def hanging(authority_directory):
    """A second provider, which never answers."""
    with Idp(authority_directory, interval=1) as provider:
        with provider.holding("token"):
            yield provider


def seed_hanging(helper, hanging, n):
    """n accounts of it, whose tokens have lapsed."""
    helper.configure(f"""provider hanging
    token_endpoint {hanging.url}/token
    device_authorization_endpoint {hanging.url}/device
    client_id mail-app
    scope mail offline_access
    servers localhost
    ca_file {helper.path("ca.pem")}
""")
    for i in range(n):
        name = f"h{i}@example.org"
        helper.seed(name, age=4000, seeded=hanging.seed(name),
                    provider="hanging",
                    token_host=f"localhost:{hanging.port}",
                    token_endpoint=f"{hanging.url}/token")


@pytest.mark.parametrize("verb", ["token", "refresh"])
def test_a_provider_that_hangs_keeps_nobody_else_from_his(helper, idp,
                                                          hanging, verb):
    helper.seed(age=4000)
    seed_hanging(helper, hanging, 150)
    helper.start()
    lines = [helper.connect().send("token", server="localhost",
                                   account=f"h{i}@example.org")
             for i in range(150)]
    hanging.wait_request("token", 16)
    assert helper.ask("version")["result"] == "ok"      # all are accepted
    assert len(hanging.requests) == 16
    answer = helper.ask(verb, account=JO,
                        **({"server": "localhost"} if verb == "token" else {}))
    assert answer["result"] == "ok"
    wait_for(lambda: helper.status()["state"] == "active")
    for line in lines:
        line.close()
