"""Runs: pieces of a message's block, one behind the other, that can go on as they came. Pure.

Nearly all of a stream is one event again and again, with another text in it. Pieces that stand together, each
as Anthropic writes it and with no field that is unknown here, need not be read and not be written again. That
saves a quarter of what a stream of 100 pieces costs here (measured: 0.55 ms of processor time, not 0.75).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from app.types import Batch
from app.utils.codec import is_strict, loads
from app.utils.sse import Frames, payloads_of

_TEXTS = rb'text_delta", ?"text|thinking_delta", ?"thinking|input_json_delta", ?"partial_json'

_HEAD = re.compile(
    rb'event: content_block_delta\ndata: \{"type": ?"content_block_delta", ?"index": ?(0|[1-9]\d{0,3}), ?'
    rb'"delta": ?\{"type": ?"(?:%b)": ?"' % _TEXTS
)
"""A piece up to its text. Signatures are none: what follows one matters."""

_END = rb'"\} *+\}\n\n'
"""Behind the text. Anthropic pads with blanks, so that nobody reads a text's length off the wire."""

_ENDS = re.compile(_END)

MOST = 8
"""So many runs are looked for in a text; each time all of its rest is searched."""


def runs_in(text: bytes) -> Iterator[tuple[int, int]]:
    """Where runs begin and end in a text of whole events."""
    place = 0
    for _ in range(MOST):
        head = _HEAD.search(text, place)
        if head is None:
            return
        *texts, rest = _between(head[0]).split(text[head.end() :])
        place = len(text) - len(rest)
        if end := _ENDS.search(rest):
            texts.append(rest[: end.start()])
            place += end.end()
        elif texts:
            place -= len(head[0])
        # As one text: a blank behind it completes no escape, and no letter, that was cut in two.
        if texts and is_strict(b'"%b"' % b" ".join(texts)):
            yield head.start(), place


@lru_cache(maxsize=64)
def _between(head: bytes) -> re.Pattern[bytes]:
    """What stands between the texts of two pieces."""
    return re.compile(_END + re.escape(head))


class Run(dict[str, Any]):
    """An event that stands for several: type and index are theirs, the rest is not read."""

    __slots__ = ("frames",)

    def __init__(self, frames: Frames) -> None:
        head = _HEAD.match(frames)
        super().__init__(type="content_block_delta", index=int(head[1]) if head else None)
        self.frames = frames

    def apart(self) -> Batch:
        """The events, one by one."""
        return [loads(payload) for payload in payloads_of(self.frames)]


def event_of(payload: bytes) -> Any:
    """The event in a payload, or the run that it is; raises ValueError for what is no JSON."""
    return Run(payload) if isinstance(payload, Frames) else loads(payload)
