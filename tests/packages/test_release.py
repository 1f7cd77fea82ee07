# SPDX-License-Identifier: BSD-2-Clause
"""packaging/release, and packages that come out the same every time."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from conftest import BUILD_MAX_S, TOP

VERSION = re.search(r"AC_INIT\(\[mailtoken\], \[(.*?)\]\)",
                    (TOP / "configure.ac").read_text())[1]
TARBALL = f"mailtoken-{VERSION}.tar.xz"
SPDX = f"mailtoken-{VERSION}.spdx.json"
SUMS = "SHA256SUMS"
GIT = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null",
       "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@mailtoken.example",
       "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@mailtoken.example"}
NOBODY = 65534
ELSEWHEN = ("faketime", "+400 days")


def need(*tools):
    """Skip without a tool; tests/run installs them all."""
    for tool in tools:
        if shutil.which(tool) is None:
            pytest.skip(f"there is no {tool}")


def run(*argv, check=True, **options):
    """A command, with the output in the way of a failure."""
    options["env"] = {**os.environ, **GIT, **options.get("env", {})}
    done = subprocess.run(argv, capture_output=True, text=True,
                          timeout=BUILD_MAX_S, **options)
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def place():
    """A directory that everybody may enter."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


@pytest.fixture(scope="module")
def checkout(place):
    """A repository with what the next commit of this tree would hold."""
    need("git")
    made = place / "checkout"
    run("git", "init", "-q", made)
    git = ("git", f"--git-dir={made}/.git")
    run(*git, f"--work-tree={TOP}", "add", "-A")
    run(*git, "commit", "-q", "-m", "all")
    run(*git, f"--work-tree={made}", "checkout", "-q", "-f", ".")
    return made


@pytest.fixture
def copy(checkout, tmp_path):
    """A checkout to spoil."""
    made = tmp_path / "copy"
    shutil.copytree(checkout, made, symlinks=True)
    return made


@pytest.fixture(scope="module")
def key(place):
    """A key for this run only: what gpg is told, and the key for gpgv."""
    need("gpg", "gpgv")
    home = place / "gpg"
    home.mkdir(mode=0o700)
    who = "nobody@mailtoken.example"
    env = {"GNUPGHOME": str(home)}
    run("gpg", "--batch", "--passphrase", "", "--quick-generate-key", who,
        "ed25519", "sign", "never", env=env)
    public = place / "key.gpg"
    run("gpg", "--batch", "--export", "--output", public, who, env=env)
    yield who, env, public
    run("gpgconf", "--kill", "all", env=env)


def release(folder, *words, before=(), **options):
    """Run it; "make distcheck" is a stage of its own."""
    return run(*before, folder / "packaging/release", "--no-check", *words,
               **options)


def elsewhere(checkout, place):
    """At another time and path, as another user, in another language."""
    other = place / "i" / "other checkout"
    other.parent.mkdir()
    shutil.copytree(checkout, other, symlinks=True)
    run("localedef", "-i", "tr_TR", "-f", "UTF-8", place / "tr_TR.UTF-8")
    run("chown", "-R", f"{NOBODY}:{NOBODY}", other.parent)
    env = {"LOCPATH": str(place), "LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR",
           "TZ": "Pacific/Kiritimati", "TAR_OPTIONS": "--mode=777",
           "XZ_DEFAULTS": "-1", "TMPDIR": str(other.parent),
           "HOME": str(other.parent), "CC": "cc"}
    release(other, VERSION, other.parent / "made", before=ELSEWHEN, env=env,
            umask=0o077, user=NOBODY, group=NOBODY, extra_groups=[])
    return other.parent / "made"


@pytest.fixture(scope="module")
def made(checkout, place, key):
    """Two releases of one commit, the first of them signed."""
    need("faketime", "localedef", "autoreconf")
    here = place / "made"
    with ThreadPoolExecutor(2) as both:
        there = both.submit(elsewhere, checkout, place)
        release(checkout, "--key", key[0], VERSION, here, env=key[1])
        return here, there.result()


def test_one_commit_gives_the_same_bytes(made):
    here, there = made
    assert {p.name for p in there.iterdir()} == {TARBALL, SPDX, SUMS}
    for path in there.iterdir():
        assert path.read_bytes() == (here / path.name).read_bytes(), path.name
    with tarfile.open(here / TARBALL) as source:
        for member in source:
            assert (member.uid, member.gid, member.uname) == (0, 0, "")
            assert member.mode in (0o644, 0o755), member.name


def test_the_sums_and_signatures_are_right(made, key, tmp_path):
    here, _ = made
    run("sha256sum", "--check", SUMS, cwd=here)
    assert len((here / SUMS).read_text().splitlines()) == 2
    for name in (TARBALL, SUMS):
        signature = here / f"{name}.asc"
        run("gpgv", "--keyring", key[2], signature, here / name)
        other = tmp_path / name
        other.write_bytes((here / name).read_bytes() + b"\n")
        assert run("gpgv", "--keyring", key[2], signature, other,
                   check=False).returncode


