# SPDX-License-Identifier: BSD-2-Clause
"""The endpoints of the identity provider, without HTTP.

Owns: what the endpoints that give tokens answer (RFC 6749, 8628, 7636
S256) in the generic and in the Microsoft URL shape.  Each takes a
Request and returns an Answer or raises strict.Refusal.
"""

import hashlib
import html
import re
import urllib.parse

from . import assertion, faults, store, strict
from .about import About, Answer, page
from .strict import Refusal

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
VERIFIER = re.compile(r"[A-Za-z0-9\-._~]{43,128}")
CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")


class Oauth(About):
    """The endpoints over one Store; answer() is the only entry."""

    def __init__(self, memory, base_url):
        super().__init__(memory, base_url)
        self._grants = {
            DEVICE_GRANT: self._by_device_code,
            "refresh_token": self._by_refresh_token,
            "authorization_code": self._by_code,
            "client_credentials": self._by_client}

    def answer(self, request):
        """Answer one request, a refusal included."""
        with self.store.lock:
            try:
                return getattr(self, request.endpoint)(request)
            except Refusal as refusal:
                request.error = refusal.error
                request.why = refusal.why
                return self._refused(request, refusal)

    def canned_token(self):
        """A good token answer that touches no grant."""
        settings = self.store.settings
        token = store.make_token(settings.access_length, settings.alphabet)
        return Answer({"token_type": "Bearer",
                       "expires_in": settings.access_life,
                       "access_token": self.store.keep_secret(token)})

    @staticmethod
    def _refused(request, refusal):
        if request.tenant:
            data = faults.aadsts_body(refusal.number, refusal.error,
                                      refusal.why)
        else:
            data = {"error": refusal.error, "error_description": refusal.why}
        return Answer(data, refusal.status, headers=refusal.headers)

    # -- device -----------------------------------------------------------

    def device(self, request):
        """POST /device and /TENANT/oauth2/v2.0/devicecode."""
        request.form = strict.read_form(request)
        if "client_secret" in request.form and request.tenant:
            raise Refusal("invalid_request", "client_secret sent here")
        client = strict.authenticate(request, self.store.clients,
                                     self.store.now)
        if request.tenant:
            strict.need(request.form, "scope")
        self._check_grant(client, DEVICE_GRANT)
        scopes = self._scopes(client, request.form.get("scope", ""))
        device = self.store.new_device(client.client_id, scopes,
                                       request.tenant)
        return Answer(self._device_answer(device, request.tenant))

    def _device_answer(self, device, tenant):
        """The answer; settings.device_variants change it: no-interval,
        verification_url, no-message, complete, string-numbers."""
        variants = self.store.settings.device_variants
        settings = self.store.settings
        url = f"{self._base_url()}/activate"
        data = {"device_code": device.device_code,
                "user_code": device.user_code,
                "verification_uri": url,
                "expires_in": settings.device_life,
                "interval": settings.interval}
        if tenant and "no-message" not in variants:
            data["message"] = (
                f"To sign in, use a web browser to open the page {url} and "
                f"enter the code {device.user_code} to authenticate.")
        if "no-interval" in variants:
            del data["interval"]
            device.interval = 5
        if "verification_url" in variants:
            data["verification_url"] = data.pop("verification_uri")
        if "complete" in variants:
            data["verification_uri_complete"] = (
                f"{url}?user_code={device.user_code}")
        if "string-numbers" in variants:
            data = {name: str(value) for name, value in data.items()}
        return data

    def _by_device_code(self, request, client):
        code, = strict.need(request.form, "device_code")
        device = self.store.devices.get(code)
        tenant = request.tenant
        if device is None or device.client_id != client.client_id:
            raise Refusal("bad_verification_code" if tenant else
                          "invalid_grant", "unknown device code",
                          number=70018)
        if device.tenant != tenant:
            raise Refusal("invalid_grant", "device code of another tenant",
                          number=700005)
        if device.state == "used":
            raise Refusal("invalid_grant", "device code reuse", number=90120)
        self._poll(device)
        if device.answers:
            self._say(device, device.answers.pop(0), "as told to")
        if self.store.now() >= device.expires:
            device.state = "expired"
        if device.state == "pending":
            self._say(device, "authorization_pending", "not yet approved")
        if device.state == "expired":
            self._say(device, "expired_token", "device code expired")
        if device.state == "denied":
            self._say(device, "authorization_declined" if tenant else
                      "access_denied", "the user said no")
        device.state = "used"
        grant = self.store.new_grant(client.client_id, device.user,
                                     device.scopes, tenant, device.claims)
        return self._tokens(request, grant, device.scopes)

    def _poll(self, device):
        now = self.store.now()
        early = any(now - at < device.interval for at in device.polls[-1:])
        device.polls.append(now)
        if early:
            self._say(device, "slow_down", "polled faster than interval")

    @staticmethod
    def _say(device, error, why):
        if error == "slow_down":
            device.interval += 5
        number = {"authorization_pending": 70016, "expired_token": 70019}
        raise Refusal(error, why, number=number.get(error, 70018))

    def activate(self, request):
        """The page where a person types the user code."""
        if request.method == "GET":
            asked = urllib.parse.parse_qs(request.query)
            code = html.escape(asked.get("user_code", [""])[0], quote=True)
            return page(
                "<h1>Sign in a device</h1><form method=post>"
                f"<p>Code <input name=user_code value=\"{code}\">"
                "<p>Address <input name=user>"
                "<p><button name=verdict value=approved>Yes</button> "
                "<button name=verdict value=denied>No</button></form>")
        form = strict.read_form(request, lenient=True)
        code, verdict = strict.need(form, "user_code", "verdict")
        try:
            device = self.store.device_of(code)
        except KeyError:
            return page("<p>No such code.", 400)
        if device.state != "pending" or verdict not in ("approved",
                                                        "denied"):
            return page("<p>This code cannot be used any more.", 400)
        if verdict == "approved":
            device.user, = strict.need(form, "user")
        device.state = verdict
        return page("<p>Done. You may close this window.")

    # -- tokens -----------------------------------------------------------

    def token(self, request):
        """POST /token and /TENANT/oauth2/v2.0/token."""
        request.form = strict.read_form(request)
        kind, = strict.need(request.form, "grant_type")
        if kind == assertion.JWT_BEARER:
            return self._by_service_account(request)
        client = self._client_of(request)
        exchange = self._grants.get(kind)
        if exchange is None:
            raise Refusal("unsupported_grant_type", "unknown grant_type",
                          number=70003)
        self._check_grant(client, kind)
        return exchange(request, client)

    def _client_of(self, request):
        """The client, by secret or by assertion."""
        form = request.form
        client = self.store.clients.get(form.get("client_id"))
        if client is None or not (client.certificate or client.trusted):
            return strict.authenticate(request, self.store.clients,
                                       self.store.now)
        request.client_id = client.client_id
        if "client_secret" in form or "authorization" in request.headers:
            raise Refusal("invalid_request", "two client authentications")
        kind, jwt = strict.need(form, "client_assertion_type",
                                "client_assertion")
        if kind != assertion.CLIENT_JWT:
            raise Refusal("invalid_client", "client_assertion_type", 401)
        if client.trusted is not None:
            if jwt != client.trusted:
                raise Refusal("invalid_client", "assertion not trusted", 401)
            return client
        assertion.check_client(jwt, client,
                               self._base_url() + request.path,
                               self.store.now(), self.store.assertions)
        return client

    def _by_service_account(self, request):
        jwt, = strict.need(request.form, "assertion")
        if set(request.form) != {"grant_type", "assertion"}:
            raise Refusal("invalid_request", "more than an assertion")
        user, scopes = assertion.check_service_account(
            jwt, self.store.service_accounts,
            self._base_url() + request.path, self.store.now())
        grant = self.store.new_grant("service-account", user, scopes,
                                     request.tenant)
        return Answer(self._access(request, grant, scopes))

    @staticmethod
    def _check_grant(client, kind):
        if client.grants is not None and kind not in client.grants:
            raise Refusal("unauthorized_client",
                          "grant_type not allowed for this client",
                          number=7000218)

    @staticmethod
    def _scopes(client, text):
        scopes = text.split()
        if len(set(scopes)) != len(scopes) or text != " ".join(scopes):
            raise Refusal("invalid_scope", "scope is not a list of words",
                          number=70011)
        if client.scopes is not None and not set(scopes) <= set(
                client.scopes):
            raise Refusal("invalid_scope", "scope not known", number=70011)
        return scopes

    def _tokens(self, request, grant, scopes, nonce=None):
        """The answer for a new grant."""
        settings = self.store.settings
        scopes = grant.scopes = tuple(
            s for s in scopes if s not in settings.withheld)
        data = self._access(request, grant, scopes)
        needed = settings.need_offline_access
        if needed is None:
            needed = bool(request.tenant)
        if not needed or "offline_access" in scopes:
            data["refresh_token"] = self.store.new_refresh(grant)
        if settings.id_token and "openid" in scopes:
            data["id_token"] = self._id_token(grant, nonce)
        return Answer(data)

    def _access(self, request, grant, scopes):
        settings = self.store.settings
        entry = self.store.new_access(grant, scopes)
        data = {"token_type": "Bearer", "expires_in": settings.access_life,
                "access_token": entry.token}
        shown = [s for s in scopes
                 if not (request.tenant and s == "offline_access")]
        data["scope"] = " ".join(shown)
        if settings.scope_answer is not None:
            data["scope"] = settings.scope_answer
        if not data["scope"]:
            del data["scope"]
        if request.tenant:
            data["ext_expires_in"] = settings.access_life
        if settings.refresh_in is not None:
            data["refresh_in"] = settings.refresh_in
        return data

    def _id_token(self, grant, nonce):
        now = int(self.store.now())
        claims = {"iss": self._issuer(grant.tenant), "aud": grant.client_id,
                  "sub": store.subject(grant.user),
                  "iat": now, "exp": now + 3600, "email": grant.user,
                  "preferred_username": grant.user}
        if nonce:
            claims["nonce"] = nonce
        claims.update(grant.claims)
        claims = {k: v for k, v in claims.items() if v is not None}
        key = self.store.clients[grant.client_id].secret
        return self.store.keep_secret(store.make_jwt(claims, key))

    def _by_refresh_token(self, request, client):
        token, = strict.need(request.form, "refresh_token")
        memory = self.store
        grant = memory.refresh.get(token)
        if grant is None or grant.client_id != client.client_id:
            raise Refusal("invalid_grant", "unknown refresh token",
                          number=70000)
        if request.tenant in memory.settings.scope_tenants:
            strict.need(request.form, "scope")
        if grant.revoked:
            raise Refusal("invalid_grant", "grant revoked", number=50173)
        if token in grant.used and memory.settings.reuse_detection:
            grant.revoked = True
            request.reuse = True
            raise Refusal("invalid_grant", "refresh token reuse",
                          number=70000)
        if memory.now() >= grant.refresh_expires:
            raise Refusal("invalid_grant", "refresh token expired",
                          number=700082)
        scopes = self._scopes(client, request.form.get(
            "scope", " ".join(grant.scopes)))
        if not set(scopes) <= set(grant.scopes):
            raise Refusal("invalid_scope", "scope wider than granted",
                          number=70011)
        data = self._access(request, grant, scopes)
        if memory.settings.rotation:
            data["refresh_token"] = memory.new_refresh(grant)
        elif memory.settings.repeat_refresh:
            data["refresh_token"] = token
        if memory.settings.id_token and "openid" in scopes:
            data["id_token"] = self._id_token(grant, None)
        return Answer(data)

    def _by_client(self, request, client):
        if not (client.secret or client.certificate or client.trusted):
            raise Refusal("unauthorized_client",
                          "client_credentials by a public client",
                          number=7000218)
        if request.tenant:
            scope, = strict.need(request.form, "scope")
            if not scope.endswith("/.default"):
                raise Refusal("invalid_scope", "scope is not /.default",
                              number=70011)
        scopes = self._scopes(client, request.form.get("scope", ""))
        grant = self.store.new_grant(client.client_id, "", scopes,
                                     request.tenant)
        return Answer(self._access(request, grant, scopes))

    # -- authorization code -----------------------------------------------

    def authorize(self, request):
        """GET /authorize and /TENANT/oauth2/v2.0/authorize.

        The person at the browser is settings.browser_user, else who the
        page was told, else the login_hint; settings.browser_error ends the
        sign-in with it."""
        if request.method != "GET":
            raise Refusal("invalid_request", f"method {request.method}", 405)
        form = request.form = strict.parse_pairs(
            request.query.encode(), strict.LENIENT)
        client_id, target = strict.need(form, "client_id", "redirect_uri")
        request.client_id = client_id
        client = self.store.clients.get(client_id)
        if client is None:
            raise Refusal("invalid_request", "unknown client_id",
                          number=700016)
        if "#" in target or re.sub(r":\d+(?=/|$)|/$", "", target) not in [
                re.sub(r":\d+(?=/|$)|/$", "", r) for r in client.redirects]:
            raise Refusal("invalid_request", "redirect_uri not registered",
                          number=50011)
        if self.store.settings.browser_page and "verdict" not in form:
            return self._ask_person(form)
        back = {"state": form["state"]} if "state" in form else {}
        try:
            back["code"] = self._new_code(request, client)
        except Refusal as refusal:
            request.error, request.why = refusal.error, refusal.why
            back["error"] = refusal.error
            back["error_description"] = \
                self.store.settings.browser_text or refusal.why
        if self.store.settings.iss_in_redirect:
            back["iss"] = self.store.settings.browser_iss or \
                self._issuer(request.tenant)
        joint = "&" if "?" in target else "?"
        return Answer(status=302, headers={
            "Location": target + joint + urllib.parse.urlencode(back)})

    @staticmethod
    def _ask_person(form):
        """The page where a person signs in; it asks for itself again."""
        kept = "".join(
            f'<input type=hidden name="{html.escape(name)}" '
            f'value="{html.escape(value)}">' for name, value in form.items())
        hint = html.escape(form.get("login_hint", ""))
        return page(f"<h1>Sign in</h1><form method=get>{kept}"
                    f'<p>Address <input name=user value="{hint}">'
                    "<p><button name=verdict value=yes>Allow</button> "
                    "<button name=verdict value=no>Deny</button></form>")

    def _new_code(self, request, client):
        form, settings = request.form, self.store.settings
        kind, challenge, method, _, scope = strict.need(
            form, "response_type", "code_challenge",
            "code_challenge_method", "state", "scope")
        if kind != "code":
            raise Refusal("unsupported_response_type", "not code")
        if method != "S256" or not CHALLENGE.fullmatch(challenge):
            raise Refusal("invalid_request", "PKCE challenge is not S256")
        self._check_grant(client, "authorization_code")
        scopes = self._scopes(client, scope)
        user = settings.browser_user or form.get("user") or \
            form.get("login_hint")
        if settings.browser_error or not user or \
                form.get("verdict") == "no":
            raise Refusal(settings.browser_error or "access_denied",
                          "sign-in was not completed")
        grant = store.Grant(client.client_id, user, tuple(scopes),
                            request.tenant)
        code = self.store.keep_secret(store.make_token(600))
        self.store.codes[code] = store.Code(
            code, grant, form["redirect_uri"], challenge, form.get("nonce"),
            self.store.now() + settings.code_life)
        return code

    def _by_code(self, request, client):
        text, target, verifier = strict.need(
            request.form, "code", "redirect_uri", "code_verifier")
        code = self.store.codes.get(text)
        if code is None or code.grant.client_id != client.client_id:
            raise Refusal("invalid_grant", "unknown code", number=70000)
        if code.used:
            code.grant.revoked = True
            raise Refusal("invalid_grant", "code reuse", number=54005)
        code.used = True
        if self.store.now() >= code.expires:
            raise Refusal("invalid_grant", "code expired", number=70008)
        if target != code.redirect_uri:
            raise Refusal("invalid_grant", "another redirect_uri",
                          number=50011)
        if code.grant.tenant != request.tenant:
            raise Refusal("invalid_grant", "code of another tenant",
                          number=700005)
        digest = store.b64url(hashlib.sha256(verifier.encode()).digest())
        if not VERIFIER.fullmatch(verifier) or digest != code.challenge:
            raise Refusal("invalid_grant", "PKCE mismatch", number=501481)
        self.store.grants.append(code.grant)
        return self._tokens(request, code.grant, code.grant.scopes,
                            code.nonce)
