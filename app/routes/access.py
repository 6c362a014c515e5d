"""Who may come in: client keys, request ids, loops, and browsers from other origins."""

from __future__ import annotations

import hmac
from hashlib import sha256

from flask import Flask, Request, Response, g, request

from app import logs
from app.config.settings import Settings
from app.errors import LoopDetected, WrongKey
from app.routes.edge import client_of

OPEN_PATHS = {"/health", "/v1/health"}
EXPOSED = ("x-request-id", "x-localcode-target", "x-localcode-attempts", "retry-after")


def guard(app: Flask, settings: Settings, via: str) -> None:
    """Makes every request pass: it gets an id, must not be one of our own, and must hold a key."""

    @app.before_request
    def enter() -> None:
        g.client = client_of(request)
        logs.tag(g.client.request_id)
        if via in request.headers.get("via", ""):
            raise LoopDetected(
                "this request has been through this gateway before: one of its providers leads back to it"
            )
        if settings.api_keys and needs_key(request) and not has_key(request, settings.api_keys):
            raise WrongKey(
                "a key of this gateway is needed, as 'Authorization: Bearer <key>' or 'x-api-key: <key>'"
                " (LOCALCODE_API_KEYS names them)"
            )

    @app.after_request
    def sign(response: Response) -> Response:
        response.headers["x-request-id"] = g.client.request_id
        return response

    if settings.cors_origins:
        from flask_cors import CORS

        CORS(app, origins=list(settings.cors_origins), expose_headers=list(EXPOSED))


def needs_key(request: Request) -> bool:
    """All but /health, which must not make the gateway call out either; a CORS preflight carries no key."""
    if request.path in OPEN_PATHS:
        return "probe" in request.args
    return request.method != "OPTIONS"


def has_key(request: Request, digests: frozenset[bytes]) -> bool:
    """Whether the client's key is one of those; takes as long for a near miss as for any other."""
    given = request.headers.get("x-api-key") or ""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        given = token.strip() or given
    digest = sha256(given.encode("utf-8", "surrogateescape")).digest()
    return any([hmac.compare_digest(digest, known) for known in digests])  # noqa: C419  # compare with all
