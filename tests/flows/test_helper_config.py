# SPDX-License-Identifier: BSD-2-Clause
"""A helper that cannot work says why; a configuration that changes."""

import grp
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

import paths
from bed import DEADLINE_S, scratch, wait_for, write_file
from bed_helper import SCOPE
from helper_line import takes_connections
from test_choose import names   # noqa: F401  pylint: disable=unused-import

ANN = "ann@example.org"
JO = "jo@example.org"


def break_config(bed, text="log_level info\nno_such_key 1\n"):
    write_file(bed.config, text)


def test_broken_file_at_the_start_is_answered_with_file_and_line(helper):
    helper.seed(age=10)
    break_config(helper)
    helper.start()
    for verb in ("token", "status", "sign-in"):
        answer = helper.ask(verb, account=JO)
        assert answer["result"] == "config-error"
        assert f"{helper.config}:2: " in answer["text"]
        assert "no_such_key" in answer["text"]
    assert helper.ask("version")["result"] == "ok"
    assert helper.process.poll() is None


def listening_as_written(bed):
    """Start it without --listen and wait for the socket of its file."""
    bed.sockets = []
    bed.launch()
    wait_for(lambda: takes_connections(bed.socket) or
             bed.process.poll() is not None)


@pytest.mark.parametrize("bad", [
    "provider", "log_level loud", "user \"\"", "nonsense"])
def test_broken_file_is_answered_where_it_says(helper, bad):
    helper.configure(f"listen {helper.socket}\n{bad}")
    listening_as_written(helper)
    assert helper.token()["result"] == "config-error"


def test_secrets_of_root_and_of_the_helper_go_together(root, helper):
    """Neither root nor the helper's user alone may read both before."""
    helper.configure(f"listen {helper.socket}\n" + "".join(
        f"provider {name}\n    preset google\n    client_id x\n"
        f"    client_secret_file {helper.path(name)}\n"
        for name in ("roots", "own")))
    for name, uid, mode in (("roots", 0, 0o640),
                            ("own", helper.user.pw_uid, 0o600)):
        write_file(helper.path(name), "secret\n", mode)
        os.chown(helper.path(name), uid, helper.user.pw_gid)
    listening_as_written(helper)
    assert helper.token()["result"] == "unknown-account"
    helper.stop()
    helper.options = ["--check"]
    helper.launch()
    assert helper.wait() == 0


def test_users_helper_with_a_broken_file_answers_its_user(helper):
    state, run = helper.path("state"), helper.path("run")
    os.mkdir(os.path.join(state, "mailtoken"))
    write_file(os.path.join(state, "mailtoken", "mailtoken.conf"), "bad\n")
    environment = helper.environment
    helper.environment = lambda stderr: {
        **environment(stderr), "XDG_CONFIG_HOME": state,
        "XDG_STATE_HOME": state, "XDG_RUNTIME_DIR": run}
    helper.argv = lambda: [str(paths.program("mailtokend"))]
    helper.socket = os.path.join(run, "mailtoken", "socket")
    helper.sockets = [helper.socket]
    user = helper.user
    helper.start(before=() if os.geteuid() else [
        "setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}",
        "--clear-groups"])
    answer = helper.token()
    assert answer["result"] == "config-error"
    assert "mailtoken.conf:1: " in answer["text"]


def test_mended_file_is_taken_at_the_next_request(helper):
    old = helper.seed(age=10)
    break_config(helper)
    helper.start()
    assert helper.token()["result"] == "config-error"
    helper.configure()
    assert helper.token()["token"] == old.access_token


def test_mended_file_is_taken_on_sighup(helper):
    old = helper.seed(age=10)
    break_config(helper)
    helper.start()
    helper.configure()
    helper.signal(signal.SIGHUP)
    helper.wait_log("event=reload")
    assert helper.token()["token"] == old.access_token


def test_a_file_that_is_still_broken_is_said_at_each_reload(helper):
    break_config(helper)
    helper.start()
    helper.wait_log(f"{helper.config}:2: ", 1)
    for n in (2, 3):
        helper.signal(signal.SIGHUP)
        helper.wait_log(f"{helper.config}:2: ", n)


def test_mended_file_is_taken_by_reload(helper):
    break_config(helper)
    helper.start()
    answer = helper.ask("reload")
    assert answer["result"] == "config-error"
    assert f"{helper.config}:2: " in answer["text"]
    helper.configure()
    assert helper.ask("reload")["result"] == "ok"
    assert helper.token()["result"] == "unknown-account"


def test_file_that_comes_later_is_taken(helper):
    os.unlink(helper.config)
    helper.start()
    answer = helper.token()
    assert answer["result"] == "config-error"
    assert helper.config in answer["text"]
    helper.configure()
    assert helper.token()["result"] == "unknown-account"


