"""How much a model is to think: what was asked for, in whichever words, and how each target is told. Pure.

    decided  the level for an alias that configures some, from what the request says, and from what
    applied  the request with that level, in chat, in Messages or in Responses
    spelled  a translated request for an alias that configures nothing: what was said, in the target's words

A level that the client names always wins; a temperature counts only where it names none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isnan
from typing import Any, Literal, TypeAlias, get_args
from urllib.parse import urlsplit

from app.errors import BadRequest
from app.types import Body, Level, Target
from app.utils.addresses import is_loopback
from app.utils.shapes import as_dict

LEVELS: tuple[Level, ...] = get_args(Level)
"""From least to most."""

HARMONY: tuple[Level, ...] = ("low", "medium", "high")

BUDGETS: tuple[tuple[int, Level], ...] = ((4096, "low"), (16384, "medium"))
"""Up to so many tokens of thought are that level; more are `high`."""

MOST_TOKENS = 10**9
"""More than any budget is; what is told of it ends here."""

_Tongue: TypeAlias = Literal["effort", "claude", "gemini", "switch", "none"]
"""What a target understands: `reasoning_effort`; that or `thinking`, through LiteLLM; on or off; nothing."""

_SWITCHED = frozenset({"zai", "zai-coding-plan", "zhipuai", "zhipuai-coding-plan"})
_SWITCHED_HOSTS = ("z.ai", "bigmodel.cn")
_CLAUDE_AMONG_OTHERS = frozenset({"bedrock", "vertex_ai", "azure_ai", "databricks"})
_GEMINI_LEVELS: tuple[Level, ...] = ("none", "minimal", "low", "medium", "high")
"""What LiteLLM can say to Gemini; it refuses others."""


@dataclass(frozen=True, slots=True)
class Decision:
    """How much to think, and what that was decided from."""

    level: Level
    source: str
    asked: Level | None = None
    """What it was before it was brought within what the target knows, where that made a difference."""

    def __str__(self) -> str:
        clamped = f"; clamped={self.asked}->{self.level}" if self.asked else ""
        return f"{self.level}; from={self.source}{clamped}"


# ---------------------------------------------------------------------- deciding


def configures(target: Target) -> bool:
    """Whether the alias says anything on how much its target thinks."""
    reasoning = target.reasoning
    return bool(reasoning.levels or reasoning.from_temperature or target.harmony)


def decided(body: Body, target: Target) -> Decision | None:
    """The level for a request in any dialect; None where that is left to the target.

    Raises BadRequest for a level, budget or temperature that is none.
    """
    if not configures(target):
        return None
    found = _named(body) or _budgeted(body)
    if found is None and target.reasoning.from_temperature:
        found = _by_temperature(body)
    if found is None and target.harmony:
        found = "medium", "default"
    if found is None:
        return None
    asked, source = found
    level = nearest(asked, target.reasoning.levels or (HARMONY if target.harmony else LEVELS))
    return Decision(level, source, asked if level != asked else None)


def nearest(level: Level, known: tuple[Level, ...]) -> Level:
    """The level among those that a target knows; of two as near the higher one."""
    place = LEVELS.index(level)
    return min(known, key=lambda it: (abs(LEVELS.index(it) - place), -LEVELS.index(it)), default=level)


def harmony_level(body: Body) -> Level:
    """How much a Harmony prompt says to think; the body may name a level of its alias that Harmony lacks."""
    level = body.get("reasoning_effort")
    return nearest(level, HARMONY) if level in LEVELS else "medium"


def _named(body: Body) -> tuple[Level, str] | None:
    """A level in a client's words. Thinking that is switched off is off, whatever the answer is worth."""
    if _type_of(body.get("thinking")) == "disabled":
        return "none", "thinking=disabled"
    for name, value in (
        ("reasoning_effort", body.get("reasoning_effort")),
        ("reasoning.effort", _field(body, "reasoning", "effort")),
        ("output_config.effort", _field(body, "output_config", "effort")),
    ):
        if value is not None:
            return _level(value, name), name
    return None


def _level(value: Any, name: str) -> Level:
    for level in LEVELS:
        if value == level:
            return level
    raise BadRequest(f"'{name}' must be one of {', '.join(LEVELS)}", param=name)


def _budgeted(body: Body) -> tuple[Level, str] | None:
    budget = _field(body, "thinking", "budget_tokens")
    if budget is None:
        return None
    if not isinstance(budget, int | float) or isinstance(budget, bool) or _is_nan(budget):
        raise BadRequest("'thinking.budget_tokens' must be a number", param="thinking.budget_tokens")
    if budget <= 0:
        return "none", "thinking=0"
    level: Level = next((level for most, level in BUDGETS if budget <= most), "high")
    return level, f"thinking={min(budget, MOST_TOKENS)}"


def _is_nan(number: float) -> bool:
    return isinstance(number, float) and isnan(number)  # a whole number may be too long for a float


def _by_temperature(body: Body) -> tuple[Level, str] | None:
    value = body.get("temperature")
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 2:
        raise BadRequest("'temperature' must be a number from 0 to 2", param="temperature")
    level: Level = "low" if value <= 0.3 else "medium" if value < 0.8 else "high"
    return level, f"temperature={value}"


# ---------------------------------------------------------------------- telling the target


def applied(body: Body, decision: Decision | None, target: Target) -> Body:
    """A chat body with the level in the target's words, and without the others."""
    if not configures(target):
        return body
    body = _cooled(body, target)
    if decision is None:
        return _without(body, "thinking")
    body = _without(body, "thinking", "reasoning", "reasoning_effort")
    if _tongue(target) == "switch":
        return {**body, "thinking": {"type": "disabled" if decision.level == "none" else "enabled"}}
    return {**body, "reasoning_effort": decision.level}


