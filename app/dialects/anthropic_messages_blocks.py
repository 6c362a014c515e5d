"""The content blocks of a streamed message: one open at a time, numbered without gaps. Pure.

Two rooms. `Blocks` writes: it begins a block by ending the one before, so no order of calls
can leave two open. `Turn` decides what is written when. Thoughts, text and the first tool
call stream as they come. But a target may mix the pieces of parallel calls, and the input of
a call has to stand in its own block, whole. So while the open block is a call whose JSON
has not come to its end, whatever else comes is kept in line and follows when it has, or at
the end of the answer. A call is in line once its name is known.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from app.dialects.anthropic_messages_answer import Kind, Said, made_id
from app.types import Served
from app.utils.call_pieces import arguments_of, mixed_up, nameless
from app.utils.codec import dumps
from app.utils.json_end import JsonEnd
from app.utils.shapes import as_text


def framed(kind: str, payload: bytes) -> bytes:
    """One event, framed."""
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), payload)


_START = b'event: content_block_start\ndata: {"type":"content_block_start","index":%d,"content_block":%b}\n\n'
_STOP = b'event: content_block_stop\ndata: {"type":"content_block_stop","index":%d}\n\n'
_DELTA = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":'
_EMPTY = b'""}}\n\n'
_PIECES = {
    "text": b'"text_delta","text":',
    "thinking": b'"thinking_delta","thinking":',
    "tool_use": b'"input_json_delta","partial_json":',
}
"""How a block of each kind that comes in pieces is continued."""
_SIGNATURE = b'"signature_delta","signature":'
_CITATION = b'"citations_delta","citation":'
_END = b"}}\n\n"


def nothing(kind: str, index: int) -> bytes:
    """A delta that adds nothing to an open block, or b"" for a block that has no pieces."""
    return _DELTA % index + _PIECES[kind] + _EMPTY if kind in _PIECES else b""


class Blocks:
    """Writes blocks. The pieces that a batch brings for one block leave as one delta, at `flush`."""

    def __init__(self, first: int = 0) -> None:
        self.open = ""
        """The type of the open block, or ""."""
        self.signature = ""
        """Of the open block of thoughts; said last, just before the block ends."""
        self._out: list[bytes] = []
        self._pieces: list[str] = []
        self._index = first - 1
        self._delta = self._head = b""

    def begin(self, block: dict[str, Any]) -> None:
        self.end()
        self._index += 1
        self.open = block["type"]
        self._out.append(_START % (self._index, dumps(block)))
        self._delta = _DELTA % self._index
        self._head = self._delta + _PIECES[self.open]

    def hide(self, data: str) -> None:
        """Writes a block of hidden thoughts, which has no pieces."""
        self.end()
        self._index += 1
        self._out.append(_START % (self._index, dumps({"type": "redacted_thinking", "data": data})))
        self._out.append(_STOP % self._index)

    def add(self, piece: str) -> None:
        self._pieces.append(piece)

    def cite(self, citation: dict[str, Any]) -> None:
        self.flush()
        self._out.append(self._delta + _CITATION + dumps(citation) + _END)

    def flush(self) -> None:
        """Writes what was added; half a character waits for its other half, or for the block's end."""
        if not self._pieces:
            return
        text = "".join(self._pieces)
        self._pieces.clear()
        if "\ud800" <= text[-1:] <= "\udbff":
            self._pieces.append(text[-1])
            text = text[:-1]
        if text:
            self._tell(text)

    def _tell(self, text: str) -> None:
        self._out.append(self._head + dumps(text) + _END)

    def end(self) -> None:
        if not self.open:
            return
        self.flush()
        if self._pieces:
            self._tell(self._pieces.pop())
        if self.signature:
            self._out.append(self._delta + _SIGNATURE + dumps(self.signature) + _END)
            self.signature = ""
        self._out.append(_STOP % self._index)
        self.open = ""

    def alive(self) -> None:
        """Says nothing, but in an open block: agents take that, and no ping, for a sign of life."""
        self.flush()
        if not self.open:
            self.begin({"type": "text", "text": ""})
        self._out.append(self._head + _EMPTY)

    def taken(self) -> bytes:
        """What was written since."""
        self.flush()
        written = b"".join(self._out)
        self._out.clear()
        return written


