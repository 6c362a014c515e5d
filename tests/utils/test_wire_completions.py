"""Text completions on the wire: plain and streamed, whole, byte by byte and cut."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.errors import GatewayError, RateLimited, UpstreamCut, UpstreamFailed, UpstreamGarbage
from app.types import Event, Wire
from app.utils import wire_completions as wire
from app.utils.sse import SSEReader
from tests.fakes import target, trace


def piece(text: str = "", finish: str | None = None, index: int = 0, **over: Any) -> Event:
    choice = {"index": index, "text": text, "logprobs": None, "finish_reason": finish}
    return {"id": "cmpl-1", "object": "text_completion", "model": "wire-id", "choices": [choice]} | over


USAGE = piece(choices=[], usage={"prompt_tokens": 2, "total_tokens": 3})
WHOLE = piece("Hello", "stop", usage={"prompt_tokens": 2, "total_tokens": 3}, unheard_of=1)


def stream(*events: Any, done: bool = True) -> bytes:
    frames = [b"data: " + json.dumps(event).encode() + b"\n\n" for event in events]
    return b"".join([*frames, b"data: [DONE]\n\n"] if done else frames)


def test_the_module_is_a_wire() -> None:
    module: Wire = wire

    assert module.PATH == "/completions"


@pytest.mark.parametrize(
    ("key", "headers"), [("sk-1", {"authorization": "Bearer sk-1"}), ("", {})], ids=["a key", "no key"]
)
def test_the_key_goes_along_where_there_is_one(key: str, headers: dict[str, str]) -> None:
    assert wire.headers(target(api_key=key)) == headers


# ─── plain answers ───────────────────────────────────────────────────────────────────────────────


def test_a_plain_answer_is_what_came() -> None:
    assert wire.answer_in(json.dumps(WHOLE).encode(), target()) == WHOLE


def test_a_stream_that_nobody_asked_for_is_the_text_that_it_spells() -> None:
    answer = wire.answer_in(stream(piece("Hel"), piece("lo"), piece("", "stop"), USAGE), target())

    assert answer == piece("Hello", "stop", usage=USAGE["usage"])
    assert wire.is_whole(answer)


def test_several_choices_and_their_log_probabilities_are_put_together_apart() -> None:
    said = {"tokens": ["a"], "token_logprobs": [-1.0], "text_offset": [0]}
    first = piece("a", None, 1) | {}
    first["choices"][0]["logprobs"] = said
    second = piece("b", "stop", 1)
    second["choices"][0]["logprobs"] = {"tokens": ["b"], "token_logprobs": [-2.0], "text_offset": [1]}
    answer = wire.answer_of([[first, piece("x", "length", 0)], [second]])

    assert [(choice["text"], choice["finish_reason"]) for choice in answer["choices"]] == [
        ("x", "length"),
        ("ab", "stop"),
    ]
    assert answer["choices"][1]["logprobs"] == {
        "tokens": ["a", "b"],
        "token_logprobs": [-1.0, -2.0],
        "text_offset": [0, 1],
    }


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        pytest.param(b"", UpstreamGarbage, id="nothing"),
        pytest.param(b"<html></html>", UpstreamGarbage, id="a page"),
        pytest.param(b'{"data": []}', UpstreamGarbage, id="no choices"),
        pytest.param(b'{"error": {"message": "no", "code": 429}}', RateLimited, id="an error"),
        pytest.param(stream(piece("a"), done=False), UpstreamCut, id="a cut stream"),
        pytest.param(stream(piece("a"), {"error": {"message": "no"}}), UpstreamFailed, id="a failed stream"),
    ],
)
def test_what_is_no_answer_is_an_error(body: bytes, problem: type[GatewayError]) -> None:
    with pytest.raises(problem):
        wire.answer_in(body, target())


def test_what_is_no_text_completion_is_called_that() -> None:
    with pytest.raises(UpstreamGarbage, match="no text completion"):
        wire.answer_in(b"{}", target())


def test_a_plain_answer_is_finished_under_its_alias() -> None:
    record = trace()
    answer = wire.finished(dict(WHOLE), target(), record)

    assert answer == WHOLE | {"model": "alias"}
    assert (record.finish, record.usage) == ("stop", WHOLE["usage"])


# ─── streams ─────────────────────────────────────────────────────────────────────────────────────

STREAM = [piece("Hel"), piece("lo"), piece("", "stop"), USAGE]


@pytest.mark.parametrize("size", [1, 7, 10_000], ids=["byte by byte", "in pieces", "whole"])
def test_a_stream_goes_on_under_the_alias(size: int) -> None:
    follower, reader, passed, ended = wire.follow(target(), True, trace()), SSEReader(), [], False
    data = stream(*STREAM)
    for start in range(0, len(data), size):
        batch, done, problem = wire.events_in(reader.feed(data[start : start + size]), target())
        passed += follower.pass_on(batch)
        ended = ended or done
        assert problem is None
    follower.end()

    assert passed == [event | {"model": "alias"} for event in STREAM]
    assert ended


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([], id="nothing"),
        pytest.param([piece("a")], id="no finish"),
        pytest.param([piece("a", "stop"), piece("b", None, 1)], id="a second choice that goes on"),
        pytest.param([piece("a"), USAGE], id="usage but no finish"),
    ],
)
def test_a_stream_without_its_finish_is_cut(events: list[Event]) -> None:
    follower = wire.follow(target(), True, trace())
    follower.pass_on(events)

    with pytest.raises(UpstreamCut):
        follower.end()


def test_usage_is_shown_only_to_who_asked_for_it_and_noted_all_the_same() -> None:
    record = trace()
    passed = wire.follow(target(), False, record).pass_on([piece("a", "stop"), dict(USAGE)])

    assert [event["choices"][0]["text"] for event in passed] == ["a"]
    assert record.usage == USAGE["usage"]


@pytest.mark.parametrize("answer", [WHOLE, piece("Hello", "length")], ids=["with usage", "without"])
def test_a_plain_answer_as_a_stream_says_the_same(answer: dict[str, Any]) -> None:
    events = wire.events_of(answer)

    assert wire.answer_of([events]) == answer
    assert all("usage" not in event for event in events if event["choices"])
