"""Compressed bodies come out whole, however they were cut and whatever their sender calls them."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import UpstreamGarbage
from app.utils.inflate import inflater


def bare(data: bytes) -> bytes:
    """deflate as some understand it: without zlib's header."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


def in_two(data: bytes) -> bytes:
    return gzip.compress(data[:5]) + gzip.compress(data[5:])


def padded(data: bytes) -> bytes:
    return gzip.compress(data) + b"\0" * 9


PACKED: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("gzip", gzip.compress),
    ("x-gzip", gzip.compress),
    (" GZIP ", in_two),
    ("gzip", padded),
    ("deflate", zlib.compress),
    ("Deflate", bare),
]


@given(st.sampled_from(PACKED), st.binary(max_size=200), st.lists(st.integers(0, 250), max_size=8))
def test_a_body_is_unpacked_wherever_it_is_cut(
    how: tuple[str, Callable[[bytes], bytes]], plain: bytes, places: list[int]
) -> None:
    coding, pack = how
    packed = pack(plain)
    ends = sorted({0, len(packed), *(place for place in places if place < len(packed))})
    whole, cut, bytewise = (inflater(coding, "who") for _ in range(3))
    assert whole
    assert cut
    assert bytewise

    assert whole(packed) == plain
    assert b"".join(cut(packed[a:b]) for a, b in pairwise(ends)) == plain
    assert b"".join(bytewise(packed[at : at + 1]) for at in range(len(packed))) == plain


@pytest.mark.parametrize("coding", ["", " ", "identity", "Identity"])
def test_what_is_not_packed_needs_no_unpacking(coding: str) -> None:
    assert inflater(coding, "who") is None


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip", "compress", "x" * 500])
def test_what_nobody_asked_for_is_refused(coding: str) -> None:
    with pytest.raises(UpstreamGarbage, match="who answers in a coding nobody asked for") as raised:
        inflater(coding, "who")
    assert len(str(raised.value)) < 100


@pytest.mark.parametrize("packed", [b"\x1f\x8bgarbage", b"\x78\x9cgarbage", b"\xff\xffgarbage"])
def test_what_cannot_be_unpacked_says_so(packed: bytes) -> None:
    unpack = inflater("gzip", "who")
    assert unpack

    with pytest.raises(zlib.error):
        unpack(packed)
