"""What a line looks like, for people and as JSON.

The console's lines are for people: local time, no field that only a machine wants, control characters
escaped. JSON lines have the same words as fields. Colours never stand between a name and its value,
where they would hide the value from the masker.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

import orjson

Fields = MutableMapping[str, Any]

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_PLAIN_VALUE = re.compile(r"[\w.:/@+-]+")
_COLOURS = {"DEBUG": "\x1b[2m", "INFO": "\x1b[32m", "WARNING": "\x1b[33m", "ERROR": "\x1b[31m"}
_MARKER = re.compile(r"\[[A-Z][\w ]*\]")
_RESET = "\x1b[0m"


class Clock:
    """Times as text; what does not change within a second is not made anew."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._utc: tuple[int, str] = (-1, "")
        self._local: tuple[int, str] = (-1, "")

    def utc(self) -> str:
        """`2026-11-21T12:01:02.123Z`"""
        second, part = divmod(self._now(), 1)
        if self._utc[0] != second:
            self._utc = (int(second), time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)))
        return f"{self._utc[1]}.{int(part * 1000):03}Z"

    def local(self) -> str:
        """`12:01:02.123`"""
        second, part = divmod(self._now(), 1)
        if self._local[0] != second:
            self._local = (int(second), time.strftime("%H:%M:%S", time.localtime(second)))
        return f"{self._local[1]}.{int(part * 1000):03}"


def json_line(level: str, fields: Fields, clock: Clock) -> str:
    line = {"time": clock.utc(), "level": level.lower(), "event": fields.pop("event", ""), **fields}
    try:
        return orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:  # half a surrogate pair, a number beyond 64 bits, a circle
        return json.dumps(_texts(line), default=str)


def _texts(value: Any, depth: int = 0) -> Any:
    """The value with what JSON cannot hold as text."""
    if depth > 20:
        return "…"
    if isinstance(value, Mapping):
        return {str(key): _texts(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_texts(inner, depth + 1) for inner in value]
    return value if isinstance(value, (str, int, bool, type(None))) else str(value)


def console_line(level: str, fields: Fields, clock: Clock, colour: bool) -> str:
    event, name, stack = str(fields.pop("event", "")), fields.pop("logger", ""), fields.pop("exception", "")
    words = [event]
    if name and not name.startswith("app"):
        words.insert(0, f"{name}:")
    words += [f"{key}={_console_value(value)}" for key, value in fields.items()]
    text = " ".join(words)
    if stack:
        text = f"{text}\n{stack}"
    if not text.isprintable():
        text = _CONTROL.sub(_escaped, text).replace("\n", "\n    ")
    if not colour:
        return f"{clock.local()} {level:<7} {text}"
    text = _MARKER.sub(lambda marker: f"\x1b[1m{marker[0]}{_RESET}", text, count=1)
    return f"\x1b[2m{clock.local()}{_RESET} {_COLOURS.get(level, '')}{level:<7}{_RESET} {text}"


def _console_value(value: Any) -> str:
    text = value if isinstance(value, str) else str(value)
    return text if _PLAIN_VALUE.fullmatch(text) else json.dumps(text, ensure_ascii=False)


def _escaped(match: re.Match[str]) -> str:
    """A character that a terminal would act upon, as Python writes it."""
    return match[0].encode("unicode_escape").decode("ascii")
