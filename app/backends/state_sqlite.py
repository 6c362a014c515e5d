"""The state in one SQLite file, which all workers of a machine read and write at once.

Readers never wait for writers there (WAL), so a read is done at once, where it is asked for; it takes some
ten microseconds. A write may wait for another process's, and is done apart. A file that is broken, or was
written by another version, is moved aside: nothing in it is worth not starting.
"""

from __future__ import annotations

import fcntl
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeAlias, TypeVar

from app.backends.apart import Apart
from app.backends.state_store import MEGABYTE, Room, Store
from app.utils.codec import dumps

T = TypeVar("T")

Work: TypeAlias = Callable[[sqlite3.Connection], T]
Connect: TypeAlias = Callable[[Path], sqlite3.Connection]
Identity: TypeAlias = tuple[int, int]
"""Of a file: its device and its number there."""
Opened: TypeAlias = tuple[sqlite3.Connection, Identity | None]

VERSION = 1
"""Of the schema, in the file's `user_version`."""

BUSY = 1.0
"""Seconds that a write waits for another process's."""

BROKEN = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT})

_log = logging.getLogger(__name__)

# `written` grows with each row, so the smallest of a room is what was written least recently. What a room
# holds is counted by the triggers, in the same transaction: nobody has to count rows to keep the bounds.
SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE rows (
    written INTEGER PRIMARY KEY AUTOINCREMENT,
    room TEXT NOT NULL,
    key TEXT NOT NULL,
    value BLOB NOT NULL,
    until REAL NOT NULL,
    UNIQUE (room, key)
);
CREATE INDEX by_age ON rows (room, written);
CREATE INDEX by_end ON rows (until);
CREATE TABLE rooms (name TEXT PRIMARY KEY, rows INTEGER NOT NULL, bytes INTEGER NOT NULL) WITHOUT ROWID;
CREATE TRIGGER one_more AFTER INSERT ON rows BEGIN
    INSERT INTO rooms VALUES (new.room, 1, length(new.value))
    ON CONFLICT (name) DO UPDATE SET rows = rows + 1, bytes = bytes + length(new.value);
END;
CREATE TRIGGER one_less AFTER DELETE ON rows BEGIN
    UPDATE rooms SET rows = rows - 1, bytes = bytes - length(old.value) WHERE name = old.room;
END;
PRAGMA user_version = {VERSION};
COMMIT;
"""

FIND = """SELECT key, value FROM rows
WHERE room = ? AND key IN (SELECT value FROM json_each(?)) AND until > ?"""
FORGET = "DELETE FROM rows WHERE room = ? AND key = ?"
KEEP = "INSERT INTO rows (room, key, value, until) VALUES (?, ?, ?, ?)"
OUTDATE = "DELETE FROM rows WHERE until <= ?"
HELD = "SELECT rows, bytes FROM rooms WHERE name = ?"
BY_AGE = "SELECT written, length(value) FROM rows WHERE room = ? ORDER BY written"
FORGET_OLDEST = "DELETE FROM rows WHERE room = ? AND written <= ?"


class Sqlite(Store):
    """Rows in the file at `path`, which is made if it is not there. Raises sqlite3.Error and OSError."""

    def __init__(
        self, path: Path, connect: Connect | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self._clock = clock
        self._apart = Apart()
        self._turn = threading.Lock()
        self._reader = Line(path, connect or connected)
        self._writer = Line(path, connect or connected)

    def get_many(self, room: Room, keys: Iterable[str]) -> dict[str, bytes]:
        wanted = list(keys)
        with self._turn:
            return self._reader.do(lambda file: self._found(file, room, wanted), self._apart)

    def put(self, room: Room, rows: Mapping[str, bytes]) -> None:
        kept = {key: value for key, value in rows.items() if len(value) <= room.most_bytes}

        def write(file: sqlite3.Connection) -> None:
            self._keep(file, room, kept)
            shrink(file, room)

        self._write(write)

    def delete(self, room: Room, key: str) -> bool:
        return self._write(lambda file: file.execute(FORGET, (room.name, key)).rowcount > 0)

    def agree(self, room: Room, key: str, value: bytes) -> bytes:
        def settle(file: sqlite3.Connection) -> bytes:
            there = self._found(file, room, [key])
            if not there:
                self._keep(file, room, {key: value})
            return there.get(key, value)

        return self._write(settle)

    def close(self) -> None:
        with self._turn:
            self._reader.close()
        self._apart(self._writer.close)
        self._apart.close()

    def _write(self, work: Work[T]) -> T:
        def whole(file: sqlite3.Connection) -> T:
            with transaction(file):
                return work(file)

        return self._apart(lambda: self._writer.do(whole, lambda opening: opening()))

    def _found(self, file: sqlite3.Connection, room: Room, keys: list[str]) -> dict[str, bytes]:
        return dict(file.execute(FIND, (room.name, dumps(keys).decode(), self._clock())))

    def _keep(self, file: sqlite3.Connection, room: Room, rows: Mapping[str, bytes]) -> None:
        now = self._clock()
        file.execute(OUTDATE, (now,))
        file.executemany(FORGET, [(room.name, key) for key in rows])
        file.executemany(KEEP, [(room.name, key, value, now + room.seconds) for key, value in rows.items()])


@contextmanager
def transaction(file: sqlite3.Connection) -> Iterator[None]:
    """All of it or nothing, and nobody else's writes between."""
    file.execute("BEGIN IMMEDIATE")
    try:
        yield
        file.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # a full disk has rolled back by itself
            file.execute("ROLLBACK")
        raise


