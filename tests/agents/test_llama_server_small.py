"""Text completions, embeddings and rankings of a real llama-server, and what one says that lacks them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
import requests

from tests.agents.llama import make_models, serving
from tests.gateway import Gateway, config, running

pytestmark = pytest.mark.full

both = pytest.mark.parametrize("carrier", ["relay", "litellm"])


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Aliases for a chat model, one that embeds and one that ranks, each by either carrier."""
    models = make_models(tmp_path_factory.mktemp("models"))
    with (
        serving(models / "tiny-chat.gguf") as chat,
        serving(models / "tiny-embed.gguf", "--embedding") as embed,
        serving(models / "tiny-rerank.gguf", "--reranking") as rank,
        running(_home(tmp_path_factory), _settings(chat=chat.url, embed=embed.url, rank=rank.url)) as gateway,
    ):
        yield gateway


def _home(factory: pytest.TempPathFactory) -> Path:
    return factory.mktemp("gateway")


def _settings(**servers: str) -> dict[str, Any]:
    providers = {}
    for name, url in servers.items():
        aliases = {
            f"{name}-{carrier}": {"id": "wire-of-tiny", "options": {"localcode": {"carrier": carrier}}}
            for carrier in ("relay", "litellm")
        }
        providers[name] = config(f"{url}/v1", aliases)["provider"]["up"]
    return {"provider": providers}


@pytest.fixture(scope="module")
def client(gateway: Gateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="any", max_retries=0) as made:
        yield made


def rank(gateway: Gateway, alias: str, **more: Any) -> requests.Response:
    body = {"model": alias, "query": "a fast car", "documents": ["a slow train", "a fast car", "tea"], **more}
    return requests.post(f"{gateway.url}/v1/rerank", json=body, timeout=60)


@both
def test_a_text_streams_as_it_is_when_plain(client: openai.OpenAI, carrier: str) -> None:
    asked: dict[str, Any] = {"model": f"chat-{carrier}", "prompt": "Once upon", "max_tokens": 12}
    plain = client.completions.create(**asked)
    with client.completions.create(**asked, stream=True) as stream:
        events = list(stream)

    assert plain.choices[0].text
    assert plain.choices[0].finish_reason in ("stop", "length")
    assert "".join(choice.text for event in events for choice in event.choices) == plain.choices[0].text
    assert {event.model for event in events} | {plain.model} == {f"chat-{carrier}"}


@both
def test_equal_texts_have_equal_vectors(client: openai.OpenAI, carrier: str) -> None:
    packed = client.embeddings.create(model=f"embed-{carrier}", input=["one", "two", "one"])
    numbers = client.embeddings.create(model=f"embed-{carrier}", input="one", encoding_format="float")
    one, two, again = (entry.embedding for entry in packed.data)

    assert one == again != two
    assert one == pytest.approx(numbers.data[0].embedding, abs=1e-6)
    assert packed.model == f"embed-{carrier}"
    assert packed.usage.prompt_tokens > 0


@both
def test_documents_are_ranked(gateway: Gateway, carrier: str) -> None:
    answer = rank(gateway, f"rank-{carrier}").json()
    scores = [one["relevance_score"] for one in answer["results"]]

    assert answer["model"] == f"rank-{carrier}"
    assert sorted(one["index"] for one in answer["results"]) == [0, 1, 2]
    assert scores == sorted(scores, reverse=True)
    assert len(rank(gateway, f"rank-{carrier}", top_n=1).json()["results"]) == 1


@both
def test_a_server_that_was_not_started_for_it_is_404_with_its_reason(
    gateway: Gateway, client: openai.OpenAI, carrier: str
) -> None:
    with pytest.raises(openai.NotFoundError, match=f"'chat-{carrier}' has no embeddings: .+501") as vectors:
        client.embeddings.create(model=f"chat-{carrier}", input="one")
    ranks = rank(gateway, f"chat-{carrier}")

    assert vectors.value.code == ranks.json()["error"]["code"] == "endpoint_not_supported"
    assert ranks.status_code == 404
    assert "--rerank" in ranks.json()["error"]["message"]
