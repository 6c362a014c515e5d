"""Who may come in: client keys, request ids, loops, and browsers from other origins."""

from __future__ import annotations

import hmac
from collections.abc import Collection, Mapping
from hashlib import sha256
from urllib.parse import urlsplit

from flask import Flask, Request, Response, g, request

from app import logs
from app.config.settings import Settings
from app.dialects import anthropic_messages
from app.errors import ForeignOrigin, LoopDetected, WrongKey
from app.routes.edge import client_of
from app.routes.failures import dialect_at
from app.utils.addresses import is_loopback
from app.utils.headers import headers_in

OPEN_PATHS = {"/health", "/v1/health"}
EXPOSED = (
    *("x-request-id", "request-id", "retry-after"),
    *("x-localcode-target", "x-localcode-attempts", "x-localcode-reasoning"),
)


def guard(app: Flask, settings: Settings, via: str) -> None:
    """Makes every request pass: it gets an id, must not be one of our own, and must hold a key."""

    @app.before_request
    def enter() -> None:
        headers = headers_in(request.environ)
        owner = owner_of(headers, settings.api_keys)
        g.client = client = client_of(request, headers, owner or "")
        logs.tag(client.request_id)
        if via in headers.get("via", ""):
            raise LoopDetected(
                "this request has been through this gateway before: one of its providers leads back to it"
            )
        if not settings.api_keys and is_foreign(headers.get("origin"), settings.cors_origins):
            raise ForeignOrigin(
                "a web page may not use this gateway unless LOCALCODE_CORS_ORIGINS names its origin"
            )
        if settings.api_keys and owner is None and needs_key(request):
            # Not a word of `x-api-key`: Claude Code takes that for its own login, and says so.
            raise WrongKey(
                "a key of this gateway is needed, as 'Authorization: Bearer <key>'"
                " (LOCALCODE_API_KEYS names them)"
            )

    @app.after_request
    def sign(response: Response) -> Response:
        """Also with Anthropic's name of the id, which its SDK and Claude Code show with an error."""
        id = g.client.request_id
        if dialect_at(request.path) is anthropic_messages:
            response.headers["request-id"] = id
        response.headers["x-request-id"] = id
        return response

    if settings.cors_origins:
        from flask_cors import CORS

        CORS(app, origins=list(settings.cors_origins), expose_headers=list(EXPOSED))


def is_foreign(origin: str | None, allowed: Collection[str]) -> bool:
    """Whether a request comes from a web page of elsewhere.

    Where no key is asked for, any page that somebody has open could post to this machine, without reading the
    answer or (by a name that it lets point here) with. Apps have other schemes; only browsers send an origin.
    """
    if not origin or origin in allowed or "*" in allowed:
        return False
    try:
        place = urlsplit(origin)
    except ValueError:
        return True
    return origin == "null" or (place.scheme in ("http", "https") and not is_loopback(place.hostname or ""))


def needs_key(request: Request) -> bool:
    """All but /health, which must not make the gateway call out either; a CORS preflight carries no key."""
    if request.path.rstrip("/") in OPEN_PATHS:
        return "probe" in request.args
    return request.method != "OPTIONS"


def owner_of(headers: Mapping[str, str], digests: frozenset[bytes]) -> str | None:
    """The digest of the client's key if it is one of those; a near miss takes as long as any other."""
    if not digests:
        return None
    scheme, _, token = headers.get("authorization", "").partition(" ")
    bearer = token.strip() if scheme.lower() == "bearer" else ""
    given = [key for key in (bearer, headers.get("x-api-key", "").strip()) if key]
    found = [sha256(key.encode("utf-8", "surrogateescape")).digest() for key in given]
    known = [digest for digest in found for one in digests if hmac.compare_digest(digest, one)]
    return known[0].hex()[:32] if known else None
