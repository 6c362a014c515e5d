"""The one choice of an answer that counts, in APIs that know no others. Pure."""

from __future__ import annotations

from typing import Any

from app.utils.shapes import as_list


class FirstChoice:
    """The first choice that comes, whatever its index; pieces of others are none of this answer."""

    def __init__(self) -> None:
        self._index: Any = None

    def of(self, event: dict[str, Any]) -> dict[str, Any] | None:
        """What a chunk, or a whole answer, has of it."""
        for choice in as_list(event.get("choices")):
            if isinstance(choice, dict):
                index = choice.get("index") or 0
                if self._index is None:
                    self._index = index
                if index == self._index:
                    return choice
        return None
