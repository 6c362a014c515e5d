"""What goes wrong at a target is one proper status or one proper error event, and never a clean end."""

from __future__ import annotations

import pytest

from tests.contract.conftest import Ask
from tests.upstream import Upstream

STREAMED = pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])


@STREAMED
@pytest.mark.parametrize(
    ("script", "status", "code"),
    [
        ("status status=400 kind=invalid_request_error", 400, None),
        ("status status=404 kind=invalid_request_error code=model_not_found", 404, "model_not_found"),
        ("status status=413 kind=invalid_request_error", 413, None),
        ("status status=422 kind=invalid_request_error", 422, None),
        ("too-long", 400, "context_length_exceeded"),
        ("status status=401", 400, "upstream_authentication_error"),
        ("status status=403", 400, "upstream_authentication_error"),
        ("status status=402", 400, "upstream_billing_error"),
        ("busy", 429, "rate_limit_exceeded"),
        ("status status=429 code=1113", 400, "upstream_billing_error"),
        ("status status=500", 500, None),
        ("status status=503", 503, None),
        ("status status=529", 529, None),
        ("html", 400, "upstream_bad_answer"),
        ("nothing", 502, "upstream_bad_answer"),
        ("drop", 502, "upstream_unreachable"),
        ("drop reset=1", 502, "upstream_unreachable"),
    ],
)
def test_an_error_before_the_answer_is_a_status(
    asking: Ask, alias: str, script: str, status: int, code: str | None, stream: bool
) -> None:
    asked = asking(script, stream=stream)

    assert asked.status == status, asked.raw
    assert asked.headers["content-type"] == "application/json"
    assert set(asked.body["error"]) == {"message", "type", "param", "code"}
    assert asked.error["code"] == code
    assert isinstance(asked.error["message"], str)
    assert asked.error["message"]
    assert f"wire-of-{alias}" not in asked.raw.decode()
    assert "litellm" not in asked.raw.decode().lower()


@STREAMED
def test_what_the_target_says_of_our_key_stays_here(asking: Ask, stream: bool) -> None:
    asked = asking("canary", stream=stream)

    assert asked.status == 400
    assert "sk-of-the-target" not in asked.raw.decode()
    assert "Wrong key" not in asked.raw.decode()
    assert "provider 'up'" in asked.error["message"]


@STREAMED
@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("busy retry_after=7", "7"),
        ("busy retry_after_ms=6500", "7"),
        ("busy", "5"),
        ("status status=503 retry_after=9", "9"),
    ],
)
def test_retry_after_goes_through_and_a_429_never_leaves_without(
    asking: Ask, script: str, expected: str, stream: bool
) -> None:
    assert asking(script, stream=stream).headers["Retry-After"] == expected


@pytest.mark.parametrize("script", ["cut", "cut-within", "cut reset=1", "end", "error-event", "garbage"])
def test_a_stream_that_breaks_ends_with_an_error_event_and_breaks_off(asking: Ask, script: str) -> None:
    asked = asking(script, stream=True)

    assert asked.status == 200
    assert asked.finish is None
    assert asked.error["message"]
    assert not asked.done
    assert asked.broken


@pytest.mark.parametrize(
    "script", ["cut cut=0", "cut cut=0.5", "end end=0", "error-event error=0", "garbage garbage=0"]
)
def test_what_breaks_before_the_first_event_is_a_status(asking: Ask, script: str) -> None:
    asked = asking(script, stream=True)

    assert asked.status >= 500
    assert asked.headers["content-type"] == "application/json"


@pytest.mark.parametrize("finish", ["network_error", "error"])
@STREAMED
def test_a_failed_finish_is_an_error_and_no_stop(
    asking: Ask, carrier: str, finish: str, stream: bool
) -> None:
    asked = asking(f"text finish={finish}", stream=stream)

    assert asked.finish is None if stream else asked.status == 502
    assert asked.error["message"]


@STREAMED
@pytest.mark.parametrize(
    "script", ["flaky", "flaky status=429 retry_after=1", "flaky status=408", "flaky status=0"]
)
def test_what_may_pass_is_tried_again(asking: Ask, upstream: Upstream, script: str, stream: bool) -> None:
    asked = asking(script, patient=True, stream=stream)

    assert asked.text == "Better now."
    assert len(upstream.requests) == 2
    if "status=0" not in script:  # a kept connection that closes is replaced unnoticed: that is no second try
        assert asked.headers["x-localcode-attempts"] == "2"


@STREAMED
@pytest.mark.parametrize("script", ["status status=400", "status status=401", "too-long"])
def test_what_cannot_get_better_is_asked_once(
    asking: Ask, upstream: Upstream, script: str, stream: bool
) -> None:
    asked = asking(script, patient=True, stream=stream)

    assert asked.headers["x-localcode-attempts"] == "1"
    assert len(upstream.requests) == 1


def test_nothing_is_tried_again_after_the_first_event(asking: Ask, upstream: Upstream) -> None:
    asking("cut", patient=True, stream=True)

    assert len(upstream.requests) == 1