def applied_messages(body: Body, decision: Decision | None, target: Target) -> Body:
    """A body of Messages with the level as its effort. What the client said stays where it fits already."""
    body = _cooled(body, target) if configures(target) else body
    if decision is None:
        return body
    config = as_dict(body.get("output_config"))
    if decision.level == "none":
        body = {**body, "thinking": {"type": "disabled"}}
        return {**body, "output_config": _without(config, "effort")} if config else body
    if decision.source.startswith("thinking") and decision.asked is None:
        return body
    body = {**body, "output_config": {**config, "effort": _WORDS.get(decision.level, decision.level)}}
    return _rebudgeted(body, decision) if decision.asked else body


_WORDS: Mapping[Level, Level] = {"minimal": "low"}
"""Levels that Anthropic calls otherwise."""


def _rebudgeted(body: Body, decision: Decision) -> Body:
    """A body whose budget of thought does not say otherwise than its effort."""
    thinking = body.get("thinking")
    if not isinstance(thinking, dict):
        return body
    if _type_of(thinking) == "disabled":
        return {**body, "thinking": {"type": "adaptive"}}
    if thinking.get("budget_tokens") is None:
        return body
    budget = next(
        (most for most, level in BUDGETS if LEVELS.index(decision.level) <= LEVELS.index(level)), 32000
    )
    if isinstance(most := body.get("max_tokens"), int):
        budget = max(1024, min(budget, most - 1))
    return {**body, "thinking": {**thinking, "budget_tokens": budget}}


def applied_responses(body: Body, decision: Decision | None, target: Target) -> Body:
    """A body of Responses with the level as `reasoning.effort`."""
    body = _cooled(body, target) if configures(target) else body
    if decision is None:
        return body
    reasoning = as_dict(body.get("reasoning"))
    return {**body, "reasoning": {**reasoning, "effort": decision.level}}


def _cooled(body: Body, target: Target) -> Body:
    """Without the temperature, where its makers advise against one."""
    return body if target.reasoning.keep_temperature else _without(body, "temperature")


def unsaid(asked: Body, sent: Body) -> list[str]:
    """The fields of thinking in a request of another dialect of which the chat body says nothing."""
    if "thinking" in sent or "reasoning_effort" in sent:
        return []
    return [name for name in ("thinking", "reasoning") if asked.get(name)]


# ---------------------------------------------------------------------- an alias that configures nothing


def spelled(body: Body, target: Target) -> Body:
    """A translated chat body with what the client said of thinking, as far as the target understands it.

    `thinking` is Anthropic's; most servers of chat refuse it, and some refuse `reasoning_effort` too: then
    nothing is said, for a request that fails is worse than one that thinks as it always does.
    """
    thinking, effort = body.get("thinking"), body.get("reasoning_effort")
    if thinking is None and effort is None:
        return body
    kind = _type_of(thinking)
    body = _without(body, "thinking", "reasoning_effort")
    tongue = _tongue(target)
    if tongue == "claude":
        return {**body, **_for_claude(thinking, kind, effort)}
    if tongue == "gemini":
        return {**body, **_for_gemini(thinking, kind, effort)}
    if tongue == "switch":
        off = kind == "disabled" or effort == "none"
        return {**body, "thinking": {"type": "disabled"}} if off else body
    if tongue == "effort" and (kind == "disabled" or effort is not None):
        return {**body, "reasoning_effort": "none" if kind == "disabled" else effort}
    return body


def _for_claude(thinking: Any, kind: str, effort: Any) -> Body:
    """LiteLLM takes the last of the two that it sees; a budget is the more exact one."""
    if kind in ("enabled", "disabled") or effort is None:
        return {"thinking": thinking}
    return {"reasoning_effort": effort}


def _for_gemini(thinking: Any, kind: str, effort: Any) -> Body:
    """LiteLLM refuses two that contradict each other, and takes `adaptive` for off."""
    if kind == "disabled":
        return {"reasoning_effort": "none"}
    if effort is not None:
        return {"reasoning_effort": nearest(effort, _GEMINI_LEVELS) if effort in LEVELS else effort}
    return {"thinking": thinking} if kind == "enabled" else {}


def _tongue(target: Target) -> _Tongue:
    provider = target.litellm_provider
    if _is_switched(target):
        return "switch"
    if target.carrier == "litellm" and provider:
        model = target.model.lower()
        if provider == "anthropic" or (provider in _CLAUDE_AMONG_OTHERS and "claude" in model):
            return "claude"
        if provider == "gemini" or (provider == "vertex_ai" and "gemini" in model):
            return "gemini"
    return "effort" if _takes_effort(target) else "none"


def _is_switched(target: Target) -> bool:
    """z.ai's GLM think or do not; how much is not asked."""
    host = _host(target)
    known = any(host == name or host.endswith(f".{name}") for name in _SWITCHED_HOSTS)
    return known or not _SWITCHED.isdisjoint((target.provider, target.litellm_provider or ""))


def _takes_effort(target: Target) -> bool:
    """Whether a target that is sent `reasoning_effort` will not refuse the request for it.

    Servers on this machine read past what they do not know. Others' models that do not reason answer 400.
    """
    return bool(target.harmony or target.facts.get("reasoning") or is_loopback(_host(target)))


def _host(target: Target) -> str:
    return (urlsplit(target.base_url).hostname or "").lower()


def _without(body: Mapping[str, Any], *names: str) -> Body:
    return {key: value for key, value in body.items() if key not in names}


def _type_of(value: Any) -> str:
    return str(value.get("type")) if isinstance(value, dict) else ""


def _field(body: Body, name: str, field: str) -> Any:
    value = body.get(name)
    return value.get(field) if isinstance(value, dict) else None
