# SPDX-License-Identifier: BSD-2-Clause
"""mailtoken metrics: what a real helper counts, read by who reads such pages.

promtool, prometheus and prometheus-node-exporter are Debian's.
"""

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

import paths
from bed import DEADLINE_S, wait_for
from bed_app import APP, Keys, configure, put_secret
from bed_cli import Command

JO = "jo@example.org"
DAY_S = 86400
MONITORING = paths.SOURCE / "packaging" / "monitoring"


def free_port():
    """One that nothing listens on; programs that choose none need it."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]



@pytest.fixture
def metrics(program, helper):
    """mailtoken metrics; returns its page."""
    def ask(*args, status=0):
        got = Command(program, helper.socket)("metrics", *args)
        assert got.returncode == status, got.stderr
        return got.stdout
    return ask


def samples(page):
    """What a page says, by sample and labels as they stand."""
    found = {}
    for line in page.splitlines():
        if not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            assert name not in found, f"{name} stands twice"
            found[name] = float(value)
    return found


def lint(page):
    """What promtool has to say of it."""
    return subprocess.run(["promtool", "check", "metrics"], input=page,
                          capture_output=True, text=True, check=False)


def test_a_page_is_open_metrics(helper, metrics):
    helper.seed(grant_expires=int(time.time()) + DAY_S)
    helper.start()
    page = metrics()
    assert page.endswith("\n# EOF\n") and page.count("# EOF") == 1
    families = re.findall(r"^# TYPE (\S+) (\S+)$", page, re.M)
    assert len(families) == len(dict(families))
    assert dict(families)["mailtoken_build"] == "info"
    assert dict(families)["mailtoken_token_requests"] == "counter"
    for name, kind in families:
        assert name.startswith("mailtoken_")
        unit = re.search(rf"^# UNIT {name} (.*)$", page, re.M)
        assert (unit is not None) == name.endswith("_seconds")
        assert re.search(rf"^# HELP {name} .*\.$", page, re.M)
        # Its samples follow it, and are called as their type wants it.
        body = page.split(f"# HELP {name} ", 1)[1].split("\n# ", 1)[0]
        body = body.split("\n")[1:]
        suffix = {"counter": "_total", "info": "_info", "gauge": "",
                  "histogram": "_(bucket|sum|count)"}[kind]
        assert body and all(
            re.fullmatch(rf'{name}{suffix}(\{{.*\}})? [\d.]+', line)
            for line in body), body
    got = samples(page)
    assert got["mailtoken_up"] == 1
    assert got['mailtoken_accounts{state="active"}'] == 1
    assert got['mailtoken_accounts{state="login-needed"}'] == 0
    assert got["mailtoken_grant_expiration_timestamp_seconds"] == float(
        helper.record()["grant-expires"])
    assert "@" not in page


def test_the_older_format_is_promtools(helper, metrics, tmp_path):
    helper.seed(grant_expires=int(time.time()) + DAY_S)
    helper.start()
    helper.token()
    target = tmp_path / "mailtoken.prom"
    assert metrics("--accounts", "--textfile", str(target)) == ""
    page = target.read_text()
    linted = lint(page)
    assert linted.returncode == 0, linted.stdout + linted.stderr
    assert "# EOF" not in page and "# UNIT" not in page
    assert "# TYPE mailtoken_token_requests_total counter" in page
    assert target.stat().st_mode & 0o7777 == 0o644
    assert os.listdir(tmp_path) == ["mailtoken.prom"]
    assert not re.search(r" \d+ \d+$", page, re.M), "a time stands there"


def test_what_happens_is_counted(helper, metrics):
    helper.seed(age=3600)
    helper.start()
    assert helper.token()["result"] == "ok"
    assert helper.token()["result"] == "ok"
    assert helper.token(server="elsewhere.example")["result"] == \
        "wrong-server"
    assert helper.token("nobody@example.org")["result"] == "unknown-account"
    got = samples(metrics())
    requests = {name: n for name, n in got.items()
                if name.startswith("mailtoken_token_requests_total") and n}
    assert requests == {
        'mailtoken_token_requests_total{result="ok"}': 2,
        'mailtoken_token_requests_total{result="wrong-server"}': 1,
        'mailtoken_token_requests_total{result="unknown-account"}': 1}
    assert got['mailtoken_refreshes_total{provider="test",result="ok"}'] == 1
    name = "mailtoken_refresh_duration_seconds"
    buckets = [n for key, n in got.items() if key.startswith(f"{name}_b")]
    assert buckets == sorted(buckets) and buckets[-1] == 1
    assert got[f"{name}_count"] == 1 and 0 < got[f"{name}_sum"] < 60
    assert "mailtoken_oldest_failing_account_timestamp_seconds" not in got


def test_a_failure_shows_since_when(idp, helper, metrics):
    helper.seed(age=3600)
    helper.start()
    idp.revoke(JO)
    before = int(time.time())
    assert helper.token()["result"] == "login-needed"
    got = samples(metrics())
    assert got['mailtoken_accounts{state="login-needed"}'] == 1
    assert got["mailtoken_oldest_failing_account_timestamp_seconds"] \
        >= before
    assert got['mailtoken_refreshes_total{provider="test",'
               'result="login-needed"}'] == 1


def test_names_are_for_admins_who_ask(root, helper, metrics):
    helper.seed()
    helper.seed('a"b\\c@example.org')
    os.rename(os.path.join(helper.keyring, 'a"b\\c@example.org'),
              os.path.join(helper.keyring, "a%22b%5Cc@example.org"))
    helper.configure(more="allow daemon\n")
    helper.start()
    page = metrics("--accounts")
    assert f'mailtoken_account_state{{account="{JO}",state="active"}} 1' \
        in page
    assert r'{account="a\"b\\c@example.org",' in page
    assert samples(page)["mailtoken_unnamed_accounts"] == 0
    for uid in (1, 2):
        assert helper.ask("metrics", uid=uid, accounts="yes")[
            "result"] == "denied"
        with helper.connect(uid=uid) as line:
            told = line.send("metrics").rest()
        assert told[-1]["result"] == "ok" and len(told) > 5
        assert "@" not in str([answer.pairs for answer in told])


def test_strangers_learn_of_no_provider(root, helper):
    helper.configure(client_secret_expires="2031-01-01")
    helper.seed(age=3600)
    helper.start()
    assert helper.token()["result"] == "ok"

    def told(**who):
        with helper.connect(**who) as line:
            return str([a.pairs for a in line.send("metrics").rest()])

    assert 'provider="test"' in told() and "client_secret" in told()
    stranger = told(uid=2)
    assert "test" not in stranger and "client_secret" not in stranger
    assert 'mailtoken_refreshes_total{result="ok"} 1' in stranger


def test_a_malformed_request_is_counted(helper, metrics):
    helper.start()
    assert helper.ask("token")["result"] == "bad-request"
    helper.wait_log("verb=token")
    assert samples(metrics())[
        'mailtoken_token_requests_total{result="bad-request"}'] == 1


def test_at_most_a_thousand_names(helper, metrics):
    seeded = helper.idp.seed(JO)
    for i in range(1001):
        helper.seed(f"u{i}@example.org", seeded=seeded)
    helper.start()
    page = metrics("--accounts")
    got = samples(page)
    assert sum(name.startswith("mailtoken_account_state{")
               for name in got) == 1000
    assert page.count("# TYPE mailtoken_account_state gauge") == 1
    assert got["mailtoken_unnamed_accounts"] == 1
    assert got['mailtoken_accounts{state="active"}'] == 1001


def test_a_secrets_end_is_told(helper, metrics):
    helper.configure(client_secret_expires="2031-01-01")
    helper.seed()
    helper.start()
    assert samples(metrics())[
        'mailtoken_client_secret_expiration_timestamp_seconds'
        '{provider="test"}'] == 1924992000


def test_an_application_is_one_account_and_its_certificate_ends(
        helper, metrics, tmp_path):
    """However many mailboxes it opens; they are nobody's names."""
    cert, key = Keys(tmp_path).certificate(days=30)
    helper.idp.add_client(APP, certificate=cert)
    shutil.copy(cert, helper.path("app.crt"))
    helper.secrets_kept = []
    configure(helper, certificate=helper.path("app.crt"),
              certificate_key=put_secret(helper, "app.key",
                                         Path(key).read_text()))
    helper.start()
    for name in (JO, "bo@example.org"):
        assert helper.token(name)["result"] == "ok"
    page = metrics("--accounts")
    got = samples(page)
    assert got['mailtoken_accounts{state="active"}'] == 1 and "@" not in page
    ends = got['mailtoken_certificate_expiration_timestamp_seconds'
               '{provider="test"}']
    assert abs(ends - time.time() - 30 * DAY_S) < 3600


