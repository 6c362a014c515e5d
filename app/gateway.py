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
from app.errors import TargetUnavailable
from app.types import (
    Backend,
    Batch,
    Body,
    Call,
    CarrierName,
    ChatRequest,
    Client,
    Completion,
    Stream,
    Target,
    Trace,
)
from app.utils.formatter import ChatStream, finished, prepared
from app.utils.model_resolver import resolve

InlineImages: TypeAlias = Callable[[Body, Target, Callable[[], None]], Body]
"""Puts the pictures that a target must not fetch itself into the body, or refuses them."""


class Gateway:
    """Serves chat requests by the catalog. The catalog may be exchanged while requests run."""

    def __init__(
        self,
        catalog: Catalog,
        backends: Mapping[CarrierName, Backend],
        inline_images: InlineImages = lambda body, target, alive: body,
    ) -> None:
        self.catalog = catalog
        self._backends = backends
        self._inline_images = inline_images

    def complete(self, request: ChatRequest, client: Client, trace: Trace) -> Completion:
        """The whole answer, under the alias."""
        call = self._call(request, client, trace)
        answer = self._backends[call.target.carrier].complete(call)
        trace.first = time.monotonic()
        if trace.view:
            trace.view.response(answer)
        return finished(answer, call.target, trace)

    def stream(self, request: ChatRequest, client: Client, trace: Trace) -> ServedStream:
        """An open stream under the alias whose first batch has come; the caller closes it."""
        call = self._call(request, client, trace)
        stream = self._backends[call.target.carrier].stream(call)
        return ServedStream(stream, ChatStream(call.target, request.include_usage, trace), trace)

    def choose(self, request: ChatRequest) -> Target:
        """The target for a request, answering to the name that the client used."""
        target = resolve(request.model, self.catalog.targets)
        if target.unavailable:
            raise TargetUnavailable(
                f"'{request.model}' cannot be used: {target.unavailable} (see .env.example)"
            )
        return target if target.alias == request.model else replace(target, alias=request.model)

    def _call(self, request: ChatRequest, client: Client, trace: Trace) -> Call:
        target = trace.target = self.choose(request)
        body = self._inline_images(prepared(request, target), target, client.alive)
        if trace.view:
            trace.view.target(target, body)
        return Call(target, body, client, trace, deadline=trace.started + target.timeouts.total)


class ServedStream:
    """Batches as the client gets them; an empty one is a tick. Raises UpstreamCut at an end that is none."""

    def __init__(self, stream: Stream, chunks: ChatStream, trace: Trace) -> None:
        self._stream = stream
        self._chunks = chunks
        self._view = trace.view
        self._first: Batch | None = self._begin()
        trace.first = time.monotonic()

    def _begin(self) -> Batch:
        """The first batch that holds anything for the client. What fails here is a status."""
        try:
            for batch in self._stream:
                if kept := self._passed(batch):
                    return kept
                if self._chunks.failed:
                    break
            self._chunks.end()
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
        batch = None if self._chunks.failed else next(self._stream, None)
        if batch is None:
            self._chunks.end()
            if self._view:
                self._view.response()
            raise StopIteration
        return self._passed(batch) if batch else batch

    def _passed(self, batch: Batch) -> Batch:
        if not self._view:
            return self._chunks.pass_on(batch)
        self._view.received(batch)
        kept = self._chunks.pass_on(batch)
        self._view.sent(kept)
        return kept

    def close(self) -> None:
        """Ends the target's work if it has not ended by itself."""
        self._stream.close()
