"""OpenAI Responses, as asked and as answered. Pure."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

from bench.conversation import Conversation, Turn, compact
from bench.script import (
    EVENT_BYTES,
    LAST_CHUNK,
    MARK,
    UNMARKED,
    WIRE_MODEL,
    Pattern,
    Patterns,
    cut_at_its_mark,
    http_answer,
    http_chunk,
    text_of,
)

PATH = "/v1/responses"
AGAIN: Pattern | None = re.compile(
    rb"response\.(?:output_text\.done|content_part\.done|output_item\.done|completed)"
)
"""The events that say all of the text once more."""

_FINISH = re.compile(rb'"status":\s*"completed"')
END: Patterns = {
    "finish": _FINISH,
    "usage": re.compile(rb'"output_tokens":\s*100\b'),
    "response.completed": re.compile(
        rb'data: \{"type":\s*"response\.completed"[^\n]*\n\n(data: \[DONE\]\n\n)?$'
    ),
}
WHOLE: Patterns = {
    "text": MARK,
    "finish": _FINISH,
    "usage": re.compile(rb'"output_tokens":\s*2\b'),
}

_ITEM = "msg_bench"
_OPENING = 4
"""Events before the first delta."""


def body(asked: Conversation, model: str, stream: bool) -> dict[str, Any]:
    items: list[dict[str, Any]] = []
    for turn in asked.turns:
        items += _turn(turn)
    items.append(_said(asked.question))
    told: dict[str, Any] = {"model": model, "input": items, "max_output_tokens": 512, "store": False}
    if asked.system:
        told["instructions"] = asked.system
    if asked.tools:
        told["tools"] = [
            {
                "type": "function",
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.schema,
                "strict": False,
            }
            for tool in asked.tools
        ]
        told["tool_choice"] = "auto"
    if stream:
        told["stream"] = True
    return told


def _turn(turn: Turn) -> list[dict[str, Any]]:
    arguments = json.dumps(turn.arguments)
    return [
        _said(turn.question),
        {"type": "function_call", "call_id": turn.call, "name": turn.tool, "arguments": arguments},
        {"type": "function_call_output", "call_id": turn.call, "output": turn.result},
    ]


def _said(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


@cache
def plain_answer() -> bytes:
    return http_answer(compact(_response([_item(f"pong {UNMARKED}")], 2)))


@cache
def opening() -> bytes:
    begun = {**_item(""), "status": "in_progress", "content": []}
    events: tuple[dict[str, Any], ...] = (
        {"type": "response.created", "response": _response(None, 0)},
        {"type": "response.in_progress", "response": _response(None, 0)},
        {"type": "response.output_item.added", "output_index": 0, "item": begun},
        {"type": "response.content_part.added", **_place(), "part": _part("")},
    )
    return b"".join(http_chunk(_event(event, number)) for number, event in enumerate(events))


@cache
def delta(number: int) -> tuple[bytes, bytes]:
    def event(text: str) -> bytes:
        piece = {"type": "response.output_text.delta", **_place(), "delta": text, "logprobs": []}
        return _event(piece, _OPENING + number)

    return cut_at_its_mark(event(text_of(EVENT_BYTES - len(event("")))))


@cache
def ending(events: int) -> bytes:
    """As the API wants it: the whole text in each of four events."""
    texts = (json.loads(b'"%b"' % _text_in(number)) for number in range(events))
    text = "".join(texts)
    last: tuple[dict[str, Any], ...] = (
        {"type": "response.output_text.done", **_place(), "text": text, "logprobs": []},
        {"type": "response.content_part.done", **_place(), "part": _part(text)},
        {"type": "response.output_item.done", "output_index": 0, "item": _item(text)},
        {"type": "response.completed", "response": _response([_item(text)], 100)},
    )
    first = _OPENING + events
    return b"".join(http_chunk(_event(event, first + n)) for n, event in enumerate(last)) + LAST_CHUNK


def _text_in(number: int) -> bytes:
    """The text of a delta, as it stands in its JSON."""
    _, after = delta(number)
    return UNMARKED.encode() + after[: after.index(b'","logprobs"')]


def _place() -> dict[str, Any]:
    return {"item_id": _ITEM, "output_index": 0, "content_index": 0}


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _item(text: str) -> dict[str, Any]:
    return {
        "id": _ITEM,
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": [_part(text)],
    }


def _response(output: list[dict[str, Any]] | None, tokens: int) -> dict[str, Any]:
    """A response; without output one that has just begun."""
    usage = {
        "input_tokens": 9,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 9 + tokens,
    }
    return {
        "id": "resp_bench",
        "object": "response",
        "created_at": 1_700_000_000,
        "status": "in_progress" if output is None else "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": 512,
        "metadata": {},
        "model": WIRE_MODEL,
        "output": output or [],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "store": False,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": None if output is None else usage,
    }


def _event(event: dict[str, Any], number: int) -> bytes:
    numbered = {"type": event["type"], "sequence_number": number, **event}
    return b"event: %b\ndata: %b\n\n" % (event["type"].encode(), compact(numbered))
