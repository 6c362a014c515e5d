"""What goes wrong is said as the clients of Messages and Responses understand it, and never a clean end."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.contract.client import Asked
from tests.contract.dialects import DIALECTS, MESSAGES, WAYS, Dialect, asking, said_in
from tests.gateway import Gateway
from tests.upstream import Upstream

STREAMED = pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
SAFETY = 20.0
"""Seconds after which a test that waits for an event has failed."""

Ask = Callable[..., Asked]


@pytest.fixture(params=DIALECTS)
def dialect(request: pytest.FixtureRequest) -> Dialect:
    return DIALECTS[request.param]


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def ask(gateway: Gateway, upstream: Upstream, dialect: Dialect, way: str) -> Ask:
    """`ask("cut", stream=True)`; `patient=True` asks by the alias that is set to try again."""

    def call(script: str, patient: bool = False, **fields: Any) -> Asked:
        alias = WAYS[way] + ("-again" if patient else "")
        return asking(gateway.url, dialect, dialect.body(alias, f"[[script:{script}]]") | fields)

    return call


def is_an_error_body(asked: Asked, dialect: Dialect) -> bool:
    """Whether a body is the dialect's own error, with all that its SDK reads."""
    body = asked.body
    if dialect is MESSAGES:
        ids = {body.get("request_id"), asked.headers["request-id"], asked.headers["x-request-id"]}
        return body.keys() == {"type", "error", "request_id"} and body["type"] == "error" and len(ids) == 1
    return bool(body.keys() == {"error"})


def kind_in(asked: Asked, dialect: Dialect) -> Any:
    """By what clients tell errors apart: the type (Messages), or the code (Responses)."""
    return asked.error["type" if dialect is MESSAGES else "code"]


# ─── before the first byte ───────────────────────────────────────────────────────────────────────

FAULTS = [
    ("status status=400 kind=invalid_request_error", 400, "invalid_request_error", None),
    ("status status=401", 400, "invalid_request_error", "upstream_authentication_error"),
    ("status status=402", 400, "invalid_request_error", "upstream_billing_error"),
    ("status status=403", 400, "invalid_request_error", "upstream_authentication_error"),
    ("status status=404 code=model_not_found form=openai", 404, "invalid_request_error", "model_not_found"),
    ("status status=413", 413, "request_too_large", None),
    ("status status=422", 422, "invalid_request_error", None),
    ("busy", 429, "rate_limit_error", "rate_limit_exceeded"),
    ("status status=429 code=1113 form=openai", 400, "invalid_request_error", "upstream_billing_error"),
    ("status status=500", 500, "api_error", None),
    ("status status=503 form=html", 503, "api_error", None),
    ("status status=529", 529, "overloaded_error", None),
    ("html", 400, "invalid_request_error", "upstream_bad_answer"),
    ("nothing", 502, "api_error", "upstream_bad_answer"),
    ("error-200 status=200 form=openai", 502, "api_error", None),
    ("drop", 502, "api_error", "upstream_unreachable"),
    ("drop reset=1", 502, "api_error", "upstream_unreachable"),
    ("too-long", 400, "invalid_request_error", "context_length_exceeded"),
]


@pytest.mark.parametrize(
    ("way", "stream"),
    [("relayed", False), ("relayed", True), ("translated", True), ("litellm", True)],
    indirect=["way"],
)
@pytest.mark.parametrize(("script", "status", "type", "code"), FAULTS, ids=[fault[0] for fault in FAULTS])
def test_an_error_before_the_answer_is_a_status(
    ask: Ask, dialect: Dialect, script: str, status: int, type: str, code: str | None, stream: bool
) -> None:
    asked = ask(script, stream=stream)

    # Claude Code shows nobody the words of a 404.
    assert asked.status == (400 if dialect is MESSAGES and status == 404 else status), asked.raw
    assert asked.headers["content-type"] == "application/json"
    assert is_an_error_body(asked, dialect)
    assert asked.error["message"]
    if dialect is MESSAGES:
        assert asked.error["type"] == type
    elif code is not None:
        assert asked.error["code"] == code
    assert "wire-of" not in asked.raw.decode()
    assert "litellm" not in asked.raw.decode().lower()
    assert ("Retry-After" in asked.headers) == (status == 429)


