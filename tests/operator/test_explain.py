# SPDX-License-Identifier: BSD-2-Clause
"""mailtoken explain: what is known, of which texts, and how it is told."""

import ctypes
import ctypes.util
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import paths
from mail_log_lines import ACCOUNTS, LINES, failed

TOP = Path(__file__).resolve().parents[2]
WHO = {"you", "relay admin", "tenant admin", "Exchange admin", "provider",
       "nobody"}
ROW = re.compile(r"^([A-Za-z0-9][^:\n]*): (.*)\n((?:[ \t].*\n)*)", re.M)


def table(name):
    """The rows of a .conf: (keys, sentence, {keyword: values})."""
    text = (TOP / "helper" / name).read_text()
    for keys, sentence, below in ROW.findall(text):
        values = {}
        for line in below.splitlines():
            word, _, value = line.strip().partition(" ")
            values.setdefault(word, []).append(value)
        yield keys.split(), sentence, values


ADVICE = list(table("oauth/advice.conf"))
REPLIES = list(table("operator/explain.conf"))


@pytest.fixture
def explain(program):
    """Run it; stdin may be given."""
    def run(*words, json=False, stdin=None, before=()):
        return subprocess.run(
            [*before, program, *(["--json"] if json else []), "explain",
             *words], capture_output=True, input=stdin, timeout=60,
            env={"PATH": os.environ["PATH"]})
    return run


@pytest.fixture
def names_of(explain):
    """The rows that texts are about, each of which must be known."""
    def find(texts):
        texts = list(texts)
        rows = json.loads(explain("-", json=True, stdin="\n".join(
            texts).encode()).stdout)
        if sum(row["lines"] for row in rows) != len(texts):
            for text in texts:
                assert explain("--", text).returncode == 0, text
        return {row["name"]: row for row in rows}
    return find


def test_each_of_60_lines_of_mail_logs_is_known(explain):
    assert len(LINES) >= 60
    for name, line in LINES:
        done = explain("-", json=True, stdin=line.encode() + b"\n")
        assert [row["name"] for row in json.loads(done.stdout)] == [name], line
        assert done.returncode == 0


def test_each_number_and_word_has_who_must_act_and_what_to_do(names_of):
    keys = [key for keys, _, _ in ADVICE for key in keys]
    assert sum(key.isdigit() for key in keys) >= 130
    rows = names_of(f"x AADSTS{key}: y" if key.isdigit() else key
                    for key in keys)
    assert names_of(filter(str.isdigit, keys)).keys() <= rows.keys()
    for key in keys:
        row = rows["AADSTS" + key if key.isdigit() else key]
        assert row["who"] in WHO
        assert row["meaning"]
        assert row["type"] or row["click"]
        assert row["page"]
        if key.isdigit():
            assert row["page"].endswith("error?code=" + key)


def test_each_sentence_of_ours_about_an_error_is_known(names_of):
    rows = names_of(f"account=a@b.c text=\"{sentence}\""
                    for _, sentence, _ in ADVICE)
    assert rows.keys() == {
        "AADSTS" + keys[0] if keys[0].isdigit() else keys[0]
        for keys, _, _ in ADVICE}


def test_each_reply_has_who_must_act_and_is_found(names_of):
    assert len(REPLIES) >= 100
    patterns = [pattern.strip("^$").replace("*", " a b ")
                for _, _, values in REPLIES for pattern in values["match"]]
    rows = names_of(pattern for pattern in patterns if "smtpd[" not in pattern)
    for keys, _, values in REPLIES:
        if keys == ["incoming"]:
            continue        # not told of a log
        assert values["who"][0] in WHO
        assert rows[keys[0]]["who"] == values["who"][0]


