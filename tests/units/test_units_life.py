# SPDX-License-Identifier: BSD-2-Clause
"""Start, stop, crash and boot of the service: no grant is ever lost."""

import re

from bed import wait_for
from bed_units import POSTFIX_SOCKET, SERVICE, SOCKET, USER


def is_whole(system):
    """Whether the keyring holds the grant that is alive."""
    return (system.entry()["refresh-token"] ==
            system.idp.current_refresh(USER))


def test_stopping_waits_for_a_rotated_refresh_token(system):
    system.login()
    old = system.entry()["refresh-token"]
    system.idp.fault("token", "delay", seconds=5,
                     grant_type="refresh_token")
    seen = system.refreshes()
    with system.start("refresh", USER) as waiter:
        system.wait_refresh(seen + 1)
        system.container.systemctl("stop", SERVICE)
        said = waiter.communicate()[0]
    assert waiter.returncode == 0, said
    assert system.entry()["refresh-token"] != old
    assert is_whole(system)
    assert system.container.show(SERVICE, "Result") == "success"
    assert system.token()


def test_stopping_answers_a_program_that_waits_for_a_token(system):
    system.login()
    system.container.systemctl("stop", SERVICE)
    system.age()
    system.idp.fault("token", "delay", seconds=2,
                     grant_type="refresh_token")
    seen = system.refreshes()
    with system.start("token", USER, "--server", "localhost") as waiter:
        system.wait_refresh(seen + 1)
        system.container.systemctl("stop", SERVICE)
        said = waiter.communicate()[0]
    assert waiter.returncode == 0, said
    assert system.idp.introspect(said.strip())["active"]
    assert is_whole(system)


def test_a_killed_helper_comes_back_and_has_lost_nothing(system):
    system.drop_in("RestartSec=100ms")
    system.login()
    token, first = system.token(), system.pid()
    system.container.systemctl("kill", "--signal=KILL", SERVICE)
    wait_for(lambda: system.pid() not in (0, first), what="a restart")
    assert system.token() == token
    assert is_whole(system)
    assert system.container.show(SERVICE, "NRestarts") == "1"


def test_requests_during_a_crash_are_answered_by_the_next_helper(system):
    assert system.run("version").returncode == 0
    system.container.systemctl("kill", "--signal=KILL", SERVICE)
    assert system.run("version").returncode == 0
    assert system.at(system.jail_socket).run("version").returncode == 0


def test_the_watchdog_restarts_a_helper_that_hangs(system):
    # Not less: it must not bark at one that waits for the processor.
    system.drop_in("WatchdogSec=8\nRestartSec=100ms")
    system.login()
    first = system.pid()
    since = system.container.cursor()
    system.container.systemctl("kill", "--signal=STOP", SERVICE)
    system.container.wait_journal("[Ww]atchdog timeout", after=since)
    wait_for(lambda: system.pid() not in (0, first), what="a restart")
    assert system.token()
    assert is_whole(system)


def test_a_healthy_helper_keeps_the_watchdog_quiet(system):
    system.drop_in("WatchdogSec=8")
    assert system.run("version").returncode == 0
    first = system.pid()
    stamp = system.container.show(SERVICE, "WatchdogTimestampMonotonic")

    def fed_again():
        nonlocal stamp, fed
        now = system.container.show(SERVICE, "WatchdogTimestampMonotonic")
        fed, stamp = fed + (now != stamp), now
        return fed >= 2

    fed = 0
    wait_for(fed_again, what="two signs of life")
    assert system.pid() == first


def test_a_reboot_renews_a_grant_that_was_in_use(bare):
    # Renewals are spread over half the life after a start.
    bare.idp.set(access_life=8)
    bare.enable(SOCKET, POSTFIX_SOCKET, SERVICE)
    bare.login()
    assert bare.token()
    assert bare.run("refresh", USER).returncode == 0
    bare.container.systemctl("stop", SERVICE)
    bare.age()
    seen = bare.refreshes()
    bare.container.reboot()
    assert bare.container.show(SERVICE, "ActiveState") == "active"
    bare.wait_refresh(seen + 1)
    wait_for(lambda: is_whole(bare), what="the new record")
    assert bare.at(bare.jail_socket).token()
    assert bare.token()


