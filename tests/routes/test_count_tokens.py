"""What clients get that ask how many tokens a request has."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from app.errors import UpstreamRefused
from app.types import Client, Count, Request, Target, Trace
from tests.fakes import catalog, target
from tests.routes.conftest import Logged, Serve

HELLO = {"model": "alias", "messages": [{"role": "user", "content": "Hi"}]}


class FakeCounting:
    """Counts to a number, or fails; remembers what it was asked."""

    def __init__(self, tokens: int | Exception) -> None:
        self._tokens = tokens
        self.asked: list[tuple[Request, Target]] = []

    def count(self, request: Request, target: Target, client: Client, trace: Trace) -> int:
        trace.target = target
        trace.tries = 1
        if isinstance(self._tokens, int):
            trace.count = Count(self._tokens, by_target=True)
        self.asked.append((request, target))
        if isinstance(self._tokens, Exception):
            raise self._tokens
        return self._tokens


def counted_by(asker: FlaskClient, tokens: int | Exception) -> FakeCounting:
    fake = asker.application.extensions["counting"] = FakeCounting(tokens)
    return fake


@pytest.mark.parametrize(
    "path", ["/v1/messages/count_tokens", "/messages/count_tokens", "/v1/messages/count_tokens?beta=true"]
)
def test_the_answer_is_the_number_and_nothing_else(path: str, serve: Serve) -> None:
    asker = serve()
    fake = counted_by(asker, 4711)

    reply = asker.post(path, json=HELLO | {"tools": []})

    assert (reply.status_code, reply.json) == (200, {"input_tokens": 4711})
    assert reply.headers["x-localcode-target"] == "provider/wire-id"
    assert fake.asked[0][0].body == HELLO | {"tools": []}
    assert fake.asked[0][1].alias == "alias"


def test_openais_answer_says_what_it_is(serve: Serve) -> None:
    asker = serve()
    counted_by(asker, 4711)

    reply = asker.post("/v1/responses/input_tokens", json={"model": "alias", "input": "Hi"})

    assert reply.json == {"object": "response.input_tokens", "input_tokens": 4711}


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        pytest.param(HELLO | {"model": "unheard-of"}, 404, "not_found_error", id="no such model"),
        pytest.param({"model": "alias"}, 400, "invalid_request_error", id="no messages"),
        pytest.param([], 400, "invalid_request_error", id="no object"),
    ],
)
def test_what_is_wrong_with_it_is_said_in_anthropics_words(
    body: Any, status: int, kind: str, serve: Serve
) -> None:
    reply = serve().post("/v1/messages/count_tokens", json=body)

    assert reply.status_code == status
    assert reply.json is not None
    assert (reply.json["type"], reply.json["error"]["type"]) == ("error", kind)


def test_what_the_target_finds_wrong_is_said_too(serve: Serve) -> None:
    asker = serve()
    counted_by(asker, UpstreamRefused("messages: roles must alternate"))

    reply = asker.post("/v1/messages/count_tokens", json=HELLO)

    assert reply.status_code == 400
    assert reply.json is not None
    assert reply.json["error"] == {
        "type": "invalid_request_error",
        "message": "messages: roles must alternate",
    }


def test_it_is_counted_here_for_a_target_that_cannot(serve: Serve) -> None:
    asker = serve(serving=catalog(target(model="glm-5", base_url="https://api.example.com/v1")))

    reply = asker.post("/v1/messages/count_tokens", json=HELLO)

    assert reply.json == {"input_tokens": 1 + 5 + 5}


def test_a_count_leaves_its_line_in_the_log(serve: Serve, logged: Logged) -> None:
    lines = logged()
    asker = serve()
    counted_by(asker, 4711)

    asker.post("/v1/messages/count_tokens", json=HELLO)

    asker.post("/v1/responses/input_tokens", json={"model": "alias", "input": "Hi"})

    came, went, came_again, _ = lines.getvalue().splitlines()
    assert "→ alias messages count 67 B, 1 messages, 0 tools" in came
    assert "← 200 alias via provider" in went
    assert "tries 1 counted by the target: 4711 tokens" in went
    assert "→ alias responses count" in came_again
