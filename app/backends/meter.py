"""How many tokens a request will be billed for, before the target tells: in well under a millisecond.

In memory, for one process, and bounded. What it knows of a session is its last bills, of a target
how its bills compare with ours, of a text its weight, by the text's hash, so that in each turn
only what is new is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from app.backends.recent import Recent
from app.types import Body, Target
from app.utils.codec import dumps
from app.utils.meter import Bill, Ratio, estimate, remembered
from app.utils.tokens import prompt_of
from app.utils.tokens_families import Family, family_of
from app.utils.tokens_tools import COMPACT
from app.utils.tokens_weight import PIECE, PIECES, weight

SESSIONS = 2000
TARGETS = 500
TEXTS = 20_000
SHORT = 200
"""Characters; a shorter text is weighed faster than it is found."""
LOOKED_AT = 8_000
"""Characters of a request's new texts, if they are longer; of each text at least a piece."""

BETTER = 4.0
"""So many times as much has to be looked at before a text is weighed again."""
GOLDEN = 0.618
"""Multiples of it lie evenly between 0 and 1, however many there are."""

Learner: TypeAlias = Callable[[Target, Body, int], None]


class Weight(NamedTuple):
    """A text's tokens, and the share of it that they were reckoned from; 1 for the best that can be."""

    tokens: float
    share: float


UNKNOWN = Weight(0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Expected:
    """The input tokens that a request is expected to be billed, and what that was reckoned from."""

    tokens: int
    weight: float
    scope: str
    target: Target
    body: Body


class Meter:
    """Estimates what requests will be billed, and learns from what they were."""

    def __init__(self, also: Learner = lambda target, body, billed: None) -> None:
        self._also = also
        """Who else learns from a bill."""
        self._bills: Recent[tuple[str, str], tuple[Bill, ...]] = Recent(SESSIONS)
        self._ratios: Recent[str, Ratio] = Recent(TARGETS)
        self._weights: Recent[tuple[str, int], Weight] = Recent(TEXTS)

    def expect(self, scope: str, target: Target, body: Body) -> Expected:
        """What a request comes to. `scope` is the session, or whoever asks where there is none."""
        weight = self.weigh(body, target)
        bills = self._bills.get((scope, target.name)) or ()
        tokens = estimate(weight, bills, self._ratios.get(target.name) or Ratio())
        return Expected(tokens, weight, scope, target, body)

    def learn(self, expected: Expected, usage: Mapping[str, Any] | None) -> None:
        """Takes note of what a request was billed. `usage` is in chat's shape, cached tokens included."""
        billed = _billed(usage)
        if not billed:
            return
        weight, target = expected.weight, expected.target
        key = (expected.scope, target.name)
        if weight > 0:
            self._bills.put(key, remembered(self._bills.get(key) or (), Bill(weight, billed)))
            ratio = self._ratios.get(target.name) or Ratio()
            self._ratios.put(target.name, ratio.after(weight, billed))
        self._also(target, expected.body, billed)

    def tell(self, target: Target, body: Body, usage: Mapping[str, Any] | None) -> None:
        """Hands on the bill of a request that nobody had to estimate; that costs next to nothing."""
        if billed := _billed(usage):
            self._also(target, body, billed)

    def weigh(self, body: Body, target: Target) -> float:
        """About the tokens of a request, before any bill."""
        family = family_of(target)
        prompt = prompt_of({**body, "tools": None}, family)
        short = " ".join([text for text in prompt.texts if len(text) < SHORT])
        tokens = prompt.extra + weight(short, family)
        long = [text for text in prompt.texts if len(text) >= SHORT]
        if not (tools := body.get("tools")):
            return tokens + sum(self._weights_of(long, family))
        *weights, offered = self._weights_of([*long, dumps(tools).decode("utf-8", "replace")], family)
        return tokens + sum(weights) + family.tools + COMPACT[family.style] * offered

    def _weights_of(self, texts: Sequence[str], family: Family) -> list[float]:
        """The weight of each text. The more there is of what is new, the less of each is looked at."""
        keys = [(family.name, hash(text)) for text in texts]
        known = [self._weights.get(key) or UNKNOWN for key in keys]
        new = sum(len(text) for text, found in zip(texts, known, strict=True) if found.share < 1)
        share = LOOKED_AT / max(new, LOOKED_AT)
        return [
            found.tokens if found.share * BETTER >= share else self._weighed(key, text, family, share, place)
            for place, (key, text, found) in enumerate(zip(keys, texts, known, strict=True))
        ]

    def _weighed(self, key: tuple[str, int], text: str, family: Family, share: float, place: int) -> float:
        found = weight(text, family, share, phase=place * GOLDEN % 1)
        whole = share * len(text) >= min(len(text), PIECES * PIECE)  # more of it is never looked at
        self._weights.put(key, Weight(found, 1.0 if whole else share))
        return found


def _billed(usage: Mapping[str, Any] | None) -> int:
    """The input tokens that a target billed; 0 where it did not say."""
    billed = (usage or {}).get("prompt_tokens")
    return billed if isinstance(billed, int) and billed > 0 else 0