def test_a_broken_configuration_is_answered_and_a_mended_one_taken(system):
    system.login()
    good = open(system.file(system.config)).read()
    system.write(system.config, good + "alow x\n")
    line = good.count("\n") + 1
    system.container.systemctl("restart", SERVICE)
    assert system.container.show(SERVICE, "ActiveState") == "active"
    first = system.pid()
    for path in (system.socket, system.jail_socket):
        said = system.at(path).run("token", USER, "--server", "localhost")
        assert said.returncode == 1
        assert re.search(rf"{re.escape(system.config)}:{line}\b",
                         said.stderr), said.stderr
    status = system.container.show(SERVICE, "StatusText")
    assert f"{system.config}:{line}" in status
    system.write(system.config, good)
    assert system.token()
    assert system.pid() == first


def test_reload_takes_a_new_configuration(system):
    system.login()
    first = system.pid()
    system.configure(top="admin postfix\n")
    system.container.systemctl("reload", SERVICE)
    assert system.by("postfix", system.jail_socket).run(
        "refresh", USER).returncode == 0
    assert system.pid() == first


def test_reload_of_a_broken_configuration_fails_and_changes_nothing(system):
    system.login()
    system.write(system.config, "allow = {\n")
    said = system.container.run("systemctl", "reload", SERVICE, check=False)
    assert said.returncode != 0
    assert system.container.show(SERVICE, "ActiveState") == "active"
    assert system.token()


def test_a_service_without_a_configuration_says_so_and_takes_the_first(bare):
    config = bare.file(bare.config)
    good = open(config).read()
    bare.container.run("rm", bare.config)
    bare.enable(SOCKET, SERVICE)
    assert bare.container.show(SERVICE, "ActiveState") == "active"
    said = bare.run("status")
    assert said.returncode == 1
    assert bare.config in said.stderr
    bare.write(bare.config, good)
    assert bare.login()
    assert bare.token()


def test_a_client_secret_comes_from_a_credential(system):
    secret = "/etc/mailtoken/web.secret"
    system.write(secret, system.idp.client_secret + "\n", 0o600)
    system.drop_in(f"LoadCredential=web:{secret}")
    with open(system.file(system.config)) as source:
        good = source.read()
    system.write(system.config, good.replace(
        "client_id mail-app", "client_id mail-web\n"
        "    client_secret_file credential:web"))
    system.login()
    assert system.run("refresh", USER).returncode == 0
    assert system.token()
    assert system.idp.requests.matching(
        lambda r: r.endpoint == "token")[-1].client_id == "mail-web"


def test_the_keyring_is_sealed_with_a_key_from_a_credential(system):
    key = "/etc/mailtoken/seal.key"
    system.write(key, "5a" * 32 + "\n", 0o600)
    system.drop_in(f"LoadCredential=seal:{key}")
    system.configure(top="keyring_key credential:seal\n")
    system.login()
    token = system.token()
    assert "sealed" in system.entry()
    assert "refresh-token" not in system.entry()
    system.container.systemctl("restart", SERVICE)
    assert system.token() == token


def test_the_daily_renewal_is_listed_and_runs(system):
    system.enable("mailtoken-renew.timer")
    assert "mailtoken-renew.service" in system.container.systemctl(
        "list-timers", "--all")
    system.login()
    uid = system.container.run("id", "-u", "mailtoken").stdout.strip()
    since = system.container.cursor()
    system.container.systemctl("start", "mailtoken-renew.service")
    assert system.container.show("mailtoken-renew.service",
                                 "Result") == "success"
    system.container.wait_journal(rf"verb=refresh uid={uid} .*outcome=ok",
                                  after=since)


def test_many_restarts_with_a_broken_file_leave_the_sockets_alive(system):
    good = system.token
    system.login()
    system.write(system.config, "nonsense\n")
    for _ in range(8):
        system.container.systemctl("restart", SERVICE)
    for unit in (SOCKET, POSTFIX_SOCKET):
        assert system.container.show(unit, "ActiveState") == "active"
    system.configure()
    assert wait_for(good)
    assert system.at(system.jail_socket).token()
