# SPDX-License-Identifier: BSD-2-Clause
"""Looking for secrets in what a program wrote.

A secret counts in clear and in base64, at any of the three places where
it may stand in a longer text that was encoded.
"""

import base64

SHOWN_MAX = 24    # as much of a secret as may stand in a failure


def disguises(secret):
    """The secret, and the middle of its base64 at each alignment."""
    yield secret
    for shift in range(3):
        text = base64.b64encode(b"x" * shift + secret.encode()).decode()
        # The ends depend on the neighbours.
        yield text[4:-4]


def leaked(text, secrets):
    """The beginnings of the secrets that stand in text."""
    return sorted({secret[:SHOWN_MAX] for secret in secrets
                   if len(secret) >= 16
                   and any(form in text for form in disguises(secret))})
