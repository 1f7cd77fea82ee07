# SPDX-License-Identifier: BSD-2-Clause
"""What `make bench` and `make bench-load` share: pinned programs, fleets of
accounts, and rows with their budgets."""

import atexit
import json
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "lib"), str(HERE.parent / "flows")]

from bed import wait_for                                # noqa: E402
from bed_helper import Bed                              # noqa: E402
from helper_line import pack                            # noqa: E402

BUILD = Path(os.environ.get("MAILTOKEN_BUILD", HERE.parent.parent))
PROGRAM = BUILD / "tests" / "bench" / "bench_tool"
JO = "jo@example.org"
FRIEND = 4800       # a user who may ask
STRANGER = 5000     # one who may not
TOKEN = "x" * 1500  # as long as those of large providers
ROUNDS = 7          # at least


def request(verb, **attributes):
    """The bytes of a request."""
    return pack([("verb", verb), *attributes.items()])


def token_of(account):
    """As a mail program asks."""
    return request("token", account=account, server="localhost",
                   service="smtp", mechanism="XOAUTH2")


def measured(cpu, uid=0, ahead=True):
    """What a program of which a time is taken does first: one CPU, and
    before all who only make work."""
    def prepare():
        os.sched_setaffinity(0, {cpu})
        os.setpriority(os.PRIO_PROCESS, 0, -20 if ahead else 0)
        if uid:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
    return prepare


def values(text):
    """name=value words, as numbers where they are some."""
    found = dict(word.split("=", 1) for word in text.split() if "=" in word)
    return {name: float(value) for name, value in found.items()
            if re.fullmatch(r"[0-9.]+", value)}


def ask(path, data, clients=1, count=1, rate=0, **how):
    """Ask again and again; what bench_tool says of it."""
    return values(subprocess.run(
        [PROGRAM, "ask", path, str(clients), str(count), str(rate)],
        input=data, stdout=subprocess.PIPE, check=True,
        preexec_fn=measured(**how)).stdout.decode())


class Machine:
    """Where to run what: on one CPU or on two."""

    def __init__(self):
        if os.geteuid() != 0:
            sys.exit("bench: must be root, to be many users")
        cpus = sorted(os.sched_getaffinity(0))
        self.client, self.server = cpus[0], cpus[-1]
        # Everything else keeps off the measured server.
        os.sched_setaffinity(0, set(cpus[:-1]) or set(cpus))
        self.go_first()
        resource.setrlimit(resource.RLIMIT_NOFILE, (8192, 8192))
        if shutil.disk_usage("/dev/shm").free > 1 << 31:
            tempfile.tempdir = "/dev/shm"

    @staticmethod
    def go_first():
        """Before other sessions, within which alone nice(1) counts: see
        sched(7), "The autogroup feature"."""
        group = Path("/proc/self/autogroup")
        if group.exists():
            atexit.register(group.write_text, group.read_text().split()[-1])
            group.write_text("-20")

    def ways(self):
        """Name and the server's CPU."""
        yield "one CPU", self.client
        if self.server != self.client:
            yield "two CPUs", self.server

    def echo(self, stack, kind, answer_bytes, cpu):
        """The least that a server can do; its socket."""
        path = os.path.join(stack.enter_context(
            tempfile.TemporaryDirectory(prefix="mailtoken-bench.")), "socket")
        process = subprocess.Popen([PROGRAM, kind, path, str(answer_bytes)],
                                   preexec_fn=measured(cpu))
        stack.callback(process.wait)
        stack.callback(process.kill)
        wait_for(lambda: os.path.exists(path))
        return path

    def fleet(self, stack, idp, n, token=TOKEN, start=True):
        """A helper with JO and n - 1 more accounts that nobody asks for."""
        bed = Bed(idp)
        stack.callback(bed.end)
        bed.options += ["--log-level", "info"]
        bed.configure(f"allow {FRIEND}")
        bed.seed(JO, access_token=token)
        record = Path(bed.keyring, JO).read_text()
        for i in range(1, n):
            bed.write_record(f"b{i}@example.org",
                             record.replace(JO, f"b{i}@example.org"))
        return self.start(bed) if start else bed

    def start(self, bed):
        """On the server's CPU, before all others; bed.start_s is how long
        until it answered."""
        began = time.monotonic()
        bed.start(before=("nice", "-n", "-40", "taskset", "-c",
                          str(self.server)))
        bed.start_s = time.monotonic() - began
        return bed


