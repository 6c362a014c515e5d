"""Tools of the Responses API as the functions of Chat Completions, and their calls back again. Pure.

A chat target knows functions only. What a client runs itself becomes one (`custom` tools, those
in a `namespace`, shells, patches, the search for tools); what OpenAI would run itself is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from app.types import Body
from app.utils.shapes import as_dicts, as_text

LONGEST_NAME = 64
"""Characters of a function's name that chat targets take."""

_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_-]")


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """A tool that has no name of its own and whose calls are items of their own, run by the client."""

    call: str
    """The type of the call's item."""
    holder: str
    """The item's field that has the arguments."""
    prefix: str
    """Of the item's id."""
    description: str
    properties: Mapping[str, Any]
    required: tuple[str, ...]
    fixed: Mapping[str, Any]
    """What the arguments have besides what the model fills in."""
    also: Mapping[str, Any] = field(default_factory=dict)
    """What the item has besides."""


_TEXT = {"type": "string"}
_TEXTS = {"type": "array", "items": _TEXT}
_NUMBER = {"type": "integer"}

BUILT_INS: Mapping[str, BuiltIn] = {
    "local_shell": BuiltIn(
        "local_shell_call",
        "action",
        "lsh",
        "Runs a command on the user's machine.",
        {"command": _TEXTS, "working_directory": _TEXT, "timeout_ms": _NUMBER},
        ("command",),
        {"type": "exec", "env": {}},
    ),
    "shell": BuiltIn(
        "shell_call",
        "action",
        "sh",
        "Runs shell commands on the user's machine, one after the other.",
        {"commands": _TEXTS, "timeout_ms": _NUMBER, "max_output_length": _NUMBER},
        ("commands",),
        {},
    ),
    "apply_patch": BuiltIn(
        "apply_patch_call",
        "operation",
        "apc",
        "Creates, updates or deletes a file. `diff` is in the V4A format, and not needed to delete one.",
        {
            "type": {"type": "string", "enum": ["create_file", "update_file", "delete_file"]},
            "path": _TEXT,
            "diff": _TEXT,
        },
        ("type", "path"),
        {},
    ),
    "tool_search": BuiltIn(
        "tool_search_call",
        "arguments",
        "tsc",
        "Finds further tools and makes them available.",
        {"query": _TEXT},
        ("query",),
        {},
        {"execution": "client"},
    ),
}
BUILT_IN_CALLS: Mapping[str, str] = {built_in.call: kind for kind, built_in in BUILT_INS.items()}
"""The type of a call's item → the kind of its tool."""


@dataclass(frozen=True, slots=True)
class Tool:
    """What the client calls a tool."""

    kind: str
    """`function`, `custom` or a key of BUILT_INS."""
    name: str
    namespace: str | None = None


@dataclass(frozen=True, slots=True)
class Tools:
    """The tools of a request."""

    functions: list[Body] = field(default_factory=list)
    """As chat has them."""
    by_name: dict[str, Tool] = field(default_factory=dict)
    """By what chat calls them."""
    names: dict[Tool, str] = field(default_factory=dict)
    alike: dict[str, list[Tool]] = field(default_factory=dict)
    """Those that the client calls the same, in whatever namespace."""
    dropped: list[str] = field(default_factory=list)
    """What no chat target can be offered."""

    def name_of(self, tool: Tool) -> str:
        """What chat calls a tool, whether it is offered or was in earlier turns only."""
        return self.names.get(tool) or chat_name(tool.name, tool.namespace)

    def called(self, name: str) -> Tool:
        """The tool that a model means. Some leave out the namespace."""
        if name in self.by_name:
            return self.by_name[name]
        alike = self.alike.get(name, ())
        return alike[0] if len(alike) == 1 else Tool("function", name)


def tools_of(body: Body) -> Tools:
    """The tools that a request offers, those that its items bring in included."""
    tools = Tools()
    for given in _given(body):
        kind = given.get("type")
        if kind == "namespace":
            for inner in as_dicts(given.get("tools")):
                _add(tools, inner, as_text(given.get("name")))
        else:
            _add(tools, given, None)
    return tools


def _given(body: Body) -> Iterator[Body]:
    yield from as_dicts(body.get("tools"))
    for item in as_dicts(body.get("input")):
        if item.get("type") in ("additional_tools", "tool_search_output"):
            yield from as_dicts(item.get("tools"))


def _add(tools: Tools, given: Body, namespace: str | None) -> None:
    tool = _tool(given, namespace)
    if tool is None:
        tools.dropped.append(f"tool {given.get('type')}")
    elif tool not in tools.names:
        name = _free_name(tool, tools.by_name)
        tools.by_name[name] = tool
        tools.names[tool] = name
        tools.alike.setdefault(tool.name, []).append(tool)
        tools.functions.append({"type": "function", "function": {"name": name, **_offer(given, tool)}})


