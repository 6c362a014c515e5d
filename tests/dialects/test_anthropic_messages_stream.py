"""Streams of messages: made from chat's chunks, whatever comes in, or passed on as they are."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.dialects.anthropic_messages import encoder, parse, relayed, render
from app.errors import GatewayError, RateLimited, UpstreamGarbage
from app.types import Batch, Chunk, Encoder, Event, Served
from app.utils.chat_events import completion_of
from app.utils.codec import dumps
from tests.dialects.messages_checker import Told, check, frames
from tests.fakes import SERVED, chunk, delta, finish

Json = dict[str, Any]

ASKED = parse(
    {
        "model": "alias",
        "max_tokens": 64,
        "stream": True,
        "stop_sequences": ["END"],
        "messages": [{"role": "user", "content": "Hi"}],
    }
)
CUT = RateLimited("too fast")


def call(index: int | None = 0, id: Any = None, name: Any = None, arguments: Any = None) -> Json:
    """A piece of a tool call, with what is given."""
    function = {"name": name, "arguments": arguments}
    piece = {"index": index, "id": id, "function": {k: v for k, v in function.items() if v is not None}}
    return {key: value for key, value in piece.items() if value is not None}


def calls(*pieces: Json) -> Chunk:
    return delta(tool_calls=list(pieces))


def usage(**fields: Any) -> Chunk:
    return chunk(choices=[], usage=fields)


def told_by(*batches: Batch, served: Served = SERVED) -> Told:
    """What a stream of these batches tells, to its end."""
    it = encoder(ASKED, served)
    return check(b"".join([*map(it.feed, deepcopy(batches)), it.close()]))


def text(words: str) -> Json:
    return {"type": "text", "text": words}


def thinking(words: str, signature: str = "") -> Json:
    return {"type": "thinking", "thinking": words, "signature": signature}


def use(name: str, given: Any, id: str) -> Json:
    return {"type": "tool_use", "id": id, "name": name, "input": given}


# ─── the usual ───────────────────────────────────────────────────────────────────────────────────

A = call(0, "a", "read", '{"x"')
B = call(1, "b", "write", '{"y"')
A_ENDS = calls(call(0, arguments=":1}"))
B_ENDS = calls(call(1, arguments=":2}"))
ROWS = [
    pytest.param([chunk("Hel"), chunk("lo")], [text("Hello")], id="text"),
    pytest.param([delta(role="assistant", content=""), chunk("Hello")], [text("Hello")], id="a role first"),
    pytest.param([chunk("\ud83d"), chunk("\ude00 é\n\n")], [text("😀 é\n\n")], id="half a character"),
    pytest.param([], [], id="nothing"),
    pytest.param(
        [
            delta(function_call={"name": "read", "arguments": ""}),
            delta(function_call={"arguments": '{"x"'}),
            delta(function_call={"arguments": ":1}"}),
        ],
        [use("read", {"x": 1}, "toolu_0123456789abcdef_0")],
        id="the call of old",
    ),
    pytest.param([delta(), delta(content=None), chunk("")], [], id="nothing said"),
    pytest.param(
        [delta(reasoning_content="h"), delta(reasoning_content="m", content=None), chunk("A")],
        [thinking("hm"), text("A")],
        id="thoughts, then text",
    ),
    pytest.param([delta(reasoning="hm", content="A")], [thinking("hm"), text("A")], id="both in one delta"),
    pytest.param(
        [chunk("A"), delta(reasoning_content="hm"), chunk("B")],
        [text("A"), thinking("hm"), text("B")],
        id="thoughts in between",
    ),
    pytest.param(
        [
            delta(
                reasoning_content="h",
                thinking_blocks=[{"type": "thinking", "thinking": "h", "signature": None}],
            ),
            delta(
                reasoning_content="m",
                thinking_blocks=[{"type": "thinking", "thinking": "m", "signature": ""}],
            ),
            delta(thinking_blocks=[{"type": "thinking", "thinking": "", "signature": "s1"}]),
            chunk("A"),
        ],
        [thinking("hm", "s1"), text("A")],
        id="signed thoughts as LiteLLM gives them",
    ),
    pytest.param(
        [
            delta(
                reasoning="hm",
                reasoning_details=[{"type": "reasoning.text", "text": "hm", "signature": None}],
            ),
            delta(reasoning_details=[{"type": "reasoning.text", "text": "", "signature": "s1"}]),
            chunk("A"),
        ],
        [thinking("hm", "s1"), text("A")],
        id="signed thoughts as OpenRouter gives them",
    ),
    pytest.param(
        [
            delta(thinking_blocks=[{"type": "thinking", "thinking": "a", "signature": "s1"}]),
            delta(thinking_blocks=[{"type": "thinking", "thinking": "b", "signature": "s2"}]),
            delta(thinking_blocks=[{"type": "redacted_thinking", "data": "zz"}]),
            delta(thinking_blocks=[{"type": "redacted_thinking", "data": "yy"}]),
        ],
        [
            thinking("a", "s1"),
            thinking("b", "s2"),
            {"type": "redacted_thinking", "data": "zz"},
            {"type": "redacted_thinking", "data": "yy"},
        ],
        id="several blocks of thoughts, hidden ones",
    ),
    pytest.param(
        [delta(content=[{"type": "thinking", "thinking": [text("hm")]}, text("A"), "B"])],
        [thinking("hm"), text("AB")],
        id="content in parts",
    ),
    pytest.param(
        [calls(A), calls(call(0, arguments=":1}"))], [use("read", {"x": 1}, "a")], id="a call in pieces"
    ),
    pytest.param(
        [calls(call(0, "a", "read", '{"x":1}'), call(1, "b", "write", '{"y":2}'))],
        [use("read", {"x": 1}, "a"), use("write", {"y": 2}, "b")],
        id="whole calls in one chunk",
    ),
    pytest.param(
        [chunk("A"), calls(call(0, "a", "now")), calls(call(0, arguments=""))],
        [text("A"), use("now", {}, "a")],
        id="a call without arguments",
    ),
    pytest.param(
        [calls(call(0, "a", "read", {"x": 1}))], [use("read", {"x": 1}, "a")], id="arguments as an object"
    ),
    pytest.param(
        [calls(A), calls({**call(0, "a", "read", ":1}"), "id": None}), calls(call(0, "", "", " "))],
        [use("read", {"x": 1}, "a")],
        id="name and id again, null, empty",
    ),
    pytest.param(
        [calls(A), calls(B), A_ENDS, B_ENDS],
        [use("read", {"x": 1}, "a"), use("write", {"y": 2}, "b")],
        id="two calls, their pieces mixed",
    ),
    pytest.param(
        [calls(A), calls(B), B_ENDS, A_ENDS],
        [use("read", {"x": 1}, "a"), use("write", {"y": 2}, "b")],
        id="the second call complete before the first",
    ),
    pytest.param(
        [calls(A), chunk("T"), delta(reasoning_content="R"), calls(B), A_ENDS, chunk("!"), B_ENDS],
        [use("read", {"x": 1}, "a"), text("T"), thinking("R"), use("write", {"y": 2}, "b"), text("!")],
        id="text and thoughts amidst a call",
    ),
    pytest.param(
        [calls(call(0, "a", "read", '{"x":"}{\\"')), calls(B), calls(call(0, arguments='\\\\"}')), B_ENDS],
        [use("read", {"x": '}{"\\'}, "a"), use("write", {"y": 2}, "b")],
        id="brackets and quotes in a text",
    ),
    pytest.param(
        [calls(call(0, "a", arguments="{")), calls(call(0, name="read", arguments="}"))],
        [use("read", {}, "a")],
        id="a name that comes late",
    ),
    pytest.param(
        [calls(call(0, None, "read", "{}")), calls(call(1, None, "write", "{}"))],
        [use("read", {}, "toolu_0123456789abcdef_0"), use("write", {}, "toolu_0123456789abcdef_1")],
        id="calls without ids",
    ),
    pytest.param(
        [
            calls(call(None, "a", "read", "{")),
            calls(call(None, None, None, "}")),
            calls(call(None, "b", "write", "{}")),
        ],
        [use("read", {}, "a"), use("write", {}, "b")],
        id="calls without index",
    ),
    pytest.param(
        [calls(call(0, "a", "read", '{"x"')), calls(call(1, "b", "write", "{}"))],
        [use("read", None, "a"), use("write", {}, "b")],
        id="half a call stays half",
    ),
    pytest.param([calls(call(0), call(1, "")), chunk("A")], [text("A")], id="pieces that say nothing"),
    pytest.param(
        [chunk(choices=None), chunk(choices=[]), chunk(choices=[None]), chunk("A"), chunk("B", 1)],
        [text("A")],
        id="no choice, and another than the first",
    ),
    pytest.param([delta(refusal="I "), delta(refusal="won't")], [text("I won't")], id="a refusal"),
    pytest.param(
        [
            chunk("A"),
            delta(
                annotations=[
                    {
                        "type": "url_citation",
                        "url_citation": {"url": "https://x.test", "title": "T", "content": "a"},
                    }
                ]
            ),
            chunk("B"),
        ],
        [
            text("AB")
            | {
                "citations": [
                    {
                        "type": "web_search_result_location",
                        "url": "https://x.test",
                        "title": "T",
                        "cited_text": "a",
                        "encrypted_index": "",
                    }
                ]
            }
        ],
        id="a source on the web",
    ),
]


@pytest.mark.parametrize(("chunks", "content"), ROWS)
@pytest.mark.parametrize("size", [1, 2, 99], ids=["one by one", "in pairs", "all at once"])
def test_what_a_target_says_becomes_blocks(chunks: Batch, content: list[Json], size: int) -> None:
    chunks = [*chunks, finish()]
    told = told_by(*(chunks[at : at + size] for at in range(0, len(chunks), size)))

    assert told.answer["content"] == content


@pytest.mark.parametrize(("chunks", "content"), ROWS)
def test_a_stream_that_fails_ends_in_its_error_wherever_that_is(chunks: Batch, content: list[Json]) -> None:
    for length in range(len(chunks) + 1):
        it = encoder(ASKED, SERVED)
        stream = b"".join(it.feed([one]) for one in deepcopy(chunks[:length])) + it.fail(CUT)

        assert check(stream, whole=False).error == {"type": "rate_limit_error", "message": "too fast"}
        assert it.feed([chunk("more")]) + it.alive() + it.close() == b""


def test_the_only_choice_is_the_answer_whatever_its_index() -> None:
    choices = [{"index": 1, "delta": {"content": "A"}}, {"index": 1, "delta": {}, "finish_reason": "stop"}]
    chunks = [chunk(choices=[choice]) for choice in choices]
    message = told_by(chunks).answer

    assert (message["content"], message["stop_reason"]) == ([text("A")], "end_turn")
    assert render(completion_of([deepcopy(chunks)]), ASKED, SERVED)["content"] == [text("A")]


@pytest.mark.parametrize(("chunks", "content"), ROWS)
def test_a_plain_answer_says_the_same(chunks: Batch, content: list[Json]) -> None:
    plain = json.loads(dumps(render(completion_of([[*deepcopy(chunks), finish()]]), ASKED, SERVED)))
    streamed = told_by([*chunks, finish()]).answer
    kinds = [{"text", "thinking"}, {"tool_use"}]

    for kind in kinds:
        assert said(plain, kind) == said(streamed, kind)
    assert plain.keys() == streamed.keys()


def said(message: Json, kinds: set[str]) -> Json:
    """What a message says in blocks of these types; a chat answer tells text, thoughts and calls apart."""
    found: Json = {}
    for block in message["content"]:
        if block["type"] not in kinds:
            continue
        if block["type"] == "tool_use":
            found[block["id"]] = (block["name"], block["input"] if _readable(block["input"]) else None)
        else:
            found[block["type"]] = found.get(block["type"], "") + block[block["type"]]
    return found


def _readable(given: Any) -> bool:
    return given is not None and "INVALID_JSON" not in given


def test_the_first_calls_pieces_leave_at_once_and_the_others_as_soon_as_they_can() -> None:
    it = encoder(ASKED, SERVED)
    seen = [
        [event["delta"]["partial_json"] for event in frames(it.feed([piece])) if "delta" in event]
        for piece in [
            calls(A),
            calls(B),
            calls(call(0, arguments=":")),
            calls(call(1, arguments=":")),
            calls(call(0, arguments="1}")),
            calls(call(1, arguments="2}")),
        ]
    ]

    assert seen == [['{"x"'], [], [":"], [], ["1}", '{"y":'], ["2}"]]


def test_the_pieces_that_a_batch_brings_for_a_block_are_one_event() -> None:
    it = encoder(ASKED, SERVED)
    it.feed([chunk("A")])

    assert [event["delta"] for event in frames(it.feed([chunk("B"), chunk("C")]))] == [
        {"type": "text_delta", "text": "BC"}
    ]


def test_half_a_character_waits_for_its_other_half_or_the_end() -> None:
    it = encoder(ASKED, SERVED)
    batches = [[chunk("A\ud83d")], [chunk("\ude00B")], [chunk("\ud83d")]]
    streams = [*map(it.feed, batches), it.alive(), it.close()]
    pieces = [
        [event["delta"]["text"] for event in frames(stream) if event["type"] == "content_block_delta"]
        for stream in streams
    ]

    assert pieces == [["A"], ["😀B"], [], [""], ["\ud83d"]]


def test_a_message_begins_with_its_alias_and_the_estimate_of_its_tokens_and_a_ping() -> None:
    it = encoder(ASKED, SERVED)
    first, second, *_ = frames(it.feed([delta(role="assistant"), chunk("A")]))

    assert first["message"] == {
        "id": "msg_0123456789abcdef",
        "type": "message",
        "role": "assistant",
        "model": "alias",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 21, "output_tokens": 0},
    }
    assert second == {"type": "ping"}


# ─── the end ─────────────────────────────────────────────────────────────────────────────────────

WHOLE_CALL = calls(call(0, "a", "read", "{}"))


@pytest.mark.parametrize(
    ("chunks", "reason", "sequence"),
    [
        pytest.param([chunk("A"), finish("stop")], "end_turn", None, id="stop"),
        pytest.param([WHOLE_CALL, finish("tool_calls")], "tool_use", None, id="calls"),
        pytest.param([WHOLE_CALL, finish("stop")], "tool_use", None, id="calls, said to be a stop"),
        pytest.param([WHOLE_CALL, finish("function_call")], "tool_use", None, id="calls, by the old word"),
        pytest.param([chunk("A"), finish("tool_calls")], "end_turn", None, id="calls that did not come"),
        pytest.param([chunk("A"), finish("length")], "max_tokens", None, id="length"),
        pytest.param([calls(A), finish("length")], "max_tokens", None, id="length amidst a call"),
        pytest.param([chunk("A"), finish("content_filter")], "refusal", None, id="filtered"),
        pytest.param([chunk("A"), finish("sensitive")], "refusal", None, id="filtered by GLM"),
        pytest.param([delta(refusal="No"), finish("stop")], "refusal", None, id="refused"),
        pytest.param([chunk("A"), finish("paused")], "pause_turn", None, id="paused"),
        pytest.param(
            [chunk("A"), finish("model_context_window_exceeded")],
            "model_context_window_exceeded",
            None,
            id="the context is full",
        ),
        pytest.param([chunk("A"), finish("eos")], "end_turn", None, id="a word that nobody knows"),
        pytest.param([chunk("A")], None, None, id="none: nothing is made up"),
        pytest.param([finish("stop"), finish("length")], "max_tokens", None, id="two: the last counts"),
        pytest.param([finish("length"), finish("")], "max_tokens", None, id="one, then none"),
        pytest.param(
            [chunk(choices=[{"index": 0, "delta": {}, "finish_reason": "stop", "stop_reason": "END"}])],
            "stop_sequence",
            "END",
            id="a stop sequence, named as vLLM does",
        ),
        pytest.param(
            [chunk(choices=[{"index": 0, "delta": {}, "finish_reason": "stop", "matched_stop": "END"}])],
            "stop_sequence",
            "END",
            id="a stop sequence, named as SGLang does",
        ),
        pytest.param(
            [chunk(choices=[{"index": 0, "delta": {}, "finish_reason": "stop", "stop_reason": 128001}])],
            "end_turn",
            None,
            id="a token to stop at is no stop sequence",
        ),
    ],
)
def test_a_message_says_why_it_stopped(chunks: Batch, reason: str | None, sequence: str | None) -> None:
    assert told_by(chunks).stop == {"stop_reason": reason, "stop_sequence": sequence}


@pytest.mark.parametrize(
    ("chunks", "counted"),
    [
        pytest.param(
            [finish(), usage(prompt_tokens=10, completion_tokens=5, total_tokens=15)],
            {
                "input_tokens": 10,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 0,
                "output_tokens": 5,
            },
            id="after the finish",
        ),
        pytest.param(
            [delta("stop") | {"usage": {"prompt_tokens": 1, "completion_tokens": 2}}],
            {
                "input_tokens": 1,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 0,
                "output_tokens": 2,
            },
            id="with the finish",
        ),
        pytest.param(
            [
                usage(
                    prompt_tokens=100,
                    completion_tokens=5,
                    prompt_tokens_details={"cached_tokens": 60, "cache_write_tokens": 30},
                    completion_tokens_details={"reasoning_tokens": 3},
                )
            ],
            {
                "input_tokens": 10,
                "cache_creation_input_tokens": 30,
                "cache_read_input_tokens": 60,
                "output_tokens": 5,
                "output_tokens_details": {"thinking_tokens": 3},
            },
            id="with what was cached, before the end",
        ),
        pytest.param([finish()], {"output_tokens": 0}, id="never"),
        pytest.param(
            [usage(prompt_tokens=None, completion_tokens="x")], {"output_tokens": 0}, id="unreadable"
        ),
    ],
)
def test_a_message_ends_with_its_real_usage(chunks: Batch, counted: Json) -> None:
    assert told_by([chunk("A")], chunks).usage == counted


@pytest.mark.parametrize(
    "chunks",
    [
        pytest.param([calls(call(0, "a", None, "{}")), finish("tool_calls")], id="a call that has no name"),
        pytest.param(
            [calls(call(0, "a", "read", "{}")), chunk("A"), calls(call(0, arguments="{}"))],
            id="a call that goes on after its end",
        ),
    ],
)
def test_calls_that_no_block_can_tell_are_a_failure(chunks: Batch) -> None:
    it = encoder(ASKED, SERVED)
    with pytest.raises(UpstreamGarbage, match="'alias'"):
        it.feed(chunks) + it.close()


# ─── signs of life ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("chunks", "kind", "piece"),
    [
        pytest.param([], "text_delta", "text", id="before anything"),
        pytest.param([chunk("A")], "text_delta", "text", id="in text"),
        pytest.param([delta(reasoning_content="A")], "thinking_delta", "thinking", id="in thoughts"),
        pytest.param([calls(A)], "input_json_delta", "partial_json", id="in a call"),
        pytest.param(
            [delta(thinking_blocks=[{"type": "redacted_thinking", "data": "x"}])],
            "text_delta",
            "text",
            id="between blocks",
        ),
    ],
)
def test_a_sign_of_life_is_an_empty_piece_of_an_open_block(chunks: Batch, kind: str, piece: str) -> None:
    it = encoder(ASKED, SERVED)
    before = it.feed(chunks)
    signs = it.alive() + it.alive()

    assert frames(signs)[-1]["delta"] == {"type": kind, piece: ""}
    assert check(before + signs + it.feed([chunk("B")]) + it.close()).answer["content"][-1]["type"] == "text"


# ─── whatever comes in ───────────────────────────────────────────────────────────────────────────

words = st.sampled_from([None, "", " ", "a", "}{", '"', "\\", "\n\n", "\ud83d", "\ude00"])
pieces_of_calls = st.builds(
    call,
    st.sampled_from([None, 0, 1, 2]),
    st.sampled_from([None, "", "a", "b", "c"]),
    st.sampled_from([None, "", "read", "write"]),
    st.sampled_from([None, "", "{", '"x"', ":1", "}", "{}", "\\", "null", " "]),
)
blocks_of_thoughts = st.fixed_dictionaries(
    {"type": st.sampled_from(["thinking", "redacted_thinking", "unheard_of"])},
    optional={"thinking": words, "signature": words, "data": words},
)
deltas = st.none() | st.fixed_dictionaries(
    {},
    optional={
        "role": st.just("assistant"),
        "content": words,
        "reasoning_content": words,
        "reasoning": words,
        "refusal": words,
        "thinking_blocks": st.none() | st.lists(blocks_of_thoughts, max_size=2),
        "tool_calls": st.none() | st.lists(st.none() | pieces_of_calls, max_size=3),
        "unheard_of": words,
    },
)
choices = st.fixed_dictionaries(
    {"index": st.sampled_from([0, 0, 0, 1]), "delta": deltas},
    optional={"finish_reason": st.sampled_from([None, "", "stop", "tool_calls", "length", "odd", 3])},
)
odd_chunks = st.fixed_dictionaries(
    {"choices": st.none() | st.lists(choices, max_size=2)},
    optional={
        "usage": st.none() | st.fixed_dictionaries({"prompt_tokens": st.integers(-1, 9) | st.none()}),
        "model": st.just("alias"),
    },
)
moves = st.lists(st.sampled_from(["alive"]) | st.lists(odd_chunks, max_size=3), max_size=12)


@given(moves)
def test_no_order_of_chunks_makes_a_wrong_order_of_events(script: list[Any]) -> None:
    told, failed = played(script)

    assert told.ended is not failed
    assert (told.error is not None) is failed


def played(script: list[Any]) -> tuple[Told, bool]:
    """What the client is told, and whether it was a failure."""
    it = encoder(ASKED, SERVED)
    stream = b""
    try:
        for move in script:
            stream += it.alive() if move == "alive" else it.feed(move)
        return check(stream + it.close()), False
    except UpstreamGarbage as problem:
        return check(stream + it.fail(problem), whole=False), True


TEXTS = st.text(st.sampled_from('ab{}[]"\\é\n'), max_size=6)
INPUTS = st.dictionaries(TEXTS, TEXTS | st.integers() | st.lists(TEXTS, max_size=2), max_size=2)


@st.composite
def mixed_calls(draw: st.DrawFn) -> tuple[list[Json], list[Chunk]]:
    """Some inputs, and chunks that bring them: each call's pieces in order, those of different ones mixed."""
    given_ = draw(st.lists(INPUTS, min_size=1, max_size=3))
    rows = []
    for index, value in enumerate(given_):
        written = json.dumps(value)
        cuts = sorted(draw(st.sets(st.integers(0, len(written)), max_size=4)))
        parts = [written[a:b] for a, b in zip([0, *cuts], [*cuts, len(written)], strict=True)]
        heads = [call(index, f"id{index}", f"tool{index}", parts[0])]
        rows.append([calls(it) for it in heads + [call(index, arguments=part) for part in parts[1:]]])
    order = draw(st.permutations([place for place, row in enumerate(rows) for _ in row]))
    texts = draw(st.lists(st.tuples(st.integers(0, len(order)), TEXTS), max_size=2))
    chunks = [rows[place].pop(0) for place in order]
    for at, said_ in sorted(texts, reverse=True):
        chunks.insert(at, chunk(said_))
    return given_, chunks


