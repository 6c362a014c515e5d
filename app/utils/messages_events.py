"""A message whole and as the events of a stream, in Anthropic's Messages: from one to the other. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from app.types import Answer, Batch, Event
from app.utils.codec import dumps, loads
from app.utils.messages_terms import UNREADABLE
from app.utils.shapes import as_dict, as_dicts


def events_of(answer: Answer) -> Batch:
    """A message as the events of a stream: for a target that ignores `stream`."""
    begun: Answer = {"content": [], "stop_reason": None, "stop_sequence": None}
    events: Batch = [{"type": "message_start", "message": {**answer, **begun}}]
    for index, block in enumerate(it for it in answer["content"] if isinstance(it, dict)):
        events += _block_events(index, block)
    stop = {key: answer.get(key) for key in ("stop_reason", "stop_sequence")}
    usage = answer.get("usage")
    events.append({"type": "message_delta", "delta": stop, "usage": as_dict(usage)})
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
            citations = as_dicts(block.get("citations"))
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
        answer["usage"] = newest(as_dict(begun), usage)


def newest(usage: dict[str, Any], newer: dict[str, Any]) -> dict[str, Any]:
    """Usage is told at the start and, as a total, at the end; null there says nothing."""
    return usage | {key: value for key, value in newer.items() if value is not None or key not in usage}
