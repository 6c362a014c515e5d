"""A request without its texts: of each one only the length is kept (pure).

`stripped` forgets, `filled` makes up words of that length. Kept as they are: names, numbers, ids (counted
anew), single words such as types and enumerated values, and what the tests themselves had said.
"""

from __future__ import annotations

import json
import re
from typing import Any

from tests.upstream.conversation import MARKER

LENGTH = "~"
"""`{"~": 5824}` stands for a text of that length, `{"~json": {...}}` for a JSON text."""
JSON_TEXT = "~json"

WORD = re.compile(r"[\w./:@$+*#?&=,-]{0,64}")
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
MOMENT = 10**11
"""Whole numbers from here on are times."""

FILLER = "lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor incididunt ut labore "


class Stripping:
    """One per recording: the same id becomes the same number everywhere in it."""

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}

    def value(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {self.word(key): self.value(one) for key, one in value.items()}
        if isinstance(value, list):
            return [self.value(one) for one in value]
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, int) and value >= MOMENT:
            return MOMENT
        return value

    def word(self, text: str) -> str:
        """A word with its ids counted anew."""
        return UUID.sub(lambda found: self._ids.setdefault(found[0], _uuid(len(self._ids))), text)

    def _text(self, text: str) -> Any:
        if found := MARKER.search(text):
            return found[0]
        if WORD.fullmatch(text):
            return self.word(text)
        if (inner := _json(text)) is not None:
            return {JSON_TEXT: self.value(inner)}
        return {LENGTH: len(text)}


def filled(value: Any) -> Any:
    """A stripped value with filler where texts were."""
    if isinstance(value, list):
        return [filled(one) for one in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {LENGTH}:
        return filler(value[LENGTH])
    if value.keys() == {JSON_TEXT}:
        return json.dumps(filled(value[JSON_TEXT]))
    return {key: filled(one) for key, one in value.items()}


def filler(length: int) -> str:
    return (FILLER * (length // len(FILLER) + 1))[:length]


def _uuid(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def _json(text: str) -> Any:
    """The object or list that a text is, or None."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict | list) else None
