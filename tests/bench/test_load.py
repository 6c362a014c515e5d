from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.load import BadAnswer, Check, Decoder, Load
from bench.script import STREAM_HEAD, Script, ending, http_chunk, plain_answer, stamped

STREAM = Load(0, Script("stream", 3))
PLAIN = Load(0, Script("plain"))
THREE_EVENTS = stamped(1_000_000, True) + stamped(2_000_000) + stamped(3_000_000)


def pieces(answer: bytes, size: int) -> Iterator[bytes]:
    return (answer[start : start + size] for start in range(0, len(answer), size))


def read(load: Load, answer: bytes, size: int) -> list[float]:
    """The delays of an answer that comes in pieces and is read at 5 ms."""
    decoder, check, delays = Decoder(), Check(load), []
    for piece in pieces(answer, size):
        delays += check.feed(decoder.feed(piece), 5_000_000)
    assert decoder.done
    check.finish()
    return delays


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_a_whole_answer_is_right_however_it_is_cut(size: int) -> None:
    assert read(STREAM, STREAM_HEAD + THREE_EVENTS + ending(), size) == [4.0, 3.0, 2.0]
    assert read(PLAIN, plain_answer(), size) == []


@pytest.mark.parametrize(
    ("load", "answer"),
    [
        (STREAM, STREAM_HEAD + stamped(1) + ending()),
        (STREAM, STREAM_HEAD + THREE_EVENTS + http_chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"),
        (STREAM, b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n"),
        (PLAIN, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"),
        (Load(0, Script("plain"), aliased=True), plain_answer()),
        (Load(0, Script("stream", 3), aliased=True), STREAM_HEAD + THREE_EVENTS + ending()),
    ],
    ids=["lost events", "no finish", "status", "empty", "target's name", "target's name in a stream"],
)
def test_a_wrong_answer_is_found_out(load: Load, answer: bytes) -> None:
    with pytest.raises(BadAnswer):
        read(load, answer, 100_000)
