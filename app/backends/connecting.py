"""Connections to upstreams: by the environment's proxy where there is one, TLS verified, and patient.

Every wait ends at the latest after `TICK`, so that a client who has left is noticed while
a connection is still being made.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import ssl
import time
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]

import certifi

from app.errors import UpstreamUnreachable
from app.types import Timeouts
from app.utils.addresses import is_loopback

TICK = 0.5
"""Seconds; the longest wait without a look at the client."""

RECV = 65536

Socket: TypeAlias = socket.socket


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a connection leads; those to the same origin are interchangeable."""

    tls: bool
    host: str
    port: int
    proxy: str | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """How long one call may take, and how to see that nobody waits for it any more."""

    timeouts: Timeouts
    deadline: float
    alive: Callable[[], None]
    whom: str
    """Who is waited for, as an error message names it."""


def connect(origin: Origin, wait: Wait) -> Socket:
    """An open connection, through the proxy where there is one, TLS verified. Raises UpstreamUnreachable."""
    limit = time.monotonic() + wait.timeouts.connect
    proxy = urlsplit(origin.proxy) if origin.proxy else None
    if proxy and proxy.scheme != "http":
        raise UpstreamUnreachable(f"cannot reach {wait.whom}: only http:// proxies are understood")
    host, port = (proxy.hostname or "", proxy.port or 80) if proxy else (origin.host, origin.port)
    try:
        sock = _open(host, port, wait, limit)
        try:
            if proxy and origin.tls:
                _tunnel(sock, origin, proxy, wait, limit)
            return _secured(sock, origin.host, wait, limit) if origin.tls else sock
        except BaseException:
            sock.close()
            raise
    except (OSError, UnicodeError) as problem:
        status = 504 if isinstance(problem, TimeoutError) else None
        way = " through the proxy of the environment" if proxy else ""
        raise UpstreamUnreachable(
            f"cannot reach {wait.whom}{way}: {_why(problem)}", status=status
        ) from problem


def _open(host: str, port: int, wait: Wait, limit: float) -> Socket:
    """A connection to the first of the host's addresses that takes one; each has its share of the time."""
    problem: OSError = OSError("the name has no address")
    addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    for left, (family, kind, protocol, _, address) in zip(
        range(len(addresses), 0, -1), addresses, strict=True
    ):
        now = time.monotonic()
        sock = socket.socket(family, kind, protocol)
        try:
            return _dialled(sock, address, wait, now + (limit - now) / left)
        except OSError as failure:
            sock.close()
            problem = failure
        except BaseException:
            sock.close()
            raise
    raise problem


def _dialled(sock: Socket, address: tuple[Any, ...], wait: Wait, limit: float) -> Socket:
    sock.setblocking(False)
    if (code := sock.connect_ex(address)) not in (0, errno.EINPROGRESS, errno.EWOULDBLOCK):
        raise OSError(code, os.strerror(code))
    while not _ready(sock, select.POLLOUT, TICK):
        _patient(wait, limit)
    if code := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        raise OSError(code, os.strerror(code))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.settimeout(TICK)
    return sock


def _secured(sock: Socket, host: str, wait: Wait, limit: float) -> Socket:
    secure = trust().wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
    secure.settimeout(TICK)
    try:
        while True:
            try:
                secure.do_handshake()
                return secure
            except (TimeoutError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                _patient(wait, limit)
    except BaseException:
        secure.close()
        raise


def _tunnel(sock: Socket, origin: Origin, proxy: SplitResult, wait: Wait, limit: float) -> None:
    """Ask an HTTP proxy for a way through to `origin`."""
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    place = f"{host}:{origin.port}"
    sock.sendall(f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n{proxy_key(proxy)}\r\n".encode("latin-1"))
    answer = b""
    while b"\r\n\r\n" not in answer:
        data: bytes | None = None
        try:
            data = sock.recv(RECV)
        except TimeoutError:
            _patient(wait, limit)
        if data == b"" or len(answer) > RECV:
            raise OSError("the proxy closed the connection")
        answer += data or b""
    status = answer.split(None, 2)[1:2]
    if status != [b"200"]:
        raise OSError(f"the proxy answered {b''.join(status).decode('latin-1')[:40]}")


def _patient(wait: Wait, limit: float) -> None:
    wait.alive()
    if time.monotonic() >= min(limit, wait.deadline):
        raise TimeoutError("no connection in time")


@lru_cache(maxsize=256)
def origin_of(scheme: str, netloc: str) -> Origin:
    place = urlsplit(f"{scheme}://{netloc}")
    host, tls = place.hostname or "", scheme == "https"
    port = place.port or (443 if tls else 80)
    return Origin(tls, host, port, proxy_for(scheme, host, port))


def proxy_for(scheme: str, host: str, port: int) -> str | None:
    """The environment's proxy for a host. Never for this machine itself: no proxy could reach it."""
    if is_loopback(host) or proxy_bypass_environment(f"{host}:{port}"):
        return None
    proxies = getproxies_environment()
    proxy = proxies.get(scheme) or proxies.get("all")
    if proxy is None or "://" in proxy:
        return proxy
    return f"http://{proxy}"


def proxy_key(proxy: SplitResult) -> str:
    if not proxy.username:
        return ""
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return f"Proxy-Authorization: Basic {b64encode(pair.encode()).decode()}\r\n"


@lru_cache(maxsize=1)
def trust() -> ssl.SSLContext:
    """The system's certificates and certifi's (python.org's macOS builds have none of their own)."""
    context = ssl.create_default_context()
    context.load_verify_locations(cafile=certifi.where())
    context.set_alpn_protocols(["http/1.1"])
    return context


def _ready(sock: Socket, events: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(sock, events)
    return bool(poll.poll(seconds * 1000))


def readable(sock: Socket) -> bool:
    """Whether something has come, or the other side has closed. Waits for nothing, takes nothing."""
    if isinstance(sock, ssl.SSLSocket):  # does not let anybody peek
        return _ready(sock, select.POLLIN, 0.0)
    before = sock.gettimeout()
    sock.settimeout(0.0)
    try:
        sock.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        sock.settimeout(before)
    return True


def _why(problem: OSError | UnicodeError) -> str:
    """An operating system's error in words that name neither host nor port."""
    if isinstance(problem, ssl.SSLCertVerificationError):
        return f"its certificate is not valid ({problem.verify_message})"
    if isinstance(problem, socket.gaierror | UnicodeError):
        return "its host name is not known (check its baseURL)"
    return (problem.strerror or str(problem) or "connection failed").lower()
