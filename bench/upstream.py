"""The scripted upstream: a server of every measured dialect that costs almost nothing.

`python -m bench.upstream PORT` answers what the request's script says (see `script`). A
stream is written as servers write it: each event is one HTTP chunk and one `send`. In an
unpaced stream the sends follow one another without a pause; `--events-per-send` joins
several. `GET /stats` tells how many streams are open and how many clients left early.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import signal
import time
from dataclasses import dataclass

from bench.dialects import Dialect, dialect_at, stamped
from bench.script import STREAM_HEAD, Script, script_of

LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)
HEALTHY = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"


@dataclass(slots=True)
class Tally:
    """What the upstream has seen so far."""

    requests: int = 0
    open_streams: int = 0
    left_early: int = 0

    def answer(self) -> bytes:
        body = json.dumps(
            {"requests": self.requests, "open_streams": self.open_streams, "left_early": self.left_early}
        ).encode()
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        return head + f"Content-Length: {len(body)}\r\n\r\n".encode() + body


class Answering(asyncio.Protocol):
    """One kept connection; answers request after request."""

    transport: asyncio.Transport

    def __init__(self, tally: Tally, events_per_send: int) -> None:
        self.tally = tally
        self.events_per_send = events_per_send
        self.loop = asyncio.get_running_loop()
        self.waiting = b""
        self.timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
            self.tally.open_streams -= 1
            self.tally.left_early += 1

    def data_received(self, data: bytes) -> None:
        self.waiting += data
        end = self.waiting.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self.waiting[: end + 2]
        length = LENGTH.search(head)
        size = end + 4 + (int(length[1]) if length else 0)
        if len(self.waiting) >= size:
            body, self.waiting = self.waiting[end + 4 : size], self.waiting[size:]
            self.answer(head, body)

    def answer(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"GET "):
            stats = head.startswith(b"GET /stats")
            self.transport.write(self.tally.answer() if stats else HEALTHY)
            return
        self.tally.requests += 1
        script, dialect = script_of(body), dialect_at(head.split(b" ", 2)[1].decode())
        if script is None or dialect is None:  # such as a path that counts: then the gateway counts itself
            self.transport.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        elif script.kind == "plain":
            self.transport.write(dialect.plain_answer())
        elif script.kind == "stream":
            self.write_at_once(dialect, script)
        else:
            self.tally.open_streams += 1
            self.transport.write(STREAM_HEAD + dialect.opening())
            self.write_paced(dialect, script, 0, self.loop.time())

    def write_at_once(self, dialect: Dialect, script: Script) -> None:
        self.transport.write(STREAM_HEAD + dialect.opening())
        for start in range(0, script.events, self.events_per_send):
            numbers = range(start, min(start + self.events_per_send, script.events))
            self.transport.write(b"".join(stamped(dialect, time.monotonic_ns(), n) for n in numbers))
        self.transport.write(dialect.ending(script.events))

    def write_paced(self, dialect: Dialect, script: Script, number: int, due: float) -> None:
        """Event `number`, then itself again one interval after this event was due."""
        if number == script.events:
            self.timer = None
            self.tally.open_streams -= 1
            self.transport.write(dialect.ending(script.events))
            return
        due += script.interval / 1000
        self.timer = self.loop.call_at(due, self.write_paced, dialect, script, number + 1, due)
        self.transport.write(stamped(dialect, time.monotonic_ns(), number))


async def serve(port: int, events_per_send: int) -> None:
    loop = asyncio.get_running_loop()
    tally = Tally()
    server = await loop.create_server(
        lambda: Answering(tally, events_per_send), "127.0.0.1", port, backlog=2048
    )
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()
    server.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("--events-per-send", type=int, default=1)
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.port, arguments.events_per_send))


if __name__ == "__main__":
    main()
