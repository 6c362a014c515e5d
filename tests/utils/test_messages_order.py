"""Blocks leave one after the other, whatever order they come in, or not at all."""

from __future__ import annotations

from copy import deepcopy

import pytest

from app.types import Batch, Event
from app.utils.messages_order import BlockOrder

BEGIN: Event = {"type": "message_start", "message": {}}


def start(index: int) -> Event:
    return {"type": "content_block_start", "index": index, "content_block": {"type": "text", "text": ""}}


def stop(index: int) -> Event:
    return {"type": "content_block_stop", "index": index}


def piece(index: int, kind: str = "text") -> Event:
    return {"type": "content_block_delta", "index": index, "delta": {"type": f"{kind}_delta", kind: ""}}


END: Batch = [{"type": "message_delta", "delta": {}}, {"type": "message_stop"}]
TOGETHER: Batch = [
    *(BEGIN, start(0), piece(0), start(1), piece(1), start(2), piece(2)),
    *(piece(0, "signature"), stop(0), stop(1), stop(2), *END),
]  # fmt: skip
IN_TURN: Batch = [
    *(BEGIN, start(0), piece(0), stop(0), start(1), piece(1), stop(1), start(2), piece(2), stop(2), *END),
]  # fmt: skip
SIZES = pytest.mark.parametrize("size", [1, 2, 3, 5, 99])


def put(events: Batch, size: int = 99) -> tuple[Batch, str | None]:
    """What leaves of a stream, and what is wrong with it."""
    order, events = BlockOrder(), deepcopy(events)
    out = [it for at in range(0, len(events), size) for it in order.put(events[at : at + size])]
    return out, order.broken


@SIZES
def test_each_block_ends_before_the_next_one_begins(size: int) -> None:
    assert put(TOGETHER, size) == (IN_TURN, None)


@SIZES
def test_what_is_in_order_is_not_touched(size: int) -> None:
    assert put(IN_TURN, size) == (IN_TURN, None)


def test_a_signature_in_its_place_stays() -> None:
    batch = [BEGIN, start(0), piece(0, "thinking"), piece(0, "signature"), stop(0)]

    assert put(batch) == (batch, None)


def said(index: int, text: str) -> Event:
    return {"type": "content_block_delta", "index": index, "delta": {"type": "text_delta", "text": text}}


def called(index: int) -> Event:
    block = {"type": "tool_use", "id": f"c{index}", "name": "f", "input": {}}
    return {"type": "content_block_start", "index": index, "content_block": block}


def given(index: int, json: str) -> Event:
    delta = {"type": "input_json_delta", "partial_json": json}
    return {"type": "content_block_delta", "index": index, "delta": delta}


PING: Event = {"type": "ping"}


@SIZES
@pytest.mark.parametrize(
    ("came", "leaves"),
    [
        pytest.param(
            [start(0), start(1), said(0, "a"), said(1, "b"), said(0, "c"), stop(0), stop(1)],
            [
                *(start(0), stop(0), start(1), stop(1), start(2), said(2, "a"), stop(2)),
                *(start(3), said(3, "b"), stop(3), start(4), said(4, "c"), stop(4)),
            ],
            id="the pieces of two texts",
        ),
        pytest.param(
            [
                *(called(0), called(1), given(0, '{"a"'), given(1, '{"b"'), given(0, ":1}")),
                *(given(1, ":2}"), stop(0), stop(1)),
            ],
            [
                *(called(0), given(0, '{"a"'), given(0, ":1}"), stop(0)),
                *(called(1), given(1, '{"b"'), given(1, ":2}"), stop(1)),
            ],
            id="the pieces of two calls",
        ),
        pytest.param(
            [called(0), called(1), given(1, "{}"), stop(1), start(2), said(2, "a"), given(0, "{}"), stop(0)],
            [
                *(called(0), given(0, "{}"), stop(0), called(1), given(1, "{}"), stop(1)),
                *(start(2), said(2, "a"), stop(2)),
            ],
            id="a call that ends before the one before it",
        ),
        pytest.param(
            [called(0), given(0, "{"), start(1), said(1, "a")],
            [called(0), given(0, "{"), stop(0), start(1), said(1, "a"), stop(1)],
            id="a call that never ends",
        ),
        pytest.param(
            [start(1), stop(1), called(5), given(5, "{}"), stop(5)],
            [start(0), stop(0), called(5) | {"index": 1}, given(1, "{}"), stop(1)],
            id="gaps",
        ),
        pytest.param(
            [start(0), said(0, "a"), stop(0), start(0), said(0, "b"), stop(0)],
            [start(0), said(0, "a"), stop(0), start(1), said(1, "b"), stop(1)],
            id="always the same number",
        ),
        pytest.param(
            [start(0), start(0), said(0, "a")],
            [start(0), stop(0), start(1), said(1, "a"), stop(1)],
            id="twice",
        ),
        pytest.param([start(0), stop(0), stop(0), stop(7)], [start(0), stop(0)], id="too many ends"),
        pytest.param([start(0), PING, said(0, "a")], [start(0), PING, said(0, "a"), stop(0)], id="no end"),
    ],
)
def test_what_can_be_put_in_order_is(came: Batch, leaves: Batch, size: int) -> None:
    assert put([PING, BEGIN, *came, *END], size) == ([BEGIN, *leaves, *END], None)


@pytest.mark.parametrize(
    ("came", "wrong"),
    [
        pytest.param([start(0)], "does not begin with its message", id="no message"),
        pytest.param([*END], "does not begin with its message", id="nothing but the end"),
        pytest.param([{"type": "message_start"}], "begins without a message", id="an empty message"),
        pytest.param([BEGIN, BEGIN], "two messages", id="two messages"),
        pytest.param([BEGIN, said(0, "a")], "a piece of no block", id="an unknown block"),
        pytest.param([BEGIN, start(0), said(1, "a")], "a piece of no block", id="another block"),
        pytest.param(
            [BEGIN, {**start(0), "content_block": None}], "the beginning of no block", id="no block"
        ),
        pytest.param([BEGIN, {**start(0), "index": "0"}], "no number", id="no number"),
        pytest.param(
            [BEGIN, called(0), stop(0), given(0, "{}")], "mixes up its blocks", id="a call that has ended"
        ),
        pytest.param([BEGIN, *END, start(0)], "goes on behind its end", id="a block after the end"),
        pytest.param([BEGIN, start(0), *END, said(0, "a")], "goes on behind its end", id="a piece after it"),
    ],
)
def test_what_cannot_be_put_in_order_is_broken(came: Batch, wrong: str) -> None:
    out, broken = put(came)

    assert broken is not None
    assert wrong in broken
    assert out == put(came[:-1])[0]
