"""Server-sent events, read and written. Pure.

A reader is fed whatever a network read brought and gives the payloads of all events
that are complete by then: one read, one batch. The usual event is one `data: ` line, behind an
`event: ` line or not, and ends in an empty line; a read that brought nothing else takes the fast path.
CRLF, lone CR, comments, several data lines, a missing space and a byte order mark take the slow one.

A reader may be told which events are to be left together: they come as one, unread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import TypeAlias

from app.errors import UpstreamGarbage

DONE = b"[DONE]"

LONGEST_EVENT = 64 * 1024 * 1024
"""Bytes; a single event beyond it is no event."""


Together: TypeAlias = Callable[[bytes], Iterable[tuple[int, int]]]
"""Tells where in a text of complete events some begin and end that may be left together."""


class Frames(bytes):
    """Complete events as they came, left together."""


class SSEReader:
    """Bytes in, payloads of complete events out. One per stream."""

    def __init__(self, together: Together | None = None) -> None:
        self._together = together
        self._parts: list[bytes] = []
        self._held = 0
        self._ends_line = False
        self._cr = False
        self._begun = False

    def feed(self, data: bytes) -> list[bytes]:
        """The payloads (joined `data` lines) of the events that `data` completes, and `Frames` among them."""
        if not data:
            return []
        if self._cr or b"\r" in data:
            data = self._unified(data)
        if not self._begun:
            data = self._without_mark(data)
        if b"\n\n" not in data and not (self._ends_line and data[:1] == b"\n"):
            self._hold(data)  # nothing is complete yet: keep it without joining each time
            return []
        text = self._taken() + data
        cut = text.rfind(b"\n\n")
        self._hold(text[cut + 2 :])
        text = text[: cut + 2]
        return payloads_of(text) if self._together is None else parted(text, self._together)

    def close(self) -> list[bytes]:
        """What a stream that ended without its last empty line still held."""
        payload = _payload(self._taken().rstrip(b"\n"))
        return [payload] if payload else []

    def _taken(self) -> bytes:
        text = b"".join(self._parts)
        self._parts.clear()
        self._held = 0
        self._ends_line = False
        return text

    def _hold(self, data: bytes) -> None:
        if not data:
            return
        self._parts.append(data)
        self._held += len(data)
        self._ends_line = data[-1:] == b"\n"
        if self._held > LONGEST_EVENT:
            raise UpstreamGarbage("an event of the provider's stream is endless")

    def _unified(self, data: bytes) -> bytes:
        if self._cr and data[:1] == b"\n":  # the other half of a CRLF that two reads share
            data = data[1:]
        self._cr = data[-1:] == b"\r"
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _without_mark(self, data: bytes) -> bytes:
        data = self._taken() + data
        if len(data) < 3 and b"\xef\xbb\xbf".startswith(data):
            self._hold(data)
            return b""
        self._begun = True
        return data.removeprefix(b"\xef\xbb\xbf")


def parted(text: bytes, together: Together) -> list[bytes]:
    """The payloads of complete events, of which some are left together."""
    payloads: list[bytes] = []
    start = 0
    for begin, end in together(text):
        if text[max(begin - 2, 0) : begin] in (b"", b"\n\n"):
            payloads += payloads_of(text[start:begin])
            payloads.append(Frames(text[begin:end]))
            start = end
    return payloads + payloads_of(text[start:])


def payloads_of(text: bytes) -> list[bytes]:
    """The payloads of complete events."""
    lines = text.split(b"\n")
    lines.pop()
    # A usual event has its name, if any, its data and an empty line.
    size = 2 if text.startswith(b"data: ") else 3
    payloads = [line[6:] for line in lines[size - 2 :: size] if line.startswith(b"data: ")]
    if (
        len(payloads) * size == len(lines)
        and not any(lines[size - 1 :: size])
        and (size == 2 or all(line.startswith(b"event: ") for line in lines[::3]))
    ):
        return payloads
    return [payload for block in text.split(b"\n\n") if (payload := _payload(block)) is not None]


def _payload(block: bytes) -> bytes | None:
    lines = [_value(line) for line in block.split(b"\n") if line.startswith(b"data:") or line == b"data"]
    return b"\n".join(lines) if lines else None


def _value(line: bytes) -> bytes:
    return line[5:].removeprefix(b" ")


@lru_cache(maxsize=256)
def named(name: str) -> bytes:
    """An event's name as it may stand in its line: nobody's name begins another line."""
    return " ".join(name.split()).encode("utf-8", "replace")


def frame(payload: bytes) -> bytes:
    """One event as it goes over the wire."""
    return b"data: " + payload + b"\n\n"


def comment(text: bytes = b"keep-alive") -> bytes:
    """A line that every reader skips: a sign of life."""
    return b": " + text + b"\n\n"
