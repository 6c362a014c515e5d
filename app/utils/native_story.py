"""Events and answers of Messages and Responses in chat's words, for the debug view alone. Pure.

What people read should look the same whatever the target speaks. Nothing here reaches a client.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.utils.codec import dumps
from app.utils.shapes import as_dict, as_dicts

Json = dict[str, Any]


def in_chats_words(event: Json) -> Json:
    """A chunk (or a whole answer) of chat that says the same; what has nothing to say comes back as it is."""
    kind = str(event.get("type") or event.get("object") or "")
    if kind == "message":
        return _answer(_of_blocks(as_dicts(event.get("content"))), event.get("stop_reason"), event)
    if kind == "response":
        return _answer(_of_items(as_dicts(event.get("output"))), event.get("status"), event)
    if kind in ("error", "response.failed"):
        return {"error": event.get("error") or as_dict(event.get("response")).get("error") or event}
    return _of_responses(kind, event) if kind.startswith("response.") else _of_messages(kind, event)


def _of_messages(kind: str, event: Json) -> Json:
    match kind, event:
        case "message_start", {"message": {"usage": dict(usage)}}:
            return {"usage": usage}
        case "content_block_start", {"content_block": {"type": str(what), "name": name} as block} if (
            what.endswith("tool_use")
        ):
            return _delta(tool_calls=[_call(event.get("index"), block.get("id"), name)])
        case "content_block_delta", {"delta": dict(delta)}:
            return _of_delta(event.get("index"), delta)
        case "message_delta", {"delta": dict(delta)}:
            return _end(delta.get("stop_reason"), event.get("usage"))
    return event


def _of_delta(index: Any, delta: Json) -> Json:
    match delta:
        case {"text": str(text)}:
            return _delta(content=text)
        case {"thinking": str(thought)}:
            return _delta(reasoning_content=thought)
        case {"partial_json": str(piece)}:
            return _delta(tool_calls=[_call(index, arguments=piece)])
    return {}


def _of_responses(kind: str, event: Json) -> Json:
    index = event.get("output_index") if "output_index" in event else event.get("item_id")
    match kind, event:
        case "response.output_item.added", {"item": {"type": "function_call" | "custom_tool_call"} as item}:
            return _delta(tool_calls=[_call(index, item.get("call_id"), item.get("name"))])
        case "response.output_text.delta", {"delta": str(text)}:
            return _delta(content=text)
        case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta", {"delta": str(text)}:
            return _delta(reasoning_content=text)
        case (
            ("response.function_call_arguments.delta" | "response.custom_tool_call_input.delta"),
            {"delta": str(piece)},
        ):
            return _delta(tool_calls=[_call(index, arguments=piece)])
        case (("response.completed" | "response.incomplete"), {"response": dict(response)}):
            return _end(response.get("status"), response.get("usage"))
    return event


def _of_blocks(blocks: list[Json]) -> Json:
    """An assistant's message of chat with what stands in blocks."""
    calls = [
        _call(place, block.get("id"), block.get("name"), dumps(block.get("input")).decode())
        for place, block in enumerate(blocks)
        if str(block.get("type")).endswith("tool_use")
    ]
    return {
        "reasoning_content": "".join(_texts(blocks, "thinking")),
        "content": "".join(_texts(blocks, "text")),
        "tool_calls": calls,
    }


def _of_items(items: list[Json]) -> Json:
    parts = [part for item in items for part in as_dicts(item.get("content") or item.get("summary"))]
    calls = [
        _call(place, item.get("call_id"), item.get("name"), item.get("arguments") or item.get("input") or "")
        for place, item in enumerate(items)
        if str(item.get("type")).endswith("_call")
    ]
    thoughts = [part for part in parts if part.get("type") in ("summary_text", "reasoning_text")]
    return {
        "reasoning_content": "".join(_texts(thoughts, "text")),
        "content": "".join(_texts([part for part in parts if part not in thoughts], "text")),
        "tool_calls": calls,
    }


def _answer(message: Json, finish: Any, answer: Json) -> Json:
    return {"choices": [{"message": message, "finish_reason": finish}], "usage": answer.get("usage")}


def _delta(**fields: Any) -> Json:
    return {"choices": [{"delta": fields}]}


def _end(finish: Any, usage: Any) -> Json:
    return {"choices": [{"delta": {}, "finish_reason": finish}], "usage": usage}


def _call(index: Any, id: Any = None, name: Any = None, arguments: str = "") -> Json:
    return {"index": index, "id": id, "function": {"name": name or "", "arguments": arguments}}


def _texts(parts: list[Json], key: str) -> Iterator[str]:
    return (part[key] for part in parts if isinstance(part.get(key), str))
