"""The openai SDK as a client of Responses and Chat: what it is promised holds by every way to a target."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletion
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import BaseModel

from tests.gateway import Gateway
from tests.upstream import Upstream
from tests.upstream.chat import SIGNATURE

TEXT = "Hello from the upstream, with ünïcödé 漢字 😀."
HASH = "ab" * 32
ARGUMENTS = {"city": "Zürich", "days": 3, "note": 'a "quoted" word'}
TWO = [("call_0", "get_weather", ARGUMENTS), ("call_1", "get_weather", ARGUMENTS)]
PATHS = {
    "relayed": "/v1/responses",
    "translated": "/v1/chat/completions",
    "litellm": "/v1/chat/completions",
    "anthropic": "/v1/messages",
}

STREAMED = pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])


@pytest.fixture(scope="module")
def client(gateway_of_the_session: Gateway) -> Iterator[openai.OpenAI]:
    url = f"{gateway_of_the_session.url}/v1"
    with openai.OpenAI(base_url=url, api_key="sk-of-the-client", max_retries=0) as made:
        yield made


@pytest.fixture(autouse=True)
def _nothing_remembered(upstream: Upstream) -> None:
    """Each test sees its own requests only."""


def asked(model: str, script: str, **body: Any) -> dict[str, Any]:
    return {"model": model, "input": f"Hello! [[script:{script}]]"} | body


def answer(client: openai.OpenAI, stream: bool, **body: Any) -> Response:
    if not stream:
        made: Response = client.responses.create(**body)
        return made
    with client.responses.stream(**body) as events:
        return events.get_final_response()


def events_of(
    client: openai.OpenAI, body: dict[str, Any], made: list[ResponseStreamEvent] | None = None
) -> list[ResponseStreamEvent]:
    """The events; in `made` is also what came before a stream broke."""
    made = [] if made is None else made
    with client.responses.create(**body, stream=True) as events:
        for event in events:
            made.append(event)  # as it comes
    return made


def calls(response: Response) -> list[tuple[str, str, Any]]:
    made = [item for item in response.output if item.type == "function_call"]
    return [(call.call_id, call.name, json.loads(call.arguments)) for call in made]


# ------------------------------------------------------------------------------- Responses


@STREAMED
@pytest.mark.parametrize("script", ["text", "unknown", "split", "gzip", "loris"])
def test_text_arrives_under_the_alias(
    client: openai.OpenAI, upstream: Upstream, way: str, model: str, script: str, stream: bool
) -> None:
    made = answer(client, stream, **asked(model, script))

    assert made.output_text == TEXT
    assert (made.object, made.status, made.model) == ("response", "completed", model)
    assert "wire-of" not in made.to_json()
    assert (upstream.last.path, upstream.last.json["model"]) == (PATHS[way], f"wire-of-{model}")


@STREAMED
def test_llama_servers_answers_are_read_though_it_counts_nothing(
    client: openai.OpenAI, model: str, stream: bool
) -> None:
    assert answer(client, stream, **asked(model, "llama")).output_text == TEXT


@STREAMED
def test_usage_is_counted(client: openai.OpenAI, model: str, stream: bool) -> None:
    usage = answer(client, stream, **asked(model, "text")).usage

    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (21, 4, 25)
    assert usage.input_tokens_details.cached_tokens == 13


def test_every_event_has_its_number_and_shows_the_alias(client: openai.OpenAI, model: str) -> None:
    made = events_of(client, asked(model, "parallel"))
    named = {event.response.model for event in made if hasattr(event, "response")}

    assert [event.sequence_number for event in made] == list(range(len(made)))
    assert made[0].type == "response.created"
    assert made[-1].type == "response.completed"
    assert named == {model}


@STREAMED
@pytest.mark.parametrize("script", ["parallel", "interleaved", "whole", "together", "same-index", "no-index"])
def test_parallel_calls_arrive_as_they_were_made(
    client: openai.OpenAI, model: str, script: str, stream: bool
) -> None:
    made = answer(client, stream, **asked(model, script))

    assert calls(made) == TWO
    assert made.output_text == "Let me look. "


def schema(*fields: str) -> dict[str, Any]:
    properties = {field: {"type": "string"} for field in fields}
    return {"type": "object", "properties": properties, "required": list(fields)}


SHELL = {"type": "function", "name": "exec_command", "strict": False, "parameters": schema("cmd")}
PATCHES = {"type": "custom", "name": "apply_patch", "description": "Applies a patch."}
KITS = {"functions": [SHELL], "a custom tool": [SHELL, PATCHES, {"type": "web_search"}]}


@STREAMED
@pytest.mark.parametrize("kit", KITS)
def test_a_loop_of_tools_comes_to_its_end(client: openai.OpenAI, model: str, kit: str, stream: bool) -> None:
    items: list[Any] = [{"role": "user", "content": "Hello! [[script:agent nonce=n7]]"}]
    body = {"model": model, "tools": KITS[kit], "store": False, "include": ["reasoning.encrypted_content"]}
    named = []
    while made := results_of(response := answer(client, stream, input=items, **body)):
        named += [item["type"] for item in made]
        items += [item.to_dict() for item in response.output] + made

    writes = "custom_tool_call_output" if kit == "a custom tool" else "function_call_output"
    assert named == [writes, writes, "function_call_output"]
    assert HASH in response.output_text


def results_of(response: Response) -> list[dict[str, Any]]:
    made = [item for item in response.output if item.type in ("function_call", "custom_tool_call")]
    return [
        {"type": f"{item.type}_output", "call_id": item.call_id, "output": f"{HASH}  file"}
        for item in made
        if item.type == "function_call" or item.type == "custom_tool_call"
    ]


class Weather(BaseModel):
    city: str
    days: int


FOUND = Weather(city="Zürich", days=3)
SAYING = """text say='{"city": "Zürich", "days": 3}'"""


@STREAMED
def test_structured_output_is_asked_for_and_read(
    client: openai.OpenAI, upstream: Upstream, way: str, model: str, stream: bool
) -> None:
    body = asked(model, SAYING, text_format=Weather)
    if stream:
        with client.responses.stream(**body) as events:
            made = events.get_final_response()
    else:
        made = client.responses.parse(**body)

    assert made.output_parsed == FOUND
    assert '"days"' in upstream.last.body.decode()


@STREAMED
def test_thoughts_are_reasoning_items(client: openai.OpenAI, way: str, model: str, stream: bool) -> None:
    thought, said = answer(client, stream, **asked(model, "reasoning")).output

    assert thought.type == "reasoning"
    parts = [*thought.summary, *(thought.content or ())]
    assert "".join(part.text for part in parts) == "First I think. Then I think again."
    assert way != "relayed" or thought.encrypted_content == SIGNATURE
    assert said.type == "message"


def test_a_full_answer_is_incomplete(client: openai.OpenAI, model: str) -> None:
    made = answer(client, False, **asked(model, "text finish=length"))

    assert made.status == "incomplete"
    assert made.incomplete_details is not None
    assert made.incomplete_details.reason == "max_output_tokens"


def test_a_stream_ends_in_the_event_that_says_how(client: openai.OpenAI, model: str) -> None:
    *_, last = events_of(client, asked(model, "text finish=length"))

    assert last.type == "response.incomplete"
    assert last.response.output_text == TEXT


def test_instructions_come_first(client: openai.OpenAI, upstream: Upstream, model: str) -> None:
    answer(client, False, **asked(model, "text", instructions="Be very short."))

    assert "Be very short." in upstream.last.body.decode()


# ------------------------------------------------------------------------------------ Chat


def completion(client: openai.OpenAI, stream: bool, model: str, script: str, **body: Any) -> ChatCompletion:
    messages: Any = [{"role": "user", "content": f"Hello! [[script:{script}]]"}]
    if not stream:
        made: ChatCompletion = client.chat.completions.create(model=model, messages=messages, **body)
        return made
    with client.chat.completions.stream(model=model, messages=messages, **body) as events:
        return events.get_final_completion()


@STREAMED
def test_chat_says_the_same_by_every_way(client: openai.OpenAI, model: str, stream: bool) -> None:
    made = completion(client, stream, model, "text")

    assert (made.choices[0].message.content, made.model) == (TEXT, model)
    assert made.choices[0].finish_reason == "stop"


@STREAMED
def test_chats_parallel_calls_arrive_as_they_were_made(
    client: openai.OpenAI, model: str, stream: bool
) -> None:
    made = completion(client, stream, model, "parallel").choices[0].message.tool_calls or []
    functions = [(call.id, call.function) for call in made if call.type == "function"]

    assert [(id, function.name, json.loads(function.arguments)) for id, function in functions] == TWO


@STREAMED
def test_chats_structured_output_is_read(client: openai.OpenAI, model: str, stream: bool) -> None:
    messages: Any = [{"role": "user", "content": f"Hello! [[script:{SAYING}]]"}]
    if stream:
        with client.chat.completions.stream(
            model=model, messages=messages, response_format=Weather
        ) as events:
            made = events.get_final_completion()
    else:
        made = client.chat.completions.parse(model=model, messages=messages, response_format=Weather)

    assert made.choices[0].message.parsed == FOUND


# ------------------------------------------------------------------------- what goes wrong

FAULTS = [
    ("status status=400", openai.BadRequestError, 400),
    ("status status=401", openai.BadRequestError, 400),
    ("status status=402", openai.BadRequestError, 400),
    ("status status=403", openai.BadRequestError, 400),
    ("status status=404", openai.NotFoundError, 404),
    ("status status=422", openai.UnprocessableEntityError, 422),
    ("busy", openai.RateLimitError, 429),
    ("status status=500", openai.InternalServerError, 500),
    ("status status=503", openai.InternalServerError, 503),
    ("html", openai.BadRequestError, 400),
    ("drop", openai.InternalServerError, 502),
]


@STREAMED
@pytest.mark.parametrize("dialect", ["responses", "chat"])
@pytest.mark.parametrize(("script", "error", "status"), FAULTS, ids=[script for script, _, _ in FAULTS])
def test_each_failure_is_its_own_exception(
    client: openai.OpenAI,
    model: str,
    dialect: str,
    script: str,
    error: type[openai.APIStatusError],
    status: int,
    stream: bool,
) -> None:
    def ask() -> object:
        if dialect == "chat":
            return completion(client, stream, model, script)
        return answer(client, stream, **asked(model, script))

    with pytest.raises(error) as caught:
        ask()
    body: Any = caught.value.body

    assert caught.value.status_code == status
    assert set(body) == {"message", "type", "param", "code"}
    assert body["message"]
    assert "wire-of" not in json.dumps(body)


@STREAMED
def test_a_full_context_has_the_code_that_codex_knows(
    client: openai.OpenAI, model: str, stream: bool
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        answer(client, stream, **asked(model, "too-long"))

    assert caught.value.code == "context_length_exceeded"


def test_each_stream_that_is_refused_says_why(client: openai.OpenAI, model: str) -> None:
    """Also the later ones: LiteLLM lost the words of every second, and 5 s with them."""
    for number in range(6):
        with pytest.raises(openai.BadRequestError, match=f"for reason {number}"):
            answer(client, True, **asked(model, f'status status=400 message="for reason {number}"'))


def test_an_unknown_alias_is_not_found(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="nobody"):
        answer(client, False, **asked("nobody", "text"))


@pytest.mark.parametrize("script", ["error-event error=6", "cut cut=6", "end end=6", "garbage garbage=6"])
def test_a_stream_that_breaks_ends_as_failed(client: openai.OpenAI, model: str, script: str) -> None:
    made: list[ResponseStreamEvent] = []
    events_of(client, asked(model, f"{script} n=9"), made)

    assert made[0].type == "response.created"
    assert made[-1].type == "response.failed"
    assert made[-1].response.error is not None
    assert "wire-of" not in made[-1].to_json()


def test_a_client_that_leaves_a_stream_stops_the_target(
    client: openai.OpenAI, upstream: Upstream, model: str
) -> None:
    with client.responses.create(**asked(model, "tokens n=20000 pace=5"), stream=True) as events:
        next(event for event in events if event.type == "response.output_text.delta")

    assert upstream.last.closed_early.wait(10)


def test_a_client_that_gives_up_on_a_plain_answer_stops_the_target(
    client: openai.OpenAI, upstream: Upstream, model: str
) -> None:
    with pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=1).responses.create(**asked(model, "mute"))

    assert upstream.last.closed_early.wait(10)


@STREAMED
def test_fifty_at_once_get_their_own_answers(client: openai.OpenAI, model: str, stream: bool) -> None:
    def ask(number: int) -> str:
        said = answer(client, stream, **asked(model, f'text say="answer {number} for you"'))
        return said.output_text

    with ThreadPoolExecutor(50) as pool:
        said = list(pool.map(ask, range(50)))

    assert said == [f"answer {number} for you" for number in range(50)]
