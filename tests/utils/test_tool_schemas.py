"""Tools for Gemini's OpenAI-compatible endpoint: what it does not know goes, the rest means the same."""

from __future__ import annotations

from typing import Any

import pytest

from app.types import Target
from app.utils.tool_schemas import plain, takes_a_subset, with_plain_tools
from tests.fakes import target

GEMINI = "https://generativelanguage.googleapis.com/v1beta/openai"


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        pytest.param(
            {"type": "object", "$schema": "x", "additionalProperties": False},
            {"type": "object"},
            id="strangers",
        ),
        pytest.param({"type": "string", "format": "uri"}, {"type": "string"}, id="an unknown format"),
        pytest.param(
            {"type": "string", "format": "date-time"},
            {"type": "string", "format": "date-time"},
            id="a known one",
        ),
        pytest.param({"const": "a"}, {"enum": ["a"]}, id="const"),
        pytest.param({"type": "integer", "enum": [1, 2]}, {"type": "integer"}, id="an enum of numbers"),
        pytest.param({"type": ["string", "null"]}, {"type": "string", "nullable": True}, id="perhaps null"),
        pytest.param(
            {"type": ["string", "number"]},
            {"anyOf": [{"type": "string"}, {"type": "number"}]},
            id="several types",
        ),
        pytest.param({"exclusiveMinimum": 0}, {"minimum": 0}, id="exclusive limits"),
        pytest.param(
            {"oneOf": [{"type": "string", "$id": "x"}]}, {"anyOf": [{"type": "string"}]}, id="oneOf"
        ),
        pytest.param(
            {
                "properties": {"a": {"type": "string"}},
                "allOf": [{"type": "object", "properties": {"b": {"const": "x"}}}],
            },
            {"type": "object", "properties": {"a": {"type": "string"}, "b": {"enum": ["x"]}}},
            id="allOf",
        ),
        pytest.param(
            {
                "properties": {"x": {"$ref": "#/$defs/X", "description": "d"}},
                "$defs": {"X": {"type": "string"}},
            },
            {"properties": {"x": {"type": "string", "description": "d"}}},
            id="a reference",
        ),
        pytest.param({"items": True}, {"items": {}}, id="anything"),
        pytest.param(
            {"properties": {"$schema": {"type": "string"}}},
            {"properties": {"$schema": {"type": "string"}}},
            id="a property of that name",
        ),
    ],
)
def test_a_schema_is_said_in_the_subset(schema: dict[str, Any], said: dict[str, Any]) -> None:
    assert plain(schema) == said


def test_a_schema_that_leads_to_itself_ends() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}}

    assert plain({"$ref": "#/$defs/Node", "$defs": {"Node": node}})["type"] == "object"


def test_tools_are_cut_and_nothing_else_and_not_in_place() -> None:
    function = {"name": "f", "strict": True, "parameters": {"type": "object", "additionalProperties": False}}
    body = {"messages": [], "tools": [{"type": "function", "function": function}, "odd"]}
    made = with_plain_tools(body)

    assert made["tools"][0]["function"] == {"name": "f", "parameters": {"type": "object"}}
    assert made["tools"][1] == "odd"
    assert function["strict"] is True
    assert with_plain_tools({"messages": []}) == {"messages": []}


@pytest.mark.parametrize(
    ("where", "takes"),
    [
        (target(base_url=GEMINI), True),
        (target(base_url="https://api.z.ai/api/paas/v4"), False),
        (target(base_url=GEMINI, carrier="litellm", litellm_provider="gemini"), False),
    ],
)
def test_only_the_compatible_endpoint_needs_it(where: Target, takes: bool) -> None:
    assert takes_a_subset(where) is takes
