"""How many tokens a request has: the target says it where it can, else it is counted here.

    target                                     is asked
    speaks the client's dialect       POST <base>/messages/count_tokens, <base>/responses/input_tokens
    chat, in the gateway's network    POST <base>/chat/completions/input_tokens, for it may be llama-server
    any other                         not at all

One that could not count is left alone for a while. What is counted here is corrected by what the target
has billed so far. Nothing is fetched for a count: pictures behind URLs count as pictures of usual size.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import TypeAlias
from urllib.parse import urlsplit

from app.backends.connecting import Wait
from app.backends.http import Http
from app.backends.recent import Recent
from app.backends.relay import base_of, headers_of, quietly, written
from app.backends.tokenizer import Tokenizer
from app.errors import GatewayError, RateLimited, UpstreamError, UpstreamGarbage, UpstreamRefused
from app.types import Body, Call, Client, Count, DialectName, Request, Target, Timeouts, Trace
from app.utils.chat_request import renamed
from app.utils.codec import loads
from app.utils.images import is_local, to_fetch
from app.utils.meter import Ratio
from app.utils.problems import problem_from
from app.utils.thoughts import with_thoughts_as_wanted
from app.utils.tokens import counted, prompt_of
from app.utils.tokens_families import OTHER, family_of
from app.utils.tokens_weight import weight
from app.utils.way import Way, way_of
from app.utils.wire_messages import prepared_native
from app.utils.wires import WIRES

PATHS: Mapping[DialectName, str] = {
    "messages": "/messages/count_tokens",
    "responses": "/responses/input_tokens",
    "chat": "/chat/completions/input_tokens",
}
PATIENCE = Timeouts(connect=3.0, header=10.0, chunk=10.0, total=15.0)
"""A count is wanted now or not at all: agents ask for fifteen at once and wait for them."""
CANNOT, FAILED = 600.0, 30.0
"""Seconds for which a target is not asked that has no such path, and one that failed."""
NO_SUCH_PATH = {404, 405, 501}
TARGETS = 500
LESSONS, SOMETIMES = 8, 16
"""So many bills are learnt from at once, then one in so many."""

Key: TypeAlias = tuple[str, DialectName]


class Counting:
    """Counts the tokens of requests. Made without loading anything."""

    def __init__(
        self,
        http: Http,
        via: str,
        tokenizer: Tokenizer | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http = http
        self._via = via
        self._tokenizer = tokenizer or Tokenizer()
        self._now = now
        self._resting: Recent[Key, float] = Recent(TARGETS)
        """Until when a target is not asked."""
        self._ratios: Recent[str, Ratio] = Recent(TARGETS)
        self._bills = 0

    def count(self, request: Request, target: Target, client: Client, trace: Trace) -> int:
        """The input tokens of a request. Raises what is wrong with it, or with the gateway's key."""
        trace.target = target
        told = self._told(request, target, client, trace)
        tokens = self._here(request, target) if told is None else told
        trace.count = Count(tokens, by_target=told is not None)
        return tokens

    def learn(self, target: Target, body: Body, billed: int) -> None:
        """Takes note of what a request was billed, if anybody has counted here at all. Holds up nobody."""
        if not self._tokenizer.is_loaded:
            return
        self._bills += 1
        if self._ratio(target).bills < LESSONS or self._bills % SOMETIMES == 0:
            lesson = (target, body, billed)
            threading.Thread(target=self._learn, args=lesson, name="learn-tokens", daemon=True).start()

    # what the target says

    def _told(self, request: Request, target: Target, client: Client, trace: Trace) -> int | None:
        """What the target counts; None where it cannot."""
        way = way_of(request, target)
        wire, key = way.wire, (target.name, way.wire)
        if not can_count(way, target) or self._is_resting(key, trace):
            return None
        body = body_for(request, target, wire)
        if to_fetch(body, target):
            return None
        try:
            return self._ask(Call(target, body, client, trace, time.monotonic() + PATIENCE.total, wire))
        except (UpstreamError, RateLimited) as problem:
            if isinstance(problem, UpstreamRefused) and problem.status not in NO_SUCH_PATH:
                raise
            self._rest(key, problem, trace)
            return None

    def _is_resting(self, key: Key, trace: Trace) -> bool:
        resting = self._now() < (self._resting.get(key) or 0.0)
        if resting and trace.view:
            trace.view.note("the target could not count when it was last asked: counted here")
        return resting

    def _rest(self, key: Key, problem: GatewayError, trace: Trace) -> None:
        """Leaves the target alone for a while. That it has no such path is no fault of anybody."""
        missing = problem.status in NO_SUCH_PATH
        cannot = missing or isinstance(problem, UpstreamGarbage)
        self._resting.put(key, self._now() + (CANNOT if cannot else FAILED))
        if not missing:
            trace.notes.append(f"the target did not count: {problem}")
        elif trace.view:
            trace.view.note("the target has no such path: counted here")

    def _ask(self, call: Call) -> int:
        target = call.target
        call.trace.tries += 1
        wait = Wait(PATIENCE, call.deadline, call.client.alive, f"the provider of '{target.alias}'")
        url = base_of(target, call.wire) + PATHS[call.wire]
        if call.trace.view:
            call.trace.view.note(f"{target.name} is asked at {url}")
        with closing(
            self._http.post(url, headers_of(call, WIRES[call.wire], self._via), written(call.body), wait)
        ) as reply:
            if not 200 <= reply.status < 300:
                raise problem_from(reply.status, reply.headers, quietly(reply), target)
            return tokens_told(reply.read_all(), target)

    # what is counted here

    def _here(self, request: Request, target: Target) -> int:
        wire = way_of(request, target).wire
        body = request.body if wire != "chat" else request.as_chat()
        return max(1, round(self._counted(body, target) * self._ratio(target).value))

    def _counted(self, body: Body, target: Target) -> int:
        family = family_of(target)
        prompt = prompt_of(body, family)
        return counted(prompt, family, self._counts(prompt.texts))

    def _counts(self, texts: Sequence[str]) -> Sequence[int]:
        try:
            return self._tokenizer.counts(texts)
        except (ImportError, OSError, ValueError):  # another LiteLLM without the file
            return [round(weight(text, OTHER)) for text in texts]

    def _learn(self, target: Target, body: Body, billed: int) -> None:
        ours = self._counted(body, target)
        self._ratios.put(target.name, self._ratio(target).after(ours, billed))

    def _ratio(self, target: Target) -> Ratio:
        return self._ratios.get(target.name) or Ratio()


def can_count(way: Way, target: Target) -> bool:
    """Whether a target may be able to count what comes by that way."""
    if way.carrier != "relay" or target.harmony is not None:
        return False
    return way.wire != "chat" or is_local(urlsplit(target.base_url).hostname or "")


def body_for(request: Request, target: Target, wire: DialectName) -> Body:
    """What the target is to count."""
    if wire == "messages":
        return prepared_native(renamed(request.body, target), target)
    if wire != "chat":
        return renamed(request.body, target)
    return renamed(with_thoughts_as_wanted(request.as_chat(), target), target)


def tokens_told(data: bytes, target: Target) -> int:
    """The number in a target's answer; raises UpstreamGarbage where there is none."""
    try:
        answer = loads(data)
    except ValueError:
        answer = None
    tokens = answer.get("input_tokens") if isinstance(answer, dict) else None
    if not isinstance(tokens, int) or isinstance(tokens, bool) or tokens < 0:
        raise UpstreamGarbage(f"the provider of '{target.alias}' answered without a count")
    return tokens
