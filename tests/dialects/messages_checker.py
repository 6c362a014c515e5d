"""A judge of streams in Anthropic's Messages, and what an SDK would make of one. Knows nothing of the code.

The grammar: message_start, then blocks (index 0, 1, 2 … without gaps, one open at a time, each
of them begun, continued and stopped, pings anywhere), message_delta (or more), message_stop; or any
beginning of that, and then an error.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

STOPS = {
    "end_turn",
    "max_tokens",
    "stop_sequence",
    "tool_use",
    "pause_turn",
    "refusal",
    "model_context_window_exceeded",
}
DELTAS = {
    "text_delta": ("text", "text"),
    "citations_delta": ("text", "citation"),
    "thinking_delta": ("thinking", "thinking"),
    "signature_delta": ("thinking", "signature"),
    "input_json_delta": ("tool_use", "partial_json"),
}
"""Each delta, the block that it continues, and the field that brings the piece."""
WORDS = {"service_tier", "inference_geo"}
"""What a usage says besides numbers."""
BEGINNINGS: dict[str, Json] = {
    "text": {"text": ""},
    "thinking": {"thinking": "", "signature": ""},
    "tool_use": {"input": {}},
    "redacted_thinking": {},
}


@dataclass
class Told:
    """What a stream told, as an SDK gathers it."""

    message: Json = field(default_factory=dict)
    blocks: list[Json] = field(default_factory=list)
    """`partial` of a tool_use is its input's JSON text, `input` its value where it has one."""
    stop: Json = field(default_factory=dict)
    usage: Json = field(default_factory=dict)
    error: Json | None = None
    ended: bool = False
    pings: int = 0

    @property
    def answer(self) -> Json:
        """The message whole."""
        content = [{key: whole_characters(it[key]) for key in it if key != "partial"} for it in self.blocks]
        usage = {**self.message["usage"], **self.usage}
        return {**self.message, "content": content, **self.stop, "usage": usage}


def whole_characters(value: Any) -> Any:
    """Text in which the halves of a character have found each other, as they do in JavaScript."""
    if not isinstance(value, str):
        return value
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def frames(stream: bytes) -> list[Json]:
    """The events of a stream, each with its `event:` line and one `data:` line."""
    assert stream == b"" or stream.endswith(b"\n\n"), "an event is cut in two"
    found = []
    for block in stream.decode().split("\n\n")[:-1]:
        named, data = block.split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert named == f"event: {event['type']}"
        found.append(event)
    return found


def check(stream: bytes, whole: bool = True) -> Told:
    """What a stream told; fails for one that breaks the grammar, or is said to be whole and has no end."""
    told, judge = Told(), Judge()
    for event in frames(stream):
        judge.see(event, told)
    if whole:
        assert told.ended, "the message has no end"
    return told


class Judge:
    def __init__(self) -> None:
        self.stage = "before"
        self.open: str | None = None
        self.signed = False

    def see(self, event: Json, told: Told) -> None:
        assert self.stage != "over", f"{event} after the end"
        getattr(self, event["type"])(event, told)

    def ping(self, event: Json, told: Told) -> None:
        assert event == {"type": "ping"}
        assert self.stage != "before"
        told.pings += 1

    def error(self, event: Json, told: Told) -> None:
        assert isinstance(event["error"]["type"], str)
        assert isinstance(event["error"]["message"], str)
        told.error = event["error"]
        self.stage = "over"

    def message_start(self, event: Json, told: Told) -> None:
        message = event["message"]
        assert self.stage == "before", "a second message_start"
        assert (message["type"], message["role"], message["content"]) == ("message", "assistant", [])
        assert message["stop_reason"] is None
        assert message["id"].startswith("msg_")
        assert isinstance(message["model"], str)
        for key in ("input_tokens", "output_tokens"):
            assert type(message["usage"][key]) is int
        told.message = message
        self.stage = "blocks"

    def content_block_start(self, event: Json, told: Told) -> None:
        block = event["content_block"]
        assert (self.stage, self.open) == ("blocks", None)
        assert event["index"] == len(told.blocks), "a gap"
        assert BEGINNINGS[block["type"]].items() <= block.items()
        if block["type"] == "tool_use":
            assert block["id"], "a call without id"
            assert block["name"], "a call without name"
        told.blocks.append({**block, "partial": ""} if block["type"] == "tool_use" else {**block})
        self.open, self.signed = block["type"], False

    def content_block_delta(self, event: Json, told: Told) -> None:
        delta, block = event["delta"], told.blocks[-1]
        kind, key = DELTAS[delta["type"]]
        assert (self.stage, self.open) == ("blocks", kind)
        assert event["index"] == len(told.blocks) - 1
        assert delta.keys() == {"type", key}
        assert not self.signed, "a piece after the signature"
        if key == "citation":
            block.setdefault("citations", []).append(delta[key])
            return
        assert isinstance(delta[key], str)
        self.signed = key == "signature"
        name = "partial" if kind == "tool_use" else key
        block[name] += delta[key]

    def content_block_stop(self, event: Json, told: Told) -> None:
        assert self.open is not None
        assert event == {"type": "content_block_stop", "index": len(told.blocks) - 1}
        if self.open == "tool_use":
            _read_input(told.blocks[-1])
        self.open = None

    def message_delta(self, event: Json, told: Told) -> None:
        assert self.stage in ("blocks", "stopped")
        assert self.open is None
        assert event["delta"].keys() == {"stop_reason", "stop_sequence"}
        assert event["delta"]["stop_reason"] in STOPS | {None}
        numbers = [value for name, value in event["usage"].items() if name not in WORDS]
        assert all(value is None or type(value) in (int, dict) for value in numbers)
        assert type(event["usage"]["output_tokens"]) is int
        assert event["delta"]["stop_reason"] or not told.stop.get("stop_reason"), "the reason is taken back"
        told.stop, told.usage = event["delta"], event["usage"]
        self.stage = "stopped"

    def message_stop(self, event: Json, told: Told) -> None:
        assert event == {"type": "message_stop"}
        assert self.stage == "stopped"
        self.stage, told.ended = "over", True


def _read_input(block: Json) -> None:
    try:
        block["input"] = json.loads(block["partial"]) if block["partial"].strip() else {}
    except ValueError:
        block["input"] = None
