"""What the gateway remembers between two requests: bytes by name, in rooms that have bounds.

Kept in a file (`state_sqlite`) or in Redis (`state_redis`), where every worker finds it and a restart
does not lose it. Nothing here is worth a failed request: what the store cannot do at the moment, memory
does (`Careful`), and whoever must not wait leaves the writing to somebody else (`state_writer`).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from app.backends.state_store import Memory, Room, Store
from app.utils.state_url import is_shared, shown

T = TypeVar("T")

PAUSE = 5.0
"""Seconds in which a store that failed is not asked again."""

_log = logging.getLogger(__name__)


class Careful(Store):
    """A store that never fails: while the real one cannot be used, memory stands in.

    After a failure nobody asks for some seconds; then one does, and the others go on without waiting.
    The log tells when it goes away and when it is back, not each time it is missed. What memory took
    meanwhile moves over.
    """

    def __init__(
        self, open: Callable[[], Store], place: str, shared: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._open = open
        self._place = place
        self._clock = clock
        self._opening = threading.Lock()
        self._store: Store | None = None
        self._memory = Memory()
        self._away = False
        self._again = 0.0
        self.shared = shared

    def get_many(self, room: Room, keys: Iterable[str]) -> dict[str, bytes]:
        wanted = list(keys)
        found = self._memory.get_many(room, wanted)
        missing = [key for key in wanted if key not in found]
        if missing:
            found |= self._tried(lambda store: store.get_many(room, missing)) or {}
        return found

    def put(self, room: Room, rows: Mapping[str, bytes]) -> None:
        if self._tried(lambda store: (store.put(room, rows),)) is None:
            self._memory.put(room, rows)

    def delete(self, room: Room, key: str) -> bool:
        here = self._memory.delete(room, key)
        return bool(self._tried(lambda store: store.delete(room, key))) or here

    def agree(self, room: Room, key: str, value: bytes) -> bytes | None:
        return self._tried(lambda store: store.agree(room, key, value))

    def close(self) -> None:
        store, self._store = self._store, None
        if store is not None:
            store.close()

    def _tried(self, work: Callable[[Store], T]) -> T | None:
        """What came of it; None when the store cannot be used."""
        if self._clock() < self._again:
            return None
        if self._away:
            self._again = self._clock() + PAUSE
        try:
            done = work(self._opened())
            if self._away:
                self._welcome()
        except Exception as problem:  # whatever it is, the request goes on
            self._miss(problem)
            return None
        return done

    def _opened(self) -> Store:
        with self._opening:
            if self._store is None:
                self._store = self._open()
            return self._store

    def _welcome(self) -> None:
        for room, rows in self._memory.taken().items():
            try:
                self._opened().put(room, rows)
            except Exception:
                self._memory.put(room, rows)
                raise
        self._away, self._again = False, 0.0
        _log.info("the state is kept in %s again", self._place)

    def _miss(self, problem: Exception) -> None:
        self._again = self._clock() + PAUSE
        if not self._away:
            self._away = True
            why = f"{type(problem).__name__}: {problem}"
            _log.warning("%s cannot be used (%s): the state is kept in memory until it can", self._place, why)


def open_store(home: Path, url: str) -> Store:
    """Where the state is kept: in Redis by its URL, else in a file below `home`. Touches neither yet."""
    return Careful(
        lambda: _in_redis(url) if is_shared(url) else _in_file(home / "state.db"),
        shown(url) if is_shared(url) else str(home / "state.db"),
        is_shared(url),
    )


def _in_redis(url: str) -> Store:
    from app.backends.state_redis import Redis

    return Redis(url)


def _in_file(path: Path) -> Store:
    from app.backends.state_sqlite import Sqlite

    return Sqlite(path)
