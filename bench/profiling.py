"""Where the gateway's processor time goes, by py-spy: collapsed stacks for each lane and scenario."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.contestants import CACHE
from bench.report import Sample, number
from bench.runs import Field, Lane, measure, scenarios

RATE = 400
"""Looks a second."""


def profile(field: Field, chosen: Sequence[Lane], seconds: float, target: Path) -> None:
    """Prints the functions that take most, and keeps the stacks below `target`."""
    target.mkdir(parents=True, exist_ok=True)
    for lane in chosen:
        assert lane.running.tree is not None
        for name, load in scenarios(seconds).items():
            if name == "first":
                continue
            output = target / f"{lane.dialect}-{lane.name}-{name}.txt".replace(", ", "-")
            with recorded(lane.running.tree.worker(), output):
                sample = measure(field, lane, name, load, 0.0, 1)
            print(f"\n{lane.dialect}, {lane.name}, {name}: {told(sample)}")
            print(top(output.read_text(), each(sample)))


@contextmanager
def recorded(pid: int, output: Path) -> Iterator[None]:
    """What a process does meanwhile, as far as it does anything."""
    command = [str(CACHE / "profiler" / "bin" / "py-spy"), "record", "--pid", str(pid), "--rate", str(RATE)]
    options = ["--format", "raw", "--output", str(output), "--nonblocking"]
    spy = subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        spy.send_signal(signal.SIGINT)  # it writes its file then
        spy.wait(60)


def each(sample: Sample) -> float:
    """Microseconds of processor time per event of a stream, else per request."""
    return 1e6 * sample.cpu / (sample.events or sample.requests)


def told(sample: Sample) -> str:
    unit = "event" if sample.events else "request"
    return f"{number(each(sample))} µs per {unit}; own time, then own and below, in µs and percent"


def top(stacks: str, total: float, lines: int = 25) -> str:
    """The lines with most samples of their own, and the functions with most below them, of `total` µs."""
    own: dict[str, int] = {}
    below: dict[str, int] = {}
    for line in stacks.splitlines():
        stack, _, count = line.rpartition(" ")
        frames = stack.split(";")
        own[frames[-1]] = own.get(frames[-1], 0) + int(count)
        for frame in {frame.rsplit(":", 1)[0] for frame in frames}:
            below[frame] = below.get(frame, 0) + int(count)
    return "\n\n".join(_ranking(counts, sum(own.values()), total, lines) for counts in (own, below))


def _ranking(counts: dict[str, int], all_of_them: int, total: float, lines: int) -> str:
    ranked = sorted(counts.items(), key=lambda item: -item[1])[:lines]
    shares = ((count / all_of_them, frame) for frame, count in ranked)
    return "\n".join(f"{share * total:8.2f} {share:6.1%}  {frame}" for share, frame in shares)
