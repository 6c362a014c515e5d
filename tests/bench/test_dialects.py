from __future__ import annotations

import json
from typing import Any

import pytest

from app.dialects import anthropic_messages, openai_chat, openai_responses
from app.types import Dialect as Spoken
from bench.answers import Decoder
from bench.conversation import AGENT_BYTES
from bench.dialects import APIS, DIALECTS, dialect_at, request_body, stamped
from bench.script import EVENT_BYTES, MARK, STREAM_HEAD, UNMARKED, DialectName, Script, script_of

STREAM = Script("stream", 100)
OURS: dict[DialectName, Spoken] = {
    "chat": openai_chat,
    "messages": anthropic_messages,
    "responses": openai_responses,
}

every_dialect = pytest.mark.parametrize("dialect", DIALECTS)


def events_of(body: bytes) -> list[dict[str, Any]]:
    lines = (line for line in body.decode().split("\n") if line.startswith("data: {"))
    return [json.loads(line.removeprefix("data: ")) for line in lines]


@every_dialect
@pytest.mark.parametrize("script", [Script("plain"), STREAM, Script("paced", 150, 20)], ids=str)
def test_a_request_carries_its_script(dialect: DialectName, script: Script) -> None:
    for size in (0, AGENT_BYTES):
        body = request_body(APIS[dialect], script, "an-alias", size)
        assert script_of(body) == script
        assert json.loads(body).get("stream", False) == script.streamed


@every_dialect
def test_an_agents_request_has_its_size_and_ten_tools(dialect: DialectName) -> None:
    body = request_body(APIS[dialect], STREAM, "an-alias", AGENT_BYTES)

    assert len(body) == pytest.approx(AGENT_BYTES, rel=0.01)
    assert len(json.loads(body)["tools"]) == 10


@every_dialect
def test_a_request_is_one_that_can_be_said_in_chat(dialect: DialectName) -> None:
    body = request_body(APIS[dialect], STREAM, "an-alias", AGENT_BYTES)

    chat = OURS[dialect].parse(json.loads(body)).as_chat()

    roles = [message["role"] for message in chat["messages"]]
    assert roles[:4] == ["system", "user", "assistant", "tool"]
    assert chat["messages"][2]["tool_calls"][0]["id"] == chat["messages"][3]["tool_call_id"]
    assert len(chat["tools"]) == 10


def test_a_count_is_asked_for_without_what_only_an_answer_needs() -> None:
    body = json.loads(request_body(APIS["count"], Script("plain"), "an-alias", 80_000, marked=True))

    assert body.keys() == {"model", "messages", "system", "tools"}
    assert UNMARKED in body["system"][0]["text"]


@every_dialect
@pytest.mark.parametrize("number", [0, 1, 9_999])
def test_an_event_has_its_size_and_one_mark(dialect: DialectName, number: int) -> None:
    size, event = stamped(DIALECTS[dialect], 1234, number).split(b"\r\n", 1)

    assert int(size, 16) == EVENT_BYTES == len(event) - 2
    assert [int(mark) for mark in MARK.findall(event)] == [1234]


@every_dialect
def test_only_the_first_event_of_chat_has_a_role(dialect: DialectName) -> None:
    first, second = (b"".join(DIALECTS[dialect].delta(number)).count(b'"role"') for number in (0, 1))

    assert (first, second) == ((1, 0) if dialect == "chat" else (0, 0))


def test_the_events_of_responses_are_numbered_and_end_with_the_whole_text() -> None:
    spoken, decoder = DIALECTS["responses"], Decoder()
    deltas = b"".join(stamped(spoken, 0, number) for number in range(12))

    events = events_of(decoder.feed(STREAM_HEAD + spoken.opening() + deltas + spoken.ending(12)))

    assert [event["sequence_number"] for event in events] == list(range(4 + 12 + 4))
    text = "".join(event["delta"] for event in events[4:16])
    assert events[16]["text"] == text
    assert events[-1]["response"]["output"][0]["content"][0]["text"] == text


@pytest.mark.parametrize(
    ("path", "known"),
    [("/v1/messages?beta=true", True), ("/v1/responses", True), ("/v1/messages/count_tokens", False)],
)
def test_a_dialect_is_known_by_its_path(path: str, known: bool) -> None:
    assert (dialect_at(path) is not None) == known
