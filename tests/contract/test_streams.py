"""Streams in time: what comes is passed on at once, what stays away is not waited for for ever."""

from __future__ import annotations

import json
import re
import selectors
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.contract.client import Asked, ask, body_for, post_raw
from tests.contract.conftest import CARRIERS, Ask
from tests.gateway import Gateway
from tests.upstream import Connection, Seen, Upstream
from tests.upstream.chat import Shape, Turn, chunks
from tests.upstream.delivery import How, sse
from tests.upstream.wire import Body

HEAD = [("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked")]
SAFETY = 20.0
"""Seconds after which a test that waits for an event has failed."""


def events_of(count: int) -> list[bytes]:
    """A stream of that many pieces of text, framed, [DONE] included."""
    turn = Turn(text=tuple(f"piece {number} " for number in range(count)))
    whole = chunks(turn, Shape(bare=True), usage_asked=False)
    return [sse(json.dumps(chunk), How()) for chunk in whole] + [sse("[DONE]", How())]


class Frames:
    """A streamed answer as it comes over the wire: every HTTP chunk as it was written."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._data = b""
        self.head = self._until(b"\r\n\r\n")
        self.over = False

    def next(self) -> bytes:
        """The next chunk; b"" at the proper end. ConnectionError where there is none."""
        size = int(self._until(b"\r\n"), 16)
        while len(self._data) < size + 2:
            self._more()
        frame, self._data = self._data[:size], self._data[size + 2 :]
        self.over = not frame
        return frame

    def all(self) -> list[bytes]:
        return list(iter(self.next, b""))

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._data:
            self._more()
        found, _, self._data = self._data.partition(mark)
        return found

    def _more(self) -> None:
        data = self._sock.recv(65536)
        if not data:
            raise ConnectionError("the body broke off")
        self._data += data


def streamed(gateway: Gateway, alias: str, script: str = "", **body: Any) -> socket.socket:
    return post_raw(gateway.url, json.dumps(body_for(alias, script, stream=True, **body)).encode())


# ─── in real time, in batches ────────────────────────────────────────────────────────────────────


def test_an_event_is_there_before_the_next_one_is_sent(
    gateway: Gateway, upstream: Upstream, alias: str
) -> None:
    arrived = threading.Semaphore(0)

    def behave(connection: Connection, seen: Seen) -> bool:
        connection.send_head(200, HEAD)
        body = Body(connection, seen, "chunked", extensions=False)
        for event in events_of(5):
            body.send(event)
            if b"piece" in event and not arrived.acquire(timeout=SAFETY):
                return False  # held back: the stream is never finished
        body.end(trailers=False)
        return True

    upstream.play(behave)
    with streamed(gateway, alias) as sock:
        frames = Frames(sock)
        for number in range(5):
            while f"piece {number}".encode() not in frames.next():
                pass
            arrived.release()

        assert frames.all()[-1].endswith(b"data: [DONE]\n\n")


def test_what_comes_together_is_passed_on_together(gateway: Gateway, upstream: Upstream, alias: str) -> None:
    def behave(connection: Connection, seen: Seen) -> bool:
        connection.send_head(200, HEAD)
        Body(connection, seen, "chunked", extensions=False).send(b"".join(events_of(100)))
        connection.send(b"0\r\n\r\n")
        return True

    upstream.play(behave)
    with streamed(gateway, alias) as sock:
        frames = Frames(sock).all()

    assert sum(frame.count(b"data: ") for frame in frames) >= 101
    assert len(frames) <= 20


def test_no_event_is_torn_between_two_writes(gateway: Gateway, upstream: Upstream, alias: str) -> None:
    """Whatever pieces the target sends, a client that decodes each write by itself is right."""
    upstream.script("tokens", n=50, split=37)
    with streamed(gateway, alias) as sock:
        for frame in Frames(sock).all():
            assert frame.endswith(b"\n\n")
            assert frame.startswith((b"data: ", b":"))


def test_the_connection_is_used_again_after_a_whole_stream(gateway: Gateway, alias: str) -> None:
    body = json.dumps(body_for(alias, "text", stream=True)).encode()
    with post_raw(gateway.url, body) as sock:
        for _ in range(3):
            assert Frames(sock).all()[-1].endswith(b"data: [DONE]\n\n")
            head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
            sock.sendall(head.encode() + body)


@pytest.mark.parametrize("script", ["cut", "end", "error-event", "garbage"])
def test_the_connection_ends_after_a_broken_stream(gateway: Gateway, alias: str, script: str) -> None:
    with streamed(gateway, alias, script) as sock:
        frames = Frames(sock)
        with pytest.raises(ConnectionError):
            frames.all()

        assert not frames.over


def test_the_headers_of_a_stream_keep_every_proxy_from_holding_it_back(asking: Ask) -> None:
    headers = asking("text", stream=True).headers

    assert headers["content-type"] == "text/event-stream; charset=utf-8"
    assert headers["cache-control"] == "no-cache"
    assert headers["x-accel-buffering"] == "no"
    assert "content-length" not in headers


# ─── limits of time ──────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def asking_impatiently(impatient: Gateway, upstream: Upstream, alias: str) -> Callable[..., Asked]:
    def call(provider: str, script: str, **body: Any) -> Asked:
        return ask(impatient.url, f"{provider}/{alias}", script, **body)

    return call


def test_silence_in_mid_stream_becomes_an_error_event_and_a_broken_body(
    asking_impatiently: Callable[..., Asked], upstream: Upstream
) -> None:
    asked = asking_impatiently("idle", "stall", stream=True)

    assert asked.status == 200
    assert asked.text.startswith("Hello")
    assert asked.error["code"] == "upstream_timeout"
    assert asked.broken
    assert not asked.done
    assert asked.finish is None
    assert upstream.last.closed_early.wait(SAFETY)


def test_a_stream_that_keeps_coming_is_never_idle(asking_impatiently: Callable[..., Asked]) -> None:
    asked = asking_impatiently("idle", "tokens n=12 pace=60", stream=True)

    assert asked.done
    assert not asked.broken


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("provider", ["late", "long"])
def test_a_target_that_does_not_begin_is_a_504(
    asking_impatiently: Callable[..., Asked], upstream: Upstream, provider: str, stream: bool
) -> None:
    asked = asking_impatiently(provider, "mute", stream=stream)

    assert asked.status == 504
    assert asked.error["code"] == "upstream_timeout"
    assert "model'" in asked.error["message"] or "lite'" in asked.error["message"]
    assert upstream.last.closed_early.wait(SAFETY)


def test_a_stream_that_never_ends_is_ended_by_its_limit(
    asking_impatiently: Callable[..., Asked], upstream: Upstream
) -> None:
    asked = asking_impatiently("long", "tokens n=60 pace=50", stream=True)

    assert asked.chunks
    assert asked.error["code"] == "upstream_timeout"
    assert asked.broken
    assert not asked.done
    assert upstream.last.closed_early.wait(SAFETY)


# ─── many, slow, mixed ───────────────────────────────────────────────────────────────────────────


def test_a_client_that_does_not_read_gets_all_of_it_later_and_holds_up_nobody(
    gateway: Gateway, upstream: Upstream, alias: str, asking: Ask
) -> None:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.settimeout(SAFETY)
    host, port = gateway.url.removeprefix("http://").split(":")
    sock.connect((host, int(port)))
    body = json.dumps(body_for(alias, "tokens n=3000 size=10000", stream=True)).encode()
    with sock:
        sock.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s"
            % (len(body), body)
        )
        slow = upstream.wait_for(1)
        for _ in range(5):
            assert asking("text", stream=True).done
        assert not slow.whole.is_set()  # thirty megabytes stand in no buffer, the kernel's included
        frames = Frames(sock).all()

    text = b"".join(frames)
    assert text.endswith(b"data: [DONE]\n\n")
    assert [int(number, 16) for number in re.findall(rb'"content":"([0-9a-f]+) x', text)] == [*range(3000)]


class Watched:
    """One of many streams that one thread reads."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.data = b""

    @property
    def over(self) -> bool:
        return self.data.endswith(b"\r\n0\r\n\r\n")


