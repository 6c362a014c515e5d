"""By which carrier and in which API a request goes: relayed where that loses nothing, else as chat."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from app.errors import UnsupportedEndpoint
from app.types import DialectName, Harmony, Request, Target
from app.utils.way import way_of
from tests.fakes import target

SPEAKS_ALL = target(dialects=frozenset({"chat", "messages", "responses"}))
ONLY_CHAT = target()
ANTHROPIC = target(carrier="litellm", litellm_provider="anthropic", dialects=frozenset({"messages"}))
GEMINI = target(carrier="litellm", litellm_provider="gemini", dialects=frozenset())


def asked(dialect: DialectName) -> Request:
    return Request(dialect, "alias", {}, stream=True, as_chat=dict)


@pytest.mark.parametrize(
    ("dialect", "where", "way"),
    [
        ("chat", ONLY_CHAT, ("relay", "chat")),
        ("chat", SPEAKS_ALL, ("relay", "chat")),
        ("chat", ANTHROPIC, ("litellm", "chat")),
        ("chat", GEMINI, ("litellm", "chat")),
        ("messages", ONLY_CHAT, ("relay", "chat")),
        ("messages", SPEAKS_ALL, ("relay", "messages")),
        ("messages", ANTHROPIC, ("relay", "messages")),
        ("messages", GEMINI, ("litellm", "chat")),
        ("responses", ONLY_CHAT, ("relay", "chat")),
        ("responses", SPEAKS_ALL, ("relay", "responses")),
        ("responses", ANTHROPIC, ("litellm", "chat")),
        ("completions", ONLY_CHAT, ("relay", "completions")),
        ("embeddings", GEMINI, ("litellm", "embeddings")),
        ("rerank", ONLY_CHAT, ("relay", "rerank")),
    ],
)
def test_what_the_target_speaks_is_relayed_and_the_rest_is_chat(
    dialect: DialectName, where: Target, way: tuple[str, str]
) -> None:
    found = way_of(asked(dialect), where)

    assert (found.carrier, found.wire) == way


@pytest.mark.parametrize(
    ("over", "lost"),
    [
        pytest.param({"defaults": {"id_slot": 0, "temperature": 1}}, "id_slot", id="a slot of llama-server"),
        pytest.param({"extra_body": {"lora": [{"id": 0}]}}, "lora", id="an adapter"),
        pytest.param({"harmony": Harmony()}, "Harmony", id="raw Harmony"),
        pytest.param({"mock_response": "Hello"}, "fixed answer", id="a fixed answer"),
    ],
)
@pytest.mark.parametrize("dialect", ["messages", "responses"])
def test_where_relaying_would_lose_what_the_configuration_adds_it_is_translated_and_says_why(
    dialect: DialectName, over: dict[str, Any], lost: str
) -> None:
    found = way_of(asked(dialect), replace(SPEAKS_ALL, **over))

    assert found.wire == "chat"
    assert lost in str(found)


@pytest.mark.parametrize("form", ["chat", "completions"])
def test_raw_harmony_is_given_out_by_no_text_completion(form: Any) -> None:
    harmonic = replace(SPEAKS_ALL, harmony=Harmony(form=form))
    with pytest.raises(UnsupportedEndpoint, match=r"has no text completions: .*raw Harmony") as raised:
        way_of(asked("completions"), harmonic)

    assert (raised.value.status, raised.value.code) == (404, "endpoint_not_supported")
    assert way_of(asked("embeddings"), harmonic).wire == "embeddings"


def test_defaults_that_the_dialect_can_say_are_no_reason_to_translate() -> None:
    found = way_of(asked("messages"), replace(SPEAKS_ALL, defaults={"temperature": 0.5, "max_tokens": 9}))

    assert str(found) == "relay messages: the target speaks messages itself"