@pytest.mark.parametrize("flow,wanted", [("client-credentials", 1),
                                         ("service-account", 2)])
def test_an_application_that_nobody_asked_is_well(helper, metrics, tmp_path,
                                                  flow, wanted):
    helper.secrets_kept = []
    more = "\n".join(f"account {name}\n    provider test"
                     for name in (JO, "bo@example.org", "*@example.org"))
    if wanted == 1:
        secret = secrets.token_urlsafe(30)
        helper.idp.add_client(APP, secret)
        configure(helper, more, client_secret_file=put_secret(
            helper, "secret", secret))
    else:
        text, public = Keys(tmp_path).service_account()
        helper.idp.store.service_accounts["relay@mail.iam.example"] = {
            "kid": "key-1", "public": public, "users": [JO],
            "scopes": ["https://mail.example/"]}
        configure(helper, more, flow=flow, client_id=None,
                  scope=["https://mail.example/"],
                  service_account_file=put_secret(helper, "s.json", text))
    helper.start()
    for _ in range(2):
        assert samples(metrics())[
            'mailtoken_accounts{state="active"}'] == wanted
        assert helper.token()["result"] == "ok"


def test_a_helper_that_is_down_is_told(helper, metrics, tmp_path):
    target = tmp_path / "mailtoken.prom"
    assert samples(metrics(status=75)) == {"mailtoken_up": 0}
    metrics("--textfile", str(target), status=75)
    assert samples(target.read_text()) == {"mailtoken_up": 0}
    metrics("--textfile", str(tmp_path / "none" / "x.prom"), status=1)
    assert os.listdir(tmp_path) == ["mailtoken.prom"]