def test_the_list_is_spdx_and_complete(made):
    here, _ = made
    data = (here / TARBALL).read_bytes()
    listed = json.loads((here / SPDX).read_text())
    assert listed["spdxVersion"] == "SPDX-2.3"
    assert listed["dataLicense"] == "CC0-1.0"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
                        listed["creationInfo"]["created"])
    assert hashlib.sha256(data).hexdigest() in listed["documentNamespace"]

    with tarfile.open(here / TARBALL) as source:
        inside = {"." + member.name[len(f"mailtoken-{VERSION}"):]:
                  source.extractfile(member).read()
                  for member in source if member.isfile()}
    sums = []
    for file in listed["files"]:
        for one in file["checksums"]:
            known = hashlib.new(one["algorithm"].lower(),
                                inside[file["fileName"]])
            assert known.hexdigest() == one["checksumValue"]
            if one["algorithm"] == "SHA1":
                sums.append(one["checksumValue"])
    assert len(sums) == len(inside)
    ours, *others = listed["packages"]
    assert ours["packageVerificationCode"] == {
        "packageVerificationCodeValue":
        hashlib.sha1("".join(sorted(sums)).encode()).hexdigest()}

    asked = re.findall(r"PKG_CHECK_MODULES\(\[\w+\], \[(\S+)",
                       (TOP / "configure.ac").read_text())
    assert {one["name"] for one in others} == set(asked)
    known = [one["SPDXID"] for one in listed["packages"] + listed["files"]]
    known.append(listed["SPDXID"])
    assert len(known) == len(set(known))
    named = set()
    for one in listed["relationships"]:
        named |= {one["spdxElementId"], one["relatedSpdxElement"]}
    assert named == set(known)


def edit(folder, name, old, new):
    """Change a file and commit it."""
    path = folder / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    run("git", "-C", folder, "commit", "-q", "-a", "-m", "edit")


@pytest.mark.parametrize("name", ["configure.ac", "NEWS",
                                  "packaging/debian/changelog"])
def test_all_places_must_name_the_version(copy, name, tmp_path):
    edit(copy, name, VERSION, "9.9.9")
    done = release(copy, VERSION, tmp_path / "made", check=False)
    assert (done.returncode, done.stderr) == (
        1, f"release: {name} has 9.9.9, not {VERSION}: edit it and commit "
        "that\n")
    assert not (tmp_path / "made").exists()


def test_a_changelog_that_is_not_finished_is_refused(copy):
    edit(copy, "packaging/debian/changelog", "unstable", "UNRELEASED")
    done = release(copy, VERSION, check=False)
    assert "no version to be released" in done.stderr


@pytest.mark.parametrize("name", ["README", "new"])
def test_what_is_not_committed_is_refused(copy, name):
    with open(copy / name, "a") as out:
        out.write("more\n")
    done = release(copy, VERSION, check=False)
    assert (done.returncode, done.stderr) == (
        1, f"release: {name} is not committed: commit or remove it (git "
        "status)\n")


def test_no_checkout_is_refused(copy):
    shutil.rmtree(copy / ".git")
    run("git", "init", "-q", copy.parent)
    done = release(copy, VERSION, check=False)
    assert "is no checkout" in done.stderr


def test_a_key_that_gpg_has_not_is_refused(copy, key):
    done = release(copy, "--key", "other@mailtoken.example", VERSION,
                   check=False, env=key[1])
    assert (done.returncode, done.stderr) == (
        1, "release: gpg has no secret key other@mailtoken.example: see gpg "
        "--list-secret-keys\n")


def test_a_library_that_the_list_does_not_know_is_refused(copy):
    # Autoconf is not run for that: the list is made of configure.ac.
    made = run("python3", "-B", "-c", """
import importlib.machinery, importlib.util, sys
loader = importlib.machinery.SourceFileLoader("release", sys.argv[1])
spec = importlib.util.spec_from_loader("release", loader)
release = importlib.util.module_from_spec(spec)
loader.exec_module(release)
del release.NEEDS["jansson"]
release.needs()
""", copy / "packaging/release", check=False)
    assert "configure.ac looks for jansson, which" in made.stderr


def test_every_file_has_a_licence(checkout):
    need("reuse")
    done = run("reuse", "--root", checkout, "lint", cwd=checkout)
    assert "ERROR" not in done.stdout + done.stderr


def test_the_packages_are_the_same_when_built_elsewhere(debs, place):
    """From the source package, unpacked at another path and time."""
    need("faketime")
    source = place / "once-more" / "source"
    source.parent.mkdir()
    run("dpkg-source", "-x", next(debs.folder.glob("*.dsc")), source)
    run(*ELSEWHEN, "dpkg-buildpackage", "-us", "-uc", "-b", cwd=source,
        umask=0o077, env={"DEB_BUILD_OPTIONS": "nocheck parallel=2",
                          "LC_ALL": "POSIX", "TZ": "Pacific/Kiritimati"})
    built = sorted(debs.folder.glob("*.deb"))
    assert [p.name for p in built] == sorted(
        p.name for p in source.parent.glob("*.deb"))
    for path in built:
        assert path.read_bytes() == (
            source.parent / path.name).read_bytes(), path.name
