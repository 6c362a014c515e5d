"""Gemini's own API through LiteLLM: what is asked there, and what comes back in chat's shape."""

from __future__ import annotations

import json
import struct
import zlib
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import pytest

from app.backends.litellm_client import LiteLLM
from app.config.packages import base_for_litellm
from app.errors import BadRequest, GatewayError, RateLimited, UpstreamCut, UpstreamFailed, UpstreamGarbage
from app.types import Call
from app.utils.chat_events import completion_of
from tests.backends.litellm_lab import (
    TOOLS,
    answering,
    calling,
    carrier,
    chunks,
    gathered,
    gemini,
    reply,
    text_of,
)
from tests.upstream import Connection, Seen, Upstream

STOP: dict[str, Any] = {"finishReason": "STOP"}
HELLO = gemini({"text": "Hello"}, **STOP)
CALL = {"functionCall": {"name": "get_weather", "args": {"city": "Zürich"}}, "thoughtSignature": "c2ln"}
SECOND = {"functionCall": {"name": "get_weather", "args": {"city": "Rom"}}}
SIGNED = {"google": {"thought_signature": "c2ln"}}


@pytest.fixture
def up() -> Iterator[Upstream]:
    with Upstream() as upstream:
        upstream.play(answering([HELLO], HELLO))
        yield upstream


@pytest.fixture
def lite() -> LiteLLM:
    return carrier()


def asking(up: Upstream, body: dict[str, Any] | None = None, stream: bool = False, **settings: Any) -> Call:
    base = base_for_litellm("gemini", f"http://127.0.0.1:{up.port}")
    return calling(
        base,
        body=body,
        stream=stream,
        **{
            "litellm_provider": "gemini",
            "model": "gemini-3-pro-preview",
            "api_key": "AIza-target",
            **settings,
        },
    )


def tool_calls(lite: LiteLLM, call: Call) -> list[dict[str, Any]]:
    answer = gathered(lite, call) if call.body.get("stream") else lite.complete(call)
    return list(answer["choices"][0]["message"]["tool_calls"])


# ---------------------------------------------------------------------- requests


@pytest.mark.parametrize(
    ("stream", "target"),
    [
        (False, "/v1beta/models/gemini-3-pro-preview:generateContent"),
        (True, "/v1beta/models/gemini-3-pro-preview:streamGenerateContent?alt=sse"),
    ],
)
def test_the_native_base_gets_its_version_and_the_key_stays_out_of_the_url(
    up: Upstream, lite: LiteLLM, stream: bool, target: str
) -> None:
    call = asking(up, stream=stream)

    gathered(lite, call) if stream else lite.complete(call)

    assert up.last.target == target
    assert up.last.header("x-goog-api-key") == "AIza-target"
    assert up.last.header("authorization") is None
    assert up.last.header("via") == "1.1 localcode-test"


def test_the_key_of_the_environment_is_not_used(
    up: Upstream, lite: LiteLLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "AIza-environment")
    monkeypatch.setenv("GEMINI_API_BASE", "http://127.0.0.1:9")

    lite.complete(asking(up))

    assert up.last.header("x-goog-api-key") == "AIza-target"


def test_chat_s_parameters_become_gemini_s(up: Upstream, lite: LiteLLM) -> None:
    wanted = {
        "max_tokens": 10,
        "temperature": 0.5,
        "top_p": 0.9,
        "stop": ["END"],
        "seed": 7,
        "reasoning_effort": "low",
        "response_format": {"type": "json_object"},
        "tools": TOOLS,
        "tool_choice": "required",
        "parallel_tool_calls": True,
    }

    lite.complete(asking(up, wanted))

    settings = up.last.json["generationConfig"]
    assert settings["max_output_tokens"] == 10
    assert (settings["temperature"], settings["top_p"], settings["seed"]) == (0.5, 0.9, 7)
    assert settings["stop_sequences"] == ["END"]
    assert settings["response_mime_type"] == "application/json"
    assert settings["thinkingConfig"]["thinkingLevel"] == "low"
    assert up.last.json["toolConfig"]["functionCallingConfig"]["mode"] == "ANY"
    assert up.last.json["tools"][0]["function_declarations"][0]["name"] == "get_weather"


def test_an_unknown_field_reaches_gemini_and_bookkeeping_does_not(up: Upstream, lite: LiteLLM) -> None:
    lite.complete(
        asking(
            up, {"cachedContent": "cachedContents/1", "user": "ann", "metadata": {"a": "b"}, "store": True}
        )
    )

    assert up.last.json["cachedContent"] == "cachedContents/1"
    assert not up.last.json.keys() & {"user", "metadata", "store", "extra_body"}


