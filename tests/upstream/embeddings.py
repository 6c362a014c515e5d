"""Embeddings, as OpenAI writes them down (pure). A text's vector follows from its letters alone."""

from __future__ import annotations

import struct
from base64 import b64encode
from typing import Any

from tests.upstream.chat import UNKNOWN, Json, Shape, Turn

SIZE = 4


def answer(turn: Turn, shape: Shape, asked: Json) -> Json:
    pieces = inputs(asked["input"])
    more = UNKNOWN if shape.unknown else {}
    size, packed = asked.get("dimensions") or SIZE, asked.get("encoding_format") == "base64"
    data = [
        {"object": "embedding", "index": index, "embedding": _said(vector(piece, size), packed)} | more
        for index, piece in enumerate(pieces)
    ]
    said: Json = {"object": "list", "model": shape.model, "data": data}
    if shape.usage != "never":
        said["usage"] = {"prompt_tokens": len(pieces), "total_tokens": len(pieces)} | more
    return said | more


def inputs(given: Any) -> list[Any]:
    """The texts, each a text or the numbers of its tokens."""
    return given if isinstance(given, list) and not isinstance(given[0], int) else [given]


def vector(piece: str | list[int], size: int = SIZE) -> list[float]:
    """Numbers that 32 bits hold exactly."""
    codes = [ord(letter) for letter in piece] if isinstance(piece, str) else piece
    return [sum(codes[place::size]) / 64 - 1 for place in range(size)]


def _said(numbers: list[float], packed: bool) -> list[float] | str:
    return b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode() if packed else numbers
