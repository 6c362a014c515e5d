"""Servers whose every byte a test decides, and a client that looks often enough for a test's patience."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import pytest

from app.backends import connecting as module
from app.backends import http as http_module
from app.backends.connecting import Wait
from app.backends.http import Http
from app.types import Timeouts
from tests.backends.peers import Play, Server

Serve: TypeAlias = Callable[..., Server]
Names: TypeAlias = dict[str, list[tuple[str, int]]]

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


@pytest.fixture
def short_ticks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Looks at the client often, so that no test has to wait long; nothing is remembered of other tests."""
    for waiting in (module, http_module):
        monkeypatch.setattr(waiting, "TICK", 0.05)
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    module.origin_of.cache_clear()
    module.trust.cache_clear()
    yield
    module.origin_of.cache_clear()
    module.trust.cache_clear()


@pytest.fixture
def http() -> Iterator[Http]:
    http = Http()
    yield http
    http.close()


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts servers that end with the test."""
    servers: list[Server] = []

    def start(*plays: Play, tls: ssl.SSLContext | None = None) -> Server:
        servers.append(Server(*plays, tls=tls))
        return servers[-1].__enter__()

    yield start
    for server in servers:
        server.__exit__(None, None, None)


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
