"""A stream's turn is read from its chunks as it would stand in a plain answer."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.types import Batch
from app.utils.chat_events import chunks_of
from app.utils.ledger import Wants
from app.utils.ledger_reading import Reading, turn_in

Json = dict[str, Any]

ALL = Wants(signatures=True, thinking=True, reasoning="reasoning_content")
SIGNED = {"google": {"thought_signature": "c2ln"}}


def chunk(**delta: Any) -> Json:
    return {"id": "1", "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}


def piece(index: int | None, arguments: str | None = None, **more: Any) -> Json:
    made: Json = {"function": {"arguments": arguments}, **more}
    return made if index is None else {"index": index, **made}


def call(call_id: str, name: str, arguments: str, **more: Any) -> Json:
    return {"id": call_id, "function": {"name": name, "arguments": arguments}, **more}


def named(index: int | None, call_id: str, name: str, arguments: str = "", **more: Any) -> Json:
    made: Json = {
        "id": call_id,
        "type": "function",
        "function": {"name": name, "arguments": arguments},
        **more,
    }
    return made if index is None else {"index": index, **made}


def read(*chunks: Json, wanted: Wants = ALL, size: int = 1) -> Json:
    reading = Reading(wanted)
    for start in range(0, len(chunks), size):
        reading.feed(list(chunks[start : start + size]))
    return reading.turn()


TEXT = [chunk(role="assistant", content=""), chunk(content="Hel"), chunk(content="lo")]


@pytest.mark.parametrize("size", [1, 2, 9])
@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        (TEXT, {"content": "Hello"}),
        ([chunk(reasoning_content="h"), chunk(reasoning="m"), *TEXT], {"reasoning_content": "hm"}),
        ([*TEXT, chunk(content="", extra_content=SIGNED)], {"content": "Hello", "extra_content": SIGNED}),
        ([*TEXT, chunk(content="!", extra_content=SIGNED)], {"content": "Hello!", "extra_content": SIGNED}),
        (
            [chunk(tool_calls=[named(0, "a", "f", '{"x": 1}', extra_content=SIGNED)])],
            {"tool_calls": [call("a", "f", '{"x": 1}', extra_content=SIGNED)]},
        ),
        (
            [
                chunk(tool_calls=[named(0, "a", "f"), named(1, "b", "g")]),
                chunk(tool_calls=[piece(1, "{")]),
                chunk(tool_calls=[piece(0, "[", extra_content=SIGNED), piece(1, "}")]),
                chunk(tool_calls=[piece(0, "]", id=None), piece(1, None)]),
            ],
            {"tool_calls": [call("a", "f", "[]", extra_content=SIGNED), call("b", "g", "{}")]},
        ),
        (
            [chunk(tool_calls=[named(0, "a", "f", "{")]), chunk(tool_calls=[named(0, "a", "f", "}")])],
            {"tool_calls": [call("a", "f", "{}")]},
        ),
        (
            [
                chunk(thinking_blocks=[{"type": "thinking", "thinking": "h"}]),
                chunk(thinking_blocks=[{"type": "thinking", "thinking": "m"}]),
                chunk(thinking_blocks=[{"type": "thinking", "thinking": "", "signature": "c2ln"}]),
                chunk(thinking_blocks=[{"type": "redacted_thinking", "data": "eA=="}]),
                chunk(thinking_blocks=[{"type": "thinking", "thinking": "more"}]),
                chunk(thinking_blocks=[{"type": "thinking", "thinking": "", "signature": "bW9y"}]),
                chunk(thinking_blocks=[{"type": "thinking", "thinking": "never signed"}]),
            ],
            {
                "thinking_blocks": [
                    {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
                    {"type": "redacted_thinking", "data": "eA=="},
                    {"type": "thinking", "thinking": "more", "signature": "bW9y"},
                ]
            },
        ),
    ],
    ids=["text", "thoughts", "signed end", "signed piece", "whole call", "pieces", "repeated", "blocks"],
)
def test_chunks_spell_a_turn(chunks: Batch, expected: Json, size: int) -> None:
    turn = read(*chunks, size=size)

    assert {key: turn.get(key) for key in expected} == expected


def test_what_is_not_wanted_is_not_gathered() -> None:
    blocks = [{"type": "thinking", "thinking": "hm", "signature": "c2ln"}]

    assert "thinking_blocks" not in read(chunk(thinking_blocks=blocks), wanted=Wants(signatures=True))


def test_the_first_choice_is_the_turn() -> None:
    other = {"choices": [{"index": 1, "delta": {"content": "other"}}]}

    assert read(*TEXT, other)["content"] == "Hello"


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"choices": None},
        {"choices": []},
        {"choices": [None]},
        {"choices": {"a": 1}},
        {"choices": [{"index": 0}]},
        {"choices": [{"index": 0, "delta": None}]},
        {"choices": [{"delta": "text"}]},
        {"choices": [], "usage": {"prompt_tokens": 1}},
        chunk(tool_calls="x"),
        chunk(tool_calls=[None, {"index": []}]),
        chunk(thinking_blocks=[None, "x"]),
    ],
    ids=repr,
)
def test_what_is_no_piece_of_an_answer_is_passed_over(odd: Json) -> None:
    assert read(odd, *TEXT, odd)["content"] == "Hello"


def test_a_choice_without_an_index_is_the_first() -> None:
    assert read({"choices": [{"delta": {"content": "Hello"}}]})["content"] == "Hello"


@pytest.mark.parametrize(
    "answer",
    [{}, {"choices": []}, {"choices": None}, {"choices": [{}]}, {"choices": [{"message": 3}]}],
    ids=repr,
)
def test_a_plain_answer_without_a_message_has_an_empty_turn(answer: Json) -> None:
    assert turn_in(answer) == {}


REQUIRED: dict[str, st.SearchStrategy[Any]] = {"role": st.just("assistant"), "content": st.text(max_size=20)}
MESSAGES: st.SearchStrategy[Json] = st.fixed_dictionaries(
    REQUIRED,
    optional={
        "reasoning_content": st.text(min_size=1, max_size=20),
        "extra_content": st.just(SIGNED),
        "tool_calls": st.lists(
            st.builds(call, st.sampled_from("abc"), st.sampled_from("fg"), st.text(max_size=9)),
            min_size=1,
            max_size=3,
            unique_by=str,
        ),
        "thinking_blocks": st.just([{"type": "thinking", "thinking": "hm", "signature": "c2ln"}]),
    },
)


@settings(max_examples=100)
@given(MESSAGES)
def test_a_plain_answer_and_its_chunks_are_the_same_turn(message: Json) -> None:
    answer = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    plain = turn_in(answer)
    streamed = read(*chunks_of(answer))

    assert {key: streamed.get(key) for key in plain if key != "role"} == {
        key: value for key, value in plain.items() if key != "role"
    }
