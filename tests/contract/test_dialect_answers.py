"""What a target says reaches the clients of Messages and Responses whole, under the alias, by every way."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.contract.client import Asked
from tests.contract.dialects import DIALECTS, MESSAGES, RESPONSES, WAYS, Dialect, asking, said_in
from tests.gateway import Gateway
from tests.upstream import Upstream
from tests.upstream.chat import SIGNATURE, UNKNOWN

HELLO = "Hello from the upstream, with ünïcödé 漢字 😀."
ARGUMENTS = '{"city": "Zürich", "days": 3, "note": "a \\"quoted\\" word"}'
STREAMED = pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])

Ask = Callable[..., Asked]

CALLS = [
    ("tools", 1), ("parallel", 2), ("interleaved", 2), ("gaps", 3), ("whole", 2), ("together", 2),
    ("repeated", 1), ("nulls", 1), ("same-index", 2), ("no-index", 2), ("calls-but-stop", 1),
]  # fmt: skip
"""Scripts that write calls as real targets do, and how many calls there are."""


@pytest.fixture(params=DIALECTS)
def dialect(request: pytest.FixtureRequest) -> Dialect:
    return DIALECTS[request.param]


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def ask(gateway: Gateway, upstream: Upstream, dialect: Dialect, way: str) -> Ask:
    """`ask("tools", stream=True)`: asks in the dialect, by the way, for what the script gives."""

    def call(script: str, sending: dict[str, str] | None = None, **fields: Any) -> Asked:
        body = dialect.body(WAYS[way], f"Hello! [[script:{script}]]") | fields
        return asking(gateway.url, dialect, body, sending)

    return call


@STREAMED
@pytest.mark.parametrize(
    "script",
    ["text", "split", "lines", "gzip", "bom", "json-always", "sse-always"],
)
def test_text_arrives_whole_however_it_travels(ask: Ask, dialect: Dialect, script: str, stream: bool) -> None:
    asked = ask(script, stream=stream)
    said = said_in(asked, dialect)

    assert asked.status == 200, asked.raw
    assert (said.text, said.finish) == (HELLO, dialect.ends["stop"])
    assert not asked.broken
    assert bool(asked.events) == stream
    if stream:
        dialect.check(asked.raw, True)


@STREAMED
@pytest.mark.parametrize("script", ["text", "tools", "reasoning", "unknown", "llama"])
def test_only_the_alias_is_seen(
    ask: Ask, dialect: Dialect, way: str, upstream: Upstream, script: str, stream: bool
) -> None:
    asked = ask(script, stream=stream)
    headers = {name: value for name, value in asked.headers.items() if name != "x-localcode-target"}

    assert said_in(asked, dialect).models == {WAYS[way]}
    assert b"wire-of" not in asked.raw
    assert "wire-of" not in str(headers)
    assert asked.headers["x-localcode-target"] == f"up/wire-of-{WAYS[way]}"
    assert upstream.last.json["model"] == f"wire-of-{WAYS[way]}"
    assert upstream.last.path == (dialect.path if way == "relayed" else "/v1/chat/completions")


@STREAMED
@pytest.mark.parametrize(
    ("way", "script", "count"),
    [*(("translated", script, count) for script, count in CALLS),
     ("relayed", "parallel", 2), ("relayed", "calls-but-stop", 1), ("litellm", "interleaved", 2)],
    indirect=["way"],
)  # fmt: skip
def test_tool_calls_arrive_as_they_were_made(
    ask: Ask, dialect: Dialect, way: str, script: str, count: int, stream: bool
) -> None:
    asked = ask(script, stream=stream)
    said = said_in(asked, dialect)

    assert said.calls == [(f"call_{number}", "get_weather", ARGUMENTS) for number in range(count)]
    assert said.text == "Let me look. "
    if way != "relayed" or script != "calls-but-stop":  # what a relayed target says of its end stays
        assert said.finish == dialect.ends["tool_calls"]
    if stream:
        dialect.check(asked.raw, True)


@STREAMED
def test_a_call_without_arguments_has_none(ask: Ask, dialect: Dialect, stream: bool) -> None:
    asked = ask("tools arguments={}", stream=stream)
    ((_, _, arguments),) = said_in(asked, dialect).calls

    assert json.loads(arguments) == {}
    if stream:
        dialect.check(asked.raw, True)


@STREAMED
@pytest.mark.parametrize("field", ["reasoning_content", "reasoning", "reasoning_details"])
def test_reasoning_stays_reasoning(ask: Ask, dialect: Dialect, field: str, stream: bool) -> None:
    asked = ask(f"reasoning field={field}", stream=stream)
    said = said_in(asked, dialect)

    assert said.thoughts == "First I think. Then I think again."
    assert said.text == "Done."
    if stream:
        dialect.check(asked.raw, True)


@STREAMED
@pytest.mark.parametrize("finish", ["length", "content_filter"])
def test_why_it_ended_is_told(ask: Ask, dialect: Dialect, finish: str, stream: bool) -> None:
    asked = ask(f"text finish={finish}", stream=stream)

    assert said_in(asked, dialect).finish == dialect.ends[finish]
    if stream:
        dialect.check(asked.raw, True)


@STREAMED
def test_usage_is_the_targets(ask: Ask, dialect: Dialect, stream: bool) -> None:
    usage = said_in(ask("reasoning", stream=stream), dialect).usage

    if dialect is MESSAGES:
        assert (usage["input_tokens"], usage["cache_read_input_tokens"], usage["output_tokens"]) == (8, 13, 4)
    else:
        assert (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]) == (21, 4, 25)
        assert usage["input_tokens_details"]["cached_tokens"] == 13
        assert usage["output_tokens_details"]["reasoning_tokens"] == 3


def test_usage_that_the_target_does_not_give_is_not_made_up(
    gateway: Gateway, upstream: Upstream, dialect: Dialect
) -> None:
    body = dialect.body("model", "Hello! [[script:text usage=never]]") | {"stream": True}
    asked = asking(gateway.url, dialect, body)
    usage = said_in(asked, dialect).usage

    if dialect is MESSAGES:  # whose clients need numbers: an estimate, and 0 for what was not counted
        assert usage["output_tokens"] == 0
        assert usage.keys() == {"input_tokens", "output_tokens"}
    else:
        assert usage == {}


def test_a_stream_ends_at_its_last_event_though_the_target_holds_its_connection(
    ask: Ask, dialect: Dialect
) -> None:
    asked = ask("hold", stream=True)

    assert said_in(asked, dialect).text == HELLO
    assert not asked.broken


@pytest.mark.parametrize("script", ["after-done", "no-done"])
def test_what_comes_behind_the_last_event_or_is_missing_there_is_no_matter(
    ask: Ask, dialect: Dialect, script: str
) -> None:
    asked = ask(script, stream=True)

    assert said_in(asked, dialect).text == HELLO
    dialect.check(asked.raw, True)


# ─── what a relayed target says and nobody here has heard of ─────────────────────────────────────


@pytest.mark.parametrize("name", DIALECTS)
def test_unknown_fields_of_a_relayed_answer_arrive(gateway: Gateway, upstream: Upstream, name: str) -> None:
    dialect = DIALECTS[name]
    answer = asking(gateway.url, dialect, dialect.body("native", "[[script:unknown]]")).body

    assert UNKNOWN.items() <= answer.items()
    assert UNKNOWN.items() <= answer["usage"].items()


@pytest.mark.parametrize("name", DIALECTS)
def test_unknown_events_and_fields_of_a_relayed_stream_arrive(
    gateway: Gateway, upstream: Upstream, name: str
) -> None:
    dialect = DIALECTS[name]
    body = dialect.body("native", "[[script:unknown]]") | {"stream": True}
    events = asking(gateway.url, dialect, body).events
    numbered = [event for event in events if "sequence_number" in event]

    assert [event["type"] for event in events if "x_unheard_of" in event["type"]]
    assert all(UNKNOWN.items() <= event.items() for event in events)
    assert [event["sequence_number"] for event in numbered] == list(range(len(numbered)))


@pytest.mark.parametrize(
    ("dialect", "fields"),
    [
        (MESSAGES, {"a_field_of_tomorrow": {"deep": [1, 2]}, "context_management": {"edits": []},
                    "metadata": {"user_id": "u1"}, "stop_sequences": ["END"], "top_k": 7}),
        (RESPONSES, {"a_field_of_tomorrow": {"deep": [1, 2]}, "prompt_cache_key": "k", "include": [],
                     "client_metadata": {"a": "b"}, "parallel_tool_calls": False, "temperature": 0.2}),
    ],
    ids=["messages", "responses"],
)  # fmt: skip
def test_every_field_reaches_a_relayed_target(
    gateway: Gateway, upstream: Upstream, dialect: Dialect, fields: dict[str, Any]
) -> None:
    body = dialect.body("native", "[[script:text]]") | fields
    asking(gateway.url, dialect, body)

    assert upstream.last.json == body | {"model": "wire-of-native"}


def test_a_stop_sequence_that_was_met_is_named(gateway: Gateway, upstream: Upstream) -> None:
    body = MESSAGES.body("native", "[[script:text finish=stop_sequence]]") | {"stop_sequences": ["END"]}
    answer = asking(gateway.url, MESSAGES, body).body

    assert (answer["stop_reason"], answer["stop_sequence"]) == ("stop_sequence", "END")


@STREAMED
def test_signed_and_hidden_thoughts_of_a_relayed_target_arrive(
    gateway: Gateway, upstream: Upstream, stream: bool
) -> None:
    body = MESSAGES.body("native", "[[script:reasoning redacted=aGlkZGVu]]") | {"stream": stream}
    asked = asking(gateway.url, MESSAGES, body)

    assert SIGNATURE.encode() in asked.raw
    assert b'"type":"redacted_thinking","data":"aGlkZGVu"' in asked.raw.replace(b": ", b":").replace(
        b", ", b","
    )


# ─── headers ─────────────────────────────────────────────────────────────────────────────────────


def test_the_headers_of_a_stream_keep_every_proxy_from_holding_it_back(ask: Ask) -> None:
    headers = ask("text", stream=True).headers

    assert headers["content-type"] == "text/event-stream; charset=utf-8"
    assert headers["cache-control"] == "no-cache"
    assert headers["x-accel-buffering"] == "no"
    assert "content-length" not in headers


@STREAMED
def test_the_request_id_stands_where_the_dialects_clients_look(
    ask: Ask, dialect: Dialect, stream: bool
) -> None:
    headers = ask("text", sending={"x-request-id": "abc-123"}, stream=stream).headers

    assert headers["x-request-id"] == "abc-123"
    assert headers.get("request-id") == ("abc-123" if dialect is MESSAGES else None)


@STREAMED
def test_the_clients_key_stays_here_and_the_targets_key_there(
    gateway: Gateway, ask: Ask, dialect: Dialect, way: str, upstream: Upstream, stream: bool
) -> None:
    theirs = {"Authorization": "Bearer sk-of-the-client", "x-api-key": "sk-of-the-client"}
    asked = ask("text", sending=theirs, stream=stream)
    key = "x-api-key" if (dialect, way) == (MESSAGES, "relayed") else "authorization"

    assert "sk-of-the-client" not in str(upstream.last.headers)
    assert str(upstream.last.header(key)).removeprefix("Bearer ") == "sk-of-the-target"
    assert "sk-of-the-target" not in str(asked.headers) + asked.raw.decode()
    assert "sk-of-the" not in gateway.log()


@pytest.mark.parametrize(
    ("header", "dialect"),
    [("X-Claude-Code-Session-Id", MESSAGES), ("session-id", RESPONSES), ("thread-id", RESPONSES)],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_the_log_names_session_and_dialect(
    gateway: Gateway, upstream: Upstream, header: str, dialect: Dialect
) -> None:
    sending = {header: f"session-of-{header.lower()}", "x-request-id": f"log-{header.lower()}"}
    asking(gateway.url, dialect, dialect.body("model", "[[script:text]]"), sending)
    lines = [line for line in gateway.log().splitlines() if f"id=log-{header.lower()}" in line]

    assert [f" model {dialect.name} " in line for line in lines] == [True, False]
    assert all(line.endswith(f"session=session-of-{header.lower()}") for line in lines)
    assert "21→4 tokens (cached 13" in lines[-1]


# ─── what is asked ───────────────────────────────────────────────────────────────────────────────

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


@STREAMED
def test_an_answer_with_nothing_in_it_is_a_whole_answer(ask: Ask, dialect: Dialect, stream: bool) -> None:
    asked = ask('text say=""', stream=stream)
    said = said_in(asked, dialect)

    assert (said.text, said.calls, said.finish) == ("", [], dialect.ends["stop"])
    if stream:
        dialect.check(asked.raw, True)


@STREAMED
@pytest.mark.parametrize("alias", ["up/model", "up/native", "up/lite"])
def test_an_alias_is_shown_as_the_client_spelt_it(
    gateway: Gateway, upstream: Upstream, dialect: Dialect, alias: str, stream: bool
) -> None:
    asked = asking(gateway.url, dialect, dialect.body(alias, "[[script:text]]") | {"stream": stream})

    assert said_in(asked, dialect).models == {alias}


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("messages", {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}),
        ("responses", {"type": "input_image", "detail": "auto", "image_url": f"data:image/png;base64,{PNG}"}),
    ],
)
def test_a_picture_as_data_arrives_by_every_way(
    gateway: Gateway, upstream: Upstream, way: str, name: str, part: dict[str, Any]
) -> None:
    field = "messages" if name == "messages" else "input"
    body = DIALECTS[name].body(WAYS[way], "") | {field: [{"role": "user", "content": [part]}]}
    asked = asking(gateway.url, DIALECTS[name], body)

    assert asked.status == 200, asked.raw
    if way == "relayed":
        assert upstream.last.json[field] == body[field]
    else:
        (sent,) = upstream.last.json["messages"][0]["content"]
        assert sent["image_url"]["url"] == f"data:image/png;base64,{PNG}"


CALLED: dict[str, list[dict[str, Any]]] = {
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral"}}]},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "Hm.", "signature": SIGNATURE},
            {"type": "redacted_thinking", "data": "aGlkZGVu"},
            {"type": "tool_use", "id": "toolu_1/x", "name": "get_weather", "input": {"city": "Zürich"}}]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "toolu_1/x", "content": "No.", "is_error": True}]},
    ],
    "responses": [
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Be short."}]},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": SIGNATURE},
        {"type": "function_call", "id": "fc_1", "call_id": "call_1/x", "name": "get_weather",
         "arguments": '{"city": "Zürich"}', "status": "completed"},
        {"type": "function_call_output", "call_id": "call_1/x", "output": "No."},
    ],
}  # fmt: skip
"""A step of a tool loop, with all that only its provider can read."""


@pytest.mark.parametrize("name", DIALECTS)
def test_a_history_goes_back_to_a_relayed_target_as_it_came(
    gateway: Gateway, upstream: Upstream, name: str
) -> None:
    field = "messages" if name == "messages" else "input"
    asked = asking(gateway.url, DIALECTS[name], DIALECTS[name].body("native", "") | {field: CALLED[name]})

    assert asked.status == 200, asked.raw
    assert upstream.last.json[field] == CALLED[name]


@pytest.mark.parametrize("alias", ["model", "lite"])
@pytest.mark.parametrize("name", DIALECTS)
def test_a_history_is_told_in_chats_words(
    gateway: Gateway, upstream: Upstream, name: str, alias: str
) -> None:
    field = "messages" if name == "messages" else "input"
    body = DIALECTS[name].body(alias, "") | {field: CALLED[name]}
    asked = asking(gateway.url, DIALECTS[name], body)
    *_, call, result = upstream.last.json["messages"]
    (made,) = call["tool_calls"]

    assert asked.status == 200, asked.raw
    assert made["id"] == result["tool_call_id"] == CALLED[name][-1].get("call_id", "toolu_1/x")
    assert json.loads(made["function"]["arguments"]) == {"city": "Zürich"}
    assert "No." in result["content"]
    assert SIGNATURE not in upstream.last.body.decode()  # what another provider signed is nothing to this one
