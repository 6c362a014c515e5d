"""The wire `chat`: Chat Completions, which every target can be called in. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from app.errors import GatewayError
from app.types import Answer, Batch, Chunk, Completion, Target, Trace
from app.utils.answers import gathered, is_stream, object_with, read_events
from app.utils.call_numbers import CallNumbers
from app.utils.chat_events import USUAL, choices_of, chunks_of, completion_of, finish_of, index_of
from app.utils.problems import error_in, problem_of, status_in
from app.utils.stream_problems import FAILED_FINISHES, broken, cut, no_event

PATH = "/chat/completions"

together = None

events_of = chunks_of
answer_of = completion_of


def headers(target: Target) -> dict[str, str]:
    return {"authorization": f"Bearer {target.api_key}"} if target.api_key else {}


# ─── answers and events from bytes ───────────────────────────────────────────────────────────────


def answer_in(body: bytes, target: Target) -> Completion:
    """The completion in a whole body, streamed or not; raises the error that it is instead."""
    return completion_in(body, target, completion_of, "chat completion")


def completion_in(
    body: bytes, target: Target, answer_of: Callable[[Iterable[Batch]], Answer], kind: str
) -> Answer:
    """An answer with choices in a whole body; `answer_of` puts it together where it was streamed."""
    if is_stream(body):
        return gathered(body, target, events_in, answer_of, is_whole)
    return object_with("choices", body, target, kind)


def events_in(payloads: list[bytes], target: Target) -> tuple[Batch, bool, GatewayError | None]:
    """The chunks in some payloads, whether [DONE] came, and the error that ends them, if any."""
    return read_events(payloads, target, _problem_in)


def _problem_in(chunk: Any, target: Target) -> GatewayError | None:
    """The error that an event is, or that it is none; a chunk that only lacks its choices passes."""
    if isinstance(chunk, dict) and "choices" in chunk and "error" not in chunk:
        return None
    if (said := error_in(chunk)) is not None:
        return problem_of(said, status_in(said), target)
    return None if isinstance(chunk, dict) else no_event(target)


def is_whole(answer: Completion) -> bool:
    """Whether an answer put together from a stream came to its end: it has choices, and each is finished."""
    choices = choices_of(answer)
    return bool(choices) and all(map(finish_of, choices))


# ─── under the alias ─────────────────────────────────────────────────────────────────────────────


def finished(answer: Completion, target: Target, trace: Trace) -> Completion:
    """A plain answer under its alias; raises UpstreamFailed when the target says that it broke."""
    answer["model"] = target.alias
    usage = answer.get("usage")
    trace.usage = usage if isinstance(usage, dict) else None
    for finish in map(finish_of, choices_of(answer)):
        if finish in FAILED_FINISHES:
            raise broken(target, finish)
        trace.finish = finish or trace.finish
    return answer


def follow(target: Target, include_usage: bool, trace: Trace) -> ChatStream:
    return ChatStream(target, include_usage, trace)


class ChatStream:
    """A stream's chunks under their alias, and whether it really came to its end."""

    over = False

    def __init__(self, target: Target, include_usage: bool, trace: Trace) -> None:
        self._target = target
        self._hide_usage = not include_usage
        self._trace = trace
        self._open: set[int] = set()
        self._calls: dict[int, CallNumbers] = {}
        self._seen = False
        self.failed: GatewayError | None = None
        """Set when a finish stands for a failure; what came before it has been passed on."""

    def pass_on(self, batch: Batch) -> Batch:
        """The batch as the client gets it."""
        kept = []
        for chunk in batch:
            chunk["model"] = self._target.alias
            usage = chunk.get("usage")
            if usage and isinstance(usage, dict):
                self._trace.usage = usage
            for choice in choices_of(chunk):
                self._follow(choice)
            if self.failed:
                break
            if self._hide_usage and "usage" in chunk and _hides_usage(chunk):
                continue
            kept.append(chunk)
        return kept

    def end(self) -> None:
        """Raises what is wrong with a stream that ends here: UpstreamCut unless every choice has finished."""
        if self.failed:
            raise self.failed
        if self._open or not self._seen:
            raise cut(self._target)

    def _follow(self, choice: dict[str, Any]) -> None:
        self._seen = True
        index, finish = index_of(choice), finish_of(choice)
        delta = choice.get("delta")
        if isinstance(delta, dict) and delta.get("tool_calls"):
            self._calls.setdefault(index, CallNumbers()).correct(delta["tool_calls"])
        if finish in FAILED_FINISHES:
            self.failed = broken(self._target, finish)
        elif finish:
            self._open.discard(index)
            self._trace.finish = finish
        elif self._trace.finish is None or choice.get("text") or _says_something(choice.get("delta")):
            self._open.add(index)  # not so an empty delta that follows the finish, together with the usage


def _hides_usage(chunk: Chunk) -> bool:
    """Takes out usage that the client did not ask for; True when that leaves nothing to pass on.

    llama-server puts its `timings` beside the usage, and what is beside it must not be lost.
    """
    if chunk["usage"] is None or not chunk.get("choices"):
        del chunk["usage"]
        return not chunk.get("choices") and USUAL.issuperset(chunk)
    return False


def _says_something(delta: Any) -> bool:
    """Whether a delta brings a piece of the answer; the role, repeated, is none."""
    return isinstance(delta, dict) and any(value for key, value in delta.items() if key != "role")
