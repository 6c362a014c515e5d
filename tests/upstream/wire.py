"""HTTP/1.1 on a raw socket, kept as strictly or as badly as a script wants it."""

from __future__ import annotations

import contextlib
import json
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

Headers = Sequence[tuple[str, str]]


class ClientGone(Exception):
    """The client closed its connection, or the server is being stopped."""


@dataclass(slots=True, eq=False)
class Seen:
    """A request as it came, and what became of it. Times are `time.monotonic()`."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    connection: int
    """Which connection of the server it came on: the same number means that one was kept."""
    at: float
    body: bytes = b""
    script: str = ""
    sent: list[float] = field(default_factory=list)
    """When each piece of the answer's body was handed to the system."""
    whole: threading.Event = field(default_factory=threading.Event)
    """Set when the answer has been sent as far as the script has one."""
    closed_early: threading.Event = field(default_factory=threading.Event)
    """Set when the client closed the connection before the answer was whole."""
    closed_at: float | None = None

    @property
    def path(self) -> str:
        return "/" + self.target.split("://")[-1].partition("/")[2].partition("?")[0]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        """The header's value; several are joined with commas."""
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        return ", ".join(values) if values else None


class Connection:
    """One client's connection. Everything that waits gives up when the client has gone."""

    def __init__(self, sock: socket.socket, number: int, stopping: threading.Event) -> None:
        self.sock = sock
        self.number = number
        self._stopping = stopping
        self._buffer = b""
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def read_head(self) -> Seen | None:
        """The next request without its body, or None when the client has no more."""
        head = self._read_until(b"\r\n\r\n")
        if head is None:
            return None
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        pairs = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        return Seen(method, target, pairs, self.number, time.monotonic())

    def read_body(self, seen: Seen) -> None:
        if (seen.header("expect") or "").lower() == "100-continue":
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        if (seen.header("transfer-encoding") or "").lower() == "chunked":
            seen.body = self._read_chunks()
        else:
            seen.body = self._read_exactly(int(seen.header("content-length") or 0))

    def next_request_waits(self) -> bool:
        """Waits for the first byte of another request; whether there is one."""
        return bool(self._buffer) or self._more()

    def send_head(self, status: int, headers: Headers) -> None:
        try:
            reason = HTTPStatus(status).phrase
        except ValueError:
            reason = "Whatever"
        lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in headers)]
        self.send("\r\n".join([*lines, "", ""]).encode("latin-1"))

    def send(self, data: bytes) -> None:
        if self.left():
            raise ClientGone
        try:
            self.sock.sendall(data)
        except OSError:
            raise ClientGone from None

    def pause(self, ms: int) -> None:
        """Waits, and raises ClientGone as soon as the client closes its side."""
        end = time.monotonic() + ms / 1000
        while (left := end - time.monotonic()) > 0:
            readable, _, _ = select.select([self.sock], [], [], min(left, 0.1))
            if readable and (self.left() or self._stopping.wait(min(left, 0.02))):
                raise ClientGone
            if self._stopping.is_set():
                raise ClientGone

    def left(self) -> bool:
        """Whether the client has closed its side. Costs one system call."""
        if isinstance(self.sock, ssl.SSLSocket):
            return False  # TLS cannot peek; a write will tell
        try:
            return self.sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True

    def close(self, reset: bool = False) -> None:
        """Ends the connection: an orderly end, or a TCP reset."""
        try:
            if reset:
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            else:
                self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()

    def wake(self) -> None:
        """Ends what another thread waits for on this connection; that thread closes it."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)

    def drain(self) -> None:
        """Reads what the client still sends, so that closing does not reset the answer away."""
        try:
            self.sock.shutdown(socket.SHUT_WR)
            self.sock.settimeout(5)
            while self.sock.recv(1 << 16):
                pass
        except OSError:
            pass

    def _more(self) -> bool:
        try:
            data = self.sock.recv(1 << 16)
        except OSError:
            data = b""
        self._buffer += data
        return bool(data)

    def _read_until(self, mark: bytes) -> bytes | None:
        while mark not in self._buffer:
            if not self._more():
                return None
        found, _, self._buffer = self._buffer.partition(mark)
        return found

    def _read_exactly(self, size: int) -> bytes:
        parts = [self._buffer]
        have = len(self._buffer)
        while have < size:
            self._buffer = b""
            if not self._more():
                raise ClientGone
            parts.append(self._buffer)
            have += len(self._buffer)
        data = b"".join(parts)
        self._buffer = data[size:]
        return data[:size]

    def _read_chunks(self) -> bytes:
        parts = []
        while True:
            line = self._read_until(b"\r\n")
            if line is None:
                raise ClientGone
            size = int(line.partition(b";")[0], 16)
            if not size:
                break
            parts.append(self._read_exactly(size))
            self._read_exactly(2)
        while self._read_until(b"\r\n"):
            pass  # trailers, up to the empty line
        return b"".join(parts)


class Body:
    """The framed body of one answer."""

    def __init__(self, connection: Connection, seen: Seen, framing: str, extensions: bool) -> None:
        self._connection = connection
        self._seen = seen
        self._chunked = framing == "chunked"
        self._extension = b';note="a ; b"' if extensions else b""

    def send(self, data: bytes) -> None:
        if not data:
            return
        if self._chunked:
            data = b"%x%s\r\n%s\r\n" % (len(data), self._extension, data)
        self._connection.send(data)
        self._seen.sent.append(time.monotonic())

    def end(self, trailers: bool) -> None:
        if self._chunked:
            fields = b"X-Trailer: at the end\r\nX-Another: one\r\n" if trailers else b""
            self._connection.send(b"0\r\n%s\r\n" % fields)
