"""Content that comes in parts, as Mistral gives it: its thoughts are there, too. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, TypeAlias

from app.utils.shapes import as_dicts, as_text

PartSaid: TypeAlias = tuple[Literal["text", "thinking"], str]


def said_in_parts(parts: list[Any]) -> Iterator[PartSaid]:
    """The texts and thoughts in them that say anything."""
    for part in parts:
        if isinstance(part, str):
            yield from _if_text("text", part)
        elif isinstance(part, dict) and part.get("type") == "thinking":
            yield from _if_text("thinking", text_of(part.get("thinking")))
        elif isinstance(part, dict):
            yield from _if_text("text", part.get("text") or part.get("refusal"))


def _if_text(kind: Literal["text", "thinking"], value: Any) -> Iterator[PartSaid]:
    if isinstance(value, str) and value:
        yield kind, value


def text_of(value: Any) -> str:
    """Text that may come in parts."""
    if isinstance(value, str):
        return value
    return "".join(as_text(part.get("text")) for part in as_dicts(value))
