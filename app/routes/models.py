"""`GET /models` and `/models/<alias>`: what can be asked for."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, current_app, jsonify

from app.gateway import Gateway
from app.types import Target
from app.utils.model_resolver import resolve

bp = Blueprint("models", __name__)


@bp.get("/models")
def list_all() -> Response:
    gateway: Gateway = current_app.extensions["gateway"]
    catalog = gateway.catalog
    return jsonify(object="list", data=[described(name, catalog.targets[name]) for name in catalog.aliases])


@bp.get("/models/<path:alias>")
def show(alias: str) -> Response:
    gateway: Gateway = current_app.extensions["gateway"]
    return jsonify(described(alias, resolve(alias, gateway.catalog.targets)))


def described(name: str, target: Target) -> dict[str, Any]:
    """An alias as OpenAI lists models, and what is known about it; never the target's own name."""
    return {
        "id": name,
        "object": "model",
        "created": 0,
        "owned_by": target.provider,
        **target.facts,
        "available": target.unavailable is None,
        **({"unavailable": target.unavailable} if target.unavailable else {}),
    }
