"""Tables from measurements. Pure: values in, Markdown out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from bench.processes import Memory


@dataclass(frozen=True, slots=True)
class Sample:
    """One scenario, one contestant, one round. Times in milliseconds but `cpu` and `wall`: seconds."""

    contestant: str
    scenario: str
    round: int
    requests: int
    events: int
    wall: float
    cpu: float
    """The contestant's processor time, what it uses when idle taken off."""
    harness_cpu: float
    """Processor time of load generator and upstream together."""
    first_token: float
    delay_p50: float
    delay_p99: float
    dialect: str = "chat"


@dataclass(frozen=True, slots=True)
class Goal:
    """The ratio to reach for one scenario."""

    title: str
    scenario: str
    less_than_litellm: float
    times_nginx: float


@dataclass(frozen=True, slots=True)
class Body:
    """What a contestant weighs: seconds to healthy, memory at its start and at the end."""

    start: float
    fresh: Memory
    final: Memory


@dataclass(frozen=True, slots=True)
class Mark:
    """Memory after so many requests and so many streams that were left."""

    requests: int
    left: int
    memory: Memory


@dataclass(frozen=True, slots=True)
class Start:
    """One start of the gateway: seconds until healthy, memory then."""

    seconds: float
    memory: Memory


GOALS = (
    Goal("plain request", "plain", 14, 28),
    Goal("agent-size request", "agent", 14, 28),
    Goal("unpaced event", "stream", 40, 4),
    Goal("paced event", "paced", 8, 8),
)
DELAY_GOAL = 2.0
"""Milliseconds that the median event may be later than through nginx."""

GATEWAY, LITELLM, NGINX, DIRECT = "LocalCode", "LiteLLM Proxy", "nginx", "direct"

SOAK_SLACK = 0.03

NOTHING = "-"

Table = list[list[str]]


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of the values lie; nothing gives 0."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def number(value: float) -> str:
    """No more figures than the noise leaves."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def markdown(rows: Table) -> str:
    head, *body = rows
    rule = ["---"] + ["---:"] * (len(head) - 1)
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, rule, *body])


class Results:
    """All samples of a run; medians over its rounds."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self.samples = list(samples)
        self.contestants = list(dict.fromkeys(sample.contestant for sample in self.samples))

    def of(self, *dialects: str) -> Results:
        """Those that were asked in these dialects."""
        return Results(sample for sample in self.samples if sample.dialect in dialects)

    def values(self, contestant: str, scenario: str, of: Callable[[Sample], float]) -> list[float]:
        return [of(s) for s in self.samples if (s.contestant, s.scenario) == (contestant, scenario)]

    def median(self, contestant: str, scenario: str, of: Callable[[Sample], float]) -> float | None:
        found = self.values(contestant, scenario, of)
        return median(found) if found else None

    def per_request(self, contestant: str, scenario: str) -> float | None:
        """Milliseconds of processor time."""
        return self.median(contestant, scenario, lambda s: 1e3 * s.cpu / s.requests)

    def per_event(self, contestant: str, scenario: str) -> float | None:
        """Microseconds of processor time, that of the request shared out over its events."""
        return self.median(contestant, scenario, lambda s: 1e6 * s.cpu / s.events)

    def cost(self, contestant: str, scenario: str) -> float | None:
        per = self.per_request if scenario in ("plain", "agent") else self.per_event
        return per(contestant, scenario)

    def added(self, contestant: str, scenario: str, of: Callable[[Sample], float]) -> float | None:
        """Milliseconds more than the direct way in the same round."""
        own, control = self.values(contestant, scenario, of), self.values(DIRECT, scenario, of)
        return median(a - b for a, b in zip(own, control, strict=False)) if own and control else None

    def spread(self, contestant: str, scenario: str) -> float:
        """How far the rounds are apart, as a share of their median."""
        costs = self.values(contestant, scenario, lambda s: s.cpu / max(s.requests, 1))
        return (max(costs) - min(costs)) / median(costs) if costs else 0.0

    def harness(self, contestant: str, scenario: str) -> float | None:
        """Microseconds of load generator and upstream together, per event or request."""
        return self.median(contestant, scenario, lambda s: 1e6 * s.harness_cpu / (s.events or s.requests))


def measures(results: Results, bodies: dict[str, Body]) -> str:
    """The main table: a measure a line, a contestant a column. Without `bodies` nothing is weighed."""
    names = results.contestants

    def row(title: str, value: Callable[[str], float | None]) -> list[str]:
        cells = [value(name) for name in names]
        return [title, *(NOTHING if cell is None else number(cell) for cell in cells)]

    def cost(scenario: str) -> Callable[[str], float | None]:
        # Going direct costs the client's and the upstream's time only.
        return lambda name: None if name == DIRECT else results.cost(name, scenario)

    def body(of: Callable[[Body], float]) -> Callable[[str], float | None]:
        return lambda name: of(bodies[name]) if name in bodies else None

    def delay(name: str) -> str:
        p50 = results.added(name, "paced", lambda s: s.delay_p50)
        p99 = results.added(name, "paced", lambda s: s.delay_p99)
        if name == DIRECT or p50 is None or p99 is None:
            return NOTHING
        return f"{number(p50)} / {number(p99)}"

    def first_token(name: str) -> float | None:
        return results.median(name, "first", lambda s: s.first_token)

    weights = [
        row("memory (RSS, all processes) when healthy, MB", body(lambda b: b.fresh.rss)),
        row("memory (RSS, all processes) after the run, MB", body(lambda b: b.final.rss)),
        row("the same with shared pages counted once (PSS), MB", body(lambda b: b.final.pss)),
        row("from start to healthy, s", body(lambda b: b.start)),
    ]
    return markdown(
        [
            ["", *names],
            row("plain request, processor ms", cost("plain")),
            row("agent-size request, processor ms", cost("agent")),
            row("unpaced event, processor µs", cost("stream")),
            row("paced event, processor µs", cost("paced")),
            row("time to first token, agent-size request, ms", first_token),
            ["added delay of a paced event, p50 / p99, ms", *(delay(name) for name in names)],
            *(weights if bodies else []),
        ]
    )


