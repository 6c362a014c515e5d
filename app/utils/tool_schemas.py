"""The tools of a chat request as Gemini takes them: a subset of JSON Schema, or 400. Pure.

LiteLLM cuts them for Gemini's own API; what is relayed to the OpenAI-compatible one passes here.
What Gemini does not know goes; what it can say by other words is said so (`const` is an `enum` of one,
a list of types is `anyOf` or `nullable`, `$ref` the thing itself).
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from app.types import Body, Target

HOST = "generativelanguage.googleapis.com"

KNOWN = frozenset(
    """type title description enum format nullable items prefixItems properties required minItems maxItems
    minProperties maxProperties minLength maxLength minimum maximum pattern anyOf propertyOrdering
    default example""".split()  # noqa: SIM905  # a list of 20 lines says no more
)
"""The fields of a Schema in Gemini's API reference; `default` and `example` are read past there."""
FORMATS = frozenset({"enum", "date-time", "int32", "int64", "float", "double"})

DEEPEST = 40
"""References within references; a schema may lead to itself."""

Json = dict[str, Any]


def takes_a_subset(target: Target) -> bool:
    """Whether a target is Gemini's OpenAI-compatible endpoint."""
    return target.carrier == "relay" and urlsplit(target.base_url).hostname == HOST


def with_plain_tools(body: Body) -> Body:
    """The body with its tools' parameters in the subset; the same one if it has no tools."""
    tools = body.get("tools")
    return {**body, "tools": [_tool(tool) for tool in tools]} if isinstance(tools, list) else body


def _tool(tool: Any) -> Any:
    function = tool.get("function") if isinstance(tool, dict) else None
    if not isinstance(function, dict):
        return tool
    kept = {key: value for key, value in function.items() if key != "strict"}
    if isinstance(parameters := function.get("parameters"), dict):
        kept["parameters"] = plain(parameters)
    return {**tool, "function": kept}


def plain(schema: Json) -> Json:
    """A schema in the subset."""
    definitions = {
        f"#/{place}/{name}": value
        for place in ("$defs", "definitions")
        for name, value in (schema.get(place) or {}).items()
    }
    made: Json = _plain(schema, definitions, 0)
    return made


def _plain(schema: Any, definitions: Json, depth: int) -> Any:
    if not isinstance(schema, dict):
        return {} if isinstance(schema, bool) else schema
    if depth > DEEPEST:
        return {"type": "object"}
    if isinstance(schema.get("$ref"), str):
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        schema = {**definitions.get(schema["$ref"], {}), **rest}
    schema = _said_otherwise(schema)
    return {
        key: _inner(key, value, definitions, depth)
        for key, value in schema.items()
        if key in KNOWN and not (key == "format" and value not in FORMATS)
    }


def _inner(key: str, value: Any, definitions: Json, depth: int) -> Any:
    if key == "properties" and isinstance(value, dict):
        return {name: _plain(one, definitions, depth + 1) for name, one in value.items()}
    if key in ("anyOf", "prefixItems") and isinstance(value, list):
        return [_plain(one, definitions, depth + 1) for one in value]
    return _plain(value, definitions, depth + 1) if key == "items" else value


def _said_otherwise(schema: Json) -> Json:
    """The same in words that Gemini knows, where there are such."""
    made = {**schema}
    if "const" in made:
        made.setdefault("enum", [made.pop("const")])
    if isinstance(made.get("oneOf"), list):
        made.setdefault("anyOf", made.pop("oneOf"))
    for part in made.pop("allOf", None) or ():
        if isinstance(part, dict):
            properties = {**(made.get("properties") or {}), **(part.get("properties") or {})}
            made = {**part, **made} | ({"properties": properties} if properties else {})
    for ours, theirs in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(made.get(ours), int | float) and not isinstance(made[ours], bool):
            made.setdefault(theirs, made[ours])
    if isinstance(made.get("type"), list):
        made |= _of_several(made.pop("type"))
    if isinstance(made.get("enum"), list) and not all(isinstance(one, str) for one in made["enum"]):
        del made["enum"]  # it takes texts only
    return made


def _of_several(kinds: list[Any]) -> Json:
    real = [kind for kind in kinds if kind != "null"]
    null: Json = {"nullable": True} if len(real) < len(kinds) else {}
    if len(real) == 1:
        return {"type": real[0], **null}
    return {"anyOf": [{"type": kind} for kind in real], **null}
