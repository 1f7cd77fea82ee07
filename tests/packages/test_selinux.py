# SPDX-License-Identifier: BSD-2-Clause
"""The SELinux policy, compiled with Debian's and read with setools.

No kernel here enforces it: what is tested is what the rules say.
"""

import re
import shutil
import subprocess

import pytest

from conftest import TOP

setools = pytest.importorskip("setools")

SOURCES = TOP / "packaging" / "selinux"
# Debian's modules that name the mail programs, and what those ask for.
NAMED = ("base getty hostname mta postfix sendmail staff unconfined "
         "unprivuser xdg xserver").split()
OTHERS = {"unconfined_domain_type", "files_unconfined_type"}
HELPER = "mailtokend_t"


class Policy:
    """A compiled policy and its file contexts."""

    def __init__(self, root):
        folder = root / "etc/selinux/default"
        self._contexts = folder / "contexts/files/file_contexts"
        binary, = (folder / "policy").iterdir()
        self._policy = setools.SELinuxPolicy(str(binary))

    def rules(self, **asked):
        """(source, target, class, permissions, boolean) that allow it."""
        for rule in setools.TERuleQuery(self._policy, ruletype=["allow"],
                                        **asked).results():
            try:
                boolean = str(rule.conditional)
            except setools.exception.RuleNotConditional:
                boolean = None
            yield (str(rule.source), str(rule.target), str(rule.tclass),
                   set(rule.perms), boolean)

    def granted(self, source, **asked):
        """{class: permissions}, those of booleans left out."""
        found = {}
        for _, _, kind, permissions, boolean in self.rules(
                source=source, **asked):
            if boolean is None:
                found.setdefault(kind, set()).update(permissions)
        return found

    def type_of(self, path, kind="file"):
        """The type that a file of that path gets."""
        said = subprocess.run(
            ["selabel_lookup", "-b", "file", "-f", self._contexts,
             "-k", path, "-t", kind], capture_output=True, text=True,
            check=True).stdout
        return re.search(r":object_r:(\w+)", said)[1]


@pytest.fixture(scope="module")
def policy(tmp_path_factory):
    """Ours among the modules of Debian that it speaks of."""
    for tool in ("checkmodule", "semodule", "selabel_lookup"):
        if shutil.which(tool) is None:
            pytest.skip(f"there is no {tool}")
    folder = tmp_path_factory.mktemp("selinux")
    for source in SOURCES.glob("mailtoken.*"):
        shutil.copy(source, folder)
    made = subprocess.run(
        ["make", "-C", folder, "-f", "/usr/share/selinux/devel/Makefile",
         "NAME=default", "mailtoken.pp"], capture_output=True, text=True)
    assert made.returncode == 0, made.stdout + made.stderr
    assert "warning" not in (made.stdout + made.stderr).lower(), made.stderr
    # Its own package script would build all of it, for a minute.
    subprocess.run(["apt-get", "-qq", "download", "selinux-policy-default"],
                   cwd=folder, check=True)
    package, = folder.glob("*.deb")
    root = folder / "root"
    subprocess.run(["dpkg-deb", "-x", package, root], check=True)
    (root / "etc/selinux/semanage.conf").write_text(
        "module-store = direct\nexpand-check = 0\n")
    modules = [root / f"usr/share/selinux/default/{name}.pp.bz2"
               for name in NAMED] + [folder / "mailtoken.pp"]
    built = subprocess.run(
        ["semodule", "-p", root, "-s", "default", "-n", "-X", "100"] +
        [word for module in modules for word in ("-i", module)],
        capture_output=True, text=True, timeout=300)
    assert built.returncode == 0, built.stderr
    return Policy(root)


def test_mail_programs_connect_to_the_helper_and_no_more(policy):
    for host in ("postfix_smtp_t", "sendmail_t", "user_t"):
        assert policy.granted(host, target=HELPER).get(
            "unix_stream_socket") == {"connectto"}, host
    assert policy.granted("postfix_smtp_t", target=HELPER) == {
        "unix_stream_socket": {"connectto"}}
    ours = {kind: found for kind, found in policy.granted(
        "postfix_smtp_t", target="mailtokend_conf_t").items()
        if kind != "filesystem"}
    assert ours == {"dir": {"getattr", "open", "search"}}
    assert "file" not in policy.granted("postfix_smtp_t",
                                        target="mailtokend_var_lib_t")


