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


def conversation(body: Json) -> list[Said]:
    """All that has been said, the system prompt first; the results of tools are said by the tool."""
    head = [Said("system", text_of(body[name])) for name in ("system", "instructions") if body.get(name)]
    messages = body.get("messages", body.get("input"))
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
    """The tools that a client runs itself, by name; those of namespaces and of the server are left out."""
    made = (_tool(tool) for tool in body.get("tools") or ())
    return {tool.name: tool for tool in made if tool.name}


def _tool(tool: Json) -> Tool:
    function = tool.get("function") or tool
    schema = function.get("parameters") or function.get("input_schema") or {}
    is_own = tool.get("type") in (None, "function", "custom")
    name = function.get("name") if is_own else None
    return Tool(str(name or ""), frozenset(schema.get("properties") or ()), tool.get("type") == "custom")
