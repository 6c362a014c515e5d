"""What a contestant costs: processor time and memory of its whole process tree.

Linux tells it under /proc and, to the nanosecond, with a process's own clock. Anywhere
else `ps` does, in hundredths of a second at best.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
LINUX = sys.platform == "linux"


class WorkerChanged(Exception):
    """A process of the contestant came or went while it was measured."""


@dataclass(frozen=True, slots=True)
class Process:
    """What `ps` says of one: `rss` in kB, `cpu` in seconds."""

    parent: int
    rss: int
    cpu: float


@dataclass(frozen=True, slots=True)
class Memory:
    """Megabytes: `rss` of all processes added up, `pss` with shared pages counted once (0: unknown)."""

    rss: float
    pss: float


class Tree:
    """A process and all that it started."""

    def __init__(self, pid: int) -> None:
        self.root = pid

    def cpu(self) -> dict[int, float]:
        """Seconds of processor time, user and system, by process id."""
        if LINUX:
            return {pid: _clock(pid) for pid in family(self.root, _parents())}
        seen = by_ps(_ps())
        return {pid: seen[pid].cpu for pid in family(self.root, _parents_in(seen))}

    def memory(self) -> Memory:
        if LINUX:
            rollups = [rollup((PROC / str(pid) / "smaps_rollup").read_text()) for pid in self._pids()]
            return Memory(sum(r["Rss"] for r in rollups) / 1e3, sum(r["Pss"] for r in rollups) / 1e3)
        seen = by_ps(_ps())
        return Memory(sum(seen[pid].rss for pid in family(self.root, _parents_in(seen))) / 1e3, 0.0)

    def worker(self) -> int:
        """The process below the root that has used the most processor time, or the root alone."""
        used = self.cpu()
        below = [pid for pid in used if pid != self.root]
        return max(below, key=lambda pid: used[pid], default=self.root)

    def _pids(self) -> list[int]:
        return family(self.root, _parents())


def spent(before: dict[int, float], after: dict[int, float]) -> float:
    """Seconds used between two readings."""
    if before.keys() != after.keys():
        raise WorkerChanged(f"processes {sorted(before)} became {sorted(after)}")
    return sum(after.values()) - sum(before.values())


def family(root: int, parents: Mapping[int, int]) -> list[int]:
    """`root` and its descendants, given everyone's parent."""
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def by_ps(text: str) -> dict[int, Process]:
    """`ps -A -o pid=,ppid=,rss=,time=`, read."""
    rows = (line.split() for line in text.splitlines())
    return {int(row[0]): Process(int(row[1]), int(row[2]), seconds(row[3])) for row in rows if len(row) == 4}


def seconds(clock: str) -> float:
    """`1-02:03:04` and `3:04.05` as `ps` writes them on Linux and macOS."""
    days, _, rest = clock.rpartition("-")
    total = 0.0
    for part in rest.split(":"):
        total = total * 60 + float(part)
    return total + 86_400 * int(days or 0)


def rollup(text: str) -> dict[str, int]:
    """The kilobytes of /proc/<pid>/smaps_rollup by name."""
    rows = (line.split() for line in text.splitlines())
    return {row[0].rstrip(":"): int(row[1]) for row in rows if len(row) == 3 and row[2] == "kB"}


def _clock(pid: int) -> float:
    # The kernel's own clock of another process (MAKE_PROCESS_CPUCLOCK): nanoseconds instead
    # of the 10 ms ticks of /proc/<pid>/stat, and threads that have ended are in it.
    return time.clock_gettime_ns((~pid << 3) | 2) / 1e9


def _parents() -> dict[int, int]:
    return dict(_parents_of(int(name) for name in os.listdir(PROC) if name.isdigit()))


def _parents_of(pids: Iterator[int]) -> Iterator[tuple[int, int]]:
    for pid in pids:
        try:
            stat = (PROC / str(pid) / "stat").read_text()
        except OSError:  # it has ended meanwhile
            continue
        # The name stands in brackets and may hold brackets and spaces itself.
        yield pid, int(stat.rpartition(")")[2].split()[1])


def _parents_in(seen: Mapping[int, Process]) -> dict[int, int]:
    return {pid: process.parent for pid, process in seen.items()}


def _ps() -> str:
    command = ["ps", "-A", "-o", "pid=,ppid=,rss=,time="]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
