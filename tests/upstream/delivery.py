"""How an answer travels, as a plan of steps (pure): what is sent when, and where it breaks.

`plan_stream` and `plan_body` turn content and a `How` into steps; `server` carries them out.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

FOR_EVER = 600_000
"""Milliseconds; longer than any test waits."""


@dataclass(frozen=True, slots=True)
class How:
    """Times are milliseconds, events are counted from 0, -1 means never."""

    first: int = 0
    """Only the first so many requests are answered like this, the others plainly; 0: all of them."""

    # time
    wait: int = 0
    """Before the status line."""
    wait_body: int = 0
    """Between the head and the first byte of the body."""
    pace: int = 0
    """Before every event but the first."""
    stall: int = -1
    """Before this event nothing comes for `stalled`."""
    stalled: int = FOR_EVER
    hold: int = 0
    """How long the body stays open after its last event."""
    drip: int = 0
    """Before every piece (see `split`): the slow loris."""

    # what breaks
    cut: float = -1.0
    """The connection ends after this many events; 2.5 is in the middle of the third."""
    reset: bool = False
    """The cut is a TCP reset."""
    end: int = -1
    """The body ends properly after this many events: nothing says that it is not whole."""
    error: int = -1
    """An error object stands in place of this event, and the body ends."""
    error_status: int = 500
    """The `code` of that error object."""
    garbage: int = -1
    """A data line that is no JSON stands before this event."""
    done: bool = True
    """Whether `[DONE]` comes, where the dialect has it."""
    after_done: bool = False
    """Whether a further event comes after the last one."""

    # SSE
    newline: Literal["lf", "crlf", "cr"] = "lf"
    space: bool = True
    """Whether a space follows `data:`."""
    lines: bool = False
    """Whether each event is spread over several `data:` lines."""
    ascii: bool = False
    """Whether characters beyond ASCII are sent as escapes; the only way to send half a surrogate pair."""
    comments: bool = False
    bom: bool = False
    type: str = "text/event-stream"

    # HTTP
    split: int = 0
    """Bytes in a piece that is sent by itself; 0: one event a piece."""
    framing: Literal["", "chunked", "close", "length"] = ""
    """How the end of the body is told; by default chunks for a stream and its length for a plain answer."""
    coding: Literal["identity", "gzip", "deflate", "raw-deflate"] = "identity"
    extensions: bool = False
    trailers: bool = False
    interim: int = 0
    """A 1xx answer (100, 103) that comes first."""
    stale: Literal["", "now", "next"] = ""
    """The connection, promised to be kept, ends right after the answer or when another request comes."""
    mode: Literal["", "json", "sse"] = ""
    """The kind of answer, whatever was asked for."""


@dataclass(frozen=True, slots=True)
class Manner:
    """What a dialect adds to its events."""

    error: Callable[[int, int, str], dict[str, Any]]
    """The error event with that number (from 0), status and message."""
    named: bool = False
    """Whether an `event:` line repeats the event's type."""
    done: bool = False
    """Whether `[DONE]` ends the stream."""


def _error_of_chat(number: int, status: int, message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": "server_error", "code": status}}


CHAT = Manner(_error_of_chat, done=True)


@dataclass(frozen=True, slots=True)
class Wait:
    ms: int


@dataclass(frozen=True, slots=True)
class Send:
    """Bytes of the body, before framing."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Whole:
    """All that the client needs has been sent: leaving is not early from here on."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The connection ends here, in the middle of the body."""

    reset: bool


Step: TypeAlias = Wait | Send | Whole | Cut


def plan_stream(chunks: Iterable[dict[str, Any]], how: How, manner: Manner = CHAT) -> list[Step]:
    """The steps that send the chunks as an SSE body."""
    events = [_event(chunk, how, manner) for chunk in chunks]
    return list(_timed(_coded(_broken(events, how, manner), how), how))


def plan_body(body: bytes, how: How) -> list[Step]:
    """The steps that send the bytes as they are; an "event" is then a tenth of them."""
    size = max(1, -(-len(body) // 10))
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    faulty = how.cut >= 0 or how.end >= 0 or how.stall >= 0 or how.pace
    steps = _faults(parts, how) if faulty else _faults([body], how)
    return list(_timed(_coded(steps, how), how))


def sse(data: str, how: How = How(), name: str = "") -> bytes:
    """One event; each line of the data is a `data:` line of its own."""
    newline = {"lf": "\n", "crlf": "\r\n", "cr": "\r"}[how.newline]
    space = " " if how.space else ""
    lines = [f"event:{space}{name}"] if name else []
    lines += [f"data:{space}{line}" for line in data.split("\n")]
    comment = f": comment{newline}" if how.comments else ""
    return (comment + "".join(f"{line}{newline}" for line in lines) + newline).encode()


def _event(event: dict[str, Any], how: How, manner: Manner) -> bytes:
    data = json.dumps(event, ensure_ascii=how.ascii, indent=1 if how.lines else None)
    return sse(data, how, event["type"] if manner.named else "")


def _broken(events: list[bytes], how: How, manner: Manner) -> Iterator[Step]:
    if how.bom and events:
        events = ["\ufeff".encode() + events[0], *events[1:]]
    if 0 <= how.garbage < len(events):
        events[how.garbage : how.garbage] = [sse('{"choices": [{"delta": {"content"', how)]
    if how.error >= 0:
        problem = manner.error(how.error, how.error_status, "The engine broke.")
        events = [*events[: how.error], _event(problem, how, manner)]
        yield from _faults(events, how)
        return
    last = [sse("[DONE]", how)] if how.done and manner.done else []
    if how.after_done:
        last.append(sse('{"id": "late", "choices": []}', how))
    yield from _faults(events + last, how)


def _faults(events: list[bytes], how: How) -> Iterator[Step]:
    for number, event in enumerate(events):
        if how.cut >= 0 and number >= int(how.cut):
            yield Send(event[: int(len(event) * (how.cut % 1))])
            yield Cut(how.reset)
            return
        if number == how.end:
            break
        if number == how.stall:
            yield Wait(how.stalled)
        if number and how.pace:
            yield Wait(how.pace)
        yield Send(event)
    yield Whole()
    if how.cut >= 0:
        yield Cut(how.reset)
    if how.hold:
        yield Wait(how.hold)


def _coded(steps: Iterable[Step], how: How) -> Iterator[Step]:
    if how.coding == "identity":
        yield from steps
        return
    window = {"gzip": 31, "deflate": 15, "raw-deflate": -15}[how.coding]
    coder = zlib.compressobj(wbits=window)
    for step in steps:
        if isinstance(step, Send):
            yield Send(coder.compress(step.data) + coder.flush(zlib.Z_SYNC_FLUSH))
        elif isinstance(step, Whole):
            yield Send(coder.flush())
            yield step
        else:
            yield step


def _timed(steps: Iterable[Step], how: How) -> Iterator[Step]:
    """With the first wait, and in pieces."""
    if how.wait_body:
        yield Wait(how.wait_body)
    for step in steps:
        if not isinstance(step, Send):
            yield step
            continue
        size = how.split or len(step.data)
        for start in range(0, len(step.data), size or 1):
            if how.drip:
                yield Wait(how.drip)
            yield Send(step.data[start : start + size])
