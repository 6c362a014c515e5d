"""OpenAI Chat Completions: the dialect that every target can be called in. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.errors import BadRequest, GatewayError
from app.types import Answer, Batch, Body, Completion, DialectName, Request, Served
from app.utils.codec import dumps
from app.utils.fields import Types, check_types, kind, list_in, model_in, object_in
from app.utils.shapes import as_dict
from app.utils.sse import DONE, comment, frame

name: DialectName = "chat"

# The fields whose wrong type would otherwise fail somewhere deep in a target or a library.
STREAMABLE: Types = (
    ("stream", bool, "true or false"),
    ("stream_options", dict, "an object"),
    ("n", int, "a whole number"),
    ("max_tokens", int, "a whole number"),
    ("temperature", (int, float), "a number"),
    ("top_p", (int, float), "a number"),
)
_TYPES: Types = (*STREAMABLE, ("tools", list, "a list"), ("max_completion_tokens", int, "a whole number"))


def parse(body: Any) -> Request:
    """The request in a JSON value; raises BadRequest that names the field and what was found there."""
    body = object_in(body)
    asked = streamable(name, body, as_chat=lambda: dict(body))
    _check_messages(body)
    check_types(body, _TYPES)
    return asked


def streamable(name: DialectName, body: Body, as_chat: Callable[[], Body]) -> Request:
    """The request for an answer that may come as a stream of chunks, with their usage or without."""
    return Request(
        dialect=name,
        model=model_in(body),
        body=body,
        stream=body.get("stream") is True,
        as_chat=as_chat,
        include_usage=as_dict(body.get("stream_options")).get("include_usage") is True,
    )


def _check_messages(body: Body) -> None:
    for at, message in enumerate(list_in(body, "messages", "a list", "at least one message is needed")):
        place = f"messages[{at}]"
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise BadRequest(f"'{place}' must be an object with a 'role'", param=place)
        content, calls = message.get("content"), message.get("tool_calls")
        if content is not None and not isinstance(content, str):
            _check_objects(content, f"{place}.content", "a text, a list of objects or null")
        if calls is not None:
            _check_objects(calls, f"{place}.tool_calls", "a list of objects or null")


def _check_objects(values: Any, place: str, words: str) -> None:
    """Raises BadRequest for what is no list of objects, or for one of another type than a word."""
    if not isinstance(values, list):
        raise BadRequest(f"'{place}' must be {words}, not {kind(values)}", param=place)
    for at, value in enumerate(values):
        if not isinstance(value, dict):
            raise BadRequest(f"'{place}[{at}]' must be an object, not {kind(value)}", param=f"{place}[{at}]")
        if not isinstance(value.get("type", ""), str):
            type_at = f"{place}[{at}].type"
            raise BadRequest(f"'{type_at}' must be a string, not {kind(value['type'])}", param=type_at)


def render(answer: Completion, request: Request, served: Served) -> Answer:
    return answer


class Frames:
    """Each event as one line of data, [DONE] at the end."""

    answer: Answer | None = None
    fails_in_order = False

    def feed(self, batch: Batch) -> bytes:
        return b"".join([frame(dumps(chunk)) for chunk in batch])

    def alive(self) -> bytes:
        return comment()

    def close(self) -> bytes:
        return frame(DONE)

    def fail(self, problem: GatewayError) -> bytes:
        """The last event of a stream that failed; neither a finish nor [DONE] follows it."""
        return frame(dumps(error(problem)))


def relayed(request: Request, served: Served) -> Frames:
    return Frames()


encoder = relayed


def error(problem: GatewayError, request_id: str = "") -> Body:
    """OpenAI's error body: always all four keys."""
    return {
        "error": {
            "message": str(problem),
            "type": problem.type,
            "param": problem.param,
            "code": problem.code,
        }
    }
