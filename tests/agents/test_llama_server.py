"""A real llama-server with a tiny model as a target."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.agents.llama import LlamaServer, make_models, serving, until
from tests.gateway import Gateway, config, free_port, running, stop

pytestmark = pytest.mark.full

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def llama(models: Path) -> Iterator[LlamaServer]:
    with serving(models / "tiny-chat.gguf") as server:
        yield server


@pytest.fixture(scope="module")
def gateway(llama: LlamaServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    lite = {"id": "wire-of-tiny", "options": {"localcode": {"carrier": "litellm"}}}
    settings = config(f"{llama.url}/v1", {"tiny": "wire-of-tiny", "lite": lite})
    with running(tmp_path_factory.mktemp("gateway"), settings) as gateway:
        yield gateway


def ask(gateway: Gateway, alias: str, timeout: float = 60, **body: Any) -> requests.Response:
    asked = {
        "model": alias,
        "messages": [{"role": "user", "content": "Hello there"}],
        "max_tokens": 60,
    } | body
    url = f"{gateway.url}/v1/chat/completions"
    return requests.post(url, json=asked, stream=bool(body.get("stream")), timeout=timeout)


def chunks(reply: requests.Response) -> list[dict[str, Any]]:
    lines = (line.removeprefix(b"data: ") for line in reply.iter_lines() if line.startswith(b"data: "))
    return [json.loads(line) for line in lines if line != b"[DONE]"]


ENDLESS = {"max_tokens": -1, "ignore_eos": True}
"""The junk goes on until the context is full, for more than a minute."""


def wait_until_free(llama: LlamaServer) -> None:
    # More than a second apart: a question about slots restarts the timer by which this server
    # notices that the client of a plain request has left.
    until(lambda: not llama.slot()["is_processing"], every=1.2, timeout=20)


both = pytest.mark.parametrize("alias", ["tiny", "lite"])


@both
def test_a_plain_answer_has_the_alias_and_the_timings(gateway: Gateway, alias: str) -> None:
    answer = ask(gateway, alias).json()

    assert answer["model"] == alias
    assert answer["choices"][0]["message"]["content"]
    assert answer["timings"]["predicted_n"] == answer["usage"]["completion_tokens"]
    assert "wire-of-tiny" not in str(answer)


@both
def test_a_stream_says_the_same_as_the_plain_answer(gateway: Gateway, alias: str) -> None:
    plain = ask(gateway, alias).json()
    made = chunks(ask(gateway, alias, stream=True))
    said = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in made if chunk["choices"])

    assert said == plain["choices"][0]["message"]["content"]
    assert {chunk["model"] for chunk in made} == {alias}


def test_the_timings_come_with_the_usage_of_a_stream(gateway: Gateway) -> None:
    last = chunks(ask(gateway, "tiny", stream=True, stream_options={"include_usage": True}))[-1]

    assert last["timings"]["predicted_n"] == last["usage"]["completion_tokens"]


@both
def test_a_tool_is_called_and_its_result_ends_the_loop(gateway: Gateway, alias: str) -> None:
    question = {"role": "user", "content": "What is the weather?"}
    first = ask(gateway, alias, messages=[question], tools=[WEATHER], max_tokens=300).json()["choices"][0]
    call = first["message"]["tool_calls"][0]
    result = {"role": "tool", "tool_call_id": call["id"], "content": "sunny"}
    history = [question, first["message"], result]
    second = ask(gateway, alias, messages=history, tools=[WEATHER], max_tokens=300).json()["choices"][0]

    assert (first["finish_reason"], call["function"]["name"]) == ("tool_calls", "get_weather")
    assert second["message"]["content"]
    assert not second["message"].get("tool_calls")


@both
def test_too_long_a_prompt_is_400_context_length_exceeded(gateway: Gateway, alias: str) -> None:
    reply = ask(gateway, alias, messages=[{"role": "user", "content": "word " * 40_000}])

    assert reply.status_code == 400
    assert reply.json()["error"]["code"] == "context_length_exceeded"


@both
def test_a_client_that_leaves_a_stream_frees_the_slot(
    gateway: Gateway, llama: LlamaServer, alias: str
) -> None:
    with ask(gateway, alias, stream=True, **ENDLESS) as reply:
        next(reply.iter_lines())

    wait_until_free(llama)


@both
def test_a_client_that_leaves_a_plain_request_frees_the_slot(
    gateway: Gateway, llama: LlamaServer, alias: str
) -> None:
    with pytest.raises(requests.exceptions.ReadTimeout):
        ask(gateway, alias, timeout=0.3, **ENDLESS)

    wait_until_free(llama)


def test_a_server_that_is_being_started_is_an_error_that_gets_better(models: Path, tmp_path: Path) -> None:
    port = free_port()
    with running(tmp_path, config(f"http://127.0.0.1:{port}/v1", {"tiny": "wire-of-tiny"})) as gateway:
        statuses = [ask(gateway, "tiny").status_code]
        server = LlamaServer(models / "tiny-chat.gguf", port=port)
        try:
            while statuses[-1] != 200:
                statuses.append(ask(gateway, "tiny").status_code)
        finally:
            stop(server.process)

    assert set(statuses[:-1]) <= {502, 503}