@given(mixed_calls(), st.integers(1, 5))
def test_mixed_calls_come_out_each_with_its_own_input(mixed: tuple[list[Json], Batch], size: int) -> None:
    inputs, chunks = mixed
    told = told_by(*(chunks[at : at + size] for at in range(0, len(chunks), size)), [finish("tool_calls")])
    uses = {it["id"]: it for it in told.answer["content"] if it["type"] == "tool_use"}

    assert [uses[f"id{index}"]["input"] for index in range(len(inputs))] == inputs
    assert "".join(it["text"] for it in told.answer["content"] if it["type"] == "text") == "".join(
        it["choices"][0]["delta"].get("content", "") for it in chunks
    )


@given(mixed_calls())
def test_how_chunks_are_batched_does_not_change_what_is_told(mixed: tuple[list[Json], Batch]) -> None:
    chunks = mixed[1]

    assert told_by(chunks).answer == told_by(*([one] for one in chunks)).answer


# ─── relayed ─────────────────────────────────────────────────────────────────────────────────────


def relay() -> Encoder:
    return relayed(ASKED, SERVED)


START: Event = {
    "type": "message_start",
    "message": {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "alias",
        "content": [],
        "stop_reason": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    },
}
STOPPED: Event = {
    "type": "message_delta",
    "delta": {"stop_reason": "end_turn", "stop_sequence": None},
    "usage": {"output_tokens": 3},
}
END: Event = {"type": "message_stop"}


