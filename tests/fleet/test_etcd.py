# SPDX-License-Identifier: BSD-2-Clause
"""The client of etcd, driven against real members and a scripted server.

What the helper does with it is in test_fleet*; here stands what etcd itself
does: members that are lost, leaders that move, tokens that end, stores that
are full or compacted, streams that break.
"""

import contextlib
import itertools
import json
import os
import queue
import re
import shutil
import socket
import subprocess
import threading
import time

import pytest

import bed
from bed_etcd import Etcd
from paths import BUILD

DRIVE = BUILD / "tests" / "fleet" / "etcd_drive"
PREFIX = "/mailtoken/"
PATIENCE_S = 90


def hexed(text):
    raw = text if isinstance(text, bytes) else text.encode()
    return raw.hex() or "-"


def unhexed(text):
    return bytes.fromhex(text)


class Drive:
    """One client; answers and events by the name of what was asked."""

    def __init__(self, *words):
        self.process = subprocess.Popen(
            [str(DRIVE), *words], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)
        self.said = {}
        self.count = 0
        self.lock = threading.Lock()
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_exc):
        self.process.stdin.close()
        status = self.process.wait(PATIENCE_S)
        assert kind or status == 0, f"etcd_drive ended with {status}"

    def _read(self):
        for line in self.process.stdout:
            what = json.loads(line)
            self.queue(what["name"]).put(what)

    def queue(self, name):
        with self.lock:
            return self.said.setdefault(name, queue.Queue())

    def send(self, *words):
        """Ask; the name of what comes back."""
        self.count += 1
        name = f"n{self.count}"
        self.process.stdin.write(" ".join([name, *map(str, words)]) + "\n")
        self.process.stdin.flush()
        return name

    def take(self, name):
        return self.queue(name).get(timeout=PATIENCE_S)

    def ask(self, *words):
        return self.take(self.send(*words))

    def get(self, key):
        return self.ask("range", hexed(key), "-", 0, 0)

    def put(self, key, value):
        return self.ask("txn", "?", f"p:{hexed(key)}:{hexed(value)}:0")

    def events(self, name, until):
        """All events up to the first that until() likes, and that."""
        found = []
        while not found or not until(found[-1]):
            found.append(self.take(name))
        return found


def words_of(etcd):
    words = []
    if etcd.tls:
        words.append(f"ca_file={etcd.ca_file}")
    if etcd.client_certificates:
        words += [f"certificate={etcd.certificate}",
                  f"certificate_key={etcd.key}"]
    if etcd.user:
        os.chmod(etcd.password_file, 0o600)
        words += [f"user={etcd.user}", f"password_file={etcd.password_file}"]
    return words + etcd.urls


def write_secret(path, text):
    bed.write_file(str(path), text)
    os.chmod(path, 0o600)


def is_on(event):
    return event["event"] == "on"


def seen(revision):
    return lambda event: event["event"] == "seen" and \
        event["revision"] >= revision


