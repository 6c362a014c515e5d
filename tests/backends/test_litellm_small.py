"""Text completions, embeddings and rankings through LiteLLM: what is sent, and what comes back."""

from __future__ import annotations

import json
import struct
import time
from base64 import b64decode
from typing import Any

import pytest

from app.errors import (
    BadRequest,
    ClientLeft,
    GatewayError,
    RateLimited,
    UnsupportedEndpoint,
    UpstreamCut,
    UpstreamFailed,
    UpstreamGarbage,
    UpstreamRefused,
    UpstreamUnreachable,
)
from app.types import Body, Call, Client, DialectName, Event, Trace
from app.utils.codec import dumps
from tests.backends.litellm_lab import (
    Play,
    answering,
    carrier,
    chunks,
    gemini,
    leaving,
    reply,
    silent_after,
    target_at,
)
from tests.upstream import Connection, Seen, Upstream

PROMPT = {
    "prompt": ["Once", "Twice"],
    "max_tokens": 9,
    "echo": True,
    "x_unheard_of": {"a": [1]},
    "stop": None,
}
INPUT = {"input": [[1, 2], [3]], "dimensions": 3, "user": "me", "x_unheard_of": 1}
QUERY = {"query": "b", "documents": ["a", {"text": "b"}], "top_n": 2}

ASKED: dict[DialectName, Body] = {"completions": PROMPT, "embeddings": INPUT, "rerank": QUERY}
PATHS = {"completions": "/v1/completions", "embeddings": "/v1/embeddings", "rerank": "/v1/rerank"}

each = pytest.mark.parametrize("wire", ASKED)


def asking(
    up: Upstream | str, wire: DialectName, body: Body | None = None, stream: bool = False, **settings: Any
) -> Call:
    """A call of a target in one of the small APIs; `settings` are fields of the target."""
    target = target_at(up if isinstance(up, str) else up.base_url, **settings)
    asked = {"model": target.model, **(ASKED[wire] if body is None else body)}
    now = time.monotonic()
    return Call(
        target, asked | ({"stream": True} if stream else {}), Client("req-1"), Trace(now), now + 60, wire
    )


def piece(text: str, finish: str | None = None, index: int = 0, **more: Any) -> Event:
    choice = {"index": index, "text": text, "logprobs": None, "finish_reason": finish, "x_unheard_of": 1}
    return {"id": "cmpl-1", "object": "text_completion", "created": 7, "model": "wire-model"} | {
        "choices": [choice],
        "x_unheard_of": {"a": [None]},
        **more,
    }


def plain(answer: Any, status: int = 200) -> Play:
    def play(connection: Connection, seen: Seen) -> bool:
        return reply(connection, json.dumps(answer).encode(), status=status)

    return play


# ─── OpenAI-compatible targets: what stands on the wire counts ───────────────────────────────────


@each
@pytest.mark.parametrize("model", ["wire-model", "gpt-5", "text-embedding-3-small", "o1-pro"])
def test_the_body_arrives_as_the_client_sent_it(upstream: Upstream, wire: DialectName, model: str) -> None:
    carrier().complete(asking(upstream, wire, model=model))

    sent = upstream.last.json
    # LiteLLM's SDK would ask for base64; floats are what the API gives who asks for nothing.
    assert sent == {"model": model, **ASKED[wire]} | (
        {"encoding_format": "float"} if wire == "embeddings" else {}
    )
    assert upstream.last.path == PATHS[wire]


@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_the_encoding_that_the_client_asks_for_is_asked_for(upstream: Upstream, encoding: str) -> None:
    body = {"input": "a", "encoding_format": encoding}
    answer = carrier().complete(asking(upstream, "embeddings", body))

    assert upstream.last.json["encoding_format"] == encoding
    assert isinstance(answer["data"][0]["embedding"], list if encoding == "float" else str)


def test_of_a_ranking_only_the_fields_that_litellm_knows_are_sent(upstream: Upstream) -> None:
    known = QUERY | {"return_documents": True, "max_tokens_per_doc": 9, "truncate_prompt_tokens": 5}
    carrier().complete(asking(upstream, "rerank", known | {"x_unheard_of": 1}))

    assert upstream.last.json == {"model": "wire-model", **known}


@each
def test_headers_are_the_target_s_and_the_gateway_s_mark(upstream: Upstream, wire: DialectName) -> None:
    carrier().complete(asking(upstream, wire, api_key="sk-own", headers={"X-Team": "blue"}))

    assert upstream.last.header("authorization") == "Bearer sk-own"
    assert upstream.last.header("x-team") == "blue"
    assert upstream.last.header("via") == "1.1 localcode-test"
    assert not [name for name, _ in upstream.last.headers if name.lower().startswith("x-stainless")]