def block(index: int, begun: Json, *pieces: Json) -> Batch:
    at: Json = {"index": index}
    return [
        {"type": "content_block_start", **at, "content_block": begun},
        *({"type": "content_block_delta", **at, "delta": piece} for piece in pieces),
        {"type": "content_block_stop", **at},
    ]


THOUGHT = block(
    0,
    {"type": "thinking", "thinking": "", "signature": ""},
    {"type": "thinking_delta", "thinking": "hm"},
    {"type": "signature_delta", "signature": "s1"},
)
SAID = block(1, {"type": "text", "text": ""}, {"type": "text_delta", "text": "Hi\n\n\ud83d"})
EVENTS = [START, {"type": "ping"}, *THOUGHT, *SAID, STOPPED, END]


def test_a_relayed_event_is_passed_on_as_it_is() -> None:
    odd: Event = {"type": "unheard_of", "x": [None]}
    it = relay()
    stream = it.feed([START, odd]) + it.feed(EVENTS[1:]) + it.close()

    assert frames(stream) == [START, odd, *EVENTS[1:]]
    assert it.answer is None


def test_after_its_end_nothing_of_a_relayed_stream_is_passed_on() -> None:
    it = relay()

    assert frames(it.feed([*EVENTS, {"type": "ping"}]) + it.feed([START]) + it.close()) == EVENTS
    assert it.alive() == b""


