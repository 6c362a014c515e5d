"""Our own lines: a logger for each module, made by structlog when it has something to say."""

from __future__ import annotations

import contextlib
import sys
from typing import Any, Protocol

from app.logs.outlet import out


class _Say(Protocol):
    def __call__(self, event: str, **fields: Any) -> Any: ...


_METHODS = ("debug", "info", "warning", "error", "exception")


class Logger:
    """A structlog logger of a name; its methods are made when first called, and anew when the level changes.

    structlog's own lazy loggers cost a microsecond a call, or else never hear of a new level. It is only
    imported for a line, for it brings asyncio along, and gunicorn's master has hardly anything to say.
    """

    __slots__ = ("debug", "error", "exception", "info", "name", "warning")

    debug: _Say
    info: _Say
    warning: _Say
    error: _Say
    exception: _Say

    def __init__(self, name: str) -> None:
        self.name = name

    def __getattr__(self, method: str) -> Any:
        if method not in _METHODS:
            raise AttributeError(method)
        import structlog

        bound = structlog.wrap_logger(
            out,
            processors=[out.render],
            wrapper_class=structlog.make_filtering_bound_logger(out.level),
        ).bind(logger=self.name)
        for name in _METHODS:
            setattr(self, name, getattr(bound, name))
        return getattr(self, method)

    def rewire(self) -> None:
        """What is called next has the level and the outlet of now."""
        for method in _METHODS:
            with contextlib.suppress(AttributeError):
                object.__delattr__(self, method)


_loggers: dict[str, Logger] = {}


def get(name: str) -> Logger:
    """The logger of a module; it may be had before `configure` is called."""
    if name not in _loggers:
        _loggers[name] = Logger(name)
    return _loggers[name]


def prepare() -> None:
    """Loads structlog, and makes loggers that are asked of it directly write here too."""
    import structlog

    structlog.configure(
        processors=[out.render],
        wrapper_class=structlog.make_filtering_bound_logger(out.level),
        logger_factory=lambda *names: out,
        cache_logger_on_first_use=False,
    )


def rewire() -> None:
    """All loggers, and structlog where it is loaded, follow the outlet's new level."""
    for logger in _loggers.values():
        logger.rewire()
    if "structlog" in sys.modules:
        prepare()


def release() -> None:
    """All loggers are as at the beginning, and structlog as it comes."""
    for logger in _loggers.values():
        logger.rewire()
    if "structlog" in sys.modules:
        sys.modules["structlog"].reset_defaults()
