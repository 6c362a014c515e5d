"""The small HTTP/1.1 client of the relay: whole `recv`s into a C parser, over kept connections.

Ordinary clients hand out one HTTP chunk per call, so a stream costs a trip through every
stage and a `send` for each event. Here a read gives all that has arrived: one batch
(measured: 4 times cheaper per event, 1.7 times per request than urllib3).

Every wait ends at the latest after `TICK`, so that a client who has left is noticed in
each phase: connecting, sending, waiting for headers, between two events.
"""

from __future__ import annotations

import ssl
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable, Mapping
from urllib.parse import SplitResult, urlsplit

import httptools

from app.backends.connecting import RECV, TICK, Origin, Socket, Wait, connect, origin_of, proxy_key, readable
from app.errors import UpstreamCut, UpstreamError, UpstreamGarbage, UpstreamTimeout, UpstreamUnreachable
from app.utils.inflate import inflater

LAST_CHUNK = 0.05
"""Seconds to wait for the end of a body whose last event has been read; the client has its own by then."""

IDLE_LIMIT = 32
"""Connections kept per origin."""
IDLE_SECONDS = 90.0
LONGEST_BODY = 256 * 1024 * 1024
LONGEST_HEAD = 256 * 1024


class Http:
    """A pool of kept connections; one per process, shared by all threads."""

    def __init__(self) -> None:
        self._idle: dict[Origin, deque[tuple[Socket, float]]] = {}
        self._lock = threading.Lock()

    def post(self, url: str, headers: Mapping[str, str], body: bytes, wait: Wait) -> Reply:
        """Send, and come back with the answer's head; the caller reads the body and closes.

        Raises UpstreamUnreachable, UpstreamTimeout, UpstreamGarbage, and what `wait.alive` raises.
        """
        place = urlsplit(url)
        origin = origin_of(place.scheme, place.netloc)
        message = _request(place, origin, headers, body)
        while True:
            sock = self._take(origin)
            reused = sock is not None
            exchange = Exchange(sock or connect(origin, wait), wait)
            try:
                if exchange.ask(message):
                    return Reply(exchange, lambda kept: self._keep(origin, kept))
            except BaseException:
                exchange.sock.close()
                raise
            exchange.sock.close()
            if not reused:  # a fresh connection that closes without a word is the provider's doing
                raise UpstreamUnreachable(f"{wait.whom} closed the connection without an answer")

    def _take(self, origin: Origin) -> Socket | None:
        """A kept connection that is still open, or None."""
        while True:
            with self._lock:
                idle = self._idle.get(origin)
                if not idle:
                    return None
                sock, since = idle.pop()
            if time.monotonic() - since < IDLE_SECONDS and not readable(sock):
                return sock
            sock.close()

    def _keep(self, origin: Origin, sock: Socket) -> None:
        with self._lock:
            idle = self._idle.setdefault(origin, deque())
            idle.append((sock, time.monotonic()))
            oldest = idle.popleft()[0] if len(idle) > IDLE_LIMIT else None
        if oldest is not None:
            oldest.close()

    def close(self) -> None:
        with self._lock:
            everyone = [sock for idle in self._idle.values() for sock, _ in idle]
            self._idle.clear()
        for sock in everyone:
            sock.close()