def test_a_parameter_that_gemini_does_not_have_is_refused_by_name(up: Upstream, lite: LiteLLM) -> None:
    with pytest.raises(BadRequest, match="the provider of 'alias' does not take: logit_bias") as caught:
        lite.complete(asking(up, {"logit_bias": {"5": 1}}))

    assert (caught.value.code, caught.value.param) == ("unsupported_parameter", "logit_bias")
    assert not up.requests


def test_litellm_adds_a_temperature_for_gemini_3(up: Upstream, lite: LiteLLM) -> None:
    lite.complete(asking(up))

    assert up.last.json["generationConfig"] == {"temperature": 1.0}


def test_tool_schemas_lose_what_gemini_does_not_take(up: Upstream, lite: LiteLLM) -> None:
    schema = {
        "$schema": "x",
        "type": "object",
        "additionalProperties": False,
        "properties": {"a": {"type": "string"}},
    }
    call = asking(
        up, {"tools": [{"type": "function", "function": {"name": "f", "strict": True, "parameters": schema}}]}
    )

    lite.complete(call)

    sent = up.last.json["tools"][0]["function_declarations"][0]["parameters"]
    assert sent == {"type": "object", "properties": {"a": {"type": "string"}}}
    assert call.body["tools"][0]["function"]["parameters"]["$schema"] == "x"


def history(**fields: Any) -> list[dict[str, Any]]:
    """A tool loop whose call carries these fields."""
    function = {"name": "get_weather", "arguments": "{}"}
    return [
        {"role": "user", "content": "Weather?"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c1", "type": "function", "function": function, **fields}],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "sunny"},
    ]


@pytest.mark.parametrize(
    "fields",
    [
        {"extra_content": SIGNED},
        {"provider_specific_fields": {"thought_signature": "c2ln"}},
        {"id": "c1__thought__c2ln"},
    ],
    ids=["extra_content", "provider_specific_fields", "id"],
)
def test_a_thought_signature_goes_back_to_gemini(up: Upstream, lite: LiteLLM, fields: dict[str, Any]) -> None:
    messages = history(**fields)
    messages[2]["tool_call_id"] = messages[1]["tool_calls"][0]["id"]

    lite.complete(asking(up, {"messages": messages, "tools": TOOLS}))

    assert up.last.json["contents"][1]["parts"][0]["thoughtSignature"] == "c2ln"
    assert up.last.json["contents"][2]["parts"][0]["function_response"]["name"] == "get_weather"


def test_the_signature_of_a_text_goes_back_too(up: Upstream, lite: LiteLLM) -> None:
    messages = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello", "extra_content": SIGNED},
        {"role": "user", "content": "And now?"},
    ]

    lite.complete(asking(up, {"messages": messages}))

    assert up.last.json["contents"][1]["parts"][0] == {"text": "Hello", "thoughtSignature": "c2ln"}


def test_a_call_without_its_signature_gets_the_documented_dummy(up: Upstream, lite: LiteLLM) -> None:
    lite.complete(asking(up, {"messages": history(), "tools": TOOLS}))

    dummy = b64encode(b"skip_thought_signature_validator").decode()
    assert up.last.json["contents"][1]["parts"][0]["thoughtSignature"] == dummy


