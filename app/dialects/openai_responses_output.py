"""The items of an answer while they are being streamed. Pure.

An item takes pieces at any time. It writes them once it is open, which is only ever one of them,
and gives the finished item when it is closed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from app.dialects.openai_responses_frames import Frames, head_of
from app.dialects.openai_responses_tools import BUILT_INS, INPUT, Tool, Tools
from app.types import Answer, Body
from app.utils.call_pieces import arguments_of
from app.utils.codec import loads
from app.utils.json_end import JsonEnd
from app.utils.json_text import TextInJson
from app.utils.ledger_reading import Blocks
from app.utils.responses_events import CALL_STREAMS, PART_KINDS, begun_item, call_done, part_added, part_done
from app.utils.responses_ids import item_id
from app.utils.shapes import as_dict

Seal = Callable[[dict[str, Any]], str | None]
"""Seals what a client may carry and not read; None where nothing is to be sealed."""


def seals_nothing(thoughts: dict[str, Any]) -> str | None:
    return None


class Item(Protocol):
    """One item of the output."""

    @property
    def settled(self) -> bool:
        """Whether it is complete, as far as can be told, so that it may be closed for the next one."""

    def open(self, at: int, frames: Frames) -> None: ...
    def flush(self, frames: Frames) -> None:
        """Writes what has come since the last time."""

    def close(self, frames: Frames, status: str) -> Answer:
        """The finished item."""


class Part:
    """One text within an item."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._kind = PART_KINDS[name]
        self._fresh: list[str] = []
        self._whole: list[str] = []
        self._fresh_odds: list[Body] = []
        self._odds: list[Body] = []
        self._cited: list[Body] = []
        self._annotations: list[Body] = []
        self._place: Body = {}
        self._head = b""

    def add(self, text: str) -> None:
        if text:
            self._fresh.append(text)

    def add_odds(self, odds: list[Body]) -> None:
        """Log probabilities of what was added last."""
        self._fresh_odds += odds

    def cite(self, annotation: Body) -> None:
        self._cited.append(annotation)

    def open(self, place: Body, index: int, frames: Frames) -> None:
        self._place = {**place, self._kind.index: index}
        self._head = head_of({"type": f"{self._kind.stream}.delta", **self._place, **self._kind.also})
        frames.event(part_added(self.name, self._place))

    @property
    def is_open(self) -> bool:
        return bool(self._head)

    def flush(self, frames: Frames, last: bool = False) -> None:
        if self._fresh and (text := _taken(self._fresh, last)):
            self._whole.append(text)
            if self._fresh_odds:
                self._write_with_odds(text, frames)
            else:
                frames.piece(self._head, text)
        for annotation in self._cited:
            place = {**self._place, "annotation_index": len(self._annotations)}
            added = {"type": "response.output_text.annotation.added", **place, "annotation": annotation}
            frames.event(added)
            self._annotations.append(annotation)
        self._cited.clear()

    def close(self, frames: Frames) -> Body:
        self.flush(frames, last=True)
        told = {"annotations": self._annotations, "logprobs": self._odds}
        text = "".join(self._whole)
        part = {"type": self.name, **{key: told[key] for key in self._kind.blank}, self._kind.text: text}
        for event in part_done(part, self._place):
            frames.event(event)
        return part

    def _write_with_odds(self, text: str, frames: Frames) -> None:
        odds, self._fresh_odds = self._fresh_odds, []
        self._odds += odds
        frames.event({"type": f"{self._kind.stream}.delta", **self._place, "delta": text, "logprobs": odds})


class _InParts:
    """An item whose texts stand in parts, one behind the other."""

    settled = True

    def __init__(self, begun: Answer) -> None:
        self._item = begun
        self._parts: list[Part] = []
        self._closed: list[Body] = []
        self._place: Body = {}

    def part(self, name: str) -> Part:
        """The part that goes on, if it is of that kind, or a new one."""
        if not self._parts or self._parts[-1].name != name:
            self._parts.append(Part(name))
        return self._parts[-1]

    def open(self, at: int, frames: Frames) -> None:
        self._place = {"item_id": self._item["id"], "output_index": at}
        frames.event({"type": "response.output_item.added", "output_index": at, "item": self._item})

    def flush(self, frames: Frames) -> None:
        while len(self._closed) < len(self._parts):
            part = self._parts[len(self._closed)]
            if not part.is_open:
                part.open(self._place, len(self._closed), frames)
            part.flush(frames)
            if part is self._parts[-1]:
                return
            self._closed.append(part.close(frames))

    def _close(self, frames: Frames, **over: Any) -> Answer:
        self.flush(frames)
        if len(self._closed) < len(self._parts):
            self._closed.append(self._parts[-1].close(frames))
        item = {**self._item, **over}
        at = self._place["output_index"]
        frames.event({"type": "response.output_item.done", "output_index": at, "item": item})
        return item


class Message(_InParts):
    """What the model says."""

    def __init__(self, id: str) -> None:
        super().__init__(
            {
                "id": item_id("msg", id),
                "type": "message",
                "status": "in_progress",
                "role": "assistant",
                "content": [],
            }
        )

    def close(self, frames: Frames, status: str) -> Answer:
        return self._close(frames, status=status, content=self._closed)


