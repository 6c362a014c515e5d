"""How the small APIs are put to LiteLLM, field by field, and what of its answers counts."""

from __future__ import annotations

from typing import Any

import pytest

from app.types import Body, DialectName
from app.utils.litellm_small import answered, asked
from tests.fakes import target

VIA = "1.1 localcode-test"


def words(wire: DialectName, body: Body, **over: Any) -> dict[str, Any]:
    return asked(wire, {"model": "wire-id", **body}, target(**over), VIA).keywords


@pytest.mark.parametrize(
    ("wire", "body", "function", "model"),
    [
        ("completions", {"prompt": "a"}, "text_completion", "text-completion-openai/wire-id"),
        ("embeddings", {"input": "a"}, "embedding", "openai/wire-id"),
        ("rerank", {"query": "a", "documents": ["b"]}, "rerank", "hosted_vllm/wire-id"),
    ],
    ids=["completions", "embeddings", "rerank"],
)
def test_each_api_has_its_function_and_its_way_to_a_compatible_target(
    wire: DialectName, body: Body, function: str, model: str
) -> None:
    ask = asked(wire, {"model": "wire-id", **body}, target(headers={"x-team": "blue"}), VIA)

    assert (ask.function, ask.keywords["model"]) == (function, model)
    assert ask.keywords["api_base"] == "http://upstream.test/v1"
    assert ask.keywords["extra_headers"] == {"x-team": "blue", "Via": VIA}
    assert (ask.keywords["max_retries"], ask.keywords["num_retries"]) == (0, 0)
    assert (ask.ignored, ask.requests) == ((), 1)


@pytest.mark.parametrize(
    ("wire", "provider", "model"),
    [
        ("embeddings", "gemini", "gemini/wire-id"),
        ("embeddings", "cohere_chat", "cohere/wire-id"),
        ("embeddings", "ollama_chat", "ollama/wire-id"),
        ("rerank", "cohere_chat", "cohere/wire-id"),
        ("rerank", "together_ai", "together_ai/wire-id"),
    ],
)
def test_a_provider_is_named_as_litellm_names_it_for_the_api(
    wire: DialectName, provider: str, model: str
) -> None:
    body = {"input": "a"} if wire == "embeddings" else {"query": "a", "documents": ["b"]}

    assert words(wire, body, litellm_provider=provider)["model"] == model


@pytest.mark.parametrize(
    ("wire", "provider", "base", "expected"),
    [
        ("embeddings", "cohere_chat", "https://api.cohere.com/v2/chat", "https://api.cohere.com/v2/embed"),
        ("embeddings", "gemini", "https://g.test/v1beta", "https://g.test/v1beta"),
        ("rerank", "cohere_chat", "https://api.cohere.com/v2/chat", "https://api.cohere.com"),
        ("rerank", "cohere_chat", "https://api.cohere.com/v1/chat", "https://api.cohere.com"),
        ("rerank", "jina_ai", "https://api.jina.ai/v1", "https://api.jina.ai/v1"),
    ],
)
def test_an_address_for_chat_is_made_one_for_the_api(
    wire: DialectName, provider: str, base: str, expected: str
) -> None:
    body = {"input": "a"} if wire == "embeddings" else {"query": "a", "documents": ["b"]}

    assert words(wire, body, litellm_provider=provider, base_url=base)["api_base"] == expected


def test_without_an_address_litellm_knows_it() -> None:
    assert "api_base" not in words("embeddings", {"input": "a"}, litellm_provider="cohere_chat", base_url="")


@pytest.mark.parametrize(
    ("wire", "provider"),
    [
        ("completions", None),
        ("embeddings", None),
        ("embeddings", "gemini"),
        ("rerank", None),
        ("rerank", "x"),
    ],
)
def test_a_body_gives_litellm_no_orders(wire: DialectName, provider: str | None) -> None:
    body = {"prompt": "a", "input": "a", "query": "q", "documents": ["a"]}
    orders = {"api_base": "http://127.0.0.1:9", "aws_region_name": "x", "metadata": {}, "client": 1}
    made = words(wire, body | orders, litellm_provider=provider)

    assert made["api_base"] == "http://upstream.test/v1"
    assert not {"aws_region_name", "metadata", "client"} & made.keys()
    assert not {"aws_region_name", "client"} & made.get("extra_body", {}).keys()


