"""What the tests of the logs share: a stream to write to, and a request to write about."""

from __future__ import annotations

import io
import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from app import logs
from app.types import Client, Request, Target, Trace

NOON = 1_795_262_462.1234
"""2026-11-21T12:01:02.123Z"""

CLIENT = Client("req_1", "ses_1")


def asked(model: str, body: dict[str, Any], stream: bool = False) -> Request:
    return Request("chat", model, body, stream, lambda: body, include_usage=False)


ASKED = asked("glm", {"messages": [{"role": "user", "content": "Hi"}], "tools": [{}, {}]}, True)
TARGET = Target("glm", "zai", "glm-4.7", "https://api.example/v1")
USAGE = {
    "prompt_tokens": 1203,
    "completion_tokens": 88,
    "prompt_tokens_details": {"cached_tokens": 1100},
    "completion_tokens_details": {"reasoning_tokens": 12},
}


def trace(**more: Any) -> Trace:
    now = time.monotonic()
    return Trace(**{"started": now - 1.24, "target": TARGET, "tries": 1, "first": now - 0.93, **more})


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


Configure = Callable[..., io.StringIO]


@pytest.fixture(autouse=True)
def _borrowed() -> Iterator[None]:
    logs.release()
    yield
    logs.release()


@pytest.fixture
def configured() -> Configure:
    """Configures the logs and gives the stream that they are written to."""

    def configure(
        level: str = "INFO", format: str = "console", secrets: tuple[str, ...] = (), tty: bool = False
    ) -> io.StringIO:
        stream = Terminal() if tty else io.StringIO()
        logs.configure(level, format, secrets, stream, now=lambda: NOON)
        return stream

    return configure


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def records(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@contextmanager
def only_our_handler() -> Iterator[None]:
    """pytest's handlers raise where a line has wrong arguments."""
    root = logging.getLogger()
    all_of_them, root.handlers = (
        root.handlers,
        [one for one in root.handlers if one.__module__ == logs.others.__name__],
    )
    yield
    root.handlers = all_of_them
