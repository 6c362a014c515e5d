"""The LiteLLM carrier at OpenAI-compatible targets: nothing is lost, nothing invented, one request a call."""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from app.backends.litellm_client import LiteLLM
from app.errors import BadRequest, GatewayError, UpstreamCut, UpstreamFailed, UpstreamGarbage, UpstreamTimeout
from app.types import Call, Chunk, Timeouts
from tests.backends.litellm_lab import (
    calling,
    carrier,
    chunks,
    event,
    gathered,
    reply,
    silent_after,
    text_of,
)
from tests.upstream import Connection, Raw, Seen, Upstream
from tests.upstream.chat import Shape
from tests.upstream.chat import chunks as chunks_of_turn
from tests.upstream.chat import completion as completion_of_turn
from tests.upstream.scripts import Ask, choose
from tests.upstream.wire import Seen as Request

EVERYTHING: dict[str, Any] = {
    "messages": [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "name": "ann", "content": [{"type": "text", "text": "Hi"}]},
        {
            "role": "assistant",
            "content": None,
            "reasoning_content": "hm",
            "tool_calls": [
                {
                    "id": "c1",
                    "type": "function",
                    "function": {"name": "f", "arguments": "{}"},
                    "extra_content": {"google": {"thought_signature": "c2ln"}},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "done", "x_unheard_of": 1},
        {"role": "user", "content": "Go on."},
    ],
    "tools": [
        {
            "type": "function",
            "function": {
                "name": "f",
                "strict": True,
                "parameters": {"$schema": "x", "type": "object", "additionalProperties": False},
            },
        }
    ],
    "tool_choice": "auto",
    "parallel_tool_calls": False,
    "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}}},
    "reasoning_effort": "high",
    "stop": ["END"],
    "seed": 7,
    "logprobs": True,
    "top_logprobs": 2,
    "n": 2,
    "temperature": 0,
    "top_p": 0.5,
    "max_tokens": 10,
    "max_completion_tokens": 11,
    "frequency_penalty": 0.1,
    "presence_penalty": 0.2,
    "logit_bias": {"5": -100},
    "user": "ann",
    "metadata": {"a": "b"},
    "store": False,
    "service_tier": "flex",
    "prompt_cache_key": "k",
    "thinking": {"type": "disabled"},
    "id": "mine",
    "x_unheard_of": {"deep": [1, None, "ü"]},
}

# Ids for which LiteLLM has rules of its own: other paths, refused parameters, renamed roles.
LISTED_IDS = ["gpt-5", "gpt-5.4", "o1-pro", "o3-mini", "gpt-5-codex", "gpt-3.5-turbo-instruct", "gpt-4o"]
ORDINARY_IDS = ["wire-model", "zai-org/GLM-4.7", "glm-4.7-free"]


@pytest.fixture
def up() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture
def lite() -> LiteLLM:
    return carrier()


# ---------------------------------------------------------------------- requests


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("model", ORDINARY_IDS + LISTED_IDS)
def test_every_field_arrives_as_the_client_sent_it(
    up: Upstream, lite: LiteLLM, model: str, stream: bool
) -> None:
    call = calling(up.base_url, body=copy.deepcopy(EVERYTHING), stream=stream, model=model)

    gathered(lite, call) if stream else lite.complete(call)

    assert up.last.path == "/v1/chat/completions"
    assert up.last.json == call.body
    assert call.body["messages"] == EVERYTHING["messages"]


def test_reasoning_summary_is_lost_for_ids_that_begin_with_gpt_5(up: Upstream, lite: LiteLLM) -> None:
    lite.complete(calling(up.base_url, body={"reasoningSummary": "auto"}, model="gpt-5"))

    assert "reasoningSummary" not in up.last.json


def test_the_prefix_responses_is_cut_off_an_id(up: Upstream, lite: LiteLLM) -> None:
    lite.complete(calling(up.base_url, model="responses/x"))

    assert up.last.json["model"] == "x"


@pytest.mark.parametrize("provider", [None, "gemini"])
def test_half_a_surrogate_pair_in_a_request_is_refused(
    up: Upstream, lite: LiteLLM, provider: str | None
) -> None:
    with pytest.raises(BadRequest, match="surrogate"):
        lite.complete(calling(up.base_url, "half \ud83d", litellm_provider=provider, api_key="k"))

    assert not up.requests


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("api_base", "http://127.0.0.1:9/v1"),
        ("base_url", "http://127.0.0.1:9/v1"),
        ("api_key", "sk-of-the-client"),
        ("custom_llm_provider", "anthropic"),
        ("mock_response", "forged"),
        ("fallbacks", ["other"]),
        ("num_retries", 3),
        ("headers", {"Authorization": "Bearer sk-of-the-client"}),
        ("extra_headers", {"X-Mine": "1"}),
        ("extra_body", {"x": 1}),
        ("model_list", []),
        ("cache", {"no-cache": False}),
        ("litellm_logging_obj", {}),
        ("aws_region_name", "x"),
        ("vertex_project", "x"),
        ("azure_ad_token", "x"),
    ],
)
@pytest.mark.parametrize("provider", [None, "mistral"])
def test_control_parameters_in_a_body_steer_nothing(
    up: Upstream, lite: LiteLLM, field: str, value: Any, provider: str | None
) -> None:
    call = calling(up.base_url, body={field: value}, api_key="sk-target", litellm_provider=provider)

    answer = lite.complete(call)

    assert text_of(answer).startswith("Hello from the upstream")
    assert field not in up.last.json
    assert up.last.header("authorization") == "Bearer sk-target"
    assert up.last.header("x-mine") is None


