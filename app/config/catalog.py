"""What the configuration comes to: the targets by alias, and what is wrong with the file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from app.types import Target


class ConfigError(Exception):
    """The configuration cannot be used at all: where it is wrong, what was found, how to mend it."""

    def __init__(self, place: str, message: str, mend: str = "") -> None:
        self.place = place
        self.message = message
        self.mend = mend
        super().__init__(f"{place}: {message}" + (f" ({mend})" if mend else ""))


@dataclass(frozen=True, slots=True)
class Problem:
    """Something about one place of the configuration that the user should know."""

    place: str
    """A path into the file (`provider.zai.options.timeout`) or the name of a variable."""
    message: str
    mend: str = ""
    fatal: bool = True
    """Whether something asked for is not served or not obeyed. The others are notes."""


class Misfit(Exception):
    """One provider or model of the file cannot be used; the rest can."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__(*problems)
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Catalog:
    """A configuration file, read: everything that the gateway serves."""

    source: Path
    targets: Mapping[str, Target]
    """By every name a client may use: `<alias>` and `<provider>/<alias>`, in the file's order."""
    aliases: tuple[str, ...]
    """The published names, one for each target, in the file's order."""
    problems: tuple[Problem, ...] = ()
    skipped: tuple[Problem, ...] = ()
    """What the file itself leaves out: disabled, not on the whitelist, this gateway's own entry."""
    secrets: frozenset[str] = field(default=frozenset(), repr=False)
    """Every key and secret header of the configuration, to be masked wherever it turns up."""

    @property
    def faulty(self) -> bool:
        """Whether anything that the file asks for cannot be served as it asks."""
        return any(problem.fatal for problem in self.problems)


def needs_litellm(catalog: Catalog) -> bool:
    """Whether an available target is called through LiteLLM."""
    return any(
        target.carrier == "litellm" and target.unavailable is None for target in catalog.targets.values()
    )


def at(*steps: str | int) -> str:
    """A path into the file as people write it: `provider.zai.models["glm-4.7"].limit`."""
    return "".join(map(_step, steps)).removeprefix(".")


def _step(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return f".{step}" if re.fullmatch(r"[\w$-]+", step) else f'["{step}"]'
