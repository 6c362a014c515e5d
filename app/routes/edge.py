"""Between HTTP and the gateway: the same for every dialect.

A route says which dialect it speaks; here the body is read, the request served, and
whatever comes out, an answer, a stream or an error, leaves in that dialect.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from math import ceil
from secrets import token_hex
from typing import Any

from flask import Request, Response, current_app, g, request
from werkzeug.datastructures import Headers

from app import logs
from app.errors import ClientLeft, GatewayError
from app.gateway import Gateway, ServedStream
from app.routes.body import body_of, json_of
from app.routes.departure import holder, watcher
from app.types import Answer, Client, Dialect, Encoder, Served, Trace
from app.types import Request as Asked
from app.utils.codec import dumps
from app.utils.headers import as_value, passing, sane_id, session_of

KEEP_ALIVE = 15.0
"""Seconds of upstream silence after which a stream shows a sign of life."""


def answer_in(dialect: Dialect) -> Response:
    """Serve the current request in a dialect. Raises the family of `app.errors`."""
    return served_in(dialect, *asked_in(dialect))


def asked_in(dialect: Dialect) -> tuple[Asked, Record]:
    """What the current request asks, and its record, which has been begun."""
    record = g.record = Record(dialect, g.client)
    data = body_of(request)
    asked = dialect.parse(json_of(data))
    record.begin(asked, len(data))
    return asked, record


def served_in(
    dialect: Dialect, asked: Asked, record: Record, keep: Callable[[Answer], None] | None = None
) -> Response:
    """The answer to what was asked. `keep` is given the whole of it before its last byte goes out."""
    gateway: Gateway = current_app.extensions["gateway"]
    trace = record.trace
    if asked.stream:
        stream = gateway.stream(asked, record.client, trace)
        begin = dialect.relayed if stream.wire == asked.dialect else dialect.encoder
        encoder = begin(asked, served(trace))
        events = EventBody(stream, encoder, record, keep, holder(request.environ))
        return _served(events, trace, _STREAM)
    found = gateway.complete(asked, record.client, trace)
    answer = found.answer
    if found.wire != asked.dialect:
        answer = dialect.render(answer, asked, served(trace))
    if keep:
        keep(answer)
    body = dumps(answer)
    if record.view:
        record.view.answered(answer)
    record.end(200)
    return _served([body], trace, {**_JSON, "Content-Length": str(len(body))})


def served(trace: Trace) -> Served:
    return Served(id=token_hex(12), created=int(time.time()), input_tokens=trace.input_tokens or 0)


def client_of(request: Request, headers: Mapping[str, str], owner: str) -> Client:
    """Who asks: the ids it gave (a request id is made if it gave none), and a way to see it leave."""
    return Client(
        request_id=sane_id(headers.get("x-request-id")) or f"req_{token_hex(8)}",
        session=session_of(headers),
        owner=owner,
        headers=passing(headers),
        alive=watcher(request.environ),
    )


_JSON = {"Content-Type": "application/json"}
_STREAM = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache",
    "X-Accel-Buffering": "no",
}


def _served(body: Iterable[bytes], trace: Trace, headers: dict[str, str]) -> Response:
    return marked(Finished(body, headers=headers, direct_passthrough=True), trace)


class Finished(Response):
    """An answer whose headers werkzeug need not complete: what it would look for is there, or not meant."""

    def get_wsgi_headers(self, environ: dict[str, Any]) -> Headers:
        return self.headers


def marked(response: Response, trace: Trace) -> Response:
    """With the headers that say who served it, how many tries that took, how much it was to think."""
    if trace.target:
        response.headers["x-localcode-target"] = as_value(trace.target.name)
        response.headers["x-localcode-attempts"] = str(trace.tries)
    if trace.reasoning:
        response.headers["x-localcode-reasoning"] = trace.reasoning
    return response


def refused(problem: GatewayError, dialect: Dialect) -> Response:
    """An error before the first byte of an answer, as its status and the dialect's error body."""
    error = dialect.error(problem, g.client.request_id)
    response = Response(_clean(dumps(error)), problem.status, headers=_JSON)
    if problem.retry_after is not None:
        response.headers["Retry-After"] = str(ceil(problem.retry_after))
    record: Record = g.get("record") or Record(dialect, g.client)
    if record.view:
        record.view.answered(error)
    record.end(problem.status, problem)
    return marked(response, record.trace)


