"""Whatever LiteLLM raises is one of ours, with a status that is one and nobody's secrets."""

from __future__ import annotations

import importlib
import inspect
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from app.backends.litellm_client import LiteLLM
from app.backends.litellm_errors import RULES, forget, problem
from app.errors import (
    BadRequest,
    ContextTooLong,
    GatewayError,
    RateLimited,
    UpstreamAuthentication,
    UpstreamBilling,
    UpstreamCut,
    UpstreamFailed,
    UpstreamGarbage,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from app.types import Call
from tests.backends.litellm_lab import calling, carrier, chunks, target_at
from tests.upstream import Upstream

TARGET = target_at(
    "http://127.0.0.1:8080/v1", model="gpt-x-secret", api_key="sk-target", key_variable="X_API_KEY"
)


@pytest.fixture(scope="module")
def exceptions() -> Any:
    carrier()._library.wait(lambda: None)
    return importlib.import_module("litellm.exceptions")


def all_exceptions(module: Any) -> list[type[Exception]]:
    return [
        one
        for _, one in inspect.getmembers(module, inspect.isclass)
        if issubclass(one, Exception) and one.__module__ == module.__name__
    ]


def test_every_exception_of_litellm_has_its_own_row(exceptions: Any) -> None:
    missing = [one.__name__ for one in all_exceptions(exceptions) if one.__name__ not in RULES]

    assert len(all_exceptions(exceptions)) > 25
    assert missing == []


def made(kind: type[Exception], message: str) -> Exception:
    """An exception of that class without its constructor, which each has in another form."""
    failure = kind.__new__(kind)
    failure.message = message  # type: ignore[attr-defined]
    return failure


def test_every_row_gives_an_error_with_a_proper_status(exceptions: Any) -> None:
    for kind in all_exceptions(exceptions):
        found = problem(made(kind, f"litellm.{kind.__name__}: said"), TARGET)

        assert isinstance(found, GatewayError)
        assert 400 <= found.status < 600, kind
        assert "litellm." not in str(found), kind


def litellm_says(exceptions: Any, name: str, message: str = "XException - said", **more: Any) -> Exception:
    kind = getattr(exceptions, name)
    known = {"message": message, "model": "gpt-x-secret", "llm_provider": "x"}
    wanted = inspect.signature(kind).parameters
    if (
        "response" in wanted
        and "response" not in more
        and wanted["response"].default is inspect.Parameter.empty
    ):
        more["response"] = httpx.Response(400, request=httpx.Request("POST", "http://x"))
    return kind(**{key: value for key, value in known.items() if key in wanted}, **more)  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("name", "expected", "status"),
    [
        ("BadRequestError", UpstreamRefused, 400),
        ("NotFoundError", UpstreamRefused, 404),
        ("UnprocessableEntityError", UpstreamRefused, 422),
        ("AuthenticationError", UpstreamAuthentication, 400),
        ("PermissionDeniedError", UpstreamAuthentication, 400),
        ("PaymentRequiredError", UpstreamBilling, 400),
        ("RateLimitError", RateLimited, 429),
        ("ContextWindowExceededError", ContextTooLong, 400),
        ("ContentPolicyViolationError", UpstreamRefused, 400),
        ("InternalServerError", UpstreamFailed, 500),
        ("ServiceUnavailableError", UpstreamFailed, 503),
        ("BadGatewayError", UpstreamFailed, 502),
        ("Timeout", UpstreamTimeout, 504),
        ("APIConnectionError", UpstreamFailed, 502),
        ("APIResponseValidationError", UpstreamGarbage, 502),
    ],
)
def test_a_class_is_ours(exceptions: Any, name: str, expected: type[GatewayError], status: int) -> None:
    found = problem(litellm_says(exceptions, name), TARGET)

    assert (type(found), found.status) == (expected, status)


@pytest.mark.parametrize(
    ("message", "words", "param"),
    [
        (
            "x does not support parameters: ['top_k', 'n'], for model=y. To drop these, set `drop_params`",
            "does not take: top_k, n",
            "top_k",
        ),
        (
            "x does not support parameters: {'user': 'me', 'dimensions': 3}, for model=y. To drop these, …",
            "does not take: user, dimensions",
            "user",
        ),
        ("Setting y is not supported. To drop these, set `drop_params`", "Setting y is not supported", None),
    ],
    ids=["a list", "with values", "words"],
)
def test_a_parameter_that_a_provider_lacks_is_named(
    exceptions: Any, message: str, words: str, param: str | None
) -> None:
    found = problem(made(exceptions.UnsupportedParamsError, message), TARGET)

    assert (type(found), found.code, found.param) == (BadRequest, "unsupported_parameter", param)
    assert words in str(found)
    assert "drop" not in str(found)


