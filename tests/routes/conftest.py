"""The whole WSGI application in this process, with a scripted backend where the world would be."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app import create_app, logs
from app.config.catalog import Catalog
from app.config.settings import Settings
from app.gateway import Gateway
from tests.fakes import FakeBackend, catalog, target

Serve = Callable[..., FlaskClient]
Logged = Callable[..., io.StringIO]


@pytest.fixture(autouse=True)
def _borrowed_logs() -> Iterator[None]:
    yield
    logs.release()


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    """`serve("Hel", "lo", api_keys=…)`: a client of an application whose one target plays that script.

    A backend may be given in place of a script, a catalog as `serving`; the rest are Settings.
    """

    def make(
        *script: object, backend: object = None, serving: Catalog | None = None, **settings: object
    ) -> FlaskClient:
        serving = serving or catalog(target())
        app = create_app(Settings(home=tmp_path, **settings), serving)  # type: ignore[arg-type]  # of each test
        world = backend or FakeBackend(*(script or ("Hello",)))  # type: ignore[arg-type]  # of each test
        app.extensions["gateway"] = Gateway(serving, {"relay": world})  # type: ignore[dict-item]  # a Backend
        return app.test_client()

    return make


@pytest.fixture
def logged() -> Logged:
    """`logged("DEBUG")`: from then on the stream that all is logged to."""

    def configure(level: str = "INFO", format: str = "console") -> io.StringIO:
        stream = io.StringIO()
        logs.configure(level, format, stream=stream)
        return stream

    return configure
