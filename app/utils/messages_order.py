"""The events of a relayed message in the order that Anthropic promises, whatever order they come in. Pure.

llama-server opens the text while the thoughts are still open, and ends both when the answer is
over, the (empty) signature included; others count their blocks from 1, or mix the pieces of two.
So blocks are numbered anew, and a block ends when the next one begins. Its text goes on in a
block of its own, should there be more. But the input of a call has to be whole: while its JSON
has not come to its end, the blocks after it stand in line. What cannot be put in order is
`broken`, and nothing follows it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from app.types import Batch, Event
from app.utils.json_end import JsonEnd
from app.utils.messages_runs import Run

Stage: TypeAlias = Literal["before", "blocks", "stopped"]
"""Until message_start, until message_delta, and then."""

_NONE: Any = object()
"""No block's number."""

_OF_BLOCKS = frozenset({"content_block_start", "content_block_delta", "content_block_stop"})

_CONTINUED: dict[Any, dict[str, Any]] = {
    "text_delta": {"type": "text", "text": ""},
    "thinking_delta": {"type": "thinking", "thinking": "", "signature": ""},
}
"""Deltas that can go on in another block, and how that begins."""


@dataclass(slots=True)
class _Block:
    index: int
    """As the target counts."""
    start: Event
    is_call: bool
    pieces: Batch = field(default_factory=list)
    """Its deltas: a call's all, another's while it stands in line."""
    stop: Event | None = None
    """How the target ended it, if it has."""
    over: bool = False
    """Whether it was ended here."""
    _end: JsonEnd = field(default_factory=JsonEnd)
    _looked: int = 0

    @property
    def is_through(self) -> bool:
        """Whether the next block may begin. Looked up only when there is one."""
        if not self.is_call or self.stop:
            return True
        for place in range(self._looked, len(self.pieces)):
            self._end.feed(_json_of(self.pieces[place]))
        self._looked = len(self.pieces)
        return self._end.reached


def _json_of(event: Event) -> str:
    if isinstance(event, Run):
        return "".join(map(_json_of, event.apart()))
    delta = event.get("delta")
    piece = delta.get("partial_json") if isinstance(delta, dict) else None
    return piece if isinstance(piece, str) else ""