def test_a_status_that_is_none_is_not_passed_on(exceptions: Any) -> None:
    found = problem(litellm_says(exceptions, "APIError", status_code=200), TARGET)

    assert (type(found), found.status) == (UpstreamFailed, 502)


def test_the_cause_of_an_error_in_a_stream_counts(exceptions: Any) -> None:
    quota = litellm_says(exceptions, "RateLimitError", message="Slow down")
    found = problem(
        litellm_says(exceptions, "MidStreamFallbackError", original_exception=quota), TARGET, begun=True
    )

    assert isinstance(found, RateLimited)


@pytest.mark.parametrize(
    ("raised", "begun", "expected"),
    [
        (httpx.ConnectError("refused"), False, UpstreamUnreachable),
        (httpx.ConnectTimeout("slow"), False, UpstreamUnreachable),
        (httpx.ReadError("reset"), False, UpstreamUnreachable),
        (httpx.RemoteProtocolError("gone"), True, UpstreamCut),
        (httpx.ReadTimeout("slow"), True, UpstreamTimeout),
        (json.JSONDecodeError("no", "x", 0), True, UpstreamGarbage),
        (KeyError("sk-target"), False, UpstreamFailed),
    ],
)
def test_what_lies_under_litellm_is_ours_too(
    raised: Exception, begun: bool, expected: type[GatewayError]
) -> None:
    found = problem(raised, TARGET, begun=begun)

    assert type(found) is expected
    assert "sk-target" not in str(found)


def test_litellm_s_names_the_wire_id_the_address_and_the_key_are_taken_out(exceptions: Any) -> None:
    said = "OpenAIException - no gpt-x-secret at http://127.0.0.1:8080/v1 with sk-target"
    found = problem(litellm_says(exceptions, "BadRequestError", message=said), TARGET)

    assert str(found) == "no alias at alias with ***"


CALL_5 = {"id": 5, "type": "function", "function": 5}


@pytest.mark.parametrize("provider", ["gemini", "anthropic"])
@pytest.mark.parametrize(
    "body",
    [
        {"messages": [{"role": "bogus", "content": "Hi"}]},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": 5}]}]},
        {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "tool_calls": [CALL_5]}]},
        {"tools": [{"type": "function", "function": None}]},
        {"response_format": 5},
    ],
    ids=["role", "picture", "call", "tool", "format"],
)
def test_a_request_over_which_litellm_stumbles_is_the_clients_mistake(
    lite: LiteLLM, provider: str, body: dict[str, Any]
) -> None:
    asked = calling("http://127.0.0.1:1", body=body, litellm_provider=provider, model="claude-x", api_key="k")
    with pytest.raises(GatewayError) as raised:
        lite.complete(asked)

    assert raised.value.status == 400


def test_where_somebody_was_asked_it_is_not(exceptions: Any) -> None:
    failure = litellm_says(exceptions, "APIConnectionError")
    failure.__context__ = TypeError("no")

    assert isinstance(problem(failure, TARGET), BadRequest)
    assert isinstance(problem(failure, TARGET, begun=True), UpstreamFailed)
    assert isinstance(problem(failure, TARGET, (200, {}, b"{}")), UpstreamFailed)


def test_a_chain_is_forgotten() -> None:
    def failing() -> None:
        key = "sk-target"
        try:
            raise ValueError(key)
        except ValueError as first:
            raise RuntimeError("second") from first

    with pytest.raises(RuntimeError) as caught:
        failing()
    failure, cause = caught.value, caught.value.__cause__

    forget(failure)

    assert cause is not None
    for one in (failure, cause):
        assert (one.__traceback__, one.__cause__, one.__context__) == (None, None, None)


# ------------------------------------------------------------ with a real upstream


@pytest.fixture
def up() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture
def lite() -> LiteLLM:
    return carrier()


def refused(lite: LiteLLM, up: Upstream, stream: bool, **settings: Any) -> GatewayError:
    call = calling(up.base_url, stream=stream, **settings)
    with pytest.raises(GatewayError) as caught:
        chunks(lite, call) if stream else lite.complete(call)
    return caught.value


