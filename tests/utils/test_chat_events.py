"""A chat answer as a stream, and a stream as the answer that it adds up to."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import UpstreamCut
from app.types import Batch, Chunk, Completion
from app.utils.chat_events import chunks_of, completion_of
from app.utils.codec import dumps, loads
from app.utils.wire_chat import ChatStream
from tests.fakes import chunk, completion, delta, finish, target, trace
from tests.streams import Recorded, load

words = st.text(max_size=12)
json_values = st.none() | st.booleans() | st.integers() | words | st.lists(st.integers(), max_size=3)
unknown = st.dictionaries(st.sampled_from(["x_a", "x_b", "refusal", "annotations"]), json_values, max_size=3)
calls = st.lists(
    st.tuples(words, words, words, unknown).map(
        lambda it: {**it[3], "id": it[0], "type": "function", "function": {"name": it[1], "arguments": it[2]}}
    ),
    min_size=1,
    max_size=4,
)
messages = st.builds(
    lambda content, extra, more, tools: {**extra, **more, **tools, "role": "assistant", "content": content},
    st.none() | words,
    unknown,
    st.just({}) | words.map(lambda it: {"reasoning_content": it}),
    st.just({}) | calls.map(lambda it: {"tool_calls": it}),
)
choices = st.lists(
    st.tuples(messages, unknown, st.sampled_from(["stop", "tool_calls", "length"])), min_size=1, max_size=3
).map(lambda them: [{**x, "index": n, "message": m, "finish_reason": f} for n, (m, x, f) in enumerate(them)])
answers = st.builds(
    lambda choices, extra, usage: {**completion(), **extra, **usage, "choices": choices},
    choices,
    unknown,
    st.just({}) | st.just({"usage": {"total_tokens": 3, "x": 1}}),
)


@given(answers)
def test_an_answer_as_a_stream_is_still_that_answer(answer: Completion) -> None:
    whole = deepcopy(answer)

    assert completion_of([chunks_of(answer)]) == whole
    assert completion_of([it] for it in chunks_of(answer)) == whole
    assert answer == whole


def followed(chunks: Batch) -> ChatStream:
    stream = ChatStream(target(), False, trace())
    stream.pass_on(deepcopy(chunks))
    return stream


@given(answers)
def test_an_answer_as_a_stream_has_come_to_its_end(answer: Completion) -> None:
    stream = followed(chunks_of(answer))

    stream.end()


def test_an_answer_without_finish_is_none_as_a_stream_either() -> None:
    stream = followed(chunks_of(completion(finish_reason=None)))  # type: ignore[arg-type]

    with pytest.raises(UpstreamCut):
        stream.end()


def test_what_stands_beside_a_message_is_said_once() -> None:
    choice = {"index": 0, "message": {"content": "a"}, "logprobs": {"content": [1]}, "finish_reason": "stop"}
    first, last = chunks_of(completion(choices=[choice]))

    assert first["choices"] == [
        {"index": 0, "delta": {"content": "a"}, "logprobs": {"content": [1]}, "finish_reason": None}
    ]
    assert last["choices"] == [{"index": 0, "delta": {}, "finish_reason": "stop"}]


def test_choices_that_are_not_numbered_are_told_apart() -> None:
    two = [{"message": {"content": text}, "finish_reason": "stop"} for text in "ab"]

    assert [c["choices"][0]["index"] for c in chunks_of(completion(choices=two))] == [0, 0, 1, 1]


@pytest.mark.parametrize(
    "choices", [None, [], [None], [{}], [{"message": None}], [{"message": {"tool_calls": [1]}}]]
)
def test_no_odd_answer_is_our_mistake_either(choices: Any) -> None:
    assert all(isinstance(it, dict) for it in chunks_of(completion(choices=choices)))


def piece(
    index: int | None = None, id: str | None = None, name: str | None = None, args: str | None = None
) -> Any:
    """A fragment of a tool call that holds only what is given."""
    function = {key: value for key, value in (("name", name), ("arguments", args)) if value is not None}
    fields = {"index": index, "id": id, "function": function or None}
    return {key: value for key, value in fields.items() if value is not None}


A = {"id": "a", "function": {"name": "f", "arguments": "{1}"}}
B = {"id": "b", "function": {"name": "g", "arguments": "{2}"}}
FRAGMENTS = [
    pytest.param(
        [piece(0, "a", "f", ""), piece(0, args="{1"), piece(0, args="}")], [A], id="as it should be"
    ),
    pytest.param([piece(0, "a", "f", "{1}")], [A], id="whole"),
    pytest.param([piece(0, "a", "f"), piece(0, args="{1}")], [A], id="no arguments at first"),
    pytest.param(
        [piece(0, "a", "f", "{"), piece(0, "a", "f", "1"), piece(0, "a", "f", "}")], [A], id="repeated"
    ),
    pytest.param([piece(0, "a", "f", "{"), piece(0, "", "", "1}")], [A], id="empty later"),
    pytest.param(
        [
            piece(0, "a", "f", "{"),
            {"index": 0, "id": None, "type": None, "function": {"name": None, "arguments": "1}"}},
            {"index": 0, "function": {"arguments": None}},
            {"index": 0, "function": None},
        ],
        [A],
        id="null later",
    ),
    pytest.param([piece(0, None, "f", "{1"), piece(0, "a", None, "}")], [A], id="the id later"),
    pytest.param([piece(0, "a", None, "{1"), piece(0, None, "f", "}")], [A], id="the name later"),
    pytest.param([piece(0, "a", "f", "{1}"), piece(1, "b", "g", "{2}")], [A, B], id="one after the other"),
    pytest.param(
        [
            piece(0, "a", "f"),
            piece(1, "b", "g"),
            piece(0, args="{1"),
            piece(1, args="{2}"),
            piece(0, args="}"),
        ],
        [A, B],
        id="interleaved",
    ),
    pytest.param([piece(3, "a", "f", "{1}"), piece(7, "b", "g", "{2}")], [A, B], id="gaps"),
    pytest.param([piece(1, "b", "g", "{2}"), piece(0, "a", "f", "{1}")], [A, B], id="out of order"),
    pytest.param([piece(None, "a", "f", "{1}"), piece(None, "b", "g", "{2}")], [A, B], id="no index, whole"),
    pytest.param(
        [piece(None, "a", "f", "{"), piece(None, None, None, "1}"), piece(None, "b", "g"), piece(args="{2}")],
        [A, B],
        id="no index, in pieces",
    ),
    pytest.param(
        [
            piece(None, "a", "f", "{"),
            piece(None, "b", "g", "{"),
            piece(None, "a", None, "1}"),
            piece(None, "b", args="2}"),
        ],
        [A, B],
        id="no index, by id",
    ),
    pytest.param([piece(0, "a", "f", "{1}"), piece(0, "b", "g", "{2}")], [A, B], id="always 0, whole"),
    pytest.param(
        [piece(0, "a", "f", "{"), piece(0, args="1}"), piece(0, "b", "g", "{"), piece(0, args="2}")],
        [A, B],
        id="always 0, in pieces",
    ),
    pytest.param([piece(0, "a", "f", "{1"), piece(0, "z", None, "}")], [A], id="another id with each piece"),
]


@pytest.mark.parametrize("one_chunk", [True, False], ids=["in one chunk", "in a chunk each"])
@pytest.mark.parametrize(("pieces", "calls"), FRAGMENTS)
def test_tool_calls_are_put_together(pieces: list[Any], calls: list[Any], one_chunk: bool) -> None:
    parts = [pieces] if one_chunk else [[it] for it in pieces]
    chunks = [*(delta(tool_calls=deepcopy(it)) for it in parts), finish("tool_calls")]
    message = completion_of([chunks])["choices"][0]["message"]

    assert message["content"] is None
    assert [{key: call[key] for key in ("id", "function")} for call in message["tool_calls"]] == calls
    assert not any("index" in call for call in message["tool_calls"])


def test_calls_with_neither_index_nor_id_are_told_apart_by_their_names() -> None:
    pieces = [piece(name="f", args="{1}"), piece(name="g", args="{"), piece(args="2}")]
    message = completion_of([[delta(tool_calls=[it]) for it in pieces]])["choices"][0]["message"]

    assert [it["function"]["arguments"] for it in message["tool_calls"]] == ["{1}", "{2}"]


def test_what_else_a_fragment_brings_is_kept() -> None:
    first = piece(0, "a", "f", "{1}") | {
        "type": "function",
        "extra_content": {"google": {"thought_signature": "s"}},
    }
    later = piece(0) | {"x_late": 1}
    (call,) = completion_of([[delta(tool_calls=[first]), delta(tool_calls=[later])]])["choices"][0][
        "message"
    ]["tool_calls"]

    assert call == {key: value for key, value in first.items() if key != "index"} | {"x_late": 1}


def test_a_stream_as_an_answer_has_all_that_it_brought() -> None:
    batches = [
        [delta(role="assistant", content=""), delta(reasoning_content="I ")],
        [],
        [delta(reasoning_content="think"), delta(content="Hel", x_a=[1]), delta(content="lo", x_a=[2])],
        [chunk("second", 1), finish("length", 1), chunk(choices=[], usage=None, system_fingerprint="fp")],
        [finish("stop"), chunk(choices=[], usage={"total_tokens": 3}, system_fingerprint=None)],
    ]
    first = {"role": "assistant", "content": "Hello", "reasoning_content": "I think", "x_a": [1, 2]}
    second = {"role": "assistant", "content": "second"}

    assert completion_of(batches) == {
        "id": "c1",
        "object": "chat.completion",
        "model": "wire-id",
        "usage": {"total_tokens": 3},
        "system_fingerprint": "fp",
        "choices": [
            {"index": 0, "message": first, "finish_reason": "stop"},
            {"index": 1, "message": second, "finish_reason": "length"},
        ],
    }


@pytest.mark.parametrize("stream", load(), ids=lambda it: it.name)
def test_recorded_streams_become_the_answer_that_they_add_up_to(stream: Recorded) -> None:
    answer = loads(dumps(completion_of([stream.events])))  # which joins the halves of a surrogate pair
    message = answer["choices"][0]["message"]
    calls = [
        (it["id"], it["function"]["name"], it["function"]["arguments"])
        for it in message.get("tool_calls", ())
    ]

    assert (message["content"] or "") == stream.answer["content"]
    assert answer["choices"][0]["finish_reason"] == stream.answer["finish_reason"]
    assert answer.get("usage") == stream.answer["usage"]
    assert calls == [(it["id"], it["name"], it["arguments"]) for it in stream.answer["tool_calls"]]


def test_logprobs_and_old_function_calls_are_put_together_too() -> None:
    def with_logprobs(*tokens: str) -> Chunk:
        choice = {
            "index": 0,
            "delta": {},
            "logprobs": {"content": [*tokens], "refusal": None},
            "finish_reason": None,
        }
        return chunk(choices=[choice])

    called = [delta(function_call={"name": "f", "arguments": ""}), delta(function_call={"arguments": "{}"})]
    (choice,) = completion_of(
        [[with_logprobs("a"), with_logprobs("b", "c"), *called, finish("function_call")]]
    )["choices"]

    assert choice["logprobs"] == {"content": ["a", "b", "c"], "refusal": None}
    assert choice["message"]["function_call"] == {"name": "f", "arguments": "{}"}


def test_a_whole_message_in_an_event_is_taken_as_it_is() -> None:
    assert completion_of([[completion("Hi")]]) == completion("Hi")
