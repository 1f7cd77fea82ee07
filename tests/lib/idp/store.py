# SPDX-License-Identifier: BSD-2-Clause
"""What the identity provider remembers: clients, grants, tokens, codes.

Owns: settings, the making of tokens, their lives, rotation and the set
of all secrets ever issued.  Speaks no HTTP.  Invariant: one lock, held
by the caller of every method that does not say otherwise.
"""

import base64
import hashlib
import hmac
import json
import os
import threading
from dataclasses import dataclass, field, fields

BASE64URL = ("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
             "0123456789-_")
# Every byte that may stand in a token, quotes and backslash among them.
PRINTABLE = "".join(chr(c) for c in range(0x21, 0x7f))
USER_CODE = "BCDFGHJKLMNPQRSTVWXZ"
MAIL_SCOPE = "https://outlook.office.com/SMTP.Send offline_access"


@dataclass
class Settings:
    """All that a test may change; times in seconds, lengths in bytes."""
    interval: int = 5               # of device polls
    device_life: int = 900
    code_life: int = 600
    access_life: int = 3600
    refresh_life: int = 90 * 86400
    access_length: int = 1500       # 1..70000
    refresh_length: int = 1100
    alphabet: str = BASE64URL       # of access tokens; see PRINTABLE
    access_aud: str = ""            # not empty: a JWT with this audience
    rotation: bool = True           # a new refresh token at each refresh
    reuse_detection: bool = True    # an old one kills the whole grant
    repeat_refresh: bool = False    # no rotation: send the same one again
    refresh_in: int | None = None
    withheld: tuple = ()            # words of scope a sign-in never gets
    scope_answer: str | None = None  # None: as granted; "": left out
    need_offline_access: bool | None = None  # None: in tenant URLs only
    scope_tenants: tuple = ("consumers",)    # refresh must send scope here
    device_variants: tuple = ()     # see oauth.device_answer
    id_token: bool = True
    iss_in_redirect: bool = False   # RFC 9207
    userinfo: dict = field(default_factory=dict)   # changes; None drops
    revoke_needs_client: bool = True
    discovery: dict = field(default_factory=dict)  # changes; None drops
    register_closed: bool = False   # RFC 7591: nobody may
    register_secret: bool = False   # a client gets a secret all the same
    register_way: str = "post"      # ... to be said so, or "basic"
    register_life: int = 0          # ... that is good for so long; 0: ever
    browser_user: str = ""          # who signs in at /authorize
    browser_error: str = ""         # or the error it ends with
    browser_text: str = ""          # and its description
    browser_page: bool = False      # a page asks for name and verdict
    browser_iss: str = ""           # with iss_in_redirect: another issuer


@dataclass
class Client:
    """A registered client; public when it has no secret."""
    client_id: str
    secret: str | None = None
    scopes: tuple | None = None     # None: any
    grants: tuple | None = None     # None: any that fits
    redirects: tuple = ("http://localhost", "http://127.0.0.1",
                        "http://[::1]", "http://127.0.0.1/callback")
    may_introspect: bool = False
    ways: tuple = ("post", "basic")  # that it may say its secret
    until: float = 0                # of its secret; 0: for ever
    certificate: str | None = None  # file; authenticates by assertion
    algorithms: tuple = ("PS256",)  # of its assertions
    trusted: str | None = None      # an assertion of somebody else's


@dataclass
class Grant:
    """What one sign-in produced; the family of its refresh tokens."""
    client_id: str
    user: str
    scopes: tuple
    tenant: str | None = None
    claims: dict = field(default_factory=dict)
    refresh: str | None = None
    refresh_expires: float = 0
    used: set = field(default_factory=set)
    newest: str | None = None       # access token
    revoked: bool = False


@dataclass
class Access:
    """An access token and whose it is."""
    token: str
    grant: Grant
    scopes: tuple
    issued: float
    expires: float


@dataclass
class Device:
    """A device code and what became of it."""
    device_code: str
    user_code: str
    client_id: str
    scopes: tuple
    tenant: str | None
    interval: float
    expires: float
    state: str = "pending"          # approved, denied, expired, used
    user: str = ""
    claims: dict = field(default_factory=dict)
    polls: list = field(default_factory=list)
    answers: list = field(default_factory=list)  # errors to give first


@dataclass
class Code:
    """An authorization code, bound to its PKCE challenge."""
    code: str
    grant: Grant
    redirect_uri: str
    challenge: str
    nonce: str | None
    expires: float
    used: bool = False


