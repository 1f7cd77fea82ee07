# SPDX-License-Identifier: BSD-2-Clause
"""A strict identity provider for tests: class Idp.

    with Idp() as idp:
        idp.url, idp.ca_file            # what a client is told
        idp.fault("token", "aadsts", number=700082)
        with idp.holding("token"): ...  # answers at the end of the block
        idp.approve(user_code, "jo@example.org")

Faults are in idp.faults, settings in idp.store.Settings.  The same by
HTTP: control.py.  As a script: python3 -m idp --help.
"""

import collections
import contextlib
import os
import secrets
import socket
import ssl
import threading
import time
import urllib.parse

import bed
import ca
from bed import Journal, wait_for

from . import server, store
from .control import Control
from .faults import Fault, FaultQueue, KINDS, aadsts_body
from .oauth import DEVICE_GRANT, Oauth
from .store import Client, Settings

__all__ = ["Idp", "Fault", "KINDS", "Client", "Settings", "aadsts_body",
           "wait_for", "DEVICE_GRANT"]

TLS_WAYS = ("good", "expired", "wrong-name", "untrusted", "old", "plain",
            "mute")


class Idp:
    """The identity provider, in this process.

    directory holds the authority's files (a temporary one by default);
    clock gives Unix seconds; keyword arguments are Settings.  After
    stop() the same object may start() again: it forgets nothing, and
    nobody else gets its port."""

    def __init__(self, directory=None, clock=time.time, **settings):
        if directory is None:
            directory = bed.scratch(self, "idp-")
        self.authority = ca.Authority(directory)
        self.ca_file = self.authority.ca_file
        self.store = store.Store(clock)
        self.store.set(settings)
        self.settings = self.store.settings
        self.oauth = Oauth(self.store, lambda: self.url)
        self.faults = FaultQueue()
        self.requests = Journal()
        self.counts = collections.Counter()
        self.control_secret = secrets.token_urlsafe(24)
        self.control = Control(self)
        # A context manager of a test around the answer to a request for
        # tokens; it may raise server.Gone before there is an effect.
        self.around_token = None
        self.stopping = threading.Event()
        # Read to its end when stopping.  Not closed in stop(), where silent
        # threads still wait on it: it goes when nobody has it any more.
        self.stopping_end = None
        self._stop_write = None
        self._listener = None
        self._reserved = None
        self.port = 0
        self.scheme = "https"
        self.client_secret = secrets.token_urlsafe(30)
        self.introspect_secret = secrets.token_urlsafe(30)
        self.add_client("mail-app")
        self.add_client("mail-web", self.client_secret)
        self.add_client("mail-server", self.introspect_secret,
                        may_introspect=True)

    # -- life -------------------------------------------------------------

    def start(self, tls="good", port=0):
        """Listen; tls is one of TLS_WAYS.  Returns self."""
        context = self._context(tls)
        self.scheme = "http" if tls == "plain" else "https"
        self.stopping.clear()
        self.stopping_end, self._stop_write = socket.socketpair()
        self._reserve(port)
        self._listener = server.Listener(self, self.port, context,
                                         tls == "mute")
        threading.Thread(target=self._listener.serve_forever, args=(0.02,),
                         daemon=True).start()
        return self

    def _reserve(self, port):
        """Bind a port, which does not keep the listener from it."""
        if self._reserved is None or port != self.port:
            self._reserved = socket.socket()
            self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR,
                                      1)
            self._reserved.bind(("127.0.0.1", port))
            self.port = self._reserved.getsockname()[1]

    def stop(self):
        """Stop listening and end all connections."""
        if self._listener is None:
            return
        self.stopping.set()
        self._stop_write.close()
        self._listener.shutdown()
        self._listener.server_close()
        self._listener.close_all()
        self._listener = None

    def __enter__(self):
        return self if self._listener else self.start()

    def __exit__(self, *_exc):
        self.stop()

    def _context(self, tls):
        if tls not in TLS_WAYS:
            raise ValueError(f"tls is one of {TLS_WAYS}")
        if tls in ("plain", "mute"):
            return None
        if tls == "expired":
            files = self.authority.expired()
        elif tls == "wrong-name":
            files = self.authority.wrong_name()
        elif tls == "untrusted":
            other = os.path.join(self.authority.directory, "untrusted")
            files = ca.Authority(other, "some other CA").server()
        else:
            files = self.authority.server()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if tls == "old":
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.load_cert_chain(*files)
        return context

    @property
    def url(self):
        """The base URL, by the name localhost; never ends in a slash."""
        return f"{self.scheme}://localhost:{self.port}"

    def tenant_url(self, tenant="common"):
        """The base of the Microsoft URL shape; /token goes after it."""
        return f"{self.url}/{tenant}/oauth2/v2.0"

    # -- what tests do ----------------------------------------------------

    def set(self, **changes):
        """Change settings."""
        with self.store.lock:
            self.store.set(changes)

    def advance(self, seconds):
        """Move the provider's clock on."""
        self.store.offset += seconds

    def add_client(self, client_id, secret=None, **more):
        """Register a client (see Client); public without a secret."""
        if secret is not None:
            self.store.keep_secret(secret)
        self.store.clients[client_id] = Client(client_id, secret, **more)

    def approve(self, user_code, user, claims=None):
        """The user signs in; claims change those of the id_token."""
        self._settle(user_code, "approved", user, claims)

    def deny(self, user_code):
        """The user says no."""
        self._settle(user_code, "denied")

    def expire(self, user_code):
        """The device code ends before the user came."""
        self._settle(user_code, "expired")

    def _settle(self, user_code, state, user="", claims=None):
        with self.store.lock:
            device = self.store.device_of(user_code)
            device.state, device.user = state, user
            device.claims = claims or {}

    def device_answers(self, user_code, errors):
        """Errors that the next polls get, before the true state."""
        with self.store.lock:
            self.store.device_of(user_code).answers.extend(errors)

    def user_codes(self):
        """All user codes given out, oldest first."""
        with self.store.lock:
            return [d.user_code for d in self.store.devices.values()]

    def seed(self, user, client_id="mail-app", scope=store.MAIL_SCOPE,
             tenant=None, access_life=None):
        """A signed-in account without a sign-in."""
        with self.store.lock:
            grant = self.store.new_grant(client_id, user, scope.split(),
                                         tenant)
            entry = self.store.new_access(grant, grant.scopes, access_life)
            refresh = self.store.new_refresh(grant)
        return store.Seeded(refresh, entry.token, int(entry.expires), grant)

    def revoke(self, user):
        """End all grants of a user, as an administrator would."""
        with self.store.lock:
            for grant in self.store.grants:
                if grant.user == user:
                    grant.revoked = True

    def expire_access(self, user=None, token=None):
        """End the access tokens of a user, or one, or all."""
        with self.store.lock:
            for entry in self.store.access.values():
                if (user is None or entry.grant.user == user) and (
                        token is None or entry.token == token):
                    entry.expires = min(entry.expires, self.store.now())

    def current_refresh(self, user):
        """The newest refresh token of a user that is not revoked."""
        with self.store.lock:
            for grant in reversed(self.store.grants):
                if grant.user == user and not grant.revoked:
                    return grant.refresh
        return None

    def introspect(self, token):
        """What /introspect says of a token."""
        with self.store.lock:
            return self.oauth.describe(token)

    def fault(self, endpoint, kind, times=1, grant_type=None, after=0,
              **details):
        """Queue a fault: a Fault, or the name of a kind and its details.

        times=None keeps it; grant_type limits it to one kind of grant;
        after is a delay in seconds before the fault."""
        made = kind if isinstance(kind, Fault) else KINDS[kind](**details)
        if after:
            made.delay = after
        self.faults.add(endpoint, made, times, grant_type)

    @contextlib.contextmanager
    def holding(self, endpoint, grant_type=None):
        """Requests that come meanwhile are answered at its end."""
        fault = Fault(gate=threading.Event())
        self.faults.add(endpoint, fault, None, grant_type)
        try:
            yield
        finally:
            self.faults.remove(endpoint, fault)
            fault.gate.set()

    def wait_answered(self):
        """Wait until no request is without its answer."""
        wait_for(lambda: all(r.status for r in self.requests),
                 what="the answers")

    def clear_faults(self, endpoint=None):
        """Forget queued faults."""
        self.faults.clear(endpoint)

    def secrets(self, shortest=8):
        """Every secret ever issued or received, to look for in logs."""
        return self.store.secrets(shortest)

    def wait_request(self, endpoint, n=1, deadline=bed.DEADLINE_S):
        """Wait until an endpoint got n requests; returns all of them."""
        return self.requests.wait(n, deadline,
                                  lambda r: r.endpoint == endpoint)

    def refusals(self):
        """The reasons of all refusals so far."""
        return [r.why for r in self.requests if r.why]

    def forget_requests(self):
        """Start the log and the counts anew."""
        with self.store.lock:
            self.requests.clear()
            self.counts.clear()

    # -- for the server ---------------------------------------------------

    def count(self, name):
        """Add one to a count."""
        with self.store.lock:
            self.counts[name] += 1

    def arrived(self, request):
        """Log and count a request before anything is done about it."""
        server.note_received(self, request)
        self.count(request.endpoint)
        if request.grant_type:
            self.count(request.grant_type)
        self.requests.add(request)

    def note_secret(self, value, fault):
        """Remember what a fault puts into an answer as a token."""
        if value in (fault.changes.get("access_token"),
                     fault.changes.get("refresh_token")):
            self.store.keep_secret(value)

    def answer(self, request):
        """Let an endpoint answer."""
        if request.endpoint == "unknown":
            request.why = "unknown path"
            return server.Answer({"error": "not_found"}, 404)
        answer = self.oauth.answer(request)
        if request.reuse:
            self.count("refresh_reuse")
        if request.why and request.error not in (
                "authorization_pending", "expired_token"):
            self.count("refused")
        return answer

    def browse(self, url):
        """Be the browser: GET url here, and return where it leads."""
        path, _, query = url.partition("?")
        endpoint, tenant = server.route(urllib.parse.urlsplit(path).path)
        request = server.Request(endpoint, "GET", path, query, tenant, {},
                                 b"")
        self.arrived(request)
        answer = self.answer(request)
        request.status = answer.status
        return answer.headers.get("Location")
