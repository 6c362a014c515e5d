"""`POST /embeddings`: OpenAI Embeddings."""

from __future__ import annotations

from flask import Blueprint, Response

from app.dialects import openai_embeddings
from app.routes.edge import answer_in

bp = Blueprint("embeddings", __name__)


@bp.post("/embeddings")
def create() -> Response:
    return answer_in(openai_embeddings)
