"""The one way by which LiteLLM reaches the network: an httpx transport that knows which call it works for.

All synchronous HTTP clients that LiteLLM makes go through here (`litellm_loading` sees to
that), over one pool of kept connections. A request outside a call is refused, and so is
everything but POST: neither price tables nor a client's image URLs are fetched behind
anybody's back.

Imported together with LiteLLM only: httpx alone costs a tenth of a second.
"""

from __future__ import annotations

import math
import socket
import ssl
import threading
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import unquote, urlsplit

import httpcore
import httpx

from app.backends.connecting import proxy_for, trust
from app.backends.litellm_scope import Ended, Heard, Scope, current
from app.types import Timeouts

KEPT_CONNECTIONS = 64
KEPT_SECONDS = 60.0

_PORTS = {"http": 80, "https": 443}


class Transport(httpx.BaseTransport):
    """Sends for the call that is current in this thread; shared by all clients, closed by none."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self._context = context or trust()
        self._pools: dict[str | None, httpcore.ConnectionPool] = {}
        self._lock = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        scope = current.get()
        if scope is None:
            raise httpx.ConnectError("LiteLLM may only call out for a request", request=request)
        with _as_httpx(request):
            scope.ask(request.method, str(request.url))
            reply = self._ask(_outgoing(request, scope), scope)
        body = Body(request, reply, scope)
        # A redirect would carry the key to wherever it points.
        headers = [(name, value) for name, value in reply.headers if name.lower() != b"location"]
        return httpx.Response(reply.status, headers=headers, stream=body, extensions=dict(reply.extensions))

    def disconnect(self) -> None:
        """End all kept connections. Not `close`: each client that LiteLLM throws away calls that."""
        with self._lock:
            for pool in self._pools.values():
                pool.close()
            self._pools.clear()

    def _ask(self, request: httpcore.Request, scope: Scope) -> httpcore.Response:
        pool = self._pool(request.url)
        try:
            return pool.handle_request(request)
        except (httpcore.RemoteProtocolError, httpcore.ReadError, httpcore.WriteError):
            if scope.ended or not scope.stale:
                raise
        # A kept connection that the upstream had closed in the meantime: it has not seen the request.
        return pool.handle_request(request)

    def _pool(self, url: httpcore.URL) -> httpcore.ConnectionPool:
        scheme, host = url.scheme.decode(), url.host.decode()
        proxy = proxy_for(scheme, host, url.port or _PORTS.get(scheme, 0))
        with self._lock:
            if proxy not in self._pools:
                self._pools[proxy] = _new_pool(proxy, self._context)
            return self._pools[proxy]


class Body(httpx.SyncByteStream):
    """An answer's body; what passes is remembered in the scope, which also closes it."""

    def __init__(self, request: httpx.Request, reply: httpcore.Response, scope: Scope) -> None:
        self._request = request
        self._reply = reply
        self.closed = False
        self._streaming = scope.streaming
        self._heard: Heard = scope.answered(reply.status, reply.headers, self)

    def __iter__(self) -> Iterator[bytes]:
        with _as_httpx(self._request):
            for number, part in enumerate(self._reply.iter_stream()):
                self._heard.hear(part, self._streaming)
                # The OpenAI SDK loses the event that a byte order mark stands before.
                yield part if number else part.removeprefix(BOM_UTF8)
        self._heard.whole = True

    def close(self) -> None:
        self.closed = True
        self._reply.close()


class Network(httpcore.NetworkBackend):
    """Connections that belong to whichever call writes to them."""

    def __init__(self) -> None:
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        line = Line(self._plain.connect_tcp(host, port, timeout, local_address, socket_options))
        line.claim()
        return line


