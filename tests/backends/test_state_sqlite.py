"""The file: who may read it, what becomes of a broken one, a full disk, several processes at once."""

from __future__ import annotations

import logging
import os
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.backends.state import Careful
from app.backends.state_sqlite import VERSION, Connect, Sqlite, connected, identity, opened
from tests.backends.state_lab import ROOM

ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "state.db"


@pytest.fixture
def store(path: Path) -> Iterator[Sqlite]:
    made = Sqlite(path)
    yield made
    made.close()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_nobody_else_can_read_it(store: Sqlite, path: Path) -> None:
    store.put(ROOM, {"a": b"1"})

    assert mode(path.parent) == 0o700
    assert {file.name: mode(file) for file in path.parent.iterdir()} == {
        "state.db": 0o600,
        "state.db-wal": 0o600,
        "state.db-shm": 0o600,
    }


def test_the_mode_of_a_home_that_was_there_is_left_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    store = Sqlite(tmp_path / "state.db")
    store.put(ROOM, {"a": b"1"})
    store.close()

    assert mode(tmp_path) == 0o750


def test_it_survives_a_restart(store: Sqlite, path: Path) -> None:
    store.put(ROOM, {"a": b"1"})
    store.close()

    assert Sqlite(path).get(ROOM, "a") == b"1"


def test_a_second_process_s_rows_are_seen_at_once(store: Sqlite, path: Path) -> None:
    other = Sqlite(path)
    store.put(ROOM, {"a": b"1"})
    seen = other.get(ROOM, "a")
    other.put(ROOM, {"a": b"2"})

    assert (seen, store.get(ROOM, "a")) == (b"1", b"2")
    other.close()


# ------------------------------------------------------------------ what cannot be used


def text(path: Path) -> None:
    path.write_bytes(b"This is no database. " * 500)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def scribbled(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 4096 * 3)


def newer(path: Path) -> None:
    with sqlite3.connect(path) as file:
        file.execute(f"PRAGMA user_version = {VERSION + 1}")
    file.close()


