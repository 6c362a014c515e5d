"""An answer's turn as its chunks spell it, as far as somebody may want it back. Pure.

Nearly every chunk brings a piece of text or of a thought and nothing else, and is done with at once.
"""

from __future__ import annotations

from typing import Any

from app.types import Batch, Completion
from app.utils.ledger import Message, Wants
from app.utils.shapes import as_dicts

_RARE = frozenset({"tool_calls", "thinking_blocks", "extra_content"})


class Reading:
    """Reads the first choice of a stream: agents ask for no more than one."""

    def __init__(self, wanted: Wants) -> None:
        self._wanted = wanted
        self._texts: list[str] = []
        self._thoughts: list[str] = []
        self._calls: dict[Any, dict[str, Any]] = {}
        self._blocks = Blocks()
        self._message: Message = {}

    def feed(self, batch: Batch) -> None:
        for chunk in batch:
            try:
                for choice in chunk["choices"]:
                    delta = choice["delta"]
                    if not delta or choice.get("index"):
                        continue
                    if text := delta.get("content"):
                        self._texts.append(text)
                    if thought := delta.get("reasoning_content") or delta.get("reasoning"):
                        self._thoughts.append(thought)
                    if not _RARE.isdisjoint(delta):
                        self._read(delta)
            except (AttributeError, KeyError, TypeError):
                continue  # no chunk of chat, or one without an answer in it

    def turn(self) -> Message:
        """The message that has come so far."""
        turn = {
            **self._message,
            "content": _joined(self._texts),
            "reasoning_content": _joined(self._thoughts),
        }
        if blocks := self._blocks.whole:
            turn["thinking_blocks"] = blocks
        calls = [_whole(self._calls[index]) for index in sorted(self._calls, key=_order)]
        return {**turn, "tool_calls": calls} if calls else turn

    def _read(self, delta: dict[str, Any]) -> None:
        if self._wanted.thinking:
            self._blocks.feed(delta.get("thinking_blocks"))
        for piece in as_dicts(delta.get("tool_calls")):
            self._call(piece)
        if delta.get("extra_content"):
            self._message["extra_content"] = delta["extra_content"]

    def _call(self, piece: dict[str, Any]) -> None:
        call = self._calls.setdefault(piece.get("index"), {"name": "", "pieces": []})
        function = piece.get("function")
        for key in ("id", "extra_content", "provider_specific_fields"):
            if piece.get(key) and not call.get(key):
                call[key] = piece[key]
        if isinstance(function, dict):
            call["name"] = call["name"] or function.get("name") or ""
            call["pieces"].append(function.get("arguments"))


class Blocks:
    """Thinking blocks as LiteLLM streams them: pieces of thought, then a piece with the signature."""

    def __init__(self) -> None:
        self.whole: list[dict[str, Any]] = []
        """Those that have come to their end."""
        self._open: list[str] = []

    def feed(self, pieces: Any) -> None:
        for piece in as_dicts(pieces):
            if piece.get("type") == "redacted_thinking":
                self.whole.append(piece)
                continue
            self._open.append(piece.get("thinking") or "")
            if piece.get("signature"):
                self.whole.append({**piece, "thinking": _joined(self._open)})
                self._open = []


def turn_in(answer: Completion) -> Message:
    """The message of a plain answer."""
    for choice in as_dicts(answer.get("choices"))[:1]:
        message = choice.get("message")
        if isinstance(message, dict):
            return message
    return {}


def _whole(call: dict[str, Any]) -> dict[str, Any]:
    rest = {key: value for key, value in call.items() if key not in ("name", "pieces")}
    return {**rest, "function": {"name": call["name"], "arguments": _joined(call["pieces"])}}


def _order(index: Any) -> int:
    return index if isinstance(index, int) else -1


def _joined(pieces: list[Any]) -> str:
    return "".join(piece for piece in pieces if isinstance(piece, str))