class Thoughts(_InParts):
    """What the model thinks, and what its provider wants back of that."""

    def __init__(self, id: str, seal: Seal) -> None:
        super().__init__({"id": item_id("rs", id), "type": "reasoning", "summary": []})
        self._seal = seal
        self._text: list[str] = []
        self._blocks = Blocks()

    def add(self, text: str) -> None:
        self._text.append(text)
        self.part("summary_text").add(text)

    def add_blocks(self, pieces: list[Body]) -> None:
        """Signed blocks as LiteLLM streams them: text in pieces, then the signature."""
        self._blocks.feed(pieces)

    def close(self, frames: Frames, status: str) -> Answer:
        thoughts = {"reasoning_content": "".join(self._text), "thinking_blocks": self._blocks.whole}
        sealed = self._seal({key: value for key, value in thoughts.items() if value})
        also = {"encrypted_content": sealed} if sealed else {}
        return self._close(frames, summary=self._closed, **also)


class Call:
    """What the model wants done, by a function or by a tool that chat knows as a function only."""

    def __init__(self, id: str, tools: Tools) -> None:
        self._id = id
        self._tools = tools
        self._tool: Tool | None = None
        self._call_id = ""
        self._written: list[str] = []
        self._fresh: list[str] = []
        self._said: list[str] = []
        self._end = JsonEnd()
        self._unseen: list[str] = []
        """What the end has not been looked for in."""
        self._reader: TextInJson | None = None
        self._place: Body = {}
        self._head = b""
        self._begun: Answer = {}

    def add(self, piece: Body) -> None:
        """A fragment as chat has it: id and name once, arguments in pieces."""
        function = as_dict(piece.get("function"))
        if not self._call_id and isinstance(piece.get("id"), str):
            self._call_id = piece["id"]
        if self._tool is None and isinstance(name := function.get("name"), str) and name:
            self._tool = self._tools.called(name)
        if arguments := arguments_of(function):
            self._fresh.append(arguments)
            self._unseen.append(arguments)

    @property
    def named(self) -> bool:
        return self._tool is not None

    @property
    def is_empty(self) -> bool:
        """Whether nothing came of it but a name."""
        return not (self._fresh or self._written)

    @property
    def settled(self) -> bool:
        """Whether its arguments have come to their end, behind which nothing can come."""
        for piece in self._unseen:
            self._end.feed(piece)
        self._unseen.clear()
        return self._end.reached

    def open(self, at: int, frames: Frames) -> None:
        tool = self._tool
        assert tool is not None
        self._call_id = self._call_id or f"call_{self._id}"
        self._place = {"output_index": at}
        if tool.kind in BUILT_INS:
            return  # only its arguments tell what it is
        self._begun = (
            self._item("custom_tool_call", "ctc", tool) if tool.kind == "custom" else self._function()
        )
        self._begin(frames)
        if tool.kind == "custom":
            self._reader = TextInJson(INPUT)

    def flush(self, frames: Frames, last: bool = False) -> None:
        if self._fresh and (piece := _taken(self._fresh, last)):
            self._written.append(piece)
            if self._begun:
                self._say(self._reader.feed(piece) if self._reader else piece, frames)

    def close(self, frames: Frames, status: str) -> Answer:
        self.flush(frames, last=True)
        if not self._begun:
            return self._close_built_in(frames, status)
        if self._reader:
            self._say(self._reader.close(), frames)
        elif status == "completed" and not "".join(self._said).strip():
            self._say("{}", frames)  # no arguments at all, which clients could not read
        item = {**self._begun, "status": status, self._field: "".join(self._said)}
        frames.event(call_done(item, {"item_id": item["id"], **self._place}))
        return self._done(item, frames)

    def _close_built_in(self, frames: Frames, status: str) -> Answer:
        assert self._tool is not None
        built_in = BUILT_INS[self._tool.kind]
        arguments = _object_in("".join(self._written))
        if arguments is None:  # no such call: let the client say so to the model
            self._begun = self._function()
            self._begin(frames)
            self._say("".join(self._written), frames)
            return self.close(frames, status)
        item = {
            "id": item_id(built_in.prefix, self._id),
            "type": built_in.call,
            "status": status,
            "call_id": self._call_id,
            **built_in.also,
            built_in.holder: {**arguments, **built_in.fixed},
        }
        frames.event({"type": "response.output_item.added", **self._place, "item": begun_item(item)})
        return self._done(item, frames)

    def _function(self) -> Answer:
        assert self._tool is not None
        return self._item("function_call", "fc", self._tool)

    def _item(self, kind: str, prefix: str, tool: Tool) -> Answer:
        item = {
            "id": item_id(prefix, self._id),
            "type": kind,
            "status": "in_progress",
            "call_id": self._call_id,
            "name": tool.name,
        }
        return item | ({"namespace": tool.namespace} if tool.namespace else {}) | {CALL_STREAMS[kind][1]: ""}

    @property
    def _field(self) -> str:
        return CALL_STREAMS[self._begun["type"]][1]

    def _begin(self, frames: Frames) -> None:
        stream = CALL_STREAMS[self._begun["type"]][0]
        self._head = head_of({"type": f"{stream}.delta", "item_id": self._begun["id"], **self._place})
        frames.event({"type": "response.output_item.added", **self._place, "item": self._begun})

    def _say(self, text: str, frames: Frames) -> None:
        if text:
            self._said.append(text)
            frames.piece(self._head, text)

    def _done(self, item: Answer, frames: Frames) -> Answer:
        frames.event({"type": "response.output_item.done", **self._place, "item": item})
        return item


def _taken(fresh: list[str], last: bool) -> str:
    """All pieces as one; half a surrogate pair stays for the other half, for Rust reads no event with one."""
    text = "".join(fresh)
    fresh.clear()
    if not last and "\ud800" <= text[-1:] < "\udc00":
        fresh.append(text[-1])
        return text[:-1]
    return text


def _object_in(written: str) -> Body | None:
    try:
        value = loads(written)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
