# SPDX-License-Identifier: BSD-2-Clause
"""Every failure is one sentence that says what to do, and the right code."""

import grp
import os
import pwd
import socket
import subprocess
import sys
import textwrap

import pytest

import bed
import sasl_host as sasl
from sasl_host import Host
from scripted_helper import ScriptedHelper
from sentences import failed, open_the_way, sentence

ALICE = "alice@example.com"
FIRST = b"user=" + ALICE.encode() + b"\1auth=Bearer tok123\1\1"


OUTCOMES = [
    ("login-needed", sasl.EXPIRED,
     'alice@example.com must sign in again: run "mailtoken login '
     'alice@example.com" (The grant is gone.)'),
    ("unknown-account", sasl.NOUSER,
     f'no account "{ALICE}": run "mailtoken login {ALICE}" (The grant'),
    ("denied", sasl.DISABLED,
     "the helper at "),
    ("wrong-server", sasl.CONFIGERR,
     "no token of alice@example.com for smtp.example.com: The grant is gone."),
    ("config-error", sasl.CONFIGERR,
     "no token for alice@example.com: The grant is gone."),
    ("try-later", sasl.UNAVAIL,
     "no token for alice@example.com: The grant is gone. (next try in 42 s)"),
    ("busy", sasl.UNAVAIL,
     "no token for alice@example.com: The grant is gone."),
    ("timeout", sasl.UNAVAIL,
     "no token for alice@example.com: The grant is gone."),
    ("internal", sasl.UNAVAIL,
     "no token for alice@example.com: The grant is gone."),
    ("bad-request", sasl.BADPARAM,
     "no token for alice@example.com: The grant is gone."),
]


@pytest.mark.parametrize("word,code,text", OUTCOMES,
                         ids=[row[0] for row in OUTCOMES])
def test_each_outcome_has_its_code_and_sentence(helper, host, word, code,
                                                text):
    more = {"retry_after": 42} if word == "try-later" else {}
    helper.add("fault", word=word, text="The grant is gone.", **more)
    assert failed(host, code).startswith("mailtoken: " + text)


def test_a_configuration_error_names_file_and_line(helper, host):
    """Case 18."""
    where = "/etc/mailtoken/mailtoken.conf:12: no such keyword 'tennant'"
    helper.add("fault", word="config-error", text=where)
    assert where in failed(host, sasl.CONFIGERR)


@pytest.mark.parametrize("text", [
    "%n%s%d%m", "a\x1b[31mred\x07", "x" * 3000, "", "h\xe9las \u2028",
    "\\x41 \\", "tab\there",
], ids=range(7))
@pytest.mark.parametrize("word", [row[0] for row in OUTCOMES])
def test_text_of_the_helper_is_shown_escaped_and_cut(helper, host, word,
                                                     text):
    helper.add("fault", word=word, text=text)
    code = {row[0]: row[1] for row in OUTCOMES}[word]
    assert failed(host, code)


def test_long_names_leave_the_sentence_readable(helper, host):
    helper.add("fault", word="login-needed", text="The grant is gone.")
    account = "a" * 240 + "@example.com"
    run = host.run(user=account, fqdn="f" * 200 + ".example.com")
    assert run.start == sasl.EXPIRED
    assert f'must sign in again: run "mailtoken login {account}"' in \
        sentence(run)


def test_no_helper_is_named_with_path_and_reason(host, socket_path):
    """Case 1."""
    text = failed(host, sasl.UNAVAIL)
    assert text == (f"mailtoken: cannot reach the helper at {socket_path}: "
                    'No such file or directory: run "systemctl enable --now '
                    'mailtoken.socket", or start mailtokend')


def test_a_missing_directory_is_named_too(plugins, tmp_path):
    path = tmp_path / "none" / "socket"
    text = failed(Host(plugins, {"MAILTOKEN_SOCKET": str(path)}),
                  sasl.UNAVAIL)
    assert f"{path}: No such file or directory" in text


def test_a_dead_socket_is_named_with_path_and_reason(host, socket_path):
    """Case 2."""
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(socket_path))
    text = failed(host, sasl.UNAVAIL)
    assert f"{socket_path}: Connection refused: run" in text