def test_what_it_tells_to_type_are_commands_of_mailtoken(program):
    usages = {}
    for _, _, values in ADVICE + REPLIES:
        for line in values.get("type", []):
            name, *words = line.split()
            if name != "mailtoken":
                continue
            if words[0] not in usages:
                usages[words[0]] = subprocess.run(
                    [program, "help", words[0]], capture_output=True,
                    text=True, timeout=60, check=True).stdout
            for word in words[1:]:
                assert not word.startswith("--") or \
                    f"{word}]" in usages[words[0]] or \
                    f"{word} " in usages[words[0]], line


def test_what_libsasl2_says_of_each_of_its_errors_is_known(names_of):
    library = ctypes.CDLL(ctypes.util.find_library("sasl2") or
                          "libsasl2.so.2")
    library.sasl_errstring.restype = ctypes.c_char_p
    said = {code: library.sasl_errstring(code, None, None).decode()
            for code in (*range(-1, -14, -1), *range(-14, -25, -1), -26, -27,
                         -28, -32)}
    said = {code: text for code, text in said.items()
            if text != "undefined error!"}
    names_of(f"SASL({code}): {text}: " for code, text in said.items())
    names_of(said.values())
    names_of(str(code) for code in said)


def sentences_of_the_plugin():
    """What plugin/fetch.c and plugin/who.c say, with something for each $x."""
    for name in ("fetch.c", "who.c"):
        text = re.sub(r'"\s*\n\s*"', "", (TOP / "plugin" / name).read_text())
        for match in re.finditer(r'"((?:[^"\\\n]|\\.){24,})"', text):
            sentence = match.group(1).replace('\\"', '"')
            if re.match("(?!its )[a-z]", sentence) and " " in sentence:
                yield re.sub(r"\$.|%[-*.0-9]*z?[a-z]", "x", sentence)


def test_each_sentence_of_the_plugin_is_known(names_of):
    sentences = list(sentences_of_the_plugin())
    assert len(sentences) >= 15
    rows = names_of("mailtoken: " + sentence for sentence in sentences)
    # That row knows nothing of it but whose it is.
    assert "mailtoken" not in rows, rows["mailtoken"]


def test_each_word_for_a_fault_is_known(names_of):
    text = (TOP / "helper/wire/fault.c").read_text()
    words = set(re.findall(r'\] = \{ "([a-z-]+)",', text)) - {"ok"}
    assert len(words) >= 10
    names_of(f"event=token account=a@b.c result={word}" for word in words)


@pytest.mark.parametrize("account, line", ACCOUNTS)
def test_the_command_has_the_account_of_the_line(explain, account, line):
    row, = json.loads(explain(line, json=True).stdout)
    assert account in row["type"].split()
    assert row["account"] == ("" if account == "ACCOUNT" else account)


@pytest.mark.parametrize("code", ["535 5.7.3", "501 5.5.127"])
def test_a_refused_token_begins_with_a_refresh(explain, code):
    done = explain(failed(code + " no"))
    assert "\nType:      mailtoken refresh ACCOUNT\n" in done.stdout.decode()


def test_where_smtp_auth_is_off_switch_risk_and_ways_around_are_named(explain):
    for where in ("Tenant", "Mailbox"):
        text = " ".join(explain(
            "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication"
            f" is disabled for the {where}.").stdout.decode().split())
        assert "Who: Exchange admin" in text
        assert "Set-CASMailbox -Identity ACCOUNT " in text
        assert "High Volume Email" in text and "Graph" in text
        assert "password" in text


def test_what_is_not_known_says_so_and_what_to_do(explain):
    done = explain("the moon is full")
    assert done.returncode == 1
    assert done.stdout == b""
    assert b"mailtoken doctor" in done.stderr
    done = explain("AADSTS99887766: what?")
    assert b"https://login.microsoftonline.com/error?code=" in done.stdout


@pytest.mark.parametrize("text", [
    "550 5.7.30x", "15.7.3", "10.5.7.3", "5.7.3.4",
    "xinvalid_grant", "invalid_grants", "1.421.0", ""])