@dataclass(slots=True)
class Call:
    """One tool call, as far as it has come."""

    number: int
    id: str = ""
    name: str = ""
    pieces: list[str] = field(default_factory=list)
    """Of its input, all that came."""
    written: int = 0
    """How many of them stand in its block."""
    state: str = "unnamed"
    """unnamed → named, in line or in its block → over."""
    _end: JsonEnd = field(default_factory=JsonEnd)
    _looked: int = 0

    @property
    def complete(self) -> bool:
        """Whether its input has come to its end. Looked up only when something else wants to begin."""
        for place in range(self._looked, len(self.pieces)):
            self._end.feed(self.pieces[place])
        self._looked = len(self.pieces)
        return self._end.reached


class Turn:
    """What a model says in a turn, brought into an order that blocks can have."""

    def __init__(self, served: Served, alias: str) -> None:
        self.blocks = Blocks()
        self.called = False
        """Whether any tool was called."""
        self._served = served
        self._alias = alias
        self._calls: dict[Any, Call] = {}
        self._call: Call | None = None
        """The one whose block is open."""
        self._latest: Any = None
        self._line: deque[Said | Call] = deque()

    def say(self, kind: Kind, what: Any) -> None:
        if self._call and not self._may_go_on():
            self._line.append((kind, what))
        elif kind == self.blocks.open and not self.blocks.signature:
            self.blocks.add(what)
        else:
            self._write(kind, what)

    def call(self, piece: dict[str, Any]) -> None:
        """Takes a piece of a tool call."""
        call = self._call_of(piece)
        function = piece.get("function")
        if not isinstance(function, dict):
            function = {}
        call.id = call.id or as_text(piece.get("id"))
        call.name = call.name or as_text(function.get("name"))
        if arguments := arguments_of(function):
            call.pieces.append(arguments)
        if call is self._call:
            self._continue(call)
            if self._line:
                self._catch_up()
        elif call.state == "unnamed" and call.name:
            self._queue(call)
        elif call.state == "over" and arguments.strip():
            raise mixed_up(self._alias)

    def close(self) -> None:
        """Writes what still stands in line, and ends the last block."""
        while self._line:
            self._leave()
            self._catch_up()
        if any(call.state == "unnamed" and call.pieces for call in self._calls.values()):
            raise nameless(self._alias)
        self.blocks.end()

    def _call_of(self, piece: dict[str, Any]) -> Call:
        """By its index; where it has none by its id; where it has neither it goes on with the latest."""
        key = piece.get("index")
        key = key if isinstance(key, int) else as_text(piece.get("id")) or self._latest
        self._latest = key
        if key not in self._calls:
            self._calls[key] = Call(len(self._calls))
        return self._calls[key]

    def _queue(self, call: Call) -> None:
        self.called = True
        call.state = "named"
        if self._call and not self._may_go_on():
            self._line.append(call)
        else:
            self._begin(call)

    def _may_go_on(self) -> bool:
        """Whether the open call is through, so that another block can begin."""
        if self._line or not (self._call and self._call.complete):
            return False
        self._leave()
        return True

    def _leave(self) -> None:
        if self._call:
            self._call.state = "over"
            self._call = None

    def _catch_up(self) -> None:
        while self._line and (self._call is None or self._call.complete):
            self._leave()
            first = self._line.popleft()
            if isinstance(first, Call):
                self._begin(first)
            else:
                self._write(*first)

    def _begin(self, call: Call) -> None:
        id = call.id or made_id(self._served, call.number)
        self.blocks.begin({"type": "tool_use", "id": id, "name": call.name, "input": {}})
        self._call = call
        self._continue(call)

    def _continue(self, call: Call) -> None:
        for place in range(call.written, len(call.pieces)):
            self.blocks.add(call.pieces[place])
        call.written = len(call.pieces)

    def _write(self, kind: Kind, what: Any) -> None:
        blocks = self.blocks
        match kind:
            case "redacted_thinking":
                blocks.hide(what)
            case "text" | "citation":
                if blocks.open != "text":
                    blocks.begin({"type": "text", "text": ""})
                (blocks.cite if kind == "citation" else blocks.add)(what)
            case _:
                if blocks.open != "thinking" or blocks.signature:
                    blocks.begin({"type": "thinking", "thinking": "", "signature": ""})
                if kind == "signature":
                    blocks.signature = what
                else:
                    blocks.add(what)
