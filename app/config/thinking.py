"""How a target thinks: raw Harmony, levels, and whether it wants its own thoughts back."""

from __future__ import annotations

import re
from typing import get_args

from app.config.endpoints import host_of
from app.config.schema import LocalCode
from app.config.wish import Wish
from app.types import Harmony, Level, Reasoning
from app.utils.addresses import is_loopback

BEST_AT_ONE = re.compile(r"gpt-oss|gemini-3")
"""Wire ids of models whose makers advise against a temperature below 1 (endless loops were seen)."""

WANT_THEM_BACK = frozenset({"zai", "zai-coding-plan", "zhipuai", "opencode", "opencode-go"})
"""Providers whose models go on from `reasoning_content` after a tool's result (z.ai's documentation)."""

HARMONY_LEVELS: tuple[Level, ...] = ("low", "medium", "high")


def harmony_of(ours: LocalCode) -> Harmony | None:
    if not ours.harmony:
        return None
    return Harmony("completions" if ours.harmony is True else ours.harmony, ours.reasoning)


def reasoning_of(wish: Wish) -> Reasoning:
    """What `reasoningLevels` names, from least to most; Harmony has three of its own."""
    ours = wish.localcode
    named = ours.reasoningLevels if ours.reasoningLevels is not None else ()
    levels = tuple(level for level in get_args(Level) if level in named)
    if ours.harmony and not levels:
        levels = HARMONY_LEVELS
    keep = ours.sendTemperature
    return Reasoning(
        levels=levels,
        from_temperature=bool(levels),
        keep_temperature=not BEST_AT_ONE.search(wish.model.lower()) if keep is None else keep,
    )


def reasoning_field_of(wish: Wish) -> str | None:
    """The field in which the target wants its thoughts back: OpenCode's `interleaved` names it."""
    written = wish.localcode.reasoningField
    if written is not None:
        return written or None
    interleaved = wish.facts.get("interleaved")
    if isinstance(interleaved, dict) and interleaved.get("field") in ("reasoning_content", "reasoning"):
        return str(interleaved["field"])
    wanted = interleaved is True or wish.localcode.harmony or wish.provider in WANT_THEM_BACK
    return "reasoning_content" if wanted else None


def reads_thoughts(wish: Wish, base: str) -> bool:
    """Whether thoughts that a client brings go on: to a server of one's own, whose template decides."""
    return wish.localcode.reasoningField is None and bool(base) and is_loopback(host_of(base))
