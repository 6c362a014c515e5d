"""A target that is called in Anthropic's Messages: what it answers, whole, in pieces and cut short."""

from __future__ import annotations

import json
from copy import deepcopy
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.dialects.anthropic_messages import parse, relayed
from app.errors import (
    ContextTooLong,
    GatewayError,
    RateLimited,
    UpstreamAuthentication,
    UpstreamCut,
    UpstreamFailed,
    UpstreamGarbage,
)
from app.types import Batch, Trace, Wire
from app.utils import wire_messages
from app.utils.codec import dumps
from app.utils.sse import SSEReader
from tests.dialects.messages_checker import check
from tests.fakes import SERVED, target, trace

Json = dict[str, Any]

TARGET = target()
ASKED = parse({"model": "alias", "max_tokens": 5, "messages": [{"role": "user", "content": "Hi"}]})


def test_the_module_is_a_wire() -> None:
    wire: Wire = wire_messages

    assert wire.PATH == "/messages"


@pytest.mark.parametrize(
    ("over", "sent"),
    [
        pytest.param(
            {},
            {"x-api-key": "sk-the-targets-own-key", "authorization": "Bearer sk-the-targets-own-key"},
            id="in both places",
        ),
        pytest.param(
            {"litellm_provider": "anthropic"}, {"x-api-key": "sk-the-targets-own-key"}, id="to Anthropic"
        ),
        pytest.param({"api_key": ""}, {}, id="without a key"),
    ],
)
def test_the_key_is_sent_where_the_target_looks_for_it(over: Json, sent: Json) -> None:
    assert wire_messages.headers(target(**over)) == {"anthropic-version": "2023-06-01"} | sent


# ─── requests ────────────────────────────────────────────────────────────────────────────────────


def text(words: str, **more: Any) -> Json:
    return {"type": "text", "text": words, **more}


THOUGHT: Json = {"type": "thinking", "thinking": "hm", "signature": ""}
SIGNED: Json = {"type": "thinking", "thinking": "hm", "signature": "s1"}
HIDDEN: Json = {"type": "redacted_thinking", "data": "zz"}
CALL: Json = {"type": "tool_use", "id": "a", "name": "read", "input": {}}
OURS: Json = {"type": "web_search_result_location", "url": "https://x.test", "encrypted_index": ""}
THEIRS: Json = OURS | {"encrypted_index": "yy"}


@pytest.mark.parametrize(
    ("content", "to_claude", "to_others"),
    [
        pytest.param("Hi", "Hi", "Hi", id="text"),
        pytest.param([text("Hi")], [text("Hi")], [text("Hi")], id="a block"),
        pytest.param([text(""), CALL], [CALL], [CALL], id="no text"),
        pytest.param([text("\n"), CALL], [CALL], [text("\n"), CALL], id="blank text"),
        pytest.param([THOUGHT, CALL], [CALL], [THOUGHT, CALL], id="another model's thoughts"),
        pytest.param(
            [SIGNED, HIDDEN, CALL], [SIGNED, HIDDEN, CALL], [SIGNED, HIDDEN, CALL], id="its own thoughts"
        ),
        pytest.param(
            [text("Hi", citations=[OURS])],
            [text("Hi", citations=None)],
            [text("Hi", citations=[OURS])],
            id="another's citations",
        ),
        pytest.param(
            [text("Hi", citations=[OURS, THEIRS])],
            [text("Hi", citations=[THEIRS])],
            [text("Hi", citations=[OURS, THEIRS])],
            id="its own citations, too",
        ),
        pytest.param(
            ["odd", {"type": "text"}], ["odd", {"type": "text"}], ["odd", {"type": "text"}], id="odd"
        ),
    ],
)
def test_a_target_gets_back_what_it_can_take(content: Any, to_claude: Any, to_others: Any) -> None:
    body = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": content}]}
    before = deepcopy(body)

    for where, kept in [(target(model="claude-x"), to_claude), (TARGET, to_others)]:
        made = wire_messages.prepared_native(body, where)
        assert made["messages"] == [body["messages"][0], {"role": "assistant", "content": kept}]
        assert (made is body) == (kept == content)
    assert body == before


def test_a_turn_of_which_nothing_is_left_is_left_out() -> None:
    user = {"role": "user", "content": [text("")]}
    body = {"messages": [user, {"role": "assistant", "content": [text(""), THOUGHT]}, user], "x": 1}
    made = wire_messages.prepared_native(body, target(litellm_provider="anthropic"))

    assert made == {"messages": [user, user], "x": 1}


