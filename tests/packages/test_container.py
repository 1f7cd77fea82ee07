# SPDX-License-Identifier: BSD-2-Clause
"""The images of packaging/container as an engine would run them: read-only,
in namespaces of their own, with the rights that the manifests give.

Their root is that of the booted tests; nothing here needs an engine.
"""

import os
import re
import shutil
import smtplib
import subprocess
import urllib.request
from pathlib import Path

import pytest
import yaml

import paths
import root_tree
from bed import scratch, wait_for
from bed_container import idp, network          # noqa: F401
from bed_setup import smarthost                 # noqa: F401
from bed_units import USER, read_lists
from pod import SHIFT, Pod

HERE = Path(__file__).resolve().parents[2] / "packaging/container"
PORT = 2525
HELPER = 10001
ANY, GROUP = 1000680000, 2000       # of a cluster that draws its uids
SCOPE = "mail offline_access openid email"
VOLUMES = ("/data", "/queue", "/secret", "/seed", "/sockets")
NO_RIGHTS = ("--bounding-set=-all", "--inh-caps=-all")

CONFIG = """\
allow {postfix}
provider test
    token_endpoint {idp.url}/token
    device_authorization_endpoint {idp.url}/device
    client_id mail-app
    servers localhost
    ca_file /etc/mailtoken/ca.pem
"""
APP_CONFIG = """\
allow {postfix}
provider test
    token_endpoint {idp.url}/token
    client_id {app}
    client_secret_file /etc/mailtoken/secret
    flow client-credentials
    scope https://mail.example/.default
    servers localhost
    ca_file /etc/mailtoken/ca.pem
account {user}
    provider test
"""
# The network here has no name server, and nobody waits for minutes.
MAIN_CF = """\
smtp_host_lookup = native
smtp_dns_support_level = disabled
minimal_backoff_time = 1s
queue_run_delay = 1s
"""
SEED = """\
mailtoken-entry=1
account={user}
provider=test
flow=device
token-host=localhost:{idp.port}
token-endpoint={idp.url}/token
client-id=mail-app
scope={scope}
refresh-token={token}

"""


def manifests():
    """All of kubernetes.yaml, by kind and name."""
    with open(HERE / "kubernetes.yaml") as source:
        return {(each["kind"], each["metadata"]["name"]): each
                for each in yaml.safe_load_all(source)}


def pod_of(deployment="mailtoken"):
    """The pod's containers by name."""
    spec = manifests()["Deployment", deployment]["spec"]["template"]["spec"]
    return spec, {each["name"]: each for each in spec["containers"]}


def rights(name):
    """What the manifest lets a container do, as options of setpriv."""
    allowed = pod_of()[1][name]["securityContext"]["capabilities"]
    assert allowed["drop"] == ["ALL"]
    return ["--inh-caps=-all", "--bounding-set=-all" + "".join(
        f",+{word.lower()}" for word in allowed.get("add", []))]


class Images:
    """The root of both images, and another one of shifted ids."""

    def __init__(self):
        self.folder = scratch(self, "images-")
        os.chmod(self.folder, 0o755)
        self.trees = {False: os.path.join(self.folder, "root")}

    def uid(self, name):
        """The uid of a user in there."""
        with open(self.trees[False] + "/etc/passwd") as source:
            return next(int(line.split(":")[2]) for line in source
                        if line.startswith(name + ":"))

    def of(self, mapped):
        """The tree; a mapped container wants one that is its root's."""
        if mapped not in self.trees:
            self.trees[mapped] = self.trees[False] + "-mapped"
            subprocess.run(["cp", "-a", "--reflink=auto", self.trees[False],
                            self.trees[mapped]], check=True)
            shift(self.trees[mapped])
        return self.trees[mapped]


def shift(top):
    """Give all below a folder to the users of a mapped container."""
    for folder, folders, names in os.walk(top):
        for path in [folder] + [os.path.join(folder, n)
                                for n in folders + names]:
            found = os.lstat(path)
            if found.st_uid >= SHIFT:
                continue
            os.lchown(path, found.st_uid + SHIFT, found.st_gid + SHIFT)
            if not os.path.islink(path):        # chown takes setgid away
                os.chmod(path, found.st_mode & 0o7777)


