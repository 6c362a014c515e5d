"""The other end of a connection, byte by byte under a test's control."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import TracebackType
from typing import TypeAlias

PATIENCE = 20.0
"""Seconds after which a test that waits for its peer has failed."""


class Peer:
    """One connection that a server has accepted."""

    def __init__(self, sock: socket.socket, server: Server) -> None:
        self.sock = sock
        self.server = server
        self._rest = b""

    def request(self) -> bytes:
        """The next request, head and body; b"" when the other side has closed instead."""
        head = self._until(b"\r\n\r\n")
        if not head:
            return b""
        length = next(
            (
                int(line.split(b":")[1])
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length:")
            ),
            0,
        )
        while len(self._rest) < length:
            if not (data := self.sock.recv(1 << 20)):
                return b""
            self._rest += data
        whole, self._rest = head + self._rest[:length], self._rest[length:]
        self.server.requests.append(whole)
        return whole

    def requests(self) -> Iterator[bytes]:
        while whole := self.request():
            yield whole

    def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.sock.sendall(piece)

    def saw_the_end(self) -> None:
        """Waits until the other side has closed; fails when it does not."""
        try:
            while self.sock.recv(1 << 20):
                pass
        except ConnectionError:
            pass
        self.server.ended.set()

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._rest:
            if not (data := self.sock.recv(1 << 20)):
                return b""
            self._rest += data
        head, mark, self._rest = self._rest.partition(mark)
        return head + mark


Play: TypeAlias = Callable[[Peer], None]


class Server:
    """Listens on loopback: the first `play` serves the first connection, the last all that are left.

    What goes wrong in a part is raised when the server is left.
    """

    def __init__(self, *plays: Play, tls: ssl.SSLContext | None = None) -> None:
        self._plays = plays
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self.connections = 0
        self.requests: list[bytes] = []
        self.ended = threading.Event()
        self.problems: list[BaseException] = []
        self._over = False
        self._threads: list[threading.Thread] = []
        self._peers: list[socket.socket] = []

    @property
    def url(self) -> str:
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}/v1/x"

    def __enter__(self) -> Server:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over = True
        with suppress(OSError):  # close() alone does not wake an accept()
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        self._listener.close()
        self.ended.set()
        for sock in self._peers:
            _shut(sock)
        for thread in self._threads:
            thread.join(PATIENCE)
        if self.problems and problem is None:
            raise self.problems[0]

    def _start(self, what: Callable[[], None]) -> None:
        thread = threading.Thread(target=what, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            if self._over:
                sock.close()
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(PATIENCE)
            self._peers.append(sock)
            play = self._plays[min(self.connections, len(self._plays) - 1)]
            self.connections += 1
            self._start(lambda sock=sock, play=play: self._serve(sock, play))  # type: ignore[misc]

    def _serve(self, sock: socket.socket, play: Play) -> None:
        try:
            if self._tls:
                sock = self._tls.wrap_socket(sock, server_side=True)
                self._peers.append(sock)
            play(Peer(sock, self))
        except OSError:
            pass  # the other side has gone: what that means, the test asks elsewhere
        except BaseException as problem:
            self.problems.append(problem)
        finally:
            sock.close()


def _shut(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


def answer(body: bytes = b"ok", *headers: str, status: str = "200 OK") -> bytes:
    """An answer with a length."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def chunked(*parts: bytes, head: str = "", end: bytes = b"0\r\n\r\n") -> bytes:
    """An answer in chunks."""
    lines = f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n{head}\r\n".encode()
    return lines + b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + end


def says(data: bytes) -> Play:
    """Answers every request of a connection with these bytes."""

    def play(peer: Peer) -> None:
        for _ in peer.requests():
            peer.send(data)

    return play


def says_once(data: bytes) -> Play:
    """Answers one request with these bytes and closes."""

    def play(peer: Peer) -> None:
        peer.request()
        peer.send(data)

    return play


def silent(peer: Peer) -> None:
    peer.request()
    peer.saw_the_end()


def half_a_body(peer: Peer) -> None:
    peer.request()
    peer.send(chunked(b"Hello", end=b""))
    peer.saw_the_end()


def ends_when_asked_again(peer: Peer) -> None:
    peer.request()
    peer.send(answer())
    peer.request()


def bytewise(data: bytes) -> list[bytes]:
    return [data[place : place + 1] for place in range(len(data))]
