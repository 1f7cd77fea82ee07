# SPDX-License-Identifier: BSD-2-Clause
"""Each rule script finds what it is for: a line planted in a copy of the
tree makes it fail, and without that line it does not."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
TREE = ("helper", "plugin", "tests/rules", "tests/unit", "tests/plugin")
FILES = (".clang-format", "README", "configure.ac", "packaging/quickstart")

BODY = "void planted_x(char *a, struct why *why)\n{\n\t%s\n}\n"
TALL = ("int planted_tall(void)\n{\n" + "\tplanted();\n" * 61
        + "\treturn 0;\n}\n")

# rule, file that gets more at its end, what it gets
PLANTED = [
    ("layers", "helper/store/entry.c", '#include "oauth/http.h"\n'),
    ("layers", "helper/oauth/form.c", '#include "store/entry.h"\n'),
    ("layers", "helper/cli/screen.c", '#include "daemon/clock.h"\n'),
    ("layers", "plugin/who.c", '#include "oauth/form.h"\n'),
    ("layers", "plugin/who.c", "#include <curl/curl.h>\n"),
    ("layers", "helper/wire/buf.c", "#include <openssl/evp.h>\n"),
    ("layers", "helper/wire/buf.c", "#include <jansson.h>\n"),
    ("layers", "helper/wire/fault.h", '#include "wire/attr.h"\n'),
    ("layers", "helper/wire/buf.c", '#include "buf.h"\n'),
    ("headers", "helper/wire/span.h", "struct no_such_thing planted;\n"),
    ("banned", "helper/daemon/log.c", BODY % "strcpy(a, a);"),
    ("banned", "helper/daemon/log.c", BODY % "sprintf (a, a);"),
    ("banned", "helper/daemon/log.c", BODY % "exit(1);"),
    ("banned", "helper/cli/screen.c", BODY % "strtok(a, a);"),
    ("banned", "helper/wire/buf.c", BODY % "a = realloc(a, 1);"),
    ("banned", "helper/oauth/form.c", BODY % "time(NULL);"),
    ("banned", "plugin/who.c", BODY % "umask(0);"),
    ("banned", "plugin/who.c", BODY % "getenv(a);"),
    ("banned", "helper/store/leaf.c", BODY % "a = 0;\n#ifdef X\n#endif"),
    ("banned", "tests/unit/test_buf.c", BODY % "strcat(a, a);"),
    ("secrets", "helper/daemon/log.c",
     BODY % 'secret_reveal(a, "for the log");'),
    ("secrets", "helper/wire/attr.c", BODY % "secret_reveal(a, why);"),
    ("secrets", "helper/wire/attr.c",
     BODY % 'why_set(why, 0, "%s", secret_reveal(a, "reason").p);'),
    ("secrets", "helper/store/entry.c",
     BODY % 'why_set(why, 0, "%s", entry->refresh_token);'),
    ("secrets", "helper/cli/verbs.c",
     BODY % 'a = secure_getenv("MAILTOKEN_CLIENT_SECRET");'),
    ("secrets", "plugin/response.c", BODY % 'a = "user=\\x01auth";'),
    ("secrets", "plugin/response.c", BODY % 'a = "\\x01";'),
    ("sizes", "helper/wire/buf.c", TALL),
    ("sizes", "helper/wire/buf.c",
     "int planted(int a, int b, int c, int d, int e,\n    int f)\n{\n}\n"),
    ("sizes", "helper/wire/buf.c", "/* x */\n" * 600),
    ("docs", "helper/wire/words.h", '#define VERB_NEW "brand-new"\n'),
    ("docs", "helper/wire/words.h", '#define ATTR_NEW "brand-new"\n'),
    ("docs", "helper/wire/words.h", '#define EVENT_NEW "brand-new"\n'),
    ("docs", "helper/cli/command.c", 'OPTION(no_argument, "brand-new", x),\n'),
    ("docs", "helper/daemon/main.c",
     '\t\t{ "brand-new", no_argument, NULL, 0 },\n'),
    ("docs", "helper/daemon/config_read.c",
     '\t{ "brand_new", CONFIG_ONE, NULL },\n'),
    ("docs", "helper/man/mailtoken.1", ".It Fl Fl brand-new\n"),
    ("docs", "helper/man/mailtokend.8", ".It Fl Fl brand-new\n"),
    ("docs", "helper/man/mailtoken.conf.5", ".It Ic brand_new Ar x\n"),
    ("docs", "helper/oauth/presets.conf", "provider brand-new\n"),
    ("docs", "helper/oauth/presets.conf", "    scope_smtp brand:new\n"),
    ("docs", "helper/man/mailtoken.conf.5", ".Sh PRESETS\n"
     ".It Ql brand-new\n"),
    ("docs", "helper/man/mailtoken-providers.7", ".Ql brand-new\n.El\n"),
    ("docs", "configure.ac", "PKG_CHECK_MODULES([X], [brand-new >= 1])\n"),
    ("docs", "helper/oauth/form.c", '/* "the package brand-new" */\n'),
    ("words", "helper/wire/buf.c", "/* see bug" + " 123 */\n"),
    ("words", "helper/wire/buf.c", "/* TO" + "DO: more */\n"),
    ("words", "helper/wire/buf.c", "/* as in /wo" + "rk/main */\n"),
    ("words", "helper/wire/buf.c", "/* the behav" + "ior of it */\n"),
    ("spdx", "helper/wire/buf.c", None),
    ("style", "helper/wire/buf.c", "/* blank at the end */ \n"),
    ("style", "helper/wire/buf.c", "/* " + "x" * 80 + " */\n"),
    ("style", "helper/wire/buf.c", "        int spaces;\n"),
    ("style", "helper/wire/buf.c", "// comment\n"),
    ("style", "helper/wire/buf.c", "int planted(void) {\n}\n"),
    ("style", "helper/wire/buf.c", BODY % "if(why) {\n\t}"),
]


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of what the rules read."""
    top = tmp_path_factory.mktemp("tree")
    (top / "packaging").mkdir()
    for name in FILES:
        shutil.copy(TOP / name, top / name)
    for part in TREE:
        shutil.copytree(TOP / part, top / part, ignore=(
            shutil.ignore_patterns("*.o", "*.lo", "*.log", "*.trs", ".libs",
                                   "__pycache__")))
    return top


