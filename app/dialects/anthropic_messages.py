"""Anthropic Messages: the dialect of Claude Code and the Anthropic SDKs. Pure.

Its rooms stand beside it: `_request` (with `_content` and `_tools`) makes chat of it, `_answer`
makes it of chat's whole answers, `_stream` (with `_blocks`) of chat's chunks.
"""

from __future__ import annotations

from typing import Any

from app.dialects.anthropic_messages_answer import render
from app.dialects.anthropic_messages_errors import error
from app.dialects.anthropic_messages_request import chat_body, dropped
from app.dialects.anthropic_messages_stream import Relayed, Translated
from app.errors import BadRequest
from app.types import DialectName, Encoder, Request, Served
from app.utils.fields import Types, check_types, kind, list_in, model_in, object_in, required
from app.utils.preview import preview

__all__ = ["dropped", "encoder", "error", "name", "parse", "parse_count", "relayed", "render"]

name: DialectName = "messages"

ROLES = ("user", "assistant", "system")

# The fields whose wrong type would otherwise fail somewhere deep in a translation or a target.
_TYPES: Types = (
    ("system", (str, list), "a text or a list of blocks"),
    ("max_tokens", int, "a whole number"),
    ("stream", bool, "true or false"),
    ("temperature", (int, float), "a number"),
    ("top_p", (int, float), "a number"),
    ("top_k", int, "a whole number"),
    ("stop_sequences", list, "a list"),
    ("tools", list, "a list"),
    ("tool_choice", dict, "an object"),
    ("thinking", dict, "an object"),
    ("metadata", dict, "an object"),
    ("output_config", dict, "an object"),
)


def parse(body: Any) -> Request:
    """The request in a JSON value; raises BadRequest that names the field and what was found there."""
    request = parse_count(body)
    if required(request.body, "max_tokens") < 1:
        raise BadRequest("'max_tokens' must be greater than 0", param="max_tokens")
    return request


def parse_count(body: Any) -> Request:
    """The request whose tokens are to be counted: it need not say how many may come back."""
    body = object_in(body)
    model = model_in(body)
    for place, message in enumerate(list_in(body, "messages", "a list")):
        _check_message(message, f"messages[{place}]")
    check_types(body, _TYPES)
    for field, expected, words in (("tools", dict, "an object"), ("stop_sequences", str, "a text")):
        for place, value in enumerate(body.get(field) or ()):
            if not isinstance(value, expected):
                raise _wrong(f"{field}[{place}]", words, value)
    return Request(
        dialect=name,
        model=model,
        body=body,
        stream=body.get("stream") is True,
        as_chat=lambda: chat_body(body),
        leaves_out=lambda: dropped(body),
    )


def _check_message(message: Any, place: str) -> None:
    if not isinstance(message, dict):
        raise _wrong(place, "an object", message)
    if (role := message.get("role")) not in ROLES:
        said = f"'{preview(role)}'" if isinstance(role, str) else kind(role)
        raise BadRequest(
            f"'{place}.role' must be one of {', '.join(ROLES)}, not {said}", param=f"{place}.role"
        )
    content = message.get("content")
    if not isinstance(content, str | list):
        raise _wrong(f"{place}.content", "a text or a list of blocks", content)
    for number, block in enumerate(content if isinstance(content, list) else ()):
        if not isinstance(block, dict):
            raise _wrong(f"{place}.content[{number}]", "an object", block)


def _wrong(place: str, words: str, found: Any) -> BadRequest:
    return BadRequest(f"'{place}' must be {words}, not {kind(found)}", param=place)


def encoder(request: Request, served: Served) -> Encoder:
    """Makes the events of a message from chat's chunks."""
    return Translated(request, served)


def relayed(request: Request, served: Served) -> Encoder:
    """Passes on events that are a message's already."""
    return Relayed(request, served)