def test_nobody_else_connects_to_the_helper(policy):
    who = {source for source, *_ in policy.rules(
        target=HELPER, perms=["connectto"])}
    assert who - OTHERS == {HELPER, "postfix_smtp_t", "sendmail_t",
                            "userdomain"}


def test_nobody_else_reads_the_keyring_and_the_secrets(policy):
    for kept in ("mailtokend_var_lib_t", "mailtokend_conf_t"):
        readers = {source for source, _, kind, permissions, boolean
                   in policy.rules(target=kept)
                   if kind == "file" and "read" in permissions and
                   boolean is None}
        own = {source for source in readers if source.startswith("mailtoken")}
        assert own == {HELPER}
        for stranger in ("postfix_smtp_t", "sendmail_t", "user_t",
                         "postfix_master_t"):
            assert "read" not in policy.granted(
                stranger, target=kept).get("file", set()), stranger


def test_the_helper_runs_nothing(policy):
    for _, target, _, permissions, _ in policy.rules(
            source=HELPER, tclass=["file"]):
        assert "execute_no_trans" not in permissions, target
    assert not list(policy.rules(source=HELPER, perms=["transition"]))


@pytest.mark.parametrize("target", ["user_home_t", "user_home_dir_t",
                                    "home_root_t", "shadow_t",
                                    "postfix_spool_t", "mail_spool_t",
                                    "tmp_t"])
def test_the_helper_does_not_open(policy, target):
    for kind, permissions in policy.granted(HELPER, target=target).items():
        assert kind == "filesystem" or permissions <= {"getattr"}, target


def test_the_helper_has_no_capability(policy):
    kinds = {kind for _, _, kind, _, _ in policy.rules(source=HELPER,
                                                       target=HELPER)}
    assert not kinds & {"capability", "capability2", "cap_userns"}


def test_the_helper_connects_to_names_and_https_only(policy):
    ports = {target: boolean for _, target, _, _, boolean in policy.rules(
        source=HELPER, perms=["name_connect"])}
    always = {port for port, boolean in ports.items() if boolean is None}
    assert always == {"http_port_t", "dns_port_t"}
    assert ports["port_type"] == "mailtoken_connect_any"
    assert not list(policy.rules(source=HELPER, perms=["name_bind"]))


def test_what_the_units_ask_of_systemd(policy):
    assert {"create", "bind", "listen"} <= policy.granted(
        "init_t", target=HELPER)["unix_stream_socket"]
    assert {"nnp_transition"} <= policy.granted(
        "init_t", target=HELPER)["process2"]
    for folder in ("mailtokend_var_lib_t", "mailtokend_var_run_t",
                   "postfix_spool_t"):
        assert "create" in policy.granted("init_t", target=folder)["dir"]
    assert "create" in policy.granted(
        "init_t", target="mailtokend_var_run_t")["sock_file"]


@pytest.mark.parametrize("path, kind, expected", [
    ("/usr/sbin/mailtokend", "file", "mailtokend_exec_t"),
    ("/usr/bin/mailtokend", "file", "mailtokend_exec_t"),
    ("/usr/bin/mailtoken", "file", "bin_t"),
    ("/etc/mailtoken", "dir", "mailtokend_conf_t"),
    ("/etc/mailtoken/secret", "file", "mailtokend_conf_t"),
    ("/var/lib/mailtoken/keyring/a@b.example", "file",
     "mailtokend_var_lib_t"),
    ("/run/mailtoken/socket", "socket", "mailtokend_var_run_t"),
    ("/var/run/mailtoken/socket", "socket", "mailtokend_var_run_t"),
    ("/var/spool/postfix/run/mailtoken/socket", "socket",
     "mailtokend_var_run_t"),
])
def test_the_label_of(policy, path, kind, expected):
    assert policy.type_of(path, kind) == expected
