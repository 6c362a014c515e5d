"""Anthropic Messages, as asked and as answered. Pure."""

from __future__ import annotations

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

PATH = "/v1/messages"
AGAIN: Pattern | None = None

_FINISH = re.compile(rb'"stop_reason":\s*"end_turn"')
END: Patterns = {
    "finish": _FINISH,
    "usage": re.compile(rb'"output_tokens":\s*100\b'),
    "message_stop": re.compile(rb'data: \{"type":\s*"message_stop"\}\n\n$'),
}
WHOLE: Patterns = {
    "text": MARK,
    "finish": _FINISH,
    "usage": re.compile(rb'"output_tokens":\s*2\b'),
}


def body(asked: Conversation, model: str, stream: bool) -> dict[str, Any]:
    messages: list[dict[str, Any]] = []
    for turn in asked.turns:
        messages += _turn(turn)
    if messages:  # the last result and the question stand in one message: roles take turns
        messages[-1]["content"].append({"type": "text", "text": asked.question})
    else:
        messages = [{"role": "user", "content": asked.question}]
    told: dict[str, Any] = {"model": model, "max_tokens": 512, "messages": messages}
    if asked.system:
        told["system"] = [{"type": "text", "text": asked.system, "cache_control": {"type": "ephemeral"}}]
    if asked.tools:
        told["tools"] = [
            {"name": tool.name, "description": tool.description, "input_schema": tool.schema}
            for tool in asked.tools
        ]
    if stream:
        told["stream"] = True
    return told


def _turn(turn: Turn) -> list[dict[str, Any]]:
    call = {"type": "tool_use", "id": turn.call, "name": turn.tool, "input": turn.arguments}
    result = {"type": "tool_result", "tool_use_id": turn.call, "content": turn.result}
    return [
        {"role": "user", "content": [{"type": "text", "text": turn.question}]},
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [result]},
    ]


@cache
def plain_answer() -> bytes:
    content = [{"type": "text", "text": f"pong {UNMARKED}"}]
    return http_answer(compact(_message(content, "end_turn", 2)))


@cache
def opening() -> bytes:
    block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    start = {"type": "message_start", "message": _message([], None, 1)}
    return http_chunk(_event(start)) + http_chunk(_event(block))


@cache
def delta(number: int) -> tuple[bytes, bytes]:
    def event(text: str) -> bytes:
        piece = {"type": "text_delta", "text": text}
        return _event({"type": "content_block_delta", "index": 0, "delta": piece})

    return cut_at_its_mark(event(text_of(EVENT_BYTES - len(event("")))))


@cache
def ending(events: int) -> bytes:
    stop = {"stop_reason": "end_turn", "stop_sequence": None}
    last = (
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": stop, "usage": {"output_tokens": 100}},
        {"type": "message_stop"},
    )
    return b"".join(http_chunk(_event(event)) for event in last) + LAST_CHUNK


def _message(content: list[dict[str, str]], stop: str | None, tokens: int) -> dict[str, Any]:
    return {
        "id": "msg_bench",
        "type": "message",
        "role": "assistant",
        "model": WIRE_MODEL,
        "content": content,
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": {
            "input_tokens": 9,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": tokens,
        },
    }


def _event(event: dict[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (event["type"].encode(), compact(event))
