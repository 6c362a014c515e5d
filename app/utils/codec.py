"""JSON as it is really sent. Pure.

orjson is fast and strict; agents' streams are not: a server that cuts text by UTF-16
units sends half a surrogate pair (`"\\ud83d"`) in one event and the rest in the next.
orjson refuses that, the standard library keeps it, so it steps in where orjson gives up.
"""

from __future__ import annotations

import json
from math import isfinite
from typing import Any

import orjson

LONGEST_NUMBER = 4000
"""Digits."""


def loads(data: bytes | bytearray | str) -> Any:
    """The value; raises ValueError for what is no JSON, NaN and Infinity included.

    A whole number beyond 64 bits becomes a float, as in JavaScript.
    """
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(data, parse_constant=_refuse, parse_float=_finite, parse_int=_whole)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def is_strict(data: bytes) -> bool:
    """Whether it is JSON to the letter, in UTF-8, with no half a surrogate pair."""
    try:
        orjson.loads(data)
    except orjson.JSONDecodeError:
        return False
    return True


def dumps(value: Any) -> bytes:
    """Compact UTF-8; escapes only what UTF-8 cannot hold."""
    try:
        return orjson.dumps(value)
    except TypeError:  # half a surrogate pair, a whole number beyond 64 bits, more than 254 levels
        text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
        return text.encode("utf-8", "backslashreplace")  # \ud83d, as JSON writes it


def _whole(number: str) -> int:
    return int(number) if len(number) < LONGEST_NUMBER else _refuse("a number of that length")


def _finite(number: str) -> float:
    return float(number) if isfinite(float(number)) else _refuse(number)


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
