"""Anthropic's tools as chat's functions. Pure.

A client's own tools are functions by another name. Of the tools that Anthropic defines, a
client that offers `bash`, `text_editor` or `memory` runs them itself and only leaves out their
schema, which is public: it is filled in. All others (web search, code execution, a
computer's screen, MCP servers) are run by, or trained into, Anthropic's models: they are
dropped, never refused, for an answer without them is what agents cope with.
"""

from __future__ import annotations

from typing import Any

from app.types import Body
from app.utils.shapes import as_dict, as_dicts


def tool_fields(body: Body) -> Body:
    """`tools`, `tool_choice` and `parallel_tool_calls` for chat, as far as any tool is left."""
    tools = [function for tool in _tools(body) if (function := _function(tool))]
    if not tools:
        return {}
    fields: Body = {"tools": tools}
    choice = as_dict(body.get("tool_choice"))
    if chosen := _choice(choice, {tool["function"]["name"] for tool in tools}):
        fields["tool_choice"] = chosen
    if choice.get("disable_parallel_tool_use") is True:
        fields["parallel_tool_calls"] = False
    return fields


def dropped_tools(body: Body) -> list[str]:
    """What a request offers that chat cannot: `tool web_search`, `mcp server tickets`."""
    tools = [f"tool {_name(tool)}" for tool in _tools(body) if _function(tool) is None]
    servers = body.get("mcp_servers")
    servers = servers if isinstance(servers, list) else []
    return tools + [f"mcp server {_name(server)}" for server in servers if isinstance(server, dict)]


def _tools(body: Body) -> list[dict[str, Any]]:
    return as_dicts(body.get("tools"))


def _name(tool: dict[str, Any]) -> str:
    return str(tool.get("name") or tool.get("type") or "?")


def _choice(choice: dict[str, Any], names: set[str]) -> Any:
    """Chat's word for a choice; none for a tool that was dropped."""
    match choice.get("type"):
        case "any":
            return "required"
        case "tool" if choice.get("name") in names:
            return {"type": "function", "function": {"name": choice["name"]}}
        case "auto" | "none" as same:
            return same
    return None


def _function(tool: dict[str, Any]) -> dict[str, Any] | None:
    kind, name = tool.get("type") or "custom", tool.get("name")
    if not isinstance(kind, str) or not isinstance(name, str) or not name:
        return None
    if kind == "custom":
        schema = tool.get("input_schema")
        made: dict[str, Any] = {"name": name}
        if isinstance(tool.get("description"), str):
            made["description"] = tool["description"]
        made["parameters"] = schema if isinstance(schema, dict) else {"type": "object", "properties": {}}
        if isinstance(tool.get("strict"), bool):
            made["strict"] = tool["strict"]
        return {"type": "function", "function": made}
    known = _KNOWN.get(kind.rpartition("_")[0])  # without the date
    if known is None:
        return None
    description, schema = known
    if kind in _FIRST_EDITORS:
        schema = _FIRST_EDITOR
    return {"type": "function", "function": {"name": name, "description": description, "parameters": schema}}


def _object(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required}


def _commands(*commands: str) -> dict[str, Any]:
    return {"type": "string", "enum": list(commands)}


_EDITING: dict[str, Any] = {
    "path": {"type": "string", "description": "The file or directory."},
    "file_text": {"type": "string", "description": "create: what the new file holds."},
    "view_range": {
        "type": "array",
        "items": {"type": "integer"},
        "description": "view: first and last line, counted from 1; -1 for the end of the file.",
    },
    "old_str": {"type": "string", "description": "str_replace: the text, which stands there exactly once."},
    "insert_line": {"type": "integer", "description": "insert: the line to insert after; 0 for the top."},
}
_NEW_STR = {"type": "string", "description": "str_replace: what comes in its place."}
_INSERT_TEXT = {"type": "string", "description": "insert: the new text."}

_FIRST_EDITORS = {"text_editor_20241022", "text_editor_20250124"}
"""These take the text to insert as `new_str`, and can undo."""
_FIRST_EDITOR = _object(
    ["command", "path"],
    command=_commands("view", "create", "str_replace", "insert", "undo_edit"),
    **_EDITING,
    new_str={"type": "string", "description": "str_replace, insert: the new text."},
)
_EDITOR = _object(
    ["command", "path"],
    command=_commands("view", "create", "str_replace", "insert"),
    **_EDITING,
    new_str=_NEW_STR,
    insert_text=_INSERT_TEXT,
)
_MEMORY = _object(
    ["command"],
    command=_commands("view", "create", "str_replace", "insert", "delete", "rename"),
    **_EDITING,
    new_str=_NEW_STR,
    insert_text=_INSERT_TEXT,
    old_path={"type": "string", "description": "rename: the file or directory."},
    new_path={"type": "string", "description": "rename: its new path."},
)
_BASH = _object(
    [],
    command={"type": "string", "description": "The command to run; needed unless restarting."},
    restart={"type": "boolean", "description": "Start the shell anew."},
)

_KNOWN = {
    "bash": ("Run a command in a bash session that lasts.", _BASH),
    "text_editor": ("View, create and edit files.", _EDITOR),
    "memory": ("Keep notes in files under /memories, and read them in later conversations.", _MEMORY),
}
