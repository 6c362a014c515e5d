"""The wire `messages`: how a target answers that is called in Anthropic's Messages. Pure.

Anthropic is not the only one: llama-server, z.ai and OpenCode Zen speak it, each with less
than all of it. What the clients cannot do without is put in (`_mended`), nothing else is touched.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from app.errors import GatewayError
from app.types import Answer, Batch, Body, Event, Target, Trace
from app.utils.answers import garbage, is_stream, json_in
from app.utils.codec import dumps, loads
from app.utils.formatter import FAILED_FINISHES, broken, cut
from app.utils.messages_terms import UNREADABLE, usage_in_chat
from app.utils.problems import error_in, problem_of, status_in
from app.utils.sse import DONE, SSEReader

PATH = "/messages"

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
    """The body without what the target would refuse in the model's own turns.

    Empty text, and for those who check signatures thoughts that another model had: they carry
    an empty one here.
    """
    checks = checks_signatures(target)
    kept = [it for message in body["messages"] if (it := _message_kept(message, checks)) is not None]
    same = all(new is old for new, old in zip(kept, body["messages"], strict=False))
    return body if same and len(kept) == len(body["messages"]) else {**body, "messages": kept}


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
    if len(kept) == len(content) and all(new is old for new, old in zip(kept, content, strict=True)):
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
        return _gathered(body, target)
    answer = json_in(body, target)
    if not isinstance(answer, dict) or not isinstance(answer.get("content"), list):
        raise garbage(target, "something that is no message")
    return answer


def events_in(payloads: list[bytes], target: Target) -> tuple[Batch, bool, GatewayError | None]:
    """The events in some payloads, whether the last one has come, and the error that ends them, if any."""
    batch: Batch = []
    for payload in filter(None, payloads):
        if payload == DONE:
            return batch, True, None
        try:
            event = loads(payload)
        except ValueError:
            return batch, False, garbage(target, "a stream with a line that is not JSON")
        kind = event.get("type") if isinstance(event, dict) else None
        if not isinstance(kind, str) or kind == "error" or "error" in event:
            return batch, False, _problem(event, target)
        batch.append(event)
        if kind == "message_stop":
            return batch, True, None
    return batch, False, None


def _problem(event: Any, target: Target) -> GatewayError:
    """The error that an event is: Anthropic's, OpenAI's (llama-server), or that it is no event."""
    if (said := error_in(event)) is not None:
        return problem_of(said, status_in(said), target)
    return garbage(target, "a stream with what is no event")


def _gathered(body: bytes, target: Target) -> Answer:
    reader = SSEReader()
    batch, _, problem = events_in(reader.feed(body) + reader.close(), target)
    if problem:
        raise problem
    answer = answer_of([batch])
    if not is_whole(answer):
        raise cut(target)
    return answer


# ─── from one to the other ───────────────────────────────────────────────────────────────────────


def events_of(answer: Answer) -> Batch:
    """A message as the events of a stream: for a target that ignores `stream`."""
    begun: Answer = {"content": [], "stop_reason": None, "stop_sequence": None}
    events: Batch = [{"type": "message_start", "message": {**answer, **begun}}]
    for index, block in enumerate(it for it in answer["content"] if isinstance(it, dict)):
        events += _block_events(index, block)
    stop = {key: answer.get(key) for key in ("stop_reason", "stop_sequence")}
    usage = answer.get("usage")
    events.append({"type": "message_delta", "delta": stop, "usage": usage if isinstance(usage, dict) else {}})
    return [*events, {"type": "message_stop"}]


def _block_events(index: int, block: dict[str, Any]) -> Iterator[Event]:
    begun, deltas = _taken_apart(block)
    yield {"type": "content_block_start", "index": index, "content_block": begun}
    for delta in deltas:
        yield {"type": "content_block_delta", "index": index, "delta": delta}
    yield {"type": "content_block_stop", "index": index}


def _taken_apart(block: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A block as it begins, and the pieces that make it whole."""
    match block:
        case {"type": "text", "text": str(text)}:
            said = block.get("citations")
            citations = [it for it in said if isinstance(it, dict)] if isinstance(said, list) else []
            cited = [{"type": "citations_delta", "citation": it} for it in citations]
            begun = {**block, "text": "", **({"citations": []} if citations else {})}
            return begun, [{"type": "text_delta", "text": text}, *cited]
        case {"type": "thinking", "thinking": str(thinking)}:
            deltas: list[dict[str, Any]] = [{"type": "thinking_delta", "thinking": thinking}]
            if signature := block.get("signature"):
                deltas.append({"type": "signature_delta", "signature": signature})
            return {**block, "thinking": "", "signature": ""}, deltas
        case {"type": str(kind), "input": dict(given)} if kind.endswith("tool_use"):
            pieces = [{"type": "input_json_delta", "partial_json": dumps(given).decode()}]
            return {**block, "input": {}}, pieces
    return block, []


