"""What the gateway remembers holds in each of its processes and after a start, for its owner alone."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.conftest import GEMINI, NATIVE, THOUGHTFUL
from tests.contract.dialects import RESPONSES, asking
from tests.contract.tool_loop import CLIENTS, Client
from tests.dialects import responses_checker
from tests.gateway import Gateway, config, running
from tests.upstream import Upstream
from tests.upstream.thinking import DUMMY, SAID, thought

Json = dict[str, Any]

ONE, TWO = "key-of-the-first-client", "key-of-the-second-client"
MINE, THEIRS = {"Authorization": f"Bearer {ONE}"}, {"x-api-key": TWO}
STREAMED = pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
DIALECT = pytest.mark.parametrize("dialect", CLIENTS)
HELLO = "Hello from the upstream, with ünïcödé 漢字 😀."


@dataclass(frozen=True, slots=True)
class Pair:
    """Two gateways over one home, the first with two workers: as good as any number of processes."""

    first: Gateway
    second: Gateway

    def urls(self) -> Iterator[str]:
        """Never the same one twice in turn."""
        return itertools.cycle((self.first.url, self.second.url))


KEYS = {"LOCALCODE_API_KEYS": f"{ONE},{TWO}"}


def settings(upstream: Upstream) -> Json:
    aliases = {
        "gemini": GEMINI,
        "glm": {"id": "wire-of-glm", **THOUGHTFUL},
        "model": "wire-of-model",
        "native": {"id": "wire-of-native", "options": {"localcode": NATIVE}},
    }
    return config(upstream.base_url, aliases)


@pytest.fixture(scope="module")
def pair_of_the_module(
    upstream_of_the_session: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("pair")
    served, home = settings(upstream_of_the_session), {"LOCALCODE_HOME": str(folder / "home"), **KEYS}
    for name in ("first", "second"):
        (folder / name).mkdir()
    with (
        running(folder / "first", served, LOCALCODE_WORKERS="2", **home) as first,
        running(folder / "second", served, **home) as second,
    ):
        yield Pair(first, second)


@pytest.fixture
def pair(pair_of_the_module: Pair, upstream: Upstream) -> Pair:
    return pair_of_the_module


def client(dialect: str, url: str, alias: str, script: str) -> Client:
    question = f"What is the weather, {dialect} and {alias}? [[script:{script}]]"
    return CLIENTS[dialect](url, alias, question, "forgets", stream=True, sending=MINE)


# ─── what targets want back ──────────────────────────────────────────────────────────────────────


@DIALECT
@pytest.mark.parametrize(("alias", "script"), [("gemini", "thinking-gemini"), ("glm", "thinking")])
def test_it_does_not_matter_which_process_is_asked(
    pair: Pair, upstream: Upstream, dialect: str, alias: str, script: str
) -> None:
    loop = client(dialect, pair.first.url, alias, script)
    for url in pair.urls():
        loop.url = url
        if not loop.ask():
            break

    assert loop.text == SAID
    assert DUMMY not in upstream.last.body.decode()
    assert script != "thinking" or thought(2) in upstream.last.body.decode()


# ─── what clients of Responses have kept ─────────────────────────────────────────────────────────


def create(url: str, alias: str = "model", stream: bool = False, **fields: Any) -> Json:
    """A response that was asked for with the first client's key."""
    body = {"model": alias, "input": "Hello! [[script:text]]", "stream": stream, **fields}
    reply = requests.post(f"{url}/v1/responses", json=body, headers=MINE, timeout=20)
    assert reply.status_code == 200, reply.text
    if stream:
        return responses_checker.checked(reply.content)
    answer: Json = reply.json()
    return answer


def at(url: str, path: str, method: str = "GET", headers: Json = MINE, **query: str) -> requests.Response:
    return requests.request(method, f"{url}/v1/responses/{path}", headers=headers, params=query, timeout=20)


WAYS = pytest.mark.parametrize("alias", ["model", "native"], ids=["translated", "relayed"])


@STREAMED
@WAYS
def test_what_is_stored_is_found_by_every_process(pair: Pair, alias: str, stream: bool) -> None:
    made = create(pair.first.url, alias, stream, store=True)

    for url in itertools.islice(pair.urls(), 6):
        assert at(url, made["id"]).json() == made
    assert made["store"] is True
    assert made["model"] == alias
    assert [at(url, made["id"]).status_code for url in itertools.islice(pair.urls(), 2)] == [200, 200]


