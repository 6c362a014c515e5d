"""The fields of a request: what stands there, and the error for what should not. Pure."""

from __future__ import annotations

from typing import Any, TypeAlias

from app.errors import BadRequest
from app.types import Body

Types: TypeAlias = tuple[tuple[str, type | tuple[type, ...], str], ...]
"""(field, what its value must be, the same in words); null is as good as nothing."""


def object_in(body: Any) -> Body:
    """The body, if it is an object."""
    if not isinstance(body, dict):
        raise BadRequest(f"the body must be a JSON object, not {kind(body)}")
    return body


def model_in(body: Body) -> str:
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise BadRequest("'model' must name one of the aliases (GET /v1/models lists them)", param="model")
    return model


def check_types(body: Body, types: Types, inside: str = "") -> None:
    """Raises BadRequest for a field of another type; `inside` is where the fields stand: `reasoning.`"""
    for field, expected, words in types:
        value = body.get(field)
        if value is not None and (
            not isinstance(value, expected) or (isinstance(value, bool) and expected is not bool)
        ):
            place = f"{inside}{field}"
            raise BadRequest(f"'{place}' must be {words}, not {kind(value)}", param=place)


def list_in(body: Body, field: str, words: str, needed: str = "at least one is needed") -> list[Any]:
    """A list that must be there and hold something."""
    value = required(body, field)
    if not isinstance(value, list):
        raise BadRequest(f"'{field}' must be {words}, not {kind(value)}", param=field)
    if not value:
        raise BadRequest(f"'{field}' is empty: {needed}", param=field)
    return value


def required(body: Body, field: str) -> Any:
    """The field's value; null is none."""
    value = body.get(field)
    if value is None:
        raise BadRequest(f"'{field}' is missing", param=field, code="missing_required_parameter")
    return value


def check_text(body: Body, field: str) -> None:
    """Text in the ways that models take it: one, a list of them, token numbers, lists of token numbers."""
    if isinstance(required(body, field), str):
        return
    for place, piece in enumerate(list_in(body, field, "a text, or a list of texts or tokens")):
        if not _is_text(piece):
            raise BadRequest(
                f"'{field}[{place}]' must be a text, a token or a list of tokens, not {kind(piece)}",
                param=f"{field}[{place}]",
            )


def _is_text(piece: Any) -> bool:
    return (
        isinstance(piece, str) or _is_token(piece) or (isinstance(piece, list) and all(map(_is_token, piece)))
    )


def _is_token(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def kind(value: Any) -> str:
    """What a JSON value is, as JSON calls it."""
    names = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