@pytest.mark.parametrize(
    ("wire", "stream"),
    [("completions", False), ("completions", True), ("embeddings", False), ("rerank", False)],
    ids=["completions", "completions, streamed", "embeddings", "rerank"],
)
def test_a_target_without_a_key_is_sent_none_and_never_that_of_the_environment(
    upstream: Upstream, monkeypatch: pytest.MonkeyPatch, wire: DialectName, stream: bool
) -> None:
    for name in ("OPENAI_API_KEY", "HOSTED_VLLM_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, "of-the-environment")
    call = asking(upstream, wire, stream=stream)
    said = chunks(carrier(), call) if stream else carrier().complete(call)

    assert said
    assert upstream.last.header("authorization") is None
    assert not [value for _, value in upstream.last.headers if "of-the-environment" in value]


@each
def test_orders_to_litellm_go_nowhere(upstream: Upstream, wire: DialectName) -> None:
    orders = {"api_base": "http://127.0.0.1:9/v1", "mock_response": "x", "num_retries": 5, "api_key": "k"}
    carrier().complete(asking(upstream, wire, ASKED[wire] | orders))

    assert not orders.keys() & upstream.last.json.keys()


VECTORS = {"object": "list", "data": [{"embedding": [0.25], "index": 0, "x_unheard_of": None}], "x": {"y": 1}}
RANKS = {"results": [{"index": 1, "relevance_score": -2.5, "x_unheard_of": 1}], "x": {"y": 1}}


@pytest.mark.parametrize(
    ("wire", "answer"),
    [
        pytest.param("completions", piece("a", "stop"), id="a text"),
        pytest.param("completions", {"choices": [{"text": "a", "finish_reason": "odd"}]}, id="a bare text"),
        pytest.param("embeddings", VECTORS, id="embeddings"),
        pytest.param("embeddings", VECTORS | {"data": []}, id="no embeddings"),
        pytest.param("rerank", RANKS, id="a ranking without id, usage, meta"),
        pytest.param("rerank", RANKS | {"results": []}, id="an empty ranking"),
        pytest.param("rerank", {"results": [{"index": 1, "score": 1}]}, id="a ranking that LiteLLM refuses"),
    ],
)
def test_a_plain_answer_arrives_as_the_upstream_sent_it(
    upstream: Upstream, wire: DialectName, answer: dict[str, Any]
) -> None:
    upstream.play(plain(answer))

    assert carrier().complete(asking(upstream, wire)) == answer


@each
@pytest.mark.parametrize(
    ("script", "options", "kind"),
    [
        pytest.param("status", {"status": 501}, UnsupportedEndpoint, id="501"),
        pytest.param("status", {"status": 405}, UnsupportedEndpoint, id="405"),
        pytest.param("status", {"status": 404, "message": "Not Found"}, UnsupportedEndpoint, id="no path"),
        pytest.param("status", {"status": 404, "message": "no model x"}, UpstreamRefused, id="no model"),
        pytest.param("status", {"status": 400}, UpstreamRefused, id="400"),
        pytest.param("busy", {"retry_after": "33"}, RateLimited, id="429"),
        pytest.param("status", {"status": 500}, UpstreamFailed, id="500"),
        pytest.param("html", {}, UpstreamGarbage, id="a page"),
        pytest.param("nothing", {}, UpstreamGarbage, id="nothing"),
        pytest.param("cut", {"cut": 2}, UpstreamCut, id="cut"),
    ],
)
def test_an_error_is_what_the_upstream_said_and_it_is_asked_once(
    upstream: Upstream, wire: DialectName, script: str, options: dict[str, Any], kind: type[GatewayError]
) -> None:
    upstream.script(script, **options)
    with pytest.raises(GatewayError) as raised:
        carrier().complete(asking(upstream, wire))

    assert type(raised.value) is kind
    assert len(upstream.requests) == 1
    assert "wire-model" not in str(raised.value)


@each
def test_a_target_that_is_not_there_is_unreachable(wire: DialectName) -> None:
    with pytest.raises(UpstreamUnreachable):
        carrier().complete(asking("http://127.0.0.1:9/v1", wire))


@each
def test_a_client_who_leaves_ends_the_request(upstream: Upstream, wire: DialectName) -> None:
    upstream.play(silent_after(b"", head=False))
    call, left = leaving(asking(upstream, wire))
    left.set()
    with pytest.raises(ClientLeft):
        carrier().complete(call)


# ─── streams of text ─────────────────────────────────────────────────────────────────────────────

USAGE = piece("") | {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}}


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([piece("a"), piece("b"), piece("", "stop"), USAGE], id="usage"),
        pytest.param(
            [piece("a"), piece("b", None, 1), piece("c", "stop"), piece("d", "length", 1)], id="two"
        ),
        pytest.param([*[piece("same")] * 150, piece("", "stop")], id="a hundred and fifty equal pieces"),
        pytest.param([piece(""), piece("<s>"), piece(""), piece("[DONE]", "odd")], id="odd pieces"),
        pytest.param([{"choices": [{"text": "a"}]}, {"choices": [{"finish_reason": "stop"}]}], id="bare"),
        pytest.param([piece("a") | {"prompt_progress": {"total": 2}}, piece("", "stop")], id="new fields"),
    ],
)
def test_a_stream_arrives_as_the_upstream_sent_it(upstream: Upstream, events: list[Event]) -> None:
    upstream.play(answering(events, done=True))

    assert chunks(carrier(), asking(upstream, "completions", stream=True)) == events