def test_included_file_that_is_mended_is_taken(clocked):
    part = clocked.path("part.conf")
    write_file(part, "nonsense\n")
    clocked.configure(f"include {part}\n")
    clocked.start()
    assert clocked.token()["result"] == "config-error"
    write_file(part, "# nothing\n")
    wait_for(lambda: clocked.token()["result"] == "unknown-account")


def with_secret(bed):
    """The client has a secret, in a file of the helper's user."""
    secret = bed.path("secret")
    write_file(secret, bed.idp.client_secret + "\n", 0o600)
    bed._give(secret)
    bed.provider.update(client_id="mail-web", client_secret_file=secret)
    bed.configure()
    bed.seed(age=4000, seeded=bed.idp.seed(JO, client_id="mail-web",
                                           scope=SCOPE))
    return secret


def test_secret_may_belong_to_the_helpers_user(helper):
    with_secret(helper)
    helper.start()
    assert helper.token()["result"] == "ok"
    assert helper.ask("reload")["result"] == "ok"


def test_secret_that_only_root_can_read_is_told_at_the_start(root, helper):
    secret = with_secret(helper)
    os.chown(secret, 0, 0)
    helper.start()
    answer = helper.token()
    assert answer["result"] == "config-error"
    assert secret in answer["text"]
    os.chown(secret, 0, helper.user.pw_gid)
    os.chmod(secret, 0o640)
    wait_for(lambda: helper.token()["result"] == "ok")


def test_secret_that_others_can_read_is_refused_until_it_is_mended(helper):
    secret = with_secret(helper)
    os.chmod(secret, 0o644)
    helper.start()
    answer = helper.token()
    assert answer["result"] == "config-error"
    assert "chmod" in answer["text"] and secret in answer["text"]
    os.chmod(secret, 0o600)
    wait_for(lambda: helper.token()["result"] == "ok")


@pytest.mark.parametrize("owner", ("root", "other", "own"))
@pytest.mark.parametrize("mode", (0o644, 0o600, 0o666))
def test_a_secret_file_is_mended_by_what_is_told_once(root, helper, owner,
                                                      mode):
    assert root is None
    secret = with_secret(helper)
    uid = {"root": 0, "other": 1, "own": helper.user.pw_uid}[owner]
    os.chown(secret, uid, uid)
    os.chmod(secret, mode)
    helper.start()
    text = helper.token().get("text")
    if text is None:
        assert (owner, mode) == ("own", 0o600)
        return
    cure = re.search(r": (?:as root, )?((chown|chmod) .*)$", text)[1]
    subprocess.run(["sh", "-c", cure], check=True)
    wait_for(lambda: helper.token().get("text") != text)
    assert helper.token()["result"] == "ok"
    assert os.stat(secret).st_mode & 0o027 == 0


def test_edited_file_is_in_force_without_a_reload(helper, root):
    assert root is None
    uid = pwd.getpwnam("daemon").pw_uid
    helper.configure("allow daemon\n")
    helper.seed(age=10)
    helper.start()
    ask = {"account": JO, "server": "localhost", "uid": uid}
    assert helper.ask("token", **ask)["result"] == "ok"
    helper.configure("allow mail\n")
    wait_for(lambda: helper.ask("token", **ask)["result"] != "ok",
             what="the end of what allow no longer gives")
    helper.configure("allow daemon\n")
    wait_for(lambda: helper.ask("token", **ask)["result"] == "ok")
    helper.wait_log("event=reload")


def test_edited_include_is_in_force_without_a_reload(helper):
    part = helper.path("part.conf")
    write_file(part, "")
    helper.configure(f"include {part}\n")
    helper.seed(age=10)
    helper.start()
    assert helper.token()["login"] == JO
    write_file(part, f"account {JO}\n    login other@example.org\n")
    wait_for(lambda: helper.token()["login"] == "other@example.org")


def test_typo_leaves_the_old_file_in_force_and_stands_in_status(helper):
    helper.seed(age=10)
    helper.start()
    break_config(helper)

    def warned():
        with helper.connect() as line:
            return line.send("status").rest()[-1].all("warning")

    wait_for(warned, what="the warning in status")
    said = f"{helper.config}:2: "
    assert said in warned()[0] and "stays in force" in warned()[0]
    assert helper.token()["result"] == "ok"
    for _ in range(3):
        helper.token()
        time.sleep(1.1)     # longer than it waits between two looks
    assert helper.log().count(said) == 1
    helper.configure()
    answer = helper.ask("reload")
    assert answer["result"] == "ok" and answer.all("changed"), answer
    assert warned() == []


def test_a_new_secret_is_used_without_a_reload(helper, idp):
    secret = with_secret(helper)
    right = idp.client_secret
    write_file(secret, "old and refused\n", 0o600)
    helper._give(secret)
    helper.start()
    assert helper.token()["result"] == "config-error"
    write_file(secret + ".new", right + "\n", 0o600)
    helper._give(secret + ".new")
    os.rename(secret + ".new", secret)
    wait_for(lambda: helper.token()["result"] == "ok")


