"""`GET /health` and `HEAD /`: is the gateway there, and what could it serve?"""

from __future__ import annotations

import time
from typing import Any

from flask import Blueprint, Response, current_app, jsonify, request

from app.gateway import Gateway
from app.types import Target

bp = Blueprint("health", __name__)


@bp.route("/", methods=["GET", "HEAD"])
def root() -> Response:
    return jsonify(name="LocalCode", models="/v1/models", health="/health")


@bp.get("/health")
def health() -> Response:
    """Calls nobody; with `?probe=1` every available target is asked for its model list."""
    gateway: Gateway = current_app.extensions["gateway"]
    catalog = gateway.catalog
    targets = {name: catalog.targets[name] for name in catalog.aliases}
    probes = _probed(targets) if request.args.get("probe") in ("1", "true") else {}
    return jsonify(
        status="ok",
        provider="localcode",
        version=current_app.config["VERSION"],
        uptime_seconds=round(time.monotonic() - current_app.config["STARTED"], 3),
        targets={name: _state(target) | probes.get(name, {}) for name, target in targets.items()},
    )


def _state(target: Target) -> dict[str, Any]:
    if target.unavailable:
        return {"available": False, "reason": target.unavailable}
    return {"available": True}


def _probed(targets: dict[str, Target]) -> dict[str, dict[str, Any]]:
    from app.backends.probe import probe_all  # requests costs start-up time, and nobody probes at start

    return probe_all({name: target for name, target in targets.items() if target.unavailable is None})
