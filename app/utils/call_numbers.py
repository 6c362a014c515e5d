"""Which tool call the pieces in a stream belong to. Pure."""

from __future__ import annotations

from typing import Any


class CallNumbers:
    """The indexes of a choice's tool calls. Some targets give 0 to every call, or none at all.

    Clients put the pieces of one index together, so two calls would become one with both arguments.
    A new id together with a name is a new call, whatever its index says.
    """

    def __init__(self) -> None:
        self._current: dict[Any, tuple[Any, int]] = {}
        self._used: set[int] = set()

    def correct(self, pieces: Any) -> None:
        """Gives each piece the index of the call that it belongs to, where it has another one."""
        for piece in pieces if isinstance(pieces, list) else ():
            if isinstance(piece, dict):
                index = self._index(piece)
                if piece.get("index") != index:
                    piece["index"] = index

    def _index(self, piece: dict[str, Any]) -> int:
        theirs = piece.get("index") if isinstance(piece.get("index"), int) else None
        own_id, function = piece.get("id"), piece.get("function")
        known_id, index = self._current.get(theirs, (None, None))
        named = isinstance(function, dict) and function.get("name")
        if index is None or (named and own_id and known_id and own_id != known_id):
            index = (
                theirs if theirs is not None and theirs not in self._used else max(self._used, default=-1) + 1
            )
            self._used.add(index)
            known_id = None
        self._current[theirs] = (known_id or own_id, index)
        return index
