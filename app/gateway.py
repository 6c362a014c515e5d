"""A request's life: resolve → choose → call → commit.

Knows no HTTP and no Flask. What it gives out stands under the alias; what it raises is
of the family in `app.errors`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TypeAlias

from app.config.catalog import Catalog
from app.errors import BadRequest, GatewayError, TargetUnavailable
from app.remembering import Afterwards, Remembering
from app.types import (
    Answer,
    Backend,
    Batch,
    Body,
    Call,
    CarrierName,
    Client,
    DialectName,
    Follower,
    Request,
    Stream,
    Target,
    Trace,
)
from app.utils import reasoning, wire_messages, wire_responses
from app.utils.chat_request import prepared, renamed
from app.utils.model_resolver import resolve
from app.utils.thoughts import with_thoughts_as_wanted, without_thoughts
from app.utils.way import WITHOUT_CHAT, Way, way_of
from app.utils.wires import WIRES

InlineImages: TypeAlias = Callable[[Body, Target, Callable[[], None]], Body]
"""Puts the pictures that a target must not fetch itself into the body, or refuses them."""


class Gateway:
    """Serves requests by the catalog. The catalog may be exchanged while requests run."""

    def __init__(
        self,
        catalog: Catalog,
        backends: Mapping[CarrierName, Backend],
        inline_images: InlineImages = lambda body, target, alive: body,
        remembering: Remembering | None = None,
    ) -> None:
        self.catalog = catalog
        self._backends = backends
        self._inline_images = inline_images
        self._remembering = remembering or Remembering()

    def complete(self, request: Request, client: Client, trace: Trace) -> ServedAnswer:
        """The whole answer, under the alias."""
        call, way, after = self._call(request, client, trace)
        answer = self._backends[way.carrier].complete(call)
        trace.first = time.monotonic()
        if trace.view:
            trace.view.response(answer)
        answer = WIRES[way.wire].finished(answer, call.target, trace)
        after.answer(answer)
        if hides_thoughts(call.target):
            answer = without_thoughts(answer) or answer
        return ServedAnswer(way.wire, answer)

    def stream(self, request: Request, client: Client, trace: Trace) -> ServedStream:
        """An open stream under the alias whose first batch has come; the caller closes it."""
        call, way, after = self._call(request, client, trace)
        stream = self._backends[way.carrier].stream(call)
        follower = WIRES[way.wire].follow(call.target, shows_usage(request), trace)
        return ServedStream(stream, follower, trace, way.wire, after)

    def choose(self, model: str) -> Target:
        """The target for what a client calls a model, answering to that name."""
        target = resolve(model, self.catalog.targets)
        if target.unavailable:
            raise unavailable(model, target)
        return target if target.alias == model else replace(target, alias=model)

    def _call(self, request: Request, client: Client, trace: Trace) -> tuple[Call, Way, Afterwards]:
        target = trace.target = self.choose(request.model)
        way = way_of(request, target)
        body, after = self._body(request, target, way, client, trace)
        translated = way.wire != request.dialect
        try:
            body = self._inline_images(body, target, client.alive)
        except BadRequest as problem:
            raise elsewhere(problem) if translated else problem from None
        if trace.view:
            trace.view.target(target, body, way)
            if translated:
                trace.view.left_out([*request.leaves_out(), *reasoning.unsaid(request.body, body)])
        deadline = trace.started + target.timeouts.total
        return Call(target, body, client, trace, deadline, way.wire, translated), way, after

    def _body(
        self, request: Request, target: Target, way: Way, client: Client, trace: Trace
    ) -> tuple[Body, Afterwards]:
        """What the target is asked, in the API that it is asked in, and what is to be kept of its answer."""
        if way.wire == "completions":
            return native_body(request, target, way, None), Afterwards(trace)
        if way.wire in WITHOUT_CHAT:  # what the configuration adds is meant for models that talk
            return renamed(request.body, target), Afterwards(trace)
        decision = reasoning.decided({**target.defaults, **request.body}, target)
        trace.reasoning = str(decision or "")
        if way.wire != "chat":
            return native_body(request, target, way, decision), Afterwards(trace)
        body, after = self._remembering.before(request, said_in(request), target, client, trace)
        if request.dialect != "chat":
            body = reasoning.spelled(with_thoughts_as_wanted(body, target), target)
        body = reasoning.applied(body, decision, target)
        return prepared(body, target, request.stream, request.include_usage), after


def said_in(request: Request) -> Body:
    """The request as chat; raises BadRequest for one that says nothing at all."""
    body = request.as_chat()
    if not body["messages"]:
        raise BadRequest("the request holds nothing that a model could answer: no text, picture or file")
    return body


def elsewhere(problem: BadRequest) -> BadRequest:
    """The problem with a body that was translated: its places are not quite those that the client wrote."""
    place = f"'{problem.param}'"
    return BadRequest(
        str(problem).replace(place, f"{place} of the request, written as chat,", 1), code=problem.code
    )


def unavailable(model: str, target: Target) -> GatewayError:
    """The error for a target that cannot be called, with what helps."""
    why = f"'{model}' cannot be used: {target.unavailable}"
    if target.broken:
        return BadRequest(f"{why} (python -m app check says more)", param="model")
    return TargetUnavailable(f"{why} (set it in the environment or in .env)")


def native_body(request: Request, target: Target, way: Way, decision: reasoning.Decision | None) -> Body:
    """The client's own body for a target that is relayed to in the client's dialect."""
    body = {**target.defaults, **renamed(request.body, target), **target.extra_body}
    if way.wire == "messages":
        return reasoning.applied_messages(wire_messages.prepared_native(body, target), decision, target)
    if way.wire == "responses":
        return reasoning.applied_responses(wire_responses.prepared_native(body), decision, target)
    return body


def shows_usage(request: Request) -> bool:
    """Whether usage goes on to whoever reads the chunks: the client, or the encoder of its dialect."""
    return request.include_usage or request.dialect not in ("chat", "completions")


def hides_thoughts(target: Target) -> bool:
    """Whether the client is not to see what the model thought. The ledger is: tool loops go on from it."""
    return target.harmony is not None and target.harmony.analysis == "drop"


class ServedAnswer:
    """A whole answer under its alias, and the API that it is in."""

    __slots__ = ("answer", "wire")

    def __init__(self, wire: DialectName, answer: Answer) -> None:
        self.wire = wire
        self.answer = answer


class ServedStream:
    """Batches as the client may see them; an empty one is a tick. UpstreamCut at an end that is none."""

    def __init__(
        self,
        stream: Stream,
        follower: Follower,
        trace: Trace,
        wire: DialectName = "chat",
        after: Afterwards | None = None,
    ) -> None:
        self.wire: DialectName = wire
        self._stream = stream
        self._follower = follower
        self._trace = trace
        self._after = after
        self._kept: Afterwards | None = None
        self._collect = after.collector.feed if after and after.collector else None
        self.waits = self._collect is not None
        """Whether `wait` may take a while."""
        self._hides = trace.target is not None and hides_thoughts(trace.target)
        self._view = trace.view
        self._first: Batch | None = self._begin()
        trace.first = time.monotonic()

    def _begin(self) -> Batch:
        """The first batch that holds anything for the client. What fails here is a status.

        `backends.retrying.Begun` waits for the target's first one: what fails before that is tried again.
        """
        try:
            for batch in self._stream:
                if kept := self._passed(batch):
                    return kept
                if self._follower.failed:
                    break
            self._follower.end()
            return []
        except BaseException:
            self._stream.close()
            raise

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        if self._first is not None:
            first, self._first = self._first, None
            return first
        batch = None if self._follower.failed else next(self._stream, None)
        if batch is None:
            self._follower.end()
            self._settle()
            if self._view:
                self._view.response()
            raise StopIteration
        return self._passed(batch) if batch else batch

    def _passed(self, batch: Batch) -> Batch:
        if self._view:
            self._view.received(batch)
        kept = self._follower.pass_on(batch)
        if self._collect:
            self._collect(kept)
        if self._hides:
            kept = [left for chunk in kept if (left := without_thoughts(chunk))]
        return kept

    @property
    def over(self) -> bool:
        """Whether the last event has come."""
        return self._follower.over

    def wait(self) -> None:
        """To be called once the last event is out: returns when what is kept of the answer is written."""
        if self._kept:
            self._kept.wait()

    def close(self) -> None:
        """Ends the target's work if it has not ended by itself."""
        self._stream.close()
        if self._trace.finish and not self._follower.failed:  # whole, though the client left before its end
            self._settle()

    def _settle(self) -> None:
        """Once the answer is whole: what is to be kept of it is kept, once."""
        if self._after:
            self._kept, self._after = self._after, None
            self._kept.end()
