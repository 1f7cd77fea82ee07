# SPDX-License-Identifier: BSD-2-Clause
"""The endpoints of the identity provider that tell about tokens.

Owns: introspection (RFC 7662), revocation (RFC 7009), userinfo and
discovery (OpenID, RFC 8414), and the Answer that every endpoint gives.
Issues no token.
"""

import json
import re
from dataclasses import dataclass, field

from . import store, strict
from .strict import Refusal


@dataclass
class Answer:
    """An HTTP answer: JSON when data is not None, else the body."""
    data: dict | None = None
    status: int = 200
    body: bytes = b""
    content_type: str = "application/json; charset=utf-8"
    headers: dict = field(default_factory=dict)


def page(text, status=200):
    """A plain HTML page."""
    body = f"<!DOCTYPE html><title>Sign in</title>{text}".encode()
    return Answer(status=status, body=body,
                  content_type="text/html; charset=utf-8",
                  headers={"Referrer-Policy": "no-referrer"})


class About:
    """The endpoints about tokens, over one Store."""

    def __init__(self, memory, base_url):
        self.store = memory
        self._base_url = base_url
        self._grants = {}

    def introspect(self, request):
        """POST /introspect (RFC 7662), by a client that may."""
        request.form = strict.read_form(request, lenient=True)
        client = strict.authenticate(request, self.store.clients,
                                     self.store.now)
        token, = strict.need(request.form, "token")
        if not client.may_introspect:
            raise Refusal("unauthorized_client", "may not introspect", 403)
        return Answer(self.describe(token))

    def describe(self, token):
        """The introspection answer for a token."""
        entry = self.store.live_access(token)
        if entry is None:
            return {"active": False}
        user = entry.grant.user
        data = {"active": True, "scope": " ".join(entry.scopes),
                "client_id": entry.grant.client_id, "token_type": "Bearer",
                "iat": int(entry.issued), "exp": int(entry.expires),
                "iss": self._issuer(entry.grant.tenant)}
        if user:
            data.update(username=user, sub=user, email=user)
        else:
            data.update(sub=entry.grant.client_id, app_only=True)
        return data

    def userinfo(self, request):
        """GET or POST /userinfo with a bearer token."""
        header = request.headers.get("authorization", "")
        word, _, token = header.partition(" ")
        entry = self.store.live_access(token)
        if word.lower() != "bearer" or entry is None:
            raise Refusal("invalid_token", "no live bearer token", 401,
                          headers={"WWW-Authenticate":
                                   'Bearer error="invalid_token"'})
        user = entry.grant.user
        data = {"sub": store.subject(user), "email": user, "name": user,
                "preferred_username": user, **entry.grant.claims,
                **self.store.settings.userinfo}
        return Answer({k: v for k, v in data.items() if v is not None})

    def revoke(self, request):
        """POST /revoke (RFC 7009)."""
        form = request.form = strict.read_form(request)
        token, = strict.need(form, "token")
        hint = form.get("token_type_hint", "refresh_token")
        if hint not in ("refresh_token", "access_token"):
            raise Refusal("unsupported_token_type", "unknown hint")
        client = None
        if self.store.settings.revoke_needs_client or "client_id" in form:
            client = strict.authenticate(request, self.store.clients,
                                         self.store.now)
        grant = self.store.refresh.get(token)
        entry = self.store.access.get(token)
        owner = grant or (entry and entry.grant)
        if owner and client and owner.client_id != client.client_id:
            raise Refusal("invalid_client", "token of another client", 401)
        if grant:
            grant.revoked = True
        elif entry:
            entry.expires = self.store.now()
        return Answer()

    def register(self, request):
        """POST /register (RFC 7591), open to anybody."""
        settings = self.store.settings
        kind = request.headers.get("content-type", "")
        if request.method != "POST" or kind != "application/json":
            raise Refusal("invalid_request", "not a POST of JSON")
        try:
            asked = json.loads(request.body)
        except ValueError:
            raise Refusal("invalid_client_metadata", "no JSON")
        if settings.register_closed:
            raise Refusal("access_denied", "registration is closed", 403)
        self._check_asked(asked)
        made = store.Client(
            "dyn-" + store.make_token(12),
            self.store.keep_secret(store.make_token(40))
            if settings.register_secret else None,
            redirects=tuple(asked["redirect_uris"]),
            ways=(settings.register_way,))
        if settings.register_life:
            made.until = int(self.store.now()) + settings.register_life
        self.store.clients[made.client_id] = made
        data = {**asked, "client_id": made.client_id}
        if made.secret:
            data.update(client_secret=made.secret,
                        client_secret_expires_at=int(made.until),
                        token_endpoint_auth_method="client_secret_" +
                        settings.register_way)
        return Answer(data, 201)

    @staticmethod
    def _check_asked(asked):
        if not isinstance(asked, dict) or not asked.get("redirect_uris"):
            raise Refusal("invalid_redirect_uri", "no redirect_uris")
        for uri in asked["redirect_uris"]:
            if not re.fullmatch(
                    r"http://(localhost|127\.0\.0\.1|\[::1\])/[a-z]*", uri):
                raise Refusal("invalid_redirect_uri", "no loopback URI")
        for name, wanted in (("token_endpoint_auth_method", "none"),
                             ("response_types", ["code"]),
                             ("client_name", "mailtoken")):
            if asked.get(name) != wanted:
                raise Refusal("invalid_client_metadata", f"bad {name}")
        if "refresh_token" not in asked.get("grant_types", ()):
            raise Refusal("invalid_client_metadata", "bad grant_types")
        if not asked.get("scope"):
            raise Refusal("invalid_client_metadata", "no scope")

    def _issuer(self, tenant):
        base = self._base_url()
        return f"{base}/{tenant}/v2.0" if tenant else base

    def discovery(self, request):
        """The OpenID and RFC 8414 documents."""
        base = self._base_url()
        at = f"{base}/{request.tenant}/oauth2/v2.0" if request.tenant else base
        data = {
            "issuer": self._issuer(request.tenant),
            "authorization_endpoint": f"{at}/authorize",
            "token_endpoint": f"{at}/token",
            "device_authorization_endpoint":
                f"{at}/devicecode" if request.tenant else f"{at}/device",
            "userinfo_endpoint": f"{base}/userinfo",
            "introspection_endpoint": f"{base}/introspect",
            "revocation_endpoint": f"{base}/revoke",
            "registration_endpoint": f"{base}/register",
            "jwks_uri": f"{base}/jwks",
            "response_types_supported": ["code"],
            "grant_types_supported": list(self._grants),
            "code_challenge_methods_supported": ["S256"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["HS256", "none"],
            "token_endpoint_auth_methods_supported": [
                "client_secret_post", "client_secret_basic", "none"],
            "scopes_supported": ["openid", "email", "profile",
                                 "offline_access"],
            "authorization_response_iss_parameter_supported":
                self.store.settings.iss_in_redirect}
        data.update(self.store.settings.discovery)
        return Answer({k: v for k, v in data.items() if v is not None})

    @staticmethod
    def jwks(_request):
        """No public keys: id_tokens are HS256 or unsigned."""
        return Answer({"keys": []})
