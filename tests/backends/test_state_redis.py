"""Redis: what is away is missed once; what is there is shared, and keeps its bounds by itself."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.backends.state import PAUSE, Careful, open_store
from app.backends.state_redis import WAIT, Redis
from app.backends.state_store import FOR_EVER, Room
from app.backends.state_writer import Writer
from tests.backends.state_lab import ROOM, Clock, free_port, redis_server

ROOT = Path(__file__).parents[2]


# ------------------------------------------------------------------ without a Redis


@contextmanager
def peer(answer: Callable[[bytes], bytes]) -> Iterator[tuple[str, list[bytes]]]:
    """A server that answers each piece that it reads; its URL, and what it has read."""
    heard: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(connection: socket.socket) -> None:
        with connection:
            while data := connection.recv(65536):
                heard.append(data)
                connection.sendall(answer(data))

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0", heard
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def over(url: str, clock: Clock) -> Careful:
    return Careful(lambda: Redis(url), "redis", shared=True, clock=clock)


def test_reading_is_one_question_and_no_ceremony() -> None:
    with peer(lambda data: b"*2\r\n$1\r\n1\r\n$-1\r\n") as (url, heard):
        store = Redis(url)
        found = store.get_many(ROOM, ["a", "b"])
        store.close()

    assert found == {"a": b"1"}
    assert len(heard) == 1
    assert heard[0].startswith(b"*3\r\n$4\r\nMGET\r\n")


def test_no_row_is_asked_for_where_none_is_wanted() -> None:
    with peer(lambda data: b"") as (url, heard):
        assert Redis(url).get_many(ROOM, []) == {}

    assert heard == []


@pytest.mark.parametrize(
    "answer",
    [
        b"-NOAUTH Authentication required.\r\n",
        b"-LOADING Redis is loading the dataset in memory\r\n",
        b"-OOM command not allowed when used memory > 'maxmemory'.\r\n",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
    ],
    ids=["no password", "loading", "full", "no redis"],
)
def test_an_answer_that_is_none_is_missed_once(answer: bytes, caplog: pytest.LogCaptureFixture) -> None:
    with peer(lambda data: answer) as (url, heard):
        store = over(url, Clock())
        for _ in range(5):
            store.put(ROOM, {"a": b"1"})
        found = store.get(ROOM, "a")
        store.close()

    assert found == b"1"
    assert len(heard) == 1
    assert len(caplog.records) == 1


def test_nobody_there_is_missed_once(caplog: pytest.LogCaptureFixture) -> None:
    store = over(f"redis://127.0.0.1:{free_port()}/0", Clock())
    store.put(ROOM, {"a": b"1"})

    assert store.get(ROOM, "a") == b"1"
    assert len(caplog.records) == 1


def test_one_that_says_nothing_is_waited_for_once_and_only_so_long() -> None:
    released = threading.Event()

    def say_nothing(data: bytes) -> bytes:
        released.wait(30)
        return b""

    with peer(say_nothing) as (url, heard):
        clock = Clock()
        store = over(url, clock)
        waited = []
        for _ in range(20):
            since = time.monotonic()
            store.get(ROOM, "a")
            waited.append(time.monotonic() - since >= WAIT)
        clock.now += PAUSE
        store.get(ROOM, "a")
        released.set()
        store.close()

    assert waited == [True] + [False] * 19
    assert len(heard) == 2


def test_a_password_is_in_no_line_of_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with peer(lambda data: b"-WRONGPASS invalid username-password pair\r\n") as (url, _):
        store = open_store(tmp_path, url.replace("://", "://ann:very-secret@"))
        store.put(ROOM, {"a": b"1"})
        store.close()

    assert "cannot be used" in caplog.text
    assert "very-secret" not in caplog.text


@pytest.mark.parametrize("url", ["redis://127.0.0.1/0", "rediss://127.0.0.1/0", "unix:///nowhere/redis.sock"])
def test_making_one_asks_nobody(url: str) -> None:
    Redis(url).close()


# ------------------------------------------------------------------ a real one


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    with redis_server(tmp_path) as url:
        yield url


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    made = Redis(redis_url)
    yield made
    made.close()


def names(redis: Redis) -> set[str]:
    return {name.decode() for name in redis._client.scan_iter()}


@pytest.mark.full
def test_rows_expire_and_what_stood_beside_them_goes_too(redis: Redis) -> None:
    room = replace(ROOM, seconds=0.05)
    redis.put(room, {"a": b"1", "b": b"2"})
    before = names(redis)
    while names(redis):
        pass

    assert len(before) == 5
    assert redis.get(room, "a") is None


@pytest.mark.full
def test_what_expired_no_longer_counts(redis: Redis) -> None:
    room = replace(ROOM, most_rows=2)
    redis.put(room, {"a": b"1", "b": b"2"})
    redis._client.delete("localcode:{room}:row:a")  # as if it had expired
    redis.put(room, {"c": b"3"})

    assert redis.get_many(room, "abc") == {"b": b"2", "c": b"3"}
    assert redis._client.hgetall("localcode:{room}:sums")[b"bytes"] == b"2"


@pytest.mark.full
def test_what_all_agree_on_does_not_expire(redis: Redis) -> None:
    redis.agree(Room("keys", 1, 100, FOR_EVER), "key", b"1")

    assert redis._client.ttl("localcode:{keys}:row:key") == -1


@pytest.mark.full
def test_a_redis_that_comes_back_is_used_again_and_gets_what_it_missed(tmp_path: Path) -> None:
    clock = Clock()
    port = free_port()
    store = over(f"redis://127.0.0.1:{port}/0", clock)
    with redis_server(tmp_path, port=port):
        store.put(ROOM, {"before": b"1"})
    store.put(ROOM, {"meanwhile": b"2"})
    clock.now += PAUSE
    with redis_server(tmp_path, port=port):
        store.get(ROOM, "anything")
        other = Redis(f"redis://127.0.0.1:{port}/0")
        found = other.get_many(ROOM, ["before", "meanwhile"])
        other.close()
    store.close()

    assert found == {"meanwhile": b"2"}


@pytest.mark.full
def test_a_restart_between_two_requests_is_not_noticed(tmp_path: Path, caplog: Any) -> None:
    port = free_port()
    store = over(f"redis://127.0.0.1:{port}/0", Clock())
    for value in (b"1", b"2"):
        with redis_server(tmp_path, port=port):
            store.put(ROOM, {"a": value})
            assert store.get(ROOM, "a") == value
    store.close()

    assert caplog.records == []


@pytest.mark.full
def test_a_socket_in_the_file_system_and_a_password_work(tmp_path: Path) -> None:
    place = Path("/tmp") / f"lc-{free_port()}.sock"  # the names of sockets must be short
    with redis_server(tmp_path, "--unixsocket", str(place), "--requirepass", "secret"):
        store = Redis(f"unix://:secret@{place}?db=1")
        store.put(ROOM, {"a": b"1"})
        found = store.get(ROOM, "a")
        store.close()

    assert found == b"1"


@pytest.mark.full
def test_many_writers_keep_the_bounds_together(redis: Redis, redis_url: str) -> None:
    room = replace(ROOM, most_rows=50, most_bytes=2000)

    def work(name: str) -> None:
        store = Redis(redis_url)
        for number in range(50):
            store.put(room, {f"{name}-{number}": b"x" * 50, "same": name.encode() * number})
        store.close()

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    rows = [name for name in names(redis) if ":row:" in name]
    octets = sum(redis._client.strlen(name) for name in rows)
    assert octets <= 2000
    assert redis._client.zcard("localcode:{room}:order") == len(rows) <= 50
    assert redis._client.hgetall("localcode:{room}:sums")[b"bytes"] == str(octets).encode()


IN_GREENLETS = """
from gevent import monkey
monkey.patch_all()
import gevent, sys
from pathlib import Path
from app.backends.state import open_store
from app.backends.state_writer import Writer
from tests.backends.state_lab import ROOM

writer = Writer(open_store(Path("/nonexistent"), sys.argv[1]))
def work(name):
    for number in range(10):
        writer.put(ROOM, {f"{name}-{number}": b"x"})
        gevent.sleep(0)
        assert writer.get(ROOM, f"{name}-{number}") == b"x"
gevent.joinall([gevent.spawn(work, name) for name in range(50)], raise_error=True)
writer.close()
"""


@pytest.mark.full
def test_greenlets_share_it_and_an_end_loses_nothing(redis: Redis, redis_url: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", IN_GREENLETS, redis_url],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (ran.returncode, ran.stderr) == (0, "")
    assert (
        len(redis.get_many(ROOM, [f"{name}-{number}" for name in range(50) for number in range(10)])) == 500
    )


@pytest.mark.full
def test_a_writer_over_it_shares_too(redis: Redis, redis_url: str) -> None:
    writer = Writer(over(redis_url, Clock()))
    writer.put(ROOM, {"a": b"1"})
    writer.close()

    assert writer.shared
    assert redis.get(ROOM, "a") == b"1"