def test_in_json_it_is_an_array_of_families(helper, metrics):
    helper.seed()
    helper.start()
    families = {entry["metric"]: entry
                for entry in json.loads(metrics("--json"))}
    assert families["mailtoken_build"]["type"] == "info"
    assert 'mailtoken_accounts{state="active"} 1' in \
        families["mailtoken_accounts"]["sample"]


def test_the_tools_are_there():
    for name in ("promtool", "prometheus", "prometheus-node-exporter"):
        assert shutil.which(name), f"{name} is not installed"


# -- over HTTP ------------------------------------------------------------

OPEN = ("application/openmetrics-text;version=1.0.0,"
        "text/plain;version=0.0.4;q=0.5,*/*;q=0.1")


@pytest.fixture
def listen(program, helper):
    """mailtoken metrics --listen; its URL once it can be used."""
    running = []

    def start(where="127.0.0.1:0", *args):
        process = Command(program, helper.socket).start(
            "metrics", "--listen", where, *args)
        running.append(process)
        return process.stdout.readline().rstrip("\n")

    yield start
    for process in running:
        process.kill()
        process.communicate()


def get(url, method="GET", **headers):
    """Status, type and body."""
    request = urllib.request.Request(url, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=DEADLINE_S) as answer:
            return (answer.status, answer.headers["Content-Type"],
                    answer.read().decode())
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Content-Type"], ""


def test_a_scrape_gets_the_format_it_wants(helper, listen):
    helper.seed()
    helper.start()
    url = listen()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/metrics", url)
    status, kind, page = get(url, Accept=OPEN)
    assert (status, kind) == (200, "application/openmetrics-text; "
                              "version=1.0.0; charset=utf-8")
    assert page.endswith("# EOF\n")
    status, kind, page = get(url)
    assert (status, kind) == (200, "text/plain; version=0.0.4; "
                              "charset=utf-8")
    assert lint(page).returncode == 0
    assert samples(page)['mailtoken_accounts{state="active"}'] == 1


def test_nothing_else_is_answered(helper, listen):
    helper.start()
    url = listen("0")
    assert url.startswith("http://127.0.0.1:")
    for method in ("POST", "PUT", "DELETE", "HEAD", "OPTIONS"):
        assert get(url, method)[0] in (405, 501), method
    for path in ("/", "/metrics/x", "/../metrics"):
        assert get(url.replace("/metrics", path))[0] == 404, path
    assert get(url)[0] == 200


def test_who_says_nothing_or_too_much_keeps_nobody(helper, listen):
    helper.start()
    url = listen()
    at = (url.split("/")[2].split(":")[0], int(url.split(":")[2][:-8]))
    with socket.create_connection(at) as silent, \
            socket.create_connection(at) as chatty, \
            socket.create_connection(at) as gone:
        silent.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n")
        chatty.settimeout(DEADLINE_S)
        try:
            for _ in range(100):
                chatty.sendall(b"X-Y: " + b"z" * 1000 + b"\r\n")
            assert chatty.recv(20).split()[1:2] in ([b"400"], [])
        except OSError:
            pass        # it did not wait for all
        gone.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        gone.close()
        assert get(url)[0] == 200
    assert get(url)[0] == 200


def test_a_helper_that_comes_and_goes_is_told(helper, listen):
    url = listen("[::1]:0")
    assert url.startswith("http://[::1]:")
    assert samples(get(url)[2]) == {"mailtoken_up": 0}
    helper.start()
    assert samples(get(url)[2])["mailtoken_up"] == 1
    assert helper.stop() == 0
    assert samples(get(url)[2]) == {"mailtoken_up": 0}


