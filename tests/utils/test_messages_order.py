"""Blocks that a server ends all together leave one after the other."""

from __future__ import annotations

import pytest

from app.types import Batch, Event
from app.utils.messages_order import BlockOrder


def start(index: int) -> Event:
    return {"type": "content_block_start", "index": index, "content_block": {"type": "text", "text": ""}}


def stop(index: int) -> Event:
    return {"type": "content_block_stop", "index": index}


def piece(index: int, kind: str = "text") -> Event:
    return {"type": "content_block_delta", "index": index, "delta": {"type": f"{kind}_delta", kind: ""}}


END: Batch = [{"type": "message_delta", "delta": {}}, {"type": "message_stop"}]
TOGETHER: Batch = [
    *(start(0), piece(0), start(1), piece(1), start(2), piece(2)),
    *(piece(0, "signature"), stop(0), stop(1), stop(2), *END),
]  # fmt: skip
IN_TURN: Batch = [
    *(start(0), piece(0), stop(0), start(1), piece(1), stop(1), start(2), piece(2), stop(2), *END),
]  # fmt: skip


@pytest.mark.parametrize("size", [1, 2, 3, 5, 99])
def test_each_block_ends_before_the_next_one_begins(size: int) -> None:
    order = BlockOrder()
    parts = [TOGETHER[at : at + size] for at in range(0, len(TOGETHER), size)]

    assert [event for part in parts for event in order.put(part)] == IN_TURN


@pytest.mark.parametrize("size", [1, 2, 99])
def test_what_is_in_order_is_not_touched(size: int) -> None:
    order = BlockOrder()
    parts = [IN_TURN[at : at + size] for at in range(0, len(IN_TURN), size)]

    assert all(order.put(part) is part for part in parts)


def test_a_signature_in_its_place_stays() -> None:
    batch = [start(0), piece(0, "thinking"), piece(0, "signature"), stop(0)]

    assert BlockOrder().put(batch) == batch
