"""A backend around a backend: asks again, before the first byte, where that can help.

What is tried again: connection errors, 408, 409, 429, 5xx and answers that are none.
A pause follows `Retry-After` where the target gave one; if that is longer than a client
would sit through, the error goes to the client at once, with the `Retry-After`, for it
can wait better than we can.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from app.errors import GatewayError
from app.types import Backend, Batch, Call, Completion, Stream

LONGEST_PAUSE = 10.0
"""Seconds; beyond it waiting is the client's business."""

PATIENCE = 60.0
"""Seconds since the request came, after which nothing new is begun on its behalf."""

TICK = 0.5

T = TypeVar("T")


class Retrying:
    """Repeats what failed in a way that may pass, as often as the target's settings allow."""

    def __init__(self, backend: Backend, sleep: Callable[[float], None] = time.sleep) -> None:
        self._backend = backend
        self._sleep = sleep

    def complete(self, call: Call) -> Completion:
        return self._persist(call, lambda: self._backend.complete(call))

    def stream(self, call: Call) -> Stream:
        return self._persist(call, lambda: Begun(self._backend.stream(call)))

    def _persist(self, call: Call, attempt: Callable[[], T]) -> T:
        tried = 0
        while True:
            try:
                return attempt()
            except GatewayError as problem:
                pause = pause_before(tried, problem, call)
                if pause is None:
                    raise
            self._wait(pause, call)
            tried += 1

    def _wait(self, seconds: float, call: Call) -> None:
        while seconds > 0:
            self._sleep(min(seconds, TICK))
            seconds -= TICK
            call.client.alive()


def pause_before(tried: int, problem: GatewayError, call: Call) -> float | None:
    """Seconds to wait before the next try, or None when there should be none."""
    retries = call.target.retries
    if not problem.retryable or tried >= retries.limit:
        return None
    pause: float = retries.delay * 2**tried * random.uniform(0.75, 1.25)
    if problem.retry_after is not None:
        pause = max(problem.retry_after, random.uniform(0, retries.delay))
    now = time.monotonic()
    if pause > LONGEST_PAUSE or now + pause > min(call.trace.started + PATIENCE, call.deadline):
        return None
    return pause


class Begun:
    """A stream whose first batch is here: whatever fails from now on is not tried again.

    What of that batch is for the client, and so what can still be a status, `gateway.ServedStream` sees.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        try:
            self._first: Batch | None = next((batch for batch in stream if batch), [])
        except BaseException:
            stream.close()
            raise

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        first, self._first = self._first, None
        return next(self._stream) if first is None else first

    def close(self) -> None:
        self._stream.close()
