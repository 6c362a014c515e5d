"""Which field of a request goes where."""

from __future__ import annotations

from typing import Any

import pytest

from app.types import Target
from app.utils.litellm_request import (
    BESIDES,
    NO_KEY,
    Fields,
    keywords,
    sorted_fields,
    with_signatures,
)

SUPPORTED = frozenset({"temperature", "tools", "user"})


@pytest.mark.parametrize(
    ("name", "value", "compatible", "mistral", "anthropic"),
    [
        ("messages", [], "extra", "kept", "kept"),
        ("temperature", 0, "extra", "kept", "kept"),
        ("seed", 7, "extra", "kept", "kept"),
        ("stream", True, "kept", "kept", "kept"),
        ("stream_options", {"include_usage": True}, "extra", "nowhere", "nowhere"),
        ("user", "ann", "extra", "kept", "kept"),
        ("metadata", {}, "extra", "ignored", "ignored"),
        ("prompt_cache_key", "k", "extra", "ignored", "ignored"),
        ("reasoning_effort", "high", "extra", "ignored", "ignored"),
        ("thinking", {"type": "adaptive"}, "extra", "ignored", "ignored"),
        ("verbosity", "low", "extra", "ignored", "ignored"),
        ("x_unheard_of", 1, "extra", "extra", "ignored"),
        ("top_k", 3, "extra", "extra", "kept"),
        ("stop", None, "extra", "nowhere", "nowhere"),
        ("n", 1, "extra", "nowhere", "nowhere"),
        ("n", 2, "extra", "kept", "kept"),
        ("model", "x", "nowhere", "nowhere", "nowhere"),
        ("api_base", "http://x", "ignored", "ignored", "ignored"),
        ("mock_response", "x", "ignored", "ignored", "ignored"),
        ("litellm_params", {}, "ignored", "ignored", "ignored"),
        ("aws_region_name", "x", "ignored", "ignored", "ignored"),
    ],
)
def test_a_field_has_its_place(name: str, value: Any, compatible: str, mistral: str, anthropic: str) -> None:
    places = [
        place_of(name, sorted_fields({name: value}, provider, SUPPORTED))
        for provider in (None, "mistral", "anthropic")
    ]

    assert places == [compatible, mistral, anthropic]


def place_of(name: str, fields: Fields) -> str:
    places = {"kept": fields.kept, "extra": fields.extra, "ignored": fields.ignored}
    return next((place for place, names in places.items() if name in names), "nowhere")


@pytest.mark.parametrize("provider", ["gemini", "anthropic"])
def test_what_was_never_asked_for_in_chat_is_left_out_and_not_refused(provider: str) -> None:
    body = {"logprobs": True, "top_logprobs": 2}
    left_out = sorted_fields(body, provider, {"logprobs"}, BESIDES)

    assert sorted_fields(body, provider, {"logprobs"}).kept == body
    assert left_out == Fields({"logprobs": True}, {}, ("top_logprobs",))


def words(target: Target, body: dict[str, Any]) -> dict[str, Any]:
    return keywords(target, sorted_fields(body, target.litellm_provider, SUPPORTED), "1.1 us")


BODY: dict[str, Any] = {
    "model": "m",
    "messages": [{"role": "user", "content": "Hi"}],
    "temperature": 0,
    "x": 1,
    "stream": True,
}


def test_a_compatible_target_gets_the_body_beside_what_litellm_reads() -> None:
    asked = words(Target("a", "p", "m", "http://up/v1"), BODY)

    assert asked["model"] == "openai/m"
    assert asked["extra_body"] == {"messages": BODY["messages"], "temperature": 0, "x": 1}
    assert "temperature" not in asked
    assert (asked["api_base"], asked["api_key"]) == ("http://up/v1", NO_KEY)
    assert (asked["max_retries"], asked["num_retries"]) == (0, 0)


def test_another_provider_gets_the_fields_by_name_and_copies_of_them() -> None:
    asked = words(Target("a", "p", "m", api_key="k", litellm_provider="gemini"), BODY)

    assert asked["model"] == "gemini/m"
    assert (asked["temperature"], asked["extra_body"], asked["api_key"]) == (0, {"x": 1}, "k")
    assert asked["messages"] == BODY["messages"]
    assert asked["messages"][0] is not BODY["messages"][0]
    assert "api_base" not in asked


def test_without_a_key_another_provider_is_left_to_find_its_own() -> None:
    assert "api_key" not in words(Target("a", "p", "m", litellm_provider="bedrock"), BODY)


def test_litellm_s_own_parameters_come_from_the_configuration_and_never_turn_retries_on() -> None:
    settings = {"aws_region_name": "eu-central-1", "max_retries": 5, "num_retries": 5}

    asked = words(Target("a", "p", "m", litellm_provider="bedrock", litellm_params=settings), BODY)

    assert asked["aws_region_name"] == "eu-central-1"
    assert (asked["max_retries"], asked["num_retries"]) == (0, 0)


def test_headers_are_the_target_s_and_the_mark_of_the_gateway() -> None:
    asked = words(Target("a", "p", "m", headers={"X-Team": "b"}), BODY)

    assert asked["extra_headers"] == {"X-Team": "b", "Via": "1.1 us"}


SIGNED = {"google": {"thought_signature": "c2ln"}}


@pytest.mark.parametrize(
    ("call", "fields"),
    [
        ({"id": "1", "extra_content": SIGNED}, {"thought_signature": "c2ln"}),
        (
            {"id": "1", "extra_content": SIGNED, "provider_specific_fields": {"thought_signature": "own"}},
            {"thought_signature": "own"},
        ),
        ({"id": "1", "extra_content": SIGNED, "provider_specific_fields": []}, {"thought_signature": "c2ln"}),
        ({"id": "1", "extra_content": {"google": "odd"}}, None),
        ({"id": "1"}, None),
    ],
    ids=["moved", "own first", "odd fields", "odd content", "none"],
)
def test_a_signature_is_put_where_litellm_looks_for_it(call: dict[str, Any], fields: Any) -> None:
    message = {"role": "assistant", "content": None, "tool_calls": [call]}

    assert with_signatures(message)["tool_calls"][0].get("provider_specific_fields") == fields


@pytest.mark.parametrize("message", ["text", None, {"role": "user", "content": "Hi"}, {"tool_calls": None}])
def test_a_message_without_signatures_stays_as_it_is(message: Any) -> None:
    assert with_signatures(message) is message
