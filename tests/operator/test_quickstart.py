# SPDX-License-Identifier: BSD-2-Clause
"""packaging/quickstart on a machine of its own: what it says and leaves.

What is built is what is under test; packaging/build-deb and apt-get are
stand-ins.
"""

import os
import pty
import re
import select
import shutil
import subprocess

import pytest

import paths
from bed import DEADLINE_S, write_file
from bed_helper import ROOT
from bed_machine import CONFIG, Machine

pytestmark = pytest.mark.slow
# As packages are: what make installs, the user, what a purge takes away.
BUILD_DEB = """
set -e
mkdir -p $2/root/DEBIAN
make -s -C {build} install prefix=/usr DESTDIR=$2/root
cd $2/root/DEBIAN
printf '%s\\n' 'Package: mailtoken' 'Version: 1' 'Maintainer: x' \\
    'Architecture: all' 'Description: x' > control
echo '#!/bin/sh' | tee postinst > postrm
chmod 755 postinst postrm
echo systemd-sysusers /usr/lib/sysusers.d/mailtoken.conf >> postinst
sed '1d;/DEBHELPER/d' {source}/packaging/debian/mailtoken.postrm >> postrm
dpkg-deb -Znone --root-owner-group -b .. $2/mailtoken.deb
"""
APT_GET = """
case $* in
*.deb) for deb; do :; done; exec dpkg -i $deb ;;
*) echo apt-get is asked for $*; exit 1 ;;
esac
"""
STAND_INS = {
    "top/packaging/build-deb": BUILD_DEB,
    "bin/apt-get": APT_GET,
    "bin/systemctl": 'echo "$*" >> {folder}/systemctl',
}
ASKED = """#!/bin/sh
[ "$3" = version ] || echo $* >> {folder}/asked
! [ -e {folder}/offline ]"""
RECORD = "/var/lib/mailtoken/keyring/relay@example.org"


class Quick(Machine):
    """Whose /usr can be written, too."""

    folders = "etc usr var"

    def __init__(self, idp):
        super().__init__(idp)
        for name, text in STAND_INS.items():
            self.put(name, "#!/bin/sh\n" + text.format(
                folder=self.folder, build=paths.BUILD, source=paths.SOURCE))
        self.change("PATH=", f"PATH={self.folder}/bin:")
        # No index of all pages, please.
        self.write("/etc/dpkg/dpkg.cfg.d/quick",
                   "no-triggers\nforce-unsafe-io\n")
        # What an earlier test of this machine has left.
        self.first = self.left()

    def put(self, name, text):
        """A program beside it."""
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        write_file(path, text + "\n", 0o755)

    def change(self, old, new):
        """The script, a little different."""
        path = os.path.join(self.folder, "top/packaging/quickstart")
        if not os.path.exists(path):
            self.put("top/packaging/quickstart", "")
            shutil.copy(paths.SOURCE / "packaging/quickstart", path)
        with open(path) as source:
            text = source.read()
        assert old in text
        write_file(path, text.replace(old, new, 1), 0o755)
        self.script = path

    def __call__(self, *words):
        """Run it; what it says."""
        done = self.run("sh", self.script, *words)
        self.status = done.returncode
        return done.stdout + done.stderr

    def typing(self, typed, *words, status=0):
        """The same on a terminal, where that is typed at a question."""
        master, slave = pty.openpty()
        run = subprocess.Popen(self.argv("sh", self.script, *words),
                               stdin=slave, stdout=slave, stderr=slave)
        os.close(slave)
        shown = ""
        while select.select([master], [], [], DEADLINE_S)[0]:
            try:
                shown += os.read(master, 4096).decode()
            except OSError:
                break
            if typed and "[y/N] " in shown:
                os.write(master, typed.encode() + b"\n")
                typed = ""
        os.close(master)
        assert run.wait(DEADLINE_S) == status, shown
        return shown

    def left(self):
        """The files that were made and are there."""
        found = self.run("sh", "-c", f"cd {self.inside}; find etc usr var "
                         "-type f -o -type l").stdout.split()
        return {name for name in found
                if not re.search(r"^var/(?:lib|log)/dpkg|^etc/(?:[a-z]*(?:"
                                 r"passwd|group|shadow|subuid|subgid)-?|"
                                 r".*\.lock)$", name)}

    def systemd(self):
        """Let it look like a machine with systemd."""
        self.run("mkdir", "-p", "/run/systemd/system")

    def systemctl(self):
        """What systemctl was asked for."""
        path = os.path.join(self.folder, "systemctl")
        if not os.path.exists(path):
            return []
        with open(path) as source:
            return source.read().splitlines()


