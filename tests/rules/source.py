# SPDX-License-Identifier: BSD-2-Clause
"""Reading the source for the scripts beside this one.

Owns: which files there are (also in a tree that is built inside itself),
C text without comments and strings, functions, the arguments of calls,
and how a broken rule is reported.  Knows no rule.
"""

import re
import sys
from pathlib import Path

sys.dont_write_bytecode = True

TOP = Path(__file__).resolve().parents[2]
ROOMS = ("helper", "plugin", "tests", "packaging", ".ci")
LEFT_OVERS = (".o", ".lo", ".la", ".log", ".trs", ".so", ".a", ".pyc",
              ".gcda", ".gcno", ".inc")

_TOKEN = re.compile(
    r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


class Report:
    """Prints what is wrong; exit() gives the status."""

    def __init__(self):
        self.n = 0

    def wrong(self, path, line, rule):
        """One broken rule."""
        self.n += 1
        print(f"{where(path)}:{line}: {rule}")

    def exit(self):
        """End the script."""
        sys.exit(1 if self.n else 0)


def where(path):
    """The path as people name it."""
    path = Path(path)
    return path.relative_to(TOP) if path.is_relative_to(TOP) else path


def every_file():
    """All text files of the project, sorted."""
    found = [p for p in TOP.iterdir() if p.is_file() and (
        p.suffix in (".ac", ".am", ".md") or p.name in (
            "README", "HACKING", "NEWS", "COPYING", "bootstrap"))]
    for room in ROOMS:
        for path in (TOP / room).rglob("*"):
            inside = path.relative_to(TOP / room).parts
            if any(p.startswith(".") or p == "__pycache__" for p in inside):
                continue
            if path.is_file() and path.suffix not in LEFT_OVERS:
                found.append(path)
    return sorted(p for p in found if _is_text(p))


def _is_text(path):
    with open(path, "rb") as source:
        return b"\0" not in source.read(8192)


def c_files(*rooms, suffixes=(".c", ".h")):
    """C files below these directories of the project, sorted."""
    found = []
    for room in rooms:
        found += [p for p in (TOP / room).rglob("*") if p.suffix in suffixes]
    return sorted(found)


def without(text, comments=True, strings=True):
    """The same text, blanks in place of comments and of what is quoted."""
    def blank(match):
        token = match.group()
        if token.startswith(("/*", "//")):
            return re.sub(r"[^\n]", " ", token) if comments else token
        if not strings:
            return token
        return token[0] + " " * (len(token) - 2) + token[0]
    return _TOKEN.sub(blank, text)


def line_of(text, at):
    """The number of the line at a position."""
    return text.count("\n", 0, at) + 1


def calls(text, name):
    """(position, name, arguments) of calls; text is without comments."""
    for match in re.finditer(rf"\b({name})\s*\(", text):
        end = closing(text, match.end() - 1)
        yield match.start(), match.group(1), text[match.end():end]


def closing(text, at):
    """Where the bracket at a position is closed."""
    depth, quoted = 0, None
    i = at
    while i < len(text):
        c = text[i]
        if quoted:
            if c == "\\":
                i += 1
            elif c == quoted:
                quoted = None
        elif c in "\"'":
            quoted = c
        elif c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
            if depth == 0:
                return i
        i += 1
    return len(text)


def arguments(text):
    """What stands between the commas of the outermost level."""
    parts, depth, quoted, start = [], 0, False, 0
    for i, c in enumerate(text):
        if c == '"' and text[i - 1:i] != "\\":
            quoted = not quoted
        elif quoted:
            continue
        elif c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
        elif c == "," and depth == 0:
            parts.append(text[start:i].strip())
            start = i + 1
    return parts + [text[start:].strip()]


def functions(text):
    """(name, parameters, first line, last line) of each definition."""
    lines = without(text).split("\n")
    for i, line in enumerate(lines):
        if line != "{":
            continue
        top = i
        while top > 0 and lines[top - 1].strip() and not re.search(
                r"[;}]\s*$|^#", lines[top - 1]):
            top -= 1
        head = "\n".join(lines[top:i])
        match = re.search(r"(\w+)\s*\(", head)
        if match is None:
            continue
        end = i + 1
        while end < len(lines) and not lines[end].startswith("}"):
            end += 1
        inside = head[match.end():closing(head, match.end() - 1)]
        yield match.group(1), arguments(inside), i + 1, end + 1
