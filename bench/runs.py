"""The runs: each starts who it needs, puts load on, and gives what was measured.

A wrong answer anywhere ends the run: a proxy that loses events is not fast.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from bench.contestants import CLIENT_KEY, HERE, Contestant, Running, get, started
from bench.conversation import AGENT_BYTES
from bench.load import Load, Outcome
from bench.processes import Memory, Tree, spent
from bench.report import GATEWAY, Body, Mark, Sample, Start, percentile
from bench.report_dialects import CHAT, column
from bench.script import ALIAS, NATIVE, DialectName, Script


class Failed(Exception):
    """The run is worth nothing: an answer was wrong, or something did not end."""


@dataclass(frozen=True, slots=True)
class Field:
    """Everyone who takes part, running, with the upstream behind them."""

    contestants: Sequence[Running]
    upstream: Tree
    upstream_port: int


@dataclass(frozen=True, slots=True)
class Lane:
    """One column of a table: a contestant, asked in a dialect for an alias."""

    name: str
    running: Running
    dialect: DialectName = "chat"
    model: str = ALIAS

    def loaded(self, load: Load) -> Load:
        who = self.running.contestant
        aliased = who.aliased and self.dialect not in who.shown_in
        return replace(load, api=self.dialect, model=self.model, aliased=aliased)


def lanes(field: Field) -> list[Lane]:
    """Everyone, asked in chat."""
    return [Lane(running.contestant.name, running) for running in field.contestants]


def scenarios(seconds: float) -> dict[str, Load]:
    """What the comparison asks of each contestant in each round."""
    paced = Script("paced", round(seconds * 50), 20)
    return {
        "plain": Load(0, Script("plain"), seconds=seconds),
        "agent": Load(0, Script("plain"), size=AGENT_BYTES, seconds=seconds),
        "stream": Load(0, Script("stream", 100), seconds=seconds),
        "paced": Load(0, paced, clients=64, count=64, warmup=64, stagger=20),
        "first": Load(0, Script("stream", 5), clients=1, size=AGENT_BYTES, count=40, warmup=5),
    }


def dialect_lanes(field: Field) -> list[Lane]:
    """The gateways' chat relay, then each other dialect: translated, and relayed by everyone."""
    proxies = [running for running in field.contestants if running.contestant.aliased]
    own = [Lane(CHAT, running) for running in proxies if running.contestant.name == GATEWAY]
    return own + [lane for dialect in NATIVE for lane in _ways(field, proxies, dialect)]


def _ways(field: Field, proxies: Sequence[Running], dialect: DialectName) -> Iterator[Lane]:
    for running in proxies:
        yield Lane(column(running.contestant.name, "translated"), running, dialect, ALIAS)
    for running in field.contestants:
        name = running.contestant.name
        shown = column(name, "relayed") if running.contestant.aliased else name
        yield Lane(shown, running, dialect, NATIVE[dialect])


@contextmanager
def gathered(contestants: Sequence[Contestant], upstream: tuple[int, Tree], work: Path) -> Iterator[Field]:
    """All contestants, healthy, at the same time."""
    with ExitStack() as stack:
        running = [
            stack.enter_context(started(contestant, work / f"{contestant.name.replace(' ', '-')}.log"))
            for contestant in contestants
        ]
        yield Field(running, upstream[1], upstream[0])


@contextmanager
def loading(load: Load) -> Iterator[subprocess.Popen[str]]:
    """A load generator that is connected, warm and waits for its start."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.load"],
        cwd=HERE.parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(asdict(replace(load, key=CLIENT_KEY))) + "\n")
        process.stdin.flush()
        if process.stdout.readline().strip() != "ready":
            raise Failed("the load generator did not get ready")
        yield process
    finally:
        process.terminate()
        process.wait()


def go(process: subprocess.Popen[str]) -> Outcome:
    """Lets the load run and gives what came of it."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("go\n")
    process.stdin.flush()
    said = process.stdout.readline()
    if not said:
        raise Failed("the load generator broke off")
    return Outcome(**json.loads(said))


def put(load: Load, who: str) -> Outcome:
    """One load from start to end, every answer right."""
    with loading(load) as process:
        return faultless(go(process), who)


def faultless(outcome: Outcome, who: str) -> Outcome:
    if outcome.errors:
        raise Failed(f"{who}: {outcome.errors} among {outcome.requests} requests")
    return outcome


def idle(field: Field, seconds: float = 2.0) -> dict[str, float]:
    """Seconds of processor time that each contestant uses in a second without any request."""
    trees = {running.contestant.name: running.tree for running in field.contestants if running.tree}
    before = {name: tree.cpu() for name, tree in trees.items()}
    begun = time.monotonic()
    time.sleep(seconds)
    passed = time.monotonic() - begun
    return {name: spent(before[name], tree.cpu()) / passed for name, tree in trees.items()}


@dataclass(frozen=True, slots=True)
class Weighed:
    """What came of a load, and its seconds: by the clock, of the contestant, of everything beside it."""

    outcome: Outcome
    wall: float
    used: float
    beside: float


