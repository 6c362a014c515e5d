"""Requests as the real clients make them, without a word of theirs.

`python -m tests.recorded` runs the clients against the scripted upstream and keeps some of what they
send: every field, block, tool, schema and header stands as it stood, but each text of more than a word
or two is only remembered by its length and read back as filler (`stripping.py`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.recorded.stripping import filled

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Recorded:
    """One request."""

    name: str
    """Client, what it was doing, and which request of that it was."""
    target: str
    """Path and query."""
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]


def load() -> list[Recorded]:
    """All of them, for `parametrize`."""
    return [_read(file) for file in sorted(FOLDER.glob("*.json"))]


def _read(file: Path) -> Recorded:
    kept = json.loads(file.read_bytes())
    return Recorded(file.stem, kept["target"], kept["headers"], filled(kept["body"]))
