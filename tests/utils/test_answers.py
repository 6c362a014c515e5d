"""A plain answer is told by its bytes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import GatewayError, RateLimited, UpstreamCut, UpstreamFailed, UpstreamGarbage
from app.types import Target
from app.utils.answers import answer_in, is_stream

TARGET = Target("alias", "p", "wire")
ANSWER = {"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]}
DELTA = {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hi"}, "finish_reason": None}]}
FINISH = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}


def stream(*events: Any) -> bytes:
    return b"".join(b"data: " + json.dumps(one).encode() + b"\n\n" for one in events)


@pytest.mark.parametrize("before", [b"", b"  \r\n"], ids=["plain", "space"])
def test_json_is_the_answer(before: bytes) -> None:
    assert answer_in(before + json.dumps(ANSWER).encode(), TARGET) == ANSWER


@pytest.mark.parametrize("end", [b"data: [DONE]\n\n", b""], ids=["done", "no done"])
def test_a_stream_is_gathered(end: bytes) -> None:
    answer = answer_in(b": hello\n\n" + stream(DELTA, FINISH) + end, TARGET)

    assert answer["choices"][0]["message"]["content"] == "Hi"
    assert answer["object"] == "chat.completion"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", UpstreamGarbage),
        (b"<html>Sign in</html>", UpstreamGarbage),
        (b"Bad Gateway", UpstreamGarbage),
        (b"[]", UpstreamGarbage),
        (b'{"hello": 1}', UpstreamGarbage),
        (b'{"error": {"message": "no", "code": 429}}', RateLimited),
        (b'{"error": "no"}', UpstreamFailed),
        (stream(DELTA), UpstreamCut),
        (b"data: [DONE]\n\n", UpstreamCut),
        (b"data: {not json\n\n", UpstreamGarbage),
        (stream(DELTA, {"error": {"message": "no"}}), UpstreamFailed),
    ],
)
def test_what_is_no_answer_is_an_error(body: bytes, problem: type[GatewayError]) -> None:
    with pytest.raises(problem) as caught:
        answer_in(body, TARGET)

    assert "<" not in str(caught.value)


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
