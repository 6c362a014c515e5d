"""What a target wants back it gets back, whichever dialect its client speaks and however much that drops."""

from __future__ import annotations

import itertools
import json
from base64 import b64encode
from typing import Any

import pytest

from tests.backends.litellm_lab import event, reply
from tests.contract.tool_loop import CLIENTS, Client, Manner
from tests.gateway import Gateway
from tests.upstream import Connection, Seen, Upstream
from tests.upstream.thinking import DUMMY, SAID, native_answer, signature, thought

STREAMED = pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
MANNERS = pytest.mark.parametrize("manner", ["faithful", "cuts ids", "new ids", "forgets"])
DIALECT = pytest.mark.parametrize("dialect", CLIENTS)
QUESTION = "What is the weather? This is conversation {}. [[script:{}]]"
NUMBERS = itertools.count()


def googles(connection: Connection, seen: Seen) -> bool:
    """Gemini's own API, as Google serves it."""
    status, answer = native_answer(seen.json)
    if status == 200 and "streamGenerateContent" in seen.path:
        return reply(connection, event(answer), "text/event-stream")
    return reply(connection, json.dumps(answer).encode(), status=status)


def client(dialect: str, gateway: Gateway, alias: str, script: str, **manner: Any) -> Client:
    """A conversation that begins as no other one did: the gateway must not take it for one of those."""
    return CLIENTS[dialect](gateway.url, alias, QUESTION.format(next(NUMBERS), script), **manner)


# ─── Gemini's signatures ─────────────────────────────────────────────────────────────────────────


@STREAMED
@MANNERS
@DIALECT
@pytest.mark.parametrize("alias", ["gemini", "google"])
def test_gemini_sees_its_signatures_again(
    gateway: Gateway, upstream: Upstream, alias: str, dialect: str, manner: Manner, stream: bool
) -> None:
    """By chat's relay, and by LiteLLM in Google's own API; both refuse a turn that lacks one."""
    if alias == "google":
        upstream.play(googles)
    loop = client(dialect, gateway, alias, "thinking-gemini", manner=manner, stream=stream)

    assert loop.work() == SAID
    assert len(upstream.requests) == 4
    assert [signature(step) in upstream.last.body.decode() for step in range(3)] == [True] * 3
    assert DUMMY not in upstream.last.body.decode()


@DIALECT
def test_the_next_question_finds_all_in_its_place(gateway: Gateway, upstream: Upstream, dialect: str) -> None:
    loop = client(dialect, gateway, "gemini", "thinking-gemini", manner="forgets")
    loop.work()
    loop.history.append({"role": "user", "content": QUESTION.format("on", "thinking-gemini calls=1")})

    assert loop.work() == SAID
    assert upstream.last.body.count(b"thought_signature") == 6


@DIALECT
@pytest.mark.parametrize("alias", ["gemini", "google"])
def test_a_signature_that_nobody_knows_is_googles_dummy_and_the_log_says_so(
    gateway: Gateway, upstream: Upstream, alias: str, dialect: str
) -> None:
    elsewhere = client(dialect, gateway, "model", "thinking calls=1", manner="forgets")
    elsewhere.ask()
    upstream.play(googles if alias == "google" else None)
    name = f"dummy-{alias}-{dialect}"
    loop = client(dialect, gateway, alias, "thinking-gemini", sending={"x-request-id": name})
    loop.history += elsewhere.history[1:]
    loop.ask()

    (line,) = [one for one in gateway.log().splitlines() if f"id={name}" in one and "←" in one]
    assert "no thought signature is known for the call of 'get_weather': Google's dummy stands in" in line
    assert DUMMY in upstream.last.body.decode() or b64encode(DUMMY.encode()) in upstream.last.body


# ─── thoughts as text ────────────────────────────────────────────────────────────────────────────


@STREAMED
@MANNERS
@DIALECT
@pytest.mark.parametrize("alias", ["glm", "glm-lite"])
def test_a_target_reads_its_own_thoughts_again(
    gateway: Gateway, upstream: Upstream, alias: str, dialect: str, manner: Manner, stream: bool
) -> None:
    loop = client(dialect, gateway, alias, "thinking", manner=manner, stream=stream)

    assert loop.work() == SAID
    turns = [message for message in upstream.last.json["messages"] if message["role"] == "assistant"]
    assert [turn.get("reasoning_content") for turn in turns] == [thought(step) for step in range(3)]


@STREAMED
def test_a_client_of_responses_carries_thoughts_itself(
    gateway: Gateway, upstream: Upstream, stream: bool
) -> None:
    """Sealed in its reasoning items: here each step comes in a session that the ledger has never seen."""
    loop = client("responses", gateway, "glm", "thinking", stream=stream)
    for step in range(4):
        loop.sending = {"session-id": f"session-{stream}-{step}"}
        loop.ask()
    turns = [message for message in upstream.last.json["messages"] if message["role"] == "assistant"]

    assert [turn.get("reasoning_content") for turn in turns] == [thought(step) for step in range(3)]


def test_what_another_gateway_has_sealed_is_left_out(gateway: Gateway, upstream: Upstream) -> None:
    loop = client("responses", gateway, "glm", "thinking", sending={"session-id": "sealed-1"})
    loop.ask()
    for item in loop.history:
        if item.get("encrypted_content"):
            item["encrypted_content"] = item["encrypted_content"][:-8] + "AAAAAAAA"
            item["summary"] = item["content"] = []
    loop.sending = {"session-id": "sealed-2"}

    assert loop.ask() == 2
    assert thought(0) not in upstream.last.body.decode()
