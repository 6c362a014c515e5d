"""`GET /models` and `/models/<alias>`: what can be asked for."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, current_app, jsonify, request

from app.gateway import Gateway
from app.types import Target
from app.utils.model_resolver import resolve

bp = Blueprint("models", __name__)


@bp.get("/models")
def list_all() -> Response:
    """In Anthropic's form for who speaks it, so that Claude Code finds the aliases by itself."""
    gateway: Gateway = current_app.extensions["gateway"]
    catalog = gateway.catalog
    models = [shaped(name, catalog.targets[name]) for name in catalog.aliases]
    if not speaks_messages():
        return jsonify(object="list", data=models)
    ends = {"first_id": models[0]["id"], "last_id": models[-1]["id"]} if models else {}
    return jsonify(data=models, has_more=False, **{"first_id": None, "last_id": None, **ends})


@bp.get("/models/<path:alias>")
def show(alias: str) -> Response:
    gateway: Gateway = current_app.extensions["gateway"]
    return jsonify(shaped(alias, resolve(alias, gateway.catalog.targets)))


def speaks_messages() -> bool:
    """Whether the client is one of Anthropic's: all of them send this header, and no other does."""
    return "anthropic-version" in request.headers


def shaped(name: str, target: Target) -> dict[str, Any]:
    model = described(name, target)
    if not speaks_messages():
        return model
    return {
        "type": "model",
        "display_name": str(target.facts.get("name") or name),
        "created_at": "1970-01-01T00:00:00Z",
        **model,
    }


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
