"""Chat's whole answers as messages, and that a turn comes back as the model said it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.dialects.anthropic_messages import encoder, parse, render
from app.errors import UpstreamGarbage
from app.types import Request
from app.utils.chat_events import chunks_of
from app.utils.codec import dumps
from tests.dialects.messages_checker import check
from tests.fakes import SERVED, completion

Json = dict[str, Any]


def asked(**fields: Any) -> Request:
    hello: Json = {"model": "alias", "max_tokens": 64, "messages": [{"role": "user", "content": "Hi"}]}
    return parse(hello | fields)


def message_of(finish: str = "stop", usage: Any = None, **message: Any) -> Json:
    """The message for an answer whose chat message holds these fields."""
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    return render(completion(choices=[choice], usage=usage), asked(), SERVED)


def call(arguments: Any = "{}", id: Any = "a", name: Any = "read") -> Json:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def test_a_message_is_an_answer_under_the_alias() -> None:
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 5,
        "cache_read_input_tokens": 60,
        "cache_creation_input_tokens": 30,
    }

    assert message_of(content="Hello", usage=usage) == {
        "id": "msg_0123456789abcdef",
        "type": "message",
        "role": "assistant",
        "model": "alias",
        "content": [{"type": "text", "text": "Hello"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 10,
            "cache_creation_input_tokens": 30,
            "cache_read_input_tokens": 60,
            "output_tokens": 5,
        },
    }


def test_where_the_target_counts_nothing_the_estimate_stands() -> None:
    assert message_of(content="Hello")["usage"] == {"input_tokens": 21, "output_tokens": 0}


@pytest.mark.parametrize("answer", [{}, {"choices": []}, {"choices": [{"message": None}]}], ids=repr)
def test_an_answer_that_says_nothing_is_an_empty_message(answer: Json) -> None:
    made = render(answer, asked(), SERVED)

    assert (made["content"], made["stop_reason"]) == ([], None)


@pytest.mark.parametrize(
    ("message", "content"),
    [
        pytest.param(
            {"content": "A", "reasoning_content": "hm"},
            [{"type": "thinking", "thinking": "hm", "signature": ""}, {"type": "text", "text": "A"}],
            id="thoughts first, without signature",
        ),
        pytest.param(
            {
                "content": None,
                "reasoning_content": "hm",
                "thinking_blocks": [
                    {"type": "thinking", "thinking": "h", "signature": "s1"},
                    {"type": "redacted_thinking", "data": "zz"},
                    {"type": "thinking", "thinking": "m", "signature": "s2"},
                ],
            },
            [
                {"type": "thinking", "thinking": "h", "signature": "s1"},
                {"type": "redacted_thinking", "data": "zz"},
                {"type": "thinking", "thinking": "m", "signature": "s2"},
            ],
            id="thoughts with signatures",
        ),
        pytest.param(
            {"content": None, "refusal": "No."}, [{"type": "text", "text": "No."}], id="a refusal is text"
        ),
        pytest.param(
            {"content": "A", "tool_calls": [call('{"x":1}'), call("", "b", "now")]},
            [
                {"type": "text", "text": "A"},
                {"type": "tool_use", "id": "a", "name": "read", "input": {"x": 1}},
                {"type": "tool_use", "id": "b", "name": "now", "input": {}},
            ],
            id="calls last",
        ),
        pytest.param(
            {"content": None, "function_call": {"name": "read", "arguments": '{"x":1}'}},
            [{"type": "tool_use", "id": "toolu_0123456789abcdef_0", "name": "read", "input": {"x": 1}}],
            id="the call of old",
        ),
        pytest.param(
            {"tool_calls": [call(None, None)]},
            [{"type": "tool_use", "id": "toolu_0123456789abcdef_0", "name": "read", "input": {}}],
            id="a call without id",
        ),
    ],
)
def test_what_a_message_says_is_blocks(message: Json, content: list[Json]) -> None:
    assert message_of(**message)["content"] == content


@pytest.mark.parametrize("arguments", ['{"x":', '{"x":1}{}', "[1]", '"x"', "nonsense"])
def test_arguments_that_are_no_object_are_kept_as_text_and_never_guessed(arguments: str) -> None:
    (made,) = message_of("length", tool_calls=[call(arguments)])["content"]

    assert made["input"] == {"INVALID_JSON": arguments}


@pytest.mark.parametrize("arguments", ["", " ", "null", None])
def test_no_arguments_are_an_empty_input(arguments: str | None) -> None:
    (made,) = message_of(tool_calls=[call(arguments)])["content"]

    assert made["input"] == {}


def test_a_call_without_a_name_is_a_failure() -> None:
    with pytest.raises(UpstreamGarbage, match="'alias' answered a tool call without a name"):
        message_of(tool_calls=[call("{}", name=None)])


def test_a_stop_sequence_is_named_where_the_target_names_it() -> None:
    choice = {"message": {"content": "A"}, "finish_reason": "stop", "stop_reason": "END"}
    answer = completion(choices=[choice])

    named = render(answer, asked(stop_sequences=["END"]), SERVED)
    other = render(answer, asked(stop_sequences=["FIN"]), SERVED)

    assert (named["stop_reason"], named["stop_sequence"]) == ("stop_sequence", "END")
    assert (other["stop_reason"], other["stop_sequence"]) == ("end_turn", None)


# ─── there and back ──────────────────────────────────────────────────────────────────────────────

texts = st.text(st.characters(codec="utf-8"), max_size=20)
some_text = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
names = st.from_regex(r"[a-z_]{1,8}", fullmatch=True)
inputs = st.dictionaries(
    texts, texts | st.integers(-9, 9) | st.none() | st.lists(texts, max_size=2), max_size=3
)


@st.composite
def turns(draw: st.DrawFn) -> Json:
    """An assistant's turn in chat."""
    turn: Json = {"role": "assistant", "content": draw(texts)}
    signed = draw(st.lists(st.tuples(texts, some_text), max_size=2))
    if signed:
        turn["thinking_blocks"] = [
            {"type": "thinking", "thinking": thought, "signature": signature} for thought, signature in signed
        ]
        turn["reasoning_content"] = "".join(thought for thought, _ in signed)
    else:
        turn["reasoning_content"] = draw(texts)
    given_ = draw(st.lists(st.tuples(names, inputs), max_size=3))
    if given_:
        turn["tool_calls"] = [
            call(dumps(value).decode(), f"call_{place}", name) for place, (name, value) in enumerate(given_)
        ]
    return {key: value for key, value in turn.items() if value != "" or key == "content"}


def sent_back(message: Json) -> list[Json]:
    """The messages of chat when an answer comes back as history."""
    history = {"role": "assistant", "content": message["content"]}
    body = json.loads(dumps({**asked().body, "messages": [*asked().body["messages"], history]}))
    return [it for it in parse(body).as_chat()["messages"] if it["role"] == "assistant"]


def answer_with(turn: Json) -> Json:
    finish = "tool_calls" if turn.get("tool_calls") else "stop"
    return completion(choices=[{"index": 0, "message": turn, "finish_reason": finish}])


def is_empty(turn: Json) -> bool:
    return turn.keys() == {"role", "content"} and not turn["content"]


@given(turns())
def test_a_turn_comes_back_as_the_model_said_it(turn: Json) -> None:
    message = render(answer_with(turn), asked(), SERVED)

    assert sent_back(message) == ([] if is_empty(turn) else [turn])


@given(turns())
def test_a_streamed_turn_does_so_too(turn: Json) -> None:
    it = encoder(asked(), SERVED)
    message = check(it.feed(chunks_of(answer_with(turn))) + it.alive() + it.close()).answer

    assert sent_back(message) == ([] if is_empty(turn) else [turn])