def test_a_reload_says_whose_secret_is_another_one(helper):
    secret = with_secret(helper)
    helper.start()
    write_file(secret, "another\n", 0o600)
    helper._give(secret)
    assert helper.ask("reload").all("changed") == ["provider test"]
    assert helper.ask("reload").all("changed") == []


def test_one_that_cannot_work_does_not_say_that_it_is_ready(helper):
    break_config(helper)
    helper.start()
    helper.wait_log("event=start")
    assert "is ready" not in helper.log()
    helper.wait_log("cannot work")


def test_repaired_file_is_not_said_to_be_no_change(helper):
    break_config(helper)
    helper.start()
    assert helper.token()["result"] == "config-error"
    helper.configure()
    answer = helper.ask("reload")
    assert answer["result"] == "ok"
    assert answer.all("changed"), answer


def test_repaired_file_that_names_another_keyring_is_served_from_it(helper):
    other = helper.path("state", "other")
    key = helper.path("key")
    helper.seed(age=10)
    helper.configure(f"keyring {helper.keyring}\n"
                     f"keyring_key {key}\n")
    os.mkdir(other, 0o700)
    helper._give(other)
    argv = helper.argv
    helper.argv = lambda: [word for word in argv()
                           if word not in ("--keyring", helper.keyring)]
    helper.start()
    assert helper.token()["result"] == "config-error"   # there is no key
    helper.configure(f"keyring {other}\n")
    wait_for(lambda: helper.token()["result"] == "unknown-account")


def test_a_user_who_is_made_later_is_found(root, beds):
    assert root is None
    helper = beds(clock=True)
    users = helper.path("passwd")
    write_file(users, Path("/etc/passwd").read_text())
    probe = subprocess.run(["unshare", "-m", "mount", "--bind", users,
                            "/etc/passwd"], check=False)
    if probe.returncode != 0:
        pytest.skip("no mount namespace here")
    helper.configure("allow postfx\n")
    helper.seed(age=10)
    helper.start(before=("unshare", "-m", "sh", "-c",
                         f"mount --bind {users} /etc/passwd; "
                         "exec \"$@\"", "sh"))
    ask = {"account": JO, "server": "localhost", "uid": 54321}
    for answer in (helper.ask("reload"), helper.ask("status")):
        assert "'postfx'" in "".join(answer.all("warning")), answer
    assert helper.ask("token", **ask)["result"] == "unknown-account"
    with open(users, "a") as more:
        more.write("postfx:x:54321:54321::/:/bin/false\n")
    helper.clock.both(61)
    assert helper.ask("token", **ask)["result"] == "ok"


def test_a_keyring_that_another_holds_is_told_by_who_was_started(beds):
    first, second = beds(), beds()
    first.start()
    second.keyring = first.keyring
    break_config(second)
    second.start()
    assert second.token()["result"] == "config-error"
    second.configure()
    for ask in (second.token, second.token, lambda: second.ask("reload")):
        answer = ask()
        assert answer["result"] == "config-error"
        assert first.socket in answer["text"], answer
    assert second.process.poll() is None


BAD_BLOCKS = """
provider broken
    client_secret_file {secret}
account ann@example.org
    provider broken
account bob@example.org
    login ""
account cy@example.org
    token_of bob@example.org
"""


def test_one_bad_block_stops_what_depends_on_it_and_not_the_rest(helper):
    secret = helper.path("no-such-secret")
    helper.configure(BAD_BLOCKS.format(secret=secret))
    helper.seed(age=10)
    helper.seed("dan@example.org", provider="broken", age=10)
    helper.start()
    assert helper.token()["result"] == "ok"
    for account, what in (("ann@example.org", secret),
                          ("dan@example.org", secret),
                          ("bob@example.org", "login"),
                          ("cy@example.org", "login")):
        answer = helper.token(account)
        assert answer["result"] == "config-error", account
        assert helper.config + ":" in answer["text"]
        assert what in answer["text"], answer["text"]
    assert helper.log().count(secret) >= 1
    with helper.connect() as line:
        warned = line.send("status").rest()[-1].all("warning")
    assert len(warned) == 2 and secret in warned[0]
    helper.configure()
    wait_for(lambda: helper.token("ann@example.org")["result"] ==
             "unknown-account")


def test_a_new_bad_block_leaves_the_good_file_in_force(helper):
    helper.configure("account ann@example.org\n    login x\n")
    helper.seed("ann@example.org", age=10)
    helper.start()
    helper.configure("account ann@example.org\n    login \"\"\n")
    answer = helper.ask("reload")
    assert answer["result"] == "config-error" and "login" in answer["text"]
    assert helper.token("ann@example.org")["login"] == "x"


def stopped(helper):
    """What Ann is told, who alone has no token."""
    helper.seed(age=10)
    helper.seed(ANN, age=10)
    helper.start()
    assert helper.token()["result"] == "ok"
    answer = helper.token(ANN)
    assert answer["result"] == "config-error"
    return answer["text"]


