# SPDX-License-Identifier: BSD-2-Clause
"""What the Tab key offers behind "mailtoken", in bash, zsh and fish."""

import fcntl
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import termios
import time

import pytest

import paths
from bed import DEADLINE_S
from bed_cli import Conversation

FOLDER = paths.SOURCE / "packaging" / "completions"
ALICE = {"account": "alice@example.org", "state": "active"}
# What a shell that expanded it would do.
ODD = "odd$(touch expanded)`touch expanded`@example.org"
START = {
    "bash": (["bash", "--noprofile", "--norc", "-i"],
             f". {FOLDER}/mailtoken"),
    "zsh": (["zsh", "-f", "-i"],
            f"unsetopt prompt_sp; fpath=({FOLDER} $fpath); "
            "autoload -Uz compinit && compinit -u -D"),
}
# What is typed before Tab, and what stands there afterwards.
GROWS = [
    ("stat", "status"),
    ("--json logo", "--json logout"),
    ("help reloa", "help reload"),
    ("login --fl", "login --flow"),
    ("login a --flow d", "login a --flow device"),
    ("login a --protocols im", "login a --protocols imap"),
    ("login a --provider goo", "login a --provider google"),
    ("import mu", "import mutt_oauth2"),
    ("import sasl-xoauth2 --config token-f",
     "import sasl-xoauth2 --config token-file"),
    ("import sasl-xoauth2 token-f", "import sasl-xoauth2 token-file"),
    ("providers yan", "providers yandex"),
]


@pytest.fixture
def folder(tmp_path, monkeypatch, program):
    """A folder to be in; the command under test is found first."""
    monkeypatch.setenv("PATH", os.path.dirname(program) + ":" +
                       os.environ["PATH"])
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "token-file").write_text("")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    assert not (tmp_path / "expanded").exists(), "a name was expanded"


def need(shell):
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")


class Terminal:
    """A shell on a terminal, with the completion loaded."""

    def __init__(self, shell):
        need(shell)
        argv, load = START[shell]
        self._pid, self._fd = pty.fork()
        if self._pid == 0:
            os.environ.update(TERM="dumb", LC_ALL="C.UTF-8")
            os.execvp(argv[0], argv)
        self._shown = ""
        # One line, however long it gets.
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ,
                    struct.pack("HHHH", 24, 1000, 0, 0))
        self._type(load + "; echo LOAD''ED\r")
        self._wait("LOADED")

    def _type(self, text):
        os.write(self._fd, text.encode())

    def _wait(self, pattern):
        """What was shown up to the pattern, which is then forgotten."""
        until = time.monotonic() + DEADLINE_S
        while not (found := re.search(pattern, self._shown)):
            left = until - time.monotonic()
            assert left > 0 and select.select([self._fd], [], [], left)[0], \
                self._shown
            self._shown += os.read(self._fd, 4096).decode(
                errors="replace").replace("\r", "")
        self._shown = self._shown[found.end():]
        return found

    def complete(self, typed):
        """The words behind the command that the shell has after Tab."""
        self._type(f"mailtoken {typed}\t\x01printf '(%s)' \r")
        shown = self._wait(r"\n\(mailtoken\)(\(.*\))").group(1)
        return " ".join(shown[1:-1].split(")("))

    def close(self):
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        os.close(self._fd)


@pytest.fixture
def terminal():
    """Makes one; ended after the test."""
    made = []

    def make(shell):
        made.append(Terminal(shell))
        return made[-1]

    yield make
    for shell in made:
        shell.close()


def fish(typed):
    """What fish offers: words, each with what it says of it."""
    need("fish")
    done = subprocess.run(
        ["fish", "--no-config", "-c", 'source $argv[1]; complete -C $argv[2]',
         str(FOLDER / "mailtoken.fish"), "mailtoken " + typed],
        capture_output=True, text=True, timeout=DEADLINE_S, check=True)
    assert done.stderr == ""
    return dict((line + "\t").split("\t")[:2]
                for line in done.stdout.splitlines())


