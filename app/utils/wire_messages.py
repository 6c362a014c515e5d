"""The wire `messages`: how a target answers that is called in Anthropic's Messages. Pure.

Anthropic is not the only one: llama-server, z.ai and OpenCode Zen speak it, each with less
than all of it. What the clients cannot do without is put in (`_mended`), nothing else is touched.
"""

from __future__ import annotations

from operator import is_
from typing import Any

from app.errors import GatewayError
from app.types import Answer, Batch, Body, Event, Target, Trace
from app.utils.aliases import under_alias
from app.utils.answers import gathered, is_stream, object_with, read_events
from app.utils.messages_events import answer_of, events_of, newest
from app.utils.messages_order import BlockOrder
from app.utils.messages_runs import event_of, runs_in
from app.utils.messages_terms import usage_in_chat, without_billing
from app.utils.problems import error_in, problem_of, status_in
from app.utils.shapes import as_dict
from app.utils.stream_problems import FAILED_FINISHES, broken, cut, garbage, no_event

__all__ = [
    "PATH",
    "answer_in",
    "answer_of",
    "checks_signatures",
    "events_in",
    "events_of",
    "finished",
    "follow",
    "headers",
    "is_whole",
    "prepared_native",
    "together",
]

PATH = "/messages"

together = runs_in

VERSION = "2023-06-01"


def headers(target: Target) -> dict[str, str]:
    """The key in both places where it may be looked for; Anthropic itself minds the second."""
    named = {"anthropic-version": VERSION}
    if target.api_key:
        named["x-api-key"] = target.api_key
        if target.litellm_provider != "anthropic":
            named["authorization"] = f"Bearer {target.api_key}"
    return named


# ─── requests ────────────────────────────────────────────────────────────────────────────────────


def prepared_native(body: Body, target: Target) -> Body:
    """The body without what the target would refuse or stumble over; the same object if that is nothing.

    Of the model's own turns empty text goes, and for Claude, who checks signatures, thoughts that
    another model had: they carry an empty one here. For all others the system prompt's changing line goes.
    """
    checks = checks_signatures(target)
    changed: Body = {}
    kept = [it for message in body["messages"] if (it := _message_kept(message, checks)) is not None]
    if not _are_same(kept, body["messages"]):
        changed["messages"] = kept
    if not checks and (system := _system_kept(body.get("system"))) is not body.get("system"):
        changed["system"] = system
    return {**body, **changed} if changed else body


def _are_same(new: list[Any], old: list[Any]) -> bool:
    return len(new) == len(old) and all(map(is_, new, old))


def _system_kept(system: Any) -> Any:
    if isinstance(system, str):
        kept = without_billing(system)
        return system if kept == system else kept
    if not isinstance(system, list):
        return system
    blocks = [it for block in system if (it := _system_block_kept(block)) is not None]
    return system if _are_same(blocks, system) else blocks


def _system_block_kept(block: Any) -> Any:
    text = block.get("text") if isinstance(block, dict) else None
    if not isinstance(text, str) or (kept := without_billing(text)) == text:
        return block
    return {**block, "text": kept} if kept else None


def checks_signatures(target: Target) -> bool:
    """Whether the target is Claude, wherever it runs."""
    return target.litellm_provider == "anthropic" or "claude" in target.model.lower()


def _message_kept(message: Any, checks: bool) -> Any:
    """The message as it may go on; None where nothing of it may."""
    content = message.get("content") if isinstance(message, dict) else None
    if not isinstance(content, list) or message.get("role") != "assistant":
        return message
    kept = [block for block in content if _may_go_on(block, checks)]
    if checks:
        kept = [_without_own_citations(block) for block in kept]
    if _are_same(kept, content):
        return message
    return {**message, "content": kept} if kept else None


def _may_go_on(block: Any, checks: bool) -> bool:
    match block:
        case {"type": "text", "text": str(text)}:
            return bool(text.strip() if checks else text)
        case {"type": "thinking"}:
            return not checks or bool(block.get("signature"))
    return True


def _without_own_citations(block: Any) -> Any:
    """A block without the citations that came from elsewhere: theirs have an index that they know again."""
    citations = block.get("citations") if isinstance(block, dict) else None
    if not isinstance(citations, list):
        return block
    theirs = [it for it in citations if not (isinstance(it, dict) and it.get("encrypted_index") == "")]
    return block if len(theirs) == len(citations) else {**block, "citations": theirs or None}


# ─── answers and events from bytes ───────────────────────────────────────────────────────────────


def answer_in(body: bytes, target: Target) -> Answer:
    """The message in a whole body, streamed or not; raises the error that it is instead."""
    if is_stream(body):
        return gathered(body, target, events_in, answer_of, is_whole)
    return object_with("content", body, target, "message")


def events_in(payloads: list[bytes], target: Target) -> tuple[Batch, bool, GatewayError | None]:
    """The events in some payloads, whether the last one has come, and the error that ends them, if any."""
    return read_events(payloads, target, _problem_in, ENDS, event_of)


