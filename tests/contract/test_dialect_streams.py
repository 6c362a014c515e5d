"""Streams of Messages and Responses in time: what comes is passed on at once, and whole."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.contract.client import Asked, post_raw
from tests.contract.dialects import DIALECTS, WAYS, Dialect, asking, said_in
from tests.contract.test_streams import HEAD, SAFETY, Frames
from tests.gateway import Gateway
from tests.upstream import Connection, Seen, Upstream
from tests.upstream.chat import Shape, Turn
from tests.upstream.delivery import How, sse
from tests.upstream.dialects import dialect_at
from tests.upstream.wire import Body


@pytest.fixture(params=DIALECTS)
def dialect(request: pytest.FixtureRequest) -> Dialect:
    return DIALECTS[request.param]


@pytest.fixture(params=WAYS)
def alias(request: pytest.FixtureRequest) -> str:
    return WAYS[request.param]


def events_at(path: str, count: int) -> list[bytes]:
    """A stream of that many pieces of text in the API of that path, framed."""
    spoken = dialect_at(path)
    assert spoken is not None
    assert spoken.events is not None
    turn = Turn(text=tuple(f"piece {number} " for number in range(count)))
    events = spoken.events(turn, Shape(id=spoken.id), {})
    framed = [sse(json.dumps(one), How(), one["type"] if spoken.manner.named else "") for one in events]
    return [*framed, sse("[DONE]", How())] if spoken.manner.done else framed


def streamed(gateway: Gateway, dialect: Dialect, alias: str, content: str) -> bytes:
    return json.dumps(dialect.body(alias, content) | {"stream": True}).encode()


def test_an_event_is_there_before_the_next_one_is_sent(
    gateway: Gateway, upstream: Upstream, dialect: Dialect, alias: str
) -> None:
    arrived = threading.Semaphore(0)

    def behave(connection: Connection, seen: Seen) -> bool:
        connection.send_head(200, HEAD)
        body = Body(connection, seen, "chunked", extensions=False)
        for event in events_at(seen.path, 5):
            body.send(event)
            if b'"piece ' in event and b"delta" in event and not arrived.acquire(timeout=SAFETY):
                return False  # held back: the stream is never finished
        body.end(trailers=False)
        return True

    upstream.play(behave)
    with post_raw(gateway.url, streamed(gateway, dialect, alias, "Hi"), dialect.path) as sock:
        frames = Frames(sock)
        for number in range(5):
            while f"piece {number}".encode() not in frames.next():
                pass
            arrived.release()
        rest = b"".join(frames.all())

    assert dialect.last in rest


def test_no_event_is_torn_between_two_writes(
    gateway: Gateway, upstream: Upstream, dialect: Dialect, alias: str
) -> None:
    """Whatever pieces the target sends, a client that decodes each write by itself is right."""
    body = streamed(gateway, dialect, alias, "[[script:tokens n=50 split=37]]")
    with post_raw(gateway.url, body, dialect.path) as sock:
        frames = Frames(sock).all()

    assert all(frame.endswith(b"\n\n") for frame in frames)
    assert all(frame.startswith((b"event: ", b"data: [DONE]")) for frame in frames)
    dialect.check(b"".join(frames), True)


def test_the_connection_is_used_again_after_a_whole_stream(
    gateway: Gateway, upstream: Upstream, dialect: Dialect, alias: str
) -> None:
    body = streamed(gateway, dialect, alias, "[[script:text]]")
    with post_raw(gateway.url, body, dialect.path) as sock:
        for _ in range(2):
            assert dialect.last in b"".join(Frames(sock).all())
            head = f"POST {dialect.path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
            sock.sendall(head.encode() + body)


def mixed(gateway: Gateway, number: int) -> tuple[Dialect, str, Asked]:
    """A request of one of many kinds, which has words of its own."""
    dialect = list(DIALECTS.values())[number % 2]
    alias = list(WAYS.values())[number % 3]
    script = "parallel" if number % 5 == 0 else f'text say="answer {number} for you"'
    body: dict[str, Any] = dialect.body(alias, f"[[script:{script}]]") | {"stream": number % 4 > 0}
    return dialect, alias, asking(gateway.url, dialect, body, {"x-request-id": f"mixed-dialects-{number}"})


def test_requests_at_the_same_time_do_not_get_mixed_up(gateway: Gateway, upstream: Upstream) -> None:
    with ThreadPoolExecutor(30) as pool:
        answers = list(pool.map(lambda number: mixed(gateway, number), range(120)))

    for number, (dialect, alias, asked) in enumerate(answers):
        said = said_in(asked, dialect)
        assert asked.headers["x-request-id"] == f"mixed-dialects-{number}"
        assert said.models == {alias}
        assert said.text == ("Let me look. " if number % 5 == 0 else f"answer {number} for you")
        assert len(said.calls) == (2 if number % 5 == 0 else 0)