@pytest.mark.parametrize("line, what", (
    ("provder test", "did you mean 'provider'?"), ("login", "needs a name"),
    ("servers a\n    servers b", "a second time"), ('login "x', "quote"),
    ("provider = test", "without =")))
def test_a_line_that_is_none_stops_its_block_and_not_the_rest(helper, line,
                                                              what):
    helper.configure(f"account {ANN}\n    {line}\n    allow root\n"
                     "provider other\n    preset google\n"
                     "    client_id a\n    client_secret b\n")
    assert what in stopped(helper)
    answer = helper.ask("sign-in", account=JO, provider="other")
    assert answer["result"] == "config-error"
    assert "did you mean 'client_secret_file'?" in answer["text"]
    with helper.connect() as line:
        warned = line.send("status").rest()[-1].all("warning")
    assert len(warned) == 2


def test_a_second_block_of_an_account_stops_that_account(helper):
    helper.configure(f"account {ANN}\n    login x\n"
                     "account Ann@example.org\n    login y\n")
    assert "a second block" in stopped(helper)


@pytest.mark.parametrize("name", [
    "*example.org", "@example.org", "*.example.org", "jo@*", "**", "*@",
    "*example.org\n    allow root\naccount *"])
def test_a_block_whose_name_is_none_lets_nobody_in(helper, root, name):
    """Whom it was to shut out nobody knows."""
    assert root is None
    helper.configure(f"allow daemon\naccount {ANN}\n    provider test\n"
                     f"account {name}\n    allow root\n")
    line = 1 + Path(helper.config).read_text().split(
        f"\naccount {name[:4]}")[0].count("\n") + 1
    for account in (ANN, JO):
        helper.seed(account, age=10)
    helper.start()
    uid = pwd.getpwnam("daemon").pw_uid
    assert helper.token(ANN, uid=uid)["result"] == "ok"
    assert "token" not in helper.token(uid=uid)
    answer = helper.token()
    assert answer["result"] == "config-error"
    assert f"{helper.config}:{line}: " in answer["text"]
    assert "*@domain" in answer["text"]
    helper.configure("allow daemon\naccount *@example.org\n"
                     "    allow root\n")
    wait_for(lambda: helper.token()["result"] == "ok")
    assert helper.token(uid=uid)["result"] == "unknown-account"


@pytest.mark.parametrize("words", [
    "include {}", "account *@example.org\n        allow root"])
def test_what_is_general_and_indented_stops_all(helper, words):
    """It may be what shuts somebody out."""
    part = helper.path("part.conf")
    write_file(part, "account *@example.org\n    allow root\n")
    helper.configure(f"allow daemon\naccount {ANN}\n    provider test\n"
                     f"    {words.format(part)}\n")
    helper.seed(age=10)
    helper.start()
    answer = helper.token(uid=pwd.getpwnam("daemon").pw_uid)
    assert answer["result"] == "config-error"
    assert "begin its line at the margin" in answer["text"]


@pytest.mark.parametrize("bad", [0, 1, None])
def test_two_blocks_of_a_provider_stop_its_accounts(helper, bad):
    """Which of the two counts nobody knows."""
    helper.configure()
    text = Path(helper.config).read_text()
    both = [text, text]
    if bad is not None:
        both[bad] += "    flow loud\n"
    write_file(helper.config, "".join(both))
    helper.seed(age=10)
    helper.start()
    answer = helper.token()
    assert answer["result"] == "config-error"
    assert f"{helper.config}:" in answer["text"]


@pytest.mark.parametrize("allow", ['""', "@", '"daemon'])
def test_a_list_that_cannot_be_lets_nobody_in(helper, allow):
    helper.configure(f"allow {allow}\n")
    helper.seed(age=10)
    helper.start()
    assert helper.token()["result"] == "config-error"
    helper.configure(f"allow daemon\naccount {JO}\n    allow {allow}\n")
    line = Path(helper.config).read_text().count("\n") - 1
    wait_for(lambda: f"{helper.config}:{line}: " in helper.token()["text"])
    answer = helper.token(uid=pwd.getpwnam("daemon").pw_uid)
    assert answer["result"] in ("config-error", "unknown-account")


def checked(helper):
    """How --check ends, and what it says."""
    helper.options = ["--check"]
    run = subprocess.run(helper.argv(), capture_output=True, text=True,
                         timeout=DEADLINE_S, check=False)
    return run.returncode, run.stdout + run.stderr


def test_check_tells_every_bad_block(helper):
    secret = helper.path("no-such-secret")
    helper.configure(BAD_BLOCKS.format(secret=secret))
    helper.options = ["--check"]
    helper.launch()
    assert helper.wait() == 1
    helper.wait_log(secret)
    helper.wait_log("login")
    assert ": good" not in helper.log()
    helper.configure("".join(f"account a{i}@example.org\n    login\n"
                             for i in range(40)))
    said = re.findall(r"^warning: (.*)$", checked(helper)[1], re.M)
    assert len(said) == 32
    assert said[-1] == "there is more; mend these first"


