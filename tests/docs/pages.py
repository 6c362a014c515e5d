"""The pages of the documentation, read: their blocks, examples, headings and links. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).parents[2]

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)

RUNS = ("sh", "python")
"""Languages of blocks that can be run."""


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, its text, and where in the page the text stands."""

    language: str
    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Example:
    """A block that can be run, and the block right behind it: what comes out."""

    question: Block
    answer: Block


@dataclass(frozen=True, slots=True)
class Page:
    name: str
    text: str

    @property
    def blocks(self) -> list[Block]:
        return [Block(it[1], it[2], it.start(2), it.end(2)) for it in _FENCE.finditer(self.text)]

    @property
    def examples(self) -> list[Example]:
        """Every pair of blocks that stand together, of which the first can be run."""
        return [
            Example(question, answer)
            for question, answer in pairwise(self.blocks)
            if question.language in RUNS and self._together(question, answer)
        ]

    def _together(self, question: Block, answer: Block) -> bool:
        between = self.text[question.end : answer.start]
        return re.fullmatch(r"```\n\n```\w*\n", between) is not None

    @property
    def prose(self) -> str:
        """The page without its blocks."""
        return _FENCE.sub("", self.text)

    @property
    def links(self) -> list[str]:
        return _LINK.findall(self.prose)

    @property
    def anchors(self) -> set[str]:
        """The anchors of its headings, as GitHub makes them."""
        return {_anchor(heading) for heading in _HEADING.findall(self.prose)}

    def rows(self, *cells: str) -> list[list[str]]:
        """The rows of the table with these titles, each as its cells."""
        title = "|" + "|".join(f" {cell} " if cell else " " for cell in cells) + "|"
        _, found, rest = self.text.partition(f"\n{title}\n")
        if not found:
            raise LookupError(f"{self.name} has no table {title}")
        return [_cells(line) for line in _table(rest)][1:]


def _table(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if not line.startswith("|"):
            return
        yield line


def _cells(line: str) -> list[str]:
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def _anchor(heading: str) -> str:
    words = re.sub(r"[^\w\- ]", "", heading.lower().replace("`", ""))
    return words.strip().replace(" ", "-")


def page(name: str) -> Page:
    """A page by its path in the project."""
    return Page(name, (ROOT / name).read_text(encoding="utf-8"))


PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/*.md", "bench/*.md")
    for path in ROOT.glob(pattern)
)
"""Every page of the documentation."""
