"""The one way out: here a line gets its form, loses its secrets and is written."""

from __future__ import annotations

import contextlib
import contextvars
import logging
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from typing import Any, TextIO

from app.logs.guard import unguarded
from app.logs.rendering import Clock, Fields, console_line, json_line
from app.utils.masking import Masker

LEVELS = {
    "DEBUG": logging.DEBUG,
    "INFO": logging.INFO,
    "WARNING": logging.WARNING,
    "ERROR": logging.ERROR,
}

_request_id: contextvars.ContextVar[str | None] = contextvars.ContextVar("request_id", default=None)


class Outlet:
    """Where lines are rendered, masked and written. It is structlog's logger and its only processor."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """As at the beginning: warnings and worse, to stderr, for people; no key is known yet."""
        self.masker = Masker()
        self.level = logging.WARNING
        self.json = False
        self.colour = False
        self.clock = Clock(time.time)
        self._stream: TextIO | None = None

    @property
    def stream(self) -> TextIO:
        return self._stream or unguarded(sys.stderr)

    def use(self, level: int, format: str, stream: TextIO | None, now: Callable[[], float]) -> None:
        self.level = level
        self.clock = Clock(now)
        self._stream = None if stream is None else unguarded(stream)
        self.json = format == "json"
        self.colour = format != "json" and "NO_COLOR" not in os.environ and self.stream.isatty()

    def render(self, logger: Any, level: str, fields: Fields) -> str:
        """The line for structlog and for `logging`; no line ever has an exception's local variables."""
        if (problem := _exception_of(fields.pop("exc_info", None))) is not None:
            fields["exception"] = "".join(traceback.format_exception(problem)).rstrip()
        if "id" not in fields and (request_id := _request_id.get()):
            fields["id"] = request_id
        level = level.upper()
        if self.json:
            return json_line(level, fields, self.clock)
        return console_line(level, fields, self.clock, self.colour)

    def write(self, line: str) -> None:
        """The masked line, by one write, at once. A broken or closed stream is nobody's problem."""
        masked = self.masker.mask(line) + "\n"
        stream = self.stream
        try:
            stream.write(masked)
            stream.flush()
        except UnicodeEncodeError:
            _write_ascii(stream, masked)
        except RuntimeError:  # a signal's handler has interrupted another write to the same stream
            _write_past_buffer(stream, masked)
        except (OSError, ValueError):
            pass

    debug = info = warning = error = critical = msg = write


def _write_ascii(stream: TextIO, text: str) -> None:
    """For a stream that cannot hold every character (`LC_ALL=C`, half a surrogate pair)."""
    with contextlib.suppress(OSError, ValueError, RuntimeError):
        stream.write(text.encode("ascii", "backslashreplace").decode("ascii"))
        stream.flush()


def _write_past_buffer(stream: TextIO, text: str) -> None:
    with contextlib.suppress(OSError, ValueError):
        os.write(stream.fileno(), text.encode("utf-8", "backslashreplace"))


def _exception_of(exc_info: Any) -> BaseException | None:
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        return exc_info[1] if isinstance(exc_info[1], BaseException) else None
    return sys.exc_info()[1] if exc_info else None


out = Outlet()
"""There is one in a process, as there is one stderr."""


def learn(secrets: Iterable[str]) -> None:
    """These are masked as well. What was secret before a reload stays secret."""
    new = frozenset(secrets).difference(out.masker.secrets)
    if new:
        out.masker = out.masker.with_secrets(new)


def masked(text: str) -> str:
    """The text without any secret that is known here; for what a client is told of somebody else's words."""
    return out.masker.mask(text)


def is_debug() -> bool:
    return out.level <= logging.DEBUG


def tag(request_id: str | None) -> None:
    """Lines of this thread or greenlet that name no request of their own, a library's too, get this id."""
    _request_id.set(request_id)
