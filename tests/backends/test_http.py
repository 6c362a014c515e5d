"""The relay's HTTP client against everything that servers, networks and clients do to it."""

from __future__ import annotations

import gzip
import itertools
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from app.backends import http as module
from app.backends.connecting import Origin, Wait, connect, origin_of
from app.backends.http import Exchange, Http, Reply
from app.errors import (
    ClientLeft,
    GatewayError,
    UpstreamCut,
    UpstreamGarbage,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from app.types import Timeouts
from tests.backends.conftest import Serve
from tests.backends.peers import Peer, Play, Server, answer, chunked, says, says_once
from tests.fakes import Leaving

pytestmark = pytest.mark.usefixtures("short_ticks")

WHOM = "the provider of 'alias'"
MB = 2**20


def wait(alive: Callable[[], None] = lambda: None, seconds: float = 60.0, **timeouts: float) -> Wait:
    return Wait(Timeouts(**timeouts), time.monotonic() + seconds, alive, WHOM)


def get(http: Http, url: str, body: bytes = b"{}", how: Wait | None = None) -> bytes:
    """One request and its answer's body, the connection kept if it can be."""
    reply = http.post(url, {}, body, how or wait())
    try:
        return reply.read_all()
    finally:
        reply.close()


# ─── the bytes of an answer, without a network ───────────────────────────────────────────────────


class Wire:
    """A socket that brings what it was given, a piece for each read, then its end."""

    def __init__(self, *pieces: bytes | Exception) -> None:
        self.pieces = list(pieces)
        self.sent = b""

    def recv(self, size: int) -> bytes:
        piece = self.pieces.pop(0) if self.pieces else b""
        if isinstance(piece, Exception):
            raise piece
        return piece

    def send(self, data: memoryview) -> int:
        self.sent += data
        return len(data)

    def settimeout(self, seconds: float) -> None: ...
    def close(self) -> None: ...


def exchanged(*pieces: bytes | Exception, how: Wait | None = None) -> Exchange:
    """An exchange whose answer comes in these pieces, its head read."""
    exchange = Exchange(Wire(*pieces), how or wait())  # type: ignore[arg-type]
    assert exchange.ask(b"request")
    return exchange


def body_of(exchange: Exchange) -> bytes:
    return Reply(exchange, lambda kept: None).read_all()


def bytewise(data: bytes) -> list[bytes]:
    return [data[place : place + 1] for place in range(len(data))]


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


def ends_when_asked_again(peer: Peer) -> None:
    peer.request()
    peer.send(answer())
    peer.request()


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
    end: bytes, used_again: bool, http: Http, serve: Serve
) -> None:
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


def silent(peer: Peer) -> None:
    peer.request()
    peer.saw_the_end()


def deaf(peer: Peer) -> None:
    """Takes the first bytes, then nothing more, until it is left."""
    peer.sock.recv(1000)
    peer.server.ended.wait(20)


def head_only(peer: Peer) -> None:
    peer.request()
    peer.send(answer(b"Hello")[:-5])
    peer.saw_the_end()


def half_a_body(peer: Peer) -> None:
    peer.request()
    peer.send(chunked(b"Hello", end=b""))
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


def test_a_client_that_leaves_is_noticed_while_its_request_is_read_slowly(http: Http, serve: Serve) -> None:
    def play(peer: Peer) -> None:
        peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        while peer.sock.recv(4096):
            time.sleep(0.005)
        peer.server.ended.set()

    server = serve(play)

    with pytest.raises(ClientLeft):
        get(http, server.url, b"x" * 20 * MB, wait(Leaving(looks=3)))


