"""The wire `completions`: text completions, where a prompt is text and so are the choices. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from app.types import Answer, Batch, Target
from app.utils.chat_events import USUAL, gather_field, joined, put_together
from app.utils.wire_chat import completion_in, events_in, finished, follow, headers, is_whole, together

__all__ = [
    "PATH",
    "answer_in",
    "answer_of",
    "events_in",
    "events_of",
    "finished",
    "follow",
    "headers",
    "is_whole",
    "together",
]

PATH = "/completions"


def answer_in(body: bytes, target: Target) -> Answer:
    """The completion in a whole body, streamed or not; raises the error that it is instead."""
    return completion_in(body, target, answer_of, "text completion")


def answer_of(batches: Iterable[Batch]) -> Answer:
    """The plain answer that a stream spells."""
    return {**put_together(batches, _gather), "object": "text_completion"}


def _gather(whole: dict[str, Any], choice: dict[str, Any]) -> None:
    for key, value in choice.items():
        if key == "text":
            whole[key] = joined(whole.get(key), value)
        else:
            gather_field(whole, key, value)


def events_of(answer: Answer) -> Batch:
    """A plain answer as a stream: its choices look the same there, only usage comes by itself."""
    said = {key: value for key, value in answer.items() if key != "usage"}
    if not answer.get("usage"):
        return [said]
    usual = {key: value for key, value in said.items() if key in USUAL}
    return [said, {**usual, "choices": [], "usage": answer["usage"]}]