def answer_of(batches: Iterable[Batch]) -> Answer:
    """The message that a stream spells: for a target that streams whether asked to or not."""
    answer: Answer = {}
    blocks: dict[str, dict[str, Any]] = {}
    inputs: dict[str, list[str]] = {}
    for event in (event for batch in batches for event in batch):
        index = str(event.get("index"))  # a key, whatever it is
        match event:
            case {"type": "message_start", "message": dict(message)}:
                answer.update(message)
            case {"type": "content_block_start", "content_block": dict(block)}:
                blocks[index] = {**block}
            case {"type": "content_block_delta", "delta": {"partial_json": str(piece)}}:
                inputs.setdefault(index, []).append(piece)
            case {"type": "content_block_delta", "delta": dict(delta)}:
                _continue(blocks.setdefault(index, {}), delta)
            case {"type": "message_delta"}:
                _stop(answer, event)
    for index, pieces in inputs.items():
        block = blocks.setdefault(index, {})
        block["input"] = _input("".join(pieces), block.get("input"))
    begun = answer.get("content")
    answer["content"] = [*(begun if isinstance(begun, list) else ()), *blocks.values()]
    return answer


def _continue(block: dict[str, Any], delta: dict[str, Any]) -> None:
    """Adds a piece to its block: texts grow, citations are a list, of anything else the newest counts."""
    if "citation" in delta:
        known = block.get("citations")
        block["citations"] = [*(known if isinstance(known, list) else ()), delta["citation"]]
        return
    for key, piece in delta.items():
        if key != "type":
            known = block.get(key)
            block[key] = known + piece if isinstance(known, str) and isinstance(piece, str) else piece


def _input(text: str, begun: Any) -> Any:
    """A tool's input from its pieces; half of one is kept as text."""
    if not text.strip():
        return begun if begun is not None else {}
    try:
        return loads(text)
    except ValueError:
        return {UNREADABLE: text}


def _stop(answer: Answer, event: Event) -> None:
    delta, usage = event.get("delta"), event.get("usage")
    if isinstance(delta, dict):
        answer.update(delta)
    if isinstance(usage, dict):
        begun = answer.get("usage")
        answer["usage"] = _newest(begun if isinstance(begun, dict) else {}, usage)


def _newest(usage: dict[str, Any], newer: dict[str, Any]) -> dict[str, Any]:
    """Usage is told at the start and, as a total, at the end; null there says nothing."""
    return usage | {key: value for key, value in newer.items() if value is not None or key not in usage}


def is_whole(answer: Answer) -> bool:
    """Whether a message put together from a stream came to its end: it says why it stopped."""
    return bool(answer.get("stop_reason"))


# ─── under the alias ─────────────────────────────────────────────────────────────────────────────


def finished(answer: Answer, target: Target, trace: Trace) -> Answer:
    """A message under its alias; raises UpstreamFailed when the target says that it broke."""
    answer["model"] = target.alias
    usage, reason = answer.get("usage"), answer.get("stop_reason")
    trace.usage = usage_in_chat(usage) if isinstance(usage, dict) else None
    if reason in FAILED_FINISHES:
        raise broken(target, reason)
    trace.finish = reason if isinstance(reason, str) else None
    return answer


def follow(target: Target, include_usage: bool, trace: Trace) -> MessageStream:
    """Messages always tell their usage."""
    return MessageStream(target, trace)


class MessageStream:
    """A stream's events under their alias, and whether it really came to its end."""

    def __init__(self, target: Target, trace: Trace) -> None:
        self.failed: GatewayError | None = None
        """Set when a stop reason stands for a failure; what came before it has been passed on."""
        self._target = target
        self._trace = trace
        self._usage: dict[str, Any] = {}
        self._whole = False

    def pass_on(self, batch: Batch) -> Batch:
        """The batch as the client gets it."""
        for place, event in enumerate(batch):
            if event["type"] != "content_block_delta":
                self._follow(event)
                if self.failed:
                    return batch[:place]
        return batch

    def end(self) -> None:
        """Raises what is wrong with a stream that ends here: UpstreamCut unless the message stopped."""
        if self.failed:
            raise self.failed
        if not self._whole:
            raise cut(self._target)

    def _follow(self, event: Event) -> None:
        if "model" in event:
            event["model"] = self._target.alias
        match event["type"]:
            case "message_start":
                message = event.get("message")
                if isinstance(message, dict):
                    message["model"] = self._target.alias
                    self._note(message.get("usage"))
            case "content_block_start":
                _mended(event)
            case "message_delta":
                self._stopped(event)
            case "message_stop":
                self._whole = True

    def _stopped(self, event: Event) -> None:
        delta = event.get("delta")
        reason = delta.get("stop_reason") if isinstance(delta, dict) else None
        if reason in FAILED_FINISHES:
            self.failed = broken(self._target, reason)
        elif isinstance(reason, str) and reason:
            self._trace.finish = reason
            self._whole = True
        self._note(event.get("usage"))
        _mended(event)

    def _note(self, usage: Any) -> None:
        if isinstance(usage, dict):
            self._usage = _newest(self._usage, usage)
            self._trace.usage = usage_in_chat(self._usage)


def _mended(event: Event) -> None:
    """Puts in what the SDKs cannot do without: a tool's input where it begins, a number in the usage."""
    if event["type"] == "message_delta":
        usage = event.get("usage")
        event["usage"] = {"output_tokens": 0, **(usage if isinstance(usage, dict) else {})}
    else:
        block = event.get("content_block")
        if isinstance(block, dict) and block.get("type") == "tool_use":
            block.setdefault("input", {})