@STREAMED
def test_a_full_context_is_said_in_the_dialects_words(ask: Ask, dialect: Dialect, stream: bool) -> None:
    error = ask("too-long", stream=stream).error

    if dialect is MESSAGES:
        assert error["message"] == "prompt is too long: 40000 tokens > 32768 maximum"
    else:
        assert error["code"] == "context_length_exceeded"


@STREAMED
def test_what_the_target_says_of_our_key_stays_here(ask: Ask, stream: bool) -> None:
    asked = ask("canary", stream=stream)

    assert asked.status == 400
    assert "sk-of-the-target" not in asked.raw.decode()
    assert "Wrong key" not in asked.raw.decode()
    assert "provider 'up'" in asked.error["message"]


@pytest.mark.parametrize(
    ("script", "expected"),
    [("busy retry_after=7", "7"), ("busy retry_after_ms=6500", "7"), ("busy", "5"),
     ("status status=503 retry_after=9", "9")],
)  # fmt: skip
def test_retry_after_goes_through_and_a_429_never_leaves_without(
    ask: Ask, script: str, expected: str
) -> None:
    assert ask(script, stream=True).headers["Retry-After"] == expected


@pytest.mark.parametrize(
    "script", ["cut cut=0", "cut cut=0.5", "end end=0", "error-event error=0", "garbage garbage=0"]
)
def test_what_breaks_before_the_first_event_is_a_status(ask: Ask, dialect: Dialect, script: str) -> None:
    asked = ask(script, stream=True)

    assert asked.status >= 500
    assert is_an_error_body(asked, dialect)


@STREAMED
@pytest.mark.parametrize(
    "script", ["flaky", "flaky status=429 retry_after=0.02", "flaky status=529", "flaky status=0"]
)
def test_what_may_pass_is_tried_again(
    ask: Ask, dialect: Dialect, upstream: Upstream, script: str, stream: bool
) -> None:
    asked = ask(script, patient=True, stream=stream)

    assert said_in(asked, dialect).text == "Better now."
    assert len(upstream.requests) == 2


@pytest.mark.parametrize("script", ["status status=400", "status status=401", "too-long", "cut cut=4"])
def test_what_cannot_get_better_or_has_begun_is_asked_once(ask: Ask, upstream: Upstream, script: str) -> None:
    asked = ask(script, patient=True, stream=True)

    assert asked.headers["x-localcode-attempts"] == "1"
    assert len(upstream.requests) == 1


# ─── after it ────────────────────────────────────────────────────────────────────────────────────


def broke_off(asked: Asked, dialect: Dialect) -> Any:
    """The error that ended a stream, after all else was found right."""
    said = said_in(asked, dialect)
    dialect.check(asked.raw, False)

    assert asked.status == 200, asked.raw
    assert asked.broken is dialect.breaks_off
    assert not asked.done
    assert said.finish is None
    assert said.error is not None
    assert said.error["message"]
    assert "wire-of" not in asked.raw.decode()
    return said.error["type" if dialect is MESSAGES else "code"]


@pytest.mark.parametrize(
    "script",
    [
        "cut cut=4",
        "cut cut=4.5",
        "cut cut=4 reset=1",
        "end end=4",
        "error-event error=4",
        "garbage garbage=4",
    ],
)
def test_a_stream_that_breaks_ends_with_an_error_event_and_breaks_off(
    ask: Ask, dialect: Dialect, script: str
) -> None:
    kind = broke_off(ask(f"{script} n=9", stream=True), dialect)

    assert kind == ("api_error" if dialect is MESSAGES else "server_error")


def test_half_a_call_is_no_call(ask: Ask, dialect: Dialect) -> None:
    asked = ask("tools cut=13 pieces=20", stream=True)
    broke_off(asked, dialect)

    assert b"get_weather" in asked.raw
    assert "note" not in str(said_in(asked, dialect).calls)