def test_a_stream_is_asked_for_with_the_client_s_own_fields(upstream: Upstream) -> None:
    body = PROMPT | {"stream_options": {"include_usage": True}}
    chunks(carrier(), asking(upstream, "completions", body, stream=True))

    assert upstream.last.json == {"model": "wire-model", "stream": True, **body}


def test_a_plain_answer_to_a_stream_is_its_event(upstream: Upstream) -> None:
    upstream.play(plain(piece("all of it", "stop")))

    assert chunks(carrier(), asking(upstream, "completions", stream=True)) == [piece("all of it", "stop")]


@pytest.mark.parametrize(
    ("script", "options", "kind"),
    [
        pytest.param("cut", {"cut": 2}, UpstreamCut, id="cut"),
        pytest.param("cut", {"cut": 0}, UpstreamCut, id="cut at once"),
        pytest.param("end", {"end": 3}, UpstreamCut, id="ended without a finish"),
        pytest.param("error-event", {"error": 2}, UpstreamFailed, id="an error in the middle"),
        pytest.param("status", {"status": 501}, UnsupportedEndpoint, id="501"),
        pytest.param("busy", {}, RateLimited, id="429"),
        pytest.param("html", {}, UpstreamGarbage, id="a page"),
    ],
)
def test_a_stream_that_breaks_is_that_error(
    upstream: Upstream, script: str, options: dict[str, Any], kind: type[GatewayError]
) -> None:
    upstream.script(script, **options)
    with pytest.raises(GatewayError) as raised:
        chunks(carrier(), asking(upstream, "completions", stream=True))

    assert type(raised.value) is kind
    assert len(upstream.requests) == 1


def test_a_stream_that_is_closed_early_ends_the_target_s_work(upstream: Upstream) -> None:
    event = b"data: " + dumps(piece("a")) + b"\n\n"
    upstream.play(silent_after(event))
    stream = carrier().stream(asking(upstream, "completions", stream=True))
    first = next(batch for batch in stream if batch)
    stream.close()

    assert first == [piece("a")]
    assert upstream.last.closed_early.wait(10)


# ─── other providers: embeddings ─────────────────────────────────────────────────────────────────

GEMINI = {"embeddings": [{"values": [0.25, -1.0]}, {"values": [0.5, 2.0]}]}
TEXTS = {"input": ["a", "b"]}


def floats(packed: str) -> list[float]:
    data = b64decode(packed)
    return list(struct.unpack(f"<{len(data) // 4}f", data))


def test_gemini_s_vectors_come_in_openai_s_shape_without_usage_that_nobody_told(upstream: Upstream) -> None:
    upstream.play(plain(GEMINI))
    answer = carrier().complete(asking(upstream, "embeddings", TEXTS, litellm_provider="gemini", api_key="k"))

    assert answer == {
        "object": "list",
        "data": [
            {"object": "embedding", "index": 0, "embedding": [0.25, -1.0]},
            {"object": "embedding", "index": 1, "embedding": [0.5, 2.0]},
        ],
    }


