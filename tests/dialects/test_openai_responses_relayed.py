"""Streams of targets that speak Responses: passed on as they are, numbered, filled in where they lack."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from app.dialects import openai_responses
from app.dialects.openai_responses_history import with_history
from app.dialects.openai_responses_relayed import RelayedResponses
from app.errors import ContextTooLong, UpstreamCut
from app.types import Batch, Event
from app.utils.responses_events import events_of
from tests.dialects.responses_checker import checked, events_in
from tests.fakes import SERVED

Json = dict[str, Any]

TEXT: Json = {"type": "output_text", "text": "Hi", "annotations": [], "logprobs": []}
MESSAGE: Json = {
    "id": "msg_1",
    "type": "message",
    "status": "completed",
    "role": "assistant",
    "content": [TEXT],
}
CALL: Json = {
    "id": "fc_1",
    "type": "function_call",
    "status": "completed",
    "call_id": "c1",
    "name": "f",
    "arguments": "{}",
}
THOUGHT: Json = {"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]}
ANSWER: Json = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "status": "completed",
    "model": "alias",
    "error": None,
    "incomplete_details": None,
    "output": [THOUGHT, MESSAGE, CALL],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
    "usage": None,
    "previous_response_id": None,
}
PLACES = ("output_index", "content_index", "summary_index", "logprobs")


def encoder() -> RelayedResponses:
    return openai_responses.relayed(openai_responses.parse({"model": "alias", "input": "Hi"}), SERVED)


def bare(event: Event) -> Event:
    """An event as llama-server writes it."""
    return {key: value for key, value in event.items() if key not in PLACES}


def test_events_are_passed_on_with_all_that_they_have() -> None:
    event = {"type": "response.x_unheard_of", "sequence_number": 0, "x": {"y": [1, None]}, "\u00e4": "\ud83d"}
    (told,) = events_in(encoder().feed([{**event}]))

    assert told == event


@pytest.mark.parametrize("cut", [bare, dict], ids=["as llama-server", "whole"])
def test_what_readers_need_is_there_whether_the_target_sent_it_or_not(cut: Any) -> None:
    relayed = encoder()
    events = [cut(event) for event in events_of(ANSWER)]
    data = b"".join(relayed.feed([event]) for event in events) + relayed.close()
    known = TypeAdapter[Any](ResponseStreamEvent)

    assert checked(data) == ANSWER
    assert relayed.answer == ANSWER
    for event in events_in(data):
        known.validate_python(event, strict=True)


def test_reasoning_as_llama_server_streams_it_gets_its_place() -> None:
    begun = {"type": "response.output_item.added", "item": {"id": "rs_1", "type": "reasoning"}}
    delta = {"type": "response.reasoning_text.delta", "item_id": "rs_1", "delta": "Hm."}
    _, told = events_in(encoder().feed([begun, delta]))

    assert (told["output_index"], told["content_index"]) == (0, 0)


def test_numbers_go_on_over_a_sign_of_life() -> None:
    relayed = encoder()
    events = events_of(ANSWER)
    numbered: Batch = [
        {"type": event["type"], "sequence_number": at, **event} for at, event in enumerate(events)
    ]
    data = relayed.feed(numbered[:3]) + relayed.alive() + relayed.feed(numbered[3:]) + relayed.close()

    assert [event["sequence_number"] for event in events_in(data)] == list(range(len(events) + 1))
    checked(data)


def test_an_answer_whose_last_event_has_no_output_is_kept_with_its_items() -> None:
    relayed = encoder()
    events = events_of(ANSWER)
    events[-1] = {"type": "response.completed", "response": ANSWER | {"output": []}}
    relayed.feed(events)
    relayed.close()

    assert relayed.answer == ANSWER


def test_a_failure_ends_the_response_that_had_begun() -> None:
    relayed = encoder()
    data = relayed.feed(events_of(ANSWER)[:-1]) + relayed.fail(ContextTooLong("full"))
    failed = checked(data, whole=False)

    assert failed["error"] == {"code": "context_length_exceeded", "message": "full"}
    assert failed["output"] == ANSWER["output"]
    assert relayed.answer is None


def test_a_failure_before_any_response_is_an_error_event() -> None:
    (event,) = events_in(encoder().fail(UpstreamCut("cut")))

    assert event == {
        "type": "error",
        "code": "server_error",
        "message": "cut",
        "param": None,
        "error": {"code": "server_error", "message": "cut", "type": "server_error", "param": None},
        "sequence_number": 0,
    }


def test_a_tick_is_nothing() -> None:
    assert encoder().feed([]) == b""


def test_the_response_names_the_one_before_it_although_the_target_never_heard_of_that() -> None:
    request = openai_responses.parse({"model": "alias", "input": "Hi", "previous_response_id": "resp_0"})
    relayed = openai_responses.relayed(with_history(request, []), SERVED)
    told = events_in(relayed.feed(events_of(json.loads(json.dumps(ANSWER)))))

    assert (
        told[0]["response"]["previous_response_id"]
        == told[-1]["response"]["previous_response_id"]
        == "resp_0"
    )


@pytest.mark.parametrize(
    "event",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"type": None}, id="type null"),
        pytest.param({"type": "response.created", "response": None}, id="no response"),
        pytest.param({"type": "response.output_item.added", "item": None}, id="no item"),
        pytest.param({"type": "response.output_item.done", "item": {}}, id="an item of nothing"),
        pytest.param({"type": "response.output_text.delta", "item_id": None}, id="no id"),
        pytest.param({"type": "a\nb\r"}, id="a type of two lines"),
    ],
)
def test_an_odd_event_is_passed_on(event: Event) -> None:
    data = encoder().feed([event])

    assert data.count(b"\n") == 3
    assert data.startswith(b"event: ")
    assert b"\ndata: {" in data
