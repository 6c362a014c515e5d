"""OpenAI Completions: a prompt goes in, the text that follows it comes out. Pure.

Streams look as chat's do; a prompt has no form in chat.
"""

from __future__ import annotations

from typing import Any

from app.dialects.openai_chat import encoder, error, relayed, render
from app.dialects.plain import no_chat
from app.types import DialectName, Request
from app.utils.fields import Types, check_text, check_types, model_in, object_in

__all__ = ["encoder", "error", "name", "parse", "relayed", "render"]

name: DialectName = "completions"

_TYPES: Types = (
    ("stream", bool, "true or false"),
    ("stream_options", dict, "an object"),
    ("echo", bool, "true or false"),
    ("suffix", str, "a text"),
    ("n", int, "a whole number"),
    ("best_of", int, "a whole number"),
    ("max_tokens", int, "a whole number"),
    ("temperature", (int, float), "a number"),
    ("top_p", (int, float), "a number"),
)


def parse(body: Any) -> Request:
    """The request in a JSON value; raises BadRequest that names the field and what was found there."""
    body = object_in(body)
    model = model_in(body)
    check_text(body, "prompt")
    check_types(body, _TYPES)
    options = body.get("stream_options") or {}
    return Request(
        dialect=name,
        model=model,
        body=body,
        stream=body.get("stream") is True,
        as_chat=no_chat("a text completion"),
        include_usage=options.get("include_usage") is True,
    )
