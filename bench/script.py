"""What is measured with: a script that requests carry, marks that events carry, HTTP around both. Pure.

A request carries its own script, `[[kind events interval]]`, in its last message: every
contestant must pass messages on, while other fields may be dropped or renamed. Each
content delta carries one mark, `@nanoseconds@`: when the upstream wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Kind = Literal["plain", "stream", "paced"]
DialectName = Literal["chat", "messages", "responses"]
Pattern: TypeAlias = re.Pattern[bytes]
Patterns: TypeAlias = Mapping[str, Pattern]
"""What has to be found, by its name."""

ALIAS = "bench-model"
"""Leads to a target that speaks chat and nothing else."""
NATIVE: Mapping[DialectName, str] = {"messages": "bench-messages", "responses": "bench-responses"}
"""Aliases of a target that speaks these dialects itself."""
WIRE_MODEL = "wire-model"
TARGET_KEY = "bench-upstream-key"

SCRIPT = re.compile(rb"\[\[(plain|stream|paced) (\d+) (\d+)\]\]")
MARK = re.compile(rb"@(\d{19})@")
EVENT_BYTES = 250


@dataclass(frozen=True, slots=True)
class Script:
    """`events` content deltas; `interval` is the milliseconds between two of them when paced."""

    kind: Kind
    events: int = 0
    interval: int = 0

    def __str__(self) -> str:
        return f"[[{self.kind} {self.events} {self.interval}]]"

    @property
    def streamed(self) -> bool:
        return self.kind != "plain"


def script_of(body: bytes) -> Script | None:
    """The script that a request's body carries."""
    found = SCRIPT.search(body)
    if found is None:
        return None
    kind: Any = found[1].decode()
    return Script(kind, int(found[2]), int(found[3]))


def mark(nanoseconds: int) -> str:
    return f"@{nanoseconds:019d}@"


UNMARKED = mark(0)
"""Stands where a mark belongs."""


def text_of(room: int) -> str:
    """A piece of an answer, of so many bytes, with the place of its mark."""
    return (UNMARKED + " and then the model went on to say one more thing about it" * 5)[:room]


STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
    b"Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n"
)
LAST_CHUNK = b"0\r\n\r\n"


def http_answer(body: bytes) -> bytes:
    """A whole answer of status 200."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def http_chunk(payload: bytes) -> bytes:
    return f"{len(payload):x}\r\n".encode() + payload + b"\r\n"


def cut_at_its_mark(event: bytes) -> tuple[bytes, bytes]:
    """An event as an HTTP chunk, in the two halves between which its mark is written."""
    before, after = http_chunk(event).split(UNMARKED.encode())
    return before, after