def ratios(results: Results, gateway: str = GATEWAY) -> str:
    """How the gateway stands to the others, with what is to be reached."""
    rows = [["", "less than LiteLLM Proxy", "goal", "times nginx", "goal", "reached"]]
    for goal in GOALS:
        own = results.cost(gateway, goal.scenario)
        less = _ratio(results.cost(LITELLM, goal.scenario), own)
        more = _ratio(own, results.cost(NGINX, goal.scenario))
        reached = [less >= goal.less_than_litellm] if less else []
        reached += [more <= goal.times_nginx] if more else []
        rows.append(
            [
                goal.title,
                f"{less:.1f}" if less else NOTHING,
                f"at least {goal.less_than_litellm:g}",
                f"{more:.1f}" if more else NOTHING,
                f"at most {goal.times_nginx:g}",
                "yes" if all(reached) else "**no**",
            ]
        )
    return markdown(rows)


def _ratio(above: float | None, below: float | None) -> float | None:
    return above / below if above and below else None


def delay_verdict(results: Results, gateway: str = GATEWAY) -> str:
    own = results.median(gateway, "paced", lambda s: s.delay_p50)
    theirs = results.median(NGINX, "paced", lambda s: s.delay_p50)
    if own is None or theirs is None:
        return ""
    more = own - theirs
    verdict = "reached" if more <= DELAY_GOAL else "**not reached**"
    goal = f"goal: at most {DELAY_GOAL:g} ms"
    return f"The median paced event comes {more:.2f} ms later than through nginx ({goal}): {verdict}."


def noise(results: Results) -> str:
    """How far apart the rounds were, for whoever compares two runs."""
    scenarios = list(
        dict.fromkeys(sample.scenario for sample in results.samples if sample.scenario != "first")
    )
    rows = [["spread of the rounds (max - min) / median", *scenarios]]
    rows += [
        [name, *(f"{results.spread(name, scenario):.0%}" for scenario in scenarios)]
        for name in results.contestants
        if name != DIRECT
    ]
    return markdown(rows)


def middle(found: Sequence[Start]) -> Start:
    return Start(
        median(start.seconds for start in found),
        Memory(median(start.memory.rss for start in found), median(start.memory.pss for start in found)),
    )


def soak_table(marks: Sequence[Mark]) -> str:
    """The memory curve, a quarter of it taken as warm-up, and what grew after that."""
    warm, last = marks[len(marks) // 4], marks[-1]
    growth = last.memory.rss - warm.memory.rss
    verdict = "does not grow" if growth <= SOAK_SLACK * warm.memory.rss else "**grows**"
    shown = [mark for number, mark in enumerate(marks) if number % max(1, len(marks) // 10) == 0]
    rows = [["requests", "streams left early", "RSS, MB", "PSS, MB"]]
    rows += [[f"{m.requests:,}", f"{m.left:,}", f"{m.memory.rss:.1f}", f"{m.memory.pss:.1f}"] for m in shown]
    path = f"At the start {marks[0].memory.rss:.1f} MB, warm {warm.memory.rss:.1f} MB"
    noise = f"{growth:+.1f} MB; up to {SOAK_SLACK:.0%} counts as noise"
    end = f"at the end {last.memory.rss:.1f} MB ({noise}): memory {verdict}."
    return f"{markdown(rows)}\n\n{path}, {end}"


def many_table(samples: Sequence[Sample]) -> str:
    """Errors end a run, so whoever is in the table made none."""
    rows = [["", "streams", "errors", "delay p50, ms", "delay p99, ms", "processor µs per event"]]
    for sample in samples:
        cost = NOTHING if sample.contestant == DIRECT else number(1e6 * sample.cpu / sample.events)
        delays = [number(sample.delay_p50), number(sample.delay_p99)]
        rows.append([sample.contestant, str(sample.requests), "0", *delays, cost])
    return markdown(rows)


def beside(results: Results) -> str:
    """What load generator and upstream themselves cost, so that nobody need wonder."""
    name = results.contestants[0]
    costs = (results.harness(name, scenario) or 0.0 for scenario in ("plain", "stream", "paced"))
    plain, stream, paced = map(number, costs)
    return (
        f"Load generator and upstream together, beside {name}: {plain} µs of processor time per plain "
        f"request, {stream} µs per unpaced and {paced} µs per paced event."
    )


def placed(page: str, section: str, text: str) -> str:
    """`page` with what stands between the section's two markers replaced by `text`."""
    begin, end = f"<!-- {section}: made by the run -->", f"<!-- end of {section} -->"
    before, found, rest = page.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"the page has no place for {section!r}")
    return f"{before}{begin}\n\n{text.strip()}\n\n{end}{after}"
