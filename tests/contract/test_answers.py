"""What a target says reaches the client whole, under the alias, plain and streamed."""

from __future__ import annotations

import pytest

from tests.contract.conftest import Ask
from tests.gateway import Gateway
from tests.upstream import Upstream

HELLO = "Hello from the upstream, with ünïcödé 漢字 😀."


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize(
    "script",
    ["text", "split", "crlf", "cr", "lines", "no-space", "comments", "gzip", "deflate", "until-close",
     "length", "extensions", "trailers", "interim", "json-always", "sse-always", "bare", "loris", "stale"],
)  # fmt: skip
def test_text_arrives_whole_however_it_travels(asking: Ask, script: str, stream: bool) -> None:
    asked = asking(script, stream=stream)

    assert asked.status == 200, asked.raw
    assert asked.text == HELLO
    assert asked.finish == "stop"
    assert not asked.broken
    assert asked.done == stream


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("script", ["text", "tools", "reasoning", "unknown", "llama"])
def test_only_the_alias_is_seen(
    asking: Ask, alias: str, upstream: Upstream, script: str, stream: bool
) -> None:
    asked = asking(script, stream=stream, stream_options={"include_usage": True} if stream else None)

    assert f"wire-of-{alias}".encode() not in asked.raw
    assert {chunk["model"] for chunk in asked.chunks or [asked.body]} == {alias}
    assert asked.headers["x-localcode-target"] == f"up/wire-of-{alias}"
    assert upstream.last.json["model"] == f"wire-of-{alias}"


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize(
    "script",
    [
        "tools",
        "parallel",
        "interleaved",
        "gaps",
        "whole",
        "together",
        "repeated",
        "nulls",
        "same-index",
        "no-index",
    ],
)
def test_tool_calls_arrive_as_they_were_made(asking: Ask, script: str, stream: bool) -> None:
    asked = asking(script, stream=stream)

    count = {"tools": 1, "repeated": 1, "nulls": 1, "gaps": 3}.get(script, 2)
    arguments = '{"city": "Zürich", "days": 3, "note": "a \\"quoted\\" word"}'
    assert asked.calls == [(f"call_{number}", "get_weather", arguments) for number in range(count)]
    assert asked.finish == "tool_calls"


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
def test_reasoning_stays_reasoning(asking: Ask, stream: bool) -> None:
    asked = asking("reasoning", stream=stream)
    deltas = [c["delta"] for chunk in asked.chunks for c in chunk["choices"]] or [
        asked.body["choices"][0]["message"]
    ]

    assert (
        "".join(delta.get("reasoning_content") or "" for delta in deltas)
        == "First I think. Then I think again."
    )
    assert asked.text == "Done."


def test_the_usage_chunk_comes_only_when_it_was_asked_for(asking: Ask) -> None:
    without = asking("text", stream=True)
    with_usage = asking("text", stream=True, stream_options={"include_usage": True})

    assert without.usage is None
    assert all(chunk["choices"] for chunk in without.chunks)
    assert with_usage.usage is not None
    assert with_usage.usage["completion_tokens"] > 0


def test_usage_that_the_target_does_not_give_is_not_made_up(asking: Ask) -> None:
    assert asking("text usage=never", stream=True, stream_options={"include_usage": True}).usage is None


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
def test_the_last_event_ends_the_body_though_the_target_holds_its_connection(
    asking: Ask, stream: bool
) -> None:
    asked = asking("hold", stream=stream) if stream else asking("text")

    assert asked.text == HELLO
    assert asked.done == stream


def test_events_after_done_are_not_passed_on(asking: Ask) -> None:
    asked = asking("after-done", stream=True)

    assert asked.raw.endswith(b"data: [DONE]\n\n")
    assert asked.text == HELLO


def test_a_missing_done_is_made_good(asking: Ask) -> None:
    assert asking("no-done", stream=True).raw.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize(
    ("field", "value"),
    [("temperature", 0.2), ("top_p", 0.9), ("stop", ["END"]), ("seed", 7), ("logprobs", True),
     ("n", 1), ("parallel_tool_calls", False), ("reasoning_effort", "low"),
     ("response_format", {"type": "json_object"}),
     ("tool_choice", "auto"), ("max_tokens", 17), ("presence_penalty", 0.5), ("frequency_penalty", 0.5),
     ("metadata", {"a": "b"}), ("user", "u1"), ("logit_bias", {"50256": -100}), ("cache_prompt", True),
     ("chat_template_kwargs", {"enable_thinking": False}), ("a_field_of_tomorrow", {"deep": [1, 2]})],
)  # fmt: skip
def test_every_parameter_reaches_the_target(
    asking: Ask, upstream: Upstream, field: str, value: object
) -> None:
    asking("text", **{field: value})

    assert upstream.last.json[field] == value


@pytest.mark.parametrize(
    "field",
    ["api_base", "base_url", "api_key", "custom_llm_provider", "mock_response", "fallbacks", "num_retries",
     "extra_headers", "headers", "litellm_params", "aws_region_name", "vertex_project",
     "model_list", "timeout"],
)  # fmt: skip
def test_what_would_steer_the_gateway_goes_nowhere(asking: Ask, upstream: Upstream, field: str) -> None:
    asked = asking("text", **{field: "http://127.0.0.1:9/steered"})

    assert asked.text == HELLO
    assert b"steered" not in upstream.last.body


def test_the_clients_key_stays_here_and_the_targets_key_there(
    gateway: Gateway, asking: Ask, upstream: Upstream
) -> None:
    asked = asking(
        "text", headers={"Authorization": "Bearer sk-of-the-client", "x-api-key": "sk-of-the-client"}
    )
    sent = str(upstream.last.headers)

    assert "sk-of-the-client" not in sent
    assert upstream.last.header("authorization") == "Bearer sk-of-the-target"
    assert "sk-of-the-target" not in str(asked.headers) + asked.raw.decode()
    assert "sk-of-the" not in gateway.log()


def test_a_sane_request_id_is_kept_and_another_is_made(asking: Ask) -> None:
    assert asking("text", sending={"x-request-id": "abc-123"}).headers["x-request-id"] == "abc-123"
    assert (
        asking("text", sending={"x-request-id": "no spaces here"}).headers["x-request-id"].startswith("req_")
    )