@pytest.fixture(scope="module")
def images():
    """As the Containerfile makes them, from what the Makefile installs."""
    if not paths.module().exists():
        pytest.skip("the plugin is not built")
    made = Images()
    tree = made.trees[False]
    try:
        base = root_tree.base_tree(made.folder)
    except root_tree.CannotMake as reason:
        pytest.skip(str(reason))
    root_tree.copy(base, tree)
    root_tree.install(tree)
    shutil.copy(HERE / "relay", tree + "/usr/local/sbin/mailtoken-relay")
    for words in (["groupadd", "-g", str(HELPER), "mailtoken"],
                  ["useradd", "-u", str(HELPER), "-g", "mailtoken", "-d", "/",
                   "-s", "/usr/sbin/nologin", "mailtoken"],
                  ["install", "-d", *VOLUMES],
                  ["install", "-d", "-m", "700", "-o", "mailtoken",
                   "/var/lib/mailtoken/keyring"]):
        subprocess.run(["chroot", tree, *words], check=True)
    yield made
    root_tree.remove(made.folder)


class Bed:
    """The volumes of a pod, and its containers."""

    def __init__(self, images, network, idp, smarthost):    # noqa: F811
        self.images, self.network, self.idp = images, network, idp
        self.smarthost = smarthost
        self.folder = scratch(self, "pod-")
        os.chmod(self.folder, 0o755)
        self.pods = []
        self.seed = idp.seed(USER, scope=SCOPE).refresh_token
        for name in ("config", "data", "queue", "sockets", "seed"):
            os.mkdir(self.path(name), 0o755)
        shutil.copy(idp.ca_file, self.path("config", "ca.pem"))
        self.write("main.cf", MAIN_CF)
        self.configure("postfix")
        self.write("../seed/alice", SEED.format(
            user=USER, idp=idp, scope=SCOPE, token=self.seed), 0o440)

    def path(self, *parts):
        """A path of a volume."""
        return os.path.join(self.folder, *parts)

    def write(self, name, text, mode=0o644):
        """A file of the configuration."""
        with open(self.path("config", name), "w") as out:
            out.write(text)
        os.chmod(self.path("config", name), mode)

    def configure(self, postfix):
        """Who may ask."""
        self.write("mailtoken.conf",
                   CONFIG.format(postfix=postfix, idp=self.idp))

    def pod(self, *names, mapped=False, **environment):
        """A container with some of the volumes."""
        read_only = {"config": "/etc/mailtoken", "seed": "/seed",
                     "sockets:ro": "/sockets"}
        made = Pod(
            self.network, self.images.of(mapped), mapped=mapped,
            volumes=[self.path(name.split(":")[0]) + ":" + (
                read_only[name] + ":ro" if name in read_only else f"/{name}")
                for name in names],
            environment={"MAILTOKEN_LOG_LEVEL": "info", **environment})
        self.pods.append(made)
        return made

    def relay(self, *names, mapped=False, **environment):
        """The relay's container."""
        made = self.pod(
            "config", "queue", *names, mapped=mapped,
            RELAY_HOST=f"[localhost]:{self.smarthost.port}",
            RELAY_ACCOUNT=USER, RELAY_PORT=str(PORT),
            RELAY_HOSTNAME="relay.example.org",
            RELAY_CA_FILE="/etc/mailtoken/ca.pem", **environment)
        return made.start("tini", "--", "mailtoken-relay",
                          rights=rights("relay"))

    def send(self, made):
        """One message more, and wait until the smarthost has it."""
        made.wait_log("daemon started")
        before = len(self.smarthost.messages)
        self.network.call(self._submit)
        wait_for(lambda: len(self.smarthost.messages) > before,
                 what="the message: " + made.log()[-2000:])
        made.wait_log("status=sent")

    @staticmethod
    def _submit():
        with smtplib.SMTP("localhost", PORT, timeout=10) as client:
            client.sendmail(USER, ["bob@example.net"], "Subject: hello\n\nHi")

    def record(self, keyring="data/keyring"):
        """The account's record."""
        with open(self.path(keyring, USER)) as source:
            return read_lists(source.read())

    def end(self):
        """All containers, and what they said is free of secrets."""
        for each in self.pods:
            each.kill()
            for secret in self.idp.secrets():
                assert secret not in each.log()


@pytest.fixture
def bed(images, network, idp, smarthost):       # noqa: F811
    """A pod's volumes; what runs is ended."""
    made = Bed(images, network, idp, smarthost)
    yield made
    made.end()


