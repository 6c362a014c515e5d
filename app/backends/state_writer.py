"""A store whose writes never hold anybody up: they are queued, and written in batches by somebody else.

That somebody is a thread, which gevent makes a greenlet: everything here is then in the world of greenlets,
and no lock is shared with a thread outside it. What may block (SQLite) goes apart by itself.
"""

from __future__ import annotations

import atexit
import logging
import threading
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from app.backends.state_store import MEGABYTE, Room, Store

MOST_WAITING = 16 * MEGABYTE
"""Bytes that may wait to be written. Beyond them the oldest are lost, for a writer must not wait."""

PATIENCE = 5.0
"""Seconds that an end waits for what is still to be written."""

Queue: TypeAlias = dict[tuple[Room, str], bytes]

_log = logging.getLogger(__name__)


class Writer(Store):
    """A store over a store. Whoever reads finds what is queued as if it were written."""

    def __init__(self, store: Store, most_waiting: int = MOST_WAITING) -> None:
        self.shared = store.shared
        self.lost = 0
        """Rows that were pushed out of the queue before they were written."""
        self._store = store
        self._most_waiting = most_waiting
        self._changed = threading.Condition()
        self._waiting: Queue = {}
        self._bytes = 0
        self._writing: Queue = {}
        self._thread: threading.Thread | None = None
        self._closed = False

    def put(self, room: Room, rows: Mapping[str, bytes]) -> None:
        with self._changed:
            for key, value in rows.items():
                self._bytes += len(value) - len(self._waiting.pop((room, key), b""))
                self._waiting[room, key] = value
            self._push_out()
            if not self._closed:
                self._begin()
                self._changed.notify_all()
                return
        self.flush()

    def get_many(self, room: Room, keys: Iterable[str]) -> dict[str, bytes]:
        wanted = list(keys)
        with self._changed:
            queued = {**self._of(self._writing, room, wanted), **self._of(self._waiting, room, wanted)}
        missing = [key for key in wanted if key not in queued]
        return queued | self._store.get_many(room, missing) if missing else queued

    def delete(self, room: Room, key: str) -> bool:
        self.flush()
        return self._store.delete(room, key)

    def agree(self, room: Room, key: str, value: bytes) -> bytes | None:
        self.flush()
        return self._store.agree(room, key, value)

    def written(self, room: Room, keys: Iterable[str], seconds: float) -> bool:
        wanted = list(keys)

        def all_written() -> bool:
            return not (self._of(self._writing, room, wanted) or self._of(self._waiting, room, wanted))

        with self._changed:
            return self._changed.wait_for(all_written, seconds)

    def flush(self) -> None:
        """Returns when all that was queued is written."""
        if not self._waiting and not self._writing:
            return
        with self._changed:
            if self._thread is not None:
                self._changed.wait_for(lambda: not self._waiting and not self._writing, PATIENCE)
        self._write()

    def close(self) -> None:
        """Writes what is queued and closes the store below. What comes later is written at once."""
        with self._changed:
            self._closed = True
            thread, self._thread = self._thread, None
            self._changed.notify_all()
        if thread is not None:
            thread.join(PATIENCE)
            atexit.unregister(self.close)
        self._write()
        self._store.close()

    def _begin(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="state-writer", daemon=True)
            self._thread.start()
            atexit.register(self.close)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if not self._waiting:
                    return
            self._write()

    def _write(self) -> None:
        """Writes all that waits now, in one go for each room. One does at a time."""
        with self._changed:
            if not self._changed.wait_for(lambda: not self._writing, PATIENCE):
                return
            self._writing, self._waiting, self._bytes = self._waiting, {}, 0
            by_room: dict[Room, dict[str, bytes]] = {}
            for (room, key), value in self._writing.items():
                by_room.setdefault(room, {})[key] = value
        try:
            for room, rows in by_room.items():
                self._store.put(room, rows)
        except Exception as problem:  # the store is careful; if it fails all the same, the thread goes on
            _log.error("%d rows of the state were not written: %r", len(self._writing), problem)
        finally:
            with self._changed:
                self._writing = {}
                self._changed.notify_all()

    def _push_out(self) -> None:
        before = self.lost
        while self._bytes > self._most_waiting and self._waiting:
            oldest = next(iter(self._waiting))
            self._bytes -= len(self._waiting.pop(oldest))
            self.lost += 1
        if before == 0 < self.lost:
            _log.warning("the state is written too slowly: what waited longest to be written is lost")

    @staticmethod
    def _of(queue: Queue, room: Room, keys: list[str]) -> dict[str, bytes]:
        return {key: queue[room, key] for key in keys if (room, key) in queue}