@pytest.mark.parametrize("fields", [{}, {"store": False}, {"store": None}], ids=str)
@WAYS
def test_nothing_is_stored_unless_that_is_asked_for(pair: Pair, alias: str, fields: Json) -> None:
    made = create(pair.first.url, alias, **fields)
    reply = at(pair.first.url, made["id"])

    assert reply.status_code == 404
    assert reply.json()["error"]["code"] == "response_not_found"


@STREAMED
@WAYS
def test_a_client_goes_on_from_an_answer_at_another_process(
    pair: Pair, upstream: Upstream, alias: str, stream: bool
) -> None:
    urls = pair.urls()
    first = create(next(urls), alias, stream, store=True, instructions="Be short.")
    second = create(next(urls), alias, stream, store=True, previous_response_id=first["id"])
    third = create(next(urls), alias, stream, input="And now?", previous_response_id=second["id"])
    sent = upstream.last.json

    assert [second["previous_response_id"], third["previous_response_id"]] == [first["id"], second["id"]]
    assert [item["role"] for item in sent.get("input", sent.get("messages"))] == ["user", "assistant"] * 2 + [
        "user"
    ]
    assert upstream.last.body.decode().count(HELLO) == 2
    assert "previous_response_id" not in sent
    assert "Be short." not in upstream.last.body.decode()  # instructions hold for one answer only


@WAYS
def test_a_tool_loop_needs_the_results_only(pair: Pair, upstream: Upstream, alias: str) -> None:
    urls = pair.urls()
    first = create(next(urls), alias, store=True, input="[[script:tools]]")
    (call,) = (item for item in first["output"] if item["type"] == "function_call")
    result = {"type": "function_call_output", "call_id": call["call_id"], "output": "It is sunny."}
    create(next(urls), alias, input=[result], previous_response_id=first["id"])
    text = upstream.last.body.decode()

    assert text.index("[[script:tools]]") < text.index("get_weather") < text.index("It is sunny.")
    assert json.dumps(call["arguments"], ensure_ascii=False) in text


def test_gemini_finds_its_signatures_in_a_stored_conversation(pair: Pair, upstream: Upstream) -> None:
    urls = pair.urls()
    fields: Json = {"store": True, "input": "Weather? [[script:thinking-gemini]]"}
    made = create(next(urls), "gemini", **fields)
    while calls := [item for item in made["output"] if item["type"] == "function_call"]:
        results = [
            {"type": "function_call_output", "call_id": call["call_id"], "output": "Sunny."} for call in calls
        ]
        made = create(
            next(urls), "gemini", store=True, input=results, previous_response_id=made["id"], stream=True
        )

    assert len(upstream.requests) == 4
    assert DUMMY not in upstream.last.body.decode()


@pytest.mark.parametrize("previous", ["resp_nobody", "x" * 300, "resp_ü"])
def test_an_answer_that_is_not_there_is_an_error_and_no_answer_without_history(
    pair: Pair, upstream: Upstream, previous: str
) -> None:
    body = {"model": "model", "input": "Hi", "previous_response_id": previous}
    reply = requests.post(f"{pair.first.url}/v1/responses", json=body, headers=MINE, timeout=20)

    assert reply.status_code == 400
    assert reply.json()["error"]["code"] == "previous_response_not_found"
    assert reply.json()["error"]["param"] == "previous_response_id"
    assert upstream.requests == []


def test_another_owner_sees_nothing_of_it(pair: Pair, upstream: Upstream) -> None:
    made = create(pair.first.url, store=True)
    asked = [
        at(pair.first.url, made["id"], headers=THEIRS),
        at(pair.first.url, f"{made['id']}/input_items", headers=THEIRS),
        at(pair.first.url, made["id"], "DELETE", headers=THEIRS),
    ]
    body = {"model": "model", "input": "Hi", "previous_response_id": made["id"]}
    going_on = requests.post(f"{pair.first.url}/v1/responses", json=body, headers=THEIRS, timeout=20)

    assert [reply.status_code for reply in asked] == [404] * 3
    assert going_on.status_code == 400
    assert going_on.json()["error"]["code"] == "previous_response_not_found"
    assert at(pair.first.url, made["id"]).status_code == 200


def test_what_is_deleted_is_gone_everywhere(pair: Pair) -> None:
    made = create(pair.first.url, store=True)
    reply = at(pair.second.url, made["id"], "DELETE")

    assert reply.json() == {"id": made["id"], "object": "response", "deleted": True}
    assert [at(url, made["id"]).status_code for url in itertools.islice(pair.urls(), 4)] == [404] * 4
    assert at(pair.first.url, made["id"], "DELETE").status_code == 404


