"""What our workers do to gunicorn's requests: one send for head and body, bodies read in large pieces."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.http.body import Body, ChunkedReader, LengthReader
from gunicorn.http.errors import InvalidChunkSize
from gunicorn.http.unreader import IterUnreader

from app.worker import OneSend, whole


class FakeSocket:
    """Remembers each send; takes only so much at a time."""

    def __init__(self, takes: int = 1 << 20) -> None:
        self.takes = takes
        self.sent: list[bytes] = []

    def send(self, data: bytes) -> int:
        self.sent.append(data[: self.takes])
        return len(self.sent[-1])

    def sendall(self, data: bytes) -> None:
        self.sent.append(data)

    def fileno(self) -> int:
        return 7


def test_the_head_leaves_with_the_first_bytes_of_the_body() -> None:
    sock = FakeSocket()
    client = OneSend(sock)
    client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    client.sendall(b"one")
    client.sendall(b"two")
    client.flush()

    assert sock.sent == [b"HTTP/1.1 200 OK\r\n\r\none", b"two"]


def test_an_answer_without_a_body_has_its_head_all_the_same() -> None:
    sock = FakeSocket()
    client = OneSend(sock)
    client.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
    client.flush()
    client.flush()

    assert sock.sent == [b"HTTP/1.1 204 No Content\r\n\r\n"]


@pytest.mark.parametrize("takes", [1, 5, 24])
def test_what_a_full_socket_does_not_take_at_once_follows(takes: int) -> None:
    sock = FakeSocket(takes)
    client = OneSend(sock)
    client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    client.sendall(b"a body")

    assert b"".join(sock.sent) == b"HTTP/1.1 200 OK\r\n\r\na body"


def test_the_last_bytes_wait_for_the_end_of_the_body() -> None:
    sock = FakeSocket()
    client = OneSend(sock)
    for data in (b"head ", b"one "):
        client.sendall(data)
    client.hold()
    client.sendall(b"two ")
    assert sock.sent == [b"head one "]

    client.sendall(b"end")
    assert sock.sent == [b"head one ", b"two end"]


def test_a_short_stream_goes_out_whole() -> None:
    sock = FakeSocket()
    client = OneSend(sock)
    client.sendall(b"head ")
    client.hold()
    client.sendall(b"all ")
    client.sendall(b"end")

    assert sock.sent == [b"head all end"]


def test_what_waits_goes_out_though_nothing_follows() -> None:
    sock = FakeSocket()
    client = OneSend(sock)
    for data in (b"head ", b"one "):
        client.sendall(data)
    client.hold()
    client.sendall(b"two")
    client.flush()

    assert sock.sent == [b"head one ", b"two"]


def test_everything_else_is_the_sockets_own() -> None:
    assert OneSend(FakeSocket()).fileno() == 7


@pytest.mark.parametrize("asked", [10, 4000, 100_000])
def test_a_body_is_read_whole_and_what_follows_stays(asked: int) -> None:
    unreader = IterUnreader([b"x" * 1000] * 4 + [b"GET / HTTP/1.1"])
    req = SimpleNamespace(unreader=unreader, body=Body(LengthReader(unreader, 4000)))
    whole(req)

    assert req.body.read(asked) == b"x" * min(asked, 4000)
    assert req.body.read(100_000) == b"x" * (4000 - min(asked, 4000))
    assert req.body.read(10) == b""
    assert unreader.read() == b"GET / HTTP/1.1"


def test_after_a_body_that_could_not_be_read_nothing_is_taken_for_the_next_request() -> None:
    closed: list[bool] = []
    unreader = IterUnreader([b"zz\r\nGET / HTTP/1.1\r\n\r\n"])
    req: Any = SimpleNamespace(unreader=unreader, force_close=lambda: closed.append(True))
    req.body = Body(ChunkedReader(req, unreader))
    whole(req)

    with pytest.raises(InvalidChunkSize):
        req.body.read(100)

    assert closed
