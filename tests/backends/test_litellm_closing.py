"""The upstream sees within a second that nobody waits for it: each provider family, each phase."""

from __future__ import annotations

import gc
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from app.backends.litellm_client import LiteLLM
from app.backends.litellm_reading import shut
from app.errors import ClientLeft
from app.types import Call
from tests.backends.litellm_lab import (
    anthropic_events,
    calling,
    carrier,
    event,
    gemini,
    leaving,
    silent_after,
)
from tests.upstream import Upstream

CHAT = event({"choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": None}]})
BLOCK = ({"type": "text", "text": ""}, {"type": "text_delta", "text": "Hi"})

FAMILIES = {
    "openai": (None, CHAT),
    "gemini": ("gemini", event(gemini({"text": "Hi"}))),
    "anthropic": ("anthropic", b"".join(map(event, anthropic_events(BLOCK, stop=None)))),
    "mistral": ("mistral", CHAT),  # LiteLLM's base handler, as for most others
    "perplexity": ("perplexity", CHAT),  # the OpenAI SDK under another name
}


@pytest.fixture
def up() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture
def lite() -> LiteLLM:
    return carrier()


@pytest.fixture(params=list(FAMILIES))
def family(request: pytest.FixtureRequest) -> tuple[str | None, bytes]:
    return FAMILIES[request.param]


def in_background(work: Any) -> tuple[threading.Thread, list[BaseException]]:
    """The thread, and what the work raised in it."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as failure:
            raised.append(failure)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, raised


def read_all(lite: LiteLLM, call: Call) -> None:
    for _ in lite.stream(call):
        pass


def test_a_client_who_leaves_before_the_first_byte_ends_the_request(
    up: Upstream, lite: LiteLLM, family: tuple[str | None, bytes]
) -> None:
    up.play(silent_after(b"", head=False))
    call, left = leaving(calling(up.base_url, stream=True, litellm_provider=family[0], api_key="k"))
    thread, raised = in_background(lambda: read_all(lite, call))
    seen = up.wait_for(1)

    left.set()

    assert seen.closed_early.wait(1)
    thread.join()
    assert [type(one) for one in raised] == [ClientLeft]


def test_a_client_who_leaves_between_head_and_first_event_ends_the_stream(
    up: Upstream, lite: LiteLLM, family: tuple[str | None, bytes]
) -> None:
    up.play(silent_after(b""))
    call, left = leaving(calling(up.base_url, stream=True, litellm_provider=family[0], api_key="k"))
    thread, raised = in_background(lambda: read_all(lite, call))
    seen = up.wait_for(1)

    left.set()

    assert seen.closed_early.wait(1)
    thread.join()
    assert [type(one) for one in raised] == [ClientLeft]


def test_a_client_who_leaves_while_the_upstream_is_silent_ends_the_stream(
    up: Upstream, lite: LiteLLM, family: tuple[str | None, bytes]
) -> None:
    up.play(silent_after(family[1]))
    call, left = leaving(calling(up.base_url, stream=True, litellm_provider=family[0], api_key="k"))
    stream = lite.stream(call)
    assert next(stream)

    left.set()

    with pytest.raises(ClientLeft):
        next(stream)
    assert up.last.closed_early.wait(1)


def test_a_client_who_leaves_a_plain_request_ends_it(
    up: Upstream, lite: LiteLLM, family: tuple[str | None, bytes]
) -> None:
    up.play(silent_after(b"", head=False))
    call, left = leaving(calling(up.base_url, litellm_provider=family[0], api_key="k"))
    thread, raised = in_background(lambda: lite.complete(call))
    seen = up.wait_for(1)

    left.set()

    assert seen.closed_early.wait(1)
    thread.join()
    assert [type(one) for one in raised] == [ClientLeft]


def test_closing_a_stream_ends_it_at_once(
    up: Upstream, lite: LiteLLM, family: tuple[str | None, bytes]
) -> None:
    up.play(silent_after(family[1]))
    stream = lite.stream(calling(up.base_url, stream=True, litellm_provider=family[0], api_key="k"))
    assert next(stream)

    stream.close()

    assert up.last.closed_early.wait(1)
    stream.close()
    assert next(iter(stream), None) is None


def test_closing_a_stream_that_nobody_has_read_ends_it(
    up: Upstream, lite: LiteLLM, family: tuple[str | None, bytes]
) -> None:
    up.play(silent_after(family[1]))
    stream = lite.stream(calling(up.base_url, stream=True, litellm_provider=family[0], api_key="k"))
    seen = up.wait_for(1)

    stream.close()

    assert seen.closed_early.wait(1)


def test_a_reader_that_waits_for_a_slow_client_is_ended_too(up: Upstream, lite: LiteLLM) -> None:
    up.script("tokens", n=20_000)
    stream = lite.stream(calling(up.base_url, stream=True))
    assert next(stream)

    stream.close()

    assert up.last.closed_early.wait(1)


def test_a_tls_handshake_that_never_ends_is_given_up(lite: LiteLLM) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        base = f"https://127.0.0.1:{listener.getsockname()[1]}/v1"
        stream = lite.stream(calling(base, stream=True))
        connection, _ = listener.accept()
        connection.recv(65536)  # its hello

        stream.close()

        connection.settimeout(1)
        with connection:
            assert connection.recv(65536) == b""


def test_no_stream_is_left_for_the_garbage_collector(up: Upstream, lite: LiteLLM) -> None:
    """httpcore deadlocks when it finds one: every response of a call is closed by the call itself."""
    up.script("text")
    for _ in range(5):
        stream = lite.stream(calling(up.base_url, stream=True))
        next(stream)
        stream.close()
    threads = [one for one in threading.enumerate() if one.name == "litellm-call"]
    for thread in threads:
        thread.join(5)

    assert not [one for one in gc.get_objects() if type(one).__name__ == "Body" and not one.closed]


class Part:
    """Something that can be closed, with other parts below it."""

    def __init__(self, **below: Any) -> None:
        self.closed = 0
        self.__dict__.update(below)

    def close(self) -> None:
        self.closed += 1


def test_shutting_a_stream_closes_whatever_it_reads_from() -> None:
    response = Part()
    iterator = Part(response=response, response_iterator=Part())
    stream = Part(completion_stream=iterator)

    shut(stream)

    assert [part.closed for part in (stream, iterator, response, iterator.response_iterator)] == [1, 1, 1, 1]  # type: ignore[attr-defined]


def test_shutting_goes_on_where_a_part_cannot_be_closed() -> None:
    class Stubborn(Part):
        def close(self) -> None:
            raise ValueError("generator already executing")

    response = Part()

    shut(Stubborn(completion_stream=Stubborn(response=response)))

    assert response.closed == 1
