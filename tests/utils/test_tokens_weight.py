"""How near the guess is to the tokenizer, on texts of the kinds that agents send."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from app.backends.tokenizer import Tokenizer
from app.utils.tokens_families import OTHER
from app.utils.tokens_weight import PIECE, PIECES, weight

ROOT = Path(__file__).parents[2]


def texts_of(*patterns: str) -> str:
    return "\n".join(path.read_text() for pattern in patterns for path in sorted(ROOT.glob(pattern)))


def tool(place: int) -> dict[str, object]:
    """A tool that is described by some words of ours."""
    properties = {
        "file_path": {"type": "string", "description": PROSE[place + 900 : place + 1000]},
        "offset": {"type": "integer", "minimum": 0, "description": PROSE[place + 1000 : place + 1060]},
        "mode": {"type": "string", "enum": ["content", "files_with_matches", "count"]},
    }
    schema = {"type": "object", "properties": properties, "required": ["file_path"]}
    return {"name": f"tool_{place}", "description": PROSE[place : place + 900], "input_schema": schema}


CODE, PROSE = texts_of("app/backends/*.py"), texts_of("README.md", "docs/*.md")
TOOLS = json.dumps([tool(place) for place in range(0, 60_000, 2000)])
TEXTS = {
    "code": CODE,
    "prose": PROSE,
    "tools": TOOLS,
    "a little prose": PROSE[:8000],
    "a little code": CODE[2000:8000],
    "all together": CODE[:20_000] + PROSE[:20_000] + TOOLS[:20_000],
    "a listing": "\n".join(
        f"-rw-r--r-- 1 root root {n * 977 % 9999:>6} Nov 27 1{n % 10}:16 test_{n}.py" for n in range(80)
    ),
    "German": "Der Vertrag kommt mit der Bestätigung zustande; Änderungen bedürfen der Schriftform. " * 20,
    "Chinese": "人人生而自由在尊严和权利上一律平等。他们赋有理性和良心并应以兄弟关系的精神相对待。" * 20,
}


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer()


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_the_guess_is_within_a_tenth_of_the_count(text: str, tokenizer: Tokenizer) -> None:
    assert weight(text, OTHER) == pytest.approx(tokenizer.counts([text])[0], rel=0.1)


def test_a_long_text_is_looked_at_in_places_all_over_it() -> None:
    once = ("word " * 10 + "\n") * (PIECES * PIECE // 51)

    assert weight(once * 100, OTHER) == pytest.approx(100 * weight(once, OTHER), rel=0.02)


def test_what_tells_families_apart_is_in_the_guess() -> None:
    text = "year 2025\n" * 10

    plain = weight(text, OTHER)

    assert weight(text, replace(OTHER, text=1.5)) == pytest.approx(1.5 * plain)
    assert weight(text, replace(OTHER, digit=1.0)) == pytest.approx(plain + 20)
    assert weight(text, replace(OTHER, line=1.0)) == pytest.approx(plain + 10)


@pytest.mark.parametrize(
    "text", ["", "\ud83d", "\x00"], ids=["nothing", "half a character", "a control character"]
)
def test_every_text_has_a_weight(text: str) -> None:
    assert weight(text, OTHER) >= 0
