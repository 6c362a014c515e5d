"""What the benchmark asks and what its upstream answers, as bytes. Pure.

A request carries its own script, `[[kind events interval]]`, in its last message: every
contestant must pass messages on, while other fields may be dropped or renamed. Each
content delta carries one mark, `@nanoseconds@`: when the upstream wrote it.
"""

from __future__ import annotations

import json
import random
import re
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

ALIAS = "bench-model"
WIRE_MODEL = "wire-model"
TARGET_KEY = "bench-upstream-key"

SCRIPT = re.compile(rb"\[\[(plain|stream|paced) (\d+) (\d+)\]\]")
MARK = re.compile(rb"@(\d{19})@")
FINISH = re.compile(rb'"finish_reason":\s*"stop"')
USAGE = re.compile(rb'"total_tokens":\s*\d+')
DONE = b"data: [DONE]"
EVENT_BYTES = 250
AGENT_BYTES = 60_000

Kind = Literal["plain", "stream", "paced"]


@dataclass(frozen=True, slots=True)
class Script:
    """`events` content deltas; `interval` is the milliseconds between two of them when paced."""

    kind: Kind
    events: int = 0
    interval: int = 0

    def __str__(self) -> str:
        return f"[[{self.kind} {self.events} {self.interval}]]"


def script_of(body: bytes) -> Script | None:
    """The script that a request's body carries."""
    found = SCRIPT.search(body)
    if found is None:
        return None
    kind: Any = found[1].decode()
    return Script(kind, int(found[2]), int(found[3]))


def small_body(script: Script) -> bytes:
    """A request of one short message."""
    return _body(script, [{"role": "user", "content": f"Say pong. {script}"}])


def agent_body(script: Script) -> bytes:
    """A coding agent's request: system prompt, 10 tools and a tool loop, 60 kB of it. Synthetic."""
    question = {"role": "user", "content": f"Now mend the test that fails. {script}"}
    messages: list[dict[str, Any]] = [{"role": "system", "content": _words(10_000, 1)}]
    tools = [_tool(number) for number in range(10)]
    turn = 0
    while len(_body(script, [*messages, question], tools)) < AGENT_BYTES - 2_500:
        messages += _turn(turn)
        turn += 1
    missing = AGENT_BYTES - len(_body(script, [*messages, question], tools))
    messages[0]["content"] += " " + _words(missing - 1, 2)
    return _body(script, [*messages, question], tools)


def _body(script: Script, messages: list[dict[str, Any]], tools: list[dict[str, Any]] | None = None) -> bytes:
    body: dict[str, Any] = {"model": ALIAS, "messages": messages, "max_tokens": 512}
    if tools:
        body |= {"tools": tools, "tool_choice": "auto"}
    if script.kind != "plain":
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return json.dumps(body, separators=(",", ":")).encode()


def _turn(number: int) -> list[dict[str, Any]]:
    """A question, the tool call that the model answered with, and the tool's result."""
    call = f"call_{number:012d}"
    arguments = json.dumps({"path": f"src/part_{number}.py", "why": _words(120, number)})
    function = {"name": f"tool_{number % 10}", "arguments": arguments}
    return [
        {"role": "user", "content": _words(200, number + 100)},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"id": call, "type": "function", "function": function}],
        },
        {"role": "tool", "tool_call_id": call, "content": _words(1_400, number + 200)},
    ]


def _tool(number: int) -> dict[str, Any]:
    names = ["path", "why", "pattern", "replacement", "limit", "options"]
    properties = {name: {"type": "string", "description": _words(150, number * 10)} for name in names}
    schema = {
        "type": "object",
        "properties": properties,
        "required": names[:2],
        "additionalProperties": False,
    }
    description = _words(700, number + 300)
    function = {"name": f"tool_{number}", "description": description, "parameters": schema}
    return {"type": "function", "function": function}


def _words(length: int, seed: int) -> str:
    """Text of exactly `length` characters with quotes and line ends as code and prose have them."""
    chance = random.Random(seed)
    pieces: list[str] = []
    written = 0
    while written < length:
        word = "".join(chance.choices("etaoinshrdlucmfw", k=chance.randint(2, 9)))
        piece = chance.choices([word + " ", word + "\n", f'"{word}" '], [12, 1, 1])[0]
        pieces.append(piece)
        written += len(piece)
    return "".join(pieces)[:length]


@cache
def plain_answer() -> bytes:
    """A whole HTTP answer to a plain request."""
    body = json.dumps(
        {
            "id": "chatcmpl-bench",
            "object": "chat.completion",
            "created": 1_700_000_000,
            "model": WIRE_MODEL,
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": f"pong {mark(0)}"},
                    "finish_reason": "stop",
                }
            ],
            "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11},
        }
    ).encode()
    return _head("application/json", f"Content-Length: {len(body)}") + body


STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
    b"Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n"
)


def _head(media: str, length: str) -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Type: {media}\r\n{length}\r\n\r\n".encode()


def mark(nanoseconds: int) -> str:
    return f"@{nanoseconds:019d}@"


@cache
def delta(first: bool = False) -> tuple[bytes, bytes]:
    """One content event of `EVENT_BYTES` as an HTTP chunk, cut where the mark belongs."""
    start: dict[str, str] = {"role": "assistant"} if first else {}
    bare = _event({"index": 0, "delta": start | {"content": mark(0)}, "finish_reason": None})
    text = mark(0) + _prose(EVENT_BYTES - len(bare))
    event = _event({"index": 0, "delta": start | {"content": text}, "finish_reason": None})
    before, after = http_chunk(event).split(mark(0).encode())
    return before, after


def _prose(length: int) -> str:
    return (" and then the model went on to say one more thing about it" * 4)[:length]


def stamped(nanoseconds: int, first: bool = False) -> bytes:
    """A content event that says when it was written."""
    before, after = delta(first)
    return before + mark(nanoseconds).encode() + after


@cache
def ending() -> bytes:
    """The events after the last delta, and the end of the body."""
    finish = _event({"index": 0, "delta": {}, "finish_reason": "stop"})
    usage = _event(None, {"prompt_tokens": 9, "completion_tokens": 100, "total_tokens": 109})
    return http_chunk(finish) + http_chunk(usage) + http_chunk(DONE + b"\n\n") + b"0\r\n\r\n"


def http_chunk(payload: bytes) -> bytes:
    return f"{len(payload):x}\r\n".encode() + payload + b"\r\n"


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
    return b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n"
