"""The wires `embeddings` and `rerank`: one question, one answer, never a stream. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from app.errors import GatewayError
from app.types import Answer, Batch, Target, Trace
from app.utils import wire_chat
from app.utils.answers import json_in
from app.utils.stream_problems import cut, garbage


class PlainWire:
    """An API whose answer is an object with a list in one of `lists`."""

    together = None

    def __init__(self, path: str, lists: tuple[str, ...], kind: str) -> None:
        self.PATH = path
        self._lists = lists
        self._kind = kind

    def headers(self, target: Target) -> dict[str, str]:
        return wire_chat.headers(target)

    def answer_in(self, body: bytes, target: Target) -> Answer:
        answer = json_in(body, target)
        if not isinstance(answer, dict) or not self.is_whole(answer):
            raise garbage(target, f"something that is no {self._kind}")
        return answer

    def is_whole(self, answer: Answer) -> bool:
        return any(isinstance(answer.get(name), list) for name in self._lists)

    def finished(self, answer: Answer, target: Target, trace: Trace) -> Answer:
        """The answer under its alias, its usage noted."""
        answer["model"] = target.alias
        trace.usage = usage_in(answer)
        return answer

    def events_in(self, payloads: list[bytes], target: Target) -> tuple[Batch, bool, GatewayError | None]:
        return [], False, garbage(target, "a stream where none was asked for")

    def events_of(self, answer: Answer) -> Batch:
        return [answer]

    def answer_of(self, batches: Iterable[Batch]) -> Answer:
        return next((event for batch in batches for event in batch), {})

    def follow(self, target: Target, include_usage: bool, trace: Trace) -> OneEvent:
        return OneEvent(self, target, trace)


class OneEvent:
    """A plain answer as a stream: the answer is its one event."""

    failed: GatewayError | None = None
    over = False

    def __init__(self, wire: PlainWire, target: Target, trace: Trace) -> None:
        self._wire = wire
        self._target = target
        self._trace = trace
        self._seen = False

    def pass_on(self, batch: Batch) -> Batch:
        self._seen = self._seen or bool(batch)
        return [self._wire.finished(answer, self._target, self._trace) for answer in batch]

    def end(self) -> None:
        if not self._seen:
            raise cut(self._target)


def usage_in(answer: Answer) -> Mapping[str, Any] | None:
    """What the answer cost, in chat's words; None when the target does not tell.

    Cohere tells it in `meta.tokens`; what it bills there are searches, which are no tokens.
    """
    if isinstance(usage := answer.get("usage"), dict):
        return usage
    meta = answer.get("meta")
    tokens = meta.get("tokens") if isinstance(meta, dict) else None
    if not isinstance(tokens, dict):
        return None
    told = {"prompt_tokens": tokens.get("input_tokens"), "completion_tokens": tokens.get("output_tokens")}
    return {name: count for name, count in told.items() if count is not None} or None


EMBEDDINGS = PlainWire("/embeddings", ("data",), "list of embeddings")
RERANK = PlainWire("/rerank", ("results", "data"), "ranking")  # `data` is Voyage's name
