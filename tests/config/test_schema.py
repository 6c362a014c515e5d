"""What is said about a value that does not fit: its place in the file, what may stand there, what does."""

from __future__ import annotations

from typing import Any

import pytest

from app.config.catalog import Misfit
from app.config.schema import LocalCode, ModelV2, Part, Settings, fit


def problems(kind: type[Part], value: object) -> list[tuple[str, str]]:
    with pytest.raises(Misfit) as raised:
        fit(kind, value, "here")
    return [(problem.place, problem.message) for problem in raised.value.problems]


LEVELS = "none, minimal, low, medium, high, xhigh, max"


@pytest.mark.parametrize(
    ("value", "place", "message"),
    [
        ({"harmony": "yes"}, "harmony", "true, false, 'completions' or 'chat' is expected, found 'yes'"),
        ({"harmony": 1}, "harmony", "true, false, 'completions' or 'chat' is expected, found 1"),
        ({"reasoningField": 5}, "reasoningField", "text or false is expected, found 5"),
        ({"reasoningField": True}, "reasoningField", "text or false is expected, found true"),
        ({"carrier": "post"}, "carrier", "'post' is none of relay, litellm"),
        ({"carrier": 5}, "carrier", "5 is none of relay, litellm"),
        ({"carrier": "x" * 50}, "carrier", f"'{'x' * 40}…' is none of relay, litellm"),
        ({"reasoningLevels": ["low", "lots"]}, "reasoningLevels[1]", f"'lots' is none of {LEVELS}"),
        ({"reasoningLevels": "low"}, "reasoningLevels", "a list is expected, found a text"),
        ({"dialects": ["anthropic"]}, "dialects[0]", "'anthropic' is none of chat, messages, responses"),
        ({"fetchImages": "yes"}, "fetchImages", "true or false is expected, found a text"),
    ],
)
def test_each_place_is_named_once_with_all_that_may_stand_there(
    value: dict[str, Any], place: str, message: str
) -> None:
    assert problems(LocalCode, value) == [(f"here.{place}", message)]


def test_each_wrong_place_is_a_problem_of_its_own() -> None:
    found = problems(LocalCode, {"harmony": "yes", "carrier": "post", "maxRetries": 99})

    assert sorted(place for place, _ in found) == ["here.carrier", "here.harmony", "here.maxRetries"]


@pytest.mark.parametrize(
    ("cost", "place", "message"),
    [
        ({"input": "5"}, "here.cost.input", "a number from 0 up is expected, found a text"),
        ([{}, {"input": "5"}], "here.cost[1].input", "a number from 0 up is expected, found a text"),
        ([{"tier": {}}], "here.cost[0].tier.size", "a value is missing"),
        ("5", "here.cost", "an object is expected, found a text"),
    ],
)
def test_a_place_is_the_files_and_not_the_checkers(cost: object, place: str, message: str) -> None:
    assert problems(ModelV2, {"cost": cost}) == [(place, message)]


@pytest.mark.parametrize(
    "value", [{"apiKey": ["sk-hidden"]}, {"headers": "sk-hidden"}, {"timeout": "sk-hidden"}]
)
def test_what_may_be_a_key_is_not_told(value: dict[str, Any]) -> None:
    assert "hidden" not in repr(problems(Settings, value))
