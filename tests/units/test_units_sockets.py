# SPDX-License-Identifier: BSD-2-Clause
"""The socket units: who answers, when, and to whom."""

import os

from bed_units import (POSTFIX_SOCKET, SERVICE, SOCKET, USER, read_lists)


def answers(system, path):
    """Whether the helper answers there, as root of the container sees it."""
    said = system.at(path).run("--json", "version")
    return said.returncode == 0 and '"protocol"' in said.stdout


def test_the_first_request_starts_the_helper(bare):
    bare.enable(SOCKET)
    assert bare.pid() == 0
    assert answers(bare, bare.socket)
    assert bare.pid() > 0


def test_both_sockets_answer(system):
    assert answers(system, system.socket)
    assert answers(system, system.jail_socket)
    assert system.pid() > 0


def test_the_directories_of_the_sockets_cannot_be_written_by_others(system):
    for path, owner in ((system.socket, "mailtoken mailtoken"),
                        (system.jail_socket, "root postfix")):
        folder = os.path.dirname(path)
        shown = system.container.run("stat", "-c", "%U %G %a", folder, path)
        assert shown.stdout == f"root root 755\n{owner} 660\n"


def test_the_postfix_socket_is_added_by_the_commands_of_the_page(bare):
    bare.enable(SOCKET)
    assert answers(bare, bare.socket)
    first = bare.pid()
    assert first > 0
    bare.add_postfix_socket()
    assert answers(bare, bare.jail_socket)
    assert answers(bare, bare.socket)
    assert bare.pid() not in (0, first)
    assert bare.container.show(POSTFIX_SOCKET, "ActiveState") == "active"
    assert bare.container.show(SOCKET, "ActiveState") == "active"


def test_the_helper_waits_for_an_exchange_before_it_takes_a_socket(bare):
    bare.enable(SOCKET)
    bare.login()
    bare.idp.fault("token", "delay", seconds=2, grant_type="refresh_token")
    seen = bare.refreshes()
    with bare.start("refresh", USER) as waiter:
        bare.wait_refresh(seen + 1)
        bare.add_postfix_socket()
        said = waiter.communicate()[0]
    assert waiter.returncode == 0, said
    assert bare.entry()["refresh-token"] == bare.idp.current_refresh(USER)
    assert bare.at(bare.jail_socket).token()


def test_the_socket_can_be_restarted_while_the_helper_runs(system):
    assert answers(system, system.socket)
    system.container.systemctl("restart", SOCKET)
    assert answers(system, system.jail_socket)
    assert answers(system, system.socket)


def test_a_postfix_without_a_chroot_gets_the_socket_by_a_drop_in(bare):
    """The drop-in of mailtokend(8); smtp(8) keeps its primary group only."""
    place = f"/etc/systemd/system/{SOCKET}.d"
    bare.enable(SOCKET)
    bare.login()
    assert bare.by("postfix").run("version").returncode == 77
    bare.write(f"{place}/postfix.conf", "[Socket]\nSocketGroup=postfix\n")
    try:
        bare.container.systemctl("daemon-reload")
        bare.container.systemctl("restart", SOCKET)
        assert bare.by("postfix").token()
        assert bare.by("nobody").run("version").returncode == 77
        # The helper's own commands are not shut out by that.
        bare.container.systemctl("start", "mailtoken-renew.service")
        bare.container.systemctl("reload", SERVICE)
    finally:
        bare.container.run("rm", "-r", place)
        bare.container.systemctl("daemon-reload")


def test_taking_the_postfix_socket_away_leaves_the_other(system):
    assert answers(system, system.socket)
    system.container.systemctl("disable", "--now", "--quiet",
                               POSTFIX_SOCKET)
    assert answers(system, system.socket)
    system.add_postfix_socket()
    assert answers(system, system.jail_socket)
    assert answers(system, system.socket)


def test_no_postfix_means_no_second_socket_and_no_failure(bare):
    bare.write(f"/etc/systemd/system/{POSTFIX_SOCKET}.d/test.conf",
               "[Unit]\nConditionPathIsDirectory=\n"
               "ConditionPathIsDirectory=/nowhere\n")
    try:
        bare.container.systemctl("daemon-reload")
        bare.enable(SOCKET, POSTFIX_SOCKET)
        assert bare.container.show(POSTFIX_SOCKET,
                                   "ActiveState") == "inactive"
        assert answers(bare, bare.socket)
    finally:
        bare.container.run("rm", "-r", "/etc/systemd/system/"
                           f"{POSTFIX_SOCKET}.d")


def test_stopping_leaves_the_sockets_and_a_request_starts_it_again(system):
    assert answers(system, system.socket)
    system.container.systemctl("stop", SERVICE)
    assert system.pid() == 0
    for path in (system.socket, system.jail_socket):
        assert os.path.exists(system.container.path(path))
    assert answers(system, system.jail_socket)
    assert system.pid() > 0
    system.container.systemctl("stop", SERVICE)
    assert answers(system, system.socket)


def test_an_account_signed_in_is_served_on_both_sockets(system):
    done = read_lists(system.login())
    assert done["result"] == "ok"
    assert done["account"] == USER
    first = system.at(system.socket).token()
    assert system.at(system.jail_socket).token() == first
    assert system.idp.introspect(first)["username"] == USER


def test_peers_are_seen_with_their_own_uid(system):
    system.login()
    nobody = system.container.run("id", "-u", "nobody").stdout.strip()
    since = system.container.cursor()
    member = system.by("nobody:mailtoken")
    stranger = member.run("token", USER, "--server", "localhost")
    missing = member.run("token", "no@example.org", "--server", "localhost")
    assert stranger.returncode == 1
    assert "not signed in, or not allowed for " in stranger.stderr
    assert stranger.stderr.replace(USER, "no@example.org") == missing.stderr
    assert member.run("refresh", USER).returncode == 77
    system.container.wait_journal(
        rf"verb=refresh uid={nobody} .*outcome=denied", after=since)


def test_postfix_gets_tokens_and_nothing_else(system):
    system.login()
    postfix = system.by("postfix", system.jail_socket)
    assert postfix.token()
    assert postfix.run("refresh", USER).returncode == 77
    assert postfix.run("logout", USER).returncode == 77
    assert system.at(system.socket).token()


def test_who_is_in_no_group_of_the_sockets_reaches_neither(system):
    for path in (system.socket, system.jail_socket):
        said = system.by("nobody", path).run("version")
        assert said.returncode == 77
        assert "Permission denied" in said.stderr