def test_a_busy_target_in_mid_stream_says_so(ask: Ask, dialect: Dialect) -> None:
    kind = broke_off(ask("error-event error=5 error_status=429 n=9", stream=True), dialect)

    assert kind == ("rate_limit_error" if dialect is MESSAGES else "rate_limit_exceeded")


@pytest.mark.parametrize("finish", ["network_error", "error"])
@pytest.mark.parametrize("alias", ["model", "lite"])
@STREAMED
def test_a_failed_finish_is_an_error_and_no_stop(
    gateway: Gateway, upstream: Upstream, dialect: Dialect, alias: str, finish: str, stream: bool
) -> None:
    body = dialect.body(alias, f"[[script:text finish={finish}]]") | {"stream": stream}
    asked = asking(gateway.url, dialect, body)

    if stream:
        broke_off(asked, dialect)
    else:
        assert asked.status == 502
        assert is_an_error_body(asked, dialect)


@STREAMED
def test_a_response_that_failed_is_an_error_though_its_status_is_200(
    gateway: Gateway, upstream: Upstream, stream: bool
) -> None:
    dialect = DIALECTS["responses"]
    asked = asking(
        gateway.url, dialect, dialect.body("native", "[[script:text finish=error]]") | {"stream": stream}
    )

    if stream:
        assert broke_off(asked, dialect) == "server_error"
    else:
        assert asked.status == 502
        assert "engine broke" in asked.error["message"]


# ─── limits of time ──────────────────────────────────────────────────────────────────────────────


def test_silence_in_mid_stream_becomes_an_error_event_and_a_broken_body(
    impatient: Gateway, upstream: Upstream, dialect: Dialect, way: str
) -> None:
    body = dialect.body(f"idle/{WAYS[way]}", "[[script:stall stall=5 n=9]]") | {"stream": True}
    kind = broke_off(asking(impatient.url, dialect, body), dialect)

    assert kind == ("timeout_error" if dialect is MESSAGES else "server_error")
    assert upstream.last.closed_early.wait(SAFETY)


@STREAMED
def test_a_target_that_does_not_begin_is_a_504(
    impatient: Gateway, upstream: Upstream, dialect: Dialect, way: str, stream: bool
) -> None:
    body = dialect.body(f"late/{WAYS[way]}", "[[script:mute]]") | {"stream": stream}
    asked = asking(impatient.url, dialect, body)

    assert asked.status == 504
    assert is_an_error_body(asked, dialect)
    assert kind_in(asked, dialect) == ("timeout_error" if dialect is MESSAGES else "upstream_timeout")


# ─── the gateway's own errors ────────────────────────────────────────────────────────────────────


def own_error(reply: requests.Response, dialect: Dialect) -> tuple[int, str]:
    """The status, and the type (Messages) or code (Responses) of what the gateway itself refuses."""
    asked = Asked(reply.status_code, reply.headers, reply.content)
    assert is_an_error_body(asked, dialect), asked.raw
    return asked.status, str(kind_in(asked, dialect))


def test_an_unknown_alias_is_not_found(gateway: Gateway, dialect: Dialect) -> None:
    reply = requests.post(gateway.url + dialect.path, json=dialect.body("nobody", "Hi"), timeout=20)

    assert own_error(reply, dialect) == (
        404,
        "not_found_error" if dialect is MESSAGES else "model_not_found",
    )


@pytest.mark.parametrize("data", ["", "{", "nonsense", "[1,"])
def test_what_is_no_json_is_a_400(gateway: Gateway, dialect: Dialect, data: str) -> None:
    reply = requests.post(gateway.url + dialect.path, data=data, timeout=20)

    assert own_error(reply, dialect) == (
        400,
        "invalid_request_error" if dialect is MESSAGES else "invalid_json",
    )


ONE = [{"role": "user", "content": "Hi"}]