def of_group(path, mode):
    """A volume as a cluster mounts it for a group."""
    os.chown(path, 0, GROUP)
    os.chmod(path, mode)


@pytest.mark.parametrize("mapped", [False, True])
def test_a_relay_that_is_killed_keeps_the_rotated_grant(bed, mapped):
    """Its seed is spent by then: the provider takes it for a theft."""
    os.chown(bed.path("seed", "alice"), 0, HELPER)
    of_group(bed.path("queue"), 0o2775)
    if mapped:
        shift(bed.folder)
    volumes = ("data", "seed")
    relay = bed.relay(*volumes, mapped=mapped, MAILTOKEN_SEED="/seed")
    bed.send(relay)
    assert f"verb=token uid={bed.images.uid('postfix')} " in relay.log()
    first = bed.record()["refresh-token"]
    assert first != bed.seed
    done = relay.run("mailtoken", "--system", "refresh", USER)
    assert done.returncode == 0, done.stderr
    second = bed.record()["refresh-token"]
    assert second not in (first, bed.seed)
    assert not relay.run("test", "-e", "/dev/log").returncode == 0
    assert "Read-only" in relay.run("touch", "/etc/x").stderr
    relay.kill()
    again = bed.relay(*volumes, mapped=mapped, MAILTOKEN_SEED="/seed")
    bed.send(again)
    assert "its seed is not used" in again.log()
    assert bed.record()["refresh-token"] == second
    done = again.run("mailtoken", "--system", "refresh", USER)
    assert done.returncode == 0, done.stderr
    assert again.stop() == 0
    assert "event=stop" in again.log()


def test_what_ends_in_a_relay_ends_the_container(bed):
    os.chown(bed.path("seed", "alice"), 0, HELPER)
    relay = bed.relay("data", "seed", MAILTOKEN_SEED="/seed")
    bed.send(relay)
    relay.run("sh", "-c", "kill -9 $(cat /queue/postfix/pid/master.pid)")
    assert relay.wait() != 0
    assert "event=stop" in relay.log()


def test_a_relay_says_what_its_environment_lacks():
    said = subprocess.run(
        [HERE / "relay"], capture_output=True, text=True,
        env={"PATH": os.environ["PATH"], "RELAY_HOST": "[mail]:587"},
        check=False)
    assert said.returncode == 2
    assert "RELAY_ACCOUNT is not set" in said.stderr


def sidecar(bed, mapped=False):
    """The helper's image as a uid that has no name."""
    of_group(bed.path("data"), 0o2775)
    of_group(bed.path("sockets"), 0o2777)
    os.chown(bed.path("seed", "alice"), 0, GROUP)
    bed.configure(bed.images.uid("postfix"))
    made = bed.pod("config", "data", "sockets", "seed", mapped=mapped, **{
        each["name"]: each["value"] for each in pod_of()[1]["helper"]["env"]})
    if mapped:
        shift(bed.folder)
    return made.start("mailtokend", rights=[
        *(AS_NAMELESS if mapped else AS_ANY), *NO_RIGHTS])


AS_ANY = (f"--reuid={ANY}", "--regid=0", f"--groups={GROUP}")
AS_NAMELESS = ("--reuid=20001", "--regid=0", f"--groups={GROUP}")


def probe(made, name, who=AS_ANY):
    """A probe of the manifest; its exit status and what it said."""
    command = pod_of()[1]["helper"][f"{name}Probe"]["exec"]["command"]
    done = made.run(*command, rights=who)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("mapped", [False, True])
def test_two_containers_share_the_socket_only(bed, mapped):
    """The helper has no name, no right and nothing of Postfix; in one user
    namespace they see each other's uids as they are."""
    helper = sidecar(bed, mapped)
    helper.wait_log("is ready")
    relay = bed.relay("sockets:ro", mapped=mapped,
                      MAILTOKEN_SOCKET="/sockets/mailtoken/socket")
    bed.send(relay)
    assert f"verb=token uid={bed.images.uid('postfix')} " in helper.log()
    assert "mailtokend" not in relay.log()
    who = AS_NAMELESS if mapped else AS_ANY
    for name in ("liveness", "readiness"):
        status, said = probe(helper, name, who)
        assert status == 0, said
    for path in ("data/keyring", "sockets/mailtoken"):
        assert os.stat(bed.path(path)).st_uid == (
            SHIFT + 20001 if mapped else ANY)
    assert helper.stop() == 0


