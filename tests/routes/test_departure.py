"""Whether a client is still there is seen on its socket, and nothing is taken from it."""

from __future__ import annotations

import select
import socket
import struct
from collections.abc import Iterator

import pytest

from app.errors import ClientLeft
from app.routes.departure import watcher

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Our end of a client's connection, and the client's."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname())
        ours, _ = listener.accept()
    with ours, theirs:
        yield ours, theirs


def gone(sock: socket.socket) -> bool:
    try:
        watcher({"gunicorn.socket": sock})()
    except ClientLeft as problem:
        return str(problem) == "the client closed the connection"
    return False


def arrived(sock: socket.socket) -> None:
    """Returns once something, be it the end, can be read."""
    assert select.select([sock], [], [], 5)[0]


def test_a_client_that_waits_is_there(pair: Pair) -> None:
    assert not gone(pair[0])


def test_a_client_that_has_sent_its_next_request_is_there_and_the_request_untouched(pair: Pair) -> None:
    ours, theirs = pair
    theirs.sendall(b"POST")
    arrived(ours)

    assert not gone(ours)
    assert not gone(ours)
    assert ours.recv(100) == b"POST"


def test_a_client_that_closed_is_gone(pair: Pair) -> None:
    ours, theirs = pair
    theirs.close()
    arrived(ours)

    assert gone(ours)
    assert gone(ours)


def test_a_client_that_reset_the_connection_is_gone(pair: Pair) -> None:
    ours, theirs = pair
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    theirs.close()

    arrived(ours)

    assert gone(ours)
    assert gone(ours)


def test_a_connection_that_we_closed_ourselves_is_gone(pair: Pair) -> None:
    ours, _ = pair
    look = watcher({"gunicorn.socket": ours})
    ours.close()

    with pytest.raises(ClientLeft):
        look()


@pytest.mark.parametrize("timeout", [None, 0, 5], ids=["blocking", "not blocking", "with a timeout"])
def test_looking_never_waits_whatever_the_sockets_timeout(pair: Pair, timeout: float | None) -> None:
    ours, _ = pair
    ours.settimeout(timeout)
    watcher({"gunicorn.socket": ours})()

    assert ours.gettimeout() == timeout


def test_without_a_socket_nobody_is_watched() -> None:
    watcher({})()
