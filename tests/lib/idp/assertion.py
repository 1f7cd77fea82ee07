# SPDX-License-Identifier: BSD-2-Clause
"""Signed assertions (RFC 7523), checked with openssl(1).

Owns: taking a JWT apart and every check of header, signature and claims,
for clients with a certificate and for service accounts.  Uses no code of
the project.
"""

import base64
import json
import re
import subprocess
import tempfile
from pathlib import Path

from .strict import Refusal

CLIENT_JWT = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
PADDING = {"RS256": [], "PS256": ["-sigopt", "rsa_padding_mode:pss",
                                  "-sigopt", "rsa_pss_saltlen:32"]}
SKEW = 300


def _openssl(*args, data=None):
    return subprocess.run(["openssl", *args], input=data,
                          capture_output=True)


def decode(text):
    """Bytes of base64url without padding."""
    if not re.fullmatch(r"[A-Za-z0-9_-]+", text):
        raise ValueError("not base64url")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def take_apart(jwt):
    """Header, claims, signed bytes and signature."""
    head, claims, signature = jwt.split(".")
    return (json.loads(decode(head)), json.loads(decode(claims)),
            f"{head}.{claims}".encode(), decode(signature))


def thumbprint(certificate):
    """base64url(SHA-256 of the DER certificate), by openssl."""
    der = _openssl("x509", "-in", certificate, "-outform", "DER").stdout
    digest = _openssl("dgst", "-sha256", "-binary", data=der).stdout
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def public_key(certificate):
    """The public key of a certificate in PEM form."""
    return _openssl("x509", "-in", certificate, "-noout",
                    "-pubkey").stdout.decode()


def is_signed(public, algorithm, signed, signature):
    """Whether the signature is that of the key."""
    with tempfile.TemporaryDirectory() as folder:
        key, sig = Path(folder, "key"), Path(folder, "signature")
        key.write_text(public)
        sig.write_bytes(signature)
        return _openssl("dgst", "-sha256", *PADDING[algorithm], "-verify",
                        str(key), "-signature", str(sig),
                        data=signed).returncode == 0


def _refuse(error, why, number, text=None):
    refusal = Refusal(error, text or why, 401 if error == "invalid_client"
                      else 400, number)
    refusal.why = why
    return refusal


def _times(claims, now, error, life_max):
    if now < claims["nbf"] - SKEW or now >= claims["exp"] + SKEW:
        raise _refuse(error, "Invalid JWT: Token must be a short-lived token "
                      "(60 minutes) and in a reasonable timeframe.", 700024)
    if claims["exp"] - claims["iat"] > life_max:
        raise _refuse(error, "assertion lives too long", 700024)


def check_client(jwt, client, audience, now, seen):
    """A client assertion with a certificate."""
    try:
        header, claims, signed, signature = take_apart(jwt)
    except ValueError:
        raise _refuse("invalid_client", "client_assertion is no JWT", 50027)
    if set(header) != {"alg", "typ", "x5t#S256"} or header["typ"] != "JWT" \
            or header["alg"] not in client.algorithms:
        raise _refuse("invalid_client", "header of the assertion", 50027)
    if header["x5t#S256"] != thumbprint(client.certificate):
        raise _refuse("invalid_client", "unknown certificate", 700027)
    if not is_signed(public_key(client.certificate), header["alg"], signed,
                     signature):
        raise _refuse("invalid_client", "signature is wrong", 700027)
    if claims["iss"] != client.client_id or \
            claims["sub"] != client.client_id:
        raise _refuse("invalid_client", "iss and sub", 700030)
    if claims["aud"] != audience:
        raise _refuse("invalid_client", "aud is not this endpoint", 700023)
    if not GUID.fullmatch(claims["jti"]) or claims["jti"] in seen:
        raise _refuse("invalid_client", "jti", 50027)
    seen.add(claims["jti"])
    _times(claims, now, "invalid_client", 600)
    return claims


def check_service_account(jwt, accounts, audience, now):
    """A grant of a service account; who it is for and the scope."""
    try:
        header, claims, signed, signature = take_apart(jwt)
    except ValueError:
        raise _refuse("invalid_grant", "Invalid JWT", 70000)
    account = accounts.get(claims.get("iss"))
    if account is None:
        raise _refuse("invalid_grant", "unknown service account", 70000)
    if header != {"alg": "RS256", "typ": "JWT", "kid": account["kid"]} or \
            not is_signed(account["public"], "RS256", signed, signature):
        raise _refuse("invalid_grant", "Invalid JWT Signature.", 70000)
    if claims["aud"] != audience:
        raise _refuse("invalid_grant", "aud is not this endpoint", 70000)
    _times(claims, now, "invalid_grant", 3600)
    if claims["scope"] not in account["scopes"]:
        raise _refuse("unauthorized_client", "Client is unauthorized to "
                      "retrieve access tokens using this method, or client "
                      "not authorized for any of the scopes requested.", 0)
    if claims["sub"] not in account["users"]:
        raise _refuse("invalid_grant", "Invalid email or User ID", 70000)
    return claims["sub"], claims["scope"].split()
