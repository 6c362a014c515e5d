"""OpenAI Completions: a prompt goes in, the text that follows it comes out. Pure.

Streams look as chat's do; a prompt has no form in chat.
"""

from __future__ import annotations

from typing import Any

from app.dialects.openai_chat import STREAMABLE, encoder, error, relayed, render, streamable
from app.dialects.plain import no_chat
from app.types import DialectName, Request
from app.utils.fields import Types, check_text, check_types, object_in

__all__ = ["encoder", "error", "name", "parse", "relayed", "render"]

name: DialectName = "completions"

_TYPES: Types = (
    *STREAMABLE,
    ("echo", bool, "true or false"),
    ("suffix", str, "a text"),
    ("best_of", int, "a whole number"),
)


def parse(body: Any) -> Request:
    """The request in a JSON value; raises BadRequest that names the field and what was found there."""
    body = object_in(body)
    asked = streamable(name, body, as_chat=no_chat("a text completion"))
    check_text(body, "prompt")
    check_types(body, _TYPES)
    return asked
