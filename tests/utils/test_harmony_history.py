"""A conversation becomes Harmony's messages, in the order in which the model expects them."""

from __future__ import annotations

from typing import Any

import pytest

from app.errors import BadRequest
from app.utils.harmony_history import (
    ANALYSIS,
    FINAL,
    LATER,
    PREAMBLE,
    USER,
    Frame,
    Line,
    instructions_in,
    lines_in,
)


def user(text: Any) -> dict[str, Any]:
    return {"role": "user", "content": text}


def assistant(text: Any = None, thought: str | None = None, *calls: tuple[str, str]) -> dict[str, Any]:
    made: dict[str, Any] = {"role": "assistant", "content": text}
    if thought:
        made["reasoning_content"] = thought
    if calls:
        made["tool_calls"] = [
            {"id": id, "type": "function", "function": {"name": name, "arguments": f'"{id}"'}}
            for id, name in calls
        ]
    return made


def result(id: str, text: Any = None, **over: Any) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": id, "content": text or f"result of {id}", **over}


def call(name: str, arguments: str) -> Line:
    return Line(Frame("assistant", "", "commentary", f"functions.{name}", "<|constrain|>json"), arguments)


def back(name: str, text: str) -> Line:
    return Line(Frame("tool", f"functions.{name}", "commentary", "assistant"), text)


HISTORIES: dict[str, tuple[list[dict[str, Any]], list[Line]]] = {
    "a question": ([user("Hi")], [Line(USER, "Hi")]),
    "a question in parts": (
        [user([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}])],
        [Line(USER, "a\n\nb")],
    ),
    "the analysis of a finished turn goes": (
        [user("Hi"), assistant("Hello", "hm"), user("And?")],
        [Line(USER, "Hi"), Line(FINAL, "Hello"), Line(USER, "And?")],
    ),
    "that of a tool loop stays": (
        [user("Hi"), assistant("I look.", "hm", ("1", "f")), result("1")],
        [
            Line(USER, "Hi"),
            Line(ANALYSIS, "hm"),
            Line(PREAMBLE, "I look."),
            call("f", '"1"'),
            back("f", "result of 1"),
        ],
    ),
    "also when the user speaks into it": (
        [user("Hi"), assistant(None, "hm", ("1", "f")), result("1"), user("Hurry")],
        [
            Line(USER, "Hi"),
            Line(ANALYSIS, "hm"),
            call("f", '"1"'),
            back("f", "result of 1"),
            Line(USER, "Hurry"),
        ],
    ),
    "and goes once the loop has ended": (
        [user("Hi"), assistant(None, "hm", ("1", "f")), result("1"), assistant("Done", "so"), user("And?")],
        [
            Line(USER, "Hi"),
            call("f", '"1"'),
            back("f", "result of 1"),
            Line(FINAL, "Done"),
            Line(USER, "And?"),
        ],
    ),
    "parallel calls, each with its result": (
        [user("Hi"), assistant(None, None, ("1", "f"), ("2", "g")), result("2"), result("1")],
        [
            Line(USER, "Hi"),
            call("f", '"1"'),
            back("f", "result of 1"),
            call("g", '"2"'),
            back("g", "result of 2"),
        ],
    ),
    "ids that come again in a later turn": (
        [
            assistant(None, None, ("1", "f")),
            result("1", "a"),
            assistant(None, None, ("1", "g")),
            result("1", "b"),
        ],
        [call("f", '"1"'), back("f", "a"), call("g", '"1"'), back("g", "b")],
    ),
    "a call without a result": (
        [assistant(None, None, ("1", "f")), user("x")],
        [call("f", '"1"'), Line(USER, "x")],
    ),
    "a result after the user's word": (
        [assistant(None, None, ("1", "f")), user("x"), result("1")],
        [call("f", '"1"'), Line(USER, "x"), back("f", "result of 1")],
    ),
    "a result without a call": (
        [result("9", name="h"), result("8")],
        [back("h", "result of 9"), back("tool", "result of 8")],
    ),
    "a result of nothing": ([result("1", [{"type": "text", "text": ""}])], [back("tool", "")]),
    "instructions in the middle stay there": (
        [user("Hi"), {"role": "system", "content": "Be short"}, {"role": "developer", "content": "Really"}],
        [Line(USER, "Hi"), Line(LATER, "Be short"), Line(LATER, "Really")],
    ),
    "thoughts under their other names": (
        [
            assistant(None, None, ("1", "f")) | {"thinking_blocks": [{"type": "thinking", "thinking": "hm"}]},
            assistant(None, None, ("2", "f")) | {"reasoning": "so"},
        ],
        [Line(ANALYSIS, "hm"), call("f", '"1"'), Line(ANALYSIS, "so"), call("f", '"2"')],
    ),
    "a refusal": (
        [{"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}],
        [Line(FINAL, "No.")],
    ),
    "arguments that are no text": (
        [
            {
                "role": "assistant",
                "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": {"a": 1}}}],
            }
        ],
        [call("f", '{"a":1}')],
    ),
    "control tokens anywhere": (
        [
            user("<|end|>"),
            assistant("<|call|>", "<|channel|>", ("1", "f<|message|>")),
            result("1", "<|return|>"),
        ],
        [
            Line(USER, "< |end|>"),
            Line(ANALYSIS, "< |channel|>"),
            Line(PREAMBLE, "< |call|>"),
            call("f< |message|>", '"1"'),
            back("f< |message|>", "< |return|>"),
        ],
    ),
    "nothing": ([], []),
}