class Scripted:
    """Answers every request with the same bytes, or with silence."""

    def __init__(self, answer, cut=None):
        self.answer = answer if cut is None else answer[:cut]
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = "http://127.0.0.1:%d" % self.socket.getsockname()[1]
        self.asked = 0
        threading.Thread(target=self._run, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self.socket.close()

    def _run(self):
        while True:
            try:
                peer, _ = self.socket.accept()
            except OSError:
                return
            with peer:
                try:
                    asked = b""
                    while b"}" not in asked:
                        piece = peer.recv(65536)
                        if not piece:
                            break
                        asked += piece
                    self.asked += b"POST" in asked
                    peer.sendall(self.answer)
                except OSError:
                    pass


def http(body, status="200 OK", extra=""):
    raw = body.encode() if isinstance(body, str) else body
    return (f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{extra}"
            f"Content-Length: {len(raw)}\r\nConnection: close\r\n\r\n"
            ).encode() + raw


@pytest.fixture(scope="module")
def plain():
    with Etcd() as etcd:
        yield etcd


# -- calls ----------------------------------------------------------------

def test_bytes_revisions_and_leases(plain):
    key, other = "/calls/a", "/calls/b"
    every_byte = bytes(range(256))
    with Drive(*words_of(plain)) as drive:
        lease = drive.ask("grant", 60)
        assert lease["ok"] and lease["ttl"] == 60 and lease["lease"]
        done = drive.ask(
            "txn", f"m:{hexed(key)}:0", f"m:{hexed(other)}:0", "?",
            f"p:{hexed(key)}:{hexed(every_byte)}:0",
            f"p:{hexed(other)}:-:{lease['lease']}", f"g:{hexed(key)}")
        assert done["ok"] and done["succeeded"]
        assert [unhexed(kv["value"]) for kv in done["kvs"]] == [every_byte]
        assert done["kvs"][0]["revision"] == done["revision"]
        assert done["cluster"] != "0" and done["url"] == plain.urls[0]
        again = drive.ask("txn", f"m:{hexed(key)}:0", "?",
                          f"d:{hexed(key)}", "!", f"g:{hexed(key)}",
                          f"g:{hexed('/calls/none')}", f"g:{hexed(other)}")
        assert again["ok"] and not again["succeeded"]
        assert [unhexed(kv["key"]).decode() for kv in again["kvs"]] == [
            key, other]
        assert again["kvs"][1]["lease"] == lease["lease"]
        some = drive.ask("range", hexed("/calls/"), hexed("/calls0"), 0, 1)
        assert some["more"] and len(some["kvs"]) == 1
        before = drive.ask("range", hexed(key), "-", done["revision"] - 1, 0)
        assert before["ok"] and not before["kvs"]
        assert drive.ask("keep", lease["lease"])["ttl"] == 60
        assert drive.ask("revoke", lease["lease"])["ok"]
        assert not drive.get(other)["kvs"]
        gone = drive.ask("keep", lease["lease"])
        assert gone["ok"] and gone["ttl"] == 0
        assert drive.ask("revoke", lease["lease"])["ok"]
        lost = drive.ask("txn", "?", f"p:{hexed(key)}:78:{lease['lease']}")
        assert not lost["ok"] and not lost["maybe"]
        assert "the lease" in lost["text"]
        assert drive.ask("txn", "?", f"d:{hexed(key)}")["ok"]
        assert not drive.get(key)["kvs"]


def test_a_cancelled_call_is_silent_and_a_record_may_be_large(plain):
    big = os.urandom(128000)
    with Drive(*words_of(plain)) as drive:
        name = drive.send("range", hexed("x"), "-", 0, 0)
        drive.process.stdin.write(f"{name} cancel\n")
        drive.process.stdin.flush()
        assert "stopped" in drive.take(name)
        for n in range(100):
            assert drive.put(f"/big/{n:03}", big)["ok"]
        found = drive.ask("range", hexed("/big/"), hexed("/big0"), 0, 100)
        assert [unhexed(kv["value"]) == big for kv in found["kvs"]] == [
            True] * 100


def test_one_after_the_other_until_one_answers():
    refused = f"http://127.0.0.1:{bed.free_port()}"
    with Etcd() as etcd, Scripted(b"") as mute, \
            Drive(refused, mute.url, *etcd.urls) as drive:
        assert drive.get("a")["url"] == etcd.urls[0]
        asked = mute.asked
        assert drive.put("/a", "1")["url"] == etcd.urls[0]
        assert mute.asked == asked  # who answered last is asked first
        etcd.pause(0)
        name = drive.send("txn", "?", f"p:{hexed('/a')}:32:0")
        failed = drive.take(name)
        assert not failed["ok"] and failed["maybe"]
        assert "cannot be asked" in failed["text"]
        etcd.resume(0)
        assert bed.wait_for(lambda: drive.get("/a")["ok"])


def test_nobody_there_is_no_maybe():
    refused = f"http://127.0.0.1:{bed.free_port()}"
    with Drive(refused) as drive:
        failed = drive.put("/a", "1")
    assert not failed["ok"] and not failed["maybe"]
    assert refused in failed["text"]


# -- a scripted server, then a real one -----------------------------------

RANGE = ('{"header":{"cluster_id":"1","member_id":"2","revision":"9"},'
         '"kvs":[{"key":"YQ==","create_revision":"2","mod_revision":"3",'
         '"version":"1","value":"Yg=="}],"count":"1"}')


def test_an_answer_that_is_cut_anywhere(plain):
    whole = http(RANGE)
    plain.put("a", "real")
    for cut in [*range(0, len(whole), 7), len(whole) - 1]:
        with Scripted(whole, cut) as server, \
                Drive(server.url, *plain.urls) as drive:
            found = drive.get("a")
            assert found["ok"], (cut, found)
            assert unhexed(found["kvs"][0]["value"]) == b"real"
            assert server.asked
    with Scripted(whole) as server, Drive(server.url) as drive:
        found = drive.get("a")
        assert (found["revision"], found["kvs"][0]["revision"]) == (9, 3)


@pytest.mark.parametrize("body", [
    "", "null", "[]", "{}", "<html>", '{"header":1}', "{" * 5000,
    RANGE.replace("YQ==", "Y"), RANGE.replace("Yg==", "!!!!"),
    RANGE.replace('"Yg=="', "7"), RANGE.replace('"3"', '"-3"'),
    RANGE[:-1] + ',"header":{}}', RANGE + "x", "\0", "\xff",
    '{"result":' + RANGE.replace("cluster_id", "cluster") + "}",
    b"[" * (33 << 20)], ids=itertools.count())
def test_what_is_no_answer_of_etcd(plain, body):
    plain.put("a", "real")
    with Scripted(http(body)) as server, \
            Drive(server.url, *plain.urls) as drive:
        found = drive.get("a")
        assert found["ok"] and unhexed(found["kvs"][0]["value"]) == b"real"
        assert server.asked


MEANINGS = [
    (14, True, "has no leader"), (4, True, "has no leader"),
    (2, True, "failed"), (13, True, "failed"), (7, False, "fleet_user"),
    (8, False, "too much to do"), (11, False, "compacted"),
    (3, False, "does not accept the request"),
    (16, False, "set fleet_user")]


def test_what_a_code_means():
    """Also as 3.6 says it, and as in a stream; all at once: a client goes on
    asking for a while where that may help."""
    with contextlib.ExitStack() as stack:
        cases = [(http("404 page not found", "404 Not Found"), True,
                  "no JSON gateway")]
        for code, maybe, words in MEANINGS:
            error = {"message": "etcdserver: x", "code": code}
            cases += [(http(json.dumps(said), "400 Bad Request"), maybe, words)
                      for said in [
                          {"error": "etcdserver: x", **error},
                          {**error, "details": []},
                          {"error": {"grpc_code": code, "http_code": 400,
                                     "message": "etcdserver: x"}}]]
        asked = []
        for said, maybe, words in cases:
            server = stack.enter_context(Scripted(said))
            drive = stack.enter_context(Drive(server.url))
            name = drive.send("txn", "?", f"p:{hexed('a')}:-:0")
            asked.append((drive, name, server, maybe, words))
        for drive, name, server, maybe, words in asked:
            failed = drive.take(name)
            assert not failed["ok"] and failed["maybe"] == maybe, failed
            assert words in failed["text"] and server.url in failed["text"]


def test_what_a_server_says_is_not_repeated():
    token = "tok-" + os.urandom(8).hex()
    body = json.dumps({"error": token, "message": token, "code": 9})
    with Scripted(http(body, "412 Precondition Failed")) as server, \
            Drive(server.url) as drive:
        assert token not in json.dumps(drive.get("a"))


# -- members --------------------------------------------------------------

@pytest.fixture(scope="module")
def three():
    with Etcd(3, client_certificates=True) as etcd:
        etcd.authenticate(PREFIX)
        yield etcd


def count_up(drive, key, times, during):
    """Add one so often, each time only to what was read; the events of
    during() are in between.  What the key has then."""
    value, revision = 0, 0
    end = time.monotonic() + 2 * PATIENCE_S
    for turn in range(times):
        during(turn)
        while True:
            done = drive.ask(
                "txn", f"m:{hexed(key)}:{revision}", "?",
                f"p:{hexed(key)}:{hexed(str(value + 1))}:0", "!",
                f"g:{hexed(key)}")
            assert time.monotonic() < end, done["text"]
            if not done["ok"]:
                continue
            if done["succeeded"]:
                value, revision = value + 1, done["revision"]
                break
            revision = done["kvs"][0]["revision"]
            if int(unhexed(done["kvs"][0]["value"])) == value + 1:
                value += 1  # it had been carried out
                break
            value = int(unhexed(done["kvs"][0]["value"]))
    return value


def test_members_killed_and_leaders_moved_between_and_under_calls(three):
    lost = []

    def during(turn):
        if turn % 20 == 5:
            lost.append(three.leader())
            three.kill(lost[-1])
        elif turn % 20 == 15:
            three.restart(lost[-1])
        elif turn % 20 == 17:
            three.move_leader((three.leader() + 1) % 3)

    key = PREFIX + "count"
    with Drive(*words_of(three)) as drive:
        watch = drive.send("watch", hexed(PREFIX), three.revision() + 1)
        drive.events(watch, is_on)
        assert count_up(drive, key, 60, during) == 60
        last = three.get(key)
        assert last.value == b"60"
        told = [int(unhexed(e["kv"]["value"])) for e in
                drive.events(watch, seen(last.revision))
                if e["event"] == "put"]
    assert told == list(range(1, 61))


def test_a_member_that_is_cut_off_ends_the_watch(three):
    with Drive(*words_of(three)) as drive:
        watch = drive.send("watch", hexed(PREFIX), three.revision() + 1)
        drive.events(watch, is_on)
        url = drive.get(PREFIX)["url"]
        number = three.urls.index(url)
        others = [n for n in range(3) if n != number]
        for other in others:
            three.pause(other)
        lost = drive.take(watch)
        assert lost["event"] == "lost" and "no leader" in lost["text"]
        for other in others:
            three.resume(other)
        three.wait_serving()
        revision = three.put(PREFIX + "b", "1")
        assert [e["kv"]["revision"] for e in
                drive.events(watch, seen(revision))
                if e["event"] == "put"] == [revision]


def test_a_member_that_is_silent_is_left(three):
    with Drive(*words_of(three)) as drive:
        watch = drive.send("watch", hexed(PREFIX), three.revision() + 1)
        drive.events(watch, is_on)
        number = three.urls.index(drive.get(PREFIX)["url"])
        three.pause(number)
        try:
            revision = three.put(PREFIX + "c", "1")
            told = drive.events(watch, seen(revision))
        finally:
            three.resume(number)
    assert [e["kv"]["revision"] for e in told
            if e["event"] == "put"] == [revision]
    three.wait_serving()


# -- authentication -------------------------------------------------------

def test_authentication_switched_on_and_off_under_way(tmp_path):
    # A newer one tells of the end of a token when it debugs.
    with Etcd(options=["--auth-token-ttl", "1",
                       "--log-level", "debug"]) as etcd:
        password = tmp_path / "password"
        write_secret(password, "none yet\n")
        # Named before etcd wants it.
        with Drive("user=mailtoken", f"password_file={password}",
                   *etcd.urls) as drive, Drive(*etcd.urls) as bare:
            watch = drive.send("watch", hexed(PREFIX), 1)
            drive.events(watch, is_on)
            assert drive.put(PREFIX + "a", "1")["ok"]
            _, path = etcd.authenticate(PREFIX)
            refused = drive.put(PREFIX + "a", "2")
            assert not refused["ok"] and not refused["maybe"]
            assert "fleet_password_file" in refused["text"]
            refused = bare.put(PREFIX + "a", "2")
            assert not refused["ok"] and "set fleet_user" in refused["text"]
            with open(path) as file:
                write_secret(password, file.read())
            assert drive.put(PREFIX + "a", "3")["ok"]
            assert drive.ask("grant", 60)["ok"]
            outside = drive.put("/elsewhere", "1")
            assert not outside["ok"] and "fleet_prefix" in outside["text"]
            # A token lives a second when it is not used.
            ended = "deleted a simple token"
            before = etcd.members[0].log().count(ended)
            bed.wait_for(lambda: etcd.members[0].log().count(ended) > before)
            last = drive.put(PREFIX + "a", "4")
            assert last["ok"] and last["succeeded"]
            values = [unhexed(e["kv"]["value"]).decode() for e in
                      drive.events(watch, seen(last["revision"]))
                      if e["event"] == "put"]
            assert values == ["1", "3", "4"]
            # Another password, and all tokens end with it.
            etcd.change_password()
            with open(path) as file:
                write_secret(password, file.read())
            etcd.restart(0)
            last = drive.put(PREFIX + "a", "5")
            assert last["ok"], last["text"]
            assert [unhexed(e["kv"]["value"]).decode() for e in
                    drive.events(watch, seen(last["revision"]))
                    if e["event"] == "put"] == ["5"]
            etcd.call("auth/disable")
            etcd.root_password = None
            assert drive.put(PREFIX + "a", "6")["ok"]
            assert bare.put(PREFIX + "a", "7")["ok"]
        for word in etcd.passwords:
            assert word not in str(refused)


def test_a_role_that_does_not_reach_is_said_by_calls_and_watch(three):
    with Drive(*words_of(three)) as drive:
        watch = drive.send("watch", hexed("/elsewhere/"), 1)
        lost = drive.take(watch)
        assert lost["event"] == "lost" and "fleet_prefix" in lost["text"]


def test_a_password_file_that_cannot_be_read(three, tmp_path):
    none = tmp_path / "none"
    words = [w for w in words_of(three) if "password" not in w]
    with Drive(f"password_file={none}", *words) as drive:
        failed = drive.get(PREFIX)
    assert not failed["ok"] and str(none) in failed["text"]


# -- certificates ---------------------------------------------------------

def test_certificates_that_do_not_do(three, tmp_path):
    with Drive(*[w for w in words_of(three) if "ca_file" not in w]) as drive:
        failed = drive.get(PREFIX)
        assert not failed["ok"] and "is not accepted" in failed["text"]
    with Drive(*[w for w in words_of(three) if "certificate" not in w]
               ) as drive:
        failed = drive.get(PREFIX)
        assert not failed["ok"] and "cannot be asked" in failed["text"]
        assert "client certificate" in failed["text"]
    words = [re.sub("^certificate=.*", "certificate=/none.pem", w)
             for w in words_of(three)]
    with Drive(*words) as drive:
        failed = drive.get(PREFIX)
        assert not failed["ok"] and not failed["maybe"]
        assert "client certificate" in failed["text"]


def test_an_expired_certificate_and_a_new_one():
    with Etcd(tls=True) as etcd, Drive(*words_of(etcd)) as drive:
        assert drive.put("/a", "1")["ok"]
        etcd.replace_certificate(expired=True)
        etcd.restart(0, wait=False)
        failed = bed.wait_for(lambda: next(
            (a for a in [drive.put("/a", "2")]
             if "certificate" in a["text"]), None))
        assert "expired" in failed["text"] and not failed["maybe"]
        etcd.replace_certificate(expired=False)
        assert bed.wait_for(lambda: drive.put("/a", "3")["ok"])


# -- room and history -----------------------------------------------------

def test_a_store_that_is_full_says_what_to_do():
    with Etcd(quota=4 << 20) as etcd, Drive(*words_of(etcd)) as drive:
        etcd.fill()
        full = drive.put("/a", "1")
        assert not full["ok"] and not full["maybe"]
        assert "alarm disarm" in full["text"]
        assert drive.get("/a")["ok"]
        etcd.make_room()
        assert drive.put("/a", "1")["ok"]


def test_a_watch_from_what_is_compacted_away(plain):
    for n in range(5):
        revision = plain.put("/compacted/a", str(n))
    plain.compact()
    with Drive(*words_of(plain)) as drive:
        watch = drive.send("watch", hexed("/compacted/"), revision - 3)
        assert drive.events(watch, lambda e: e["event"] == "over")
        gone = drive.ask("range", hexed("/compacted/a"), "-", revision - 3, 0)
        assert not gone["ok"] and "compacted" in gone["text"]


def test_another_store_in_its_place_ends_the_watch():
    with Etcd() as etcd, Drive(*words_of(etcd)) as drive:
        for n in range(5):
            revision = etcd.put("/a", str(n))
        watch = drive.send("watch", hexed("/"), revision + 1)
        drive.events(watch, is_on)
        etcd.kill(0)
        shutil.rmtree(etcd.members[0].folder)
        etcd.members[0].launch("new")
        etcd.wait_serving()
        assert drive.events(watch, lambda e: e["event"] == "over")


def test_a_watch_goes_on_without_a_gap_or_a_double():
    with Etcd() as etcd, Drive(*words_of(etcd)) as drive:
        watch = drive.send("watch", hexed("/w/"), 1)
        drive.events(watch, is_on)
        put = []
        for turn in range(6):
            for n in range(40):
                put.append(etcd.put(f"/w/{n}", os.urandom(3000)))
                etcd.put("/other", "x")
            if turn % 2:
                etcd.kill(0)
                etcd.restart(0)
        told = [e["kv"]["revision"] for e in
                drive.events(watch, seen(put[-1])) if e["event"] == "put"]
        assert told == put


def test_a_watch_catches_up_with_much(plain):
    """More than one answer of etcd holds, and answers in fragments."""
    first = plain.revision() + 1
    put = []
    for n in range(1200):
        put.append(plain.put(f"/much/{n % 7}", b"x" * 4000))
        if n % 100 == 0:
            plain.put("/elsewhere/x", "1")
    with Drive(*words_of(plain)) as drive:
        watch = drive.send("watch", hexed("/much/"), first)
        told = drive.events(watch, seen(put[-1]))
        assert [e["kv"]["revision"] for e in told
                if e["event"] == "put"] == put
        marks = [e["revision"] for e in told if e["event"] == "seen"]
        assert marks == sorted(marks)
        for mark in marks:
            at = [e for e in told if e["event"] == "seen"
                  and e["revision"] == mark][0]
            before = told[:told.index(at)]
            assert max([e["kv"]["revision"] for e in before
                        if e["event"] == "put"]) >= max(
                [r for r in put if r <= mark])


WATCH = "".join(json.dumps({"result": {
    "header": {"cluster_id": "1", "revision": str(r)}, **more}},
    separators=(",", ":")) + "\n" for r, more in [
        (5, {"created": True}),
        (6, {"events": [{"kv": {"key": "L2E=", "create_revision": "6",
                                "mod_revision": "6", "value": "eA=="}}]}),
        (9, {}),
        (10, {"events": [{"type": "DELETE", "kv": {
            "key": "L2E=", "mod_revision": "10"}}]})])


class ScriptedWatch(Scripted):
    """Ranges are answered; a watch gets all, or, the first time, a part, from
    the revision on that it asks for."""

    def __init__(self, cut):
        self.cut = cut
        super().__init__(b"")

    def _run(self):
        first = True
        while True:
            try:
                peer, _ = self.socket.accept()
            except OSError:
                return
            with peer:
                asked = b""
                while not asked.endswith(b"}"):
                    asked += peer.recv(65536)
                if b"/v3/watch" not in asked:
                    peer.sendall(http('{"header":{"cluster_id":"1",'
                                      '"revision":"11"}}'))
                    continue
                start = int(re.search(rb'start_revision":"(\d+)',
                                      asked).group(1))
                lines = [line for line in WATCH.splitlines(True)
                         if "created" in line or int(re.search(
                             'revision":"([0-9]+)', line).group(1)) >= start]
                body = "".join(lines).encode()
                if first:
                    body = body[:self.cut]
                first = False
                peer.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
                             + body)


def test_a_watch_that_is_cut_anywhere():
    for cut in range(0, len(WATCH), 11):
        with ScriptedWatch(cut) as server, Drive(server.url) as drive:
            watch = drive.send("watch", hexed("/"), 6)
            told = drive.events(watch, seen(10))
            assert [(e["event"], e["kv"]["revision"]) for e in told
                    if e["kv"]] == [("put", 6), ("gone", 10)], cut
