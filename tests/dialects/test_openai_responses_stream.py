"""Chat's answers as responses, streamed and plain: always in order, whatever comes and however it is cut."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from app.dialects import openai_responses
from app.dialects.openai_responses_request import chat_body
from app.errors import (
    BadRequest,
    ContextTooLong,
    GatewayError,
    RateLimited,
    UpstreamBilling,
    UpstreamCut,
    UpstreamGarbage,
    UpstreamRefused,
)
from app.types import Batch, Chunk, Request
from app.utils.chat_events import completion_of
from app.utils.codec import dumps
from tests.dialects.responses_checker import checked, events_in
from tests.fakes import SERVED

Json = dict[str, Any]

BODY: Json = {
    "model": "alias",
    "input": "Hi",
    "stream": True,
    "include": ["reasoning.encrypted_content"],
    "tools": [
        {
            "type": "function",
            "name": "f",
            "parameters": {"type": "object", "properties": {}},
            "strict": False,
        },
        {"type": "custom", "name": "patch", "format": {"type": "text"}},
        {"type": "namespace", "name": "n", "description": "d", "tools": [{"type": "function", "name": "g"}]},
        {"type": "local_shell"},
    ],
}


def asked(**fields: Any) -> Request:
    return openai_responses.parse(BODY | fields)


def seal(thoughts: Json) -> str:
    return json.dumps(thoughts)


def piece(index: int = 0, finish: str | None = None, **delta: Any) -> Chunk:
    return {"choices": [{"index": index, "delta": delta, "finish_reason": finish}]}


def text(said: str) -> Chunk:
    return piece(content=said)


def thought(said: str) -> Chunk:
    return piece(reasoning_content=said)


def call(arguments: str = "", name: str | None = None, id: str | None = None, index: int | None = 0) -> Chunk:
    return piece(tool_calls=[{"index": index, "id": id, "function": {"name": name, "arguments": arguments}}])


def finish(reason: str = "stop") -> Chunk:
    return piece(finish=reason)


USAGE: Chunk = {
    "choices": [],
    "usage": {
        "prompt_tokens": 9,
        "completion_tokens": 5,
        "total_tokens": 14,
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 2},
    },
}


def streamed(*batches: Batch, request: Request | None = None) -> tuple[bytes, Json]:
    """The bytes of a stream that ended well, and the answer that is kept of it."""
    encoder = openai_responses.encoder(request or asked(), SERVED, seal)
    data = b"".join([*map(encoder.feed, batches), encoder.close()])
    assert encoder.answer is not None
    return data, encoder.answer


def response(*chunks: Chunk, **fields: Any) -> Json:
    """What a stream came to, which was found right, and the same in one batch as in many."""
    request = asked(**fields)
    data, kept = streamed(*([chunk] for chunk in chunks), request=request)
    answer: Json = json.loads(dumps(kept))
    assert checked(data) == answer
    assert checked(streamed([*chunks], request=request)[0]) == answer
    return answer


def outline(answer: Json) -> list[Any]:
    """The items of an answer, as short as they can be told."""
    return [_outline(item) for item in answer["output"]]


def _outline(item: Json) -> Any:
    match item["type"]:
        case "message":
            return [part.get("text", part.get("refusal")) for part in item["content"]]
        case "reasoning":
            return "".join(part["text"] for part in item["summary"]), json.loads(item["encrypted_content"])
        case "function_call":
            return item["call_id"], item["name"], item["arguments"]
        case "custom_tool_call":
            return item["call_id"], item["name"], {"input": item["input"]}
    return item


# ─── what chunks come to ─────────────────────────────────────────────────────────────────────────

HM = {"reasoning_content": "Hm."}
SIGNED = {"type": "thinking", "thinking": "Hm.", "signature": "sig"}

STREAMS = [
    pytest.param([finish()], [], id="nothing"),
    pytest.param([text("Hel"), text("lo"), finish()], [["Hello"]], id="text"),
    pytest.param([piece(role="assistant", content=""), text("Hi"), finish()], [["Hi"]], id="role first"),
    pytest.param([piece(content="Hi", finish="stop")], [["Hi"]], id="text and finish at once"),
    pytest.param([text("\ud83d"), text("\ude00"), finish()], [["\U0001f600"]], id="half a pair each"),
    pytest.param(
        [piece(content=[{"type": "text", "text": "Hi"}]), finish()], [["Hi"]], id="content as parts"
    ),
    pytest.param(
        [thought("H"), thought("m."), text("Yes."), finish()], [("Hm.", HM), ["Yes."]], id="thoughts"
    ),
    pytest.param([piece(reasoning="Hm."), finish()], [("Hm.", HM)], id="thoughts by another name"),
    pytest.param(
        [piece(reasoning="Hm.", reasoning_content="Hm."), finish()], [("Hm.", HM)], id="by both names"
    ),
    pytest.param(
        [piece(reasoning_details=[{"type": "reasoning.text", "text": "Hm."}]), finish()],
        [("Hm.", HM)],
        id="thoughts as details",
    ),
    pytest.param(
        [
            piece(
                reasoning_content="H",
                thinking_blocks=[{"type": "thinking", "thinking": "H", "signature": None}],
            ),
            piece(reasoning_content="m.", thinking_blocks=[{"type": "thinking", "thinking": "m."}]),
            piece(thinking_blocks=[{"type": "thinking", "thinking": "", "signature": "sig"}]),
            piece(thinking_blocks=[{"type": "redacted_thinking", "data": "x"}]),
            text("Yes."),
            finish(),
        ],
        [("Hm.", HM | {"thinking_blocks": [SIGNED, {"type": "redacted_thinking", "data": "x"}]}), ["Yes."]],
        id="signed thoughts",
    ),
    pytest.param(
        [piece(thinking_blocks=[{"type": "thinking", "thinking": "Hm."}]), finish()],
        [("Hm.", HM)],
        id="thoughts in blocks that nobody signed",
    ),
    pytest.param(
        [text("a"), thought("Hm."), text("b"), finish()],
        [["a"], ("Hm.", HM), ["b"]],
        id="thoughts in between",
    ),
    pytest.param([text("a"), piece(refusal="no"), finish()], [["a", "no"]], id="refusal"),
    pytest.param(
        [call("", "f", "c1"), call('{"a"'), call(":1}"), finish("tool_calls")],
        [("c1", "f", '{"a":1}')],
        id="call in pieces",
    ),
    pytest.param(
        [text("Look."), call('{"a":1}', "f", "c1"), finish("tool_calls")],
        [["Look."], ("c1", "f", '{"a":1}')],
        id="text and call",
    ),
    pytest.param([call("", "f", "c1"), finish("tool_calls")], [("c1", "f", "{}")], id="call of nothing"),
    pytest.param(
        [call("{}", "f"), finish("tool_calls")],
        [("call_0123456789abcdef01", "f", "{}")],
        id="call without an id",
    ),
    pytest.param(
        [
            piece(tool_calls=[{"id": "c1", "index": 0, "function": {"name": "f", "arguments": {"a": 1}}}]),
            finish(),
        ],
        [("c1", "f", '{"a":1}')],
        id="arguments as an object",
    ),
    pytest.param(
        [call("", None, "c1"), call('{"a"'), text("Well."), call(":1}", "f"), finish("tool_calls")],
        [["Well."], ("c1", "f", '{"a":1}')],
        id="name at the end",
    ),
    pytest.param([call("", "", "c1"), text("a"), finish()], [["a"]], id="neither name nor arguments"),
    pytest.param(
        [
            piece(function_call={"name": "f", "arguments": ""}),
            piece(function_call={"arguments": '{"a"'}),
            piece(function_call={"arguments": ":1}"}),
            finish("function_call"),
        ],
        [("call_0123456789abcdef01", "f", '{"a":1}')],
        id="call of old",
    ),
    pytest.param([piece(1, content="Hi"), piece(1, "stop")], [["Hi"]], id="the only choice is not the first"),
    pytest.param(
        [
            piece(content=[{"type": "thinking", "thinking": [{"type": "text", "text": "H"}]}]),
            piece(content=[{"type": "thinking", "thinking": [{"type": "text", "text": "m."}]}]),
            piece(content=[{"type": "text", "text": "Yes."}]),
            finish(),
        ],
        [("Hm.", HM), ["Yes."]],
        id="thoughts in parts",
    ),
    pytest.param(
        [call("{", "f", "c1"), call("}", "f", "c1"), finish("tool_calls")],
        [("c1", "f", "{}")],
        id="id and name again",
    ),
    pytest.param(
        [call('{"a":1}', "f", "c1"), call('{"b":2}', "f", "c2", 1), finish("tool_calls")],
        [("c1", "f", '{"a":1}'), ("c2", "f", '{"b":2}')],
        id="calls in turn",
    ),
    pytest.param(
        [
            call("", "f", "c1"),
            call("", "f", "c2", 1),
            call('{"b"', index=1),
            call('{"a"'),
            call(":2}", index=1),
            call(":1}"),
            finish("tool_calls"),
        ],
        [("c1", "f", '{"a":1}'), ("c2", "f", '{"b":2}')],
        id="calls interleaved",
    ),
    pytest.param(
        [call('{"a"', "f", "c1"), text("Well."), call(":1}"), finish("tool_calls")],
        [("c1", "f", '{"a":1}'), ["Well."]],
        id="text within a call",
    ),
    pytest.param(
        [
            call('{"input":"a\\', "patch", "c1"),
            call('n\\u00e4"}'),
            call('{"x":1}', "n__g", "c2", 1),
            finish("tool_calls"),
        ],
        [("c1", "patch", {"input": "a\nä"}), ("c2", "g", '{"x":1}')],
        id="custom and in a namespace",
    ),
    pytest.param(
        [call("*** Begin", "patch", "c1"), finish("tool_calls")],
        [("c1", "patch", {"input": "*** Begin"})],
        id="custom without JSON",
    ),
    pytest.param(
        [call('{"command":["ls"],"type":"x"}', "local_shell", "c1"), finish("tool_calls")],
        [
            {
                "id": "lsh_lc0123456789abcdef01",
                "type": "local_shell_call",
                "status": "completed",
                "call_id": "c1",
                "action": {"type": "exec", "env": {}, "command": ["ls"]},
            }
        ],
        id="local shell",
    ),
    pytest.param(
        [call("ls", "local_shell", "c1"), finish("tool_calls")],
        [("c1", "local_shell", "ls")],
        id="no local shell",
    ),
    pytest.param(
        [
            {"choices": None},
            {"choices": []},
            {},
            {"choices": [None]},
            {"choices": [{"delta": None}]},
            piece(content=None, tool_calls=None, reasoning_content=None, annotations=None),
            piece(tool_calls=[None, {"index": 0, "function": None}]),
            call("{}", "f", "c1"),
            piece(1, content="another choice"),
            finish(),
        ],
        [("c1", "f", "{}")],
        id="nulls",
    ),
]


@pytest.mark.parametrize(("chunks", "items"), STREAMS)
def test_chunks_become_items(chunks: list[Chunk], items: list[Any]) -> None:
    assert outline(response(*chunks, USAGE)) == items


ORDERED = {"thoughts in between", "text within a call"}
"""Streams that tell an order for which a plain answer has no place."""


@pytest.mark.parametrize(("chunks", "items"), [row for row in STREAMS if row.id not in ORDERED])
def test_a_plain_answer_comes_to_the_same(chunks: list[Chunk], items: list[Any]) -> None:
    answer = openai_responses.render(completion_of([[*chunks]]), asked(), SERVED, seal)

    assert outline(json.loads(dumps(answer))) == items


@pytest.mark.parametrize(("chunks", "items"), STREAMS)
def test_a_stream_that_breaks_anywhere_fails_in_order(chunks: list[Chunk], items: list[Any]) -> None:
    for end in range(len(chunks) + 1):
        encoder = openai_responses.encoder(asked(), SERVED, seal)
        data = b"".join(encoder.feed([chunk]) for chunk in chunks[:end])
        failed = checked(data + encoder.fail(UpstreamCut("broke off")), whole=False)

        assert failed["status"] == "failed"
        assert failed["error"] == {"code": "server_error", "message": "broke off"}
        assert outline(failed) == items[: len(failed["output"])]
        assert encoder.answer is None


def test_every_event_is_one_that_the_sdk_knows() -> None:
    chunks = [thought("Hm."), text("a"), piece(refusal="no"), call('{"a":1}', "f", "c1")]
    chunks += [call('{"input":"x"}', "patch", "c2", 1), finish("tool_calls"), USAGE]
    data, answer = streamed(chunks)
    known = TypeAdapter[Any](ResponseStreamEvent)

    for event in events_in(data):
        known.validate_python(event, strict=True)
    assert {event["type"] for event in events_in(data)} == {
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.output_item.done",
        "response.reasoning_summary_part.added",
        "response.reasoning_summary_part.done",
        "response.reasoning_summary_text.delta",
        "response.reasoning_summary_text.done",
        "response.content_part.added",
        "response.content_part.done",
        "response.output_text.delta",
        "response.output_text.done",
        "response.refusal.delta",
        "response.refusal.done",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.custom_tool_call_input.delta",
        "response.custom_tool_call_input.done",
        "response.completed",
    }
    assert Response.model_validate(answer).output_text == "a"


# ─── calls that make no sense ────────────────────────────────────────────────────────────────────

SENSELESS = [
    pytest.param([call("{}", None, "c1"), finish("tool_calls")], "a tool call without a name", id="no name"),
    pytest.param(
        [call("{}", "f", "c1"), call("{}", "f", "c2", 1), call('{"a":1}')], "mixed up", id="late piece"
    ),
    pytest.param([call("{}", "f", "c1"), text("Well."), call("x")], "mixed up", id="late piece behind text"),
    pytest.param(
        [call('{"a"', "f", "c1"), call("{}", "f", "c2", 1), call("", "f", "c3", 2), call("}", index=1)],
        "mixed up",
        id="still in line",
    ),
]


@pytest.mark.parametrize("at_once", [True, False], ids=["one batch", "many batches"])
@pytest.mark.parametrize(("chunks", "said"), SENSELESS)
def test_a_call_that_makes_no_sense_is_an_error(chunks: list[Chunk], said: str, at_once: bool) -> None:
    with pytest.raises(UpstreamGarbage, match=said):
        streamed(*([chunks] if at_once else ([chunk] for chunk in chunks)))


def test_a_blank_piece_behind_the_end_of_a_call_is_nothing() -> None:
    chunks = [call("{}", "f", "c1"), text("Well."), call(" \n"), finish("tool_calls")]

    assert outline(response(*chunks)) == [("c1", "f", "{}"), ["Well."]]


MANY = 100_000


@pytest.mark.parametrize(
    "chunks",
    [
        pytest.param(
            [call("", "f", "c1"), call("", "f", "c2", 1), *[call("[" * 99)] * MANY], id="interleaved"
        ),
        pytest.param(
            [*[piece(thinking_blocks=[{"type": "thinking", "thinking": "x" * 99}])] * MANY], id="thoughts"
        ),
    ],
)
def test_what_comes_in_ever_so_many_pieces_is_put_together_once(chunks: list[Chunk]) -> None:
    _, answer = streamed(*([chunk] for chunk in chunks))

    assert len(dumps(answer["output"])) > 99 * MANY


# ─── when what leaves ────────────────────────────────────────────────────────────────────────────


def types_of(data: bytes) -> list[str]:
    return [event["type"].removeprefix("response.") for event in events_in(data)]


def test_the_pieces_of_a_batch_leave_as_one() -> None:
    encoder = openai_responses.encoder(asked(), SERVED)
    encoder.feed([text("a")])
    (event,) = events_in(encoder.feed([text("b"), text("c")]))

    assert (event["type"], event["delta"]) == ("response.output_text.delta", "bc")


@pytest.mark.parametrize(
    "chunks",
    [
        pytest.param([text("a\ud83d"), text("\ude00b")], id="text"),
        pytest.param([call('{"a":"\ud83d', "f", "c1"), call('\ude00"}')], id="call"),
        pytest.param([call('{"input":"\ud83d', "patch", "c1"), call('\ude00"}')], id="custom call"),
    ],
)
def test_half_a_surrogate_pair_waits_for_its_other_half(chunks: list[Chunk]) -> None:
    data, _ = streamed(*([chunk] for chunk in chunks))

    for event in events_in(data):
        json.dumps(event, ensure_ascii=False).encode()  # which is strict


def test_a_tick_is_nothing_and_begins_nothing() -> None:
    encoder = openai_responses.encoder(asked(), SERVED)

    assert encoder.feed([]) == b""
    assert types_of(encoder.feed([text("a")]))[0] == "created"


def test_a_call_leaves_as_soon_as_it_is_whole_and_another_begins() -> None:
    encoder = openai_responses.encoder(asked(), SERVED)
    first = encoder.feed([call('{"a":', "f", "c1")])
    second = encoder.feed([call("", "f", "c2", 1)])
    third = encoder.feed([call("1}")])

    assert types_of(first)[2:] == ["output_item.added", "function_call_arguments.delta"]
    assert types_of(second) == []
    assert types_of(third) == [
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "output_item.added",
    ]


def test_a_custom_tools_input_leaves_decoded_while_it_comes() -> None:
    encoder = openai_responses.encoder(asked(), SERVED)
    batches: list[Batch] = [[call('{"input":"a\\', "patch", "c1")], [call('nb"')], [call("}")]]
    deltas = [event.get("delta") for batch in batches for event in events_in(encoder.feed(batch))]

    assert list(filter(None, deltas)) == ["a", "\nb"]


def test_a_sign_of_life_is_an_event_with_a_number_behind_a_beginning() -> None:
    encoder = openai_responses.encoder(asked(), SERVED)
    data = encoder.alive() + encoder.feed([text("a")]) + encoder.alive() + encoder.close()

    assert types_of(data)[:4] == ["created", "in_progress", "keepalive", "output_item.added"]
    checked(data)


def test_the_end_waits_for_the_usage_behind_the_finish() -> None:
    encoder = openai_responses.encoder(asked(), SERVED)
    early = encoder.feed([text("a"), finish()])
    late = encoder.feed([USAGE]) + encoder.close()

    assert "completed" not in types_of(early)
    assert types_of(late)[-1] == "completed"
    assert encoder.answer is not None
    assert encoder.answer["usage"]["input_tokens"] == 9


# ─── the end ─────────────────────────────────────────────────────────────────────────────────────

ENDS = [
    pytest.param("stop", "completed", None, "completed", id="stop"),
    pytest.param("tool_calls", "completed", None, "completed", id="tool_calls"),
    pytest.param("length", "incomplete", "max_output_tokens", "incomplete", id="length"),
    pytest.param("content_filter", "incomplete", "content_filter", "incomplete", id="content_filter"),
    pytest.param("sensitive", "incomplete", "content_filter", "incomplete", id="sensitive"),
    pytest.param("MAX_TOKENS", "incomplete", "max_output_tokens", "incomplete", id="MAX_TOKENS"),
    pytest.param(
        "model_context_window_exceeded", "incomplete", "max_output_tokens", "incomplete", id="context full"
    ),
]


@pytest.mark.parametrize(("reason", "status", "why", "item"), ENDS)
def test_the_finish_tells_how_a_response_ends(reason: str, status: str, why: str | None, item: str) -> None:
    answer = response(thought("Hm."), text("a"), call('{"a"', "f", "c1"), finish(reason))

    assert answer["status"] == status
    assert answer["incomplete_details"] == ({"reason": why} if why else None)
    assert [it.get("status") for it in answer["output"]] == [None, "completed", item]


USAGES = [
    pytest.param(None, None, id="none"),
    pytest.param("many", None, id="no object"),
    pytest.param(USAGE["usage"], (9, 4, 0, 5, 2, 14), id="all of it"),
    pytest.param({"prompt_tokens": 3, "completion_tokens": 4}, (3, 0, 0, 4, 0, 7), id="the least"),
    pytest.param(
        {"prompt_tokens": 3, "completion_tokens": None, "prompt_tokens_details": None, "cost": 1},
        (3, 0, 0, 0, 0, 3),
        id="nulls",
    ),
    pytest.param(
        {"prompt_tokens": 3, "prompt_tokens_details": {"cache_creation_tokens": 2}},
        (3, 0, 2, 0, 0, 3),
        id="written",
    ),
    pytest.param(
        {"prompt_tokens": None, "completion_tokens": "7", "total_tokens": 1.5}, None, id="no whole numbers"
    ),
    pytest.param({"total_tokens": 9}, None, id="the whole alone"),
    pytest.param({"prompt_tokens": True, "completion_tokens": -1}, None, id="what counts nothing"),
    pytest.param({"prompt_tokens": 3.0, "completion_tokens": 4.5}, (3, 0, 0, 0, 0, 3), id="a float"),
    pytest.param({"completion_tokens": 4, "total_tokens": 7}, (3, 0, 0, 4, 0, 7), id="one from the other"),
    pytest.param(
        {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 5}, (3, 0, 0, 4, 0, 7), id="too little"
    ),
    pytest.param(
        {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 9},
        (3, 0, 0, 4, 0, 9),
        id="with thoughts",
    ),
    pytest.param(
        {"prompt_tokens": 3, "completion_tokens": float("inf")}, (3, 0, 0, 0, 0, 3), id="without end"
    ),
]


@pytest.mark.parametrize(("told", "numbers"), USAGES)
def test_usage_is_told_in_whole_numbers_or_not_at_all(told: Any, numbers: tuple[int, ...] | None) -> None:
    usage = response(text("a"), finish(), {"choices": [], "usage": told})["usage"]
    found = usage and (
        usage["input_tokens"],
        usage["input_tokens_details"]["cached_tokens"],
        usage["input_tokens_details"]["cache_write_tokens"],
        usage["output_tokens"],
        usage["output_tokens_details"]["reasoning_tokens"],
        usage["total_tokens"],
    )

    assert found == numbers


PROBLEMS = [
    pytest.param(ContextTooLong("full"), "context_length_exceeded", "full", id="context"),
    pytest.param(UpstreamBilling("spent"), "insufficient_quota", "spent", id="quota"),
    pytest.param(
        RateLimited("Too fast.", retry_after=2.5),
        "rate_limit_exceeded",
        "Too fast. Please try again in 2.5s.",
        id="rate",
    ),
    pytest.param(
        RateLimited("Please try again in 7s", retry_after=7),
        "rate_limit_exceeded",
        "Please try again in 7s",
        id="rate that says when",
    ),
    pytest.param(BadRequest("bad"), "invalid_prompt", "bad", id="bad request"),
    pytest.param(UpstreamRefused("no", status=422), "invalid_prompt", "no", id="refused"),
    pytest.param(UpstreamCut("cut\n\n\ud83d"), "server_error", "cut\n\n\ud83d", id="cut"),
    pytest.param(GatewayError(""), "server_error", "", id="ours"),
]


@pytest.mark.parametrize(("problem", "code", "message"), PROBLEMS)
def test_a_failure_is_told_in_the_words_that_codex_knows(
    problem: GatewayError, code: str, message: str
) -> None:
    encoder = openai_responses.encoder(asked(), SERVED)
    failed = checked(encoder.feed([text("a")]) + encoder.fail(problem), whole=False)

    assert failed["error"] == {"code": code, "message": message}


# ─── what is beside the text ─────────────────────────────────────────────────────────────────────


def test_log_probabilities_are_given_with_the_text() -> None:
    odds = {"token": "a", "logprob": -0.5, "bytes": None, "top_logprobs": [{"token": "ä", "logprob": -1.0}]}
    told = {
        "token": "a",
        "bytes": [97],
        "logprob": -0.5,
        "top_logprobs": [{"token": "ä", "bytes": [195, 164], "logprob": -1.0}],
    }
    chunk = text("a")
    chunk["choices"][0]["logprobs"] = {"content": [odds]}
    answer = response(chunk, finish(), top_logprobs=1)

    assert answer["output"][0]["content"][0]["logprobs"] == [told]
    Response.model_validate(answer)


def test_citations_are_given_with_the_text() -> None:
    inner = {"url": "https://x", "title": "X", "start_index": 0, "end_index": 1}
    answer = response(
        text("a"), piece(annotations=[{"type": "url_citation", "url_citation": inner}]), finish()
    )

    assert answer["output"][0]["content"][0]["annotations"] == [{"type": "url_citation", **inner}]
    Response.model_validate(answer)


SEALED = [
    pytest.param({"include": ["reasoning.encrypted_content"], "store": True}, True, id="asked for"),
    pytest.param({"include": None, "store": False}, True, id="kept nowhere else"),
    pytest.param({"include": None, "store": None}, True, id="kept nowhere else by default"),
    pytest.param({"include": [], "store": True}, False, id="kept here"),
]


@pytest.mark.parametrize(("fields", "is_sealed"), SEALED)
def test_thoughts_are_sealed_where_the_client_has_to_carry_them(fields: Json, is_sealed: bool) -> None:
    answer = response(thought("Hm."), finish(), **fields)

    assert ("encrypted_content" in answer["output"][0]) == is_sealed


# ─── the object ──────────────────────────────────────────────────────────────────────────────────

ALWAYS = """id object created_at completed_at status incomplete_details model previous_response_id
instructions output error tools tool_choice truncation parallel_tool_calls text top_p presence_penalty
frequency_penalty top_logprobs temperature reasoning user usage max_output_tokens max_tool_calls store
background service_tier metadata safety_identifier prompt_cache_key""".split()  # noqa: SIM905  # a long list
"""What the Open Responses specification wants in every response."""


def test_a_response_has_all_that_one_must_have() -> None:
    answer = response(text("Hi"), finish(), tools=[{"type": "function", "name": "f"}])

    assert [key for key in ALWAYS if key not in answer] == []
    assert answer["id"] == "resp_0123456789abcdef"
    assert (answer["model"], answer["created_at"], answer["store"]) == ("alias", SERVED.created, False)
    assert answer["text"] == {"format": {"type": "text"}}
    assert answer["reasoning"] == {"effort": None, "summary": None}
    assert answer["tools"] == [
        {"type": "function", "name": "f", "description": None, "parameters": None, "strict": None}
    ]
    Response.model_validate(answer)


def test_a_response_repeats_what_was_asked() -> None:
    schema = {"type": "json_schema", "name": "n", "schema": {"type": "object"}}
    fields: Json = {
        "instructions": "Be brief.",
        "max_output_tokens": 5,
        "metadata": {"a": "b"},
        "parallel_tool_calls": False,
        "prompt_cache_key": "k",
        "reasoning": {"effort": "high"},
        "store": True,
        "temperature": 0,
        "text": {"format": schema, "verbosity": "low"},
        "tool_choice": {"type": "function", "name": "f"},
        "top_p": 0.5,
        "truncation": "auto",
        "user": "u",
    }
    answer = response(text("Hi"), finish(), **fields)
    told = fields | {
        "reasoning": {"effort": "high", "summary": None},
        "text": {"format": schema | {"description": None, "strict": False}, "verbosity": "low"},
    }

    assert {key: answer[key] for key in told} == told
    Response.model_validate(answer)


def test_an_error_is_openais() -> None:
    assert openai_responses.error(BadRequest("bad", param="input"), "req_1") == {
        "error": {"message": "bad", "type": "invalid_request_error", "param": "input", "code": None}
    }


# ─── anything at all ─────────────────────────────────────────────────────────────────────────────

NAMES = ["f", "patch", "n__g", "local_shell", "unheard_of"]
words = st.text(min_size=1, max_size=4)
arguments = st.dictionaries(words, words, max_size=2).map(json.dumps) | words.map(
    lambda said: json.dumps({"input": said})
)


@st.composite
def cut(draw: st.DrawFn, whole: str) -> list[str]:
    places = sorted(draw(st.sets(st.integers(0, len(whole)), max_size=3)))
    return [whole[a:b] for a, b in zip([0, *places], [*places, len(whole)], strict=True)]


@st.composite
def turns(draw: st.DrawFn) -> list[Chunk]:
    """The chunks of a proper turn: thoughts, text, and calls, of which some are interleaved."""
    chunks = [thought(it) for it in draw(st.lists(words, max_size=3))]
    chunks += [text(it) for it in draw(st.lists(words, max_size=3))]
    rows: list[list[Chunk]] = []
    for index, name in enumerate(draw(st.lists(st.sampled_from(NAMES), max_size=4))):
        first = call("", name, f"c{index}", index)
        rows.append([first, *(call(it, index=index) for it in draw(cut(draw(arguments))))])
    chunks += draw(shuffled(rows)) if draw(st.booleans()) else [*chain(*rows)]
    return [*chunks, finish("tool_calls" if rows else "stop"), USAGE]


@st.composite
def shuffled(draw: st.DrawFn, rows: list[list[Chunk]]) -> list[Chunk]:
    """Rows dealt together, each in its own order; a call of a higher index begins later."""
    firsts = [row[0] for row in rows]
    order = draw(st.permutations([at for at, row in enumerate(rows) for _ in row[1:]]))
    rests = [iter(row[1:]) for row in rows]
    return [*firsts, *(next(rests[at]) for at in order)]


def batched(chunks: list[Chunk], draw: Callable[[st.SearchStrategy[bool]], bool]) -> Iterator[Batch]:
    batch: Batch = []
    for chunk in chunks:
        batch.append(chunk)
        if draw(st.booleans()):
            yield batch
            batch = []
    yield batch


@given(turns(), st.data())
def test_however_a_turn_is_cut_it_comes_to_the_same(chunks: list[Chunk], data: st.DataObject) -> None:
    answer = checked(streamed(*batched(chunks, data.draw))[0])

    assert answer == streamed(chunks)[1]
    assert outline(answer) == outline(openai_responses.render(completion_of([chunks]), asked(), SERVED, seal))


def opened(sealed: str) -> Json | None:
    value: Json = json.loads(sealed)
    return value


@given(turns())
def test_a_turn_that_comes_back_is_the_message_that_it_was(chunks: list[Chunk]) -> None:
    completion = completion_of([chunks])
    message = completion["choices"][0]["message"]
    answer = openai_responses.render(completion, asked(), SERVED, seal)
    outputs = [
        {"type": f"{item['type']}_output", "call_id": item["call_id"], "output": "done"}
        for item in answer["output"]
        if "call_id" in item
    ]
    back = chat_body(BODY | {"input": [*answer["output"], *outputs]}, opened)["messages"]

    if not (message.get("content") or message.get("tool_calls")):
        assert back == []
        return
    assert back[0].get("content") == (message.get("content") or None)
    assert back[0].get("reasoning_content") == message.get("reasoning_content")
    assert [_meant(call) for call in back[0].get("tool_calls", [])] == [
        _meant(call) for call in message.get("tool_calls", [])
    ]
    assert [reply["tool_call_id"] for reply in back[1:]] == [
        call["id"] for call in message.get("tool_calls", [])
    ]


def _meant(call: Json) -> tuple[str, str, Any]:
    name, written = call["function"]["name"], json.loads(call["function"]["arguments"])
    if name == "patch" and set(written) != {"input"}:  # anything else is taken as the text itself
        written = {
            "input": next(iter(written.values())) if len(written) == 1 else call["function"]["arguments"]
        }
    if name == "local_shell":
        written = written | {"type": "exec", "env": {}}
    return call["id"], name, written


odd_pieces = st.fixed_dictionaries(
    {},
    optional={
        "index": st.sampled_from([0, 1, 2, None, "0"]),
        "id": st.sampled_from(["c1", "c2", "", None, 3]),
        "function": st.fixed_dictionaries(
            {},
            optional={
                "name": st.sampled_from([*NAMES, "", None, 3]),
                "arguments": st.sampled_from(["{", "}", "{}", '{"input":"', '"', "\\", "x", "", None, 3]),
            },
        )
        | st.none(),
    },
)
odd_deltas: st.SearchStrategy[Json] = st.fixed_dictionaries(
    {},
    optional={
        "role": st.just("assistant"),
        "content": words | st.sampled_from(["", None, 3, [], [{"text": "x"}], {}]),
        "reasoning_content": words | st.sampled_from(["", None, 3]),
        "reasoning": words | st.none(),
        "reasoning_details": st.sampled_from([None, [], [{"text": "x"}, {"text": 3}, None]]),
        "refusal": words | st.none(),
        "thinking_blocks": st.sampled_from(
            [
                None,
                3,
                [SIGNED],
                [{"type": "thinking", "thinking": "x"}],
                [{"type": "redacted_thinking", "data": "y"}],
            ]
        ),
        "annotations": st.sampled_from([None, [], [{"type": "url_citation"}], [3]]),
        "tool_calls": st.none() | st.lists(odd_pieces | st.none(), max_size=3),
        "function_call": st.sampled_from([None, 3, {"name": "f"}, {"arguments": "{}"}]),
    },
)
odd_chunks = st.fixed_dictionaries(
    {"choices": st.none() | st.lists(st.none() | st.fixed_dictionaries(
        {"delta": odd_deltas | st.none()},
        optional={
            "index": st.sampled_from([0, 0, 0, 1, None]),
            "finish_reason": st.sampled_from([None, None, "stop", "length", "tool_calls", ""]),
            "logprobs": st.sampled_from([None, {}, {"content": None}, {"content": [{"token": "x"}, 3]}]),
        },
    ), max_size=2)},
    optional={"usage": st.none() | st.just(USAGE["usage"])},
)  # fmt: skip


@given(st.lists(st.lists(odd_chunks, max_size=4) | st.just("alive"), max_size=8), st.booleans())
def test_no_chunks_make_a_stream_that_is_out_of_order(moves: list[Any], ends_well: bool) -> None:
    encoder = openai_responses.encoder(asked(), SERVED, seal)
    data = b""
    try:
        for move in moves:
            data += encoder.alive() if move == "alive" else encoder.feed(move)
        data += encoder.close() if ends_well else encoder.fail(UpstreamCut("cut"))
    except UpstreamGarbage as problem:
        ends_well = False
        data += encoder.fail(problem)

    assert checked(data, whole=ends_well)["model"] == "alias"
    assert (encoder.answer is not None) == ends_well