@pytest.mark.parametrize("closed", ["socket", "directory"])
def test_a_socket_without_permission_says_so_and_for_whom(
        root, plugins, helper, socket_path, closed):
    """Case 2."""
    if closed == "socket":
        socket_path.chmod(0o600)
    else:
        socket_path.parent.chmod(0o700)
    host = Host(plugins, {"MAILTOKEN_SOCKET": str(socket_path)})
    open_the_way(plugins)
    text = failed(host, sasl.UNAVAIL, uid=65534)
    assert "no permission for user nobody to reach the helper" in text
    assert "Permission denied" in text
    assert f'have root look with "namei -l {socket_path}"' in text


DROP_IN = ('run "mkdir -p /etc/systemd/system/mailtoken.socket.d && printf '
           "'[Socket]\\nSocketGroup=postfix\\n' "
           ">/etc/systemd/system/mailtoken.socket.d/postfix.conf && systemctl "
           'daemon-reload && systemctl restart mailtoken.socket"')


@pytest.mark.parametrize("name,who,cure", [
    ("nobody", "user nobody", 'run "usermod -aG mail nobody" and start'),
    ("postfix", "user postfix", DROP_IN),
    (1000680000, "uid 1000680000", "start the program with the group mail")])
def test_who_is_in_no_group_of_the_socket_is_told_the_whole_cure(
        root, plugins, helper, socket_path, name, who, cure):
    """Case 69: a container's uid may have no name."""
    try:
        uid = pwd.getpwnam(name).pw_uid if isinstance(name, str) else name
    except KeyError:
        pytest.skip(f"no user {name} here")
    os.chown(socket_path, 0, grp.getgrnam("mail").gr_gid)
    socket_path.chmod(0o660)
    host = Host(plugins, {"MAILTOKEN_SOCKET": str(socket_path)})
    open_the_way(plugins)
    text = failed(host, sasl.UNAVAIL, uid=uid)
    assert f"no permission for {who} to reach the helper at {socket_path}: " \
        f"Permission denied: {cure}" in text


@pytest.mark.slow
@pytest.mark.parametrize("mech", ["XOAUTH2"])
def test_a_silent_helper_ends_after_its_deadline(helper, host, mech):
    """Case 3: the one deadline of the step is 35 s."""
    helper.add("silent")
    text = failed(host, sasl.UNAVAIL, mechs=mech)
    assert "helper timed out" in text
    assert helper.wait_request()[0].client_closed


BAD_ANSWERS = {
    "half": {}, "garbage": {}, "oversize": {}, "wrong-first": {},
    "repeated": {}, "token-empty": {"token": ""},
    "token-blank": {"token": "tok 123"}, "token-separator":
    {"token": "tok\1auth=x"}, "token-utf8": {"token": "tökén"},
    "token-long": {"token": "x" * 65001},
}


@pytest.mark.parametrize("name", BAD_ANSWERS)
def test_a_bad_answer_is_a_clean_failure(helper, host, name):
    """Case 4."""
    helper.add(name.split("-")[0] if name.startswith("token") else name,
               times=None, **BAD_ANSWERS[name])
    text = failed(host, sasl.UNAVAIL)
    assert "bad answer from the helper" in text


@pytest.mark.parametrize("changes", [
    {"token": None}, {"result": None}, {"result": "splendid"},
    {"serial": "9" * 33}], ids=range(4))
def test_a_half_right_answer_is_not_used(helper, host, changes):
    helper.add("ok", changes=changes)
    assert "bad answer" in failed(host, sasl.UNAVAIL)


@pytest.mark.parametrize("raw", [
    b"\n", b"\n\n", b"mailtoken=1\n\n", b"=\n\n", b"mailtoken=1\nresult\n\n",
    b"mailtoken=1\nresult=ok\ntoken=a\0b\n\n", b"\xff" * 5000,
    b"mailtoken=1\nresult=ok\n", b"x" * 140000,
    b"mailtoken=1\n" + b"a=1\n" * 65 + b"\n",
], ids=range(10))
def test_garbage_of_any_kind_is_a_clean_failure(helper, host, raw):
    helper.add("garbage", times=None, bytes=raw.hex())
    failed(host, sasl.UNAVAIL)


def test_a_helper_that_hangs_up_is_named(helper, host):
    helper.add("close", times=None)
    text = failed(host, sasl.UNAVAIL)
    assert "hung up without an answer" in text
    assert len(helper.wait_request(2)) == 2


def test_a_host_without_a_server_name_gets_no_token(helper, host):
    text = failed(host, sasl.CONFIGERR, no_fqdn=True)
    assert "names no server" in text
    assert len(helper.requests) == 0