BILLING = "x-anthropic-billing-header: cc_version=2.1; cch=1a2b;"


@pytest.mark.parametrize(
    ("system", "kept"),
    [
        pytest.param("Be brief.", "Be brief.", id="text"),
        pytest.param(f"{BILLING}\nBe brief.", "Be brief.", id="a line of a text"),
        pytest.param([text(BILLING), text("A"), "odd"], [text("A"), "odd"], id="a block"),
        pytest.param([text(f"{BILLING}\nB", x=1), text("A")], [text("B", x=1), text("A")], id="half a block"),
        pytest.param([text("A")], [text("A")], id="no such line"),
        pytest.param(None, None, id="none"),
    ],
)
def test_the_line_that_changes_each_time_goes_to_claude_only(system: Any, kept: Any) -> None:
    body = {"messages": [], "system": system}

    assert wire_messages.prepared_native(body, target(model="claude-x")) is body
    assert wire_messages.prepared_native(body, TARGET) == {"messages": [], "system": kept}
    assert (wire_messages.prepared_native(body, TARGET) is body) == (kept == system)


# ─── answers ─────────────────────────────────────────────────────────────────────────────────────

USAGE: Json = {"input_tokens": 10, "cache_read_input_tokens": 5, "output_tokens": 7}
COUNTED: Json = {
    "prompt_tokens": 15,
    "completion_tokens": 7,
    "total_tokens": 22,
    "prompt_tokens_details": {"cached_tokens": 5, "cache_write_tokens": 0},
}
MESSAGE: Json = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "wire-id",
    "content": [
        SIGNED,
        HIDDEN,
        text("Hällo \ud83d", citations=[THEIRS]),
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "q"}},
        {"type": "web_search_tool_result", "tool_use_id": "s", "content": [{"title": "T"}]},
        {**CALL, "input": {"b": 1, "a": [None]}},
        {**CALL, "id": "b"},
    ],
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "usage": USAGE,
    "unheard_of": [1],
}
EVENTS: Batch = wire_messages.events_of(MESSAGE)


def framed(events: Batch) -> bytes:
    return b"".join(b"event: %b\ndata: %b\n\n" % (it["type"].encode(), dumps(it)) for it in events)


BODY = framed(EVENTS)


def read(body: bytes, *cuts: int) -> tuple[Batch, bool, GatewayError | None]:
    """A body's events, when it comes in these pieces."""
    reader, events = SSEReader(), []
    places = [0, *cuts, len(body)]
    for start, stop in pairwise(places):
        batch, done, problem = wire_messages.events_in(reader.feed(body[start:stop]), TARGET)
        events += batch
        if done or problem:
            return events, done, problem
    batch, done, problem = wire_messages.events_in(reader.close(), TARGET)
    return events + batch, done, problem


def test_an_answer_is_read_whole_and_streamed() -> None:
    assert wire_messages.answer_in(dumps(MESSAGE), TARGET) == MESSAGE
    assert wire_messages.answer_in(BODY, TARGET) == MESSAGE


def test_an_answer_and_its_events_say_the_same() -> None:
    assert wire_messages.answer_of([[it] for it in deepcopy(EVENTS)]) == MESSAGE
    assert wire_messages.answer_of([deepcopy(EVENTS)]) == MESSAGE


def test_the_events_of_an_answer_are_a_right_stream() -> None:
    plain = MESSAGE | {"content": [it for it in MESSAGE["content"] if "tool_re" not in it["type"]]}
    plain["content"] = [it for it in plain["content"] if it["type"] != "server_tool_use"]
    it = relayed(ASKED, SERVED)
    told = check(it.feed(wire_messages.events_of(plain)) + it.close())

    assert told.stop == {"stop_reason": "tool_use", "stop_sequence": None}
    assert json.loads(dumps([it["type"] for it in told.answer["content"]])) == [
        "thinking",
        "redacted_thinking",
        "text",
        "tool_use",
        "tool_use",
    ]


@pytest.mark.parametrize("size", [1, 7, 100])
def test_events_are_the_same_wherever_the_bytes_are_cut(size: int) -> None:
    assert read(BODY, *range(size, len(BODY), size)) == (EVENTS, True, None)


