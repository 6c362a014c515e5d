"""The ledger over a store: one look before a request, one write after an answer, by whichever worker."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.backends.http import Http
from app.backends.ledger import Ledger
from app.backends.relay import Relay
from app.backends.state import open_store
from app.backends.state_writer import Writer
from app.config.packages import base_for_litellm
from app.dialects import anthropic_messages, openai_responses
from app.types import Backend, Body, Call, Target
from app.utils import wire_chat
from app.utils.chat_events import completion_of
from app.utils.ledger import DUMMY
from tests.backends.litellm_lab import TOOLS, answering, calling, carrier, gemini
from tests.backends.state_lab import Frail
from tests.fakes import SERVED
from tests.upstream import Upstream
from tests.utils.test_ledger import CLAUDE, GEMINI, GLM, PLAIN, SIGNED, USER, asking, call, result, turn

Json = dict[str, Any]


@pytest.fixture
def store() -> Frail:
    return Frail()


@pytest.fixture
def ledger(store: Frail) -> Ledger:
    return Ledger(store)


def chunk(**delta: Any) -> Json:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}


def test_a_stream_s_turn_is_written_at_its_end_in_one_go(ledger: Ledger, store: Frail) -> None:
    collector = ledger.collector(asking(USER), "scope", GEMINI)
    collector.feed([chunk(role="assistant"), chunk(content="So")])
    collector.feed([chunk(tool_calls=[{"index": 0, **call(extra_content=SIGNED)}])])
    before = list(store.asked)
    collector.end()

    assert (before, store.asked) == ([], ["put"])
    body = asking(USER, turn(call()), result())
    assert (
        ledger.restored(body, "scope", GEMINI).body["messages"][1]["tool_calls"][0]["extra_content"] == SIGNED
    )


def test_a_plain_answer_s_turn_is_written_too(ledger: Ledger) -> None:
    answer = {"choices": [{"index": 0, "message": turn(content="Hi", reasoning_content="hm")}]}
    ledger.collector(asking(USER), "scope", GLM).answer(answer)
    restored = ledger.restored(asking(USER, turn(content="Hi"), USER), "scope", GLM)

    assert restored.body["messages"][1]["reasoning_content"] == "hm"


def test_a_request_costs_one_look(ledger: Ledger, store: Frail) -> None:
    turns = conversation(ledger)
    store.asked.clear()
    ledger.restored(asking(USER, *turns), "scope", GEMINI)

    assert store.asked == ["get"]


def test_what_is_not_found_by_its_ids_costs_another(ledger: Ledger, store: Frail) -> None:
    turns = [
        {**one, "tool_calls": [one["tool_calls"][0] | {"id": "own"}]} for one in conversation(ledger)[::2]
    ]
    store.asked.clear()
    restored = ledger.restored(asking(USER, *turns), "scope", GEMINI).body["messages"]

    assert store.asked == ["get", "get"]
    assert all(one["tool_calls"][0]["extra_content"] == SIGNED for one in restored[1:])


def conversation(ledger: Ledger) -> list[Json]:
    """Calls and results that the ledger knows, without their signatures."""
    turns: list[Json] = []
    for number in range(20):
        signed = turn(call(f"{number}", extra_content=SIGNED))
        ledger.collector(asking(USER, *turns), "scope", GEMINI).answer({"choices": [{"message": signed}]})
        turns += [turn(call(f"{number}")), result(f"{number}")]
    return turns


@pytest.mark.parametrize(
    ("target", "messages"),
    [(PLAIN, (USER, turn(call()), result())), (GEMINI, (USER,)), (CLAUDE, (USER,))],
    ids=["wants nothing", "no turn", "no turn of claude"],
)
def test_a_request_that_lacks_nothing_costs_none(
    ledger: Ledger, store: Frail, target: Target, messages: tuple[Json, ...]
) -> None:
    body = asking(*messages)

    assert ledger.restored(body, "scope", target).body is body
    assert store.asked == []


@pytest.mark.parametrize("target", [GEMINI, GLM, CLAUDE], ids=["gemini", "glm", "claude"])
def test_an_answer_that_holds_nothing_of_the_kind_costs_no_write(
    ledger: Ledger, store: Frail, target: Target
) -> None:
    collector = ledger.collector(asking(USER), "scope", target)
    collector.feed([chunk(content="Hello")])
    collector.end()

    assert store.asked == []


def test_what_one_worker_saw_another_finds_and_a_restart_loses_nothing(tmp_path: Path) -> None:
    first, second = Writer(open_store(tmp_path, "")), Writer(open_store(tmp_path, ""))
    collector = Ledger(first).collector(asking(USER), "scope", GEMINI)
    collector.feed([chunk(tool_calls=[{"index": 0, **call(extra_content=SIGNED)}])])
    collector.end()
    first.flush()
    body = asking(USER, turn(call()), result())
    found = Ledger(second).restored(body, "scope", GEMINI)
    first.close()
    second.close()
    third = Writer(open_store(tmp_path, ""))
    again = Ledger(third).restored(body, "scope", GEMINI)
    third.close()

    assert found == again
    assert found.body["messages"][1]["tool_calls"][0]["extra_content"] == SIGNED


# ------------------------------------------------------------------ three turns with Gemini, both carriers


@pytest.fixture
def up() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


def native(number: int) -> Json:
    """A step of Gemini's own API: a thought, then two calls of which the first is signed."""
    return gemini(
        {"text": "hm", "thought": True},
        {
            "functionCall": {"name": "get_weather", "args": {"city": "Rom"}},
            "thoughtSignature": f"c2ln{number}",
        },
        {"functionCall": {"name": "get_weather", "args": {"city": "Zürich"}}},
        finishReason="STOP",
    )