@pytest.fixture
def quick(idp):
    if not ROOT or subprocess.run(["unshare", "-m", "true"],
                                  check=False).returncode:
        pytest.skip("needs root and namespaces")
    made = Quick(idp)
    yield made
    made.end()


def last_words(said):
    """From the result on: short, and for a terminal of 80 columns."""
    lines = said[said.index("\ndone  ") + 1:].splitlines()
    assert len(lines) <= 12 and max(map(len, lines)) < 80, lines
    return lines


def test_it_ends_with_the_result_and_the_next_command(quick):
    said = quick("--no-demo")
    assert quick.status == 0, said
    first, second, *_ = last_words(said)
    assert re.match(r"done  mailtoken \S+ is installed, \d+ s$", first)
    assert second == "next  mailtoken setup you@example.com"
    assert quick.run("mailtoken", "--version").returncode == 0
    assert not quick.run("ls", "/etc/mailtoken").stdout


def test_it_says_what_it_does_before_it_does_it(quick):
    policy = quick.read("/usr/sbin/policy-rc.d")
    quick.change("for_build='", "for_build='a-package-that-is-not-there "
                 "another-package-that-is-not-there-either-and-has-a-name ")
    said = quick("--no-demo")
    assert quick.status == 1
    told, _, rest = said.partition(" ... ")
    assert " ".join(told.split()).startswith(
        "installing packages: a-package-that-is-not-there another-package-")
    assert rest.startswith("failed; the end of ")
    assert "apt-get is asked for" in rest
    assert max(map(len, told.splitlines())) < 80
    # Nothing of ours keeps services from starting afterwards.
    assert quick.read("/usr/sbin/policy-rc.d") == policy


def test_a_postfix_that_it_installs_is_whole(quick):
    """With no configuration its unit would fail at each boot."""
    quick.systemd()
    quick.change("for_demo='postfix ", "for_demo='postfix no-such-package ")
    quick.change('is_installed "$package"',
                 '[ "$package" != postfix ] && is_installed "$package"')
    quick.put("bin/apt-get", "#!/bin/sh" + APT_GET.replace("exit 1", ""))
    quick.run("rm", "-f", "/usr/sbin/policy-rc.d")
    quick.put("bin/debconf-set-selections",
              f"#!/bin/sh\ncat >> {quick.folder}/answers")
    quick.put("bin/python3", "#!/bin/sh\nexit 0")
    said = quick()
    assert quick.status == 0, said
    with open(os.path.join(quick.folder, "answers")) as source:
        assert source.read() == \
            "postfix postfix/main_mailer_type select Local only\n"
    assert "start postfix" in quick.systemctl()
    assert "is installed and has relayed a message" in last_words(said)[0]


def test_on_a_machine_that_is_set_up_it_says_so(quick):
    quick("--no-demo")
    quick.write(CONFIG, "allow postfix\n")
    said = quick("--no-demo")
    assert quick.status == 0, said
    assert last_words(said)[1].startswith("already set up: ")
    assert "mailtoken setup" not in said
    assert quick.read(CONFIG) == "allow postfix\n"


