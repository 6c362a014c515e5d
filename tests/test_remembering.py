"""What is learnt from a request's bill, and what that may cost."""

from __future__ import annotations

from typing import Any

import pytest

from app.backends.meter import Meter
from app.dialects import anthropic_messages, openai_responses
from app.remembering import Remembering
from app.types import Body, Request, Target, Trace
from tests.fakes import client, request, target, trace

WHERE = target()
USAGE = {"prompt_tokens": 1300}
MESSAGES = anthropic_messages.parse(
    {"model": "alias", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
)
RESPONSES = openai_responses.parse({"model": "alias", "input": "Hi"})


class Lessons:
    """Whoever else learns from a bill."""

    def __init__(self) -> None:
        self.billed: list[tuple[str, Any, int]] = []

    def __call__(self, where: Target, body: Body, billed: int) -> None:
        self.billed.append((where.alias, body["messages"], billed))


def answered(asked: Request, lessons: Lessons, usage: Any = USAGE) -> Trace:
    """Serves a request to its end."""
    seen = trace()
    meter = Meter(lessons)
    _, after = Remembering(meter=meter).before(asked, asked.as_chat(), WHERE, client(), seen)
    seen.usage = usage
    after.end()
    return seen


@pytest.mark.parametrize("asked", [MESSAGES, RESPONSES], ids=["messages", "responses"])
def test_who_counts_tokens_learns_from_the_bills_of_each_dialect_that_asks_for_counts(asked: Request) -> None:
    lessons = Lessons()

    answered(asked, lessons)

    assert lessons.billed == [("alias", [{"role": "user", "content": "Hi"}], 1300)]


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": 0}, {"prompt_tokens": "many"}])
def test_what_was_not_billed_teaches_nothing(usage: Any) -> None:
    lessons = Lessons()

    answered(RESPONSES, lessons, usage)

    assert lessons.billed == []


@pytest.mark.parametrize(
    ("asked", "estimated"),
    [(MESSAGES, True), (RESPONSES, False), (request(), False)],
    ids=["messages", "responses", "chat"],
)
def test_only_messages_pays_for_an_estimate_for_only_its_streams_begin_with_one(
    asked: Request, estimated: bool
) -> None:
    assert (answered(asked, Lessons()).input_tokens is not None) is estimated
