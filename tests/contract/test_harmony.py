"""A target that gives raw Harmony, through the real gateway: chat, Messages and Responses see none of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
import requests

from tests.gateway import Gateway, config, running
from tests.upstream import Upstream

SECRET = "zebra-secret"
THINK = f"<|channel|>analysis<|message|>{SECRET}<|end|>"
ANSWER = f"{THINK}<|start|>assistant<|channel|>final<|message|>The answer is 7.<|return|>"
HEADER = "<|channel|>commentary to=functions.bash <|constrain|>json<|message|>"
CALL = f'{THINK}<|start|>assistant{HEADER}{{"command":"ls"}}<|call|>'
SPOILT = (
    f"<|channel|>analysis<|message|>{SECRET}<|end|><|start|>assistant<|channel|>??<|message|>{SECRET}<|end|>"
)

BASH = {"command": {"type": "string"}}


def wire(said: str, **options: Any) -> str:
    """A wire id by which the scripted upstream says just that, in small pieces."""
    return "text?" + urlencode({"say": said, "n": 23, **options})


ALIASES: dict[str, Any] = {
    "answer": {"id": wire(ANSWER), "options": {"localcode": {"harmony": True}}},
    "shown": {"id": wire(ANSWER), "options": {"localcode": {"harmony": True, "reasoning": "expose"}}},
    "call": {"id": wire(CALL), "options": {"localcode": {"harmony": True}}},
    "spoilt": {"id": wire(SPOILT), "options": {"localcode": {"harmony": True}}},
    "in-chat": {"id": wire(ANSWER), "options": {"localcode": {"harmony": "chat"}}},
}


@pytest.fixture(scope="module")
def raw(upstream_of_the_session: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    settings = config(upstream_of_the_session.base_url, ALIASES)
    with running(tmp_path_factory.mktemp("harmony"), settings, LOCALCODE_LOG_LEVEL="INFO") as gateway:
        yield gateway


CHAT = "/v1/chat/completions"
MESSAGES = "/v1/messages"
RESPONSES = "/v1/responses"


def body(path: str, alias: str, **fields: Any) -> dict[str, Any]:
    function = {"name": "bash", "parameters": {"type": "object", "properties": BASH}}
    if path == RESPONSES:
        tools: Any = [{"type": "function", **function}]
        return {"model": alias, "input": "Hi", "tools": tools, **fields}
    tools = [{"type": "function", "function": function}]
    if path == MESSAGES:
        tools = [{"name": "bash", "input_schema": function["parameters"]}]
    return {
        "model": alias,
        "messages": [{"role": "user", "content": "Hi"}],
        "max_tokens": 99,
        "tools": tools,
    } | fields


def ask(gateway: Gateway, path: str, alias: str, **fields: Any) -> requests.Response:
    return requests.post(gateway.url + path, json=body(path, alias, **fields), timeout=60)


every_dialect = pytest.mark.parametrize("path", [CHAT, MESSAGES, RESPONSES])
both = pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])


@every_dialect
@both
@pytest.mark.parametrize("alias", ["answer", "in-chat"])
def test_the_answer_comes_and_nothing_of_the_analysis(
    raw: Gateway, upstream: Upstream, path: str, stream: bool, alias: str
) -> None:
    reply = ask(raw, path, alias, stream=stream)

    assert reply.status_code == 200, reply.text
    assert "The answer is 7." in "".join(texts(reply, path))
    assert SECRET not in reply.text
    assert "<|" not in reply.text


@every_dialect
@both
def test_an_alias_may_show_it_as_reasoning(raw: Gateway, upstream: Upstream, path: str, stream: bool) -> None:
    reply = ask(raw, path, "shown", stream=stream)

    assert "".join(texts(reply, path)) == "The answer is 7."
    assert SECRET in "".join(texts(reply, path, thoughts=True))


@every_dialect
@both
def test_commentary_for_a_tool_is_a_call(raw: Gateway, upstream: Upstream, path: str, stream: bool) -> None:
    reply = ask(raw, path, "call", stream=stream)
    finish = {CHAT: "tool_calls", MESSAGES: "tool_use", RESPONSES: "function_call"}[path]

    assert '"bash"' in reply.text
    assert f'"{finish}"' in reply.text
    assert SECRET not in reply.text


@every_dialect
@both
def test_a_turn_that_cannot_be_read_is_never_shown(
    raw: Gateway, upstream: Upstream, path: str, stream: bool
) -> None:
    reply = requests.post(raw.url + path, json=body(path, "spoilt", stream=stream), timeout=60, stream=True)
    seen = b""
    try:
        for piece in reply.iter_content(None):
            seen += piece
    except requests.exceptions.ChunkedEncodingError:
        pass

    assert b"cannot be read" in seen
    assert SECRET.encode() not in seen


def test_the_prompt_says_how_much_to_think_and_the_header_says_why(raw: Gateway, upstream: Upstream) -> None:
    reply = ask(raw, CHAT, "answer", temperature=0.1)
    asked = upstream.requests[-1].json

    assert reply.headers["x-localcode-reasoning"] == "low; from=temperature=0.1"
    assert "Reasoning: low" in asked["prompt"]
    assert "messages" not in asked


def test_the_analysis_of_a_tool_loop_goes_back_although_the_client_never_saw_it(
    raw: Gateway, upstream: Upstream
) -> None:
    first = ask(raw, CHAT, "call").json()["choices"][0]["message"]
    question = {"role": "user", "content": "Hi"}
    result = {"role": "tool", "tool_call_id": first["tool_calls"][0]["id"], "content": "a.txt"}
    ask(raw, CHAT, "call", messages=[question, first, result])

    assert SECRET not in json.dumps(first)
    assert f"<|channel|>analysis<|message|>{SECRET}" in upstream.requests[-1].json["prompt"]


def texts(reply: requests.Response, path: str, thoughts: bool = False) -> Iterator[str]:
    """The pieces of text in an answer, or of what was thought before it."""
    events = [json.loads(line[6:]) for line in reply.text.splitlines() if line.startswith("data: {")]
    for event in events or [reply.json()]:
        yield from texts_in(event, path, thoughts)


def texts_in(event: dict[str, Any], path: str, thoughts: bool) -> Iterator[str]:
    if path == CHAT:
        field = "reasoning_content" if thoughts else "content"
        for choice in event.get("choices", ()):
            yield (choice.get("delta") or choice.get("message") or {}).get(field) or ""
    elif path == MESSAGES:
        field = "thinking" if thoughts else "text"
        for block in (event.get("delta") or {}, *(event.get("content") or ())):
            yield block.get(field) or ""
    elif event.get("object") == "response":
        parts = [
            part for item in event["output"] for part in item.get("summary" if thoughts else "content") or ()
        ]
        yield from (part["text"] for part in parts)
    elif event["type"] == f"response.{'reasoning_summary_text' if thoughts else 'output_text'}.delta":
        yield event["delta"]