@pytest.mark.parametrize(("messages", "lines"), HISTORIES.values(), ids=HISTORIES)
def test_a_conversation_is_told_in_harmonys_messages(
    messages: list[dict[str, Any]], lines: list[Line]
) -> None:
    assert lines_in({"messages": [{"role": "system", "content": "x"}, *messages]}) == lines


@pytest.mark.parametrize(
    ("part", "what"),
    [
        ({"type": "image_url", "image_url": {"url": "data:"}}, "an image"),
        ({"type": "input_audio"}, "sound"),
        ({"type": "file"}, "a file"),
        ({"type": "video"}, "a part of type 'video'"),
    ],
)
def test_what_is_no_text_is_refused(part: dict[str, Any], what: str) -> None:
    with pytest.raises(BadRequest, match=f"text only, and a message holds {what}"):
        lines_in({"messages": [user([{"type": "text", "text": "Look"}, part])]})


# ---------------------------------------------------------------------- instructions

TOOLS = [{"type": "function", "function": {"name": name}} for name in "fg"]
SCHEMA = {
    "type": "json_schema",
    "json_schema": {"name": "n", "description": "a\nb", "schema": {"type": "object"}},
}


@pytest.mark.parametrize(
    ("body", "instructions"),
    [
        pytest.param({}, "", id="none"),
        pytest.param(
            {
                "messages": [
                    {"role": "system", "content": "Be nice"},
                    {"role": "developer", "content": [{"type": "text", "text": "and short"}]},
                    user("Hi"),
                    {"role": "system", "content": "later"},
                ]
            },
            "Be nice\n\nand short",
            id="all that stand before the conversation",
        ),
        pytest.param({"messages": [{"role": "system", "content": "<|end|>"}]}, "< |end|>", id="neutralised"),
        pytest.param(
            {"tools": TOOLS, "tool_choice": "required"},
            "Call one of the functions now, before you answer anything.",
            id="a tool must be called",
        ),
        pytest.param(
            {"tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "g"}}},
            "Call functions.g now, before you answer anything.",
            id="this one",
        ),
        pytest.param({"tools": TOOLS, "tool_choice": "auto"}, "", id="as it likes"),
        pytest.param({"tool_choice": "required"}, "", id="but there is none"),
        pytest.param(
            {"response_format": SCHEMA},
            '# Response Formats\n\n## n\n\n// a\n// b\n{"type":"object"}',
            id="a form of answer",
        ),
        pytest.param(
            {"response_format": {"type": "json_object"}},
            '# Response Formats\n\n## json\n\n// One JSON object and nothing else.\n{"type":"object"}',
            id="some JSON",
        ),
        pytest.param({"response_format": {"type": "text"}}, "", id="text"),
        pytest.param({"response_format": {"type": "json_schema"}}, "", id="no schema"),
    ],
)
def test_instructions_hold_what_is_asked_of_every_answer(body: dict[str, Any], instructions: str) -> None:
    assert instructions_in(body) == instructions
