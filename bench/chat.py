"""OpenAI Chat Completions, as asked and as answered. Pure."""

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

PATH = "/v1/chat/completions"
AGAIN: Pattern | None = None

_FINISH = re.compile(rb'"finish_reason":\s*"stop"')
END: Patterns = {
    "finish": _FINISH,
    "usage": re.compile(rb'"completion_tokens":\s*100\b'),
    "done": re.compile(rb"data: \[DONE\]\n\n$"),
}
WHOLE: Patterns = {
    "text": MARK,
    "finish": _FINISH,
    "usage": re.compile(rb'"completion_tokens":\s*2\b'),
}


def body(asked: Conversation, model: str, stream: bool) -> dict[str, Any]:
    messages: list[dict[str, Any]] = []
    if asked.system:
        messages.append({"role": "system", "content": asked.system})
    for turn in asked.turns:
        messages += _turn(turn)
    messages.append({"role": "user", "content": asked.question})
    told: dict[str, Any] = {"model": model, "messages": messages, "max_tokens": 512}
    if asked.tools:
        functions = [
            {"name": tool.name, "description": tool.description, "parameters": tool.schema}
            for tool in asked.tools
        ]
        told["tools"] = [{"type": "function", "function": function} for function in functions]
        told["tool_choice"] = "auto"
    if stream:
        told |= {"stream": True, "stream_options": {"include_usage": True}}
    return told


def _turn(turn: Turn) -> list[dict[str, Any]]:
    function = {"name": turn.tool, "arguments": json.dumps(turn.arguments)}
    call = {"id": turn.call, "type": "function", "function": function}
    return [
        {"role": "user", "content": turn.question},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": turn.call, "content": turn.result},
    ]


@cache
def plain_answer() -> bytes:
    message = {"role": "assistant", "content": f"pong {UNMARKED}"}
    answer = {
        "id": "chatcmpl-bench",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": WIRE_MODEL,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11},
    }
    return http_answer(json.dumps(answer).encode())


def opening() -> bytes:
    return b""


@cache
def delta(number: int) -> tuple[bytes, bytes]:
    role = {"role": "assistant"} if number == 0 else {}

    def event(text: str) -> bytes:
        return _event({"index": 0, "delta": {**role, "content": text}, "finish_reason": None})

    return cut_at_its_mark(event(text_of(EVENT_BYTES - len(event("")))))


@cache
def ending(events: int) -> bytes:
    finish = _event({"index": 0, "delta": {}, "finish_reason": "stop"})
    usage = _event(None, {"prompt_tokens": 9, "completion_tokens": 100, "total_tokens": 109})
    return b"".join(map(http_chunk, (finish, usage, b"data: [DONE]\n\n"))) + LAST_CHUNK


def _event(choice: dict[str, Any] | None, usage: dict[str, int] | None = None) -> bytes:
    chunk: dict[str, Any] = {
        "id": "chatcmpl-bench",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": WIRE_MODEL,
        "choices": [choice] if choice else [],
    }
    if usage:
        chunk["usage"] = usage
    return b"data: " + compact(chunk) + b"\n\n"
