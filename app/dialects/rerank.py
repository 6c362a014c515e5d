"""Rerank, as Cohere, Jina, vLLM and llama-server have it: documents come back by relevance. Pure."""

from __future__ import annotations

from typing import Any

from app.dialects.openai_chat import encoder, error, relayed, render
from app.dialects.plain import whole
from app.errors import BadRequest
from app.types import Body, DialectName, Request
from app.utils.fields import Types, check_types, kind, list_in, object_in, required

__all__ = ["encoder", "error", "name", "parse", "relayed", "render"]

name: DialectName = "rerank"

_TYPES: Types = (
    ("top_n", int, "a whole number"),
    ("return_documents", bool, "true or false"),
    ("rank_fields", list, "a list"),
    ("max_tokens_per_doc", int, "a whole number"),
)


def parse(body: Any) -> Request:
    """The request in a JSON value; raises BadRequest that names the field and what was found there."""
    body = object_in(body)
    asked = whole(name, body, "rankings")
    if not isinstance(query := required(body, "query"), str | dict):
        raise BadRequest(f"'query' must be a text, not {kind(query)}", param="query")
    _check_documents(body)
    check_types(body, _TYPES)
    return asked


def _check_documents(body: Body) -> None:
    for place, document in enumerate(list_in(body, "documents", "a list of texts or objects")):
        if not isinstance(document, str | dict):
            raise BadRequest(
                f"'documents[{place}]' must be a text or an object, not {kind(document)}",
                param=f"documents[{place}]",
            )
