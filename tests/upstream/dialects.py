"""The APIs that the scripted upstream speaks, by where they are asked (pure)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from tests.upstream import chat, completions, embeddings, messages, rerank, responses
from tests.upstream.chat import Json, Shape, Turn
from tests.upstream.delivery import CHAT, Manner

Write: TypeAlias = Callable[[Turn, Shape, Json], Json]
"""A turn in a shape, for that request."""


@dataclass(frozen=True, slots=True)
class Dialect:
    path: str
    """How the path of a request ends."""
    answer: Write
    events: Callable[[Turn, Shape, Json], list[Json]] | None
    """None: this is never streamed."""
    manner: Manner = CHAT
    id: str = "chatcmpl-upstream"
    """With the request's number in place of braces: Claude Code takes answers of one id for one answer."""
    id_of_llama: str = ""
    """The same as llama-server writes it, where it does not write that one."""
    error: Callable[[int, str], Json] | None = None
    """Its own form of an error's body; None: OpenAI's."""


def _completion(turn: Turn, shape: Shape, asked: Json) -> Json:
    return chat.completion(turn, shape)


def _chunks(turn: Turn, shape: Shape, asked: Json) -> list[Json]:
    usage = (asked.get("stream_options") or {}).get("include_usage")
    return chat.chunks(turn, shape, bool(usage))


_MESSAGES = Manner(messages.error_event, named=True)
_RESPONSES = Manner(responses.error_event, named=True)

DIALECTS = (
    Dialect("/chat/completions", _completion, _chunks),
    Dialect(
        "/messages",
        messages.answer,
        messages.events,
        _MESSAGES,
        "msg_upstream_{}",
        "chatcmpl-upstream-{}",
        messages.error,
    ),
    Dialect("/messages/count_tokens", messages.count, None, _MESSAGES, error=messages.error),
    Dialect("/responses", responses.answer, responses.events, _RESPONSES, "resp_upstream_{}"),
    Dialect("/completions", completions.answer, completions.events, id="cmpl-upstream"),  # behind chat's
    Dialect("/embeddings", embeddings.answer, None),
    Dialect("/rerank", rerank.answer, None),
)


def dialect_at(path: str) -> Dialect | None:
    return next((dialect for dialect in DIALECTS if path.endswith(dialect.path)), None)