def weigh(field: Field, who: Running, load: Load) -> Weighed:
    """One load, every answer right."""
    tree = who.tree or field.upstream
    with loading(replace(load, port=who.contestant.port)) as process:
        before, upstream = tree.cpu(), field.upstream.cpu()
        begun = time.monotonic()
        outcome = go(process)
        wall = time.monotonic() - begun
        used, beside = spent(before, tree.cpu()), spent(upstream, field.upstream.cpu())
    faultless(outcome, f"{who.contestant.name}, {load.api} of {load.model}, {load.script}")
    return Weighed(outcome, wall, used, beside + outcome.cpu)


def measure(field: Field, lane: Lane, name: str, load: Load, resting: float, number: int) -> Sample:
    """One scenario in one lane."""
    found = weigh(field, lane.running, lane.loaded(load))
    outcome = found.outcome
    return Sample(
        contestant=lane.name,
        scenario=name,
        round=number,
        requests=outcome.requests,
        events=outcome.events,
        wall=found.wall,
        cpu=max(found.used - resting * found.wall, 0.0),
        harness_cpu=found.beside,
        first_token=percentile(outcome.first_token, 0.5),
        delay_p50=percentile(outcome.delays, 0.5),
        delay_p99=percentile(outcome.delays, 0.99),
        dialect=lane.dialect,
    )


def compare(field: Field, chosen: Sequence[Lane], rounds: int, seconds: float) -> list[Sample]:
    """Every scenario in every lane, in rounds, so that the machine's moods meet all alike."""
    samples: list[Sample] = []
    # A first time for everyone that is not counted: caches, pools and imports fill.
    for lane in chosen:
        for name, load in scenarios(0.3).items():
            measure(field, lane, name, replace(load, count=min(load.count, 64)), 0.0, 0)
    for number in range(1, rounds + 1):
        resting = idle(field)
        for name, load in scenarios(seconds).items():
            for lane in chosen:
                rest = resting.get(lane.running.contestant.name, 0.0)
                samples.append(measure(field, lane, name, load, rest, number))
                tell(samples[-1])
    return samples


def tell(sample: Sample) -> None:
    per = 1e6 * sample.cpu / (sample.events or sample.requests)
    print(
        f"round {sample.round} {sample.dialect:9} {sample.scenario:7} {sample.contestant:24}"
        f" {sample.requests:7} requests"
        f" {per:9.1f} µs each, delay p50 {sample.delay_p50:.2f} p99 {sample.delay_p99:.2f} ms",
        file=sys.stderr,
    )


def bodies(field: Field, fresh: dict[str, Memory]) -> dict[str, Body]:
    return {
        running.contestant.name: Body(running.start, fresh[running.contestant.name], running.tree.memory())
        for running in field.contestants
        if running.tree
    }


def fresh_memory(field: Field) -> dict[str, Memory]:
    return {running.contestant.name: running.tree.memory() for running in field.contestants if running.tree}


def starts(contestant: Contestant, times: int, work: Path) -> list[Start]:
    """Several starts, one after another; one before them makes the files warm."""
    found = []
    for _ in range(times + 1):
        with started(contestant, work / "start.log") as running:
            assert running.tree is not None
            found.append(Start(running.start, running.tree.memory()))
    return found[1:]


def soak(field: Field, requests: int, left: int, blocks: int) -> list[Mark]:
    """Memory over many requests, a tenth of them agent-size, and streams that are left after five events."""
    running = field.contestants[0]
    assert running.tree is not None
    contestant = running.contestant
    small = Load(contestant.port, Script("plain"), warmup=0, aliased=True, count=requests // blocks * 9 // 10)
    big = replace(small, size=AGENT_BYTES, count=requests // blocks - small.count)
    leaving = replace(
        small, script=Script("paced", 3_000, 20), clients=20, count=left // blocks, leave_after=5
    )
    marks = [Mark(0, 0, running.tree.memory())]
    for block in range(1, blocks + 1):
        for load in (small, big, leaving):
            put(load, contestant.name)
        wait_until_closed(field.upstream_port)
        marks.append(Mark(requests // blocks * block, left // blocks * block, running.tree.memory()))
        latest = marks[-1]
        print(f"soak {latest.requests} requests, {latest.left} left: {latest.memory}", file=sys.stderr)
    return marks


def wait_until_closed(port: int, limit: float = 3.0) -> None:
    """Returns once the upstream has no stream open: all that were left have been ended there too."""
    until = time.monotonic() + limit
    while (stats := json.loads(get(port, "/stats") or b"{}")).get("open_streams") != 0:
        if time.monotonic() > until:
            raise Failed(f"streams that the clients left are still open upstream: {stats}")
        time.sleep(0.05)


def many(field: Field, streams: int, seconds: float) -> list[Sample]:
    """So many streams at once, an event each 100 ms."""
    load = Load(
        0,
        Script("paced", round(seconds * 10), 100),
        clients=streams,
        count=streams,
        warmup=streams,
        stagger=100,
    )
    samples = []
    for lane in lanes(field):
        samples.append(measure(field, lane, "many", load, 0.0, 1))
        tell(samples[-1])
    return samples
