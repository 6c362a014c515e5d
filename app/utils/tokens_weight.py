"""A guess at a text's tokens without a tokenizer, from what its letters, digits and signs look like. Pure.

Tokenizers begin a token at each word, each run of signs, each group of digits and most line ends, and
cut long words into pieces. Counting those takes C only. The rates are fitted by non-negative least
squares to o200k over source code, manuals, agents' prompts, JSON, tool schemas, German and Chinese:
19 of 20 pieces of 3 kB come out within 10 %, the requests of three real agents within 2 %.
Long texts are looked at in places spread evenly over them.
"""

from __future__ import annotations

from math import ceil
from string import ascii_letters, digits, punctuation

from app.utils.tokens_families import Family

PIECES, PIECE = 24, 256
"""What is looked at of a long text: 6 kB, a twentieth of a millisecond."""

_WORD, _LETTER, _DIGIT, _RUN, _SIGN, _LINE, _HIGH = 0.465, 0.12, 0.867, 0.593, 0.184, 1.133, 0.276

_LETTERS, _DIGITS, _SIGNS = ascii_letters.encode(), digits.encode(), punctuation.encode()
_HIGHS = bytes(range(128, 256))
_ONLY_LETTERS = bytes(97 if byte in _LETTERS else 32 for byte in range(256))
_ONLY_SIGNS = bytes(46 if byte in _SIGNS else 32 for byte in range(256))
_BEGINS_WORD, _BEGINS_RUN = b" a", b" ."


def weight(text: str, family: Family, share: float = 1.0, phase: float = 0.5) -> float:
    """About how many tokens a family's models make of a text, of which such a share is looked at, or less.

    `phase` says where, from 0 to 1: texts that are built alike are better not looked at in the same places.
    """
    pieces = min(ceil(share * len(text) / PIECE), PIECES)
    if len(text) <= pieces * PIECE:
        return _weight(text, family)
    gap = (len(text) - pieces * PIECE) / pieces
    starts = (round((number + phase) * gap + number * PIECE) for number in range(pieces))
    seen = "".join(text[start : start + PIECE] for start in starts)
    return _weight(seen, family) * len(text) / len(seen)


def _weight(text: str, family: Family) -> float:
    data = text.encode("utf-8", "replace")
    size = len(data)
    number, line = size - len(data.translate(None, _DIGITS)), data.count(b"\n")
    tokens = (
        _WORD * (b" " + data.translate(_ONLY_LETTERS)).count(_BEGINS_WORD)
        + _LETTER * (size - len(data.translate(None, _LETTERS)))
        + _DIGIT * number
        + _RUN * (b" " + data.translate(_ONLY_SIGNS)).count(_BEGINS_RUN)
        + _SIGN * (size - len(data.translate(None, _SIGNS)))
        + _LINE * line
    )
    if size > len(text):
        tokens += _HIGH * (size - len(data.translate(None, _HIGHS)))
    return family.text * tokens + family.digit * number / 2 + family.line * line