def test_a_relayed_message_that_stopped_gets_the_last_event_that_was_left_out() -> None:
    it = relay()

    assert frames(it.feed(EVENTS[:-1]) + it.close()) == EVENTS
    assert relay().close() == b""


def test_a_relayed_stream_that_fails_ends_in_its_error_wherever_that_is() -> None:
    for length in range(len(EVENTS) - 1):
        it = relay()
        stream = it.feed(EVENTS[:length]) + it.fail(CUT)

        assert check(stream, whole=False).error == {"type": "rate_limit_error", "message": "too fast"}
        assert it.feed([END]) + it.alive() + it.close() == b""


@pytest.mark.parametrize("length", range(1, len(EVENTS) - 2))
def test_a_sign_of_life_fits_wherever_a_relayed_stream_is_silent(length: int) -> None:
    signed = EVENTS[length - 1].get("delta", {}).get("type") == "signature_delta"
    it = relay()
    stream = it.feed(EVENTS[:length]) + (b"" if signed else it.alive() + it.alive())
    told = check(stream + it.feed(EVENTS[length:]) + it.close())
    content = [it for it in told.answer["content"] if it != text("")]

    assert content == [thinking("hm", "s1"), text("Hi\n\n\ud83d")]


def test_before_and_after_the_blocks_of_a_relayed_message_a_sign_of_life_is_a_ping() -> None:
    it = relay()
    before = it.alive()
    it.feed(EVENTS[:-1])

    assert frames(before + it.alive()) == [{"type": "ping"}] * 2


def test_a_block_without_pieces_is_kept_alive_by_a_ping() -> None:
    it = relay()
    it.feed([START, block(0, {"type": "web_search_tool_result", "content": []})[0]])

    assert frames(it.alive()) == [{"type": "ping"}]


relay_moves = st.lists(st.sampled_from(["alive", "event"]), max_size=24)


@given(relay_moves)
def test_signs_of_life_never_break_a_relayed_stream(script: list[str]) -> None:
    it, events = relay(), iter(EVENTS[1:])
    stream = it.feed([START])
    signed = False
    for move in script:
        if move == "alive":
            stream += b"" if signed else it.alive()
        elif event := next(events, None):
            stream += it.feed([event])
            signed = event.get("delta", {}).get("type") == "signature_delta"

    assert check(stream + it.feed(list(events)) + it.close()).stop["stop_reason"] == "end_turn"


def test_a_failure_is_an_event_of_its_own() -> None:
    for it in (relay(), encoder(ASKED, SERVED)):
        (event,) = frames(it.fail(GatewayError("oh")))

        assert event == {"type": "error", "error": {"type": "api_error", "message": "oh"}}
