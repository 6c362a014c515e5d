"""A stream is told from a plain answer by its bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.utils.answers import is_stream


@given(
    st.sampled_from(["data:", "data: x", "event: x", "id: 7", "retry: 1", ": x", "data"]), st.integers(1, 8)
)
def test_a_stream_is_known_by_its_first_bytes_however_few(text: str, length: int) -> None:
    assert is_stream(text.encode()[:length])
    assert is_stream(b"\xef\xbb\xbf\r\n" + text.encode()[:length])


@pytest.mark.parametrize(
    "text", ["{", "[", "<html>", '"', "3", "null", "error: x", "internal error", "rate limited", "dead", ""]
)
def test_anything_else_is_none(text: str) -> None:
    assert not is_stream(text.encode())
