"""Servers whose every byte a test decides, and a client that looks often enough for a test's patience."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from typing import TypeAlias

import pytest

from app.backends import connecting as module
from app.backends import http as http_module
from app.backends.http import Http
from tests.backends.peers import Play, Server

Serve: TypeAlias = Callable[..., Server]


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
