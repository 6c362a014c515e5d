"""`python -m bench`: measures, prints, and writes its tables into bench/README.md."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from bench import contestants, counts, profiling, report, report_dialects, runs
from bench.contestants import CACHE, HERE, CannotRun, Contestant
from bench.conversation import COUNT_BYTES
from bench.machine import busy, machine
from bench.processes import Tree, WorkerChanged
from bench.report import Mark, Results, Sample

README = HERE / "README.md"
WORKER_CLASSES = ("gevent", "gthread")


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="a fast look: short, one round, nothing is written"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--seconds", type=float, default=3.0, help="of load per contestant, scenario and round"
    )
    parser.add_argument("--only", help="contestants, comma separated: gateway, litellm, nginx, direct")
    parser.add_argument("--worker-classes", action="store_true", help="the gateway under gevent and gthread")
    parser.add_argument("--dialects", action="store_true", help="/v1/messages and /v1/responses beside chat")
    parser.add_argument("--count", action="store_true", help="count_tokens, and the estimate of a message")
    parser.add_argument("--events-per-send", type=int, default=1, help="how an unpaced stream is written")
    parser.add_argument("--start", action="store_true", help="time and memory of a start, median of 7")
    parser.add_argument("--soak", action="store_true", help="memory over 20,000 requests, 2,000 left streams")
    parser.add_argument("--many", action="store_true", help="500 streams paced at 100 ms")
    parser.add_argument("--profile", metavar="DIRECTORY", type=Path, help="the gateway's costs, by py-spy")
    parser.add_argument("--worker-class", help="the gateway's, where it should not choose itself")
    parser.add_argument("--no-write", action="store_true", help="print only")
    return parser.parse_args(given)


class Bench:
    """One run of the program: its options, its directory, its upstream."""

    def __init__(self, options: argparse.Namespace, work: Path, upstream: tuple[int, Tree]) -> None:
        self.options = options
        self.work = work
        self.upstream = upstream
        self.busy = busy()

    def contestants(self, default: str) -> list[Contestant]:
        port = self.upstream[0]
        makers: dict[str, Callable[[], list[Contestant]]] = {
            "gateway": self.gateways,
            "litellm": lambda: [contestants.litellm(port, self.work)],
            "nginx": lambda: [contestants.nginx(port, self.work)],
            "direct": lambda: [contestants.direct(port)],
        }
        return [one for name in (self.options.only or default).split(",") for one in makers[name]()]

    def gateways(self) -> list[Contestant]:
        port, chosen = self.upstream[0], self.options.worker_class
        own = contestants.gateway(port, self.work, chosen)
        if not self.options.worker_classes:
            return [own]
        return [contestants.gateway(port, self.work, kind, f"{own.name} ({kind})") for kind in WORKER_CLASSES]

    def compare(self) -> str:
        options = self.options
        rounds, seconds = (1, 1.0) if options.quick else (options.rounds, options.seconds)
        chosen = self.contestants("gateway,litellm,nginx,direct")
        with runs.gathered(chosen, self.upstream, self.work) as field:
            fresh = runs.fresh_memory(field)
            samples = runs.compare(field, runs.lanes(field), rounds, seconds)
            bodies = runs.bodies(field, fresh)
        self.keep("compare", samples)
        results = Results(samples)
        own = [name for name in results.contestants if name.startswith(report.GATEWAY)]
        parts = [
            f"{self.circumstances()} {rounds} rounds, {seconds:g} s each; medians.",
            report.measures(results, bodies),
        ]
        for name in own:
            parts += [f"Ratios of {name}:", report.ratios(results, name), report.delay_verdict(results, name)]
        parts += [report.noise(results), report.beside(results)]
        return "\n\n".join(parts)

    def dialects(self) -> str:
        options = self.options
        rounds, seconds = (1, 1.0) if options.quick else (options.rounds, options.seconds)
        chosen = self.contestants("gateway,litellm,nginx,direct")
        with runs.gathered(chosen, self.upstream, self.work) as field:
            samples = runs.compare(field, runs.dialect_lanes(field), rounds, seconds)
        self.keep("dialects", samples)
        return (
            f"{self.circumstances()} {rounds} rounds, {seconds:g} s each; medians.\n\n"
            f"{report_dialects.dialects(Results(samples))}"
        )

    def counts(self) -> str:
        share = 10 if self.options.quick else 1
        with runs.gathered(self.gateways()[:1], self.upstream, self.work) as field:
            counted = counts.counts(field, 300 // share)
        guessed = counts.estimates(500 // share)
        return (
            f"{self.circumstances()} Requests of {COUNT_BYTES // 1000} kB.\n\n"
            f"{report_dialects.counts([*counted, *guessed])}"
        )

    def starts(self) -> str:
        found = runs.starts(self.gateways()[0], 7, self.work)
        middle = report.middle(found)
        seconds = ", ".join(f"{start.seconds:.2f}" for start in found)
        return (
            f"{self.circumstances()} From exec to the first 200 of `/health`, files warm, no target that "
            f"needs LiteLLM: **{middle.seconds:.2f} s** (median of {seconds}; goal: under 1 s). Memory then: "
            f"**{middle.memory.rss:.0f} MB** (RSS of all processes; goal: under 90 MB), "
            f"{middle.memory.pss:.0f} MB with shared pages counted once."
        )

    def soak(self) -> str:
        requests, left, blocks = (2_000, 200, 10) if self.options.quick else (20_000, 2_000, 20)
        with runs.gathered(self.gateways()[:1], self.upstream, self.work) as field:
            marks = runs.soak(field, requests, left, blocks)
        self.keep("soak", marks)
        return f"{self.circumstances()}\n\n{report.soak_table(marks)}"

    def many(self) -> str:
        streams, seconds = (100, 3.0) if self.options.quick else (500, 10.0)
        chosen = self.contestants("gateway,nginx,direct")
        with runs.gathered(chosen, self.upstream, self.work) as field:
            samples = runs.many(field, streams, seconds)
        self.keep("many", samples)
        return f"{self.circumstances()}\n\n{report.many_table(samples)}"

    def profile(self) -> str:
        with runs.gathered(self.gateways()[:1], self.upstream, self.work) as field:
            lanes = runs.dialect_lanes(field)
            profiling.profile(field, lanes, 3.0 if self.options.quick else 6.0, self.options.profile)
        return ""

    def circumstances(self) -> str:
        return f"{time.strftime('%Y-%m-%d')}, {machine()}, {self.busy}."

    def keep(self, name: str, found: Sequence[Sample] | Sequence[Mark]) -> None:
        """Every single measurement, for whoever wants more than medians."""
        target = CACHE / "results"
        target.mkdir(parents=True, exist_ok=True)
        path = target / f"{time.strftime('%Y%m%d-%H%M%S')}-{name}.json"
        path.write_text(json.dumps([asdict(one) for one in found], indent=1))


def main() -> int:
    options = arguments()
    with (
        tempfile.TemporaryDirectory(prefix="localcode-bench-") as work,
        contestants.upstream(options.events_per_send) as upstream,
    ):
        bench = Bench(options, Path(work), upstream)
        jobs = {
            "starts": (options.start, bench.starts),
            "soak": (options.soak, bench.soak),
            "many": (options.many, bench.many),
            "dialects": (options.dialects, bench.dialects),
            "counting": (options.count, bench.counts),
            "profile": (options.profile, bench.profile),
        }
        wanted = {name: job for name, (asked, job) in jobs.items() if asked}
        if not wanted or options.worker_classes:
            wanted["worker classes" if options.worker_classes else "comparison"] = bench.compare
        for section, job in wanted.items():
            text = job()
            print(f"\n{text}\n")
            whole = not (options.quick or options.only or options.no_write or options.worker_class)
            if text and whole and options.events_per_send == 1:
                README.write_text(report.placed(README.read_text(), section, text))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (CannotRun, runs.Failed, WorkerChanged) as error:
        sys.exit(f"bench: {error}")
