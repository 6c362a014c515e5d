"""Tables of the other dialects, against the chat relay and LiteLLM Proxy. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from bench.report import GATEWAY, LITELLM, NOTHING, Results, markdown, measures, noise, number

WAYS = ("translated", "relayed")
PATHS = {"messages": "/v1/messages", "responses": "/v1/responses"}
TIMES_CHAT = {"translated": 3.0, "relayed": 1.3}
"""At most so many times what an unpaced event of the chat relay costs."""
LESS_THAN_LITELLM = 20.0

CHAT = f"{GATEWAY}, chat"
"""The base line: this gateway's chat relay."""


def column(contestant: str, way: str) -> str:
    return f"{contestant}, {way}"


def dialects(results: Results) -> str:
    """The table of each dialect, the goals and the noise."""
    parts: list[str] = []
    for dialect, path in PATHS.items():
        found = results.of("chat", dialect)
        parts += [f"`{path}`:", measures(found, {})]
    parts += [
        "Processor time of an unpaced event, compared round by round (median of the ratios):",
        goals(results),
    ]
    for dialect, path in PATHS.items():
        parts += [f"`{path}`:", noise(results.of("chat", dialect))]
    return "\n\n".join(parts)


def goals(results: Results) -> str:
    """How this gateway's unpaced events stand to its chat relay and to LiteLLM Proxy on the same work."""
    rows = [["", "times the chat relay", "goal", "less than LiteLLM Proxy", "goal", "reached"]]
    chat = _events(results.of("chat"), CHAT)
    for dialect, path in PATHS.items():
        found = results.of(dialect)
        for way in WAYS:
            own = _events(found, column(GATEWAY, way))
            more, less = _paired(own, chat), _paired(_events(found, column(LITELLM, way)), own)
            reached = [more <= TIMES_CHAT[way]] if more else []
            reached += [less >= LESS_THAN_LITELLM] if less else []
            rows.append(
                [
                    f"`{path}`, {way}",
                    f"{more:.2f}" if more else NOTHING,
                    f"at most {TIMES_CHAT[way]:g}",
                    f"{less:.1f}" if less else NOTHING,
                    f"at least {LESS_THAN_LITELLM:g}",
                    NOTHING if not reached else "yes" if all(reached) else "**no**",
                ]
            )
    return markdown(rows)


def _events(results: Results, contestant: str) -> list[float]:
    """Seconds of processor time of an unpaced event, round by round."""
    return results.values(contestant, "stream", lambda sample: sample.cpu / sample.events)


def _paired(above: Sequence[float], below: Sequence[float]) -> float | None:
    """The middle one of the rounds' ratios: what the machine does besides, both of a round meet."""
    return median(a / b for a, b in zip(above, below, strict=True)) if above and below else None


@dataclass(frozen=True, slots=True)
class Count:
    """How long counts took, in milliseconds, and their processor time each."""

    title: str
    requests: int
    p50: float
    p99: float
    cpu: float
    goal: float | None = None
    """What the middle one may take."""


def counts(found: Sequence[Count]) -> str:
    rows = [["", "times", "p50, ms", "p99, ms", "processor ms", "goal for p50", "reached"]]
    for one in found:
        goal = NOTHING if one.goal is None else f"under {one.goal:g}"
        reached = NOTHING if one.goal is None else "yes" if one.p50 < one.goal else "**no**"
        figures = [number(figure) for figure in (one.p50, one.p99, one.cpu)]
        rows.append([one.title, str(one.requests), *figures, goal, reached])
    return markdown(rows)