def compatible(number: int) -> list[Json]:
    """The same step as its OpenAI-compatible endpoint streams it: whole calls, all with the index 0."""
    signed = {"extra_content": {"google": {"thought_signature": f"c2ln{number}"}}}
    arguments = ['{"city":"Rom"}', '{"city":"Zürich"}']
    calls = [
        {"index": 0, "id": f"fc-{number}-{place}", "type": "function", **(signed if place == 0 else {})}
        | {"function": {"name": "get_weather", "arguments": text}}
        for place, text in enumerate(arguments)
    ]
    last = {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}
    return [*(chunk(role="assistant", tool_calls=[one]) for one in calls), last]


def kept_by(client: str, message: Json, number: int) -> list[Json]:
    """An assistant's turn and its results as a client sends them back."""
    calls = [
        {key: value for key, value in one.items() if key in ("id", "type", "function")}
        for one in message["tool_calls"]
    ]
    if client == "ids of its own":
        calls = [one | {"id": f"toolu{number}{place}"} for place, one in enumerate(calls)]
    elif client == "cut ids":
        calls = [one | {"id": one["id"][:40]} for one in calls]
    return [turn(*calls), *(result(one["id"]) for one in calls)]


def signatures_sent(up: Upstream) -> list[list[str | None]]:
    """Of each step in the last request."""
    body = up.last.json
    if "contents" in body:
        steps = [content["parts"] for content in body["contents"] if content["role"] == "model"]
        return [
            [part.get("thoughtSignature") for part in parts if "function_call" in part] for parts in steps
        ]
    steps = [message["tool_calls"] for message in body["messages"] if message["role"] == "assistant"]
    return [
        [one.get("extra_content", {}).get("google", {}).get("thought_signature") for one in calls]
        for calls in steps
    ]


@pytest.fixture
def http() -> Iterator[Http]:
    made = Http()
    yield made
    made.close()


def carried_by(name: str, up: Upstream, http: Http) -> tuple[Backend, Target]:
    if name == "litellm":
        base = base_for_litellm("gemini", f"http://127.0.0.1:{up.port}")
        made = calling(base, litellm_provider="gemini", model="gemini-3-pro-preview", api_key="AIza").target
        return carrier(), made
    made = calling(up.base_url, model="gemini-3-pro-preview").target
    return Relay(http, "1.1 test"), replace(made, carrier="relay")


def asked(backend: Backend, call: Call, ledger: Ledger) -> Json:
    """One step of a client's loop through the ledger, as the gateway does it."""
    restored = ledger.restored(call.body, "scope", call.target)
    collector = ledger.collector(call.body, "scope", call.target)
    stream = backend.stream(replace(call, body=restored.body))
    follower = wire_chat.follow(call.target, True, call.trace)
    batches = []
    for batch in stream:
        batches.append(follower.pass_on(batch))
        collector.feed(batches[-1])
    collector.end()
    stream.close()
    call.trace.notes.extend(restored.notes)
    return completion_of(batches)