class Line(httpcore.NetworkStream):
    """A connection that any thread can end.

    It keeps a second descriptor of the socket for that: shutting it down wakes a reader of the
    first, in a TLS handshake too, in threads and in greenlets, whatever became of the first.
    """

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream
        self._handle: socket.socket = stream.get_extra_info("socket").dup()
        self._lock = threading.Lock()
        self._scope: Scope | None = None
        self._kept = False
        self._answered = False

    @property
    def stale(self) -> bool:
        return self._kept and not self._answered

    def claim(self) -> None:
        """It now works for the call of this thread. Raises Ended when that call is over."""
        scope = current.get()
        with self._lock:
            self._kept, self._answered = self._answered, False
            self._scope = scope
        if scope is not None:
            try:
                scope.hold(self)
            except Ended:
                self.close()
                raise

    def wake(self, scope: Scope) -> None:
        with self._lock:
            if scope is self._scope:
                with suppress(OSError):  # it was closed already
                    self._handle.shutdown(socket.SHUT_RDWR)

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data = self._stream.read(max_bytes, timeout)
        self._answered = self._answered or bool(data)
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if self._scope is not current.get():
            self.claim()
        self._stream.write(buffer, timeout)

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        try:
            self._stream = self._stream.start_tls(ssl_context, server_hostname, timeout)
        except BaseException:
            self.close()
            raise
        return self

    def close(self) -> None:
        self._stream.close()
        self._handle.close()

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def client_over(transport: Transport) -> httpx.Client:
    return httpx.Client(transport=transport, trust_env=False, follow_redirects=False)


def body_of(heard: Heard) -> bytes:
    """The body of an answer as far as it came, without its coding; nothing if it cannot be undone."""
    try:
        return httpx.Response(heard.status, headers=heard.headers, content=b"".join(heard.parts)).content
    except httpx.DecodingError:
        return b""


def limits(timeouts: Timeouts) -> httpx.Timeout:
    connect, silence = patience(timeouts)
    return httpx.Timeout(silence, connect=connect)


def _outgoing(request: httpx.Request, scope: Scope) -> httpcore.Request:
    """The request as it is sent: the call's own timeouts, no coding that would have to be undone."""
    headers = [
        (name, value)
        for name, value in request.headers.raw
        if name.lower() != b"accept-encoding" and not scope.without(name.decode("latin-1").lower())
    ]
    connect, silence = patience(scope.timeouts)
    timeout = {"connect": connect, "read": silence, "write": silence, "pool": connect}
    url = request.url
    return httpcore.Request(
        request.method,
        httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
        headers=[*headers, (b"Accept-Encoding", b"identity")],
        content=request.stream,
        extensions={**request.extensions, "timeout": timeout},
    )


def patience(timeouts: Timeouts) -> tuple[float | None, float | None]:
    """Seconds for connecting, and of silence; None for ever. The call itself keeps the finer limits."""
    silence = max(timeouts.header, timeouts.chunk)
    return _finite(timeouts.connect), _finite(silence)


def _finite(seconds: float) -> float | None:
    return None if math.isinf(seconds) else seconds


def _new_pool(proxy: str | None, context: ssl.SSLContext) -> httpcore.ConnectionPool:
    return httpcore.ConnectionPool(
        ssl_context=context,
        proxy=None if proxy is None else _through(proxy),
        max_connections=None,
        max_keepalive_connections=KEPT_CONNECTIONS,
        keepalive_expiry=KEPT_SECONDS,
        socket_options=[(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)],
        network_backend=Network(),
    )


def _through(proxy: str) -> httpcore.Proxy:
    place = urlsplit(proxy)
    address = place._replace(netloc=place.netloc.rpartition("@")[2]).geturl()
    if not place.username:
        return httpcore.Proxy(address)
    return httpcore.Proxy(address, auth=(unquote(place.username), unquote(place.password or "")))


@contextmanager
def _as_httpx(request: httpx.Request) -> Iterator[None]:
    """httpcore's errors under the names that LiteLLM and its SDKs expect."""
    try:
        yield
    except Ended as over:
        raise httpx.ConnectError(str(over), request=request) from None
    except Exception as failure:
        kind = _httpx_name(type(failure))
        if kind is None:
            raise
        raise kind(str(failure), request=request) from None


def _httpx_name(kind: type[BaseException]) -> type[httpx.TransportError] | None:
    """httpx's class of the same name; httpcore's tree has the same shape."""
    for one in kind.__mro__:
        found = getattr(httpx, one.__name__, None) if one.__module__.startswith("httpcore") else None
        if isinstance(found, type) and issubclass(found, httpx.TransportError):
            return found
    return None
