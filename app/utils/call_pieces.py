"""Tool calls in chat's messages and deltas, and how they can make no sense. Pure."""

from __future__ import annotations

from typing import Any

from app.errors import UpstreamGarbage
from app.utils.codec import dumps
from app.utils.shapes import as_dicts


def calls_in(message: dict[str, Any]) -> list[dict[str, Any]]:
    """The tool calls of a message, or their pieces in a delta; the one of old is one of them."""
    if calls := as_dicts(message.get("tool_calls")):
        return calls
    if isinstance(function := message.get("function_call"), dict):  # from before there could be several
        return [{"index": 0, "function": function}]
    return []


def arguments_of(function: dict[str, Any]) -> str:
    """A call's arguments as the JSON text that they should be; some give the object itself."""
    arguments = function.get("arguments")
    if isinstance(arguments, str):
        return arguments
    return "" if arguments is None else dumps(arguments).decode()


def nameless(alias: str) -> UpstreamGarbage:
    return UpstreamGarbage(f"the provider of '{alias}' answered a tool call without a name")


def mixed_up(alias: str) -> UpstreamGarbage:
    """The error for more of a call behind its end."""
    return UpstreamGarbage(f"the provider of '{alias}' mixed up its tool calls")