@pytest.fixture
def full(serve: Serve) -> Iterator[int]:
    """The port of a listener that takes no more connections, so that connecting hangs."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        waiting = [_begun(port) for _ in range(8)]
        yield port
        for sock in waiting:
            sock.close()


def _begun(port: int) -> socket.socket:
    sock = socket.socket()
    sock.setblocking(False)
    sock.connect_ex(("127.0.0.1", port))
    return sock


def test_a_connection_that_is_not_taken_has_a_limit(http: Http, full: int) -> None:
    with pytest.raises(UpstreamUnreachable, match="no connection in time") as raised:
        get(http, f"http://127.0.0.1:{full}/", how=wait(connect=0.2))
    assert raised.value.status == 504


def test_the_limit_of_all_of_it_holds_while_connecting(http: Http, full: int) -> None:
    with pytest.raises(UpstreamUnreachable, match="no connection in time"):
        get(http, f"http://127.0.0.1:{full}/", how=wait(seconds=0.2))


def test_a_client_that_leaves_is_noticed_while_connecting(http: Http, full: int) -> None:
    with pytest.raises(ClientLeft):
        get(http, f"http://127.0.0.1:{full}/", how=wait(Leaving(looks=3)))


# ─── places that cannot be reached ───────────────────────────────────────────────────────────────

Names = dict[str, list[tuple[str, int]]]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """What host names lead to; no name is ever looked up outside."""
    known: Names = {}

    def look_up(host: str, port: int, *args: Any, **options: Any) -> list[Any]:
        if host == "127.0.0.1":
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port))]
        if host not in known:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", place) for place in known[host]]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return known


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def test_a_refused_connection_says_so_without_naming_the_place(http: Http) -> None:
    port = closed_port()

    with pytest.raises(UpstreamUnreachable) as raised:
        get(http, f"http://127.0.0.1:{port}/")
    assert str(raised.value) == f"cannot reach {WHOM}: connection refused"
    assert raised.value.status == 502


def test_an_unknown_name_says_so_without_naming_it(http: Http, names: Names) -> None:
    with pytest.raises(UpstreamUnreachable) as raised:
        get(http, "http://upstream.test/")
    assert str(raised.value) == f"cannot reach {WHOM}: its host name is not known"


@pytest.mark.parametrize("host", ["a..b", "a" * 64 + ".test"])
def test_so_does_a_name_that_cannot_be_one(http: Http, host: str) -> None:
    with pytest.raises(UpstreamUnreachable, match="its host name is not known"):
        get(http, f"http://{host}/")


def test_the_next_address_is_tried_when_one_refuses(http: Http, serve: Serve, names: Names) -> None:
    server = serve(says(answer()))
    names["upstream.test"] = [("127.0.0.1", closed_port()), ("127.0.0.1", server.port)]

    assert get(http, "http://upstream.test/") == b"ok"


def test_the_next_address_is_tried_when_one_does_not_answer(
    http: Http, serve: Serve, names: Names, full: int
) -> None:
    server = serve(says(answer()))
    names["upstream.test"] = [("127.0.0.1", full), ("127.0.0.1", server.port)]

    assert get(http, "http://upstream.test/", how=wait(connect=0.4)) == b"ok"


def test_when_none_answers_the_last_says_why(http: Http, names: Names) -> None:
    names["upstream.test"] = [("127.0.0.1", closed_port())] * 2

    with pytest.raises(UpstreamUnreachable, match="connection refused"):
        get(http, "http://upstream.test/")


# ─── TLS ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def certified(authority: trustme.CA, name: str = "upstream.test") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine trusts the authority."""
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))


@pytest.fixture
def secure(
    serve: Serve, authority: trustme.CA, names: Names, trusted: None
) -> Callable[..., tuple[str, Server]]:
    """Starts a TLS server whose certificate is good, and says where it is."""

    def start(*plays: Play) -> tuple[str, Server]:
        server = serve(*plays, tls=certified(authority))
        names["upstream.test"] = [("127.0.0.1", server.port)]
        return "https://upstream.test/v1", server

    return start


Secure = Callable[..., tuple[str, Server]]


def test_a_good_certificate_is_trusted_and_its_connection_kept(http: Http, secure: Secure) -> None:
    url, server = secure(says(chunked(b"ok")))

    assert [get(http, url) for _ in range(3)] == [b"ok"] * 3
    assert server.connections == 1
    assert b"\r\nHost: upstream.test\r\n" in server.requests[0]


def test_a_kept_tls_connection_that_is_dead_is_replaced_unnoticed(http: Http, secure: Secure) -> None:
    url, server = secure(ends_when_asked_again, says(answer(b"second")))

    assert [get(http, url) for _ in range(2)] == [b"ok", b"second"]
    assert server.connections == 2


def test_large_bodies_go_through_tls_both_ways(http: Http, secure: Secure) -> None:
    body = os.urandom(5 * MB)
    url, server = secure(says(answer(body)))

    assert get(http, url, body) == body
    assert server.requests[0].endswith(body)


def test_tls_of_its_own_is_no_answer_while_a_request_is_sent(http: Http, secure: Secure) -> None:
    """TLS 1.3 sends session tickets after the handshake: bytes to read, but nothing that was said."""

    def play(peer: Peer) -> None:
        looked.wait(20)
        peer.request()
        peer.send(answer())

    looked = threading.Event()
    looks = itertools.count()
    url, server = secure(play)
    body = b"x" * 20 * MB

    assert get(http, url, body, wait(lambda: looked.set() if next(looks) > 6 else None)) == b"ok"
    assert server.requests[0].endswith(body)


@pytest.mark.parametrize("name", ["other.test", "127.0.0.1", "*.upstream.test"])
def test_a_certificate_for_another_name_is_refused(
    http: Http, serve: Serve, authority: trustme.CA, names: Names, trusted: None, name: str
) -> None:
    server = serve(says(answer()), tls=certified(authority, name))
    names["upstream.test"] = [("127.0.0.1", server.port)]

    with pytest.raises(UpstreamUnreachable, match="its certificate is not valid"):
        get(http, "https://upstream.test/")
    assert server.requests == []


