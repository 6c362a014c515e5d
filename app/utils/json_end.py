"""Whether JSON that comes in pieces has come to its end. Pure."""

from __future__ import annotations

import re

_MARKS = re.compile(r'["{}\[\]]')
_MARKS_IN_TEXT = re.compile(r'["\\]')


class JsonEnd:
    """Is fed an object or list piece by piece; `reached` once the bracket that began it is closed.

    Anything else, such as text with brackets in it, has no end that could be told.

    It looks at brackets and quotes only: nothing is kept, and each character is seen once.
    """

    def __init__(self) -> None:
        self.reached = False
        self._begun = self._other = False
        self._depth = 0
        self._in_text = False
        self._escaped = False

    def feed(self, piece: str) -> None:
        if not self._begun and (head := piece.lstrip()[:1]):
            self._begun, self._other = True, head not in "{["
        if self._other:
            return
        at = 1 if self._escaped and piece else 0
        self._escaped = self._escaped and not piece
        while found := (_MARKS_IN_TEXT if self._in_text else _MARKS).search(piece, at):
            at = found.end()
            match found[0]:
                case '"':
                    self._in_text = not self._in_text
                case "\\":
                    self._escaped = at == len(piece)
                    at += 1
                case "{" | "[":
                    self._depth += 1
                case _:
                    self._depth -= 1
                    self.reached = self.reached or self._depth <= 0