def test_wherever_a_stream_is_cut_short_it_is_no_answer() -> None:
    stopped = BODY.index(b"event: message_delta")
    for length in range(1, stopped):
        with pytest.raises((UpstreamCut, UpstreamGarbage)):
            wire_messages.answer_in(BODY[:length], TARGET)


def test_half_a_tool_input_is_kept_as_text() -> None:
    half: Batch = [
        EVENTS[0],
        {"type": "content_block_start", "index": 0, "content_block": CALL},
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "input_json_delta", "partial_json": '{"a"'},
        },
    ]

    assert wire_messages.answer_of([half])["content"] == [{**CALL, "input": {"INVALID_JSON": '{"a"'}}]


@pytest.mark.parametrize(
    ("answer", "whole"), [({"stop_reason": "end_turn"}, True), ({"stop_reason": None}, False), ({}, False)]
)
def test_an_answer_is_whole_when_it_says_why_it_stopped(answer: Json, whole: bool) -> None:
    assert wire_messages.is_whole(answer) is whole


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        pytest.param(
            b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}',
            UpstreamFailed,
            "Overloaded",
            id="Anthropic's error",
        ),
        pytest.param(
            b'{"error":{"code":401,"message":"no","type":"authentication_error"}}',
            UpstreamAuthentication,
            "check PROVIDER_API_KEY",
            id="llama-server's error",
        ),
        pytest.param(
            b'{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long"}}',
            ContextTooLong,
            "prompt is too long",
            id="a full context",
        ),
        pytest.param(b'{"id":"x"}', UpstreamGarbage, "no message", id="no message"),
        pytest.param(b"[]", UpstreamGarbage, "no message", id="a list"),
        pytest.param(b"<html>", UpstreamGarbage, "a web page", id="a web page"),
        pytest.param(b"", UpstreamGarbage, "nothing", id="nothing"),
    ],
)
def test_what_is_no_answer_is_the_error_that_it_says(
    body: bytes, kind: type[GatewayError], words: str
) -> None:
    with pytest.raises(kind, match=words):
        wire_messages.answer_in(body, TARGET)


@pytest.mark.parametrize(
    ("payload", "kind", "status"),
    [
        pytest.param(
            b'{"type":"error","error":{"type":"overloaded_error","message":"full"}}',
            UpstreamFailed,
            529,
            id="Anthropic's",
        ),
        pytest.param(
            b'{"type":"error","error":{"type":"rate_limit_error","message":"slow"}}',
            RateLimited,
            429,
            id="too many",
        ),
        pytest.param(
            b'{"error":{"code":500,"message":"no","type":"server_error"}}', UpstreamFailed, 500, id="OpenAI's"
        ),
        pytest.param(b'{"type":"error"}', UpstreamFailed, 502, id="without words"),
        pytest.param(b"{half", UpstreamGarbage, 502, id="no JSON"),
        pytest.param(b'{"choices":[]}', UpstreamGarbage, 502, id="no event of this API"),
        pytest.param(b"[1]", UpstreamGarbage, 502, id="a list"),
        pytest.param(b'"error"', UpstreamGarbage, 502, id="a text"),
    ],
)
def test_an_error_among_the_events_ends_them(payload: bytes, kind: type[GatewayError], status: int) -> None:
    batch, done, problem = wire_messages.events_in([b'{"type":"ping"}', payload, b'{"type":"ping"}'], TARGET)

    assert (batch, done, type(problem)) == ([{"type": "ping"}], False, kind)
    assert problem is not None
    assert problem.status == status


@pytest.mark.parametrize("last", [b'{"type":"message_stop"}', b"[DONE]"])
def test_after_the_last_event_nothing_is_read(last: bytes) -> None:
    batch, done, problem = wire_messages.events_in([b'{"type":"ping"}', b"", last, b"{half"], TARGET)

    assert (batch[0], done, problem) == ({"type": "ping"}, True, None)


KINDS = ["message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta"]


def objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    keys = [
        "type",
        "content",
        "text",
        "thinking",
        "input",
        "citations",
        "partial_json",
        "stop_reason",
        "model",
    ]
    keys += ["message", "delta", "index", "usage", "content_block", "error", "citation", "input_tokens"]
    made = st.dictionaries(st.sampled_from(keys), inner, max_size=5)
    kinds = st.sampled_from(["message", "text", "thinking", "tool_use", *KINDS])
    return made | st.tuples(made, kinds).map(lambda pair: {**pair[0], "type": pair[1]})


