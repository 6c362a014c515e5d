"""The blocks of a message's stream one after the other, for servers that end them all together. Pure.

llama-server opens the text while the thoughts are still open, and ends both when the answer is
over, the (empty) signature included. Anthropic's clients were promised one open block at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.types import Batch, Event

_EDGES = ("content_block_start", "content_block_stop")


class BlockOrder:
    """One per stream; the batches pass in turn."""

    def __init__(self) -> None:
        self._open: Any = None
        """The index of the open block."""
        self._ended: list[Any] = []
        """Indexes of the blocks that were ended here: what still comes for their end is too late."""

    def put(self, batch: Batch) -> Batch:
        """The batch in order; the same list where it is."""
        if not self._ended and self._passes([event for event in batch if event["type"] in _EDGES]):
            return batch
        return list(self._ordered(batch))

    def _passes(self, edges: Batch) -> bool:
        """Whether these starts and stops take turns; takes note of them if so."""
        open = self._open
        for event in edges:
            starts = event["type"] == "content_block_start"
            if starts and open is not None:
                return False
            open = event.get("index") if starts else None
        self._open = open
        return True

    def _ordered(self, batch: Batch) -> Iterator[Event]:
        for event in batch:
            if event["type"] == "content_block_start":
                if self._open is not None:
                    self._ended.append(self._open)
                    yield {"type": "content_block_stop", "index": self._open}
                self._open = event.get("index")
            elif self._is_late(event):
                continue
            elif event["type"] == "content_block_stop":
                self._open = None
            yield event

    def _is_late(self, event: Event) -> bool:
        if event.get("index") not in self._ended:
            return False
        delta = event.get("delta")
        signs = isinstance(delta, dict) and delta.get("type") == "signature_delta"
        return event["type"] == "content_block_stop" or signs
