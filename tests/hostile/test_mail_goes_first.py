# SPDX-License-Identifier: BSD-2-Clause
"""Who waits for mail is not kept from it by renewals, nor by the provider of
somebody else."""

from contextlib import ExitStack

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
    """Two more providers, which never answer."""
    with ExitStack() as stack:
        providers = [stack.enter_context(Idp(authority_directory, interval=1))
                     for _ in range(2)]
        for provider in providers:
            stack.enter_context(provider.holding("token"))
        yield providers


def seed_hanging(helper, hanging, n):
    """n accounts of each, whose tokens have lapsed: their names."""
    helper.configure("".join(f"""provider hanging{at}
    token_endpoint {one.url}/token
    device_authorization_endpoint {one.url}/device
    client_id mail-app
    scope mail offline_access
    servers localhost
    ca_file {helper.path("ca.pem")}
""" for at, one in enumerate(hanging)))
    names = []
    for at, one in enumerate(hanging):
        for i in range(n):
            names.append(f"h{at}.{i}@example.org")
            helper.seed(names[-1], age=4000, seeded=one.seed(names[-1]),
                        provider=f"hanging{at}",
                        token_host=f"localhost:{one.port}",
                        token_endpoint=f"{one.url}/token")
    return names


@pytest.mark.parametrize("verb", ["token", "refresh"])
def test_a_provider_that_hangs_keeps_nobody_else_from_his(helper, idp,
                                                          hanging, verb):
    helper.seed(age=4000)
    names = seed_hanging(helper, hanging[:1], 150)
    helper.start()
    lines = [helper.connect().send("token", server="localhost", account=name)
             for name in names]
    hanging[0].wait_request("token", 16)
    assert helper.ask("version")["result"] == "ok"      # all are accepted
    assert len(hanging[0].requests) == 16
    answer = helper.ask(verb, account=JO,
                        **({"server": "localhost"} if verb == "token" else {}))
    assert answer["result"] == "ok"
    wait_for(lambda: helper.status()["state"] == "active")
    for line in lines:
        line.close()


@pytest.mark.parametrize("verb", ["token", "refresh"])
def test_two_providers_that_hang_leave_room_for_a_third(helper, hanging,
                                                        verb):
    """Whether a mail waits for it, or its grant is only due."""
    helper.seed(age=8 * 86400)
    names = seed_hanging(helper, hanging, 40)
    helper.start()
    lines = [helper.connect().send("token", server="localhost", account=name)
             for name in names]
    hanging[0].wait_request("token", 16)
    hanging[1].wait_request("token", 8)
    assert helper.ask("version")["result"] == "ok"      # all are accepted
    if verb == "token":
        assert helper.token()["result"] == "ok"
    else:
        with helper.connect() as due:
            assert due.send("refresh", due="yes").next()["outcome"] == "ok"
    for line in lines:
        line.close()