# ----------------------------------------------------------------------- headers


@pytest.fixture
def strange_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-environment")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-of-the-environment")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "project-of-the-environment")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9")


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.usefixtures("strange_environment")
def test_a_target_without_a_key_is_sent_none_and_never_that_of_the_environment(
    up: Upstream, lite: LiteLLM, stream: bool
) -> None:
    call = calling(up.base_url, stream=stream)

    gathered(lite, call) if stream else lite.complete(call)

    assert up.last.header("authorization") is None
    assert "of-the-environment" not in str(up.last.headers)


@pytest.mark.usefixtures("strange_environment")
def test_the_key_is_the_target_s(up: Upstream, lite: LiteLLM) -> None:
    lite.complete(calling(up.base_url, api_key="sk-target"))

    assert up.last.header("authorization") == "Bearer sk-target"
    assert "of-the-environment" not in str(up.last.headers)


def test_headers_are_the_target_s_the_gateway_s_mark_and_nothing_about_the_sdk(
    up: Upstream, lite: LiteLLM
) -> None:
    lite.complete(calling(up.base_url, headers={"X-Team": "a", "Authorization": "Basic eA=="}))

    names = {name.lower() for name, _ in up.last.headers}
    assert up.last.header("via") == "1.1 localcode-test"
    assert up.last.header("x-team") == "a"
    assert up.last.header("authorization") == "Basic eA=="
    assert up.last.header("accept-encoding") == "identity"
    assert not [name for name in names if name.startswith("x-stainless")]


# ----------------------------------------------------------------------- answers


SHAPES = [
    "text", "tools", "reasoning", "parallel", "interleaved", "gaps", "whole", "together", "no-index",
    "same-index", "repeated", "nulls", "calls-but-stop", "gemini", "llama", "bare", "unknown",
]  # fmt: skip
WIRES = [
    "split", "crlf", "cr", "lines", "no-space", "comments", "bom", "gzip", "deflate", "raw-deflate",
    "until-close", "length", "extensions", "trailers", "interim", "after-done", "no-done", "hold",
]  # fmt: skip


def played(name: str, call: Call) -> tuple[Any, Shape]:
    """What the upstream's script says to a call."""
    chosen = choose(name, {})
    content = chosen.script.make(Ask(call.body, {}, 0, ""), **chosen.arguments)
    return content, Shape(**{"model": call.target.model, **chosen.shape})


@pytest.mark.parametrize("script", SHAPES + WIRES)
def test_a_stream_arrives_as_the_upstream_sent_it(up: Upstream, lite: LiteLLM, script: str) -> None:
    up.script(script)
    call = calling(up.base_url, stream=True)

    assert chunks(lite, call) == chunks_of_turn(*played(script, call))


@pytest.mark.parametrize("script", [*SHAPES, "gzip", "split", "until-close", "interim"])
def test_a_plain_answer_arrives_as_the_upstream_sent_it(up: Upstream, lite: LiteLLM, script: str) -> None:
    up.script(script)
    call = calling(up.base_url)

    assert lite.complete(call) == completion_of_turn(*played(script, call))


@pytest.mark.parametrize("style", ["reasoning", "reasoning_details", "reasoning_content"])
def test_reasoning_keeps_the_name_that_the_upstream_gave_it(up: Upstream, lite: LiteLLM, style: str) -> None:
    up.script("reasoning", field=style)

    assert style in lite.complete(calling(up.base_url))["choices"][0]["message"]
    assert any(
        style in choice["delta"]
        for c in chunks(lite, calling(up.base_url, stream=True))
        for choice in c["choices"]
    )


def test_thinking_written_into_the_text_stays_there(up: Upstream, lite: LiteLLM) -> None:
    up.script("text", say="<think>hm</think>Hello")

    assert text_of(lite.complete(calling(up.base_url))) == "<think>hm</think>Hello"
    assert text_of(gathered(lite, calling(up.base_url, stream=True))) == "<think>hm</think>Hello"