def test_what_is_not_sent_is_named_for_the_log() -> None:
    body = {"model": "wire-id", "input": "a", "user": "me", "encoding_format": "base64", "x_unheard_of": 1}

    assert asked("embeddings", body, target(litellm_provider="gemini"), VIA).ignored == (
        "user",
        "x_unheard_of",
    )


def test_documents_come_back_only_to_who_asks_for_them() -> None:
    body = {"query": "a", "documents": ["b"]}

    assert words("rerank", body)["return_documents"] is None
    assert words("rerank", body | {"return_documents": True})["return_documents"] is True


@pytest.mark.parametrize(
    ("given", "requests"), [("a", 1), (["a"], 1), (["a", "b", "c"], 3)], ids=["a text", "one", "three"]
)
def test_bedrock_may_be_asked_for_each_text(given: Any, requests: int) -> None:
    body = {"model": "wire-id", "input": given}

    assert asked("embeddings", body, target(litellm_provider="bedrock"), VIA).requests == requests


# ─── answers ─────────────────────────────────────────────────────────────────────────────────────

COUNTED = {"prompt_tokens": 3, "completion_tokens": 0, "total_tokens": 3, "prompt_tokens_details": None}
PACKED = "AACAPg=="  # 0.25


def vectors(vector: Any, **more: Any) -> dict[str, Any]:
    return {"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": vector}], **more}


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        pytest.param({"embeddings": [{"values": [0.25]}]}, False, id="Gemini tells nothing"),
        pytest.param({"embeddings": [[0.25]], "prompt_eval_count": 3}, True, id="Ollama"),
        pytest.param({"embedding": [0.25], "inputTextTokenCount": 3}, True, id="Bedrock"),
        pytest.param({"predictions": [{"statistics": {"token_count": 3}}]}, True, id="Vertex"),
        pytest.param({"meta": {"billed_units": {"input_tokens": 3}}}, True, id="Cohere"),
        pytest.param(None, False, id="nothing is known"),
    ],
)
def test_usage_counts_only_if_the_provider_told_it(raw: Any, told: bool) -> None:
    answer = answered("embeddings", vectors([0.25], usage=COUNTED), raw, {})

    assert answer == vectors([0.25], **({"usage": {"prompt_tokens": 3, "total_tokens": 3}} if told else {}))


@pytest.mark.parametrize(
    ("vector", "encoding", "expected"),
    [
        ([0.25], None, [0.25]),
        ([0.25], "float", [0.25]),
        ([0.25], "base64", PACKED),
        (PACKED, "base64", PACKED),
        (PACKED, "float", [0.25]),
        (PACKED, None, [0.25]),
        (None, "base64", None),
    ],
)
def test_vectors_have_the_form_that_was_asked_for(vector: Any, encoding: str | None, expected: Any) -> None:
    own = vectors(vector, x_unheard_of=1)

    assert answered("embeddings", {}, own, {"encoding_format": encoding}) == vectors(expected, x_unheard_of=1)
    assert answered("embeddings", vectors(vector), {}, {"encoding_format": encoding}) == vectors(expected)


MADE_UP = {
    "id": "of-litellm",
    "results": [{"index": 0, "relevance_score": 1.0}],
    "meta": {"billed_units": {"search_units": 7}},
}


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        pytest.param({"results": [], "x_unheard_of": 1}, {"results": [], "x_unheard_of": 1}, id="its own"),
        pytest.param(
            {"data": [], "usage": {"total_tokens": 7}},
            {"results": MADE_UP["results"], "usage": {"total_tokens": 7}},
            id="another shape",
        ),
        pytest.param([{"index": 0, "score": 1.0}], {"results": MADE_UP["results"]}, id="a bare list"),
        pytest.param(None, {"results": MADE_UP["results"]}, id="nothing is known"),
    ],
)
def test_of_a_ranking_nothing_is_made_up(raw: Any, expected: dict[str, Any]) -> None:
    assert answered("rerank", MADE_UP, raw, {}) == expected