def test_who_has_to_sign_in_again_is_not_ready_but_alive(bed):
    helper = sidecar(bed)
    helper.wait_log("is ready")
    done = helper.run("mailtoken", "logout", "--no-revoke", USER,
                      rights=AS_ANY)
    assert done.returncode == 0, done.stderr
    status, said = probe(helper, "readiness")
    assert status != 0 and "no account is signed in" in said
    assert probe(helper, "liveness")[0] == 0


APP, SECRET = "relay-app", "4f9c0f1f-0b7e-4d0f-8a43"


def test_an_application_needs_no_keyring_on_disk(bed, idp):  # noqa: F811
    """The keyring is a folder of the read-only image."""
    idp.add_client(APP, SECRET)
    of_group(bed.path("sockets"), 0o2777)
    postfix = bed.images.uid("postfix")
    bed.write("mailtoken.conf", APP_CONFIG.format(
        postfix=postfix, idp=idp, app=APP, user=USER))
    bed.write("secret", SECRET, 0o440)
    os.chown(bed.path("config", "secret"), 0, HELPER)
    helper = bed.pod("config", "sockets",
                     MAILTOKEN_CONFIG="/etc/mailtoken/mailtoken.conf",
                     MAILTOKEN_KEYRING="/var/lib/mailtoken/keyring",
                     MAILTOKEN_LISTEN="/sockets/mailtoken/socket",
                     MAILTOKEN_SOCKET="/sockets/mailtoken/socket")
    helper.start("mailtokend", rights=[
        f"--reuid={HELPER}", f"--regid={HELPER}", f"--groups={GROUP}",
        *NO_RIGHTS])
    helper.wait_log("is ready")
    relay = bed.relay("sockets:ro",
                      MAILTOKEN_SOCKET="/sockets/mailtoken/socket")
    bed.send(relay)
    done = helper.run("mailtoken", "check", rights=[
        f"--reuid={HELPER}", f"--regid={HELPER}", "--clear-groups"])
    assert done.returncode == 0, done.stdout
    assert "<4>" not in helper.log() and "<3>" not in helper.log()


