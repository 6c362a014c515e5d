from __future__ import annotations

import json

from bench.conversation import COUNT_BYTES
from bench.counts import body_of, estimates


def test_each_request_has_texts_of_its_own() -> None:
    first, second = (body_of(number)["messages"] for number in (1, 2))

    assert all(a["content"] != b["content"] for a, b in zip(first, second, strict=True) if a.get("content"))


def test_a_turn_adds_a_call_and_its_result() -> None:
    before, after = body_of(0)["messages"], body_of(0, turn=1)["messages"]

    assert after[: len(before)] == before
    assert [message["role"] for message in after[len(before) :]] == ["assistant", "tool"]
    assert len(json.dumps(before)) > COUNT_BYTES / 2


def test_estimates_are_timed() -> None:
    assert [(one.requests, one.p50 > 0, one.cpu > 0) for one in estimates(3)] == [(3, True, True)] * 2
