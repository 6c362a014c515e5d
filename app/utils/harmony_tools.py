"""Tools as Harmony's prompt can say them: as types of TypeScript, of which it knows the plainer ones. Pure.

What it does not know becomes `any` there, and the model guesses. So references are looked up,
`anyOf` is said as `oneOf`, and values that it cannot list go into the description.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.utils.codec import dumps
from app.utils.shapes import as_text

MOST = 2000
"""Schemas within a tool's; one that refers to itself has no end, and others make a lot of a little."""


def functions_in(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The functions that the model may call: none, all, or the one that `tool_choice` names."""
    choice = body.get("tool_choice")
    if choice == "none":
        return []
    tools = body.get("tools")
    found = (
        [tool.get("function") for tool in tools if isinstance(tool, dict)] if isinstance(tools, list) else []
    )
    functions = [it for it in found if isinstance(it, dict) and isinstance(it.get("name"), str)]
    named = named_in(choice)
    return [it for it in functions if it["name"] == named] if named else functions


def named_in(choice: Any) -> str:
    """The function that a `tool_choice` names, or ""."""
    function = choice.get("function") if isinstance(choice, dict) else None
    return as_text(function.get("name") if isinstance(function, dict) else None)


def described(function: Mapping[str, Any]) -> dict[str, Any]:
    """A function by name, description and parameters."""
    parameters = function.get("parameters")
    return {
        "name": function["name"],
        "description": as_text(function.get("description")),
        "parameters": plainer(parameters) if isinstance(parameters, dict) and parameters else None,
    }


def plainer(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON schema that says the same in fewer words of the language."""
    return _Plainer(schema).of(schema)


class _Plainer:
    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._left = MOST
        self._open: list[str] = []
        """The references that are being looked up: one within itself is not."""

    def of(self, schema: Any) -> dict[str, Any]:
        self._left -= 1
        if not isinstance(schema, Mapping) or self._left < 0:
            return {}
        schema = _merged(schema)
        path = schema.get("$ref")
        if not isinstance(path, str):
            return self._parts(_without_null(schema))
        if path in self._open:
            return _own(schema)
        self._open.append(path)
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        plain = self.of({**_at(self._root, path), **rest})
        self._open.pop()
        return plain

    def _parts(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        if (choices := _choices(schema)) is not None:
            if len(choices) == 1 and isinstance(choices[0], dict):
                return self.of({**choices[0], **_own(schema)})
            return {**_own(schema), "oneOf": list(map(self.of, choices))}
        plain = {key: value for key, value in schema.items() if key not in _NEEDLESS}
        if isinstance(properties := schema.get("properties"), dict):
            plain["properties"] = {key: self.of(value) for key, value in properties.items()}
        if isinstance(items := schema.get("items"), dict):
            plain["items"] = self.of(items)
        return _with_values(plain)


_NEEDLESS = frozenset({"$defs", "definitions", "$schema", "allOf"})


def _merged(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """A schema with the one that it is wholly made of."""
    parts = schema.get("allOf")
    if isinstance(parts, list) and len(parts) == 1 and isinstance(parts[0], dict):
        return {**parts[0], **{key: value for key, value in schema.items() if key != "allOf"}}
    return schema


def _at(root: Mapping[str, Any], path: str) -> Mapping[str, Any]:
    found: Any = root
    for step in path.removeprefix("#/").split("/") if path.startswith("#/") else ():
        found = found.get(step) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) and found is not root else {}


def _without_null(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """A schema that says `nullable` where it lists null among its types, choices or values."""
    plain = dict(schema)
    for key in ("type", "oneOf", "anyOf", "enum"):
        if isinstance(listed := schema.get(key), list):
            rest = [it for it in listed if it not in (None, "null", {"type": "null"})]
            if rest and len(rest) < len(listed):
                plain |= {key: rest[0] if key == "type" and len(rest) == 1 else rest, "nullable": True}
    return plain


def _choices(schema: Mapping[str, Any]) -> list[Any] | None:
    for key in ("oneOf", "anyOf"):
        choices = schema.get(key)
        if isinstance(choices, list) and choices and "properties" not in schema:
            return choices
    return None


def _own(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {key: schema[key] for key in ("description", "default", "nullable") if key in schema}


def _with_values(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema whose constants the prompt shows: texts as its type, others in its description."""
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    if not isinstance(values, list) or not values:
        return schema
    schema.pop("const", None)
    if all(isinstance(value, str) for value in values):
        return {**schema, "type": "string", "enum": values}
    schema.pop("enum", None)
    said = "One of: " + ", ".join(dumps(value).decode() for value in values)
    return {**schema, "description": "\n".join(filter(None, (as_text(schema.get("description")), said)))}
