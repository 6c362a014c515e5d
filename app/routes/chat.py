"""`POST /chat/completions`: OpenAI Chat Completions."""

from __future__ import annotations

from flask import Blueprint, Response

from app.dialects import openai_chat
from app.routes.edge import answer_in

bp = Blueprint("chat", __name__)


@bp.post("/chat/completions")
def create() -> Response:
    return answer_in(openai_chat)
