"""A tool as the text that a model sees of it. Pure.

Each provider writes the tools into the prompt in its own way, and bills that text, not the JSON
that came: open models' templates print JSON with blanks, OpenAI's models see TypeScript types,
and Gemini bills a tool's words and hardly anything for the structure between them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from app.utils.shapes import as_dict, as_text
from app.utils.tokens_families import ToolStyle

DEEPEST = 40
"""Levels of a schema that are looked at."""


def tool_texts(tools: Any, style: ToolStyle) -> list[str]:
    """One text for each tool, in whichever dialect they were offered; hosted tools are left out."""
    return [_TEXT[style](*tool) for tool in _offered(tools)]


def as_json(value: Any) -> str:
    """JSON as chat templates print it; nothing for what is nested beyond sense."""
    try:
        return json.dumps(value, ensure_ascii=False)
    except (RecursionError, ValueError, TypeError):
        return ""


def _offered(tools: Any) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Name, description and schema of each tool that is a function."""
    for tool in tools if isinstance(tools, list) else ():
        if not isinstance(tool, dict):
            continue
        if isinstance(inner := tool.get("tools"), list):  # a namespace of the Responses API
            yield from _offered(inner)
            continue
        said = tool["function"] if isinstance(tool.get("function"), dict) else tool
        schema = said.get("parameters") or said.get("input_schema") or said.get("format")
        name, description = said.get("name"), said.get("description")
        if isinstance(name, str) and (schema or description):
            words = as_text(description)
            yield name, words, as_dict(schema)


def _json(name: str, description: str, schema: Mapping[str, Any]) -> str:
    function = {"name": name, "description": description, "parameters": schema}
    return as_json({"type": "function", "function": function})


def _typescript(name: str, description: str, schema: Mapping[str, Any]) -> str:
    head = "".join(f"// {line}\n" for line in description.splitlines())
    kind = _type(schema) if schema.get("properties") else ""
    return f"{head}type {name} = ({f'_: {kind}' if kind else ''}) => any;\n\n"


def _type(schema: Any, depth: int = 0) -> str:
    """A JSON schema as a TypeScript type."""
    if not isinstance(schema, dict) or depth > DEEPEST:
        return "any"
    for key in ("anyOf", "oneOf", "allOf"):
        if isinstance(schema.get(key), list):
            return " | ".join(_type(one, depth + 1) for one in schema[key])
    if isinstance(schema.get("enum"), list):
        return " | ".join(as_json(value) for value in schema["enum"])
    kind = schema.get("type")
    if isinstance(kind, list):
        return " | ".join(str(one) for one in kind)
    if isinstance(schema.get("properties"), dict):
        return _object(schema, depth)
    if kind == "array":
        return f"{_type(schema.get('items'), depth + 1)}[]"
    return {"integer": "number", "object": "object"}.get(str(kind), str(kind or "any"))


def _object(schema: Mapping[str, Any], depth: int) -> str:
    required = schema.get("required")
    lines = []
    for name, inner in schema["properties"].items():
        if isinstance(inner, dict) and isinstance(words := inner.get("description"), str):
            lines += [f"// {line}" for line in words.splitlines()]
        mark = "" if isinstance(required, list) and name in required else "?"
        lines.append(f"{name}{mark}: {_type(inner, depth + 1)},")
    return "\n".join(("{", *lines, "}"))


def _words(name: str, description: str, schema: Mapping[str, Any]) -> str:
    return "\n".join((name, description, *_said(schema)))


def _said(schema: Any, depth: int = 0) -> Iterator[str]:
    """The words of a schema: names with their types, descriptions, allowed values."""
    if not isinstance(schema, dict) or depth > DEEPEST:
        return
    if depth and isinstance(words := schema.get("description"), str):
        yield words
    if isinstance(values := schema.get("enum"), list):
        yield " ".join(map(str, values))
    for name, inner in as_dict(schema.get("properties")).items():
        yield f"{name} {as_dict(inner).get('type', '')}"
        yield from _said(inner, depth + 1)
    yield from _said(schema.get("items"), depth + 1)
    for key in ("anyOf", "oneOf", "allOf"):
        for inner in schema[key] if isinstance(schema.get(key), list) else ():
            yield from _said(inner, depth + 1)


_TEXT = {"json": _json, "typescript": _typescript, "words": _words}

COMPACT: Mapping[ToolStyle, float] = {"json": 1.07, "typescript": 0.87, "words": 0.81}
"""What a model's view of tools weighs beside their compact JSON, where there is no time to write it."""
