# SPDX-License-Identifier: BSD-2-Clause
"""Faults the provider commits when told to.

Owns: the description of a fault, a function for each kind, the queue of
faults of each endpoint, and error bodies in Microsoft's form.  The
server carries them out.  Kinds are also known by name (KINDS), for the
control interface.
"""

import json
import threading
import time
import uuid
from dataclasses import dataclass, field

# number: (HTTP status, error, text)
AADSTS = {
    50034: (400, "invalid_grant", "The account does not exist."),
    50057: (400, "invalid_grant", "The user account is disabled."),
    50076: (400, "invalid_grant", "You must use multi-factor."),
    50173: (400, "invalid_grant", "The grant has been revoked."),
    50196: (400, "invalid_grant", "The client is in a request loop."),
    53003: (400, "invalid_grant", "Blocked by Conditional Access."),
    65001: (400, "invalid_grant", "The user has not consented."),
    70000: (400, "invalid_grant", "The provided grant is not valid."),
    70008: (400, "invalid_grant", "The grant has expired."),
    70011: (400, "invalid_scope", "The scope is not valid."),
    70012: (503, "temporarily_unavailable", "Server error."),
    70016: (400, "authorization_pending", "Authorization is pending."),
    70018: (400, "bad_verification_code", "Bad verification code."),
    70019: (400, "expired_token", "Verification code expired."),
    70043: (400, "invalid_grant", "Sign-in frequency checks."),
    700016: (400, "unauthorized_client", "Application not found."),
    700025: (401, "invalid_client", "Client is public."),
    700082: (400, "invalid_grant", "Expired due to inactivity."),
    7000215: (401, "invalid_client", "Invalid client secret."),
    7000218: (401, "invalid_client", "The request body must contain the "
              "following parameter: 'client_assertion' or 'client_secret'."),
    7000222: (401, "invalid_client", "The client secret keys are expired."),
    90002: (400, "invalid_request", "Tenant not found."),
    90033: (503, "temporarily_unavailable", "A transient error."),
    90055: (429, "temporarily_unavailable", "The tenant is throttled."),
}

SUBERROR = {50076: "basic_action", 65001: "consent_required",
            53003: "message_only"}


@dataclass
class Fault:
    """One fault; times=None keeps it until it is cleared."""
    delay: float = 0
    gate: threading.Event | None = None     # waits for it, then goes on
    silent: bool = False
    close: str = ""     # "before", "half" (reset), "cut" (half), "behind",
                        # "after"
    status: int | None = None   # with body: the whole answer
    body: bytes = b""
    headers: dict = field(default_factory=dict)
    content_type: str = "application/json; charset=utf-8"
    changes: dict | None = None  # members of a good answer, changed
    drop: tuple = ()            # members of a good answer, left out
    duplicate: str = ""         # a member to be sent twice
    mangle: object = None       # with changes: of the answer's bytes
    effect: bool = False        # with changes: the grant is used, too
    times: int | None = 1
    grant_type: str | None = None


def aadsts_body(number, error=None, text=None):
    """Microsoft's error object for an AADSTS number."""
    _, word, known = AADSTS.get(number, (400, "invalid_grant",
                                         "Something went wrong."))
    trace, correlation = str(uuid.uuid4()), str(uuid.uuid4())
    stamp = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime())
    body = {
        "error": error or word,
        "error_description": f"AADSTS{number}: {text or known}\r\n"
                             f"Trace ID: {trace}\r\n"
                             f"Correlation ID: {correlation}\r\n"
                             f"Timestamp: {stamp}",
        "error_codes": [number], "timestamp": stamp, "trace_id": trace,
        "correlation_id": correlation,
        "error_uri": f"https://login.example/error?code={number}"}
    if number in SUBERROR:
        body["suberror"] = SUBERROR[number]
    return body


def delay(seconds):
    """Answer well, but late."""
    return Fault(delay=seconds)


def silent():
    """Take the request and never answer."""
    return Fault(silent=True)


