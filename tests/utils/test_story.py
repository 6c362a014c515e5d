"""An answer as a story, told in short lines."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.utils.preview import (
    CALL_BEGUN,
    CALL_WHOLE,
    ERROR,
    LONGEST,
    REASONING,
    RESPONSE,
    Line,
    request_lines,
    target_lines,
    usage_numbers,
)
from app.utils.story import Story


def chunk(delta: Any, finish: str | None = None, **more: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}


def fragment(
    arguments: Any = "", name: str | None = None, id: str | None = None, index: Any = 0
) -> dict[str, Any]:
    function = {"arguments": arguments} | ({"name": name} if name else {})
    return {"index": index, "function": function} | ({"id": id} if id else {})


def calling(*fragments: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return chunk({"tool_calls": list(fragments)}, finish)


def told(*chunks: Any) -> list[Line]:
    story = Story()
    return [line for chunk in chunks for line in story.feed(chunk)] + list(story.close())


def test_text_is_told_at_the_end_with_its_finish_and_usage() -> None:
    lines = told(
        chunk({"role": "assistant", "content": ""}),
        chunk({"content": "Hel"}),
        chunk({"content": "lo"}),
        chunk({}, "stop"),
        {"choices": [], "usage": {"prompt_tokens": 3}},
    )

    assert lines == [
        Line(RESPONSE, "finish=stop 5 characters: Hello"),
        Line(RESPONSE, 'usage {"prompt_tokens":3}'),
    ]


def test_a_text_completion_is_told_like_an_answer() -> None:
    pieces = ({"choices": [{"index": 0, "text": text, "finish_reason": None}]} for text in ("Hel", "lo"))

    assert told(*pieces) == [Line(RESPONSE, "finish=None 5 characters: Hello")]


def test_reasoning_is_summed_up_when_the_answer_begins() -> None:
    story = Story()

    thinking = [
        *story.feed(chunk({"reasoning_content": "Let me "})),
        *story.feed(chunk({"reasoning": "see."})),
    ]
    answering = [*story.feed(chunk({"content": "Yes"}))]

    assert thinking == []
    assert answering == [Line(REASONING, "11 characters: Let me see.")]


def test_a_tool_call_is_told_when_it_begins_and_again_when_it_is_whole() -> None:
    lines = told(
        chunk({"reasoning_content": "Reading."}),
        calling(fragment(name="read", id="call_1")),
        calling(fragment('{"path":')),
        calling(fragment(' "a"}')),
        chunk({}, "tool_calls"),
    )

    assert lines == [
        Line(REASONING, "8 characters: Reading."),
        Line(CALL_BEGUN, "read (call_1)"),
        Line(CALL_WHOLE, 'read (call_1) {"path": "a"}'),
        Line(RESPONSE, "finish=tool_calls no text"),
    ]


@pytest.mark.parametrize(
    "chunks",
    [
        [
            calling(fragment("{", "a", "1", 0), fragment("{", "b", "2", 1)),
            calling(fragment("}", index=1), fragment("}", index=0), finish="tool_calls"),
        ],
        [
            calling(fragment("{", "a", "1", 0)),
            calling(fragment("}", index=0)),
            calling(fragment("{", "b", "2", 7)),
            calling(fragment("}", index=7), finish="tool_calls"),
        ],
        [calling(fragment("{}", "a", "1", 0)), calling(fragment("{}", "b", "2", 0), finish="tool_calls")],
        [calling(fragment({}, "a", "1", None)), calling(fragment({}, "b", "2", None), finish="tool_calls")],
    ],
    ids=["side by side", "with a gap", "all at index 0", "no index, arguments as objects"],
)
def test_several_calls_are_kept_apart(chunks: list[Any]) -> None:
    texts = [line.text for line in told(*chunks) if line.marker == CALL_WHOLE]

    assert texts == ["a (1) {}", "b (2) {}"]


def test_arguments_that_are_no_json_are_told_as_such() -> None:
    lines = told(calling(fragment('{"a', "read", "1"), finish="tool_calls"))

    assert Line(CALL_WHOLE, 'read (1) {"a (these arguments are not JSON)') in lines


def test_a_call_that_was_cut_off_is_told_at_the_end() -> None:
    lines = told(calling(fragment('{"a', "read", "1")))

    assert lines[1:] == [
        Line(CALL_BEGUN, 'read (1) never finished, 3 characters so far: {"a'),
        Line(RESPONSE, "finish=None no text"),
    ]


def test_a_plain_answer_is_told_like_a_stream() -> None:
    message = {
        "role": "assistant",
        "reasoning_content": "Hm.",
        "content": "See:",
        "tool_calls": [{"id": "1", "type": "function", "function": {"name": "read"}}],
    }

    lines = told(
        {"choices": [{"message": message, "finish_reason": "tool_calls"}], "usage": {"prompt_tokens": 1}}
    )

    assert [line.marker for line in lines] == [REASONING, CALL_BEGUN, CALL_WHOLE, RESPONSE, RESPONSE]


def test_an_error_of_the_target_within_a_stream_is_told() -> None:
    assert told({"error": {"message": "busy"}}) == [Line(ERROR, 'the target says {"message":"busy"}')]


def test_choices_are_told_one_by_one() -> None:
    both = {"choices": [{"index": i, "delta": {"content": "xy"[i]}, "finish_reason": "stop"} for i in (0, 1)]}

    assert told(both) == [
        Line(RESPONSE, "finish=stop 1 characters: x"),
        Line(RESPONSE, "finish=stop 1 characters: y"),
    ]


def test_a_long_answer_is_kept_in_part_and_its_length_is_named() -> None:
    lines = told(*[chunk({"content": "word " * 100})] * 100)

    assert lines[0].text.startswith("finish=None 50,000 characters: word")
    assert lines[0].text.endswith("50,000 characters in all")
    assert len(lines[0].text) < LONGEST + 200


MALFORMED: list[Any] = [
    None,
    3,
    "text",
    [],
    {"choices": None},
    {"choices": "text"},
    {"choices": [None, "x", {}]},
    {"choices": [{"delta": None}]},
    {"choices": [{"delta": "text"}]},
    {"choices": [{"delta": {"content": {"a": 1}}}]},
    {"choices": [{"delta": {"content": ["text", {"text": "b"}]}}]},
    {"choices": [{"delta": {"tool_calls": {"index": 0}}}]},
    {"choices": [{"delta": {"tool_calls": ["x", None, {}]}}]},
    {"choices": [{"delta": {"tool_calls": [{"function": "read"}]}}]},
    {"choices": [{"delta": {"tool_calls": [{"index": [1], "function": {"name": 3, "arguments": 4}}]}}]},
    {"choices": [{"index": {"a": 1}, "delta": {"reasoning_content": 3}, "finish_reason": 4}]},
    {"choices": [{"index": [], "message": "text"}]},
    {"usage": "many"},
    {"error": 1},
]


@pytest.mark.parametrize("shape", MALFORMED, ids=[json.dumps(shape)[:60] for shape in MALFORMED])
def test_any_shape_is_told_without_a_complaint(shape: Any) -> None:
    told(shape, shape)
    list(request_lines(shape))
    list(target_lines("x", "", shape))


FIELDS = """choices delta message messages tool_calls function arguments name content index id type text usage
role tools error image_url url finish_reason reasoning_content"""

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(FIELDS.split()) | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(st.lists(anything, max_size=4))
def test_nothing_raises_whatever_comes(shapes: list[Any]) -> None:
    told(*shapes)
    for shape in shapes:
        list(request_lines(shape))
        usage_numbers(shape)
