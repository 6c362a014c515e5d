"""Compressed bodies, unpacked as they come. Pure."""

from __future__ import annotations

import zlib
from collections.abc import Callable

from app.errors import UpstreamGarbage


def inflater(coding: str, whom: str) -> Callable[[bytes], bytes] | None:
    """`identity` is asked for, but some answer with gzip all the same."""
    coding = coding.strip().lower()
    if coding in ("", "identity"):
        return None
    if coding in ("gzip", "x-gzip", "deflate"):
        return _Inflate().feed
    raise UpstreamGarbage(f"{whom} answers in a coding nobody asked for: {coding[:40]}")


class _Inflate:
    """gzip, in several members too, and both things called deflate: with zlib's header, and without."""

    def __init__(self) -> None:
        self._object: zlib._Decompress | None = None
        self._ended = False
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        plain = b""
        data = self._rest + data
        while data and (self._object or len(data) > 1):
            if self._object is None:
                if self._ended and data[:2] != _GZIP:  # padding
                    return plain
                self._object = zlib.decompressobj(_window(data))
            plain += self._object.decompress(data)
            data = self._object.unused_data
            if self._object.eof:
                self._object, self._ended = None, True
        self._rest = data
        return plain


_GZIP = b"\x1f\x8b"


def _window(head: bytes) -> int:
    """What zlib is to expect after these two bytes."""
    if head[:2] == _GZIP:
        return zlib.MAX_WBITS | 16
    has_header = head[0] & 15 == 8 and int.from_bytes(head[:2], "big") % 31 == 0
    return zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS
