"""The wire `responses`: targets that speak OpenAI's Responses API themselves. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from operator import is_
from typing import Any

from app.errors import GatewayError
from app.types import Answer, Batch, Body, Event, Target, Trace
from app.utils.aliases import under_alias
from app.utils.answers import gathered, is_stream, object_with, read_events
from app.utils.problems import error_in, problem_of, status_in
from app.utils.responses_events import events_of
from app.utils.responses_ids import is_our_id, is_our_seal
from app.utils.stream_problems import cut, garbage, no_event
from app.utils.wire_chat import headers

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
    "prepared_native",
    "together",
]

PATH = "/responses"

together = None

ENDS = frozenset({"response.completed", "response.incomplete"})
"""Events behind which nothing comes."""

FAILURES = frozenset({"response.failed", "error"})

# ─── requests ────────────────────────────────────────────────────────────────────────────────────


def prepared_native(body: Body) -> Body:
    """The body without what the gateway made for a target before; the same object if that is nothing.

    A client whose alias leads elsewhere by now brings items that this target has never heard of: OpenAI
    answers 404 to their ids and 400 to what it did not seal.
    """
    given = body.get("input")
    if not isinstance(given, list):
        return body
    kept = [left for item in given if (left := _without_ours(item)) is not None]
    same = len(kept) == len(given) and all(map(is_, kept, given))
    return body if same else {**body, "input": kept}


def _without_ours(item: Any) -> Any:
    """The item as the target may see it; None for thoughts that only the gateway could read.

    Summaries are no thoughts: OpenAI's models do not read them, and llama-server refuses an item with
    nothing else.
    """
    if not isinstance(item, dict):
        return item
    ours = {"id"} if is_our_id(item.get("id")) and item.get("type") != "item_reference" else set()
    if is_our_seal(item.get("encrypted_content")):
        ours.add("encrypted_content")
    if not ours:
        return item
    left = {key: value for key, value in item.items() if key not in ours}
    told = any(left.get(key) for key in ("id", "encrypted_content", "content"))
    return left if told or item.get("type") != "reasoning" else None


# ─── answers and events from bytes ───────────────────────────────────────────────────────────────


def answer_in(body: bytes, target: Target) -> Answer:
    """The response in a whole body, streamed or not; raises the error that it is instead."""
    if is_stream(body):
        return gathered(body, target, events_in, answer_of, is_whole)
    return object_with("output", body, target, "response")


def events_in(payloads: list[bytes], target: Target) -> tuple[Batch, bool, GatewayError | None]:
    """The events in some payloads, whether the last one of all has come, the error that ends them."""
    return read_events(payloads, target, _problem_in, ENDS)


def _problem_in(event: Any, target: Target) -> GatewayError | None:
    if not isinstance(event, dict):
        return no_event(target)
    kind = event.get("type")
    kind = kind if isinstance(kind, str) else ""
    if kind == "response.output_text.delta" and "error" not in event:  # nearly all of a stream
        return None
    response = event.get("response")
    fails = kind in FAILURES or (event.get("error") and "response" not in event)
    if kind in ENDS and isinstance(response, dict):
        fails = response.get("status") in _LOST or response.get("error")
    return _problem(event, target) if fails else None


_LOST = ("failed", "cancelled")
"""Of which nothing more comes, whatever event says so."""


def _problem(event: Event, target: Target) -> GatewayError:
    """The error that an event stands for: in its response, in an object of its own, or in its fields."""
    response = event.get("response")
    said = (error_in(response) if isinstance(response, dict) else None) or error_in(event) or {}
    return problem_of(said, _status(said), target)


def _status(said: Mapping[str, Any]) -> int:
    """The status that a failure stands for; there are codes here that chat does not have."""
    code = said.get("code")
    return 400 if isinstance(code, str) and code.startswith(_REFUSALS) else status_in(said)


_REFUSALS = ("invalid_", "image_", "bio_policy", "cyber_policy", "unsupported_image", "empty_image")
"""How the codes begin that no repeating mends."""


def answer_of(batches: Iterable[Batch]) -> Answer:
    """The response that a stream spells: what its last event shows, and the items that had been finished."""
    response: Answer = {}
    items: list[Answer] = []
    for batch in batches:
        for event in batch:
            if isinstance(shown := event.get("response"), dict):
                response = shown
            elif event.get("type") == "response.output_item.done" and isinstance(event.get("item"), dict):
                items.append(event["item"])
    return with_output(response, items)


def with_output(response: Answer, items: list[Answer]) -> Answer:
    """A response with its output, which some leave out of the last event."""
    return response if response.get("output") or not items else {**response, "output": items}


def is_whole(answer: Answer) -> bool:
    """Whether a response came to its end."""
    return answer.get("status") in ("completed", "incomplete")


def finished(answer: Answer, target: Target, trace: Trace) -> Answer:
    """A plain response under its alias; raises the failure that it says it is, or that it is not whole."""
    answer["model"] = target.alias
    under_alias(answer, target)
    _note(answer, trace)
    if answer.get("status") in _LOST:
        said = error_in(answer) or {}
        raise problem_of(said, _status(said), target)
    if not is_whole(answer):
        raise garbage(target, "a response that is not finished")
    return answer


def _note(response: Answer, trace: Trace) -> None:
    trace.usage = usage_as_chat(response.get("usage"))
    details = response.get("incomplete_details")
    reason = details.get("reason") if isinstance(details, dict) else None
    finish = reason or response.get("status")
    trace.finish = finish if isinstance(finish, str) else trace.finish


def usage_as_chat(usage: Any) -> Mapping[str, Any] | None:
    """The usage in chat's words; what is of another kind stays as it is."""
    if not isinstance(usage, dict):
        return None
    told: dict[str, Any] = usage
    return {_IN_CHAT.get(name, name): value for name, value in told.items()}


_IN_CHAT = {
    "input_tokens": "prompt_tokens",
    "output_tokens": "completion_tokens",
    "input_tokens_details": "prompt_tokens_details",
    "output_tokens_details": "completion_tokens_details",
}


def follow(target: Target, include_usage: bool, trace: Trace) -> ResponsesStream:
    return ResponsesStream(target, trace)


class ResponsesStream:
    """A stream's events under their alias, and whether it came to its end."""

    failed: GatewayError | None = None
    over = False

    def __init__(self, target: Target, trace: Trace) -> None:
        self._target = target
        self._trace = trace

    def pass_on(self, batch: Batch) -> Batch:
        for event in batch:
            if "delta" not in event:
                under_alias(event, self._target, levels=3)
            if "response" in event and isinstance(response := event["response"], dict):
                response["model"] = self._target.alias
                if event.get("type") in ENDS:
                    self.over = True
                    _note(response, self._trace)
        return batch

    def end(self) -> None:
        """Raises UpstreamCut unless the event has come that ends a stream."""
        if not self.over:
            raise cut(self._target)
