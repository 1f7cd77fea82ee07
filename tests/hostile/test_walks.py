# SPDX-License-Identifier: BSD-2-Clause
"""What goes over all accounts does it in slices: a token that is there is
not kept by it, nor by a reader that stops, and it ends well whatever happens
to the accounts meanwhile.

Requests are sent while the helper stands still, so that it finds them all
in the order in which they were sent; its log says in which it answered.
"""

import re
import shutil
import os
import select
import signal
from pathlib import Path

import pytest

from bed import DEADLINE_S, wait_for

JO = "jo@example.org"
MANY = 1000         # several slices
VERY_MANY = 3000    # their status is more than a socket holds
FRIEND, ADMIN, STRANGER = 4800, 4801, 5000


def fill(helper, n, **record):
    """n accounts with the same grant, and two users; not started."""
    lets_in(helper)
    one = helper.seed(**record)
    for i in range(n - 1):
        helper.seed(f"u{i}@example.org", seeded=one, **record)
    return helper


def lets_in(helper, **provider):
    """Write the configuration."""
    helper.configure(f"allow {FRIEND}\nadmin {ADMIN}",
                     **provider)


def token_line(helper, account=JO, uid=FRIEND):
    """A connection on which that is asked for a token."""
    return helper.connect(uid=uid).send("token", account=account,
                                        server="localhost")


def place_in_log(helper, text):
    """Where the first such line stands."""
    helper.wait_log(text)
    return helper.log().index(text)


def names_of(answers):
    """Accounts in the order of a whole answer."""
    assert answers[-1]["result"] == "ok"
    return [answer["account"] for answer in answers[:-1]]


def names_in_order(helper):
    """In which the helper goes over them."""
    with helper.connect() as line:
        return names_of(line.send("status").rest())


@pytest.mark.parametrize("verb, attributes, n", [
    ("status", {}, MANY), ("export", {}, MANY),
    ("refresh", {"due": "yes"}, 0)])
def test_a_token_does_not_wait_for(root, helper, verb, attributes, n):
    fill(helper, MANY).start()
    with helper.standing_still():
        walk = helper.connect().send(verb, **attributes)
        mail = token_line(helper)
    assert mail.next()["result"] == "ok"
    assert len(names_of(walk.rest())) == n
    assert place_in_log(helper, "verb=token") < \
        place_in_log(helper, f"verb={verb}")


def test_a_token_does_not_wait_for_metrics(root, helper):
    fill(helper, MANY).start()
    with helper.standing_still():
        walk = helper.connect().send("metrics", accounts="yes")
        mail = token_line(helper)
    assert mail.next()["result"] == "ok"
    told = [sample for answer in walk.rest()
            for sample in answer.all("sample")]
    assert f'mailtoken_accounts{{state="active"}} {MANY}' in told
    assert place_in_log(helper, "verb=token") < \
        place_in_log(helper, "verb=metrics")


def end_traced(helper):
    """End a helper that runs under strace."""
    tracer = helper.process
    child = Path(f"/proc/{tracer.pid}/task/{tracer.pid}/children")
    os.kill(int(child.read_text().split()[0]), signal.SIGTERM)
    tracer.wait(DEADLINE_S)


def test_no_turn_looks_at_all_records(root, helper, tmp_path):
    if shutil.which("strace") is None:
        pytest.skip("no strace here")
    trace = tmp_path / "trace"
    fill(helper, MANY).start(before=(
        "strace", "-qq", "-e", "trace=openat,epoll_wait,epoll_pwait",
        "-o", str(trace)))
    lets_in(helper, client_id="another")
    assert helper.ask("reload")["result"] == "ok"
    # What was begun first ends first.
    assert len(names_in_order(helper)) == MANY
    end_traced(helper)
    turns = re.split(r"^epoll_p?wait\(", trace.read_text(), flags=re.M)
    looks = [len(re.findall(r'openat\(.*@example.org"', turn))
             for turn in turns[1:]]     # the first is the start
    assert sum(looks) == 2 * MANY
    assert max(looks) <= 200


def test_a_reload_counts_for_one_whose_slice_is_to_come(root, helper):
    fill(helper, MANY, age=4000).start()
    last = names_in_order(helper)[-1]
    lets_in(helper, client_id="another")
    assert helper.ask("reload")["result"] == "ok"
    assert helper.status(JO)["state"] == "config-error"
    names_in_order(helper)      # what was begun first ends first
    lets_in(helper)
    with helper.standing_still():
        helper.connect().send("reload")
        mail = token_line(helper, last)
    assert mail.next()["result"] == "ok"


def test_the_status_of_a_stranger_goes_over_nothing(root, helper):
    fill(helper, MANY).start()
    with helper.standing_still():
        status = helper.connect(uid=STRANGER).send("status")
        mail = token_line(helper)
    assert mail.next()["result"] == "ok"
    assert names_of(status.rest()) == []
    assert place_in_log(helper, "verb=status") < \
        place_in_log(helper, "verb=token")


def has_more(line):
    """Whether something has come on this connection."""
    return select.select([line.sock], [], [], 0)[0] != []


