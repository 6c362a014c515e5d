"""The carrier `relay`: HTTP to a target that speaks the dialect itself. Nothing is translated.

Answers to a stream request may be plain JSON and the other way round; both are told by
what arrives, not by what the content type claims.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

from app.backends.connecting import Wait
from app.backends.http import Http, Reply
from app.errors import BadRequest, UpstreamError, UpstreamGarbage
from app.types import Batch, Call, Completion, Target
from app.utils.answers import BLANK, answer_in, chunks_in, is_stream, no_event
from app.utils.codec import dumps
from app.utils.formatter import chunks_of, completion_of, cut, is_whole
from app.utils.problems import problem_from
from app.utils.sse import SSEReader

PATH = "/chat/completions"


class Relay:
    """Calls OpenAI-compatible targets. `via` marks what this gateway sent, so that a loop is found."""

    def __init__(self, http: Http, via: str) -> None:
        self._http = http
        self._via = via

    def complete(self, call: Call) -> Completion:
        with closing(self._ask(call)) as reply:
            first = _first(reply)
            if is_stream(first):
                answer = completion_of(_events(reply, first, call.target, lambda: None))
                if not is_whole(answer):
                    raise cut(call.target)
            else:
                answer = answer_in(first + reply.read_all(), call.target)
        return answer

    def stream(self, call: Call) -> RelayStream:
        reply = self._ask(call)
        try:
            first = _first(reply)
            if is_stream(first):
                return RelayStream(reply, first, call.target)
            with closing(reply):
                return RelayStream.of(chunks_of(answer_in(first + reply.read_all(), call.target)))
        except BaseException:
            reply.close()
            raise

    def _ask(self, call: Call) -> Reply:
        """An answer of status 200; anything else is raised as the error it means."""
        target = call.target
        call.trace.tries += 1
        wait = Wait(target.timeouts, call.deadline, call.client.alive, f"the provider of '{target.alias}'")
        reply = self._http.post(target.base_url + PATH, self._headers(call), _body(call), wait)
        if 200 <= reply.status < 300:
            return reply
        with closing(reply):
            raise problem_from(reply.status, reply.headers, _quietly(reply), target)

    def _headers(self, call: Call) -> dict[str, str]:
        target = call.target
        headers = {
            **call.client.headers,
            "content-type": "application/json",
            "accept": "text/event-stream" if call.body.get("stream") else "application/json",
            "accept-encoding": "identity",
            "x-request-id": call.client.request_id,
            "via": self._via,
        }
        if target.api_key:
            headers["authorization"] = f"Bearer {target.api_key}"
        headers.update((name.lower(), value) for name, value in target.headers.items())
        return headers


def _body(call: Call) -> bytes:
    try:
        return dumps(call.body)
    except RecursionError:
        raise BadRequest("the body is nested too deeply") from None


class RelayStream:
    """An open stream; closing it early ends the connection, and with it the target's work."""

    def __init__(self, reply: Reply | None, first: bytes, target: Target) -> None:
        self._reply = reply
        self._ended = False
        self._batches = iter(()) if reply is None else _events(reply, first, target, self._end)

    @classmethod
    def of(cls, batch: Batch) -> RelayStream:
        """A stream of one batch that is here already."""
        stream = cls(None, b"", Target("", "", ""))
        stream._batches = iter([batch])
        return stream

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        return next(self._batches)

    def close(self) -> None:
        if self._reply is not None:
            self._reply.close(ended=self._ended)

    def _end(self) -> None:
        self._ended = True


def _events(reply: Reply, first: bytes, target: Target, end: Callable[[], None]) -> Iterator[Batch]:
    """The batches of a stream, up to [DONE], the body's end or the first thing that is wrong."""
    reader = SSEReader()
    data: bytes | None = first
    seen = False
    while data != b"":
        batch, done, problem = chunks_in(reader.feed(data or b""), target)
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
        batch, _, problem = chunks_in(reader.close(), target)
        if batch:
            yield batch
        if problem:  # half an event
            raise cut(target) if isinstance(problem, UpstreamGarbage) else problem
    if not (seen or batch):
        raise no_event(target)


def _first(reply: Reply) -> bytes:
    """The first bytes of a body that are more than white space, of which some send a lot; b"" at its end."""
    held = b""
    while (data := reply.read()) != b"":
        held += data or b""
        if held.lstrip(BLANK):
            return held
        held = held[:3]  # what could be a byte order mark
    return b""


def _quietly(reply: Reply) -> bytes:
    """The body of an error, as far as it came: the status counts, whatever becomes of the words."""
    try:
        return reply.read_all()
    except UpstreamError:
        return b""
