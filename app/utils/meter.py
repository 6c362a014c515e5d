"""What a target's bills teach about its tokens. Pure.

A `Ratio` is what a target bills for one token of our own count. A `Bill` is one request that was
billed: what we made of it, and what it came to. A later request of the same session is the bill
most like it, scaled by what came on top or went: from the second request of a conversation on the
estimate is as exact as the small part that is new.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import log

LEAST, MOST = 0.4, 3.0
"""Where a ratio stays: beyond that something else is wrong than a vocabulary."""
SMALL = 200
"""Tokens; a smaller request is mostly frame, and teaches nothing about text."""
JUMP = 1.3
"""How far one bill may lie from what is known and count fully; caches and retries make odd ones."""
FADE = 0.2
"""The share of the newest bill, once there are some."""
ALIKE = 3.0
"""How many times as large a request may be as the bill that it is compared with."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """What a target bills for one token of ours."""

    value: float = 1.0
    bills: int = 0

    def after(self, ours: float, billed: int) -> Ratio:
        """With one more bill: at first a plain average, then a fading one; strays are reined in."""
        if ours < SMALL or billed <= 0:
            return self
        seen = min(max(billed / ours, LEAST), MOST)
        if self.bills >= 3:
            seen = min(max(seen, self.value / JUMP), self.value * JUMP)
        share = max(FADE, 1 / (self.bills + 1))
        return Ratio(self.value + share * (seen - self.value), self.bills + 1)


@dataclass(frozen=True, slots=True)
class Bill:
    """One request: its weight by our own reckoning, and the tokens that were billed for it."""

    weight: float
    billed: int

    def scaled(self, weight: float) -> float:
        """What a request of that weight comes to, if it is billed alike."""
        return self.billed * weight / self.weight


def estimate(weight: float, bills: Iterable[Bill], ratio: Ratio) -> int:
    """The tokens of a request of that weight: by the session's bills, else by the target's ratio."""
    like = min(bills, key=lambda bill: _distance(bill, weight), default=None)
    if like is None or _distance(like, weight) > log(ALIKE):
        return max(1, round(weight * ratio.value))
    return max(1, round(like.scaled(weight)))


def _distance(bill: Bill, weight: float) -> float:
    return abs(log(max(weight, 1) / bill.weight))


def remembered(bills: tuple[Bill, ...], new: Bill, keep: int = 4) -> tuple[Bill, ...]:
    """The bills of a session with one more; those of about its size are replaced by it.

    An agent's session is several conversations: the main one, titles, sub-agents. Each keeps its own.
    """
    others = [bill for bill in bills if _distance(bill, new.weight) > log(1.5)]
    return (new, *others)[:keep]
