"""Tool calls as targets give them."""

from __future__ import annotations

from typing import Any

import pytest

from app.utils.call_pieces import arguments_of, calls_in

CALL = {"index": 1, "id": "c1", "function": {"name": "f"}}
OLD = {"name": "f", "arguments": "{}"}


@pytest.mark.parametrize(
    ("message", "calls"),
    [
        pytest.param({"tool_calls": [CALL, None, 3]}, [CALL], id="calls"),
        pytest.param({"function_call": OLD}, [{"index": 0, "function": OLD}], id="the call of old"),
        pytest.param({"tool_calls": [CALL], "function_call": OLD}, [CALL], id="both"),
        pytest.param({"tool_calls": [], "function_call": None}, [], id="nothing"),
        pytest.param({"tool_calls": 3, "function_call": "f"}, [], id="no calls"),
        pytest.param({}, [], id="none"),
    ],
)
def test_calls_are_found_under_their_new_name_and_their_old_one(message: Any, calls: list[Any]) -> None:
    assert calls_in(message) == calls


@pytest.mark.parametrize(
    ("arguments", "written"),
    [("", ""), (None, ""), ('{"a"', '{"a"'), ({"city": "Rome"}, '{"city":"Rome"}'), ({}, "{}"), (3, "3")],
)
def test_arguments_are_json_text_even_if_they_come_as_an_object(arguments: Any, written: str) -> None:
    assert arguments_of({"arguments": arguments}) == written