@pytest.mark.parametrize("content,says", [
    ("", "is empty"), ("\n", "is empty"),
    ("\ufeffsecret\n", "byte order mark"),
    ("secret\n\n", "more than one line"),
    ("se\ncret", "more than one line"),
    ("secret\n".encode("utf-16").decode("latin-1"), "UTF-16"),
    ("se\0cret", "control byte"), ("YOUR_CLIENT_SECRET\n", "placeholder"),
    ("<client secret>", "placeholder")])
def test_what_an_editor_left_in_a_secret_file_is_said(helper, content, says):
    secret = with_secret(helper)
    write_file(secret, content, 0o600)
    helper._give(secret)
    helper.options = ["--check"]
    helper.launch()
    assert helper.wait() == 1
    helper.wait_log(says)
    helper.wait_log(secret)


@pytest.mark.parametrize("content", [
    '"{}"\n', "'{}'", " {}\n", "{} \r\n", ' "{}" ', "\u201c{}\u201d\n",
    "\u00a0{}"])
def test_what_stands_around_a_secret_is_said_with_the_cure(helper, content):
    secret = with_secret(helper)
    write_file(secret, content.format(helper.idp.client_secret), 0o600)
    helper._give(secret)
    line = 1 + Path(helper.config).read_text().split("client_secret_file"
                                                     )[0].count("\n")
    status, said = checked(helper)
    assert status == 1 and "blanks or quotes around" in said
    assert f"{helper.config}:{line}: " in said
    assert helper.idp.client_secret not in said
    cure = re.search(r"take them away: (.*)$", said, re.M)[1]
    subprocess.run(["sh", "-c", cure], check=True)
    assert checked(helper)[0] == 0
    helper.options = []
    helper.start()
    assert helper.token()["result"] == "ok"


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_line_end_behind_a_secret_is_none_of_it(helper, end):
    secret = with_secret(helper)
    write_file(secret, helper.idp.client_secret + end, 0o600)
    helper._give(secret)
    assert checked(helper)[0] == 0
    helper.options = []
    helper.start()
    assert helper.token()["result"] == "ok"


@pytest.mark.parametrize("key", ["client_secret_file", "keyring_key",
                                 "include", "the file itself"])
def test_a_file_that_cannot_be_read_names_the_cure(root, helper, key):
    assert root is None
    path = helper.path("shut")
    write_file(path, "" if key == "include" else "0" * 64, 0o600)
    if key == "the file itself":
        path = helper.config
        os.chmod(path, 0o600)
    elif key == "client_secret_file":
        helper.configure(client_secret_file=path)
    else:
        helper.configure(f"{key} {path}\n")
    helper.seed(age=4000)
    helper.start()
    text = helper.token()["text"]
    group = grp.getgrgid(helper.user.pw_gid).gr_name
    assert f"user {helper.user.pw_name} may not read {path}: as root, chown " \
        f"root:{group} {path} && chmod 640 {path}" in text, text
    os.chown(path, 0, helper.user.pw_gid)
    os.chmod(path, 0o640)
    wait_for(lambda: path not in helper.token().get("text", ""))


@pytest.mark.parametrize("key", ["keyring_key", "include", "the file itself"])
def test_a_folder_that_may_not_be_entered_is_told(root, helper, key):
    assert root is None
    shut = helper.path("shut")
    path = os.path.join(shut, "file")
    os.mkdir(shut, 0o700)
    write_file(path, Path(helper.config).read_text(), 0o644)
    if key == "the file itself":
        helper.config = path
    else:
        helper.configure(f"{key} {path}\n")
    helper.start()
    assert f"user {helper.user.pw_name} may not enter a folder of {path}: " \
        f"see 'namei -l {path}'" in helper.token()["text"]


@pytest.mark.parametrize("key", ["ca_file", "ca_path"])
def test_certificates_that_cannot_be_read_name_the_cure(root, helper, key):
    assert root is None
    path = helper.path("shut")
    helper.configure(**{"ca_file": None, key: path})
    helper.seed(age=4000)
    helper.start()
    assert f"{key}: {path}: No such file" in helper.token()["text"]
    if key == "ca_path":
        write_file(path, "", 0o644)
        wait_for(lambda: "Not a directory" in helper.token()["text"])
        os.unlink(path)
        os.mkdir(path, 0o700)
    else:
        write_file(path, Path(helper.idp.ca_file).read_text(), 0o600)
    wait_for(lambda: "may not read" in helper.token()["text"])
    cure = re.search(r"as root, (.* && chmod \d+ \S+)$",
                     helper.token()["text"])[1]
    subprocess.run(["sh", "-c", cure], check=True)
    wait_for(lambda: path not in helper.token().get("text", ""))


@pytest.mark.parametrize("content, says", [
    (None, "No such file"), ("", "32 bytes"), ("0" * 63, "32 bytes"),
    ("\ufeff" + "0" * 64, "32 bytes"), ("0" * 64, None)])
