"""The wire `chat`: Chat Completions, which every target can be called in. Pure."""

from __future__ import annotations

from app.types import Target, Trace
from app.utils.answers import answer_in, chunks_in
from app.utils.formatter import ChatStream, chunks_of, completion_of, finished, is_whole

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
]

PATH = "/chat/completions"

events_in = chunks_in
events_of = chunks_of
answer_of = completion_of


def headers(target: Target) -> dict[str, str]:
    return {"authorization": f"Bearer {target.api_key}"} if target.api_key else {}


def follow(target: Target, include_usage: bool, trace: Trace) -> ChatStream:
    return ChatStream(target, include_usage, trace)