def test_vectors_are_packed_for_who_asks_for_base64_though_the_provider_does_not_know_it(
    upstream: Upstream,
) -> None:
    upstream.play(plain(GEMINI))
    body = TEXTS | {"encoding_format": "base64", "dimensions": 2, "user": "me"}  # as the OpenAI SDK asks
    answer = carrier().complete(asking(upstream, "embeddings", body, litellm_provider="gemini", api_key="k"))

    assert [floats(one["embedding"]) for one in answer["data"]] == [[0.25, -1.0], [0.5, 2.0]]
    assert [request["outputDimensionality"] for request in upstream.last.json["requests"]] == [2, 2]


@pytest.mark.parametrize("encoding", [None, "float", "base64"])
def test_azure_is_asked_for_floats(upstream: Upstream, encoding: str | None) -> None:
    body = TEXTS | {"encoding_format": encoding, "user": "me"}
    call = asking(
        upstream.base_url.removesuffix("/v1"),
        "embeddings",
        body,
        litellm_provider="azure",
        api_key="k",
        litellm_params={"api_version": "2024-10-21"},
    )
    answer = carrier().complete(call)

    assert upstream.last.json["encoding_format"] == "float"
    assert upstream.last.json["user"] == "me"
    assert isinstance(answer["data"][0]["embedding"], str if encoding == "base64" else list)


def test_an_answer_in_openai_s_shape_keeps_all_its_fields(upstream: Upstream) -> None:
    upstream.play(plain(VECTORS | {"usage": {"prompt_tokens": 3, "total_tokens": 3}}))
    answer = carrier().complete(
        asking(upstream, "embeddings", TEXTS, litellm_provider="mistral", api_key="k")
    )

    assert answer == VECTORS | {"usage": {"prompt_tokens": 3, "total_tokens": 3}}


def test_cohere_is_asked_at_its_embeddings_and_its_usage_is_told(upstream: Upstream) -> None:
    said = {"embeddings": {"float": [[0.25], [0.5]]}, "meta": {"billed_units": {"input_tokens": 7}}}
    upstream.play(plain(said))
    call = asking(
        f"{upstream.base_url.removesuffix('/v1')}/v2/chat",
        "embeddings",
        TEXTS | {"input_type": "search_query"},
        litellm_provider="cohere_chat",
        api_key="k",
    )
    answer = carrier().complete(call)

    assert upstream.last.path == "/v2/embed"
    assert upstream.last.json["input_type"] == "search_query"
    assert [one["embedding"] for one in answer["data"]] == [[0.25], [0.5]]
    assert answer["usage"] == {"prompt_tokens": 7, "total_tokens": 7}


def test_ollama_is_asked_at_its_embeddings(upstream: Upstream) -> None:
    upstream.play(plain({"model": "wire-model", "embeddings": [[0.25], [0.5]], "prompt_eval_count": 4}))
    call = asking(upstream.base_url.removesuffix("/v1"), "embeddings", TEXTS, litellm_provider="ollama_chat")
    answer = carrier().complete(call)

    assert upstream.last.path == "/api/embed"
    assert [one["embedding"] for one in answer["data"]] == [[0.25], [0.5]]
    assert answer["usage"] == {"prompt_tokens": 4, "total_tokens": 4}


def test_bedrock_s_titan_is_asked_once_for_each_text(upstream: Upstream) -> None:
    upstream.play(plain({"embedding": [0.25], "inputTextTokenCount": 2}))
    call = asking(
        upstream,
        "embeddings",
        TEXTS,
        model="amazon.titan-embed-text-v2:0",
        litellm_provider="bedrock",
        api_key="k",
        litellm_params={"aws_region_name": "us-east-1"},
    )
    answer = carrier().complete(call)

    assert [seen.json["inputText"] for seen in upstream.requests] == ["a", "b"]
    assert [one["embedding"] for one in answer["data"]] == [[0.25], [0.25]]
    assert answer["usage"] == {"prompt_tokens": 4, "total_tokens": 4}


def test_a_parameter_that_a_provider_does_not_have_is_refused_by_name(upstream: Upstream) -> None:
    body = TEXTS | {"dimensions": 3}
    with pytest.raises(BadRequest, match="dimensions") as raised:
        carrier().complete(asking(upstream, "embeddings", body, litellm_provider="mistral", api_key="k"))

    assert (raised.value.code, raised.value.param) == ("unsupported_parameter", "dimensions")
    assert upstream.requests == []


