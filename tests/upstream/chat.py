"""What a model says, and the many ways in which real upstreams write it down (pure).

A `Turn` is the content, a `Shape` is how it is expressed: `completion` gives the plain
answer, `chunks` the events of a stream. Every variety in `Shape` was seen from a real
provider or server.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, zip_longest
from typing import Any, Literal, TypeAlias

Json: TypeAlias = dict[str, Any]
Calls: TypeAlias = Literal[
    "in turn", "interleaved", "whole", "together", "gaps", "no index", "same index", "repeated", "nulls"
]
Usage: TypeAlias = Literal["asked", "always", "finish", "never"]

UNKNOWN: Json = {"x_unheard_of": {"deep": [1, None, "ü"]}}
"""A field that no client and no gateway has heard of."""

CREATED = 1_700_000_000
SIGNATURE = "c2lnbmVkIGJ5IHRoZSB1cHN0cmVhbQ=="


@dataclass(frozen=True, slots=True)
class ToolCall:
    id: str
    name: str
    arguments: str
    """JSON as text, exactly as the model wrote it."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Further fields beside `function`, such as Gemini's `extra_content`."""
    custom: bool = False
    """Whether `arguments` is text for a tool without JSON (Responses)."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What the model says. Tuples are the pieces in which a stream brings it."""

    text: tuple[str, ...] = ()
    reasoning: tuple[str, ...] = ()
    calls: tuple[ToolCall, ...] = ()
    finish: str = "stop"
    """In chat's words."""
    signature: str = SIGNATURE
    """What the reasoning is signed with (Messages) or encrypted to (Responses); "" for neither."""
    redacted: str = ""
    """Further reasoning that only its author can read (Messages)."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How a turn is written down; the defaults are OpenAI's own way."""

    model: str = "wire-model"
    id: str = "chatcmpl-upstream"
    calls: Calls = "in turn"
    pieces: int = 4
    """Into how many fragments the arguments of a tool call are cut."""
    reasoning: Literal["reasoning_content", "reasoning", "reasoning_details"] = "reasoning_content"
    usage: Usage = "asked"
    unknown: bool = False
    """Fields that nobody has heard of, on every level."""
    timings: bool = False
    """llama-server's `timings`: on the usage chunk where there is one, else on the finish chunk."""
    llama: bool = False
    """Messages and Responses with the differences of llama-server."""
    choices: int = 0
    """How many choices, all saying the same; 0: as many as the request's `n`."""
    bare: bool = False
    """Only what clients cannot do without: no role chunk, id, created or fingerprint."""


def completion(turn: Turn, shape: Shape) -> Json:
    """The plain answer."""
    message: Json = {"role": "assistant", "content": "".join(turn.text) or None}
    if turn.reasoning:
        message |= _reasoning("".join(turn.reasoning), shape)
    if turn.calls:
        message["tool_calls"] = [_whole_call(call) for call in turn.calls]
    choice: Json = {"message": message, "logprobs": None, "finish_reason": turn.finish}
    answer: Json = {
        "id": shape.id,
        "object": "chat.completion",
        "created": CREATED,
        "model": shape.model,
        "choices": [{"index": index} | choice for index in range(max(1, shape.choices))],
        "usage": usage(turn),
        "system_fingerprint": "fp_upstream",
    }
    if shape.timings:
        answer["timings"] = timings(turn)
    if shape.unknown:
        for level in (answer, *answer["choices"], message, answer["usage"]):
            level.update(UNKNOWN)
    return answer


def chunks(turn: Turn, shape: Shape, usage_asked: bool = True) -> list[Json]:
    """The events of the stream, without `[DONE]`."""
    own_usage = shape.usage == "always" or (shape.usage == "asked" and usage_asked)
    finish = _chunk({}, shape, turn.finish)
    if shape.usage == "finish":
        finish["usage"] = usage(turn)
    if shape.timings and not own_usage:
        finish["timings"] = timings(turn)
    events = [_chunk(delta, shape) for delta in _deltas(turn, shape)] + [finish]
    if own_usage:
        last = _chunk({}, shape) | {"choices": [], "usage": usage(turn)}
        events.append(last | ({"timings": timings(turn)} if shape.timings else {}))
    if shape.unknown:
        _add_unknown(events)
    return events


