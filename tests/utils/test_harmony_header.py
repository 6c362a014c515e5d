"""A recipient means the tool it was meant for, whatever got stuck to its name."""

from __future__ import annotations

import pytest

from app.utils.harmony_header import LOST, SAY, THINK, Header, may_open, read_header, tool_named

TOOLS = ("get_weather", "json", "functions", "mcp__db__query", "a.b")


@pytest.mark.parametrize(
    ("recipient", "tool"),
    [
        ("functions.get_weather", "get_weather"),
        ("get_weather", "get_weather"),
        ("functions.functions.get_weather", "get_weather"),
        ("functions.get_weather?", "get_weather"),
        ("functions.get_weatherjson", "get_weather"),
        ("functions.get_weathercommentary", "get_weather"),
        ("functions.get_weathercode?", "get_weather"),
        ("tools.get_weather", "get_weather"),
        ("functions.mcp__db__query", "mcp__db__query"),
        ("functions.a.b", "a.b"),
        ("functions.json", "json"),
        ("functions.functions", "functions"),
        ("functions.unknown", "unknown"),
        ("functions.unknown.", "unknown"),
        ("functions.Get_Weather", "Get_Weather"),
        ("functions.", ""),
        ("functions.?", ""),
        ("unknown", ""),
        ("python", ""),
        ("browser.open", ""),
        ("", ""),
    ],
)
def test_a_recipient_names_a_tool(recipient: str, tool: str) -> None:
    assert tool_named(recipient, TOOLS) == tool


@pytest.mark.parametrize(
    ("raw", "header"),
    [
        ("assistant<|channel|>final", SAY),
        ("<|channel|>analysis", THINK),
        (
            "assistant to=functions.x to=functions.get_weather<|channel|>commentary",
            Header("call", "get_weather"),
        ),
        (
            "assistant to=functions.get_weather<|channel|>commentary to=functions.x",
            Header("call", "get_weather"),
        ),
        ("assistant to=assistant<|channel|>commentary to=functions.x", Header("call", "x")),
        ("assistant to=functions.x<|channel|>commentary to=assistant", Header("call", "x")),
        ("odd<|channel|>final", LOST),
        ("odd to=functions.x<|channel|>final", Header("call", "x")),
        ("", LOST),
        ("<|channel|>", LOST),
        ("<|channel|>final json json", SAY),
        ("<|channel|>final json code", LOST),
    ],
)
def test_a_header_says_what_its_message_is(raw: str, header: Header) -> None:
    assert read_header(raw, TOOLS) == header


def test_text_that_goes_on_like_a_header_is_waited_for_only_so_long() -> None:
    assert may_open("assistant to=" + "x" * 100)
    assert not may_open("assistant to=" + "x" * 1000)
    assert not may_open("Hello")