def png() -> str:
    """A picture of one point, as a data URI."""

    def piece(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    data = (
        b"\x89PNG\r\n\x1a\n"
        + piece(b"IHDR", head)
        + piece(b"IDAT", zlib.compress(b"\0\0"))
        + piece(b"IEND", b"")
    )
    return f"data:image/png;base64,{b64encode(data).decode()}"


def showing(url: str) -> dict[str, Any]:
    parts = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": url}}]
    return {"messages": [{"role": "user", "content": parts}]}


def test_a_picture_as_data_arrives(up: Upstream, lite: LiteLLM) -> None:
    lite.complete(asking(up, showing(png())))

    sent = up.last.json["contents"][0]["parts"][1]["inline_data"]
    assert sent["mime_type"] == "image/png"
    assert png().endswith(sent["data"])


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_litellm_does_not_fetch_a_picture_even_if_one_gets_this_far(
    up: Upstream, lite: LiteLLM, stream: bool
) -> None:
    call = asking(up, showing(f"http://127.0.0.1:{up.port}/secret.png"), stream=stream)

    with pytest.raises(GatewayError):
        chunks(lite, call) if stream else lite.complete(call)

    assert not [seen for seen in up.requests if seen.method == "GET"]


# ----------------------------------------------------------------------- answers


def test_a_plain_answer_has_thoughts_text_calls_and_usage(up: Upstream, lite: LiteLLM) -> None:
    up.play(answering([], gemini({"text": "hm", "thought": True}, {"text": "Hi"}, CALL, SECOND, **STOP)))

    answer = lite.complete(asking(up, {"tools": TOOLS}))

    message = answer["choices"][0]["message"]
    assert (answer["id"], answer["choices"][0]["finish_reason"]) == ("resp-1", "tool_calls")
    assert (message["content"], message["reasoning_content"]) == ("Hi", "hm")
    assert [json.loads(call["function"]["arguments"]) for call in message["tool_calls"]] == [
        {"city": "Zürich"},
        {"city": "Rom"},
    ]
    assert answer["usage"] == {
        "prompt_tokens": 5,
        "completion_tokens": 15,
        "total_tokens": 20,
        "completion_tokens_details": {"reasoning_tokens": 9, "text_tokens": 6},
        "prompt_tokens_details": {"cached_tokens": 2},
        "cache_read_input_tokens": 2,
    }


def nulls_in(value: Any, path: str = "") -> list[str]:
    """Where a JSON value has null."""
    if isinstance(value, dict):
        return [found for key, one in value.items() for found in nulls_in(one, f"{path}.{key}")]
    if isinstance(value, list):
        return [found for place, one in enumerate(value) for found in nulls_in(one, f"{path}[{place}]")]
    return [path] if value is None else []


def test_no_empty_fields_are_added(up: Upstream, lite: LiteLLM) -> None:
    answer = lite.complete(asking(up))

    assert nulls_in(answer) == []
    assert answer.keys() == {"id", "object", "created", "model", "choices", "usage"}
    assert answer["choices"][0].keys() == {"index", "message", "finish_reason"}
    assert answer["choices"][0]["message"] == {"role": "assistant", "content": "Hello"}


def test_a_stream_s_chunks_are_chat_s(up: Upstream, lite: LiteLLM) -> None:
    up.play(
        answering(
            [gemini({"text": "hm", "thought": True}), gemini({"text": "Hel"}), gemini({"text": "lo"}, **STOP)]
        )
    )

    came = chunks(lite, asking(up, stream=True))

    assert [chunk["choices"][0]["delta"] for chunk in came[:3]] == [
        {"role": "assistant", "reasoning_content": "hm"},
        {"content": "Hel"},
        {"content": "lo"},
    ]
    assert [chunk["choices"][0]["finish_reason"] for chunk in came[:3]] == [None, None, "stop"]
    assert came[3]["choices"] == []
    assert came[3]["usage"]["total_tokens"] == 20
    assert {chunk["id"] for chunk in came} == {"resp-1"}


def test_usage_comes_once_and_only_when_asked_for(up: Upstream, lite: LiteLLM) -> None:
    up.play(answering([gemini({"text": "a"}), gemini({"text": "b"}, **STOP)]))

    asked = chunks(lite, asking(up, stream=True))
    unasked = chunks(lite, asking(up, {"stream_options": {}}, stream=True))

    assert [("usage" in chunk) for chunk in asked] == [False, False, True]
    assert [("usage" in chunk) for chunk in unasked] == [False, False]


def test_a_stream_without_usage_stays_without(up: Upstream, lite: LiteLLM) -> None:
    up.play(answering([gemini({"text": "Hello"}, usage=False, **STOP)]))

    assert not any("usage" in chunk for chunk in chunks(lite, asking(up, stream=True)))


def test_a_plain_answer_without_usage_cannot_be_read(up: Upstream, lite: LiteLLM) -> None:
    up.play(answering([], gemini({"text": "my words"}, usage=False, **STOP)))

    with pytest.raises(UpstreamGarbage, match="LiteLLM cannot read") as caught:
        lite.complete(asking(up))

    assert "my words" not in str(caught.value)


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_calls_carry_their_signature_where_clients_keep_it_and_where_litellm_looks(
    up: Upstream, lite: LiteLLM, stream: bool
) -> None:
    up.play(answering([gemini(CALL, SECOND), gemini({"text": ""}, **STOP)], gemini(CALL, SECOND, **STOP)))

    first, second = tool_calls(lite, asking(up, {"tools": TOOLS}, stream=stream))

    assert first["extra_content"] == SIGNED
    assert first["provider_specific_fields"] == {"thought_signature": "c2ln"}
    assert first["id"].endswith("__thought__c2ln")
    assert "extra_content" not in second


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_the_signature_of_a_text_is_kept(up: Upstream, lite: LiteLLM, stream: bool) -> None:
    signed = gemini({"text": "Hello", "thoughtSignature": "c2ln"}, **STOP)
    up.play(answering([signed], signed))
    call = asking(up, stream=stream)
    answer = completion_of([chunks(lite, call)]) if stream else lite.complete(call)

    assert answer["choices"][0]["message"]["extra_content"] == SIGNED


def test_parallel_calls_in_one_chunk_and_in_the_next_stay_apart(up: Upstream, lite: LiteLLM) -> None:
    up.play(answering([gemini(CALL, SECOND), gemini(SECOND), gemini({"text": ""}, **STOP)]))

    came = chunks(lite, asking(up, {"tools": TOOLS}, stream=True))

    calls = [
        call
        for chunk in came
        for choice in chunk["choices"]
        for call in choice["delta"].get("tool_calls", ())
    ]
    assert [call["index"] for call in calls] == [0, 1, 2]
    assert len({call["id"] for call in calls}) == 3


# ------------------------------------------------------------------ what is no answer


@pytest.mark.parametrize("finish", ["MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "MALFORMED_RESPONSE"])
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_a_failed_turn_is_an_error_and_no_stop(
    up: Upstream, lite: LiteLLM, finish: str, stream: bool
) -> None:
    failed = gemini({"text": "so"}, finishReason=finish)
    up.play(answering([failed], failed))
    call = asking(up, stream=stream)

    with pytest.raises(UpstreamFailed, match=finish):
        chunks(lite, call) if stream else lite.complete(call)


@pytest.mark.parametrize(
    ("native", "expected"),
    [("MAX_TOKENS", "length"), ("SAFETY", "content_filter"), ("SOMETHING_NEW", "SOMETHING_NEW")],
)
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_a_finish_is_translated_or_kept_but_never_made_a_stop(
    up: Upstream, lite: LiteLLM, native: str, expected: str, stream: bool
) -> None:
    ended = gemini({"text": "so"}, finishReason=native)
    up.play(answering([ended], ended))
    call = asking(up, stream=stream)
    answer = gathered(lite, call) if stream else lite.complete(call)

    assert answer["choices"][0]["finish_reason"] == expected


def test_a_stream_without_a_finish_is_a_cut(up: Upstream, lite: LiteLLM) -> None:
    up.play(answering([gemini({"text": "Hel"}), gemini({"text": "lo"})]))

    with pytest.raises(UpstreamCut):
        chunks(lite, asking(up, stream=True))


def test_an_error_in_the_middle_of_a_stream_keeps_what_it_is(up: Upstream, lite: LiteLLM) -> None:
    quota = {
        "error": {
            "code": 429,
            "message": "Quota of gemini-3-pro-preview is used up",
            "status": "RESOURCE_EXHAUSTED",
        }
    }
    up.play(answering([gemini({"text": "Hel"}), quota]))

    with pytest.raises(RateLimited) as caught:
        chunks(lite, asking(up, stream=True))

    assert "gemini-3-pro-preview" not in str(caught.value)
    assert "Quota of alias" in str(caught.value)


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("listed", [False, True], ids=["object", "list"])
def test_an_error_status_keeps_status_words_and_the_pause(
    up: Upstream, lite: LiteLLM, stream: bool, listed: bool
) -> None:
    said = {"error": {"code": 429, "message": "Slow down", "status": "RESOURCE_EXHAUSTED"}}
    body = json.dumps([said] if listed else said).encode()

    def play(connection: Connection, seen: Seen) -> bool:
        connection.send_head(429, [("Retry-After", "7"), ("Content-Length", str(len(body)))])
        connection.send(body)
        return True

    up.play(play)
    call = asking(up, stream=stream)

    with pytest.raises(RateLimited, match=r"^Slow down$") as caught:
        chunks(lite, call) if stream else lite.complete(call)

    assert caught.value.retry_after == 7
    assert len(up.requests) == 1


def test_a_blocked_prompt_is_a_content_filter(up: Upstream, lite: LiteLLM) -> None:
    blocked = {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 5}}
    up.play(answering([blocked], blocked))

    streamed = chunks(lite, asking(up, stream=True))

    assert streamed[0]["choices"][0]["finish_reason"] == "content_filter"
    assert lite.complete(asking(up))["choices"][0]["finish_reason"] == "content_filter"


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_a_page_is_no_answer(up: Upstream, lite: LiteLLM, stream: bool) -> None:
    up.play(lambda connection, seen: reply(connection, b"<!doctype html><h1>Sign in</h1>", "text/html"))
    call = asking(up, stream=stream)

    with pytest.raises(GatewayError) as caught:
        chunks(lite, call) if stream else lite.complete(call)

    assert caught.value.status == 400
    assert "Sign in" not in str(caught.value)


def test_text_comes_through(up: Upstream, lite: LiteLLM) -> None:
    assert text_of(lite.complete(asking(up))) == "Hello"
