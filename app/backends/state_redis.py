"""The state in Redis, which the workers of several machines share.

A room is a key for each row, which Redis itself lets expire, and beside them the rows' order, their sizes
and their sum, by which the room keeps its bounds. What belongs together changes in one script, so that no
other worker comes between. `{room}` in the names keeps a room on one node of a cluster.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from typing import Any

from app.backends.apart import Apart
from app.backends.state_store import FOR_EVER, Room, Store

WAIT = 0.5
"""Seconds for a connection, and again for an answer: a Redis that is away costs a request one second."""

FORGET = """
local order, sizes, sums, prefix = KEYS[1], KEYS[2], KEYS[3], ARGV[1]
local function forget(key)
  local there = redis.call('DEL', prefix .. key)
  redis.call('ZREM', order, key)
  redis.call('HINCRBY', sums, 'bytes', 0 - (redis.call('HGET', sizes, key) or 0))
  redis.call('HDEL', sizes, key)
  return there
end
"""

PUT = f"""{FORGET}
local most_rows, most_bytes, life = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
for i = 5, #ARGV, 2 do
  local key, value = ARGV[i], ARGV[i + 1]
  forget(key)
  redis.call('SET', prefix .. key, value, 'PX', life)
  redis.call('ZADD', order, redis.call('HINCRBY', sums, 'next', 1), key)
  redis.call('HSET', sizes, key, #value)
  redis.call('HINCRBY', sums, 'bytes', #value)
end
for _, name in ipairs(KEYS) do redis.call('PEXPIRE', name, life) end
while true do
  local oldest = redis.call('ZRANGE', order, 0, 0)[1]
  if not oldest then break end
  local fits = redis.call('ZCARD', order) <= most_rows
    and tonumber(redis.call('HGET', sums, 'bytes')) <= most_bytes
  if fits and redis.call('EXISTS', prefix .. oldest) == 1 then break end
  forget(oldest)
end
"""

DELETE = f"{FORGET} return forget(ARGV[2])"


class Redis(Store):
    """Rows in the Redis at `url`. Raises redis.RedisError and OSError."""

    shared = True

    def __init__(self, url: str) -> None:
        redis = library()
        self._client: Any = redis.Redis.from_url(
            url,
            socket_timeout=WAIT,
            socket_connect_timeout=WAIT,
            retry=redis.retry.Retry(redis.backoff.NoBackoff(), 0),
            protocol=2,
            driver_info=None,
        )
        self._put = self._client.register_script(PUT)
        self._delete = self._client.register_script(DELETE)

    def get_many(self, room: Room, keys: Iterable[str]) -> dict[str, bytes]:
        wanted = list(keys)
        if not wanted:
            return {}
        values = self._client.mget([_row(room, key) for key in wanted])
        return {key: value for key, value in zip(wanted, values, strict=True) if value is not None}

    def put(self, room: Room, rows: Mapping[str, bytes]) -> None:
        pairs = [part for row in rows.items() if len(row[1]) <= room.most_bytes for part in row]
        bounds = [room.most_rows, room.most_bytes, _milliseconds(room)]
        self._put(keys=_beside(room), args=[_row(room, ""), *bounds, *pairs])

    def delete(self, room: Room, key: str) -> bool:
        return bool(self._delete(keys=_beside(room), args=[_row(room, ""), key]))

    def agree(self, room: Room, key: str, value: bytes) -> bytes:
        life = None if room.seconds >= FOR_EVER else _milliseconds(room)
        self._client.set(_row(room, key), value, nx=True, px=life)
        return bytes(self._client.get(_row(room, key)) or value)

    def close(self) -> None:
        self._client.close()


def library() -> Any:
    """redis-py: half a second and 25 MB, for those who use Redis; no other greenlet waits for it."""
    apart = Apart()
    try:
        return apart(lambda: importlib.import_module("redis"))
    finally:
        apart.close()


def _row(room: Room, key: str) -> str:
    return f"localcode:{{{room.name}}}:row:{key}"


def _beside(room: Room) -> list[str]:
    return [f"localcode:{{{room.name}}}:{name}" for name in ("order", "sizes", "sums")]


def _milliseconds(room: Room) -> int:
    return max(1, round(min(room.seconds, FOR_EVER) * 1000))
