"""`POST /rerank`: documents by relevance, as Cohere, Jina and llama-server have it."""

from __future__ import annotations

from flask import Blueprint, Response

from app.dialects import rerank
from app.routes.edge import answer_in

bp = Blueprint("rerank", __name__)


@bp.post("/rerank")
def create() -> Response:
    return answer_in(rerank)
