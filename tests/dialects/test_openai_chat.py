"""Chat Completions: what is understood, what is refused and why, and what goes over the wire."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.dialects import openai_chat
from app.errors import BadRequest, GatewayError, RateLimited, UpstreamCut
from app.types import Dialect
from app.utils.sse import SSEReader
from tests.fakes import SERVED, chunk, completion, finish, request

HELLO: dict[str, Any] = {"model": "alias", "messages": [{"role": "user", "content": "Hi"}]}


def test_the_module_is_a_dialect() -> None:
    dialect: Dialect = openai_chat

    assert dialect.name == "chat"


def test_a_stream_ends_with_done_and_is_kept_alive_by_a_comment() -> None:
    frames = openai_chat.encoder(request(), SERVED)

    assert SSEReader().feed(frames.alive()) == []
    assert frames.close() == b"data: [DONE]\n\n"
    assert frames.answer is None


# ─── requests ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("fields", "stream", "include_usage"),
    [
        pytest.param({}, False, False, id="plain"),
        pytest.param({"stream": False}, False, False, id="said to be plain"),
        pytest.param({"stream": None}, False, False, id="null"),
        pytest.param({"stream": True}, True, False, id="streamed"),
        pytest.param({"stream": True, "stream_options": None}, True, False, id="no options"),
        pytest.param({"stream": True, "stream_options": {}}, True, False, id="empty options"),
        pytest.param(
            {"stream": True, "stream_options": {"include_usage": True}}, True, True, id="with usage"
        ),
        pytest.param(
            {"stream": True, "stream_options": {"include_usage": False}}, True, False, id="without usage"
        ),
        pytest.param({"stream": True, "stream_options": {"include_usage": 1}}, True, False, id="usage: 1"),
    ],
)
def test_a_request_says_whether_it_wants_a_stream_and_its_usage(
    fields: dict[str, Any], stream: bool, include_usage: bool
) -> None:
    asked = openai_chat.parse(HELLO | fields)

    assert (asked.model, asked.stream, asked.include_usage) == ("alias", stream, include_usage)


@pytest.mark.parametrize(
    ("message", "place", "words"),
    [
        ({"content": 5}, "content", "a text, a list of objects or null, not a number"),
        ({"content": {"text": "x"}}, "content", "a text, a list of objects or null, not an object"),
        ({"content": ["x"]}, "content[0]", "an object, not a string"),
        ({"content": [{"type": "text"}, None]}, "content[1]", "an object, not null"),
        ({"content": [{"type": None}]}, "content[0].type", "a string, not null"),
        ({"content": [{"type": []}]}, "content[0].type", "a string, not an array"),
        ({"tool_calls": 5}, "tool_calls", "a list of objects or null, not a number"),
        ({"tool_calls": [5]}, "tool_calls[0]", "an object, not a number"),
    ],
    ids=repr,
)
def test_a_message_in_no_shape_of_one_is_refused_with_its_place(
    message: dict[str, Any], place: str, words: str
) -> None:
    with pytest.raises(BadRequest) as raised:
        openai_chat.parse({"model": "alias", "messages": [*HELLO["messages"], {"role": "user", **message}]})

    assert str(raised.value) == f"'messages[1].{place}' must be {words}"
    assert raised.value.param == f"messages[1].{place}"


def test_nothing_of_a_request_is_lost_or_changed() -> None:
    body = HELLO | {
        "messages": [
            {"role": "developer", "content": [{"type": "text", "text": "x"}], "name": "n"},
            {"role": "user", "content": None, "unheard_of": {}},
            {"role": "assistant", "tool_calls": [{"id": "c", "extra_content": {}}], "reasoning_content": "r"},
            {"role": "tool", "tool_call_id": "c", "content": "\ud83d"},
            {"role": "whatever"},
        ],
        "tools": [{"type": "function"}],
        "temperature": 0,
        "top_p": 1,
        "n": 2,
        "max_tokens": 5,
        "stop": "x",
        "metadata": {"a": "b"},
        "unheard_of": [None],
    }
    before = deepcopy(body)

    assert openai_chat.parse(body).body == before
    assert body == before


NO_NAMES: list[Any] = [None, "", 3, [], {}]
NO_MESSAGES: list[Any] = [None, "Hi", 3, [], {}, {"content": "Hi"}, {"role": None}, {"role": 3}]
REFUSED = [
    pytest.param([], "the body must be a JSON object, not an array", None, id="an array"),
    pytest.param(None, "the body must be a JSON object, not null", None, id="null"),
    pytest.param("x", "the body must be a JSON object, not a string", None, id="a string"),
    pytest.param(3, "the body must be a JSON object, not a number", None, id="a number"),
    pytest.param(True, "the body must be a JSON object, not a boolean", None, id="a boolean"),
    *[
        pytest.param(
            HELLO | {"model": model}, "'model' must name one of the aliases", "model", id=f"model {model}"
        )
        for model in NO_NAMES
    ],
    pytest.param({"messages": HELLO["messages"]}, "'model' must name", "model", id="no model"),
    pytest.param({"model": "alias"}, "'messages' is missing", "messages", id="no messages"),
    pytest.param(HELLO | {"messages": None}, "'messages' is missing", "messages", id="messages null"),
    pytest.param(
        HELLO | {"messages": "Hi"}, "must be a list, not a string", "messages", id="messages a string"
    ),
    pytest.param(
        HELLO | {"messages": {}}, "must be a list, not an object", "messages", id="messages an object"
    ),
    pytest.param(HELLO | {"messages": []}, "'messages' is empty", "messages", id="no message"),
    *[
        pytest.param(
            HELLO | {"messages": [*HELLO["messages"], message]},
            "'messages[1]' must be an object with a 'role'",
            "messages[1]",
            id=f"message {message}",
        )
        for message in NO_MESSAGES
    ],
    *[
        pytest.param(HELLO | {field: value}, f"'{field}' must be {words}", field, id=f"{field} {value}")
        for field, value, words in [
            ("stream", "true", "true or false, not a string"),
            ("stream", 1, "true or false, not a number"),
            ("stream", [], "true or false, not an array"),
            ("stream_options", True, "an object, not a boolean"),
            ("stream_options", [], "an object, not an array"),
            ("tools", {}, "a list, not an object"),
            ("tools", "x", "a list, not a string"),
            ("n", "2", "a whole number, not a string"),
            ("n", 1.5, "a whole number, not a number"),
            ("n", True, "a whole number, not a boolean"),
            ("max_tokens", "5", "a whole number, not a string"),
            ("max_completion_tokens", [], "a whole number, not an array"),
            ("temperature", "0.5", "a number, not a string"),
            ("temperature", True, "a number, not a boolean"),
            ("top_p", {}, "a number, not an object"),
        ]
    ],
]


@pytest.mark.parametrize(("body", "words", "param"), REFUSED)
def test_a_wrong_request_is_refused_with_its_place(body: Any, words: str, param: str | None) -> None:
    with pytest.raises(BadRequest) as raised:
        openai_chat.parse(body)

    assert words in str(raised.value)
    assert (raised.value.status, raised.value.param) == (400, param)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["model", "messages", "role", "stream", "stream_options", "tools", "n", "x"]),
            inner,
        )
    ),
    max_leaves=15,
)


@given(json_values)
def test_no_odd_request_is_our_mistake(body: Any) -> None:
    try:
        understood = openai_chat.parse(body).body
    except BadRequest:
        return

    assert understood is body


# ─── answers ─────────────────────────────────────────────────────────────────────────────────────


def test_an_answer_stays_as_it_is() -> None:
    answer = completion("Hällo \ud83d", usage={"total_tokens": 3}, unheard_of=None)

    assert openai_chat.render(answer, request(), SERVED) == answer


def test_a_batch_is_written_as_its_events() -> None:
    batch = [chunk("a\n\n"), chunk("\ud83d"), finish()]
    events = SSEReader().feed(openai_chat.encoder(request(), SERVED).feed(batch))

    assert [json.loads(it) for it in events] == batch


def test_an_empty_batch_is_nothing() -> None:
    assert openai_chat.encoder(request(), SERVED).feed([]) == b""


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        pytest.param(
            RateLimited("full", code="1302", retry_after=7),
            {"message": "full", "type": "rate_limit_error", "param": None, "code": "1302"},
            id="with a code",
        ),
        pytest.param(
            BadRequest("bad", param="messages[0]"),
            {"message": "bad", "type": "invalid_request_error", "param": "messages[0]", "code": None},
            id="with a place",
        ),
        pytest.param(
            UpstreamCut("cut\n\n\ud83d"),
            {"message": "cut\n\n\ud83d", "type": "server_error", "param": None, "code": "upstream_cut"},
            id="with odd words",
        ),
        pytest.param(
            GatewayError(""),
            {"message": "", "type": "server_error", "param": None, "code": None},
            id="with nothing",
        ),
    ],
)
def test_an_error_has_all_four_keys_in_an_event_too(problem: GatewayError, said: dict[str, Any]) -> None:
    (event,) = SSEReader().feed(openai_chat.encoder(request(), SERVED).fail(problem))

    assert openai_chat.error(problem) == {"error": said}
    assert json.loads(event) == {"error": said}
