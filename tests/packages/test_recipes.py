# SPDX-License-Identifier: BSD-2-Clause
"""The recipes for other systems: as their linters and languages read them;
those of Arch and Alpine run as their tools run them; what the latter makes,
on a machine without systemd and without Postfix.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from openrc_root import Machine

TOP = Path(__file__).resolve().parents[2]
PACKAGING = TOP / "packaging"
BUILD = Path(os.environ.get("MAILTOKEN_BUILD", TOP))
VERSION = re.search(r"AC_INIT\(\[mailtoken\], \[(.*?)\]\)",
                    (TOP / "configure.ac").read_text())[1]
NOBODY = 65534
# Nothing of the outer build, and quick to compile.
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8",
               "CFLAGS": "-O0", "MAKEFLAGS": "-j2"}
# What a tool that reads the recipe sets or uses; it stops at a failed cd.
GIVEN = "--exclude=SC2034,SC2154,SC2164"
BASH = ["arch/PKGBUILD"]
SH = ["alpine/APKBUILD", "alpine/mailtoken-renew",
      "alpine/mailtoken.pre-install", "openrc/mailtokend"]

# What abuild gives a recipe, and an amove that moves.
ABUILD = r"""
set -eu
startdir=$1 srcdir=$2 pkgdir=$3 subpkgdir=$4
pkgbasedir=$pkgdir CBUILD=$5 CHOST=$5
amove() {
	for path; do
		mkdir -p "$subpkgdir/${path%/*}"
		mv "$pkgdir/$path" "$subpkgdir/$path"
	done
}
. "$startdir/APKBUILD"
cd "$srcdir/$pkgname-$pkgver"
build
package
_sasl
"""

# Of nixpkgs what the recipe uses.
NIXPKGS = """
let
  lib = {
    fakeHash = "sha256-";
    licenses.bsd2 = "bsd2";
    platforms.linux = [ "x86_64-linux" ];
    concatStringsSep = builtins.concatStringsSep;
    makeSearchPath = sub: paths:
      lib.concatStringsSep ":" (map (path: "${path}/${sub}") paths);
    mkIf = wanted: value: if wanted then value else null;
  };
  stdenv.mkDerivation = recipe:
    let self = recipe (self // { finalPackage = "/store/mailtoken"; });
    in self;
  arguments = path: {
    inherit lib stdenv;
    fetchurl = source: source;
  } // builtins.mapAttrs (name: _: { out = "/store/${name}"; })
    (builtins.removeAttrs (builtins.functionArgs (import path))
      [ "lib" "stdenv" "fetchurl" ]);
  pkgs.callPackage = path: _:
    let made = import path (arguments path); in made // made.passthru;
in
{
  package = pkgs.callPackage ./package.nix { };
  module = import ./module.nix {
    inherit lib pkgs;
    config.services.postfix.enable = true;
  };
}
"""


def run(words, **more):
    """A command that must not fail."""
    if shutil.which(words[0]) is None:
        pytest.skip(f"there is no {words[0]}")
    done = subprocess.run(words, capture_output=True, text=True, timeout=600,
                          check=False, **more)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.mark.parametrize("name", BASH + SH)
def test_the_functions_of_a_recipe_are_sound(name):
    shell = "bash" if name in BASH else "sh"
    run(["shellcheck", f"--shell={shell}", GIVEN, PACKAGING / name])
    run(["bash" if name in BASH else "dash", "-n", PACKAGING / name])
    if name in SH:
        run(["busybox", "ash", "-n", PACKAGING / name])


def evaluated():
    """What the recipes of Nix come to, nixpkgs stood in for."""
    return json.loads(run(
        ["nix-instantiate", "--eval", "--strict", "--json", "--store",
         "dummy://", "--expr", NIXPKGS], cwd=PACKAGING / "nix"))


def test_nix_builds_into_its_own_folder():
    package = evaluated()["package"]
    into = [flag for flag in package["configureFlags"]
            if re.match(r"--with-(sasl-plugin|systemd(system|user)unit)dir=",
                        flag)]
    assert len(into) == 3
    assert package["installFlags"] == [
        "system_config=$(out)/etc/mailtoken/mailtoken.conf"]


def test_nixs_programs_find_libsasl2s_own_plugins_too():
    both = ["/store/mailtoken/lib/sasl2", "/store/cyrus_sasl/lib/sasl2"]
    made = evaluated()
    assert made["package"]["saslPath"].split(":") == both
    main = made["module"]["services"]["postfix"]["settings"]["main"]
    words = main["import_environment"].split()
    default = run(["postconf", "-dh", "import_environment"]).split()
    assert words == default + ["SASL_PATH=" + ":".join(both)]


def test_the_workflow_is_yaml_and_installs_what_is_listed():
    """A tarball has no workflow."""
    workflow = TOP / ".github/workflows/ci.yml"
    if not workflow.exists():
        pytest.skip("this is no checkout")
    run(["yamllint", "-s", workflow, PACKAGING / "debian/salsa-ci.yml"])
    listed = set(re.findall(r"^(\w+): ", (PACKAGING / "needs").read_text(),
                            re.M))
    assert set(re.findall(r"needs: (\w+)", workflow.read_text())) == listed


def test_what_a_build_needs_is_there_in_debian():
    listed = run(["sed", "-n", "s/^debian: //p", PACKAGING / "needs"])
    run(["apt-cache", "show", *listed.split()])


@pytest.fixture(scope="module")
def source():
    """A folder for all to see, in it the tarball and what it unpacks to."""
    folder = Path(tempfile.mkdtemp(prefix="mailtoken-recipes-"))
    name = folder / "arch/src" / f"mailtoken-{VERSION}"
    name.parent.mkdir(parents=True)
    run(["make", "-s", "-C", BUILD, "distdir", f"distdir={name}",
         f"top_distdir={name}"])
    run(["tar", "-C", name.parent, "-c", name.name, "-I", "xz -0", "-f",
         folder / "arch" / f"{name.name}.tar.xz"])
    shutil.copy(TOP / "packaging/arch/PKGBUILD", folder / "arch")
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def alpine(source):
    """What the recipe of Alpine packs: (package, plugin's package)."""
    (source / "abuild").write_text(ABUILD)
    # abuild makes pkgusers on the machine that builds: seen here only.
    for name, line in (("passwd", "mailtoken:x:990:990::/:/bin/false\n"),
                       ("group", "mailtoken:x:990:\n")):
        (source / name).write_text(Path("/etc", name).read_text() + line)
    package, plugin = source / "alpine/pkg", source / "alpine/sasl"
    run(["unshare", "--mount", "sh", "-c",
         'mount --bind passwd /etc/passwd && mount --bind group /etc/group &&'
         ' exec "$@"', "sh",
         "busybox", "ash", source / "abuild", TOP / "packaging/alpine",
         source / "arch/src", package, plugin,
         run(["gcc", "-dumpmachine"]).strip()],
        cwd=source, env=ENVIRONMENT)
    return package, plugin


@pytest.fixture(scope="module")
def arch(source, alpine):
    """The package that makepkg makes: (mode, owner, path) of each file."""
    assert alpine
    folder = source / "arch"
    run(["chown", "-R", f"{NOBODY}:{NOBODY}", folder])
    run(["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}",
         "--clear-groups", "makepkg", "--nodeps", "--nocheck", "--noextract"],
        cwd=folder, env={**ENVIRONMENT, "HOME": str(folder),
                         # Debian's makepkg comes without it.
                         "PACMAN": "true", "PKGEXT": ".pkg.tar"})
    listed = run(["tar", "-tvf", next(folder.glob("*.pkg.tar"))])
    return [(words[0], words[1], words[5])
            for words in map(str.split, listed.splitlines())]


def test_alpines_package_is_for_a_machine_without_systemd(alpine):
    package, plugin = alpine
    files = sorted(str(path.relative_to(package))
                   for path in package.rglob("*") if path.is_file())
    assert "etc/init.d/mailtokend" in files
    assert "etc/periodic/daily/mailtoken-renew" in files
    assert "usr/share/licenses/mailtoken/COPYING" in files
    assert "usr/sbin/mailtokend" in files
    assert not [name for name in files
                if re.search(r"systemd|sysusers|tmpfiles|\.la$|sasl2|"
                             r"^etc/mailtoken/", name)]
    keyring = (package / "var/lib/mailtoken").stat()
    assert (keyring.st_mode & 0o777, keyring.st_uid) == (0o700, 990)
    assert [str(path.relative_to(plugin)) for path in plugin.rglob("*")
            if path.is_file()] == ["usr/lib/sasl2/libmailtoken.so"]


def test_archs_package_keeps_to_its_folders(arch):
    paths = {path for _, _, path in arch}
    for path in ("usr/bin/mailtokend", "usr/bin/mailtoken",
                 "usr/lib/mailtoken/mailtoken-operator",
                 "usr/lib/sasl2/libmailtoken.so",
                 "usr/lib/systemd/system/mailtokend.service",
                 "usr/lib/systemd/user/mailtokend.service",
                 "usr/lib/sysusers.d/mailtoken.conf",
                 "usr/lib/tmpfiles.d/mailtoken.conf",
                 "usr/share/licenses/mailtoken/COPYING"):
        assert path in paths
    assert not [path for path in paths
                if re.match(r"usr/(sbin|libexec|local|lib64)/|bin/|lib/|var/",
                            path) or path.endswith(".la")]
    assert [path for path in paths if path.startswith("etc/")
            and not path.endswith("/")] == []
    for mode, owner, path in arch:
        assert owner == "root/root", path
        assert "s" not in mode and mode[8] != "w", path


def test_archs_units_start_what_is_installed(source, arch):
    assert arch
    unit = (source / "arch/pkg/mailtoken/usr/lib/systemd/system"
            / "mailtokend.service").read_text()
    assert "\nExecStart=/usr/bin/mailtokend\n" in unit


@pytest.fixture(scope="module")
def machine(alpine, tmp_path_factory):
    """Alpine's package where neither systemd nor Postfix is."""
    made = Machine(tmp_path_factory.mktemp("openrc") / "root", alpine[0],
                   TOP / "packaging/alpine/mailtoken.pre-install")
    made.say("sh /tmp/pre-install")
    yield made
    made.close()


def wait(machine, command):
    """Until a command in the machine succeeds."""
    end = time.monotonic() + 20
    while machine.run(command)[0] != 0:
        assert time.monotonic() < end, command
        time.sleep(0.2)


def test_openrc_runs_the_helper_as_its_user(machine):
    machine.say("rc-service mailtokend start")
    assert "started" in machine.say("rc-service mailtokend status")
    assert f"mailtokend {VERSION}, " in machine.say(
        "mailtoken --system version")
    assert machine.say("stat -c %u /proc/$(pidof mailtokend)") == "990"
    assert machine.say("stat -c '%u %a' /run/mailtoken /var/lib/mailtoken"
                       ).split("\n") == ["990 755", "990 700"]
    assert machine.run("ls /var/spool")[0] != 0


def test_openrc_starts_a_killed_helper_again(machine):
    machine.say("rc-service --ifstopped mailtokend start")
    old = machine.say("pidof mailtokend")
    machine.say(f"kill -9 {old}")
    wait(machine, f"p=$(pidof mailtokend) && [ $p != {old} ] && "
         "mailtoken --system version")


def test_openrc_reloads_and_says_what_is_wrong(machine):
    machine.say("rc-service --ifstopped mailtokend start")
    config = "/etc/mailtoken/mailtoken.conf"
    status, said = machine.run(
        f"echo nonsense > {config}; rc-service mailtokend reload")
    assert status != 0 and f"{config}:1: " in said
    machine.say(f"echo 'allow postfix root' > {config}; "
                "rc-service mailtokend reload")


def test_a_chrooted_postfix_gets_its_socket(machine):
    machine.say("mkdir -p /var/spool/postfix && "
                "rc-service mailtokend restart")
    queue = "/var/spool/postfix/run/mailtoken"
    machine.say(f"[ -S {queue}/socket ] && [ -S /run/mailtoken/socket ]")
    assert machine.say(f"stat -c '%u %a' {queue}/.. {queue}").split(
        "\n") == ["0 755", "990 755"]


def test_the_daily_job_renews_and_bears_no_helper(machine):
    machine.say("rc-service --ifstopped mailtokend start")
    machine.say("/etc/periodic/daily/mailtoken-renew")
    machine.say("rc-service mailtokend stop")
    assert "stopped" in machine.run("rc-service mailtokend status")[1]
    assert machine.run("pidof mailtokend")[0] != 0
    assert '"rc-service mailtokend start"' in machine.run(
        "mailtoken --system status")[1]
    assert machine.run("/etc/periodic/daily/mailtoken-renew")[0] == 0
