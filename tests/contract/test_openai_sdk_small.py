"""The openai SDK as a client of text completions and embeddings, over both carriers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.gateway import Gateway
from tests.upstream import Upstream
from tests.upstream.embeddings import vector

TEXT = "Hello from the upstream, with ünïcödé 漢字 😀."


@pytest.fixture(scope="module")
def client(gateway_of_the_session: Gateway) -> Iterator[openai.OpenAI]:
    url = f"{gateway_of_the_session.url}/v1"
    with openai.OpenAI(base_url=url, api_key="sk-of-the-client", max_retries=0) as made:
        yield made


@pytest.fixture(autouse=True)
def _nothing_remembered(upstream: Upstream) -> None:
    """Each test sees its own requests only."""


def test_a_text_is_completed(client: openai.OpenAI, alias: str) -> None:
    answer = client.completions.create(model=alias, prompt="Once", max_tokens=9)

    assert (answer.model, answer.object) == (alias, "text_completion")
    assert (answer.choices[0].text, answer.choices[0].finish_reason) == (TEXT, "stop")
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == 21


def test_a_text_is_streamed(client: openai.OpenAI, alias: str) -> None:
    with client.completions.create(
        model=alias, prompt="Once", stream=True, stream_options={"include_usage": True}
    ) as stream:
        events = list(stream)
    choices = [choice for event in events for choice in event.choices]

    assert {event.model for event in events} == {alias}
    assert "".join(choice.text for choice in choices) == TEXT
    assert choices[-1].finish_reason == "stop"
    assert events[-1].usage is not None


def test_a_stream_that_breaks_is_an_error(client: openai.OpenAI, upstream: Upstream, alias: str) -> None:
    upstream.script("error-event", pace=5)
    with (
        pytest.raises(openai.APIError, match="The engine broke"),
        client.completions.create(model=alias, prompt="Once", stream=True) as stream,
    ):
        list(stream)


@pytest.mark.parametrize(
    "given", ["alpha", ["alpha", "beta"], [5, 6, 7], [[5, 6], [7]]], ids=["text", "texts", "tokens", "lists"]
)
def test_vectors_are_what_the_target_made(client: openai.OpenAI, alias: str, given: Any) -> None:
    answer = client.embeddings.create(model=alias, input=given)  # asks for base64 and unpacks it
    pieces = given if isinstance(given, list) and not isinstance(given[0], int) else [given]

    assert answer.model == alias
    assert [one.embedding for one in answer.data] == [vector(piece) for piece in pieces]
    assert answer.usage.prompt_tokens == len(pieces)


def test_vectors_come_as_numbers_to_who_asks_for_them(
    client: openai.OpenAI, upstream: Upstream, alias: str
) -> None:
    answer = client.embeddings.create(model=alias, input="alpha", encoding_format="float", dimensions=3)

    assert answer.data[0].embedding == vector("alpha", 3)
    assert (upstream.last.json["encoding_format"], upstream.last.json["dimensions"]) == ("float", 3)


def test_what_a_target_lacks_is_not_found(client: openai.OpenAI, upstream: Upstream, alias: str) -> None:
    upstream.script("status", status=501, message="This server does not support embeddings.")
    with pytest.raises(openai.NotFoundError, match="has no embeddings") as raised:
        client.embeddings.create(model=alias, input="alpha")

    assert raised.value.code == "endpoint_not_supported"
