"""A call that runs in another thread, as its consumer sees it: batches, silence, an end."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator

from app.backends.litellm_scope import Scope
from app.errors import GatewayError, UpstreamTimeout
from app.types import Batch, Call, Chunk

TICK = 0.5
"""Seconds; the longest wait without a look at the client."""

MOST_WAITING = 512
"""Chunks that may wait for a slow client before the upstream is read no further."""


class Pipe:
    """Chunks on their way from the thread that reads to the one that serves."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._chunks: deque[Chunk] = deque()
        self._over = False
        self._closed = False
        self._problem: GatewayError | None = None

    def put(self, chunk: Chunk) -> bool:
        """Hand over; waits while too much is waiting. False once nobody takes anything any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(self._chunks) < MOST_WAITING)
            self._chunks.append(chunk)
            self._changed.notify_all()
            return not self._closed

    def finish(self, problem: GatewayError | None) -> None:
        with self._changed:
            self._over, self._problem = True, problem
            self._changed.notify_all()

    def take(self, seconds: float) -> Batch | None:
        """All that has come; nothing after `seconds` of silence; None at the end.

        Raises the problem that the call ended with, after everything that came before it.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._over or self._chunks, seconds)
            batch = list(self._chunks)
            self._chunks.clear()
            self._changed.notify_all()
            if batch or not self._over:
                return batch
            if self._problem is not None:
                raise self._problem
            return None

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._chunks.clear()
            self._changed.notify_all()


class Running:
    """A call under way, as a stream of batches. Closing it early ends the target's work."""

    def __init__(self, call: Call, scope: Scope, pipe: Pipe) -> None:
        self._call = call
        self._scope = scope
        self._pipe = pipe
        self._since = self._looked = time.monotonic()
        self._begun = False
        self._over = False

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        if self._over:
            raise StopIteration
        try:
            batch = self._next()
        except BaseException:
            self.close()
            raise
        if batch is None:
            self._over = True
            raise StopIteration
        return batch

    def close(self) -> None:
        if not self._over:
            self._over = True
            self._scope.end()
            self._pipe.close()

    def _next(self) -> Batch | None:
        while True:
            if time.monotonic() - self._looked >= TICK:  # also while chunks flow
                self._look()
            batch = self._pipe.take(TICK)
            if batch is None:
                return None
            if batch:
                self._begun, self._since = True, time.monotonic()
                return batch
            if self._begun:
                self._look()
                return []

    def _look(self) -> None:
        """Is the client still there, and is there time left?"""
        self._looked = time.monotonic()
        self._call.client.alive()
        target, now = self._call.target, time.monotonic()
        whom = f"the provider of '{target.alias}'"
        if now >= self._call.deadline:
            raise UpstreamTimeout(f"{whom} took longer than the {target.timeouts.total:g} s allowed")
        if not self._begun and now - self._since >= target.timeouts.header:
            raise UpstreamTimeout(f"{whom} did not begin to answer in time")
        if self._begun and now - self._since >= target.timeouts.chunk:
            raise UpstreamTimeout(f"{whom} fell silent and did not go on")
