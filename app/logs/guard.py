"""A stderr that hands on whole lines in place of writing them."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TextIO


class Guard(io.TextIOBase):
    """Stands where `guarded` stood and gives each line that is written there to `say`."""

    LONGEST = 65_536

    def __init__(self, guarded: TextIO, say: Callable[[str], None]) -> None:
        self.guarded = guarded
        self._say = say
        self._rest = ""

    def write(self, text: str, /) -> int:
        *lines, rest = (self._rest + text).split("\n")
        if len(rest) > self.LONGEST:
            lines, rest = [*lines, rest], ""
        self._rest = rest
        for line in filter(str.strip, lines):
            self._say(line)
        return len(text)

    def writable(self) -> bool:
        return True

    @property
    def encoding(self) -> str:  # type: ignore[override]  # a plain attribute there
        return self.guarded.encoding

    def fileno(self) -> int:
        return self.guarded.fileno()

    def isatty(self) -> bool:
        return self.guarded.isatty()


def unguarded(stream: TextIO) -> TextIO:
    """Where a stream really leads: what the log itself writes must not come back to it."""
    return stream.guarded if isinstance(stream, Guard) else stream
