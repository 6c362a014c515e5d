"""What a store is: rows of bytes by name, in rooms that have bounds; and the simplest one."""

from __future__ import annotations

import threading
import time
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

MEGABYTE = 1024 * 1024

MEMORY = 16 * MEGABYTE
"""The most that memory keeps of one room, whatever the room allows a file."""

FOR_EVER = 10.0**10
"""Seconds; a room in which nothing grows old."""


@dataclass(frozen=True, slots=True)
class Room:
    """A namespace with bounds. What was written least recently goes first."""

    name: str
    most_rows: int
    most_bytes: int
    seconds: float
    """How long a row is kept after it was written."""


class Store(Protocol):
    """Rows of bytes, each in a room under a key. Opened when it is first asked."""

    shared: bool = False
    """Whether other machines may see the same rows."""

    def get(self, room: Room, key: str) -> bytes | None:
        return self.get_many(room, (key,)).get(key)

    @abstractmethod
    def get_many(self, room: Room, keys: Iterable[str]) -> dict[str, bytes]:
        """Those of the rows that there are."""

    @abstractmethod
    def put(self, room: Room, rows: Mapping[str, bytes]) -> None:
        """Write, over what is there; a row that alone is too much for the room is not kept."""

    @abstractmethod
    def delete(self, room: Room, key: str) -> bool:
        """Forget a row. Whether there was one."""

    @abstractmethod
    def agree(self, room: Room, key: str, value: bytes) -> bytes | None:
        """What everybody finds under the key: what is there, or else this value, which then is there.

        None while that cannot be known.
        """

    def written(self, room: Room, keys: Iterable[str], seconds: float) -> bool:
        """Whether every process finds what was put under these keys; waits for that so long at most."""
        return True

    @abstractmethod
    def close(self) -> None:
        """Whoever asks after that opens it anew."""


class Memory(Store):
    """In this process alone, for as long as it runs."""

    def __init__(self, most_bytes: int = MEMORY, clock: Callable[[], float] = time.time) -> None:
        self._most_bytes = most_bytes
        self._clock = clock
        self._lock = threading.RLock()
        self._rooms: dict[Room, dict[str, tuple[bytes, float]]] = {}
        self._bytes: dict[Room, int] = {}

    def get_many(self, room: Room, keys: Iterable[str]) -> dict[str, bytes]:
        rows, now = self._rooms.get(room, {}), self._clock()
        found = [(key, rows.get(key)) for key in keys]
        return {key: row[0] for key, row in found if row is not None and row[1] > now}

    def put(self, room: Room, rows: Mapping[str, bytes]) -> None:
        until = self._clock() + room.seconds
        with self._lock:
            for key, value in rows.items():
                if len(value) > self._most(room):
                    continue
                self.delete(room, key)
                self._rooms.setdefault(room, {})[key] = (value, until)
                self._bytes[room] = self._bytes.get(room, 0) + len(value)
            self._shrink(room)

    def delete(self, room: Room, key: str) -> bool:
        with self._lock:
            row = self._rooms.get(room, {}).pop(key, None)
            if row is None:
                return False
            self._bytes[room] -= len(row[0])
            return row[1] > self._clock()

    def agree(self, room: Room, key: str, value: bytes) -> bytes:
        with self._lock:
            if (there := self.get(room, key)) is not None:
                return there
            self.put(room, {key: value})
            return value

    def close(self) -> None:
        self.taken()

    def taken(self) -> dict[Room, dict[str, bytes]]:
        """All that is kept, which then is kept here no longer."""
        with self._lock:
            rooms, self._rooms, self._bytes = self._rooms, {}, {}
        now = self._clock()
        return {
            room: {key: value for key, (value, until) in rows.items() if until > now}
            for room, rows in rooms.items()
        }

    def _shrink(self, room: Room) -> None:
        rows = self._rooms.get(room, {})
        while rows and (len(rows) > room.most_rows or self._bytes[room] > self._most(room)):
            self.delete(room, next(iter(rows)))

    def _most(self, room: Room) -> int:
        return min(room.most_bytes, self._most_bytes)
