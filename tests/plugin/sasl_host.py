# SPDX-License-Identifier: BSD-2-Clause
"""Running tests/plugin/host and reading what it prints.

Owns the command line and the environment of the program; knows nothing of
helpers.
"""

import os
import subprocess
from dataclasses import dataclass, field

import paths
from bed import DEADLINE_S

OK, CONTINUE, INTERACT = 0, 1, 2
FAIL, NOMEM, BUFOVER, NOMECH, BADPROT, BADPARAM = -1, -2, -3, -4, -5, -7
BADVERS, TOOWEAK, NOUSER, EXPIRED, DISABLED = -23, -15, -20, -18, -19
UNAVAIL, CONFIGERR = -24, -100

NOPLAINTEXT, NOANONYMOUS = 0x0001, 0x0010


@dataclass
class Run:
    """What the program printed, one (word, rest) pair a line."""
    text: str
    errors: str
    status: int
    lines: list = field(default_factory=list)

    def __post_init__(self):
        self.lines = [tuple((line + " ").split(" ", 1))
                      for line in self.text.splitlines()]

    def all(self, word):
        """The rest of every line that starts with the word."""
        return [rest.rstrip(" ") for first, rest in self.lines
                if first == word]

    def one(self, word):
        """The rest of the only line that starts with the word."""
        found = self.all(word)
        assert len(found) == 1, self.text
        return found[0]

    @property
    def start(self):
        """The last code of sasl_client_start."""
        return int(self.all("start")[-1].split()[0])

    @property
    def steps(self):
        """The codes of sasl_client_step."""
        return [int(code) for code in self.all("step")]

    @property
    def outs(self):
        """What was sent, None for NULL."""
        return [None if out == "null" else bytes.fromhex(out)
                for out in self.all("out")]

    @property
    def detail(self):
        """sasl_errdetail at the end."""
        return self.one("detail")


class Host:
    """Starts the program; see tests/plugin/host.c for what it can do."""

    def __init__(self, plugins, environment=None, wrapper=()):
        self.environment = {"SASL_PATH": str(plugins),
                            "SASL_PLUGINDIR": str(plugins),
                            "PATH": "/usr/bin:/bin:/usr/sbin:/sbin"}
        for name, value in os.environ.items():
            if name.endswith("SAN_OPTIONS"):
                self.environment[name] = value
        self.environment.update(environment or {})
        self.wrapper = list(wrapper)
        if os.environ.get("MAILTOKEN_HOST_WRAPPER"):
            self.wrapper += os.environ["MAILTOKEN_HOST_WRAPPER"].split()

    def command(self, *arguments, challenges=(), **options):
        """The argument vector; _ in option names becomes -."""
        argv = [*self.wrapper, str(paths.host()), *arguments]
        for name, value in options.items():
            name = "--" + name.replace("_", "-")
            if value is True:
                argv.append(name)
            elif value is not None and value is not False:
                argv += [name, str(value)]
        for challenge in challenges:
            argv += ["--challenge", "null" if challenge is None
                     else challenge.hex()]
        return argv

    def run(self, *arguments, **options):
        """Run it to its end, which must be a clean one."""
        done = subprocess.run(self.command(*arguments, **options),
                              env=self.environment, capture_output=True,
                              timeout=2 * DEADLINE_S, check=False)
        run = Run(done.stdout.decode("utf-8", "replace"),
                  done.stderr.decode("utf-8", "replace"), done.returncode)
        assert run.status == 0, run.text + run.errors
        return run
