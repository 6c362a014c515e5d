"""Claude Code, Codex and the SDKs with a real llama-server: relayed in their own dialect, and translated."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

from tests.agents.claude import ClaudeCode
from tests.agents.codex import Codex
from tests.agents.llama import LlamaServer, make_models, serving, until
from tests.agents.ways import NATIVE, files_that_name
from tests.gateway import Gateway, config, running

pytestmark = pytest.mark.full

ALIASES = {
    "native": {"id": "wire-of-tiny", "options": {"localcode": NATIVE}},
    "chat": "wire-of-tiny",
    "lite": {"id": "wire-of-tiny", "options": {"localcode": {"carrier": "litellm"}}},
}

each = pytest.mark.parametrize("alias", ALIASES)


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaServer]:
    with serving(make_models(tmp_path_factory.mktemp("models")) / "tiny-chat.gguf") as server:
        yield server


@pytest.fixture(scope="module")
def gateway(llama: LlamaServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running(tmp_path_factory.mktemp("gateway"), config(f"{llama.url}/v1", ALIASES)) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def claude(gateway: Gateway) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=gateway.url, api_key="sk-of-the-client", max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
def gpt(gateway: Gateway) -> Iterator[openai.OpenAI]:
    url = f"{gateway.url}/v1"
    with openai.OpenAI(base_url=url, api_key="sk-of-the-client", max_retries=0) as client:
        yield client


# ------------------------------------------------------------------------- the agents


@each
def test_claude_code_runs_what_the_model_calls_and_tells_its_last_words(
    gateway: Gateway, tmp_path: Path, alias: str
) -> None:
    agent = ClaudeCode(tmp_path, gateway.url)
    few = ["--tools", "Bash,Edit,Write", "--system-prompt", "You help."]
    run = agent.ask(alias, "Say hello.", *few)
    blocks = [
        block for event in run.events if event["type"] == "assistant" for block in event["message"]["content"]
    ]

    assert run.status == 0, run.out + run.err
    assert [block["type"] for block in blocks] == ["tool_use", "text"]
    assert run.said == blocks[1]["text"]
    assert "wire-of" not in run.out + run.err
    assert files_that_name("wire-of", agent.home) == []


def test_claude_code_says_what_does_not_fit(gateway: Gateway, tmp_path: Path) -> None:
    run = ClaudeCode(tmp_path, gateway.url).ask("native", "Say hello.")

    assert run.result["terminal_reason"] == "prompt_too_long"
    assert "limit 32768" in run.said


@pytest.mark.parametrize("alias", ["native", "chat"])
def test_codex_comes_to_an_answer(gateway: Gateway, tmp_path: Path, alias: str) -> None:
    agent = Codex(tmp_path, gateway.url)
    run = agent.ask(alias, "Say hello.")

    assert run.status == 0, run.out + run.err
    assert run.said
    assert run.events[-1]["usage"]["input_tokens"] > 10_000
    assert "wire-of" not in run.out + run.err
    assert files_that_name("wire-of", agent.home) == []


# --------------------------------------------------------------------------- the SDKs

ASKED = {"max_tokens": 300, "messages": [{"role": "user", "content": "What is the weather?"}]}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


@each
def test_messages_says_the_same_plain_and_streamed(claude: anthropic.Anthropic, alias: str) -> None:
    asked: dict[str, Any] = {"model": alias, **ASKED, "max_tokens": 40}
    plain = claude.messages.create(**asked)
    with claude.messages.stream(**asked) as events:
        streamed = events.get_final_message()

    assert [block.to_dict() for block in plain.content] == [block.to_dict() for block in streamed.content]
    assert plain.model == streamed.model == alias
    assert plain.stop_reason == streamed.stop_reason
    assert plain.usage.output_tokens == streamed.usage.output_tokens
    assert "wire-of" not in plain.to_json() + streamed.to_json()


@each
def test_a_tool_of_messages_is_called_and_its_result_ends_the_loop(
    claude: anthropic.Anthropic, alias: str
) -> None:
    asked: dict[str, Any] = {"model": alias, **ASKED, "tools": [{"name": "weather", "input_schema": SCHEMA}]}
    with claude.messages.stream(**asked) as events:
        first = events.get_final_message()
    call = first.content[-1]
    assert call.type == "tool_use"
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "sunny"}
    turns = [{"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
    second = claude.messages.create(**asked | {"messages": [*asked["messages"], *turns]})

    assert (first.stop_reason, call.name, set(call.input)) == ("tool_use", "weather", {"city"})
    assert [block.type for block in second.content] == ["text"]


@pytest.mark.parametrize("alias", ["native", "chat"])
def test_tokens_are_counted_as_they_are_billed(claude: anthropic.Anthropic, alias: str) -> None:
    messages: Any = [{"role": "user", "content": "How many tokens are these words, and those? " * 30}]
    counted = claude.messages.count_tokens(model=alias, messages=messages).input_tokens
    usage = claude.messages.create(model=alias, max_tokens=1, messages=messages).usage
    billed = usage.input_tokens + (usage.cache_read_input_tokens or 0)

    assert counted == pytest.approx(billed, rel=0.1)


@each
def test_responses_says_the_same_plain_and_streamed(gpt: openai.OpenAI, alias: str) -> None:
    asked: dict[str, Any] = {"model": alias, "input": "Hello there", "max_output_tokens": 40}
    plain = gpt.responses.create(**asked)
    with gpt.responses.create(**asked, stream=True) as events:
        *_, last = events

    assert last.type in ("response.completed", "response.incomplete")
    assert last.response.output_text == plain.output_text
    assert plain.model == last.response.model == alias
    assert "wire-of" not in plain.to_json() + last.to_json()


@each
def test_a_tool_of_responses_is_called_and_its_result_ends_the_loop(gpt: openai.OpenAI, alias: str) -> None:
    items: list[Any] = [{"role": "user", "content": "What is the weather?"}]
    tools: Any = [{"type": "function", "name": "weather", "strict": False, "parameters": SCHEMA}]
    with gpt.responses.stream(model=alias, input=items, tools=tools) as events:
        call = events.get_final_response().output[-1]
    assert call.type == "function_call"
    said: Any = {
        "type": "function_call",
        "call_id": call.call_id,
        "name": call.name,
        "arguments": call.arguments,
    }
    result: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}
    second = gpt.responses.create(model=alias, input=[*items, said, result], tools=tools)

    assert (call.name, set(json.loads(call.arguments))) == ("weather", {"city"})
    assert second.output_text
    assert "function_call" not in [item.type for item in second.output]


@each
def test_too_long_a_prompt_is_told_in_each_dialects_words(
    claude: anthropic.Anthropic, gpt: openai.OpenAI, alias: str
) -> None:
    words = "word " * 40_000
    with pytest.raises(anthropic.BadRequestError, match=r"prompt is too long: \d+ tokens > 32768 maximum"):
        claude.messages.create(model=alias, max_tokens=9, messages=[{"role": "user", "content": words}])
    with pytest.raises(openai.BadRequestError) as caught:
        gpt.responses.create(model=alias, input=words)

    assert caught.value.code == "context_length_exceeded"


@each
def test_a_client_that_leaves_a_stream_frees_the_slot(
    claude: anthropic.Anthropic, llama: LlamaServer, alias: str
) -> None:
    asked: dict[str, Any] = {"model": alias, **ASKED, "max_tokens": 30_000}
    with claude.messages.stream(**asked, extra_body={"ignore_eos": True}) as events:
        next(iter(events))

    # More than a second apart: a question about slots restarts the timer by which it notices.
    until(lambda: not llama.slot()["is_processing"], every=1.2, timeout=20)
