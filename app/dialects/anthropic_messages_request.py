"""A request in Anthropic's Messages as a body of Chat Completions. Pure.

What only Anthropic's servers understand (`cache_control`, `context_management`, `container`,
`service_tier`, unknown betas) is left behind: chat targets refuse what they do not know.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.dialects.anthropic_messages_content import JOINT, Part, as_json, joined, parts_of
from app.dialects.anthropic_messages_tools import dropped_tools, tool_fields
from app.errors import BadRequest
from app.types import Body
from app.utils.codec import dumps, loads
from app.utils.fields import kind
from app.utils.messages_terms import without_billing
from app.utils.shapes import as_dict, as_dicts, as_list, as_text

SAME = ("model", "max_tokens", "temperature", "top_p", "top_k", "thinking")
"""Fields that chat bodies carry under the same name."""

_UNDERSTOOD = frozenset(SAME) | {
    *("messages", "system", "stream", "stop_sequences", "metadata", "tools", "tool_choice"),
    *("output_config", "output_format"),
    *("mcp_servers", "cache_control"),
}
"""Fields that are translated, are named in another way when they are left out, or change nothing."""

LONGEST_USER = 64
"""Characters that OpenAI takes to tell users apart."""


def chat_body(body: Body) -> Body:
    """The same request for a chat target; raises BadRequest for tool calls and results that name nothing."""
    chat: Body = {key: body[key] for key in SAME if body.get(key) is not None}
    chat["messages"] = [*_system(body.get("system")), *_in_order(_messages(body["messages"]))]
    if stops := body.get("stop_sequences"):
        chat["stop"] = stops
    if user := _user(body.get("metadata")):
        chat["user"] = user
    chat.update(_output(body))
    chat.update(tool_fields(body))
    if body.get("stream") is True:
        chat["stream"] = True
        chat["stream_options"] = {"include_usage": True}
    return chat


def dropped(body: Body) -> list[str]:
    """What the translation leaves out, for the debug log: `tool web_search`, `context_management`, …"""
    return dropped_tools(body) + [name for name in body if name not in _UNDERSTOOD and body[name] is not None]


def _system(system: Any) -> Iterator[dict[str, Any]]:
    """The system prompt as a message, unless it says nothing."""
    parts = [_without_billing(part) for part in parts_of(system)]
    if content := joined([part for part in parts if part != _NO_TEXT]):
        yield {"role": "system", "content": content}


_NO_TEXT: Part = {"type": "text", "text": ""}


def _without_billing(part: Part) -> Part:
    return {**part, "text": without_billing(part["text"])} if part["type"] == "text" else part


def _messages(messages: list[Any]) -> Iterator[dict[str, Any]]:
    for place, message in enumerate(messages):
        match message["role"]:
            case "assistant":
                yield from _assistant(message["content"], place)
            case "user":
                yield from _user_turn(message["content"], place)
            case _:
                yield from _system(message["content"])


def _in_order(messages: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
    """The messages with each tool's result right after its call: a system message may stand between."""
    ordered: list[dict[str, Any]] = []
    others: list[dict[str, Any]] = []
    for message in messages:
        if message["role"] == "assistant":
            ordered += others
            others = []
        (ordered if message["role"] in ("assistant", "tool") else others).append(message)
    return ordered + others


# ─── the model's own turns ───────────────────────────────────────────────────────────────────────


def _assistant(content: Any, place: int) -> Iterator[dict[str, Any]]:
    """What the model said: pieces of text that a stream broke up are one text again."""
    blocks = as_dicts(content) if isinstance(content, list) else [{"type": "text", "text": content}]
    message: dict[str, Any] = {"role": "assistant", "content": "".join(map(_said, blocks))}
    if thoughts := "".join(text for block in blocks if (text := _thought(block))):
        message["reasoning_content"] = thoughts
    if signed := [made for block in blocks if (made := _signed(block))]:
        message["thinking_blocks"] = signed
    if calls := [_call(block, place) for block in blocks if block.get("type") == "tool_use"]:
        message["tool_calls"] = calls
    if message["content"] or len(message) > 2:
        yield message


def _said(block: dict[str, Any]) -> str:
    kind = str(block.get("type"))
    if kind == "text":
        text = block.get("text")
    elif kind.endswith("_tool_use"):  # run by Anthropic's servers, or by an MCP server for them
        text = f"\n(called {block.get('name')} with {as_json(block.get('input'))})\n"
    elif kind.endswith("_tool_result"):
        text = f"\n(it answered: {_result_text(block.get('content'))})\n"
    else:
        text = block.get("content") if kind == "compaction" else None
    return as_text(text)


def _result_text(content: Any) -> str:
    """What a server's tool found, without what only Anthropic's servers can read."""
    if isinstance(content, list):
        return "\n".join(map(_result_text, content))
    if isinstance(content, dict) and content.get("type") == "text":
        return str(content.get("text"))
    return content if isinstance(content, str) else as_json(content)


def _thought(block: dict[str, Any]) -> str:
    return as_text(block.get("thinking") if block.get("type") == "thinking" else None)


