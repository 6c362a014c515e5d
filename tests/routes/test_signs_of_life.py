"""While a target is silent its client sees the dialect's sign of life, and the stream stays right."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from app import logs
from app.dialects import anthropic_messages, openai_responses
from app.gateway import ServedStream
from app.routes.edge import KEEP_ALIVE, EventBody, Record
from app.types import Batch, Dialect
from app.utils.wires import WIRES
from tests.dialects import messages_checker, responses_checker
from tests.fakes import SERVED, TICK, FakeStream, client, target
from tests.routes.test_edge import Clock
from tests.upstream import messages as messages_upstream
from tests.upstream import responses as responses_upstream
from tests.upstream.chat import Shape, ToolCall, Turn, chunks

TURN = Turn(
    text=("Let me ", "look."),
    reasoning=("First I think. ", "Then I think again."),
    calls=(ToolCall("call_0", "get_weather", '{"city": "Zürich"}'), ToolCall("call_1", "get_time", "{}")),
    finish="tool_calls",
)
DIALECTS: dict[str, Dialect] = {"messages": anthropic_messages, "responses": openai_responses}
BODIES: dict[str, dict[str, Any]] = {
    "messages": {"model": "alias", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]},
    "responses": {"model": "alias", "input": "Hi"},
}


def events(wire: str) -> list[dict[str, Any]]:
    """A turn with everything in it, as a target tells it in that API."""
    shape = Shape(id={"messages": "msg_1", "responses": "resp_1"}.get(wire, "c1"))
    if wire == "chat":
        return chunks(TURN, shape)
    if wire == "messages":
        return messages_upstream.events(TURN, shape, {})
    return responses_upstream.events(TURN, shape, {})


def body_over(dialect: str, wire: str, *batches: Batch, step: float = KEEP_ALIVE) -> EventBody:
    """A stream in that dialect over those batches; each look at the clock takes so many seconds."""
    spoken = DIALECTS[dialect]
    request = spoken.parse({**BODIES[dialect], "stream": True})
    record = Record(spoken, client())
    follower = WIRES[wire].follow(target(), True, record.trace)  # type: ignore[index]  # one of three
    stream = ServedStream(FakeStream(*batches), follower, record.trace, wire)  # type: ignore[arg-type]
    begin = spoken.relayed if wire == dialect else spoken.encoder
    return EventBody(stream, begin(request, SERVED), record, now=Clock(step))


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    yield
    logs.release()


EACH = pytest.mark.parametrize(
    ("dialect", "wire"),
    [("messages", "chat"), ("messages", "messages"), ("responses", "chat"), ("responses", "responses")],
    ids=["messages translated", "messages relayed", "responses translated", "responses relayed"],
)


def check(dialect: str, written: bytes) -> None:
    if dialect == "messages":
        messages_checker.check(written)
    else:
        responses_checker.checked(written)


def said(dialect: str, written: bytes) -> Any:
    """The whole answer, without what silence may add to it: empty texts and pings."""
    if dialect == "responses":
        return [
            {key: item[key] for key in item if key != "id"}
            for item in responses_checker.checked(written)["output"]
        ]
    content = messages_checker.check(written).answer["content"]
    return [block for block in content if block != {"type": "text", "text": ""}]


@EACH
def test_silence_after_any_event_leaves_the_stream_right(dialect: str, wire: str) -> None:
    whole = events(wire)
    undisturbed = b"".join(body_over(dialect, wire, *([event] for event in whole)))
    for place in range(1, len(whole)):
        batches = [[event] for event in whole]
        batches[place:place] = [TICK, TICK]
        written = b"".join(body_over(dialect, wire, *batches))

        check(dialect, written)
        assert said(dialect, written) == said(dialect, undisturbed), place
        assert len(written) > len(undisturbed)


@EACH
def test_silence_between_all_events_leaves_the_stream_right(dialect: str, wire: str) -> None:
    batches = [batch for event in events(wire) for batch in ([event], TICK)]
    written = b"".join(body_over(dialect, wire, *batches))

    check(dialect, written)


@EACH
def test_each_sign_is_one_that_the_dialects_clients_take_for_one(dialect: str, wire: str) -> None:
    """Claude Code counts neither comments nor pings, Codex no comments (both measured)."""
    whole = events(wire)
    for place in range(1, len(whole)):
        batches = [*([event] for event in whole[:place]), TICK, whole[place:]]
        written = b"".join(body_over(dialect, wire, *batches))

        # behind the signature of a thought nothing can stand but the end of its block
        assert signs(written) or "signature_delta" in str(whole[place - 1]), place


@EACH
def test_signs_come_once_in_a_while_only(dialect: str, wire: str) -> None:
    """Each of the twenty ticks looks at the clock once, and once more after a sign."""
    first, *rest = events(wire)
    undisturbed = b"".join(body_over(dialect, wire, [first], rest, step=0.0))
    written = b"".join(body_over(dialect, wire, [first], *[TICK] * 20, rest, step=1.0))

    assert signs(written) == signs(undisturbed) + 1


def signs(written: bytes) -> int:
    """How often a stream said nothing but that it lives."""
    return sum(is_sign(event) for event in responses_checker.events_in(written))


def is_sign(event: dict[str, Any]) -> bool:
    if event["type"] == "content_block_delta":
        return next((value for key, value in event["delta"].items() if key != "type"), None) == ""
    return bool(event["type"] == "keepalive")
