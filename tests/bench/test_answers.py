from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.answers import BadAnswer, Check, Decoder
from bench.dialects import APIS, DIALECTS, stamped
from bench.script import LAST_CHUNK, STREAM_HEAD, DialectName, Script, http_answer, http_chunk

STREAM = Script("stream", 3)
PLAIN = Script("plain")


def stream(dialect: DialectName) -> bytes:
    """The answer to `STREAM`, its events written after 1, 2 and 3 ms."""
    spoken = DIALECTS[dialect]
    events = b"".join(stamped(spoken, (number + 1) * 1_000_000, number) for number in range(3))
    return STREAM_HEAD + spoken.opening() + events + spoken.ending(3)


def pieces(answer: bytes, size: int) -> Iterator[bytes]:
    return (answer[start : start + size] for start in range(0, len(answer), size))


def read(check: Check, answer: bytes, size: int = 1_000_000) -> list[float]:
    """The delays of an answer that comes in pieces and is read at 5 ms."""
    decoder, delays = Decoder(), []
    for piece in pieces(answer, size):
        delays += check.feed(decoder.feed(piece), 5_000_000)
    assert decoder.done
    check.finish()
    return delays


@pytest.mark.parametrize("size", [1, 7, 1_000_000])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_whole_answer_is_right_however_it_is_cut(dialect: DialectName, size: int) -> None:
    api = APIS[dialect]

    assert read(Check(api, STREAM), stream(dialect), size) == [4.0, 3.0, 2.0]
    assert read(Check(api, PLAIN), DIALECTS[dialect].plain_answer(), size) == []


def test_a_text_that_is_said_once_more_at_the_end_is_no_new_event() -> None:
    check = Check(APIS["responses"], STREAM)

    read(check, stream("responses"))

    assert stream("responses").count(b"@") == 2 * 3 * 5
    assert check.events == 3


@pytest.mark.parametrize("dialect", DIALECTS)
def test_deltas_may_be_joined(dialect: DialectName) -> None:
    spoken = DIALECTS[dialect]
    before, after = spoken.delta(0)
    joined = before[4:] + b"@%019d@ and @%019d@" % (1_000_000, 2_000_000) + after[:-2]
    answer = STREAM_HEAD + spoken.opening() + http_chunk(joined) + spoken.ending(2)

    assert read(Check(APIS[dialect], Script("stream", 2)), answer) == [4.0, 3.0]


@pytest.mark.parametrize(
    ("dialect", "old", "new"),
    [
        ("chat", b'"stop"', b'"length"'),
        ("messages", b'"end_turn"', b'"max_tokens"'),
        ("responses", b'"status":"completed"', b'"status":"incomplete"'),
        ("chat", b'_tokens":100', b'_tokens":7'),
        ("messages", b'_tokens":100', b'_tokens":7'),
        ("responses", b'_tokens":100', b'_tokens":7'),
        ("chat", b"data: [DONE]", b": [DONE]"),
        ("messages", b'"type":"message_stop"', b'"type":"ping"'),
        ("responses", b'"type":"response.completed"', b'"type":"response.failed"'),
    ],
)
def test_a_wrong_end_is_found_out(dialect: DialectName, old: bytes, new: bytes) -> None:
    spoken = DIALECTS[dialect]
    ending = spoken.ending(3)
    assert old in ending
    events = b"".join(stamped(spoken, 1, number) for number in range(3))
    body = b"".join(chunk.partition(b"\r\n")[2] for chunk in chunks(ending)).replace(old, new)
    answer = STREAM_HEAD + spoken.opening() + events + http_chunk(body) + LAST_CHUNK

    with pytest.raises(BadAnswer, match="without"):
        read(Check(APIS[dialect], STREAM), answer)


def chunks(body: bytes) -> list[bytes]:
    """`size CRLF payload` of each chunk but the last; no payload here holds a CRLF."""
    found = body.removesuffix(LAST_CHUNK).split(b"\r\n")[:-1]
    return [b"\r\n".join(pair) for pair in zip(found[::2], found[1::2], strict=True)]


@pytest.mark.parametrize(
    ("script", "answer"),
    [
        (STREAM, STREAM_HEAD + stamped(DIALECTS["chat"], 1, 0) + DIALECTS["chat"].ending(3)),
        (STREAM, b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n"),
        (PLAIN, http_answer(b"{}")),
    ],
    ids=["lost events", "status", "empty"],
)
def test_a_wrong_answer_is_found_out(script: Script, answer: bytes) -> None:
    with pytest.raises(BadAnswer):
        read(Check(APIS["chat"], script), answer)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("name", "problem"),
    [(b"wire-model", "the target's name"), (b"nobody", "without the alias")],
)
def test_an_answer_shows_the_alias_and_not_the_target(
    dialect: DialectName, name: bytes, problem: str
) -> None:
    for script, answer in ((STREAM, stream(dialect)), (PLAIN, DIALECTS[dialect].plain_answer())):
        right = Check(APIS[dialect], script, "wire-alias")
        read(right, answer.replace(b"wire-model", b"wire-alias"))
        wrong = Check(APIS[dialect], script, "wire-alias")
        with pytest.raises(BadAnswer, match=problem):
            read(wrong, answer.replace(b"wire-model", name.ljust(10, b"y")))


@pytest.mark.parametrize(
    ("said", "right"),
    [(b'{"input_tokens":19000}', True), (b'{"input_tokens":0}', False), (b'{"error":{}}', False)],
)
def test_a_count_is_a_number(said: bytes, right: bool) -> None:
    check = Check(APIS["count"], PLAIN)
    if right:
        read(check, http_answer(said))
    else:
        with pytest.raises(BadAnswer, match="without count"):
            read(check, http_answer(said))
