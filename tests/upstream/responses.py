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

LEFT_OUT = ("sequence_number", "output_index", "content_index", "summary_index")
"""Which llama-server leaves out."""


def answer(turn: Turn, shape: Shape, asked: Json) -> Json:
    """The plain answer to that request."""
    items = [item.whole(shape) for item in _items(turn, shape)]
    named = {"created_at": CREATED, "model": shape.model} if shape.llama else {}
    return (
        _response(shape, asked) | named | _end(turn, shape) | {"output": items, "usage": usage(turn, shape)}
    )


def events(turn: Turn, shape: Shape, asked: Json) -> list[Json]:
    """The events of the stream."""
    made = list(_events(turn, shape, asked))
    if shape.unknown:
        made.insert(2, {"type": "response.x_unheard_of", **UNKNOWN})
    numbered = [event | {"sequence_number": number} for number, event in enumerate(made)]
    if shape.unknown:
        numbered = [event | UNKNOWN for event in numbered]
    if shape.llama:
        return [{name: event[name] for name in event if name not in LEFT_OUT} for event in numbered]
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
    if shape.llama:
        del counted["output_tokens_details"]
    return counted | UNKNOWN if shape.unknown else counted


def error_event(number: int, status: int, message: str) -> Json:
    code = "rate_limit_exceeded" if status == 429 else "server_error"
    return {"type": "error", "code": code, "message": message, "param": None, "sequence_number": number}


def _events(turn: Turn, shape: Shape, asked: Json) -> Iterator[Json]:
    begun = _response(shape, asked)
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    yield from _item_events(turn, shape)
    end = answer(turn, shape, asked)
    yield {"type": f"response.{end['status']}", "response": end}


def _item_events(turn: Turn, shape: Shape) -> Iterator[Json]:
    """llama-server ends all items only when the last one is complete."""
    owed: list[Json] = []
    for index, item in enumerate(_items(turn, shape)):
        started, whole = item.started(shape), item.whole(shape)
        place = {"output_index": index}
        within = place | {"item_id": started["id"]}
        yield {"type": "response.output_item.added", **place, "item": started}
        yield from (event | within for event in item.pieces(shape))
        owed += [event | within for event in item.ends(shape)]
        owed.append({"type": "response.output_item.done", **place, "item": whole})
        if not shape.llama:
            yield from owed
            owed = []
    yield from owed


def _response(shape: Shape, asked: Json) -> Json:
    response: Json = {"id": shape.id, "object": "response", "status": "in_progress"}
    if shape.llama:
        return response
    response |= {
        "created_at": CREATED,
        "background": False,
        "error": None,
        "incomplete_details": None,
        "model": shape.model,
        "output": [],
        "usage": None,
    }
    if not shape.bare:
        response |= {name: deepcopy(asked.get(name, default)) for name, default in ECHOED.items()}
    return response | UNKNOWN if shape.unknown else response


def _end(turn: Turn, shape: Shape) -> Json:
    completed: Json = {"status": "completed", "completed_at": CREATED + 1}
    # llama-server does not tell that an answer was cut at its limit.
    return completed if shape.llama else ENDS.get(turn.finish, completed)


# ---------------------------------------------------------------------------- the items


@dataclass(frozen=True, slots=True)
class _Thoughts:
    number: int
    turn: Turn

    def started(self, shape: Shape) -> Json:
        sealed = "" if shape.llama else self.turn.signature or None
        started = {"id": _id("rs", self.number, shape), "type": "reasoning"}
        return started | {"summary": [], "encrypted_content": sealed}

    def whole(self, shape: Shape) -> Json:
        text = "".join(self.turn.reasoning)
        if shape.llama:  # it shows the thoughts themselves
            return self.started(shape) | {"content": [{"type": "reasoning_text", "text": text}]}
        return self.started(shape) | {"summary": [{"type": "summary_text", "text": text}]}

    def pieces(self, shape: Shape) -> Iterator[Json]:
        pieces, part = self.turn.reasoning, {"type": "summary_text", "text": ""}
        if shape.llama:
            yield from ({"type": "response.reasoning_text.delta", "delta": piece} for piece in pieces)
            return
        at = {"summary_index": 0}
        yield {"type": "response.reasoning_summary_part.added", **at, "part": part}
        for piece in pieces:
            yield {"type": "response.reasoning_summary_text.delta", **at, "delta": piece}

    def ends(self, shape: Shape) -> Iterator[Json]:
        if shape.llama:
            return
        at, text = {"summary_index": 0}, "".join(self.turn.reasoning)
        part = {"type": "summary_text", "text": text}
        yield {"type": "response.reasoning_summary_text.done", **at, "text": text}
        yield {"type": "response.reasoning_summary_part.done", **at, "part": part}


@dataclass(frozen=True, slots=True)
class _Message:
    number: int
    said: tuple[str, ...]

    def started(self, shape: Shape) -> Json:
        return {
            "id": _id("msg", self.number, shape),
            "type": "message",
            "role": "assistant",
            "status": "in_progress",
            "content": [],
        }

    def whole(self, shape: Shape) -> Json:
        return self.started(shape) | {"status": "completed", "content": [self._part("".join(self.said))]}

    def pieces(self, shape: Shape) -> Iterator[Json]:
        at = {"content_index": 0}
        yield {"type": "response.content_part.added", **at, "part": self._part("")}
        for piece in self.said:
            yield {"type": "response.output_text.delta", **at, "delta": piece, "logprobs": []}

    def ends(self, shape: Shape) -> Iterator[Json]:
        at, text = {"content_index": 0}, "".join(self.said)
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

    def pieces(self, shape: Shape) -> Iterator[Json]:
        for piece in cut(self.call.arguments, shape.pieces):
            yield {"type": f"response.{self._kind}.delta", "delta": piece}

    def ends(self, shape: Shape) -> Iterator[Json]:
        if shape.llama:
            return
        text = self.call.arguments
        whole = {"input": text} if self.call.custom else {"arguments": text, "name": self.call.name}
        yield {"type": f"response.{self._kind}.done"} | whole

    @property
    def _kind(self) -> str:
        return "custom_tool_call_input" if self.call.custom else "function_call_arguments"

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
