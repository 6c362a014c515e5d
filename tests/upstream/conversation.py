"""What a request says, whichever dialect it is in: the conversation and the tools on offer (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

Json = dict[str, Any]
Speaker = Literal["system", "user", "assistant", "tool"]

MARKER = re.compile(r"\[\[script:(.*?)\]\]", re.DOTALL)
"""How a user asks for a script."""

SPEAKERS: dict[Any, Speaker] = {"system": "system", "developer": "system", "user": "user", "tool": "tool"}
"""Every other role is the assistant's."""


@dataclass(frozen=True, slots=True)
class Said:
    by: Speaker
    text: str


@dataclass(frozen=True, slots=True)
class Tool:
    name: str
    fields: frozenset[str] = field(default_factory=frozenset)
    """The names of its arguments."""
    custom: bool = False
    """Whether it takes text as it is, rather than JSON (Responses)."""
    namespace: str = ""
    """In which it is called (Responses)."""


def conversation(body: Json) -> list[Said]:
    """All that has been said, the system prompt first; the results of tools are said by the tool."""
    head = [Said("system", text_of(body[name])) for name in ("system", "instructions") if body.get(name)]
    fields = ("messages", "input", "prompt", "query")
    messages = next((body[name] for name in fields if name in body), None)
    if isinstance(messages, str):
        return [*head, Said("user", messages)]
    return head + [said for one in messages or () if isinstance(one, dict) for said in _said(one)]


def marked(body: Json) -> str | None:
    """The script that the user asked for last, as it stands there.

    Not merely in the last message: clients put reminders of their own into later ones.
    """
    found = [MARKER.search(said.text) for said in conversation(body) if said.by == "user"]
    return next((one[1].strip() for one in reversed(found) if one), None)


def _said(message: Json) -> Iterator[Said]:
    """A message of Chat or Messages, or an item of Responses."""
    if str(message.get("type")).endswith("_call_output"):
        yield Said("tool", text_of(message.get("output")))
        return
    speaker = SPEAKERS.get(message.get("role"), "assistant")
    content = message.get("content")
    results = [part for part in _parts(content) if part.get("type") == "tool_result"]
    yield from (Said("tool", text_of(part.get("content"))) for part in results)
    if text := text_of(content):
        yield Said(speaker, text)
    elif not results:
        yield Said(speaker, "")


def _parts(content: Any) -> list[Json]:
    return [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []


def text_of(content: Any) -> str:
    """The text of a content, be it a string or parts of any dialect."""
    if isinstance(content, str):
        return content
    return "".join(text for part in _parts(content) if isinstance(text := part.get("text"), str))


def tools(body: Json) -> dict[str, Tool]:
    """The tools that a client runs itself, by name; the server's own are left out."""
    offered = list(body.get("tools") or ())
    # Codex offers the tools of newer models within the conversation.
    for item in body.get("input") or ():
        if isinstance(item, dict) and item.get("type") == "additional_tools":
            offered += item["tools"]
    made = (tool for one in offered for tool in _tools(one))
    return {"__".join(filter(None, (tool.namespace, tool.name))): tool for tool in made}


def _tools(tool: Json, namespace: str = "") -> Iterator[Tool]:
    kind, function = tool.get("type"), tool.get("function") or tool
    if kind == "namespace":
        yield from (made for inner in tool["tools"] for made in _tools(inner, tool["name"]))
    elif kind in (None, "function", "custom"):
        schema = function.get("parameters") or function.get("input_schema") or {}
        fields = frozenset(schema.get("properties") or ())
        # In Messages `custom` is merely a tool of the client's own, with a schema as any other.
        yield Tool(function["name"], fields, kind == "custom" and not schema, namespace)
