"""The reasoning ledger: keeps what a target wants back with its turns, and gives it back.

What that is, and under which names, is decided in `utils/ledger`. Here it is read and written: in one go
before a request is sent, and after an answer by the store's own writer, so that no event waits for it.
"""

from __future__ import annotations

from app.backends.state_store import MEGABYTE, Room, Store
from app.types import Body, Completion, Restored, Target
from app.utils.ledger import Message, filled, gaps, rows_of, wants
from app.utils.ledger_reading import Reading, turn_in

MOMENT = 0.1
"""Seconds that the end of an answer waits for its turn to be written, which takes one or two thousandths."""

LEDGER = Room("ledger", most_rows=400_000, most_bytes=256 * MEGABYTE, seconds=30 * 24 * 3600.0)


class Ledger:
    """Over a store that writes in the background."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def restored(self, body: Body, scope: str, target: Target) -> Restored:
        """The chat body with what the client left out and the target wants. What the client sent counts."""
        missing = gaps(body, scope, target)
        if not missing:
            return Restored(body)
        rows = self._store.get_many(LEDGER, dict.fromkeys(name for gap in missing for name in gap.names.best))
        if others := dict.fromkeys(name for gap in missing for name in gap.names.others(rows)):
            rows = {**rows, **self._store.get_many(LEDGER, others)}
        return filled(body, missing, rows, target)

    def collector(self, body: Body, scope: str, target: Target) -> Collecting:
        """For the answer of a target that wants something back to this body, before or after `restored`."""
        return Collecting(self._store, body, scope, target)


class Collecting:
    """Remembers the answer until it is whole, then has it written."""

    def __init__(self, store: Store, body: Body, scope: str, target: Target) -> None:
        self._store = store
        self._body = body
        self._scope = scope
        self._target = target
        self._names: tuple[str, ...] = ()
        self._reading = Reading(wants(target))
        self.feed = self._reading.feed

    def end(self) -> None:
        self._keep(self._reading.turn())

    def answer(self, completion: Completion) -> None:
        self._keep(turn_in(completion))

    def wait(self) -> None:
        if self._names:
            self._store.written(LEDGER, self._names, MOMENT)

    def _keep(self, turn: Message) -> None:
        if rows := rows_of(turn, self._body, self._scope, self._target):
            self._names = tuple(rows)
            self._store.put(LEDGER, rows)