def http_error(status, error=None, error_description=None, error_codes=None,
               retry_after=None):
    """An error status, with an OAuth error object if there is an error."""
    body = {"error": error, "error_description": error_description,
            "error_codes": error_codes}
    body = {k: v for k, v in body.items() if v is not None}
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return Fault(status=status, headers=headers,
                 body=json.dumps(body).encode() if body else b"")


def aadsts(number, error=None, status=None, text=None):
    """An error as Microsoft words it."""
    usual = AADSTS.get(number, (400,))[0]
    return Fault(status=status or usual,
                 body=json.dumps(aadsts_body(number, error, text)).encode())


def html(status=200):
    """A page in place of the answer, as proxies and portals send."""
    return Fault(status=status, content_type="text/html",
                 body=b"<!DOCTYPE html><title>Gateway</title><p>Sorry.")


def empty(status=200):
    """No body at all."""
    return Fault(status=status)


def huge(status=200, size=5 << 20):
    """An endless body: good JSON of this size without a token."""
    return Fault(status=status, body=b'{"padding":"' + b"x" * size + b'"}')


def malformed():
    """JSON cut short."""
    return Fault(status=200, body=b'{"token_type":"Bearer","access_token":"')


def not_object(text='["access_token"]'):
    """Good JSON, but no object."""
    return Fault(status=200, body=text.encode())


def duplicate_members(member="access_token"):
    """An answer with one member twice."""
    return Fault(changes={}, duplicate=member)


def changed(effect=False, **members):
    """A good answer with other values.

    Unless effect is true the grant is not used: a made-up access token
    stands in the answer, no refresh token, and nothing rotates."""
    return Fault(changes=members, effect=effect)


def mangled(act, effect=True, **members):
    """A good answer, changed, whose bytes act() changes once more."""
    return Fault(changes=members, effect=effect, mangle=act)


def without(*members, effect=False, names=()):
    """A good answer without these members."""
    return Fault(changes={}, drop=tuple(members) + tuple(names),
                 effect=effect)


def bad_token(token="abc\x01auth=Bearer def"):
    """An access token that must not reach a mail server."""
    return changed(access_token=token)


def redirect(url, status=302):
    """A redirect to another place."""
    return Fault(status=status, headers={"Location": url})


def close_before():
    """The connection ends before the request takes effect."""
    return Fault(close="before")


def reset_half():
    """The request takes effect; reset half way through the answer."""
    return Fault(close="half")


def cut_half():
    """The request takes effect; the connection ends half way."""
    return Fault(close="cut")


def cut_behind():
    """A whole answer, though not as long as it said."""
    return Fault(close="behind")


def lost_answer():
    """The request takes effect (tokens rotate); nothing is answered."""
    return Fault(close="after")


KINDS = {f.__name__: f for f in (
    delay, silent, http_error, aadsts, html, empty, huge, malformed,
    not_object, duplicate_members, changed, mangled, without, bad_token,
    redirect, close_before, reset_half, cut_half, cut_behind, lost_answer)}


class FaultQueue:
    """The faults still to be committed, by endpoint, first come first."""

    def __init__(self):
        self._lock = threading.Lock()
        self._faults = {}

    def add(self, endpoint, fault, times=1, grant_type=None):
        """Queue a fault for its next `times` uses (None: for ever)."""
        fault.times = times
        fault.grant_type = grant_type
        with self._lock:
            self._faults.setdefault(endpoint, []).append(fault)

    def remove(self, endpoint, fault):
        """Forget one fault."""
        with self._lock:
            self._faults[endpoint].remove(fault)

    def clear(self, endpoint=None):
        """Forget the faults of one endpoint, or of all."""
        with self._lock:
            if endpoint is None:
                self._faults.clear()
            else:
                self._faults.pop(endpoint, None)

    def take(self, endpoint, grant_type):
        """The fault for this request, or None."""
        with self._lock:
            queue = self._faults.get(endpoint, [])
            for fault in queue:
                if fault.grant_type not in (None, grant_type):
                    continue
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times <= 0:
                        queue.remove(fault)
                return fault
        return None
