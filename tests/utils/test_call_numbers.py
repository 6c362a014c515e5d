"""Tool calls whose indexes do not tell them apart."""

from __future__ import annotations

from typing import Any

import pytest

from app.types import Batch
from app.utils.wire_chat import ChatStream
from tests.fakes import target, trace


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
