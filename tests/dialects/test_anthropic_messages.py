"""Anthropic Messages: what is understood, what is refused and why, and how failures are told."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.dialects import anthropic_messages
from app.errors import (
    BadRequest,
    BodyTooLarge,
    ContextTooLong,
    GatewayError,
    RateLimited,
    TargetUnavailable,
    UnknownModel,
    UpstreamCut,
    UpstreamFailed,
    UpstreamTimeout,
    WrongKey,
)
from app.types import Dialect

HI: dict[str, Any] = {"role": "user", "content": "Hi"}
HELLO: dict[str, Any] = {"model": "alias", "max_tokens": 64, "messages": [HI]}


def test_the_module_is_a_dialect() -> None:
    dialect: Dialect = anthropic_messages

    assert dialect.name == "messages"


# ─── requests ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("fields", "stream"),
    [
        pytest.param({}, False, id="plain"),
        pytest.param({"stream": None}, False, id="null"),
        pytest.param({"stream": False}, False, id="said to be plain"),
        pytest.param({"stream": True}, True, id="streamed"),
    ],
)
def test_a_request_says_whether_it_wants_a_stream(fields: dict[str, Any], stream: bool) -> None:
    asked = anthropic_messages.parse(HELLO | fields)

    assert (asked.dialect, asked.model, asked.stream, asked.include_usage) == (
        "messages",
        "alias",
        stream,
        True,
    )


def test_nothing_of_a_request_is_lost_or_changed() -> None:
    body = HELLO | {
        "system": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}],
        "messages": [HI, {"role": "system", "content": "now"}, {"role": "assistant", "content": [{}]}],
        "tools": [{"name": "n", "unheard_of": 1}],
        "context_management": {"edits": []},
        "unheard_of": [None],
    }
    before = deepcopy(body)
    asked = anthropic_messages.parse(body)
    asked.as_chat()

    assert asked.body is body
    assert body == before


def test_tokens_are_counted_for_requests_that_do_not_say_how_many_may_come() -> None:
    asked = {key: HELLO[key] for key in HELLO if key != "max_tokens"} | {"tools": []}

    assert "max_tokens" not in anthropic_messages.parse_count(asked).as_chat()
    with pytest.raises(BadRequest, match="'max_tokens' is missing") as raised:
        anthropic_messages.parse(asked)
    assert raised.value.param == "max_tokens"


REFUSED = [
    pytest.param([], "the body must be a JSON object, not an array", None, id="an array"),
    pytest.param(HELLO | {"model": ""}, "'model' must name", "model", id="no model"),
    pytest.param(HELLO | {"messages": None}, "'messages' is missing", "messages", id="no messages"),
    pytest.param(HELLO | {"messages": {}}, "'messages' must be a list", "messages", id="messages an object"),
    pytest.param(HELLO | {"messages": []}, "'messages' is empty", "messages", id="no message"),
    *[
        pytest.param(HELLO | {"messages": [HI, message]}, words, param, id=f"message {message}")
        for message, words, param in [
            (None, "'messages[1]' must be an object, not null", "messages[1]"),
            ("Hi", "'messages[1]' must be an object, not a string", "messages[1]"),
            (
                {"content": "Hi"},
                "must be one of user, assistant, system, not null",
                "messages[1].role",
            ),
            (HI | {"role": "tool"}, "not 'tool'", "messages[1].role"),
            (HI | {"role": []}, "not an array", "messages[1].role"),
            ({"role": "user"}, "a text or a list of blocks, not null", "messages[1].content"),
            (HI | {"content": {}}, "a text or a list of blocks, not an object", "messages[1].content"),
            (HI | {"content": ["Hi"]}, "must be an object, not a string", "messages[1].content[0]"),
        ]
    ],
    *[
        pytest.param(HELLO | {field: value}, f"'{field}' must be {words}", field, id=f"{field} {value}")
        for field, value, words in [
            ("max_tokens", "5", "a whole number, not a string"),
            ("max_tokens", 1.5, "a whole number, not a number"),
            ("max_tokens", True, "a whole number, not a boolean"),
            ("max_tokens", 0, "greater than 0"),
            ("max_tokens", -1, "greater than 0"),
            ("stream", 1, "true or false, not a number"),
            ("system", {}, "a text or a list of blocks, not an object"),
            ("temperature", "0.5", "a number, not a string"),
            ("top_p", [], "a number, not an array"),
            ("top_k", 0.5, "a whole number, not a number"),
            ("stop_sequences", "x", "a list, not a string"),
            ("tools", {}, "a list, not an object"),
            ("tool_choice", "auto", "an object, not a string"),
            ("thinking", True, "an object, not a boolean"),
            ("metadata", "me", "an object, not a string"),
            ("output_config", [], "an object, not an array"),
        ]
    ],
    pytest.param(HELLO | {"tools": ["x"]}, "'tools[0]' must be an object", "tools[0]", id="a tool's name"),
    pytest.param(
        HELLO | {"stop_sequences": ["x", 1]}, "must be a text", "stop_sequences[1]", id="a number to stop at"
    ),
]


@pytest.mark.parametrize(("body", "words", "param"), REFUSED)
def test_a_wrong_request_is_refused_with_its_place(body: Any, words: str, param: str | None) -> None:
    with pytest.raises(BadRequest) as raised:
        anthropic_messages.parse(body)

    assert words in str(raised.value)
    assert (raised.value.status, raised.value.param) == (400, param)


def test_what_a_client_calls_a_role_is_not_told_at_length() -> None:
    with pytest.raises(BadRequest) as raised:
        anthropic_messages.parse(HELLO | {"messages": [{"role": "a.b=@" * 100_000, "content": "x"}]})

    assert len(str(raised.value)) < 300


KEYS = """
model messages role content type text system tools tool_choice name input input_schema id source data
url media_type tool_use_id is_error thinking signature output_config format schema effort metadata
user_id title stop_sequences max_tokens stream x""".split()  # noqa: SIM905  # a list of words
WORDS = """
alias user assistant system text image document tool_use tool_result thinking redacted_thinking base64
url content custom bash_20250124 auto any tool json_schema web_search_20250305 tool_reference
search_result""".split()  # noqa: SIM905  # a list of words

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-1, 5)
    | st.floats()
    | st.sampled_from(WORDS)
    | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
    max_leaves=15,
)
blocks = st.dictionaries(st.sampled_from(KEYS), values, max_size=5).flatmap(
    lambda block: st.sampled_from(WORDS).map(lambda kind: {**block, "type": kind})
)
messages = st.fixed_dictionaries(
    {
        "role": st.sampled_from(["user", "assistant", "system"]),
        "content": st.text() | st.lists(blocks, max_size=4),
    }
)


@given(values)
def test_no_odd_value_is_our_mistake(body: Any) -> None:
    try:
        understood = anthropic_messages.parse(body).body
    except BadRequest:
        return

    assert understood is body


@given(st.dictionaries(st.sampled_from(KEYS), values, max_size=4), st.lists(messages, min_size=1, max_size=4))
def test_neither_is_an_odd_request_nor_its_translation(fields: dict[str, Any], said: list[Any]) -> None:
    body = {**fields, "model": "alias", "max_tokens": 5, "messages": said}
    before = deepcopy(body)
    try:
        chat = anthropic_messages.parse(body).as_chat()
    except BadRequest:
        return

    assert chat["model"] == "alias"
    assert all(it["role"] in ("system", "user", "assistant", "tool") for it in chat["messages"])
    assert repr(body) == repr(before)


# ─── failures ────────────────────────────────────────────────────────────────────────────────────


def too_long(tokens: int | None, limit: int | None, words: str = "the context is full") -> ContextTooLong:
    problem = ContextTooLong(words)
    problem.tokens, problem.limit = tokens, limit
    return problem


@pytest.mark.parametrize(
    ("problem", "kind", "words"),
    [
        pytest.param(BadRequest("bad"), "invalid_request_error", "bad", id="400"),
        pytest.param(TargetUnavailable("no key"), "invalid_request_error", "no key", id="the target's key"),
        pytest.param(WrongKey("who?"), "authentication_error", "who?", id="401"),
        pytest.param(UpstreamFailed("pay", status=402), "billing_error", "pay", id="402"),
        pytest.param(UpstreamFailed("no", status=403), "permission_error", "no", id="403"),
        pytest.param(UnknownModel("where?"), "not_found_error", "where?", id="404"),
        pytest.param(BodyTooLarge("big"), "request_too_large", "big", id="413"),
        pytest.param(UpstreamFailed("odd", status=422), "invalid_request_error", "odd", id="422"),
        pytest.param(RateLimited("wait"), "rate_limit_error", "wait", id="429"),
        pytest.param(GatewayError("oh"), "api_error", "oh", id="500"),
        pytest.param(UpstreamCut("cut\ud83d"), "api_error", "cut\ud83d", id="502"),
        pytest.param(UpstreamTimeout("slow"), "timeout_error", "slow", id="504"),
        pytest.param(UpstreamFailed("full", status=529), "overloaded_error", "full", id="529"),
        pytest.param(
            too_long(5000, 4096),
            "invalid_request_error",
            "prompt is too long: 5000 tokens > 4096 maximum",
            id="a full context, in numbers",
        ),
        pytest.param(
            too_long(None, 4096),
            "invalid_request_error",
            "prompt is too long: the context is full",
            id="a full context, in words",
        ),
        pytest.param(
            too_long(None, None, "prompt is too long: 9 tokens > 8 maximum"),
            "invalid_request_error",
            "prompt is too long: 9 tokens > 8 maximum",
            id="a full context, in Anthropic's words",
        ),
    ],
)
def test_a_failure_is_told_in_anthropics_shape(problem: GatewayError, kind: str, words: str) -> None:
    said = {"type": "error", "error": {"type": kind, "message": words}}

    assert anthropic_messages.error(problem) == said
    assert anthropic_messages.error(problem, "req_1") == said | {"request_id": "req_1"}