def _tool(given: Body, namespace: str | None) -> Tool | None:
    kind = as_text(given.get("type"))
    if kind in ("function", "custom"):
        own = given.get("function")  # chat's shape, which some clients send here
        name = as_text(given.get("name")) or as_text(own.get("name") if isinstance(own, dict) else None)
        return Tool(kind, name, namespace) if name else None
    if kind not in BUILT_INS or _runs_elsewhere(given):
        return None
    return Tool(kind, kind)


def _runs_elsewhere(given: Body) -> bool:
    """Whether OpenAI would run it: a search on its servers, a shell in one of its containers."""
    environment = given.get("environment")
    container = isinstance(environment, dict) and environment.get("type") not in (None, "local")
    return container or (given.get("type") == "tool_search" and given.get("execution") != "client")


def _offer(given: Body, tool: Tool) -> Body:
    """What chat's function says besides its name."""
    if tool.kind == "custom":
        return {"description": _with_grammar(given), "parameters": _INPUT}
    if tool.kind in BUILT_INS:
        return _offer_of_built_in(given, BUILT_INS[tool.kind])
    own = given["function"] if isinstance(given.get("function"), dict) else given
    parameters = own.get("parameters")
    offer = {
        "parameters": parameters if isinstance(parameters, dict) else {"type": "object", "properties": {}}
    }
    for key in ("description", "strict"):
        if own.get(key) is not None:
            offer[key] = own[key]
    return offer


def _offer_of_built_in(given: Body, built_in: BuiltIn) -> Body:
    own = given.get("parameters")
    parameters = {"type": "object", "properties": built_in.properties, "required": list(built_in.required)}
    return {
        "description": as_text(given.get("description")) or built_in.description,
        "parameters": own if isinstance(own, dict) else parameters,
    }


INPUT = "input"
_INPUT: Body = {
    "type": "object",
    "properties": {INPUT: {"type": "string", "description": "The whole input of the tool, as plain text."}},
    "required": [INPUT],
    "additionalProperties": False,
}


def _with_grammar(given: Body) -> str:
    """The description of a custom tool and, as chat has no place for it, the grammar of its input."""
    described = as_text(given.get("description"))
    form = given.get("format")
    if not isinstance(form, dict) or form.get("type") != "grammar":
        return described
    inner = form["grammar"] if isinstance(form.get("grammar"), dict) else form  # chat has it one level down
    syntax, rules = inner.get("syntax") or "lark", inner.get("definition") or ""
    told = f"'{INPUT}' must follow this {syntax} grammar:\n{rules}"
    return f"{described}\n\n{told}" if described else told


def chat_name(name: str, namespace: str | None = None) -> str:
    """What chat calls a tool: its namespace before it, letters that chat does not take replaced."""
    if namespace:
        name = f"{namespace}{name}" if namespace.endswith("__") else f"{namespace}__{name}"
    name = _NOT_IN_NAMES.sub("_", name)
    return name if len(name) <= LONGEST_NAME else _marked(name, name)


def _free_name(tool: Tool, taken: Mapping[str, Tool]) -> str:
    """What chat calls a tool where others may be called the same: the same name in every turn."""
    name = chat_name(tool.name, tool.namespace)
    while name in taken:  # once, unless somebody guessed the next one
        name = _marked(name, f"{name} {tool.kind} {tool.namespace} {tool.name}")
    return name


def _marked(name: str, whole: str) -> str:
    """A name that shows, however short it is cut, what it stands for."""
    return f"{name[: LONGEST_NAME - 9]}_{sha256(whole.encode(errors='surrogatepass')).hexdigest()[:8]}"


def chosen(choice: Any, tools: Tools) -> tuple[Any, list[Body]]:
    """Chat's `tool_choice`, None for nothing to be said, and the functions that may be called."""
    if not tools.functions:
        return None, []
    if not isinstance(choice, dict):
        return choice, tools.functions
    if choice.get("type") == "allowed_tools":
        allowed = {_name_in(tool, tools) for tool in as_dicts(choice.get("tools"))}
        left = [function for function in tools.functions if function["function"]["name"] in allowed]
        return (choice.get("mode") or "auto", left) if left else (None, [])
    name = _name_in(choice, tools)
    return ({"type": "function", "function": {"name": name}} if name else "auto"), tools.functions


def _name_in(choice: Body, tools: Tools) -> str | None:
    """What chat calls the tool that a choice names; None for one that was dropped."""
    tool = _tool({"execution": "client", **choice}, as_text(choice.get("namespace")) or None)
    if tool is None:
        return None
    if tool in tools.names or tool.namespace:
        return tools.name_of(tool)
    found = tools.called(tool.name)
    return tools.name_of(found if found in tools.names else tool)