class Exchange:
    """One request and its answer on one connection; the parser calls the `on_` methods."""

    def __init__(self, sock: Socket, wait: Wait) -> None:
        self.sock = sock
        self.wait = wait
        self.status = 0
        self.headers: dict[str, str] = {}
        self.complete = False
        self.clean = True
        """Whether the connection may be used again once the answer is complete."""
        self._head_done = False
        self._heard = 0
        """Bytes that came before the head was whole."""
        self._reset = False
        self._failure: UpstreamError | None = None
        """What is wrong with the answer from here on; what came before it is still read."""
        self._body: list[bytes] = []
        self.on_body = self._body.append  # a method of ours would be called once per event of a stream
        self._parser = httptools.HttpResponseParser(self)
        self._inflate: Callable[[bytes], bytes] | None = None
        self._looked = time.monotonic()
        self._silent = 0.0
        sock.settimeout(TICK)

    def ask(self, message: bytes) -> bool:
        """Send and read until the head is there; False when the connection closed before any answer."""
        self._send(message)
        limit = time.monotonic() + self.wait.timeouts.header
        while not self._head_done:
            data = self._receive()
            if data:
                self._parse(data)
            elif data is not None:
                if self._heard:
                    raise UpstreamGarbage(f"{self.wait.whom} broke off within the head of its answer")
                return False
            if not self._head_done and time.monotonic() >= limit:
                raise UpstreamTimeout(f"{self.wait.whom} did not begin to answer in time")
        self._inflate = inflater(self.headers.get("content-encoding", ""), self.wait.whom)
        return True

    def read(self) -> bytes | None:
        """The next piece of the body; b"" at its end, None when nothing came within a tick.

        Raises UpstreamCut when the connection ends before the body does.
        """
        while not (piece := self._taken()):
            if self.complete:
                return b""
            if self._failure:
                raise self._failure
            data = self._receive()
            if data:
                self._parse(data)
            elif data is not None:
                self._end()
            elif self._silent >= self.wait.timeouts.chunk:
                raise UpstreamTimeout(f"{self.wait.whom} fell silent and did not go on")
            else:
                return None
        return piece

    def at_rest(self, ended: bool) -> bool:
        """Whether the connection can be kept.

        `ended` says that the body is known to be over ([DONE] was read): then what is still
        missing is the last, empty chunk, worth a short wait.
        """
        if ended and not self.complete and self.clean:
            try:
                self.sock.settimeout(LAST_CHUNK)
                data = self.sock.recv(RECV)
                if data:
                    self._parse(data)
            except (OSError, UpstreamError):
                return False
        return self.complete and self.clean

    def _send(self, message: bytes) -> None:
        rest = memoryview(message)
        limit = time.monotonic() + self.wait.timeouts.header
        while rest:
            waited = False
            try:
                rest = rest[self.sock.send(rest) :]
            except (TimeoutError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                waited = True
            except OSError:  # closed while we sent; the answer (413, say) may be there all the same
                self.clean = False
                return
            self._look(always=waited)
            if waited and self._answered():
                self.clean = False
                return
            if rest and time.monotonic() >= limit:
                raise UpstreamTimeout(f"{self.wait.whom} did not take the request in time")

    def _answered(self) -> bool:
        """Whether the answer has begun, or the connection ended, before all was sent.

        Bytes alone do not say so: TLS has messages of its own.
        """
        if not readable(self.sock):
            return False
        self.sock.settimeout(0)
        try:
            data = self.sock.recv(RECV)
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        except OSError:
            return True
        finally:
            self.sock.settimeout(TICK)
        if data:
            self._parse(data)
        return not data or self._head_done

    def _receive(self) -> bytes | None:
        """One read: bytes, b"" at the end of the connection, None after a tick."""
        data: bytes | None = None
        try:
            data = self.sock.recv(RECV)
            self._silent = 0.0
        except (TimeoutError, ssl.SSLWantReadError):
            self._silent += TICK
        except OSError:
            self._reset, data = True, b""
        self._look(always=data is None)
        return data

    def _look(self, always: bool) -> None:
        """Once a tick: is the client still there, and is there time left?"""
        now = time.monotonic()
        if now - self._looked < TICK and not always:
            return
        self._looked = now
        self.wait.alive()
        if now >= self.wait.deadline:
            raise UpstreamTimeout(
                f"{self.wait.whom} took longer than the {self.wait.timeouts.total:g} s allowed"
            )

    def _parse(self, data: bytes) -> None:
        if not self._head_done:
            self._heard += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.clean = False
            self._failure = UpstreamGarbage(f"{self.wait.whom} does not speak proper HTTP")
        if not self._head_done and self._heard > LONGEST_HEAD:
            self._failure = UpstreamGarbage(f"{self.wait.whom} answers with an endless head")
        if self._failure and not self._head_done:
            raise self._failure

    def _end(self) -> None:
        """The connection ended: fine for a body without length, a cut for any other."""
        self.clean = False
        coding = self.headers.get("transfer-encoding", "")
        if self._reset or "content-length" in self.headers or "chunked" in coding.lower():
            raise UpstreamCut(f"{self.wait.whom} broke off in the middle of its answer")
        self.complete = True

    def _taken(self) -> bytes:
        """The body that has come since last time; b"" also while a compressed one only begins."""
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._body.clear()
        if self._inflate is None or not body:
            return body
        try:
            return self._inflate(body)
        except zlib.error as problem:
            raise UpstreamGarbage(f"{self.wait.whom} sent a body that cannot be unpacked") from problem

    # what the parser calls

    def on_message_begin(self) -> None:
        if self.complete:  # bytes beyond the answer: nothing that follows here can be trusted, or counts
            self.clean = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._head_done:  # a trailer
            return
        key, text = name.decode("latin-1").lower(), value.decode("latin-1").strip()
        self.headers[key] = f"{self.headers[key]}, {text}" if key in self.headers else text

    def on_headers_complete(self) -> None:
        if self.complete:
            return
        self.status = self._parser.get_status_code()
        self._head_done = self.status >= 200

    def on_message_complete(self) -> None:
        if self.complete:
            return
        if self.status >= 200:
            self.complete = True
            self._body = self._body[:]  # what `on_body` still brings is behind the answer, and none of it
            # asked now, for a moment later the parser has forgotten the answer and says no
            self.clean = self.clean and self._parser.should_keep_alive()
        else:  # 100 Continue, 103 Early Hints: the answer is still to come
            self.status = 0
            self.headers.clear()


class Reply:
    """An answer whose head has come. Close it, always: that keeps or ends the connection."""

    def __init__(self, exchange: Exchange, keep: Callable[[Socket], None]) -> None:
        self.status = exchange.status
        self.headers = exchange.headers
        self.read = exchange.read
        self._exchange = exchange
        self._keep = keep
        self._open = True

    def read_all(self) -> bytes:
        """The whole body."""
        parts: list[bytes] = []
        size = 0
        while (data := self.read()) != b"":
            if data:
                parts.append(data)
                size += len(data)
            if size > LONGEST_BODY:
                raise UpstreamGarbage(f"{self._exchange.wait.whom} sent an endless body")
        return b"".join(parts)

    def close(self, ended: bool = False) -> None:
        """Keep the connection if it is at rest, else end it. `ended`: the last event has been read."""
        if not self._open:
            return
        self._open = False
        if self._exchange.at_rest(ended):
            self._keep(self._exchange.sock)
        else:
            self._exchange.sock.close()


def _request(place: SplitResult, origin: Origin, headers: Mapping[str, str], body: bytes) -> bytes:
    path = f"{place.path or '/'}?{place.query}" if place.query else place.path or "/"
    lines = [f"Host: {place.netloc}"]
    if origin.proxy and not origin.tls:
        path = f"http://{place.netloc}{path}"
        lines.append(proxy_key(urlsplit(origin.proxy)).strip())
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines.append(f"Content-Length: {len(body)}")
    head = "\r\n".join(filter(None, lines))
    return f"POST {path} HTTP/1.1\r\n{head}\r\n\r\n".encode("latin-1") + body
