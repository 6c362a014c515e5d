"""The carrier `relay`: HTTP to a target in an API that it speaks itself. Nothing is translated.

Answers to a stream request may be plain JSON and the other way round; both are told by
what arrives, not by what the content type claims.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

from app.backends.connecting import Wait
from app.backends.http import Http, Reply
from app.errors import BadRequest, UpstreamError, UpstreamGarbage
from app.types import Answer, Batch, Body, Call, DialectName, Stream, Target, Wire
from app.utils.answers import BLANK, is_stream
from app.utils.codec import dumps
from app.utils.problems import problem_from
from app.utils.sse import SSEReader
from app.utils.stream_problems import cut, no_events
from app.utils.wires import WIRES


class Relay:
    """Calls targets in the API that a call names. `via` marks what this gateway sent, so a loop is found."""

    def __init__(self, http: Http, via: str) -> None:
        self._http = http
        self._via = via

    def complete(self, call: Call) -> Answer:
        wire = WIRES[call.wire]
        with closing(self._ask(call, wire)) as reply:
            first = _first(reply)
            if is_stream(first):
                answer = wire.answer_of(_events(reply, first, wire, call.target, SSEReader(), lambda: None))
                if not wire.is_whole(answer):
                    raise cut(call.target)
            else:
                answer = wire.answer_in(first + reply.read_all(), call.target)
        return answer

    def stream(self, call: Call) -> Stream:
        wire = WIRES[call.wire]
        reply = self._ask(call, wire)
        try:
            first = _first(reply)
            if is_stream(first):
                unread = None if call.trace.view else wire.together  # at DEBUG each event is told
                return RelayStream(reply, first, wire, call.target, SSEReader(unread))
            with closing(reply):
                answer = wire.answer_in(first + reply.read_all(), call.target)
                return (batch for batch in [wire.events_of(answer)])  # a stream of one, already here
        except BaseException:
            reply.close()
            raise

    def _ask(self, call: Call, wire: Wire) -> Reply:
        """An answer of status 200; anything else is raised as the error it means."""
        target = call.target
        call.trace.tries += 1
        wait = Wait(target.timeouts, call.deadline, call.client.alive, f"the provider of '{target.alias}'")
        url = base_of(target, call.wire) + wire.PATH
        reply = self._http.post(url, headers_of(call, wire, self._via), written(call.body), wait)
        if 200 <= reply.status < 300:
            return reply
        with closing(reply):
            raise problem_from(reply.status, reply.headers, quietly(reply), target, call.wire)


def base_of(target: Target, wire: DialectName) -> str:
    """Where a target is asked in this API."""
    return target.native_url if target.native_url and wire in ("messages", "responses") else target.base_url


def headers_of(call: Call, wire: Wire, via: str) -> dict[str, str]:
    target = call.target
    headers = {
        **wire.headers(target),
        **call.client.headers,
        "content-type": "application/json",
        "accept": "text/event-stream" if call.body.get("stream") else "application/json",
        "accept-encoding": "identity",
        "x-request-id": call.client.request_id,
        "via": via,
    }
    headers.update((name.lower(), value) for name, value in target.headers.items())
    return headers


def written(body: Body) -> bytes:
    """A body as it goes out."""
    try:
        return dumps(body)
    except RecursionError:
        raise BadRequest("the body is nested too deeply") from None


class RelayStream:
    """An open stream; closing it early ends the connection, and with it the target's work."""

    def __init__(self, reply: Reply, first: bytes, wire: Wire, target: Target, reader: SSEReader) -> None:
        self._reply = reply
        self._ended = False
        self._batches = _events(reply, first, wire, target, reader, self._end)

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        return next(self._batches)

    def close(self) -> None:
        self._reply.close(ended=self._ended)

    def _end(self) -> None:
        self._ended = True


def _events(
    reply: Reply, first: bytes, wire: Wire, target: Target, reader: SSEReader, end: Callable[[], None]
) -> Iterator[Batch]:
    """The batches of a stream, up to its last event, the body's end or the first thing that is wrong."""
    data: bytes | None = first
    seen = False
    while data != b"":
        batch, done, problem = wire.events_in(reader.feed(data or b""), target)
        if done:
            end()
        yield batch
        seen = seen or bool(batch)
        if problem:
            raise problem
        if done:
            break
        data = reply.read()
    else:
        batch, _, problem = wire.events_in(reader.close(), target)
        if batch:
            yield batch
        if problem:  # half an event
            raise cut(target) if isinstance(problem, UpstreamGarbage) else problem
    if not (seen or batch):
        raise no_events(target)


def _first(reply: Reply) -> bytes:
    """The first bytes of a body that are more than white space, of which some send a lot; b"" at its end."""
    held = b""
    while (data := reply.read()) != b"":
        held += data or b""
        if held.lstrip(BLANK):
            return held
        held = held[:3]  # what could be a byte order mark
    return b""


def quietly(reply: Reply) -> bytes:
    """The body of an error, as far as it came: the status counts, whatever becomes of the words."""
    try:
        return reply.read_all()
    except UpstreamError:
        return b""