def move(bed, cpu):
    """A running helper to another CPU."""
    os.sched_setaffinity(bed.process.pid, {cpu})


def memory(pid, name):
    """KiB: Anonymous, Rss, Pss."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(rf"^{name}: +(\d+) kB", text, re.M)[1])


class Table:
    """Rows, as they come."""

    def __init__(self):
        self.rows = []

    def row(self, what, unit, found, budget=None, note="", least=False):
        """found: what each round gave; the median counts.  least: more than
        the budget is better."""
        median = statistics.median(found)
        held = None if budget is None else \
            median >= budget if least else median <= budget
        self.rows.append({
            "what": what, "unit": unit, "median": median, "min": min(found),
            "max": max(found), "rounds": len(found), "budget": budget,
            "held": held, "note": note})
        print(line(self.rows[-1]), flush=True)
        return median

    def end(self, path):
        """Those with a budget once more, to be pasted into HACKING; all of
        them as JSON where there is a path."""
        print()
        for row in self.rows:
            if row["budget"] is not None:
                print(line({**row, "what": row["what"].strip()}))
        if path:
            Path(path).write_text(json.dumps(self.rows, indent=1) + "\n")


def _digits(value):
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" \
        if value < 100 else f"{value:,.0f}"


def line(row):
    """A row as text."""
    words = f"{_digits(row['median'])} {row['unit']}".strip()
    if row["rounds"] > 1:
        words += f" ({_digits(row['min'])} .. {_digits(row['max'])})"
    if row["budget"] is not None:
        words += f", budget {row['budget']:g}"
        words += "" if row["held"] else ": MISSED"
    words += row["note"]
    whole = f"    {row['what']}: {words}"
    return whole if len(whole) < 80 else \
        f"    {row['what']}:\n{words.rjust(79)}"


def curve(points, title, at, of):
    """One diagram of an SVG: points are (x, y), x by powers."""
    import math
    top = max(y for _, y in points) * 1.2
    last = math.log(points[-1][0]) or 1
    dots = [(60 + 500 * math.log(x) / last, 200 - 160 * y / top)
            for x, y in points]
    out = [f'<g transform="translate(0 {at})">'
           f'<text x="60" y="24" font-weight="bold">{title}</text>'
           '<path d="M60 40V200H570" fill="none" stroke="grey"/>'
           f'<polyline fill="none" stroke="teal" points="'
           f'{" ".join(f"{x:.0f},{y:.0f}" for x, y in dots)}"/>']
    for (x, y), (n, value) in zip(dots, points):
        out.append(f'<circle cx="{x:.0f}" cy="{y:.0f}" r="3" fill="teal"/>'
                   f'<text x="{x:.0f}" y="{y - 8:.0f}" '
                   f'text-anchor="middle">{_digits(value)}</text>'
                   f'<text x="{x:.0f}" y="216" '
                   f'text-anchor="middle">{n:,}</text>')
    out.append(f'<text x="570" y="232" text-anchor="end">{of}</text></g>')
    return "\n".join(out)


def draw(path, curves):
    """An SVG of (points, title, what x is)."""
    body = [curve(points, title, 250 * i, of)
            for i, (points, title, of) in enumerate(curves)]
    Path(path).write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="620" '
        f'height="{250 * len(curves)}" font-family="sans-serif" '
        f'font-size="12">\n<rect width="100%" height="100%" fill="white"/>\n'
        + "\n".join(body) + "\n</svg>\n")
