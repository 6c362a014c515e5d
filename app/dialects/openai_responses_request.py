"""A request of the Responses API: what is checked, and how it is asked in Chat Completions. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

from app.dialects.openai_responses_content import content_of
from app.dialects.openai_responses_items import Conversation, OpenSealed, is_taken, opens_nothing, type_of
from app.dialects.openai_responses_tools import Tools, chosen, tools_of
from app.errors import BadRequest
from app.types import Body, Request
from app.utils.fields import Types, check_types, kind, model_in, object_in

_TYPES: Types = (
    ("stream", bool, "true or false"),
    ("instructions", str, "a text"),
    ("input", (str, list), "a text or a list of items"),
    ("tools", list, "a list"),
    ("tool_choice", (str, dict), "a text or an object"),
    ("parallel_tool_calls", bool, "true or false"),
    ("text", dict, "an object"),
    ("reasoning", dict, "an object"),
    ("include", list, "a list"),
    ("metadata", dict, "an object"),
    ("store", bool, "true or false"),
    ("background", bool, "true or false"),
    ("previous_response_id", str, "a text"),
    ("max_output_tokens", int, "a whole number"),
    ("max_tool_calls", int, "a whole number"),
    ("top_logprobs", int, "a whole number"),
    ("temperature", (int, float), "a number"),
    ("top_p", (int, float), "a number"),
    ("presence_penalty", (int, float), "a number"),
    ("frequency_penalty", (int, float), "a number"),
    ("truncation", str, "a text"),
    ("service_tier", str, "a text"),
    ("user", str, "a text"),
    ("safety_identifier", str, "a text"),
    ("prompt_cache_key", str, "a text"),
)


@dataclass(frozen=True, slots=True)
class ResponsesRequest(Request):
    """A request, and what its answer repeats although the body that goes on does not say it any more."""

    previous: str | None = None
    """The `previous_response_id` that it came with; its history stands in the body by now."""
    tools: Callable[[], Tools] = Tools
    """What it offers. There may be thousands of them: they are read once, when that is first asked."""


def parse(body: Any) -> ResponsesRequest:
    """The request in a JSON value; raises BadRequest that names the field and what was found there."""
    body = object_in(body)
    model = model_in(body)
    check_types(body, _TYPES)
    _check_input(body)
    _check_objects(body, "tools", "a tool")
    check_types(body.get("reasoning") or {}, (("effort", str, "a text"),), "reasoning.")
    if body.get("background"):
        raise BadRequest(
            "'background' is not supported here: leave it out and stream the answer", param="background"
        )
    stream = body.get("stream") is True
    asked = ResponsesRequest("responses", model, body, stream, as_chat=partial(chat_body, body))
    return with_body(asked, body)


def with_body(
    request: ResponsesRequest, body: Body, open_sealed: OpenSealed = opens_nothing
) -> ResponsesRequest:
    """The same request with another body; `open_sealed` opens the thoughts in it when it is translated."""
    tools = cache(partial(tools_of, body))
    return replace(
        request,
        body=body,
        as_chat=partial(chat_body, body, open_sealed, tools),
        leaves_out=partial(dropped, body, tools),
        tools=tools,
    )


def tools_in(request: Request) -> Tools:
    return request.tools() if isinstance(request, ResponsesRequest) else tools_of(request.body)


def _check_input(body: Body) -> None:
    given = body.get("input")
    if given is None and not any(body.get(other) for other in _INSTEAD_OF_INPUT):
        raise BadRequest("'input' is missing", param="input", code="missing_required_parameter")
    _check_objects(body, "input", "an item")
    for at, item in enumerate(given if isinstance(given, list) else ()):
        if not isinstance(item.get("type", ""), str) or item.keys().isdisjoint(("type", "role", "id")):
            raise BadRequest(f"'input[{at}]' must have a 'type'", param=f"input[{at}]")


_INSTEAD_OF_INPUT = ("instructions", "previous_response_id", "prompt", "conversation")


def _check_objects(body: Body, field: str, words: str) -> None:
    values = body.get(field)
    for at, value in enumerate(values if isinstance(values, list) else ()):
        if not isinstance(value, dict):
            raise BadRequest(f"'{field}[{at}]' must be {words}, not {kind(value)}", param=f"{field}[{at}]")


# ─── as chat ─────────────────────────────────────────────────────────────────────────────────────

_SAME: tuple[tuple[str, str], ...] = (
    ("stream", "stream"),
    ("max_output_tokens", "max_tokens"),
    ("temperature", "temperature"),
    ("top_p", "top_p"),
    ("presence_penalty", "presence_penalty"),
    ("frequency_penalty", "frequency_penalty"),
    ("user", "user"),
)
"""What both APIs can say, and what chat calls it."""

ITS_OWN = (
    "metadata",
    "prompt_cache_key",
    "safety_identifier",
    "service_tier",
    "max_tool_calls",
    "truncation",
)
"""What is between the client and OpenAI. Gemini's endpoint answers a field that it has never heard of
with 400 ("Unknown name"), and Codex sends `prompt_cache_key` with every request."""

ELSEWHERE: Mapping[str, str] = {
    "previous_response_id": "the response that it names is not kept here",
    "conversation": "conversations are not kept here: send the items themselves",
    "prompt": "prompts are not kept here: send the instructions themselves",
}
"""What names something that a chat target has never seen, and why that cannot be."""


def chat_body(
    body: Body, open_sealed: OpenSealed = opens_nothing, tools: Callable[[], Tools] | None = None
) -> Body:
    """The same request as a body of Chat Completions; raises BadRequest where that cannot be.

    `open_sealed` opens the `encrypted_content` that the gateway made; `tools` gives the body's.
    """
    for name, why in ELSEWHERE.items():
        if body.get(name):
            raise BadRequest(f"'{name}' cannot be followed: {why}", param=name)
    offered = tools() if tools else tools_of(body)
    conversation = Conversation(offered, open_sealed)
    if body.get("instructions"):
        conversation.instruct(body["instructions"])
    _tell(conversation, body.get("input"))
    chat: Body = {"model": body["model"], "messages": conversation.messages()}
    chat.update((ours, body[theirs]) for theirs, ours in _SAME if body.get(theirs) is not None)
    if chat.get("stream"):
        chat["stream_options"] = {"include_usage": True}
    choice, functions = chosen(body.get("tool_choice"), offered)
    if functions:
        chat["tools"] = functions
        chat.update(_set(tool_choice=choice, parallel_tool_calls=body.get("parallel_tool_calls")))
    chat.update(_text_fields(body))
    chat.update(_set(reasoning_effort=(body.get("reasoning") or {}).get("effort")))
    return chat


def _tell(conversation: Conversation, given: Any) -> None:
    if isinstance(given, str):
        conversation.ask(content_of(given, "input"))
    for at, item in enumerate(given if isinstance(given, list) else ()):
        conversation.take(item, f"input[{at}]")


def _set(**fields: Any) -> Body:
    return {name: value for name, value in fields.items() if value is not None}


def _text_fields(body: Body) -> Body:
    fields = _set(response_format=_response_format((body.get("text") or {}).get("format")))
    if wants_logprobs(body):
        fields |= {"logprobs": True, **_set(top_logprobs=body.get("top_logprobs"))}
    return fields


def wants_logprobs(body: Body) -> bool:
    return bool(body.get("top_logprobs")) or "message.output_text.logprobs" in (body.get("include") or ())


def _response_format(given: Any) -> Body | None:
    if not isinstance(given, dict) or given.get("type") in (None, "text"):
        return None
    if given["type"] != "json_schema" or "json_schema" in given:
        return given
    return {"type": "json_schema", "json_schema": {key: given[key] for key in given if key != "type"}}


def dropped(body: Body, tools: Callable[[], Tools] | None = None) -> list[str]:
    """What the translation leaves out, for the debug log: `tool web_search`, `item compaction`, …"""
    given = body.get("input")
    kinds = [type_of(item) for item in given if isinstance(item, dict)] if isinstance(given, list) else []
    items = [f"item {name}" for name in kinds if not is_taken(name) and name != "additional_tools"]
    fields = [name for name in ITS_OWN if body.get(name) is not None]
    if (body.get("text") or {}).get("verbosity"):
        fields.append("text.verbosity")
    offered = tools() if tools else tools_of(body)
    return list(dict.fromkeys(offered.dropped + items + fields))
