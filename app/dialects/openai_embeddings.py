"""OpenAI Embeddings: texts go in, a vector for each comes out. Pure."""

from __future__ import annotations

from typing import Any

from app.dialects.openai_chat import encoder, error, relayed, render
from app.dialects.plain import whole
from app.types import DialectName, Request
from app.utils.fields import Types, check_text, check_types, object_in

__all__ = ["encoder", "error", "name", "parse", "relayed", "render"]

name: DialectName = "embeddings"

_TYPES: Types = (
    ("dimensions", int, "a whole number"),
    ("encoding_format", str, '"float" or "base64"'),
)


def parse(body: Any) -> Request:
    """The request in a JSON value; raises BadRequest that names the field and what was found there."""
    body = object_in(body)
    asked = whole(name, body, "embeddings")
    check_text(body, "input")
    check_types(body, _TYPES)
    return asked
