"""`POST /messages`: Anthropic Messages."""

from __future__ import annotations

from flask import Blueprint, Response

from app.dialects import anthropic_messages
from app.routes.edge import answer_in

bp = Blueprint("messages", __name__)


@bp.post("/messages")
def create() -> Response:
    return answer_in(anthropic_messages)
