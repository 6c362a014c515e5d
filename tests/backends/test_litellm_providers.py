"""LiteLLM's other providers: Anthropic with its own API, and those that are nearly OpenAI-shaped."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from app.backends.litellm_client import LiteLLM
from app.errors import BadRequest, GatewayError, UpstreamAuthentication, UpstreamCut, UpstreamFailed
from app.types import Call
from tests.backends.litellm_lab import (
    TOOLS,
    answering,
    anthropic,
    anthropic_events,
    calling,
    carrier,
    chunks,
    gathered,
    text_of,
)
from tests.upstream import Raw, Upstream

HELLO = {"role": "user", "content": "Hi"}
TEXT = ({"type": "text", "text": ""}, {"type": "text_delta", "text": "Hello"})
THINKING = (
    {"type": "thinking", "thinking": "", "signature": ""},
    {"type": "thinking_delta", "thinking": "hm"},
)
TOOL = (
    {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {}},
    {"type": "input_json_delta", "partial_json": '{"city":"Rom"}'},
)
PLAIN = anthropic(
    {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
    {"type": "text", "text": "Hello"},
    {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Rom"}},
    stop="tool_use",
)

# LiteLLM's base handler, the same with a parser of its own, and the OpenAI SDK under another name.
COMPATIBLE = [
    "mistral",
    "groq",
    "deepseek",
    "xai",
    "openrouter",
    "together_ai",
    "fireworks_ai",
    "perplexity",
    "deepinfra",
]


@pytest.fixture
def up() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture
def lite() -> LiteLLM:
    return carrier()


def asking(up: Upstream, provider: str, body: dict[str, Any] | None = None, stream: bool = False) -> Call:
    base = f"http://127.0.0.1:{up.port}" if provider == "anthropic" else up.base_url
    return calling(base, body=body, stream=stream, litellm_provider=provider, api_key="sk-target")


# --------------------------------------------------------------------- Anthropic


def test_anthropic_is_asked_in_its_own_shape(up: Upstream, lite: LiteLLM) -> None:
    up.play(answering([], PLAIN))
    body = {
        "tools": TOOLS,
        "top_k": 3,
        "user": "ann",
        "x_unheard_of": 1,
        "metadata": {"a": "b"},
        "store": True,
    }

    lite.complete(asking(up, "anthropic", body))

    assert up.last.target == "/v1/messages"
    assert up.last.header("x-api-key") == "sk-target"
    assert up.last.json["top_k"] == 3
    assert up.last.json["metadata"] == {"user_id": "ann"}
    assert up.last.json["tools"][0]["name"] == "get_weather"
    assert not up.last.json.keys() & {"x_unheard_of", "store", "extra_body"}


def test_anthropic_needs_max_tokens_so_litellm_makes_them_up(up: Upstream, lite: LiteLLM) -> None:
    up.play(answering([], PLAIN))

    lite.complete(asking(up, "anthropic"))

    assert up.last.json["max_tokens"] == 4096


def test_anthropic_s_plain_answer_keeps_id_thinking_and_real_usage(up: Upstream, lite: LiteLLM) -> None:
    up.play(answering([], PLAIN))

    answer = lite.complete(asking(up, "anthropic", {"tools": TOOLS}))

    message = answer["choices"][0]["message"]
    assert (answer["id"], answer["choices"][0]["finish_reason"]) == ("msg_1", "tool_calls")
    assert (message["content"], message["reasoning_content"]) == ("Hello", "hm")
    assert message["thinking_blocks"] == [{"type": "thinking", "thinking": "hm", "signature": "c2ln"}]
    assert message["tool_calls"][0]["id"] == "toolu_1"
    assert answer["usage"]["completion_tokens"] == 4
    assert "completion_tokens_details" not in answer["usage"]


def test_anthropic_s_stream_is_chat_s(up: Upstream, lite: LiteLLM) -> None:
    up.play(answering(anthropic_events(THINKING, TEXT, TOOL, stop="tool_use")))

    came = chunks(lite, asking(up, "anthropic", {"tools": TOOLS}, stream=True))

    deltas = [choice["delta"] for chunk in came for choice in chunk["choices"]]
    assert deltas[0]["role"] == "assistant"
    assert "".join(delta.get("reasoning_content", "") for delta in deltas) == "hm"
    assert "".join(delta.get("content", "") for delta in deltas) == "Hello"
    calls = [call for delta in deltas for call in delta.get("tool_calls", ())]
    assert [call.get("id") for call in calls] == ["toolu_1", None]
    assert "".join(call["function"]["arguments"] for call in calls) == '{"city":"Rom"}'
    assert came[-2]["choices"][0]["finish_reason"] == "tool_calls"
    assert (came[-1]["choices"], came[-1]["usage"]["total_tokens"]) == ([], 7)
    assert {chunk["id"] for chunk in came} == {"msg_1"}


def test_anthropic_s_stream_without_its_end_is_a_cut(up: Upstream, lite: LiteLLM) -> None:
    up.play(answering(anthropic_events(TEXT, stop=None)))

    with pytest.raises(UpstreamCut):
        chunks(lite, asking(up, "anthropic", stream=True))


def test_anthropic_s_error_event_is_an_error(up: Upstream, lite: LiteLLM) -> None:
    overloaded = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    up.play(answering([*anthropic_events(TEXT, stop=None), overloaded]))

    with pytest.raises(GatewayError, match="Overloaded") as caught:
        chunks(lite, asking(up, "anthropic", stream=True))

    assert caught.value.status >= 500


@pytest.mark.parametrize("native", ["pause_turn", "model_context_window_exceeded"])
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_anthropic_s_finish_that_litellm_does_not_know_is_kept(
    up: Upstream, lite: LiteLLM, native: str, stream: bool
) -> None:
    up.play(
        answering(
            anthropic_events(TEXT, stop=native), anthropic({"type": "text", "text": "Hello"}, stop=native)
        )
    )
    call = asking(up, "anthropic", stream=stream)
    answer = gathered(lite, call) if stream else lite.complete(call)

    assert answer["choices"][0]["finish_reason"] == native


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_anthropic_s_refusal_of_the_key_names_the_variable_only(
    up: Upstream, lite: LiteLLM, stream: bool
) -> None:
    said = b'{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key sk-target"}}'
    up.answer("POST", "/v1/messages", Raw(401, said))
    call = calling(
        f"http://127.0.0.1:{up.port}",
        stream=stream,
        litellm_provider="anthropic",
        api_key="sk-target",
        key_variable="ANTHROPIC_API_KEY",
    )

    with pytest.raises(UpstreamAuthentication, match="ANTHROPIC_API_KEY") as caught:
        chunks(lite, call) if stream else lite.complete(call)

    assert "sk-target" not in str(caught.value)
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None


# ------------------------------------------------------- OpenAI-shaped, with a name


@pytest.mark.parametrize("provider", COMPATIBLE)
@pytest.mark.parametrize("script", ["tools", "unknown", "parallel", "llama"])
def test_a_provider_s_chunks_are_its_own(up: Upstream, lite: LiteLLM, provider: str, script: str) -> None:
    up.script(script, usage="finish")
    named = asking(up, provider, stream=True)
    direct = calling(up.base_url, stream=True)

    assert without_model(chunks(lite, named)) == without_model(chunks(lite, direct))


@pytest.mark.parametrize("provider", COMPATIBLE)
def test_a_provider_s_plain_answer_is_its_own(up: Upstream, lite: LiteLLM, provider: str) -> None:
    up.script("unknown", finish="sensitive")

    named = lite.complete(asking(up, provider))
    direct = lite.complete(calling(up.base_url))

    assert without_model([named]) == without_model([direct])


def without_model(answers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in answer.items() if key != "model"} for answer in answers]


@pytest.mark.parametrize("provider", COMPATIBLE)
def test_an_unknown_field_reaches_a_compatible_provider(up: Upstream, lite: LiteLLM, provider: str) -> None:
    lite.complete(asking(up, provider, {"x_unheard_of": {"a": 1}}))

    assert up.last.json["x_unheard_of"] == {"a": 1}


@pytest.mark.parametrize("provider", COMPATIBLE)
def test_done_without_a_finish_is_a_cut(up: Upstream, lite: LiteLLM, provider: str) -> None:
    pieces = [{"id": "a", "choices": [{"index": 0, "delta": {"content": "Hel"}, "finish_reason": None}]}]
    up.play(answering(pieces, done=True))

    with pytest.raises(UpstreamCut):
        chunks(lite, asking(up, provider, stream=True))


@pytest.mark.parametrize("provider", COMPATIBLE)
def test_a_text_that_speaks_of_done_is_not_the_end(up: Upstream, lite: LiteLLM, provider: str) -> None:
    up.script("text", say="ends with data: [DONE], you see", n=1)

    assert text_of(gathered(lite, asking(up, provider, stream=True))) == "ends with data: [DONE], you see"


@pytest.mark.parametrize("provider", COMPATIBLE)
def test_a_broken_network_is_no_stop(up: Upstream, lite: LiteLLM, provider: str) -> None:
    up.script("text", finish="network_error")

    with pytest.raises(UpstreamFailed, match="network_error"):
        chunks(lite, asking(up, provider, stream=True))
    with pytest.raises(UpstreamFailed, match="network_error"):
        lite.complete(asking(up, provider))


@pytest.mark.parametrize("provider", ["mistral", "groq"])
def test_usage_that_the_provider_did_not_tell_is_not_told(up: Upstream, lite: LiteLLM, provider: str) -> None:
    up.play(
        answering(
            [{"id": "a", "choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": "stop"}]}],
            {"id": "a", "choices": [{"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}]},
        )
    )

    assert "usage" not in lite.complete(asking(up, provider))
    assert not any("usage" in chunk for chunk in chunks(lite, asking(up, provider, stream=True)))


def test_mistral_s_thinking_is_translated(up: Upstream, lite: LiteLLM) -> None:
    content = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
        {"type": "text", "text": "Hello"},
    ]
    up.play(
        answering(
            [],
            {
                "id": "a",
                "choices": [
                    {
                        "index": 0,
                        "message": {"role": "assistant", "content": content},
                        "finish_reason": "stop",
                    }
                ],
            },
        )
    )

    message = lite.complete(asking(up, "mistral"))["choices"][0]["message"]

    assert (message["content"], message.get("reasoning_content")) == ("Hello", "hm")


def test_a_provider_that_litellm_does_not_know_is_named(up: Upstream, lite: LiteLLM) -> None:
    with pytest.raises(BadRequest, match="npm package"):
        lite.complete(asking(up, "nobody"))

    assert not up.requests


def test_habits_of_agents_are_not_refused(up: Upstream, lite: LiteLLM) -> None:
    """`n: 1`, `parallel_tool_calls: true` and the like ask for nothing special."""
    habits = {"n": 1, "parallel_tool_calls": True, "tool_choice": "auto", "presence_penalty": 0, "stop": None}

    lite.complete(asking(up, "perplexity", habits))

    assert len(up.requests) == 1


def test_roles_that_a_provider_does_not_have_are_renamed(up: Upstream, lite: LiteLLM) -> None:
    lite.complete(asking(up, "mistral", {"messages": [{"role": "developer", "content": "Be brief."}, HELLO]}))

    assert [message["role"] for message in up.last.json["messages"]] == ["system", "user"]


def test_openrouter_is_always_asked_for_usage(up: Upstream, lite: LiteLLM) -> None:
    lite.complete(asking(up, "openrouter"))

    assert up.last.json["usage"] == {"include": True}


def test_fireworks_gets_its_full_model_name(up: Upstream, lite: LiteLLM) -> None:
    lite.complete(asking(up, "fireworks_ai"))

    assert up.last.json["model"] == "accounts/fireworks/models/wire-model"


def test_an_answer_in_another_shape_is_dated_by_the_gateway_s_clock(up: Upstream, lite: LiteLLM) -> None:
    up.play(answering([], PLAIN))
    before = int(time.time())

    assert lite.complete(asking(up, "anthropic"))["created"] >= before