@pytest.mark.parametrize(("carrier", "count"), [("relay", 200), ("litellm", 60)], indirect=["carrier"])
def test_many_streams_at_once_all_arrive_whole(
    gateway: Gateway, upstream: Upstream, carrier: str, count: int
) -> None:
    alias = CARRIERS[carrier]
    with selectors.DefaultSelector() as selector:
        streams = [Watched(streamed(gateway, alias, "tokens n=10 pace=50")) for _ in range(count)]
        for stream in streams:
            selector.register(stream.sock, selectors.EVENT_READ, stream)
        while selector.get_map():
            for key, _ in selector.select(SAFETY):
                data = key.data.sock.recv(65536)
                key.data.data += data
                if key.data.over or not data:
                    selector.unregister(key.fileobj)
    for stream in streams:
        stream.sock.close()

    assert sum(stream.over for stream in streams) == count
    assert all(stream.data.count(b'"content":"') >= 10 for stream in streams)
    assert all(b"data: [DONE]" in stream.data and b'"error"' not in stream.data for stream in streams)


def mixed(gateway: Gateway, number: int) -> tuple[int, Asked, str, str]:
    """A request of one of five kinds, under a name of its own."""
    alias, script, stream = [
        ("model", f'text say="answer {number} for you"', False),
        ("lite", f'text say="answer {number} for you"', True),
        ("model", f'text say="answer {number} for you"', True),
        ("lite", f'status status=422 message="answer {number} for you"', False),
        ("nobody", "text", True),
    ][number % 5]
    asked = ask(gateway.url, alias, script, sending={"x-request-id": f"mixed-{number}"}, stream=stream)
    return number, asked, alias, asked.headers["x-request-id"]


def test_requests_at_the_same_time_do_not_get_mixed_up(gateway: Gateway, upstream: Upstream) -> None:
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda number: mixed(gateway, number), range(100)))

    for number, asked, alias, request_id in answers:
        assert request_id == f"mixed-{number}"
        if alias == "nobody":
            assert asked.status == 404
        elif asked.status == 200:
            assert asked.text == f"answer {number} for you"
            assert {chunk["model"] for chunk in asked.chunks or [asked.body]} == {alias}
        else:
            assert (asked.status, asked.error["message"]) == (422, f"answer {number} for you")
    for number, line in ended(gateway, 100).items():
        assert f" {answers[number][2]} " in line


def ended(gateway: Gateway, count: int) -> dict[int, str]:
    """The last line of each mixed request, by its number; a stream's is written after its last byte."""
    deadline = time.monotonic() + SAFETY
    while True:
        lines = re.findall(r"^.* ← .* id=mixed-\d+$", gateway.log(), re.MULTILINE)
        if len(lines) >= count or time.monotonic() > deadline:
            assert len(lines) == count
            return {int(line.rpartition("-")[2]): line for line in lines}
        time.sleep(0.01)