def test_remove_says_what_it_leaves(quick):
    quick("--no-demo")
    quick.write(CONFIG, "allow postfix\n")
    quick.write(RECORD, "\n")
    said = quick("--remove")
    assert quick.status == 0, said
    for kept in ("/etc/mailtoken", "keyring", "user mailtoken", "checkout"):
        assert re.search(rf"^kept .*{kept}", said, re.M), said
    assert quick.read(CONFIG) and quick.read(RECORD)
    assert quick.run("getent", "passwd", "mailtoken").returncode == 0
    assert not {name for name in quick.left() - quick.first
                if "mailtoken" in name} - {CONFIG[1:], RECORD[1:]}
    said = quick("--remove", "--purge")
    assert quick.status == 0 and quick.left() <= quick.first, said


def test_remove_gives_postfix_its_own_settings_back_first(quick):
    quick("--no-demo")
    quick.run("mkdir", "-p", "/etc/postfix/mailtoken/undo")
    quick.put("bin/mailtoken", ASKED.format(folder=quick.folder))
    said = quick("--remove")
    assert quick.status == 0, said
    with open(os.path.join(quick.folder, "asked")) as source:
        assert source.read() == "setup postfix --undo --yes\n"
    assert said.index("giving Postfix") < said.index("removing the packages")


def test_purge_leaves_nothing_and_revokes_nothing_unasked(quick):
    quick.systemd()
    quick("--no-demo")
    quick.write(CONFIG, "allow postfix\n")
    quick.write(RECORD, "\n")
    quick.put("bin/mailtoken", ASKED.format(folder=quick.folder))
    said = quick("--remove", "--purge")
    assert quick.status == 0, said
    assert re.search(r"^kept  the grants at the provider, 1: ", said, re.M)
    assert not os.path.exists(os.path.join(quick.folder, "asked"))
    assert quick.left() <= quick.first
    for path in ("/etc/mailtoken", "/var/lib/mailtoken", "/run/mailtoken",
                 "/usr/share/doc/mailtoken", "/usr/libexec/mailtoken"):
        assert quick.run("ls", "-d", path).returncode != 0, path
    for what in ("passwd", "group"):
        assert quick.run("getent", what, "mailtoken").returncode != 0
    assert not os.path.exists(os.path.join(quick.folder, "top/build"))


def test_remove_stops_the_helper_where_no_systemd_does(quick):
    quick("--no-demo")
    quick.write(CONFIG, "allow postfix\n")
    quick.run("install", "-d", "-o", "mailtoken", "/run/mailtoken")
    assert quick.run("mailtokend", "--background", "--keyring",
                     "/var/lib/mailtoken/keyring", "--listen",
                     "/run/mailtoken/socket").returncode == 0
    said = quick("--remove", "--purge")
    assert quick.status == 0, said
    # One that ended and that nobody waited for does not count.
    assert quick.run("pgrep", "-r", "R,S,D", "-x",
                     "mailtokend").returncode == 1
    assert quick.left() <= quick.first


@pytest.mark.parametrize("answer, asked", [
    ("y", "--system logout --all --keep-local --yes\n"), ("n", None)])
def test_purge_asks_whether_to_end_the_grants(quick, answer, asked):
    quick("--no-demo")
    quick.write(RECORD, "\n")
    quick.put("bin/mailtoken", ASKED.format(folder=quick.folder))
    shown = quick.typing(answer, "--remove", "--purge")
    assert "Accounts that are signed in: 1." in shown
    path = os.path.join(quick.folder, "asked")
    if asked is None:
        assert not os.path.exists(path)
    else:
        with open(path) as source:
            assert source.read() == asked


def test_grants_that_were_not_ended_are_not_thrown_away(quick):
    """Their only copies: nobody could end them any more."""
    quick("--no-demo")
    quick.write(CONFIG, "allow postfix\n")
    quick.write(RECORD, "\n")
    quick.put("bin/mailtoken", ASKED.format(folder=quick.folder))
    quick.put("offline", "")
    before = quick.left()
    shown = quick.typing("y", "--remove", "--purge", status=1)
    assert "not every grant was ended, so nothing is removed" in shown
    assert quick.left() == before
    assert quick.run("getent", "passwd", "mailtoken").returncode == 0