@pytest.mark.parametrize("spoil", [text, cut, scribbled, newer])
def test_a_file_that_cannot_be_used_is_moved_aside_and_a_new_one_begun(
    path: Path, spoil: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    first = Sqlite(path)
    first.put(ROOM, {f"{number}": b"x" * 2000 for number in range(20)})
    first.close()
    spoil(path)
    spoilt = path.read_bytes()
    store = Sqlite(path)
    store.put(ROOM, {"a": b"1"})

    assert store.get(ROOM, "a") == b"1"
    assert path.with_name("state.db.broken").read_bytes() == spoilt
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "state.db.broken" in caplog.text
    store.close()


def test_a_file_that_breaks_while_it_is_open_is_replaced_too(
    store: Sqlite, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = {f"{number}": b"x" * 2000 for number in range(50)}
    store.put(ROOM, rows)
    store.close()
    store.get(ROOM, "0")
    scribbled(path)
    store.put(ROOM, {"a": b"1"})

    assert store.get(ROOM, "a") == b"1"
    assert len(caplog.records) == 1


def test_of_two_processes_that_find_it_broken_one_replaces_it(
    store: Sqlite, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store.put(ROOM, {"a": b"x" * 20_000})
    store.close()
    broken = identity(path)
    text(path)
    first, replaced = opened(path, connected, broken)
    second, found = opened(path, connected, broken)

    assert broken != replaced == found
    assert len(caplog.records) == 1
    first.close()
    second.close()


@pytest.mark.parametrize("verb", ["get", "put"])
def test_a_file_that_somebody_removes_is_made_anew(store: Sqlite, path: Path, verb: str) -> None:
    store.put(ROOM, {"a": b"1"})
    store.get(ROOM, "a")
    for file in path.parent.iterdir():
        file.unlink()
    if verb == "put":
        store.put(ROOM, {"b": b"2"})

    assert store.get_many(ROOM, "ab") == ({"b": b"2"} if verb == "put" else {})
    assert path.is_file()


# ------------------------------------------------------------------ a moment that is no good


def on_a_small_disk(pages: int) -> Connect:
    def connect(path: Path) -> sqlite3.Connection:
        file = connected(path)
        file.execute(f"PRAGMA max_page_count = {pages}")
        return file

    return connect


def test_a_full_disk_loses_nothing_that_was_written_and_nothing_that_comes(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = Careful(lambda: Sqlite(path, on_a_small_disk(20)), "the file", shared=False)
    store.put(ROOM, {"before": b"1"})
    for number in range(10):
        store.put(ROOM, {f"{number}": b"x" * 20_000})

    assert store.get(ROOM, "9") == b"x" * 20_000
    assert "database or disk is full" in caplog.text
    assert len(caplog.records) == 1
    store.close()
    assert Sqlite(path).get(ROOM, "before") == b"1"


def test_a_full_disk_is_no_reason_to_begin_anew(path: Path) -> None:
    store = Sqlite(path, on_a_small_disk(20))
    store.put(ROOM, {"a": b"1"})
    with pytest.raises(sqlite3.OperationalError, match="full"):
        store.put(ROOM, {"b": b"x" * 200_000})

    assert store.get(ROOM, "a") == b"1"
    store.delete(ROOM, "a")
    store.put(ROOM, {"c": b"3"})
    assert store.get_many(ROOM, "abc") == {"c": b"3"}
    store.close()


def test_a_reader_does_not_wait_for_a_writer(store: Sqlite, path: Path) -> None:
    store.put(ROOM, {"a": b"1"})
    writer = connected(path)
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("DELETE FROM rows")

    assert store.get(ROOM, "a") == b"1"
    writer.execute("ROLLBACK")
    writer.close()


def test_a_writer_that_never_ends_is_waited_for_only_so_long(path: Path) -> None:
    def impatient(path: Path) -> sqlite3.Connection:
        return sqlite3.connect(path, timeout=0.01, isolation_level=None, check_same_thread=False)

    store = Sqlite(path, impatient)
    store.put(ROOM, {"a": b"1"})
    writer = connected(path)
    writer.execute("BEGIN IMMEDIATE")

    with pytest.raises(sqlite3.OperationalError, match="locked"):
        store.put(ROOM, {"a": b"2"})
    writer.execute("ROLLBACK")
    store.put(ROOM, {"a": b"3"})
    assert store.get(ROOM, "a") == b"3"
    writer.close()
    store.close()


# ------------------------------------------------------------------ many at once


def test_threads_may_share_a_store(store: Sqlite) -> None:
    def work(name: str) -> None:
        for number in range(20):
            store.put(ROOM, {f"{name}-{number}": name.encode()})
            assert store.get(ROOM, f"{name}-{number}") == name.encode()

    threads = [threading.Thread(target=work, args=(f"{index}",)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    found = store.get_many(ROOM, [f"{index}-{number}" for index in range(8) for number in range(20)])
    assert len(found) == 160


WORKER = """
import sys
from pathlib import Path
from app.backends.state_store import Room
from app.backends.state_sqlite import Sqlite
path, name, count, most_rows = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
store = Sqlite(path)
room = Room("room", most_rows=most_rows, most_bytes=10**9, seconds=60)
sys.stdin.readline()
for number in range(count):
    store.put(room, {f"{name}-{number}": name.encode() * 100})
    store.get(room, f"{name}-{number}")
store.close()
"""


def workers(path: Path, names: str, count: int, most_rows: int) -> list[subprocess.Popen[str]]:
    """Processes that all begin at once, with a file that none of them has made yet."""
    running = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", WORKER, str(path), name, str(count), str(most_rows)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in names
    ]
    for process in running:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    return running


def errors(running: list[subprocess.Popen[str]]) -> list[str]:
    return [process.communicate(timeout=60)[1] for process in running]


def test_processes_may_share_a_file_from_the_first_moment(path: Path) -> None:
    said = errors(workers(path, "abcd", count=50, most_rows=1000))
    store = Sqlite(path)

    assert said == ["", "", "", ""]
    assert len(store.get_many(ROOM, [f"{name}-{number}" for name in "abcd" for number in range(50)])) == 200
    store.close()


def test_another_process_that_comes_and_goes_takes_nothing_away(store: Sqlite, path: Path) -> None:
    """SQLite deletes its log when it thinks that it is the last one; what tells it is locks on the file."""
    store.put(ROOM, {"early": b"1"})
    store.get(ROOM, "early")
    said = errors(workers(path, "a", count=1, most_rows=1000))
    store.put(ROOM, {"late": b"2"})
    other = Sqlite(path)

    assert said == [""]
    assert other.get_many(ROOM, ["early", "late"]) == {"early": b"1", "late": b"2"}
    other.close()


def test_bounds_hold_whoever_writes(path: Path) -> None:
    said = errors(workers(path, "abc", count=40, most_rows=30))
    with sqlite3.connect(path) as file:
        rows, octets = file.execute("SELECT count(*), sum(length(value)) FROM rows").fetchone()
        counted = file.execute("SELECT rows, bytes FROM rooms").fetchone()
    file.close()

    assert said == ["", "", ""]
    assert (rows, octets) == counted == (30, 3000)


def test_a_process_that_is_killed_leaves_a_file_that_can_be_used(path: Path) -> None:
    running = workers(path, "a", count=1_000_000, most_rows=1000)
    store = Sqlite(path)
    while store.get(ROOM, "a-20") is None:
        os.sched_yield()
    running[0].kill()
    running[0].communicate()
    store.put(ROOM, {"mine": b"1"})

    assert store.get_many(ROOM, ["a-20", "mine"]).keys() >= {"mine"}
    store.close()


def test_nothing_is_logged_in_ordinary_life(store: Sqlite, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    store.put(ROOM, {"a": b"1"})

    assert store.get(ROOM, "a") == b"1"
    assert caplog.records == []
