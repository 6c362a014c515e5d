"""Rooms, clocks and stores for the tests of what is remembered, and a Redis of their own."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.backends.state_store import Memory, Room, Store

ROOM = Room("room", most_rows=1000, most_bytes=1_000_000, seconds=60)
OTHER = Room("other", most_rows=1000, most_bytes=1_000_000, seconds=60)


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Frail(Store):
    """A store in memory that fails while it is told to, and remembers what it was asked."""

    def __init__(self, shared: bool = False) -> None:
        self.shared = shared
        self.problem: Exception | None = None
        self.asked: list[str] = []
        self.rows = Memory()

    def get_many(self, room: Room, keys: Iterable[str]) -> dict[str, bytes]:
        self._asked("get")
        return self.rows.get_many(room, keys)

    def put(self, room: Room, rows: Mapping[str, bytes]) -> None:
        self._asked("put")
        self.rows.put(room, rows)

    def delete(self, room: Room, key: str) -> bool:
        self._asked("delete")
        return self.rows.delete(room, key)

    def agree(self, room: Room, key: str, value: bytes) -> bytes:
        self._asked("agree")
        return self.rows.agree(room, key, value)

    def close(self) -> None:
        self._asked("close")

    def _asked(self, verb: str) -> None:
        self.asked.append(verb)
        if self.problem:
            raise self.problem


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def redis_server(directory: Path, *options: str, port: int = 0) -> Iterator[str]:
    """A Redis that keeps nothing, on a port of its own if none is named; its URL."""
    command = shutil.which("redis-server")
    if command is None:
        pytest.fail("there is no redis-server: scripts/install-packages.sh installs it")
    port = port or free_port()
    words = [command, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    with (directory / "redis.log").open("w") as log:
        process = subprocess.Popen([*words, *options], stdout=log, stderr=log, cwd=directory)
    try:
        _wait_for(port, process)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.kill()
        process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    pytest.fail("redis-server did not start")
