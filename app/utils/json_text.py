"""The one text in a small JSON object, read while it is still being written. Pure.

A custom tool takes text as it is, but a chat model can only fill in JSON: `{"input": "…"}`.
The text leaves as it comes, with its escapes undone, wherever the pieces were cut. What is
of another shape is given as it is, for a model that wrote the text itself meant the same.
"""

from __future__ import annotations

import re
from typing import Literal

from app.utils.codec import loads

LONGEST_HEAD = 64
"""Characters before the text; what has not begun by then is of another shape."""

_PLAIN = re.compile(r'[^"\\]*')
_UNICODE = re.compile(r"\\u([0-9a-fA-F]{4})")
_PLAIN_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "/": "/"}


class TextInJson:
    """Pieces of JSON in, pieces of the text out."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._head = re.compile(rf'\s*\{{\s*"{re.escape(name)}"\s*:\s*"')
        self._state: Literal["head", "text", "after", "other", "raw"] = "head"
        self._held = ""
        self._other: list[str] = []

    def feed(self, piece: str) -> str:
        """What is certain of the text after one more piece."""
        match self._state:
            case "text":
                return self._unescaped(self._held + piece)
            case "head":
                return self._begun(self._held + piece)
            case "other":
                self._other.append(piece)
            case "raw":
                return piece
        return ""

    def close(self) -> str:
        """The rest, when no more comes."""
        if self._state in ("head", "other"):
            return text_in("".join((self._held, *self._other)), self._name)
        return ""

    def _begun(self, read: str) -> str:
        self._held = read
        if found := self._head.match(read):
            self._state = "text"
            return self._unescaped(read[found.end() :])
        if (first := read.lstrip()[:1]) and first not in '{"':
            self._state = "raw"
            return read
        if len(read) > LONGEST_HEAD:
            self._state = "other"
        return ""

    def _unescaped(self, read: str) -> str:
        said: list[str] = []
        place = 0
        while True:
            plain = _PLAIN.match(read, place)
            assert plain is not None  # it matches nothing, too
            said.append(plain.group())
            place = plain.end()
            if read[place : place + 1] == '"':
                self._state = "after"
                return "".join(said)
            escaped, length = _escape(read[place : place + 12])
            if not length:
                self._held = read[place:]
                return "".join(said)
            said.append(escaped)
            place += length


def _escape(read: str) -> tuple[str, int]:
    """The character that an escape at the start stands for, and its length; 0 while more is needed."""
    if len(read) < 2 or (read[1] == "u" and len(read) < 6):
        return "", 0
    if read[1] != "u":
        return _PLAIN_ESCAPES.get(read[1], read[:2]), 2
    if not (found := _UNICODE.match(read)):
        return read[:2], 2
    first = int(found[1], 16)
    if not 0xD800 <= first < 0xDC00:
        return chr(first), 6
    if len(read) < 12 and r"\u".startswith(read[6:8]):  # the other half may still come
        return "", 0
    second = _UNICODE.match(read, 6)
    low = int(second[1], 16) if second else 0
    if not 0xDC00 <= low < 0xE000:
        return chr(first), 6
    return chr(0x10000 + (first - 0xD800) * 0x400 + low - 0xDC00), 12


def text_in(written: str, name: str) -> str:
    """The text in a whole piece of JSON; all of it where it holds no text that could be meant."""
    try:
        value = loads(written)
    except ValueError:
        return written
    if isinstance(value, dict):
        texts = list(value.values()) if len(value) == 1 else [value.get(name)]
        value = texts[0]
    return value if isinstance(value, str) else written
