"""Events of the Responses API as bytes, each with its number. Pure."""

from __future__ import annotations

from app.types import Event
from app.utils.codec import dumps
from app.utils.sse import named


class Frames:
    """Numbers events and keeps them until they are taken. One per stream."""

    def __init__(self) -> None:
        self._number = 0
        self._kept: list[bytes] = []

    def event(self, event: Event) -> None:
        """Any event."""
        event["sequence_number"] = self._number
        self._number += 1
        self._kept.append(b"event: %b\ndata: %b\n\n" % (named(event["type"]), dumps(event)))

    def same(self, events: list[Event], field: str) -> None:
        """Some events that have nothing but their type and one big value, which is written once."""
        value = dumps(events[0][field])
        for event in events:
            name = named(event["type"])
            self._keep(
                b'event: %b\ndata: {"type":"%b","sequence_number":%d,"%b":%b}\n\n'
                % (name, name, self._number, field.encode(), value)
            )

    def piece(self, head: bytes, text: str) -> None:
        """A piece of text, behind what is the same for all pieces (see `head_of`)."""
        self._keep(b'%b%b,"sequence_number":%d}\n\n' % (head, dumps(text), self._number))

    def taken(self) -> bytes:
        data = b"".join(self._kept)
        self._kept.clear()
        return data

    def _keep(self, frame: bytes) -> None:
        self._kept.append(frame)
        self._number += 1


def head_of(event: Event) -> bytes:
    """The bytes of an event up to its `delta`."""
    return b'event: %b\ndata: %b,"delta":' % (named(event["type"]), dumps(event)[:-1])


KEEPALIVE: Event = {"type": "keepalive"}
"""What OpenAI itself sends in long silences. Codex takes any event for life, and no comment."""

DONE = b"data: [DONE]\n\n"