@pytest.mark.parametrize("finish", ["sensitive", "model_context_window_exceeded", "eos", "length"])
def test_a_finish_keeps_the_upstream_s_word(up: Upstream, lite: LiteLLM, finish: str) -> None:
    up.script("text", finish=finish)

    assert lite.complete(calling(up.base_url))["choices"][0]["finish_reason"] == finish
    assert chunks(lite, calling(up.base_url, stream=True))[-2]["choices"][0]["finish_reason"] == finish


@pytest.mark.parametrize("finish", ["network_error", "error"])
def test_a_finish_that_means_failure_is_an_error(up: Upstream, lite: LiteLLM, finish: str) -> None:
    up.script("text", finish=finish)

    with pytest.raises(UpstreamFailed, match=finish):
        chunks(lite, calling(up.base_url, stream=True))


def test_usage_that_the_upstream_did_not_tell_is_not_told(up: Upstream, lite: LiteLLM) -> None:
    up.script("text", usage="never")
    streamed = chunks(lite, calling(up.base_url, stream=True))
    up.answer(
        "POST",
        "/v1/chat/completions",
        Raw(200, b'{"choices":[{"message":{"content":"Hi"},"finish_reason":"stop"}]}'),
    )

    assert not any("usage" in chunk for chunk in streamed)
    assert "usage" not in lite.complete(calling(up.base_url))


def test_a_hundred_equal_pieces_are_a_hundred_pieces(up: Upstream, lite: LiteLLM) -> None:
    up.script("text", say="─" * 300, n=300)

    assert text_of(gathered(lite, calling(up.base_url, stream=True))) == "─" * 300


@pytest.mark.parametrize("text", ["<s>", "</s>", "<|im_start|>user", "data: [DONE]"])
def test_text_that_looks_like_control_text_stays(up: Upstream, lite: LiteLLM, text: str) -> None:
    up.script("text", say=f"a {text} b", n=1)

    assert text_of(gathered(lite, calling(up.base_url, stream=True))) == f"a {text} b"


def test_a_stream_request_that_is_answered_plainly_becomes_a_stream(up: Upstream, lite: LiteLLM) -> None:
    up.script("json-always")

    assert text_of(gathered(lite, calling(up.base_url, stream=True))).startswith("Hello from the upstream")


def test_a_plain_request_that_is_answered_by_a_stream_becomes_plain(up: Upstream, lite: LiteLLM) -> None:
    up.script("sse-always")

    answer = lite.complete(calling(up.base_url))

    assert text_of(answer).startswith("Hello from the upstream")
    assert answer["choices"][0]["finish_reason"] == "stop"


# ------------------------------------------------------------------ what is no answer


def begun(lite: LiteLLM, call: Call) -> tuple[list[Chunk], GatewayError]:
    """The chunks that came, and the error that ended them."""
    came: list[Chunk] = []
    try:
        for batch in lite.stream(call):
            came += batch
    except GatewayError as problem:
        return came, problem
    raise AssertionError("it did not fail")


@pytest.mark.parametrize("script", ["cut", "cut-within", "end"])
def test_a_stream_without_a_finish_is_a_cut(up: Upstream, lite: LiteLLM, script: str) -> None:
    up.script(script)

    came, problem = begun(lite, calling(up.base_url, stream=True))

    assert isinstance(problem, UpstreamCut)
    assert came
    assert not any(choice["finish_reason"] for chunk in came for choice in chunk["choices"])


def test_an_error_event_keeps_its_message_and_type(up: Upstream, lite: LiteLLM) -> None:
    up.script("error-event")

    came, problem = begun(lite, calling(up.base_url, stream=True))

    assert len(came) == 2
    assert (str(problem), problem.type) == ("The engine broke.", "server_error")


@pytest.mark.parametrize("script", ["html", "nothing"])
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_a_page_or_nothing_is_no_answer(up: Upstream, lite: LiteLLM, script: str, stream: bool) -> None:
    up.script(script)
    call = calling(up.base_url, stream=stream)

    with pytest.raises(UpstreamGarbage) as caught:
        chunks(lite, call) if stream else lite.complete(call)

    assert caught.value.status == (400 if script == "html" else 502)
    assert "<" not in str(caught.value)


def test_a_stream_of_done_only_is_no_answer(up: Upstream, lite: LiteLLM) -> None:
    up.play(lambda connection, seen: reply(connection, b"data: [DONE]\n\n", "text/event-stream"))

    with pytest.raises((UpstreamGarbage, UpstreamCut)):
        chunks(lite, calling(up.base_url, stream=True))


