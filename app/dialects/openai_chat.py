"""OpenAI Chat Completions: the dialect that every target can be called in. Pure."""

from __future__ import annotations

from typing import Any

from app.errors import BadRequest, GatewayError
from app.types import Answer, Batch, Body, Completion, DialectName, Request, Served
from app.utils.codec import dumps
from app.utils.sse import DONE, comment, frame

name: DialectName = "chat"

# The fields whose wrong type would otherwise fail somewhere deep in a target or a library.
_TYPES: tuple[tuple[str, type | tuple[type, ...], str], ...] = (
    ("stream", bool, "true or false"),
    ("stream_options", dict, "an object"),
    ("tools", list, "a list"),
    ("n", int, "a whole number"),
    ("max_tokens", int, "a whole number"),
    ("max_completion_tokens", int, "a whole number"),
    ("temperature", (int, float), "a number"),
    ("top_p", (int, float), "a number"),
)


def parse(body: Any) -> Request:
    """The request in a JSON value; raises BadRequest that names the field and what was found there."""
    if not isinstance(body, dict):
        raise BadRequest(f"the body must be a JSON object, not {_kind(body)}")
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise BadRequest("'model' must name one of the aliases (GET /v1/models lists them)", param="model")
    _check_messages(body.get("messages"))
    for field, expected, words in _TYPES:
        value = body.get(field)
        if value is not None and (
            not isinstance(value, expected) or (isinstance(value, bool) and expected is not bool)
        ):
            raise BadRequest(f"'{field}' must be {words}, not {_kind(value)}", param=field)
    options = body.get("stream_options") or {}
    return Request(
        dialect=name,
        model=model,
        body=body,
        stream=body.get("stream") is True,
        as_chat=lambda: dict(body),
        include_usage=options.get("include_usage") is True,
    )


def _check_messages(messages: Any) -> None:
    if messages is None:
        raise BadRequest("'messages' is missing", param="messages", code="missing_required_parameter")
    if not isinstance(messages, list):
        raise BadRequest(f"'messages' must be a list, not {_kind(messages)}", param="messages")
    if not messages:
        raise BadRequest("'messages' is empty: at least one message is needed", param="messages")
    for place, message in enumerate(messages):
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise BadRequest(
                f"'messages[{place}]' must be an object with a 'role'", param=f"messages[{place}]"
            )


def render(answer: Completion, request: Request, served: Served) -> Answer:
    return answer


class Frames:
    """Each event as one line of data, [DONE] at the end."""

    answer: Answer | None = None

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


def _kind(value: Any) -> str:
    """What a JSON value is, as JSON calls it."""
    names = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
