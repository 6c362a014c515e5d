"""A request's two lines."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

from app import logs
from app.errors import (
    BadRequest,
    ClientLeft,
    RateLimited,
    TargetUnavailable,
    UnknownModel,
    UpstreamAuthentication,
    UpstreamBilling,
    UpstreamCut,
    UpstreamGarbage,
    UpstreamRefused,
    UpstreamUnreachable,
)
from app.types import Client, Count, Trace
from app.utils.reasoning import Decision
from tests.logs.conftest import ASKED, CLIENT, USAGE, Configure, asked, records, trace


@pytest.mark.usefixtures("utc")
def test_the_first_line_says_what_was_asked(configured: Configure) -> None:
    stream = configured()

    logs.request_started(CLIENT, "chat", ASKED, 61_234)

    assert stream.getvalue() == (
        "12:01:02.123 INFO    → glm chat stream 61.2 kB, 1 messages, 2 tools id=req_1 session=ses_1\n"
    )


@pytest.mark.usefixtures("utc")
def test_the_last_line_says_how_it_went(configured: Configure) -> None:
    stream = configured()

    logs.request_ended(CLIENT, "chat", ASKED, trace(usage=USAGE, finish="stop"), 200)

    assert re.sub(r"1\.2\d", "1.24", stream.getvalue()) == (
        "12:01:02.123 INFO    ← 200 glm via zai 1.24s (first 0.31s) "
        "1203→88 tokens (cached 1100, reasoning 12) tries 1 finish stop id=req_1 session=ses_1\n"
    )


def test_both_lines_have_all_of_it_as_fields_in_json(configured: Configure) -> None:
    stream = configured(format="json")

    logs.request_started(CLIENT, "chat", ASKED, 61_234)
    logs.request_ended(CLIENT, "chat", ASKED, trace(usage=USAGE, finish="stop"), 200)

    started, ended = records(stream)
    assert started == {
        "time": "2026-11-21T12:01:02.123Z",
        "level": "info",
        "event": "request started",
        "logger": "app.requests",
        "id": "req_1",
        "session": "ses_1",
        "dialect": "chat",
        "alias": "glm",
        "stream": True,
        "bytes": 61_234,
        "messages": 1,
        "tools": 2,
    }
    assert 1230 <= ended.pop("duration_ms") <= 1400
    assert ended.pop("first_ms") == 310
    assert {key: value for key, value in ended.items() if key not in ("time", "logger")} == {
        "level": "info",
        "event": "request ended",
        "id": "req_1",
        "session": "ses_1",
        "dialect": "chat",
        "alias": "glm",
        "target": "zai",
        "status": 200,
        "tokens_in": 1203,
        "tokens_out": 88,
        "cached": 1100,
        "reasoning": 12,
        "tries": 1,
        "finish": "stop",
    }


def test_how_much_it_was_to_think_and_what_else_is_to_be_said_is_at_the_end(configured: Configure) -> None:
    thought = Decision("low", "thinking=2000", asked="minimal")
    stream = configured()

    logs.request_ended(CLIENT, "chat", ASKED, trace(reasoning=str(thought), notes=["one", "two"]), 200)

    assert " tries 1 thinks low (from thinking=2000, clamped minimal->low) (one; two) id" in stream.getvalue()


@pytest.mark.parametrize(
    ("seen", "said", "by"),
    [
        (
            {"tries": 0, "count": Count(13, by_target=False)},
            "glm 1.24s counted here: 13 tokens id",
            "gateway",
        ),
        (
            {"tries": 1, "count": Count(21, by_target=True)},
            "glm via zai 1.24s tries 1 counted by the target: 21 tokens id",
            "target",
        ),
        (
            {"tries": 1, "count": Count(13, by_target=False), "notes": ["the target did not count: away"]},
            "glm via zai 1.24s tries 1 counted here: 13 tokens (the target did not count: away) id",
            "gateway",
        ),
    ],
    ids=["here", "by the target", "here after all"],
)
def test_a_counts_last_line_says_the_number_and_who_counted(
    seen: dict[str, Any], said: str, by: str, configured: Configure
) -> None:
    console = configured()
    logs.request_ended(CLIENT, "messages count", ASKED, trace(first=None, **seen), 200)
    as_json = configured(format="json")
    logs.request_ended(CLIENT, "messages count", ASKED, trace(first=None, **seen), 200)

    assert f"← 200 {said}" in re.sub(r"1\.2\d", "1.24", console.getvalue())
    (record,) = records(as_json)
    assert (record["counted"], record["counted_by"], record["dialect"]) == (
        seen["count"].tokens,
        by,
        "messages count",
    )


@pytest.mark.parametrize("format", ["console", "json"])
@pytest.mark.parametrize(("level", "shown"), [("INFO", False), ("DEBUG", True)])
def test_the_real_model_is_shown_at_debug_only(
    level: str, shown: bool, format: str, configured: Configure
) -> None:
    stream = configured(level, format)

    logs.request_started(CLIENT, "chat", ASKED, 1)
    logs.request_ended(CLIENT, "chat", ASKED, trace(), 200)

    assert ("glm-4.7" in stream.getvalue()) is shown


@pytest.mark.parametrize(
    ("status", "problem", "level", "words"),
    [
        (
            502,
            UpstreamUnreachable("the provider of 'glm' does not answer"),
            "warning",
            "upstream_unreachable: the",
        ),
        (200, UpstreamCut("the stream of 'glm' ended"), "warning", "upstream_cut: the stream"),
        (404, UnknownModel("no model is called 'gml'"), "info", "model_not_found: no model"),
        (400, BadRequest("messages: missing"), "info", "invalid_request_error: messages"),
        (200, ClientLeft("gone"), "info", "client left"),
        (500, KeyError("x"), "warning", "KeyError: 'x'"),
        (400, UpstreamAuthentication("it refused"), "warning", "upstream_authentication_error: it refused"),
        (400, UpstreamBilling("pay"), "warning", "upstream_billing_error: pay"),
        (400, TargetUnavailable("X is not set"), "warning", "upstream_key_missing: X"),
        (400, UpstreamGarbage("a web page", status=400), "warning", "upstream_bad_answer: a web page"),
        (429, RateLimited("slow down"), "warning", "rate_limit_exceeded: slow down"),
        (400, UpstreamRefused("no such field"), "info", "invalid_request_error: no such field"),
    ],
    ids=[
        *("before", "within", "unknown", "bad", "left", "ours"),
        *("its key", "its bill", "no key", "its address", "its limit", "what was asked"),
    ],
)
def test_a_failure_is_named_and_loud_only_when_it_is_not_the_clients(
    status: int, problem: Exception, level: str, words: str, configured: Configure
) -> None:
    console = configured()
    logs.request_ended(CLIENT, "chat", ASKED, trace(first=None), status, problem)
    as_json = configured(format="json")
    logs.request_ended(CLIENT, "chat", ASKED, trace(first=None), status, problem)

    assert words in console.getvalue()
    assert f"← {status} glm via zai" in console.getvalue()
    assert records(as_json)[0]["level"] == level
    assert records(as_json)[0].get("client_left", False) is isinstance(problem, ClientLeft)


def test_only_failures_are_written_at_warning(configured: Configure) -> None:
    stream = configured("WARNING")

    logs.request_started(CLIENT, "chat", ASKED, 1)
    logs.request_ended(CLIENT, "chat", ASKED, trace(), 200)
    logs.request_ended(CLIENT, "chat", ASKED, trace(), 502, UpstreamUnreachable("the provider is away"))

    assert stream.getvalue().count("\n") == 1
    assert "the provider is away" in stream.getvalue()


def test_a_request_that_was_never_understood_has_a_last_line_too(configured: Configure) -> None:
    stream = configured()

    logs.request_ended(
        Client("req_2"), "chat", None, Trace(time.monotonic()), 400, BadRequest("the body is not JSON")
    )

    assert "← 400 - 0ms tries 0 invalid_request_error: the body is not JSON id=req_2\n" in stream.getvalue()


@pytest.mark.parametrize("model", ["x" * 5000, "\x1b[2J\nforged", {"a": 1}, None])
def test_a_client_cannot_write_the_log_with_a_models_name(model: Any, configured: Configure) -> None:
    stream = configured()

    logs.request_started(CLIENT, "chat", asked(model, {"messages": "odd", "tools": None}), 1)

    assert len(stream.getvalue()) < 300
    assert stream.getvalue().count("\n") == 1


def test_a_mistake_of_our_own_leaves_its_stack_but_no_variables(configured: Configure) -> None:
    stream = configured("ERROR")

    def mistake(value_that_nobody_should_see: str) -> None:
        raise ZeroDivisionError("on purpose")

    try:
        mistake("a" + "bc")
    except ZeroDivisionError as problem:
        logs.failure("req_3", problem)

    assert "[ERROR] ZeroDivisionError: on purpose id=req_3" in stream.getvalue()
    assert 'raise ZeroDivisionError("on purpose")' in stream.getvalue()
    assert "abc" not in stream.getvalue()