def test_check_looks_at_the_key_too(helper, content, says):
    key = helper.path("key")
    if content is not None:
        write_file(key, content, 0o600)
        helper._give(key)
    Path(helper.config).write_text(f"keyring_key {key}\n" +
                                   Path(helper.config).read_text())
    helper.options = ["--check"]
    helper.launch()
    assert helper.wait() == (1 if says else 0), helper.log()
    assert (says or ": good") in helper.log()
    assert not says or key in helper.log()


def test_check_with_a_word_too_many_says_what_to_type(helper):
    run = subprocess.run([str(paths.program("mailtokend")), "--check",
                          helper.config], capture_output=True, text=True,
                         check=False)
    assert run.returncode == 2
    assert f"'{helper.config}'" in run.stderr
    assert "--config FILE" in run.stderr.splitlines()[0]


@pytest.mark.parametrize("how", ["reload", "sighup"])
def test_bad_file_leaves_the_old_configuration_in_force(helper, how):
    old = helper.seed(age=10)
    helper.start()
    break_config(helper)
    if how == "reload":
        answer = helper.ask("reload")
        assert answer["result"] == "config-error"
        assert f"{helper.config}:2: " in answer["text"]
    else:
        helper.signal(signal.SIGHUP)
    helper.wait_log("stays in force")
    assert helper.token()["token"] == old.access_token
    assert helper.ask("refresh", account=JO)["result"] == "ok"


def test_reload_says_what_changed_and_what_needs_a_restart(helper):
    helper.start()
    assert helper.ask("reload") == {"result": "ok"}
    helper.configure("admin root\nlisten /elsewhere",
                     servers=["localhost", "mail.example.org"])
    answer = helper.ask("reload")
    assert answer["result"] == "ok"
    assert "provider test" in answer.all("changed")
    assert "admin" in answer.all("changed")
    assert answer.all("needs-restart") == ["listen"]


def test_reload_of_more_than_an_answer_holds_says_how_many(helper):
    accounts = "".join(f"account a{i}@example.org\n    allow none{i}\n"
                       for i in range(99))
    helper.start()
    helper.configure(accounts + "listen /elsewhere")
    answer = helper.ask("reload")
    assert answer["result"] == "ok"
    assert answer.all("needs-restart") == ["listen"]
    changed = answer.all("changed")
    assert len(changed) == 25 and changed[-1] == "75 more"
    assert len(answer.all("warning")) == 32


def test_reload_tells_an_admin_the_same(root, clocked):
    clocked.configure("admin 4801")
    clocked.start()
    clocked.configure("admin 4801\nrenew_idle 9d")
    clocked.clock.both(2)       # so that any request looks at the file
    assert clocked.ask("reload", 4801).all("changed") == ["renew_idle"]


def test_reload_changes_servers_at_once(helper):
    helper.seed(age=10)
    helper.start()
    assert helper.token(server="mail.example.org")["result"] == \
        "wrong-server"
    helper.configure(servers=["mail.example.org"])
    assert helper.ask("reload")["result"] == "ok"
    assert helper.token(server="mail.example.org")["result"] == "ok"
    assert helper.token(server="localhost")["result"] == "wrong-server"


def test_refresh_in_flight_ends_with_what_it_began_with(helper, idp):
    helper.seed(age=4000)
    helper.start()
    with idp.holding("token"):
        waiter = helper.later(helper.token)
        idp.wait_request("token")
        helper.configure(client_id="other-app")
        assert helper.ask("reload")["result"] == "ok"
    assert waiter()["result"] == "ok"
    assert helper.token()["result"] == "config-error"