ODD: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.integers(0, 2) | st.text(max_size=3),
    lambda it: st.lists(it, max_size=2) | objects(it),
    max_leaves=8,
)
ODD_FIELDS = dict.fromkeys(["index", "message", "content_block", "delta", "usage", "model"], ODD)


@given(ODD)
def test_no_odd_answer_is_our_mistake(value: Any) -> None:
    """Neither whole, nor as an event, nor is an odd message that is made into events."""
    for body in (dumps(value), b"data: " + dumps(value) + b"\n\n"):
        try:
            answer = wire_messages.answer_in(body, TARGET)
        except GatewayError:
            continue
        wire_messages.follow(TARGET, True, trace()).pass_on(wire_messages.events_of(answer))


@given(st.lists(st.fixed_dictionaries({"type": st.sampled_from(KINDS)}, optional=ODD_FIELDS), max_size=6))
def test_neither_is_an_odd_stream(events: Batch) -> None:
    answer = wire_messages.answer_of([deepcopy(events)])
    wire_messages.follow(TARGET, True, trace()).pass_on(deepcopy(events))

    assert isinstance(answer["content"], list)


# ─── under the alias ─────────────────────────────────────────────────────────────────────────────


def test_an_answer_leaves_under_the_alias_and_all_else_stays() -> None:
    what = trace()
    made = wire_messages.finished(deepcopy(MESSAGE), TARGET, what)

    assert made == MESSAGE | {"model": "alias"}
    assert (what.usage, what.finish) == (COUNTED, "tool_use")


@pytest.mark.parametrize("reason", ["network_error", "error", "insufficient_system_resource"])
def test_an_answer_that_broke_is_a_failure(reason: str) -> None:
    with pytest.raises(UpstreamFailed, match=f"'alias' broke off: {reason}"):
        wire_messages.finished(MESSAGE | {"stop_reason": reason}, TARGET, trace())


def followed(events: Batch) -> tuple[Batch, Trace]:
    """What is passed on of a stream that came to its end."""
    what = trace()
    follower = wire_messages.follow(TARGET, True, what)
    passed = [it for event in deepcopy(events) for it in follower.pass_on([event])]
    follower.end()
    return passed, what


def test_a_stream_leaves_under_the_alias_and_all_else_stays() -> None:
    odd = {"type": "unheard_of", "model": "wire-id", "x": 1}
    passed, what = followed([*EVENTS[:1], odd, *EVENTS[1:]])
    begun = EVENTS[0] | {"message": EVENTS[0]["message"] | {"model": "alias"}}

    assert passed == [begun, odd | {"model": "alias"}, *EVENTS[1:]]
    assert (what.usage, what.finish) == (COUNTED, "tool_use")


def test_the_wire_id_is_shown_nowhere_in_an_event_or_an_answer() -> None:
    named = {"model": "wire-id"}
    block = {"type": "content_block_start", "index": 0, "content_block": {"type": "fallback", **named}}
    start = {"type": "message_start", "message": {"x": {**named}, **named}}
    passed = wire_messages.follow(TARGET, True, trace()).pass_on([{**start, "x": {**named}}, block])
    plain = wire_messages.finished({**MESSAGE, "content": [{"type": "fallback", **named}]}, TARGET, trace())

    assert len(passed) == 2
    assert "wire-id" not in str(plain)
    assert "wire-id" not in str([passed[0]["x"], passed[1]])


def test_usage_is_what_start_and_end_tell_together() -> None:
    start = {"type": "message_start", "message": {"model": "wire-id", "usage": USAGE | {"output_tokens": 1}}}
    stop = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 7}}
    _, what = followed([start, stop | {"usage": {"output_tokens": 7, "input_tokens": None}}])

    assert what.usage == COUNTED


@pytest.mark.parametrize("length", range(len(EVENTS) - 1))
def test_a_stream_that_ends_before_it_stopped_is_cut(length: int) -> None:
    follower = wire_messages.follow(TARGET, True, trace())
    follower.pass_on(deepcopy(EVENTS[:length]))
    if any(it["type"] == "message_delta" for it in EVENTS[:length]):
        follower.end()
        return

    with pytest.raises(UpstreamCut):
        follower.end()