def step(
    up: Upstream, backend: Backend, target: Target, body: Body, ledger: Ledger, number: int
) -> tuple[Json, list[str]]:
    """The answer to a body that Gemini gives as its step of that number, and what the log would say."""
    up.play(answering([native(number)] if target.carrier == "litellm" else compatible(number)))
    one = calling("", body=body | {"model": target.model}, stream=True)
    return asked(backend, replace(one, target=target), ledger), one.trace.notes


@pytest.mark.parametrize("client", ["drops extra_content", "cut ids", "ids of its own"])
@pytest.mark.parametrize("carrier_name", ["relay", "litellm"])
def test_three_turns_keep_their_signatures(
    up: Upstream, http: Http, ledger: Ledger, carrier_name: str, client: str
) -> None:
    backend, target = carried_by(carrier_name, up, http)
    messages: list[Json] = [USER]
    for number in range(3):
        answer, notes = step(up, backend, target, {"messages": messages, "tools": TOOLS}, ledger, number)
        messages = [*messages, *kept_by(client, answer["choices"][0]["message"], number)]

        assert notes == []

    assert signatures_sent(up) == [["c2ln0", None], ["c2ln1", None]]


class MessagesClient:
    """A client of the Messages API: it sends back the blocks that it was given, and their results."""

    dialect: Any = anthropic_messages

    def __init__(self) -> None:
        self.messages: list[Json] = [{"role": "user", "content": USER["content"]}]

    def body(self) -> Json:
        tools = [{"name": "get_weather", "input_schema": {"type": "object"}}]
        return {"model": "alias", "max_tokens": 100, "messages": self.messages, "tools": tools}

    def take(self, answer: Json) -> None:
        uses = [block for block in answer["content"] if block["type"] == "tool_use"]
        results = [{"type": "tool_result", "tool_use_id": one["id"], "content": "sunny"} for one in uses]
        self.messages += [
            {"role": "assistant", "content": answer["content"]},
            {"role": "user", "content": results},
        ]


class ResponsesClient:
    """A client of the Responses API that keeps its items itself."""

    dialect: Any = openai_responses

    def __init__(self) -> None:
        self.items: list[Json] = [USER]

    def body(self) -> Json:
        tools = [{"type": "function", "name": "get_weather", "parameters": {"type": "object"}}]
        return {"model": "alias", "store": False, "input": self.items, "tools": tools}

    def take(self, answer: Json) -> None:
        calls = [item for item in answer["output"] if item["type"] == "function_call"]
        results = [
            {"type": "function_call_output", "call_id": one["call_id"], "output": "sunny"} for one in calls
        ]
        self.items += [*answer["output"], *results]


@pytest.mark.parametrize("client", [MessagesClient, ResponsesClient], ids=["messages", "responses"])
@pytest.mark.parametrize("carrier_name", ["relay", "litellm"])
def test_so_they_do_in_dialects_that_have_no_place_for_them(
    up: Upstream, http: Http, ledger: Ledger, carrier_name: str, client: Any
) -> None:
    backend, target = carried_by(carrier_name, up, http)
    agent = client()
    for number in range(3):
        request = agent.dialect.parse(agent.body())
        answer, notes = step(up, backend, target, request.as_chat(), ledger, number)
        agent.take(agent.dialect.render(answer, request, SERVED))

        assert notes == []

    assert signatures_sent(up) == [["c2ln0", None], ["c2ln1", None]]


def test_without_the_ledger_s_rows_the_dummy_goes_and_is_noted(
    up: Upstream, http: Http, ledger: Ledger
) -> None:
    backend, target = carried_by("relay", up, http)
    up.play(answering(compatible(0)))
    body: Body = {"messages": [USER, turn(call(name="get_weather")), result()], "stream": True, "model": "x"}
    one = replace(calling(""), target=target, body=body)
    asked(backend, one, ledger)

    assert signatures_sent(up) == [[DUMMY]]
    assert len(one.trace.notes) == 1
