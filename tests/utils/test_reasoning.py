"""How much to think: from what it is decided, and how each target is told."""

from __future__ import annotations

from typing import Any

import pytest

from app.errors import BadRequest
from app.types import Body, Harmony, Level, Reasoning, Target
from app.utils.reasoning import (
    LEVELS,
    Decision,
    applied,
    applied_messages,
    applied_responses,
    decided,
    nearest,
    spelled,
    unsaid,
)
from tests.fakes import target

THREE = target(reasoning=Reasoning(levels=("low", "medium", "high"), from_temperature=True))
ALL = target(reasoning=Reasoning(levels=LEVELS, from_temperature=True))
COOL = target(reasoning=Reasoning(levels=("low", "high"), from_temperature=True, keep_temperature=False))
RAW = target(harmony=Harmony())
ENABLED = {"type": "enabled", "budget_tokens": 8000}
ADAPTIVE = {"type": "adaptive"}
DISABLED = {"type": "disabled"}


def budget(tokens: Any) -> dict[str, Any]:
    return {"thinking": {"type": "enabled", "budget_tokens": tokens}}


# ---------------------------------------------------------------------- deciding


@pytest.mark.parametrize(
    ("body", "said"),
    [
        pytest.param({"reasoning_effort": "xhigh"}, "xhigh; from=reasoning_effort", id="chat's word"),
        pytest.param({"reasoning": {"effort": "low"}}, "low; from=reasoning.effort", id="Responses' word"),
        pytest.param(
            {"output_config": {"effort": "max"}}, "max; from=output_config.effort", id="Messages' word"
        ),
        pytest.param(
            {"reasoning_effort": "low", "reasoning": {"effort": "high"}} | budget(30000),
            "low; from=reasoning_effort",
            id="the plainest word wins",
        ),
        pytest.param(
            {"output_config": {"effort": "low"}} | budget(30000),
            "low; from=output_config.effort",
            id="a word before a budget",
        ),
        pytest.param(budget(1), "low; from=thinking=1", id="a small budget"),
        pytest.param(budget(4096), "low; from=thinking=4096", id="4k"),
        pytest.param(budget(4097), "medium; from=thinking=4097", id="above 4k"),
        pytest.param(budget(16384), "medium; from=thinking=16384", id="16k"),
        pytest.param(budget(16385), "high; from=thinking=16385", id="above 16k"),
        pytest.param(budget(10**400), "high; from=thinking=1000000000", id="more than there is"),
        pytest.param(budget(0), "none; from=thinking=0", id="no budget at all"),
        pytest.param({"thinking": DISABLED}, "none; from=thinking=disabled", id="disabled"),
        pytest.param(
            {"thinking": DISABLED, "reasoning_effort": "high"},
            "none; from=thinking=disabled",
            id="disabled, however good the answer should be",
        ),
        pytest.param(
            {"thinking": ADAPTIVE, "temperature": 0}, "low; from=temperature=0", id="adaptive names no level"
        ),
        pytest.param(
            {"thinking": {"type": "enabled"}, "temperature": 1},
            "high; from=temperature=1",
            id="enabled neither",
        ),
        pytest.param(
            {"temperature": 1, "reasoning_effort": "low"},
            "low; from=reasoning_effort",
            id="a word before a temperature",
        ),
        pytest.param(
            {"temperature": 2} | budget(9), "low; from=thinking=9", id="a budget before a temperature"
        ),
        pytest.param({"temperature": 0}, "low; from=temperature=0", id="0"),
        pytest.param({"temperature": 0.3}, "low; from=temperature=0.3", id="0.3"),
        pytest.param({"temperature": 0.31}, "medium; from=temperature=0.31", id="0.31"),
        pytest.param({"temperature": 0.79}, "medium; from=temperature=0.79", id="0.79"),
        pytest.param({"temperature": 0.8}, "high; from=temperature=0.8", id="0.8"),
        pytest.param({"temperature": 2}, "high; from=temperature=2", id="2"),
        pytest.param({}, "None", id="nothing said"),
        pytest.param(
            {"temperature": None, "reasoning_effort": None, "thinking": None}, "None", id="null is nothing"
        ),
        pytest.param({"reasoning": {"summary": "auto"}}, "None", id="a summary is no level"),
        pytest.param({"thinking": ADAPTIVE}, "None", id="adaptive alone"),
    ],
)
def test_the_level_comes_from_the_first_that_says_one(body: dict[str, Any], said: str) -> None:
    assert str(decided(body, ALL)) == said


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temperature", float("nan")),
        ("temperature", -0.1),
        ("temperature", 2.1),
        ("temperature", float("inf")),
        ("temperature", "0.5"),
        ("temperature", True),
        ("temperature", [0.5]),
        ("reasoning_effort", "very much"),
        ("reasoning_effort", 3),
        ("reasoning_effort", ["high"]),
        ("reasoning_effort", {"effort": "high"}),
        ("reasoning.effort", "much"),
        ("output_config.effort", ""),
        ("thinking.budget_tokens", "8000"),
        ("thinking.budget_tokens", True),
        ("thinking.budget_tokens", float("nan")),
    ],
)
def test_what_is_no_level_is_refused_by_name(field: str, value: Any) -> None:
    name, _, inner = field.partition(".")
    body = {name: {inner: value} if inner else value}

    with pytest.raises(BadRequest) as refused:
        decided(body, ALL)

    assert (refused.value.status, refused.value.param) == (400, field)


