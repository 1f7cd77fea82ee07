# SPDX-License-Identifier: BSD-2-Clause
"""The control interface of the identity provider, for other processes.

POST /control/NAME with a JSON object calls the method of Idp of that
name with it as keyword arguments; GET /control/NAME reads.  Wants
"Authorization: Bearer" with the secret the script printed.  Answers
{"ok": true, "value": ...} or {"ok": false, "error": ...}.
"""

import dataclasses
import hmac
import json

from .about import Answer

CALLS = frozenset((
    "set", "advance", "add_client", "approve", "deny", "expire",
    "device_answers", "revoke", "expire_access", "fault", "clear_faults",
    "forget_requests"))


class Control:
    """Answers what comes below /control/."""

    def __init__(self, idp):
        self._idp = idp

    def answer(self, method, name, body, authorization):
        """Answer one control request."""
        wanted = "Bearer " + self._idp.control_secret
        if not hmac.compare_digest(authorization.encode(), wanted.encode()):
            return Answer({"ok": False, "error": "wrong control secret"}, 403)
        try:
            if method == "GET":
                value = self._read(name)
            else:
                value = self._call(name, json.loads(body or b"{}"))
        except (LookupError, TypeError, ValueError, TimeoutError) as error:
            return Answer({"ok": False, "error": str(error)}, 400)
        return Answer({"ok": True, "value": value})

    def _read(self, name):
        idp = self._idp
        if name == "counts":
            return dict(idp.counts)
        if name == "requests":
            return [self._plain(r) for r in idp.requests]
        if name == "secrets":
            return sorted(idp.secrets())
        if name == "user-codes":
            return idp.user_codes()
        if name == "refusals":
            return idp.refusals()
        if name == "settings":
            return dataclasses.asdict(idp.settings)
        raise LookupError(f"nothing to read at {name}")

    def _call(self, name, arguments):
        idp = self._idp
        if name == "seed":
            seeded = idp.seed(**arguments)
            return {"refresh_token": seeded.refresh_token,
                    "access_token": seeded.access_token,
                    "expires": seeded.expires}
        if name == "current_refresh":
            return idp.current_refresh(**arguments)
        if name == "wait_request":
            return [self._plain(r) for r in idp.wait_request(**arguments)]
        if name not in CALLS:
            raise LookupError(f"no call {name}")
        getattr(idp, name)(**arguments)
        return None

    @staticmethod
    def _plain(request):
        data = dataclasses.asdict(request)
        data["body"] = request.body.decode("latin-1")
        return data