def run(tree, rule):
    """One rule over the copy."""
    return subprocess.run([sys.executable, str(tree / "tests/rules" / rule)],
                          capture_output=True, text=True, check=False)


@pytest.mark.parametrize("rule", sorted({r for r, _, _ in PLANTED}))
def test_the_tree_keeps_the_rule(tree, rule):
    done = run(tree, rule)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "rule,where,more", PLANTED,
    ids=[f"{i}-{r}" for i, (r, _, _) in enumerate(PLANTED)])
def test_a_planted_line_is_found(tree, rule, where, more):
    path = tree / where
    clean = path.read_text()
    if more is None:
        changed = clean.replace("SPDX-", "SPD-", 1)
    elif where.endswith(".1"):
        changed = clean.replace(".Sh VERBS\n", ".Sh VERBS\n" + more, 1)
    else:
        changed = clean + more
    path.write_text(changed)
    try:
        done = run(tree, rule)
    finally:
        path.write_text(clean)
    assert done.returncode == 1, done.stderr
    assert f"{where}:" in done.stdout


def test_a_room_that_grows_is_found(tree):
    path = tree / "helper/wire/near.c"
    clean = path.read_text()
    path.write_text(clean + "/* x */\n" * 60)
    try:
        done = run(tree, "sizes")
    finally:
        path.write_text(clean)
    assert done.returncode == 1, done.stderr
    assert "helper/wire:" in done.stdout and "at most" in done.stdout


def test_a_function_that_nothing_calls_is_found(tree, tmp_path):
    """Objects of one file: what it exports and does not use is named."""
    path = tree / "helper/wire/planted.c"
    path.write_text("int planted_used(void)\n{\n\treturn 1;\n}\n"
                    "int planted_unused(void)\n{\n"
                    "\treturn planted_used();\n}\n")
    (tmp_path / "helper").mkdir()
    subprocess.run(["gcc", "-c", "-o", tmp_path / "helper/planted.o", path],
                   check=True)
    try:
        done = subprocess.run(
            [sys.executable, str(tree / "tests/rules/called")],
            capture_output=True, text=True, check=False,
            env={**os.environ, "MAILTOKEN_BUILD": str(tmp_path)})
    finally:
        path.unlink()
    assert done.returncode == 1, done.stderr
    assert "planted_unused has no caller" in done.stdout
    assert "planted_used " not in done.stdout


