"""A turn as Anthropic's Messages API writes it down, or llama-server's version of that (pure)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tests.upstream.chat import UNKNOWN, Json, Shape, Turn, cut
from tests.upstream.chat import usage as usage_of_chat

STOPS: Mapping[str, str] = {
    "stop": "end_turn",
    "tool_calls": "tool_use",
    "length": "max_tokens",
    "content_filter": "refusal",
}
"""Chat's word → this API's; any other stands for itself."""

KINDS: Mapping[int, str] = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def answer(turn: Turn, shape: Shape, asked: Json) -> Json:
    """The plain answer to that request."""
    blocks = [_whole(start, deltas) for start, deltas in _blocks(turn, shape)]
    return _message(blocks, usage(turn, shape), shape) | _stop(turn, asked)


def events(turn: Turn, shape: Shape, asked: Json) -> list[Json]:
    """The events of the stream."""
    made = list(_events(turn, shape, asked))
    return _with_unknown(made) if shape.unknown else made


def usage(turn: Turn, shape: Shape) -> Json:
    """The numbers of chat in this API's way of counting: what was cached stands apart."""
    chat = usage_of_chat(turn)
    cached = chat["prompt_tokens_details"]["cached_tokens"]
    counted = {
        "input_tokens": chat["prompt_tokens"] - cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": cached,
        "output_tokens": chat["completion_tokens"],
    }
    if shape.llama:
        del counted["cache_creation_input_tokens"]
    return counted


def count(turn: Turn, shape: Shape, asked: Json) -> Json:
    """The answer of count_tokens, which agrees with the usage."""
    return {"input_tokens": usage_of_chat(turn)["prompt_tokens"]}


def error(status: int, message: str) -> Json:
    problem = {"type": KINDS.get(status, "api_error"), "message": message}
    return {"type": "error", "error": problem, "request_id": "req-of-the-upstream"}


def error_event(number: int, status: int, message: str) -> Json:
    return {"type": "error", "error": {"type": KINDS.get(status, "api_error"), "message": message}}


def _events(turn: Turn, shape: Shape, asked: Json) -> Iterator[Json]:
    whole = usage(turn, shape)
    begun = 0 if shape.llama else 1
    yield {"type": "message_start", "message": _message([], whole | {"output_tokens": begun}, shape)}
    yield from _block_events(turn, shape)
    counted = {"output_tokens": whole["output_tokens"]} if shape.llama else whole
    yield {"type": "message_delta", "delta": _stop(turn, asked), "usage": counted}
    yield {"type": "message_stop"}


def _block_events(turn: Turn, shape: Shape) -> Iterator[Json]:
    """llama-server ends all blocks only when the last one is complete; the signature is part of the end."""
    owed: list[Json] = []
    for index, (start, deltas) in enumerate(_blocks(turn, shape)):
        yield {"type": "content_block_start", "index": index, "content_block": start}
        if index == 0 and not (shape.llama or shape.bare):
            yield {"type": "ping"}
        for delta in deltas:
            event = {"type": "content_block_delta", "index": index, "delta": delta}
            if delta["type"] == "signature_delta":
                owed.append(event)
            else:
                yield event
        owed.append({"type": "content_block_stop", "index": index})
        if not shape.llama:
            yield from owed
            owed = []
    yield from owed


def _message(content: list[Json], usage: Json, shape: Shape) -> Json:
    message: Json = {
        "id": shape.id,
        "type": "message",
        "role": "assistant",
        "model": shape.model,
        "content": content,
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage if shape.llama or shape.bare else usage | {"service_tier": "standard"},
    }
    if shape.unknown:
        message |= UNKNOWN
        message["usage"] = message["usage"] | UNKNOWN
    return message


def _blocks(turn: Turn, shape: Shape) -> Iterator[tuple[Json, list[Json]]]:
    """Each block as a stream starts it, and its deltas."""
    if turn.reasoning:
        thoughts = [{"type": "thinking_delta", "thinking": piece} for piece in turn.reasoning]
        # llama-server ends every thought with a signature, which is empty.
        signed = [{"type": "signature_delta", "signature": "" if shape.llama else turn.signature}]
        start = {"type": "thinking", "thinking": ""} | ({} if shape.llama else {"signature": ""})
        yield start, thoughts + (signed if shape.llama or turn.signature else [])
    if turn.redacted:
        yield {"type": "redacted_thinking", "data": turn.redacted}, []
    if any(turn.text):
        yield {"type": "text", "text": ""}, [{"type": "text_delta", "text": piece} for piece in turn.text]
    for call in turn.calls:
        pieces = cut(call.arguments, shape.pieces)
        block: Json = {"type": "tool_use", "id": call.id, "name": call.name, "input": {}}
        if shape.llama:
            del block["input"]
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in ["", *pieces]]
        yield block | dict(call.extra), deltas[1:] if shape.llama else deltas


def _whole(start: Json, deltas: list[Json]) -> Json:
    """The block that its start and its deltas come to."""
    if start["type"] == "tool_use":
        return start | {"input": json.loads("".join(delta["partial_json"] for delta in deltas) or "{}")}
    block = dict(start)
    for delta in deltas:
        name = delta["type"].removesuffix("_delta")
        block[name] = block.get(name, "") + delta[name]
    return block


def _stop(turn: Turn, asked: Json) -> Json:
    reason = STOPS.get(turn.finish, turn.finish)
    sequences = asked.get("stop_sequences") or [None]
    return {"stop_reason": reason, "stop_sequence": sequences[0] if reason == "stop_sequence" else None}


def _with_unknown(events: list[Json]) -> list[Json]:
    """With fields that nobody has heard of on every level, and an event of such a type."""
    for event in events:
        event.update(UNKNOWN)
        for level in ("content_block", "delta", "usage"):
            if level in event:
                event[level].update(UNKNOWN)
    stranger: dict[str, Any] = {"type": "x_unheard_of", **UNKNOWN}
    return [*events[:2], stranger, *events[2:]]
