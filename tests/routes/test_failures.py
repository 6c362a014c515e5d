"""What goes wrong is one error in OpenAI's shape; our own mistakes have their stack in the log alone."""

from __future__ import annotations

import json

import pytest
from flask.testing import FlaskClient

from app.errors import BadRequest, GatewayError, RateLimited, UpstreamRefused, UpstreamTimeout
from app.types import Completion
from tests.fakes import FakeBackend
from tests.routes.conftest import Logged, Serve

HELLO = {"model": "alias", "messages": [{"role": "user", "content": "Hi"}]}


def ask(client: FlaskClient, **body: object) -> tuple[int, str]:
    """Status and body, whole or as far as it came."""
    reply = client.post("/v1/chat/completions", json=HELLO | body, buffered=False)
    text = b""
    try:
        for piece in reply.iter_encoded():
            text += piece
    except BrokenPipeError:
        text += b"<broken>"
    finally:
        reply.close()
    return reply.status_code, text.decode()


# ─── paths and methods ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/v1/v2/models", "/v2/models", "/v1/complete", "/chat", "/static/x", "/favicon.ico",
     "/%ff%00", "/" + "a" * 5000],
)  # fmt: skip
def test_an_unknown_path_is_a_short_404_that_says_where_to_look(serve: Serve, path: str) -> None:
    reply = serve().get(path)

    assert reply.status_code == 404
    assert reply.headers["content-type"] == "application/json"
    assert reply.get_json()["error"] | {"message": ""} == {
        "message": "",
        "type": "invalid_request_error",
        "param": None,
        "code": "unknown_path",
    }
    assert "/v1/models" in reply.get_json()["error"]["message"]
    assert len(reply.data) < 500


@pytest.mark.parametrize(
    ("method", "path", "allowed", "words"),
    [
        ("GET", "/v1/chat/completions", "OPTIONS, POST", "is asked with POST, not GET"),
        ("PUT", "/chat/completions", "OPTIONS, POST", "is asked with POST, not PUT"),
        ("BREW", "/v1/chat/completions", "OPTIONS, POST", "is asked with POST, not BREW"),
        ("POST", "/v1/models", "GET, HEAD, OPTIONS", "is asked with GET, not POST"),
        ("DELETE", "/models/alias", "GET, HEAD, OPTIONS", "is asked with GET, not DELETE"),
        ("POST", "/health", "GET, HEAD, OPTIONS", "is asked with GET, not POST"),
        ("POST", "/", "GET, HEAD, OPTIONS", "is asked with GET, not POST"),
        ("TRACE", "/", "GET, HEAD, OPTIONS", "is asked with GET, not TRACE"),
    ],
)
def test_a_wrong_method_is_a_405_that_says_which_is_right(
    serve: Serve, method: str, path: str, allowed: str, words: str
) -> None:
    reply = serve().open(path, method=method)

    assert reply.status_code == 405
    assert reply.headers["Allow"] == allowed
    assert reply.get_json()["error"]["code"] == "method_not_allowed"
    assert words in reply.get_json()["error"]["message"]


def test_a_head_request_for_a_chat_is_a_405_without_a_body(serve: Serve) -> None:
    reply = serve().head("/v1/chat/completions")

    assert (reply.status_code, reply.data, reply.headers["Allow"]) == (405, b"", "OPTIONS, POST")


@pytest.mark.parametrize("path", ["/v1//models", "/v1/v1/models", "/v1//v1/models", "/v1/v1/models/"])
def test_what_clients_make_of_a_base_url_leads_to_the_right_place(serve: Serve, path: str) -> None:
    assert serve().get(path).get_json() == serve().get("/v1/models").get_json()


