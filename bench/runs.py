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

from bench.contestants import CACHE, CLIENT_KEY, HERE, Contestant, Running, get, started
from bench.load import Load, Outcome
from bench.processes import Memory, Tree, spent
from bench.report import Body, Mark, Sample, Start, percentile
from bench.script import Script


class Failed(Exception):
    """The run is worth nothing: an answer was wrong, or something did not end."""


@dataclass(frozen=True, slots=True)
class Field:
    """Everyone who takes part, running, with the upstream behind them."""

    contestants: Sequence[Running]
    upstream: Tree
    upstream_port: int


def scenarios(seconds: float) -> dict[str, Load]:
    """What the comparison asks of each contestant in each round."""
    paced = Script("paced", round(seconds * 50), 20)
    return {
        "plain": Load(0, Script("plain"), seconds=seconds),
        "agent": Load(0, Script("plain"), agent=True, seconds=seconds),
        "stream": Load(0, Script("stream", 100), seconds=seconds),
        "paced": Load(0, paced, clients=64, count=64, warmup=64, stagger=20),
        "first": Load(0, Script("stream", 5), clients=1, agent=True, count=40, warmup=5),
    }


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


def measure(field: Field, running: Running, name: str, load: Load, resting: float, number: int) -> Sample:
    """One scenario with one contestant."""
    contestant, tree = running.contestant, running.tree or field.upstream
    with loading(replace(load, port=contestant.port, aliased=contestant.aliased)) as process:
        before, upstream = tree.cpu(), field.upstream.cpu()
        begun = time.monotonic()
        outcome = go(process)
        wall = time.monotonic() - begun
        used, beside = spent(before, tree.cpu()), spent(upstream, field.upstream.cpu())
    faultless(outcome, f"{contestant.name}, {name}")
    return Sample(
        contestant=contestant.name,
        scenario=name,
        round=number,
        requests=outcome.requests,
        events=outcome.events,
        wall=wall,
        cpu=max(used - resting * wall, 0.0),
        harness_cpu=beside + outcome.cpu,
        first_token=percentile(outcome.first_token, 0.5),
        delay_p50=percentile(outcome.delays, 0.5),
        delay_p99=percentile(outcome.delays, 0.99),
    )


def compare(field: Field, rounds: int, seconds: float) -> list[Sample]:
    """Every scenario with everyone, in rounds, so that the machine's moods meet all alike."""
    samples: list[Sample] = []
    # A first time for everyone that is not counted: caches, pools and imports fill.
    for running in field.contestants:
        for name, load in scenarios(0.3).items():
            measure(field, running, name, replace(load, count=min(load.count, 64)), 0.0, 0)
    for number in range(1, rounds + 1):
        resting = idle(field)
        for name, load in scenarios(seconds).items():
            for running in field.contestants:
                rest = resting.get(running.contestant.name, 0.0)
                samples.append(measure(field, running, name, load, rest, number))
                tell(samples[-1])
    return samples


def tell(sample: Sample) -> None:
    per = 1e6 * sample.cpu / (sample.events or sample.requests)
    print(
        f"round {sample.round} {sample.scenario:7} {sample.contestant:20} {sample.requests:7} requests"
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
    big = replace(small, agent=True, count=requests // blocks - small.count)
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
    for running in field.contestants:
        samples.append(measure(field, running, "many", load, 0.0, 1))
        tell(samples[-1])
    return samples


def profile(field: Field, seconds: float, target: Path) -> None:
    """Where the gateway's processor time goes, by py-spy: one file of collapsed stacks a scenario."""
    running = field.contestants[0]
    assert running.tree is not None
    target.mkdir(parents=True, exist_ok=True)
    program = str(CACHE / "profiler" / "bin" / "py-spy")
    for name, load in scenarios(seconds).items():
        if name == "first":
            continue
        output = target / f"{name}.txt"
        with loading(replace(load, port=running.contestant.port, aliased=True)) as process:
            command = [
                program,
                "record",
                "--pid",
                str(running.tree.worker()),
                "--duration",
                str(int(seconds)),
            ]
            options = ["--rate", "400", "--format", "raw", "--output", str(output), "--nonblocking"]
            spy = subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL)
            faultless(go(process), name)
            spy.wait(seconds * 10 + 30)
        print(f"\n{name}: own time\n{top(output.read_text())}")


def top(stacks: str, lines: int = 25) -> str:
    """The functions with the most samples of their own, and those with the most below them."""
    own: dict[str, int] = {}
    below: dict[str, int] = {}
    for line in stacks.splitlines():
        stack, _, count = line.rpartition(" ")
        frames = stack.split(";")
        own[frames[-1]] = own.get(frames[-1], 0) + int(count)
        for frame in {frame.rsplit(":", 1)[0] for frame in frames}:
            below[frame] = below.get(frame, 0) + int(count)
    return "\n\n".join(_ranking(counts, sum(own.values()), lines) for counts in (own, below))


def _ranking(counts: dict[str, int], total: int, lines: int) -> str:
    ranked = sorted(counts.items(), key=lambda item: -item[1])[:lines]
    return "\n".join(f"{count / total:6.1%}  {frame}" for frame, count in ranked)
