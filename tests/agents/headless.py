"""A real agent's command line, run headless once: what the three agents have in common."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Headless:
    """What came of one run: its status, what it printed, and the JSON lines of its output."""

    status: int
    out: str
    err: str
    events: list[dict[str, Any]]

    @classmethod
    def of(cls, command: list[str], project: Path, environment: dict[str, str], timeout: float) -> Self:
        """Runs a command in a project with nothing else of this machine's environment than the PATH."""
        done = subprocess.run(
            command,
            cwd=project,
            env={"PATH": os.environ["PATH"], **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        events = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        return cls(done.returncode, done.stdout, done.stderr, events)


def installed(script: Path) -> str:
    """The command that a `scripts/get-*.sh` installs, or finds installed."""
    return subprocess.run([script], check=True, capture_output=True, text=True).stdout.strip()
