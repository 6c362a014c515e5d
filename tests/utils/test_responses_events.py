"""A whole response as events: the same stream that a target would have sent."""

from __future__ import annotations

from typing import Any

import pytest

from app.dialects import openai_responses
from app.utils.responses_events import events_of
from tests.dialects.responses_checker import checked
from tests.fakes import SERVED


def response(*items: dict[str, Any], **over: Any) -> dict[str, Any]:
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "status": "completed",
        "model": "alias",
        "error": None,
        "incomplete_details": None,
        "output": list(items),
        "usage": None,
    } | over


TEXT = {"type": "output_text", "text": "Hi", "annotations": [], "logprobs": []}
ITEMS = [
    pytest.param([], id="nothing"),
    pytest.param(
        [{"id": "msg_1", "type": "message", "status": "completed", "role": "assistant", "content": [TEXT]}],
        id="message",
    ),
    pytest.param(
        [
            {
                "id": "msg_1",
                "type": "message",
                "status": "completed",
                "role": "assistant",
                "content": [TEXT, {"type": "refusal", "refusal": "no"}],
            }
        ],
        id="refusal",
    ),
    pytest.param(
        [
            {
                "id": "rs_1",
                "type": "reasoning",
                "summary": [{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}],
                "encrypted_content": "x",
            },
            {"id": "fc_1", "type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
            {"id": "ctc_1", "type": "custom_tool_call", "call_id": "c2", "name": "p", "input": "x"},
        ],
        id="reasoning and calls",
    ),
    pytest.param(
        [
            {
                "id": "rs_1",
                "type": "reasoning",
                "summary": [],
                "content": [{"type": "reasoning_text", "text": "a"}],
            }
        ],
        id="reasoning as it was",
    ),
    pytest.param([{"id": "ws_1", "type": "web_search_call", "status": "completed"}], id="another kind"),
]


def spelt(answer: dict[str, Any]) -> bytes:
    encoder = openai_responses.relayed(openai_responses.parse({"model": "alias", "input": "Hi"}), SERVED)
    return encoder.feed(events_of(answer)) + encoder.close()


@pytest.mark.parametrize("items", ITEMS)
def test_an_answer_is_spelt_in_order(items: list[dict[str, Any]]) -> None:
    assert checked(spelt(response(*items))) == response(*items)


def test_an_answer_that_is_not_whole_ends_as_such() -> None:
    answer = response(status="incomplete", incomplete_details={"reason": "max_output_tokens"})

    assert checked(spelt(answer)) == answer


def test_an_odd_answer_is_no_mistake_of_ours() -> None:
    odd = {
        "status": 3,
        "output": [None, {}, {"type": 3}, {"type": "message", "content": [None, {"type": "x"}, 3]}],
    }

    assert [event["type"] for event in events_of(odd)][-1] == "response.completed"