@pytest.mark.parametrize("where", [
    "", ":", "localhost:9469", "127.0.0.1:", "127.0.0.1:99999", "1.2.3:x",
    "127.0.0.1:-1", "[::1:0"])
def test_where_it_cannot_listen_is_said(program, helper, where):
    got = Command(program, helper.socket)("metrics", "--listen", where)
    assert got.returncode == 1 and got.stdout == ""
    assert "--listen takes ADDRESS:PORT" in got.stderr


def test_prometheus_and_node_exporter_read_it(helper, metrics, listen,
                                              tmp_path):
    """Both as Debian has them, each with what it is meant for."""
    helper.seed()
    helper.start()
    helper.token()
    metrics("--textfile", str(tmp_path / "mailtoken.prom"))
    ports = [free_port(), free_port()]
    (tmp_path / "prometheus.yml").write_text(
        "global: {scrape_interval: 1s}\n"
        "scrape_configs:\n"
        "  - job_name: direct\n"
        f"    static_configs: [{{targets: ['{listen().split('/')[2]}']}}]\n"
        "  - job_name: node\n"
        f"    static_configs: [{{targets: ['127.0.0.1:{ports[0]}']}}]\n")
    commands = [
        ["prometheus-node-exporter", "--collector.disable-defaults",
         "--collector.textfile",
         f"--collector.textfile.directory={tmp_path}",
         f"--web.listen-address=127.0.0.1:{ports[0]}"],
        ["prometheus", f"--config.file={tmp_path}/prometheus.yml",
         f"--storage.tsdb.path={tmp_path}/data",
         f"--web.listen-address=127.0.0.1:{ports[1]}"]]
    running = [subprocess.Popen(command, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL)
               for command in commands]

    def ask(query):
        try:
            found = json.loads(get(
                f"http://127.0.0.1:{ports[1]}/api/v1/query?query="
                + urllib.parse.quote(query))[2])
        except (OSError, ValueError):   # it is not ready, or refuses
            return None
        return {row["metric"].get("job"): float(row["value"][1])
                for row in found["data"]["result"]}

    try:
        both = {"direct": 1.0, "node": 1.0}
        for query in ("mailtoken_up", 'mailtoken_accounts{state="active"}',
                      'mailtoken_token_requests_total{result="ok"}',
                      "mailtoken_build_info"):
            wait_for(lambda: ask(query) == both, what=query)
        assert ask("node_textfile_scrape_error") == {"node": 0.0}
        for panel in json.loads(
                (MONITORING / "grafana.json").read_text())["panels"]:
            for target in panel["targets"]:
                expression = target["expr"].replace("$instance", ".*") \
                    .replace("$__rate_interval", "1m")
                assert ask(expression) is not None, expression
    finally:
        for process in running:
            process.terminate()
            process.wait(DEADLINE_S)


# -- what is shipped for who watches --------------------------------------

def test_the_alerts_tests_pass():
    for args in (["check", "rules", "mailtoken.rules.yml"],
                 ["test", "rules", "mailtoken.rules-test.yml"]):
        done = subprocess.run(["promtool", *args], cwd=MONITORING,
                              capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_what_is_watched_is_there():
    """Each name in an alert or a panel is one that the helper tells."""
    source = "".join((paths.SOURCE / "helper" / name).read_text() for name in
                     ("daemon/verbs_metrics.c", "cli/metrics.c"))
    told = set(re.findall(r'"(mailtoken_\w+)"', source)) | {"mailtoken_up"}
    for name in ("mailtoken.rules.yml", "grafana.json"):
        text = (MONITORING / name).read_text()
        for used in set(re.findall(r"\bmailtoken_\w+", text)):
            assert re.sub("_(total|info|bucket)$", "", used) in told, used
    alerts = re.findall(r"alert: (\w+)",
                        (MONITORING / "mailtoken.rules.yml").read_text())
    tests = (MONITORING / "mailtoken.rules-test.yml").read_text()
    for alert in alerts:
        assert tests.count(f"alertname: {alert}") == 2, alert


def test_icingas_command_takes_options_that_there_are(program):
    text = (MONITORING / "icinga2.conf").read_text()
    usage = subprocess.run([program, "check", "--help"], check=True,
                           capture_output=True, text=True).stdout
    every = subprocess.run([program, "--help"], check=True,
                           capture_output=True, text=True).stdout
    for option in re.findall(r'^\t\t"(--[a-z]+)"', text, re.M):
        assert option in usage + every, option
