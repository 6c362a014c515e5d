"""The scripted upstream speaks Messages and Responses as their own SDKs and clients read them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest
import requests

from tests.upstream import Upstream
from tests.upstream import messages as messages_form
from tests.upstream import responses as responses_form
from tests.upstream.agent import edited, next_turn, patch, written
from tests.upstream.chat import Shape, ToolCall, Turn
from tests.upstream.conversation import conversation, marked, tools
from tests.upstream.delivery import How, Send, plan_stream
from tests.upstream.dialects import dialect_at

Json = dict[str, Any]

TEXT = "Hello from the upstream, with ünïcödé 漢字 😀."
ARGUMENTS = {"city": "Zürich", "days": 3, "note": 'a "quoted" word'}
THOUGHT = "First I think. Then I think again."


@pytest.fixture
def up() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture
def claude(up: Upstream) -> Iterator[anthropic.Anthropic]:
    url = up.base_url.removesuffix("/v1")
    with anthropic.Anthropic(base_url=url, api_key="sk-of-the-client", max_retries=0) as client:
        yield client


@pytest.fixture
def gpt(up: Upstream) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=up.base_url, api_key="sk-of-the-client", max_retries=0) as client:
        yield client


def message(client: anthropic.Anthropic, script: str, stream: bool) -> anthropic.types.Message:
    asked: Any = {
        "model": "some",
        "max_tokens": 100,
        "messages": [{"role": "user", "content": f"[[script:{script}]]"}],
    }
    if not stream:
        made: anthropic.types.Message = client.messages.create(**asked)
        return made
    with client.messages.stream(**asked) as events:
        return events.get_final_message()


def response(client: openai.OpenAI, script: str, stream: bool) -> openai.types.responses.Response:
    asked: Any = {"model": "some", "input": f"[[script:{script}]]"}
    if not stream:
        made: openai.types.responses.Response = client.responses.create(**asked)
        return made
    with client.responses.stream(**asked) as events:
        return events.get_final_response()


STREAMED = pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])


# ------------------------------------------------------------------- as the SDKs read it


@STREAMED
@pytest.mark.parametrize("script", ["text", "llama", "unknown", "split", "gzip", "comments", "crlf"])
def test_the_anthropic_sdk_reads_text(claude: anthropic.Anthropic, script: str, stream: bool) -> None:
    made = message(claude, script, stream)

    assert [block.text for block in made.content if block.type == "text"] == [TEXT]
    assert (made.model, made.stop_reason, made.stop_sequence) == ("some", "end_turn", None)
    assert made.usage.input_tokens + (made.usage.cache_read_input_tokens or 0) == 21


@STREAMED
def test_the_anthropic_sdk_reads_parallel_calls(claude: anthropic.Anthropic, stream: bool) -> None:
    made = message(claude, "parallel", stream)
    calls = [block for block in made.content if block.type == "tool_use"]

    assert [(call.id, call.name, call.input) for call in calls] == [
        ("call_0", "get_weather", ARGUMENTS),
        ("call_1", "get_weather", ARGUMENTS),
    ]
    assert made.stop_reason == "tool_use"


@STREAMED
def test_the_anthropic_sdk_reads_signed_and_redacted_thoughts(
    claude: anthropic.Anthropic, stream: bool
) -> None:
    made = message(claude, "reasoning signature=c2ln redacted=c2VjcmV0", stream)

    assert [block.model_dump() for block in made.content[:2]] == [
        {"type": "thinking", "thinking": THOUGHT, "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "c2VjcmV0"},
    ]


@STREAMED
@pytest.mark.parametrize("script", ["text", "unknown", "split", "gzip", "comments", "crlf"])
def test_the_openai_sdk_reads_text(gpt: openai.OpenAI, script: str, stream: bool) -> None:
    made = response(gpt, script, stream)

    assert made.output_text == TEXT
    assert (made.model, made.status) == ("some", "completed")
    assert made.usage is not None
    assert made.usage.total_tokens == 25


@STREAMED
def test_the_openai_sdk_reads_parallel_calls_after_thoughts(gpt: openai.OpenAI, stream: bool) -> None:
    made = response(gpt, "parallel", stream)
    calls = [item for item in made.output if item.type == "function_call"]

    assert [(call.call_id, call.name, json.loads(call.arguments)) for call in calls] == [
        ("call_0", "get_weather", ARGUMENTS),
        ("call_1", "get_weather", ARGUMENTS),
    ]


@STREAMED
def test_the_openai_sdk_reads_sealed_thoughts(gpt: openai.OpenAI, stream: bool) -> None:
    thought = response(gpt, "reasoning signature=c2ln", stream).output[0]

    assert thought.type == "reasoning"
    assert thought.summary[0].text == THOUGHT
    assert thought.encrypted_content == "c2ln"


def test_counting_agrees_with_the_bill(claude: anthropic.Anthropic) -> None:
    counted = claude.messages.count_tokens(model="some", messages=[{"role": "user", "content": "Hi"}])

    assert counted.input_tokens == 21


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, anthropic.BadRequestError), (401, anthropic.AuthenticationError), (429, anthropic.RateLimitError)],
)
def test_errors_of_messages_are_in_its_own_form(
    claude: anthropic.Anthropic, status: int, error: type[anthropic.APIStatusError]
) -> None:
    with pytest.raises(error) as caught:
        message(claude, f"status status={status}", stream=False)

    assert caught.value.body == messages_form.error(status, "The model some is not well.")


def test_errors_of_responses_are_openais(gpt: openai.OpenAI) -> None:
    with pytest.raises(openai.RateLimitError) as caught:
        response(gpt, "busy", stream=False)

    assert caught.value.code == "rate_limit_exceeded"


def test_an_error_in_mid_stream_is_the_dialects_event(
    claude: anthropic.Anthropic, gpt: openai.OpenAI
) -> None:
    with pytest.raises(anthropic.APIStatusError, match="The engine broke"):
        message(claude, "error-event error=4", stream=True)
    with gpt.responses.create(model="some", input="[[script:error-event error=4]]", stream=True) as events:
        *_, last = events

    assert last.type == "error"
    assert (last.message, last.sequence_number) == ("The engine broke.", 4)


@pytest.mark.parametrize(
    ("finish", "stop"),
    [("length", "max_tokens"), ("content_filter", "refusal"), ("pause_turn", "pause_turn")],
)
def test_the_finish_is_said_in_the_words_of_messages(finish: str, stop: str) -> None:
    assert messages_form.answer(Turn(finish=finish), Shape(), {})["stop_reason"] == stop


@pytest.mark.parametrize(
    ("finish", "status"), [("length", "incomplete"), ("content_filter", "incomplete"), ("error", "failed")]
)
def test_the_finish_is_said_in_the_words_of_responses(finish: str, status: str) -> None:
    last = responses_form.events(Turn(finish=finish), Shape(), {})[-1]

    assert (last["type"], last["response"]["status"]) == (f"response.{status}", status)


# ----------------------------------------------------------------- as it is on the wire


def test_each_event_is_named_and_nothing_follows_the_last_one(up: Upstream) -> None:
    raw = requests.post(f"{up.base_url}/messages", json={"stream": True}, timeout=10).text
    frames = [frame.splitlines() for frame in raw.split("\n\n") if frame]

    assert all(name == f"event: {json.loads(data[6:])['type']}" for name, data in frames)
    assert frames[-1][0] == "event: message_stop"


def test_a_named_event_may_be_written_in_every_way() -> None:
    dialect = dialect_at("/v1/messages")
    assert dialect is not None
    how = How(newline="crlf", space=False)

    assert plan_stream([{"type": "ping"}], how, dialect.manner)[0] == Send(
        b'event:ping\r\ndata:{"type": "ping"}\r\n\r\n'
    )


CALLED = Turn(reasoning=("hm",), text=("a", "b"), calls=(ToolCall("c", "f", '{"x":1}'),), finish="tool_calls")


def test_the_events_of_messages_are_those_of_its_grammar() -> None:
    kinds = [event["type"] for event in messages_form.events(CALLED, Shape(pieces=1), {})]

    assert kinds == [
        "message_start",
        *("content_block_start", "ping", "content_block_delta", "content_block_delta", "content_block_stop"),
        *("content_block_start", "content_block_delta", "content_block_delta", "content_block_stop"),
        *("content_block_start", "content_block_delta", "content_block_delta", "content_block_stop"),
        "message_delta",
        "message_stop",
    ]


def test_the_events_of_responses_are_numbered_and_placed() -> None:
    made = responses_form.events(CALLED, Shape(pieces=1), {})
    placed = [event for event in made if "output_index" in event]

    assert [event["sequence_number"] for event in made] == list(range(len(made)))
    assert [event["output_index"] for event in placed] == [0] * 6 + [1] * 7 + [2] * 4
    assert made[-1]["response"]["output"] == [
        event["item"] for event in made if event["type"] == "response.output_item.done"
    ]


def test_llama_server_ends_every_block_of_messages_after_the_last_one() -> None:
    events = messages_form.events(CALLED, Shape(llama=True, pieces=1), {})
    starts = [event["content_block"] for event in events if event["type"] == "content_block_start"]
    ends = [(event["type"], event.get("index")) for event in events[-6:]]

    assert "ping" not in [event["type"] for event in events]
    assert starts[-1] == {"type": "tool_use", "id": "c", "name": "f"}
    assert events[-6]["delta"] == {"type": "signature_delta", "signature": ""}
    assert ends == [
        ("content_block_delta", 0),
        *(("content_block_stop", index) for index in range(3)),
        ("message_delta", None),
        ("message_stop", None),
    ]
    assert events[-2]["usage"].keys() == {"output_tokens"}


def test_llama_server_ends_every_item_of_responses_after_the_last_one_and_numbers_none() -> None:
    events = responses_form.events(CALLED, Shape(llama=True, pieces=1), {})
    done = [event["item"]["type"] for event in events if event["type"] == "response.output_item.done"]

    assert events[0]["response"].keys() == {"id", "object", "status"}
    assert not {"sequence_number", "output_index", "content_index"} & {key for one in events for key in one}
    assert [event["type"] for event in events[-6:-1]] == [
        "response.output_item.done",
        *("response.output_text.done", "response.content_part.done", "response.output_item.done"),
        "response.output_item.done",
    ]
    assert done == ["reasoning", "message", "function_call"]


def test_unknown_fields_and_events_are_on_every_level() -> None:
    unknown = Shape(unknown=True)
    for events in (messages_form.events(CALLED, unknown, {}), responses_form.events(CALLED, unknown, {})):
        assert all("x_unheard_of" in event for event in events)
        assert any("x_unheard_of" in event["type"] for event in events)


def test_a_response_repeats_what_was_asked() -> None:
    asked = {"instructions": "Be short.", "temperature": 0.2, "metadata": {"a": "b"}}
    made = responses_form.answer(Turn(), Shape(), asked)

    assert {name: made[name] for name in asked} == asked


# ------------------------------------------------------------------ what requests say

ASKED = "Make it [[script:agent nonce=n7]]"
REMINDED = "<system-reminder>Mind the file.</system-reminder>"
SAME: dict[str, Json] = {
    "chat": {
        "messages": [
            {"role": "system", "content": "You help."},
            {"role": "user", "content": ASKED},
            {"role": "assistant", "content": None, "tool_calls": []},
            {"role": "tool", "tool_call_id": "a", "content": "Done."},
            {"role": "user", "content": REMINDED},
        ]
    },
    "messages": {
        "system": [{"type": "text", "text": "You help."}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": ASKED}]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {}}]},
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "a",
                        "content": [{"type": "text", "text": "Done."}],
                    },
                    {"type": "text", "text": REMINDED},
                ],
            },
        ],
    },
    "responses": {
        "instructions": "You help.",
        "input": [
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": ASKED}]},
            {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "a", "output": "Done."},
            {"role": "user", "content": REMINDED},
        ],
    },
}


@pytest.mark.parametrize("dialect", SAME)
def test_the_same_is_understood_in_each_dialect(dialect: str) -> None:
    body = SAME[dialect]
    said = [(one.by, one.text) for one in conversation(body)]

    assert said == [
        ("system", "You help."),
        ("user", ASKED),
        ("assistant", ""),
        ("tool", "Done."),
        ("user", REMINDED),
    ]
    assert marked(body) == "agent nonce=n7"


def schema(*fields: str) -> Json:
    return {"type": "object", "properties": {field: {"type": "string"} for field in fields}}


CLAUDE = [
    {"name": "Write", "input_schema": schema("file_path", "content")},
    {"name": "Edit", "input_schema": schema("file_path", "old_string", "new_string", "replace_all")},
    {"name": "Bash", "input_schema": schema("command", "description")},
    {"type": "web_search_20250305", "name": "web_search", "max_uses": 8},
]
SHELL = {"type": "function", "name": "exec_command", "parameters": schema("cmd")}
CODEX = [SHELL, {"type": "web_search"}]
PATCHING = [*CODEX, {"type": "custom", "name": "apply_patch", "format": {"type": "grammar"}}]
SCRIPTING = [{"type": "namespace", "name": "functions", "tools": [{"type": "custom", "name": "exec"}]}]
IN_CHAT = [
    {"type": "function", "function": {"name": "functions__exec", "parameters": schema("input")}},
]


def first_call(body: Json) -> ToolCall:
    return next_turn(body, "n7").calls[0]


def test_claude_codes_tools_are_used() -> None:
    system = "You help.\n - Primary working directory: /tmp/project\n"
    body = {"system": system, "messages": [{"role": "user", "content": "go"}], "tools": CLAUDE}
    call = first_call(body)

    assert call.name == "Write"
    assert json.loads(call.arguments) == {"file_path": "/tmp/project/hello.txt", "content": written("n7")}


def test_codex_writes_by_a_command_by_a_patch_or_by_a_script() -> None:
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "go"}]}
    by_command = first_call({"input": [item], "tools": CODEX})
    by_patch = first_call({"input": [item], "tools": PATCHING})
    by_script = first_call({"input": [{"type": "additional_tools", "tools": SCRIPTING}, item]})
    in_chat = first_call({"messages": [{"role": "user", "content": "go"}], "tools": IN_CHAT})

    assert written("n7") in json.loads(by_command.arguments)["cmd"]
    assert (
        by_patch.custom,
        by_patch.arguments.startswith("*** Begin Patch\n*** Add File: hello.txt\n+"),
    ) == (
        True,
        True,
    )
    assert (by_script.name, by_script.extra, by_script.custom) == ("exec", {"namespace": "functions"}, True)
    assert json.loads(in_chat.arguments) == {"input": by_script.arguments}


def test_a_patch_changes_only_its_line() -> None:
    done = {"type": "custom_tool_call_output", "output": [{"type": "input_text", "text": "ok"}]}
    body = {"input": [{"role": "user", "content": "go"}, done], "tools": PATCHING}
    before, after = written("n7").splitlines()[1], edited("n7").splitlines()[1]

    assert first_call(body).arguments == patch(f"*** Update File: hello.txt\n@@\n-{before}\n+{after}\n")


def test_the_servers_own_tools_are_not_the_clients() -> None:
    assert set(tools({"tools": CLAUDE})) == {"Write", "Edit", "Bash"}
    assert set(tools({"tools": PATCHING})) == {"exec_command", "apply_patch"}
