"""What is remembered from one request of a conversation to the next: put back before, kept afterwards.

The ledger keeps what a target wants back with its own turns, and a client may drop; the meter keeps what
requests were billed, for dialects that tell the input's tokens before the target does, or count them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from app.types import Answer, Body, Client, Collector, Ledger, Meter, Request, Target, Trace
from app.utils.ledger import scope_of, wants


class Remembering:
    """Over a ledger and a meter, or without them."""

    def __init__(self, ledger: Ledger | None = None, meter: Meter | None = None) -> None:
        self._ledger = ledger
        self._meter = meter

    def before(
        self, request: Request, body: Body, target: Target, client: Client, trace: Trace
    ) -> tuple[Body, Afterwards]:
        """The chat body with what the target wants back, and what is to be done with the answer."""
        ledger = self._ledger if wants(target) else None
        meter, after = self._meter, Afterwards(trace)
        expects = meter is not None and request.dialect == "messages"
        scope = scope_of(client, body) if ledger or expects else ""
        if meter and expects:  # its streams begin with an estimate; that may cost a millisecond
            expected = meter.expect(scope, target, body)
            trace.input_tokens = expected.tokens
            after.learn = partial(meter.learn, expected)
        elif meter and request.dialect == "responses":
            after.learn = partial(meter.tell, target, body)
        if ledger:
            after.collector = ledger.collector(body, scope, target)
            restored = ledger.restored(body, scope, target)
            trace.notes.extend(restored.notes)
            body = restored.body
        return body, after


@dataclass(slots=True)
class Afterwards:
    """What is done with an answer besides giving it out. Nothing, as a rule."""

    trace: Trace
    collector: Collector | None = None
    learn: Callable[[Mapping[str, Any] | None], None] | None = None

    def answer(self, answer: Answer) -> None:
        """A plain one has come. Its client may go on with it at once, and at another process."""
        if self.collector:
            self.collector.answer(answer)
            self.collector.wait()
        if self.learn:
            self.learn(self.trace.usage)

    def end(self) -> None:
        """A stream has come to its end."""
        if self.collector:
            self.collector.end()
        if self.learn:
            self.learn(self.trace.usage)

    def wait(self) -> None:
        """The last event is out: before the body ends, every process knows what the next request needs."""
        if self.collector:
            self.collector.wait()
