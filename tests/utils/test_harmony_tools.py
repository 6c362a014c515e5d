"""Tools are said in the plain types that Harmony's prompt has words for."""

from __future__ import annotations

from typing import Any

import pytest

from app.utils.harmony_tools import MOST, described, functions_in, plainer

F, G = ({"type": "function", "function": {"name": name}} for name in "fg")
NODE = {"type": "object", "properties": {"children": {"type": "array", "items": {"$ref": "#/$defs/Node"}}}}


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        (None, ["f", "g"]),
        ("auto", ["f", "g"]),
        ("required", ["f", "g"]),
        ("none", []),
        ({"type": "function", "function": {"name": "g"}}, ["g"]),
        ({"type": "function", "function": {"name": "h"}}, []),
        ({"type": "function"}, ["f", "g"]),
    ],
)
def test_the_model_is_shown_what_it_may_call(choice: Any, names: list[str]) -> None:
    body = {"tools": [F, G, {"type": "web_search"}, None], "tool_choice": choice}

    assert [function["name"] for function in functions_in(body)] == names


def test_there_may_be_no_tools() -> None:
    assert functions_in({}) == functions_in({"tools": None}) == []


@pytest.mark.parametrize(
    ("function", "made"),
    [
        ({"name": "f"}, {"name": "f", "description": "", "parameters": None}),
        ({"name": "f", "parameters": {}}, {"name": "f", "description": "", "parameters": None}),
        (
            {"name": "f", "description": "d", "strict": True, "parameters": {"type": "object"}},
            {"name": "f", "description": "d", "parameters": {"type": "object"}},
        ),
    ],
)
def test_a_function_has_a_name_a_description_and_parameters(
    function: dict[str, Any], made: dict[str, Any]
) -> None:
    assert described(function) == made


STRING, NULL = {"type": "string"}, {"type": "null"}
SCHEMAS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "plain": (STRING, STRING),
    "null among types": ({"type": ["string", "null"]}, STRING | {"nullable": True}),
    "null among several types": (
        {"type": ["string", "integer", "null"]},
        {"type": ["string", "integer"], "nullable": True},
    ),
    "null among values": (
        {"type": "string", "enum": ["a", None]},
        STRING | {"enum": ["a"], "nullable": True},
    ),
    "one choice and null": (
        {"anyOf": [STRING | {"description": "theirs"}, NULL], "default": None, "description": "ours"},
        STRING | {"nullable": True, "default": None, "description": "ours"},
    ),
    "choices": ({"anyOf": [STRING, {"type": "integer"}]}, {"oneOf": [STRING, {"type": "integer"}]}),
    "choices of an object's own": (
        {"type": "object", "properties": {"a": STRING}, "anyOf": [{"required": ["a"]}]},
        {"type": "object", "properties": {"a": STRING}, "anyOf": [{"required": ["a"]}]},
    ),
    "all of one": ({"allOf": [STRING], "description": "d"}, STRING | {"description": "d"}),
    "all of several": ({"allOf": [STRING, {"minLength": 1}], "title": "t"}, {"title": "t"}),
    "a constant": ({"const": "a"}, STRING | {"enum": ["a"]}),
    "numbers to choose from": (
        {"type": "integer", "enum": [1, 2], "description": "d"},
        {"type": "integer", "description": "d\nOne of: 1, 2"},
    ),
    "a reference": (
        {"properties": {"a": {"$ref": "#/$defs/A", "description": "d"}}, "$defs": {"A": STRING}},
        {"properties": {"a": STRING | {"description": "d"}}},
    ),
    "a reference to a reference": (
        {
            "items": {"$ref": "#/definitions/A"},
            "definitions": {"A": {"$ref": "#/definitions/B"}, "B": STRING},
        },
        {"items": STRING},
    ),
    "a reference to nothing": ({"items": {"$ref": "#/$defs/A"}}, {"items": {}}),
    "a reference elsewhere": ({"items": {"$ref": "https://example.org/a"}}, {"items": {}}),
    "a reference to all of it": ({"items": {"$ref": "#"}}, {"items": {}}),
    "a reference to itself": (
        {"items": {"$ref": "#/$defs/Node"}, "$defs": {"Node": NODE}},
        {"items": {"type": "object", "properties": {"children": {"type": "array", "items": {}}}}},
    ),
    "what is no schema": (
        {"properties": {"a": True, "b": None}, "items": True},
        {"properties": {"a": {}, "b": {}}, "items": True},
    ),
    "properties that are none": ({"type": "object", "properties": []}, {"type": "object", "properties": []}),
}


@pytest.mark.parametrize(("schema", "made"), SCHEMAS.values(), ids=SCHEMAS)
def test_a_schema_is_said_more_plainly(schema: dict[str, Any], made: dict[str, Any]) -> None:
    assert plainer(schema) == made


def test_a_schema_that_makes_much_of_a_little_comes_to_an_end() -> None:
    levels = 30
    names = [{"$ref": f"#/$defs/{level + 1}"} for level in range(levels)]
    defs = {str(level): {"properties": {"a": name, "b": name}} for level, name in enumerate(names)}

    assert str(plainer({"$ref": "#/$defs/0", "$defs": defs})).count("properties") <= MOST
