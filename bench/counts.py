"""What it costs to count a request's tokens, and to estimate them."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from statistics import mean

from app.backends.meter import Meter
from app.dialects import anthropic_messages
from app.types import Body, Target
from bench.conversation import COUNT_BYTES, words
from bench.dialects import APIS, request_body
from bench.load import Load
from bench.report import percentile
from bench.report_dialects import Count
from bench.runs import Field, weigh
from bench.script import ALIAS, UNMARKED, WIRE_MODEL, Script, mark

COUNT_GOAL, ESTIMATE_GOAL = 30.0, 1.0
"""Milliseconds of a count once warm, and of the estimate with which a message starts."""
AT_ONCE = 15
"""So many Claude Code asks for."""


def counts(field: Field, requests: int) -> list[Count]:
    """`count_tokens` for a target that cannot count: the gateway does it."""
    alone = Load(0, Script("plain"), api="count", size=COUNT_BYTES, clients=1, count=requests, warmup=4)
    together = replace(alone, clients=AT_ONCE, warmup=2 * AT_ONCE, count=requests // AT_ONCE * AT_ONCE)
    loads: dict[str, tuple[Load, float | None]] = {
        "count, the very first": (replace(alone, count=1, warmup=0), None),
        "count, never seen": (replace(alone, fresh=True), COUNT_GOAL),
        "count, seen before": (alone, COUNT_GOAL),
        f"count, never seen, {AT_ONCE} at once": (replace(together, fresh=True), None),
        f"count, seen before, {AT_ONCE} at once": (together, None),
    }
    return [_count(field, title, load, goal) for title, (load, goal) in loads.items()]


def _count(field: Field, title: str, load: Load, goal: float | None) -> Count:
    found = weigh(field, field.contestants[0], load)
    times, requests = found.outcome.whole, found.outcome.requests
    return Count(
        title, requests, percentile(times, 0.5), percentile(times, 0.99), 1e3 * found.used / requests, goal
    )


def estimates(times: int) -> list[Count]:
    """The estimate alone, in this process: for a conversation that begins, and one that goes on."""
    meter, target = Meter(), Target(ALIAS, "bench", WIRE_MODEL)
    meter.learn(meter.expect("session", target, body_of(0)), {"prompt_tokens": 20_000})
    first = [estimated(meter, target, body_of(number + 1)) for number in range(times)]
    later = [estimated(meter, target, body_of(0, turn=number + 1)) for number in range(times)]
    return [_told("estimate, never seen", first), _told("estimate, the next turn", later)]


def estimated(meter: Meter, target: Target, body: Body) -> tuple[float, float]:
    """The milliseconds that one estimate takes, by the clock and of processor time."""
    cpu, begun = time.process_time_ns(), time.perf_counter_ns()
    meter.expect("session", target, body)
    return (time.perf_counter_ns() - begun) / 1e6, (time.process_time_ns() - cpu) / 1e6


def _told(title: str, times: Sequence[tuple[float, float]]) -> Count:
    clock, cpu = zip(*times, strict=True)
    return Count(title, len(times), percentile(clock, 0.5), percentile(clock, 0.99), mean(cpu), ESTIMATE_GOAL)


def body_of(number: int, turn: int = 0) -> Body:
    """An agent's request in chat, its texts new with each number; a turn adds a call and its result."""
    told = _request().replace(UNMARKED.encode(), mark(number).encode())
    chat = anthropic_messages.parse(json.loads(told)).as_chat()
    if turn:
        call, result = [{**message} for message in chat["messages"][-3:-1]]
        chat["messages"] += [call, {**result, "content": f"{turn} {words(1_400, 7)}"}]
    return chat


@cache
def _request() -> bytes:
    return request_body(APIS["messages"], Script("plain"), ALIAS, COUNT_BYTES, marked=True)