@pytest.mark.parametrize("path", ["relative/socket", "", "/" + "x" * 108])
def test_a_bad_socket_name_is_a_configuration_error(plugins, path):
    host = Host(plugins, {"MAILTOKEN_SOCKET": path})
    text = failed(host, sasl.CONFIGERR)
    assert "MAILTOKEN_SOCKET must be an absolute path" in text


def test_a_directory_that_others_may_write_is_not_trusted(
        helper, host, socket_path):
    socket_path.parent.chmod(0o777)
    text = failed(host, sasl.UNAVAIL)
    assert "not trusting the helper" in text and "chmod go-w" in text
    assert len(helper.requests) == 0


def test_a_stranger_on_the_socket_is_not_trusted(root, plugins, tmp_path):
    """The listener is nobody; the directory is root's."""
    directory = tmp_path / "strange"
    directory.mkdir()
    path = directory / "socket"
    os.chown(directory, 65534, 65534)
    open_the_way(path)
    listener = textwrap.dedent("""\
        import os, socket, sys
        os.setgid(65534); os.setuid(65534)
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(sys.argv[1]); sock.listen(5)
        print("ready", flush=True)
        sys.stdin.read()
        """)
    child = subprocess.Popen([sys.executable, "-c", listener, str(path)],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert child.stdout.readline() == b"ready\n"
        os.chown(directory, 0, 0)
        text = failed(Host(plugins, {"MAILTOKEN_SOCKET": str(path)}),
                      sasl.UNAVAIL)
    finally:
        child.stdin.close()
        child.wait(bed.DEADLINE_S)
        child.stdout.close()
    assert "user nobody listens there" in text


def test_a_layer_is_refused(helper, host):
    """Case 16."""
    text = failed(host, sasl.TOOWEAK, min_ssf=1)
    assert "security layer" in text
    assert len(helper.requests) == 0


def test_a_layer_that_the_program_has_is_enough(helper, host):
    assert host.run(user=ALICE, min_ssf=1, ext_ssf=128).outs == [FIRST]


def test_a_full_queue_is_waited_for(host, socket_path):
    """EAGAIN: more connections than a helper has taken."""
    helper = ScriptedHelper(socket_path, token="tok123")
    waiting = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(socket_path))
        listener.listen(0)
        while True:
            one = socket.socket(socket.AF_UNIX)
            one.setblocking(False)
            waiting.append(one)
            try:
                one.connect(str(socket_path))
            except BlockingIOError:
                break
        child = subprocess.Popen(host.command(user=ALICE),
                                 env=host.environment,
                                 stdout=subprocess.PIPE, text=True)
        try:
            # It is at the socket once it has asked for the name.
            seen = []
            while "callback authname" not in seen:
                seen.append(child.stdout.readline().strip())
                assert child.poll() is None, seen
            for one in waiting:
                one.close()
            listener.settimeout(bed.DEADLINE_S)
            bed.wait_for(lambda: serve_one(listener, helper), what="a request")
            out, _ = child.communicate(timeout=bed.DEADLINE_S)
        finally:
            child.kill()
            child.wait(bed.DEADLINE_S)
            child.stdout.close()
    assert FIRST.hex() in out


def serve_one(listener, helper):
    """Take one connection; whether it was a request."""
    sock, _ = listener.accept()
    with sock:
        sock.settimeout(bed.DEADLINE_S)
        raw = sock.recv(65536)
        if raw:
            sock.sendall(b"mailtoken=1\nresult=ok\nlogin=" + ALICE.encode() +
                         b"\ntoken=" + helper.token.encode() +
                         b"\nserial=1\n\n")
        return raw


@pytest.mark.parametrize("given,asked", [
    ("[127.0.0.1]", "127.0.0.1"), ("[IPv6:::1]", "::1"),
    ("ldap://ldap.example.com:389/", "ldap.example.com"),
    ("ldap.example.com:389", "ldap.example.com"), ("::1", "::1"),
    ("smtp.example.com.", "smtp.example.com")])
def test_server_names_are_understood_as_programs_give_them(helper, host,
                                                           given, asked):
    """sendmail's literals, an LDAP tool's address."""
    host.run(user=ALICE, fqdn=given)
    assert helper.wait_request()[0].get("server") == asked


@pytest.mark.parametrize("given", ["not a name", "[", "ldapi://%2frun"])
def test_a_server_that_is_no_host_is_named(helper, host, given):
    text = failed(host, sasl.CONFIGERR, fqdn=given)
    assert f'calls the server "{given.lower()}", which is no host name' in text
    assert len(helper.requests) == 0