def test_a_certificate_of_an_unknown_authority_is_refused(http: Http, serve: Serve, names: Names) -> None:
    server = serve(says(answer()), tls=certified(trustme.CA()))
    names["upstream.test"] = [("127.0.0.1", server.port)]

    with pytest.raises(UpstreamUnreachable, match="its certificate is not valid"):
        get(http, "https://upstream.test/")
    assert server.requests == []


def test_a_server_without_tls_cannot_be_reached_by_https(http: Http, serve: Serve, names: Names) -> None:
    def play(peer: Peer) -> None:
        peer.sock.recv(1000)
        peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    server = serve(play)
    names["upstream.test"] = [("127.0.0.1", server.port)]

    with pytest.raises(UpstreamUnreachable, match="cannot reach"):
        get(http, "https://upstream.test/")


def never_greets(peer: Peer) -> None:
    peer.saw_the_end()


def test_a_handshake_has_a_limit(http: Http, serve: Serve, names: Names) -> None:
    server = serve(never_greets)
    names["upstream.test"] = [("127.0.0.1", server.port)]

    with pytest.raises(UpstreamUnreachable, match="no connection in time") as raised:
        get(http, "https://upstream.test/", how=wait(connect=0.2))
    assert raised.value.status == 504
    assert server.ended.wait(20)


def test_a_client_that_leaves_is_noticed_within_the_handshake(http: Http, serve: Serve, names: Names) -> None:
    server = serve(never_greets)
    names["upstream.test"] = [("127.0.0.1", server.port)]

    with pytest.raises(ClientLeft):
        get(http, "https://upstream.test/", how=wait(Leaving(looks=3)))
    assert server.ended.wait(20)


def test_a_client_that_leaves_ends_a_tls_connection(http: Http, secure: Secure) -> None:
    url, server = secure(half_a_body)

    with pytest.raises(ClientLeft):
        get(http, url, how=wait(Leaving(looks=3)))
    assert server.ended.wait(20)


# ─── proxies ─────────────────────────────────────────────────────────────────────────────────────


