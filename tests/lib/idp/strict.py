# SPDX-License-Identifier: BSD-2-Clause
"""Reading requests as strictly as any real provider might.

Owns: the form grammar and client authentication (RFC 6749 2.3, 3.2 and
appendix B).  Knows no grant.  A Refusal says in `why`, without quoting
any value, what was wrong; tests read it.
"""

import base64
import binascii
import hmac
import re
import time
import urllib.parse

FORM_TYPE = "application/x-www-form-urlencoded"
ENCODED = re.compile(r"(?:[A-Za-z0-9*\-._~+]|%[0-9A-Fa-f]{2})*")
# What RFC 3986 lets stand in a query; other software's clients may use it.
LENIENT = re.compile(r"(?:[A-Za-z0-9*\-._~+!$'(),;:@/?]|%[0-9A-Fa-f]{2})*")

SECRET_PARAMETERS = frozenset((
    "client_secret", "refresh_token", "device_code", "code",
    "code_verifier", "client_assertion", "assertion", "token", "password"))


class Refusal(Exception):
    """A request is refused: HTTP status, OAuth error word, reason.

    number is the AADSTS number shown when the URL had the Microsoft
    shape."""

    def __init__(self, error, why, status=400, number=90013, headers=None):
        super().__init__(why)
        self.error = error
        self.why = why
        self.status = status
        self.number = number
        self.headers = headers or {}


def parse_pairs(raw, grammar=ENCODED):
    """Decode a form body to a dict; raise Refusal for any looseness."""
    try:
        text = raw.decode("ascii")
    except UnicodeDecodeError:
        raise Refusal("invalid_request", "body not encoded: 8-bit byte")
    if not text:
        return {}
    form = {}
    for pair in text.split("&"):
        name, sign, value = pair.partition("=")
        if not name or not sign:
            raise Refusal("invalid_request", "parameter is not name=value")
        if not grammar.fullmatch(name):
            raise Refusal("invalid_request", "parameter name not encoded")
        name = _decode(name)
        if not grammar.fullmatch(value):
            raise Refusal("invalid_request", f"value not encoded: {name}")
        if name in form:
            raise Refusal("invalid_request", f"repeated parameter: {name}")
        form[name] = _decode(value)
        if not form[name]:
            raise Refusal("invalid_request", f"empty parameter: {name}")
    return form


def _decode(text):
    try:
        value = urllib.parse.unquote_plus(text, errors="strict")
    except UnicodeDecodeError:
        raise Refusal("invalid_request", "parameter is not UTF-8")
    if "\0" in value:
        raise Refusal("invalid_request", "NUL in a parameter")
    return value


def read_form(request, lenient=False):
    """Check method, query and type of a POST, and return its form."""
    if request.method != "POST":
        raise Refusal("invalid_request", f"method {request.method}",
                      status=405, headers={"Allow": "POST"})
    if request.query and not (request.endpoint == "device"
                              and re.fullmatch(r"mkt=[A-Za-z-]+",
                                               request.query)):
        raise Refusal("invalid_request", "parameters in the URL")
    kind = request.headers.get("content-type", "")
    word, _, rest = kind.partition(";")
    if word.strip().lower() != FORM_TYPE or rest.strip().lower() not in (
            "", "charset=utf-8"):
        raise Refusal("invalid_request", "wrong Content-Type")
    return parse_pairs(request.body, LENIENT if lenient else ENCODED)


def need(form, *names):
    """Return the values of parameters that have to be there."""
    for name in names:
        if name not in form:
            raise Refusal("invalid_request", f"missing parameter: {name}",
                          number=900144)
    return [form[name] for name in names]


def _basic(header):
    word, _, blob = header.partition(" ")
    if word.lower() != "basic":
        raise Refusal("invalid_client", "Authorization is not Basic", 401)
    try:
        text = base64.b64decode(blob, validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        raise Refusal("invalid_client", "Basic is not base64", 401)
    name, sign, secret = text.partition(":")
    if not sign or not LENIENT.fullmatch(name) or not LENIENT.fullmatch(
            secret):
        raise Refusal("invalid_client", "Basic is not form-encoded", 401)
    return _decode(name), _decode(secret)


def credentials(request):
    """The client id and secret (or None) that a request carries."""
    form = request.form
    header = request.headers.get("authorization")
    if header is None:
        return form.get("client_id"), form.get("client_secret")
    client_id, secret = _basic(header)
    if "client_secret" in form:
        raise Refusal("invalid_request", "two client authentications")
    if form.get("client_id", client_id) != client_id:
        raise Refusal("invalid_request", "two client ids")
    return client_id, secret


def authenticate(request, clients, clock=time.time):
    """Return the client that sent the request, or raise Refusal."""
    client_id, secret = credentials(request)
    request.client_id = client_id
    basic = {"WWW-Authenticate": 'Basic realm="idp"'}
    if client_id is None:
        raise Refusal("invalid_request", "missing parameter: client_id",
                      number=900144)
    client = clients.get(client_id)
    if client is None:
        if request.tenant:
            raise Refusal("unauthorized_client", "unknown client_id",
                          number=700016)
        raise Refusal("invalid_client", "unknown client_id", 401,
                      headers=basic)
    if client.secret is None:
        if secret is not None:
            raise Refusal("invalid_request",
                          "client_secret sent by a public client",
                          number=700025)
        return client
    if secret is None:
        raise Refusal("invalid_client", "client_secret missing", 401,
                      7000218, basic)
    if ("post" if "client_secret" in request.form else "basic") not in \
            client.ways:
        raise Refusal("invalid_client", "client_secret sent the other way",
                      401, 7000215, basic)
    if client.until and client.until <= clock():
        raise Refusal("invalid_client", "client_secret expired", 401,
                      7000222, basic)
    if not hmac.compare_digest(secret.encode(), client.secret.encode()):
        raise Refusal("invalid_client", "client_secret wrong", 401,
                      7000215, basic)
    return client
