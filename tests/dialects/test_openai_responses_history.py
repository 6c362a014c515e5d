"""Earlier responses and items that a request names instead of sending them."""

from __future__ import annotations

from typing import Any

import pytest

from app.dialects import openai_responses
from app.dialects.openai_responses_history import (
    MOST_REFERENCES,
    identified,
    input_items,
    opening,
    page_of,
    previous_of,
    references,
    resolved,
    with_history,
)
from app.dialects.openai_responses_request import ResponsesRequest
from app.errors import BadRequest
from tests.fakes import SERVED, completion


def asked(given: Any = "And now?", **fields: Any) -> ResponsesRequest:
    return openai_responses.parse({"model": "alias", "input": given, **fields})


def said(text: str, **over: Any) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]} | over


def test_a_request_goes_on_from_an_earlier_response_without_its_instructions() -> None:
    first = asked("Hi", instructions="Be brief.")
    answer = openai_responses.render(completion("Hello"), first, SERVED)
    second = asked(previous_response_id="resp_1", instructions="Be kind.")
    whole = with_history(second, [*input_items(first, "1"), *answer["output"]])

    assert previous_of(second) == "resp_1"
    assert whole.as_chat()["messages"] == [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "And now?"},
    ]


def test_what_goes_to_the_target_names_no_earlier_response_and_the_answer_does() -> None:
    whole = with_history(asked(previous_response_id="resp_1"), [said("Hi")])

    assert "previous_response_id" not in whole.body
    assert openai_responses.render(completion("x"), whole, SERVED)["previous_response_id"] == "resp_1"


def test_a_call_of_the_earlier_response_gets_its_result() -> None:
    call = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}
    result = {"type": "function_call_output", "call_id": "c1", "output": "done"}
    whole = with_history(asked([result], previous_response_id="resp_1"), [said("Hi"), call])

    assert [message["role"] for message in whole.as_chat()["messages"]] == ["user", "assistant", "tool"]


def test_references_are_put_in() -> None:
    request = asked([{"type": "item_reference", "id": "msg_1"}, {"id": "msg_2"}, said("c")])
    found = {"msg_1": said("a"), "msg_2": said("b")}

    assert references(request) == ["msg_1", "msg_2"]
    assert resolved(request, found).body["input"] == [said("a"), said("b"), said("c")]
    assert [it["content"] for it in resolved(request, found).as_chat()["messages"]] == ["a", "b", "c"]


def test_a_reference_to_what_nobody_knows_is_refused() -> None:
    with pytest.raises(BadRequest, match=r"Item with id 'msg_1' not found\."):
        resolved(asked([{"type": "item_reference", "id": "msg_1"}]), {})


def test_what_is_named_twice_or_too_often_is_refused() -> None:
    """A small request would else become an endless one."""
    named = [{"type": "item_reference", "id": f"msg_{number}"} for number in range(MOST_REFERENCES)]

    assert len(references(asked(named))) == MOST_REFERENCES
    with pytest.raises(BadRequest, match="Duplicate item found with id 'msg_0'"):
        references(asked(named[:2] + named[:1]))
    with pytest.raises(BadRequest, match="at most 10,000 items"):
        references(asked([*named, {"type": "item_reference", "id": "msg_x"}]))


def test_a_text_has_no_references() -> None:
    assert references(asked("Hi")) == []


def test_sealed_thoughts_are_opened_in_the_history_too() -> None:
    thought = {"type": "reasoning", "summary": [], "encrypted_content": "sealed"}
    answer = {"role": "assistant", "content": "Yes."}
    request = opening(
        with_history(asked(previous_response_id="resp_1"), [thought, answer]),
        lambda sealed: {"reasoning_content": f"{sealed} no more"},
    )

    assert request.as_chat()["messages"][0]["reasoning_content"] == "sealed no more"


def test_input_items_are_whole_and_have_ids() -> None:
    given = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello"},
        said("x", id="msg_mine"),
        said("y", id=None),
        {"type": "function_call_output", "call_id": "c1", "output": "done"},
    ]

    assert input_items(asked(given), "1") == [
        said("Hi", id="msg_lc1i00"),
        {
            "id": "msg_lc1i01",
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Hello", "annotations": []}],
        },
        said("x", id="msg_mine"),
        said("y", id="msg_lc1i03"),
        {"id": "fco_lc1i04", "type": "function_call_output", "call_id": "c1", "output": "done"},
    ]
    assert input_items(asked("Hi"), "1") == [said("Hi", id="msg_lc1i00")]


PAGES: list[Any] = [
    pytest.param({}, ["c", "b", "a"], False, id="newest first"),
    pytest.param({"order": "asc"}, ["a", "b", "c"], False, id="oldest first"),
    pytest.param({"limit": 2}, ["c", "b"], True, id="a page"),
    pytest.param({"limit": 2, "after": "b"}, ["a"], False, id="the next page"),
    pytest.param({"limit": 0}, ["c"], True, id="at least one"),
    pytest.param({"after": "a"}, [], False, id="behind the last"),
]


@pytest.mark.parametrize(
    ("asked_for", "said"),
    [
        ({"order": "x"}, "'order' must be asc or desc, not 'x'"),
        ({"order": ""}, "'order' must be asc or desc, not ''"),
        ({"after": "d"}, "'after' names no item of this response: 'd'"),
        (
            {"after": "d" * 1000},
            r"^'after' names no item of this response: 'd{100,150}… \(1,000 characters\)'$",
        ),
    ],
)
def test_an_order_or_a_place_that_is_none_is_refused(asked_for: dict[str, Any], said: str) -> None:
    with pytest.raises(BadRequest, match=said) as found:
        page_of([{"id": id} for id in "abc"], **asked_for)

    assert [found.value.param] == list(asked_for)


@pytest.mark.parametrize("id", [None, "", 3])
def test_a_response_without_an_id_is_given_one(id: Any) -> None:
    nameless, named = {"id": id}, {"id": "resp_theirs"}
    identified(nameless, "1")
    identified(named, "1")

    assert (nameless["id"], named["id"]) == ("resp_1", "resp_theirs")


def test_the_id_of_an_unknown_item_is_told_in_short() -> None:
    with pytest.raises(BadRequest) as found:
        resolved(asked([{"type": "item_reference", "id": "x" * 1_000_000}]), {})

    assert len(str(found.value)) < 250


@pytest.mark.parametrize(("asked_for", "ids", "has_more"), PAGES)
def test_items_are_listed_in_pages(asked_for: dict[str, Any], ids: list[str], has_more: bool) -> None:
    page = page_of([{"id": id} for id in "abc"], **asked_for)

    assert page == {
        "object": "list",
        "data": [{"id": id} for id in ids],
        "first_id": ids[0] if ids else None,
        "last_id": ids[-1] if ids else None,
        "has_more": has_more,
    }