def test_a_stop_reason_that_stands_for_a_failure_is_one() -> None:
    stop = {"type": "message_delta", "delta": {"stop_reason": "network_error"}, "usage": {}}
    follower = wire_messages.follow(TARGET, True, trace())

    assert follower.pass_on([deepcopy(LLAMA[0]), stop, {"type": "message_stop"}])[1:] == []
    assert isinstance(follower.failed, UpstreamFailed)
    with pytest.raises(UpstreamFailed):
        follower.end()


LLAMA: Batch = [
    {
        "type": "message_start",
        "message": {
            "id": "chatcmpl-1",
            "type": "message",
            "role": "assistant",
            "content": [],
            "model": "m",
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {"cache_read_input_tokens": 0, "input_tokens": 5, "output_tokens": 0},
        },
    },
    {
        "type": "content_block_start",
        "index": 0,
        "content_block": {"type": "tool_use", "id": "x", "name": "read"},
    },
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": None}},
    {"type": "message_stop"},
]


@pytest.mark.parametrize("stop", [None, {}, {"stop_reason": None}, {"stop_reason": 5}], ids=repr)
def test_a_stop_without_a_reason_is_a_cut(stop: Any) -> None:
    follower = wire_messages.follow(TARGET, True, trace())
    deltas = [] if stop is None else [{"type": "message_delta", "delta": stop}]
    passed = follower.pass_on([deepcopy(LLAMA[0]), *deltas, {"type": "message_stop"}])

    assert [it["type"] for it in passed] == ["message_start", *(it["type"] for it in deltas)]
    with pytest.raises(UpstreamCut):
        follower.end()


def test_a_stream_that_is_no_message_is_garbage() -> None:
    follower = wire_messages.follow(TARGET, True, trace())

    assert len(follower.pass_on([*deepcopy(LLAMA[:1] * 2), *deepcopy(LLAMA[1:])])) == 1
    assert isinstance(follower.failed, UpstreamGarbage)
    with pytest.raises(UpstreamGarbage, match="'alias' answered a stream of two messages"):
        follower.end()


def begun(index: int) -> Json:
    kinds: list[Json] = [
        {"type": "text", "text": ""},
        {"type": "tool_use", "id": f"c{index}", "name": "f"},
        {"type": "thinking", "thinking": ""},
    ]
    return {"type": "content_block_start", "index": index, "content_block": kinds[index % 3]}


def piece(index: int, said: str) -> Json:
    kind, name = (
        ("text_delta", "text"),
        ("input_json_delta", "partial_json"),
        ("thinking_delta", "thinking"),
    )[index % 3]
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, name: said}}


PIECES = st.one_of(
    st.builds(begun, st.integers(0, 5)),
    st.builds(piece, st.integers(0, 5), st.sampled_from(["", "{", "}", '"x"'])),
    st.builds(lambda index: {"type": "content_block_stop", "index": index}, st.integers(0, 6)),
    st.just({"type": "ping"}),
)
LAST = st.sampled_from(
    [
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}},
        {"type": "message_delta", "delta": None},
        {"type": "message_stop"},
    ]
)
START: Json = {"type": "message_start", "message": {"id": "msg_1", "model": "wire-id"}}


@given(
    st.tuples(st.sampled_from([[], [START], [START, START]]), st.lists(PIECES), st.lists(LAST, max_size=2)),
    st.integers(1, 9),
)
def test_whatever_order_a_stream_comes_in_it_leaves_in_the_right_one_or_fails(
    came: tuple[Batch, Batch, Batch], size: int
) -> None:
    events = deepcopy([event for part in came for event in part])
    follower = wire_messages.follow(TARGET, True, trace())
    encoder = relayed(ASKED, SERVED)
    stream, failure = b"", None
    for at in range(0, len(events), size):
        stream += encoder.feed(follower.pass_on(events[at : at + size]))
        if follower.failed:
            break
    try:
        follower.end()
        stream += encoder.close()
    except GatewayError as problem:
        failure = problem
        stream += encoder.fail(problem)

    assert check(stream, whole=False).ended == (failure is None)


def test_what_clients_cannot_do_without_is_put_in() -> None:
    passed, _ = followed(LLAMA)

    assert passed[1]["content_block"] == {"type": "tool_use", "id": "x", "name": "read", "input": {}}
    assert passed[3]["usage"] == {"output_tokens": 0}
    assert passed[0]["message"]["model"] == "alias"
