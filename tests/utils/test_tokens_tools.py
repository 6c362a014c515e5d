"""A tool as the text that each provider makes of it."""

from __future__ import annotations

from typing import Any

import pytest

from app.utils.tokens_tools import as_json, tool_texts

SCHEMA = {
    "type": "object",
    "properties": {
        "path": {"type": "string", "description": "Where it is"},
        "mode": {"enum": ["text", "bytes"]},
        "lines": {"type": "array", "items": {"type": "integer"}},
        "at": {"type": "object", "properties": {"row": {"type": "number"}}, "required": ["row"]},
        "by": {"anyOf": [{"type": "string"}, {"type": ["null", "boolean"]}]},
    },
    "required": ["path"],
}
CHAT = {"type": "function", "function": {"name": "read", "description": "Reads a file", "parameters": SCHEMA}}
MESSAGES = {"name": "read", "description": "Reads a file", "input_schema": SCHEMA}
RESPONSES = {"type": "function", "name": "read", "description": "Reads a file", "parameters": SCHEMA}
NAMESPACE = {"type": "namespace", "name": "files", "tools": [RESPONSES]}

TYPESCRIPT = """\
// Reads a file
type read = (_: {
// Where it is
path: string,
mode?: "text" | "bytes",
lines?: number[],
at?: {
row: number,
},
by?: string | null | boolean,
}) => any;

"""
WORDS = (
    "read\nReads a file\npath string\nWhere it is\nmode \ntext bytes\nlines array\nat object\nrow number\nby "
)


@pytest.mark.parametrize(
    "tool", [CHAT, MESSAGES, RESPONSES, NAMESPACE], ids=["chat", "messages", "responses", "namespace"]
)
def test_a_tool_is_the_same_text_in_whichever_dialect_it_was_offered(tool: Any) -> None:
    assert tool_texts([tool], "json") == [as_json(CHAT)]
    assert tool_texts([tool], "typescript") == [TYPESCRIPT]
    assert tool_texts([tool], "words") == [WORDS]


def test_json_is_printed_with_blanks_as_chat_templates_do() -> None:
    tool = {"name": "wait", "description": "", "input_schema": {"type": "object"}}
    function = '{"name": "wait", "description": "", "parameters": {"type": "object"}}'

    assert tool_texts([tool], "json") == [f'{{"type": "function", "function": {function}}}']


@pytest.mark.parametrize(
    "tools",
    [
        None,
        [],
        "tools",
        [None],
        [{}],
        [{"type": "web_search_20250305", "name": "web_search"}],
        [{"type": "web_search"}],
    ],
    ids=["none", "empty", "no list", "no tool", "nothing in it", "server tool", "hosted tool"],
)
def test_what_is_no_function_is_no_text(tools: Any) -> None:
    assert tool_texts(tools, "json") == []


@pytest.mark.parametrize("style", ["typescript", "words"])
def test_a_schema_that_goes_on_for_ever_is_cut(style: Any) -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(2000):
        schema = {"type": "object", "properties": {"in": schema}}

    assert len(tool_texts([{"name": "dig", "input_schema": schema}], style)[0]) < 2000


def test_json_nested_beyond_sense_is_nothing() -> None:
    value: Any = []
    for _ in range(100_000):
        value = [value]

    assert as_json(value) == ""
