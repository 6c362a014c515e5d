"""The debug view tells the same story whatever the target speaks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from app.utils.native_story import in_chats_words
from app.utils.preview import CALL_BEGUN, CALL_WHOLE, ERROR, REASONING, RESPONSE, message_text
from app.utils.story import Story
from tests.upstream import messages, responses
from tests.upstream.chat import Shape, ToolCall, Turn, chunks, completion

TURN = Turn(
    reasoning=("I think. ", "Yes."),
    text=("Let me ", "look."),
    calls=(ToolCall("call_1", "bash", '{"command":"ls"}'),),
    finish="tool_calls",
)


def told(*events: dict[str, Any]) -> Sequence[tuple[str, str]]:
    story = Story()
    return [line for event in events for line in story.feed(event)] + list(story.close())


@pytest.mark.parametrize(
    ("events", "finish"),
    [
        pytest.param(chunks(TURN, Shape()), "tool_calls", id="chat"),
        pytest.param(messages.events(TURN, Shape(), {}), "tool_use", id="messages"),
        pytest.param(responses.events(TURN, Shape(), {}), "completed", id="responses"),
    ],
)
def test_a_stream_of_each_dialect_is_the_same_story(events: list[dict[str, Any]], finish: str) -> None:
    lines = told(*events)

    assert (REASONING, "13 characters: I think. Yes.") in lines
    assert (CALL_BEGUN, "bash (call_1)") in lines
    assert (CALL_WHOLE, 'bash (call_1) {"command":"ls"}') in lines
    assert (RESPONSE, f"finish={finish} 12 characters: Let me look.") in lines
    assert [text for marker, text in lines if marker == RESPONSE and text.startswith("usage")]


@pytest.mark.parametrize(
    ("answer", "finish"),
    [
        pytest.param(completion(TURN, Shape()), "tool_calls", id="chat"),
        pytest.param(messages.answer(TURN, Shape(), {}), "tool_use", id="messages"),
        pytest.param(responses.answer(TURN, Shape(), {}), "completed", id="responses"),
    ],
)
def test_so_is_a_plain_answer(answer: dict[str, Any], finish: str) -> None:
    lines = told(answer)

    assert (REASONING, "13 characters: I think. Yes.") in lines
    assert (CALL_WHOLE, 'bash (call_1) {"command":"ls"}') in lines
    assert (RESPONSE, f"finish={finish} 12 characters: Let me look.") in lines


@pytest.mark.parametrize(
    "event",
    [
        pytest.param({"type": "error", "error": {"message": "full"}}, id="messages"),
        pytest.param({"type": "response.failed", "response": {"error": {"message": "full"}}}, id="responses"),
        pytest.param({"error": {"message": "full"}}, id="chat"),
    ],
)
def test_an_error_of_each_dialect_is_one(event: dict[str, Any]) -> None:
    assert told(event)[0] == (ERROR, 'the target says {"message":"full"}')


@pytest.mark.parametrize(
    "event", [{}, {"type": "ping"}, {"type": "response.unheard_of", "x": 1}, {"type": 7}]
)
def test_what_says_nothing_of_the_answer_stays_as_it_is(event: dict[str, Any]) -> None:
    assert in_chats_words(event) == event


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        (
            {"type": "function_call", "name": "bash", "call_id": "c1", "arguments": "{}"},
            "function_call bash c1: {}",
        ),
        (
            {"type": "function_call_output", "call_id": "c1", "output": "fine"},
            "function_call_output c1: fine",
        ),
        ({"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm"}]}, "reasoning: Hm"),
        (
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "Bash", "input": {}}]},
            "assistant: [calls Bash (t1)]",
        ),
        (
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "fine"}]},
            "user: [result of t1: fine]",
        ),
    ],
)
def test_messages_and_items_of_each_dialect_are_short_lines(message: dict[str, Any], shown: str) -> None:
    assert message_text(message) == shown