def _signed(block: dict[str, Any]) -> dict[str, Any] | None:
    """A block of thoughts that its provider will know again."""
    match block:
        case {"type": "thinking", "thinking": str(), "signature": str(signature)} if signature:
            return {key: block[key] for key in ("type", "thinking", "signature")}
        case {"type": "redacted_thinking", "data": str(data)}:
            return {"type": "redacted_thinking", "data": data}
    return None


def _call(block: dict[str, Any], place: int) -> dict[str, Any]:
    id, name, given = block.get("id"), block.get("name"), block.get("input")
    if not isinstance(id, str) or not isinstance(name, str):
        raise _wrong(place, "a 'tool_use' must have an 'id' and a 'name'")
    if given is not None and not isinstance(given, dict):
        raise _wrong(place, "the 'input' of a 'tool_use' must be an object")
    arguments = dumps(given or {}).decode()
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


# ─── what it was told ────────────────────────────────────────────────────────────────────────────


def _user_turn(content: Any, place: int) -> Iterator[dict[str, Any]]:
    """Tool results come first, each a message; then what they show, and what the user says, in one."""
    blocks = as_dicts(content) if isinstance(content, list) else [{"type": "text", "text": content}]
    shown: list[Part] = []
    for number, block in enumerate(blocks):
        if block.get("type") == "tool_result":
            _check_result(block.get("content"), f"messages[{place}].content[{number}].content")
            result, pictures = _result(block, place)
            yield result
            shown += pictures
    said = parts_of([block for block in blocks if block.get("type") != "tool_result"])
    if shown or said:
        yield {"role": "user", "content": joined(shown + said)}


def _result(block: dict[str, Any], place: int) -> tuple[dict[str, Any], list[Part]]:
    """A tool's result as a message of text, and what of it is none."""
    id = block.get("tool_use_id")
    if not isinstance(id, str):
        raise _wrong(place, "a 'tool_result' must have a 'tool_use_id'")
    parts = parts_of(block.get("content"))
    texts = [part["text"] for part in parts if part["type"] == "text"]
    pictures = [part for part in parts if part["type"] != "text"]
    if pictures:
        texts.append("(more of this result is in the next message)")
        pictures.insert(0, {"type": "text", "text": f"From the result of tool call {id}:"})
    text = JOINT.join(texts)
    if block.get("is_error") is True:
        text = _as_error(text)
    return {"role": "tool", "tool_call_id": id, "content": text}, pictures


def _check_result(content: Any, place: str) -> None:
    """Raises BadRequest for what would be lost: a model that is told nothing takes that for the result."""
    if content is not None and not isinstance(content, str | list):
        raise _not_a(place, "a text or a list of blocks", content)
    for number, block in enumerate(as_list(content)):
        if not isinstance(block, dict):
            raise _not_a(f"{place}[{number}]", "an object", block)
        if block.get("type") == "text" and not isinstance(block.get("text"), str):
            raise _not_a(f"{place}[{number}].text", "a text", block.get("text"))


def _not_a(place: str, words: str, found: Any) -> BadRequest:
    return BadRequest(f"'{place}' must be {words}, not {kind(found)}", param=place)


def _as_error(text: str) -> str:
    """Chat has no `is_error`: a result that failed says so, unless it does already."""
    return text if "error" in text[:80].lower() else f"Error: {text}" if text else "Error"


def _wrong(place: int, words: str) -> BadRequest:
    return BadRequest(f"'messages[{place}].content': {words}", param=f"messages[{place}].content")


# ─── the other fields ────────────────────────────────────────────────────────────────────────────


def _user(metadata: Any) -> str:
    """Who asks, short enough for OpenAI. Claude Code sends JSON with several ids in it."""
    user = metadata.get("user_id") if isinstance(metadata, dict) else None
    if not isinstance(user, str):
        return ""
    try:
        ids = loads(user)
    except ValueError:
        ids = None
    if isinstance(ids, dict):
        known = (ids.get(key) for key in ("account_uuid", "device_id", "session_id"))
        user = next((id for id in known if isinstance(id, str) and id), "")
    return user[:LONGEST_USER]


def _output(body: Body) -> Body:
    """How hard to think and in what form to answer."""
    config = as_dict(body.get("output_config"))
    fields: Body = {}
    if isinstance(effort := config.get("effort"), str):
        fields["reasoning_effort"] = effort
    match config.get("format") or body.get("output_format"):
        case {"type": "json_schema", "schema": dict(schema)}:
            named = {"name": "answer", "schema": schema, **({"strict": True} if _is_strict(schema) else {})}
            fields["response_format"] = {"type": "json_schema", "json_schema": named}
    return fields


def _is_strict(schema: Any) -> bool:
    """Whether OpenAI takes a schema as strict: every object is closed, every property required."""
    if isinstance(schema, list):
        return all(map(_is_strict, schema))
    if not isinstance(schema, dict):
        return True
    properties = schema.get("properties")
    if schema.get("type") == "object" or isinstance(properties, dict):
        properties = as_dict(properties)
        required = as_list(schema.get("required"))
        if schema.get("additionalProperties") is not False or set(properties) != set(map(str, required)):
            return False
    return all(map(_is_strict, schema.values()))
