"""What an upstream says when it refuses, in our words: the right kind, and nothing that is the target's."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.errors import (
    ContextTooLong,
    GatewayError,
    LoopDetected,
    RateLimited,
    UnsupportedEndpoint,
    UpstreamAuthentication,
    UpstreamBilling,
    UpstreamFailed,
    UpstreamGarbage,
    UpstreamRefused,
)
from app.types import DialectName
from app.utils.problems import LOOK_AT, error_in, problem_from, problem_of, retry_after, status_in, tidy
from tests.fakes import target

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


def openai(message: str = "words", **fields: Any) -> bytes:
    return json.dumps(
        {"error": {"message": message, "type": None, "param": None, "code": None} | fields}
    ).encode()


def problem(
    status: int, body: bytes = b"", headers: dict[str, str] | None = None, **over: Any
) -> GatewayError:
    return problem_from(status, headers or {}, body, target(**over))


# ─── which error it is ───────────────────────────────────────────────────────────────────────────

GEMINI_LIST = b'[{"error":{"code":400,"message":"Invalid argument","status":"INVALID_ARGUMENT"}}]'
GEMINI_FULL = (
    b'[{"error":{"code":400,"status":"INVALID_ARGUMENT",'
    b'"message":"The input token count (9) exceeds the maximum number of tokens allowed (4)."}}]'
)
ANTHROPIC = b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'
LLAMA_FULL = (
    b'{"error":{"code":400,"message":"the request exceeds the available context size, try increasing it",'
    b'"type":"exceed_context_size_error","n_prompt_tokens":9,"n_ctx":4}}'
)
LLAMA_LOADING = b'{"error":{"message":"Loading model","type":"unavailable_error","code":503}}'
HTML = b"<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1>nginx</body></html>"
FASTAPI = b'{"detail":[{"loc":["body","n"],"msg":"must be positive"},{"msg":"field required"}]}'
OTHER = "the provider of 'alias' answered"

TABLE = [
    # status, body, class, status, type, code, message
    pytest.param(
        *(400, openai(type="invalid_request_error", code="bad_tool", param="tools")),
        *(UpstreamRefused, 400, "invalid_request_error", "bad_tool", "words"),
        id="OpenAI 400",
    ),
    pytest.param(
        *(404, openai("The model does not exist", code="model_not_found")),
        *(UpstreamRefused, 404, "invalid_request_error", "model_not_found", "The model does not exist"),
        id="OpenAI 404",
    ),
    pytest.param(
        *(404, b"404 page not found"),
        *(UpstreamRefused, 404, "invalid_request_error", None, f"{OTHER} 404: 404 page not found: {LOOK_AT}"),
        id="plain 404",
    ),
    pytest.param(
        *(422, FASTAPI),
        *(UpstreamRefused, 422, "invalid_request_error", None, "must be positive; field required"),
        id="FastAPI 422",
    ),
    pytest.param(
        *(400, b'{"detail":"bad field"}'),
        *(UpstreamRefused, 400, "invalid_request_error", None, "bad field"),
        id="detail",
    ),
    pytest.param(
        *(400, b'{"object":"error","message":"bad","type":"BadRequestError","code":400}'),
        *(UpstreamRefused, 400, "invalid_request_error", None, "bad"),
        id="vLLM 400",
    ),
    pytest.param(
        *(400, b'{"error":"no such thing"}'),
        *(UpstreamRefused, 400, "invalid_request_error", None, "no such thing"),
        id="an error that is text",
    ),
    pytest.param(
        *(400, GEMINI_LIST),
        *(UpstreamRefused, 400, "invalid_request_error", None, "Invalid argument"),
        id="Gemini's list",
    ),
    pytest.param(
        *(413, b""),
        *(
            UpstreamRefused,
            413,
            "invalid_request_error",
            None,
            "the provider of 'alias' refused the request with 413",
        ),
        id="empty 413",
    ),
    pytest.param(
        *(418, HTML),
        *(
            UpstreamRefused,
            418,
            "invalid_request_error",
            None,
            "the provider of 'alias' refused the request with 418",
        ),
        id="HTML 4xx",
    ),
    pytest.param(
        *(400, b"\xff\xfe\x00bad"),
        *(UpstreamRefused, 400, "invalid_request_error", None, "\ufffd\ufffd\x00bad"),
        id="no UTF-8",
    ),
    pytest.param(
        *(400, openai("This model's maximum context length is 8 tokens", code="context_length_exceeded")),
        *(ContextTooLong, 400, "invalid_request_error", "context_length_exceeded"),
        "This model's maximum context length is 8 tokens",
        id="OpenAI, too long",
    ),
    pytest.param(
        *(400, openai("", code="context_length_exceeded")),
        *(ContextTooLong, 400, "invalid_request_error", "context_length_exceeded"),
        "the request is longer than the context of 'alias'",
        id="too long, without words",
    ),
    pytest.param(
        *(400, LLAMA_FULL),
        *(ContextTooLong, 400, "invalid_request_error", "context_length_exceeded"),
        "the request exceeds the available context size, try increasing it",
        id="llama.cpp, too long",
    ),
    pytest.param(
        *(400, GEMINI_FULL),
        *(ContextTooLong, 400, "invalid_request_error", "context_length_exceeded"),
        "The input token count (9) exceeds the maximum number of tokens allowed (4).",
        id="Gemini, too long",
    ),
    pytest.param(
        *(413, b"prompt is too long: 9 tokens > 4 maximum"),
        *(ContextTooLong, 400, "invalid_request_error", "context_length_exceeded"),
        "prompt is too long: 9 tokens > 4 maximum",
        id="413, too long",
    ),
    pytest.param(
        *(429, openai("Slow down", code="rate_limit_exceeded")),
        *(RateLimited, 429, "rate_limit_error", "rate_limit_exceeded", "Slow down"),
        id="OpenAI 429",
    ),
    pytest.param(
        *(429, b""),
        *(RateLimited, 429, "rate_limit_error", "rate_limit_exceeded"),
        "the provider of 'alias' asks for fewer requests",
        id="empty 429",
    ),
    pytest.param(
        *(429, HTML),
        *(RateLimited, 429, "rate_limit_error", "rate_limit_exceeded"),
        "the provider of 'alias' asks for fewer requests",
        id="HTML 429",
    ),
    *[
        pytest.param(
            *(429, b'{"error":{"code":"%d","message":"words"}}' % code),
            *(RateLimited, 429, "rate_limit_error", str(code), "words"),
            id=f"z.ai {code}: again later",
        )
        for code in (1302, 1303, 1305, 1312)
    ],
    *[
        pytest.param(
            *(429, b'{"error":{"code":"%d","message":"words"}}' % code),
            *(UpstreamBilling, 400, "upstream_billing_error", "upstream_billing_error"),
            "the provider of 'alias' will not serve this account (429): words: "
            "check the balance and plan behind PROVIDER_API_KEY",
            id=f"z.ai {code}: no use",
        )
        for code in (1113, 1304, 1308, 1309, 1310, 1311, 1313)
    ],
    *[
        pytest.param(
            *(429, openai("Pay first", **fields)),
            *(UpstreamBilling, 400, "upstream_billing_error", "upstream_billing_error"),
            "the provider of 'alias' will not serve this account (429): Pay first: "
            "check the balance and plan behind PROVIDER_API_KEY",
            id=f"OpenAI quota by {next(iter(fields))}",
        )
        for fields in ({"code": "insufficient_quota"}, {"type": "insufficient_quota"})
    ],
    pytest.param(
        *(402, openai("Insufficient credits on sk-xyz")),
        *(UpstreamBilling, 400, "upstream_billing_error", "upstream_billing_error"),
        "the provider of 'alias' will not serve this account (402): "
        "check the balance and plan behind PROVIDER_API_KEY",
        id="402",
    ),
    *[
        pytest.param(
            *(status, body),
            *(UpstreamAuthentication, 400, "upstream_authentication_error", "upstream_authentication_error"),
            f"the provider of 'alias' refused the gateway's key ({status}): check PROVIDER_API_KEY",
            id=f"{status} {name}",
        )
        for status, name, body in [
            (401, "OpenAI", openai("Incorrect API key provided: sk-the-***-key", code="invalid_api_key")),
            (401, "empty", b""),
            (401, "HTML", HTML),
            (403, "Gemini", b'[{"error":{"code":403,"message":"denied","status":"PERMISSION_DENIED"}}]'),
            (403, "plain", b"Forbidden"),
            (400, "Gemini, wrong key", openai("API key not valid. Please pass a valid API key.")),
            (400, "Gemini, old key", openai("API key expired. Please renew the API key.")),
        ]
    ],
    pytest.param(
        *(500, openai("Internal", type="server_error", code="oops")),
        *(UpstreamFailed, 500, "server_error", "oops", "Internal"),
        id="OpenAI 500",
    ),
    pytest.param(
        *(503, LLAMA_LOADING),
        *(UpstreamFailed, 503, "server_error", "503", "Loading model"),
        id="llama.cpp loads",
    ),
    pytest.param(
        *(529, ANTHROPIC), *(UpstreamFailed, 529, "server_error", None, "Overloaded"), id="Anthropic 529"
    ),
    pytest.param(*(502, HTML), *(UpstreamFailed, 502, "server_error", None, f"{OTHER} 502"), id="HTML 502"),
    pytest.param(
        *(500, b"oops"), *(UpstreamFailed, 500, "server_error", None, f"{OTHER} 500"), id="plain 500"
    ),
    pytest.param(*(504, b""), *(UpstreamFailed, 504, "server_error", None, f"{OTHER} 504"), id="empty 504"),
    pytest.param(*(500, b"{bad"), *(UpstreamFailed, 500, "server_error", None, f"{OTHER} 500"), id="no JSON"),
    pytest.param(
        *(500, b"[]"), *(UpstreamFailed, 500, "server_error", None, f"{OTHER} 500"), id="an empty list"
    ),
    pytest.param(*(408, b""), *(UpstreamFailed, 408, "server_error", None, f"{OTHER} 408"), id="408"),
    pytest.param(*(409, openai()), *(UpstreamFailed, 409, "server_error", None, "words"), id="409"),
    pytest.param(
        *(999, b""), *(UpstreamFailed, 502, "server_error", None, f"{OTHER} 999"), id="no status at all"
    ),
    *[
        pytest.param(
            *(status, b""),
            *(UpstreamGarbage, 502, "server_error", "upstream_bad_answer"),
            f"{OTHER} {status} where an answer was due: check its baseURL",
            id=str(status),
        )
        for status in (300, 301, 302, 307, 308, 304)
    ],
]


@pytest.mark.parametrize("body", [b"", HTML, b"{}"], ids=["empty", "HTML", "empty JSON"])
def test_a_404_of_a_web_server_says_where_to_look(body: bytes) -> None:
    assert str(problem(404, body)) == f"{OTHER} 404: {LOOK_AT}"


@pytest.mark.parametrize(("status", "body"), [(508, b""), (502, openai("loop", code="loop_detected"))])
def test_a_request_that_goes_in_a_circle_is_told_from_other_failures(status: int, body: bytes) -> None:
    found = problem(status, body)

    assert isinstance(found, LoopDetected)
    assert (found.status, found.retryable) == (508, False)


@pytest.mark.parametrize("status", [400, 401, 403, 429])
def test_a_shared_key_that_is_refused_asks_for_one_of_ones_own(status: int) -> None:
    body = openai("The public key can only be used from within OpenCode")
    found = problem(status, body, api_key="public")

    assert isinstance(found, UpstreamAuthentication)
    assert "PROVIDER_API_KEY" in str(found)


@pytest.mark.parametrize(("status", "body", "kind", "ours", "type_", "code", "message"), TABLE)
def test_an_answer_that_is_none_is_the_error_it_means(
    status: int, body: bytes, kind: type[GatewayError], ours: int, type_: str, code: str | None, message: str
) -> None:
    found = problem(status, body)

    assert type(found) is kind
    assert (found.status, found.type, found.code, str(found)) == (ours, type_, code, message)


def test_the_field_that_is_wrong_is_named() -> None:
    assert problem(400, openai(param="tools[0].name")).param == "tools[0].name"
    assert problem(400, openai(param=["x"])).param is None


@pytest.mark.parametrize("code", [{"a": 1}, [1], "", None, 400, "400", True])
def test_a_code_that_is_none_is_not_passed_on(code: Any) -> None:
    assert problem(400, openai(code=code)).code in (None, "True")


@given(
    st.integers(300, 999), st.binary(max_size=40) | st.sampled_from([HTML, FASTAPI, GEMINI_LIST, ANTHROPIC])
)
def test_every_answer_is_some_error_with_a_message(status: int, body: bytes) -> None:
    found = problem(status, body)

    assert 400 <= found.status < 600
    assert str(found)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["error", "message", "code", "type", "status", "detail", "details", "param", "retryDelay"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.integers(300, 599), json_values)
def test_no_odd_error_body_is_our_mistake(status: int, body: Any) -> None:
    said = error_in(body)
    found = problem(status, json.dumps(body).encode())

    assert str(found)
    assert said is None or 400 <= problem_of(said, status_in(said), target()).status < 600


# ─── errors inside answers ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "answer",
    [
        None,
        1,
        "error",
        [],
        [{}],
        {},
        {"choices": []},
        {"error": None, "choices": []},
        {"choices": [], "message": "x"},
        {"error": False},
        {"error": ""},
        {"message": {"role": "assistant"}},
        {"usage": {}},
        [{"error": "a"}] * 2,
    ],
    ids=str,
)
def test_what_is_no_error(answer: Any) -> None:
    assert error_in(answer) is None


@pytest.mark.parametrize(
    "answer",
    [
        {"error": {"message": "x"}},
        {"error": "x"},
        {"error": {"message": "x"}, "choices": []},
        {"type": "error", "message": "x"},
        {"type": "error", "error": {"type": "t", "message": "x"}},
        {"object": "error", "message": "x"},
        {"message": "x"},
        {"detail": "x"},
        {"detail": [{"msg": "x"}]},
        {"code": 500, "msg": "x", "success": False},
        [{"error": {"message": "x"}}],
    ],
    ids=str,
)
def test_what_is_an_error_in_any_shape(answer: Any) -> None:
    said = error_in(answer)

    assert said is not None
    assert said["message"] == "x"


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({"code": 429}, 429),
        ({"code": "503"}, 503),
        ({"status": 400, "code": 500}, 400),
        ({"status_code": 404}, 404),
        ({"code": 200}, 502),
        ({"code": 99999}, 502),
        ({"code": "\uff14\uff12\uff19"}, 502),
        ({"type": "rate_limit_error"}, 429),
        ({"status": "RESOURCE_EXHAUSTED"}, 429),
        ({"code": "insufficient_quota"}, 429),
        ({"code": "1302"}, 429),
        ({"code": 1113}, 429),
        ({"type": "overloaded_error"}, 529),
        ({"code": "context_length_exceeded"}, 400),
        ({"type": "invalid_request_error"}, 400),
        ({"type": "not_found_error"}, 404),
        ({"type": "authentication_error"}, 401),
        ({"status": "PERMISSION_DENIED"}, 403),
        ({"status": "UNAVAILABLE"}, 503),
        ({"type": "timeout_error"}, 504),
        ({"type": "api_error", "message": "rate_limit"}, 502),
        ({}, 502),
    ],
    ids=str,
)
def test_the_status_of_an_error_that_came_without_one(said: dict[str, Any], status: int) -> None:
    assert status_in(said) == status


def test_arrears_are_arrears_inside_a_stream_too() -> None:
    said: dict[str, Any] = {"code": "1113", "message": "arrears"}

    assert isinstance(problem_of(said, status_in(said), target()), UpstreamBilling)


# ─── when to come back ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7),
        ({"retry-after": " 7 "}, 7),
        ({"retry-after": "0"}, 0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "7"}, 7),
        ({"retry-after": "Thu, 01 Jan 2026 12:00:30 GMT"}, 30),
        ({"retry-after": "Thu, 01 Jan 2026 13:00:30 +0100"}, 30),
        ({"retry-after": "Thu, 01 Jan 2026 12:00:30"}, 30),
        ({"retry-after": "Thu, 01 Jan 2026 12:00:30 -0000"}, 30),
        ({"retry-after": "Thu, 01 Jan 2026 11:00:00 GMT"}, 0),
        ({"retry-after": "Thursday, 01-Jan-26 12:00:30 GMT"}, 30),
        ({"retry-after": ""}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "7 s"}, None),
        ({"retry-after": "7, 9"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "1e3"}, None),
        ({"retry-after": "9" * 400}, None),
        ({"retry-after": "99999999"}, None),
        ({"retry-after": "Thu, 01 Jan 9999 12:00:00 GMT"}, None),
        ({"retry-after": "Thu, 99 Jan 2026 12:00:00 GMT"}, None),
        ({"retry-after-ms": "inf"}, None),
        ({"retry-after": "\u0667"}, None),
    ],
    ids=str,
)
def test_retry_after_is_read_in_every_form(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, NOW) == seconds


@given(st.text(max_size=40))
@example("0\x1f")  # white space to a pattern, but not to float()
def test_no_odd_retry_after_is_our_mistake(value: str) -> None:
    seconds = retry_after({"retry-after": value, "retry-after-ms": value}, NOW)

    assert seconds is None or seconds >= 0


@pytest.mark.parametrize(
    ("body", "headers", "seconds"),
    [
        pytest.param(b"", {"retry-after": "7"}, 7, id="as it says"),
        pytest.param(b"", {"retry-after": "0"}, 0, id="at once"),
        pytest.param(b"", {}, 5, id="not said"),
        pytest.param(b"", {"retry-after": "soon"}, 5, id="nonsense"),
        pytest.param(
            openai(details=[{"@type": "x"}, {"retryDelay": "36.5s"}]), {}, 36.5, id="Gemini's place for it"
        ),
        pytest.param(
            openai(details=[{"retryDelay": "36s"}]), {"retry-after": "7"}, 7, id="the header counts"
        ),
        pytest.param(openai(details=[{"retryDelay": "soon"}, 3]), {}, 5, id="nonsense in Gemini's place"),
        pytest.param(openai(details="x"), {}, 5, id="no details"),
    ],
)
def test_a_429_always_says_when_to_come_back(body: bytes, headers: dict[str, str], seconds: float) -> None:
    assert problem(429, body, headers).retry_after == seconds


def test_so_does_a_503_that_knows() -> None:
    assert problem(503, b"", {"retry-after": "7"}).retry_after == 7
    assert problem(503).retry_after is None


# ─── what never gets out ─────────────────────────────────────────────────────────────────────────

SECRET = "sk-live-0123456789abcdef"
PLACES = ["http://10.1.2.3:8080/v1", "https://api.vendor.test/paas/v4", "https://api.vendor.test:8443"]
SAYINGS = [
    "The model `{model}` does not exist",
    "models/{model} is not found for API version v1beta",
    "publishers/x/models/{model}: not found",
    "{model}: bad",
    "no {model}.",
    "'{model}' and {model}",
    "try {model}-0613, {model}:free or {model}@latest",
    "{upper} is overloaded",
    "wrong key {key} at {base}/chat/completions",
    "cannot POST {base}",
    "host {host} is down",
    "upstream={host};key={key}",
]
MODELS = ["glm-4.7", "gemini-3-flash", "openai/gpt-oss-20b", "anthropic.claude-v2:1", "a+b(c)*"]


@pytest.mark.parametrize("said", SAYINGS)
@pytest.mark.parametrize("model", MODELS)
def test_the_targets_name_place_and_key_do_not_get_out(said: str, model: str) -> None:
    for base, status in product(PLACES, (400, 404, 422, 429, 500, 503)):
        there = target(model=model, base_url=base, api_key=SECRET)
        host = base.split("/")[2]
        words = said.format(model=model, upper=model.upper(), key=SECRET, base=base, host=host)
        for body in (openai(words), words.encode(), json.dumps({"detail": words}).encode()):
            text = str(problem_from(status, {}, body, there)).lower()

            assert not [it for it in (model.lower(), host, host.split(":")[0], SECRET) if it in text]


def test_the_last_part_of_a_name_does_not_get_out_either() -> None:
    assert "gpt-oss" not in tidy("gpt-oss-20b failed", target(model="openai/gpt-oss-20b"))


@pytest.mark.parametrize("status", [400, 404, 422, 429, 500, 503])
@pytest.mark.parametrize(
    ("said", "becomes"),
    [
        ("wire-id", "alias"),
        ("wire-id.parts[0]", "alias.parts[0]"),
        ("http://upstream.test/v1/chat", None),
        ("upstream.test", "alias"),
        ("sk-the-targets-own-key", "***"),
        ("key=sk-the-targets-own-key", None),
        ("the model, which is wire-id", None),
        ("x" * 65, None),
        ("", None),
    ],
)
def test_no_field_of_an_error_shows_what_its_message_may_not(
    status: int, said: str, becomes: str | None
) -> None:
    found = problem(status, openai(type=said, code=said, param=said))

    assert found.param in (None, becomes)
    assert found.code in (becomes, type(found).code)
    assert found.type in (becomes, type(found).type)


@pytest.mark.parametrize("status", [401, 402, 403])
def test_what_is_said_about_the_key_never_gets_out(status: int) -> None:
    found = problem(status, openai("canary", type="canary", code="canary", param="canary"))

    assert "canary" not in f"{found} {found.type} {found.code} {found.param}"


def test_without_a_variable_the_provider_of_the_key_is_named() -> None:
    assert str(problem(401, key_variable=None)).endswith("check the key of provider 'provider'")


@pytest.mark.parametrize(
    ("message", "over", "becomes"),
    [
        pytest.param(
            "a wire-identical wire-id2 wire-id", {}, "a wire-identical wire-id2 alias", id="whole words only"
        ),
        pytest.param(
            "glm-4.7 is busy", {"model": "glm-4.7", "alias": "glm-4.7"}, "glm-4.7 is busy", id="same name"
        ),
        pytest.param(
            "glm-4.7-free is busy",
            {"model": "glm-4.7", "alias": "glm-4.7-free"},
            "glm-4.7-free is busy",
            id="within",
        ),
        pytest.param(
            "the public is here", {"api_key": "public"}, "the public is here", id="a key everybody knows"
        ),
        pytest.param("a\\1b wire-id", {"alias": "x\\1y"}, "a\\1b x\\1y", id="an alias with backslashes"),
        pytest.param("no base", {"base_url": ""}, "no base", id="no base URL"),
        pytest.param("Error: <!DOCTYPE html>", {}, "", id="HTML"),
        pytest.param("see <title>x", {}, "", id="HTML later on"),
        pytest.param("if a < b then", {}, "if a < b then", id="no HTML"),
        pytest.param("x" * 5000, {}, "x" * 2000, id="a long one"),
    ],
)
def test_an_upstreams_words_are_tidied(message: str, over: dict[str, Any], becomes: str) -> None:
    assert tidy(message, target(**over)) == becomes


def test_a_shared_key_that_is_for_another_client_is_explained() -> None:
    said = b'{"type":"error","error":{"message":"This model can only be used from within OpenCode"}}'
    problem = problem_from(403, {}, said, target(key_variable="OPENCODE_API_KEY", api_key="public"))

    assert problem.status == 400
    assert "set a key of your own in OPENCODE_API_KEY" in str(problem)


@pytest.mark.parametrize(
    ("alias", "wire"), [("busyl", "busy"), ("my-glm-4.7", "glm-4.7"), ("glm-4.7-free", "glm-4.7")]
)
def test_a_wire_id_that_its_alias_contains_is_not_shown_either(alias: str, wire: str) -> None:
    said = tidy(f"The model {wire} is not {alias}, says {wire}.", target(alias=alias, model=wire))

    assert said == f"The model {alias} is not {alias}, says {alias}."


# ─── APIs that a target does not have ────────────────────────────────────────────────────────────

LLAMA_501 = (
    b'{"error":{"code":501,"message":"This server does not support embeddings. Start it with `--embeddings`",'
    b'"type":"not_supported_error"}}'
)
LLAMA_404 = b'{"error":{"code":404,"message":"File Not Found","type":"not_found_error"}}'
CHAT_ONLY = openai(
    "This is a chat model and not supported in the v1/completions endpoint.", type="invalid_request_error"
)
NO_MODEL = openai("The model `wire-id` does not exist", code="model_not_found")


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        pytest.param(501, LLAMA_501, "501: This server does not support embeddings.", id="llama-server"),
        pytest.param(404, LLAMA_404, "404: File Not Found", id="an unknown path of llama-server"),
        pytest.param(404, CHAT_ONLY, "not supported in the v1/completions endpoint", id="a chat model"),
        pytest.param(404, b'{"detail":"Not Found"}', "404: Not Found", id="FastAPI"),
        pytest.param(404, HTML, "its provider answered 404", id="a page"),
        pytest.param(404, b"", "its provider answered 404", id="nothing"),
        pytest.param(405, b'{"detail":"Method Not Allowed"}', "405: Method Not Allowed", id="405"),
        pytest.param(501, b"", "its provider answered 501", id="501 without words"),
        pytest.param(
            404,
            openai("'there' has no embeddings: the model is none", code="endpoint_not_supported"),
            "has no embeddings",
            id="another gateway like this one",
        ),
    ],
)
@pytest.mark.parametrize("wire", ["completions", "embeddings", "rerank"])
def test_a_target_without_an_api_is_404_with_the_reason(
    wire: DialectName, status: int, body: bytes, reason: str
) -> None:
    found = problem_from(status, {}, body, target(), wire)

    assert isinstance(found, UnsupportedEndpoint)
    assert (found.status, found.code, found.param) == (404, "endpoint_not_supported", "model")
    assert str(found).startswith("'alias' has no ")
    assert reason in str(found)
    assert "wire-id" not in str(found)
    assert not found.retryable


@pytest.mark.parametrize(
    ("wire", "status", "body", "kind"),
    [
        pytest.param("embeddings", 404, NO_MODEL, UpstreamRefused, id="an unknown model"),
        pytest.param("embeddings", 400, openai("no"), UpstreamRefused, id="400"),
        pytest.param("embeddings", 500, openai("no"), UpstreamFailed, id="500"),
        pytest.param("embeddings", 401, openai("no"), UpstreamAuthentication, id="401"),
        pytest.param("chat", 404, LLAMA_404, UpstreamRefused, id="chat, 404"),
        pytest.param("chat", 501, LLAMA_501, UpstreamFailed, id="chat, 501"),
        pytest.param("messages", 404, b"", UpstreamRefused, id="messages, 404"),
    ],
)
def test_any_other_refusal_is_what_it_always_was(
    wire: DialectName, status: int, body: bytes, kind: type[GatewayError]
) -> None:
    assert type(problem_from(status, {}, body, target(), wire)) is kind
