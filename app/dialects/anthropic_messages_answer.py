"""Chat's answer as an Anthropic message, and what whole answers and deltas say in common. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, TypeAlias

from app.types import Answer, Completion, Request, Served
from app.utils.call_pieces import arguments_of, calls_in, nameless
from app.utils.codec import loads
from app.utils.content_parts import said_in_parts, text_of
from app.utils.first_choice import FirstChoice
from app.utils.messages_terms import UNREADABLE, stop_reason, usage_in_messages
from app.utils.shapes import as_dict, as_dicts

Kind: TypeAlias = Literal["text", "thinking", "signature", "redacted_thinking", "citation"]
Said: TypeAlias = tuple[Kind, Any]
"""A piece of what a model said: text in all kinds but `citation`, which is an object."""

STOPPED_BY = ("stop_reason", "matched_stop")
"""Where vLLM and SGLang say which stop sequence ended a choice."""


def render(answer: Completion, request: Request, served: Served) -> Answer:
    """The message that the first choice of a completion is."""
    choice = FirstChoice().of(answer) or {}
    message = as_dict(choice.get("message"))
    content = [*_blocks(message), *_calls(message, served, request.model)]
    calls = any(block["type"] == "tool_use" for block in content)
    usage = answer.get("usage")
    counted = usage_in_messages(usage) if isinstance(usage, dict) else {}
    return {
        "id": f"msg_{served.id}",
        "type": "message",
        "role": "assistant",
        "model": request.model,
        "content": content,
        **stop_of(choice, request, calls, bool(message.get("refusal"))),
        "usage": {"input_tokens": served.input_tokens, "output_tokens": 0, **counted},
    }


def stop_of(choice: dict[str, Any], request: Request, calls: bool, refused: bool) -> dict[str, str | None]:
    """`stop_reason` and, where the target tells it, which of the request's stop sequences it was."""
    finish = choice.get("finish_reason")
    if not isinstance(finish, str) or not finish:
        return {"stop_reason": None, "stop_sequence": None}
    reason = stop_reason(finish, calls)
    if reason == "end_turn":
        for word in (choice.get(key) for key in STOPPED_BY):
            if isinstance(word, str) and word in (request.body.get("stop_sequences") or ()):
                return {"stop_reason": "stop_sequence", "stop_sequence": word}
    return {"stop_reason": "refusal" if refused and reason == "end_turn" else reason, "stop_sequence": None}


def said_in(message: dict[str, Any]) -> Iterator[Said]:
    """What a message or delta says besides its tool calls, thoughts first."""
    blocks = list(_thoughts(message))
    reasoning = text_of(message.get("reasoning_content")) or text_of(message.get("reasoning"))
    if reasoning and all(kind != "thinking" for kind, _ in blocks):
        yield "thinking", reasoning  # the blocks only sign, or hide, what is told here
    yield from blocks
    content = message.get("content")
    if isinstance(content, list):
        yield from said_in_parts(content)
    elif isinstance(content, str) and content:
        yield "text", content
    if refusal := text_of(message.get("refusal")):
        yield "text", refusal
    for note in as_dicts(message.get("annotations")):
        if citation := _citation(note):
            yield "citation", citation


def _thoughts(message: dict[str, Any]) -> Iterator[Said]:
    """Thoughts as blocks, as LiteLLM (`thinking_blocks`) or OpenRouter (`reasoning_details`) give them."""
    for block in as_dicts(message.get("thinking_blocks")) or as_dicts(message.get("reasoning_details")):
        match block.get("type"):
            case "redacted_thinking":
                yield from _if_text("redacted_thinking", block.get("data"))
            case "thinking":
                yield from _if_text("thinking", block.get("thinking"))
            case "reasoning.text":
                yield from _if_text("thinking", block.get("text"))
            case "reasoning.summary":
                yield from _if_text("thinking", block.get("summary"))
        yield from _if_text("signature", block.get("signature"))


def _if_text(kind: Kind, value: Any) -> Iterator[Said]:
    if isinstance(value, str) and value:
        yield kind, value


def _citation(note: dict[str, Any]) -> dict[str, Any] | None:
    """A source on the web. Its `encrypted_index` only Anthropic can give: empty here."""
    source = note.get("url_citation")
    if not isinstance(source, dict) or not isinstance(source.get("url"), str):
        return None
    return {
        "type": "web_search_result_location",
        "url": source["url"],
        "title": source.get("title"),
        "cited_text": text_of(source.get("content")),
        "encrypted_index": "",
    }


def _blocks(message: dict[str, Any]) -> list[dict[str, Any]]:
    """The blocks of what was said: pieces of one kind in a row are one block; a signature ends its block."""
    blocks: list[dict[str, Any]] = []
    for kind, piece in said_in(message):
        last = blocks[-1] if blocks else {"type": None}
        if kind == "redacted_thinking":
            blocks.append({"type": kind, "data": piece})
        elif kind == "text":
            _add(blocks, last["type"] == "text", {"type": "text", "text": ""})["text"] += piece
        elif kind == "citation":
            _add(blocks, last["type"] == "text", {"type": "text", "text": ""}).setdefault(
                "citations", []
            ).append(piece)
        else:
            unsigned = last["type"] == "thinking" and not last["signature"]
            _add(blocks, unsigned, {"type": "thinking", "thinking": "", "signature": ""})[kind] += piece
    return blocks


def _add(blocks: list[dict[str, Any]], continues: bool, new: dict[str, Any]) -> dict[str, Any]:
    if not continues:
        blocks.append(new)
    return blocks[-1]


def _calls(message: dict[str, Any], served: Served, alias: str) -> Iterator[dict[str, Any]]:
    for number, call in enumerate(calls_in(message)):
        function = as_dict(call.get("function"))
        name, arguments = function.get("name"), arguments_of(function)
        if isinstance(name, str) and name:
            id = call.get("id") or made_id(served, number)
            yield {"type": "tool_use", "id": id, "name": name, "input": input_of(arguments)}
        elif arguments:
            raise nameless(alias)


def made_id(served: Served, number: int) -> str:
    """An id for a call that the target gave none."""
    return f"toolu_{served.id}_{number}"


def input_of(arguments: str) -> dict[str, Any]:
    """A call's arguments as an object; what is none is kept as text (see `UNREADABLE`)."""
    if not arguments.strip():
        return {}
    try:
        value = loads(arguments)
    except ValueError:
        value = arguments
    if value is None:
        return {}
    return value if isinstance(value, dict) else {UNREADABLE: arguments}
