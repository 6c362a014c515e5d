"""The events in which the Responses API spells an answer. Pure.

Numbers (`sequence_number`) are given by whoever sends them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from app.types import Answer, Batch, Event


@dataclass(frozen=True, slots=True)
class PartKind:
    """How one kind of text within an item is streamed."""

    frame: str
    """What begins and ends it."""
    stream: str
    """What its pieces are called."""
    index: str
    text: str
    """The field that holds the text."""
    blank: Mapping[str, Any]
    """What a part has besides its text."""

    @property
    def also(self) -> dict[str, Any]:
        """What the events of its text have besides the text."""
        return {"logprobs": []} if "logprobs" in self.blank else {}


_CONTENT = "response.content_part"
PART_KINDS: Mapping[str, PartKind] = {
    "output_text": PartKind(
        _CONTENT, "response.output_text", "content_index", "text", {"annotations": [], "logprobs": []}
    ),
    "refusal": PartKind(_CONTENT, "response.refusal", "content_index", "refusal", {}),
    "reasoning_text": PartKind(_CONTENT, "response.reasoning_text", "content_index", "text", {}),
    "summary_text": PartKind(
        "response.reasoning_summary_part", "response.reasoning_summary_text", "summary_index", "text", {}
    ),
}

CALL_STREAMS: Mapping[str, tuple[str, str]] = {
    "function_call": ("response.function_call_arguments", "arguments"),
    "custom_tool_call": ("response.custom_tool_call_input", "input"),
}
"""Kinds of calls whose arguments are streamed → what their pieces are called, and the field."""

_EMPTY: Mapping[str, Any] = {
    "content": [],
    "summary": [],
    "arguments": "",
    "input": "",
    "status": "in_progress",
}


def events_of(response: Answer) -> Batch:
    """A whole answer as the events that spell it."""
    begun = {**response, "status": "in_progress", "output": [], "usage": None, "incomplete_details": None}
    events: Batch = [{"type": f"response.{name}", "response": begun} for name in ("created", "in_progress")]
    items = response.get("output")
    for at, item in enumerate(items if isinstance(items, list) else ()):
        if isinstance(item, dict):
            events += _item_events(item, at)
    ended = response.get("status")
    events.append(
        {"type": f"response.{ended if isinstance(ended, str) else 'completed'}", "response": response}
    )
    return events


def _item_events(item: dict[str, Any], at: int) -> Iterator[Event]:
    place = {"item_id": item.get("id"), "output_index": at}
    yield {"type": "response.output_item.added", "output_index": at, "item": begun_item(item)}
    for index, part in _parts(item):
        kind = PART_KINDS[part["type"]]
        at_part = {**place, kind.index: index}
        yield part_added(part["type"], at_part)
        yield {"type": f"{kind.stream}.delta", **at_part, "delta": part.get(kind.text) or "", **kind.also}
        yield from part_done(part, at_part)
    if isinstance(kind_of := item.get("type"), str) and kind_of in CALL_STREAMS:
        stream, field = CALL_STREAMS[kind_of]
        yield {"type": f"{stream}.delta", **place, "delta": item.get(field) or ""}
        yield call_done(item, place)
    yield {"type": "response.output_item.done", "output_index": at, "item": item}


def _parts(item: dict[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    for field in ("summary", "content"):
        parts = item.get(field)
        for index, part in enumerate(parts if isinstance(parts, list) else ()):
            if isinstance(part, dict) and part.get("type") in PART_KINDS:
                yield index, part


def begun_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """An item as it is when it has only begun."""
    texts = CALL_STREAMS.get(item.get("type") or "", ("", ""))
    return {
        key: _EMPTY[key] if key in ("content", "summary", "status", texts[1]) and value is not None else value
        for key, value in item.items()
    }


def part_added(name: str, place: Mapping[str, Any]) -> Event:
    kind = PART_KINDS[name]
    part = {"type": name, **{key: list(value) for key, value in kind.blank.items()}, kind.text: ""}
    return {"type": f"{kind.frame}.added", **place, "part": part}


def part_done(part: Mapping[str, Any], place: Mapping[str, Any]) -> Batch:
    """That a part is complete: its text, then all of it."""
    kind = PART_KINDS[part["type"]]
    also = {key: part.get(key) or [] for key in kind.also}
    return [
        {"type": f"{kind.stream}.done", **place, kind.text: part.get(kind.text) or "", **also},
        {"type": f"{kind.frame}.done", **place, "part": part},
    ]


def call_done(item: Mapping[str, Any], place: Mapping[str, Any]) -> Event:
    """That a call's arguments are complete."""
    stream, field = CALL_STREAMS[item["type"]]
    named = {"name": item.get("name")} if field == "arguments" else {}
    return {"type": f"{stream}.done", **place, **named, field: item.get(field) or ""}
