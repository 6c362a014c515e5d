"""Which text of a request is billed, in each dialect; the tokenizer here counts words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from app.types import Body
from app.utils.tokens import Prompt, counted, prompt_of, tokens_in
from app.utils.tokens_families import Family

BARE = Family("bare", base=0, message=0, call=0, tools=0)
FRAMED = Family("framed", base=1000, message=100, call=10, tools=10_000)

CALL = {"id": "c1", "type": "function", "function": {"name": "read", "arguments": '{"path": "a.txt"}'}}
USE = {"type": "tool_use", "id": "c1", "name": "read", "input": {"path": "a.txt"}}
RESULT = {"type": "tool_result", "tool_use_id": "c1", "content": [{"type": "text", "text": "found it"}]}
REPORT = {"type": "document", "source": {"type": "text", "data": "a report"}}
THOUGHT = {"type": "thinking", "thinking": "let me see", "signature": "c2lnbmF0dXJl"}


def words(texts: Sequence[str]) -> list[int]:
    return [len(text.split()) for text in texts]


def said(role: str, content: Any, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}


def parts(kind: str, *texts: str) -> list[dict[str, Any]]:
    return [{"type": kind, "text": text} for text in texts]


@pytest.mark.parametrize(
    ("body", "texts"),
    [
        pytest.param({"messages": [said("user", "hello there")]}, ["hello there"], id="a text"),
        pytest.param({"messages": [said("user", parts("text", "a", "b"))]}, ["a", "b"], id="parts"),
        pytest.param({"system": "be brief", "messages": []}, ["be brief"], id="system"),
        pytest.param({"system": parts("text", "x", "y"), "messages": []}, ["x", "y"], id="system in blocks"),
        pytest.param(
            {"messages": [said("assistant", None, tool_calls=[CALL]), said("tool", "found it")]},
            ["read", '{"path": "a.txt"}', "found it"],
            id="calls and results of chat",
        ),
        pytest.param(
            {"messages": [said("assistant", [USE]), said("user", [RESULT])]},
            ["read", '{"path": "a.txt"}', "found it"],
            id="calls and results of Messages",
        ),
        pytest.param(
            {
                "input": [
                    {"type": "function_call", "name": "read", "arguments": "{}"},
                    {"type": "function_call_output", "call_id": "c1", "output": "found it"},
                ]
            },
            ["read", "{}", "found it"],
            id="calls and results of Responses",
        ),
        pytest.param({"input": "hello", "instructions": "be brief"}, ["be brief", "hello"], id="one input"),
        pytest.param({"input": [said("user", parts("input_text", "hello"))]}, ["hello"], id="input items"),
        pytest.param(
            {"messages": [said("user", [{"type": "tool_reference", "tool_name": "edit"}])]},
            ["edit"],
            id="a tool that was found",
        ),
        pytest.param(
            {"messages": [said("user", [REPORT])]},
            ["a report"],
            id="a document of text",
        ),
        pytest.param(
            {"messages": [], "output_config": {"format": {"schema": {"type": "string"}}}},
            ['{"type": "string"}'],
            id="the schema of the answer in Messages",
        ),
        pytest.param(
            {"messages": [], "response_format": {"json_schema": {"schema": {"type": "string"}}}},
            ['{"type": "string"}'],
            id="the schema of the answer in chat",
        ),
        pytest.param(
            {"messages": [said("user", ""), "?", said("user", [None, 7])]}, [], id="nothing to read"
        ),
    ],
)
def test_the_texts_that_a_model_reads_are_found(body: Body, texts: list[str]) -> None:
    assert prompt_of(body, BARE) == Prompt(tuple(texts), 0)


@pytest.mark.parametrize(
    ("later", "texts"),
    [
        pytest.param(
            [said("user", [RESULT])],
            ["go on", "let me see", "found it"],
            id="within a tool loop they are read again",
        ),
        pytest.param(
            [said("user", "thanks")], ["go on", "thanks"], id="once a person has spoken they are not"
        ),
    ],
)
def test_thoughts_count_while_their_turn_lasts(later: list[Any], texts: list[str]) -> None:
    body = {"messages": [said("user", "go on"), said("assistant", [THOUGHT]), *later]}

    assert list(prompt_of(body, BARE).texts) == texts


def test_frames_are_counted_for_messages_calls_and_tools() -> None:
    tool = {"name": "read", "description": "Reads a file", "input_schema": {"type": "object"}}
    body = {"system": "s", "messages": [said("user", "u"), said("assistant", [USE])], "tools": [tool]}

    assert prompt_of(body, FRAMED).extra == 1000 + 3 * 100 + 10 + 10_000


def test_no_tools_is_the_same_as_no_list_of_tools() -> None:
    body = {"messages": [said("user", "hello")]}

    assert prompt_of(body | {"tools": []}, FRAMED) == prompt_of(body, FRAMED)


@pytest.mark.parametrize(
    "part",
    [
        pytest.param({"type": "image_url", "image_url": {"url": "https://x.test/cat.png"}}, id="chat"),
        pytest.param(
            {"type": "image", "source": {"type": "url", "url": "https://x.test/cat.png"}}, id="Messages"
        ),
        pytest.param({"type": "input_image", "image_url": "https://x.test/cat.png"}, id="Responses"),
        pytest.param({"type": "tool_result", "content": [{"type": "image", "source": {}}]}, id="in a result"),
    ],
)
def test_a_picture_that_nobody_fetched_counts_as_one_of_usual_size(part: dict[str, Any]) -> None:
    prompt = prompt_of({"messages": [said("user", [part])]}, BARE)

    assert prompt == Prompt((), 37 * 28)


def test_a_pdf_counts_by_its_pages_in_each_dialect() -> None:
    data = "data:application/pdf;base64,JVBERi0xLjcK"
    blocks = [
        {"type": "document", "source": {"type": "base64", "data": "JVBERi0xLjcK"}},
        {"type": "file", "file": {"file_data": data}},
        {"type": "input_file", "file_data": data},
    ]

    assert prompt_of({"messages": [said("user", blocks)]}, BARE).extra == 3 * BARE.page


@pytest.mark.parametrize(
    ("family", "tokens"),
    [
        pytest.param(Family("a", base=0, message=0, text=2.0), 12, id="its text"),
        pytest.param(Family("a", base=0, message=0, digit=1.0), 6 + 3, id="each digit"),
        pytest.param(Family("a", base=0, message=0, line=0.5), 6 + 1, id="each end of a line"),
    ],
)
def test_a_family_is_what_it_adds_to_the_count(family: Family, tokens: int) -> None:
    body = {"messages": [said("user", "in 2025 42 years\n\nmore than\n7")]}

    assert tokens_in(body, family, lambda texts: [6 for _ in texts]) == tokens


def test_the_sum_is_of_all_texts_and_frames() -> None:
    prompt = Prompt(("one two", "three"), 7)

    assert counted(prompt, BARE, words(prompt.texts)) == 10


def test_content_within_content_ends_somewhere() -> None:
    part: dict[str, Any] = {"type": "text", "text": "deep"}
    for _ in range(5000):
        part = {"type": "tool_result", "content": [part]}

    assert prompt_of({"messages": [said("user", [part])]}, BARE).texts == ()