def test_a_temperature_says_nothing_where_the_alias_does_not_want_that() -> None:
    quiet = target(reasoning=Reasoning(levels=("low", "high")))

    assert decided({"temperature": 99}, quiet) is None
    assert decided({"reasoning_effort": "low"}, quiet) == Decision("low", "reasoning_effort")


def test_an_alias_that_configures_nothing_decides_nothing() -> None:
    assert decided({"reasoning_effort": "very much", "temperature": -1}, target()) is None


def test_harmony_thinks_at_medium_and_knows_three_levels() -> None:
    assert str(decided({}, RAW)) == "medium; from=default"
    assert str(decided({"reasoning_effort": "max"}, RAW)) == "high; from=reasoning_effort; clamped=max->high"
    assert str(decided({"thinking": DISABLED}, RAW)) == "low; from=thinking=disabled; clamped=none->low"


@pytest.mark.parametrize(
    ("level", "known", "becomes"),
    [
        ("medium", ("low", "medium", "high"), "medium"),
        ("none", ("low", "high"), "low"),
        ("max", ("low", "high"), "high"),
        ("medium", ("low", "high"), "high"),  # a tie goes up
        ("medium", ("minimal", "high"), "high"),
        ("low", ("minimal", "high"), "minimal"),
        ("minimal", ("none", "high"), "none"),
        ("high", (), "high"),
    ],
)
def test_a_level_becomes_the_nearest_that_the_target_knows(
    level: Level, known: tuple[Level, ...], becomes: Level
) -> None:
    assert nearest(level, known) == becomes


def test_what_was_clamped_is_visible() -> None:
    decision = decided({"temperature": 0.5}, COOL)

    assert decision == Decision("high", "temperature=0.5", asked="medium")
    assert str(decision) == "high; from=temperature=0.5; clamped=medium->high"


# ---------------------------------------------------------------------- applying

HIGH = Decision("high", "reasoning_effort")
NONE = Decision("none", "thinking=disabled")
ZAI = target(provider="zai", reasoning=Reasoning(levels=("none", "high")))


@pytest.mark.parametrize(
    ("where", "decision", "body", "becomes"),
    [
        pytest.param(THREE, HIGH, {}, {"reasoning_effort": "high"}, id="the level"),
        pytest.param(
            THREE,
            HIGH,
            {"thinking": ENABLED, "reasoning": {"effort": "low"}, "reasoning_effort": "low", "n": 1},
            {"reasoning_effort": "high", "n": 1},
            id="and no other word for it",
        ),
        pytest.param(
            THREE,
            HIGH,
            {"temperature": 1},
            {"temperature": 1, "reasoning_effort": "high"},
            id="the temperature goes along",
        ),
        pytest.param(COOL, HIGH, {"temperature": 1}, {"reasoning_effort": "high"}, id="or does not"),
        pytest.param(
            COOL, None, {"temperature": 1, "thinking": ADAPTIVE}, {}, id="also where nothing was decided"
        ),
        pytest.param(
            ZAI, HIGH, {"reasoning_effort": "high"}, {"thinking": {"type": "enabled"}}, id="z.ai: on"
        ),
        pytest.param(ZAI, NONE, {"thinking": DISABLED}, {"thinking": {"type": "disabled"}}, id="z.ai: off"),
        pytest.param(
            target(),
            None,
            {"temperature": 1, "thinking": ENABLED},
            {"temperature": 1, "thinking": ENABLED},
            id="not configured",
        ),
    ],
)
def test_a_chat_body_says_the_level_once(
    where: Target, decision: Decision | None, body: dict[str, Any], becomes: dict[str, Any]
) -> None:
    before = dict(body)

    assert applied(body, decision, where) == becomes
    assert body == before


