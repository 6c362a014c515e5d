"""`POST /responses` and what was kept of it: OpenAI Responses.

The gateway keeps answers itself (`store: true`), whichever target gave them, so a client may go on
from any of them, and see or delete it, while the target is asked with the whole history.
"""

from __future__ import annotations

from secrets import token_hex

from flask import Blueprint, Response, current_app, g, jsonify, request

from app.dialects import openai_responses
from app.dialects.openai_responses_history import (
    identified,
    input_items,
    page_of,
    previous_of,
)
from app.errors import BadRequest, UnknownResponse
from app.memory import Memory
from app.routes.edge import asked_in, served_in
from app.types import Answer, KeptAnswer
from app.utils.fields import kind

bp = Blueprint("responses", __name__)


@bp.post("/responses")
def create() -> Response:
    asked, record = asked_in(openai_responses)
    memory: Memory = current_app.extensions["memory"]
    id = token_hex(12)
    items = input_items(asked, id)
    previous = previous_of(asked)
    whole = memory.completed(asked, record.client)

    def keep(answer: Answer) -> None:
        identified(answer, id)
        if previous:  # a target that was relayed to knows nothing of it
            answer["previous_response_id"] = previous
        if asked.body.get("store") is True:
            memory.kept.keep(record.client.owner, answer, items)

    return served_in(memory.dialect_for(record.client), whole, record, keep)


@bp.get("/responses/<answer_id>")
def show(answer_id: str) -> Response:
    if request.args.get("stream") in ("true", "1"):
        raise BadRequest("a kept response is not streamed: ask for it without 'stream'", param="stream")
    return jsonify(_found(answer_id).response)


@bp.delete("/responses/<answer_id>")
def delete(answer_id: str) -> Response:
    memory: Memory = current_app.extensions["memory"]
    if not memory.kept.delete(g.client.owner, answer_id):
        raise _unknown(answer_id)
    return jsonify(id=answer_id, object="response", deleted=True)


@bp.get("/responses/<answer_id>/input_items")
def show_input(answer_id: str) -> Response:
    memory: Memory = current_app.extensions["memory"]
    kept = _found(answer_id)
    previous = kept.response.get("previous_response_id")
    earlier = memory.kept.history(g.client.owner, previous) if isinstance(previous, str) else []
    if earlier is None:
        raise UnknownResponse(
            "the items of this response are not whole: one that it goes on from was deleted, or is too old",
            param="response_id",
        )
    return jsonify(
        page_of(
            [*earlier, *kept.items],
            limit=_number("limit", 20),
            order=request.args.get("order", "desc"),
            after=request.args.get("after"),
        )
    )


def _number(name: str, default: int) -> int:
    value = request.args.get(name, str(default))
    if not value.isascii() or not value.isdigit():
        raise BadRequest(f"'{name}' must be a whole number, not {kind(value)}", param=name)
    return int(value)


def _found(answer_id: str) -> KeptAnswer:
    memory: Memory = current_app.extensions["memory"]
    kept = memory.kept.find(g.client.owner, answer_id)
    if kept is None:
        raise _unknown(answer_id)
    return kept


def _unknown(answer_id: str) -> UnknownResponse:
    return UnknownResponse(
        f"Response with id '{answer_id[:80]}' not found: it was not kept (store: true), or is too old",
        param="response_id",
    )
