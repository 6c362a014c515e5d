"""Other people's lines: what `logging`, warnings, gunicorn and stray writes to stderr have to say."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any

from gunicorn.glogging import Logger as _GunicornsLogger

from app.logs.guard import Guard, unguarded
from app.logs.outlet import LEVELS, is_debug, out
from app.logs.rendering import Fields


class _Handler(logging.Handler):
    """Hands the standard library's records to the outlet."""

    def emit(self, record: logging.LogRecord) -> None:
        fields: Fields = {"logger": record.name, "event": _message_of(record)}
        if record.exc_info:
            fields["exc_info"] = record.exc_info
        elif record.exc_text:
            fields["exception"] = record.exc_text
        if record.stack_info:
            fields["exception"] = f"{fields.get('exception', '')}{record.stack_info}"
        try:
            out.write(out.render(None, _level_name(record.levelno), fields))
        except Exception as problem:
            # logging's own answer would print the arguments, unmasked
            out.write(f"{record.name}: a line could not be written ({type(problem).__name__})")


def _message_of(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception as problem:
        return f"{record.msg!r} % {_repr(record.args)} ({type(problem).__name__})"


def _repr(value: Any) -> str:
    try:
        return repr(value)
    except Exception:
        return f"<{type(value).__name__}>"


def _level_name(number: int) -> str:
    return next((name for name, least in reversed(LEVELS.items()) if number >= least), "DEBUG")


def take_over() -> None:
    """The root logger writes through the outlet; libraries from WARNING on, at DEBUG from INFO on."""
    logging.captureWarnings(True)
    root = logging.getLogger()
    for handler in [*root.handlers]:
        if isinstance(handler, _Handler) or _writes_to_terminal(handler):
            root.removeHandler(handler)
    root.addHandler(_Handler())
    root.setLevel(logging.INFO if is_debug() else max(out.level, logging.WARNING))
    logging.getLogger("app").setLevel(out.level)
    adopt("gunicorn.error", "gunicorn.access")


def release() -> None:
    """The root logger and warnings are as at the beginning."""
    logging.captureWarnings(False)
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, _Handler)]:
        root.removeHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("app").setLevel(logging.NOTSET)


def adopt(*names: str) -> None:
    """Loggers that write to stdout or stderr by themselves write through the outlet instead.

    Without names: all that exist. Call it after importing a library that attaches handlers.
    """
    for name in names or [*logging.root.manager.loggerDict]:
        logger = logging.getLogger(name)
        own = [handler for handler in logger.handlers if _writes_to_terminal(handler)]
        for handler in own:
            logger.removeHandler(handler)
        if own or names:
            logger.propagate = True


def _writes_to_terminal(handler: logging.Handler) -> bool:
    stream = getattr(handler, "stream", None)
    return isinstance(handler, logging.StreamHandler) and stream in (
        sys.stdout,
        sys.stderr,
        sys.__stdout__,
        sys.__stderr__,
        out.stream,
    )


class GunicornLogger(_GunicornsLogger):
    """gunicorn's logger without handlers of its own."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        adopt("gunicorn.error", "gunicorn.access")


def guard_stderr() -> Callable[[], None]:
    """Whatever is written to `sys.stderr` becomes masked lines; returns what undoes it.

    Tracebacks of threads and greenlets, `print`, `wsgi.errors` leave in this way.
    """
    before = sys.stderr
    sys.stderr = Guard(unguarded(before), _say_as_stderr)

    def undo() -> None:
        sys.stderr = before

    return undo


def _say_as_stderr(line: str) -> None:
    out.write(out.render(None, "error", {"logger": "stderr", "event": line}))
