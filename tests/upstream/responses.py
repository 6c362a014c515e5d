"""A turn as OpenAI's Responses API writes it down, or llama-server's version of that (pure)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import TypeAlias

from tests.upstream.chat import CREATED, UNKNOWN, Json, Shape, ToolCall, Turn, cut
from tests.upstream.chat import usage as usage_of_chat

ENDS: Mapping[str, Json] = {
    "length": {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
    "content_filter": {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}},
    "error": {"status": "failed", "error": {"code": "server_error", "message": "The engine broke."}},
}
"""Chat's finish → what the response says of its end; any other is `completed`."""

ECHOED: Mapping[str, object] = {
    "instructions": None, "max_output_tokens": None, "max_tool_calls": None, "metadata": {},
    "parallel_tool_calls": True, "previous_response_id": None, "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None}, "safety_identifier": None, "service_tier": "default",
    "store": True, "temperature": 1.0, "text": {"format": {"type": "text"}, "verbosity": "medium"},
    "tool_choice": "auto", "tools": [], "top_logprobs": 0, "top_p": 1.0, "truncation": "disabled",
    "user": None,
}  # fmt: skip
"""What a response repeats of the request, and what it says where the request was silent."""

PLACES = ("sequence_number", "output_index", "content_index", "summary_index")
"""Which llama-server leaves out."""


def answer(turn: Turn, shape: Shape, asked: Json) -> Json:
    """The plain answer to that request."""
    items = [item.whole(shape) for item in _items(turn, shape)]
    return _response(shape, asked) | _end(turn) | {"output": items, "usage": usage(turn, shape)}


def events(turn: Turn, shape: Shape, asked: Json) -> list[Json]:
    """The events of the stream."""
    made = list(_events(turn, shape, asked))
    if shape.unknown:
        made.insert(2, {"type": "response.x_unheard_of", **UNKNOWN})
    numbered = [event | {"sequence_number": number} for number, event in enumerate(made)]
    if shape.unknown:
        numbered = [event | UNKNOWN for event in numbered]
    if shape.llama:
        return [{name: event[name] for name in event if name not in PLACES} for event in numbered]
    return numbered


def usage(turn: Turn, shape: Shape) -> Json | None:
    if shape.usage == "never":
        return None
    chat = usage_of_chat(turn)
    counted = {
        "input_tokens": chat["prompt_tokens"],
        "input_tokens_details": dict(chat["prompt_tokens_details"]),
        "output_tokens": chat["completion_tokens"],
        "output_tokens_details": dict(chat["completion_tokens_details"]),
        "total_tokens": chat["total_tokens"],
    }
    if not (shape.llama or shape.bare):
        counted["input_tokens_details"]["cache_write_tokens"] = 0
    return counted | UNKNOWN if shape.unknown else counted


def error_event(number: int, status: int, message: str) -> Json:
    code = "rate_limit_exceeded" if status == 429 else "server_error"
    return {"type": "error", "code": code, "message": message, "param": None, "sequence_number": number}


def _events(turn: Turn, shape: Shape, asked: Json) -> Iterator[Json]:
    begun = _response(shape, asked)
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    items = _items(turn, shape)
    for index, item in enumerate(items):
        place = {"output_index": index}
        started = item.started(shape)
        yield {"type": "response.output_item.added", **place, "item": started}
        yield from (event | place | {"item_id": started["id"]} for event in item.events(shape))
        yield {"type": "response.output_item.done", **place, "item": item.whole(shape)}
    end = answer(turn, shape, asked)
    yield {"type": f"response.{end['status']}", "response": end}


def _response(shape: Shape, asked: Json) -> Json:
    response: Json = {
        "id": shape.id,
        "object": "response",
        "created_at": CREATED,
        "status": "in_progress",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "model": shape.model,
        "output": [],
        "usage": None,
    }
    if not (shape.llama or shape.bare):
        response |= {name: deepcopy(asked.get(name, default)) for name, default in ECHOED.items()}
    return response | UNKNOWN if shape.unknown else response


def _end(turn: Turn) -> Json:
    return dict(ENDS.get(turn.finish, {"status": "completed", "completed_at": CREATED + 1}))


# ---------------------------------------------------------------------------- the items