def _clean(error: bytes) -> bytes:
    """An error as a client may see it: a target's words can hold a key in every place of theirs."""
    return logs.masked(error.decode()).encode()


class EventBody:
    """The bytes of a stream: ends cleanly only when the answer did, else breaks off after an error event.

    What comes last is sent together, the end of the HTTP body with it, unless that has to wait for something.
    """

    def __init__(
        self,
        stream: ServedStream,
        encoder: Encoder,
        record: Record,
        keep: Callable[[Answer], None] | None = None,
        hold: Callable[[], None] = lambda: None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = stream
        self._encoder = encoder
        self._record = record
        self._keep = keep
        self._hold = hold
        self._now = now
        self._last = b""
        self._problem: Exception | None = None
        self._whole = False

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._events()
        except ClientLeft as problem:
            self._problem = problem
        except GatewayError as problem:
            self._problem = problem
            yield self._seen(self._last + _clean(self._encoder.fail(problem)))
        except Exception as problem:
            self._problem = problem
            told = internal(problem, self._record.client.request_id)
            yield self._seen(self._last + self._encoder.fail(told))
        if self._problem and not (self._encoder.fails_in_order and self._failed):
            # gunicorn closes the connection without the last chunk, and stays quiet about it
            raise BrokenPipeError(errno.EPIPE, "the answer broke off")

    def _events(self) -> Iterator[bytes]:
        feed, view = self._encoder.feed, self._record.view
        spoken = self._now()
        for batch in self._stream:
            data = feed(batch) if batch else b""  # also of a batch nothing may go out yet
            if self._stream.over and not self._stream.waits:
                self._last += data
                continue
            if not data and self._now() - spoken >= KEEP_ALIVE:
                data = self._encoder.alive()
            if data:
                if view:
                    view.sent(data)
                yield data
                spoken = self._now()
        last, self._last = self._last + self._encoder.close(), b""
        if self._keep and self._encoder.answer is not None:
            self._keep(self._encoder.answer)
        self._whole = True
        if last:
            if not self._stream.waits:
                self._hold()
            yield self._seen(last)
        self._stream.wait()  # no event waits for a write, and no client comes back before it

    @property
    def _failed(self) -> bool:
        """Whether the client was told what went wrong."""
        return self._problem is not None and not isinstance(self._problem, ClientLeft)

    def _seen(self, data: bytes) -> bytes:
        if self._record.view:
            self._record.view.sent(data)
        return data

    def close(self) -> None:
        """Called by the server, always: after the last byte, or when the client has gone."""
        self._stream.close()
        if not self._whole and self._problem is None:
            self._problem = ClientLeft("the client closed the connection")
        self._record.end(200, self._problem)
        forget_where(self._problem)  # or the request's body would live in a circle, until it is looked for
        self._problem = None


def forget_where(problem: BaseException | None) -> None:
    """Lets go of the frames in which a problem was raised, and those that it came of."""
    while problem is not None:
        problem.__traceback__ = None
        problem = problem.__cause__ or problem.__context__


def internal(problem: Exception, request_id: str) -> GatewayError:
    """Our own mistake: the stack goes to the log, the client learns that there is one."""
    logs.failure(request_id, problem)
    return GatewayError("the gateway failed: see its log for this request id", code="internal_error")


class Record:
    """One request's way through the log: a line when it comes, one when it ends."""

    def __init__(self, dialect: Dialect, client: Client, what: str = "") -> None:
        self.trace = Trace(started=time.monotonic())
        self.view: logs.DebugView | None = None
        self._name = f"{dialect.name} {what}" if what else dialect.name
        self.client = client
        self._asked: Asked | None = None
        self._ended = False

    def begin(self, asked: Asked, size: int) -> None:
        self._asked = asked
        logs.request_started(self.client, self._name, asked, size)
        self.view = self.trace.view = logs.debug_view(self.client)
        if self.view:
            self.view.request(asked.body)

    def end(self, status: int, problem: Exception | None = None) -> None:
        if not self._ended:
            self._ended = True
            if self.view and problem:
                self.view.error(problem)
            logs.request_ended(self.client, self._name, self._asked, self.trace, status, problem)