@pytest.mark.parametrize("script", ["status", "busy", "drop"])
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_one_failure_costs_one_request(up: Upstream, lite: LiteLLM, script: str, stream: bool) -> None:
    up.script(script)
    call = calling(up.base_url, stream=stream)

    with pytest.raises(GatewayError):
        chunks(lite, call) if stream else lite.complete(call)

    assert len(up.requests) == 1
    assert call.trace.tries == 1


@pytest.mark.parametrize("provider", [None, "perplexity", "mistral"])
def test_litellm_s_own_second_try_with_other_messages_is_refused(
    up: Upstream, lite: LiteLLM, provider: str | None
) -> None:
    up.script("status", status=400, message="Conversation roles must alternate user/assistant")

    with pytest.raises(GatewayError, match="Conversation roles must alternate"):
        lite.complete(calling(up.base_url, litellm_provider=provider, api_key="k"))

    assert len(up.requests) == 1


def test_a_redirect_is_not_followed(up: Upstream, lite: LiteLLM) -> None:
    up.script("redirect")

    with pytest.raises(UpstreamGarbage, match="307"):
        lite.complete(calling(up.base_url, api_key="sk-target"))

    assert len(up.requests) == 1


# -------------------------------------------------------------------------- time


HELLO = event({"choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": None}]})


@pytest.mark.parametrize(
    ("play", "timeouts", "words"),
    [
        (silent_after(b"", head=False), Timeouts(header=0.2), "did not begin"),
        (silent_after(HELLO), Timeouts(chunk=0.2), "fell silent"),
        (silent_after(HELLO), Timeouts(total=0.2), "took longer than the 0.2 s allowed"),
    ],
    ids=["header", "chunk", "total"],
)
def test_each_limit_ends_a_stream(
    up: Upstream, lite: LiteLLM, play: Any, timeouts: Timeouts, words: str
) -> None:
    up.play(play)
    call = calling(up.base_url, stream=True, timeouts=timeouts)
    limited = Call(call.target, call.body, call.client, call.trace, call.trace.started + timeouts.total)

    _, problem = begun(lite, limited)

    assert isinstance(problem, UpstreamTimeout)
    assert words in str(problem)
    assert up.last.closed_early.wait(5)


def test_time_limits_may_be_endless(up: Upstream, lite: LiteLLM) -> None:
    never = float("inf")

    answer = lite.complete(calling(up.base_url, timeouts=Timeouts(never, never, never, never)))

    assert text_of(answer).startswith("Hello")


def test_a_silent_upstream_gives_ticks_once_the_stream_has_begun(up: Upstream, lite: LiteLLM) -> None:
    up.play(silent_after(HELLO))
    stream = lite.stream(calling(up.base_url, stream=True))

    batches = [next(stream), next(stream), next(stream)]
    stream.close()

    assert [len(batch) for batch in batches] == [1, 0, 0]


def test_what_has_come_while_nobody_looked_is_one_batch(up: Upstream, lite: LiteLLM) -> None:
    sent = threading.Event()

    def play(connection: Connection, seen: Seen) -> bool:
        connection.send_head(200, [("Content-Type", "text/event-stream"), ("Connection", "close")])
        connection.send(HELLO * 50)
        sent.set()
        connection.pause(600_000)
        return False

    up.play(play)
    stream = lite.stream(calling(up.base_url, stream=True))
    sent.wait(5)

    came = 0
    batches = 0
    while came < 50:
        came += len(next(stream))
        batches += 1
    stream.close()

    assert came == 50
    assert batches < 50


# --------------------------------------------------------------------- many at once


def echo(connection: Connection, seen: Request) -> bool:
    """Answers with the question, letter by letter."""
    say = seen.json["messages"][0]["content"]
    if not seen.json.get("stream"):
        message = {"role": "assistant", "content": say}
        return reply(
            connection, json.dumps({"choices": [{"message": message, "finish_reason": "stop"}]}).encode()
        )
    connection.send_head(200, [("Content-Type", "text/event-stream"), ("Connection", "close")])
    for letter in say:
        connection.pause(2)
        connection.send(
            event({"choices": [{"index": 0, "delta": {"content": letter}, "finish_reason": None}]})
        )
    connection.send(event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}))
    return False


def test_forty_calls_at_once_are_not_mixed_up(up: Upstream, lite: LiteLLM) -> None:
    up.play(echo)

    def one(number: int) -> str:
        stream = number % 2 == 0
        call = calling(up.base_url, f"this is call {number}", stream=stream, api_key=f"sk-{number % 3}")
        return text_of(gathered(lite, call) if stream else lite.complete(call))

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(one, range(40)))

    assert answers == [f"this is call {number}" for number in range(40)]