@pytest.mark.parametrize(
    ("decision", "body", "becomes"),
    [
        pytest.param(HIGH, {}, {"output_config": {"effort": "high"}}, id="the level"),
        pytest.param(
            HIGH,
            {"output_config": {"format": {"a": 1}}, "thinking": ADAPTIVE},
            {"output_config": {"format": {"a": 1}, "effort": "high"}, "thinking": ADAPTIVE},
            id="beside what else is there",
        ),
        pytest.param(
            Decision("minimal", "x"), {}, {"output_config": {"effort": "low"}}, id="minimal is low there"
        ),
        pytest.param(
            Decision("medium", "thinking=8000"),
            {"thinking": ENABLED},
            {"thinking": ENABLED},
            id="a budget that fits stays",
        ),
        pytest.param(
            Decision("low", "thinking=8000", asked="medium"),
            {"thinking": ENABLED},
            {"thinking": ENABLED | {"budget_tokens": 4096}, "output_config": {"effort": "low"}},
            id="one that does not is brought to the level",
        ),
        pytest.param(
            Decision("high", "thinking=8000", asked="medium"),
            {"thinking": ENABLED, "max_tokens": 12000},
            {
                "thinking": ENABLED | {"budget_tokens": 11999},
                "max_tokens": 12000,
                "output_config": {"effort": "high"},
            },
            id="and stays below max_tokens",
        ),
        pytest.param(
            Decision("low", "thinking=disabled", asked="none"),
            {"thinking": DISABLED},
            {"thinking": ADAPTIVE, "output_config": {"effort": "low"}},
            id="a target that always thinks",
        ),
        pytest.param(
            NONE, {"output_config": {"effort": "low"}}, {"thinking": DISABLED, "output_config": {}}, id="off"
        ),
        pytest.param(NONE, {}, {"thinking": DISABLED}, id="off, said by temperature"),
        pytest.param(None, {"thinking": ENABLED}, {"thinking": ENABLED}, id="nothing decided"),
    ],
)
def test_a_messages_body_says_the_level_as_effort(
    decision: Decision | None, body: dict[str, Any], becomes: dict[str, Any]
) -> None:
    assert applied_messages(body, decision, THREE) == becomes


def test_a_responses_body_says_the_level_beside_its_summary() -> None:
    body = {"reasoning": {"summary": "auto"}, "temperature": 1}

    assert applied_responses(body, HIGH, THREE) == {
        "reasoning": {"summary": "auto", "effort": "high"},
        "temperature": 1,
    }
    assert applied_responses({"temperature": 1}, HIGH, COOL) == {"reasoning": {"effort": "high"}}
    assert applied_responses(body, None, target()) == body


# ---------------------------------------------------------------------- an alias that configures nothing

CLAUDE = target(carrier="litellm", litellm_provider="anthropic")
BEDROCK = target(carrier="litellm", litellm_provider="bedrock", model="anthropic.claude-x", base_url="")
LLAMA_ON_BEDROCK = target(carrier="litellm", litellm_provider="bedrock", model="meta.llama", base_url="")
GEMINI = target(carrier="litellm", litellm_provider="gemini")
HOME = target(base_url="http://127.0.0.1:8080/v1")
REASONER = target(facts={"reasoning": True})
GLM = target(base_url="https://api.z.ai/api/paas/v4")


