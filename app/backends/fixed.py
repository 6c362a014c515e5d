"""The carrier `fixed`: an answer that stands in the configuration (`mockResponse`), whatever is asked.

It needs neither a network nor a library, so it shows that a gateway works before anything else does.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from math import ceil
from uuid import uuid4

from app.types import Answer, Call, Chunk, Completion, DialectName, Stream
from app.utils.litellm_texts import text_of
from app.utils.problems import unsupported

PREFIXES: dict[DialectName, str] = {"chat": "chatcmpl", "completions": "cmpl"}
"""What ids begin with in the APIs that a text is an answer in."""

PIECES = 4
"""How many a stream has at most, so that it looks like one."""


class Fixed:
    """Gives each target's fixed answer. Usage is not told: nothing was counted."""

    def __init__(
        self,
        new_id: Callable[[], str] = lambda: str(uuid4()),
        now: Callable[[], float] = time.time,
    ) -> None:
        self._new_id = new_id
        self._now = now

    def complete(self, call: Call) -> Answer:
        answer = self._answer(call)
        return text_of(answer) or answer if call.wire == "completions" else answer

    def stream(self, call: Call) -> Stream:
        answer = self._answer(call)
        chunks = chunks_of(answer, call.target.mock_response or "")
        if call.wire == "completions":
            return ([text] for chunk in chunks if (text := text_of(chunk)))
        return ([chunk] for chunk in chunks)

    def _answer(self, call: Call) -> Completion:
        if call.wire not in PREFIXES:
            raise unsupported(call.wire, call.target, "all that it has is a fixed text")
        call.trace.tries += 1
        message = {"role": "assistant", "content": call.target.mock_response}
        return {
            "id": f"{PREFIXES[call.wire]}-{self._new_id()}",
            "object": "chat.completion",
            "created": int(self._now()),
            "model": call.target.model,
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        }


def chunks_of(answer: Completion, text: str) -> Iterator[Chunk]:
    """The answer as a stream that says its text in a few pieces."""
    role = {"role": "assistant"}
    for piece in pieces_of(text):
        yield _chunk(answer, {**role, "content": piece}, None)
        role = {}
    yield _chunk(answer, {}, "stop")


def _chunk(answer: Completion, delta: dict[str, str], finish: str | None) -> Chunk:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {**answer, "object": "chat.completion.chunk", "choices": [choice]}


def pieces_of(text: str) -> list[str]:
    """A text in at most `PIECES` pieces, none of which breaks a word; at least one, be it empty."""
    words = re.findall(r"^\s+|\S+\s*", text)
    size = ceil(len(words) / PIECES) or 1
    return ["".join(words[at : at + size]) for at in range(0, len(words), size)] or [text]