def test_a_piece_of_something_longer_is_nothing(explain, text):
    assert explain("--", text).returncode == 1


def test_each_cause_is_told_once_with_its_lines_and_the_last_of_them(explain):
    lines = [failed("535 5.7.3 first"), "Nov 30 relay kernel: nothing",
             failed("535 5.7.3 last"), LINES[1][1]]
    done = explain("-", stdin="\n".join(lines).encode())
    text = done.stdout.decode()
    assert text.count("Meaning:") == 2
    assert re.search(r"^2 lines, the last: .* 535 5\.7\.3 last\)$", text, re.M)
    assert "\n1 line, the last: " in text
    assert b"4 lines of standard input, 2 known" in done.stderr
    rows = json.loads(explain("-", json=True,
                              stdin="\n".join(lines).encode()).stdout)
    assert [row["lines"] for row in rows] == [2, 1]


def test_what_strangers_try_at_this_machines_own_server_is_no_trouble(explain):
    line = ("Nov 30 03:12:07 relay postfix/submission/smtpd[4712]: warning: "
            "unknown[192.0.2.66]: SASL LOGIN authentication failed: "
            "authentication failure")
    assert explain("-", stdin=line.encode()).returncode == 1
    done = explain(line)
    assert b"own mail server" in done.stdout
    assert b"mailtoken refresh" not in done.stdout


def test_what_postfix_says_again_in_the_word_of_sasl_is_not_told_again(
        explain):
    start = "Nov 30 03:12:07 relay postfix/smtp[4711]: "
    sentence = start + ("warning: SASL authentication failure: mailtoken: "
                        'a@b.c must sign in again: run "mailtoken login '
                        'a@b.c"')
    word = start + ("6E3A01F: to=<bob@example.net>, status=deferred (SASL "
                    "authentication failed; cannot authenticate to server "
                    "mx[192.0.2.1]: passphrase expired, has to be reset)")
    rows = json.loads(explain("-", json=True, stdin=f"{sentence}\n{word}\n"
                              .encode()).stdout)
    assert [row["name"] for row in rows] == ["login-needed"]
    rows = json.loads(explain("-", json=True, stdin=word.encode()).stdout)
    assert [row["name"] for row in rows] == ["sasl-expired"]


def test_garbage_and_a_megabyte_of_it(explain):
    for stdin in (os.urandom(1 << 20), b"\0\n" * 1000, b"\xff" * (1 << 20),
                  b"a\n" * (1 << 15), b"*^$" * 4000):
        assert explain("-", stdin=stdin).returncode in (0, 1)
    many = (LINES[0][1] + "\n").encode() * 5000
    assert b"5000 lines, the last:" in explain("-", stdin=many).stdout


def test_nothing_that_a_terminal_would_obey_is_shown(explain):
    line = "\x1b]0;x\x07\x1b[2J said: 535 5.7.3 \u202e\x9b31m\r\n"
    for done in (explain("-", stdin=line.encode()),
                 explain("-", json=True, stdin=line.encode()), explain(line)):
        assert done.returncode == 0
        assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]|\xe2\x80\xae",
                             done.stdout + done.stderr)


def test_an_account_cannot_carry_a_command_into_a_shell(explain):
    row, = json.loads(explain("535 5.7.3 for $(rm)`x`;a@b.c|x", json=True
                              ).stdout)
    assert row["type"].splitlines()[0] == "mailtoken refresh a@b.c"


def test_lines_end_by_column_80_but_for_commands(explain):
    done = explain("-", stdin="\n".join(line for _, line in LINES).encode())
    for shown in done.stdout.decode().splitlines():
        assert len(shown) < 80 or re.match(
            r"\d lines?, the last: |Page: +https|(Type: )? +(mailtoken|cp|"
            r"[A-Z][a-z]+-[A-Z]\w+|systemctl|postconf|openssl) \S",
            shown), shown


