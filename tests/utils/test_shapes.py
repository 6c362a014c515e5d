"""What a value should be, it is, or it is nothing."""

from __future__ import annotations

from typing import Any

import pytest

from app.utils.shapes import as_dict, as_dicts, as_list, as_text

ODD = [None, 7, True, {"a": 1}, ["a", {"b": 1}], "text"]


@pytest.mark.parametrize("value", ODD, ids=str)
def test_a_value_of_another_kind_is_an_empty_one(value: Any) -> None:
    assert as_dict(value) == (value if value == {"a": 1} else {})
    assert as_list(value) == (value if value == ["a", {"b": 1}] else [])
    assert as_text(value) == (value if value == "text" else "")
    assert as_dicts(value) == ([{"b": 1}] if value == ["a", {"b": 1}] else [])


def test_what_is_given_is_given_back_itself() -> None:
    value: dict[str, Any] = {}

    assert as_dict(value) is value
    assert as_dicts([value])[0] is value
