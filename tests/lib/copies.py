# SPDX-License-Identifier: BSD-2-Clause
"""Copies of a secret, near enough to be of use to who reads them."""

import base64


def _in_base64(text, before=0):
    return base64.b64encode(b"=" * before + text.encode()).decode()


def _without(text, at):
    return text[:at] + text[at + 1:]


def copies(secret):
    """By name: each way to repeat it that must be noticed."""
    part, middle = secret[:16], len(secret) // 2
    other = "x" if secret[middle] != "x" else "y"
    url = base64.urlsafe_b64encode(b".." + secret.encode()).decode()
    return {
        "whole": secret,
        "first 16": part,
        "last 16": secret[-16:],
        "less the first": secret[1:],
        "less the last": secret[:-1],
        "less one": _without(secret, middle),
        "one changed": secret[:middle] + other + secret[middle + 1:],
        "another case": secret.swapcase(),
        "percent": "".join(f"%{ord(c):02X}" for c in secret),
        "percent 16": "".join(f"%{ord(c):02x}" for c in part),
        "base64": _in_base64(secret),
        "base64 one on": _in_base64(secret, 1),
        "base64 two on": _in_base64(secret, 2),
        "base64url": url.rstrip("="),
        "base64 16": _in_base64(part, 1).rstrip("="),
        "hexadecimal": secret.encode().hex(),
        "in fours": " ".join(secret[i:i + 4]
                             for i in range(0, len(secret), 4)),
        "in threes": ".".join(secret[i:i + 3]
                              for i in range(0, len(secret), 3)),
        "in lines": "\r\n".join(secret[i:i + 5]
                                for i in range(0, len(secret), 5)),
    }


def _rows(text):
    return {text[at:at + 12] for at in range(len(text) - 11)}


def shown_of(kept, text):
    """The secrets of which text shows 12 bytes in a row of a copy."""
    seen = _rows(text.lower())
    return [secret for secret in kept
            if any(_rows(copy.lower()) & seen
                   for copy in copies(secret).values())]
