"""The relay's HTTP client against everything that servers, networks and clients do to it."""

from __future__ import annotations

import gzip
import itertools
import os
import socket
import ssl
import threading
import time
import zlib
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.backends import http as module
from app.backends.connecting import Wait, origin_of
from app.backends.http import Exchange, Http, Reply
from app.errors import (
    ClientLeft,
    GatewayError,
    UpstreamCut,
    UpstreamGarbage,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from tests.backends.conftest import MB, Serve, get, wait
from tests.backends.peers import (
    Peer,
    Play,
    answer,
    bytewise,
    chunked,
    ends_when_asked_again,
    half_a_body,
    says,
    silent,
)
from tests.fakes import Leaving

pytestmark = pytest.mark.usefixtures("short_ticks")


# ─── the bytes of an answer, without a network ───────────────────────────────────────────────────


class Wire:
    """A socket that brings what it was given, a piece for each read, then its end."""

    def __init__(self, *pieces: bytes | Exception) -> None:
        self.pieces = list(pieces)
        self.sent = b""
        self.takes = 1_000_000
        """Bytes that a `send` takes at most."""

    def recv(self, size: int) -> bytes:
        piece = self.pieces.pop(0) if self.pieces else b""
        if isinstance(piece, Exception):
            raise piece
        return piece

    def send(self, data: memoryview) -> int:
        self.sent += data[: self.takes]
        return min(len(data), self.takes)

    def settimeout(self, seconds: float) -> None: ...
    def close(self) -> None: ...


def exchanged(*pieces: bytes | Exception, how: Wait | None = None) -> Exchange:
    """An exchange whose answer comes in these pieces, its head read."""
    exchange = Exchange(Wire(*pieces), how or wait())  # type: ignore[arg-type]
    assert exchange.ask(b"request")
    return exchange


def body_of(exchange: Exchange) -> bytes:
    return Reply(exchange, lambda kept: None).read_all()


RAW = zlib.compressobj(wbits=-15)
BARE_DEFLATE = RAW.compress(b"Hello " * 100) + RAW.flush()
HELLO = b"Hello " * 100
OK = "HTTP/1.1 200 OK\r\n"

GOOD = [
    pytest.param(answer(b"Hello"), b"Hello", True, id="with a length"),
    pytest.param(answer(b""), b"", True, id="of no length"),
    pytest.param(chunked(b"Hel", b"lo"), b"Hello", True, id="in chunks"),
    pytest.param(chunked(), b"", True, id="in no chunks"),
    pytest.param(
        chunked(b"Hello", end=b"0\r\nX-Sum: 1\r\nContent-Encoding: br\r\n\r\n"), b"Hello", True, id="trailers"
    ),
    pytest.param(
        f'{OK}transfer-encoding: Chunked\r\n\r\n5;a="b;c"\r\nHello\r\n0;end\r\n\r\n'.encode(),
        *(b"Hello", True),
        id="chunk extensions",
    ),
    pytest.param(f"{OK}\r\nHello".encode(), b"Hello", False, id="until the end"),
    pytest.param(b"HTTP/1.0 200 OK\r\n\r\nHello", b"Hello", False, id="HTTP/1.0 until the end"),
    pytest.param(
        b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nHello", b"Hello", False, id="HTTP/1.0 with a length"
    ),
    pytest.param(answer(b"Hello", "Connection: close"), b"Hello", False, id="the last of its connection"),
    pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n" + answer(b"Hello"), b"Hello", True, id="100 before it"),
    pytest.param(
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\nContent-Encoding: br\r\n\r\n" * 2 + answer(b"Hello"),
        *(b"Hello", True),
        id="103 before it, twice",
    ),
    pytest.param(b"HTTP/1.1 204 No Content\r\n\r\n", b"", True, id="204"),
    pytest.param(b"HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nHello", b"Hello", True, id="no reason"),
    pytest.param(b"HTTP/1.1 200 \r\ncontent-length:5\r\n\r\nHello", b"Hello", True, id="as short as can be"),
    pytest.param(
        answer(b"Hello", "Upgrade: h2c", "Connection: Upgrade"), b"Hello", True, id="another protocol offered"
    ),
    pytest.param(answer(b"Hello", "Content-Encoding: identity"), b"Hello", True, id="identity"),
    pytest.param(answer(gzip.compress(HELLO), "Content-Encoding: gzip"), HELLO, True, id="gzip"),
    pytest.param(answer(gzip.compress(b""), "Content-Encoding: GZIP"), b"", True, id="empty gzip"),
    pytest.param(answer(b"", "Content-Encoding: gzip"), b"", True, id="gzip of nothing at all"),
    pytest.param(
        chunked(*bytewise(gzip.compress(HELLO)), head="Content-Encoding: x-gzip\r\n"),
        HELLO,
        True,
        id="gzip in chunks",
    ),
    pytest.param(
        answer(gzip.compress(HELLO) + gzip.compress(b"more") + b"\0\0\0", "Content-Encoding: gzip"),
        *(HELLO + b"more", True),
        id="gzip in members, padded",
    ),
    pytest.param(answer(zlib.compress(HELLO), "Content-Encoding: deflate"), HELLO, True, id="deflate"),
    pytest.param(answer(BARE_DEFLATE, "Content-Encoding: deflate"), HELLO, True, id="bare deflate"),
    pytest.param(
        f"{OK}Content-Encoding: gzip\r\n\r\n".encode() + gzip.compress(HELLO),
        HELLO,
        False,
        id="gzip until the end",
    ),
    pytest.param(answer(b"Hello", f"X-Long: {'x' * 100_000}"), b"Hello", True, id="a long header"),
]


@pytest.mark.parametrize(("data", "body", "kept"), GOOD)
def test_an_answer_is_read_whole(data: bytes, body: bytes, kept: bool) -> None:
    exchange = exchanged(data)

    assert body_of(exchange) == body
    assert exchange.at_rest(ended=False) is kept


@pytest.mark.parametrize(("data", "body", "kept"), [it for it in GOOD if it.id != "a long header"])
def test_an_answer_is_read_byte_by_byte(data: bytes, body: bytes, kept: bool) -> None:
    exchange = exchanged(*bytewise(data))

    assert body_of(exchange) == body
    assert exchange.at_rest(ended=False) is kept


@given(st.sampled_from(GOOD), st.lists(st.integers(0, 400), max_size=6))
def test_where_an_answer_is_cut_makes_no_difference(case: Any, places: list[int]) -> None:
    data, body, kept = case.values
    ends = sorted({0, len(data), *(place for place in places if place < len(data))})
    exchange = exchanged(*(data[a:b] for a, b in pairwise(ends)))

    assert body_of(exchange) == body
    assert exchange.at_rest(ended=False) is kept


def test_status_and_headers_are_read() -> None:
    data = answer(b"no", "X-A: 1", "x-a: 2", "Retry-After:  7 ", "X-B: ü", status="429 Too Many")
    exchange = exchanged(b"HTTP/1.1 103 Early\r\nX-A: 0\r\n\r\n", data)

    assert exchange.status == 429
    assert exchange.headers == {"content-length": "2", "x-a": "1, 2", "retry-after": "7", "x-b": "ü"}


def test_one_read_brings_all_that_came_with_it() -> None:
    exchange = exchanged(
        chunked(b"a", b"b", b"c", end=b""), b"1\r\nd\r\n1\r\ne\r\n", TimeoutError(), b"0\r\n\r\n"
    )

    assert [exchange.read() for _ in range(4)] == [b"abc", b"de", None, b""]
    assert exchange.read() == b""


@pytest.mark.parametrize(
    ("after", "how"),
    [
        pytest.param(
            b"HTTP/1.1 500 Oops\r\nX-Evil: 1\r\nContent-Length: 4\r\n\r\nevil", "whole", id="another answer"
        ),
        pytest.param(b"HTTP/1.1 500 Oops\r\nX-Evil: 1", "half", id="the beginning of another"),
        pytest.param(b"evil", "garbage", id="garbage"),
    ],
)
@pytest.mark.parametrize("apart", [True, False], ids=["in the next read", "in the same read"])
def test_what_follows_an_answer_neither_counts_nor_is_trusted(after: bytes, how: str, apart: bool) -> None:
    pieces = [answer(b"Hello", "Connection: keep-alive"), after] if apart else [answer(b"Hello") + after]
    exchange = exchanged(*pieces)

    assert (exchange.status, body_of(exchange)) == (200, b"Hello")
    assert "x-evil" not in exchange.headers
    if not apart:
        assert not exchange.at_rest(ended=False)


BAD_HEADS = [
    pytest.param(b"HTTP/1.1 200 OK\r\nContent-Le", "broke off within the head", id="half a head"),
    pytest.param(b"HT", "broke off within the head", id="two letters"),
    pytest.param(b"HTTP/1.1 103 Early Hints\r\n\r\n", "broke off within the head", id="only hints"),
    pytest.param(b"<html>Hello</html>", "does not speak proper HTTP", id="HTML and nothing else"),
    pytest.param(b"SSH-2.0-OpenSSH_9.9\r\n", "does not speak proper HTTP", id="another protocol"),
    pytest.param(b"\x15\x03\x01\x00\x02\x02\x46", "does not speak proper HTTP", id="TLS"),
    pytest.param(b"HTTP/1.1 abc\r\n\r\n", "does not speak proper HTTP", id="no status"),
    pytest.param(b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "does not speak proper HTTP", id="no header"),
    pytest.param(
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "does not speak proper HTTP", id="no length"
    ),
    pytest.param(answer(b"Hello", "Content-Length: 4"), "does not speak proper HTTP", id="two lengths"),
    pytest.param(
        answer(b"Hello", "Transfer-Encoding: chunked"), "does not speak proper HTTP", id="length and chunks"
    ),
    pytest.param(
        b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", "proper HTTP", id="101"
    ),
    pytest.param(answer(b"Hello", "Content-Encoding: br"), "a coding nobody asked for: br", id="brotli"),
    pytest.param(
        answer(b"Hello", "Content-Encoding: gzip, br"), "a coding nobody asked for", id="two codings"
    ),
]


@pytest.mark.parametrize(("data", "words"), BAD_HEADS)
def test_a_head_that_is_none_is_garbage(data: bytes, words: str) -> None:
    with pytest.raises(UpstreamGarbage, match=words):
        exchanged(data)
    with pytest.raises(UpstreamGarbage, match=words):
        exchanged(*bytewise(data))


@pytest.mark.parametrize("piece", [b"X-A: b\r\n", b"x"], ids=["many headers", "one header"])
def test_an_endless_head_is_garbage(piece: bytes) -> None:
    data = itertools.repeat(piece * 1000, 1000)

    with pytest.raises(UpstreamGarbage, match="endless head"):
        exchanged(b"HTTP/1.1 200 OK\r\nX-A: ", *data)


BAD_BODIES = [
    pytest.param([answer(b"Hello")[:-1]], b"Hell", UpstreamCut, id="a byte too few"),
    pytest.param([answer(b"Hello")[:-5]], b"", UpstreamCut, id="only the head"),
    pytest.param([chunked(b"Hello", end=b"")], b"Hello", UpstreamCut, id="the last chunk missing"),
    pytest.param([chunked(b"Hello", end=b"0\r\n")], b"Hello", UpstreamCut, id="the last line missing"),
    pytest.param([chunked(b"Hello", end=b"5\r\nHel")], b"HelloHel", UpstreamCut, id="within a chunk"),
    pytest.param(
        [chunked(b"Hello", end=b""), ConnectionResetError()], b"Hello", UpstreamCut, id="reset in chunks"
    ),
    pytest.param(
        [f"{OK}\r\nHello".encode(), ConnectionResetError()], b"Hello", UpstreamCut, id="reset, no length"
    ),
    pytest.param(
        [f"{OK}\r\nHello".encode(), ssl.SSLError("bad mac")], b"Hello", UpstreamCut, id="broken TLS"
    ),
    pytest.param(
        [chunked(b"Hello", end=b"zz\r\n")], b"Hello", UpstreamGarbage, id="a bad chunk in the same read"
    ),
    pytest.param(
        [chunked(b"Hello", end=b""), b"zz\r\n"], b"Hello", UpstreamGarbage, id="a bad chunk in the next"
    ),
]


def until_it_fails(exchange: Exchange) -> tuple[bytes, type[BaseException]]:
    """What could be read, and what came then."""
    body = b""
    try:
        while piece := exchange.read():
            body += piece
    except GatewayError as problem:
        return body, type(problem)
    return body, StopIteration


@pytest.mark.parametrize(("pieces", "body", "kind"), BAD_BODIES)
def test_a_body_that_breaks_off_is_no_end_and_what_came_is_kept(
    pieces: list[bytes | Exception], body: bytes, kind: type[BaseException]
) -> None:
    exchange = exchanged(*pieces)

    assert until_it_fails(exchange) == (body, kind)
    assert not exchange.at_rest(ended=False)


def test_gzip_that_is_none_is_garbage() -> None:
    good = gzip.compress(os.urandom(100))
    for body in (b"\x1f\x8bgarbage", good[:50] + b"garbage" + good[57:]):
        with pytest.raises(UpstreamGarbage, match="cannot be unpacked"):
            body_of(exchanged(answer(body, "Content-Encoding: gzip")))


def test_an_endless_body_is_garbage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_BODY", 1000)

    with pytest.raises(UpstreamGarbage, match="endless body"):
        body_of(exchanged(f"{OK}\r\n".encode(), *[b"x" * 100] * 100))


def test_a_small_body_that_grows_without_end_is_garbage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_BODY", 1000)

    with pytest.raises(UpstreamGarbage, match="endless body"):
        body_of(exchanged(answer(gzip.compress(b"\0" * MB), "Content-Encoding: gzip")))


@pytest.mark.parametrize(
    ("pieces", "timeouts", "words"),
    [
        pytest.param([], {"header": 0.0}, "did not begin to answer in time", id="the head"),
        pytest.param([answer(b"Hello")[:-1]], {"chunk": 0.2}, "fell silent and did not go on", id="the body"),
    ],
)
def test_silence_has_its_limits(pieces: list[bytes], timeouts: Any, words: str) -> None:
    with pytest.raises(UpstreamTimeout, match=words):
        body_of(exchanged(*pieces, *[TimeoutError()] * 10, how=wait(**timeouts)))


def test_silence_begins_anew_with_every_read() -> None:
    pieces = [piece for byte in bytewise(b"Hello") for piece in (byte, TimeoutError(), TimeoutError())]

    assert body_of(exchanged(answer(b"Hello")[:-5], *pieces, how=wait(chunk=0.15))) == b"Hello"


# ─── requests ────────────────────────────────────────────────────────────────────────────────────


def test_a_request_is_sent_as_it_should_be(http: Http, serve: Serve) -> None:
    server = serve(says(answer()))
    reply = http.post(
        f"http://127.0.0.1:{server.port}/v1/x?a=b%20c", {"x-a": "1", "X-B": "ü"}, b'{"a":1}', wait()
    )
    reply.close()

    assert server.requests == [
        (
            f"POST /v1/x?a=b%20c HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
            'x-a: 1\r\nX-B: ü\r\nContent-Length: 7\r\n\r\n{"a":1}'
        ).encode("latin-1")
    ]


def test_a_url_without_a_path_asks_for_the_root(http: Http, serve: Serve) -> None:
    server = serve(says(answer()))
    get(http, f"http://127.0.0.1:{server.port}")

    assert server.requests[0].startswith(b"POST / HTTP/1.1\r\n")


@pytest.mark.parametrize("seconds", [0.0, 0.01], ids=["at once", "slowly"])
def test_a_large_request_arrives_whole(http: Http, serve: Serve, seconds: float) -> None:
    def play(peer: Peer) -> None:
        peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        while seconds and len(peer._rest) < MB:
            time.sleep(seconds)
            peer._rest += peer.sock.recv(65536)
        peer.request()
        peer.send(answer())

    server = serve(play)
    body = os.urandom(20 * MB)

    assert get(http, server.url, body) == b"ok"
    assert server.requests[0].endswith(b"\r\n\r\n" + body)


def test_an_answer_that_comes_before_all_is_sent_counts(http: Http, serve: Serve) -> None:
    def play(peer: Peer) -> None:
        peer.sock.recv(1000)
        peer.send(answer(b"too large", status="413 Too Large"))
        http_is_done.wait(20)

    http_is_done = threading.Event()
    server = serve(play)
    reply = http.post(server.url, {}, b"x" * 20 * MB, wait())

    assert (reply.status, reply.read_all()) == (413, b"too large")
    reply.close()
    http_is_done.set()
    assert not http._idle


def test_hints_that_come_before_all_is_sent_do_not(http: Http, serve: Serve) -> None:
    def play(peer: Peer) -> None:
        peer._rest = peer.sock.recv(1000)
        peer.send(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        looked.wait(20)
        peer.request()
        peer.send(answer())

    looked = threading.Event()
    looks = itertools.count()
    server = serve(play)
    body = b"x" * 20 * MB

    assert get(http, server.url, body, wait(lambda: looked.set() if next(looks) > 5 else None)) == b"ok"
    assert server.requests[0].endswith(body)


# ─── connections ─────────────────────────────────────────────────────────────────────────────────


def test_a_connection_serves_request_after_request(http: Http, serve: Serve) -> None:
    server = serve(says(chunked(b"ok")))

    assert [get(http, server.url) for _ in range(5)] == [b"ok"] * 5
    assert (server.connections, len(server.requests)) == (1, 5)


@pytest.mark.parametrize(
    "last",
    [
        pytest.param(answer(b"ok", "Connection: close"), id="it was told so"),
        pytest.param(answer(b"ok") + b"more", id="bytes follow"),
        pytest.param(answer(b"ok") + answer(b"evil"), id="an answer nobody asked for follows"),
    ],
)
def test_a_connection_is_not_used_again_when(last: bytes, http: Http, serve: Serve) -> None:
    server = serve(says(last), says(answer()))

    assert [get(http, server.url) for _ in range(2)] == [b"ok"] * 2
    assert server.connections == 2


def test_nor_when_its_answer_was_not_read_to_the_end(http: Http, serve: Serve) -> None:
    def play(peer: Peer) -> None:
        peer.request()
        peer.send(chunked(b"ok", end=b""))
        peer.saw_the_end()

    server = serve(play, says(answer()))
    reply = http.post(server.url, {}, b"", wait())

    assert reply.read() == b"ok"
    reply.close()
    assert server.ended.wait(20)
    assert get(http, server.url) == b"ok"
    assert server.connections == 2


def test_bytes_that_come_while_it_rests_end_a_connection(http: Http, serve: Serve) -> None:
    def play(peer: Peer) -> None:
        peer.request()
        peer.send(answer())
        peer.send(b"HTTP/1.1 408 Timeout\r\nContent-Length: 4\r\n\r\nevil")
        sent.set()
        peer.saw_the_end()

    sent = threading.Event()
    server = serve(play, says(answer()))
    first = get(http, server.url)
    sent.wait(20)

    assert [first, get(http, server.url)] == [b"ok"] * 2
    assert server.connections == 2


def asked_again(peer: Peer) -> None:
    """Answers once; the next request meets a connection that ends before it is even read."""
    peer.request()
    peer.send(answer())


def resets_when_asked_again(peer: Peer) -> None:
    ends_when_asked_again(peer)
    peer.reset()


def resets_with_the_request_unread(peer: Peer) -> None:
    peer.request()
    peer.send(answer())
    peer.sock.recv(1)
    peer.reset()


@pytest.mark.parametrize(
    ("play", "heard"),
    [
        pytest.param(asked_again, 2, id="ended while it rested"),
        pytest.param(ends_when_asked_again, 3, id="ends when it is asked again"),
        pytest.param(resets_when_asked_again, 3, id="resets when it is asked again"),
        pytest.param(resets_with_the_request_unread, 2, id="resets before it has read"),
    ],
)
@pytest.mark.parametrize("size", [10, 5 * MB], ids=["small", "large"])
def test_a_kept_connection_that_is_dead_is_replaced_unnoticed(
    play: Play, heard: int, size: int, http: Http, serve: Serve
) -> None:
    server = serve(play, says(answer(b"second")))

    assert [get(http, server.url, b"x" * size) for _ in range(2)] == [b"ok", b"second"]
    assert (server.connections, len(server.requests)) == (2, heard)


def test_many_dead_ones_are_replaced_by_one(http: Http, serve: Serve) -> None:
    together = threading.Barrier(8)

    def play(peer: Peer) -> None:
        peer.request()
        together.wait(20)
        peer.send(answer())
        peer.request()

    server = serve(*[play] * 8, says(answer(b"last")))
    threads = [threading.Thread(target=get, args=(http, server.url)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert get(http, server.url) == b"last"
    assert server.connections == 9


def test_a_request_that_was_heard_is_not_sent_again(http: Http, serve: Serve) -> None:
    def play(peer: Peer) -> None:
        peer.request()
        peer.send(answer())
        peer.request()
        peer.send(b"HTTP/1.1 103 Early Hints\r\n\r\n")

    server = serve(play)
    get(http, server.url)

    with pytest.raises(UpstreamGarbage, match="within the head"):
        get(http, server.url)
    assert (server.connections, len(server.requests)) == (1, 2)


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
def test_a_fresh_connection_that_ends_without_a_word_is_the_providers_doing(
    http: Http, serve: Serve, reset: bool
) -> None:
    def play(peer: Peer) -> None:
        peer.request()
        if reset:
            peer.reset()

    server = serve(play)

    with pytest.raises(UpstreamUnreachable, match="closed the connection without an answer"):
        get(http, server.url)
    assert server.connections == 1


def test_a_connection_that_rested_too_long_is_not_used(
    http: Http, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "IDLE_SECONDS", -1.0)
    server = serve(says(answer()))

    assert [get(http, server.url) for _ in range(2)] == [b"ok"] * 2
    assert server.connections == 2


def test_of_too_many_that_rest_the_oldest_ends(
    http: Http, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    def play(peer: Peer) -> None:
        peer.request()
        peer.send(answer())
        peer.saw_the_end()

    monkeypatch.setattr(module, "IDLE_LIMIT", 2)
    server = serve(play)
    replies = [http.post(server.url, {}, b"", wait()) for _ in range(3)]
    for reply in replies:
        reply.read_all()
        reply.close()

    assert server.ended.wait(20)
    assert [len(idle) for idle in http._idle.values()] == [2]


def test_closing_twice_keeps_a_connection_once(http: Http, serve: Serve) -> None:
    server = serve(says(answer()))
    reply = http.post(server.url, {}, b"", wait())
    reply.read_all()
    reply.close()
    reply.close()

    assert [len(idle) for idle in http._idle.values()] == [1]


def test_connections_of_different_places_are_kept_apart(http: Http, serve: Serve) -> None:
    one, two = serve(says(answer(b"one"))), serve(says(answer(b"two")))

    assert [get(http, url) for url in (one.url, two.url, one.url, two.url)] == [b"one", b"two"] * 2
    assert (one.connections, two.connections) == (1, 1)


@pytest.mark.parametrize(
    ("end", "used_again"),
    [pytest.param(b"0\r\n\r\n", True, id="it has ended"), pytest.param(b"", False, id="it stays open")],
)
def test_after_the_last_event_a_connection_is_kept_if_its_body_ends_soon(
    end: bytes, used_again: bool, http: Http, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    if used_again:
        monkeypatch.setattr(module, "LAST_CHUNK", 10.0)

    def play(peer: Peer) -> None:
        for _ in peer.requests():
            peer.send(chunked(b"data: [DONE]\n\n", end=b""))
            read.wait(20)
            peer.send(end)
        server.ended.set()

    read = threading.Event()
    server = serve(play)
    reply = http.post(server.url, {}, b"", wait())
    reply.read()
    read.set()
    reply.close(ended=True)
    if not used_again:
        assert server.ended.wait(20)
    http.post(server.url, {}, b"", wait()).close()

    assert server.connections == (1 if used_again else 2)


# ─── limits and departures ───────────────────────────────────────────────────────────────────────


def deaf(peer: Peer) -> None:
    """Takes the first bytes, then nothing more, until it is left."""
    peer.sock.recv(1000)
    peer.server.ended.wait(20)


def head_only(peer: Peer) -> None:
    peer.request()
    peer.send(answer(b"Hello")[:-5])
    peer.saw_the_end()


def drips(data: bytes) -> Play:
    """Sends a byte every 10 ms, as long as anybody listens."""

    def play(peer: Peer) -> None:
        peer.request()
        try:
            for byte in bytewise(data):
                peer.send(byte)
                time.sleep(0.01)
        except OSError:
            pass
        peer.server.ended.set()

    return play


LONG_HEAD = b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 2000
LONG_BODY = f"{OK}\r\n".encode() + b"x" * 2000


@pytest.mark.parametrize(
    ("play", "size", "limits", "words"),
    [
        pytest.param(silent, 0, {"header": 0.2}, "did not begin to answer in time", id="no head"),
        pytest.param(
            drips(LONG_HEAD), 0, {"header": 0.2}, "did not begin to answer in time", id="a head that drips"
        ),
        pytest.param(head_only, 0, {"chunk": 0.2}, "fell silent", id="no body"),
        pytest.param(half_a_body, 0, {"chunk": 0.2}, "fell silent", id="half a body"),
        pytest.param(deaf, 20 * MB, {"header": 0.2}, "did not take the request in time", id="nobody reads"),
        pytest.param(silent, 0, {"seconds": 0.2}, "took longer than the 3600 s", id="all of it: no head"),
        pytest.param(half_a_body, 0, {"seconds": 0.2}, "took longer than", id="all of it: half a body"),
        pytest.param(
            drips(LONG_BODY), 0, {"seconds": 0.2}, "took longer than", id="all of it: a body that drips"
        ),
        pytest.param(deaf, 20 * MB, {"seconds": 0.2}, "took longer than", id="all of it: nobody reads"),
    ],
)
def test_every_wait_has_a_limit_at_which_the_server_is_left(
    play: Play, size: int, limits: Any, words: str, http: Http, serve: Serve
) -> None:
    server = serve(play)

    with pytest.raises(UpstreamTimeout, match=words):
        get(http, server.url, b"x" * size, wait(**limits))
    if play is not deaf:
        assert server.ended.wait(20)


@pytest.mark.parametrize(
    ("play", "size"),
    [
        pytest.param(silent, 0, id="before the head"),
        pytest.param(drips(LONG_HEAD), 0, id="within the head"),
        pytest.param(head_only, 0, id="before the body"),
        pytest.param(half_a_body, 0, id="within the body"),
        pytest.param(drips(LONG_BODY), 0, id="within a body that drips"),
    ],
)
def test_a_client_that_leaves_is_noticed_and_the_server_left(
    play: Play, size: int, http: Http, serve: Serve
) -> None:
    server = serve(play)

    with pytest.raises(ClientLeft):
        get(http, server.url, b"x" * size, wait(Leaving(looks=3)))
    assert server.ended.wait(20)
    assert not http._idle


def test_a_client_that_leaves_is_noticed_while_nobody_reads_its_request(http: Http, serve: Serve) -> None:
    def play(peer: Peer) -> None:
        peer.sock.recv(1000)
        left.wait(20)
        peer.saw_the_end()

    left = threading.Event()
    server = serve(play)

    with pytest.raises(ClientLeft):
        get(http, server.url, b"x" * 20 * MB, wait(Leaving(looks=3)))
    left.set()
    assert server.ended.wait(20)


@pytest.mark.parametrize(
    ("limits", "kind"),
    [
        pytest.param({"alive": Leaving(looks=4)}, ClientLeft, id="the client leaves"),
        pytest.param({"header": 0.0}, UpstreamTimeout, id="the time is over"),
    ],
)
def test_a_request_that_is_taken_steadily_but_slowly_has_its_limits_too(
    limits: Any, kind: type[GatewayError], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TICK", 0.0)
    wire = Wire()
    wire.takes = 10

    with pytest.raises(kind):
        Exchange(wire, wait(**limits)).ask(b"x" * 1000)  # type: ignore[arg-type]
    assert len(wire.sent) <= 40


# ─── many at once ────────────────────────────────────────────────────────────────────────────────


def echoes(peer: Peer) -> None:
    for whole in peer.requests():
        body = whole.partition(b"\r\n\r\n")[2]
        peer.send(chunked(*bytewise(body)))


def test_many_at_once_get_each_their_own_answer(http: Http, serve: Serve) -> None:
    server = serve(echoes)
    mixed_up: list[bytes] = []

    def ask(who: int) -> None:
        for turn in range(20):
            body = b"%d asks for the %d. time" % (who, turn)
            if (said := get(http, server.url, body)) != body:
                mixed_up.append(said)

    threads = [threading.Thread(target=ask, args=(who,)) for who in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert mixed_up == []
    assert len(server.requests) == 1000
    assert len(http._idle[origin_of("http", f"127.0.0.1:{server.port}")]) <= module.IDLE_LIMIT
