"""Requests and answers on their way: under another name, otherwise as they were."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import UpstreamCut, UpstreamFailed
from app.types import Batch, Body, Chunk, Completion, Request, Target
from app.utils.codec import dumps, loads
from app.utils.formatter import (
    CONTROL_FIELDS,
    CONTROL_PREFIXES,
    ChatStream,
    chunks_of,
    completion_of,
    finished,
    is_whole,
    prepared,
    with_thoughts_as_wanted,
)
from tests.fakes import chunk, completion, delta, finish, request, target, trace, usage_chunk
from tests.streams import Recorded, load

USAGE = {"include_usage": True}


def body_for(asked: Request, where: Target) -> Body:
    return prepared(asked.body, where, asked.stream, asked.include_usage)


# ─── requests ────────────────────────────────────────────────────────────────────────────────────


def test_a_body_goes_on_as_it_came_under_the_targets_name() -> None:
    asked = request(temperature=0, seed=7, tools=[], metadata={"a": "b"}, unheard_of={"x": [1]}, user=None)

    assert body_for(asked, target()) == asked.body | {"model": "wire-id"}


@pytest.mark.parametrize("field", sorted(CONTROL_FIELDS))
def test_a_control_field_never_goes_on(field: str) -> None:
    fields: Any = {field: "x"}

    assert field not in body_for(request(**fields), target())


@pytest.mark.parametrize("prefix", CONTROL_PREFIXES)
def test_neither_does_anything_that_begins_like_one(prefix: str) -> None:
    fields: Any = {f"{prefix}anything": "x"}

    assert fields.keys().isdisjoint(body_for(request(**fields), target()))


def test_what_the_configuration_adds_is_added() -> None:
    there = target(extra_body={"thinking": {"type": "disabled"}, "timeout": 5})
    body = body_for(request(thinking={"type": "enabled"}, timeout=9), there)

    assert (body["thinking"], body["timeout"]) == ({"type": "disabled"}, 5)


@pytest.mark.parametrize(
    ("sent", "defaults", "becomes"),
    [
        pytest.param({}, {"temperature": 0.7}, {"temperature": 0.7}, id="where nothing was sent"),
        pytest.param(
            {"temperature": None}, {"temperature": 0.7}, {"temperature": 0.7}, id="where null was sent"
        ),
        pytest.param({"temperature": 0}, {"temperature": 0.7}, {"temperature": 0}, id="not over a zero"),
        pytest.param({"stop": []}, {"stop": ["x"]}, {"stop": []}, id="not over an empty list"),
        pytest.param(
            {"max_completion_tokens": 5}, {"max_tokens": 9}, {"max_completion_tokens": 5}, id="newer name"
        ),
        pytest.param({"max_tokens": 5}, {"max_completion_tokens": 9}, {"max_tokens": 5}, id="older name"),
        pytest.param(
            {"max_tokens": None, "max_completion_tokens": None},
            {"max_tokens": 9},
            {"max_tokens": 9, "max_completion_tokens": None},
            id="both null",
        ),
        pytest.param({}, {"a": 1, "max_tokens": 9}, {"a": 1, "max_tokens": 9}, id="several"),
    ],
)
def test_defaults_stand_only_where_nothing_was_sent(
    sent: dict[str, Any], defaults: dict[str, Any], becomes: dict[str, Any]
) -> None:
    asked = request(**sent)
    plain = {key: value for key, value in asked.body.items() if key not in sent}

    assert body_for(asked, target(defaults=defaults)) == plain | becomes | {"model": "wire-id"}


@pytest.mark.parametrize(
    ("options", "becomes"),
    [
        pytest.param(None, USAGE, id="none"),
        pytest.param({"include_usage": False}, USAGE, id="declined"),
        pytest.param({"include_obfuscation": False}, {"include_obfuscation": False} | USAGE, id="others"),
    ],
)
def test_usage_is_asked_for_on_streams(options: dict[str, Any] | None, becomes: dict[str, Any]) -> None:
    asked = request(stream=True, stream_options=options)

    assert body_for(asked, target())["stream_options"] == becomes


@pytest.mark.parametrize(
    ("asked", "there"),
    [
        pytest.param(request(), target(), id="a plain request"),
        pytest.param(request(stream=True), target(stream_usage=False), id="a target that knows no options"),
        pytest.param(
            request(stream=True, include_usage=True, x=1), target(), id="a client that asked itself"
        ),
    ],
)
def test_else_the_options_stay_as_they_are(asked: Any, there: Any) -> None:
    assert body_for(asked, there).get("stream_options") == asked.body.get("stream_options")


def test_the_clients_own_body_is_not_touched() -> None:
    asked = request(stream=True, stream_options={"x": 1}, api_base="http://evil.test")
    before = deepcopy(asked.body)
    body_for(asked, target(defaults={"a": 1}, extra_body={"b": 2}))

    assert asked.body == before


@pytest.mark.parametrize(
    ("arguments", "sent"),
    [
        pytest.param('{"a": 1}', '{"a": 1}', id="whole"),
        pytest.param('{"a": 1}\n', '{"a": 1}\n', id="whole, and a blank"),
        pytest.param('{"a": "b', '{"INVALID_JSON":"{\\"a\\": \\"b"}', id="cut off"),
        pytest.param("", "{}", id="none"),
    ],
)
def test_arguments_that_were_cut_off_go_on_as_json(arguments: str, sent: str) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": arguments}}
    said = [
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": ""},
    ]
    body = body_for(request(messages=said), target())

    assert body["messages"][0]["tool_calls"][0]["function"]["arguments"] == sent
    assert body["messages"][1] is said[1]
    assert call["function"] == {"name": "f", "arguments": arguments}


@pytest.mark.parametrize(
    ("where", "kept"),
    [
        pytest.param({}, {}, id="a target that wants none"),
        pytest.param({"reasoning_field": "reasoning_content"}, {"reasoning_content": "Hm"}, id="as text"),
        pytest.param({"reasoning_field": "reasoning"}, {"reasoning": "Hm"}, id="by another name"),
        pytest.param({"reads_thoughts": True}, {"reasoning_content": "Hm"}, id="a server of one's own"),
        pytest.param({"litellm_provider": "bedrock"}, {"thinking_blocks": ["signed"]}, id="as signed blocks"),
    ],
)
def test_thoughts_go_back_as_the_target_wants_them(where: dict[str, Any], kept: dict[str, Any]) -> None:
    said = {"role": "assistant", "content": "Yes"}
    message = {**said, "reasoning_content": "Hm", "thinking_blocks": ["signed"]}
    body = with_thoughts_as_wanted({"messages": [message, {"role": "user"}]}, target(**where))

    assert body["messages"] == [said | kept, {"role": "user"}]
    assert message.keys() == {"role", "content", "reasoning_content", "thinking_blocks"}


def test_tools_are_cut_for_geminis_compatible_endpoint() -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": {"$schema": "x", "type": "object"}}}
    gemini = target(base_url="https://generativelanguage.googleapis.com/v1beta/openai")
    kept = [body_for(request(tools=[tool]), where)["tools"][0] for where in (gemini, target())]

    assert kept[0]["function"]["parameters"] == {"type": "object"}
    assert kept[1] == tool


# ─── plain answers ───────────────────────────────────────────────────────────────────────────────


def test_a_plain_answer_stands_under_the_alias_with_every_field() -> None:
    seen = trace()
    answer = completion("Hi", usage={"total_tokens": 3}, timings={"x": 1})

    assert finished(deepcopy(answer), target(), seen) == answer | {"model": "alias"}
    assert (seen.usage, seen.finish) == ({"total_tokens": 3}, "stop")


@pytest.mark.parametrize("finish_reason", ["network_error", "error"])
@pytest.mark.parametrize("place", [0, 1])
def test_an_answer_that_says_it_broke_is_an_error(finish_reason: str, place: int) -> None:
    choices = [{"index": n, "message": {}, "finish_reason": "stop"} for n in range(2)]
    choices[place]["finish_reason"] = finish_reason

    with pytest.raises(UpstreamFailed, match=finish_reason):
        finished(completion(choices=choices), target(), trace())


@pytest.mark.parametrize(
    "over",
    [
        {"choices": []},
        {"choices": [None, 3]},
        {"choices": [{"finish_reason": ["x"]}]},
        {"usage": 7},
        {"usage": None},
    ],
    ids=str,
)
def test_an_odd_answer_goes_on_as_it_is(over: dict[str, Any]) -> None:
    assert finished(completion(**over), target(), trace()) == completion(**over) | {"model": "alias"}


# ─── streams ─────────────────────────────────────────────────────────────────────────────────────


def passed(*chunks: Chunk, include_usage: bool = False) -> tuple[Batch, ChatStream]:
    stream = ChatStream(target(), include_usage, trace())
    return stream.pass_on(deepcopy(list(chunks))), stream


def renamed(*chunks: Chunk) -> Batch:
    return [it | {"model": "alias"} for it in chunks]


def test_chunks_stand_under_the_alias_with_every_field() -> None:
    chunks = [
        chunk("Hel", timings={"x": 1}, service_tier="default"),
        delta(reasoning_content="hm", unheard_of=[1]),
        delta(
            tool_calls=[
                {"index": 3, "id": "c", "function": {"name": "f", "arguments": "{"}, "extra_content": {}}
            ]
        ),
        finish("tool_calls"),
    ]
    kept, stream = passed(*chunks)
    stream.end()

    assert kept == renamed(*chunks)


def test_a_chunk_without_a_model_gets_the_alias_too() -> None:
    kept, _ = passed({"choices": []})

    assert kept == [{"choices": [], "model": "alias"}]


@pytest.mark.parametrize(
    ("sent", "hidden", "shown"),
    [
        pytest.param(usage_chunk(), [], [usage_chunk()], id="the usage chunk"),
        pytest.param(
            chunk("a", usage=None), [chunk("a")], [chunk("a", usage=None)], id="null beside a piece"
        ),
        pytest.param(
            chunk(choices=[], usage=None, prompt_filter_results=[1]),
            [chunk(choices=[], prompt_filter_results=[1])],
            [chunk(choices=[], usage=None, prompt_filter_results=[1])],
            id="null beside something else",
        ),
        pytest.param(chunk(choices=None, usage={"total_tokens": 3}), [], None, id="no choices at all"),
        pytest.param(chunk("a", usage={"total_tokens": 3}), None, None, id="usage beside a piece stays"),
    ],
)
def test_the_usage_chunk_is_only_for_those_who_asked(
    sent: Chunk, hidden: Batch | None, shown: Batch | None
) -> None:
    without, _ = passed(sent)
    with_usage, _ = passed(sent, include_usage=True)

    assert without == renamed(*(hidden if hidden is not None else [sent]))
    assert with_usage == renamed(*(shown if shown is not None else [sent]))


@pytest.mark.parametrize("stream_usage", [True, False])
def test_usage_that_nobody_asked_for_is_hidden_whoever_sent_it(stream_usage: bool) -> None:
    stream = ChatStream(target(stream_usage=stream_usage), include_usage=False, trace=trace())

    assert stream.pass_on([usage_chunk()]) == []


def test_usage_is_noted_even_where_it_is_hidden() -> None:
    seen = trace()
    ChatStream(target(), False, seen).pass_on([chunk("a", usage={"total_tokens": 1}), usage_chunk(3)])

    assert seen.usage == {"total_tokens": 3}


NOT_OPENED: Any = {"role": "assistant", "content": "", "tool_calls": None}
WHOLE = [
    pytest.param([chunk("a"), finish()], id="a piece and a finish"),
    pytest.param([delta("stop", content="a")], id="both in one"),
    pytest.param([finish("length")], id="nothing but a finish"),
    pytest.param([chunk("a"), finish(), usage_chunk()], id="usage after it"),
    pytest.param([chunk("a"), finish(), delta()], id="an empty delta after it"),
    pytest.param([chunk("a"), finish(), delta(**NOT_OPENED)], id="the role again after it"),
    pytest.param([chunk("a"), finish(), {"choices": [{"index": 0, "delta": None}]}], id="no delta after it"),
    pytest.param([chunk("a"), chunk("b", 1), finish(), finish(index=1)], id="two choices"),
    pytest.param([chunk("b", 1), finish(index=1), chunk("a"), finish()], id="one after the other"),
    pytest.param([{"choices": [{"delta": {"content": "a"}, "finish_reason": "stop"}]}], id="no index"),
    pytest.param([chunk("a"), finish("sensitive")], id="a finish nobody knows"),
]
CUT = [
    pytest.param([], id="nothing"),
    pytest.param([usage_chunk()], id="only usage"),
    pytest.param([chunk("a")], id="no finish"),
    pytest.param([delta("", content="a")], id="an empty finish"),
    pytest.param([delta(role="assistant")], id="only the role"),
    pytest.param([chunk("a"), chunk("b", 1), finish()], id="one of two"),
    pytest.param([chunk("a"), finish(), chunk("b", 1)], id="the second begun after the first"),
    pytest.param([chunk("a"), finish(), chunk("b")], id="more after the finish"),
    pytest.param([chunk("a"), {"choices": [{"index": 0, "finish_reason": 7}]}], id="a finish that is none"),
    pytest.param([{"choices": None}], id="no choices"),
]


@pytest.mark.parametrize("chunks", WHOLE)
def test_a_stream_whose_choices_have_finished_is_whole(chunks: Batch) -> None:
    _, stream = passed(*chunks)

    stream.end()


@pytest.mark.parametrize("chunks", CUT)
def test_any_other_is_cut(chunks: Batch) -> None:
    _, stream = passed(*chunks)

    with pytest.raises(UpstreamCut, match="'alias' ended before"):
        stream.end()


@pytest.mark.parametrize("reason", ["network_error", "error"])
def test_a_finish_that_is_a_failure_ends_the_stream_and_keeps_what_came_before(reason: str) -> None:
    kept, stream = passed(chunk("a"), chunk("b"), finish(reason), chunk("c"))

    assert kept == renamed(chunk("a"), chunk("b"))
    with pytest.raises(UpstreamFailed, match=reason):
        stream.end()


ODD: list[Any] = [
    {},
    {"choices": None},
    {"choices": 5},
    {"choices": "ab"},
    {"choices": {"a": 1}},
    {"choices": [None, 1, "a", []]},
    {"choices": [{}]},
    {"choices": [{"delta": None}]},
    {"choices": [{"delta": [1]}]},
    {"choices": [{"delta": "a"}]},
    {"choices": [{"delta": 1, "index": "x"}]},
    {"choices": [{"delta": {}, "index": [1]}]},
    {"choices": [{"delta": {}, "index": {}, "finish_reason": {}}]},
    {"choices": [{"message": None}]},
    {"choices": [{"message": "a", "delta": {"content": "a"}}]},
    {
        "choices": [
            {"message": {"tool_calls": [None, {"function": None}]}, "delta": {"tool_calls": [{"index": 0}]}}
        ]
    },
    {"choices": [{"delta": {"tool_calls": 1}}]},
    {
        "choices": [
            {"delta": {"tool_calls": [None, 1, {}, {"function": None}, {"function": []}, {"index": []}]}}
        ]
    },
    {
        "choices": [
            {"delta": {"tool_calls": [{"id": 1, "index": "a", "function": {"name": None, "arguments": {}}}]}}
        ]
    },
    {"choices": [{"delta": {"content": {"a": 1}, "function_call": {"arguments": None}}, "logprobs": 1}]},
    {"choices": [{"logprobs": {"content": None}}], "usage": []},
    {"usage": "a"},
    {"usage": 3},
    {"choices": [], "usage": [1]},
]


@pytest.mark.parametrize("odd", ODD, ids=str)
def test_no_odd_chunk_is_our_mistake(odd: Chunk) -> None:
    kept, stream = passed(chunk("a"), odd, chunk("b", usage=odd.get("usage")), finish())

    assert len(kept) >= 3
    assert stream.failed is None
    assert completion_of([[chunk("a"), deepcopy(odd), deepcopy(odd), finish()]])["choices"]


# ─── one as the other ────────────────────────────────────────────────────────────────────────────

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


@given(answers)
def test_an_answer_as_a_stream_has_come_to_its_end(answer: Completion) -> None:
    _, stream = passed(*chunks_of(answer))

    stream.end()


def test_an_answer_without_finish_is_none_as_a_stream_either() -> None:
    _, stream = passed(*chunks_of(completion(finish_reason=None)))  # type: ignore[arg-type]

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


@pytest.mark.parametrize("stream", load(), ids=lambda it: it.name)
def test_recorded_streams_come_to_their_end_only_at_their_end(stream: Recorded) -> None:
    whole = ChatStream(target(), False, trace())
    whole.pass_on(deepcopy(stream.events))
    whole.end()
    finish = next(
        n for n, it in enumerate(stream.events) if any(c.get("finish_reason") for c in it["choices"] or ())
    )
    for length in range(finish):
        part = ChatStream(target(), False, trace())
        part.pass_on(deepcopy(stream.events[:length]))
        with pytest.raises(UpstreamCut):
            part.end()


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


@pytest.mark.parametrize("chunks", WHOLE)
def test_an_answer_made_of_a_whole_stream_is_whole(chunks: Batch) -> None:
    assert is_whole(completion_of([deepcopy(chunks)]))


@pytest.mark.parametrize("chunks", [it for it in CUT if it.id != "more after the finish"])
def test_an_answer_made_of_a_cut_stream_is_not(chunks: Batch) -> None:
    assert not is_whole(completion_of([deepcopy(chunks)]))


# ─── tool calls whose indexes do not tell them apart ─────────────────────────────────────────────


def _pieces(*pieces: tuple[int | None, str | None, str | None]) -> Batch:
    """One chunk for each (index, id, name)."""
    return [
        {
            "choices": [
                {
                    "index": 0,
                    "finish_reason": None,
                    "delta": {
                        "tool_calls": [
                            {
                                **({} if index is None else {"index": index}),
                                **({} if call_id is None else {"id": call_id}),
                                "function": {**({} if name is None else {"name": name}), "arguments": "x"},
                            }
                        ]
                    },
                }
            ]
        }
        for index, call_id, name in pieces
    ]


@pytest.mark.parametrize(
    ("pieces", "indexes"),
    [
        ([(0, "a", "f"), (0, None, None), (1, "b", "f"), (1, None, None)], [0, 0, 1, 1]),
        ([(0, "a", "f"), (2, "b", "f"), (0, None, None), (2, None, None)], [0, 2, 0, 2]),
        ([(0, "a", "f"), (0, "a", "f"), (0, "", None)], [0, 0, 0]),
        ([(0, "a", "f"), (0, None, None), (0, "b", "f"), (0, None, None)], [0, 0, 1, 1]),
        ([(None, "a", "f"), (None, None, None), (None, "b", "g"), (None, None, None)], [0, 0, 1, 1]),
        ([(0, "a", "f"), (0, "b", "f"), (1, "c", "f")], [0, 1, 2]),
        ([(0, "a", "f"), (0, "b", None)], [0, 0]),
    ],
    ids=["right", "gaps", "repeated", "all 0", "none at all", "0 twice, then 1", "a new id without a name"],
)
def test_each_call_of_a_stream_has_an_index_of_its_own(
    pieces: list[tuple[int | None, str | None, str | None]], indexes: list[int]
) -> None:
    stream = ChatStream(target(), include_usage=False, trace=trace())
    kept = stream.pass_on(_pieces(*pieces))

    assert [c["choices"][0]["delta"]["tool_calls"][0]["index"] for c in kept] == indexes


@pytest.mark.parametrize("odd", ["no list", [None, 5, "x"], {"index": 0}, [{"index": "0", "function": None}]])
def test_odd_tool_calls_of_a_stream_hurt_nobody(odd: Any) -> None:
    stream = ChatStream(target(), include_usage=False, trace=trace())

    assert stream.pass_on([{"choices": [{"index": 0, "delta": {"tool_calls": odd}}]}])
