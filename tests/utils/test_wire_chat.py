"""Chat as a target answers it: a completion, chunks, and whether they came to their end."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest

from app.errors import GatewayError, RateLimited, UpstreamCut, UpstreamFailed, UpstreamGarbage
from app.types import Batch, Chunk, Target
from app.utils.wire_chat import ChatStream, answer_in, answer_of, finished, is_whole
from tests.fakes import chunk, completion, delta, finish, target, trace, usage_chunk
from tests.streams import Recorded, load

TARGET = Target("alias", "p", "wire")
ANSWER = {"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]}
DELTA = {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hi"}, "finish_reason": None}]}
FINISH = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}


# ─── whole bodies ────────────────────────────────────────────────────────────────────────────────


def stream(*events: Any) -> bytes:
    return b"".join(b"data: " + json.dumps(one).encode() + b"\n\n" for one in events)


@pytest.mark.parametrize("before", [b"", b"  \r\n"], ids=["plain", "space"])
def test_json_is_the_answer(before: bytes) -> None:
    assert answer_in(before + json.dumps(ANSWER).encode(), TARGET) == ANSWER


@pytest.mark.parametrize("end", [b"data: [DONE]\n\n", b""], ids=["done", "no done"])
def test_a_stream_is_gathered(end: bytes) -> None:
    answer = answer_in(b": hello\n\n" + stream(DELTA, FINISH) + end, TARGET)

    assert answer["choices"][0]["message"]["content"] == "Hi"
    assert answer["object"] == "chat.completion"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", UpstreamGarbage),
        (b"<html>Sign in</html>", UpstreamGarbage),
        (b"Bad Gateway", UpstreamGarbage),
        (b"[]", UpstreamGarbage),
        (b'{"hello": 1}', UpstreamGarbage),
        (b'{"error": {"message": "no", "code": 429}}', RateLimited),
        (b'{"error": "no"}', UpstreamFailed),
        (stream(DELTA), UpstreamCut),
        (b"data: [DONE]\n\n", UpstreamCut),
        (b"data: {not json\n\n", UpstreamGarbage),
        (stream(DELTA, {"error": {"message": "no"}}), UpstreamFailed),
    ],
)
def test_what_is_no_answer_is_an_error(body: bytes, problem: type[GatewayError]) -> None:
    with pytest.raises(problem) as caught:
        answer_in(body, TARGET)

    assert "<" not in str(caught.value)


# ─── plain answers ───────────────────────────────────────────────────────────────────────────────


def test_a_plain_answer_stands_under_the_alias_with_every_field() -> None:
    seen = trace()
    answer = completion("Hi", usage={"total_tokens": 3}, timings={"x": 1})

    assert finished(deepcopy(answer), target(), seen) == answer | {"model": "alias"}
    assert (seen.usage, seen.finish) == ({"total_tokens": 3}, "stop")


@pytest.mark.parametrize("finish_reason", ["network_error", "error", "insufficient_system_resource"])
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


@pytest.mark.parametrize("reason", ["network_error", "error", "insufficient_system_resource"])
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
    assert answer_of([[chunk("a"), deepcopy(odd), deepcopy(odd), finish()]])["choices"]


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


@pytest.mark.parametrize("chunks", WHOLE)
def test_an_answer_made_of_a_whole_stream_is_whole(chunks: Batch) -> None:
    assert is_whole(answer_of([deepcopy(chunks)]))


@pytest.mark.parametrize("chunks", [it for it in CUT if it.id != "more after the finish"])
def test_an_answer_made_of_a_cut_stream_is_not(chunks: Batch) -> None:
    assert not is_whole(answer_of([deepcopy(chunks)]))