def test_a_reader_that_stops_holds_up_his_own_only(root, clocked):
    fill(clocked, VERY_MANY).start()
    names = names_in_order(clocked)
    clocked.clock.hold()    # he is not let go
    with clocked.connect(uid=ADMIN) as line, \
            clocked.connect(uid=ADMIN) as second:
        first = line.send("status").next()
        assert first["account"] == names[0]
        second.send("status")
        assert clocked.ask("version", uid=ADMIN)["result"] == "ok"
        assert names_in_order(clocked) == names
        assert not has_more(second)
        # Nothing was made ready of what comes later than a socket holds.
        assert clocked.ask("forget", account=names[-1],
                           revoke="no")["result"] == "ok"
        clocked.seed("new@example.org")
        assert clocked.token("new@example.org")["result"] == "ok"
        assert [first["account"], *names_of(line.rest())] == names[:-1]
        assert names_of(second.rest()) == names[:-1]
        assert "new@example.org" in names_in_order(clocked)


def test_a_reader_that_hangs_up_ends_his_walk(root, helper):
    fill(helper, VERY_MANY).start()
    with helper.connect() as line:
        line.send("status").next()
    assert len(names_in_order(helper)) == VERY_MANY


def test_accounts_may_go_while_they_are_listed(root, helper):
    fill(helper, MANY).start()
    names = names_in_order(helper)
    with helper.standing_still():
        status = helper.connect(uid=ADMIN).send("status")
        going = [helper.connect().send("forget", account=name, revoke="no")
                 for name in names[::100]]
    seen = names_of(status.rest())
    assert [line.next()["result"] for line in going] == ["ok"] * 10
    assert set(seen) >= set(names) - set(names[::100])
    assert len(seen) == len(set(seen))
    assert not {os.path.basename(name) for name in names[::100]} & \
        set(os.listdir(helper.keyring))


def applications(helper, n, blocks=""):
    """n applications that the provider does not know, app0 and so on, written
    with these account blocks."""
    secret = helper.path("secret")
    Path(secret).write_text("x" * 40)
    os.chmod(secret, 0o600)
    os.chown(secret, helper.user.pw_uid, helper.user.pw_gid)
    providers = "\n".join(f"""provider app{i}
    token_endpoint {helper.idp.url}/token
    flow client-credentials
    client_id app{i}
    client_secret_file {secret}
    scope mail
    servers localhost
    ca_file {helper.path("ca.pem")}""" for i in range(n))
    helper.configure(f"allow {FRIEND}\nadmin {ADMIN}\n{providers}\n{blocks}")


def mailboxes(n, provider="app0", letter="a"):
    """Blocks of that many mailboxes of an application, and their names."""
    names = [f"{letter}{i:04}@example.org" for i in range(n)]
    return names, "".join(f"account {name}\n    provider {provider}\n"
                          for name in names)


def test_applications_are_listed_in_slices_too(root, helper):
    names, blocks = mailboxes(MANY)
    applications(helper, 1, blocks)
    helper.seed()
    helper.start()
    with helper.standing_still():
        walk = helper.connect().send("status")
        mail = token_line(helper)
    assert mail.next()["result"] == "ok"
    assert names_of(walk.rest())[1:] == names
    assert place_in_log(helper, "verb=token") < \
        place_in_log(helper, "verb=status")


def test_a_change_of_an_application_is_told_in_slices(root, helper, tmp_path):
    if shutil.which("strace") is None:
        pytest.skip("no strace here")
    names, blocks = mailboxes(MANY)
    applications(helper, 1, blocks)
    trace = tmp_path / "trace"
    helper.start(before=("strace", "-qq", "-e", "trace=sendto", "-o",
                         str(trace)))
    with helper.connect(uid=ADMIN) as line:
        line.send("watch").next()
        assert helper.token(names[0])["result"] == "config-error"
        assert [line.next()["account"] for _ in names] == names
    end_traced(helper)
    sizes = [int(n) for n in re.findall(r"= (\d+)$", trace.read_text(), re.M)]
    assert sum(sizes) > 100 * MANY
    assert max(sizes) < 16000


def test_two_applications_may_change_at_once(root, helper):
    names, blocks = mailboxes(MANY)
    others, more = mailboxes(MANY, "app1", "b")
    applications(helper, 2, blocks + more)
    helper.start()
    with helper.connect(uid=ADMIN) as line:
        line.send("watch").next()
        with helper.standing_still():
            asking = [token_line(helper, names[0]),
                      token_line(helper, others[0])]
        assert [one.next()["result"] for one in asking] == \
            ["config-error"] * 2
        missing = {*names, *others}
        while missing:
            told = line.next()
            if told["state"] == "config-error":
                missing.discard(told["account"])


def cpu_ns(helper):
    """What the helper has worked up to now."""
    stat = Path(f"/proc/{helper.process.pid}/schedstat")
    return int(stat.read_text().split()[0])


def cost_of_strangers(helper, blocks):
    """What a stranger's requests cost with that many account blocks."""
    helper.configure(f"allow {FRIEND}\n" + "".join(
        f"account u{i}@example.org\n    allow {10000 + i}\n"
        for i in range(blocks)))
    helper.seed(JO)
    helper.seed(f"u{blocks - 1}@example.org")
    helper.start()
    costs = []
    for _ in range(20):     # the least: a busy machine adds to most
        before = cpu_ns(helper)
        for _ in range(100):
            helper.ask("status", uid=STRANGER)
        costs.append(cpu_ns(helper) - before)
    # Who stands in a block is known all the same, for that one account.
    with helper.connect(uid=10000 + blocks - 1) as line:
        assert names_of(line.send("status").rest()) == \
            [f"u{blocks - 1}@example.org"]
    helper.stop()
    return min(costs)


def test_blocks_cost_a_stranger_nothing(root, helper):
    # A look at each of so many is four times the rest.
    assert cost_of_strangers(helper, 9000) < 3 * cost_of_strangers(helper, 1)