def test_what_was_asked_is_listed_page_by_page(pair: Pair) -> None:
    first = create(pair.first.url, store=True, input="One")
    second = create(pair.first.url, store=True, input="Two", previous_response_id=first["id"])
    path = f"{second['id']}/input_items"
    whole = at(pair.second.url, path, order="asc").json()
    page = at(pair.second.url, path, order="asc", limit="2").json()
    rest = at(pair.second.url, path, order="asc", after=page["last_id"]).json()

    assert whole["object"] == "list"
    assert [item["content"][0]["text"] for item in whole["data"]] == ["One", HELLO, "Two"]
    assert page["has_more"] is True
    assert page["data"] + rest["data"] == whole["data"]
    assert at(pair.second.url, path).json()["data"] == whole["data"][::-1]
    assert at(pair.second.url, path, limit="many").status_code == 400


def test_an_item_may_be_named_only(pair: Pair, upstream: Upstream) -> None:
    made = create(pair.first.url, store=True)
    named = {"type": "item_reference", "id": made["output"][0]["id"]}
    create(pair.second.url, input=[named, {"role": "user", "content": "And now?"}])

    assert HELLO in upstream.last.body.decode()


@WAYS
def test_an_answer_that_broke_off_is_not_kept(pair: Pair, upstream: Upstream, alias: str) -> None:
    body = {"model": alias, "input": "[[script:cut cut=4 n=9]]", "stream": True, "store": True}
    asked = asking(pair.first.url, RESPONSES, body, MINE)
    made = responses_checker.checked(asked.raw, whole=False)

    assert asked.events[-1]["type"] == "response.failed"
    assert at(pair.first.url, made["id"]).status_code == 404


def test_a_client_that_leaves_with_the_last_event_finds_it_kept(pair: Pair, upstream: Upstream) -> None:
    body = {"model": "model", "input": "[[script:text hold=300]]", "stream": True, "store": True}
    with requests.post(f"{pair.first.url}/v1/responses", json=body, headers=MINE, stream=True) as reply:
        seen, pieces = b"", reply.iter_content(None)
        while b"event: response.completed" not in seen:
            seen += next(pieces)
    made = responses_checker.events_in(seen.removesuffix(b"data: [DONE]\n\n"))[-1]["response"]

    assert at(pair.second.url, made["id"]).json() == made


# ─── after a start ───────────────────────────────────────────────────────────────────────────────


def test_a_gateway_that_starts_again_remembers_all_of_it(upstream: Upstream, tmp_path: Path) -> None:
    loops = [
        client(dialect, "", alias, script)
        for dialect in CLIENTS
        for alias, script in (("gemini", "thinking-gemini"), ("glm", "thinking"))
    ]
    with running(tmp_path, settings(upstream), **KEYS) as gateway:
        for loop in loops:
            loop.url = gateway.url
            loop.ask()
        made = create(gateway.url, store=True)
    with running(tmp_path, settings(upstream), **KEYS) as gateway:
        for loop in loops:
            loop.url = gateway.url

            assert loop.work() == SAID
            assert DUMMY not in upstream.last.body.decode()
            assert "glm" not in str(loop.history[0]) or thought(0) in upstream.last.body.decode()
        assert at(gateway.url, made["id"]).json() == made
        assert create(gateway.url, previous_response_id=made["id"])["status"] == "completed"


# ─── who may ask at all ──────────────────────────────────────────────────────────────────────────


@DIALECT
@pytest.mark.parametrize("headers", [MINE, THEIRS], ids=["bearer", "x-api-key"])
def test_a_key_lets_in_by_either_header(pair: Pair, dialect: str, headers: Json) -> None:
    asker = CLIENTS[dialect](pair.first.url, "model", "[[script:text]]", sending=headers)

    assert asker.work() == HELLO


@DIALECT
@pytest.mark.parametrize("headers", [{}, {"x-api-key": "wrong"}, {"Authorization": "Bearer wrong"}], ids=str)
def test_who_has_no_key_is_told_so_in_its_dialect(
    pair: Pair, upstream: Upstream, dialect: str, headers: Json
) -> None:
    asker = CLIENTS[dialect]
    body = {"model": "model", **asker(pair.first.url, "model", "Hi").body()}
    reply = requests.post(pair.first.url + asker.PATH, json=body, headers=headers, timeout=20)
    error = reply.json()["error"]

    assert reply.status_code == 401
    assert error["type"] == "authentication_error"
    assert reply.json().get("type") == ("error" if dialect == "messages" else None)
    assert upstream.requests == []
