"""The load generator: asks, checks every answer, and keeps the times.

`python -m bench.load` reads a `Load` as one line of JSON, connects, warms up, prints
`ready`, waits for a second line, works, and prints its `Outcome` as JSON. So whoever
weighs the contestant can read its clocks right before and right after the work.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from bench.answers import BadAnswer, Check, Decoder
from bench.dialects import APIS, ApiName, request_body
from bench.script import ALIAS, UNMARKED, Script, mark

PATIENCE = 120.0
"""Seconds after the end of a run that a last answer may still take."""


@dataclass(frozen=True, slots=True)
class Load:
    """`clients` connections ask one request after another, for `seconds` or `count` requests in all."""

    port: int
    script: Script
    key: str = "none"
    clients: int = 8
    api: ApiName = "chat"
    model: str = ALIAS
    size: int = 0
    """Bytes of a request like a coding agent's; 0: one short message."""
    fresh: bool = False
    """Whether each text of a request is one that nobody has seen before."""
    seconds: float = 0.0
    count: int = 0
    warmup: int = 16
    stagger: float = 0.0
    """Milliseconds over which the clients' first requests are spread."""
    leave_after: int = 0
    """If set, the connection is closed after so many events of a stream."""
    aliased: bool = False
    """Whether answers must show the alias, and the target's own name never."""


@dataclass(slots=True)
class Outcome:
    """What came of it. Times in milliseconds, `delays` from the upstream's write to our read."""

    requests: int = 0
    events: int = 0
    seconds: float = 0.0
    cpu: float = 0.0
    errors: dict[str, int] = field(default_factory=dict)
    first_token: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)
    """From the request to the end of its answer."""
    delays: list[float] = field(default_factory=list)


class Asking(asyncio.Protocol):
    """One client's connection. `ask` sends a request; the future it gives ends with the answer."""

    transport: asyncio.Transport

    def __init__(self, load: Load, outcome: Outcome) -> None:
        self.load = load
        self.outcome = outcome
        self.loop = asyncio.get_running_loop()
        self.answer: asyncio.Future[None] | None = None
        self.closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def ask(self, request: bytes) -> asyncio.Future[None]:
        load = self.load
        alias = load.model if load.aliased else None
        self.decoder, self.check = Decoder(), Check(APIS[load.api], load.script, alias)
        self.answer = self.loop.create_future()
        self.asked = time.monotonic_ns()
        self.transport.write(request)
        return self.answer

    def data_received(self, data: bytes) -> None:
        now = time.monotonic_ns()
        if self.answer is None or self.answer.done():
            return
        try:
            self._read(data, now)
        except (BadAnswer, ValueError, IndexError) as error:
            self.answer.set_exception(BadAnswer(str(error)))

    def _read(self, data: bytes, now: int) -> None:
        assert self.answer is not None
        first = self.check.events == 0
        delays = self.check.feed(self.decoder.feed(data), now)
        if delays:
            self.outcome.delays += delays
            if first:
                self.outcome.first_token.append((now - self.asked) / 1e6)
        if self.load.leave_after and self.check.events >= self.load.leave_after:
            self.transport.abort()
            self.answer.set_result(None)
        elif self.decoder.done:
            self.check.finish()
            self.outcome.whole.append((now - self.asked) / 1e6)
            self.answer.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        if self.answer is not None and not self.answer.done():
            self.answer.set_exception(BadAnswer(f"the connection broke off: {exc}"))


class Client:
    """Keeps a connection to the contestant and counts what happens on it."""

    def __init__(self, load: Load, request: bytes) -> None:
        self.load = load
        self.request = request
        self.outcome = Outcome()
        self.errors: Counter[str] = Counter()
        self.connection: Asking | None = None

    async def connect(self) -> Asking:
        if self.connection is None or self.connection.closed:
            loop = asyncio.get_running_loop()
            _, self.connection = await loop.create_connection(
                lambda: Asking(self.load, self.outcome), "127.0.0.1", self.load.port
            )
        return self.connection

    async def ask(self) -> None:
        connection = None
        try:
            connection = await self.connect()
            await connection.ask(self._request())
            self.outcome.events += connection.check.events
        except (BadAnswer, OSError) as error:
            self.errors[str(error)] += 1
            if connection is not None:
                connection.transport.abort()
                connection.closed = True
        self.outcome.requests += 1
        if self.load.leave_after and connection is not None:
            connection.closed = True

    def _request(self) -> bytes:
        if not self.load.fresh:
            return self.request
        return self.request.replace(UNMARKED.encode(), mark(time.monotonic_ns()).encode())


def request_of(load: Load) -> bytes:
    api = APIS[load.api]
    body = request_body(api, load.script, load.model, load.size, load.fresh)
    head = (
        f"POST {api.PATH} HTTP/1.1\r\nHost: 127.0.0.1:{load.port}\r\n"
        f"Authorization: Bearer {load.key}\r\nUser-Agent: bench/1\r\nAccept: */*\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def work(load: Load, clients: list[Client], first: Outcome) -> Outcome:
    """All of the load, by all clients at once."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    remaining = iter(range(load.count)) if load.count else None

    async def one(number: int, client: Client) -> None:
        await asyncio.sleep(load.stagger / 1000 * number / len(clients))
        while loop.time() - begun < load.seconds if remaining is None else next(remaining, None) is not None:
            await client.ask()
            # An error is never waited away: the run fails, so it need not go on.
            if len(client.errors) > 3:
                break

    cpu = time.process_time()
    async with asyncio.timeout(load.seconds + PATIENCE):
        await asyncio.gather(*(one(n, client) for n, client in enumerate(clients)))
    first.seconds, first.cpu = loop.time() - begun, time.process_time() - cpu
    return merged(first, clients)


def merged(total: Outcome, clients: list[Client]) -> Outcome:
    errors: Counter[str] = Counter()
    for client in clients:
        total.requests += client.outcome.requests
        total.events += client.outcome.events
        total.first_token += client.outcome.first_token
        total.whole += client.outcome.whole
        total.delays += client.outcome.delays
        errors += client.errors
    total.errors = dict(errors)
    return total


def warm(load: Load) -> Load:
    """The same kind of request, but short: it opens connections and fills caches."""
    script = Script("stream", min(load.script.events, 5)) if load.script.streamed else load.script
    return replace(load, script=script, leave_after=0)


async def run(load: Load, commands: asyncio.StreamReader) -> None:
    request, warming = request_of(load), warm(load)
    clients = [Client(warming, request_of(warming)) for _ in range(load.clients)]
    rounds = max(1, load.warmup // load.clients) if load.warmup else 0
    for _ in range(rounds):
        await asyncio.gather(*(client.ask() for client in clients))
    trouble = merged(Outcome(), clients).errors
    for client in clients:
        client.load, client.request, client.outcome, client.errors = (
            load,
            request,
            Outcome(),
            Counter(trouble),
        )
        trouble = {}
        if client.connection is not None:
            client.connection.load, client.connection.outcome = load, client.outcome
    print("ready", flush=True)
    await commands.readline()
    outcome = await work(load, clients, Outcome())
    print(json.dumps(asdict(outcome)), flush=True)


async def main() -> None:
    loop = asyncio.get_running_loop()
    commands = asyncio.StreamReader(limit=1 << 20)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    given: dict[str, Any] = json.loads(await commands.readline())
    await run(Load(**(given | {"script": Script(**given["script"])})), commands)


if __name__ == "__main__":
    asyncio.run(main())
