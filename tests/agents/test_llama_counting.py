"""A real llama-server counts for itself, and what it counts is what it bills."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.agents.llama import LlamaServer, make_models, serving
from tests.gateway import Gateway, config, running

pytestmark = pytest.mark.full

TOOL = {
    "name": "get_weather",
    "description": "The weather of a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
HELLO: dict[str, Any] = {"system": "Be brief.", "messages": [{"role": "user", "content": "Hello there"}]}


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaServer]:
    with serving(make_models(tmp_path_factory.mktemp("models")) / "tiny-chat.gguf") as server:
        yield server


@pytest.fixture(scope="module")
def gateway(llama: LlamaServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    native = {"id": "wire-of-tiny", "options": {"localcode": {"dialects": ["chat", "messages"]}}}
    settings = config(f"{llama.url}/v1", {"chat": "wire-of-tiny", "native": native})
    with running(tmp_path_factory.mktemp("gateway"), settings) as gateway:
        yield gateway


@pytest.mark.parametrize("body", [HELLO, HELLO | {"tools": [TOOL]}], ids=["text", "tools"])
@pytest.mark.parametrize("alias", ["chat", "native"])
def test_the_count_is_the_bill(alias: str, body: dict[str, Any], gateway: Gateway) -> None:
    asked, url = {"model": alias} | body, f"{gateway.url}/v1/messages"

    counted = requests.post(f"{url}/count_tokens", json=asked, timeout=60)
    usage = requests.post(url, json=asked | {"max_tokens": 1}, timeout=60).json()["usage"]

    assert counted.json() == {"input_tokens": usage["input_tokens"] + usage.get("cache_read_input_tokens", 0)}