def shrink(file: sqlite3.Connection, room: Room) -> None:
    """Forget the oldest rows of a room until it keeps its bounds."""
    rows, octets = file.execute(HELD, (room.name,)).fetchone() or (0, 0)
    last = None
    if rows > room.most_rows or octets > room.most_bytes:
        for last, length in file.execute(BY_AGE, (room.name,)):  # noqa: B007  # the last one is what is wanted
            rows, octets = rows - 1, octets - length
            if rows <= room.most_rows and octets <= room.most_bytes:
                break
    if last is not None:
        file.execute(FORGET_OLDEST, (room.name, last))


class Line:
    """A connection to the file that is at the path now: if that is another than before, a new one."""

    def __init__(self, path: Path, connect: Connect) -> None:
        self._path = path
        self._connect = connect
        self._connection: sqlite3.Connection | None = None
        self._file: Identity | None = None

    def do(self, work: Work[T], apart: Callable[[Callable[[], Opened]], Opened]) -> T:
        """What the work comes to. `apart` is how the file is opened, which may take its time.

        A file that turns out to be broken is replaced, and the work done again on the new one.
        """
        try:
            return work(self._now(apart))
        except sqlite3.DatabaseError as problem:
            if not is_broken(problem):
                raise
        broken = self._file
        self.close()
        return work(self._now(apart, broken))

    def _now(
        self, apart: Callable[[Callable[[], Opened]], Opened], broken: Identity | None = None
    ) -> sqlite3.Connection:
        if self._connection is None or self._file != identity(self._path):
            self.close()
            self._connection, self._file = apart(lambda: opened(self._path, self._connect, broken))
        return self._connection

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def identity(path: Path) -> Identity | None:
    """Which file is there; None for none."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def opened(path: Path, connect: Connect, broken: Identity | None = None) -> Opened:
    """A connection to a file with our schema. What is there and cannot be used is moved aside.

    So is the one that turned out to be `broken`, if no other process has done it yet.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with alone_in(path.parent):
        if broken is not None and identity(path) == broken:
            set_aside(path, "it is damaged")
        try:
            return prepared(path, connect), identity(path)
        except sqlite3.DatabaseError as problem:
            if not is_broken(problem):
                raise
            set_aside(path, str(problem))
            return prepared(path, connect), identity(path)


@contextmanager
def alone_in(directory: Path) -> Iterator[None]:
    """While no other process makes or moves a file there."""
    lock = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def prepared(path: Path, connect: Connect) -> sqlite3.Connection:
    make(path)
    file = connect(path)
    try:
        file.execute("PRAGMA journal_mode = WAL")
        file.execute("PRAGMA synchronous = NORMAL")
        file.execute(f"PRAGMA journal_size_limit = {4 * MEGABYTE}")
        (version,) = file.execute("PRAGMA user_version").fetchone()
        if version not in (0, VERSION):
            raise foreign(f"its schema is version {version}, not {VERSION}")
        if version == 0:
            file.executescript(SCHEMA)
        return file
    except BaseException:
        file.close()
        raise


def make(path: Path) -> None:
    """An empty file that only its owner may read, if there is none; SQLite's own beside it take its mode.

    A file that is there must not be opened: closing it again would take this process's locks on it away,
    those of SQLite too, and another process would then throw away what is not yet in it.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))


def connected(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=BUSY, isolation_level=None, check_same_thread=False)


def set_aside(path: Path, why: str) -> None:
    """Makes room for a new file. One old file is kept, for whoever wants to look."""
    aside = path.with_name(f"{path.name}.broken")
    _log.warning("%s cannot be used (%s): it is now %s, and a new one is begun", path, why, aside.name)
    for ending in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            os.replace(f"{path}{ending}", f"{aside}{ending}")


def foreign(why: str) -> sqlite3.DatabaseError:
    problem = sqlite3.DatabaseError(why)
    problem.sqlite_errorcode = sqlite3.SQLITE_FORMAT
    return problem


def is_broken(problem: sqlite3.DatabaseError) -> bool:
    """Whether the file is no good, and not only the moment."""
    return getattr(problem, "sqlite_errorcode", 0) & 0xFF in BROKEN
