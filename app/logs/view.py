"""What DEBUG tells of a request: a `DebugView` says what `app.utils.preview` sees in it.

At any other level `debug_view` gives None, and a request pays one `if`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import ParamSpec

from app.errors import GatewayError
from app.logs.lines import get
from app.logs.outlet import is_debug
from app.logs.requests import kind_of
from app.types import Batch, Body, Client, Completion, Target
from app.utils.preview import (
    CHUNK,
    ERROR,
    RESPONSE,
    TARGET,
    Line,
    answer_text,
    preview,
    request_lines,
    sent_lines,
    target_lines,
)
from app.utils.story import Story

_log = get("app.requests")

_P = ParamSpec("_P")


def _harmless(method: Callable[_P, None]) -> Callable[_P, None]:
    """A view that fails says so and lets the request go on."""

    @functools.wraps(method)
    def harmless(*args: _P.args, **kwargs: _P.kwargs) -> None:
        try:
            method(*args, **kwargs)
        except Exception as problem:
            _log.debug(f"{ERROR} the debug view failed", exc_info=problem)

    return harmless


class DebugView:
    """All about one request, for people: see docs/logs.md. Never raises."""

    def __init__(self, client: Client) -> None:
        self._id = client.request_id
        self._story = Story()
        self._told = False

    @_harmless
    def request(self, body: Body) -> None:
        """What the client asked."""
        self._say(request_lines(body))

    @_harmless
    def target(self, target: Target, body: Body, way: object) -> None:
        """Where it goes, by which way and why, and the body that is sent there."""
        self._say(target_lines(target.name, target.base_url, body, str(way)))

    @_harmless
    def left_out(self, names: Sequence[str]) -> None:
        """What the target is not told, because chat has no word for it."""
        if names:
            self.note(f"left out, for chat cannot say it: {preview(', '.join(names), 600, 500)}")

    @_harmless
    def note(self, text: str) -> None:
        """What else there is to say of where it goes."""
        self._say([Line(TARGET, text)])

    @_harmless
    def received(self, batch: Batch) -> None:
        """Chunks as they came. Before they are rewritten, which happens in place."""
        for chunk in batch:
            self._say([Line(CHUNK, f"received {answer_text(chunk)}")])
            self._say(self._story.feed(chunk))

    @_harmless
    def sent(self, data: bytes) -> None:
        """Events as the client gets them, in its dialect."""
        self._say(sent_lines(data))

    @_harmless
    def answered(self, answer: Body) -> None:
        """The plain answer, or the error, that the client gets, in its dialect."""
        self._say([Line(RESPONSE, f"sent {answer_text(answer)}")])

    @_harmless
    def response(self, answer: Completion | None = None) -> None:
        """The whole answer, or without one: the end of a stream."""
        if answer is not None:
            self._say(self._story.feed(answer))
        self._tell()

    @_harmless
    def error(self, problem: BaseException) -> None:
        """What had come until then, and what went wrong: our own mistakes' stack, the others' cause."""
        self._tell()
        if not isinstance(problem, GatewayError):
            _log.debug(f"{ERROR} {type(problem).__name__}", id=self._id, exc_info=problem)
            return
        cause = problem.__cause__ or problem.__context__
        because = f" because of {type(cause).__name__}: {preview(str(cause), 300, 200)}" if cause else ""
        because += f" the provider said: {preview(problem.detail, 300, 200)}" if problem.detail else ""
        self._say(
            [Line(ERROR, f"{problem.status} {kind_of(problem)}: {preview(str(problem), 300, 200)}{because}")]
        )

    def _tell(self) -> None:
        if not self._told:
            self._told = True
            self._say(self._story.close())

    def _say(self, lines: Iterable[Line]) -> None:
        for marker, text in lines:
            _log.debug(f"{marker} {text}", id=self._id)


def debug_view(client: Client) -> DebugView | None:
    """A view of this request at DEBUG, else None."""
    return DebugView(client) if is_debug() else None
