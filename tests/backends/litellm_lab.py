"""Calls of the LiteLLM carrier, and upstreams that speak what only LiteLLM understands."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache
from typing import Any

from app.backends.litellm_client import LiteLLM
from app.backends.litellm_loading import Library
from app.errors import ClientLeft
from app.types import Call, Chunk, Client, Completion, Target, Trace
from app.utils.chat_events import completion_of
from tests.upstream import Connection, Seen

Json = dict[str, Any]
Play = Callable[[Connection, Seen], bool]

FOR_EVER = 600_000

TOOLS: list[Json] = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "Weather of a city",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
            },
        },
    }
]


@cache
def carrier() -> LiteLLM:
    """One for all tests: loading LiteLLM takes seconds."""
    library = Library()
    library.wait(lambda: None)  # here, for a test that gave up waiting would leave its warnings to the import
    return LiteLLM("1.1 localcode-test", library)


def target_at(base_url: str, **settings: Any) -> Target:
    return replace(
        Target(alias="alias", provider="up", model="wire-model", base_url=base_url, carrier="litellm"),
        **settings,
    )


def calling(
    base_url: str, say: str = "Hi", body: Json | None = None, stream: bool = False, **settings: Any
) -> Call:
    """A call of a target with one user message. `settings` are fields of the target."""
    target = target_at(base_url, **settings)
    asked: Json = {"model": target.model, "messages": [{"role": "user", "content": say}], **(body or {})}
    if stream:
        asked = {"stream": True, "stream_options": {"include_usage": True}, **asked}
    now = time.monotonic()
    return Call(target, asked, Client("req-1"), Trace(now), now + 60)


def leaving(call: Call) -> tuple[Call, threading.Event]:
    """The call of a client who leaves when the event is set."""
    left = threading.Event()

    def alive() -> None:
        if left.is_set():
            raise ClientLeft("gone")

    return replace(call, client=replace(call.client, alive=alive)), left


def gathered(by: LiteLLM, call: Call) -> Completion:
    """What a whole stream spells."""
    return completion_of([chunks(by, call)])


def chunks(by: LiteLLM, call: Call) -> list[Chunk]:
    stream = by.stream(call)
    try:
        return [chunk for batch in stream for chunk in batch]
    finally:
        stream.close()


def text_of(answer: Completion) -> str:
    return str(answer["choices"][0]["message"]["content"])


# ------------------------------------------------------------ upstreams of other shapes


def answering(events: Iterable[Json], plain: Json | None = None, done: bool = False) -> Play:
    """Answers a stream request with these events, any other with the plain body."""
    said = b"".join(event(one) for one in events) + (b"data: [DONE]\n\n" if done else b"")

    def play(connection: Connection, seen: Seen) -> bool:
        if is_streaming(seen):
            return reply(connection, said, "text/event-stream")
        return reply(connection, json.dumps(plain).encode())

    return play


def silent_after(sent: bytes, *, head: bool = True) -> Play:
    """Sends the beginning of a stream and then nothing, for ever; without `head` nothing at all."""

    def play(connection: Connection, seen: Seen) -> bool:
        if head:
            connection.send_head(200, [("Content-Type", "text/event-stream"), ("Connection", "close")])
            if sent:
                connection.send(sent)
        connection.pause(FOR_EVER)
        return False

    return play


def reply(connection: Connection, body: bytes, kind: str = "application/json", status: int = 200) -> bool:
    connection.send_head(status, [("Content-Type", kind), ("Content-Length", str(len(body)))])
    connection.send(body)
    return True


def is_streaming(seen: Seen) -> bool:
    return "stream" in seen.path or bool(seen.json.get("stream"))


def event(data: Json) -> bytes:
    name = f"event: {data['type']}\n" if "type" in data else ""
    return f"{name}data: {json.dumps(data)}\n\n".encode()


def gemini(*parts: Json, usage: bool = True, **candidate: Any) -> Json:
    """An answer of Gemini's, or a chunk of one."""
    said: Json = {"content": {"role": "model", "parts": list(parts)}, "index": 0, **candidate}
    told = {
        "promptTokenCount": 5,
        "candidatesTokenCount": 6,
        "thoughtsTokenCount": 9,
        "cachedContentTokenCount": 2,
        "totalTokenCount": 20,
    }
    answer: Json = {"candidates": [said], "modelVersion": "gemini-x-001", "responseId": "resp-1"}
    return answer | ({"usageMetadata": told} if usage else {})


def anthropic(*blocks: Json, stop: str | None = "end_turn") -> Json:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "wire-model",
        "content": list(blocks),
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": {"input_tokens": 3, "output_tokens": 4},
    }


def anthropic_events(*blocks: tuple[Json, Json], stop: str | None = "end_turn") -> list[Json]:
    """The events of a stream; a block is how it starts and its one delta."""
    events: list[Json] = [
        {"type": "message_start", "message": {**anthropic(stop=None), "usage": {"input_tokens": 3}}}
    ]
    for index, (start, delta) in enumerate(blocks):
        events += [
            {"type": "content_block_start", "index": index, "content_block": start},
            {"type": "ping"},
            {"type": "content_block_delta", "index": index, "delta": delta},
            {"type": "content_block_stop", "index": index},
        ]
    if stop is not None:
        delta = {"stop_reason": stop, "stop_sequence": None}
        events += [
            {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 4}},
            {"type": "message_stop"},
        ]
    return events
