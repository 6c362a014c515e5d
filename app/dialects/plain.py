"""What the dialects share that have no form in chat. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from app.errors import BadRequest, UnsupportedEndpoint
from app.types import Body, DialectName, Request
from app.utils.fields import check_types, model_in


def no_chat(what: str) -> Callable[[], Body]:
    """The `as_chat` of a request that no chat completion can stand for."""

    def refuse() -> NoReturn:
        raise UnsupportedEndpoint(f"{what} cannot be asked for as a chat completion")

    return refuse


def whole(name: DialectName, body: Body, what: str) -> Request:
    """The request for an answer that comes whole, never as a stream."""
    check_types(body, (("stream", bool, "true or false"),))
    if body.get("stream"):
        raise BadRequest(f"{what} come whole, not as a stream: leave 'stream' out", param="stream")
    return Request(name, model_in(body), body, stream=False, as_chat=no_chat(what))