ENDS = ("message_stop",)


def _problem_in(event: Any, target: Target) -> GatewayError | None:
    """The error that an event is: Anthropic's, OpenAI's (llama-server), or that it is no event."""
    kind = event.get("type") if isinstance(event, dict) else None
    if isinstance(kind, str) and kind != "error" and "error" not in event:
        return None
    if (said := error_in(event)) is not None:
        return problem_of(said, status_in(said), target)
    return no_event(target)


def is_whole(answer: Answer) -> bool:
    """Whether a message put together from a stream came to its end: it says why it stopped."""
    return bool(answer.get("stop_reason"))


# ─── under the alias ─────────────────────────────────────────────────────────────────────────────


def finished(answer: Answer, target: Target, trace: Trace) -> Answer:
    """A message under its alias; raises UpstreamFailed when the target says that it broke."""
    answer["model"] = target.alias
    under_alias(answer, target)
    usage, reason = answer.get("usage"), answer.get("stop_reason")
    trace.usage = usage_in_chat(usage) if isinstance(usage, dict) else None
    reason = reason if isinstance(reason, str) else None
    if reason in FAILED_FINISHES:
        raise broken(target, reason)
    trace.finish = reason
    return answer


def follow(target: Target, include_usage: bool, trace: Trace) -> MessageStream:
    """Messages always tell their usage."""
    return MessageStream(target, trace)


class MessageStream:
    """A stream's events under their alias, and whether it really came to its end."""

    def __init__(self, target: Target, trace: Trace) -> None:
        self.over = False
        self.failed: GatewayError | None = None
        """Set by a stop that stands for a failure or has no reason, and by what makes no message."""
        self._target = target
        self._trace = trace
        self._usage: dict[str, Any] = {}
        self._whole = False
        self._stop: dict[str, Any] = {"stop_reason": None, "stop_sequence": None}
        self._order = BlockOrder()

    def pass_on(self, batch: Batch) -> Batch:
        """The batch as the client gets it."""
        for place, event in enumerate(batch):
            if event["type"] != "content_block_delta":
                self._follow(event)
                if self.failed:
                    return self._ordered(batch[:place])
        return self._ordered(batch)

    def _ordered(self, batch: Batch) -> Batch:
        ordered = self._order.put(batch)
        if self._order.broken:
            self.failed = garbage(self._target, self._order.broken)
        return ordered

    def end(self) -> None:
        """Raises what is wrong with a stream that ends here: UpstreamCut unless the message stopped."""
        if self.failed:
            raise self.failed
        if not self._whole:
            raise cut(self._target)

    def _follow(self, event: Event) -> None:
        if "model" in event:
            event["model"] = self._target.alias
        under_alias(event, self._target)
        match event["type"]:
            case "message_start":
                message = event.get("message")
                if isinstance(message, dict):
                    message["model"] = self._target.alias
                    self._note(message.get("usage"))
                    _complete(message)
            case "content_block_start":
                _mended(event)
            case "message_delta":
                self._stopped(event)
            case "message_stop" if self._whole:
                self.over = True
            case "message_stop":
                self.failed = cut(self._target)

    def _stopped(self, event: Event) -> None:
        said = {key: it for key, it in as_dict(event.get("delta")).items() if it is not None}
        reason = said.get("stop_reason")
        if not isinstance(reason, str):
            said.pop("stop_reason", None)
        elif reason in FAILED_FINISHES:
            self.failed = broken(self._target, reason)
        elif reason:
            self._trace.finish = reason
            self._whole = True
        self._stop |= said  # Anthropic promises one or more of these
        event["delta"] = {**self._stop}
        self._note(event.get("usage"))
        _mended(event)

    def _note(self, usage: Any) -> None:
        if isinstance(usage, dict):
            self._usage = newest(self._usage, usage)
            self._trace.usage = usage_in_chat(self._usage)


_BEGUN: Answer = {"type": "message", "role": "assistant", "stop_reason": None, "stop_sequence": None}


def _complete(message: Answer) -> None:
    """The same for how a message begins."""
    for key, value in _BEGUN.items():
        message.setdefault(key, value)
    message["usage"] = {"input_tokens": 0, "output_tokens": 0, **as_dict(message.get("usage"))}
    if not isinstance(message.get("content"), list):
        message["content"] = []


def _mended(event: Event) -> None:
    """Puts in what the SDKs cannot do without: how a block begins, a number in the usage."""
    if event["type"] == "message_delta":
        usage = event.get("usage")
        event["usage"] = {"output_tokens": 0, **as_dict(usage)}
        return
    block: Any = event.get("content_block")
    kind = block.get("type") if isinstance(block, dict) else None
    if kind == "tool_use":
        block.setdefault("input", {})
    elif kind == "thinking":
        block.setdefault("signature", "")
