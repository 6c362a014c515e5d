"""`POST /messages/count_tokens` and `POST /responses/input_tokens`: how many tokens a request has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, current_app, g, jsonify, request

from app.dialects import anthropic_messages, openai_responses
from app.gateway import Gateway
from app.memory import Memory
from app.routes.body import body_of, json_of
from app.routes.edge import Record, marked
from app.types import Counter, Dialect, Request

bp = Blueprint("count_tokens", __name__)


@bp.post("/messages/count_tokens")
def messages() -> Response:
    asked, record = _asked(anthropic_messages, anthropic_messages.parse_count)
    return _answered(record, input_tokens=_counted(asked, record))


@bp.post("/responses/input_tokens")
def responses() -> Response:
    asked, record = _asked(openai_responses, openai_responses.parse)
    memory: Memory = current_app.extensions["memory"]
    tokens = _counted(memory.completed(asked, record.client), record)
    return _answered(record, object="response.input_tokens", input_tokens=tokens)


def _asked(dialect: Dialect, parse: Callable[[Any], Request]) -> tuple[Request, Record]:
    record = g.record = Record(dialect, g.client, "count")
    data = body_of(request)
    asked = parse(json_of(data))
    record.begin(asked, len(data))
    return asked, record


def _counted(asked: Request, record: Record) -> int:
    gateway: Gateway = current_app.extensions["gateway"]
    counter: Counter = current_app.extensions["counting"]
    return counter.count(asked, gateway.choose(asked.model), record.client, record.trace)


def _answered(record: Record, **answer: Any) -> Response:
    record.end(200)
    return marked(jsonify(answer), record.trace)
