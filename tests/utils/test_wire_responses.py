"""Targets that speak the Responses API: whole answers, streams cut anywhere, and every way to fail."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from app.errors import (
    ContextTooLong,
    GatewayError,
    RateLimited,
    UpstreamBilling,
    UpstreamCut,
    UpstreamFailed,
    UpstreamGarbage,
    UpstreamRefused,
)
from app.types import Batch, Event, Wire
from app.utils import wire_responses
from app.utils.codec import dumps
from app.utils.sse import DONE, SSEReader, frame
from tests.fakes import target, trace

Json = dict[str, Any]

USAGE: Json = {
    "input_tokens": 9,
    "input_tokens_details": {"cached_tokens": 4},
    "output_tokens": 5,
    "output_tokens_details": {"reasoning_tokens": 2},
    "total_tokens": 14,
    "cost": 0.1,
}
CHAT_USAGE = {
    "prompt_tokens": 9,
    "prompt_tokens_details": {"cached_tokens": 4},
    "completion_tokens": 5,
    "completion_tokens_details": {"reasoning_tokens": 2},
    "total_tokens": 14,
    "cost": 0.1,
}
MESSAGE: Json = {
    "id": "msg_1",
    "type": "message",
    "status": "completed",
    "role": "assistant",
    "content": [{"type": "output_text", "text": "Hellö", "annotations": [], "logprobs": []}],
}


def response(**over: Any) -> Json:
    return {
        "id": "resp_1",
        "object": "response",
        "status": "completed",
        "model": "wire-id",
        "error": None,
        "incomplete_details": None,
        "output": [deepcopy(MESSAGE)],
        "usage": {**USAGE},
        "unheard_of": {"a": 1},
    } | over


def events(**over: Any) -> Batch:
    return wire_responses.events_of(response(**over))


def sse(batch: Batch, done: bool = False) -> bytes:
    return b"".join(map(frame, [*map(dumps, batch), *([DONE] if done else [])]))


def read(data: bytes, size: int) -> tuple[Batch, bool, GatewayError | None]:
    """A stream read in pieces of some bytes."""
    reader, batch, done = SSEReader(), Batch(), False
    pieces = [reader.feed(data[at : at + size]) for at in range(0, len(data), size)]
    for payloads in [*pieces, reader.close()]:
        found, done, problem = wire_responses.events_in(payloads, target())
        batch += found
        if done or problem:
            return batch, done, problem
    return batch, done, None


def test_it_is_a_wire() -> None:
    wire: Wire = wire_responses

    assert wire.PATH == "/responses"
    assert wire.headers(target(api_key="k")) == {"authorization": "Bearer k"}
    assert wire.headers(target(api_key="")) == {}


# ─── requests ────────────────────────────────────────────────────────────────────────────────────

OURS = "lc0123456789abcdef0123456701"
SUMMARY: Json = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]}
SAID: Json = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "a"}]}
CALL: Json = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}

ITEMS = [
    pytest.param(SUMMARY | {"id": f"rs_{OURS}", "encrypted_content": "lc1.x"}, None, id="our thoughts"),
    pytest.param(SUMMARY | {"encrypted_content": "lc1.x"}, None, id="our thoughts without an id"),
    pytest.param(SUMMARY | {"id": f"rs_{OURS}"}, None, id="our thoughts, not sealed"),
    pytest.param(
        SUMMARY | {"id": f"rs_{OURS}", "encrypted_content": "lc1.x", "content": [{"text": "Hm."}]},
        SUMMARY | {"content": [{"text": "Hm."}]},
        id="thoughts that can be read",
    ),
    pytest.param(SAID | {"id": f"msg_{OURS}"}, SAID, id="our message"),
    pytest.param(CALL | {"id": f"fc_{OURS}"}, CALL, id="our call"),
    *[
        pytest.param(item, item, id=f"their {name}")
        for name, item in {
            "thoughts": SUMMARY | {"id": "rs_1", "encrypted_content": "gAAAA"},
            "thoughts without an id": SUMMARY | {"encrypted_content": "gAAAA"},
            "thoughts with a summary": SUMMARY,
            "message": SAID | {"id": "msg_1"},
            "call": CALL | {"id": "fc_1"},
            "odd": 3,
            "reference": {"type": "item_reference", "id": f"msg_{OURS}"},
        }.items()
    ],
]


@pytest.mark.parametrize(("item", "left"), ITEMS)
def test_what_the_gateway_made_does_not_go_to_a_target_that_never_heard_of_it(item: Any, left: Any) -> None:
    body = {"model": "m", "input": [{"role": "user", "content": "Hi"}, item]}
    prepared = wire_responses.prepared_native(body)

    assert prepared["input"][1:] == ([] if left is None else [left])
    assert (prepared is body) == (left == item)


@pytest.mark.parametrize("given", ["Hi", None, []])
def test_an_input_without_items_stays_as_it_is(given: Any) -> None:
    body = {"model": "m", "input": given}

    assert wire_responses.prepared_native(body) is body


# ─── whole answers ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(dumps(response()), id="plain"),
        pytest.param(sse(events()), id="streamed"),
        pytest.param(sse(events(), done=True), id="streamed with [DONE]"),
    ],
)
def test_an_answer_is_understood_streamed_or_not(body: bytes) -> None:
    assert wire_responses.answer_in(body, target()) == response()


def test_an_answer_whose_last_event_has_no_output_is_put_together_from_its_items() -> None:
    batch = events()
    batch[-1] = {"type": "response.completed", "response": response(output=[])}

    assert wire_responses.answer_of([batch[:3], batch[3:]]) == response()


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        pytest.param(b"", UpstreamGarbage, id="nothing"),
        pytest.param(b"<html>", UpstreamGarbage, id="a page"),
        pytest.param(b"[]", UpstreamGarbage, id="a list"),
        pytest.param(b'{"choices":[]}', UpstreamGarbage, id="a chat completion"),
        pytest.param(b'{"error":{"message":"no","code":400}}', UpstreamRefused, id="an error"),
        pytest.param(
            dumps(response(status="failed", error={"code": "server_error", "message": "x"})),
            UpstreamFailed,
            id="a failed response",
        ),
        pytest.param(sse(events()[:-1]), UpstreamCut, id="a stream without its end"),
        pytest.param(sse([{"type": "error", "message": "x"}]), UpstreamFailed, id="a stream of an error"),
    ],
)
def test_what_is_no_answer_is_an_error(body: bytes, kind: type[GatewayError]) -> None:
    with pytest.raises(kind):
        wire_responses.answer_in(body, target())


@pytest.mark.parametrize(
    ("status", "is_whole"),
    [("completed", True), ("incomplete", True), ("in_progress", False), ("failed", False), (None, False)],
)
def test_an_answer_is_whole_when_it_says_so(status: Any, is_whole: bool) -> None:
    assert wire_responses.is_whole(response(status=status)) == is_whole


FINISHES = [
    pytest.param({}, "completed", id="completed"),
    pytest.param(
        {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
        "max_output_tokens",
        id="incomplete",
    ),
    pytest.param({"status": "incomplete"}, "incomplete", id="incomplete without a reason"),
]


@pytest.mark.parametrize(("over", "finish"), FINISHES)
def test_an_answer_goes_on_under_its_alias_with_all_that_it_has(over: Json, finish: str) -> None:
    noted = trace()
    answer = wire_responses.finished(response(**over), target(), noted)

    assert answer == response(model="alias", **over)
    assert (noted.usage, noted.finish) == (CHAT_USAGE, finish)


def test_an_answer_without_usage_tells_none() -> None:
    noted = trace()
    wire_responses.finished(response(usage=None), target(), noted)

    assert noted.usage is None


@pytest.mark.parametrize("status", ["in_progress", "queued", None, 3])
def test_a_plain_answer_that_is_not_finished_is_none(status: Any) -> None:
    with pytest.raises(UpstreamGarbage, match="a response that is not finished"):
        wire_responses.finished(response(status=status), target(), trace())


def test_a_cancelled_answer_is_an_error() -> None:
    with pytest.raises(UpstreamFailed):
        wire_responses.finished(response(status="cancelled"), target(), trace())


def test_an_answer_that_failed_is_an_error() -> None:
    failed = response(status="failed", error={"code": "rate_limit_exceeded", "message": "wire-id is full"})

    with pytest.raises(RateLimited, match="alias is full"):
        wire_responses.finished(failed, target(), trace())


# ─── streams ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("size", [1, 7, 100, 100_000])
@pytest.mark.parametrize("status", ["completed", "incomplete"])
def test_a_stream_is_read_up_to_its_end_however_it_is_cut(size: int, status: str) -> None:
    batch, done, problem = read(sse(events(status=status)), size)

    assert (batch, done, problem) == (events(status=status), True, None)


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_nothing_behind_the_end_is_read(size: int) -> None:
    batch, done, problem = read(sse([*events(), {"type": "error", "message": "late"}], done=True), size)

    assert (batch, done, problem) == (events(), True, None)


def test_done_is_an_end_too() -> None:
    assert wire_responses.events_in([DONE, b"{}"], target()) == ([], True, None)


FAILURES = [
    pytest.param(
        {"type": "response.failed", "response": {"error": {"code": "server_error", "message": "x"}}},
        UpstreamFailed,
        id="failed",
    ),
    pytest.param(
        {"type": "response.failed", "response": {"error": None}}, UpstreamFailed, id="failed silently"
    ),
    pytest.param({"type": "response.failed"}, UpstreamFailed, id="failed without a response"),
    pytest.param(
        {"type": "response.completed", "response": {"status": "failed", "error": {"message": "x"}}},
        UpstreamFailed,
        id="completed and failed",
    ),
    pytest.param(
        {
            "type": "response.completed",
            "response": {"error": {"code": "rate_limit_exceeded", "message": "x"}},
        },
        RateLimited,
        id="completed with an error",
    ),
    pytest.param(
        {"type": "response.incomplete", "response": {"status": "cancelled"}},
        UpstreamFailed,
        id="incomplete and cancelled",
    ),
    pytest.param(
        {
            "type": "response.failed",
            "response": {"error": {"code": "context_length_exceeded", "message": "x"}},
        },
        ContextTooLong,
        id="context",
    ),
    pytest.param(
        {"type": "response.failed", "response": {"error": {"code": "insufficient_quota", "message": "x"}}},
        UpstreamBilling,
        id="quota",
    ),
    pytest.param(
        {"type": "response.failed", "response": {"error": {"code": "invalid_prompt", "message": "x"}}},
        UpstreamRefused,
        id="refused",
    ),
    pytest.param(
        {"type": "error", "code": "rate_limit_exceeded", "message": "x", "param": None},
        RateLimited,
        id="error",
    ),
    pytest.param(
        {"type": "error", "error": {"type": "rate_limit_error", "message": "x"}},
        RateLimited,
        id="error inside",
    ),
    pytest.param({"error": {"code": 500, "message": "x"}}, UpstreamFailed, id="error without a type"),
    pytest.param([], UpstreamGarbage, id="no event"),
]


@pytest.mark.parametrize(("event", "kind"), FAILURES)
def test_an_event_that_stands_for_a_failure_is_an_error(event: Any, kind: type[GatewayError]) -> None:
    begun = events()[:2]
    batch, done, problem = wire_responses.events_in([*map(dumps, begun), dumps(event)], target())

    assert (batch, done) == (begun, False)
    assert type(problem) is kind


def test_a_line_that_is_no_json_is_an_error() -> None:
    batch, done, problem = wire_responses.events_in([b"{"], target())

    assert (batch, done, type(problem)) == ([], False, UpstreamGarbage)


def test_an_error_that_is_null_is_none() -> None:
    event = {"type": "response.x_unheard_of", "error": None}

    assert wire_responses.events_in([dumps(event)], target()) == ([event], False, None)


def test_events_go_on_under_the_alias_with_all_that_they_have() -> None:
    noted = trace()
    follower = wire_responses.follow(target(), True, noted)
    unknown: Event = {"type": "response.x_unheard_of", "response": None, "model": "theirs"}
    passed = follower.pass_on([*events(), {**unknown}])
    follower.end()

    renamed = [
        event | {"response": event["response"] | {"model": "alias"}} if "response" in event else event
        for event in events()
    ]
    assert passed == [*renamed, unknown]
    assert (noted.usage, noted.finish) == (CHAT_USAGE, "completed")
    assert follower.failed is None


def test_the_wire_id_is_shown_nowhere_in_an_event_or_an_answer() -> None:
    follower = wire_responses.follow(target(), True, trace())
    named = {"model": "wire-id"}
    came: Batch = [
        {"type": "response.x", "response": {**named, "x": {**named}, "output": [{**named}]}},
        {"type": "response.output_item.added", "item": {"type": "compaction", **named}},
        {"type": "response.x.delta", "delta": "x", "item_id": "i"},
    ]
    plain = wire_responses.finished(response(x={**named}, output=[{**named}]), target(), trace())

    assert "wire-id" not in str(follower.pass_on(came))
    assert "wire-id" not in str(plain)


@pytest.mark.parametrize("length", range(len(events())))
def test_a_stream_that_ends_before_its_last_event_was_cut(length: int) -> None:
    noted = trace()
    follower = wire_responses.follow(target(), True, noted)
    follower.pass_on(events()[:length])

    with pytest.raises(UpstreamCut):
        follower.end()
    assert (noted.usage, noted.finish) == (None, None)


def test_a_tick_passes() -> None:
    assert wire_responses.follow(target(), True, trace()).pass_on([]) == []