def usage(turn: Turn) -> Json:
    """Made-up but consistent numbers: one token a piece."""
    said = len(turn.text) + len(turn.reasoning) + 5 * len(turn.calls)
    return {
        "prompt_tokens": 21,
        "completion_tokens": said,
        "total_tokens": 21 + said,
        "prompt_tokens_details": {"cached_tokens": 13},
        "completion_tokens_details": {"reasoning_tokens": len(turn.reasoning)},
    }


def timings(turn: Turn) -> Json:
    said = usage(turn)["completion_tokens"]
    return {"cache_n": 13, "prompt_n": 8, "prompt_ms": 4.5, "predicted_n": said, "predicted_ms": 9.25}


def _chunk(delta: Json, shape: Shape, finish: str | None = None) -> Json:
    choices = [
        {"index": index, "delta": dict(delta), "finish_reason": finish}
        for index in range(max(1, shape.choices))
    ]
    if shape.bare:
        return {"model": shape.model, "choices": choices}
    return {
        "id": shape.id,
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": shape.model,
        "system_fingerprint": "fp_upstream",
        "choices": choices,
    }


def _deltas(turn: Turn, shape: Shape) -> Iterator[Json]:
    if not shape.bare:
        yield {"role": "assistant", "content": ""}
    for piece in turn.reasoning:
        yield _reasoning(piece, shape)
    for piece in turn.text:
        yield {"content": piece}
    for calls in _call_deltas(turn.calls, shape):
        yield {"tool_calls": calls}


def _reasoning(text: str, shape: Shape) -> Json:
    if shape.reasoning == "reasoning_details":
        return {"reasoning_details": [{"type": "reasoning.text", "text": text, "index": 0}]}
    return {shape.reasoning: text}


def _call_deltas(calls: tuple[ToolCall, ...], shape: Shape) -> Iterator[list[Json]]:
    """The lists of call fragments, one a chunk."""
    step = 3 if shape.calls == "gaps" else 1
    numbered = [(step * number, call) for number, call in enumerate(calls)]
    if shape.calls == "together":
        yield [{"index": index} | _whole_call(call) for index, call in numbered]
    elif shape.calls == "whole":
        yield from ([{"index": index} | _whole_call(call)] for index, call in numbered)
    elif shape.calls == "same index":
        yield from ([{"index": 0} | _whole_call(call)] for _, call in numbered)
    elif shape.calls == "no index":
        yield from ([_whole_call(call)] for _, call in numbered)
    else:
        fragments = [_fragments(index, call, shape) for index, call in numbered]
        mixed = zip_longest(*fragments) if shape.calls == "interleaved" else [chain(*fragments)]
        yield from ([fragment] for fragment in chain(*mixed) if fragment)


def _fragments(index: int, call: ToolCall, shape: Shape) -> list[Json]:
    first: Json = {"index": index} | _whole_call(call)
    first["function"] = {"name": call.name, "arguments": ""}
    again: Json = {"index": index}
    name: Json = {}
    if shape.calls == "repeated":
        again, name = again | {"id": call.id, "type": "function"}, {"name": call.name}
    if shape.calls == "nulls":
        again, name = again | {"id": None, "type": None}, {"name": None}
    return [first] + [
        again | {"function": name | {"arguments": piece}} for piece in cut(call.arguments, shape.pieces)
    ]


def _whole_call(call: ToolCall) -> Json:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id, "type": "function", "function": function, **call.extra}


def cut(text: str, pieces: int) -> list[str]:
    """The text in about that many pieces, none of them empty."""
    size = max(1, -(-len(text) // max(1, pieces)))
    return [text[start : start + size] for start in range(0, len(text), size)]


def _add_unknown(events: list[Json]) -> None:
    for event in events:
        event.update(UNKNOWN)
        if event.get("usage"):
            event["usage"].update(UNKNOWN)
        for choice in event["choices"]:
            choice.update(UNKNOWN)
            choice["delta"].update(UNKNOWN)
            for call in choice["delta"].get("tool_calls", ()):
                call.update(UNKNOWN)
                call["function"].update(UNKNOWN)
