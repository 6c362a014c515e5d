"""SSE as it really comes: any line ends, any cuts, nothing lost and nothing made up."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import UpstreamGarbage
from app.utils import sse
from app.utils.codec import loads
from app.utils.sse import DONE, SSEReader, comment, frame
from tests.streams import Recorded, load

STREAMS = [
    pytest.param(b'data: {"a":1}\n\ndata: [DONE]\n\n', [b'{"a":1}', b"[DONE]"], id="the usual"),
    pytest.param(b"data: a\r\n\r\ndata: b\r\n\r\n", [b"a", b"b"], id="CRLF"),
    pytest.param(b"data: a\r\rdata: b\r\r", [b"a", b"b"], id="CR alone"),
    pytest.param(b"data: a\r\n\ndata: b\n\r\ndata: c\r\r\n", [b"a", b"b", b"c"], id="all line ends mixed"),
    pytest.param(b"data:a\n\n", [b"a"], id="no space"),
    pytest.param(b"data:  a\n\n", [b" a"], id="two spaces: one belongs to the text"),
    pytest.param(b"data: a\ndata: b\ndata:c\n\n", [b"a\nb\nc"], id="several data lines"),
    pytest.param(b"data\n\n", [b""], id="the bare word data"),
    pytest.param(b"data:\n\n", [b""], id="empty data"),
    pytest.param(b"data: \n\n", [b""], id="a space as data"),
    pytest.param(b": hello\n\ndata: a\n\n: bye\n\n", [b"a"], id="comments"),
    pytest.param(b": hello\ndata: a\n: between\ndata: b\n\n", [b"a\nb"], id="comments inside an event"),
    pytest.param(b"event: message\nid: 7\nretry: 10\ndata: a\n\n", [b"a"], id="other fields"),
    pytest.param(b"event: ping\n\ndata: a\n\n", [b"a"], id="an event without data"),
    pytest.param(b"event: x\ndata: a\n\nevent: y\ndata: b\n\n", [b"a", b"b"], id="named events"),
    pytest.param(b"event: x\ndata: a\ndata: b\n\n", [b"a\nb"], id="a named event of several lines"),
    pytest.param(b"event: x\ndata:a\n\ndata: b\nevent: y\n\n", [b"a", b"b"], id="named otherwise"),
    pytest.param(b"datax: a\nxdata: b\nDATA: c\n data: d\n\ndata: e\n\n", [b"e"], id="no data fields"),
    pytest.param(b"\n\n\ndata: a\n\n\n\n\ndata: b\n\n\n", [b"a", b"b"], id="more empty lines than needed"),
    pytest.param(b"\xef\xbb\xbfdata: a\n\n", [b"a"], id="a byte order mark"),
    pytest.param(b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\ndata: b\n\n", [b"b"], id="only the first is a mark"),
    pytest.param(b"data: a\n\n\xef\xbb\xbfdata: b\n\n", [b"a"], id="a mark later on is none"),
    pytest.param("data: ünïcödé 漢字 😀\n\n".encode(), ["ünïcödé 漢字 😀".encode()], id="UTF-8"),
    pytest.param(
        "data: a\u2028b\u0085c\x0bd\n\n".encode(), ["a\u2028b\u0085c\x0bd".encode()], id="no line ends"
    ),
    pytest.param(b"data: a\n\ndata: b", [b"a", b"b"], id="the last event without its end"),
    pytest.param(b"data: a\n\ndata: b\n", [b"a", b"b"], id="the last empty line missing"),
    pytest.param(b"data: a\r\n\r\ndata: b\r\n", [b"a", b"b"], id="the last CRLF missing"),
    pytest.param(b"data: a\n\n: bye", [b"a"], id="a comment at the end"),
    pytest.param(b"", [], id="nothing"),
    pytest.param(b"\xef\xbb", [], id="half a mark"),
]

MORSELS = [b"data: ", b"data:", b"data", b"event: x", b":", b" ", b"a", b'{"a":1}', b"[DONE]", "ü😀".encode()]
ENDS = [b"\n", b"\r", b"\r\n", b"\n\n", b"\r\n\r\n", b"\xef\xbb\xbf"]

streams = st.lists(st.sampled_from(MORSELS + ENDS), max_size=40).map(b"".join)
cuts = st.lists(st.integers(0, 200), max_size=12)


def read(*pieces: bytes) -> list[bytes]:
    reader = SSEReader()
    fed = [payload for piece in pieces for payload in reader.feed(piece)]
    return fed + reader.close()


def feed_all(reader: SSEReader, pieces: Iterable[bytes]) -> None:
    for piece in pieces:
        reader.feed(piece)


def bytewise(stream: bytes) -> list[bytes]:
    return [stream[place : place + 1] for place in range(len(stream))]


@pytest.mark.parametrize(("stream", "payloads"), STREAMS)
def test_a_stream_is_read_whole(stream: bytes, payloads: list[bytes]) -> None:
    assert read(stream) == payloads


@pytest.mark.parametrize(("stream", "payloads"), STREAMS)
def test_a_stream_is_read_byte_by_byte(stream: bytes, payloads: list[bytes]) -> None:
    assert read(*bytewise(stream)) == payloads


@pytest.mark.parametrize(("stream", "payloads"), STREAMS)
def test_a_stream_is_read_from_every_two_pieces(stream: bytes, payloads: list[bytes]) -> None:
    assert all(read(stream[:cut], stream[cut:]) == payloads for cut in range(len(stream) + 1))


@given(streams, cuts)
def test_where_a_stream_is_cut_makes_no_difference(stream: bytes, places: list[int]) -> None:
    ends = sorted({0, len(stream), *(place for place in places if place < len(stream))})
    whole = read(stream)

    assert read(*(stream[a:b] for a, b in pairwise(ends))) == whole
    assert read(*bytewise(stream)) == whole


@given(st.lists(st.binary().filter(lambda text: not {10, 13} & set(text)), max_size=8))
def test_what_is_framed_is_read_again(payloads: list[bytes]) -> None:
    assert read(b"".join(frame(payload) + comment() for payload in payloads)) == payloads


@pytest.mark.parametrize("stream", load(), ids=lambda it: it.name)
def test_recorded_streams_are_read_whole_and_byte_by_byte(stream: Recorded) -> None:
    payloads = [it for it in read(stream.body) if it]
    events = payloads[: payloads.index(DONE)] if stream.done else payloads

    assert read(*bytewise(stream.body)) == read(stream.body)
    assert [loads(it) for it in events] == stream.events[: len(events)]


def test_an_event_is_given_out_by_the_read_that_completes_it() -> None:
    reader = SSEReader()

    assert reader.feed(b"data: a\n") == []
    assert reader.feed(b"\ndata: b\n\ndata: c") == [b"a", b"b"]
    assert reader.feed(b"\r") == []
    assert reader.feed(b"\r") == [b"c"]
    assert reader.close() == []


def test_one_read_is_one_batch() -> None:
    assert SSEReader().feed(b"".join(frame(b"%d" % n) for n in range(100))) == [b"%d" % n for n in range(100)]


class Counting(SSEReader):
    """Counts the bytes that it joins."""

    joined = 0

    def _taken(self) -> bytes:
        self.joined += self._held
        return super()._taken()


@pytest.mark.parametrize("piece", [b"x" * 100, b"xx\ndata: " * 11, b"\r\ndata: " + b"x" * 92])
def test_a_huge_event_costs_as_much_as_it_is_long(piece: bytes) -> None:
    reader = Counting()
    reader.feed(b"data: ")
    for _ in range(10_000):
        reader.feed(piece)
    (event,) = reader.feed(b"\n\n")

    assert len(event) > 200_000
    assert reader.joined <= 10_001 * len(piece) + 100


@pytest.mark.parametrize("piece", [b"x" * 1000, b"data: x\n" * 100, b"\r" + b"x" * 999])
def test_an_endless_event_is_refused(piece: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "LONGEST_EVENT", 100_000)
    reader = SSEReader()
    reader.feed(b"data: a\n\n")

    with pytest.raises(UpstreamGarbage, match="endless"):
        feed_all(reader, [piece] * 200)


def test_many_long_events_are_not_one_endless_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "LONGEST_EVENT", 1000)
    reader = SSEReader()

    assert sum(len(reader.feed(frame(b"x" * 900))) for _ in range(100)) == 100