@dataclass(frozen=True, slots=True)
class _Thoughts:
    number: int
    turn: Turn

    def started(self, shape: Shape) -> Json:
        return {"id": _id("rs", self.number, shape), "type": "reasoning", "summary": []} | self._sealed()

    def whole(self, shape: Shape) -> Json:
        text = "".join(self.turn.reasoning)
        if shape.llama:  # it shows the thoughts themselves
            return self.started(shape) | {"content": [{"type": "reasoning_text", "text": text}]}
        return self.started(shape) | {"summary": [{"type": "summary_text", "text": text}]}

    def events(self, shape: Shape) -> Iterator[Json]:
        pieces, text = self.turn.reasoning, "".join(self.turn.reasoning)
        if shape.llama:
            yield from ({"type": "response.reasoning_text.delta", "delta": piece} for piece in pieces)
            return
        at, name = {"summary_index": 0}, "response.reasoning_summary"
        yield {"type": f"{name}_part.added", **at, "part": {"type": "summary_text", "text": ""}}
        yield from ({"type": f"{name}_text.delta", **at, "delta": piece} for piece in pieces)
        yield {"type": f"{name}_text.done", **at, "text": text}
        yield {"type": f"{name}_part.done", **at, "part": {"type": "summary_text", "text": text}}

    def _sealed(self) -> Json:
        return {"encrypted_content": self.turn.signature or None}


@dataclass(frozen=True, slots=True)
class _Message:
    number: int
    pieces: tuple[str, ...]

    def started(self, shape: Shape) -> Json:
        return {
            "id": _id("msg", self.number, shape),
            "type": "message",
            "role": "assistant",
            "status": "in_progress",
            "content": [],
        }

    def whole(self, shape: Shape) -> Json:
        return self.started(shape) | {"status": "completed", "content": [self._part("".join(self.pieces))]}

    def events(self, shape: Shape) -> Iterator[Json]:
        at, text = {"content_index": 0}, "".join(self.pieces)
        yield {"type": "response.content_part.added", **at, "part": self._part("")}
        for piece in self.pieces:
            yield {"type": "response.output_text.delta", **at, "delta": piece, "logprobs": []}
        yield {"type": "response.output_text.done", **at, "text": text, "logprobs": []}
        yield {"type": "response.content_part.done", **at, "part": self._part(text)}

    def _part(self, text: str) -> Json:
        return {"type": "output_text", "annotations": [], "logprobs": [], "text": text}


@dataclass(frozen=True, slots=True)
class _Call:
    number: int
    call: ToolCall

    def started(self, shape: Shape) -> Json:
        return self._item("in_progress", "", shape)

    def whole(self, shape: Shape) -> Json:
        return self._item("completed", self.call.arguments, shape)

    def events(self, shape: Shape) -> Iterator[Json]:
        kind = "custom_tool_call_input" if self.call.custom else "function_call_arguments"
        for piece in cut(self.call.arguments, shape.pieces):
            yield {"type": f"response.{kind}.delta", "delta": piece}
        whole = {"input": self.call.arguments} if self.call.custom else {"arguments": self.call.arguments}
        if not (self.call.custom or shape.llama):
            whole["name"] = self.call.name
        yield {"type": f"response.{kind}.done", **whole}

    def _item(self, status: str, text: str, shape: Shape) -> Json:
        kind, prefix, field = ("function_call", "fc", "arguments")
        if self.call.custom:
            kind, prefix, field = ("custom_tool_call", "ctc", "input")
        return {
            "id": _id(prefix, self.number, shape),
            "type": kind,
            "status": status,
            "call_id": self.call.id,
            "name": self.call.name,
            field: text,
            **self.call.extra,
        }


def _id(prefix: str, number: int, shape: Shape) -> str:
    """An id that no item of another response has."""
    return f"{prefix}_{shape.id}_{number}"


_Item: TypeAlias = _Thoughts | _Message | _Call


def _items(turn: Turn, shape: Shape) -> list[_Item]:
    numbers = itertools.count()
    items: list[_Item] = []
    if turn.reasoning:
        items.append(_Thoughts(next(numbers), turn))
    if any(turn.text):
        items.append(_Message(next(numbers), turn.text))
    return items + [_Call(next(numbers), call) for call in turn.calls]
