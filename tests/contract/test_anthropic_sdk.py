"""The anthropic SDK as a client: what it is promised holds by every way to a target."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anthropic
import pytest
from anthropic.types import Message
from pydantic import BaseModel

from tests.gateway import Gateway
from tests.upstream import Upstream
from tests.upstream.chat import SIGNATURE

TEXT = "Hello from the upstream, with ünïcödé 漢字 😀."
HASH = "ab" * 32
ARGUMENTS = {"city": "Zürich", "days": 3, "note": 'a "quoted" word'}
PATHS = {
    "relayed": "/v1/messages",
    "translated": "/v1/chat/completions",
    "litellm": "/v1/chat/completions",
    "anthropic": "/v1/messages",
}

STREAMED = pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])


@pytest.fixture(scope="module")
def client(gateway_of_the_session: Gateway) -> Iterator[anthropic.Anthropic]:
    url = gateway_of_the_session.url
    with anthropic.Anthropic(base_url=url, api_key="sk-of-the-client", max_retries=0) as made:
        yield made


@pytest.fixture(autouse=True)
def _nothing_remembered(upstream: Upstream) -> None:
    """Each test sees its own requests only."""


def asked(model: str, script: str, **body: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": f"Hello! [[script:{script}]]"}]
    return {"model": model, "max_tokens": 300, "messages": messages} | body


def answer(client: anthropic.Anthropic, stream: bool, **body: Any) -> Message:
    if not stream:
        made: Message = client.messages.create(**body)
        return made
    with client.messages.stream(**body) as events:
        return events.get_final_message()


def text(message: Message) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


def calls(message: Message) -> list[tuple[str, str, Any]]:
    return [(block.id, block.name, block.input) for block in message.content if block.type == "tool_use"]


@STREAMED
@pytest.mark.parametrize("script", ["text", "llama", "unknown", "split", "gzip", "loris"])
def test_text_arrives_under_the_alias(
    client: anthropic.Anthropic, upstream: Upstream, way: str, model: str, script: str, stream: bool
) -> None:
    made = answer(client, stream, **asked(model, script))

    assert text(made) == TEXT
    assert (made.type, made.role, made.model) == ("message", "assistant", model)
    assert (made.stop_reason, made.stop_sequence) == ("end_turn", None)
    assert "wire-of" not in made.to_json()
    assert (upstream.last.path, upstream.last.json["model"]) == (PATHS[way], f"wire-of-{model}")


@STREAMED
def test_usage_is_counted_as_anthropic_does(client: anthropic.Anthropic, model: str, stream: bool) -> None:
    usage = answer(client, stream, **asked(model, "text")).usage

    assert usage.input_tokens == 8
    assert usage.cache_read_input_tokens == 13
    assert usage.output_tokens == 4


@STREAMED
@pytest.mark.parametrize("script", ["parallel", "interleaved", "whole", "together", "same-index", "no-index"])
def test_parallel_calls_arrive_as_they_were_made(
    client: anthropic.Anthropic, model: str, script: str, stream: bool
) -> None:
    made = answer(client, stream, **asked(model, script))

    assert calls(made) == [("call_0", "get_weather", ARGUMENTS), ("call_1", "get_weather", ARGUMENTS)]
    assert text(made) == "Let me look. "
    assert made.stop_reason == "tool_use"


def schema(*fields: str) -> dict[str, Any]:
    return {"type": "object", "properties": {field: {"type": "string"} for field in fields}}


TOOLS = [
    {"name": "Write", "description": "Writes a file.", "input_schema": schema("file_path", "content")},
    {"name": "Edit", "input_schema": schema("file_path", "old_string", "new_string")},
    {"name": "Bash", "input_schema": schema("command")},
]


@STREAMED
def test_a_loop_of_tools_comes_to_its_end(client: anthropic.Anthropic, model: str, stream: bool) -> None:
    body = asked(model, "agent nonce=n7", tools=TOOLS)
    named = []
    while made := calls(message := answer(client, stream, **body)):
        named += [name for _, name, _ in made]
        results = [
            {"type": "tool_result", "tool_use_id": id, "content": [{"type": "text", "text": f"{HASH}  file"}]}
            for id, _, _ in made
        ]
        turns = [{"role": "assistant", "content": message.content}, {"role": "user", "content": results}]
        body["messages"] += turns

    assert named == ["Write", "Edit", "Bash"]
    assert HASH in text(message)


class Weather(BaseModel):
    city: str
    days: int


@STREAMED
def test_structured_output_is_asked_for_and_read(
    client: anthropic.Anthropic, upstream: Upstream, way: str, model: str, stream: bool
) -> None:
    body = asked(model, """text say='{"city": "Zürich", "days": 3}'""", output_format=Weather)
    if stream:
        with client.messages.stream(**body) as events:
            made = events.get_final_message()
    else:
        made = client.messages.parse(**body)
    sent = upstream.last.json
    wanted = (
        sent["output_config"]["format"]["schema"]
        if PATHS[way] == "/v1/messages"
        else sent["response_format"]["json_schema"]["schema"]
    )

    assert made.parsed_output == Weather(city="Zürich", days=3)
    assert set(wanted["properties"]) == {"city", "days"}


@STREAMED
def test_thoughts_are_thinking_blocks(
    client: anthropic.Anthropic, way: str, model: str, stream: bool
) -> None:
    body = asked(model, "reasoning", thinking={"type": "enabled", "budget_tokens": 1024}, max_tokens=2000)
    thought, said = answer(client, stream, **body).content

    assert thought.type == "thinking"
    assert thought.thinking == "First I think. Then I think again."
    assert thought.signature == (SIGNATURE if PATHS[way] == "/v1/messages" else "")
    assert said.type == "text"
    assert said.text == "Done."


def test_a_stop_sequence_is_named(client: anthropic.Anthropic, upstream: Upstream, way: str) -> None:
    made = answer(client, False, **asked("native", "text finish=stop_sequence", stop_sequences=["END"]))

    assert (made.stop_reason, made.stop_sequence) == ("stop_sequence", "END")


@pytest.mark.parametrize(("finish", "stop"), [("length", "max_tokens"), ("content_filter", "refusal")])
@STREAMED
def test_the_reason_of_the_end_is_told(
    client: anthropic.Anthropic, model: str, finish: str, stop: str, stream: bool
) -> None:
    assert answer(client, stream, **asked(model, f"text finish={finish}")).stop_reason == stop


def test_tokens_are_counted(client: anthropic.Anthropic, model: str) -> None:
    words = "Count these words, please. " * 40
    counted = client.messages.count_tokens(model=model, messages=[{"role": "user", "content": words}])

    assert counted.input_tokens > 20


# ------------------------------------------------------------------------- what goes wrong

FAULTS = [
    ("status status=400", anthropic.BadRequestError, "invalid_request_error"),
    ("status status=401", anthropic.BadRequestError, "invalid_request_error"),
    ("status status=402", anthropic.BadRequestError, "invalid_request_error"),
    ("status status=403", anthropic.BadRequestError, "invalid_request_error"),
    ("status status=404", anthropic.BadRequestError, "invalid_request_error"),
    ("status status=413", anthropic.ContentTooLargeError, "request_too_large"),
    ("status status=422", anthropic.UnprocessableEntityError, "invalid_request_error"),
    ("busy", anthropic.RateLimitError, "rate_limit_error"),
    ("status status=500", anthropic.InternalServerError, "api_error"),
    ("status status=503", anthropic.InternalServerError, "api_error"),
    ("status status=529", anthropic.OverloadedError, "overloaded_error"),
    ("html", anthropic.BadRequestError, "invalid_request_error"),
    ("drop", anthropic.InternalServerError, "api_error"),
]


@STREAMED
@pytest.mark.parametrize(("script", "error", "kind"), FAULTS, ids=[script for script, _, _ in FAULTS])
def test_each_failure_is_its_own_exception(
    client: anthropic.Anthropic,
    model: str,
    script: str,
    error: type[anthropic.APIStatusError],
    kind: str,
    stream: bool,
) -> None:
    with pytest.raises(error) as caught:
        answer(client, stream, **asked(model, script))
    body: Any = caught.value.body

    assert (body["type"], body["error"]["type"]) == ("error", kind)
    assert body["error"]["message"]
    assert body["request_id"] == caught.value.request_id
    assert "wire-of" not in json.dumps(body)


@STREAMED
def test_a_full_context_is_told_in_anthropics_words(
    client: anthropic.Anthropic, model: str, stream: bool
) -> None:
    with pytest.raises(anthropic.BadRequestError, match=r"prompt is too long: 40000 tokens > 32768 maximum"):
        answer(client, stream, **asked(model, "too-long"))


def test_a_429_says_when_to_come_back(client: anthropic.Anthropic, model: str) -> None:
    with pytest.raises(anthropic.RateLimitError) as caught:
        answer(client, False, **asked(model, "busy retry_after=7"))

    assert caught.value.response.headers["retry-after"] == "7"


def test_an_unknown_alias_is_not_found(client: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.NotFoundError, match="nobody"):
        answer(client, False, **asked("nobody", "text"))


def read(client: anthropic.Anthropic, body: dict[str, Any], seen: list[str]) -> None:
    with client.messages.stream(**body) as events:
        for piece in events.text_stream:
            seen.append(piece)  # noqa: PERF402  # an exception is to leave what came before it


@pytest.mark.parametrize("script", ["error-event error=5", "cut cut=5", "end end=5", "garbage garbage=5"])
def test_a_stream_that_breaks_is_an_exception(client: anthropic.Anthropic, model: str, script: str) -> None:
    seen: list[str] = []
    with pytest.raises(anthropic.APIStatusError) as caught:
        read(client, asked(model, script), seen)
    body: Any = caught.value.body

    assert seen
    assert body["type"] == "error"
    assert "wire-of" not in json.dumps(body)


def test_a_client_that_leaves_a_stream_stops_the_target(
    client: anthropic.Anthropic, upstream: Upstream, model: str
) -> None:
    with client.messages.stream(**asked(model, "tokens n=20000 pace=5")) as events:
        next(iter(events.text_stream))

    assert upstream.last.closed_early.wait(10)


def test_a_client_that_gives_up_on_a_plain_answer_stops_the_target(
    client: anthropic.Anthropic, upstream: Upstream, model: str
) -> None:
    with pytest.raises(anthropic.APITimeoutError):
        client.with_options(timeout=1).messages.create(**asked(model, "mute"))

    assert upstream.last.closed_early.wait(10)


@STREAMED
def test_fifty_at_once_get_their_own_answers(client: anthropic.Anthropic, model: str, stream: bool) -> None:
    def ask(number: int) -> str:
        return text(answer(client, stream, **asked(model, f'text say="answer {number} for you"')))

    with ThreadPoolExecutor(50) as pool:
        said = list(pool.map(ask, range(50)))

    assert said == [f"answer {number} for you" for number in range(50)]