def test_files_that_call_each_other_in_a_circle_are_found(tree, tmp_path):
    """Two files of an archive: each takes a function of the other."""
    room = tmp_path / "helper/wire"
    room.mkdir(parents=True)
    for one, other in (("sun", "moon"), ("moon", "sun"), ("sky", "sun")):
        path = room / f"{one}.c"
        path.write_text(f"int {other}(void);\nint {one}(void)\n"
                        f"{{\n\treturn {other}();\n}}\n")
        subprocess.run(["gcc", "-c", "-o", room / f"{one}.o", path],
                       check=True)
    subprocess.run(["ar", "rc", room / "libwire.a",
                    *(room / f"{n}.o" for n in ("sun", "moon", "sky"))],
                   check=True)
    done = subprocess.run(
        [sys.executable, str(tree / "tests/rules/circles")],
        capture_output=True, text=True, check=False,
        env={**os.environ, "MAILTOKEN_BUILD": str(tmp_path)})
    assert done.returncode == 1, done.stderr
    assert done.stdout == \
        "helper/wire: moon, sun call each other in a circle\n"


def unlisted(tmp_path, flaky, log):
    """What tests/run says of a log: the tests that may not fail."""
    where = tmp_path / "src" / "tests"
    where.mkdir(parents=True)
    (where / "flaky").write_text(flaky)
    (tmp_path / "flows.log").write_text(log)
    text = (TOP / "tests/run").read_text()
    function = re.search(r"^unlisted\(\).*?^}$", text, re.M | re.S)[0]
    done = subprocess.run(
        ["sh", "-c", function + "\nunlisted flows"], check=True, text=True,
        capture_output=True,
        env={"PATH": "/usr/bin:/bin", "work": str(tmp_path),
             "logs": str(tmp_path)})
    return done.stdout.splitlines()


def test_no_failed_test_is_tried_again_without_a_listed_reason(tmp_path):
    log = ("x.py F\nFAILED a/x.py::one[b c] - AssertionError: it\n"
           "FAILED a/x.py::two\nERROR a/y.py - ImportError\n")
    assert unlisted(tmp_path / "1", "# none\n", log) == [
        "a/x.py::one[b c]", "a/x.py::two", "a/y.py"]
    assert unlisted(tmp_path / "2", "a/x.py::one[b c]  it waits\n"
                    "a/x.py::two\n", log) == ["a/x.py::two", "a/y.py"]
    assert unlisted(tmp_path / "3", "a/x.py::two  slow\n",
                    "FAILED a/x.py::two\n") == []


def test_each_flaky_test_is_there_and_has_its_reason():
    for line in (TOP / "tests/flaky").read_text().splitlines():
        if line.startswith("#"):
            continue
        name, _, reason = line.partition("  ")
        path, _, test = name.partition("::")
        assert reason.strip(), line
        assert f"def {test.partition('[')[0]}(" in (TOP / path).read_text()


AWKS = (["mawk"], ["gawk"], ["busybox", "awk"], ["original-awk"])
MADE_BY_AWK = (
    ("operator/explain.awk", ["-v", "as=rows"],
     ["oauth/advice.conf", "operator/explain.conf"]),
    ("operator/explain.awk", ["-v", "as=page"],
     ["oauth/advice.conf", "operator/explain.conf"]),
    ("operator/programs.awk", [], ["operator/programs.conf"]),
    ("oauth/presets.awk", ["-v", "as=lines"], ["oauth/presets.conf"]),
    ("oauth/presets.awk", ["-v", "as=text"], ["oauth/presets.conf"]))


@pytest.mark.parametrize("script, options, data", MADE_BY_AWK)
def test_every_awk_makes_the_same_of_the_data(script, options, data):
    """Debian's is mawk, Alpine's that of busybox."""
    made = {}
    for awk in AWKS:
        if shutil.which(awk[0]) is not None:
            made[awk[0]] = subprocess.run(
                [*awk, "-f", "oauth/rows.awk", "-f", script, *options,
                 *data], check=True, capture_output=True,
                cwd=TOP / "helper").stdout
    if len(made) < 2:
        pytest.skip("there is one awk only")
    assert len(set(made.values())) == 1, made.keys()


def test_planted_faults_stand_where_they_are_said_to():
    """Each costs minutes to plant; whether it can be is seen at once."""
    done = subprocess.run([TOP / "tests/rules/mutants", "--stale"],
                          capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
