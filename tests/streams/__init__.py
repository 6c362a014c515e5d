"""Chat streams as bytes, each with what a right reader makes of it.

`NAME.sse` is the body as it comes from an upstream, `NAME.json` what is in it: the events
as a list, whether `[DONE]` came, and the answer that they add up to. They are written in
the manner of real upstreams by `python -m tests.streams`, with made-up contents.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Recorded:
    """One stream and what is in it."""

    name: str
    body: bytes
    events: list[Any]
    """Every event but `[DONE]`."""
    done: bool
    answer: dict[str, Any]
    """`content`, `reasoning`, `tool_calls` (index, id, name, arguments), `finish_reason`, `usage`."""


def load() -> list[Recorded]:
    """All of them, for `parametrize`."""
    return [_read(path) for path in sorted(FOLDER.glob("*.sse"))]


def _read(path: Path) -> Recorded:
    known = json.loads(path.with_suffix(".json").read_bytes())
    return Recorded(path.stem, path.read_bytes(), known["events"], known["done"], known["answer"])
