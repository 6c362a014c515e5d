"""Requests, chunks and answers as short lines."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.utils.preview import (
    CALL_BEGUN,
    CALL_WHOLE,
    CHUNK,
    ERROR,
    LONGEST,
    REASONING,
    REQUEST,
    RESPONSE,
    TARGET,
    TOOLS_OFFERED,
    Line,
    Usage,
    answer_text,
    as_json,
    clipped,
    content_text,
    message_text,
    outline,
    preview,
    request_lines,
    sent_lines,
    size,
    target_lines,
    tools_texts,
    usage_numbers,
)

PNG = "data:image/png;base64," + "A" * 40_000

# ─── texts ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("short", "short"),
        ("two\n lines  and\tmore", "two lines and more"),
        ("x" * 150, "x" * 150),
        ("word " * 40, "word " * 29 + "word… (200 characters)"),
        ("y" * 151, "y" * 150 + "… (151 characters)"),
        (f"{'z' * 110}, {'q' * 60}", "z" * 110 + ",… (172 characters)"),
        ("a" * 120 + '","' + "b" * 60, "a" * 120 + '","… (183 characters)'),
        (" " * 599 + "secret-beginning", "… (615 characters)"),
    ],
    ids=["empty", "short", "lines", "just fits", "words", "one word", "last space", "no space", "spaces"],
)
def test_a_preview_is_one_line_that_ends_with_a_word(text: str, shown: str) -> None:
    assert preview(text) == shown


@given(st.text())
def test_a_preview_is_never_longer_than_150_characters_and_its_note(text: str) -> None:
    shown = preview(text)

    assert len(shown) <= 150 + len(f"… ({len(text):,} characters)")
    assert "\n" not in shown


@given(st.text(st.sampled_from("ab "), min_size=200, max_size=700))
def test_a_preview_has_at_least_100_characters_when_there_are_words(text: str) -> None:
    words = " ".join(f"w{text}".split())

    assert len(preview(words)) >= min(len(words), 100)


@given(st.integers(0, 400), st.text(st.sampled_from("abcXYZ0189-_.+/="), min_size=8, max_size=48))
def test_a_preview_shows_a_key_of_ordinary_length_whole_or_not_at_all(position: int, key: str) -> None:
    shown = preview(f"{'lorem ipsum, ' * 40}"[:position] + f' "{key}" ' + "dolor sit " * 60)

    assert key in shown or key[:8] not in shown


def test_contents_over_10000_characters_are_cut_and_their_length_is_named() -> None:
    assert clipped("x" * LONGEST) == "x" * LONGEST
    assert clipped("word " * 4000) == "word " * 1999 + "word… (cut: 20,000 characters in all)"


@pytest.mark.parametrize(
    ("octets", "shown"), [(0, "0 B"), (999, "999 B"), (61_234, "61.2 kB"), (1_400_000, "1.4 MB")]
)
def test_sizes_are_for_people(octets: int, shown: str) -> None:
    assert size(octets) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"a": [1, None, "x"]}, '{"a":[1,null,"x"]}'),
        ({"image_url": {"url": PNG}}, '{"image_url":{"url":"<image/png, 30.0 kB>"}}'),
        ({"input_audio": {"data": "B" * 4000, "format": "wav"}}, None),
        ({"b64_json": "C" * 4000}, '{"b64_json":"<base64, 3.0 kB>"}'),
        ({"data": "a short text"}, '{"data":"a short text"}'),
        ({1: (2, 3)}, '{"1":[2,3]}'),
        ("data: no URL", '"data: no URL"'),
        ({"x": {1, 2}}, '{"x":"{1, 2}"}'),
        ({"embedding": [0.5] * 1536}, '{"embedding":"<1,536 numbers>"}'),
        ({"few": [1, 2.5]}, '{"few":[1,2.5]}'),
    ],
    ids=["plain", "picture", "audio", "base64", "short data", "odd keys", "no URL", "a set", "vector", "few"],
)
def test_json_is_shown_whole_but_for_files(value: Any, shown: str | None) -> None:
    assert as_json(value) == (shown or '{"input_audio":{"data":"<base64, 3.0 kB>","format":"wav"}}')


def test_json_is_cut_when_it_is_long_and_when_it_is_deep() -> None:
    deep: list[Any] = []
    for _ in range(1000):
        deep = [deep]
    circle: dict[str, Any] = {}
    circle["circle"] = circle

    assert as_json({"content": "word " * 10_000}).endswith('… (cut: 50,000 characters in all)"}')
    assert "characters in all" in as_json(["a text of some length"] * 1000)
    assert "…" in as_json(deep)
    assert "…" in as_json(circle)


# ─── requests ────────────────────────────────────────────────────────────────────────────────────


def tool(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}


READS = {
    "name": "read",
    "description": "Reads\na file.",
    "parameters": {"type": "object", "properties": {"path": {}, "limit": {}}},
}


def test_a_request_is_its_settings_its_messages_and_its_tools() -> None:
    body = {
        "model": "glm",
        "stream": True,
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}],
        "tools": [tool("read"), tool("write"), tool("bash")],
    }

    assert list(request_lines(body)) == [
        Line(REQUEST, '{"model":"glm","stream":true,"messages":2,"tools":3}'),
        Line(REQUEST, "1 system: Be brief."),
        Line(REQUEST, "2 user: Hello"),
        Line(TOOLS_OFFERED, "1 of 3: read"),
        Line(TOOLS_OFFERED, "and write, bash"),
    ]


def test_a_target_is_its_name_its_place_and_what_is_sent_there() -> None:
    lines = target_lines("zai/glm-4.7", "https://api.example/v1", {"model": "glm-4.7", "messages": [1, 2, 3]})

    assert list(lines) == [
        Line(TARGET, "zai/glm-4.7 at https://api.example/v1"),
        Line(TARGET, 'sent {"model":"glm-4.7","messages":3}'),
    ]


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        ("Hello", "Hello"),
        (None, ""),
        ([{"type": "text", "text": "Hello"}, {"type": "text", "text": "again"}], "Hello | again"),
        ([{"type": "image_url", "image_url": {"url": PNG}}], "[image_url image/png, 30.0 kB]"),
        ([{"type": "image_url", "image_url": PNG}], "[image_url image/png, 30.0 kB]"),
        (
            [{"type": "image_url", "image_url": {"url": "https://u:p@host:8/a?sig=x"}}],
            "[image_url at host:8]",
        ),
        (
            [{"type": "input_audio", "input_audio": {"data": "A" * 400, "format": "wav"}}],
            "[input_audio wav 300 B]",
        ),
        (
            [{"type": "file", "file": {"filename": "a.pdf", "file_data": PNG}}],
            "[file a.pdf image/png, 30.0 kB]",
        ),
        ([{"type": "file", "file": {"file_id": "file_1"}}], "[file file_1]"),
        ([{"type": "new_kind", "x": 1}], "[new_kind]"),
        (["text", 3, None], "text | 3 | null"),
        ({"not": "usual"}, '{"not":"usual"}'),
        (42, "42"),
    ],
)
def test_contents_are_previews_and_files_are_named(content: Any, shown: str) -> None:
    assert content_text(content) == shown


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ({"role": "user", "content": "Hello"}, "user: Hello"),
        ({"role": "tool", "tool_call_id": "call_1", "content": "done"}, "tool call_1: done"),
        (
            {"role": "assistant", "content": "Let me see.", "tool_calls": [{"id": "call_1", **tool("read")}]},
            "assistant: Let me see. calls read (call_1)",
        ),
        (
            {"role": "assistant", "reasoning_content": "Well.", "content": "Yes"},
            "assistant: (thought: Well.) Yes",
        ),
        ({}, "None: "),
        ("a text", '"a text"'),
        ({"role": "user", "content": "x", "tool_calls": "nonsense"}, "user: x"),
    ],
)
def test_a_message_is_its_role_and_what_it_says(message: Any, shown: str) -> None:
    assert message_text(message) == shown


@pytest.mark.parametrize(
    ("tools", "texts"),
    [
        (None, []),
        ("nonsense", []),
        ([{"type": "custom", "custom": {"name": "shell"}}], ["1 of 1: shell"]),
        ([tool("a"), {"name": "flat"}, 3], ["1 of 3: a", "and flat, ?"]),
        ([{"type": "web_search"}], ["1 of 1: web_search"]),
        ([tool("a"), {"type": "web_search"}, {"type": "web_fetch", "name": "look"}], None),
        ([{"type": "function", "function": READS}], ["1 of 1: read (path, limit): Reads a file."]),
        ([{"type": "function", **READS}], ["1 of 1: read (path, limit): Reads a file."]),
        (
            [{"name": "read", "description": READS["description"], "input_schema": READS["parameters"]}],
            ["1 of 1: read (path, limit): Reads a file."],
        ),
        ([{"name": "odd", "description": 3, "input_schema": {"properties": []}}], ["1 of 1: odd"]),
    ],
)
def test_the_first_tool_is_outlined_and_the_others_are_names(tools: Any, texts: list[str] | None) -> None:
    assert list(tools_texts(tools)) == (["1 of 3: a", "and web_search, look"] if texts is None else texts)


def test_a_tool_with_a_manual_of_its_own_stays_a_line() -> None:
    words = {
        "description": "word " * 2000,
        "parameters": {"properties": {f"p{n}" * 9: {} for n in range(50)}},
    }

    assert len(next(tools_texts([{"name": "read", **words}]))) < 400


def test_an_outline_keeps_every_field_but_counts_messages_and_tools() -> None:
    assert outline({"x": 1, "tools": [1, 2], "messages": "odd"}) == '{"x":1,"tools":2,"messages":"odd"}'


MANUAL = "word " * 40
"""200 characters."""


@pytest.mark.parametrize(
    ("body", "settings", "lines"),
    [
        (
            {"system": MANUAL, "messages": [{"role": "user", "content": "Hi"}]},
            '{"system":"<200 characters>","messages":1}',
            [f"system: {preview(MANUAL)}", "1 user: Hi"],
        ),
        (
            {"system": [{"type": "text", "text": "a b"}, {"type": "text", "text": MANUAL}], "messages": []},
            '{"system":"<203 characters>","messages":0}',
            [f"system: a b | {preview(MANUAL)}"],
        ),
        (
            {"instructions": MANUAL, "input": [{"role": "user", "content": "Hi"}]},
            '{"instructions":"<200 characters>","input":1}',
            [f"instructions: {preview(MANUAL)}", "1 user: Hi"],
        ),
        ({"input": "Hi"}, '{"input":"<2 characters>"}', ["input: Hi"]),
        ({"input": ["a b", "c"]}, '{"input":2}', ['1 "a b"', '2 "c"']),
        ({"prompt": MANUAL}, '{"prompt":"<200 characters>"}', [f"prompt: {preview(MANUAL)}"]),
        ({"prompt": [7] * 31}, '{"prompt":"<31 numbers>"}', []),
        ({"query": "q", "documents": ["a", "b"]}, '{"query":"q","documents":2}', []),
        (
            {"metadata": {"user_id": MANUAL}},
            '{"metadata":{"user_id":"' + "word " * 29 + 'word… (cut: 200 characters in all)"}}',
            [],
        ),
        ({"system": {"odd": 1}, "instructions": None}, '{"system":{"odd":1},"instructions":null}', []),
    ],
    ids=[
        "a system prompt",
        "in blocks",
        "instructions",
        "input as text",
        "texts to embed",
        "a prompt",
        "a prompt in tokens",
        "documents",
        "a long setting",
        "neither",
    ],
)
def test_a_prompt_has_lines_of_its_own_and_the_settings_say_how_long_it_is(
    body: dict[str, Any], settings: str, lines: list[str]
) -> None:
    assert [line.text for line in request_lines(body)] == [settings, *lines]


def test_every_marker_is_one_of_those_that_people_search_for() -> None:
    markers = {REQUEST, TARGET, CHUNK, REASONING, TOOLS_OFFERED, CALL_BEGUN, CALL_WHOLE, RESPONSE, ERROR}

    assert markers == {
        "[REQUEST]",
        "[TARGET]",
        "[STREAM CHUNK]",
        "[REASONING]",
        "[Tool Request]",
        "[Tool Call]",
        "[Tool Call Complete]",
        "[RESPONSE]",
        "[ERROR]",
    }


# ─── usage ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("usage", "numbers"),
    [
        (None, Usage()),
        ("many", Usage()),
        ({"prompt_tokens": 5, "completion_tokens": 2}, Usage(5, 2)),
        (
            {
                "prompt_tokens": 5,
                "completion_tokens": 2,
                "prompt_tokens_details": {"cached_tokens": 4},
                "completion_tokens_details": {"reasoning_tokens": 1},
            },
            Usage(5, 2, 4, 1),
        ),
        ({"prompt_tokens": 5, "prompt_cache_hit_tokens": 3}, Usage(5, None, 3)),
        (
            {"prompt_tokens": 5, "prompt_cache_hit_tokens": 3, "prompt_tokens_details": None},
            Usage(5, None, 3),
        ),
        ({"prompt_tokens": "5", "completion_tokens": True, "prompt_tokens_details": []}, Usage()),
        ({"prompt_tokens": 0, "prompt_tokens_details": {"cached_tokens": 0}}, Usage(0, None, 0)),
    ],
)
def test_tokens_are_read_where_they_are_and_none_are_made_up(usage: Any, numbers: Usage) -> None:
    assert usage_numbers(usage) == numbers


# ─── what leaves ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("data", "texts"),
    [
        (b'data: {"a": 1}\n\ndata: [DONE]\n\n', ['{"a":1}', "[DONE]"]),
        (b'event: message_stop\ndata: {"type":"message_stop"}\n\n', ['message_stop {"type":"message_stop"}']),
        (b": keep-alive\n\n", [": keep-alive"]),
        (b'data: {"a":\ndata: 1}\n\n', ['{"a":1}']),
        (b"event: ping\n\n", ["ping event: ping"]),
        (b"data: \xff\n\n", ["\N{REPLACEMENT CHARACTER}"]),
        (b"half an event", ["half an event"]),
        (b"", []),
    ],
    ids=["chat", "named", "comment", "two lines", "no data", "no text", "no end", "nothing"],
)
def test_each_event_that_leaves_is_a_line_with_its_name(data: bytes, texts: list[str]) -> None:
    assert list(sent_lines(data)) == [Line(CHUNK, f"sent {text}") for text in texts]


@pytest.mark.parametrize(
    ("event", "shown"),
    [
        (
            {"type": "response.created", "response": {"id": "r", "instructions": MANUAL, "tools": [1, 2]}},
            '{"type":"response.created","response":{"id":"r","instructions":"<200 characters>","tools":2}}',
        ),
        (
            {"object": "response", "instructions": MANUAL, "output": []},
            '{"object":"response","instructions":"<200 characters>","output":[]}',
        ),
        ({"object": "list", "instructions": "kept"}, '{"object":"list","instructions":"kept"}'),
        ("odd", '"odd"'),
    ],
    ids=["an event", "an answer", "another answer", "neither"],
)
def test_what_an_answer_repeats_of_its_request_is_only_measured(event: Any, shown: str) -> None:
    assert answer_text(event) == shown


def test_a_long_event_is_cut_and_a_picture_in_it_is_named() -> None:
    event = {"text": "word " * 3000, "image_url": PNG}
    (line,) = sent_lines(b"data: " + json.dumps(event).encode() + b"\n\n")

    assert "word… (cut: 15,000 characters in all)" in line.text
    assert "<image/png, 30.0 kB>" in line.text
