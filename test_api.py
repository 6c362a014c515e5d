"""Asks a running gateway through the real `openai` SDK.

    python test_api.py http://127.0.0.1:4242 [--key KEY] [--model echo]

Under pytest it asks the gateway at LOCALCODE_TEST_URL (with LOCALCODE_TEST_KEY and
LOCALCODE_TEST_MODEL), or one that it starts itself from the shipped opencode.json.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from openai import BadRequestError, NotFoundError, OpenAI

HELLO: Any = [{"role": "user", "content": "Say hello."}]


@dataclass(frozen=True, slots=True)
class Api:
    """A gateway to ask."""

    url: str
    key: str = "none"
    model: str = "echo"

    @property
    def client(self) -> OpenAI:
        return OpenAI(base_url=f"{self.url}/v1", api_key=self.key, max_retries=0, timeout=120)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    if url := os.environ.get("LOCALCODE_TEST_URL"):
        model = os.environ.get("LOCALCODE_TEST_MODEL", "echo")
        yield Api(url.rstrip("/"), os.environ.get("LOCALCODE_TEST_KEY", "none"), model)
        return
    from tests.gateway import ROOT, running

    with running(tmp_path_factory.mktemp("api"), ROOT / "opencode.json") as gateway:
        yield Api(gateway.url)


@pytest.fixture(scope="module")
def client(api: Api) -> Iterator[OpenAI]:
    with api.client as client:
        yield client


def test_the_models_are_listed_by_their_aliases(client: OpenAI, api: Api) -> None:
    assert api.model in [model.id for model in client.models.list()]


def test_one_model_can_be_looked_up(client: OpenAI, api: Api) -> None:
    assert client.models.retrieve(api.model).id == api.model


def test_a_plain_answer_has_text_a_finish_and_the_alias(client: OpenAI, api: Api) -> None:
    answer = client.chat.completions.create(model=api.model, messages=HELLO)

    assert answer.object == "chat.completion"
    assert answer.model == api.model
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "stop"


def test_a_stream_has_text_one_finish_and_the_alias_on_every_chunk(client: OpenAI, api: Api) -> None:
    with client.chat.completions.create(model=api.model, messages=HELLO, stream=True) as stream:
        chunks = list(stream)
    choices = [choice for chunk in chunks for choice in chunk.choices]

    assert "".join(choice.delta.content or "" for choice in choices)
    assert [choice.finish_reason for choice in choices if choice.finish_reason] == ["stop"]
    assert {chunk.model for chunk in chunks} == {api.model}
    assert all(chunk.usage is None for chunk in chunks)


def test_a_stream_says_what_the_plain_answer_says(client: OpenAI, api: Api) -> None:
    asked: Any = {"model": api.model, "messages": HELLO, "temperature": 0}
    plain = client.chat.completions.create(**asked).choices[0].message.content
    with client.chat.completions.stream(**asked) as stream:
        streamed = stream.get_final_completion().choices[0].message.content

    assert bool(streamed) == bool(plain)
    if api.model == "echo":
        assert streamed == plain


def test_usage_comes_at_the_end_of_a_stream_when_asked_for(client: OpenAI, api: Api) -> None:
    options: Any = {"include_usage": True}
    with client.chat.completions.create(
        model=api.model, messages=HELLO, stream=True, stream_options=options
    ) as stream:
        chunks = list(stream)

    assert all(chunk.usage is None for chunk in chunks[:-1])
    assert chunks[-1].choices == [] or chunks[-1].choices[0].finish_reason


def test_the_alias_may_carry_its_providers_name(client: OpenAI, api: Api) -> None:
    answer = client.chat.completions.create(model=f"localcode/{api.model}", messages=HELLO)

    assert answer.choices[0].message.content


def test_an_unknown_model_is_a_not_found_error_that_names_the_like(client: OpenAI, api: Api) -> None:
    with pytest.raises(NotFoundError) as caught:
        client.chat.completions.create(model=f"{api.model}x", messages=HELLO)

    assert caught.value.code == "model_not_found"
    assert api.model in caught.value.message


@pytest.mark.parametrize("stream", [False, True])
def test_wrong_types_are_a_bad_request_error(client: OpenAI, api: Api, stream: Any) -> None:
    wrong: Any = "Hello"
    with pytest.raises(BadRequestError) as caught:
        client.chat.completions.create(model=api.model, messages=wrong, stream=stream)

    assert caught.value.param == "messages"
    assert caught.value.type == "invalid_request_error"


def test_the_request_id_of_the_client_comes_back(client: OpenAI, api: Api) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model=api.model, messages=HELLO, extra_headers={"x-request-id": "of-the-test-1"}
    )

    assert raw.headers["x-request-id"] == "of-the-test-1"
    assert raw.headers["x-localcode-target"]


def test_a_request_id_is_made_where_the_client_has_none(client: OpenAI, api: Api) -> None:
    raw = client.models.with_raw_response.list()

    assert raw.headers["x-request-id"]


def test_it_says_that_it_is_healthy(api: Api) -> None:
    health = requests.get(f"{api.url}/health", timeout=30)

    assert health.json()["status"] == "ok"


def main() -> int:
    parser = argparse.ArgumentParser(description="Checks a running gateway through the openai SDK.")
    parser.add_argument("url", help="for example http://127.0.0.1:4242")
    parser.add_argument("--key", default="none", help="a key of the gateway's clients")
    parser.add_argument("--model", default="echo", help="the alias to ask for")
    given = parser.parse_args()
    os.environ |= {
        "LOCALCODE_TEST_URL": given.url,
        "LOCALCODE_TEST_KEY": given.key,
        "LOCALCODE_TEST_MODEL": given.model,
    }
    return pytest.main([str(Path(__file__)), "-q"])


if __name__ == "__main__":
    sys.exit(main())