@pytest.mark.parametrize(
    ("where", "body", "becomes"),
    [
        pytest.param(
            target(),
            {"thinking": ENABLED, "reasoning_effort": "high", "n": 1},
            {"n": 1},
            id="a stranger is told nothing",
        ),
        pytest.param(target(), {"n": 1}, {"n": 1}, id="nothing to tell"),
        pytest.param(
            REASONER,
            {"thinking": ADAPTIVE, "reasoning_effort": "high"},
            {"reasoning_effort": "high"},
            id="a reasoner: the word",
        ),
        pytest.param(REASONER, {"thinking": ENABLED}, {}, id="a reasoner: no word, no level"),
        pytest.param(
            HOME,
            {"thinking": ENABLED, "reasoning_effort": "low"},
            {"reasoning_effort": "low"},
            id="a server of one's own",
        ),
        pytest.param(
            HOME, {"thinking": DISABLED}, {"reasoning_effort": "none"}, id="which can be told to be quick"
        ),
        pytest.param(HOME, {"thinking": ADAPTIVE}, {}, id="or nothing"),
        pytest.param(CLAUDE, {"thinking": ENABLED}, {"thinking": ENABLED}, id="Claude: a budget"),
        pytest.param(
            CLAUDE,
            {"thinking": ENABLED, "reasoning_effort": "low"},
            {"thinking": ENABLED},
            id="Claude: a budget before a word",
        ),
        pytest.param(
            CLAUDE,
            {"thinking": ADAPTIVE, "reasoning_effort": "low"},
            {"reasoning_effort": "low"},
            id="Claude: a word for adaptive",
        ),
        pytest.param(CLAUDE, {"thinking": ADAPTIVE}, {"thinking": ADAPTIVE}, id="Claude: adaptive"),
        pytest.param(BEDROCK, {"thinking": DISABLED}, {"thinking": DISABLED}, id="Claude elsewhere"),
        pytest.param(
            LLAMA_ON_BEDROCK, {"thinking": ENABLED, "reasoning_effort": "low"}, {}, id="not Claude there"
        ),
        pytest.param(GEMINI, {"thinking": ENABLED}, {"thinking": ENABLED}, id="Gemini: a budget"),
        pytest.param(
            GEMINI,
            {"thinking": ENABLED, "reasoning_effort": "low"},
            {"reasoning_effort": "low"},
            id="Gemini: never two",
        ),
        pytest.param(
            GEMINI,
            {"thinking": ADAPTIVE, "reasoning_effort": "max"},
            {"reasoning_effort": "high"},
            id="Gemini: what it knows",
        ),
        pytest.param(GEMINI, {"thinking": ADAPTIVE}, {}, id="Gemini: adaptive is its default"),
        pytest.param(GEMINI, {"thinking": DISABLED}, {"reasoning_effort": "none"}, id="Gemini: off"),
        pytest.param(GLM, {"thinking": ENABLED, "reasoning_effort": "high"}, {}, id="z.ai thinks anyway"),
        pytest.param(GLM, {"thinking": DISABLED}, {"thinking": DISABLED}, id="z.ai: off"),
        pytest.param(GLM, {"reasoning_effort": "none"}, {"thinking": DISABLED}, id="z.ai: off by a word"),
        pytest.param(
            target(provider="zai", base_url=""),
            {"thinking": DISABLED},
            {"thinking": DISABLED},
            id="z.ai by its provider",
        ),
        pytest.param(target(base_url="https://notz.ai/v1"), {"thinking": DISABLED}, {}, id="not z.ai"),
    ],
)
def test_each_target_is_told_of_thinking_what_it_understands(
    where: Target, body: dict[str, Any], becomes: dict[str, Any]
) -> None:
    assert spelled(body, where) == becomes


@pytest.mark.parametrize(
    ("asked", "sent", "names"),
    [
        ({"thinking": {"type": "enabled", "budget_tokens": 9}}, {}, ["thinking"]),
        ({"thinking": {"type": "enabled"}}, {"reasoning_effort": "low"}, []),
        ({"reasoning": {"effort": "low"}}, {"messages": []}, ["reasoning"]),
        ({"reasoning": None}, {}, []),
        ({}, {}, []),
    ],
)
def test_what_a_target_is_not_told_of_thinking_is_named(asked: Body, sent: Body, names: list[str]) -> None:
    assert unsaid(asked, sent) == names