# ─── other providers: rankings ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("base", ["", "/v1/chat", "/v2/chat"])
def test_cohere_s_ranking_is_its_own(upstream: Upstream, base: str) -> None:
    said = {"id": "r", "results": [{"index": 1, "relevance_score": 0.5}], "meta": {"api_version": {"v": "2"}}}
    upstream.play(plain(said))
    where = upstream.base_url.removesuffix("/v1") + base
    answer = carrier().complete(asking(where, "rerank", litellm_provider="cohere_chat", api_key="k"))

    assert answer == said
    assert upstream.last.path == "/v2/rerank"
    assert upstream.last.header("via") == "1.1 localcode-test"


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        pytest.param(
            {"data": [{"index": 1, "relevance_score": 0.5}], "usage": {"total_tokens": 7}},
            {"results": [{"index": 1, "relevance_score": 0.5}], "usage": {"total_tokens": 7}},
            id="another shape, without an id and searches that nobody told",
        ),
        pytest.param(
            {"id": "r", "object": "list", "data": [{"index": 0, "relevance_score": 1.0}], "usage": {}},
            {"id": "r", "results": [{"index": 0, "relevance_score": 1.0}], "usage": {}},
            id="another shape, with an id",
        ),
    ],
)
def test_a_ranking_in_another_shape_is_translated(
    upstream: Upstream, said: dict[str, Any], answer: dict[str, Any]
) -> None:
    upstream.play(plain(said))

    assert carrier().complete(asking(upstream, "rerank", litellm_provider="voyage", api_key="k")) == answer


# ─── what LiteLLM or an alias cannot do ──────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("wire", "provider", "model"),
    [
        pytest.param("embeddings", "anthropic", "wire-model", id="embeddings of Anthropic"),
        pytest.param("embeddings", "groq", "wire-model", id="embeddings of Groq"),
        pytest.param("embeddings", "bedrock", "anthropic.wire-model", id="embeddings of a chat model"),
        pytest.param("rerank", "gemini", "wire-model", id="rankings of Gemini"),
        pytest.param("rerank", "anthropic", "wire-model", id="rankings of Anthropic"),
        pytest.param("rerank", "openrouter", "wire-model", id="rankings of OpenRouter"),
    ],
)
def test_what_litellm_has_not_for_a_provider_is_404_with_the_reason(
    upstream: Upstream, wire: DialectName, provider: str, model: str
) -> None:
    body = TEXTS if wire == "embeddings" else QUERY
    call = asking(upstream, wire, body, model=model, litellm_provider=provider, api_key="k")
    with pytest.raises(UnsupportedEndpoint, match=r"^'alias' has no .+: LiteLLM has none") as raised:
        carrier().complete(call)

    assert raised.value.status == 404
    assert provider not in str(raised.value)
    assert upstream.requests == []


# ─── other providers: texts by way of a chat ─────────────────────────────────────────────────────


def test_gemini_completes_a_text_by_way_of_a_chat(upstream: Upstream) -> None:
    upstream.play(plain(gemini({"text": "upon a time"}, finishReason="STOP")))
    body = {"prompt": ["Once"], "max_tokens": 9, "echo": False}
    answer = carrier().complete(asking(upstream, "completions", body, litellm_provider="gemini", api_key="k"))

    assert upstream.last.json["contents"] == [{"role": "user", "parts": [{"text": "Once"}]}]
    assert (answer["object"], answer["id"]) == ("text_completion", "resp-1")
    assert answer["choices"] == [
        {"index": 0, "text": "upon a time", "logprobs": None, "finish_reason": "stop"}
    ]
    assert answer["usage"]["prompt_tokens"] == 5


def test_gemini_streams_a_text_by_way_of_a_chat(upstream: Upstream) -> None:
    events = [
        gemini({"text": "upon "}),
        gemini({"text": "a time"}),
        gemini({"text": ""}, finishReason="STOP"),
    ]
    upstream.play(answering(events))
    body = {"prompt": "Once", "stream_options": {"include_usage": True}}
    said = chunks(
        carrier(), asking(upstream, "completions", body, stream=True, litellm_provider="gemini", api_key="k")
    )
    choices = [choice for event in said for choice in event["choices"]]

    assert "".join(choice["text"] for choice in choices) == "upon a time"
    assert [choice["finish_reason"] for choice in choices if choice["finish_reason"]] == ["stop"]
    assert {event["object"] for event in said} == {"text_completion"}
    assert said[-1]["usage"]["prompt_tokens"] == 5


def test_a_prompt_that_a_chat_cannot_do_is_refused_before_anything_is_sent(upstream: Upstream) -> None:
    body = {"prompt": "Once", "suffix": "the end"}
    with pytest.raises(BadRequest, match="'suffix'"):
        carrier().complete(asking(upstream, "completions", body, litellm_provider="gemini", api_key="k"))

    assert upstream.requests == []
