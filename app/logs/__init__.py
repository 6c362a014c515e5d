"""How a line is written: levels, the two formats, and the masking that none can go around.

Every line of the process, ours by structlog, a library's by `logging`, a warning, gunicorn's, an
uncaught exception's, is rendered by `Outlet.render` and leaves by `Outlet.write`. There, and only
there, the finished line is masked; whoever adds a way out that does not end there breaks a promise.

    view → requests → lines    get(name).info(…)             ─┐
                      others   logging, warnings, gunicorn   ─┼→ outlet   render → mask → one write, flushed
                               and stray writes to stderr    ─┘

Imports follow the arrows. Below them stand `rendering`, what a line looks like, and `guard`, the stderr
that hands on lines. The rest of the application calls what is here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TextIO

from app.logs import lines, others
from app.logs.lines import Logger, get, prepare
from app.logs.others import GunicornLogger, adopt, guard_stderr
from app.logs.outlet import LEVELS, is_debug, learn, masked, out, tag
from app.logs.requests import failure, request_ended, request_started
from app.logs.view import DebugView, debug_view

__all__ = [
    "LEVELS",
    "DebugView",
    "GunicornLogger",
    "Logger",
    "adopt",
    "configure",
    "debug_view",
    "failure",
    "get",
    "guard_stderr",
    "is_debug",
    "learn",
    "masked",
    "prepare",
    "release",
    "request_ended",
    "request_started",
    "tag",
]


def configure(
    level: str,
    format: str,
    secrets: Iterable[str] = (),
    stream: TextIO | None = None,
    now: Callable[[], float] = time.time,
) -> None:
    """From now on, and again with each call: this level, this format, these secrets too.

    `format` is `console`, `json`, or `auto`: console, coloured where a terminal reads. `stream` is stderr
    if not given. Takes over the root logger, warnings, and gunicorn's loggers.
    """
    out.use(LEVELS[level.upper()], format, stream, now)
    learn(secrets)
    lines.rewire()
    others.take_over()


def release() -> None:
    """Forgets all that `configure`, `learn` and `tag` were told; for whoever only borrowed the process."""
    out.forget()
    tag(None)
    lines.release()
    others.release()