def tunnel(to: Callable[[], int], greeting: bytes = b"HTTP/1.1 200 Connection established\r\n\r\n") -> Play:
    """A proxy that connects through to a port."""

    def play(peer: Peer) -> None:
        peer.request()
        peer.send(greeting)
        with socket.create_connection(("127.0.0.1", to()), timeout=20) as there:
            back = threading.Thread(target=_pump, args=(there, peer.sock))
            back.start()
            _pump(peer.sock, there)
            back.join(20)

    return play


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def test_http_goes_through_the_proxy_whole(http: Http, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = serve(says(answer()))
    monkeypatch.setenv("http_proxy", f"http://us%20er:p%40ss@127.0.0.1:{proxy.port}")

    assert [get(http, "http://upstream.test:8080/v1/x?a=b") for _ in range(2)] == [b"ok"] * 2
    assert proxy.connections == 1
    assert proxy.requests[0] == (
        b"POST http://upstream.test:8080/v1/x?a=b HTTP/1.1\r\nHost: upstream.test:8080\r\n"
        b"Proxy-Authorization: Basic dXMgZXI6cEBzcw==\r\nContent-Length: 2\r\n\r\n{}"
    )


def test_https_goes_through_the_proxy_unread(
    http: Http, serve: Serve, secure: Secure, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, server = secure(says(answer()))
    proxy = serve(tunnel(lambda: server.port))
    monkeypatch.setenv("HTTPS_PROXY", f"127.0.0.1:{proxy.port}")

    assert [get(http, url) for _ in range(2)] == [b"ok"] * 2
    assert proxy.requests == [b"CONNECT upstream.test:443 HTTP/1.1\r\nHost: upstream.test:443\r\n\r\n"]
    assert b"POST /v1 HTTP/1.1\r\n" in server.requests[0]


def test_a_proxy_may_be_terse(
    http: Http, serve: Serve, secure: Secure, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, server = secure(says(answer()))
    proxy = serve(tunnel(lambda: server.port, b"HTTP/1.0 200\r\n\r\n"))
    monkeypatch.setenv("https_proxy", f"http://u:p@127.0.0.1:{proxy.port}")

    assert get(http, url) == b"ok"
    assert b"Proxy-Authorization: Basic dTpw\r\n" in proxy.requests[0]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        pytest.param(
            b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "the proxy answered 407", id="407"
        ),
        pytest.param(b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "the proxy answered 502", id="502"),
        pytest.param(b"", "the proxy closed the connection", id="nothing"),
        pytest.param(b"HTTP/1.1 200", "the proxy closed the connection", id="half an answer"),
        pytest.param(b"x" * 200_000, "the proxy closed the connection", id="no end"),
        pytest.param(b"\r\n\r\n", "the proxy answered", id="garbage"),
    ],
)
def test_a_proxy_that_refuses_is_named_as_the_reason(
    said: bytes, words: str, http: Http, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = serve(says_once(said))
    monkeypatch.setenv("https_proxy", f"http://user:secret@127.0.0.1:{proxy.port}")

    with pytest.raises(UpstreamUnreachable, match=words) as raised:
        get(http, "https://upstream.test/")
    assert "secret" not in str(raised.value)


def test_a_client_that_leaves_is_noticed_while_the_proxy_thinks(
    http: Http, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = serve(silent)
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")

    with pytest.raises(ClientLeft):
        get(http, "https://upstream.test/", how=wait(Leaving(looks=3)))
    assert proxy.ended.wait(20)


@pytest.mark.parametrize("scheme", ["https", "socks5"])
def test_other_kinds_of_proxies_are_refused(http: Http, scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("all_proxy", f"{scheme}://user:secret@127.0.0.1:1")

    with pytest.raises(UpstreamUnreachable, match="only http:// proxies are understood") as raised:
        get(http, "http://upstream.test/")
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("environment", "scheme", "host", "proxy"),
    [
        ({}, "https", "a.test", None),
        ({"https_proxy": "http://p:1"}, "https", "a.test", "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1"}, "https", "a.test", "http://p:1"),
        ({"https_proxy": "p:1"}, "https", "a.test", "http://p:1"),
        ({"https_proxy": "http://p:1"}, "http", "a.test", None),
        ({"all_proxy": "http://p:1"}, "http", "a.test", "http://p:1"),
        ({"https_proxy": "http://p:1", "no_proxy": "a.test"}, "https", "a.test", None),
        ({"https_proxy": "http://p:1", "NO_PROXY": "x.test, .a.test"}, "https", "b.a.test", None),
        ({"https_proxy": "http://p:1", "no_proxy": "a.test"}, "https", "xa.test", "http://p:1"),
        ({"https_proxy": "http://p:1", "no_proxy": "*"}, "https", "a.test", None),
        ({"https_proxy": "http://p:1", "no_proxy": "a.test:444"}, "https", "a.test", "http://p:1"),
        ({"https_proxy": "http://p:1", "no_proxy": "a.test:443"}, "https", "a.test", None),
        ({"http_proxy": "http://p:1"}, "http", "127.0.0.1", None),
        ({"http_proxy": "http://p:1"}, "http", "localhost", None),
        ({"http_proxy": "http://p:1"}, "http", "[::1]", None),
        ({"http_proxy": "http://p:1"}, "http", "10.0.0.1", "http://p:1"),
    ],
    ids=str,
)
def test_the_environment_says_which_proxy(
    environment: dict[str, str], scheme: str, host: str, proxy: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert origin_of(scheme, host).proxy == proxy


@pytest.mark.parametrize(
    ("scheme", "netloc", "origin"),
    [
        ("http", "a.test", Origin(False, "a.test", 80)),
        ("https", "a.test", Origin(True, "a.test", 443)),
        ("https", "A.test:8443", Origin(True, "a.test", 8443)),
        ("http", "[::1]:8080", Origin(False, "::1", 8080)),
    ],
)
def test_an_address_says_where_to_connect(scheme: str, netloc: str, origin: Origin) -> None:
    assert origin_of(scheme, netloc) == origin


def test_an_ipv6_address_is_tunnelled_to_in_brackets(serve: Serve) -> None:
    proxy = serve(says_once(b"HTTP/1.1 502 no\r\n\r\n"))

    with pytest.raises(UpstreamUnreachable, match="the proxy answered 502"):
        connect(Origin(True, "2001:db8::1", 443, f"http://127.0.0.1:{proxy.port}"), wait())
    assert proxy.requests[0].startswith(b"CONNECT [2001:db8::1]:443 HTTP/1.1\r\n")


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


UNDER_GEVENT = """
from gevent import monkey
monkey.patch_all()
import sys, pytest
sys.exit(pytest.main(["-q", "-x", "-p", "no:cacheprovider", "-W", "error", "-o", "addopts=", *sys.argv[1:]]))
"""


@pytest.mark.skipif("gevent.monkey" in sys.modules, reason="this is it")
def test_all_of_this_holds_under_gevent_too() -> None:
    ours = Path(__file__)
    ran = subprocess.run(
        [sys.executable, "-c", UNDER_GEVENT, str(ours)],
        cwd=ours.parents[2],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
