"""What a reader finds in a file: wishes, problems, what is left out, keys without effect.

A wish is one model as the file asks for it, before it is known whether it can be had: what was written, the
variables that it was written with, and where. It is the same for OpenCode's two forms and for LiteLLM's file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from app.config.catalog import Misfit, Problem, at
from app.config.packages import Package
from app.config.schema import LocalCode

Steps: TypeAlias = tuple[str | int, ...]
"""The way to a place in the file."""


@dataclass(frozen=True, slots=True)
class Wish:
    """One model of the file, as asked for."""

    place: Steps
    provider: str
    alias: str
    model: str
    package_name: str
    package: Package | None
    """None: nothing is known of a package of that name."""

    base: str = ""
    base_place: Steps = ()
    base_variables: tuple[str, ...] = ()

    key: str = field(default="", repr=False)
    key_place: Steps = ()
    key_written: bool = False
    """Whether the file says where the key is, even if that came to nothing."""
    key_variables: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    env_is_required: bool = False
    free_key: str = ""

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    headers_place: Steps = ()
    header_variables: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    timeouts: Mapping[str, float | Literal[False] | None] = field(default_factory=dict)
    """`headerTimeout`, `chunkTimeout`, `timeout` in milliseconds; false is no limit."""
    stream_usage: bool | None = None
    settings: Mapping[str, Any] = field(default_factory=dict, repr=False)
    litellm_params: Mapping[str, Any] = field(default_factory=dict, repr=False)
    localcode: LocalCode = field(default_factory=LocalCode)
    facts: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Broken:
    """One model of the file that is asked for in a way that cannot be read."""

    place: Steps
    provider: str
    alias: str
    model: str
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class Skipped:
    """What the file itself leaves out."""

    place: Steps
    why: str


@dataclass(frozen=True, slots=True)
class Unused:
    """A key that has no effect here. The same message from several places becomes one note."""

    place: Steps
    message: str
    mend: str = ""


Finding: TypeAlias = Wish | Broken | Problem | Skipped | Unused


def broken(refused: Misfit, place: Steps, provider: str, alias: str, model: object = None) -> Broken:
    """The model of an entry that was refused; `model` is what stands there for the wire id."""
    known = model if isinstance(model, str) and model else alias
    return Broken(place, provider, alias, known, refused.problems)


def misfit(place: Steps, message: str, mend: str = "") -> Misfit:
    """The refusal of a wish for what stands at one place."""
    return Misfit(Problem(at(*place), message, mend))


def not_set(names: tuple[str, ...]) -> str:
    """That none of these variables is set, in words."""
    match names:
        case (name,):
            return f"{name} is not set"
        case (first, second):
            return f"neither {first} nor {second} is set"
    return f"none of {', '.join(names)} is set"
