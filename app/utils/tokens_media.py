"""What pictures and PDFs cost, from the first bytes of their data. Pure.

A picture is billed by its size in pixels, which stands in its head: some kilobytes of base64
are decoded, never the whole. The rules are the ones that the providers publish.
"""

from __future__ import annotations

import re
import struct
from base64 import b64decode
from collections.abc import Callable, Mapping
from math import ceil
from typing import TypeAlias

from app.utils.tokens_families import Family, PictureRule

Size: TypeAlias = tuple[int, int]

PIECE = 64 * 1024
"""Characters of base64 that are decoded at most; a JPEG may hold a preview before its size."""

USUAL: Size = (1024, 768)
"""Taken for a picture whose size is not to be had: behind a URL, or of a kind that is not known here."""

BYTES_PER_PAGE = 60_000
"""Of a PDF that does not say how many pages it has."""


# ─── sizes ───────────────────────────────────────────────────────────────────────────────────────


def size_in(head: bytes) -> Size | None:
    """Width and height in the head of a PNG, GIF, WebP or JPEG; None for anything else."""
    try:
        for mark, find in _KINDS:
            if head.startswith(mark):
                width, height = find(head)
                return (width, height) if width and height else None
    except (IndexError, struct.error):  # cut short
        pass
    return None


def _png(head: bytes) -> Size:
    width, height = struct.unpack_from(">II", head, 16)
    return width, height


def _gif(head: bytes) -> Size:
    width, height = struct.unpack_from("<HH", head, 6)
    return width, height


def _webp(head: bytes) -> Size:
    match head[8:16]:
        case b"WEBPVP8 ":
            width, height = struct.unpack_from("<HH", head, 26)
            return width & 0x3FFF, height & 0x3FFF
        case b"WEBPVP8L":
            bits = struct.unpack_from("<I", head, 21)[0]
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"WEBPVP8X":
            return _three(head[24:27]) + 1, _three(head[27:30]) + 1
    return 0, 0


def _three(data: bytes) -> int:
    if len(data) < 3:
        raise IndexError
    return int.from_bytes(data, "little")


_NOT_FRAMES = {0xC4, 0xC8, 0xCC}
"""Of the markers from C0 to CF: tables, which hold no size."""


def _jpeg(head: bytes) -> Size:
    place = 2
    while True:
        while head[place] != 0xFF:
            place += 1
        while head[place] == 0xFF:
            place += 1
        marker = head[place]
        if 0xC0 <= marker <= 0xCF and marker not in _NOT_FRAMES:
            height, width = struct.unpack_from(">HH", head, place + 4)
            return width, height
        alone = marker == 0x01 or 0xD0 <= marker <= 0xD8
        place += 1 if alone else 1 + struct.unpack_from(">H", head, place + 1)[0]


_KINDS: tuple[tuple[bytes, Callable[[bytes], Size]], ...] = (
    (b"\x89PNG\r\n\x1a\n", _png),
    (b"GIF8", _gif),
    (b"RIFF", _webp),
    (b"\xff\xd8", _jpeg),
)


# ─── base64 ──────────────────────────────────────────────────────────────────────────────────────


def beginning(data: str) -> bytes:
    """The first bytes of base64 text or of a `data:` URL; b"" of anything else."""
    start = _start(data)
    return _decoded(data[start : start + PIECE])


def ending(data: str) -> bytes:
    """The last bytes of it; b"" where `beginning` has them already."""
    size = (len(data) - _start(data)) // 4 * 4
    if size <= PIECE:
        return b""
    end = _start(data) + size
    return _decoded(data[end - PIECE : end])


def _start(data: str) -> int:
    return data.find(",", 0, 256) + 1 if data.startswith("data:") else 0


def _decoded(text: str) -> bytes:
    try:
        return b64decode(text[: len(text) // 4 * 4], validate=True)
    except ValueError:
        return b""


# ─── tokens ──────────────────────────────────────────────────────────────────────────────────────


def picture_tokens(data: str, family: Family, detail: str = "auto") -> int:
    """For a picture, as base64, a `data:` URL, or one that only the target can fetch."""
    if detail == "low" and family.pictures in _LOW:
        return _LOW[family.pictures]
    width, height = size_in(beginning(data)) or USUAL
    return _RULES[family.pictures](width, height)


def pdf_tokens(data: str, family: Family) -> int:
    """For a PDF, by its pages: as it tells them near its beginning or its end, else by its length."""
    told = [int(a or b) for a, b in _PAGES.findall(beginning(data) + b" " + ending(data))]
    return max(1, max(told, default=ceil(len(data) * 3 / 4 / BYTES_PER_PAGE))) * family.page


# The root of the pages, whichever way round its fields are, and what a linearised file says at once.
_PAGES = re.compile(
    rb"<<(?=[^<>]{0,4000}?/Type\s*/Pages\b)[^<>]{0,4000}?/Count\s+(\d{1,5})\b"
    rb"|<<(?=[^<>]{0,400}?/Linearized\b)[^<>]{0,400}?/N\s+(\d{1,5})\b"
)


def _within(width: float, height: float, longest: float) -> tuple[float, float]:
    """Scaled down so that neither side is longer."""
    scale = min(1.0, longest / max(width, height))
    return width * scale, height * scale


def _patches(width: int, height: int) -> int:
    """Open models: one token for 28 by 28 pixels, as Qwen's and GLM's have it."""
    return min(4096, ceil(width / 28) * ceil(height / 28))


def _claude(longest: int, most: int) -> Callable[[int, int], int]:
    def tokens(width: int, height: int) -> int:
        wide, high = _within(width, height, longest)
        return min(most, ceil(wide * high / 750))

    return tokens


def _gpt(base: int, tile: int) -> Callable[[int, int], int]:
    def tokens(width: int, height: int) -> int:
        wide, high = _within(width, height, 2048)
        scale = min(1.0, 768 / min(wide, high))
        return base + tile * ceil(wide * scale / 512) * ceil(high * scale / 512)

    return tokens


def _gpt_patches(factor: float) -> Callable[[int, int], int]:
    def tokens(width: int, height: int) -> int:
        return ceil(min(1536, ceil(width / 32) * ceil(height / 32)) * factor)

    return tokens


def _gemini(width: int, height: int) -> int:
    if width <= 384 and height <= 384:
        return 258
    tile = min(768, max(256, min(width, height) // 1.5))
    return 258 * ceil(width / tile) * ceil(height / tile)


_RULES: Mapping[PictureRule, Callable[[int, int], int]] = {
    "patches": _patches,
    "claude": _claude(1568, 1600),
    "claude 4.7": _claude(2576, 4784),
    "gpt": _gpt(85, 170),
    "gpt-5": _gpt(70, 140),
    "gpt-4o-mini": _gpt(2833, 5667),
    "gpt-mini": _gpt_patches(1.62),
    "gpt-nano": _gpt_patches(2.46),
    "gemini": _gemini,
    "gemini 3": lambda width, height: 1120,
}
_LOW: Mapping[PictureRule, int] = {"gpt": 85, "gpt-5": 70, "gpt-4o-mini": 2833}