CASES: list[tuple[dict[str, Any], type[GatewayError], int, str | None]] = [
    ({"status": 400, "kind": "invalid", "code": "bad_thing"}, UpstreamRefused, 400, "bad_thing"),
    ({"status": 404}, UpstreamRefused, 404, "model_not_found"),
    ({"status": 422}, UpstreamRefused, 422, None),
    ({"status": 418}, UpstreamRefused, 418, None),
    ({"status": 401}, UpstreamAuthentication, 400, "upstream_authentication_error"),
    ({"status": 403}, UpstreamAuthentication, 400, "upstream_authentication_error"),
    ({"status": 402}, UpstreamBilling, 400, "upstream_billing_error"),
    ({"status": 408}, UpstreamFailed, 408, None),
    ({"status": 409}, UpstreamFailed, 409, None),
    ({"status": 429, "code": "1302"}, RateLimited, 429, "1302"),
    ({"status": 429, "code": "1113"}, UpstreamBilling, 400, "upstream_billing_error"),
    ({"status": 500}, UpstreamFailed, 500, None),
    ({"status": 503, "form": "html"}, UpstreamFailed, 503, None),
    ({"status": 529}, UpstreamFailed, 529, None),
    ({"status": 400, "form": "llama"}, ContextTooLong, 400, "context_length_exceeded"),
    ({"status": 200}, UpstreamFailed, 502, None),
]  # fmt: skip


@pytest.mark.parametrize(("options", "expected", "status", "code"), CASES)
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_a_status_of_the_upstream_keeps_its_meaning(
    up: Upstream,
    lite: LiteLLM,
    stream: bool,
    options: dict[str, Any],
    expected: type[GatewayError],
    status: int,
    code: str | None,
) -> None:
    up.script("status", **options)

    found = refused(lite, up, stream, model="gpt-x-secret")

    assert (type(found), found.status) == (expected, status)
    assert code is None or found.code == code
    assert "gpt-x-secret" not in str(found)
    assert "<" not in str(found)


@pytest.mark.parametrize(
    ("options", "seconds"),
    [({"retry_after": "7"}, 7), ({"retry_after_ms": "1500"}, 1.5), ({"retry_date": 30}, 30), ({}, 5)],
    ids=["seconds", "milliseconds", "date", "none"],
)
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_the_pause_that_the_upstream_wants_comes_along(
    up: Upstream, lite: LiteLLM, stream: bool, options: dict[str, Any], seconds: float
) -> None:
    up.script("busy", **options)

    found = refused(lite, up, stream)

    assert found.retry_after == pytest.approx(seconds, abs=2)


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_a_refused_key_is_told_by_its_variable_and_never_by_the_upstream(
    up: Upstream, lite: LiteLLM, stream: bool
) -> None:
    up.script("canary")

    found = refused(lite, up, stream, api_key="sk-target-canary", key_variable="X_API_KEY")

    assert "X_API_KEY" in str(found)
    assert "'alias'" in str(found)
    assert "sk-target-canary" not in str(found)


def reachable(failure: BaseException) -> str:
    """All that can be reached from an exception: its chain, and every local variable of its frames."""
    seen: list[str] = []
    waiting: list[BaseException | None] = [failure]
    while waiting:
        one = waiting.pop()
        if one is None:
            continue
        trace = one.__traceback__
        while trace:
            seen += [repr(value) for value in trace.tb_frame.f_locals.values()]
            trace = trace.tb_next
        seen.append(repr(one))
        waiting += [one.__cause__, one.__context__]
    return "\n".join(seen)


def failing(lite: LiteLLM, call: Call) -> GatewayError:
    try:
        chunks(lite, call) if call.body.get("stream") else lite.complete(call)
    except GatewayError as failure:
        return failure
    raise AssertionError("it did not fail")


@pytest.mark.parametrize("script", ["canary", "status", "drop", "error-event", "html"])
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_no_key_can_be_reached_from_an_error(up: Upstream, lite: LiteLLM, stream: bool, script: str) -> None:
    up.script(script, mode="sse") if script == "error-event" else up.script(script)

    found = failing(lite, calling(up.base_url, stream=stream, api_key="sk-target-canary"))

    assert found.__context__ is None
    assert found.__cause__ is None
    assert "canary" not in reachable(found).replace("'canary'", "")


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_nobody_there_is_unreachable(lite: LiteLLM, stream: bool) -> None:
    call = calling("http://127.0.0.1:9/v1", stream=stream)

    with pytest.raises(UpstreamUnreachable) as caught:
        chunks(lite, call) if stream else lite.complete(call)

    assert "127.0.0.1" not in str(caught.value)
    assert caught.value.retryable