@pytest.fixture
def elsewhere():
    """A folder that is not below the helper's."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield folder


def test_file_behind_a_link_can_be_read_again(helper, elsewhere):
    """As the tools make them that keep settings in one folder."""
    behind = os.path.join(elsewhere, "mailtoken.conf")
    shutil.move(helper.config, behind)
    os.symlink(behind, helper.config)
    old = helper.seed(age=10)
    helper.start()
    assert helper.ask("reload")["result"] == "ok"
    assert helper.token()["token"] == old.access_token


@pytest.mark.parametrize("key", ["client_secret_file", "ca_file", "include"])
def test_folder_that_is_new_to_the_sandbox_is_told(helper, elsewhere, key):
    helper.start()
    helper.wait_log("event=sandbox")
    if "landlock-abi" not in helper.log():
        pytest.skip("this kernel has no Landlock")
    new = os.path.join(elsewhere, "file")
    write_file(new, "# nothing\n", 0o600)
    helper._give(new)
    if key == "include":
        helper.configure(f"include {new}")
    else:
        helper.configure(**{key: new})
    answer = helper.ask("reload")
    assert answer["result"] == "config-error"
    assert new in answer["text"] and "restart it" in answer["text"]


def test_folder_of_the_system_that_appears_later_can_be_read(helper):
    """As a name service makes one below /run when it starts."""
    helper.start()
    helper.wait_log("event=sandbox")
    if "landlock-abi" not in helper.log():
        pytest.skip("this kernel has no Landlock")
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        os.chmod(folder, 0o755)
        new = os.path.join(folder, "ca.pem")
        shutil.copy(helper.provider["ca_file"], new)
        os.chmod(new, 0o644)
        helper.configure(ca_file=new)
        answer = helper.ask("reload")
    assert answer["result"] == "ok", answer


def test_names_resolve_where_resolv_conf_is_a_link_out_of_etc(helper, names):
    host = "tokens.mail-provider.example"
    etc, elsewhere = helper.path("etc"), scratch(helper, "netconfig-")
    os.chmod(elsewhere, 0o755)
    os.mkdir(etc)
    for name in ("passwd", "group", "hosts", "nsswitch.conf", "ld.so.cache"):
        shutil.copy(f"/etc/{name}", etc)
    os.symlink(f"{elsewhere}/resolv.conf", f"{etc}/resolv.conf")
    write_file(f"{elsewhere}/resolv.conf", f"nameserver {names.address}\n")
    helper.configure(token_endpoint=f"https://{host}/token")
    helper.seed(age=4000, token_host=host,
                token_endpoint=f"https://{host}/token")
    helper.start(before=("unshare", "-m", "sh", "-c",
                         f"mount --bind {etc} /etc; exec \"$@\"", "sh"))
    assert host in helper.token()["text"]
    assert any(b"mail-provider" in query for query in names.asked)


def test_reload_lets_the_next_attempt_be_now(helper, idp):
    helper.seed(age=10)
    helper.start()
    idp.fault("token", "http_error", times=None, status=503)
    assert helper.ask("refresh", account=JO)["result"] == "try-later"
    before = int(time.time())
    helper.configure(servers=["localhost", "mail.example.org"])
    assert helper.ask("reload")["result"] == "ok"
    status = helper.status()
    assert status["state"] == "backoff"
    assert before - 1 <= int(status["next-try"]) <= time.time() + 1


@pytest.mark.parametrize("how", ["request", "reload", "sighup"])
def test_supervisor_is_told_what_is_wrong_and_when_it_is_mended(helper, how):
    name = helper.path("run", "notify")
    if how == "sighup":
        name = f"\0mailtoken-test-{os.getpid()}"    # abstract: unix(7)
    supervisor = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    with supervisor:
        supervisor.bind(name)
        if how != "sighup":
            os.chmod(name, 0o666)
        supervisor.settimeout(DEADLINE_S)
        environment = helper.environment
        helper.environment = lambda stderr: {
            **environment(stderr), "WATCHDOG_USEC": "200000",
            "NOTIFY_SOCKET": name.replace("\0", "@")}
        told = ""
        break_config(helper)
        helper.start()
        while "READY=1" not in told:
            told += supervisor.recv(4096).decode() + "\n"
        assert f"STATUS={helper.config}:2: " in told
        helper.configure()
        if how == "sighup":
            helper.signal(signal.SIGHUP)
        elif how == "reload":
            helper.ask("reload")
        else:
            helper.token()
        while "STATUS=working" not in told:
            told += supervisor.recv(4096).decode() + "\n"
        assert ("\nRELOADING=1\nMONOTONIC_USEC=" in told) == (how == "sighup")
        while "WATCHDOG=1" not in told:
            told += supervisor.recv(4096).decode() + "\n"
        helper.stop()
        while "STOPPING=1" not in told:
            told += supervisor.recv(4096).decode() + "\n"


PINNED = [
    ({"client_id": "other-app"}, "mail-app", "other-app"),
    ({"token_endpoint": "https://elsewhere.example/token"}, "localhost",
     "elsewhere.example"),
    ({"tenant": "contoso.example"}, "none", "contoso.example"),
    ({"issuer": "https://issuer.example"}, "none", "issuer.example"),
]


@pytest.mark.parametrize("when", ["reload", "restart"])
@pytest.mark.parametrize("changes,before,after", PINNED,
                         ids=lambda v: str(list(v)[0])
                         if isinstance(v, dict) else "")
def test_grant_goes_nowhere_but_to_who_issued_it(helper, idp, when, changes,
                                                 before, after):
    old = helper.seed(age=10)
    helper.start()
    assert helper.token()["result"] == "ok"
    helper.configure(**changes)
    apply(helper, when)
    answer = helper.token()
    assert answer["result"] == "config-error"
    assert before in answer["text"] and after in answer["text"]
    assert f"mailtoken login {JO}" in answer["text"]
    assert helper.ask("refresh", account=JO)["result"] == "config-error"
    assert helper.status()["state"] == "config-error"
    assert idp.counts["token"] == 0
    assert helper.record()["refresh-token"] == old.refresh_token
    helper.configure()
    apply(helper, when)
    assert helper.token()["token"] == old.access_token
    assert helper.status()["state"] == "active"
    assert idp.counts["token"] == 0


def apply(bed, when):
    if when == "reload":
        assert bed.ask("reload")["result"] == "ok"
    else:
        bed.restart()


@pytest.mark.parametrize("when", ["reload", "restart"])
def test_provider_that_is_gone_is_told_and_may_come_back(helper, when):
    old = helper.seed(age=10)
    helper.start()
    helper.configure(provider_name="other")
    apply(helper, when)
    answer = helper.token()
    assert answer["result"] == "config-error"
    assert "'test'" in answer["text"]
    assert f"mailtoken login {JO}" in answer["text"]
    helper.configure()
    apply(helper, when)
    assert helper.token()["token"] == old.access_token
    assert helper.record()["refresh-token"] == old.refresh_token


def test_account_moved_to_another_provider_is_told(helper):
    helper.seed(age=10)
    helper.start()
    with open(helper.config) as source:
        text = source.read()
    write_file(helper.config, text +
               text.replace("provider test", "provider new") +
               f"account {JO}\n    provider new\n")
    assert helper.ask("reload")["result"] == "ok"
    answer = helper.token()
    assert answer["result"] == "config-error"
    assert "'test'" in answer["text"] and "'new'" in answer["text"]


def test_login_of_an_account_block_is_told(helper):
    helper.configure(f"account {JO}\n    login jo.the.user")
    helper.seed(age=10)
    helper.start()
    assert helper.token()["login"] == "jo.the.user"


def test_a_protocol_may_have_a_login_of_its_own(helper):
    """A shared mailbox is read by its name and sent from by a delegate's."""
    helper.configure(f"""account shared@example.org
    token_of {JO}
    login smtp {JO}
    login imap Shared
account {JO}
    login all
    login pop pop""")
    helper.seed()
    helper.start()

    def login(account, service):
        return helper.ask("token", account=account, server="localhost",
                          service=service, mechanism="XOAUTH2")["login"]
    assert login("shared@example.org", "smtp") == JO
    assert login("shared@example.org", "imap") == "Shared"
    assert login("shared@example.org", "pop") == "shared@example.org"
    assert login(JO, "smtp") == "all"
    assert login(JO, "pop") == "pop"
    helper.configure(f"account {JO}\n    login smtp \"\"")
    assert "login smtp" in helper.ask("reload")["text"]