def test_a_404_of_a_target_is_a_400_for_clients_of_messages(serve: Serve) -> None:
    """Claude Code shows nobody the words of a 404."""
    lost = UpstreamRefused("the provider of 'alias' answered 404: check its baseURL", status=404)
    body = {"model": "alias", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
    statuses = [serve(lost).post(path, json=body) for path in ("/v1/messages", "/v1/chat/completions")]

    assert [reply.status_code for reply in statuses] == [400, 404]
    assert "check its baseURL" in statuses[0].get_json()["error"]["message"]


@pytest.mark.parametrize("host", ["x" * 300, "..", "a..b"])
def test_a_host_that_is_none_is_a_clear_400(serve: Serve, host: str) -> None:
    reply = serve().get("/v1/models", headers={"Host": host})

    assert reply.status_code == 400
    assert "Host" in reply.get_json()["error"]["message"]


# ─── errors of the family ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize(
    ("problem", "status", "retry_after"),
    [
        (BadRequest("no such thing", param="tools"), 400, None),
        (RateLimited("slowly", retry_after=0.2), 429, "1"),
        (RateLimited("slowly", retry_after=7.0), 429, "7"),
        (RateLimited("slowly", retry_after=0), 429, "0"),
        (UpstreamTimeout("too slow"), 504, None),
    ],
)
def test_an_error_before_the_answer_is_its_status(
    serve: Serve, problem: GatewayError, status: int, retry_after: str | None, stream: bool
) -> None:
    client = serve(problem)
    reply = client.post("/v1/chat/completions", json=HELLO | {"stream": stream})

    assert reply.status_code == status
    assert reply.get_json() == {
        "error": {
            "message": str(problem),
            "type": problem.type,
            "param": problem.param,
            "code": problem.code,
        }
    }
    assert reply.headers.get("Retry-After") == retry_after
    assert reply.headers["x-localcode-target"] == "provider/wire-id"
    assert reply.headers["x-localcode-attempts"] == "1"


def test_an_error_in_a_stream_is_its_last_event_and_breaks_the_body(serve: Serve) -> None:
    status, text = ask(serve("Hel", "lo", UpstreamTimeout("too slow")), stream=True)
    *_, last, _ = text.split("\n\n")

    assert status == 200
    assert json.loads(last.removeprefix("data: ")) == {
        "error": {"message": "too slow", "type": "server_error", "param": None, "code": "upstream_timeout"}
    }
    assert "[DONE]" not in text
    assert text.endswith("<broken>")


# ─── our own mistakes ────────────────────────────────────────────────────────────────────────────

OURS = KeyError("the-inner-secret")


@pytest.mark.parametrize("level", ["ERROR", "DEBUG"])
@pytest.mark.parametrize(
    ("script", "stream"), [((OURS,), False), ((OURS,), True), (("Hel", OURS), True)], ids=str
)
def test_a_mistake_of_ours_has_its_stack_in_the_log_and_none_in_the_answer(
    serve: Serve, logged: Logged, script: tuple[object, ...], stream: bool, level: str
) -> None:
    log = logged(level)
    status, text = ask(serve(*script), stream=stream)

    assert status == (200 if len(script) > 1 else 500)
    assert '"code":"internal_error"' in text
    assert '"type":"server_error"' in text
    for inner in ("the-inner-secret", "KeyError", "Traceback", ".py"):
        assert inner not in text
    assert "Traceback" in log.getvalue()
    assert "KeyError: 'the-inner-secret'" in log.getvalue()
    assert "tests/fakes.py" in log.getvalue()


def test_a_mistake_in_a_stream_closes_the_target_and_breaks_the_body(serve: Serve) -> None:
    backend = FakeBackend("Hel", OURS)
    _, text = ask(serve(backend=backend), stream=True)

    assert backend.streams[0].closed >= 1
    assert text.endswith("<broken>")
    assert "[DONE]" not in text


class Sloppy:
    """A backend that gives what it must not."""

    def complete(self, call: object) -> Completion:
        return {"choices": {1, 2, 3}}

    stream = complete


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_that_cannot_be_written_is_a_mistake_like_any(serve: Serve, stream: bool) -> None:
    status, text = ask(serve(backend=Sloppy()), stream=stream)

    assert status == 500
    assert '"code":"internal_error"' in text


# ─── lines ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("method", "path", "line"),
    [
        ("GET", "/nothing", "← 404 - "),
        ("GET", "/v1/chat/completions", "← 405 - "),
        ("GET", "/v1/models/nothing", "← 404 - "),
        ("POST", "/v1/chat/completions", "← 400 - "),
    ],
)
def test_every_refusal_leaves_one_line_with_its_id(
    serve: Serve, logged: Logged, method: str, path: str, line: str
) -> None:
    log = logged()
    request_id = serve().open(path, method=method).headers["x-request-id"]
    lines = [text for text in log.getvalue().splitlines() if request_id in text]

    assert len(lines) == 1
    assert line in lines[0]


def test_a_request_leaves_two_lines_when_it_begins_and_when_it_is_over(serve: Serve, logged: Logged) -> None:
    log = logged()
    client = serve()
    for stream in (False, True):
        log.truncate(0)
        ask(client, stream=stream)
        began, ended = log.getvalue().strip("\0").splitlines()

        assert "→ alias" in began
        assert "← 200 alias via provider" in ended
