"""What a Responses request says without saying it: earlier responses and items, by their ids. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from app.dialects.openai_responses_items import OpenSealed, type_of, unknown_item
from app.dialects.openai_responses_request import ResponsesRequest, with_body
from app.errors import BadRequest
from app.types import Answer, Body, Request
from app.utils.preview import preview
from app.utils.responses_ids import item_id
from app.utils.shapes import as_list

MOST_REFERENCES = 10_000
"""Items; more than any conversation has."""

LONGEST_PAGE = 100
"""Items; as the API has it."""

_PREFIXES = {
    "message": "msg",
    "reasoning": "rs",
    "function_call": "fc",
    "function_call_output": "fco",
    "custom_tool_call": "ctc",
    "custom_tool_call_output": "ctco",
}


def previous_of(request: Request) -> str | None:
    """The id of the response that a request goes on from."""
    return request.body.get("previous_response_id") or None


def with_history(request: Request, history: list[Body]) -> ResponsesRequest:
    """The request with all that was said before its own input. Earlier instructions are no part of that."""
    rest = {key: value for key, value in request.body.items() if key != "previous_response_id"}
    body = {**rest, "input": [*history, *_items(request.body)]}
    return replace(_with(request, body), previous=previous_of(request))


def references(request: Request) -> list[str]:
    """The ids of the items that a request only names; raises BadRequest for too many, or one named twice."""
    names = [str(item.get("id")) for item in _items(request.body) if type_of(item) == "item_reference"]
    if len(names) > MOST_REFERENCES:
        raise BadRequest(f"a request may name at most {MOST_REFERENCES:,} items by their ids", param="input")
    if twice := [name for name, times in Counter(names).items() if times > 1]:
        raise BadRequest(f"Duplicate item found with id '{preview(twice[0])}'.", param="input")
    return names


def resolved(request: Request, found: Mapping[str, Body]) -> ResponsesRequest:
    """The request with the items that it names; raises BadRequest for one that nobody knows."""
    return _with(
        request, {**request.body, "input": [_resolved(item, found) for item in _items(request.body)]}
    )


def _resolved(item: Body, found: Mapping[str, Body]) -> Body:
    if type_of(item) != "item_reference":
        return item
    id = str(item.get("id"))
    if id not in found:
        raise unknown_item(item, "input")
    return found[id]


def opening(request: Request, open_sealed: OpenSealed) -> ResponsesRequest:
    """The request whose sealed thoughts are opened when it is translated."""
    assert isinstance(request, ResponsesRequest)
    return with_body(request, request.body, open_sealed)


def _with(request: Request, body: Body) -> ResponsesRequest:
    assert isinstance(request, ResponsesRequest)
    return with_body(request, body)


def input_items(request: Request, id: str) -> list[Body]:
    """The input as a list of whole items; `id` makes ids for those that have none."""
    return [_whole(item, f"{id}i{at:02x}") for at, item in enumerate(_items(request.body))]


def _whole(item: Body, id: str) -> Body:
    kind = type_of(item)
    whole = {"type": kind, **item, "id": item.get("id") or item_id(_PREFIXES.get(kind, "item"), id)}
    if kind == "message" and isinstance(item.get("content"), str):
        name = "output_text" if item.get("role") == "assistant" else "input_text"
        also: Body = {"annotations": []} if name == "output_text" else {}
        whole["content"] = [{"type": name, "text": item["content"], **also}]
    return whole


def page_of(items: list[Body], limit: int = 20, order: str = "desc", after: str | None = None) -> Body:
    """A list of items as the API answers it; raises BadRequest for an order or a place that is none."""
    if order not in ("asc", "desc"):
        raise BadRequest(f"'order' must be asc or desc, not '{preview(order)}'", param="order")
    ordered = items if order == "asc" else items[::-1]
    place = _behind(after, ordered) if after else 0
    limit = min(max(limit, 1), LONGEST_PAGE)
    page = ordered[place : place + limit]
    return {
        "object": "list",
        "data": page,
        "first_id": page[0].get("id") if page else None,
        "last_id": page[-1].get("id") if page else None,
        "has_more": len(ordered) > place + limit,
    }


def _behind(id: str, items: list[Body]) -> int:
    for at, item in enumerate(items):
        if item.get("id") == id:
            return at + 1
    raise BadRequest(f"'after' names no item of this response: '{preview(id)}'", param="after")


def identified(response: Answer, id: str) -> None:
    """Gives a response an id where its target has given none: nobody could go on from it."""
    if not isinstance(response.get("id"), str) or not response["id"]:
        response["id"] = f"resp_{id}"


def _items(body: Body) -> list[Body]:
    given: Any = body.get("input")
    if isinstance(given, str):
        return [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": given}]}]
    return as_list(given)