def has_mounts():
    return os.geteuid() == 0 and subprocess.run(
        ["unshare", "-m", "true"], stderr=subprocess.DEVNULL).returncode == 0


@pytest.mark.skipif(not has_mounts(), reason="cannot have mounts of its own")
def test_without_a_text_the_end_of_the_mail_log_is_read(explain, tmp_path):
    before = ["unshare", "-m", "sh", "-c",
              f"mount --bind {tmp_path} /var/log && exec \"$@\"", "sh"]
    log = tmp_path / "mail.log"
    log.write_text("old: AADSTS50057\n" + "x" * 400000 + "\n" +
                   failed("535 5.7.3 no") + "\n")
    done = explain(before=before)
    assert done.returncode == 0
    assert b"refused the token" in done.stdout
    assert b"disabled" not in done.stdout
    assert b"1 line of /var/log/mail.log, 1 known cause" in done.stderr
    log.write_text("all is well\n")
    done = explain(before=before)
    assert (done.returncode, done.stdout) == (1, b"")


@pytest.mark.skipif(not has_mounts() or not shutil.which("journalctl"),
                    reason="cannot have mounts of its own, or no journal")
def test_where_there_is_no_mail_log_the_journal_is_read(explain, tmp_path):
    journal, logs = tmp_path / "journalctl", tmp_path / "log"
    journal.write_text("#!/bin/sh\ncase $* in\n"
                       "*SYSLOG_FACILITY=2*mailtokend.service) ;;\n"
                       "*) exit 1 ;;\nesac\n"
                       "echo 'said: 535 5.7.3 no'\n")
    journal.chmod(0o755)
    logs.mkdir()
    before = ["unshare", "-m", "sh", "-c",
              f"mount --bind {logs} /var/log && mount --bind {journal} "
              f"{shutil.which('journalctl')} && exec \"$@\"", "sh"]
    done = explain(before=before)
    assert done.returncode == 0
    assert b"1 line of the journal of Postfix and mailtokend" in done.stderr
    journal.write_text("#!/bin/sh\nexit 1\n")
    done = explain(before=before)
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"run it as root" in done.stderr


@pytest.mark.skipif(shutil.which("postconf") is None, reason="no Postfix")
def test_where_postfix_writes_its_log_itself_that_is_read(explain, tmp_path):
    (tmp_path / "main.cf").write_text(
        f"maillog_file = {tmp_path}/own.log\ncompatibility_level = 3.6\n")
    (tmp_path / "own.log").write_text(failed("535 5.7.3 no") + "\n")
    done = explain(before=["env", f"MAIL_CONFIG={tmp_path}"])
    assert done.returncode == 0
    assert f"1 line of {tmp_path}/own.log" in done.stderr.decode()


def page():
    """mailtoken-errors(7), as it was made."""
    for top in (paths.BUILD, TOP):
        path = Path(top) / "helper/man/mailtoken-errors.7"
        if path.exists():
            return path
    pytest.skip("the page is not built")


def test_the_page_says_all_that_explain_knows():
    text = page().read_text()
    flat = " ".join(text.split())
    for keys, sentence, values in ADVICE + REPLIES:
        number, meaning = "AADSTS", sentence.partition(": ")[0]
        if "match" in values:
            number, meaning = "", sentence
        title = ", ".join(number * key.isdigit() + key for key in keys)
        assert f".It Sy {title}\n" in text
        assert f"{meaning[0].upper()}{meaning[1:]}." in flat, sentence
        for value in values.get("type", []) + values.get("click", []):
            assert value in flat, value


def test_the_page_is_one_that_mandoc_likes():
    if shutil.which("mandoc") is None:
        pytest.skip("there is no mandoc")
    done = subprocess.run(["mandoc", "-Tlint", "-Wstyle", page()],
                          capture_output=True, text=True)
    wrong = [line for line in done.stdout.splitlines()
             if "referenced manual not found" not in line]
    assert not wrong, wrong
