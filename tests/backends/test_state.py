"""What is put is found, in every kind of store; bounds hold; a store that is away fails nobody."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.backends.state import PAUSE, Careful, open_store
from app.backends.state_redis import Redis
from app.backends.state_sqlite import Sqlite
from app.backends.state_store import FOR_EVER, Memory, Room, Store
from app.backends.state_writer import Writer
from tests.backends.state_lab import OTHER, ROOM, Clock, Frail, redis_server


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis_server(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture(params=["memory", "sqlite", "writer", pytest.param("redis", marks=pytest.mark.full)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    made: Store
    if request.param == "redis":
        made = emptied(request.getfixturevalue("redis_url"))
    elif request.param == "memory":
        made = Memory()
    else:
        made = Sqlite(tmp_path / "home" / "state.db")
    if request.param == "writer":
        made = Writer(made)
    yield made
    made.close()


def emptied(url: str) -> Redis:
    made = Redis(url)
    made._client.flushall()
    return made


def held(store: Store, room: Room, keys: Iterable[str]) -> dict[str, bytes]:
    """What is found once all is written: what is only queued is found whatever the bounds."""
    if isinstance(store, Writer):
        store.flush()
    return store.get_many(room, keys)


def numbered(count: int, size: int = 1) -> dict[str, bytes]:
    return {f"{number}": b"x" * size for number in range(count)}


# ------------------------------------------------------------------ every store


def test_what_is_put_is_found_and_nothing_else(store: Store) -> None:
    store.put(ROOM, {"a": b"1", "b": b"\0\xff", "c": b""})

    assert store.get_many(ROOM, ["a", "b", "c", "d"]) == {"a": b"1", "b": b"\0\xff", "c": b""}
    assert store.get(ROOM, "a") == b"1"
    assert store.get(ROOM, "d") is None
    assert store.get_many(ROOM, []) == {}


def test_the_newest_value_counts(store: Store) -> None:
    store.put(ROOM, {"a": b"1"})
    store.put(ROOM, {"a": b"22"})

    assert store.get(ROOM, "a") == b"22"


def test_rooms_do_not_see_each_other(store: Store) -> None:
    store.put(ROOM, {"a": b"1"})

    assert store.get(OTHER, "a") is None
    assert store.delete(OTHER, "a") is False


def test_what_is_deleted_is_gone_and_can_be_put_again(store: Store) -> None:
    store.put(ROOM, {"a": b"1"})

    assert store.delete(ROOM, "a") is True
    assert store.get(ROOM, "a") is None
    assert store.delete(ROOM, "a") is False
    store.put(ROOM, {"a": b"2"})
    assert store.get(ROOM, "a") == b"2"


def test_the_rows_written_least_recently_go_first(store: Store) -> None:
    room = replace(ROOM, most_rows=3)
    for key in "abcad":  # a is written again
        store.put(room, {key: key.encode()})

    assert held(store, room, "abcd") == {"c": b"c", "a": b"a", "d": b"d"}


def test_one_put_may_be_more_than_the_room_holds(store: Store) -> None:
    room = replace(ROOM, most_rows=3)
    store.put(room, numbered(10))

    assert held(store, room, numbered(10)).keys() == {"7", "8", "9"}


def test_bytes_are_bounded_too_and_the_sum_follows_every_change(store: Store) -> None:
    room = replace(ROOM, most_bytes=100)
    for _ in range(3):
        store.put(room, {"same": b"x" * 60})
    store.delete(room, "same")
    store.put(room, numbered(20, 10))

    assert held(store, room, numbered(20)).keys() == {f"{number}" for number in range(10, 20)}


def test_a_row_that_is_too_much_for_the_room_is_not_kept_and_others_stay(store: Store) -> None:
    room = replace(ROOM, most_bytes=100)
    store.put(room, {"small": b"x"})
    store.put(room, {"large": b"x" * 101})

    assert held(store, room, ["small", "large"]) == {"small": b"x"}


def test_all_agree_on_the_first_value(store: Store) -> None:
    room = replace(ROOM, seconds=FOR_EVER)

    assert store.agree(room, "key", b"mine") == b"mine"
    assert store.agree(room, "key", b"yours") == b"mine"
    assert store.get(room, "key") == b"mine"


def test_many_keys_are_found_at_once(store: Store) -> None:
    rows = numbered(900)
    store.put(ROOM, rows)

    assert store.get_many(ROOM, [*rows, *(f"no {number}" for number in range(900))]) == rows


def test_it_can_be_closed_twice_and_asked_after_that(store: Store) -> None:
    store.put(ROOM, {"a": b"1"})
    store.close()
    store.close()
    store.put(ROOM, {"b": b"2"})

    assert store.get(ROOM, "b") == b"2"


# ------------------------------------------------------------------ time


@pytest.fixture(params=["memory", "sqlite"])
def timed(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Store, Clock]]:
    clock = Clock()
    made: Store = (
        Memory(clock=clock) if request.param == "memory" else Sqlite(tmp_path / "state.db", clock=clock)
    )
    yield made, clock
    made.close()


def test_a_row_lives_as_long_as_its_room_says_from_its_last_writing_on(timed: tuple[Store, Clock]) -> None:
    store, clock = timed
    store.put(ROOM, {"a": b"1", "b": b"1"})
    clock.now += ROOM.seconds - 1
    store.put(ROOM, {"b": b"2"})
    before = store.get_many(ROOM, "ab")
    clock.now += 2

    assert before == {"a": b"1", "b": b"2"}
    assert store.get_many(ROOM, "ab") == {"b": b"2"}
    assert store.agree(ROOM, "a", b"new") == b"new"


def test_memory_keeps_less_of_a_room_than_a_file_may() -> None:
    store = Memory(most_bytes=100)
    store.put(ROOM, numbered(20, 10))

    assert len(store.get_many(ROOM, numbered(20))) == 10


# ------------------------------------------------------------------ a store that is away


@pytest.fixture
def frail() -> Frail:
    return Frail()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def careful(frail: Frail, clock: Clock) -> Careful:
    return Careful(lambda: frail, "the store", shared=False, clock=clock)


def test_nothing_is_opened_before_it_is_asked() -> None:
    opened: list[str] = []

    def opening() -> Store:
        opened.append("now")
        return Memory()

    careful = Careful(opening, "the store", shared=False)
    before = list(opened)
    careful.get(ROOM, "a")
    careful.get(ROOM, "a")

    assert (before, opened) == ([], ["now"])


USES: dict[str, Callable[[Store], Any]] = {
    "get": lambda store: store.get_many(ROOM, ["a"]),
    "put": lambda store: store.put(ROOM, {"a": b"1"}),
    "delete": lambda store: store.delete(ROOM, "a"),
    "agree": lambda store: store.agree(ROOM, "a", b"1"),
}


@pytest.mark.parametrize("verb", USES)
@pytest.mark.parametrize("problem", [OSError("no space left"), ValueError("anything")], ids=["os", "any"])
def test_no_verb_fails_whatever_the_store_does(
    careful: Careful, frail: Frail, verb: str, problem: Exception
) -> None:
    frail.problem = problem
    USES[verb](careful)

    assert frail.asked == [verb]


def test_a_store_that_cannot_be_opened_is_one_that_is_away(clock: Clock) -> None:
    def opening() -> Store:
        raise ImportError("no module named redis")

    careful = Careful(opening, "the store", shared=False, clock=clock)
    careful.put(ROOM, {"a": b"1"})

    assert careful.get(ROOM, "a") == b"1"


def test_while_it_is_away_memory_stands_in_and_nobody_asks_it(careful: Careful, frail: Frail) -> None:
    frail.problem = OSError("gone")
    careful.put(ROOM, {"a": b"1"})
    careful.put(ROOM, {"b": b"2"})

    assert careful.get_many(ROOM, "abc") == {"a": b"1", "b": b"2"}
    assert careful.delete(ROOM, "a") is True
    assert careful.get(ROOM, "a") is None
    assert frail.asked == ["put"]


def test_what_everybody_must_agree_on_cannot_be_said_meanwhile(careful: Careful, frail: Frail) -> None:
    frail.problem = OSError("gone")

    assert careful.agree(ROOM, "a", b"1") is None


def test_after_a_pause_one_asks_and_the_others_do_not_wait(
    careful: Careful, frail: Frail, clock: Clock
) -> None:
    frail.problem = OSError("gone")
    careful.get(ROOM, "a")
    clock.now += PAUSE
    for _ in range(5):
        careful.get(ROOM, "a")

    assert frail.asked == ["get", "get"]


def test_when_it_is_back_it_gets_what_memory_took(careful: Careful, frail: Frail, clock: Clock) -> None:
    frail.problem = OSError("gone")
    careful.put(ROOM, {"a": b"1"})
    careful.put(OTHER, {"b": b"2"})
    frail.problem = None
    clock.now += PAUSE
    careful.get(ROOM, "x")

    assert (frail.rows.get(ROOM, "a"), frail.rows.get(OTHER, "b")) == (b"1", b"2")
    assert careful.get(ROOM, "a") == b"1"


def test_what_cannot_move_over_yet_stays_in_memory(careful: Careful, frail: Frail, clock: Clock) -> None:
    class ReadOnly(Frail):
        def put(self, room: Room, rows: Any) -> None:
            raise OSError("read-only")

    store = ReadOnly()
    careful = Careful(lambda: store, "the store", shared=False, clock=clock)
    careful.put(ROOM, {"a": b"1"})
    clock.now += PAUSE
    careful.get(ROOM, "x")

    assert careful.get(ROOM, "a") == b"1"


def test_the_log_tells_when_it_goes_and_when_it_comes_and_nothing_between(
    careful: Careful, frail: Frail, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    frail.problem = OSError("no space left")
    for _ in range(4):
        careful.put(ROOM, {"a": b"1"})
        clock.now += PAUSE
    frail.problem = None
    careful.put(ROOM, {"a": b"1"})

    assert [record.getMessage() for record in caplog.records] == [
        "the store cannot be used (OSError: no space left): the state is kept in memory until it can",
        "the state is kept in the store again",
    ]


# ------------------------------------------------------------------ where it is kept


def test_without_a_url_it_is_a_file_below_the_home(tmp_path: Path) -> None:
    home = tmp_path / "home"
    store = open_store(home, "")
    before = home.exists()
    store.put(ROOM, {"a": b"1"})
    store.close()

    assert not before
    assert not store.shared
    assert (home / "state.db").is_file()
    assert open_store(home, "").get(ROOM, "a") == b"1"


def test_a_home_that_cannot_be_written_costs_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("not a directory")
    store = open_store(tmp_path / "file" / "home", "")
    store.put(ROOM, {"a": b"1"})
    store.put(ROOM, {"b": b"1"})

    assert store.get(ROOM, "a") == b"1"
    assert len(caplog.records) == 1


@pytest.mark.full
def test_with_a_url_it_is_redis(redis_url: str, tmp_path: Path) -> None:
    emptied(redis_url).close()
    store = open_store(tmp_path / "home", redis_url)
    store.put(ROOM, {"a": b"1"})

    assert store.shared
    assert open_store(tmp_path, redis_url).get(ROOM, "a") == b"1"
    assert not (tmp_path / "home").exists()
    store.close()
