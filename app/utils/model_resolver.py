"""Which target a client's model name means. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

from app.errors import UnknownModel
from app.types import Target


def resolve(alias: str, targets: Mapping[str, Target]) -> Target:
    """The exact alias (or `<provider>/<alias>`), else without the prefix that the client puts before it.

    OpenCode calls a model `localcode/glm` after the name that the user gave this gateway, other clients say
    `openai/glm` for whatever speaks OpenAI's dialect. Such a prefix is dropped, but not one that names a
    provider of the configuration: `zai/gemini` asks for z.ai's, and must not be answered by another's.
    """
    if alias in targets:
        return targets[alias]
    prefix, _, rest = alias.partition("/")
    if rest in targets and all(target.provider != prefix for target in targets.values()):
        return targets[rest]
    raise UnknownModel(f"model {_shown(alias)} is not configured; {hint(alias, targets)}", param="model")


def hint(alias: str, targets: Mapping[str, Target]) -> str:
    """Up to three names that may have been meant, or where to find them all."""
    close = closest(alias, targets)
    return f"close: {', '.join(close)}" if close else "GET /v1/models lists what is"


def closest(alias: str, targets: Mapping[str, Target]) -> list[str]:
    """The published names that are most like `alias`, at most three."""
    published = {name.lower(): name for name, target in targets.items() if target.alias == name}
    wanted = alias[:LONGEST].lower()
    asked = (wanted, wanted.rpartition("/")[2])
    found = [published[name] for ask in asked for name in get_close_matches(ask, published, 3, 0.5)]
    within = [name for low, name in published.items() if asked[1] and asked[1] in low]
    return list(dict.fromkeys([*found, *within]))[:3]


LONGEST = 100
"""A name may be as long as a body; comparing costs its square."""


def _shown(alias: str) -> str:
    return repr(alias if len(alias) <= LONGEST else f"{alias[:LONGEST]}…")
