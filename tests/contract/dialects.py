"""What Messages and Responses say of the same things, so that one test can hold for both."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import requests

from tests.contract.client import Asked
from tests.dialects import messages_checker, responses_checker

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Said:
    """What an answer says, however it came."""

    text: str = ""
    thoughts: str = ""
    calls: list[tuple[str, str, str]] = field(default_factory=list)
    """(id, name, arguments as they were written); where an answer has them as a value, as JSON."""
    finish: str | None = None
    """In the dialect's own word; None: it did not come to an end."""
    usage: Json = field(default_factory=dict)
    models: frozenset[str] = frozenset()
    """Every name that the model is given anywhere."""
    error: Json | None = None


@dataclass(frozen=True, slots=True)
class Dialect:
    name: str
    path: str
    last: bytes
    """What the event that ends a good stream begins with."""
    body: Callable[[str, str], Json]
    """What asks a model for a script."""
    plain: Callable[[Json], Said]
    streamed: Callable[[list[Json]], Said]
    check: Callable[[bytes, bool], object]
    """Fails for a stream that the dialect does not allow; `whole`: and for one that is not complete."""
    ends: Mapping[str, str]
    """Chat's finish → the dialect's."""
    breaks_off: bool
    """Whether the body breaks off behind the error event, which is no end in itself."""


def asking(
    url: str, dialect: Dialect, body: Json, sending: Mapping[str, str] | None = None, timeout: float = 30
) -> Asked:
    """POSTs a request of that dialect; a body that breaks off is a result, not an exception."""
    with requests.post(url + dialect.path, json=body, headers=sending, stream=True, timeout=timeout) as reply:
        raw, broken = b"", False
        try:
            for data in reply.iter_content(None):
                raw += data
        except requests.exceptions.ChunkedEncodingError:
            broken = True
        asked = Asked(reply.status_code, reply.headers, raw, broken)
    if "text/event-stream" in asked.headers.get("content-type", ""):
        asked.events = responses_checker.events_in(raw)
        asked.done = b"data: [DONE]\n\n" in raw
    return asked


def said_in(asked: Asked, dialect: Dialect) -> Said:
    return dialect.streamed(asked.events) if asked.events else dialect.plain(asked.body)


# ------------------------------------------------------------------------------- Messages


def _messages_body(alias: str, content: str) -> Json:
    return {"model": alias, "max_tokens": 300, "messages": [{"role": "user", "content": content}]}


def _messages_plain(answer: Json) -> Said:
    if answer["type"] == "error":
        return Said(error=answer["error"])
    blocks = answer["content"]
    calls = [block for block in blocks if block["type"] == "tool_use"]
    return Said(
        text="".join(block["text"] for block in blocks if block["type"] == "text"),
        thoughts="".join(block["thinking"] for block in blocks if block["type"] == "thinking"),
        calls=[(one["id"], one["name"], json.dumps(one["input"], ensure_ascii=False)) for one in calls],
        finish=answer["stop_reason"],
        usage=answer["usage"],
        models=frozenset({answer["model"]}),
    )


def _messages_streamed(events: list[Json]) -> Said:
    blocks: dict[int, Json] = {}
    start, end, error = {}, {}, None
    for event in events:
        match event["type"]:
            case "message_start":
                start = event["message"]
            case "content_block_start":
                blocks[event["index"]] = {**event["content_block"], "pieces": ""}
            case "content_block_delta":
                delta = event["delta"]
                kind = {"text_delta": "text", "thinking_delta": "thinking"}.get(delta["type"], "partial_json")
                blocks[event["index"]]["pieces"] += delta.get(kind, "")
            case "message_delta":
                end = event
            case "error":
                error = event["error"]
    return Said(
        text=_pieces(blocks, "text"),
        thoughts=_pieces(blocks, "thinking"),
        calls=[(b["id"], b["name"], b["pieces"]) for b in blocks.values() if b["type"] == "tool_use"],
        finish=end.get("delta", {}).get("stop_reason"),
        usage={**start.get("usage", {}), **end.get("usage", {})},
        models=frozenset({start["model"]} if start else ()),
        error=error,
    )


def _pieces(blocks: Mapping[int, Json], kind: str) -> str:
    return "".join(block["pieces"] for block in blocks.values() if block["type"] == kind)


# ------------------------------------------------------------------------------ Responses


def _responses_body(alias: str, content: str) -> Json:
    return {"model": alias, "input": content}


def _responses_plain(answer: Json) -> Said:
    if "output" not in answer:
        return Said(error=answer["error"])
    items = answer["output"]
    parts = [part for item in items if item["type"] == "message" for part in item["content"]]
    thoughts = [item for item in items if item["type"] == "reasoning"]
    seen = [part for item in thoughts for part in [*item["summary"], *(item.get("content") or ())]]
    over = answer["status"] in ("completed", "incomplete")
    return Said(
        text="".join(part.get("text", "") for part in parts),
        thoughts="".join(part["text"] for part in seen),
        calls=[(i["call_id"], i["name"], i["arguments"]) for i in items if i["type"] == "function_call"],
        finish=(answer.get("incomplete_details") or {}).get("reason", answer["status"]) if over else None,
        usage=answer.get("usage") or {},
        models=frozenset({answer["model"]} if "model" in answer else ()),
        error=answer.get("error"),
    )


def _responses_streamed(events: list[Json]) -> Said:
    responses = [event["response"] for event in events if "response" in event]
    said = _responses_plain(responses[-1])
    deltas = [event["delta"] for event in events if event["type"] == "response.output_text.delta"]
    return Said(
        text="".join(deltas),
        thoughts=said.thoughts,
        calls=said.calls,
        finish=said.finish,
        usage=said.usage,
        models=frozenset(response["model"] for response in responses if "model" in response),
        error=said.error,
    )


MESSAGES = Dialect(
    name="messages",
    path="/v1/messages",
    last=b"event: message_stop",
    body=_messages_body,
    plain=_messages_plain,
    streamed=_messages_streamed,
    check=messages_checker.check,
    ends={"stop": "end_turn", "tool_calls": "tool_use", "length": "max_tokens", "content_filter": "refusal"},
    breaks_off=True,
)
RESPONSES = Dialect(
    name="responses",
    path="/v1/responses",
    last=b"event: response.completed",
    body=_responses_body,
    plain=_responses_plain,
    streamed=_responses_streamed,
    check=responses_checker.checked,
    ends={
        "stop": "completed",
        "tool_calls": "completed",
        "length": "max_output_tokens",
        "content_filter": "content_filter",
    },
    breaks_off=False,
)
DIALECTS = {"messages": MESSAGES, "responses": RESPONSES}
WAYS = {"relayed": "native", "translated": "model", "litellm": "lite"}
"""By which way → the alias that leads to the scripted upstream like that."""
