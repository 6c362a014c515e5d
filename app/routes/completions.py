"""`POST /completions`: OpenAI Completions, text after a prompt."""

from __future__ import annotations

from flask import Blueprint, Response

from app.dialects import openai_completions
from app.routes.edge import answer_in

bp = Blueprint("completions", __name__)


@bp.post("/completions")
def create() -> Response:
    return answer_in(openai_completions)