def test_the_metrics_of_a_third_container(bed):
    helper = sidecar(bed)
    helper.wait_log("is ready")
    command = pod_of()[1]["metrics"]
    metrics = bed.pod("sockets:ro",
                      MAILTOKEN_SOCKET="/sockets/mailtoken/socket")
    metrics.start(*command["command"], rights=[
        "--reuid=10002", "--regid=10002", "--clear-groups", *NO_RIGHTS])
    metrics.wait_log("http://")
    port = command["ports"][0]["containerPort"]

    def get():
        with urllib.request.urlopen(
                f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            return answer.read().decode()
    assert 'mailtoken_accounts{state="active"} 1' in bed.network.call(get)


def test_an_unmapped_neighbour_gets_nothing(bed):
    """README: they must be in one user namespace, or the helper in none."""
    helper = sidecar(bed)
    helper.wait_log("is ready")
    bed.configure(f"{bed.images.uid('postfix')} 65534")
    postfix = bed.images.uid("postfix")
    as_postfix = [f"--reuid={postfix}", f"--regid={postfix}",
                  "--clear-groups"]
    other = bed.pod("sockets", mapped=True,
                    MAILTOKEN_SOCKET="/sockets/mailtoken/socket")
    ask = ["sh", "-c", f"mailtoken token {USER} --server localhost >/dev/null"]
    other.start(*ask, rights=as_postfix)
    assert other.wait() == 1
    assert "or not allowed" in other.log()
    helper.wait_log(f"verb=token uid={SHIFT + postfix} ")
    bed.configure(SHIFT + postfix)
    assert helper.run("mailtoken", "reload", rights=AS_ANY).returncode == 0
    other.start(*ask, rights=as_postfix)
    assert other.wait() == 0


def test_a_volume_whose_modes_are_set_at_each_start_is_named(bed):
    """fsGroup does that without fsGroupChangePolicy: OnRootMismatch."""
    sidecar(bed).wait_log("is ready")
    bed.pods[0].stop()
    of_group_modes = {bed.path("data", "keyring"): 0o2770,
                      bed.path("data", "keyring", USER): 0o660}
    for path, mode in of_group_modes.items():
        os.chown(path, -1, GROUP)
        os.chmod(path, mode)
    again = sidecar(bed)
    again.wait_log("cannot work")
    assert "chmod 700 /data/keyring" in again.log()
    assert "fsGroupChangePolicy: OnRootMismatch" in again.log()
    assert probe(again, "readiness")[0] != 0


# -- what is written for engines ------------------------------------------

def rendered(release="mailtoken"):
    """The chart with its own values: its templates use no more of the
    language than this."""
    with open(HERE / "helm/values.yaml") as source:
        values = yaml.safe_load(source)

    def put(match):
        name, _, pipe = match[1].partition(" | ")
        value = {"Values": values, "Release": {"Name": release}}
        for part in name.lstrip(".").split("."):
            value = value[part]
        if pipe.startswith("indent "):
            space = " " * int(pipe.split()[1])
            return space + value.replace("\n", "\n" + space)
        return {"": str, "quote": lambda v: f'"{v}"'}[pipe](value)
    with open(HERE / "helm/templates/mailtoken.yaml") as source:
        return re.sub(r"\{\{ ([^{}]*) \}\}", put, source.read())


def test_the_manifests_are_the_chart():
    """packaging/container/README has the command that writes them."""
    with open(HERE / "kubernetes.yaml") as source:
        assert source.read() == rendered()


def test_a_second_release_shares_nothing_with_the_first():
    """Least of all the seed: two helpers with one grant end it."""
    named = re.findall(
        r"\b(?:name|app|claimName|secretName): ([\w.-]+)", rendered("other"))
    assert {"other", "other-seed", "other-keyring"} <= set(named)
    assert not [name for name in named if name.startswith("mailtoken")]


def test_nobody_relays_until_somebody_says_who():
    alone = re.search(r"RELAY_NETWORKS:-(.*?)}",
                      (HERE / "relay").read_text())[1]
    for each in pod_of()[1]["relay"]["env"]:
        assert each["name"] != "RELAY_NETWORKS" or each["value"] == alone
    compose = (HERE / "compose.yaml").read_text()
    relay = yaml.safe_load(compose)["services"]["relay"]
    assert relay["environment"]["RELAY_NETWORKS"] == alone
    assert "Beside this file: mailtoken/mailtoken.conf" in compose
    assert "./mailtoken:/etc/mailtoken:ro" in relay["volumes"]


def test_yaml_is_as_its_reviewers_want_it():
    if shutil.which("yamllint") is None:
        pytest.skip("there is no yamllint")
    said = subprocess.run(
        ["yamllint", "--strict",
         *(HERE / name for name in ("kubernetes.yaml", "compose.yaml",
                                    "fleet-compose.yaml", "helm/Chart.yaml",
                                    "helm/values.yaml"))],
        capture_output=True, text=True, check=False)
    assert (said.returncode, said.stdout) == (0, ""), said.stdout


def test_the_script_is_as_its_reviewers_want_it():
    if shutil.which("shellcheck") is None:
        pytest.skip("there is no shellcheck")
    said = subprocess.run(["shellcheck", HERE / "relay",
                           HERE / "fleet-certificates"], text=True,
                          capture_output=True, check=False)
    assert (said.returncode, said.stdout) == (0, ""), said.stdout


def test_a_fleet_is_composed_of_what_there_is():
    """Addresses, certificates and names, as README has them."""
    fleet = yaml.safe_load((HERE / "fleet-compose.yaml").read_text())
    services, told = fleet["services"], (HERE / "README").read_text()
    members = [name for name in services if name.startswith("etcd")]
    relays = [name for name in services if name.startswith("relay")]
    assert (len(members), len(relays)) == (3, 2)
    assert "fleet etcd " + " ".join(
        f"https://{name}:2379" for name in members) in told
    for name in members:
        each = services[name]["environment"]
        assert each["ETCD_NAME"] == name
        assert each["ETCD_ADVERTISE_CLIENT_URLS"] == f"https://{name}:2379"
        assert each["ETCD_INITIAL_CLUSTER"] == ",".join(
            f"{one}=https://{one}:2380" for one in members)
    single = yaml.safe_load((HERE / "compose.yaml").read_text())
    for name in relays:
        each = services[name]
        for key, value in single["services"]["relay"].items():
            if key not in ("build", "environment", "ports", "volumes"):
                assert each[key] == value, key
        assert each["hostname"] == name
    used = {mount.split(":")[0] for each in services.values()
            for mount in each["volumes"] if not mount.startswith(".")}
    assert used == set(fleet["volumes"])


def test_the_certificates_of_a_fleet(tmp_path):
    etcd, relay = tmp_path / "etcd", tmp_path / "relay"
    etcd.mkdir()
    relay.mkdir()
    script = [str(HERE / "fleet-certificates"), str(etcd), str(relay)]
    subprocess.run(script, check=True, capture_output=True)
    before = {path: path.read_bytes() for path in relay.iterdir()}
    assert {path.name for path in before} == {"ca.pem", "relay.pem",
                                              "relay.key"}
    assert (relay / "relay.key").stat().st_mode & 0o777 == 0o600
    assert (relay / "relay.key").stat().st_uid == HELPER
    assert (relay / "ca.pem").stat().st_mode & 0o777 == 0o644
    for purpose, name in (("sslserver", etcd / "etcd.pem"),
                          ("sslclient", etcd / "etcd.pem"),
                          ("sslclient", relay / "relay.pem")):
        subprocess.run(["openssl", "verify", "-purpose", purpose, "-CAfile",
                        relay / "ca.pem", name], check=True,
                       capture_output=True)
    subprocess.run(script, check=True, capture_output=True)
    assert before == {path: path.read_bytes() for path in relay.iterdir()}


def test_no_container_has_more_rights_than_it_needs():
    spec, made = pod_of()
    assert spec["hostUsers"] is False
    assert spec["securityContext"]["fsGroupChangePolicy"] == "OnRootMismatch"
    for name, each in made.items():
        may = each["securityContext"]
        assert may["readOnlyRootFilesystem"] is True
        assert may["allowPrivilegeEscalation"] is False
        assert may["capabilities"]["drop"] == ["ALL"]
        if name != "relay":
            assert may["runAsNonRoot"] is True
            assert "add" not in may["capabilities"]
        for mount in each["volumeMounts"]:
            assert mount["name"] in {v["name"] for v in spec["volumes"]}
            if mount["name"] == "sockets":
                assert mount.get("readOnly", False) == (name != "helper")
    with open(HERE / "compose.yaml") as source:
        relay = yaml.safe_load(source)["services"]["relay"]
    assert relay["read_only"] is True and relay["cap_drop"] == ["ALL"]
    assert relay["cap_add"] == made["relay"]["securityContext"][
        "capabilities"]["add"]


def test_the_ids_of_the_images_are_those_of_the_manifests():
    text = (HERE / "Containerfile").read_text()
    helper, postfix = (int(re.search(rf"useradd -u (\d+) -g {name} ",
                                     text)[1])
                       for name in ("mailtoken", "postfix"))
    spec, made = pod_of()
    assert helper == made["helper"]["securityContext"]["runAsUser"] == HELPER
    assert spec["securityContext"]["fsGroup"] == HELPER
    config = manifests()["ConfigMap", "mailtoken"]["data"]["mailtoken.conf"]
    assert config.startswith(f"allow {postfix}\n")
    variables = {each["name"] for each in made["helper"]["env"]}
    variables |= {each["name"] for each in made["relay"]["env"]}
    told = (HERE / "README").read_text()
    for name in variables | set(re.findall(
            r"\bRELAY_[A-Z_]+", (HERE / "relay").read_text())):
        assert name in told, f"README says nothing of {name}"


def test_the_configuration_of_the_manifests_is_a_good_one(tmp_path):
    config = manifests()["ConfigMap", "mailtoken"]["data"]["mailtoken.conf"]
    token = tmp_path / "token"
    token.write_text("a.b.c")
    token.chmod(0o600)
    path = tmp_path / "mailtoken.conf"
    path.write_text(config.replace("00000000-1111-2222-3333-444444444444",
                                   "5c3bd9d6-fa5f-4b4e-9a52-1d3b0f0b6c11")
                    .replace("/identity/token", str(token)))
    os.chmod(path, 0o644)
    for folder in (tmp_path, *list(tmp_path.parents)[:2]):
        os.chmod(folder, 0o755)
    os.chown(token, 65534, -1)
    said = subprocess.run(
        [str(paths.program("mailtokend")), "--config", path, "--user",
         "nobody", "--check"], capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout + said.stderr
