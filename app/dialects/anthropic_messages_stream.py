"""Streams in Anthropic's Messages: made from chat's chunks, or passed on as they are. Pure.

Usage comes after the finish in chat and with it in Messages, so the end of a message is
held back until the stream's own.
"""

from __future__ import annotations

from typing import Any

from app.dialects.anthropic_messages_answer import said_in, stop_of
from app.dialects.anthropic_messages_blocks import Blocks, Turn, framed, nothing
from app.dialects.anthropic_messages_errors import error
from app.errors import GatewayError
from app.types import Answer, Batch, Chunk, Event, Request, Served
from app.utils.call_pieces import calls_in
from app.utils.codec import dumps
from app.utils.content_parts import text_of
from app.utils.first_choice import FirstChoice
from app.utils.messages_runs import Run
from app.utils.messages_terms import usage_in_messages
from app.utils.sse import named

PING = framed("ping", b'{"type":"ping"}')
STOP = framed("message_stop", b'{"type":"message_stop"}')

_USUAL = frozenset({"role", "content", "reasoning_content", "tool_calls"})
"""What most deltas hold, and nothing that takes a closer look."""


def _head(kind: Any) -> bytes:
    return b"event: %b\ndata: " % named(str(kind))


_HEADS: dict[Any, bytes] = {
    kind: _head(kind) for kind in ("content_block_delta", "content_block_start", "content_block_stop")
}


def failed(problem: GatewayError) -> bytes:
    return framed("error", dumps(error(problem)))


class Translated:
    """Chat's chunks as the events of a message. Raises UpstreamGarbage for tool calls that make no sense."""

    answer: Answer | None = None
    fails_in_order = False

    def __init__(self, request: Request, served: Served) -> None:
        self._request = request
        self._served = served
        self._turn = Turn(served, request.model)
        self._usage: dict[str, Any] = {}
        self._first_choice = FirstChoice()
        self._choice: dict[str, Any] = {}
        """The one that brought the finish."""
        self._refused = False
        self._begun = False
        self._over = False

    def feed(self, batch: Batch) -> bytes:
        if self._over:
            return b""
        for chunk in batch:
            self._take(chunk)
        return self._told(self._turn.blocks.taken())

    def alive(self) -> bytes:
        if self._over:
            return b""
        self._turn.blocks.alive()
        return self._told(self._turn.blocks.taken())

    def close(self) -> bytes:
        if self._over:
            return b""
        self._turn.close()
        self._over = True
        stop = stop_of(self._choice, self._request, self._turn.called, self._refused)
        # The SDKs need a number there: where the target never tells, 0 says that nothing was counted.
        usage = {"output_tokens": 0, **usage_in_messages(self._usage)}
        last = framed("message_delta", dumps({"type": "message_delta", "delta": stop, "usage": usage}))
        return self._told(self._turn.blocks.taken() + last + STOP)

    def fail(self, problem: GatewayError) -> bytes:
        self._over = True
        return failed(problem)

    def _take(self, chunk: Chunk) -> None:
        usage = chunk.get("usage")
        if usage and isinstance(usage, dict):
            self._usage = usage
        choice = self._first_choice.of(chunk)
        if choice is None:
            return
        delta = choice.get("delta")
        if isinstance(delta, dict):
            self._follow(delta)
        if choice.get("finish_reason"):
            self._choice = choice

    def _follow(self, delta: dict[str, Any]) -> None:
        content = delta.get("content") or ""
        if _USUAL.issuperset(delta) and isinstance(content, str):  # nearly all of them
            if thought := text_of(delta.get("reasoning_content")):
                self._turn.say("thinking", thought)
            if content:
                self._turn.say("text", content)
        else:
            for kind, piece in said_in(delta):
                self._turn.say(kind, piece)
            self._refused = self._refused or bool(delta.get("refusal"))
        if "tool_calls" in delta or "function_call" in delta:
            for call in calls_in(delta):
                self._turn.call(call)

    def _told(self, written: bytes) -> bytes:
        """What was written, after the message's beginning; nothing is no beginning."""
        if self._begun or not written:
            return written
        self._begun = True
        return self._beginning() + written

    def _beginning(self) -> bytes:
        message: Answer = {
            "id": f"msg_{self._served.id}",
            "type": "message",
            "role": "assistant",
            "model": self._request.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {"input_tokens": self._served.input_tokens, "output_tokens": 0},
        }
        return framed("message_start", dumps({"type": "message_start", "message": message})) + PING


def _signs(event: Event) -> bool:
    """Whether an event is the signature of a thought, behind which its block can only end."""
    delta = event.get("delta")
    return isinstance(delta, dict) and delta.get("type") == "signature_delta"


class Relayed:
    """A message's events, framed again. Knows no more than which block is open, for signs of life.

    Where none is open it opens one of its own, and the target's are counted on from there.
    """

    answer: Answer | None = None
    fails_in_order = False

    def __init__(self, request: Request, served: Served) -> None:
        self._stage = "before"
        """before → blocks → stopped → over."""
        self._open: tuple[str, int] | None = None
        """Type and number of the target's open block, as the client counts."""
        self._own: Blocks | None = None
        self._last: Event = {}
        self._next = 0
        self._shift = 0

    def feed(self, batch: Batch) -> bytes:
        out: list[bytes] = []
        for event in batch:
            if self._stage == "over":
                break
            kind = event.get("type")
            if kind != "content_block_delta":
                self._notice(kind, event, out)
            if isinstance(event, Run) and not self._shift:
                out.append(event.frames)
            else:
                out += map(self._framed, event.apart() if isinstance(event, Run) else (event,))
        if batch:
            self._last = batch[-1]
        return b"".join(out)

    def _framed(self, event: Event) -> bytes:
        kind, index = event.get("type"), event.get("index")
        if self._shift and isinstance(index, int):
            event = {**event, "index": index + self._shift}
        return b"%b%b\n\n" % (_HEADS.get(kind) or _head(kind), dumps(event))

    def alive(self) -> bytes:
        if self._stage == "over":
            return b""
        if self._stage != "blocks":
            return PING
        if self._open:
            return PING if _signs(self._last) else nothing(*self._open) or PING
        if self._own is None:
            self._own = Blocks(self._next)
            self._next += 1
            self._shift += 1
        self._own.alive()
        return self._own.taken()

    def close(self) -> bytes:
        """The last event, where the target finished its message and left that one out."""
        stopped, self._stage = self._stage == "stopped", "over"
        return STOP if stopped else b""

    def fail(self, problem: GatewayError) -> bytes:
        self._stage = "over"
        return failed(problem)

    def _notice(self, kind: Any, event: Event, out: list[bytes]) -> None:
        match kind:
            case "message_start":
                self._stage = "blocks"
            case "content_block_start":
                self._end_own(out)
                block = event.get("content_block")
                self._open = (str(block.get("type")) if isinstance(block, dict) else "", self._next)
                self._next += 1
            case "content_block_stop":
                self._open = None
            case "message_delta" | "message_stop":
                self._end_own(out)
                self._stage = "over" if kind == "message_stop" else "stopped"

    def _end_own(self, out: list[bytes]) -> None:
        if self._own:
            self._own.end()
            out.append(self._own.taken())
            self._own = None
