"""Stand-ins for the world: a backend that plays a script, and short ways to build values."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

from app.config.catalog import Catalog
from app.errors import ClientLeft
from app.types import Batch, Body, Call, Chunk, Client, Completion, Request, Served, Target, Trace

Move: TypeAlias = str | Chunk | Batch | BaseException
"""One step of a script: a piece of text, a chunk, a batch (empty: a tick) or something to raise."""

TICK: Batch = []

SERVED = Served(id="0123456789abcdef", created=1_700_000_000, input_tokens=21)


class FakeStream:
    """Plays its moves, one batch each. Remembers how far it came and whether it was closed."""

    def __init__(self, *moves: Move) -> None:
        self._moves = iter(moves)
        self.played = 0
        self.closed = 0

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        move = next(self._moves)
        self.played += 1
        if isinstance(move, BaseException):
            raise move
        return [chunk(move)] if isinstance(move, str) else [move] if isinstance(move, dict) else move

    def close(self) -> None:
        self.closed += 1


class FakeBackend:
    """Plays a script: `FakeBackend("Hel", "lo", UpstreamTimeout("slow"))`.

    A script that ends in text finishes as it should; any other is played to the letter. Given
    tuples, the first answers the first call, the second the next, the last all that follow.
    """

    def __init__(self, *script: Move | tuple[Move, ...]) -> None:
        turns = [turn for turn in script if isinstance(turn, tuple)]
        self._turns = turns or [tuple(move for move in script if not isinstance(move, tuple))]
        self.calls: list[Call] = []
        self.streams: list[FakeStream] = []

    def complete(self, call: Call) -> Completion:
        moves = self._next(call)
        for move in moves:
            if isinstance(move, BaseException):
                raise move
            if isinstance(move, dict):
                return move
        return completion("".join(move for move in moves if isinstance(move, str)))

    def stream(self, call: Call) -> FakeStream:
        moves = self._next(call)
        ending = (finish(),) if moves and isinstance(moves[-1], str) else ()
        self.streams.append(FakeStream(*moves, *ending))
        return self.streams[-1]

    def _next(self, call: Call) -> tuple[Move, ...]:
        turn = min(len(self.calls), len(self._turns) - 1)
        self.calls.append(call)
        call.trace.tries += 1
        return self._turns[turn]


def chunk(text: str = "", index: int = 0, **over: Any) -> Chunk:
    """A chunk that brings some text, under the target's own name."""
    choice = {"index": index, "delta": {"content": text}, "finish_reason": None}
    return {"id": "c1", "object": "chat.completion.chunk", "model": "wire-id", "choices": [choice]} | over


def delta(finish_reason: str | None = None, index: int = 0, **fields: Any) -> Chunk:
    """A chunk whose delta holds `fields`."""
    return chunk(choices=[{"index": index, "delta": fields, "finish_reason": finish_reason}])


def finish(reason: str = "stop", index: int = 0) -> Chunk:
    return delta(reason, index)


def usage_chunk(total: int = 3) -> Chunk:
    return chunk(choices=[], usage={"total_tokens": total})


def completion(text: str = "Hello", finish_reason: str = "stop", **over: Any) -> Completion:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": finish_reason}
    return {"id": "c1", "object": "chat.completion", "model": "wire-id", "choices": [choice]} | over


def target(**over: Any) -> Target:
    """A relayed target called `alias` that is really `wire-id`; it is never asked twice."""
    base = Target(
        alias="alias",
        provider="provider",
        model="wire-id",
        base_url="http://upstream.test/v1",
        api_key="sk-the-targets-own-key",
        key_variable="PROVIDER_API_KEY",
    )
    return replace(base, **over)


def request(stream: bool = False, include_usage: bool = False, **fields: Any) -> Request:
    """A client's request for `alias`; `fields` are fields of its body."""
    body: Body = {"model": "alias", "messages": [{"role": "user", "content": "Hi"}], **fields}
    if stream:
        body["stream"] = True
    if include_usage:
        body["stream_options"] = {"include_usage": True}
    return Request("chat", body["model"], body, stream, lambda: dict(body), include_usage)


def client(alive: Callable[[], None] = lambda: None, headers: Mapping[str, str] | None = None) -> Client:
    return Client(request_id="req_1", headers=headers or {}, alive=alive)


def trace() -> Trace:
    return Trace(started=time.monotonic())


def call(
    where: Target | None = None, who: Client | None = None, seconds: float = 60.0, **fields: Any
) -> Call:
    """One request to `where`; `fields` are fields of its body."""
    where, what = where or target(), trace()
    body: Body = {"model": where.model, "messages": [{"role": "user", "content": "Hi"}], **fields}
    return Call(where, body, who or client(), what, deadline=what.started + seconds)


def catalog(*targets: Target) -> Catalog:
    """A configuration that serves some targets, each as `<alias>` and `<provider>/<alias>`."""
    named = {name: it for it in targets for name in (it.alias, f"{it.provider}/{it.alias}")}
    return Catalog(Path("opencode.json"), named, tuple(it.alias for it in targets))


class Leaving:
    """An `alive` of a client who leaves when it is looked for the n-th time."""

    def __init__(self, looks: int = 1) -> None:
        self.looks = looks
        self.looked = 0

    def __call__(self) -> None:
        self.looked += 1
        if self.looked >= self.looks:
            raise ClientLeft("the client closed the connection")