@dataclass
class Seeded:
    """What Idp.seed() hands to a test."""
    refresh_token: str
    access_token: str
    expires: int
    grant: Grant


def subject(user):
    """What stands for a user in claims."""
    return hashlib.sha256(user.encode()).hexdigest()[:24]


def make_token(length, alphabet=BASE64URL):
    """A random string of this length."""
    size = len(alphabet)
    table = bytes(ord(alphabet[i % size]) for i in range(256))
    return os.urandom(length).translate(table).decode("ascii")


def b64url(raw):
    """base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def make_jwt(claims, key=None):
    """A JWT, HS256 with a key, else unsigned."""
    head = {"alg": "HS256" if key else "none", "typ": "JWT"}
    text = ".".join(b64url(json.dumps(part).encode())
                    for part in (head, claims))
    if key is None:
        return text + "."
    mac = hmac.new(key.encode(), text.encode(), hashlib.sha256)
    return text + "." + b64url(mac.digest())


class Store:
    """The provider's memory."""

    def __init__(self, clock):
        self.lock = threading.RLock()
        self.settings = Settings()
        self.offset = 0.0
        self.clients = {}
        self.grants = []
        self.access = {}
        self.refresh = {}
        self.devices = {}
        self.codes = {}
        self.service_accounts = {}  # by address; see assertion.py
        self.assertions = set()     # jti that were seen
        self._secrets = set()
        self._clock = clock

    def now(self):
        """The provider's clock, in Unix seconds.  Needs no lock."""
        return self._clock() + self.offset

    def set(self, changes):
        """Change settings by name; KeyError for an unknown one."""
        known = {f.name for f in fields(Settings)}
        for name in changes:
            if name not in known:
                raise KeyError(f"no setting {name}")
        for name, value in changes.items():
            setattr(self.settings, name, value)

    def keep_secret(self, value):
        """Remember a secret and return it."""
        with self.lock:
            self._secrets.add(value)
        return value

    def secrets(self, shortest):
        """Every secret of at least this length.  Needs no lock."""
        with self.lock:
            return {s for s in self._secrets if len(s) >= shortest}

    def new_grant(self, client_id, user, scopes, tenant=None, claims=None):
        """A fresh grant without any token."""
        grant = Grant(client_id, user, tuple(scopes), tenant, claims or {})
        self.grants.append(grant)
        return grant

    def new_refresh(self, grant):
        """The next refresh token of a grant; the one before is spent."""
        if grant.refresh is not None:
            grant.used.add(grant.refresh)
        token = self.keep_secret(make_token(self.settings.refresh_length))
        grant.refresh = token
        grant.refresh_expires = self.now() + self.settings.refresh_life
        self.refresh[token] = grant
        return token

    def new_access(self, grant, scopes, life=None):
        """A new access token of a grant."""
        now = self.now()
        life = self.settings.access_life if life is None else life
        token = self.keep_secret(self._access_text(grant, now + life))
        entry = Access(token, grant, tuple(scopes), now, now + life)
        self.access[token] = entry
        grant.newest = token
        return entry

    def _access_text(self, grant, expires):
        length = self.settings.access_length
        aud = self.settings.access_aud
        if not aud:
            return make_token(length, self.settings.alphabet)
        claims = {"aud": aud, "upn": grant.user, "exp": int(expires),
                  "jti": make_token(16)}
        claims["pad"] = "x" * max(0, (length - 200) * 3 // 4)
        return make_jwt(claims, make_token(32))

    def live_access(self, token):
        """The entry of a token that is good now, or None."""
        entry = self.access.get(token)
        if entry is None or entry.grant.revoked:
            return None
        return entry if entry.expires > self.now() else None

    def new_device(self, client_id, scopes, tenant):
        """A new device code with its user code."""
        code = self.keep_secret(make_token(160))
        user_code = make_token(8, USER_CODE)
        user_code = user_code[:4] + "-" + user_code[4:]
        device = Device(code, user_code, client_id, tuple(scopes), tenant,
                        self.settings.interval,
                        self.now() + self.settings.device_life)
        self.devices[code] = device
        return device

    def device_of(self, user_code):
        """The device by user code (case and dash do not matter)."""
        wanted = user_code.replace("-", "").upper()
        for device in reversed(list(self.devices.values())):
            if device.user_code.replace("-", "") == wanted:
                return device
        raise KeyError(f"no user code {user_code}")