@pytest.mark.parametrize(
    ("name", "body", "place"),
    [
        ("messages", {"messages": ONE, "max_tokens": 5}, "model"),
        ("messages", {"model": "model", "messages": ONE}, "max_tokens"),
        ("messages", {"model": "model", "messages": ONE, "max_tokens": "5"}, "max_tokens"),
        ("messages", {"model": "model", "messages": "Hi", "max_tokens": 5}, "messages"),
        ("messages", {"model": "model", "messages": [{"role": "tool", "content": ""}], "max_tokens": 5},
         "messages[0].role"),
        ("messages", {"model": "model", "messages": ONE, "max_tokens": 5, "system": 1}, "system"),
        ("messages", {"model": "model", "messages": ONE, "max_tokens": 5, "tools": [1]}, "tools[0]"),
        ("messages", {"model": "model", "messages": ONE, "max_tokens": 5, "stream": "yes"}, "stream"),
        ("responses", {"input": "Hi"}, "model"),
        ("responses", {"model": "model", "input": 5}, "input"),
        ("responses", {"model": "model", "input": ["Hi"]}, "input[0]"),
        ("responses", {"model": "model", "input": "Hi", "tools": {}}, "tools"),
        ("responses", {"model": "model", "input": "Hi", "stream": 1}, "stream"),
        ("responses", {"model": "model", "input": "Hi", "reasoning": "high"}, "reasoning"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_a_wrong_type_is_a_400_that_names_the_place(
    gateway: Gateway, upstream: Upstream, name: str, body: dict[str, Any], place: str
) -> None:
    reply = requests.post(gateway.url + DIALECTS[name].path, json=body, timeout=20)
    status, _ = own_error(reply, DIALECTS[name])

    assert status == 400
    assert f"'{place}'" in reply.json()["error"]["message"]
    assert upstream.requests == []


def test_a_path_that_is_none_and_a_method_that_is_none_speak_the_dialect(gateway: Gateway) -> None:
    nowhere = requests.post(f"{gateway.url}/v1/messages/batches", json={}, timeout=20)
    wrong = requests.get(f"{gateway.url}/v1/messages", timeout=20)

    assert own_error(nowhere, MESSAGES) == (404, "not_found_error")
    assert own_error(wrong, MESSAGES) == (405, "invalid_request_error")
    assert wrong.headers["Allow"] == "OPTIONS, POST"
    assert own_error(requests.get(f"{gateway.url}/v1/responses", timeout=20), DIALECTS["responses"]) == (
        405,
        "method_not_allowed",
    )


@pytest.mark.parametrize(
    ("body", "status", "type"),
    [({"model": "nobody", "messages": ONE}, 404, "not_found_error"),
     ({"model": "model"}, 400, "invalid_request_error"),
     ({"model": "model", "messages": [5]}, 400, "invalid_request_error")],
    ids=["unknown alias", "no messages", "no message"],
)  # fmt: skip
def test_what_cannot_be_counted_is_said_in_the_same_words(
    gateway: Gateway, body: dict[str, Any], status: int, type: str
) -> None:
    reply = requests.post(f"{gateway.url}/v1/messages/count_tokens", json=body, timeout=20)

    assert own_error(reply, MESSAGES) == (status, type)


def test_claude_codes_first_question_is_answered(gateway: Gateway) -> None:
    assert requests.head(f"{gateway.url}/", timeout=20).status_code == 200


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("messages", {"type": "image", "source": {"type": "url", "url": "URL"}}),
        ("responses", {"type": "input_image", "image_url": "URL"}),
    ],
)
@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/secret.png", "https://x.example/a.png", "file:///etc/passwd"]
)
def test_a_picture_elsewhere_is_fetched_from_nowhere(
    gateway: Gateway, upstream: Upstream, way: str, name: str, body: dict[str, Any], url: str
) -> None:
    part = json.loads(json.dumps(body).replace("URL", url))
    message = {"role": "user", "content": [part]}
    field = "messages" if name == "messages" else "input"
    asked = asking(gateway.url, DIALECTS[name], DIALECTS[name].body(WAYS[way], "") | {field: [message]})

    assert asked.status == 400
    assert is_an_error_body(asked, DIALECTS[name])
    assert "[0].content[0]" in asked.error["message"]
    assert upstream.requests == []
