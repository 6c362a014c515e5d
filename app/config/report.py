"""What the configuration comes to, for people: what `check` and the start print. No secret is in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from textwrap import wrap
from urllib.parse import urlsplit

from app.config.catalog import Catalog, Problem
from app.types import Target

WIDTH = 100


def report(catalog: Catalog) -> str:
    """Aliases and where each leads, which are unavailable and why, then every problem with place and mend."""
    return "\n".join(lines(catalog))


def lines(catalog: Catalog) -> Iterator[str]:
    """The report, line by line."""
    targets = [catalog.targets[name] for name in catalog.aliases]
    ready = sum(target.unavailable is None for target in targets)
    yield f"{catalog.source}: {_count(len(targets), 'model')}, {ready} ready"
    yield from _table([("alias", "target", "where", "how", ""), *map(_row, targets)] if targets else [])
    problems = [problem for problem in catalog.problems if problem.fatal]
    notes = [problem for problem in catalog.problems if not problem.fatal]
    yield from section(_count(len(problems), "problem"), problems)
    yield from section("left out", catalog.skipped)
    yield from section(_count(len(notes), "note"), notes)


def _row(target: Target) -> tuple[str, str, str, str, str]:
    state = f"off: {target.unavailable}" if target.unavailable else "ready"
    return target.alias, target.name, where(target), how(target), state


def where(target: Target) -> str:
    """The host that a target's requests go to."""
    if target.mock_response is not None:
        return "here"
    if not target.base_url:
        return "?" if target.broken else f"{target.litellm_provider}'s own"
    parts = urlsplit(target.base_url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    return f"{host}:{parts.port}" if parts.port else host


def how(target: Target) -> str:
    """The carrier, and what LiteLLM takes the target for."""
    if target.mock_response is not None:
        return "fixed answer"
    if target.broken:
        return "?"
    return f"litellm {target.litellm_provider or 'openai'}" if target.carrier == "litellm" else target.carrier


def _table(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def section(title: str, problems: Iterable[Problem]) -> Iterator[str]:
    """Problems under a title, each with its place and mend; nothing where there are none."""
    problems = list(problems)
    if problems:
        yield from ("", f"{title}:")
    for problem in problems:
        yield f"  {problem.place}"
        yield from _indented(problem.message)
        yield from _indented(f"-> {problem.mend}" if problem.mend else "")


def _indented(text: str) -> list[str]:
    """The text in lines in which names, addresses and packages stay whole."""
    return wrap(
        text,
        WIDTH,
        initial_indent="    ",
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
