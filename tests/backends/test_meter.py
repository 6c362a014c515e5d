"""Estimates before the bill: of the first request, and of those that follow."""

from __future__ import annotations

from typing import Any

import pytest

from app.backends.meter import Meter
from app.backends.tokenizer import Tokenizer
from app.types import Body, Target
from app.utils.tokens import tokens_in
from app.utils.tokens_families import family_of
from tests.fakes import target

PROSE = "The gateway answers under the alias, whatever the target calls itself, and loses nothing. "
TOOLS = [
    {
        "name": f"tool_{number}",
        "description": PROSE * 3,
        "input_schema": {
            "type": "object",
            "properties": {
                "path": {"type": "string", "description": "Where the file is"},
                "limit": {"type": "integer"},
            },
            "required": ["path"],
        },
    }
    for number in range(20)
]
GLM, GEMINI, GPT = target(model="glm-5"), target(model="gemini-3-pro"), target(model="gpt-5")


def turn(number: int) -> list[Body]:
    use = {"type": "tool_use", "id": f"c{number}", "name": "tool_1", "input": {"path": f"src/{number}.py"}}
    result = {"type": "tool_result", "tool_use_id": f"c{number}", "content": "def f(x):\n    return x\n" * 40}
    return [{"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}]


def asked(turns: int) -> Body:
    """A request of an agent in its so-many-eth turn."""
    first = [{"role": "user", "content": PROSE * 5}]
    later = [message for number in range(turns) for message in turn(number)]
    return {"system": PROSE * 50, "tools": TOOLS, "messages": first + later}


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer()


@pytest.mark.parametrize("where", [GLM, GEMINI, GPT], ids=["glm", "gemini", "gpt"])
def test_a_first_request_is_estimated_within_a_tenth(where: Target, tokenizer: Tokenizer) -> None:
    counted = tokens_in(asked(3), family_of(where), tokenizer.counts)

    assert Meter().expect("session", where, asked(3)).tokens == pytest.approx(counted, rel=0.1)


def test_a_later_request_is_the_last_bill_and_what_is_new(tokenizer: Tokenizer) -> None:
    """Whatever the target's vocabulary: this one bills half as much again as any that is known."""
    meter = Meter()

    for turns in range(1, 20):
        billed = round(1.5 * tokens_in(asked(turns), family_of(GLM), tokenizer.counts))
        if turns > 1:
            assert meter.expect("session", GLM, asked(turns)).tokens == pytest.approx(billed, rel=0.02)
        meter.learn(meter.expect("session", GLM, asked(turns)), {"prompt_tokens": billed})


def test_another_session_gains_from_what_the_target_billed() -> None:
    meter = Meter()
    weight = meter.weigh(asked(1), GLM)

    meter.learn(meter.expect("one", GLM, asked(1)), {"prompt_tokens": round(1.5 * weight)})

    assert meter.expect("two", GLM, asked(9)).tokens == pytest.approx(
        1.5 * meter.weigh(asked(9), GLM), rel=0.01
    )
    assert meter.expect("two", GPT, asked(9)).tokens == pytest.approx(meter.weigh(asked(9), GPT), rel=0.01)


@pytest.mark.parametrize(
    "usage",
    [None, {}, {"prompt_tokens": None}, {"prompt_tokens": 0}, {"prompt_tokens": "12"}, {"total_tokens": 9}],
)
def test_a_bill_that_says_nothing_teaches_nothing(usage: dict[str, Any] | None) -> None:
    lessons: list[int] = []
    meter = Meter(lambda where, body, billed: lessons.append(billed))
    before = meter.expect("session", GLM, asked(1)).tokens

    meter.learn(meter.expect("session", GLM, asked(1)), usage)

    assert meter.expect("session", GLM, asked(1)).tokens == before
    assert lessons == []


def test_others_learn_from_a_bill_too() -> None:
    lessons: list[tuple[Target, Body, int]] = []
    meter = Meter(lambda where, body, billed: lessons.append((where, body, billed)))

    meter.learn(meter.expect("session", GLM, {"messages": []}), {"prompt_tokens": 12})

    assert lessons == [(GLM, {"messages": []}, 12)]


def test_pictures_are_not_read_to_be_weighed() -> None:
    picture = {"type": "image", "source": {"type": "base64", "data": "iVBORw0KGgo" + "A" * 5_000_000}}
    body = {"messages": [{"role": "user", "content": [picture]}]}

    assert Meter().weigh(body, GLM) < 2000


def test_texts_that_are_built_alike_are_not_looked_at_in_the_same_places(tokenizer: Tokenizer) -> None:
    listing = "\n".join(
        f"-rw-r--r-- 1 root {n * 977 % 9999:>6} Nov 27 1{n % 10}:16 t_{n}.py" for n in range(9)
    )
    results = [f"{PROSE * 8}{number}\n{listing}\n{PROSE * 8}" for number in range(40)]
    body = {"messages": [{"role": "user", "content": text} for text in results]}

    counted = tokens_in(body, family_of(GLM), tokenizer.counts)
    assert Meter().weigh(body, GLM) == pytest.approx(counted, rel=0.1)


def test_a_text_that_was_hardly_looked_at_is_weighed_again_when_there_is_time(tokenizer: Tokenizer) -> None:
    meter, large = Meter(), {"role": "user", "content": "def f(x):\n    return x\n" * 100_000}
    mixed = {"role": "user", "content": PROSE * 100 + "0123 4567 89\n" * 300 + PROSE * 100}
    meter.weigh({"messages": [mixed, large]}, GLM)

    assert meter.weigh({"messages": [mixed]}, GLM) == Meter().weigh({"messages": [mixed]}, GLM)