def bash(typed):
    """What bash offers."""
    script = ('. "$1"; COMP_LINE="mailtoken $2"; COMP_POINT=${#COMP_LINE}; '
              '_mailtoken; printf "%s\\n" "${COMPREPLY[@]}"')
    done = subprocess.run(
        ["bash", "--norc", "-c", script, "bash", str(FOLDER / "mailtoken"),
         typed], capture_output=True, text=True, timeout=DEADLINE_S,
        check=True)
    assert done.stderr == ""
    return done.stdout.split("\n")[:-1]


def usage(program, *verb):
    """What the command says of itself."""
    return subprocess.run([program, "help", *verb], capture_output=True,
                          text=True, check=True).stdout


def telling(place, *accounts):
    """A helper that is asked once how these accounts are."""
    return Conversation(place, lambda helper: helper.send(
        *({**ALICE, "account": account} for account in accounts),
        {"result": "ok"}))


@pytest.mark.parametrize("shell", START)
def test_a_word_is_completed_on_a_terminal(terminal, folder, shell):
    typing = terminal(shell)
    assert [typing.complete(before) for before, _ in GROWS] == \
        [after for _, after in GROWS]


def test_a_word_is_completed_in_fish(folder):
    for before, after in GROWS:
        assert list(fish(before)) == [after.split(" ")[-1]], before


def test_every_verb_is_offered_with_its_purpose(program, folder):
    verbs = dict(re.findall(r"^  ([a-z]+) +(.*)$", usage(program), re.M))
    assert len(verbs) > 10
    assert bash("") == list(verbs)
    assert fish("") == verbs


def test_every_option_of_a_verb_is_offered(program, folder):
    for verb in bash(""):
        told = re.findall(r"--[a-z-]+", usage(program, verb).rpartition(
            "\n    ")[0])
        told += ["--system", "--user", "--socket", "--json", "--help"]
        assert set(bash(verb + " --")) == set(told), verb
        assert set(fish(verb + " --")) == set(told), verb


@pytest.mark.parametrize("shell", START)
@pytest.mark.parametrize("verb", ["status", "--socket {} logout",
                                  "token --server smtp.example.org"])
def test_an_account_is_completed(terminal, folder, place, monkeypatch, shell,
                                 verb):
    if "{}" in verb:
        verb = verb.format(place)
    else:
        monkeypatch.setenv("MAILTOKEN_SOCKET", place)
    helper = telling(place, "alice@example.org", "bob@example.org")
    assert terminal(shell).complete(f"{verb} alice@ex") == \
        f"{verb} alice@example.org"
    helper.end()


@pytest.mark.parametrize("shell", START)
def test_an_account_with_the_shells_own_signs_stays_a_word(
        terminal, folder, place, monkeypatch, shell):
    monkeypatch.setenv("MAILTOKEN_SOCKET", place)
    helper = telling(place, ODD)
    assert terminal(shell).complete("status od") == "status " + ODD
    helper.end()


def test_accounts_are_offered_in_fish(folder, place, monkeypatch):
    monkeypatch.setenv("MAILTOKEN_SOCKET", place)
    helper = telling(place, "alice@example.org", ODD)
    assert sorted(fish("status ")) == ["alice@example.org", ODD]
    helper.end()


def test_without_a_helper_nothing_is_said(folder, place, monkeypatch):
    monkeypatch.setenv("MAILTOKEN_SOCKET", place)
    assert bash("status ") == [""] and not fish("status ")
    assert bash("nonsense ") == [""] and not fish("nonsense ")


def test_a_helper_that_does_not_answer_is_not_waited_for(folder, place,
                                                         monkeypatch):
    monkeypatch.setenv("MAILTOKEN_SOCKET", place)
    helper = Conversation(place, lambda helper: helper.wait_close())
    began = time.monotonic()
    assert bash("status ") == [""]
    assert time.monotonic() - began < 10
    helper.end()


def test_they_are_installed_where_the_shells_look(tmp_path):
    subprocess.run(["make", "-s", "-C", str(paths.BUILD), "install-data",
                    f"DESTDIR={tmp_path}"], check=True,
                   stdout=subprocess.DEVNULL)
    below = str(tmp_path) + paths.configured("datadir")
    for path in ("bash-completion/completions/mailtoken",
                 "zsh/site-functions/_mailtoken",
                 "fish/vendor_completions.d/mailtoken.fish"):
        assert os.path.isfile(os.path.join(below, path)), path
