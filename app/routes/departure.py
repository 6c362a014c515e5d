"""The client's socket: whether somebody is still there, and that the end of an answer be sent at once.

WSGI tells of a departed client only when something is written to it, and while a target
thinks nothing is. So whoever waits asks here, at least once a second: one look at the
client's socket, without taking anything from it.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Callable, Mapping
from typing import Any

from app.errors import ClientLeft


def watcher(environ: Mapping[str, Any]) -> Callable[[], None]:
    """A function that raises ClientLeft once the client has gone; one that does nothing outside gunicorn."""
    sock: socket.socket | None = environ.get("gunicorn.socket")
    if sock is None:
        return lambda: None

    def alive() -> None:
        if not _is_open(sock):
            raise ClientLeft("the client closed the connection")

    return alive


def holder(environ: Mapping[str, Any]) -> Callable[[], None]:
    """A function after which what is sent next waits for what follows it; one that does nothing elsewhere."""
    sock = environ.get("gunicorn.socket")
    chunked = environ.get("SERVER_PROTOCOL") == "HTTP/1.1"  # else nothing follows
    hold: Callable[[], None] = getattr(sock if chunked else None, "hold", lambda: None)
    return hold


def _is_open(sock: socket.socket) -> bool:
    """False when the other side has closed. Bytes that wait are its next request: open."""
    try:
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        return not poll.poll(0) or sock.recv(1, socket.MSG_PEEK) != b""
    except (OSError, ValueError):
        return False