class BlockOrder:
    """One per stream; the batches pass in turn."""

    def __init__(self) -> None:
        self.broken: str | None = None
        """What is wrong with the stream; what came before it has been passed on."""
        self._stage: Stage = "before"
        self._known: dict[int, _Block] = {}
        """By the target's numbers, the latest of each."""
        self._line: deque[_Block] = deque()
        self._open: _Block | None = None
        self._number = -1
        """The open block's, as the client counts."""
        self._passing: Any = _NONE
        """The open block's, as the target counts, unless its deltas need a closer look."""
        self._pieces: Batch | None = None
        """The open block's, if it is a call."""

    def put(self, batch: Batch) -> Batch:
        """The batch in order, as far as it can be put in one."""
        out: Batch = []
        for event in batch:
            for one in self._handy(event):
                if one["type"] == "content_block_delta" and one.get("index") == self._passing:
                    self._pass(one, out)
                else:
                    self._take(one, out)
                    if self.broken:
                        return out
        return out

    def _handy(self, event: Event) -> Sequence[Event]:
        """A run whose block is not open, or has another number here, comes apart: its events will change."""
        if isinstance(event, Run) and not event["index"] == self._passing == self._number:
            return event.apart()
        return (event,)

    def _take(self, event: Event, out: Batch) -> None:
        kind = event["type"]
        if kind == "message_start":
            self._begun(event, out)
        elif self._stage == "before":
            if kind != "ping":
                self.broken = "a stream that does not begin with its message"
        elif kind in _OF_BLOCKS:
            self._of_block(kind, event, out)
        else:
            if kind in ("message_delta", "message_stop"):
                self._end_all(out)
                self._stage = "stopped"
            out.append(event)

    def _begun(self, event: Event, out: Batch) -> None:
        if self._stage != "before":
            self.broken = "a stream of two messages"
        elif not isinstance(event.get("message"), dict):
            self.broken = "a stream that begins without a message"
        else:
            self._stage = "blocks"
            out.append(event)

    def _of_block(self, kind: str, event: Event, out: Batch) -> None:
        index = event.get("index")
        if not isinstance(index, int):
            self.broken = "a stream with a block that has no number"
        elif kind == "content_block_stop":
            self._stop(index, event, out)
        elif self._stage == "stopped":
            self.broken = "a stream that goes on behind its end"
        elif kind == "content_block_start":
            self._start(index, event, out)
        else:
            self._continue(index, event, out)

    # ─── one block ───────────────────────────────────────────────────────────────────────────────

    def _start(self, index: int, event: Event, out: Batch) -> None:
        begun = event.get("content_block")
        if not isinstance(begun, dict):
            self.broken = "a stream with the beginning of no block"
            return
        if (before := self._known.get(index)) is not None:
            before.stop = before.stop or {"type": "content_block_stop"}
        block = self._known[index] = _Block(index, event, str(begun.get("type")).endswith("tool_use"))
        self._line.append(block)
        self._catch_up(out)

    def _continue(self, index: int, event: Event, out: Batch) -> None:
        block, delta = self._known.get(index), event.get("delta")
        if block is None or not isinstance(delta, dict):
            self.broken = "a stream with a piece of no block"
        elif block.over:
            self._go_on(index, event, delta, out)
        elif block is not self._open:
            block.pieces.append(event)
        else:
            self._pass(event, out)
            self._catch_up(out)

    def _go_on(self, index: int, event: Event, delta: dict[str, Any], out: Batch) -> None:
        """A piece of a block that was ended here begins another one of its kind; what is none is too late."""
        kind = delta.get("type")
        if kind == "signature_delta" or not any(value for key, value in delta.items() if key != "type"):
            return
        if (begun := _CONTINUED.get(kind)) is None:
            self.broken = "a stream that mixes up its blocks"
            return
        again = {"type": "content_block_start", "index": index, "content_block": {**begun}}
        self._start(index, again, out)
        self._continue(index, event, out)

    def _stop(self, index: int, event: Event, out: Batch) -> None:
        """Ends a block, or notes that it is to be; for one that was ended before it is too late."""
        if (block := self._known.get(index)) is None:
            return
        block.stop = event
        if block is self._open:
            self._leave(out)
            self._catch_up(out)

    # ─── one after the other ─────────────────────────────────────────────────────────────────────

    def _catch_up(self, out: Batch) -> None:
        """Begins the blocks in line, as far as those before them are through."""
        while self._line and (self._open is None or self._open.is_through):
            self._begin(self._line.popleft(), out)
        if self._open is not None and self._open.stop and not self._line:
            self._leave(out)
        self._passing = self._open.index if self._open is not None and not self._line else _NONE

    def _begin(self, block: _Block, out: Batch) -> None:
        self._leave(out)
        self._number += 1
        self._open = block
        block.start["index"] = self._number
        out.append(block.start)
        waiting, block.pieces = block.pieces, []
        self._pieces = block.pieces if block.is_call else None
        for event in waiting:
            self._pass(event, out)

    def _pass(self, event: Event, out: Batch) -> None:
        event["index"] = self._number
        out.append(event)
        if self._pieces is not None:
            self._pieces.append(event)

    def _leave(self, out: Batch) -> None:
        if self._open is not None:
            stop = self._open.stop or {"type": "content_block_stop"}
            out.append({**stop, "index": self._number})
            self._open.over = True
            self._open.pieces = []
            self._open = self._pieces = None
            self._passing = _NONE

    def _end_all(self, out: Batch) -> None:
        while self._line:
            self._begin(self._line.popleft(), out)
        self._leave(out)