def test_names_that_do_not_exist_are_a_warning(helper):
    helper.configure("allow no-such-user-here")
    helper.start()
    helper.wait_log("no-such-user-here")
    assert helper.ask("version")["result"] == "ok"
    helper.stop()
    said = helper.log().count("no-such-user-here")
    helper.options = ["--check"]
    helper.launch()
    assert helper.wait() == 0
    helper.wait_log("no-such-user-here", said + 1)


def test_check_says_whether_a_file_is_good(helper):
    helper.options = ["--check"]
    helper.launch()
    assert helper.wait() == 0
    break_config(helper)
    helper.launch()
    assert helper.wait() == 1
    helper.wait_log(f"{helper.config}:2: ")


def test_the_untouched_sample_is_not_called_good(root, helper):
    """What stands where a value is to be written is named, with its line."""
    sample = Path(__file__).resolve().parents[2] / "packaging/mailtoken.conf"
    text = sample.read_text()
    write_file(helper.config, text)
    line = 1 + text[:text.index("\n    client_id")].count("\n") + 1
    said = f"{helper.config}:{line}: provider 'microsoft': client_id is still"
    run = subprocess.run([*helper.argv(), "--check"], capture_output=True,
                         text=True, timeout=DEADLINE_S, check=False)
    assert run.returncode == 1
    assert said in run.stdout + run.stderr
    helper.start()
    helper.wait_log("client_id is still the placeholder")
    answer = helper.ask("sign-in", account=JO, provider="microsoft")
    assert answer["result"] == "config-error" and said in answer["text"]


@pytest.mark.parametrize("value", ["CLIENT_ID_GOES_HERE", "your_client_id",
                                   "<client id>", "..."])
def test_a_placeholder_of_a_block_is_named(helper, value):
    helper.configure(client_id=value)
    helper.seed()
    helper.start()
    answer = helper.token()
    assert answer["result"] == "config-error"
    assert "client_id is still the placeholder of a sample" in answer["text"]


def test_a_reload_changes_what_is_logged(helper):
    words = helper.argv()
    at = words.index("--log-level")
    words[at:at + 2] = []
    helper.argv = lambda: words
    helper.configure(more="log_level notice")
    helper.seed()
    helper.start()
    assert helper.token()["result"] == "ok"
    helper.configure(more="log_level info")
    assert helper.ask("reload").all("changed") == ["log_level"]
    assert helper.token()["result"] == "ok"
    helper.wait_log("verb=token")
    helper.configure(more="log_level error")
    assert helper.ask("reload")["result"] == "ok"
    assert helper.token()["result"] == "ok"
    assert helper.token("nobody@example.org")["result"] == "unknown-account"
    assert helper.stop() == 0
    assert helper.log().count("verb=token") == 1
