"""A write holds nobody up, is seen at once, and is not lost at an end."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from app.backends.state_sqlite import Sqlite
from app.backends.state_store import Memory, Room
from app.backends.state_writer import Writer
from tests.backends.state_lab import OTHER, ROOM, Frail

ROOT = Path(__file__).parents[2]


class Slow(Frail):
    """A store whose writes begin and end when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = threading.Semaphore(0)
        self.go = threading.Semaphore(0)
        self.batches: list[dict[str, bytes]] = []

    def put(self, room: Room, rows: Mapping[str, bytes]) -> None:
        self.batches.append(dict(rows))
        self.begun.release()
        assert self.go.acquire(timeout=30)
        super().put(room, rows)


@pytest.fixture
def slow() -> Slow:
    return Slow()


@pytest.fixture
def writer(slow: Slow) -> Iterator[Writer]:
    made = Writer(slow, most_waiting=100)
    yield made
    slow.go.release(100)
    made.close()


def test_what_is_queued_and_what_is_being_written_is_found(writer: Writer, slow: Slow) -> None:
    writer.put(ROOM, {"a": b"1", "b": b"1"})
    assert slow.begun.acquire(timeout=30)
    writer.put(ROOM, {"a": b"2", "c": b"3"})

    assert writer.get_many(ROOM, "abcd") == {"a": b"2", "b": b"1", "c": b"3"}
    assert writer.get(OTHER, "a") is None
    assert slow.rows.get(ROOM, "a") is None


def test_what_was_queued_meanwhile_is_one_batch(writer: Writer, slow: Slow) -> None:
    writer.put(ROOM, {"a": b"1"})
    assert slow.begun.acquire(timeout=30)
    for key in "bcb":
        writer.put(ROOM, {key: key.encode()})
    slow.go.release(2)
    writer.flush()

    assert slow.batches == [{"a": b"1"}, {"c": b"c", "b": b"b"}]


def test_who_asks_is_told_when_its_own_rows_are_written(writer: Writer, slow: Slow) -> None:
    writer.put(ROOM, {"a": b"1"})
    assert slow.begun.acquire(timeout=30)
    writer.put(ROOM, {"b": b"2"})

    assert not writer.written(ROOM, ["a"], 0)
    assert not writer.written(ROOM, ["b"], 0)
    slow.go.release()
    assert writer.written(ROOM, ["a"], 30)
    assert writer.written(OTHER, ["b"], 0)
    slow.go.release()
    assert writer.written(ROOM, ["a", "b"], 30)


def test_the_newest_value_is_what_remains(writer: Writer, slow: Slow) -> None:
    writer.put(ROOM, {"a": b"1"})
    assert slow.begun.acquire(timeout=30)
    writer.put(ROOM, {"a": b"2"})
    slow.go.release(2)
    writer.flush()

    assert slow.rows.get(ROOM, "a") == b"2"


def test_too_much_pushes_out_what_waited_longest_and_nobody_waits(
    writer: Writer, slow: Slow, caplog: pytest.LogCaptureFixture
) -> None:
    writer.put(ROOM, {"first": b"x"})
    assert slow.begun.acquire(timeout=30)
    for number in range(20):
        writer.put(ROOM, {f"{number}": b"x" * 10})
    slow.go.release(2)
    writer.flush()

    assert writer.lost == 10
    assert writer.get_many(ROOM, [f"{number}" for number in range(20)]).keys() == {
        f"{number}" for number in range(10, 20)
    }
    assert len(caplog.records) == 1


def test_a_row_larger_than_the_queue_is_lost_and_nothing_else(writer: Writer, slow: Slow) -> None:
    writer.put(ROOM, {"large": b"x" * 101})
    slow.go.release(2)
    writer.put(ROOM, {"small": b"x"})
    writer.flush()

    assert (writer.get(ROOM, "large"), writer.get(ROOM, "small"), writer.lost) == (None, b"x", 1)


def test_what_is_deleted_does_not_come_back_from_the_queue(writer: Writer, slow: Slow) -> None:
    slow.go.release(10)
    writer.put(ROOM, {"a": b"1"})

    assert writer.delete(ROOM, "a") is True
    assert writer.get(ROOM, "a") is None
    assert writer.delete(ROOM, "a") is False


def test_all_agree_on_what_is_still_queued(writer: Writer, slow: Slow) -> None:
    slow.go.release(10)
    writer.put(ROOM, {"a": b"queued"})

    assert writer.agree(ROOM, "a", b"mine") == b"queued"


def test_closing_writes_what_is_queued_and_closes_what_is_below() -> None:
    store = Frail()
    writer = Writer(store)
    for number in range(100):
        writer.put(ROOM, {f"{number}": b"x"})
    writer.close()
    writer.close()

    assert len(store.rows.get_many(ROOM, [f"{number}" for number in range(100)])) == 100
    assert store.asked[-1] == "close"


def test_what_comes_after_the_end_is_written_at_once() -> None:
    store = Memory()
    writer = Writer(store)
    writer.put(ROOM, {"a": b"1"})
    writer.close()
    writer.put(ROOM, {"b": b"2"})

    assert store.get(ROOM, "b") == b"2"


def test_a_store_that_fails_all_the_same_does_not_end_the_writing(caplog: pytest.LogCaptureFixture) -> None:
    store = Frail()
    store.problem = OSError("gone")
    writer = Writer(store)
    writer.put(ROOM, {"a": b"1"})
    writer.flush()
    store.problem = None
    writer.put(ROOM, {"b": b"2"})
    writer.close()

    assert store.rows.get(ROOM, "b") == b"2"
    assert "not written" in caplog.text


def test_no_thread_runs_before_something_is_written() -> None:
    before = threading.active_count()
    writer = Writer(Memory())
    writer.get(ROOM, "a")
    writer.flush()
    writer.close()

    assert threading.active_count() == before


AT_EXIT = """
import sys
from pathlib import Path
from app.backends.state import open_store
from app.backends.state_writer import Writer
from tests.backends.state_lab import ROOM
{prelude}
def main():
    writer = Writer(open_store(Path(sys.argv[1]), ""))
    for number in range(500):
        writer.put(ROOM, {{f"{{number}}": b"x" * 100}})
main()
"""
GREENLETS = "from gevent import monkey; monkey.patch_all()\n"


@pytest.mark.parametrize("patched", [False, True], ids=["threads", "greenlets"])
def test_a_process_that_ends_writes_first(tmp_path: Path, patched: bool) -> None:
    code = (GREENLETS if patched else "") + AT_EXIT.format(prelude="")
    ran = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", code, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    store = Sqlite(tmp_path / "state.db")

    assert (ran.returncode, ran.stderr) == (0, "")
    assert len(store.get_many(ROOM, [f"{number}" for number in range(500)])) == 500
    store.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What a process saw whose threads are greenlets."""
    ran = subprocess.run(
        [
            sys.executable,
            "-W",
            "error::UserWarning",
            "-m",
            "tests.backends.state_in_greenlets",
            str(tmp_path_factory.mktemp("home")),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""
    return json.loads(ran.stdout)


def test_greenlets_write_and_read_as_threads_do(report: Any) -> None:
    assert report["found"] == report["written"] == 2000
    assert report["lost"] == 0


def test_while_a_file_is_locked_only_the_greenlet_that_must_wait_waits(report: Any) -> None:
    assert report["ticks_while_locked"] >= 20
    assert report["queued_was_seen"] is True
    assert report["kept_after_the_lock"] is True


def test_a_broken_file_is_replaced_there_too(report: Any) -> None:
    assert report["after_the_break"] == "new"
